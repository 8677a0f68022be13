"""Customer value as an analysis: what it says, on which data, and when it says nothing."""

from __future__ import annotations

import datetime as dt
import math
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import customer_profile
from crmlab.analyses import customer_value as analysis
from crmlab.analyses.customer_value import base as value_base
from crmlab.analyses.customer_value import scoring, study, valuation
from crmlab.analyses.customer_value import tiers as value_tiers
from crmlab.analyses.customer_value import words as analysis_words
from crmlab.analyses.customer_value.backtesting import calibration, ranked, simple_rules
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.seasons import Season, judged
from crmlab.analyses.customers import customer_outputs, customer_table
from crmlab.data.shop.donors import make_donors
from crmlab.data.shop.make import make_shop
from crmlab.errors import ModelError, ParameterError
from crmlab.history import context as common
from crmlab.history import customer_summary, holdout_summary
from crmlab.history.past import History
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.page.result import Note

RETAIL = Path(os.environ.get("CRMLAB_DATA", "data/private")) / "online_retail.parquet"


@pytest.fixture(scope="module")
def data():
    return crmlab.open_dataset("cdnow_sample")


@pytest.fixture(scope="module")
def result(data):
    return analysis.run(data, analysis.Params(holdout=39))


@pytest.fixture
def own(tmp_path):
    """Opens orders of one's own: rows of customer, day, amount."""

    def opened(rows, top=""):
        lines = "\n".join(f"{k},{who},{day},{amount}" for k, (who, day, amount) in enumerate(rows))
        (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{lines}\n")
        (tmp_path / "own.toml").write_text(f'title = "Own"\ncurrency = "EUR"\n{top}\n[orders]\nfile = "own.csv"\n')
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


@pytest.mark.proof
def test_findings_and_metrics_hang_together(result):
    assert [finding.metric for finding in result.findings] == ["value_total", "value_share_A", "most_to_spend_tier_A"]
    assert {finding.metric for finding in result.findings} <= set(result.metrics)
    for name, estimate in result.metrics.items():
        if name != "customer_base":
            assert estimate.low <= estimate.value <= estimate.high, name
            assert estimate.level == 0.9
    tiers = [result.metrics[f"value_tier_{name}"].value for name in "ABCD"]
    assert sum(tiers) == pytest.approx(result.metrics["value_total"].value, abs=1e-6)


@pytest.mark.proof
def test_customer_list_adds_up_to_the_page(result):
    listed = result.outputs["customers"].frame
    assert len(listed) == 2357 == result.context.customers
    assert listed["customer_id"].is_unique
    assert listed["value"].sum() == pytest.approx(result.metrics["value_total"].value, abs=1e-6)
    assert listed["expected_purchases"].sum() == pytest.approx(result.metrics["expected_purchases_total"].value)
    assert listed["alive"].sum() == pytest.approx(result.metrics["customers_alive"].value)
    assert (listed["value_low"] <= listed["value_high"]).all()
    soon = listed["next_from"].dropna()  # missing where even the first chance in twenty never comes
    assert (soon > pd.Timestamp(result.context.as_of)).all() and len(soon) > 0.8 * len(listed)
    known = listed["next_to"].notna()
    assert known.any() and not known.all()
    assert (listed.loc[known, "next_to"] >= listed.loc[known, "next_from"]).all()
    sizes = listed["tier"].value_counts()
    assert sizes["A"] == math.ceil(0.1 * 2357)
    worst = listed.groupby("tier")["value"].min()
    best = listed.groupby("tier")["value"].max()
    assert worst["A"] >= best["B"] >= worst["B"] >= best["C"] >= worst["C"] >= best["D"]


@pytest.mark.proof
def test_holdout_is_that_of_fader_hardie_and_lee(result, data):
    # cdnow_sample, 39 weeks kept back: 1,882 repeat purchases came, and every model forecasts fewer. No season was seen by then: the
    # interval that allows for one holds what came, as it does not where none is allowed for.
    scores = result.tables["scores"].frame.set_index("name")
    assert (scores["seen"] == 1882).all()
    published = BGNBD.from_params(r=0.2425945, alpha=4.4136019, a=0.7929199, b=2.4258881)  # Fader, Hardie and Lee (2005)
    expected = published.expected_purchases(value_base.base_of(data).held(39), 39).sum()
    assert scores.loc["bg_nbd", "forecast"] == pytest.approx(expected, rel=1e-5)
    models = ["bg_nbd", "mbg_nbd", "pareto_nbd"]
    assert (scores.loc[models, "forecast"] < 1882).all() and (scores.loc[models, "forecast_high"] > 1882).all()
    assert not any("1,882 purchases, more than the forecast’s" in warning for warning in result.warnings)
    base = value_base.base_of(data)
    none = ranked(base, 39, models, season=judged(base, 0.0))
    ends = [model.expected_total(none.held, 39, interval="outcome")["high"] for model in none.models.values()]
    assert max(ends) < 1882
    assert scores.loc["bg_nbd", "bias"] == pytest.approx(scores.loc["bg_nbd", "forecast"] / 1882 - 1)
    assert scores.loc["bg_nbd", "error"] < scores.loc["last_year", "error"]
    assert np.isnan(scores.loc["average", "covered"])


@pytest.mark.proof
def test_track_counts_every_repeat_purchase(result, data):
    track = result.charts["track"].frame
    held = value_base.base_of(data).held(39)
    assert track["seen"].sum() == held["frequency"].sum() + held["holdout_purchases"].sum()
    assert (np.diff(track["end"]) > 0).all()
    assert len(track) == 78


def test_base_as_of_a_day_without_an_order_is_that_of_all_orders(own):
    # Neither the last day nor the split is a day with an order.
    rows = [
        ("a", "2024-01-01", 5),
        ("b", "2024-01-03", 4),
        ("a", "2024-01-17", 7),
        ("b", "2024-02-20", 6),
        ("a", "2024-04-30", 9),
    ]
    data = own(rows)
    base = value_base.base_of(data, "2024-02-22")
    for found, day in ((base.summary(), "2024-02-22"), (base.held(4), "2024-01-25")):
        reduced = customer_summary(data.orders, day, unit="week").to_pandas().sort_values("customer_id", ignore_index=True)
        pd.testing.assert_frame_equal(found[reduced.columns], reduced, check_exact=True)
    came = holdout_summary(data.orders, "2024-01-25", "2024-02-22", unit="week").to_pandas().sort_values("customer_id")
    columns = ["holdout_purchases", "holdout_spend", "horizon"]
    assert base.held(4)[columns].to_numpy().tolist() == came[columns].to_numpy().tolist() == [[0, 0, 4], [1, 6, 4]]
    arrived, seen = base.track(4)
    assert arrived["customers"].sum() == 2
    assert seen["seen"].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert base.data.orders["ordered_at"].max().execute() == pd.Timestamp("2024-02-20")


def test_base_of_a_history_is_that_of_its_day(data):
    past = History(data, "1998-03-31")
    assert value_base.base_of(past).history is past
    assert value_base.base_of(past, "1998-03-31").history is past
    assert value_base.base_of(past, "1997-12-31").end == dt.date(1997, 12, 31)


@pytest.mark.proof
def test_others_get_the_values_of_the_page(data, result):
    past = History(data)
    worked = study.study(past, analysis.Params())
    found = analysis.scores(past)
    assert found is analysis.scores(past)
    assert found.horizon == math.inf and found.fit.margin.source == "revenue" and found.fit.cap is None
    assert found.base.end == worked.context.as_of == result.context.as_of
    assert found.fit.purchases.params_ == worked.fit.purchases.params_
    listed = worked.outputs["customers"].frame
    assert listed["customer_rank"].tolist() == list(range(1, len(listed) + 1))
    listed = listed.sort_values("customer_id", ignore_index=True)
    assert listed["customer_id"].tolist() == found.points["customer_id"].tolist()
    assert listed["tier"].tolist() == found.points["tier"].tolist()
    assert listed["value"].tolist() == found.points["value"].tolist()
    # Whoever reads the list can work its tiers out again.
    assert analysis.tier_of(listed["value"].to_numpy()).tolist() == listed["tier"].tolist()


@pytest.mark.proof
def test_value_of_a_year_is_what_purchases_and_spend_make_of_it(data):
    found = analysis.scores(History(data), analysis.Params(margin=0.4))
    mine, model = found.points.set_index("customer_id"), found.fit.purchases
    bought = model.expected_purchases(found.fit.summary, 365 / 7).to_numpy()
    each = found.fit.spend.expected_spend(found.fit.summary).to_numpy()
    # Each week at its own spend: over a year that is the mean, but for 29 February and who leaves within it.
    np.testing.assert_allclose(mine["value_today"], 0.4 * bought * each, rtol=0.002, atol=0.006)
    np.testing.assert_allclose(mine["if_loyal"] * mine["alive"], mine["value_today"], atol=0.01)
    assert (mine["if_loyal"] >= mine["value_today"]).all()


@pytest.mark.proof
def test_the_chosen_model_is_that_of_the_day(data):
    past = History(data)
    early = past.earlier("1997-09-30")
    told = analysis.told(early, 91.0)
    again = analysis.told(History(data, "1997-09-30"), 91.0)
    pd.testing.assert_frame_equal(told, again, check_exact=True)
    assert told["probability_alive"].between(0, 1).all()


@pytest.mark.nightly
def test_no_later_order_reaches_the_forecast(data):
    early = analysis.run(data, analysis.Params(as_of="1997-12-31", holdout=13))
    cut = replace(data, _tables={"orders": data.orders.filter(data.orders["ordered_at"] < "1998-01-01")})
    assert 1000 < cut.orders.count().execute() < data.orders.count().execute() - 1000
    again = analysis.run(cut, analysis.Params(as_of="1997-12-31", holdout=13))
    pd.testing.assert_frame_equal(early.outputs["customers"].frame, again.outputs["customers"].frame, check_exact=True)
    assert dict(early.metrics) == dict(again.metrics)
    assert early.context.as_of.isoformat() == "1997-12-31"
    whole = value_base.base_of(data, "1997-12-31").summary()
    assert whole["T"].max() <= 365 / 7


def test_simple_rules_by_hand():
    held = pd.DataFrame(
        {
            "frequency": [3, 0], "T": [30.0, 0.0], "year_purchases": [4, 1], "year_spend": [80.0, 10.0], "year_length": [40.0, 40.0],
            "total_spend": [80.0, 10.0], "occasions": [4, 1],
        }
    )  # fmt: skip
    purchases, spend = simple_rules(held, "T", 20.0)
    assert purchases["last_year"].tolist() == [2.0, 0.5]
    assert spend["last_year"].tolist() == [40.0, 5.0]
    assert purchases["average"].tolist() == [2.0, 0.0]
    assert spend["average"].tolist() == [40.0, 0.0]


def test_calibration_merges_small_groups():
    held = pd.DataFrame({"frequency": [0] * 9 + [1] * 3 + [2] * 4 + [9] * 2, "holdout_purchases": np.arange(18.0)})
    found = calibration(held, {"m": np.ones(18)}, min_group=5)
    assert found["label"].tolist() == ["0", "1+"]
    assert found["customers"].tolist() == [9, 9]
    assert found["m"].tolist() == [1.0, 1.0]
    assert found["seen"].tolist() == [4.0, 13.0]


def test_tiers_keep_ties_together():
    assert value_tiers.tier_of(np.ones(50)).tolist() == ["A"] * 50
    values = np.array([9.0] + [5.0] * 4 + [1.0] * 15)
    assert "".join(value_tiers.tier_of(values)) == "A" + "A" * 4 + "B" * 15


def test_ends_of_shares_stay_below_all():
    # Eight customers, of whom little is known: the ends of the intervals would be far beyond.
    seen = BGNBD.from_params(r=1.5, alpha=6.0, a=0.3, b=2.5).simulate([40.0] * 8, seed=3)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=30.0).simulate(seen["frequency"], seed=3)["monetary_value"]
    summary = seen.assign(customer_id=[f"c{k}" for k in range(8)], monetary_value=spend)
    history = SimpleNamespace(contactable=lambda ids: ["yes"] * len(ids), with_consent=lambda frame: frame)
    end = pd.Timestamp("2025-12-31").date()
    base = SimpleNamespace(summary=lambda: summary, age="T", words=value_base.WEEKS, end=end, history=history)
    fit = scoring.Modelled(
        model=CustomerValue(unit="week").fit(summary),
        summary=summary,
        cap=None,
        choice=Choice(name="mbg_nbd", by="given", ranked=None, untested="", season=Season(by="rounds", tested=pd.DataFrame())),
        margin=common.Margin(1.0, "revenue", 0.0),
    )
    found = valuation.value_customers(scoring.Scores(base=base, fit=fit, ahead=52.0, level=0.9))
    assert found.alive["high"] <= 8
    assert (found.tiers["value_share_high"] <= 1).all()
    assert (found.tiers["alive_high"] <= 1).all()


