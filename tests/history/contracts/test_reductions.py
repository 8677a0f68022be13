"""Reductions of contracts: by hand, against a route in plain Python on the simulated club and on books by chance, on both engines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from crmlab.collecting import ORDERED, collect, collect_arrow
from crmlab.data.shop.club import CLUB, make_club
from crmlab.errors import DataError, ParameterError
from crmlab.history.contracts import (
    PARTS,
    as_contracts,
    lifetime_table,
    lifetimes,
    month_ends,
    mrr_bridge,
    mrr_on,
    plan_migration,
    renewals_due,
    spans,
    standing_on,
    trials_to_paid,
)
from crmlab.models.btyd import SBG
from tests.history.contracts import plain

COLUMNS = ["contract_id", "customer_id", "started_at", "ended_at", "price", "period", "plan", "trial_until", "cancelled_at"]
END = dt.date(2025, 12, 31)


def day(text):
    return None if text is None else dt.date.fromisoformat(text)


def book(*rows):
    """Contracts from rows (contract, customer, start, end, price, period, plan[, trial_until, cancelled_at])."""
    made = [(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows]
    frame = pd.DataFrame(made, columns=COLUMNS, dtype=object)
    for name in ("started_at", "ended_at", "trial_until", "cancelled_at"):
        frame[name] = frame[name].map(day).astype(object).where(frame[name].notna(), None)
    return frame.assign(price=[Decimal(str(price)) for price in frame["price"]])


def by_chance(seed, customers=40, rows=160):
    """Contracts by chance: overlaps, ends on days of starts, gaps of days, every period, free plans, trials, copies, ends before starts."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(rows):
        start = dt.date(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, 300)))
        end = start + dt.timedelta(days=int(rng.choice([-3, 0, 1, 5, 29, 30, 31, 90])))
        trial = start + dt.timedelta(days=int(rng.integers(-2, 40)))
        made.append(
            (f"k{number % 120}", f"c{rng.integers(customers)}", start, end if rng.random() < 0.8 else None,
             Decimal(int(rng.choice([0, 999, 1990, 4995, 12000]))) / 100, str(rng.choice(list(plain.PER_MONTH))), str(rng.choice(["a", "b"])),
             trial if rng.random() < 0.2 else None, start if rng.random() < 0.2 else None)
        )  # fmt: skip
    return pd.DataFrame(made + made[:5], columns=COLUMNS, dtype=object)


@pytest.fixture(scope="module")
def club():
    made = make_club(400, 2)
    frame = made.tables["contracts"]
    return made, frame.assign(price=[Decimal(str(price)) for price in frame["price"]]).astype(object).where(frame.notna(), None)


def exact(table):
    return collect_arrow(table, ORDERED).to_pylist()


@pytest.mark.parametrize("gap", [0, 3, 30])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bridge_of_books_by_chance_is_that_of_plain_python_and_adds_up_to_the_cent(seed, gap):
    frame = by_chance(seed)
    days = [dt.date(2024, 1, 31), dt.date(2024, 3, 1), dt.date(2024, 3, 2), dt.date(2024, 6, 30), dt.date(2024, 12, 31)]
    found = exact(mrr_bridge(frame, days, gap))
    for line, expected in zip(found, plain.bridge_of(frame, days, gap), strict=True):
        assert {name: line[name] for name in expected} == expected
        assert line["start"] + sum(line[name] for name in PARTS[:3]) - line["contraction"] - line["churned"] == line["end"]
        assert line["end"] == line["end"].quantize(Decimal("0.01"))
        lost = line["contraction"] + line["churned"]
        gained = line["new"] + line["reactivated"] + line["expansion"]
        assert line["quick_ratio"] == (pytest.approx(float(gained / lost)) if lost else None)
        assert (
            line["start_customers"] + line["new_customers"] + line["reactivated_customers"] - line["churned_customers"]
            == line["end_customers"]
        )
    assert [line["start"] for line in found[1:]] == [line["end"] for line in found[:-1]]


def test_the_bridge_of_the_club_by_month_is_that_of_plain_python(club):
    days = month_ends(dt.date(2022, 1, 1), END)
    assert (len(days), days[0], days[-1]) == (49, dt.date(2021, 12, 31), END)
    found = exact(mrr_bridge(club[1], days, 5))
    expected = plain.bridge_of(club[1], days, 5)
    assert [{name: line[name] for name in expected[0]} for line in found] == expected
    assert all(sum(line[name] for line in expected) > 0 for name in PARTS)  # every part comes about
    levels = exact(mrr_on(club[1], days, 5))
    assert [one["mrr"] for one in levels[1:]] == [line["end"] for line in found]


