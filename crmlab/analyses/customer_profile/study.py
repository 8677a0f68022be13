"""What is known of one customer: purchases, contacts and responses, value, state, risk, offers and moments."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses import actions, churn, triggers
from crmlab.analyses import customer_value as value
from crmlab.analyses.lifecycle import standing
from crmlab.analyses.scorecard import speech_of
from crmlab.collecting import ORDERED, collect, collect_arrow
from crmlab.data.personal import concepts, is_personal
from crmlab.errors import CampaignError, ConvergenceError, DataError, ModelError, ParameterError, TooLittleError, hint_at, shown
from crmlab.history.customers import occasion_days
from crmlab.history.sending import sends
from crmlab.history.words import ROUNDS
from crmlab.page.estimate import Estimate
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import ibis

    from crmlab.analyses.customer_profile.params import Params
    from crmlab.analyses.scorecard import Speech
    from crmlab.history.past import History

__all__ = ["MOST_IDS", "UNFIT", "Risk", "Study", "Worth", "study"]


UNFIT = (DataError, ModelError, ConvergenceError)
MOST_IDS = 2000  # ids among which a mistyped one is looked for


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page shows of one customer.

    Attributes
    ----------
    context : Context
    params : Params
        The customer, and the level of intervals: of what this customer will do.
    attributes : dict
        Columns of the customers table that name nobody.
    days : DataFrame
        day, spend, is_occasion: every day with a receipt.
    bought : DataFrame
        product, times, spend: what was bought, most first; empty without order lines.
    contacts, responses : DataFrame
        day, campaign, what, contacted; day, kind, code.
    state : dict
        As of :func:`crmlab.analyses.lifecycle.states`; empty where it is not known.
    worth : Worth
        Tier, value, and when the next purchase is expected.
    risk : Risk
        Probability of churn, and what moves it.
    offers : DataFrame
        rank, name, reason; best first.
    moments : DataFrame
        label, works.
    todo : tuple of str
        What to do, and why, as the report on actions decides; empty where nothing is decided.
    why : dict of str to str
        Why state, value, churn, offers, moments or what to do are not known.
    speech : Speech
        What the customer is called, and what customers do.
    refusal : str
        Why the customer must not be contacted; empty where nothing is known against it.
    """

    context: Context
    params: Params
    attributes: dict[str, Any]
    days: pd.DataFrame
    bought: pd.DataFrame
    contacts: pd.DataFrame
    responses: pd.DataFrame
    state: dict[str, Any]
    worth: Worth
    risk: Risk
    offers: pd.DataFrame
    moments: pd.DataFrame
    todo: tuple[str, ...]
    why: dict[str, str]
    speech: Speech
    refusal: str
    outputs: Mapping[str, Output] = field(default_factory=dict)

    @property
    def occasions(self) -> pd.DataFrame:
        """Purchase occasions."""
        return self.days[self.days["is_occasion"]]

    @property
    def estimates(self) -> dict[str, Estimate]:
        """value, purchases, alive, churn; those that are known."""
        churn = {} if self.risk.churn is None else {"churn": self.risk.churn}
        return {**self.worth.estimates, **churn}


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a customer will bring.

    Attributes
    ----------
    tier : str
        ``""`` where it is not known.
    estimates : dict of str to Estimate
        value, purchases, alive; those that are known.
    span, ahead : str
        How far the value reaches, and over how long purchases are expected, in words.
    soonest, latest : datetime.date or None
        Between which days the next purchase is expected.
    """

    tier: str = ""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    span: str = ""
    ahead: str = ""
    soonest: dt.date | None = None
    latest: dt.date | None = None


@dataclass(frozen=True, kw_only=True)
class Risk:
    """Whether a customer will stay away.

    Attributes
    ----------
    churn : Estimate or None
        Probability of churn; None where it is not known.
    reasons : tuple of str
        What moves it most.
    window : int
        Days without a purchase that count as churn; 0 where it is not known.
    """

    churn: Estimate | None = None
    reasons: tuple[str, ...] = ()
    window: int = 0


def study(history: History, params: Params) -> Study:
    """Collect what is known of a customer.

    Raises
    ------
    ParameterError
        Nobody has this id by the day.
    """
    customer = params.customer_id
    attributes, days = _attributes(history, customer), _days(history, customer)
    if days.empty and not attributes:
        hint = hint_at(customer, _ids(history.orders, customer))
        raise ParameterError(f"There is no customer {shown(customer)} in the data set (the 'customer_id' parameter). {hint}")
    why: dict[str, str] = {}
    speech = speech_of(history)
    state: dict[str, Any] = {}
    try:
        state = _state(history, customer)
    except UNFIT as error:
        why["state"] = str(error)
    worth, risk = Worth(), Risk()
    if days["is_occasion"].any():
        try:
            worth = _worth(history, params)
        except UNFIT as error:
            why["value"] = f"Value is not known. {error}"
        try:
            risk, reason = _risk(history, params)
            if reason:
                why["churn"] = reason
        except UNFIT as error:
            why["churn"] = f"The probability of churn is not known. {error}"
    else:
        why["value"] = speech("Nothing has been {given} yet, so no value can be given.")
    offers, why["offers"] = _offers(history, customer)
    (refusal,) = history.refusals(pd.Series([customer]))
    moments, why["moments"] = _moments(history, customer, refusal)
    todo: tuple[str, ...] = ()
    try:
        todo = _todo(history, customer)
    except (*UNFIT, CampaignError) as error:
        why["todo"] = str(error)
    return Study(
        context=history.context(),
        params=params,
        attributes=attributes,
        days=days,
        bought=_bought(history, customer),
        contacts=_contacts(history, customer),
        responses=_responses(history, customer),
        state=state,
        worth=worth,
        risk=risk,
        offers=offers,
        moments=moments,
        todo=todo,
        why=why,
        speech=speech,
        refusal=refusal,
    )


def _ids(orders: ibis.Table, customer: str) -> list[str]:
    """Ids that look like a wrong one: with the same number behind letters and zeros, or the same first letters; any, where none does."""
    ids = orders.group_by("customer_id").agg()
    if number := re.sub(r"^[^1-9]+", "", customer):
        alike = ids.filter(ids["customer_id"].re_replace(r"^[^1-9]+", "") == number)
        if found := collect_arrow(alike.order_by("customer_id").limit(MOST_IDS), ORDERED)["customer_id"].to_pylist():
            return [str(one) for one in found]
    for length in (len(customer) - 1, 3, 1, 0):
        if length < 0:
            continue
        some = ids.filter(ids["customer_id"].startswith(customer[:length])) if length else ids
        found = collect_arrow(some.order_by("customer_id").limit(MOST_IDS), ORDERED)["customer_id"].to_pylist()
        if found:
            return [str(one) for one in found]
    return []


def _attributes(history: History, customer: str) -> dict[str, Any]:
    if history.customers is None:
        return {}
    found = collect_arrow(_mine(history.customers, customer), "customer_id").to_pylist()
    if not found:
        return {}
    # What names a person is not shown, whether or not the data set calls it personal.
    told = {name: value for name, value in found[0].items() if not is_personal(concepts(name))}
    if "contactable" in told:
        who = pd.Series([customer])
        (may,), (why,) = history.contactable(who), history.refusals(who)
        told["contactable"] = f"{may}: {why}" if why else may
    return told


def _days(history: History, customer: str) -> pd.DataFrame:
    days = occasion_days(_mine(history.orders, customer))
    frame = collect(days.select("day", "is_occasion", spend=days["spend"].cast("float64")), "day")
    return frame.assign(day=pd.to_datetime(frame["day"]))


def _state(history: History, customer: str) -> dict[str, Any]:
    rows = collect_arrow(_mine(standing(history), customer), "customer_id").to_pylist()
    return rows[0] if rows and rows[0]["state"] != "prospect" else {"state": "prospect"}


def _worth(history: History, params: Params) -> Worth:
    """Value, tier and outlook, as they stand in the list of the report on customer value."""
    level = params.level
    found = value.scores(history, value.Params(level=level, seed=params.seed))
    if found.few:
        people = len(found.points)
        raise TooLittleError.needs("customer_value", f"at least {value.FEWEST} customers to value each of them", f"{people}")
    mine = found.customers[found.customers["customer_id"] == params.customer_id]
    if mine.empty:
        raise TooLittleError.needs(
            "customer_value", "a whole year with a purchase", "the first one in the year that is not over"
        )
    row = mine.iloc[0]

    def estimate(name: str, ends: str, unit: str) -> Estimate:
        return Estimate(float(row[name]), float(row[f"{ends}_low"]), float(row[f"{ends}_high"]), level, unit)

    estimates = {
        "value": estimate("value", "value", history.data.currency),
        "expected_purchases": estimate("expected_purchases", "purchases", "purchases"),
    }
    if found.fit.seen:
        estimates["alive"] = estimate("alive", "alive", "share")
    soonest, latest = (None if pd.isna(row[name]) else row[name].date() for name in ("next_from", "next_to"))
    span = "over all future years" if math.isinf(found.horizon) else f"over {found.base.words.span(found.horizon)}"
    span = f"in {value.money_of(found)}, {span}"
    return Worth(
        tier=str(row["tier"]),
        estimates=estimates,
        span=span,
        ahead=found.base.words.span(found.ahead),
        soonest=soonest,
        latest=latest,
    )


def _risk(history: History, params: Params) -> tuple[Risk, str]:
    """Probability of churn as the report on churn tells it, with the interval of its calibration; or why it is not known."""
    found = churn.scores(history)
    estimate = found.interval(params.customer_id, params.level)
    if found.refused:
        return Risk(window=found.scheme.window), f"No probability of churn is given. {found.why(history.form)}"
    if estimate is None:
        why = f"Silent for too long to be eligible: a probability of churn is given only for eligible {history.words.many}."
        return Risk(window=found.scheme.window), why
    mine = found.customers[found.customers["customer_id"] == params.customer_id].iloc[0]
    words = tuple(str(mine[name]) for name in found.customers.columns if name.startswith("reason_") and mine[name])
    return Risk(churn=estimate, reasons=words, window=found.scheme.window), ""


def _bought(history: History, customer: str) -> pd.DataFrame:
    columns = ["product", "times", "spend"]
    if history.lines is None:
        return pd.DataFrame(columns=columns)
    lines = _mine(history.lines, customer)
    lines = lines.filter(lines["quantity"] > 0)
    found = lines.group_by("product_id").agg(times=lines["order_id"].nunique(), spend=lines["amount"].sum().cast("float64"))
    frame = collect(found, "product_id")
    names = _names(history.products)
    frame["product"] = [names.get(one, one) for one in frame["product_id"]]
    return frame.sort_values(["times", "spend", "product_id"], ascending=[False, False, True], ignore_index=True)[columns]


def _names(products: ibis.Table | None) -> dict[str, str]:
    if products is None:
        return {}
    rows = collect_arrow(products.select("product_id", "name"), "product_id").to_pylist()
    return {row["product_id"]: row["name"] for row in rows if row["name"]}


def _contacts(history: History, customer: str) -> pd.DataFrame:
    """What was sent and what was held back, by day."""
    rows = []
    if history.contacts is not None:
        known = [] if history.cells is None else collect_arrow(history.cells, "cell_id").to_pylist()
        cells = {row["cell_id"]: row for row in known}
        sending = dict(zip(cells, sends(pd.DataFrame(known)), strict=True)) if known else {}
        for row in collect_arrow(_mine(history.contacts, customer), "contacted_at").to_pylist():
            cell, treated = cells.get(row["cell_id"], {}), bool(sending.get(row["cell_id"], True))
            parts = [str(cell[name]) for name in ("offer", "creative", "channel") if cell.get(name)]
            what = ", ".join(parts) or str(row["cell_id"]) if treated else "left alone, as control"
            rows.append([row["contacted_at"], cell.get("campaign_id", "campaign not known"), what, treated])
    frame = pd.DataFrame(rows, columns=["day", "campaign", "what", "contacted"])
    return frame.assign(day=pd.to_datetime(frame["day"]).dt.normalize())


def _responses(history: History, customer: str) -> pd.DataFrame:
    """What came back, by day."""
    rows = []
    if history.responses is not None:
        found = collect_arrow(_mine(history.responses, customer), "responded_at").to_pylist()
        rows = [[row["responded_at"], row["kind"], row.get("response_code") or ""] for row in found]
    frame = pd.DataFrame(rows, columns=["day", "kind", "code"])
    return frame.assign(day=pd.to_datetime(frame["day"]).dt.normalize())


def _offers(history: History, customer: str) -> tuple[pd.DataFrame, str]:
    """Offers, best first; or why there are none."""
    columns = ["rank", "name", "reason"]
    none = pd.DataFrame(columns=columns)
    if history.lines is None:
        if history.words is ROUNDS:
            return none, "Nothing is sold here, so there is nothing to offer."
        return none, "Offers need order lines, which this data set does not have."
    from crmlab.analyses.cross_sell import next_best_offers

    try:
        found = next_best_offers(history).frame
    except UNFIT as error:
        return none, str(error)
    mine = found[found["customer_id"] == customer].sort_values("rank", ignore_index=True)[columns]
    return (
        mine,
        "No offers: there are none for anyone who must not be contacted, or who has not bought anything yet."
        if mine.empty
        else "",
    )


def _moments(history: History, customer: str, refusal: str) -> tuple[pd.DataFrame, str]:
    """Moments of today; or why there are none."""
    columns = ["label", "works"]
    if refusal:
        return pd.DataFrame(columns=columns), f"Nothing to act on: this {history.words.one} {refusal}."
    try:
        found = triggers.moments(history)
    except UNFIT as error:
        return pd.DataFrame(columns=columns), str(error)
    known = {trigger.name: trigger.said(history.words) for trigger in triggers.TRIGGERS}
    works = found.loc[found["customer_id"] == customer].set_index("trigger")["works"].to_dict()
    rows = [[known[name].label, works[name]] for name in sorted(works)]
    why = "" if rows else "There are no moments now."
    return pd.DataFrame(rows, columns=columns), why


def _todo(history: History, customer: str) -> tuple[str, ...]:
    """What the report on actions decides for this customer, and why; empty for whoever it decides nothing for."""
    found = actions.decisions(history)
    mine = found[found["customer_id"] == customer]
    return tuple(map(str, mine.iloc[0][["action", "action_reason"]])) if len(mine) else ()


def _mine(table: ibis.Table, customer: str) -> ibis.Table:
    return table.filter(table["customer_id"] == customer)
