"""Campaign tests from a frame: real tests against other routes to the same numbers, any kind of table, and what is said."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models import (
    ComparisonOptions,
    boundaries,
    compare,
    compare_cells,
    critical_value,
    factorial,
    factorial_effects,
    ratio,
)
from crmlab.models.testing.cells import CellStatistics

CHARITABLE = Path(os.environ.get("CRMLAB_DATA", "/nowhere")) / "charitable.parquet"
ALONE = ComparisonOptions(correction="none")


def hillstrom() -> pd.DataFrame:
    """Customers of Hillstrom's e-mail test (MineThatData, 2008), as many in each cell as visited and bought: 64,000, 9,394 and 578."""
    cells = {"No E-Mail": (21_306, 2_262, 122), "Mens E-Mail": (21_307, 3_894, 267), "Womens E-Mail": (21_387, 3_238, 189)}
    frames = [
        pd.DataFrame({"segment": name, "visit": (np.arange(n) < visits).astype(int), "conversion": np.arange(n) < buyers})
        for name, (n, visits, buyers) in cells.items()
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def charity() -> pd.DataFrame:
    """Karlan and List (2007), Does price matter in charitable giving?, American Economic Review 97; without the two unknown gifts."""
    if not CHARITABLE.exists():
        pytest.skip("CRMLAB_DATA names no folder with charitable.parquet.")
    people = pd.read_parquet(CHARITABLE).dropna(subset=["out_amountgive"]).reset_index(drop=True)
    people["match"] = np.select(
        [people["treatment"] == 0, people["treat_ratio2"] == 1, people["treat_ratio3"] == 1], ["none", "2:1", "3:1"], "1:1"
    )
    people["size"] = np.select(
        [people[f"treat_size{k}"] == 1 for k in ("25", "50", "100")], ["25,000", "50,000", "100,000"], "no limit"
    )
    return people.rename(columns={"out_gavedum": "gave", "out_amountgive": "amount"})


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    """Customers with one to four visits each, and what they spent before."""
    rng = np.random.default_rng(3)
    rows = []
    for k in range(900):
        before, prone = rng.gamma(2.0, 30.0), rng.beta(2, 5)
        for _ in range(rng.integers(1, 5)):
            bought = rng.random() < prone
            rows.append((f"k{k}", "ab"[k % 2], int(bought), bought * rng.gamma(2.0, 10.0) + 0.05 * before, 1, before))
    return pd.DataFrame(rows, columns=["customer_id", "cell", "bought", "spend", "sessions", "before"])


# The same numbers by other routes ---------------------------------------------------------------------------------------------------


def test_hillstroms_email_test():
    from statsmodels.stats.proportion import confint_proportions_2indep
    from statsmodels.stats.proportion import test_proportions_2indep as two_proportions

    people = hillstrom()
    # As published for the whole file: 14.678% visited and 0.903% bought.
    assert len(people) == 64_000 and people["visit"].mean() == pytest.approx(0.14678, abs=5e-6)
    assert people["conversion"].mean() == pytest.approx(0.00903, abs=5e-6)
    found = compare(people, cell="segment", control="No E-Mail", metrics=["visit", "conversion"], options=ALONE)
    frame = found.frame.set_index(["metric", "cell"])
    for (metric, cell), row in frame.iterrows():
        x1, x0 = (int(people.loc[people["segment"] == name, metric].sum()) for name in (cell, "No E-Mail"))
        assert (row["mean"], row["mean_control"]) == pytest.approx((x1 / row["n"], x0 / row["n_control"]), rel=1e-12)
        peer = two_proportions(x1, row["n"], x0, row["n_control"], method="score", compare="diff")
        assert row["p_value"] == pytest.approx(peer.pvalue, rel=1e-6)
        ends = confint_proportions_2indep(x1, row["n"], x0, row["n_control"], method="score", compare="diff")
        assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-4)  # statsmodels' search stops early
    assert frame.loc[("visit", "Mens E-Mail"), "estimate"] == pytest.approx(0.07659, abs=5e-6)
    corrected = compare(people, cell="segment", control="No E-Mail", metrics=["visit", "conversion"]).frame
    assert (corrected["low"].to_numpy() < found.frame["low"].to_numpy()).all()


