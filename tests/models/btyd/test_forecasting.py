"""Forecast of quarters: its sums by another route, its intervals against simulated outcomes, and what it refuses."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.arrivals import ArrivalRate, Arrivals
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.forecasting import Past, coverage, forecast
from crmlab.models.btyd.gamma_gamma import GammaGamma

# Fader, Hardie and Lee (2005) for purchases (CDNOW, weeks), Fader and Hardie (2013) for spend.
TRUE = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)


YEAR = 365 / 7  # weeks that four quarters ahead are


def known_model():
    return CustomerValue(purchases=TRUE, spend=SPEND, unit="week")


def customers(n, seed, weeks=52.0):
    """Customers who came evenly over a year, and what they do in the next 52 weeks, quarter by quarter."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, weeks, n)
    frame = TRUE.simulate(age, seed=seed)
    x = frame["frequency"].to_numpy()
    mean = 6.25 / rng.gamma(3.74, 1 / 15.44, n)
    spend = np.where(x > 0, rng.gamma(np.maximum(6.25 * x, 1e-9), mean / 6.25 / np.maximum(x, 1)), np.nan)
    return frame.assign(monetary_value=spend)


END = dt.date(2024, 12, 31)


def evenly(a_year, season=None):
    """Newcomers at a known rate."""
    return ArrivalRate(END, a_year / 365, np.ones(365) if season is None else season, 0.02, season is not None)


PAST = Past(evenly(220.0), 40.0, 1.0, 20.0)


def test_forecast_of_known_customers_is_what_the_models_expect():
    model, frame = known_model(), customers(300, 1)
    found = forecast(model, frame, PAST).set_index(["measure", "quarter"])
    each = TRUE.expected_purchases(frame, YEAR)
    assert found.loc[("occasions", 0), "known"] == pytest.approx(each.sum(), rel=1e-9)
    assert found.loc[("spend", 0), "known"] == pytest.approx((each * model.expected_spend(frame)).sum(), rel=1e-9)
    first = TRUE.expected_purchases(frame, 92 / 7).sum()
    assert found.loc[("occasions", 1), "known"] == pytest.approx(first, rel=1e-9)
    for measure in ("occasions", "spend"):
        parts = found.loc[measure]
        assert parts.loc[0, "expected"] == pytest.approx(parts.loc[[1, 2, 3, 4], "expected"].sum(), rel=1e-12)
        assert (parts["known"] + parts["new"]).to_numpy() == pytest.approx(parts["expected"].to_numpy())
        assert ((parts["low"] < parts["expected"]) & (parts["expected"] < parts["high"])).all()


def test_forecast_of_newcomers_is_the_integral_over_their_arrivals():
    found = forecast(known_model(), customers(50, 1), PAST).set_index(["measure", "quarter"])
    # 220 a year, evenly: each moment's newcomers have the rest of it to buy again.
    moments = (np.arange(520) + 0.5) / 520 * YEAR
    repeats = TRUE.expected_purchases_new(YEAR - moments).to_numpy().mean()
    assert found.loc[("occasions", 0), "new"] == pytest.approx(220 * (1 + repeats), rel=2e-3)
    mean = 6.25 * 15.44 / 2.74
    assert found.loc[("spend", 0), "new"] == pytest.approx(220 * (40 + repeats * mean), rel=2e-3)


