"""An order history as it was known on a day: the only way to look at a data set, so that nothing later can be seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from crmlab.collecting import collect
from crmlab.errors import DataError, ParameterError, shown
from crmlab.history.calendars import checked_end
from crmlab.history.consent import COMPLAINED, REFUSED, Consent
from crmlab.history.context import form_of, margin_known, reach_of
from crmlab.history.contracts import as_known
from crmlab.history.customer_days import keep_cut
from crmlab.history.customers import gaps_until, keep_occasion_days, occasion_days, summary_until
from crmlab.history.orders import chosen, to_date
from crmlab.history.plausible import Reach
from crmlab.history.sharing import shared
from crmlab.history.words import YEAR, Words, words_for
from crmlab.page.result import Context

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.history.context import Margin
    from crmlab.page.format import Format

__all__ = ["DATED", "History", "checked_data"]

T = TypeVar("T")

_ORDERED = ("orders", "order_lines")  # tables that begin with the first plausible day; a contact may be older than every order

# Tables whose rows have a day, and the column that says it. A customer is known without such a day, or who has ordered: a wrong day
# must not lose a refusal. Products and cells are plans, which may be known before they come true.
DATED = {
    "orders": "ordered_at",
    "order_lines": "ordered_at",
    "customers": "acquired_at",
    "contacts": "contacted_at",
    "responses": "responded_at",
    "contracts": "started_at",
}


def checked_data(data: Any) -> Dataset:
    """Return a data set as it is; refuse what is none, such as a frame or the name of one.

    Raises
    ------
    DataError
        It is no data set.

    Examples
    --------
    >>> checked_data("shop")
    Traceback (most recent call last):
    crmlab.errors.datasets.DataError: The data must be a data set. Got 'str' instead. Open one first: crmlab.open_dataset('shop').
    """
    from crmlab.data.dataset import Dataset

    if isinstance(data, Dataset):
        return data
    named = isinstance(data, str)
    hint = f"Open one first: crmlab.open_dataset({shown(data) if named else 'frame'})."
    if isinstance(data, History):
        hint = "A history is already one as of a day: history.data is its data set, history.earlier(day) what was known before."
    raise DataError.must_be("The data", "a data set", type(data).__name__, hint)


class History:
    """A data set with the rows of no later day than ``as_of``, and with no order before the first plausible day.

    Of a data set with contracts and without orders the days are those of its contracts.

    Parameters
    ----------
    data : Dataset
    as_of : date or ISO date, optional
        Last day, inclusive; default: the last plausible day with an order (:mod:`crmlab.history.plausible`).

    Attributes
    ----------
    first, as_of : datetime.date
        The first plausible day with an order, and the last day that is known. Asked of the engine once.
    reach : Reach
        The days that the orders of the data set reach, plausible or not, and what is asked about them.
    data : Dataset
        The data set, cut off: for steps that take one.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order or after the last, or so late that nothing could be forecast within the calendar.
    DataError
        There are no orders, or ``data`` is no data set.

    Examples
    --------
    >>> import crmlab
    >>> past = History(crmlab.open_dataset("cdnow_sample"), "1997-09-30")
    >>> past.first.isoformat(), past.as_of.isoformat(), past.lines
    ('1997-01-01', '1997-09-30', None)
    >>> past.orders["ordered_at"].max().execute().date() <= past.as_of
    True
    """

    def __init__(self, data: Dataset, as_of: dt.date | str | None = None) -> None:
        found = reach_of(checked_data(data))
        keep_occasion_days(data)
        self._cut(data, found, checked_end(chosen(found, as_of, data.until)[1]))

    def _cut(self, data: Dataset, reach: Reach, as_of: dt.date) -> None:
        self.reach, self.first, self.as_of = reach, reach.first, as_of
        begins = {name: reach.first for name in _ORDERED if reach.before}
        tables = {name: _between(data.table(name), name, begins.get(name), self.as_of) for name in data.tables}
        if "customers" in tables and DATED["customers"] in tables["customers"].columns:
            everybody = data.table("customers")
            known = _within(everybody[DATED["customers"]], None, self.as_of) | everybody[DATED["customers"]].isnull()
            for name in ("orders", "contracts"):
                if name in tables:
                    known = known | everybody["customer_id"].isin(tables[name]["customer_id"])
            tables["customers"] = everybody.filter(known)
        if "contracts" in tables:
            tables["contracts"] = as_known(tables["contracts"], self.as_of)
        self.data = replace(data, _tables=tables, until=self.as_of)
        self._whole = data
        self._frames: dict[tuple[object, ...], pd.DataFrame] = {}
        self._known: dict[object, Any] = {}
        self._past: dict[dt.date, History] = {}

    @classmethod
    def of(cls, data: Dataset | History, as_of: dt.date | str | None = None) -> History:
        """The history of a data set, or a history itself as it was known on a day; that history where no other day is named."""
        if not isinstance(data, History):
            return cls(data, as_of)
        return data if as_of is None or to_date(as_of, "as_of", "earlier") == data.as_of else data.earlier(as_of)

    @property
    def orders(self) -> ibis.Table:
        """The orders."""
        return self.data.orders

    @property
    def lines(self) -> ibis.Table | None:
        """The order lines; None where the data set has none."""
        return self._table("order_lines")

    @property
    def products(self) -> ibis.Table | None:
        """The products."""
        return self._table("products")

    @property
    def customers(self) -> ibis.Table | None:
        """The customers: those who were won by then, whose day is not known, or who have ordered."""
        return self._table("customers")

    @property
    def cells(self) -> ibis.Table | None:
        """The test cells, planned ones too."""
        return self._table("cells")

    @property
    def contacts(self) -> ibis.Table | None:
        """The contacts."""
        return self._table("contacts")

    @property
    def responses(self) -> ibis.Table | None:
        """The responses."""
        return self._table("responses")

    @property
    def contracts(self) -> ibis.Table | None:
        """The contracts that had begun; an end that was not known by then, because no notice had been given, is missing."""
        return self._table("contracts")

    @property
    def days(self) -> int:
        """Length of the history, first and last day included."""
        return (self.as_of - self.first).days + 1

    @cached_property
    def newest(self) -> dt.date:
        """Day on which the last newcomer first bought: since then, nobody new has come. The last day, where nobody ever bought."""
        known = self.summary()
        return self.as_of - dt.timedelta(days=int(known["T"].min()) if len(known) else 0)

    @property
    def closed(self) -> dt.date | None:
        """:attr:`newest`, where nobody new has come for a year since: the data follow a fixed group, and say nothing of newcomers."""
        return self.newest if (self.as_of - self.newest).days >= YEAR else None

    def summary(self, unit: str = "day", start: dt.date | None = None) -> pd.DataFrame:
        """One row per customer, ordered by customer_id; as of :func:`~crmlab.history.customers.customer_summary`. A copy."""
        return self._kept(("summary", unit, start), lambda: summary_until(self.orders, self.as_of, start, unit), "customer_id")

    def occasions(self) -> pd.DataFrame:
        """Customer-days, and which are purchase occasions: as of :func:`~crmlab.history.customers.occasion_days`. A copy."""
        return self._kept(("occasions",), lambda: occasion_days(self.orders), "customer_id", "day")

    def gaps(self) -> pd.DataFrame:
        """How long after each occasion the next came: as of :func:`~crmlab.history.customers.gaps`. A copy."""
        return self._kept(("gaps",), lambda: gaps_until(self.orders, self.as_of), "customer_id", "number")

    def margin(self, given: float | None) -> Margin:
        """Gross margin, where it is from, and what it rests on: as of :func:`~crmlab.history.context.margin_known`."""
        return self._margin if given is None else margin_known(self.data, self.as_of, given)

    def contactable(self, customer_ids: pd.Series) -> list[str]:
        """Say of each customer whether they may be contacted: ``"yes"``, ``"no"`` or, where it is not said, ``"not known"``."""
        known = zip(self._consent(customer_ids), self.refusals(customer_ids), strict=True)
        return ["no" if why else "not known" if flag is None else "yes" for flag, why in known]

    def refusals(self, customer_ids: pd.Series) -> list[str]:
        """Say of each customer why they must not be contacted; empty where nothing is known against it."""
        who = zip(customer_ids, self._consent(customer_ids), strict=True)
        return [REFUSED if flag is False else COMPLAINED if one in self.complained else "" for one, flag in who]

    def consent(self, customer_ids: pd.Series) -> Consent:
        """Count how many of some customers may be contacted: for every sentence that singles them out."""
        return Consent.of(self.contactable(customer_ids), self.refusals(customer_ids))

    def with_consent(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A list of customers with two more columns: ``contactable``, and ``refusal``, why not; empty where nothing is known against it."""
        ids = frame["customer_id"]
        return frame.assign(contactable=self.contactable(ids), refusal=self.refusals(ids))

    @property
    def words(self) -> Words:
        """What people and their deeds are called: customers who purchase, or where the data set has yearly rounds, donors who give."""
        return words_for(self.data.descriptor.rounds)

    @cached_property
    def complained(self) -> frozenset[str]:
        """Who has complained of a contact."""
        if self.responses is None:
            return frozenset()
        some = self.responses.filter(self.responses["kind"] == "complaint").select("customer_id").distinct()
        return frozenset(collect(some, "customer_id")["customer_id"])

    def _consent(self, customer_ids: pd.Series) -> list[bool | None]:
        """What the customers table says; None where it does not."""
        people = self.customers
        if people is None or "contactable" not in people.columns:
            return [None] * len(customer_ids)
        flags = self._kept(("contactable",), lambda: people.select("customer_id", "contactable"), "customer_id")
        found = flags.set_index("customer_id")["contactable"].reindex(customer_ids).to_numpy()
        return [None if flag is None or flag != flag else bool(flag) for flag in found]

    @cached_property
    def form(self) -> Format:
        """How numbers of the data set are written."""
        return form_of(self.data)

    def context(self, customers: int | None = None) -> Context:
        """What a page is about: data set, days, customers."""
        return Context(self.data.name, self.data.title, self.as_of, self.first, customers, self.form, self.words.told)

    def earlier(self, day: dt.date | str) -> History:
        """The same history as it was known on an earlier day, for backtests.

        Raises
        ------
        ParameterError
            The day is after ``as_of``, or before the first order.
        """
        asked = to_date(day, "day", "earlier")
        if asked > self.as_of:
            raise ParameterError.expected("earlier", "day", f"no later than {self.as_of}", asked)
        if asked == self.as_of:
            return self
        if asked < self.first:
            raise ParameterError.as_of_outside(asked, self.first, self.as_of, "before")
        if asked not in self._past:
            found = History.__new__(History)  # the engine has said when the history begins
            found._cut(self._whole, self.reach, asked)
            self._past[asked] = found
        return self._past[asked]

    def once(self, key: object, make: Callable[[], T], *, shared_by_all: bool = False) -> T:
        """Work something out once for this data set and day: who asks for the same key again gets the same object.

        For what one subject owns and several ask for, such as the value of customers.

        Parameters
        ----------
        key : hashable
            The subject's name, and every choice that the result depends on.
        make : callable
            Works it out; asked the first time only. What it raises is not kept.
        shared_by_all : bool
            Whether all histories of the data set as of this day share it, and all reports of a run, and of later runs on the same contents
            (:mod:`crmlab.history.sharing`): for what takes seconds and is small. The ``repr`` of its key must then tell everything. Of a
            database, whose rows may change, only the reports of one run do.
        """
        if key not in self._known:
            self._known[key] = (
                self._shared((self._whole.name, self._whole.until, self.as_of, key), make) if shared_by_all else make()
            )
        found: T = self._known[key]
        return found

    def _shared(self, key: object, make: Callable[[], T]) -> T:
        if self._whole.fingerprint is None:
            return shared(key, make)
        known = self._whole.worked_out
        if key not in known:
            known[key] = shared(key, make)
        found: T = known[key]
        return found

    def after(self, days: int | None = None) -> Dataset:
        """What came after ``as_of``, for outcomes: the only door to the future.

        Parameters
        ----------
        days : int, optional
            How many days after ``as_of``; default: all that the data set holds.
        """
        span = (dt.date.max - self.as_of).days
        last = None if days is None else self.as_of + dt.timedelta(days=min(days, span))
        tables = {
            name: _between(self._whole.table(name), name, self.as_of + dt.timedelta(days=1), last)
            if span
            else self._whole.table(name).limit(0)
            for name in self._whole.tables
            if name in DATED
        }
        return replace(self._whole, _tables=tables)

    def before(self) -> ibis.Table:
        """The orders before the first plausible day, which are in no history."""
        return _between(self._whole.orders, "orders", None, self.first - dt.timedelta(days=1))

    @cached_property
    def _margin(self) -> Margin:
        return margin_known(self.data, self.as_of, None)

    def _table(self, name: str) -> ibis.Table | None:
        return self.data.table(name) if name in self.data.tables else None

    def _kept(self, key: tuple[object, ...], reduce: Callable[[], ibis.Table], *order: str) -> pd.DataFrame:
        """A reduction is asked for once; whoever changes a frame changes a copy."""
        if key not in self._frames:
            self._frames[key] = collect(reduce(), order)
        return self._frames[key].copy()


def _between(table: ibis.Table, name: str, first: dt.date | None, last: dt.date | None) -> ibis.Table:
    """The rows of some days, both ends included; a table without days, or without the column that says them, whole."""
    column = DATED.get(name)
    if column is None or column not in table.columns or (first is None and last is None):
        return table
    cut = table.filter(_within(table[column], first, last))
    if name == "orders":
        keep_cut(table, cut, first, last)
    return cut


def _within(moment: Any, first: dt.date | None, last: dt.date | None) -> Any:
    """Whether a time lies on one of some days. Bare comparisons, so that an engine can skip the parts of a file outside."""
    import ibis

    kind = "date" if moment.type().is_date() else "timestamp"
    inside: Any = ibis.literal(True)
    if first is not None:
        inside = moment >= ibis.literal(first, type="date").cast(kind)
    if last is not None and last < dt.date.max:
        before = moment < ibis.literal(last + dt.timedelta(days=1), type="date").cast(kind)
        inside = before if first is None else inside & before
    return inside
