"""Chances of offers, told for the season of the days to come."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import customer_value
from crmlab.analyses.cross_sell import blend, study, words
from crmlab.analyses.cross_sell import choice as sending
from crmlab.analyses.cross_sell.blend import Origins
from crmlab.analyses.cross_sell.params import Params
from crmlab.analyses.customer_value import choosing
from crmlab.history.past import History
from crmlab.models.btyd.clock import Clock
from crmlab.page.format import Format
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


def test_products_that_were_not_sold_a_year_ago_are_known():
    lines = ibis.memtable(
        pd.DataFrame(
            {
                "product_id": ["scarf", "mug", "mug", "tree"],
                "ordered_at": pd.to_datetime(["2024-11-20", "2024-01-15", "2023-12-31", "2023-12-20"]),
                "quantity": [1, 1, 1, 1],
            }
        )
    )
    pairs = pd.DataFrame({"consequent": ["mug", "tree", "scarf", "lamp"], "extra_low": [3.0, 2.0, 1.0, -1.0]})
    past, params = SimpleNamespace(as_of=END, lines=lines), Params()
    # The 91 days to come, a year before: only the mug was sold in them. Of what brings nothing for sure, nothing is asked.
    assert study._unsold(past, dt.date(2023, 6, 1), pairs, params) == {"tree", "scarf"}
    assert not study._unsold(past, dt.date(2024, 3, 1), pairs, params)  # the history does not reach back that far
    assert not study._unsold(past, dt.date(2023, 6, 1), pairs, replace(params, level_of="category"))


@pytest.mark.parametrize(("predicted", "reason"), [(0.081, False), (0.05, True)])
def test_only_too_small_a_forecast_is_put_down_to_growth(predicted, reason):
    foretold = pd.DataFrame({"method": ["x"], "predicted": [predicted], "observed": [0.067], "low": [0.06], "high": [0.07]})
    some = SimpleNamespace(
        backtest=SimpleNamespace(foretold=foretold),
        context=SimpleNamespace(form=Format()),
        choice=SimpleNamespace(method="x"),
        pace=1.2,
    )
    (said,) = words._chances_missed(some)
    assert ("growth" in said) == reason and ("less often" in said) != reason
