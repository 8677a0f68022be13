"""Kind: what is degenerate but may happen, and ended in a traceback of numpy or pandas, an interval beyond its bounds, or no end.

One customer in a cell, all of whom bought, a control that nobody is in, baskets that are all alike: each has an answer, or is refused in
words. Nothing that is bounded has an interval beyond its bounds.
"""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import association_rules, fpgrowth
from scipy import sparse

from crmlab.errors import CrmlabError, ModelError
from crmlab.models import classification, intervals, survival
from crmlab.models.baskets import frequent
from crmlab.models.baskets.association import redundant, rules
from crmlab.models.baskets.bridge_mlxtend import from_mlxtend, to_mlxtend
from crmlab.models.baskets.frequent import itemsets
from crmlab.models.baskets.ranking import Blend, bootstrap_means
from crmlab.models.baskets.recommend import ItemSimilarity, bm25
from crmlab.models.baskets.substitution import substitutes
from crmlab.models.forecasts import (
    ZILN,
    Purchases,
    Scored,
    covered_share,
    decile_calibration,
    interval_score,
    leaderboard,
    mean_absolute_error,
    scaled_to,
    total_ratio,
    winners,
)
from crmlab.models.testing import (
    CellStatistics,
    ComparisonOptions,
    Money,
    Rate,
    Ratio,
    compare_cells,
    control_share,
    depth_curve,
    design_effect,
    detectable_effect,
    factorial_effects,
    fade,
    holm,
    planned_profit,
    pool,
    power_of,
    required_size,
    sample_ratio,
    segment_uplift,
    slices,
    smallest_paying,
)
from crmlab.models.testing.max_t import critical_value, largest

SHORT, LONG = 20, 2000
NUMBERS = [
    0.0,
    1.0,
    -1.0,
    0.5,
    5.0,
    20.0,
    1e-300,
    1e-12,
    1e6,
    1e12,
    1e150,
    1e300,
    -1e12,
    float("nan"),
    float("inf"),
    -float("inf"),
]
number = st.one_of(st.sampled_from(NUMBERS), st.floats(-100, 100), st.integers(0, 50).map(float))
usual = st.one_of(st.sampled_from([0.0, 1.0, 20.0, 1e-12, 1e9]), st.floats(0, 100), st.integers(-3, 50).map(float))
level = st.sampled_from([0.5, 0.9, 0.95, 0.999])


def answered(ask, *args, **more):
    """What a call gives; None where it is refused in words. Anything else that is raised, warnings too, fails the test."""
    try:
        return ask(*args, **more)
    except CrmlabError:
        return None


def within(low, value, high, least=-np.inf, most=np.inf):
    """Assert that an interval holds its value and stays inside its bounds, but for rounding."""
    low, value, high = (np.asarray(each, dtype=float) for each in (low, value, high))
    room = 1e-9 * np.maximum(1, np.abs(value))
    assert not np.isnan([low, value, high]).any()
    assert ((least <= low) & (low <= value + room) & (value <= high + room) & (high <= most)).all(), (low, value, high)


@st.composite
def columns(draw, n, kind):
    if kind == "rate":
        return draw(
            st.one_of(st.just([0.0] * n), st.just([1.0] * n), st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n))
        )
    alike = (usual | number).map(lambda value: [value] * n)
    return draw(st.one_of(alike, st.lists(usual, min_size=n, max_size=n), st.lists(number, min_size=n, max_size=n)))


@st.composite
def cells(draw):
    """Two to four cells, from empty to some dozens; bought, spend and two covariates that may repeat each other."""
    found = {}
    for name in ["c", "a", "b", "d"][: draw(st.integers(2, 4))]:
        n = draw(st.one_of(st.integers(0, 9), st.sampled_from([12, 30, 45])))
        values = {"bought": draw(columns(n, "rate")), "spend": draw(columns(n, "money")), "x": draw(columns(n, "money"))}
        values["twice"] = [2 * value for value in values["x"]] if draw(st.booleans()) else draw(columns(n, "money"))
        homes = draw(st.none() | st.lists(st.integers(0, 4), min_size=n, max_size=n))
        with np.errstate(all="ignore"):
            cell = answered(CellStatistics.from_values, values, ["bought"], homes)
        if cell is not None:
            found[name] = cell
    return found


