"""What the next test can show and what it costs: sizes, power and money of each cell, and of tests with fewer cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.design.expected import Expected
from crmlab.errors import ModelError
from crmlab.models.intervals import normal_quantile
from crmlab.models.testing.power import (
    Money,
    Rate,
    control_share,
    detectable_effect,
    planned_profit,
    power_of,
    required_size,
    smallest_paying,
)

__all__ = ["Terms", "cell_plan", "curves", "detectable", "options", "total_profit"]


_STEPS = 60  # of a curve


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the plan rests on.

    Attributes
    ----------
    base : Expected
        Share who buy anyway.
    spend, sd : float
        Of a buyer, in money.
    margin : float
        Money kept from one response more.
    cost, fixed : float
        Of a contact, and of a cell.
    power, level : float
    share : float
        Of the control in all customers.
    gift : float
        Cost of the offer to one who buys. Who would have bought anyway takes it too.
    """

    base: Expected
    spend: float
    sd: float
    margin: float
    cost: float
    fixed: float
    power: float
    level: float
    share: float
    gift: float = 0.0

    @property
    def each(self) -> float:
        """Cost of a contact, with what the offer costs for those who would have bought anyway."""
        return self.cost + self.base.value * self.gift

    @property
    def kept(self) -> float:
        """Money kept from one response more, after the offer."""
        return self.margin - self.gift

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
def detectable(terms: Terms, total: int, cells: int, base: float | None = None, share: float | None = None) -> float | None:
    """Smallest rise of the response that a test would show, as a difference of shares; None where not even the largest would be."""
    try:
        return detectable_effect(
            Rate(terms.base.value if base is None else base),
            total,
            cells=cells,
            level=terms.level,
            power=terms.power,
            share=terms.share if share is None else share,
        )
    except ModelError:
        return None


def cell_plan(
    terms: Terms,
    cells: pd.DataFrame,
    sizes: Mapping[str, int],
    effects: Mapping[str, Expected],
    several: int,
    gifts: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Each cell that is sent something: what it must bring to pay, what is expected of it, and what it would show.

    Parameters
    ----------
    terms : Terms
    cells : DataFrame
        Rows of the canonical table, those with a control.
    sizes : mapping of cell to customers
    effects : mapping of cell to Expected
        Of a contact on the response.
    several : int
        Cells that are compared with one control.
    gifts : mapping of cell to money, optional
        Cost of each cell's offer to one who buys; default: that of ``terms``.

    Returns
    -------
    DataFrame
        cell_id, control_cell_id, customers, control, cost (of contacts and of the cell), kept (from one response more), pays_from,
        break_even, expected (low, high), power, profit
        (low, high, of the expected effect). The interval of profit is what its result would show, and carries what is not known of the
        effect where that is.
    """
    rows = []
    for row in cells.to_dict("records"):
        name, control = str(row["cell_id"]), str(row["control_cell_id"])
        n, n0, effect = sizes[name], sizes[control], effects[name]
        own = terms if gifts is None else replace(terms, gift=gifts[name])
        pays = smallest_paying(n, own.each, terms.fixed, own.kept)
        assumed = terms.possible(effect.value)
        share = n0 / (n0 + several * n)
        gain = planned_profit(
            terms.money,
            assumed * terms.spend,
            (n, n0),
            cost=own.each,
            fixed=terms.fixed,
            margin=own.kept / terms.spend,
            level=terms.level,
        )
        half = float(np.hypot(gain.high - gain.value, n * own.kept * _half(effect)))
        total = n0 + several * n
        chance = power_of(terms.rate, assumed, total, cells=several, level=terms.level, share=share) if assumed > 0 else 0.0
        cost = n * terms.cost + terms.fixed
        rows.append(
            {
                "cell_id": name, "control_cell_id": control, "customers": n, "control": n0, "cost": cost,
                "kept": own.kept, "pays_from": pays,
                "break_even": terms.base.value + pays, "expected": assumed, "expected_low": effect.low,
                "expected_high": effect.high, "power": chance, "profit": gain.value, "profit_low": gain.value - half,
                "profit_high": gain.value + half,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _half(effect: Expected) -> float:
    """Half the width of what is not known of an effect; 0 where it was given or guessed."""
    return 0.0 if effect.low is None or effect.high is None else (effect.high - effect.low) / 2


def total_profit(terms: Terms, plan: pd.DataFrame, effects: Mapping[str, Expected]) -> tuple[float, float, float]:
    """Profit of all cells beyond their controls, with the interval of its result.

    Cells share their control, and what is not known of the effect moves them all alike.
    """
    z = normal_quantile(terms.level)
    money, variance, unknown = terms.money, 0.0, 0.0
    for row in plan.to_dict("records"):
        variance += row["customers"] * (row["kept"] / terms.spend) ** 2 * money.variance(row["expected"] * terms.spend)
        unknown += row["customers"] * row["kept"] * _half(effects[str(row["cell_id"])])
    for _, mine in plan.groupby("control_cell_id"):
        weight = float((mine["customers"] * mine["kept"]).sum()) / terms.spend
        variance += weight**2 * money.variance() / float(mine["control"].iloc[0])
    half = float(np.hypot(z * np.sqrt(variance), unknown))
    value = float(plan["profit"].sum())
    return value, value - half, value + half


def options(terms: Terms, total: int, counts: Sequence[int], effect: float) -> pd.DataFrame:
    """The same list tested with fewer or more cells.

    Returns
    -------
    DataFrame
        cells, per_cell, control, detectable (missing where nothing would be shown), power (of the expected effect), needed_expected and
        needed_paying: customers for the expected effect, and for the smallest that pays, to be shown.
    """
    rows = []
    assumed = terms.possible(effect)
    for count in sorted(set(counts)):
        share = control_share(count)
        per_cell = int(total * (1 - share) / count)
        if per_cell < 2:
            continue
        pays = terms.possible(smallest_paying(per_cell, terms.each, terms.fixed, terms.kept))
        rows.append(
            {
                "cells": count, "per_cell": per_cell, "control": total - count * per_cell,
                "detectable": detectable(terms, total, count, share=share),
                "power": power_of(terms.rate, assumed, total, cells=count, level=terms.level, share=share) if assumed > 0 else 0.0,
                "needed_expected": _needed(terms, assumed, count, share),
                "needed_paying": _needed(terms, pays, count, share),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _needed(terms: Terms, effect: float, cells: int, share: float) -> float | None:
    if effect <= 0:
        return None
    found = required_size(terms.rate, effect, cells=cells, level=terms.level, power=terms.power, share=share)
    return float(found.total)


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
