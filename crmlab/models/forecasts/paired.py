"""Which of several forecasts is shown to be better, by paired differences that count each customer once, and when none is.

All forecasters tell the same customers on the same origins, so that what makes the one err makes the other err as well, and the difference
is known far better than either. Intervals are those of customers drawn anew in the same weeks. Because other weeks may differ, nobody is
called better who was not better on most of the origins as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models.checked import checked_level
from crmlab.models.classification import gini_influence
from crmlab.models.clusters import by_cluster, clusters_of, freedom_of, interval_of, t_quantile
from crmlab.models.forecasts.scores import checked_forecast, mean_absolute_error, total_influence, total_ratio
from crmlab.models.intervals import LEVEL
from crmlab.models.testing.max_t import holm

__all__ = ["AIMS", "Scored", "Winners", "differences", "leaderboard", "winners"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Estimate = tuple[float, float, float, float]
AIMS = ("rank", "total", "error")
_CORRECTIONS = ("holm", "bh", "none")
_DRAWS = 10_000  # of the ratios of all origins
_SURE = 0.998  # an interval of this level that leaves out 1 says on which side of it a ratio is
_MOST_UNSURE = 6  # origins on which a ratio may be on either side, of each forecaster


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Forecasts of the same customers on the same origins, and what came. Make one with :meth:`of`.

    Attributes
    ----------
    who : array of int of shape (n,)
        The customer of each row; one who was looked at on several origins has several rows.
    origin : array of int of shape (n,)
        Place of each row's origin in ``origins``.
    actual : array of shape (n,)
    told : mapping of str to array of shape (n,)
        By forecaster, in the order that they were given in.
    origins : tuple
        In order.
    """

    who: Whole
    origin: Whole
    actual: Array
    told: Mapping[str, Array]
    origins: tuple[object, ...]

    @classmethod
    def of(cls, trials: Mapping[object, pd.DataFrame]) -> Scored:
        """Put trials together.

        Parameters
        ----------
        trials : mapping of origin to DataFrame
            Indexed by customer_id: ``actual``, and one column per forecaster, the same on all origins.

        Raises
        ------
        ModelError
            There is no trial or no forecaster, a customer has two rows on one origin, forecasters differ between origins, or a number is
            missing.

        Examples
        --------
        >>> trial = pd.DataFrame({"actual": [0.0, 3.0], "mean rate": [1.0, 1.0]}, index=["a", "b"])
        >>> scored = Scored.of({"2011-03-11": trial, "2011-06-10": trial})
        >>> list(scored.told), scored.who.tolist(), scored.origin.tolist()
        (['mean rate'], [0, 1, 0, 1], [0, 0, 1, 1])
        """
        frames = list(trials.values())
        names = [name for name in frames[0].columns if name != "actual"] if frames else []
        if not names:
            raise ModelError.needs("Scored", "at least one origin and one forecaster", f"{len(frames)} and none")
        for origin, frame in trials.items():
            if set(frame.columns) != {"actual", *names} or frame.columns.has_duplicates:
                expectation = f"actual and {', '.join(map(str, names))}"
                raise ModelError.expected("Scored", f"columns of {origin}", expectation, ", ".join(map(str, frame.columns)))
            if frame.index.has_duplicates:
                raise ModelError.expected("Scored", f"index of {origin}", "one row for each customer", "a customer twice")
        table = pd.concat([frame[["actual", *names]] for frame in frames])
        checked = checked_forecast("Scored", *(table[name] for name in table.columns))
        return cls(
            who=clusters_of("Scored", table.index.to_numpy(), len(table)),
            origin=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
            actual=checked[0],
            told=dict(zip(map(str, names), checked[1:], strict=True)),
            origins=tuple(trials),
        )

    def parts(self) -> Iterator[npt.NDArray[np.bool_]]:
        """Which rows belong to each origin, one after the other."""
        for k in range(len(self.origins)):
            yield self.origin == k


@dataclass(frozen=True, kw_only=True, eq=False)
class Winners:
    """Who is shown to be better, or nobody.

    Attributes
    ----------
    rank, total : str or None
        Forecaster that is shown to be better at ranking customers, and at the total; None where none is shown to be.
    differences : DataFrame
        What it rests on: that of :func:`differences`, of both aims.
    """

    rank: str | None
    total: str | None
    differences: pd.DataFrame


