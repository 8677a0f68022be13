"""How long something lasts, where some of it is not over yet: Kaplan and Meier's estimate with intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError

Array = npt.NDArray[np.float64]


def kaplan_meier(
    duration: npt.ArrayLike,
    ended: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    entry: npt.ArrayLike | None = None,
    level: float = 0.9,
) -> pd.DataFrame:
    """Estimate how many last beyond each time.

    Parameters
    ----------
    duration : array of shape (n,)
        How long each lasted, or has lasted so far; at least 0.
    ended : array of bool of shape (n,)
        Whether it ended then; else it was only seen to last so long (censored).
    weight : array of shape (n,), optional
        How many each row stands for.
    entry : array of shape (n,), optional
        Time from which each was watched (left truncation); 0 unless given.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per time at which something ended, a row for time 0 before them: time, at_risk, ended, survival, low, high,
        variance (Greenwood's sum, that of log survival).

    Raises
    ------
    ModelError
        Lengths differ, or nothing was given, or a duration is negative or missing.

    Notes
    -----
    Intervals are symmetric on the scale of log(−log survival), so that they stay within 0 and 1.

    References
    ----------
    Kaplan and Meier (1958), JASA 53; Greenwood (1926); Kalbfleisch and Prentice (2002), section 1.4.

    Examples
    --------
    >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True])[["time", "at_risk", "survival"]]
       time  at_risk  survival
    0   0.0      4.0      1.00
    1   1.0      4.0      0.75
    2   2.0      3.0      0.50
    3   3.0      1.0      0.00
    """
    t, over = np.asarray(duration, dtype=float), np.asarray(ended, dtype=bool)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=float)
    begin = np.zeros(len(t)) if entry is None else np.asarray(entry, dtype=float)
    if not len(t) or not t.shape == over.shape == w.shape == begin.shape:
        raise ModelError.not_comparable("durations, ends and weights of one length", f"{len(t)}, {len(over)} and {len(w)}")
    if not ((t >= 0) & np.isfinite(t)).all():
        raise ModelError.not_comparable("durations of at least 0", "others")
    times = np.unique(t[over])
    order, starts = np.argsort(t, kind="stable"), np.argsort(begin, kind="stable")
    leaving = np.concatenate([[0.0], np.cumsum(w[order])])
    entered = np.concatenate([[0.0], np.cumsum(w[starts])])
    # At risk at a time: entered before it and not gone before it.
    at_risk = entered[np.searchsorted(begin[starts], times, side="left" if entry is not None else "right")]
    at_risk = at_risk - leaving[np.searchsorted(t[order], times, side="left")]
    events = np.bincount(np.searchsorted(times, t[over]), weights=w[over], minlength=len(times))
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - events / at_risk)
        variance = np.cumsum(events / (at_risk * (at_risk - events)))
    low, high = _limits(survival, variance, level)
    frame = pd.DataFrame({"time": times, "at_risk": at_risk, "ended": events, "survival": survival, "low": low, "high": high})
    frame["variance"] = variance
    first = pd.DataFrame({"time": [0.0], "at_risk": [w.sum()], "ended": [0.0], "survival": [1.0], "low": [1.0], "high": [1.0]})
    return pd.concat(
        [first.assign(variance=0.0), frame[frame["time"] > 0]] if not (times == 0).any() else [frame], ignore_index=True
    )


def given_waited(curve: pd.DataFrame, waited: float, *, level: float = 0.9) -> pd.DataFrame:
    """Bring a curve to those who have lasted for some time already: it starts at 1 today.

    Parameters
    ----------
    curve : DataFrame
        As of :func:`kaplan_meier`.
    waited : float
        Time lasted so far.
    level : float

    Returns
    -------
    DataFrame
        time (from today), survival, low, high. Empty after its first row where nothing was seen beyond ``waited``.

    Examples
    --------
    >>> given_waited(kaplan_meier([1, 2, 3, 4], [True] * 4), 2.0)["survival"].round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    before = curve[curve["time"] <= waited].iloc[-1]
    rest = curve[curve["time"] > waited]
    first = pd.DataFrame({"time": [0.0], "survival": [1.0], "low": [1.0], "high": [1.0]})
    if not before["survival"] > 0 or rest.empty:
        return first
    survival = (rest["survival"] / before["survival"]).to_numpy()
    low, high = _limits(survival, (rest["variance"] - before["variance"]).to_numpy(), level)
    after = pd.DataFrame({"time": rest["time"].to_numpy() - waited, "survival": survival, "low": low, "high": high})
    return pd.concat([first, after], ignore_index=True)


def at(curve: pd.DataFrame, time: float) -> pd.Series:
    """The row of a curve that holds at a time.

    Examples
    --------
    >>> float(at(kaplan_meier([1, 3], [True, True]), 2.0)["survival"])
    0.5
    """
    return curve[curve["time"] <= time].iloc[-1]


def _limits(survival: Array, variance: Array, level: float) -> tuple[Array, Array]:
    z = float(special.ndtri((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_s = np.log(survival)
        half = z * np.sqrt(variance) / np.abs(log_s)
        inner = np.log(-log_s)
        low, high = np.exp(-np.exp(inner + half)), np.exp(-np.exp(inner - half))
    edge = (survival <= 0) | (survival >= 1)
    return np.where(edge, survival, low), np.where(edge, survival, high)