@pytest.mark.proof
def test_share_of_tier_a_is_one_number_with_one_interval(result):
    metric, row = result.metrics["value_share_A"], result.tables["tiers"].frame.iloc[0]
    assert [row[f"value_share{end}"] for end in ("", "_low", "_high")] == [metric.value, metric.low, metric.high]
    bar = result.charts["tiers"].frame.iloc[0]
    assert [bar[f"value_share{end}"] for end in ("", "_low", "_high")] == [metric.value, metric.low, metric.high]
    listed = result.outputs["customers"].frame
    assert metric.value == pytest.approx(listed.loc[listed["tier"] == "A", "value"].sum() / listed["value"].sum(), abs=1e-12)
    assert f"tier A, the {(listed['tier'] == 'A').sum()} customers who are worth most" in result.findings[1].sentence()


@pytest.mark.nightly
def test_boundary_is_said_and_leaves_out_what_means_nothing():
    if not RETAIL.exists():
        pytest.skip("The user's own copy of Online Retail is not there.")
    found = analysis.run(crmlab.open_dataset("online_retail"))
    assert set(found.charts) == {"tiers", "calibration", "track", "spend", "leaderboard"}
    assert "invest" not in found.tables and "alive" not in found.tables["tiers"].columns
    assert isinstance(found.chart("maps"), Note) and "cannot be measured" in repr(found.chart("maps"))
    assert any(
        warning.startswith("Drop-out cannot be measured yet, because nobody seems to have") for warning in found.warnings
    )
    assert not any(name.startswith(("at_risk", "value_today", "most_to_spend")) for name in found.metrics)
    assert found.metrics["value_total"] == found.metrics["value_within_horizon"]
    assert "boundary" in found.tables["parameters"].caption
    assert found.tables["parameters"].frame["low"].isna().sum() == 4
    assert (
        found.outputs["customers"]
        .frame[["alive", "alive_low", "value_today", "at_risk", "most_to_spend"]]
        .isna()
        .all(axis=None)
    )
    # What is not on the page is not hedged about either.
    assert not any("all future years" in limit or "at risk" in limit or "comes after" in limit for limit in found.limits)


