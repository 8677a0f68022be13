"""Sizes of cells: published values, statsmodels, simulation; and plans in money."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.testing.max_t import critical_value
from crmlab.models.testing.outcomes import Mean, Money, Rate, Ratio
from crmlab.models.testing.power import (
    control_share,
    design_effect,
    detectable_effect,
    planned_profit,
    power_of,
    required_size,
    smallest_paying,
)

SPEND = Money(share=0.02, mean=60.0, sd=45.0)


def test_size_of_ten_percent_more_than_two():
    # Two-sided 5%, 80% power, 2% against 2.2%, each rate with its own variance.
    found = required_size(Rate(0.02), 0.002)
    assert (found.per_cell, found.control, found.total) == (80_679, 80_679, 161_358)


def test_size_of_a_mean_agrees_with_statsmodels():
    from statsmodels.stats.power import NormalIndPower

    # Ratio whose variance does not depend on the effect: a plain mean of variance 25.
    plain = Ratio(10.0, 1.0, 25.0, 0.0, 0.0)
    for effect, share in [(0.5, 0.5), (1.0, 0.2), (0.3, 0.6)]:
        ratio = (1 - share) / share  # of the cell over the control
        peer = NormalIndPower().solve_power(effect / 5, power=0.8, alpha=0.05, ratio=1 / ratio)
        assert required_size(plain, effect, share=share).per_cell == pytest.approx(peer, abs=1.5)
        total = round(peer + peer / ratio)
        assert power_of(plain, effect, total, share=share) == pytest.approx(0.8, abs=2e-3)
        assert detectable_effect(plain, total, share=share) == pytest.approx(effect, rel=2e-3)


def test_size_of_a_rate_agrees_with_statsmodels():
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    peer = samplesize_proportions_2indep_onetail(0.005, 0.03, 0.8, ratio=1, alpha=0.025, value=0, alternative="larger")
    # statsmodels pools the rates where they are the same: a little other.
    assert required_size(Rate(0.03), 0.005).per_cell == pytest.approx(peer, rel=0.01)


def test_a_number_is_a_base_rate():
    # Chow, Shao and Wang (2008), Sample Size Calculations in Clinical Research, 2nd edition, chapter 4: 65% against 85%, 70 in each.
    assert required_size(0.65, uplift=0.20).per_cell == 70
    for base, uplift in [(0.10, 0.02), (0.10, -0.02), (0.02, 0.002)]:
        assert required_size(base, uplift=uplift, cells=3) == required_size(Rate(base), uplift, cells=3)
    assert required_size(Decimal("0.10"), uplift=0.02) == required_size(0.10, uplift=0.02)
    assert detectable_effect(0.10, n=20_000) == detectable_effect(Rate(0.10), 20_000)
    assert planned_profit(0.02, 0.01, (100, 100), cost=0.1) == planned_profit(Rate(0.02), 0.01, (100, 100), cost=0.1)


def test_what_a_number_needs_is_what_simulated_tests_find():
    from statsmodels.stats.proportion import proportions_ztest

    found = required_size(0.10, uplift=0.02)
    assert detectable_effect(0.10, n=found.total) == pytest.approx(0.02, rel=1e-3)
    rng = np.random.default_rng(5)
    sent, kept = rng.binomial(found.per_cell, 0.12, 2000), rng.binomial(found.control, 0.10, 2000)
    p = [proportions_ztest([x, y], [found.per_cell, found.control])[1] for x, y in zip(sent, kept, strict=True)]
    assert (np.array(p) < 0.05).mean() == pytest.approx(0.8, abs=0.03)
    assert power_of(0.10, uplift=0.02, n=found.total) == pytest.approx(0.8, abs=1e-3)


def test_control_of_several_cells_is_dunnetts_root():
    assert control_share(4) == pytest.approx(1 / 3)
    found = required_size(Rate(0.02), 0.004, cells=4, correction="none")
    assert found.control / found.per_cell == pytest.approx(2.0, rel=1e-3)
    # No other share needs fewer in all, when variances are alike.
    plain = Ratio(10.0, 1.0, 25.0, 0.0, 0.0)
    best = required_size(plain, 0.2, cells=4, correction="none").total
    for share in (0.2, 0.28, 0.4):
        assert required_size(plain, 0.2, cells=4, correction="none", share=share).total > best


def test_several_cells_use_the_value_of_the_largest():
    found = required_size(Ratio(10.0, 1.0, 25.0, 0.0, 0.0), 0.5, cells=3, share="equal")
    assert found.critical == pytest.approx(2.3490, abs=5e-5)
    z = special.ndtri(0.8)
    assert found.per_cell == int(np.ceil((critical_value([[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]]) + z) ** 2 * 50 / 0.25))
    none, holm = (required_size(Rate(0.02), 0.004, cells=3, correction=c).total for c in ("none", "holm"))
    assert none < required_size(Rate(0.02), 0.004, cells=3).total < holm


def test_money_has_the_moments_of_drawn_customers():
    rng = np.random.default_rng(1)
    shape = (60 / 45) ** 2
    for through, effect in [("share", 0.0), ("share", 0.6), ("amount", 0.6)]:
        ratio = 1 + effect / 1.2
        share, size = (0.02 * ratio, 1.0) if through == "share" else (0.02, ratio)
        drawn = np.where(rng.random(2_000_000) < share, size * rng.gamma(shape, 60 / shape, 2_000_000), 0.0)
        outcome = Money(0.02, 60.0, 45.0, through)
        assert outcome.base + effect == pytest.approx(drawn.mean(), rel=0.02)
        assert outcome.variance(effect) == pytest.approx(drawn.var(), rel=0.03)


@pytest.mark.proof
def test_planned_cells_find_their_effect_as_often_as_planned():
    from crmlab.models.testing.cells import CellStatistics
    from crmlab.models.testing.comparisons import compare_cells

    rng, hits, runs = np.random.default_rng(2), 0, 300
    size = required_size(SPEND, 0.5, cells=2, level=0.9)
    shape = (60 / 45) ** 2

    def cell(n, share):
        spend = np.zeros(n)
        buyers = rng.binomial(n, share)
        spend[:buyers] = rng.gamma(shape, 60 / shape, buyers)
        return CellStatistics.from_values({"spend": spend})

    for _ in range(runs):
        more = 0.02 + 0.5 / 60
        cells = {"a": cell(size.per_cell, more), "b": cell(size.per_cell, more), "none": cell(size.control, 0.02)}
        hits += compare_cells(cells, control="none", level=0.9).iloc[0]["low"] > 0
    # 80% ± 3 standard errors of 2.3%.
    assert hits / runs == pytest.approx(0.8, abs=0.07)


@given(st.floats(0.005, 0.5), st.floats(0.02, 0.5), st.integers(1, 5), st.sampled_from([0.5, 0.8, 0.9]))
@settings(max_examples=25, deadline=None)
def test_detectable_effect_is_the_other_way_round(base, relative, cells, power):
    outcome, effect = Rate(base), base * relative
    size = required_size(outcome, effect, cells=cells, power=power)
    assert detectable_effect(outcome, size.total, cells=cells, power=power) == pytest.approx(effect, rel=0.03)
    assert power_of(outcome, effect, size.total, cells=cells) == pytest.approx(power, abs=0.03)


@pytest.mark.parametrize("outcome", [SPEND, Money(0.3, 20.0, 5.0, "amount"), Ratio(20.0, 0.5, 900.0, 0.45, 12.0)])
def test_detectable_effect_of_money_and_ratios(outcome):
    effect = 0.1 * outcome.base
    size = required_size(outcome, effect, cells=2)
    assert detectable_effect(outcome, size.total, cells=2) == pytest.approx(effect, rel=1e-3)


def test_households_inflate():
    assert design_effect(1, 0.5) == 1 and design_effect(3, 0.2) == pytest.approx(1.4)
    assert design_effect(3, 0.2, 0.5) == pytest.approx(1 + (1.25 * 3 - 1) * 0.2)
    one, many = (required_size(Rate(0.02), 0.004).for_households(f).per_cell for f in (1.0, 1.4))
    assert many == pytest.approx(1.4 * one, rel=1e-4)


def test_break_even_and_planned_profit():
    # 0.70 a letter, 20 from an order: 3.5% of customers must order who would not have.
    assert smallest_paying(10_000, 0.70, margin=20.0) == pytest.approx(0.035)
    found = planned_profit(Rate(0.02), 0.035, (10_000, 10_000), cost=0.70, margin=20.0)
    assert found.value == pytest.approx(0.0, abs=1e-8) and found.paying == pytest.approx(0.5)
    rng = np.random.default_rng(3)
    cell, control = rng.binomial(10_000, 0.055, 100_000), rng.binomial(5000, 0.02, 100_000)
    drawn = 20 * (cell - 2 * control) - 7000 - 100
    plan = planned_profit(Rate(0.02), 0.035, (10_000, 5000), cost=0.70, fixed=100.0, margin=20.0, level=0.9)
    assert plan.value == pytest.approx(drawn.mean(), abs=40) and plan.paying == pytest.approx((drawn > 0).mean(), abs=0.01)
    assert (plan.low, plan.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=60)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: required_size(Rate(0.02), 0.0), "'uplift' must be different from 0"),
        (lambda: required_size(Rate(0.02), 0.99), "Rate: an uplift on 0.02 must be between -0.02 and 0.98. Got 0.99"),
        (
            lambda: required_size(Money(1, 40, 30), uplift=2),
            r"the share who spend must be under 1, .* Got 1 and an uplift of 2 instead. Give through='amount'",
        ),
        (
            lambda: detectable_effect(Money(1, 40, 30), 5000),
            r"the share who spend must be under 1, .* Got 1 instead. .* or Mean\(mean, sd\)",
        ),
        (lambda: required_size(Money(0.5, 40, 30), uplift=21), "Money: an uplift on 20 must be between -20 and 20. Got 21"),
        (
            lambda: required_size(Money(0.5, 40, 30, "amount"), uplift=-21),
            "Money: an uplift on 20 must be between -20 and any number. Got -21",
        ),
        (lambda: Mean(40, 0), "'sd' must be above 0"),
        (lambda: Mean(float("nan"), 1), "Mean"),
        (lambda: required_size(Rate(0.02), 0.01, level=95), "'level'"),
        (lambda: required_size(Rate(0.02), 0.01, power=1.0), "'power'"),
        (lambda: required_size(Rate(0.02), 0.01, cells=0), "'cells'"),
        (lambda: required_size(Rate(0.02), 0.01, share=1.5), "'share'"),
        (lambda: required_size(Rate(0.02), 0.01, share="half"), "'share'"),
        (lambda: required_size(Rate(0.02), 0.01).for_households(0.5), "'design_effect' must be at least 1"),
        (lambda: Rate(0.0), "'base' must be between 0 and 1"),
        (lambda: Money(0.0, 60, 45), "'share' must be above 0"),
        (lambda: Money(0.1, -1, 45), "'mean and sd'"),
        (lambda: Money(0.1, 60, 45, "price"), "'through'"),
        (lambda: Money(1.0, 60, 0.0).variance(), "does not vary"),
        (lambda: Ratio(1.0, 0.0, 1.0, 1.0, 0.0), "'denominator'"),
        (lambda: detectable_effect(Rate(0.5), 4), "enough to find the largest possible effect"),
        (lambda: detectable_effect(Rate(0.5), 3), "at least 4"),
        (lambda: required_size(10, 2), "required_size: a base rate must be between 0 and 1. Got 10 instead. Write 10% as 0.10"),
        (
            lambda: required_size("0.1", 0.02),
            "'outcome' must be a base rate such as 0.10, or a Rate, Mean, Money or Ratio. Got '0.1'",
        ),
        (lambda: required_size(True, 0.02), "'outcome' must be a base rate"),
        (lambda: detectable_effect(float("nan"), n=1000), "a base rate must be between 0 and 1. Got nan"),
        (lambda: detectable_effect(0.5, n=3), "'n' must be at least 4"),
        (lambda: power_of(0.1, uplift=None, n=1000), "'uplift' must be a number"),
        (lambda: planned_profit(2, 0.01, (10, 10), cost=0.1), "planned_profit: a base rate"),
        (lambda: design_effect(0.5, 0.1), "'households'"),
        (lambda: smallest_paying(0, 0.7), "'n' must be at least 1"),
        (lambda: smallest_paying(10, -0.7), "'cost and fixed' must be at least 0"),
        (lambda: smallest_paying(10, 0.7, margin=0.0), "'margin' must be above 0"),
        (lambda: planned_profit(Rate(0.02), 0.01, (10, 0), cost=0.1), "'n_control'"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ModelError, match=said):
        make()


def test_a_plain_mean_is_planned_by_the_textbooks_formula():
    # Chow, Shao and Wang, Sample Size Calculations in Clinical Research, comparing two means: 2 (z + z)² σ² / ε², by the normal
    # distribution; for half a standard deviation, 80% and 5% on both sides 62.8.
    assert required_size(Mean(3.0, 1.0), uplift=0.5).per_cell == 63
    assert required_size(Mean(-3.0, 10.0), uplift=-5.0).per_cell == 63
    z = special.ndtri(0.995) + special.ndtri(0.9)
    assert required_size(Mean(40, 30), 2, level=0.99, power=0.9).per_cell == int(np.ceil(2 * z**2 * 30**2 / 2**2))
    # Everybody spends, and a little more: as good as a plain mean.
    money = Money(share=1, mean=40, sd=30, through="amount")
    assert required_size(money, 0.4).total == pytest.approx(required_size(Mean(40, 30), 0.4).total, rel=0.02)
    for outcome in (Mean(40, 30), Mean(0, 30), Mean(-5, 0.1)):
        found = detectable_effect(outcome, n=5000)
        assert power_of(outcome, found, n=5000) == pytest.approx(0.8, abs=1e-9)


def test_help_tells_of_every_parameter():
    for function in (required_size, detectable_effect, power_of, planned_profit, smallest_paying):
        told = function.__doc__.partition("Parameters")[2].partition("Returns")[0]
        for name in inspect.signature(function).parameters:
            assert re.search(rf"\b{name}\b", told), f"{function.__name__}: {name}"
    assert all("alpha" in function.__doc__ for function in (required_size, detectable_effect))
