"""Tables of the lifecycle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle.reductions import CURRENT, STATES
from crmlab.models.intervals import wilson
from crmlab.models.markov import transition_probabilities
from crmlab.models.survival import cumulative_incidence, kaplan_meier, median_time
from crmlab.page.format import DASH, THIN
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.projection import Check
    from crmlab.analyses.lifecycle.rhythm import Thresholds
    from crmlab.analyses.lifecycle.study import Life
    from crmlab.page.format import Format

__all__ = [
    "OTHER",
    "check_table",
    "conversion_table",
    "curves_frame",
    "growth_table",
    "matrix_frame",
    "matrix_table",
    "rules",
    "sizes_frame",
    "sizes_table",
    "states_frame",
    "states_table",
    "thresholds_table",
    "value_table",
]


OTHER = "other"
_BACK = ("active", "reactivated")  # states that one comes into by a purchase


def rules(limits: Thresholds, deed: str) -> dict[str, str]:
    """Each state in words, with the days of the base.

    Examples
    --------
    >>> from crmlab.analyses.lifecycle.rhythm import Thresholds
    >>> rules(Thresholds(30, 60, 90), "purchase")["lapsed"]
    '61–90 days since the last purchase'
    """
    a, b, c = limits.days
    return {
        "new": f"one {deed} so far, at most {a} days ago",
        "active": f"came again, last {deed} at most {a} days ago",
        "slowing": f"{a + 1}–{b} days since the last {deed}",
        "reactivated": f"came back after having lapsed, at most {a} days ago",
        "lapsed": f"{b + 1}–{c} days since the last {deed}",
        "lost": f"more than {c} days since the last {deed}",
        "prospect": f"known, without any {deed}",
    }


def states_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Customers per state on the last day: state, customers, share with interval, spend in the last period.

    States with fewer than ``min_group`` customers are one row, ``other``.
    """
    sizes = life.sizes()
    total = int(sizes.sum())
    latest = life.moves[life.moves["date"] == life.end] if life.periods else life.moves
    spend = latest.groupby("state")["spend"].sum().reindex(list(STATES), fill_value=0.0)
    small = [state for state in STATES if 0 < sizes[state] < min_group]
    rows = [(state, int(sizes[state]), float(spend[state])) for state in STATES if sizes[state] >= min_group]
    if small:
        rows.append((OTHER, int(sizes[small].sum()), float(spend[small].sum())))
    out = []
    for state, count, money in rows:
        low, high = wilson(count, total, level)
        out.append(
            {"state": state, "customers": count, "share": count / total, "share_low": low, "share_high": high, "spend": money}
        )
    return pd.DataFrame(out)


def states_table(frame: pd.DataFrame, life: Life, form: Format, level: float) -> Table:
    """Who is where today, by which rule."""
    words = life.words
    said = rules(life.limits, words.deed)
    shown = frame.assign(rule=[said.get(str(state), "states with few customers") for state in frame["state"]])
    prospects = int((life.customers["state"] == "prospect").sum())
    if prospects:
        row = {"state": "prospect", "customers": prospects, "rule": said["prospect"]}
        shown = pd.concat([shown, pd.DataFrame([row])], ignore_index=True)
    columns = {
        "state": Column("State"),
        "customers": Column(words.many.capitalize(), "count"),
        "share": Column("Share", "share", "share_low", "share_high"),
    }
    if life.periods:
        columns["spend"] = Column(f"Revenue in the last {words.period}", "money")
    columns["rule"] = Column("Rule", "lines")
    caption = (
        f"States on {form.day(life.end)}. Days are those of the whole base; a {words.one} with a rhythm of their own "
        "has their own "
        f"days, in the list. Shares are of all who ever came, with {form.share(level)} intervals."
    )
    return Table(caption, shown, columns, form)


