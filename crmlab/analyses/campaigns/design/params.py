"""What an analyst may choose for the design of the next campaign, and what the data must hold."""

from __future__ import annotations

import datetime as dt

from crmlab.analyses.customers import conditions
from crmlab.errors import ParameterError
from crmlab.models.intervals import TEST_LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["DEFAULT_OFFERS", "MOST_ROUNDS", "NEEDS", "SECTIONS", "Params"]

NEEDS = ("orders", "amounts", "customer ids")
SECTIONS = ("holdout",)


_NAME = "campaign_design"
MOST_ROUNDS = 6  # of one test
# Unit of the words of a rhythm → what is offered unless something else is.
DEFAULT_OFFERS = {"week": ("10% off", "small gift"), "year": ("letter of thanks", "matched gift")}


@declared("campaign_design")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    campaign: str = param(default="next", help="name of the campaign; names of cells and their codes follow from it")
    criteria: str = param(
        default="days_since_last at most 365",
        help='who the list is drawn from: "tier in A, B; state is slowing; churn above 0.5"',
    )
    qualify: str = param(default="orders at least 1", help="conditions that everyone must meet, whatever the criteria")
    contacted_within: int = param(
        default=14, help="days; whoever was contacted within them is left alone", ge=0, le=3650, unit="days"
    )
    seeds: tuple[str, ...] = param(default=(), help="customers of our own, who get everything and belong to no cell")
    holdout: float | None = param(
        default=None,
        help="share that is held out of all campaigns; default: that of [holdout] in the data set's file, else nobody",
        ge=0,
        lt=1,
        unit="share",
    )
    holdout_salt: str | None = param(
        default=None, help="by which they are chosen; never change it; default: that of the file, else one for all"
    )
    offers: tuple[str, ...] | None = param(
        default=None,
        help="what is offered; each is tested with each creative; default: 10% off and a small gift; for donors, a letter and a match",
    )
    creatives: tuple[str, ...] = param(default=("plain",), help="how the offer is presented")
    channels: tuple[str, ...] = param(default=("email",), help="one for all, or one for each creative")
    codes: tuple[str, ...] = param(
        default=(), help="response codes of the cells in their order; default: made from their names"
    )
    control_share: float | None = param(
        default=None,
        help="of the list; default: √m / (m + √m) for m cells, which gives the most sensitive test",
        gt=0,
        lt=1,
        unit="share",
    )
    shares: tuple[float, ...] | None = param(default=None, help="of the control, then of each cell, instead of control_share")
    sample: int | None = param(
        default=None,
        help="only so many customers, at random or the best by score; default: all on the list",
        ge=1,
        unit="customers",
    )
    score: str | None = param(default=None, help="an output of customers; the highest are taken first")
    strata: str | None = param(default=None, help="an output of customers; cells get the same share of each of its values")
    salt: str = param(
        default="the next campaign", help="text that fixes the random draw of cells; use a different one for each campaign"
    )
    opens_on: Day | None = param(
        default=None,
        help="first day of the window (YYYY-MM-DD); default: the day after as_of, or after the last open window closes",
    )
    closes_on: Day | None = param(default=None, help="its last day; default: as many days as past campaigns had, else 28")
    response: float | None = param(
        default=None,
        help="share who buy within the window anyway; default: as seen on the same list one window earlier",
        gt=0,
        lt=1,
        unit="share",
    )
    effect: float | None = param(
        default=None,
        help="rise in it expected from a contact, as a share; default: from past campaigns, else 1 point",
        gt=-1,
        lt=1,
        unit="share",
        must="between -1 and 1, and not 0",
    )
    margin: float | None = param(
        default=None,
        help="money kept from each additional response; default: from what buyers spend and unit costs",
        gt=0,
        unit="money",
    )
    cost_per_contact: float | None = param(
        default=None, help="in money; default: the median of past cells, else 0.5", ge=0, unit="money"
    )
    fixed_cost: float | None = param(
        default=None, help="of each cell, in money; default: the median of past cells, else 0", ge=0, unit="money"
    )
    offer_costs: tuple[float, ...] | None = param(
        default=None,
        help="of the offer for each buyer, 0 if nothing: one for all, or one for each; default: as past cells say, else not known",
        unit="money",
    )
    fit: bool = param(
        default=True,
        help="if the test would be too small to detect the expected effect, plan fewer cells, "
        "a longer window or several rounds; False: as asked",
    )
    rounds: int | None = param(
        default=None,
        help="how often the test is run, its rounds pooled; default: once, or as often as it takes",
        ge=1,
        le=MOST_ROUNDS,
    )
    power: float = param(default=0.8, help="chance of showing an effect that is there", gt=0, lt=1, unit="share")
    level: float = param(
        default=TEST_LEVEL, help="level of every interval and of the test, over all cells together", gt=0, lt=1, unit="share"
    )
    min_group: int = param(
        default=5, help="steps that removed fewer customers are not shown alone; no cell is smaller", ge=1, unit="customers"
    )

    def __post_init__(self) -> None:
        for name in ("campaign", "salt", "holdout_salt"):
            text = getattr(self, name)
            if text is None:
                continue
            least = 1 if name == "campaign" else 8
            if len(text.strip()) < least:
                raise ParameterError.expected(_NAME, name, f"a text of at least {least} characters", text)
        conditions(self.criteria), conditions(self.qualify)
        for name in ("offers", "creatives", "channels"):
            given = getattr(self, name)
            if name == "offers" and given is None:
                continue
            twice = name != "channels" and len(set(given)) < len(given)
            if not given or twice:
                raise ParameterError.expected(_NAME, name, "at least one text, none twice", given)
        if len(self.channels) not in (1, len(self.creatives)):
            raise ParameterError.expected(_NAME, "channels", "one, or one for each creative", self.channels)
        if self.effect == 0:
            raise ParameterError.expected(_NAME, "effect", "between -1 and 1, and not 0", self.effect)
        costs = self.offer_costs
        # What is offered by default depends on the data set.
        counts = {1, *(map(len, DEFAULT_OFFERS.values()) if self.offers is None else (len(self.offers),))}
        if costs is not None and (len(costs) not in counts or not all(0 <= one < 1e15 for one in costs)):
            raise ParameterError.expected(_NAME, "offer_costs", "one number of at least 0, or one for each offer", costs)
        opens, closes = (day and dt.date.fromisoformat(day) for day in (self.opens_on, self.closes_on))
        if opens and closes and closes < opens:
            raise ParameterError.dates_out_of_order("opens_on", opens, "closes_on", closes)
