"""Which days an order history plausibly covers: what lies far from the bulk was mistyped, or stands for a day that nobody knew.

One order of the year 2202, or a field that is filled with 1900-01-01 or 9999-12-31, would stretch a history over centuries: everybody
would be lost, and every time series empty. The rule looks at the counts of orders by day and at nothing else, so that a page never depends
on the clock:

1. Gaps of more than ``ABSURD`` days without an order cut a history into ages. The one with the most orders is meant; what lies before
   it, and what lies after it, is implausible where it is fewer orders.
2. Gaps of more than ``LONG`` days cut that age into stretches. The one with the most orders is the bulk. From there outwards, what lies
   beyond a gap is implausible where

   - it is at most ``SHARE`` of all orders (one is always allowed) and fewer than ``MOST``;
   - the gap is over ``TIMES`` as long as the longest on this side, and over ``FADING`` times the pace at which orders grew rare there;
   - this side has at least ``LEAST`` days with orders: of fewer nothing is known that could be called usual.

3. Any other gap is real or a mistake, and only people know which: both sides stay, and the gap is asked about.

The pace: the last customers of a business that dies out come ever more rarely, and so do the first of one that begins, and their last gap
may well be of years. Where orders fade out exponentially, the j-th gap from the end is 1/j as long as the last in expectation. So the mean
of j times the j-th gap, over the ``PACED`` gaps before the one that is judged, estimates how long that one would be; it exceeds
``FADING`` = 15 times the estimate once in 10,000 such histories, (1 + 15/10) to the power of −10.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["ABSURD", "FADING", "LEAST", "LONG", "MOST", "PACED", "SHARE", "TIMES", "Gap", "Reach", "judged"]

LONG = 731  # days: two years, one of them a leap year
ABSURD = 7305  # days: 20 years
TIMES = 3
FADING, PACED = 15, 10
SHARE = 0.005
MOST = 100
LEAST = 20


@dataclass(frozen=True)
class Gap:
    """A time of more than two years without an order, and business on both sides of it.

    Attributes
    ----------
    after, before : datetime.date
        The last day with an order before it, and the first after it.
    beyond : int
        Orders on the side that is away from the bulk.
    late : bool
        Whether that side is the later one.
    """

    after: dt.date
    before: dt.date
    beyond: int
    late: bool

    @property
    def days(self) -> int:
        """Days from the order before it to the order after it."""
        return (self.before - self.after).days


@dataclass(frozen=True)
class Reach:
    """The days that a history covers.

    Attributes
    ----------
    first, last : datetime.date
        The first and the last plausible day with an order.
    earliest, latest : datetime.date
        Those of all orders.
    orders : int
        How many orders were looked at; 0 where nothing had to be judged.
    before, after : int
        How many lie before the first plausible day, and after the last.
    gaps : tuple of Gap
        What is asked about.
    """

    first: dt.date
    last: dt.date
    earliest: dt.date
    latest: dt.date
    orders: int = 0
    before: int = 0
    after: int = 0
    gaps: tuple[Gap, ...] = ()


def judged(counts: Sequence[tuple[dt.date, int]], *, first_given: bool = False, last_given: bool = False) -> Reach:
    """Say which days of a history are plausible, by the rule of this module.

    Parameters
    ----------
    counts : sequence of (datetime.date, int)
        Days with orders, in order, and how many; at least one.
    first_given, last_given : bool
        Whether the data set names its first or its last day: then nothing is judged at that end.

    Returns
    -------
    Reach

    Examples
    --------
    >>> days = [(dt.date(2024, 1, 1) + dt.timedelta(days=i), 2) for i in range(50)]
    >>> found = judged([*days, (dt.date(2202, 1, 1), 1)])
    >>> found.last.isoformat(), found.latest.isoformat(), found.after
    ('2024-02-19', '2202-01-01', 1)
    """
    days = [day for day, _ in counts]
    sizes = [number for _, number in counts]
    steps = [(later - day).days for day, later in pairwise(days)]
    begin, end = _largest(sizes, steps, ABSURD, 0, len(days))
    age = sum(sizes[begin:end])
    begin = 0 if first_given or sum(sizes[:begin]) >= age else begin
    end = len(days) if last_given or sum(sizes[end:]) >= age else end
    low, high = bulk = _largest(sizes, steps, LONG, begin, end)
    gaps: list[Gap] = []
    while high < end:
        beyond = sum(sizes[high:end])
        if not last_given and _implausible(steps[high - 1], steps[low : high - 1][::-1], beyond, sum(sizes)):
            break
        gaps.append(Gap(days[high - 1], days[high], beyond, late=True))
        high = next((i + 1 for i in range(high, end - 1) if steps[i] > LONG), end)
    while low > begin:
        beyond = sum(sizes[begin:low])
        if not first_given and _implausible(steps[low - 1], steps[low : bulk[1] - 1], beyond, sum(sizes)):
            break
        gaps.append(Gap(days[low - 1], days[low], beyond, late=False))
        low = next((i for i in range(low - 1, begin, -1) if steps[i - 1] > LONG), begin)
    asked = [gap for gap in gaps if not (last_given if gap.late else first_given)]
    asked.sort(key=lambda gap: gap.after)
    return Reach(days[low], days[high - 1], days[0], days[-1], sum(sizes), sum(sizes[:low]), sum(sizes[high:]), tuple(asked))


def _largest(sizes: Sequence[int], steps: Sequence[int], gap: int, begin: int, end: int) -> tuple[int, int]:
    """Cut days at the steps that are longer than a gap: the part with the most orders, of equal ones the later."""
    cuts = [begin, *(i + 1 for i in range(begin, end - 1) if steps[i] > gap), end]
    return max(pairwise(cuts), key=lambda ends: (sum(sizes[ends[0] : ends[1]]), ends[0]))


def _implausible(gap: int, before: Sequence[int], beyond: int, total: int) -> bool:
    """Whether what lies beyond a gap belongs to no history. ``before``: the steps on this side, from the gap on inwards."""
    if beyond > max(1, int(SHARE * total)) or beyond >= MOST or len(before) < LEAST - 1:
        return False
    pace = sum(j * step for j, step in enumerate(before[:PACED], 2)) / PACED
    return gap > TIMES * max(before) and gap > FADING * pace