def leaderboard(scored: Scored, level: float = LEVEL) -> pd.DataFrame:
    """Measure each forecaster over all origins.

    Parameters
    ----------
    scored : Scored
    level : float

    Returns
    -------
    DataFrame
        Indexed by forecaster, in their order: gini (normalised; mean over origins), total_ratio (told over came, of all origins
        together), total_error (how far that ratio is from 1 on an origin; mean over origins) and error (mean absolute, per customer),
        with gini_low, gini_high and so on; total_error is without an interval. NaN where nothing came.

    Examples
    --------
    >>> trial = pd.DataFrame({"actual": [0.0, 1.0, 2.0, 5.0], "perfect": [0.0, 1.0, 2.0, 5.0], "constant": [1.0] * 4})
    >>> leaderboard(Scored.of({1: trial}))[["gini", "total_ratio", "total_error", "error"]].values.tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.5, 0.5, 1.5]]
    """
    level = checked_level("leaderboard", level)
    rows = {}
    for name, told in scored.told.items():
        row: dict[str, float] = {}
        values, influence = _by_origin(scored, name, "rank")
        known = ~np.isnan(values)
        mean = float(values[known].mean()) if known.any() else float("nan")
        row["gini"], low, high, _ = interval_of(mean, by_cluster(influence, scored.who), level)
        row["gini_low"], row["gini_high"] = max(low, -1.0), min(high, 1.0)
        ratios = _by_origin(scored, name, "total")[0]
        known = ~np.isnan(ratios)
        row |= _triple("total_ratio", total_ratio(scored.actual, told, who=scored.who, level=level))
        row["total_error"] = float(np.abs(ratios[known] - 1).mean()) if known.any() else float("nan")
        row |= _triple("error", mean_absolute_error(scored.actual, told, who=scored.who, level=level))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("forecaster")


