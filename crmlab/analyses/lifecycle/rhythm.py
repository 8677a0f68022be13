"""How long is too long? Thresholds from the gaps between occasions, and every occasion with the days on which they run out.

A gap is the number of days from one purchase occasion of a customer to the next. Thresholds are quantiles of the gaps: of
the whole base, in days; and, where a customer has enough occasions, multiples of the mean of the customer's own gaps. Where
forecasts follow a season, days are counted by it (:class:`~crmlab.analyses.lifecycle.pace.Pace`): two months without a purchase say
more in the busy season than in the quiet one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.lifecycle.pace import EPOCH, Pace
from crmlab.analyses.lifecycle.params import QUANTILES
from crmlab.collecting import collect_arrow
from crmlab.errors import ParameterError, TooLittleError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import as_orders, between, history, to_date
from crmlab.history.past import History
from crmlab.history.words import WEEKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis
    import numpy.typing as npt

__all__ = ["Thresholds", "known", "occasions", "thresholds", "to_day"]


OWN_FROM = 6  # occasions: five gaps are the least that a mean can be taken for a rhythm
SHORTEST_RHYTHM = 7.0  # days; who buys on three days in a row is not lost after ten days of silence
LEAST_GAPS = 20  # for quantiles of the base
LEAST_OWN = 100  # gaps of customers with a rhythm of their own


@dataclass(frozen=True)
class Thresholds:
    """After how many days of silence a customer is slowing, has lapsed, is lost.

    Parameters
    ----------
    slowing, lapsed, lost : int
        Days since the last occasion, for the whole base; passed on the day after. Increasing.
    multiples : tuple of three floats, optional
        The same in multiples of the mean of a customer's own gaps, for customers with a rhythm of their own. Increasing.
    own_from : int
        Occasions from which a customer has a rhythm of their own.
    quantiles : tuple of three floats, optional
        Of the gaps, where the thresholds come from them.
    gaps, own_gaps : int
        How many gaps they are quantiles of.
    pace : Pace, optional
        How days are counted, thresholds and gaps alike; one by one unless given.

    Raises
    ------
    ParameterError
        They do not increase.

    Examples
    --------
    >>> Thresholds(30, 60, 120).of(mean_gap=10, occasions=9)
    (30, 60, 120)
    >>> Thresholds(30, 60, 120, multiples=(1.5, 2.5, 4.0)).of(mean_gap=10, occasions=9)
    (15, 25, 40)
    """

    slowing: int
    lapsed: int
    lost: int
    multiples: tuple[float, float, float] | None = None
    own_from: int = OWN_FROM
    quantiles: tuple[float, float, float] | None = None
    gaps: int = 0
    own_gaps: int = 0
    pace: Pace | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        days = self.days
        if not all(isinstance(day, int) and not isinstance(day, bool) for day in days) or not 0 < days[0] < days[1] < days[2]:
            raise ParameterError.expected("lifecycle", "thresholds", "whole days that increase, slowing < lapsed < lost", days)
        if self.multiples is not None and not 0 < self.multiples[0] < self.multiples[1] < self.multiples[2]:
            raise ParameterError.expected("lifecycle", "multiples", "numbers above 0 that increase", self.multiples)
        if self.own_from < 3:
            raise ParameterError.expected("lifecycle", "own_from", "a whole number of at least 3", self.own_from)

    @property
    def days(self) -> tuple[int, int, int]:
        """The three thresholds of the base."""
        return self.slowing, self.lapsed, self.lost

    def since(self, day: dt.date) -> tuple[dt.date, dt.date, dt.date]:
        """Last days on which a customer of the base who bought on a day, and not again, is not slowing, lapsed, lost."""
        first, second, third = (day + dt.timedelta(days=n) if self.pace is None else self.pace.after(day, n) for n in self.days)
        return first, second, third

    def on(self, day: dt.date) -> tuple[int, int, int]:
        """The three thresholds of the base in days of the calendar, for silence that lasts up to a day."""
        if self.pace is None:
            return self.days
        # The longest silence that does not pass the threshold begins the day after the shortest that does.
        first, second, third = ((day - self.pace.before(day, n + 1)).days - 1 for n in self.days)
        return max(first, 1), max(second, first + 1, 2), max(third, second + 1, 3)

    def of(self, mean_gap: float, occasions: int) -> tuple[int, int, int]:
        """The three thresholds of one customer, in whole days."""
        first, second, third = self.of_many(np.array([mean_gap]), np.array([occasions]))[:, 0].tolist()
        return first, second, third

    def of_many(self, mean_gap: npt.NDArray[np.float64], occasions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The three thresholds of each customer, in whole days, of shape (3, n)."""
        base = np.array(self.days)[:, None] * np.ones(len(occasions), dtype=np.int64)
        if self.multiples is None:
            return base
        first, second, third = np.floor(np.array(self.multiples)[:, None] * np.maximum(mean_gap, SHORTEST_RHYTHM)).astype(
            np.int64
        )
        second = np.maximum(second, first + 1)
        mine = np.stack([first, second, np.maximum(third, second + 1)])
        out: npt.NDArray[np.int64] = np.where(occasions >= self.own_from, mine, base)
        return out


