"""Churn, step by step: the window, the days that are learnt from, the list of customers and what is read off it."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.churn.model import Plan, Scorer, plan, prepared, reasons
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.reductions import snapshots, with_model
from crmlab.analyses.customer_value import tier_of
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError
from crmlab.history.context import contactable, margin_known
from crmlab.history.customers import customer_summary
from crmlab.history.orders import history
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue, Portfolio
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.survival import given_waited, kaplan_meier
from crmlab.page.result import Estimate

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = [
    "ERROR",
    "POWER",
    "VALUE_WEEKS",
    "customer_list",
    "estimates_of",
    "holdout_sizes",
    "lost_share",
    "matrix_of",
    "reversal_of",
    "scheme_of",
    "snapshots_of",
    "timing_of",
    "values_of",
]


VALUE_WEEKS = 52  # over which a customer's value is counted
POWER, ERROR = 0.8, 0.05  # of the test that a hold-out group is for


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


def lost_share(curve: pd.DataFrame, window: int) -> float:
    """Share of the next year that somebody who churns is away on average: the window, and after it until they come back.

    Beyond the reach of the data nobody is taken to come back.

    Parameters
    ----------
    curve : DataFrame
        As of :func:`reversal_of`.
    window : int

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> never = pd.DataFrame({"time": [0.0], "survival": [1.0]})
    >>> lost_share(never, 91)
    1.0
    """
    year = 7 * VALUE_WEEKS
    rest = max(year - window, 0)
    times = np.clip(np.append(curve["time"].to_numpy(float), np.inf), 0, rest)
    away = float(np.diff(times) @ curve["survival"].to_numpy(float))
    return min((min(window, year) + away) / year, 1.0)


def customer_list(data: Dataset, scorer: Scorer, today: pd.DataFrame, value: Any, lost: float, params: Params) -> pd.DataFrame:
    """One row per eligible customer: probability of churn, value at risk, reasons, what to do, and whether they may be contacted.

    At stake is what a customer would bring in the next year if active, times the share of it that a churned one is away. The
    profit of contacting a customer is accept × p × (at stake − offer) − (1 − p) × offer − contact: of would-be leavers a share
    accepts and stays; all others take the offer as a gift.
    """
    rows = prepared(today)
    p = scorer.probability(rows)
    tier = tier_of(np.asarray(value, dtype=float))
    stake = np.round(lost * np.asarray(value, dtype=float), 2)
    profit = _profit(p, stake, params)
    frame = pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "probability": p,
            "value": np.round(value, 2),
            "at_stake": stake,
            "value_at_risk": np.round(p * stake, 2),
            "tier": tier,
            "days_since_last": rows["days_since_last"].astype("int64"),
            "profit_of_contact": np.round(profit, 2),
        }
    )
    frame["action"] = np.where(profit > 0, "contact", "do not contact: it would cost more than it saves")
    frame = pd.concat([frame, reasons(scorer, rows).reset_index(drop=True)], axis=1)
    frame["contactable"] = contactable(data, frame["customer_id"])
    frame.loc[frame["contactable"] == "no", "action"] = "do not contact: has asked not to be"
    return frame


def matrix_of(listed: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Customers and value at risk by probability of churn and value tier, with the contact cost that just pays."""
    band = pd.cut(
        listed["probability"], [-1, 0.25, 0.5, 0.75, 2], labels=["under 25 %", "25 to 50 %", "50 to 75 %", "over 75 %"]
    )
    rows = []
    for (risk, tier), part in listed.assign(band=band).groupby(["band", "tier"], observed=True):
        p, v = part["probability"], part["at_stake"]
        even = params.accept * p * (v - params.offer_cost) - (1 - p) * params.offer_cost
        rows.append(
            {
                "risk": str(risk),
                "tier": tier,
                "customers": len(part),
                "value_at_risk": float(part["value_at_risk"].sum()),
                "break_even": float(even.mean()),
            }
        )
    return pd.DataFrame(rows)


