"""Kind: work and pages by calendar span. One order in 1900, 2700 or 9999 made loops of 400,000 weeks, a page of 3 MB, or an overflow.

Every table, chart and loop by period is bounded by a number of periods: longer ones are taken where there would be too many.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import data_quality
from crmlab.analyses.customer_value.base import base_of
from crmlab.analyses.data_quality.exhibits import orders_by_period
from crmlab.analyses.scorecard.forecasts import MOST_LEARNT, quarters_ahead
from crmlab.errors import ParameterError
from crmlab.history import calendars
from crmlab.history.past import History


def opened(tmp_path, days, extra="", name="own"):
    """A data set of one order a day by nine customers, on the days that are given."""
    rows = "".join(f"{i},c{i % 9},{day},{10 + i % 4}\n" for i, day in enumerate(days))
    (tmp_path / f"{name}.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{rows}", encoding="utf-8")
    (tmp_path / f"{name}.toml").write_text(f'title = "Own"\n{extra}\n[orders]\nfile = "{name}.csv"\n', encoding="utf-8")
    return crmlab.open_dataset(str(tmp_path / f"{name}.toml"))


def usual(*odd):
    days = [day.date().isoformat() for day in pd.date_range("2022-01-01", "2023-12-31", freq="3D")]
    return sorted([*days, *odd])


@pytest.mark.proof
@pytest.mark.parametrize("odd", ["0001-01-01", "1900-01-01", "2700-05-01", "9000-12-31"])
def test_orders_are_counted_by_few_periods_that_hold_them_all(tmp_path, odd):
    days = usual(odd)
    data = opened(tmp_path, days, 'first_day = "0001-01-01"\nlast_day = "9999-12-31"')  # so that no day is judged
    past = History(data, max(days))
    study = data_quality.run(data, data_quality.Params(as_of=max(days)))
    frame = study.charts["orders"].frame
    assert len(frame) <= calendars.MOST_PERIODS
    assert frame["orders"].sum() == len(days)
    assert frame["days"].sum() == past.days == (past.as_of - past.first).days + 1
    assert len(study.charts["orders"].html()) < 300_000


@pytest.mark.parametrize(
    ("first", "last"),
    [("2024-01-01", "2024-03-31"), ("2020-01-01", "2024-12-31"), ("1904-02-03", "2024-05-06"), ("0001-01-01", "9899-12-31")],
)
def test_periods_cover_a_history_without_gap_or_overlap(first, last):
    first, last = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    unit = calendars.fitting(first, last)
    starts = calendars.openings(first, last, unit)
    assert starts == sorted(set(starts))
    assert len(starts) - 1 <= calendars.MOST_PERIODS
    assert starts[0] <= first and starts[-2] <= last < starts[-1]
    assert all(calendars.opening(start, unit) == start for start in starts[:-1])


def test_week_by_week_counts_stay_what_they_were():
    days = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-03-06", "2024-06-30"]), "orders": [2, 5, 1]})
    weeks = orders_by_period(days)
    assert len(weeks) == 26
    assert weeks.loc[weeks["orders"] > 0, ["from", "orders"]].astype(str).to_numpy().tolist() == [
        ["2024-01-01", "2"], ["2024-03-04", "5"], ["2024-06-24", "1"],
    ]  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize(("odd", "extra"), [("1900-01-01", ""), ("9000-12-31", ""), ("1000-01-01", 'rounds = "year"')])
def test_forecasts_are_tracked_by_few_periods_that_hold_all_purchases(tmp_path, odd, extra):
    days = usual(odd)
    base = base_of(History(opened(tmp_path, days, extra), max(days)))
    came, seen = base.track(1)
    assert len(seen) <= calendars.MOST_PERIODS
    ages = np.unique(np.maximum(seen["end"].to_numpy()[:, None] - came["start"].to_numpy(), 0).round(9))
    assert len(ages) < 10_000  # what a model is asked once for each
    assert seen["end"].is_monotonic_increasing and (np.diff(seen["end"]) > 0).all()
    assert came["customers"].sum() == 9


def test_arrivals_of_a_short_history_are_not_rounded(tmp_path):
    base = base_of(History(opened(tmp_path, usual())))
    came, _ = base.track(4)
    assert base.step == 1
    assert came["start"].tolist() == pytest.approx([3 * k / 7 for k in range(9)])


@pytest.mark.proof
def test_quarters_are_forecast_from_the_last_ten_years(tmp_path):
    days = [day.date().isoformat() for day in pd.date_range("1964-01-01", "2023-12-31", freq="17D")]
    found = quarters_ahead(opened(tmp_path, days).orders, origins=1)
    assert MOST_LEARNT == 40
    assert found.quarters.loc[found.quarters["quarter"] == 0, "expected"].gt(0).all()


def test_a_day_at_the_end_of_the_calendar_is_refused_in_one_sentence(tmp_path):
    data = opened(tmp_path, usual("9999-12-31"))
    with pytest.raises(ParameterError, match="must be 9899-12-31 at the latest") as error:
        History(data, "9999-12-31")
    assert "\n" not in str(error.value)
