"""The moments at which to act, told from each customer's own rhythm.

A trigger fires once, on a day: so long after a purchase without the next one, or on the day of a purchase. What a rule needs to
know of the base (usual gaps, a model) is learnt up to a date, so that earlier moments can be judged without hindsight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value import NAMES, base_of, chosen
from crmlab.data.collecting import collect
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.history.words import ROUNDS, YEAR

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["TRIGGERS", "Learnt", "Trigger", "learn", "moments", "occasions_of", "rebuys_of"]


COUNTS = (5, 10, 20, 50)  # purchases that are worth a thank-you
FEWEST_REBUYS = 20  # gaps between purchases of one product, below which its rhythm is not known


_NO_DAYS = pd.DatetimeIndex([], dtype="datetime64[us]")  # of the unit that engines give, which reaches beyond the year 2262


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """What the rules know of a base up to a date.

    Attributes
    ----------
    until : Timestamp
    second : float
        Days from the first purchase to the second, median of those that came.
    lapse : float
        Gap beyond which a customer counts as lapsed: 90 % quantile of those that ended.
    spend : float
        Spend that one customer in ten has passed.
    expected : callable or None
        Days after a purchase by which the next one was expected, at a quantile: of frame (number, first, day) and quantile; None
        where no model of purchases could be fitted, or people buy once in every yearly round.
    model : str
        Name of the model of purchases; empty where there is none.
    rebuys : Series
        Median days until a product is bought again, by product.
    """

    until: pd.Timestamp
    second: float
    lapse: float
    spend: float
    expected: Callable[[pd.DataFrame, float], Any] | None
    model: str
    rebuys: pd.Series


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One trigger: its rule and what it predicts, in words, and how its moments are found.

    ``buys`` says whether it predicts a purchase within the window, or that none comes.
    """

    name: str
    label: str
    rule: Callable[[Learnt, float], str]
    buys: bool
    advice: str
    find: Callable[[pd.DataFrame, pd.DataFrame, Learnt, float], pd.DataFrame]


def occasions_of(waits: pd.DataFrame, spend: pd.DataFrame) -> pd.DataFrame:
    """Purchase occasions with what is known on their day.

    Parameters
    ----------
    waits : DataFrame
        Of :func:`crmlab.history.customers.gaps`.
    spend : DataFrame
        customer_id, day, spend of each occasion.

    Returns
    -------
    DataFrame
        Ordered by customer and day: customer_id, day, number, spend, first (day of the first occasion), before (gap to the
        occasion before), usual (mean of the gaps so far, missing for the first), total (spend so far), next (day of the next
        occasion, missing where none came).
    """
    paid = spend.assign(day=pd.to_datetime(spend["day"]))
    frame = waits.assign(day=pd.to_datetime(waits["day"])).merge(paid, "left", ["customer_id", "day"])
    frame = frame.sort_values(["customer_id", "day"], kind="stable", ignore_index=True)
    by = frame.groupby("customer_id", sort=False)
    frame["first"] = by["day"].transform("min")
    frame["before"] = by["day"].diff().dt.days
    frame["usual"] = (frame["day"] - frame["first"]).dt.days / (frame["number"] - 1).where(frame["number"] > 1)
    frame["total"] = by["spend"].cumsum()
    frame["next"] = (frame["day"] + pd.to_timedelta(frame["gap"], unit="D")).where(frame["ended"])
    return frame.drop(columns=["gap", "ended"])


def rebuys_of(history: History) -> pd.DataFrame:
    """Days on which each customer bought each product, with the day it was bought next: customer_id, product_id, day, next."""
    if history.lines is None:
        return pd.DataFrame({"customer_id": [], "product_id": [], "day": _NO_DAYS, "next": _NO_DAYS})
    lines = history.lines
    bought = lines.filter(lines["quantity"] > 0).select("customer_id", "product_id", day=lines["ordered_at"].date()).distinct()
    frame = collect(bought, ("customer_id", "product_id", "day")).assign(day=lambda f: pd.to_datetime(f["day"]))
    frame["next"] = frame.groupby(["customer_id", "product_id"], sort=False)["day"].shift(-1)
    return frame


def learn(history: History, occasions: pd.DataFrame, rebuys: pd.DataFrame) -> Learnt:
    """Learn what the rules need from what was known on the last day of a history.

    Parameters
    ----------
    history : History
    occasions, rebuys : DataFrame
        Of :func:`occasions_of` and :func:`rebuys_of`; what is later than the history is not looked at.

    Returns
    -------
    Learnt
    """
    until = pd.Timestamp(history.as_of)
    known = occasions[occasions["day"] <= until]
    gap = (known["next"].where(known["next"] <= until) - known["day"]).dt.days
    last = known.groupby("customer_id", sort=True).tail(1)
    ended = gap.dropna()
    expected, model = _expected(history)
    again = rebuys[(rebuys["day"] <= until) & (rebuys["next"] <= until)]
    wait = (again["next"] - again["day"]).dt.days.groupby(again["product_id"])
    usual = wait.median()[wait.size() >= FEWEST_REBUYS]
    return Learnt(
        until=until,
        second=float(gap[known["number"] == 1].median()),
        lapse=float(ended.quantile(0.9)) if len(ended) else float("nan"),
        spend=float(last["total"].quantile(0.9)),
        expected=expected,
        model=model,
        rebuys=usual,
    )


