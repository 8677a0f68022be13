"""Time until something happens, where for some it has not happened yet: Kaplan–Meier, and Aalen–Johansen for several causes.

Durations come with weights, so that a table of distinct durations and their counts is enough. Who came under observation late, as a
customer whose contract began before the records do, is at risk from then on.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_amounts, checked_frame, checked_level, checked_number, checked_outcomes
from crmlab.models.intervals import LEVEL, normal_quantile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["at", "cumulative_incidence", "given_waited", "kaplan_meier", "kaplan_meier_by", "median_time"]

_ALL = 100.0  # on the scale of log(−log): an interval that reaches so far reaches from 0 to 1
_MOST_CAUSES = 1000  # each has a column; a larger number is a code, and no count of causes


def kaplan_meier(
    durations: npt.ArrayLike,
    observed: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    level: float = LEVEL,
    *,
    entered: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Estimate the share for whom nothing has happened by each time.

    Parameters
    ----------
    durations : array of shape (n,)
        Time until it happened, or until nothing more is known; at least 0, in any unit.
    observed : array of bool of shape (n,)
        Whether it happened; False: censored. Who is censored at a time is still at risk at it. 1 and 0 are taken too; what is
        missing or a text is refused: it would be counted as having happened.
    weights : array of shape (n,), optional
        How many have this duration; default: one each.
    level : float
        Of the intervals at each time (Greenwood's variance, on the scale of log(−log S)).
    entered : array of shape (n,), optional
        Time from which on each was under observation, at most the duration (late entry, or left truncation); default: from 0. To whom it
        happened before that is not in the data; so who enters at a time is not at risk at it, but from then on.

    Returns
    -------
    DataFrame
        time, at_risk, events, survival, low, high, variance: a row for time 0 and one for each time at which something happened.
        Where survival is 1 or 0 nothing varies, and the interval has no width. ``variance`` is Greenwood's sum, that of the log. With
        late entries few may be at risk early: where it happens to all of them survival is 0 for good, whoever enters later.

    Raises
    ------
    ModelError
        Durations are negative, missing, or no numbers (dates, spans of time, True and False), an outcome is neither yes nor no, shapes
        differ, or there are none; somebody entered after the end, or when it happened.

    References
    ----------
    Kaplan and Meier (1958), JASA 53. Kalbfleisch and Prentice (2002), section 1.4. Klein and Moeschberger (2003), Survival Analysis,
    section 4.6 (late entry).

    Examples
    --------
    >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True])["survival"].tolist()
    [1.0, 0.75, 0.5, 0.0]
    >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True], entered=[0, 1, 0, 0])["at_risk"].tolist()
    [3.0, 3.0, 3.0, 1.0]
    """
    import pandas as pd

    level = checked_level("kaplan_meier", level)
    t, cause, w = _checked("kaplan_meier", durations, checked_outcomes("kaplan_meier", observed).astype(np.int64), weights)
    begun = np.zeros(len(t)) if entered is None else _entered("kaplan_meier", entered, t, cause)
    time, at_risk, events = _table(t, cause, w, 1, begun)
    died = events[:, 0]
    survival: Array = np.asarray(np.cumprod(1 - died / at_risk), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance: Array = np.asarray(np.cumsum(died / (at_risk * (at_risk - died))), dtype=np.float64)
        low, high = _log_log(survival, survival * np.sqrt(variance), level)
    found = {
        "time": time,
        "at_risk": at_risk,
        "events": died,
        "survival": survival,
        "low": low,
        "high": high,
        "variance": variance,
    }
    start = {
        "time": [0.0],
        "at_risk": [w[begun == 0].sum()],
        "events": [0.0],
        "survival": [1.0],
        "low": [1.0],
        "high": [1.0],
        "variance": [0.0],
    }
    return pd.concat([pd.DataFrame(start), pd.DataFrame(found)], ignore_index=True) if len(time) else pd.DataFrame(start)


def kaplan_meier_by(
    durations: npt.ArrayLike,
    observed: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    entered: npt.ArrayLike | None = None,
    times: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Estimate for each group, such as a cohort of contracts, the share for whom nothing has happened by each time.

    Parameters
    ----------
    durations, observed, weights, entered
        As of :func:`kaplan_meier`; of contracts that are open, the time so far, not observed.
    groups : array of shape (n,)
        The group of each; none missing.
    times : array, optional
        At which times, at least 0 and rising, such as 0, 1, 2, … for a table of retention by period; default: 0 and the times at which
        something happened in the group.
    level : float

    Returns
    -------
    DataFrame
        group, time, at_risk (under observation just before the time), events (since the row before), survival, low, high: groups in
        order. Survival is missing at times beyond those to which anybody of the group was followed, but for 0, which stays.

    Raises
    ------
    ModelError
        As :func:`kaplan_meier`; a group is missing, or times do not rise.

    Examples
    --------
    >>> found = kaplan_meier_by([1, 3, 2, 2], [True, False, False, True], ["2023", "2023", "2024", "2024"], times=[0, 1, 2, 3])
    >>> found.pivot(index="group", columns="time", values="survival")
    time   0.0  1.0  2.0  3.0
    group
    2023   1.0  0.5  0.5  0.5
    2024   1.0  1.0  0.5  NaN
    """
    import pandas as pd

    who = "kaplan_meier_by"
    level = checked_level(who, level)
    t, cause, w = _checked(who, durations, checked_outcomes(who, observed).astype(np.int64), weights)
    begun = np.zeros(len(t)) if entered is None else _entered(who, entered, t, cause)
    label = pd.Series(groups if isinstance(groups, pd.Series) else np.asarray(groups)).reset_index(drop=True)
    if label.shape != t.shape or label.isna().any():
        raise ModelError.expected(who, "groups", f"{len(t):,} of them, none missing", f"{int(label.notna().sum()):,}")
    grid = None if times is None else np.atleast_1d(checked_amounts(who, "times", times))
    if grid is not None and (grid.ndim != 1 or not len(grid) or grid[0] < 0 or (np.diff(grid) <= 0).any()):
        raise ModelError.expected(who, "times", "numbers of at least 0 that rise", grid)
    parts = []
    for name, rows in label.groupby(label, sort=True, observed=True).groups.items():
        some = np.asarray(rows, dtype=np.int64)
        own = t[some], cause[some], w[some], begun[some]
        if not own[2].any():
            continue
        curve = kaplan_meier(own[0], own[1], own[2], level, entered=own[3])
        parts.append((curve if grid is None else _on_grid(curve, grid, *own)).assign(group=name))
    found = pd.concat(parts, ignore_index=True)
    return found[["group", "time", "at_risk", "events", "survival", "low", "high"]]


def _on_grid(curve: pd.DataFrame, grid: Array, t: Array, cause: npt.NDArray[np.int64], w: Array, begun: Array) -> pd.DataFrame:
    """A curve at given times, and what was under observation at them."""
    import pandas as pd

    held = curve.iloc[np.searchsorted(curve["time"], grid, side="right") - 1].reset_index(drop=True)
    known = (grid <= t[w > 0].max()) | (held["survival"].to_numpy() == 0)
    happened = np.array([w[(cause > 0) & (t <= one)].sum() for one in grid])
    return pd.DataFrame(
        {
            "time": grid,
            "at_risk": [w[(t >= one) & ((begun < one) | (begun == 0))].sum() for one in grid],
            "events": np.diff(happened, prepend=0.0),
            **{name: np.where(known, held[name], np.nan) for name in ("survival", "low", "high")},
        }
    )


def median_time(curve: pd.DataFrame) -> tuple[float, float, float]:
    """Time by which it has happened to half, with the interval at the level of the curve's own.

    Parameters
    ----------
    curve : DataFrame
        Of :func:`kaplan_meier`.

    Returns
    -------
    (median, low, high) : float
        Infinite where the curve, or the end of its interval, does not come down to a half.

    References
    ----------
    Brookmeyer and Crowley (1982), A confidence interval for the median survival time, Biometrics 38.

    Examples
    --------
    >>> median_time(kaplan_meier(range(1, 101), [True] * 100, level=0.95))
    (50.0, 40.0, 60.0)
    """
    curve = checked_frame("median_time", curve, ("time", "survival", "low", "high"), "kaplan_meier")

    def first(name: str) -> float:
        below = curve.loc[curve[name] <= 0.5 + 1e-12, "time"]
        return float(below.iloc[0]) if len(below) else float("inf")

    return first("survival"), first("low"), first("high")


def given_waited(curve: pd.DataFrame, waited: float, *, level: float = LEVEL) -> pd.DataFrame:
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

    Raises
    ------
    ModelError
        ``waited`` is below 0 or missing, or the level is not between 0 and 1.

    Examples
    --------
    >>> given_waited(kaplan_meier([1, 2, 3, 4], [True] * 4), 2.0)["survival"].round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    import pandas as pd

    level = checked_level("given_waited", level)
    curve = checked_frame("given_waited", curve, ("time", "survival", "variance"), "kaplan_meier")
    before = at(curve, waited, "given_waited")
    rest = curve[curve["time"] > waited]
    first = pd.DataFrame({"time": [0.0], "survival": [1.0], "low": [1.0], "high": [1.0]})
    if not before["survival"] > 0 or rest.empty:
        return first
    survival = (rest["survival"] / before["survival"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        error = survival * np.sqrt((rest["variance"] - before["variance"]).to_numpy())
        low, high = _log_log(survival, error, level)
    after = pd.DataFrame({"time": rest["time"].to_numpy() - waited, "survival": survival, "low": low, "high": high})
    return pd.concat([first, after], ignore_index=True)


def at(curve: pd.DataFrame, time: float, model: str = "at") -> pd.Series:
    """The row of a curve that holds at a time.

    Raises
    ------
    ModelError
        The time is before the curve begins, or missing; ``model`` is who asks.

    Examples
    --------
    >>> float(at(kaplan_meier([1, 3], [True, True]), 2.0)["survival"])
    0.5
    """
    curve = checked_frame(model, curve, ("time",), "kaplan_meier")
    if time != time:  # missing
        raise ModelError.expected(model, "time", "a number of at least 0", time)
    held = curve[curve["time"] <= checked_number(model, "time", time, "of at least 0")]
    if held.empty:
        raise ModelError.expected(model, "time", "a number of at least 0", time)
    return held.iloc[-1]


def cumulative_incidence(
    durations: npt.ArrayLike, causes: npt.ArrayLike, weights: npt.ArrayLike | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """Estimate the share to whom each of several things has happened first, by each time (Aalen–Johansen).

    Parameters
    ----------
    durations : array of shape (n,)
        Time until the first of them happened, or until nothing more is known.
    causes : array of int of shape (n,)
        Which happened: 1, 2, …; 0: censored.
    weights : array of shape (n,), optional
    level : float
        Of the intervals at each time (delta method, on the scale of log(−log(1 − F))).

    Returns
    -------
    DataFrame
        cause, time, incidence, low, high: for each cause one row per time at which anything happened.

    Raises
    ------
    ModelError
        As :func:`kaplan_meier`; a cause is no whole number of at least 0.

    References
    ----------
    Aalen and Johansen (1978), Scandinavian Journal of Statistics 5. Marubini and Valsecchi (1995), Analysing Survival Data from
    Clinical Trials and Observational Studies, section 10.2 (variance).

    Examples
    --------
    >>> found = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 1])
    >>> found.groupby("cause")["incidence"].last().tolist()
    [0.75, 0.25]
    """
    import pandas as pd

    level = checked_level("cumulative_incidence", level)
    t, cause, w = _checked("cumulative_incidence", durations, _causes(causes), weights)
    kinds = int(cause.max(initial=0))
    time, at_risk, events = _table(t, cause, w, kinds)
    any_event = events.sum(axis=1)
    before = np.concatenate([[1.0], np.cumprod(1 - any_event / at_risk)[:-1]]) if len(time) else np.empty(0)
    parts = []
    for k in range(kinds):
        d = events[:, k]
        F = np.cumsum(before * d / at_risk)
        left = np.where(at_risk > any_event, at_risk * (at_risk - any_event), np.inf)
        a, b = any_event / left, before * d / at_risk**2
        # Σ (F(t) − F(s))² a(s) − 2 Σ (F(t) − F(s)) b(s) + Σ c(s), multiplied out, so that one pass is enough.
        c = before**2 * (at_risk - d) * d / at_risk**3
        variance = F**2 * np.cumsum(a) - 2 * F * np.cumsum(a * F) + np.cumsum(a * F**2)
        variance += -2 * F * np.cumsum(b) + 2 * np.cumsum(b * F) + np.cumsum(c)
        low, high = _log_log(1 - F, np.sqrt(np.maximum(variance, 0)), level)
        parts.append(pd.DataFrame({"cause": k + 1, "time": time, "incidence": F, "low": 1 - high, "high": 1 - low}))
    columns = ["cause", "time", "incidence", "low", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in columns})


def _checked(
    model: str, durations: npt.ArrayLike, cause: npt.NDArray[np.int64], weights: npt.ArrayLike | None
) -> tuple[Array, npt.NDArray[np.int64], Array]:
    t = np.atleast_1d(checked_amounts(model, "durations", durations))
    given = np.asarray(durations, dtype=object if isinstance(durations, list | tuple) else None)
    no = (
        next((value for value in given.ravel() if isinstance(value, bool | np.bool_)), None)
        if given.dtype.kind in "Ob"
        else None
    )
    if no is not None:
        raise ModelError.expected(model, "durations", "numbers of at least 0", bool(no))
    w = np.ones(len(t)) if weights is None else checked_amounts(model, "weights", weights)
    if t.ndim != 1 or not len(t) or cause.shape != t.shape or w.shape != t.shape:
        raise ModelError.expected(model, "durations", "as many as there are outcomes and weights, at least one", f"{t.shape}")
    if (t < 0).any():
        raise ModelError.expected(model, "durations", "numbers of at least 0", float(t[t < 0][0]))
    if (w < 0).any() or w.sum() <= 0:
        raise ModelError.expected(model, "weights", "numbers of at least 0, not all of them 0", float(w.min()))
    return t, cause, w


def _causes(causes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    try:
        given = np.asarray(causes)
    except ValueError:  # rows of different length
        given = np.asarray(causes, dtype=object)
    if given.dtype.kind == "O" and all(isinstance(one, Real | Decimal) for one in given.ravel()):
        given = given.astype(float)
    fine = given.dtype.kind in "biu" or (given.dtype.kind == "f" and bool((given == np.floor(given)).all()))
    if not fine or (given < 0).any() or (given > _MOST_CAUSES).any():
        expectation = f"whole numbers from 0 (nothing known) to {_MOST_CAUSES}, none of them missing"
        raise ModelError.expected("cumulative_incidence", "causes", expectation, given.ravel()[:5].tolist())
    return given.astype(np.int64)


def _entered(model: str, entered: npt.ArrayLike, t: Array, cause: npt.NDArray[np.int64]) -> Array:
    begun = np.atleast_1d(checked_amounts(model, "entered", entered))
    if begun.shape != t.shape or (begun < 0).any():
        raise ModelError.expected(model, "entered", f"{len(t):,} numbers of at least 0, one of each duration", begun)
    wrong = (begun > t) | ((begun == t) & (begun > 0) & (cause > 0))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        hint = "Who had left before the records begin is not in them: leave such rows out."
        found = f"{begun[k]:g} with a duration of {t[k]:g}"
        raise ModelError.must_be(f"{model}: 'entered'", "before the end of the duration", found, hint)
    return begun


def _table(
    t: Array, cause: npt.NDArray[np.int64], w: Array, kinds: int, begun: Array | None = None
) -> tuple[Array, Array, Array]:
    """Times at which something happened, how many were at risk just before, and to how many what happened."""
    times, place = np.unique(t, return_inverse=True)
    events = np.zeros((len(times), kinds))
    for k in range(kinds):
        events[:, k] = np.bincount(place, w * (cause == k + 1), len(times))
    at_risk = np.cumsum(np.bincount(place, w, len(times))[::-1])[::-1]
    if begun is not None and begun.any():
        order = np.argsort(begun)
        # Of those counted, who had not entered before the time; who is there from the start has.
        later = np.concatenate([np.cumsum((w * (begun > 0))[order][::-1])[::-1], [0.0]])
        at_risk = at_risk - later[np.searchsorted(begun[order], times)]
    some = events.sum(axis=1) > 0
    return times[some], at_risk[some], events[some]


def _log_log(survival: Array, error: Array, level: float) -> tuple[Array, Array]:
    """Interval of a share on the scale of log(−log): it stays between 0 and 1."""
    z = normal_quantile(level)
    inside = (survival > 1e-12) & (survival < 1)
    s = np.where(inside, survival, 0.5)
    half = np.minimum(np.where(inside, z * error / (s * -np.log(s)), 0.0), _ALL)
    low, high = s ** np.exp(half), s ** np.exp(-half)
    return np.where(inside, low, survival), np.where(inside, high, survival)
