"""Every page made from a small shop, opened in a real browser: self-contained, accessible, readable on a phone, on paper, by mail."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from crmlab.report.registry import REPORTS

from .conftest import Shop
from .helpers import broken_links, crmlab, environment, files_of, made, pages_of, read_page, shown

pytestmark = pytest.mark.proof
SCHEMES = ("light", "dark")
WIDTHS = (1280, 380)
# A4 less the margins of the page's print style, in CSS pixels.
PAPER = 680

PROBE = """() => {
  const list = (selector) => [...document.querySelectorAll(selector)];
  const problems = [];
  const say = (what, element) => problems.push(what + (element ? ': ' + element.outerHTML.slice(0, 120) : ''));
  const sentence = (text) => text && text.trim().split(/\\s+/).length >= 4 && text.trim().endsWith('.');
  const count = (selector, expected) => {
    if (list(selector).length !== expected) say(`${list(selector).length} of ${selector}, expected ${expected}`);
  };
  if (!document.documentElement.lang) say('no language');
  if (!document.title.trim()) say('no title');
  for (const one of ['h1', 'body > header', 'body > main', 'body > footer', 'meta[http-equiv=Content-Security-Policy]']) count(one, 1);
  for (const none of ['script', 'iframe', 'object', 'embed', 'form', 'base', 'link']) count(none, 0);
  for (const e of list('*')) for (const a of e.attributes) if (/^on/i.test(a.name)) say('a handler of events', e);
  for (const e of list('img')) if (!sentence(e.alt)) say('no sentence as its alt text', e);
  for (const e of list('img')) if (!e.complete || !e.naturalWidth) say('a picture that cannot be shown', e);
  for (const e of list('main svg')) if (e.closest('svg[role=img]') === null) say('a chart without a role', e);
  for (const e of list('svg[role=img]')) if (!sentence(e.getAttribute('aria-label'))) say('no sentence as its label', e);
  for (const e of list('table')) if (!e.caption || !e.caption.textContent.trim()) say('a table without a caption', e);
  for (const e of list('th')) if (!['row', 'col', 'rowgroup', 'colgroup'].includes(e.getAttribute('scope'))) say('th without scope', e);
  const ids = list('[id]').map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) say('an id given twice: ' + id);
  for (const e of list('a[href]')) if (!e.textContent.trim()) say('a link without words', e);
  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) {
    say(`it scrolls sideways: ${page.scrollWidth} px in ${innerWidth} px`);
    for (const e of list('main *')) {
      if (e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .plot')) say('too wide', e);
    }
  }
  return problems;
}"""

# Text in charts: its size as it is seen, whether it is cut off, and its contrast with what lies behind it.
CHARTS = """() => {
  const problems = [];
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const color = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const linear = (c) => c / 255 <= .04045 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(linear);
    return .2126 * x + .7152 * y + .0722 * z; };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const opacity = (e) => { let all = 1;
    for (; e && e.tagName !== 'svg'; e = e.parentElement) all *= +getComputedStyle(e).opacity;
    return all; };
  const paint = (e) => { const style = getComputedStyle(e); if (style.fill === 'none') return null;
    const c = color(style.fill); return [c[0], c[1], c[2], c[3] * style.fillOpacity * opacity(e)]; };
  const paper = color(getComputedStyle(document.body).backgroundColor);
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    if (!svg.getClientRects().length) continue;  // drawn for another width
    for (const text of svg.querySelectorAll('text')) {
      const words = text.textContent.trim();
      if (!words) continue;
      const matrix = text.getScreenCTM(), box = text.getBoundingClientRect(), frame = svg.getBoundingClientRect();
      const size = parseFloat(getComputedStyle(text).fontSize) * Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c));
      if (size < 9) problems.push(`${size.toFixed(1)} px: ${words}`);
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        problems.push(`cut off: ${words}`);
      text.scrollIntoView({block: 'center', inline: 'center'});
      const now = text.getBoundingClientRect();
      const below = document.elementsFromPoint(now.left + now.width / 2, now.top + now.height / 2)
        .filter((e) => svg.contains(e) && e !== svg && !text.contains(e) && !e.contains(text))
        .filter((e) => e.tagName !== 'text' && e.tagName !== 'tspan');
      let behind = paper;
      for (const e of below.reverse()) { const c = paint(e); if (c) behind = over(c, behind); }
      const ink = paint(text);
      const seen = contrast(over(ink, behind), behind);
      if (seen < 4.5) problems.push(`contrast ${seen.toFixed(2)}: ${words}`);
    }
  }
  return problems;
}"""

OPEN = "() => document.querySelectorAll('details').forEach((e) => { e.open = true; })"
# Words and figures that stand before the fold; the list of contents says none of its own.
LENGTH = """() => {
  const main = document.querySelector('main').cloneNode(true);
  for (const e of main.querySelectorAll('details, nav')) e.remove();
  const figures = main.querySelectorAll('figure').length;
  for (const e of main.querySelectorAll('svg')) e.remove();
  return [main.textContent.split(/\\s+/).filter((word) => word).length, figures];
}"""
MOST_WORDS, MOST_FIGURES = 900, 5
# What only who looks closer should have to read: words of statistics, which the text before the fold says in plain ones.
OPEN_TEXT = """() => {
  const main = document.querySelector('main').cloneNode(true);
  for (const e of main.querySelectorAll('details, svg, abbr[title]')) e.remove();
  return main.textContent;
}"""
JARGON = re.compile(
    r"\b(AUC|Brier|log[ -]loss|MAP|Qini|Gini|p = |p < |q-values?|standard (deviations?|errors?)|Kaplan|Benjamini|null hypothes[ie]s"
    r"|false[ -]discovery|log-likelihood|bootstrap)\b"
)

# On paper all is open but the dictionaries of files, which the paper does not hold.
FOLDED = """() => [...document.querySelectorAll('details:not(.columns)')].filter((e) => {
  const inside = [...e.children].filter((child) => child.tagName !== 'SUMMARY');
  return !inside.length || inside.some((child) => child.getBoundingClientRect().height < 5);
}).map((e) => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def pages(shop: Shop) -> dict[str, Path]:
    """Every page of the small shop."""
    found = pages_of(shop.folder)
    assert {"index", "rfm", "data_quality"} <= set(found)
    return found


# --- in a browser ---------------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_sound(pages: dict[str, Path], browser: Any, scheme: str, width: int) -> None:
    problems = {}
    for name, page in pages.items():
        with shown(browser, page, color_scheme=scheme, viewport={"width": width, "height": 900}) as (tab, seen):
            tab.evaluate(OPEN)  # what is folded is looked at, too
            found = tab.evaluate(PROBE) + [f"in a chart, {what}" for what in tab.evaluate(CHARTS)]
            found += [f"it asks for {url}" for url in seen.requests] + [f"the browser says: {text}" for text in seen.complaints]
        if found:
            problems[name] = found
    assert problems == {}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param(scheme, width, marks=[] if (scheme == "dark") == (width == min(WIDTHS)) else [pytest.mark.nightly])
        for scheme in SCHEMES
        for width in WIDTHS
    ],
)
def test_pages_are_accessible(pages: dict[str, Path], browser: Any, axe: str, scheme: str, width: int) -> None:
    problems = {}
    for name, page in pages.items():
        # The pages' policy forbids scripts, axe-core too: only this check may set it aside.
        options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
        with shown(browser, page, **options) as (tab, _):
            tab.evaluate(OPEN)
            tab.add_script_tag(content=axe)
            violations = tab.evaluate(
                "() => axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"
            )
        found = [f"{v['id']}: {v['help']} ({v['nodes'][0]['html'][:100]}, {len(v['nodes'])} in all)" for v in violations]
        if found:
            problems[name] = found
    assert problems == {}