def check_compared(frame):
    if frame is None:
        return
    numbers = frame.drop(columns=["cell", "control", "metric", "method", "correction"]).astype(float)
    assert not numbers.drop(columns=["lift", "lift_low", "lift_high"]).isna().any().any()
    within(frame["low"], frame["estimate"], frame["high"])
    assert frame["p_value"].between(0, 1).all()
    assert frame["p_adjusted"].between(0, 1).all()
    assert (frame["detectable"] > 0).all()
    for row in frame.to_dict("records"):
        if row["method"].startswith("score"):
            within(row["low"], row["estimate"], row["high"], -1, 1)
        if row["lift"] is not None:
            within(row["lift_low"], row["lift"], row["lift_high"])


def check_cells(found, correction, share):
    ratios = {"each": ("spend", "x")}
    for adjust in (None, "x", ["x", "twice"]):
        for options in (ComparisonOptions(), ComparisonOptions(ratios=ratios), ComparisonOptions(ratios=ratios, family="all")):
            check_compared(
                answered(compare_cells, found, control="c", adjust=adjust, correction=correction, level=share, options=options,
                        metrics=["bought", "spend"],)
            )  # fmt: skip
    parts = {name: {"offer": name in "ca", "photo": name in "cb"} for name in found}
    for metric in ("bought", "spend", ("spend", "x")):
        for adjust in ((), ("x",)):
            frame = answered(
                factorial_effects, found, parts, metric, adjust=adjust, order=1, correction=correction, level=share
            )
            if frame is not None:
                within(frame["low"], frame["estimate"], frame["high"])
                assert frame["p_adjusted"].between(0, 1).all()
    if len(found) == 4:
        pairs = {"x": (found["a"], found["c"]), "y": (found["b"], found["d"])}
        for metric in ("bought", "spend"):
            segments = answered(segment_uplift, pairs, metric, correction=correction, level=share)
            if segments is not None:
                assert 0 <= segments.p_value <= 1


def check_lists(values, errors, share):
    with_answer = answered(pool, values, errors, share)
    if with_answer is not None:
        within(with_answer.low, with_answer.mean, with_answer.high)
        within(with_answer.next_low, with_answer.mean, with_answer.next_high)
        within(with_answer.effects["low"], with_answer.effects["shrunk"], with_answer.effects["high"])
        assert 0 <= with_answer.p_value <= 1
    line = answered(fade, values, errors, np.arange(len(values)), share)
    if line is not None:
        within(line.low, line.slope, line.high)
        assert 0 <= line.p_value <= 1
    n = len(values)
    outcome = np.arange(n) % 2
    parts = answered(slices, values, outcome, errors, parts=3)
    if parts is not None:
        depth = answered(depth_curve, parts, cost=1.0, level=share)
        if depth is not None:
            within(depth.curve["low"], depth.curve["profit"], depth.curve["high"])
            within(depth.qini_low, depth.qini, depth.qini_high)
            assert 0 <= depth.p_value <= 1
            assert 0 <= depth.best <= 1
    answered(holm, values)
    answered(sample_ratio, values)
    answered(sample_ratio, values, errors)
    answered(intervals.median_interval, values, share)
    found = answered(intervals.share_of_total, values, outcome, share)
    if found is not None and not np.isnan(found[1]):
        within(found[1], found[0], found[2], 0, 1)
    for weights in (None, errors):
        curve = answered(survival.kaplan_meier, values, outcome, weights, share)
        if curve is not None:
            within(curve["low"], curve["survival"], curve["high"], 0, 1)
            assert (np.diff(curve["survival"]) <= 0).all()
            answered(survival.median_time, curve)
            later = answered(survival.given_waited, curve, 1.0, level=share)
            if later is not None:
                within(later["low"], later["survival"], later["high"], 0, 1)
        causes = answered(survival.cumulative_incidence, values, np.arange(n) % 3, weights, share)
        if causes is not None:
            within(causes["low"], causes["incidence"], causes["high"], 0, 1)
    answered(survival.kaplan_meier, errors, values)
    answered(survival.cumulative_incidence, errors, values)
    for score in (classification.auc, classification.average_precision, classification.brier, classification.top_lift):
        known = answered(score, outcome, values)
        if (
            known is not None
            and score is not classification.top_lift
            and score is not classification.brier
            and not np.isnan(known)
        ):
            assert -1e-12 <= known <= 1 + 1e-12
    answered(classification.brier_skill, outcome, values)
    answered(classification.calibration_line, outcome, np.clip(values, 0, 1))
    answered(classification.expected_maximum_profit, outcome, values)
    answered(classification.mean_with_interval, values, share)
    ranking = answered(classification.gini, values, errors, share)
    if ranking is not None and not np.isnan(ranking[0]):
        within(ranking[1], ranking[0], ranking[2], -1, 1)
    answered(bootstrap_means, np.column_stack([values, errors]), level=share, draws=20)
    answered(Blend().fit, np.column_stack([values, errors]), outcome)


