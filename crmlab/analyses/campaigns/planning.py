"""What is wrong with a plan beside other campaigns and the data set that its list is drawn from, so that no launch finds it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmlab.analyses.campaigns.holdout import holdout_for
from crmlab.analyses.customers import DOMAINS, Condition, conditions, customer_outputs, holds, known_columns
from crmlab.errors import CampaignError, CrmlabError, hint_at, shown

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.campaigns.plan import Checks
    from crmlab.data.dataset import Dataset
    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["column_problems", "plan_checks", "unchecked_columns"]

_RULES = ("criteria", "qualify")


def plan_checks(memory: CampaignMemory, data: Dataset | None = None) -> Checks:
    """Return what :func:`~crmlab.analyses.campaigns.plan.read_plan` asks of a plan further.

    Parameters
    ----------
    memory : CampaignMemory
        Codes that it has sent are nobody else's.
    data : Dataset, optional
        That the list is drawn from: its columns are those that the plan may name.
    """

    def found(campaign: str, cells: pd.DataFrame, details: Mapping[str, Any]) -> list[CrmlabError]:
        wrong: list[CrmlabError] = list(memory.code_problems(campaign, cells))
        if data is None:
            return wrong
        try:
            holdout_for(data, details.get("holdout"), details.get("holdout_salt"))
        except CampaignError as error:
            wrong.append(error)
        return wrong + column_problems(data, details)

    return found


def unchecked_columns(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that a plan names, which only a data set can tell to be there."""
    named = [one.column for key in _RULES for one in conditions(tuple(details.get(key, ())))]
    return tuple(dict.fromkeys([*named, *(str(details[key]) for key in ("strata", "score", "by") if key in details)]))


def column_problems(data: Dataset, details: Mapping[str, Any]) -> list[CrmlabError]:
    """Return everything that a data set does not hold as a plan names it: columns, and values that conditions are held against.

    Parameters
    ----------
    data : Dataset
    details : mapping
        What the plan says beside its cells. Where it has no criteria its list comes from a file, and with it strata and score.

    Returns
    -------
    list of CrmlabError
    """
    import pandas as pd

    readable: list[Condition] = []
    found: list[CrmlabError] = []
    for text in (text for key in _RULES for text in details.get(key, ())):
        try:
            readable += conditions(text)
        except CampaignError:
            continue  # the plan says so itself
    known = known_columns(data)
    named = list(dict.fromkeys(one.column for one in readable))
    found += [CampaignError.unknown_column(name, known) for name in named if name not in known]
    people = list(data.customers.columns) if "customers" in data.tables else []
    by = details.get("by")
    if by is not None and by not in people:
        found.append(CampaignError(f"by names {shown(by)}, which is no column of customers. {hint_at(str(by), people)}"))
    if "criteria" in details:
        wanted = {key: str(details[key]) for key in ("strata", "score") if key in details}
        found += [
            CampaignError(f"{key} names {shown(name)}, of which nothing is known. {hint_at(name, known)}")
            for key, name in wanted.items()
            if name not in known
        ]
        named += [name for name in wanted.values() if name not in named]
    try:
        frame = customer_outputs(data, None, [name for name in named if name in known])
    except CrmlabError as error:
        return [*found, error]
    for one in readable:
        if one.column in known:
            try:
                holds(frame[one.column], one, DOMAINS.get(one.column))
            except CampaignError as error:
                found.append(error)
    score = details.get("score")
    if "criteria" in details and score in known and not pd.api.types.is_numeric_dtype(frame[score]):
        found.append(CampaignError.must_be("score", "a column of numbers", score))
    return found
