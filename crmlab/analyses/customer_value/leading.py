"""What is taken from a rival that is shown to forecast better: its total, to which forecasts are scaled, or its order of customers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import optimize

from crmlab.analyses.customer_value.choice import Choice, Lead
from crmlab.analyses.customer_value.contest import contest_of, field_of
from crmlab.analyses.customer_value.forecasters import TARGETS, Field, spender

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["lead_of"]

_FURTHEST = 5.0  # times as much, or as little: a total that is further away is none to scale to


def lead_of(base: Base, choice: Choice, level: float, seed: int) -> Lead:
    """Say what is taken today from rivals that are shown to be better than a chosen model.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base, without a lead of its own.
    level : float
        Of what is shown.
    seed : int

    Returns
    -------
    Lead
        Nothing is taken where none is shown to be better, or where a model was asked for by name.
    """
    if choice.by == "given":
        return Lead()
    everybody = field_of(base, choice, level, seed)
    held = contest_of(everybody)
    if held.why:
        return Lead()
    rank, order = held.winner(held.target, "rank"), None
    if rank is not None:
        order = everybody.tried(rank, partial(everybody.today, rank, held.target, held.span))
        rank = None if order is None else rank
    wanted = {target: name for target in TARGETS if (name := held.winner(target, "total")) is not None}
    found = Lead(span=held.span, rank=rank, order=order)
    return _scaled(everybody, found, wanted) if wanted else found


def _scaled(everybody: Field, found: Lead, wanted: Mapping[str, str]) -> Lead:
    """Take the totals of rivals: factors by which the model tells the same."""
    base, span = everybody.base, float(found.span)
    model, summary = everybody.choice.fit(base, seed=everybody.seed), base.summary()
    if model.clock is None:
        return replace(found, totals=wanted, kept=dict.fromkeys(wanted, "rounds"))
    ours = {"purchases": float(model.expected_purchases(summary, span).sum())}
    money = everybody.tried(everybody.used, partial(spender, model, base, everybody.seed))
    if money is not None:
        ours["spend"] = float(money[0].residual_value(money[1], span).sum())
    totals, kept, pace, spend = {}, {}, 1.0, 1.0
    for target, name in wanted.items():
        each = everybody.tried(name, partial(everybody.today, name, target, found.span))
        if each is None or target not in ours:
            kept[target] = "silent"
            continue
        mine, theirs = ours[target], float(each.sum())
        if min(mine, theirs) > 0 and max(mine / theirs, theirs / mine) <= _FURTHEST:
            totals[target] = mine, theirs
        else:
            kept[target] = "far"
    if "purchases" in totals:
        pace = _pace(model, summary, span, totals["purchases"][1])
        if np.isnan(pace):
            pace, kept["purchases"] = 1.0, "far"
    if money is not None and ours["spend"] > 0:
        # What is not shown to be told better stays as it was: a total of spend, where purchases are scaled.
        aim = totals.get("spend", (0.0, ours["spend"]))[1]
        value = copy.copy(money[0]).set_params(purchases=_paced(model, pace))
        spend = aim / float(value.residual_value(money[1], span).sum())
    return replace(found, totals=wanted, told=totals, pace=pace, spend=spend, kept=kept)


def _paced(model: BuyTillYouDie, pace: float) -> BuyTillYouDie:
    """A fitted model whose clock runs so many times as fast from today on."""
    assert model.clock is not None
    return copy.copy(model).set_params(clock=replace(model.clock, ahead=model.clock.ahead * pace))


def _pace(model: BuyTillYouDie, summary: pd.DataFrame, span: float, total: float) -> float:
    """How many times as fast the clock runs where the model expects a total; not a number where no pace brings so much, or so little."""

    def off(log_pace: float) -> float:
        return float(_paced(model, float(np.exp(log_pace))).expected_purchases(summary, span).sum()) - total

    far = 2 * float(np.log(_FURTHEST))  # whoever buys more often also leaves sooner
    if off(far) < 0 or off(-far) > 0:
        return float("nan")
    return float(np.exp(optimize.brentq(off, -far, far, xtol=1e-10)))
