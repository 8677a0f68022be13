"""Which products to offer to whom next, how likely each is bought, what that is worth, and why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.cross_sell.blend import Ingredients, Origins, Weights, usual_gap
from crmlab.analyses.cross_sell.rank import RHYTHM, SOURCES, Ranked, ranked
from crmlab.analyses.cross_sell.state import margins_of, names_of
from crmlab.history.past import History
from crmlab.history.words import QUARTER

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.blend import Pairs
    from crmlab.data.dataset import Dataset

__all__ = ["COLUMNS", "Offers", "next_best_offers", "offers_of", "reasons"]


COLUMNS = (
    "customer_id", "rank", "product_id", "name", "probability", "margin_if_bought", "expected_margin", "source", "reason", "contactable",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Offers:
    """Offers per customer.

    Attributes
    ----------
    frame : DataFrame
        customer_id, rank, product_id, name, probability (of a purchase within the horizon), margin (of one purchase, in the data
        set's currency), expected_margin (probability × margin), source (the ingredient that moved it most), reason (in words),
        contactable ("yes" or "not known"). Ordered by customer and rank.
    weights : Weights
    margin_source : str
        ``"given"``, ``"costs"``, ``"loss"`` or ``"revenue"``.
    as_of : datetime.date
    notes : tuple of str
        What a reader must know.
    """

    frame: pd.DataFrame
    weights: Weights
    margin_source: str
    as_of: dt.date
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Offers({len(self.frame):,} to {self.frame['customer_id'].nunique():,} customers, as of {self.as_of})"


def next_best_offers(
    data: Dataset | History,
    as_of: str | dt.date | None = None,
    *,
    k: int = 3,
    horizon: int = QUARTER,
    margin: float | None = None,
    pairs: Pairs = None,
    rank_by: str = "expected_margin",
) -> Offers:
    """Choose the k best products for each customer.

    The chance that a customer buys a product within the horizon is a logistic blend of what is popular (lately, ever, in the
    customer's segment), of what goes with what the customer has (significant pairs, likeness of buyers) and, for what is due again,
    of its rhythm. The weights are learnt on the horizon before ``as_of``, from what was known on the day before that began; with
    others, use :func:`offers_of`.

    Parameters
    ----------
    data : Dataset or History
        Needs orders and order lines. Products (names, costs, last days of sale) and customers (contactable) are used where they
        are there.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order, or the last day of the history that is given.
    k : int
        Offers per customer at most.
    horizon : int
        Days for which a purchase is predicted.
    margin : float, optional
        Gross margin as a share of revenue; default: from unit costs, or 1 (revenue) where there are none.
    pairs : DataFrame or callable, optional
        Significant pairs: antecedent, consequent (product ids), lift_low. A callable ``(data, day)`` returns them as known on a
        day; only with one are the weights of pairs learnt without hindsight.
    rank_by : {"expected_margin", "probability"}

    Returns
    -------
    Offers
        None of a product that the customer has, unless it is one that people buy again and falls due within the horizon; none that
        is out of range; none to who must not be contacted.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        A parameter is out of range.
    TooLittleError
        The history is shorter than the horizon and 28 days.
    """
    from crmlab.errors import checks

    checks.whole("cross_sell", "k", k, 1, 100)
    checks.whole("cross_sell", "horizon", horizon, 1, 730)
    checks.choice("cross_sell", "rank_by", rank_by, ("expected_margin", "probability"))
    past = History.of(data, as_of)
    # What the weights are learnt from is let go before more is read.
    weights = Origins(past, horizon, pairs).weights(0, 0)
    return offers_of(Origins(past, horizon, pairs), weights, k=k, margin=margin, rank_by=rank_by)


def offers_of(
    origins: Origins, weights: Weights, *, k: int = 3, margin: float | None = None, rank_by: str = "expected_margin"
) -> Offers:
    """Choose the k best products for each customer on the last day of a history, with weights that are known.

    Parameters
    ----------
    origins : Origins
    weights : Weights
    k, margin, rank_by
        As :func:`next_best_offers` takes them.

    Returns
    -------
    Offers
    """
    past, ingredients = origins.past(0), origins.ingredients(0)
    worth, source = margins_of(past, ingredients.state, margin)
    ids = pd.Series(ingredients.state.customers.to_pandas(), name="customer_id")
    may = np.asarray(past.contactable(ids), dtype=object)
    asked = np.flatnonzero(may != "no")
    value = worth if rank_by == "expected_margin" else (worth > 0).astype(float)
    found = ranked(ingredients, weights, k, value, asked)
    names = names_of(past, ingredients.state.products)
    return Offers(
        frame=_frame(ingredients, found, worth, names, ids, may),
        weights=weights,
        margin_source=source,
        as_of=past.as_of,
        notes=_notes(origins, weights, worth, source, len(ids) - len(asked)),
    )


def _frame(
    ingredients: Ingredients,
    found: Ranked,
    worth: npt.NDArray[Any],
    names: npt.NDArray[Any],
    ids: pd.Series,
    may: npt.NDArray[Any],
) -> pd.DataFrame:
    products = ingredients.state.products
    margin = worth[found.col]
    return pd.DataFrame(
        {
            "customer_id": ids.take(found.row).reset_index(drop=True),
            "rank": found.rank,
            "product_id": _spread(products, found.col),
            "name": _spread(names, found.col),
            "probability": found.probability,
            "margin_if_bought": margin,
            "expected_margin": found.probability * margin,
            "source": _spread(np.array(SOURCES, dtype=object), found.source),
            "reason": reasons(ingredients, found, names),
            "contactable": _spread(np.array(["yes", "not known"], dtype=object), (may[found.row] != "yes").astype(int)),
        }
    )


def reasons(ingredients: Ingredients, found: Ranked, names: npt.NDArray[Any]) -> pd.Series:
    """Why each product was chosen, in words.

    Parameters
    ----------
    ingredients : Ingredients
    found : Ranked
    names : array of str, shape (products,)

    Returns
    -------
    Series of str
    """
    state = ingredients.state
    a = np.full(len(found.row), -1)
    b, c = a.copy(), a.copy()
    a[:] = found.because
    pair = np.flatnonzero(found.source == 0)
    lift = np.asarray(ingredients.associated[found.because[pair], found.col[pair]]).ravel() if len(pair) else np.empty(0)
    b[pair] = np.rint(10 * np.exp(lift)).astype(int)
    again = np.flatnonzero(found.source == RHYTHM)
    m = len(state.products)
    at = np.searchsorted(state.row * m + state.col, found.row[again] * m + found.col[again])
    a[again], c[again] = state.days[at], state.since[at]
    b[again] = np.rint(usual_gap(state, ingredients.goods)[at]).astype(int)
    # Few reasons are distinct: each is worded once.
    said = pd.DataFrame({"source": found.source, "a": a, "b": b, "c": c})
    code, distinct = _distinct(said)
    words = [_words(names, *line) for line in distinct.itertuples(index=False)]
    return _spread(np.array(words, dtype=object), code)


def _words(names: npt.NDArray[Any], source: int, a: int, b: int, c: int) -> str:
    if source == 0:
        return f"bought {names[a]}; baskets with that hold this at least {b / 10:.1f} times as often as baskets in all"
    if source == 1:
        return f"bought {names[a]}, whose buyers often buy this too"
    if source == 2:
        return "bought more by customers like these than by others"
    if source == RHYTHM:
        ago = "today" if c == 0 else "yesterday" if c == 1 else f"{c} days ago"
        if a >= 3:
            return f"bought it every {b} {'day' if b == 1 else 'days'}, last {ago}"
        return f"bought it {'once' if a == 1 else 'twice'}, last {ago}; others buy it again after {b} {'day' if b == 1 else 'days'}"
    return "among the products bought most"


def _distinct(said: pd.DataFrame) -> tuple[npt.NDArray[Any], pd.DataFrame]:
    """Code of each row, and the distinct rows in the order of their codes."""
    key = np.zeros(len(said), dtype=np.int64)
    for column in said.columns:
        values = said[column].to_numpy() + 1
        key = key * (int(values.max(initial=0)) + 1) + values
    _, place, code = np.unique(key, return_index=True, return_inverse=True)
    return code, said.iloc[place]


def _spread(values: npt.NDArray[Any], code: npt.NDArray[Any]) -> pd.Series:
    """Values by code, as text."""
    return pd.Series(pd.array(values, dtype="str").take(np.asarray(code, dtype=np.int64)))


def _notes(origins: Origins, weights: Weights, worth: npt.NDArray[Any], source: str, suppressed: int) -> tuple[str, ...]:
    past, state = origins.past(0), origins.state(0)
    out = []
    if source == "revenue":
        out.append("Unit costs are not known: margins are whole revenue. Give the gross margin as the parameter 'margin'.")
    if source == "loss":
        out.append("By the unit costs nothing is left of what was sold: margins are whole revenue instead.")
    losing = int(((worth <= 0) & state.in_range).sum())
    if losing:
        out.append(f"{losing:,} products leave no margin and are not offered.")
    if past.products is None or "available_until" not in past.products.columns:
        out.append(f"Last days of sale are not known: products not sold for {state.recent} days count as out of range.")
    if past.customers is None or "contactable" not in past.customers.columns:
        out.append("Whom not to contact is not known: check the list against your suppressions.")
    if suppressed:
        out.append(f"{suppressed:,} customers must not be contacted and get no offer.")
    if isinstance(origins.pairs, pd.DataFrame) and weights.new.coef_[4] > 0:
        out.append("The weight of pairs was learnt with pairs of the same period, which flatters it.")
    if min(weights.outcomes) < 20:
        out.append("Too few purchases followed to learn all weights: popularity takes their place.")
    return tuple(out)
