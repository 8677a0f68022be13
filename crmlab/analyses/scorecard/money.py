"""From revenue to profit: what is known of costs, and what to add where a cost is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.campaigns import known_cells, offers_priced
from crmlab.analyses.scorecard.board import Board
from crmlab.analyses.scorecard.campaigns import measured_of
from crmlab.collecting import collect_arrow
from crmlab.history.orders import between
from crmlab.models.btyd.special import Array

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["Money", "Part", "money_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One line between revenue and profit.

    Attributes
    ----------
    key, label : str
    amounts : mapping of int to float
        Amount of each period looked at, in the currency, to the cent; empty where it is not known.
    each : mapping of int to array of shape (n,)
        What each customer adds to it.
    add : str
        What to add so that it is known; empty where it is.
    """

    key: str
    label: str
    amounts: Mapping[int, float] = field(default_factory=dict)
    each: Mapping[int, Array] = field(default_factory=dict)
    add: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Money:
    """Revenue, costs and profit.

    Attributes
    ----------
    customers : array of str, shape (n,)
        Everybody who brought or cost anything in the periods looked at, ordered.
    parts : list of Part
        Revenue, cost of goods, gross margin, cost of contacts, of offers, of acquisition and of serving, and profit. Of gifts there are
        no goods and no margin.
    """

    customers: Array
    parts: list[Part]

    @property
    def costed(self) -> bool:
        """Whether any cost is known."""
        return any(part.amounts for part in self.parts if part.key not in ("revenue", "margin", "profit"))

    def of(self, key: str) -> Part:
        """One line."""
        return next(part for part in self.parts if part.key == key)

    def influence(self, key: str, number: int) -> tuple[float, Array] | None:
        """Amount of a period, and how much each customer moves it; None where it is not known."""
        part = self.of(key)
        return (part.amounts[number], part.each[number]) if number in part.amounts else None


# How parts are called, and what to add where one is not known.
_REVENUE = Part(key="revenue", label="{Revenue}")
_GOODS = Part(key="goods", label="Cost of goods")
_MARGIN = Part(key="margin", label="Gross margin")
_CONTACTS = Part(
    key="contacts",
    label="Cost of contacts",
    add="add the table “cells” with the cost per contact (cost_per_contact), and the table “contacts”",
)
_OFFERS = Part(
    key="offers",
    label="Cost of offers",
    add="add the table “cells” with the cost of each offer (cost_per_response or discount), and the table “contacts”",
)
_SOME_OFFERS = "enter cost_per_response or discount in the table “cells” for every offer of a campaign with a control"
_ACQUISITION = Part(
    key="acquisition",
    label="Cost of acquisition",
    add="add each {one}’s date and cost of acquisition (acquired_at and acquisition_cost in the table “customers”)",
)
_SERVING = Part(key="serving", label="Cost to serve", add="enter the cost of serving one {order} (parameter serve_cost)")
_PROFIT = Part(key="profit", label="{Profit} after known costs")
_BEFORE_OFFERS = "{Profit} before the cost of offers"


