"""The study of churn, and its steps: the window, the days that are learnt from, today's scores, and what customers are worth."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.churn.contacting import customer_list, estimates_of, holdout_sizes, matrix_of
from crmlab.analyses.churn.drift import drift_of
from crmlab.analyses.churn.model import FEWEST, Plan, folds_of, need_outcomes, plan, prepared
from crmlab.analyses.churn.origins import foretold, off_by
from crmlab.analyses.churn.params import Params
from crmlab.analyses.churn.reductions import OF_PURCHASES, snapshots, with_breadth, with_model
from crmlab.analyses.churn.scored import Scores
from crmlab.analyses.churn.trials import Trial, final, trial
from crmlab.analyses.customer_value import chosen
from crmlab.collecting import collect, collect_value
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError, TooLittleError
from crmlab.history.costs import costs_of
from crmlab.history.customers import gaps_until
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS, YEAR, Words
from crmlab.models.survival import given_waited, kaplan_meier
from crmlab.page.declarations import Readiness
from crmlab.page.estimate import Estimate
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.customer_value import Choice

__all__ = [
    "GROUPS",
    "Study",
    "days_of",
    "lost_share",
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
GROUPS = {"after 1 {deed}": (1, 1), "after 2 to 4": (2, 4), "after 5 or more": (5, 10**9)}  # occasions so far


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
        Expected churners, expected loss, and for whom contact pays or which margin it needs; empty where no scores are given.
    matrix : DataFrame
        As of :func:`~crmlab.analyses.churn.contacting.matrix_of`; without rows where no scores are given.
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
        title = f"List of eligible {self.found.words.many} with probability, expected loss and reasons"
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
        No customer is eligible, nobody ever bought twice, or too few have churned, or have not, for anything to be told.
    """
    waits = gaps_until(history.orders, history.as_of)
    ended = waits.filter(waits["ended"])
    counts = collect(ended.group_by("gap").agg(n=ended.count()), "gap")
    known = pd.DataFrame({"gap": counts["gap"].repeat(counts["n"]), "ended": True})
    need_both_outcomes(history, scheme_of(known, history, params))
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
        matrix=matrix_of(listed),
        sizes=holdout_sizes(listed, params),
        groups=timing_of(waits, found.scheme, params.level, found.words),
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
    return history.once(("churn.scores", replace(params, as_of=None)), lambda: _scores(history, params), shared_by_all=True)


