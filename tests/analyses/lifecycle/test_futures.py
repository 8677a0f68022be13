"""Projection by the model of purchases: drawn futures decide states as purchases of the past do, and as often as a closed form says."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from crmlab.analyses.lifecycle.futures import FUTURES, drawn_states, model_ahead, standing_on
from crmlab.analyses.lifecycle.naming import STATES
from crmlab.analyses.lifecycle.pace import Pace, day_number
from crmlab.analyses.lifecycle.reductions import states
from crmlab.analyses.lifecycle.rhythm import Thresholds
from crmlab.models.btyd import MBGNBD, Clock
from crmlab.models.btyd.paths import drawn_paths
from tests.worlds.model import model_world

MODEL = MBGNBD.from_params(r=0.9, alpha=9.0, a=0.4, b=3.0)


@pytest.fixture(scope="module")
def history():
    return model_world(11, 150).history()


def limits_of(history, season):
    year = 1 + 0.8 * np.cos(2 * np.pi * (np.arange(365) - 340) / 365)
    pace = Pace(clock=Clock(end=history.as_of, season=year), first=history.first) if season else None
    return Thresholds(60, 110, 220, multiples=(1.4, 2.2, 4.0), pace=pace)


@pytest.mark.proof
@pytest.mark.parametrize("season", [False, True])
def test_purchases_of_a_future_decide_states_as_those_of_the_past_do(history, season):
    limits = limits_of(history, season)
    now = standing_on(history, history.summary("week"), limits)
    dates = [history.as_of + dt.timedelta(days=days) for days in (1, 45, 150, 360)]
    paths = next(drawn_paths(MODEL, now.summary, 55.0, seed=3))
    found = now.after(paths, np.array([day_number(day) for day in dates]))
    ids, n = now.summary["customer_id"].to_numpy(), len(now.summary)
    past = history.orders.execute()[["customer_id", "ordered_at", "amount"]]
    for future in range(paths.futures):
        mine = paths.path // n == future
        days = pd.to_timedelta(np.maximum(np.ceil(7 * paths.time[mine]), 1).astype(int), unit="D")
        came = pd.DataFrame(
            {"customer_id": ids[paths.path[mine] % n], "ordered_at": pd.Timestamp(history.as_of) + days, "amount": 9.0}
        )
        # Somebody buys on each of the dates, since no history is longer than its orders.
        ends = pd.DataFrame({"customer_id": "nobody", "ordered_at": pd.to_datetime(dates), "amount": 9.0})
        orders = pd.concat([past.assign(amount=past["amount"].astype(float)), came, ends], ignore_index=True)
        for k, date in enumerate(dates):
            told = states(orders, date, limits).execute().set_index("customer_id")["state"].reindex(ids)
            assert [STATES[place] for place in found[k][future * n : (future + 1) * n]] == told.tolist()
    assert len(np.unique(found)) == 6


def bought_between(start, end, x, T):
    """How likely one who is a customer still buys between two times, by integration over the chance to leave."""
    r, alpha, a, b = (MODEL.params_[name] for name in ("r", "alpha", "a", "b"))

    def density(p):
        late, never = (((alpha + T) / (alpha + T + p * start + more)) ** (r + x) for more in (0.0, end - start))
        return (late - never) * stats.beta.pdf(p, a, b + x + 1)

    return integrate.quad(density, 0, 1, limit=200)[0]


@pytest.mark.proof
def test_current_are_as_many_as_a_closed_form_says(history):
    # Thresholds that are the same for all: a customer is current whose last purchase is at most ``lapsed`` days ago. Given a purchase rate λ and
    # the chance p to leave at each purchase, e^(−λpa) are there still at time a, and 1 − e^(−λ(b − a)) of these buy by b.
    limits = Thresholds(60, 110, 220)
    summary = history.summary("week")
    now = standing_on(history, summary, limits)
    drawn = drawn_states(MODEL, now, [history.as_of + dt.timedelta(days=days) for days in (200, 360)], 0)
    ahead = model_ahead(drawn, now, 0.9)
    alive = MODEL.probability_alive(summary).to_numpy()
    for k, days in enumerate((200, 360)):
        # The day that ends the silence is in; drawn days are whole.
        each = [
            bought_between((days - 111) / 7, days / 7, x, T) for x, T in zip(summary["frequency"], summary["T"], strict=True)
        ]
        sure = float(alive @ each)
        assert ahead.current[0, k + 1] == pytest.approx(sure, rel=0.04)


def test_nobody_comes_or_goes_and_today_is_counted(history):
    now = standing_on(history, history.summary("week"), limits_of(history, False))
    dates = [history.as_of + dt.timedelta(days=days) for days in (30, 60)]
    drawn = drawn_states(MODEL, now, dates, 0)
    assert drawn.shape == (FUTURES, 2, 6, 6)
    np.testing.assert_allclose(drawn.sum(axis=3), np.broadcast_to(np.bincount(now.state, minlength=6), (FUTURES, 2, 6)))
    ahead = model_ahead(drawn, now, 0.9)
    assert (
        ahead.expected[0].tolist()
        == ahead.low[0].tolist()
        == ahead.high[0].tolist()
        == np.bincount(now.state, minlength=6).tolist()
    )
    assert (ahead.low <= ahead.expected).all() and (ahead.expected <= ahead.high).all()
    assert (ahead.current[1] <= ahead.current[0]).all() and (ahead.current[0] <= ahead.current[2]).all()
    # Nobody becomes new again, and who is reactivated had lapsed.
    assert drawn[:, :, 1:, STATES.index("new")].sum() == 0
