"""Marks: the artists that each draws."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from crmlab.page import marks
from crmlab.page.drawing import settings
from crmlab.page.format import MINUS, Format
from crmlab.page.tokens import color

EURO = Format("EUR")


@pytest.fixture
def ax():
    with settings():
        figure = Figure()
        FigureCanvasSVG(figure)
        yield figure.add_subplot()


def ticks(axis):
    axis.figure.draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    return [t.label1.get_text() for t in axis.get_major_ticks() if low <= t.get_loc() <= high]


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("lines", "across", "upright", "base"),
    [("y", True, False, True), ("x", False, True, False), ("base", False, False, True), ("none", False, False, False)],
)
def test_axes_have_the_lines_that_are_named_and_no_other(ax, lines, across, upright, base):
    marks.axes(ax, EURO, lines=lines)
    ax.figure.draw_without_rendering()
    for axis, there in ((ax.yaxis, across), (ax.xaxis, upright)):
        assert all(line.get_visible() == there for line in axis.get_gridlines())
    assert {side for side, spine in ax.spines.items() if spine.get_visible()} == ({"bottom"} if base else set())


@pytest.mark.parametrize(
    ("kind", "at", "said"),
    [
        ("count", 1200, "1,200"), ("money", 1200, "€1,200"), ("number", 0.25, "0.25"), ("share", 0.25, "25%"),
        (lambda value: f"<{value:g}>", 3, "<3>"),
    ],
)  # fmt: skip
def test_axes_write_numbers_by_their_kind(ax, kind, at, said):
    assert marks.axes(ax, EURO, x=kind, y=kind, title="T", xlabel="across", ylim=(0, 2 * at)) is ax
    ax.set(xticks=[at], yticks=[at])
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == [said]
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylim()) == ("T", "across", (0, 2 * at))


def test_axes_refuse_a_kind_that_there_is_not(ax):
    with pytest.raises(KeyError, match="cuont"):
        marks.axes(ax, EURO, x="cuont")


def test_axes_without_ticks_and_on_a_scale_of_logarithms(ax):
    marks.axes(ax, EURO, x="none", y="number", yscale="log", ylim=(0.5, 20))
    assert ticks(ax.xaxis) == []
    assert ticks(ax.yaxis) == ["1", "10"]
    assert {tick.label1.get_text() for tick in ax.yaxis.get_minor_ticks()} == {""}


def test_ticks_are_few_and_whole(ax):
    ax.set_xlim(0, 1.5)
    marks.ticks(ax.xaxis, 6)
    assert ax.get_xticks().tolist() == [0, 1, 2]
    marks.ticks(ax.xaxis, 3, whole=False)
    assert ax.get_xticks().tolist() == [0, 0.5, 1, 1.5]


def test_dates_are_months_or_as_they_are_asked_for(ax):
    ax.set_xlim(date2num(dt.date(2024, 1, 1)), date2num(dt.date(2024, 4, 1)))
    marks.dates(ax, EURO)
    assert ticks(ax.xaxis) == ["Jan 2024", "Feb 2024", "Mar 2024", "Apr 2024"]
    marks.dates(ax, EURO, size=9, write=EURO.short_day)
    assert ticks(ax.xaxis)[0] == "1 Jan 2024"
    assert ax.get_xticklabels()[0].get_fontsize() == 9


def test_rows_are_named_from_the_top_down(ax):
    assert marks.rows(ax, ["first", "second", "third"]) == [2, 1, 0]
    ax.set_ylim(-0.5, 2.5)
    assert ticks(ax.yaxis) == ["third", "second", "first"]


def test_label_stands_at_its_point_or_beside_it(ax):
    marks.label(ax, "at", 1, 2)
    marks.label(ax, "beside", 1, 2, gap=(6, 0), token="accent", size=10, ha="right")
    marks.label(ax, "hung", 0.5, 1, hung=True)
    marks.label(ax, "hung beside", 0.5, 1, gap=(3, 0), hung=True)
    at, beside, hung, hung_beside = ax.texts
    assert (at.get_position(), at.get_va(), at.get_color(), at.get_fontsize()) == ((1, 2), "center", color("muted"), 9)
    assert (beside.xy, beside.get_position(), beside.get_ha(), beside.get_color()) == ((1, 2), (6, 0), "right", color("accent"))
    ax.set_ylim(0, 40)
    top = ax.transData.transform((0.5, 40))
    np.testing.assert_allclose(hung.get_transform().transform(hung.get_position()), top)
    np.testing.assert_allclose(hung_beside.xycoords.transform(hung_beside.xy), top)
    assert hung.get_va() == hung_beside.get_va() == "top"


def test_end_labels_are_moved_apart_and_keep_their_order(ax):
    marks.end_labels(ax, {"b": (1.0, "accent"), "a": (0.95, "ink"), "far": (9.0, "muted"), "c": (1.05, "ink")}, 4, 0.5)
    assert [(text.get_text(), *text.get_position()) for text in ax.texts] == [
        ("a", 4, 0.95), ("b", 4, 1.45), ("c", 4, 1.95), ("far", 4, 9.0)
    ]  # fmt: skip


@pytest.mark.parametrize("step", [False, True])
def test_band_is_a_line_over_a_pale_area(ax, step):
    line = marks.band(ax, [0, 1], ([1, 2], [0, 1], [3, 4]), token="second", step=step, alpha=0.3, width=1.5)
    (area,) = ax.collections
    assert line.get_ydata().tolist() == [1, 2]
    assert (line.get_drawstyle(), line.get_linewidth()) == ("steps-post" if step else "default", 1.5)
    assert line.get_color() == to_hex(area.get_facecolor()[0]) == color("second")
    assert area.get_facecolor()[0, 3] == pytest.approx(0.3)
    assert ({tuple(at) for at in area.get_paths()[0].vertices} >= {(1, 0), (1, 3)}) == step


@pytest.mark.parametrize("upright", [False, True])
def test_intervals_are_dots_on_lines(ax, upright):
    dots = marks.intervals(ax, [1, 0], ([5, 6], [4, 5], [7, 8]), token="ink", size=5, width=1.4, upright=upright)
    ends = np.array([line.vertices for line in ax.collections[0].get_paths()])
    expected = [[[4, 1], [7, 1]], [[5, 0], [8, 0]]]
    assert ends.tolist() == (np.flip(expected, axis=2).tolist() if upright else expected)
    assert dots.get_xydata().tolist() == ([[1, 5], [0, 6]] if upright else [[5, 1], [6, 0]])
    assert (dots.get_color(), dots.get_markersize()) == (color("ink"), 5)


def test_ranges_leave_out_an_interval_that_is_not_there(ax):
    marks.ranges(ax, 1, (0.5, 0.4, 0.6))
    marks.ranges(ax, 0, (0.7, np.nan, np.nan), token="second")
    assert [line.get_xydata().tolist() for line in ax.lines] == [[[0.4, 1], [0.6, 1]], [[0.5, 1]], [[0.7, 0]]]


def test_forest_has_names_numbers_and_a_line_at_zero(ax):
    places = marks.forest(ax, ["one", "two"], ["1 (0–2)", "3 (2–4)"], -1, 4)
    assert places.tolist() == [1, 0]
    assert texts(ax) == ["one", "1 (0–2)", "two", "3 (2–4)"]
    assert [(text.get_position(), text.get_ha()) for text in ax.texts[:2]] == [((-1.1, 1), "right"), ((4.1, 1), "left")]
    assert ax.lines[0].get_xdata() == [0, 0]
    assert ax.get_xlim() == (-1.1, 4.1)


def test_bars_are_named_and_bear_notes_at_their_ends(ax):
    places = marks.bars(
        ax, ["all", "gone"], [10, 4], ["10", "−4"], left=[0, 6], tokens=["fill", "accent"], inks=["ink", "muted"]
    )
    assert places == [1, 0]
    assert [(bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor())) for bar in ax.patches] == [
        (0, 10, color("fill")), (6, 4, color("accent"))
    ]  # fmt: skip
    assert [(note.get_text(), note.xy, note.get_color()) for note in ax.texts] == [
        ("10", (10, 1), color("ink")), ("−4", (10, 0), color("muted"))
    ]  # fmt: skip


def test_bridge_leads_from_the_first_amount_to_the_last(ax):
    steps = pd.DataFrame({"effect": [100, 30, -20, 110], "low": [0, 20, -25, 0], "high": [0, 40, -15, 0]})
    marks.bridge(ax, ["then", "more", "less", "now"], steps, EURO.money)
    begin, end, more, less = ax.patches
    assert (begin.get_width(), end.get_width()) == (100, 110)
    assert (more.get_x(), more.get_x() + more.get_width()) == (100, 130)
    assert (less.get_x(), less.get_x() + less.get_width()) == (130, 110)
    assert texts(ax) == ["+€30.00", f"{MINUS}€20.00", "€100", "€110"]
    assert [list(line.get_xdata()) for line in ax.lines[::2]][:2] == [[120, 140], [105, 115]]
    assert ax.get_xlim() == (0, pytest.approx(1.18 * 140))
    assert ticks(ax.yaxis) == ["now", "less", "more", "then"]
    assert [to_hex(bar.get_facecolor()) for bar in (more, less)] == [color("accent"), color("second")]


@pytest.mark.parametrize("effect", [30, -20, 0])
def test_a_step_of_a_bridge_that_may_be_chance_is_neither_gain_nor_loss(ax, effect):
    steps = pd.DataFrame({"effect": [100, effect, 100 + effect], "low": [0, effect - 40, 0], "high": [0, effect + 40, 0]})
    marks.bridge(ax, ["then", "perhaps", "now"], steps, EURO.money)
    assert to_hex(ax.patches[2].get_facecolor()) == color("muted") == ax.texts[0].get_color()


def test_cell_has_its_colour_and_its_number(ax):
    patch = marks.cell(ax, 2, 3, 0.4, "40%", size=(0.5, 1))
    assert (patch.get_xy(), patch.get_width(), patch.get_height(), patch.get_alpha()) == ((1.75, 2.5), 0.5, 1, 0.4)
    assert [(text.get_text(), text.get_position(), text.get_ha()) for text in ax.texts] == [("40%", (2, 3), "center")]
    marks.cell(ax, 0, 0, 1, token="wash")
    assert len(ax.texts) == 1
