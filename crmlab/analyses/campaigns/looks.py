"""How often a campaign was looked at, and how high the bar is for a look: intervals that keep their level over all looks together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.models import testing

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.measurement import Measured
    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["BOUNDARY", "Look", "look_of", "looked"]


BOUNDARY = "lan-demets-obf"  # unless another is asked for
_SMALLEST = 1e-9  # no level is closer to 1 than this


@dataclass(frozen=True, kw_only=True)
class Look:
    """How often a campaign was looked at, and how high the bar is for this look.

    Attributes
    ----------
    number : int
        This look's number, from 1.
    fraction : float
        Share of the window that is over.
    level : float
        Of intervals, so that all looks together keep the level asked for; that itself where the window is over at the first look.
    bar : float or None
        \\|z\\| that a difference must pass; None where there is but one look.
    """

    number: int
    fraction: float
    level: float
    bar: float | None


def look_of(
    found: Measured, as_of: dt.date, level: float, looks: int | None, kind: str, earlier: tuple[dt.date, ...] = ()
) -> Look:
    """Say which look this is, and widen the level where there is, or will be, more than one.

    Parameters
    ----------
    found : Measured
    as_of : datetime.date
    level : float
        That all looks together shall keep.
    looks : int, optional
        Looks taken, this one included; default: those in the campaign memory, and this one.
    kind : str
        See :func:`crmlab.models.testing.sequential.boundaries`.
    earlier : tuple of datetime.date
        Days of looks in the campaign memory, before this one and while the window was open.
    """
    opens, closes = min(found.days["opens"]), max(found.days["closes"])
    whole = (closes - opens).days + 1
    fraction = min(max(((as_of - opens).days + 1) / whole, 1 / whole), 1.0)
    shares = sorted({((day - opens).days + 1) / whole for day in earlier if opens <= day < min(as_of, closes)})
    number = len(shares) + 1 if looks is None else looks
    if number != len(shares) + 1:
        shares = [fraction * k / number for k in range(1, number)]
    if number == 1 and not found.is_open:
        return Look(number=1, fraction=1.0, level=level, bar=None)
    bars = testing.boundaries(kind, [*shares, fraction], 1 - level)
    last = bars.iloc[-1]
    widened = 1 - max(float(last["p_nominal"]), _SMALLEST)
    return Look(number=number, fraction=fraction, level=widened, bar=float(last["z"]))


def looked(memory: CampaignMemory, campaign: str) -> tuple[dt.date, ...]:
    """Days on which the memory says that the campaign was looked at."""
    if not memory.headers(campaign, "results"):
        return ()
    found = memory.results(campaign)
    days = found["as_of"].dropna() if "as_of" in found else ()
    return tuple(sorted({dt.date.fromisoformat(str(day)[:10]) for day in days}))
