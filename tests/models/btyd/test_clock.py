"""The models on a clock: with an even one nothing changes; with a season, what they say is what simulated lives and quadratures say."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.base import clone

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.clock import DAYS, Clock, day_of_year, unseen_variance, week_of_year
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.sbg import SBG
from crmlab.models.btyd.tracking import track
from tests.models.btyd.lives import FIRST, World, rates_of, wave

END = dt.date(2023, 10, 2)
BOTH = [BGNBD, MBGNBD]
PARAMS = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4}
EVEN = Clock(end=END)
# As good as even, but not to the computer: everything goes the way of a clock with a season.
RUNNING = Clock(end=END, level=np.array([np.nextafter(1.0, 2.0), 1.0]))
SEASON = Clock(
    end=END,
    season=wave(0.8, 340),
    weekday=np.array([1.2, 1.1, 1.0, 1.0, 1.3, 0.9, 0.5]),
    level=np.linspace(1.4, 1.0, 500),
    special={dt.date(2023, 12, 25): 0.0, dt.date(2023, 11, 24): 4.0, dt.date(2022, 11, 25): 3.0},
)


def at(kind, params=PARAMS, clock: Clock | None = None):
    return kind.from_params(**params).set_params(clock=clock)


def base(kind, n: int = 200) -> pd.DataFrame:
    age = np.random.default_rng(3).integers(1, 900, n) / 7
    frame = at(kind).simulate(age, seed=3)
    days = np.where(frame["frequency"] > 0, np.ceil(frame["recency"] * 7), 0.0)
    return frame.assign(recency=np.minimum(days / 7, frame["T"]))


QUESTIONS = [
    ("probability_alive", {}),
    ("probability_alive", {"level": 0.9, "interval": "outcome"}),
    ("probability_of_purchase", {"horizon": 13.0}),
    ("expected_purchases", {"horizon": 13.0}),
    ("expected_purchases", {"horizon": 300.0, "level": 0.9}),
    ("expected_purchases", {"horizon": 26.0, "level": 0.9, "interval": "outcome"}),
    ("discounted_expected_purchases", {"delta": 0.003}),
    ("discounted_expected_purchases", {"delta": 0.003, "level": 0.9}),
    ("discounted_expected_purchases", {"delta": 0.01, "horizon": 52.0}),
    ("next_purchase", {}),
    ("next_purchase", {"q": 0.2, "level": 0.9}),
    ("next_purchase", {"q": 0.2, "level": 0.9, "interval": "outcome"}),
    ("expected_total", {"horizon": 13.0}),
    ("expected_total", {"horizon": 13.0, "interval": "outcome"}),
]


@pytest.mark.proof
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("clock", [EVEN, RUNNING], ids=["even", "running"])
def test_an_even_clock_changes_nothing(kind, clock):
    data = base(kind)
    plain, timed = kind().fit(data), kind(clock=clock).fit(data)
    assert timed.params_ == pytest.approx(plain.params_, rel=1e-9)
    assert timed.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)
    assert timed.n_states_ == plain.n_states_
    for method, how in QUESTIONS:
        one, other = (np.asarray(getattr(model, method)(data, **how), dtype=float) for model in (plain, timed))
        np.testing.assert_allclose(
            other, one, rtol=1e-6 if method == "next_purchase" else 1e-9, atol=1e-12, err_msg=f"{method} {how}"
        )
    new = [model.expected_purchases_new([5.0, 60.0], level=0.9).to_numpy() for model in (plain, timed)]
    np.testing.assert_allclose(new[1], new[0], rtol=1e-9)
    np.testing.assert_allclose(timed.pmf([0, 1, 5], 20.0), plain.pmf([0, 1, 5], 20.0), rtol=1e-9)
    drawn = [model.simulate([3.0, 50.0, 90.0] * 40, 13.0, seed=2) for model in (plain, timed)]
    np.testing.assert_allclose(drawn[1], drawn[0], rtol=1e-9)
    tracked = [track(model, [-120.0, -30.0], [100, 50], [-100.0, -20.0, 0.0, 13.0]).to_numpy() for model in (plain, timed)]
    np.testing.assert_allclose(tracked[1], tracked[0], rtol=1e-9)


@pytest.mark.parametrize("kind", BOTH)
def test_an_even_clock_changes_no_simulated_worth(kind):
    # Discounts of simulated purchases are summed day by day on a running clock.
    data, how = base(kind, 60), {"delta": 0.003, "level": 0.9, "interval": "outcome"}
    plain, even, running = (
        kind(clock=clock).fit(data).discounted_expected_purchases(data, **how) for clock in (None, EVEN, RUNNING)
    )
    np.testing.assert_array_equal(even, plain)
    np.testing.assert_allclose(running, plain, rtol=1e-4, atol=1e-4)


def quadrature(
    kind, params: dict, clock: Clock, x: float, tx: float, age: float, delta: float, horizon: float, money: bool
) -> float:
    """Expected purchases, discounted, of one customer: midpoints of days, and the chance to leave by Gauss and Legendre."""
    r, alpha, a, b = params.values()
    days = int(min(horizon, 20 / delta if delta else np.inf) * 7)
    rate = clock.rates(1, days)
    op = np.concatenate([[0.0], np.cumsum(rate)]) / 7
    half = np.diff(op) / 2 / np.sqrt(3)  # two points of a day, by Gauss
    points = [(op[1:] + op[:-1]) / 2 + side * half for side in (-1, 1)]
    past = clock.rates(1 - round(age * 7), 0)
    A = past.sum() / 7
    B = past[: round(tx * 7)].sum() / 7
    flips = x + (kind is MBGNBD)
    odds = a / (b + flips - 1) * ((alpha + A) / (alpha + B)) ** (r + x) if flips else 0.0
    nodes, weights = np.polynomial.legendre.leggauss(50)
    # p = q² takes the edge off the density at 0.
    q, w = (nodes + 1) / 2, weights / 2
    p = q**2
    density = np.exp((a - 1) * np.log(p) + (b + flips - 1) * np.log1p(-p) - special.betaln(a, b + flips)) * 2 * q * w
    hazard = np.zeros(days)
    for one, mass in zip(p, density, strict=True):
        for u in points:
            hazard += mass / 2 * (r + x) / (alpha + A) * (1 + one * u / (alpha + A)) ** (-(r + x + 1))
    t = np.arange(days) / 7
    discount = np.ones(days) if not delta else (np.exp(-delta * t) - np.exp(-delta * (t + 1 / 7))) / (delta / 7)
    spend = clock.spend[day_of_year(np.datetime64(clock.end, "D") + np.arange(1, days + 1))] if money else 1.0
    return float((hazard * rate / 7 * discount * spend).sum() / (1 + odds))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("alpha", [1.5, 30.0])
@pytest.mark.parametrize("amplitude", [0.3, 0.95])
@pytest.mark.parametrize(("delta", "horizon"), [(0.0, 13.0), (0.002, 52.0), (0.002, 156.0), (0.01, 400.0), (0.004, np.inf)])
def test_worth_is_the_quadrature(kind, alpha, amplitude, delta, horizon):
    params = PARAMS | {"alpha": alpha, "a": 1.2, "b": 2.4}
    spend = wave(0.4, 350)
    season = wave(amplitude, 20)
    clock = Clock(end=END, season=season, level=np.linspace(0.7, 1, 300), spend=spend * season.sum() / (spend @ season))
    model = at(kind, params, clock)
    for x, tx, age in ((0, 0, 30), (3, 210, 250)):
        states = model.states_of(pd.DataFrame({"frequency": [float(x)], "recency": [tx / 7], "T": [age / 7]}))
        for money in (False, True):
            found = model.mean_discounted(model.parameters(), states, delta, horizon, money=money)[0]
            assert found == pytest.approx(quadrature(kind, params, clock, x, tx / 7, age / 7, delta, horizon, money), rel=1e-5)


def test_at_and_back_are_inverse():
    times = np.concatenate([np.linspace(-400, 400, 4001), [5000.0, -2000.0]])
    for clock in (SEASON, EVEN):
        np.testing.assert_allclose(clock.back(clock.at(times)), times, rtol=1e-9, atol=1e-6)
        assert (np.diff(clock.at(np.sort(times))) > 0).all()
        assert clock.at(0.0) == 0.0


def test_a_year_has_365_days():
    days = np.arange(np.datetime64("2023-12-30"), np.datetime64("2025-01-03"))
    found = day_of_year(days)
    assert found.min() == 0 and found.max() == 364
    assert found[days == np.datetime64("2024-02-29")] == found[days == np.datetime64("2024-02-28")]
    assert found[days == np.datetime64("2024-12-31")] == 364
    assert week_of_year("2024-12-31") == week_of_year("2024-12-24") == 51
    clock = Clock(end=dt.date(2024, 2, 27), season=wave(0.9, 58))
    rates = clock.rates(1, 3)
    assert rates[0] == rates[1] == wave(0.9, 58)[58] and rates[2] == wave(0.9, 58)[59]


def test_special_days_are_days_of_their_own():
    eve, feast = (dt.date(2023, 12, 24) - END).days, (dt.date(2023, 12, 25) - END).days
    stood = SEASON.at(feast / 7) - SEASON.at(eve / 7)
    assert 0 < stood < 1e-6  # closed: time all but stands still
    without = replace(SEASON, special={})
    sale = (dt.date(2023, 11, 24) - END).days
    assert SEASON.rates(sale, sale) == pytest.approx(4 * without.rates(sale, sale))
    np.testing.assert_allclose(SEASON.rates(sale + 1, sale + 20), without.rates(sale + 1, sale + 20))


def drawn_ahead(kind, clock: Clock, x: int, tx: int, age: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, chances to leave and who is alive, of customers of whom this is known: by conjugacy."""
    r, alpha, a, b = PARAMS.values()
    rng = np.random.default_rng(seed)
    past = clock.rates(1 - age, 0)
    A, B, flips = past.sum() / 7, past[:tx].sum() / 7, x + (kind is MBGNBD)
    odds = a / (b + flips - 1) * ((alpha + A) / (alpha + B)) ** (r + x) if flips else 0.0
    return rng.gamma(r + x, 1 / (alpha + A), n), rng.beta(a, b + flips, n), rng.random(n) < 1 / (1 + odds)