@pytest.mark.proof
def test_revenue_is_not_called_what_may_be_spent(data, result):
    assert result.findings[2].sentence().count("Spend no more than the margin on it.") == 1
    assert result.tables["invest"].columns["most_to_spend"].label == "Most revenue that can be saved per customer"
    assert "costs more than the margin on this" in result.charts["invest"].caption
    assert any("Ask your analyst to give a margin" in warning for warning in result.warnings)
    known = analysis.run(data, analysis.Params(holdout=39, margin=0.3))
    # The data know no consent, so nothing is said of who may be contacted.
    assert "is the most it is worth spending, on average, to keep a tier A customer, even if" in known.findings[2].sentence()
    assert known.tables["invest"].columns["most_to_spend"].label == "Most to spend per customer"


@pytest.mark.nightly
def test_limits_say_what_came_back(own, result):
    made = make_shop(300, seed=2, days=400)
    orders = made.tables["orders"]
    found = analysis.run(own(zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True)))
    summary = value_base.base_of(own(zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True))).summary()
    share = -summary["returned"].sum() / summary["total_spend"].sum()
    assert share > 0.005
    assert any("Returns on days without a purchase" in limit and f"{100 * share:.1f}" in limit for limit in found.limits)
    assert not any("Returns" in limit for limit in result.limits)  # cdnow_sample knows none


