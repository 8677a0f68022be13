"""Customer-days are worked out once by the engine, and are those of the orders however they were cut by day."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import crmlab
from crmlab.history import customer_days
from crmlab.history.customers import gaps, gaps_until, occasion_days, summary_until
from crmlab.history.orders import between
from crmlab.history.past import History


@pytest.fixture(scope="module", params=["cdnow_sample", "shop", "donors"])
def data(request: pytest.FixtureRequest) -> Any:
    return crmlab.open_dataset(request.param)


def rows(table: Any) -> pd.DataFrame:
    frame = table.to_pandas()
    return frame.sort_values([*frame.columns[:2]], ignore_index=True)


def bare(history: History) -> Any:
    """The orders of a history, of which nothing is held: as a table that was collected."""
    return history.orders.order_by("order_id").to_pyarrow()


def test_they_are_those_of_the_orders_as_of_any_day(data: Any) -> None:
    history = History(data)
    for day in (history.as_of, history.as_of - dt.timedelta(days=1), history.first + (history.as_of - history.first) / 3):
        past = history.earlier(day)
        assert customer_days.held_days(past.orders) is not None
        loose = bare(past)
        pd.testing.assert_frame_equal(rows(occasion_days(past.orders)), rows(occasion_days(loose)))
        found = rows(summary_until(past.orders, day, None, "week"))
        pd.testing.assert_frame_equal(found, rows(crmlab.customer_summary(loose, day, unit="week")), check_exact=True)
        pd.testing.assert_frame_equal(rows(gaps_until(past.orders, day)), rows(gaps(loose, day)))


def test_they_are_those_of_the_orders_between_any_days(data: Any) -> None:
    history = History(data)
    first = history.first + (history.as_of - history.first) / 4
    last = first + dt.timedelta(days=40)
    for begin, end in ((first, last), (first, None), (None, last), (None, None)):
        cut = between(between(history.orders, begin, None), None, end)
        loose = between(bare(history), begin, end)
        assert customer_days.held_days(cut) is not None and customer_days.held_days(loose) is None
        pd.testing.assert_frame_equal(rows(occasion_days(cut)), rows(occasion_days(loose)))


def test_what_came_after_is_not_in_them(data: Any) -> None:
    history = History(data)
    day = history.first + (history.as_of - history.first) / 2
    after = history.earlier(day).after(30).orders
    found = occasion_days(after).to_pandas()["day"].astype("datetime64[s]")
    assert found.min().date() > day and found.max().date() <= day + dt.timedelta(days=30)


def test_orders_that_were_cut_otherwise_are_reduced_as_they_are() -> None:
    history = History(crmlab.open_dataset("cdnow_sample"))
    orders = history.orders
    some = orders.filter(orders["amount"] > 20)
    assert customer_days.held_days(some) is None
    assert customer_days.held_days(between(some, history.first, history.as_of)) is None
    assert occasion_days(some)["spend"].min().execute() > 20
    assert customer_days.held_days(orders.mutate(amount=orders["amount"] * 2)) is None


def test_they_are_worked_out_once_for_all_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    data = crmlab.open_dataset("cdnow_sample")
    monkeypatch.setattr(type(data.con), "create_table", _noting(type(data.con).create_table, made))
    history = History(data)
    for day in ("1997-06-30", "1997-12-31", "1998-03-31"):
        history.earlier(day).summary()
        History(data, day).gaps()
    assert len(made) == 1 and made[0].startswith("crmlab_days_")


def test_contents_that_may_change_are_asked_each_time() -> None:
    data = replace(crmlab.open_dataset("cdnow_sample"), fingerprint=None)
    assert customer_days.held_days(History(data).orders) is None


def _noting(create: Any, made: list[str]) -> Any:
    def noted(self: Any, name: str, *args: Any, **more: Any) -> Any:
        made.append(name)
        return create(self, name, *args, **more)

    return noted
