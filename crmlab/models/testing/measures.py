"""One metric in all cells: its values, how sure they are, and the scales on which differences and ratios are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.testing.adjustment import CommonSlope, diagonal_spread
from crmlab.models.testing.cells import CellStatistics

__all__ = [
    "FEW",
    "LEAST",
    "SKEWED",
    "Measure",
    "detected",
    "fieller",
    "from_normal",
    "log_ratio",
    "measure",
    "reach",
    "to_normal",
    "unskewed",
]


LEAST = 8  # customers of each cell from which a mean is adjusted, where its values may be normal
FEW = 30  # and from which rates, ratios and means of skewed values, or of unknown skewness, are
SKEWED = 0.1  # share of campaigns with normal outcomes in which some cell is taken to be skewed
_MANY = 1e6  # degrees of freedom from which t is normal to six digits
_NODES = 400  # quantiles of the chi-square that an error's uncertainty is averaged over


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """Values of a metric by cell.

    Attributes
    ----------
    kind : {"rate", "mean", "ratio"}
    values, variances : array of shape (cells,)
        The variance is that of the value, not of a customer, and without what an adjustment's slope is unsure by: see ``spread``.
    freedoms : array of shape (cells,)
        Customers or households less 1.
    skew : float, optional
        Skewness of customers' values inside all cells together: in one cell it would be too unsure. That of what an adjustment
        leaves is taken to be the same. None where not known.
    sizes : array of shape (cells,)
        Number of customers, fewer where households vary more than customers would alone.
    weights : array of shape (cells, metrics)
        The value as a linear combination of the cell's means, near them.
    clustered : bool
        Whether customers come in households.
    declined : bool
        Whether an adjustment was asked for that cells are too small for.
    fit : CommonSlope, optional
        Of the adjustment; None without one. ``away`` and ``base`` belong to it: see :meth:`CommonSlope.spread`.
    """

    kind: str
    values: Array
    variances: Array
    freedoms: Array
    skew: float | None
    sizes: Array
    weights: tuple[dict[str, float], ...]
    clustered: bool = False
    declined: bool = False
    fit: CommonSlope | None = None
    away: Array | None = None
    base: Array | None = None

    @property
    def adjusted(self) -> bool:
        """Whether covariates' differences were taken off."""
        return self.fit is not None

    @property
    def score(self) -> bool:
        """Whether the score test of two rates is used."""
        return self.kind == "rate" and not self.adjusted

    def spread(self, weights: npt.ArrayLike) -> tuple[Array, Array]:
        """Covariance matrix and degrees of freedom of weighted sums of the cells' values.

        Parameters
        ----------
        weights : array of shape (m, cells)

        Returns
        -------
        (covariance, freedom) : array of shape (m, m), (m,)
        """
        if self.fit is None or self.base is None or self.away is None:
            return diagonal_spread(weights, self.variances, self.freedoms)
        return self.fit.spread(weights, self.base, self.away)

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
        how = "-adjusted" if self.adjusted else "-too-few-to-adjust" if self.declined else ""
        return found + how + ("-households" if self.clustered else "")

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

    Small cells are not adjusted: under 8 customers (or households), or under 30 where values are 0 or 1, skewed or of unknown
    skewness, or the metric is a ratio, or under 2 k + 2 with k covariates. Where one cell is so small, none is adjusted, and the
    method says so. Values are taken to be skewed where the skewness of a cell, over its standard error in normal samples, is so
    large that it would be reached in some cell of one campaign in ten whose outcomes are normal.

    Few customers hide their skewness, so that a part of skewed outcomes is still adjusted.

    Raises
    ------
    ModelError
        The metric is unknown, does not vary in any cell, or a product that it needs is not known.

    References
    ----------
    Fisher (1930), The moments of the distribution for normal samples of measures of departure from normality, Proceedings of the
    Royal Society A 130 (standard error of the skewness).
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
    units = np.array([cell.units for cell in cells], dtype=float)
    n = np.array([cell.n for cell in cells], dtype=float)
    clustered = any(cell.clusters is not None for cell in cells)
    skew = None if ratio is not None else _skewness(cells, metric)
    even = skew is not None and not _of_0_and_1(cells, metric) and not _skewed(cells, metric)
    least = max(LEAST if even else FEW, 2 * len(covariates) + 2)
    declined = bool(covariates) and bool((units < least).any())
    if covariates and not declined:
        fit, away, weights = _adjusted(cells, weights, covariates)
        values = values - away @ fit.slope
        if not (fit.variances > 0).any():
            raise ModelError.told_by(metric, covariates)
        variances, base = fit.variances * units / n**2, units / n**2
        return Measure(
            kind=kind, values=values, variances=variances, freedoms=units - 1, skew=skew, sizes=n, weights=tuple(weights),
            clustered=clustered, fit=fit, away=away, base=base,
        )  # fmt: skip
    if kind == "rate":
        sizes = np.array([_effective(cell, metric) for cell in cells])
        p = (values * sizes + 0.5) / (sizes + 1)  # a rate of 0 is not sure to be 0
        variances, freedoms = p * (1 - p) / sizes, np.maximum(units - 1, 1)
        return Measure(
            kind=kind, values=values, variances=variances, freedoms=freedoms, skew=None, sizes=sizes, weights=tuple(weights),
            clustered=clustered, declined=declined,
        )  # fmt: skip
    variances = np.array([_quadratic(cell, own) for cell, own in zip(cells, weights, strict=True)])
    if not (variances > 0).any():
        raise ModelError.does_not_vary(metric, float(values[0]))
    per_unit = (variances * units * (units - 1))[variances > 0].sum() / (units - 1)[variances > 0].sum()
    variances = np.where(variances > 0, variances, per_unit / units)
    return Measure(
        kind=kind, values=values, variances=variances, freedoms=units - 1, skew=skew, sizes=n, weights=tuple(weights),
        clustered=clustered, declined=declined,
    )  # fmt: skip


