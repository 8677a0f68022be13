"""What earlier decisions promised, held against what came, by the universal control: as good as the others when it was decided."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.data.memory.campaigns import open_memory
from crmlab.data.memory.checks import ARMS
from crmlab.history.sending import sends
from crmlab.models.intervals import normal_quantile

if TYPE_CHECKING:
    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.history.past import History

__all__ = ["ALL_TOGETHER", "FEWEST_HELD", "kept_of"]

_ACTED, _HELD = ARMS
ALL_TOGETHER = "all together"
FEWEST_HELD = 2  # customers in each arm, without which a difference has no interval
_COLUMNS = [
    "campaign", "contacted", "held_out", "promised", "came", "came_low", "came_high", "promised_money", "came_money", "came_money_low",
    "came_money_high",
]  # fmt: skip


def kept_of(history: History, margin: float, level: float, memory: CampaignMemory | None = None) -> pd.DataFrame:
    """Hold what campaigns that were made of decisions promised against what came within their windows.

    Everybody with whom an action would have been done is compared with those of them who were held out of everything: a difference of
    means of two groups that chance has made, one customer of a household. What else the first got within the window counts, since the
    others got nothing; the control of the campaign itself counts with those it was drawn from.

    Parameters
    ----------
    history : History
    margin : float
        Share of spend that is kept.
    level : float
        Of the intervals.
    memory : CampaignMemory, optional
        Default: that of the project.

    Returns
    -------
    DataFrame
        One row per campaign whose window is over by the last day, in the order in which they opened, and where there are several
        :data:`ALL_TOGETHER`: campaign, contacted, held_out (customers); promised, came, came_low, came_high (more customers who buy within
        the window than without the campaign, of all contacted); and the same of money, before the cost of contacts and offers. Empty where
        no campaign has both arms.

    Raises
    ------
    CampaignError
        The memory cannot be read.
    """
    known = history.data.remembered
    if known is None or known.cells.empty or "closes_on" not in known.cells.columns:
        return pd.DataFrame(columns=_COLUMNS)
    kept, days = memory or open_memory(), history.occasions()
    days["day"] = pd.to_datetime(days["day"])
    z, rows = normal_quantile(level), []
    for campaign, cells in known.cells.groupby("campaign_id", sort=True):
        opens, closes = (pd.to_datetime(cells[name]).dropna() for name in ("opens_on", "closes_on"))
        if len(closes) < len(cells) or closes.max().date() > history.as_of:
            continue
        found = kept.decision(str(campaign))
        if found is None or found[0].get("data") != history.data.name:
            continue
        details, people = found
        contacts = known.contacts[known.contacts["campaign_id"] == campaign]
        cell = people["customer_id"].map(contacts.drop_duplicates("customer_id").set_index("customer_id")["cell_id"])
        contacted = cell.isin(set(cells.loc[sends(cells), "cell_id"]))
        arms = [(people["arm"] == _ACTED) & cell.notna(), people["arm"] == _HELD]
        if min(int(arm.sum()) for arm in arms) < FEWEST_HELD:
            continue
        came = _outcomes(people["customer_id"], days, opens.min(), closes.max(), margin)
        row = {
            "campaign": str(campaign),
            "opens": opens.min(),
            "contacted": int(contacted.sum()),
            "held_out": int(arms[1].sum()),
            "promised": float(details.get("rise", math.nan)) * float(contacted.sum()),
            "promised_money": float((people["gain"] + people["cost"])[contacted].sum()),
        }
        for name, values in (("came", came["bought"]), ("came_money", came["money"])):
            row[name], row[f"{name}_error"] = _difference(*(values[arm.to_numpy()].to_numpy(float) for arm in arms))
        rows.append(row)
    return _with_ends(pd.DataFrame(rows), z)


def _outcomes(ids: pd.Series, days: pd.DataFrame, first: dt.datetime, last: dt.datetime, margin: float) -> pd.DataFrame:
    """Whether each customer bought within the days of a window, and the margin of what they spent."""
    within = days[(days["day"] >= first) & (days["day"] <= last)]
    spend = within.groupby("customer_id")["spend"].sum().astype(float)
    bought = within[within["is_occasion"]].groupby("customer_id").size()
    return pd.DataFrame(
        {
            "bought": (bought.reindex(ids).fillna(0) > 0).astype(float).to_numpy(),
            "money": margin * spend.reindex(ids).fillna(0.0).to_numpy(),
        }
    )


def _difference(acted: np.ndarray, held: np.ndarray) -> tuple[float, float]:
    """What all who were acted on did more than those held out, in all, and its standard error."""
    n = len(acted)
    error = math.sqrt(float(acted.var(ddof=1)) / n + float(held.var(ddof=1)) / len(held))
    return n * float(acted.mean() - held.mean()), n * error


def _with_ends(rows: pd.DataFrame, z: float) -> pd.DataFrame:
    """Intervals of each campaign, and of all together."""
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    frame = rows.sort_values(["opens", "campaign"], kind="stable", ignore_index=True)
    if len(frame) > 1:
        sums = frame.drop(columns=["campaign", "opens"]).sum()
        for name in ("came", "came_money"):
            sums[f"{name}_error"] = math.sqrt(float((frame[f"{name}_error"] ** 2).sum()))
        frame = pd.concat([frame, pd.DataFrame([{"campaign": ALL_TOGETHER, **sums}])], ignore_index=True)
    for name in ("came", "came_money"):
        frame[f"{name}_low"], frame[f"{name}_high"] = (frame[name] + side * z * frame[f"{name}_error"] for side in (-1, 1))
    return frame.astype({"contacted": "int64", "held_out": "int64"})[_COLUMNS]
