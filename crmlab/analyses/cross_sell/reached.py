"""Whom the pairs reach, and what those people bought more than others: who has what, and which direction of a pair brings more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.blend import Origins, outcome_of
from crmlab.analyses.cross_sell.pairs import learn_pairs
from crmlab.analyses.cross_sell.params import Params
from crmlab.analyses.cross_sell.state import earned_within, margins_of
from crmlab.analyses.cross_sell.worth import Holdings, best_direction, promising, worth_of
from crmlab.collecting import collect
from crmlab.errors import DataError, TooLittleError

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.state import State
    from crmlab.history.past import History

__all__ = ["holdings", "pairs_worth", "state_of", "worth_by"]

_DEFAULTS = Params()
_NEEDED = ("antecedent", "consequent", "n", "n_antecedent", "n_consequent", "n_both", "confidence_low", "lift_low")


def pairs_worth(history: History, pairs: pd.DataFrame, params: Params = _DEFAULTS) -> pd.DataFrame:
    """Whom each pair concerns, and what those people bought more than others: the pairs on which one can act, the surest gain first.

    Each pair is there once, in the direction that surely brings more; what is out of range is left out. It is an association, not the
    effect of an offer.

    Parameters
    ----------
    history : History
        Needs orders and order lines.
    pairs : DataFrame
        Significant pairs, both directions: ``pairs`` of :func:`~crmlab.analyses.cross_sell.pairs.sold_together`, or some of them.
    params : Params
        ``level_of`` as the pairs were found; ``horizon``, ``margin``, ``level`` and ``min_group``.

    Returns
    -------
    DataFrame
        The columns of ``pairs``; reach (customers who have A and not B, and may be contacted as far as is known) and unknown (of the
        reach, of whom it is not said), in_range; seen (customers who had A and not B a horizon before the end), rate (their share who
        bought B since) and other (the same of those who had neither), each with ends; each (what one of them brought with B more than
        one of the others) and extra (that of all whom it reaches), with ends. Missing where the history is too short, or fewer than
        ``min_group`` are known.

    Raises
    ------
    DataError
        ``pairs`` lacks a column.
    MissingTableError
        There are no order lines.
    TooLittleError
        Nobody had bought anything.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.analyses.cross_sell import pairs_worth, sold_together
    >>> lines = [(str(n), f"c{n % 60}", "2024-01-15", item, 1, 5.0)
    ...          for n in range(80) for item in (("tea", "cup") if n < 40 else ("tea",) if n < 50 else ("jam",))]
    >>> names = ["order_id", "customer_id", "ordered_at", "product_id", "quantity", "amount"]
    >>> history = crmlab.History(crmlab.open_dataset({"order_lines": pd.DataFrame(lines, columns=names)}))
    >>> pairs_worth(history, sold_together(history).pairs)[["antecedent", "consequent", "reach"]].values.tolist()
    [['tea', 'cup', 10]]
    """
    for column in _NEEDED:
        if column not in pairs.columns:
            raise DataError.frame_lacks("pairs", column, pairs.columns)
    told = "customer ids" in history.data.descriptor.told
    origins = Origins(history, params.horizon, learn_pairs)
    origins.state(0)
    return worth_by(origins, pairs, replace(params, as_of=None), told=told)


def worth_by(origins: Origins, pairs: pd.DataFrame, params: Params, *, told: bool) -> pd.DataFrame:
    """Work out what :func:`pairs_worth` says, from days that others ask for as well.

    Parameters
    ----------
    origins : Origins
        Somebody had bought something by the last day.
    pairs : DataFrame
    params : Params
    told : bool
        Whether the data set says who bought; where it does not, pairs reach nobody.
    """
    held, then = holdings(origins.past(0), origins.state(0), params, outcome=False), None
    long_enough = told and (origins.past(0).as_of - origins.first).days > params.horizon
    if long_enough and (before := state_of(origins, 1)) is not None:
        then = holdings(origins.past(1), before, params, outcome=True)
    some = promising(pairs, held)
    some = pd.concat([some, worth_of(some, held, then, params.level, params.min_group)], axis=1)
    return best_direction(some if told else some.assign(reach=0))


def state_of(origins: Origins, back: int) -> State | None:
    """Who had what so many horizons ago; None where nobody had bought anything."""
    try:
        return origins.state(back)
    except TooLittleError:
        return None


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

    worth = margins_of(past, state, params.margin)
    may = np.array(past.contactable(state.ids))
    sold = np.bincount(state.col, state.days, len(state.products))
    inside = item_of >= 0
    weight = np.bincount(item_of[inside], sold[inside], len(items))
    return Holdings(
        items={item: k for k, item in enumerate(items)},
        has=table(state.row, state.col),
        later=table(*outcome_of(past, state, params.horizon)) if outcome else None,
        earned=table(*earned_within(past, state, params.horizon, params.margin)) if outcome else None,
        asked=may != "no",
        told=may != "not known",
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
