"""Campaigns launched from a data set are among its cells, contacts and responses, each counted once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

import crmlab
from crmlab.data.catalog import load
from crmlab.data.memory import open_memory, taken
from crmlab.errors import CampaignError, DescriptorError
from crmlab.history.past import History
from crmlab.report.inputs import inspect

CELLS = pd.DataFrame(
    {
        "cell_id": ["plain", "gift"],
        "control_cell_id": [None, "plain"],
        "response_code": [None, "AYADH7"],
        "offer": [None, "a gift"],
        "cost_per_contact": [None, 0.35],
        "opens_on": [None, "2026-02-01"],
    }
)
PEOPLE = pd.DataFrame(
    {"customer_id": ["C1", "C2", "C3"], "cell_id": ["gift", "plain", "gift"], "household_id": ["H", None, "H"]}
)
ANSWERS = pd.DataFrame(
    {"customer_id": ["C1", "C2"], "responded_at": pd.to_datetime(["2026-02-03", "2026-02-04"]), "kind": "order"}
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three customers with orders in a csv file, nothing else."""
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "mine.toml").write_text('timezone = "Pacific/Auckland"\n[orders]\nfile = "orders.csv"\n')
    lines = [f"{i},C{i % 3 + 1},2026-0{1 + i % 3}-1{i % 9},{10 + i}" for i in range(30)]
    (tmp_path / "data" / "orders.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(lines) + "\n")
    return tmp_path


def launch(campaign="spring", data="mine", people=PEOPLE, cells=CELLS):
    memory = open_memory()
    memory.plan(campaign, cells)
    memory.launch(campaign, cells, people, {"data": data})
    return memory


def rows(table, by="customer_id"):
    return table.order_by(by).to_pandas()


def test_a_data_set_without_tables_of_its_own_gets_those_of_the_memory(project):
    assert crmlab.open_dataset("mine").tables == ("orders",)
    memory = launch()
    data = crmlab.open_dataset("mine")
    assert data.tables == ("orders", "cells", "contacts") and data.remembered is not None
    cells = rows(data.cells, "cell_id").set_index("cell_id")
    assert cells.loc["gift", ["campaign_id", "control_cell_id", "response_code"]].tolist() == ["spring", "plain", "AYADH7"]
    assert cells.loc["gift", "cost_per_contact"] == Decimal("0.3500") and cells.loc["gift", "opens_on"].date() == dt.date(
        2026, 2, 1
    )
    assert "discount" not in cells.columns  # what no cell says is no column
    contacts = rows(data.contacts).set_index("customer_id")
    assert contacts["cell_id"].tolist() == ["gift", "plain", "gift"] and contacts.loc["C1", "household_id"] == "H"
    assert contacts.loc["C1", "contacted_at"] == pd.Timestamp("2026-02-01")
    # Where a cell names no first day, the day of the launch, as the data set's clocks have it.
    moment = pd.Timestamp(memory.headers("spring", "launched")[0].recorded_at).tz_convert("Pacific/Auckland")
    assert contacts.loc["C2", "contacted_at"].date() == moment.date()
    assert memory.record_responses("spring", ANSWERS) == 2
    assert rows(crmlab.open_dataset("mine").responses)["kind"].tolist() == ["order", "order"]


def test_only_launches_from_the_data_set_count_and_only_where_it_reads_them(project):
    open_memory().plan("planned", CELLS.assign(response_code=None))
    launch("other", data="another")
    assert crmlab.open_dataset("mine").tables == ("orders",)
    launch("spring", cells=CELLS.assign(response_code=None))
    assert "cells" in crmlab.open_dataset("mine").tables
    toml = project / "data" / "mine.toml"
    toml.write_text(toml.read_text() + "[campaigns]\nmemory = false\n")
    assert crmlab.open_dataset("mine").tables == ("orders",)
    toml.write_text(toml.read_text().replace("false", "true"))
    assert "cells" in crmlab.open_dataset("mine").tables


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('[campaigns]\nmemory = "yes"\n', r"\[campaigns\] memory must be true or false. Got 'yes'"),
        ("[campaigns]\nmemry = true\n", r"unknown key 'memry' under \[campaigns\]. Did you mean 'memory'\?"),
        ("[[campaigns]]\nmemory = true\n", "campaigns must be a section"),
    ],
)
def test_the_section_is_checked(project, section, words):
    toml = project / "data" / "mine.toml"
    toml.write_text(toml.read_text() + section)
    with pytest.raises(DescriptorError, match=words):
        load("mine")


def test_nothing_later_than_the_day_is_known(project):
    launch()
    past = History(crmlab.open_dataset("mine"), "2026-01-31")
    assert past.contacts is not None and past.contacts.count().execute() == 0
    assert History(crmlab.open_dataset("mine"), "2026-02-15").contacts.count().execute() == 2


def test_fingerprint_changes_with_launches_and_responses_and_with_nothing_else(project):
    before = inspect("mine")
    memory = open_memory()
    memory.plan("spring", CELLS)
    assert inspect("mine").fingerprint == before.fingerprint  # a plan is no contact
    memory.launch("spring", CELLS, PEOPLE, {"data": "mine"})
    launched = inspect("mine")
    assert launched.fingerprint != before.fingerprint and launched.key == before.key  # the tables of the source are kept
    assert launched.rows == before.rows | {"cells": 2, "contacts": 3} and {"cells", "contacts"} <= set(launched.holds)
    memory.record_results("spring", pd.DataFrame({"cell_id": ["gift"], "metric": ["response"], "n": [2]}))
    launch("other", data="another", cells=CELLS.assign(response_code=None))
    assert inspect("mine").fingerprint == launched.fingerprint
    memory.record_responses("spring", ANSWERS)
    answered = inspect("mine")
    assert answered.fingerprint != launched.fingerprint and answered.rows["responses"] == 2
    assert memory.record_responses("spring", ANSWERS) == 0 and inspect("mine").fingerprint == answered.fingerprint
    toml = project / "data" / "mine.toml"
    toml.write_text(toml.read_text() + "[campaigns]\nmemory = false\n")
    assert inspect("mine").fingerprint == before.fingerprint
    assert taken(load("mine")) is None


