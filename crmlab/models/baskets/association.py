"""Association: from counts of itemsets to rules with intervals, tests that keep both margins, and corrected p-values.

A rule ``A → b`` says that baskets with A hold b more often than others do. It describes what was bought, not what an offer would do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.baskets.basket_null import BasketNull, StratifiedNull, Totals
from crmlab.models.checked import checked_frame, checked_level
from crmlab.models.intervals import LEVEL, proportion_intervals

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "FloatArray",
    "IntArray",
    "Lattice",
    "Null",
    "adjusted",
    "envelope",
    "lower_tail",
    "redundant",
    "rules",
    "upper_tail",
]


FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Null = BasketNull | StratifiedNull
COLUMNS = (
    "antecedent", "consequent", "n", "n_antecedent", "n_consequent", "n_both", "support",
    "confidence", "confidence_low", "confidence_high", "lift", "lift_low", "lift_high", "leverage", "conviction",
    "expected", "p_value", "q_value", "parent",
)  # fmt: skip


def rules(
    itemsets: pd.DataFrame,
    n: int | None = None,
    margins: Totals | Mapping[int, int] | None = None,
    *,
    level: float = LEVEL,
    min_confidence: float = 0.0,
) -> pd.DataFrame:
    """Make rules with one consequent of all itemsets, with intervals, tests and correction.

    Parameters
    ----------
    itemsets : DataFrame
        items (tuples) and count, every part of a set among them: of :func:`~crmlab.models.baskets.frequent.itemsets`.
    n : int, optional
        Number of baskets; default: what ``itemsets.attrs`` says.
    margins : Totals or mapping of int to int, optional
        How often each item is in baskets of each size, in the order of the items; or only how many baskets hold how many of the
        items. Default: what ``itemsets.attrs`` says. Where neither says it, the null keeps the items' counts only (Fisher's exact
        test), which is wrong for baskets of varying size.
    level : float
        Of the intervals.
    min_confidence : float
        Rules of less are left out after the correction.

    Returns
    -------
    DataFrame
        antecedent (a tuple), consequent, n, n_antecedent, n_consequent, n_both, support, confidence, lift, leverage, conviction;
        confidence_low and _high (Wilson's, exact where counts are small); lift_low and _high (the interval of the share of the
        rarer side that has the other, over the other's base rate, so that both directions of a pair have one); expected (baskets
        with both under the null), p_value (twice the chance of so many or more: fewer would have been found too),
        q_value (Benjamini–Hochberg) and parent (for a longer rule, the shorter antecedent that explains most of it; None for
        pairs). Sorted by lift_low, high first, then by names.

    Raises
    ------
    ModelError
        The number of baskets is not known, or a part of a set has no count.

    Notes
    -----
    Pairs: the null is :class:`~crmlab.models.baskets.basket_null.StratifiedNull`, and the family of the correction is every
    unordered pair of items that are in ``itemsets`` by themselves, those never seen together included; pairs that are not in
    ``itemsets`` count as p = 1. Longer rules: the null is that the item added to a shorter antecedent makes no difference to
    the consequent, beyond what the sizes of baskets do; tested against the strongest of its parents, in the family of all
    rules of the sets of that length whose pairs are all in ``itemsets`` (of more than three items: whose first items are,
    with any further one).

    References
    ----------
    Brin, Motwani and Silverstein (1997), Beyond market baskets, SIGMOD: conviction, and tests in place of thresholds.
    Benjamini and Hochberg (1995), JRSS B 57.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"items": [("beer",), ("liquor", "wine"), ("liquor",), ("wine",), ("beer", "liquor", "wine"),
    ...     ("beer", "liquor"), ("beer", "wine")], "count": [792, 21, 109, 189, 19, 46, 48]})
    >>> found = rules(counts, n=9835, level=0.95)
    >>> found.loc[found["antecedent"] == ("liquor", "wine"), ["confidence_low", "lift", "confidence_high"]].round(4).values.tolist()
    [[0.6962, 11.2353, 0.9883]]
    """
    import pandas as pd

    itemsets = checked_frame("rules", itemsets, ("items", "count"), "itemsets")
    n = itemsets.attrs.get("n") if n is None else n
    margins = itemsets.attrs.get("margins") if margins is None else margins
    if n is None:
        raise ModelError.expected("rules", "n", "the number of baskets, where itemsets.attrs does not say it", None)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise ModelError.expected("rules", "n", "a whole number of baskets of at least 0", n)
    level = checked_level("rules", level)
    if not 0 <= min_confidence <= 1:
        raise ModelError.expected("rules", "min_confidence", "from 0 to 1", min_confidence)
    lattice = Lattice(itemsets, int(n))
    null = _null(lattice.single, margins)
    parts = []
    for length in range(2, lattice.longest + 1):
        for out in range(length):
            parts.append(_facts(lattice, null, length, out))
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in COLUMNS})
    facts = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    facts["q_value"] = _corrected(facts["p_value"], facts["length"], lattice)
    frame = _measured(facts, int(n), level)
    frame = frame[frame["confidence"] >= min_confidence] if min_confidence > 0 else frame
    keyed = frame.assign(_a=_ranks(frame["antecedent"]), _b=_ranks(frame["consequent"]))
    keyed = keyed.sort_values(["lift_low", "_a", "_b"], ascending=[False, True, True], kind="stable", ignore_index=True)
    return keyed[list(COLUMNS)]


def redundant(rules: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Flag longer rules that a shorter one explains.

    Parameters
    ----------
    rules : DataFrame
        Of :func:`rules`.
    alpha : float
        A longer rule stays where its q_value, of the test against its strongest parent, is under this.

    Returns
    -------
    DataFrame
        The same rows with a further column ``redundant``; ``parent`` names the shorter antecedent. Pairs are never redundant.

    Examples
    --------
    >>> from crmlab.models.baskets.frequent import itemsets
    >>> found = rules(itemsets([[1, 1, 1]] * 40 + [[1, 1, 0]] * 40 + [[0, 0, 1]] * 20, 1, items=["a", "b", "c"]))
    >>> flagged = redundant(found)
    >>> flagged.loc[flagged["redundant"], ["antecedent", "consequent", "parent"]].head(1).values.tolist()
    [[('a', 'c'), 'b', ('a',)]]
    """
    rules = checked_frame("redundant", rules, ("antecedent", "parent", "q_value"), "rules")
    longer = rules["antecedent"].map(len).to_numpy(dtype=int) > 1 if len(rules) else np.zeros(0, dtype=bool)
    return rules.assign(redundant=longer & ~(rules["q_value"].to_numpy(dtype=float) < alpha))


