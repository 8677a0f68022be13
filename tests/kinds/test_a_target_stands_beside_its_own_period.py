"""Kind: a number of another period beside a target: "so far" of the calendar year beside what is due by 30 June; "at risk" for what is
expected to be met; and intervals beside what merely was counted.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import scorecard
from crmlab.analyses.scorecard.board import board_of
from crmlab.analyses.scorecard.goals import (
    AT_RISK,
    EVEN,
    GOOD,
    LIKELY,
    ON_TRACK,
    REACHED,
    STATUSES,
    UNKNOWN,
    WILL_MISS,
    goals_of,
    judged,
)
from crmlab.analyses.scorecard.lines import LINES
from crmlab.analyses.scorecard.measures import lines_of
from crmlab.analyses.scorecard.money import money_of
from crmlab.analyses.scorecard.quantities import QUANTITIES
from crmlab.analyses.scorecard.targets import Goal
from crmlab.history.past import History

END = dt.date(2025, 3, 9)
GOALS = {
    "revenue": (20_000, "2025-08-01"),
    "occasions": (1_500, "2025-08-01"),
    "new": (5, "2025-10-01"),
    "customers": (90, "2025-04-20"),
    "average_order_value": (20, "2025-04-20"),
    "occasions_per_customer": (3, "2025-04-20"),
    "returned_share": (0.02, "2024-12-31"),
    "margin_share": (0.3, "2025-04-20"),
}


@pytest.fixture(scope="module")
def rows():
    """Ninety people of whom each comes every thirty days and more, the last of them in August 2024; some bring things back."""
    start, out = dt.date(2023, 1, 1), []
    for who in range(90):
        day, k = start + dt.timedelta(days=(who * 13) % 620), 0
        while day <= END:
            out.append((f"o{who}-{k}", f"c{who:02}", day, -3.0 if k % 9 == 4 else 10.0 + (who + k) % 17))
            day, k = day + dt.timedelta(days=30 + who % 25), k + 1
    out.append(("last", "c00", END, 12.0))
    return pd.DataFrame(out, columns=["order_id", "customer_id", "ordered_at", "amount"])


def aimed(folder, rows, goals):
    """The board of some orders, and goals of (measure, target, date)."""
    rows.to_csv(folder / "o.csv", index=False)
    named = "".join(f'[[goals]]\nmeasure = "{name}"\ntarget = {aim}\nby = {by}\n' for name, aim, by in goals)
    (folder / "own.toml").write_text(f'title = "Own"\nmargin = 0.4\n[orders]\nfile = "o.csv"\n{named}')
    return board_of(History(crmlab.open_dataset(str(folder / "own.toml"))), scorecard.Params())


@pytest.fixture(scope="module")
def board(rows, tmp_path_factory):
    return aimed(tmp_path_factory.mktemp("goals"), rows, [(name, *goal) for name, goal in GOALS.items()])


@pytest.fixture(scope="module")
def goals(board):
    return goals_of(board, None).set_index("measure")


def within(rows, by, days):
    """Rows of the goal's own period, by hand."""
    last = dt.date.fromisoformat(by)
    return rows[(rows["ordered_at"] > last - dt.timedelta(days=days)) & (rows["ordered_at"] <= min(last, END))]


@pytest.mark.proof
def test_what_has_come_in_is_of_the_period_that_ends_on_the_date(rows, goals):
    bought = rows[rows["amount"] > 0]
    year = within(rows, "2025-08-01", 365)
    assert goals.loc["revenue", "so_far"] == pytest.approx(year["amount"].sum())
    assert goals.loc["revenue", "so_far"] != pytest.approx(within(rows, str(END), 365)["amount"].sum())
    assert goals.loc["revenue", "done"] == pytest.approx(year["amount"].sum() / 20_000)
    assert goals.loc["revenue", "to_go"] == pytest.approx(20_000 - year["amount"].sum())
    assert goals.loc["revenue", "first"] == pd.Timestamp("2024-08-02")
    assert goals.loc["occasions", "so_far"] == len(within(bought, "2025-08-01", 365))
    assert goals.loc["customers", "so_far"] == within(bought, "2025-04-20", 91)["customer_id"].nunique()
    assert goals.loc["average_order_value", "so_far"] == pytest.approx(within(bought, "2025-04-20", 91)["amount"].mean())
    quarter = within(rows, "2024-12-31", 91)
    back = -quarter.loc[quarter["amount"] < 0, "amount"].sum() / quarter.loc[quarter["amount"] > 0, "amount"].sum()
    assert goals.loc["returned_share", "so_far"] == goals.loc["returned_share", "expected"] == pytest.approx(back)
    assert goals.loc["margin_share", "so_far"] == 0.4  # as the data set's file gives it


