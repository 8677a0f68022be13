"""Which texts stand for nothing is said by column: a control cell called "none" is a name where the data set says so.

Otherwise a cell, a customer or a product that happens to be called None, NA or null disappears with its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crmlab.data.dataset import open_dataset

Read = Callable[..., list[Any]]


def test_the_usual_words_are_missing_unless_a_column_has_words_of_its_own(read: Read) -> None:
    words = ["none", "NULL", "n/a", "", " ", "x"]
    assert read("text", words) == [None, None, None, None, None, "x"]
    assert read("text", words, name="cell_id", missing={"cell_id": ("",)}) == ["none", "NULL", "n/a", None, None, "x"]
    assert read("text", words, name="cell_id", missing={"cell_id": ("X", "null")}) == ["none", None, "n/a", None, None, None]
    assert read("text", words, name="cell_id", missing={"cell_id": ()}) == ["none", "NULL", "n/a", None, None, "x"]
    assert read("text", words, name="cell_id", missing={"campaign_id": ("",)}) == [None, None, None, None, None, "x"]


@pytest.mark.parametrize("value", ["-999", pa.array([-999.0]), pa.array([-999]), pa.array([Decimal("-999")])])
def test_amounts_that_stand_for_nothing(read: Read, value: Any) -> None:
    given = [value] if isinstance(value, str) else value
    assert read("money", given, name="amount", missing={"amount": ("-999",)}) == [None]
    assert read("money", given, name="amount") == [Decimal(-999)]


def test_days_that_stand_for_nothing(read: Read) -> None:
    never = datetime(9999, 12, 31)
    for given in (["9999-12-31"], pa.array([never]), pa.array([never.date()])):
        assert read("time", given, name="ordered_at", missing={"ordered_at": ("9999-12-31",)}) == [None]
        assert read("time", given, name="ordered_at") == [never]


def test_a_cell_called_none_is_a_cell(empty_project: Path) -> None:
    data = empty_project / "data"
    (data / "o.csv").write_text("customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    (data / "c.csv").write_text("campaign_id,cell_id,control_cell_id\nspring,mail,none\nspring,none,\n")
    sections = '[orders]\nfile = "o.csv"\n[cells]\nfile = "c.csv"\n'
    (data / "m.toml").write_text(sections + 'missing = {cell_id = [""], control_cell_id = [""]}\n')
    cells = open_dataset("m").cells
    assert cells is not None
    assert cells.order_by("cell_id").to_pyarrow().select(["cell_id", "control_cell_id"]).to_pylist() == [
        {"cell_id": "mail", "control_cell_id": "none"},
        {"cell_id": "none", "control_cell_id": None},
    ]
