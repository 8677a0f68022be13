"""What must hold among the cells of a campaign, or nothing can be learnt from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.errors import CampaignError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHARES_ADD_UP", "cell_problems", "share_problems"]


SHARES_ADD_UP = 0.001  # planned shares are written with a few digits
_COSTS = ("cost_per_contact", "fixed_cost", "planned_share")


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
    result = [CampaignError.cell_twice(name) for name in _twice([row["cell_id"] for row in rows])]
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
            result.append(CampaignError.shares(str(name), float(given.sum())))
    return result


def _cell(row: dict[str, Any], campaign: dict[str, str], controls: set[str], with_controls: set[str]) -> list[CampaignError]:
    name, mine, control = str(row["cell_id"]), row["campaign_id"], row["control_cell_id"]
    result = []
    if control is None:
        if name not in controls and mine in with_controls:
            result.append(CampaignError.without_control(name, mine))
    elif control == name:
        result.append(CampaignError.own_control(name))
    elif control not in campaign:
        result.append(CampaignError.no_such_control(name, control, [cell for cell, of in campaign.items() if of == mine]))
    elif campaign[control] != mine:
        result.append(CampaignError.foreign_control(name, control, mine, campaign[control]))
    for column in _COSTS:
        value = row.get(column)
        if value is not None and float(value) < 0:
            result.append(CampaignError.negative(name, column, value))
    opens, closes = row.get("opens_on"), row.get("closes_on")
    if opens is not None and closes is not None and str(closes)[:10] < str(opens)[:10]:
        result.append(CampaignError.window(name, str(opens)[:10], str(closes)[:10]))
    return result


def _plain(value: Any) -> Any:
    import pandas as pd

    return None if value is None or pd.isna(value) else value


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
