"""Which products to offer to whom next, how likely each is bought, what that is worth, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.cross_sell.blend import Ingredients, Origins, Weights, usual_gap
from crmlab.analyses.cross_sell.lists import NAMES, PERSONAL, Lists, chances, simple_list
from crmlab.analyses.cross_sell.rank import RHYTHM, SOURCES, Ranked, ranked
from crmlab.analyses.cross_sell.state import Array, State, goods_of, margins_of, names_of
from crmlab.errors import checks
from crmlab.history.context import Margin
from crmlab.history.past import History

__all__ = ["Offers", "checked", "columns_of", "offers_of", "reasons", "simple_offers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Offers:
    """Offers per customer.

    Attributes
    ----------
    frame : DataFrame
        ``columns_of`` the margin, ordered by customer and rank.
    method : str
        Which list it is: ``PERSONAL``, or one of ``BASELINES``.
    weights : Weights or None
        Of personal offers.
    margin : Margin
        What the money is.
    as_of : datetime.date
    notes : tuple of str
        What a reader must know.
    """

    frame: pd.DataFrame
    method: str
    weights: Weights | None
    margin: Margin
    as_of: dt.date
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        people = self.frame["customer_id"].nunique()
        return f"Offers({NAMES[self.method]}: {len(self.frame):,} to {people:,} customers, as of {self.as_of})"


def columns_of(margin: Margin) -> tuple[str, ...]:
    """Columns of a list of offers: its money bears the name of what it is.

    customer_id, rank, product_id, name, probability (of a purchase within the horizon; missing where nothing was seen), what one
    purchase brings and probability times that, source (the ingredient that moved a personal offer most, or the simple rule), reason
    (in words), contactable and refusal.

    Examples
    --------
    >>> from crmlab.history.context import Margin
    >>> columns_of(Margin(1.0, "revenue", 0.0))[5:7]
    ('revenue_if_bought', 'expected_revenue')
    """
    money = (f"{margin.word}_if_bought", f"expected_{margin.word}")
    who = ("contactable", "refusal")
    return ("customer_id", "rank", "product_id", "name", "probability", *money, "source", "reason", *who)


def checked(k: int, horizon: int) -> None:
    """Check how many offers are asked for, and for how many days."""
    checks.whole("cross_sell", "k", k, 1, 100)
    checks.whole("cross_sell", "horizon", horizon, 1, 730)


def offers_of(origins: Origins, weights: Weights, *, k: int = 3, margin: float | None = None) -> Offers:
    """Choose the k best products for each customer on the last day of a history, whether or not that beats a simple list.

    The chance that a customer buys a product within the horizon is a logistic blend of what is popular (lately, ever, in the
    customer's segment), of what goes with what the customer has (significant pairs, likeness of buyers) and, for what is due again,
    of its rhythm. Best is what brings most, by that chance.

    Parameters
    ----------
    origins : Origins
    weights : Weights
        Of the blend: those of :meth:`Origins.weights <crmlab.analyses.cross_sell.blend.Origins.weights>` are learnt on the horizon before
        the last day, from what was known on the day before that began.
    k : int
        Offers per customer at most.
    margin : float, optional
        Gross margin as a share of revenue; default: the data set's, or from unit costs; else money is revenue.

    Returns
    -------
    Offers
        None of a product that the customer has, unless it is one that people buy again and falls due within the horizon; none that
        is out of range; none to who must not be contacted.
    """
    past, ingredients = origins.past(0), origins.ingredients(0)
    people, worth = _People(past, ingredients.state), margins_of(past, ingredients.state, margin)
    found = ranked(ingredients, weights, k, worth, np.flatnonzero(people.asked))
    names = names_of(past, ingredients.state.products)
    why = {
        "source": _spread(np.array(SOURCES, dtype=object), found.source),
        "reason": reasons(ingredients, found, names),
    }
    place = Lists(found.row, found.col, found.rank)
    return Offers(
        frame=people.frame(place, names, origins.in_season(0, found.probability), worth, why, past.margin(margin)),
        method=PERSONAL,
        weights=weights,
        margin=past.margin(margin),
        as_of=past.as_of,
        notes=(*_notes(past, ingredients.state, worth, past.margin(margin).word), *_learnt(origins, weights)),
    )


def simple_offers(origins: Origins, rule: str, *, k: int = 3, margin: float | None = None) -> Offers:
    """Make the list of a simple rule on the last day of a history, as the back-test made it on earlier days.

    Parameters
    ----------
    origins : Origins
    rule : str
        One of ``BASELINES``.
    k, margin
        As :func:`offers_of` takes them.

    Returns
    -------
    Offers
        None of a product that is out of range or was sent back; none to who must not be contacted.
    """
    past, state = origins.past(0), origins.state(0)
    people, worth = _People(past, state), margins_of(past, state, margin)
    every = simple_list(rule, state, goods_of(state, origins.rebuy_share), worth, k)
    kept = people.asked[every.row]
    found = Lists(every.row[kept], every.col[kept], every.rank[kept])
    chance = chances(origins, 0, found.row, found.col)
    why = {
        "source": _spread(np.array([NAMES[rule]], dtype=object), np.zeros(len(found.row))),
        "reason": _plain_reasons(rule, state, found),
    }
    notes = _notes(past, state, worth, past.margin(margin).word)
    if len(chance) and np.isnan(chance).all():
        notes += (f"How likely an offer is to be bought is not known: the history is no longer than {origins.horizon} days.",)
    return Offers(
        frame=people.frame(found, names_of(past, state.products), chance, worth, why, past.margin(margin)),
        method=rule,
        weights=None,
        margin=past.margin(margin),
        as_of=past.as_of,
        notes=notes,
    )


class _People:
    """Customers of a day, and who of them may be contacted."""

    def __init__(self, past: History, state: State) -> None:
        self.products = state.products
        self.known = past.with_consent(state.ids.to_frame())
        self.asked = (self.known["contactable"] != "no").to_numpy()

    def frame(
        self,
        found: Lists,
        names: npt.NDArray[Any],
        chance: Array,
        worth: Array,
        why: Mapping[str, pd.Series],
        margin: Margin,
    ) -> pd.DataFrame:
        """The list as a frame."""
        who, each = self.known.take(found.row).reset_index(drop=True), worth[found.col]
        columns = {
            "customer_id": who["customer_id"],
            "rank": found.rank,
            "product_id": _spread(self.products, found.col),
            "name": _spread(names, found.col),
            "probability": chance,
            f"{margin.word}_if_bought": each,
            f"expected_{margin.word}": chance * each,
            **why,
            "contactable": who["contactable"],
            "refusal": who["refusal"],
        }
        return pd.DataFrame(columns)[list(columns_of(margin))]


def _plain_reasons(rule: str, state: State, found: Lists) -> pd.Series:
    """Why a simple rule chose each product, in words: whether the customer had it, and how widely it is bought."""
    m = len(state.products)
    owned, key = state.row * m + state.col, found.row * m + found.col
    has = np.isin(key, owned)
    at = np.searchsorted(owned, key[has])
    most = "among the products that most customers bought lately"
    wide = {
        "best_sellers": most,
        "new_best_sellers": f"{most}, and not yet bought by this one",
        "segment_best_sellers": f"{most} who have come as often as this one",
        "buy_again": most,
    }[rule]
    times, since = np.zeros(len(key), dtype=np.int64), np.zeros(len(key), dtype=np.int64)
    times[has], since[has] = state.days[at], state.since[at]
    code, distinct = _distinct(pd.DataFrame({"times": times, "since": since}))
    words = [_had(wide, rule, *line) for line in distinct.itertuples(index=False)]
    return _spread(np.array(words, dtype=object), code)


def _had(wide: str, rule: str, times: int, since: int) -> str:
    if not times:
        return wide
    often = "once" if times == 1 else "twice" if times == 2 else f"{times} times"
    mine = f"bought it {often}, last {_ago(since)}"
    return mine if rule == "buy_again" else f"{wide}; {mine}"


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
        return f"bought {names[a]}; baskets with that contain this at least {b / 10:.1f} times as often as baskets in all"
    if source == 1:
        return f"bought {names[a]}, whose buyers often buy this too"
    if source == 2:
        return "bought more by customers like these than by others"
    if source == RHYTHM:
        ago = _ago(c)
        if a >= 3:
            return f"bought it every {b} {'day' if b == 1 else 'days'}, last {ago}"
        return f"bought it {'once' if a == 1 else 'twice'}, last {ago}; others buy it again after {b} {'day' if b == 1 else 'days'}"
    return "among the products bought most"


def _ago(days: int) -> str:
    return "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"


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


def _notes(past: History, state: State, worth: Array, money: str) -> tuple[str, ...]:
    out = []
    losing = int(((worth <= 0) & state.in_range).sum())
    if losing:
        few = "product brings no" if losing == 1 else "products bring no"
        out.append(f"{losing:,} {few} {money} and {'is' if losing == 1 else 'are'} not offered.")
    if past.products is None or "available_until" not in past.products.columns:
        out.append(
            f"It is not known when products were withdrawn: products not sold for {state.recent} days count as out of range."
        )
    return tuple(out)


def _learnt(origins: Origins, weights: Weights) -> list[str]:
    out = []
    if isinstance(origins.pairs, pd.DataFrame) and weights.new.coef_[4] > 0:
        out.append("The weight of pairs was learnt from pairs of the same period, which is flattering.")
    if min(weights.outcomes) < 20:
        out.append("Too few purchases followed for all weights to be learnt: popularity takes their place.")
    return out
