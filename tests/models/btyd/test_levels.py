"""Four worlds that look alike in their totals: a level that falls, customers who slow down, a file cut in the middle, and none of it.

What the clock says in each, what it is worth, and what of the four can be told apart.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.clock import DAYS
from crmlab.models.btyd.cohorts import by_cohort
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.seasonality import fit_clock
from tests.models.btyd.lives import World, rates_of, wave

_DAYS, _AHEAD = 3 * DAYS, 91
FALL, SLOWING = (
    0.35,
    0.5,
)  # of the logs of rates, in a year: of all from the second year on; of each customer from the first day on


def world(kind: str) -> World:
    hidden = 2 * DAYS if kind == "cut" else 0
    days = _DAYS + hidden
    level = np.exp(-FALL * np.clip((np.arange(days + _AHEAD) - DAYS) / DAYS, 0, 2)) if kind == "level" else 1.0
    return World(
        n=6000, days=days, ahead=_AHEAD, rates=rates_of(days + _AHEAD, wave(0.4, 330), level), hidden=hidden,
        slows=SLOWING if kind == "ageing" else 0.0,
    )  # fmt: skip


@cache
def found(kind: str, seed: int) -> dict[str, float]:
    """Forecasts of 13 weeks over what came, the level found, and slopes of seen over expected by age and by time, in a year."""
    place = world(kind)
    bought = place.purchases(seed)
    summary, by_day = place.known(bought)
    clock = fit_clock(MBGNBD(), summary, by_day, place.end)
    plain, timed = MBGNBD().fit(summary), MBGNBD(clock=clock).fit(summary)
    came = place.came(bought, _AHEAD)
    total = timed.expected_total(summary, 13.0, interval="outcome")
    again = bought[(bought["day"] > bought["first"]) & (bought["day"] < place.days)]
    purchases = (place.days - 1 - again[["first", "day"]]).assign(purchases=1)
    table = by_cohort(timed, summary, purchases, place.end)
    some = table[table["expected"] > 20]
    root = np.sqrt(some["expected"].to_numpy())
    design = np.column_stack([np.ones(len(some)), some["age"], -some["quarter"]]) * root[:, None]
    slope = np.linalg.lstsq(design, np.log(some["seen"] / some["expected"]) * root, rcond=None)[0] * 4
    return {
        "plain": float(plain.expected_total(summary, 13.0)["expected_purchases"]) / came - 1,
        "clock": float(total["expected_purchases"]) / came - 1,
        "holds": float(total["low"] <= came <= total["high"]),
        "level": float(np.log(clock.level[-DAYS:].mean() / clock.level[:DAYS].mean())),
        "by_age": slope[1],
        "by_time": slope[2],
        "rows_add_up": float(np.abs(table["seen"].sum() - len(again))),
    }


def mean(kind: str, name: str, seeds: int = 2) -> float:
    return float(np.mean([found(kind, seed)[name] for seed in range(seeds)]))


@pytest.mark.proof
def test_a_level_that_falls_is_found_and_used():
    # The last year is that much lower than the first: half a fall, and a whole one.
    assert mean("level", "level") == pytest.approx(-1.5 * FALL, abs=0.12)
    assert mean("level", "plain") > 0.12
    assert abs(mean("level", "clock")) < 0.6 * mean("level", "plain")
    assert mean("level", "holds") == 1
    assert abs(mean("level", "by_age")) < 0.05


@pytest.mark.proof
def test_customers_who_slow_down_look_like_a_level_in_totals_but_not_by_age():
    """The clock takes ageing for a level that falls: of totals alone it cannot tell them apart. The table by cohort can."""
    assert mean("ageing", "level") < -0.3
    assert mean("ageing", "by_age") < -0.05
    assert mean("ageing", "plain") > 0.12
    # What is taken for a level helps, but those who came lately have less of it: half of the error stays.
    assert 0 < mean("ageing", "clock") < 0.75 * mean("ageing", "plain")


@pytest.mark.proof
def test_a_file_cut_in_the_middle_is_no_level():
    """Customers won before the file begins count as new in its first weeks: neither level nor age bends."""
    assert abs(mean("cut", "level")) < 0.12
    assert abs(mean("cut", "by_age")) < 0.05
    assert abs(mean("cut", "clock")) < 0.08
    assert mean("cut", "holds") == 1


@pytest.mark.proof
def test_where_there_is_nothing_nothing_is_found():
    assert abs(mean("none", "level")) < 0.12
    assert abs(mean("none", "by_age")) < 0.05 and abs(mean("none", "by_time")) < 0.05
    assert abs(mean("none", "clock")) < 0.06
    assert mean("none", "rows_add_up") == 0


@pytest.mark.nightly
@pytest.mark.nightly
def test_age_is_told_from_level_in_8_of_8():
    for seed in range(8):
        ages = {kind: found(kind, seed)["by_age"] for kind in ("none", "level", "ageing", "cut")}
        assert ages["ageing"] < -0.05 < min(ages[kind] for kind in ("none", "level", "cut"))


def test_purchases_before_the_customer_are_refused():
    model = MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4)
    base = pd.DataFrame({"frequency": [1], "recency": [2.0], "T": [5.0]})
    with pytest.raises(ModelError, match="days that are not before the customer's first"):
        by_cohort(model, base, pd.DataFrame({"first": [10], "day": [20], "purchases": [1]}), world("none").end)
    alone = by_cohort(model, base, pd.DataFrame({"first": [], "day": [], "purchases": []}), world("none").end)
    assert (alone["seen"] == 0).all() and (alone["expected"] > 0).all()


def test_purchases_of_a_cohort_without_customers_are_refused():
    model = MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4)
    base = pd.DataFrame({"frequency": [1], "recency": [2.0], "T": [5.0]})
    with pytest.raises(ModelError, match="purchases of customers of the summary"):
        by_cohort(model, base, pd.DataFrame({"first": [610], "day": [20], "purchases": [1]}), world("none").end)
