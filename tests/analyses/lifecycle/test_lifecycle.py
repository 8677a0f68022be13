"""Lifecycle as an analysis: what it says, on which data, and when it says nothing."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import lifecycle as analysis
from crmlab.analyses.lifecycle import accounts as sums
from crmlab.analyses.lifecycle import life as base
from crmlab.analyses.lifecycle import projection as lifecycle_ahead
from crmlab.analyses.lifecycle.naming import CURRENT, GONE, STATES
from crmlab.analyses.lifecycle.rhythm import Thresholds, known, thresholds
from crmlab.data.shop.make import make_shop
from crmlab.errors import DataError, ParameterError
from crmlab.history.past import History
from crmlab.page.result import Note

RETAIL = Path(os.environ.get("CRMLAB_DATA", "data/private")) / "online_retail.parquet"


@pytest.fixture(scope="module")
def data():
    return crmlab.open_dataset("shop")


@pytest.fixture(scope="module")
def result(result_of):
    return result_of("lifecycle", "shop")


@pytest.fixture(scope="module")
def life(data):
    limits = base.limits_of(History(data))
    return base.life_of(data, limits)


@pytest.fixture
def own(tmp_path):
    """Opens orders of one's own: rows of customer, day, amount."""

    def opened(rows):
        lines = "\n".join(f"{k},{who},{day},{amount}" for k, (who, day, amount) in enumerate(rows))
        (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{lines}\n")
        (tmp_path / "own.toml").write_text('title = "Own"\ncurrency = "EUR"\n[orders]\nfile = "own.csv"\n')
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


def regular(days, customers=40, every=9, start="2024-01-01"):
    """Customers who come every so many days, with a little shift each."""
    first = pd.Timestamp(start)
    return [
        (f"c{k}", (first + pd.Timedelta(days=day)).date(), 10 + k % 7)
        for k in range(customers)
        for day in range(k % every, days, every + k % 3)
    ]


@pytest.mark.proof
def test_findings_and_metrics_hang_together(result, life):
    assert [finding.metric for finding in result.findings] == ["current_share", "balance", "slowing_lapse"]
    for name, estimate in result.metrics.items():
        if estimate.low is not None:
            assert estimate.low <= estimate.value <= estimate.high, name
            assert estimate.level == 0.9, name
    shares = [result.metrics[f"share_{state}"].value for state in STATES]
    assert sum(shares) == pytest.approx(1)
    assert sum(shares[:4]) == pytest.approx(result.metrics["current_share"].value)
    assert result.metrics["current_share"].value == life.sizes()[list(CURRENT)].sum() / 4000
    inferred = {name for name, estimate in result.metrics.items() if estimate.low is not None}
    assert inferred >= {"slowing_lapse", "projected_current"}
    assert not inferred & {"customer_base", "current_share", "balance", *(f"share_{state}" for state in STATES)}
    assert not result.absent
    # A ratio of two counts has no interval, and nothing in it may be chance.
    assert not result.findings[1].interval and "chance" not in result.findings[1].text
    # What to do is decided elsewhere: the finding says who is slowing, and how many of them may be contacted.
    assert "may be contacted" in result.findings[2].text and "report on churn" not in result.findings[2].text


@pytest.mark.proof
def test_list_adds_up_to_the_page(result, life):
    listed = result.outputs["customers"].frame
    assert listed["customer_id"].is_unique and listed["customer_id"].is_monotonic_increasing
    sizes = listed["state"].value_counts()
    shown = result.tables["states"].frame.set_index("state")["customers"]
    assert sizes.to_dict() == shown.to_dict()
    assert sizes["prospect"] == 160 and len(listed) == 4160
    known = listed[listed["state"] != "prospect"]
    assert (known["since"] <= pd.Timestamp(result.context.as_of)).all()
    assert (known["slowing_after"] < known["lapsed_after"]).all() and (known["lapsed_after"] < known["lost_after"]).all()
    assert (known["occasions"] >= 6).equals(known["own_rhythm"])
    # The days of the calendar that the season of the days after the last purchase makes of the threshold.
    base_only = known[~known["own_rhythm"]]
    days = {day: (life.limits.since(day.date())[2] - day.date()).days for day in base_only["last_occasion"].unique()}
    assert (base_only["lost_after"] == base_only["last_occasion"].map(days)).all()
    assert (known.loc[known["state"] == "lost", "days_since_last"] > known.loc[known["state"] == "lost", "lost_after"]).all()


@pytest.mark.proof
def test_growth_accounting_adds_up_to_the_customer(result, life):
    accounts = result.tables["growth"].frame.sort_values("date")
    assert len(accounts) == 23
    assert (accounts["current"] == accounts["new"] + accounts["repeat"] + accounts["reactivated"]).all()
    assert (accounts["current"] == accounts["before"] + accounts["new"] + accounts["reactivated"] - accounts["lapsed"]).all()
    sizes = result.tables["sizes"].frame.set_index("date")
    np.testing.assert_array_equal(sizes.loc[accounts["date"], list(CURRENT)].sum(axis=1), accounts["current"])
    assert accounts["current"].iloc[-1] == life.sizes()[list(CURRENT)].sum()
    # Revenue by where customers stood adds up to what occasions came to since the first date.
    orders = crmlab.open_dataset("shop").orders.to_pandas()
    days = orders.assign(day=orders["ordered_at"].dt.date, amount=orders["amount"].astype(float))
    spend = days.groupby(["customer_id", "day"])["amount"].sum().reset_index()
    expected = spend[(spend["day"] > life.dates[0]) & (spend["amount"] > 0)]["amount"].sum()
    assert accounts[["spend_new", "spend_repeat", "spend_reactivated"]].sum().sum() == pytest.approx(expected)


@pytest.mark.proof
def test_growth_refuses_moves_that_do_not_fit(life):
    broken = life.moves.copy()
    place = broken.index[(broken["date"] == life.dates[5]) & (broken["state_before"] == "active")][0]
    broken.loc[place, "customers"] += 1
    with pytest.raises(AssertionError):
        sums.growth(broken, life.dates)


def test_states_agree_with_the_truth_of_the_shop(result):
    # A customer who dropped out never comes again: nearly all of the lost have, and few of the active.
    truth = make_shop(4000, seed=1).truth.customers.set_index("customer_id")
    listed = result.outputs["customers"].frame.set_index("customer_id")
    gone = truth["dropped_at"].notna().groupby(listed["state"]).mean()
    assert gone["active"] < gone["slowing"] < gone["lost"]
    assert gone["active"] < 0.15


def test_matrix_rows_are_probabilities_with_intervals(result):
    frame = result.tables["matrix"].frame.set_index("state")
    p = frame[list(STATES)].fillna(0)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for to in STATES:
        known = frame[to].notna()
        assert (frame.loc[known, f"{to}_low"] <= frame.loc[known, to]).all()
        assert (frame.loc[known, to] <= frame.loc[known, f"{to}_high"]).all()
    assert frame["new"].notna().tolist() == [True] + [False] * 5


@pytest.mark.proof
def test_fate_of_the_slowing_is_that_of_others_who_were_silent_as_long(result, life):
    # By hand from the moves: of each silence, which share was gone a step later in the last twelve steps of the season.
    moves = life.even_moves[life.even_moves["date"].isin(life.even[-12:]) & (life.even_moves["state_before"] == "slowing")]
    sizes = moves.groupby("silence_before")["customers"].sum()
    left = moves[moves["state"].isin(GONE)].groupby("silence_before")["customers"].sum()
    share = left.reindex(sizes.index, fill_value=0) / sizes
    now = life.even_moves[(life.even_moves["date"] == life.end) & (life.even_moves["state"] == "slowing")]
    today, count = now.groupby("silence")["customers"].sum(), life.sizes()["slowing"]
    assert today.sum() == count
    told = float((share.reindex(today.index) * today).sum() / count)
    # A month that is a step of the season.
    even = replace(life, limits=replace(life.limits, pace=None))
    assert lifecycle_ahead.slowing_fate(even, life.chain(), 0.9, 5, 0).share.value == pytest.approx(told)
    # More than one passes in January, so more of them will be gone.
    slow = result.metrics["slowing_lapse"]
    ahead = life.steps_to(lifecycle_ahead.dates_ahead(life, 1))[0]
    assert 1 < ahead < 2
    assert told < slow.value < ahead * told
    assert slow.low < slow.value < slow.high


@pytest.mark.proof
def test_interval_of_the_slowing_is_as_wide_as_it_was_off(result, life, data):
    # On each earlier date: what its chain told of a step, against the list of the next.
    slow, off = result.metrics["slowing_lapse"], []
    for place in range(len(life.even) - 4, len(life.even) - 1):
        chain = life.chain(place)
        start, moved = chain.start * (chain.member == STATES.index("slowing")), chain.counts.sum(axis=0)
        told = start @ (moved[:, chain.member >= 4].sum(axis=1) / np.maximum(moved.sum(axis=1), 1))
        seen = base.table_of(life.even_moves, life.even[place + 1])[STATES.index("slowing")]
        off.append(seen[4:].sum() / told)
    assert slow.low <= slow.value * min(1, *off) and slow.high >= slow.value * max(1, *off)
    assert "off by up to" in result.findings[2].text and "12 months" in result.findings[2].text


def test_interval_of_the_projection_is_as_wide_as_it_missed_by(result):
    check = result.tables["check"].frame.set_index("state").loc["current, in total"]
    ratio = max(check["now"] / check["expected"], check["expected"] / check["now"])
    ahead = result.metrics["projected_current"]
    assert 1 < ratio < 1.1  # by moves between states 1.21, without the season 1.54
    assert ahead.low <= ahead.value / ratio and ahead.high >= ahead.value * ratio
    shown = result.charts["projection"]
    assert shown.frame["high"].iloc[-1] == ahead.high and shown.frame["low"].iloc[-1] == ahead.low
    held = check["low"] <= check["now"] <= check["high"]
    form, off = result.context.form, check["expected"] / check["now"] - 1
    said = f"{form.share(abs(off))} too {'high' if off > 0 else 'low'} ({form.count(check['expected'])} expected, "
    assert f"{said}{form.count(check['now'])} actual)" in shown.caption
    assert ("the interval is widened by that much" in shown.caption) is not held and "proved right" not in shown.caption
    today = shown.frame.iloc[0]
    assert today["low"] == today["high"] == today[list(CURRENT)].sum()  # today is counted


def test_a_projection_that_held_is_widened_by_no_more_than_it_missed():
    flat = np.array([[100.0, 0, 0, 0, 0, 0], [90.0, 0, 0, 0, 10, 0]])
    ahead = lifecycle_ahead.Ahead(
        expected=flat, low=flat - 5, high=flat + 5, current=np.array([[100.0, 90], [100, 85], [100, 95]])
    )
    check = lifecycle_ahead.Check(
        date=dt.date(2024, 1, 1), steps=1, then=flat[0], found=ahead, now=np.array([92.0, 0, 0, 0, 8, 0])
    )
    exact = lifecycle_ahead.Misses(np.zeros(7), 1.645)
    wide = ahead.widened(exact, check)
    assert wide.current[1:, -1].tolist() == [85, 95]
    np.testing.assert_allclose(wide.low[-1][4], 5)
    np.testing.assert_allclose(wide.high[-1][4], 15)
    far = ahead.widened(exact, replace(check, now=np.array([45.0, 0, 0, 0, 55, 0])))
    assert far.current[1:, -1].tolist() == [45, 100]  # twice as many would be more than there are
    assert far.current[:, 0].tolist() == [100, 100, 100]
    # Single steps that were off by a tenth of all widen too, and more so further on; nobody becomes new again.
    off = ahead.widened(lifecycle_ahead.Misses(np.full(7, 0.1), 2.0))
    assert off.current[1:, -1].tolist() == [70, 100]
    assert off.high[-1].tolist() == [100, 20, 20, 20, 30, 20]
    np.testing.assert_allclose(off.low[-1][0], 70)


def test_where_nobody_new_came_lately_the_page_says_so(result_of):
    assert not [text for text in result_of("lifecycle", "shop").warnings if "has joined since" in text]
    said = [text for text in result_of("lifecycle", "donors").warnings if "has joined since" in text]
    # The day of the last newcomer, which the scorecard names as well, not the last of the period.
    assert len(said) == 1 and said[0].startswith("No new donor has joined since 29 December 2024. If newer ones")


@pytest.mark.proof
def test_rows_of_few_moves_are_left_out(life):
    frame = sums.matrix_frame(life, 0.9, 5000).set_index("state")
    counts = life.counts().sum(axis=(0, 2))
    hidden = [state for state, n in zip(STATES, counts, strict=True) if n < 5000]
    assert hidden and frame.loc[hidden, list(STATES)].isna().all(axis=None) and frame.loc[hidden, "n"].isna().all()
    smallest = life.sizes().sort_values()
    merged = sums.states_frame(life, int(smallest.iloc[1]) + 1).set_index("state")
    assert smallest.index[0] not in merged.index and merged.loc["other", "customers"] == smallest.iloc[:2].sum()
    assert merged["customers"].sum() == 4000


@pytest.mark.proof
def test_chain_holds_every_move_and_customer(life):
    chain = life.chain()
    assert chain.start.sum() == 4000
    np.testing.assert_array_equal(chain.sums(chain.start), life.sizes()[list(STATES)])
    # Whole years only: 12 of the 23 months.
    assert len(chain.counts) == 12
    each = [base.table_of(life.even_moves, day).sum() for day in life.even[-12:]]
    np.testing.assert_array_equal(chain.counts.sum(axis=(1, 2)), each)


@pytest.mark.proof
def test_projection_keeps_todays_customers_and_says_so(result, life):
    frame = result.charts["projection"].frame
    assert len(frame) == 13
    np.testing.assert_allclose(frame[list(STATES)].sum(axis=1), 4000)
    assert frame["new"].iloc[-1] == 0  # nobody new comes
    assert (frame["low"] <= frame["current"]).all() and (frame["current"] <= frame["high"]).all()
    caption = result.charts["projection"].caption
    assert "no new customers" in caption and "each goes on buying at their own pace" in caption
    assert any("no new ones" in limit for limit in result.limits)


@pytest.mark.proof
def test_projection_holds_where_nothing_changes(own):
    # Customers who come at rates of their own, all of them from the first day: the check must hold what came.
    rng = np.random.default_rng(8)
    rows = []
    for k in range(700):
        day, rate = 0.0, rng.gamma(2, 12) + 4
        while day < 720:
            rows.append((f"c{k}", (pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(day))).date(), 20))
            day += rng.exponential(rate) + 1
    opened = own(rows)
    limits = base.limits_of(History(opened), analysis.Params(own_from=None))
    found = lifecycle_ahead.checked(base.life_of(opened, limits), 0.9, 0)
    assert found is not None
    expected, low, high = found.found.current[:, -1]
    seen = found.now[:4].sum()
    assert found.then.sum() == found.now.sum() == 700
    assert low - 10 <= seen <= high + 10
    assert abs(expected - seen) < 25


