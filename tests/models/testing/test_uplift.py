"""Depth, Qini and segments: by hand, by permutation and bootstrap, and simulated lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.uplift import depth_curve, segment_uplift, slices


def a_list(seed, n=4000, slope=0.0, effect=1.0, treated=0.5):
    """A list whose effect rises with the score by ``slope``; spend is mostly 0."""
    rng = np.random.default_rng(seed)
    score, arm = rng.random(n), rng.random(n) < treated
    spend = np.where(rng.random(n) < 0.3, rng.gamma(2.0, 5.0, n), 0.0) + arm * (
        effect + slope * (score - 0.5)
    ) * rng.exponential(1, n)
    return score, arm, spend


def test_curve_by_hand():
    parts = slices([2, 2, 2, 2, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1, 0, 0], [5.0, 7, 1, 3, 2, 0, 1, 0], parts=2)
    found = depth_curve(parts, cost=1.0)
    assert found.curve["share"].tolist() == [0.5, 1.0]
    # Top half: 6 less 2, less the cost of 1, for half the list; all: 3.5 less 1.25, less 1.
    assert found.curve["profit"].tolist() == pytest.approx([1.5, 1.25])
    assert found.curve["added"].tolist() == pytest.approx([3.0, -0.5])
    # Area under 0, 1.5, 1.25 less that under the straight line to 1.25.
    assert found.qini == pytest.approx((0.75 + 1.375) / 2 - 0.625)
    assert found.best == 0.5


def test_slice_that_a_depth_adds_is_compared_by_itself():
    # Slices hold their arms' own customers; the gain of a depth weighs arms by what is above it, nearly the same.
    score, arm, spend = a_list(12, n=40_000, slope=2.0)
    found = depth_curve(slices(score, arm, spend, 4)).curve
    place = np.minimum(((1 - score) * 4).astype(int), 3)
    for k in range(4):
        inside = place == k
        peer = stats.ttest_ind(spend[inside & arm], spend[inside & ~arm], equal_var=False).confidence_interval(0.9)
        row = found.iloc[k]
        assert (row["added_low"], row["added_high"]) == pytest.approx((peer.low, peer.high), abs=0.1)
    assert not found.isna().any().any()


def test_empty_slices_are_left_out():
    parts = slices(*a_list(13), 5)
    empty = pd.concat([parts, pd.DataFrame({name: [0] for name in parts})])
    pd.testing.assert_frame_equal(depth_curve(parts).curve, depth_curve(empty).curve)


def test_end_of_the_curve_is_the_difference_of_all():
    score, arm, spend = a_list(1)
    last = depth_curve(slices(score, arm, spend), level=0.9).curve.iloc[-1]
    peer = stats.ttest_ind(spend[arm], spend[~arm], equal_var=False)
    assert last["profit"] == pytest.approx(spend[arm].mean() - spend[~arm].mean(), rel=1e-12)
    ends = peer.confidence_interval(0.9)
    assert (last["low"], last["high"]) == pytest.approx((ends.low, ends.high), rel=2e-3)


def test_spread_agrees_with_the_bootstrap():
    score, arm, spend = a_list(2, slope=2.0)
    found = depth_curve(slices(score, arm, spend, 10), cost=0.3)
    rng, drawn = np.random.default_rng(3), []
    cuts = np.quantile(score, 1 - np.arange(1, 10) / 10)
    place = 10 - np.searchsorted(cuts[::-1], score, side="right")
    assert sorted(np.unique(place).tolist()) == list(range(1, 11))
    for _ in range(600):
        # Within arms, as the campaign drew them.
        one = np.concatenate([rng.choice(np.flatnonzero(arm), arm.sum()), rng.choice(np.flatnonzero(~arm), (~arm).sum())])
        curve = []
        for k in range(1, 11):
            top = place[one] <= k
            curve.append(k / 10 * (spend[one][top & arm[one]].mean() - spend[one][top & ~arm[one]].mean() - 0.3))
        drawn.append(curve)
    spread = np.std(drawn, axis=0)
    half = (found.curve["high"] - found.curve["low"]) / 2 / stats.norm.isf(0.05)
    assert half.to_numpy() == pytest.approx(spread, rel=0.12)
    assert (found.curve["band_high"] > found.curve["high"]).all()


def test_ties_stay_together_and_order_of_rows_does_not_matter():
    rng = np.random.default_rng(4)
    score, arm, spend = rng.integers(0, 7, 3000), rng.random(3000) < 0.4, rng.gamma(1.0, 5.0, 3000)
    one = slices(score, arm, spend, 20)
    assert len(one) == 7
    order = rng.permutation(3000)
    other = slices(score[order], arm[order], spend[order], 20)
    pd.testing.assert_frame_equal(one, other)
    assert one[["n_treated", "n_control"]].to_numpy().sum() == 3000


def rejections(runs, seed, slope, level=0.9, n=4000):
    """How often Qini's test finds ranking, and how often intervals and band hold the truth."""
    wrong = qini = band = 0
    wide = np.arange(1, 11) / 10
    truth = wide * (1.0 + slope * (1 - wide) / 2)
    area = slope / 12 * (1 - 0.1**2)  # of the polygon with ten corners
    for k in range(runs):
        found = depth_curve(slices(*a_list(seed * 100_000 + k, n=n, slope=slope), 10), level=level)
        wrong += found.p_value < 1 - level
        qini += found.qini_low <= area <= found.qini_high
        band += bool(((found.curve["band_low"] <= truth) & (truth <= found.curve["band_high"])).all())
    return wrong / runs, qini / runs, band / runs


