"""What must hold among the cells of a campaign, or nothing can be learnt from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crmlab.errors import CampaignError, hint_at, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COSTS", "OFFER_COSTS", "cell_problems", "share_problems"]


SHARES_ADD_UP = 0.001  # planned shares are written with a few digits
OFFER_COSTS = ("cost_per_response", "discount")  # columns of cells: either says what an offer costs
COSTS = ("cost_per_contact", "fixed_cost", *OFFER_COSTS)  # columns of cells: all that says what a cell costs


def cell_problems(cells: pd.DataFrame) -> list[CampaignError]:
    """Return everything among cells that makes results meaningless.

    Parameters
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``, of one campaign or several. Columns that are optional may be absent.

    Returns
    -------
    list of CampaignError
        Empty where all is well. A cell without control is no problem where it is the control of others, or where no cell of
        its campaign has one.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"campaign_id": ["a", "a"], "cell_id": ["1", "0"], "control_cell_id": ["1", None]})
    >>> print(cell_problems(cells)[0])
    Cell '1' is its own control. Expected another cell. Name one that is not contacted.
    """
    rows = [{str(key): _plain(value) for key, value in row.items()} for row in cells.to_dict("records")]
    rows.sort(key=lambda row: (str(row["campaign_id"]), str(row["cell_id"])))
    result = [
        CampaignError(
            f"Cell {shown(name)} is there twice. Expected one row per cell. Found 2 or more. Give each cell a name of its own."
        )
        for name in _twice([row["cell_id"] for row in rows])
    ]
    campaign = {row["cell_id"]: row["campaign_id"] for row in rows}
    others = [row for row in rows if row["control_cell_id"] not in (None, row["cell_id"])]
    controls = {row["control_cell_id"] for row in others}
    with_controls = {row["campaign_id"] for row in others}
    for row in rows:
        result += _cell(row, campaign, controls, with_controls)
    codes: dict[str, list[str]] = {}
    for row in rows:
        if row.get("response_code") is not None:
            codes.setdefault(str(row["response_code"]), []).append(str(row["cell_id"]))
    return result + [CampaignError.code_twice(code, named) for code, named in codes.items() if len(named) > 1]


def share_problems(cells: pd.DataFrame) -> list[CampaignError]:
    """Return the campaigns whose planned shares are all given and do not add up to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> len(share_problems(pd.DataFrame({"campaign_id": ["a", "a"], "planned_share": [0.5, 0.4]})))
    1
    """
    if "planned_share" not in cells.columns:
        return []
    result = []
    for name, shares in sorted(cells.groupby("campaign_id")["planned_share"]):
        given = shares.dropna().astype(float)
        if len(given) and (len(given) < len(shares) or abs(given.sum() - 1) > SHARES_ADD_UP):
            result.append(
                CampaignError(
                    f"The planned shares of {shown(str(name))} must add up to 1. Found {float(given.sum()):.6g}. "
                    "Correct the shares: share in a plan, planned_share in a table."
                )
            )
    return result


def _cell(
    row: dict[str, Any], campaign: dict[str, str], controls: set[str], with_controls: set[str]
) -> Iterator[CampaignError]:
    name, mine, control = str(row["cell_id"]), row["campaign_id"], row["control_cell_id"]
    if control is None:
        if name not in controls and mine in with_controls:
            yield CampaignError(
                f"Cell {shown(name)} of {shown(mine)} has no control and is not the control of any other cell. Expected a control, as "
                "other cells of the campaign have. Found none. Name its control: control in a plan, control_cell_id in a table."
            )
    elif control == name:
        yield CampaignError(f"Cell {shown(name)} is its own control. Expected another cell. Name one that is not contacted.")
    elif control not in campaign:
        hint = hint_at(control, [cell for cell, of in campaign.items() if of == mine])
        yield CampaignError(f"The control of cell {shown(name)}, {shown(control)}, is not a cell of this campaign. {hint}")
    elif campaign[control] != mine:
        yield CampaignError(
            f"The control of cell {shown(name)} must be of the same campaign, {shown(mine)}. "
            f"Got {shown(control)} of {shown(campaign[control])} instead. People of two lists cannot be compared."
        )
    for column in (*COSTS, "planned_share"):
        value = row.get(column)
        if value is not None and float(value) < 0:
            yield CampaignError.must_be(f"'{column}' of cell {shown(name)}", "at least 0", value, "Costs are positive.")
    discount = row.get("discount")
    if discount is not None and float(discount) >= 1:
        hint = "Write 0.1 for 10% off; what is free costs its cost_per_response."
        yield CampaignError.must_be(f"'discount' of cell {shown(name)}", "under 1", discount, hint)
    opens, closes = (None if day is None else str(day)[:10] for day in (row.get("opens_on"), row.get("closes_on")))
    if opens is not None and closes is not None and closes < opens:
        yield CampaignError(
            f"The window of cell {shown(name)} ends before it begins. Expected opens_on on or before closes_on. "
            f"Got {opens} and {closes}. Are they the wrong way round?"
        )


def _plain(value: Any) -> Any:
    import pandas as pd

    return None if value is None or pd.isna(value) else value


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