@pytest.mark.proof
def test_limits_say_how_much_lies_beyond_the_horizon(result):
    later = 1 - result.metrics["value_within_horizon"].value / result.metrics["value_total"].value
    assert any(limit.startswith(f"{100 * later:.0f}") and "after the next 12 months" in limit for limit in result.limits)


@pytest.fixture
def few_donors(own):
    """Donors whose optimum lies where all drop out alike, at a rate well above 0."""
    made = make_donors(200, seed=4, years=4)
    orders = made.tables["orders"]
    return own(zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True), 'rounds = "year"')


@pytest.mark.proof
def test_boundary_that_is_not_about_dropout_does_not_hide_it(few_donors):
    found = analysis.run(few_donors)
    assert any("rests on few donors or a short history (all donors" in warning for warning in found.warnings)
    assert "boundary" in found.tables["parameters"].caption
    assert 0.05 < found.tables["tiers"].frame["alive"].min() < 0.95
    assert "at_risk_tier_A" in found.metrics
    assert {"invest", "maps"} <= set(found.charts)
    said = " ".join([*found.warnings, *(finding.sentence() for finding in found.findings)])
    assert "cannot be measured" not in said and "Nobody is seen to have left" not in said


def fees(amount) -> list[tuple[str, str, float]]:
    """Orders of 90 customers over a year and a half: who, the day, and what the amount of the k-th order is."""
    rng, rows = np.random.default_rng(3), []
    for customer in range(90):
        day, rate = rng.uniform(0, 300), rng.gamma(0.8, 1 / 20)
        end = min(day + rng.exponential(400), 540)
        while day < end:
            rows.append((f"c{customer}", str(np.datetime64("2023-01-01") + int(day)), amount(len(rows))))
            day += rng.exponential(1 / rate) + 1
    return rows