def envelope(expected: npt.ArrayLike, tests: int, alpha: float = 0.05) -> FloatArray:
    """The count that chance reaches in one of so many pairs, by what is expected: an upper bound for a picture.

    Parameters
    ----------
    expected : array
        Baskets with both under the null.
    tests : int
        Size of the family.
    alpha : float
        Chance of one count or more above the bound among all (Bonferroni).

    Returns
    -------
    ndarray
        Of a Poisson count, which is a little wide where items sell often.

    Examples
    --------
    >>> envelope([1.0, 100.0], 1000).tolist()
    [7.0, 141.0]
    """
    from scipy import stats

    return np.asarray(stats.poisson.isf(alpha / max(tests, 1), np.asarray(expected, dtype=float)), dtype=float)


def _null(counts: IntArray, margins: Totals | Mapping[int, int] | None) -> Null | None:
    if margins is None or not len(counts):
        return None
    if isinstance(margins, Totals):
        sold = margins.counts.sum(axis=0)
        if len(sold) != len(counts) or not np.array_equal(sold, counts):
            raise ModelError.margins_differ(int(counts.sum()), int(sold.sum()))
        return StratifiedNull(margins)
    return BasketNull(counts, margins)


def _facts(lattice: Lattice, null: Null | None, length: int, out: int) -> dict[str, Any]:
    """Counts and test of the rules that take the item at one place of each set as their consequent."""
    whole = lattice.codes[length]
    rest = np.delete(whole, out, axis=1)
    right = whole[:, out]
    both, left, base = lattice.counts[length], lattice.count(rest), lattice.single[right]
    parent = np.full(len(whole), None, dtype=object)
    if length == 2:
        expected, p = _pair_test(lattice, null, whole, both)
    else:
        expected, best = _explained(lattice, null, whole, rest, right, left)
        p = _doubled(upper_tail(both, expected, expected * np.maximum(1 - expected / left, 0.0), left))
        for place in range(length - 1):
            some = best == place
            parent[some] = lattice.tuples(np.delete(rest[some], place, axis=1))
    names = np.empty(len(right), dtype=object)
    names[:] = [lattice.labels[code] for code in right]
    return {
        "antecedent": lattice.tuples(rest), "consequent": names, "n_antecedent": left, "n_consequent": base, "n_both": both,
        "expected": expected, "p_value": p, "parent": parent, "length": np.full(len(whole), length),
    }  # fmt: skip


