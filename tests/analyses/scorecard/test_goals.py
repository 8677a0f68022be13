"""Goals in a data set's TOML file: what is read, and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from crmlab.analyses.scorecard.estimation import MEASURES as MEASURED
from crmlab.analyses.scorecard.targets import MEASURES, Goal, parse_goals
from crmlab.data.catalog import load
from crmlab.data.descriptor import parse
from crmlab.errors import DescriptorError
from crmlab.report.registry import readers

GOOD = {"measure": "revenue", "target": 1_200_000, "by": dt.date(2026, 6, 30), "owner": "Head of retail"}


def read(descriptor):
    section = descriptor.sections.get("goals")
    return parse_goals(section, descriptor.where) if section else ()


def goals(*given):
    content = {"orders": {"file": "o.csv"}, "goals": list(given)}
    return read(parse(content, name="own", where="own.toml", folder=Path(), readers=readers()))


def test_goals_are_read_in_their_order():
    other = {"measure": "returned_share", "target": 0.03, "by": "2026-12-31"}
    assert goals(GOOD, other) == (
        Goal("revenue", 1_200_000.0, "2026-06-30", "Head of retail"),
        Goal("returned_share", 0.03, "2026-12-31", ""),
    )
    assert goals(GOOD)[0].day == dt.date(2026, 6, 30)
    assert goals() == ()


def test_goals_name_measures_that_periods_have():
    assert set(MEASURES) <= set(MEASURED)
    assert [name for name, aim in MEASURES.items() if aim.less] == ["lost", "returned_share"]


def test_shop_has_goals_of_roles():
    assert len(read(load("shop"))) == 3
    assert all(goal.owner.startswith("Head of ") for goal in read(load("shop")))
    assert read(load("cdnow")) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measure": "revenu"}, "own.toml: a goal names the unknown measure 'revenu'. Did you mean 'revenue'?"),
        ({"measure": None}, "own.toml: [[goals]] measure must be one of revenue, margin, "),
        ({"by": None}, "own.toml: the goal for 'revenue' has no 'by'. Expected the date by which it is to be reached"),
        ({"target": None}, "own.toml: the goal for 'revenue' has no 'target'. Expected a number, such as target = 1200000."),
        ({"by": "30.06.2026"}, "own.toml: [[goals]] by must be an ISO date, such as 2026-06-30. Got '30.06.2026' instead."),
        ({"by": 2026}, "own.toml: [[goals]] by must be an ISO date"),
        ({"by": dt.datetime(2026, 6, 30, 12)}, "own.toml: [[goals]] by must be an ISO date"),
        ({"target": "much"}, "own.toml: [[goals]] target must be a number above 0"),
        ({"target": True}, "own.toml: [[goals]] target must be a number above 0"),
        ({"target": -5}, "own.toml: [[goals]] target must be a number above 0"),
        ({"target": float("inf")}, "own.toml: [[goals]] target must be a number above 0"),
        ({"measure": "margin_share", "target": 45}, "own.toml: [[goals]] target must be a share between 0 and 1"),
        ({"owner": 7}, "own.toml: [[goals]] owner must be a text in quotes. Got 7 instead."),
        ({"when": 1}, "own.toml: unknown key 'when' under [[goals]]. Known: by, measure, owner, target."),
    ],
)
def test_goals_wrong_values_are_said(change, said):
    given = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(DescriptorError) as error:
        goals(given)
    assert str(error.value).startswith(said)


def test_goals_twice_and_of_a_wrong_form():
    with pytest.raises(DescriptorError, match="there are two goals for 'revenue' by 2026-06-30"):
        goals(GOOD, GOOD | {"target": 5})
    content = {"orders": {"file": "o.csv"}, "goals": GOOD}
    with pytest.raises(DescriptorError, match=r"goals must be given as \[\[goals\]\]"):
        parse(content, name="own", where="own.toml", folder=Path(), readers=readers())


def test_goals_every_fault_is_told_at_once_with_its_line(tmp_path):
    given = """titel = "Own"
[orders]
file = "o.csv"

[[goals]]
target = -5
measure = "revenue"
by = 2026-06-30

[[goals]]
measure = "revenu"
target = 5
by = "soon"
ownr = "Head of retail"

[[goals]]
measure = "margin_share"
target = 45

[[goals]]
measure = "revenue"
target = 7
by = 2026-06-30

[customers]
decimal = ";"
"""
    (tmp_path / "own.toml").write_text(given)
    with pytest.raises(DescriptorError) as error:
        load(tmp_path / "own.toml", readers())
    assert str(error.value).splitlines() == [
        "own.toml: unknown key 'titel' at the top. Did you mean 'title'?",
        "own.toml, line 5: [[goals]] target must be a number above 0, such as 1200000. Got -5 instead.",
        "own.toml, line 10: a goal names the unknown measure 'revenu'. Did you mean 'revenue'?",
        "own.toml, line 10: [[goals]] by must be an ISO date, such as 2026-06-30. Got 'soon' instead.",
        "own.toml, line 10: unknown key 'ownr' under [[goals]]. Did you mean 'owner'?",
        "own.toml, line 16: [[goals]] target must be a share between 0 and 1, such as 0.5. Got 45 instead.",
        "own.toml, line 16: the goal for 'margin_share' has no 'by'. Expected the date by which it is to be reached, such as "
        "by = 2026-06-30.",
        "own.toml, line 20: there are two goals for 'revenue' by 2026-06-30. Expected one. Take one out, or change its date.",
        'own.toml: [customers] decimal must be "." or ",". Got \';\' instead.',
    ]


@pytest.mark.parametrize("value", [5, True, "x", [], {}, dt.date(2026, 6, 30), float("nan"), 10**400], ids=repr)
@pytest.mark.parametrize("key", ["measure", "target", "by", "owner", "zzz"])
def test_goals_any_value_of_any_key_is_taken_or_refused(key, value):
    for given in (GOOD | {key: value}, {key: value}):
        said = ""
        try:
            goals(given)
        except DescriptorError as error:
            said = str(error)
        assert not said or said.startswith("own.toml: ")
