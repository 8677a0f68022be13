"""What the campaigns of the simulated shop send, to how many, and what it does."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAMPAIGNS", "FREE", "GIFT", "NEWS", "OFFERS", "TEN", "CampaignPlan", "CellPlan", "OfferCost"]


class CellPlan(NamedTuple):
    """A cell of the simulated shop and what it does: ``effect`` is the probability of an order that would not have been."""

    cell_id: str
    program_id: str
    control: str | None
    offer: str | None
    creative: str | None
    channel: str
    share: float
    effect: float
    cost: float = 0.0
    fixed: float = 0.0
    lost: float = 0.0  # share of the cell's contacts that never went out


class OfferCost(NamedTuple):
    """What an offer costs: for each who buys, and as a share of the price; None where that does not apply."""

    gift: float | None = None
    discount: float | None = None


class CampaignPlan(NamedTuple):
    """A campaign: launched after this share of the period, with a window of this many days."""

    campaign_id: str
    launch: float
    window: int
    cells: tuple[CellPlan, ...]


def _email(cell: str, control: str, offer: str, creative: str, share: float, effect: float, lost: float = 0.0) -> CellPlan:
    return CellPlan(cell, offer, control, offer, creative, "email", share, effect, 0.03, 40.0, lost)


def _post(cell: str, program: str, control: str, offer: str, share: float, cost: float) -> CellPlan:
    return CellPlan(cell, program, control, offer, program, "post", share, 0.0, cost, 150.0)


def _control(cell: str, channel: str, share: float, program: str = "control") -> CellPlan:
    return CellPlan(cell, program, None, None, None, channel, share, 0.0)


TEN, FREE, GIFT, NEWS = "10% off", "free delivery", "small gift", "new range"
# Amounts are what was paid, so that a discount is taken off already; whoever buys takes the gift, and has the delivery free.
OFFERS = {TEN: OfferCost(discount=0.1), FREE: OfferCost(gift=3.9), GIFT: OfferCost(gift=2.5), NEWS: OfferCost(gift=0.0)}
CAMPAIGNS = (
    # One offer works, one does nothing.
    CampaignPlan(
        "first_offers",
        0.40,
        28,
        (
            _control("first_offers-0", "email", 0.4),
            _email("first_offers-1", "first_offers-0", TEN, "plain", 0.3, 0.08),
            _email("first_offers-2", "first_offers-0", FREE, "plain", 0.3, 0.0),
        ),
    ),
    # Nothing works, at some cost; each cell has a control of its own.
    CampaignPlan(
        "new_range",
        0.50,
        42,
        (
            _control("new_range-letter-0", "post", 0.2, "letter"),
            _post("new_range-letter-1", "letter", "new_range-letter-0", NEWS, 0.3, 0.85),
            _control("new_range-card-0", "post", 0.2, "card"),
            _post("new_range-card-1", "card", "new_range-card-0", NEWS, 0.3, 0.55),
        ),
    ),
    # Part of one cell got lost on its way: sizes do not fit the design. Its window overlaps that of the one before.
    CampaignPlan(
        "reminder",
        0.54,
        28,
        (
            _control("reminder-0", "email", 0.34),
            _email("reminder-1", "reminder-0", TEN, "picture", 0.33, 0.06),
            _email("reminder-2", "reminder-0", GIFT, "picture", 0.33, 0.04, lost=0.25),
        ),
    ),
    # Offer × creative: the gift adds 3.5 points to 10% off, the picture 2.5 to plain text, and nothing on top of both.
    CampaignPlan(
        "offer_by_creative",
        0.80,
        28,
        (
            _control("offer_by_creative-0", "email", 0.28),
            _email("offer_by_creative-1", "offer_by_creative-0", TEN, "plain", 0.18, 0.04),
            _email("offer_by_creative-2", "offer_by_creative-0", TEN, "picture", 0.18, 0.065),
            _email("offer_by_creative-3", "offer_by_creative-0", GIFT, "plain", 0.18, 0.075),
            _email("offer_by_creative-4", "offer_by_creative-0", GIFT, "picture", 0.18, 0.1),
        ),
    ),
    # Not over when the data end.
    CampaignPlan(
        "latest",
        0.98,
        28,
        (
            _control("latest-0", "email", 0.5),
            _email("latest-1", "latest-0", GIFT, "picture", 0.5, 0.06),
        ),
    ),
)
