"""The value of the base: how much, what of its change was acquired, lost and revalued, and where it lies by tier and state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.customer_value import TIERS
from crmlab.analyses.lifecycle import STATES
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.btyd.portfolios import Measure
from crmlab.page.groups import OTHER, small_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.analyses.customer_value import Scores
    from crmlab.analyses.scorecard.board import Board
    from crmlab.history.past import History

__all__ = ["Valued", "valued"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Valued:
    """What the base is worth.

    Attributes
    ----------
    customers : DataFrame
        One row per customer, ordered by id: customer_id, value, at_risk, tier, state (``""`` where it is not known).
    changes : DataFrame
        part (before, acquired, lost, revalued, now), value, low, high; empty where the history is too short. Parts add up.
    relative : (change, low, high) or None
        Of the total since then. Unlike the amounts of ``changes``, it is not widened by what the forecast missed: both values are by
        the same model, and a model that is a quarter too low is so on both days. That leaves their ratio as it is, and not their
        difference.
    then : float or None
        Total then.
    matrix : DataFrame
        tier, state, customers, revenue (of the last year), value and at_risk (each with interval). Parts add up to
        the total; small groups are one row, ``Other``.
    scores : Scores
        Of the report on customer value.
    sums : DataFrame
        By tier and state, and of all, as of :func:`crmlab.analyses.customer_value.sums`.
    """

    customers: pd.DataFrame
    changes: pd.DataFrame
    relative: tuple[float, float, float] | None
    then: float | None
    matrix: pd.DataFrame
    scores: Scores
    sums: pd.DataFrame

    @property
    def total(self) -> pd.Series:
        """What the base is worth: value, value_low and value_high, as on the page of customer value."""
        return self.sums.loc[customer_value.ALL, ["value", "value_low", "value_high"]]


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
    base, summary, points = found.base, found.fit.summary, found.points
    states = board.life.customers.set_index("customer_id")["state"] if board.life is not None else pd.Series(dtype=object)
    customers = points[["customer_id", "value", "at_risk", "tier"]].assign(
        state=states.reindex(summary["customer_id"]).fillna("").to_numpy(object)
    )
    then = board.spans[board.compared].last if board.compared is not None and base.words is not ROUNDS else None
    old = _as_of(history, then, found.fit.cap) if then is not None else None
    groups, names = _groups(board, customers)
    sums = customer_value.sums(found, groups)
    whole = sums.loc[customer_value.ALL]
    total = (float(whole["value"]), float(whole["value_low"]), float(whole["value_high"]))
    changes, relative = _changes(found, customers, old, total)
    return Valued(
        customers=customers,
        changes=changes,
        relative=relative,
        then=float(changes["value"].iloc[0]) if len(changes) else None,
        matrix=_matrix(board, customers, groups, names, sums),
        scores=found,
        sums=sums,
    )


def _as_of(history: History, day: dt.date, cap: float | None) -> pd.DataFrame:
    """The customers of an earlier day, one row each, their mean spend capped where today's is."""
    found = history.earlier(day).summary("week")
    return found if cap is None else found.assign(monetary_value=found["monetary_value"].clip(upper=cap))


def _groups(board: Board, customers: pd.DataFrame) -> tuple[npt.NDArray[np.object_], dict[str, tuple[str, str]]]:
    """Group of each customer by tier and state, and what each is; small ones together, as the last."""
    pairs = customers["tier"] + " " + customers["state"]
    few = set(small_groups(pairs.value_counts(), board.params.min_group))
    names = {
        key: (tier, state)
        for tier in TIERS
        for state in (*STATES, "")
        if (key := f"{tier} {state}") not in few and (pairs == key).any()
    }
    if few:
        names[OTHER] = (OTHER, "")
    return pairs.where(~pairs.isin(few), OTHER).to_numpy(object), names


