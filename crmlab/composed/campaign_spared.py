"""Who is to be left alone: those who complained, and those who were contacted lately."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.features.orders import history

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset


def suppressed(
    customers: Dataset | pd.DataFrame, as_of: dt.date | str | None, within: int | None, more: pd.DataFrame | None = None
) -> tuple[set[str], set[str], list[tuple[str, str]]]:
    """Who has complained by a date, and who was contacted in the days up to it.

    Parameters
    ----------
    customers : Dataset or DataFrame
    as_of : date or ISO date, optional
    within : int, optional
        Days; None: contacts do not matter.
    more : DataFrame, optional
        Contacts beside those of the data set: ``customer_id``, ``contacted_at``.

    Returns
    -------
    (complained, contacted, absent)
        Ids; and what the data do not hold, each with what follows from that.
    """
    complained: set[str] = set()
    lately: set[str] = set()
    absent: list[tuple[str, str]] = []
    if isinstance(customers, pd.DataFrame):
        if more is not None and within is not None and len(more):
            end = dt.date.fromisoformat(str(as_of)) if as_of else pd.to_datetime(more["contacted_at"]).max().date()
            lately |= _recent(more, end, within)
        return complained, lately, absent
    end = history(customers.orders, as_of)[1]
    if "responses" in customers.tables:
        table = customers.responses
        some = table.filter((table["kind"] == "complaint") & (table["responded_at"].date() <= end))
        complained = set(some.select("customer_id").distinct().to_pyarrow()["customer_id"].to_pylist())
    else:
        absent.append(("responses", "nobody is known to have complained"))
    if within is None:
        return complained, lately, absent
    first = end - dt.timedelta(days=within)
    if "contacts" in customers.tables:
        table = customers.contacts
        some = table.filter((table["contacted_at"].date() > first) & (table["contacted_at"].date() <= end))
        if "cells" in customers.tables:
            # Who is in a control was not contacted; where a campaign has no control at all, everybody was.
            cells = customers.cells
            named = cells.filter(cells["control_cell_id"].notnull()).select(cell_id="control_cell_id").distinct()  # noqa: PD004  (Ibis)
            if "response_code" in cells.columns:  # a control that is sent what is usual has a code
                named = named.semi_join(cells.filter(cells["response_code"].isnull()), "cell_id")  # noqa: PD003
            some = some.anti_join(named, "cell_id")
        lately |= set(some.select("customer_id").distinct().to_pyarrow()["customer_id"].to_pylist())
    elif more is None:
        absent.append(("contacts", "nobody is known to have been contacted lately"))
    if more is not None:
        lately |= _recent(more, end, within)
    return complained, lately, absent


def _recent(contacts: pd.DataFrame, end: dt.date, within: int) -> set[str]:
    """Who was contacted in so many days up to a day, or is about to be."""
    day = pd.to_datetime(contacts["contacted_at"]).dt.date
    return set(contacts.loc[day > end - dt.timedelta(days=within), "customer_id"].astype("str"))
