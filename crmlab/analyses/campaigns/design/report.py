"""The report: a study of the next campaign, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.design import charts, tables, words
from crmlab.analyses.campaigns.design.params import Params
from crmlab.analyses.campaigns.design.quantities import QUANTITIES
from crmlab.analyses.campaigns.design.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "ledger": tables.ledger_table,
        "cells": tables.cells_table,
        "money": tables.money_table,
        "options": tables.options_table,
        "balance": tables.balance_table,
        "past": tables.past_table,
    },
    charts={"ledger": charts.ledger_chart, "power": charts.power_chart, "balance": charts.balance_chart},
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Design the next test: pull the list, lay out cells, assign, and say what it will show and cost.

    Parameters
    ----------
    data : Dataset
        Needs orders. Consent and households come from customers, complaints from responses, past cells from cells and contacts, margins
        from order lines and unit costs, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: ledger, cells, money, options, balance, past. Charts: ledger, power, balance. Outputs: send_<channel> for each channel,
        controls, left_out, seeds.

    Raises
    ------
    ParameterError, CampaignError
        Criteria that cannot be read or name what there is not, and cells that make no test.
    TooLittleError
        Nobody is left on the list, or fewer than the cells need.

    References
    ----------
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, JASA 50: several cells against one
    control, and the share of the control.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