def money_of(board: Board) -> Money:
    """Work out what is left of revenue after the costs that the data set knows.

    Returns
    -------
    Money
        Profit is gross margin less the other costs that are known; it is not known where the gross margin is not. What offers cost is
        asked of the campaigns as measured: it is counted for everybody in a cell who bought, in the period in which the cell was
        first contacted. A discount is no cost of its own, as revenue is what was paid.
    """
    numbers = [n for n in dict.fromkeys((board.now, board.last, board.year)) if n is not None]
    contacts = _contacts(board, numbers)
    won = _acquisition(board, numbers)
    offers, unknown = _offers(board, numbers)
    ids = np.array(sorted({*board.people.customers, *_ids(contacts), *_ids(offers), *_ids(won)}), dtype=object)

    def wide(values: Array) -> Array:
        out = np.zeros(len(ids))
        out[np.searchsorted(ids, board.people.customers)] = values
        return out

    def summed(bare: Part) -> Part:
        found = {n: board.influence(bare.key, n) for n in numbers}
        # The engine's sums are exact to the cent; those of floats are not.
        amounts = {n: board.value(bare.key, n) for n in numbers}
        known = {n: (amount, some[1]) for n, some in found.items() if some and (amount := amounts[n]) is not None}
        return _known(bare, {n: a for n, (a, _) in known.items()}, {n: wide(e) for n, (_, e) in known.items()})

    revenue, margin = summed(_REVENUE), summed(replace(_MARGIN, add=board.margin_needed))
    goods = {n: margin.amounts[n] - revenue.amounts[n] for n in margin.amounts}
    sold = replace(_GOODS, amounts=goods, each={n: margin.each[n] - revenue.each[n] for n in goods}, add=margin.add)
    served = {}
    if board.params.serve_cost is not None:
        orders = {n: board.people.of(n, "orders") for n in numbers}
        served = {n: -board.params.serve_cost * wide(some) for n, some in orders.items() if some is not None}
    given = _costs(_OFFERS, offers, ids, numbers, {})
    others = [
        _costs(_CONTACTS, contacts, ids, numbers, _fixed(board, numbers)),
        replace(given, add=_SOME_OFFERS) if unknown else given,
        _costs(_ACQUISITION, won, ids, numbers, {}),
        _known(_SERVING, {n: float(round(each.sum(), 2)) for n, each in served.items()}, served),
    ]
    profit = {n: margin.amounts[n] + sum(part.amounts.get(n, 0.0) for part in others) for n in margin.amounts}
    each = {n: margin.each[n] + sum(part.each.get(n, np.zeros(len(ids))) for part in others) for n in profit}
    named = replace(_PROFIT, label=_BEFORE_OFFERS) if unknown else _PROFIT
    left = replace(named, amounts=profit, each=each, add="" if profit else margin.add)
    # Gifts are kept whole.
    shown = [] if board.kept_whole else [sold]
    return Money(customers=ids, parts=[revenue, *shown, margin, *others, left])


def _known(bare: Part, amounts: Mapping[int, float], each: Mapping[int, Array]) -> Part:
    """A part with its amounts; where there are none, with what to add."""
    return replace(bare, amounts=amounts, each=each, add="" if amounts else bare.add)


# How.


def _costs(bare: Part, frame: pd.DataFrame | None, ids: Array, numbers: list[int], fixed: Mapping[int, Decimal]) -> Part:
    """The costs of each period, with what is fixed beside that of customers."""
    if frame is None:
        return bare
    amounts, each = {}, {}
    for n in numbers:
        some = frame[frame["number"] == n]
        amounts[n] = -float(sum(some["cost"], Decimal(0)) + fixed.get(n, Decimal(0)))
        values = np.zeros(len(ids))
        values[np.searchsorted(ids, some["customer_id"].to_numpy(object))] = -some["cost"].astype(float)
        each[n] = values
    return replace(bare, amounts=amounts, each=each, add="")


def _contacts(board: Board, numbers: list[int]) -> pd.DataFrame | None:
    """number, customer_id and cost (exact) of contacts."""
    contacts, cells = board.history.contacts, board.history.cells
    if contacts is None or cells is None or "cost_per_contact" not in cells.columns:
        return None
    return _by_period(board, numbers, contacts, cells.select(_cell="cell_id", cost="cost_per_contact"))


def _by_period(board: Board, numbers: list[int], contacts: ibis.Table, cells: ibis.Table) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for n in numbers:
        span = board.spans[n]
        some = between(contacts.rename(ordered_at="contacted_at"), span.first, span.last)
        joined = some.join(cells, some["cell_id"] == cells["_cell"])
        joined = joined.filter(joined["cost"] > 0)
        costs = joined.group_by("customer_id").agg(cost=joined["cost"].sum())
        parts.append(collect_arrow(costs, "customer_id").to_pandas().assign(number=n))
    return pd.concat(parts, ignore_index=True)


