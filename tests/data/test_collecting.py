"""Collecting: rows come in one order whatever the engine, and all that leaves it is counted."""

from __future__ import annotations

import contextvars
import threading

import ibis
import pandas as pd
import pytest

from crmlab.collecting import (
    ORDERED,
    collect,
    collect_arrow,
    collect_batches,
    collect_row,
    collect_value,
    counted,
)

# Texts by code point, missing ones last; "\U0001f600" is above "\uffff", though UTF-16 would put it below.
TEXTS = ["B", "Z", "a", "b", "ä", "é", "\uffff", "\U0001f600", None]


def mixed() -> ibis.Table:
    order = [5, 8, 0, 7, 3, 1, 6, 2, 4]
    return ibis.memtable({"key": [TEXTS[i] for i in order], "place": order}, schema={"key": "string", "place": "int64"})


def test_rows_are_ordered_by_their_key_then_by_what_is_left():
    table = ibis.memtable({"z": [2, 1, 1, 1], "key": ["b", "b", "a", "b"], "a": [0, 5, 9, 4]})
    assert collect(table, "key").values.tolist() == [[1, "a", 9], [1, "b", 4], [1, "b", 5], [2, "b", 0]]
    assert collect(table, ["a"])["a"].tolist() == [0, 4, 5, 9]
    assert collect_arrow(table, ("z", "a")).to_pydict() == {"z": [1, 1, 1, 2], "key": ["b", "b", "a", "b"], "a": [4, 5, 9, 0]}
    assert collect(table, "key").index.tolist() == [0, 1, 2, 3]


def test_a_table_may_have_an_order_of_its_own():
    table = mixed().order_by(ibis.desc("place")).limit(3)
    assert collect(table, ORDERED)["place"].tolist() == [8, 7, 6]
    assert collect_arrow(table, ORDERED)["place"].to_pylist() == [8, 7, 6]
    assert collect(table, "place")["place"].tolist() == [6, 7, 8]


def test_what_is_nested_breaks_no_ties():
    table = ibis.memtable({"key": [2, 1]}).mutate(more=ibis.array([1, 2]))
    assert collect_arrow(table, "key").to_pydict() == {"key": [1, 2], "more": [[1, 2], [1, 2]]}


def test_missing_keys_come_last_and_texts_are_compared_by_code_point():
    assert collect_arrow(mixed(), "key").to_pydict() == {"key": TEXTS, "place": list(range(9))}


@pytest.mark.spark
def test_order_is_the_same_on_spark(spark):
    con = ibis.pyspark.connect(spark)
    rows = [(TEXTS[i], i, None if i == 4 else float(-i)) for i in (5, 8, 0, 7, 3, 1, 6, 2, 4)]
    made = spark.createDataFrame(rows, "key string, place long, amount double")
    made.createOrReplaceTempView("mixed")
    table = con.table("mixed")
    assert collect(table, "key")["place"].tolist() == collect_arrow(table, "key")["place"].to_pylist() == list(range(9))
    assert collect(table, "amount")["place"].tolist() == collect(duck(rows), "amount")["place"].tolist()
    assert collect_row(table.aggregate(n=table.count(), last=table["place"].max())) == {"n": 9, "last": 8}
    # Ibis 12 would order these with the column of the filter among those that are to be distinct.
    halves = con.create_view("halves", table.mutate(half=table["place"] // 5), overwrite=True)
    some = halves.filter(halves["place"] < 8).select("half").distinct()
    assert collect(some, "half")["half"].tolist() == [0, 1]
    assert collect_arrow(some.filter(some["half"] > 0), "half")["half"].to_pylist() == [1]
    with counted() as tally:
        assert sum(batch.num_rows for batch in collect_batches(table, 4)) == 9
    assert (tally.queries, tally.rows) == (1, 9)


def duck(rows: list[tuple[str | None, int, float | None]]) -> ibis.Table:
    columns = dict(zip(("key", "place", "amount"), map(list, zip(*rows, strict=True)), strict=True))
    return ibis.memtable(columns, schema={"key": "string", "place": "int64", "amount": "float64"})


def test_queries_and_rows_are_counted():
    table = mixed()
    with counted() as tally:
        collect(table, "place")
        collect_arrow(table.limit(2), ORDERED)
        assert collect_value(table.count()) == 9
        assert collect_row(table.aggregate(n=table["key"].count(), last=table["place"].max())) == {"n": 8, "last": 8}
        with counted() as inner:
            pieces = list(collect_batches(table, 4))
        collect(table, "place")
    collect(table, "place")
    assert sum(piece.num_rows for piece in pieces) == 9
    assert (inner.queries, inner.rows) == (1, 9)
    assert [query.rows for query in tally.collected] == [9, 2, 1, 1, 9, 9]
    assert (tally.queries, tally.rows, tally.repeated) == (6, 31, 1)
    name = f"{__name__}.test_queries_and_rows_are_counted"
    assert tally.callers() == {name: (6, 31)}


def test_a_row_is_exactly_one():
    with pytest.raises(ValueError, match="too many values"):
        collect_row(mixed())


def test_a_tally_is_of_its_own_thread():
    table = mixed()

    def ask() -> None:
        collect(table, "place")

    with counted() as tally:
        other = threading.Thread(target=ask)
        other.start()
        other.join()
        assert tally.queries == 0
        mine = threading.Thread(target=contextvars.copy_context().run, args=(ask,))
        mine.start()
        mine.join()
    assert (tally.queries, tally.rows) == (1, 9)


def test_an_empty_table_has_its_columns():
    with counted() as tally:
        found = collect(mixed().filter(ibis.literal(False)), "key")
    pd.testing.assert_index_equal(found.columns, pd.Index(["key", "place"]))
    assert (len(found), tally.queries, tally.rows) == (0, 1, 0)
