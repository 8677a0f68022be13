"""Past campaigns judge this way of choosing: worlds in which what each arm would have brought is known of everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.actions import judging
from crmlab.analyses.actions.declaring import Action, Assumed
from crmlab.analyses.actions.exhibits import judged_table
from crmlab.analyses.actions.judging import ALL_JUDGED, judged_of
from crmlab.history.past import History
from crmlab.page.exhibits import Absent

from .conftest import DAYS, customers, day, orders

PEOPLE, MARGIN, WINDOW = 500, 0.4, 28
COST = 0.5
ACTION = Action(
    name="mail", offer="news", effect=Assumed(rise=0.2, low=0.1, high=0.3), cost_per_contact=COST, cost_per_response=0.0
)


def campaign(rng, name, opens, people, share=0.5, spend=60.0, rise=0.3):
    """Cells, contacts, and the orders that it brings; and what contacting all of its people would bring beyond nobody."""
    ids = [f"c{k:03}" for k in range(people)]
    mailed = rng.random(people) < share
    moved = rng.random(people) < rise  # whoever buys within the window if contacted, beyond what comes anyway
    cells = pd.DataFrame(
        {
            "campaign_id": name,
            "cell_id": [f"{name}-0", f"{name}-1"],
            "control_cell_id": [None, f"{name}-0"],
            "offer": [None, "news"],
            "cost_per_contact": [0.0, COST],
            "cost_per_response": [None, 0.0],
            "planned_share": [1 - share, share],
            "opens_on": day(opens),
            "closes_on": day(opens + WINDOW - 1),
        }
    )
    sent = pd.DataFrame({"customer_id": ids, "cell_id": np.where(mailed, f"{name}-1", f"{name}-0"), "contacted_at": day(opens)})
    more = [
        (one, day(opens + int(rng.integers(1, WINDOW - 1))), spend)
        for one, came in zip(ids, mailed & moved, strict=True)
        if came
    ]
    extra = pd.DataFrame(more, columns=["customer_id", "ordered_at", "amount"])
    return cells, sent, extra, MARGIN * spend * moved.sum() - COST * people


def tables(rng, *campaigns):
    bought = [orders(rng, PEOPLE).drop(columns="order_id"), *(one[2] for one in campaigns)]
    frame = pd.concat(bought, ignore_index=True)
    people = customers(PEOPLE)[["customer_id", "contactable"]]
    more = {"cells": pd.concat([one[0] for one in campaigns]), "contacts": pd.concat([one[1] for one in campaigns])}
    return {"orders": frame.assign(order_id=range(len(frame))), "customers": people} | more


def judged(data, actions=(ACTION,), margin=None):
    return judged_of(History(data), actions, (), columns=[], margin=margin, level=0.9, seed=0)


@pytest.fixture(scope="module")
def books():
    rng = np.random.default_rng(3)
    return [campaign(rng, "one", DAYS - 200, 400), campaign(rng, "two", DAYS - 100, 500, share=0.25)]


@pytest.fixture(scope="module")
def found(world, books, tmp_path_factory, nothing_remembered):
    data = world(tmp_path_factory.mktemp("judged") / "own", people=PEOPLE, **tables(np.random.default_rng(4), *books))
    return judged(data)


@pytest.mark.proof
def test_what_it_would_have_brought_is_within_the_interval(found, books):
    frame = found.campaigns.set_index("campaign")
    assert frame.index.tolist() == ["one", "two", ALL_JUDGED] and found.left_out == ()
    assert frame["customers"].tolist() == [400, 500, 900]
    for name, (*_, truth) in zip(("one", "two"), books, strict=True):
        row = frame.loc[name]
        # Nearly everybody is worth a contact of .5: strangers of that day alone are left.
        assert 0.7 * row["customers"] < row["chosen"] <= row["customers"]
        assert row["nobody_low"] < truth < row["nobody_high"] and row["nobody_low"] > 0
    both = frame.loc[ALL_JUDGED]
    assert both["nobody"] == pytest.approx(frame["nobody"].iloc[:2].sum())
    assert both["nobody_high"] - both["nobody"] == pytest.approx(np.hypot(*(frame["nobody_high"] - frame["nobody"]).iloc[:2]))


@pytest.mark.proof
def test_a_way_that_contacts_nobody_brings_what_nobody_brings(world, books, tmp_path, nothing_remembered):
    data = world(tmp_path / "own", people=PEOPLE, **tables(np.random.default_rng(4), *books))
    dear = Action(name="mail", offer="news", effect=Assumed(rise=0.0, low=0.0, high=0.1), cost_per_contact=COST)
    row = judged(data, (dear,)).campaigns.iloc[-1]
    assert row["chosen"] == 0 and (row[["nobody", "nobody_low", "nobody_high"]] == 0).all()
    assert row["everybody"] < 0  # contacting everybody paid


@pytest.mark.proof
def test_what_a_campaign_alone_has_measured_does_not_judge_it(world, books, studied, tmp_path, nothing_remembered):
    data = world(tmp_path / "own", people=PEOPLE, **tables(np.random.default_rng(4), books[0]))
    memory = Action(name="mail", offer="news", effect="memory", cost_per_contact=COST)
    found = judged(data, (memory,))
    assert found.campaigns.empty and found.left_out == (f"“one” is not judged: {judging._NO_TEST}.",)
    table = judged_table(studied(data))
    assert isinstance(table, Absent) and "“one” is not judged" in str(table.why)


@pytest.mark.nightly
def test_intervals_hold_what_came_in_40_worlds(world, tmp_path, nothing_remembered):
    held = []
    for seed in range(40):
        rng = np.random.default_rng([seed, 9])
        one = campaign(rng, "one", DAYS - 100, PEOPLE, share=float(rng.uniform(0.2, 0.8)), rise=float(rng.uniform(0.0, 0.3)))
        data = world(tmp_path / str(seed), people=PEOPLE, **tables(rng, one))
        row = judged(data).campaigns.iloc[-1]
        # Only those whom it would have contacted count for the truth; nearly all are.
        held.append(row["nobody_low"] <= one[3] * row["chosen"] / PEOPLE <= row["nobody_high"])
    assert sum(held) >= 31, sum(held)  # 99.5% of binomial counts of 40 at 90%


@pytest.mark.proof
def test_a_margin_that_is_given_counts(world, books, tmp_path, nothing_remembered):
    told = tables(np.random.default_rng(4), *books)
    given = judged(world(tmp_path / "none", people=PEOPLE, margin="", **told), margin=MARGIN).campaigns
    declared = judged(world(tmp_path / "own", people=PEOPLE, **told)).campaigns
    pd.testing.assert_frame_equal(given, declared)
