"""Cross-sell: what is sold together, offers, how they would have done, and how soon products are bought again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.backtesting import Backtest, backtest_offers
from crmlab.analyses.cross_sell.blend import Origins, outcome_of
from crmlab.analyses.cross_sell.cycles import Cycles, repurchase_cycles
from crmlab.analyses.cross_sell.offers import Offers, offers_of
from crmlab.analyses.cross_sell.pairs import Found, as_file, bundles_of, find, halves, learn_pairs
from crmlab.analyses.cross_sell.state import earned_within, margins_of, names_of
from crmlab.analyses.cross_sell.worth import Holdings, best_direction, promising, worth_of
from crmlab.data.collecting import collect
from crmlab.errors import TooLittleError
from crmlab.page.exhibits import Absent
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.params import Params
    from crmlab.analyses.cross_sell.state import State
    from crmlab.history.past import History

__all__ = ["Study", "holdings", "study"]


FEWEST_ACTIVE = 20  # customers who bought in the period of the test, below which it says nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of cross-sell shows.

    Attributes
    ----------
    context : Context
    params : Params
    first : datetime.date
        First day with an order line.
    found : Found
        What was counted and tested.
    pairs : DataFrame
        Pairs that one can act on, with names, reach, worth and both halves of the history; first what surely brings most.
    bundles : DataFrame
        Sets of three that sell together more often than their best pair explains.
    names : dict of str to str
        Names of products; categories name themselves.
    offers : Offers or Absent
    backtest : Backtest or Absent
        Offers as they would have been made a horizon ago, held against what customers bought since.
    cycles : Cycles or Absent
        How often products are bought again.
    """

    context: Context
    params: Params
    first: dt.date
    found: Found
    pairs: pd.DataFrame
    bundles: pd.DataFrame
    names: Mapping[str, str]
    offers: Offers | Absent
    backtest: Backtest | Absent
    cycles: Cycles | Absent

    @property
    def best(self) -> pd.DataFrame:
        """The three pairs that surely bring most: the first of those with an extra margin above 0 that reach anybody."""
        return self.pairs[(self.pairs["extra"] > 0) & (self.pairs["reach"] >= self.params.min_group)].head(3)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Rules, and where there are any: offers, cycles, and customers who are due."""
        title = "Rules that hold after correction, and longer ones that a shorter one explains"
        out = {"rules": Output(title, as_file(self.found, self.names), ("antecedent", "consequent"))}
        if isinstance(self.offers, Offers):
            title = "Offers per customer, with probability and reason"
            out["offers"] = Output(title, self.offers.frame, ("customer_id", "rank"))
        if isinstance(self.cycles, Cycles):
            out["cycles"] = Output("Repurchase cycle of every product", self.cycles.products, ("product_id",))
            title = "Customers who could be moved to a shorter cycle"
            out["due"] = Output(title, self.cycles.customers, ("customer_id", "product_id"))
        return out


def study(history: History, params: Params) -> Study:
    """Count, test, offer, and hold the offers against what came.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        ``level_of`` is "category" where no product has one.
    """
    origins = Origins(history, params.horizon, learn_pairs)
    found = find(
        history,
        unit=params.unit,
        level=params.level_of,
        min_count=params.min_count,
        max_items=params.max_items,
        interval=params.level,
    )
    nobody = None if "customer ids" in history.data.descriptor.told else Absent("the data set does not say who bought")
    now = _state(origins, 0)
    by_id: dict[str, str] = {}
    if now is not None and params.level_of == "product":
        by_id = dict(zip(now.products, map(str, names_of(history, now.products)), strict=True))
    return Study(
        context=history.context(None if now is None or nobody else now.shape[0]),
        params=params,
        first=origins.first,
        found=found,
        pairs=_pairs(origins, found, by_id, params, told=nobody is None),
        bundles=bundles_of(found),
        names=by_id,
        offers=nobody or _offers(origins, params),
        backtest=nobody or _backtest(origins, params),
        cycles=nobody or _cycles(origins, params),
    )


def _state(origins: Origins, back: int) -> State | None:
    """Who had what on a day; None where nobody had bought anything."""
    try:
        return origins.state(back)
    except TooLittleError:
        return None


def _pairs(origins: Origins, found: Found, names: Mapping[str, str], params: Params, *, told: bool) -> pd.DataFrame:
    """The pairs that one can act on, with reach, worth, both halves of the history, and names; where nobody is told, they reach nobody."""
    history, now = origins.past(0), _state(origins, 0)
    pairs = found.pairs.head(0).assign(reach=[], extra=[], extra_low=[])
    if now is not None:
        held, then = holdings(history, now, params, outcome=False), None
        long_enough = told and (history.as_of - origins.first).days > params.horizon
        if long_enough and (before := _state(origins, 1)) is not None:
            then = holdings(origins.past(1), before, params, outcome=True)
        pairs = promising(found.pairs, held)
        pairs = pd.concat([pairs, worth_of(pairs, held, then, params.level, params.min_group)], axis=1)
        pairs = best_direction(pairs if told else pairs.assign(reach=0))
        pairs = pd.concat([pairs, halves(history, pairs, found.baskets, origins.first, params.level)], axis=1)
    return pairs.assign(
        name_a=[names.get(item, item) for item in pairs["antecedent"]],
        name_b=[names.get(item, item) for item in pairs["consequent"]],
    )


def _offers(origins: Origins, params: Params) -> Offers | Absent:
    try:
        return offers_of(origins, origins.weights(0, params.seed), k=params.k, margin=params.margin)
    except TooLittleError as error:
        return Absent(_reason(error))


def _backtest(origins: Origins, params: Params) -> Backtest | Absent:
    nothing = "Offers could not be tested on later days"
    try:
        found = backtest_offers(origins, k=params.k, margin=params.margin, level=params.level, seed=params.seed)
    except TooLittleError as error:
        return Absent(f"{nothing}: {_reason(error)}")
    if found.active < FEWEST_ACTIVE:
        return Absent(f"{nothing}: fewer than {FEWEST_ACTIVE} customers bought in the period.")
    return found


def _cycles(origins: Origins, params: Params) -> Cycles | Absent:
    try:
        return repurchase_cycles(origins.past(0), origins.state(0), level=params.level)
    except TooLittleError as error:
        return Absent(_reason(error))


def _reason(error: TooLittleError) -> str:
    """What was too little, as a sentence of the page."""
    said = str(error).removeprefix("cross_sell: ")
    return said[:1].lower() + said[1:]


def holdings(past: History, state: State, params: Params, *, outcome: bool) -> Holdings:
    """Who has what at the end of a history, by item of the analysis: products, or their categories.

    Parameters
    ----------
    past : History
    state : State
        Of its last day.
    params : Params
    outcome : bool
        Whether the horizon after the day is over.

    Returns
    -------
    Holdings
    """
    from scipy import sparse

    item_of, items = _items(past, state, params.level_of)
    shape = (state.shape[0], len(items))

    def table(row: np.ndarray, col: np.ndarray, value: np.ndarray | None = None) -> sparse.csc_array:
        some = col >= 0
        column = item_of[col[some]]
        known = column >= 0
        data = np.ones(int(known.sum()), dtype=np.int32) if value is None else value[some][known]
        return sparse.csc_array((data, (row[some][known], column[known])), shape=shape)

    worth, _ = margins_of(past, state, params.margin)
    sold = np.bincount(state.col, state.days, len(state.products))
    inside = item_of >= 0
    weight = np.bincount(item_of[inside], sold[inside], len(items))
    return Holdings(
        items={item: k for k, item in enumerate(items)},
        has=table(state.row, state.col),
        later=table(*outcome_of(past, state, params.horizon)) if outcome else None,
        earned=table(*earned_within(past, state, params.horizon, params.margin)) if outcome else None,
        asked=np.array(past.contactable(pd.Series(state.customers.to_pandas()))) != "no",
        margin=np.bincount(item_of[inside], (sold * worth)[inside], len(items)) / np.maximum(weight, 1),
        in_range=np.bincount(item_of[inside], state.in_range[inside], len(items)) > 0,
    )


def _items(past: History, state: State, level_of: str) -> tuple[np.ndarray, list[str]]:
    """Item of each product (-1: none), and the items."""
    if level_of == "product":
        return np.arange(len(state.products)), [str(item) for item in state.products]
    groups = collect(past.data.products.select("product_id", "category"), "product_id").drop_duplicates("product_id")
    codes, items = pd.factorize(groups.set_index("product_id")["category"].reindex(state.products), sort=True)
    return np.asarray(codes), [str(item) for item in items]
