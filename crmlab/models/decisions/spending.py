"""How much to spend where response diminishes: the best spend on one, a budget spread over segments, and what contacts a week bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_frame, checked_number, checked_row
from crmlab.models.intervals import FloatArray

__all__ = ["PRESSURE", "Spread", "best_spend", "pressure", "pressure_of_next", "spread"]

PRESSURE = (0.0, 0.10, 0.17, 0.19, 0.20, 0.205)  # demand at 0 to 5 mails a week, as a share of the most (Hillstrom 2018)


def best_spend(c: npt.ArrayLike, k: npt.ArrayLike, V: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the spend on one customer that brings most, where response has diminishing returns, and what it brings.

    Maximises p(s) V - s with p(s) = c (1 - exp(-k s)): s* = ln(c k V) / k, or 0 where already the first unit costs more than it brings.

    Parameters
    ----------
    c : array of any shape
        Share who respond however much is spent, from 0 to 1.
    k : array of that shape
        How fast response comes with spend: per unit of money, above 0.
    V : array of that shape
        What a response is worth, in money.

    Returns
    -------
    (spend, profit)
        Arrays of the common shape.

    Raises
    ------
    ModelError
        A number is outside of its range.

    References
    ----------
    Blattberg and Deighton (1996), Manage marketing by the customer equity test, Harvard Business Review 74(4), whose response curve it is.

    Examples
    --------
    >>> spend, profit = best_spend(0.4, 0.05, 200)
    >>> round(float(spend), 4), round(float(profit), 4)
    (27.7259, 32.2741)
    """
    share, speed, worth = _response("best_spend", c, k, V)
    # What the first unit brings; below 1, nothing is spent.
    first = np.maximum(share * speed * worth, 1.0)
    spend = np.log(first) / speed
    return spend, -share * worth * np.expm1(-speed * spend) - spend


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """A budget spread over segments.

    Attributes
    ----------
    segments : DataFrame
        Indexed as those given: spend (on each head), total, profit (of the whole segment, net of spend), next (what the next unit of
        money would bring there beyond itself).
    price : float
        What the next unit of the budget would bring beyond itself; 0 where the budget is more than is worth spending.
    """

    segments: pd.DataFrame
    price: float


def spread(budget: float, segments: pd.DataFrame) -> Spread:
    """Spread a budget over segments so that the next unit of money brings the same in all on which anything is spent.

    Parameters
    ----------
    budget : float
        Money, at least 0. What would bring less than itself is not spent.
    segments : DataFrame
        ``c``, ``k`` and ``V`` as of :func:`best_spend`, and ``size``: heads, above 0.

    Returns
    -------
    Spread

    Raises
    ------
    ModelError
        A column is missing, or a number is outside of its range.

    References
    ----------
    Boyd and Vandenberghe (2004), Convex Optimization, example 5.2 (water-filling).

    Examples
    --------
    >>> segments = pd.DataFrame({"c": [0.4, 0.2], "k": 0.05, "V": 200.0, "size": [10, 10]}, index=["A", "B"])
    >>> found = spread(300, segments)
    >>> found.segments["spend"].round(3).to_dict(), round(found.price, 3)
    ({'A': 21.931, 'B': 8.069}, 0.336)
    """
    amount = checked_number("spread", "budget", budget, "of at least 0")
    if not 0 <= amount < np.inf:
        raise ModelError.expected("spread", "budget", "a number of at least 0", budget)
    segments = checked_frame("spread", segments, ("c", "k", "V", "size"), "one row per segment")
    share, speed, worth = _response("spread", *(segments[name].to_numpy() for name in ("c", "k", "V")))
    size = checked_amounts("spread", "size", segments["size"].to_numpy())
    if not len(size) or not (size > 0).all():
        raise ModelError.expected("spread", "size", "above 0 for each of at least one segment", size.tolist())
    first = share * speed * worth
    # The margin falls as more is spent: at each segment's first one, what is spent by then; the budget's lies between two of them.
    order = np.argsort(-first, kind="stable")
    active = order[first[order] > 1]
    margin = 1.0
    if amount < float((size * best_spend(share, speed, worth)[0]).sum()):
        weight = np.cumsum((size / speed)[active])
        logs = np.cumsum((size / speed * np.log(np.maximum(first, 1.0)))[active])
        margins = np.exp((logs - amount) / weight)  # if the first so many had anything
        following = np.r_[first[active[1:]], 0.0]
        margin = float(margins[np.argmax(margins >= following)])
    spend = np.log(np.maximum(first / margin, 1.0)) / speed
    profit = size * (-share * worth * np.expm1(-speed * spend) - spend)
    table = pd.DataFrame(
        {"spend": spend, "total": size * spend, "profit": profit, "next": first * np.exp(-speed * spend) - 1},
        index=segments.index,
    )
    return Spread(segments=table, price=margin - 1)


