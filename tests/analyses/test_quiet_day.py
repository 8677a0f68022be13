"""A last day on which nobody ordered is a day like any other: every report is made as of it, and as of the day before a gap."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

import crmlab
from crmlab.errors import ParameterError
from crmlab.history.past import History
from crmlab.report import registry

CASES = [(name, {"customer_id": "C000009"} if name == "customer_profile" else {}) for name in registry.report_names()]

# Fits take seconds: by day, reports without them.
FITTED = ("actions", "churn", "customer_profile", "customer_value", "scorecard", "triggers")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shop of 250 customers, where on some days nobody orders."""
    path = tmp_path_factory.mktemp("shop") / "own.toml"
    path.write_text('title = "Own"\ncurrency = "EUR"\n[source]\nkind = "shop"\ncustomers = 250\nseed = 1\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CAMPAIGNS", str(path.parent / "memory"))
        yield crmlab.open_dataset(path)


@pytest.fixture(scope="module")
def quiet(data: Any) -> dt.date:
    """The latest day before the last without an order."""
    found = data.orders.select(day=data.orders["ordered_at"].date()).distinct().to_pandas()["day"]
    days = set(pd.to_datetime(found).dt.date)
    last = max(days)
    return next(day for day in (last - dt.timedelta(days=k) for k in range(1, 400)) if day not in days)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "params"),
    [pytest.param(*case, id=case[0], marks=[pytest.mark.nightly] if case[0] in FITTED else []) for case in CASES],
)
def test_every_report_is_made_as_of_a_day_without_orders(data, quiet, name, params):
    module = registry.analysis(name)
    result = module.run(data, module.Params(as_of=quiet.isoformat(), **params))
    assert result.context.as_of == quiet
    assert result.findings
    assert all("after the last order" not in why for why in result.absent.values())


def test_history_of_a_quiet_day_can_be_asked_everything(data, quiet):
    past = History(data, quiet)
    assert past.as_of == quiet
    assert pd.to_datetime(past.summary()["last_occasion"]).max() < pd.Timestamp(quiet)
    assert len(past.gaps()) > 0
    again = History(past.data, quiet)
    pd.testing.assert_frame_equal(again.summary(), past.summary())
    assert past.earlier(quiet).summary().equals(past.summary())
    earlier = past.earlier(quiet - dt.timedelta(days=30))
    assert earlier.orders["ordered_at"].max().execute().date() <= earlier.as_of
    with pytest.raises(ParameterError, match="no later than"):
        earlier.earlier(quiet)
    with pytest.raises(ParameterError, match="after the last order"):
        History(past.data, quiet + dt.timedelta(days=1))


def test_history_knows_who_ordered_whatever_their_row_says_of_the_day(data, quiet):
    from dataclasses import replace

    import ibis

    one = History(data, quiet).orders["customer_id"].min().execute()
    table = data.customers
    late = table.mutate(
        acquired_at=ibis.ifelse(
            table["customer_id"] == one, ibis.literal(quiet + dt.timedelta(days=5), "date"), table["acquired_at"]
        ),
        contactable=(table["customer_id"] != one) & table["contactable"],
    )
    past = History(replace(data, _tables={**{name: data.table(name) for name in data.tables}, "customers": late}), quiet)
    assert past.customers.filter(past.customers["customer_id"] == one).count().execute() == 1
    assert past.contactable(pd.Series([one])) == ["no"]
    assert past.refusals(pd.Series([one])) == ["has not consented"]
    # Who was won later and has not ordered by then is not known yet.
    won = pd.to_datetime(past.customers["acquired_at"].to_pandas())
    ordered = set(past.orders["customer_id"].to_pandas())
    ids = past.customers["customer_id"].to_pandas()
    assert set(ids[(won > pd.Timestamp(quiet)).to_numpy()]) <= ordered


def test_door_to_the_future_opens_on_what_came_after(data, quiet):
    past = History(data, quiet)
    month = past.after(30).orders["ordered_at"]
    assert month.min().execute().date() > quiet
    assert month.max().execute().date() <= quiet + dt.timedelta(days=30)
    whole = data.orders.count().execute()
    assert past.orders.count().execute() + past.after().orders.count().execute() == whole


def test_who_has_complained_is_not_contacted(data, quiet):
    past = History(data, quiet)
    agreed = past.customers.filter(past.customers["contactable"])["customer_id"].to_pandas()
    some = pd.Series([*sorted(past.complained & set(agreed))[:2], min(set(agreed) - past.complained)])
    assert len(some) == 3
    assert past.contactable(some) == ["no", "no", "yes"]
    assert past.refusals(some) == ["has complained"] * 2 + [""]
    # A complaint of a later day is not known yet.
    assert not past.earlier(past.first).complained
