"""What baskets would hold by chance: how often each item sells and how large each basket is are kept, all else is random.

Large baskets hold many pairs whatever is in them, so a test that forgets how large they are calls thousands of independent pairs
significant. Here each basket of s items is a random draw of s different items, each with a weight of its own, and the weights are
such that every item sells as often as it did. That is the most random law with the baskets' sizes as they are and the items' counts
right on average; conditioning on the counts then narrows the spread of a pair's count to what swapping would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError

__all__ = [
    "ABOVE",
    "BELOW",
    "CHUNK",
    "FAR",
    "ROUNDS",
    "TOLERANCE",
    "BasketNull",
    "FloatArray",
    "IntArray",
    "StratifiedNull",
    "Totals",
]


FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ROUNDS, TOLERANCE = 200, 1e-7
MISSED = 1e-3  # of an item's count: what the fit may be off by, before nothing is said of its pairs
STRATA = 16  # classes of size at most; each holds about as many items
FEWEST = 50  # baskets in a class
APART = 1.5  # sizes of one class differ at most by this factor, where baskets are enough
CHUNK = 4096  # sets worked on at a time: what is worked on fits into the cache of a core
BELOW, ABOVE, FAR = 3.0, 4.0, 10.0  # square roots of a mean size: how far sizes share a tilt, and how far its law is worked out


@dataclass(frozen=True, eq=False)
class Totals:
    """How large baskets are, and how often each item is in baskets of each size.

    Attributes
    ----------
    sizes, baskets : arrays of int, shape (sizes,)
        Sizes, rising, and how many baskets have each.
    counts : array of int, shape (sizes, items)
        Baskets of each size that hold each item.

    Examples
    --------
    >>> Totals.of(np.array([0, 1, 0]), np.array([0, 0, 1]), 2)
    Totals({1: 1, 2: 1})
    """

    sizes: IntArray
    baskets: IntArray
    counts: IntArray

    @classmethod
    def of(cls, items: npt.ArrayLike, baskets: npt.ArrayLike, k: int) -> Totals:
        """Count margins from what is held: an item and a basket for each thing in a basket."""
        item, basket = np.asarray(items, dtype=np.int64), np.asarray(baskets, dtype=np.int64)
        size = np.bincount(basket)
        sizes, place = np.unique(size, return_inverse=True)
        table = np.bincount(place[basket] * k + item, minlength=len(sizes) * k).reshape(len(sizes), k)
        many = np.bincount(place, minlength=len(sizes))
        some = sizes > 0
        return cls(sizes[some], many[some], table[some])

    def __deepcopy__(self, memo: object) -> Totals:
        return self  # pandas copies the attrs of a frame with every step

    def __repr__(self) -> str:
        return f"Totals({dict(zip(self.sizes.tolist(), self.baskets.tolist(), strict=True))})"

    def strata(self) -> Iterator[tuple[IntArray, dict[int, int]]]:
        """Classes of size with about as many items held in each, not too few baskets: counts of the items, and sizes."""
        held = self.sizes * self.baskets
        runs: list[tuple[int, int]] = []
        start, last = 0, len(self.sizes)
        for end in range(1, last + 1):
            enough = self.baskets[start:end].sum() >= FEWEST
            # Sizes far apart are not of one class, however few things they hold: popularity may differ between them.
            wide = end < last and self.sizes[end] > APART * self.sizes[start]
            much = held[start:end].sum() >= held.sum() / STRATA
            if end == last or wide or (much and enough and self.baskets[end:].sum() >= FEWEST):
                if not enough and runs and (end == last or wide):
                    runs[-1] = (runs[-1][0], end)  # too few for a class of their own: with the next smaller ones
                elif enough or end == last:
                    runs.append((start, end))
                else:
                    continue  # the smallest of all, and too few: with the next larger ones
                start = end
        for start, end in runs:
            some = slice(start, end)
            sizes = dict(zip(self.sizes[some].tolist(), self.baskets[some].tolist(), strict=True))
            yield self.counts[some].sum(axis=0), sizes


class StratifiedNull:
    """Independence given both margins within classes of size: popular items may be less so in large baskets.

    Parameters
    ----------
    margins : Totals

    Examples
    --------
    >>> items, baskets = [0, 1, 1, 2, 2, 0], [0, 0, 1, 1, 2, 2]
    >>> StratifiedNull(Totals.of(items, baskets, 3)).expected([[0, 1]]).round(6).tolist()
    [1.0]
    """

    def __init__(self, margins: Totals) -> None:
        self.strata = [BasketNull(counts, sizes) for counts, sizes in margins.strata()]

    def expected(self, sets: npt.ArrayLike) -> FloatArray:
        """Expected number of baskets that hold each set: as :meth:`BasketNull.expected`."""
        return np.asarray(sum((stratum.expected(sets) for stratum in self.strata), np.zeros(len(np.asarray(sets)))))

    def pair_moments(self, pairs: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the number of baskets that hold each pair: as :meth:`BasketNull.pair_moments`."""
        mean, variance = np.zeros(len(np.asarray(pairs))), np.zeros(len(np.asarray(pairs)))
        for stratum in self.strata:
            more, spread = stratum.pair_moments(pairs)
            mean, variance = mean + more, variance + spread
        return mean, variance


