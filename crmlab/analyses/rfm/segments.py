"""Scores of recency, frequency and money, and the ten segments that follow from them.

Customers are scored on days since the last purchase occasion, on the number of occasions (not receipts), and on total
spend. Equal customers get equal scores, whatever the order of the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.errors import DataError, checks
from crmlab.frames import KINDS, as_pandas, is_table
from crmlab.history.words import QUARTER, ROUNDS, YEAR
from crmlab.page.groups import OTHER, small_groups

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from crmlab.history.words import Words

__all__ = [
    "NOT_YET",
    "SEGMENTS",
    "Segment",
    "back",
    "cut_points",
    "level",
    "movement",
    "not_yet",
    "score",
    "segment_of",
    "segment_table",
    "segmented",
    "spent",
]


NOT_YET = "Not yet a customer"


@dataclass(frozen=True)
class Segment:
    """One segment: a range of levels (1 to 5, high is good) of recency and of frequency, and what that means.

    A level is a place among the other customers, so that meanings are relative: level 1 of frequency may hold customers
    with more than one occasion, and level 3 customers with two. No segment bears the name of a state of the lifecycle.
    """

    name: str
    recency: tuple[int, int]
    frequency: tuple[int, int]
    meaning: str


# The one table of rules. Every pair of levels is in exactly one segment.
SEGMENTS = (
    Segment("Champions", (5, 5), (4, 5), "among those who bought most recently and most often"),
    Segment("Loyal", (3, 4), (4, 5), "among the most frequent buyers, but not among the most recent"),
    Segment("Promising repeaters", (4, 5), (2, 3), "bought recently, neither rarely nor often"),
    Segment("Recent", (5, 5), (1, 1), "few purchases, the last very recently"),
    Segment("Fresh", (4, 4), (1, 1), "few purchases, the last recently"),
    Segment("Needs attention", (3, 3), (3, 3), "average, and cooling off"),
    Segment("About to sleep", (3, 3), (1, 2), "few purchases, the last some time ago"),
    Segment("Quiet regulars", (1, 2), (3, 4), "bought more often than many, but not for a long time"),
    Segment("Cannot lose", (1, 2), (5, 5), "among the most frequent buyers, but not for a long time"),
    Segment("Hibernating", (1, 2), (1, 2), "few purchases, the last long ago"),
)


_LARGEST = 9e14  # whose hundredths are whole numbers that a computer counts exactly
_MADE = "Make the table with customer_summary."


def score(summary: Any, bins: int = 5) -> pd.DataFrame:
    """Score customers from 1 to ``bins`` on recency, frequency and money.

    For occasions and spend a score is one more than the number of whole ``bins``-ths of the base that do strictly worse; for
    recency it is ``bins`` less the number that bought strictly later. So who bought least gets 1, and who bought last gets
    ``bins``, however many they are. Ties are never split: equal values get equal scores, so bins are unequal where values bunch.

    Parameters
    ----------
    summary : table
        An Ibis table, or a frame of pandas, Polars or PyArrow, as of :func:`crmlab.history.customers.customer_summary`: customer_id,
        days_since_last, occasions, total_spend.
    bins : int
        Number of scores, 2 to 10.

    Returns
    -------
    DataFrame
        The summary ordered by customer_id, with r_score (few days since the last occasion are good), f_score and
        m_score; whole numbers from 1 to ``bins``.

    Raises
    ------
    ParameterError
        ``bins`` is out of range.
    DataError
        A column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [1, 9, 9, 30],
    ...                         "occasions": [4, 1, 1, 2], "total_spend": [90.0, 10.0, 12.0, 30.0]})
    >>> score(summary, bins=2)[["r_score", "f_score", "m_score"]].to_dict("list")
    {'r_score': [2, 2, 2, 1], 'f_score': [2, 1, 1, 2], 'm_score': [2, 1, 1, 2]}
    """
    checks.whole("rfm", "bins", bins, 2, 10)
    frame = _frame(summary)
    for column in ("customer_id", "days_since_last", "occasions", "total_spend"):
        if column not in frame.columns:
            raise DataError.frame_lacks("summary", column, frame.columns)
    for column in ("days_since_last", "occasions", "total_spend"):
        _numbers(frame, column)
    frame = frame.sort_values("customer_id", ignore_index=True)
    # Cents, not floats: two customers who spent the same must tie whatever the sum of their floats.
    cents = (frame["total_spend"].astype(float) * 100).round().astype("int64")
    return frame.assign(
        r_score=_from_the_top(frame["days_since_last"].to_numpy(), bins),
        f_score=_ranked(frame["occasions"].to_numpy(), bins),
        m_score=_ranked(cents.to_numpy(), bins),
    )


def _frame(summary: Any) -> pd.DataFrame:
    if not is_table(summary):
        raise DataError.must_be("rfm", f"given {KINDS}", type(summary).__name__, _MADE)
    frame = as_pandas(summary, "rfm", DataError)
    if "customer_id" not in frame.columns and "customer_id" in frame.index.names:
        return frame.reset_index()
    return frame


def _numbers(frame: pd.DataFrame, column: str) -> None:
    """Make sure that a column can be ranked."""
    import numpy as np
    import pandas as pd

    kind = frame[column].dtype
    decimals = pd.api.types.is_object_dtype(kind) and all(isinstance(value, Decimal) for value in frame[column])
    if not decimals and (not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind)):
        raise DataError.must_hold("summary", column, "numbers", f"type {kind}", _MADE)
    values = frame[column].to_numpy(dtype=float, na_value=np.nan)
    wrong = ~(np.abs(values) < _LARGEST)
    if wrong.any():
        raise DataError.must_hold(
            "summary", column, f"numbers under {_LARGEST:g}, none of them missing", str(values[wrong][0]), _MADE
        )


def _from_the_top(days: Any, bins: int) -> np.ndarray:
    """The best score less the number of whole bins-ths of the base that bought strictly later: the latest are always best."""
    import numpy as np

    later = np.searchsorted(np.sort(days), days, side="left")
    return bins - (bins * later) // max(len(days), 1)


def _ranked(values: Any, bins: int) -> np.ndarray:
    """1 + the number of whole bins-ths of the base that lie strictly below, in whole numbers only."""
    import numpy as np

    below = np.searchsorted(np.sort(values), values, side="left")
    return 1 + (bins * below) // max(len(values), 1)


def level(score_value: int, bins: int) -> int:
    """Bring a score from 1 to ``bins`` to one of five levels, the ends to the ends.

    Examples
    --------
    >>> [level(s, 3) for s in (1, 2, 3)]
    [1, 3, 5]
    >>> [level(s, 10) for s in range(1, 11)]
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    """
    return 1 + (8 * (score_value - 1) + bins - 1) // (2 * (bins - 1))


def segment_of(r_score: int, f_score: int, bins: int = 5) -> Segment:
    """Return the segment of a pair of scores.

    Examples
    --------
    >>> segment_of(5, 5).name
    'Champions'
    """
    r, f = level(r_score, bins), level(f_score, bins)
    return next(s for s in SEGMENTS if s.recency[0] <= r <= s.recency[1] and s.frequency[0] <= f <= s.frequency[1])


def segmented(summary: Any, bins: int = 5) -> pd.DataFrame:
    """Score customers and name their segments.

    Parameters
    ----------
    summary : table
        As :func:`score` takes it.
    bins : int
        Number of scores, 2 to 10.

    Returns
    -------
    DataFrame
        As of :func:`score`, with the column segment.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [1, 9, 9, 30],
    ...                         "occasions": [4, 1, 1, 2], "total_spend": [90.0, 10.0, 12.0, 30.0]})
    >>> segmented(summary)[["customer_id", "segment"]].values.tolist()
    [['a', 'Champions'], ['b', 'Fresh'], ['c', 'Fresh'], ['d', 'Quiet regulars']]
    """
    scored = score(summary, bins)
    names = {(r, f): segment_of(r, f, bins).name for r in range(1, bins + 1) for f in range(1, bins + 1)}
    pairs = zip(scored["r_score"], scored["f_score"], strict=True)
    return scored.assign(segment=[names[pair] for pair in pairs])


def segment_table(scored: pd.DataFrame, min_group: int = 5) -> pd.DataFrame:
    """Count the segments and what they spent. All of it is what was, so nothing has an interval.

    Parameters
    ----------
    scored : DataFrame
        As of :func:`segmented`.
    min_group : int
        Segments with fewer customers are added up as "Other", so that totals hold.

    Returns
    -------
    DataFrame
        One row per segment with customers, by revenue: segment, customers, share, revenue, revenue_share, median_spend,
        median_days.
    """
    import pandas as pd

    small = small_groups(scored["segment"].value_counts(), min_group)
    group = scored["segment"].where(~scored["segment"].isin(small), OTHER)
    days = scored["days_since_last"]
    rows = []
    for name in sorted(group.unique()):
        member = (group == name).to_numpy()
        rows.append(
            {
                "segment": name,
                "customers": int(member.sum()),
                "share": float(member.mean()),
                **spent(scored["total_spend"].to_numpy(float), member),
                "median_spend": float(scored.loc[member, "total_spend"].median()),
                "median_days": float(days[member].median()),
            }
        )
    frame = pd.DataFrame(rows)
    frame["_last"] = frame["segment"] == OTHER
    ordered = frame.sort_values(["_last", "revenue", "segment"], ascending=[True, False, True], ignore_index=True)
    return ordered.drop(columns="_last")


def spent(spend: np.ndarray, member: np.ndarray) -> dict[str, float]:
    """What some customers spent, and which share of everybody's that is; not a number where nobody spent anything.

    Examples
    --------
    >>> import numpy as np
    >>> spent(np.array([30.0, 10.0]), np.array([True, False]))
    {'revenue': 30.0, 'revenue_share': 0.75}
    """
    revenue, total = round(float(spend[member].sum()), 4), float(spend.sum())
    return {"revenue": revenue, "revenue_share": float(spend[member].sum()) / total if total else math.nan}


def back(words: Words) -> int:
    """Days between the two days that are compared: a quarter, or where people give once a year a year, so that the season is the same.

    Examples
    --------
    >>> from crmlab.history.words import ROUNDS, WEEKS
    >>> back(WEEKS), back(ROUNDS)
    (91, 365)
    """
    return YEAR if words is ROUNDS else QUARTER


def not_yet(words: Words) -> str:
    """What :data:`NOT_YET` is called on a page.

    Examples
    --------
    >>> from crmlab.history.words import ROUNDS, WEEKS
    >>> not_yet(WEEKS) == NOT_YET, not_yet(ROUNDS)
    (True, 'Not yet a donor')
    """
    return NOT_YET.replace("customer", words.one)


def movement(scored: pd.DataFrame) -> pd.DataFrame:
    """Count who moved between segments.

    Parameters
    ----------
    scored : DataFrame
        With segment and segment_before (missing for who was no customer then).

    Returns
    -------
    DataFrame
        segment_before ("Not yet a customer" where missing), segment (now), customers.
    """
    before = scored["segment_before"].fillna(NOT_YET)
    pairs = scored.assign(segment_before=before).groupby(["segment_before", "segment"], sort=True)
    return pairs.size().rename("customers").reset_index()


def cut_points(scored: pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Say from where to where each score reaches.

    Parameters
    ----------
    scored : DataFrame
        As of :func:`score`.
    bins : int
        Number of scores.

    Returns
    -------
    DataFrame
        One row per score, best first: score and, for days, occasions and spend, from, to and customers; a score that
        nobody has is missing there.
    """
    import pandas as pd

    rows = []
    measures = {
        "days": ("r_score", "days_since_last"),
        "occasions": ("f_score", "occasions"),
        "spend": ("m_score", "total_spend"),
    }
    for value in range(bins, 0, -1):
        row: dict[str, Any] = {"score": value}
        for name, (score_column, column) in measures.items():
            found = scored.loc[scored[score_column] == value, column]
            row |= {
                f"{name}_from": found.min() if len(found) else None,
                f"{name}_to": found.max() if len(found) else None,
                f"{name}_customers": len(found),
            }
        rows.append(row)
    return pd.DataFrame(rows)