def known(orders: Any, as_of: str | dt.date | None) -> tuple[ibis.Table, dt.date]:
    """Orders up to a day, and the day, checked.

    A history knows its days: the engine is not asked for them again, and its last day may be one without orders.

    Parameters
    ----------
    orders : table or History
    as_of : date or ISO date, optional
        Last day, inclusive; default: the day of the last order, or that of the history.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    """
    if not isinstance(orders, History):
        table = as_orders(orders)
        first, end = history(table, as_of)
        return between(table, first, end), end
    end = orders.as_of if as_of is None else to_date(as_of, "as_of")
    if not orders.first <= end <= orders.as_of:
        raise ParameterError.as_of_outside(end, orders.first, orders.as_of, "before" if end < orders.first else "after")
    return between(as_orders(orders.orders), None, end), end


def thresholds(
    orders: Any,
    as_of: str | dt.date | None = None,
    quantiles: Sequence[float] = QUANTILES,
    own_from: int | None = OWN_FROM,
    pace: Pace | None = None,
) -> Thresholds:
    """Take the thresholds from the gaps between occasions.

    Parameters
    ----------
    orders : table or History
        Canonical orders; see :func:`crmlab.history.orders.as_orders`.
    as_of : date or ISO date, optional
        Last day of history, inclusive; default: the day of the last order.
    quantiles : three floats
        Of the gaps, for slowing, lapsed and lost; increasing, between 0 and 1. With 0.9, one gap in ten was longer.
    own_from : int, optional
        Occasions from which a customer has a rhythm of their own; None: nobody has. Their multiples are the same quantiles of
        each gap divided by the mean of the gaps before it, so that they hold for gaps still to come. They are left out where
        there are fewer than 100 such gaps.
    pace : Pace, optional
        How days are counted; one by one unless given.

    Returns
    -------
    Thresholds

    Raises
    ------
    ParameterError
        The quantiles do not increase, or ``own_from`` is under 3.
    DataError
        There are fewer than 20 gaps: too few customers came again.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=41, freq="10D")
    >>> found = thresholds(pd.DataFrame({"customer_id": "a", "ordered_at": days, "amount": 5.0}))
    >>> found.days, found.gaps, found.multiples is None
    ((10, 11, 12), 40, True)
    """
    import ibis

    values = tuple(float(value) for value in quantiles)
    if len(values) != 3 or not 0 < values[0] < values[1] < values[2] < 1:
        raise ParameterError.expected("lifecycle", "quantiles", "three numbers between 0 and 1 that increase", tuple(quantiles))
    if own_from is not None and own_from < 3:
        raise ParameterError.expected("lifecycle", "own_from", "a whole number of at least 3", own_from)
    rows = _numbered(known(orders, as_of)[0], pace)
    rows = rows.filter(rows["number"] > 1)
    gap = rows["ran"] - rows["ran_before"]
    own = own_from if own_from is not None else 2**31
    # The mean of the gaps before this one; a number of customers share a ratio once it is rounded to hundredths.
    mean = ibis.greatest(
        (rows["ran_before"] - rows["ran_first"]).cast("float64") / (rows["number"] - 2).nullif(0), SHORTEST_RHYTHM
    )
    ratio = ibis.ifelse(rows["number"] > own, (gap / mean).round(2), ibis.literal(None, type="float64"))
    waits = rows.select(gap=gap, ratio=ratio).group_by("gap", "ratio").agg(count=lambda t: t.count())
    found = collect_arrow(waits, ("gap", "ratio"))
    gaps, ratios, counts = (found[name].to_numpy() for name in ("gap", "ratio", "count"))
    total = int(counts.sum())
    if total < LEAST_GAPS:
        needed = f"at least {LEAST_GAPS} gaps between purchases of one customer, or thresholds set in days"
        words = orders.words if isinstance(orders, History) else WEEKS
        raise TooLittleError.needs("lifecycle", words.told(needed), f"{total} gap{'' if total == 1 else 's'}")
    slowing, lapsed, lost = (int(value) for value in _quantiles(gaps.astype(float), counts, values))
    # Where gaps are all alike, quantiles fall on one day: a day apart keeps the states apart.
    slowing = max(slowing, 1)
    lapsed = max(lapsed, slowing + 1)
    days = slowing, lapsed, max(lost, lapsed + 1)
    rated = ~np.isnan(ratios.astype(float))
    seen = int(counts[rated].sum())
    multiples = None
    if seen >= LEAST_OWN:
        a, b, c = _quantiles(ratios[rated].astype(float), counts[rated], values)
        multiples = (a, b, c) if 0 < a < b < c else None
    return Thresholds(
        *days,
        multiples=multiples,
        own_from=own_from or OWN_FROM,
        quantiles=(values[0], values[1], values[2]),
        gaps=total,
        own_gaps=seen,
        pace=pace,
    )


