"""A model with a clock, asked of an earlier day: the next purchase is told in the season that followed that day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.clock import DAYS, Clock
from crmlab.models.btyd.mbg_nbd import MBGNBD

END = dt.date(2024, 12, 31)
YEAR = 1 + 0.8 * np.cos(2 * np.pi * np.arange(DAYS) / DAYS)
CLOCK = Clock(end=END, season=YEAR / YEAR.mean(), level=np.linspace(0.8, 1.0, 400))
TRUTH = {"r": 0.9, "alpha": 6.0, "a": 0.6, "b": 3.0}


def model_with(clock):
    return MBGNBD.from_params(**TRUTH).set_params(clock=clock)


def lives(rng, since, count):
    """Operational waits to the first repeat purchase of new customers of MBG/NBD: who drops out at once, never buys again."""
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], count)
    stays = rng.random(count) >= rng.beta(TRUTH["a"], TRUTH["b"], count)
    wait = np.where(stays, rng.exponential(1 / rate), np.inf)
    begun = CLOCK.at(since)
    return np.where(np.isinf(wait), np.inf, CLOCK.back(begun + np.where(np.isinf(wait), 0.0, wait)) - since)


@pytest.mark.parametrize("since", [-90.0, -64.0, -38.0, -12.0, 5.0])
@pytest.mark.parametrize("q", [0.3, 0.6])
def test_so_many_have_bought_by_the_day_that_was_told(since, q):
    count = 40_000
    came = lives(np.random.default_rng(7), since, count)
    new = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [0.0]})
    told = float(model_with(CLOCK).next_purchase(new, q, since=[since]).iloc[0])
    assert abs((came <= told).mean() - q) < 4 * np.sqrt(q * (1 - q) / count)
    if since == -38.0:  # in spring, before the slow months: asked as if it were the last day, the answer is another, and wrong
        today = float(model_with(CLOCK).next_purchase(new, q).iloc[0])
        assert abs((came <= today).mean() - q) > 10 * np.sqrt(q * (1 - q) / count)


def test_it_is_the_quantile_on_the_clock():
    summary = pd.DataFrame({"frequency": [0.0, 2.0, 5.0, 2.0], "recency": [0.0, 9.0, 30.0, 9.0], "T": [0.0, 12.0, 30.0, 12.0]})
    since, q = np.array([-40.0, -7.5, -70.0, -40.0]), 0.4
    bare, found = model_with(None), model_with(CLOCK).next_purchase(summary, q, since=since).to_numpy()
    first, now = CLOCK.at(since - summary["T"]), CLOCK.at(since)
    last = CLOCK.at(since - summary["T"] + summary["recency"])
    there = pd.DataFrame({"frequency": summary["frequency"], "recency": last - first, "T": now - first})
    for k, wait in enumerate(found):
        lasted = float(CLOCK.at(since[k] + wait) - CLOCK.at(since[k]))
        assert float(bare.probability_of_purchase(there.iloc[[k]], lasted).iloc[0]) == pytest.approx(q, abs=1e-9)
    assert found[1] != found[3]  # alike but for the day


def test_the_last_day_is_the_last_day_and_without_a_season_no_day_matters():
    summary = pd.DataFrame({"frequency": [0.0, 3.0], "recency": [0.0, 20.0], "T": [10.0, 26.0]})
    seasonal, even = model_with(CLOCK), model_with(Clock(end=END))
    again, plain = seasonal.next_purchase(summary, since=[0.0, 0.0]), seasonal.next_purchase(summary)
    np.testing.assert_allclose(again, plain, rtol=1e-9)
    assert (even.next_purchase(summary, since=[-30.0, -3.0]) == model_with(None).next_purchase(summary)).all()


@pytest.mark.parametrize("since", [[-1.0], [0.0, np.nan], 3.0])
def test_one_moment_of_each_row_is_asked_for(since):
    summary = pd.DataFrame({"frequency": [0.0, 3.0], "recency": [0.0, 20.0], "T": [10.0, 26.0]})
    with pytest.raises(ModelError, match="'since' must be 2 finite numbers"):
        model_with(CLOCK).next_purchase(summary, since=since)