def outcome(seed, n, per_quarter):
    """What happened, by a simulation that is not the module's: event by event."""
    rng = np.random.default_rng(seed)
    weeks = 52.0
    arrivals = np.sort(rng.uniform(0, 2 * weeks, rng.poisson(8 * per_quarter)))
    rows, occasions, spend = [], np.zeros(4), np.zeros(4)
    firsts = np.zeros(364)
    for came in arrivals:
        rate, drop = rng.gamma(0.243, 1 / 4.414), rng.beta(0.793, 2.426)
        mean = 6.25 / rng.gamma(3.74, 1 / 15.44)
        now, times = came, [came]
        while rng.random() > drop:
            now += rng.exponential(1 / max(rate, 1e-12))
            if now > 2 * weeks:
                break
            times.append(now)
        times = np.array(times)
        amounts = rng.gamma(6.25, mean / 6.25, len(times))
        before = times <= weeks
        if before.any():
            x = int(before.sum()) - 1
            rows.append([x, times[before][-1] - came, weeks - came, amounts[before][1:].mean() if x else np.nan])
            firsts[int(came * 7)] += 1
        for when, amount in zip(times[~before], amounts[~before], strict=True):
            quarter = min(int((when - weeks) // 13), 3)
            occasions[quarter] += 1
            spend[quarter] += amount
    frame = pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary_value"])
    mean = 6.25 * 15.44 / 2.74
    past = Past(Arrivals(firsts, END).rate(), mean, mean / np.sqrt(firsts.sum()), mean, days=(91,) * 4)
    return frame, past, occasions, spend


def covers(model_of, runs, per_quarter):
    inside, total, bias = 0, 0, []
    for seed in range(runs):
        frame, past, occasions, spend = outcome(seed, 0, per_quarter)
        found = forecast(model_of(frame), frame, past, level=0.9).set_index(["measure", "quarter"])
        for measure, seen in (("occasions", occasions), ("spend", spend)):
            whole = [seen.sum(), *seen]
            for quarter in range(5):
                row = found.loc[(measure, quarter)]
                inside += row["low"] <= whole[quarter] <= row["high"]
                total += 1
            bias.append(seen.sum() / found.loc[(measure, 0), "expected"] - 1)
    return inside / total, float(np.mean(bias)), float(np.std(bias) / np.sqrt(len(bias) / 2))


@pytest.mark.proof
def test_forecast_intervals_cover_simulated_outcomes_at_known_parameters():
    share, bias, error = covers(lambda frame: known_model(), 24, 60)
    assert abs(bias) < 4 * error
    # Quarters and measures of one run go together: about 60 independent cases at 90%, four deviations are 0.15.
    assert 0.78 < share <= 1.0


@pytest.mark.nightly
def test_forecast_intervals_cover_simulated_outcomes_with_fitted_models():
    share, bias, error = covers(lambda frame: CustomerValue(unit="week").fit(frame), 60, 250)
    print(f"coverage {share:.3f}, bias {bias:+.3f} ± {error:.3f}")
    assert abs(bias) < 4 * error
    assert 0.82 < share < 0.98


def test_forecast_is_reproducible_and_widens_on_the_log_scale():
    frame = customers(200, 3)
    one, two = forecast(known_model(), frame, PAST), forecast(known_model(), frame, PAST)
    pd.testing.assert_frame_equal(one, two)
    wide = forecast(known_model(), frame, PAST, widen=2.0)
    assert np.log(wide["high"] / wide["expected"]).to_numpy() == pytest.approx(
        2 * np.log(one["high"] / one["expected"]).to_numpy()
    )
    assert np.log(wide["low"] / wide["expected"]).to_numpy() == pytest.approx(
        2 * np.log(one["low"] / one["expected"]).to_numpy()
    )


def test_forecast_of_quarters_of_other_lengths():
    frame = customers(200, 3)
    one, two = (
        forecast(known_model(), frame, Past(PAST.arrivals, 40.0, days=days)).set_index(["measure", "quarter"])
        for days in ((92, 91, 91, 91), (91, 92, 91, 91))
    )
    # The year together is the same; so is the end of the second quarter. Newcomers come evenly, day by day.
    assert two.loc[("occasions", 0), "known"] == pytest.approx(one.loc[("occasions", 0), "known"], rel=1e-9)
    for frame in (one, two):
        assert frame.loc["occasions"]["expected"].loc[1:4].sum() == pytest.approx(frame.loc[("occasions", 0), "expected"])
    assert two.loc[("occasions", 1), "known"] < one.loc[("occasions", 1), "known"]
    assert two["known"].loc["occasions"].loc[1:2].sum() == pytest.approx(one["known"].loc["occasions"].loc[1:2].sum())
    assert one.loc[("occasions", 0), "new"] == pytest.approx(two.loc[("occasions", 0), "new"], rel=1e-3)


def test_forecast_without_newcomers():
    stopped = forecast(known_model(), customers(200, 3), Past(evenly(0.0), 40.0))
    assert (stopped["new"] == 0).all()
    assert not stopped.isna().to_numpy().any()


WAVE = 1 + 0.6 * np.cos(2 * np.pi * (np.arange(365) - 320) / 365)


def on(clock):
    return CustomerValue(
        purchases=BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426).set_params(clock=clock), spend=SPEND, unit="week"
    )


def test_forecast_on_a_still_clock_is_that_without_one():
    frame = customers(200, 3)
    plain, still = forecast(known_model(), frame, PAST), forecast(on(Clock(end=END)), frame, PAST)
    for name in ("expected", "known", "new", "low", "high"):
        assert still[name].to_numpy() == pytest.approx(plain[name].to_numpy(), rel=1e-9)


def test_forecast_follows_the_clock_of_purchases_of_spend_and_of_newcomers():
    frame, spend = customers(200, 3), 1 + 0.2 * np.cos(2 * np.pi * (np.arange(365) - 350) / 365)
    clock = Clock(end=END, season=WAVE, spend=spend * 365 / (spend @ WAVE))
    model = on(clock)
    found = forecast(model, frame, Past(evenly(220.0, WAVE), 40.0)).set_index(["measure", "quarter"])
    # By another route: the model's own expectations of customers, and of newcomers by the day on which they come.
    assert found.loc[("occasions", 0), "known"] == pytest.approx(
        model.purchases.expected_purchases(frame, YEAR).sum(), rel=1e-9
    )
    bare, ran = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426), clock.at(np.arange(366) / 7)
    repeats = bare.expected_purchases_new(ran[-1] - (ran[1:] + ran[:-1]) / 2).to_numpy()
    came = evenly(220.0, WAVE).expected(365)
    assert found.loc[("occasions", 0), "new"] == pytest.approx(came @ (1 + repeats), rel=2e-3)
    # The last quarter is the busy one, and the dear one; a year brings what its mean spend says.
    quarters = found.loc["occasions"]["expected"].loc[1:4]
    assert quarters.idxmax() == 4
    each = found["expected"].loc["spend"] / found["expected"].loc["occasions"]
    assert each.loc[4] > 1.1 * each.loc[2]


