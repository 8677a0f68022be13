"""Whether a data set's campaigns can be measured at all, before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.measurement import known_cells
from crmlab.page.declarations import Readiness

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["readiness"]


def readiness(data: Dataset) -> Readiness:
    """Say which campaigns have no control: what their cells caused cannot be told, and without any that have one nothing can.

    Parameters
    ----------
    data : Dataset
        With the table ``cells``.
    """
    by = known_cells(data).groupby("campaign_id")["control_cell_id"].agg(lambda controls: controls.notna().any())
    bare = [str(name) for name in by.index[~by.astype(bool)]]
    if len(bare) == len(by):
        return Readiness("No campaign has a control, so that what contacts caused cannot be told.")
    some = f"{', '.join(bare[:3])}{f' and {len(bare) - 3} more' if len(bare) > 3 else ''}"
    return Readiness(remarks=(f"without a control, and so not measured: {some}",) if bare else ())
