"""How intervals are judged that were told of many worlds: how often they held, how wide they are, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from crmlab.models.intervals import LEVEL, clopper_pearson
from tests.worlds.world import World

__all__ = [
    "ALLOWED",
    "SURE",
    "WIDEST",
    "coverage",
    "interval_score",
    "last_year_goes_on",
    "too_seldom_or_often",
    "totals_judged",
]

ALLOWED = (0.85, 0.95)  # of the share of intervals at 90% that hold
SURE = 0.99  # level of the interval of that share: fails where it lies outside of what is allowed
WIDEST = 1.5  # times as wide as the interval of who knows the parameters, at most, in the median of all worlds
STEP = 91  # days between the earlier days on which the simple rule is tried


def coverage(held: Iterable[bool]) -> tuple[int, int, float, float]:
    """How many of how many intervals held, and the exact interval of the share that does (Clopper and Pearson)."""
    found = np.asarray(list(held), dtype=bool)
    low, high = clopper_pearson([int(found.sum())], [len(found)], SURE)
    return int(found.sum()), len(found), float(low[0]), float(high[0])


def too_seldom_or_often(held: Iterable[bool]) -> bool:
    """Whether it is shown that intervals hold less often or more often than is allowed."""
    _, _, low, high = coverage(held)
    return high < ALLOWED[0] or low > ALLOWED[1]


def interval_score(low: np.ndarray, high: np.ndarray, came: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Width, and 2 / (1 − level) times by how much what came lies outside: the less, the better.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, JASA 102, equation 43.
    """
    return (high - low) + 2 / (1 - level) * (np.maximum(low - came, 0) + np.maximum(came - high, 0))


def last_year_goes_on(world: World, weeks: int, level: float = LEVEL) -> dict[str, tuple[float, float, float]]:
    """What the last 52 weeks brought, at its pace, of purchases and of spend: point, low, high.

    The interval is the rule's own: the root of the mean squared log error on earlier days, a quarter apart, on each of which it is asked
    the same, times the quantile of Student's t of as many degrees of freedom as there were days.
    """
    orders = world.orders
    day = (orders["ordered_at"] - orders["ordered_at"].min()).dt.days.to_numpy()
    first = orders["customer_id"].map(pd.Series(day, index=orders["customer_id"]).groupby(level=0).min()).to_numpy()
    end = (pd.Timestamp(world.as_of) - orders["ordered_at"].min()).days
    origins = range(end - 7 * weeks, 363, -STEP)
    found = {}
    for name, of in (("purchases", np.ones(len(orders))), ("spend", orders["amount"].to_numpy(float))):

        def pace(origin: int, of: np.ndarray = of) -> float:
            return float(of[(day > origin - 364) & (day <= origin)].sum()) * weeks / 52

        def came(origin: int, of: np.ndarray = of) -> float:
            return float(of[(day > origin) & (day <= origin + 7 * weeks) & (first <= origin)].sum())

        errors = np.log([(came(one) + 0.5) / (pace(one) + 0.5) for one in origins])
        point, away = pace(end), float(np.sqrt(np.mean(errors**2)) * stats.t.ppf((1 + level) / 2, len(errors)))
        found[name] = (point, point * np.exp(-away), point * np.exp(away))
    return found


def totals_judged(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Judge forecasts of totals by measure and horizon.

    Parameters
    ----------
    rows : DataFrame
        One row per world, measure and horizon: measure, weeks, came; point, low, high (of the forecast); true_low, true_high (of who knows
        the parameters), true_middle (the median); simple_low, simple_high (last year goes on).

    Returns
    -------
    (table, faults)
        One row per measure and horizon: worlds, held, share, sure_low, sure_high, error (mean, of the forecast less what came, as a share
        of the median of who knows the parameters), width (median, of the ratio), score and simple_score (mean, in these medians); and what is wrong.
    """
    table, faults = [], []
    for (measure, weeks), some in rows.groupby(["measure", "weeks"]):
        held = (some["low"] <= some["came"]) & (some["came"] <= some["high"])
        inside, worlds, low, high = coverage(held)
        came, scale = some["came"].to_numpy(float), np.maximum(some["true_middle"].to_numpy(float), 1.0)
        score, simple = (
            float(np.mean(interval_score(some[f"{by}low"].to_numpy(float), some[f"{by}high"].to_numpy(float), came) / scale))
            for by in ("", "simple_")
        )
        ratio = (some["high"] - some["low"]) / (some["true_high"] - some["true_low"])
        width = float(ratio.median())
        error = float(np.mean((some["point"].to_numpy(float) - came) / scale))
        table.append((measure, weeks, worlds, inside, inside / worlds, low, high, error, width, score, simple))
        named = f"{measure} of {weeks} weeks"
        if too_seldom_or_often(held):
            faults.append(f"{named}: {inside} of {worlds} intervals held")
        # As with coverage, a fault is what the worlds show: the median of a few lies on either side by chance (the sign test, exact, at 99%).
        if coverage(ratio > WIDEST)[2] > 0.5:
            faults.append(f"{named}: {width:.2f} times as wide as those of who knows the parameters")
        if not score < simple:
            faults.append(f"{named}: an interval score of {score:.3f}, that of last year goes on {simple:.3f}")
    names = ["measure", "weeks", "worlds", "held", "share", "sure_low", "sure_high", "error", "width", "score", "simple_score"]
    return pd.DataFrame(table, columns=names), faults