def _scores(history: History, params: Params) -> Scores:
    waits = history.gaps()
    scheme = scheme_of(waits, history, params)
    need_both_outcomes(history, scheme)
    choice = _choice(history.earlier(scheme.origins[0]))
    known = days_of(history, scheme, choice)
    days, untold = told_on_all(known)
    today = days.pop(history.as_of)
    margin, worth = history.margin(params.margin), worth_of(history, today, params)
    curve = reversal_of(waits, scheme.window, params.level)
    lost = lost_share(curve, scheme.window)
    costs = costs_of(history).given(contact=params.contact_cost, offer=params.offer_cost)
    money = {
        "value": float(max(lost * worth["value"].mean(), costs.offer * 1.01)),
        "offer": costs.offer,
        "contact": costs.contact,
        "accept": params.accept,
    }
    tested = trial(days, scheme, money if margin.known else None, level=params.level, seed=params.seed)
    past = foretold(scheme, tested, _in_season(choice), lambda then: _as_known(history, then, known, choice), params.seed)
    rows = prepared(today)
    scorer = final(days, scheme, tested.used, params.seed, off_by(past)).held_to(rows)
    return Scores(
        scheme=scheme,
        rows=rows,
        tested=tested,
        past=past,
        scorer=scorer,
        choice=choice,
        worth=worth,
        margin=margin,
        curve=curve,
        lost=lost,
        drift=drift_of(scorer, tested.test, rows, history.words),
        untold=untold,
        words=history.words,
        costs=costs,
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


def _in_season(choice: Choice | None) -> bool:
    """Whether what the model of purchases says of a window follows its season."""
    return choice is not None and choice.in_season


def _as_known(
    history: History, then: Plan, known: dict[dt.date, pd.DataFrame], choice: Choice | None
) -> tuple[dict[dt.date, pd.DataFrame], bool]:
    """Rows of the days of a plan that ends earlier, with what the model of purchases says that was chosen on the first of them.

    Where that is the model of :func:`_scores`, its rows serve.
    """
    own = _choice(history.earlier(then.origins[0]))
    if own is not None and choice is not None and (own.name, own.in_season) == (choice.name, choice.in_season):
        days = {day: known[day] for day in then.origins}
    else:
        found = _modelled(_rows_of(history, then, sorted(then.origins), outcome=True), history, then, own)
        days = {day.date(): part.reset_index(drop=True) for day, part in found.groupby("date")}
    return told_on_all(days)[0], _in_season(own)


def scheme_of(waits: pd.DataFrame, history: History, params: Params) -> Plan:
    """Set the window, and lay out the days of learning and testing.

    The window is, unless given, the smaller of the 90% quantile of gaps that ended and a sixth of the history, in whole weeks; where
    people give once a year, a year at least: before that nobody is late.

    Raises
    ------
    ParameterError
        The window does not leave a day to test on.
    DataError
        Nobody bought twice.
    """
    first, end = history.first, history.as_of
    length = (end - first).days
    ended = waits.loc[waits["ended"], "gap"]
    if ended.empty:
        raise TooLittleError.needs("churn", "customers who bought on two days at least", "none")
    by_gap, by_history = math.ceil(float(ended.quantile(0.9)) / 7) * 7, max(length // 6 // 7 * 7, 7)
    least = YEAR if history.words is ROUNDS else 0
    window = params.window or max(min(by_gap, by_history), least)
    bound = "given" if params.window else "year" if window == least else "gap" if by_gap <= by_history else "history"
    active = params.active_within or 2 * window
    found = plan(first, end, window, bound, active)
    if not found.origins and params.window is None and params.active_within is None:
        raise TooLittleError.needs("churn", f"at least {active + window} days of history", f"{length} days")
    if not found.origins:
        most = (length - active) if params.active_within else length // 3
        raise ParameterError.expected("churn", "window", f"at most {max(most, 0)} days for {length} days of history", window)
    return found


def need_both_outcomes(history: History, scheme: Plan) -> None:
    """Make sure that there is somebody to score, and that of those who are learnt from and tested on enough have churned, and have not.

    Raises
    ------
    TooLittleError
        Nobody is eligible today or on a day of learning, or fewer than ``FEWEST`` ended in one of the two ways.
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
    for told, some in (("to learn from", train), ("to test on", counts.loc[[scheme.origins[0]]])):
        left, all_ = int(some["churned"].sum()), int(some["eligible"].sum())
        if min(left, all_ - left) < FEWEST:
            who = history.words.many
            raise TooLittleError.needs(
                "churn",
                f"at least {FEWEST} {who} who left and {FEWEST} who stayed, on the days {told}",
                f"{left:,} and {all_ - left:,}",
                "Nothing can be learnt from so few. The list in the rfm report is more useful: it shows who has been silent longest.",
            )
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


def worth_of(history: History, today: pd.DataFrame, params: Params) -> pd.DataFrame:
    """What each eligible customer brings in the next 365 days given alive today, and the value tier.

    Both are those of the report on customer value. Where its models cannot be fitted, there are no tiers, and what stands in for value
    is margin times the last year's spend.

    Returns
    -------
    DataFrame
        customer_id, value, most (that can be saved of it: what may be spent on keeping them, were everybody allowed to be contacted;
        infinite where drop-out cannot be seen), and either tier or last_year_spend, in the order of ``today``. With yearly rounds,
        who came in the year that is not over yet is not valued: value and tier are missing.
    """
    ids = today["customer_id"].reset_index(drop=True)
    try:
        points = customer_value.scores(history, customer_value.Params(margin=params.margin)).points.set_index("customer_id")
    except (DataError, ModelError, ConvergenceError):
        start = max(history.as_of - dt.timedelta(days=YEAR - 1), history.first)
        spend = history.summary(start=start).set_index("customer_id")["total_spend"].reindex(ids).fillna(0.0).to_numpy(float)
        value = history.margin(params.margin).share * spend
        return pd.DataFrame({"customer_id": ids, "last_year_spend": np.round(spend, 2), "value": value, "most": np.inf})
    mine = points.reindex(ids)
    alive, at_risk, value = (mine[name].to_numpy(float) for name in ("alive", "at_risk", "value"))
    most = customer_value.most_to_spend(alive, at_risk, value, np.zeros(len(ids), dtype=bool))
    return pd.DataFrame(
        {
            "customer_id": ids,
            "tier": mine["tier"].to_numpy(object),
            "value": mine["if_loyal"].to_numpy(float),
            "most": np.where(np.isnan(alive), np.inf, most),
        }
    )


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


def timing_of(
    waits: pd.DataFrame, scheme: Plan, level: float, words: Words = WEEKS
) -> dict[str, tuple[pd.DataFrame, float, int]]:
    """Time to the next purchase by number of purchases so far: curve from today on, the median time waited, and customers."""
    out = {}
    open_gaps = waits[~waits["ended"] & (waits["gap"] < scheme.active_within)]
    for name, (low, high) in GROUPS.items():
        label = name.format(deed=words.deed)
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
