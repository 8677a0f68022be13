"""The report: a study of segments, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.rfm import charts, tables, words
from crmlab.analyses.rfm.params import Params
from crmlab.analyses.rfm.quantities import QUANTITIES
from crmlab.analyses.rfm.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "segments": tables.segments_table,
        "rules": tables.rules_table,
        "cuts": tables.cuts_table,
        "moves": tables.moves_table,
    },
    charts={"segments": charts.segments_chart, "grid": charts.grid_chart, "moves": charts.moves_chart},
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Score, segment and value the customer base.

    Parameters
    ----------
    data : Dataset
        Needs orders.
    params : Params

    Returns
    -------
    Result
        Tables: segments, rules, cuts, moves. Charts: segments, grid, moves. Outputs: customers.

    Raises
    ------
    ParameterError
        ``as_of`` or ``compare_to`` is outside the history.
    DataError
        No customer has a purchase occasion.

    References
    ----------
    Hughes (1994), Strategic Database Marketing: scores by equal parts of the base.
    Fader, Hardie and Lee (2005), RFM and CLV, JMR 42: recency, frequency and money as statistics of a customer.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
