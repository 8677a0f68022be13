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
    "incremental": "what would not have happened without the contact: the cell minus its control",
    "control": "people from the same list, chosen at random, who were not contacted",
    "household": "people who share an address; they are all put into the same cell",
    "score card": "models and simple rules side by side, for a period whose outcome is already known",
    "holdout period": "the last part of the history, kept back to check a forecast",
    "gross margin": "what is left of spend after the cost of goods",
    "discounted": "future money counted at less the later it comes",
    "log-likelihood": "how well a model explains what was observed; higher is better",
    "purchase occasion": "a day on which a customer bought for more than they returned that day",
    "confidence interval": "the range that would contain the true value in the stated share of repeated samples",
    "as of": "the last day of history that the report looks at",
    "occasion": "a day on which a customer bought for more than they returned that day",
    "segment": "a group of people defined by a rule",
    "interval": "a range built to contain the true value in the stated share of cases: 9 out of 10 at 90%",
    "median": "the middle value: half of all values are below it",
    "revenue share": "the part of all revenue that a group brings",
    "recency": "how recently a customer bought",
    "frequency": "the number of days on which a customer bought",
    "Kaplan–Meier": "an estimate of how long things last that includes those that have not ended yet",
    "Markov chain": "a model in which the next move depends on the present state only, not on how it was reached",
    "transition matrix": "for each state, how likely each state is one step later",
    "growth accounting": "the change in a number of people, split into those who joined, came back and left",
    "own rhythm": "a customer’s own mean number of days between purchases",
    "reactivated": "came back after having lapsed",
    "lapsed": "silent for longer than nine in ten gaps from one time to the next, unless other thresholds were chosen",
    "cohort": "those who first bought in the same period",
    "false discovery rate": "the share of reported findings that are due to chance alone",
    "base rate": "how often something is in a basket, whatever else is in it",
    "backtest": "a forecast made as of an earlier day, compared with what has happened since",
    "percentage point": "one hundredth: from 40% to 42% is two points",
    "standardised difference": "a difference of means, measured in standard deviations",
    "log-mean Divisia index": "a way to split the change in a product of several factors into parts that add up to it",
    "percentage points": "the difference of two shares: from 4% to 6% is two points",
    "power": "the chance that a test shows an effect that exists",
    "held out of all campaigns": "kept out of every campaign at random, to see what all campaigns bring together",
    "stale": "without a purchase for longer than the chosen number of days",
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
    >>> explain("<p>The median rises. The median falls.</p>").startswith('<p>The <abbr title="the middle value: half')
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