@pytest.mark.browser
def test_what_stands_before_the_fold_is_short(pages: dict[str, Path], browser: Any) -> None:
    for name, page in pages.items():
        with shown(browser, page, viewport={"width": 1280, "height": 900}) as (tab, _):
            words, figures = tab.evaluate(LENGTH)
            assert words > 50, name
            assert words <= MOST_WORDS and figures <= MOST_FIGURES, (name, words, figures)
            found = JARGON.search(tab.evaluate(OPEN_TEXT))
            assert found is None, (name, found)


@pytest.mark.browser
def test_on_a_phone_rows_of_short_tables_are_cards_and_longer_ones_scroll(pages: dict[str, Path], browser: Any) -> None:
    hidden = """() => [...document.querySelectorAll('table.cards td, table.cards tbody th')].filter((e) => {
      const box = e.getBoundingClientRect();
      return box.right > innerWidth + 1 || box.left < -1 || e.scrollWidth > e.clientWidth + 1;
    }).map((e) => e.outerHTML.slice(0, 100))"""
    for name, page in pages.items():
        with shown(browser, page, viewport={"width": 380, "height": 900}) as (tab, _):
            tab.evaluate(OPEN)
            assert tab.evaluate(hidden) == [], name
            shaded = "() => [...document.querySelectorAll('.scroll:not(:has(.cards))')].every((e) => getComputedStyle(e).backgroundImage !== 'none')"
            assert tab.evaluate(shaded), name


