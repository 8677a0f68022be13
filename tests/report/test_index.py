"""The index of reports: the answer first, then one line for each report in the order of questions."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from crmlab.data.catalog import load
from crmlab.report.registry import REPORTS
from crmlab.report.site import Entry, index_page


def entry(place, *findings, lead=None, opens=False):
    summary = {
        "title": f"Title of {place}",
        "dataset": "shop",
        "dataset_title": "Sample shop",
        "context": "Sample shop",
        "first_day": "2024-01-01",
        "as_of": "2025-12-31",
        "customers": 10,
        "params": {},
        "findings": [{"value": value, "text": text, "interval": "", "metric": ""} for value, text in findings],
        "warnings": [],
        "outputs": [],
    }
    return Entry(place, summary if lead is None else summary | {"lead": lead, "opens": opens}, None, None, None)


def headings(html):
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_what_to_do_is_the_first_question_and_how_all_is_going_the_second():
    assert list(REPORTS)[:2] == ["actions", "scorecard"]


def test_the_answer_comes_first_and_the_reports_in_the_order_of_questions():
    found = [
        entry("rfm", ("33%", "of revenue"), ("9%", "quiet")),
        entry(
            "actions",
            ("€5", "expected"),
            ("7", "left alone"),
            lead={"What to do now": ["<table>ACTS</table>", "<table>ALONE</table>"]},
        ),
        entry(
            "scorecard",
            ("2 of 3", "goals are met"),
            ("5%", "more"),
            lead={"The scorecard in five lines": ["<table>FIVE</table>"]},
            opens=True,
        ),
    ]
    html = str(index_page(found, load("shop"), ["orders"], absent=True))
    assert headings(html) == ["What to do now", "The scorecard in five lines", "The reports", "What is missing, and why"]
    assert (
        html.index("2 of 3") < html.index("ACTS") < html.index("ALONE") < html.index("FIVE") < html.index('<li id="actions">')
    )
    places = re.findall(r'<li id="(\w+)">', html)
    assert places == ["actions", "scorecard", "rfm"]
    # Those that are not there stand together by the reason, each reason in the order of its first question.
    absent = [re.findall(r'<span id="(\w+)">', one) for one in re.findall(r"<li><h3>.*?</li>", html, flags=re.S)]
    order = [name for name in REPORTS if name not in places]
    assert sorted(name for names in absent for name in names) == sorted(order)
    assert all(names == sorted(names, key=order.index) for names in absent)
    assert [names[0] for names in absent] == sorted((names[0] for names in absent), key=order.index)
    assert len({re.sub("<h3>.*</h3>", "", one) for one in re.findall(r"<li><h3>.*?</li>", html, flags=re.S)}) == len(absent)
    # What is told above is not told again as the first line of its report.
    assert re.search(r'<li id="actions">.*?<p><b>7</b> left alone</p>', html)
    assert "crmlab run" not in html


def test_a_sentence_of_two_reports_is_said_by_one_of_them():
    opening = entry(
        "scorecard", ("2 of 3", "goals are met"), ("€9", "is the value"), ("5", "bought"), lead={"Now": []}, opens=True
    )
    html = str(index_page([opening, entry("customer_value", ("€9", "is the value"))], load("shop"), absent=False))
    assert re.search(r'<li id="scorecard">.*?<p><b>5</b> bought</p>', html)
    assert re.search(r'<li id="customer_value">.*?<p><b>€9</b> is the value</p>', html)


def test_what_is_stale_says_so_before_anybody_acts_on_it():
    made = entry("actions", ("€5", "expected"), lead={"What to do now": ["<table>ACTS</table>"]})
    failed = replace(made, last=SimpleNamespace(ok=False, status="failed", reason="It broke."))
    now, then = (str(index_page([one], load("shop"), absent=False)) for one in (made, failed))
    assert "Stale" not in now
    assert then.index("Stale: the last run did not succeed") < then.index("ACTS")


def test_without_those_two_reports_the_index_lists_what_there_is():
    html = str(index_page([entry("rfm", ("33%", "of revenue"))], load("shop"), absent=False))
    assert headings(html) == ["The reports"] and "what to do now" not in html


@pytest.mark.parametrize("holds", [None, ["orders"]])
def test_what_is_missing_says_why_in_plain_words(holds):
    html = str(index_page([], load("shop"), holds))
    assert headings(html) == ["What is missing, and why"]
    assert ("It is about one customer and is made on request." in html) == (holds is None)
    assert ("It needs" in html) == (holds is not None)


def test_data_that_end_some_time_before_the_run_are_said_to():
    one = entry("rfm", ("33%", "of revenue"))
    for started, said in (("2026-01-05T10:00:00+00:00", False), ("2026-11-30T10:00:00+00:00", True)):
        shown = SimpleNamespace(started=started, notes=[], inputs={}, report="rfm", metrics={})
        html = str(index_page([replace(one, shown=shown)], load("shop"), ["orders"]))
        sentence = "The data end on 31 December 2025, and these pages were made on 30 November 2026: on them, “today” is 31 December 2025."
        assert (sentence in html) == said


def test_what_did_not_change_is_said_once(monkeypatch):
    one = entry("rfm", ("33%", "of revenue"))
    one.summary["findings"][0]["metric"] = "share"
    metric = {"share": {"value": 1.0, "low": None, "high": None, "level": None, "unit": "share"}}
    run = SimpleNamespace(started="2026-01-05T10:00:00+00:00", notes=[], inputs={}, report="rfm", metrics=metric)
    html = str(index_page([replace(one, shown=run, before=run)], load("shop"), ["orders"]))
    assert html.count("ince the last run") == 1
    assert "Nothing has changed since the last run." in html


def counting(place, counts):
    made = entry(place, ("1", "of all"))
    return replace(made, summary=made.summary | {"counts": counts})


def test_different_counts_of_customers_stand_side_by_side():
    found = [
        counting("churn", {"bought in the last 238 days": 2720}),
        counting("customer_value", {"ever bought": 4000, "expected to still be customers": 2824.1}),
        counting("churn--window-30", {"bought in the last 60 days": 9999}),
        entry("rfm", ("1", "of all")),
    ]
    html = str(index_page(found, load("shop"), ["orders"]))
    table = html[html.index("How many customers there are depends on the question") :]
    assert re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>.*?href="(.*?)/report', table) == [
        ("Ever bought", "4,000", "customer_value"),
        ("Expected to still be customers", "about 2,824", "customer_value"),
        ("Bought in the last 238 days", "2,720", "churn"),
    ]
    # Where all pages speak of the same, there is nothing to explain.
    alike = [counting("churn", {"ever bought": 4000}), counting("rfm", {"ever bought": 4000})]
    assert "depends on the question" not in str(index_page(alike, load("shop"), ["orders"]))
