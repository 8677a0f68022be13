"""Charts as SVG.

A chart drawn with the tokens' colours becomes an SVG whose colours are CSS variables with a fallback, so that the same
chart is right in light, dark and print, and in JupyterLab.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from crmlab.page.fitting import fit
from crmlab.page.html import markup
from crmlab.page.texts import plain
from crmlab.page.tokens import TOKENS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["settings", "svg"]


_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "crmlab",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": TOKENS["ink"][0],
    "axes.edgecolor": TOKENS["rule"][0],
    "axes.labelcolor": TOKENS["muted"][0],
    "axes.titlecolor": TOKENS["ink"][0],
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": TOKENS["rule"][0],
    "grid.linewidth": 0.8,
    "xtick.color": TOKENS["rule"][0],
    "ytick.color": TOKENS["rule"][0],
    "xtick.labelcolor": TOKENS["muted"][0],
    "ytick.labelcolor": TOKENS["muted"][0],
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.parse_math": False,  # a "$" in a name is a dollar
    "axes.unicode_minus": True,
}


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib settings of every chart, for the time of a ``with`` block."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def svg(
    draw: Callable[[Figure], None], size: tuple[float, float], label: str, prefix: str, *, fitted: bool = False
) -> Markup | None:
    """Draw a chart and return it as an SVG element for a page.

    Parameters
    ----------
    draw : callable
        Gets an empty figure and draws into it, with colours of :func:`color`.
    size : (width, height)
        In inches of 72 px.
    label : str
        A sentence that says what one sees, read aloud by screen readers.
    prefix : str
        Put before every id, so that two charts on one page do not share ids.
    fitted : bool
        Whether the drawing is made to fit its width, as of :func:`crmlab.page.fitting.fit`.

    Returns
    -------
    Markup or None
        One ``<svg role="img">`` element: text stays text, ids are fixed, colours are CSS variables. None where a drawing that has to
        fit does not.
    """
    import io

    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with settings(), warnings.catch_warnings():
        # Text stays text: the reader's browser has the glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        if fitted and not fit(figure):
            return None
        FigureCanvasSVG(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.S)
    text = re.sub(r"<defs>\s*</defs>", "", text)
    parts = re.split(r"(<[^>]*>)", text)
    text = "".join(_tidy(part, prefix) if part.startswith("<") else plain(part) if part.strip() else "\n" for part in parts)
    head = markup('<svg role="img" aria-label="{}" style="stroke-linejoin:round;stroke-linecap:butt" ', label)
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda m: f'{head}{m[1]} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">',
        text,
        count=1,
    )
    return Markup(re.sub(r"\n\s*", "\n", text).strip())  # matplotlib escaped what is written in the chart


_COLORS = re.compile("|".join(light for light, _ in TOKENS.values()))
_NAMES = {light: name for name, (light, _) in TOKENS.items()}


def _tidy(tag: str, prefix: str) -> str:
    """One tag of a chart: ids with a prefix, colours as variables, the page's own font, coordinates to a hundredth."""
    if 'href="data:' in tag:
        return re.sub(r'\bid="', f'id="{prefix}-', tag)
    tag = re.sub(r'\bid="', f'id="{prefix}-', tag)
    tag = tag.replace("url(#", f"url(#{prefix}-").replace('xlink:href="#', f'xlink:href="#{prefix}-')
    tag = re.sub(r"font-family: [^;\"]*(;|(?=\"))", "font-family: inherit;", tag)
    tag = re.sub(r"\bfont: ((?:[\w.]+ )*?)([\d.]+)px [^;\"]*", _font, tag)  # matplotlib before 3.10
    tag = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", tag)
    tag = re.sub(r"(\d+\.\d{2})\d+", r"\1", tag)
    return _COLORS.sub(lambda m: f"var(--{_NAMES[m[0]]},{m[0]})", tag)


def _font(found: re.Match[str]) -> str:
    """CSS's short form of a font as single properties, without the family."""
    words = found[1].split()
    weight = next((word for word in words if word.isdigit() or word.startswith("bold")), "")
    slant = next((word for word in words if word in ("italic", "oblique")), "")
    given = (("font-style", slant), ("font-weight", weight), ("font-size", f"{found[2]}px"))
    return "; ".join(f"{name}: {value}" for name, value in given if value)