def test_equal_cells_are_compared_by_welch(charity):
    cells = {name: charity[charity["match"] == name].head(11_000) for name in ("none", "2:1")}
    both = pd.concat(cells.values())
    row = compare(both, cell="match", control="none", metrics={"amount": "mean"}, options=ALONE).frame.iloc[0]
    peer = stats.ttest_ind(cells["2:1"]["amount"], cells["none"]["amount"], equal_var=False)
    ends = peer.confidence_interval(0.95)
    assert row["p_value"] == pytest.approx(peer.pvalue, rel=1e-6)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), rel=1e-6)
    # Unequal ones are freed of skewness, which moves the ends a little.
    whole = compare(
        charity.assign(cell=charity["treatment"]), cell="cell", control=0, metrics={"amount": "mean"}, options=ALONE
    ).frame.iloc[0]
    given, kept = (charity.loc[charity["treatment"] == k, "amount"] for k in (1, 0))
    assert whole["estimate"] == pytest.approx(given.mean() - kept.mean(), rel=1e-12)
    assert whole["p_value"] == pytest.approx(stats.ttest_ind(given, kept, equal_var=False).pvalue, abs=0.01)


def test_a_ratio_is_compared_by_the_delta_method(charity):
    found = compare(
        charity, cell="treatment", control=0, metrics={"gave": "rate", "gift": ratio("amount", "gave")}, options=ALONE
    )
    row = found.frame.set_index("metric").loc["gift"]
    means, variances = [], []
    for k in (1, 0):
        x, y = (charity.loc[charity["treatment"] == k, name].to_numpy(dtype=float) for name in ("amount", "gave"))
        r = x.sum() / y.sum()
        means.append(r)
        variances.append((x - r * y).var(ddof=1) / len(x) / y.mean() ** 2)
    assert (row["mean"], row["mean_control"]) == pytest.approx(means, rel=1e-12)
    assert means[0] == pytest.approx(charity.loc[(charity["treatment"] == 1) & (charity["gave"] == 1), "amount"].mean())
    assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * np.sqrt(sum(variances)), rel=1e-3)
    assert "gift is amount over gave, each added up over a cell." in found.sentences


def test_covariates_are_taken_off_as_a_regression_does(charity):
    import statsmodels.api as sm

    x = charity[["treatment", "hpa", "freq"]].astype(float)
    fit = sm.OLS(charity["amount"], sm.add_constant(x)).fit(cov_type="HC2")
    row = compare(
        charity, cell="treatment", control=0, metrics={"amount": "mean"}, covariates=["hpa", "freq"], options=ALONE
    ).frame.iloc[0]
    assert row["estimate"] == pytest.approx(fit.params["treatment"], rel=1e-9)
    # The interval allows for skewness; its width is that of the robust error.
    assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * fit.bse["treatment"], rel=0.01)
    plain = compare(charity, cell="treatment", control=0, metrics={"amount": "mean"}, options=ALONE).frame.iloc[0]
    assert row["high"] - row["low"] < plain["high"] - plain["low"]
    per = compare(charity, cell="treatment", control=0, metrics=["gave", "amount"], covariates={"amount": "hpa"}).frame
    assert per["method"].tolist() == ["score", "welch-skew-adjusted"]


def test_it_is_compare_cells_that_compares():
    people = hillstrom()
    cells = {
        name: CellStatistics.from_values(part[["visit", "conversion"]], rates=["visit", "conversion"])
        for name, part in people.groupby("segment")
    }
    for options in (ComparisonOptions(), ComparisonOptions(correction="holm", level=0.9, family="all", power=0.9)):
        found = compare(people, cell="segment", control="No E-Mail", metrics=["visit", "conversion"], options=options).frame
        pd.testing.assert_frame_equal(found, compare_cells(cells, control="No E-Mail", options=options))
    own = {"Mens E-Mail": "No E-Mail", "Womens E-Mail": "Mens E-Mail"}
    found = compare(people, cell="segment", control=own, metrics=["visit"])
    assert found.frame[["cell", "control"]].values.tolist() == [list(pair) for pair in own.items()]


def test_options_hold_level_and_correction_for_compare_cells():
    cells = {name: CellStatistics.from_sums(1000, {"bought": x}) for name, x in {"a": 60, "b": 80, "c": 40}.items()}
    by_options = compare_cells(cells, control="c", options=ComparisonOptions(level=0.9, correction="holm"))
    pd.testing.assert_frame_equal(by_options, compare_cells(cells, control="c", level=0.9, correction="holm"))
    # What is given by itself goes before the options.
    mixed = compare_cells(cells, control="c", level=0.8, options=ComparisonOptions(level=0.9, correction="holm"))
    assert (mixed["level"].unique().tolist(), mixed["correction"].unique().tolist()) == ([0.8], ["holm"])


# Any kind of table ------------------------------------------------------------------------------------------------------------------


