"""What to offer: which items are bought by the same people, and the best few per row of a sparse table of scores.

Arrays in, arrays out. Rows are those who buy (customers), columns what is bought (items).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crmlab.errors import ModelError
from crmlab.models.checked import LARGE, workable

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Array", "IntArray", "ItemSimilarity", "best_per_row", "bm25"]


Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WEIGHTINGS = ("bm25", "none")
_TIE = 1e-9  # values closer than this, as a share, are a tie: sums of floats may differ in their last digits


def bm25(matrix: sparse.csr_array, k1: float = 1.2, b: float = 0.75) -> sparse.csr_array:
    """Weight a table of counts: rare columns count more, repeats ever less, and a row of many entries less per entry.

    idf(j) · c(i, j) (k1 + 1) / (c(i, j) + k1 (1 − b + b · length(i) / mean length)), where c is the count, the length of a row
    is the sum of its counts, and idf(j) = ln(1 + (N − n(j) + ½) / (n(j) + ½)) with n(j) of N rows that have column j.

    Parameters
    ----------
    matrix : sparse array of shape (rows, columns)
        Counts, at least 0.
    k1 : float
        How fast repeats stop counting; at 0 the counts do not matter.
    b : float
        From 0 to 1: how much the length of a row matters.

    Returns
    -------
    sparse array of shape (rows, columns)

    Raises
    ------
    ModelError
        A count is negative or missing, or k1 or b is out of its range.

    References
    ----------
    Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond, equation (3.15), with 1 added to the
    odds of the idf so that it stays positive.

    Examples
    --------
    >>> from scipy import sparse
    >>> bm25(sparse.csr_array([[1, 1], [1, 0]]), b=0.0).toarray().round(4).tolist()
    [[0.1823, 0.6931], [0.1823, 0.0]]
    """
    from scipy import sparse

    if not (0 <= k1 < np.inf and 0 <= b <= 1):
        raise ModelError.expected("bm25", "k1 and b", "at least 0, and from 0 to 1", (k1, b))
    counts = _counts(matrix, "bm25")
    counts.eliminate_zeros()
    rows = counts.shape[0]
    having = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log1p((rows - having + 0.5) / (having + 0.5))
    length = np.asarray(counts.sum(axis=1)).ravel()
    mean = float(length.mean()) if rows and length.sum() > 0 else 1.0
    damp = np.repeat(k1 * (1 - b + b * length / mean), np.diff(counts.indptr))
    weighted = idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + damp)
    return sparse.csr_array((weighted, counts.indices, counts.indptr), shape=counts.shape)


class ItemSimilarity(BaseEstimator):
    """How alike the buyers of items are: cosine of their columns, the nearest neighbours of each.

    Parameters
    ----------
    neighbours : int
        How many are kept per item; at equal similarity those with the lower number.
    weighting : {"bm25", "none"}
        What is done to the counts first: :func:`bm25`, or nothing but to take whatever is above 0 for 1.
    k1, b : float
        Of :func:`bm25`.
    shrink : float
        Number added to the product of the norms, so that two items bought by a handful do not seem alike by chance.

    Attributes
    ----------
    similarity_ : sparse array of shape (items, items)
        Row: the item bought; column: a neighbour. Nothing on the diagonal. Not symmetric: a neighbour has its own neighbours.
    n_features_in_ : int
        Number of items.

    References
    ----------
    Sarwar, Karypis, Konstan and Riedl (2001), Item-based collaborative filtering recommendation algorithms, WWW 10, section 3.1.1.
    Deshpande and Karypis (2004), Item-based top-N recommendation algorithms, ACM TOIS 22.

    Examples
    --------
    >>> from scipy import sparse
    >>> bought = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    >>> ItemSimilarity(neighbours=1, weighting="none").fit(bought).similarity_.toarray().round(4).tolist()
    [[0.0, 0.8165, 0.0], [0.8165, 0.0, 0.0], [0.0, 0.5774, 0.0]]
    """

    def __init__(
        self, neighbours: int = 20, weighting: str = "bm25", k1: float = 1.2, b: float = 0.75, shrink: float = 0.0
    ) -> None:
        self.neighbours = neighbours
        self.weighting = weighting
        self.k1 = k1
        self.b = b
        self.shrink = shrink

    def fit(self, X: Any, y: Any = None) -> ItemSimilarity:  # noqa: ARG002
        """Find the neighbours of each item.

        Parameters
        ----------
        X : sparse array of shape (customers, items)
            How often each customer bought each item.
        y : ignored

        Returns
        -------
        ItemSimilarity
            Itself.

        Raises
        ------
        ModelError
            A parameter is out of range, or a count is negative or none.
        """
        from scipy import sparse

        if self.weighting not in WEIGHTINGS:
            raise ModelError.expected("ItemSimilarity", "weighting", f"one of {', '.join(WEIGHTINGS)}", self.weighting)
        if not 0 <= self.shrink < np.inf:
            raise ModelError.expected("ItemSimilarity", "shrink", "a number of at least 0", self.shrink)
        if self.neighbours < 1:
            raise ModelError.expected("ItemSimilarity", "neighbours", "a whole number of at least 1", self.neighbours)
        counts = _counts(X, "ItemSimilarity")
        if self.weighting == "bm25":
            weighted = bm25(counts, self.k1, self.b)
        else:
            weighted = sparse.csr_array(((counts.data > 0).astype(float), counts.indices, counts.indptr), shape=counts.shape)
        n = counts.shape[1]
        norms = np.sqrt(np.bincount(weighted.indices, weighted.data**2, n))
        columns_first = weighted.tocsc()
        parts = []
        step = max(1, 4_000_000 // max(n, 1))  # so many rows of the items' table at a time
        for begin in range(0, n, step):
            block = (columns_first[:, begin : begin + step].T @ weighted).toarray()
            size = np.arange(len(block))
            block[size, begin + size] = 0.0
            below = norms[begin : begin + step, None] * norms + self.shrink
            np.divide(block, below, out=block, where=below > 0)
            if n > self.neighbours:  # most values are far from the best: what cannot be among them need not be sorted
                least = np.partition(block, n - self.neighbours, axis=1)[:, n - self.neighbours] * (1 - 1e-8)
                block[block < least[:, None]] = 0.0
            row, col = np.nonzero(block)
            at, column, kept, _ = best_per_row(row, col, block[row, col], self.neighbours)
            parts.append((begin + at, column, kept))
        rows, columns, values = (
            (np.concatenate(part) for part in zip(*parts, strict=True))
            if parts
            else (np.empty(0, int), np.empty(0, int), np.empty(0))
        )
        self.similarity_ = sparse.csr_array((values, (rows, columns)), shape=(n, n))
        self.n_features_in_ = n
        return self

    def scores(self, X: Any) -> sparse.csr_array:
        """Add up the similarity of each item to what a customer has.

        Parameters
        ----------
        X : sparse array of shape (customers, items)
            Weight of each item that a customer has.

        Returns
        -------
        sparse array of shape (customers, items)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        from scipy import sparse

        check_is_fitted(self)
        table = _counts(X, "ItemSimilarity")
        if table.shape[1] != self.n_features_in_:
            raise ModelError.expected("ItemSimilarity", "X", f"a table of {self.n_features_in_} items", f"{table.shape[1]}")
        return sparse.csr_array(table @ self.similarity_)


