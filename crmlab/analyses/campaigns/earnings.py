"""What a campaign earned over its controls, all of it or some of its cells: the one recipe that every page asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from crmlab.analyses.campaigns.looks import BOUNDARY, look_of, looked
from crmlab.analyses.campaigns.measurement import Measured, contrast, ends, overall
from crmlab.data.memory.campaigns import open_memory
from crmlab.models.intervals import TEST_LEVEL
from crmlab.page.estimate import Estimate

__all__ = ["Earned", "Spent", "break_even_offers", "earned", "final_result", "spent_on"]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What was spent on some cells of a campaign.

    Attributes
    ----------
    contacts : int
    cost, offers : float
        Contacts, fixed costs and the offers that were taken; and the offers alone.
    extra : float
        That cost less what as many controls cost.
    unpriced : tuple of str
        Cells with an offer of which nothing says what it costs.
    """

    contacts: int
    cost: float
    offers: float
    extra: float
    unpriced: tuple[str, ...] = ()

    def returned(self, profit: float | None) -> float | None:
        """Profit for each unit of money spent beyond the controls; None where no more was spent, or not all of it is known."""
        return None if profit is None or self.extra <= 0 or self.unpriced else profit / self.extra


def spent_on(found: Measured, cells: Sequence[str]) -> Spent:
    """Work out what was spent on some cells that have a control."""
    costs = [found.costs(cell) for cell in cells]
    total = sum(one.total for one in costs)
    controls = [(found.stats[cell].n, found.control[cell]) for cell in cells]
    return Spent(
        contacts=sum(n for n, _ in controls),
        cost=total,
        offers=sum(one.offers for one in costs),
        extra=total - sum(n * found.costs(its).total / found.stats[its].n for n, its in controls),
        unpriced=tuple(cell for cell in found.unpriced if cell in cells),
    )


@dataclass(frozen=True, kw_only=True)
class Earned(Spent):
    """What some cells of a campaign earned together, beside what was spent on them.

    Attributes
    ----------
    profit : Estimate or None
        Incremental, after costs; before the cost of the offers where ``unpriced``. None where no margin is known, or nobody's spend
        differs.
    margin : Estimate or None
        Incremental margin, or revenue where no margin is known.
    p_value : float or None
        That profit (or else revenue) is 0.
    response : Estimate
        Difference of the share who bought, mean over contacts.
    share, share_control : float
        Who bought, of people contacted and of controls weighted alike.
    break_even : Estimate or None
        What such an offer may cost for each who buys before the cells lose money.

    Notes
    -----
    Margin is profit with the costs put back, so that the two add up: an adjustment by earlier spend moves both alike.
    """

    profit: Estimate | None
    margin: Estimate | None
    p_value: float | None
    response: Estimate
    share: float
    share_control: float
    break_even: Estimate | None = None

    @property
    def roi(self) -> Estimate | None:
        """Profit for each unit of money spent beyond the controls, with the interval of the profit."""
        profit = self.profit
        ends = [None] * 3 if profit is None else [self.returned(one) for one in (profit.value, profit.low, profit.high)]
        value, low, high = ends
        return None if profit is None or value is None else Estimate(value, low, high, profit.level)


def earned(
    found: Measured, cells: Sequence[str] | None = None, *, level: float = TEST_LEVEL, adjust: bool = True, unit: str = ""
) -> Earned:
    """Work out what a campaign earned.

    Parameters
    ----------
    found : Measured
    cells : sequence of str, optional
        Some of its cells with a control; default: all.
    level : float
        Of intervals.
    adjust : bool
        Take off what earlier spend differed by; for money only.
    unit : str
        Currency.

    Returns
    -------
    Earned
    """
    mine = list(found.treated if cells is None else cells)
    spent = spent_on(found, mine)
    contacts, extra, unpriced = spent.contacts, spent.extra, spent.unpriced
    weights = overall(found, mine)
    profit = margin = break_even = None
    p_value = None
    if found.varies("margin"):
        value, error, freedom = contrast(found, "margin", weights, adjust=adjust)
        low, high, p_value = _ends(value, error, freedom, level)
        margin = Estimate(value, low, high, level, unit)
        if found.margin.known:
            half = (high - low) / 2
            value, error, freedom = contrast(found, "profit", weights, adjust=adjust)
            low, high, p_value = _ends(value, error, freedom, level)
            profit = Estimate(value, low, high, level, unit)
            margin = Estimate(value + extra, value + extra - half, value + extra + half, level, unit)
            if unpriced and not any(found.control[cell] in found.offers_unknown for cell in mine):
                break_even = _break_even(found, unpriced, weights, profit, adjust)
    each = {cell: weight / contacts for cell, weight in weights.items()}
    value, error, freedom = contrast(found, "response", each, adjust=False)
    low, high, _ = _ends(value, error, freedom, level)
    share = sum(found.stats[cell].n / contacts * found.stats[cell].mean("response") for cell in mine)
    return Earned(
        **vars(spent),
        profit=profit,
        margin=margin,
        p_value=p_value,
        response=Estimate(value, low, high, level, "share"),
        share=share,
        share_control=share - value,
        break_even=break_even,
    )


def _ends(value: float, error: float, freedom: float, level: float) -> tuple[float, float, float]:
    return ends(value, error, freedom, level) if error > 0 else (value, value, float(value == 0))


def _break_even(
    found: Measured, cells: Sequence[str], weights: dict[str, float], profit: Estimate, adjust: bool
) -> Estimate | None:
    """The cost for each who buys at which the cells' profit is 0, with the error that profit has at that cost."""
    taken = sum(found.stats[cell].n * found.stats[cell].mean("response") for cell in cells)
    if taken <= 0 or profit.level is None:
        return None
    each = profit.value / taken
    _, error, freedom = contrast(found.priced(dict.fromkeys(cells, each)), "profit", weights, adjust=adjust)
    low, high, _ = _ends(0.0, error, freedom, profit.level)
    return Estimate(each, each + low / taken, each + high / taken, profit.level, profit.unit)


def break_even_offers(
    found: Measured, profits: dict[str, tuple[float, float]], *, adjust: bool
) -> dict[str, tuple[float, float]]:
    """What the offer of each cell may cost for each who buys before the cell loses money, and the standard error of that.

    Parameters
    ----------
    found : Measured
    profits : dict of cell to (profit of a contact, its standard error)
        Before the cost of the offer. Cells in which nobody bought are left out.
    adjust : bool

    Returns
    -------
    dict of cell to (cost, error)
    """
    rates = {cell: found.stats[cell].mean("response") for cell in profits if found.stats[cell].mean("response") > 0}
    each = {cell: profits[cell][0] / rate for cell, rate in rates.items()}
    if not each:
        return {}
    paying = found.priced(each)
    out = {}
    for cell, rate in rates.items():
        _, error, _ = contrast(paying, "profit", {cell: 1.0, found.control[cell]: -1.0}, adjust=adjust)
        out[cell] = (each[cell], error / rate)
    return out


def final_result(found: Measured, as_of: dt.date, cells: Sequence[str] | None = None, *, unit: str = "") -> Earned:
    """What a campaign whose window is over earned, at the level of campaign tests, all looks at it that are remembered allowed for.

    Parameters
    ----------
    found : Measured
    as_of : datetime.date
    cells, unit
        As of :func:`earned`.
    """
    look = look_of(found, as_of, TEST_LEVEL, None, BOUNDARY, looked(open_memory(), found.campaign))
    return earned(found, cells, level=look.level, unit=unit)