def tables(frame):
    import ibis
    import polars as pl
    import pyarrow as pa

    return {
        "polars": pl.from_pandas(frame), "lazy": pl.from_pandas(frame).lazy(), "arrow": pa.Table.from_pandas(frame),
        "ibis": ibis.memtable(frame), "nullable": frame.convert_dtypes(), "categories": frame.astype({"cell": "category"}),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow", "ibis", "nullable", "categories"])
def test_every_kind_of_table_says_the_same(visits, kind):
    metrics = {"bought": "rate", "spend": "mean", "share": ratio("bought", "sessions")}
    given = {"cell": "cell", "control": "a", "metrics": metrics, "covariates": ["before"], "unit": "customer_id"}
    found, expected = compare(tables(visits)[kind], **given), compare(visits, **given)
    pd.testing.assert_frame_equal(found.frame, expected.frame, rtol=1e-9)
    assert found.sentences == expected.sentences


def test_none_and_na_are_names_and_numbers_are_written_as_they_are():
    people = pd.DataFrame({"cell": ["none", "NA", "nan"] * 40, "bought": [True, False, True, False, False, False] * 20})
    assert compare(people, cell="cell", control="none", metrics=["bought"]).frame["cell"].tolist() == ["NA", "nan"]
    numbered = people.assign(cell=[0.0, 1.0, 10.0] * 40)
    found = compare(
        numbered, cell="cell", control=0, metrics=["bought"], options=ComparisonOptions(shares={0: 0.5, 1: 0.25, 10: 0.25})
    )
    assert found.frame["cell"].tolist() == ["1", "10"] and "do not fit the planned shares" not in found.sentences[0]
    assert found.sample_ratio.table["designed"].tolist() == [0.5, 0.25, 0.25]


def test_decimals_are_numbers():
    from decimal import Decimal

    people = pd.DataFrame({"cell": ["a", "b"] * 40, "spend": [Decimal("1.5"), Decimal("2.5"), Decimal("0"), Decimal("1")] * 20})
    assert compare(people, cell="cell", control="a", metrics=["spend"]).frame["estimate"].item() == pytest.approx(1.0)


# Units with several rows ------------------------------------------------------------------------------------------------------------


def test_rows_are_added_up_by_unit(visits):
    metrics = {"bought": "rate", "spend": "mean", "share": ratio("bought", "sessions")}
    found = compare(visits, cell="cell", control="a", metrics=metrics, covariates=["before"], unit="customer_id")
    by = visits.groupby("customer_id", sort=False)
    one = by[["spend", "sessions", "bought"]].sum().assign(cell=by["cell"].first(), before=by["before"].first())
    one = one.assign(purchases=one["bought"], bought=(one["bought"] > 0).astype(int))
    expected = compare(
        one, cell="cell", control="a", metrics={**metrics, "share": ratio("purchases", "sessions")}, covariates=["before"]
    )
    pd.testing.assert_frame_equal(found.frame, expected.frame, rtol=1e-9)
    assert found.frame["n"].tolist() == [450] * 3
    assert found.sentences[-1] == (
        f"{len(visits):,} rows are of 900 units (customer_id), which is what was compared: spend, sessions, sum of bought were added up "
        "by unit; of bought it counts whether a unit has any."
    )
    # A row for each is taken as it is.
    alone = compare(one.reset_index(), cell="cell", control="a", metrics=metrics, unit="customer_id")
    assert "Each of the 900 units (customer_id) has one row." in alone.sentences


def test_intervals_of_units_are_wider_than_those_of_rows_and_hold_their_level():
    rng = np.random.default_rng(8)
    missed = {"unit": 0, "rows": 0}
    for _ in range(40):
        own = np.repeat(rng.normal(size=200), 10)
        frame = pd.DataFrame(
            {
                "id": np.repeat(np.arange(200), 10),
                "cell": np.repeat(np.arange(200) % 2, 10),
                "y": own + rng.normal(size=2000),
                "one": 1,
            }
        )
        for name, unit in (("unit", "id"), ("rows", None)):
            row = compare(frame, cell="cell", control=0, metrics={"y": ratio("y", "one")}, unit=unit).frame.iloc[0]
            missed[name] += not row["low"] <= 0 <= row["high"]
    assert missed["unit"] <= 6 and missed["rows"] > 16


# Looks ------------------------------------------------------------------------------------------------------------------------------


def test_where_a_test_stands_at_a_look(charity):
    two = charity[charity["match"].isin(["none", "2:1"])]
    for look in (1, 2, 4):
        options = ComparisonOptions(looks=4, look=look, correction="none")
        found = compare(two, cell="match", control="none", metrics=["gave"], options=options)
        bar, row = boundaries("lan-demets-obf", 4).iloc[look - 1], found.frame.iloc[0]
        assert row["level"] == pytest.approx(1 - bar["p_nominal"], abs=1e-12)
        reached = row["p_value"] < bar["p_nominal"]
        assert (
            reached
            == (row["low"] > 0 or row["high"] < 0)
            == any("The bar was reached by 2:1 in gave" in one for one in found.sentences)
        )
        said = next(one for one in found.sentences if one.startswith(f"Look {look} of 4, after {25 * look}% of the data"))
        assert f"{bar['z']:.2f} standard errors from 0" in said and said.endswith("all looks together then keep 95%.")
    assert (
        "Nothing has reached the bar: the test goes on as planned."
        in compare(
            two, cell="match", control="none", metrics=["gave"], options=ComparisonOptions(looks=[0.2, 0.7, 1.0])
        ).sentences
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"looks": 4, "look": 5}, "'look' must be a whole number from 1 to 4"),
        ({"look": 2}, "'looks' must be given"),
        ({"looks": [0.5, 0.2]}, "'looks' must be a whole number, or rising shares"),
        ({"looks": 3, "boundary": "haybittle"}, "'kind' must be one of"),
        ({"level": 95}, "'level' must be between 0 and 1"),
        ({"correction": "bh"}, "'correction' must be one of max-t, holm, none"),
    ],
)
def test_options_are_checked(given, said):
    with pytest.raises(ModelError, match=said):
        ComparisonOptions(**given)


