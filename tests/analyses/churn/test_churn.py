"""Churn as an analysis: what is learnt, what is used, and that the truth of the shop is found again."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import churn as analysis
from crmlab.analyses.churn import exhibits, words
from crmlab.analyses.churn import model as churn_model
from crmlab.analyses.churn import study as churn_study
from crmlab.analyses.churn.contacting import holdout_sizes, matrix_of
from crmlab.analyses.churn.study import Study, lost_share, study
from crmlab.analyses.churn.trials import Trial
from crmlab.data.shop.make import make_shop
from crmlab.errors import DataError, ParameterError, TooLittleError
from crmlab.history.context import Margin
from crmlab.history.customers import customer_summary
from crmlab.history.orders import between
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS
from crmlab.models.intervals import wilson
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format
from crmlab.page.result import Context


@pytest.fixture
def own(tmp_path):
    """Opens orders of one's own: rows of customer, day, amount."""

    def opened(rows):
        lines = "\n".join(f"{k},{who},{day},{amount}" for k, (who, day, amount) in enumerate(rows))
        (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{lines}\n")
        (tmp_path / "own.toml").write_text('title = "Own"\ncurrency = "EUR"\n[orders]\nfile = "own.csv"\n')
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


def rows_of(orders):
    return list(zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True))


@pytest.fixture(scope="module")
def result(result_of):
    return result_of("churn", "shop")


def test_findings_and_list_hang_together(result):
    listed = result.outputs["customers"].frame
    assert {finding.metric for finding in result.findings} <= set(result.metrics)
    assert listed["churn"].sum() == pytest.approx(result.metrics["expected_churners"].value)
    assert listed["expected_loss"].sum() == pytest.approx(result.metrics["expected_loss_total"].value, abs=0.01 * len(listed))
    for name, estimate in result.metrics.items():
        if estimate.low is not None:
            assert estimate.low <= estimate.value <= estimate.high, name
    worth = listed[(listed["profit_of_contact"] > 0) & (listed["contactable"] != "no")]
    assert len(worth) == result.metrics["worth_contacting"].value
    assert (worth["keeping_pays"] == "yes").all()
    refused = listed.loc[listed["contactable"] == "no", "keeping_pays"]
    assert set(refused) == {"no: has not consented", "no: has complained"}
    assert listed["customer_id"].is_unique and listed["churn"].between(0, 1).all()
    assert listed["reason_1"].str.len().gt(0).mean() > 0.9
    matrix = result.tables["matrix"].frame  # a small cell, or few of a cell who are to be contacted, is not told
    assert (matrix["customers"].str.startswith("under") | matrix["what"].str.contains("under 5|nearly all")).any()


def test_everything_is_tested_on_the_same_rows(result):
    scores = result.tables["scores"].frame
    assert scores["measure"].tolist()[:4] == ["AUC", "Average precision", "Brier score", "Brier skill"]
    assert {"recency", "time_rule", "p_alive", "logistic"} <= set(scores.columns)
    # The day of the test is a window of 119 days before the end; whoever bought within two windows before it is eligible.
    known = customer_summary(crmlab.open_dataset("shop").orders, "2025-09-03").to_pandas()
    eligible, churned = int((known["days_since_last"] < 2 * 119).sum()), result.charts["calibration"].frame
    churned = churned[churned["day"] == "2025-09-03"]
    assert churned["customers"].sum() == eligible > 1000
    share = (churned["seen"] * churned["customers"]).sum() / eligible
    assert f"there were {eligible:,} eligible customers; {100 * share:.0f}% of them churned" in result.tables["scores"].caption