def test_value_of_the_base_is_that_of_its_states(result):
    frame = result.tables["value"].frame.set_index("state")
    assert frame.loc["all", "customers"] == 4000
    for name in ("value", "value_today", "at_risk", "customers"):
        assert frame.drop("all")[name].sum() == pytest.approx(frame.loc["all", name])


def test_cohorts_leave_the_immature_out(result):
    frame = result.charts["cohorts"].frame
    last = pd.Timestamp(result.context.as_of)
    assert len(frame) and (frame["share"] > 0).any()
    for row in frame.to_dict("records"):
        ends = pd.Timestamp(row["cohort"]) + pd.DateOffset(months=3 * row["age"]) + pd.offsets.MonthEnd(0)
        assert ends <= last
        assert row["share"] == row["bought"] / row["customers"]
    assert not {"low", "high"} & set(frame)
    youngest = frame.groupby("cohort")["age"].max()
    assert youngest.sort_index(ascending=False).tolist() == list(range(1, len(youngest) + 1))
    assert "Blank: the quarter is not over yet" in result.charts["cohorts"].caption


@pytest.mark.nightly  # by day the same is looked at in a world with seasons: tests/analyses/test_no_leak.py
def test_no_later_order_reaches_an_earlier_page(own):
    rows = regular(300)
    cut = dt.date(2024, 8, 31)
    early = analysis.run(own([row for row in rows if row[1] <= cut]), analysis.Params(as_of=str(cut)))
    whole = analysis.run(own(rows), analysis.Params(as_of=str(cut)))
    assert early.outputs["customers"].frame.equals(whole.outputs["customers"].frame)
    assert dict(early.metrics) == dict(whole.metrics)


