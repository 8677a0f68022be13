"""Forecast of quarters: its sums by another route, its intervals against simulated outcomes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.forecasting import Past, coverage, forecast, recent_rate, seasonal_factors
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


PAST = Past(np.array([50.0, 60.0, 55.0, 55.0]), np.array([80.0, 90.0, 95.0, 100.0]), 40.0, 1.0, 20.0)


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
    firsts = np.zeros(4)
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
            firsts[int(came // 13)] += 1
        for when, amount in zip(times[~before], amounts[~before], strict=True):
            quarter = min(int((when - weeks) // 13), 3)
            occasions[quarter] += 1
            spend[quarter] += amount
    frame = pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary_value"])
    mean = 6.25 * 15.44 / 2.74
    return frame, Past(firsts, firsts, mean, mean / np.sqrt(firsts.sum()), mean, days=(91,) * 4), occasions, spend


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


def test_forecast_intervals_cover_simulated_outcomes_at_known_parameters():
    share, bias, error = covers(lambda frame: known_model(), 24, 60)
    assert abs(bias) < 4 * error
    # Quarters and measures of one run go together: about 60 independent cases at 90 %, four deviations are 0.15.
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
        forecast(known_model(), frame, Past(PAST.arrivals, PAST.occasions, 40.0, days=days)).set_index(["measure", "quarter"])
        for days in ((92, 91, 91, 91), (91, 92, 91, 91))
    )
    # The year together is the same; so is the end of the second quarter. Newcomers come evenly, day by day.
    assert two.loc[("occasions", 0), "known"] == pytest.approx(one.loc[("occasions", 0), "known"], rel=1e-9)
    for frame in (one, two):
        assert frame.loc["occasions"]["expected"].loc[1:4].sum() == pytest.approx(frame.loc[("occasions", 0), "expected"])
    assert two.loc[("occasions", 1), "known"] < one.loc[("occasions", 1), "known"]
    assert two["known"].loc["occasions"].loc[1:2].sum() == pytest.approx(one["known"].loc["occasions"].loc[1:2].sum())
    assert one.loc[("occasions", 0), "new"] == pytest.approx(two.loc[("occasions", 0), "new"], rel=1e-3)


def test_forecast_without_newcomers_and_with_a_season():
    frame = customers(200, 3)
    stopped = forecast(known_model(), frame, Past(np.array([90.0, 0.0]), np.array([90.0, 20.0]), 40.0))
    assert (stopped["new"] == 0).all()
    assert not stopped.isna().to_numpy().any()
    season = np.array([0.5, 1.0, 1.0, 1.5])
    plain, seasonal = (
        forecast(known_model(), frame, PAST, season=s).set_index(["measure", "quarter"])["known"] for s in (None, season)
    )
    assert (seasonal / plain).loc["occasions"].loc[1:4].to_numpy() == pytest.approx(season)


def test_recent_rate_carries_its_own_past_error():
    steady = recent_rate([100] * 8)
    assert steady.variance == pytest.approx(1 / 100 + 1 / 400)
    wild = recent_rate([50, 150, 50, 150, 50, 150, 50, 150])
    assert wild.expected.tolist() == [100.0] * 4
    assert wild.variance > 0.1
    assert recent_rate([10, 5, 0]).expected.tolist() == [0.0] * 4
    # Past quarters bear the season of the quarter a year later: at the same season the rate is level.
    season = np.array([0.8, 1.0, 1.0, 1.2])
    found = recent_rate([80, 100, 100, 120] * 2, season)
    assert found.expected == pytest.approx([80, 100, 100, 120])
    assert found.variance == pytest.approx(1 / 100 + 1 / 400)


def test_seasonal_factors_ignore_growth_and_need_two_years():
    assert seasonal_factors(np.arange(7)) is None
    grown = 100 * 1.1 ** np.arange(16) * np.tile([0.7, 1.0, 1.1, 1.2], 4)
    found = seasonal_factors(grown)
    # With three ratios a quarter, three quarters of what is seen is kept.
    assert found == pytest.approx(1 + 0.75 * (np.array([0.7, 1.0, 1.1, 1.2]) - 1), abs=0.02)
    assert found.mean() == pytest.approx(1)
    assert seasonal_factors([0.0] * 8).tolist() == [1.0] * 4


def test_coverage_counts_and_measures_the_factor():
    frame = pd.DataFrame({"expected": 10.0, "low": 5.0, "high": 20.0, "seen": [10.0] * 18 + [40.0, 2.5]})
    assert coverage(frame, 0.9) == (18, 20, 2.0)
    assert coverage(frame.head(18), 0.9) == (18, 18, 1.0)
    assert coverage(frame.head(0)) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"season": [1.0, 1.0]}, "'season' must be four positive numbers"),
        ({"season": [1.0, 1.0, 1.0, 0.0]}, "'season' must be four positive numbers"),
        ({"widen": 0.5}, "'widen' must be a number of at least 1"),
        ({"level": 90}, "between 0 and 1"),
    ],
)
def test_forecast_refuses(arguments, said):
    with pytest.raises(ModelError, match=said):
        forecast(known_model(), customers(20, 1), PAST, **arguments)


def test_forecast_refuses_other_units_and_arrivals():
    with pytest.raises(ModelError, match="'unit' must be 'week'"):
        forecast(CustomerValue(purchases=TRUE, spend=SPEND, unit="day"), customers(20, 1), PAST)
    for days in ((91, 91, 91), (91, 91, 91, 0)):
        with pytest.raises(ModelError, match="'days' must be four positive numbers"):
            forecast(known_model(), customers(20, 1), Past(PAST.arrivals, PAST.occasions, 40.0, days=days))
    for arrivals in ([], [1.0, np.nan], [-1.0]):
        with pytest.raises(ModelError, match="at least one number of at least 0"):
            recent_rate(arrivals)