@pytest.mark.nightly
def test_predictions_by_tenth_cover_the_truth(own):
    # Without seasons the shop's truth says exactly how likely each customer is to buy within the window: who dropped out never
    # does, others do with 1 − exp(−λ window). What is told in tenths must cover the mean of that truth.
    made = make_shop(6000, seed=21, seasonality=0.0, return_rate=0.0, days=700)
    found = analysis.run(own(rows_of(made.tables["orders"])), analysis.Params(window=70))
    listed = found.outputs["customers"].frame.set_index("customer_id")
    truth = made.truth.customers.set_index("customer_id").loc[listed.index]
    gone = truth["dropped_at"].notna()
    churns = np.where(gone, 1.0, np.exp(-truth["purchase_rate"] * 70))
    tenth = pd.qcut(listed["churn"].rank(method="first"), 10, labels=False)
    off = 0
    for k in range(10):
        told, true = listed["churn"][tenth == k].mean(), churns[tenth == k]
        # The truth of one customer is 0/1-like (gone or not): the mean over a tenth has the spread of a share.
        low, high = wilson(round(true.sum()), len(true), 0.99)
        off += not low - 0.02 <= told <= high + 0.02
    assert off <= 1
    total = found.metrics["expected_churners"]
    assert total.low <= churns.sum() <= total.high
    scores = found.tables["scores"].frame.set_index("measure")
    assert scores.loc["Calibration slope", "logistic_low"] <= 1.05 and scores.loc["Calibration slope", "logistic_high"] >= 0.95


@pytest.mark.nightly
def test_no_later_order_moves_a_forecast():
    data, day = crmlab.open_dataset("shop"), dt.date(2025, 6, 30)
    known = {name: between(data.table(name), None, day) for name in ("orders", "order_lines")}
    cut = replace(data, _tables={name: known.get(name, data.table(name)) for name in data.tables})
    assert cut.orders["ordered_at"].max().execute() < pd.Timestamp("2025-07-01")
    first = analysis.run(data, analysis.Params(as_of="2025-06-30", window=60))
    again = analysis.run(cut, analysis.Params(as_of="2025-06-30", window=60))
    pd.testing.assert_frame_equal(first.outputs["customers"].frame, again.outputs["customers"].frame, check_exact=True)
    pd.testing.assert_frame_equal(first.tables["scores"].frame, again.tables["scores"].frame, check_exact=True)
    assert first.context.as_of == dt.date(2025, 6, 30)
    assert (
        not first.outputs["customers"]
        .frame["customer_id"]
        .isin(
            data.orders.filter(data.orders["ordered_at"] > pd.Timestamp("2025-07-01"))
            .select("customer_id")
            .to_pandas()["customer_id"]
        )
        .all()
    )


def test_plan_lays_days_a_window_apart():
    found = churn_model.plan(dt.date(2024, 1, 1), dt.date(2024, 12, 31), 60, "gap", 120)
    assert [(dt.date(2024, 12, 31) - day).days for day in found.origins] == [60, 120, 180, 240]
    assert min(found.origins) - dt.date(2024, 1, 1) >= dt.timedelta(days=120)
    assert found.learns and not found.crossfits and found.missing == 0
    short = churn_model.plan(dt.date(2024, 1, 1), dt.date(2024, 7, 1), 60, "gap", 120)
    assert len(short.origins) == 1 and not short.learns and short.missing == 240 - 182
    two = churn_model.plan(dt.date(2024, 1, 1), dt.date(2024, 8, 30), 60, "gap", 120)
    assert two.crossfits


def test_window_is_bound_by_gap_or_history():
    waits = pd.DataFrame({"gap": [7] * 89 + [20] * 11, "ended": True})
    year = SimpleNamespace(first=dt.date(2024, 1, 1), as_of=dt.date(2024, 12, 31), words=WEEKS)
    assert churn_study.scheme_of(waits, year, analysis.Params()).window == 21
    assert churn_study.scheme_of(waits, year, analysis.Params()).bound_by == "gap"
    long = churn_study.scheme_of(waits.assign(gap=200), year, analysis.Params())
    assert (long.window, long.bound_by) == (56, "history")  # a sixth of 365 days, in whole weeks
    rounds = SimpleNamespace(first=dt.date(2020, 1, 1), as_of=dt.date(2024, 12, 31), words=ROUNDS)
    late = churn_study.scheme_of(waits, rounds, analysis.Params())
    assert (late.window, late.bound_by) == (365, "year")  # who gives once a year is not late before
    assert churn_study.scheme_of(waits, rounds, analysis.Params(window=90)).window == 90