@pytest.mark.parametrize(("boundary", "documented"), [("lan-demets-obf", 0.051), ("pocock", 0.053)])
def test_several_cells_and_looks_keep_their_level_nearly(boundary, documented):
    # Four cells of the control's size, four looks, nothing differs: walks of all five, and the bars that a look has for several cells.
    rng, n, missed = np.random.default_rng(2), 100_000, 0
    correlation = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    control, cells, hit = np.zeros(n), np.zeros((n, 4)), np.zeros(n, dtype=bool)
    for look in (1, 2, 3, 4):
        control += rng.normal(size=n)
        cells += rng.normal(size=(n, 4))
        at = ComparisonOptions(looks=4, look=look, boundary=boundary).at_look()
        assert (at.number, at.of, at.fraction) == (look, 4, look / 4)
        hit |= np.abs(cells - control[:, None]).max(axis=1) / np.sqrt(2 * look) > critical_value(correlation, at.level)
        missed = hit.mean()
    assert missed == pytest.approx(documented, abs=0.002)
    # And it is this level that compare_cells takes.
    four = {str(k): CellStatistics.from_sums(1000, {"bought": 50 + k}) for k in range(5)}
    at = ComparisonOptions(looks=4, look=2, boundary=boundary)
    pd.testing.assert_frame_equal(
        compare_cells(four, control="0", options=at), compare_cells(four, control="0", level=at.at_look().level)
    )


# Factorial designs ------------------------------------------------------------------------------------------------------------------


def test_main_effects_from_columns(charity):
    import statsmodels.formula.api as smf

    sent = charity[charity["treatment"] == 1]
    found = factorial(sent, factors={"match": "1:1", "size": "no limit"}, metrics=["gave", "amount"], order=1, options=ALONE)
    amount = found.frame[found.frame["metric"] == "amount"].set_index("levels")
    fit = smf.ols("amount ~ C(match, Treatment('1:1')) + C(size, Treatment('no limit'))", sent).fit(cov_type="HC3")
    for level in ("2:1", "3:1"):
        name = f"C(match, Treatment('1:1'))[T.{level}]"
        row = amount.loc[f"{level} against 1:1"]
        assert row["estimate"] == pytest.approx(fit.params[name], rel=1e-6)
        assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * fit.bse[name], rel=5e-3)
    # Karlan and List: higher ratios than 1:1 are not shown to bring more.
    assert sum("no difference is shown" in one for one in found.sentences if one.startswith("gave: match")) == 2
    assert "Nothing was corrected for 5 comparisons: by chance alone, some may seem to differ." in found.sentences


