"""What is known of a test cell: size, means, and how its metrics vary together.

One row of sums per cell is enough for every comparison of means, rates and ratios, whether the sums come from one pass over
millions of contacts or from a published table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import LARGE, SMALL, checked_amounts, workable

__all__ = ["CellStatistics", "Pair", "as_dict", "at_least_0", "checked_rates", "known", "matrix", "pairs", "weighted"]


Pair = tuple[str, str]
MODEL = "CellStatistics"
_ROUNDING = 1e-9  # how far below its least possible value a sum of squares may be by rounding
_NOTHING = 1e-14  # share of a sum of squares under which what is left about the mean is rounding


@dataclass(frozen=True, eq=False)
class CellStatistics:
    """Size and moments of one cell. Made by ``from_sums``, ``from_moments``, ``from_values`` or ``from_clusters``.

    Attributes
    ----------
    n : int
        Customers in the cell, at least 1.
    metrics : tuple of str
        Names, covariates among them.
    means : array of shape (k,)
    scatter : array of shape (k, k)
        Sums of products of deviations from the means; where customers come in households, of households' totals less their size
        times the mean. NaN off the diagonal where a pair was not given.
    thirds : array of shape (k,)
        Sums of cubes of deviations; NaN where not given.
    rates : frozenset of str
        Metrics whose values are 0 or 1.
    clusters : int, optional
        Number of households, at least 2; None where each customer stands alone.
    """

    n: int
    metrics: tuple[str, ...]
    means: Array
    scatter: Array
    thirds: Array
    rates: frozenset[str]
    clusters: int | None = None

    def __post_init__(self) -> None:
        if not (self.n >= 1 and float(self.n).is_integer()):
            raise ModelError.expected(MODEL, "n", "a whole number of customers of at least 1", self.n)
        if self.clusters is not None and not 2 <= self.clusters <= self.n:
            raise ModelError.expected(MODEL, "clusters", f"from 2 to n = {self.n:,}", self.clusters)
        sizes = np.abs(np.concatenate([self.means, np.sqrt(np.diag(self.scatter) / self.n)]))
        if not workable(sizes).all():
            expectation = f"finite numbers, 0 or from {SMALL:g} to {LARGE:g} in size"
            raise ModelError.expected(MODEL, "values", expectation, dict(zip(self.metrics, self.means.tolist(), strict=True)))
        checked_rates(self.metrics, self.means, self.rates)

    @classmethod
    def from_sums(
        cls,
        n: int,
        sums: Mapping[str, Any],
        squares: Mapping[str, Any] | None = None,
        products: Mapping[Pair, Any] | None = None,
        cubes: Mapping[str, Any] | None = None,
    ) -> CellStatistics:
        """From sums over customers.

        Parameters
        ----------
        n : int
            Customers, those with 0 too.
        sums : mapping of metric to sum
        squares : mapping of metric to sum of squares
            A metric that is not here is a rate: its values are 0 or 1, and its sum is a count.
        products : mapping of pairs of metrics to sum of products, optional
            Needed between the parts of a ratio, and between a metric and its covariate.
        cubes : mapping of metric to sum of cubes, optional
            With it the interval of a mean allows for skewness.

        Raises
        ------
        ModelError
            A sum of squares is less than the sum allows, a rate is outside 0 to 1, or a name is unknown.

        Examples
        --------
        >>> cell = CellStatistics.from_sums(3407, sums={"spend": 1396.87}, squares={"spend": 52377.9767})
        >>> round(cell.mean("spend"), 4), round(cell.variance("spend") / 3407, 6)
        (0.41, 0.004464)
        """
        sums = as_dict(sums)
        squared, cubed = as_dict(squares), as_dict(cubes)
        names = tuple(sums)
        known("squares", squared, names)
        known("cubes", cubed, names)
        total = np.array([float(sums[name]) for name in names])
        means = total / max(n, 1)
        checked_rates(names, means, frozenset(names) - frozenset(squared))
        raw = np.array([float(squared.get(name, sums[name])) for name in names])
        scatter = matrix(names, at_least_0(names, raw - total * means, raw))
        for (a, b), value in pairs(products, names):
            varies = scatter[a, a] > 0 and scatter[b, b] > 0
            scatter[a, b] = scatter[b, a] = float(value) - total[a] * means[b] if varies else 0.0
        third = np.full(len(names), np.nan)
        for k, name in enumerate(names):
            if name in cubed or name not in squared:
                third[k] = float(cubed.get(name, sums[name])) - 3 * means[k] * raw[k] + 2 * n * means[k] ** 3
        return cls(n, names, means, scatter, third, frozenset(names) - frozenset(squared))

    @classmethod
    def from_moments(
        cls,
        n: int,
        means: Mapping[str, Any],
        variances: Mapping[str, Any] | None = None,
        covariances: Mapping[Pair, Any] | None = None,
        thirds: Mapping[str, Any] | None = None,
    ) -> CellStatistics:
        """From centred moments, which lose no digits where sums of squares would.

        Parameters
        ----------
        n : int
        means : mapping of metric to mean
        variances : mapping of metric to sample variance (over n - 1)
            A metric that is not here is a rate.
        covariances : mapping of pairs of metrics to sample covariance (over n - 1), optional
        thirds : mapping of metric to mean cube of deviations (over n), optional

        Examples
        --------
        >>> CellStatistics.from_moments(100, {"bought": 0.2, "spend": 4.0}, {"spend": 90.0}).rates
        frozenset({'bought'})
        """
        means = as_dict(means)
        varied, cubed = as_dict(variances), as_dict(thirds)
        names = tuple(means)
        known("variances", varied, names)
        known("thirds", cubed, names)
        m = np.array([float(means[name]) for name in names])
        p = np.clip(m, 0, 1)
        own = np.array([float(varied[a]) * (n - 1) if a in varied else n * p[k] * (1 - p[k]) for k, a in enumerate(names)])
        scatter = matrix(names, at_least_0(names, own, np.ones(len(names)), rounding=0.0))
        for (a, b), value in pairs(covariances, names):
            scatter[a, b] = scatter[b, a] = float(value) * (n - 1)
        third = np.full(len(names), np.nan)
        for k, name in enumerate(names):
            if name in cubed:
                third[k] = n * float(cubed[name])
            elif name not in varied:
                third[k] = n * p[k] * (1 - p[k]) * (1 - 2 * p[k])
        return cls(n, names, m, scatter, third, frozenset(names) - frozenset(varied))

    @classmethod
    def from_values(
        cls, values: Mapping[str, npt.ArrayLike], rates: Iterable[str] = (), households: npt.ArrayLike | None = None
    ) -> CellStatistics:
        """From one value per customer and metric.

        Parameters
        ----------
        values : mapping of metric to array of shape (n,), or DataFrame
        rates : names of metrics
            Those whose values are 0 or 1.
        households : array of shape (n,), optional
            Customers with the same one are assigned together.

        Examples
        --------
        >>> cell = CellStatistics.from_values({"bought": [0, 1, 0, 1]}, rates=["bought"])
        >>> cell.n, cell.mean("bought")
        (4, 0.5)
        """
        names = tuple(str(name) for name in values)
        try:
            table = np.column_stack([np.asarray(values[name], dtype=float) for name in values])
        except (TypeError, ValueError) as error:
            raise ModelError.expected(
                MODEL, "values", "numbers, as many of each metric, of one metric at least", names
            ) from error
        n, marked = len(table), frozenset(rates)
        known("rates", dict.fromkeys(marked), names)
        if n == 0:
            raise ModelError.expected(MODEL, "n", "a whole number of customers of at least 1", 0)
        table = checked_amounts(MODEL, "values", table)
        means = table.mean(axis=0)
        away = np.where(np.ptp(table, axis=0) > 0, table - means, 0.0)  # what is all alike does not vary by rounding
        if households is None:
            return cls(n, names, means, away.T @ away, (away**3).sum(axis=0), marked)
        _, group = np.unique(np.asarray(households), return_inverse=True)
        if len(group) != n:
            raise ModelError.expected(MODEL, "households", f"one per customer, {n}", len(group))
        totals = np.column_stack([np.bincount(group, weights=column) for column in away.T]).astype(float)
        return cls(n, names, means, totals.T @ totals, np.full(len(names), np.nan), marked, len(totals))

    @classmethod
    def from_clusters(
        cls,
        n: int,
        clusters: int,
        sums: Mapping[str, Any],
        squares: Mapping[str, Any],
        products: Mapping[Pair, Any],
        rates: Iterable[str] = (),
    ) -> CellStatistics:
        """From sums over households of their totals, where whole households are assigned.

        Means are ratios of two totals, what households spent over how many are in them; their variance is the linearised one.

        Parameters
        ----------
        n, clusters : int
            Customers, and households.
        sums : mapping of metric to sum
        squares : mapping of metric, and of "size", to the sum over households of the square of the household's total
            Of "size": of the square of the number of customers in it. Rates need it too.
        products : mapping of pairs to sum over households of the product of two totals
            Each metric with "size", ("spend", "size"); pairs of metrics where a ratio or a covariate needs them.
        rates : names of metrics
            Those whose values are 0 or 1 for a customer.

        References
        ----------
        Cochran (1977), Sampling Techniques, 3rd edition, equations (9A.1) to (9A.3).

        Examples
        --------
        Three households, of 1, 2 and 1 customers who spent 2, 4 and 9 in all:

        >>> cell = CellStatistics.from_clusters(4, 3, {"spend": 15}, {"spend": 101, "size": 6}, {("spend", "size"): 19})
        >>> round(float(cell.covariance_of_means[0, 0]), 6)
        4.019531
        """
        sums = as_dict(sums)
        names, marked = tuple(sums), frozenset(rates)
        known("rates", dict.fromkeys(marked), names)
        known("squares", as_dict(squares), (*names, "size"))
        given = {frozenset(pair): float(value) for pair, value in products.items()}
        known("products", dict.fromkeys(name for pair in products for name in pair), (*names, "size"))
        missing = [key for key in (*names, "size") if key not in squares]
        missing += [f"{name} × size" for name in names if frozenset((name, "size")) not in given]
        if missing:
            raise ModelError.expected(MODEL, "squares and products", "complete for households", f"no {', '.join(missing)}")
        means = np.array([float(sums[name]) for name in names]) / max(n, 1)
        cross = np.array([given[frozenset((name, "size"))] for name in names])
        size = float(squares["size"])
        own = np.array([float(squares[name]) for name in names])
        scatter = matrix(names, at_least_0(names, own - 2 * means * cross + means**2 * size, own))
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                if i != j and frozenset((a, b)) in given:
                    between = given[frozenset((a, b))] - means[i] * cross[j] - means[j] * cross[i]
                    scatter[i, j] = between + means[i] * means[j] * size
        return cls(n, names, means, scatter, np.full(len(names), np.nan), marked, clusters)

    @property
    def units(self) -> int:
        """What varies independently: households, or customers."""
        return self.n if self.clusters is None else self.clusters

    @property
    def covariance_of_means(self) -> Array:
        """Covariance matrix of the means, of shape (k, k); ModelError for fewer than two customers or households."""
        if self.units < 2:
            raise ModelError.expected(MODEL, "n", "at least 2 for the variance of a mean", self.n)
        return np.asarray(self.scatter * self.units / ((self.units - 1) * float(self.n) ** 2))

    def index(self, metric: str) -> int:
        """Position of a metric; ModelError where it is not known."""
        if metric not in self.metrics:
            raise ModelError.unknown_metric(metric, self.metrics)
        return self.metrics.index(metric)

    def mean(self, metric: str) -> float:
        """Mean of a metric, or share of customers for a rate."""
        return float(self.means[self.index(metric)])

    def variance(self, metric: str) -> float:
        """Variance of the mean times n: the sample variance, where customers stand alone."""
        k = self.index(metric)
        return float(self.covariance_of_means[k, k]) * self.n

    def combine(self, name: str, weights: Mapping[str, float], constant: float = 0.0) -> CellStatistics:
        """Add a metric that is a weighted sum of others, such as profit: margin less the cost of a contact.

        Parameters
        ----------
        name : str
        weights : mapping of metric to weight
        constant : float
            Added for each customer.

        Examples
        --------
        >>> cell = CellStatistics.from_sums(10, {"margin": 30.0}, {"margin": 300.0})
        >>> cell.combine("profit", {"margin": 1.0}, -0.8).mean("profit")
        2.2
        """
        w = np.zeros(len(self.metrics))
        for metric, weight in weights.items():
            w[self.index(metric)] = weight
        if name in self.metrics:
            raise ModelError.expected(MODEL, "name", "a name that is not yet a metric", name)
        cross = np.array([weighted(row, w) for row in self.scatter])
        k = len(self.metrics)
        scatter = np.zeros((k + 1, k + 1))
        scatter[:k, :k], scatter[k, :k], scatter[:k, k] = self.scatter, cross, cross
        scatter[k, k] = max(weighted(cross, w), 0.0)
        if np.isnan(scatter[k, k]):
            raise ModelError.no_product(*[a for a in self.metrics if w[self.index(a)]][:2])
        single = np.flatnonzero(w)
        third = float(self.thirds[single[0]] * w[single[0]] ** 3) if len(single) == 1 else np.nan
        means = np.append(self.means, self.means @ w + constant)
        return CellStatistics(
            self.n, (*self.metrics, name), means, scatter, np.append(self.thirds, third), self.rates, self.clusters
        )


def as_dict(mapping: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """A mapping or Series as a dict; an empty one where none was given."""
    return {} if mapping is None else dict(mapping)


def checked_rates(names: tuple[str, ...], means: Array, rates: frozenset[str]) -> None:
    """Refuse rates outside 0 to 1."""
    for name, mean in zip(names, means, strict=True):
        if name in rates and not 0 <= mean <= 1:
            raise ModelError(
                f"{MODEL}: '{name}' is taken for a rate, whose mean must be from 0 to 1. Found {mean:.6g}. "
                "Give its sum of squares (or its variance) where its values are not 0 or 1."
            )


def weighted(values: Array, weights: Array) -> float:
    """Sum with weights, in which a value that is not known counts only where its weight is not 0."""
    used = weights != 0
    return float(values[used] @ weights[used])


def matrix(names: tuple[str, ...], diagonal: Array) -> Array:
    """A matrix of which only the diagonal is known yet."""
    found = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(found, diagonal)
    return found


def known(argument: str, given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse names that are no metric."""
    for name in given:
        if name not in tuple(names):
            raise ModelError.unknown_metric(name, names, argument)


def pairs(given: Mapping[Pair, Any] | None, names: tuple[str, ...]) -> list[tuple[tuple[int, int], Any]]:
    """Pairs of positions, with what was given for them."""
    found = []
    for pair, value in as_dict(given).items():
        known("products", dict.fromkeys(pair), names)
        found.append(((names.index(pair[0]), names.index(pair[1])), value))
    return found


def at_least_0(names: tuple[str, ...], scatter: Array, scale: Array, rounding: float = _NOTHING) -> Array:
    """Sums of squared deviations; a little below 0 is rounding, much below it is a mistake."""
    for name, value, size in zip(names, scatter, scale, strict=True):
        if value < -_ROUNDING * max(abs(size), 1e-300):
            raise ModelError(
                f"{MODEL}: the sum of squares of '{name}' is less than its sum allows. Expected at least sum² / n. "
                "Check that both are over the same customers."
            )
    return np.where(scatter > rounding * np.abs(scale), scatter, 0.0)
