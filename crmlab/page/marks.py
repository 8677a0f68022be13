"""Marks: what a chart shows, drawn into axes of matplotlib.

A chart says what it shows (bands, intervals, bars, cells, a bridge, labels); grids, ticks and sizes stand here. Colours are
names of :data:`crmlab.page.tokens.TOKENS`, places are in data units, sizes of text and gaps in points.

>>> from matplotlib.figure import Figure
>>> ax = axes(Figure().add_subplot(), Format("EUR"), y="money", ylim=(0, 200), xlabel="year")
>>> line = band(ax, [2023, 2024], ([120, 150], [110, 130], [130, 170]))
>>> end_labels(ax, {"expected": (150, "accent"), "seen": (148, "ink")}, 2024, 12)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from crmlab.page.format import Format
from crmlab.page.tokens import color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

__all__ = [
    "axes",
    "band",
    "bars",
    "bridge",
    "cell",
    "dates",
    "end_labels",
    "forest",
    "intervals",
    "label",
    "ranges",
    "rows",
    "tick_places",
    "ticks",
]

_KINDS: dict[str, Callable[[Format, float], str]] = {
    "count": Format.count,
    "number": Format.number,
}


def axes(
    ax: Axes,
    form: Format,
    *,
    x: str | Callable[[float], str] = "",
    y: str | Callable[[float], str] = "",
    lines: str = "y",
    **shown: Any,
) -> Axes:
    """Make axes ready for a chart: lines behind it, and how the numbers at them are written.

    Parameters
    ----------
    ax : Axes
    form : Format
        Of the page.
    x, y : {"", "count", "money", "number", "share", "none"} or callable
        Kind of the numbers at an axis, or a function that writes one; "none" for no ticks, "" for matplotlib's own.
    lines : {"y", "x", "base", "none"}
        The grid: across at the ticks of y with a base line below, upright at those of x, only the base line, or none.
    **shown
        As of ``Axes.set``: title, xlabel, ylabel, xlim, ylim, xscale, yscale.

    Returns
    -------
    Axes
    """
    ax.set(**shown)  # a scale sets how its numbers are written, so it comes first
    for axis, kind in ((ax.xaxis, x), (ax.yaxis, y)):
        if kind == "none":
            axis.set_ticks([])
        elif kind:
            _written(axis, form, kind)
    if lines in ("x", "y"):
        ax.grid(visible=True, axis=lines)  # type: ignore[arg-type]
    ax.spines["bottom"].set_visible(lines in ("y", "base"))
    return ax


def _written(axis: Axis, form: Format, kind: str | Callable[[float], str]) -> None:
    if kind == "share":
        # With as many digits as the steps between ticks need: 17.5% is not 18%.
        axis.set_major_formatter(lambda value, _: form.share(value, _digits_of_shares(axis.get_majorticklocs())))
    elif kind == "money":
        axis.set_major_formatter(lambda value, _: form.tick(value, axis.get_majorticklocs()))
    else:
        write = kind if callable(kind) else partial(_KINDS[kind], form)
        axis.set_major_formatter(lambda value, _: write(value))
    if axis.get_scale() == "log":
        axis.set_minor_formatter(lambda value, _: "")


def _digits_of_shares(places: Iterable[float]) -> int:
    """How many digits behind the point of a per cent tell ticks exactly: 0, 1 or 2."""
    exact = [100 * float(place) for place in places]
    return next((digits for digits in (0, 1) if all(abs(round(value, digits) - value) < 1e-9 for value in exact)), 2)


def ticks(axis: Axis, most: int, *, whole: bool = True) -> None:
    """Leave an axis at most so many parts between ticks, at whole numbers only unless ``whole`` is false."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=whole))


def tick_places(low: float, high: float, most: int) -> list[float]:
    """Round numbers at which ticks of a part of an axis may stand: at most so many parts between them, none beyond the ends by much.

    Examples
    --------
    >>> tick_places(0, 33.88, 3)
    [0.0, 15.0, 30.0]
    """
    from matplotlib.ticker import MaxNLocator

    slack = 0.05 * (high - low)
    return [float(place) for place in MaxNLocator(most).tick_values(low, high) if low - slack <= place <= high + slack]


def dates(
    ax: Axes,
    form: Format,
    few: int = 3,
    most: int = 7,
    *,
    size: float = 10,
    write: Callable[[dt.datetime], str] | None = None,
) -> None:
    """Write dates at the ticks of an x axis that counts days as matplotlib does.

    Parameters
    ----------
    ax : Axes
    form : Format
        Of the page.
    few, most : int
        How many ticks.
    size : float
    write : callable, optional
        Writes a date; default the month.
    """
    from matplotlib.dates import AutoDateLocator, date2num, num2date

    low, high = ax.get_xlim()  # with a margin, which must not leave the calendar
    ax.set_xlim(max(low, float(date2num(dt.date.min))), min(high, float(date2num(dt.date.max))))
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=few, maxticks=most))
    ax.xaxis.set_major_formatter(lambda value, _: (write or form.month)(num2date(value)))
    ax.tick_params(axis="x", labelsize=size)