@pytest.mark.proof
def test_too_short_for_a_model_says_what_is_missing(own):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(400):
        day = int(rng.integers(0, 60))
        while day < 100:
            rows.append((f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)).date(), 10 + k % 7))
            day += int(rng.integers(3, 40))
    found = analysis.run(own(rows), analysis.Params(window=28, active_within=50))
    assert "No model was trained: the history is" in found.warnings[0] and "days too short" in found.warnings[0]
    assert "candidates" not in found.tables
    assert "No model was trained" in repr(found.table("candidates"))
    assert {"logistic", "boosting"}.isdisjoint(found.tables["scores"].frame.columns)


@pytest.mark.nightly
def test_few_outcomes_keep_the_simple_rules(own):
    rows = []
    for k in range(180):
        for day in range(k % 9, 340, 9 + k % 5):
            if k >= 150 or day < 60 + 2 * k:
                rows.append((f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)).date(), 10 + k))
    found = analysis.run(own(rows), analysis.Params(window=40, active_within=80))
    assert any("customers with the rarer outcome were seen, and a model needs 200" in warning for warning in found.warnings)


def parts(**given):
    """A study of given parts, without a model."""
    day = dt.date(2024, 12, 31)
    scheme = churn_model.Plan(window=60, bound_by="given", active_within=120, origins=(dt.date(2024, 11, 1),), missing=7)
    tested = Trial(
        used="recency",
        chosen=None,
        scores=None,
        validation=pd.DataFrame(),
        difference=None,
        test=None,
        importance=None,
        reason="why",
    )
    found = {
        "scheme": scheme, "rows": None, "tested": tested, "scorer": None, "choice": None, "worth": pd.DataFrame(columns=["tier"]), "margin": Margin(0.4, "given", 1.0),
        "curve": None, "lost": 1.0,
    }  # fmt: skip
    found |= {name: given.pop(name) for name in list(given) if name in found}
    held = {
        "context": Context("own", "Own", day, day, form=Format("EUR")), "params": analysis.Params(min_group=5), "waits": None,
        "found": analysis.Scores(**found), "listed": None, "estimates": {}, "matrix": None, "sizes": None, "groups": {},
    }  # fmt: skip
    return Study(**held | given)


def test_without_a_model_there_are_no_candidates():
    assert exhibits.candidates_table(parts()) == Absent("No model was trained: why.")


def test_matrix_hides_small_groups_and_leaves_the_study_as_it_is():
    listed = pd.DataFrame(
        {"churn": [0.9] * 6 + [0.1] * 3 + [0.6] * 20, "expected_loss": 50.0, "tier": "A", "profit_of_contact": 2.0,
         "contactable": "yes", "keeping_pays": ["yes"] * 5 + ["no: has complained"] + ["yes"] * 23}
    )  # fmt: skip
    some = parts(matrix=matrix_of(listed))
    before = some.matrix.copy()
    table, chart = exhibits.matrix_table(some).frame, exhibits.matrix_chart(some)
    assert table["risk"].tolist() == [
        "over 75%", "50 to 75%", "under 25%", "Small groups, together", "Worth contacting, but not shown above", "All",
    ]  # fmt: skip
    # Six cannot be shown beside the total: the three would be what is left. Nor can the contacts of the twenty: of the nine all but one
    # would be left.
    assert table["customers"].tolist() == ["under 10", "20", "under 10", "9", "", "29"]
    assert table["what"].tolist() == ["", "not shown", "", "", "28", "28 of 29"]
    assert table["expected_loss"].fillna(0).tolist() == [0.0, 1000.0, 0.0, 450.0, 0.0, 1450.0]
    assert table["profit"].fillna(0).tolist() == [0.0, 0.0, 0.0, 0.0, 56.0, 56.0]
    told = "All groups worth contacting are too small to show; together they would bring €56.00 from 28 customers."
    assert chart == Absent(told)
    pd.testing.assert_frame_equal(some.matrix, before)