def timing_of(waits: pd.DataFrame, scheme: Plan, level: float) -> dict[str, tuple[pd.DataFrame, float, int]]:
    """Time to the next purchase by number of purchases so far: curve from today on, the median time waited, and customers."""
    out = {}
    open_gaps = waits[~waits["ended"] & (waits["gap"] < scheme.active_within)]
    for label, low, high in (("after 1 purchase", 1, 1), ("after 2 to 4", 2, 4), ("after 5 and more", 5, 10**9)):
        some = waits[(waits["number"] >= low) & (waits["number"] <= high)]
        now = open_gaps[(open_gaps["number"] >= low) & (open_gaps["number"] <= high)]
        if len(now) < 30 or some["ended"].sum() < 30:
            continue
        waited = float(now["gap"].median())
        out[label] = given_waited(kaplan_meier(some["gap"], some["ended"], level=level), waited, level=level), waited, len(now)
    return out


def reversal_of(waits: pd.DataFrame, window: int, level: float) -> pd.DataFrame:
    """How many who had been silent for the window were still silent, by days since: Kaplan–Meier, as far as the data reach."""
    silent = waits[waits["gap"] > window]
    if silent.empty:
        return pd.DataFrame({"time": [0.0], "at_risk": [0.0], "survival": [1.0], "low": [1.0], "high": [1.0]})
    return kaplan_meier(silent["gap"] - window, silent["ended"], level=level)


def holdout_sizes(listed: pd.DataFrame, params: Params) -> pd.DataFrame:
    """How many customers must be left uncontacted to measure what contact saves, by saving in per cent of churners.

    For two groups of equal size among those whom it pays to contact, at 95 % confidence and 80 % power.

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, section 4.2.
    """
    from scipy import special

    targets = listed[listed["action"] == "contact"]
    base = targets if len(targets) >= 2 else listed
    rate = float(base["probability"].mean())
    z, b = float(special.ndtri(1 - ERROR / 2)), float(special.ndtri(POWER))
    rows = []
    for saving in (0.1, 0.2, params.accept):
        less = rate * (1 - saving)
        middle = (rate + less) / 2
        top = z * math.sqrt(2 * middle * (1 - middle)) + b * math.sqrt(rate * (1 - rate) + less * (1 - less))
        gap = rate - less
        rows.append(
            {"saving": saving, "rate": rate, "kept_out": math.ceil((top / gap) ** 2) if gap > 0 else None, "targets": len(base)}
        )
    return pd.DataFrame(rows).drop_duplicates("saving").sort_values("saving", ignore_index=True)


def estimates_of(
    scorer: Scorer, today: pd.DataFrame, listed: pd.DataFrame, params: Params, currency: str
) -> dict[str, Estimate]:
    """Expected churners, value at risk, and for whom contact pays, each with an interval.

    The first two carry chance and the calibration's error (drift included); the last two, of a decision, the calibration's error.
    """
    rows, value = prepared(today), listed["at_stake"].to_numpy(float)
    leaving = scorer.total(rows, np.ones(len(rows)), params.level)
    risk = scorer.total(rows, value, params.level)
    allowed = (listed["contactable"] != "no").to_numpy()
    drawn = np.array([_profit(p, value, params)[allowed] for p in scorer.draws(rows, 200, params.seed)])
    sides = [(1 - params.level) / 2, (1 + params.level) / 2]
    profit = listed["profit_of_contact"].to_numpy(float)[allowed]
    out = {
        "expected_churners": Estimate(*leaving, params.level, "customers"),
        "value_at_risk": Estimate(*risk, params.level, currency),
    }
    for name, point, draws, unit in (
        ("worth_contacting", float((profit > 0).sum()), (drawn > 0).sum(axis=1), "customers"),
        ("profit_of_contact", float(profit[profit > 0].sum()), np.where(drawn > 0, drawn, 0.0).sum(axis=1), currency),
    ):
        low, high = np.quantile(draws, sides)
        out[name] = Estimate(point, min(float(low), point), max(float(high), point), params.level, unit)
    return out


def _profit(p: Any, value: Any, params: Params) -> Any:
    return params.accept * p * (value - params.offer_cost) - (1 - p) * params.offer_cost - params.contact_cost