def check_forecasts(values, errors, share):
    for ruler in (total_ratio, mean_absolute_error):
        found = answered(ruler, values, errors, level=share)
        if found is not None and not np.isnan(found[1]):
            within(found[1], found[0], found[2])
    found = answered(covered_share, values, np.minimum(values, errors), errors, level=share)
    if found is not None and not np.isnan(found[1]):
        within(found[1], found[0], found[2], 0, 1)
    scores = answered(interval_score, values, np.minimum(values, errors), np.maximum(values, errors), share)
    assert scores is None or (scores >= 0).all()
    table = answered(decile_calibration, values, errors, level=share)
    assert table is None or table["rows"].sum() == len(values)
    answered(scaled_to, values, 3.0)
    for amounts in (values, np.abs(values)):
        model = answered(ZILN().fit, np.column_stack([errors, values]), amounts)
        assert model is None or np.isfinite(model.intercept_).all()
    trial = pd.DataFrame({"actual": values, "one": errors, "other": np.arange(len(values)), "nothing": 0.0})
    scored = answered(Scored.of, {1: trial, 2: trial[::2]})
    if scored is not None:
        assert answered(leaderboard, scored, share) is not None
        rows = winners(scored, level=share).differences
        assert rows["p_adjusted"].between(0, 1).all()
        known = rows.dropna(subset=["low", "difference"])
        within(known["low"], known["difference"], known["high"])
    bought = pd.DataFrame({"customer_id": np.arange(len(values)) % 3, "day": values, "spend": errors})
    purchases = answered(Purchases.of, bought)
    if purchases is not None:
        answered(purchases.features, 7)


def check_plan(base, other, effect, total, how):
    for make in (
        lambda: Rate(base),
        lambda: Money(share=base, mean=other, sd=effect),
        lambda: Money(share=base, mean=other, sd=effect, through="amount"),
        lambda: Ratio(base, other, abs(effect), abs(other), 0.0),
    ):
        outcome = answered(make)
        if outcome is None:
            continue
        power, cells = how
        size = answered(required_size, outcome, effect, cells=cells, power=power)
        assert size is None or (size.per_cell >= 2 and size.control >= 2)
        least = answered(detectable_effect, outcome, total, cells=cells, power=power)
        assert least is None or least > 0
        chance = answered(power_of, outcome, effect, total, cells=cells)
        assert chance is None or 0 <= chance <= 1
        profit = answered(planned_profit, outcome, effect, (total, total), cost=1.0)
        if profit is not None:
            within(profit.low, profit.value, profit.high)
            assert 0 <= profit.paying <= 1
    answered(smallest_paying, total, base, other, effect)
    answered(control_share, total)
    answered(control_share, 3, base)
    answered(design_effect, base, other, effect)
    answered(critical_value, [[1.0, base], [base, 1.0]])
    answered(largest, [effect, other], [[1.0, base], [base, 1.0]])
    for interval in (intervals.wilson, intervals.clopper_pearson, intervals.proportion_intervals):
        for k, n in ((base, total), (effect, other), (0, total), (total, total)):
            found = answered(interval, k, n)
            if found is not None and n > 0:
                within(found[0], k / n, found[1], 0, 1)


@st.composite
def tables(draw):
    """Baskets: none, one, all alike, of one item, of everything, with gaps, or as they come."""
    n, k = draw(st.integers(0, 8)), draw(st.integers(0, 6))
    table = draw(
        st.one_of(
            st.just(np.ones((n, k))),
            st.just(np.zeros((n, k))),
            st.just(np.eye(max(n, 1), max(k, 1))),
            st.lists(st.sampled_from([0, 1]), min_size=n * k, max_size=n * k).map(lambda values: np.reshape(values, (n, k))),
            st.lists(number, min_size=n * k, max_size=n * k).map(lambda values: np.reshape(values, (n, k))),
            st.lists(st.sampled_from([True, False, None]), min_size=n * k, max_size=n * k).map(
                lambda values: np.array(values, dtype=object).reshape(n, k)
            ),
            st.integers(1, 40).map(lambda size: np.ones((draw(st.integers(1, 2)), size))),
        )
    )
    form = draw(st.sampled_from([np.asarray, pd.DataFrame, lambda values: np.asarray(values).tolist(), sparse_or_not]))
    return form(table)


def sparse_or_not(table):
    return sparse.csr_array(table) if table.dtype.kind in "biuf" else table


