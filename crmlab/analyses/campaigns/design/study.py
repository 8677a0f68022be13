"""Works out the next campaign: list, cells, sizes, power, money, balance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.assignment import Take, assign
from crmlab.analyses.campaigns.balance import balance_of
from crmlab.analyses.campaigns.cells import Codes, Design, Sending, design_cells
from crmlab.analyses.campaigns.design.expected import (
    Baseline,
    Expected,
    baseline,
    expected_effect,
    together,
)
from crmlab.analyses.campaigns.design.money import Terms, cell_plan, curves, detectable, options, total_profit
from crmlab.analyses.campaigns.lists import ListRules, Pulled, pull_list
from crmlab.analyses.campaigns.past import Past, past_of
from crmlab.analyses.campaigns.sending import sends
from crmlab.analyses.customers import label
from crmlab.data.collecting import collect_arrow
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import ParameterError, TooLittleError, checks
from crmlab.models.testing.cells import CellStatistics
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.params import Params
    from crmlab.history.past import History

__all__ = ["Study", "balance", "readiness", "study"]


WINDOW = 28  # days, where neither the parameters nor past campaigns say
GUESSED_COST = 0.5  # of a contact, where no past cell says
_NAME = "campaign_design"


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of the next campaign shows.

    Attributes
    ----------
    context : Context
    params : Params
    pulled : Pulled
        The list, and how it came about.
    design : Design
        The cells.
    people : DataFrame
        The list with ``cell_id``.
    sizes : dict of cell to customers
    terms : Terms
        Response, money and level that the plan rests on.
    effects : dict of cell to Expected
        Of a contact on the response, as a difference of shares.
    expected : Expected
        The same for the campaign as a whole.
    cells : DataFrame
        Of :func:`~crmlab.analyses.campaigns.design.money.cell_plan`.
    options, curves : DataFrame
        Of the functions of :mod:`~crmlab.analyses.campaigns.design.money` of these names.
    balance : DataFrame
        Of :func:`balance`.
    past : Past
        What past cells brought, as the page of results has it.
    campaigns : bool
        Whether the data set tells of past campaigns at all.
    total : (value, low, high)
        Profit of all cells beyond their controls.
    shown : float or None
        Smallest effect that the test would show.
    window : int
        Days.
    seen : int
        Customers whom the response was seen of.
    margin_source, cost_source : str
        Where they are from: "given", "costs", "revenue" or "loss"; "given", "past" or "guess".
    """

    context: Context
    params: Params
    pulled: Pulled
    design: Design
    people: pd.DataFrame
    sizes: dict[str, int]
    terms: Terms
    effects: dict[str, Expected]
    expected: Expected
    cells: pd.DataFrame
    options: pd.DataFrame
    curves: pd.DataFrame
    balance: pd.DataFrame
    past: Past
    campaigns: bool
    total: tuple[float, float, float]
    shown: float | None
    window: int
    seen: int
    margin_source: str
    cost_source: str

    @property
    def several(self) -> int:
        """Cells that are compared with the control."""
        return len(self.cells)

    @property
    def margin_known(self) -> bool:
        """Whether what counts as gain is margin, not all that is spent."""
        return self.margin_source not in ("revenue", "loss")

    @property
    def cost(self) -> float:
        """What the test costs, whatever comes of it."""
        return float(self.cells["cost"].sum())

    @property
    def outputs(self) -> Mapping[str, Output]:
        """One file per channel, one of controls, one of those who were left out. Ids only: no name, no address."""
        about: Any = self.design.cells.set_index("cell_id")
        sending = set(self.design.cells.loc[sends(self.design.cells), "cell_id"])
        sent = about[["response_code", "offer", "creative", "channel"]]
        whole = self.people[["customer_id", "cell_id"]].join(sent, on="cell_id")
        found = {}
        for channel in sorted(set(about.loc[sorted(sending), "channel"])):
            mine = whole[whole["cell_id"].isin(sending) & (whole["channel"] == channel)]
            name = "".join(one if one.isalnum() else "_" for one in f"send_{channel}")
            frame = mine[["customer_id", "response_code", "offer", "creative"]].reset_index(drop=True)
            found[name] = Output(f"To be sent by {channel}: customer, code, offer, creative", frame, ("customer_id",))
        controls = whole.loc[~whole["cell_id"].isin(sending), ["customer_id", "cell_id"]].reset_index(drop=True)
        found["controls"] = Output("Controls, to be sent nothing", controls, ("customer_id",))
        found["left_out"] = Output("Who was left out, and why", self.pulled.left_out, ("customer_id",))
        if len(self.pulled.seeds):
            found["seeds"] = Output("Seeds, who get everything and are not counted", self.pulled.seeds, ("customer_id",))
        return found


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """Of a contact and of a cell, and where the first is from."""

    contact: float
    fixed: float
    source: str