@pytest.mark.parametrize("kind", BOTH)
def test_next_purchase_comes_when_simulated_ones_do(kind):
    x, tx, age, n = 2, 300, 420, 400_000
    rate, _, alive = drawn_ahead(kind, SEASON, x, tx, age, n, 1)
    wait = np.random.default_rng(2).exponential(1 / rate)
    run = np.concatenate([[0.0], np.cumsum(SEASON.rates(1, 8000))]) / 7
    comes = np.where(alive, np.interp(wait, run, np.arange(len(run)) / 7, right=np.inf), np.inf)
    customer = pd.DataFrame({"frequency": [x], "recency": [tx / 7], "T": [age / 7]})
    model = at(kind, clock=SEASON)
    for q in (0.1, 0.3, 0.6):
        found = model.next_purchase(customer, q).iloc[0]
        assert (comes <= found).mean() == pytest.approx(q, abs=0.004)
    for horizon in (4.0, 13.0, 52.0):
        assert (comes <= horizon).mean() == pytest.approx(model.probability_of_purchase(customer, horizon).iloc[0], abs=0.004)


@pytest.mark.parametrize("kind", BOTH)
def test_expected_purchases_are_those_of_simulated_customers(kind):
    x, tx, age, n = 4, 380, 400, 200_000
    rate, leaves, alive = drawn_ahead(kind, SEASON, x, tx, age, n, 5)
    rng = np.random.default_rng(6)
    span = SEASON.rates(1, 26 * 7).sum() / 7
    many = rng.poisson(rate * span)
    made = np.where(alive, np.minimum(many, rng.geometric(leaves)), 0)
    customer = pd.DataFrame({"frequency": [x], "recency": [tx / 7], "T": [age / 7]})
    found = at(kind, clock=SEASON).expected_purchases(customer, 26.0, level=0.9, interval="outcome").iloc[0]
    assert found["expected_purchases"] == pytest.approx(made.mean(), rel=0.01)
    assert (made <= found["high"]).mean() >= 0.9