@pytest.mark.proof
def test_the_last_day_may_be_one_without_orders(own):
    rows = [row for row in regular(300) if row[1] not in (dt.date(2024, 8, 30), dt.date(2024, 8, 31))]
    found = analysis.run(own(rows), analysis.Params(as_of="2024-08-31"))
    listed = found.outputs["customers"].frame
    assert found.context.as_of == dt.date(2024, 8, 31) and not found.absent
    silent = (pd.Timestamp("2024-08-31") - listed["last_occasion"]).dt.days
    assert (listed["days_since_last"] == silent).all() and silent.min() == 2


@pytest.mark.proof
def test_steps_take_a_history_as_its_day_knew_it(data):
    day = dt.date(2025, 6, 30)
    past = History(data, day)
    limits = base.limits_of(past)
    assert limits == thresholds(data.orders, day.isoformat(), (0.75, 0.9, 0.975), 6, limits.pace)
    one, other = base.life_of(past, limits), base.life_of(data, limits, day.isoformat())
    for name in ("customers", "moves", "since", "spells", "cohorts"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    with pytest.raises(ParameterError, match="2025-07-01 is after the last order"):
        base.moves_between(past, [day, dt.date(2025, 7, 1)], limits)
    with pytest.raises(ParameterError, match="is before the first order"):
        known(past, past.first - dt.timedelta(days=1))
    earlier, end = known(past, "2025-05-31")
    assert end == dt.date(2025, 5, 31) and earlier["ordered_at"].max().execute().date() <= end


@pytest.mark.proof
@pytest.mark.parametrize("name", ["cdnow_sample", "donors", "online_retail"])
def test_runs_on_real_and_yearly_data(name):
    if name == "online_retail" and not RETAIL.exists():
        pytest.skip("The user's own copy of Online Retail is not there.")
    found = analysis.run(crmlab.open_dataset(name))
    assert len(found.findings) == 3 and not found.absent
    accounts = found.tables["growth"].frame
    assert (accounts["current"] == accounts["new"] + accounts["repeat"] + accounts["reactivated"]).all()
    if name == "donors":
        text = " ".join(finding.sentence() for finding in found.findings) + found.tables["matrix"].caption
        assert "donors" in text and "year" in text and "customer" not in text and "purchase" not in text
        assert len(accounts) == 8
        # A model of whole rounds knows no days: moves project the base.
        assert "moves between states stay as they were" in found.charts["projection"].caption
    else:
        assert "at their own pace" in found.charts["projection"].caption


@pytest.mark.proof
def test_given_days_are_taken_and_printed(own):
    params = analysis.Params(slowing_days=20, lapsed_days=45, lost_days=100, own_from=None)
    found = analysis.run(own(regular(200)), params)
    assert found.tables["thresholds"].frame["days"].tolist() == [20, 45, 100]
    assert not found.outputs["customers"].frame["own_rhythm"].any()
    assert "slowing after 20, lapsed after 45, lost after 100" in found.method.assumptions[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lapsed": 0.7}, "The 'lapsed' parameter of lifecycle must be above 'slowing', 0.75. Got 0.7 instead."),
        ({"lost": 0.9}, "The 'lost' parameter of lifecycle must be above 'lapsed', 0.9. Got 0.9 instead."),
        ({"slowing": 1.0}, "The 'slowing' parameter of lifecycle must be between 0 and 1, both excluded."),
        ({"slowing_days": 60, "lapsed_days": 60}, "The 'lapsed_days' parameter of lifecycle must be above 'slowing_days', 60."),
        ({"slowing_days": 60, "lost_days": 50}, "The 'lost_days' parameter of lifecycle must be above 'slowing_days', 60."),
        ({"lost_days": 0}, "The 'lost_days' parameter of lifecycle must be a whole number of at least 1."),
        ({"own_from": 2}, "The 'own_from' parameter of lifecycle must be a whole number of at least 3."),
        ({"step": 2}, "The 'step' parameter of lifecycle must be 1, 3 or 12 months. Got 2 instead."),
        ({"periods": 0}, "The 'periods' parameter of lifecycle must be between 1 and 120."),
        ({"horizon": 0}, "The 'horizon' parameter of lifecycle must be between 1 and 120."),
        ({"rate": 0}, "The 'rate' parameter"),
        ({"margin": 2}, "The 'margin' parameter"),
        ({"level": 1}, "The 'level' parameter"),
        ({"as_of": "soon"}, "The 'as_of' parameter of lifecycle must be a date"),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value).startswith(said)


def test_days_that_do_not_go_with_the_quantiles_are_refused(own):
    with pytest.raises(ParameterError, match="whole days that increase, slowing < lapsed < lost"):
        analysis.run(own(regular(200)), analysis.Params(slowing_days=150))


@pytest.mark.proof
def test_customers_with_one_order_only_are_said(own):
    rows = [(f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=k)).date(), 10) for k in range(200)]
    opened = own(rows)
    with pytest.raises(
        DataError, match="needs at least 20 gaps between purchases of one customer, or thresholds set in days. Found: 0 gaps."
    ):
        analysis.run(opened)
    found = analysis.run(opened, analysis.Params(slowing_days=30, lapsed_days=60, lost_days=90))
    assert set(found.outputs["customers"].frame["state"]) == {"new", "slowing", "lapsed", "lost"}
    for part in (*found.tables.values(), *found.charts.values()):
        assert part.html()


