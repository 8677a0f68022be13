"""Revenue and profit by segment and by lifecycle state, as customers stood when the period began."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle import STATES, states
from crmlab.analyses.rfm import SEGMENTS, segmented
from crmlab.analyses.scorecard.board import Board, labelled
from crmlab.analyses.scorecard.estimation import change
from crmlab.analyses.scorecard.money import Money
from crmlab.collecting import collect
from crmlab.page.groups import OTHER, small_groups

__all__ = ["KINDS", "NOT_YET", "TOTAL", "groups_of"]


NOT_YET = "not yet a customer"
TOTAL = "total"
_TINY = 0.05  # of all of the earlier period: what grew from so little is not told in per cent
KINDS = {"segment": "Segment", "state": "Lifecycle state"}


def groups_of(board: Board, money: Money) -> pd.DataFrame:
    """Split the revenue and the profit of the period, and of the one that it is compared with, by who customers were before.

    Customers are told apart by their segment and state on the day before the period began. By today's, those who bought would
    be active whatever they were: the split would only say who bought.

    Parameters
    ----------
    board : Board
    money : Money

    Returns
    -------
    DataFrame
        kind (``"segment"``, ``"state"``), group, before (customers when the period began), buyers, revenue, share, then (revenue of
        the earlier period), change, change_low, change_high (missing where a change of 100% or more is one from next to nothing),
        profit; a row ``total`` for each kind. Parts add up to the total, small groups are taken together as
        ``Other``. Empty where the history begins with the period.
    """
    rows = []
    for kind in KINDS:
        now = _labels(board, kind, board.now)
        if now is None:
            continue
        then = _labels(board, kind, board.compared) if board.compared is not None else None
        rows += _rows(board, money, kind, now, then)
    return pd.DataFrame(rows)


def _labels(board: Board, kind: str, number: int) -> pd.DataFrame | None:
    """customer_id and group of everybody known on the day before a period; None where there was nobody."""
    day = board.spans[number].first - dt.timedelta(days=1)
    if day < board.history.first or (kind == "state" and board.life is None):
        return None
    if kind == "state":
        assert board.life is not None
        found = collect(states(board.history, day, board.life.limits).select("customer_id", group="state"), "customer_id")
    else:
        found = segmented(board.history.earlier(day).summary()).rename(columns={"segment": "group"})[["customer_id", "group"]]
    return found.sort_values("customer_id", ignore_index=True) if len(found) else None


def _rows(board: Board, money: Money, kind: str, now: pd.DataFrame, then: pd.DataFrame | None) -> list[dict[str, object]]:
    order = [*(STATES if kind == "state" else [segment.name for segment in SEGMENTS]), NOT_YET]
    label = labelled(money.customers, now, "group", NOT_YET)
    earlier = labelled(money.customers, then, "group", NOT_YET) if then is not None else None
    buyers = _buyers(board, money, board.now)
    before = now["group"].value_counts()
    counts = pd.Series(label[buyers]).value_counts().reindex(order, fill_value=0)
    # A group is shown where enough of it were there before, and enough (or none) of it bought.
    sizes = pd.concat([before.reindex(order).fillna(counts), counts[counts > 0]], axis=1).min(axis=1)
    if earlier is not None and board.compared is not None and not sizes[NOT_YET]:
        # Nobody came now, but some had come by then: without them, the parts of then would not add up.
        sizes[NOT_YET] = int((earlier[_buyers(board, money, board.compared)] == NOT_YET).sum())
    few = set(small_groups(sizes, board.params.min_group))
    revenue, profit = (money.influence(key, board.now) for key in ("revenue", "profit"))
    assert revenue is not None
    past = money.influence("revenue", board.compared) if earlier is not None and board.compared is not None else None
    shown = [(name, [name]) for name in order if name not in few and sizes.get(name, 0) > 0]
    if few:
        shown.append((OTHER, sorted(few)))
    shown.append((TOTAL, order))
    rows: list[dict[str, object]] = []
    for name, members in shown:
        member = np.isin(label.astype(str), members)
        value, moved = (
            _total(board, "revenue", member) if name == TOTAL else float(revenue[1][member].sum()),
            revenue[1] * member,
        )
        row: dict[str, object] = {
            "kind": kind,
            "group": name,
            "before": int(before.reindex(members).fillna(0).sum()),
            "buyers": int((buyers & member).sum()),
            "revenue": value,
            "share": value / revenue[0] if revenue[0] else 0.0,
        }
        row |= dict.fromkeys(("then", "change", "change_low", "change_high", "profit"))
        if past is not None and earlier is not None:
            was = past[1] * np.isin(earlier.astype(str), members)
            row["then"] = float(was.sum())
            enough = _buyers(board, money, board.compared or 0) & (was != 0)
            found = change((float(was.sum()), was), (value, moved), level=board.params.level)
            leap = found is not None and abs(found[0]) >= 1 and float(was.sum()) < _TINY * past[0]
            if found is not None and not leap and enough.sum() >= board.params.min_group:
                row |= dict(zip(("change", "change_low", "change_high"), found, strict=True))
            if 0 < enough.sum() < board.params.min_group:
                row["then"] = None
        if profit is not None:
            earned = profit[1] * member
            # What cells cost whatever their size is nobody's: it is in the total only.
            row["profit"] = profit[0] if name == TOTAL else float(earned.sum())
        rows.append(row)
    return rows


def _total(board: Board, measure: str, member: Any) -> float:
    """The exact total, where a group is everybody."""
    value = board.value(measure, board.now)
    assert member.all()
    return value if value is not None else 0.0


def _buyers(board: Board, money: Money, number: int) -> Any:
    out = np.zeros(len(money.customers), dtype=bool)
    bought = board.people.of(number, "customers")
    if bought is not None:
        out[np.searchsorted(money.customers, board.people.customers)] = bought > 0
    return out
