"""The study of churn, and its steps: the window, the days that are learnt from, the list of customers and what is read off it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.churn.drift import TOO_FAR, Drift, drift_of
from crmlab.analyses.churn.model import Plan, Scorer, folds_of, need_outcomes, plan, prepared, reasons
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.reductions import OF_PURCHASES, snapshots, with_breadth, with_model
from crmlab.analyses.churn.trials import Trial, final, trial
from crmlab.analyses.customer_value import chosen
from crmlab.data.collecting import collect, collect_value
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError, TooLittleError
from crmlab.history.customers import gaps_until
from crmlab.history.past import History
from crmlab.history.words import YEAR
from crmlab.models.intervals import TEST_LEVEL, normal_quantile
from crmlab.models.survival import given_waited, kaplan_meier
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Estimate, Output

if TYPE_CHECKING:
    from crmlab.analyses.customer_value import Choice
    from crmlab.history.past import History
    from crmlab.page.format import Format

__all__ = [
    "POWER",
    "Scores",
    "Study",
    "customer_list",
    "days_of",
    "estimates_of",
    "holdout_sizes",
    "lost_share",
    "matrix_of",
    "need_both_outcomes",
    "readiness",
    "reversal_of",
    "scheme_of",
    "scores",
    "study",
    "timing_of",
    "told_on_all",
    "worth_of",
]


DEFAULTS = Params()
POWER = 0.8  # of the test that a hold-out group is for
NO_SCORE = "no score today"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How likely each eligible customer is to leave, by the one recipe: whoever shows a risk asks for these.

    Attributes
    ----------
    scheme : Plan
        The window, and the days of learning and testing.
    rows : DataFrame
        Eligible customers and their features today, ordered by id.
    tested : Trial
        What was found on the test's day, and what is used from now on.
    scorer : Scorer
        What is used, fitted for today.
    choice : Choice or None
        Which model of purchases two of the features are from; None where none could be fitted on the test's day.
    worth : DataFrame
        customer_id, tier, value (what they bring in the next 365 days if certainly active), in the order of ``rows``.
    source : str
        What values rest on, as :func:`worth_of` says.
    curve : DataFrame
        Who had been silent for the window and still was, by days since, as of :func:`reversal_of`.
    lost : float
        Share of a year that somebody who churns is away.
    drift : Drift or None
        Today held against the test's day; None where nothing was compared.
    untold : tuple of date
        Days on which the model of purchases could not be fitted or was on its boundary: with any, what it says is used on no day.
    """

    scheme: Plan
    rows: pd.DataFrame
    tested: Trial
    scorer: Scorer
    choice: Choice | None
    worth: pd.DataFrame
    source: str
    curve: pd.DataFrame
    lost: float
    drift: Drift | None = None
    untold: tuple[dt.date, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether no scores are given, because today is too far from the day that they were tested on."""
        return self.drift is not None and self.drift.refused

    def why(self, form: Format) -> str:
        """Why no scores are given, as a sentence; empty where they are."""
        if self.drift is None or not self.drift.refused:
            return ""
        far = "; ".join(self.drift.far[:3])
        return (
            "Today's customers are so unlike those of the test's day that what the test found says nothing of them: the scores moved "
            f"by a stability index of {form.number(self.drift.scores)}, and over {form.number(TOO_FAR)} is too far"
            f"{f' (moved most: {far})' if far else ''}."
        )

    @cached_property
    def customers(self) -> pd.DataFrame:
        """One row per eligible customer, ordered by id: customer_id, churn (probability), reason_1, reason_2, reason_3.

        Where scores are refused, probabilities are missing, and reasons empty.
        """
        if self.refused:
            nothing = dict.fromkeys(("reason_1", "reason_2", "reason_3"), "")
            return self.rows[["customer_id"]].assign(churn=float("nan"), **nothing)
        told = pd.DataFrame({"customer_id": self.rows["customer_id"], "churn": self.scorer.probability(self.rows)})
        return pd.concat([told, reasons(self.scorer, self.rows).reset_index(drop=True)], axis=1)

    def interval(self, customer_id: str, level: float) -> Estimate | None:
        """The probability of one customer, with what is not known of the calibration; None for who is not eligible, and where refused."""
        where = np.flatnonzero((self.rows["customer_id"] == customer_id).to_numpy())
        if self.refused or not len(where):
            return None
        p = float(self.customers["churn"].iloc[where[0]])
        drawn = self.scorer.draws(self.rows.iloc[where[:1]], 400, 0)[:, 0]
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return Estimate.holding(p, low, high, level, "share")


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of churn shows.

    Attributes
    ----------
    context : Context
    params : Params
    waits : DataFrame
        One row per purchase: how long after it the next one came, or has not come yet.
    found : Scores
        The risk of each eligible customer, and how it was tested.
    listed : DataFrame
        One row per eligible customer, as of :func:`customer_list`.
    estimates : dict of str to Estimate
        Expected churners, expected loss, and for whom contact pays; empty where no scores are given.
    matrix : DataFrame
        Customers and expected loss by probability of churn and value tier; without rows where no scores are given.
    sizes : DataFrame
        How many to leave uncontacted, by saving; without rows where it pays to contact fewer than two, or no scores are given.
    groups : dict
        Time to the next purchase by purchases so far, as of :func:`timing_of`.
    """

    context: Context
    params: Params
    waits: pd.DataFrame
    found: Scores
    listed: pd.DataFrame
    estimates: dict[str, Estimate]
    matrix: pd.DataFrame
    sizes: pd.DataFrame
    groups: dict[str, tuple[pd.DataFrame, float, int]]

    @property
    def scheme(self) -> Plan:
        """The window, and the days of learning and testing."""
        return self.found.scheme

    @property
    def tested(self) -> Trial:
        """What was found on the test's day."""
        return self.found.tested

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of eligible customers."""
        title = "List of eligible customers with probability, expected loss and reasons"
        return {"customers": Output(title, self.listed, ("customer_id",))}


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    ParameterError
        The window is longer than the history allows.
    TooLittleError
        No customer is eligible, nobody ever bought twice, or all ended alike.
    """
    waits = gaps_until(history.orders, history.as_of)
    ended = waits.filter(waits["ended"])
    counts = collect(ended.group_by("gap").agg(n=ended.count()), "gap")
    known = pd.DataFrame({"gap": counts["gap"].repeat(counts["n"]), "ended": True})
    need_both_outcomes(history, scheme_of(known, history.first, history.as_of, params))
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Score today's customers, and say what it pays to do.

    Raises
    ------
    ParameterError
        The window is longer than the history allows.
    DataError
        No customer is eligible, or nobody ever bought twice.
    """
    waits = history.gaps()
    found = scores(history, params)
    listed = customer_list(history, found, params)
    return Study(
        context=history.context(int(waits["customer_id"].nunique())),
        params=params,
        waits=waits,
        found=found,
        listed=listed,
        estimates={} if found.refused else estimates_of(found, listed, params, history.form.currency),
        matrix=matrix_of(listed, params),
        sizes=holdout_sizes(listed, params),
        groups=timing_of(waits, found.scheme, params.level),
    )


def scores(history: History, params: Params = DEFAULTS) -> Scores:
    """Learn and test on days whose outcome is known, and score today's customers. The owner of the risk of churn.

    Parameters
    ----------
    history : History
    params : Params
        Probabilities depend on ``window``, ``active_within`` and ``seed`` alone.

    Raises
    ------
    ParameterError
        The window is longer than the history allows.
    DataError
        No customer is eligible, nobody ever bought twice, or nobody has churned before.
    """
    return history.once(("churn.scores", replace(params, as_of=None)), lambda: _scores(history, params))


def _scores(history: History, params: Params) -> Scores:
    waits = history.gaps()
    scheme = scheme_of(waits, history.first, history.as_of, params)
    need_both_outcomes(history, scheme)
    choice = _choice(history.earlier(scheme.origins[0]))
    days, untold = told_on_all(days_of(history, scheme, choice))
    today = days.pop(history.as_of)
    worth, source = worth_of(history, today, params)
    curve = reversal_of(waits, scheme.window, params.level)
    lost = lost_share(curve, scheme.window)
    money = {
        "value": float(max(lost * worth["value"].mean(), params.offer_cost * 1.01)),
        "offer": params.offer_cost,
        "contact": params.contact_cost,
        "accept": params.accept,
    }
    tested = trial(days, scheme, money, level=params.level, seed=params.seed)
    drift = float(tested.scores.loc[(tested.used, "intercept"), "value"])
    scorer, rows = final(days, scheme, tested.used, params.seed, drift), prepared(today)
    return Scores(
        scheme=scheme,
        rows=rows,
        tested=tested,
        scorer=scorer,
        choice=choice,
        worth=worth,
        source=source,
        curve=curve,
        lost=lost,
        drift=drift_of(scorer, tested.test, rows),
        untold=untold,
    )


def told_on_all(days: dict[dt.date, pd.DataFrame]) -> tuple[dict[dt.date, pd.DataFrame], tuple[dt.date, ...]]:
    """Use what the model of purchases says only where it speaks on every day, so that what was learnt and tested is what scores today.

    Returns
    -------
    (days, untold)
        The rows by day, and the days on which it says nothing of anybody; with any, its features are missing on all days.
    """
    untold = tuple(sorted(day for day, rows in days.items() if len(rows) and rows[OF_PURCHASES[0]].isna().all()))
    if untold:
        days = {day: rows.assign(**dict.fromkeys(OF_PURCHASES, float("nan"))) for day, rows in days.items()}
    return days, untold


def _choice(history: History) -> Choice | None:
    """Which model of purchases is used for all days: what was known on the test's day decides, so that the test is a fair one."""
    try:
        return chosen(history)
    except (DataError, ModelError, ConvergenceError):
        return None


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


def need_both_outcomes(history: History, scheme: Plan) -> None:
    """Make sure that there is somebody to score, and that those who are learnt from have churned and have not.

    Raises
    ------
    TooLittleError
        Nobody is eligible today or on a day of learning, or all who are learnt from ended alike.
    """
    origins = sorted(scheme.origins)
    today = snapshots(history.orders, [history.as_of], scheme.window, scheme.active_within, outcome=False, as_of=history.as_of)
    if not collect_value(today.count()):
        raise TooLittleError.needs("churn", f"customers who bought within the last {scheme.active_within} days", "none")
    import ibis

    rows = snapshots(history.orders, origins, scheme.window, scheme.active_within, as_of=history.as_of)
    per = rows.group_by("date").agg(eligible=rows.count(), churned=rows.count(where=rows["churned"]))
    counts = collect(per, "date").set_index("date")
    counts.index = pd.Index([pd.Timestamp(day).date() for day in counts.index])
    if missing := [day for day in origins if day not in counts.index]:
        raise TooLittleError.needs(
            "churn",
            "eligible customers on every day of learning",
            f"none on {missing[0]}, the first of {len(missing)} such days",
        )
    train = counts.loc[list(scheme.learning)]
    need_outcomes(int(train["churned"].sum()), int(train["eligible"].sum()))
    if len(origins) == 1 or scheme.crossfits:
        mine = rows.filter(rows["date"] == ibis.literal(train.index[0], type="date")).select("customer_id", "churned")
        folds_of(collect(mine, "customer_id"))


def days_of(history: History, scheme: Plan, choice: Choice | None) -> dict[dt.date, pd.DataFrame]:
    """Rows of every origin and of today, by day, ordered by customer; today's have no outcome.

    Of a day on which nobody was eligible there are no rows.
    """
    origins = sorted(scheme.origins)
    now = _rows_of(history, scheme, [history.as_of], outcome=False)
    out = {history.as_of: _modelled(now, history, scheme, choice)}
    learnt = _rows_of(history, scheme, origins, outcome=True)
    if not learnt.empty:
        by_day = _modelled(learnt, history, scheme, choice).groupby("date")
        out |= {day.date(): part.reset_index(drop=True) for day, part in by_day}
    return out


def _modelled(rows: pd.DataFrame, history: History, scheme: Plan, choice: Choice | None) -> pd.DataFrame:
    """Rows with what the model of purchases says; without one, nothing is known of it."""
    if choice is None:
        return rows.assign(**dict.fromkeys(OF_PURCHASES, float("nan")))
    return with_model(rows, history, scheme.window, choice)


def _rows_of(history: History, scheme: Plan, days: list[dt.date], *, outcome: bool) -> pd.DataFrame:
    found = snapshots(history.orders, days, scheme.window, scheme.active_within, outcome=outcome, as_of=history.as_of)
    if history.lines is not None:
        found = with_breadth(found, history.lines, history.products, days)
    frame = collect(found, ("date", "customer_id"))
    return frame.assign(date=pd.to_datetime(frame["date"]))


def worth_of(history: History, today: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, str]:
    """What each eligible customer brings in the next 365 days if certainly still active, and the value tier.

    Both are those of the report on customer value; where its models cannot be fitted, margin times the last year's spend, and tiers
    of that.

    Returns
    -------
    (worth, source)
        customer_id, tier, value, in the order of ``today``; ``"model"`` or ``"last_year"``, with ``"+revenue"`` where no margin is
        known.
    """
    margin, where, _ = history.margin(params.margin)
    known = "+revenue" if where in ("revenue", "loss") else ""
    ids = today["customer_id"].reset_index(drop=True)
    try:
        points = customer_value.scores(history, customer_value.Params(margin=params.margin)).points.set_index("customer_id")
        mine = points.reindex(ids)
        found = pd.DataFrame(
            {"customer_id": ids, "tier": mine["tier"].to_numpy(object), "value": mine["if_loyal"].to_numpy(float)}
        )
        # With yearly rounds, who came in the year that is not over yet is not valued: nothing is at stake with them.
        return found.fillna({"tier": "D", "value": 0.0}), f"model{known}"
    except (DataError, ModelError, ConvergenceError):
        start = max(history.as_of - dt.timedelta(days=YEAR - 1), history.first)
        year = history.summary(start=start).set_index("customer_id")
        value = margin * year["total_spend"].reindex(ids).fillna(0.0).to_numpy(float)
        found = pd.DataFrame({"customer_id": ids, "tier": customer_value.tier_of(value), "value": value})
        return found, f"last_year{known}"


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
    rest = max(YEAR - window, 0)
    times = np.clip(np.append(curve["time"].to_numpy(float), np.inf), 0, rest)
    away = float(np.diff(times) @ curve["survival"].to_numpy(float))
    return min((min(window, YEAR) + away) / YEAR, 1.0)


def customer_list(history: History, found: Scores, params: Params) -> pd.DataFrame:
    """One row per eligible customer: probability of churn, expected loss, reasons, what to do, and whether they may be contacted.

    At stake is what a customer would bring in the next year if active, times the share of it that a churned one is away. The
    profit of contacting a customer is accept × p × (at stake − offer) − (1 − p) × offer − contact: of would-be leavers a share
    accepts and stays; all others take the offer as a gift.
    """
    value, p = found.worth["value"].to_numpy(float), found.customers["churn"].to_numpy(float)
    stake = np.round(found.lost * value, 2)
    profit = np.round(_profit(p, stake, params), 2)  # what is decided is what is shown
    frame = pd.DataFrame(
        {
            "customer_id": found.rows["customer_id"],
            "churn": p,
            "if_loyal": np.round(value, 2),
            "at_stake": stake,
            "expected_loss": np.round(p * stake, 2),
            "tier": found.worth["tier"],
            "days_since_last": found.rows["days_since_last"].astype("int64"),
            "profit_of_contact": profit,
        }
    )
    frame["action"] = np.where(
        profit > 0, "contact", NO_SCORE if found.refused else "do not contact: it would cost more than it saves"
    )
    frame = pd.concat([frame, found.customers.drop(columns=["customer_id", "churn"])], axis=1)
    frame["contactable"] = history.contactable(frame["customer_id"])
    refused = (frame["contactable"] == "no").to_numpy()
    frame.loc[refused, "action"] = [f"do not contact: {why}" for why in history.refusals(frame.loc[refused, "customer_id"])]
    return frame


def matrix_of(listed: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Customers and expected loss by probability of churn and value tier, with the contact cost that just pays."""
    band = pd.cut(listed["churn"], [-1, 0.25, 0.5, 0.75, 2], labels=["under 25 %", "25 to 50 %", "50 to 75 %", "over 75 %"])
    rows = []
    for (risk, tier), part in listed.assign(band=band).groupby(["band", "tier"], observed=True):
        p, v = part["churn"], part["at_stake"]
        even = params.accept * p * (v - params.offer_cost) - (1 - p) * params.offer_cost
        rows.append(
            {
                "risk": str(risk),
                "tier": tier,
                "customers": len(part),
                "expected_loss": float(part["expected_loss"].sum()),
                "break_even": float(even.mean()),
            }
        )
    return pd.DataFrame(rows, columns=["risk", "tier", "customers", "expected_loss", "break_even"])


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

    For two groups of equal size among those whom it pays to contact, at 95 % confidence and 80 % power. Without rows where these
    are fewer than two: then there is nobody to leave out.

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, section 4.2.
    """
    from scipy import special

    targets = listed[listed["action"] == "contact"]
    if len(targets) < 2:
        return pd.DataFrame(columns=["saving", "rate", "kept_out", "targets"])
    rate = float(targets["churn"].mean())
    z, b = normal_quantile(TEST_LEVEL), float(special.ndtri(POWER))
    rows = []
    for saving in (0.1, 0.2, params.accept):
        less = rate * (1 - saving)
        middle = (rate + less) / 2
        top = z * math.sqrt(2 * middle * (1 - middle)) + b * math.sqrt(rate * (1 - rate) + less * (1 - less))
        gap = rate - less
        rows.append(
            {
                "saving": saving,
                "rate": rate,
                "kept_out": math.ceil((top / gap) ** 2) if gap > 0 else None,
                "targets": len(targets),
            }
        )
    return pd.DataFrame(rows).drop_duplicates("saving").sort_values("saving", ignore_index=True)


def estimates_of(found: Scores, listed: pd.DataFrame, params: Params, currency: str) -> dict[str, Estimate]:
    """Expected churners, expected loss, and for whom contact pays, each with an interval.

    The first two carry chance and the calibration's error (drift included); the last two, of a decision, the calibration's error.
    """
    scorer, rows, value = found.scorer, found.rows, listed["at_stake"].to_numpy(float)
    leaving = scorer.total(rows, np.ones(len(rows)), params.level)
    risk = scorer.total(rows, value, params.level)
    allowed = (listed["contactable"] != "no").to_numpy()
    drawn = np.array([_profit(p, value, params)[allowed] for p in scorer.draws(rows, 200, params.seed)])
    sides = [(1 - params.level) / 2, (1 + params.level) / 2]
    profit = listed["profit_of_contact"].to_numpy(float)[allowed]
    out = {
        "expected_churners": Estimate(*leaving, params.level, "customers"),
        "expected_loss": Estimate(*risk, params.level, currency),
    }
    for name, point, draws, unit in (
        ("worth_contacting", float((profit > 0).sum()), (drawn > 0).sum(axis=1), "customers"),
        ("profit_of_contact", float(profit[profit > 0].sum()), np.where(drawn > 0, drawn, 0.0).sum(axis=1), currency),
    ):
        low, high = np.quantile(draws, sides)
        out[name] = Estimate.holding(point, low, high, params.level, unit)
    return out


def _profit(p: Any, value: Any, params: Params) -> Any:
    return params.accept * p * (value - params.offer_cost) - (1 - p) * params.offer_cost - params.contact_cost
