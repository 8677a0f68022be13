"""What a scorecard is told from: its periods, the sums of each, and what each customer adds to them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.lifecycle import QUANTILES, Life, life_of, limits_of
from crmlab.analyses.scorecard.estimation import Panel, estimates, panel
from crmlab.analyses.scorecard.reductions import Period, calendar, customer_periods, periods, rhythm
from crmlab.errors import DataError, ParameterError
from crmlab.history.context import form_of
from crmlab.history.orders import history
from crmlab.models.btyd.special import Array

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.page.format import Format

__all__ = ["QUARTER", "YEAR", "Board", "board_of", "labelled", "length_of", "unit_of"]


YEAR = 364  # days: 52 weeks, so that a year ago has the same weekdays
QUARTER = "13 weeks"
_PER_YEAR = {"month": 12, "quarter": 4, "year": 1}
_SHOWN = 9  # periods of a small chart, at least


@dataclass(frozen=True, eq=False)
class Board:
    """Everything that the rows of a scorecard are made of.

    Attributes
    ----------
    data : Dataset
    first, end : datetime.date
        First and last day of history.
    form : Format
    level : float
    min_group : int
    spans : list of Period
        Whole periods, oldest first; the last is the one that the page is about.
    per_year : int
        Periods in a year.
    sums : DataFrame
        Of :func:`crmlab.analyses.scorecard.estimation.estimates`.
    people : Panel
        Customers of the period, the one before, and the same a year ago.
    rhythm : float or None
        Median days between purchases.
    life : Life or None
        None where too few came again for states.
    why_no_life : str
    margin : float or None
        Gross margin, where it was given.
    """

    data: Dataset
    first: dt.date
    end: dt.date
    form: Format
    level: float
    min_group: int
    spans: list[Period]
    per_year: int
    sums: pd.DataFrame
    people: Panel
    rhythm: float | None
    life: Life | None
    why_no_life: str
    margin: float | None

    @property
    def now(self) -> int:
        """Place of the period that the page is about."""
        return len(self.spans) - 1

    @property
    def last(self) -> int | None:
        """Place of the period before; None where there is none with enough customers."""
        return self._known(self.now - 1)

    @property
    def year(self) -> int | None:
        """Place of the same period a year ago; None where the history does not reach it, or it is the period before."""
        return self._known(self.now - self.per_year) if self.per_year > 1 else None

    @property
    def compared(self) -> int | None:
        """What the period is compared with first: a year ago, or else the period before."""
        return self.year if self.year is not None else self.last

    @property
    def span(self) -> Period:
        """The period that the page is about."""
        return self.spans[-1]

    def words(self, number: int | None = None) -> str:
        """A period in words."""
        span = self.spans[self.now if number is None else number]
        if re.fullmatch(r"\d{4}(-(Q\d|\d\d))?", span.label):
            return span.label
        return f"{length_of(span.days)} to {self.form.short_day(span.last)}"

    def value(self, measure: str, number: int) -> float | None:
        """A measure of a period; None where the data do not allow it."""
        found = self.sums[(self.sums["measure"] == measure) & (self.sums["number"] == number)]
        return float(found["value"].iloc[0]) if len(found) else None

    def series(self, measure: str) -> dict[int, float]:
        """A measure of every period that has it."""
        found = self.sums[self.sums["measure"] == measure]
        return dict(zip(found["number"].astype(int), found["value"].astype(float), strict=True))

    def influence(self, measure: str, number: int) -> tuple[float, Array] | None:
        """A measure of a period, and how much each customer moves it."""
        if self.margin is not None and measure == "margin":
            found = self.people.influence(number, "revenue")
            return None if found is None else (self.margin * found[0], self.margin * found[1])
        return self.people.influence(number, measure)

    def _known(self, number: int) -> int | None:
        if number < 0:
            return None
        value = self.value("customers", number)
        return number if value is not None and value >= self.min_group else None


def board_of(
    data: Dataset,
    as_of: str | None = None,
    period: str | None = None,
    *,
    margin: float | None = None,
    level: float = 0.9,
    min_group: int = 5,
) -> Board:
    """Sum up the periods of a data set.

    Parameters
    ----------
    data : Dataset
    as_of : ISO date, optional
    period : str, optional
        As of :func:`unit_of`; default: 13 weeks, or a year where people give or renew once in each.
    margin : float, optional
        Gross margin, share of revenue; default: from unit costs.
    level : float
    min_group : int

    Returns
    -------
    Board

    Raises
    ------
    DataError
        There is no whole period, or hardly anybody bought in the last one.
    ParameterError
        The period cannot be read, or ``as_of`` is outside the history.
    """
    period = period or ("year" if data.descriptor.rounds == "year" else QUARTER)
    unit = unit_of(period)
    first, end = history(data.orders, as_of)
    per_year = _PER_YEAR[unit] if isinstance(unit, str) else max(round(YEAR / unit), 1)
    spans = calendar(first, end, unit, count=max(per_year + 2, _SHOWN))
    if not spans:
        raise DataError.too_little("scorecard", f"at least one whole period ({period}) of history", f"{first} to {end}")
    lines, goods = _lined(data)
    sums = estimates(periods(data.orders, spans, lines, goods), spans, level=level)
    if margin is not None:
        sums = _with_margin(sums, margin)
    buyers = sums[(sums["measure"] == "customers") & (sums["number"] == len(spans) - 1)]["value"].sum()
    if buyers < min_group:
        raise DataError.too_little(
            "scorecard", f"at least {min_group} customers who bought from {spans[-1].first} to {spans[-1].last}", f"{buyers:g}"
        )
    wanted = [n for n in dict.fromkeys((len(spans) - 1, len(spans) - 2, len(spans) - 1 - per_year)) if n >= 0]
    people = panel(customer_periods(data.orders, spans, lines, goods), wanted)
    life, why = _life(data, end)
    return Board(
        data, first, end, form_of(data), level, min_group, spans, per_year, sums, people, rhythm(data.orders, end), life, why, margin
    )  # fmt: skip


def unit_of(period: str) -> str | int:
    """Read a length of periods: ``"month"``, ``"quarter"`` or ``"year"`` of the calendar, or so many weeks or days.

    Raises
    ------
    ParameterError
        It is none of these.

    Examples
    --------
    >>> unit_of("13 weeks"), unit_of("30 days"), unit_of("month")
    (91, 30, 'month')
    """
    if period in _PER_YEAR:
        return period
    found = re.fullmatch(r"\s*(\d{1,4})\s*(week|day)s?\s*", period) if isinstance(period, str) else None
    days = int(found[1]) * (7 if found[2] == "week" else 1) if found else 0
    if not 1 <= days <= 3660:
        raise ParameterError.expected("scorecard", "period", "'month', 'quarter', 'year', or such as '13 weeks'", period)
    return days


def length_of(days: int) -> str:
    """A number of days in words.

    Examples
    --------
    >>> length_of(91), length_of(30), length_of(7)
    ('13 weeks', '30 days', '1 week')
    """
    count, word = (days // 7, "week") if days % 7 == 0 else (days, "day")
    return f"{count} {word}{'' if count == 1 else 's'}"


def _lined(data: Dataset) -> tuple[ibis.Table | None, ibis.Table | None]:
    lines = data.order_lines if "order_lines" in data.tables else None
    return lines, data.products if lines is not None and "products" in data.tables else None


def _with_margin(sums: pd.DataFrame, margin: float) -> pd.DataFrame:
    """A margin that was given takes the place of one from unit costs."""
    import pandas as pd

    rest = sums[~sums["measure"].isin(["margin", "margin_share", "margin_revenue", "cost"])]
    made = rest[rest["measure"] == "revenue"].assign(measure="margin", kind="money")
    made[["value", "low", "high"]] = margin * made[["value", "low", "high"]].to_numpy(float)
    return pd.concat([rest, made], ignore_index=True).sort_values("number", kind="stable", ignore_index=True)


def _life(data: Dataset, end: dt.date) -> tuple[Life | None, str]:
    try:
        limits = limits_of(data, end.isoformat(), QUANTILES, (None, None, None), 6)
        return life_of(data, limits, end.isoformat()), ""
    except DataError as error:
        return None, str(error)


def labelled(ids: Array, frame: pd.DataFrame, column: str, missing: str) -> Array:
    """A column of a frame for customers in a given order; ``missing`` for who is not in it."""
    found = frame.set_index("customer_id")[column].reindex(ids)
    return np.asarray(found.astype(object).where(found.notna(), missing), dtype=object)
