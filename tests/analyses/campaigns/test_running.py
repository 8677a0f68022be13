"""Until a test closes, its control waits as long as the cells that were contacted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import actions
from crmlab.analyses.actions.deciding import CONTROL
from crmlab.analyses.campaigns import stands_for, waiting_cells
from crmlab.history.past import History
from tests.commands import campaign, plan_of

TOML = 'title = "Own"\ncurrency = "EUR"\n[source]\nkind = "shop"\ncustomers = 600\nseed = 1\n'
ACTION = '[[action]]\nname = "note"\neffect = {rise = 0.05, low = 0.04, high = 0.06}\ncost_per_contact = 0.01\n'
CELLS = pd.DataFrame(
    [
        ("old", "o0", None, None, "2025-01-01", "2025-01-28"),
        ("old", "o1", "o0", "gift", "2025-01-01", "2025-01-28"),
        ("now", "n0", None, None, "2025-01-20", "2025-02-10"),
        ("now", "n1", "n0", "gift", "2025-01-20", "2025-02-10"),
        ("two", "t0", None, None, "2025-02-20", "2025-03-10"),
        ("two", "t1", "t0", "gift", "2025-02-20", "2025-03-10"),
        ("two", "t2", "t0", "10% off", "2025-02-20", "2025-03-10"),
        ("long", "l0", None, None, "2025-01-01", "2027-01-01"),
        ("long", "l1", "l0", "gift", "2025-01-01", "2027-01-01"),
        ("open", "x0", None, None, None, None),
        ("open", "x1", "x0", "gift", None, None),
    ],
    columns=["campaign_id", "cell_id", "control_cell_id", "offer", "opens_on", "closes_on"],
)


def test_only_controls_whose_window_ends_within_a_year_wait():
    found = waiting_cells(CELLS, dt.date(2025, 1, 31))
    assert CELLS.loc[found, "cell_id"].tolist() == ["n0", "t0"]
    assert not waiting_cells(CELLS[["cell_id", "control_cell_id"]], dt.date(2025, 1, 31)).any()


def test_a_control_stands_for_what_the_others_were_sent_where_that_is_one_thing():
    found = stands_for(CELLS, "offer")
    assert (found["n0"], found["n1"], found["t2"]) == ("gift", "gift", "10% off") and "t0" not in found
    assert stands_for(CELLS, "channel") == {}


@pytest.mark.proof
def test_the_control_of_a_launched_test_gets_nothing_else_while_the_others_wait(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    own, plan = tmp_path / "own.toml", tmp_path / "spring.toml"
    own.write_text(TOML + ACTION)
    last = History(crmlab.open_dataset(str(own))).as_of
    plan.write_text(plan_of(last + dt.timedelta(days=1), last + dt.timedelta(days=20)))
    before = actions.run(crmlab.open_dataset(str(own))).outputs["decisions"].frame.set_index("customer_id")
    campaign("plan", plan, "--data", own)
    campaign("launch", "spring", "--data", own, "--out", tmp_path / "lists")
    data = crmlab.open_dataset(str(own))
    kept = data.remembered.contacts
    after = actions.run(data).outputs["decisions"].frame.set_index("customer_id")
    reasons = after["action_reason"].reindex(kept["customer_id"])
    cell = pd.Series(kept["cell_id"].to_numpy(), index=reasons.index)
    assert CONTROL not in set(before["action_reason"]) and set(cell[reasons == CONTROL]) == {"none"}
    acted = [set(frame["action"].reindex(kept["customer_id"])) for frame in (before, after)]
    assert "note" in acted[0] and "note" not in acted[1] and np.count_nonzero(reasons == CONTROL) > 30
