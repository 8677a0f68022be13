"""What a customer base is worth all together and by tier, each sum with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.tiers import TIER_WORDS, TIERS
from crmlab.models.btyd.customer_value import CustomerValue, Measure, Worth, portfolio

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from crmlab.analyses.customer_value.scoring import Scores

__all__ = ["Valuation", "top_share", "value_customers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Valuation:
    """What a customer base is worth.

    Attributes
    ----------
    model : CustomerValue
        Fitted to the whole history.
    horizon : float
        Of the value shown: infinite, or finite where drop-out cannot be seen.
    ahead : float
        Periods over which purchases are expected.
    customers : DataFrame
        As ``customers`` of :class:`crmlab.analyses.customer_value.scoring.Scores`.
    sums : DataFrame
        Indexed by name: value, low, high. total, total_ahead (value within ``ahead``), top_share, alive, purchases; and for
        each tier value_A, each_A (value per customer), alive_A, purchases_A, risk_A (value at risk per customer).
    tiers : DataFrame
        One row per tier with customers.
    """

    model: CustomerValue
    horizon: float
    ahead: float
    customers: pd.DataFrame
    sums: pd.DataFrame
    tiers: pd.DataFrame


def value_customers(scores: Scores) -> Valuation:
    """Add up what customers are worth, all together and by tier, each sum with an interval."""
    fit, ahead, horizon, level = scores.fit, scores.ahead, scores.horizon, scores.level
    model, summary, tier = fit.model, fit.summary, scores.points["tier"].to_numpy(object)
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
    sums = portfolio(model, summary, measures, horizon, ahead=ahead, level=level)
    # Intervals of positive numbers know no upper end: of shares, and of how many are alive, there is one.
    shares = [name for name in sums.index if name == "top_share" or name.startswith("alive_")]
    sums.loc[shares, "high"] = sums.loc[shares, "high"].clip(upper=1.0)
    sums.loc["alive", "high"] = min(sums.loc["alive", "high"], float(len(summary)))
    # A sum of purchases that will be seen carries chance too, and so does the value within the horizon.
    seen = fit.purchases.expected_total(summary, ahead, level=level, interval="outcome")
    sums.loc["purchases"] = seen.to_numpy()
    sums.loc["total_ahead"] = model.total(summary, ahead, level=level, interval="outcome").to_numpy()
    return Valuation(
        model=model, horizon=horizon, ahead=ahead, customers=scores.customers, sums=sums, tiers=_tier_table(tier, sums)
    )


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
