"""Cross-sell: what is sold together, offers, how they would have done, and how soon products are bought again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.cross_sell.backtesting import Backtest
from crmlab.analyses.cross_sell.blend import Origins
from crmlab.analyses.cross_sell.choice import Choice, choose, reason_of, sent_offers, tested
from crmlab.analyses.cross_sell.cycles import Cycles, repurchase_cycles
from crmlab.analyses.cross_sell.lists import NAMES
from crmlab.analyses.cross_sell.offers import Offers
from crmlab.analyses.cross_sell.pairs import Found, as_file, bundles_of, halves, learn_pairs, sold_together
from crmlab.analyses.cross_sell.reached import state_of, worth_by
from crmlab.analyses.cross_sell.state import names_of
from crmlab.collecting import collect
from crmlab.errors import TooLittleError
from crmlab.history.consent import Consent
from crmlab.history.words import YEAR
from crmlab.page.exhibits import Absent
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.params import Params
    from crmlab.analyses.cross_sell.state import State
    from crmlab.history.context import Margin
    from crmlab.history.past import History

__all__ = ["Study", "study"]

SURE = 20  # pairs, of whose second product it is looked up whether it was sold a year ago


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
    backtest : Backtest or Absent
        Offers as they would have been made a horizon ago, held against what customers bought since.
    choice : Choice
        Which list is sent, by the back-test.
    offers : Offers or Absent
        That list.
    consent : Consent
        How many customers may be contacted.
    again : int
        How many customers have bought on a second day.
    on_sale : int
        How many products can be offered now.
    margin : Margin
        What the money is.
    cycles : Cycles or Absent
        How often products are bought again.
    pace : float
        How much more customers buy in the horizon to come than in the one past, as of ``season_ahead`` of customer value.
    unsold : frozenset of str
        Products to which the surest pairs lead, of which nothing was sold a year before the horizon to come; none where that is not known.
    """

    context: Context
    params: Params
    first: dt.date
    found: Found
    pairs: pd.DataFrame
    bundles: pd.DataFrame
    names: Mapping[str, str]
    backtest: Backtest | Absent
    choice: Choice
    offers: Offers | Absent
    consent: Consent
    again: int
    on_sale: int
    margin: Margin
    cycles: Cycles | Absent
    pace: float = 1.0
    unsold: frozenset[str] = frozenset()

    @property
    def best(self) -> pd.DataFrame:
        """The three pairs that surely bring most: the first whose extra money lies above 0, interval and all, and that reach anybody."""
        return self.pairs[(self.pairs["extra_low"] > 0) & (self.pairs["reach"] >= self.params.min_group)].head(3)

    @property
    def listed(self) -> Consent:
        """The customers on the list of offers, and whether they may be contacted."""
        if isinstance(self.offers, Absent):
            return Consent(0, 0, 0)
        people = self.offers.frame.drop_duplicates("customer_id")
        return Consent.of(people["contactable"], people["refusal"])

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Rules, and where there are any: offers, cycles, and customers who are due."""
        title = "Rules that remain after correction, and longer ones explained by a shorter rule"
        out = {"rules": Output(title, as_file(self.found, self.names), ("antecedent", "consequent"))}
        if isinstance(self.offers, Offers):
            title = f"Offers per customer: {NAMES[self.offers.method]}, with probability and reason"
            out["offers"] = Output(title, self.offers.frame, ("customer_id", "rank"))
        if isinstance(self.cycles, Cycles):
            out["cycles"] = Output(
                "Repurchase cycle of each product that is bought again", self.cycles.products, ("product_id",)
            )
            title = "Customers who could be encouraged to buy again sooner"
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
    found = sold_together(
        history,
        unit=params.unit,
        level=params.level_of,
        min_count=params.min_count,
        max_items=params.max_items,
        interval=params.level,
    )
    nobody = None if "customer ids" in history.data.descriptor.told else Absent("The data set does not say who bought.")
    now = state_of(origins, 0)
    by_id: dict[str, str] = {}
    if now is not None and params.level_of == "product":
        by_id = dict(zip(now.products, map(str, names_of(history, now.products)), strict=True))
    test = nobody or tested(origins, k=params.k, margin=params.margin, level=params.level, seed=params.seed)
    choice = choose(test)
    pairs = _pairs(origins, found, by_id, params, told=nobody is None)
    return Study(
        context=history.context(None if now is None or nobody else now.shape[0]),
        params=params,
        first=origins.first,
        found=found,
        pairs=pairs,
        bundles=bundles_of(found),
        names=by_id,
        backtest=test,
        choice=choice,
        offers=nobody or _offers(origins, choice, params),
        consent=_consent(history, now, told=nobody is None),
        again=0 if now is None else int((now.occasions > 1).sum()),
        on_sale=0 if now is None else int(now.in_range.sum()),
        margin=history.margin(params.margin),
        cycles=nobody or _cycles(origins, params),
        pace=1.0 if nobody else origins.season(0),
        unsold=_unsold(history, origins.first, pairs, params),
    )


def _unsold(history: History, first: dt.date, pairs: pd.DataFrame, params: Params) -> frozenset[str]:
    """Products to which the surest pairs lead, of which nothing was sold a year before the horizon to come."""
    begin = history.as_of - dt.timedelta(days=YEAR)
    sure = pairs[pairs["extra_low"] > 0].head(SURE)
    if params.level_of != "product" or sure.empty or first > begin or history.lines is None:
        return frozenset()
    day, lines = history.lines["ordered_at"].date(), history.lines
    then = lines.filter(
        (day > begin) & (day <= begin + dt.timedelta(days=params.horizon)),
        lines["quantity"] > 0,
        lines["product_id"].isin(sorted(set(sure["consequent"]))),
    )
    sold = collect(then.select("product_id").distinct(), "product_id")["product_id"]
    return frozenset(sure["consequent"]) - frozenset(sold)


def _consent(history: History, now: State | None, *, told: bool) -> Consent:
    """How many of the customers whom offers are made for may be contacted."""
    return history.consent(now.ids) if now is not None and told else Consent(0, 0, 0)


def _pairs(origins: Origins, found: Found, names: Mapping[str, str], params: Params, *, told: bool) -> pd.DataFrame:
    """The pairs that one can act on, with reach, worth, both halves of the history, and names; where nobody is told, they reach nobody."""
    pairs, now = found.pairs.head(0).assign(reach=[], extra=[], extra_low=[]), state_of(origins, 0)
    if now is not None:
        pairs = worth_by(origins, found.pairs, params, told=told)
        pairs = pd.concat([pairs, halves(origins.past(0), pairs, found.baskets, origins.first, params.level)], axis=1)
    return pairs.assign(
        name_a=[names.get(item, item) for item in pairs["antecedent"]],
        name_b=[names.get(item, item) for item in pairs["consequent"]],
    )


def _offers(origins: Origins, choice: Choice, params: Params) -> Offers | Absent:
    try:
        return sent_offers(origins, choice, k=params.k, margin=params.margin, seed=params.seed)
    except TooLittleError as error:
        return Absent(reason_of(error))


def _cycles(origins: Origins, params: Params) -> Cycles | Absent:
    try:
        return repurchase_cycles(origins.past(0), origins.state(0), level=params.level)
    except TooLittleError as error:
        return Absent(reason_of(error))
