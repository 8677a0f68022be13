"""Tables of the lifecycle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.lifecycle.naming import STATES
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format
from crmlab.page.groups import OTHER
from crmlab.page.tables import Column, Table
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.projection import Check
    from crmlab.analyses.lifecycle.study import Study
    from crmlab.history.words import Words

__all__ = [
    "assumed",
    "check_table",
    "conversion_table",
    "growth_table",
    "held",
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


_LEAST_DISPERSION = 3.0  # from which the page says that periods differ


def no_change(study: Study) -> Absent:
    """Why nothing is shown over time."""
    return Absent(f"The history is shorter than two {study.life.words.periods}, so no change can be shown.")


def too_short(study: Study) -> Absent:
    """Why nothing is projected."""
    words = study.life.words
    if study.life.periods >= LEAST_PERIODS:
        return Absent(f"There are fewer than {study.params.min_group} {words.many}, too few to project.")
    return Absent(
        f"The history is too short: it holds {words.span(study.life.periods)}, and this needs at least "
        f"{words.span(LEAST_PERIODS)} with known moves."
    )


def held(study: Study) -> str:
    """How an earlier projection turned out, as the sentence that follows one that shows a projection."""
    test, form = study.test, study.context.form
    if test is None:
        return "It could not be checked against actual figures: the history is too short."
    total = test.total
    off = total.expected / max(total.seen, 0.5) - 1
    far = f"{form.share(abs(off))} too {'high' if off > 0 else 'low'}" if abs(off) >= 0.0005 else "right"
    wider = "; the interval is widened by that much in both directions" if total.missed else ""
    return (
        f"A projection made in the same way on {form.day(test.date)} was {far} ({form.count(total.expected)} expected, "
        f"{form.count(total.seen)} actual){wider}."
    )


def assumed(study: Study) -> str:
    """What the projection assumes, as a clause."""
    words = study.life.words
    if study.modelled:
        return words.fill("each goes on {buying} at their own pace until they leave for good")
    return "moves between states stay as they were on average"


def rules(days: tuple[int, int, int], words: Words, form: Format) -> dict[str, str]:
    """Each state in words, with the days of the base.

    Examples
    --------
    >>> from crmlab.history.words import WEEKS
    >>> rules((30, 60, 90), WEEKS, Format())["lapsed"]
    '61 to 90 days since the last purchase'
    """
    deed, did = words.deed, words.did
    a, after_a, b, after_b, c = (form.count(day) for day in (days[0], days[0] + 1, days[1], days[1] + 1, days[2]))
    return {
        "new": f"one {deed} so far, at most {a} days ago",
        "active": f"{did} again, last {deed} at most {a} days ago",
        "slowing": f"{after_a} to {b} days since the last {deed}",
        "reactivated": f"{did} again after lapsing, last {deed} at most {a} days ago",
        "lapsed": f"{after_b} to {c} days since the last {deed}",
        "lost": f"more than {c} days since the last {deed}",
        "prospect": f"known, but no {deed} yet",
    }


def states_table(study: Study) -> Table:
    """Who is where today, by which rule."""
    life, words, form = study.life, study.life.words, study.context.form
    said = rules(life.limits.on(life.end), words, form)
    shown = study.states.assign(rule=[said.get(str(state), f"states with few {words.many}") for state in study.states["state"]])
    prospects = life.customers[life.customers["state"] == "prospect"]
    if len(prospects):
        allowed = int((prospects["contactable"] == "yes").sum())
        row = {"state": "prospect", "customers": len(prospects), "contactable": allowed, "rule": said["prospect"]}
        shown = pd.concat([shown, pd.DataFrame([row])], ignore_index=True)
    columns = {
        "state": Column("State"),
        "customers": Column(words.many.capitalize(), "count"),
        "share": Column("Share", "share"),
    }
    if life.consent().told:
        columns["contactable"] = Column("May be contacted", "count")
    if life.periods:
        columns["spend"] = Column(words.fill(f"{{Revenue}} in the last {words.period}"), "money")
    columns["rule"] = Column(words.fill(f"General limits, in days since the last {words.deed}"), "lines")
    season = " at this time of year" if life.limits.pace is not None else ""
    given, own = words.fill("{given}"), ""
    if life.limits.multiples is not None:
        own = (
            f" A {words.one} with a rhythm of their own has limits of their own, given in the list, which are shorter for those who "
            f"{words.did} often."
        )
    caption = (
        f"States on {form.day(life.end)}. The limits shown are general ones{season}.{own} "
        f"Shares are of everyone who has ever {given}."
    )
    return Table(caption, shown, columns, form)


def thresholds_from(study: Study) -> dict[str, str]:
    """What each threshold rests on: a quantile of the gaps, or days that were given.

    Where days were given, they are those of the whole base; who has a rhythm of their own keeps the quantile.
    """
    limits, form = study.life.limits, study.context.form
    out = {}
    for name, share in zip(("slowing", "lapsed", "lost"), limits.quantiles or (None,) * 3, strict=True):
        text = f"{form.number(100 * share)}{form.percent}" if share is not None else ""
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
            "days": limits.on(life.end),
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
        "multiple": Column("Own rhythm: multiple of the mean gap", "number"),
        "own_days": Column("Median of these, in days", "days"),
    }
    given = [name for name in frame["name"] if getattr(study.params, f"{name}_days") is not None]
    source = f"from {form.count(limits.gaps)} gaps between {words.deeds} by the same {words.one}"
    source += "; some are given in days" if given else ""
    parts = ["Thresholds, as given in days." if len(given) == 3 else f"Thresholds, {source}."]
    if limits.multiples is not None:
        parts.append(
            f"Own rhythm: {form.count(int(own.sum()))} {words.many} with at least {limits.own_from} {words.deeds}, "
            f"from {form.count(limits.own_gaps)} of their gaps, each compared with the mean of the gaps before it."
        )
    if limits.pace is not None:
        many = [form.count(days) for days in limits.days]
        parts.append(
            f"Days are weighted by season, so that a day in a busy week counts for more than one in a quiet week: the thresholds are "
            f"{many[0]}, {many[1]} and {many[2]} days on average over the year; the table shows them for silence up to "
            f"{form.day(life.end)}."
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
        "new": Column("+ joined", "count"),
        "reactivated": Column("+ came back", "count"),
        "lapsed": Column("− lapsed", "count"),
        "current": Column("= current", "count"),
        "repeat": Column("of which stayed current", "count"),
    }
    caption = (
        f"Growth accounting: current {words.many} (new, active, slowing or reactivated) at the end of each {words.period}. "
        f"Joined, came back, lapsed: what happened in the {words.period}. Current = joined + repeat + came back, and = current before + "
        "joined + came back − lapsed. These are counts, so they have no intervals."
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
    columns["spend"] = Column(words.fill("{Revenue}"), "money")
    caption = (
        f"{words.many.capitalize()} in each state at the end of each {words.period}, and the {words.period}’s {words.fill('{revenue}')}. "
        f"The file also has {words.fill('{revenue}')} by state."
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
        f"Where {words.many} are one {words.period} later, based on {form.count(life.periods)} {words.periods}. Small figures are "
        f"{form.share(study.params.level)} intervals (Wilson), widened where {words.periods} differ by more than chance. Rows "
        f"with fewer than {study.params.min_group} moves are empty.{_uneven(study)}"
    )
    return Table(caption, study.matrix, columns, form)


def _uneven(study: Study) -> str:
    """Where the rates of moves do not hold for every period, as sentences that follow; empty where nothing speaks against it."""
    life, words, form, out = study.life, study.life.words, study.context.form, ""
    assert study.matrix is not None
    if 0 < life.periods < life.year:
        out += f" Moves are known for {words.span(life.periods)} only, less than a year, so the seasons are covered unevenly."
    worst = study.matrix.sort_values("dispersion", ascending=False).iloc[0]
    if worst["dispersion"] >= _LEAST_DISPERSION and not math.isnan(worst["active"]):
        often = form.number(worst["dispersion"]) if worst["dispersion"] < 100 else "more than 100"
        out += (
            f" {words.periods.capitalize()} differ: moves out of “{worst['state']}” vary {often} times as much as chance alone would "
            f"explain, so using the same rates for every {words.period} is a simplification."
        )
    return out


def conversion_table(study: Study) -> Table:
    """Time in each state, and what comes after it."""
    words, form = study.life.words, study.context.form
    columns = {
        "state": Column("State"),
        "spells": Column("Spells", "count"),
        "open": Column("Still in it", "count"),
        "median": Column("Median days in it", "days", "median_low", "median_high"),
        "back": Column(
            "Left it by buying" if words.deed == "purchase" else "Left it by giving", "share", "back_low", "back_high"
        ),
        "down": Column("Left it by silence", "share", "down_low", "down_high"),
        "reach": Column("Within (days)", "days"),
    }
    caption = (
        "Time in a state (Kaplan–Meier; spells not yet ended are censored) and what ended it (Aalen–Johansen), as far as "
        "the data reach. "
        f"Small figures are {form.share(study.params.level)} intervals; they treat spells of the same {words.one} as independent."
    )
    return Table(caption, study.conversion, columns, form)


def value_table(study: Study) -> Table | Absent:
    """The value of the base by state."""
    words, scores, form = study.life.words, study.scores, study.context.form
    if scores is None:
        return Absent(study.unvalued)
    order = [name for name in (*STATES, OTHER, customer_value.ALL) if name in study.value.index]
    frame = study.value.loc[order].rename_axis("state").reset_index()
    columns = {
        "state": Column("State"),
        "customers": Column(words.many.capitalize(), "count"),
        "value": Column("Value", "money", "value_low", "value_high"),
    }
    if scores.fit.seen:
        columns["value_today"] = Column("Value today", "money", "value_today_low", "value_today_high")
        columns["at_risk"] = Column("At risk", "money", "at_risk_low", "at_risk_high")
    caption = (
        f"What the {words.many} in each state are worth, as on the page on {words.one} value: {customer_value.what_of(scores, form)}. "
        f"Small figures are {form.share(study.params.level)} intervals."
    )
    return Table(caption, frame, columns, form)


def check_table(study: Study) -> Table | Absent:
    """The projection compared with the actual figures."""
    words, found, form = study.life.words, study.test, study.context.form
    if found is None and study.future is None:
        return Absent()  # what is not projected is not missed here
    if found is None:
        return Absent("The history is too short to check an earlier projection against the actual figures.")
    frame = pd.DataFrame([*found.states, found.total], columns=["state", "then", "expected", "low", "high", "now"])
    columns = {
        "state": Column("State"),
        "then": Column("Then", "count"),
        "expected": Column("Projected", "count", "low", "high"),
        "now": Column("Actual", "count"),
    }
    # A chain's steps of the season are no months of the calendar.
    even = study.modelled or study.life.limits.pace is None
    ahead = f"{words.span(found.steps)} later" if even else f"on {form.day(study.life.end)}"
    caption = (
        f"The projection made on {form.day(found.date)}, from what was known then, of where that day’s {words.many} would be "
        f"{ahead}, and where they are now. Small figures are its {form.share(study.params.level)} "
        f"intervals at the time, before they were widened by the misses shown here. {_missed(found, form)}"
    )
    return Table(caption.rstrip(), frame, columns, form)


def _missed(test: Check, form: Format) -> str:
    """Which states the earlier projection missed, as a sentence; empty where it missed none."""
    states = [part for part in test.states if part.missed]
    if not states:
        return ""
    each = joined(
        f"{part.name} ({form.count(part.seen)}, {part.side} {form.span(part.low, part.high, 'count')})" for part in states
    )
    return f"Of the {len(test.states)} states, {len(states)} ended outside {'its' if len(states) == 1 else 'their'} interval: {each}."
