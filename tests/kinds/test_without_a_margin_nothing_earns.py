"""Where no margin is known, money is revenue: no sentence says that something earns, pays or makes a profit, and the page says what to write."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

import crmlab
from crmlab.analyses import churn
from crmlab.data import guess
from crmlab.history.context import Margin
from crmlab.history.past import History
from crmlab.report import registry
from crmlab.report.jobs import runs_unasked

CLAIM = re.compile(r"\b(earn\w*|profit\w*|pays?|paying|worth contacting)\b", re.IGNORECASE)
MISSING = re.compile(r"\bmargin\b", re.IGNORECASE)  # a sentence that says what a margin would tell claims nothing
SLOW = ("customer_value", "scorecard")
NAMES = [
    pytest.param(name, marks=[pytest.mark.nightly] if name in SLOW else [])
    for name in registry.report_names()
    if runs_unasked(name)
]


def sentences(result):
    """All that a reader takes for a claim: findings, notes, captions, heads of tables and cells that are sentences."""
    texts = [finding.sentence() for finding in result.findings]
    texts += result.warnings
    for table in result.tables.values():
        texts += [table.caption, *(column.label for column in table.columns.values())]
    texts += [chart.caption for chart in result.charts.values()] + [chart.alt for chart in result.charts.values()]
    return [sentence for text in texts for sentence in re.split(r"(?<=[.:;]) ", text)]


def claims(result):
    return [said for said in sentences(result) if CLAIM.search(said) and not MISSING.search(said)]


def test_churn_claims_nothing_and_says_what_to_write(result_of):
    result = result_of("churn", "cdnow_sample")
    assert claims(result) == []
    assert any("Ask your analyst to give a margin" in said for said in result.warnings)
    assert any("To give one: write a margin (margin = 0.4, say)" in said for said in result.method.assumptions)
    assert not {"profit_of_contact_total", "worth_contacting", "test_profit_per_customer"} & set(result.metrics)
    listed = result.outputs["customers"].frame
    assert listed["profit_of_contact"].isna().all() and set(listed["keeping_pays"]) == {"not known: needs a margin"}
    assert "revenue" in result.findings[1].text and "revenue" in result.tables["matrix"].columns["expected_loss"].label
    assert "revenue" in result.charts["matrix"].caption and "profit" not in result.tables["matrix"].columns
    needed = result.metrics["break_even_margin"]
    assert result.findings[2].metric == "break_even_margin" and needed.low <= needed.value <= needed.high


@pytest.mark.proof
def test_at_the_margin_that_is_needed_contact_pays_for_half(result_of, opened_once):
    # The other way round: with that margin given, every second of those who may be contacted has a profit.
    needed = result_of("churn", "cdnow_sample").metrics["break_even_margin"].value
    history = History(opened_once("cdnow_sample"))
    known = history.once(("tests.needed",), lambda: churn.scores(history))
    from crmlab.analyses.churn.contacting import customer_list

    worth = known.worth.assign(value=known.worth["value"] * needed, most=known.worth["most"] * needed)
    listed = customer_list(history, replace(known, worth=worth, margin=Margin(needed, "given", 1.0)), churn.Params())
    assert (listed["profit_of_contact"] > 0).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_no_report_claims_anything(result_of, name):
    assert claims(result_of(name, "shop without unit costs")) == []


def test_gifts_have_no_cost_of_goods():
    whole = Margin(1.0, "gifts", 1.0)
    assert whole.known and whole.wanted("to see who would be worth contacting") == []


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()
    rows = "\n".join(f"{k},c{k % 9},2024-{1 + k % 9:02d}-11,p{k % 4},1,{5 + k % 7}.00" for k in range(80))
    (tmp_path / "lines.csv").write_text(f"order_id,customer_id,ordered_at,product_id,quantity,unit_price\n{rows}\n")
    (tmp_path / "goods.csv").write_text("product_id,name,unit_cost\n" + "".join(f"p{k},thing {k},2.50\n" for k in range(4)))
    return tmp_path


def test_new_suggests_a_margin_only_where_nothing_says_what_products_cost(files: Path):
    alone = guess.survey([files / "lines.csv"])
    assert "# margin = 0.4  # gross margin" in guess.to_toml(*alone)
    assert not any(question.key == "margin" for one in alone for question in one.questions)  # it is no doubt of the file
    both = guess.survey([files / "lines.csv", files / "goods.csv"])
    assert "unit_cost" in both[1].columns and "margin = " not in guess.to_toml(*both)


def test_the_line_that_new_suggests_is_read(files: Path):
    path = guess.write(files / "lines.csv")
    text = path.read_text(encoding="utf-8")
    before = History(crmlab.open_dataset(str(path))).margin(None)
    path.write_text(text.replace("# margin = 0.4", "margin = 0.4"), encoding="utf-8")
    after = History(crmlab.open_dataset(str(path))).margin(None)
    assert (before.known, after) == (False, Margin(0.4, "given", 1.0))


@pytest.mark.parametrize("name", ["lifecycle", "rfm"])
def test_nobody_is_sent_to_churn_for_what_it_does_not_say(name, result_of):
    """Without a margin the report on churn does not say whether contacting pays, so no page says that it does."""
    result = result_of(name, "cdnow_sample")
    said = [*(finding.sentence() for finding in result.findings), *result.warnings, *result.limits, *result.method.assumptions]
    assert not [sentence for sentence in said if re.search(r"contacting them pays", sentence)]


@pytest.mark.parametrize("subject", ["customer_value", "churn", "customers"])
def test_columns_of_money_say_that_they_may_be_revenue(subject):
    """A list's column means the same on every page, and does not call revenue margin."""
    declared = import_module(f"crmlab.analyses.{subject}.quantities").QUANTITIES
    meanings = [declared[name].meaning for name in ("value", "value_today", "if_loyal") if name in declared]
    assert meanings
    for meaning in meanings:
        assert meaning.startswith("what the customer is expected to bring")
        assert meaning.endswith("margin, or revenue where no margin is known")
