"""The value of the base: how much, what of its change was acquired, lost and revalued, and where it lies by tier and state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.customer_value import TIERS, Base
from crmlab.analyses.lifecycle import STATES
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.btyd.customer_value import CustomerValue, Measure, Portfolio, Worth, portfolio
from crmlab.page.groups import OTHER, small_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from crmlab.analyses.scorecard.board import Board
    from crmlab.history.past import History

__all__ = ["TREATMENTS", "Valued", "valued"]


# What to do, by worth (tiers A and B, or C and D) and state.
TREATMENTS = {
    ("high", "new"): "welcome in person; bring about the second purchase",
    ("high", "active"): "reward without discount; ask for recommendation",
    ("high", "slowing"): "call or write in person before the habit is gone",
    ("high", "reactivated"): "welcome back; ask why they had left",
    ("high", "lapsed"): "win back with the best offer that pays",
    ("high", "lost"): "one good try to win back, then stop",
    ("low", "new"): "series of welcome messages; next purchase made easy",
    ("low", "active"): "offer what goes with what they have",
    ("low", "slowing"): "remind at low cost",
    ("low", "reactivated"): "offer a reason for the next purchase",
    ("low", "lapsed"): "cheap reminder, twice a year",
    ("low", "lost"): "do not spend on them",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Valued:
    """What the base is worth.

    Attributes
    ----------
    model : CustomerValue
    customers : DataFrame
        One row per customer, ordered by id: customer_id, value, at_risk (value at risk), tier, state (``""`` where it is not known).
    total : (value, low, high)
        With chance.
    changes : DataFrame
        part (before, acquired, lost, revalued, now), value, low, high; empty where the history is too short. Parts add up.
    relative : (change, low, high) or None
        Of the total since then.
    then : float or None
        Total then.
    matrix : DataFrame
        tier, state, customers, revenue (of the last year), value and at_risk (each with interval), treatment. Parts add up to
        the total; small groups are one row, ``Other``.
    horizon, ahead : float
    seen : bool
        Whether drop-out can be seen; without it nothing is at risk, and value is within ``ahead``.
    source : str
        Where the gross margin is from, as of :func:`crmlab.history.context.margin_known`.
    base : Base
    """

    model: CustomerValue
    customers: pd.DataFrame
    total: tuple[float, float, float]
    changes: pd.DataFrame
    relative: tuple[float, float, float] | None
    then: float | None
    matrix: pd.DataFrame
    horizon: float
    ahead: float
    seen: bool
    source: str
    base: Base


def valued(board: Board) -> Valued:
    """Value the base as the report on customer value does, today and, with the same model, a year (or a period) ago.

    Raises
    ------
    ModelError, DataError
        The models cannot be fitted: nobody bought again, say.
    """
    history, params = board.history, board.params
    choices = customer_value.Params(margin=params.margin, rate=params.rate, level=params.level, seed=params.seed)
    found = customer_value.scores(history, choices)
    base, model, summary, seen = found.base, found.fit.model, found.fit.summary, found.fit.seen
    with np.errstate(all="ignore"):
        worth = Portfolio(model, summary, model.checked_horizon(found.horizon)).at(None, None)
    states = board.life.customers.set_index("customer_id")["state"] if board.life is not None else pd.Series(dtype=object)
    customers = pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "value": found.points["value"],
            "at_risk": worth.at_risk if seen else np.nan,
            "tier": found.points["tier"],
            "state": states.reindex(summary["customer_id"]).fillna("").to_numpy(object),
        }
    )
    then = board.spans[board.compared].last if board.compared is not None and base.words is not ROUNDS else None
    old = _as_of(history, then, found.fit.cap) if then is not None else None
    groups, names = _groups(board, customers)
    both, measures = _measures(summary, old, customers, groups, names, seen)
    sums = portfolio(model, both, measures, found.horizon, level=params.level)
    total = tuple(float(sums.loc["total", name]) for name in ("value", "low", "high"))
    changes, relative = _changes(sums, old, total)
    return Valued(
        model=model,
        customers=customers,
        total=(total[0], total[1], total[2]),
        changes=changes,
        relative=relative,
        then=float(sums.loc["then", "value"]) if old is not None else None,
        matrix=_matrix(board, customers, groups, names, sums),
        horizon=found.horizon,
        ahead=found.ahead,
        seen=seen,
        source=found.fit.source,
        base=base,
    )


def _as_of(history: History, day: dt.date, cap: float | None) -> pd.DataFrame:
    """The customers of an earlier day, with their state and whether they are lost today."""
    found = history.earlier(day).summary("week")
    return found if cap is None else found.assign(monetary_value=found["monetary_value"].clip(upper=cap))


def _groups(board: Board, customers: pd.DataFrame) -> tuple[Any, list[tuple[str, str]]]:
    """Group of each customer by tier and state; small ones together, as the last."""
    pairs = customers["tier"] + " " + customers["state"]
    few = set(small_groups(pairs.value_counts(), board.params.min_group))
    names = [
        (tier, state)
        for tier in TIERS
        for state in (*STATES, "")
        if (key := f"{tier} {state}") not in few and (pairs == key).any()
    ]
    index = {f"{tier} {state}": k for k, (tier, state) in enumerate(names)}
    groups = np.array([index.get(key, len(names)) for key in pairs], dtype=np.int64)
    if few:
        names.append((OTHER, ""))
    return groups, names


def _measures(
    summary: pd.DataFrame,
    old: pd.DataFrame | None,
    customers: pd.DataFrame,
    groups: Any,
    names: list[tuple[str, str]],
    seen: bool,
) -> tuple[pd.DataFrame, dict[str, Measure]]:
    """Customers of today and of then as one frame, and what is to be worked out over both at once."""
    n = len(summary)
    size = n + (len(old) if old is not None else 0)

    def padded(member: Any) -> Any:
        out = np.zeros(size, dtype=bool)
        out[: len(member)] = member
        return out

    def valued_of(member: Any) -> Callable[[Worth], float]:
        return lambda worth: float(worth.value[member].sum())

    def risked_of(member: Any) -> Callable[[Worth], float]:
        return lambda worth: float(worth.at_risk[member].sum())

    today = padded(np.ones(n, dtype=bool))
    measures = {"total": Measure(valued_of(today), "outcome", today)}
    for k in range(len(names)):
        member = padded(groups == k)
        measures[f"value_{k}"] = Measure(valued_of(member), "outcome", member)
        if seen:
            measures[f"risk_{k}"] = Measure(risked_of(member))
    if old is None:
        return summary, measures
    lost = set(customers.loc[customers["state"] == "lost", "customer_id"])
    known = set(old["customer_id"])
    gone_now = padded(np.array([who in lost and who in known for who in summary["customer_id"]], dtype=bool))
    new_now = padded(np.array([who not in known for who in summary["customer_id"]], dtype=bool))
    stay_now = today & ~gone_now & ~new_now
    then = np.zeros(size, dtype=bool)
    then[n:] = True
    gone_then = np.zeros(size, dtype=bool)
    gone_then[n:] = [who in lost for who in old["customer_id"]]
    stay_then = then & ~gone_then
    measures |= {
        "then": Measure(valued_of(then)),
        "mean": Measure(valued_of(today)),
        "acquired": Measure(valued_of(new_now)),
        "lost_then": Measure(valued_of(gone_then)),
        "lost_now": Measure(valued_of(gone_now)),
        "stay_then": Measure(valued_of(stay_then)),
        "stay_now": Measure(valued_of(stay_now)),
        "ratio": Measure(lambda worth: float(worth.value[today].sum() / max(float(worth.value[then].sum()), 1e-12))),
        "stay_ratio": Measure(
            lambda worth: float(worth.value[stay_now].sum() / max(float(worth.value[stay_then].sum()), 1e-12))
        ),
        "lost_ratio": Measure(
            lambda worth: float(worth.value[gone_now].sum() / max(float(worth.value[gone_then].sum()), 1e-12))
        ),
    }
    both = pd.concat([summary, old], ignore_index=True)
    return both, measures


def _changes(
    sums: pd.DataFrame, old: pd.DataFrame | None, total: tuple[float, ...]
) -> tuple[pd.DataFrame, tuple[float, float, float] | None]:
    columns = ["part", "value", "low", "high"]
    if old is None or not sums.loc["then", "value"] > 0:
        return pd.DataFrame(columns=columns), None

    def ends(name: str) -> tuple[float, float, float]:
        row = sums.loc[name]
        return float(row["value"]), float(row["low"]), float(row["high"])

    def moved(then: str, now: str, ratio: str) -> list[float]:
        # Of what they were worth: the parameters move both values alike, so that their ratio is what is uncertain.
        before, (_, low, high) = ends(then)[0], ends(ratio)
        value = ends(now)[0] - before
        return [value, min(before * (low - 1), value), max(before * (high - 1), value)]

    rows = [
        ["before", *ends("then")],
        ["acquired", *ends("acquired")],
        ["lost", *moved("lost_then", "lost_now", "lost_ratio")],
        ["revalued", *moved("stay_then", "stay_now", "stay_ratio")],
        ["now", *ends("mean")],
    ]
    ratio, low, high = (value - 1 for value in ends("ratio"))
    assert abs(total[0] - ends("mean")[0]) < 1e-6 * max(total[0], 1.0)
    return pd.DataFrame(rows, columns=columns), (ratio, low, high)


def _matrix(
    board: Board,
    customers: pd.DataFrame,
    groups: Any,
    names: list[tuple[str, str]],
    sums: pd.DataFrame,
) -> pd.DataFrame:
    history = board.history
    year = history.summary(start=max(history.as_of - dt.timedelta(days=YEAR - 1), history.first))
    spent = (year["total_spend"] + year["returned"]).groupby(year["customer_id"]).sum()
    revenue = spent.reindex(customers["customer_id"]).fillna(0.0).to_numpy(float)
    rows = []
    for k, (tier, state) in enumerate(names):
        member = groups == k
        worth = "high" if tier in ("A", "B") else "low"
        row: dict[str, object] = {
            "tier": tier,
            "state": state,
            "customers": int(member.sum()),
            "revenue": float(revenue[member].sum()),
        }
        for name, key in (("value", f"value_{k}"), ("at_risk", f"risk_{k}")):
            found = sums.loc[key] if key in sums.index else {"value": np.nan, "low": np.nan, "high": np.nan}
            row |= {name: float(found["value"]), f"{name}_low": float(found["low"]), f"{name}_high": float(found["high"])}
        row["treatment"] = TREATMENTS.get((worth, state), "too few to treat apart" if tier == OTHER else "")
        rows.append(row)
    return pd.DataFrame(rows)
