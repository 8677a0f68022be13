"""A point and its interval are rounded differently.

What would go wrong: "56% (55.2 to 55.9%)": the point lies outside of its own interval, or a reader takes one for surer than the other.
"""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from crmlab.page.estimate import Estimate
from crmlab.page.format import KINDS, Format, Measured
from crmlab.page.marks import axes
from crmlab.page.tables import Column, Table

SHOWN = re.compile(r"\d[\d,]*(?:\.(\d+))?\s*(k|M|bn)?")
NUMBERS = ("count", "number", "share", "points", "money", "amount", "exact", "days")


def digits_of(text):
    """Digits behind the point, and unit, of each number in a text."""
    return [(len(after or ""), unit) for after, unit in SHOWN.findall(text)]


def alike(found):
    """Whether all numbers of a point and its interval have the same digits; the unit of an interval may stand once, at its end."""
    shown = digits_of(found.value) + digits_of(found.interval)
    units = {unit for _, unit in shown if unit}
    return len({digits for digits, _ in shown}) <= 1 and len(units) <= 1


@pytest.mark.parametrize(
    ("numbers", "kind", "said"),
    [
        ((0.5555, 0.552, 0.559), "share", "55.5% (55.2 to 55.9%)"),
        ((0.66, 0.609, 0.709), "share", "66% (61 to 71%)"),
        ((0.004, 0.0, 0.2), "share", "0.4% (0.0 to 20.0%)"),
        ((0.9967, 0.989, 1.0), "share", "99.7% (98.9 to 100.0%)"),
        ((3e-5, 0.0, 0.02), "share", "<0.01% (0.00 to 2.00%)"),
        ((5.6e6, 5.4e6, 5.8e6), "money", "€5.6M (€5.4M to €5.8M)"),
        ((9_800.0, 8_000.0, 12_000.0), "money", "€9.8k (€8.0k to €12.0k)"),
        ((1_600.0, 460.0, 12_000.0), "money", "€1.6k (€0.5k to €12.0k)"),
        ((12_340.0, 12_300.0, 12_380.0), "money", "€12.34k (€12.30k to €12.38k)"),
        ((-1.5e6, -3e6, 2e5), "money", "−€1.5M (−€3.0M to €0.2M)"),
        ((12.34, 8.0, 120.0), "amount", "€12 (€8 to €120)"),
        ((9.0, 8.1, 9.9), "amount", "€9.00 (€8.10 to €9.90)"),
        ((41.5, 38.0, 45.0), "days", "41.5 (38.0 to 45.0)"),
        ((1.02, 1.019, 1.0204), "number", "1.020 (1.019 to 1.020)"),
        ((803.7, 612.3, 995.2), "count", "804 (612 to 995)"),
        ((0.5, 0.2, math.inf), "number", "0.50 (0.20 to ∞)"),
        ((3.0, None, None), "number", "3"),
        # Without width, or with that of a computer's rounding, it is one number.
        ((1 / 3, 1 / 3, 1 / 3 + 1e-16), "share", "33%"),
        ((1 - 1e-16, 1 - 2e-16, 1.0), "share", "100%"),
        ((1.0, 0.9, 1 - 1e-16), "share", "100% (90 to 100%)"),
        ((1234.56, 1234.56, 1234.56), "exact", "€1,234.56"),
        ((2.5e6, 2.5e6, 2.5e6 + 1e-9), "money", "€2.5M"),
        ((0.1 + 0.2, 0.3, 0.3), "number", "0.30"),
        ((1 / 3, -1 / 3, -1 / 3), "share", "33% (−33%)"),  # a third less: the change is negative
    ],
)
def test_a_number_and_its_interval_by_hand(numbers, kind, said):
    assert str(Format("EUR").measured(*numbers, kind)) == said