def check_baskets(table, least, longest, share):
    found = answered(itemsets, table, least, longest)
    if found is not None and len(found) < 3000:
        assert (found["count"] >= least).all()
        frame = answered(rules, found, level=share)
        if frame is not None:
            within(frame["confidence_low"], frame["confidence"], frame["confidence_high"], 0, 1)
            within(frame["lift_low"], frame["lift"], frame["lift_high"], 0)
            assert frame[["p_value", "q_value"]].apply(lambda column: column.between(0, 1)).all().all()
            assert frame["leverage"].between(-0.25 - 1e-12, 0.25 + 1e-12).all()
            assert not frame["conviction"].isna().any()
            assert (frame.loc[frame["n_consequent"] == frame["n"], "conviction"] == 1).all()
            answered(redundant, frame)
            answered(to_mlxtend, frame)
        turned = answered(to_mlxtend, found)
        if turned is not None and len(turned):
            assert turned["support"].between(0, 1).all()
            back = from_mlxtend(turned, found.attrs["n"])
            assert sorted(back["items"]) == sorted(found["items"])
    apart = answered(substitutes, table, 0.01, alpha=1, level=share)
    if apart is not None:
        within(apart["ratio_low"], apart["ratio"], apart["ratio_high"], 0)
    answered(bm25, table)
    answered(ItemSimilarity(neighbours=2).fit, table)


listed = st.integers(0, 12).flatmap(lambda n: st.lists(number, min_size=n, max_size=n))
paired = st.integers(0, 12).flatmap(lambda n: st.tuples(*[st.lists(number, min_size=n, max_size=n)] * 2))
plans = st.tuples(number, number, number, st.sampled_from([0, 1, 2, 10, 5000, 10**12, float("nan")]))
ways = st.tuples(st.sampled_from([0.01, 0.051, 0.5, 0.8, 0.999]), st.sampled_from([0, 1, 3]))
corrections = st.sampled_from(["max-t", "holm", "none"])


def properties(examples):
    """The four properties, each asked of so many random inputs."""

    @settings(max_examples=examples, deadline=None)
    @given(cells(), corrections, level)
    def of_cells(found, correction, share):
        check_cells(found, correction, share)

    @settings(max_examples=examples, deadline=None)
    @example(([0.0] * 5, [1e-12] * 5), 0.5)  # sums whose variance was a little under 0
    @given(paired, level)
    def of_lists(pair, share):
        check_lists(*pair, share)
        check_forecasts(*pair, share)

    @settings(max_examples=examples, deadline=None)
    @given(plans, ways)
    def of_plans(plan, how):
        check_plan(*plan, how)

    @settings(max_examples=examples, deadline=None)
    @given(tables(), st.integers(1, 3), st.sampled_from([1, 2, 3, 5, 28]), level)
    def of_baskets(table, least, longest, share):
        check_baskets(table, least, longest, share)

    return {"cells": of_cells, "lists": of_lists, "plans": of_plans, "baskets": of_baskets}


@pytest.mark.parametrize("kind", ["cells", "lists", "plans", "baskets"])
def test_random_degenerate_input_has_an_answer_in_words(kind):
    properties(SHORT)[kind]()


@pytest.mark.proof
@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["cells", "lists", "plans", "baskets"])
def test_two_thousand_degenerate_inputs_have_an_answer_in_words(kind):
    properties(LONG)[kind]()


def test_conviction_of_what_every_basket_holds_is_that_of_independence():
    """0 / 0: nobody can lack it, with or without the other item. mlxtend says that it has no end, of a rule whose lift is 1."""
    frame = rules(itemsets(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1], [1, 1, 1]]), 1, 2))
    row = frame[(frame["antecedent"] == (1,)) & (frame["consequent"] == 0)].iloc[0]
    assert (row["confidence"], row["lift"], row["leverage"], row["conviction"]) == (1.0, 1.0, 0.0, 1.0)
    alike = rules(itemsets(np.ones((50, 2)), 1))
    assert (alike["lift"].tolist(), alike["conviction"].tolist()) == ([1.0, 1.0], [1.0, 1.0])
    with np.errstate(all="ignore"):  # a measure of theirs that we do not have divides by 0
        theirs = association_rules(fpgrowth(pd.DataFrame(np.ones((50, 2), dtype=bool)), 0.5), metric="support", min_threshold=0)
    assert theirs["conviction"].tolist() == [np.inf, np.inf]


