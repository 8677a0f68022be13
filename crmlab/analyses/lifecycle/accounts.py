"""What is counted of a lifecycle: who is where, who came and went, their balance, cohorts; and with intervals: moves, time in a state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle.naming import CURRENT, GONE, NONE, STATES
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.errors import DataError
from crmlab.frames import as_pandas
from crmlab.history.orders import to_date
from crmlab.models.markov import transition_probabilities
from crmlab.models.survival import cumulative_incidence, kaplan_meier, median_time
from crmlab.page.estimate import Estimate

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from crmlab.analyses.lifecycle.life import Life

__all__ = [
    "balance",
    "cohort_frame",
    "conversion_frame",
    "curves_frame",
    "growth",
    "matrix_frame",
    "sizes_frame",
    "states_frame",
]


OTHER = "other"
_BACK = ("active", "reactivated")  # states that one comes into by a purchase


def growth(moves: Any, dates: Sequence[str | dt.date]) -> pd.DataFrame:
    """Account for the change of current customers between neighbouring dates.

    Current customers are those in the states new, active, slowing and reactivated. Everything is counted as membership: *new* were
    no customers before, *repeat* were current before and are, *reactivated* had lapsed or were lost, *lapsed* were current
    and are not.

    Parameters
    ----------
    moves : table
        Of :func:`crmlab.analyses.lifecycle.reductions.transitions`.
    dates : sequence of dates or ISO dates

    Returns
    -------
    DataFrame
        A row for each date but the first: date, before, new, repeat, reactivated, lapsed, current, and the spend since the date
        before of new (spend_new), repeat (spend_repeat) and reactivated or still gone customers (spend_reactivated).

    Raises
    ------
    AssertionError
        current = new + repeat + reactivated or current = before + new + reactivated − lapsed do not hold: never.

    Examples
    --------
    >>> import datetime as dt
    >>> from crmlab.analyses.lifecycle import Thresholds, transitions
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "b"], "ordered_at": ["2024-01-01", "2024-01-05", "2024-02-20"], "amount": 5.0})
    >>> dates = [dt.date(2024, 1, 31), dt.date(2024, 2, 20)]
    >>> found = growth(transitions(orders, [str(date) for date in dates], Thresholds(30, 45, 90)), dates)
    >>> found[["before", "repeat", "lapsed", "current"]].values.tolist()
    [[2, 1, 1, 1]]
    """
    given = as_pandas(moves, "growth", DataError, key="date")
    moves = given.assign(date=pd.to_datetime(given["date"]).dt.date)  # an engine's dates are times in pandas
    rows = []
    for date in [to_date(day, "dates", "growth") for day in dates][1:]:
        some = moves[moves["date"] == date]
        was, now = some["state_before"].isin(CURRENT), some["state"].isin(CURRENT)
        none, gone = some["state_before"] == NONE, some["state_before"].isin(GONE)
        n, spend = some["customers"], some["spend"]
        rows.append(
            {
                "date": date,
                "before": int(n[was].sum()),
                "new": int(n[none & now].sum()),
                "repeat": int(n[was & now].sum()),
                "reactivated": int(n[gone & now].sum()),
                "lapsed": int(n[was & ~now].sum()),
                "current": int(n[now].sum()),
                "spend_new": float(spend[none].sum()),
                "spend_repeat": float(spend[was].sum()),
                "spend_reactivated": float(spend[gone].sum()),
            }
        )
    found = pd.DataFrame(rows)
    if rows:
        assert (found["current"] == found["new"] + found["repeat"] + found["reactivated"]).all()
        assert (found["current"] == found["before"] + found["new"] + found["reactivated"] - found["lapsed"]).all()
        # The two counts of one date are made from different moves.
        assert (found["before"].to_numpy()[1:] == found["current"].to_numpy()[:-1]).all()
    return found


def balance(accounts: pd.DataFrame, life: Life) -> Estimate | None:
    """New and reactivated customers for each who lapsed, over the last year of settled periods; None under three of them.

    Both are counted, so there is no interval.
    """
    settled = set(life.settled)
    if not len(accounts):
        return None
    some = accounts[[date in settled for date in accounts["date"]]].tail(life.year if life.step < 12 else LEAST_PERIODS)
    if len(some) < LEAST_PERIODS or not some["lapsed"].sum():
        return None
    gained = int(some["new"].sum() + some["reactivated"].sum())
    return Estimate(gained / int(some["lapsed"].sum()), unit="per lapsed customer")


def states_frame(life: Life, min_group: int) -> pd.DataFrame:
    """Customers per state on the last day: state, customers, share, spend in the last period, and who may be contacted.

    They are counted, so there are no intervals. States with fewer than ``min_group`` customers are one row, ``other``.
    """
    sizes = life.sizes()
    total = int(sizes.sum())
    latest = life.moves[life.moves["date"] == life.end] if life.periods else life.moves
    spend = latest.groupby("state")["spend"].sum().reindex(list(STATES), fill_value=0.0)
    allowed = life.customers.loc[life.customers["contactable"] == "yes", "state"].value_counts()
    allowed = allowed.reindex(list(STATES), fill_value=0)
    small = [state for state in STATES if 0 < sizes[state] < min_group]
    parts = [(state, [state]) for state in STATES if sizes[state] >= min_group]
    parts += [(OTHER, small)] if small else []
    return pd.DataFrame(
        {
            "state": name,
            "customers": int(sizes[states].sum()),
            "share": int(sizes[states].sum()) / total,
            "contactable": int(allowed[states].sum()),
            "spend": float(spend[states].sum()),
        }
        for name, states in parts
    )


def sizes_frame(life: Life) -> pd.DataFrame:
    """Customers and revenue per state on each date: date, state, customers, spend (in the period to the date)."""
    found = life.moves.groupby(["date", "state"])[["customers", "spend"]].sum()
    index = pd.MultiIndex.from_product([life.dates[1:], list(STATES)], names=["date", "state"])
    return found.reindex(index, fill_value=0).reset_index()


def matrix_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Transition probabilities: state, n, and for each state its probability with low and high; rows of few moves
    are left empty.
    """
    found = transition_probabilities(life.counts(), level)
    rows = []
    for i, state in enumerate(STATES):
        shown = found.n[i] >= min_group
        row: dict[str, object] = {"state": state, "n": int(found.n[i]) if shown else None, "dispersion": found.dispersion[i]}
        for j, to in enumerate(STATES):
            possible = to != "new" or state == "new"  # nobody becomes new again
            for name, values in (("", found.p), ("_low", found.low), ("_high", found.high)):
                row[f"{to}{name}"] = float(values[i, j]) if shown and possible else math.nan
        rows.append(row)
    return pd.DataFrame(rows)


