"""Customers in the form that a model of their value takes: weeks, or yearly rounds, and the words that go with each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value.rounds import arrivals, last_round, repeats, round_repeats, round_summary
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.history.context import known_by
from crmlab.history.customers import customer_summary, holdout_summary
from crmlab.history.orders import history
from crmlab.history.words import ROUNDS, WEEKS, YEAR_OF_WEEKS, Words
from crmlab.models.btyd.customer_value import CustomerValue

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["CAPS", "SHORTEST", "Base", "base_of", "default_holdout", "fit_spend"]


CAPS = (0.99, 0.97, 0.95, 0.9, 0.8)  # quantiles of mean repeat spend, for bases where a few spend without measure
SHORTEST = 8  # periods of history before a holdout period can be kept back (of weeks; 3 of rounds)


@dataclass(frozen=True, eq=False)
class Base:
    """A customer base, ready for a model of its value.

    Attributes
    ----------
    data : Dataset
    words : Words
    first, end : datetime.date
        First and last day of history; with rounds, of whole years.
    age : str
        Column of the summaries that holds the age: ``T`` or ``periods``.
    models : tuple of str
        Models that fit such a base.
    length : int
        Whole periods of history.
    known : datetime.date
        Last day of which anything is known; with rounds, the last year may have more to come.
    """

    data: Dataset
    words: Words
    first: dt.date
    end: dt.date
    age: str
    models: tuple[str, ...]
    length: int
    known: dt.date

    def summary(self) -> pd.DataFrame:
        """One row per customer at the end of history, ordered by id."""
        orders = self.data.orders
        if self.words is ROUNDS:
            return _ordered(round_summary(orders, self.end.year).to_pandas())
        return _ordered(customer_summary(orders, self.end, unit="week").to_pandas())

    def split(self, holdout: int) -> dt.date:
        """Last day of history where so many periods are kept back."""
        if self.words is ROUNDS:
            return dt.date(self.end.year - holdout, 12, 31)
        return self.end - dt.timedelta(weeks=holdout)

    def held(self, holdout: int) -> pd.DataFrame:
        """Customers before a holdout period, and what they did in it, ordered by id.

        With holdout_purchases, holdout_spend and horizon, and for the simple rules year_purchases and year_spend: what the
        last year (or, where it is shorter, the whole history) before the split brought, and year_length: its length in periods.
        """
        import pandas as pd

        orders, split = self.data.orders, self.split(holdout)
        if self.words is ROUNDS:
            found = _ordered(round_summary(orders, split.year, self.end.year).to_pandas())
            return found.assign(year_purchases=found["last_purchases"], year_spend=found["last_spend"], year_length=1.0)
        found = _ordered(holdout_summary(orders, split, self.end, unit="week").to_pandas())
        start = max(split - dt.timedelta(days=7 * YEAR_OF_WEEKS - 1), self.first)
        year = customer_summary(orders, split, start).select(
            "customer_id", year_purchases="occasions", year_spend="total_spend"
        )
        joined = found.merge(year.to_pandas(), "left", "customer_id")
        # Sorted again: a merge promises no order where ids compare in several ways.
        joined = _ordered(pd.DataFrame(joined)).fillna({"year_purchases": 0, "year_spend": 0.0})
        return joined.assign(year_length=((split - start).days + 1) / 7)

    def track(self, holdout: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """When the customers known at the split came (start, customers), and their repeat purchases by period (end, seen)."""
        import pandas as pd

        orders, split = self.data.orders, self.split(holdout)
        if self.words is ROUNDS:
            first = self.first.year
            came = round_summary(orders, split.year).to_pandas()["first_occasion"].map(lambda day: day.year).value_counts()
            came = came.sort_index()
            again = round_repeats(orders, split.year, self.end.year).to_pandas().set_index("year")["purchases"]
            years = range(first + 1, self.end.year + 1)
            seen = pd.DataFrame(
                {"end": [float(year - first) for year in years], "seen": again.reindex(years, fill_value=0).to_numpy()}
            )
            return pd.DataFrame({"start": came.index.to_numpy(float) - first, "customers": came.to_numpy()}), seen
        firsts = arrivals(orders, split).to_pandas()
        again = repeats(orders, split, self.end).to_pandas()
        ends = np.arange(1, (self._day(self.end) + 1) // 7 + 1)
        week = pd.Series([self._day(day) // 7 for day in again["day"]], dtype="int64")
        by_week = again["purchases"].groupby(week).sum().reindex(range(len(ends)), fill_value=0)
        came = pd.DataFrame({"start": [self._day(day) / 7 for day in firsts["day"]], "customers": firsts["customers"]})
        # A week ends with its last day, whose purchases are seen: six days after its first.
        return came, pd.DataFrame({"end": ends - 1 / 7, "seen": by_week.to_numpy()})

    def _day(self, day: dt.date) -> int:
        return (dt.date(day.year, day.month, day.day) - self.first).days


def base_of(data: Dataset, as_of: str | dt.date | None = None) -> Base:
    """Say how the customers of a data set are to be looked at.

    Parameters
    ----------
    data : Dataset
    as_of : date or ISO date, optional
        Last day of history.

    Returns
    -------
    Base
        In weeks; in yearly rounds where the data set says ``rounds = "year"``.

    Raises
    ------
    DataError
        With rounds: there is no whole year.
    """
    first, end = history(data.orders, as_of)
    if data.descriptor.rounds == "year":
        year = last_round(data.orders, as_of)
        if year < first.year:
            raise DataError.too_little("customer_value", "at least one whole year of history", f"{first} to {end}")
        whole = dt.date(first.year, 1, 1), dt.date(year, 12, 31)
        return Base(known_by(data, end), ROUNDS, *whole, "periods", ("bg_bb",), year - first.year + 1, end)
    return Base(data, WEEKS, first, end, "T", ("bg_nbd", "mbg_nbd", "pareto_nbd"), ((end - first).days + 1) // 7, end)


def fit_spend(model: CustomerValue, summary: pd.DataFrame) -> tuple[CustomerValue, pd.DataFrame, float | None]:
    """Fit the model of spend; where a few spend so much that its mean would be infinite, with their spend capped.

    Parameters
    ----------
    model : CustomerValue
        With a fitted model of purchases.
    summary : DataFrame

    Returns
    -------
    (model, summary, cap)
        Fitted; the summary with mean repeat spend above the cap set to it; the cap, or None where none was needed. Caps are
        tried at the 99, 97, 95, 90 and 80 % quantiles.

    Raises
    ------
    ModelError
        No cap helps, or there is no repeat spend to learn from; the message is that of the fit without a cap.
    """
    try:
        return model.fit_spend(summary), summary, None
    except ModelError as error:
        spend = summary.loc[(summary["frequency"] > 0) & (summary["monetary_value"] > 0), "monetary_value"]
        for share in CAPS:
            cap = float(spend.quantile(share)) if len(spend) else float("nan")
            capped = summary.assign(monetary_value=summary["monetary_value"].clip(upper=cap))
            try:
                return model.fit_spend(capped), capped, cap
            except (ModelError, ConvergenceError):
                continue
        raise error


def default_holdout(base: Base) -> int | None:
    """Periods to keep back: a third of the history, at most a year of weeks; None where the history is too short.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> default_holdout(SimpleNamespace(length=78, words=WEEKS)), default_holdout(SimpleNamespace(length=6, words=WEEKS))
    (26, None)
    """
    if base.words is ROUNDS:
        return max(base.length // 3, 1) if base.length > 3 else None
    return min(base.length // 3, YEAR_OF_WEEKS) if base.length >= SHORTEST else None


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("customer_id", kind="stable", ignore_index=True)
