"""Offers as they would have been made a horizon ago, held against what customers bought since, and against simple rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.blend import Ingredients, Weights, ingredients_at, outcome_of
from crmlab.analyses.cross_sell.offers import LEAST_DAYS, learnt_before
from crmlab.analyses.cross_sell.rank import ranked
from crmlab.analyses.cross_sell.state import HISTORY, Array, Flags, IntArray, margins_of
from crmlab.errors import DataError, ParameterError
from crmlab.history.orders import history
from crmlab.models.baskets.ranking import bootstrap_means, hits_of, list_measures
from crmlab.models.baskets.recommend import best_per_row

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.blend import Pairs
    from crmlab.data.dataset import Dataset

__all__ = ["BASELINES", "CURVE", "LABELS", "MEASURES", "OURS", "Backtest", "Lists", "backtest_offers", "lists_of"]


MEASURES = {
    "hit_rate": "share of customers who bought in the period and bought one of their offers at least",
    "recall": "share of what these customers bought that was on their list",
    "map": "mean average precision of these customers' lists",
    "hit_rate_all": "share of all customers who bought one of their offers at least",
    "margin": "margin of offers that were bought, per 1,000 customers of all",
    "coverage": "share of the range that is offered to anybody",
}
_ACTIVE = ("hit_rate", "recall", "map")
CURVE = 10  # places of the hit-rate curve
_TENTHS = 10


OURS = ("offers", "offers_by_margin")
BASELINES = ("best_sellers", "new_best_sellers", "segment_best_sellers", "buy_again")
LABELS = {
    "offers": "Offers, by chance",
    "offers_by_margin": "Offers, by expected margin",
    "best_sellers": "Best-sellers",
    "new_best_sellers": "Best-sellers not yet bought",
    "segment_best_sellers": "Best-sellers of the segment",
    "buy_again": "Buy again, then best-sellers",
}
_STEP = 100_000  # customers at a time


@dataclass(frozen=True, eq=False)
class Backtest:
    """How offers and simple rules did.

    Attributes
    ----------
    learnt_on, tested_on, until : datetime.date
        The weights' ingredients are as of ``learnt_on``, their outcome ends on ``tested_on``, when offers are made; their own
        outcome ends at ``until``.
    scores : DataFrame
        method, label, history ("all" or a class of occasions), measure, value, low, high, customers.
    differences : DataFrame
        method, measure, value, low, high, against: ours less the best simple rule, the same customers drawn for both.
    curve : DataFrame
        method, label, k, value, low, high: the hit rate of lists of 1 to 10.
    calibration : DataFrame
        By tenth of offers by chance: offers, predicted, observed, low, high.
    weights : Weights
    customers, active : int
        Known when offers are made; of them, who bought in the period.
    k, horizon : int
    level : float
    margin_source : str
    """

    learnt_on: dt.date
    tested_on: dt.date
    until: dt.date
    scores: pd.DataFrame
    differences: pd.DataFrame
    curve: pd.DataFrame
    calibration: pd.DataFrame
    weights: Weights
    customers: int
    active: int
    k: int
    horizon: int
    level: float
    margin_source: str

    def __repr__(self) -> str:
        return f"Backtest({self.active:,} of {self.customers:,} customers bought from {self.tested_on} to {self.until})"


def backtest_offers(
    data: Dataset,
    as_of: str | dt.date | None = None,
    *,
    k: int = 3,
    horizon: int = 91,
    margin: float | None = None,
    pairs: Pairs = None,
    rebuy_share: float = 0.05,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Backtest:
    """Make offers as of a horizon ago, and see what became of them.

    Weights are learnt on the horizon before that; nothing is chosen on the period of the test. Simple rules get the same range:
    best-sellers of the last horizon (to everybody; those that the customer does not have; by class of occasions), and the
    customer's own products, most often and most lately bought first, filled up with best-sellers. Customers who must not be
    contacted are in the test too: what they bought tells as much.

    Parameters
    ----------
    data : Dataset
        Needs orders and order lines.
    as_of : date or ISO date, optional
        Last day of the outcome; default: the day of the last order.
    k, horizon, margin, rebuy_share, seed
        As :func:`crmlab.analyses.cross_sell.offers.next_best_offers`.
    pairs : callable, optional
        ``(data, day)`` → significant pairs as known on the day: antecedent, consequent, lift_low.
    level : float
        Of every interval: percentiles of customers drawn anew (coverage: the basic bootstrap, for drawing anew loses products).
    draws : int
        Fewer are taken above 50,000 customers.

    Returns
    -------
    Backtest

    Raises
    ------
    MissingTableError
        There are no order lines.
    TooLittleError
        The history is shorter than two horizons and 28 days, or nobody known bought in the period of the test.
    """
    from crmlab.errors import checks

    checks.whole("cross_sell", "k", k, 1, 100)
    checks.whole("cross_sell", "horizon", horizon, 1, 730)
    checks.share("cross_sell", "level", level)
    first, end = history(data.order_lines, as_of)
    tested = end - dt.timedelta(days=horizon)
    if (tested - first).days < horizon + LEAST_DAYS:
        needed = f"at least {2 * horizon + LEAST_DAYS} days of order lines"
        raise DataError.too_little("cross_sell", needed, f"{(end - first).days} days")
    if pairs is not None and not callable(pairs):
        raise ParameterError.expected(
            "cross_sell", "pairs", "a callable (data, day), so that nothing is known in hindsight", "a frame"
        )
    weights = learnt_before(data, first, tested, horizon, pairs, rebuy_share, seed)
    ingredients = ingredients_at(data, tested, pairs, horizon, rebuy_share)
    worth, source = margins_of(data, ingredients.state, margin)
    row, col = outcome_of(data, ingredients.state, horizon)
    wanted = np.bincount(row, minlength=ingredients.state.shape[0])
    if not len(row):
        raise DataError.too_little("cross_sell", f"customers who bought before {tested} and again by {end}", "none")
    lists, chance = lists_of(ingredients, weights, worth, max(k, CURVE))
    known = col >= 0
    hits = {name: hits_of(some.row, some.col, row[known], col[known]) for name, some in lists.items()}
    count = draws if len(wanted) <= 50_000 else min(draws, 200)
    scores, differences = _scores(ingredients, lists, hits, wanted, worth, k, level, count, seed)
    return Backtest(
        weights.learnt_on or first,
        tested,
        end,
        scores,
        differences,
        _curve(lists, hits, wanted, level, count, seed),
        _calibration(lists["offers"], chance, hits["offers"], k, level),
        weights,
        len(wanted),
        int((wanted > 0).sum()),
        k,
        horizon,
        level,
        source,
    )


def _scores(
    ingredients: Ingredients, lists: dict[str, Lists], hits: dict[str, Flags], wanted: IntArray, worth: Array, k: int,
    level: float, draws: int, seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    names = list(lists)
    each: dict[str, pd.DataFrame] = {}
    for name in names:
        some = lists[name].rank <= k
        row, col = lists[name].row[some], lists[name].col[some]
        measured = list_measures(row, lists[name].rank[some], hits[name][some], wanted, k)
        measured["hit_rate_all"] = measured["hit_rate"]
        measured["margin"] = 1000 * np.bincount(row, hits[name][some] * worth[col], len(wanted))
        each[name] = measured
    active = wanted > 0
    classes = ingredients.state.history
    groups = [("all", np.ones(len(wanted), dtype=bool)), *((label, classes == c) for c, label in enumerate(HISTORY))]
    rows, differences = [], pd.DataFrame()
    for label, inside in groups:
        for measures, people in ((_ACTIVE, inside & active), (("hit_rate_all", "margin"), inside)):
            table = np.column_stack([each[name].loc[people, list(measures)].to_numpy() for name in names])
            mean, low, high = bootstrap_means(table, level=level, draws=draws, seed=seed)
            if not people.any():
                continue
            low, high = _never_sure(
                mean, low, high, int(people.sum()), [m.startswith("hit") for _ in names for m in measures], level
            )
            for j, (name, measure) in enumerate((name, measure) for name in names for measure in measures):
                rows.append((name, LABELS[name], label, measure, mean[j], low[j], high[j], int(people.sum())))
            if label == "all":
                found = _differences(names, measures, table, mean, level, draws, seed)
                differences = pd.concat([differences, found], ignore_index=True)
    allowed = int((ingredients.state.in_range & (worth > 0)).sum())
    for name in names:
        some = lists[name].rank <= k
        share, least, most = _coverage(lists[name].row[some], lists[name].col[some], len(wanted), allowed, level, draws, seed)
        rows.append((name, LABELS[name], "all", "coverage", share, least, most, len(wanted)))
    columns = ["method", "label", "history", "measure", "value", "low", "high", "customers"]
    return pd.DataFrame(rows, columns=columns), differences


def _differences(
    names: list[str], measures: tuple[str, ...], table: Array, mean: Array, level: float, draws: int, seed: int
) -> pd.DataFrame:
    """Ours less the simple rule that did best in the test, by measure."""
    place = {pair: j for j, pair in enumerate((name, measure) for name in names for measure in measures)}
    rows = []
    for measure in measures:
        best = max(BASELINES, key=lambda name, measure=measure: (mean[place[name, measure]], -BASELINES.index(name)))  # type: ignore[misc]
        for name in OURS:
            gap = table[:, [place[name, measure]]] - table[:, [place[best, measure]]]
            value, low, high = (float(part[0]) for part in bootstrap_means(gap, level=level, draws=draws, seed=seed))
            rows.append((name, measure, value, low, high, best))
    return pd.DataFrame(rows, columns=["method", "measure", "value", "low", "high", "against"])


def _coverage(
    row: IntArray, col: IntArray, n: int, allowed: int, level: float, draws: int, seed: int
) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    share = len(np.unique(col)) / max(allowed, 1)
    drawn = []
    for _ in range(min(draws, 200)):
        there = np.zeros(n, dtype=bool)
        there[rng.integers(0, n, n)] = True
        drawn.append(np.count_nonzero(np.bincount(col[there[row]])) / max(allowed, 1))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return share, min(share, float(2 * share - high)), min(1.0, float(2 * share - low))


def _curve(
    lists: dict[str, Lists], hits: dict[str, Flags], wanted: IntArray, level: float, draws: int, seed: int
) -> pd.DataFrame:
    active = wanted > 0
    columns, keys = [], []
    for name, some in lists.items():
        first = np.full(len(wanted), CURVE + 1)
        np.minimum.at(first, some.row[hits[name]], some.rank[hits[name]])
        for k in range(1, CURVE + 1):
            columns.append((first[active] <= k).astype(float))
            keys.append((name, LABELS[name], k))
    mean, low, high = bootstrap_means(np.column_stack(columns), level=level, draws=draws, seed=seed)
    low, high = _never_sure(mean, low, high, int(active.sum()), [True] * len(mean), level)
    frame = pd.DataFrame(keys, columns=["method", "label", "k"])
    return frame.assign(value=mean, low=low, high=high)


def _never_sure(mean: Array, low: Array, high: Array, n: int, rates: list[bool], level: float) -> tuple[Array, Array]:
    """Widen intervals of rates that are 0 or 1 among all, of which drawing anew gives no other: Wilson's there."""
    from crmlab.models.intervals import wilson

    low, high = low.copy(), high.copy()
    for j in np.flatnonzero(np.array(rates) & ((mean <= 0) | (mean >= 1))):
        low[j], high[j] = wilson(round(float(mean[j]) * n), n, level)
    return low, high