def best_per_row(
    row: npt.ArrayLike, column: npt.ArrayLike, value: npt.ArrayLike, k: int
) -> tuple[IntArray, IntArray, Array, IntArray]:
    """Keep the k highest values of each row; among equal ones those of the lower column.

    Parameters
    ----------
    row, column : arrays of int of shape (n,)
        Of each value; in any order. No pair comes twice.
    value : array of shape (n,)
        Values that differ in no more than their ninth digit are taken for equal.
    k : int
        At least 1.

    Returns
    -------
    (row, column, value, rank) : ndarray
        By row, and by rank in it (1 is the best).

    Examples
    --------
    >>> row, column, value, rank = best_per_row([0, 0, 0, 1], [2, 1, 0, 5], [0.5, 0.5, 0.1, 0.2], 2)
    >>> row.tolist(), column.tolist(), rank.tolist()
    ([0, 0, 1], [1, 2, 5], [1, 2, 1])
    """
    if k < 1:
        raise ModelError.expected("best_per_row", "k", "a whole number of at least 1", k)
    rows, columns = np.asarray(row, dtype=np.int64), np.asarray(column, dtype=np.int64)
    values = np.asarray(value, dtype=np.float64)
    order = np.lexsort((columns, -_rounded(values), rows))
    rows = rows[order]
    start = np.flatnonzero(np.diff(rows, prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(start, np.diff(start, append=len(rows))) + 1
    kept = rank <= k
    chosen = order[kept]
    return rows[kept], columns[chosen], values[chosen], rank[kept]


def _rounded(values: Array) -> Array:
    """Values to nine digits, so that the order of a sum cannot break a tie."""
    some = values != 0
    digits = np.zeros(len(values))
    digits[some] = np.floor(np.log10(np.abs(values[some])))
    unit = _TIE * 10.0**digits
    return np.asarray(np.rint(values / unit) * unit)


def _counts(table: Any, who: str) -> sparse.csr_array:
    """A table of counts as a sparse one; refused where it is none."""
    from scipy import sparse

    try:
        counts = sparse.csr_array(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError.expected(who, "X", "a table of numbers", type(table).__name__) from error
    if counts.ndim != 2:
        raise ModelError.expected(who, "X", "a table with a row per customer and a column per item", f"shape {counts.shape}")
    if counts.nnz and not (np.isfinite(counts.data).all() and counts.data.min() >= 0 and workable(counts.data).all()):
        raise ModelError.expected(who, "X", f"numbers of at least 0, under {LARGE:g}, none of them missing", "others")
    return counts
