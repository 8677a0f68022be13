"""Charts of the lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle.naming import CURRENT, NONE, STATES
from crmlab.analyses.lifecycle.projection import dates_ahead
from crmlab.analyses.lifecycle.tables import assumed, held, no_change, too_short
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crmlab.analyses.lifecycle.life import Life
    from crmlab.analyses.lifecycle.study import Study
    from crmlab.page.format import Format

__all__ = [
    "cohorts_chart",
    "growth_chart",
    "projection_chart",
    "revenue_chart",
    "sankey_chart",
    "sizes_chart",
    "time_chart",
]


def growth_chart(study: Study) -> Chart | Absent:
    """How many are current, and who came and went."""
    if len(study.accounts) < 2:
        return no_change(study)
    frame, life, words, form = study.accounts, study.life, study.life.words, study.context.form
    days = _days(frame["date"])
    width = 0.72 * float(np.median(np.diff(days))) if len(days) > 1 else 20.0

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.5])
        for ax, title in (
            (top, f"Current {words.many}"),
            (bottom, f"{words.many.capitalize()} gained and lost, per {words.period}"),
        ):
            marks.axes(ax, form, y=lambda value: form.count(abs(value)), title=title)
        top.plot(days, frame["current"], color=color("accent"), linewidth=2.2)
        top.plot(days[-1], frame["current"].iloc[-1], "o", color=color("accent"), markersize=6)
        now = float(frame["current"].iloc[-1])
        marks.label(top, form.count(now), days[-1], now, gap=(7, 0), token="accent", size=10, fontweight="bold")
        top.set_ylim(0, 1.15 * max(float(frame["current"].max()), 1))
        gained = frame["new"] + frame["reactivated"]
        bottom.bar(days, frame["new"], width, color=color("accent"))
        bottom.bar(days, frame["reactivated"], width, bottom=frame["new"], color=color("second"))
        bottom.bar(days, -frame["lapsed"], width, color=color("muted"))
        bottom.axhline(0, color=color("ink"), linewidth=0.8)
        net = gained - frame["lapsed"]
        bottom.plot(days, net, "o-", color=color("ink"), linewidth=1, markersize=3)
        # Room for the names above and below the bars, each at the largest of its own and in its colour.
        most, least = float(max(gained.max(), 1)), float(frame["lapsed"].max())
        bottom.set_ylim(-1.2 * least - 0.12 * most, 1.35 * most + 0.1 * least)
        taken: set[int] = set()
        for name, series, token in (("joined", frame["new"], "accent"), ("came back", frame["reactivated"], "second")):
            if series.max() > 0:
                at = int(series.to_numpy().argmax())
                up, side = 18 if at in taken else 5, "left" if at < 2 else "center"
                taken |= {at}
                place = days[at] - (width / 2 if at < 2 else 0)
                marks.label(bottom, name, place, float(gained.iloc[at]), gap=(0, up), token=token, ha=side, va="bottom")
        if least > 0:
            at = int(frame["lapsed"].to_numpy().argmax())
            side, place = ("left", days[at] - width / 2) if at < 2 else ("center", days[at])
            marks.label(bottom, "lapsed", place, -least, gap=(0, -5), ha=side, va="top")
        marks.label(bottom, "net", days[-1] + 0.7 * width, float(net.iloc[-1]), token="ink")
        bottom.set_xlim(days[0] - width, days[-1] + 0.17 * max(days[-1] - days[0], width))
        _dated(bottom, form, life, days)

    last = frame.iloc[-1]
    return Chart(
        f"Above: {words.many} who are current (new, active, slowing or reactivated) at the end of each {words.period}. "
        f"Below: those who joined or came back (above the line) and those who lapsed (below it) in the {words.period}; each name has the "
        "colour of its bars and stands where they are longest. Dots are the net change.",
        f"A line of current {words.many}, {form.count(last['current'])} at the end, above bars of those gained and lost.",
        draw,
        frame,
        (8, 4.4),
    )


def sizes_chart(study: Study) -> Chart | Absent:
    """The size of each state over time, a panel each."""
    if len(study.accounts) < 2:
        return no_change(study)
    frame, life, words, form = study.sizes, study.life, study.life.words, study.context.form
    table = frame.pivot_table("customers", "date", "state", "sum")[list(STATES)]
    days = _days(table.index)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(2, 3, sharex=True).ravel()
        for ax, state in zip(axes, STATES, strict=True):
            token = "accent" if state in CURRENT else "muted"
            values = table[state].to_numpy(float)
            limits = (0, 1.12 * max(float(values.max()), 1.0))
            marks.axes(ax, form, y="count", title=f"{state}: {form.count(values[-1])}", ylim=limits)
            marks.ticks(ax.yaxis, 3)
            ax.plot(days, values, color=color(token), linewidth=1.8)
            ax.plot(days[-1], values[-1], "o", color=color(token), markersize=4)
            _dated(ax, form, life, days, most=2)

    return Chart(
        f"{words.many.capitalize()} in each state at the end of each {words.period}; every panel has its own "
        "scale. The number is today’s.",
        f"Six panels, one line each, of the number of {words.many} in a state over time.",
        draw,
        frame,
        (8, 3.6),
    )


def revenue_chart(study: Study) -> Chart | Absent:
    """Revenue by where its customers stood before."""
    if len(study.accounts) < 2:
        return no_change(study)
    frame, life, words, form = study.accounts, study.life, study.life.words, study.context.form
    days = _days(frame["date"])
    width = 0.72 * float(np.median(np.diff(days))) if len(days) > 1 else 20.0
    parts = (("repeat", "repeat", 1.0), ("reactivated", "came back", 0.6), ("new", "joined", 0.3))

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="money")
        base = np.zeros(len(frame))
        ends = {}
        for name, shown, strength in parts:
            values = frame[f"spend_{name}"].to_numpy(float)
            ax.bar(days, values, width, bottom=base, color=color("accent"), alpha=strength, linewidth=0)
            ends[shown] = (float(base[-1] + values[-1] / 2), "ink")
            base = base + values
        marks.end_labels(ax, ends, days[-1] + 0.7 * width, 0.08 * max(float(base.max()), 1.0))
        ax.set_xlim(days[0] - width, days[-1] + 0.17 * max(days[-1] - days[0], width))
        _dated(ax, form, life, days)

    share = frame["spend_repeat"].iloc[-1] / max(
        float(frame[["spend_new", "spend_repeat", "spend_reactivated"]].iloc[-1].sum()), 1e-9
    )
    return Chart(
        f"{words.fill('{Revenue}')} per {words.period} from {words.many} who were current before (repeat), who had lapsed or were lost "
        f"(came back), and who had never {words.fill('{given}')} before (joined); from the strong colour to the faint one.",
        f"Stacked bars of {words.fill('{revenue}')} over time; repeat {words.many} bring {form.share(share)} in the last {words.period}.",
        draw,
        frame[["date", "spend_new", "spend_repeat", "spend_reactivated"]],
        (8, 2.6),
    )


def sankey_chart(study: Study) -> Chart | Absent:
    """Where customers of the day looked back to are now, and where today's come from."""
    life, words, form, min_group = study.life, study.life.words, study.context.form, study.params.min_group
    if not life.back:
        return Absent(f"The history is shorter than two {words.periods}, so no earlier date can be looked back to.")
    flows = life.since.groupby(["state_before", "state"], as_index=False)["customers"].sum()
    hidden = int(flows.loc[flows["customers"] < min_group, "customers"].sum())
    # Nodes are of everybody: what bands leave out is a gap at their foot.
    totals = {name: flows.groupby(name)["customers"].sum() for name in ("state_before", "state")}
    flows = flows[flows["customers"] >= min_group].reset_index(drop=True)
    left = [state for state in (NONE, *STATES) if (flows["state_before"] == state).any()]
    right = [state for state in STATES if (flows["state"] == state).any()]
    then = life.dates[-1 - life.back]
    names = {NONE: f"not yet {words.many}"}

    def draw(figure: Figure) -> None:
        total = float(flows["customers"].sum())
        gap = 0.025 * total
        ax = figure.add_subplot()
        starts, ends = (_stack(totals[name], order, gap) for name, order in (("state_before", left), ("state", right)))
        used_left, used_right = {state: starts[state][0] for state in left}, {state: ends[state][0] for state in right}
        for before in left:
            for after in right:
                n = float(flows.loc[(flows["state_before"] == before) & (flows["state"] == after), "customers"].sum())
                if n:
                    _ribbon(ax, used_left[before], used_right[after], n, after in CURRENT)
                    used_left[before] += n
                    used_right[after] += n
        for places, x, side, off in ((starts, 0.0, "right", -0.025), (ends, 1.0, "left", 0.025)):
            last = -np.inf
            for state, (low, high) in places.items():
                ax.fill_betweenx(
                    [low, high], x - 0.012, x + 0.012, color=color("accent" if state in CURRENT else "muted"), linewidth=0
                )
                last = max((low + high) / 2, last + 0.05 * total)
                text = f"{names.get(state, state)}  {form.count(high - low)}"
                marks.label(ax, text, x + off, last, token="ink", size=10, ha=side)
        for x, day in ((0, then), (1, life.end)):
            marks.label(ax, form.day(day), x, -1.6 * gap, size=10, ha="center", va="bottom")
        ax.set_xlim(-0.32, 1.32)
        ax.invert_yaxis()
        ax.set_axis_off()

    stayed = flows[flows["state_before"].isin(CURRENT)]
    kept = float(stayed.loc[stayed["state"].isin(CURRENT), "customers"].sum()) / max(float(stayed["customers"].sum()), 1.0)
    small = (
        f" Bands of fewer than {min_group} are not drawn ({form.count(hidden)} {words.many} in total), but the numbers include them."
        if hidden
        else ""
    )
    return Chart(
        f"Where the {words.many} of {form.day(then)} (left) are today (right); the width of a band is their number. "
        f"Coloured bands lead to {words.many} who are current, grey ones to those who are not.{small}",
        f"Bands from states on {form.day(then)} to states today; {form.share(kept)} of those current then are current now.",
        draw,
        flows,
        (8, 4.6),
    )


