"""What several kinds need: a project of its own with nothing in it, one with a key for the ids of customers, the reader of single values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crmlab.data.descriptor import Descriptor
from crmlab.data.reading import engines
from crmlab.data.reading.parse import Parser
from crmlab.data.table_section import TableSection
from crmlab.data.tables import TABLES, Column


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without data or notebooks, with a campaign memory of its own; it is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    for folder in ("data", "notebooks"):
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.fixture
def keyed_project(empty_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in which the key that customers' ids are made with is the bytes from 0 to 31."""
    monkeypatch.delenv("CRMLAB_KEY", raising=False)
    private = empty_project / "data" / "private"
    private.mkdir(mode=0o700)
    (private / "customers.key").write_text(bytes(range(32)).hex() + "\n")
    (private / "customers.key").chmod(0o600)
    return empty_project


@pytest.fixture(scope="module")
def read() -> Iterator[Callable[..., list[Any]]]:
    """A function that reads values as a canonical column of a kind, in an engine as data sets have it."""
    con = engines.scratch_duckdb()

    def values(
        kind: str, given: Any, *, timezone: str = "UTC", name: str = "x", zones: list[str] | None = None, **options: Any
    ) -> list[Any]:
        array = given if isinstance(given, pa.Array) else pa.array(given)
        columns = {"v": array} if zones is None else {"v": array, "z": pa.array(zones)}
        raw = con.create_table("kinds", obj=pa.table(columns), temp=True, overwrite=True)
        descriptor = Descriptor("m", "m.toml", Path(), "M", timezone=timezone)
        parser = Parser(TABLES["orders"], TableSection("orders", **options), descriptor, "duckdb")
        # In steps, as data sets are read: an engine computes an expression wherever it is used.
        held = raw.select(row=raw.rowid(), **{key: parser.stripped(raw[key]) for key in columns})
        stripped = con.create_table("stripped", obj=held, temp=True, overwrite=True)
        told = stripped.select(
            "row", **{key: parser.given(stripped[key], {"v": name, "z": "time_zone"}[key]) for key in columns}
        )
        table = con.create_table("given", obj=told, temp=True, overwrite=True)
        value = parser.parse(Column(name, kind, "meaning"), table["v"], table["z"] if zones else None)  # type: ignore[arg-type]
        return table.select(v=value, row="row").order_by("row").to_pyarrow()["v"].to_pylist()

    yield values
    con.disconnect()
