"""What each customer of a campaign brought, and how likely the lot was to draw the cell: what other ways to choose are judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.collecting import collect

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.measurement import Measured

__all__ = ["drawn"]


def drawn(found: Measured) -> pd.DataFrame:
    """Tell of each customer of a campaign what the lot drew, and what came of it.

    Cells that are compared with one control were drawn from one list: a test. Shares are of the test.

    Parameters
    ----------
    found : Measured

    Returns
    -------
    DataFrame
        One row per customer of the cells that are compared, ordered by id: customer_id, unit (who was drawn together), cell_id, test (the
        control that all of its cells go back to), share (with which the lot drew the cell among those of the test; as planned, or where
        nothing was planned as it came out) and profit (margin in the window, less what the contact and an offer that was taken cost; what
        a cell costs beside is left out, since it hangs on no single customer).
    """
    cells = found.cells.set_index("cell_id")
    names = [str(name) for name in cells.index]
    roots = {name: _root(name, found.control) for name in names}
    sizes = found.counts.set_index("cell_id")["units"].reindex(names).astype(float)
    planned = cells["planned_share"].astype(float) if "planned_share" in cells.columns else sizes
    test = pd.Series(roots).reindex(names)
    known = planned.notna().groupby(test).transform("all") & (planned.groupby(test).transform("sum") > 0)
    weight = planned.where(known, sizes)
    share = weight / weight.groupby(test).transform("sum")
    some = found.table.filter(found.table["cell_id"].isin(names))
    rows = collect(some.select("customer_id", "unit", "cell_id", "after_offer"), "customer_id")
    cell = rows["cell_id"].astype(str)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"].astype(str),
            "unit": rows["unit"].astype(str),
            "cell_id": cell,
            "test": cell.map(test),
            "share": cell.map(share).astype(float),
            "profit": rows["after_offer"].astype(float) - cell.map(cells["per_contact"].astype(float)),
        }
    )


def _root(cell: str, control: dict[str, str]) -> str:
    """The control that a cell goes back to: a control may be a cell with a control itself."""
    seen = {cell}
    while cell in control and control[cell] not in seen:
        cell = control[cell]
        seen.add(cell)
    return cell
