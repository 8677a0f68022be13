"""One part of a page says something that another part, or the data, contradict.

What would go wrong: "0 customers are worth contacting" beside "10,001, enough: yes"; "Nothing to report: no pair" under a table of 69 pairs;
a check that is fine because there was nothing to check; a total that held while its parts did not.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import churn, lifecycle
from crmlab.analyses.campaigns import results as campaign_results
from crmlab.analyses.churn import exhibits as churn_exhibits
from crmlab.analyses.churn.contacting import holdout_sizes
from crmlab.analyses.cross_sell import charts as cross_sell_charts
from crmlab.analyses.cross_sell import tables as cross_sell_tables
from crmlab.analyses.lifecycle import words as lifecycle_words
from crmlab.analyses.lifecycle.naming import STATES
from crmlab.analyses.lifecycle.projection import Part
from crmlab.analyses.lifecycle.study import study as lifecycle_study
from crmlab.analyses.lifecycle.tables import check_table, thresholds_table
from crmlab.history.context import Margin
from crmlab.history.past import History
from crmlab.history.words import WEEKS
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format


def test_where_nobody_is_worth_contacting_there_is_nobody_to_leave_out():
    listed = pd.DataFrame({"keeping_pays": ["no: it would cost more than it saves"] * 10_001, "churn": 0.6})
    sizes = holdout_sizes(listed, churn.Params())
    assert sizes.empty
    shown = SimpleNamespace(
        sizes=sizes,
        context=SimpleNamespace(form=Format()),
        found=SimpleNamespace(refused=False, words=WEEKS, margin=Margin(0.4, "given", 1.0)),
    )
    assert churn_exhibits.holdout_table(shown) == Absent(
        "Fewer than two customers would be worth contacting, so there is nobody to leave out."
    )
    few = pd.DataFrame({"keeping_pays": ["yes"] * 60 + ["no: it would cost more than it saves"] * 9_941, "churn": 0.6})
    assert set(holdout_sizes(few, churn.Params())["targets"]) == {60}


@pytest.fixture(scope="module")
def life():
    return lifecycle_study(History(crmlab.open_dataset("cdnow_sample"), None), lifecycle.Params(lost_days=300, periods=6))


@pytest.mark.proof
def test_a_threshold_given_in_days_is_no_quantile(life):
    shown = thresholds_table(life).frame.set_index("name")
    assert shown.loc["lost", "days"] == 300
    assert shown.loc["lost", "quantile"].startswith("given in days") and not shown.loc["lost", "quantile"].startswith("97.5")
    assert shown.loc["slowing", "quantile"] == "75%" and shown.loc["lapsed", "quantile"] == "90%"
    assert "some are given in days" in thresholds_table(life).caption
    assert "lost given in days" in " ".join(lifecycle_words.method(life).assumptions)


@pytest.mark.proof
def test_states_that_a_projection_missed_are_told_beside_a_total_that_held(life):
    test = life.test
    low, high = test.found.low[-1], test.found.high[-1]
    inside = np.clip(np.round((low + high) / 2), 0, None)
    held = replace(test, now=inside)
    assert [part.missed for part in held.states] == [False] * len(held.states)
    # Two current states change places by more than their intervals: the total of those current stays.
    gap = np.ceil(max(high[0] - low[0], high[1] - low[1])) + 3
    moved = inside + np.array([gap, -gap, 0, 0, 0, 0])
    total = held.total.expected - moved[:4].sum()
    moved[3] += np.round(total)
    missed = replace(life, test=replace(test, now=moved))
    assert not missed.test.total.missed
    caption = check_table(missed).caption
    assert f"2 ended outside their interval: {STATES[0]} (" in caption and f" and {STATES[1]} (" in caption
    assert "before they were widened by the misses shown here" in caption
    assert "ended outside" not in check_table(replace(life, test=held)).caption
    assert check_table(missed).frame["now"].tolist()[-1] == missed.test.total.seen


def test_what_lies_on_an_end_as_shown_is_no_miss():
    assert not Part("new", 10, 5, 2.4, 8.4, 2).missed and Part("new", 10, 5, 2.4, 8.4, 9).missed
    assert Part("new", 10, 5, 2.4, 8.4, 9).side == "above" and Part("new", 10, 5, 2.6, 8.4, 2).side == "below"


def pairs_study(found, shown, extra=np.nan):
    pairs = pd.DataFrame({"antecedent": ["a"] * shown, "consequent": "b", "extra": extra})
    return SimpleNamespace(
        found=SimpleNamespace(pairs=pd.DataFrame(index=range(2 * found))),
        pairs=pairs,
        params=SimpleNamespace(horizon=60, min_group=5, level=0.9),
        context=SimpleNamespace(form=Format()),
    )


def test_no_pair_is_said_only_where_there_is_none():
    known = cross_sell_tables.worth_table(pairs_study(69, 69))
    assert isinstance(known, Absent) and "no pair" not in known.why and "is not known" in known.why
    for show in (cross_sell_tables.pairs_table, cross_sell_tables.worth_table, cross_sell_charts.opportunity_chart):
        none, gone = show(pairs_study(0, 0)), show(pairs_study(69, 0))
        assert none.why == "Nothing to report: no pair of products is clearly sold together more often than by chance."
        assert gone.why.startswith("Of 69 pairs sold together more often than by chance, none can be offered")


N = 120


@pytest.fixture
def campaign(tmp_path):
    """Opens a campaign of two cells of 120 customers; responses and amounts as given."""

    def opened(responses=None, control="s-0", amount=20.0, more=""):
        people = [f"c{k:03}" for k in range(2 * N)]
        buyers = [*people[:10], *people[N : N + 30]]
        before = people[:: len(people) // 40]
        tables = {
            "cells": pd.DataFrame(
                {"campaign_id": "spring", "cell_id": ["s-0", "s-1"], "control_cell_id": [None, control], "offer": [None, "gift"],
                 "response_code": [None, "AYADH7"], "cost_per_contact": [0, 0.5], "opens_on": "2024-05-01", "closes_on": "2024-05-28"}
            ),
            "contacts": pd.DataFrame({"customer_id": people, "cell_id": ["s-0"] * N + ["s-1"] * N, "contacted_at": "2024-05-01 06:00"}),
            "orders": pd.DataFrame(
                {"order_id": range(len(buyers) + len(before) + 1), "customer_id": [*buyers, *before, "x"],
                 "ordered_at": ["2024-05-10"] * len(buyers) + ["2024-03-01"] * len(before) + ["2024-06-30"],
                 "amount": [amount] * len(buyers) + [20.0 + k % 7 for k in range(len(before))] + [9.0]}
            ),
        }  # fmt: skip
        if responses is not None:
            tables["responses"] = responses
        lines = [f'title = "Own"\ncurrency = "EUR"\n{more}']
        for name, frame in tables.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
            lines.append(f'[{name}]\nfile = "{name}.csv"')
        (tmp_path / "own.toml").write_text("\n".join(lines) + "\n")
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


def visits(code=None):
    frame = pd.DataFrame({"customer_id": ["c000", "c130"], "responded_at": "2024-05-04 10:00", "kind": "visit"})
    return frame if code is None else frame.assign(response_code=code)


@pytest.mark.proof
def test_codes_are_fine_only_where_there_are_codes(campaign):
    def codes(responses):
        frame = campaign_results.run(campaign(responses)).tables["health"].frame
        return frame.set_index("check").loc["Codes, all campaigns", ["found", "meaning"]].tolist()

    assert codes(visits()) == ["no response carries a code", "not checked"]
    assert codes(visits("AYADH7")) == ["every code belongs to a cell", "OK"]
    assert codes(visits("ZZZZZZ"))[1] == "check"


@pytest.mark.proof
def test_orders_are_counted_where_only_visits_were_recorded(campaign):
    found = campaign_results.run(campaign(visits())).tables["matched"]
    counts = found.frame.set_index("cell")
    assert counts.loc["s-0", "matched"] == 10 and counts.loc["s-1", "matched"] == 30
    assert "No order is recorded as a response" in found.caption


@pytest.mark.proof
def test_a_free_order_is_a_purchase_in_campaigns_as_everywhere(campaign):
    counted = campaign(amount=0.0)
    assert History(counted, dt.date(2024, 5, 28)).summary().shape[0] > 40  # occasions, free ones among them
    response = campaign_results.run(counted).metrics["response"]
    assert response.value == pytest.approx(30 / N - 10 / N)
    with pytest.raises(crmlab.errors.CampaignError, match="different for some of them"):
        campaign_results.run(campaign(amount=0.0, more='free_orders = "ignore"'))


@pytest.mark.proof
def test_check_does_not_say_yes_to_campaigns_without_a_control(campaign, tmp_path):
    from click.testing import CliRunner

    from crmlab.cli.commands import main

    campaign(control=None)
    done = CliRunner().invoke(main, ["check", str(tmp_path / "own.toml")])
    assert "no   campaign_results: No campaign has a control, so that what contacts caused cannot be told." in done.output
    campaign()
    done = CliRunner().invoke(main, ["check", str(tmp_path / "own.toml")])
    assert "yes  campaign_results\n" in done.output