def test_forecast_intervals_hold_what_is_not_known_of_the_clock():
    frame = customers(2000, 3)
    known = forecast(on(Clock(end=END)), frame, PAST)
    for doubt in ({"unseen": 0.3, "years": 0.6}, {"drift": 0.05}, {"dispersion": 20.0}):
        wide = forecast(on(Clock(end=END, **doubt)), frame, PAST)
        assert wide["expected"].to_numpy() == pytest.approx(known["expected"].to_numpy(), rel=1e-9)
        assert (np.log(wide["high"] / wide["low"]) > np.log(known["high"] / known["low"]) * 1.02).all()
    # A season that was not seen moves quarters more than a year; a level that drifts, later quarters more than the first.
    wide = forecast(on(Clock(end=END, unseen=0.3, years=1.0)), frame, PAST).set_index(["measure", "quarter"])
    width = np.log(wide["high"] / wide["low"]).loc["occasions"]
    assert width[0] < width.loc[1:4].min()
    drifting = forecast(on(Clock(end=END, drift=0.05)), frame, PAST).set_index(["measure", "quarter"])
    width = np.log(drifting["high"] / drifting["low"]).loc["occasions"]
    assert width[4] > width[1]


def test_coverage_counts_and_measures_the_factor():
    frame = pd.DataFrame({"expected": 10.0, "low": 5.0, "high": 20.0, "seen": [10.0] * 18 + [40.0, 2.5]})
    assert coverage(frame, 0.9) == (18, 20, 2.0)
    assert coverage(frame.head(18), 0.9) == (18, 18, 1.0)
    assert coverage(frame.head(0)) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"widen": 0.5}, "'widen' must be a number of at least 1"),
        ({"level": 90}, "between 0 and 1"),
    ],
)
def test_forecast_refuses(arguments, said):
    with pytest.raises(ModelError, match=said):
        forecast(known_model(), customers(20, 1), PAST, **arguments)


def test_forecast_refuses_other_units_and_lengths():
    with pytest.raises(ModelError, match="'unit' must be 'week'"):
        forecast(CustomerValue(purchases=TRUE, spend=SPEND, unit="day"), customers(20, 1), PAST)
    for days in ((91, 91, 91), (91, 91, 91, 0), (92.9, 91, 91, 91), (0.5, 91, 91, 91)):
        with pytest.raises(ModelError, match="'days' must be four positive whole numbers"):
            forecast(known_model(), customers(20, 1), Past(PAST.arrivals, 40.0, days=days))


def test_forecast_refuses_newcomers_of_another_day():
    other = ArrivalRate(dt.date(2024, 6, 30), 1.0, np.ones(365), 0.02, False)
    with pytest.raises(ModelError, match="those after the last day of the model's clock, 2024-12-31"):
        forecast(on(Clock(end=END)), customers(20, 1), Past(other, 40.0))
