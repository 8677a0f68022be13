"""Season and level of a customer base: followed only where forecasts were better with them, and said as they are."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.customer_value import Season, choosing, seasons
from crmlab.analyses.customer_value.base import base_of
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import DEFAULTS
from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.seasonal import Seasonal, levels, seasonal_of, stretches
from crmlab.analyses.customer_value.seasons import AMPLITUDE, judged, learnt, repeat_purchases, spend_ratios
from crmlab.analyses.lifecycle.pace import pace_known, pace_of
from crmlab.data.shop.make import make_shop
from crmlab.history.past import History
from crmlab.history.words import WEEKS
from crmlab.models.btyd.clock import DAYS, Clock
from crmlab.models.btyd.clock import WEEKS as WEEKS_OF_YEAR
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.page.format import Format
from tests.frames import history_of, orders

SEASONAL = {"n_customers": 400, "seed": 2, "days": 560, "campaigns": False}
SHOWN = pd.DataFrame({"day": [dt.date(2025, 1, 1)], "seen": [100.0], "plain": [80.0], "clock": [95.0], "gain": [9.0]})
SALE = '\n[[season.event]]\nname = "Sale"\ndays = ["2023-10-02/2023-10-08", "2024-10-07/2024-10-13", "2026-02-02/2026-02-08"]\n'


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The base of a simulated shop, with what its TOML file says of its calendar."""
    made: dict[tuple[object, ...], pd.DataFrame] = {}

    def base(top="", change=None, **shop):
        key = tuple(sorted(shop.items()))
        if key not in made:
            made[key] = make_shop(**shop).tables["orders"]
        orders = made[key] if change is None else change(made[key])
        folder = tmp_path_factory.mktemp("own")
        orders.to_csv(folder / "orders.csv", index=False)
        text = f'title = "Own"\ncurrency = "EUR"\n{top}\n[orders]\nfile = "orders.csv"\n'
        (folder / "own.toml").write_text(text)
        return base_of(History(crmlab.open_dataset(str(folder / "own.toml"))))

    return base


@pytest.fixture(scope="module")
def shop(opened):
    return opened(**SEASONAL)


def choice_of(season, name="mbg_nbd"):
    return Choice(name=name, by="given", ranked=None, untested="", season=season)


def plain(text):
    return text.replace("\u202f", " ")


@pytest.mark.proof
def test_a_season_is_followed_where_forecasts_are_better_with_it(shop):
    found = judged(shop)
    assert found.by == "shown" and found.gain[1] > 0 and len(found.tested) == 2
    assert found.tested["gain"].sum() == pytest.approx(found.gain[0])
    off = (found.tested[["plain", "clock"]].sub(found.tested["seen"], axis=0)).abs().sum()
    assert off["clock"] < off["plain"]
    said = plain(seasonal_of(shop, choice_of(found)).said(Format()))
    assert (
        "Forecasts use this season because" in said and "buy most from" in said and "December" in said.split(", and least")[0]
    )
    clock = found.clock(shop)
    assert clock.season.max() > 1.3 and clock.season.mean() == pytest.approx(1)


@pytest.mark.proof
def test_no_season_is_shown_where_there_is_none_and_one_that_is_learnt_does_no_harm(opened):
    base = opened(seasonality=0.0, **SEASONAL)
    found = judged(base)
    assert found.by in ("unclear", "likely") and found.gain[1] <= 0
    # By chance it may have told a little better: then it is followed, and moves a forecast by no more than its interval allows for.
    even, follows = (MBGNBD(clock=replace(found, by=by).clock(base)).fit(base.summary()) for by in ("unclear", "likely"))
    told, other = (one.expected_total(base.summary(), 26.0) for one in (even, follows))
    assert even.clock.flat and even.clock.variance(26.0) > 0
    assert told["low"] < other["expected_purchases"] < told["high"]
    said = seasonal_of(base, choice_of(replace(found, by="unclear"))).said(Format())
    assert said.startswith("No season is used") and "without)" in said


@pytest.mark.parametrize(
    ("by", "says"), [("shown", "clearly better with it"), ("likely", "better with it, though perhaps by chance")]
)
def test_a_season_is_followed_where_it_told_better(by, says):
    found = of(wave(), by=by)
    assert found.followed and says in found.said(Format())


def test_a_tie_goes_to_no_season(shop, monkeypatch):
    fitted = judged(shop).tested
    monkeypatch.setattr(seasons, "log_masses", lambda model, held, seen: np.zeros(len(held)))
    found = seasons._judged(shop)
    assert found.by == "unclear" and not found.used and len(found.tested) == len(fitted)