def seasonal(kind, n: int, days: int = 800, ahead: int = 182, once: bool = True) -> tuple[World, Clock]:
    season = wave(0.7, 300)
    world = World(n=n, days=days, ahead=ahead, rates=rates_of(days + ahead, season), first_drop=kind is MBGNBD, once=once)
    return world, Clock(end=world.end, season=season)


@pytest.mark.parametrize("kind", BOTH)
def test_simulate_draws_what_lives_are(kind):
    world, clock = seasonal(kind, 60_000, once=False)
    bought = world.purchases(1)
    summary, _ = world.known(bought)
    drawn = at(kind, clock=clock).simulate(summary["T"], 13.0, seed=4)
    assert drawn["frequency"].mean() == pytest.approx(summary["frequency"].mean(), rel=0.03)
    assert drawn["recency"].mean() == pytest.approx(summary["recency"].mean(), rel=0.03)
    assert drawn["holdout_purchases"].sum() == pytest.approx(world.came(bought, 91), rel=0.05)


@pytest.mark.parametrize("kind", BOTH)
def test_track_follows_the_season(kind):
    world, clock = seasonal(kind, 60_000)
    bought = world.purchases(2)
    came = bought[(bought["day"] == bought["first"]) & (bought["day"] < world.days)]["day"].value_counts().sort_index()
    ends = np.arange(91, world.days + 91, 91)
    found = track(at(kind, clock=clock), (came.index + 1) / 7, came.to_numpy(), ends / 7, today=world.days / 7)
    again = bought[(bought["day"] > bought["first"]) & (bought["first"] < world.days)]["day"]
    seen = np.histogram(again, np.concatenate([[0], ends]))[0]
    np.testing.assert_allclose(found["expected"][1:], seen[1:], rtol=0.06)
    assert found["expected"].iloc[1:].std() > 0.2 * found["expected"].iloc[1:].mean()