@pytest.mark.proof
def test_what_does_not_add_up_is_no_part_of_a_target(goals):
    rates = ["average_order_value", "occasions_per_customer", "returned_share", "margin_share"]
    assert goals.loc[rates, ["done", "to_go"]].isna().all().all()
    # Half a quarter's occasions per customer say nothing beside the target of a whole one.
    assert pd.isna(goals.loc["occasions_per_customer", "so_far"])


@pytest.mark.proof
def test_a_target_that_cannot_be_lost_again_is_reached_before_its_date(rows, goals):
    firsts = rows[rows["amount"] > 0].groupby("customer_id")["ordered_at"].min()
    new = ((firsts > dt.date(2024, 10, 1)) & (firsts <= END)).sum()
    assert goals.loc["new", "so_far"] == new
    assert (goals.loc["new", "status"] == REACHED) is bool(new >= 5)
    assert goals["status"].isin(STATUSES).all()


@pytest.mark.proof
def test_a_year_that_began_before_the_history_is_not_judged_as_if_nothing_had_come_in_before(rows, tmp_path):
    later = rows[rows["ordered_at"] >= dt.date(2024, 6, 1)]
    whole = [(name, 10**6, by) for by in ("2025-03-31", "2025-02-28") for name in ("revenue", "new", "occasions")]
    held = [
        ("customers", 90, "2025-04-20"),
        ("revenue", 50, "2025-03-30"),
        ("occasions", 5, "2025-02-27"),
        ("new", 5, "2025-03-30"),
    ]
    found = goals_of(aimed(tmp_path, later, whole + held), None)
    early = found[found["target"] == 10**6]
    assert set(early["status"]) == {UNKNOWN} and set(early["why"]) == {"not known: the history begins later"}
    assert early[["so_far", "done", "to_go", "expected"]].isna().all().all()
    rest = found[found["target"] != 10**6].set_index("measure")
    assert rest.loc["occasions", "status"] == REACHED  # what is known of the year reaches it already
    assert (rest.loc["revenue", ["to_go", "why"]] == [0, "not known: there is no forecast"]).all()
    assert rest.loc["new", "status"] == UNKNOWN  # who comes first in a history may have come before
    assert rest.loc["customers", "so_far"] > 0


@pytest.mark.proof
def test_a_quarter_of_which_nobody_was_lost_is_part_of_the_trend(tmp_path):
    steady = [
        (f"o{who}-{k}", f"c{who:02}", END - dt.timedelta(days=30 * k + who % 20), 10.0 + who % 7)
        for who in range(40)
        for k in range(24)
    ]
    names = ["order_id", "customer_id", "ordered_at", "amount"]
    goals = [("lost", 20, "2025-04-20"), ("returned_share", 0.02, "2025-04-20"), ("customers", 30, "2025-04-20")]
    found = goals_of(aimed(tmp_path, pd.DataFrame([*steady, ("last", "c00", END, 12.0)], columns=names), goals), None)
    found = found.set_index("measure")
    lost = found.loc["lost"]
    assert lost["status"] == ON_TRACK and lost["expected"] == pytest.approx(0, abs=1e-9) and 1 < lost["high"] < 20
    assert found.loc["returned_share", "why"] == "not known: a quarter had 0%, through which no trend can be drawn"
    assert found.loc["customers", "expected"] == pytest.approx(40)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ((110, 100, 120), ON_TRACK),
        ((100, 90, 110), EVEN),
        ((101, 80, 120), EVEN),
        ((99, 80, 120), EVEN),
        ((101, 99, 120), LIKELY),
        ((99, 80, 101), AT_RISK),
        ((90, 80, 100), AT_RISK),
        ((90, 80, 99), WILL_MISS),
    ],
)
def test_states_say_what_is_expected(found, status):
    assert judged(Goal("revenue", 100.0, "2026-06-30"), found, "forecast")[0] == status
    # Where less is better, the other way round: 1 - x / 200 falls as x rises.
    value, low, high = (1 - x / 200 for x in found)
    assert judged(Goal("returned_share", 0.5, "2026-06-30"), (value, high, low), "trend")[0] == status
    assert (status in GOOD) is (found[1] >= 100)


@pytest.mark.proof
def test_what_a_period_held_has_no_interval_and_what_it_is_read_for_has_one(board):
    lines = lines_of(board, money_of(board))
    for line in lines:
        if line.now is not None:
            assert (line.low is None) is (line.high is None) is line.counted, line.key
            assert line.since_last is None or line.since_last[1] <= line.since_last[0] <= line.since_last[2]
    assert [line.key for line in LINES if not line.counted] == ["second_share", "second_days"]
    assert all(QUANTITIES[line.key].counted is line.counted for line in LINES)
    assert not any(QUANTITIES[f"{line.key}_change"].counted for line in LINES)
    margin = next(line for line in lines if line.key == "margin")
    revenue = next(line for line in lines if line.key == "revenue")
    assert margin.now == pytest.approx(0.4 * revenue.now)  # the margin of the data set's file, without unit costs
