"""Silence counted by the season: days, thresholds, states, and the way between dates."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.lifecycle.pace import Pace, day_number
from crmlab.analyses.lifecycle.reductions import states
from crmlab.analyses.lifecycle.rhythm import Thresholds, thresholds
from crmlab.errors import ModelError
from crmlab.models.btyd.clock import Clock

FIRST, END = dt.date(2023, 1, 1), dt.date(2024, 12, 31)
# A quiet spring and summer, a busy end of the year.
YEAR = 1 + 0.8 * np.cos(2 * np.pi * (np.arange(365) - 340) / 365)


def pace_on(season):
    return Pace(clock=Clock(end=END, season=season), first=FIRST)


def orders_of(rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at"]).assign(amount=5.0)
    return ibis.memtable(frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"])))


def rows_of(seed=3, customers=60):
    rng = np.random.default_rng(seed)
    days = [(f"c{k}", FIRST + dt.timedelta(days=int(day))) for k in range(customers) for day in rng.integers(0, 700, 9)]
    return sorted({*days, ("c0", END)})


def test_pace_of_no_season_counts_every_day_once():
    pace = pace_on(np.ones(365))
    assert pace.between(dt.date(2023, 3, 1), dt.date(2024, 3, 1)) == 366
    assert pace.after(dt.date(2024, 2, 1), 40) == dt.date(2024, 3, 12)
    assert pace.before(END, 31) == dt.date(2024, 11, 30)
    rows = orders_of(rows_of())
    plain, paced = thresholds(rows, END.isoformat()), thresholds(rows, END.isoformat(), pace=pace)
    assert (plain.days, plain.multiples, plain.on(END), plain.since(FIRST)) == (
        paced.days, paced.multiples, paced.on(END), paced.since(FIRST),
    )  # fmt: skip
    one, two = (states(rows, END.isoformat(), limits).to_pandas().sort_values("customer_id") for limits in (plain, paced))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True))


@pytest.mark.parametrize("season", [np.ones(365), YEAR])
def test_many_days_are_counted_as_each_of_them_is(season):
    pace = pace_on(season)
    later = [0, 1, 30, 364, 730, 2000, 20 * 365 + 900]  # the last is beyond what is worked out
    numbers = np.array([day_number(FIRST) + days for days in later])
    counted = pace.counted(numbers)
    assert (counted - counted[0]).tolist() == [pace.between(FIRST, FIRST + dt.timedelta(days=days)) for days in later]
    for silence in (0, 45, 400):
        ends = [day_number(pace.after(FIRST + dt.timedelta(days=days), silence)) for days in later]
        assert pace.last_with(counted + silence).tolist() == ends


def test_pace_counts_a_year_for_365_and_busy_days_for_more():
    pace = pace_on(YEAR)
    assert pace.between(dt.date(2023, 1, 1), dt.date(2023, 12, 31)) == pytest.approx(364, abs=2)
    spring, autumn = pace.between(dt.date(2024, 5, 1), dt.date(2024, 6, 30)), pace.between(dt.date(2024, 11, 1), END)
    assert spring < 20 < 100 < autumn
    for day in (dt.date(2023, 5, 7), dt.date(2024, 11, 20), END):
        until = pace.after(day, 30)
        assert pace.between(day, until) <= 30 < pace.between(day, until + dt.timedelta(days=1))


def test_every_year_of_a_long_history_is_counted_by_the_season():
    pace = Pace(clock=Clock(end=END, season=YEAR, level=np.full(900, 2.0)), first=dt.date(2019, 1, 1))
    spring, autumn = (
        {pace.between(dt.date(year, *first), dt.date(year, *last)) for year in range(2019, 2025)}
        for first, last in (((5, 1), (6, 30)), ((11, 1), (12, 31)))
    )
    assert max(spring) < 20 < 100 < min(autumn)
    assert max(spring) - min(spring) <= 1 and max(autumn) - min(autumn) <= 1


def test_days_before_the_history_cannot_be_counted():
    pace = pace_on(YEAR)
    for ask in (lambda day: pace.between(day, END), lambda day: pace.after(day, 3), lambda day: pace.before(day, 3)):
        with pytest.raises(ModelError, match="from 2023-01-01 on"):
            ask(dt.date(2022, 12, 31))


def test_silence_says_more_in_the_busy_season():
    pace = pace_on(YEAR)
    limits = Thresholds(40, 70, 150, pace=pace)
    rows = orders_of([("spring", "2024-04-15"), ("autumn", "2024-10-15"), ("first", "2023-01-01"), ("first", "2024-12-31")])
    # As many days of silence on both days.
    then = states(rows, "2024-06-14", limits).to_pandas().set_index("customer_id")
    now = states(rows, "2024-12-14", limits).to_pandas().set_index("customer_id")
    assert then.loc["spring", "days_since_last"] == now.loc["autumn", "days_since_last"] == 60
    assert (then.loc["spring", "state"], now.loc["autumn", "state"]) == ("new", "lapsed")
    # The list names the days of the calendar after which each state is left.
    row = now.loc["autumn"]
    day = dt.date(2024, 10, 15)
    assert [row[f"{name}_after"] for name in ("slowing", "lapsed", "lost")] == [(end - day).days for end in limits.since(day)]
    assert limits.on(dt.date(2024, 12, 31))[0] < 40 < limits.on(dt.date(2024, 7, 31))[0]


def test_thresholds_are_quantiles_of_counted_gaps():
    pace, rows = pace_on(YEAR), rows_of()
    found = thresholds(orders_of(rows), END.isoformat(), pace=pace)
    gaps = [pace.between(early, late) for (who, early), (whom, late) in pairwise(rows) if who == whom]
    expected = np.quantile(gaps, (0.75, 0.9, 0.975), method="inverted_cdf")
    assert found.days == tuple(expected.astype(int))


def test_days_far_beyond_the_season_count_as_one():
    pace = pace_on(YEAR)
    assert (pace.after(END, 20_000) - pace.after(END, 19_000)).days == 1000
    late = END + dt.timedelta(days=19_000)
    assert pace.between(late, late + dt.timedelta(days=1000)) == 1000