def _calibration(lists: Lists, chance: Array, hit: Flags, k: int, level: float) -> pd.DataFrame:
    """Chances that were said against what came of them, by tenth of offers; Wilson's intervals."""
    from crmlab.models.intervals import wilson

    some = lists.rank <= k
    p, yes = chance[some], hit[some]
    order = np.argsort(p, kind="stable")
    rows = []
    for part in np.array_split(order, min(_TENTHS, max(len(order), 1))) if len(order) else ():
        n, came = len(part), int(yes[part].sum())
        rows.append((n, float(p[part].mean()), came / n, *wilson(came, n, level)))
    return pd.DataFrame(rows, columns=["offers", "predicted", "observed", "low", "high"])


class Lists(NamedTuple):
    """Lists of all customers: customer, product, place from 1."""

    row: IntArray
    col: IntArray
    rank: IntArray


def lists_of(ingredients: Ingredients, weights: Weights, worth: Array, k: int) -> tuple[dict[str, Lists], Array]:
    """The lists of each method, and the chances of those of the first."""
    state, goods = ingredients.state, ingredients.goods
    n, m = state.shape
    allowed = state.in_range & (worth > 0)
    by_chance = ranked(ingredients, weights, k, (worth > 0).astype(float))
    by_margin = ranked(ingredients, weights, k, worth)
    popular = np.where(allowed, np.exp(goods.popularity), 0.0)
    classes = len(HISTORY)
    lately = state.since <= state.recent
    table = np.bincount(state.history[state.row[lately]] * m + state.col[lately], minlength=classes * m).reshape(classes, m)
    in_class = np.where(allowed, table + popular, 0.0)  # popularity decides where a class says nothing
    mine = allowed[state.col]
    row, col = state.row[mine], state.col[mine]
    own = 10.0 + state.days[mine] + 1 / (2.0 + state.since[mine])
    return {
        "offers": Lists(by_chance.row, by_chance.col, by_chance.rank),
        "offers_by_margin": Lists(by_margin.row, by_margin.col, by_margin.rank),
        "best_sellers": _by_class(popular[None, :], np.zeros(n, dtype=np.int64), k),
        "new_best_sellers": _without(popular, state.row, state.col, n, k),
        "segment_best_sellers": _by_class(in_class, state.history, k),
        "buy_again": _filled(row, col, own, popular, n, k),
    }, by_chance.probability


