"""Who gives a frame where a data set is asked for, or a data set where a table is, is told what to give instead."""

from __future__ import annotations

import pandas as pd
import pytest

import crmlab
from crmlab.errors import DataError
from crmlab.history import History, daily, gaps, holdout_summary, occasion_days, repeat_times

FRAME = pd.DataFrame(
    {
        "customer_id": ["a", "b", "a"],
        "ordered_at": ["2024-01-02", "2024-01-03", "2024-02-04"],
        "amount": [5.0, 6.0, 7.0],
    }
)
TAKE_DATA = {
    "next_best_offers": crmlab.next_best_offers,
    "customer_table": crmlab.customer_table,
    "History": History,
    "rfm": crmlab.analyses.rfm.run,
    "churn": crmlab.analyses.churn.run,
}


@pytest.mark.parametrize("name", TAKE_DATA)
def test_what_takes_a_data_set_refuses_all_else(name):
    for given, kind, to_open in (
        (FRAME, "DataFrame", "frame"),
        ("shop", "str", "'shop'"),
        ([1], "list", "frame"),
        (None, "NoneType", "frame"),
    ):
        said = rf"^The data must be a data set. Got '{kind}' instead. Open one first: crmlab.open_dataset\({to_open}\)\.$"
        with pytest.raises(DataError, match=said):
            TAKE_DATA[name](given)


def test_a_list_is_pulled_from_a_data_set_or_a_table():
    with pytest.raises(
        DataError, match=r"The data must be a data set. Got 'str' instead. Open one first: crmlab.open_dataset\('shop'\)"
    ):
        crmlab.pull_list("shop", "days_since_last >= 90")


def test_a_history_is_not_cut_twice():
    past = History(crmlab.open_dataset(FRAME))
    with pytest.raises(DataError, match=r"Got 'History' instead. .* history.data is its data set, history.earlier\(day\)"):
        History(past)
    assert History.of(past) is past


@pytest.mark.parametrize(
    "take",
    [crmlab.customer_summary, gaps, occasion_days, daily, repeat_times, lambda data: holdout_summary(data, "2024-01-03")],
)
def test_what_takes_orders_says_where_a_data_set_has_them(take):
    with pytest.raises(DataError, match=r"orders must be a table: .* Got 'Dataset' instead. Give its table: data.orders\.$"):
        take(crmlab.open_dataset(FRAME))
    with pytest.raises(DataError, match=r"Got 'list' instead. Open a data set with crmlab.open_dataset\.$"):
        take([1, 2])


def test_what_takes_order_lines_says_where_a_data_set_has_them():
    with pytest.raises(
        DataError, match=r"order_lines must be a table: .* Got 'Dataset' instead. Give its table: data.order_lines\.$"
    ):
        crmlab.basket_matrix(crmlab.open_dataset(FRAME))


def test_other_names_can_be_renamed_or_told():
    theirs = FRAME.rename(columns={"customer_id": "customer", "amount": "paid"})
    said = (
        r"orders: missing column 'customer_id'. Found: customer, ordered_at, paid. Rename a column of your frame: "
        r"frame.rename\(columns={'customer': 'customer_id'}\). Or open it as a data set: "
        r"crmlab.open_dataset\(frame, columns={'customer_id': 'customer'}\).orders$"
    )
    with pytest.raises(DataError, match=said):
        crmlab.customer_summary(theirs)
    # The second way, as it is told, all names at once.
    opened = crmlab.open_dataset(theirs, columns={"customer_id": "customer", "amount": "paid"}).orders
    ways = opened, theirs.rename(columns={"customer": "customer_id", "paid": "amount"})
    one, other = (crmlab.customer_summary(orders).order_by("customer_id").to_pandas() for orders in ways)
    pd.testing.assert_frame_equal(one, other)
    with pytest.raises(
        DataError, match=r"crmlab.open_dataset\({'order_lines': frame}, columns={'product_id': 'old'}\).order_lines$"
    ):
        crmlab.basket_matrix(FRAME)


def test_a_summary_is_told_to_be_made_a_frame():
    for made in (crmlab.customer_summary, holdout_summary):
        assert ".to_pandas()" in made.__doc__
        assert "no order" in made.__doc__ or "no particular order" in made.__doc__
