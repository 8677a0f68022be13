"""Kind: of a long file pieces are looked at that overlap, and rows seen twice are said to stand in the file twice.

Else a file with unique ids gets a question about copies, and its answer leaves orders out.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crmlab.data import guess
from crmlab.data.guess.text import HEAD, PIECE, read_text

ROW = "{:08d},C{:05d},2024-{:02d}-{:02d},{:07.2f}\n"
LENGTH = len(ROW.format(0, 0, 1, 1, 0))


def orders(size: int) -> str:
    """Orders with unique ids, of so many bytes."""
    count = range((size - 40) // LENGTH)
    text = "order_id,customer_id,order_date,total\n"
    return text + "".join(ROW.format(i, i % 900, 1 + i % 9, 1 + i % 27, i % 500 + 0.5) for i in count)


@pytest.mark.parametrize("size", [HEAD - 100, HEAD, HEAD + 1, HEAD + 3 * PIECE, *range(405_000, 700_001, 29_500), 3_000_000])
@pytest.mark.parametrize("packed", [False, True])
def test_no_row_is_seen_twice(tmp_path: Path, size: int, packed: bool) -> None:
    file = tmp_path / ("orders.csv.gz" if packed else "orders.csv")
    content = orders(size).encode()
    file.write_bytes(gzip.compress(content, 1) if packed else content)
    seen = read_text(file)
    ids = [row[0] for row in [*seen.rows, *seen.further] if len(row) == 4]
    assert len(ids) == len(set(ids)) > 4000


@pytest.mark.parametrize("size", [444_198, 520_000])
def test_unique_ids_are_not_asked_about(tmp_path: Path, size: int) -> None:
    (file := tmp_path / "orders.csv").write_text(orders(size))
    seen = guess.look(file)
    assert seen.doubts == ()
    assert "#duplicates" not in seen.settings