@pytest.mark.proof
@pytest.mark.parametrize("days", [12, 45, 75])
def test_short_history_leaves_out_what_it_cannot_show(own, days):
    found = analysis.run(own(regular(days, customers=60, every=4)))
    assert "states" in found.tables and len(found.findings) >= 1
    names = ("growth", "sizes", "revenue", "sankey", "matrix", "check", "value", "projection", "cohorts", "time")
    for name in names:
        part = found.charts.get(name) or found.tables.get(name) or found.chart(name)
        assert part.html() or isinstance(part, Note)  # what shares its reason with another says it there
    assert any(found.absent[name] for name in names if name in found.absent)
    assert isinstance(found.chart("projection"), Note) and "too short" in repr(found.chart("projection"))
    for name in ("as_of", "step"):
        assert hasattr(found.params, name)


def test_dates_end_where_the_history_ends():
    found = base.dates_back(dt.date(2023, 11, 30), dt.date(2024, 2, 29), 1, 24)
    assert [day.isoformat() for day in found] == ["2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29"]
    assert base.dates_back(dt.date(2020, 1, 1), dt.date(2024, 12, 31), 12, 2)[0] == dt.date(2022, 12, 31)
    assert Thresholds(1, 2, 3).days == (1, 2, 3)


@pytest.mark.nightly
def test_some_are_called_lapsed_only_where_some_are(own):
    """Where no drop-out is seen, the page says how that goes with those lapsed or lost, if there are any."""
    rng, rows = np.random.default_rng(4), []
    for k in range(120):
        days = np.cumsum(1 + rng.exponential(25, 60))
        rows += [
            (f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day))).date(), 20 + k % 9) for day in days[days < 500]
        ]
    data = own(rows)
    some = analysis.run(data)
    assert some.metrics["share_lapsed"].value > 0
    assert any("yet the lifecycle calls some lapsed or lost" in warning for warning in some.warnings)
    none = analysis.run(data, analysis.Params(slowing_days=200, lapsed_days=400, lost_days=600, own_from=None))
    assert none.metrics["share_lapsed"].value == none.metrics["share_lost"].value == 0
    assert "value_today_total" not in none.metrics and not any("left for good" in warning for warning in none.warnings)


@pytest.mark.parametrize("read", [pd.Timestamp, str, lambda day: np.datetime64(day)])
def test_growth_reads_dates_in_any_form(read):
    days = [dt.date(2024, 1, 31), dt.date(2024, 2, 29)]
    moves = pd.DataFrame(
        {
            "date": [days[1]] * 2,
            "state_before": ["none", "active"],
            "state": ["new", "lapsed"],
            "spend": [5.0, 0.0],
            "customers": 1,
        }
    )
    plain = sums.growth(moves, days)
    assert plain["new"].tolist() == [1] and plain["lapsed"].tolist() == [1]
    pd.testing.assert_frame_equal(sums.growth(moves, [read(day) for day in days]), plain)
