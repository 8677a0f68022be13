"""Tables and charts of triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.triggers.rules import TRIGGERS
from crmlab.page import marks
from crmlab.page.result import Chart, Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.triggers.study import Study

__all__ = ["precision_chart", "today_chart", "triggers_table", "weeks_chart"]


_LABELS = {trigger.name: trigger.label for trigger in TRIGGERS}


def triggers_table(study: Study) -> Table:
    """Each trigger with its rule, its count today, and how often it was right."""
    table, params, form = study.table, study.params, study.context.form
    min_group = params.min_group
    few = table["customers"].between(1, min_group - 1)
    shown = table.assign(
        customers=[f"under {min_group}" if small else form.count(n) for small, n in zip(few, table["customers"], strict=True)]
    )
    columns = {
        "label": Column("Trigger"),
        "rule": Column("Rule"),
        "customers": Column("Customers now"),
        "predicts": Column("Predicts"),
        "true": Column("Came true", "share", "true_low", "true_high"),
        "tested": Column("Judged on", "count"),
        "advice": Column("What to do"),
    }
    caption = (
        f"The triggers. Came true: share of past moments after which what is predicted came within {params.window} days; small figures are "
        f"{form.share(params.level)} intervals."
    )
    return Table(caption, shown, columns, form)


def today_chart(study: Study) -> Chart:
    """Customers with a moment now, by trigger."""
    min_group, form = study.params.min_group, study.context.form
    frame = study.table[["name", "label", "customers", "advice"]].copy()
    frame["customers"] = frame["customers"].mask(frame["customers"].between(1, min_group - 1))
    frame = frame.sort_values("customers", ascending=False, na_position="last", kind="stable", ignore_index=True)

    def draw(figure: Figure) -> None:
        top = max(float(frame["customers"].max()), 1.0) if frame["customers"].notna().any() else 1.0
        ax = marks.axes(figure.add_subplot(), form, x="none", lines="none", xlim=(0, 1.9 * top))
        notes = [
            f"{form.count(count)}: {advice}" if count == count else f"under {min_group}"
            for count, advice in zip(frame["customers"], frame["advice"], strict=True)
        ]
        marks.bars(ax, frame["label"], frame["customers"].fillna(0), notes)

    first = frame.iloc[0]
    return Chart(
        "Customers with a moment to act on now, by trigger, and what to do. One customer may have several.",
        f"Bars of customers for {len(frame)} triggers; “{first['label']}” has the most.",
        draw,
        frame,
        (8, 0.42 * len(frame) + 0.4),
    )


def precision_chart(study: Study) -> Chart:
    """How often what a trigger predicts came true."""
    form = study.context.form
    columns = ["label", "predicts", "tested", "true", "true_low", "true_high"]
    frame = study.table.loc[study.table["tested"] > 0, columns].reset_index(drop=True)

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="x", xlim=(0, 1.45), ylim=(-0.6, max(len(frame), 1) - 0.4))
        for place, row in zip(marks.rows(ax, frame["label"]), frame.to_dict("records"), strict=True):
            marks.ranges(ax, place, (row["true"], row["true_low"], row["true_high"]))
            marks.label(ax, f"{form.share(row['true'])}: {row['predicts']}", row["true_high"], place, gap=(9, 0))
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], [form.share(tick, 0) for tick in (0, 0.25, 0.5, 0.75, 1)])

    return Chart(
        f"How often what a trigger predicts came true within {study.params.window} days of past moments "
        f"({form.share(study.params.level)} intervals).",
        f"Dots with intervals of the share that came true, for {len(frame)} triggers.",
        draw,
        frame,
        (8, 0.42 * max(len(frame), 1) + 0.5),
    )


def weeks_chart(study: Study) -> Chart:
    """Moments by week, one small picture per trigger."""
    past, split, form, min_group = study.past, study.split, study.context.form, study.params.min_group
    weeks = int((pd.Timestamp(study.context.as_of) - split).days // 7)
    place = ((past["at"] - split).dt.days - 1) // 7
    every = pd.MultiIndex.from_product([list(_LABELS), range(weeks)], names=["trigger", "week"])
    counts = past.assign(week=place).groupby(["trigger", "week"]).size().reindex(every, fill_value=0)
    frame = counts.rename("moments").reset_index()
    frame["from"] = split + pd.to_timedelta(7 * frame["week"] + 1, unit="D")
    frame["moments"] = frame["moments"].astype(float).mask(frame["moments"].between(1, min_group - 1))

    def draw(figure: Figure) -> None:
        from matplotlib.dates import date2num

        axes = figure.subplots(2, 4, sharex=True)
        for ax, (name, label) in zip(axes.flat, _LABELS.items(), strict=False):
            some = frame[frame["trigger"] == name]
            marks.axes(ax, form, y="count")
            ax.bar(date2num(some["from"]), some["moments"].fillna(0), width=6, color=color("accent"))
            ax.set_title(label, fontsize=9)
            ax.locator_params(axis="y", nbins=3, integer=True)
            marks.dates(ax, form, 1, 3, size=9)
        for ax in np.ravel(axes)[len(_LABELS) :]:
            ax.set_visible(False)

    return Chart(
        f"Moments by week since {form.day(split.date())}, each with its own scale. Weeks with fewer than {min_group} are not drawn.",
        f"Small bar charts of the number of moments per week over {weeks} weeks, one for each of {len(_LABELS)} triggers.",
        draw,
        frame,
        (8, 3.4),
    )
