"""The moments that may tell what comes, told from each customer's own rhythm.

A trigger fires once, on a day: so long after a purchase without the next one, or on the day of a purchase. What a rule needs to
know of the base (usual gaps, a model) is learnt up to a date, so that earlier moments can be judged without hindsight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value import NAMES, base_of, chosen
from crmlab.analyses.triggers.rhythm import WEEK
from crmlab.analyses.triggers.timing import Timing
from crmlab.collecting import collect
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.history.words import ROUNDS, YEAR

if TYPE_CHECKING:
    from crmlab.analyses.customer_value import Choice
    from crmlab.history.past import History
    from crmlab.history.words import Words
    from crmlab.page.format import Format

__all__ = ["TRIGGERS", "Learnt", "Trigger", "learn", "moments", "occasions_of", "rebuys_of"]


COUNTS = (5, 10, 20, 50)  # purchases that are worth a thank-you
AHEAD = 7  # days before an anniversary
FEWEST_REBUYS = 20  # gaps between purchases of one product, below which its rhythm is not known


_NO_DAYS = pd.DatetimeIndex([], dtype="datetime64[us]")  # of the unit that engines give, which reaches beyond the year 2262


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """What the rules know of a base up to a date.

    Attributes
    ----------
    until : Timestamp
    timing : Timing
        How time is counted where a length of time is a rule's; where forecasts follow a season, by its clock. Who is compared with whom is
        told in days of the calendar, since all are compared on one day.
    second : float
        Days of that time from the first purchase to the second, median of those that came.
    lapse : float
        Gap in days of that time beyond which a customer counts as lapsed: 90% quantile of those that ended.
    reach : float
        Days since the last purchase up to which a customer is eligible: 95% quantile of the gaps that ended; at least three times their
        median, since who is silent for twice the usual gap must be within it.
    bands : tuple of float
        Days since the last purchase at which finer bands end: median, 75% and 90% quantile of the gaps that ended, and the reach.
    spend : float
        Spend that one customer in ten has passed.
    expected : callable or None
        Days after a purchase by which the next one was expected, at a quantile: of frame (number, first, day) and quantile; None
        where no model of purchases could be fitted, or people buy once in every yearly round.
    choice : Choice or None
        The model of purchases behind it; None where there is none.
    rebuys : Series
        Median days of that time until a product is bought again, by product.
    """

    until: pd.Timestamp
    timing: Timing
    second: float
    lapse: float
    reach: float
    bands: tuple[float, ...]
    spend: float
    expected: Callable[[pd.DataFrame, float], Any] | None
    choice: Choice | None
    rebuys: pd.Series

    @property
    def model(self) -> str:
        """Name of the model of purchases; empty where there is none."""
        return NAMES[self.choice.name] if self.choice is not None else ""

    @property
    def seasonal(self) -> bool:
        """Whether silences are counted by a season: days that are declared closed alone are none."""
        return self.choice is not None and self.choice.in_season


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One trigger: its rule and what it predicts, in words, and how its moments are found.

    ``buys`` says whether it predicts a purchase within the window, or that none comes; ``ends`` whether a moment is over with the next
    purchase, as that of somebody who was silent is; ``lasts``, in days, where the rule itself says when it is over.
    The label may have the fields ``{deed}`` and ``{deeds}``: see :meth:`said`.
    """

    name: str
    label: str
    rule: Callable[[Learnt, float, Words, Format], str]
    buys: bool
    ends: bool
    find: Callable[[pd.DataFrame, pd.DataFrame, Learnt, float], pd.DataFrame]
    lasts: int | None = None

    @property
    def of_products(self) -> bool:
        """Whether its moments are those of a customer and a product."""
        return self.name == "product"

    def said(self, words: Words) -> Trigger:
        """The same with the label in the words for the deeds of people.

        Examples
        --------
        >>> {trigger.name: trigger.said(ROUNDS).label for trigger in TRIGGERS}["second"]
        'Second gift due'
        """
        return replace(self, label=self.label.format(deed=words.deed, deeds=words.deeds))

    def predicts(self, words: Words) -> str:
        """What it predicts, in words."""
        what = f"{words.deed} of it" if self.of_products else words.deed
        return f"{'a' if self.buys else 'no'} {what}"


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
        occasion before), total (spend so far), next (day of the next occasion, missing where none came).
    """
    paid = spend.assign(day=pd.to_datetime(spend["day"]))
    frame = waits.assign(day=pd.to_datetime(waits["day"])).merge(paid, "left", ["customer_id", "day"])
    frame = frame.sort_values(["customer_id", "day"], kind="stable", ignore_index=True)
    by = frame.groupby("customer_id", sort=False)
    frame["first"] = by["day"].transform("min")
    frame["before"] = by["day"].diff().dt.days
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
        The model of purchases is the one that tells best what came, as was known on that day.
    """
    until = pd.Timestamp(history.as_of)
    known = occasions[occasions["day"] <= until]
    later = known["next"].where(known["next"] <= until)
    gap = (later - known["day"]).dt.days
    last = known.groupby("customer_id", sort=True).tail(1)
    ended = gap.dropna()
    middle, upper, long, most = map(float, ended.quantile([0.5, 0.75, 0.9, 0.95])) if len(ended) else (float("nan"),) * 4
    reach = max(most, 3 * middle)
    timing, expected, choice = _expected(history, until)
    counted = timing.gap(known["day"], later)
    again = rebuys[(rebuys["day"] <= until) & (rebuys["next"] <= until)]
    wait = timing.gap(again["day"], again["next"]).groupby(again["product_id"])
    usual = wait.median()[wait.size() >= FEWEST_REBUYS]
    return Learnt(
        until=until,
        timing=timing,
        second=float(counted[known["number"] == 1].median()),
        lapse=float(counted.quantile(0.9)),
        reach=reach,
        bands=(middle, upper, long, reach),
        spend=float(last["total"].quantile(0.9)),
        expected=expected,
        choice=choice,
        rebuys=usual,
    )


