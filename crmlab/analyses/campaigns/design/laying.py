"""The next campaign laid out: the list, what contacts and offers cost, the plan that can show something, and who gets what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.campaigns.assignment import Take, assign
from crmlab.analyses.campaigns.cells import Codes, Design, Sending, design_cells
from crmlab.analyses.campaigns.design.expected import Baseline, Worth, baseline, expected_effect, worth_of_one
from crmlab.analyses.campaigns.design.money import Cost, Terms, discount_in, loss_of
from crmlab.analyses.campaigns.design.params import DEFAULT_OFFERS, Params
from crmlab.analyses.campaigns.design.search import Limits, Plan, Setting, find_plan
from crmlab.analyses.campaigns.holdout import Holdout, holdout_for
from crmlab.analyses.campaigns.lists import ListRules, Pulled, pull_list
from crmlab.analyses.campaigns.measurement import known_cells
from crmlab.analyses.campaigns.past import Past, past_of
from crmlab.analyses.campaigns.running import open_windows
from crmlab.collecting import collect_arrow
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.memory.rules import OFFER_COSTS
from crmlab.errors import ModelError, ParameterError, TooLittleError, checks
from crmlab.history.costs import ContactCosts, costs_of

if TYPE_CHECKING:
    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.history.context import Margin
    from crmlab.history.past import History

__all__ = ["Laid", "days_of", "laid_out"]


WINDOW = 28  # days, where neither the parameters nor past campaigns say
_NAME = "campaign_design"

_NOBODY = Holdout(share=0.0, salt="held out for ever")  # where nothing declares a universal control


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """A campaign laid out: who gets what, and what the plan of it rests on.

    Attributes
    ----------
    past : Past
        What past cells brought.
    costs : ContactCosts
        Of a contact and of a cell.
    asked, design : Design
        The cells that were asked for, and those of the plan.
    pulled : Pulled
        The list, and how it came about.
    people : DataFrame
        The list with ``cell_id``.
    plan : Plan
        The test that is proposed, or of those that were tried the one with the best chance.
    tried : list of Plan
        All that were tried, as asked first.
    bases : dict of days to Baseline
        What people on the list do in a window of so many days without a campaign.
    margin : Margin or None
        Of what is spent; None where the money that one response brings was given itself.
    offers : dict of cell to Cost
        What each offer costs.
    waits : tuple of str
        Campaigns whose windows are open on the last day, for whose end the window of this one waits.
    """

    past: Past
    costs: ContactCosts
    asked: Design
    design: Design
    pulled: Pulled
    people: pd.DataFrame
    plan: Plan
    tried: list[Plan]
    bases: dict[int, Baseline]
    margin: Margin | None
    offers: dict[str, Cost]
    waits: tuple[str, ...]


def laid_out(history: History, params: Params) -> Laid:
    """Pull the list, look for a plan, lay out its cells and fill them.

    Raises
    ------
    ParameterError, CampaignError
        Criteria that cannot be read or name what there is not, and cells that make no test.
    TooLittleError
        Nobody is left on the list, or fewer than the cells need.
    """
    memory, holdout = open_memory(), _held_out(history, params)
    past = past_of(history, memory, level=params.level, min_group=params.min_group)
    told = _past_cells(history, memory)
    opens, closes, waits = days_of(history.as_of, past.cells, told, params)
    window = (closes - opens).days + 1
    costs = _priced(history, params)
    prices = _prices(history, told, params)
    asked = _design(history, params, costs, prices, opens, closes)
    pulled = pull_list(
        history.data,
        params.criteria,
        as_of=history.as_of,
        rules=ListRules(
            qualify=params.qualify,
            contacted_within=params.contacted_within,
            seeds=params.seeds,
            holdout=holdout.share,
            holdout_salt=holdout.salt,
        ),
        columns=[name for name in (params.strata, params.score) if name],
    )
    _enough(pulled, len(asked.cells), params)
    margin = history.margin(None) if params.margin is None else None
    offered = {str(row["cell_id"]): str(row["offer"]) for row in asked.treated.to_dict("records")}
    offers = {cell: prices[offer] for cell, offer in offered.items()}
    bases: dict[int, Baseline] = {}

    def setting(times: int) -> Setting | None:
        days = window * times
        base = bases[days] = baseline(
            history, params.criteria, params.qualify, days, params.level, params.response, (opens - history.as_of).days - 1
        )
        if times > 1 and base.share.source != "data":
            return None
        effects = {cell: expected_effect(past, offer, params.effect) for cell, offer in offered.items()}
        terms = _terms(base, costs, margin, worth_of_one(history, pulled.frame, base), params)
        terms = replace(terms, cost=times * terms.cost)
        gifts = {cell: cost.of(terms.spend, paid_only=margin is not None and not margin.known) for cell, cost in offers.items()}
        losses = {cell: loss_of(terms, one.value, gifts[cell]) for cell, one in effects.items()}
        losing = {cell: loss for cell, loss in losses.items() if loss > 0}
        return Setting(window=days, times=times, terms=terms, effects=effects, losing=losing)

    first = setting(1)
    assert first is not None
    _payable(offers, first.terms, params)
    people = min(params.sample or pulled.size, pulled.size)
    fixed = bool(params.codes) or params.shares is not None
    limits = Limits(
        people=people,
        least=max(params.min_group, 2),
        shares=params.shares,
        control=params.control_share,
        fewer=params.fit and not fixed,
        # What past campaigns brought came in their windows: only a guess is made of those who act in a longer one.
        longer=params.fit and params.closes_on is None and all(one.source == "guess" for one in first.effects.values()),
        rounds=params.rounds if params.fit else params.rounds or 1,
    )
    try:
        plan, tried = find_plan(first, setting, limits)
    except ModelError as error:
        least = f"at least {limits.least} customers in each cell"
        raise TooLittleError.needs(_NAME, least, f"{people} for {len(asked.cells)} cells") from error
    if params.fit and plan.chance < params.power:
        design = asked.only(plan.cells, params.control_share)
    else:
        ends = opens + dt.timedelta(days=plan.setting.window - 1)
        design = _design(history, params, costs, prices, opens, ends).only(plan.cells, params.control_share)
    return Laid(
        past=past,
        costs=costs,
        asked=asked,
        design=design,
        pulled=pulled,
        people=_assigned(pulled, design, params),
        plan=plan,
        tried=tried,
        bases=bases,
        margin=margin,
        offers=offers,
        waits=waits,
    )


def _held_out(history: History, params: Params) -> Holdout:
    """The universal control: that of the data set's file, or the campaign's own; where neither names one, nobody."""
    usual = holdout_for(history.data) or _NOBODY
    share = usual.share if params.holdout is None else params.holdout
    found = holdout_for(history.data, share, params.holdout_salt or usual.salt)
    assert found is not None
    return found


def days_of(as_of: dt.date, past: pd.DataFrame, told: pd.DataFrame, params: Params) -> tuple[dt.date, dt.date, tuple[str, ...]]:
    """First and last day of the window, and the campaigns with open windows for whose end it waits."""
    given = checks.day(_NAME, "opens_on", params.opens_on)
    closes = checks.day(_NAME, "closes_on", params.closes_on)
    waits: tuple[str, ...] = ()
    opens = given or as_of + dt.timedelta(days=1)
    going = open_windows(told, as_of)
    if given is None and going and (closes is None or closes > max(going.values())):
        opens, waits = max(going.values()) + dt.timedelta(days=1), tuple(sorted(going))
    if closes is None:
        closes = opens + dt.timedelta(days=(int(past["days"].median()) if len(past) else WINDOW) - 1)
    if closes < opens:
        raise ParameterError.dates_out_of_order("opens_on", opens, "closes_on", closes)
    return opens, closes, waits


def _priced(history: History, params: Params) -> ContactCosts:
    """What a contact and a cell cost: as given, else as past cells of the same channels say, else a guess."""
    past = costs_of(history, params.channels)
    contact, fixed = params.cost_per_contact, params.fixed_cost
    return past.given(contact=contact, fixed=fixed)


def _prices(history: History, cells: pd.DataFrame, params: Params) -> dict[str, Cost]:
    """What each offer costs: as given, else the medians of past cells that had it, else the discount that it names, else not known.

    Raises
    ------
    ParameterError
        Neither one cost is given nor one for each offer.
    """
    offers = params.offers or DEFAULT_OFFERS[history.words.unit]
    if params.offer_costs is not None:
        if len(params.offer_costs) not in (1, len(offers)):
            raise ParameterError.expected(_NAME, "offer_costs", f"one number, or {len(offers)}", params.offer_costs)
        costs = params.offer_costs * (len(offers) if len(params.offer_costs) == 1 else 1)
        return {offer: Cost(response=cost) for offer, cost in zip(offers, costs, strict=True)}
    found = {}
    for offer in offers:
        mine = cells[cells["offer"] == offer]
        each = {
            name: mine[column].dropna().astype(float)
            for name, column in (("response", "cost_per_response"), ("discount", "discount"))
        }
        found[offer] = Cost(**{name: float(values.median()) for name, values in each.items() if len(values)})
        if not found[offer].known:
            found[offer] = Cost(discount=discount_in(offer))
    return found


def _past_cells(history: History, memory: CampaignMemory) -> pd.DataFrame:
    """Cells with what they offered and what that cost: of the data set, and of campaigns that only the memory knows to have been sent."""
    columns = ["campaign_id", "offer", "opens_on", "closes_on", *OFFER_COSTS]
    told = known_cells(history.data) if history.cells is not None else pd.DataFrame(columns=columns)
    more = memory.cells()
    more = more[(more["state"] != "planned") & ~more["campaign_id"].isin(told["campaign_id"].astype(str))]
    return pd.concat([frame.reindex(columns=columns).astype(object) for frame in (told, more)], ignore_index=True)


def _payable(offers: Mapping[str, Cost], terms: Terms, params: Params) -> None:
    """Refuse offers that were said to cost more than a response brings."""
    if params.offer_costs is not None and max(one.of(terms.spend) for one in offers.values()) >= terms.margin:
        expectation = f"under what is kept from one response, {terms.margin:.6g}"
        raise ParameterError.expected(_NAME, "offer_costs", expectation, params.offer_costs)


def _design(
    history: History, params: Params, costs: ContactCosts, prices: Mapping[str, Cost], opens: dt.date, closes: dt.date
) -> Design:
    taken: set[str] = set()
    if history.cells is not None and "response_code" in history.cells.columns:
        codes = collect_arrow(history.cells.select("response_code"), "response_code")
        taken = {code for code in codes["response_code"].to_pylist() if code}
    pairs = zip(params.creatives, params.channels * (len(params.creatives) if len(params.channels) == 1 else 1), strict=True)
    return design_cells(
        {"offer": tuple(prices), "creative": params.creatives},
        campaign=params.campaign,
        share=next((one for one in (params.shares, params.control_share) if one is not None), "optimal"),
        codes=Codes(given=params.codes, taken=taken),
        sending=Sending(
            channel=dict(pairs),
            cost_per_contact=costs.contact,
            fixed_cost=costs.fixed,
            cost_per_response={offer: cost.response for offer, cost in prices.items() if cost.response is not None},
            discount={offer: cost.discount for offer, cost in prices.items() if cost.discount is not None},
            opens_on=opens,
            closes_on=closes,
        ),
    )


def _enough(pulled: Pulled, count: int, params: Params) -> None:
    """Refuse a list that is too small for the cells as asked.

    Raises
    ------
    TooLittleError
        It is.
    """
    needed = max(params.min_group, 2) * count
    if pulled.size < needed:
        most = pulled.ledger.sort_values("removed", ascending=False, kind="stable").iloc[0]
        found = f"{pulled.size:,} of {pulled.start:,}"
        if most["removed"] > 0:
            found += f"; most were removed at the step “{most['step']}”"
        raise TooLittleError.needs(_NAME, f"at least {needed:,} customers on the list, for {count} cells", found)


def _assigned(pulled: Pulled, design: Design, params: Params) -> pd.DataFrame:
    """The list with the cell of each customer.

    Raises
    ------
    TooLittleError
        A cell is too small.
    """
    given = assign(
        pulled.frame, design.shares(), params.salt, strata=params.strata, take=Take(n=params.sample, score=params.score)
    )
    people = pulled.frame.merge(given[["customer_id", "cell_id"]], on="customer_id")
    smallest = min(int((people["cell_id"] == name).sum()) for name in design.cells["cell_id"])
    if smallest < max(params.min_group, 2):
        least = f"at least {max(params.min_group, 2)} customers in each cell"
        raise TooLittleError.needs(_NAME, least, f"a cell of {smallest}")
    return people


def _terms(base: Baseline, costs: ContactCosts, margin: Margin | None, worth: Worth, params: Params) -> Terms:
    """What the plan rests on; what buyers spend differs as much, in proportion, as it did of those who were seen."""
    known = base.spend > 0
    return Terms(
        base=base.share,
        spend=worth.spend,
        sd=base.sd / base.spend * worth.spend if known else 0.0,
        margin=float(params.margin or 0.0) if margin is None else margin.share * worth.spend,
        source=worth.source,
        cost=costs.contact,
        fixed=costs.fixed,
        power=params.power,
        level=params.level,
    )
