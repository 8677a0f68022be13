"""The words and lengths of time of a rhythm: weeks, or yearly rounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["QUARTER", "QUARTERS", "ROUNDS", "WEEKS", "YEAR", "Words", "words_for"]


# Days of periods that are counted: a year up to and with a day, and its quarters, the latest first, the oldest with 92 days. Rates per
# year (of discount, of months) are another matter: they reckon with 365.25 days, as the calendar has them on average.
YEAR, QUARTER = 365, 91
QUARTERS = (QUARTER, QUARTER, QUARTER, YEAR - 3 * QUARTER)


@dataclass(frozen=True)
class Words:
    """What the people, their deeds, their money and the periods are called: the one list of what differs between customers and donors.

    Attributes
    ----------
    one, many, deed, deeds, did, period, periods, unit : str
        As in a customer who made a purchase, bought twice, in a week; the unit is that of the models of value.
    blanks : mapping of str to str
        Further words for the blanks of :meth:`fill`, by name.
    """

    one: str
    many: str
    deed: str
    deeds: str
    did: str  # what they did, as in "bought twice"
    period: str
    periods: str
    unit: str  # of CustomerValue
    blanks: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be the same object in whatever process reads it: which of the two it is, is asked by identity."""
        known = next((name for name, one in (("WEEKS", WEEKS), ("ROUNDS", ROUNDS)) if one is self), None)
        return known or super().__reduce_ex__(protocol)

    def fill(self, sentence: str) -> str:
        """Fill the blanks of a sentence that is written once; one that begins with a capital gets its word with one.

        Examples
        --------
        >>> WEEKS.fill("{Many} who {bought}: {profit}"), ROUNDS.fill("{Many} who {bought}: {profit}")
        ('Customers who bought: profit', 'Donors who gave: net gifts')
        """
        own = {"one": self.one, "many": self.many, "deed": self.deed, "deeds": self.deeds, "bought": self.did}
        found = {**own, **self.blanks}
        return sentence.format(**found, **{name.capitalize(): word[:1].upper() + word[1:] for name, word in found.items()})

    def span(self, count: float) -> str:
        """A number of periods in words.

        Examples
        --------
        >>> WEEKS.span(1), WEEKS.span(26), WEEKS.span(WEEKS.year)
        ('1 week', '26 weeks', '12 months')
        """
        if self.unit == "week" and abs(7 * count - YEAR) < 1e-6:
            return "12 months"
        return f"{count:g} {self.period if count == 1 else self.periods}"

    def told(self, text: str) -> str:
        """A text that is written once, about customers who purchase, in these words: what a column means, a term of the glossary.

        Examples
        --------
        >>> ROUNDS.told("days on which the customer bought; empty: no purchase occasion of the customer's")
        "days on which the donor gave; empty: no gift of the donor's"
        >>> ROUNDS.told("Profit per customer; revenue where no margin is known")
        'Net gifts per donor'
        >>> WEEKS.told("days on which the customer bought")
        'days on which the customer bought'
        """
        if self.deed == "purchase":
            return text
        return _SHOPS.sub(lambda found: _OF_GIFTS[found[0]], text)

    @property
    def decided(self) -> str:
        """Where it is decided what to do with single people: said alike on every page that leaves it open.

        Examples
        --------
        >>> ROUNDS.decided
        'What to do with each donor is decided on the page “What to do now”.'
        """
        return f"What to do with each {self.one} is decided on the page “What to do now”."

    @property
    def year(self) -> float:
        """A year in periods: 365 days, or one round."""
        return YEAR / 7 if self.unit == "week" else 1.0


WEEKS = Words(
    *("customer", "customers", "purchase", "purchases", "bought", "week", "weeks", "week"),
    blanks={
        "given": "bought",
        "buy": "buy",
        "bring": "bring",
        "buying": "buying",
        "pay": "spend",
        "paid": "spent",
        "revenue": "revenue",
        "in_revenue": "revenue",
        "comes": "comes",
        "net": ", net of returns",
        "returns": "returns",
        "revenue_is": "revenue is",
        "profit": "profit",
        "sales": "sales",
        "order": "order",
        "order_value": "order value",
        "occasion": "purchase occasion",
        "occasions": "purchase occasions",
    },
)
ROUNDS = Words(
    *("donor", "donors", "gift", "gifts", "gave", "year", "years", "year"),
    blanks={
        "given": "given",
        "buy": "give",
        "bring": "give",
        "buying": "giving",
        "pay": "bring",
        "paid": "given",
        "revenue": "gifts",
        "in_revenue": "in gifts",
        "comes": "come",
        "net": "",
        "returns": "refunds",
        "revenue_is": "gifts are",
        "profit": "net gifts",
        "sales": "gifts",
        "order": "gift",
        "order_value": "gift",
        "occasion": "gift",
        "occasions": "gifts",
    },
)

# What a text about customers becomes where people give: of a gift all is kept, so that it has no margin that could be unknown.
_PHRASES = {
    "; revenue where no margin is known": "",
    "; empty where no margin is known": "",
    "; where no margin is known, in revenue, of which only the margin may be spent": "",
    "margin, or revenue where no margin is known": "gifts",
    "gross margin": "gifts",
    "margin": "gifts",
    "revenue before returns": "gifts",
    "revenue": "gifts",
    "profit": "net gifts",
    "spend so far": "given so far",
    "spend more": "give more",
    "orders": "gifts",
    "bought": ROUNDS.did,
    "buying": "giving",
    "buys": "gives",
    "buy": "give",
}
_NOUNS = {
    "purchase occasion": ROUNDS.deed,
    "purchase": ROUNDS.deed,
    "occasion": ROUNDS.deed,
    "customer": ROUNDS.one,
    "buyer": ROUNDS.one,
}
_OF_GIFTS = _PHRASES | _NOUNS | {f"{word}s": f"{other}s" for word, other in _NOUNS.items()}
_OF_GIFTS |= {word.capitalize(): other.capitalize() for word, other in _OF_GIFTS.items()}
_LONGEST_FIRST = "|".join(map(re.escape, sorted(_OF_GIFTS, key=len, reverse=True)))
# Not in names of columns, files and parameters. What follows a semicolon goes with it.
_SHOPS = re.compile(rf"(?:(?<![\w.-])|(?=;))(?:{_LONGEST_FIRST})\b(?![\w=]|\.\w)")


def words_for(rounds: str) -> Words:
    """The words of a data set, by what its file says of rounds.

    Examples
    --------
    >>> words_for("year").many, words_for("none").many
    ('donors', 'customers')
    """
    return ROUNDS if rounds == "year" else WEEKS
