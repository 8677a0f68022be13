"""What the campaign memory takes: cells that make a test, people with one cell each, codes that are nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crmlab.data.memory.events import Header
from crmlab.data.memory.rules import OFFER_COSTS, cell_problems, share_problems
from crmlab.data.tables import CELLS
from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ARMS", "check_codes", "checked_cells", "checked_decision", "checked_people", "code_problems"]

ARMS = ("acted", "held out")  # of a decision: with whom the action is done, and who belongs to the universal control
_DECIDED = ("customer_id", "action", "arm", "gain", "cost")


def checked_cells(campaign: str, cells: pd.DataFrame) -> pd.DataFrame:
    """Checked cells in one order, with the columns of the canonical table only."""
    if not isinstance(campaign, str) or not campaign.strip() or campaign != campaign.strip() or not campaign.isprintable():
        raise CampaignError.must_be("The name of a campaign", "a text without blanks at its ends", campaign)
    for column in ("cell_id", "control_cell_id"):
        if column not in cells.columns:
            raise CampaignError.lacks(f"cells of {campaign}", column, cells.columns)
    if not len(cells):
        raise CampaignError.must_be(f"The cells of {campaign}", "at least one", "none")
    mine = cells.assign(campaign_id=campaign)
    for problem in (*cell_problems(mine), *share_problems(mine)):
        raise problem
    # What no cell says of offers is left out, so that a plan from before there were such columns is the same plan still.
    silent = {name for name in OFFER_COSTS if name in mine.columns and mine[name].isna().all()}
    names = [column.name for column in CELLS.columns if column.name in mine.columns and column.name not in silent]
    return mine[names].sort_values("cell_id", ignore_index=True)


def checked_people(campaign: str, cells: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
    """One row per customer in order of the id: ``customer_id``, ``cell_id``, ``household_id``."""
    for column in ("customer_id", "cell_id"):
        if column not in assignments.columns:
            raise CampaignError.lacks(f"assignments of {campaign}", column, assignments.columns)
    kept = [name for name in ("customer_id", "cell_id", "household_id") if name in assignments.columns]
    people = assignments[kept].sort_values("customer_id", ignore_index=True)
    if not len(people):
        raise CampaignError.must_be(f"The list of {campaign}", "at least one customer", "nobody")
    again = people["customer_id"].duplicated()
    if again.any():
        raise CampaignError.twice_assigned(campaign, int(again.sum()), str(people.loc[again, "customer_id"].iloc[0]))
    if people["customer_id"].isna().any():
        raise CampaignError.must_be(f"customer_id of {campaign}", "given for everybody", "an empty one")
    extra = sorted(set(people["cell_id"].unique()) - set(cells["cell_id"]), key=str)
    if extra:
        raise CampaignError.unknown_cells(campaign, extra, cells["cell_id"])
    if "household_id" not in people:
        people["household_id"] = None
    return people.astype(dict.fromkeys(("customer_id", "cell_id"), "str"))


def checked_decision(campaign: str, people: pd.DataFrame) -> pd.DataFrame:
    """One row per customer in order of the id: ``customer_id``, ``action``, ``arm``, ``gain``, ``cost``."""
    for column in _DECIDED:
        if column not in people.columns:
            raise CampaignError.lacks(f"the decision of {campaign}", column, people.columns)
    found = people[[*_DECIDED]].sort_values("customer_id", ignore_index=True)
    again = found["customer_id"].duplicated()
    if again.any():
        raise CampaignError.twice_assigned(campaign, int(again.sum()), str(found.loc[again, "customer_id"].iloc[0]))
    for column in ("customer_id", "action"):
        if found[column].isna().any():
            raise CampaignError.must_be(f"{column} of the decision of {campaign}", "given for everybody", "an empty one")
    strange = sorted(set(found["arm"]) - set(ARMS), key=str)
    if strange:
        raise CampaignError.must_be(f"The arm of a customer in the decision of {campaign}", " or ".join(ARMS), strange[0])
    return found.astype({"customer_id": "str", "action": "str", "arm": "str", "gain": "float64", "cost": "float64"})


def check_codes(campaign: str, cells: pd.DataFrame, known: list[Header]) -> None:
    """A launched cell keeps its code, and no other cell gets it."""
    for problem in code_problems(campaign, cells, known):
        raise problem


def code_problems(campaign: str, cells: pd.DataFrame, known: list[Header]) -> Iterator[CampaignError]:
    """Every code that a launched cell would lose, or that another campaign has sent already."""
    codes = dict(zip(cells["cell_id"], cells["response_code"], strict=True)) if "response_code" in cells else {}
    for header in known:
        if header.kind != "launched":
            continue
        for row in header.cells:
            cell, code = row["cell_id"], row.get("response_code")
            if header.campaign == campaign and cell in set(cells["cell_id"]):
                new = codes.get(cell)
                new = None if not isinstance(new, str) else new
                if new != code:
                    yield CampaignError(
                        f"The response code of a launched cell cannot change. Expected {shown(code)} for cell {shown(str(cell))}. "
                        f"Got {shown(new)} instead. Codes are in people's hands: give a new cell a new name."
                    )
            if header.campaign != campaign and code is not None and code in codes.values():
                same = [str(name) for name, mine in codes.items() if mine == code]
                yield CampaignError.code_twice(str(code), [f"{cell} of {header.campaign}", *same])
