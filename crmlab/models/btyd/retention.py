"""Retention of customers under contract, seen and fitted: how many renew in each period, and how many are still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.contracts import UnderContract, lives_of
from crmlab.models.btyd.drawing import EXPECTED, PALE, SEEN, axes_of
from crmlab.models.btyd.estimator import Function
from crmlab.models.btyd.posterior import FEW, log_cumulants_of, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_retention", "retention_frame"]

_MOST = 20_000  # counts of the rarer outcome that are gone through one by one


def retention_frame(model: UnderContract, summary: Any, *, periods: int | None = None, level: float = LEVEL) -> pd.DataFrame:
    """Retention and survival by period: seen, and as the model has it.

    Parameters
    ----------
    model : SBG or BDW
        Fitted, or with given parameters.
    summary : array of shape (periods + 1,), or table
        Customers there at times 0, 1, 2, …, or a row per customer, as of :meth:`~crmlab.models.btyd.sbg.SBG.fit`: those of the fit, or
        others, who were held out.
    periods : int, optional
        How many, at least 1; default: all that were seen. More of them are a projection.
    level : float
        Of the intervals. Of periods that were seen they hold what is seen of so many customers: parameters and chance. Of others they
        are of the expectation.

    Returns
    -------
    DataFrame
        One row per period: period (1, 2, …), customers (who could renew in it and were under
        observation; 0 where it was not seen), seen (the share of them who
        did), expected, low, high; survival_seen (share of all still there after the period, by Kaplan and Meier where customers came at
        different times), survival, survival_low, survival_high.

    Raises
    ------
    ModelError
        The model is none of customers under contract, or ``summary`` is none that one could be fitted to.

    References
    ----------
    Fader and Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21: (5)–(7).
    Greenwood (1926) (variance of what Kaplan and Meier's estimate sees).

    Examples
    --------
    >>> from crmlab.models import SBG
    >>> model = SBG.from_params(alpha=0.668, beta=3.806)
    >>> retention_frame(model, [1000, 869, 743], periods=3).round(3)[["period", "customers", "seen", "expected", "survival"]]
       period  customers   seen  expected  survival
    0       1     1000.0  0.869     0.851     0.851
    1       2      869.0  0.855     0.878     0.747
    2       3        0.0    NaN     0.897     0.670
    """
    who = "retention_frame"
    if not isinstance(model, UnderContract):
        raise ModelError.expected(who, "model", "an SBG or a BDW", type(model).__name__)
    share = checked_level(who, level)
    model.checked_level(level, "outcome")
    params = model.parameters()
    rows = lives_of(summary, type(model).__name__)
    time, left, entered, weight = (rows[name].to_numpy(float) for name in ("time", "left", "entered", "weight"))
    if periods is None:
        periods = int(time.max())
    elif isinstance(periods, bool) or not isinstance(periods, int | np.integer) or periods < 1:
        raise ModelError.expected(who, "periods", "a whole number of at least 1", periods)
    period = np.arange(1.0, int(periods) + 1)
    at_risk = np.array([weight[(entered < t) & (time >= t)].sum() for t in period])
    lost = np.array([weight[(time == t) & (left == 1)].sum() for t in period])
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = 1 - lost / at_risk

    def renewed(at: Array) -> Array:
        return model.stayed(at, period - 1, period)

    def there(at: Array) -> Array:
        return np.exp(model.log_survival(at, period))

    expected, survival = renewed(params), there(params)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.where(at_risk > 0, expected * (1 - expected) / at_risk, 0.0)
        steps = np.where(at_risk > 0, (1 - expected) / (expected * at_risk), np.nan)
        greenwood = np.nan_to_num(survival**2 * np.cumsum(steps))
    low, high = _ends(model, renewed, chance, share)
    below, above = _ends(model, there, greenwood, share)
    found = {
        "period": period.astype(np.int64),
        "customers": at_risk,
        "seen": seen,
        "expected": expected,
        "low": low,
        "high": high,
    }
    more = {"survival": survival, "survival_low": below, "survival_high": above}
    return pd.DataFrame({**found, "survival_seen": np.cumprod(seen), **more})


def _ends(model: UnderContract, function: Function, chance: Array, level: float) -> tuple[Array, Array]:
    """Interval of shares with the variance by chance beside that of the parameters; of few customers in whole counts."""
    point = function(model.parameters())
    both = point * (1 - point)
    mean, spread, skew = log_cumulants_of(model, lambda at: _odds(function(at)), _odds(point))
    low, high = quantiles((mean, spread + chance / both**2, skew), level)
    low, high = special.expit(low), special.expit(high)
    with np.errstate(divide="ignore"):
        size = np.where(chance > 0, both / chance, 0.0)
    for k in np.flatnonzero((size > 0) & (size * np.minimum(point, 1 - point) < FEW)):
        low[k], high[k] = _of_count(max(round(float(size[k])), 1), float(point[k]), float(spread[k] * both[k] ** 2), level)
    return np.minimum(low, point), np.maximum(high, point)


def _odds(share: Array) -> Array:
    return np.asarray(share / np.maximum(1 - share, 1e-16))


def _of_count(size: int, share: float, variance: float, level: float) -> tuple[float, float]:
    """Interval of the share of few customers: binomial, or beta-binomial where the chance is known up to a variance."""
    rare = min(share, 1 - share)
    count = np.arange(min(size, _MOST) + 1)
    strength = rare * (1 - rare) / variance - 1 if variance > 0 else np.inf
    choose = -special.betaln(size - count + 1, count + 1) - np.log(size + 1)
    if strength > 1e9:
        mass = choose + special.xlogy(count, rare) + special.xlog1py(size - count, -rare)
    else:
        a, b = rare * max(strength, 1e-3), (1 - rare) * max(strength, 1e-3)
        mass = choose + special.betaln(count + a, size - count + b) - special.betaln(a, b)
    reached = np.cumsum(np.exp(mass))
    ends = count[np.minimum(np.searchsorted(reached, [(1 - level) / 2, (1 + level) / 2]), len(count) - 1)] / size
    return (ends[0], ends[1]) if share <= 0.5 else (1 - ends[1], 1 - ends[0])


def plot_retention(
    model: UnderContract,
    summary: Any,
    *,
    of: str = "retention",
    periods: int | None = None,
    level: float = LEVEL,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many customers renew in each period, or how many are still there, seen and fitted: :func:`retention_frame`.

    Parameters
    ----------
    model, summary, periods, level
        As of ``retention_frame``. Beyond the periods that were seen the line is dashed, and its band that of the expectation.
    of : {"retention", "survival"}
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import SBG
    >>> model = SBG(unit="year").fit([1000, 869, 743, 653, 593])
    >>> plot_retention(model, [1000, 869, 743, 653, 593], of="survival", periods=8).get_xlabel()
    'years since the beginning'
    """
    if of not in ("retention", "survival"):
        raise ModelError.expected("plot_retention", "of", "'retention' or 'survival'", of)
    frame = retention_frame(model, summary, periods=periods, level=level)
    names = ["expected", "low", "high", "seen"]
    if of == "survival":
        names = ["survival", "survival_low", "survival_high", "survival_seen"]
        start = dict.fromkeys(names, 1.0) | {"period": 0, "customers": frame["customers"].iloc[0]}
        frame = pd.concat([pd.DataFrame([start]), frame], ignore_index=True)
    ax = axes_of(ax, (7.2, 4.4))
    at, point, low, high, seen = (frame[name].to_numpy(float) for name in ("period", *names))
    known = int(np.isfinite(seen).sum())
    for part, style, alpha, label in (
        (slice(0, known), "solid", PALE, f"fitted, {100 * level:g}% interval of what is seen"),
        (slice(max(known - 1, 0), None), "dashed", PALE / 2, f"projected, {100 * level:g}% interval of the expectation"),
    ):
        inside = slice(known, None) if style == "dashed" else part
        if len(at[inside]):
            ax.fill_between(at[inside], low[inside], high[inside], color=EXPECTED, alpha=alpha, linewidth=0)
            ax.plot(at[part], point[part], color=EXPECTED, linestyle=style, label=label)
    ax.plot(at[:known], seen[:known], "D", color=SEEN, markersize=5, label="seen")
    one, several = ("period", "periods") if model.unit is None else model.unit_names
    if of == "survival":
        ax.set(xlabel=f"{several} since the beginning", ylabel="share of customers still there", ylim=(0, 1.03))
        ax.set_title("Customers who are still there")
    else:
        ax.set(xlabel=f"{one} since the beginning", ylabel="share of those there who renew")
        ax.set_title(f"Retention by {one}")
        ax.set_ylim(top=min(1.02, ax.get_ylim()[1]))
    ax.locator_params(axis="x", integer=True)
    ax.legend(frameon=False)
    return ax