@pytest.mark.proof
@pytest.mark.parametrize(
    ("amount", "said", "spend"),
    [
        pytest.param(lambda k: 20.0, "Every purchase after the first was for the same amount, €20", 20.0, id="constant"),
        pytest.param(
            lambda k: 21.5 if k in (7, 200, 350) else 20.0,
            "The estimates of spend are at their limit",
            20.0,
            id="nearly constant",
            marks=pytest.mark.nightly,
        ),
        pytest.param(lambda k: 1e11 if k == 355 else 15.0 + k % 11, "", 20.0, id="one absurd", marks=pytest.mark.nightly),
    ],
)
def test_spend_at_its_edges_has_a_page(own, amount, said, spend):
    history = History(own(fees(amount)))
    params = analysis.Params(margin=0.3, model="bg_nbd")
    found = study.study(history, params)
    assert not said or any(warning.startswith(said) for warning in analysis_words.warnings(found))
    assert found.fit.model.expected_spend(found.fit.summary).median() == pytest.approx(spend, abs=0.5)
    listed = found.found.customers[["value", "value_low", "value_high"]]
    assert np.isfinite(listed).all().all() and (listed["value_low"] <= listed["value_high"]).all()
    total = analysis_words.metrics(found)["value_total"]
    assert 0 < total.low <= total.value <= total.high < np.inf
    assert "lifetimes" in " ".join(analysis_words.method(found).assumptions)


