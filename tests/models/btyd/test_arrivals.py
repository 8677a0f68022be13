"""Newcomers to come: their rate, their season where it holds, and how far the rule was off."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.arrivals import Arrivals
from crmlab.models.btyd.clock import day_of_year

END = dt.date(2024, 12, 31)
WAVE = 1 + 0.6 * np.cos(2 * np.pi * (np.arange(365) - 320) / 365)


def days_of(years):
    return np.datetime64(END, "D") - np.arange(int(365 * years))[::-1]


def test_arrivals_at_a_steady_rate():
    rate = Arrivals(np.full(728, 100 / 91), END).rate()
    assert rate.expected(91).sum() == pytest.approx(100)
    assert rate.variance == pytest.approx(1 / 100 + 1 / (365 * 100 / 91))
    assert not rate.seasonal
    assert (rate.season == 1).all()


def test_arrivals_that_swing_are_less_sure():
    swinging = np.repeat([50, 150, 50, 150, 50], 91) / 91
    assert Arrivals(swinging, END).rate().variance > 0.1


def test_arrivals_that_stopped_do_not_go_on():
    rate = Arrivals(np.repeat([2.0, 1.0, 0.0], 91), END).rate()
    assert rate.expected(365).sum() == 0
    assert np.isfinite(rate.variance)


def test_arrivals_season_is_found_in_poisson_numbers():
    off = []
    for seed in range(2):
        came = np.random.default_rng(seed).poisson(4 * WAVE[day_of_year(days_of(2.5))])
        rate = Arrivals(came, END).rate()
        assert rate.seasonal
        assert rate.season.mean() == pytest.approx(1)
        off.append(np.abs(rate.season - WAVE).max())
        # The busiest quarter, and the year as a whole.
        assert rate.expected(365)[-91:].sum() == pytest.approx(4 * WAVE[-91:].sum(), rel=0.12)
        assert rate.expected(365).sum() == pytest.approx(4 * 365, rel=0.08)
        assert rate.variance < 0.03
    assert np.mean(off) < 0.25


def test_arrivals_without_a_season_get_next_to_none():
    for seed in range(2):
        rate = Arrivals(np.random.default_rng(seed).poisson(4.0, 2 * 365), END).rate()
        assert np.abs(rate.season - 1).max() < 0.25


def test_arrivals_under_a_year_and_before_any_test_have_no_season():
    came = 4 * WAVE[day_of_year(days_of(1.2))]
    assert not Arrivals(came[:360], END).rate().seasonal
    # More than a year, but no quarter after it that could say whether the season holds.
    assert not Arrivals(came[-430:], END).rate().seasonal


def test_arrivals_of_an_earlier_day_know_nothing_later():
    came = np.random.default_rng(1).poisson(4 * WAVE[day_of_year(days_of(2))])
    day = END - dt.timedelta(days=182)
    one, two = Arrivals(came, END).rate(day), Arrivals(came[:-182], day).rate()
    assert (one.end, one.daily, one.variance, one.seasonal) == (two.end, two.daily, two.variance, two.seasonal)
    assert (one.season == two.season).all()


@pytest.mark.parametrize("by_day", [[], [1.0, np.nan], [-1.0]])
def test_arrivals_refuse(by_day):
    with pytest.raises(ModelError, match="at least one number of at least 0"):
        Arrivals(by_day, END)


def test_arrivals_refuse_days_outside():
    with pytest.raises(ModelError, match="between 2024-12-30 and 2024-12-31"):
        Arrivals([1.0, 2.0], END).rate(dt.date(2025, 1, 1))
