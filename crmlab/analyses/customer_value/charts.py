"""Charts of customer value."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.backtesting import RULES, label_of
from crmlab.analyses.customer_value.seasonal import levels, stretches
from crmlab.analyses.customer_value.sentences import spend_of, what_of
from crmlab.analyses.customer_value.tables import NOT_SEEN, most_of, nobody_asked, too_few
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.clock import DAYS
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.customer_value.study import Study
    from crmlab.models.btyd.clock import Clock

__all__ = ["calibration_chart", "invest_chart", "maps_chart", "season_chart", "spend_chart", "tiers_chart", "track_chart"]


def tiers_chart(study: Study) -> Chart | Absent:
    """Share of value beside share of customers, by tier."""
    if study.few:
        return too_few(study)
    found, many, form = study.found, study.base.words.many, study.context.form
    frame = found.tiers.reset_index(drop=True)

    def draw(figure: Figure) -> None:
        right = max(100 * frame["value_share_high"].max(), 40) * 1.75
        ax = marks.axes(figure.add_subplot(), form, lines="x")
        for place, row in zip(marks.rows(ax, frame["tier"]), frame.to_dict("records"), strict=True):
            low, high = 100 * row["value_share_low"], 100 * row["value_share_high"]
            ax.barh(place + 0.17, 100 * row["value_share"], 0.36, color=color("accent"))
            ax.barh(place - 0.2, 100 * row["share"], 0.28, color=color("fill"))
            ax.plot([low, high], [place + 0.17] * 2, color=color("ink"), linewidth=1.2)
            words = (
                f"{form.money(row['value'])} from {form.count(row['customers'])} {many}, {form.amount(row['value_each'])} each"
            )
            marks.label(ax, words, max(high, 100 * row["share"]), place, gap=(8, 0))
        ax.set_xlim(0, right)
        ax.set_xticks(range(0, 101, 20), [form.share(tick / 100, 0) for tick in range(0, 101, 20)])

    top = frame.iloc[0]
    return Chart(
        f"Share of value (strong colour, with interval) beside share of {many} (faint colour), by tier. Value: "
        f"{what_of(study.worth, form)}.",
        f"Paired bars for {len(frame)} tiers; tier {top['tier'][0]} holds {form.share(top['value_share'])} of the value.",
        draw,
        frame,
        (8, 0.62 * len(frame) + 0.5),
    )


def invest_chart(study: Study) -> Chart | Absent:
    """The most that keeping a customer may cost, by tier."""
    if study.few:
        return too_few(study)
    if not study.fit.seen:
        return NOT_SEEN
    words, form = study.base.words, study.context.form
    names = ["most_to_spend", "most_to_spend_low", "most_to_spend_high"]
    frame = study.found.tiers.reset_index(drop=True)[["tier", "customers", "alive", *names]]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="money", lines="x")
        ax.set(xlim=(0, max(float(frame["most_to_spend_high"].fillna(0).max()), 1e-9) * 1.8), ylim=(-0.6, len(frame) - 0.4))
        for place, row in zip(marks.rows(ax, frame["tier"]), frame.to_dict("records"), strict=True):
            value, low, high = (row[name] for name in names)
            marks.ranges(ax, place, (value, low, high))
            if np.isnan(value):
                marks.label(ax, "nobody may be contacted", 0, place, gap=(9, 0))
                continue
            text = f"{form.measured(value, low, high, 'amount')}; about {form.share(1 - row['alive'])} have probably left"
            marks.label(ax, text, row["most_to_spend_high"], place, gap=(9, 0))

    # Of revenue, only the margin may be spent.
    most = "this" if study.fit.margin.known else "the margin on this"
    return Chart(
        f"{most_of(study)}: the chance of still being a {words.one}, multiplied by what is at risk, averaged over those who may be "
        f"contacted, since a message can keep only people who are still {words.many}.{nobody_asked(study)} An effort that costs more than "
        f"{most} cannot pay, even if it always works; one that works for 1 in 10 {words.many} may cost only a tenth of {most}. Bars are "
        f"{form.share(study.params.level)} intervals.",
        f"Dots with intervals of the most to spend per {words.one}, for {len(frame)} tiers.",
        draw,
        frame,
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
        ax.set(xlabel=f"repeat {words.deeds} before {split}", ylabel=f"mean {words.deeds} after that date")
        x = np.arange(len(frame))
        for rule in RULES:
            ax.plot(x, frame[rule], color=color("muted"), linewidth=1.2, linestyle=(0, (4, 3)))
        ax.plot(x, frame[best], color=color("accent"), linewidth=2.2)
        seen = tuple(frame[name] for name in ("seen", "seen_low", "seen_high"))
        marks.intervals(ax, x, seen, token="ink", size=5, width=1.4, upright=True)
        ends = {label_of(rule): (float(frame[rule].iloc[-1]), "muted") for rule in RULES}
        ends |= {label_of(best): (float(frame[best].iloc[-1]), "accent"), "actual": (float(frame["seen"].iloc[-1]), "ink")}
        top = max(float(frame[[*RULES, best]].max().max()), float(frame["seen_high"].max()))
        marks.end_labels(ax, ends, x[-1] + 0.12, 0.075 * top)
        ax.set_xticks(x, list(frame["label"]))
        ax.set(xlim=(-0.3, x[-1] + max(1.9, 0.36 * len(x))), ylim=(0, 1.08 * top))  # room for names

    return Chart(
        f"Mean {words.deeds} per {words.one} in the {words.span(found.holdout)} after {split}, by number of repeat {words.deeds} "
        f"before that date: actual (dots, with {form.share(study.params.level)} interval), and forecast by {label_of(best)} (line) and "
        "by two simple rules (dashed).",
        f"A line of forecasts against dots of the actual figures, for {len(frame)} groups of {words.many} by earlier {words.deeds}.",
        draw,
        frame,
        (8, 3.3),
    )


def season_chart(study: Study) -> Chart | Absent:
    """What each week of the year brings, and the level over the history."""
    found, form, words = study.seasonal, study.context.form, study.base.words
    if not found.shown:
        return Absent(found.missing)
    assert found.clock is not None
    weeks, (peak, trough) = found.weeks, found.ends
    level = levels(found.clock, study.base.first, study.params.level)
    frame = weeks.rename(columns={"rate": "season", "low": "season_low", "high": "season_high"})
    edges = [*(7 * week for week in range(len(weeks))), DAYS]

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, height_ratios=(1.7, 1))
        marks.axes(
            top, form, y=lambda value: form.number(value, 1), title="Season: what each week of the year brings, mean week = 1"
        )
        whole = tuple([*weeks[name], weeks[name].iloc[-1]] for name in ("rate", "low", "high"))
        marks.band(top, edges, whole, step=True, alpha=0.2, width=1.8)
        top.axhline(1, color=color("second"), linewidth=1)
        high, low = float(weeks["high"].max()), float(weeks["low"].min())
        for stretch, name, place in ((peak, "peak", 1.14 * high), (trough, "trough", max(low - 0.3 * high, 0) + 0.04 * high)):
            middle = min(max(7 * stretch.week + 14, 62), 303)
            marks.label(top, f"{name}: {stretch.said(form)}", middle, place, token="ink", ha="center")
        top.set(xlim=(0, DAYS), ylim=(max(low - 0.3 * high, 0), 1.22 * high))
        names = [dt.date(2023, month, 1) for month in range(1, 13, 2)]
        top.set_xticks(
            [(day - dt.date(2023, 1, 1)).days for day in names], [form.month(day).rsplit(" ", 1)[0] for day in names]
        )
        marks.axes(
            bottom, form, y="share", title=f"Level: pace of {words.blanks['buying']} apart from the season, today = 100%"
        )
        marks.band(bottom, list(level["day"]), (level["level"], level["low"], level["high"]), alpha=0.2, width=1.8)
        bottom.axhline(1, color=color("second"), linewidth=1)
        spread = max(float(level["high"].max()) - 1, 1 - float(level["low"].min()), 0.05)
        bottom.set_ylim(max(1 - 1.15 * spread, 0), 1 + 1.15 * spread)
        marks.dates(bottom, form)

    said = found.said(form) if found.season.used else "Season and level as learnt from the history; forecasts do not use them."
    return Chart(
        f"{said} {found.level_said(form)} Bands are {form.share(study.params.level)} intervals.",
        f"Two panels: purchases of each week of the year over the mean week, with a peak of {form.number(peak.rate)} times the mean; and "
        f"the level of {words.deeds} over the history.",
        draw,
        frame,
        (8, 4.6),
    )


def track_chart(study: Study) -> Chart | Absent:
    """Repeat purchases per period and in all, seen and forecast, with what was known apart from what was held back."""
    found, base, form = study.tested, study.base, study.context.form
    if found is None:
        return Absent(study.untested)
    words = base.words
    each = words.period if base.step == 1 else words.span(base.step)
    yearly = words is ROUNDS
    known = float(found.split.year - base.first.year) if yearly else (found.split - base.first).days / 7
    frame = found.track.assign(held_back=found.track["end"] > known)
    split, *days = [_date_of(base.first, value, yearly) for value in (known, *frame["end"])]
    peaks = _peaks(study)

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, height_ratios=(1.7, 1), sharex=True)
        reach = days[-1] - days[0] or 1.0
        for ax, names, title in (
            (top, ("expected", "low", "high", "seen"), f"per {each}"),
            (bottom, ("cumulative", "cumulative_low", "cumulative_high", "seen_cumulative"), "in all"),
        ):
            point, low, high, seen = (frame[name] for name in names)
            marks.axes(ax, form, x=lambda value: f"{value:.0f}", y="count", title=f"Repeat {words.deeds} {title}")
            ax.axvspan(split, days[-1], color=color("fill"), alpha=0.25, linewidth=0)
            marks.band(ax, days, (point, low, high), alpha=0.18, width=1.8)
            ax.plot(days, seen, color=color("ink"), linewidth=1.1, marker="o" if yearly else None, markersize=4)
            ax.axvline(split, color=color("second"), linewidth=1, linestyle=(0, (3, 3)))
            most = 1.3 * max(float(high[frame["held_back"]].max()), float(seen.max()), float(point.max()), 1.0)
            ax.set(xlim=(days[0], days[-1] + 0.11 * reach), ylim=(0, most))
            ends = {"forecast": (float(point.iloc[-1]), "accent"), "actual": (float(seen.iloc[-1]), "ink")}
            marks.end_labels(ax, ends, days[-1] + 0.01 * reach, 0.11 * most)
        if yearly:
            marks.ticks(bottom.xaxis, 6)
        else:
            marks.dates(bottom, form)
        marks.label(top, "held back", split, 0.99, gap=(5, 0), token="ink", hung=True)
        marks.label(top, "known to the forecast", split, 0.99, gap=(-5, 0), token="muted", hung=True, ha="right")
        for first, last in peaks:
            begin, end = (_date_of(day, 0.0, yearly) for day in (first, last))
            top.axvspan(begin, end, ymax=0.83, color=color("accent"), alpha=0.1, linewidth=0)
            marks.label(top, "season’s peak", (begin + end) / 2, 0.88, token="accent", hung=True, ha="center")

    season = f"Pale strips mark the peak of the season ({_peak_said(study)})." if peaks else "The forecast uses no season."
    return Chart(
        f"Repeat {words.deeds} of the {words.many} known on {form.day(found.split)}: actual (dark line), and forecast by "
        f"{label_of(found.best)} from nothing but the dates of their first {words.deeds} (blue, with {form.share(study.params.level)} "
        f"band). The shaded part was held back: the model had not seen it. {'' if yearly else season}".rstrip(),
        f"Two panels with actual and forecast repeat {words.deeds} over time, per {each} and cumulative, with bands; the last "
        f"{words.span(found.holdout)} were held back.",
        draw,
        frame,
        (8, 5.0),
    )


def _clock_then(study: Study) -> Clock | None:
    """The clock of the forecast of the holdout period, where it has a season."""
    ranked = study.fit.choice.ranked
    clock = None if ranked is None or study.tested is None else ranked.models[study.tested.best].clock
    return clock if clock is not None and clock.seasonal else None


def _peaks(study: Study) -> list[tuple[dt.date, dt.date]]:
    """First and last days of the peaks of the season, as it was known at the split."""
    clock = _clock_then(study)
    return [] if clock is None else stretches(clock)[0].within(study.base.first, study.base.end)


def _peak_said(study: Study) -> str:
    clock = _clock_then(study)
    return "" if clock is None else stretches(clock)[0].said(study.context.form)


def _date_of(first: dt.date, value: float, yearly: bool) -> float:
    """Place on a date axis."""
    from matplotlib.dates import date2num

    return float(first.year + value) if yearly else float(date2num(first)) + 7 * value


def maps_chart(study: Study) -> Chart | Absent:
    """P(alive) and expected purchases over time since the last purchase and frequency."""
    if not study.fit.seen:
        return NOT_SEEN
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
        titles = f"Probability of still being a {words.one}", f"Expected {words.deeds} in {words.span(ahead)}"
        for ax, name, title in zip(axes, ("probability_alive", "expected_purchases"), titles, strict=True):
            marks.axes(ax, form, lines="none", title=title, ylabel=f"repeat {words.deeds}")
            ax.set(xlim=(-0.5, len(since) - 0.5), ylim=(-0.5, len(rows) - 0.5))
            top = 1.0 if name == "probability_alive" else max(float(frame[name].max()), 1e-9)
            for row in frame.to_dict("records"):
                # Half the colour at most: text on it must be read in light and dark.
                strength = float(np.round(0.5 * row[name] / top, 2))
                text = form.whole_share(row[name]) if name == "probability_alive" else form.number(row[name], 1)
                marks.cell(ax, row["since"] / step, rows.index(row["frequency"]), strength, text)
            ax.set_xticks(range(len(since)), [f"{t:g}" for t in since])
            ax.set_yticks(range(len(rows)), [str(x) for x in rows])
        axes[1].set_xlabel(f"{words.periods} since the last {words.deed}")

    return Chart(
        f"What the model expects of a {words.one} who first {words.did} {words.span(age)} ago: the probability of still being a "
        f"{words.one}, P(alive), and the {words.deeds} expected in the next {words.span(ahead)}; the stronger the colour, the more. "
        f"The more often someone used to {words.blanks['buy']}, the sooner silence is a bad sign. Intervals ({form.share(level)}) are "
        "in the data.",
        f"Two grids over {words.periods} since the last {words.deed} and number of repeat {words.deeds}: P(alive) and expected "
        f"{words.deeds}.",
        draw,
        frame,
        (8, 0.34 * 2 * len(rows) + 1.6),
    )


def spend_chart(study: Study) -> Chart:
    """Mean repeat spend of customers, seen and as the model has it."""
    from scipy import stats

    spend, summary, words = study.fit.spend, study.fit.summary, study.base.words
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
        f"{words.many.capitalize()} who {words.did} again, by mean {spend_of(words)} per repeat {words.deed}: actual number (bars) and "
        f"number expected by the Gamma-Gamma model (line, with the {form.share(level)} range of chance). The largest 2% are not "
        "shown.",
        f"Bars of the number of {words.many} by mean {spend_of(words)} per repeat {words.deed}, with the curve of the model.",
        draw,
        frame,
        (8, 2.6),
    )
