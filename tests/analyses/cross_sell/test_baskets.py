"""Baskets: what counts as held, capping, months, and the same pairs in memory and in the engine, on DuckDB and Spark."""

import datetime as dt
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.cross_sell.baskets import basket_matrix, basket_months, counted_pairs, pair_counts
from crmlab.errors import DataError, ParameterError
from crmlab.history.orders import between
from crmlab.models.baskets.association import rules
from crmlab.models.baskets.frequent import itemsets, pair_codes

DAY = dt.datetime(2024, 1, 15, 12)


def lines_of(rows):
    """Order lines from (order, customer, product, quantity) or (…, time)."""
    frame = pd.DataFrame(
        [(*row, DAY)[:5] for row in rows], columns=["order_id", "customer_id", "product_id", "quantity", "ordered_at"]
    )
    frame["quantity"] = [Decimal(str(value)) for value in frame["quantity"]]
    return frame


def random_lines(seed, orders=300, products=40):
    rng = np.random.default_rng(seed)
    rows = []
    for order in range(orders):
        for product in set((rng.exponential(8, rng.integers(1, 12))).astype(int)):
            rows.append((f"O{order}", f"C{order % 90}", f"P{min(product, products - 1):03}", int(rng.integers(1, 4))))
    return lines_of(rows)


def in_memory(baskets, least=1):
    pairs, counts = pair_codes(baskets.matrix, least)
    return {(baskets.items[a], baskets.items[b]): int(c) for (a, b), c in zip(pairs, counts, strict=True)}


def in_engine(table):
    return {(a, b): int(n) for a, b, n in table.to_pandas()[["first", "second", "n_both"]].itertuples(index=False)}


def test_what_a_basket_holds():
    rows = [
        ("1", "a", "ale", 1), ("1", "a", "ale", 2), ("1", "a", "bread", 0.25),  # doubled line, fraction
        ("1", "b", "ale", 1),  # the same number of another customer is another receipt
        ("2", "a", "bread", 2), ("2", "a", "bread", -2), ("2", "a", "cheese", 1),  # wholly returned in the order
        ("3", "a", "ale", -3),  # a return only
        ("4", "c", "cheese", 0),
    ]  # fmt: skip
    lines = ibis.memtable(lines_of(rows))
    baskets = basket_matrix(lines)
    assert baskets.items == ("ale", "bread", "cheese")
    assert sorted(map(tuple, baskets.matrix.toarray().tolist())) == [(0, 0, 1), (1, 0, 0), (1, 1, 0)]
    assert baskets.keys.to_pylist() == ["1\x1fa", "1\x1fb", "2\x1fa"]
    whole = basket_matrix(lines, "customer")
    # All of a's ale came back; of bread a quarter and nothing else is left.
    assert dict(zip(whole.keys.to_pylist(), whole.matrix.toarray().tolist(), strict=True)) == {"a": [0, 1, 1], "b": [1, 0, 0]}


def test_rare_items_lose_their_column_and_not_their_basket():
    lines = ibis.memtable(lines_of([("1", "a", "ale", 1), ("2", "b", "ale", 1), ("3", "c", "rare", 1)]))
    baskets = basket_matrix(lines, min_count=2)
    assert (baskets.n, baskets.items, baskets.dropped) == (3, ("ale",), 1)
    assert itemsets(baskets, 2)["count"].tolist() == [2]
    assert basket_matrix(lines, min_count=9).matrix.shape == (3, 0)


def test_categories_and_days():
    lines = ibis.memtable(
        lines_of(
            [
                ("1", "a", "p1", 1, DAY),
                ("1", "a", "p2", 1, DAY),
                ("1", "a", "p3", 1, DAY),
                ("2", "a", "p1", 1, DAY + dt.timedelta(days=1)),
            ]
        )
    )
    products = ibis.memtable(pd.DataFrame({"product_id": ["p1", "p2", "p3"], "category": ["x", "x", None]}))
    baskets = basket_matrix(lines, level="category", products=products)
    assert baskets.items == ("x",) and baskets.matrix.toarray().tolist() == [[1], [1]]
    assert basket_matrix(between(lines, None, DAY.date())).n == 1
    assert basket_matrix(between(lines, DAY.date() + dt.timedelta(days=1), None)).n == 1