@dataclass(frozen=True, kw_only=True, eq=False)
class _Laid:
    """A campaign laid out: who gets what, and what the plan of it rests on."""

    past: Past
    window: int
    costs: _Costs
    design: Design
    pulled: Pulled
    people: pd.DataFrame
    base: Baseline
    margin: float
    margin_source: str
    gifts: dict[str, float]


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
    _laid(history, params)
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Pull the list, lay out and fill the cells, and work out what the test will show, cost and bring.

    Raises
    ------
    ParameterError, CampaignError
        Criteria that cannot be read or name what there is not, and cells that make no test.
    TooLittleError
        Nobody is left on the list, or fewer than the cells need.
    """
    laid = _laid(history, params)
    past, design, pulled, people, base = laid.past, laid.design, laid.pulled, laid.people, laid.base
    costs, gifts, margin, window = laid.costs, laid.gifts, laid.margin, laid.window
    sizes = {name: int((people["cell_id"] == name).sum()) for name in design.cells["cell_id"]}
    share = sizes[str(design.controls["cell_id"].iloc[0])] / len(people)
    terms = _terms(base, costs, margin, sum(gifts.values()) / len(gifts), share, _usual_spend(pulled), params)
    effects = {
        str(row["cell_id"]): expected_effect(past, row["offer"], base.share.value, params.effect)
        for row in design.treated.to_dict("records")
    }
    expected, several, n = together(list(effects.values())), len(design.treated), len(people)
    cells = cell_plan(terms, design.treated, sizes, effects, several, gifts)
    covariates = [name for name in pulled.frame.columns if name not in ("customer_id", "household_id", "contactable")]
    controls = dict(zip(cells["cell_id"], cells["control_cell_id"], strict=True))
    return Study(
        context=history.context(pulled.start),
        params=params,
        pulled=pulled,
        design=design,
        people=people,
        sizes=sizes,
        terms=terms,
        effects=effects,
        expected=expected,
        cells=cells,
        options=options(terms, n, sorted({1, 2, 3, 4, several}), expected.value),
        curves=curves(terms, n, sorted({1, several}), [float(cells["pays_from"].max()), expected.value]),
        balance=balance(people, controls, covariates),
        past=past,
        campaigns=history.cells is not None and history.contacts is not None,
        total=total_profit(terms, cells, effects),
        shown=detectable(terms, n, several),
        window=window,
        seen=base.n,
        margin_source=laid.margin_source,
        cost_source=costs.source,
    )


def _laid(history: History, params: Params) -> _Laid:
    """Pull the list, lay out the cells and fill them."""
    past = past_of(history, open_memory(), level=params.level, min_group=params.min_group)
    opens, closes = _days(history.as_of, past.cells, params)
    window = (closes - opens).days + 1
    costs = _costs(past.cells, params)
    design = _design(history, params, costs, opens, closes)
    pulled = pull_list(
        history.data,
        params.criteria,
        as_of=history.as_of,
        rules=ListRules(
            qualify=params.qualify,
            contacted_within=params.contacted_within,
            seeds=params.seeds,
            holdout=params.holdout,
            holdout_salt=params.holdout_salt,
        ),
        columns=[name for name in (params.strata, params.score) if name],
    )
    people = _assigned(pulled, design, params)
    base = baseline(history, params.criteria, params.qualify, window, params.level, params.response)
    margin, margin_source = _margin(history, base.spend, pulled, params)
    gifts = _gifts(design, margin, params)
    return _Laid(
        past=past,
        window=window,
        costs=costs,
        design=design,
        pulled=pulled,
        people=people,
        base=base,
        margin=margin,
        margin_source=margin_source,
        gifts=gifts,
    )


def _days(as_of: dt.date, past: pd.DataFrame, params: Params) -> tuple[dt.date, dt.date]:
    """First and last day of the window."""
    opens = checks.day(_NAME, "opens_on", params.opens_on) or as_of + dt.timedelta(days=1)
    closes = checks.day(_NAME, "closes_on", params.closes_on)
    if closes is None:
        closes = opens + dt.timedelta(days=(int(past["days"].median()) if len(past) else WINDOW) - 1)
    if closes < opens:
        raise ParameterError.dates_out_of_order("opens_on", opens, "closes_on", closes)
    return opens, closes


def _costs(past: pd.DataFrame, params: Params) -> _Costs:
    known = past[past["channel"].isin(params.channels)] if len(past) else past
    found = known["cost_per_contact"].dropna() if len(known) else pd.Series(dtype=float)
    bills = known["fixed_cost"].dropna() if len(known) else pd.Series(dtype=float)
    guess = float(found.median()) if len(found) else GUESSED_COST
    contact = params.cost_per_contact if params.cost_per_contact is not None else guess
    fixed = params.fixed_cost if params.fixed_cost is not None else float(bills.median()) if len(bills) else 0.0
    source = "given" if params.cost_per_contact is not None else "past" if len(found) else "guess"
    return _Costs(contact=float(contact), fixed=float(fixed), source=source)


def _design(history: History, params: Params, costs: _Costs, opens: dt.date, closes: dt.date) -> Design:
    taken: set[str] = set()
    if history.cells is not None and "response_code" in history.cells.columns:
        codes = collect_arrow(history.cells.select("response_code"), "response_code")
        taken = {code for code in codes["response_code"].to_pylist() if code}
    pairs = zip(params.creatives, params.channels * (len(params.creatives) if len(params.channels) == 1 else 1), strict=True)
    return design_cells(
        {"offer": params.offers, "creative": params.creatives},
        campaign=params.campaign,
        share=next((one for one in (params.shares, params.control_share) if one is not None), "optimal"),
        codes=Codes(given=params.codes, taken=taken),
        sending=Sending(
            channel=dict(pairs),
            cost_per_contact=costs.contact,
            fixed_cost=costs.fixed,
            opens_on=opens,
            closes_on=closes,
        ),
    )


def _assigned(pulled: Pulled, design: Design, params: Params) -> pd.DataFrame:
    """The list with the cell of each customer.

    Raises
    ------
    TooLittleError
        The list, or a cell, is too small.
    """
    count = len(design.cells)
    needed = max(params.min_group, 2) * count
    if pulled.size < needed:
        most = pulled.ledger.sort_values("removed", ascending=False, kind="stable").iloc[0]
        found = f"{pulled.size:,} of {pulled.start:,}; most went at the step “{most['step']}”"
        raise TooLittleError.needs(_NAME, f"at least {needed:,} customers on the list, for {count} cells", found)
    given = assign(
        pulled.frame, design.shares(), params.salt, strata=params.strata, take=Take(n=params.sample, score=params.score)
    )
    people = pulled.frame.merge(given[["customer_id", "cell_id"]], on="customer_id")
    smallest = min(int((people["cell_id"] == name).sum()) for name in design.cells["cell_id"])
    if smallest < max(params.min_group, 2):
        least = f"at least {max(params.min_group, 2)} customers in each cell"
        raise TooLittleError.needs(_NAME, least, f"a cell of {smallest}")
    return people


def _usual_spend(pulled: Pulled) -> float:
    """Spend per purchase of the people on the list, where no window shows any."""
    orders = float(pulled.frame["orders"].sum())
    spend = float(pulled.frame["spend"].sum())
    return spend / orders if orders > 0 and spend > 0 else 1.0


def _margin(history: History, spend: float, pulled: Pulled, params: Params) -> tuple[float, str]:
    """Money kept from one response more, and where that is from."""
    if params.margin is not None:
        return float(params.margin), "given"
    kept, source, _ = history.margin(None)
    each = spend if spend == spend and spend > 0 else _usual_spend(pulled)
    return kept * each, source


def _gifts(design: Design, margin: float, params: Params) -> dict[str, float]:
    """What each cell's offer costs to one who buys: less than the margin of a response."""
    costs = params.offer_costs * (len(params.offers) if len(params.offer_costs) == 1 else 1)
    by_offer = dict(zip(params.offers, costs, strict=True))
    gifts = {str(row["cell_id"]): float(by_offer[row["offer"]]) for row in design.treated.to_dict("records")}
    if max(gifts.values()) >= margin:
        expectation = f"under what is kept from one response, {margin:.6g}"
        raise ParameterError.expected(_NAME, "offer_costs", expectation, params.offer_costs)
    return gifts


def _terms(
    base: Baseline, costs: _Costs, margin: float, gift: float, share: float, usual_spend: float, params: Params
) -> Terms:
    """What the plan rests on; the usual spend stands in where no buyer was seen."""
    known = base.spend == base.spend and base.spend > 0
    return Terms(
        base=base.share,
        spend=base.spend if known else usual_spend,
        sd=base.sd if known else 0.0,
        margin=margin,
        cost=costs.contact,
        fixed=costs.fixed,
        power=params.power,
        level=params.level,
        share=share,
        gift=gift,
    )


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
