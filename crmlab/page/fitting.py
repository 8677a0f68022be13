"""A chart on a phone: whether a drawing fits its width, and what can be done about it.

A chart is drawn once for a page and once for a phone, by the same function. On the narrow drawing names are broken into lines, ticks that
run into each other are thinned, and the axes give way to what is written beside them; where that is not enough, all is written as small
as can still be read. What does not fit then is not drawn narrow.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

__all__ = ["PHONE", "fit"]

PHONE = 4.65  # inches of 72 px: the width of a column on a phone of 380 px, so that text is at least as large as it is drawn
_TRIES = 6
_LEAST = 0.25  # of the width, that must be left to a chart beside its labels
_SLACK = 1.5  # px by which texts may touch
_EDGE = 2.0  # px that are kept free at the edges
_SMALL = 9.0  # px: the least that can be read
_BESIDE = 0.3  # of the width, that a text beside a mark may take before it is broken into lines


def fit(figure: Figure) -> bool:
    """Make a drawing fit its width.

    Parameters
    ----------
    figure : Figure
        Drawn, with constrained layout; it is changed.

    Returns
    -------
    bool
        Whether nothing is cut off, no text lies on another, and enough is left of the chart.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed to zero", category=UserWarning)
        try:
            return _fitted(figure)
        except UserWarning:
            return False  # nothing is left of the axes


def _fitted(figure: Figure) -> bool:
    for ax in figure.axes:
        ax.tick_params(axis="x", pad=6)  # the first number across does not touch the first one up
    return _arranged(figure) or (_smaller(figure) and _arranged(figure)) or (_stagger(figure) and _arranged(figure))


def _arranged(figure: Figure) -> bool:
    rect = [0.0, 0.0, 1.0, 1.0]
    for _ in range(_TRIES):
        figure.get_layout_engine().set(rect=tuple(rect))  # type: ignore[union-attr, call-arg]
        figure.draw_without_rendering()
        changed = [step(figure) for step in (_break_names, _break_texts, _thin_ticks)]
        if any(changed):
            continue
        left, right = _beyond(figure)
        if left <= 0 and right <= 0:
            break
        width = figure.bbox.width
        rect[0] += max(left, 0.0) / width
        rect[2] -= (max(left, 0.0) + max(right, 0.0)) / width
        if rect[2] < _LEAST:
            return False
    figure.draw_without_rendering()
    return max(_beyond(figure)) <= _EDGE and _wide_enough(figure) and not _on_each_other(figure)


def _seen(figure: Figure) -> list[Any]:
    """The axes that are seen."""
    return [ax for ax in figure.axes if ax.get_visible()]


def _wide_enough(figure: Figure) -> bool:
    """Whether panels side by side take enough of the width together; what lies over another counts once."""
    rows: dict[float, set[tuple[float, float]]] = {}
    for ax in _seen(figure):
        place = ax.get_position()
        rows.setdefault(round(place.y0, 2), set()).add((round(place.x0, 3), round(place.x1, 3)))
    return min((sum(x1 - x0 for x0, x1 in row) for row in rows.values()), default=1.0) >= _LEAST


def _box(text: Text) -> Bbox | None:
    """Where a text stands; None where it is not seen."""
    if not text.get_visible() or not text.get_text().strip():
        return None
    box = text.get_window_extent()
    return box if box.width > 0 else None


def _written(figure: Figure) -> Iterator[Text]:
    """All that is written in the axes that are seen, and beside them."""
    for ax in _seen(figure):
        yield from ax.texts
        yield from (ax.title, ax._left_title, ax._right_title)
        if legend := ax.get_legend():
            yield from legend.get_texts()
        if ax.axison:
            for axis in (ax.xaxis, ax.yaxis):
                yield axis.label
                yield from (label for _, label in _ticks(axis))
    yield from figure.texts