def rows(ax: Axes, names: Sequence[str]) -> list[int]:
    """Write a name at each row, the first at the top, and return the places of the rows on the y axis."""
    places = list(range(len(names)))
    ax.set_yticks(places, list(names)[::-1], color=color("ink"))
    return places[::-1]


def label(
    ax: Axes,
    text: str,
    x: float,
    y: float,
    *,
    gap: tuple[float, float] = (0, 0),
    token: str = "muted",
    hung: bool = False,
    **placed: Any,
) -> None:
    """Write a text at a point.

    Parameters
    ----------
    ax : Axes
    text : str
    x, y : float
    gap : (across, up)
        From the point to the text; with a gap, a text whose point lies outside the axes is not written.
    token : str
    hung : bool
        Whether ``y`` is a share of the height of the axes, and the text hangs from it.
    **placed
        As of ``Axes.text``: ha, va, size (9 unless given), fontweight, bbox. By default the text begins at the point, and its
        middle is as high.
    """
    place = ax.get_xaxis_transform() if hung else ax.transData
    looks = {"va": "top" if hung else "center", "color": color(token), "size": 9, **placed}
    if any(gap):
        ax.annotate(text, (x, y), gap, xycoords=place, textcoords="offset points", **looks)
    else:
        ax.text(x, y, text, transform=place, **looks)


def end_labels(ax: Axes, ends: Mapping[str, tuple[float, str]], x: float, apart: float) -> None:
    """Write names at the ends of lines, moved up where they would be nearer than ``apart`` to the one below.

    Parameters
    ----------
    ax : Axes
    ends : mapping of str to (float, str)
        Name → height of the end, and colour.
    x : float
    apart : float
        Least distance of two names, in units of y.
    """
    last = -float("inf")
    for name, (y, token) in sorted(ends.items(), key=lambda item: item[1][0]):
        last = max(y, last + apart)
        label(ax, name, x, last, token=token)


def band(
    ax: Axes,
    x: Any,
    estimate: Sequence[Any],
    *,
    token: str = "accent",
    step: bool = False,
    alpha: float = 0.15,
    width: float = 2,
) -> Line2D:
    """Draw a line and its interval as a pale band.

    Parameters
    ----------
    ax : Axes
    x : array of shape (n,)
    estimate : (value, low, high)
        Arrays of shape (n,) each.
    token : str
    step : bool
        Whether a value holds until the next x.
    alpha : float
        Strength of the band, 0 to 1.
    width : float
        Of the line.

    Returns
    -------
    Line2D
        The line.
    """
    value, low, high = estimate
    where: Any = {"step": "post"} if step else {}
    ax.fill_between(x, low, high, color=color(token), alpha=alpha, linewidth=0, **where)
    (line,) = ax.plot(x, value, color=color(token), linewidth=width, drawstyle="steps-post" if step else "default")
    return line


def intervals(
    ax: Axes,
    places: Any,
    estimate: Sequence[Any],
    *,
    token: str = "accent",
    size: float = 8,
    width: float = 1.6,
    upright: bool = False,
) -> Line2D:
    """Draw estimates as dots on thin lines, one per row, or per place on the x axis where ``upright``.

    Parameters
    ----------
    ax : Axes
    places : array of shape (n,)
    estimate : (value, low, high)
        Arrays of shape (n,) each.
    token : str
        Of the dots.
    size, width : float
        Of the dots, and of the lines.
    upright : bool

    Returns
    -------
    Line2D
        The dots.
    """
    value, low, high = estimate
    (ax.vlines if upright else ax.hlines)(places, low, high, color=color("ink"), linewidth=width)
    x, y = (places, value) if upright else (value, places)
    (dots,) = ax.plot(x, y, "o", color=color(token), markersize=size)
    return dots


def ranges(ax: Axes, place: float, estimate: tuple[float, float, float], *, token: str = "accent", size: float = 7) -> None:
    """Draw the estimate (value, low, high) of a row as a dot on a wide pale line; no line where the interval is missing."""
    value, low, high = estimate
    if low == low:
        ax.plot([low, high], [place, place], color=color(token), linewidth=size - 2, alpha=0.35)
    ax.plot(value, place, "o", color=color(token), markersize=size)


