"""Plans of campaigns as TOML files: every fault is told at once, and nothing but a PlanError comes of a wrong value."""

from __future__ import annotations

import datetime as dt

import pytest

from crmlab.analyses.campaigns import plan as plans
from crmlab.data.toml import names
from crmlab.errors import PlanError

PLAN = """salt = "short"
holdout = 1.5
sampel = 5
criteria = "value > 5"
opens_on = "soon"

[[cell]]
name = "spring-0"
share = true

[[cell]]
control = "spring-0"
code = "ABC123"
fixed_cost = -1
colour = "red"
"""


def test_every_fault_is_told_at_once_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "spring.toml"
    path.write_text(PLAN)
    with pytest.raises(PlanError) as error:
        plans.read_plan(path)
    assert str(error.value).splitlines() == [
        "spring.toml: salt must be a text of at least 8 characters. Got 'short' instead.",
        "spring.toml: holdout must be a number between 0 and 1. Got 1.5 instead.",
        "spring.toml: holdout must be given together with holdout_salt. Got 'one of the two' instead.",
        "spring.toml: unknown key 'sampel' at the top. Did you mean 'sample'?",
        "spring.toml: criteria must be a list of texts. Got 'value > 5' instead.",
        "spring.toml: opens_on must be a date such as 2025-03-01. Got 'soon' instead.",
        "spring.toml: campaign must be given. Got 'nothing' instead.",
        "spring.toml: [[cell]] spring-0 share must be a number between 0 and 1. Got True instead.",
        "The code of cell 2 must be a code whose last character checks the others. Got 'ABC123' instead. "
        "Leave it out to be given one.",
        "spring.toml: [[cell]] 2 fixed_cost must be a number of at least 0. Got -1 instead.",
        "spring.toml: unknown key 'colour' under [[cell]] 2. Known: channel, closes_on, code, control, cost_per_contact, cost_per_response, "
        "creative, discount, fixed_cost, list, name, offer, … (15 in all).",
        "spring.toml: [[cell]] 2 name must be given. Got 'nothing' instead.",
        "spring.toml: [[cell]] 2 share must be given. Got 'nothing' instead.",
    ]


@pytest.mark.parametrize(
    "value", [5, True, "x", " ", [], {}, dt.date(2026, 6, 30), dt.datetime(2026, 6, 30), float("nan"), [{}], 10**400], ids=repr
)
@pytest.mark.parametrize("key", [*names(plans._Plan), *names(plans._Cell), "cell", "zzz"])
def test_any_value_of_any_key_is_taken_or_refused(tmp_path, monkeypatch, key, value):
    cells = [{"name": "a-0", "share": 0.5}, {"name": "a-1", "share": 0.5, "control": "a-0"}]
    whole = {"campaign": "a", "salt": "for ever and ever", "cell": cells}
    path = tmp_path / "a.toml"
    path.touch()
    for content in (whole | {key: value}, whole | {"cell": [cells[0] | {key: value}, cells[1]]}):
        monkeypatch.setattr(plans, "_content", lambda _, given=content: given)
        said = ""
        try:
            plans.read_plan(path)
        except PlanError as error:
            said = str(error)
        kinds = ("must be", "unknown key", "is not a cell of this campaign", "has no control and is not the control of any")
        assert all(any(kind in line for kind in kinds) for line in said.splitlines())
