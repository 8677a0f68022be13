"""How many repeat purchases a model expects of a whole cohort in each period: what is held against what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.frames import is_table
from crmlab.models.btyd.posterior import FEW, of_few, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import checked_weight, framed
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.models.btyd.clock import Clock

__all__ = ["checked_times", "track"]


_SIMULATED = 6000


def track(
    model: BuyTillYouDie,
    starts: Any,
    weight: npt.ArrayLike | None,
    ends: npt.ArrayLike,
    *,
    level: float = LEVEL,
    today: float | None = None,
) -> pd.DataFrame:
    """Expected repeat purchases of a cohort by period, from nothing but when its customers came.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
        Fitted, or made by ``from_params``.
    starts : array of shape (n_starts,), or table
        Times of first purchases, in the time unit of the model; in whole periods for BG/BB. Of a table of customers, as a model is fitted
        to, they are as long before ``today`` as each one's age says.
    weight : array of shape (n_starts,), optional
        Customers who came then: one each, or of a table those of its column weight, unless given.
    ends : array of shape (n_periods,)
        Ends of the periods, increasing, on the clock of ``starts``; the first period begins before all.
    level : float
        Of the intervals, which carry the parameters' uncertainty and chance, and of what comes after ``today`` that of the model's
        clock: of a period over that period alone, of a running sum over all that is ahead.
    today : float
        Where the history of a model with a clock ends, on the clock of ``starts``, and where ages are counted back from. Of a table the
        oldest customer's age, unless given: time is then counted from that customer's first purchase.

    Returns
    -------
    DataFrame
        One row per period: end, expected, low, high (within the period), cumulative, cumulative_low, cumulative_high.

    Raises
    ------
    ModelError
        Lengths differ, ``ends`` do not increase, or times are given as dates.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, section 4: expected cumulative repeat transactions.

    Examples
    --------
    >>> from crmlab.models.btyd.bg_nbd import BGNBD
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> track(model, [0.0, 1.0], [100, 50], [13.0, 26.0, 39.0]).round(1)[["expected", "cumulative"]]
       expected  cumulative
    0      78.5        78.5
    1      55.6       134.1
    2      44.3       178.5
    """
    if is_table(starts):
        starts, weight, today = _begun(model, starts, weight, today)
    now = 0.0 if today is None else float(today)
    came, until = checked_times("track", "starts", starts), checked_times("track", "ends", ends)
    count = np.ones(came.shape) if weight is None else np.asarray(weight, dtype=float)
    if came.shape != count.shape or came.ndim != 1 or not len(came):
        raise ModelError.needs("track", "starts and weight of one length", f"{came.shape} and {count.shape}")
    share = checked_level("track", level)
    asked, clock = until, model.clock
    if clock is not None:
        came, until = came - now, until - now
    # And today: what was bought until then is known of a clock.
    each = model.newcomers_by(came, until if clock is None else np.append(until, 0.0))

    def cumulative(params: Array) -> Array:
        return each(params) @ count

    def both(params: Array) -> Array:
        total = cumulative(params)[: len(until)]
        # Where nothing more is expected, rounding may take a little off.
        return np.concatenate([np.maximum(np.diff(total, prepend=0.0), 0.0), total])

    with np.errstate(all="ignore"):
        point = both(model.parameters())
        if model.has_posterior:
            mean, spread, skew = model.log_cumulants(both)
        else:
            mean, spread, skew = np.log(np.maximum(point, 1e-300)), np.zeros(len(point)), np.zeros(len(point))
        chance = _chance(model, came, count, until)
        if clock is not None:
            known = float(cumulative(model.parameters())[-1])
            spread = spread + _of_the_clock(clock, asked - now, point[len(until) :], known)
            chance = chance + clock.more_than_chance(point)
        ends = np.exp(quantiles((mean, spread + chance / np.maximum(point, 1e-150) ** 2, skew), share))
    k, few = len(until), point < FEW
    ends[:, few] = of_few(point[few], chance[few] + spread[few] * point[few] ** 2, share)
    low = np.where(point > 0, np.minimum(ends[0], point), 0.0)
    # At most one purchase a period, where the model counts periods.
    spans = np.maximum(until[:, None] - came, 0.0) @ count
    most = np.concatenate([np.diff(spans, prepend=0.0), spans]) if model.whole_periods else np.inf
    high = np.where(point > 0, np.maximum(np.minimum(ends[1], most), point), 0.0)
    return pd.DataFrame(
        {
            "end": asked,
            "expected": point[:k], "low": low[:k], "high": high[:k],
            "cumulative": point[k:], "cumulative_low": low[k:], "cumulative_high": high[k:],
        }
    )  # fmt: skip


def checked_times(who: str, name: str, given: Any) -> Array:
    """Times on the clock of a model as floats, or a table of customers as it is; dates are refused, whose numbers would be nanoseconds.

    Parameters
    ----------
    who : str
        Who asks, as the message says it.
    name : {"starts", "ends", "times"}
        Ends of periods must increase.
    given : array of shape (n,), or table

    Raises
    ------
    ModelError
        They are dates or no numbers, or ends that do not increase.

    Examples
    --------
    >>> checked_times("track", "ends", [13, 26])
    array([13., 26.])
    >>> checked_times("track", "ends", 26)
    Traceback (most recent call last):
    crmlab.errors.models.ModelError: track: 'ends' must be a row of numbers that increase, such as [13, 26, 39]. Got 26 instead.
    """
    if name == "starts" and is_table(given):
        return given
    values = np.asarray(given)
    try:
        found = None if values.dtype.kind in "mM" else values.astype(float)
    except (TypeError, ValueError):
        found = None
    if found is None:
        hint = "A table of customers serves as starts, and crmlab.history.repeat_times(orders, unit='week') gives the times."
        expected = "numbers, in the model's unit of time since the first purchase of all, such as 26 for 26 weeks"
        raise ModelError.must_be(f"{who}: '{name}'", expected, str(values.ravel()[0]) if values.size else given, hint)
    if name == "ends" and not (found.ndim == 1 and len(found) and np.isfinite(found).all() and (np.diff(found) > 0).all()):
        raise ModelError.expected(who, name, "a row of numbers that increase, such as [13, 26, 39]", given)
    return found


def _begun(
    model: BuyTillYouDie, customers: Any, weight: npt.ArrayLike | None, today: float | None
) -> tuple[Array, npt.ArrayLike | None, float]:
    """When the customers of a table came, how many each row stands for, and the time today."""
    frame = framed("track", customers)
    age = model.checked_columns(frame)[0][2]
    now = float(age.max()) if today is None else float(today)
    return now - age, checked_weight("track", frame) if weight is None else weight, now


def _of_the_clock(clock: Clock, ends: Array, total: Array, known: float) -> Array:
    """Variance of the log of each period, and of each running sum, by the clock: of what comes after today alone.

    ``ends``: of the periods, from today; ``total``: the running sum at each, and ``known``: today.
    """
    begins = np.concatenate([[-np.inf], ends[:-1]])
    before = np.concatenate([[0.0], total[:-1]])
    period, whole = np.zeros(len(ends)), np.zeros(len(ends))
    for k in np.flatnonzero(ends > 0).tolist():
        start = max(float(begins[k]), 0.0)
        ahead = total[k] - max(before[k], known) if start == 0 else total[k] - before[k]
        period[k] = clock.variance(float(ends[k]), start) * (ahead / max(total[k] - before[k], 1e-150)) ** 2
        whole[k] = clock.variance(float(ends[k])) * ((total[k] - known) / max(total[k], 1e-150)) ** 2
    return np.concatenate([period, whole])


def _chance(model: BuyTillYouDie, came: Array, count: Array, until: Array) -> Array:
    """Variance of the numbers of all periods, and of their running sums, at known parameters, from simulated customers."""
    rng = np.random.default_rng(model.seed)
    params = model.parameters()
    m = _SIMULATED
    # As many of each start as the cohort has, to the nearest: no noise from who came when.
    order = np.searchsorted(np.cumsum(count) / count.sum(), (np.arange(m) + 0.5) / m)
    begin = came[np.minimum(order, len(came) - 1)]
    states = model.new_customers(begin)
    new = states, model.chance_alive(params, states)
    if model.clock is not None:
        begin, until = model.clock.at(begin), model.clock.at(until)
    bought = model.simulated_counts(params, new, np.concatenate([[-np.inf], until]), (1, rng), begin[:, None])[:, 0]
    seen = np.concatenate([bought, np.cumsum(bought, axis=1)], axis=1)
    # Within customers who came together: who came when is known.
    groups, inverse, sizes = np.unique(begin, return_inverse=True, return_counts=True)
    mean = np.array([np.bincount(inverse, weights=column, minlength=len(groups)) for column in seen.T]) / sizes
    lost = len(groups) if len(groups) < m / 2 else 0
    gap = seen - mean.T[inverse] if lost else seen - seen.mean(axis=0)
    return count.sum() * (gap**2).sum(axis=0) / (m - max(lost, 1))
