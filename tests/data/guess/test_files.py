"""`crmlab new` of several files: which table each is, and how files of the same columns become one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from crmlab.data import catalog, guess
from crmlab.data.dataset import check_source
from crmlab.errors import SourceError


def day(i: int) -> str:
    return f"2024-{1 + i % 9:02d}-{1 + i % 27:02d}"


def put(path: Path, header: str, row: Callable[[int], tuple[Any, ...]], count: int = 40) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row(i))) for i in range(count))]) + "\n", encoding="utf-8")
    return path


def orders(path: Path, year: int = 2024) -> Path:
    return put(path, "order_id,customer_id,date,total,status", lambda i: (f"{year}-{i}", f"C{i % 9}", day(i), "20.50", "paid"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks", "files"):
        (tmp_path / name).mkdir()
    return tmp_path / "files"


@pytest.mark.proof
def test_a_folder_becomes_all_tables_of_a_data_set(folder: Path) -> None:
    orders(folder / "orders.csv")
    put(
        folder / "items.csv",
        "order_id,customer_id,date,sku,qty,price",
        lambda i: (f"2024-{i // 2}", f"C{i // 2 % 9}", day(i // 2), f"s{i % 5}", 1, "10.25"),
    )
    put(folder / "products.csv", "sku,name,category,unit_cost", lambda i: (f"s{i}", f"mug {i}", "kitchen", "3.00"), 5)
    put(folder / "people.csv", "customer_id,name,email,since", lambda i: (f"C{i}", "Ann B", f"p{i}@example.org", day(i)), 9)
    put(folder / "cells.csv", "campaign,cell,control,offer", lambda i: ("spring", f"A{i}", "A0" if i else "", "10%"), 3)
    put(folder / "mailing.csv", "customer_id,cell,sent_at", lambda i: (f"C{i % 9}", f"A{i % 3}", day(i)), 9)
    put(
        folder / "responses.csv",
        "customer_id,date,type",
        lambda i: (f"C{i % 9}", day(i), ("open", "click", "order")[i % 3]),
        20,
    )
    found = guess.survey([folder])
    assert [one.table for one in found] == ["orders", "order_lines", "products", "customers", "cells", "contacts", "responses"]
    assert not any("no orders" in doubt for one in found for doubt in one.doubts)
    made = guess.write(found)
    assert made.name == "files.toml"
    descriptor = catalog.load(made)
    assert descriptor.tables["customers"].personal == ("name", "email")
    rows, _, problems = check_source(descriptor)
    assert problems == []
    assert {row.table: row.rows for row in rows} == {
        **{"orders": 40, "order_lines": 40, "products": 5, "customers": 9},
        **{"cells": 3, "contacts": 9, "responses": 20},
    }


def test_files_of_the_same_columns_are_one_table(folder: Path) -> None:
    for year in (2023, 2024):
        orders(folder / f"orders-{year}.csv", year)
    put(folder / "products.csv", "sku,name,category", lambda i: (f"s{i}", f"mug {i}", "kitchen"), 5)
    first, products = guess.survey([folder])
    assert (Path(first.file).name, products.table) == ("orders-*.csv", "products")
    assert first.remarks["keep"] == "paid: 80 rows, 1,640.00"
    rows, _, problems = check_source(catalog.load(guess.write([first, products])))
    assert problems == []
    assert next(row.amount for row in rows if row.table == "orders") == "1640.0000"


def test_files_that_no_pattern_names_are_said(folder: Path) -> None:
    orders(folder / "a.csv")
    orders(folder / "b.csv", 2025)
    put(folder / "c.csv", "sku,name,category", lambda i: (f"s{i}", f"mug {i}", "kitchen"), 5)
    first, _ = guess.survey([folder])
    assert Path(first.file).name == "a.csv"
    assert any("b.csv, which have the same columns" in doubt for doubt in first.doubts)


def test_a_table_that_stands_twice_is_said(folder: Path) -> None:
    one = orders(folder / "one.csv")
    two = put(folder / "two.csv", "order,customer,date,total", lambda i: (i, f"C{i % 9}", day(i), "1.00"))
    (first,) = guess.survey([one, two])
    assert Path(first.file).name == "one.csv"
    assert any("two.csv was not read: it also looks like orders" in doubt for doubt in first.doubts)


def test_a_file_of_a_folder_that_cannot_be_read_is_said_and_a_named_one_refused(folder: Path) -> None:
    orders(folder / "orders.csv")
    (folder / "notes.txt").write_text("Made by nobody.\n")
    (first,) = guess.survey([folder])
    assert any("notes.txt is not read" in doubt for doubt in first.doubts)
    with pytest.raises(SourceError):
        guess.survey([folder / "orders.csv", folder / "notes.txt"])


def test_sheets_of_a_workbook_are_tables(folder: Path) -> None:
    with xlsxwriter.Workbook(folder / "book.xlsx") as book:
        sheets = {name: book.add_worksheet(name) for name in ("Notes", "Orders", "Customers")}
        sheets["Notes"].write(0, 0, "Sales of 2024")
        sheets["Orders"].write_row(0, 0, ["order_id", "customer_id", "date", "total"])
        sheets["Customers"].write_row(0, 0, ["customer_id", "name", "email", "since"])
        for i in range(20):
            sheets["Orders"].write_row(1 + i, 0, [i + 100, f"C{i % 9}", day(i), 20.5])
        for i in range(9):
            sheets["Customers"].write_row(1 + i, 0, [f"C{i}", "Ann B", f"p{i}@example.org", day(i)])
    found = guess.survey([folder / "book.xlsx"])
    assert [(one.table, one.options["sheet"]) for one in found] == [("orders", "Orders"), ("customers", "Customers")]
    assert found[1].personal == ("name", "email")
