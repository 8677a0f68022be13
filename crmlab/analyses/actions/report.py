"""The report: a study of what to do with every customer, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.actions import exhibits, words
from crmlab.analyses.actions.params import Params
from crmlab.analyses.actions.quantities import QUANTITIES
from crmlab.analyses.actions.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "actions": exhibits.actions_table,
        "alone": exhibits.alone_table,
        "who": exhibits.who_table,
        "effects": exhibits.effects_table,
        "calendar": exhibits.calendar_table,
        "pressure": exhibits.pressure_table,
        "rules": exhibits.rules_table,
        "others": exhibits.others_table,
        "kept": exhibits.kept_table,
        "judged": exhibits.judged_table,
    },
    charts={"actions": exhibits.actions_chart, "budget": exhibits.budget_chart},
    lead={"What to do now": ("actions", "alone")},
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Decide for every customer what to do today, and plan the weeks ahead.

    Parameters
    ----------
    data : Dataset
        Needs orders; past cells, contacts and consent are used where they are there, and what its file says of actions, goals, limits and
        the universal control.
    params : Params

    Returns
    -------
    Result
        Tables: actions, alone, who, effects, calendar, pressure, rules, others, kept, judged. Charts: actions, budget. Outputs:
        decisions, and send_<action> for each action of today.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    TooLittleError
        Customers are too few, or cannot be valued.
    DataError
        What is declared names what there is not, or an action has no effect that is known.

    References
    ----------
    Everett (1963), Generalized Lagrange multiplier method for solving problems of optimum allocation of resources, Operations Research 11.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
