"""Who could have been chosen on each past day, who had a moment, and what came: the rows on which triggers are judged.

A row is a customer on a past day, or a customer and a product. All of them are eligible: their last purchase (of the product) is no further
back than the reach that was known then. What came after the day stands in one column, ``bought``, and nowhere else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.triggers.rules import Learnt, Trigger, learn, moments

if TYPE_CHECKING:
    from crmlab.analyses.triggers.params import Params
    from crmlab.analyses.triggers.rhythm import Rhythm
    from crmlab.history.past import History

__all__ = ["LEARNT", "Deeds", "Pool", "current", "days_of", "learnings", "pools_of", "today"]

LEARNT = 4  # how many times the rules are learnt anew over the past days
NEVER = np.iinfo(np.int64).max // 2  # the day of a purchase that has not come
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Deeds:
    """Purchases as whole numbers: of whom, of what, on which day, and the day of the next of the same.

    Attributes
    ----------
    customers, products : Index
        Ids, whose places are the numbers; of products one that is empty, where the purchases are not of products.
    who, what, day, next : arrays of n ints
        Days since 1970; :data:`NEVER` where no next came.
    """

    customers: pd.Index[Any]
    products: pd.Index[Any]
    who: Ints
    what: Ints
    day: Ints
    next: Ints

    @classmethod
    def of(cls, frame: pd.DataFrame, customers: pd.Index[Any]) -> Deeds:
        """Take them from occasions or rebuys, of :mod:`~crmlab.analyses.triggers.rules`."""
        ids = frame["product_id"] if "product_id" in frame else pd.Series("", index=frame.index)
        what, products = pd.factorize(ids, sort=True)
        next_ = days_of(frame["next"])
        return cls(
            customers=customers,
            products=pd.Index(products),
            who=customers.get_indexer(frame["customer_id"]).astype(np.int64),
            what=what.astype(np.int64),
            day=days_of(frame["day"]),
            next=np.where(frame["next"].isna(), NEVER, next_),
        )

    @property
    def unit(self) -> Ints:
        """A number for each customer and product."""
        return self.who * max(len(self.products), 1) + self.what

    def eligible(self, day: int, reach: float) -> Ints:
        """Places of the last purchase of each, up to a day, where it is no further back than the reach; ordered by unit."""
        last = np.flatnonzero((self.day <= day) & (self.day >= day - reach) & (self.next > day))
        return last[np.argsort(self.unit[last], kind="stable")]

    def unit_of(self, found: pd.DataFrame) -> Ints:
        """The same numbers for moments."""
        what = self.products.get_indexer(found["product_id"])
        return (self.customers.get_indexer(found["customer_id"]) * max(len(self.products), 1) + what).astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Eligible rows of all past days.

    Attributes
    ----------
    who : array of n ints
        The customer.
    day : array of n ints
        Place of the past day, from 0.
    stratum : array of n ints
        The day, or the day and the product: rows are compared with others of their stratum only.
    silent, often : arrays of n ints
        Days since the last purchase, and purchases within the reach: what the simple rules go by.
    bought : array of n booleans
        Whether a purchase came within the window after the day.
    fired : mapping of trigger name to array of n booleans
    """

    who: Ints
    day: Ints
    stratum: Ints
    silent: Ints
    often: Ints
    bought: Flags
    fired: Mapping[str, Flags]


def days_of(times: pd.Series) -> Ints:
    """Days since 1970 of a column of times; 0 where one is missing."""
    return times.fillna(pd.Timestamp(0)).to_numpy().astype("datetime64[D]").astype(np.int64)


def learnings(
    history: History, days: Sequence[dt.date], occasions: pd.DataFrame, rebuys: pd.DataFrame
) -> list[tuple[Learnt, list[dt.date]]]:
    """What the rules know on past days: learnt anew a few times, each time from what was known on the first of the days that follow.

    So are the model of purchases and whether its season is followed: what is judged is what would have been done.
    """
    out: list[tuple[Learnt, list[dt.date]]] = []
    for part in np.array_split(np.array(days, dtype=object), LEARNT):
        if len(part):
            out.append((learn(history.earlier(part[0]), occasions, rebuys), part.tolist()))
    return out


def current(trigger: Trigger, found: pd.DataFrame, day: dt.date, fresh: int) -> pd.DataFrame:
    """The moments of a trigger that call for action on a day: met lately, and not over with a purchase since.

    Parameters
    ----------
    trigger : Trigger
    found : DataFrame
        Of :func:`~crmlab.analyses.triggers.rules.moments`.
    day : date
    fresh : int
        Days for which a moment counts, where the rule does not say that it is over sooner.
    """
    at, lasts = pd.Timestamp(day), min(fresh, trigger.lasts or fresh)
    some = found[(found["at"] > at - pd.Timedelta(days=lasts)) & (found["at"] <= at)]
    return some[some["next"].isna() | (some["next"] > at)] if trigger.ends else some


