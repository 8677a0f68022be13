"""The report: a study of one campaign, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.results import charts, one_file_words, tables, words
from crmlab.analyses.campaigns.results.one_file import is_one_file, one_file_study
from crmlab.analyses.campaigns.results.one_file_exhibits import ONE_FILE
from crmlab.analyses.campaigns.results.params import Params
from crmlab.analyses.campaigns.results.quantities import QUANTITIES
from crmlab.analyses.campaigns.results.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "health": tables.health_table,
        "cells": tables.cells_table,
        "money": tables.money_table,
        "components": tables.components_table,
        "segments": tables.segments_table,
        "rounds": tables.rounds_table,
        "history": tables.history_table,
        "next_plan": tables.next_table,
        "matched": tables.matched_table,
        "balance": tables.balance_table,
    },
    charts={
        "forest": charts.forest_chart,
        "components_chart": charts.components_chart,
        "days": charts.days_chart,
        "depth": charts.depth_chart,
        "history_chart": charts.history_chart,
    },
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a campaign earned over its control, cell by cell.

    Parameters
    ----------
    data : Dataset
        Needs cells, contacts and orders; codes come from responses, margins from order lines and unit costs where they are there. Or a test
        in one file, the table ``test``, whose page has the tables cells, money, health and balance, the chart forest, and the output
        comparisons.
    params : Params

    Returns
    -------
    Result
        Tables: health, cells, money, components, segments, rounds, history, next_plan, matched, balance. Charts: forest, components, days,
        depth, history. Outputs: comparisons, past_cells.

    Raises
    ------
    MissingTableError
        There are no cells, contacts or orders.
    CampaignError
        No such campaign, its cells make no test, or nobody was contacted.
    ParameterError
        ``as_of`` is outside the history.
    """
    if is_one_file(data):
        return page(one_file_study(data, params), ONE_FILE, one_file_words, QUANTITIES)
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
