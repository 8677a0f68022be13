"""HTML: a text that was not marked safe is escaped, and what no page can show is taken out of it."""

from __future__ import annotations

from markupsafe import Markup, escape

from crmlab.page.format import plain

__all__ = ["markup", "safe"]


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