@pytest.mark.proof
@pytest.mark.parametrize("kind", BOTH)
def test_total_lies_in_its_interval(kind):
    held = []
    for seed in range(6):
        world, clock = seasonal(kind, 800)
        bought = world.purchases(seed)
        summary, _ = world.known(bought)
        found = kind(clock=clock).fit(summary).expected_total(summary, 13.0, interval="outcome")
        held.append(found["low"] <= world.came(bought, 91) <= found["high"])
    assert sum(held) >= 4  # at 90%, fewer in 1 of 60 cases


def test_what_is_not_known_of_a_clock_widens_intervals():
    data = base(MBGNBD)
    wide = Clock(end=END, drift=0.04, unseen=0.3, years=0.5, dispersion=3.0)
    plain, timed = (MBGNBD(clock=clock).fit(data) for clock in (None, wide))
    for interval in ("mean", "outcome"):
        one, other = (model.expected_total(data, 13.0, interval=interval) for model in (plain, timed))
        assert one["expected_purchases"] == other["expected_purchases"]
        assert other["low"] < one["low"] and other["high"] > one["high"]
    # A variance that was learnt from no more than a year is told 2.5 times as large; what was not seen is no estimate.
    assert wide.variance(13.0) == pytest.approx(2.5 * 0.04 * 91 / 365 / 3 + unseen_variance(0.3, 0.5, 91 / 365))
    assert unseen_variance(0.3, 1.0, 2.0) == pytest.approx(0.0, abs=1e-12)


def test_what_was_learnt_from_few_years_is_more_in_doubt():
    """Of 1 + 1.5 / years, of a year at least: the level, the season and busy weeks alike, and nothing that is known."""
    parts = {"drift": 0.02, "covariance": np.eye(53) * 0.01, "dispersion": 3.0}
    known = Clock(end=END, **parts)
    assert known.doubt == Clock(end=END, years=0.0).doubt == 1
    for years, times in ((0.4, 2.5), (1.0, 2.5), (2.0, 1.75), (3.0, 1.5), (6.0, 1.25)):
        learnt = Clock(end=END, years=years, **parts)
        assert learnt.variance(26.0) == pytest.approx(times * known.variance(26.0))
        assert float(learnt.more_than_chance(10.0, 4.0)) == pytest.approx(times * 80.0)


def test_a_total_is_told_with_more_doubt_where_the_clock_was_learnt_from_fewer_years():
    data = base(MBGNBD)
    model = MBGNBD().fit(data)
    width = []
    for years in (1.0, 2.0, 4.0, np.inf):
        clock = Clock(end=END, drift=0.1, dispersion=4.0, years=years)
        found = model.set_params(clock=clock).expected_total(data, 26.0, interval="outcome")
        width.append(float(found["high"] - found["low"]) / float(found["expected_purchases"]))
    assert width == sorted(width, reverse=True) and width[0] > 1.2 * width[-1]


def test_a_model_of_whole_periods_refuses_a_season():
    data = pd.DataFrame({"frequency": [1, 0, 2], "recency": [2.0, 0.0, 3.0], "periods": [5.0, 4.0, 6.0]})
    with pytest.raises(ModelError, match="BGBB: 'clock' must be none that runs otherwise than the calendar"):
        BGBB(clock=SEASON).fit(data)


