"""What was sent: of which cells something is sent, and to whom, when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.data.memory.rules import COSTS

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.history.past import History

__all__ = ["SENT_WITH", "sends", "sent", "sent_of", "silent"]


SENT_WITH = ("offer", "creative", "response_code")  # columns of cells that say what goes out


def sends(cells: pd.DataFrame) -> pd.Series:
    """Say of each cell whether its contacts are sent something.

    A control is not sent anything. A control is a cell that others are compared with, that is not compared with any itself, and
    that has nothing to send: no offer, no creative, no response code and no cost. Every other cell sends something: one that has a control,
    be it the control of others too; a mailing that others are compared with and that has an offer, a creative, a code or a cost; all
    cells of a campaign without any control.

    Parameters
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``, of whole campaigns. Columns that are optional may be absent.

    Returns
    -------
    Series of bool
        In the order of ``cells``. :func:`silent` is the same rule as a reduction.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"cell_id": ["a-0", "a-1", "b-1"], "control_cell_id": [None, "a-0", None]})
    >>> sends(cells).tolist()
    [False, True, True]
    """
    bare = cells["control_cell_id"].isna() & cells["cell_id"].isin(cells["control_cell_id"].dropna())
    for name in SENT_WITH:
        if name in cells.columns:
            bare &= cells[name].isna()
    for name in COSTS:
        if name in cells.columns:
            bare &= cells[name].isna() | (cells[name].astype(float) == 0)
    return ~bare


def silent(cells: ibis.Table) -> ibis.Table:
    """Return the cells that nothing is sent of: controls, by the rule of :func:`sends`; one column, ``cell_id``."""
    bare = cells["control_cell_id"].isnull()
    for name in SENT_WITH:
        if name in cells.columns:
            bare &= cells[name].isnull()
    for name in COSTS:
        if name in cells.columns:
            bare &= cells[name].isnull() | (cells[name] == 0)
    named = cells.filter(cells["control_cell_id"].notnull()).select(cell_id="control_cell_id").distinct()
    return cells.filter(bare).select("cell_id").semi_join(named, "cell_id")


def sent_of(contacts: ibis.Table, cells: ibis.Table | None) -> ibis.Table:
    """Return the contacts that were sent something: all but those of cells known to be controls.

    Parameters
    ----------
    contacts : ibis.Table
        Canonical contacts, or rows with their ``cell_id``.
    cells : ibis.Table, optional
        Canonical cells. Where there are none, nothing says that a contact was left alone.
    """
    return contacts if cells is None else contacts.anti_join(silent(cells), "cell_id")


def sent(history: History) -> ibis.Table | None:
    """Return what was sent, to whom and when: the contacts of a history without those of controls; None where it has no contacts."""
    return None if history.contacts is None else sent_of(history.contacts, history.cells)
