"""The customer table that is published: what it says, where it says nothing, and that a real Postgres holds the same."""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

import crmlab
from crmlab.analyses.actions import decisions
from crmlab.analyses.customers.published import CUSTOMERS, PUBLISHED
from crmlab.analyses.customers.publishing import publish
from crmlab.analyses.customers.table import customer_table
from crmlab.analyses.lifecycle.naming import STATES
from crmlab.cli.commands import main
from crmlab.history.consent import COMPLAINED, REFUSED
from crmlab.history.customers import customer_summary
from crmlab.history.past import History


@pytest.fixture(scope="module")
def shop():
    return crmlab.open_dataset("shop")


@pytest.fixture(scope="module")
def table(shop):
    return customer_table(shop)


@pytest.mark.proof
def test_everybody_is_there_once_with_what_is_known(shop, table):
    assert set(table.columns) == {column.name for column in PUBLISHED} - {"action", "action_reason"}  # of the report on actions
    people = shop.customers.select("customer_id").to_pandas()["customer_id"]
    assert table["customer_id"].tolist() == sorted(people)
    summary = customer_summary(shop.orders).to_pandas().set_index("customer_id")
    bought = table[table["customer_id"].isin(summary.index)].set_index("customer_id")
    assert bought["days_since_last"].astype(int).to_dict() == summary["days_since_last"].to_dict()
    # Who has most likely left brings nothing in 95 of 100 futures: the mean lies above the upper end then.
    assert (bought["value_low"] <= bought["value_high"]).all()
    assert set(bought["state"]) <= set(STATES)
    assert set(bought["tier"]) == set("ABCD")
    # The higher tier has the higher values.
    low, high = bought.groupby("tier")["value"].min(), bought.groupby("tier")["value"].max()
    assert all(low[a] >= high[b] for a, b in zip("ABC", "BCD", strict=True))
    assert bought["churn"].dropna().between(0, 1).all()
    rest = table[~table["customer_id"].isin(summary.index)]
    assert rest["state"].eq("prospect").all()
    assert rest[["value", "tier", "churn", "days_since_last", "value_model"]].isna().all().all()


@pytest.mark.proof
def test_offers_go_to_nobody_who_must_not_be_contacted(shop, table):
    flags = shop.customers.select("customer_id", "contactable").to_pandas().set_index("customer_id")["contactable"]
    never = table["customer_id"].map(flags).eq(False)
    assert never.any()
    assert table.loc[never, "next_offers"].isna().all()
    # Whoever must not be contacted has the reason beside it, and nobody else has one.
    assert table["refusal"].notna().equals(table["contactable"].eq(False))
    assert set(table["refusal"].dropna()) == {REFUSED, COMPLAINED}
    assert (table.loc[never, "refusal"] == REFUSED).all()
    known = set(shop.products.select("product_id").to_pandas()["product_id"])
    assert {offer for text in table["next_offers"].dropna() for offer in text.split(" ")} <= known


def test_postgres_holds_the_same(table, postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("CRM_PLACE", postgres)
    run = publish({CUSTOMERS: table}, "env:CRM_PLACE")
    names = [column.name for column in PUBLISHED]
    with psycopg.connect(postgres) as con:
        rows = con.execute(f"select {', '.join(names)}, run from {CUSTOMERS} order by customer_id").fetchall()
    assert {row[-1] for row in rows} == {run}
    found = pd.DataFrame([row[:-1] for row in rows], columns=names)
    assert found["customer_id"].tolist() == table["customer_id"].tolist()
    assert found["as_of"].eq(dt.date(2025, 12, 31)).all()
    for name in ("value", "churn", "at_risk", "most_to_spend", "value_level"):
        pd.testing.assert_series_equal(found[name].astype(float), table[name].astype(float), check_names=False)
    for name in ("state", "tier", "next_offers", "triggers", "value_model", "contactable", "refusal"):
        assert found[name].isna().tolist() == table[name].isna().tolist()
        assert found[name].dropna().tolist() == table[name].dropna().tolist()


@pytest.mark.proof
def test_command_publishes_what_a_data_set_allows(tmp_path):
    place = tmp_path / "crm.duckdb"
    done = CliRunner().invoke(main, ["publish", "--data", "cdnow_sample", "--to", str(place)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Published 2,357 customers to ")
    with duckdb.connect(str(place), read_only=True) as con:
        found = con.table(CUSTOMERS).to_df()
    assert len(found) == 2357
    assert found["value"].notna().all()
    assert found[["next_offers", "offer_model", "contactable"]].isna().all().all()
    decided = decisions(History(crmlab.open_dataset("cdnow_sample"))).set_index("customer_id")
    for name in ("action", "action_reason"):
        assert found.set_index("customer_id")[name].to_dict() == decided[name].to_dict()


def test_as_of_outside_the_history_is_said():
    done = CliRunner().invoke(main, ["publish", "--data", "cdnow_sample", "--to", "x.duckdb", "--as-of", "2031-01-01"])
    assert done.exit_code == 2
    assert "The 'as_of' date 2031-01-01 is after the last order." in done.output