def test_under_a_year_the_season_is_not_seen_and_allowed_for(opened):
    base = opened(n_customers=150, seed=2, days=300, campaigns=False)
    found = judged(base, 0.2)
    assert found.by == "short" and learnt(base) is None
    clock = found.clock(base)
    assert clock.flat and clock.variance(13.0) == clock.unseen_variance(13.0) > 0
    assert judged(base, 0.0).clock(base).variance(13.0) == 0
    said = plain(seasonal_of(base, choice_of(found)).said(Format()))
    assert said.startswith("No season can be learnt yet") and "between 80% and 120%" in said


@pytest.mark.proof
def test_the_same_twice(shop, opened):
    again = judged(opened(**SEASONAL))
    pd.testing.assert_frame_equal(again.tested, judged(shop).tested)


def test_a_day_knows_nothing_of_later_orders(shop, opened):
    """Orders of later days, tenfold in number and at other times, change nothing in the clock and the judgement of a day."""
    day = dt.date(2025, 6, 30)

    def wild(orders):
        late = orders[pd.to_datetime(orders["ordered_at"]) > pd.Timestamp(day) + pd.Timedelta(days=1)]
        more = [
            late.assign(order_id=late["order_id"].astype(str) + f"-{k}", ordered_at="2025-08-0" + str(k)) for k in range(1, 6)
        ]
        return pd.concat([orders, *more])

    then, other = (base_of(base.history.earlier(day)) for base in (shop, opened(change=wild, **SEASONAL)))
    assert (learnt(then).season == learnt(other).season).all() and (learnt(then).level == learnt(other).level).all()


def forecast(base, season, ahead, kind=MBGNBD):
    model = kind(clock=season.clock(base)).fit(base.summary())
    return float(model.expected_purchases(base.summary(), ahead).sum())


@pytest.mark.proof
def test_a_closed_month_lowers_the_forecast_whether_or_not_a_season_is_shown(opened):
    shop = {"n_customers": 300, "seed": 2, "days": 500, "campaigns": False}
    closed = '[season]\nclosed = ["2026-02-01/2026-02-28"]'
    bases = [opened(top, **shop) for top in ("", closed)]
    for by in ("shown", "likely", "unclear", "off", "short"):
        season = Season(by=by, tested=SHOWN)
        for kind in (MBGNBD, ParetoNBD):
            open_, shut = (forecast(base, season, 10.0, kind) for base in bases)
            assert 0.45 < shut / open_ < 0.8, by  # four of ten weeks, of which others are no busier


@pytest.mark.proof
def test_a_declared_sale_to_come_raises_the_forecast(opened):
    def doubled(orders):
        """On the days of past sales, three times as many come."""
        day = pd.to_datetime(orders["ordered_at"])
        near = [("2023-09-11", "2023-10-01", "2023-10-02"), ("2024-09-16", "2024-10-06", "2024-10-07")]
        moved = orders.copy()
        for first, last, sale in near:
            some = day.between(first, pd.Timestamp(last) + pd.Timedelta(days=1)) & (np.arange(len(orders)) % 2 == 0)
            moved.loc[some, "ordered_at"] = (pd.Timestamp(sale) + pd.to_timedelta(np.arange(some.sum()) % 7, unit="D")).astype(
                str
            )
        return moved

    long = {**SEASONAL, "days": 900}
    without = SALE.replace(', "2026-02-02/2026-02-08"', "")
    with_sale, without = (opened(top, doubled, **long) for top in (SALE, without))
    season = Season(by="shown", tested=SHOWN)
    clock = season.clock(with_sale)
    assert clock.special[dt.date(2026, 2, 4)] > 1.3
    assert forecast(with_sale, season, 8.0) > 1.03 * forecast(without, season, 8.0)


def test_learn_false_learns_nothing(opened):
    base = opened("[season]\nlearn = false", **SEASONAL)
    found = judged(base)
    assert found.by == "off" and found.clock(base).flat and found.clock(base).variance(26.0) == 0
    assert seasonal_of(base, choice_of(found)).said(Format()).startswith("No season is learnt: the data set turns it off")


@pytest.mark.proof
def test_money_follows_the_season_of_spend(opened):
    """Baskets of December are twice as large: spend of the last quarter is told better with the season of spend than without."""

    def dearer(orders):
        december = pd.to_datetime(orders["ordered_at"]).dt.month == 12
        return orders.assign(amount=(orders["amount"].astype(float) * np.where(december, 2.0, 1.0)).round(2))

    base = opened(change=dearer, n_customers=600, seed=4, days=1000, campaigns=False)
    clock = learnt(base)
    assert clock.spend[340:365].mean() > 1.4 > 1.2 > clock.spend[100:300].max()
    split = dt.date(2025, 10, 1)
    then, held = base_of(base.history.earlier(split)), base.held(13)
    known = learnt(then)
    off = {}
    for name, one in (("season", known), ("none", replace(known, spend=np.ones(DAYS)))):
        from crmlab.analyses.customer_value.backtesting import expected_spend

        told = expected_spend(MBGNBD(clock=one).fit(held), held, "week", 13.0)
        off[name] = abs(told.sum() / held["holdout_spend"].sum() - 1)
    assert off["season"] < off["none"] - 0.05


