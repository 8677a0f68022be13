"""Today's actions become campaigns: plan, list and control, and what they do is known to the next decision."""

from __future__ import annotations

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import actions
from crmlab.analyses.campaigns import read_plan
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import ParameterError
from crmlab.history.past import History
from tests.commands import campaign


@pytest.fixture(scope="module")
def history(nothing_remembered):
    return History(crmlab.open_dataset("shop"))


@pytest.fixture(scope="module")
def plans(history):
    return actions.plans_of(history)


@pytest.mark.proof
def test_every_action_of_today_is_a_plan_with_a_control(history, plans, tmp_path):
    decided = actions.decisions(history)
    acted = decided[~decided["action"].isin(["leave alone", "held out"])].groupby("action")["customer_id"].agg(set)
    assert len(plans) == len(acted) > 1
    assert sorted(map(len, acted)) == sorted(len(one.people) for one in plans)
    for one in plans:
        path = tmp_path / f"{one.campaign}.toml"
        path.write_text(one.text, encoding="utf-8")
        planned = read_plan(path)
        cells = planned.cells.set_index("cell_id")
        control, sent = f"{one.campaign}-0", f"{one.campaign}-1"
        assert planned.campaign == one.campaign and cells.loc[sent, "control_cell_id"] == control
        assert (
            cells["planned_share"].sum() == pytest.approx(1) and cells.loc[control, "planned_share"] == 0.2
        )  # measured effects
        assert set(one.people["customer_id"]) == acted[cells.loc[sent, "offer"]]
        assert one.people["household_id"].is_unique and planned.details["by"] == "household_id"


@pytest.mark.proof
def test_the_same_decision_gives_the_same_plans_and_no_two_have_one_salt(history, plans):
    again = actions.plans_of(History(crmlab.open_dataset("shop")))
    assert [one.text for one in again] == [one.text for one in plans]
    assert len({one.text.split("salt = ")[1].splitlines()[0] for one in plans}) == len(plans)


@pytest.mark.parametrize("control", [0, 1, -0.1, 1.5])
def test_a_control_must_be_a_share(history, control):
    with pytest.raises(ParameterError, match="control"):
        actions.plans_of(history, control=control)


@pytest.mark.proof
def test_the_loop_is_closed_by_the_command_line(tmp_path):
    memory, folder = tmp_path / "memory", tmp_path / "plans"
    said = campaign("plan", "--from", "actions", "--data", "shop", "--memory", memory, "--out", folder, "--control", 0.3)
    names = sorted(path.stem for path in folder.glob("*.toml"))
    assert names and all(f"crmlab campaign launch {name} --data shop --list" in said for name in names)
    for name in names:
        done = campaign("launch", name, "--memory", memory, "--out", tmp_path / "lists", "--list", folder / f"{name}.csv")
        assert f"{name}-0" in done and f"{name}-1" in done
    kept = open_memory(memory)
    # Whoever was written to today has been contacted: the next decision leaves them alone until limits allow another contact.
    history = History(crmlab.open_dataset("shop", memory=kept))
    assert set(kept.cells()["campaign_id"]) == set(names)
    for name in names:
        details, people = kept.decision(name)
        assert (details["data"], details["as_of"]) == ("shop", "2025-12-31") and 0 < details["rise"] < 1
        assert set(people["customer_id"]) == set(kept.assignments(name)["customer_id"])  # the shop holds nobody out
        assert set(people["arm"]) == {"acted"} and (people["gain"] > 0).all() and people["action"].nunique() == 1
    sent = pd.concat([kept.assignments(name).query("cell_id.str.endswith('-1')") for name in names])
    acted = actions.decisions(history).set_index("customer_id")["action"]
    # What is in people's hands is not planned anew.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = campaign("plan", "--from", "actions", "--data", "shop", "--memory", memory, "--out", folder)
    assert "Planned" not in again and {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "is launched already" in again or "Nothing pays today" in again
    assert len(sent) > 1000 and set(acted[acted.index.isin(sent["customer_id"])]) == {"leave alone"}


def test_without_a_file_and_without_a_source_it_is_said(tmp_path):
    assert "needs a FILE, or --from actions" in campaign("plan", "--memory", tmp_path, code=2)
    said = campaign("plan", "x.toml", "--from", "actions", "--memory", tmp_path, code=2)
    assert "Got both" in said
