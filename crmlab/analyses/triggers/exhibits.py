"""Tables and charts of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.triggers.judging import BASES, FEWEST, YES
from crmlab.history.context import masked
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from crmlab.analyses.triggers.study import Study
    from crmlab.page.format import Format

__all__ = ["bands_table", "days_chart", "lifts_chart", "rules_table", "today_chart", "triggers_table"]


def triggers_table(study: Study) -> Table:
    """Each trigger: whether it works, and how often it was right beside both bases."""
    form = study.context.form
    columns = {
        "label": Column("Trigger"),
        "verdict": Column("Verdict", lead=True),
        "predicts": Column("Predicts"),
        "true": Column("Came true", "share", "true_low", "true_high"),
        "base_all": Column("All eligible, on the same days", "share", "base_all_low", "base_all_high"),
        "base_rule": Column("By the simple rule", "share", "base_rule_low", "base_rule_high"),
        "lift_all": Column("Lift over all", "number", "lift_all_low", "lift_all_high"),
        "lift_rule": Column("Lift over the rule", "number", "lift_rule_low", "lift_rule_high"),
    }
    many, deed = study.words.many, study.words.deed
    products = "; for a product, among its buyers" if "product" in set(study.table["name"]) else ""
    caption = (
        f"How often each trigger’s prediction came true within {study.present.rhythm.span(study.words, form)}, on "
        f"{len(study.judged.days)} past days, compared with all eligible {many} on the same days (each day weighted by how often the "
        f"trigger was met) and with the same number picked by a simple rule (longest since the last {deed} where none is expected, most "
        f"{study.words.deeds} where one is{products}). Lift is the first rate divided by the other; 1 means no better. Small figures are "
        f"{form.share(study.params.level)} intervals."
    )
    return _table(caption, study.table, columns, form)


def rules_table(study: Study) -> Table:
    """The rule of each trigger in words, and what the verdict rests on."""
    columns = {
        "label": Column("Trigger"),
        "rule": Column("Rule"),
        "tested": Column(f"Past {study.words.many}", "count"),
        "adjusted_all": Column("p against all"),
        "adjusted_rule": Column("p against the rule"),
    }
    form = study.context.form
    written = {name: [_p(form, p) for p in study.table[name]] for name in ("adjusted_all", "adjusted_rule")}
    caption = (
        "The rules, and what the verdicts rest on; p-values after the Benjamini–Hochberg correction over the triggers judged."
        + (" Lengths of time are longer in slow weeks, and shorter in busy ones." if study.present.learnt.seasonal else "")
    )
    return _table(caption, study.table.assign(tested=_counts(study.table["tested"], study), **written), columns, form)


def _table(caption: str, frame: pd.DataFrame, columns: Mapping[str, Column], form: Format) -> Table:
    """A table of what it shows, and of nothing else: its file holds no count that the page hides."""
    shown = [name for first, column in columns.items() for name in (first, column.low, column.high) if name]
    return Table(caption, frame[shown], columns, form)


def _counts(counts: pd.Series, study: Study) -> list[int | str]:
    """Counts of people, the small ones hidden."""
    return [masked(int(n), study.params.min_group) for n in counts]


def _p(form: Format, p: float) -> str:
    return form.write(p, "number") if p != p else f"<{form.number(0.001, 3)}" if p < 0.001 else form.number(p, 3)


def bands_table(study: Study) -> Table | Absent:
    """Those with a moment against others who were silent for about as long."""
    bands, form = study.judged.bands, study.context.form
    if bands.empty:
        return Absent(
            f"No moment was reached by {FEWEST} {study.words.many} who had been silent for about as long, so they cannot be compared."
        )
    labels = study.table.set_index("name")["label"]
    shown = bands.assign(
        label=bands["name"].map(labels),
        band=[
            f"{form.count(max(above, -1) + 1)} to {form.count(np.floor(to))} days"
            for above, to in zip(bands["above"].map(np.floor), bands["to"], strict=True)
        ],
        others=_counts(bands["others"], study),
        said=["" if base == base else "nobody to compare with" for base in bands["base"].astype(float)],
    )
    columns = {
        "label": Column("Trigger"),
        "band": Column(f"Since the last {study.words.deed}"),
        "tested": Column("With a moment", "count"),
        "others": Column("Without", "count"),
        "true": Column("Came true", "share", "true_low", "true_high"),
        "base": Column("Came true without one", "share", "base_low", "base_high"),
        "lift": Column("Lift", "number", "lift_low", "lift_high"),
        "said": Column("Note"),
    }
    if not shown["said"].any():
        columns.pop("said")
    caption = (
        f"The same comparison with {study.words.many} without a moment whose last {study.words.deed} was about as long ago, where each "
        f"group had at least {FEWEST}. Small figures are {form.share(study.params.level)} intervals, each taken separately."
    )
    return _table(caption, shown, columns, form)


def today_chart(study: Study) -> Chart | Absent:
    """Customers with a moment now, by trigger, and whether it works; nothing where none does."""
    few, form, words = study.params.min_group, study.context.form, study.words
    if not (study.table["works"] == YES).any():
        return Absent()  # the first finding says so: nothing is missing
    frame = study.table[["name", "label", "customers", "predicts", "works", "verdict"]].copy()
    frame["customers"] = frame["customers"].astype(float).mask(frame["customers"].between(1, few - 1))
    frame = frame.sort_values("customers", ascending=False, na_position="last", kind="stable", ignore_index=True)
    frame["said"] = ("works, predicts " + frame["predicts"]).where(
        frame["works"] == YES, frame["verdict"].str.split(":").str[0]
    )

    def draw(figure: Figure) -> None:
        top = max(float(frame["customers"].max()), 1.0) if frame["customers"].notna().any() else 1.0
        ax = marks.axes(figure.add_subplot(), form, x="none", lines="none", xlim=(0, 1.9 * top))
        notes = [
            f"{form.count(count) if count == count else f'under {few}'}: {said}"
            for count, said in zip(frame["customers"], frame["said"], strict=True)
        ]
        marks.bars(
            ax,
            frame["label"],
            frame["customers"].fillna(0),
            notes,
            tokens=["accent" if one == YES else "fill" for one in frame["works"]],
        )

    first = frame.iloc[0]
    return Chart(
        f"{words.many.capitalize()} with a moment now, by trigger, and whether the trigger works here. One {words.one} may have several.",
        f"Bars of {words.many} for {len(frame)} triggers; “{first['label']}” has the most.",
        draw,
        frame,
        (8, 0.42 * len(frame) + 0.4),
    )


def lifts_chart(study: Study) -> Chart | Absent:
    """Lifts with intervals over both bases, and the line at 1."""
    form = study.context.form
    columns = ["label", "verdict", "works", *(f"lift_{base}{end}" for base in BASES for end in ("", "_low", "_high"))]
    frame = study.table.loc[study.table["lift_all"].notna(), columns].reset_index(drop=True)
    if frame.empty:
        return Absent(f"No trigger had the {FEWEST} past {study.words.many} that a judgement needs.")
    tokens = dict(zip(BASES, ("accent", "muted"), strict=True))
    working = int((frame["works"] == YES).sum())
    names = dict(zip(BASES, ("over all eligible", "over the simple rule"), strict=True))

    def draw(figure: Figure) -> None:
        known = frame[[f"lift_{base}{end}" for base in BASES for end in ("", "_high")]]
        top = 1.1 * max(float(known.max(axis=None)), 1.2)
        right = (1.2 if working else 1.0) * top
        ax = marks.axes(figure.add_subplot(), form, x="number", lines="x", xlim=(0, right), ylim=(-0.6, len(frame) - 0.4))
        ax.set_xlabel("times as often; 1 is no better")
        ax.plot([1, 1], [-0.6, len(frame) - 0.6], color=color("ink"), linewidth=1)
        # Above the plot, and without dots, which would look like data.
        for base, at, where in zip(BASES, (0.0, 0.5 * right), ("upper", "lower"), strict=True):
            if frame[f"lift_{base}"].notna().any():
                marks.label(ax, f"{where}: {names[base]}", at, len(frame) - 0.15, token=tokens[base])
        for place, row in zip(marks.rows(ax, frame["label"]), frame.to_dict("records"), strict=True):
            for base, shift in zip(BASES, (0.17, -0.17), strict=True):
                estimate = (row[f"lift_{base}"], row[f"lift_{base}_low"], row[f"lift_{base}_high"])
                marks.ranges(ax, place + shift, estimate, token=tokens[base], size=6)
            if row["works"] == YES:
                marks.label(ax, "works", 1.04 * top, place, token="ink")
        ticks = [tick for tick in (0, 0.5, 1, 1.5, 2, 3, 4, 6, 8) if tick <= top]
        ax.set_xticks(ticks, [f"{form.number(tick, int(tick != int(tick)))}×" for tick in ticks])

    return Chart(
        f"Lift over all eligible {study.words.many} on the same days, and over the same number chosen by the simple rule; to the right of "
        f"1, a trigger predicts better ({form.share(study.params.level)} intervals).",
        f"Two dots with intervals for each of {len(frame)} triggers, and a line at 1; {working} of them lie right of it on both.",
        draw,
        frame,
        (8, 0.52 * len(frame) + 0.6),
    )


def days_chart(study: Study) -> Chart:
    """Moments on past days, one small picture per trigger."""
    form, few, days = study.context.form, study.params.min_group, study.judged.days
    labels = dict(zip(study.table["name"], study.table["label"], strict=True))
    frame = study.judged.counts.copy()
    frame["moments"] = frame["moments"].astype(float).mask(frame["moments"].between(1, few - 1))
    drawn = set(frame.loc[frame["moments"] > 0, "trigger"])  # a picture of nothing says nothing
    labels = {name: label for name, label in labels.items() if name in drawn} or labels
    step = (days[1] - days[0]).days if len(days) > 1 else study.present.rhythm.fresh

    def draw(figure: Figure) -> None:
        from matplotlib.dates import date2num

        axes = figure.subplots(2, 4, sharex=True)
        for ax, (name, label) in zip(axes.flat, labels.items(), strict=False):
            some = frame[frame["trigger"] == name]
            marks.axes(ax, form, y="count")
            ax.bar(date2num(some["day"]), some["moments"].fillna(0), width=0.85 * step, color=color("accent"))
            ax.set_title(label, fontsize=9)
            ax.locator_params(axis="y", nbins=3, integer=True)
            marks.dates(ax, form, 1, 3, size=9)
        for ax in np.ravel(axes)[len(labels) :]:
            ax.set_visible(False)

    return Chart(
        f"Moments on the {len(days)} past days, each trigger on its own scale. Days with fewer than {few} are not drawn.",
        f"Small bar charts of the number of moments on {len(days)} days, one for each of {len(labels)} triggers.",
        draw,
        frame,
        (8, 3.4),
    )
