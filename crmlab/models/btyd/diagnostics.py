"""The numbers behind pictures of a model: what it says by frequency and recency, over time, and beside what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.frames import is_table
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.contracts import UnderContract
from crmlab.models.btyd.covariates import refuse_covariates
from crmlab.models.btyd.posterior import FEW, of_few, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import checked, checked_weight, framed, refuse
from crmlab.models.btyd.tracking import checked_times, track
from crmlab.models.checked import checked_level, checked_row
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from crmlab.models.btyd.future import Future

__all__ = ["calibration_frame", "frequency_frame", "history_alive_frame", "matrix_frame", "track_frame"]

_COLUMNS = 40  # of a matrix
_ROWS = 30
_AGES = 200  # distinct ages at which newcomers' counts are worked out
_MOMENTS = 240  # of one customer's history


def matrix_frame(
    model: Future, horizon: float, *, age: float | None = None, most: int | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """P(alive) and expected purchases of customers of one age by frequency and recency, where both can be.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
        With parameters.
    horizon : float
        Over which purchases are expected, in the model's unit of time.
    age : float, optional
        T of the customers, the time since their first purchase; default: that of the oldest customer of the fit.
    most : int, optional
        The highest frequency; default: of the fit's customers 98% have bought again no more often, but at least 5.
    level : float
        Of the intervals, which need a fitted model.

    Returns
    -------
    DataFrame
        One row per frequency and recency: frequency, recency, age, probability_alive and expected_purchases, each with _low and _high
        (missing where parameters were given).

    Raises
    ------
    ModelError
        A loaded model, or one whose parameters were given, needs an age; sBG has no recency.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> found = matrix_frame(model, 39.0, age=38.0, most=3)
    >>> found.loc[(found["frequency"] == 2) & (found["recency"] == 38.0), "expected_purchases"].round(2).tolist()
    [1.39]
    """
    _needs_recency("matrix_frame", model)
    refuse_covariates("matrix_frame", model, "It shows customers who differ by their purchases alone.")
    share = model.checked_level(level, "mean")
    known = getattr(model, "states_", None)
    if age is None:
        if known is None:
            raise ModelError.needs("matrix_frame", "an age (T), where the model has no customers", "none")
        reach = float(known.columns[2].max())
        age = reach if model.clock is None else -float(model.clock.back(-reach))
    span = model.checked_horizon(age, "age")
    if most is None:
        most = 10 if known is None else max(int(np.quantile(np.repeat(*_counted(known)), 0.98)), 5)
    rows = np.unique(np.round(np.linspace(0, max(int(most), 1), min(int(most), _ROWS) + 1)))
    steps = np.arange(np.floor(span) + 1) if model.whole_periods or span <= _COLUMNS else np.linspace(0, span, _COLUMNS + 1)
    steps = steps if steps[-1] == span else np.append(steps, span)
    x, tx = (part.ravel() for part in np.meshgrid(rows, steps, indexing="ij"))
    can = np.where(x == 0, tx == 0, tx >= x if model.whole_periods else tx > 0)
    frame = pd.DataFrame({"frequency": x[can], "recency": tx[can], model.age_column: span})
    ends = share if model.has_posterior else None
    for name, told in (
        ("probability_alive", model.probability_alive(frame, level=ends)),
        ("expected_purchases", model.expected_purchases(frame, horizon, level=ends)),
    ):
        values = told.to_numpy().reshape(len(frame), -1)
        frame[[name, f"{name}_low", f"{name}_high"]] = (
            values if ends else np.column_stack([values, np.full((len(frame), 2), np.nan)])
        )
    return frame.rename(columns={model.age_column: "age"})


def _counted(states: Any) -> tuple[Array, npt.NDArray[np.int64]]:
    return states.columns[0], states.weight.astype(np.int64)


def calibration_frame(model: Future, summary: Any, *, groups: int = 8, level: float = LEVEL) -> pd.DataFrame:
    """Purchases in a holdout period by how often customers had bought before it: seen, and expected from before it.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
        Fitted to the calibration period, or with given parameters.
    summary : table
        The calibration period, with holdout_purchases and horizon, as ``holdout_summary`` makes it, and an optional weight.
    groups : int
        Of frequency: 0, 1, 2, … and all above together; at least 2.
    level : float
        Of the intervals, which hold what will be seen: parameters and chance.

    Returns
    -------
    DataFrame
        One row per group: frequency (the least of it), label, customers, seen, expected, low, high: purchases per customer.

    Raises
    ------
    ModelError
        A column is missing, or customers have different horizons.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = model.simulate([40.0] * 500, 40, seed=1).assign(horizon=40.0)
    >>> calibration_frame(model, customers, groups=3)["label"].tolist()
    ['0', '1', '2+']
    """
    _needs_recency("calibration_frame", model)
    if isinstance(groups, bool) or not isinstance(groups, int | np.integer) or groups < 2:
        raise ModelError.expected("calibration_frame", "groups", "a whole number of at least 2", groups)
    frame = framed("calibration_frame", summary)
    after = checked("calibration_frame", frame, ["holdout_purchases", "horizon"])
    n, horizon = after["holdout_purchases"], after["horizon"]
    with np.errstate(invalid="ignore"):
        bad = ~((n >= 0) & (n == np.floor(n)))
    refuse("calibration_frame", "holdout_purchases must be a whole number of at least 0", bad, frame)
    if not (horizon == horizon[0]).all():
        raise ModelError.needs("calibration_frame", "one horizon for all", f"{len(np.unique(horizon)):,} horizons")
    weight = checked_weight("calibration_frame", frame)
    frequency = model.checked_columns(frame)[0][0]
    last = min(groups - 1, int(frequency.max()))
    place = np.minimum(frequency, last)
    rows = []
    for k in np.unique(place).astype(int).tolist():
        some = place == k
        mine = (
            frame[some] if weight is None else frame.loc[some].loc[lambda part: part.index.repeat(part["weight"].astype(int))]
        )
        told = model.expected_total(mine, float(horizon[0]), level=level, interval="outcome")
        each = np.ones(int(some.sum())) if weight is None else weight[some]
        size = float(each.sum())
        label = f"{k}" if k < last or (frequency[some] == k).all() else f"{k}+"
        rows.append((k, label, int(size), float(each @ n[some]) / size, *(told / size)))
    return pd.DataFrame(rows, columns=["frequency", "label", "customers", "seen", "expected", "low", "high"])


def frequency_frame(model: Future, summary: Any, *, most: int = 8, level: float = LEVEL) -> pd.DataFrame:
    """How many customers bought again so and so often: seen, and expected from nothing but when each of them came.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
        Fitted to these customers, or with given parameters.
    summary : table
        frequency, recency and T (age; ``periods`` of BG/BB), and an optional weight.
    most : int
        Counts from 0 to one below it stand alone; the last row has all from it on.
    level : float
        Of the intervals, which hold what will be seen: parameters and chance.

    Returns
    -------
    DataFrame
        One row per number of repeat purchases: frequency, label, seen, expected, low, high: customers.

    Notes
    -----
    Of more than 200 different ages the customers are taken together to so many, each of their mean age.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, figure 1: actual against expected frequency of purchases.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = model.simulate([40.0] * 500, 40, seed=1).assign(horizon=40.0)
    >>> fitted = BGNBD().fit(customers)
    >>> frequency_frame(fitted, customers, most=3)["label"].tolist()
    ['0', '1', '2', '3+']
    """
    _needs_recency("frequency_frame", model)
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 1:
        raise ModelError.expected("frequency_frame", "most", "a whole number of at least 1", most)
    share = checked_level("frequency_frame", level)
    frame = framed("frequency_frame", summary)
    columns = model.checked_columns(frame)[0]
    weight = checked_weight("frequency_frame", frame)
    weight = np.ones(len(frame)) if weight is None else weight
    seen = np.bincount(np.minimum(columns[0], most).astype(int), weights=weight, minlength=most + 1)
    ages, count = _ages(columns[2], weight)
    n = np.arange(most, dtype=float)

    def each(params: Array) -> Array:
        """Chances of each number, of each age."""
        rows = [np.where(n == 0, 1.0, 0.0) if age == 0 else model.mass_since(params, age, n) for age in ages.tolist()]
        found = np.clip(np.array(rows), 0.0, 1.0)
        return np.column_stack([found, np.clip(1 - found.sum(axis=1), 0.0, 1.0)])

    with np.errstate(all="ignore"):
        at = each(model.parameters())
        point = count @ at
        chance = count @ (at * (1 - at))
        if model.has_posterior:
            mean, spread, skew = model.log_cumulants(lambda params: count @ each(params))
        else:
            mean, spread, skew = np.log(np.maximum(point, 1e-300)), np.zeros(most + 1), np.zeros(most + 1)
        ends = np.exp(quantiles((mean, spread + chance / np.maximum(point, 1e-150) ** 2, skew), share))
    few = point < FEW
    ends[:, few] = of_few(point[few], chance[few] + spread[few] * point[few] ** 2, share)
    labels = [*(str(k) for k in range(most)), f"{most}+"]
    found = {"frequency": np.arange(most + 1), "label": labels, "seen": seen, "expected": point}
    return pd.DataFrame({**found, "low": np.minimum(ends[0], point), "high": np.maximum(ends[1], point)})


def _ages(age: Array, weight: Array) -> tuple[Array, Array]:
    """Distinct ages and how many customers are of each; of very many, means of neighbours."""
    ages, inverse = np.unique(age, return_inverse=True)
    count = np.bincount(inverse, weights=weight).astype(float)
    if len(ages) <= _AGES:
        return ages, count
    place = np.minimum((np.cumsum(count) - count / 2) / count.sum() * _AGES, _AGES - 1).astype(int)
    total = np.bincount(place, weights=count).astype(float)
    some = total > 0
    return (np.bincount(place, weights=count * ages) / np.maximum(total, 1e-300))[some], total[some]


def track_frame(
    model: Future,
    starts: Any,
    ends: npt.ArrayLike,
    times: npt.ArrayLike | None = None,
    *,
    level: float = LEVEL,
    today: float | None = None,
) -> pd.DataFrame:
    """Repeat purchases of all customers together by period: expected as :func:`~crmlab.models.btyd.tracking.track` says, and seen.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
    starts : array of shape (n_customers,), or table
        Times of first purchases; or a table of customers, as a model is fitted to: time is then counted from the first of them all.
    ends : array of shape (n_periods,)
        Ends of the periods, increasing, on the same clock.
    times : array of shape (n_purchases,), optional
        Times of all repeat purchases on the same clock, as :func:`~crmlab.history.customers.repeat_times` gives them. Periods that begin
        after the last of them, and after ``today``, are not seen yet; without times nothing is.
    level : float
    today : float, optional
        As of ``track``.

    Returns
    -------
    DataFrame
        As of ``track``, with seen and seen_cumulative; ``attrs["today"]`` is the end of the history, None where it is not known.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> found = track_frame(model, [0.0, 1.0, 2.0], [10.0, 20.0], [3.0, 4.5, 12.0], today=20.0)
    >>> found["seen"].tolist(), found["seen_cumulative"].tolist()
    ([2.0, 1.0], [2.0, 3.0])
    """
    _needs_recency("track_frame", model)
    starts, ends = checked_times("track_frame", "starts", starts), checked_times("track_frame", "ends", ends)
    times = None if times is None else checked_times("track_frame", "times", times)
    if is_table(starts):
        starts = framed("track_frame", starts)
        today = float(model.checked_columns(starts)[0][2].max()) if today is None else today
    frame = track(model, starts, None, ends, level=level, today=today)
    frame.attrs["today"] = today
    edges = np.concatenate([[-np.inf], frame["end"].to_numpy(float)])
    if times is None:
        return frame.assign(seen=np.nan, seen_cumulative=np.nan)
    at = checked_row("track_frame", "times", times)
    # What comes at the end of a period is of that period.
    seen = np.bincount(np.searchsorted(edges[1:], at, side="left"), minlength=len(edges))[: len(edges) - 1].astype(float)
    known = max(float(at.max(initial=-np.inf)), -np.inf if today is None else float(today))
    seen = np.where(edges[:-1] < known, seen, np.nan)
    return frame.assign(seen=seen, seen_cumulative=np.cumsum(seen))


def history_alive_frame(
    model: BuyTillYouDie, times: npt.ArrayLike, age: float, *, level: float = LEVEL, today: float | None = None
) -> pd.DataFrame:
    """P(alive) of one customer on each day of their history, from what was known then.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
    times : array of shape (n_repeat_purchases,)
        Times of repeat purchases since the first one, which is at 0.
    age : float
        T of the customer, the time since the first purchase, at which the curve ends; after the last purchase, or at it.
    level : float
        Of the intervals, which need a fitted model.
    today : float, optional
        Time since the first purchase at which a model's clock ends; default: ``age``. Of no use without a clock.

    Returns
    -------
    DataFrame
        time (since the first purchase), frequency, recency, probability_alive, low, high (missing where parameters were given).

    Raises
    ------
    ModelError
        A purchase is not after the first one, or after ``age``.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> history_alive_frame(model, [4.0, 9.0], 30.0).iloc[-1][["frequency", "recency"]].tolist()
    [2.0, 9.0]
    """
    _needs_recency("history_alive_frame", model)
    refuse_covariates("history_alive_frame", model, "It shows a customer of whom the purchases alone are known.")
    share = model.checked_level(level, "mean")
    end = model.checked_horizon(age, "age")
    bought = np.sort(checked_row("history_alive_frame", "times", times)) if np.size(times) else np.empty(0)
    if not ((bought > 0) & (bought <= end)).all():
        raise ModelError.expected(
            "history_alive_frame", "times", f"above 0 and at most the age, {end:g}", np.asarray(times).tolist()
        )
    if model.whole_periods:
        at = np.arange(end + 1)
    else:
        at = np.unique(np.concatenate([np.linspace(0, end, _MOMENTS), bought, np.nextafter(bought, 0)]))
    frequency = np.searchsorted(bought, at, side="right").astype(float)
    recency = np.where(frequency > 0, np.append(0.0, bought)[frequency.astype(int)], 0.0)
    frame = pd.DataFrame({"time": at, "frequency": frequency, "recency": recency})
    then = at - (end if today is None else float(today))
    told = model.probability_alive(
        frame.rename(columns={"time": model.age_column}), level=share if model.has_posterior else None, since=then
    )
    values = told.to_numpy().reshape(len(frame), -1)
    frame["probability_alive"] = values[:, 0]
    frame["low"], frame["high"] = (values[:, 1], values[:, 2]) if model.has_posterior else (np.nan, np.nan)
    return frame


def _needs_recency(who: str, model: Any) -> None:
    if not isinstance(model, BuyTillYouDie) or isinstance(model, UnderContract):
        raise ModelError.expected(who, "model", "a BGNBD, MBGNBD, ParetoNBD or BGBB", type(model).__name__)
    model.parameters()