def differences(
    scored: Scored, aim: str, than: str | None = None, *, correction: str = "holm", level: float = LEVEL, seed: int = 0
) -> pd.DataFrame:
    """Compare forecasters by paired differences.

    Parameters
    ----------
    scored : Scored
    aim : {"rank", "total", "error"}
        What is compared: the normalised Gini (mean over origins); how far the total told over the total that came is from 1 (mean over
        origins); the absolute error of each customer.
    than : str, optional
        Who all others are compared with; by default all pairs are compared.
    correction : {"holm", "bh", "none"}
        For many comparisons at once: Holm (no false finding), or Benjamini and Hochberg (few false ones among the findings).
    level : float
        Of the intervals, and of what is shown. Under Holm intervals are Bonferroni's, so that they hold together.
    seed : int
        Of the draws that intervals of totals rest on where sides are not sure.

    Returns
    -------
    DataFrame
        aim, first, second, difference (how much better the first is: above 0, it is the better), low, high, p_value, p_adjusted,
        first_better and second_better (origins on which the one or the other was better, of ``origins``), better (who is shown to be
        better: by the corrected p-value, and on more than half of the origins; None where nobody is).

    Raises
    ------
    ModelError
        There is no such aim, correction or forecaster, or fewer than two forecasters.

    Notes
    -----
    Each customer's influence on the difference is summed over origins, and the variance is that of these sums (Liang and Zeger); t
    quantiles have Satterthwaite's degrees of freedom, since few customers may carry most of a total. The distance of a ratio from 1 has
    no slope where the ratio is 1, and chance alone puts every ratio at some distance. Where it is not sure on which side of 1 a ratio
    is, both are tried, and the interval holds for the worse; critical values of the best of several are those of their largest, from
    draws of the joint t distribution of their errors.

    References
    ----------
    Diebold and Mariano (1995), Comparing predictive accuracy, Journal of Business and Economic Statistics 13.
    Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57. Holm (1979), Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> actual = np.arange(200.0) % 7
    >>> trial = pd.DataFrame({"actual": actual, "good": actual + 0.3, "blind": 3.0})
    >>> differences(Scored.of({1: trial}), "rank")[["first", "second", "better"]].values.tolist()
    [['good', 'blind', 'good']]
    """
    level = checked_level("differences", level)
    for name, given, options in (("aim", aim, AIMS), ("correction", correction, _CORRECTIONS)):
        if given not in options:
            raise ModelError.expected("differences", name, f"one of {', '.join(options)}", given)
    pairs = _pairs(scored, than)
    share = 1 - (1 - level) / len(pairs) if correction == "holm" else level
    found = {name: _by_origin(scored, name, aim) for name in scored.told}
    rows = []
    for first, second in pairs:
        one, other = found[first], found[second]
        gain = _gains(one[0], other[0], aim)
        if aim == "total":
            estimate = _distances(scored, (one, other), share, seed)
        else:
            sign = 1.0 if aim == "rank" else -1.0
            value = _mean(sign * (one[0] - other[0]), scored, aim)
            estimate = interval_of(value, by_cluster(sign * (one[1] - other[1]), scored.who), share)
        rows.append((aim, first, second, *estimate, int((gain > 0).sum()), int((gain < 0).sum()), len(scored.origins)))
    columns = ["aim", "first", "second", "difference", "low", "high", "p_value", "first_better", "second_better", "origins"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.insert(7, "p_adjusted", _adjusted(frame["p_value"].to_numpy(float), correction))
    sure = (frame["p_adjusted"] < 1 - level).to_numpy()
    up = sure & (frame["difference"] > 0) & (2 * frame["first_better"] > frame["origins"])
    down = sure & (frame["difference"] < 0) & (2 * frame["second_better"] > frame["origins"])
    better = np.where(up, frame["first"], np.where(down, frame["second"], None))
    return frame.assign(better=pd.Series(better, index=frame.index, dtype=object))


def winners(
    scored: Scored, than: str | None = None, *, correction: str = "holm", level: float = LEVEL, seed: int = 0
) -> Winners:
    """Say who is shown to be better than one's own forecaster, or than all others, at rank and at the total.

    Parameters
    ----------
    scored : Scored
    than : str, optional
        One's own: a rival wins who is shown to be better than it; of several, the one with the best value, of equals the one named
        first. By default a winner must be shown to be better than each of the others.
    correction, level, seed
        As of :func:`differences`.

    Returns
    -------
    Winners
        Nobody where none is shown to be better, however the values are ordered.

    Raises
    ------
    ModelError
        There is no such correction or forecaster, or fewer than two forecasters.

    Examples
    --------
    >>> actual = np.arange(200.0) % 7
    >>> trial = pd.DataFrame({"actual": actual, "ours": actual.mean(), "ranks": 2 * actual, "same": actual.mean()})
    >>> found = winners(Scored.of({1: trial}), "ours")
    >>> found.rank, found.total
    ('ranks', None)
    """
    frames, won = [], {}
    for aim in ("rank", "total"):
        frame = differences(scored, aim, than, correction=correction, level=level, seed=seed)
        frames.append(frame)
        shown = frame[frame["better"].notna()]
        if than is None:
            counts = shown["better"].value_counts()
            won[aim] = next((str(name) for name in scored.told if counts.get(name, 0) == len(scored.told) - 1), None)
        else:
            rivals = shown[shown["better"] != than]
            won[aim] = str(rivals.loc[rivals["difference"].idxmax(), "better"]) if len(rivals) else None
    return Winners(rank=won["rank"], total=won["total"], differences=pd.concat(frames, ignore_index=True))


def _pairs(scored: Scored, than: str | None) -> list[tuple[str, str]]:
    names = list(scored.told)
    if len(names) < 2:
        raise ModelError.needs("differences", "at least two forecasters", str(len(names)))
    if than is None:
        return list(combinations(names, 2))
    if than not in scored.told:
        raise ModelError.no_such("forecaster", than, names)
    return [(name, than) for name in names if name != than]


def _by_origin(scored: Scored, name: str, aim: str) -> tuple[Array, Array]:
    """The measure on each origin, and each row's influence on the mean over origins; of totals, on the ratio of its own origin."""
    values, influence = np.empty(len(scored.origins)), np.zeros(len(scored.actual))
    for k, part in enumerate(scored.parts()):
        y, told = scored.actual[part], scored.told[name][part]
        if aim == "rank":
            values[k], each = gini_influence(y, told)
            each = each / len(y)
        elif aim == "total":
            values[k], each = total_influence(y, told)
        else:
            loss = np.abs(y - told)
            values[k], each = loss.mean(), loss
        influence[part] = np.nan_to_num(each)
    if aim == "rank":
        influence /= max(int((~np.isnan(values)).sum()), 1)
    elif aim == "error":
        influence = (influence - influence.mean()) / len(influence)
    return values, influence


def _gains(one: Array, other: Array, aim: str) -> Array:
    """How much better the first is on each origin; differences that are rounding are none."""
    gain = {"rank": one - other, "total": np.abs(other - 1) - np.abs(one - 1), "error": other - one}[aim]
    return np.where(np.abs(gain) > 1e-12 * np.maximum(np.abs(one), np.abs(other)), gain, 0.0)


def _mean(gain: Array, scored: Scored, aim: str) -> float:
    """Mean over origins; of errors over customers, as many as each origin has."""
    known = ~np.isnan(gain)
    weight = np.bincount(scored.origin, minlength=len(gain)).astype(float) if aim == "error" else np.ones(len(gain))
    return float(np.average(gain[known], weights=weight[known])) if known.any() else float("nan")


def _distances(scored: Scored, found: tuple[tuple[Array, Array], tuple[Array, Array]], level: float, seed: int) -> Estimate:
    """How much nearer to 1 the first's ratios are than the second's, mean over origins."""
    known = np.flatnonzero(~np.isnan(found[0][0]))
    if not len(known):
        return float("nan"), float("nan"), float("nan"), 1.0
    away = np.array([values[known] - 1 for values, _ in found])
    # In the order of ratios: each origin of the first, then of the second.
    sums = np.column_stack(
        [by_cluster(np.where(scored.origin == k, influence, 0.0), scored.who) for _, influence in found for k in known]
    )
    value = float(np.abs(away[1]).mean() - np.abs(away[0]).mean())
    if np.allclose(away[0], away[1], rtol=1e-12, atol=0) or len(sums) < 2:
        return value, float("nan"), float("nan"), 1.0
    signs = np.sign(away)
    freedom = min(freedom_of(sums @ np.concatenate([-signs[0], signs[1]])), len(sums) - 1.0)
    covariance = sums.T @ sums
    far = np.abs(away) > t_quantile(_SURE, freedom) * np.sqrt(np.diag(covariance)).reshape(2, -1)
    possible = [_signs(signs[k], far[k]) for k in (0, 1)]
    errors = _Errors(covariance, freedom, len(sums), seed)
    low, below = errors.bound(away, (possible[0], possible[1]), level)
    high, above = errors.bound(away[::-1], (possible[1], possible[0]), level, swapped=True)
    return value, min(low, value), max(-high, value), min(2 * min(below, above), 1.0)


def _signs(signs: Array, sure: npt.NDArray[np.bool_]) -> Array:
    """On which side of 1 the ratios of the origins may be in truth, in each row one way: where it is not sure, on either."""
    free = np.flatnonzero(~sure)[:_MOST_UNSURE]
    ways = np.array(list(product((-1.0, 1.0), repeat=len(free))), dtype=float).reshape(2 ** len(free), len(free))
    rows = np.tile(np.where(signs == 0, 1.0, signs), (len(ways), 1))
    rows[:, free] = ways
    return rows


class _Errors:
    """Errors of the ratios of two forecasters, and what they leave of the distance between them."""

    def __init__(self, covariance: Array, freedom: float, clusters: int, seed: int) -> None:
        self.covariance, self.freedom, self.clusters, self.seed = covariance, freedom, clusters, seed

    @cached_property
    def drawn(self) -> Array:
        rng = np.random.default_rng(self.seed)
        size, vectors = np.linalg.eigh(self.covariance)
        normal = rng.standard_normal((_DRAWS, len(size))) @ (vectors * np.sqrt(np.maximum(size, 0.0))).T
        return (
            normal * np.sqrt(self.freedom / rng.chisquare(self.freedom, _DRAWS))[:, None]
            if np.isfinite(self.freedom)
            else normal
        )

    def bound(self, away: Array, signs: tuple[Array, Array], level: float, swapped: bool = False) -> tuple[float, float]:
        """Least by which the second is farther away than the first, and the one-sided p-value of 0.

        A distance from 1 is the largest of s a over all signs s, where a is what a ratio is away. That of the first is taken at the
        worst of its possible signs. That of the second may be taken at the best, and that the best of several was taken is paid for:
        critical values are those of the largest of them.
        """
        least, chance = np.full(len(signs[1]), np.inf), np.zeros(len(signs[1]))
        for mine in signs[0]:
            along = np.column_stack([np.tile(-mine, (len(signs[1]), 1)), signs[1]]) / away.shape[1]
            value = along @ away.ravel()
            placed = np.roll(along, away.shape[1], axis=1) if swapped else along
            error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", placed, self.covariance, placed), 0.0))
            error = np.maximum(error, 2 * np.abs(value) / self.clusters)  # as if one more customer had done the opposite
            error = np.where(error > 0, error, np.inf)
            if len(placed) == 1:
                critical, p = t_quantile(level, self.freedom), stats.t.sf(value / error, self.freedom)
            else:
                top = np.sort((self.drawn @ placed.T / error).max(axis=1))
                critical = float(np.quantile(top, (1 + level) / 2))
                p = (len(top) - np.searchsorted(top, value / error) + 1) / (len(top) + 1)
            least = np.minimum(least, value - critical * np.where(np.isinf(error), 0.0, error))
            chance = np.maximum(chance, p)
        return float(least.max()), float(chance.min())


def _adjusted(p: Array, correction: str) -> Array:
    if correction == "holm":
        return holm(p)
    return np.asarray(stats.false_discovery_control(p)) if correction == "bh" else p


def _triple(name: str, found: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