def own(project, cells, contacts):
    """Give the data set tables of its own."""
    (project / "data" / "cells.csv").write_text(cells)
    (project / "data" / "contacts.csv").write_text(contacts)
    toml = project / "data" / "mine.toml"
    toml.write_text(toml.read_text() + '[cells]\nfile = "cells.csv"\n[contacts]\nfile = "contacts.csv"\n')


@pytest.mark.proof
def test_own_tables_stay_and_a_campaign_in_both_counts_once(project):
    launch()
    launch("autumn", cells=CELLS.assign(cell_id=["none", "card"], control_cell_id=[None, "none"], response_code=None),
           people=PEOPLE.assign(cell_id=["card", "none", "card"]))  # fmt: skip
    own(
        project,
        "campaign_id,cell_id,control_cell_id,channel\nspring,plain,,post\nspring,gift,plain,post\nold,gone,,\n",
        "customer_id,cell_id,contacted_at\nC1,gift,2026-02-02 09:00\nC3,gone,2025-01-01\n",
    )
    data = crmlab.open_dataset("mine")
    cells = rows(data.cells, "cell_id")
    assert cells["cell_id"].tolist() == ["card", "gift", "gone", "none", "plain"]
    assert cells.set_index("cell_id").loc["gift", "channel"] == "post"  # as the data set has it
    contacts = rows(data.contacts, ["customer_id", "cell_id"])
    assert list(zip(contacts["customer_id"], contacts["cell_id"], strict=True)) == [
        ("C1", "card"), ("C1", "gift"), ("C2", "none"), ("C2", "plain"), ("C3", "card"), ("C3", "gift"), ("C3", "gone"),
    ]  # fmt: skip
    # The time that the data set knows, not that of the plan.
    assert contacts.loc[1, "contacted_at"] == pd.Timestamp("2026-02-02 09:00")
    assert inspect("mine").rows == {"orders": 30, "cells": 5, "contacts": 7}


@pytest.mark.proof
def test_a_campaign_in_both_with_other_cells_is_refused(project):
    launch()
    own(
        project,
        "campaign_id,cell_id,control_cell_id\nspring,plain,\nspring,card,plain\n",
        "customer_id,cell_id,contacted_at\nC1,card,2026-02-01\n",
    )
    with pytest.raises(
        CampaignError, match="'spring' is in the campaign memory and among the cells of .*mine.toml, with other cells"
    ):
        crmlab.open_dataset("mine")
    toml = project / "data" / "mine.toml"
    toml.write_text(toml.read_text() + "[campaigns]\nmemory = false\n")
    assert crmlab.open_dataset("mine").cells.count().execute() == 2


def test_cells_of_one_name_in_two_campaigns_stay_two(project):
    launch()
    launch("autumn", cells=CELLS.assign(response_code=None), people=PEOPLE.iloc[:2])
    cells = rows(crmlab.open_dataset("mine").cells, "cell_id")
    assert cells["cell_id"].tolist() == ["autumn: gift", "autumn: plain", "spring: gift", "spring: plain"]
    assert cells["control_cell_id"].tolist()[0] == "autumn: plain"
    counts = crmlab.open_dataset("mine").contacts["cell_id"].value_counts().execute().set_index("cell_id").iloc[:, 0]
    assert counts.to_dict() == {"autumn: gift": 1, "autumn: plain": 1, "spring: gift": 2, "spring: plain": 1}


def test_a_memory_that_is_damaged_is_said_and_not_passed_over(project):
    launch()
    next((project / "memory").glob("launched-*.parquet")).unlink()
    with pytest.raises(CampaignError, match="is missing from the campaign memory"):
        crmlab.open_dataset("mine")


def test_the_same_tables_on_spark(project, spark):
    launch().record_responses("spring", ANSWERS)
    own(project, "campaign_id,cell_id,control_cell_id\nold,gone,\n", "customer_id,cell_id,contacted_at\nC3,gone,2025-01-01\n")
    here, there = crmlab.open_dataset("mine"), crmlab.open_dataset("mine", spark)
    for name, key in (("cells", ["cell_id"]), ("contacts", ["customer_id", "cell_id"]), ("responses", ["customer_id"])):
        a, b = here.table(name).to_pandas(), there.table(name).execute()
        a, b = (one.astype(object).where(one.notna(), None).sort_values(key, ignore_index=True) for one in (a, b))
        assert list(a.columns) == list(b.columns) and a.astype(str).equals(b.astype(str)), name


def test_a_data_set_in_postgres_reads_them_too(project, postgres, monkeypatch):
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as session:
        session.execute("create table orders (order_id text, customer_id text, ordered_at timestamp, amount numeric(18, 4))")
        session.execute("insert into orders values ('1', 'C1', '2026-02-03', 5), ('2', 'C2', '2026-02-04', 6)")
    monkeypatch.setenv("SHOP_DATABASE", postgres)
    (project / "data" / "theirs.toml").write_text('[source]\nkind = "postgres"\nurl_env = "SHOP_DATABASE"\n[orders]\n')
    launch(data="theirs")
    data = crmlab.open_dataset("theirs")
    assert data.contacts.count().execute() == 3
    assert rows(data.orders.join(data.contacts, "customer_id"))["cell_id"].tolist() == ["gift", "plain"]
    data.con.disconnect()
