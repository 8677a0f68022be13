"""HTML: a text that was not marked safe is escaped, and what no page can show is taken out of it."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from crmlab.page.format import MINUS
from crmlab.page.texts import plain
from crmlab.page.tokens import TOKENS

__all__ = ["NOTHING", "each", "first_sentence", "in_lab", "markup", "safe", "unbroken"]


def safe(value: object) -> Markup:
    """Return a text for HTML, in an element or an attribute; what is marked safe stays as it is.

    Examples
    --------
    >>> safe("a\\x00 < b's")
    Markup('a  &lt; b&#39;s')
    """
    return value if isinstance(value, Markup) else escape(plain(str(value)))


def markup(template: str, *parts: object) -> Markup:
    """Fill the places ``{}`` of a template that is HTML itself, each as :func:`safe` writes it.

    Examples
    --------
    >>> markup("<p>{} {}</p>", "<script>", markup("<b>{}</b>", "&"))
    Markup('<p>&lt;script&gt; <b>&amp;</b></p>')
    """
    return Markup(template).format(*map(safe, parts))


def _tokens(place: str, shade: int) -> str:
    return f"{place}{{{';'.join(f'--{name}:{colors[shade]}' for name, colors in TOKENS.items())}}}"


# Enough style for JupyterLab, light and dark; a page has its own and drops this.
_LAB_STYLE = Markup(
    f"<style data-crmlab>{_tokens('.crmlab', 0)}{_tokens('body[data-jp-theme-light=false] .crmlab', 1)}"
    ".crmlab .findings{list-style:none;display:flex;flex-wrap:wrap;gap:1rem 2rem;padding:0;margin:.5rem 0}"
    ".crmlab .findings li{max-width:15rem}.crmlab .findings strong{display:block;font-size:1.8rem;line-height:1.2}"
    ".crmlab .slim{display:none}.crmlab .nb{white-space:nowrap}"
    ".crmlab .ci{opacity:.75;font-size:.86em}.crmlab figure{margin:1rem 0;max-width:46rem}.crmlab td .ci{display:block}"
    ".crmlab caption,.crmlab figcaption{text-align:left;opacity:.8;font-size:.9em}"
    ".crmlab .note{border-left:3px solid var(--second);padding:.4rem 1rem;margin:1rem 0}</style>"
)


NOTHING = Markup("")


def in_lab(content: Markup) -> str:
    """Content with as much style as JupyterLab needs; nothing where there is none."""
    return str(markup('{}<div class="crmlab">{}</div>', _LAB_STYLE, content)) if content else ""


def unbroken(text: str) -> Markup:
    """Keep each negative amount on one line: a browser would break it between minus and currency."""
    return Markup(" ").join(
        markup('<span class="nb">{}</span>', word) if len(word) < 40 and MINUS in word else safe(word)
        for word in text.split(" ")
    )


def each(template: str, values: Iterable[object]) -> Markup:
    """A template filled with each of the values."""
    return NOTHING.join(markup(template, value) for value in values)


def first_sentence(caption: str) -> str:
    """The first sentence of a caption."""
    return caption.split(". ")[0].rstrip(".")