@pytest.mark.proof
def test_donors_speak_of_gifts():
    found = analysis.run(crmlab.open_dataset("donors"))
    text = (
        " ".join(finding.sentence() for finding in found.findings)
        + found.charts["track"].caption
        + found.tables["tiers"].caption
    )
    assert "donors" in text and "gifts" in text
    assert "purchase" not in text and "customer" not in text
    scores = found.tables["scores"].frame.set_index("name")
    assert scores.index.tolist() == ["bg_bb", "last_year", "average"]
    # Drawn from BG/BB: the forecast holds, and beats both rules.
    assert scores.loc["bg_bb", "forecast_low"] <= scores.loc["bg_bb", "seen"] <= scores.loc["bg_bb", "forecast_high"]
    assert scores.loc["bg_bb", "error"] < scores.loc[["last_year", "average"], "error"].min()
    listed = found.outputs["customers"].frame
    # A gift of a round may come on any day of it.
    assert set(pd.DatetimeIndex(listed["next_from"].dropna()).strftime("%m-%d")) == {"01-01"}
    ends = scoring._dated(pd.Series([1.0, 21.0]), value_base.base_of(crmlab.open_dataset("donors")))
    assert ends[0] == pd.Timestamp("2026-12-31") and pd.isna(ends[1])


@pytest.mark.proof
def test_shop_without_seasons_is_forecast_and_valued_rightly(own):
    # The shop draws from BG/NBD and Gamma-Gamma: without seasons and returns the interval of the total must hold the truth,
    # which is worked out from each customer's own rate, drop-out and spend.
    made = make_shop(1500, seed=11, seasonality=0.0, return_rate=0.0, days=540)
    orders = made.tables["orders"]
    rows = zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True)
    found = analysis.run(own(rows), analysis.Params(horizon=52, model="bg_nbd"))
    truth = made.truth.customers
    alive = truth["dropped_at"].isna()
    rate, p = truth["purchase_rate"] * 7, truth["dropout_probability"]
    delta = math.log(1.1) * 7 / 365.25
    # A live customer buys at the rate λ and leaves after each purchase with p: purchases decay at λ p.
    span = (1 - np.exp(-(rate * p + delta) * 52)) / (rate * p + delta)
    worth = float((alive * rate * span * truth["mean_spend"]).sum())
    estimate = found.metrics["value_within_horizon"]
    assert estimate.low * 0.97 <= worth <= estimate.high * 1.03  # two occasions on one day are one: 2% of them
    row = found.tables["scores"].frame.iloc[0]
    assert row["forecast_low"] <= row["seen"] <= row["forecast_high"]
    assert row["covered"] >= 0.88


def test_margin_comes_from_costs_or_is_given(data):
    shop = crmlab.open_dataset("shop")
    base = value_base.base_of(shop)
    known = base.margin()
    assert known.source == "costs" and 0.3 < known.share < 0.7 and known.covered == 1.0
    assert base.margin(0.25)[:3] == (0.25, "given", 1.0)
    assert value_base.base_of(data).margin()[:3] == (1.0, "revenue", 0.0)


@pytest.mark.nightly
def test_costs_above_prices_are_not_called_unknown(monkeypatch):
    shop = crmlab.open_dataset("shop")
    monkeypatch.setattr(common, "gross_margin", lambda *_: (-0.2, 1.0))
    assert value_base.base_of(shop).margin()[:3] == (1.0, "loss", 1.0)
    found = analysis.run(shop, analysis.Params(as_of="2024-12-31", model="bg_nbd"))
    assert any(warning.startswith("By their unit costs") for warning in found.warnings)
    assert not any("No costs are known" in warning for warning in found.warnings)
    assert "revenue" in found.findings[0].sentence()
    # A margin that rests on few products says so.
    monkeypatch.setattr(common, "gross_margin", lambda *_: (0.4, 0.03))
    few = analysis.run(shop, analysis.Params(as_of="2024-12-31", model="bg_nbd"))
    assert any("unit costs of products with 3.0" in point for point in few.method.assumptions)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "bgnbd"}, "The 'model' parameter of customer_value must be one of mbg_nbd, pareto_nbd, bg_nbd, bg_bb."),
        ({"rate": 0}, "The 'rate' parameter of customer_value must be above 0 and at most 1. Got 0 instead."),
        ({"margin": 1.5}, "The 'margin' parameter of customer_value must be above 0 and at most 1. Got 1.5 instead."),
        ({"level": 1.0}, "The 'level' parameter of customer_value must be between 0 and 1, both excluded."),
        ({"horizon": 0}, "The 'horizon' parameter of customer_value must be a whole number of at least 1. Got 0 instead."),
        ({"seed": -1}, "The 'seed' parameter"),
        ({"as_of": "soon"}, "The 'as_of' parameter of customer_value must be a date"),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value).startswith(said)