def _changes(
    found: Scores, customers: pd.DataFrame, old: pd.DataFrame | None, total: tuple[float, float, float]
) -> tuple[pd.DataFrame, tuple[float, float, float] | None]:
    """What of the change since then was acquired, lost and revalued; both days valued with today's model. What is now is the total."""
    nothing = pd.DataFrame(columns=["part", "value", "low", "high"])
    if old is None or not len(old):
        return nothing, None
    both, measures = _measures(found.fit.summary, old, customers)
    sums = customer_value.measured(found, both, measures)
    if not sums.loc["then", "value"] > 0 or not sums.loc["now", "value"] > 0:
        return nothing, None
    # The total is of values in cents: the parts add up to it.
    cents = total[0] / float(sums.loc["now", "value"])

    def ends(name: str) -> tuple[float, float, float]:
        row = cents * sums.loc[name]
        return float(row["value"]), float(row["low"]), float(row["high"])

    def moved(then: str, now: str, ratio: str) -> tuple[float, float, float]:
        # Of what they were worth: the parameters move both values alike, so that their ratio is what is uncertain.
        before, row = ends(then)[0], sums.loc[ratio]
        value = ends(now)[0] - before
        return value, min(before * (float(row["low"]) - 1), value), max(before * (float(row["high"]) - 1), value)

    parts = {
        "before": ends("then"),
        "acquired": ends("acquired"),
        "lost": moved("lost_then", "lost_now", "lost_ratio"),
        "revalued": moved("stay_then", "stay_now", "stay_ratio"),
    }
    rows = [[name, value, *found.miss.widened(value, low, high)] for name, (value, low, high) in parts.items()]
    ratio, low, high = (float(sums.loc["ratio", name]) - 1 for name in ("value", "low", "high"))
    return pd.DataFrame([*rows, ["now", *total]], columns=nothing.columns), (ratio, low, high)


def _measures(summary: pd.DataFrame, old: pd.DataFrame, customers: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Measure]]:
    """Customers of today and of then as one frame, and what is to be worked out over both at once."""
    n = len(summary)
    size = n + len(old)

    def padded(member: Any) -> Any:
        out = np.zeros(size, dtype=bool)
        out[: len(member)] = member
        return out

    def valued_of(member: Any) -> Measure:
        return Measure(lambda worth: float(worth.value[member].sum()))

    def ratio_of(now: Any, then: Any) -> Measure:
        return Measure(lambda worth: float(worth.value[now].sum() / max(float(worth.value[then].sum()), 1e-12)))

    today = padded(np.ones(n, dtype=bool))
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
    measures = {
        "then": valued_of(then),
        "now": valued_of(today),
        "acquired": valued_of(new_now),
        "lost_then": valued_of(gone_then),
        "lost_now": valued_of(gone_now),
        "stay_then": valued_of(stay_then),
        "stay_now": valued_of(stay_now),
        "ratio": ratio_of(today, then),
        "stay_ratio": ratio_of(stay_now, stay_then),
        "lost_ratio": ratio_of(gone_now, gone_then),
    }
    return pd.concat([summary, old], ignore_index=True), measures


def _matrix(
    board: Board,
    customers: pd.DataFrame,
    groups: npt.NDArray[np.object_],
    names: dict[str, tuple[str, str]],
    sums: pd.DataFrame,
) -> pd.DataFrame:
    history = board.history
    year = history.summary(start=max(history.as_of - dt.timedelta(days=YEAR - 1), history.first))
    spent = (year["total_spend"] + year["returned"]).groupby(year["customer_id"]).sum()
    revenue = spent.reindex(customers["customer_id"]).fillna(0.0).to_numpy(float)
    rows = []
    for key, (tier, state) in names.items():
        member, found = groups == key, sums.loc[key]
        row: dict[str, object] = {
            "tier": tier,
            "state": state,
            "customers": int(member.sum()),
            "revenue": float(revenue[member].sum()),
        }
        for name in ("value", "at_risk"):
            row |= {f"{name}{end}": float(found[f"{name}{end}"]) for end in ("", "_low", "_high")}
        rows.append(row)
    return pd.DataFrame(rows)
