"""Responses → the cell that each one goes to: by its code, else by the most recent contact whose window is open.

What is matched is not what a cell caused: people respond who would have bought anyway. Cells are compared with their controls for that.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow
from crmlab.errors import CampaignError
from crmlab.frames import as_ibis

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["CODED", "HOUSEHOLD", "MATCHED", "UNMATCHED", "match_back", "match_counts"]


CODED, MATCHED, HOUSEHOLD, UNMATCHED = "coded", "matched", "matched by household", "unmatched"
_FIRST, _LAST = dt.date(1, 1, 1), dt.date(9999, 12, 31)  # of windows that the cells do not name


def match_back(
    responses: Any,
    contacts: Any,
    cells: Any,
    as_of: dt.date,
    households: Any = None,
    kind: str = "order",
) -> ibis.Table:
    """Say of each response to which cell it goes, and how that is known.

    Parameters
    ----------
    responses, contacts, cells : table
        Canonical tables, of pandas, Polars, PyArrow or Ibis.
    as_of : datetime.date
        Last day of history; later responses are left out.
    households : table, optional
        customer_id and household_id, such as the customers table: a response of somebody who was not contacted goes to the contact of
        another one of the household.
    kind : str
        Responses of this kind.

    Returns
    -------
    ibis.Table
        One row per response: customer_id, responded_at, order_id, response_code, cell_id (missing for "unmatched"), how: "coded",
        "matched" (most recent contact of the customer), "matched by household" or "unmatched". A code counts whoever gives it, but not
        before its cell contacted that customer. Of two contacts at one moment that to the smaller name of a cell counts.

    Examples
    --------
    >>> import pandas as pd
    >>> moment = pd.Timestamp("2024-03-01")
    >>> contacts = pd.DataFrame({"customer_id": ["a", "b"], "cell_id": ["gift", "none"], "contacted_at": moment})
    >>> orders = pd.DataFrame({"customer_id": ["a", "c"], "responded_at": moment + pd.Timedelta(days=2), "kind": "order"})
    >>> found = match_back(orders, contacts, pd.DataFrame({"cell_id": ["gift", "none"]}), dt.date(2024, 3, 31))
    >>> found.order_by("customer_id").to_pandas()[["customer_id", "how"]].values.tolist()
    [['a', 'matched'], ['c', 'unmatched']]
    """
    import ibis

    responses, contacts = as_ibis(responses, "responses", CampaignError), as_ibis(contacts, "contacts", CampaignError)
    cells = as_ibis(cells, "cells", CampaignError)
    households = None if households is None else as_ibis(households, "households", CampaignError)
    rows = _numbered(responses, as_of, kind)
    first = contacts.group_by(who="customer_id", sent="cell_id").agg(first=contacts["contacted_at"].min())
    said = rows.filter(rows["response_code"].notnull())
    if "response_code" in cells.columns:
        codes = cells.filter(cells["response_code"].notnull()).select(code="response_code", named="cell_id")
        coded = said.inner_join(codes, said["response_code"] == codes["code"]).select(
            "rid", "customer_id", "responded_at", "named"
        )
        seen = coded.left_join(first, [coded["customer_id"] == first["who"], coded["named"] == first["sent"]])
        late = seen["first"].isnull() | (seen["first"] <= seen["responded_at"])
        by_code = seen.filter(late).select("rid", "named")
    else:
        by_code = said.select("rid", named=ibis.literal(None, type="string")).limit(0)
    own = rows.inner_join(_open(contacts, cells), rows["customer_id"] == _open(contacts, cells)["who"])
    found = _candidates(own, 0)
    if households is not None and "household_id" in households.columns:
        homes = households.filter(households["household_id"].notnull())
        homes = homes.select(member="customer_id", home="household_id")
        theirs = rows.inner_join(homes, rows["customer_id"] == homes["member"])
        others = _open(contacts, cells)
        if "household_id" in contacts.columns:
            both = theirs.inner_join(others, theirs["home"] == others["household"])
            found = found.union(_candidates(both, 1))
    order = ibis.window(group_by="rid", order_by=["place", ibis.desc("contacted_at"), "sent"])
    best = found.mutate(_k=ibis.row_number().over(order)).filter(lambda t: t["_k"] == 0).select("rid", "place", "sent")
    best = best.rename(best_rid="rid")
    with_code = rows.left_join(by_code.rename(code_rid="rid"), rows["rid"] == by_code.rename(code_rid="rid")["code_rid"])
    whole = with_code.left_join(best, with_code["rid"] == best["best_rid"])
    how = ibis.cases(
        (whole["named"].notnull(), CODED),
        (whole["place"] == 0, MATCHED),
        (whole["place"] == 1, HOUSEHOLD),
        else_=UNMATCHED,
    )
    return whole.select(
        "customer_id",
        "responded_at",
        "order_id",
        "response_code",
        cell_id=ibis.coalesce(whole["named"], whole["sent"]),
        how=how,
    )


def _numbered(responses: ibis.Table, as_of: dt.date, kind: str) -> ibis.Table:
    """Responses with a number each; rows that are the same in every column may change numbers, which changes nothing."""
    import ibis

    missing = ibis.literal(None, type="string")
    named: dict[str, Any] = {
        name: responses[name] if name in responses.columns else missing for name in ("response_code", "order_id")
    }
    rows = responses.select("customer_id", "responded_at", "kind", **named)
    last = ibis.literal(as_of + dt.timedelta(days=1), type="date").cast("timestamp")
    rows = rows.filter((rows["kind"] == kind) & (rows["responded_at"] < last))
    order = ibis.window(order_by=["customer_id", "responded_at", "order_id", "response_code"])
    return rows.mutate(rid=ibis.row_number().over(order))


def _open(contacts: ibis.Table, cells: ibis.Table) -> ibis.Table:
    """Contacts with the windows of their cells."""
    import ibis

    def day(name: str, otherwise: dt.date) -> Any:
        end = ibis.literal(otherwise, type="date")
        return ibis.coalesce(cells[name].cast("date"), end) if name in cells.columns else end

    spans = cells.select(sent="cell_id", opens=day("opens_on", _FIRST), closes=day("closes_on", _LAST))
    named = {"who": contacts["customer_id"], "sent": contacts["cell_id"], "contacted_at": contacts["contacted_at"]}
    home = contacts["household_id"] if "household_id" in contacts.columns else ibis.literal(None, type="string")
    return contacts.select(**named, household=home).inner_join(spans, "sent")


def _candidates(both: ibis.Table, place: int) -> ibis.Table:
    """Contacts before a response, whose window is open when it comes."""
    import ibis

    day = both["responded_at"].cast("date")
    kept = both.filter((both["contacted_at"] <= both["responded_at"]) & (day >= both["opens"]) & (day <= both["closes"]))
    return kept.select("rid", "contacted_at", "sent", place=ibis.literal(place, type="int8"))


def match_counts(
    responses: Any,
    contacts: Any,
    cells: Any,
    days: pd.DataFrame,
    as_of: dt.date,
    households: Any = None,
) -> pd.DataFrame:
    """Count the orders among responses in a campaign's windows, by cell and by how they are known.

    Parameters
    ----------
    responses, contacts, cells, as_of, households
        As in :func:`match_back`.
    days : DataFrame
        Windows of the campaign, see :func:`crmlab.analyses.campaigns.reductions.windows`.

    Returns
    -------
    DataFrame
        cell_id, coded, matched (by household too); the last row, whose cell_id is missing, counts those that go to no contact while
        the campaign's windows were open.
    """
    import ibis
    import pandas as pd

    found = match_back(responses, contacts, cells, as_of, households)
    day = found["responded_at"].cast("date")
    first, last = (ibis.literal(one, type="date") for one in (min(days["opens"]), max(days["last"])))
    inside = found.filter((day >= first) & (day <= last))
    counts = collect_arrow(inside.group_by("cell_id", "how").agg(n=inside.count()), ("cell_id", "how")).to_pandas()
    rows = []
    for cell in days["cell_id"]:
        mine = counts[counts["cell_id"] == cell]
        coded = int(mine.loc[mine["how"] == CODED, "n"].sum())
        rows.append({"cell_id": cell, "coded": coded, "matched": int(mine["n"].sum()) - coded, "unmatched": 0})
    lost = int(counts.loc[counts["how"] == UNMATCHED, "n"].sum())
    rows.append({"cell_id": None, "coded": 0, "matched": 0, "unmatched": lost})
    return pd.DataFrame(rows)
