"""Kind: numbers that cannot be, taken without a word: five of three, a level of 95, an outcome that is missing, a power below chance.

An interval of 5 in 3 was worked out, outcomes of whom nothing was known counted as events, and a plan for less power than chance has
asked for ever more customers.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import CrmlabError, ModelError
from crmlab.models import intervals
from crmlab.models.baskets.association import rules
from crmlab.models.baskets.bridge_mlxtend import from_mlxtend, to_mlxtend
from crmlab.models.baskets.frequent import itemsets, least_count
from crmlab.models.baskets.ranking import bootstrap_means, list_measures
from crmlab.models.baskets.recommend import ItemSimilarity, bm25
from crmlab.models.baskets.substitution import substitutes
from crmlab.models.classification import auc, bootstrap, expected_maximum_profit, mean_with_interval, top_lift
from crmlab.models.markov import project, transition_probabilities
from crmlab.models.survival import at, cumulative_incidence, given_waited, kaplan_meier
from crmlab.models.testing import (
    CellStatistics,
    ComparisonOptions,
    Money,
    Rate,
    Ratio,
    boundaries,
    compare_cells,
    critical_value,
    depth_curve,
    detectable_effect,
    factorial_effects,
    fade,
    holm,
    planned_profit,
    pool,
    power_of,
    required_size,
    segment_uplift,
    slices,
)

NAN = float("nan")
CURVE = kaplan_meier([1, 2, 3], [True, True, False])
CELLS = {"a": CellStatistics.from_sums(50, {"bought": 10}), "c": CellStatistics.from_sums(50, {"bought": 5})}
PARTS = {"a": {"offer": "yes"}, "c": {"offer": "no"}}
SLICES = slices([3, 3, 2, 2, 1, 1] * 2, [1, 0] * 6, np.arange(12.0), parts=2)

LEVELS = {
    "normal_quantile": lambda level: intervals.normal_quantile(level),
    "wilson": lambda level: intervals.wilson(1, 3, level),
    "wilson of nobody": lambda level: intervals.wilson(0, 0, level),
    "clopper_pearson": lambda level: intervals.clopper_pearson(1, 3, level),
    "proportion_intervals": lambda level: intervals.proportion_intervals([1], [3], level),
    "median_interval": lambda level: intervals.median_interval(range(9), level),
    "share_of_total": lambda level: intervals.share_of_total([1.0, 2.0], [True, False], level),
    "kaplan_meier": lambda level: kaplan_meier([1, 2], [True, False], level=level),
    "cumulative_incidence": lambda level: cumulative_incidence([1, 2], [1, 0], level=level),
    "given_waited": lambda level: given_waited(CURVE, 1.0, level=level),
    "critical_value": lambda level: critical_value([[1.0]], level),
    "compare_cells": lambda level: compare_cells(CELLS, control="c", level=level),
    "factorial_effects": lambda level: factorial_effects(CELLS, PARTS, "bought", level=level),
    "segment_uplift": lambda level: segment_uplift({"x": (CELLS["a"], CELLS["c"]), "y": tuple(CELLS.values())}, "bought", level=level),
    "depth_curve": lambda level: depth_curve(SLICES, level=level),
    "pool": lambda level: pool([1.0, 2.0], [1.0, 1.0], level),
    "fade": lambda level: fade([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [0, 1, 2], level),
    "boundaries": lambda level: boundaries("pocock", 3, level),
    "required_size": lambda level: required_size(Rate(0.1), 0.02, level=level),
    "detectable_effect": lambda level: detectable_effect(Rate(0.1), 1000, level=level),
    "power_of": lambda level: power_of(Rate(0.1), 0.02, 1000, level=level),
    "planned_profit": lambda level: planned_profit(Rate(0.1), 0.02, (100, 100), cost=1.0, level=level),
    "rules": lambda level: rules(itemsets(np.ones((3, 2)), 1), level=level),
    "substitutes": lambda level: substitutes(np.ones((3, 2)), level=level),
    "bootstrap_means": lambda level: bootstrap_means([[1.0], [2.0]], level=level),
    "bootstrap": lambda level: bootstrap({"auc": auc}, [0, 1], [0.1, 0.2], level=level),
    "mean_with_interval": lambda level: mean_with_interval([1.0, 2.0], level),
    "transition_probabilities": lambda level: transition_probabilities([[[1, 2], [3, 4]]], level),
    "project": lambda level: project([[[1, 2], [3, 4]]], [1, 1], 2, level),
}  # fmt: skip


@pytest.mark.parametrize("level", [95, 1.0, 0, -0.1, NAN])
@pytest.mark.parametrize("name", LEVELS)
def test_a_level_is_a_share(name, level):
    with pytest.raises(ModelError, match=r"(level|alpha)' must be (a number )?between 0 and 1.* Got"):
        LEVELS[name](level)


@pytest.mark.parametrize("name", [name for name in LEVELS if name != "boundaries"])
def test_a_level_that_is_a_fraction_is_worked_with_and_one_that_rounds_to_its_end_is_refused(name):
    LEVELS[name](Fraction(9, 10))
    for level in (1e-17, 1 - 1e-16):
        with pytest.raises(ModelError, match="level' must be between 0 and 1, and at least 1e-12 from both"):
            LEVELS[name](level)


@pytest.mark.parametrize("number", ["0.9", None, [0.9], pd.NA, 1j, NAN])
def test_a_plan_asks_for_numbers(number):
    for name, ask in (
        ("power", lambda: required_size(Rate(0.1), 0.02, power=number)),
        ("power", lambda: detectable_effect(Rate(0.1), 1000, power=number)),
        ("power", lambda: ComparisonOptions(power=number)),
        ("uplift", lambda: required_size(Rate(0.1), number)),
        ("uplift", lambda: power_of(Rate(0.1), number, 1000)),
        ("n", lambda: power_of(Rate(0.1), 0.02, number)),
        ("n", lambda: detectable_effect(Rate(0.1), number)),
    ):
        with pytest.raises(ModelError, match=f"'{name}' must be a number"):
            ask()


def test_a_power_of_any_type_of_number_is_the_same():
    sizes = {required_size(Rate(0.1), 0.02, power=power).per_cell for power in (0.9, Decimal("0.9"), Fraction(9, 10))}
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("durations", "found"),
    [
        (pd.to_datetime(["2020-01-01", "2020-02-01"]), "'2020-01-01"),
        (pd.to_timedelta([1, 2], unit="D"), "Got"),
        (pd.Series(pd.to_datetime([None, "2020-01-01"])), "'NaT'"),
        ([pd.NaT, 1.0], "'NaT'"),
        ([True, False], "True"),
        ([True, 2.5], "True"),
        (["1", "2"], "'1'"),
        ([-1, 2], "-1.0"),
    ],
)
def test_a_duration_is_a_number(durations, found):
    for curve in (kaplan_meier, cumulative_incidence):
        with pytest.raises(ModelError, match=f"'durations' must be numbers.* {found}"):
            curve(durations, [1, 0])


def test_rows_of_different_lengths_are_no_outcomes():
    with pytest.raises(ModelError, match="every outcome must be True or False"):
        kaplan_meier([5, 6], [[1], [1, 0]])
    with pytest.raises(ModelError, match="'causes' must be whole numbers"):
        cumulative_incidence([5, 6], [[1], [1, 0]])
    assert cumulative_incidence([5, 6], [Decimal(2), Decimal(1)])["cause"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("count", [(5, 3), (-1, 3), (1, -3), (NAN, 3), (1, NAN), (1, float("inf"))])
@pytest.mark.parametrize("interval", [intervals.wilson, intervals.clopper_pearson, intervals.proportion_intervals])
def test_a_part_is_not_more_than_the_whole(interval, count):
    with pytest.raises(ModelError, match=r"'(successes|n)' must be .* Got"):
        interval(*count)


def test_the_message_says_what_is_wrong():
    with pytest.raises(ModelError) as error:
        intervals.wilson(5, 3)
    assert str(error.value) == "wilson: 'successes' must be from 0 to n = 3. Got 5.0 instead."
    with pytest.raises(ModelError) as error:
        intervals.wilson(1, 3, 95)
    assert str(error.value) == "wilson: 'level' must be between 0 and 1, both excluded, such as 0.9. Got 95 instead."


@pytest.mark.parametrize("outcomes", [[NAN, 1.0], ["False", "True"], [None, True], [2, 1], [0.5, 1], pd.array([True, pd.NA])])
def test_an_outcome_is_yes_or_no(outcomes):
    for ask in (
        lambda: kaplan_meier([5, 6], outcomes),
        lambda: slices([1, 2], outcomes, [1.0, 2.0]),
        lambda: intervals.share_of_total([1.0, 2.0], outcomes),
        lambda: list_measures([0, 0], [1, 2], outcomes, [1], 2),
    ):
        with pytest.raises(ModelError, match="every outcome must be True or False, or 0 or 1"):
            ask()


@pytest.mark.parametrize(
    "outcomes",
    [
        [True, False],
        [1, 0],
        [1.0, 0.0],
        np.array([True, False], dtype=object),
        pd.array([True, False]),
        [Decimal(1), Decimal(0)],
    ],
)
def test_an_outcome_of_any_type_that_says_yes_or_no_is_taken(outcomes):
    assert kaplan_meier([5, 6], outcomes)["events"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("causes", [[NAN, 1.0], ["1", "0"], [1.5, 0], [-1, 1], [10**9, 0]])
def test_a_cause_is_a_whole_number(causes):
    with pytest.raises(ModelError, match="'causes' must be whole numbers"):
        cumulative_incidence([5, 6], causes)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: kaplan_meier([5, 6], [True, False], [NAN, 1.0]),
        lambda: kaplan_meier(["a", "b"], [True, False]),
        lambda: kaplan_meier([NAN, 6], [True, False]),
        lambda: kaplan_meier([], []),
        lambda: at(CURVE, -1.0),
        lambda: at(CURVE, NAN),
        lambda: given_waited(CURVE, -1.0),
        lambda: least_count(0.1, -5),
        lambda: rules(itemsets(np.ones((3, 2)), 1), n=NAN),
        lambda: rules(itemsets(np.ones((3, 2)), 1), min_confidence=50),
        lambda: substitutes(np.ones((3, 2)), alpha=5),
        lambda: substitutes(np.ones((3, 2)), periods=[0, 1]),
        lambda: substitutes(np.ones((3, 2)), periods=[0.5, 1, 2]),
        lambda: from_mlxtend(pd.DataFrame({"support": [1.5], "itemsets": [frozenset("a")]}), 3),
        lambda: to_mlxtend(pd.DataFrame({"items": [("a",)], "count": [1]}), 0),
        lambda: list_measures([0, 4], [1, 1], [True, False], [1], 2),
        lambda: list_measures([0], [1, 1], [True, False], [1], 2),
        lambda: bm25(np.ones((2, 2)), b=2.0),
        lambda: bm25(np.ones((2, 2)), k1=-1.0),
        lambda: ItemSimilarity(shrink=-1.0).fit(np.ones((2, 2))),
        lambda: top_lift([0, 1], [0.1, 0.2], 11),
        lambda: auc(["no", "yes"], [0.1, 0.2]),
        lambda: expected_maximum_profit([0, 1], [0.1, 0.2], value=0.0),
        lambda: expected_maximum_profit([0, 1], [0.1, 0.2], offer=500.0),
        lambda: bootstrap({"auc": auc}, [0, 1], [0.1, 0.2], draws=0),
        lambda: holm([0.1, NAN]),
        lambda: critical_value([[1.0, NAN], [NAN, 1.0]]),
        lambda: critical_value([[1.0, 2.0], [2.0, 1.0]]),
        lambda: critical_value(np.zeros((0, 0))),
        lambda: intervals.median_interval([1.0, NAN]),
        lambda: intervals.share_of_total([-1.0, 2.0], [True, False]),
        lambda: Ratio(1.0, 1.0, 1.0, 1.0, 5.0),
        lambda: Ratio(1.0, 1.0, -1.0, 1.0, 0.0),
        lambda: Ratio(NAN, 1.0, 1.0, 1.0, 0.0),
    ],
)
def test_what_cannot_be_is_said(ask):
    with pytest.raises(CrmlabError, match=r"(must be|must hold|needs)"):
        ask()


@pytest.mark.parametrize("correction", ["max-t", "holm", "none"])
@pytest.mark.parametrize("cells", [1, 4])
def test_size_rises_with_power_and_below_chance_there_is_none(cells, correction):
    powers = [0.0501, 0.06, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99, 0.999]
    sizes = [required_size(Rate(0.02), 0.002, power=power, cells=cells, correction=correction).per_cell for power in powers]
    assert sizes == sorted(set(sizes))
    effects = [detectable_effect(Rate(0.02), 50_000, power=power, cells=cells, correction=correction) for power in powers]
    assert effects == sorted(set(effects))
    for power in (0.05, 0.03, 0.01, 1e-9):
        for ask in (
            lambda power=power: required_size(Rate(0.02), 0.002, power=power, cells=cells, correction=correction),
            lambda power=power: detectable_effect(Rate(0.02), 50_000, power=power, cells=cells, correction=correction),
        ):
            with pytest.raises(ModelError, match=r"'power' must be above 0\.05 \(1 - level"):
                ask()
    with pytest.raises(ModelError, match=r"'power' must be above 0\.05"):
        compare_cells(CELLS, control="c", options=ComparisonOptions(power=0.01))


@pytest.mark.parametrize("numerator", [0.0, -20.0, 20.0, 1e-9, -1e9])
def test_what_a_ratio_can_show_does_not_hang_on_the_sign_of_its_base(numerator):
    ratio = Ratio(numerator, 0.5, 900.0, 0.45, 12.0)
    found = detectable_effect(ratio, 50_000)
    assert power_of(ratio, found, 50_000) == pytest.approx(0.8, abs=1e-9)
    assert found > 0


def test_what_money_and_rates_can_show_is_as_before():
    assert detectable_effect(Rate(0.02), 161358) == pytest.approx(0.0020, abs=1e-8)
    money = Money(share=0.01, mean=60.0, sd=45.0)
    assert power_of(money, detectable_effect(money, 100_000), 100_000) == pytest.approx(0.8, abs=1e-9)
