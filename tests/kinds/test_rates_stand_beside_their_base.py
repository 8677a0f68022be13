"""A rate is told that nothing is compared with, and action is advised on it.

What would go wrong: "65% of Overdue were followed by no purchase within 28 days", act on them, where of any customer who could have been
overdue 73% buy nothing in 28 days: the alarm is worse than none. So each rate of a trigger stands beside that of all eligible customers
of the same days and of as many taken by a simple rule; nobody is told to act on a trigger that is not shown to beat both; and a horizon fits
the rhythm of the data.
"""

from __future__ import annotations

import re

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import customer_profile, triggers
from crmlab.analyses.customers import customer_table
from crmlab.analyses.triggers import words
from crmlab.analyses.triggers.judging import RULES
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS
from crmlab.page.exhibits import Absent
from crmlab.page.result import Result
from tests.conftest import once

DATA = ["shop", "donors", pytest.param("cdnow_sample", marks=pytest.mark.proof)]


@pytest.fixture(scope="module", params=DATA)
def page(request, result_of) -> Result:
    return result_of("triggers", request.param)


def named(page: Result) -> pd.DataFrame:
    """The table of triggers, with their names."""
    names = {one.said(words).label: one.name for words in (WEEKS, ROUNDS) for one in triggers.TRIGGERS}
    table = page.tables["triggers"].frame
    return table.assign(name=table["label"].map(names))


def test_each_rate_stands_beside_both_bases(page):
    table = named(page)
    told = table[table["true"].notna()]
    assert len(told) >= 4
    assert told[["base_all", "base_rule", "lift_all", "lift_rule"]].notna().all().all()
    assert (told["true"] / told["base_all"] - told["lift_all"]).abs().max() < 1e-9
    for name in told["name"]:
        for metric in ("came_true", "base_all", "base_rule", "lift_all", "lift_rule"):
            found = page.metrics[f"{metric}_{name}"]
            assert found.low <= found.value <= found.high and found.level == 0.9
    assert table["verdict"].str.match("works$|does not work here: |not judged yet: ").all()


def test_what_is_counted_has_no_interval_and_all_else_has_one(page):
    for name, found in page.metrics.items():
        assert (found.low is None) == triggers.QUANTITIES[name].counted, name
    for finding in page.findings:
        if triggers.QUANTITIES[finding.metric].counted:
            assert not finding.interval


def test_nobody_is_told_to_act_on_what_does_not_work(page):
    table, listed = named(page), page.outputs["moments"].frame
    working, failing = (table.loc[table["verdict"].str.startswith(one), "label"] for one in ("works", "does not work here"))
    first = page.findings[0]
    acting = listed.loc[listed["works"] == triggers.YES, "customer_id"].nunique()
    assert page.metrics["customers_working"].value == acting
    if working.empty:
        assert first.value == f"None of the {len(failing)}" and "do not act on today’s moments" in first.text
        assert (
            "today" not in page.charts and not page.absent["today"] and list(page.outputs)[-1] == "moments"
        )  # no picture of what nobody is to do
        assert all(f"“{label}”" not in finding.text for finding in page.findings for label in failing)
    else:
        assert all(f"“{label}”" in first.text for label in working) and "may be contacted" in first.text
        shown = page.charts["today"].frame.set_index("label")["said"]
        assert all(shown[label].startswith("does not work here") for label in failing)


def test_all_eligible_have_one_rate_on_the_page(page):
    # "against 66% of all eligible" who do not buy and "against 36% of all eligible" who do would be two values of one thing.
    said = {}
    for finding in page.findings:
        if finding.metric.startswith("simple_true"):
            said[finding.metric], rest = re.search(r"against (\d+)%( of all eligible)", finding.text).groups()
            assert "on the same days" not in rest
    if len(said) == 2:
        assert len(set(said.values())) == 1
    bases = {name: page.metrics[f"simple_true_{name}"].value / page.metrics[f"simple_lift_{name}"].value for name in RULES}
    assert sum(bases.values()) == pytest.approx(1, abs=1e-9)
    assert page.tables["triggers"].columns["base_all"].label == "All eligible, on the same days"


def test_long_times_are_written_as_other_numbers_are(page):
    told = [finding.sentence() for finding in page.findings] + [table.caption for table in page.tables.values()]
    told += [*page.limits, repr(page.method), *page.tables["rules"].frame["rule"], *page.tables["bands"].frame["band"]]
    assert not [text for text in told if re.search(r"(?<!\d)(?!(19|20)\d\d)\d{4,}", text)]
    assert not [finding for finding in page.findings if finding.interval and not finding.interval.endswith(", at 90%")]


def test_nothing_is_shown_that_is_empty_or_cut(page):
    assert not [key for key, table in page.tables.items() if "…" in table.html()]
    said = page.tables["bands"].frame.get("said")
    assert said is None or said.any()


def test_a_simple_rule_is_told_of_only_where_it_beats_chance(page):
    for finding in page.findings:
        if finding.metric.startswith("simple_true"):
            assert page.metrics[finding.metric.replace("true", "lift")].low > 1
            assert "against" in finding.text and "of all eligible" in finding.text
    said = " ".join(finding.text for finding in page.findings)
    assert said.count(words.CAVEAT) == 1
    if "silent_longest" in page.outputs:
        assert re.search(r"may be contacted|do not say whether", said)
        assert {"contactable", "refusal"} <= set(page.outputs["silent_longest"].frame.columns)


def test_the_horizon_fits_the_rhythm(result_of):
    shop, donors = (result_of("triggers", name) for name in ("shop", "donors"))
    assert "within 56 days" in shop.tables["triggers"].caption
    assert "within a year" in donors.tables["triggers"].caption
    everything = " ".join(
        [donors.tables[name].frame.to_csv() + donors.tables[name].caption for name in donors.tables]
        + [one.text for one in donors.findings]
        + [*donors.warnings, *donors.limits, repr(donors.method), donors.charts["lifts"].caption]
    )
    assert not re.search(r"purchase|customers |product|order line|shop", everything)
    assert {"product", "overdue"}.isdisjoint(named(donors)["name"])


@pytest.mark.nightly
def test_other_pages_do_not_advise_what_does_not_work(result_of):
    history = History(crmlab.open_dataset("shop"))
    listed = triggers.moments(history)
    failing = listed[listed["works"] == triggers.NO]
    who = failing["customer_id"].iloc[0]
    found = customer_profile.run(history.data, customer_profile.Params(customer_id=who))
    told = found.tables.get("moments", Absent())
    if not isinstance(told, Absent):
        assert (told.frame["works"] == triggers.NO).any()
    works = set(listed.loc[listed["works"] != triggers.NO, "trigger"])
    table = once("published-shop", lambda: customer_table(history.data))
    published = table["triggers"].dropna() if "triggers" in table else pd.Series(dtype=object)
    assert {name for text in published for name in text.split(" ")} <= works
