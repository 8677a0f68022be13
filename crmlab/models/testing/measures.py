"""One metric in all cells: its values, how sure they are, and the scales on which differences and ratios are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.testing.cells import CellStatistics

__all__ = ["Measure", "fieller", "from_normal", "log_ratio", "measure", "reach", "to_normal", "unskewed"]


@dataclass(frozen=True, eq=False)
class Measure:
    """Values of a metric by cell.

    Attributes
    ----------
    kind : {"rate", "mean", "ratio"}
    values, variances : array of shape (cells,)
        The variance is that of the value, not of a customer.
    freedoms : array of shape (cells,)
        Customers or households less 1.
    skew : float, optional
        Skewness of customers' values inside all cells together: in one cell it would be too unsure. That of what an adjustment
        leaves is taken to be the same. None where not known.
    sizes : array of shape (cells,)
        Number of customers, fewer where households vary more than customers would alone.
    weights : array of shape (cells, metrics)
        The value as a linear combination of the cell's means, near them.
    """

    kind: str
    adjusted: bool
    clustered: bool
    values: Array
    variances: Array
    freedoms: Array
    skew: float | None
    sizes: Array
    weights: tuple[dict[str, float], ...]

    @property
    def score(self) -> bool:
        """Whether the score test of two rates is used."""
        return self.kind == "rate" and not self.adjusted

    def error(self, a: int, b: int) -> float:
        """Standard error of the difference of two cells."""
        return float(np.sqrt(self.variances[a] + self.variances[b]))

    def freedom(self, a: int, b: int) -> float:
        """Satterthwaite's degrees of freedom."""
        v, w = self.variances[a], self.variances[b]
        return float((v + w) ** 2 / (v**2 / self.freedoms[a] + w**2 / self.freedoms[b]))

    def skewness(self, a: int, b: int) -> float:
        """Skewness of the difference, 0 where it is not known, or sizes are equal."""
        if self.skew is None:
            return 0.0
        u, w = 1 / self.sizes[a], 1 / self.sizes[b]
        return float(self.skew * (u**2 - w**2) / (u + w) ** 1.5)

    @property
    def method(self) -> str:
        """What the page calls it."""
        if self.score:
            found = "score"
        elif self.kind == "ratio":
            found = "delta"
        else:
            found = "welch" if self.skew is None else "welch-skew"
        return found + ("-adjusted" if self.adjusted else "") + ("-households" if self.clustered else "")

    def covariance(self, other: Measure, cell: int, statistics: CellStatistics) -> float:
        """Of two metrics' values in one cell; 0 where their product is not known."""
        if other is self:
            return float(self.variances[cell])
        matrix = statistics.covariance_of_means
        total = sum(
            u * w * matrix[statistics.index(x), statistics.index(y)]
            for x, u in self.weights[cell].items()
            for y, w in other.weights[cell].items()
        )
        return float(total) if np.isfinite(total) else 0.0


def measure(
    cells: Sequence[CellStatistics], metric: str, ratio: tuple[str, str] | None = None, covariates: Sequence[str] = ()
) -> Measure:
    """One metric of all cells, adjusted with one coefficient per covariate for all of them.

    Raises
    ------
    ModelError
        The metric is unknown, does not vary in any cell, or a product that it needs is not known.
    """
    if ratio is None:
        weights = [{metric: 1.0} for cell in cells if cell.index(metric) >= 0]
        values = np.array([cell.mean(metric) for cell in cells])
        kind = "rate" if all(metric in cell.rates for cell in cells) else "mean"
    else:
        kind, weights, values = "ratio", [], np.zeros(len(cells))
        for k, cell in enumerate(cells):
            top, bottom = cell.mean(ratio[0]), cell.mean(ratio[1])
            if bottom == 0:
                raise ModelError.expected("compare_cells", "ratios", f"over '{ratio[1]}' that is not 0 in a cell", 0)
            values[k] = top / bottom
            weights.append({ratio[0]: 1 / bottom, ratio[1]: -values[k] / bottom})
    if covariates:
        weights, values = _adjusted(cells, weights, values, covariates)
    units = np.array([cell.units for cell in cells], dtype=float)
    n = np.array([cell.n for cell in cells], dtype=float)
    clustered = any(cell.clusters is not None for cell in cells)
    if kind == "rate" and not covariates:
        sizes = np.array([_effective(cell, metric) for cell in cells])
        p = (values * sizes + 0.5) / (sizes + 1)  # a rate of 0 is not sure to be 0
        return Measure(
            kind, False, clustered, values, p * (1 - p) / sizes, np.maximum(units - 1, 1), None, sizes, tuple(weights)
        )
    variances = np.array([_quadratic(cell, own) for cell, own in zip(cells, weights, strict=True)])
    if not (variances > 0).any():
        raise ModelError.does_not_vary(metric, float(values[0]))
    per_unit = (variances * units * (units - 1))[variances > 0].sum() / (units - 1)[variances > 0].sum()
    variances = np.where(variances > 0, variances, per_unit / units)
    skew = None if ratio is not None else _skewness(cells, metric)
    return Measure(kind, bool(covariates), clustered, values, variances, units - 1, skew, n, tuple(weights))


