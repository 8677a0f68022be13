"""Contracts as a table of a data set: read, cleaned, refused with counts, cut off at a day, recognised by ``crmlab new``."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

import crmlab
from crmlab.collecting import collect
from crmlab.data import guess
from crmlab.data.reading.billing import PERIOD_WORDS, period_of
from crmlab.data.rules import examined
from crmlab.data.tables import PERIODS, TABLES
from crmlab.history.past import History

HEADER = "contract_id,customer_id,started_at,ended_at,price,period,plan,cancelled_at\n"
ROWS = (
    "1,007,2024-01-01,2024-03-31,9.90,monthly,basic,2024-03-02\n"
    "2,007,2024-04-01,,99,P1Y,annual,\n"
    "3,008,2024-02-15,2024-12-31,19.90,Month,plus,2024-05-20\n"
    "4,009,2024-05-01,2024-09-30,27,quarterly,basic,\n"
)
TOML = 'title = "Club"\ncurrency = "EUR"\n[contracts]\nfile = "c.csv"\n'


def test_contracts_are_a_data_set_of_their_own_in_canonical_words(opened):
    data = opened(TOML, {"c.csv": HEADER + ROWS})
    assert data.tables == ("contracts",)
    found = collect(data.contracts, "contract_id")
    assert found["customer_id"].tolist() == ["007", "007", "008", "009"]
    assert found["period"].tolist() == ["month", "year", "month", "quarter"]
    assert found["price"].tolist() == [Decimal("9.9"), Decimal(99), Decimal("19.9"), Decimal(27)]
    assert found["ended_at"].isna().tolist() == [False, True, False, False]


def test_every_canonical_period_has_words_of_its_own_and_no_word_two_meanings():
    assert tuple(PERIOD_WORDS) == PERIODS == TABLES["contracts"].column("period").one_of
    words = [word for listed in PERIOD_WORDS.values() for word in listed.split(", ")]
    assert len(words) == len(set(words))
    assert [period_of(period) for period in PERIODS] == list(PERIODS)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("5,010,2024-01-01,,-1,month,basic,\n", "'price' is under 0"),
        ("5,010,2024-01-01,,1,fortnight,basic,\n", "'period' is none of day, week, 4 weeks, month, quarter, half-year, year"),
        ("5,010,2024-13-01,,1,month,basic,\n", "2024-13-01"),
        ("5,010,2024-01-01,,,month,basic,\n", "price"),
    ],
)
def test_what_cannot_be_a_contract_is_refused_with_what_stands_there(message, row, said):
    told = message(TOML, {"c.csv": HEADER + ROWS + row})
    assert said in told and "1" in told


def test_prices_of_two_currencies_are_never_added_up(opened, message):
    header = HEADER.replace("plan", "currency")
    rows = "1,a,2024-01-01,,10,month,EUR,\n2,b,2024-01-01,,10,month,USD,\n"
    assert "EUR, USD" in message(TOML.replace('currency = "EUR"\n', ""), {"c.csv": header + rows})
    data = opened(TOML, {"c.csv": header + rows})
    assert [row.rows for row in data.ledger if row.reason == "other_currency"] == [1]
    rated = opened(TOML.replace("[contracts]", "[rates]\nUSD = 0.9\n[contracts]"), {"c.csv": header + rows})
    assert collect(rated.contracts, "customer_id")["price"].tolist() == [Decimal(10), Decimal(9)]


def test_contracts_without_ids_are_one_a_row_and_the_first_day_leaves_none_out(opened):
    header = HEADER.partition(",")[2]
    rows = "".join(row.partition(",")[2] + "\n" for row in ROWS.splitlines())
    data = opened("first_day = 2024-04-01\n" + TOML, {"c.csv": header + rows})
    assert collect(data.contracts, "contract_id")["contract_id"].nunique() == 4


def test_a_history_of_contracts_knows_no_later_start_and_only_ends_of_which_notice_was_given(opened):
    data = opened(TOML, {"c.csv": HEADER + ROWS})
    past = History(data)
    assert (past.first, past.as_of) == (dt.date(2024, 1, 1), dt.date(2024, 5, 20))
    ends = collect(past.contracts, "contract_id")["ended_at"]
    # The first is over; of the third notice was given on this very day; of the fourth nobody had said anything.
    assert [None if pd.isna(end) else str(end)[:10] for end in ends] == ["2024-03-31", None, "2024-12-31", None]
    earlier = collect(past.earlier("2024-03-01").contracts, "contract_id")
    assert earlier["contract_id"].tolist() == ["1", "3"]
    assert earlier[["ended_at", "cancelled_at"]].isna().all(axis=None)
    assert History(data, "2024-12-31").as_of == dt.date(2024, 12, 31)  # a planned end is a day that may be named
    named = opened("last_day = 2024-11-30\n" + TOML, {"c.csv": HEADER + ROWS})
    assert History(named).as_of == dt.date(2024, 11, 30)


def test_beside_orders_the_history_is_that_of_the_orders(opened):
    orders = "order_id,customer_id,ordered_at,amount\n1,007,2024-01-05,5\n2,008,2024-03-09,5\n"
    people = "customer_id,acquired_at\n007,2024-01-01\n008,2024-08-01\n009,2024-08-01\n"
    toml = TOML + '[orders]\nfile = "o.csv"\n[customers]\nfile = "p.csv"\n'
    past = History(opened(toml, {"c.csv": HEADER + ROWS, "o.csv": orders, "p.csv": people}))
    assert past.as_of == dt.date(2024, 3, 9)
    assert collect(past.contracts, "contract_id")["contract_id"].tolist() == ["1", "3"]
    assert collect(past.customers, "customer_id")["customer_id"].tolist() == ["007", "008"]


def test_rules_are_asked_of_contracts_that_stand_alone(opened):
    rows = ROWS + "3,008,2024-03-01,,25,month,plus,\n5,010,2024-05-02,2024-05-01,9,month,basic,\n"
    found = {one.rule: one for one in examined(opened(TOML, {"c.csv": HEADER + rows})) if one.broken}
    assert set(found) == {"Contracts end after they start", "One price at a time", "One contract for a plan"}
    assert all(one.broken == 1 and one.checked == 6 and one.grave for one in found.values())


def test_frames_of_contracts_are_opened_as_they_are():
    frame = pd.DataFrame(
        {"Subscription ID": ["s1", "s2"], "Customer ID": ["a", "b"], "Start date": ["2024-01-01", "2024-01-15"], "Amount": [9.5, 95],
         "Billing interval": ["month", "year"]}
    )  # fmt: skip
    data = crmlab.open_dataset({"contracts": frame})
    assert data.tables == ("contracts",)
    assert collect(data.contracts, "contract_id")["period"].tolist() == ["month", "year"]


STRIPE = (
    "id,Customer ID,Customer Email,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Trial End (UTC),"
    "Canceled At (UTC),Ended At (UTC)\n"
    "sub_1,cus_1,a@example.org,basic,1,eur,month,9.90,active,2024-01-31 10:00,2024-01-31 10:00,2024-02-14 10:00,,\n"
    "sub_2,cus_2,b@example.org,plus,1,eur,month,19.90,canceled,2024-01-13 11:00,2024-01-13 11:00,,2024-03-01 09:00,2024-03-31 11:00\n"
    "sub_3,cus_3,c@example.org,annual,1,eur,year,99.00,active,2024-02-20 10:00,2024-02-20 10:00,2024-03-05 10:00,2024-03-05 10:00,2024-03-05 11:00\n"
)
CHARGEBEE = (
    "subscriptions.id,subscriptions.customer_id,subscriptions.plan_id,subscriptions.plan_unit_price,subscriptions.billing_period_unit,"
    "subscriptions.started_at,subscriptions.cancelled_at\n"
    "A1,C1,basic,9.90,month,2024-01-31,\nA2,C2,plus,99,year,2024-02-13,2024-08-13\n"
)
GENERIC = "Mitgliedsnummer;Tarif;Beitrag;Zahlweise;Vertragsbeginn;Vertragsende\n101;Basis;19,90;monatlich;31.01.2023;\n102;Plus;249,00;jährlich;15.02.2023;14.02.2024\n"


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        (STRIPE, {"contract_id": "id", "customer_id": "Customer ID", "started_at": "Start (UTC)", "ended_at": "Ended At (UTC)", "price": "Amount",
                  "period": "Interval", "plan": "Plan", "trial_until": "Trial End (UTC)", "cancelled_at": "Canceled At (UTC)", "currency": "Currency"}),
        (CHARGEBEE, {"contract_id": "subscriptions.id", "customer_id": "subscriptions.customer_id", "started_at": "subscriptions.started_at",
                     "ended_at": "subscriptions.cancelled_at", "price": "subscriptions.plan_unit_price", "period": "subscriptions.billing_period_unit",
                     "plan": "subscriptions.plan_id"}),
        (GENERIC, {"customer_id": "Mitgliedsnummer", "started_at": "Vertragsbeginn", "ended_at": "Vertragsende", "price": "Beitrag",
                   "period": "Zahlweise", "plan": "Tarif"}),
    ],
    ids=["stripe", "chargebee", "generic"],
)  # fmt: skip
def test_new_recognises_contracts_by_their_columns_and_what_it_writes_is_read(tmp_path, monkeypatch, text, mapped):
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "subs.csv").write_text(text, encoding="utf-8")
    (found,) = guess.survey([tmp_path / "subs.csv"])
    assert found.table == "contracts"
    assert found.columns == mapped
    data = crmlab.open_dataset(guess.write([found]))
    assert collect(data.contracts, "customer_id")["customer_id"].nunique() == len(text.splitlines()) - 1


HEAD = "Subscription ID,Customer ID,Start Date,Amount,"


@pytest.mark.parametrize(
    ("text", "role", "column", "doubt"),
    [
        (HEAD + "Cancelled At,Interval\ns1,c1,2024-01-05,10.00,2024-03-05,month\ns2,c2,2024-01-06,10.00,,month\n",
         "ended_at", "Cancelled At", "'Cancelled At' is taken for the last day"),
        (HEAD + "End Date,Interval,quantity,interval_count\ns1,c1,2024-01-05,10.00,2024-03-05,month,1,1\ns2,c2,2024-01-06,10.00,,month,1,3\n",
         "period", "Interval", "'interval_count' is not always 1"),
        (HEAD + "End Date,interval,interval_unit\ns1,c1,2024-01-05,10.00,2024-03-05,1,month\ns2,c2,2024-01-06,10.00,,3,month\n",
         "period", "interval_unit", "'interval' is not always 1"),
        (HEAD + "End Date,Interval,plan_quantity\ns1,c1,2024-01-05,10.00,2024-03-05,month,5\ns2,c2,2024-01-06,10.00,,month,1\n",
         "price", "Amount", "'plan_quantity' is not always 1"),
        (HEAD + "End Date,Interval,Status\ns1,c1,2024-01-05,10.00,2024-03-05,month,canceled\ns2,c2,2024-01-06,10.00,,month,paused\n",
         "ended_at", "End Date", "'Status' is not read, and is “paused”"),
        (HEAD + "Interval,Status\ns1,c1,2024-01-05,10.00,month,canceled\ns2,c2,2024-01-06,10.00,month,active\n",
         "price", "Amount", "but no column says when"),
        (HEAD + "End Date,Interval\ns1,c1,2024-01-05,10.00,,month\ns2,c2,2024-01-06,10.00,,month\n", "ended_at", "End Date", ""),
    ],
    ids=["no ends", "every three months", "a number of units", "several pieces", "paused", "ended without a day", "nobody has left yet"],
)  # fmt: skip
def test_what_a_price_or_an_end_leaves_open_is_asked(tmp_path, text, role, column, doubt):
    (tmp_path / "subs.csv").write_text(text, encoding="utf-8")
    found = guess.look(tmp_path / "subs.csv")
    assert found.table == "contracts" and found.columns[role] == column
    told = " ".join(str(one) for one in found.doubts)
    assert doubt in told and (doubt or not told)


def test_orders_with_a_period_are_no_contracts(tmp_path):
    (tmp_path / "o.csv").write_text(
        "order_id,customer_id,date,amount,period\n1,a,2024-01-31,5,2024-01\n2,b,2024-02-01,6,2024-02\n"
    )
    assert guess.look(tmp_path / "o.csv").table == "orders"


def test_check_says_of_contracts_alone_which_reports_they_allow_and_never_a_run_that_makes_none(make):
    from click.testing import CliRunner

    from crmlab.cli.checking import check

    told = CliRunner().invoke(check, [str(make(TOML, {"c.csv": HEADER + ROWS}))])
    said = told.output
    assert told.exit_code == 0, said
    assert "Contracts from 2024-01-01 to 2024-05-20, 3 customers" in said
    assert "no   rfm: " in said and "orders" in said
    assert "yes" not in said.partition("Reports that these data allow:")[2]
    assert "No questions, but these tables allow no report yet" in said and "crmlab run" not in said