def test_factorial_is_that_of_cells():
    rng = np.random.default_rng(4)
    people = pd.DataFrame(
        {"offer": rng.choice(["10%", "none"], 4000), "photo": rng.choice([True, False], 4000), "before": rng.normal(size=4000)}
    )
    people["spend"] = rng.normal(size=4000) + people["before"] + 0.3 * (people["offer"] == "10%") * people["photo"]
    found = factorial(people, factors={"offer": "none", "photo": False}, metrics={"spend": "mean"}, covariates=["before"])
    cells, parts = {}, {}
    for offer in ("none", "10%"):
        for photo in ("False", "True"):
            part = people[(people["offer"] == offer) & (people["photo"].astype(str) == photo)]
            cells[f"{offer} / {photo}"] = CellStatistics.from_values(part[["spend", "before"]])
            parts[f"{offer} / {photo}"] = {"offer": offer, "photo": photo}
    expected = factorial_effects(cells, parts, "spend", adjust=["before"])
    pd.testing.assert_frame_equal(found.frame.drop(columns="metric"), expected)
    assert found.frame["estimate"].iloc[-1] == pytest.approx(0.3, abs=0.13)
    assert any("together they bring" in one and "more than the sum of both" in one for one in found.sentences)
    assert "Sizes of cells fit equal shares" in " ".join(found.sentences)


# What is said and shown -------------------------------------------------------------------------------------------------------------


def test_sentences_say_what_was_found(charity):
    people = hillstrom()
    said = compare(
        people, cell="segment", control="No E-Mail", metrics=["visit"], options=ComparisonOptions(level=0.9)
    ).sentences
    assert said[0].startswith(
        "visit: 18.28% in Mens E-Mail against 10.62% in No E-Mail, 7.66 percentage points higher (90% interval "
    )
    assert said[0].endswith("Relative to No E-Mail that is 72% higher (64% to 81%).")
    assert said[2:] == (
        "Intervals and adjusted p-values hold for the 2 cells of the metric together, corrected by the distribution of the largest of them (max-t).",
        "Sizes of cells fit equal shares (p = 0.90).",
        "Each of the 64,000 rows was counted as one unit.",
        "visit holds nothing but 0 and 1, so it was taken as a rate.",
    )
    assert not any(
        "taken as a rate" in one
        for one in compare(people, cell="segment", control="No E-Mail", metrics={"visit": "rate"}).sentences
    )
    assert (
        compare(people, cell="segment", control="No E-Mail", metrics={"visit": "mean"})
        .frame["method"]
        .str.startswith("welch")
        .all()
    )
    many = compare(charity, cell="match", control="none", metrics=["gave", "amount"], options=ComparisonOptions(family="all"))
    assert any("hold for all 6 comparisons together" in one for one in many.sentences)
    shown = [one for one in many.sentences if one.startswith("amount")]
    assert all(
        "no difference is shown (95% interval of the difference" in one and "would have been found with a chance of 80%" in one
        for one in shown
    )
    text = " ".join([*said, *many.sentences, str(many)])
    assert not re.search("significan|winner", text, re.I)


def test_sizes_that_do_not_fit_come_first(charity):
    given = {"cell": "treatment", "control": 0, "metrics": ["gave"]}
    first = compare(charity, **given).sentences[0]
    assert (
        first.startswith("Sizes of cells are not equal (16,687 in 0, 33,394 in 1;") and "ComparisonOptions(shares=…)" in first
    )
    planned = compare(charity, **given, options=ComparisonOptions(shares={0: 1 / 3, 1: 2 / 3}))
    assert any(one.startswith("Sizes of cells fit the planned shares (p = 0.9") for one in planned.sentences)
    wrong = compare(charity, **given, options=ComparisonOptions(shares={0: 0.3, 1: 0.7}))
    assert (
        "do not fit the planned shares" in wrong.sentences[0]
        and "Find out what got lost before reading on." in wrong.sentences[0]
    )


def test_cells_too_small_to_adjust_say_so():
    people = pd.DataFrame(
        {"cell": ["a"] * 4 + ["b"] * 4, "spend": [1.0, 2, 3, 5, 2, 3, 4, 9], "before": [1.0, 2, 2, 4, 1, 5, 3, 2]}
    )
    found = compare(people, cell="cell", control="a", metrics=["spend"], covariates="before")
    assert "Cells are too small to take off what before would explain: it was not done." in found.sentences


def test_the_plot_shows_the_frame():
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    found = compare(hillstrom(), cell="segment", control="No E-Mail", metrics=["visit", "conversion"])
    ax = found.plot("visit")
    rows = found.frame[found.frame["metric"] == "visit"]
    ends = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2][1:]
    assert np.allclose(ends, 100 * rows[["low", "high"]].to_numpy())
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Mens E-Mail", "Womens E-Mail"]
    assert ax.get_xlabel() == "Difference in visit from No E-Mail (percentage points)"
    _, own = plt.subplots()
    assert found.plot(ax=own) is own and own.get_xlabel() == "Relative difference from No E-Mail (%)"
    assert own.get_yticklabels()[0].get_text() == "visit: Mens E-Mail"
    nobody = compare(pd.DataFrame({"c": ["a", "b"] * 50, "x": [0, 1] + [0] * 98}), cell="c", control="a", metrics=["x"])
    assert len(nobody.plot().texts) == 0
    many = pd.concat([nobody.frame, nobody.frame.assign(metric="y")])
    from dataclasses import replace

    assert len(replace(nobody, frame=many, kinds={"x": "rate", "y": "rate"}).plot().texts) == 2
    with pytest.raises(ModelError, match="Unknown metric 'visits' in plot"):
        found.plot("visits")
    plt.close("all")