@pytest.mark.browser
def test_most_charts_are_drawn_for_a_phone_too(pages: dict[str, Path], browser: Any) -> None:
    fitted = """() => [...document.querySelectorAll('figure')].map((e) => {
      const seen = [...e.querySelectorAll('svg[role=img]')].filter((one) => one.getClientRects().length);
      const box = seen[0].getBoundingClientRect(), holder = seen[0].parentElement;
      return [seen.length, box.left >= 0 && box.right <= innerWidth, getComputedStyle(holder).overflowX === 'auto'];
    })"""
    figures = []
    for page in pages.values():
        with shown(browser, page, viewport={"width": 380, "height": 900}) as (tab, _):
            tab.evaluate(OPEN)
            figures += tab.evaluate(fitted)
    # One drawing of each is seen: the narrow one, whole, or the wide one, which scrolls.
    assert all(count == 1 and (whole or scrolls) for count, whole, scrolls in figures)
    assert sum(whole for _, whole, _ in figures) >= 0.8 * len(figures)


def test_the_index_answers_a_manager(pages: dict[str, Path]) -> None:
    text = pages["index"].read_text(encoding="utf-8")
    assert "crmlab run" not in text and "A cell failed" not in text
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[-1] in ("The reports", "What is missing, and why")
    assert ("What to do now" in headings) == ("actions" in pages)
    assert ("How well past forecasts turned out" in headings) <= ("scorecard" in pages)
    listed = re.findall(r'<li id="([^"]*)"><h3><a', text)
    assert listed == sorted(listed, key=lambda place: list(REPORTS).index(place.split("--")[0]))
    assert set(listed) == set(pages) - {"index"}


@pytest.mark.browser
def test_the_policy_of_pages_stops_scripts_and_requests(pages: dict[str, Path], browser: Any, tmp_path: Path) -> None:
    attack = '<script>window.hacked = 1</script><img alt="" src="http://127.0.0.1:9/x.png" onerror="window.hacked = 2"></main>'
    for name, page in pages.items():
        changed = tmp_path / f"{name}.html"
        changed.write_text(page.read_text(encoding="utf-8").replace("</main>", attack), encoding="utf-8")
        with shown(browser, changed) as (tab, seen):
            assert tab.evaluate("() => window.hacked") is None
            refused = [text for text in seen.complaints if "Content Security Policy" in text]
            assert len(refused) >= 2, (name, seen.complaints)


