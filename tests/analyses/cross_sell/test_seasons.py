"""Chances of offers, told for the season of the days to come."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

import crmlab
from crmlab.analyses import customer_value
from crmlab.analyses.cross_sell import blend
from crmlab.analyses.cross_sell import choice as sending
from crmlab.analyses.cross_sell.blend import Origins
from crmlab.analyses.customer_value import choosing
from crmlab.history.past import History
from crmlab.models.btyd.clock import Clock
from tests.frames import history_of, orders

END = dt.date(2024, 12, 31)
# Half the usual rate in the first half of the year, and half as much again in the second.
CLOCK = Clock(end=END, season=np.repeat([0.5, 1.5, 1.0], [180, 180, 5]))


def test_chances_are_so_many_times_as_large_and_at_most_one(monkeypatch):
    monkeypatch.setattr(blend, "season_ahead", lambda past, days: {0: 2.0, 91: 1.0}[(END - past.as_of).days] + 0 * days)
    origins = Origins(history_of(orders(("a", "2024-01-01", 5.0), ("a", "2024-09-01", 5.0)), END), 91)
    chance = np.array([0.0, 0.1, 0.5, 1.0, np.nan])
    np.testing.assert_allclose(origins.in_season(0, chance), [0.0, 0.2, 1.0, 1.0, np.nan], atol=1e-12)
    assert origins.in_season(1, chance) is chance  # no season: nothing is touched


def past_on(monkeypatch, clock):
    """A history whose forecasts follow the season of a clock."""
    monkeypatch.setattr(choosing, "clock_followed", lambda history: clock)
    return history_of(orders(("a", "2024-01-01", 5.0), ("a", "2024-09-01", 5.0)), END)


@pytest.mark.parametrize("used", [True, False])
def test_the_season_ahead_is_held_against_the_days_past(monkeypatch, used):
    found = customer_value.season_ahead(past_on(monkeypatch, CLOCK if used else None), 91.0)
    # The last five days of the year are usual ones: 86 busy days and 5 of these lie behind, 91 slow ones ahead.
    assert found == pytest.approx(91 * 0.5 / (86 * 1.5 + 5) if used else 1.0)


def test_after_closed_days_the_season_ahead_keeps_within_bounds(monkeypatch):
    """Four weeks that were closed, all of them or but for their last day, are no measure of the four weeks ahead."""
    plain = customer_value.season_ahead(past_on(monkeypatch, CLOCK), 28.0)
    for open_days in (0, 1, 2):
        closed = {END - dt.timedelta(days=k): 0.0 for k in range(open_days, 28)}
        assert customer_value.season_ahead(past_on(monkeypatch, replace(CLOCK, special=closed)), 28.0) == pytest.approx(plain)
    # Half of them closed are: there was as much less.
    closed = {END - dt.timedelta(days=k): 0.0 for k in range(14, 28)}
    half = customer_value.season_ahead(past_on(monkeypatch, replace(CLOCK, special=closed)), 28.0)
    assert plain * 1.5 < half < plain * 3
    # Nothing was bought in that season, without a closed day: still no more than against a tenth of the time.
    dead = Clock(end=END, season=np.repeat([2.0, 0.0, 1.0], [182, 182, 1]))
    assert customer_value.season_ahead(past_on(monkeypatch, dead), 91.0) <= 20 + 1e-9


def test_a_history_of_a_day_has_no_season():
    one_day = dt.date(2024, 1, 1)
    assert customer_value.season_ahead(history_of(orders(("a", "2024-01-01", 5.0)), one_day), 91.0) == 1.0


@pytest.mark.proof
def test_on_the_shop_chances_come_true_and_the_same_list_is_sent():
    history = History(crmlab.open_dataset("shop"), None)
    seasonal, plain = (Origins(history, 91) for _ in range(2))
    plain._seasons = {0: 1.0, 1: 1.0}
    found, before = (sending.tested(one, k=3, margin=None, level=0.9, seed=0) for one in (seasonal, plain))
    assert sending.choose(found) == sending.choose(before)
    off = [(one.foretold["predicted"] / one.foretold["observed"]).iloc[:4] for one in (found, before)]
    # On 1 October, before the busy season: the four lists were told half of what came.
    assert seasonal.season(1) > 1.5 and (off[1] < 0.7).all() and off[0].between(0.8, 1.25).all()
