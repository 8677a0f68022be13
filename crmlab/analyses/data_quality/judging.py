"""What breaks rules in a history, and the verdict that follows: the report and ``crmlab check`` say the same because both ask here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crmlab.analyses.data_quality.reductions import RULES
from crmlab.collecting import ORDERED, collect_arrow, collect_row
from crmlab.data.ledger import Breach
from crmlab.data.rules import READING, after, examined, exemplary, gravest_first
from crmlab.errors import DescriptorError
from crmlab.page.format import Format
from crmlab.page.texts import titled

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.history.past import History

__all__ = [
    "DROPPED_STOP",
    "SHORT_HISTORY",
    "STATEMENTS",
    "Verdict",
    "as_frame",
    "breaches",
    "in_figures",
    "judge",
    "verdict",
    "written",
]

# The verdict follows from these bounds and from which breaches are grave, so that it can be checked by hand.
DROPPED_STOP = 0.5  # share of rows dropped that cannot be used at all
SHORT_HISTORY = 90  # days
_FAR, _REST = "Plausible days", "Years without orders"
_ENDINGS = re.compile(r"_(?:id|at)\b")  # of columns that examples show
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?")
# What every rule says, by name: those of reading, of canonical tables, and of the days of a history.
STATEMENTS = {
    **READING,
    **{rule.name: rule.says for rule in RULES},
    _FAR: "No order is dated years apart from all the others",
    _REST: "No two orders in a row are more than two years apart",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What speaks against a data set.

    Attributes
    ----------
    stop : tuple of Breach
        Tables too many of whose rows cannot be used to go on.
    grave : tuple of Breach
        Grave breaches, those of ``stop`` among them, the gravest first.
    days : int
        Length of history in days.
    """

    stop: tuple[Breach, ...]
    grave: tuple[Breach, ...]
    days: int

    @property
    def short(self) -> bool:
        """Whether the history is short."""
        return self.days < SHORT_HISTORY

    @property
    def words(self) -> str:
        """Good, Usable with care, or Not usable yet."""
        if self.stop:
            return "Not usable yet"
        return "Usable with care" if self.grave or self.short else "Good"


def verdict(history: History, today: dt.date | None = None) -> tuple[Verdict, list[Breach]]:
    """Judge a history, and return all that breaks rules, the gravest first.

    Parameters
    ----------
    history : History
    today : datetime.date, optional
        For commands: orders after it break a rule. No page asks what day it is.
    """
    found = breaches(history, today)
    return judge(found, history.days), gravest_first(found)


def judge(found: Sequence[Breach], days: int) -> Verdict:
    """Give the verdict from the bounds of this module.

    Parameters
    ----------
    found : sequence of Breach
        As of :func:`breaches`.
    days : int
        Length of history in days.
    """
    lost = tuple(one for one in found if one.rule in ("Customers", "Readable rows") and one.share >= DROPPED_STOP)
    grave = gravest_first(one for one in found if one.grave or one in lost)
    return Verdict(stop=lost, grave=tuple(grave), days=days)


def breaches(history: History, today: dt.date | None = None) -> list[Breach]:
    """Apply every rule to a history; rows of later days break none yet.

    Parameters
    ----------
    history : History
    today : datetime.date, optional
        As for :func:`verdict`.

    Returns
    -------
    list of Breach
        One for each rule whose tables are there, with ``broken`` 0 where it is kept: rule, table, says, unit, grave, checked, broken,
        share and more.

    Raises
    ------
    DescriptorError
        The data set accepts breaches of a rule that there is not.

    Examples
    --------
    >>> import crmlab
    >>> found = breaches(crmlab.History(crmlab.open_dataset("cdnow_sample")))
    >>> [(one.rule, one.broken, one.checked) for one in found if one.broken]
    [('Repeated orders', 21, 6919)]
    """
    rules = RULES if today is None else (*RULES, after(today))
    accepted, where = history.data.descriptor.accepted, history.data.descriptor.where
    for name in accepted:
        if name not in STATEMENTS and name != after(history.as_of).name:
            raise DescriptorError.no_such("rule", name, STATEMENTS, f"that {where} could accept")
    days = [_far(history), _rest(history)]
    return [
        *examined(history.data, rules),
        *(replace(one, grave=False) if one.rule in accepted else one for one in days),
    ]


def _far(history: History) -> Breach:
    """Orders beyond the plausible days; later ones only where the history goes to the last of these."""
    reach = history.reach
    parts = [history.before()] if reach.before else []
    if reach.after and history.as_of >= reach.last:
        parts.append(history.after().orders)
    form = history.form
    ends = [f"before {form.day(reach.first)}"] * bool(reach.before) + [f"after {form.day(reach.last)}"] * bool(reach.after)
    keys = [f'first_day = "{reach.first}"'] * bool(reach.before) + [f'last_day = "{reach.last}"'] * bool(reach.after)
    return _dated(
        Breach(
            rule=_FAR,
            table="orders",
            says=f"Some orders are dated years apart from all the others, {' or '.join(ends)}, and are left out of the history.",
            advice=f"Correct their dates. To leave them out for good, write {' and '.join(keys)} at the top of the data set’s file; if "
            "the dates are right, set first_day and last_day so as to include them.",
            broken=0,
            checked=reach.orders,
            unit="orders",
        ),
        parts,
    )