def _of_0_and_1(cells: Sequence[CellStatistics], metric: str) -> bool:
    """Whether every value is 0 or 1: then values and their squares add up to the same."""
    k = [(cell.mean(metric), cell.n, float(cell.scatter[cell.index(metric), cell.index(metric)])) for cell in cells]
    return all(0 <= m <= 1 and abs(own - n * m * (1 - m)) <= 1e-9 * n for m, n, own in k)


def _skewed(cells: Sequence[CellStatistics], metric: str) -> bool:
    """Whether the values of some cell are more skewed than normal ones are by chance."""
    bound = -float(special.ndtri((1 - (1 - SKEWED) ** (1 / len(cells))) / 2))
    for cell in cells:
        k, n = cell.index(metric), cell.units
        second = float(cell.scatter[k, k]) / cell.n
        if n > 2 and second > 0:
            error = np.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
            if abs(float(cell.thirds[k])) / cell.n / second**1.5 > bound * error:
                return True
    return False


def _skewness(cells: Sequence[CellStatistics], metric: str) -> float | None:
    """Skewness of a metric inside the cells, over all of them."""
    k = [cell.index(metric) for cell in cells]
    freedom = sum(cell.n - 1 for cell in cells)
    third = sum(float(cell.thirds[i]) for cell, i in zip(cells, k, strict=True)) / sum(cell.n for cell in cells)
    second = sum(float(cell.scatter[i, i]) for cell, i in zip(cells, k, strict=True)) / max(freedom, 1)
    return third / second**1.5 if np.isfinite(third) and second > 0 else None


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
    cells: Sequence[CellStatistics], weights: list[dict[str, float]], covariates: Sequence[str]
) -> tuple[CommonSlope, Array, list[dict[str, float]]]:
    """One slope for all cells; covariates' means less their overall ones; and values as combinations of means, after it."""
    k = len(covariates)
    products = np.zeros((len(cells), 1 + k, 1 + k))
    for table, cell, own in zip(products, cells, weights, strict=True):
        table[0, 0] = sum(u * w * _product(cell, x, y) for x, u in own.items() for y, w in own.items())
        for i, x in enumerate(covariates):
            table[0, 1 + i] = table[1 + i, 0] = sum(w * _product(cell, metric, x) for metric, w in own.items())
            for j, y in enumerate(covariates):
                table[1 + i, 1 + j] = _product(cell, x, y)
    fit = CommonSlope.of([cell.units for cell in cells], products)
    means = np.array([[cell.mean(x) for x in covariates] for cell in cells])
    away = means - np.average(means, axis=0, weights=[cell.n for cell in cells])
    taken = dict(zip(covariates, (-fit.slope).tolist(), strict=True))
    return fit, away, [{name: own.get(name, 0.0) + taken.get(name, 0.0) for name in {**own, **taken}} for own in weights]


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


@cache
def _quadrature() -> tuple[Array, Array]:
    """Points between -1 and 1 and their weights, the same for every mean over the chi-square."""
    nodes, width = special.roots_legendre(_NODES)
    return nodes, width


def detected(critical: float, freedom: float, power: float) -> float:
    """How many true standard errors away a difference is that t, with these degrees of freedom, finds with a given power.

    The error of a small cell is itself unsure: t is then noncentral, and the normal's ``critical`` plus the quantile of the power is
    too little. What is found on the wrong side is not counted.

    Parameters
    ----------
    critical : float
        On the scale of a standard normal; t's is worked out from it.
    freedom : float
        Infinite for a normal statistic.
    power : float
        Above the chance of a find where nothing differs.

    Examples
    --------
    >>> [round(detected(1.959963985, freedom, 0.8), 4) for freedom in (np.inf, 14.0, 2.0)]
    [2.8016, 3.0133, 5.6535]
    """
    from scipy import optimize

    simple = critical + float(special.ndtri(power))
    if freedom > _MANY:
        return simple
    t = from_normal(critical, freedom)
    nodes, width = _quadrature()
    ratio = np.sqrt(special.chdtri(freedom, (1 - nodes) / 2) / freedom)  # of the estimated error to the true one

    def over(away: float) -> float:
        return float(width @ special.ndtr(away - t * ratio)) / 2 - power

    return float(optimize.brentq(over, simple - 1.0, t * float(ratio.max()) + 10.0, xtol=1e-9))


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


def fieller(m1: float, m0: float, v1: float, v0: float, critical: float, covariance: float = 0.0) -> tuple[float, float] | None:
    """Interval of a ratio of two means; None where the control's mean is not clearly above 0, for then it has no ends.

    It leaves out 1 exactly where the t test at the same critical value finds a difference.

    Examples
    --------
    >>> fieller(1.0, 0.1, 0.04, 0.04, 1.96) is None
    True
    """
    a, b, c = m0**2 - critical**2 * v0, m1 * m0 - critical**2 * covariance, m1**2 - critical**2 * v1
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