def test_conviction_of_a_certain_rule_has_no_end():
    row = rules(itemsets(np.array([[1, 1], [1, 1], [0, 1], [0, 0]]), 1, 2)).iloc[0]
    assert (row["antecedent"], row["confidence"], row["conviction"]) == ((0,), 1.0, np.inf)


def test_more_sets_than_anybody_reads_are_refused_before_they_are_made():
    with pytest.raises(ModelError) as error:
        itemsets(np.ones((1, 28)), 1, 28)
    assert str(error.value) == (
        "itemsets: sets of up to 28 items cannot all be counted. There would be up to 268,435,455, and 1,000,000 are the most. "
        "Lower max_length, or raise min_count."
    )
    assert len(itemsets(np.ones((1, 28)), 1, 4)) == sum(math.comb(28, length) for length in range(1, 5))
    assert len(itemsets(np.ones((1, 12)), 1, 28)) == 2**12 - 1
    with pytest.raises(ModelError, match=r"There would be up to 1\.3e\+30, and"):
        itemsets(np.ones((1, 100)), 1, 100)


def test_a_basket_of_thousands_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(frequent, "MOST", 5000)
    with pytest.raises(
        ModelError, match="sets of up to 3 items cannot all be counted. There would be at least 36,050, and 5,000 are"
    ):
        itemsets(np.ones((2, 60)), 1)
    with pytest.raises(
        ModelError, match="sets of up to 2 items cannot all be counted. There would be at least 7,260, and 5,000 are"
    ):
        itemsets(np.ones((2, 120)), 1, 2)


@pytest.mark.proof
def test_many_small_baskets_are_not_refused_for_what_they_might_have_held():
    rng = np.random.default_rng(1)
    table = np.zeros((3000, 200), dtype=bool)
    for row in table:
        row[rng.choice(200, 6, replace=False)] = True
    found = itemsets(table, 1, 6)
    assert found["items"].map(len).max() == 6


@pytest.mark.parametrize(
    ("baskets", "said"),
    [
        (pd.DataFrame({"a": [True, None, True], "b": [True, True, False]}), "column 'a' must hold numbers, or True and False. Found: None in row 1"),
        (pd.DataFrame({"a": [1, np.nan, 1], "b": [1, 1, 0]}), "must hold numbers, or True and False. Found: a missing value"),
        (pd.DataFrame({"a": pd.array([True, pd.NA, True])}), "column 'a' must hold numbers"),
        ([["beer", "milk"], ["milk"]], "must be a table with a row per basket and a column per item"),
        ([["beer", "milk"], ["milk", "tea"]], "must be a table with a row per basket and a column per item"),
        (["beer", "milk"], "must be a table with a row per basket"),
        (None, "must be a table with a row per basket"),
        (sparse.csr_array([[1.0, np.nan]]), "a missing value"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_baskets_is_said(baskets, said):
    for ask in (itemsets, substitutes):
        with pytest.raises(ModelError, match=said.split(".")[0]):
            ask(baskets, 1)


def test_one_basket_of_thousands_is_refused_before_its_pairs_are_counted(monkeypatch):
    def count(*_):
        raise AssertionError

    monkeypatch.setattr(frequent, "pair_codes", count)
    for table, length, least in ((np.ones((1, 1500)), 2, "1,125,750"), (np.ones((9, 200)), 3, "1,333,500")):
        with pytest.raises(ModelError, match=f"There would be at least {least}, and 1,000,000 are the most"):
            itemsets(table, 1, length)


def test_a_long_basket_and_the_square_table_count_the_same():
    table = sparse.csr_array((np.random.default_rng(1).random((40, 60)) < 0.2).astype(np.int32))
    alone = sparse.csr_array(sparse.hstack([table[:1], sparse.csr_array((1, 2000), dtype=np.int32)]))
    assert not frequent._is_short(alone)
    for matrix in (table, alone):
        pairs, counts = frequent.pair_codes(matrix)
        square = frequent._dense_pairs(matrix, 1)
        assert (pairs.tolist(), counts.tolist()) == (square[0].tolist(), square[1].tolist())


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ([["beer", "milk"], ["milk"]], "Got 'rows of different lengths'"),
        (pd.DataFrame({"beer": [1.0, 1.0], "milk": [1.0, np.nan]}), "column 'milk' must hold .* a missing value in row 1"),
        (pd.DataFrame({"milk": pd.arrays.SparseArray([1.0, np.nan])}), "column 'milk' must hold .* a missing value in row 1"),
    ],
)
def test_baskets_that_are_no_table_are_told_what_they_are(table, found):
    with pytest.raises(ModelError, match=found):
        itemsets(table, 1)