def test_holdout_must_leave_history(data):
    with pytest.raises(ParameterError, match="at least 4 weeks of 78 weeks of history. Got 75 instead"):
        analysis.run(data, analysis.Params(holdout=75))
    with pytest.raises(ParameterError, match="for a data set without rounds"):
        analysis.run(data, analysis.Params(model="bg_bb"))


def test_nobody_bought_again_is_said(own):
    rows = [(f"c{k}", f"2024-{1 + k % 6:02}-{1 + k % 27:02}", 10 + k) for k in range(40)]
    with pytest.raises(ModelError, match="all with frequency 0"):
        analysis.run(own(rows))


@pytest.mark.proof
def test_short_history_is_not_checked_and_says_so(own):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(300):
        day = rng.integers(0, 20)
        for _ in range(1 + rng.poisson(1.2)):
            rows.append(
                (
                    f"c{k}",
                    (pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(min(day, 44)))).date(),
                    round(rng.gamma(4, 10) + 1, 2),
                )
            )
            day += rng.integers(3, 12)
    found = analysis.run(own(rows))
    assert found.context.as_of < pd.Timestamp("2024-02-20").date()
    assert "scores" not in found.tables
    assert "too short" in repr(found.table("scores"))
    assert any("too short" in warning and "nothing was checked" in warning for warning in found.warnings)


@pytest.mark.nightly
def test_a_forecast_that_fails_is_not_called_a_short_history(own, monkeypatch):
    def fails(*_, **__):
        raise ModelError.infinite_mean("GammaGamma", 0.9)

    monkeypatch.setattr(study, "backtest", fails)
    found = analysis.run(crmlab.open_dataset("cdnow_sample"), analysis.Params(model="bg_nbd"))
    said = " ".join([*found.warnings, repr(found.table("scores"))])
    assert "too short" not in said
    assert "No forecast could be made of the last 26 weeks: GammaGamma" in said
    with pytest.raises(ModelError):
        analysis.run(crmlab.open_dataset("cdnow_sample"), analysis.Params(model="bg_nbd", holdout=26))


@pytest.mark.proof
def test_maps_where_most_came_in_the_last_round(own):
    made = make_donors(200, seed=1, years=6)
    orders = made.tables["orders"]
    rows = list(zip(orders["customer_id"], orders["ordered_at"], orders["amount"], strict=True))
    rows += [(f"n{k}", "2025-06-01", 20 + k % 9) for k in range(300)]
    found = analysis.run(own(rows, 'rounds = "year"'))
    assert found.charts["maps"].frame[["frequency", "recency", "periods"]].to_numpy().tolist() == [[1, 1, 1]]


@pytest.mark.proof
def test_result_shows_why_a_part_is_missing(result):
    with pytest.raises(KeyError):
        result.chart("nonsense")
    assert result.chart("maps") is result.charts["maps"]


@pytest.mark.nightly
def test_three_customers_are_too_few_to_be_valued(own):
    days = pd.date_range("2023-01-02", periods=24, freq="16D").strftime("%Y-%m-%d")
    found = analysis.run(own([("abc"[k % 3], day, 10.0 + k) for k, day in enumerate(days)]))
    assert [finding.sentence() for finding in found.findings] == [
        "3 customers are too few to say what they will bring: a single one of them could decide the result."
    ]
    assert "tiers" not in found.tables and {"tiers", "invest"}.isdisjoint(found.charts)
    assert "too few for tiers" in repr(found.chart("tiers")) and repr(found.table("tiers")) == repr(found.chart("tiers"))
    assert not any(name.startswith(("value_tier", "value_share", "most_to_spend")) for name in found.metrics)
    listed = found.outputs["customers"].frame
    assert listed[["frequency", "recency", "age"]].notna().all(axis=None) and len(listed) == 3
    # Nor is anything told of each of them, on the list, in the published table, to criteria or in the profile.
    history = History(own([("abc"[k % 3], day, 10.0 + k) for k, day in enumerate(days)]))
    worth = ["tier", "value", "alive", "if_loyal", "value_today", "at_risk", "most_to_spend"]
    assert listed[[*worth, "value_low", "alive_low", "expected_purchases", "next_from"]].isna().all(axis=None)
    assert customer_outputs(history, needed=worth)[worth].isna().all(axis=None)
    assert customer_table(history.data)[["tier", "value", "at_risk"]].isna().all(axis=None)
    profile = customer_profile.run(history.data, customer_profile.Params(customer_id="a"))
    assert "value" not in profile.metrics and "at least 30 customers" in repr(profile) + " ".join(profile.warnings)