def pressure(
    contacts_a_week: npt.ArrayLike, curve: Sequence[float] = PRESSURE, at: Sequence[float] | None = None
) -> FloatArray:
    """Return demand from contacts at so many of them a week, as a share of all demand where contacts bring most.

    Parameters
    ----------
    contacts_a_week : array of any shape
        At least 0; between the points of the curve, the line between them.
    curve : sequence of float
        Demand at 0, 1, 2, … contacts a week; by default that published for e-mail. One measured by own cells may rise unevenly by chance:
        steps that grow are averaged with those before them, so that returns diminish. Beyond its end demand stays as it is there: more
        was not seen.
    at : sequence of float, optional
        Contacts a week of each point of the curve, from 0 on and rising; default: 0, 1, 2, …

    Returns
    -------
    array of that shape

    Raises
    ------
    ModelError
        A number of contacts is below 0, the curve has fewer than two points, or they do not rise from 0.

    References
    ----------
    Hillstrom (2018), MineThatData, on e-mail frequency (the default curve). Ayer et al. (1955), An empirical distribution function for
    sampling with incomplete information, Annals of Mathematical Statistics 26 (averaged steps).

    Examples
    --------
    >>> pressure([0, 1, 1.5, 5, 9]).round(3).tolist()
    [0.0, 0.1, 0.135, 0.205, 0.205]
    >>> pressure([0.25, 1], curve=[0.0, 0.08, 0.1], at=[0.0, 0.5, 1.5]).round(3).tolist()
    [0.04, 0.09]
    """
    contacts = checked_amounts("pressure", "contacts_a_week", contacts_a_week)
    if (contacts < 0).any():
        raise ModelError.expected("pressure", "contacts_a_week", "at least 0", float(contacts.min()))
    levels = checked_row("pressure", "curve", curve)
    if len(levels) < 2 or not np.isfinite(levels).all():
        raise ModelError.expected("pressure", "curve", "finite demand at 0, 1 and perhaps more contacts", levels.tolist())
    places = np.arange(len(levels), dtype=float) if at is None else checked_row("pressure", "at", at)
    if places.shape != levels.shape or not (len(places) and places[0] == 0 and (np.diff(places) > 0).all()):
        raise ModelError.expected("pressure", "at", "contacts a week that rise from 0, one for each point of the curve", at)
    return np.asarray(np.interp(contacts, places, _concave(levels, places)))


def pressure_of_next(
    contacts_a_week: npt.ArrayLike, curve: Sequence[float] = PRESSURE, at: Sequence[float] | None = None, *, more: float = 1.0
) -> FloatArray:
    """Return what some more contacts a week would add to demand, in the unit of the curve.

    Parameters
    ----------
    contacts_a_week : array of any shape
    curve, at : sequences of float
        As of :func:`pressure`.
    more : float
        How many more a week; one more in four weeks is a quarter.

    Raises
    ------
    ModelError
        As of :func:`pressure`.

    Examples
    --------
    >>> pressure_of_next([0, 1, 2, 3, 4, 5]).round(3).tolist()
    [0.1, 0.07, 0.02, 0.01, 0.005, 0.0]
    """
    contacts = checked_amounts("pressure", "contacts_a_week", contacts_a_week)
    return pressure(contacts + more, curve, at) - pressure(contacts, curve, at)


def _concave(curve: FloatArray, at: FloatArray) -> FloatArray:
    """A curve whose slope does not grow: slopes that do are averaged with those before them."""
    blocks: list[tuple[float, float, int]] = []  # slope, width, steps
    for rise, width in zip(np.diff(curve), np.diff(at), strict=True):
        slope, wide, count = float(rise / width), float(width), 1
        while blocks and blocks[-1][0] < slope:
            before, more, many = blocks.pop()
            slope, wide, count = (slope * wide + before * more) / (wide + more), wide + more, count + many
        blocks.append((slope, wide, count))
    slopes = np.concatenate([np.full(count, slope) for slope, _, count in blocks])
    return np.r_[curve[0], curve[0] + np.cumsum(slopes * np.diff(at))]


def _response(model: str, c: npt.ArrayLike, k: npt.ArrayLike, V: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    share, speed, worth = (checked_amounts(model, name, value) for name, value in (("c", c), ("k", k), ("V", V)))
    for name, values, fine, expectation in (
        ("c", share, (share >= 0) & (share <= 1), "shares from 0 to 1"),
        ("k", speed, speed > 0, "above 0"),
        ("V", worth, worth >= 0, "at least 0"),
    ):
        if not fine.all():
            raise ModelError.expected(model, name, expectation, values[~fine].ravel()[0])
    try:
        share, speed, worth = np.broadcast_arrays(share, speed, worth)
    except ValueError:
        shapes = f"shapes {share.shape}, {speed.shape} and {worth.shape}"
        raise ModelError.expected(model, "c, k and V", "of one shape", shapes) from None
    return share, speed, worth
