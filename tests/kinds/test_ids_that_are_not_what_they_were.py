"""Kind: an id that lost digits or is written in two ways is another id.

4.91765E+12 stands for a hundred thousand customers; "ANNA", "anna " and "anna" are three, each of whom bought once and left. Sums by
customer, frequencies and joins are wrong, and nothing fails.
"""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest

import crmlab
from crmlab.data.rules import examined
from tests.kinds.test_nothing_is_counted_twice import book, items, sales


def found(data, name):
    return {one.rule: one for one in examined(data)}[name]


@pytest.mark.parametrize("lost", ["4.91765E+12", "4,91765E+12", "5E+15", "4.9e+12"])
def test_ids_as_a_spreadsheet_shows_long_numbers(tmp_path, lost) -> None:
    orders = sales(100)
    orders.loc[10:12, "customer_id"] = lost
    breach = found(book(tmp_path, orders=orders), "Whole customer ids")
    assert (breach.broken, breach.grave, breach.table) == (3, True, "orders")
    assert float(breach.amount) == orders["amount"][10:13].sum()
    assert breach.examples[0]["customer_id"] == lost


@pytest.mark.parametrize("right", ["1E5", "12E34", "P-1E+2", "0x4E+1f"])
def test_codes_that_only_look_like_that_are_left_alone(tmp_path, right) -> None:
    orders = sales(100)
    orders.loc[10:12, "customer_id"] = right
    assert found(book(tmp_path, orders=orders), "Whole customer ids").broken == 0


def test_long_ids_whose_last_digits_are_zeros(tmp_path) -> None:
    orders = sales(100).assign(order_id=[f"{400638133393101 + 7 * i}00" for i in range(100)])
    breach = found(book(tmp_path, orders=orders), "Whole order ids")
    assert (breach.broken, breach.share) == (100, 1)
    whole = sales(100).assign(order_id=[f"{400638133393101 + 7 * i}{i % 97:02}" for i in range(100)])
    assert found(book(tmp_path, orders=whole), "Whole order ids").broken == 0


@pytest.mark.proof
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna-7", "ANNA-7"),
        ("anna 7", "anna  7"),
        ("anna 7", "anna\u00a07"),
        ("Zoë", unicodedata.normalize("NFD", "Zoë")),
        ("17850", "17850.0"),
    ],
)
def test_two_spellings_of_one_id(tmp_path, one, other) -> None:
    orders = sales(100)
    orders.loc[0:4, "customer_id"] = one
    orders.loc[5:6, "customer_id"] = other
    orders.loc[7, "customer_id"] = "half.5"  # so that a column of ids is no column of numbers
    breach = found(book(tmp_path, orders=orders), "One spelling of customer ids")
    assert (breach.broken, breach.checked, breach.grave) == (2, 100, True)
    assert float(breach.amount) == orders["amount"][5:7].sum()
    assert breach.examples[0]["customer_id"] == f"'{other}' beside '{one}'"
    assert 'ids = "fold"' in breach.advice


def test_spellings_of_products(tmp_path) -> None:
    lines = items(100)
    lines.loc[0:2, "product_id"] = "85123A"
    lines.loc[3, "product_id"] = "85123a"
    breach = found(book(tmp_path, order_lines=lines), "One spelling of product ids")
    assert (breach.broken, breach.checked, float(breach.amount)) == (1, 200, lines["amount"][3])


def test_ids_that_differ_by_more_are_two(tmp_path) -> None:
    orders = sales(100)
    orders.loc[0, "customer_id"], orders.loc[1, "customer_id"] = "Zoe", "Zoë"
    orders.loc[2, "customer_id"], orders.loc[3, "customer_id"] = "007", "7"
    # Of this form case is part of the id.
    orders.loc[4, "customer_id"], orders.loc[5, "customer_id"] = "0015g00000XyZaB", "0015g00000XyzaB"
    assert found(book(tmp_path, orders=orders), "One spelling of customer ids").broken == 0


def test_an_address_is_not_shown(tmp_path) -> None:
    orders = sales(100)
    orders.loc[0:4, "customer_id"], orders.loc[5:6, "customer_id"] = "somebody@example.com", "Somebody@example.com"
    breach = found(book(tmp_path, orders=orders), "One spelling of customer ids")
    assert breach.broken == 2
    assert "@" not in str(breach)


def giant(orders: pd.DataFrame, who: str, every: int, days: int = 300) -> pd.DataFrame:
    """Orders of one customer on many days beside those of others."""
    moments = pd.date_range("2024-01-01 12:00", periods=days)[::every]
    rows = [(f"g{i}", who, moment, 20) for i, moment in enumerate(moments)]
    return pd.concat([orders, pd.DataFrame(rows, columns=orders.columns)])


def small(count=1000):
    """Orders of 500 customers on 300 days."""
    orders = sales(count)
    return orders.assign(
        customer_id=[f"c{i % 500}" for i in range(count)],
        ordered_at=[pd.Timestamp("2024-01-01 08:00") + pd.Timedelta(days=i % 300) for i in range(count)],
    )


def test_one_customer_too_large_to_be_one_is_asked_about(tmp_path) -> None:
    data = book(tmp_path, orders=giant(small(), "till 4", 1))
    breach = found(data, "Customers of usual size")
    assert (breach.broken, breach.checked, breach.grave) == (300, 1300, True)
    assert float(breach.amount) == 6000
    assert "'till 4'" in breach.says
    assert breach.says.endswith("Is it one customer?")
    assert 'guests = ["till 4"]' in breach.advice


@pytest.mark.parametrize(
    "orders",
    [
        giant(small(), "monthly", 20),  # few orders
        giant(small(20_000), "daily", 1),  # under 5% of all
        giant(sales(300).assign(customer_id=[f"c{i % 12}" for i in range(300)]), "largest", 2),  # one of a few companies
        sales(300).assign(customer_id="only"),
    ],
)
def test_a_large_customer_is_none_of_them(tmp_path, orders) -> None:
    assert found(book(tmp_path, orders=orders), "Customers of usual size").broken == 0


def test_a_data_set_without_ids_of_products_is_not_asked_for_them(tmp_path) -> None:
    assert "Whole product ids" not in {one.rule for one in examined(book(tmp_path, orders=sales(50)))}
    assert crmlab.data.rules.RULES
