"""The study of churn, and its steps: the window, the days that are learnt from, the list of customers and what is read off it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.churn.model import Plan, Scorer, plan, prepared, reasons
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.reductions import snapshots, told_by_model, with_breadth, with_model
from crmlab.analyses.churn.trials import Trial, final, trial
from crmlab.analyses.customer_value import tier_of
from crmlab.data.collecting import collect
from crmlab.errors import ConvergenceError, ModelError, ParameterError, TooLittleError
from crmlab.history.past import History
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue, Portfolio
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.survival import given_waited, kaplan_meier
from crmlab.page.result import Context, Estimate, Output

if TYPE_CHECKING:
    pass

__all__ = [
    "ERROR",
    "POWER",
    "VALUE_WEEKS",
    "Study",
    "customer_list",
    "days_of",
    "estimates_of",
    "holdout_sizes",
    "lost_share",
    "matrix_of",
    "reversal_of",
    "scheme_of",
    "study",
    "timing_of",
    "values_of",
]


VALUE_WEEKS = 52  # over which a customer's value is counted
POWER, ERROR = 0.8, 0.05  # of the test that a hold-out group is for


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of churn shows.

    Attributes
    ----------
    context : Context
    params : Params
    waits : DataFrame
        One row per purchase: how long after it the next one came, or has not come yet.
    scheme : Plan
        The window, and the days of learning and testing.
    tested : Trial
        What was found on the test's day, and what is used from now on.
    source : str
        What values rest on, as :func:`values_of` says.
    curve : DataFrame
        Who had been silent for the window and still was, by days since, as of :func:`reversal_of`.
    lost : float
        Share of a year that somebody who churns is away.
    listed : DataFrame
        One row per eligible customer, as of :func:`customer_list`.
    estimates : dict of str to Estimate
        Expected churners, value at risk, and for whom contact pays.
    matrix : DataFrame
        Customers and value at risk by probability of churn and value tier.
    sizes : DataFrame
        How many to leave uncontacted, by saving.
    groups : dict
        Time to the next purchase by purchases so far, as of :func:`timing_of`.
    """

    context: Context
    params: Params
    waits: pd.DataFrame
    scheme: Plan
    tested: Trial
    source: str
    curve: pd.DataFrame
    lost: float
    listed: pd.DataFrame
    estimates: dict[str, Estimate]
    matrix: pd.DataFrame
    sizes: pd.DataFrame
    groups: dict[str, tuple[pd.DataFrame, float, int]]

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of eligible customers."""
        title = "List of eligible customers with probability, value at risk and reasons"
        return {"customers": Output(title, self.listed, ("customer_id",))}


def study(history: History, params: Params) -> Study:
    """Set the window, learn and test on days whose outcome is known, and score today's customers.

    Raises
    ------
    ParameterError
        The window is longer than the history allows.
    DataError
        No customer is eligible, or nobody ever bought twice.
    """
    waits = history.gaps()
    scheme = scheme_of(waits, history.first, history.as_of, params)
    days = days_of(history, scheme)
    today = days.pop(history.as_of)
    if today.empty:
        raise TooLittleError.needs("churn", f"customers who bought within the last {scheme.active_within} days", "none")
    value, source = values_of(history, today, params)
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
    listed = customer_list(history, scorer, today, value, lost, params)
    return Study(
        context=history.context(int(waits["customer_id"].nunique())),
        params=params,
        waits=waits,
        scheme=scheme,
        tested=tested,
        source=source,
        curve=curve,
        lost=lost,
        listed=listed,
        estimates=estimates_of(scorer, today, listed, params, history.form.currency),
        matrix=matrix_of(listed, params),
        sizes=holdout_sizes(listed, params),
        groups=timing_of(waits, scheme, params.level),
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
        raise TooLittleError.needs("churn", "customers who bought on two days at least", "none")
    by_gap, by_history = math.ceil(float(ended.quantile(0.9)) / 7) * 7, max(length // 6 // 7 * 7, 7)
    window = params.window or min(by_gap, by_history)
    bound = "given" if params.window else "gap" if by_gap <= by_history else "history"
    active = params.active_within or 2 * window
    found = plan(first, end, window, bound, active)
    if not found.origins and params.window is None and params.active_within is None:
        raise TooLittleError.needs("churn", f"at least {active + window} days of history", f"{length} days")
    if not found.origins:
        most = (length - active) if params.active_within else length // 3
        raise ParameterError.expected("churn", "window", f"at most {max(most, 0)} days for {length} days of history", window)
    return found


def days_of(history: History, scheme: Plan) -> dict[dt.date, pd.DataFrame]:
    """Rows of every origin and of today, by day, ordered by customer; today's have no outcome.

    Raises
    ------
    DataError
        Nobody was eligible on a day of learning.
    """
    origins = sorted(scheme.origins)
    now = _rows_of(history, scheme, [history.as_of], outcome=False)
    learnt = _rows_of(history, scheme, origins, outcome=True)
    out = {history.as_of: now if now.empty else told_by_model(now, history.summary(), scheme.window)}
    if not learnt.empty:
        by_day = with_model(learnt, history.orders, scheme.window).groupby("date")
        out |= {day.date(): part.reset_index(drop=True) for day, part in by_day}
    if any(day not in out for day in origins):
        raise TooLittleError.needs("churn", "eligible customers on every day of learning", "days with none")
    return out


def _rows_of(history: History, scheme: Plan, days: list[dt.date], *, outcome: bool) -> pd.DataFrame:
    found = snapshots(history.orders, days, scheme.window, scheme.active_within, outcome=outcome, as_of=history.as_of)
    if history.lines is not None:
        found = with_breadth(found, history.lines, history.products, days)
    frame = collect(found, ("date", "customer_id"))
    return frame.assign(date=pd.to_datetime(frame["date"]))


def values_of(history: History, today: pd.DataFrame, params: Params) -> tuple[Any, str]:
    """What each customer would bring in the next year if certainly still active: margin × expected purchases × expected spend.

    Returns
    -------
    (values, source)
        Source says what the values rest on: ``"model"``, or ``"last_year"`` (the last year's spend) where BG/NBD or Gamma-Gamma
        cannot be fitted; with ``"+revenue"`` where no margin is known.
    """
    margin, where, _ = history.margin(params.margin)
    known = "+revenue" if where in ("revenue", "loss") else ""
    whole = history.summary("week")
    mine = whole.set_index("customer_id").loc[today["customer_id"]].reset_index()
    try:
        model = CustomerValue(
            purchases=BGNBD(draws=200, seed=params.seed),
            spend=GammaGamma(draws=200, seed=params.seed),
            margin=margin,
            unit="week",
        ).fit(whole)
        with np.errstate(all="ignore"):
            worth = Portfolio(model, mine, float(VALUE_WEEKS)).at(None, None)
        return worth.if_alive, f"model{known}"
    except (ModelError, ConvergenceError):
        start = max(history.as_of - dt.timedelta(days=364), history.first)
        year = history.summary(start=start).set_index("customer_id")
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


def customer_list(
    history: History, scorer: Scorer, today: pd.DataFrame, value: Any, lost: float, params: Params
) -> pd.DataFrame:
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
    frame["contactable"] = history.contactable(frame["customer_id"])
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
