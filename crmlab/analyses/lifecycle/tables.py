"""Tables of the lifecycle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.reductions import STATES
from crmlab.page.exhibits import Absent
from crmlab.page.format import THIN
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.rhythm import Thresholds
    from crmlab.analyses.lifecycle.study import Study

__all__ = [
    "check_table",
    "conversion_table",
    "growth_table",
    "matrix_table",
    "no_change",
    "rules",
    "sizes_table",
    "states_table",
    "thresholds_from",
    "thresholds_table",
    "too_short",
    "value_table",
]


def no_change(study: Study) -> Absent:
    """Why nothing is shown over time."""
    return Absent(f"The history is shorter than two {study.life.words.periods}, so no change can be shown.")


def too_short(study: Study) -> Absent:
    """Why nothing is projected."""
    words = study.life.words
    return Absent(
        f"The history is too short: it holds {words.span(study.life.periods)}, and this needs at least "
        f"{words.span(LEAST_PERIODS)} with known moves."
    )


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


def states_table(study: Study) -> Table:
    """Who is where today, by which rule."""
    life, words, form = study.life, study.life.words, study.context.form
    said = rules(life.limits, words.deed)
    shown = study.states.assign(rule=[said.get(str(state), "states with few customers") for state in study.states["state"]])
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
        f"has their own days, in the list. Shares are of all who ever came, with {form.share(study.params.level)} intervals."
    )
    return Table(caption, shown, columns, form)


def thresholds_from(study: Study) -> dict[str, str]:
    """What each threshold rests on: a quantile of the gaps, or days that were given.

    Where days were given, they are those of the whole base; who has a rhythm of their own keeps the quantile.
    """
    limits, form = study.life.limits, study.context.form
    out = {}
    for name, share in zip(("slowing", "lapsed", "lost"), limits.quantiles or (None,) * 3, strict=True):
        text = f"{form.number(100 * share)}{THIN}%" if share is not None else ""
        if getattr(study.params, f"{name}_days") is None:
            out[name] = text
        else:
            out[name] = f"given in days; own rhythm: {text}" if text and limits.multiples is not None else "given in days"
    return out


def thresholds_table(study: Study) -> Table:
    """What the thresholds come to."""
    life, form = study.life, study.context.form
    words, limits = life.words, life.limits
    multiples = limits.multiples or (math.nan,) * 3
    own = life.customers["own"].astype(bool)
    frame = pd.DataFrame(
        {
            "name": ["slowing", "lapsed", "lost"],
            "quantile": list(thresholds_from(study).values()),
            "days": limits.days,
            "multiple": multiples,
            "own_days": [
                float(life.customers.loc[own, f"{name}_after"].astype(float).median()) if own.any() else math.nan
                for name in ("slowing", "lapsed", "lost")
            ],
        }
    )
    columns = {
        "name": Column("A customer is" if words.one == "customer" else f"A {words.one} is"),
        "quantile": Column("Quantile of gaps"),
        "days": Column("After days of silence", "days"),
        "multiple": Column("Own rhythm: times the mean gap", "number"),
        "own_days": Column("That is, in the median, days", "days"),
    }
    given = [name for name in frame["name"] if getattr(study.params, f"{name}_days") is not None]
    source = f"from {form.count(limits.gaps)} gaps between {words.deeds} of one {words.one}"
    source += "; some are given in days" if given else ""
    parts = ["Thresholds, as given in days." if len(given) == 3 else f"Thresholds, {source}."]
    if limits.multiples is not None:
        parts.append(
            f"Own rhythm: {form.count(int(own.sum()))} {words.many} with at least {limits.own_from} {words.deeds}; "
            f"from {form.count(limits.own_gaps)} of their gaps, each against the mean of those before it."
        )
    return Table(" ".join(parts), frame, columns, form)


def growth_table(study: Study) -> Table | Absent:
    """Growth accounting and revenue, the latest first."""
    if len(study.accounts) < 2:
        return no_change(study)
    words = study.life.words
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
    return Table(caption, study.accounts.iloc[::-1].reset_index(drop=True), columns, study.context.form, top=13)


def sizes_table(study: Study) -> Table | Absent:
    """State sizes and revenue by date, the latest first."""
    if len(study.accounts) < 2:
        return no_change(study)
    words = study.life.words
    count = study.sizes.pivot_table("customers", "date", "state", "sum")[list(STATES)]
    money = study.sizes.pivot_table("spend", "date", "state", "sum")[list(STATES)].add_prefix("spend_")
    shown = count.join(money).reset_index().iloc[::-1].reset_index(drop=True)
    columns = {"date": Column(f"{words.period.capitalize()} to", "date")}
    columns |= {state: Column(state.capitalize(), "count") for state in STATES}
    shown["spend"] = shown[[f"spend_{state}" for state in STATES]].sum(axis=1)
    columns["spend"] = Column("Revenue", "money")
    caption = (
        f"{words.many.capitalize()} in each state at the end of each {words.period}, and the revenue of the "
        f"{words.period}; that of each state is in the file and in the picture above."
    )
    return Table(caption, shown, columns, study.context.form, top=7)


def matrix_table(study: Study) -> Table | Absent:
    """The transition matrix."""
    life, words, form = study.life, study.life.words, study.context.form
    if study.matrix is None:
        return Absent(f"The history is shorter than a {words.period}, so no moves are known.")
    columns = {"state": Column("State before"), "n": Column("Moves", "count")}
    columns |= {to: Column(f"→ {to}", "share", f"{to}_low", f"{to}_high") for to in STATES}
    caption = (
        f"Where {words.many} are one {words.period} later, from {form.count(life.periods)} {words.periods}. Small figures are "
        f"{form.share(study.params.level)} intervals (Wilson), widened where {words.periods} differ by more than chance. Rows of "
        f"fewer than {study.params.min_group} moves are empty."
    )
    return Table(caption, study.matrix, columns, form)


def conversion_table(study: Study) -> Table:
    """Time in each state, and what comes after it."""
    words, form = study.life.words, study.context.form
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
        f"Small figures are {form.share(study.params.level)} intervals; they take spells of one {words.one} for independent."
    )
    return Table(caption, study.conversion, columns, form)


def value_table(study: Study) -> Table | Absent:
    """The value of the base, by state."""
    words, params, frame, form = study.life.words, study.params, study.value, study.context.form
    if frame is None:
        return too_short(study)
    span = words.span(study.steps)
    what = "revenue" if study.source in ("revenue", "loss") else f"gross margin ({form.share(study.margin)} of spend)"
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
        f"The base as a Markov chain: {what}, discounted at {form.share(params.rate)} a year, that today's {words.many} will "
        "bring if they keep moving between states as they did. "
        f"Small figures are {form.share(params.level)} intervals, from resampled {words.periods}.{without}"
    )
    shown = frame[(frame["customers"] >= params.min_group) | (frame["state"] == "all")]
    return Table(caption, shown.reset_index(drop=True), columns, form)


def check_table(study: Study) -> Table | Absent:
    """The projection held against what came."""
    words, found, form = study.life.words, study.test, study.context.form
    if found is None:
        return Absent("The history is too short to hold an earlier projection against what came.")
    frame = pd.DataFrame([*found.states, found.total], columns=["state", "then", "expected", "low", "high", "now"])
    columns = {
        "state": Column("State"),
        "then": Column("Then", "count"),
        "expected": Column("Projected", "count", "low", "high"),
        "now": Column("Seen", "count"),
    }
    caption = (
        f"The projection made on {form.day(found.date)}, from what was known then, of that day's {words.many} "
        f"{words.span(found.steps)} ahead, and where they are now. Small figures are {form.share(study.params.level)} "
        "intervals."
    )
    return Table(caption, frame, columns, form)
