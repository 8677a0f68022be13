"""Billing periods: the words that sources have for what the price of a contract is for."""

from __future__ import annotations

from typing import Any

from crmlab.data.tables import PERIODS

__all__ = ["PERIOD_WORDS", "in_periods", "period_of"]

PERIOD_WORDS = {
    "day": "day, daily, 1 day, p1d, d, per day, tag, täglich, jour, dia",
    "week": "week, weekly, 1 week, 7 days, p1w, p7d, w, wk, per week, woche, wöchentlich, semaine, hebdomadaire, semana, semanal",
    "4 weeks": "4 weeks, four weeks, 4-weekly, 28 days, p4w, p28d, 4 wochen, vier wochen, 4 semaines",
    "month": "month, monthly, months, 1 month, p1m, m, mo, mth, per month, monat, monatlich, mtl, mtl., mois, mensuel, mes, mensual, "
    "mese, mensile, maand, maandelijks",
    "quarter": "quarter, quarterly, 3 months, every 3 months, p3m, q, per quarter, quartal, vierteljährlich, quartalsweise, 3 monate, "
    "trimestre, trimestriel, trimestral, trimestrale, kwartaal",
    "half-year": "half-year, half year, half-yearly, half yearly, semi-annual, semiannual, semi-annually, biannual, 6 months, p6m, "
    "halbjahr, halbjährlich, 6 monate, semestre, semestriel, semestral, semestrale",
    "year": "year, yearly, years, annual, annually, 1 year, 12 months, p1y, p12m, y, yr, per year, jahr, jährlich, jahre, 12 monate, "
    "an, annuel, année, año, anual, anno, annuale, jaar, jaarlijks",
}
_MEANT = {word: period for period, words in PERIOD_WORDS.items() for word in words.split(", ")}


def period_of(text: str) -> str | None:
    """Say which billing period a word stands for; None where it is none that is known.

    Examples
    --------
    >>> period_of("Monthly"), period_of("P1Y"), period_of("3 Monate"), period_of("fortnight")
    ('month', 'year', 'quarter', None)
    """
    return _MEANT.get(" ".join(text.lower().split()))


def in_periods(written: Any) -> Any:
    """Bring a column of texts into canonical periods; a word that is not known stays as it is, to be refused by its name.

    Parameters
    ----------
    written : ibis.Value
        What stands there, as text.
    """
    import ibis

    word = written.lower()
    cases = ((word.isin([one for one, of in _MEANT.items() if of == period]), period) for period in PERIODS)
    return ibis.cases(*cases, else_=written)