def thresholds_table(life: Life, form: Format) -> Table:
    """What the thresholds come to."""
    limits = life.limits
    quantiles = [f"{form.number(100 * share)}{THIN}%" for share in limits.quantiles] if limits.quantiles else [DASH] * 3
    multiples = limits.multiples or (math.nan,) * 3
    own = life.customers["own"].astype(bool)
    frame = pd.DataFrame(
        {
            "name": ["slowing", "lapsed", "lost"],
            "quantile": quantiles,
            "days": limits.days,
            "multiple": multiples,
            "own_days": [
                float(life.customers.loc[own, f"{name}_after"].astype(float).median()) if own.any() else math.nan
                for name in ("slowing", "lapsed", "lost")
            ],
        }
    )
    columns = {
        "name": Column("A customer is" if life.words.one == "customer" else f"A {life.words.one} is"),
        "quantile": Column("Quantile of gaps"),
        "days": Column("After days of silence", "days"),
        "multiple": Column("Own rhythm: times the mean gap", "number"),
        "own_days": Column("That is, in the median, days", "days"),
    }
    parts = [f"Thresholds, from {form.count(limits.gaps)} gaps between {life.words.deeds} of one {life.words.one}."]
    if limits.multiples is not None:
        parts.append(
            f"Own rhythm: {form.count(int(own.sum()))} {life.words.many} with at least {limits.own_from} {life.words.deeds}; "
            f"from {form.count(limits.own_gaps)} of their gaps, each against the mean of those before it."
        )
    return Table(" ".join(parts), frame, columns, form)


def growth_table(frame: pd.DataFrame, life: Life, form: Format) -> Table:
    """Growth accounting and revenue, the latest first."""
    words = life.words
    columns = {
        "date": Column(f"{words.period.capitalize()} to", "date"),
        "before": Column("Current before", "count"),
        "new": Column("+ new", "count"),
        "reactivated": Column("+ reactivated", "count"),
        "lapsed": Column("− lapsed", "count"),
        "current": Column("= current", "count"),
        "repeat": Column("of whom repeat", "count"),
    }
    caption = (
        f"Growth accounting: current {words.many} (new, active, slowing or reactivated) at the end of each {words.period}. "
        "Current = new + repeat + reactivated, and = current before + new + reactivated − lapsed. These are counts, so "
        "without intervals."
    )
    return Table(caption, frame.iloc[::-1].reset_index(drop=True), columns, form, top=13)


def sizes_frame(life: Life) -> pd.DataFrame:
    """Customers and revenue per state on each date: date, state, customers, spend (in the period to the date)."""
    found = life.moves.groupby(["date", "state"])[["customers", "spend"]].sum()
    index = pd.MultiIndex.from_product([life.dates[1:], list(STATES)], names=["date", "state"])
    return found.reindex(index, fill_value=0).reset_index()


def sizes_table(frame: pd.DataFrame, life: Life, form: Format) -> Table:
    """State sizes and revenue by date, the latest first."""
    count = frame.pivot_table("customers", "date", "state", "sum")[list(STATES)]
    money = frame.pivot_table("spend", "date", "state", "sum")[list(STATES)].add_prefix("spend_")
    shown = count.join(money).reset_index().iloc[::-1].reset_index(drop=True)
    columns = {"date": Column(f"{life.words.period.capitalize()} to", "date")}
    columns |= {state: Column(state.capitalize(), "count") for state in STATES}
    shown["spend"] = shown[[f"spend_{state}" for state in STATES]].sum(axis=1)
    columns["spend"] = Column("Revenue", "money")
    caption = (
        f"{life.words.many.capitalize()} in each state at the end of each {life.words.period}, and the revenue of the "
        f"{life.words.period}; that of each state is in the file and in the picture above."
    )
    return Table(caption, shown, columns, form, top=7)


def matrix_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Transition probabilities: state, n, and for each state its probability with low and high; rows of few moves "
    "left empty.
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


def matrix_table(frame: pd.DataFrame, life: Life, form: Format, level: float, min_group: int) -> Table:
    """The transition matrix."""
    words = life.words
    columns = {"state": Column("State before"), "n": Column("Moves", "count")}
    columns |= {to: Column(f"→ {to}", "share", f"{to}_low", f"{to}_high") for to in STATES}
    caption = (
        f"Where {words.many} are one {words.period} later, from {form.count(life.periods)} {words.periods}. Small figures are "
        f"{form.share(level)} intervals (Wilson), widened where {words.periods} differ by more than chance. Rows of fewer than "
        f"{min_group} moves are empty."
    )
    return Table(caption, frame, columns, form)


