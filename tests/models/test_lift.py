"""Lifts: by another route, at their level in simulations, and with each customer counted once."""

from __future__ import annotations

import numpy as np
import pytest

from crmlab.errors import ModelError
from crmlab.models.lift import first_of, lift_of, spread_over


def rows(rng, customers=150, days=6, rate=0.4, heterogeneous=4.0, share=0.2):
    """Customers seen on several days, each with a rate of their own; some chosen at random, all compared with."""
    who = np.repeat(np.arange(customers), days)
    p = rng.beta(heterogeneous * rate, heterogeneous * (1 - rate), customers)
    came = rng.random(len(who)) < p[who]
    chosen = rng.random(len(who)) < share
    day = np.tile(np.arange(days), customers)
    return came, chosen, spread_over(day, chosen, np.ones(len(who), dtype=bool)), who


def slow(came, chosen, compared, who):
    """Shares, and the variance of their difference, one customer after another."""
    means = [sum(w * y for w, y in zip(some, came, strict=True)) / sum(some) for some in (chosen, compared)]
    total = 0.0
    sums = [[], []]
    for one in sorted(set(who)):
        mine = [k for k in range(len(who)) if who[k] == one]
        for side, (some, mean) in enumerate(zip((chosen, compared), means, strict=True)):
            factor = len({who[k] for k in range(len(who)) if some[k] > 0})
            sums[side].append(sum(some[k] * (came[k] - mean) for k in mine) / sum(some) * (factor / (factor - 1)) ** 0.5)
    total = sum((a - b) ** 2 for a, b in zip(*sums, strict=True))
    return means, total


def test_another_route_finds_the_same():
    came, chosen, compared, who = rows(np.random.default_rng(1), customers=60)
    found = lift_of(came, chosen, compared, who)
    means, variance = slow(came.astype(float).tolist(), chosen.astype(float).tolist(), compared.tolist(), who.tolist())
    assert (found.share[0], found.base[0]) == pytest.approx(tuple(means), abs=1e-12)
    assert found.ratio[0] == pytest.approx(means[0] / means[1], abs=1e-12)
    half = (found.difference[2] - found.difference[1]) / 2
    assert 1.6 * variance**0.5 < half < 1.85 * variance**0.5  # 1.645 at 90%, more with few degrees of freedom


def test_intervals_hold_their_level_where_customers_come_again():
    rng = np.random.default_rng(2)
    found = [lift_of(*rows(rng)) for _ in range(600)]
    held = np.mean([one.ratio[1] <= 1 <= one.ratio[2] for one in found])
    assert 0.87 <= held <= 0.95
    assert np.mean([one.share[1] <= 0.4 <= one.share[2] for one in found]) == pytest.approx(0.9, abs=0.035)


def test_a_customer_who_is_there_five_times_counts_once():
    came, chosen, compared, who = rows(np.random.default_rng(3))
    once, five = lift_of(came, chosen, compared, who), lift_of(*(np.tile(one, 5) for one in (came, chosen, compared, who)))
    for name in ("share", "base", "ratio", "difference"):
        assert getattr(five, name) == pytest.approx(getattr(once, name), rel=1e-9)
    assert five.p_value == pytest.approx(once.p_value, rel=1e-9)


def test_interval_of_the_ratio_and_p_value_say_the_same():
    rng = np.random.default_rng(4)
    for _ in range(200):
        found = lift_of(*rows(rng, customers=80, share=0.1))
        if found.ratio[1] == found.ratio[1] and abs(found.p_value - 0.1) > 1e-6:
            assert (
                (found.ratio[1] <= 1 <= found.ratio[2])
                == (found.p_value > 0.1)
                == (found.difference[1] <= 0 <= found.difference[2])
            )


def test_nobody_and_everybody_are_not_sure():
    who = np.arange(140)
    chosen, compared = who < 40, who >= 40
    none = lift_of(np.where(who < 40, False, who % 2 == 0), chosen, compared, who)
    assert none.share[0] == none.ratio[0] == 0 and 0 < none.share[2] < 0.12 and 0 < none.ratio[2] < 0.3 and none.p_value < 1e-6
    every = lift_of(np.where(who < 40, True, who % 2 == 0), chosen, compared, who)
    assert every.share[0] == 1 and 0.88 < every.share[1] < 1 and every.ratio[1] > 1.5
    little = lift_of(who == 0, chosen, compared, who)
    assert np.isnan(little.ratio).all()  # nobody came true of those compared with: any ratio is possible


def test_places_of_a_simple_rule_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(5)
    stratum, key, other = rng.integers(0, 4, 200), rng.integers(0, 6, 200), rng.integers(0, 3, 200)
    chosen = rng.random(200) < 0.2
    weights = first_of(stratum, chosen, key, other)
    assert np.bincount(stratum, weights) == pytest.approx(np.bincount(stratum, chosen))
    order = rng.permutation(200)
    assert first_of(stratum[order], chosen[order], key[order], other[order]) == pytest.approx(weights[order])
    taken, left = weights > 0, weights < 1
    for one in range(4):
        worst = min((key[k], other[k]) for k in np.flatnonzero(taken & (stratum == one)))
        assert max((key[k], other[k]) for k in np.flatnonzero(left & (stratum == one))) <= worst


def test_nobody_chosen_is_refused():
    with pytest.raises(ModelError, match="chosen"):
        lift_of([True], [0], [1], [0])


def inside(found):
    """Whether each interval holds its value, and shares and differences are where they can be."""
    for low, value, high, least in ((*(getattr(found, name)[k] for k in (1, 0, 2)), least) for name, least in ENDS.items()):
        assert least <= low <= value <= high <= 1, found


ENDS = {"share": 0, "base": 0, "difference": -1}


def test_customers_who_all_have_the_same_mix_do_not_make_it_sure():
    alone = lift_of([True, False], [1, 1], [1, 1], [0, 0])
    assert alone.share[0] == 0.5 and alone.share[1] < 0.2 and alone.share[2] > 0.8 and alone.p_value == 1
    inside(alone)
    # Three customers, each of whom it came true of on two of three days: 2/3, and little is known.
    three = lift_of([True, True, False] * 3, [1] * 9, [0, 1, 1] * 3, np.repeat(range(3), 3))
    assert three.share[0] == pytest.approx(2 / 3) and three.share[2] - three.share[1] > 0.4 and three.p_value > 0.1
    inside(three)
    # Two customers who differ, each by the same between what was chosen and what it is compared with: a p-value of 0 would be wrong.
    came, chosen = [True, True, True, False, True, False, False, False], np.array([1, 1, 0, 0] * 2)
    two = lift_of(came, chosen, 1 - chosen, np.repeat(range(2), 4))
    assert two.difference[0] == pytest.approx(0.5) and two.p_value > 0.1 and two.difference[1] < 0
    inside(two)


def test_ends_are_on_their_side_of_the_value_and_within_what_can_be():
    who = np.arange(40)
    for n in range(1, 39):
        for came in (who < n, who >= n, who < 0, who >= 0):
            inside(lift_of(came, who < n, who >= n, who))
            inside(lift_of(came, who < 20, who >= 20, who // 2))