def _skewness(cells: Sequence[CellStatistics], metric: str) -> float | None:
    """Skewness of a metric inside the cells, over all of them."""
    k = [cell.index(metric) for cell in cells]
    third = sum(float(cell.thirds[i]) for cell, i in zip(cells, k, strict=True)) / sum(cell.n for cell in cells)
    second = sum(float(cell.scatter[i, i]) for cell, i in zip(cells, k, strict=True)) / sum(cell.n - 1 for cell in cells)
    return third / second**1.5 if np.isfinite(third) else None


def _effective(cell: CellStatistics, rate: str) -> float:
    """Number of lone customers that would know as much of a rate as these households do; never more than there are."""
    if cell.clusters is None:
        return float(cell.n)
    p, k = cell.mean(rate), cell.index(rate)
    if p * (1 - p) == 0:
        return float(cell.clusters)
    return min(float(cell.n), p * (1 - p) / float(cell.covariance_of_means[k, k]))


def _quadratic(cell: CellStatistics, weights: dict[str, float]) -> float:
    """Variance of a linear combination of a cell's means."""
    matrix, total = cell.covariance_of_means, 0.0
    for a, u in weights.items():
        for b, w in weights.items():
            value = matrix[cell.index(a), cell.index(b)]
            if np.isnan(value) and u * w != 0:
                raise ModelError.no_product(a, b)
            total += u * w * float(value) if u * w != 0 else 0.0
    largest = max(w * w * float(matrix[cell.index(a), cell.index(a)]) for a, w in weights.items())
    return total if total > 1e-14 * largest else 0.0


def _adjusted(
    cells: Sequence[CellStatistics], weights: list[dict[str, float]], values: Array, covariates: Sequence[str]
) -> tuple[list[dict[str, float]], Array]:
    """Take off the covariates' differences: one coefficient for all cells, from what goes together inside the cells."""
    k = len(covariates)
    inner, cross = np.zeros((k, k)), np.zeros(k)
    for cell, own in zip(cells, weights, strict=True):
        for i, x in enumerate(covariates):
            for j, y in enumerate(covariates):
                inner[i, j] += _product(cell, x, y)
            cross[i] += sum(w * _product(cell, metric, x) for metric, w in own.items())
    slope = np.linalg.lstsq(inner, cross, rcond=1e-12)[0]
    means = np.array([[cell.mean(x) for x in covariates] for cell in cells])
    overall = np.average(means, axis=0, weights=[cell.n for cell in cells])
    moved = values - (means - overall) @ slope
    taken = dict(zip(covariates, (-slope).tolist(), strict=True))
    return [{name: own.get(name, 0.0) + taken.get(name, 0.0) for name in {**own, **taken}} for own in weights], moved


def _product(cell: CellStatistics, a: str, b: str) -> float:
    value = float(cell.scatter[cell.index(a), cell.index(b)])
    if np.isnan(value):
        raise ModelError.no_product(a, b)
    return value


def to_normal(t: float, freedom: float) -> float:
    """The standard normal value whose tail is that of t."""
    return float(-np.sign(t) * special.ndtri(max(special.stdtr(freedom, -abs(t)), 1e-300)))


def from_normal(z: float, freedom: float) -> float:
    """The t value whose tail is that of a standard normal value of at least 0."""
    return float(-special.stdtrit(freedom, special.ndtr(-z)))


def unskewed(t: float, skewness: float) -> float:
    """Hall's monotone cubic: of a skewed mean's t, a value that is close to normal."""
    a = skewness
    return float(t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6)


def reach(critical: float, skewness: float) -> tuple[float, float]:
    """The values of t, upper and lower, that the cubic takes to ± the critical value."""
    a = skewness
    if abs(a) < 1e-9:
        return critical, -critical
    upper, lower = (3 / a * (np.cbrt(1 + a * (x - a / 6)) - 1) for x in (critical, -critical))
    return float(upper), float(lower)


def fieller(m1: float, m0: float, v1: float, v0: float, critical: float) -> tuple[float, float] | None:
    """Interval of a ratio of two means; None where the control's mean is not clearly above 0, for then it has no ends.

    It leaves out 1 exactly where the t test at the same critical value finds a difference.

    Examples
    --------
    >>> fieller(1.0, 0.1, 0.04, 0.04, 1.96) is None
    True
    """
    a, b, c = m0**2 - critical**2 * v0, m1 * m0, m1**2 - critical**2 * v1
    if m0 <= 0 or a <= 0:
        return None
    root = float(np.sqrt(max(b**2 - a * c, 0.0)))
    return (b - root) / a, (b + root) / a


def log_ratio(m1: float, m0: float, v1: float, v0: float, critical: float) -> tuple[float, float] | None:
    """Interval of a ratio of two rates on the log scale; None where one of them is 0."""
    if m1 <= 0 or m0 <= 0:
        return None
    half = critical * float(np.sqrt(v1 / m1**2 + v0 / m0**2))
    return float(m1 / m0 * np.exp(-half)), float(m1 / m0 * np.exp(half))
