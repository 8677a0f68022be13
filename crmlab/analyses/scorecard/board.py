"""What a scorecard is told from: its periods, the sums of each, and what each customer adds to them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.lifecycle import Life, life_of, limits_of
from crmlab.analyses.scorecard.estimation import Panel, estimates, panel
from crmlab.analyses.scorecard.params import Params, unit_of
from crmlab.analyses.scorecard.reductions import Period, calendar, customer_periods, periods, rhythm
from crmlab.analyses.scorecard.speech import Speech, speech_of
from crmlab.collecting import collect_value
from crmlab.errors import DataError, TooLittleError
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.btyd.special import Array

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.history.context import Margin
    from crmlab.history.past import History

__all__ = ["Board", "board_of", "labelled", "length_of", "need_recent_buyers", "spans_of"]


_PER_YEAR: dict[str | tuple[int, ...], int] = {"month": 12, "quarter": 4, "year": 1, QUARTERS: 4}
_SHOWN = 9  # periods of a small chart, at least


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Everything that the rows of a scorecard are made of.

    Attributes
    ----------
    history : History
    params : Params
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
    margin : float or None
        Gross margin as it was given, as share of revenue; 1 of gifts, which are kept whole; None where the unit costs of products say,
        or nothing does.
    closed : datetime.date or None
        Day on which the last newcomer came, where that is a year ago: nobody can be new here; else None.
    life : Life or None
        None where too few came again for states.
    why_no_life : str
    """

    history: History
    params: Params
    spans: list[Period]
    per_year: int
    sums: pd.DataFrame
    people: Panel
    rhythm: float | None
    margin: float | None
    closed: dt.date | None
    life: Life | None
    why_no_life: str

    @property
    def rolling(self) -> bool:
        """Whether periods are quarters up to the last day, as they are unless others are given."""
        return self.params.period is None and self.per_year > 1

    @property
    def speech(self) -> Speech:
        """What people are called, and what they do."""
        return speech_of(self.history)

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

    @property
    def kept_whole(self) -> bool:
        """Whether money is gifts, of which no cost of goods is taken."""
        return self._gross.source == "gifts"

    @property
    def margin_needed(self) -> str:
        """What to write so that a margin is known."""
        return self._gross.needed

    @property
    def margin_lacks(self) -> str:
        """The same where there is no room for more than a few words."""
        return (
            "check the unit costs of products" if self._gross.source == "loss" else "needs a margin, or unit costs of products"
        )

    @property
    def _gross(self) -> Margin:
        return self.history.margin(self.params.margin)

    def words(self, number: int | None = None) -> str:
        """A period in words."""
        span = self.spans[self.now if number is None else number]
        if re.fullmatch(r"\d{4}(-(Q\d|\d\d))?", span.label):
            return span.label
        length = "quarter" if self.rolling else length_of(span.days).removeprefix("1 ")
        return f"the {length} to {self.history.form.short_day(span.last)}"

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
        return number if value is not None and value >= self.params.min_group else None


def board_of(history: History, params: Params) -> Board:
    """Sum up the periods of a history: quarters, or years where people give or renew once in each, unless others are given.

    Raises
    ------
    DataError
        There is no whole period, or hardly anybody bought in the last one.
    ParameterError
        The period cannot be read.
    """
    spans, per_year = spans_of(history, params)
    need_recent_buyers(history, params, spans[-1])
    lines, goods = history.lines, history.products if history.lines is not None else None
    sums = estimates(periods(history.orders, spans, lines, goods), spans, level=params.level)
    known = history.margin(params.margin)
    margin = known.share if known.source in ("given", "gifts") else None
    if margin is not None:
        sums = _with_margin(sums, margin)
    wanted = [n for n in dict.fromkeys((len(spans) - 1, len(spans) - 2, len(spans) - 1 - per_year)) if n >= 0]
    life, why = _life(history)
    return Board(
        history=history,
        params=params,
        spans=spans,
        per_year=per_year,
        sums=sums,
        people=panel(customer_periods(history.orders, spans, lines, goods), wanted),
        rhythm=rhythm(history.orders, history.as_of),
        margin=margin,
        closed=history.closed,
        life=life,
        why_no_life=why,
    )


def spans_of(history: History, params: Params) -> tuple[list[Period], int]:
    """Lay out the periods of a scorecard, oldest first, and say how many make a year.

    Raises
    ------
    TooLittleError
        There is no whole period.
    ParameterError
        The period cannot be read.
    """
    first, end = history.first, history.as_of
    period = params.period or ("year" if history.data.descriptor.rounds == "year" else None)
    unit = unit_of(period) if period else QUARTERS
    per_year = max(round(YEAR / unit), 1) if isinstance(unit, int) else _PER_YEAR[unit]
    spans = calendar(first, end, unit, count=max(per_year + 2, _SHOWN))
    if not spans:
        needed = f"at least one whole period ({period or f'{QUARTER} days'}) of history"
        raise TooLittleError.needs("scorecard", needed, f"{first} to {end}")
    return spans, per_year


def need_recent_buyers(history: History, params: Params, span: Period) -> None:
    """Make sure that a scorecard of a period would not be about hardly anybody.

    Raises
    ------
    TooLittleError
        Fewer customers than a group must have bought in it.
    """
    buyers = int(collect_value(periods(history.orders, [span])["customers"].sum()) or 0)
    if buyers < params.min_group:
        least = f"at least {params.min_group} customers who bought from {span.first} to {span.last}"
        raise TooLittleError.needs("scorecard", least, str(buyers))


def length_of(days: int) -> str:
    """A number of days in words.

    Examples
    --------
    >>> length_of(91), length_of(30), length_of(7)
    ('13 weeks', '30 days', '1 week')
    """
    count, word = (days // 7, "week") if days % 7 == 0 else (days, "day")
    return f"{count} {word}{'' if count == 1 else 's'}"


def _with_margin(sums: pd.DataFrame, margin: float) -> pd.DataFrame:
    """A margin that was given takes the place of one from unit costs."""
    import pandas as pd

    rest = sums[~sums["measure"].isin(["margin", "margin_share", "margin_revenue", "cost"])]
    made = rest[rest["measure"] == "revenue"].assign(measure="margin", kind="money")
    made[["value", "low", "high"]] = margin * made[["value", "low", "high"]].to_numpy(float)
    return pd.concat([rest, made], ignore_index=True).sort_values("number", kind="stable", ignore_index=True)


def _life(history: History) -> tuple[Life | None, str]:
    try:
        return life_of(history, limits_of(history)), ""
    except DataError as error:
        return None, str(error)


def labelled(ids: Array, frame: pd.DataFrame, column: str, missing: str) -> Array:
    """A column of a frame for customers in a given order; ``missing`` for who is not in it."""
    found = frame.set_index("customer_id")[column].reindex(ids)
    return np.asarray(found.astype(object).where(found.notna(), missing), dtype=object)
