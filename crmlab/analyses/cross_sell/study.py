"""Cross-sell: everything that its page shows, worked out once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.backtesting import Backtest, backtest_offers
from crmlab.analyses.cross_sell.blend import outcome_of
from crmlab.analyses.cross_sell.cycles import Cycles, repurchase_cycles
from crmlab.analyses.cross_sell.offers import Offers, next_best_offers
from crmlab.analyses.cross_sell.pairs import Found, bundles_of, find, halves, learn_pairs
from crmlab.analyses.cross_sell.params import Params
from crmlab.analyses.cross_sell.state import State, earned_within, margins_of, names_of, state_at
from crmlab.analyses.cross_sell.worth import Holdings, best_direction, promising, worth_of
from crmlab.errors import TooLittleError
from crmlab.history.context import contactable

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["FEWEST_ACTIVE", "Parts", "holdings", "names_by_item", "parts_of"]


FEWEST_ACTIVE = 20  # customers who bought in the period of the test, below which it says nothing


@dataclass(frozen=True, eq=False)
class Parts:
    """What the page is made of; None where the data do not allow it, with the reason in ``absent``."""

    found: Found
    pairs: pd.DataFrame  # actionable, with names, reach, worth and both halves; first what surely brings most
    bundles: pd.DataFrame
    names: dict[str, str]
    backtest: Backtest | None
    offers: Offers | None
    cycles: Cycles | None
    customers: int | None
    margin_source: str
    least: int  # customers, the smallest group that is shown
    absent: dict[str, str]

    @property
    def best(self) -> pd.DataFrame:
        """The three pairs that surely bring most: the first of those with an extra margin above 0 that reach anybody."""
        return self.pairs[(self.pairs["extra"] > 0) & (self.pairs["reach"] >= self.least)].head(3)


def parts_of(data: Dataset, first: dt.date, end: dt.date, params: Params) -> Parts:
    """Count, test, offer, and hold the offers against what came: everything that the page shows.

    Parameters
    ----------
    data : Dataset
    first, end : datetime.date
        Of the history.
    params : Params

    Returns
    -------
    Parts
    """
    found = find(
        data, end, unit=params.unit, level=params.level_of, min_count=params.min_count, max_items=params.max_items,
        interval=params.level,
    )  # fmt: skip
    known: dict[dt.date, pd.DataFrame] = {}

    def pairs_by(source: Dataset, day: dt.date) -> pd.DataFrame:
        if day not in known:
            known[day] = learn_pairs(source, day)
        return known[day]

    absent: dict[str, str] = {}
    state, before = _state(data, end, params.horizon), None
    if (end - first).days > params.horizon:
        before = _state(data, end - dt.timedelta(days=params.horizon), params.horizon)
    names, source = names_by_item(data, found, state), "revenue"
    pairs = found.pairs.head(0).assign(reach=[], extra=[], extra_low=[])
    if state is not None:
        worth, source = margins_of(data, state, params.margin)
        now = holdings(data, state, worth, params, outcome=False)
        pairs = promising(found.pairs, now)
        then = (
            holdings(data, before, margins_of(data, before, params.margin)[0], params, outcome=True)
            if before is not None
            else None
        )
        pairs = pd.concat([pairs, worth_of(pairs, now, then, params.level, params.min_group)], axis=1)
        pairs = best_direction(pairs)
        pairs = pd.concat([pairs, halves(data, pairs, found, first, end, params.level)], axis=1)
    pairs = pairs.assign(
        name_a=[names.get(item, item) for item in pairs["antecedent"]],
        name_b=[names.get(item, item) for item in pairs["consequent"]],
    )
    backtest = offers = cycles = None
    options = {"k": params.k, "horizon": params.horizon, "margin": params.margin, "pairs": pairs_by, "seed": params.seed}
    try:
        offers = next_best_offers(data, end, **options)  # type: ignore[arg-type]
    except TooLittleError as error:
        absent["offers_list"] = _reason(error)
    try:
        backtest = backtest_offers(data, end, level=params.level, **options)  # type: ignore[arg-type]
    except TooLittleError as error:
        absent |= dict.fromkeys(
            ("backtest", "by_history", "hits"), f"Offers could not be tested on later days: {_reason(error)}"
        )
    if backtest is not None and backtest.active < FEWEST_ACTIVE:
        reason = f"Offers could not be tested on later days: fewer than {FEWEST_ACTIVE} customers bought in the period."
        absent |= dict.fromkeys(("backtest", "by_history", "hits"), reason)
        backtest = None
    try:
        cycles = repurchase_cycles(data, end, horizon=params.horizon, level=params.level)
    except TooLittleError as error:
        absent["cycles"] = _reason(error)
    customers = state.shape[0] if state is not None else None
    return Parts(found, pairs, bundles_of(found), names, backtest, offers, cycles, customers, source, params.min_group, absent)


def _reason(error: TooLittleError) -> str:
    """What was too little, as a sentence of the page."""
    said = str(error).removeprefix("cross_sell: ")
    return said[:1].lower() + said[1:]


def _state(data: Dataset, day: dt.date, recent: int) -> State | None:
    try:
        return state_at(data, day, recent)
    except TooLittleError:
        return None


def names_by_item(data: Dataset, found: Found, state: State | None) -> dict[str, str]:
    """Names of items; categories name themselves."""
    if found.baskets.level == "category" or state is None:
        return {}
    return dict(zip(state.products, (str(name) for name in names_of(data, state.products)), strict=True))


def holdings(data: Dataset, state: State, worth: np.ndarray, params: Params, *, outcome: bool) -> Holdings:
    """Who has what on a state's day, by item of the analysis: products, or their categories.

    Parameters
    ----------
    data : Dataset
    state : State
    worth : array of shape (products,)
        Margin of one purchase.
    params : Params
    outcome : bool
        Whether the horizon after the day is over.

    Returns
    -------
    Holdings
    """
    from scipy import sparse

    item_of, items = _items(data, state, params.level_of)
    shape = (state.shape[0], len(items))

    def table(row: np.ndarray, col: np.ndarray, value: np.ndarray | None = None) -> sparse.csc_array:
        some = col >= 0
        column = item_of[col[some]]
        known = column >= 0
        data = np.ones(int(known.sum()), dtype=np.int32) if value is None else value[some][known]
        return sparse.csc_array((data, (row[some][known], column[known])), shape=shape)

    sold = np.bincount(state.col, state.days, len(state.products))
    inside = item_of >= 0
    weight = np.bincount(item_of[inside], sold[inside], len(items))
    margin = np.bincount(item_of[inside], (sold * worth)[inside], len(items)) / np.maximum(weight, 1)
    in_range = np.bincount(item_of[inside], state.in_range[inside], len(items)) > 0
    asked = np.array(contactable(data, pd.Series(state.customers.to_pandas()))) != "no"
    later = table(*outcome_of(data, state, params.horizon)) if outcome else None
    earned = table(*earned_within(data, state, params.horizon, params.margin)) if outcome else None
    place = {item: k for k, item in enumerate(items)}
    return Holdings(place, table(state.row, state.col), later, earned, asked, margin, in_range)


def _items(data: Dataset, state: State, level_of: str) -> tuple[np.ndarray, list[str]]:
    """Item of each product (-1: none), and the items."""
    if level_of == "product":
        return np.arange(len(state.products)), [str(item) for item in state.products]
    groups = data.products.select("product_id", "category").to_pandas().drop_duplicates("product_id").set_index("product_id")
    codes, items = pd.factorize(groups["category"].reindex(state.products), sort=True)
    return np.asarray(codes), [str(item) for item in items]
