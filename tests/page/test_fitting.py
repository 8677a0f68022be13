"""Charts on a phone: what is too wide is broken, thinned or given room, and what cannot fit is not drawn narrow."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pandas as pd
import pytest
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from crmlab.page import marks
from crmlab.page.drawing import settings
from crmlab.page.fitting import PHONE, fit
from crmlab.page.format import Format
from crmlab.page.result import Chart

FORM = Format("EUR")


def drawn(draw, height=2.5):
    """A narrow figure, and whether it fits."""
    with settings():
        figure = Figure(figsize=(PHONE, height), layout="constrained")
        draw(figure)
        return figure, fit(figure)


def right_of(figure):
    """Where the text that reaches farthest to the right ends."""
    return max(text.get_window_extent().x1 for ax in figure.axes for text in ax.texts)


def bars(note):
    def draw(figure):
        marks.bars(figure.add_subplot(), ["small gift", "free delivery"], [3.0, 10.0], [note, note])

    return draw


def beside(figure):
    ax = figure.add_subplot()
    marks.bars(ax, ["Champions", "Loyal"], [0.33, 0.2], ["33% of revenue from 10% of all", ""])
    ax.set(xlim=(0, 0.5))


def test_axes_give_way_to_what_is_written_beside_them():
    figure, fits = drawn(beside)
    assert fits and right_of(figure) <= figure.bbox.width
    with settings():
        loose = Figure(figsize=(PHONE, 2.5), layout="constrained")
        beside(loose)
        loose.draw_without_rendering()
    assert right_of(loose) > loose.bbox.width  # nothing else than that keeps it inside


def test_a_chart_that_would_be_all_labels_is_not_drawn_narrow():
    assert not drawn(bars("of revenue from eighteen per cent of all customers of the year"))[1]


def test_titles_and_names_of_axes_are_broken_into_lines():
    def draw(figure):
        for ax, title in zip(figure.subplots(1, 3), ("Customers who bought again", "Revenue", "Returned"), strict=True):
            ax.plot([0, 1])
            ax.set(title=title, xlabel="weeks after the first purchase of a customer")

    figure, fits = drawn(draw)
    assert fits
    assert figure.axes[0].get_title(loc="left").count("\n") >= 1 and figure.axes[1].get_title(loc="left") == "Revenue"
    assert all("\n" in ax.get_xlabel() for ax in figure.axes)


def test_numbers_that_run_into_each_other_are_thinned_and_names_are_broken():
    days = [dt.date(2024, month, 1) for month in range(1, 13)]

    def dated(figure):
        ax = figure.add_subplot()
        ax.plot([float(date2num(day)) for day in days], range(12))
        marks.dates(ax, FORM, few=9, most=12)

    figure, fits = drawn(dated)
    places = figure.axes[0].get_xticks()
    assert fits and 2 <= len(places) <= 6
    assert {round(b - a) // 10 for a, b in pairwise(places)} <= {
        5,
        6,
        9,
        12,
    }  # every second, or fourth, month

    def named(figure):
        ax = figure.add_subplot()
        ax.bar(range(4), [5, 2, 1, 8])
        ax.set_xticks(range(4), ["a year ago", "purchases each", "pieces per purchase", "this period"])

    figure, fits = drawn(named)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert fits and " ".join(labels[2].split()) == "pieces per purchase" and "\n" in labels[2]


def test_a_named_tick_outside_the_view_is_left_alone():
    def draw(figure):
        ax = figure.add_subplot()
        ax.bar(range(4), [1, 2, 3, 4])
        ax.set_xticks(range(6), ["a year ago", "purchases each", "pieces per purchase", "this period", "next", "later"])
        ax.set_xlim(-0.5, 3.5)

    figure, fits = drawn(draw)
    assert fits and "\n" in figure.axes[0].get_xticklabels()[2].get_text()


def test_what_is_not_seen_does_not_count_and_a_legend_does():
    def hidden(figure):
        for ax, seen in zip(figure.subplots(1, 2), (True, False), strict=True):
            ax.plot([0, 1])
            ax.set_title("weeks" if seen else 20 * "pieces per purchase ")
            ax.set_visible(seen)

    def legend(words):
        def draw(figure):
            ax = figure.add_subplot()
            ax.plot([0, 1], label=words)
            ax.legend(loc="upper left")

        return draw

    assert drawn(hidden)[1] and drawn(legend("seen"))[1] and not drawn(legend(90 * "seen"))[1]


def test_texts_that_cover_each_other_do_not_fit():
    def draw(apart):
        def inner(figure):
            ax = figure.add_subplot()
            ax.plot([0, 1], [0, 1])
            marks.label(ax, "forecast", 0.4, 0.5)
            marks.label(ax, "seen", 0.4 + apart, 0.5)

        return inner

    assert drawn(draw(0.4))[1] and not drawn(draw(0.02))[1]


@pytest.mark.parametrize(
    ("note", "twice"), [("€1,200", True), ("of revenue from eighteen per cent of all customers of the year", False)]
)
def test_a_figure_has_a_second_drawing_only_if_it_fits(note, twice):
    html = Chart("Actions.", "Two bars for two actions.", bars(note), pd.DataFrame({"a": [1]}), (8, 2)).html()
    assert html.count("<svg") == 1 + twice and ('class="two"' in html) == ('class="slim"' in html) == twice


def test_notes_are_broken_before_the_axes_give_way():
    figure, fits = drawn(bars("€1,059 each from 400 customers of the year"))
    notes = [text.get_text() for text in figure.axes[0].texts]
    assert fits and all("\n" in note for note in notes) and right_of(figure) <= figure.bbox.width


def numbers(count):
    def draw(figure):
        ax = figure.add_subplot()
        marks.axes(ax, FORM, y="none", lines="base")
        ax.bar(range(count), [1.0] * count, 0.62)
        for k in range(count):
            marks.label(ax, "€154k", k, 0, gap=(0, 4), ha="center", va="baseline", size=10)
        ax.set_xticks([])

    return draw


def heights(figure):
    return {round(text.get_window_extent().y0) for text in figure.axes[0].texts}


def test_numbers_in_a_row_are_written_smaller_and_then_at_two_heights():
    few, fits = drawn(numbers(10))
    assert fits and len(heights(few)) == 1 and {text.get_fontsize() for text in few.axes[0].texts} == {9}
    more, fits = drawn(numbers(13))
    assert fits and len(heights(more)) == 2
    assert not drawn(numbers(30))[1]


def test_words_in_cells_are_broken_into_lines():
    def draw(figure):
        ax = marks.axes(figure.add_subplot(), FORM, lines="none")
        ax.set(xlim=(-0.5, 4.5), ylim=(-0.5, 0.5))
        for k in range(5):
            marks.cell(ax, k, 0, 0.2, "under 20 customers")

    figure, fits = drawn(draw)
    assert fits and all(text.get_text() == "under 20\ncustomers" for text in figure.axes[0].texts)
