"""The words and lengths of time of a rhythm: weeks, or yearly rounds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUARTER", "QUARTERS", "ROUNDS", "WEEKS", "YEAR", "Words"]


# Days of periods that are counted: a year up to and with a day, and its quarters, the latest first, the oldest with 92 days. Rates per
# year (of discount, of months) are another matter: they reckon with 365.25 days, as the calendar has them on average.
YEAR, QUARTER = 365, 91
QUARTERS = (QUARTER, QUARTER, QUARTER, YEAR - 3 * QUARTER)


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
        >>> WEEKS.span(1), WEEKS.span(26), WEEKS.span(WEEKS.year)
        ('1 week', '26 weeks', '12 months')
        """
        if self.unit == "week" and abs(7 * count - YEAR) < 1e-6:
            return "12 months"
        return f"{count:g} {self.period if count == 1 else self.periods}"

    @property
    def year(self) -> float:
        """A year in periods: 365 days, or one round."""
        return YEAR / 7 if self.unit == "week" else 1.0


WEEKS = Words("customer", "customers", "purchase", "purchases", "week", "weeks", "week")
ROUNDS = Words("donor", "donors", "gift", "gifts", "year", "years", "year")