def _pair_test(lattice: Lattice, null: Null | None, pairs: IntArray, both: IntArray) -> tuple[FloatArray, FloatArray]:
    a, b = lattice.single[pairs[:, 0]], lattice.single[pairs[:, 1]]
    if null is None:
        from scipy import stats

        return a * b / lattice.n, _doubled(np.asarray(stats.hypergeom.sf(both - 1, lattice.n, a, b)))
    mean, variance = null.pair_moments(pairs)
    return mean, _doubled(upper_tail(both, mean, variance, np.minimum(a, b)))


def _doubled(tail: FloatArray) -> FloatArray:
    """Two-sided p-values from the chance on one side: pairs are looked at for less than chance as well, as substitutes."""
    return np.minimum(2 * tail, 1.0)


def _explained(
    lattice: Lattice, null: Null | None, whole: IntArray, rest: IntArray, right: IntArray, left: IntArray
) -> tuple[FloatArray, IntArray]:
    """How many baskets the strongest parent of each longer rule explains, and which item of the antecedent it leaves out."""
    found = []
    for place in range(rest.shape[1]):
        parent = np.delete(rest, place, axis=1)
        both = np.sort(np.column_stack([parent, right]), axis=1)
        share = lattice.count(both) / lattice.count(parent)
        if null is not None:
            # Baskets with the further item are larger: what that alone adds, for those whom the parent does not bring.
            with_it = np.minimum(null.expected(whole) / np.maximum(null.expected(rest), 1e-300), 1)
            without = np.minimum(null.expected(both) / np.maximum(null.expected(parent), 1e-300), 1 - 1e-12)
            share = 1 - (1 - share) * np.minimum((1 - with_it) / (1 - without), 1)
        found.append(left * share)
    explained = np.stack(found)
    best = explained.argmax(axis=0)
    return np.take_along_axis(explained, best[None], axis=0)[0], best


