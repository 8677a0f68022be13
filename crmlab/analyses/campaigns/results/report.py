"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.results import charts
from crmlab.analyses.campaigns.results import tables as views
from crmlab.analyses.campaigns.results.params import Params
from crmlab.analyses.campaigns.results.study import parts_of
from crmlab.analyses.campaigns.results.words import findings_of, limits_of, method_of, metrics_of, warnings_of
from crmlab.history.context import context_of
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["MEMORY", "NEEDS", "run"]


NEEDS = ("cells", "contacts", "orders")
MEMORY = True  # the campaign memory is read too: past campaigns, and looks taken


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a campaign earned over its control, cell by cell.

    Parameters
    ----------
    data : Dataset
        Needs cells, contacts and orders; codes come from responses, margins from order lines and unit costs where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: health, cells, money, components, segments, history, next_plan, matched, balance. Charts: forest, components, days,
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
    parts = parts_of(data, params)
    context = context_of(data, params.as_of, int(parts.found.counts["n"].sum()))
    form = context.form
    tables = views.tables_of(parts, form, params)
    pictures = charts.charts_of(parts, form, params)
    every = (*views.TABLES, *charts.CHARTS)
    absent = {
        name: parts.absent.get(name, "These data do not allow it.") for name in every if name not in {**tables, **pictures}
    }
    outputs = {
        "comparisons": Output(
            "Every cell against its control, all metrics",
            parts.frame.drop(columns=[name for name in parts.frame.columns if name.startswith("lift")]),
            ("metric", "cell"),
        ),
        "past_cells": Output(
            "Past cells: difference in the share who bought, and profit per contact", parts.history.cells, ("campaign", "cell")
        ),
    }
    return Result(
        title="What each cell of a campaign earned",
        context=context,
        params=params,
        findings=findings_of(parts, form),
        metrics=metrics_of(parts, form.currency),
        tables=tables,
        charts=pictures,
        method=method_of(parts, params),
        warnings=warnings_of(parts, form, params),
        limits=limits_of(parts, form),
        absent=absent,
        outputs=outputs,
    )