def test_a_cancelled_contract_that_is_restarted_on_the_same_day_is_neither_churn_nor_paid_twice():
    frame = book(("1", "a", "2024-01-10", "2024-03-10", 10, "month", "p"), ("2", "a", "2024-03-10", None, 10, "month", "p"))
    found = exact(mrr_on(frame, ["2024-03-09", "2024-03-10", "2024-03-11"]))
    assert [one["mrr"] for one in found] == [Decimal(10)] * 3
    assert collect(spans(frame, "2024-04-01"), "customer_id")["number"].tolist() == [1]
    once = book(("1", "a", "2024-03-10", "2024-03-10", 10, "month", "p"))
    assert exact(mrr_on(once, ["2024-03-10"]))[0]["mrr"] == Decimal(10)
    twice = book(*[(str(k), "a", "2024-03-10", "2024-03-10", 10, "month", "p") for k in range(2)])
    assert exact(mrr_on(twice, ["2024-03-10"]))[0]["mrr"] == Decimal(10)


def test_overlapping_contracts_of_different_plans_are_both_paid_and_a_copy_once():
    frame = book(("1", "a", "2024-01-01", None, 10, "month", "gym"), ("2", "a", "2024-02-01", None, 30, "quarter", "pool"))
    both = pd.concat([frame, frame.iloc[:1]])
    assert exact(mrr_on(both, ["2024-02-29"])) == [
        {"day": dt.date(2024, 2, 29), "mrr": Decimal(20), "subscribers": 1, "contracts": 2}
    ]
    (line,) = exact(mrr_bridge(both, ["2024-01-31", "2024-02-29"]))
    assert (line["expansion"], line["expansion_customers"], line["new"]) == (Decimal(10), 1, 0)


def test_a_price_that_changes_in_the_middle_and_a_year_of_which_a_month_is_no_whole_number_of_cents():
    frame = book(
        ("1", "a", "2024-01-15", "2024-02-14", 10, "month", "p"), ("1", "a", "2024-02-15", None, 8, "month", "p"),
        ("2", "b", "2024-01-01", None, 100, "year", "q"),
    )  # fmt: skip
    (line,) = exact(mrr_bridge(frame, ["2024-01-31", "2024-02-29"]))
    assert (line["start"], line["contraction"], line["end"]) == (Decimal("18.33"), Decimal(2), Decimal("16.33"))


@pytest.mark.parametrize(
    ("price", "period"), [("19.90", "week"), ("0.01", "day"), ("0.06", "year"), ("123456789.99", "4 weeks"), ("7.005", "month")]
)
def test_prices_of_all_periods_come_to_a_month_of_a_twelfth_of_365_days(price, period):
    frame = book(("1", "a", "2024-01-01", None, price, period, "p"))
    assert exact(mrr_on(frame, ["2024-02-01"]))[0]["mrr"] == plain.monthly(Decimal(price), period)


def test_gaps_that_are_no_break_are_no_churn_but_nobody_knows_before_the_return():
    frame = book(("1", "a", "2024-01-01", "2024-01-29", 10, "month", "p"), ("2", "a", "2024-02-02", None, 12, "month", "p"))
    days = ["2024-01-15", "2024-01-31", "2024-02-29"]
    apart, close = exact(mrr_bridge(frame, days)), exact(mrr_bridge(frame, days, 3))
    assert [line["churned"] for line in apart] == [10, 0] and [line["reactivated"] for line in apart] == [0, 12]
    assert [line["churned"] for line in close] == [0, 0] and [line["expansion"] for line in close] == [0, 2]
    assert exact(mrr_on(frame, ["2024-01-31"], 3))[0]["mrr"] == 0
    assert collect(standing_on(frame, "2024-01-31", 3), "customer_id")["standing"].tolist() == ["former"]


