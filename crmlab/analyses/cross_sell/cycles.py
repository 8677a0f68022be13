"""How often products are bought again, and which customers could be moved to a shorter cycle."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.reductions import repurchase_gaps
from crmlab.analyses.cross_sell.state import State, names_of
from crmlab.collecting import collect
from crmlab.models.intervals import LEVEL, median_interval
from crmlab.models.survival import at, kaplan_meier

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["CYCLE_COLUMNS", "MOVABLE_COLUMNS", "Cycles", "repurchase_cycles"]


CYCLE_COLUMNS = (
    "product_id", "name", "buyers", "rebuyers", "share_rebought", "gaps", "median_gap", "gap_low", "gap_high",
    "within", "within_low", "within_high",
)  # fmt: skip
MOVABLE_COLUMNS = (
    "customer_id", "product_id", "name", "times", "own_gap", "usual_gap", "days_since_product", "contactable", "refusal",
)  # fmt: skip
LONGER = 1.5  # times the usual gap: from here a customer's own is well longer


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycles:
    """How often products are bought again.

    Attributes
    ----------
    products : DataFrame
        One row per product with gaps enough: product_id, name; buyers, rebuyers (customers who have it; who bought it on two days at
        least); share_rebought (counted); gaps (from one purchase to the next, of all customers); median_gap with
        gap_low and gap_high (days, of gaps that have ended); within with within_low and within_high (share of purchases that are
        followed by another within the horizon; gaps still open are censored). Most rebuyers first.
    customers : DataFrame
        Whose own gap is well longer than is usual, and who are due: customer_id, product_id, name, times (days on which it was
        bought), own_gap, usual_gap, days_since_product (days), contactable, refusal. By customer and product.
    as_of : datetime.date
    horizon : int
    level : float
    """

    products: pd.DataFrame
    customers: pd.DataFrame
    as_of: dt.date
    horizon: int
    level: float

    def __repr__(self) -> str:
        return f"Cycles({len(self.products):,} products, {len(self.customers):,} customers' products with longer gaps)"


def repurchase_cycles(
    past: History,
    state: State,
    *,
    min_gaps: int = 20,
    longer: float = LONGER,
    level: float = LEVEL,
) -> Cycles:
    """Say how often each product is bought again, and who buys it less often than is usual.

    Parameters
    ----------
    past : History
        Needs orders and order lines.
    state : State
        Of its last day. Further purchases are counted within its ``recent`` days.
    min_gaps : int
        Gaps that have ended, below which nothing is said of a product; nor where they are too few for an interval of the median.
    longer : float
        A customer's own gap is well longer from this many times the usual one on.
    level : float
        Of the intervals: order statistics of medians, Greenwood's of ``within``.

    Returns
    -------
    Cycles
        Customers are listed after three purchases (two gaps of their own), where the usual gap has passed since the last one, the
        product is in range, and they may be contacted or it is not known.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The median is of gaps that have ended: of those who buy again. Gaps still open are longer, so in a short history it is too
    short. The median over all purchases is often never reached; ``within`` takes the open ones into account.
    """
    from crmlab.errors import checks

    checks.whole("cross_sell", "min_gaps", min_gaps, 1)
    checks.positive("cross_sell", "longer", longer)
    checks.share("cross_sell", "level", level)
    names = pd.Series(names_of(past, state.products), index=state.products)
    gaps = collect(repurchase_gaps(past.data.order_lines, past.as_of), ("product_id", "gap", "ended"))
    products = _products(gaps, state, names, min_gaps, level)
    customers = _movable(past, products, state, names, longer)
    return Cycles(products=products, customers=customers, as_of=past.as_of, horizon=state.recent, level=level)


def _products(gaps: pd.DataFrame, state: State, names: pd.Series, min_gaps: int, level: float) -> pd.DataFrame:
    buyers = np.bincount(state.col, minlength=len(state.products))
    rebuyers = np.bincount(state.col[state.days >= 2], minlength=len(state.products))
    place = {product: j for j, product in enumerate(state.products)}
    ended = gaps[gaps["ended"]].groupby("product_id")["n"].sum()
    enough = set(ended.index[ended >= min_gaps])
    rows = []
    for product, some in gaps[gaps["product_id"].isin(enough)].groupby("product_id", sort=True):
        closed = some[some["ended"]]
        values = np.repeat(closed["gap"].to_numpy(), closed["n"].to_numpy())
        curve = kaplan_meier(some["gap"], some["ended"], some["n"], level)
        then = at(curve, float(state.recent))
        j = place[product]
        low, high = median_interval(values, level)
        if not np.isfinite(low):
            continue
        rows.append(
            {
                "product_id": product,
                "name": names[product],
                "buyers": int(buyers[j]),
                "rebuyers": int(rebuyers[j]),
                "share_rebought": int(rebuyers[j]) / max(int(buyers[j]), 1),
                "gaps": len(values),
                "median_gap": float(np.median(values)),
                "gap_low": low,
                "gap_high": high,
                "within": 1 - then["survival"],
                "within_low": 1 - then["high"],
                "within_high": 1 - then["low"],
            }
        )
    frame = pd.DataFrame(rows, columns=list(CYCLE_COLUMNS))
    return frame.sort_values(["rebuyers", "product_id"], ascending=[False, True], kind="stable", ignore_index=True)


def _movable(past: History, products: pd.DataFrame, state: State, names: pd.Series, longer: float) -> pd.DataFrame:
    usual = products.set_index("product_id")["median_gap"].reindex(state.products).to_numpy(dtype=float)[state.col]
    own = state.span / np.maximum(state.days - 1, 1)
    with np.errstate(invalid="ignore"):
        some = (state.days >= 3) & (own > longer * usual) & (state.since >= usual) & state.in_range[state.col]
    product = state.products[state.col[some]]
    frame = pd.DataFrame(
        {
            "customer_id": state.ids.take(state.row[some]).to_numpy(),
            "product_id": product,
            "name": names.reindex(product).to_numpy(),
            "times": state.days[some],
            "own_gap": own[some],
            "usual_gap": usual[some],
            "days_since_product": state.since[some],
        }
    )
    frame = past.with_consent(frame)
    return frame[frame["contactable"] != "no"].reset_index(drop=True)[list(MOVABLE_COLUMNS)]
