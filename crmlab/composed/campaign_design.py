"""The next campaign: whom to write to, in which cells, and what the test will show and cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab import checks
from crmlab.analyses.common import context_of
from crmlab.composed import campaign_design_charts as charts
from crmlab.composed import campaign_design_views as views
from crmlab.composed import campaign_design_words as words
from crmlab.composed.campaign_cells import Design, check_cells, design_cells
from crmlab.composed.campaign_design_plan import Plan, plan_of
from crmlab.composed.campaign_pull import Pulled, pull_list
from crmlab.composed.campaign_where import conditions
from crmlab.errors import ParameterError
from crmlab.features.orders import history
from crmlab.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "Design", "Params", "Plan", "Pulled", "check_cells", "design_cells", "plan_of", "pull_list", "run"]

NEEDS = ("orders",)
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


def run(data: Dataset, params: Params = Params()) -> Result:
    """Design the next test: pull the list, lay out cells, assign, and say what it will show and cost.

    Parameters
    ----------
    data : Dataset
        Needs orders. Consent and households come from customers, complaints from responses, past cells from cells and contacts, margins
        from order lines and unit costs, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: ledger, cells, money, options, balance, past. Charts: ledger, power, balance. Outputs: send_<channel> for each channel,
        controls, left_out, seeds.

    Raises
    ------
    ParameterError, CampaignError
        Criteria that cannot be read or name what there is not, and cells that make no test.
    TooLittleError
        Nobody is left on the list, or fewer than the cells need.

    References
    ----------
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, JASA 50: several cells against one
    control, and the share of the control.
    """
    _, end = history(data.orders, params.as_of)
    plan = plan_of(data, end, params)
    context = context_of(data, params.as_of, plan.pulled.start)
    form = context.form
    tables = {
        "ledger": views.ledger_table(plan.pulled, form, params.min_group),
        "cells": views.cells_table(plan, form),
        "money": views.money_table(plan, form, params),
        "options": views.options_table(plan, form, params),
        "balance": views.balance_table(plan, form, params),
        **({"past": views.past_table(plan, form, params)} if len(plan.past) else {}),
    }
    return Result(
        title="What to test next, on whom, and what the test will show",
        context=context,
        params=params,
        findings=words.findings(plan, form, params),
        metrics=words.metrics(plan, params, form.currency),
        tables=tables,
        charts={
            "ledger": charts.ledger_chart(plan.pulled, form, params.min_group),
            "power": charts.power_chart(plan, form, params),
            "balance": charts.balance_chart(plan, form, params),
        },
        method=words.method(plan, form, params),
        warnings=words.warnings(plan, form, params),
        limits=words.limits(plan, form, params),
        absent={} if len(plan.past) else {"past": words.no_past(data)},
        outputs=_outputs(plan),
    )


def _outputs(plan: Plan) -> dict[str, Output]:
    """One file per channel, one of controls, one of those who were left out. Ids only: no name, no address."""
    about: Any = plan.design.cells.set_index("cell_id")
    treated = set(plan.design.treated["cell_id"])
    whole = plan.people[["customer_id", "cell_id"]].join(about[["response_code", "offer", "creative", "channel"]], on="cell_id")
    found = {}
    for channel in sorted(set(about.loc[sorted(treated), "channel"])):
        mine = whole[whole["cell_id"].isin(treated) & (whole["channel"] == channel)]
        name = "".join(one if one.isalnum() else "_" for one in f"send_{channel}")
        frame = mine[["customer_id", "response_code", "offer", "creative"]].reset_index(drop=True)
        found[name] = Output(f"To be sent by {channel}: customer, code, offer, creative", frame, ("customer_id",))
    controls = whole.loc[~whole["cell_id"].isin(treated), ["customer_id", "cell_id"]].reset_index(drop=True)
    found["controls"] = Output("Controls, to be sent nothing", controls, ("customer_id",))
    found["left_out"] = Output("Who was left out, and why", plan.pulled.left_out, ("customer_id",))
    if len(plan.pulled.seeds):
        found["seeds"] = Output("Seeds, who get everything and are not counted", plan.pulled.seeds, ("customer_id",))
    return found