@settings(deadline=None, max_examples=400)
@given(
    st.floats(-1e7, 1e7, allow_subnormal=False),
    st.floats(0, 1e7, allow_subnormal=False),
    st.floats(0, 1e7, allow_subnormal=False),
    st.sampled_from(NUMBERS),
    st.sampled_from(["EUR", "JPY", ""]),
)
@example(0.0, 0.0, 0.0, "money", "EUR")
@example(0.56, 0.008, 0.0, "share", "EUR")
def test_any_number_and_its_interval_are_alike(value, below, above, kind, currency):
    found = Format(currency).measured(value, value - below, value + above, kind)
    assert alike(found), found


@pytest.mark.parametrize("kind", NUMBERS)
def test_an_interval_without_width_is_the_number_itself(kind):
    form = Format("EUR")
    for value in (0.0, 1 / 3, 2 / 3, -1 / 7, 1.0, 1e5 / 3):
        assert form.measured(value, value, value + abs(value) * 1e-15, kind) == (form.write(value, kind),) * 2
        assert form.span(value, value, kind) == form.write(value, kind)


def test_a_text_in_place_of_a_number_hides_its_interval():
    assert Format().measured("under 5", 3.0, 4.0, "count") == ("under 5", "")


def test_an_interval_cannot_be_written_without_its_point():
    assert not hasattr(Format(), "interval")
    assert set(NUMBERS) < set(KINDS)


def test_a_cell_of_a_table_is_written_so():
    frame = pd.DataFrame({"name": ["a"], "share": [0.5555], "low": [0.552], "high": [0.559]})
    columns = {"name": Column("Name"), "share": Column("Share", "share", "low", "high")}
    html = Table("Shares.", frame, columns).html()
    assert "55.5%" in html and "55.2 to 55.9%" in html and "56%" not in html


def test_a_cell_without_width_is_one_number():
    frame = pd.DataFrame({"name": ["a"], "share": [1 / 3], "low": [1 / 3], "high": [1 / 3 + 1e-16]})
    html = Table("Shares.", frame, {"name": Column("Name"), "share": Column("Share", "share", "low", "high")}).html()
    assert html.count("33%") == 1 and 'class="ci"' not in html


def test_an_estimate_shows_itself_so():
    assert repr(Estimate(0.56, 0.5523, 0.5592, 0.9, "share")) == "Estimate(0.5600 [0.5523, 0.5592] at 90%, share)"
    assert repr(Estimate(0.66, 0.61, 0.71, 0.95, "share")) == "Estimate(0.66 [0.61, 0.71] at 95%, share)"


@pytest.mark.parametrize("report", ["rfm", "churn", "lifecycle", "customer_value"])
@pytest.mark.proof
def test_findings_of_pages_are_so(result_of, report):
    # The first range of an interval is that of the number in front; where it is a number and no text.
    for finding in result_of(report, "cdnow_sample").findings:
        first = re.split(r";|, at | of | customers", finding.interval)[0]
        assert alike(Measured(finding.value, first)), finding.sentence()


def test_a_terminal_shows_them_so(capsys):
    from crmlab.cli.campaigns import _show

    frame = pd.DataFrame(
        {"cell_id": ["s-1", "s-2"], "estimate": [0.56, math.nan], "low": [0.5523, math.nan], "high": [0.5592, 1.0]}
    )
    _show(frame, list(frame.columns))
    shown = capsys.readouterr().out
    assert "0.5600" in shown and "0.5523" in shown and "0.5592" in shown and "–" in shown


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([0, 0.025, 0.05, 0.175], ["0.0", "2.5", "5.0", "17.5"]),
        ([0, 0.05, 0.1, 0.15], ["0", "5", "10", "15"]),
        ([0, 0.0025, 0.005], ["0.00", "0.25", "0.50"]),
    ],
)
def test_ticks_of_an_axis_are_where_they_say(places, said):
    ax = axes(Figure().add_subplot(), Format(), y="share")
    ax.set_yticks(places)
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{text}%" for text in said]