def test_renewals_refuse_a_season():
    with pytest.raises(ModelError, match="SBG: 'clock' must be none"):
        SBG(clock=SEASON).fit([1000, 800, 700])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("season", np.ones(52)),
        ("weekday", -np.ones(7)),
        ("spend", np.full(DAYS, np.nan)),
        ("level", np.zeros(3)),
        ("level", []),
    ],
)
def test_a_clock_of_wrong_parts_is_refused(name, value):
    with pytest.raises(ModelError, match=f"Clock: '{name}' must be"):
        Clock(end=END, **{name: np.asarray(value)})


@pytest.mark.parametrize("kind", BOTH)
def test_models_on_a_clock_are_kept_and_cloned(kind):
    data = base(kind)
    model = kind(clock=SEASON).fit(data)
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.expected_purchases(data, 9, level=0.9), model.expected_purchases(data, 9, level=0.9))
    pd.testing.assert_series_equal(again.next_purchase(data), model.next_purchase(data))
    twin = clone(model).fit(data)
    assert twin.params_ == model.params_


def test_distinct_states_stay_as_many():
    data = pd.concat([base(MBGNBD, 3000)] * 5, ignore_index=True)
    plain, timed = MBGNBD().fit(data), MBGNBD(clock=SEASON).fit(data)
    assert timed.n_states_ == plain.n_states_ < 3001
    mixed = data.sample(frac=1, random_state=1)
    assert MBGNBD(clock=SEASON).fit(mixed).params_ == timed.params_


def test_a_clock_that_stands_still_keeps_what_is_not_known():
    learnt = replace(SEASON, covariance=np.eye(53) * 0.01, drift=0.02, dispersion=2.0, years=3.0)
    still = learnt.still()
    assert still.flat and still.drift == 0.02 and still.dispersion == 2.0
    assert still.unseen == 0 and still.variance(13.0) > learnt.variance(13.0)


def test_a_clock_that_stands_still_allows_for_the_season_that_it_leaves_out():
    """A season and a level that were learnt, and are not followed: intervals reach as far as these say that the forecast is off."""
    # Of 104 weeks the first half at twice the level of today: the forecast goes on at the mean of both.
    level = np.repeat([2.0, 1.0], 364)
    for season, level_, name in ((SEASON.season, np.ones(1), "season"), (np.ones(365), level, "level")):
        learnt = Clock(end=END, season=season, level=level_, years=2.0)
        still = learnt.still()
        for horizon in (4.0, 13.0, 26.0):
            off = learnt.at(horizon) / horizon / learnt.level.mean() - 1 if name == "season" else -np.log(1.5)
            assert still.variance(horizon) ** 0.5 == pytest.approx(abs(off), rel=0.05), (name, horizon)
    still = Clock(end=END, season=SEASON.season).still()
    assert still.variance(365 / 7) == pytest.approx(0, abs=1e-4)


def test_the_worlds_of_these_tests_begin_on_a_first_of_january():
    assert day_of_year([FIRST]) == 0


def test_closed_days_count_however_long_ago():
    august = {dt.date(year, 8, 1) + dt.timedelta(days=k): 0.0 for year in range(2009, 2028) for k in range(31)}
    for clock in (Clock(end=END, special=august), Clock(end=END, special=august, level=np.ones(9))):
        for years in (1, 2, 3, 5, 14):
            days = round(365.25 * years)
            assert -clock.at(-days / 7) * 7 == pytest.approx(days - 31 * years, abs=1e-3)
            assert clock.back(clock.at(-days / 7)) == pytest.approx(-days / 7, abs=1e-3)


def test_the_season_of_all_years_past_is_followed():
    for years in range(1, 12):
        late = -np.array([years * 365 + 91, years * 365]) / 7
        found = np.diff(Clock(end=END, season=wave(0.8, 229)).at(late))[0]
        assert found == pytest.approx(Clock(end=END, season=wave(0.8, 229)).rates(-years * 365 - 90, -years * 365).sum() / 7)


