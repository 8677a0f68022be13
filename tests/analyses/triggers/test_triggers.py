"""Triggers: rules by hand, planted moments found, and no hindsight in how they are judged."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import crmlab
from crmlab.analyses import triggers as analysis
from crmlab.analyses.customer_value import Choice, Season
from crmlab.analyses.triggers import exhibits, report, rules, words
from crmlab.analyses.triggers.study import study
from crmlab.analyses.triggers.timing import Timing
from crmlab.errors import DataError, ParameterError
from crmlab.history.past import History
from crmlab.history.words import WEEKS
from crmlab.models.btyd.clock import Clock
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format
from tests.frames import history_of, orders

DAY0 = pd.Timestamp("2024-01-01")
BY_NAME = {trigger.name: trigger for trigger in rules.TRIGGERS}
NO_REBUYS = pd.DataFrame({"customer_id": [], "product_id": [], "day": pd.to_datetime([]), "next": pd.to_datetime([])})


def occasions(days, spend=10.0):
    """Occasions of customers given as lists of days since the start."""
    rows = []
    for who, when in days.items():
        for k, day in enumerate(when):
            nxt = when[k + 1] if k + 1 < len(when) else None
            rows.append(
                {
                    "customer_id": who, "day": DAY0 + pd.Timedelta(days=day), "number": k + 1, "spend": spend,
                    "gap": (nxt or 400) - day, "ended": nxt is not None,
                }
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    return rules.occasions_of(frame.drop(columns="spend"), frame[["customer_id", "day", "spend"]])


def past_of(days, until):
    """The same as an order history, up to a day since the start."""
    rows = [(who, DAY0 + pd.Timedelta(days=day), 10.0) for who, when in days.items() for day in when]
    return history_of(orders(*rows), (DAY0 + pd.Timedelta(days=until)).date())


def learnt(**given):
    base = {
        "until": DAY0 + pd.Timedelta(days=300),
        "timing": Timing(until=DAY0 + pd.Timedelta(days=300)),
        "second": 30.0,
        "lapse": 60.0,
        "reach": 90.0,
        "bands": (20.0, 40.0, 60.0, 90.0),
        "spend": 1000.0,
        "expected": None,
        "choice": None,
        "rebuys": pd.Series(dtype=float),
    }
    return rules.Learnt(**{**base, **given})


def fired(name, frame, known, rebuys=NO_REBUYS):
    found = rules.moments(BY_NAME[name], frame, rebuys, known)
    return [(who, (at - DAY0).days) for who, at in zip(found["customer_id"], found["at"], strict=True)]


@pytest.mark.parametrize("closed", [True, False])
def test_closed_days_are_counted_and_are_no_season(monkeypatch, closed):
    """Without a season to follow, a month that is declared closed makes silences shorter, and no page speaks of a season."""
    shut = {day.date(): 0.0 for day in pd.date_range("2024-05-01", "2024-05-31")} if closed else {}
    choice = Choice(name="mbg_nbd", by="given", ranked=None, untested="", season=Season(by="off", tested=pd.DataFrame()))
    monkeypatch.setattr(rules, "chosen", lambda base: choice)
    monkeypatch.setattr(Season, "clock", lambda self, base: Clock(end=base.end, special=shut))
    rng = np.random.default_rng(1)
    days = {f"c{k}": sorted({*rng.integers(0, 300, rng.integers(1, 6)).tolist()}) for k in range(60)}
    known = rules.learn(past_of(days, 300), occasions(days), NO_REBUYS)
    assert known.choice is choice and not known.seasonal
    assert "season" not in BY_NAME["overdue"].rule(known, 0.9, WEEKS, Format())
    april, june = (pd.Series([pd.Timestamp(2024, month, 15)]) for month in (4, 6))
    assert known.timing.gap(april, june).tolist() == [pytest.approx(61 - 31 * closed, abs=0.01)]


def test_occasions_know_their_past():
    frame = occasions({"a": [0, 10, 30]})
    assert frame["before"].tolist()[1:] == [10.0, 20.0]
    assert frame["total"].tolist() == [10.0, 20.0, 30.0]
    assert frame["next"].isna().tolist() == [False, False, True]


def test_rules_by_hand():
    frame = occasions({"a": [0, 10, 30], "b": [5], "c": [0, 90, 95], "d": [0, 20]})
    known = learnt()
    # a: after day 30 its usual gap is 15, so it slows down at day 60; c bought again 5 days after day 90.
    assert fired("slowing", frame, known) == [("a", 60), ("c", 95 + 95)]
    assert fired("second", frame, known) == [("b", 35), ("c", 30)]  # a and d had come again before
    assert fired("reactivated", frame, known) == [("c", 90)]
    assert fired("threshold", frame, learnt(spend=25.0)) == [("a", 30), ("c", 95)]
    assert fired("anniversary", frame, known)[:2] == [("a", 358), ("b", 363)]
    assert fired("overdue", frame, known) == []  # no model


def test_overdue_waits_for_the_models_quantile():
    from crmlab.models.btyd.bg_nbd import BGNBD

    model = BGNBD.from_params(r=4.0, alpha=60.0, a=0.01, b=50.0)

    def expected(some, q):
        age = (some["day"] - some["first"]).dt.days.astype(float)
        return model.next_purchase(pd.DataFrame({"frequency": some["number"] - 1, "recency": age, "T": age}), q)

    frame = occasions({"a": [0, 10, 20, 30]})
    state = pd.DataFrame({"frequency": [3], "recency": [30.0], "T": [30.0]})
    wait = int(np.ceil(model.next_purchase(state, 0.8).iloc[0]))
    assert fired("overdue", frame, learnt(expected=expected))[-1] == ("a", 30 + wait)


# Purchases come at half the usual rate in the first half of the year, and half as often again in the second.
SLOW_THEN_BUSY = Clock(end=dt.date(2024, 10, 27), season=np.repeat([0.5, 1.5, 1.0], [180, 180, 5]))


def test_in_a_slow_month_silence_must_last_longer():
    timing = Timing(until=DAY0 + pd.Timedelta(days=300), clock=SLOW_THEN_BUSY)
    known = learnt(timing=timing, lapse=30.0)
    # In the slow half twice a gap of 20 days is 40 days, as where time is the calendar's. The gaps of b are of the slow half but for their
    # last day, and what follows is busy: twice their mean is over after 15 days, not after 41.
    frame = occasions({"a": [0, 20, 40], "b": [140, 160, 181]})
    assert fired("slowing", frame, known)[0] == ("a", 80)
    b = 40 * 0.5 + 1 * 1.5  # days of the clock from the first to the last: twice their mean
    assert fired("slowing", frame, known)[1] == ("b", 181 + int(np.ceil(b / 1.5)))
    # The second purchase is due after 30 days of the clock: 60 in the slow half, 20 in the busy.
    assert fired("second", occasions({"a": [0], "b": [200]}), known) == [("a", 60), ("b", 220)]
    # A gap of 50 days is 25 days in the slow half and 75 in the busy.
    assert fired("reactivated", occasions({"a": [0, 50], "b": [190, 240]}), known) == [("b", 240)]


def test_without_a_season_time_is_the_calendars():
    frame = occasions({"a": [0, 10, 30], "b": [5], "c": [0, 90, 95], "d": [0, 20]})
    even = Timing(until=DAY0 + pd.Timedelta(days=300), clock=Clock(end=dt.date(2024, 10, 27)))
    for name in ("slowing", "second", "reactivated"):
        assert fired(name, frame, learnt(timing=even)) == fired(name, frame, learnt()), name


def test_product_is_due_again_for_who_bought_it_twice():
    day = [DAY0 + pd.Timedelta(days=k) for k in (0, 20, 50)]
    rebuys = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "product_id": ["p", "p", "p"],
            "day": [day[0], day[1], day[2]],
            "next": [day[1], pd.NaT, pd.NaT],
        }
    )
    assert fired("product", occasions({"a": [0]}), learnt(rebuys=pd.Series({"p": 25.0})), rebuys) == [("a", 45)]


@pytest.mark.proof
def test_what_comes_later_moves_no_moment():
    base = {f"c{k}": sorted({k % 7, 10 + k % 11, 40 + k % 23}) for k in range(60)}
    later = {**base, **{f"z{k}": [200 + k] for k in range(20)}}
    early, late = (rules.learn(past_of(days, 120), occasions(days), NO_REBUYS) for days in (base, later))
    assert (early.second, early.lapse, early.spend, early.model) == (late.second, late.lapse, late.spend, late.model)
    some = occasions(base)
    assert early.model and (early.expected(some, 0.9) == late.expected(some, 0.9)).all()


def test_learning_up_to_a_day_ignores_gaps_that_end_later():
    frame = occasions({"a": [0, 10], "b": [0, 200], "c": [0, 20]})
    past = past_of({"a": [0, 10], "b": [0, 200], "c": [0, 20]}, 100)
    assert rules.learn(past, frame, NO_REBUYS).second == 15.0


@pytest.fixture(scope="module")
def result(result_of):
    return result_of("triggers", "shop")


def test_page_and_list_hang_together(result):
    actions, table = result.outputs["moments"].frame, result.tables["triggers"].frame
    assert {finding.metric for finding in result.findings} <= set(result.metrics)
    counted = actions.groupby("trigger")["customer_id"].nunique()
    for trigger in analysis.TRIGGERS:
        assert result.metrics[f"customers_{trigger.name}"].value == counted.get(trigger.name, 0)
    assert not actions.duplicated(["customer_id", "trigger", "product_id"]).any()
    # Three in four who come again have come within 8 weeks: a moment lasts a quarter of that, and is to be answered within half of it.
    lasts = actions["trigger"].map(lambda name: 7 if name == "anniversary" else 14)
    assert (actions["act_by"] - actions["fired"]).dt.days.equals(lasts.map({7: 7, 14: 28}))
    end = pd.Timestamp(result.context.as_of)
    assert ((end - actions["fired"]).dt.days < lasts).all() and (actions["fired"] <= end).all()
    assert result.tables["rules"].frame["tested"].ge(30).all()
    for name in ("true", "base_all", "base_rule", "lift_all", "lift_rule"):
        assert ((table[f"{name}_low"] <= table[name]) & (table[name] <= table[f"{name}_high"])).all()
    works = dict(zip([one.name for one in analysis.TRIGGERS], table["verdict"].str.startswith("works"), strict=True))
    assert (actions["works"] == analysis.YES).equals(actions["trigger"].map(works).astype(bool))
    assert (actions.loc[actions["contactable"] == "no", "refusal"] != "").all()


@pytest.fixture(scope="module")
def shop_study():
    return study(History(crmlab.open_dataset("shop")), analysis.Params())


def test_tables_hold_what_they_show_and_no_small_count(result, shop_study):
    for name, table in result.tables.items():
        shown = {part for first, column in table.columns.items() for part in (first, column.low, column.high)} - {None}
        assert set(table.frame.columns) == shown, name
    few = shop_study.table.assign(tested=[3, *shop_study.table["tested"][1:]])
    assert exhibits.rules_table(replace(shop_study, table=few)).frame["tested"].tolist()[:1] == ["under 5"]
    bands = replace(shop_study.judged, bands=shop_study.judged.bands.assign(others=4))
    assert set(exhibits.bands_table(replace(shop_study, judged=bands)).frame["others"]) == {"under 5"}


@pytest.mark.proof
@pytest.mark.parametrize("missing", [[0], [0, 1], list(range(7))])
def test_lifts_are_drawn_where_some_are_not_known(shop_study, missing):
    table = shop_study.table.copy()
    table.loc[missing, ["lift_rule", "lift_rule_low", "lift_rule_high"]] = np.nan
    chart = exhibits.lifts_chart(replace(shop_study, table=table))
    figure = Figure()
    chart.draw(figure)
    told = [text.get_text() for text in figure.axes[0].texts]
    assert told.count("upper: over all eligible") == 1 and told.count("lower: over the simple rule") == (len(missing) < 7)


@pytest.mark.proof
def test_moments_are_drawn_where_a_trigger_works(shop_study):
    assert not (shop_study.table["works"] == analysis.YES).any()
    assert isinstance(exhibits.today_chart(shop_study), Absent)
    works = shop_study.table.assign(works=[analysis.YES, *shop_study.table["works"][1:]])
    drawn = exhibits.today_chart(replace(shop_study, table=works)).frame
    assert len(drawn) == 7 and drawn["said"].str.startswith("works, predicts").sum() == 1
    charts = list(report.EXHIBITS.charts)
    assert charts.index("lifts") < charts.index("today")


@pytest.mark.proof
def test_a_number_of_customers_is_no_share(shop_study):
    table = shop_study.table.assign(works=analysis.UNKNOWN)
    unjudged = replace(shop_study, table=table)
    (finding,), metrics = words.findings(unjudged), words.metrics(unjudged)
    assert finding.value == f"{metrics[finding.metric].value:,.0f}" and metrics[finding.metric].unit == "customers"


@pytest.mark.proof
def test_planted_moments_are_found(tmp_path):
    # Forty regulars buy every ten days; twenty of them stop 21 days before the end: they slow down a day later.
    rows = []
    for k in range(40):
        stop = 239 if k < 20 else 260
        rows += [(f"c{k:02}", (DAY0 + pd.Timedelta(days=day)).date(), 10) for day in range(stop % 10, stop + 1, 10)]
    rows.append(("end", (DAY0 + pd.Timedelta(days=260)).date(), 5))
    lines = "\n".join(f"{k},{who},{day},{amount}" for k, (who, day, amount) in enumerate(rows))
    (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{lines}\n")
    (tmp_path / "own.toml").write_text('title = "Own"\n[orders]\nfile = "own.csv"\n')
    own = crmlab.open_dataset(str(tmp_path / "own.toml"))
    found = analysis.run(own)
    slow = found.outputs["moments"].frame.query("trigger == 'slowing'")
    assert slow["customer_id"].tolist() == [f"c{k:02}" for k in range(20)]
    assert (slow["fired"] == DAY0 + pd.Timedelta(days=259)).all()
    # The last day may be one without an order: five days after the last purchases that are known then, nobody slows down.
    quiet = (DAY0 + pd.Timedelta(days=255)).date()
    then = analysis.run(own, analysis.Params(as_of=quiet.isoformat()))
    assert (then.context.as_of, then.context.customers) == (quiet, 40)
    assert "slowing" not in set(then.outputs["moments"].frame["trigger"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantile": 1.0}, "The 'quantile' parameter of triggers must be between 0 and 1, both excluded."),
        ({"fresh": 0}, "The 'fresh' parameter of triggers must be between 1 and 365. Got 0 instead."),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value).startswith(said)


def test_too_short_a_history_is_said():
    with pytest.raises(DataError, match="triggers: needs at least 112 days of history. Found: 58 days."):
        analysis.run(crmlab.open_dataset("cdnow_sample"), analysis.Params(as_of="1997-02-28"))
