"""Policies judged on cells that were drawn by lot."""

from __future__ import annotations

import numpy as np
import pytest

from crmlab.errors import ModelError
from crmlab.models.decisions import policy_difference, policy_value

ARMS = np.array(["nothing", "mail", "call"])
SHARES = np.array([0.5, 0.3, 0.2])


def world(rng, customers: int, times: int = 1):
    """Customers who keep a level of their own; what an arm brings depends on what is known of them."""
    known = np.repeat(rng.normal(size=customers), times)
    who = np.repeat(np.arange(customers), times)
    drawn = rng.choice(3, customers * times, p=SHARES)
    effect = np.column_stack([np.zeros(len(known)), known, 0.5 + 0 * known])
    mean = 3 + np.repeat(rng.normal(size=customers), times)
    came = mean + effect[np.arange(len(known)), drawn] + rng.normal(size=len(known))
    best = effect.argmax(axis=1)
    return who, came, drawn, best, effect


def test_weights_by_hand():
    # Two of four rows did what the policy does: (4 / .5 + 6 / .25) / 4, and the same by the sum of weights, 2 + 4.
    found = policy_value([4.0, 1.0, 6.0, 2.0], list("abab"), list("abba")[:1] + list("aab"), [0.5, 0.5, 0.25, 0.75])
    assert found.matched == 3
    weights = np.array([2.0, 0.0, 4.0, 4 / 3])
    assert found.horvitz_thompson[0] == pytest.approx(weights @ [4, 1, 6, 2] / 4)
    assert found.self_normalised[0] == pytest.approx(weights @ [4, 1, 6, 2] / weights.sum())
    assert found.effective == pytest.approx(weights.sum() ** 2 / (weights @ weights))
    assert found.doubly_robust is None
    assert found.value == found.self_normalised


def test_predictions_that_are_always_right_leave_nothing_to_chance():
    rng = np.random.default_rng(2)
    taken, chosen = rng.choice(ARMS[:2], 400), rng.choice(ARMS[:2], 400)
    outcome = rng.normal(size=400)
    would = np.where(taken == chosen, outcome, rng.normal(size=400))
    found = policy_value(outcome, taken, chosen, np.full(400, 0.5), predicted=would)
    assert found.doubly_robust[0] == pytest.approx(would.mean())


def test_intervals_hold_the_truth_where_customers_come_several_times():
    rng = np.random.default_rng(3)
    runs, held, alone, widths = 300, np.zeros(3), 0, np.zeros(3)
    # E[3 + max(0, known, .5)], by a sample that is far larger.
    truth = 3 + np.maximum(rng.normal(size=4_000_000), 0.5).mean()
    for _ in range(runs):
        who, came, drawn, best, effect = world(rng, 300, 4)
        guess = 3 + effect[np.arange(len(best)), best]
        found = policy_value(came, ARMS[drawn], ARMS[best], SHARES[drawn], predicted=guess, who=who)
        ways = (found.horvitz_thompson, found.self_normalised, found.doubly_robust)
        held += [low <= truth <= high for _, low, high, _ in ways]
        widths += [high - low for _, low, high, _ in ways]
        _, low, high, _ = policy_value(came, ARMS[drawn], ARMS[best], SHARES[drawn], predicted=guess).doubly_robust
        alone += low <= truth <= high
    # 99.9% of binomial counts of 300 at 90%.
    assert ((held >= 251) & (held <= 287)).all(), held
    # Each step makes them narrower: weights that add up, then predictions.
    assert widths[2] < widths[1] < 0.9 * widths[0]
    assert alone < held[2]


def test_a_difference_by_hand():
    # The two differ on the last two rows of four: each of them did what one of the two would have done.
    mail, nothing = ["mail"] * 4, ["mail", "mail", "nothing", "nothing"]
    found = policy_difference([9.0, 7.0, 5.0, 2.0], ["mail", "nothing", "mail", "nothing"], (mail, nothing), [0.5] * 4)
    assert found[0] == pytest.approx((5 - 2) * 2 / 4)
    guess = ([0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 1.0, 1.0])
    robust = policy_difference(
        [9.0, 7.0, 5.0, 2.0], ["mail", "nothing", "mail", "nothing"], (mail, nothing), [0.5] * 4, predicted=guess
    )
    assert robust[0] == pytest.approx((4 + 2 * (5 - 4) - 1 + 4 - 1 - 2 * (2 - 1)) / 4)


def test_the_same_policy_twice_differs_by_nothing():
    assert policy_difference([1.0, 5.0], ["mail", "nothing"], (["mail"] * 2, ["mail"] * 2), [0.5, 0.5]) == (0, 0, 0, 1)


def test_intervals_of_a_difference_hold_the_truth():
    rng = np.random.default_rng(4)
    runs, held, widths = 300, np.zeros(2), np.zeros(3)
    truth = np.maximum(rng.normal(size=4_000_000), 0.5).mean()  # of the best arm, over nothing
    for _ in range(runs):
        who, came, drawn, best, effect = world(rng, 300, 4)
        arms = ARMS[best], np.full(len(best), "nothing")
        guess = 3 + effect[np.arange(len(best)), best], np.full(len(best), 3.0)
        ways = [policy_difference(came, ARMS[drawn], arms, SHARES[drawn], who=who, predicted=one) for one in (None, guess)]
        held += [low <= truth <= high for _, low, high, _ in ways]
        of_each = [policy_value(came, ARMS[drawn], arm, SHARES[drawn], who=who).value for arm in arms]
        apart = np.sqrt(sum((high - low) ** 2 for _, low, high, _ in of_each))
        widths += [*(high - low for _, low, high, _ in ways), apart]
    assert ((held >= 251) & (held <= 287)).all(), held
    # What customers spend on the average is in both of the policies, and no part of the difference.
    assert widths[1] < widths[0] < widths[2]


def test_a_policy_that_was_never_tried_is_not_held_against_another():
    with pytest.raises(ModelError, match="policy_difference: 'chosen' must be arms that were drawn"):
        policy_difference([1.0, 2.0], ["mail", "mail"], (["mail"] * 2, ["nothing"] * 2), [0.5, 0.5])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"chosen": ["call"] * 4},
            r"'chosen' must be arms that were drawn: mail, nothing. Got 'call' instead. Of what was never tried",
        ),
        ({"probability": [0.5, 0.5, 0.0, 0.5]}, r"'probability' must be above 0 and at most 1. Got 0"),
        ({"probability": [0.5] * 3}, r"'probability' must be one for each of 4 rows"),
        ({"outcome": [1.0, 2.0, np.nan, 1.0]}, r"'outcome' must be finite numbers. Got nan"),
        ({"predicted": [1.0, 2.0, np.inf, 1.0]}, r"'predicted' must be finite numbers. Got inf"),
        ({"who": [1, 2]}, r"'who' must be one customer for each of 4 rows"),
        ({"level": 90}, r"'level' must be between 0 and 1"),
        (
            {"chosen": ["nothing", "nothing", "mail", "mail"]},
            r"needs rows in which the lot did what the policy would do. Found: none",
        ),
    ],
)
def test_bad_input_is_refused(change, said):
    given = {
        "outcome": [1.0, 2.0, 3.0, 4.0],
        "taken": ["mail", "mail", "nothing", "nothing"],
        "chosen": ["mail"] * 4,
        "probability": [0.5] * 4,
    } | change
    with pytest.raises(ModelError, match=said):
        policy_value(**given)