def _stack(sizes: pd.Series, order: Sequence[str], gap: float) -> dict[str, tuple[float, float]]:
    """From where to where each node of a column reaches."""
    found, at = {}, 0.0
    for state in order:
        found[state] = (at, at + float(sizes[state]))
        at += float(sizes[state]) + gap
    return found


def _ribbon(ax: Axes, left: float, right: float, size: float, current: bool) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    a, b, middle = 0.012, 0.988, 0.5
    corners = [
        (a, left), (middle, left), (middle, right), (b, right),
        (b, right + size), (middle, right + size), (middle, left + size), (a, left + size), (a, left),
    ]  # fmt: skip
    curve = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    tone = {"facecolor": color("accent"), "alpha": 0.4} if current else {"facecolor": color("rule"), "alpha": 1.0}
    ax.add_patch(PathPatch(Path(corners, curve), linewidth=0, zorder=2 if current else 1, **tone))


def time_chart(study: Study) -> Chart | Absent:
    """Who has come back, by days since entering each state."""
    frame, form, words = study.curves, study.context.form, study.life.words
    if not len(frame):
        return Absent("There are too few spells to say how long they last.")
    shown = [state for state in STATES if (frame["state"] == state).any()]
    most = max(float(frame["high"].max()), 1e-9)

    def draw(figure: Figure) -> None:
        rows = (len(shown) + 2) // 3
        axes = np.atleast_1d(figure.subplots(rows, 3, sharey=True)).ravel()
        for ax in axes[len(shown) :]:
            ax.set_visible(False)
        for ax, state in zip(axes, shown, strict=False):
            curve = _thinned(frame[frame["state"] == state])
            longest = max(float(curve["time"].max()), 1.0)
            marks.axes(ax, form, y="share", title=state, xlim=(0, longest), ylim=(0, min(1.06 * most, 1.04)))
            marks.ticks(ax.xaxis, 3)
            marks.ticks(ax.yaxis, 4, whole=False)
            marks.band(ax, curve["time"], (curve["back"], curve["low"], curve["high"]), step=True, alpha=0.25, width=1.8)
        for ax in axes[max(len(shown) - 3, 0) : len(shown)]:
            ax.set_xlabel("days in the state")

    best = frame.loc[frame["back"].idxmax()]
    return Chart(
        f"Share of {words.many} who {words.did} again, by days since entering a state, with {form.share(study.params.level)} band. "
        f"The others stayed silent and moved on to the next state, or are still in it. The state “active” has no such curve: "
        f"another {words.deed} is what keeps a {words.one} in it.",
        f"{len(shown)} curves that rise with the days in a state; the highest reaches {form.share(best['back'])}, of {best['state']}.",
        draw,
        frame,
        (8, 1.9 * ((len(shown) + 2) // 3)),
    )


def _thinned(curve: pd.DataFrame, most: int = 90) -> pd.DataFrame:
    """A curve of steps with no more of them than can be told apart: the first, the last, and some of those between."""
    if len(curve) <= most:
        return curve
    return curve.iloc[np.unique(np.linspace(0, len(curve) - 1, most).round().astype(int))]


def projection_chart(study: Study) -> Chart | Absent:
    """Current customers so far, and those of today who will still be."""
    growth, found, life, form = study.accounts, study.future, study.life, study.context.form
    if found is None:
        return too_short(study)
    words, dates = life.words, dates_ahead(life, study.steps)
    past, future = _days(growth["date"]), _days([life.end, *dates])
    middle, low, high = found.current
    frame = pd.DataFrame({"date": [life.end, *dates], "current": middle, "low": low, "high": high})
    for k, state in enumerate(STATES):
        frame[state], frame[f"{state}_low"], frame[f"{state}_high"] = found.expected[:, k], found.low[:, k], found.high[:, k]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="count")
        ax.plot(past, growth["current"], color=color("ink"), linewidth=1.6)
        marks.band(ax, future, (middle, low, high), alpha=0.22, width=2.2)
        text = "{}\n({})".format(*form.measured(middle[-1], low[-1], high[-1], "count"))
        marks.label(ax, text, future[-1], float(middle[-1]), gap=(7, 0), token="accent", size=10, fontweight="bold")
        ax.axvline(past[-1], color=color("rule"), linewidth=1)
        marks.label(ax, " today", past[-1], 1.0, hung=True)
        ax.set_ylim(0, 1.12 * max(float(growth["current"].max()), float(high.max())))
        ax.set_xlim(past[0], future[-1] + 0.17 * (future[-1] - past[0]))
        _dated(ax, form, life, [*past[:-1], *future])

    return Chart(
        f"Current {words.many} so far (up to “today”), and how many of today’s {form.count(found.expected[0].sum())} "
        f"{words.many} will be current (after it, with {form.share(study.params.level)} band). It assumes that "
        f"{assumed(study)}, and that no new {words.many} join. {held(study)}",
        f"A line of current {words.many} that goes on as a falling line with a band, to {form.count(middle[-1])}.",
        draw,
        frame,
        (8, 2.8),
    )


def cohorts_chart(study: Study) -> Chart | Absent:
    """The cohort triangle as a picture."""
    frame, life, words, form = study.cohorts, study.life, study.life.words, study.context.form
    if not len(frame):
        return Absent("The history is too short for cohorts, or all of them are too small to be shown.")
    cohorts = list(dict.fromkeys(frame["cohort"]))
    ages = sorted(frame["age"].unique())
    top = max(float(frame["share"].max()), 1e-9)
    period = _cohort_period(life)

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none", xlabel=f"{period}s after the first {words.deed}")
        ax.set(xlim=(0.5, max(ages) + 0.5), ylim=(-0.5, len(cohorts) - 0.5))
        for row in frame.to_dict("records"):
            x, y = row["age"], len(cohorts) - 1 - cohorts.index(row["cohort"])
            # Pale enough for dark text in light mode, and for light text in dark mode.
            marks.cell(ax, x, y, float(np.round(0.45 * row["share"] / top, 2)), form.share(row["share"]))
        sizes = frame.groupby("cohort")["customers"].first()
        labels = [f"to {form.month(day)} ({form.count(sizes[day])})" for day in reversed(cohorts)]
        ax.set_yticks(range(len(cohorts)), labels)
        ax.set_xticks(ages, [str(age) for age in ages])

    return Chart(
        f"Cohorts by the {period} of the first {words.deed} (number of {words.many} in brackets), and the share who "
        f"{words.did} again in each {period} after it. Blank: the {period} is not over yet. The first cohort includes everyone known "
        f"before the end of its {period}.",
        f"A triangle of shares for {len(cohorts)} cohorts by {period}s since the first {words.deed}.",
        draw,
        frame,
        (8, 0.34 * len(cohorts) + 0.9),
    )


def _cohort_period(life: Life) -> str:
    months = {1: "month", 3: "quarter", 12: "year"}
    if len(life.cohort_dates) > 1:
        gap = (life.cohort_dates[-1] - life.cohort_dates[-2]).days
        return months[min(months, key=lambda step: abs(30.4 * step - gap))]
    return life.words.period


def _days(dates: object) -> list[float]:
    from matplotlib.dates import date2num

    return [float(date2num(day)) for day in dates]  # type: ignore[attr-defined]


def _dated(ax: Axes, form: Format, life: Life, days: Sequence[float], most: int = 7) -> None:
    """Ticks at some of the dates, the last among them."""
    from matplotlib.dates import num2date

    some = list(days)[::-1][:: -(-len(days) // most)]
    ax.set_xticks(some, [str(num2date(day).year) if life.step == 12 else form.month(num2date(day)) for day in some])
