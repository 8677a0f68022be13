"""What the next test costs and may bring: power and money of each cell, what its offer may cost, and the chances of other effects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.design.expected import Expected
from crmlab.errors import ModelError
from crmlab.models.intervals import normal_quantile
from crmlab.models.testing.outcomes import Money, Rate
from crmlab.models.testing.power import (
    control_share,
    detectable_effect,
    power_of,
    smallest_paying,
)

__all__ = [
    "Cost",
    "Terms",
    "cell_plan",
    "curves",
    "detectable",
    "discount_in",
    "loss_of",
    "may_cost",
    "paying_rise",
    "total_profit",
]


_STEPS = 60  # of a curve
_DISCOUNT = re.compile(r"(\d{1,2}(?:[.,]\d+)?)\s?%\s(?:off|discount|rabatt)|[-−–]\s?(\d{1,2}(?:[.,]\d+)?)\s?%", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the plan rests on.

    Attributes
    ----------
    base : Expected
        Share who buy anyway.
    spend, sd : float
        Of one who is moved to buy, in money.
    margin : float
        Money kept from one response more.
    cost, fixed : float
        Of a contact, and of a cell.
    power, level : float
    source : str
        Where ``spend`` is from: as of :class:`~crmlab.analyses.campaigns.design.expected.Worth`.
    """

    base: Expected
    spend: float
    sd: float
    margin: float
    cost: float
    fixed: float
    power: float
    level: float
    source: str = "window"

    def each(self, gift: float) -> float:
        """Cost of a contact whose offer costs so much for each who buys: those who would have bought anyway take it too."""
        return self.cost + self.base.value * gift

    def gain(self, gift: float) -> float:
        """Money from one response more, after an offer that costs so much."""
        return self.margin - gift

    @property
    def rate(self) -> Rate:
        """Response without the campaign."""
        return Rate(self.base.value)

    @property
    def money(self) -> Money:
        """Spend without the campaign."""
        return Money(self.base.value, self.spend, self.sd)

    def possible(self, effect: float) -> float:
        """An effect that the base leaves room for."""
        return float(np.clip(effect, -0.95 * self.base.value, 0.95 * (1 - self.base.value)))