@pytest.mark.proof
def test_qini_of_a_score_that_says_nothing_errs_at_its_level_though_the_campaign_works():
    # 100 runs: 10% and 90% ± 3 standard errors of 3%. See the nightly one.
    found = rejections(100, 5, slope=0.0)
    assert 0.01 <= found[0] <= 0.19 and 0.81 <= found[1] <= 0.99 and 0.81 <= found[2] <= 0.99


@pytest.mark.nightly
@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_qini_and_band_hold_their_level(slope):
    found = rejections(3000, 6, slope)
    print(slope, found)
    # A little under 90% where slices hold 400 customers, most of whom spend nothing.
    assert 0.87 <= found[1] <= 0.92 and 0.87 <= found[2] <= 0.92
    assert (0.08 <= found[0] <= 0.13) if slope == 0 else found[0] > 0.5


@pytest.mark.proof
def test_qini_agrees_with_permutation_of_treatment():
    # Effects taken off, who was treated may be dealt anew: the spread of Qini under a constant effect.
    score, arm, spend = a_list(7, n=3000)
    found = depth_curve(slices(score, arm, spend, 5))
    bare = spend - arm * (spend[arm].mean() - spend[~arm].mean())
    rng = np.random.default_rng(8)
    drawn = [depth_curve(slices(score, rng.permutation(arm), bare, 5)).qini for _ in range(200)]
    assert (found.qini_high - found.qini_low) / 2 / stats.norm.isf(0.05) == pytest.approx(np.std(drawn), rel=0.2)
    assert found.p_value == pytest.approx(np.mean(np.abs(drawn) >= abs(found.qini)), abs=0.1)


def test_qini_p_value_inverts_its_interval():
    for seed in range(8):
        found = depth_curve(slices(*a_list(50 + seed, n=1000, slope=1.0)))
        assert (found.p_value < 0.1) == (found.qini_low > 0 or found.qini_high < 0)


def test_best_depth_is_nobody_where_contacting_costs_more_than_it_brings():
    assert depth_curve(slices(*a_list(9, effect=0.1)), cost=5.0).best == 0.0


@pytest.mark.proof
def test_segments_that_differ_are_found_and_equal_ones_are_not():
    rng = np.random.default_rng(10)

    def cell(p):
        return CellStatistics.from_sums(5000, {"bought": rng.binomial(5000, p)})

    differ = segment_uplift(
        {"a": (cell(0.08), cell(0.04)), "b": (cell(0.04), cell(0.04)), "c": (cell(0.04), cell(0.04))}, "bought"
    )
    assert differ.p_value < 1e-4 and differ.df == 2 and differ.table["segment"].tolist() == ["a", "b", "c"]
    wrong = sum(
        segment_uplift({str(k): (cell(0.06), cell(0.04)) for k in range(4)}, "bought", correction="none").p_value < 0.05
        for _ in range(200)
    )
    assert 0.005 <= wrong / 200 <= 0.1


def test_test_of_segments_agrees_with_statsmodels():
    from statsmodels.stats.meta_analysis import combine_effects

    rng = np.random.default_rng(11)
    cells = {k: tuple(CellStatistics.from_values({"spend": rng.gamma(2.0, 5.0, 300)}) for _ in range(2)) for k in "abc"}
    found = segment_uplift(cells, "spend")
    variance = [a.variance("spend") / 300 + b.variance("spend") / 300 for a, b in cells.values()]
    assert found.q == pytest.approx(combine_effects(found.table["estimate"].to_numpy(), np.array(variance)).q, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: slices([1, 2], [1, 0], [1.0]), "of one length"),
        (lambda: slices([], [], []), "not empty"),
        (lambda: slices([1, float("nan")], [1, 0], [1.0, 2.0]), "finite numbers"),
        (lambda: slices([1, 2], [1, 0], [1.0, 2.0], 0), "'parts' must be at least 1"),
        (lambda: depth_curve(slices([1, 2], [1, 0], [1.0, 2.0])), "at least two treated customers"),
        (lambda: depth_curve(pd.DataFrame({"slice": [1]})), "missing column 'n_treated'"),
        (lambda: depth_curve([1, 2]), "expected a pandas DataFrame"),
        (lambda: depth_curve(slices([1] * 8, [1, 0] * 4, [0.0] * 8)), "does not vary"),
        (lambda: depth_curve(slices([1] * 8, [1, 0] * 4, [0.0, 1] * 4), level=90), "'level'"),
        (lambda: segment_uplift({"a": ()}, "bought"), "at least two"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ModelError, match=said):
        make()


