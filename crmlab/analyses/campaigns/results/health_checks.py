"""Whether the numbers of a campaign mean anything: sizes as designed, leaks, codes, balance, windows, looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.balance import balance_of, unbalanced
from crmlab.analyses.campaigns.checks import CampaignFinding, check_tables
from crmlab.analyses.campaigns.looks import Look
from crmlab.analyses.campaigns.measurement import Measured, mismatched, ratio_of
from crmlab.analyses.campaigns.moments import cell_statistics
from crmlab.data.memory.rules import cell_problems
from crmlab.models.testing.comparisons import SampleRatio

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

__all__ = ["BALANCE", "Health", "health"]


BALANCE = {
    "before": "spend in the year before",
    "orders_before": "purchases in the year before",
    "recent": "bought in the 90 days before",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Health:
    """Checks of a campaign.

    Attributes
    ----------
    ratio : SampleRatio or None
        None where the plan names no shares that add up.
    findings : tuple of CampaignFinding
    balance : DataFrame
        Of :func:`~crmlab.analyses.campaigns.balance.balance_of`.
    look : Look
    unequal_windows : tuple of str
        Cells whose window is not that of their control.
    """

    ratio: SampleRatio | None
    findings: tuple[CampaignFinding, ...]
    balance: pd.DataFrame
    look: Look
    unequal_windows: tuple[str, ...]

    @property
    def blocked(self) -> bool:
        """Whether nothing may be concluded: sizes do not fit the design, so something decided who is in a cell."""
        return mismatched(self.ratio)

    @property
    def unbalanced(self) -> bool:
        """Whether cells differed before anything was sent by more than chance allows."""
        return unbalanced(self.balance)

    def found(self, check: str) -> list[CampaignFinding]:
        """What one check found."""
        return [finding for finding in self.findings if finding.check == check]


def health(history: History, found: Measured, cells: pd.DataFrame, look: Look) -> Health:
    """Check a campaign before anything is concluded from it.

    Parameters
    ----------
    history : History
    found : Measured
    cells : DataFrame
        The cells of all campaigns.
    look : Look

    Returns
    -------
    Health
    """
    days = found.days.set_index("cell_id")
    unequal = tuple(
        cell
        for cell, its in found.control.items()
        if (days.loc[cell, ["opens", "closes"]] != days.loc[its, ["opens", "closes"]]).any()
    )
    return Health(
        ratio=ratio_of(found, cells),
        findings=_checked(history.data, found.campaign, cells),
        balance=_balance(found),
        look=look,
        unequal_windows=unequal,
    )


def _checked(data: Dataset, campaign: str, cells: pd.DataFrame) -> tuple[CampaignFinding, ...]:
    """What the checks of campaigns find about this one; others whose cells make no test are left aside."""
    names = [str(name) for name, mine in cells.groupby("campaign_id") if str(name) == campaign or not cell_problems(mine)]
    kept = data.cells.filter(data.cells["campaign_id"].isin(names))
    gone = [str(name) for name in cells.loc[~cells["campaign_id"].isin(names), "cell_id"]]
    contacts = data.contacts.filter(~data.contacts["cell_id"].isin(gone)) if gone else data.contacts
    more = {name: data.table(name) for name in ("responses", "customers") if name in data.tables}
    found = check_tables(kept, contacts, **more)
    return tuple(finding for finding in found if finding.campaign in (None, campaign))


def _balance(found: Measured) -> pd.DataFrame:
    """What was known of people before the window opened, cell against control."""
    table = found.table.filter(found.table["cell_id"].isin(list(found.stats)))
    stats = cell_statistics(table, ["before", "orders_before", "recent"], rates=["recent"], household="unit")
    return balance_of(stats, found.control, list(BALANCE))
