"""What a scorecard calls its people and what they do: customers who buy, or donors who give; and what is done with each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.history.words import ROUNDS, WEEKS, Words

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["DONORS", "SHOPPERS", "TREATMENTS", "Speech", "speech_of"]


@dataclass(frozen=True)
class Speech:
    """Sentences with blanks, in the words of the people of a history; and what is done with each group of them."""

    words: Words

    def __call__(self, sentence: str) -> str:
        """Fill the blanks, as of :meth:`crmlab.history.words.Words.fill`.

        Examples
        --------
        >>> SHOPPERS("{Many} who {bought}"), DONORS("{Many} who {bought}")
        ('Customers who bought', 'Donors who gave')
        """
        return self.words.fill(sentence)

    def treatment(self, tier: str, state: str) -> str:
        """What is done with a group by default; nothing where tier or state is not known.

        Examples
        --------
        >>> SHOPPERS.treatment("A", "new")
        'welcome in person; help to the second purchase'
        """
        worth = {"A": "high", "B": "high", "C": "low", "D": "low"}.get(tier, "")
        return self(TREATMENTS.get((worth, state), ""))


SHOPPERS, DONORS = Speech(WEEKS), Speech(ROUNDS)

# What to do by default, by worth (tiers A and B, or C and D) and state, with blanks for the words of who they are.
TREATMENTS = {
    ("high", "new"): "welcome in person; help to the second {deed}",
    ("high", "active"): "{thanks}; ask for a recommendation",
    ("high", "slowing"): "call or write in person before the habit is gone",
    ("high", "reactivated"): "welcome back; ask why they had left",
    ("high", "lapsed"): "win back, with what a test has shown to pay",
    ("high", "lost"): "one good try to win back, then stop",
    ("low", "new"): "a series of welcome messages; make the next {deed} easy",
    ("low", "active"): "{more}",
    ("low", "slowing"): "a reminder that costs little",
    ("low", "reactivated"): "give a reason for the next {deed}",
    ("low", "lapsed"): "a reminder that costs little, twice a year at most",
    ("low", "lost"): "no spending; messages that cost nothing at most",
}


def speech_of(history: History) -> Speech:
    """Return the words for the people of a history."""
    return DONORS if history.words is ROUNDS else SHOPPERS