def _expected(
    history: History, until: pd.Timestamp
) -> tuple[Timing, Callable[[pd.DataFrame, float], Any] | None, Choice | None]:
    """How time is counted, when a model of purchases expects the next one after each, in days, and which model that is."""
    try:
        base = base_of(history)
        if base.words is ROUNDS:
            return Timing(until=until), None, None
        choice = chosen(base)
        model = choice.fit(base)
    except (DataError, ModelError, ConvergenceError):
        return Timing(until=until), None, None
    # A clock may count without a season: by days that are declared closed.
    timing = Timing(until=until, clock=None if model.clock is None or model.clock.flat else model.clock)

    def days(frame: pd.DataFrame, q: float) -> Any:
        age = (frame["day"] - frame["first"]).dt.days / WEEK
        then = pd.DataFrame({"frequency": frame["number"] - 1, "recency": age, "T": age})
        # As it stood on the day of that purchase, and in the season that followed it.
        return WEEK * model.next_purchase(then, q, since=timing.since(frame["day"])).to_numpy()

    return timing, days, choice


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
    usual = learnt.timing.gap(some["first"], some["day"]) / (some["number"] - 1)
    return _after(some, learnt.timing.wait(some["day"], 2 * usual.to_numpy(float)))


def _reactivated(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    before = frame["day"] - pd.to_timedelta(frame["before"], unit="D")
    some = frame[learnt.timing.gap(before, frame["day"]) > learnt.lapse]
    return some.assign(at=some["day"])


def _second(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    some = frame[frame["number"] == 1]
    return _after(some, learnt.timing.wait(some["day"], learnt.second))


def _threshold(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    passed = (frame["total"] >= learnt.spend) & (frame["total"] - frame["spend"] < learnt.spend)
    some = frame[frame["number"].isin(COUNTS) | passed]
    return some.assign(at=some["day"])


def _anniversary(frame: pd.DataFrame, _: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    # The last purchase before each anniversary of the first: so long ahead of it there is time to write.
    out = []
    for years in range(1, 40):
        at = frame["first"] + pd.to_timedelta(YEAR * years - AHEAD, unit="D")
        held = (frame["day"] <= at) & (frame["next"].isna() | (frame["next"] > at))
        if not (at <= learnt.until + pd.Timedelta(days=400)).any():
            break
        out.append(frame.assign(at=at)[held])
    return pd.concat(out) if out else frame.iloc[:0].assign(at=frame["day"].iloc[:0])


def _product(_: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, q: float) -> pd.DataFrame:  # noqa: ARG001
    # Only who has bought it again before is taken to use it up.
    counts = rebuys.groupby(["customer_id", "product_id"], sort=False).cumcount()
    some = rebuys[(counts >= 1) & rebuys["product_id"].isin(learnt.rebuys.index)]
    return _after(some, learnt.timing.wait(some["day"], some["product_id"].map(learnt.rebuys).to_numpy(float)))


TRIGGERS = (
    Trigger(
        name="overdue",
        label="Past the expected day",
        rule=lambda learnt, q, words, form: (
            f"no {words.deed} by the day by which one was {form.share(q)} likely ({learnt.model}, after the last {words.deed}"
            f"{', in the season that followed it' if learnt.seasonal else ''})"
        ),
        buys=False,
        ends=True,
        find=_overdue,
    ),
    Trigger(
        name="slowing",
        label="Twice their usual gap",
        rule=lambda learnt, q, words, form: f"silent for twice their own usual gap, after three {words.deeds} or more",
        buys=False,
        ends=True,
        find=_slowing,
    ),
    Trigger(
        name="second",
        label="Second {deed} due",
        rule=lambda learnt, q, words, form: (
            f"{form.count(learnt.second)} days after the first {words.deed}, the usual time to a second one, with none yet"
        ),
        buys=True,
        ends=True,
        find=_second,
    ),
    Trigger(
        name="reactivated",
        label="Just come back",
        rule=lambda learnt, q, words, form: (
            f"a {words.deed} after a gap of more than {form.count(learnt.lapse)} days, longer than nine in ten gaps"
        ),
        buys=True,
        ends=False,
        find=_reactivated,
    ),
    Trigger(
        name="threshold",
        label="Milestone passed",
        rule=lambda learnt, q, words, form: (
            f"{', '.join(f'{count}th' for count in COUNTS[:-1])} or {COUNTS[-1]}th {words.deed}, or {form.money(learnt.spend)} "
            f"{words.fill('{paid}')} in all (one in ten has passed that)"
        ),
        buys=True,
        ends=False,
        find=_threshold,
    ),
    Trigger(
        name="anniversary",
        label="Anniversary ahead",
        rule=lambda learnt, q, words, form: f"a week before the anniversary of the first {words.deed}",
        buys=True,
        ends=False,
        find=_anniversary,
        lasts=AHEAD,
    ),
    Trigger(
        name="product",
        label="Product due again",
        rule=lambda learnt, q, words, form: "a product that they have bought more than once, after its usual gap",
        buys=True,
        ends=True,
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