def _corrected(p: FloatArray, length: IntArray, lattice: Lattice) -> FloatArray:
    """Benjamini–Hochberg by length: all pairs of items; of longer sets, all rules of those whose parts are in the lattice."""
    q = np.ones(len(p))
    k = len(lattice.labels)
    for m in range(2, lattice.longest + 1):
        some = length == m
        if m == 2:
            # Both directions of a pair are one test: the first half of them are the pairs, the second half the same again.
            values = p[some]
            half = adjusted(values[: len(values) // 2], k * (k - 1) // 2)
            q[some] = np.concatenate([half, half])
        else:
            q[some] = adjusted(p[some], m * lattice.candidates(m))
    return q


def _measured(facts: dict[str, Any], n: int, level: float) -> pd.DataFrame:
    import pandas as pd

    left, base, both = (facts[name].astype(float) for name in ("n_antecedent", "n_consequent", "n_both"))
    confidence = both / left
    low, high = proportion_intervals(both, left, level)
    # Both directions of a pair have one interval of lift: that of the rarer side's share, over the other's base rate.
    rarer, other = np.minimum(left, base), np.maximum(left, base)
    share_low, share_high = proportion_intervals(both, rarer, level)
    # 0 / 0 where every basket holds the consequent: nothing can depart from independence, of which 1 is the value.
    never_without = np.where(base < n, np.inf, 1.0)
    conviction = np.where(both < left, (1 - base / n) / np.where(both < left, 1 - confidence, 1), never_without)
    return pd.DataFrame(
        {
            **{name: facts[name] for name in ("antecedent", "consequent", "n_antecedent", "n_consequent", "n_both")},
            "n": n, "support": both / n, "confidence": confidence, "confidence_low": low, "confidence_high": high,
            "lift": confidence / (base / n), "lift_low": share_low / (other / n), "lift_high": share_high / (other / n),
            "leverage": both / n - left / n * base / n, "conviction": conviction,
            "expected": facts["expected"], "p_value": facts["p_value"], "q_value": facts["q_value"], "parent": facts["parent"],
        }
    )  # fmt: skip


def _ranks(values: pd.Series) -> IntArray:
    """Ranks of names or tuples of names, ties equal."""
    place = {name: rank for rank, name in enumerate(sorted(set(values)))}
    return np.array([place[value] for value in values], dtype=np.int64)


def _dtype(name: str) -> Any:
    if name in ("antecedent", "consequent", "parent"):
        return object
    return np.int64 if name.startswith("n") else float


class Lattice:
    """Itemsets as arrays.

    Parameters
    ----------
    frame : DataFrame
        items and count, every part of a set among them.
    n : int
        Number of baskets.

    Attributes
    ----------
    labels : list
        The items, sorted; a code is a place in it.
    codes, counts : dict of int to ndarray
        By length: sets of shape (sets, length), sorted codes; and the baskets that hold each.
    """

    def __init__(self, frame: pd.DataFrame, n: int) -> None:
        for column in ("items", "count"):
            if column not in frame.columns:
                raise ModelError.lacks("rules", column, frame.columns, "Make the frame with itemsets.")
        self.n = n
        lengths = frame["items"].map(len).to_numpy(dtype=np.int64) if len(frame) else np.zeros(0, dtype=np.int64)
        counts = frame["count"].to_numpy(dtype=np.int64)
        self.longest = int(lengths.max()) if len(lengths) else 0
        self.labels: list[Hashable] = sorted(items[0] for items in frame["items"][lengths == 1])
        place = {label: code for code, label in enumerate(self.labels)}
        self.codes: dict[int, IntArray] = {}
        self.counts: dict[int, IntArray] = {}
        self._keys: dict[int, IntArray] = {}
        for length in range(1, self.longest + 1):
            some = frame["items"][lengths == length]
            try:
                flat = [place[item] for items in some for item in items]
            except KeyError as error:
                raise ModelError.no_part(str(error.args[0])) from error
            codes = np.sort(np.array(flat, dtype=np.int64).reshape(-1, length), axis=1)
            self.codes[length], self.counts[length] = codes, counts[lengths == length]
            keys = self._key(codes)
            order = np.argsort(keys, kind="stable")
            self.codes[length], self.counts[length], self._keys[length] = (
                codes[order], self.counts[length][order], keys[order],
            )  # fmt: skip
        if self.longest and (self.counts[1] > n).any():
            raise ModelError.expected("rules", "n", "at least the largest count", n)
        for length in range(1, self.longest + 1):
            if (np.diff(self._keys[length]) == 0).any():
                raise ModelError.expected("rules", "itemsets", "sets that are given once each", f"one of {length} items twice")
        for length in range(2, self.longest + 1):
            for out in range(length):
                if (self.counts[length] > self.count(np.delete(self.codes[length], out, axis=1))).any():
                    raise ModelError.expected(
                        "rules", "itemsets", "counts of sets no larger than those of their parts", "a larger one"
                    )

    @property
    def single(self) -> IntArray:
        """Counts of the items, in the order of labels."""
        return self.counts.get(1, np.zeros(0, dtype=np.int64))

    def _key(self, codes: IntArray) -> IntArray:
        """A number for each set: the place of all but its last item among the sets of that length, and the last item."""
        length = codes.shape[1]
        if length == 1:
            return codes[:, 0]
        return self.place(codes[:, :-1]) * len(self.labels) + codes[:, -1]

    def place(self, codes: IntArray) -> IntArray:
        """Places of sets (sorted codes) among those of their length."""
        length, keys = codes.shape[1], self._key(codes)
        known = self._keys.get(length, np.zeros(0, dtype=np.int64))
        found = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
        if not len(known) or not np.array_equal(known[found], keys):
            missing = 0 if not len(known) else int(np.flatnonzero(known[found] != keys)[0])
            raise ModelError.no_part(str(tuple(self.labels[code] for code in codes[missing])))
        return np.asarray(found)

    def candidates(self, length: int) -> int:
        """How many sets of a length could reach the minimum count, by the counts of shorter ones."""
        from scipy import sparse

        k = len(self.labels)
        if length > 3:
            return len(self.codes[length - 1]) * (k - length + 1)
        first, second = self.codes[2].T
        ones = np.ones(len(first), dtype=np.int64)
        linked = sparse.csr_array((ones, (first, second)), shape=(k, k))
        return int((linked @ linked).multiply(linked).sum())

    def count(self, codes: IntArray) -> IntArray:
        """Counts of sets."""
        return np.asarray(self.counts[codes.shape[1]][self.place(codes)])

    def tuples(self, codes: IntArray) -> npt.NDArray[np.object_]:
        """Sets as tuples of labels."""
        columns = [[self.labels[code] for code in column] for column in codes.T]
        out = np.empty(len(codes), dtype=object)
        out[:] = list(zip(*columns, strict=True)) if len(codes) else []
        return out


def upper_tail(count: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike, most: npt.ArrayLike) -> FloatArray:
    """P(a count is so large or larger), from its mean and variance.

    The count is taken as binomial with that mean and variance, which it is where it is a sum of alike yes and no; the number of
    trials need not be whole. Beyond what that binomial can reach, a looser bound is used.

    Parameters
    ----------
    count : array of int
    mean, variance : array
        Variance at most the mean; 0 means that the count cannot be anything else.
    most : array of int
        What the count cannot be above.

    Returns
    -------
    ndarray
        1 where the variance is 0.

    Examples
    --------
    >>> from scipy import stats
    >>> bool(np.isclose(upper_tail([7], [2.0], [1.6], [10])[0], stats.binom.sf(6, 10, 0.2)))
    True
    """
    from scipy import special

    k, m, v, top = (np.asarray(a, dtype=float) for a in np.broadcast_arrays(count, mean, variance, most))
    free = (v > 0) & (m > 0)
    p = np.ones(k.shape)
    with np.errstate(all="ignore"):
        chance = np.clip(1 - v / m, 1e-12, 1 - 1e-12)
        trials = m / chance
        reach = np.minimum(k, np.floor(trials))
        matched = np.where(reach > 0, special.betainc(np.maximum(reach, 1e-9), trials - reach + 1, chance), 1.0)
        # Few expected: binomial among the rarer item's baskets. Many: the normal tail, from half a basket lower.
        share = np.clip(m / np.maximum(top, 1), 0, 1)
        few = special.betainc(np.maximum(k, 1e-9), np.maximum(top - k + 1, 1e-9), share)
        many = special.ndtr(-(k - 0.5 - m) / np.sqrt(v))
        beyond = np.minimum(matched, np.where(m < 10, few, many))
    p[free] = np.where(k <= np.floor(trials), matched, beyond)[free]
    return np.where(k <= 0, 1.0, np.clip(p, 0.0, 1.0))


def lower_tail(count: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike) -> FloatArray:
    """P(a count is so small or smaller), from its mean and variance: the other side of :func:`upper_tail`.

    Examples
    --------
    >>> from scipy import stats
    >>> bool(np.isclose(lower_tail([1], [4.0], [2.4])[0], stats.binom.cdf(1, 10, 0.4)))
    True
    """
    from scipy import special

    k, m, v = (np.asarray(a, dtype=float) for a in np.broadcast_arrays(count, mean, variance))
    with np.errstate(all="ignore"):
        chance = np.clip(1 - v / m, 1e-12, 1 - 1e-12)
        trials = m / chance
        inside = special.betaincc(np.maximum(k, 0) + 1, np.maximum(trials - k, 1e-9), chance)
    return np.where((v > 0) & (k < trials), np.clip(inside, 0.0, 1.0), 1.0)


def adjusted(p: npt.ArrayLike, tests: int | None = None) -> FloatArray:
    """Correct p-values for the rate of false discoveries.

    Parameters
    ----------
    p : array
    tests : int, optional
        Size of the family; tests that are not among ``p`` count as p = 1. Default: ``len(p)``.

    Returns
    -------
    ndarray
        q-values, in the order of ``p``.

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57.

    Examples
    --------
    >>> adjusted([0.01, 0.04, 0.03], tests=4).round(4).tolist()
    [0.04, 0.0533, 0.0533]
    """
    values = np.asarray(p, dtype=float)
    m = len(values) if tests is None else tests
    order = np.argsort(values, kind="stable")
    raised = values[order] * m / np.arange(1, len(values) + 1)
    q = np.empty(len(values))
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0) if len(values) else raised
    return q
