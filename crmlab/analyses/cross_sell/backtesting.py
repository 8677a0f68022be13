"""Offers as they would have been made a horizon ago, held against what customers bought since, and against simple rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.blend import Ingredients, Origins, Weights, outcome_of
from crmlab.analyses.cross_sell.lists import BASELINES, BY_CHANCE, PERSONAL, Lists, chances, simple_list
from crmlab.analyses.cross_sell.rank import ranked
from crmlab.analyses.cross_sell.state import HISTORY, Array, Flags, IntArray, margins_of
from crmlab.errors import ParameterError, TooLittleError
from crmlab.models.baskets.ranking import bootstrap_means, hits_of, list_measures
from crmlab.models.intervals import LEVEL, paired_difference

__all__ = ["MEASURES", "OURS", "Backtest", "Draws", "backtest_offers", "lists_of"]


MEASURES = {
    "hit_rate": "share of customers who bought in the period and bought one of their offers at least",
    "recall": "share of what these customers bought that was on their list",
    "map": "mean average precision of these customers' lists",
    "hit_rate_all": "share of all customers who bought one of their offers at least",
    "money": "margin (revenue, where no margin is known) of offers that were bought, per 1,000 customers of all",
    "coverage": "share of the range that is offered to anybody",
}
_ACTIVE = ("hit_rate", "recall", "map")
CURVE = 10  # places of the hit-rate curve
_TENTHS = 10


OURS = (BY_CHANCE, PERSONAL)


class Draws(NamedTuple):
    """How intervals are drawn: at which level, by how many draws of customers anew, from which seed."""

    level: float = LEVEL
    number: int = 1000
    seed: int = 0

    def means(self, table: Array) -> tuple[Array, Array, Array]:
        """Means of columns, with their intervals."""
        return bootstrap_means(table, level=self.level, draws=self.number, seed=self.seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Backtest:
    """How offers and simple rules did.

    Attributes
    ----------
    learnt_on, tested_on, until : datetime.date
        The weights' ingredients are as of ``learnt_on``, their outcome ends on ``tested_on``, when offers are made; their own
        outcome ends at ``until``.
    scores : DataFrame
        method, history ("all" or a class of occasions), measure, value, low, high, customers.
    differences : DataFrame
        method, measure, value, low, high, against: ours less the best simple rule, the same customers drawn for both.
    curve : DataFrame
        method, k, value, low, high: the hit rate of lists of 1 to 10.
    calibration : DataFrame
        By tenth of offers by chance: offers, predicted, observed, low, high.
    foretold : DataFrame
        method, predicted, observed, low, high: how often offers were said to be bought, and how often they were.
    weights : Weights
    customers, active : int
        Known when offers are made; of them, who bought in the period.
    k, horizon : int
    level : float
    money : str
        What ``money`` among the measures is: ``"margin"``, or ``"revenue"`` where no margin is known.
    """

    learnt_on: dt.date
    tested_on: dt.date
    until: dt.date
    scores: pd.DataFrame
    differences: pd.DataFrame
    curve: pd.DataFrame
    calibration: pd.DataFrame
    foretold: pd.DataFrame
    weights: Weights
    customers: int
    active: int
    k: int
    horizon: int
    level: float
    money: str

    def score(self, method: str, measure: str) -> pd.Series:
        """How a list did, of all customers: value, low, high."""
        one = self.scores[(self.scores["history"] == "all") & (self.scores["method"] == method)]
        return one[one["measure"] == measure].iloc[0]

    def lead(self, measure: str) -> pd.Series:
        """Personal offers less the best simple list: value, low, high, against."""
        ours = self.differences[self.differences["method"] == PERSONAL]
        return ours[ours["measure"] == measure].iloc[0]

    def __repr__(self) -> str:
        return f"Backtest({self.active:,} of {self.customers:,} customers bought from {self.tested_on} to {self.until})"


def backtest_offers(
    origins: Origins,
    *,
    k: int = 3,
    margin: float | None = None,
    level: float = LEVEL,
    draws: int = 1000,
    seed: int = 0,
) -> Backtest:
    """Make offers as of a horizon before the end of a history, and see what became of them.

    Weights are learnt on the horizon before that; nothing is chosen on the period of the test. Simple rules get the same range:
    best-sellers of the last horizon (to everybody; those that the customer does not have; by class of occasions), and the
    customer's own products, most often and most lately bought first, filled up with best-sellers. Customers who must not be
    contacted are in the test too: what they bought tells as much.

    Parameters
    ----------
    origins : Origins
        The outcome ends with the last day of its history. Its pairs are none or a callable, which gives them as known on a day.
    k, margin, seed
        As :func:`crmlab.analyses.cross_sell.choice.next_best_offers` takes them.
    level : float
        Of every interval: percentiles of customers drawn anew, and Agresti and Min's of differences of hit rates.
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
    checks.share("cross_sell", "level", level)
    if origins.pairs is not None and not callable(origins.pairs):
        raise ParameterError.expected(
            "cross_sell", "pairs", "a callable (data, day), so that nothing is known in hindsight", "a frame"
        )
    weights = origins.weights(1, seed)
    past, ingredients, end = origins.past(1), origins.ingredients(1), origins.past(0).as_of
    state = ingredients.state
    worth, money = margins_of(past, state, margin), past.margin(margin).word
    row, col = outcome_of(past, state, origins.horizon)
    wanted = np.bincount(row, minlength=state.shape[0])
    if not len(row):
        raise TooLittleError.needs("cross_sell", f"customers who bought before {past.as_of} and again by {end}", "none")
    lists, chance = lists_of(ingredients, weights, worth, max(k, CURVE))
    known = col >= 0
    hits = {name: hits_of(some.row, some.col, row[known], col[known]) for name, some in lists.items()}
    drawn = Draws(level, draws if len(wanted) <= 50_000 else min(draws, 200), seed)
    shown = {name: _Shown(some, hits[name], k) for name, some in lists.items()}
    said = {name: origins.in_season(1, found[lists[name].rank <= k]) for name, found in chance.items()}
    said |= {name: chances(origins, 1, shown[name].row, shown[name].col) for name in BASELINES}
    scores, differences = _scores(shown, state.history, wanted, worth, drawn)
    allowed = int((state.in_range & (worth > 0)).sum())
    return Backtest(
        learnt_on=weights.learnt_on or origins.first,
        tested_on=past.as_of,
        until=end,
        scores=pd.concat([scores, _coverages(shown, len(wanted), allowed)], ignore_index=True),
        differences=differences,
        curve=_curve(lists, hits, wanted, drawn),
        calibration=_calibration(shown[BY_CHANCE], said[BY_CHANCE], level),
        foretold=_foretold(shown, said, level),
        weights=weights,
        customers=len(wanted),
        active=int((wanted > 0).sum()),
        k=k,
        horizon=origins.horizon,
        level=level,
        money=money,
    )


