"""The words and lengths of time of a rhythm: weeks, or yearly rounds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROUNDS", "WEEKS", "YEAR_OF_WEEKS", "Words"]


YEAR_OF_WEEKS = 52


@dataclass(frozen=True)
class Words:
    """What the people, their deeds and the periods are called."""

    one: str
    many: str
    deed: str
    deeds: str
    period: str
    periods: str
    unit: str  # of CustomerValue

    def span(self, count: float) -> str:
        """A number of periods in words.

        Examples
        --------
        >>> WEEKS.span(1), WEEKS.span(26)
        ('1 week', '26 weeks')
        """
        return f"{count:g} {self.period if count == 1 else self.periods}"


WEEKS = Words("customer", "customers", "purchase", "purchases", "week", "weeks", "week")
ROUNDS = Words("donor", "donors", "gift", "gifts", "year", "years", "year")