def test_giant_baskets_are_cut_down_and_counted():
    rows = [("big", "a", f"P{k:03}", 1) for k in range(50)] + [("2", "b", "P001", 1), ("2", "b", "P002", 1)]
    lines = ibis.memtable(lines_of(rows))
    baskets = basket_matrix(lines, max_items=10)
    assert baskets.capped == 1
    assert sorted(np.diff(baskets.matrix.indptr).tolist()) == [2, 10]
    mixed = ibis.memtable(lines_of(rows).sample(frac=1, random_state=3))
    assert (basket_matrix(mixed, max_items=10).matrix != baskets.matrix).nnz == 0
    assert in_engine(pair_counts(lines, max_items=10)) == in_memory(baskets)


def test_months_are_those_of_the_first_line():
    rows = [
        ("1", "a", "p", 1, dt.datetime(2024, 1, 31)),
        ("2", "a", "p", 1, dt.datetime(2024, 3, 1)),
        ("0", "a", "p", 1, dt.datetime(2023, 12, 1)),
    ]
    lines = ibis.memtable(lines_of(rows))
    baskets = basket_matrix(lines)
    assert dict(zip(baskets.keys.to_pylist(), basket_months(lines, baskets).tolist(), strict=True)) == {
        "0\x1fa": 0, "1\x1fa": 1, "2\x1fa": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("unit", "least", "most"), [("order", 1, 100), ("order", 4, 5), ("customer", 3, 8)])
def test_pairs_in_the_engine_are_those_in_memory(unit, least, most):
    lines = ibis.memtable(random_lines(1))
    baskets = basket_matrix(lines, unit, min_count=least, max_items=most)
    assert in_engine(pair_counts(lines, unit, min_count=least, max_items=most)) == in_memory(baskets, least)


@pytest.mark.parametrize(
    ("unit", "least", "most"), [("order", 1, 100), ("order", 4, 5), ("customer", 3, 8), ("order", 10**6, 9)]
)
def test_rules_from_the_engine_are_those_from_memory(unit, least, most):
    lines = ibis.memtable(random_lines(3))
    counted = counted_pairs(lines, unit, min_count=least, max_items=most)
    held = itemsets(basket_matrix(lines, unit, min_count=least, max_items=most), least, 2)
    pd.testing.assert_frame_equal(counted, held)
    pd.testing.assert_frame_equal(rules(counted), rules(held))


@pytest.mark.spark
@pytest.mark.parametrize("unit", ["order", pytest.param("customer", marks=pytest.mark.proof)])
def test_pairs_and_matrix_on_both_engines(both, unit):
    frame = random_lines(2, 150, 25)
    duck, spark = both(lambda lines: pair_counts(lines, unit, min_count=2, max_items=6), lines=frame)
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    assert len(duck) > 20


def test_a_catalogue_of_a_hundred_thousand():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"order_id": np.repeat(np.arange(50_000), 4).astype(str), "product_id": rng.integers(0, 100_000, 200_000).astype(str)}
    )
    frame = frame.assign(customer_id="c", quantity=1, ordered_at=DAY)
    baskets = basket_matrix(ibis.memtable(frame))
    assert len(baskets.items) > 80_000
    assert len(itemsets(baskets, 1, 2)) > 300_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unit": "basket"}, "The 'unit' parameter of basket_matrix must be one of order, customer. Got 'basket' instead."),
        ({"level": "brand"}, "The 'level' parameter of basket_matrix must be one of product, category. Got 'brand' instead."),
        ({"level": "category"}, "The 'level' parameter of basket_matrix must be product, where no product has a category."),
        ({"min_count": 0}, "The 'min_count' parameter of basket_matrix must be a whole number of at least 1. Got 0 instead."),
        ({"max_items": 1}, "The 'max_items' parameter of basket_matrix must be a whole number of at least 2. Got 1 instead."),
    ],
)
def test_bad_parameters_are_said(options, said):
    with pytest.raises(ParameterError) as error:
        basket_matrix(ibis.memtable(random_lines(1, 5)), **options)
    assert str(error.value).startswith(said)


def test_a_missing_column_is_said():
    with pytest.raises(DataError, match="order_lines: missing column 'quantity'"):
        basket_matrix(ibis.memtable(random_lines(1, 5).drop(columns="quantity")))
