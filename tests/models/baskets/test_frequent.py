"""Itemsets: exact counts, the same as mlxtend's, thresholds as whole counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import apriori, association_rules, fpgrowth
from scipy import sparse

from crmlab.errors import ModelError
from crmlab.models.baskets.association import rules
from crmlab.models.baskets.bridge_mlxtend import from_mlxtend, to_mlxtend
from crmlab.models.baskets.frequent import itemsets, least_count, pair_codes


def counted(frame):
    return dict(zip(frame["items"], frame["count"], strict=True))


def test_itemset_with_exactly_the_minimum_count_is_kept():
    # 0.28 · 25 is 7.000000000000001 in floats; mlxtend's fpgrowth takes the ceiling, 8, and drops a set that 7 of 25 baskets hold.
    a, b = [True] * 12 + [False] * 13, [True] * 7 + [False] * 5 + [True] * 8 + [False] * 5
    frame = pd.DataFrame({"a": a, "b": b, "c": [True] * 3 + [False] * 9 + [True] * 10 + [False] * 3})
    assert least_count(0.28, 25) == 7
    assert counted(itemsets(frame, least_count(0.28, 25)))[("a", "b")] == 7
    assert frozenset({"a", "b"}) not in set(fpgrowth(frame, min_support=0.28, use_colnames=True)["itemsets"])


@pytest.mark.parametrize(("support", "n", "count"), [(0.1, 30, 3), (0.07, 100, 7), (0.29, 100, 29), (1e-9, 10, 1), (1, 7, 7)])
def test_least_count_is_exact(support, n, count):
    assert least_count(support, n) == count


@pytest.mark.proof
@settings(max_examples=200, deadline=None)
@given(st.integers(5, 30), st.integers(1, 7), st.floats(0.1, 0.8), st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
def test_itemsets_and_rules_equal_mlxtend(n, k, density, least, longest, seed):
    table = np.random.default_rng(seed).random((n, k)) < density
    frame = pd.DataFrame(table, columns=[f"i{j}" for j in range(k)])
    found = itemsets(frame, least, longest)
    theirs = apriori(frame, min_support=(least - 0.5) / n, use_colnames=True, max_len=longest)
    assert counted(found) == {
        tuple(sorted(s)): round(p * n) for s, p in zip(theirs["itemsets"], theirs["support"], strict=True)
    }
    if (found["items"].map(len) > 1).any():
        made = {(frozenset(row["antecedent"]), row["consequent"]): row for row in rules(found).to_dict("records")}
        with np.errstate(all="ignore"):  # a measure of theirs that we do not have divides by 0
            other = association_rules(theirs, metric="support", min_threshold=0)
        other = other[other["consequents"].map(len) == 1]
        assert len(made) == len(other)
        for row in other.to_dict("records"):
            mine = made[row["antecedents"], next(iter(row["consequents"]))]
            if mine["n_consequent"] == n:
                row["conviction"] = 1.0  # 0 / 0, where theirs has no end: what every basket holds can depart from nothing
            for name in ("support", "confidence", "lift", "leverage", "conviction"):
                assert mine[name] == pytest.approx(row[name], rel=1e-12, abs=1e-12), name


def test_pairs_and_triples_equal_brute_force_on_many_items():
    rng = np.random.default_rng(5)
    weight = 1 / (np.arange(700) + 5.0)
    rows = [rng.choice(700, size, replace=False, p=weight / weight.sum()) for size in rng.integers(1, 25, 400)]
    matrix = sparse.lil_array((400, 700), dtype=np.int32)
    for i, row in enumerate(rows):
        matrix[i, row] = 1
    matrix = matrix.tocsr()
    dense = matrix.toarray()
    pairs, both = pair_codes(matrix, 1)
    truth = dense.T @ dense
    assert {(a, b): c for (a, b), c in zip(pairs.tolist(), both.tolist(), strict=True)} == {
        (a, b): int(truth[a, b]) for a, b in zip(*np.nonzero(np.triu(truth, 1)), strict=True)
    }
    found = itemsets(matrix, 8)
    three = found[found["items"].map(len) == 3]
    assert len(three) > 50
    for items, count in zip(three["items"], three["count"], strict=True):
        assert dense[:, list(items)].all(axis=1).sum() == count


def test_sizes_and_base_rates_keep_baskets_of_one_item_and_of_none():
    found = itemsets([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], 2, items=["a", "b", "c"])
    assert counted(found) == {("a",): 2}
    assert found.attrs["n"] == 4
    assert found.attrs["margins"].sizes.tolist() == [1] and found.attrs["margins"].baskets.tolist() == [2]


def test_quantities_are_binarised_and_order_of_rows_does_not_matter():
    rng = np.random.default_rng(2)
    table = rng.poisson(0.7, (60, 6))
    first, second = itemsets(table, 3), itemsets(table[rng.permutation(60)], 3)
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, itemsets((table > 0).astype(int), 3))


def test_what_a_matrix_holds_twice_is_held_once_and_the_matrix_stays_as_it_is():
    twice = sparse.csr_array((np.ones(4), [0, 0, 1, 1], [0, 2, 4]), shape=(2, 2))
    assert counted(itemsets(twice, 1)) == {(0,): 1, (1,): 1}
    assert twice.nnz == 4


def test_nothing_reaches_a_count_above_all():
    found = itemsets([[1, 1], [1, 0]], 5)
    assert len(found) == 0 and list(found.columns) == ["items", "count"]
    assert len(rules(found)) == 0


@pytest.mark.parametrize("table", [np.ones((1, 3)), np.ones((4, 1)), np.zeros((3, 2)), np.eye(4)])
def test_tables_with_little_in_them(table):
    found = itemsets(table, 1)
    made = rules(found)
    assert not made[["lift", "p_value", "q_value", "confidence"]].isna().any().any()


def test_mlxtend_frames_go_both_ways():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.random((80, 5)) < 0.4, columns=list("abcde"))
    found = itemsets(frame, 4)
    theirs = fpgrowth(frame, min_support=3.5 / 80, use_colnames=True, max_len=3)
    assert counted(from_mlxtend(theirs, 80)) == counted(found)
    back = to_mlxtend(found)
    assert dict(zip(back["itemsets"], back["support"], strict=True)) == pytest.approx(
        dict(zip(theirs["itemsets"], theirs["support"], strict=True))
    )
    made, other = to_mlxtend(rules(found)), association_rules(theirs, metric="support", min_threshold=0)
    other = other[other["consequents"].map(len) == 1]
    columns = ["antecedent support", "consequent support", "support", "confidence", "lift", "leverage", "conviction"]

    def ordered(frame):
        names = [f"{sorted(a)} {sorted(b)}" for a, b in zip(frame["antecedents"], frame["consequents"], strict=True)]
        return frame[columns].set_index(pd.Index(names)).sort_index()

    pd.testing.assert_frame_equal(ordered(made), ordered(other))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: itemsets([[1]], 0.2), "itemsets: 'min_count' must be a whole number of at least 1. Got 0.2 instead."),
        (lambda: itemsets([[1]], 1, 0), "itemsets: 'max_length' must be a whole number of at least 1. Got 0 instead."),
        (lambda: itemsets([[1, 1]], 1, items=["a"]), "itemsets: 'items' must be one name for each of 2 columns."),
        (lambda: itemsets([[1, 1]], 1, items=["a", "a"]), "itemsets: 'items' must be names that are given once each."),
        (lambda: from_mlxtend(pd.DataFrame({"support": [0.5], "itemsets": [frozenset({1})]}), 0), "from_mlxtend: 'n' must be"),
        (lambda: least_count(0, 10), "least_count: 'support' must be above 0 and at most 1. Got 0 instead."),
        (
            lambda: from_mlxtend(pd.DataFrame({"support": [0.5]}), 10),
            "from_mlxtend: missing column 'itemsets'. Found: support.",
        ),
    ],
)
def test_bad_input_is_said(call, said):
    with pytest.raises(ModelError) as error:
        call()
    assert str(error.value).startswith(said)
