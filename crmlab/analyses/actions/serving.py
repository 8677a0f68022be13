"""What customers cost beside what they buy, and whom they brought: shown beside their values, and part of none of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.collecting import collect
from crmlab.history.customers import came_back
from crmlab.history.orders import between
from crmlab.history.sending import sent
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    from crmlab.analyses.actions.declaring import Service
    from crmlab.analyses.actions.people import People
    from crmlab.history.past import History

__all__ = ["SUM", "beside_value"]

SUM = "cost_to_serve"
_TICKETS = ("complaint", "request")  # kinds of responses that somebody has to see to


def beside_value(history: History, people: People, service: Service) -> pd.DataFrame:
    """Tell what each customer cost within the last 12 months, driver by driver, and what those are worth whom the customer brought.

    Parameters
    ----------
    history : History
    people : People
    service : Service
        What a return and a ticket cost, where the data set's file says.

    Returns
    -------
    DataFrame
        customer_id, in the order of ``people``, and of these what the data tell: cost_of_contacts (of what was sent, by the cost of its
        cell), returned (what came back, as an amount above 0), tickets (complaints and requests), cost_of_returns and cost_of_tickets
        (where their price is given), cost_to_serve (the sum of these costs, where there are two at least), referrals (customers won
        through this one) and referral_value (what these are worth, and what winning them cost less than winning others did on average).
        Nothing of it is 0 for want of data.
    """
    found = pd.DataFrame({"customer_id": people.ids})
    parts = (_contacts(history), _returns(history, service), _tickets(history, service), _referrals(history, people))
    for part in parts:
        if part is not None:
            found = found.merge(part, "left", "customer_id")
    numbers = [name for name in found.columns if name != "customer_id"]
    found[numbers] = found[numbers].astype(float).fillna(0.0).round(2)
    costs = [name for name in numbers if name.startswith("cost_of_")]
    if len(costs) > 1:
        found.insert(
            len(found.columns) - len({"referrals", "referral_value"} & set(numbers)), SUM, found[costs].sum(axis=1).round(2)
        )
    return found.astype({name: "int64" for name in ("tickets", "referrals") if name in numbers})


def _start(history: History) -> dt.date:
    return history.as_of - dt.timedelta(days=YEAR - 1)


def _contacts(history: History) -> pd.DataFrame | None:
    contacts, cells = sent(history), history.cells
    if contacts is None or cells is None or "cost_per_contact" not in cells.columns:
        return None
    some = between(contacts.select("customer_id", "cell_id", ordered_at="contacted_at"), _start(history), None)
    costs = cells.select(_cell="cell_id", cost="cost_per_contact")
    priced = some.join(costs, some["cell_id"] == costs["_cell"])
    return collect(priced.group_by("customer_id").agg(cost_of_contacts=priced["cost"].sum().cast("float64")), "customer_id")


def _returns(history: History, service: Service) -> pd.DataFrame | None:
    """What came back; None where nothing ever did."""
    orders = between(history.orders, _start(history), None)
    back = orders.mutate(_back=came_back(orders))
    back = back.filter(back["_back"] < 0)
    sums = back.group_by("customer_id").agg(returned=-back["_back"].sum().cast("float64"), returns=back.count())
    found = collect(sums, "customer_id")
    if not len(found):
        return None
    if service.cost_per_return is not None:
        found["cost_of_returns"] = found["returns"] * service.cost_per_return
    return found.drop(columns="returns")


def _tickets(history: History, service: Service) -> pd.DataFrame | None:
    """Complaints and requests; None where nobody ever had one."""
    if history.responses is None:
        return None
    said = between(history.responses.select("customer_id", "kind", ordered_at="responded_at"), _start(history), None)
    said = said.filter(said["kind"].isin(list(_TICKETS)))
    found = collect(said.group_by("customer_id").agg(tickets=said.count()), "customer_id")
    if not len(found):
        return None
    return (
        found if service.cost_per_ticket is None else found.assign(cost_of_tickets=found["tickets"] * service.cost_per_ticket)
    )


def _referrals(history: History, people: People) -> pd.DataFrame | None:
    table = history.customers
    if table is None or "referred_by" not in table.columns:
        return None
    cost = ["acquisition_cost"] if "acquisition_cost" in table.columns else []
    rows = collect(table.select("customer_id", "referred_by", *cost), "customer_id")
    brought = rows["referred_by"].isin(people.ids) & (rows["referred_by"] != rows["customer_id"])
    value = rows["customer_id"].map(people.frame.set_index("customer_id")["value"]).astype(float).fillna(0.0)
    if cost:
        paid = rows["acquisition_cost"].astype(float)
        saved = paid[rows["referred_by"].isna()].mean() - paid.fillna(0.0)  # of a newcomer without a cost nothing was paid
        value += saved.fillna(0.0)
    frame = pd.DataFrame({"customer_id": rows["referred_by"], "value": value})[brought]
    return frame.groupby("customer_id", as_index=False).agg(referrals=("value", "size"), referral_value=("value", "sum"))
