"""Markov chains of customers: published values, simulated truth, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.intervals import wilson
from crmlab.models.markov import markov_value, project, resampled_matrices, transition_probabilities

# Pfeifer and Carraway (2000), Modeling customer relationships as Markov chains, Journal of Interactive Marketing 14: the example of
# a catalogue firm. A purchase brings NC = 40, a mailing costs M = 4, d = 0.2; who was last seen five periods ago is given up.
BUYS = (0.3, 0.2, 0.15, 0.05)
REWARD = [36.0, -4.0, -4.0, -4.0, 0.0]


def mailing(buys):
    P = np.zeros((5, 5))
    for recency, p in enumerate(buys):
        P[recency, 0], P[recency, recency + 1] = p, 1 - p
    P[4, 4] = 1.0
    return P


def simulated(P, start, periods, rng, seasons=None):
    """Counts of moves, by period, of customers who follow a chain."""
    counts, now = np.zeros((periods, len(P), len(P))), np.array(start)
    for t in range(periods):
        matrix = P if seasons is None else seasons[t % len(seasons)]
        moved = np.array([rng.multinomial(n, matrix[i]) for i, n in enumerate(now)])
        counts[t], now = moved, moved.sum(axis=0)
    return counts, now


def test_value_of_four_periods_is_that_of_pfeifer_and_carraway():
    found = markov_value(mailing(BUYS), REWARD, 0.2, horizon=4)
    assert found.round(3).tolist() == [50.115, 4.220, 0.592, -1.980, 0.0]


def test_value_without_end_is_that_of_pfeifer_and_carraway():
    assert markov_value(mailing(BUYS), REWARD, 0.2).round(3).tolist() == [52.320, 5.554, 1.251, -1.820, 0.0]


def test_value_of_not_contacting_at_recency_four_is_that_of_pfeifer_and_carraway():
    # Who is not contacted does not buy, and costs nothing: recency 4 goes to the given-up state.
    found = markov_value(mailing((0.3, 0.2, 0.15, 0.0)), [36, -4, -4, 0, 0], 0.2)
    assert found.round(3).tolist() == [53.149, 6.621, 2.644, 0.0, 0.0]


def test_value_counts_the_first_reward_in_full():
    assert markov_value(np.eye(2), [3.0, -1.0], 0.5, horizon=0).tolist() == [3.0, -1.0]
    assert markov_value(np.eye(2), [3.0, -1.0], 0.5, horizon=1).tolist() == pytest.approx([5.0, -5 / 3])
    assert markov_value(np.eye(2), [3.0, -1.0], 0.0, horizon=9).tolist() == [30.0, -10.0]


def test_value_is_the_mean_of_simulated_customers():
    P, rng = mailing(BUYS), np.random.default_rng(5)
    n, total, state = 40_000, np.zeros(40_000), np.zeros(40_000, dtype=int)
    steps = np.cumsum(P, axis=1)
    for t in range(60):
        total += np.asarray(REWARD)[state] / 1.2**t
        state = (rng.random(n)[:, None] > steps[state]).sum(axis=1)
    assert markov_value(P, REWARD, 0.2)[0] == pytest.approx(total.mean(), abs=4 * total.std() / np.sqrt(n))


@given(st.integers(0, 10**6), st.integers(2, 6), st.floats(0.01, 1.0))
@settings(max_examples=50, deadline=None)
def test_value_goes_to_the_one_without_end(seed, n, rate):
    rng = np.random.default_rng(seed)
    P, reward = rng.dirichlet(np.ones(n), n), rng.normal(size=n)
    whole = markov_value(P, reward, rate)
    np.testing.assert_allclose(markov_value(P, reward, rate, 3000), whole, rtol=1e-6, atol=1e-6)
    # One more step at the front: V = reward + P V / (1 + rate).
    np.testing.assert_allclose(reward + P @ whole / (1 + rate), whole, rtol=1e-9, atol=1e-9)
    # Only the sum of rewards counts where states do not differ.
    np.testing.assert_allclose(markov_value(P, np.ones(n), rate, 4), sum((1 + rate) ** -t for t in range(5)))


@pytest.mark.parametrize(
    ("P", "reward", "rate", "horizon", "said"),
    [
        ([[0.5, 0.4], [0, 1]], [1, 0], 0.1, None, "'P' must be probabilities, each row adding up to 1"),
        ([[1.5, -0.5], [0, 1]], [1, 0], 0.1, None, "'P' must be probabilities"),
        ([[float("nan"), 1], [0, 1]], [1, 0], 0.1, None, "'P' must be probabilities"),
        ([[1, 0]], [1, 0], 0.1, None, "'P' must be a square matrix"),
        ([[1, 0], [0, 1]], [1], 0.1, None, "'reward' must be 2 finite numbers"),
        ([[1, 0], [0, 1]], [1, float("inf")], 0.1, None, "'reward' must be 2 finite numbers"),
        ([[1, 0], [0, 1]], [1, 0], 0, None, "'rate' must be above 0"),
        ([[1, 0], [0, 1]], [1, 0], -0.1, 3, "'rate' must be a number of at least 0"),
        ([[1, 0], [0, 1]], [1, 0], 0.1, -1, "'horizon' must be a whole number of at least 0"),
        ([[1, 0], [0, 1]], [1, 0], 0.1, 2.5, "'horizon' must be a whole number of at least 0"),
    ],
)
def test_value_refuses_what_is_no_chain(P, reward, rate, horizon, said):
    with pytest.raises(ModelError, match=said):
        markov_value(P, reward, rate, horizon)


def test_probabilities_of_one_period_have_wilson_intervals():
    found = transition_probabilities([[[19, 19, 0], [0, 0, 0], [1, 2, 97]]], level=0.95)
    for (i, j), n in {(0, 0): 38, (0, 2): 38, (2, 0): 100, (2, 2): 100}.items():
        count = {(0, 0): 19, (0, 2): 0, (2, 0): 1, (2, 2): 97}[i, j]
        assert (found.low[i, j], found.high[i, j]) == pytest.approx(wilson(count, n, 0.95))
    assert np.isnan(found.p[1]).all() and np.isnan(found.low[1]).all()
    assert found.dispersion.tolist() == [1.0, 1.0, 1.0]


def test_intervals_cover_the_truth_also_where_seasons_move_it():
    rng = np.random.default_rng(1)
    calm = np.array([[0.7, 0.3], [0.2, 0.8]])
    hits = {"calm": 0, "seasons": 0}
    for _ in range(200):
        counts, _ = simulated(calm, [600, 400], 12, rng)
        found = transition_probabilities(counts, 0.9)
        hits["calm"] += found.low[0, 0] <= 0.7 <= found.high[0, 0]
        # A probability of its own in every period; its mean is 0.7.
        p = rng.beta(35, 15, 12)
        moved = np.array([[rng.multinomial(500, [q, 1 - q]), [0, 1]] for q in p])
        found = transition_probabilities(moved, 0.9)
        hits["seasons"] += found.low[0, 0] <= 0.7 <= found.high[0, 0]
    assert 168 <= hits["calm"] <= 196
    assert 162 <= hits["seasons"] <= 196
    # Plain Wilson intervals would be far too narrow there.
    assert found.dispersion[0] > 2


def test_projection_covers_what_comes():
    rng = np.random.default_rng(3)
    P = np.array([[0.8, 0.15, 0.05], [0.3, 0.5, 0.2], [0.05, 0.0, 0.95]])
    inside = 0
    for k in range(100):
        counts, now = simulated(P, [300, 200, 100], 14, rng)
        _, later = simulated(P, now, 6, rng)
        found = project(counts, now, 6, level=0.9, seed=k, draws=300)
        inside += found.low[-1, 0] <= later[0] <= found.high[-1, 0]
    assert 82 <= inside <= 98


def test_projection_keeps_every_customer_and_follows_the_matrix():
    counts = [[[80, 20], [10, 90]], [[70, 30], [15, 85]]]
    found = project(counts, [100, 40], 5, draws=200)
    P = np.array([[0.75, 0.25], [0.125, 0.875]])
    np.testing.assert_allclose(found.expected[5], [100, 40] @ np.linalg.matrix_power(P, 5))
    assert (found.drawn.sum(axis=2) == 140).all()
    assert found.low[0].tolist() == found.high[0].tolist() == [100, 40]
    whole = found.total([True, True])
    assert whole[:, 3].tolist() == pytest.approx([140, 140, 140])
    again = project(counts, [100, 40], 5, draws=200)
    assert (again.drawn == found.drawn).all()


def test_resampled_matrices_are_probabilities_and_go_with_their_rewards():
    counts = np.array([[[3, 1, 0], [0, 0, 0], [0, 2, 2]], [[9, 3, 0], [0, 0, 0], [4, 0, 0]]])
    drawn = resampled_matrices(counts, 200, seed=2)
    np.testing.assert_allclose(drawn.sum(axis=2), 1)
    assert (drawn[:, 1] == [0, 1, 0]).all()  # nobody was there, so nobody is seen to leave
    assert (drawn[:, 0] == [0.75, 0.25, 0]).all()
    assert len(np.unique(drawn[:, 2, 0])) == 3  # both periods, the first twice, the second twice
    one = resampled_matrices(counts[:1], 300)
    assert one[:, 0, 0].std() > 0.05 and (one[:, 0, 2] == 0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([[1, 2], [3, 4]], [1, 1], 3), "'counts' must be of shape"),
        (([[[1, 2], [3, -4]]], [1, 1], 3), "'counts' must be numbers of at least 0"),
        (([[[0, 0], [0, 0]]], [1, 1], 3), "'counts' must be at least one move"),
        (([[[1, 2], [3, 4]]], [1, 1, 1], 3), "'start' must be 2 numbers of customers"),
        (([[[1, 2], [3, 4]]], [1, 1], 0), "'steps' must be a whole number of at least 1"),
    ],
)
def test_projection_refuses_what_makes_no_sense(given, said):
    with pytest.raises(ModelError, match=said):
        project(*given)