def test_standing_on_a_day_by_hand():
    frame = book(
        ("1", "open", "2024-01-10", None, 10, "month", "p"),
        ("2", "noticed", "2024-01-10", "2024-07-09", 10, "month", "p", None, "2024-06-01"),
        ("3", "former", "2024-01-10", "2024-02-09", 10, "month", "p"),
        ("4", "trying", "2024-06-10", None, 10, "month", "p", "2024-06-23"),
        ("5", "never", "2024-05-01", "2024-05-14", 10, "month", "p", "2024-05-14"),
        ("6", "free", "2024-05-01", None, 0, "month", "p"),
        ("7", "unknown", "2024-01-10", "2024-07-09", 10, "month", "p"),
        ("8", "later", "2024-07-01", None, 10, "month", "p"),
    )
    found = collect(standing_on(frame, "2024-06-15"), "customer_id").set_index("customer_id")
    expected = {"open": "subscriber", "noticed": "subscriber", "unknown": "subscriber", "former": "former", "trying": "trial", "never": "never paid", "free": "free"}  # fmt: skip
    assert found["standing"].to_dict() == expected
    assert found["ends_on"].dropna().map(str).str[:10].to_dict() == {"noticed": "2024-07-09"}
    assert str(found.loc["former", "last_paid"])[:10] == "2024-02-09" and pd.isna(found.loc["open", "last_paid"])


def test_plans_that_customers_move_between_are_those_of_plain_python(club):
    days = [dt.date(2023, 6, 30), dt.date(2025, 6, 30)]
    plans = {}
    for who, place, total, name, _ in plain.levels_of(club[1], days):
        plans.setdefault(who, [("no contract", Decimal(0)), ("no contract", Decimal(0))])[place] = (name, total)
    expected = {}
    for (one, before), (other, after) in plans.values():
        count, low, high = expected.get((one, other), (0, Decimal(0), Decimal(0)))
        expected[one, other] = (count + 1, low + before, high + after)
    found = exact(plan_migration(club[1], *days))
    assert {
        (row["from_plan"], row["to_plan"]): (row["customers"], row["mrr_before"], row["mrr_after"]) for row in found
    } == expected
    assert ("basic", "plus") in expected and ("annual", "no contract") in expected


@pytest.mark.parametrize("as_of", [dt.date(2024, 2, 28), dt.date(2025, 10, 31)])
def test_renewals_due_are_those_of_plain_python(club, as_of):
    expected = []
    anchors = {}
    people = plain.rows_of(club[1], as_of)
    for who, mine in people.items():
        for one in mine:
            key = (who, one["id"], one["period"])
            anchors[key] = min(anchors.get(key, one["begin"]), one["begin"])
        for one in mine:
            if one["end"] <= as_of:
                continue
            anchor = anchors[who, one["id"], one["period"]]
            made = plain.renewals(anchor, as_of, one["period"]) if one["begin"] <= as_of else 0
            due = plain.later(anchor, made + 1, one["period"]) if one["begin"] <= as_of else one["begin"]
            if due <= as_of + dt.timedelta(days=45) and due <= one["end"]:
                expected.append((due, who, one["id"], one["plan"], one["price"], one["begin"] > as_of, made))
    found = exact(renewals_due(club[1], as_of, 45))
    assert [
        tuple(row[name] for name in ("due_on", "customer_id", "contract_id", "plan", "amount", "first", "renewals"))
        for row in found
    ] == sorted(expected)
    assert len(found) > 20 and {row["first"] for row in found} == {True, False}


def test_lifetimes_are_the_truth_of_the_club_and_those_of_plain_python(club):
    truth = club[0].truth.set_index("customer_id")
    found = collect(lifetimes(club[1], END), "customer_id").set_index("customer_id")
    mine = truth.loc[found.index]
    assert found["periods"].tolist() == mine["renewals"].tolist()
    assert (~found["there"]).tolist() == (mine["left"] & (found["periods"] >= 0)).tolist()
    assert found["plan"].tolist() == mine["plan"].tolist()
    started = [when.replace(day=1) for when in mine["began"]]
    assert sum(pd.to_datetime(found["cohort"]).dt.date.to_numpy() == np.array(started)) > 0.5 * len(found)
    since = dt.date(2024, 5, 15)
    late = collect(lifetimes(club[1], END, 3, "month", since), "customer_id").set_index("customer_id")
    for who, rows in plain.rows_of(club[1], END).items():
        runs = plain.spans_of([row for row in rows if row["begin"] <= END], 3)
        if not runs or runs[0]["end"] < since:
            assert who not in late.index
            continue
        began, last = runs[0]["begin"], min(runs[0]["end"], END)
        entered = plain.renewals(began, since, "month") if began < since else 0
        one = late.loc[who]
        assert (one["periods"], one["there"], one["entered"]) == (
            plain.renewals(began, last, "month"),
            runs[0]["end"] > END,
            entered,
        )


def test_sbg_fits_the_lifetimes_and_the_table_of_their_states_alike(club):
    frame = club[1][club[1]["period"] == "month"]
    people, states = lifetimes(frame, END), lifetime_table(frame, END)
    one, other = SBG().fit(collect(people, "customer_id")), SBG().fit(collect(states, ORDERED))
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-9)
    assert collect(states, ORDERED)["weight"].sum() == len(collect(people, "customer_id"))


