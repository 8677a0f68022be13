"""What an analyst may choose for the design of the next campaign."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.analyses.customers import conditions
from crmlab.errors import ParameterError
from crmlab.page import params as checks

__all__ = ["Params"]


_NAME = "campaign_design"


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    campaign: str = "next"  # name of the campaign; names of cells and their codes follow from it
    criteria: str = (
        "days_since_last at most 365"  # whom the list is drawn from: "tier in A, B; state is slowing; churn above 0.5"
    )
    qualify: str = "orders at least 1"  # what everybody must fulfil whatever the criteria
    contacted_within: int = 14  # days; whoever was contacted within them is left alone
    seeds: tuple[str, ...] = ()  # customers of our own, who get everything and belong to no cell
    holdout: float = 0.05  # share that is held out of all campaigns
    holdout_salt: str = "held out for ever"  # by which they are chosen; never change it
    offers: tuple[str, ...] = ("10 % off", "small gift")  # what is offered; each is tested with each creative
    creatives: tuple[str, ...] = ("plain",)  # how it is put
    channels: tuple[str, ...] = ("email",)  # one for all, or one for each creative
    codes: tuple[str, ...] = ()  # response codes of the cells in their order; default: made from their names
    control_share: float | None = None  # of the list; default: √m / (m + √m) for m cells, which shows most
    shares: tuple[float, ...] | None = None  # of the control, then of each cell, instead of control_share
    sample: int | None = None  # only so many customers, at random or the best by score; default: all on the list
    score: str | None = None  # an output of customers; the highest are taken first
    strata: str | None = None  # an output of customers; cells get the same share of each of its values
    salt: str = "the next campaign"  # of the draw of cells; another one for each campaign
    opens_on: str | None = None  # first day of the window, ISO date; default: the day after as_of
    closes_on: str | None = None  # its last day; default: as many days as past campaigns had, else 28
    response: float | None = None  # share who buy within the window anyway; default: seen of the same list a window earlier
    effect: float | None = None  # expected rise of it by a contact, as a share; default: from past campaigns, else a tenth
    margin: float | None = None  # money kept from one response more; default: from what buyers spend and unit costs
    cost_per_contact: float | None = None  # in money; default: the median of past cells, else 0.5
    fixed_cost: float | None = None  # of each cell, in money; default: the median of past cells, else 0
    offer_costs: tuple[float, ...] = (
        0.0,
    )  # of the offer to one who buys (a discount, a gift): one for all, or one for each offer
    power: float = 0.8  # chance of showing an effect that is there
    level: float = 0.95  # of every interval and of the test, over all cells together
    min_group: int = 5  # steps that fewer customers went at are not shown alone; no cell is smaller

    def __post_init__(self) -> None:
        checks.day(_NAME, "as_of", self.as_of)
        for name in ("campaign", "salt", "holdout_salt"):
            text = getattr(self, name)
            least = 1 if name == "campaign" else 8
            if not isinstance(text, str) or len(text.strip()) < least:
                raise ParameterError.expected(_NAME, name, f"a text of at least {least} characters", text)
        conditions(self.criteria), conditions(self.qualify)
        checks.whole(_NAME, "contacted_within", self.contacted_within, 0, 3650)
        if not isinstance(self.holdout, (int, float)) or not 0 <= self.holdout < 1:
            raise ParameterError.expected(_NAME, "holdout", "at least 0 and under 1", self.holdout)
        for name in ("offers", "creatives", "channels"):
            given = getattr(self, name)
            twice = name != "channels" and len(set(given)) < len(given)
            if not given or twice:
                raise ParameterError.expected(_NAME, name, "at least one text, none twice", given)
        if len(self.channels) not in (1, len(self.creatives)):
            raise ParameterError.expected(_NAME, "channels", "one, or one for each creative", self.channels)
        if self.control_share is not None:
            checks.share(_NAME, "control_share", self.control_share)
        if self.sample is not None:
            checks.whole(_NAME, "sample", self.sample, 1)
        for name in ("response", "power", "level"):
            if getattr(self, name) is not None:
                checks.share(_NAME, name, getattr(self, name))
        if self.effect is not None and not (isinstance(self.effect, (int, float)) and -1 < self.effect < 1 and self.effect):
            raise ParameterError.expected(_NAME, "effect", "between -1 and 1, and not 0", self.effect)
        if self.margin is not None:
            checks.positive(_NAME, "margin", self.margin)
        for name in ("cost_per_contact", "fixed_cost"):
            cost = getattr(self, name)
            if cost is not None and (
                isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost < float("inf")
            ):
                raise ParameterError.expected(_NAME, name, "a number of at least 0", cost)
        costs = self.offer_costs
        if len(costs) not in (1, len(self.offers)) or not all(
            isinstance(one, (int, float)) and 0 <= one < 1e15 for one in costs
        ):
            raise ParameterError.expected(_NAME, "offer_costs", "one number of at least 0, or one for each offer", costs)
        opens, closes = checks.day(_NAME, "opens_on", self.opens_on), checks.day(_NAME, "closes_on", self.closes_on)
        if opens and closes and closes < opens:
            raise ParameterError.dates_out_of_order("opens_on", opens, "closes_on", closes)
        checks.whole(_NAME, "min_group", self.min_group, 1)
