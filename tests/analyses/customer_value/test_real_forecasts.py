"""Real shops, forecast as the pages would have forecast them on earlier days: errors and intervals are printed for every origin."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

import crmlab
from crmlab.analyses.customer_value import base_of, chosen
from crmlab.analyses.customer_value.kinds import MODELS
from crmlab.history.past import History

FOLDER = Path(os.environ.get("CRMLAB_DATA", "data/private"))
FILES = ("online_retail_2009.parquet", "online_retail.parquet")
WEEKS = 13
ORIGINS = ("2011-03-11", "2011-06-10", "2011-09-09")


def forecast_of(history, day):
    """What was told on a day of the repeat purchases of the next 13 weeks: (as used, low, high, in calendar time, what came)."""
    base = base_of(history.earlier(day))
    choice, summary = chosen(base), base.summary()
    told = choice.fit(base, summary).expected_total(summary, WEEKS, interval="outcome")
    calendar = MODELS[choice.name]().fit(summary).expected_purchases(summary, WEEKS).sum()
    until = dt.date.fromisoformat(day) + dt.timedelta(weeks=WEEKS)
    came = base_of(history.earlier(until)).held(WEEKS)["holdout_purchases"].sum()
    return float(told["expected_purchases"]), float(told["low"]), float(told["high"]), float(calendar), float(came)


@pytest.mark.nightly
@pytest.mark.skipif(not all((FOLDER / name).exists() for name in FILES), reason="Online Retail II is the user's own copy.")
@pytest.mark.may_skip("the files of a real shop are the user's own")
def test_a_season_that_was_seen_once_is_forecast_when_it_comes_again():
    """Half the error of the fit in calendar time, and intervals that hold, from three origins through what every report asks."""
    history = History(crmlab.open_dataset("online_retail_ii"))
    found = {day: forecast_of(history, day) for day in ORIGINS}
    for day, (told, low, high, calendar, came) in found.items():
        print(
            f"{day}: told {told:,.0f} ({low:,.0f} to {high:,.0f}), {told / came - 1:+.1%}; calendar {calendar / came - 1:+.1%}"
        )
    assert all(low <= came <= high for _, low, high, _, came in found.values())
    used = sum(abs(told / came - 1) for told, _, _, _, came in found.values())
    assert used <= 0.5 * sum(abs(calendar / came - 1) for *_, calendar, came in found.values())
