"""Terms explained where a page first uses them, without a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from markupsafe import Markup

from crmlab.page.html import markup, safe
from crmlab.report.registry import dictionary

__all__ = ["GLOSSARY", "QUANTITIES", "explain"]

# Quantities that pages explain by their label, in the words of the dictionary.
QUANTITIES = ("incremental_profit", "value_today", "expected_loss", "tier", "hit_rate", "lift", "qini")

# One meaning each (the words of the field); those that are quantities are in the dictionary of these. Longer terms come first, so
# that "test cell" is not taken for "cell".
GLOSSARY = {
    "break-even cost": "what a contact may cost before it loses money",
    "incremental": "what would not have come without the contact: cell less control",
    "control": "people of the same list, drawn by chance, who were not contacted",
    "household": "people who share an address; they are put into one cell",
    "score card": "models and simple rules side by side, on a time whose outcome is already known",
    "holdout period": "the last part of the history, kept back to check a forecast",
    "gross margin": "what is left of spend after the cost of goods",
    "discounted": "money to come counted for less, the later it comes",
    "log-likelihood": "how well a model tells what was seen; higher is better",
    "purchase occasion": "a day on which a customer bought for more than came back that day",
    "confidence interval": "the range that would hold the true value in the stated share of repeated samples",
    "as of": "the last day of history that the report looks at",
    "occasion": "a day on which a customer bought for more than came back that day",
    "segment": "a group of people given by a rule",
    "interval": "a range made so that it holds the true value in the stated share of cases: 95 of 100, say",
    "median": "the value in the middle: half of all are below it",
    "revenue share": "the part of all revenue that a group brings",
    "recency": "how lately a customer bought",
    "frequency": "on how many days a customer bought",
    "Kaplan–Meier": "an estimate of how long things last that counts those which have not ended yet",
    "Markov chain": "a model in which the next move depends on the present state only, not on how it was reached",
    "transition matrix": "for each state, how likely each state is one step later",
    "growth accounting": "the change of a number of people, split into those who came, came back and left",
    "own rhythm": "the mean number of days between the purchases of one customer",
    "reactivated": "came back after having lapsed",
    "lapsed": "silent for longer than nine in ten gaps from one time to the next, unless other thresholds were chosen",
    "cohort": "those who first came in one period",
    "false discovery rate": "the share of what is called found that is found by chance only",
    "base rate": "how often something is in any basket, whatever else is in it",
    "backtest": "a forecast made as of an earlier day, held against what came since",
    "percentage point": "one hundredth: from 40% to 42% is two points",
    "standardised difference": "a difference of means, measured in standard deviations",
    "log-mean Divisia index": "a way to split the change of a product into parts that add up to it",
    "percentage points": "the difference of two shares: from 4% to 6% are two points",
    "power": "the chance that a test shows an effect that is there",
    "held out of all campaigns": "kept from every campaign by lot, to see what campaigns bring together",
    "stale": "without a purchase for longer than the number of days chosen",
}
_SKIPPED = (
    "svg",
    "table",
    "h1",
    "h2",
    "h3",
    "title",
    "style",
    "a",
    "abbr",
    "dl",
    "dt",
    "summary",
    "code",
    "pre",
    "strong",
    "nav",
)


def explain(html: str, told: Callable[[str], str] = str) -> str:
    """Wrap the first use of each term in ``<abbr>`` and add the list of terms used at the end of the text.

    Parameters
    ----------
    html : str
        The content of a page's ``main``.
    told : callable
        Puts a meaning into the words of the data set.

    Returns
    -------
    str

    Examples
    --------
    >>> explain("<p>The median rises. The median falls.</p>").startswith('<p>The <abbr title="the value in the middle')
    True
    """
    # What the page defines itself has no other meaning on it.
    own = {term.lower() for term in re.findall(r"<dt>([^<]*)</dt>", html)}
    terms = {term: told(meaning) for term, meaning in _glossary().items() if term.lower() not in own}
    used: dict[str, str] = {}
    parts = re.split(r"(<[^>]*>)", html)
    depth = 0
    for i, part in enumerate(parts):
        if part.startswith("<"):
            name = re.match(r"</?\s*([\w-]+)", part)
            if name and name[1].lower() in _SKIPPED and not part.endswith("/>"):
                depth += -1 if part.startswith("</") else 1
        elif depth == 0 and part.strip():
            parts[i] = _mark(part, used, terms)
    return "".join([*parts, _terms(used)])


@cache
def _glossary() -> dict[str, str]:
    """Term → meaning, those of quantities first: some are longer than a word of statistics that is in them."""
    known = dictionary()
    quantities = (known[name] for name in QUANTITIES if name in known)
    return {found.label: found.meaning for found in quantities} | GLOSSARY


def _mark(text: str, used: dict[str, str], terms: Mapping[str, str]) -> str:
    marked: list[tuple[int, int, str, str]] = []
    for term, meaning in terms.items():
        if meaning in used.values():
            continue
        found = re.search(rf"\b{term}s?\b", text, flags=re.I)
        if found and not any(start < found.end() and found.start() < end for start, end, _, _ in marked):
            marked.append((found.start(), found.end(), term, meaning))
            used[term] = meaning
    for start, end, _, meaning in sorted(marked, reverse=True):
        text = f'{text[:start]}<abbr title="{safe(meaning)}">{text[start:end]}</abbr>{text[end:]}'
    return text


def _terms(used: dict[str, str]) -> Markup:
    """The terms as a folded list: a title is not shown on a phone or on paper."""
    if not used:
        return Markup("")
    items = Markup("").join(markup("<dt>{}</dt><dd>{}</dd>", *item) for item in sorted(used.items()))
    return markup('\n<details class="terms"><summary>Words used here</summary><dl>{}</dl></details>\n', items)
