"""Whether a data set's campaigns can be measured at all, before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.measurement import choose_campaign, known_cells, measured
from crmlab.analyses.campaigns.results.one_file import one_file_study
from crmlab.errors import CrmlabError
from crmlab.history.past import History
from crmlab.page.declarations import Readiness

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.results.params import Params
    from crmlab.data.dataset import Dataset

__all__ = ["readiness"]


def readiness(history: History | Dataset, params: Params) -> Readiness:
    """Say which campaigns have no control: what their cells caused cannot be told, and without any that have one nothing can.

    Parameters
    ----------
    history : History or Dataset
        With the table ``cells``; or a test in one file, which has no history.
    params : Params

    Raises
    ------
    CampaignError
        There is no campaign to be looked at, its cells make no test, or nobody was contacted.
    """
    if not isinstance(history, History):
        try:
            found = one_file_study(history, params)
        except CrmlabError as error:
            return Readiness(str(error), mend=True)
        blocked = "the sizes of the cells do not fit the plan, so no verdict will be given"
        return Readiness(remarks=(*([blocked] if found.blocked else []), *(note.rstrip(".") for note in found.notes)))
    cells = known_cells(history.data)
    by = cells.groupby("campaign_id")["control_cell_id"].agg(lambda controls: controls.notna().any())
    bare = [str(name) for name in by.index[~by.astype(bool)]]
    if len(bare) == len(by):
        return Readiness("No campaign has a control, so that what contacts caused cannot be told.")
    campaign = choose_campaign(cells, history.data.contacts, history.as_of, params.campaign)
    measured(history.data, campaign, history.as_of, margin=params.margin, min_group=params.min_group)
    some = f"{', '.join(bare[:3])}{f' and {len(bare) - 3} more' if len(bare) > 3 else ''}"
    return Readiness(remarks=(f"without a control, and so not measured: {some}",) if bare else ())
