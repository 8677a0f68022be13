"""The report: a study of data quality, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.data_quality import exhibits, words
from crmlab.analyses.data_quality.params import Params
from crmlab.analyses.data_quality.quantities import QUANTITIES
from crmlab.analyses.data_quality.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "read": exhibits.read_table,
        "amounts": exhibits.amounts_table,
        "rules": exhibits.rules_table,
        "examples": exhibits.examples_table,
        "largest": exhibits.largest_table,
        "coverage": exhibits.coverage_table,
    },
    charts={"orders": exhibits.orders_chart},
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a data set holds, what was left out, and what would move results.

    Parameters
    ----------
    data : Dataset
        Needs orders; checks every table that is there.
    params : Params

    Returns
    -------
    Result
        Tables: read, amounts, rules, examples, largest, coverage. Charts: orders.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
