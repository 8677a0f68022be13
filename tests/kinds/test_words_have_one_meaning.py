"""A word of the field stands for two things, and two pages seem to contradict each other.

What would go wrong: "2,720 active customers" on one page and 1,021 on another, which means a state of the lifecycle; 1,203 customers in the
segment "Lost" and 1,160 in the state "lost"; a page of donors that tells what they bought.
"""

from __future__ import annotations

import re
from dataclasses import replace

import nbformat
import pytest

from crmlab.analyses.lifecycle import STATES
from crmlab.analyses.rfm import SEGMENTS
from crmlab.history.words import ROUNDS
from crmlab.report import registry
from crmlab.report.glossary import GLOSSARY
from crmlab.report.jobs import runs_unasked
from crmlab.report.render import worded
from tests.conftest import ROOT

NAMES = [name for name in registry.report_names() if runs_unasked(name)]
BUYS = re.compile(
    r"[^.]{0,60}\b(customers?|purchases?|bought|buy|buys|buying|buyers?|products?|unit costs?|shops?)\b[^.]{0,40}", re.I
)
# Names of reports, tables and columns, and what a column is, which stay those of every data set; and what the field is called.
NAMED = re.compile(
    r"customer_ ?id|customers\.(csv|parquet)|outputs\S+|(reports? (on|of)|as in) (the )?customer value|customer[ _](value|profile|base)"
    r"|customer programmes|products\.\S+|\w+_ ?\w+|a gift is an order, and a donor a customer|identifier of the product, as in the source",
    re.I,
)
TABLES = re.compile(r"(orders|customers|products)(, (orders|customers|products))*")
# Where "active" is the state: among other states, as the whole of a cell, beside a tier, after an arrow, and where its rule is told.
STATE = re.compile(
    r"(new|slowing|lapsed|lost|reactivated)(,| and| or) active\b|\bactive(,| and| or) (new|slowing|lapsed|lost|reactivated)\b"
    r"|\b[A-D], active\b|→ active\b|moves out of “active\b|\bstate “?active\b|\bactive \(\d"
)
ANY = re.compile(r"[^.]{0,60}\b(?:in)?active\b[^.]{0,40}", re.I)


def told(result):
    """What a page says, cell by cell and sentence by sentence, without marks."""
    parts = [result.findings.html(), result.notes.html(), result.cannot_say.html(), result.method.html(), result.files.html()]
    parts += [table.html() for table in result.tables.values()]
    parts += [f"<p>{text}</p>" for chart in result.charts.values() for text in (chart.caption, chart.alt)]
    pieces = re.split(r"</?(?:p|td|th|li|dt|dd|caption|tr|figcaption|summary)\b[^>]*>", "".join(map(str, parts)))
    return [" ".join(re.sub(r"<[^>]+>", " ", piece).split()) for piece in pieces]


def misused(pieces):
    left = [STATE.sub("", piece) for piece in pieces if piece.casefold() != "active"]
    return [found.group() for piece in left for found in [ANY.search(piece)] if found]


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_donors_give_and_buy_nothing(result_of, opened_once, name):
    if not set(registry.analysis(name).NEEDS) <= set(opened_once("donors").holds):
        return
    result = result_of(name, "donors")
    # Rules are about the canonical tables, and who is one customer is told in the words of whoever wrote the data set.
    kept = {key: table for key, table in result.tables.items() if (name, key) != ("data_quality", "rules")}
    own = opened_once("donors").descriptor.customer
    pieces = [
        NAMED.sub("", piece.replace(own, "")) for piece in told(replace(result, tables=kept)) if not TABLES.fullmatch(piece)
    ]
    assert [found.group() for piece in pieces for found in [BUYS.search(piece)] if found] == []
    assert any("donors" in piece for piece in pieces)


@pytest.mark.parametrize("name", [name for name in NAMES if "order_lines" not in registry.analysis(name).NEEDS])
def test_reading_help_speaks_of_donors_too(name):
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    said = [ROUNDS.told(cell.source) for cell in cells if cell.cell_type == "markdown"]
    assert [found.group() for text in said for found in [BUYS.search(text)] if found] == []
    cells = [nbformat.v4.new_markdown_cell("# Customers who bought"), nbformat.v4.new_code_cell("customers")]
    told = worded(nbformat.v4.new_notebook(cells=cells), ROUNDS.told)
    assert [cell.source for cell in told.cells] == ["# Donors who gave", "customers"]


@pytest.mark.parametrize("name", NAMES)
def test_active_is_the_state_and_nothing_else(result_of, name):
    assert misused(told(result_of(name, "shop"))) == []


def test_the_words_of_the_package_use_it_for_the_state():
    known = [f"{one.label}: {one.meaning}" for one in registry.dictionary()]
    known += [f"{term}: {meaning}" for term, meaning in GLOSSARY.items()]
    known += [f"{one.name}: {one.meaning}" for one in SEGMENTS]
    assert misused(known) == []


def test_another_use_would_be_found():
    assert misused(["of 2,720 active customers", "the probability of being active still"])
    assert misused(["they are inactive"])
    assert not misused(["active", "highest value: A, active", "new, active, slowing or reactivated", "→ active"])


def test_no_segment_bears_the_name_of_a_state_or_of_a_quantity():
    labels = {one.label.casefold() for one in registry.dictionary()} | {"at risk", "if loyal", "prospect"}
    assert not {one.name.casefold() for one in SEGMENTS} & (labels | set(STATES))
