"""The report: a study of triggers, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.triggers import exhibits, words
from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.quantities import QUANTITIES
from crmlab.analyses.triggers.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={"triggers": exhibits.triggers_table, "rules": exhibits.rules_table, "bands": exhibits.bands_table},
    charts={"lifts": exhibits.lifts_chart, "today": exhibits.today_chart, "days": exhibits.days_chart},
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Find today's moments, and judge each trigger by days that are past.

    Parameters
    ----------
    data : Dataset
        Needs orders; products that are due again come from order lines, suppression from customers, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: triggers, rules, bands. Charts: lifts, today (where a trigger works), days. Outputs: moments, silent_longest.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
