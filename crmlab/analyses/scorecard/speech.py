"""What a scorecard calls its people and what they do: customers who buy, or donors who give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.history.words import ROUNDS, WEEKS, Words

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["DONORS", "SHOPPERS", "Speech", "speech_of"]


@dataclass(frozen=True)
class Speech:
    """Sentences with blanks, in the words of the people of a history."""

    words: Words

    def __call__(self, sentence: str) -> str:
        """Fill the blanks, as of :meth:`crmlab.history.words.Words.fill`.

        Examples
        --------
        >>> SHOPPERS("{Many} who {bought}"), DONORS("{Many} who {bought}")
        ('Customers who bought', 'Donors who gave')
        """
        return self.words.fill(sentence)


SHOPPERS, DONORS = Speech(WEEKS), Speech(ROUNDS)


def speech_of(history: History) -> Speech:
    """Return the words for the people of a history."""
    return DONORS if history.words is ROUNDS else SHOPPERS