def a_campaign(seed=12):
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"who": rng.choice(["new", "loyal", "lapsed"], 3000), "sent": rng.choice(["letter", "none"], 3000)})
    chance = 0.1 + 0.1 * ((people["sent"] == "letter") & (people["who"] == "new"))
    people["bought"] = rng.random(3000) < chance
    return people.assign(spend=rng.gamma(2.0, 5.0, 3000))


@pytest.mark.parametrize("metric", ["bought", "spend", {"bought": "mean"}])
def test_uplift_of_a_frame_is_that_of_its_cells(metric):
    people = a_campaign()
    name = metric if isinstance(metric, str) else "bought"
    rates = ["bought"] if metric == "bought" else []

    def cell(who, sent):
        some = people[(people["who"] == who) & (people["sent"] == sent)]
        return CellStatistics.from_values({name: some[name].to_numpy(float)}, rates)

    pairs = {who: (cell(who, "letter"), cell(who, "none")) for who in ("lapsed", "loyal", "new")}
    own, found = segment_uplift(pairs, name), segment_uplift(people, metric, segment="who", cell="sent", control="none")
    pd.testing.assert_frame_equal(found.table, own.table)
    assert (found.q, found.df, found.p_value) == (own.q, own.df, own.p_value)


def test_uplift_takes_every_kind_of_table_and_categories_in_their_order():
    import ibis
    import polars as pl
    import pyarrow as pa

    people = a_campaign()
    given = {"segment": "who", "cell": "sent", "control": "none"}
    found = segment_uplift(people, "bought", **given)
    for kind in (pl.from_pandas, lambda f: pa.Table.from_pandas(f, preserve_index=False), ibis.memtable):
        pd.testing.assert_frame_equal(segment_uplift(kind(people), "bought", **given).table, found.table)
    ordered = people.assign(who=pd.Categorical(people["who"], ["new", "loyal", "lapsed"]))
    assert segment_uplift(ordered, "bought", **given).table["segment"].tolist() == ["new", "loyal", "lapsed"]
    treated = people.assign(sent=people["sent"] == "letter")
    assert segment_uplift(treated, "bought", segment="who", cell="sent", control=False).q == found.q


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        (lambda f: f, {"segment": None}, "segment_uplift: 'segment' must be the name of a column of the table. Got None instead"),
        (lambda f: f, {"control": None}, "'control' must be the name of the cell that was not contacted"),
        (lambda f: f, {"control": "nome"}, "There is no control 'nome' in 'sent'. Did you mean 'none'?"),
        (lambda f: f, {"segment": "whom"}, "missing column 'whom'"),
        (lambda f: f.assign(sent=f["sent"].where(f.index > 9, "mail")), {}, "two cells in 'sent', none and the one contacted. Found: letter, mail, none"),
        (lambda f: f[(f["who"] != "new") | (f["sent"] == "none")], {}, "Found: none of letter in new. Leave the segment out"),
        (lambda f: f[f["who"] == "new"], {}, "'segments' must be at least two. Got .*new"),
        (lambda f: f.assign(who=f["who"].where(f.index > 1)), {}, "each row must have a name in 'who'. Found 2 rows"),
        (lambda f: f.assign(customer_id=f.index // 2), {}, "Add rows up by customer first, with groupby"),
        (lambda f: f, {"metric": ["bought", "spend"]}, "'metric' must be one column, a rate or a mean. Got 'bought, spend'"),
        (lambda f: {"a": ()}, {}, "left out where pairs of cells are given"),
        (lambda f: [1], {}, "'segments' must be a table of a row per customer, or pairs"),
    ],
)  # fmt: skip
def test_what_has_no_uplift_is_refused(change, given, said):
    asked = {"segment": "who", "cell": "sent", "control": "none", "metric": "bought"} | given
    with pytest.raises(ModelError, match=said):
        segment_uplift(change(a_campaign()), asked.pop("metric"), **asked)