def test_repeat_purchases_and_what_they_bring_by_hand():
    """First purchases are left out; spend is over the customer's own mean, at most five times it; one repeat says nothing of a mean."""
    rows = [("a", "2024-01-01", 90.0), ("a", "2024-02-01", 10.0), ("a", "2024-02-01", 20.0), ("a", "2024-03-01", 10.0)]
    rows += [("b", "2024-01-05", 9.0), ("b", "2024-03-01", 7.0)]
    rows += [("c", "2024-01-06", 1.0), *[("c", f"2024-04-{day:02}", 1.0) for day in range(1, 10)], ("c", "2024-04-10", 991.0)]
    base = base_of(history_of(orders(*rows), dt.date(2024, 5, 31)))
    seen = repeat_purchases(base)
    assert seen.loc["2024-02-01"] == 1 and seen.loc["2024-03-01"] == 2 and seen.sum() == 13
    found = spend_ratios(base.history.orders, base.end).to_pandas()
    found = found.set_index(pd.to_datetime(found["day"]))
    # One of n counts as 1 − 1/n, and its ratio less 1/n: two of a, ten of c, and none of b.
    assert found["occasions"].sum() == pytest.approx(1 + 9) and found.loc["2024-03-01", "occasions"] == pytest.approx(0.5)
    assert found.loc["2024-02-01", "ratio"] == pytest.approx(1.5 - 0.5) and found.loc["2024-03-01", "ratio"] == pytest.approx(
        0.0
    )
    assert found.loc["2024-04-01", "ratio"] == pytest.approx(0.01 - 0.1) and found.loc["2024-04-10", "ratio"] == pytest.approx(
        5 - 0.1
    )
    early = spend_ratios(base.history.orders, dt.date(2024, 2, 29)).to_pandas()
    assert early.empty  # by then nobody had come again twice


def test_where_none_was_seen_as_much_is_allowed_for_as_the_parameter_says():
    assert DEFAULTS.unseen_season == AMPLITUDE == Season(by="short", tested=SHOWN).amplitude


def test_the_pace_of_an_earlier_day_is_that_which_was_learnt_by_then(shop):
    known = pace_known(shop.history)
    assert known.clock is learnt(shop) and known.first == shop.first
    assert pace_known(shop.history.earlier(shop.first + dt.timedelta(days=200))) is None


# Words and numbers of what was learnt.


def wave(size=0.5, **parts):
    return Clock(end=dt.date(2025, 12, 31), season=1 + size * np.cos(2 * np.pi * (np.arange(DAYS) - 180) / DAYS), **parts)


def of(clock, by="shown", model="mbg_nbd", tested=SHOWN):
    return Seasonal(choice=choice_of(Season(by=by, tested=tested), model), clock=clock, level=0.9, words=WEEKS)


def test_peak_and_trough_are_those_of_the_year_with_their_intervals():
    known, (peak, trough) = wave(), stretches(wave())
    assert peak.low == peak.rate == peak.high and peak.rate == pytest.approx(1.49, abs=0.01)
    assert peak.first == (6, 18) and peak.last == (7, 15)
    # What all weeks share says nothing of which is the peak; what each has of its own does.
    shared = np.zeros((WEEKS_OF_YEAR + 1, WEEKS_OF_YEAR + 1)) + 0.04
    same = stretches(replace(known, covariance=shared))[0]
    assert same.high == pytest.approx(same.rate)
    own = stretches(replace(known, covariance=0.04 * np.eye(WEEKS_OF_YEAR + 1)))[0]
    assert np.log(own.high / own.rate) == pytest.approx(1.645 * np.sqrt(0.04 / 4), rel=0.1)
    assert trough.rate < 0.6


def test_a_peak_over_the_turn_of_the_year_comes_once_a_winter():
    clock = Clock(end=dt.date(2025, 12, 31), season=1 + 0.5 * np.cos(2 * np.pi * np.arange(DAYS) / DAYS))
    found = stretches(clock)[0].within(dt.date(2024, 1, 5), dt.date(2025, 12, 31))
    assert found == [
        (dt.date(2024, 1, 5), dt.date(2024, 1, 14)),
        (dt.date(2024, 12, 17), dt.date(2025, 1, 14)),
        (dt.date(2025, 12, 17), dt.date(2025, 12, 31)),
    ]