LONG = [
    "Voucher of $10 off the next order above $50 for lapsed buyers",
    "photo_of_the_product_on_a_white_background_and_a_caption_too",
    "none",
]


def _long_plots():
    rng = np.random.default_rng(3)
    people = pd.DataFrame({"cell": rng.choice(LONG, 3000), "visit": rng.integers(0, 2, 3000)})
    people["change"] = rng.normal(0, 1, 3000)  # around 0: no relative difference can be told
    yield compare(people, cell="cell", control="none", metrics=["visit", "change"]).plot
    yield compare(people, cell="cell", control=LONG[0], metrics=["visit"]).plot
    two = people[people["cell"] != "none"].assign(
        **{"creative": lambda f: np.where(f["change"] > 0, "plain " + "x" * 54, "photo")}
    )
    yield factorial(two, factors=["cell", "creative"], metrics=["visit"]).plot


@pytest.mark.parametrize("which", range(3))
def test_long_names_are_whole_within_the_figure_and_leave_the_axes_their_room(which):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    assert all(len(name) >= 60 for name in LONG[:2])
    ax = list(_long_plots())[which]()
    figure = ax.figure
    figure.canvas.draw()
    labels = ax.get_yticklabels()
    for text in [*labels, ax.xaxis.label, ax.title, *ax.texts]:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert all(upper.y0 >= lower.y1 for lower, upper in pairwise(boxes))
    assert ax.bbox.width > 0.55 * figure.bbox.width and ax.bbox.height > 0.5 * figure.bbox.height
    whole = "".join(label.get_text() for label in labels) + ax.get_xlabel()
    for name in LONG[:2]:
        assert "".join(name.split()) in "".join(whole.split())  # nothing is left out, and no formula is made of the dollars
    plt.close("all")


def test_units_in_two_cells_are_left_out_where_that_is_asked_for():
    people = hillstrom().sample(6000, random_state=1).reset_index(drop=True)
    people = people.assign(customer_id=np.arange(6000))
    again = people.iloc[:40].assign(segment=np.where(people["segment"].iloc[:40] == "No E-Mail", "Mens E-Mail", "No E-Mail"))
    both = pd.concat([people, again, people.iloc[50:60]])
    given = {"cell": "segment", "control": "No E-Mail", "metrics": ["visit", "conversion"], "unit": "customer_id"}
    leave = ComparisonOptions(in_two_cells="leave out")
    found = compare(both, **given, options=leave)
    # The same as without them from the beginning.
    own = compare(pd.concat([people.iloc[40:], people.iloc[50:60]]), **given)
    pd.testing.assert_frame_equal(found.frame, own.frame)
    said = "40 of 6,000 units (customer_id) were in more than one cell, and were left out of all of them, with their 80 rows."
    assert said in found.sentences and said not in own.sentences
    assert [one for one in found.sentences if one != said] == list(own.sentences)
    none = compare(people, **given, options=leave)
    assert none.sentences == compare(people, **given).sentences
    with pytest.raises(ModelError, match=r"Found: 40 in more than one, such as 0. Find out why .*in_two_cells='leave out'"):
        compare(both, **given)
    other = people.assign(segment=np.where(people["segment"] == "No E-Mail", "Mens E-Mail", "No E-Mail"))
    with pytest.raises(
        ModelError,
        match="Found: 6,000 in more than one, such as 0, and no others in .*No E-Mail.* Find out why before comparing.$",
    ):
        compare(pd.concat([people, other]), **given, options=leave)
    with pytest.raises(ModelError, match="'in_two_cells' must be 'error' or 'leave out'. Got 'drop' instead"):
        ComparisonOptions(in_two_cells="drop")


