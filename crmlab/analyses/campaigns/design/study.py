"""The study of the next campaign: what its plan will show, cost and bring, and whether its cells are alike before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.balance import balance_of
from crmlab.analyses.campaigns.cells import Design
from crmlab.analyses.campaigns.design.expected import (
    Baseline,
    Expected,
    together,
)
from crmlab.analyses.campaigns.design.laying import Laid, laid_out
from crmlab.analyses.campaigns.design.money import (
    Cost,
    Terms,
    cell_plan,
    curves,
    paying_rise,
    total_profit,
)
from crmlab.analyses.campaigns.design.params import Params
from crmlab.analyses.campaigns.design.search import Plan
from crmlab.analyses.campaigns.lists import Pulled
from crmlab.analyses.campaigns.past import Past
from crmlab.analyses.customers import label
from crmlab.history.sending import sends
from crmlab.models.intervals import normal_quantile
from crmlab.models.testing.cells import CellStatistics
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.history.context import Margin
    from crmlab.history.past import History
    from crmlab.history.words import Words

__all__ = ["Study", "balance", "readiness", "study"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of the next campaign shows.

    Attributes
    ----------
    context : Context
    params : Params
    pulled : Pulled
        The list, and how it came about.
    asked, design : Design
        The cells that were asked for, and those of the plan.
    people : DataFrame
        The list with ``cell_id``.
    consent : DataFrame
        ``contactable`` and ``refusal`` by customer, of everybody who is on the list or was left out.
    sizes : dict of cell to customers
    plan : Plan
        The test that is proposed, or of those that were tried the one with the best chance.
    tried : tuple of Plan
        All that were tried, as asked first.
    terms : Terms
        Response, money and level that the plan rests on.
    effects : dict of cell to Expected
        Of a contact on the response, as a difference of shares.
    expected : Expected
        The same for the campaign as a whole.
    offers : dict of cell to Cost
        What each offer costs.
    cells : DataFrame
        Of :func:`~crmlab.analyses.campaigns.design.money.cell_plan`.
    curves : DataFrame
        Of the function of :mod:`~crmlab.analyses.campaigns.design.money` of this name.
    balance : DataFrame
        Of :func:`balance`.
    past : Past
        What past cells brought, as the page of results has it.
    campaigns : bool
        Whether the data set tells of past campaigns at all.
    total : (value, low, high)
        Profit of all cells beyond their controls; revenue where no margin is known.
    pays : (low, value, high) or None
        The rise from which every cell pays; None where none does, or nothing can be said of it. The ends are None where the money that
        one response brings was given; the upper one also where, by what is not known, it may be that no rise pays.
    base : Baseline
    margin : Margin or None
        Of what is spent; None where the money that one response brings was given itself.
    cost_source : str
        Where the cost of a contact is from: "given", "past" or "guess".
    waits : tuple of str
        Campaigns whose windows are open on the last day, for whose end the window of this one waits.
    """

    context: Context
    params: Params
    words: Words
    pulled: Pulled
    asked: Design
    design: Design
    people: pd.DataFrame
    consent: pd.DataFrame
    sizes: dict[str, int]
    plan: Plan
    tried: tuple[Plan, ...]
    terms: Terms
    effects: dict[str, Expected]
    expected: Expected
    offers: dict[str, Cost]
    cells: pd.DataFrame
    curves: pd.DataFrame
    balance: pd.DataFrame
    past: Past
    campaigns: bool
    total: tuple[float, float, float]
    pays: tuple[float | None, float, float | None] | None
    base: Baseline
    margin: Margin | None
    cost_source: str
    waits: tuple[str, ...] = ()

    @property
    def has_margin(self) -> bool:
        """Whether it is known what is left of a response: else money is revenue."""
        return self.margin is None or self.margin.known

    @property
    def several(self) -> int:
        """Cells that are compared with the control."""
        return len(self.cells)

    @property
    def window(self) -> int:
        """Days."""
        return self.plan.setting.window

    @property
    def shown(self) -> float | None:
        """Smallest effect that the test would show."""
        return self.plan.detectable

    @property
    def simplest(self) -> Plan:
        """Of the tests that were tried, that with the fewest cells in the window and the rounds that were asked for."""
        first = self.tried[0]
        return [one for one in self.tried if one.setting is first.setting and one.rounds == first.rounds][-1]

    @property
    def able(self) -> bool:
        """Whether the test shows what is expected with the power asked for."""
        return self.plan.chance >= self.params.power

    @property
    def advised(self) -> bool:
        """Whether there is a test to send: one that can show something and is not expected to lose, or one asked for as it is."""
        return not self.params.fit or (self.able and self.net >= 0)

    @property
    def net(self) -> float:
        """Money expected after all costs that are known: profit, or revenue less discounts and contacts."""
        return self.total[0] - (0.0 if self.has_margin else self.cost)

    @property
    def given_away(self) -> float:
        """What the offers of known cost are expected to cost, those who would have bought anyway included; of revenue, discounts only."""
        spend, base = self.terms.spend, self.terms.base.value
        rows = zip(self.cells["cell_id"], self.cells["customers"], self.cells["expected"], strict=True)
        each = (n * (base + rise) * self.offers[cell].of(spend, paid_only=not self.has_margin) for cell, n, rise in rows)
        return self.plan.rounds * float(sum(each))

    @property
    def not_taken_off(self) -> list[str]:
        """Cells whose offer costs something that the expected money leaves out: nobody knows it, or it is no part of revenue."""
        if self.has_margin:
            return self.unpriced
        return [cell for cell in self.plan.cells if not self.offers[cell].known or (self.offers[cell].response or 0) > 0]

    @property
    def guessed(self) -> bool:
        """Whether the expected rise is a guess, and with it every chance of showing it."""
        return self.expected.source == "guess"

    @property
    def unpriced(self) -> list[str]:
        """Cells of which nothing says what their offer costs."""
        return [cell for cell in self.plan.cells if not self.offers[cell].known]

    @property
    def cost(self) -> float:
        """What contacts and cells cost, whatever comes of it."""
        return float(self.cells["cost"].sum())

    @property
    def may_cost(self) -> tuple[float, float, float] | None:
        """What the offers of unknown cost may cost for each who buys before the test loses money; None where there are none."""
        if not self.unpriced or not self.has_margin:
            return None
        mine = self.cells[~self.cells["priced"]]
        weights = mine["customers"].to_numpy(dtype=float) * (self.terms.base.value + mine["expected"].to_numpy(dtype=float))
        value, low, high = (
            float(np.average(mine[name].astype(float), weights=weights))
            for name in ("may_cost", "may_cost_low", "may_cost_high")
        )
        return value, low, high

    @property
    def outputs(self) -> Mapping[str, Output]:
        """One file per channel, one of controls, one of those who were left out. Ids only: no name, no address.

        Where no test is advised, nobody is to be sent anything: there is only the list as it would be, without cells and codes.
        """
        if not self.advised:
            listed = self._with_consent(self.pulled.frame[["customer_id"]])
            words = f"{self.words.many.capitalize()} who could be in a test"
            return {
                "could_be_tested": Output(words, listed, ("customer_id",)),
                "left_out": Output("Who was left out, and why", self._with_consent(self.pulled.left_out), ("customer_id",)),
            }
        about: Any = self.design.cells.set_index("cell_id")
        sending = set(self.design.cells.loc[sends(self.design.cells), "cell_id"])
        sent = about[["response_code", "offer", "creative", "channel"]]
        whole = self.people[["customer_id", "cell_id"]].join(sent, on="cell_id")
        found = {}
        for channel in sorted(set(about.loc[sorted(sending), "channel"])):
            mine = whole[whole["cell_id"].isin(sending) & (whole["channel"] == channel)]
            name = "".join(one if one.isalnum() else "_" for one in f"send_{channel}")
            frame = mine[["customer_id", "response_code", "offer", "creative"]].reset_index(drop=True)
            # By code, not by customer: the test decides for these, and no column of today's decision stands beside it.
            key = ("response_code", "customer_id")
            found[name] = Output(f"To be sent by {channel}: customer, code, offer, creative", frame, key)
        controls = self._with_consent(whole.loc[~whole["cell_id"].isin(sending), ["customer_id", "cell_id"]])
        found["controls"] = Output("Controls, to be sent nothing", controls, ("cell_id", "customer_id"))
        left = self._with_consent(self.pulled.left_out)
        found["left_out"] = Output("Who was left out, and why", left, ("customer_id",))
        if len(self.pulled.seeds):
            found["seeds"] = Output("Seeds, who get everything and are not counted", self.pulled.seeds, ("customer_id",))
        return found

    def _with_consent(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.reset_index(drop=True).join(self.consent, on="customer_id")


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    ParameterError, CampaignError
        Criteria that cannot be read or name what there is not, and cells that make no test.
    TooLittleError
        Nobody is left on the list, or fewer than the cells need.
    """
    laid_out(history, params)
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Pull the list, lay out and fill the cells, and work out what the test will show, cost and bring.

    Raises
    ------
    ParameterError, CampaignError, TooLittleError
        As of :func:`~crmlab.analyses.campaigns.design.laying.laid_out`.
    """
    laid = laid_out(history, params)
    past, design, pulled, people, plan = laid.past, laid.design, laid.pulled, laid.people, laid.plan
    sizes = {name: int((people["cell_id"] == name).sum()) for name in design.cells["cell_id"]}
    terms, several, base = plan.setting.terms, len(plan.cells), laid.bases[plan.setting.window]
    effects = {name: plan.setting.effects[name] for name in plan.cells}
    expected, n = together(list(effects.values())), plan.rounds * len(people)
    known = laid.margin is None or laid.margin.known
    cells = cell_plan(terms, design.treated, sizes, effects, laid.offers, plan.rounds, not known)
    cells = cells.assign(power=cells["cell_id"].map(plan.chances))
    pays = _pays(terms, base, sizes, laid) if known else None
    covariates = [name for name in pulled.frame.columns if name not in ("customer_id", "household_id", "contactable")]
    controls = dict(zip(cells["cell_id"], cells["control_cell_id"], strict=True))
    everybody = pd.concat([pulled.frame[["customer_id"]], pulled.left_out[["customer_id"]]], ignore_index=True)
    return Study(
        context=history.context(len(history.summary())),
        params=params,
        words=history.words,
        pulled=pulled,
        asked=laid.asked,
        design=design,
        people=people,
        consent=history.with_consent(everybody.drop_duplicates()).set_index("customer_id"),
        sizes=sizes,
        plan=plan,
        tried=tuple(laid.tried),
        terms=terms,
        effects=effects,
        expected=expected,
        offers=laid.offers,
        cells=cells,
        curves=curves(terms, n, sorted({1, several}), [expected.value] if pays is None else [pays[1], expected.value]),
        balance=balance(people, controls, covariates),
        past=past,
        campaigns=history.cells is not None and history.contacts is not None,
        total=total_profit(terms, cells, effects, plan.rounds),
        pays=pays,
        base=base,
        margin=laid.margin,
        cost_source=laid.costs.source,
        waits=laid.waits,
    )


def _pays(
    terms: Terms, base: Baseline, sizes: Mapping[str, int], laid: Laid
) -> tuple[float | None, float, float | None] | None:
    """From which rise every cell pays, from where to where by what is not known of spend and of the share who act anyway."""

    def all_pay(case: Terms) -> float | None:
        rises = [paying_rise(case, sizes[cell], laid.offers[cell].of(case.spend)) for cell in laid.plan.cells]
        known = [rise for rise in rises if rise is not None]
        return max(known) if len(known) == len(rises) else None

    value = all_pay(terms)
    if value is None:
        return None
    if laid.margin is None or base.buyers < 2 or base.sd <= 0:
        return None, value, None
    half = normal_quantile(terms.level) * base.sd / np.sqrt(base.buyers)
    shares = [one for one in (terms.base.low, terms.base.high) if one is not None] or [terms.base.value]
    found = [
        all_pay(replace(terms, spend=spend, margin=laid.margin.share * spend, base=Expected(value=share, source="data")))
        for spend in (max(terms.spend - half, 0.05 * terms.spend), terms.spend + half)
        for share in shares
    ]
    known = [value, *(rise for rise in found if rise is not None)]
    return min(known), value, max(known) if len(known) > len(found) else None


def balance(people: pd.DataFrame, controls: Mapping[str, str], covariates: Sequence[str]) -> pd.DataFrame:
    """Compare each cell with its control in what was known before.

    Parameters
    ----------
    people : DataFrame
        ``cell_id`` and the covariates: numbers, or texts, of which each value's share is compared. A missing number counts as the mean
        of the others.
    controls : mapping of cell to its control
    covariates : sequence of str

    Returns
    -------
    DataFrame
        Of :func:`~crmlab.analyses.campaigns.balance.balance_of`; covariates have their names for people.

    Examples
    --------
    >>> people = pd.DataFrame({"cell_id": list("aabb"), "orders": [1, 3, 2, 4]})
    >>> round(balance(people, {"a": "b"}, ["orders"])["difference"].item(), 4)
    -0.7071
    """
    known = {title: np.where(np.isnan(values), np.nanmean(values), values) for title, values in _columns(people, covariates)}
    rates = [title for title, values in known.items() if np.isin(values, (0.0, 1.0)).all()]
    where = {cell: (people["cell_id"] == cell).to_numpy() for cell in dict.fromkeys((*controls.values(), *controls))}
    stats = {
        cell: CellStatistics.from_values({title: values[mine] for title, values in known.items()}, rates)
        for cell, mine in where.items()
    }
    return balance_of(stats, controls, list(known))


def _columns(people: pd.DataFrame, covariates: Sequence[str], most: int = 6) -> list[tuple[str, np.ndarray]]:
    """Numbers that are known of anybody as they are, texts of few values as one share each; by their names for people."""
    found = []
    for name in covariates:
        column = people[name]
        text = label(name)
        title = text[:1].upper() + text[1:]
        if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
            if column.notna().any():
                found.append((title, column.to_numpy(dtype=float, na_value=np.nan)))
            continue
        texts = column.dropna()
        if texts.map(lambda one: isinstance(one, str)).all() and 1 < texts.nunique() <= most:
            for value in sorted(texts.unique()):
                found.append((f"{title}: {value}", (column == value).to_numpy(dtype=float)))
    return found
