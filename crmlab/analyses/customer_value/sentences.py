"""What is said of value on every page that shows it: what it is, what the base is worth, and what it means that nobody has left."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.valuation import ALL

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.customer_value.scoring import Scores
    from crmlab.history.words import Words
    from crmlab.page.format import Format

__all__ = ["a_year", "later_spend", "left_for_good", "money_of", "spend_of", "total_said", "what_of"]


def money_of(scores: Scores) -> str:
    """What the money is: margin, or where none is known revenue; of donors, gifts."""
    return scores.fit.margin.word


def spend_of(words: Words, given: str = "amount given") -> str:
    """What customers spend, for which donors have another word: they give.

    Examples
    --------
    >>> from crmlab.history.words import ROUNDS, WEEKS
    >>> spend_of(WEEKS), spend_of(ROUNDS), spend_of(ROUNDS, "give")
    ('spend', 'amount given', 'give')
    """
    return given if words.unit == "year" else "spend"


def later_spend(words: Words) -> str:
    """By what a ranking is judged, where that is money."""
    return "the amount given later" if words.unit == "year" else "later spend"


def a_year(words: Words) -> str:
    """What follows "the next" where a year is meant.

    Examples
    --------
    >>> from crmlab.history.words import ROUNDS, WEEKS
    >>> a_year(WEEKS), a_year(ROUNDS)
    ('12 months', 'year')
    """
    return words.period if words.unit == "year" else words.span(words.year)


def what_of(scores: Scores, form: Format) -> str:
    """What value is: of what, over how long, at which discount."""
    horizon = scores.horizon
    span = "all future years" if math.isinf(horizon) else f"the next {scores.base.words.span(horizon)}"
    return f"{scores.fit.margin.kind(form)} expected over {span}, discounted at {form.share(scores.fit.model.rate)} a year"


def total_said(scores: Scores, sums: pd.DataFrame, form: Format) -> str:
    """What the base is worth, what a year of it is, and what the check of the forecast said: a sentence that follows the total.

    Parameters
    ----------
    scores : Scores
    sums : DataFrame
        As of :func:`crmlab.analyses.customer_value.sums`.
    form : Format
    """
    total, words, money = sums.loc[ALL], scores.base.words, money_of(scores)
    who, still = f"today’s {form.count(total['customers'])} {words.many}", "still " if scores.fit.seen else ""
    bring = (
        f"what {who} are {still}expected to give"
        if money == "gifts"
        else f"the {money} that {who} are {still}expected to bring"
    )
    if scores.fit.seen:
        year = f"{form.money(total['value_today'])} is expected in the next {a_year(words)}."
        return f"is {bring}, discounted to today; {year} {scores.miss.said(form)}"
    return f"is {bring} in the next {words.span(scores.ahead)}, discounted to today. {scores.miss.said(form)}"


def left_for_good(words: Words, gone: int | None = None) -> str:
    """What it means that a model sees nobody leave, beside the lifecycle, which may call some lapsed or lost; said alike on every page.

    Parameters
    ----------
    words : Words
    gone : int, optional
        How many the lifecycle calls lapsed or lost; default: not known.

    Examples
    --------
    >>> from crmlab.history.words import WEEKS
    >>> left_for_good(WEEKS, 0)
    'Nobody is seen to have left for good.'
    >>> left_for_good(WEEKS)[:86]
    'Nobody is seen to have left for good, yet the report on lifecycle may call some lapsed'
    """
    nobody = "Nobody is seen to have left for good"
    if gone == 0:
        return f"{nobody}."
    calls = "report on lifecycle may call" if gone is None else "lifecycle calls"
    return (
        f"{nobody}, yet the {calls} some lapsed or lost: both can be true. The lifecycle counts days without a {words.deed}; the model "
        f"of {words.deeds} finds that silences this long have so far ended in another {words.deed}. So these {words.many} are overdue, "
        "not known to be gone."
    )
