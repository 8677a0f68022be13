"""JSON as systems write it: lines, arrays, objects within objects, numbers with all their digits."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.data.guess import look, write
from crmlab.data.reading import engines, json_records
from crmlab.data.reading.json_records import records

MAPPED = '[orders]\nfile = "{}"\ncustomer_id = "customer.id"\nordered_at = "at"\namount = "total.value"\n'
ROWS = [
    '{"id": 4917650000000000123, "at": "2024-01-31T10:00:00", "customer": {"id": "007", "name": "x"}, "total": {"value": 12.50}}',
    '{"id": 4917650000000000124, "at": "2024-02-01T10:00:00", "customer": {"id": "0042"}, "total": {"value": 1e2}, "tags": ["a", 1.0]}',
    '{"id": null, "at": "2024-02-02T10:00:00", "customer": {"id": 7}, "total": {"value": "3"}}',
]
LINES = "\n".join(ROWS) + "\n"


def amounts(data):
    found = data.orders.order_by("ordered_at").to_pyarrow().to_pydict()
    return list(zip(found["customer_id"], found["amount"], strict=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("o.jsonl", LINES.encode()),
        ("o.ndjson", LINES.replace("\n", "\r\n\r\n").encode()),
        ("o.json", LINES.encode()),
        ("o.json", ("\ufeff[" + ",\n ".join(ROWS) + "]\n").encode()),
        ("o.json", json.dumps([json.loads(row) for row in ROWS], indent=4).encode()),
        ("O.JSONL.GZ", gzip.compress(LINES.encode(), mtime=0)),
        ("o.json.gz", gzip.compress(("[" + ",".join(ROWS) + "]").encode(), mtime=0)),
    ],
)
def test_read_json_forms(opened, name, content):
    expected = [("007", Decimal("12.5000")), ("0042", Decimal("100.0000")), ("7", Decimal("3.0000"))]
    assert amounts(opened(MAPPED.format(name), {name: content})) == expected


@pytest.mark.parametrize(("late", "passes"), [("colour", 1), ("returned", 2)])
def test_columns_that_come_late(tmp_path, monkeypatch, late, passes):
    """Records are read once, unless a column that is needed comes after the first of them."""
    count = 3 * json_records._FIRST
    lines = [json.dumps({"id": i} | ({late: "7"} if i > count - 3 else {})) for i in range(count)]
    (tmp_path / "o.jsonl").write_text("\n".join(lines))
    given_out = []

    def counted(table, file):
        for row in records(table, file):
            given_out.append(1)
            yield row

    monkeypatch.setattr(json_records, "records", counted)
    con = engines.scratch_duckdb()
    try:
        raw = json_records.read_json(con, "orders", [tmp_path / "o.jsonl"], lambda names: [n for n in names if n != "colour"])
        held = raw.table.to_pyarrow().to_pydict()
    finally:
        con.disconnect()
    assert raw.columns == ("id", late)
    assert held["id"] == [str(i) for i in range(count)]
    assert held.get("returned", ["7", "7"])[-2:] == ["7", "7"]
    assert (len(held) == 2) == (late == "returned")
    assert len(given_out) == json_records._FIRST + passes * count


def test_records_keep_what_is_written(tmp_path):
    (tmp_path / "o.jsonl").write_text(LINES)
    first, second, third = records("orders", tmp_path / "o.jsonl")
    assert first == {
        "id": "4917650000000000123",
        "at": "2024-01-31T10:00:00",
        "customer.id": "007",
        "customer.name": "x",
        "total.value": "12.50",
    }
    assert second["total.value"] == "1e2"
    assert second["tags"] == '["a", 1.0]'
    assert third["id"] is None


def test_records_two_levels_deep(tmp_path):
    (tmp_path / "o.jsonl").write_text('{"a": {"b": {"c": 1.10, "d": "é"}}, "e": {}, "f": true}\n')
    assert list(records("orders", tmp_path / "o.jsonl")) == [{"a.b": '{"c": 1.10, "d": "é"}', "e": "{}", "f": "true"}]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=5).map(str.strip), st.text(st.characters(codec="utf-8"))
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_records_give_back_what_json_holds(tmp_path_factory, rows, listed):
    path = tmp_path_factory.mktemp("json") / "o.json"
    path.write_text(json.dumps(rows) if listed else "\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert list(records("orders", path)) == rows


def test_records_across_the_pieces_that_are_read(tmp_path):
    rows = [{"id": str(i), "text": "é" * (i % 700)} for i in range(6000)]
    (tmp_path / "o.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert list(records("orders", tmp_path / "o.json")) == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINES + '{"id": 1, "at"\n', "row 4 of o.json cannot be read. It is no JSON: expecting ':' delimiter."),
        (
            LINES + "\n\n[1]\n",
            "row 4 of o.json cannot be read. Expected one object per line, or one array of objects. Found: a list.",
        ),
        (
            "[" + ROWS[0] + ", 7]",
            "row 2 of o.json cannot be read. Expected one object per line, or one array of objects. Found: a number.",
        ),
        ("[" + ROWS[0], "o.json cannot be read. Its array has no end."),
        ("[" + ROWS[0] + "] {}", "o.json cannot be read. Something follows its array."),
        ("[]", "o.json is empty."),
        ("{}", "o.json is empty."),
        ("id,at\n1,2\n", "row 1 of o.json cannot be read. It is no JSON:"),
        (
            '{"id": "\\ud800", "at": "2024-01-31", "total": {"value": 1}, "customer": {"id": "\\ud800"}}',
            "It holds half of a character",
        ),
        ("[" * 100_000, "row 1 of o.json cannot be read. It is too deep."),
        ('{"id": "ü"}'.encode("cp1252"), "o.json cannot be read. It is not UTF-8 text, as JSON is."),
    ],
)
def test_read_json_refuses_with_a_sentence(message, content, said):
    content = content if isinstance(content, bytes) else content.encode()
    assert said in message(MAPPED.format("o.json"), {"o.json": content})


def test_look_json(tmp_path):
    path = tmp_path / "sales.jsonl"
    path.write_text(
        "".join(
            f'{{"order": {{"id": "A-{i}", "date": "2024-01-{1 + i}"}}, "customer_id": "{i % 3:03}", "total": {i}.10}}\n'
            for i in range(9)
        )
    )
    guess = look(path)
    assert dict(guess.columns) == {
        "order_id": "order.id",
        "ordered_at": "order.date",
        "customer_id": "customer_id",
        "amount": "total",
    }
    assert "delimiter" not in guess.options
    assert guess.name == "sales"
    write(path, folder=tmp_path)
