"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.design import charts, words
from crmlab.analyses.campaigns.design import tables as views
from crmlab.analyses.campaigns.design.params import Params
from crmlab.analyses.campaigns.design.study import outputs_of, plan_of
from crmlab.history.context import context_of
from crmlab.history.orders import history
from crmlab.page.result import Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


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
    _, end = history(data.orders, params.as_of)
    plan = plan_of(data, end, params)
    context = context_of(data, params.as_of, plan.pulled.start)
    form = context.form
    tables = {
        "ledger": views.ledger_table(plan.pulled, form, params.min_group),
        "cells": views.cells_table(plan, form),
        "money": views.money_table(plan, form, params),
        "options": views.options_table(plan, form, params),
        "balance": views.balance_table(plan, form, params),
        **({"past": views.past_table(plan, form, params)} if len(plan.past) else {}),
    }
    return Result(
        title="What to test next, on whom, and what the test will show",
        context=context,
        params=params,
        findings=words.findings(plan, form, params),
        metrics=words.metrics(plan, params, form.currency),
        tables=tables,
        charts={
            "ledger": charts.ledger_chart(plan.pulled, form, params.min_group),
            "power": charts.power_chart(plan, form, params),
            "balance": charts.balance_chart(plan, form, params),
        },
        method=words.method(plan, form, params),
        warnings=words.warnings(plan, form, params),
        limits=words.limits(plan, form, params),
        absent={} if len(plan.past) else {"past": words.no_past(data)},
        outputs=outputs_of(plan),
    )
