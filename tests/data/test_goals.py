"""Goals in a data set's TOML file: what is read, and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from crmlab.analyses.scorecard.estimation import MEASURES as MEASURED
from crmlab.data.catalog import load
from crmlab.data.descriptor import parse
from crmlab.data.goals import MEASURES, Goal
from crmlab.errors import DescriptorError

GOOD = {"measure": "revenue", "target": 1_200_000, "by": dt.date(2026, 6, 30), "owner": "Head of retail"}


def goals(*given):
    return parse({"orders": {"file": "o.csv"}, "goals": list(given)}, name="own", where="own.toml", folder=Path()).goals


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
    assert len(load("shop").goals) == 3
    assert all(goal.owner.startswith("Head of ") for goal in load("shop").goals)
    assert load("cdnow").goals == ()


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
    with pytest.raises(DescriptorError, match=r"goals must be given as \[\[goals\]\]"):
        parse({"orders": {"file": "o.csv"}, "goals": GOOD}, name="own", where="own.toml", folder=Path())


def test_goals_change_pages_but_not_tables():
    from dataclasses import replace

    from crmlab.data import cache
    from crmlab.report.inputs import _with_looks

    shop = load("shop")
    other = replace(shop, goals=())
    assert cache.key_of(shop, []) == cache.key_of(other, [])
    assert _with_looks("key", shop) != _with_looks("key", other)