@pytest.mark.browser
def test_pages_print_whole(pages: dict[str, Path], browser: Any) -> None:
    for name, page in pages.items():
        with shown(browser, page, color_scheme="dark", viewport={"width": PAPER, "height": 960}) as (tab, _):
            tab.emulate_media(media="print", color_scheme="dark")
            assert tab.evaluate(FOLDED) == [], name
            assert name == "index" or tab.evaluate("() => document.querySelectorAll('details').length") > 0
            assert tab.evaluate("() => document.scrollingElement.scrollWidth") <= PAPER, name
            # Nothing is hidden behind a box that scrolls, and paper is white.
            boxes = (
                "() => [...document.querySelectorAll('.scroll, .plot')].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
            )
            assert tab.evaluate(boxes) == 0, name
            assert tab.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", name


@pytest.mark.browser
def test_folder_works_from_a_zip(shop: Shop, pages: dict[str, Path], browser: Any, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "mail"), "zip", shop.folder)
    elsewhere = tmp_path / "Über mail, a copy"
    shutil.unpack_archive(archive, elsewhere)
    assert broken_links(elsewhere) == []
    for name in set(pages) - {"index"}:
        with shown(browser, elsewhere / "index.html") as (tab, seen):
            tab.click(f'a[href="{name}/report.html"]')
            assert tab.url == (elsewhere / name / "report.html").as_uri()
            assert tab.locator("h1").count() == 1
            tab.click("nav a")
            assert tab.url == (elsewhere / "index.html").as_uri()
            assert seen.complaints == []


# --- as files -------------------------------------------------------------------------------------------------------------


def test_pages_as_files(pages: dict[str, Path]) -> None:
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8")
        assert page.stat().st_size < 500_000, name
        assert "<script" not in text.lower(), name
        assert "Content-Security-Policy" in text, name
        for outside in ('src="http', "url(http", "@import", 'href="http'):
            assert outside not in text, (name, outside)
        assert len(read_page(page).ids) == len(set(read_page(page).ids)), name


def test_links_lead_to_files(shop: Shop, pages: dict[str, Path]) -> None:
    assert broken_links(shop.folder) == []
    linked = {link.split("/")[0] for link in read_page(pages["index"]).links if link.endswith("/report.html")}
    assert linked == set(pages) - {"index"}


def test_pages_name_data_and_day(pages: dict[str, Path]) -> None:
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8")
        assert "<title>" in text, name
        assert "The tiny shop" in text, name
        assert "crm@example.com" in text, name


# --- on paper -------------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_pdf_is_tagged_with_outline(shop: Shop, browser: Any, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    shutil.copytree(shop.out, out)
    before = files_of(out)
    done = made(crmlab("render", "--out", out, "--pdf", env=shop.env))
    made_now = {name: content for name, content in files_of(out).items() if name not in before}
    places = [page.parent for name, page in pages_of(out / "tiny").items() if name != "index"]
    assert set(made_now) == {(place / "report.pdf").relative_to(out).as_posix() for place in places}
    for name, content in made_now.items():
        assert name in done.stdout
        assert content.startswith(b"%PDF"), name
        assert b"/StructTreeRoot" in content, f"{name} is not tagged"
        assert b"/MarkInfo" in content, f"{name} is not tagged"
        assert b"/Outlines" in content, f"{name} has no outline"
        assert len(content) < 3_000_000, name
    # Rendering again from the executed notebooks gives the same pages.
    after = files_of(out)
    assert [name for name in before if before[name] != after[name]] == []


def test_pdf_without_browser_says_so(shop: Shop, tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "reports"
    shutil.copytree(shop.out, out)
    done = crmlab("render", "--out", out, "--pdf", env=environment(cache, CRMLAB_BROWSER="/nonexistent"))
    assert done.returncode == 2
    assert done.stderr.startswith("crmlab: No PDF was made: it needs Chromium or Chrome, and none was found.")
    assert "Traceback" not in done.stderr
    assert not list(out.rglob("*.pdf"))