def _fixed(board: Board, numbers: list[int]) -> dict[int, Decimal]:
    """What cells cost whatever their size, in the period of their first contact."""
    contacts, cells = board.history.contacts, board.history.cells
    if contacts is None or cells is None or "fixed_cost" not in cells.columns:
        return {}
    begun = contacts.group_by("cell_id").agg(day=contacts["contacted_at"].min().date())
    fixed = cells.select(_cell="cell_id", fixed="fixed_cost")
    joined = begun.join(fixed, begun["cell_id"] == fixed["_cell"])
    rows = collect_arrow(joined.filter(joined["fixed"] > 0).select("cell_id", "day", "fixed"), "cell_id").to_pylist()
    return {
        n: sum((row["fixed"] for row in rows if board.spans[n].first <= row["day"] <= board.spans[n].last), Decimal(0))
        for n in numbers
    }


def _offers(board: Board, numbers: list[int]) -> tuple[pd.DataFrame | None, bool]:
    """number, customer_id and cost (exact) of offers that were taken; and whether the cost of an offer of these periods is not known."""
    import pandas as pd

    contacts, cells = board.history.contacts, board.history.cells
    if contacts is None or cells is None:
        return None, False
    begun = contacts.group_by("cell_id").agg(day=contacts["contacted_at"].min().date())
    days = {str(row["cell_id"]): row["day"] for row in collect_arrow(begun, "cell_id").to_pylist()}
    when = {cell: n for cell, day in days.items() for n in numbers if board.spans[n].first <= day <= board.spans[n].last}
    known = known_cells(board.history.data)
    known = known.assign(priced=offers_priced(known)).set_index(known["cell_id"].astype(str))
    known = known[known.index.isin(when)]
    each = known["cost_per_response"].astype(float).fillna(0.0) if "cost_per_response" in known else pd.Series(0.0, known.index)
    counted, parts = set[str](), [pd.DataFrame({"number": [], "customer_id": [], "cost": []}).astype({"number": int})]
    for found in measured_of(board).values():
        if isinstance(found, str):
            continue
        counted |= set(map(str, found.cells["cell_id"]))
        paid = [cell for cell in map(str, found.cells["cell_id"]) if each.get(cell, 0.0) > 0]
        if not paid:
            continue
        taken = found.table.filter(found.table["cell_id"].isin(paid), found.table["response"] == 1)
        frame = collect_arrow(taken.select("customer_id", "cell_id"), "customer_id").to_pandas()
        cost = {cell: Decimal(f"{each[cell]:.4f}") for cell in paid}
        frame = frame.assign(number=frame["cell_id"].map(when), cost=frame["cell_id"].map(cost))
        parts.append(frame.groupby(["number", "customer_id"], as_index=False)["cost"].agg(lambda some: sum(some, Decimal(0))))
    unknown = (~known["priced"]) | ((each > 0) & ~known.index.isin(counted))
    return pd.concat(parts, ignore_index=True), bool(unknown.any())


def _acquisition(board: Board, numbers: list[int]) -> pd.DataFrame | None:
    """number, customer_id and cost (exact) of customers who were won."""
    import pandas as pd

    people = board.history.customers
    if people is None or not {"acquired_at", "acquisition_cost"} <= set(people.columns):
        return None
    known = people.filter(people["acquisition_cost"] > 0).select("customer_id", "acquired_at", cost="acquisition_cost")
    frame = collect_arrow(known, "customer_id").to_pandas()
    parts = []
    for n in numbers:
        span = board.spans[n]
        inside = [day is not None and day == day and span.first <= day <= span.last for day in frame["acquired_at"]]
        parts.append(frame.loc[inside, ["customer_id", "cost"]].assign(number=n))
    return pd.concat(parts, ignore_index=True)


def _ids(frame: pd.DataFrame | None) -> list[str]:
    return [] if frame is None else list(frame["customer_id"])