class _Shown:
    """The first places of lists, and which of them were bought."""

    def __init__(self, lists: Lists, hit: Flags, k: int) -> None:
        some = lists.rank <= k
        self.row, self.col, self.rank, self.hit, self.k = lists.row[some], lists.col[some], lists.rank[some], hit[some], k


_COLUMNS = ["method", "history", "measure", "value", "low", "high", "customers"]


def _scores(
    shown: dict[str, _Shown], classes: IntArray, wanted: IntArray, worth: Array, drawn: Draws
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How each list did, of all customers and by class of occasions; and ours less the best simple rule."""
    names = list(shown)
    each: dict[str, pd.DataFrame] = {}
    for name, some in shown.items():
        measured = list_measures(some.row, some.rank, some.hit, wanted, some.k)
        measured["hit_rate_all"] = measured["hit_rate"]
        measured["money"] = 1000 * np.bincount(some.row, some.hit * worth[some.col], len(wanted))
        each[name] = measured
    active = wanted > 0
    groups = [("all", np.ones(len(wanted), dtype=bool)), *((label, classes == c) for c, label in enumerate(HISTORY))]
    rows, differences = [], pd.DataFrame()
    for label, inside in groups:
        for measures, people in ((_ACTIVE, inside & active), (("hit_rate_all", "money"), inside)):
            table = np.column_stack([each[name].loc[people, list(measures)].to_numpy() for name in names])
            mean, low, high = drawn.means(table)
            if not people.any():
                continue
            rates = [m.startswith("hit") for _ in names for m in measures]
            low, high = _never_sure(mean, low, high, int(people.sum()), rates, drawn.level)
            for j, (name, measure) in enumerate((name, measure) for name in names for measure in measures):
                rows.append((name, label, measure, mean[j], low[j], high[j], int(people.sum())))
            if label == "all":
                found = _differences(names, measures, table, mean, drawn)
                differences = pd.concat([differences, found], ignore_index=True)
    return pd.DataFrame(rows, columns=_COLUMNS), differences


def _differences(names: list[str], measures: tuple[str, ...], table: Array, mean: Array, drawn: Draws) -> pd.DataFrame:
    """Ours less the simple rule that did best in the test, by measure."""
    place = {pair: j for j, pair in enumerate((name, measure) for name in names for measure in measures)}
    rows = []
    for measure in measures:
        best = max(BASELINES, key=lambda name, measure=measure: (mean[place[name, measure]], -BASELINES.index(name)))  # type: ignore[misc]
        for name in OURS:
            gap = table[:, place[name, measure]] - table[:, place[best, measure]]
            if measure.startswith("hit") and len(gap):  # of each customer yes or no: exact enough where few differ
                value, low, high = paired_difference(int((gap > 0).sum()), int((gap < 0).sum()), len(gap), drawn.level)
            else:
                value, low, high = (float(part[0]) for part in drawn.means(gap[:, None]))
            rows.append((name, measure, value, low, high, best))
    return pd.DataFrame(rows, columns=["method", "measure", "value", "low", "high", "against"])


def _coverages(shown: dict[str, _Shown], n: int, allowed: int) -> pd.DataFrame:
    """Share of the range that each list offers to anybody: counted, so without an interval."""
    rows = [
        (name, "all", "coverage", len(np.unique(some.col)) / max(allowed, 1), np.nan, np.nan, n) for name, some in shown.items()
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _curve(lists: dict[str, Lists], hits: dict[str, Flags], wanted: IntArray, drawn: Draws) -> pd.DataFrame:
    active = wanted > 0
    columns, keys = [], []
    for name, some in lists.items():
        first = np.full(len(wanted), CURVE + 1)
        np.minimum.at(first, some.row[hits[name]], some.rank[hits[name]])
        for k in range(1, CURVE + 1):
            columns.append((first[active] <= k).astype(float))
            keys.append((name, k))
    mean, low, high = drawn.means(np.column_stack(columns))
    low, high = _never_sure(mean, low, high, int(active.sum()), [True] * len(mean), drawn.level)
    frame = pd.DataFrame(keys, columns=["method", "k"])
    return frame.assign(value=mean, low=low, high=high)


def _never_sure(mean: Array, low: Array, high: Array, n: int, rates: list[bool], level: float) -> tuple[Array, Array]:
    """Widen intervals of rates that are 0 or 1 among all, of which drawing anew gives no other: Wilson's there."""
    from crmlab.models.intervals import wilson

    low, high = low.copy(), high.copy()
    for j in np.flatnonzero(np.array(rates) & ((mean <= 0) | (mean >= 1))):
        low[j], high[j] = wilson(round(float(mean[j]) * n), n, level)
    return low, high


def _calibration(shown: _Shown, chance: Array, level: float) -> pd.DataFrame:
    """Chances that were said against what came of them, by tenth of offers; Wilson's intervals."""
    from crmlab.models.intervals import wilson

    order = np.argsort(chance, kind="stable")
    rows = []
    for part in np.array_split(order, min(_TENTHS, max(len(order), 1))) if len(order) else ():
        n, came = len(part), int(shown.hit[part].sum())
        rows.append((n, float(chance[part].mean()), came / n, *wilson(came, n, level)))
    return pd.DataFrame(rows, columns=["offers", "predicted", "observed", "low", "high"])


def _foretold(shown: dict[str, _Shown], said: dict[str, Array], level: float) -> pd.DataFrame:
    """Of each list, the mean chance that was said of its offers and the share that was bought; Wilson's intervals."""
    from crmlab.models.intervals import wilson

    rows = []
    for name, some in shown.items():
        n, came = len(some.hit), int(some.hit.sum())
        if n:
            rows.append((name, float(said[name].mean()), came / n, *wilson(came, n, level)))
    return pd.DataFrame(rows, columns=["method", "predicted", "observed", "low", "high"])


def lists_of(ingredients: Ingredients, weights: Weights, worth: Array, k: int) -> tuple[dict[str, Lists], dict[str, Array]]:
    """The lists of each method, and the chances of personal offers."""
    by_chance = ranked(ingredients, weights, k, (worth > 0).astype(float))
    by_margin = ranked(ingredients, weights, k, worth)
    ours = {name: Lists(one.row, one.col, one.rank) for name, one in zip(OURS, (by_chance, by_margin), strict=True)}
    simple = {rule: simple_list(rule, ingredients.state, ingredients.goods, worth, k) for rule in BASELINES}
    return ours | simple, {BY_CHANCE: by_chance.probability, PERSONAL: by_margin.probability}
