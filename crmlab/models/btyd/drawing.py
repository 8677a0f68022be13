"""What the pictures of models share: axes to draw into, colours, and times in the unit that a model names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crmlab.models.btyd.future import Future

__all__ = ["EXPECTED", "PALE", "SEEN", "axes_of", "in_units", "span_of"]

SEEN, EXPECTED = "#c8553d", "#2a6f97"
PALE = 0.22  # of bands


def axes_of(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes that were given, or those of a new figure of a size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def span_of(model: Future, time: float) -> str:
    """A length of time in words: ``39 weeks``, or ``39 units of time`` where the model names no unit.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> span_of(BGNBD(unit="week"), 39.0), span_of(BGNBD(unit="week"), 1.0), span_of(BGNBD(), 2.5)
    ('39 weeks', '1 week', '2.5 units of time')
    """
    number = f"{time:,.1f}".removesuffix(".0")
    one, several = model.unit_names
    return f"{number} {one if number == '1' else several}"


def in_units(model: Future) -> str:
    """What follows the name of a time on an axis: ``, in weeks``; nothing where the model names no unit.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> in_units(BGNBD(unit="month")), in_units(BGNBD())
    (', in months', '')
    """
    return "" if model.unit is None else f", in {model.unit_names[1]}"
