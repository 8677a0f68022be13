"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.churn import exhibits as views
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.study import (
    customer_list,
    estimates_of,
    holdout_sizes,
    lost_share,
    matrix_of,
    reversal_of,
    scheme_of,
    snapshots_of,
    timing_of,
    values_of,
)
from crmlab.analyses.churn.trials import final, trial
from crmlab.analyses.churn.words import findings_of, method_of, metrics_of, warnings_of
from crmlab.errors import DataError
from crmlab.history.context import context_of
from crmlab.history.customers import gaps
from crmlab.history.orders import history
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say who is leaving, how sure that is, and whom it pays to contact.

    Parameters
    ----------
    data : Dataset
        Needs orders; breadth of products comes from order lines, suppression from customers, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: matrix, scores, candidates, importance, holdout. Charts: matrix, gaps, reversal, calibration, timing. Outputs:
        customers.

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
    first, end = history(data.orders, params.as_of)
    waits = gaps(data.orders, end).to_pandas().sort_values(["customer_id", "number"], ignore_index=True)
    scheme = scheme_of(waits, first, end, params)
    days = snapshots_of(data, scheme, end)
    today = days.pop(end)
    if today.empty:
        raise DataError.too_little("churn", f"customers who bought within the last {scheme.active_within} days", "none")
    value, source = values_of(data, today, end, params)
    curve = reversal_of(waits, scheme.window, params.level)
    lost = lost_share(curve, scheme.window)
    money = {
        "value": float(max(lost * value.mean(), params.offer_cost * 1.01)),
        "offer": params.offer_cost,
        "contact": params.contact_cost,
        "accept": params.accept,
    }
    tested = trial(days, scheme, money, level=params.level, seed=params.seed)
    drift = float(tested.scores.loc[(tested.used, "intercept"), "value"])
    scorer = final(days, scheme, tested.used, params.seed, drift)
    listed = customer_list(data, scorer, today, value, lost, params)
    context = context_of(data, params.as_of, int(waits["customer_id"].nunique()))
    form = context.form
    found = estimates_of(scorer, today, listed, params, form.currency)
    matrix = matrix_of(listed, params)
    groups = timing_of(waits, scheme, params.level)
    return Result(
        title="Who is leaving, and whom it pays to contact",
        context=context,
        params=params,
        findings=findings_of(found, scheme, len(listed), form, params),
        metrics=metrics_of(found, tested, len(listed), form.currency, params.level),
        tables={
            "matrix": views.matrix_table(matrix, form, scheme, params.min_group),
            "scores": views.scores_table(tested, form, scheme, params.level),
            "importance": views.importance_table(tested, form, params.level),
            "holdout": views.holdout_table(holdout_sizes(listed, params), form),
            **({"candidates": views.candidates_table(tested, form)} if tested.chosen else {}),
        },
        charts={
            "matrix": views.matrix_chart(matrix, form, params.min_group),
            "calibration": views.calibration_chart(tested, form, scheme, params.level),
            "gaps": views.gaps_chart(waits, scheme, form),
            "reversal": views.reversal_chart(curve, scheme, form, params.level),
            "timing": views.timing_chart(groups, form, params.level),
        },
        method=method_of(scheme, tested, params, source, form, today, lost),
        warnings=warnings_of(tested, scheme, source, form),
        limits=(
            "What moves a score goes with churn; it need not cause it, and changing it need not keep anybody.",
            f"Churn is {scheme.window} days of silence. Some of the silent come back: see the curve of returns.",
            "How many accept an offer is a guess until a campaign with a control group has measured it.",
        ),
        absent={} if tested.chosen else {"candidates": f"No model was learnt: {tested.reason}."},
        outputs={
            "customers": Output(
                "List of eligible customers with probability, value at risk and reasons", listed, ("customer_id",)
            )
        },
    )
