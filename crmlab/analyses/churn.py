"""Churn: who is leaving, what is at risk, and whom it pays to contact.

Where nobody says goodbye, churn is silence: no purchase occasion within a window, for customers who had been active. What the
page says of the future was tested on days whose outcome is already known, against rules that need no model.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab import checks
from crmlab.analyses import churn_views as views
from crmlab.analyses.churn_lists import (
    VALUE_WEEKS,
    customer_list,
    estimates_of,
    holdout_sizes,
    lost_share,
    matrix_of,
    reversal_of,
    timing_of,
)
from crmlab.analyses.churn_model import Plan, plan
from crmlab.analyses.churn_trial import final, trial
from crmlab.analyses.churn_words import findings_of, method_of, metrics_of, warnings_of
from crmlab.analyses.common import context_of, margin_known
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError
from crmlab.features.customers import customer_summary
from crmlab.features.gaps import gaps
from crmlab.features.orders import history
from crmlab.features.snapshots import snapshots, with_model
from crmlab.models.bg_nbd import BGNBD
from crmlab.models.customer_value import CustomerValue
from crmlab.models.gamma_gamma import GammaGamma
from crmlab.models.portfolio import Portfolio
from crmlab.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

NEEDS = ("orders",)


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    window: int | None = (
        None  # days without a purchase that count as churn; default: the 90 % gap, or a sixth of history if less
    )
    active_within: int | None = None  # days within which a customer must have bought to be counted; default: twice the window
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    contact_cost: float = 1.0  # cost of contacting one customer
    offer_cost: float = 10.0  # cost of the offer to one who accepts it
    accept: float = 0.3  # share of would-be leavers who accept the offer and stay; a guess until it is tested
    level: float = 0.9  # of every interval
    min_group: int = 5  # smaller groups are not shown
    seed: int = 0  # of models, shuffles and draws

    def __post_init__(self) -> None:
        checks.day("churn", "as_of", self.as_of)
        for name in ("window", "active_within"):
            if getattr(self, name) is not None:
                checks.whole("churn", name, getattr(self, name), 1)
        if self.margin is not None:
            checks.positive("churn", "margin", self.margin, 1)
        checks.positive("churn", "contact_cost", self.contact_cost)
        checks.positive("churn", "offer_cost", self.offer_cost)
        checks.share("churn", "accept", self.accept)
        checks.share("churn", "level", self.level)
        checks.whole("churn", "min_group", self.min_group, 1)
        checks.whole("churn", "seed", self.seed, 0)


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


def scheme_of(waits: pd.DataFrame, first: dt.date, end: dt.date, params: Params) -> Plan:
    """Set the window, and lay out the days of learning and testing.

    The window is, unless given, the smaller of the 90 % quantile of gaps that ended and a sixth of the history, in whole weeks.

    Raises
    ------
    ParameterError
        The window does not leave a day to test on.
    DataError
        Nobody bought twice.
    """
    length = (end - first).days
    ended = waits.loc[waits["ended"], "gap"]
    if ended.empty:
        raise DataError.too_little("churn", "customers who bought on two days at least", "none")
    by_gap, by_history = math.ceil(float(ended.quantile(0.9)) / 7) * 7, max(length // 6 // 7 * 7, 7)
    window = params.window or min(by_gap, by_history)
    bound = "given" if params.window else "gap" if by_gap <= by_history else "history"
    active = params.active_within or 2 * window
    found = plan(first, end, window, bound, active)
    if not found.origins and params.window is None and params.active_within is None:
        raise DataError.too_little("churn", f"at least {active + window} days of history", f"{length} days")
    if not found.origins:
        most = (length - active) if params.active_within else length // 3
        raise ParameterError.expected("churn", "window", f"at most {max(most, 0)} days for {length} days of history", window)
    return found


def snapshots_of(data: Dataset, scheme: Plan, end: dt.date) -> dict[dt.date, pd.DataFrame]:
    """Rows of every origin and of today, by day, ordered by customer; today's have no outcome."""
    lines = data.order_lines if "order_lines" in data.tables else None
    goods = data.products if "products" in data.tables else None
    origins = sorted(scheme.origins)
    learnt = snapshots(data.orders, origins, scheme.window, scheme.active_within, lines, goods).to_pandas()
    now = snapshots(data.orders, [end], scheme.window, scheme.active_within, lines, goods, outcome=False).to_pandas()
    out: dict[dt.date, pd.DataFrame] = {}
    for frame in (learnt, now):
        ready = frame.assign(date=pd.to_datetime(frame["date"])).sort_values(["date", "customer_id"], ignore_index=True)
        if ready.empty:
            continue
        ready = with_model(ready, data.orders, scheme.window)
        out |= {day.date(): part.reset_index(drop=True) for day, part in ready.groupby("date")}
    for day in (*origins, end):
        out.setdefault(day, now.iloc[:0] if day == end else learnt.iloc[:0])
    if any(out[day].empty for day in origins):
        raise DataError.too_little("churn", "eligible customers on every day of learning", "days with none")
    return out


def values_of(data: Dataset, today: pd.DataFrame, end: dt.date, params: Params) -> tuple[Any, str]:
    """What each customer would bring in the next year if certainly still active: margin × expected purchases × expected spend.

    Returns
    -------
    (values, source)
        Source says what the values rest on: ``"model"``, or ``"last_year"`` (the last year's spend) where BG/NBD or Gamma-Gamma
        cannot be fitted; with ``"+revenue"`` where no margin is known.
    """
    margin, where, _ = margin_known(data, end, params.margin)
    known = "+revenue" if where in ("revenue", "loss") else ""
    summary = customer_summary(data.orders, end, unit="week").to_pandas().set_index("customer_id").loc[today["customer_id"]]
    whole = customer_summary(data.orders, end, unit="week").to_pandas().sort_values("customer_id", ignore_index=True)
    try:
        model = CustomerValue(
            purchases=BGNBD(draws=200, seed=params.seed),
            spend=GammaGamma(draws=200, seed=params.seed),
            margin=margin,
            unit="week",
        ).fit(whole)
        with np.errstate(all="ignore"):
            worth = Portfolio(model, summary.reset_index(), float(VALUE_WEEKS)).at(None, None)
        return worth.if_alive, f"model{known}"
    except (ModelError, ConvergenceError):
        start = max(end - dt.timedelta(days=364), history(data.orders)[0])
        year = (
            customer_summary(data.orders, end, start).select("customer_id", "total_spend").to_pandas().set_index("customer_id")
        )
        return margin * year["total_spend"].reindex(today["customer_id"]).fillna(0.0).to_numpy(float), f"last_year{known}"