def test_a_factorial_leaves_out_who_was_in_two_cells_too():
    rng = np.random.default_rng(5)
    people = pd.DataFrame({"id": range(400), "offer": ["a", "b"] * 200, "photo": ["no"] * 200 + ["yes"] * 200})
    people["bought"] = rng.integers(0, 2, 400)
    both = pd.concat([people, people.iloc[:3].assign(photo="yes")])
    given = {"factors": ["offer", "photo"], "metrics": ["bought"], "unit": "id"}
    found = factorial(both, **given, options=ComparisonOptions(in_two_cells="leave out"))
    pd.testing.assert_frame_equal(found.frame, factorial(people.iloc[3:], **given).frame)
    assert any(one.startswith("3 of 400 units (id) were in more than one cell") for one in found.sentences)


def test_a_notebook_shows_sentences_and_frame_and_runs_no_markup():
    people = pd.DataFrame({"cell": ["<b>new</b>", "old"] * 50, "bought": [1, 0, 0, 0] * 25})
    page = compare(people, cell="cell", control="old", metrics=["bought"])._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;new&lt;/b&gt;" in page and "<table" in page and "p_adjusted" in page


def test_holms_findings_are_those_of_its_p_values():
    # Bonferroni's intervals are wider than what Holm's p-values ask for: b is shown, though its interval holds 0.
    rows = {"control": 100, "a": 180, "b": 130}
    people = pd.concat([pd.DataFrame({"cell": name, "x": (np.arange(1000) < n).astype(int)}) for name, n in rows.items()])
    found = compare(people, cell="cell", control="control", metrics={"x": "rate"}, options=ComparisonOptions(correction="holm"))
    row = found.frame.set_index("cell").loc["b"]
    assert row["p_adjusted"] < 0.05 and row["low"] < 0 < row["high"]
    assert "3.0 percentage points higher" in found.sentences[1]
    said = " ".join(found.sentences)
    assert "corrected by Holm's method" in said and "one may hold 0 where a difference is shown" in said


def test_relative_differences_that_cannot_be_given_are_empty_in_a_notebook():
    people = pd.DataFrame({"cell": ["a", "b"] * 50, "x": [0, 1] + [0] * 98})
    page = compare(people, cell="cell", control="a", metrics=["x"])._repr_html_()
    assert "None" not in page and "NaN" not in page and "nan" not in page


# What is refused --------------------------------------------------------------------------------------------------------------------