def test_warnings_say_what_values_rest_on():
    scores = pd.DataFrame({"value": 0.0, "low": -1.0, "high": 1.0}, index=pd.MultiIndex.from_tuples([("recency", "intercept")]))
    some = parts(worth=pd.DataFrame(columns=["last_year_spend"]), margin=Margin(1.0, "revenue", 0.0))
    said = words.warnings(replace(some, found=replace(some.found, tested=replace(some.tested, scores=scores))))
    assert [text.split(":")[0].split(",")[0] for text in said] == [
        "No model was trained", "The cost of goods is not known", "The models of value could not be fitted",
    ]  # fmt: skip


@pytest.mark.proof
def test_study_knows_nothing_of_later_days():
    data = crmlab.open_dataset("cdnow_sample")
    found = study(History(data, "1998-03-31"), analysis.Params(window=91))
    assert found.context.as_of == dt.date(1998, 3, 31) and found.scheme.origins[0] == dt.date(1997, 12, 30)
    assert found.waits["day"].max() <= pd.Timestamp("1998-03-31")
    assert found.outputs["customers"].frame is found.listed


def test_window_longer_than_history_is_said():
    data = crmlab.open_dataset("cdnow_sample")
    with pytest.raises(
        ParameterError, match="The 'window' parameter of churn must be at most 181 days for 545 days of history. Got 400"
    ):
        analysis.run(data, analysis.Params(window=400))


def test_one_order_each_is_said(own):
    with pytest.raises(DataError, match="churn: needs customers who bought on two days at least. Found: none."):
        analysis.run(own([(f"c{k}", f"2024-0{1 + k % 9}-01", 5) for k in range(30)]))


def test_lost_share_counts_who_comes_back():
    half = pd.DataFrame({"time": [0.0, 100.0], "survival": [1.0, 0.5]})
    assert lost_share(half, 64) == pytest.approx((64 + 100 + 0.5 * 201) / 365)
    assert lost_share(half, 400) == 1.0


def test_holdout_sizes_are_those_of_fleiss():
    # Fleiss, Levin and Paik (2003), formula (4.14) without continuity correction: rates .4 and .36 need 2,335 in each group.
    listed = pd.DataFrame({"keeping_pays": ["yes"] * 10, "churn": [0.4] * 10})
    found = holdout_sizes(listed, analysis.Params(accept=0.3)).set_index("saving")
    p, q = 0.4, 0.36
    middle = (p + q) / 2
    by_hand = (
        (1.959964 * math.sqrt(2 * middle * (1 - middle)) + 0.841621 * math.sqrt(p * (1 - p) + q * (1 - q))) / (p - q)
    ) ** 2
    assert found.loc[0.1, "kept_out"] == math.ceil(by_hand)


def test_pooled_rounds_reach_the_power_that_is_promised():
    # An independent route: as many customers as the rounds bring are drawn, and the two rates compared as the plan says.
    listed = pd.DataFrame({"keeping_pays": ["yes"] * 250, "churn": [0.4] * 250})
    row = holdout_sizes(listed, analysis.Params(accept=0.3)).set_index("saving").loc[0.3]
    assert 2 * row["kept_out"] > 250 and row["rounds"] > 1
    rng, rounds = np.random.default_rng(0), int(row["rounds"])
    power = []
    for pooled in (rounds - 1, rounds):
        out, sent = 50 * pooled, 200 * pooled
        left, kept = rng.binomial(out, 0.4, 20_000) / out, rng.binomial(sent, 0.28, 20_000) / sent
        both = (out * left + sent * kept) / (out + sent)
        error = np.sqrt(both * (1 - both) * (1 / out + 1 / sent))
        power.append(float(((left - kept) / error > 1.959964).mean()))
    assert power[0] < 0.8 < power[1] + 0.01


