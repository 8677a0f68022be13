"""Sections of a page: what shows nothing is left out, a reason is said once, and a list leads to each section."""

from __future__ import annotations

import re

from crmlab.report.sections import arranged, folded, trimmed

NOTE = '<div class="note"><p><strong>Not shown.</strong> No orders yet.</p></div>'
FINDINGS = '<h1>Q</h1><ul class="findings"><li>a</li></ul>'


def titles(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html)


def test_a_reason_is_said_once_and_its_second_section_goes():
    html = trimmed(f"<h2>A</h2><p>See:</p>{NOTE}<h2>B</h2><p>Here:</p>{NOTE}<h2>C</h2>{NOTE}<table></table>")
    assert titles(html) == ["A", "C"] and html.count("Not shown.") == 1
    assert "See:" not in html and "Here:" not in html and "<table>" in html


def test_what_a_section_shows_or_warns_of_stays_with_its_help():
    warned = '<div class="note"><p><strong>Please note.</strong> Careful.</p></div>'
    for shown in ("<table></table>", "<figure></figure>", "<details></details>", warned, '<p class="files">x</p><pre>y</pre>'):
        html = f"<h2>A</h2><p>Help.</p>{shown}"
        assert trimmed(html) == html


def test_a_cell_that_shows_nothing_is_no_section():
    cell = '<div class="crmlab">{}</div>'
    html = f"<h2>A</h2><p>Help.</p>{cell.format('')}<h2>B</h2><p>And.</p>{cell.format(NOTE)}<h2>C</h2>{cell.format('<table></table>')}"
    assert titles(trimmed(html)) == ["B", "C"] and "Help." not in trimmed(html) and "And." not in trimmed(html)


def test_what_follows_the_mark_of_the_end_is_kept():
    html = arranged(
        f'{FINDINGS}<hr data-fold>\n<h2>A</h2><p>Help.</p>{NOTE}{NOTE}<hr data-unfold=""/>\n<div class="note">limits</div>'
    )
    assert html.count("Not shown.") == 1 and html.index("</details>") < html.index("limits")
    gone = arranged(
        f'{FINDINGS}<h2>B</h2>{NOTE}<table></table><hr data-fold>\n<h2>A</h2>{NOTE}<hr data-unfold><div class="note">limits</div>'
    )
    assert titles(gone) == ["B"] and "details" not in gone and "limits" in gone and "data-" not in gone


def test_a_list_leads_to_every_section_folded_ones_too():
    body = "<h2>One &amp; two</h2><table></table><hr data-fold>\n<h2>Three</h2><table></table><h2>Four</h2><figure></figure>"
    html = arranged(FINDINGS + body)
    links = re.findall(r'<li><a href="#(section-\d)">(.*?)</a></li>', html)
    assert links == [("section-1", "One &amp; two"), ("section-2", "Three"), ("section-3", "Four")]
    assert all(html.count(f'<h2 id="{place}">') == 1 for place, _ in links)
    assert html.index("</ul>") < html.index("contents") < html.index('id="section-1"')
    assert "contents" not in arranged(FINDINGS + "<h2>One</h2><table></table>") and "contents" not in arranged(body)


def test_marked_sections_are_folded():
    assert folded("<h2>A</h2>a<hr data-fold><h2>B</h2>b<hr data-unfold>c") == (
        '<h2>A</h2>a<details class="more"><summary><h2>B</h2></summary>b</details>c'
    )