def _quantiles(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], shares: tuple[float, ...]
) -> tuple[float, float, float]:
    """The least value that at least a share of all reaches."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(counts[order])
    places = [int(np.searchsorted(cumulative, share * cumulative[-1] - 1e-9)) for share in shares]
    first, second, third = (round(float(values[order][place]), 2) for place in places)
    return first, second, third


def occasions(orders: ibis.Table, limits: Thresholds) -> ibis.Table:
    """Every purchase occasion, what it made of the customer, and the days on which silence after it runs out.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders up to the last day, as of :func:`known`.
    limits : Thresholds

    Returns
    -------
    ibis.Table
        One row per customer and occasion, in no particular order. Days are numbered from 1 January 1970.

        - customer_id, day, spend, number (1 for the first occasion), first (day of the first occasion)
        - total : what the customer's occasions add up to so far
        - following : day of the next occasion; null where there is none
        - own : whether the customer has a rhythm of their own by then
        - kind : ``new`` (the first), ``reactivated`` (had lapsed the day before) or ``active``
        - started : whether a spell of this kind begins: the customer was in another state the day before
        - slowing, lapsed, lost : last day before the customer is, without another occasion
    """
    import ibis

    rows = _numbered(orders, limits.pace)
    own, *waits = _limits(rows["ran"] - rows["ran_first"], rows["number"], limits)
    rows = _until(rows.mutate(own=own), waits, limits.pace)
    # What was known of the customer before this occasion, and before the one before: nothing later decides a state.
    by = ibis.window(group_by="customer_id", order_by="day")
    rows = rows.mutate(slow_before=rows["slowing"].lag(1).over(by), lapse_before=rows["lapsed"].lag(1).over(by))
    kind = ibis.cases((rows["number"] == 1, "new"), (rows["day"] > rows["lapse_before"] + 1, "reactivated"), else_="active")
    rows = rows.mutate(kind=kind)
    rows = rows.mutate(kind_before=rows["kind"].lag(1).over(by).fill_null("new"))
    goes_on = (rows["kind"] == "active") & (rows["kind_before"] == "active") & (rows["day"] <= rows["slow_before"] + 1)
    names = ["customer_id", "day", "spend", "number", "first", "following", "total", "own", "kind"]
    return rows.select(*names, "slowing", "lapsed", "lost", started=~goes_on.fill_null(False))


def to_day(number: Any) -> Any:
    """The date of a column of numbers of days."""
    import ibis

    return ibis.literal(EPOCH, type="date") + number.as_interval("D")


def _until(rows: ibis.Table, waits: Sequence[Any], pace: Pace | None) -> ibis.Table:
    """Add the last days on which a customer is not slowing, lapsed, lost, without another occasion."""
    import ibis

    names = ("slowing", "lapsed", "lost")
    if pace is None:
        return rows.mutate(**{name: rows["day"] + wait for name, wait in zip(names, waits, strict=True)})
    rows = rows.mutate(**{f"to_{name}": rows["ran"] + wait for name, wait in zip(names, waits, strict=True)})
    top, last = pace.top
    for name in names:
        ends = pace.ends("end")
        joined = rows.left_join(ends, rows[f"to_{name}"] == ends["ran_to"]).drop("ran_to")
        # Beyond the table each day counts as one.
        until = ibis.ifelse(joined[f"to_{name}"] > top, last + joined[f"to_{name}"] - top, joined["end"])
        rows = joined.mutate(**{name: until.cast("int64")}).drop("end", f"to_{name}")
    return rows


def _limits(span: Any, number: Any, limits: Thresholds) -> tuple[Any, Any, Any, Any]:
    """Whether a customer with so many occasions in so many days has a rhythm of their own, and the three thresholds."""
    import ibis

    base = [ibis.literal(day, type="int64") for day in limits.days]
    if limits.multiples is None:
        return (number < 0, *base)
    own = number >= limits.own_from
    mean = ibis.greatest(span.cast("float64") / (number - 1).nullif(0), SHORTEST_RHYTHM)
    slow, lapse, lose = ((mean * multiple).floor().cast("int64") for multiple in limits.multiples)
    lapse = ibis.greatest(lapse, slow + 1)
    lose = ibis.greatest(lose, lapse + 1)
    mine = (ibis.ifelse(own, value, given) for value, given in zip((slow, lapse, lose), base, strict=True))
    return (own, *mine)


def _numbered(orders: ibis.Table, pace: Pace | None) -> ibis.Table:
    """Occasions in the order of each customer, and what is counted (ran) up to each, the first and the one before."""
    import ibis

    days = occasion_days(orders)
    days = days.filter(days["is_occasion"])
    day = days["day"].delta(ibis.literal(EPOCH, type="date"), unit="day").cast("int64")
    rows = days.select("customer_id", "spend", day=day)
    if pace is None:
        rows = rows.mutate(ran=rows["day"])
    else:
        counted = pace.days()
        rows = rows.join(counted, rows["day"] == counted["ran_day"]).select("customer_id", "spend", "day", "ran")
    own = ibis.window(group_by="customer_id", order_by="day")
    so_far = ibis.cumulative_window(group_by="customer_id", order_by="day")
    return rows.mutate(
        number=(ibis.row_number().over(own) + 1).cast("int64"),
        first=rows["day"].min().over(so_far),
        following=rows["day"].lead(1).over(own),
        ran_first=rows["ran"].min().over(so_far),
        ran_before=rows["ran"].lag(1).over(own),
        total=rows["spend"].sum().over(so_far),
    )
