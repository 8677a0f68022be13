"""Kind: the words of a shop on the pages of a charity: "New customers: 0", "add products.unit_cost", what donors "bought".

And where nobody can be new, since the data follow a fixed group, the pages do not count newcomers: a sentence says why.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pytest

import crmlab
from crmlab.analyses import churn, customer_profile, customer_value, data_quality, lifecycle, rfm, scorecard
from crmlab.analyses.scorecard.board import board_of
from crmlab.analyses.scorecard.measures import lines_of
from crmlab.analyses.scorecard.money import money_of
from crmlab.history.context import Margin
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS

SHOPS = re.compile(
    r"customers?\b|bought|buys?\b|purchases?\b|basket|unit[_ ]costs?|revenue|sales\b|order(?!s? (?:to|of magnitude|,))", re.I
)
# Names of tables, parameters and reports, and what a rule says of the tables.
NAMES = re.compile(
    r"In tables, a gift is an order, and a donor a customer|customers? (?:value|programme|table)|Customer value|orders\b(?=,|$)|tables? [a-z_ ,]+|data_quality"
)


@pytest.fixture(scope="module")
def charity(tmp_path_factory):
    """Two hundred donors, of whom the last came two years before the end."""
    return given(tmp_path_factory.mktemp("charity"), 200, lambda who, year: (who * year) % 5 or year == 2018 + who % 4)


@pytest.fixture(scope="module")
def leaving(tmp_path_factory):
    """Six hundred donors, of whom many leave for good, the more so the less they give."""
    last = np.random.default_rng(1).geometric(np.where(np.arange(600) % 30 < 15, 0.3, 0.1))
    return given(tmp_path_factory.mktemp("leaving"), 600, lambda who, year: year - 2018 - who % 4 < last[who])


def given(folder, many, gives):
    """A charity with gifts of so many donors, in the years in which they give."""
    rows = [
        f"g{who}-{year},d{who:03},{year}-{1 + (7 * who) % 12:02}-{1 + who % 27:02},{20 + who % 30}"
        for who in range(many)
        for year in range(2018 + who % 4, 2026)
        if gives(who, year)
    ]
    (folder / "gifts.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(rows) + "\n")
    (folder / "charity.toml").write_text(
        'title = "Charity"\ncurrency = "EUR"\nrounds = "year"\ncustomer = "a donor"\n[orders]\nfile = "gifts.csv"\n'
    )
    return crmlab.open_dataset(str(folder / "charity.toml"))


def told(result):
    """The sentences, labels and heads that a reader sees, without what stands in cells of lists."""
    yield from (f"{finding.value} {finding.text}" for finding in result.findings)
    yield from (*result.warnings, *result.limits, *result.absent.values(), result.context.line())
    method = result.method
    yield from (method.source, *method.assumptions, *method.definitions, *method.definitions.values())
    for name, table in result.tables.items():
        yield table.caption
        yield from (column.label for column in table.columns.values())
        if "label" in table.frame.columns and name != "rules":
            yield from map(str, table.frame["label"])
    yield from (text for chart in result.charts.values() for text in (chart.caption, chart.alt))


def shops_words(result):
    return sorted({text for text in told(result) if SHOPS.search(NAMES.sub("", text))})


@pytest.fixture(scope="module")
def card(charity):
    return scorecard.run(charity)


@pytest.mark.proof
def test_pages_of_a_charity_have_its_words(charity, card):
    for found in (card, data_quality.run(charity)):
        assert shops_words(found) == []
        assert "200 donors" in found.context.line()


@pytest.mark.proof
def test_one_profile_of_a_charity_has_its_words(charity):
    found = customer_profile.run(charity, customer_profile.Params(customer_id="d001"))
    assert shops_words(found) == []
    assert found.absent["bought"] == "Nothing is sold here."


@pytest.mark.proof
def test_where_nobody_can_be_new_newcomers_are_not_counted(charity, card):
    found = card
    assert not {"new", "converted", "second_share", "second_days"} & set(found.metrics)
    assert not any("new" in label.lower().split() for label in found.tables["customers"].frame["label"])
    said = next(text for text in found.warnings if "No new donor has been recorded since" in text)
    firsts = charity.orders.to_pandas().groupby("customer_id")["ordered_at"].min()
    assert History(charity).form.day(firsts.max()) in said
    assert "check that the import is complete" in said  # they joined over years: no group that was fixed from the beginning
    assert History(charity).newest == firsts.max().date()  # the one day that every page names
    assert History(charity).closed == firsts.max().date()
    # What came and went is compared with nobody, as nobody can come.
    life = lifecycle.run(charity, lifecycle.Params())
    assert "balance" not in life.metrics and any("the base seems to shrink" in text for text in life.warnings)


@pytest.mark.nightly
def test_where_somebody_is_new_newcomers_are_counted(tmp_path):
    start = dt.date(2023, 1, 1)
    rows = [
        f"{who}-{k},c{who},{start + dt.timedelta(days=9 * who + 40 * k)},{10 + who}" for who in range(60) for k in range(16)
    ]
    (tmp_path / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(rows) + "\n")
    (tmp_path / "own.toml").write_text('title = "Own"\n[orders]\nfile = "o.csv"\n')
    opened = crmlab.open_dataset(str(tmp_path / "own.toml"))
    # The last of them came on 15 June 2024.
    for as_of, counted in (("2024-06-28", True), ("2025-06-14", True), ("2025-06-15", False)):
        board = board_of(History(opened, as_of), scorecard.Params())
        assert any(line.key == "new" for line in lines_of(board, money_of(board))) is counted
        assert board.closed == (None if counted else dt.date(2024, 6, 15))


@pytest.mark.proof
def test_no_margin_is_asked_of_who_gives(charity):
    margin = History(charity).margin(None)
    assert (
        margin == Margin(1.0, "gifts", 1.0)
        and margin.known
        and margin.word == "gifts"
        and margin.wanted("to see anything") == []
    )
    assert margin.told(History(charity).form) == "No costs are deducted from gifts."
    assert Margin(1.0, "revenue", 0.0).wanted("to see anything") != []
    assert History(charity).margin(0.9) == Margin(0.9, "given", 1.0)


MONEY_OF_SHOPS = re.compile(r"\b(income|revenue|profit|margin)\b", re.I)
SOURCES = re.compile(r"expected maximum profit")  # what a paper is about


@pytest.fixture(scope="module")
def judged(leaving):
    return churn.run(leaving)


@pytest.mark.proof
@pytest.mark.parametrize(
    "report", [None, customer_value, lifecycle, rfm, scorecard], ids=lambda report: getattr(report, "__name__", "churn")
)
def test_donors_money_is_gifts_on_every_page(charity, judged, report):
    found = judged if report is None else report.run(charity)
    assert sorted({text for text in told(found) if MONEY_OF_SHOPS.search(SOURCES.sub("", text))}) == []
    described = [found.context.told(quantity.meaning) for quantity in found.quantities if quantity.name in found.metrics]
    described += [
        found.context.told(q.meaning) for q in found.quantities if q.name in {"if_loyal", "most_to_spend", "profit_of_contact"}
    ]
    assert [text for text in described if MONEY_OF_SHOPS.search(text)] == []


@pytest.mark.proof
def test_contacting_donors_is_judged_in_gifts(judged):
    found = judged
    assert {"worth_contacting", "profit_of_contact_total"} <= set(found.metrics) and "break_even_margin" not in found.metrics
    listed = found.outputs["customers"].frame
    assert listed["profit_of_contact"].notna().any() and not set(listed["keeping_pays"]) & {"not known: needs a margin"}
    assert "Without a margin" not in " ".join(found.absent.values())


def test_one_list_of_donors_words():
    assert ROUNDS.fill("{Many} {bought} {occasions}: {profit}") == "Donors gave gifts: net gifts"
    assert WEEKS.fill("{Many} {bought} {occasions}: {profit}") == "Customers bought purchase occasions: profit"
    assert ROUNDS.blanks.keys() == WEEKS.blanks.keys()
    for said, gifts in (
        ("Spend more, per customer", "Give more, per donor"),
        ("Purchase occasions", "Gifts"),
        ("Revenue before returns", "Gifts"),
        ("at risk; revenue where no margin is known", "at risk"),
        ("margin, or revenue where no margin is known", "gifts"),
        ("How many buy anyway", "How many give anyway"),
        ("profit_of_contact in customers.csv, margin=0.4", "profit_of_contact in customers.csv, margin=0.4"),
    ):
        assert ROUNDS.told(said) == gifts and WEEKS.told(said) == said
