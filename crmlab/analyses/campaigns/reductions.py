"""Contacts → what every customer of a campaign did while the window of the cell was open, and before it opened.

The only place that decides for campaigns what lies before a contact and what after it. Controls are treated like all others: what
counts are orders in the window, whatever code they name.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.errors import CampaignError
from crmlab.frames import as_ibis
from crmlab.history.customers import is_purchase
from crmlab.history.orders import as_lines, as_orders, between
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["BEFORE_DAYS", "MONEY", "RECENT_DAYS", "assigned", "outcomes", "windows", "with_answers"]


MONEY = "decimal(18, 4)"
BEFORE_DAYS, RECENT_DAYS = YEAR, 90  # how far back covariates look


def assigned(contacts: ibis.Table, cell_ids: list[str], as_of: dt.date) -> ibis.Table:
    """Say which cell of a campaign each customer was assigned to: that of the first contact.

    Whoever was contacted in a second cell all the same stays in the first: people are compared as they were drawn, not as they
    were treated.

    Parameters
    ----------
    contacts : ibis.Table
        Canonical contacts.
    cell_ids : list of str
        The cells of one campaign.
    as_of : datetime.date
        Last day of history; later contacts are not looked at.

    Returns
    -------
    ibis.Table
        One row per customer: customer_id, cell_id, contacted_at, unit (the household, or the customer where there is none).
    """
    import ibis

    moment = contacts["contacted_at"]
    last = ibis.literal(as_of + dt.timedelta(days=1), type="date").cast("timestamp")
    mine = contacts.filter(contacts["cell_id"].isin(cell_ids) & (moment < last))
    # Of two contacts at the same moment the smaller name of a cell counts, so that the order of rows does not.
    order = ibis.window(group_by="customer_id", order_by=["contacted_at", "cell_id"])
    first = mine.mutate(_place=ibis.row_number().over(order)).filter(lambda t: t["_place"] == 0)
    alone = ibis.literal("c:") + first["customer_id"]
    if "household_id" in first.columns:
        unit = ibis.coalesce(ibis.literal("h:") + first["household_id"], alone)
    else:
        unit = alone
    return first.select("customer_id", "cell_id", "contacted_at", unit=unit)


def windows(cells: pd.DataFrame, first_contact: dt.date, as_of: dt.date) -> pd.DataFrame:
    """Give the days on which each cell's outcomes count.

    Parameters
    ----------
    cells : DataFrame
        Rows of the cells table, of one campaign.
    first_contact : datetime.date
        Of the campaign: where a cell has no opens_on.
    as_of : datetime.date
        Last day of history: where a cell has no closes_on.

    Returns
    -------
    DataFrame
        cell_id, opens, closes, last (the earlier of closes and as_of), is_open (whether the window goes on after as_of).
    """
    import pandas as pd

    def days(name: str, otherwise: dt.date) -> list[dt.date]:
        values = cells[name] if name in cells.columns else [None] * len(cells)
        return [otherwise if pd.isna(value) else pd.Timestamp(value).date() for value in values]

    opens, closes = days("opens_on", first_contact), days("closes_on", as_of)
    return pd.DataFrame(
        {
            "cell_id": cells["cell_id"].astype(str).tolist(),
            "opens": opens,
            "closes": closes,
            "last": [min(day, as_of) for day in closes],
            "is_open": [day > as_of for day in closes],
        }
    )


def outcomes(
    people: Any,
    days: pd.DataFrame,
    orders: Any,
    *,
    margin: float = 1.0,
    order_lines: Any = None,
    products: Any = None,
) -> ibis.Table:
    """Add to everybody assigned what they did in the window, and what is known of them from before it.

    Parameters
    ----------
    people : table
        As :func:`assigned` gives it.
    days : DataFrame
        As :func:`windows` gives it; with ``discount`` (share of the price that a cell's offer takes off) where cells have one.
    orders : table
        As :func:`crmlab.history.orders.as_orders` takes them; amounts are what was paid.
    margin : float
        Share of spend that is left after the cost of goods, at full price; of products without a known cost where there are order lines.
    order_lines, products : table, optional
        Canonical; with both, and unit costs among products, margin is spend less the cost of goods.

    Returns
    -------
    ibis.Table
        One row per customer: customer_id, cell_id, unit; response (1: bought, as
        :func:`crmlab.history.customers.is_purchase` says: a free order counts), spend, margin, first_day (of a purchase in the window),
        opens; and from before it opened: before (spend in 365 days), orders_before (purchases in them), recent (1: bought in the last
        90 days), ever (1: bought in the 365 days). Spend is net of returns booked in the window.
    """
    import ibis
    import pyarrow as pa

    orders, people = as_orders(orders), as_ibis(people, "people", CampaignError)
    order_lines = None if order_lines is None else as_lines(order_lines)
    products = None if products is None else as_ibis(products, "products", CampaignError)
    span = _spans(days, margin)
    who = people.inner_join(ibis.memtable(pa.Table.from_pandas(span, preserve_index=False)), "cell_id")
    who = who.select("customer_id", "cell_id", "unit", "opens", "last", "near", "since", "kept")
    first, last = min(span["since"]), max(span["last"])
    found = who.left_join(_of_orders(who, between(orders, first, last)), "customer_id")
    zero = ibis.literal(Decimal(0), type=MONEY)
    named: dict[str, Any] = {name: ibis.coalesce(found[name], zero).cast(MONEY) for name in ("spend", "before")}
    for name in ("response", "orders_before", "recent", "ever"):
        named[name] = ibis.coalesce(found[name], 0).cast("int32")
    if order_lines is None or products is None or "unit_cost" not in products.columns:
        named["margin"] = _part(named["spend"], found["kept"])
        return found.select("customer_id", "cell_id", "unit", "opens", "first_day", **named)
    table = found.select("customer_id", "cell_id", "unit", "opens", "first_day", **named)
    goods = _of_lines(who, between(order_lines, first, last), products)
    both = table.left_join(goods, table["customer_id"] == goods["buyer"])
    return both.mutate(margin=ibis.coalesce(both["left"], zero).cast(MONEY)).drop("left", "buyer")


def with_answers(table: ibis.Table, days: pd.DataFrame, answers: pd.DataFrame) -> ibis.Table:
    """Count answers that are no orders of the data set: whoever gave one in the window has responded, of whichever cell.

    Money stays what the orders tell.

    Parameters
    ----------
    table : ibis.Table
        As :func:`outcomes` gives it.
    days : DataFrame
        As :func:`windows` gives it.
    answers : DataFrame
        ``customer_id``, ``responded_at``.

    Returns
    -------
    ibis.Table
        With ``response`` and ``first_day`` as orders and answers tell them together.
    """
    import ibis
    import pyarrow as pa

    said = pa.table(
        {
            "buyer": pa.array(answers["customer_id"].astype(str).tolist(), pa.string()),
            "day": pa.array([moment.date() for moment in answers["responded_at"]], pa.date32()),
        }
    )
    ends = ibis.memtable(pa.Table.from_pandas(days[["cell_id", "last"]], preserve_index=False))
    who = table.select("customer_id", "cell_id", "opens").inner_join(ends, "cell_id")
    both = who.inner_join(ibis.memtable(said), [("customer_id", "buyer")])
    inside = both.filter((both["day"] >= both["opens"]) & (both["day"] <= both["last"]))
    found = table.left_join(inside.group_by("buyer").agg(said=inside["day"].min()), [("customer_id", "buyer")])
    response = ibis.ifelse(found["said"].notnull(), 1, found["response"]).cast("int32")
    first = ibis.ifelse(found["first_day"].isnull(), found["said"], ibis.least(found["first_day"], found["said"]))
    return found.mutate(response=response, first_day=ibis.coalesce(first, found["first_day"])).drop("buyer", "said")


def _spans(days: pd.DataFrame, margin: float) -> pd.DataFrame:
    """The window of each cell, from where on covariates are looked at, and the share of what is paid that is left of it.

    Goods cost 1 - margin of the full price. Of a price with a share d taken off they cost (1 - margin) / (1 - d).
    """
    span = days[["cell_id", "opens", "last"]].copy()
    span["near"] = [day - dt.timedelta(days=RECENT_DAYS) for day in span["opens"]]
    span["since"] = [day - dt.timedelta(days=BEFORE_DAYS) for day in span["opens"]]
    off = days["discount"] if "discount" in days.columns else [0.0] * len(days)
    span["kept"] = [Decimal(f"{1 - (1 - margin) / (1 - share):.6f}") for share in off]
    return span


def _joined(who: ibis.Table, rows: ibis.Table) -> tuple[ibis.Table, Any, Any]:
    """Rows of the people of a campaign, and which of them are in the window and before it."""
    both = who.inner_join(rows, who["customer_id"] == rows["buyer"])
    day = both["day"]
    return both, (day >= both["opens"]) & (day <= both["last"]), (day < both["opens"]) & (day >= both["since"])


def _of_orders(who: ibis.Table, orders: ibis.Table) -> ibis.Table:
    day = orders["ordered_at"].cast("date")
    kept = orders.select(buyer="customer_id", day=day, amount="amount", is_purchase=is_purchase(orders))
    both, inside, before = _joined(who, kept)
    bought = both["is_purchase"]
    return both.group_by("customer_id").agg(
        response=(inside & bought).cast("int32").max(),
        spend=both["amount"].sum(where=inside),
        first_day=both["day"].min(where=inside & bought),
        before=both["amount"].sum(where=before),
        orders_before=(before & bought).cast("int32").sum(),
        recent=(before & bought & (both["day"] >= both["near"])).cast("int32").max(),
        ever=(before & bought).cast("int32").max(),
    )


def _of_lines(who: ibis.Table, order_lines: ibis.Table, products: ibis.Table) -> ibis.Table:
    """What is left of spend in the window after the cost of goods."""
    import ibis

    day = order_lines["ordered_at"].cast("date")
    kept = order_lines.select("product_id", "quantity", "amount", buyer="customer_id", day=day)
    costs = products.select("product_id", "unit_cost")
    kept = kept.left_join(costs, "product_id").select("buyer", "day", "quantity", "amount", "unit_cost")
    both, inside, _ = _joined(who, kept)
    cost = (both["quantity"].cast("decimal(14, 4)") * both["unit_cost"].cast("decimal(14, 4)")).cast(MONEY)
    cost = ibis.coalesce(cost, _part(both["amount"], 1 - both["kept"]))
    found = both.filter(inside).mutate(_left=both["amount"] - cost)
    return found.group_by(buyer=found["customer_id"]).agg(left=found["_left"].sum())


def _part(amount: Any, share: Any) -> Any:
    """A share of an amount, exact to four decimals."""
    wide = "decimal(18, 6)"
    return (amount.cast(wide) * share.cast(wide)).cast(MONEY)
