"""The simulated club: same seed, same bytes; its contracts keep all rules and show the truth that they were made of."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.special import beta

import crmlab
from crmlab.data.rules import examined
from crmlab.data.shop.club import CLUB, PLANS, TRIAL_DAYS, make_club
from crmlab.errors import ParameterError


@pytest.fixture(scope="module")
def club():
    return make_club(4000, 3)


def test_same_seed_same_bytes_and_another_seed_another_club():
    first, again, other = make_club(300, 5), make_club(300, 5), make_club(300, 6)
    for name, frame in first.tables.items():
        pd.testing.assert_frame_equal(frame, again.tables[name], check_exact=True)
        assert not frame.equals(other.tables[name])
    pd.testing.assert_frame_equal(first.truth, again.truth, check_exact=True)


def test_the_data_set_keeps_every_rule_and_says_who_is_in_it():
    data = crmlab.open_dataset("club")
    assert data.tables == ("customers", "contracts")
    assert [one.rule for one in examined(data) if one.broken] == []
    assert sum(row.rows for row in data.ledger if row.table == "customers") == 2000


def test_renewals_follow_the_beta_geometric_of_each_plan(club):
    # Renewed k times at least, of those who had the time: B(a, b + k) / B(a, b).
    for plan, k, months in (("basic", 6, 1), ("plus", 6, 1), ("annual", 1, 12)):
        mine = club.truth[(club.truth["plan"] == plan) & club.truth["converted"]]
        early = mine[mine["began"] < dt.date(2025, 12, 1) - dt.timedelta(days=31 * months * k + TRIAL_DAYS)]
        a, b = PLANS[plan]["alpha"], PLANS[plan]["beta"]
        expected = beta(a, b + k) / beta(a, b)
        share = (early["renewals"] >= k).mean()
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / len(early)), plan


def test_trials_are_paid_for_and_left_members_come_back_as_often_as_was_said(club):
    truth = club.truth
    tried = truth[truth["trial"]]
    assert abs(tried["converted"].mean() - CLUB["conversion"]) < 4 * np.sqrt(0.25 / len(tried))
    gone = truth[truth["left"]]
    assert 0 < gone["returned"].mean() < CLUB["returns"]  # some had no time left
    assert not truth.loc[~truth["left"], "returned"].any()


def test_what_was_not_known_on_the_last_day_is_not_there(club):
    rows = club.tables["contracts"]
    end = dt.date(2025, 12, 31)
    planned = rows[[day is not None and day > end for day in rows["ended_at"]]]
    assert len(planned) and planned["cancelled_at"].notna().all()
    assert all(day <= end for day in rows["cancelled_at"].dropna())
    assert all(row.ended_at is None or row.started_at <= row.ended_at for row in rows.itertuples())
    assert set(rows["period"]) == {"month", "year"}


def test_monthly_prices_rise_in_the_middle_at_a_renewal(club):
    rows = club.tables["contracts"]
    rise = dt.date(2024, 1, 1)
    monthly = rows[rows["period"] == "month"]
    late = np.array([day >= rise for day in monthly["started_at"]])
    base = monthly["plan"].map({name: PLANS[name]["price"] for name in PLANS})
    begun = [row.trial_until or row.started_at for row in monthly.itertuples()]
    sure = late | np.array([day < rise - dt.timedelta(days=1) for day in begun])
    assert np.allclose(monthly["price"][sure] / base[sure], np.where(late, 1.1, 1.0)[sure], atol=0.002)
    assert rows[rows["period"] == "year"]["price"].nunique() == 1


@pytest.mark.parametrize(("given", "named"), [({"n_members": 0}, "n_members"), ({"years": 1}, "years"), ({"seed": -1}, "seed")])
def test_numbers_out_of_range_are_refused(given, named):
    with pytest.raises(ParameterError, match=f"'{named}' parameter of club"):
        make_club(**given)