class BasketNull:
    """Independence of items given both margins: items' counts and baskets' sizes.

    Parameters
    ----------
    counts : array of int, shape (items,)
        Baskets that hold each item.
    sizes : mapping of int to int
        Size → number of baskets that hold so many of these items. The items sold must add up to the same by both.

    Notes
    -----
    A basket of s items is s independent draws of yes and no given that s of them are yes. Its probabilities follow from the law
    of the number of yes with and without the items of a set, which is worked out by Fourier transform and by division, in the
    direction in which errors do not grow.

    References
    ----------
    Chen, Dempster and Liu (1994), Weighted finite population sampling to maximize entropy, Biometrika 81: the law, and its
    inclusion probabilities.
    Gionis, Mannila, Mielikäinen and Tsaparas (2007), Assessing data mining results via swap randomization, ACM TKDD 1: both
    margins kept.

    Examples
    --------
    >>> null = BasketNull([2, 2, 2], {2: 3})
    >>> null.expected([[0, 1]]).round(6).tolist()
    [1.0]
    """

    def __init__(self, counts: npt.ArrayLike, sizes: Mapping[int, int]) -> None:
        self.counts = np.asarray(counts, dtype=np.int64)
        size = np.array(sorted(size for size, many in sizes.items() if size > 0 and many > 0), dtype=np.int64)
        many = np.array([sizes[int(each)] for each in size], dtype=float)
        sold, held = int(self.counts.sum()), int(size @ many) if len(size) else 0
        if sold != held:
            raise ModelError.margins_differ(sold, held)
        self._class, self._of, members = np.unique(self.counts, return_inverse=True, return_counts=True)
        self._tilts = [_Tilt(size[part], many[part], members) for part in _together(size)]
        self._fit(float(many.sum()))

    def _fit(self, n: float) -> None:
        """Odds with which every item sells as often as it did.

        Newton's steps on the logarithm of the odds, each item by itself: what items share, the size, the tilts take care of.
        Items that are not met (none in what was tried) are marked, and nothing is said of their pairs.
        """
        goal = self._class.astype(float)
        always, never = goal >= n, goal <= 0
        some = ~always & ~never
        log = np.zeros(len(goal))
        log[some] = np.log(goal[some] / (n - goal[some]))
        self.missed = np.zeros(len(goal), dtype=bool)
        for _ in range(ROUNDS):
            odds = np.where(always, np.inf, np.where(never, 0.0, np.exp(log)))
            for tilt in self._tilts:
                tilt.set(odds)
            mean = sum((tilt.many @ tilt.single for tilt in self._tilts), np.zeros(len(goal)))
            own = sum((tilt.many @ (tilt.single * (1 - tilt.single)) for tilt in self._tilts), np.zeros(len(goal)))
            gap = goal - mean
            self.missed = np.abs(gap) > MISSED * np.maximum(goal, 1)
            if np.all(np.abs(gap) <= TOLERANCE * np.maximum(goal, 1)):
                return
            log[some] += np.clip(gap[some] / np.maximum(own[some], 1e-9), -1.0, 1.0)

    def expected(self, sets: npt.ArrayLike) -> FloatArray:
        """Expected number of baskets that hold each set.

        Parameters
        ----------
        sets : array of int, shape (sets, length)
            Places of the items of each set.

        Returns
        -------
        ndarray, shape (sets,)
        """
        kinds, kind = self._kinds(sets)
        out = np.zeros(len(kinds))
        for start in range(0, len(kinds), CHUNK):
            part = kinds[start : start + CHUNK]
            for tilt in self._tilts:
                out[start : start + CHUNK] += tilt.joint(part) @ tilt.many
        return out[kind]

    def _kinds(self, sets: npt.ArrayLike) -> tuple[IntArray, IntArray]:
        """Sets by classes of their items, each once, and which of them every set is: items that sell as often are alike."""
        classes = np.sort(self._of[np.atleast_2d(np.asarray(sets, dtype=np.int64))], axis=1)
        key = np.zeros(len(classes), dtype=np.int64)
        for column in classes.T:
            key = key * len(self._class) + column
            if len(self._class) ** classes.shape[1] >= 2**62:
                key = np.unique(key, return_inverse=True)[1]  # longer sets of many classes: numbers stay small
        _, first, kind = np.unique(key, return_index=True, return_inverse=True)
        return classes[first], kind

    def pair_moments(self, pairs: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the number of baskets that hold each pair, given the counts of its two items.

        Parameters
        ----------
        pairs : array of int, shape (pairs, 2)

        Returns
        -------
        (mean, variance) : ndarray, shape (pairs,)
            The variance is that of the count less what the two items' counts explain of it (linearly); 0 where they and the
            sizes leave no freedom.
        """
        kinds, kind = self._kinds(pairs)
        mean, variance = np.zeros(len(kinds)), np.zeros(len(kinds))
        for start in range(0, len(kinds), CHUNK):
            part = slice(start, start + CHUNK)
            mean[part], variance[part] = self._moments(kinds[part])
        return mean[kind], variance[kind]

    def _moments(self, pairs: IntArray) -> tuple[FloatArray, FloatArray]:
        # Sums over baskets of: joint, its square, its product with either item, the items' product.
        mean, square, with_a, with_b, product = np.zeros((5, len(pairs)))
        for tilt in self._tilts:
            joint, a, b = tilt.joint(pairs), tilt.single[:, pairs[:, 0]].T, tilt.single[:, pairs[:, 1]].T
            mean += joint @ tilt.many
            square += joint**2 @ tilt.many
            with_a += (joint * a) @ tilt.many
            with_b += (joint * b) @ tilt.many
            product += (a * b) @ tilt.many
        own_a, own_b = self._own[pairs[:, 0]], self._own[pairs[:, 1]]
        alone_a, alone_b = mean - with_a, mean - with_b  # covariance of the pair's count with either item's
        shared = mean - product
        determinant = own_a * own_b - shared * shared
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = (alone_a**2 * own_b - 2 * alone_a * alone_b * shared + alone_b**2 * own_a) / determinant
        explained = np.where(determinant > 1e-9 * own_a * own_b, explained, np.inf)
        variance = np.maximum(mean - square - explained, 0.0)
        missed = self.missed[pairs].any(axis=1)
        return mean, np.where((variance > 1e-6 * mean) & ~missed, variance, 0.0)

    @cached_property
    def _own(self) -> FloatArray:
        """Variance of each item's count."""
        return np.asarray(
            sum((tilt.many @ (tilt.single * (1 - tilt.single)) for tilt in self._tilts), np.zeros(len(self._class)))
        )


class _Tilt:
    """Baskets of sizes near each other: the law of a basket's items, on odds tilted so that such sizes are usual.

    ``single`` is P(an item of a class is in a basket), shape (sizes, classes).
    """

    def __init__(self, sizes: IntArray, many: FloatArray, members: IntArray) -> None:
        self.sizes, self.many, self._members = sizes, many, members
        # In the middle of the sizes, so that none of them is too improbable to be worked out.
        self._mean = (float(sizes[0]) + float(sizes[-1])) / 2

    def set(self, odds: FloatArray) -> None:
        """Work out the law for odds of the classes."""
        self._p = self._tilted(odds)
        spread = float(np.sqrt(self._members @ (self._p * (1 - self._p))))
        items = int(self._members.sum())
        top = min(items, int(np.ceil(max(self.sizes[-1], self._mean + FAR * max(spread, 1.0)))) + 2)
        self._law = self._counted(top)
        self._at = np.maximum(self._law[self.sizes], 1e-300)
        one = _without(np.broadcast_to(self._law, (len(self._p), top + 1)), self._p)
        self._one = one
        self.single = np.clip((self._p[:, None] * one[:, self.sizes - 1] / self._at).T, 0.0, 1.0)

    def _tilted(self, odds: FloatArray) -> FloatArray:
        """Chances with the same ratios of odds that add up to the mean size."""
        sure = np.isinf(odds)
        goal = self._mean - float(self._members[sure].sum())
        finite = np.where(sure, 0.0, odds)
        most = float(self._members[finite > 0].sum())
        goal = min(max(goal, 1e-6), most - 1e-6) if most else 0.0
        log = 0.0
        for _ in range(200):
            p = finite / (finite + np.exp(-log))
            gap = float(self._members @ p) - goal
            slope = float(self._members @ (p * (1 - p)))
            if abs(gap) < 1e-9 * max(goal, 1e-3) or slope <= 0:
                break
            log -= float(np.clip(gap / slope, -2.0, 2.0))
        return np.where(sure, 1.0, finite / (finite + np.exp(-log)))

    def _counted(self, top: int) -> FloatArray:
        """P(so many items), from 0 to ``top``, by the characteristic function."""
        angle = 2 * np.pi * np.arange(top + 1) / (top + 1)
        turn = np.exp(1j * angle)[None]
        with np.errstate(divide="ignore"):
            logs = np.log((1 - self._p)[:, None] + self._p[:, None] * turn + 0j)
        return np.maximum(np.fft.fft(np.exp(self._members @ logs)).real / (top + 1), 0.0)

    def joint(self, sets: IntArray) -> FloatArray:
        """P(a basket holds all items of each set, given by classes), shape (sets, sizes)."""
        left = self._one[sets[:, 0]]
        product = self._p[sets[:, 0]]
        for column in range(1, sets.shape[1]):
            p = self._p[sets[:, column]]
            left, product = _without(left, p), product * p
        before = self.sizes - sets.shape[1]
        found = np.where(before >= 0, left[:, np.maximum(before, 0)], 0.0)
        return np.asarray(np.clip(product[:, None] * found / self._at, 0.0, 1.0))


def _together(sizes: IntArray) -> Iterator[slice]:
    """Runs of sizes that one tilt serves: none too improbable under it."""
    start = 0
    while start < len(sizes):
        root = (BELOW + np.sqrt(BELOW**2 + 4 * sizes[start])) / 2
        end = int(np.searchsorted(sizes, root * root + ABOVE * root, side="right"))
        yield slice(start, max(end, start + 1))
        start = max(end, start + 1)


def _without(law: FloatArray, p: FloatArray) -> FloatArray:
    """The law of a number of yes (rows) after one with chance ``p`` is taken out: upwards where it is small, else downwards."""
    out = np.zeros(law.shape)
    last = law.shape[1] - 1
    for rows, upwards in ((np.flatnonzero(p <= 0.5), True), (np.flatnonzero(p > 0.5), False)):
        if not len(rows):
            continue
        some, yes = np.ascontiguousarray(law[rows].T), p[rows]
        left = np.zeros(some.shape)
        if upwards:
            ratio, scale = yes / (1 - yes), 1 / (1 - yes)
            left[0] = some[0] * scale
            for k in range(1, last + 1):
                left[k] = some[k] * scale - ratio * left[k - 1]
        else:
            ratio, scale = (1 - yes) / yes, 1 / yes
            for k in range(last, 0, -1):
                left[k - 1] = some[k] * scale - ratio * left[k]
        out[rows] = np.maximum(left, 0.0).T
    return out
