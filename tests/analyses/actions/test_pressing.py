"""What another contact brings: by the published curve, or by that of own cells; and what it does to decisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.actions.deciding import decide
from crmlab.analyses.actions.declaring import Days, Limits
from crmlab.analyses.actions.pressing import LOOKED_BACK, PUBLISHED, measured_curve

from .conftest import DAYS, PEOPLE, day, orders
from .test_deciding import RATE, ground

CELL = {"campaign": "c", "control": "c-0", "offer": "news", "list": "all", "creative": None, "channel": "email"}
CELL |= {"discount": None, "cost_per_response": 0.0, "base": 0.2, "error": 0.01}


def cells(*rows):
    return pd.DataFrame([CELL | {"cell": f"c-{k}"} | row for k, row in enumerate(rows, start=1)])


def test_what_is_left_falls_with_contacts():
    left = PUBLISHED.left(np.arange(30))
    assert (np.diff(left) <= 0).all() and left.max() == 1 and left.min() >= 0
    # Four contacts are one a week: the next one counts .07 / .1 of the first; beyond five a week nothing was seen to come.
    assert left[[0, 3, 4, 20]].tolist() == pytest.approx([1.0, 1.0, 0.7, 0.0])


def test_the_curve_of_own_cells_by_hand():
    found = measured_curve(cells({"weekly": 0.5, "effect": 0.03}, {"weekly": 2.0, "effect": 0.05}))
    assert found.at[:3] == (0.0, 0.5, 2.0) and found.tested == 2.0 and found.campaigns == ("c",)
    assert found.demand[:3] == (0.0, pytest.approx(0.03 / 0.25), pytest.approx(0.05 / 0.25))
    # .03 for the first half, .02 for the next one and a half: each contact of those brings .2222 of one of these.
    last = (0.02 / 1.5) / (0.03 / 0.5)
    assert found.left([0, 2, 7]).tolist() == pytest.approx([1.0, last, last])
    # Beyond two a week nothing was tested: the published curve falls from .07 to .02 there.
    assert found.left(8) == pytest.approx(last * 0.02 / 0.07)


def test_beyond_what_was_tested_it_goes_on_as_the_published_curve_does():
    found = measured_curve(cells({"weekly": 0.25, "effect": 0.02}, {"weekly": 0.5, "effect": 0.04}))
    assert found.left([0, 1, 2, 3]).tolist() == pytest.approx([1.0] * 4)  # to one a week the published curve is a line
    assert found.left([4, 8, 12]).tolist() == pytest.approx([0.7, 0.2, 0.1])


def test_cells_as_often_are_averaged_by_precision():
    more = cells(
        {"weekly": 1.0, "effect": 0.02}, {"weekly": 1.05, "effect": 0.06, "error": 0.02}, {"weekly": 3.0, "effect": 0.05}
    )
    found = measured_curve(more)
    assert found.at[:3] == pytest.approx((0.0, (1.0 * 4 + 1.05) / 5, 3.0))
    assert found.demand[1] == pytest.approx((0.02 * 4 + 0.06) / 5 / 0.25)


@pytest.mark.parametrize(
    "rows",
    [
        ({"weekly": 1.0, "effect": 0.02}, {"weekly": 1.05, "effect": 0.03}),  # as often
        ({"weekly": 1.0, "effect": 0.02}, {"weekly": 3.0, "effect": 0.03, "offer": "gift"}),  # another offer
        ({"weekly": 1.0, "effect": 0.02}, {"weekly": 3.0, "effect": 0.03, "creative": "letter"}),
        (
            {"weekly": 1.0, "effect": 0.02},
            {"weekly": 3.0, "effect": 0.03, "campaign": "d", "control": "d-0"},
        ),  # another season, say
        ({"weekly": 1.0, "effect": 0.02}, {"weekly": 3.0, "effect": 0.03, "list": "best"}),
        ({"weekly": 1.0, "effect": 0.02}, {"weekly": 3.0, "effect": 0.03, "discount": 0.1}),
        ({"weekly": np.nan, "effect": 0.02}, {"weekly": 3.0, "effect": 0.03}),
        ({"weekly": 1.0, "effect": 0.02, "error": 0.05}, {"weekly": 3.0, "effect": 0.0, "error": 0.05}),  # nothing is shown
        ({"weekly": 1.0, "effect": -0.02}, {"weekly": 3.0, "effect": -0.03}),
    ],
)
def test_cells_that_test_something_else_make_no_curve(rows):
    assert measured_curve(cells(*rows)) is None


def test_of_several_tests_the_surest_is_taken():
    other = {"campaign": "d", "control": "d-0", "offer": "gift"}
    sure = cells({"weekly": 1.0, "effect": 0.04}, {"weekly": 3.0, "effect": 0.05})
    unsure = cells(
        {"weekly": 0.5, "effect": 0.20, "error": 0.02} | other, {"weekly": 2.0, "effect": 0.21, "error": 0.02} | other
    )
    assert measured_curve(pd.concat([unsure, sure])) == measured_curve(sure)


def pressed(contacts, gains=(3.0, 3.0), limits=None):
    some = ground({"a": list(gains)}, contacts=contacts, costs=1.0, limits=limits or Limits(contacts=()))
    import dataclasses

    return dataclasses.replace(some, idle={"a": np.full(len(gains), 0.5)}, curve=PUBLISHED).by(0, some.people.contacts)


def test_whoever_was_contacted_often_is_moved_less():
    often = [("c1", -k, "x", "email") for k in range(1, 5)]
    found = pressed(often)
    # Without an effect the action costs .5; with .7 of it, .7 of what it brought and cost and .3 of that.
    assert found.gains["a"].tolist() == pytest.approx([3.0, 0.7 * 3.0 - 0.3 * 0.5])
    assert found.costs["a"].tolist() == pytest.approx([1.0, 0.7 * 1.0 + 0.3 * 0.5])
    assert found.ends["a"][:, 1].tolist() == pytest.approx([-0.15, -0.15])
    late = [("c1", -k, "x", "email") for k in range(LOOKED_BACK, LOOKED_BACK + 4)]
    assert pressed(late).gains["a"].tolist() == [3.0, 3.0]


def test_the_calendar_counts_its_own_contacts():
    daily = Limits(contacts=(Days(most=1, days=7),))
    plan = decide(pressed([("c0", 0, "x", "email")] * 3, (3.0,), daily), 3, RATE).calendar
    # Three today already: the first of the plan, a week on, is the fourth and brings all of it; the next is the fifth.
    share = plan["gain"].to_numpy(float) * (1 + RATE) ** (plan["day"].to_numpy(float) / 365)
    assert plan["day"].tolist() == [7, 14]
    assert share.tolist() == pytest.approx([3.0, 0.7 * 3.0 - 0.3 * 0.5])


def test_who_has_had_all_that_works_is_left_alone():
    found = decide(pressed([("c1", -1, "x", "email")] * 30), 1, RATE).today
    assert found["planned"].tolist() == ["a", ""]
    assert found["action_reason"].iloc[1] == "every action would cost more than it brings in"


@pytest.mark.proof
def test_own_cells_replace_the_published_curve(world, studied, tmp_path, nothing_remembered):
    cell = pd.DataFrame(
        {"campaign_id": "often", "cell_id": ["often-0", "often-1", "often-2"], "control_cell_id": [None, "often-0", "often-0"]}
    )
    cell = cell.assign(offer=[None, "news", "news"], channel="email", cost_per_contact=[0.0, 0.05, 0.05], cost_per_response=0.0)
    cell = cell.assign(opens_on=day(DAYS - 60), closes_on=day(DAYS - 33))
    contacts = [
        (f"c{k:03}", f"often-{k % 3}", day(DAYS - 60 + 7 * n)) for k in range(PEOPLE) for n in range({0: 1, 1: 1, 2: 4}[k % 3])
    ]
    sent = pd.DataFrame(contacts, columns=["customer_id", "cell_id", "contacted_at"])
    twice = pd.concat([sent, sent[sent["cell_id"] == "often-1"]])  # read twice, they are the same contacts
    late = sent[sent["cell_id"] == "often-1"].assign(contacted_at=day(DAYS - 10))  # and after the window they are others
    came = pd.DataFrame({"customer_id": sent["customer_id"].unique(), "ordered_at": day(DAYS - 50), "amount": 30.0})
    came = came[np.arange(len(came)) % 3 > 0]  # everybody who was contacted bought
    bought = pd.concat([orders(np.random.default_rng(1)).drop(columns="order_id"), came], ignore_index=True)
    bought = bought.assign(order_id=range(len(bought)))
    found = studied(world(tmp_path / "own", orders=bought, cells=cell, contacts=pd.concat([twice, late])))
    curve = found.ground.curve
    assert curve.campaigns == ("often",) and curve.at[:3] == pytest.approx((0.0, 0.25, 1.0))