def test_trials_by_cohort_count_only_those_that_had_the_time(club):
    frame, truth = club[1], club[0].truth
    as_of, wait = dt.date(2025, 11, 15), 30
    tried = truth[truth["trial"] & (truth["began"] <= as_of)]
    over = np.array([began + dt.timedelta(days=13 + wait) <= as_of for began in tried["began"]])
    found = collect(trials_to_paid(frame, as_of, wait), "cohort")
    assert found["trials"].sum() == len(tried)
    assert found["counted"].sum() == over.sum()
    assert found["converted"].sum() == tried["converted"][over].sum()
    assert found["share"].iloc[-1] != found["share"].iloc[-1] and found["counted"].iloc[-1] == 0
    share = found["converted"].sum() / found["counted"].sum()
    assert abs(share - CLUB["conversion"]) < 4 * np.sqrt(0.25 / found["counted"].sum())


def test_a_trial_of_who_had_paid_before_is_none_and_one_that_is_paid_too_late_was_not_paid():
    frame = book(
        ("1", "a", "2024-01-01", "2024-01-31", 10, "month", "p"), ("2", "a", "2024-03-01", None, 10, "month", "p", "2024-03-14"),
        ("3", "b", "2024-03-01", "2024-03-14", 0, "month", "p", "2024-03-14"), ("4", "b", "2024-04-14", None, 10, "month", "p"),
    )  # fmt: skip
    for wait, converted in ((30, 0), (31, 1)):
        (line,) = exact(trials_to_paid(frame, "2024-12-31", wait))
        assert (line["trials"], line["counted"], line["converted"]) == (1, 1, converted)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda frame: mrr_on(frame, []), "1 to 1200 different days"),
        (lambda frame: mrr_on(frame, "2024-01-31"), "a list of days"),
        (lambda frame: mrr_bridge(frame, ["2024-01-31"]), "2 to 1200 different days"),
        (lambda frame: mrr_on(frame, ["2024-01-31"], 400), "a whole number from 0 to 365"),
        (lambda frame: plan_migration(frame, "2024-02-01", "2024-01-31"), "a day after first"),
        (lambda frame: renewals_due(frame, "2024-02-01", 0), "a whole number from 1 to 365"),
        (lambda frame: lifetimes(frame, "2024-02-01", unit="decade"), "None or one of day, week"),
        (lambda frame: lifetimes(frame, "2024-02-01", since="2024-03-01"), "no later than as_of"),
        (lambda frame: trials_to_paid(frame, "soon"), "a date such as"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(call, said):
    with pytest.raises(ParameterError, match=said):
        call(book(("1", "a", "2024-01-01", None, 10, "month", "p")))


def test_what_are_no_contracts_is_refused():
    with pytest.raises(DataError, match="contracts must be"):
        as_contracts("club")
    with pytest.raises(DataError, match="missing column 'period'"):
        mrr_on(book(("1", "a", "2024-01-01", None, 10, "month", "p")).drop(columns="period"), ["2024-01-31"])


ENGINES = {
    "bridge": lambda contracts: mrr_bridge(contracts, ["2024-01-31", "2024-03-01", "2024-06-30", "2024-12-31"], 3),
    "levels": lambda contracts: mrr_on(contracts, ["2024-01-31", "2024-06-30"]),
    "spans": lambda contracts: spans(contracts, "2024-08-15", 3),
    "standing": lambda contracts: standing_on(contracts, "2024-08-15"),
    "migration": lambda contracts: plan_migration(contracts, "2024-01-31", "2024-06-30"),
    "renewals": lambda contracts: renewals_due(contracts, "2024-08-15", 60),
    "lifetimes": lambda contracts: lifetimes(contracts, "2024-08-15", 3, None, "2024-03-01"),
    "table": lambda contracts: lifetime_table(contracts, "2024-08-15"),
    "trials": lambda contracts: trials_to_paid(contracts, "2024-08-15"),
}
# The others are made of the same steps.
FIRST = ("bridge", "renewals", "lifetimes")


@pytest.mark.spark
@pytest.mark.proof
@pytest.mark.parametrize("name", [name if name in FIRST else pytest.param(name, marks=pytest.mark.nightly) for name in ENGINES])
def test_both_engines_say_the_same(both, name):
    duck, spark = both(ENGINES[name], contracts=by_chance(4))
    assert len(duck)
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
