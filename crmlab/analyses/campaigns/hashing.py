"""Hashes of keys: the first 64 bits of sha256, the same in this process, in DuckDB and in Spark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crmlab.data.scratch import scratch_folder
from crmlab.models.hashes import SIGN, salted_hashes

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["hash_column", "hash_keys", "hash_pairs"]


_BULK = 20_000  # below this, starting an engine costs more than it saves
_BATCH = 200_000
_DIGITS = np.zeros(256, dtype=np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def hash_keys(keys: Sequence[str] | NDArray[Any] | pa.Array, salt: str) -> NDArray[np.uint64]:
    """Return the first 64 bits of the sha256 of salt and key.

    Parameters
    ----------
    keys : sequence of str, or Arrow array of texts
    salt : str

    Returns
    -------
    ndarray of uint64, shape (keys,)

    Notes
    -----
    Of ten million distinct keys, two share a hash with a probability of 3 in a million.

    Examples
    --------
    >>> [f"{value:016x}" for value in hash_keys(["C1", "C2"], "spring 2025")]
    ['31af97941cba009c', '44aece1e68c8888d']
    """
    return hash_pairs(keys, salt)[0]


def hash_pairs(keys: Sequence[str] | NDArray[Any] | pa.Array, salt: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the first and the second 64 bits of the sha256 of salt and key: together they are as good as the key itself."""
    return _in_bulk(keys, salt) if len(keys) >= _BULK else salted_hashes(keys, salt)


def _in_bulk(keys: Any, salt: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """In a DuckDB of its own, which hashes on all cores; rows come back in the order in which they went in."""
    import duckdb
    import pyarrow as pa

    column = keys if isinstance(keys, pa.Array | pa.ChunkedArray) else pa.array(keys, pa.string())
    # In batches, which DuckDB reads on all cores.
    table = pa.Table.from_batches(pa.table({"key": column}).to_batches(max_chunksize=_BATCH))
    with scratch_folder() as scratch, duckdb.connect(config={"temp_directory": str(scratch)}) as con:
        con.register("given", table)
        found = con.execute("select substr(sha256(? || key), 1, 32) as hash from given", [salt + SIGN]).to_arrow_table()
    halves = np.concatenate([_from_hex(chunk) for chunk in found["hash"].chunks]).reshape(-1, 2)
    return halves[:, 0].copy(), halves[:, 1].copy()


def _from_hex(texts: pa.StringArray) -> NDArray[np.uint64]:
    """Numbers from the digits of hexadecimal texts, 16 each: much faster than casting text by text."""
    kind = np.int64 if str(texts.type).startswith("large") else np.int32
    offsets = np.frombuffer(texts.buffers()[1], kind)[texts.offset : texts.offset + len(texts) + 1]
    digits = _DIGITS[np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]]
    return np.asarray(((digits[0::2] << 4) | digits[1::2]).view(">u8").astype(np.uint64))


def hash_column(table: ibis.Table, key: str, salt: str) -> ir.StringValue:
    """Return the first 16 hexadecimal digits of the sha256 of salt and a text column, in the engine that holds the table.

    As text, because engines differ in whether they know unsigned numbers; texts of one length are in the order of numbers.

    Parameters
    ----------
    table : ibis.Table
    key : str
        Name of the column.
    salt : str
    """
    import ibis

    return (ibis.literal(salt + SIGN) + table[key]).hexdigest("sha256")[:16]
