"""Today's actions as plans of campaigns, each with a control: so that what an action does is measured, and the next decision knows it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses.actions.effects import ASSUMED, past_cells
from crmlab.analyses.actions.study import DEFAULTS, slugs, study
from crmlab.data.memory.checks import ARMS
from crmlab.errors import ParameterError

if TYPE_CHECKING:
    from crmlab.analyses.actions.effects import Priced
    from crmlab.analyses.actions.params import Params
    from crmlab.analyses.actions.study import Study
    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.history.past import History

__all__ = ["ActionPlan", "plans_of"]

_CONTROL = {ASSUMED: 0.5}  # of a list whose effect nobody knows, half is left alone
_USUAL_CONTROL = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionPlan:
    """An action of today as the plan of a campaign.

    Attributes
    ----------
    campaign : str
        Its name: that of the action and the day after the last day of history.
    text : str
        The plan, as ``crmlab campaign plan`` reads it.
    people : DataFrame
        The list, ready made: customer_id, and the household where one is known. Nobody who is held out, or must not be contacted.
    decided : DataFrame
        With whom it would be done, held out or not, as :meth:`crmlab.data.memory.campaigns.CampaignMemory.decide` keeps it.
    details : dict
        What the decision says beside: data set, day, days of the window, the effect that is expected (``rise``), how it is known, the share
        that is held out, and the ``version`` of the action, which is another when anything that is declared of it is.
    """

    campaign: str
    text: str
    people: pd.DataFrame
    decided: pd.DataFrame
    details: dict[str, Any]


def plans_of(
    history: History, params: Params = DEFAULTS, *, control: float | None = None, memory: CampaignMemory | None = None
) -> tuple[ActionPlan, ...]:
    """Turn the actions of today into plans of campaigns: one each, of a cell and its control.

    Parameters
    ----------
    history : History
    params : Params
    control : float, optional
        Share of each list that is left alone. Default: half where the effect is assumed, else a fifth.
    memory : CampaignMemory, optional
        Whose past cells count beside those of the data set. Default: that of the project.

    Returns
    -------
    tuple of ActionPlan
        In the order of the page; empty where nothing pays.

    Raises
    ------
    ParameterError
        ``control`` is no share between 0 and 1.
    TooLittleError, DataError, ModelError, ConvergenceError
        As of :func:`crmlab.analyses.actions.run`.
    """
    if control is not None and not 0 < control < 1:
        raise ParameterError.expected("campaign plan", "control", "a share between 0 and 1, both excluded", control)
    past_cells(history, params.level, memory)
    found = study(history, params)
    priced = {one.name: one for one in found.ground.actions}
    parts = slugs(list(priced))
    return tuple(_plan(found, priced[name], parts[name], control) for name in found.lines["action"])


def _plan(found: Study, one: Priced, part: str, control: float | None) -> ActionPlan:
    opens = found.context.as_of + dt.timedelta(days=1)
    campaign = f"{part}-{opens.isoformat()}"
    share = _CONTROL.get(one.effect.basis, _USUAL_CONTROL) if control is None else control
    data = found.context.dataset
    # The same decision gives the same plan; no two campaigns have the same salt.
    salt = hashlib.sha256(f"crmlab actions|{data}|{campaign}".encode()).hexdigest()[:32]
    top: dict[str, object] = {"campaign": campaign, "salt": salt, "contacted_within": 0, "exact": True}
    if (homes := _homes(found)) is not None:
        top["by"] = "household_id"
    top |= {"opens_on": opens, "closes_on": opens + dt.timedelta(days=one.days - 1)}
    if one.action.channel is not None:
        top["channel"] = one.action.channel
    cell: dict[str, object] = {"name": f"{campaign}-1", "control": f"{campaign}-0", "share": round(1 - share, 6)}
    cell |= {"offer": one.action.offer} if one.action.offer is not None else {"creative": one.name}
    cell |= {"cost_per_contact": one.contact, "cost_per_response": one.response}
    if one.discount:
        cell["discount"] = one.discount
    lines = [f"# What to do now, {found.context.title}: {one.name}. Launch it with the list beside this file."]
    lines += [f"{key} = {_toml(value)}" for key, value in top.items()]
    lines += ["", "[[cell]]", f"name = {_toml(f'{campaign}-0')}", f"share = {_toml(round(share, 6))}", "", "[[cell]]"]
    lines += [f"{key} = {_toml(value)}" for key, value in cell.items()]
    today = found.decided.today
    people = today.loc[today["action"] == one.name, ["customer_id"]].reset_index(drop=True)
    if homes is not None:
        people = people.merge(homes, "left", "customer_id")
    mine = today[today["planned"] == one.name].rename(columns={"action": "_", "planned": "action"})
    arms = mine["held_out"].map(dict(zip((False, True), ARMS, strict=True)))
    holdout = found.ground.holdout
    return ActionPlan(
        campaign=campaign,
        text="\n".join(lines) + "\n",
        people=people,
        decided=mine.assign(arm=arms)[["customer_id", "action", "arm", "gain", "cost"]].reset_index(drop=True),
        details={
            "data": data,
            "as_of": found.context.as_of.isoformat(),
            "days": one.days,
            "rise": round(one.effect.counted * _left(found, mine["customer_id"]), 10),
            "basis": one.effect.basis,
            "held_out": 0.0 if holdout is None else holdout.share,
            "version": hashlib.sha256(repr(one.action).encode()).hexdigest()[:12],
        },
    )


def _left(found: Study, ids: pd.Series) -> float:
    """What a contact brings with some customers, on average, as a share of what it brings with those who had none for weeks."""
    ground = found.ground
    left = pd.Series(ground.left(0, ground.people.contacts), index=ground.people.ids)
    return float(left[ids].mean())


def _homes(found: Study) -> pd.DataFrame | None:
    frame = found.ground.people.frame
    return frame[["customer_id", "household_id"]] if "household_id" in frame.columns else None


def _toml(value: object) -> str:
    """A value as TOML writes it; JSON's texts and numbers are TOML's too."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)