@pytest.mark.proof
def test_what_is_at_risk_is_the_difference_that_is_printed(result):
    table, listed = result.tables["invest"], result.outputs["customers"].frame
    form, rows = table.form, table.frame.to_dict("records")
    for row in rows:
        loyal, today, risk = (
            float(form.exact(row[name]).lstrip("$€").replace(",", "")) for name in ("if_loyal", "value_today", "at_risk")
        )
        assert round(loyal - today, 2) == risk
        mine = listed[listed["tier"] == row["tier"][0]]
        assert (
            row["at_risk"] == pytest.approx(mine["at_risk"].mean(), abs=0.011)
            and row["at_risk_low"] <= risk <= row["at_risk_high"]
        )
    # Each table fits the page: no more than six columns.
    assert max(len(result.tables[name].columns) for name in ("tiers", "invest")) <= 6


@pytest.mark.proof
def test_nobody_is_ordered_to_contact_tier_a(result):
    assert result.findings[1].text.split(". ")[0].endswith("customers who are worth most")


@pytest.mark.nightly
def test_nothing_is_said_to_be_spent_where_nobody_may_be_contacted(data, monkeypatch):
    """The most to spend is a mean of those who may be contacted; of a tier that refused there is none, and the page says why."""
    best = set(analysis.scores(History(data), analysis.Params(model="mbg_nbd")).points.query("tier == 'A'")["customer_id"])
    monkeypatch.setattr(History, "_consent", lambda _, ids: [one not in best for one in ids])
    page = analysis.run(crmlab.open_dataset("cdnow_sample"), analysis.Params(model="mbg_nbd"))
    assert [finding.metric for finding in page.findings] == ["value_total", "value_share_A"]
    assert "None of them may be contacted." in page.findings[1].text
    assert "most_to_spend_tier_A" not in page.metrics and page.metrics["most_to_spend_tier_B"].value > 0
    assert "Nobody of tier A may be contacted." in page.tables["invest"].caption
    assert "Nobody of tier A may be contacted." in page.charts["invest"].caption
    assert page.charts["invest"].html() and page.tables["invest"].html()


@pytest.mark.parametrize(("people", "few"), [(10, True), (29, True), (30, False)])
def test_the_best_tenth_is_never_one_or_two(people, few):
    worth = SimpleNamespace(points=pd.DataFrame({"value": np.arange(people, dtype=float)}))
    assert scoring.Scores.few.fget(worth) is few
    assert few or (value_tiers.tier_of(worth.points["value"].to_numpy()) == "A").sum() >= 3


@pytest.mark.nightly
def test_where_all_are_worth_alike_none_comes_first(data, monkeypatch):
    worked = study.study(History(data), analysis.Params(model="mbg_nbd"))
    assert not worked.worth.alike
    monkeypatch.setattr(scoring.Scores, "alike", True)
    assert [finding.metric for finding in analysis_words.findings(worked)] == ["value_total", "customer_base"]
    assert "are all worth the same" in analysis_words.findings(worked)[1].text
    scores = worked.tested.scores.assign(gini=np.nan, gini_low=np.nan, gini_high=np.nan)
    blind = replace(worked, tested=replace(worked.tested, scores=scores))
    assert "holdout_gini" not in analysis_words.metrics(blind) and "holdout_bias" in analysis_words.metrics(blind)