def forest(ax: Axes, names: Sequence[str], notes: Sequence[str], low: float, high: float) -> Any:
    """Lay out a forest plot: a line at 0, and in each row a name to the left of it and its numbers to the right.

    Parameters
    ----------
    ax : Axes
    names, notes : sequence of str
        One per row, from the top down.
    low, high : float
        Ends of the x axis.

    Returns
    -------
    ndarray of shape (n,)
        Places of the rows, for :func:`intervals`.
    """
    import numpy as np

    places = np.arange(len(names))[::-1].astype(float)
    edge = 0.02 * ((high - low) or 1.0)
    for y, name, note in zip(places, names, notes, strict=True):
        label(ax, name, low - edge, y, token="ink", size=10, ha="right")
        label(ax, note, high + edge, y)
    ax.set(xlim=(low - edge, high + edge), ylim=(-0.6, len(names) - 0.2), yticks=[])
    ax.axvline(0, color=color("ink"), linewidth=1)
    return places


def bars(
    ax: Axes,
    names: Sequence[str],
    values: Sequence[float],
    notes: Sequence[str],
    *,
    left: Sequence[float] | None = None,
    tokens: Sequence[str] | None = None,
    inks: Sequence[str] | None = None,
) -> list[int]:
    """Draw a named bar per row, the first at the top, with a note at its end.

    Parameters
    ----------
    ax : Axes
    names, values, notes : sequences of n
    left : sequence of n, optional
        Where bars begin; default 0.
    tokens, inks : sequence of n, optional
        Colours of bars and of notes; default accent and muted.

    Returns
    -------
    list of n ints
        Places of the rows.
    """
    n = len(names)
    left, tokens, inks = left or [0] * n, tokens or ["accent"] * n, inks or ["muted"] * n
    places = rows(ax, names)
    for place, value, note, begin, token, ink in zip(places, values, notes, left, tokens, inks, strict=True):
        ax.barh(place, value, 0.62, left=begin, color=color(token))
        label(ax, note, begin + value, place, gap=(6, 0), token=ink)
    return places


def bridge(ax: Axes, names: Sequence[str], steps: pd.DataFrame, write: Callable[[float], str]) -> None:
    """Draw a waterfall: from one amount to another, step by step from the top, with the interval of each step.

    A step whose interval includes 0 may be chance: it is drawn muted, neither as a gain nor as a loss.

    Parameters
    ----------
    ax : Axes
    names : sequence of str
        One per row of ``steps``.
    steps : DataFrame
        effect, low, high; the amounts before and after in the first and last row, which have no interval.
    write : callable
        Writes an amount.
    """
    begin, *middle, end = steps[["effect", "low", "high"]].itertuples(index=False)
    first, *between, last = rows(ax, names)
    at, tops = begin.effect, [begin.effect, end.effect, 1e-9]
    ax.barh([first, last], [begin.effect, end.effect], 0.62, color=color("fill"))
    for place, step in zip(between, middle, strict=True):
        after = at + step.effect
        token = "muted" if step.low <= 0 <= step.high else "accent" if step.effect > 0 else "second"
        beyond = max(at, after, at + step.high)
        ax.barh(place, step.effect, 0.62, left=at, color=color(token))
        ax.plot([at + step.low, at + step.high], [place, place], color=color("ink"), linewidth=1)
        text = f"{'+' if step.effect > 0 else ''}{write(step.effect)}"
        label(ax, text, beyond, place, gap=(6, 0), token=token, size=10)
        ax.plot([after] * 2, [place + 0.31, place - 1.31], color=color("muted"), linewidth=0.7)
        tops.append(beyond)
        at = after
    for place, value in ((first, begin.effect), (last, end.effect)):
        label(ax, write(value), max(value, 0), place, gap=(6, 0), token="ink", size=10)
    ax.axvline(0, color=color("ink"), linewidth=0.8)
    ax.set(xlim=(min(0.0, begin.effect, end.effect), 1.18 * max(tops)), xticks=[])


def cell(
    ax: Axes,
    x: float,
    y: float,
    strength: float,
    text: str = "",
    *,
    token: str = "accent",
    size: tuple[float, float] = (1, 1),
) -> Rectangle:
    """Draw a cell of a heat map, the stronger the more, with a number in it.

    Parameters
    ----------
    ax : Axes
    x, y : float
        Middle of the cell.
    strength : float
        Of the colour, 0 to 1. On at most half of the accent, text can be read in light and dark.
    text : str
    token : str
    size : (width, height)

    Returns
    -------
    Rectangle
    """
    from matplotlib.patches import Rectangle

    corner = (x - size[0] / 2, y - size[1] / 2)
    patch = Rectangle(corner, *size, color=color(token), alpha=strength, linewidth=0)
    ax.add_patch(patch)
    if text:
        label(ax, text, x, y, token="ink", ha="center")
    return patch
