"""What each customer is worth, in tiers: the list, the sums with their intervals, and what it pays to invest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.models.btyd.customer_value import CustomerValue, Measure, Worth, portfolio

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from crmlab.analyses.customer_value.base import Base

__all__ = ["TIERS", "TIER_WORDS", "Valuation", "tier_of", "top_share", "value_customers"]


# Tier → per cent of customers from the top that it reaches down to.
TIERS = {"A": 10, "B": 30, "C": 60, "D": 100}
TIER_WORDS = {"A": "top 10 %", "B": "next 20 %", "C": "next 30 %", "D": "the rest"}
_FURTHEST = 20  # years; a purchase expected later is not dated


@dataclass(frozen=True, kw_only=True, eq=False)
class Valuation:
    """What a customer base is worth.

    Attributes
    ----------
    model : CustomerValue
        Fitted to the whole history.
    horizon : float
        Of the value shown: infinite, or finite where drop-out cannot be seen.
    ahead : int
        Periods over which purchases are expected.
    customers : DataFrame
        One row per customer, ordered by id: customer_id, frequency, recency, age, tier, residual_value (with value_low and
        value_high, of what this customer will bring), probability_alive (and interval), expected_purchases (and interval of
        what this customer will do), next_from and next_to (dates), value_at_risk. P(alive) and value at risk are missing where
        drop-out cannot be seen.
    sums : DataFrame
        Indexed by name: value, low, high. total, total_ahead (value within ``ahead``), top_share, alive, purchases; and for
        each tier value_A, each_A (value per customer), alive_A, purchases_A, risk_A (value at risk per customer).
    tiers : DataFrame
        One row per tier with customers.
    """

    model: CustomerValue
    horizon: float
    ahead: int
    customers: pd.DataFrame
    sums: pd.DataFrame
    tiers: pd.DataFrame


def value_customers(
    base: Base,
    model: CustomerValue,
    ahead: int,
    *,
    horizon: float = np.inf,
    level: float = 0.9,
    summary: pd.DataFrame | None = None,
) -> Valuation:
    """Value customers one by one and together.

    Parameters
    ----------
    base : Base
    model : CustomerValue
        Fitted to ``base.summary()``.
    ahead : int
        Periods over which purchases are expected.
    horizon : float
        Of the value; infinite unless given.
    level : float
    summary : DataFrame, optional
        The customers where they are at hand, or their spend was capped; ``base.summary()`` unless given.

    Returns
    -------
    Valuation
    """
    if summary is None:
        summary = base.summary()
    purchases, _ = model.fitted_models()
    value = model.residual_value(summary, horizon, level=level, interval="outcome")
    tier = tier_of(value["residual_value"].to_numpy())
    alive = purchases.probability_alive(summary, level=level)
    bought = purchases.expected_purchases(summary, float(ahead), level=level, interval="outcome")
    soon = purchases.next_purchase(summary, level=level, interval="outcome")
    customers = pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "frequency": summary["frequency"].astype("int64"),
            "recency": summary["recency"],
            "age": summary[base.age],
            "tier": tier,
            "residual_value": value["residual_value"].round(2),
            "value_low": value["low"].round(2),
            "value_high": value["high"].round(2),
            "probability_alive": alive["probability_alive"],
            "alive_low": alive["low"],
            "alive_high": alive["high"],
            "expected_purchases": bought["expected_purchases"],
            "purchases_low": bought["low"],
            "purchases_high": bought["high"],
            "next_from": _dated(soon["low"], base, opening=True),
            "next_to": _dated(soon["high"], base),
            "value_at_risk": model.value_at_risk(summary, horizon).round(2),
        }
    )
    if np.isfinite(horizon):
        # Drop-out cannot be seen: the list does not say what the page leaves out.
        customers[["probability_alive", "alive_low", "alive_high", "value_at_risk"]] = np.nan
    measures: dict[str, Measure] = {
        "total": Measure(lambda worth: float(worth.value.sum()), "outcome"),
        "top_share": Measure(top_share),
        "alive": Measure(lambda worth: float(worth.alive.sum())),
        "purchases": Measure(lambda worth: float(worth.purchases.sum())),
    }
    for name in TIERS:
        member = tier == name
        if member.any():
            measures |= _of_tier(name, member)
    sums = portfolio(model, summary, measures, horizon, ahead=float(ahead), level=level)
    # Intervals of positive numbers know no upper end: of shares, and of how many are alive, there is one.
    shares = [name for name in sums.index if name == "top_share" or name.startswith("alive_")]
    sums.loc[shares, "high"] = sums.loc[shares, "high"].clip(upper=1.0)
    sums.loc["alive", "high"] = min(sums.loc["alive", "high"], float(len(summary)))
    # A sum of purchases that will be seen carries chance too, and so does the value within the horizon.
    seen = purchases.expected_total(summary, float(ahead), level=level, interval="outcome")
    sums.loc["purchases"] = seen.to_numpy()
    sums.loc["total_ahead"] = model.total(summary, float(ahead), level=level, interval="outcome").to_numpy()
    return Valuation(model=model, horizon=horizon, ahead=ahead, customers=customers, sums=sums, tiers=_tier_table(tier, sums))


def tier_of(values: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """Name the tier of each customer by value. Equal values are in one tier, the better one.

    Examples
    --------
    >>> tier_of(np.array([5.0, 1.0, 9.0, 1.0, 2.0, 1.0, 3.0, 4.0, 6.0, 7.0])).tolist()
    ['C', 'D', 'A', 'D', 'D', 'D', 'C', 'C', 'B', 'B']
    """
    n = len(values)
    above = n - np.searchsorted(np.sort(values), values, side="right")
    out = np.full(n, "", dtype=object)
    for name, reach in reversed(TIERS.items()):
        out[100 * above < reach * n] = name
    return out


def top_share(worth: Worth) -> float:
    """Share of all value that the tenth of customers worth most holds: as many as tier A has where none are equal."""
    values = np.sort(worth.value)[::-1]
    total = float(values.sum())
    return float(values[: -(-len(values) // 10)].sum()) / total if total > 0 else float("nan")


def _of_tier(name: str, member: npt.NDArray[np.bool_]) -> dict[str, Measure]:
    def mean(of: Callable[[Worth], npt.NDArray[np.float64]]) -> Measure:
        return Measure(lambda worth: float(of(worth)[member].mean()))

    return {
        f"value_{name}": Measure(lambda worth: float(worth.value[member].sum()), "outcome", member),
        f"each_{name}": mean(lambda worth: worth.value),
        f"alive_{name}": mean(lambda worth: worth.alive),
        f"purchases_{name}": mean(lambda worth: worth.purchases),
        f"risk_{name}": mean(lambda worth: worth.at_risk),
    }


def _tier_table(tier: npt.NDArray[np.object_], sums: pd.DataFrame) -> pd.DataFrame:
    total = float(sums.loc["total", "value"])
    rows = []
    for name in TIERS:
        count = int((tier == name).sum())
        if not count:
            continue
        row: dict[str, object] = {"tier": f"{name}: {TIER_WORDS[name]}", "customers": count, "share": count / len(tier)}
        row["value_share"] = float(sums.loc[f"value_{name}", "value"]) / total if total else float("nan")
        for measure in ("value", "each", "alive", "purchases", "risk"):
            found = sums.loc[f"{measure}_{name}"]
            row |= {measure: found["value"], f"{measure}_low": found["low"], f"{measure}_high": found["high"]}
        rows.append(row)
    return pd.DataFrame(rows)


def _dated(ahead: pd.Series, base: Base, opening: bool = False) -> pd.Series:
    """Times from the end of history as dates; missing where they are further than twenty years, or never.

    A round is a year: its first day where a range opens, its last day where it closes.
    """
    values = ahead.to_numpy(float)
    if base.words.unit == "year":
        near = values <= _FURTHEST
        years = np.where(near, values, 0).astype(int) + base.end.year
        day = (1, 1) if opening else (12, 31)
        days = [dt.datetime(year, *day) if ok else None for year, ok in zip(years, near, strict=True)]
        return pd.Series(pd.to_datetime(pd.Series(days, dtype="object")), index=ahead.index)
    near = values <= 52 * _FURTHEST
    shift = pd.to_timedelta(np.ceil(np.where(near, values, 0) * 7), unit="D")
    return pd.Series((pd.Timestamp(base.end) + shift), index=ahead.index).where(near)