def curves_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Who has come back to buy, by days since entering a state (Aalen–Johansen): state, time, back, low, high.

    Of those who are active another purchase ends nothing, so they have no rows; nor have states of fewer than ``min_group`` spells.
    """
    parts = []
    for state in STATES:
        some = life.spells[life.spells["state"] == state]
        if state == "active" or some["spells"].sum() < min_group:
            continue
        found = cumulative_incidence(some["days"], _causes(some), some["spells"], level)
        parts.append(found[found["cause"] == 1].rename(columns={"incidence": "back"}).assign(state=state))
    names = ["state", "time", "back", "low", "high"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame({name: [] for name in names})


def _causes(spells: pd.DataFrame) -> np.ndarray:
    """What ended each spell: 1 another purchase, 2 silence, 0 nothing yet."""
    return np.where(spells["next_state"].isna(), 0, np.where(spells["next_state"].isin(_BACK), 1, 2))


def conversion_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Time in each state, and what comes after it: state, spells, open, reach, median, back and down with low and high.

    States of fewer than ``min_group`` spells have no row.
    """
    rows = []
    for state in STATES:
        some = life.spells[life.spells["state"] == state]
        n = int(some["spells"].sum())
        if n < min_group:
            continue
        ended = some["next_state"].notna()
        curve = kaplan_meier(some["days"], ended, some["spells"], level)
        middle = median_time(curve)
        share = cumulative_incidence(some["days"], _causes(some), some["spells"], level)
        row: dict[str, object] = {
            "state": state,
            "spells": n,
            "open": int(some.loc[~ended, "spells"].sum()),
            "reach": float(curve["time"].max()) if len(curve) > 1 else math.nan,
        }
        for name, value in zip(("median", "median_low", "median_high"), middle, strict=True):
            row[name] = value if math.isfinite(middle[0]) else math.nan
        for cause, name in ((1, "back"), (2, "down")):
            last = share[share["cause"] == cause].tail(1)
            for column, end in (("incidence", ""), ("low", "_low"), ("high", "_high")):
                row[f"{name}{end}"] = float(last[column].iloc[0]) if len(last) else math.nan
        if state == "active":  # another purchase does not end it
            row |= dict.fromkeys(("back", "back_low", "back_high"), math.nan)
        rows.append(row)
    columns = ["state", "spells", "open", "median", "back", "down", "reach"]
    return pd.DataFrame(rows, columns=None if rows else columns)


def cohort_frame(life: Life, min_group: int) -> pd.DataFrame:
    """The cohort triangle: cohort (last day of its period), size, age in periods, share who bought: counted, so without intervals.

    Ages that are not over yet have no row; cohorts under ``min_group`` neither.
    """
    rows = []
    for place, day in enumerate(life.cohort_dates):
        some = life.cohorts[life.cohorts["cohort"] == place].set_index("period")["customers"] if len(life.cohorts) else {}
        size = int(some.get(place, 0))
        if size < min_group:
            continue
        for age in range(1, len(life.cohort_dates) - place):
            count = int(some.get(place + age, 0))
            rows.append({"cohort": day, "customers": size, "age": age, "bought": count, "share": count / size})
    return pd.DataFrame(rows, columns=["cohort", "customers", "age", "bought", "share"])