def curves_frame(life: Life, level: float, min_group: int) -> pd.DataFrame:
    """Kaplan–Meier curves of the time in each state: state, time, at_risk, survival, low, high."""
    parts = []
    for state in STATES:
        some = life.spells[life.spells["state"] == state]
        if some["spells"].sum() < min_group:
            continue
        curve = kaplan_meier(some["days"], some["next_state"].notna(), some["spells"], level)
        parts.append(curve.assign(state=state))
    names = ["state", "time", "at_risk", "survival", "low", "high"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame({name: [] for name in names})


def conversion_table(life: Life, form: Format, level: float, min_group: int) -> Table:
    """Time in each state, and what comes after it."""
    words = life.words
    rows = []
    for state in STATES:
        some = life.spells[life.spells["state"] == state]
        n = int(some["spells"].sum())
        if n < min_group:
            continue
        ended = some["next_state"].notna()
        curve = kaplan_meier(some["days"], ended, some["spells"], level)
        middle = median_time(curve)
        causes = np.where(~ended, 0, np.where(some["next_state"].isin(_BACK), 1, 2))
        share = cumulative_incidence(some["days"], causes, some["spells"], level)
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
    columns = {
        "state": Column("State"),
        "spells": Column("Spells", "count"),
        "open": Column("still in it", "count"),
        "median": Column("Median days in it", "days", "median_low", "median_high"),
        "back": Column(
            "Left it by buying" if words.deed == "purchase" else "Left it by giving", "share", "back_low", "back_high"
        ),
        "down": Column("Left it by silence", "share", "down_low", "down_high"),
        "reach": Column("Within days", "days"),
    }
    caption = (
        "Time in a state (Kaplan–Meier; spells that last are censored) and what ended it (Aalen–Johansen), as far as "
        "the data reach. "
        f"Small figures are {form.share(level)} intervals; they take spells of one {words.one} for independent."
    )
    frame = pd.DataFrame(rows, columns=None if rows else list(columns))
    return Table(caption, frame, columns, form)


def value_table(frame: pd.DataFrame, life: Life, form: Format, level: float, what: str, span: str, min_group: int) -> Table:
    """The value of the base, by state."""
    words = life.words
    columns = {
        "state": Column("State"),
        "customers": Column(words.many.capitalize(), "count"),
        "each": Column(f"Per {words.one} in {span}", "amount", "each_low", "each_high"),
        "near": Column(f"In all, {span}", "money", "near_low", "near_high"),
    }
    without = (
        " Value without end is left out: the lost were not watched for a year, so nobody knows how many come back for good."
    )
    if "whole" in frame:
        columns["whole"] = Column("Without end", "money", "whole_low", "whole_high")
        without = " Value without end takes the lost to go on coming back as they did."
    caption = (
        f"The base as a Markov chain: {what} that today's {words.many} will bring if they keep moving between states as "
        "they did. "
        f"Small figures are {form.share(level)} intervals, from resampled {words.periods}.{without}"
    )
    shown = frame[(frame["customers"] >= min_group) | (frame["state"] == "all")]
    return Table(caption, shown.reset_index(drop=True), columns, form)


def check_table(found: Check, life: Life, form: Format, level: float) -> Table:
    """The projection held against what came."""
    rows = [
        {
            "state": state,
            "then": found.then[k],
            "expected": found.found.expected[-1, k],
            "low": found.found.low[-1, k],
            "high": found.found.high[-1, k],
            "now": found.now[k],
        }
        for k, state in enumerate(STATES)
        if found.then[k] or found.now[k]
    ]
    k = len(CURRENT)
    whole = found.found.current[:, -1]
    rows.append(
        {
            "state": "current in all", "then": found.then[:k].sum(), "expected": whole[0], "low": whole[1], "high": whole[2],
            "now": found.now[:k].sum(),
        }
    )  # fmt: skip
    words = life.words
    columns = {
        "state": Column("State"),
        "then": Column("Then", "count"),
        "expected": Column("Projected", "count", "low", "high"),
        "now": Column("Seen", "count"),
    }
    caption = (
        f"The projection made on {form.day(found.date)}, from what was known then, of that day's {words.many} "
        f"{words.span(found.steps)} ahead, and where they are now. Small figures are {form.share(level)} intervals."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)
