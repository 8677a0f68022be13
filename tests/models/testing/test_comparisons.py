"""Cells against controls: published values, other routes to the same numbers, invariants, and simulated campaigns."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from crmlab.errors import ModelError
from crmlab.models.intervals import wilson
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import compare_cells, sample_ratio, score_interval, score_z
from crmlab.models.testing.options import ComparisonOptions

NUMBERS = ["n", "n_control", "mean", "mean_control", "estimate", "low", "high", "p_value", "p_adjusted", "detectable", "level"]


def rate(x, n):
    return CellStatistics.from_sums(n, {"bought": x})


def spend_cell(rng, n, share=0.05, effect=0.0):
    """Customers most of whom spend nothing, with what they spent before."""
    before = rng.gamma(1.0, 20.0, n)
    bought = rng.random(n) < share
    spend = np.where(bought, rng.gamma(2.0, 10.0, n) + 0.5 * before + effect, 0.0)
    return pd.DataFrame({"bought": bought.astype(float), "spend": spend, "before": before})


def campaign(seed, sizes=(4000, 2000, 1000)):
    rng = np.random.default_rng(seed)
    frames = {f"c{k}": spend_cell(rng, n, effect=k) for k, n in enumerate(sizes)}
    return frames, {name: CellStatistics.from_values(frame, rates=["bought"]) for name, frame in frames.items()}


# Published values ----------------------------------------------------------------------------------------------------------------


def test_wilson_holds_a_published_interval():
    assert wilson(19, 38, 0.95) == pytest.approx((0.3484993, 0.6515007), abs=5e-8)


def test_score_intervals_of_newcombes_table():
    # Newcombe (1998), Statistics in Medicine 17, table II, method 6 (Miettinen and Nurminen).
    for x1, n1, x0, n0, low, high in [(56, 70, 48, 80, 0.0528, 0.3382), (9, 10, 3, 10, 0.1700, 0.8406)]:
        ends = score_interval(x1, n1, x0, n0)
        assert (float(ends[0]), float(ends[1])) == pytest.approx((low, high), abs=5e-5)


def test_sums_of_spend_give_the_published_difference():
    cells = {
        "letter": CellStatistics.from_sums(3461, sums={"spend": Decimal("2422.7")}, squares={"spend": 134698.29}),
        "none": CellStatistics.from_sums(3407, sums={"spend": 1396.87}, squares={"spend": 52377.9767}),
    }
    row = compare_cells(cells, control="none").iloc[0]
    assert row["estimate"] == pytest.approx(0.29, abs=5e-6)
    assert (row["low"], row["high"]) == pytest.approx((0.04538, 0.53462), abs=5e-6)
    assert row["p_value"] == pytest.approx(0.02016, abs=5e-6)
    assert row["method"] == "welch"


def test_sample_ratio_does_not_underflow():
    found = sample_ratio({"a": 9463, "b": 7681}, {"a": 0.5, "b": 0.5})
    assert found.chi_square == pytest.approx(185.2265516, abs=5e-8)
    assert found.p_value == pytest.approx(3.502192e-42, rel=2e-7)
    assert found.warning is None


# Other routes --------------------------------------------------------------------------------------------------------------------


def test_rate_at_no_difference_agrees_with_statsmodels():
    from statsmodels.stats.proportion import test_proportions_2indep as two_proportions

    for x1, n1, x0, n0 in [(7, 34, 1, 34), (220, 10_000, 179, 9_000), (0, 50, 3, 70)]:
        row = compare_cells({"a": rate(x1, n1), "b": rate(x0, n0)}, control="b", correction="none").iloc[0]
        peer = two_proportions(x1, n1, x0, n0, method="score", compare="diff")
        assert row["p_value"] == pytest.approx(peer.pvalue, rel=1e-9)


@pytest.mark.parametrize("difference", [-0.3, -0.05, 0.01, 0.2, 0.6])
def test_score_statistic_agrees_with_a_search_for_the_restricted_rates(difference):
    x1, n1, x0, n0 = 7, 34, 3, 51

    def unlikely(q):
        p = q + difference
        return -(x1 * np.log(p) + (n1 - x1) * np.log(1 - p) + x0 * np.log(q) + (n0 - x0) * np.log(1 - q))

    ends = max(0.0, -difference) + 1e-12, min(1.0, 1.0 - difference) - 1e-12
    q = optimize.minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-13}).x
    p, n = q + difference, n1 + n0
    variance = (p * (1 - p) / n1 + q * (1 - q) / n0) * n / (n - 1)
    assert score_z(x1, n1, x0, n0, difference) == pytest.approx((x1 / n1 - x0 / n0 - difference) / np.sqrt(variance), rel=1e-5)


def test_mean_agrees_with_welch_of_scipy():
    frames, _ = campaign(3)
    plain = {name: CellStatistics.from_moments(len(f), f.mean(), f.var(), None) for name, f in frames.items()}
    found = compare_cells(plain, control="c0", metrics=["spend"], correction="none", level=0.9)
    for _, row in found.iterrows():
        peer = stats.ttest_ind(frames[row["cell"]]["spend"], frames["c0"]["spend"], equal_var=False)
        assert row["p_value"] == pytest.approx(peer.pvalue, rel=1e-9)
        ends = peer.confidence_interval(0.9)
        assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_adjustment_agrees_with_a_regression_over_customers():
    # One slope for all cells is the slope of spend on before with a dummy for each cell.
    import statsmodels.api as sm

    frames, cells = campaign(4)
    found = compare_cells(cells, control="c0", metrics=["spend"], adjust="before", correction="none")
    every = pd.concat(frames, names=["cell"]).reset_index("cell")
    X = pd.get_dummies(every["cell"], dtype=float).assign(before=every["before"])
    peer = sm.OLS(every["spend"], X).fit()
    for _, row in found.iterrows():
        assert row["estimate"] == pytest.approx(peer.params[row["cell"]] - peer.params["c0"], rel=1e-9)
    away = {k: f["spend"] - peer.params["before"] * f["before"] for k, f in frames.items()}
    error = np.sqrt(away["c1"].var() / len(away["c1"]) + away["c0"].var() / len(away["c0"]))
    row = found.iloc[0]
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=5e-3)  # skewness moves it a little
    assert row["mean"] - row["mean_control"] == pytest.approx(row["estimate"], rel=1e-12)
    plain = compare_cells(cells, control="c0", metrics=["spend"], correction="none").iloc[0]
    assert row["detectable"] < plain["detectable"]


def test_ratio_agrees_with_the_jackknife():
    frames, cells = campaign(5)
    found = compare_cells(
        cells, control="c0", metrics=[], correction="none", options=ComparisonOptions(ratios={"per_buyer": ("spend", "bought")})
    )
    row = found.iloc[0]
    assert row["method"] == "delta"

    def jackknife(frame):
        top, bottom, n = frame["spend"].sum(), frame["bought"].sum(), len(frame)
        left_out = (top - frame["spend"]) / (bottom - frame["bought"])
        return (n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum())

    assert row["estimate"] == pytest.approx(
        frames["c1"]["spend"].sum() / frames["c1"]["bought"].sum() - frames["c0"]["spend"].sum() / frames["c0"]["bought"].sum()
    )
    error = np.sqrt(jackknife(frames["c1"]) + jackknife(frames["c0"]))
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.02)


def test_households_agree_with_a_clustered_regression():
    import statsmodels.api as sm

    rng = np.random.default_rng(6)
    home = np.repeat(np.arange(900), rng.integers(1, 5, 900))
    spend = np.maximum(rng.normal(0, 10, 900)[home] + rng.normal(5, 10, len(home)), 0)
    cell = home % 2
    cells = {}
    for k, name in enumerate(("none", "letter")):
        mine = cell == k
        totals = pd.DataFrame({"home": home[mine], "spend": spend[mine], "size": 1.0}).groupby("home").sum()
        cells[name] = CellStatistics.from_clusters(
            int(mine.sum()),
            len(totals),
            {"spend": totals["spend"].sum()},
            {"spend": (totals["spend"] ** 2).sum(), "size": (totals["size"] ** 2).sum()},
            {("spend", "size"): (totals["spend"] * totals["size"]).sum()},
        )
        same = CellStatistics.from_values({"spend": spend[mine]}, households=home[mine])
        np.testing.assert_allclose(same.covariance_of_means, cells[name].covariance_of_means, rtol=1e-9)
    row = compare_cells(cells, control="none", correction="none").iloc[0]
    peer = sm.OLS(spend, sm.add_constant(cell.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": home, "use_correction": False}
    )
    assert row["estimate"] == pytest.approx(peer.params[1], rel=1e-9)
    # Each cell's variance times G / (G - 1), 450 households each.
    assert (row["high"] - row["low"]) / (2 * stats.t.isf(0.025, 898)) == pytest.approx(
        peer.bse[1] * np.sqrt(450 / 449), rel=1e-4
    )
    assert row["method"] == "welch-households"
    alone = CellStatistics.from_values({"spend": spend[cell == 1]}).covariance_of_means
    assert cells["letter"].covariance_of_means[0, 0] > 1.3 * alone[0, 0]


def household_rates(rng, homes, p):
    """Responses of customers in households of one to four, in which one often follows the other."""
    home = np.repeat(np.arange(homes), rng.integers(1, 5, homes))
    together = rng.random(homes) < p
    bought = np.where(rng.random(len(home)) < 0.5, together[home], rng.random(len(home)) < p)
    return CellStatistics.from_values({"bought": bought.astype(float)}, rates=["bought"], households=home)


@pytest.mark.proof
def test_rates_of_households_have_the_linearised_variance_and_err_at_their_level():
    rng = np.random.default_rng(33)
    a, b = household_rates(rng, 4000, 0.2), household_rates(rng, 3000, 0.2)
    row = compare_cells({"a": a, "b": b}, control="b", correction="none").iloc[0]
    error = np.sqrt(a.covariance_of_means[0, 0] + b.covariance_of_means[0, 0])
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=5e-3)
    assert row["method"] == "score-households"
    wrong = naive = 0
    for _ in range(150):
        cells = {name: household_rates(rng, 500, 0.1) for name in "ab"}
        wrong += compare_cells(cells, control="b", correction="none").iloc[0]["p_value"] < 0.1
        alone = {name: rate(round(cell.mean("bought") * cell.n), cell.n) for name, cell in cells.items()}
        naive += compare_cells(alone, control="b", correction="none").iloc[0]["p_value"] < 0.1
    # 10% ± 3 standard errors of 2.5%; counted as lone customers they would err more often.
    assert 0.025 <= wrong / 150 <= 0.175 and naive > 1.2 * wrong


def test_households_where_nobody_or_everybody_responds_still_have_an_interval():
    none = CellStatistics.from_values({"bought": np.zeros(60)}, rates=["bought"], households=np.arange(60) // 2)
    row = compare_cells({"a": none, "b": none}, control="b").iloc[0]
    alone = compare_cells({"a": rate(0, 60), "b": rate(0, 60)}, control="b").iloc[0]
    assert row["low"] < alone["low"] < 0 < alone["high"] < row["high"] and row["p_value"] == 1


def test_households_of_one_are_customers():
    rng = np.random.default_rng(7)
    values = {"bought": (rng.random(500) < 0.2).astype(float), "spend": rng.gamma(1.0, 10.0, 500)}
    homes = CellStatistics.from_values(values, rates=["bought"], households=np.arange(500))
    alone = CellStatistics.from_values(values, rates=["bought"])
    np.testing.assert_allclose(homes.covariance_of_means, alone.covariance_of_means, rtol=1e-12)


def test_ways_to_make_a_cell_agree():
    _, cells = campaign(8)
    frames, _ = campaign(8)
    frame = frames["c1"]
    names = ["spend", "before"]
    pairs = [("bought", "spend"), ("bought", "before"), ("spend", "before")]
    sums = CellStatistics.from_sums(
        len(frame),
        frame.sum(),
        (frame[names] ** 2).sum(),
        {(a, b): (frame[a] * frame[b]).sum() for a, b in pairs},
        (frame[names] ** 3).sum(),
    )
    moments = CellStatistics.from_moments(
        len(frame),
        frame.mean(),
        frame[names].var(),
        {(a, b): frame[a].cov(frame[b]) for a, b in pairs},
        ((frame - frame.mean()) ** 3).mean()[names],
    )
    for one in (sums, moments):
        assert one.metrics == cells["c1"].metrics and one.rates == cells["c1"].rates
        np.testing.assert_allclose(one.means, cells["c1"].means, rtol=1e-12)
        np.testing.assert_allclose(one.scatter, cells["c1"].scatter, rtol=1e-9)
        np.testing.assert_allclose(one.thirds, cells["c1"].thirds, rtol=1e-7)


def test_profit_is_margin_less_cost():
    _, cells = campaign(9)
    profit = {name: cell.combine("profit", {"spend": 0.3}, 0.0 if name == "c0" else -0.5) for name, cell in cells.items()}
    found = compare_cells(profit, control="c0", metrics=["spend", "profit"]).set_index(["metric", "cell"])
    for cell in ("c1", "c2"):
        for column in ("estimate", "low", "high"):
            expected = 0.3 * found.loc[("spend", cell), column] - 0.5
            assert found.loc[("profit", cell), column] == pytest.approx(expected, rel=1e-9)


def test_several_controls_come_in_blocks():
    # Two cells with their own controls are independent: Šidák's value, and each p-value by itself.
    cells = {"a": rate(30, 1000), "a0": rate(20, 1000), "b": rate(40, 1000), "b0": rate(20, 1000)}
    found = compare_cells(cells, control={"a": "a0", "b": "b0"})
    assert found["p_adjusted"].to_numpy() == pytest.approx(1 - (1 - found["p_value"].to_numpy()) ** 2, rel=1e-9)


def test_correction_over_all_metrics_lies_between_one_metric_and_bonferroni():
    _, cells = campaign(10)
    one = compare_cells(cells, control="c0", metrics=["bought", "spend"])
    every = compare_cells(cells, control="c0", metrics=["bought", "spend"], options=ComparisonOptions(family="all"))
    assert (every["p_adjusted"] >= one["p_adjusted"] - 1e-6).all()
    assert (every["p_adjusted"] <= np.minimum(4 * every["p_value"], 1) + 1e-9).all()
    # Response and spend go together: less is lost than if they were independent.
    assert every["p_adjusted"].iloc[0] < 1 - (1 - one["p_adjusted"].iloc[0]) ** 2


def test_lift_of_means_is_fiellers_and_of_rates_logarithmic():
    cells = {"a": rate(260, 10_000), "b": rate(200, 10_000)}
    row = compare_cells(cells, control="b", correction="none").iloc[0]
    from statsmodels.stats.proportion import confint_proportions_2indep

    ends = confint_proportions_2indep(260, 10_000, 200, 10_000, method="log", compare="ratio", correction=False)
    assert (1 + row["lift_low"], 1 + row["lift_high"]) == pytest.approx(ends, rel=3e-3)
    assert row["lift"] == pytest.approx(0.3)
    frames, _ = campaign(11)
    plain = {
        k: CellStatistics.from_moments(len(f), {"spend": f["spend"].mean()}, {"spend": f["spend"].var()})
        for k, f in frames.items()
    }
    row = compare_cells(plain, control="c0", correction="none").iloc[0]
    for end in (row["lift_low"], row["lift_high"]):
        # At an end the difference between one mean and (1 + lift) of the other is exactly at the critical value.
        v1, v0 = frames["c1"]["spend"].var() / 2000, frames["c0"]["spend"].var() / 4000
        t = (row["mean"] - (1 + end) * row["mean_control"]) / np.sqrt(v1 + (1 + end) ** 2 * v0)
        assert abs(t) == pytest.approx(1.96, rel=2e-3)


def test_karlan_and_list():
    # Karlan and List (2007), Does price matter in charitable giving?, AER 97, table 2A: 2.2% of 33,396 gave where a match was
    # offered, 1.8% of 16,687 where none was.
    row = compare_cells({"match": rate(736, 33_396), "none": rate(298, 16_687)}, control="none").iloc[0]
    assert row["mean"] == pytest.approx(0.0220, abs=5e-5)
    assert row["mean_control"] == pytest.approx(0.0179, abs=5e-5)
    assert row["low"] > 0 and row["p_value"] == pytest.approx(0.0018, abs=3e-4)


# Invariants ----------------------------------------------------------------------------------------------------------------------

counts = st.tuples(st.integers(1, 400), st.integers(0, 400)).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(counts, min_size=2, max_size=5), st.sampled_from([0.8, 0.9, 0.95]), st.sampled_from(["max-t", "none"]))
@settings(max_examples=60, deadline=None)
def test_p_value_of_a_rate_inverts_its_interval(found, level, correction):
    cells = {f"c{k}": rate(x, max(n, 1)) for k, (x, n) in enumerate(found)}
    table = compare_cells(cells, control="c0", correction=correction, level=level)
    assert not table[NUMBERS].isna().any().any() and np.isfinite(table[NUMBERS].to_numpy(dtype=float)).all()
    assert ((table["low"] <= table["estimate"]) & (table["estimate"] <= table["high"])).all()
    clear = np.abs(table["p_adjusted"] - (1 - level)) > 1e-6
    outside = (table["low"] > 0) | (table["high"] < 0)
    assert ((table["p_adjusted"] < 1 - level) == outside)[clear].all()


@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.9, 0.95]), st.sampled_from(["max-t", "none"]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_p_value_of_a_mean_inverts_its_interval(seed, level, correction, adjust):
    _, cells = campaign(seed, (300, 150, 60, 200))
    table = compare_cells(
        cells, control="c0", metrics=["spend"], correction=correction, level=level, adjust="before" if adjust else None
    )
    clear = np.abs(table["p_adjusted"] - (1 - level)) > 1e-6
    outside = (table["low"] > 0) | (table["high"] < 0)
    assert ((table["p_adjusted"] < 1 - level) == outside)[clear].all()
    assert (table["p_adjusted"] >= table["p_value"] - 1e-12).all()


@given(st.integers(0, 10**6), st.floats(1e-3, 1e4))
@settings(max_examples=20, deadline=None)
def test_scale_of_money_scales_the_interval(seed, scale):
    _, cells = campaign(seed, (200, 150, 100))
    scaled = {name: cell.combine("scaled", {"spend": scale}) for name, cell in cells.items()}
    one, other = (compare_cells(scaled, control="c0", metrics=[m], adjust="before") for m in ("spend", "scaled"))
    for column in ("estimate", "low", "high", "detectable"):
        np.testing.assert_allclose(other[column], scale * one[column], rtol=1e-6, atol=1e-9 * scale)
    for column in ("p_value", "p_adjusted"):
        np.testing.assert_allclose(other[column], one[column], rtol=1e-6)


@pytest.mark.parametrize("correction", ["max-t", "holm", "none"])
def test_order_of_cells_does_not_matter(correction):
    _, cells = campaign(12, (2000, 1000, 800, 900, 700))
    one = compare_cells(cells, control="c0", adjust={"spend": "before"}, metrics=["bought", "spend"], correction=correction)
    turned = dict(reversed(list(cells.items())))
    other = compare_cells(turned, control="c0", adjust={"spend": "before"}, metrics=["bought", "spend"], correction=correction)
    one, other = (f.sort_values(["metric", "cell"]).reset_index(drop=True) for f in (one, other))
    np.testing.assert_allclose(one[NUMBERS].to_numpy(dtype=float), other[NUMBERS].to_numpy(dtype=float), rtol=1e-9)


# Little data and bad input -------------------------------------------------------------------------------------------------------


def test_nothing_bought_anywhere_has_a_score_interval_and_no_lift():
    row = compare_cells({"a": rate(0, 400), "b": rate(0, 500)}, control="b").iloc[0]
    assert row["estimate"] == 0 and row["p_value"] == 1 and -0.02 < row["low"] < 0 < row["high"] < 0.02
    assert row["lift"] is None and row["lift_low"] is None and row["lift_high"] is None
    assert row["detectable"] > 0


def test_one_customer_each_still_has_an_interval_of_a_rate():
    row = compare_cells({"a": rate(1, 1), "b": rate(0, 1)}, control="b").iloc[0]
    assert row["low"] < 0 and row["high"] == 1 and row["p_value"] > 0.05


def test_cell_where_nobody_spent_borrows_the_spread_of_others():
    some = CellStatistics.from_sums(1000, {"spend": 500.0}, {"spend": 20_000.0})
    none = CellStatistics.from_sums(1000, {"spend": 0.0}, {"spend": 0.0})
    row = compare_cells({"a": some, "b": none}, control="b", correction="none").iloc[0]
    assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * np.sqrt(2 * some.variance("spend") / 1000), rel=2e-3)
    assert row["lift"] is None


def test_all_zero_spend_is_an_error_that_says_so():
    none = CellStatistics.from_sums(1000, {"spend": 0.0}, {"spend": 0.0})
    with pytest.raises(ModelError, match="'spend' does not vary: it is 0 for every customer of every cell"):
        compare_cells({"a": none, "b": none}, control="b")


def test_control_below_zero_has_no_lift():
    cell = CellStatistics.from_moments(100, {"profit": 2.0}, {"profit": 1.0})
    below = CellStatistics.from_moments(100, {"profit": -1.0}, {"profit": 1.0})
    unclear = CellStatistics.from_moments(100, {"profit": 0.1}, {"profit": 1.0})
    for control in (below, unclear):
        row = compare_cells({"a": cell, "b": control}, control="b").iloc[0]
        assert row["lift"] is None and row["lift_low"] is None and row["lift_high"] is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda a, b: compare_cells({"a": a, "b": b}, control="c"), "There is no control 'c'"),
        (lambda a, b: compare_cells({"a": a}, control="a"), "at least two, one of them a control"),
        (lambda a, b: compare_cells({"a": a, "b": b}, control={"a": "a"}), "Cell 'a' is its own control"),
        (lambda a, b: compare_cells({"a": a, "b": b, "c": b}, control={"a": "b"}), "Cell 'c' has no control"),
        (lambda a, b: compare_cells({"a": a, "b": b}, control={"x": "b"}), "There is no cell 'x'"),
        (
            lambda a, b: compare_cells({"a": a, "b": b}, control="b", metrics=["spent"]),
            "Unknown metric 'spent'.*Did you mean 'spend'",
        ),
        (lambda a, b: compare_cells({"a": a, "b": b}, control="b", correction="bonferroni"), "one of max-t, holm, none"),
        (lambda a, b: compare_cells({"a": a, "b": b}, control="b", level=95), "'level' must be between 0 and 1"),
        (
            lambda a, b: compare_cells({"a": a, "b": b}, control="b", options=ComparisonOptions(family="cell")),
            "'family' must be",
        ),
        (lambda a, b: compare_cells({"a": a, "b": b}, control="b", options=ComparisonOptions(power=80)), "'power' must be"),
        (lambda a, b: compare_cells({"a": a, "b": b}, control="b", adjust="before", metrics=["spend"]), "sum of products of"),
        (
            lambda a, b: compare_cells(
                {"a": a, "b": b}, control="b", metrics=[], options=ComparisonOptions(ratios={"r": ("spend", "before")})
            ),
            "sum of products",
        ),
        (lambda a, b: compare_cells({"a": a, "b": b}, control="b", metrics=[]), "at least one that all cells know|No objects"),
        (lambda a, b: CellStatistics.from_sums(0, {"bought": 0}), "'n' must be a whole number of customers of at least 1"),
        (lambda a, b: CellStatistics.from_sums(10, {"bought": 11}), "'bought' is taken for a rate"),
        (lambda a, b: CellStatistics.from_sums(10, {"spend": 10.0}, {"spend": 5.0}), "sum of squares of 'spend' is less than"),
        (lambda a, b: CellStatistics.from_sums(10, {"spend": 10.0}, {"spent": 50.0}), "Unknown metric 'spent' in squares"),
        (lambda a, b: CellStatistics.from_sums(10, {"spend": float("nan")}, {"spend": 5.0}), "finite numbers"),
        (lambda a, b: CellStatistics.from_values({"spend": []}), "at least 1"),
        (lambda a, b: CellStatistics.from_clusters(10, 5, {"spend": 10.0}, {"spend": 50.0}, {}), "no size, spend × size"),
        (
            lambda a, b: CellStatistics.from_clusters(4, 1, {"s": 15}, {"s": 225, "size": 16}, {("s", "size"): 60}),
            "from 2 to n",
        ),
    ],
)
def test_bad_input_is_refused(make, said):
    a = CellStatistics.from_sums(100, {"spend": 50.0, "before": 60.0}, {"spend": 90.0, "before": 99.0})
    b = CellStatistics.from_sums(100, {"spend": 40.0, "before": 60.0}, {"spend": 70.0, "before": 90.0})
    with pytest.raises(ModelError, match=said):
        make(a, b)


def test_one_customer_has_no_interval_of_a_mean():
    one = CellStatistics.from_sums(1, {"spend": 5.0}, {"spend": 25.0})
    with pytest.raises(ModelError, match="at least 2 for the variance of a mean"):
        compare_cells({"a": one, "b": one}, control="b")


@pytest.mark.parametrize(
    ("counts", "shares", "said"),
    [
        ({"a": 5}, None, "at least two cells"),
        ({"a": 5, "b": 5}, {"a": 0.5, "b": 0.4}, "add up to 1"),
        ({"a": 5, "b": 5}, {"a": 0.5, "c": 0.5}, "the same cells as counts"),
        ({"a": 5, "b": -1}, None, "whole numbers of at least 0"),
        ({"a": 0, "b": 0}, None, "not all 0"),
        ({"a": 1, "b": 1}, {"a": 1.0, "b": 0.0}, "above 0"),
    ],
)
def test_sample_ratio_refuses(counts, shares, said):
    with pytest.raises(ModelError, match=said):
        sample_ratio(counts, shares)


def test_sample_ratio_of_several_cells_agrees_with_scipy_and_warns_of_few():
    found = sample_ratio({"a": 510, "b": 260, "c": 230}, {"a": 0.5, "b": 0.25, "c": 0.25})
    assert found.p_value == pytest.approx(stats.chisquare([510, 260, 230], [500, 250, 250]).pvalue, rel=1e-12)
    assert found.table["expected"].tolist() == [500.0, 250.0, 250.0]
    assert sample_ratio([510, 260, 230], [0.5, 0.25, 0.25]).p_value == found.p_value
    assert "Only 2.0 customers were expected" in str(sample_ratio({"a": 36, "b": 4}, {"a": 0.95, "b": 0.05}).warning)


# Simulated campaigns -------------------------------------------------------------------------------------------------------------


def false_findings(runs, seed, sizes, share=0.02):
    """Share of campaigns without any effect in which some cell is found to differ, by metric."""
    rng = np.random.default_rng(seed)
    found = {"bought": 0, "spend": 0}
    for _ in range(runs):
        cells = {}
        for k, n in enumerate(sizes):
            spend = np.zeros(n)
            buyers = rng.binomial(n, share)
            spend[:buyers] = rng.gamma(2.0, 25.0, buyers)
            cells[f"c{k}"] = CellStatistics.from_values({"bought": spend > 0, "spend": spend}, rates=["bought"])
        table = compare_cells(cells, control="c0")
        for metric in found:
            found[metric] += bool((table.loc[table["metric"] == metric, "p_adjusted"] < 0.05).any())
    return {metric: count / runs for metric, count in found.items()}


@pytest.mark.proof
def test_campaign_without_effect_finds_one_in_twenty():
    # 200 runs: 5% ± 3 standard errors of 1.5%.
    found = false_findings(200, 20, (2000, 1000, 1000, 1000, 1000))
    assert 0.005 <= found["bought"] <= 0.097 and 0.005 <= found["spend"] <= 0.097


@pytest.mark.nightly
@pytest.mark.parametrize("sizes", [(2000,) * 5, (4000, 2000, 2000, 2000, 2000), (20_000, 5000, 5000, 5000, 5000)])
def test_campaign_without_effect_errs_at_its_level(sizes):
    found = false_findings(2000, 21, sizes)
    print(sizes, found)
    assert 0.035 <= found["bought"] <= 0.065 and 0.035 <= found["spend"] <= 0.065


def coverage(runs, seed, n, n_control, share, shape, effect=0.2, level=0.9):
    """Share of intervals of incremental profit that hold the truth, and how often it was below and above them."""
    rng = np.random.default_rng(seed)
    truth = share * effect * 40.0 * 0.3 - 0.01
    inside = below = above = 0
    for _ in range(runs):
        cells = {}
        for name, size, p in (("letter", n, share * (1 + effect)), ("none", n_control, share)):
            spend = np.zeros(size)
            buyers = rng.binomial(size, p)
            spend[:buyers] = rng.gamma(shape, 40.0 / shape, buyers)
            cell = CellStatistics.from_values({"spend": spend})
            cells[name] = cell.combine("profit", {"spend": 0.3}, -0.01 if name == "letter" else 0.0)
        row = compare_cells(cells, control="none", metrics=["profit"], level=level).iloc[0]
        below, above = below + (truth < row["low"]), above + (truth > row["high"])
        inside += row["low"] <= truth <= row["high"]
    return inside / runs, below / runs, above / runs


@pytest.mark.proof
def test_intervals_of_profit_hold_the_truth_though_99_of_100_spend_nothing():
    # 400 runs: 90% ± 3 standard errors of 1.5%.
    found = coverage(400, 30, 5000, 1000, 0.01, 1.5)
    assert 0.855 <= found[0] <= 0.945


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("n", "n_control", "share", "shape"),
    [
        (2000, 2000, 0.01, 1.5),
        (10_000, 2000, 0.01, 1.5),
        (2000, 10_000, 0.01, 1.5),
        (20_000, 5000, 0.01, 0.5),
        (20_000, 20_000, 0.01, 0.5),
        (5000, 1000, 0.10, 1.5),
        (5000, 5000, 0.50, 1.5),
    ],
)
def test_intervals_of_profit_hold_their_level(n, n_control, share, shape):
    found = coverage(4000, 31, n, n_control, share, shape)
    print((n, n_control, share, shape), found)
    assert 0.88 <= found[0] <= 0.92


@pytest.mark.nightly
@pytest.mark.parametrize(("n", "n_control"), [(10_000, 2000), (5000, 5000)])
def test_adjusted_intervals_hold_their_level(n, n_control):
    rng, inside = np.random.default_rng(32), 0
    for _ in range(3000):
        cells = {}
        for name, size in (("letter", n), ("none", n_control)):
            before = rng.gamma(0.5, 40.0, size)
            bought = rng.random(size) < 0.005 * (1 + before / 20)
            spend = np.where(bought, rng.gamma(1.5, 20.0, size) + 0.3 * before, 0.0)
            cells[name] = CellStatistics.from_values({"spend": spend, "before": before})
        row = compare_cells(cells, control="none", adjust="before", level=0.9).iloc[0]
        inside += row["low"] <= 0 <= row["high"]
    print((n, n_control), inside / 3000)
    assert 0.88 <= inside / 3000 <= 0.92