def pools_of(
    triggers: Sequence[Trigger],
    known: Sequence[tuple[Learnt, list[dt.date]]],
    tables: tuple[pd.DataFrame, pd.DataFrame],
    rhythm: Rhythm,
    params: Params,
) -> tuple[Pool, Pool]:
    """The rows of customers, and those of customers and products.

    Parameters
    ----------
    triggers : sequence of Trigger
    known : list of (Learnt, days)
        Of :func:`learnings`.
    tables : (occasions, rebuys)
    rhythm : Rhythm
    params : Params
        ``quantile`` matters.
    """
    occasions, rebuys = tables
    customers = pd.Index(occasions["customer_id"].unique())
    out = []
    for of_products, frame in ((False, occasions), (True, rebuys[rebuys["customer_id"].isin(customers)])):
        some = [trigger for trigger in triggers if trigger.of_products == of_products]
        deeds = Deeds.of(frame, customers)
        parts = []
        for learnt, days in known if some else []:
            found = {trigger: moments(trigger, occasions, rebuys, learnt, params.quantile) for trigger in some}
            parts += [_rows(deeds, found, learnt, day, rhythm) for day in days if learnt.reach == learnt.reach]
        out.append(_joined(parts, len(deeds.products), [trigger.name for trigger in some]))
    return out[0], out[1]


def today(
    triggers: Sequence[Trigger], learnt: Learnt, tables: tuple[pd.DataFrame, pd.DataFrame], rhythm: Rhythm, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who has a moment on the last day that was learnt from, and who is eligible then: as on past days.

    Returns
    -------
    (moments, eligible) : DataFrame
        customer_id, trigger, product_id, fired, one row of each the first three; customer_id, days_since_last, ordered by customer.
    """
    occasions, rebuys = tables
    customers, day = pd.Index(occasions["customer_id"].unique()), _number(learnt.until.date())
    deeds = {False: Deeds.of(occasions, customers), True: Deeds.of(rebuys[rebuys["customer_id"].isin(customers)], customers)}
    last = {of_products: some.eligible(day, learnt.reach) for of_products, some in deeds.items()}
    parts = []
    for trigger in triggers:
        theirs = deeds[trigger.of_products]
        found = current(
            trigger, moments(trigger, occasions, rebuys, learnt, params.quantile), learnt.until.date(), rhythm.fresh
        )
        found = found[np.isin(theirs.unit_of(found), theirs.unit[last[trigger.of_products]])]
        parts.append(found.assign(trigger=trigger.name, fired=found["at"]))
    columns = ["customer_id", "trigger", "product_id", "fired"]
    frame = pd.concat(parts, ignore_index=True)[columns].sort_values(columns, kind="stable")
    who = pd.DataFrame(
        {"customer_id": customers[deeds[False].who[last[False]]], "days_since_last": day - deeds[False].day[last[False]]}
    )
    return frame.drop_duplicates(columns[:3], keep="last", ignore_index=True), who.sort_values("customer_id", ignore_index=True)


def _rows(deeds: Deeds, found: Mapping[Trigger, pd.DataFrame], learnt: Learnt, date: dt.date, rhythm: Rhythm) -> dict[str, Any]:
    """Eligible rows of one day; of products only those that somebody had a moment of."""
    day = _number(date)
    last = deeds.eligible(day, learnt.reach)
    units, lately = deeds.unit[last], (deeds.day <= day) & (deeds.day >= day - learnt.reach)
    place = np.searchsorted(units, deeds.unit[lately])  # who bought lately has a last purchase, which is as late or later
    out: dict[str, Any] = {
        "who": deeds.who[last],
        "what": deeds.what[last],
        "silent": day - deeds.day[last],
        "often": np.bincount(place, minlength=len(last)),
        "bought": deeds.next[last] <= day + rhythm.window,
    }
    for trigger, some in found.items():
        flags = np.isin(units, deeds.unit_of(current(trigger, some, date, rhythm.fresh)))
        out[trigger.name] = flags
        if trigger.of_products:
            asked = np.isin(out["what"], np.unique(out["what"][flags]))
            out = {name: column[asked] for name, column in out.items()}
    return out


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _joined(parts: Sequence[Mapping[str, Any]], products: int, names: Sequence[str]) -> Pool:
    def whole(name: str, kind: Any) -> Any:
        return np.concatenate([part[name] for part in parts]) if parts else np.zeros(0, dtype=kind)

    day = np.repeat(np.arange(len(parts)), [len(part["who"]) for part in parts]).astype(np.int64)
    return Pool(
        who=whole("who", np.int64),
        day=day,
        stratum=day * max(products, 1) + whole("what", np.int64),
        silent=whole("silent", np.int64),
        often=whole("often", np.int64),
        bought=whole("bought", bool),
        fired={name: whole(name, bool) for name in names},
    )