@lru_cache(maxsize=128)
def detectable(terms: Terms, total: int, cells: int, share: float, base: float | None = None) -> float | None:
    """Smallest rise of the response that a test would show, as a difference of shares; None where not even the largest would be."""
    try:
        return detectable_effect(
            Rate(terms.base.value if base is None else base),
            total,
            cells=cells,
            level=terms.level,
            power=terms.power,
            share=share,
        )
    except ModelError:
        return None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an offer costs.

    Attributes
    ----------
    response : float, optional
        To each who buys, in money.
    discount : float, optional
        Share of the price that it takes off.
    """

    response: float | None = None
    discount: float | None = None

    @property
    def known(self) -> bool:
        """Whether anything says what it costs."""
        return self.response is not None or self.discount is not None

    def of(self, spend: float, *, paid_only: bool = False) -> float:
        """To one who would spend so much without it; ``paid_only``: only what is paid less, as revenue has it."""
        off = (self.discount or 0.0) * spend
        return off if paid_only else off + (self.response or 0.0)


def discount_in(text: str) -> float | None:
    """Share of the price that an offer takes off, where its words are that and nothing else; None where they are not.

    Examples
    --------
    >>> discount_in("10% off"), discount_in("-15%"), discount_in("up to 50% off"), discount_in("small gift")
    (0.1, 0.15, None, None)
    """
    found = _DISCOUNT.fullmatch(text.replace("\u00a0", " ").replace("\u202f", " ").strip())
    if found is None:
        return None
    share = round(float((found[1] or found[2]).replace(",", ".")) / 100, 6)
    return share if share > 0 else None


def loss_of(terms: Terms, effect: float, gift: float) -> float:
    """What a contact whose offer costs so much for each who buys is expected to cost more than it brings; 0 where it is not."""
    return max(terms.each(gift) - terms.possible(effect) * terms.gain(gift), 0.0)


def paying_rise(terms: Terms, n: int, gift: float) -> float | None:
    """Smallest rise from which a cell of n customers pays, its offer paid for; None where not even the largest possible one does.

    Examples
    --------
    >>> terms = Terms(base=Expected(value=0.2, source="given"), spend=40, sd=30, margin=20, cost=0.7, fixed=100, power=0.8, level=0.95)
    >>> round(paying_rise(terms, 1000, 0.0), 6), paying_rise(terms, 1000, 19.0)
    (0.04, None)
    """
    gain = terms.gain(gift)
    if gain <= 0:
        return None
    rise = smallest_paying(n, terms.each(gift), terms.fixed, gain)
    return rise if rise <= 1 - terms.base.value else None


def cell_plan(
    terms: Terms,
    cells: pd.DataFrame,
    sizes: Mapping[str, int],
    effects: Mapping[str, Expected],
    offers: Mapping[str, Cost],
    rounds: int = 1,
    revenue: bool = False,
) -> pd.DataFrame:
    """Each cell that is sent something: what it must bring to pay, and what is expected of it.

    Parameters
    ----------
    terms : Terms
    cells : DataFrame
        Rows of the canonical table, those with a control.
    sizes : mapping of cell to customers
        Of one round.
    effects : mapping of cell to Expected
        Of a contact on the response.
    offers : mapping of cell to Cost
        What each cell's offer costs.
    rounds : int
        How often the test is run: costs and profit are those of all rounds.
    revenue : bool
        No margin is known: then profit is the revenue expected, before all costs, and nothing pays.

    Returns
    -------
    DataFrame
        cell_id, control_cell_id, customers, control (of one round), cost (of contacts and of cells), gain (of one response more),
        priced (whether the offer's cost is known), pays_from (missing where no rise pays), break_even, expected (low, high), profit
        (low, high, of the expected effect), may_cost (low, high: what an offer of unknown cost may cost for each who buys). The
        interval of profit is what its result would show, and carries what is not known of the effect where that is.
    """
    rows = []
    for row in cells.to_dict("records"):
        name, control = str(row["cell_id"]), str(row["control_cell_id"])
        n, n0, effect = sizes[name], sizes[control], effects[name]
        own = replace(terms, cost=0.0, fixed=0.0) if revenue else terms
        gift = offers[name].of(terms.spend, paid_only=revenue)
        gain = own.gain(gift)
        pays = None if revenue else paying_rise(own, n, gift)
        assumed = terms.possible(effect.value)
        error = np.sqrt(terms.money.variance(assumed * terms.spend) / n + terms.money.variance() / n0)
        value = rounds * (n * (assumed * gain - own.each(gift)) - own.fixed)
        result = normal_quantile(terms.level) * n * abs(gain) / terms.spend * float(error) * np.sqrt(rounds)
        half = float(np.hypot(result, rounds * n * gain * _half(effect)))
        may = may_cost(own, n, effect) if not offers[name].known and not revenue else (None, None, None)
        rows.append(
            {
                "cell_id": name, "control_cell_id": control, "customers": n, "control": n0,
                "cost": rounds * (n * terms.cost + terms.fixed), "gain": gain, "priced": offers[name].known, "pays_from": pays,
                "break_even": None if pays is None else terms.base.value + pays, "expected": assumed, "expected_low": effect.low,
                "expected_high": effect.high, "profit": value, "profit_low": value - half,
                "profit_high": value + half, **dict(zip(("may_cost", "may_cost_low", "may_cost_high"), may, strict=True)),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def may_cost(terms: Terms, n: int, effect: Expected) -> tuple[float, float, float]:
    """What an offer may cost for each who buys before a cell of n customers loses money, from where to where by what is not known."""

    def most(rise: float, base: float) -> float:
        return (rise * terms.margin - terms.cost - terms.fixed / n) / (base + rise)

    base = terms.base
    rises = [one for one in (effect.low, effect.value, effect.high) if one is not None]
    bases = [one for one in (base.low, base.value, base.high) if one is not None]
    found = [most(terms.possible(rise), at) for rise in rises for at in bases]
    return most(terms.possible(effect.value), base.value), min(found), max(found)


def _half(effect: Expected) -> float:
    """Half the width of what is not known of an effect; 0 where it was given or guessed."""
    return 0.0 if effect.low is None or effect.high is None else (effect.high - effect.low) / 2


def total_profit(
    terms: Terms, plan: pd.DataFrame, effects: Mapping[str, Expected], rounds: int = 1
) -> tuple[float, float, float]:
    """Profit of all cells beyond their controls in all rounds, with the interval of its result.

    Cells share their control, and what is not known of the effect moves them all alike.
    """
    z = normal_quantile(terms.level)
    money, variance, unknown = terms.money, 0.0, 0.0
    for row in plan.to_dict("records"):
        variance += row["customers"] * (row["gain"] / terms.spend) ** 2 * money.variance(row["expected"] * terms.spend)
        unknown += row["customers"] * row["gain"] * _half(effects[str(row["cell_id"])])
    for _, mine in plan.groupby("control_cell_id"):
        weight = float((mine["customers"] * mine["gain"]).sum()) / terms.spend
        variance += weight**2 * money.variance() / float(mine["control"].iloc[0])
    half = float(np.hypot(z * np.sqrt(rounds * variance), rounds * unknown))
    value = float(plan["profit"].sum())
    return value, value - half, value + half


def curves(terms: Terms, total: int, counts: Sequence[int], marks: Sequence[float]) -> pd.DataFrame:
    """Chance that an effect is shown, by its size, for tests of so many cells: cells, effect, power."""
    largest = max([detectable(terms, total, count, share=control_share(count)) or 0.0 for count in counts] + [0.01, *marks])
    effects = np.linspace(0, terms.possible(1.35 * largest), _STEPS + 1)[1:]
    rows = []
    for count in sorted(set(counts)):
        share = control_share(count)
        for effect in effects:
            chance = power_of(terms.rate, float(effect), total, cells=count, level=terms.level, share=share)
            rows.append({"cells": count, "effect": float(effect), "power": chance})
    return pd.DataFrame(rows)
