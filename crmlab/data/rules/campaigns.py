"""Rules of campaigns: what is not wrong in a table by itself, but weakens every result that is read from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.data.rules.rule import Rule

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["RULES", "in_two_cells", "unknown_codes"]


def in_two_cells(contacts: ibis.Table, cells: ibis.Table) -> ibis.Table:
    """Return who is in more than one cell of a campaign: campaign_id, customer_id.

    Parameters
    ----------
    contacts, cells : ibis.Table
        Canonical tables. Contacts of cells that are not in the table of cells are left out.
    """
    assigned = contacts.inner_join(cells.select("cell_id", "campaign_id"), "cell_id")
    counted = assigned.group_by("campaign_id", "customer_id").agg(_cells=assigned["cell_id"].nunique())
    return counted.filter(counted["_cells"] > 1).select("campaign_id", "customer_id")


def unknown_codes(responses: ibis.Table, cells: ibis.Table) -> ibis.Table | None:
    """Return the responses that carry a code which belongs to no cell; None where either table has no codes.

    Parameters
    ----------
    responses, cells : ibis.Table
        Canonical tables.
    """
    if "response_code" not in responses.columns or "response_code" not in cells.columns:
        return None
    codes = cells.filter(cells["response_code"].notnull()).select("response_code")
    return responses.filter(responses["response_code"].notnull()).anti_join(codes, "response_code")


def _strange_codes(data: Dataset) -> ibis.Table | None:
    found = unknown_codes(data.responses, data.cells)
    return None if found is None else found.select("response_code", "customer_id", "responded_at")


def _assigned(data: Dataset) -> ibis.Value:
    known = data.contacts.semi_join(data.cells, "cell_id").inner_join(data.cells.select("cell_id", "campaign_id"), "cell_id")
    return known.select("campaign_id", "customer_id").distinct().count()


RULES = (
    Rule(
        name="One cell per customer",
        says="Nobody is in two cells of one campaign",
        found="Some customers are in more than one cell of a campaign.",
        advice="They count in their first cell. Check how the list was split; plan the next test with crmlab campaign plan.",
        unit="assignments",
        needs=("contacts", "cells"),
        base=_assigned,
        broken=lambda data: in_two_cells(data.contacts, data.cells),
    ),
    Rule(
        name="Known codes",
        says="Every response code belongs to a cell",
        found="Some responses carry a code that belongs to no cell.",
        advice="Look for misspelt codes, and add missing ones to the cells table. Until then, these are matched by contact.",
        unit="responses",
        needs=("responses", "cells"),
        base=lambda data: data.responses.filter(data.responses["response_code"].notnull()).count(),
        broken=_strange_codes,
    ),
)
