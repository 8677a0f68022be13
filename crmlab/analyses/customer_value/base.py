"""Customers in the form that a model of their value takes: weeks, or yearly rounds, and the words that go with each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value.rounds import arrivals, repeats, round_repeats, round_summary, whole_year
from crmlab.collecting import collect
from crmlab.errors import ConvergenceError, ModelError, TooLittleError
from crmlab.history.calendars import stride
from crmlab.history.orders import extent
from crmlab.history.past import History
from crmlab.history.words import ROUNDS, WEEKS, YEAR, Words
from crmlab.models.btyd.customer_value import CustomerValue

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.history.context import Margin

__all__ = ["DRAWS", "SHORTEST", "Base", "base_of", "default_holdout", "fit_spend"]


_CAPS = (0.99, 0.97, 0.95, 0.9, 0.8)  # quantiles of mean repeat spend, for bases where a few spend without measure
_PLACES = 8  # of arrivals within a period that is tracked as one
DRAWS = 500  # of the posterior
MOST_HELD = 52  # weeks that are kept back at most
SHORTEST = 8  # periods of history before a holdout period can be kept back (of weeks; 3 of rounds)


@dataclass(frozen=True, kw_only=True, eq=False)
class Base:
    """A customer base, ready for a model of its value.

    Attributes
    ----------
    history : History
    words : Words
    first, end : datetime.date
        First and last day that are looked at: of the history; with rounds, of its whole years.
    age : str
        Column of the summaries that holds the age: ``T`` or ``periods``.
    models : tuple of str
        Models that fit such a base, those first that are used unless another is clearly better.
    length : int
        Whole periods of history.
    """

    history: History
    words: Words
    first: dt.date
    end: dt.date
    age: str
    models: tuple[str, ...]
    length: int

    @property
    def data(self) -> Dataset:
        """What is known of the data set."""
        return self.history.data

    @property
    def known(self) -> dt.date:
        """Last day of which anything is known; with rounds, the last year may have more to come."""
        return self.history.as_of

    def margin(self, given: float | None = None) -> Margin:
        """Gross margin up to ``end``: as of :func:`~crmlab.history.context.margin_known`."""
        return History.of(self.history, min(self.end, self.history.as_of)).margin(given)

    def summary(self) -> pd.DataFrame:
        """One row per customer at the end of history, ordered by id."""
        if self.words is ROUNDS:
            return collect(round_summary(self.history.orders, self.end.year), "customer_id")
        return self.history.summary("week")

    @property
    def step(self) -> int:
        """How many periods are tracked as one, so that a history of a century is not cut into thousands."""
        return stride(self.length)

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
        orders, split = self.history.orders, self.split(holdout)
        if self.words is ROUNDS:
            found = collect(round_summary(orders, split.year, self.end.year), "customer_id")
            return found.assign(year_purchases=found["last_purchases"], year_spend=found["last_spend"], year_length=1.0)
        before = self.history.earlier(split)
        found = before.summary("week")
        start = max(split - dt.timedelta(days=YEAR - 1), self.first)
        for name, past, first in (("year", before, start), ("holdout", self.history, split + dt.timedelta(days=1))):
            bought = past.summary("week", first).set_index("customer_id").reindex(found["customer_id"])
            found[f"{name}_purchases"] = bought["occasions"].fillna(0).to_numpy("int64")
            found[f"{name}_spend"] = bought["total_spend"].fillna(0.0).to_numpy(float)
        return found.assign(horizon=(self.end - split).days / 7, year_length=((split - start).days + 1) / 7)

    def track(self, holdout: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """When the customers known at the split came (start, customers), and their repeat purchases (end, seen).

        By :attr:`step` periods; where that is more than one, arrivals are placed to an eighth of it.
        """
        import pandas as pd

        orders, split = self.history.orders, self.split(holdout)
        if self.words is ROUNDS:
            first = self.first.year
            came = (
                collect(round_summary(orders, split.year), "customer_id")["first_occasion"]
                .map(lambda day: day.year)
                .value_counts()
            )
            came = came.sort_index()
            again = collect(round_repeats(orders, split.year, self.end.year), "year").set_index("year")["purchases"]
            last = np.arange(self.step, self.end.year - first + self.step, self.step)
            part = pd.Series((again.index.to_numpy() - first - 1) // self.step, dtype="int64").to_numpy()
            sums = again.groupby(part).sum().reindex(range(len(last)), fill_value=0)
            seen = pd.DataFrame({"end": np.minimum(last, self.end.year - first).astype(float), "seen": sums.to_numpy()})
            return pd.DataFrame({"start": came.index.to_numpy(float) - first, "customers": came.to_numpy()}), seen
        firsts = collect(arrivals(orders, split), "day")
        again = collect(repeats(orders, split), "day")
        step = self.step
        ends = step * np.arange(1, (self._day(self.end) + 1) // (7 * step) + 1)
        part = pd.Series([self._day(day) // (7 * step) for day in again["day"]], dtype="int64")
        sums = again["purchases"].groupby(part).sum().reindex(range(len(ends)), fill_value=0)
        start = np.array([self._day(day) / 7 for day in firsts["day"]])
        if step > 1:
            start = (start // (step / _PLACES) + 0.5) * (step / _PLACES)
        came = pd.DataFrame({"start": start, "customers": firsts["customers"]})
        # A week ends with its last day, whose purchases are seen: six days after its first.
        return came.groupby("start", as_index=False).sum(), pd.DataFrame({"end": ends - 1 / 7, "seen": sums.to_numpy()})

    def _day(self, day: dt.date) -> int:
        return (dt.date(day.year, day.month, day.day) - self.first).days


def base_of(data: Dataset | History, as_of: str | dt.date | None = None) -> Base:
    """Say how the customers of a data set are to be looked at.

    Parameters
    ----------
    data : Dataset or History
    as_of : date or ISO date, optional
        Last day of history; default: that of a history, the day of the last order of a data set.

    Returns
    -------
    Base
        In weeks; in yearly rounds where the data set says ``rounds = "year"``.

    Raises
    ------
    DataError
        With rounds: there is no whole year.
    """
    past = History.of(data, as_of)
    first, end = past.first, past.as_of
    if past.data.descriptor.rounds == "year":
        year = whole_year(end, extent(past.orders)[1])
        if year < first.year:
            raise TooLittleError.needs("customer_value", "at least one whole year of history", f"{first} to {end}")
        return Base(
            history=past,
            words=ROUNDS,
            first=dt.date(first.year, 1, 1),
            end=dt.date(year, 12, 31),
            age="periods",
            models=("bg_bb",),
            length=year - first.year + 1,
        )
    models = ("mbg_nbd", "pareto_nbd", "bg_nbd")
    return Base(history=past, words=WEEKS, first=first, end=end, age="T", models=models, length=((end - first).days + 1) // 7)


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
        tried at the 99, 97, 95, 90 and 80% quantiles.

    Raises
    ------
    ModelError
        No cap helps, or there is no repeat spend to learn from; the message is that of the fit without a cap.
    """
    try:
        return model.fit_spend(summary), summary, None
    except ModelError as error:
        spend = summary.loc[(summary["frequency"] > 0) & (summary["monetary_value"] > 0), "monetary_value"]
        for share in _CAPS:
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
    return min(base.length // 3, MOST_HELD) if base.length >= SHORTEST else None
