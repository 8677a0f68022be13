"""Itemsets as arrays: codes by length with their counts, and the place of any part of a set."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

IntArray = npt.NDArray[np.int64]


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
                raise ModelError.frame_lacks("rules", column, frame.columns, "Make the frame with itemsets.")
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
