"""One truth: tier, value, risk, state and moments of a customer are the same in list, page, profile, scorecard and published table.

Everything is worked out again from the lists as they were written, or read where it is shown; nobody's code is asked twice.
"""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses import churn, customer_value, lifecycle, triggers
from crmlab.analyses.campaigns.lists import suppressed
from crmlab.analyses.customer_profile.params import Params
from crmlab.analyses.customer_profile.study import study as profile
from crmlab.analyses.customers import customer_outputs, customer_table
from crmlab.collecting import collect
from crmlab.history.past import History
from crmlab.history.sending import sent
from crmlab.report.saving import save
from tests.conftest import once

CENT = 0.005
WRITTEN = 0.00005  # lists have four digits of a share; before there was a dictionary they had all
pytestmark = pytest.mark.proof


class Written:
    """What the reports on one data set wrote, and the history that they are about."""

    def __init__(self, name, data, result_of, folder):
        self.name, self.history, self.folder = name, History(data), folder
        self.result_of = result_of
        for report in ("customer_value", "churn", "lifecycle"):
            save(result_of(report, name), folder / report)

    def of(self, report):
        return pd.read_csv(self.folder / report / "outputs" / "customers.csv", dtype={"customer_id": str}).set_index(
            "customer_id"
        )

    def metrics(self, report):
        return json.loads((self.folder / report / "metrics.json").read_text())