def _expected(history: History) -> tuple[Callable[[pd.DataFrame, float], Any] | None, str]:
    """When the chosen model of purchases expects the next one after each, in days; and its name."""
    try:
        base = base_of(history)
        if base.words is ROUNDS:
            return None, ""
        choice = chosen(base)
        model = choice.fit(base.summary())
    except (DataError, ModelError, ConvergenceError):
        return None, ""

    def days(frame: pd.DataFrame, q: float) -> Any:
        age = (frame["day"] - frame["first"]).dt.days / 7
        return 7 * model.next_purchase(pd.DataFrame({"frequency": frame["number"] - 1, "recency": age, "T": age}), q).to_numpy()

    return days, NAMES[choice.name]


def _after(frame: pd.DataFrame, wait: Any) -> pd.DataFrame:
    """Moments so many days after a purchase, where the next one had not come by then."""
    days = pd.Series(np.asarray(wait, dtype=float), index=frame.index)
    known = days.notna() & np.isfinite(days) & (days < 20_000)
    some, days = frame[known], days[known]
    at = some["day"] + pd.to_timedelta(np.ceil(days), unit="D")
    still = some["next"].isna() | (some["next"] > at)
    return some.assign(at=at)[still]


def _overdue(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:
    return (
        frame.iloc[:0].assign(at=frame["day"].iloc[:0]) if learnt.expected is None else _after(frame, learnt.expected(frame, q))
    )


def _slowing(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    some = frame[frame["number"] >= 3]
    return _after(some, 2 * some["usual"].to_numpy())


def _reactivated(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    some = frame[frame["before"] > learnt.lapse]
    return some.assign(at=some["day"])


def _second(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    some = frame[frame["number"] == 1]
    return _after(some, np.full(len(some), learnt.second))


def _threshold(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    passed = (frame["total"] >= learnt.spend) & (frame["total"] - frame["spend"] < learnt.spend)
    some = frame[frame["number"].isin(COUNTS) | passed]
    return some.assign(at=some["day"])


def _anniversary(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    # The last purchase before each anniversary of the first: a week ahead of it there is time to write.
    out = []
    for years in range(1, 40):
        at = frame["first"] + pd.to_timedelta(YEAR * years - 7, unit="D")
        held = (frame["day"] <= at) & (frame["next"].isna() | (frame["next"] > at))
        if not (at <= learnt.until + pd.Timedelta(days=400)).any():
            break
        out.append(frame.assign(at=at)[held])
    return pd.concat(out) if out else frame.iloc[:0].assign(at=frame["day"].iloc[:0])


def _product(_: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    # Only who has bought it again before is taken to use it up.
    counts = rebuys.groupby(["customer_id", "product_id"], sort=False).cumcount()
    some = rebuys[(counts >= 1) & rebuys["product_id"].isin(learnt.rebuys.index)]
    return _after(some, some["product_id"].map(learnt.rebuys).to_numpy())


TRIGGERS = (
    Trigger(
        name="overdue",
        label="Overdue",
        rule=lambda learnt, q: (
            f"no purchase by the day by which one was expected with {100 * q:.0f} % ({learnt.model}, after the last purchase)"
            if learnt.model
            else "not told: it needs a model of purchases at any time, which could not be fitted here"
        ),
        buys=False,
        advice="ask what is wrong; make it easy to return",
        find=_overdue,
    ),
    Trigger(
        name="slowing",
        label="Slowing down",
        rule=lambda learnt, q: "silent for twice their own usual gap, after three purchases or more",
        buys=False,
        advice="remind them before the habit is gone",
        find=_slowing,
    ),
    Trigger(
        name="second",
        label="Second purchase due",
        rule=lambda learnt, q: (
            f"{learnt.second:.0f} days after the first purchase, the usual time to the second, and no second yet"
        ),
        buys=True,
        advice="help them to a second purchase",
        find=_second,
    ),
    Trigger(
        name="reactivated",
        label="Just come back",
        rule=lambda learnt, q: f"a purchase after a gap of more than {learnt.lapse:.0f} days, longer than nine in ten gaps",
        buys=True,
        advice="welcome them back",
        find=_reactivated,
    ),
    Trigger(
        name="threshold",
        label="A mark was passed",
        rule=lambda learnt, q: (
            f"purchase number {', '.join(map(str, COUNTS))}, or spend of {learnt.spend:,.0f} in all (one in ten is past it)"
        ),
        buys=True,
        advice="thank them",
        find=_threshold,
    ),
    Trigger(
        name="anniversary",
        label="Anniversary ahead",
        rule=lambda learnt, q: "a week before the day of the first purchase comes round",
        buys=True,
        advice="congratulate them",
        find=_anniversary,
    ),
    Trigger(
        name="product",
        label="Product due again",
        rule=lambda learnt, q: "a product that they have bought again before, after its usual time between purchases",
        buys=True,
        advice="offer the product",
        find=_product,
    ),
)


def moments(trigger: Trigger, occasions: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, q: float = 0.8) -> pd.DataFrame:
    """Find all moments of a trigger.

    Parameters
    ----------
    trigger : Trigger
    occasions, rebuys : DataFrame
    learnt : Learnt
    q : float
        Quantile of the predicted next purchase beyond which a customer is overdue.

    Returns
    -------
    DataFrame
        customer_id, at (the day it fired), next (day of the next purchase of the customer or, for a product, of the product;
        missing where none came), and product_id where it is about a product. Ordered by customer and day.
    """
    found = trigger.find(occasions, rebuys, learnt, q)
    if "product_id" not in found.columns:
        found = found.assign(product_id="")
    return found[["customer_id", "product_id", "at", "next"]].sort_values(
        ["customer_id", "product_id", "at"], ignore_index=True
    )
