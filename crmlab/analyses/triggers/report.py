"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.triggers import exhibits as views
from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.rules import learn, rebuys_of
from crmlab.analyses.triggers.study import SHORTEST, WEEKS, actions_of, judged, occasion_counts, summary_of
from crmlab.analyses.triggers.words import findings_of, method_of, metrics_of, warnings_of
from crmlab.errors import DataError
from crmlab.history.context import context_of
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Find today's moments to act, and judge each trigger by moments that are past.

    Parameters
    ----------
    data : Dataset
        Needs orders; products that are due again come from order lines, suppression from customers, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: triggers. Charts: today, precision, weeks. Outputs: actions.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    context = context_of(data, params.as_of)
    length = (context.as_of - context.first_day).days
    if length < SHORTEST + params.window:
        raise DataError.too_little("triggers", f"at least {SHORTEST + params.window} days of history", f"{length} days")
    occasions = occasion_counts(data, context.as_of)
    if not occasions["next"].notna().any():
        raise DataError.too_little("triggers", "customers who bought on two days at least", "none")
    context = context_of(data, params.as_of, int(occasions["customer_id"].nunique()))
    rebuys = rebuys_of(data, context.as_of)
    today = pd.Timestamp(context.as_of)
    split = today - pd.Timedelta(days=min(7 * WEEKS, length // 2))
    now = learn(occasions, rebuys, today, params.seed)
    past = judged(occasions, rebuys, learn(occasions, rebuys, split, params.seed), today, params)
    actions = actions_of(data, occasions, rebuys, now, today, params)
    table = summary_of(actions, past, now, today, params)
    form = context.form
    return Result(
        title="At which moments to act, and for whom",
        context=context,
        params=params,
        findings=findings_of(table, actions, context.customers or 0, form, params),
        metrics=metrics_of(table, actions, context.customers or 0, params.level),
        tables={"triggers": views.triggers_table(table, form, params.level, params.window, params.min_group)},
        charts={
            "today": views.today_chart(table, form, params.min_group),
            "precision": views.precision_chart(table, form, params.level, params.window),
            "weeks": views.weeks_chart(past, split, today, form, params.min_group),
        },
        method=method_of(now, split, form, params),
        warnings=warnings_of(data, now),
        limits=(
            "That something came true after a moment does not show that acting on it would change it: test with a group left alone.",
            "One customer may have several moments at once; the list names them all.",
            "Seasons and campaigns of the last half year are in the numbers of those that came true.",
        ),
        outputs={
            "actions": Output(
                "List of customers and moments, with the day by which to act", actions, ("customer_id", "trigger", "product_id")
            )
        },
    )
