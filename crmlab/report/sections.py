"""The sections of a page: those that show nothing are left out, those for who looks closer are folded, and a list leads to each."""

from __future__ import annotations

import re
from itertools import count

from markupsafe import Markup

from crmlab.page.html import NOTHING, markup
from crmlab.page.result import LEFT_OUT

__all__ = ["arranged", "folded", "trimmed"]

_LEFT_OUT = re.compile(rf'<div class="note"><p><strong>{re.escape(LEFT_OUT)}</strong>.*?</p></div>\s*', flags=re.S)
_EMPTY = re.compile(r'<div class="crmlab">\s*</div>\s*')  # what a cell leaves that has nothing to show
_SHOWN = re.compile(r"<(?:table|figure|svg|pre|ul|ol|dl|details|div)\b")
_HEADING = re.compile(r"(?P<fold><hr data-fold>\s*)?<h2[^>]*>(?P<title>.*?)</h2>", flags=re.S)
_FEW = 3  # sections, under which no list of them is needed


def arranged(html: str) -> str:
    """Arrange the sections of a page.

    Parameters
    ----------
    html : str
        The inside of its ``main``; a mark ``<hr data-fold>`` stands before the heading of a section to be folded, and
        ``<hr data-unfold>`` where what is folded ends.
    """
    # What writes the page may write a mark in another way.
    close = re.sub(r'<hr data-(fold|unfold)(?:="")?\s*/?>\s*', r"<hr data-\1>", html)
    numbers = count(1)
    numbered = _HEADING.sub(
        lambda found: f'{found["fold"] or ""}<h2 id="section-{next(numbers)}">{found["title"]}</h2>', trimmed(close)
    )
    return _listed(folded(numbered))


def trimmed(html: str) -> str:
    """Say why something is left out once, and leave out sections in which nothing is shown or said.

    Where such a remark is all that a section has, its reading help goes: there is nothing to be read.

    Examples
    --------
    >>> note = '<div class="note"><p><strong>Not shown.</strong> No orders.</p></div>'
    >>> print(trimmed(f"<p>a</p><h2>A</h2><p>Look:</p>{note}<h2>B</h2><p>And here:</p>{note}<h2>C</h2><p>c</p><table></table>"))
    <p>a</p><h2>A</h2><div class="note"><p><strong>Not shown.</strong> No orders.</p></div><h2>C</h2><p>c</p><table></table>
    """
    said: set[str] = set()

    def once(found: re.Match[str]) -> str:
        text = found[0].strip()
        if text in said:
            return ""
        said.add(text)
        return found[0]

    first, *parts = re.split(r"(?=<hr data-fold>\s*<h2)|(?<!<hr data-fold>)(?=<h2)", _EMPTY.sub("", _LEFT_OUT.sub(once, html)))
    out = [first]
    for part in parts:
        body, mark, rest = part.partition("<hr data-unfold>")
        heading = _HEADING.match(body)
        assert heading is not None
        notes = _LEFT_OUT.findall(body)
        if not _SHOWN.search(_EMPTY.sub("", _LEFT_OUT.sub("", body[heading.end() :]))):
            body = heading[0] + "".join(notes) if notes else ""
        out.append(body + mark + rest)
    return "".join(out)


def folded(html: str) -> str:
    """Fold the sections of a page that are for those who look closer: from a heading that is marked to the next, or to the mark of the end.

    Examples
    --------
    >>> print(folded('<h2>A</h2>a<hr data-fold><h2>B</h2>b<h2>C</h2>c'))
    <h2>A</h2>a<details class="more"><summary><h2>B</h2></summary>b</details><h2>C</h2>c
    """
    out = []
    for part in re.split(r"(?=<hr data-fold>)|(?=<hr data-unfold>)|(?<!<hr data-fold>)(?=<h2)", html):
        marked = re.match(r"<hr data-fold>(<h2.*?</h2>)", part, flags=re.S)
        if marked:
            part = f'<details class="more"><summary>{marked[1]}</summary>{part[marked.end() :]}</details>'
        out.append(part.replace("<hr data-unfold>", "").replace("<hr data-fold>", ""))
    return "".join(out)


def _listed(html: str) -> str:
    """The same with a list of its sections below the findings, where there are several."""
    headings = re.findall(r'<h2 id="(section-\d+)">(.*?)</h2>', html, flags=re.S)
    below = re.search(r'<ul class="findings">.*?</ul>', html, flags=re.S)
    if len(headings) < _FEW or below is None:
        return html
    names = [(place, Markup(re.sub(r"<[^>]*>", "", title))) for place, title in headings]  # written as HTML already
    links = NOTHING.join(markup('<li><a href="#{}">{}</a></li>', *one) for one in names)
    found = markup('\n<nav class="contents" aria-label="On this page"><ul>{}</ul></nav>\n', links)
    return html[: below.end()] + str(found) + html[below.end() :]
