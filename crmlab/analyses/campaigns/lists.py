"""Pulls the list of a campaign: criteria, qualification, suppression, one per person and household, with a ledger of who went and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.customers import DOMAINS, Where, check_columns, conditions, customer_outputs, holds, known_columns, label
from crmlab.collecting import collect
from crmlab.errors import CampaignError, ParameterError
from crmlab.frames import as_pandas, is_table
from crmlab.history.past import History, checked_data
from crmlab.history.sending import sent

if TYPE_CHECKING:
    import numpy.typing as npt


__all__ = [
    "COMPLAINTS",
    "HOUSEHOLD",
    "LATELY",
    "NO_CONSENT",
    "PERSON",
    "PULLING",
    "SEEDS",
    "ListRules",
    "Pulled",
    "pull_list",
    "suppressed",
]


PERSON, HOUSEHOLD = "person_id", "household_id"
QUALIFY = "orders >= 1"
NO_CONSENT, COMPLAINTS, LATELY, SEEDS = "Has not consented", "Has complained", "Contacted within", "Seeds, kept apart"  # steps
PULLING = ("qualify", "contacted_within", "seeds", "one_per_household")  # what a plan may say of it, beside criteria


@dataclass(frozen=True, kw_only=True)
class ListRules:
    """Who stays on a list, whatever its criteria.

    Attributes
    ----------
    qualify : str or sequence
        What everybody must fulfil.
    contacted_within : int or None
        Days before the last day (that day included) within which nobody was sent anything; None: no matter.
    seeds : collection of str
        Customers of our own, who get everything and belong to no cell.
    one_per_household : bool
    holdout : float
        Share held out of all campaigns, by ``holdout_salt``.
    holdout_salt : str

    Raises
    ------
    ParameterError
        A number is out of range.

    Examples
    --------
    >>> people = pd.DataFrame({"customer_id": ["a", "b", "c"], "orders": [3, 1, 4]})
    >>> pull_list(people, rules=ListRules(qualify="orders >= 2", seeds=["c"])).frame["customer_id"].tolist()
    ['a']
    """

    qualify: Where = QUALIFY
    contacted_within: int | None = 14
    seeds: Collection[str] = ()
    one_per_household: bool = True
    holdout: float = 0.0
    holdout_salt: str = ""

    def __post_init__(self) -> None:
        within = self.contacted_within
        if within is not None and (isinstance(within, bool) or within < 0):
            raise ParameterError.expected("pull_list", "contacted_within", "a whole number of days of at least 0", within)
        if not 0 <= self.holdout < 1:
            raise ParameterError.expected("pull_list", "holdout", "at least 0 and under 1", self.holdout)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pulled:
    """A list and how it came about.

    Attributes
    ----------
    frame : DataFrame
        A row per customer on the list, ordered by ``customer_id``: that, ``household_id`` where known, ``contactable`` ("yes" or "not
        known"), and every column that was asked for.
    ledger : DataFrame
        A row per step: stage, step, removed, left. The first has what there was; ``left`` of the last is the size of the list.
    left_out : DataFrame
        ``customer_id``, ``stage``, ``step`` of everybody who went, once each.
    seeds : DataFrame
        ``customer_id`` of seeds that were kept apart.
    notes : tuple of str
        What the data do not say, so that a step could not be taken.
    start : int
        Customers there were.
    unknown : frozenset of str
        Steps that removed nobody because the data do not say whom they would remove.
    """

    frame: pd.DataFrame
    ledger: pd.DataFrame
    left_out: pd.DataFrame
    seeds: pd.DataFrame
    notes: tuple[str, ...]
    start: int
    unknown: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Customers on the list."""
        return len(self.frame)


class _Ledger:
    """Takes people off a list, and keeps count."""

    def __init__(self, people: pd.DataFrame) -> None:
        self.people = people
        self.rows: list[tuple[str, str, int, int]] = []
        self.gone: list[pd.DataFrame] = []
        self.notes: list[str] = []
        self.absent: list[tuple[str, str]] = []  # what the data do not hold, and what follows from that
        self.unknown: set[str] = set()  # steps of which the data say nothing

    def keep(self, stage: str, step: str, good: npt.NDArray[np.bool_]) -> pd.DataFrame:
        """Go on with some; return the others."""
        out = self.people[~good]
        self.gone.append(pd.DataFrame({"customer_id": out["customer_id"], "stage": stage, "step": step}))
        self.people = self.people[good]
        self.rows.append((stage, step, len(out), len(self.people)))
        return out


def pull_list(
    customers: Any,
    where: Where = (),
    *,
    as_of: dt.date | str | None = None,
    rules: ListRules = ListRules(),
    columns: Sequence[str] = (),
    contacts: Any = None,
) -> Pulled:
    """Pull a list.

    In this order: who meets the criteria; who qualifies; who must not be contacted now (no consent, has complained, was contacted
    lately, is a seed); one each of a person and of a household, the one who bought last; who is held out of all campaigns.

    Parameters
    ----------
    customers : Dataset or table
        A table (of pandas, Polars, PyArrow or Ibis) has ``customer_id`` and every column that is named; further ``contactable``,
        ``household_id``, ``person_id``, ``days_since_last``, where known.
    where : str or sequence
        Criteria, see :func:`~crmlab.analyses.customers.criteria.conditions`. Names: see
        :func:`~crmlab.analyses.customers.columns.known_columns`.
    as_of : date or ISO date, optional
        Nothing after it is looked at. Consent is as the data set has it.
    rules : ListRules
    columns : sequence of str
        Further columns for the list.
    contacts : table, optional
        Contacts beside those of the data set, such as those of launched campaigns, later ones too: ``customer_id``, ``contacted_at``.

    Returns
    -------
    Pulled

    Raises
    ------
    CampaignError
        A condition cannot be read, or names what there is not; a customer without an id.

    Examples
    --------
    >>> people = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "orders": [3, 1, 4, 2],
    ...                        "contactable": [True, True, False, None], "household_id": ["h", "h", None, None]})
    >>> pulled = pull_list(people, "orders >= 2")
    >>> pulled.frame["customer_id"].tolist(), pulled.ledger["removed"].tolist()[:2]
    (['a', 'd'], [0, 1])
    """
    criteria, musts = conditions(where), conditions(rules.qualify)
    named = list(dict.fromkeys([*(one.column for one in (*criteria, *musts)), *columns]))
    found = _everybody(customers, as_of, named)
    check_columns((*criteria, *musts), [name for name in found.columns if name != "customer_id"])
    ledger = _Ledger(found)
    ledger.rows.append(("start", "Customers known", 0, len(found)))
    for stage, several in (("criteria", criteria), ("qualification", musts)):
        for one in several:
            good, unknown = holds(ledger.people[one.column], one, DOMAINS.get(one.column))
            if unknown.any():
                ledger.keep(stage, _capital(f"{label(one.column)} is not known"), ~unknown)
                good = good[~unknown]
            ledger.keep(stage, _capital(one.failed()), good)
    apart = _suppress(ledger, customers, as_of, rules, contacts)
    _dedupe(ledger, rules.one_per_household)
    if rules.holdout:
        from crmlab.analyses.campaigns.assignment import in_holdout

        kept = in_holdout(_home(ledger.people).to_list(), rules.holdout, rules.holdout_salt)
        ledger.keep("hold-out", "Held out of all campaigns", ~kept)
    people = ledger.people.sort_values("customer_id", kind="stable", ignore_index=True)
    front = [name for name in ("customer_id", HOUSEHOLD, "contactable") if name in people.columns]
    wanted = [name for name in (*named, "orders", "spend", "days_since_last", "days_as_customer") if name in people.columns]
    people = people.assign(
        **{
            name: people[name].map(lambda one: ", ".join(map(str, one)) if isinstance(one, tuple) else one)
            for name in wanted
            if people[name].map(lambda one: isinstance(one, tuple)).any()
        }
    )
    gone = pd.concat(ledger.gone) if ledger.gone else pd.DataFrame(columns=["customer_id", "stage", "step"])
    return Pulled(
        frame=people[list(dict.fromkeys([*front, *wanted]))],
        ledger=pd.DataFrame(ledger.rows, columns=["stage", "step", "removed", "left"]),
        left_out=gone.sort_values("customer_id", kind="stable", ignore_index=True),
        seeds=pd.DataFrame({"customer_id": sorted(apart)}, dtype="str"),
        notes=(*ledger.notes, *_absent(ledger.absent)),
        start=len(found),
        unknown=frozenset(ledger.unknown),
    )


def _absent(found: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """One sentence on all that the data do not hold."""
    if not found:
        return ()
    things, follows = zip(*found, strict=True)
    joined = (" or ".join([", ".join(things[:-1]), things[-1]]), ", and ".join([", ".join(follows[:-1]), follows[-1]]))
    one, so = joined if len(found) > 1 else (things[0], follows[0])
    return (f"The data hold no {one}: {so}.",)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _everybody(customers: Any, as_of: dt.date | str | None, named: Sequence[str]) -> pd.DataFrame:
    if not is_table(customers):
        known = known_columns(checked_data(customers))
        for name in named:
            if name not in known and name != "customer_id":
                raise CampaignError.unknown_column(name, known)
        return customer_outputs(customers, as_of, named)
    customers = as_pandas(customers, "The customers", CampaignError)
    if "customer_id" not in customers.columns and "customer_id" in customers.index.names:
        customers = customers.reset_index()
    if "customer_id" not in customers.columns:
        raise CampaignError.lacks("The customers", "customer_id", customers.columns)
    if customers["customer_id"].isna().any():
        raise CampaignError.must_be("customer_id of the customers", "given for everybody", "an empty one")
    for name in named:
        if name not in customers.columns and not (name == "orders" and "orders" not in customers.columns):
            raise CampaignError.unknown_column(name, [one for one in customers.columns if one != "customer_id"])
    # A frame that says nothing of orders is of people who were chosen already.
    frame = customers if "orders" in customers.columns or "orders" not in named else customers.assign(orders=1)
    return frame.astype({"customer_id": "str"}).reset_index(drop=True)


def _suppress(
    ledger: _Ledger,
    customers: Any,
    as_of: dt.date | str | None,
    rules: ListRules,
    more: Any,
) -> set[str]:
    """Take off who must not be contacted; returns the seeds that there were."""
    within = rules.contacted_within
    flags = ledger.people["contactable"] if "contactable" in ledger.people.columns else pd.Series(None, ledger.people.index)
    refused = flags.map(lambda one: one is not None and not pd.isna(one) and (one == "no" or one is False or one == 0))
    ledger.people = ledger.people.assign(contactable=flags.map(lambda one: "not known" if _not_known(one) else "yes"))
    if len(flags) and flags.map(_not_known).all():
        ledger.unknown.add(NO_CONSENT)
    ledger.keep("suppression", NO_CONSENT, ~refused.to_numpy(dtype=bool))
    if len(ledger.people) and (not_known := int((ledger.people["contactable"] == "not known").sum())):
        whole, one = not_known == len(ledger.people), not_known == 1
        ledger.notes.append(
            "It is not known who may be contacted, so everybody is kept on the list. Check before sending."
            if whole
            else f"It is not known whether {not_known:,} of {len(ledger.people):,} customers may be contacted; "
            f"{'this one is' if one else 'they are'} kept on the list. Check before sending."
        )
    complained, lately, absent = suppressed(customers, as_of, within, more)
    ledger.absent += absent
    things = {thing for thing, _ in absent}
    bare = is_table(customers)  # which says nothing of complaints, nor of contacts but those given beside
    ids = ledger.people["customer_id"]
    if bare or "responses" in things:
        ledger.unknown.add(COMPLAINTS)
    ledger.keep("suppression", COMPLAINTS, ~ids.isin(complained).to_numpy())
    if within is not None:
        step = f"{LATELY} {'1 day' if within == 1 else f'{within} days'}"
        if "contacts" in things or (bare and more is None):
            ledger.unknown.add(step)
        ledger.keep("suppression", step, ~ledger.people["customer_id"].isin(lately).to_numpy())
    known = set(rules.seeds)
    if not known:
        return set()
    ledger.keep("suppression", SEEDS, ~ledger.people["customer_id"].isin(known).to_numpy())
    return known


def _not_known(flag: Any) -> bool:
    return flag is None or bool(pd.isna(flag)) or flag == "not known"


def _home(people: pd.DataFrame) -> pd.Series:
    """The household, or the customer where there is none."""
    if HOUSEHOLD not in people.columns:
        return people["customer_id"]
    return people[HOUSEHOLD].where(people[HOUSEHOLD].notna(), people["customer_id"]).astype("str")


def _dedupe(ledger: _Ledger, one_per_household: bool) -> None:
    """One each, the one who bought last, the smaller id where that is the same day."""
    order = ["days_since_last", "customer_id"] if "days_since_last" in ledger.people.columns else ["customer_id"]
    ledger.people = ledger.people.sort_values(order, kind="stable", na_position="last")
    ids = ledger.people["customer_id"]
    again = ids.duplicated().to_numpy()
    if PERSON in ledger.people.columns:
        person = ledger.people[PERSON]
        again = again | (person.notna() & person.duplicated()).to_numpy()
    ledger.keep("one each", "The same person again", ~again)
    if not one_per_household:
        return
    if HOUSEHOLD not in ledger.people.columns:
        ledger.absent.append(("households", "two people from one household may be in different cells"))
        return
    home = ledger.people[HOUSEHOLD]
    ledger.keep("one each", "Another member of the same household", ~(home.notna() & home.duplicated()).to_numpy())


def suppressed(
    customers: Any, as_of: dt.date | str | None, within: int | None, more: Any = None
) -> tuple[set[str], set[str], list[tuple[str, str]]]:
    """Who has complained by a date, and who was sent something in the days up to it.

    Parameters
    ----------
    customers : Dataset or DataFrame
    as_of : date or ISO date, optional
    within : int, optional
        Days; None: contacts do not matter.
    more : DataFrame, optional
        Contacts beside those of the data set: ``customer_id``, ``contacted_at``.

    Returns
    -------
    (complained, contacted, absent)
        Ids; and what the data do not hold, each with what follows from that.
    """
    complained: set[str] = set()
    lately: set[str] = set()
    absent: list[tuple[str, str]] = []
    more = None if more is None else as_pandas(more, "The contacts", CampaignError)
    if is_table(customers):
        if more is not None and within is not None and len(more):
            end = dt.date.fromisoformat(str(as_of)) if as_of else pd.to_datetime(more["contacted_at"]).max().date()
            lately |= _recent(more, end, within)
        return complained, lately, absent
    past = History(customers, as_of)
    if past.responses is not None:
        complained = set(past.complained)
    else:
        absent.append(("responses", "complaints are not known"))
    if within is None:
        return complained, lately, absent
    touched = sent(past)
    if touched is not None:
        some = touched.filter(touched["contacted_at"].date() > past.as_of - dt.timedelta(days=within))
        lately |= set(collect(some.select("customer_id").distinct(), "customer_id")["customer_id"])
    elif more is None:
        absent.append(("contacts", "recent contacts are not known"))
    if more is not None:
        lately |= _recent(more, past.as_of, within)
    return complained, lately, absent


def _recent(contacts: pd.DataFrame, end: dt.date, within: int) -> set[str]:
    """Who was contacted in so many days up to a day, or is about to be."""
    day = pd.to_datetime(contacts["contacted_at"]).dt.date
    return set(contacts.loc[day > end - dt.timedelta(days=within), "customer_id"].astype("str"))
