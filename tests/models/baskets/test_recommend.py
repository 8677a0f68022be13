"""Recommending: BM25, cosine, ties, the blend and the measures of ranked lists, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models.baskets.ranking import Blend, bootstrap_means, hits_of, list_measures
from crmlab.models.baskets.recommend import ItemSimilarity, best_per_row, bm25

COUNTS = sparse.csr_array(np.array([[2, 0, 1], [1, 1, 0], [0, 0, 3]]))


def test_bm25_by_hand():
    # N = 3; columns are in 2, 1 and 2 rows; rows have lengths 3, 2 and 3, 8/3 on average.
    common, rare = np.log(1 + 1.5 / 2.5), np.log(1 + 2.5 / 1.5)
    long, short = 1.2 * (0.25 + 0.75 * 3 / (8 / 3)), 1.2 * (0.25 + 0.75 * 2 / (8 / 3))
    expected = [
        [common * 2 * 2.2 / (2 + long), 0, common * 2.2 / (1 + long)],
        [common * 2.2 / (1 + short), rare * 2.2 / (1 + short), 0],
        [0, 0, common * 3 * 2.2 / (3 + long)],
    ]
    np.testing.assert_allclose(bm25(COUNTS).toarray(), expected, rtol=1e-14)


def test_cosine_by_hand():
    found = ItemSimilarity(weighting="none").fit(COUNTS).similarity_.toarray()
    # Columns as 0 and 1: (1,1,0), (0,1,0), (1,0,1).
    np.testing.assert_allclose(found, [[0, 1 / np.sqrt(2), 1 / 2], [1 / np.sqrt(2), 0, 0], [1 / 2, 0, 0]], rtol=1e-14)


def test_cosine_of_bm25_is_that_of_weighted_columns():
    w = bm25(COUNTS).toarray()
    norm = np.linalg.norm(w, axis=0)
    expected = w.T @ w / np.outer(norm, norm)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ItemSimilarity().fit(COUNTS).similarity_.toarray(), expected, rtol=1e-12)


def test_shrink_lowers_what_few_support():
    plain = ItemSimilarity(weighting="none").fit(COUNTS).similarity_[0, 1]
    assert ItemSimilarity(weighting="none", shrink=1.0).fit(COUNTS).similarity_[0, 1] == pytest.approx(1 / (np.sqrt(2) + 1))
    assert plain == pytest.approx(1 / np.sqrt(2))


def test_neighbours_are_the_nearest_and_ties_go_to_the_lower_item():
    bought = sparse.csr_array(np.ones((4, 5)))
    found = ItemSimilarity(neighbours=2, weighting="none").fit(bought).similarity_.toarray()
    assert [np.flatnonzero(row).tolist() for row in found] == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_scores_add_up_similarity_of_what_is_owned():
    model = ItemSimilarity(weighting="none").fit(COUNTS)
    assert model.scores([[1, 1, 0]]).toarray().round(6).tolist() == [[0.707107, 0.707107, 0.5]]


def test_similarity_raises():
    with pytest.raises(NotFittedError):
        ItemSimilarity().scores(COUNTS)
    with pytest.raises(ModelError, match="weighting"):
        ItemSimilarity(weighting="tfidf").fit(COUNTS)
    with pytest.raises(ModelError, match="at least 1"):
        ItemSimilarity(neighbours=0).fit(COUNTS)
    with pytest.raises(ModelError, match="numbers of at least 0"):
        ItemSimilarity().fit(sparse.csr_array([[1.0, -1.0]]))
    with pytest.raises(ModelError, match="3 items"):
        ItemSimilarity().fit(COUNTS).scores([[1, 0]])


def test_one_item_and_one_customer():
    assert ItemSimilarity().fit(sparse.csr_array([[1.0]])).similarity_.nnz == 0
    assert np.isfinite(ItemSimilarity().fit(sparse.csr_array([[1.0, 2.0]])).similarity_.toarray()).all()
    assert ItemSimilarity().fit(sparse.csr_array((3, 4))).similarity_.nnz == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(-3, 3)), max_size=25), st.integers(1, 4), st.randoms()
)
def test_best_per_row_is_a_sort_and_does_not_depend_on_the_order(entries, k, random):
    table = list({(r, c): v for r, c, v in entries}.items())
    expected = []
    for r in range(5):
        mine = sorted(((-v, c) for (row, c), v in table if row == r))[:k]
        expected += [(r, c, -v, rank + 1) for rank, (v, c) in enumerate(mine)]
    random.shuffle(table)
    row, col, value = ([key[0] for key, _ in table], [key[1] for key, _ in table], [float(v) for _, v in table])
    found = best_per_row(row, col, value, k)
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


def test_best_per_row_takes_last_digits_for_a_tie():
    assert best_per_row([0, 0], [4, 2], [0.1 + 0.2, 0.3], 1)[1].tolist() == [2]


def test_blend_recovers_weights_and_is_calibrated():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40_000, 3))
    y = rng.random(40_000) < 1 / (1 + np.exp(-(-2 + X @ [1.0, -0.5, 0.0])))
    blend = Blend().fit(X, y)
    np.testing.assert_allclose(blend.coef_, [1.0, -0.5, 0.0], atol=0.06)
    assert blend.predict_proba(X)[:, 1].sum() == pytest.approx(y.sum(), rel=1e-6)


def test_blend_finds_the_weights_where_whole_steps_leap_over_them():
    # Few outcomes, nearly all far out: the weight was lost, and every offer with it. Held against scikit-learn's solver.
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    far = np.where(rng.random(40_000) < 0.05, rng.normal(3, 0.4, 40_000), 0.0)
    X = np.column_stack([far, rng.normal(size=40_000)])
    y = rng.random(40_000) < np.where(far > 0, 0.2, 1e-5)
    blend = Blend(positive=(0,)).fit(X, y)
    known = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    np.testing.assert_allclose(blend.coef_, known.coef_[0] / X.std(axis=0), rtol=1e-3)
    assert blend.coef_[0] > 1.5


def test_blend_holds_weights_at_zero():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(5_000, 2))
    y = rng.random(5_000) < 1 / (1 + np.exp(-X @ [1.0, -1.0]))
    held = Blend(positive=(0, 1)).fit(X, y)
    assert held.coef_[1] == 0 and held.coef_[0] > 0.5
    assert held.coef_[0] == pytest.approx(Blend().fit(X[:, :1], y).coef_[0], rel=1e-6)


def test_blend_of_one_outcome_or_a_constant():
    blend = Blend().fit([[1.0], [2.0]], [0, 0])
    assert blend.coef_.tolist() == [0.0] and 0 < blend.predict_proba([[5.0]])[0, 1] < 0.2
    assert Blend().fit([[3.0], [3.0]], [0, 1]).coef_.tolist() == [0.0]


def test_blend_raises():
    with pytest.raises(NotFittedError):
        Blend().predict_proba([[0.0]])
    with pytest.raises(ModelError, match="as many rows"):
        Blend().fit([[0.0]], [0, 1])
    with pytest.raises(ModelError, match="outcome must be True or False, or 0 or 1"):
        Blend().fit([[0.0]], [2])


def test_measures_by_hand():
    # Customer 0 wanted 4, of the best three at 1 and 3; customer 1 wanted 1, at 2; customer 2 wanted 1, not there; 3 nothing.
    row, rank = [0, 0, 0, 1, 1, 1, 2, 3], [1, 2, 3, 1, 2, 3, 1, 1]
    hit = [True, False, True, False, True, False, False, False]
    found = list_measures(row, rank, hit, [4, 1, 1, 0], 3)
    assert found["hit_rate"].tolist() == [1, 1, 0, 0]
    assert found["recall"].tolist() == [0.5, 1, 0, 0]
    assert found["map"].tolist() == pytest.approx([(1 + 2 / 3) / 3, 0.5, 0, 0], rel=1e-15)


def test_measures_look_at_k_places_only_and_in_any_order():
    found = list_measures([0, 0, 0], [3, 2, 1], [True, False, True], [2], 2)
    assert found.loc[0].tolist() == [1.0, 0.5, 0.5]
    with pytest.raises(ModelError, match="at least 1"):
        list_measures([0], [1], [True], [1], 0)


def test_hits_are_by_customer():
    assert hits_of([0, 1, 1], [3, 3, 4], [1, 0], [4, 3]).tolist() == [True, False, True]
    assert hits_of([0], [1], [], []).tolist() == [False]


def test_bootstrap_interval_has_the_width_of_the_normal_one():
    values = np.random.default_rng(1).normal(size=(2000, 1))
    mean, low, high = bootstrap_means(values, level=0.95, draws=2000, seed=1)
    half = 1.959964 * values.std() / np.sqrt(2000)
    assert high[0] - low[0] == pytest.approx(2 * half, rel=0.08)
    assert mean[0] == values.mean()
    again = bootstrap_means(values, level=0.95, draws=2000, seed=1)
    assert again[1][0] == low[0] and again[2][0] == high[0]


def test_bootstrap_pairs_columns():
    values = np.random.default_rng(1).normal(size=(300, 1))
    _, low, high = bootstrap_means(np.column_stack([values, values + 1]) @ np.array([[-1.0], [1.0]]))
    assert low[0] == pytest.approx(1) and high[0] == pytest.approx(1)
    assert np.isnan(bootstrap_means(np.empty((0, 2)))[0]).all()
