"""Pictures of models: the numbers that they draw are right, axes say what they count, and a picture goes where it is put."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models import (
    BGBB,
    BGNBD,
    MBGNBD,
    SBG,
    Clock,
    CustomerValue,
    GammaGamma,
    ParetoNBD,
    calibration_frame,
    frequency_frame,
    history_alive_frame,
    load_model,
    matrix_frame,
    plot_calibration,
    plot_frequency,
    plot_history_alive,
    plot_matrix,
    plot_posterior,
    plot_track,
    track,
    track_frame,
)

YEAR = 1 + 0.5 * np.cos(2 * np.pi * np.arange(365) / 365)
CLOCK = Clock(end=dt.date(2024, 12, 30), season=YEAR / YEAR.mean())
GIVEN = {
    BGNBD: BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426),
    MBGNBD: MBGNBD.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614),
    ParetoNBD: ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    BGBB: BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783),
}


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    seen = GIVEN[BGNBD].simulate(np.random.default_rng(1).integers(20, 40, 600) / 1.0, 26.0, seed=3)
    return seen.assign(horizon=26.0)


@pytest.fixture(scope="module")
def model(base) -> BGNBD:
    return BGNBD(draws=200).fit(base)


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def said(ax) -> None:
    """Axes that say what they count, and what they show."""
    assert len(ax.get_xlabel()) > 4
    assert len(ax.get_ylabel()) > 4
    assert len(ax.get_title()) > 4
    ax.figure.draw_without_rendering()


def test_a_matrix_has_what_the_model_says_of_each_customer(model, ax):
    frame = matrix_frame(model, 26.0, age=30.0, most=4)
    assert (frame["age"] == 30.0).all()
    asked = frame.rename(columns={"age": "T"})
    for name, told in (
        ("probability_alive", model.probability_alive(asked, level=0.9)),
        ("expected_purchases", model.expected_purchases(asked, 26.0, level=0.9)),
    ):
        assert (frame[[name, f"{name}_low", f"{name}_high"]].to_numpy() == told.to_numpy()).all()
    assert frame.groupby("frequency")["recency"].agg(["min", "max"]).loc[[0, 1]].to_numpy().tolist() == [[0, 0], [1, 30]]
    assert plot_matrix(model, 26.0, age=30.0, most=4, ax=ax) is ax
    said(ax)
    drawn = ax.collections[0].get_array()
    assert np.sort(drawn.compressed()).tolist() == np.sort(frame["expected_purchases"]).tolist()
    assert "expected = " in ax.get_title() and "90% interval" in ax.get_title()
    assert matrix_frame(model, 26.0)["age"].iloc[0] == model.states_.columns[2].max()


def test_ages_that_are_no_whole_number_have_no_recency_beyond_them():
    frame = matrix_frame(GIVEN[BGNBD], 39.0, age=38 + 6 / 7, most=4)
    assert frame["recency"].max() == frame["age"].iloc[0] == 38 + 6 / 7 and (frame["expected_purchases"] > 0).all()


def test_a_matrix_of_periods_has_one_purchase_a_period_at_most(ax):
    frame = matrix_frame(GIVEN[BGBB], 3, age=6, most=6)
    assert (frame["frequency"] <= frame["recency"]).all()
    assert len(frame) == 1 + sum(range(1, 7))
    assert frame["probability_alive_low"].isna().all()
    said(plot_matrix(GIVEN[BGBB], 3, age=6, most=6, of="probability_alive", ax=ax))
    assert "interval" not in ax.get_title()
    assert "last period" in ax.get_xlabel()


def test_a_matrix_on_a_clock_is_of_the_calendars_age(base):
    timed = MBGNBD(draws=200, clock=CLOCK).fit(base)
    assert matrix_frame(timed, 13.0)["age"].iloc[0] == pytest.approx(base["T"].max(), rel=1e-9)


def test_calibration_is_the_mean_of_each_group(model, base, ax):
    frame = calibration_frame(model, base, groups=5)
    group = base["frequency"].clip(upper=4)
    assert frame["label"].tolist() == ["0", "1", "2", "3", "4+"]
    assert frame["customers"].tolist() == group.value_counts().sort_index().tolist()
    assert frame["seen"].to_numpy() == pytest.approx(base["holdout_purchases"].groupby(group).mean().to_numpy())
    expected = model.expected_purchases(base, 26.0).groupby(group).mean()
    assert frame["expected"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)
    assert ((frame["low"] <= frame["expected"]) & (frame["expected"] <= frame["high"])).all()
    # Simulated by the truth: most groups lie within 90%.
    assert ((frame["low"] <= frame["seen"]) & (frame["seen"] <= frame["high"])).sum() >= 3
    same = calibration_frame(model, pl.from_pandas(base), groups=5)
    assert same.equals(frame)
    assert plot_calibration(model, base, groups=5, ax=ax) is ax
    said(ax)
    seen = next(line for line in ax.lines if line.get_label() == "seen")
    assert seen.get_ydata().tolist() == frame["seen"].tolist()


def test_calibration_counts_weights(model, base):
    few = base.groupby(["frequency", "recency", "T", "holdout_purchases", "horizon"], as_index=False).size()
    weighed = calibration_frame(model, few.rename(columns={"size": "weight"}))
    for name in ("customers", "seen", "expected"):
        assert weighed[name].to_numpy() == pytest.approx(calibration_frame(model, base)[name].to_numpy(), rel=1e-9)


@pytest.mark.parametrize("kind", [BGNBD, MBGNBD, ParetoNBD, BGBB])
def test_expected_frequencies_are_those_of_new_customers(kind):
    given = GIVEN[kind]
    age = 6.0 if kind is BGBB else 38.0
    base = given.simulate([age] * 500 + [age / 2] * 300, seed=1)
    frame = frequency_frame(given, base, most=4)
    for k in range(4):
        by_hand = 500 * given.pmf(k, age) + 300 * given.pmf(k, age / 2)
        assert frame["expected"].iloc[k] == pytest.approx(by_hand, rel=1e-9)
    assert frame["expected"].sum() == pytest.approx(800, rel=1e-9)
    assert frame["seen"].tolist() == np.bincount(np.minimum(base["frequency"], 4).astype(int), minlength=5).tolist()
    assert ((frame["low"] <= frame["expected"]) & (frame["expected"] <= frame["high"])).all()


@pytest.mark.parametrize("kind", [MBGNBD, ParetoNBD])
def test_expected_frequencies_on_a_clock_are_those_of_simulated_customers(kind):
    timed = GIVEN[kind].__class__.from_params(**GIVEN[kind].params_).set_params(clock=CLOCK)
    ages = np.tile([10.0, 25.0, 40.0], 40_000)
    drawn = timed.simulate(ages, seed=4)
    frame = frequency_frame(timed, drawn, most=4)
    assert frame["expected"].to_numpy() == pytest.approx(frame["seen"].to_numpy(), rel=0.03)


def test_many_ages_are_taken_together(model):
    ages = np.random.default_rng(2).uniform(5, 40, 3000)
    base = GIVEN[BGNBD].simulate(ages, seed=1)
    exact = sum(GIVEN[BGNBD].pmf(0, float(age)) for age in np.sort(ages)[::10]) * 10
    assert frequency_frame(GIVEN[BGNBD], base)["expected"].iloc[0] == pytest.approx(exact, rel=0.002)


def test_a_bar_is_what_was_seen(model, base, ax):
    frame = frequency_frame(model, base)
    assert plot_frequency(model, base, ax=ax) is ax
    said(ax)
    assert [bar.get_height() for bar in ax.containers[0]] == frame["seen"].tolist()
    fitted = frame["high"] - frame["low"]
    given = frequency_frame(BGNBD.from_params(**model.params_), base)
    assert (fitted >= given["high"] - given["low"] - 1e-6).iloc[:3].all()


def test_a_track_holds_what_was_seen_against_what_was_expected(model, base, ax):
    ends = [10.0, 20.0, 30.0, 40.0, 50.0]
    times = [0.5, 10.0, 10.1, 35.0, 38.0]
    frame = track_frame(model, base, ends, times, today=39.0)
    assert frame["seen"].iloc[:4].tolist() == [2, 1, 0, 2]
    assert frame["seen_cumulative"].iloc[:4].tolist() == [2, 3, 3, 5]
    assert frame.iloc[4][["seen", "seen_cumulative"]].isna().all()
    ours = track(model, 39.0 - base["T"], None, ends)
    assert frame[ours.columns].equals(ours)
    for cumulative in (False, True):
        assert plot_track(model, base, ends, times, today=39.0, cumulative=cumulative, ax=ax) is ax
        said(ax)
    assert track_frame(model, base, ends)["seen"].isna().all()
    said(plot_track(model, 39.0 - base["T"], ends))
    # A table says itself where its history ends.
    assert track_frame(model, base, ends, times).equals(frame)
    assert any(line.get_label() == "end of the history" for line in plot_track(model, pl.from_pandas(base), ends).lines)


def test_a_history_is_what_was_known_at_each_time(model, ax):
    frame = history_alive_frame(model, [9.0, 4.0], 30.0)
    assert (frame["time"].is_monotonic_increasing, frame["time"].iloc[-1]) == (True, 30.0)
    last = pd.DataFrame({"frequency": [2], "recency": [9.0], "T": [30.0]})
    told = model.probability_alive(last, level=0.9).iloc[0]
    assert frame.iloc[-1][["probability_alive", "low", "high"]].tolist() == pytest.approx(told.tolist(), rel=1e-12)
    assert (frame.loc[frame["time"] < 4.0, "probability_alive"] == 1).all()  # BG/NBD: nobody is gone before a repeat purchase
    before, after = frame[frame["time"] < 9.0].iloc[-1], frame[frame["time"] >= 9.0].iloc[0]
    assert (before["frequency"], after["frequency"]) == (1, 2)
    assert after["probability_alive"] > before["probability_alive"]
    assert plot_history_alive(model, [9.0, 4.0], 30.0, ax=ax) is ax
    said(ax)
    said(plot_history_alive(GIVEN[MBGNBD], [], 30.0))
    assert history_alive_frame(GIVEN[BGBB], [2, 3], 6)["time"].tolist() == list(range(7))


@pytest.mark.parametrize("kind", [MBGNBD, ParetoNBD])
def test_a_history_on_a_clock_is_that_of_a_clock_that_ended_then(kind):
    timed = kind.from_params(**GIVEN[kind].params_).set_params(clock=CLOCK)
    frame = history_alive_frame(timed, [5.0, 11.0], 40.0)
    for weeks in (0, 12, 26):
        then = kind.from_params(**GIVEN[kind].params_).set_params(
            clock=replace(CLOCK, end=CLOCK.end - dt.timedelta(weeks=weeks))
        )
        asked = pd.DataFrame({"frequency": [2.0], "recency": [11.0], "T": [40.0 - weeks]})
        found = np.interp(40.0 - weeks, frame["time"], frame["probability_alive"])
        assert found == pytest.approx(then.probability_alive(asked).iloc[0], abs=1e-3)


def test_a_posterior_is_drawn_for_all_parameters_or_for_one(model, ax):
    assert plot_posterior(model, ax=ax) is ax
    ax.figure.draw_without_rendering()
    labels = [one.get_text() for one in ax.get_yticklabels()]
    assert labels[0].startswith(f"r = {model.params_['r']:.4g}")
    assert len(labels) == 4
    for parameter in model.parameter_names:
        said(plot_posterior(model, parameter, n=500))
    said(
        plot_posterior(
            GammaGamma(draws=200).fit(pd.DataFrame({"frequency": [1, 2, 3] * 30, "monetary_value": range(10, 100)})), "q"
        )
    )
    with pytest.raises(ModelError, match="no parameter 'c'|parameter 'c'"):
        plot_posterior(model, "c")
    with pytest.raises(ModelError, match="have no uncertainty"):
        plot_posterior(GIVEN[BGNBD])


def test_axes_name_the_unit_that_the_model_names(model, base, ax):
    def texts(ax):
        colours = [axis.get_ylabel() for axis in ax.figure.axes if axis is not ax]
        return " | ".join([ax.get_xlabel(), ax.get_ylabel(), ax.get_title(), *colours])

    weeks = BGNBD.from_params(**GIVEN[BGNBD].params_).set_params(unit="week")
    assert "the first to the last purchase, in weeks" in texts(plot_matrix(weeks, 1.0, age=30.0, most=4))
    assert "purchases expected in the next 1 week" in texts(plot_matrix(weeks, 1.0, age=30.0, most=4))
    found = texts(plot_matrix(weeks, 26.0, age=30.5, most=4))
    assert "in the next 26 weeks" in found
    assert "first bought 30.5 weeks ago" in found
    assert texts(plot_track(weeks, [0.0, 1.0], [10.0, 20.0])).startswith("end of the period, in weeks")
    assert texts(plot_history_alive(weeks, [3.0], 30.0)).startswith("time since the first purchase, in weeks")
    years = BGBB.from_params(**GIVEN[BGBB].params_).set_params(unit="year")
    assert "number of the last year with a purchase" in texts(plot_matrix(years, 3, age=6, most=6))
    # Without one nothing is made up.
    found = texts(plot_matrix(model, 26.0, age=30.0, most=4))
    assert "in the next 26 units of time" in found
    assert "the first to the last purchase |" in found
    assert texts(plot_track(model, [0.0, 1.0], [10.0, 20.0])).startswith("end of the period, in units of time")


def test_the_unit_is_an_option_like_others(base, tmp_path):
    fitted = BGNBD(draws=100, unit="week").fit(base)
    assert clone(fitted).unit == "week"
    assert "unit='week'" in repr(fitted)
    assert "unit=&#x27;week&#x27;" in fitted._repr_html_()
    fitted.save(tmp_path / "model.json")
    assert load_model(tmp_path / "model.json").unit == "week"
    assert fitted.params_ == BGNBD(draws=100).fit(base).params_
    for wrong in (7, "", "we\nek"):
        with pytest.raises(ModelError, match="BGNBD: 'unit' must be a word in the singular, such as 'week'"):
            BGNBD(unit=wrong).fit(base)


def test_a_value_model_agrees_with_its_model_of_purchases_on_the_unit():
    purchases, spend = GIVEN[BGNBD], GammaGamma.from_params(p=6.0, q=4.0, v=15.0)
    customers = pd.DataFrame({"frequency": [2], "recency": [30.0], "T": [38.0], "monetary_value": [22.0]})
    weeks = clone(purchases).set_params(unit="week")
    weeks.params_, weeks.boundary_, weeks.lesser_optima_ = purchases.params_, None, ()
    assert CustomerValue(weeks, spend).residual_value(customers).iloc[0] > 0
    with pytest.raises(ModelError, match="'unit' must be 'week', as that of its model of purchases. Got 'month' instead"):
        CustomerValue(weeks, spend, unit="month").residual_value(customers)
    many = pd.concat([customers] * 30).assign(frequency=np.arange(30) % 4, recency=lambda f: 7.0 * f["frequency"])
    many["monetary_value"] = np.where(many["frequency"] > 0, 10.0 + np.arange(30), np.nan)
    assert CustomerValue(spend=spend, unit="month").fit(many).purchases_.unit == "month"


def test_what_cannot_be_drawn_is_refused(model, base):
    for ask in (
        lambda one: matrix_frame(one, 3.0, age=6.0),
        lambda one: calibration_frame(one, base),
        lambda one: frequency_frame(one, base),
        lambda one: history_alive_frame(one, [1.0], 6.0),
        lambda one: track_frame(one, [0.0], [1.0, 2.0]),
    ):
        with pytest.raises(ModelError, match="'model' must be a BGNBD, MBGNBD, ParetoNBD or BGBB. Got '(SBG|GammaGamma)'"):
            ask(SBG.from_params(alpha=0.7, beta=3.8))
        with pytest.raises(ModelError, match="'model' must be"):
            ask(GammaGamma.from_params(p=6.0, q=4.0, v=15.0))
        with pytest.raises(NotFittedError):
            ask(BGNBD())
    with pytest.raises(ModelError, match="needs an age"):
        matrix_frame(GIVEN[BGNBD], 3.0)
    with pytest.raises(ModelError, match="'of' must be"):
        plot_matrix(model, 3.0, of="value")
    with pytest.raises(ModelError, match="one horizon for all"):
        calibration_frame(model, base.assign(horizon=np.arange(len(base)) + 1.0))
    with pytest.raises(ModelError, match="holdout_purchases must be a whole number"):
        calibration_frame(model, base.assign(holdout_purchases=-1))
    with pytest.raises(ModelError, match="missing column 'horizon'"):
        calibration_frame(model, base.drop(columns="horizon"))
    for times in ([0.0], [31.0], [-2.0]):
        with pytest.raises(ModelError, match="'times' must be above 0 and at most the age, 30"):
            history_alive_frame(model, times, 30.0)
    for wrong in (0, 1.5, True):
        with pytest.raises(ModelError, match="'most' must be"):
            frequency_frame(model, base, most=wrong)
    with pytest.raises(ModelError, match="'groups' must be"):
        calibration_frame(model, base, groups=1)


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
