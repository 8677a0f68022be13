"""A plan is taken, and what is wrong with it comes out one fault at a time, the last of them when the list is to be sent.

What would go wrong: `crmlab campaign plan` says that all is well; on the day of the mailing the launch refuses the salt of the hold-out, then a
column of the criteria, then the shares.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crmlab.analyses.campaigns import read_plan
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import PlanError
from tests.commands import campaign as command

HEAD = 'campaign = "spring"\nsalt = "spring 2026"\nchannel = "email"\n'
CELLS = '[[cell]]\nname = "none"\nshare = 0.5\n[[cell]]\nname = "ten"\ncontrol = "none"\nshare = 0.5\noffer = "10% off"\n'
# What stands in a plan, and the fault that is told; those behind "data" need the data set.
FAULTS = {
    'holdout = 0.1\nholdout_salt = "short"\n': "holdout_salt must be a text of at least 8 characters. Got 'short'",
    'criteria = ["days_since_last <= 300", "!"]\n': "The condition '!' cannot be read.",
    'qualify = ["spend above 3, 4"]\n': "The condition 'spend above 3, 4' cannot be read.",
    "opens_on = 2026-05-01\ncloses_on = 2026-04-01\n": "The window of cell 'none' ends before it begins.",
    "colour = 3\n": "unknown key 'colour'",
    "sample = 0\n": "sample must be a whole number of at least 1",
}
CELL_FAULTS = {
    '[[cell]]\nname = "post"\nshare = 0.2\ncontrol = "nobody"\n': (
        "The control of cell 'post', 'nobody', is not a cell of this campaign.",
        "The planned shares of 'spring' must add up to 1. Found 1.2.",
    ),
    '[[cell]]\nname = "post"\nshare = 0.0\ncontrol = "post"\ncost_per_contact = -1\n': (
        "Cell 'post' is its own control",
        "cost_per_contact must be a number of at least 0. Got -1",
    ),
    '[[cell]]\nname = "ten"\nshare = 0.0\ncontrol = "none"\ncode = "ABC123"\n': (
        "Cell 'ten' is there twice",
        "The code of cell 'ten' must be a code whose last character",
    ),
    '[[cell]]\nname = "a"\nshare = 0\ncontrol = "none"\ncode = "AYADH7"\n[[cell]]\nname = "b"\nshare = 0\ncontrol = "none"\ncode = "AYADH7"\n': (
        "The response code 'AYADH7' is used twice",
    ),
}
DATA_FAULTS = {
    '"contry in DE"': "is called 'contry'. Did you mean 'country'?",
    '"state > lost"': "'state' has no order, and '>' needs one.",
    '"tier = Z"': "'Z' is no value of 'tier'",
    '"orders >= many"': "must be a number. Got 'many'",
    '"country is known"]\nstrata = "countri': "strata names 'countri', of which nothing is known. Did you mean 'country'?",
    '"country is known"]\nscore = "country': "score must be a column of numbers. Got 'country'",
    '"country is known"]\nby = "house': "by names 'house', which is no column of customers.",
}


def told(path: Path, text: str) -> str:
    path.write_text(text)
    try:
        read_plan(path)
    except PlanError as error:
        return str(error)
    return ""


def test_every_fault_is_told_and_all_of_them_at_once(tmp_path):
    path = tmp_path / "spring.toml"
    assert told(path, HEAD + CELLS) == ""
    for text, words in FAULTS.items():
        assert words in told(path, HEAD + text + CELLS)
    for text, several in CELL_FAULTS.items():
        said = told(path, HEAD + CELLS + text)
        assert all(words in said for words in several), said
        assert said.count("\n") == len(several) - 1
    cells, whole = next(iter(CELL_FAULTS.items()))
    said = told(path, HEAD + "".join(FAULTS) + CELLS + cells)
    assert all(words in said for words in (*FAULTS.values(), *whole))
    assert said.count("\n") == len(FAULTS) + len(whole) - 1  # a window that all cells share is one fault


def test_shares_with_few_digits_are_planned_and_launched(project):
    third = "\n".join(f'[[cell]]\nname = "c{i}"\nshare = 0.333\n' + ('control = "c0"\n' if i else "") for i in range(3))
    Path("spring.toml").write_text(HEAD + 'opens_on = 2026-01-10\ncriteria = ["orders >= 1"]\n' + third)
    command("plan", "spring.toml", "--data", "small.toml")
    command("launch", "spring", "--data", "small.toml", "--out", "out")
    sizes = open_memory().assignments("spring")["cell_id"].value_counts()
    assert sizes.max() - sizes.min() <= 4  # households are whole


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "small.toml").write_text('currency = "EUR"\n[source]\nkind = "shop"\ncustomers = 300\nseed = 2\n')
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.proof
def test_what_the_data_set_must_hold_is_told_by_the_plan_with_all_the_rest(project):
    for text, words in DATA_FAULTS.items():
        end = "" if "]" in text else "]"
        Path("spring.toml").write_text(HEAD + f"criteria = [{text}{end or chr(34)}\n" + CELLS)
        assert words in command("plan", "spring.toml", "--data", "small.toml", code=2), text
    plain = [text for text in DATA_FAULTS if "]" not in text]
    Path("spring.toml").write_text(HEAD + f'criteria = [{", ".join(plain)}]\nstrata = "countri"\nsample = 0\n' + CELLS)
    said = command("plan", "spring.toml", "--data", "small.toml", code=2)
    assert all(DATA_FAULTS[text] in said for text in plain) and "strata names 'countri'" in said and "sample must be" in said
    assert open_memory().headers() == []
    # Without a data set the plan says what it did not look for, and the launch tells all of it at once.
    Path("spring.toml").write_text(HEAD + f"criteria = [{', '.join(plain)}]\n" + CELLS)
    assert "Not looked for yet: contry, state, tier, orders. See whether your data set has them with --data NAME." in command(
        "plan", "spring.toml"
    )
    said = command("launch", "spring", "--data", "small.toml", code=2)
    assert all(DATA_FAULTS[text] in said for text in plain)
    assert not open_memory().headers(kind="launched")


def test_codes_that_are_out_already_are_told_by_the_plan_with_all_the_rest(project):
    Path("spring.toml").write_text(HEAD + 'opens_on = 2026-01-10\ncriteria = ["orders >= 1"]\n' + CELLS)
    command("plan", "spring.toml", "--data", "small.toml")
    command("launch", "spring", "--data", "small.toml", "--out", "out")
    code = open_memory().cells("spring").set_index("cell_id").loc["ten", "response_code"]
    again = f'campaign = "autumn"\nsalt = "autumn 2026"\nsample = 0\n{CELLS}code = "{code}"\n'
    Path("autumn.toml").write_text(again)
    said = command("plan", "autumn.toml", code=2)
    assert f"The response code '{code}' is used twice" in said and "sample must be" in said