@pytest.fixture(scope="module", params=["shop", "cdnow_sample", "donors"])
def written(request, opened_once, result_of, tmp_path_factory):
    return Written(request.param, opened_once(request.param), result_of, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def published(written):
    return once(f"published-{written.name}", lambda: customer_table(written.history.data)).set_index("customer_id")


@pytest.fixture(scope="module")
def outputs(written):
    needed = ["tier", "value", "alive", "churn", "state", "trigger", "segment"]
    return customer_outputs(written.history, needed=needed).set_index("customer_id")


def test_tiers_follow_from_the_values_that_are_written(written):
    listed = written.of("customer_value")
    assert customer_value.tier_of(listed["value"].to_numpy()).tolist() == listed["tier"].tolist()


def test_value_and_tier_are_everywhere_those_of_the_list(written, published, outputs):
    listed = written.of("customer_value")
    for other, name in ((published, "value"), (outputs, "value")):
        known = other[name].dropna().astype(float)
        np.testing.assert_allclose(known.reindex(listed.index), listed["value"], atol=CENT)
        assert len(known) == len(listed)
    for other in (published, outputs):
        assert other["tier"].reindex(listed.index).tolist() == listed["tier"].tolist()
    card = written.result_of("scorecard", written.name)
    total = written.metrics("customer_value")["value_total"]
    assert total == card.metrics["value_total"].to_dict() == written.metrics("lifecycle")["value_total"]
    assert total["value"] == pytest.approx(listed["value"].sum(), abs=1e-6)
    risk = written.of("churn")
    some = risk.index.intersection(listed.index)
    assert risk.loc[some, "tier"].tolist() == listed.loc[some, "tier"].tolist()


def test_tiers_of_the_page_and_of_the_scorecard_are_those_of_the_list(written):
    listed = written.of("customer_value")
    page = written.result_of("customer_value", written.name).tables["tiers"].frame
    counts = listed["tier"].value_counts()
    assert {row["tier"][0]: row["customers"] for row in page.to_dict("records")} == counts.to_dict()
    for tier, value in listed.groupby("tier")["value"].sum().items():
        assert written.metrics("customer_value")[f"value_tier_{tier}"]["value"] == pytest.approx(value, abs=CENT * len(listed))


def test_risk_is_everywhere_that_of_the_list(written, published, outputs):
    listed = written.of("churn")["churn"]
    for other, name in ((published, "churn"), (outputs, "churn")):
        known = other[name].dropna().astype(float)
        assert set(known.index) == set(listed.index)
        np.testing.assert_allclose(known.reindex(listed.index), listed, atol=WRITTEN)


def test_state_is_everywhere_that_of_the_list(written, published, outputs):
    listed = written.of("lifecycle")["state"]
    for other in (published, outputs):
        assert other["state"].dropna().reindex(listed.index).tolist() == listed.tolist()
    page = written.result_of("lifecycle", written.name).tables["states"].frame
    counts = listed[listed != "prospect"].value_counts()
    shown = {row["state"]: row["customers"] for row in page.to_dict("records") if row["state"] in counts.index}
    assert shown and all(counts[state] == count for state, count in shown.items())


def test_moments_are_everywhere_those_of_the_list(written, outputs):
    listed = triggers.moments(written.history).groupby("customer_id")["trigger"].agg(lambda some: tuple(sorted(set(some))))
    told = outputs["trigger"]
    assert told[told.map(len) > 0].to_dict() == listed.to_dict()
    page = written.result_of("triggers", written.name).outputs["moments"].frame
    assert page.groupby("customer_id")["trigger"].agg(lambda some: tuple(sorted(set(some)))).to_dict() == listed.to_dict()


def test_profiles_say_what_the_lists_say(written):
    value, risk, state = written.of("customer_value"), written.of("churn")["churn"], written.of("lifecycle")["state"]
    some = [value.index[value["tier"] == tier][k] for tier in "ABCD" for k in (0, -1)]
    some += [risk.index[0], *(state.index[state == name][0] for name in ("lost", "slowing") if (state == name).any())]
    for who in dict.fromkeys(some):
        found = profile(written.history, Params(customer_id=who))
        assert found.state["state"] == state[who]
        if who in value.index:
            row = value.loc[who]
            assert found.worth.tier == row["tier"]
            for name, column in (("value", "value"), ("expected_purchases", "expected_purchases")):
                assert found.estimates[name].value == pytest.approx(row[column], abs=CENT)
            assert found.estimates["value"].low == pytest.approx(row["value_low"], abs=CENT)
            assert found.estimates["value"].high == pytest.approx(row["value_high"], abs=CENT)
        assert ("churn" in found.estimates) == (who in risk.index)
        if who in risk.index:
            assert found.estimates["churn"].value == pytest.approx(risk[who], abs=WRITTEN)
            assert found.risk.window == churn.scores(written.history).scheme.window


def test_owners_are_the_ones_that_are_asked(written):
    """The face of each owner gives what its page writes."""
    points = customer_value.scores(written.history).points.set_index("customer_id")
    np.testing.assert_allclose(points["value"], written.of("customer_value")["value"], atol=CENT)
    states = lifecycle.standing(written.history).select("customer_id", "state").to_pandas().set_index("customer_id")["state"]
    listed = written.of("lifecycle")["state"]
    assert states.reindex(listed.index).tolist() == listed.tolist()


def test_what_was_sent_is_told_alike(written):
    """The profile's contacts, and who counts as contacted lately in lists, follow from one rule for cells."""
    history = written.history
    rows = sent(history)
    if rows is None:
        assert written.name != "shop" and history.contacts is None  # nothing was sent that anybody could tell of
        return
    known = collect(rows.select("customer_id", "cell_id", "contacted_at"), ("customer_id", "contacted_at", "cell_id"))
    cells = collect(history.cells, "cell_id").set_index("cell_id")
    controls = set(cells["control_cell_id"].dropna()) - set(known["cell_id"])
    assert controls  # the shop has controls that nothing is sent to
    contacts = collect(history.contacts.select("customer_id", "cell_id"), ("customer_id", "cell_id"))
    left = contacts[contacts["cell_id"].isin(controls)]["customer_id"]
    for who in [known["customer_id"].iloc[0], left.iloc[0], left.iloc[-1]]:
        shown = profile(history, Params(customer_id=who)).contacts
        assert int(shown["contacted"].sum()) == int((known["customer_id"] == who).sum())
        assert (shown.loc[~shown["contacted"], "what"] == "left alone, as control").all()
    _, lately, _ = suppressed(history.data, history.as_of, 90, None)
    recent = known[pd.to_datetime(known["contacted_at"]).dt.date > history.as_of - dt.timedelta(days=90)]
    assert lately == set(recent["customer_id"])


def test_whom_not_to_contact_is_told_alike(written, published):
    flags = {True: "yes", False: "no"}
    shown = published["contactable"].map(lambda one: flags.get(one, "not known"))
    assert shown.tolist() == written.history.contactable(pd.Series(shown.index))
    listed = written.of("churn")["contactable"]
    assert listed.tolist() == shown.reindex(listed.index).tolist()
