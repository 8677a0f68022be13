"""Of which cells something is sent, and to whom: one rule, in a frame and in an engine."""

from __future__ import annotations

import dataclasses
import datetime as dt

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.analyses.campaigns import ListRules, check_campaigns, pull_list
from crmlab.data.dataset import open_dataset
from crmlab.history.past import History
from crmlab.history.sending import sends, sent, silent

COLUMNS = ("cell_id", "control_cell_id", "offer", "creative", "response_code", "cost_per_contact", "fixed_cost")
TYPES = [pa.string()] * 5 + [pa.float64()] * 2


@pytest.fixture(scope="module")
def shop():
    return open_dataset("shop")


def cells(*rows: tuple) -> pa.Table:
    """Cells of one campaign; what is left off at the end of a row is missing."""
    whole = [(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows]
    arrays = [pa.array([row[k] for row in whole], kind) for k, kind in enumerate(TYPES)]
    table = pa.table(dict(zip(COLUMNS, arrays, strict=True)))
    return table.append_column("campaign_id", pa.array(["x"] * len(rows), pa.string()))


def sending(table: pa.Table) -> list[str]:
    frame = table.to_pandas()
    found = frame.loc[sends(frame), "cell_id"].tolist()
    quiet = set(silent(ibis.memtable(table)).to_pyarrow()["cell_id"].to_pylist())
    assert [name for name in frame["cell_id"] if name not in quiet] == found
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([("0",), ("1", "0")], ["1"], id="an ordinary control"),
        pytest.param([("1",), ("2",)], ["1", "2"], id="a campaign without any control"),
        pytest.param([("0",), ("1", "0"), ("2", "1")], ["1", "2"], id="a control that has a control itself"),
        pytest.param([("champion", None, "the usual"), ("1", "champion")], ["champion", "1"], id="a champion with an offer"),
        pytest.param([("champion", None, None, "letter"), ("1", "champion")], ["champion", "1"], id="with a creative"),
        pytest.param([("champion", None, None, None, "AYADH7"), ("1", "champion")], ["champion", "1"], id="with a code"),
        pytest.param(
            [("champion", None, None, None, None, 0.5), ("1", "champion")], ["champion", "1"], id="that costs something"
        ),
        pytest.param([("champion", None, None, None, None, 0.0, 40.0), ("1", "champion")], ["champion", "1"], id="as a whole"),
        pytest.param([("0", None, None, None, None, 0.0, 0.0), ("1", "0")], ["1"], id="a control that costs nothing"),
        pytest.param([("a0",), ("a1", "a0"), ("b0",), ("b1", "b0"), ("b2", "b0")], ["a1", "b1", "b2"], id="two controls"),
    ],
)
def test_sends_by_the_kind_of_cell(rows, expected):
    assert sending(cells(*rows)) == expected


def test_sends_with_the_required_columns_only():
    few = cells(("0",), ("1", "0")).select(["campaign_id", "cell_id", "control_cell_id"])
    assert sending(few) == ["1"]


TEXT = st.one_of(st.none(), st.sampled_from(["a", "b"]))
COST = st.sampled_from([None, 0.0, 1.0])


@given(st.lists(st.tuples(st.sampled_from([None, "0", "1", "2", "3"]), TEXT, TEXT, TEXT, COST, COST), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_frame_and_engine_agree(rows):
    sending(cells(*((str(k), *row) for k, row in enumerate(rows))))


def without_control(shop, campaign):
    """The shop, with the controls of a campaign gone: all that is left of it was sent."""
    mine = shop.cells.filter((shop.cells["campaign_id"] != campaign) | shop.cells["control_cell_id"].notnull())
    mine = mine.mutate(control_cell_id=ibis.ifelse(mine["campaign_id"] == campaign, None, mine["control_cell_id"]))
    contacts = shop.contacts.semi_join(mine, "cell_id")
    return dataclasses.replace(shop, _tables={**shop._tables, "cells": mine, "contacts": contacts})


def test_sent_is_what_the_shop_sent(shop):
    frame = sent(History(shop)).to_pyarrow().to_pandas()
    whole = shop.contacts.to_pyarrow().to_pandas()
    # Controls of the shop are named so, and have no code.
    expected = whole[~whole["cell_id"].str.endswith("-0")]
    assert len(frame) == len(expected) > 0
    assert sorted(frame["cell_id"].unique()) == sorted(expected["cell_id"].unique())
    early = sent(History(shop, "2024-12-31")).to_pyarrow().to_pandas()
    assert early["contacted_at"].max() < pd.Timestamp("2025-01-01")
    assert len(early) == (expected["contacted_at"] < "2025-01-01").sum()


def test_contacts_without_cells_count_as_sent(shop):
    tables = {name: table for name, table in shop._tables.items() if name != "cells"}
    assert sent(History(dataclasses.replace(shop, _tables=tables))).count().execute() == shop.contacts.count().execute()
    del tables["contacts"]
    assert sent(History(dataclasses.replace(shop, _tables=tables))) is None


def test_profile_scorecard_list_and_checks_mean_the_same_by_sent(shop):
    """A campaign without any control: whoever is in it was sent something, whoever tells of it."""
    from crmlab.analyses.campaigns.design.expected import _contacted
    from crmlab.analyses.campaigns.lists import suppressed
    from crmlab.analyses.customer_profile.study import _contacts

    day = dt.date(2024, 11, 2)
    changed = without_control(shop, "first_offers")
    history = History(changed, day)
    touched = set(sent(history).to_pyarrow()["customer_id"].to_pylist())
    assert len(touched) > 600
    assert suppressed(changed, day, 3650)[1] == touched
    assert _contacted(history, history.first) == touched
    one = min(touched)
    told = _contacts(history, one)
    assert told["contacted"].all()
    assert not told["what"].str.contains("left alone").any()
    refused = changed.customers.filter(~changed.customers["contactable"]).select("customer_id")
    mine = sent(History(changed)).semi_join(refused, "customer_id").count().execute()
    said = sum(finding.count for finding in check_campaigns(changed) if finding.check == "not_contactable")
    assert said == mine
    assert (
        pull_list(changed, as_of=day, rules=ListRules(contacted_within=3650))
        .ledger.set_index("step")
        .at["Contacted within 3650 days", "removed"]
        > 0
    )


@pytest.mark.proof
@pytest.mark.spark
def test_silent_cells_are_the_same_on_both_engines(both):
    table = cells(("0",), ("1", "0"), ("champion", None, "the usual"), ("2", "champion"), ("3",))
    frame = table.select(["campaign_id", *COLUMNS[:5]]).to_pandas()
    for answer in both(silent, cells=frame):
        assert answer["cell_id"].tolist() == ["0"]
