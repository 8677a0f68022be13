"""Profile of one customer: what is there, who is not found, and that nobody's name is shown."""

from __future__ import annotations

import subprocess
import sys

import ibis
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import customer_profile
from crmlab.analyses.actions import decisions
from crmlab.errors import ParameterError, hint_at
from crmlab.history.past import History
from crmlab.report.jobs import runs_unasked


@pytest.fixture(scope="module")
def shop():
    return crmlab.open_dataset("shop")


@pytest.fixture(scope="module")
def page(shop):
    return customer_profile.run(shop, customer_profile.Params(customer_id="C000001"))


def own(folder):
    """Thirty who buy every month, with their names and addresses."""
    rows = [f"o{k}-{n},c{k:02},2024-{n:02}-{1 + k % 27:02},{10 + k}" for k in range(30) for n in range(1, 13)]
    (folder / "own.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(rows) + "\n")
    people = [f"c{k:02},Mrs Example {k},mrs{k}@example.com,{'DE' if k % 2 else 'FR'}" for k in range(31)]
    (folder / "people.csv").write_text("customer_id,last_name,email,country\n" + "\n".join(people) + "\n")
    (folder / "own.toml").write_text('title = "Own"\n[orders]\nfile = "own.csv"\n[customers]\nfile = "people.csv"\n')
    return crmlab.open_dataset(str(folder / "own.toml"))


@pytest.mark.proof
def test_page_shows_what_is_known(shop, page):
    assert {"facts", "offers", "contacts", "bought"} <= set(page.tables)
    assert [finding.metric for finding in page.findings] == ["occasions", "value", "churn"]
    orders = shop.orders.filter(shop.orders["customer_id"] == "C000001").to_pandas()
    strip = page.charts["strip"].frame
    paid = strip.loc[strip["kind"].isin(["purchase", "return"]), "amount"].sum()
    assert paid == pytest.approx(float(orders["amount"].astype(float).sum()))
    assert page.metrics["occasions"].value == (strip["kind"] == "purchase").sum()
    contacts = shop.contacts.filter(shop.contacts["customer_id"] == "C000001").count().execute()
    assert page.tables["contacts"].frame["who"].str.startswith("we ").sum() == contacts
    for name in ("value", "expected_purchases", "alive", "churn"):
        found = page.metrics[name]
        assert found.low <= found.value <= found.high
    assert "nan" not in "".join(table.html() for table in page.tables.values()).lower()


@pytest.mark.proof
def test_what_to_do_is_what_the_report_on_actions_decides(shop, page):
    decided = decisions(History(shop)).set_index("customer_id")
    facts = page.tables["facts"].frame.set_index("label")
    assert tuple(facts.loc["What to do", ["value", "more"]]) == tuple(decided.loc["C000001"])
    # What is decided comes first, in the table and on the first screen, next to who it is about.
    assert list(facts.index[:3]) == ["What to do", "Lifecycle state", "Value still to come"]
    assert page.findings[0].value == "Customer C000001" and "C000001" in page.title
    action, reason = decided.loc["C000001"]
    said = page.findings[1].sentence()
    assert said.lower().startswith(action) and reason in said
    assert not any("has not been decided" in line for line in page.limits)


@pytest.mark.proof
def test_key_facts_are_told_as_cards_on_a_phone(page):
    assert 'class="cards"' in page.tables["facts"].html()
    assert not any("_" in str(what) for what in page.tables["contacts"].frame["what"])
    purchases = page.tables["facts"].frame.set_index("label").loc["Purchases expected in 12 months"]
    assert purchases["kind"] == "count"


@pytest.mark.proof
def test_no_band_promises_a_purchase_that_may_never_come(page):
    row = page.tables["facts"].frame.set_index("label").loc["Next purchase"]
    assert ("may never come" in page.charts["strip"].caption) == (row["more"] == "perhaps never")


@pytest.mark.proof
def test_controls_are_called_left_alone(page):
    frame = page.tables["contacts"].frame
    alone = frame[frame["who"] == "we did not contact"]
    assert len(alone)
    assert alone["what"].str.endswith("left alone, as control").all()
    assert (page.charts["strip"].frame["kind"] == "contact").sum() == (frame["who"] == "we contacted").sum()


def test_unknown_customer_gets_a_hint(shop):
    with pytest.raises(ParameterError) as error:
        customer_profile.run(shop, customer_profile.Params(customer_id="C00O001"))
    said = str(error.value)
    assert said.startswith("There is no customer 'C00O001' in the data set (the 'customer_id' parameter). Did you mean 'C00")


def test_zeros_that_were_left_out_are_missed(monkeypatch):
    from crmlab.analyses.customer_profile import study

    monkeypatch.setattr(study, "collect_arrow", lambda found, _: found.to_pyarrow())
    orders = ibis.memtable(pd.DataFrame({"customer_id": ["00010", "00001", "C1", "b"]}))
    assert study._ids(orders, "1") == ["00001", "C1"] and hint_at("1", ["00001", "C1"]) == "Did you mean '00001'?"
    assert study._ids(orders, "c") == ["00001", "00010", "C1", "b"]


def test_params_are_checked_and_it_runs_only_when_asked():
    with pytest.raises(
        ParameterError, match="'customer_id' parameter of customer_profile must be the id of a customer. Got ''"
    ):
        customer_profile.Params(customer_id="")
    assert not runs_unasked("customer_profile")
    assert runs_unasked("scorecard")


@pytest.mark.nightly
def test_names_are_not_shown_and_people_without_a_purchase_have_a_page(tmp_path):
    data = own(tmp_path)
    for who, bought in (("c07", 12), ("c30", 0)):
        found = customer_profile.run(data, customer_profile.Params(customer_id=who))
        text = "".join(part.html() for part in (*found.tables.values(), *found.charts.values(), found.notes))
        assert "Example" not in text
        assert "@" not in text
        assert ("DE" if who == "c07" else "FR") in text
        assert found.metrics["occasions"].value == bought
        facts = found.tables["facts"].frame.set_index("label")
        undecided = any(line.startswith("What to do with this customer has not been decided: ") for line in found.limits)
        assert undecided == ("What to do" not in facts.index)
        if bought:
            assert tuple(facts.loc["What to do", ["value", "more"]]) == ("undecided", "not known: needs a margin")
    assert found.absent["bought"].startswith("What was bought is not known")
    assert "prospect" in found.tables["facts"].html()


@pytest.mark.proof
def test_nothing_after_the_day_is_shown(tmp_path):
    early = customer_profile.run(own(tmp_path), customer_profile.Params(customer_id="c07", as_of="2024-09-15"))
    assert early.charts["strip"].frame["day"].max() == pd.Timestamp("2024-09-08")
    assert early.metrics["occasions"].value == 9


@pytest.mark.proof
def test_the_notebook_runs_with_a_customer(tmp_path):
    # The one notebook that cannot run as it stands: nbval passes over it.
    command = [sys.executable, "-m", "crmlab.cli", "run", "customer_profile", "-p", "customer_id=00050"]
    done = subprocess.run(
        [*command, "--data", "cdnow_sample", "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("report.html"))
    assert len(pages) == 1 and "00050" in pages[0].read_text(encoding="utf-8")
