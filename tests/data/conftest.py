"""Writes small data sets: a TOML file and the files that it names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest

from crmlab.data.dataset import Dataset, open_dataset
from crmlab.errors import CrmlabError

Content = str | bytes | pa.Table
ORDERS = "order_id,customer_id,ordered_at,amount\n1,7,2024-01-31,12.50\n2,8,2024-02-01,7.00\n"


def write(folder: Path, name: str, content: Content) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pa.Table):
        import pyarrow.parquet as pq

        pq.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes ``mine.toml`` and the files beside it, and returns the TOML file's path."""

    def made(toml: str = '[orders]\nfile = "o.csv"\n', files: dict[str, Content] | str | None = None) -> Path:
        contents = {"o.csv": files if isinstance(files, str) else ORDERS} if not isinstance(files, dict) else files
        for name, content in contents.items():
            write(tmp_path, name, content)
        return write(tmp_path, "mine.toml", toml)

    return made


@pytest.fixture
def opened(make: Callable[..., Path]) -> Callable[..., Dataset]:
    """A function that writes a data set and opens it."""
    return lambda *args, **kwargs: open_dataset(make(*args, **kwargs))


@pytest.fixture
def message(make: Callable[..., Path]) -> Callable[..., str]:
    """A function that writes a data set which cannot be opened, and returns the one-line message."""

    def failed(*args: Any, **kwargs: Any) -> str:
        with pytest.raises(CrmlabError) as caught:
            open_dataset(make(*args, **kwargs))
        text = str(caught.value)
        assert "\n" not in text
        return text

    return failed


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    """A function that returns a table's rows, in order of all its columns."""

    def listed(table: Any, *columns: str) -> list[dict[str, Any]]:
        chosen = table.select(*(columns or table.columns))
        return chosen.order_by(chosen.columns).to_pyarrow().to_pylist()

    return listed


@pytest.fixture
def column(rows: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[Any]]:
    """A function that returns one column of a table, in order of another (default: its own)."""

    def values(table: Any, name: str, by: str | None = None) -> list[Any]:
        return table.order_by(by or name).select(name).to_pyarrow().to_pydict()[name]

    return values


@pytest.fixture
def workbook() -> Callable[..., bytes]:
    return make_workbook


def make_workbook(sheets: dict[str, Sequence[Sequence[Any]]]) -> bytes:
    """The smallest .xlsx that holds these sheets. Days are numbers with a date format, as spreadsheets keep them."""
    book, relations, types, parts = [], [], [], {}
    for i, (name, table) in enumerate(sheets.items(), start=1):
        book.append(f'<sheet name="{escape(name)}" sheetId="{i}" r:id="r{i}"/>')
        relations.append(_relation(f"r{i}", "worksheet", f"worksheets/sheet{i}.xml"))
        types.append(_override(f"/xl/worksheets/sheet{i}.xml", "worksheet"))
        lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in table)
        parts[f"xl/worksheets/sheet{i}.xml"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'
    relations.append(_relation("styles", "styles", "styles.xml"))
    types += [_override("/xl/workbook.xml", "sheet.main"), _override("/xl/styles.xml", "styles")]
    parts |= {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{''.join(types)}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f"{_relation('b', 'officeDocument', 'xl/workbook.xml')}</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(book)}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(relations)}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text)
    return packed.getvalue()


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _relation(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{target}"/>'


def _override(part: str, kind: str) -> str:
    return f'<Override PartName="{part}" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'


def _cell(value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime):
        days = (value - datetime(1899, 12, 30)).total_seconds() / 86400
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, int | float):
        return f"<c><v>{value!r}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


@contextmanager
def environment(**values: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield
