"""One quantity has two values: on two pages, in a list and above it, or in a table and the chart beside it.

What went wrong: the same customers were worth €1.5M on one page and €1.8M on another, "value at risk" was €325k here and €57k there, a
share stood with one interval in a headline and with another on its bar, and what may be spent on a customer was more than the customer
is worth, most of all for the worst.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import customer_value, lifecycle, scorecard
from crmlab.analyses.customers import customer_outputs, customer_table
from crmlab.data.shop.donors import make_donors
from crmlab.data.shop.make import make_shop
from crmlab.report.registry import dictionary
from crmlab.report.saving import save

ENDS = ("", "_low", "_high")
SUMS = ("value", "value_today", "at_risk")


def opened(folder, made, top=""):
    """A data set of the orders and the people of a simulated world, whose people have consented, refused, or not said."""
    made.tables["orders"].to_csv(folder / "orders.csv", index=False)
    people = made.tables["customers"][["customer_id"]].copy()
    people["contactable"] = ["yes" if k % 5 else "no" for k in range(len(people))]
    people.to_csv(folder / "people.csv", index=False)
    text = f'title = "Own"\ncurrency = "EUR"\n{top}\n[orders]\nfile = "orders.csv"\n\n[customers]\nfile = "people.csv"\n'
    (folder / "own.toml").write_text(text)
    return crmlab.open_dataset(str(folder / "own.toml"))


def pages_of(data):
    subjects = {"customer_value": customer_value, "lifecycle": lifecycle, "scorecard": scorecard}
    return {name: subject.run(data, subject.Params()) for name, subject in subjects.items()}


@pytest.fixture(scope="module", params=[pytest.param("shop", marks=pytest.mark.proof), "donors"])
def world(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "shop":
        data = opened(folder, make_shop(250, seed=2, days=500), "margin = 0.4")
    else:
        data = opened(folder, make_donors(400, seed=4), 'rounds = "year"')
    return data, pages_of(data), folder


@pytest.fixture(scope="module", params=["shop", "cdnow_sample", "donors"])
def real(request, opened_once, result_of, tmp_path_factory):
    names = ("customer_value", "lifecycle", "scorecard", "churn", "rfm")
    pages = {name: result_of(name, request.param) for name in names}
    return opened_once(request.param), pages, tmp_path_factory.mktemp(request.param)


def one_value(data, pages, folder):
    """Every name that several pages show has one value and one interval; sums are those of the list, to the cent."""
    seen = {}
    for page, result in pages.items():
        for name, estimate in result.metrics.items():
            assert seen.setdefault(name, (page, estimate))[1] == estimate, f"{name}: {seen[name][0]} and {page}"
    value = pages["customer_value"]
    tiers, states = value.tables["tiers"].frame, pages["lifecycle"].tables["value"].frame.set_index("state")
    listed = value.outputs["customers"].frame
    for name in SUMS:
        total = value.metrics[f"{name}_total"]
        assert total == pages["lifecycle"].metrics[f"{name}_total"]
        assert total.value == pytest.approx(listed[name].sum(), abs=1e-6)
        assert tiers[name].sum() == pytest.approx(total.value, abs=1e-6)
        assert states.drop("all")[name].sum() == pytest.approx(total.value, abs=1e-6)
        assert [states.loc["all", f"{name}{end}"] for end in ENDS] == [total.value, total.low, total.high]
    assert value.metrics["value_total"] == pages["scorecard"].metrics["value_total"]
    matrix = pages["scorecard"].tables["matrix"].frame
    for name in ("value", "at_risk"):
        assert matrix[name].sum() == pytest.approx(value.metrics[f"{name}_total"].value, abs=1e-6)
    for row in tiers.to_dict("records"):
        tier, mine = row["tier"][0], listed[listed["tier"] == row["tier"][0]]
        assert row["value"] == pytest.approx(mine["value"].sum(), abs=1e-6)
        for name, metric in (("value", "value_tier"), ("value_share", "value_share"), ("at_risk", "at_risk_tier")):
            found = value.metrics[f"{metric}_{tier}"]
            assert [row[f"{name}{end}"] for end in ENDS] == [found.value, found.low, found.high]
        asked = mine[mine["contactable"] != "no"]
        assert len(asked) < len(mine) or set(listed["contactable"]) == {"not known"}
        assert row["most_to_spend"] == pytest.approx(asked["most_to_spend"].mean(), abs=1e-6)
    shares = [f"value_share{end}" for end in ENDS]
    assert value.charts["tiers"].frame[shares].to_numpy().tolist() == tiers[shares].to_numpy().tolist()
    written_and_published(data, value, folder)


def written_and_published(data, value, folder):
    save(value, folder / "value")
    written = pd.read_csv(folder / "value" / "outputs" / "customers.csv", dtype={"customer_id": str}).set_index("customer_id")
    np.testing.assert_allclose(written["if_loyal"] - written["value_today"], written["at_risk"], rtol=0, atol=1e-9)
    published = customer_table(data).set_index("customer_id").reindex(written.index)
    outputs = customer_outputs(data, needed=["value", "at_risk"]).set_index("customer_id").reindex(written.index)
    for name in ("value", "if_loyal", "value_today", "at_risk", "most_to_spend"):
        for other in (published, outputs):
            np.testing.assert_allclose(other[name].astype(float), written[name], rtol=0, atol=1e-9)
    assert (published["tier"] == written["tier"]).all() and (outputs["tier"] == written["tier"]).all()


def worth_the_most(value):
    """No tier may cost more than it is worth; the worst is not the one to spend most on; nobody who refused is spent on."""
    tiers, listed = value.tables["tiers"].frame, value.outputs["customers"].frame
    assert (tiers["most_to_spend"] <= tiers["value_each"] + 1e-9).all()
    assert tiers["most_to_spend"].iloc[-1] < tiers["most_to_spend"].max()
    assert (listed["most_to_spend"] <= listed["value"] + 1e-9).all()
    assert (listed["most_to_spend"] <= listed["at_risk"] + 1e-9).all()
    assert (listed.loc[listed["contactable"] == "no", "most_to_spend"] == 0).all()
    surely = listed[listed["alive"] < 0.01]
    assert (surely["most_to_spend"] <= 0.011 * surely["if_loyal"] + 0.01).all()


@pytest.mark.proof
def test_value_and_what_is_at_risk_have_one_value_and_one_interval(world):
    one_value(*world)


@pytest.mark.proof
def test_what_may_be_spent_is_no_more_than_customers_are_worth(world):
    worth_the_most(world[1]["customer_value"])
    assert (world[1]["customer_value"].outputs["customers"].frame["contactable"] == "no").any()


@pytest.mark.proof
def test_data_sets_of_the_project_have_one_value_for_each_quantity(real):
    one_value(*real)
    worth_the_most(real[1]["customer_value"])


@pytest.mark.proof
def test_nothing_is_called_value_at_risk(world):
    _, pages, _ = world
    assert not [one.name for one in dictionary() if "value_at_risk" in one.name or one.name.startswith("chain_value")]
    for result in pages.values():
        said = [*result.warnings, *result.limits, *result.method.assumptions, *(one.sentence() for one in result.findings)]
        said += [part.caption for part in (*result.tables.values(), *result.charts.values())]
        said += [column.label for table in result.tables.values() for column in table.columns.values()]
        assert not [text for text in said if "value at risk" in text.lower()]


@pytest.mark.proof
def test_no_second_model_tells_the_base_in_money(world):
    result = world[1]["lifecycle"]
    assert set(result.tables["value"].columns) <= {"state", "customers", "value", "value_today", "at_risk"}
    totals = ("value_total", "value_today_total", "at_risk_total")
    assert not [name for name, one in result.metrics.items() if one.unit == result.context.form.currency and name not in totals]
