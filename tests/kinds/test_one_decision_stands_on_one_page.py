"""Each report tells its reader whom to act on first, and they disagree.

What would go wrong: "look at these first to keep customers" of those who are slowing on one page, "do not contact" of most of them on
another, "congratulate them" of customers on whom a third says to spend nothing. What is done with a customer is decided once, on the page of
actions; the other pages say what was found, of whom, and how many of them may be contacted.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from crmlab.analyses import actions
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS

REPORTS = ("rfm", "lifecycle", "churn", "customer_value", "triggers", "cross_sell", "scorecard")
PAGES = [(name, data) for data in ("shop", "donors") for name in REPORTS if (name, data) != ("cross_sell", "donors")]
ORDER = re.compile(
    r"(?<!not )\b(look at (this|these|them|each|others)|act on|reward|(re)?assure them|thank them|welcome|congratulate|remind(?! of)|"
    r"win (them|back|customers|donors)|write to|call|(so|and|then) send|send (them|the|it|both|personal|best)|offer (them|what|the)|"
    r"ask (them|what|why|for)|contact (this|these|them|all|those|four|\d+)|leave (them|it|out|some)|deserve|care for|start with|use this to|"
    r"(choose|decide) by|make (it easy|no offers|an offer)|find out what|what to do|treatments?)\b|\bdo not contact\b|\bfirst to\b",
    re.IGNORECASE,
)


def told(result):
    """Findings, captions, heads of tables and the texts in their cells."""
    yield from (finding.sentence() for finding in result.findings)
    for table in result.tables.values():
        yield table.caption
        for name, column in table.columns.items():
            if name == "treatment":
                continue  # the decision itself, counted
            yield column.label
            yield from (text for text in table.frame[name] if isinstance(text, str))
    for chart in result.charts.values():
        yield from (chart.caption, chart.alt)
    yield from (output.caption for output in result.outputs.values())


@pytest.mark.parametrize(("name", "data"), PAGES)
def test_no_other_page_orders_an_action(result_of, name, data):
    result, words = result_of(name, data), ROUNDS if data == "donors" else WEEKS
    texts = [text.replace(words.decided, "") for text in told(result)]
    assert [text for text in texts if ORDER.search(text)] == []


@pytest.mark.parametrize(("name", "data"), PAGES)
def test_each_page_says_where_the_decision_stands(result_of, name, data):
    result, words = result_of(name, data), ROUNDS if data == "donors" else WEEKS
    said = [*result.limits, *(table.caption for table in result.tables.values())]
    assert sum(words.decided in text for text in said) == 1


def test_the_scorecard_counts_the_decisions_themselves(result_of, opened_once):
    frame = result_of("scorecard", "shop").tables["matrix"].frame
    told = Counter()
    for text in frame["treatment"]:
        told.update(
            {name: int(many.replace(",", "")) for name, _, many in (line.rpartition(": ") for line in text.splitlines())}
        )
    decided = actions.decisions(History(opened_once("shop")))["action"].value_counts()
    assert len(told) > 1
    for name, many in told.items():
        # Fewer than five of a row, and what is fourth in it, are not told.
        assert decided[name] - 5 * len(frame) < many <= decided[name]
    assert sum(told.values()) > 0.95 * decided.sum()


@pytest.mark.parametrize(
    "text",
    [
        "look at these first to keep customers",
        "reward them; ask them to recommend",
        "So send best-sellers to the 3,348 customers on the list of offers.",
        "0 customers are worth contacting: do not contact.",
        "They deserve the best service.",
        "contact 28 of 29",
        "win back, with what a test has shown to pay",
    ],
)
def test_an_order_would_be_found(text):
    assert ORDER.search(text)


def test_what_a_trigger_is_worth_is_no_order():
    assert not ORDER.search(
        "0 of 7 triggers beat chance, so do not act on today’s moments. Instead, go by how often customers have bought."
    )
