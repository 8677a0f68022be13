"""The leaderboard: nobody knows the future, rounding wins nothing, and a rival is named where it is shown to be better."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses import customer_value as analysis
from crmlab.analyses.customer_value import standings, study
from crmlab.analyses.customer_value.backtesting import simple_rules
from crmlab.analyses.customer_value.base import base_of
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import chosen
from crmlab.analyses.customer_value.contest import Contest, origins_of
from crmlab.analyses.customer_value.forecasters import BLENDS, Field, purchases_of
from crmlab.analyses.customer_value.leaderboard import Leaderboard, held_against
from crmlab.analyses.customer_value.seasons import Season
from crmlab.data.shop.donors import make_donors
from crmlab.data.shop.make import make_shop
from crmlab.models.forecasts import Winners
from tests.frames import history_of

OFF = Season(by="off", tested=pd.DataFrame())
PLAIN = Choice(name="mbg_nbd", by="given", ranked=None, untested="", season=OFF)


def orders_of(made):
    return made.tables["orders"][["customer_id", "ordered_at", "amount"]]


@pytest.fixture(scope="module")
def orders():
    return orders_of(make_shop(500, seed=4, days=400, seasonality=0.0, return_rate=0.0))


@pytest.fixture(scope="module")
def base(orders):
    return base_of(history_of(orders))


@pytest.fixture(scope="module")
def board(base):
    return held_against(base, PLAIN)


def test_origins_lie_within_the_history():
    for length in range(1, 260):
        for span in (13, 26):
            found = origins_of(length, span)
            assert len(set(found)) == len(found) <= 4
            assert all(span <= back <= length - 13 for back in found)
            if length >= span + 25:  # a quarter known, and eight weeks for two more origins
                assert len(found) >= 3
        assert all(1 <= back <= length - 2 for back in origins_of(length, 1, rounds=True))


@pytest.mark.proof
def test_nobody_knows_what_came_later(orders, base):
    """Other purchases after the origin, and other customers then, change what came and nothing that was told."""
    back, day = 13, base.split(13)
    late = pd.to_datetime(orders["ordered_at"]).dt.date > day
    other = orders[~late | (np.arange(len(orders)) % 3 == 0)].copy()
    other["amount"] = [
        amount * 7 if changed else amount for amount, changed in zip(other["amount"], late[other.index], strict=True)
    ]
    new = orders[late].assign(customer_id=lambda frame: "new" + frame["customer_id"].astype(str))
    changed = base_of(history_of(pd.concat([other, new, orders[late].tail(1)])))
    assert (changed.first, changed.end) == (base.first, base.end)
    fields = [Field(base=one, choice=PLAIN, level=0.9) for one in (base, changed)]
    for span in (8, 13):
        first, second = (field.told(back, span) for field in fields)
        for target, trial in first.trials.items():
            assert {"boosting", "last_year", "average", *BLENDS} < set(trial.columns)
            pd.testing.assert_frame_equal(trial.drop(columns="actual"), second.trials[target].drop(columns="actual"))
            assert trial["actual"].sum() != second.trials[target]["actual"].sum()
        assert first.totals == second.totals


@pytest.mark.proof
def test_the_one_used_tells_what_the_product_would_have_told(base, board):
    some = board.origins[(board.origins["name"] == board.used) & (board.origins["target"] == "purchases")]
    assert board.used == "mbg_nbd" and len(some) >= 6
    for row in some.to_dict("records"):
        then = base_of(base.history.earlier(row["day"]))
        summary = then.summary()
        total = PLAIN.fit(then, summary).expected_total(summary, float(row["span"]), interval="outcome")
        assert row["told"] == pytest.approx(total["expected_purchases"], rel=1e-6)
        assert row["told_low"] == pytest.approx(total["low"], rel=1e-6)
        held = base_of(base.history.earlier(row["day"] + dt.timedelta(weeks=row["span"]))).held(row["span"])
        assert row["came"] == held["holdout_purchases"].sum() and row["customers"] == len(held)


@pytest.mark.proof
def test_a_board_speaks_of_the_horizon_that_most_took_part_in(board):
    assert board.span == 13 and board.target == "spend" and not board.why
    rows = board.rows("spend")
    assert rows.loc[board.used, ["rank_shown", "total_shown", "error_shown"]].tolist() == ["", "", ""]
    assert rows["origins"].min() >= 3 and {"ziln", "boosting", "last_year"} <= set(rows.index)
    # A blend has the order of the one and the total of the other.
    assert rows.loc["their_order", "gini"] == pytest.approx(rows.loc["boosting", "gini"])
    assert rows.loc["their_order", "total_ratio"] == pytest.approx(rows.loc[board.used, "total_ratio"])
    assert (rows.loc[list(BLENDS), ["rank_shown", "total_shown"]] == "").all(axis=None)
    assert board.failed["same_weeks"].startswith("SameWeeks: needs 364 days of history")
    assert "boosting" not in board.board.loc[board.board["span"] == 26, "name"].tolist()


@pytest.mark.proof
def test_digits_make_no_winner():
    """Where nobody leaves, the models are one: no order of their rounding is shown."""
    rng = np.random.default_rng(3)
    rows = [
        (f"c{k}", (pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day))), 10.0 + day % 7)
        for k, rate in enumerate(rng.gamma(2.0, 0.03, 250))
        for day in np.flatnonzero(rng.random(300) < rate)
    ]
    found = held_against(base_of(history_of(pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"]))), PLAIN)
    for target in ("purchases", "spend"):
        ours = found.rows(target).loc[["mbg_nbd", "pareto_nbd", "bg_nbd"]]
        assert (ours[["rank_shown", "total_shown", "error_shown"]] == "").all(axis=None)


@pytest.mark.proof
def test_donors_are_asked_in_years():
    made = make_donors(300, seed=5, years=7)
    base = base_of(_in_rounds(orders_of(made)))
    choice = chosen(base)
    found = held_against(base, choice)
    assert found.board["span"].unique().tolist() == [1, 2] and found.used == "bg_bb"
    assert found.rows("spend").index.tolist() == ["bg_bb", "last_year", "average"]
    some = found.origins[(found.origins["span"] == 1) & (found.origins["day"] == base.split(1))].set_index(["target", "name"])
    deeds, money = simple_rules(base.held(1), base.age, 1.0)
    for name, told in deeds.items():
        assert some.loc[("purchases", name), "told"] == pytest.approx(told.sum())
        assert some.loc[("spend", name), "told"] == pytest.approx(money[name].sum())


def _in_rounds(orders):
    history = history_of(orders)
    descriptor = replace(history.data.descriptor, rounds="year")
    return type(history)(replace(history.data, descriptor=descriptor))


@pytest.mark.proof
def test_a_short_history_says_so(orders):
    days = pd.to_datetime(orders["ordered_at"])
    short = history_of(orders[days < days.min() + pd.Timedelta(days=100)])
    found = held_against(base_of(short), PLAIN)
    assert "too short" in found.why and found.winner("rank") is None and found.contest is None and not len(found.board)
    page = analysis.run(short.data)
    assert "too short" in repr(page.chart("leaderboard")) and "leaderboard" not in page.outputs


def test_customers_are_thinned_alike(orders, base):
    first = purchases_of(base, seed=1, most=50)
    again = purchases_of(base_of(history_of(orders.sample(frac=1, random_state=0))), seed=1, most=50)
    assert len(first.ids) == 50 and first.ids.equals(again.ids) and np.array_equal(first.spend, again.spend)
    assert not first.ids.equals(purchases_of(base, seed=2, most=50).ids)


@pytest.fixture(scope="module")
def found(base):
    return study.study(base.history, analysis.Params(model="mbg_nbd"))


@pytest.mark.proof
@pytest.mark.parametrize(("rank", "total"), [(None, None), ("ziln", None), (None, "average"), ("ziln", "last_year")])
def test_a_rival_is_named_where_it_is_shown(found, rank, total):
    held = found.board.contest
    won = {held.target: Winners(rank=rank, total=total, differences=pd.DataFrame())}
    contest = Contest(used=held.used, span=held.span, days=held.days, scored=held.scored, won=won)
    said = standings.rivals_said(replace(found, board=replace(found.board, contest=contest)))
    assert len(said) == (rank is not None) + (total is not None)
    assert all("is shown to" in sentence and "MBG/NBD" in sentence for sentence in said)
    assert all("because another model was asked for" in sentence for sentence in said)
    if rank == "ziln":
        assert said[-1].startswith("“Zero-inflated lognormal” is shown to rank customers")


@pytest.mark.proof
def test_another_of_our_models_is_named_where_it_is_shown(found):
    board = found.board.board.copy()
    board.loc[board["name"] == "pareto_nbd", ["rank_shown", "total_shown"]] = "better"
    said = standings.rivals_said(replace(found, board=replace(found.board, board=board)))
    assert [sentence.split(" is shown to ")[0] for sentence in said] == ["Pareto/NBD"] * 2
    assert all("It is not used, because another model was asked for." in sentence for sentence in said)


@pytest.mark.proof
def test_how_the_forecast_stands_is_said(found):
    said = standings.standing_said(found)
    own = found.board.rows(found.board.target).loc[found.board.used]
    assert "MBG/NBD was off by" in said and found.context.form.share(own["total_error"]) in said
    missing = replace(found, board=Leaderboard(used="mbg_nbd", why="The history is too short."))
    assert standings.standing_said(missing) == "There is no leaderboard. The history is too short."


@pytest.mark.proof
def test_the_page_shows_board_and_origins(found):
    table, origins, chart = (
        show(found) for show in (standings.leaderboard_table, standings.origins_table, standings.leaderboard_chart)
    )
    assert table.frame["shown"].tolist().count("used here") == 1 and table.frame["forecaster"].iloc[0] == "MBG/NBD"
    assert len(origins.frame) == 2 * found.board.origins.groupby("span")["day"].nunique().sum()
    assert set(origins.frame["held"]) <= {"yes", "no"}
    assert len(chart.frame) == 3 * (len(table.frame) - len(BLENDS))
    deciles = standings.deciles_table(found).frame
    some = found.board.origins[(found.board.origins["span"] == 13) & (found.board.origins["target"] == "spend")]
    assert deciles["told"].is_monotonic_increasing
    assert deciles["rows"].sum() == some.loc[some["name"] == "mbg_nbd", "customers"].sum()
    assert found.outputs["leaderboard"].frame["forecaster"].nunique() == len(table.frame)