def _rest(history: History) -> Breach:
    """The longest time of more than two years without an order, with the orders on the lesser side of it."""
    gaps = [gap for gap in history.reach.gaps if gap.before <= history.as_of]
    form, orders = history.form, history.orders
    breach = Breach(
        rule=_REST, table="orders", says="", advice="", broken=0, checked=history.reach.orders, unit="orders"
    )  # fmt: skip
    if not gaps:
        return breach
    gap = max(gaps, key=lambda gap: gap.days)
    moment = orders["ordered_at"].date()
    meant = f'last_day = "{history.reach.last}"' if gap.late else f'first_day = "{history.reach.first}"'
    left_out = f'last_day = "{gap.after}"' if gap.late else f'first_day = "{gap.before}"'
    told = replace(
        breach,
        says=f"There is no order between {form.day(gap.after)} and {form.day(gap.before)}. Was the business closed, is a file missing, "
        "or are dates wrong?",
        advice=f"If all is right, write {meant} at the top of the data set’s file; to leave out the orders beyond the gap, "
        f"write {left_out}.",
    )
    return _dated(told, [orders.filter(moment >= gap.before if gap.late else moment <= gap.after)])


def _dated(breach: Breach, parts: Sequence[ibis.Table]) -> Breach:
    """A breach with the orders that break it: how many, what they add up to, and the first of them."""
    if not parts:
        return breach
    columns = ("order_id", "customer_id", "ordered_at", "amount")
    rows = [part.select(*columns) for part in parts]
    orders = rows[0].union(*rows[1:]) if len(rows) > 1 else rows[0]
    found = collect_row(orders.aggregate(n=orders.count(), money=orders["amount"].sum()))
    if not found["n"]:
        return breach
    listed = collect_arrow(orders.order_by(list(columns[2::-1])).limit(3), ORDERED).to_pylist()
    return replace(breach, broken=int(found["n"]), amount=str(found["money"]), examples=tuple(map(exemplary, listed)))


def in_figures(breach: Breach, form: Format) -> str:
    """Say how much there is of a breach: of how many, and what it adds up to.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> found = Breach(rule="Quantity", table="order_lines", says="", advice="", broken=3, checked=300, unit="lines", amount="12.5")
    >>> in_figures(found, Format("EUR")).split()
    ['3', 'of', '300', 'lines', '(1.0%),', '€12.50']
    """
    share = f" ({form.share(breach.share)})" if breach.checked else ""
    counted = f"{form.count(breach.broken)} of {form.count(max(breach.checked, breach.broken))} {breach.unit}{share}"
    if breach.amount is None:
        return counted
    money = form.money(float(breach.amount)) if breach.currency is None else f"{float(breach.amount):,.2f} {breach.currency}"
    return f"{counted}, {money}"


def as_frame(found: Sequence[Breach]) -> pd.DataFrame:
    """Write breaches as a frame for tables.

    Returns
    -------
    DataFrame
        rule, says (the rule), found (what was found, empty where it is kept), advice, grave, unit, checked, broken, share, amount,
        examples (up to three rows with ids only).
    """
    import pandas as pd

    columns = ["rule", "says", "found", "advice", "grave", "unit", "checked", "broken", "share", "amount", "examples"]
    rows = [
        {
            "rule": one.rule,
            "says": STATEMENTS.get(one.rule, one.says),
            "found": one.says if one.broken else "",
            "advice": one.advice if one.broken else "",
            "grave": one.grave,
            "unit": one.unit if one.unit != "rows" else f"rows of {one.table.replace('_', ' ')}",
            "checked": one.checked,
            "broken": one.broken,
            "share": one.share,
            "amount": float(one.amount) if one.amount is not None else None,
            "examples": "\n".join(map(written, one.examples)),
        }
        for one in found
    ]
    return pd.DataFrame(rows, columns=columns).astype({"amount": "float64"})


def written(row: Any) -> str:
    """One row that was dropped or broke a rule, as text.

    Examples
    --------
    >>> written({"row": "3", "order_id": "7", "ordered_at": "2010-12-01 11:52:00", "usual": "5.95"})
    'row 3, order 7, ordered 1 Dec 2010, 11:52, usual price 5.95'
    """
    return ", ".join(f"{_named(key)} {_dated_shortly(value)}" for key, value in exemplary(row).items())


def _named(column: str) -> str:
    """A column of an example in words: "order" for order_id, "ordered" for ordered_at."""
    return "usual price" if column == "usual" else titled(_ENDINGS.sub("", column))


def _dated_shortly(value: str) -> str:
    """A value of an example; a moment as people write it, without a time that is midnight."""
    if not _MOMENT.fullmatch(value):
        return value
    moment = dt.datetime.fromisoformat(value)
    time = f"{moment:%H:%M:%S}".removesuffix(":00")
    return Format().short_day(moment) + ("" if time == "00:00" else f", {time}")
