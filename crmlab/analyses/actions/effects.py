"""By how much an action moves people: what past cells with its offer did, shrunk, or what is assumed; and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from crmlab.analyses.actions.declaring import AT_RISK, CAMPAIGN, MEMORY, Action, Assumed
from crmlab.analyses.campaigns import GUESSED_RISE, Brought, Past, past_of, shrunk_to_mean
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import DataError, listing, shown
from crmlab.history.costs import costs_of
from crmlab.history.follow_ups import tells_follow_ups
from crmlab.history.words import QUARTER, ROUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.history.past import History

__all__ = ["ASSUMED", "MEASURED", "UNSHOWN", "Effect", "Priced", "default_actions", "past_cells", "priced"]

MEASURED, UNSHOWN, ASSUMED = "measured", "not shown", "assumed"
_WINDOW = 28  # days in which people buy anyway, and take the offer, where no past cell says
_GUESS = Assumed(rise=GUESSED_RISE, low=0.0, high=2 * GUESSED_RISE)
_WHOLE = "campaign"


class Effect(NamedTuple):
    """By how much the share of customers who buy rises, expected and within which ends, and where that is from.

    ``basis`` is :data:`MEASURED`, :data:`UNSHOWN` (measured, and not shown to be above 0) or :data:`ASSUMED`; ``source`` says it in words.
    """

    rise: float
    low: float
    high: float
    basis: str
    source: str

    @property
    def told(self) -> str:
        """The basis in words: of a measured effect whose interval reaches 0, that the next one may be none."""
        return f"{self.basis}, may be none" if self.basis == MEASURED and self.low <= 0 else self.basis

    @property
    def counted(self) -> float:
        """The rise that a decision counts on: none where tests have not shown any. Chance alone makes some offer look good."""
        return 0.0 if self.basis == UNSHOWN else self.rise


@dataclass(frozen=True, kw_only=True)
class Priced:
    """An action with its effect and its costs.

    Attributes
    ----------
    action : Action
    effect : Effect
    contact, response : float
        Cost of a contact, and of each customer who takes the offer, in money.
    discount : float
        Share of their spend that those give up who take the offer.
    days : int
        In which people answer.
    """

    action: Action
    effect: Effect
    contact: float
    response: float
    discount: float = 0.0
    days: int = _WINDOW

    @property
    def name(self) -> str:
        """Name of the action."""
        return self.action.name


def past_cells(history: History, level: float, memory: CampaignMemory | None = None) -> Past:
    """What past cells did, of the data set and of a campaign memory (default: that of the project); worked out once for a history."""
    return history.once(("actions.past", level), lambda: past_of(history, memory or open_memory(), level=level))


def default_actions(history: History, level: float) -> tuple[Action, ...]:
    """The actions of a data set that declares none: each offer that past cells have measured, or where none has what is usual.

    Where the data set says who has asked to be contacted again, that is one of them. What nobody has measured is assumed to move one
    customer of a hundred more than nothing would, and between none and two: to be tested, not believed.
    """
    asked: tuple[Action, ...] = ()
    wait: tuple[str, ...] = ()
    if tells_follow_ups(history.data):
        asked = (
            Action(name="contact again", criteria=("follow_up = due",), effect=_GUESS, goal="answer those who asked for it"),
        )
        wait = ("follow_up != later",)  # whoever asked for a later day is left in peace until then
    offers = _offers(past_cells(history, level))
    if offers:
        channels = _channels(history)
        return (
            *asked,
            *(
                Action(name=offer, criteria=("orders >= 1", *wait), offer=offer, channel=channels.get(offer), effect=MEMORY)
                for offer in offers
            ),
        )
    if history.words is ROUNDS:
        return (
            *asked,
            Action(name="ask again", criteria=("orders >= 1", *wait), effect=_GUESS, cooldown_days=QUARTER, goal="renew"),
        )
    return (
        *asked,
        Action(
            name="win back",
            criteria=("state in slowing, lapsed", *wait),
            effect=_GUESS,
            brings=AT_RISK,
            cooldown_days=QUARTER,
            goal="win back who has been silent for too long",
        ),
        Action(name="second purchase", criteria=("state = new", *wait), effect=_GUESS, goal="bring newcomers to buy again"),
        Action(name="recommend", criteria=("state in active, reactivated", *wait), effect=_GUESS, goal="sell more to who buys"),
    )


def priced(history: History, actions: Sequence[Action], level: float, past: Past | None = None) -> tuple[Priced, ...]:
    """Find effect and costs of each action.

    Parameters
    ----------
    history : History
    actions : sequence of Action
    level : float
        Of the ends of effects.
    past : Past, optional
        The past cells that count; default: all of the history and of the campaign memory.

    Raises
    ------
    DataError
        An effect is to come from cells or from a campaign that was not measured; the message says what was.
    """
    known = past_cells(history, level) if past is None else past
    return tuple(_priced(history, one, level, known) for one in actions)


def _priced(history: History, action: Action, level: float, past: Past) -> Priced:
    usual = costs_of(history)
    found = Priced(
        action=action,
        effect=_effect(action, level, past),
        contact=usual.contact if action.cost_per_contact is None else action.cost_per_contact,
        # Without an offer there is nothing to take.
        response=(usual.offer if action.offer else 0.0) if action.cost_per_response is None else action.cost_per_response,
    )
    if action.offer is None:
        return found
    cells = past.cells
    mine = cells[cells["offer"] == action.offer] if len(cells) else cells
    if mine.empty:
        return found
    known = {
        name: pd.to_numeric(mine[name], errors="coerce").dropna()
        for name in ("cost_per_contact", "cost_per_response", "discount")
    }
    if action.cost_per_contact is None and len(known["cost_per_contact"]):
        found = replace(found, contact=float(known["cost_per_contact"].median()))
    if action.cost_per_response is None and (len(known["cost_per_response"]) or len(known["discount"])):
        # What a past cell does not say of its offer it did not have: a discount alone is the whole cost.
        response = float(known["cost_per_response"].median()) if len(known["cost_per_response"]) else 0.0
        discount = float(known["discount"].median()) if len(known["discount"]) else 0.0
        found = replace(found, response=response, discount=discount)
    return replace(found, days=int(mine["days"].median()))


def _effect(action: Action, level: float, past: Past) -> Effect:
    given = action.effect
    if isinstance(given, Assumed):
        return Effect(given.rise, given.low, given.high, ASSUMED, "assumed, not measured")
    if given == MEMORY:
        offers = _offers(past)
        if action.offer is None or action.offer not in offers:
            what = f"the offer {shown(action.offer)}" if action.offer else "an offer, and it names none"
            raise DataError(
                f"The action {shown(action.name)} takes its effect from past cells with {what}. None was measured. "
                f"Measured offers: {listing(offers) if offers else 'none'}. Give it an assumed effect until a campaign has been measured."
            )
        return _of_offer(past, action.offer)
    name = given.removeprefix(CAMPAIGN)
    rows = past.groups[past.groups["component"] == _WHOLE].set_index("campaign")[["effect", "error"]].astype(float)
    if name not in rows.index:
        raise DataError.no_such("measured campaign", name, list(map(str, rows.index)), f"for the action {shown(action.name)}")
    return _effect_of(shrunk_to_mean(rows["effect"], rows["error"], name, 0.0, level), f"campaign {name}")


def _offers(past: Past) -> list[str]:
    """Offers that past cells have measured, by name."""
    of = past.groups
    return sorted(of.loc[of["component"] == "offer", "value"].astype(str).unique()) if len(of) else []


def _of_offer(past: Past, offer: str) -> Effect:
    """What the next cell with an offer is expected to do."""
    of = past.groups[past.groups["component"] == "offer"]
    count = int((of["value"] == offer).sum())
    found = past.brought(offer)
    assert found is not None  # an offer that was measured
    return _effect_of(found, f"{count} past campaign{'s' if count != 1 else ''} with this offer")


def _effect_of(found: Brought, source: str) -> Effect:
    return Effect(found.rise, found.low, found.high, MEASURED if found.shown else UNSHOWN, source)


def _channels(history: History) -> dict[str, str]:
    """Offer → channel of its last cell, where the data set says."""
    from crmlab.collecting import collect

    cells = history.cells
    if cells is None or not {"offer", "channel"} <= set(cells.columns):
        return {}
    wanted = ["cell_id", "offer", "channel", *(["opens_on"] if "opens_on" in cells.columns else [])]
    known = collect(cells.select(*wanted), "cell_id").dropna(subset=["offer", "channel"])
    if "opens_on" in known.columns:
        known = known.sort_values(["opens_on", "cell_id"], kind="stable")
    return dict(zip(known["offer"].astype(str), known["channel"].astype(str), strict=True))
