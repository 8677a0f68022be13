"""Who asked to be contacted again is contacted on that day, not before and not twice."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlab.analyses.actions.deciding import ASKED_LATER
from crmlab.analyses.actions.declaring import ALONE
from crmlab.analyses.campaigns import pull_list
from crmlab.analyses.customers import customer_outputs
from crmlab.errors import CampaignError
from crmlab.history.follow_ups import open_requests
from crmlab.history.past import History

from .conftest import DAYS, customers, day

LAST = day(DAYS - 1)
CALL = (
    '[[action]]\nname = "call back"\nfor = "follow_up = due"\nbrings = "at_risk"\ncost_per_contact = 0.01\n'
    "effect = { rise = 0.3, low = 0.2, high = 0.4 }\n"
)
CELLS = pd.DataFrame({"campaign_id": "c", "cell_id": ["c-0", "c-1"], "control_cell_id": [None, "c-0"], "offer": [None, "news"]})
# By customer: the day of the customers table, that of a response, and the cell and day of a contact; days counted from the last one.
ASKED = {
    "c100": (-3, None, None),
    "c101": (None, 0, None),
    "c102": (10, None, None),
    "c103": (-9, -2, None),  # a response counts, not the table of customers
    "c104": (-9, 20, None),
    "c111": (None, -5, None),  # asked twice: the last time counts, not the later day
    "c106": (-9, None, ("c-1", -9)),  # done on the day
    "c108": (-9, None, ("c-1", -60)),  # before it
    "c109": (-9, None, ("c-0", -5)),  # a control was sent nothing
}
DUE, LATER = ["c100", "c101", "c103", "c108", "c109", "c111"], ["c102", "c104"]


def on(days):
    return None if days is None else day(DAYS - 1 + days)


@pytest.fixture
def tables():
    people = customers()
    people["follow_up_at"] = people["customer_id"].map({one: on(told[0]) for one, told in ASKED.items()})
    answers = [(one, f"{on(-20)} 10:00", "request", on(told[1])) for one, told in ASKED.items() if told[1] is not None]
    # A response after the last day is not known yet, whatever it asks for.
    answers.append(("c111", f"{on(-30)} 10:00", "request", on(25)))
    answers.append(("c110", f"{on(3)} 10:00", "request", on(-1)))
    reached = [(one, told[2][0], f"{on(told[2][1])} 09:00") for one, told in ASKED.items() if told[2] is not None]
    return {
        "customers": people,
        "cells": CELLS,
        "contacts": pd.DataFrame(reached, columns=["customer_id", "cell_id", "contacted_at"]),
        "responses": pd.DataFrame(answers, columns=["customer_id", "responded_at", "kind", "follow_up_at"]),
    }


@pytest.fixture
def data(world, tables, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    return world(tmp_path / "own", CALL, **tables)


def test_open_requests_by_hand(data):
    found = open_requests(History(data)).set_index("customer_id")["day"]
    expected = {"c100": -3, "c101": 0, "c102": 10, "c103": -2, "c104": 20, "c108": -9, "c109": -9, "c111": -5}
    assert found.to_dict() == {one: pd.Timestamp(on(days)) for one, days in expected.items()}


def test_lists_are_drawn_by_it(data):
    said = customer_outputs(data, needed=["follow_up"]).set_index("customer_id")["follow_up"]
    assert said[said == "due"].index.tolist() == DUE and said[said == "later"].index.tolist() == LATER
    assert set(said) == {"due", "later", "none"}
    assert pull_list(data, "follow_up = due").ledger.query("step.str.startswith('Request')")["left"].tolist() == [len(DUE)]


def test_it_is_no_criterion_where_nothing_says_it(world, tmp_path):
    with pytest.raises(CampaignError, match="follow_up"):
        pull_list(world(tmp_path / "own"), "follow_up = due")


def test_an_earlier_day_knows_what_had_been_asked_by_then_and_nothing_of_the_table_of_customers(data):
    found = open_requests(History(data, on(-25))).set_index("customer_id")["day"]
    assert found.to_dict() == {"c111": pd.Timestamp(on(25))}


@pytest.mark.proof
def test_the_calendar_waits_for_the_day_and_calls_once(data, studied):
    found = studied(data, weeks=8)
    today = found.decided.today.set_index("customer_id")
    assert today.index[today["action"] == "call back"].tolist() == [one for one in DUE if one[-1] not in "57"]
    assert set(today.loc[LATER, "action_reason"]) == {ASKED_LATER} and set(today.loc[LATER, "action"]) == {ALONE}
    # Plans are made by weeks: the first that begins on the day asked for, or after it.
    planned = found.decided.calendar.set_index("customer_id")["day"]
    assert planned[LATER].to_dict() == {"c102": 14, "c104": 21}
    assert planned.index.is_unique
    assert sorted(planned.index) == sorted([*today.index[today["action"] == "call back"], *LATER])


OTHERS = (
    CALL + '[[action]]\nname = "mail"\nfor = "follow_up != later"\ncooldown_days = 7\ncost_per_contact = 0.01\n'
    'brings = "at_risk"\neffect = { rise = 0.05, low = 0.04, high = 0.06 }\n[limits]\ncontacts = [{ most = 1, days = 7 }]\n'
)


@pytest.mark.proof
def test_what_waits_for_the_day_goes_on_after_it_and_a_segment_is_closed_until_then(
    world, studied, tables, tmp_path, monkeypatch
):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    spared = '[[segment_goal]]\nfor = "follow_up = later"\ngoal = "leave them in peace"\ntreatment = "none"\n'
    found = studied(world(tmp_path / "own", OTHERS + spared, **tables), weeks=5)
    planned = found.decided.calendar
    for one, asked in (("c102", 14), ("c104", 21)):
        mine = planned[planned["customer_id"] == one]
        assert mine["day"].min() == asked and mine["action"].tolist() == ["call back"] + ["mail"] * (len(mine) - 1)
        assert len(mine) == 5 - asked // 7
    assert (planned[planned["customer_id"] == "c100"]["action"] == "call back").sum() == 1
    assert set(found.decided.today.set_index("customer_id").loc[LATER, "action_reason"]) == {ASKED_LATER}


@pytest.mark.proof
def test_without_a_file_that_says_so_they_are_contacted_all_the_same(world, studied, tables, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    plain = world(tmp_path / "plain", **{name: tables[name] for name in ("customers", "responses")})
    names = [one.name for one in studied(plain).ground.actions]
    assert names[0] == "contact again" and len(names) == 4
    assert "contact again" not in [one.name for one in studied(world(tmp_path / "none")).ground.actions]
