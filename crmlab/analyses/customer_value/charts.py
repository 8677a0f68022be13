"""Charts of customer value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.backtesting import RULES, label_of
from crmlab.analyses.customer_value.words import what_of
from crmlab.history.words import ROUNDS
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    import datetime as dt

    from matplotlib.figure import Figure

    from crmlab.analyses.customer_value.study import Study

__all__ = ["calibration_chart", "invest_chart", "maps_chart", "spend_chart", "tiers_chart", "track_chart"]

_NOT_SEEN = Absent("Drop-out cannot be seen yet, so nobody's value can be said to be at risk.")


def tiers_chart(study: Study) -> Chart:
    """Share of value beside share of customers, by tier."""
    found, many, form = study.found, study.base.words.many, study.context.form
    frame = found.tiers

    def draw(figure: Figure) -> None:
        total = float(found.sums.loc["total", "value"]) or 1.0
        right = max(100 * frame["value_high"].max() / total, 40) * 1.75
        ax = marks.axes(figure.add_subplot(), form, lines="x")
        for place, row in zip(marks.rows(ax, frame["tier"]), frame.to_dict("records"), strict=True):
            low, high = 100 * row["value_low"] / total, 100 * row["value_high"] / total
            ax.barh(place + 0.17, 100 * row["value_share"], 0.36, color=color("accent"))
            ax.barh(place - 0.2, 100 * row["share"], 0.28, color=color("fill"))
            ax.plot([low, high], [place + 0.17] * 2, color=color("ink"), linewidth=1.2)
            words = f"{form.money(row['value'])} from {form.count(row['customers'])} {many}, {form.amount(row['each'])} each"
            marks.label(ax, words, max(high, 100 * row["share"]), place, gap=(8, 0))
        ax.set_xlim(0, right)
        ax.set_xticks(range(0, 101, 20), [form.share(tick / 100, 0) for tick in range(0, 101, 20)])

    top = frame.iloc[0]
    return Chart(
        f"Share of value (strong colour, with interval) beside share of {many} (light colour), by tier; value is {what_of(study)}.",
        f"Paired bars for {len(frame)} tiers; tier {top['tier'][0]} holds {form.share(top['value_share'])} of the value.",
        draw,
        frame,
        (8, 0.62 * len(frame) + 0.5),
    )


def invest_chart(study: Study) -> Chart | Absent:
    """The most that keeping a customer may cost, by tier."""
    if not study.fit.seen:
        return _NOT_SEEN
    frame, one, form = study.found.tiers, study.base.words.one, study.context.form

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="money", lines="x")
        ax.set(xlim=(0, max(float(frame["risk_high"].max()), 1e-9) * 1.8), ylim=(-0.6, len(frame) - 0.4))
        for place, row in zip(marks.rows(ax, frame["tier"]), frame.to_dict("records"), strict=True):
            marks.ranges(ax, place, (row["risk"], row["risk_low"], row["risk_high"]))
            risk = form.measured(row["risk"], row["risk_low"], row["risk_high"], "amount")
            words = f"{risk}; {form.share(1 - row['alive'])} have left"
            marks.label(ax, words, row["risk_high"], place, gap=(9, 0))

    # Of revenue, only the margin may be spent.
    most, of = ("its margin", ", in revenue") if study.fit.revenue else ("it", "")
    return Chart(
        f"Value at risk per {one}: what a {one} of the tier would be worth if certainly still active, less what they are worth as "
        f"things stand{of}. A measure that costs more than {most} per {one} cannot pay, even if it always "
        f"worked; one that works for 1 in 10 may cost a tenth. Bars are {form.share(study.params.level)} intervals.",
        f"Dots with intervals of the value at risk per {one}, for {len(frame)} tiers.",
        draw,
        frame[["tier", "customers", "alive", "risk", "risk_low", "risk_high"]],
        (8, 0.45 * len(frame) + 0.6),
    )


def calibration_chart(study: Study) -> Chart | Absent:
    """Purchases in the holdout period by earlier frequency, seen and forecast."""
    found, words, form = study.tested, study.base.words, study.context.form
    if found is None:
        return Absent(study.untested)
    frame, best, split = found.calibration, found.best, form.day(found.split)

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form)
        ax.set(xlabel=f"repeat {words.deeds} before {split}", ylabel=f"{words.deeds} after it, mean")
        x = np.arange(len(frame))
        for rule in RULES:
            ax.plot(x, frame[rule], color=color("muted"), linewidth=1.2, linestyle=(0, (4, 3)))
        ax.plot(x, frame[best], color=color("accent"), linewidth=2.2)
        seen = tuple(frame[name] for name in ("seen", "seen_low", "seen_high"))
        marks.intervals(ax, x, seen, token="ink", size=5, width=1.4, upright=True)
        ends = {label_of(rule): (float(frame[rule].iloc[-1]), "muted") for rule in RULES}
        ends |= {label_of(best): (float(frame[best].iloc[-1]), "accent"), "seen": (float(frame["seen"].iloc[-1]), "ink")}
        top = max(float(frame[[*RULES, best]].max().max()), float(frame["seen_high"].max()))
        marks.end_labels(ax, ends, x[-1] + 0.12, 0.075 * top)
        ax.set_xticks(x, list(frame["label"]))
        ax.set(xlim=(-0.3, x[-1] + 1.9), ylim=(0, 1.08 * top))

    return Chart(
        f"Mean {words.deeds} per {words.one} in the {words.span(found.holdout)} after {split}, by repeat {words.deeds} "
        f"before: seen (dots, with {form.share(study.params.level)} interval), forecast by {label_of(best)} (line) and by two simple "
        "rules (dashed).",
        f"A line of forecasts against dots of what was seen, for {len(frame)} groups of {words.many} by earlier {words.deeds}.",
        draw,
        frame,
        (8, 3.3),
    )


def track_chart(study: Study) -> Chart | Absent:
    """Repeat purchases per period and in all, seen and expected."""
    found, base, form = study.tested, study.base, study.context.form
    if found is None:
        return Absent(study.untested)
    frame, words = found.track, base.words
    each = words.period if base.step == 1 else words.span(base.step)
    yearly = words is ROUNDS
    known = float(found.split.year - base.first.year) if yearly else (found.split - base.first).days / 7
    split, *days = [_date_of(base.first, value, yearly) for value in (known, *frame["end"])]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for ax, names, title in (
            (left, ("expected", "low", "high", "seen"), f"per {each}"),
            (right, ("cumulative", "cumulative_low", "cumulative_high", "seen_cumulative"), "in all"),
        ):
            point, low, high, seen = (frame[name] for name in names)
            marks.axes(ax, form, x=lambda value: f"{value:.0f}", y="count", title=f"Repeat {words.deeds} {title}")
            marks.band(ax, days, (point, low, high), alpha=0.18, width=1.8)
            ax.plot(days, seen, color=color("ink"), linewidth=1.1, marker="o" if yearly else None, markersize=4)
            ax.axvline(split, color=color("second"), linewidth=1, linestyle=(0, (3, 3)))
            ax.set_ylim(bottom=0)
            if yearly:
                marks.ticks(ax.xaxis, 6)
            else:
                marks.dates(ax, form)
        marks.label(left, "forecast from here", split, 0.98, gap=(4, 0), token="second", hung=True)

    return Chart(
        f"Repeat {words.deeds} of the {words.many} known on {form.day(found.split)}: seen (dark line) and expected by "
        f"{label_of(found.best)} from nothing but when they came (blue, with {form.share(study.params.level)} band). Right of the "
        "dashed line the model had not seen what came; left of it the band is wide for a model that was fitted to it. The "
        "models know no seasons.",
        f"Two panels with seen and expected repeat {words.deeds} over time, per {each} and cumulative, with bands.",
        draw,
        frame,
        (8, 3.0),
    )


def _date_of(first: dt.date, value: float, yearly: bool) -> float:
    """Place on a date axis."""
    from matplotlib.dates import date2num

    return float(first.year + value) if yearly else float(date2num(first)) + 7 * value


def maps_chart(study: Study) -> Chart | Absent:
    """P(alive) and expected purchases over time since the last purchase and frequency."""
    if not study.fit.seen:
        return _NOT_SEEN
    base, words, form, level = study.base, study.base.words, study.context.form, study.params.level
    model, summary, ahead = study.fit.purchases, study.fit.summary, study.found.ahead
    # At least one period, or there is nobody to speak of: half of the customers may have come in the last one.
    age = max(float(np.floor(summary[base.age].median())), 1.0)
    most = max(int(summary.loc[summary[base.age] >= age, "frequency"].quantile(0.98)), 4)
    rows = sorted({x for x in (1, 2, 3, 4, 6, 9, 14, 20, 30, 50, 80) if x <= most})
    step = max(int(np.ceil(age / 10)), 1)
    since = [float(t) for t in range(0, int(age) + 1, step)]
    least = rows if base.words is ROUNDS else [0] * len(rows)  # one gift a year at most
    pairs = [(x, t) for x, few in zip(rows, least, strict=True) for t in since if age - t >= max(few, 1e-9)]
    grid = pd.DataFrame(pairs, columns=["frequency", "since"])
    rows, since = sorted(grid["frequency"].unique()), sorted(grid["since"].unique())
    frame = grid.assign(recency=age - grid["since"], **{base.age: age})
    for name, found in (
        ("probability_alive", model.probability_alive(frame, level=level)),
        ("expected_purchases", model.expected_purchases(frame, float(ahead), level=level)),
    ):
        frame[[name, f"{name}_low", f"{name}_high"]] = found.to_numpy()

    def draw(figure: Figure) -> None:
        axes = figure.subplots(2, 1)
        titles = "P(alive)", f"Expected {words.deeds} in {words.span(ahead)}"
        for ax, name, title in zip(axes, ("probability_alive", "expected_purchases"), titles, strict=True):
            marks.axes(ax, form, lines="none", title=title, ylabel=f"repeat {words.deeds}")
            ax.set(xlim=(-0.5, len(since) - 0.5), ylim=(-0.5, len(rows) - 0.5))
            top = 1.0 if name == "probability_alive" else max(float(frame[name].max()), 1e-9)
            for row in frame.to_dict("records"):
                # Half the colour at most: text on it must be read in light and dark.
                strength = float(np.round(0.5 * row[name] / top, 2))
                text = form.share(row[name]) if name == "probability_alive" else form.number(row[name], 1)
                marks.cell(ax, row["since"] / step, rows.index(row["frequency"]), strength, text)
            ax.set_xticks(range(len(since)), [f"{t:g}" for t in since])
            ax.set_yticks(range(len(rows)), [str(x) for x in rows])
        axes[1].set_xlabel(f"{words.periods} since the last {words.deed}")

    return Chart(
        f"What the model makes of a {words.one} who came {words.span(age)} ago: the probability of being active still, and the "
        f"{words.deeds} expected in the next {words.span(ahead)}; the stronger the colour, the more. The "
        f"more often somebody used to come, the "
        f"sooner silence is a bad sign. Intervals ({form.share(level)}) are in the data.",
        f"Two grids over {words.periods} since the last {words.deed} and number of repeat {words.deeds}: P(alive) and expected "
        f"{words.deeds}.",
        draw,
        frame,
        (8, 0.34 * 2 * len(rows) + 1.6),
    )


def spend_chart(study: Study) -> Chart:
    """Mean repeat spend of customers, seen and as the model has it."""
    from scipy import stats

    spend, summary, deed = study.fit.spend, study.fit.summary, study.base.words.deed
    form, level = study.context.form, study.params.level
    known = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    money = known["monetary_value"].to_numpy(float)
    top = float(np.quantile(money, 0.98)) * 1.02
    edges = np.linspace(0, top, 25)
    seen, _ = np.histogram(money, edges)
    counts = known["frequency"].value_counts()
    cdf = np.array([spend.mean_spend_cdf(edges, x) for x in counts.index])
    share = (counts.to_numpy(float) @ np.diff(cdf, axis=1)) / len(known)
    low, high = stats.binom.interval(level, len(known), np.clip(share, 0, 1))
    frame = pd.DataFrame(
        {"from": edges[:-1], "to": edges[1:], "seen": seen, "expected": share * len(known), "low": low, "high": high}
    )

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="money", y="count", xlim=(0, top))
        middle = (edges[:-1] + edges[1:]) / 2
        ax.bar(middle, seen, width=0.9 * (edges[1] - edges[0]), color=color("fill"))
        marks.band(ax, middle, (frame["expected"], low, high), alpha=0.2)

    return Chart(
        f"Mean spend per repeat {deed} of those who came again: how many have it (bars), and how many Gamma-Gamma expects (line, "
        f"with the {form.share(level)} range of chance). The largest 2 % are off the picture.",
        f"Bars of the number of people by mean spend per repeat {deed}, with the curve of the model.",
        draw,
        frame,
        (8, 2.6),
    )
