"""Tests that are running: whose windows are open, and whose controls wait with them."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from crmlab.history.sending import sends
from crmlab.history.words import YEAR

__all__ = ["open_windows", "stands_for", "waiting_cells"]

LONGEST = YEAR  # days after which nobody waits for the end of a test


def open_windows(cells: pd.DataFrame, as_of: dt.date) -> dict[str, dt.date]:
    """Campaigns that have begun and go on after a day, with their last days; one that goes on for over a year is waited for by nobody.

    Parameters
    ----------
    cells : DataFrame
        campaign_id, opens_on and closes_on of each cell; a cell without both days says nothing.
    as_of : date

    Examples
    --------
    >>> cells = pd.DataFrame({"campaign_id": ["a", "b"], "opens_on": ["2025-01-01"] * 2, "closes_on": ["2025-01-10", "2025-02-01"]})
    >>> open_windows(cells, dt.date(2025, 1, 15))
    {'b': datetime.date(2025, 2, 1)}
    """
    found: dict[str, dt.date] = {}
    for campaign, opens, closes in zip(cells["campaign_id"], cells["opens_on"], cells["closes_on"], strict=True):
        if pd.isna(opens) or pd.isna(closes):
            continue
        first, last = pd.Timestamp(opens).date(), pd.Timestamp(closes).date()
        if first <= as_of < last <= as_of + dt.timedelta(days=LONGEST):
            found[str(campaign)] = max(found.get(str(campaign), last), last)
    return found


def waiting_cells(cells: pd.DataFrame, as_of: dt.date) -> pd.Series:
    """Say of each cell whether it is the control of a test that goes on after a day, or that opens later.

    Until such a test closes, its control counts as contacted when the other cells were. Otherwise limits on contacts would hold for those
    who were sent something and not for the control, and what the control is sent meanwhile would be missing from the difference between
    them.

    Parameters
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``, of whole campaigns. A cell without a last day is waited for by nobody.
    as_of : date

    Returns
    -------
    Series of bool
        In the order of ``cells``.

    Examples
    --------
    >>> cells = pd.DataFrame({"cell_id": ["c", "1"], "control_cell_id": [None, "c"]})
    >>> cells = cells.assign(campaign_id="spring", closes_on="2025-02-01")
    >>> waiting_cells(cells, dt.date(2025, 1, 15)).tolist(), waiting_cells(cells, dt.date(2025, 2, 1)).tolist()
    ([True, False], [False, False])
    """
    if not {"campaign_id", "closes_on"} <= set(cells.columns):
        return pd.Series(False, index=cells.index)
    left = (pd.to_datetime(cells["closes_on"]) - pd.Timestamp(as_of)).dt.days
    return ~sends(cells) & (left > 0) & (left <= LONGEST)


def stands_for(cells: pd.DataFrame, name: str) -> dict[str, str]:
    """Cell → what it sends, such as its offer; of a control what the cells that are compared with it send, where that is one thing.

    Parameters
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``, of whole campaigns.
    name : str
        ``"offer"`` or ``"channel"``.

    Examples
    --------
    >>> cells = pd.DataFrame({"cell_id": ["c", "1", "2"], "control_cell_id": [None, "c", "c"], "offer": [None, "x", "x"]})
    >>> stands_for(cells, "offer")
    {'1': 'x', '2': 'x', 'c': 'x'}
    """
    if name not in cells.columns:
        return {}
    told = cells.dropna(subset=[name]).astype({"cell_id": str, name: str})
    found = dict(zip(told["cell_id"], told[name], strict=True))
    for control, some in told.dropna(subset=["control_cell_id"]).groupby("control_cell_id")[name]:
        if some.nunique() == 1:
            found.setdefault(str(control), some.iloc[0])
    return found