def _by_class(table: Array, which: IntArray, k: int) -> Lists:
    """The best of each class for all of its customers."""
    best = np.argsort(-table, axis=1, kind="stable")[:, :k]
    some = int((np.take_along_axis(table, best, axis=1) > 0).sum(axis=1).min())
    best = best[:, :some]
    n = len(which)
    return Lists(np.repeat(np.arange(n), some), best[which].ravel(), np.tile(np.arange(1, some + 1), n))


def _without(popular: Array, row: IntArray, col: IntArray, n: int, k: int) -> Lists:
    return _filled(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), popular, n, k, (row, col))


def _filled(
    row: IntArray, col: IntArray, value: Array, popular: Array, n: int, k: int, owned: tuple[IntArray, IntArray] | None = None
) -> Lists:
    """Own products by value, then best-sellers that are not among them (or not owned), for each customer."""
    m = len(popular)
    taken = row * m + col if owned is None else owned[0] * m + owned[1]
    most = int(np.bincount(taken // m, minlength=n).max(initial=0))
    head = np.argsort(-popular, kind="stable")[: k + min(most, 50)]
    head = head[popular[head] > 0]
    parts = []
    for begin in range(0, n, _STEP):
        end = min(begin + _STEP, n)
        r, c = np.repeat(np.arange(begin, end), len(head)), np.tile(head, end - begin)
        free = ~np.isin(r * m + c, taken[(taken >= begin * m) & (taken < end * m)])
        mine = (row >= begin) & (row < end)
        parts.append(
            best_per_row(
                np.concatenate([row[mine], r[free]]),
                np.concatenate([col[mine], c[free]]),
                np.concatenate([value[mine], popular[c[free]]]),
                k,
            )
        )
    return Lists(*(np.concatenate([part[j] for part in parts]) for j in (0, 1, 3)))