def _ticks(axis: Axis) -> list[tuple[float, Text]]:
    """Places and labels of the ticks of an axis that lie within it."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = zip(axis.get_majorticklocs(), axis.get_major_ticks(), strict=False)
    return [
        (float(place), tick.label1)
        for place, tick in ticks
        if tick.label1.get_visible() and low - slack <= place <= high + slack
    ]


def _beyond(figure: Figure) -> tuple[float, float]:
    """By how many px texts reach beyond the left and the right edge."""
    boxes = [box for text in _written(figure) if (box := _box(text)) is not None]
    if not boxes:
        return 0.0, 0.0
    return _EDGE - min(box.x0 for box in boxes), max(box.x1 for box in boxes) - figure.bbox.width + _EDGE


def _broken(text: Text, width: float) -> bool:
    """Break a text into lines of at most so many px; whether that changed anything."""
    box, words = _box(text), text.get_text()
    if box is None or box.width <= width or " " not in words:
        return False
    longest = max(words.split("\n"), key=len)
    most = max(int(len(longest) * width / box.width), max(map(len, words.split())))
    lines = "\n".join(textwrap.wrap(words.replace("\n", " "), most, break_long_words=False, break_on_hyphens=False))
    if lines == words:
        return False
    text.set_text(lines)
    return True


def _break_names(figure: Figure) -> bool:
    """Break titles and names of axes that are wider than their panel into lines."""
    changed, shown = False, _seen(figure)
    for ax in shown:
        box = ax.get_window_extent()
        beside = [other.get_window_extent().x0 for other in shown if _same_row(ax, other)]
        ends = min((x for x in beside if x > box.x0 + 1), default=figure.bbox.width) - 4
        for title in (ax.title, ax._left_title, ax._right_title):
            changed |= _broken(title, ends - box.x0)
        middle = (box.x0 + box.x1) / 2
        reach = 2 * min(middle, figure.bbox.width - middle) - 2 * _EDGE
        changed |= _broken(ax.xaxis.label, min(reach, ends - box.x0) if len(beside) > 1 else reach)
    return changed


def _break_texts(figure: Figure) -> bool:
    """Break into lines what is written in axes and reaches beyond the edge or into what stands beside it, or leaves axes no room."""
    changed, width, squeezed = False, figure.bbox.width, not _wide_enough(figure)
    for ax in _seen(figure):
        boxes = [(box, text) for text in ax.texts if (box := _box(text)) is not None]
        for box, text in boxes:
            if squeezed:
                changed |= _broken(text, _BESIDE * width)
            elif box.x1 > width - _EDGE:
                changed |= _broken(text, max(width - _EDGE - box.x0, _BESIDE * width))
        for i, (a, one) in enumerate(boxes):
            for b, other in boxes[:i]:
                if _touch(a, b):
                    apart = abs(a.x0 + a.x1 - b.x0 - b.x1) / 2
                    changed |= _broken(one if a.width > b.width else other, max(apart - 2, 1.0))
    return changed


def _smaller(figure: Figure) -> bool:
    """Write all as small as can still be read; whether anything was larger."""
    large = [text for text in _written(figure) if float(text.get_fontsize()) > _SMALL]
    for text in large:
        text.set_fontsize(_SMALL)
    for ax in _seen(figure):
        ax.tick_params(labelsize=_SMALL)
    return bool(large)


def _stagger(figure: Figure) -> bool:
    """Raise every second one of the notes that run into each other in a row; whether there were any."""
    from matplotlib.text import Annotation

    raised = False
    for ax in _seen(figure):
        notes = [(box, text) for text in ax.texts if isinstance(text, Annotation) and (box := _box(text)) is not None]
        notes.sort(key=lambda note: note[0].x0)
        last: Bbox | None = None
        for box, text in notes:
            if last is not None and _touch(box, last):
                across, up = text.get_position()
                text.set_position((across, up + box.height))
                raised, last = True, None  # the next one has room again
            else:
                last = box
    return raised


def _same_row(ax: Any, other: Any) -> bool:
    return abs(ax.get_window_extent().y0 - other.get_window_extent().y0) < 2


def _thin_ticks(figure: Figure) -> bool:
    """Break names at ticks into lines, and leave out every second number, where they run into each other."""
    from matplotlib.ticker import FixedLocator

    class Thinned(FixedLocator):
        """Every second place."""

    changed = False
    for axis in (ax.xaxis for ax in _seen(figure) if ax.axison):
        ticks = _ticks(axis)
        places, labels = [place for place, _ in ticks], [label for _, label in ticks]
        if not _crowded(labels):
            continue
        if type(axis.get_major_locator()) is FixedLocator and any(map(_named, labels)):
            boxes = [box for label in labels if (box := _box(label)) is not None]
            apart = min((b.x0 + b.x1 - a.x0 - a.x1) / 2 for a, b in pairwise(boxes))
            broken = [_broken(label, apart - 2) for label in labels]
            if any(broken):
                axis.set_ticks(places, [label.get_text() for label in labels])
                changed = True
        elif len(places) > 2:
            axis.set_major_locator(Thinned(places[::2]))
            changed = True
    return changed


def _named(label: Text) -> bool:
    """Whether there is a word at a tick, and not a number."""
    return any(letter.isalpha() for letter in label.get_text())


def _crowded(labels: Sequence[Text]) -> bool:
    boxes = sorted((box for label in labels if (box := _box(label)) is not None), key=lambda box: box.x0)
    return any(a.x1 > b.x0 - 1 for a, b in pairwise(boxes))


def _on_each_other(figure: Figure) -> bool:
    """Whether texts cover each other, or run into each other on a line."""
    boxes = [box for text in _written(figure) if (box := _box(text)) is not None]
    return any(_touch(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def _touch(a: Bbox, b: Bbox) -> bool:
    """Whether one text covers another, or runs into it on a line."""
    across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    beside = across > -_SLACK and up > 0.6 * min(a.height, b.height)
    return beside or (across > _SLACK and up > 2 * _SLACK)