def test_every_model_of_purchases_at_any_time_follows_the_season():
    for name in ("mbg_nbd", "pareto_nbd", "bg_nbd"):
        said = of(wave(), model=name).said(Format())
        assert "buy most from 18 June to 15 July" in said and "Forecasts use this season because" in said
        assert of(wave(), model=name).followed and not of(wave(), by="unclear", model=name).followed


@pytest.mark.parametrize(
    ("before", "error", "says"),
    [(1.25, 0.02, "is 20% lower"), (0.8, 0.02, "is 25% higher"), (1.02, 0.1, "shows no clear difference from a year ago")],
)
def test_the_level_is_said_against_that_of_a_year_ago(before, error, says):
    level = np.concatenate([np.full(300, before), np.linspace(before, 1.0, 300)])
    found = of(wave(level=level, level_error=np.full(600, error)))
    assert says in plain(found.level_said(Format()))
    value, low, high = found.grown
    assert low < value < high
    shown = levels(found.clock, dt.date(2025, 6, 1))
    assert (
        shown["day"].iloc[-1] == dt.date(2025, 12, 31)
        and shown["level"].iloc[-1] == 1
        and shown["day"].min() >= dt.date(2025, 6, 1)
    )


@pytest.mark.parametrize("by", ["rounds", "off", "short", "untested"])
def test_nothing_is_shown_of_a_season_that_was_not_tested(by):
    found = of(None if by != "untested" else wave(), by=by, tested=SHOWN.iloc[:0])
    assert not found.shown and not found.followed and found.level_said(Format()) == ""
    assert bool(found.said(Format())) == (by != "rounds") and found.missing


@pytest.mark.parametrize("by", ["short", "untested"])
def test_why_nothing_was_learnt_or_tested_is_said(by):
    """A long history with too few who come again is not called a short one."""
    season = Season(by=by, tested=SHOWN.iloc[:0], why="fit_clock: nobody came again.")
    found = Seasonal(choice=choice_of(season), clock=None, level=0.9, words=WEEKS)
    for said in (found.missing, found.said(Format())):
        assert "nobody came again." in said and "history" not in said and said.count("..") == 0
    assert "ntervals" in found.said(Format())


def test_a_long_history_with_too_little_says_what_failed():
    """Three years in which nobody comes again: the season is missing for another reason than the length."""
    rows = [(f"c{k}", str(dt.date(2022, 1, 1) + dt.timedelta(days=40 * k)), 5.0) for k in range(28)]
    base = base_of(history_of(orders(*rows), dt.date(2025, 1, 1)))
    found = judged(base)
    assert found.by == "short" and found.why and learnt(base) is None
    said, code = seasonal_of(base, choice_of(found)).said(Format()), found.why.split(":")[0]
    assert "customers who bought again" in found.why and reason_said(found.why, WEEKS, "that needs") in said
    assert "that needs customers who bought again (found: none among 28 customers)." in said and code not in said


@pytest.mark.parametrize(
    ("by", "name", "says"), [("shown", "mbg_nbd", True), ("shown", "pareto_nbd", True), ("unclear", "mbg_nbd", False)]
)
def test_whether_a_season_is_followed_has_one_answer(monkeypatch, by, name, says):
    """The choice, the clock that pages count by, silence and chances of offers: none follows a season that the chosen model does not."""
    choice, clock = choice_of(Season(by=by, tested=SHOWN), name), wave()
    for one, gives in (("judged", choice.season), ("chosen", choice), ("learnt", clock)):
        monkeypatch.setattr(choosing, one, lambda *_, gives=gives: gives)
    past = history_of(orders(("a", "2024-01-01", 5.0), ("a", "2025-09-01", 5.0)), clock.end)
    assert choice.in_season == says == (choosing.clock_followed(past) is clock) == (pace_of(past) is not None)
    assert (choosing.season_ahead(past, 91.0) != 1.0) == says


def test_where_nothing_came_no_miss_is_told():
    found = of(wave(), by="unclear", tested=SHOWN.assign(seen=0.0))
    assert "missed" not in found.said(Format())


def test_what_is_learnt_is_given(shop):
    found = seasonal_of(shop, choice_of(judged(shop)))
    assert found.shown and found.followed and len(found.weeks) == WEEKS_OF_YEAR
    assert ((found.weeks["low"] < found.weeks["rate"]) & (found.weeks["rate"] < found.weeks["high"])).all()