SOME = pd.DataFrame({"cell": ["a", "b"] * 30, "bought": [0, 1, 1] * 20, "spend": np.arange(60.0), "customer_id": np.arange(60)})


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        (lambda f: f.assign(cell=[None, *f["cell"][1:]]), {}, "each row must have a name in 'cell'. Found 1 row that is not so, of 60; the first at index 0.* keep_default_na=False"),
        (lambda f: f.assign(spend=[np.nan, *f["spend"][1:]]), {}, "each row must have a value in 'spend'. Found 1 row .* If nothing happened, write 0: fillna"),
        (lambda f: f.assign(before=[1.0, None] * 30), {"covariates": ["before"]}, "each row must have a value in 'before'. Found 30 rows"),
        (lambda f: f.assign(spend=[np.inf, *f["spend"][1:]]), {}, "'spend' must be finite numbers"),
        (lambda f: f.assign(spend="much"), {}, "'spend' must be numbers. Got 'much'"),
        (lambda f: f.assign(customer_id=np.arange(60) // 2), {}, r"ids in 'customer_id' that repeat, in 30 of 60 rows. Add rows up by customer with unit='customer_id'"),
        (lambda f: f.assign(customer_id=np.arange(60) // 2), {"unit": "customer_id"}, r"each 'customer_id' in one cell. Found: 30 in more than one, such as 0"),
        (lambda f: f.assign(customer_id=[None, *range(59)]), {"unit": "customer_id"}, "each row must have a unit in 'customer_id'"),
        (lambda f: f.set_index("cell"), {}, r"missing column 'cell'. Found: .* It is in the index: use reset_index\(\) first"),
        (lambda f: f.iloc[:0], {}, "the frame is empty"),
        (lambda f: f[f["cell"] == "a"], {}, "'cells' must be at least two"),
        (lambda f: f.assign(cell=[1, "1"] * 30), {}, "cells that are written differently"),
        (lambda f: pd.concat([f, f[["spend"]]], axis=1), {}, "'spend' must be the name of one column. Got 2"),
        (lambda f: [1], {}, "compare: expected a table: a frame of pandas, Polars or PyArrow, or an Ibis table"),
        (lambda f: f, {"control": "A"}, "There is no control 'A'. .* Did you mean 'a'?"),
        (lambda f: f, {"metrics": {}}, "'metrics' must be at least one"),
        (lambda f: f, {"metrics": {"spend": "rate"}}, r"'metrics\[spend\]' must be 0 or 1 in every row to be a rate. Got 2"),
        (lambda f: f, {"metrics": {"spend": "median"}}, r"'metrics\[spend\]' must be 'rate', 'mean' or ratio"),
        (lambda f: f, {"metrics": [ratio("spend", "bought")]}, "a ratio needs a name of its own, in a mapping"),
        (lambda f: f, {"metrics": {"r": ratio("spend", "orders")}}, "missing column 'orders'"),
        (lambda f: f, {"metrics": 5}, "'metrics' must be names of columns. Got 5"),
        (lambda f: f, {"metrics": [1]}, "'metrics' must be names of columns, as texts. Got 1"),
        (lambda f: f, {"covariates": [["spend"]]}, "'covariates' must be names of columns, as texts"),
        (lambda f: f, {"cell": ["cell"]}, "'cell' must be names of columns, as texts"),
        (lambda f: f, {"options": {"level": 0.9}}, r"'options' must be ComparisonOptions"),
        (lambda f: f.assign(cell=[[1], [2]] * 30), {}, "'cell' must be a column of names or numbers. Got 'list'"),
        (lambda f: f.assign(spend=pd.Timestamp("2025-01-01")), {}, "'spend' must be numbers"),
        (lambda f: f.assign(spend=2.0), {}, "'spend' does not vary: it is 2 for every customer"),
        (lambda f: f, {"metrics": ["cell"]}, "'cell' must be a column that is no metric"),
        (lambda f: f, {"options": ComparisonOptions(shares={"a": 1.0})}, "'shares' must be of the same cells"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(change, given, said):
    with pytest.raises(ModelError, match=said):
        compare(change(SOME), **{"cell": "cell", "control": "a", "metrics": ["bought", "spend"], **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"factors": ["cell"]}, "'factors' must be at least two columns; compare is for one"),
        ({"factors": {"cell": "c", "half": 0}}, "There is no level of cell 'c'"),
        ({"factors": ["cell", "cell2"]}, "cannot be told apart"),
        ({"factors": ["cell", "half"], "options": ComparisonOptions(family="all")}, "'family' must be left at metric"),
        ({"factors": ["cell", "half"], "options": ComparisonOptions(power=0.9)}, "'power' must be left at 0.8"),
    ],
)
def test_what_is_no_design_is_refused(given, said):
    frame = SOME.assign(half=np.arange(60) // 30, cell2=SOME["cell"].str.upper())
    with pytest.raises(ModelError, match=said):
        factorial(frame, metrics=["spend"], **given)


def test_people_of_households_that_were_assigned_together_have_variances_by_household():
    draw = np.random.default_rng(5)
    size = draw.integers(1, 4, 900)
    home = np.repeat(np.arange(900), size)
    arm, alike = draw.choice(["letter", "none"], 900), draw.normal(size=900)
    people = pd.DataFrame({"home": home, "arm": arm[home], "spend": alike[home] + draw.normal(size=len(home)) + 5.0})
    people["bought"] = (people["spend"] > 5.5).astype(int)
    options = ComparisonOptions(household="home")
    found = compare(people, cell="arm", control="none", metrics={"spend": "mean", "bought": "rate"}, options=options)
    for metric in ("spend", "bought"):
        row = found.frame.set_index("metric").loc[metric]
        error = 0.0
        for _, mine in people.groupby("arm"):
            # Cochran (1977), Sampling Techniques, (9A.3): residuals of a household added up.
            parts = (mine[metric] - mine[metric].mean()).groupby(mine["home"]).sum()
            error += len(parts) / (len(parts) - 1) * float((parts**2).sum()) / len(mine) ** 2
        means = people.groupby("arm")[metric].mean()
        assert row["estimate"] == pytest.approx(means["letter"] - means["none"], rel=1e-12)
        # A rate's interval is by the score, which is close to Wald's here.
        assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * error**0.5, rel=0.01)
    assert any("people are of 900 households (home)" in one for one in found.sentences)
    assert int(found.sample_ratio.table["n"].sum()) == 900


def test_a_household_in_two_cells_is_refused_or_left_out():
    people = pd.DataFrame({"home": [1, 1, 2, 3, 4, 5], "arm": ["a", "b", "a", "a", "b", "b"], "spend": [1.0, 2, 3, 4, 6, 9]})
    asked = {"cell": "arm", "control": "b", "metrics": ["spend"]}
    with pytest.raises(ModelError, match="each 'home' in one cell"):
        compare(people, **asked, options=ComparisonOptions(household="home"))
    found = compare(people, **asked, options=ComparisonOptions(household="home", in_two_cells="leave out"))
    assert sum(one.n for one in found.cells.values()) == 4