def test_the_track_is_not_sure_of_single_weeks_ahead():
    level, today, drift = 0.9, 104.0, 0.5
    plain, timed = (MBGNBD(clock=clock).fit(base(MBGNBD)) for clock in (EVEN, Clock(end=END, drift=drift)))
    ends = np.arange(1.0, 157.0)
    one, other = (track(model, np.arange(104.0), np.full(104, 1e6), ends, level=level, today=today) for model in (plain, timed))

    def spread(found: pd.DataFrame, part: str = "") -> np.ndarray:
        low, high = (found[f"cumulative_{end}" if part else end].to_numpy() for end in ("low", "high"))
        return (np.log(high / low) / 2 / 1.644854) ** 2

    added, added_to_sum = spread(other) - spread(one), spread(other, "sum") - spread(one, "sum")
    assert added[:104] == pytest.approx(0, abs=1e-9) and added_to_sum[:104] == pytest.approx(0, abs=1e-9)
    clock, total = timed.clock, one["cumulative"].to_numpy()
    for week in (1, 27, 52):
        k = 103 + week
        assert added[k] == pytest.approx(clock.variance(float(week), week - 1.0), rel=0.02)
        assert added_to_sum[k] == pytest.approx(
            clock.variance(float(week)) * (1 - total[103] / total[k]) ** 2, rel=0.02, abs=1e-6
        )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("season", np.full(DAYS, 2.0), "numbers whose mean is 1"),
        ("weekday", np.zeros(7), "numbers whose mean is 1"),
        ("covariance", np.zeros((52, 52)), "53 by 53 numbers"),
        ("level", [1.0, np.inf], "positive numbers, one a day"),
        ("special", {END: -3.0}, "factors of at least 0"),
        ("drift", -1.0, "a number of at least 0"),
        ("drift", np.nan, "a number of at least 0"),
        ("dispersion", 0.1, "a number of at least 1"),
        ("unseen", -0.3, "a number of at least 0"),
        ("unseen", 0.3, "the years in which no season was seen"),
        ("years", np.nan, "a number of at least 0"),
    ],
)
def test_a_clock_of_impossible_numbers_is_refused(name, value, expected):
    with pytest.raises(ModelError, match=expected):
        Clock(end=END, **{name: value})


def test_a_clock_is_for_models_in_weeks():
    assert Clock.days_per_unit == 7
    with pytest.raises(TypeError, match="days_per_unit"):
        Clock(end=END, days_per_unit=1.0)


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_not_known_of_a_clock_widens_the_chances_of_single_customers(kind):
    data, doubt = base(kind), {"covariance": np.diag(np.append(np.zeros(52), 0.09))}
    known, still, unsure = (
        kind(clock=clock).fit(data) for clock in (SEASON, Clock(end=END, **doubt), replace(SEASON, **doubt))
    )
    plain = kind(clock=EVEN).fit(data)
    for one, other in ((plain, still), (known, unsure)):
        sure, wide = (model.probability_of_purchase(data, 13.0, level=0.9) for model in (one, other))
        np.testing.assert_allclose(wide["probability_of_purchase"], sure["probability_of_purchase"], rtol=1e-9)
        assert (wide["low"] < sure["low"]).all() and (wide["high"] > sure["high"]).all()
        # A clock that may run by e^0.3 faster or slower: the chance within a time so much longer or shorter.
        states = other.states_of(data)
        reach = other.elapsed(13.0)
        ends = [
            special.logit(other.chance_alive(other.parameters(), states) * other._any(other.parameters(), states, reach * by))
            for by in np.exp([-0.3, 0.3])
        ]
        added = ((special.logit(wide["high"]) - special.logit(wide["low"])) / 2 / 1.644854) ** 2
        added -= ((special.logit(sure["high"]) - special.logit(sure["low"])) / 2 / 1.644854) ** 2
        expected = (((ends[1] - ends[0]) / 2) ** 2)[states.inverse]
        assert np.median(added / expected) == pytest.approx(1, abs=0.1)
        soon, late = (model.next_purchase(data, 0.2, level=0.9) for model in (one, other))
        np.testing.assert_allclose(late["next_purchase"], soon["next_purchase"], rtol=1e-6)
        some = np.isfinite(soon["next_purchase"]) & np.isfinite(soon["high"])
        assert some.sum() > 50
        assert (late["low"] < soon["low"])[some].all() and (late["high"] > soon["high"])[some].all()
        least = np.exp(-0.3 * 1.644854)
        assert (late["low"] / late["next_purchase"])[some].max() <= least * (1 + 1e-6)


def test_a_clock_that_is_known_leaves_the_past_as_it_is():
    unsure = MBGNBD.from_params(**PARAMS).set_params(clock=Clock(end=END, drift=0.2))
    ends, begun = np.array([-2.0, 0.0, 13.0, 13.0, np.inf]), np.array([-9.0, -5.0, 0.0, -13.0, 0.0])
    whole = unsure.clock.variance(13.0)
    assert unsure.clock_spread(ends, begun) == pytest.approx([0, 0, whole, whole / 4, unsure.clock.variance(160.0)])
    assert (MBGNBD.from_params(**PARAMS).clock_spread(ends, begun) == 0).all()
