"""Salted hashes of keys: who comes first where nothing else decides, the same on every machine and in every order of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SIGN", "salted_hashes"]

SIGN = "\x1f"  # stands between salt and key, so that no two pairs have the same text


def salted_hashes(keys: Collection[Any], salt: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the first and the second 64 bits of the sha256 of salt and key.

    Parameters
    ----------
    keys : collection
        What is no text is taken as Python writes it.
    salt : str

    Returns
    -------
    tuple of ndarray of uint64, each of shape (keys,)

    Examples
    --------
    >>> [f"{value:016x}" for value in salted_hashes(["C1", "C2"], "spring 2025")[0]]
    ['31af97941cba009c', '44aece1e68c8888d']
    """
    start = hashlib.sha256((salt + SIGN).encode())
    result = np.empty((2, len(keys)), dtype=np.uint64)
    for place, key in enumerate(keys):
        digest = start.copy()
        digest.update(str(key).encode())
        found = digest.digest()
        result[:, place] = int.from_bytes(found[:8], "big"), int.from_bytes(found[8:16], "big")
    return result[0], result[1]