def test_reasons_name_what_moved_the_score():
    frame = pd.DataFrame({"days_since_last": np.r_[np.arange(200), 5], "customer_id": np.arange(201).astype(str)})
    train = frame.assign(churned=frame["days_since_last"] > 100)
    scorer = churn_model.fit("recency", ("days_since_last",), train, train)
    said = churn_model.reasons(scorer, frame)["reason_1"]
    assert said.iloc[199] == "days since the last purchase: 199 (raises)"
    assert said.iloc[0] == "days since the last purchase: 0 (lowers)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 0}, "The 'window' parameter of churn must be a whole number of at least 1. Got 0 instead."),
        ({"accept": 1.0}, "The 'accept' parameter of churn must be between 0 and 1, both excluded."),
        ({"contact_cost": -1}, "The 'contact_cost' parameter of churn must be a number above 0. Got -1 instead."),
        ({"margin": 2}, "The 'margin' parameter of churn must be above 0 and at most 1. Got 2 instead."),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(("churned", "found"), [(0.0, "nobody who has"), (1.0, "only such as have")])
def test_one_outcome_is_too_little_to_learn_from(churned, found):
    rows = pd.DataFrame({"customer_id": [f"C{i}" for i in range(20)], "days_since_last": np.arange(20.0), "churned": churned})
    with pytest.raises(TooLittleError, match=f"churn: needs customers who have churned before .* Found: {found}"):
        churn_model.fit("recency", ["days_since_last"], rows, None)
    with pytest.raises(TooLittleError, match="at least 5 customers"):
        churn_model.crossfitted("recency", ["days_since_last"], rows.head(3), 0)


def test_thirty_of_each_are_the_fewest_that_tell_anything():
    # Hanley and McNeil (1982), equation 1: the standard error of an AUC; at 0.5 both of its terms are known.
    n = churn_model.FEWEST
    q = 1 / 3
    error = math.sqrt((0.25 + 2 * (n - 1) * (q - 0.25)) / n**2)
    assert pytest.approx(0.5 + 1.645 * error, abs=0.005) == 0.62


@pytest.mark.proof
@pytest.mark.parametrize("count", [3, 10, 40])
def test_few_customers_are_told_what_is_more_use(own, count):
    rng, rows = np.random.default_rng(1), []
    for k in range(count):
        day = int(rng.integers(0, 60))
        while day < 700:
            rows.append((f"c{k:02d}", (pd.Timestamp("2023-01-01") + pd.Timedelta(days=day)).date(), 20 + k))
            day += int(rng.integers(10, 80)) + 10_000 * (rng.random() < 0.04)
    data = own(rows)
    with pytest.raises(TooLittleError) as error:
        analysis.run(data, analysis.Params())
    said = str(error.value)
    assert said.startswith("churn: needs ") and "\n" not in said
    assert "it shows who has been silent longest" in said
    with pytest.raises(TooLittleError) as beforehand:
        analysis.readiness(History(data), analysis.Params())
    assert str(beforehand.value) == said


@pytest.mark.nightly
def test_without_models_of_value_nobody_has_a_tier(own, monkeypatch):
    def cannot(*_):
        raise DataError("no")

    rng, rows = np.random.default_rng(0), []
    for k in range(400):
        day = int(rng.integers(0, 60))
        while day < 200:
            rows.append((f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)).date(), 10 + k % 7))
            day += int(rng.integers(3, 60))
    monkeypatch.setattr("crmlab.analyses.customer_value.scores", cannot)
    found = analysis.run(own(rows), analysis.Params(window=28, active_within=50, margin=0.4))
    listed = found.outputs["customers"].frame
    assert not {"tier", "if_loyal"} & set(listed.columns) and (listed["last_year_spend"] > 0).all()
    assert any("nobody has a value tier" in warning for warning in found.warnings)
    assert set(found.charts["matrix"].frame["tier"]) == {"all"} and "tier" not in found.tables["matrix"].columns


@pytest.mark.parametrize("churned", [False, True])
def test_the_shift_is_finite_where_none_or_all_churned(churned):
    test = pd.DataFrame({"probability": [0.2, 0.5, 0.7, 0.4], "churned": [churned] * 4})
    shift = replace(parts().found.tested, test=test).shift
    assert np.isfinite(shift) and (shift > 0) == churned
