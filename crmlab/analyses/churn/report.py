"""The report: a study of churn, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.churn import exhibits, words
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.quantities import QUANTITIES
from crmlab.analyses.churn.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "matrix": exhibits.matrix_table,
        "origins": exhibits.origins_table,
        "scores": exhibits.scores_table,
        "importance": exhibits.importance_table,
        "holdout": exhibits.holdout_table,
        "candidates": exhibits.candidates_table,
        "drift": exhibits.drift_table,
    },
    charts={
        "matrix": exhibits.matrix_chart,
        "calibration": exhibits.calibration_chart,
        "gaps": exhibits.gaps_chart,
        "reversal": exhibits.reversal_chart,
        "timing": exhibits.timing_chart,
    },
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say who is leaving, how sure that is, and whom it would pay to contact.

    Parameters
    ----------
    data : Dataset
        Needs orders; breadth of products comes from order lines, suppression from customers, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: matrix, origins, scores, candidates, drift, importance, holdout. Charts: matrix, gaps, reversal, calibration, timing.
        Outputs: customers. Where scores are refused, matrix and holdout are absent.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history, or the window is longer than the history allows.
    DataError
        No customer is eligible, or nobody ever bought twice.

    References
    ----------
    Buckinx and Van den Poel (2005), Customer base analysis, EJOR 164: partial defection from behaviour.
    Verbraken, Verbeke and Baesens (2013), IEEE TKDE 25: expected maximum profit.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
