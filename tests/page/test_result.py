import dataclasses
import datetime as dt
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from crmlab.page.estimate import Estimate
from crmlab.page.format import Format
from crmlab.page.result import Chart, Context, Finding, Findings, Method, Note, Result
from crmlab.page.tables import Column, Table
from crmlab.page.tokens import color

HOSTILE = ["<script>x</script>", '"><img onerror=1>', "{{7*7}}", "{x}", "\u202eabc", "a\0b", "x" * 10_000, "a & b"]


class Strict(HTMLParser):
    """Collects tags and fails where they do not nest."""

    VOID = ("br", "img", "meta", "use", "path")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def parsed(html):
    parser = Strict()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


@pytest.mark.parametrize("text", HOSTILE)
def test_every_object_escapes_what_it_shows(text):
    shown = [
        Findings([Finding(text, text, text)]).html(),
        Note(text, (text,)).html(),
        Method(text, (text,), {text: text}).html(),
        Table(text, pd.DataFrame({"a": [text]}), {"a": Column(text)}).html(),
    ]
    for html in shown:
        seen = parsed(html)
        assert "script" not in seen
        assert "img" not in seen


def chart(caption="A caption", alt="A line that goes up.", name="$x$ <b>"):
    def draw(figure):
        ax = figure.add_subplot()
        ax.plot([1, 2], [1, 2], color=color("accent"))
        ax.set_title(name)

    return Chart(caption, alt, draw, pd.DataFrame({"x": [1]}))


def test_chart_is_the_same_bytes_twice_and_has_no_id_of_another():
    assert chart().html() == chart().html()
    ids = [set(re.findall(r'\bid="([^"]+)"', chart(caption).html())) for caption in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_chart_keeps_text_as_text_and_colours_as_variables():
    html = chart().html()
    assert "$x$ &lt;b&gt;" in html
    assert "var(--accent,#0b63b5)" in html
    assert not re.search(r"<style(?! data-crmlab)|<script|<metadata|https?://(?!www\.w3\.org)", html)
    assert 'role="img" aria-label="A line that goes up."' in html
    parsed(html)


@pytest.mark.parametrize("alt", ["", "chart", "no full stop here at all"])
def test_chart_wants_a_sentence(alt):
    with pytest.raises(ValueError, match="must be a sentence"):
        chart(alt=alt)


def test_table_has_caption_scopes_and_cuts_long_frames():
    html = Table("Many.", pd.DataFrame({"a": ["x"] * 25, "n": range(25)}), key="many", linked=True).html()
    assert "<caption>Many.</caption>" in html
    assert html.count('scope="col"') == 2
    assert html.count('scope="row"') == 20
    assert "The first 20 of 25 rows" in html
    assert '<a href="tables/many.csv">many.csv</a>' in html


def result(saved=()):
    context = Context("tiny", "Tiny", dt.date(2024, 1, 31), dt.date(2024, 1, 1))
    long = Table("Many.", pd.DataFrame({"a": ["x"] * 25}))
    return Result("Why?", context, None, Findings(), {}, {"many": long}, {"line": chart()}, Method("m"), saved=saved)


def test_result_links_files_only_once_they_were_saved():
    unsaved = result()
    parts = [unsaved, *unsaved.tables.values(), *unsaved.charts.values()]
    assert not [part for part in parts if "<a " in part._repr_html_()]
    assert "All: <code>result.tables[&quot;many&quot;].frame</code>" in unsaved.tables["many"].html()
    saved = dataclasses.replace(unsaved, saved=("csv",))
    assert 'href="tables/many.csv"' in saved.tables["many"].html()
    assert 'href="tables/chart-line.csv"' in saved.charts["line"].html()


def test_reprs_are_short_and_hold_no_address():
    for item in (
        Estimate(1.0),
        Finding("1", "x"),
        chart(),
        Table("t", pd.DataFrame({"a": [1]})),
        Note("n", ("x",)),
        Method("m"),
    ):
        assert len(repr(item)) < 200
        assert "0x" not in repr(item)


def test_estimate_wants_low_high_and_level_together():
    with pytest.raises(ValueError, match="low, high and level"):
        Estimate(1.0, 0.5)
    assert Estimate(float("nan")).to_dict()["value"] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5_563_210, "£5.6M"),
        (999_999, "£1.0M"),
        (334_000, "£334k"),
        (-12_345, "−£12k"),
        (9.5, "£9.50"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_money_is_short(value, shown):
    assert Format("GBP").money(value) == shown


def test_shares_and_days_in_four_languages():
    assert Format().share(0.234).replace("\u202f", " ") == "23%"
    assert Format().share(0.00001).replace("\u202f", " ").startswith("<0.01")
    assert [Format().whole_share(value) for value in (0.0, 0.0004, 0.034, 0.5, 0.997, 1.0)] == [
        "0%",
        "<1%",
        "3%",
        "50%",
        ">99%",
        "100%",
    ]
    day = dt.date(2011, 12, 9)
    assert [Format("EUR", language).day(day) for language in ("en", "de", "es", "fr")] == [
        "9 December 2011",
        "9. Dezember 2011",
        "9 de diciembre de 2011",
        "9 décembre 2011",
    ]
    assert Format("EUR", "de").exact(1234.5).replace("\u202f", " ") == "1.234,50 €"


def test_amounts_of_a_column_have_one_unit():
    def cells(*values):
        frame = pd.DataFrame({"a": ["x"] * len(values), "m": values})
        html = Table("Money.", frame, {"a": Column("A"), "m": Column("M", "money")}, Format("EUR")).html()
        return re.findall(r"<td[^>]*>([^<]*)</td>", html)

    assert cells(71_200.0, 14_100.0) == ["€71k", "€14k"] and cells(71_200.0, 84.17, "under 5") == ["€71,200", "€84", "under 5"]
    assert cells(4_144_591.0, 911_911.0, 0.0) == ["€4,145k", "€912k", "€0"] and cells(4_144_591.0, 84.0) == [
        "€4,144,591",
        "€84",
    ]
    assert cells(12.5, 84.17) == ["€12.50", "€84.17"] and cells(500.0, 0.4, float("nan")) == ["€500", "€0.40", "–"]
    assert cells(float("nan")) == ["–"] and cells(float("inf"), 0.0) == ["€∞", "€0"]
    empty = Table("Money.", pd.DataFrame([]), {"a": Column("A"), "m": Column("M", "money", "low", "high")}, Format("EUR"))
    assert "None" in empty.html()


@pytest.mark.parametrize(
    ("ends", "said"),
    [((0.5, 0.2, 0.8), "€0.50 (€0.20 to €0.80)"), ((12.2, 12.1, 12.4), "€12.20 (€12.10 to €12.40)"),
     ((71_200, 60_100, 80_300), "€71,200 (€60,100 to €80,300)")],
)  # fmt: skip
def test_whole_amounts_tell_ends_apart(ends, said):
    assert str(Format("EUR").measured(*ends, "whole")) == said
