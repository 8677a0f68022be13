"""Charts of campaign results: profit by cell, components, who bought by day, depth of the list, past cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.results.by_cell import scale_word
from crmlab.analyses.campaigns.results.tables import BLOCKED, NO_MONEY, NO_PAST
from crmlab.analyses.campaigns.results.words import at_level, gain
from crmlab.models.intervals import normal_quantile
from crmlab.models.testing.measures import measure
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.texts import shortened, titled
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.campaigns.results.study import Study
    from crmlab.page.format import Format

__all__ = ["components_chart", "days_chart", "depth_chart", "forest_chart", "history_chart"]


_LONGEST = 34  # letters of a label


def _notes(frame: pd.DataFrame, value: str, form: Format) -> list[str]:
    """The estimate and interval of each row of a forest plot, in points or money without a sign."""
    return [
        f"{form.number(row[value], 1)}  ({form.number(row['low'], 1)} to {form.number(row['high'], 1)})"
        for row in frame.to_dict("records")
    ]


def forest_chart(study: Study) -> Chart | Absent:
    """Incremental profit of as many contacts of each cell, with the lines at which it breaks even and at which it caused nothing."""
    if study.health.blocked:
        return BLOCKED
    if not study.found.varies("margin"):
        return NO_MONEY
    form, said = study.context.form, gain(study)
    cells, many = study.money.cells, scale_word(study.money.scale)
    names = ["name", "cell", "n", "scaled", "scaled_low", "scaled_high", "nothing"]
    frame = cells[names].astype(dict.fromkeys(names[3:], float)).reset_index(drop=True)
    low = float(min(frame["scaled_low"].min(), frame["nothing"].min(), 0))
    high = float(max(frame["scaled_high"].max(), 0))

    def draw(figure: Figure) -> None:
        name = f"incremental {said.word} {many}"
        ax = marks.axes(figure.add_subplot(), form, x="money", lines="base", xlabel=name)
        notes = [
            str(form.measured(row["scaled"], row["scaled_low"], row["scaled_high"], "money"))
            for row in frame.to_dict("records")
        ]
        y = marks.forest(ax, [shortened(name, _LONGEST) for name in frame["name"]], notes, low, high)
        marks.intervals(ax, y, (frame["scaled"], frame["scaled_low"], frame["scaled_high"]))
        ax.vlines(frame["nothing"], y - 0.32, y + 0.32, color=color("second"), linewidth=1.6, linestyle=(0, (2, 1.2)))
        marks.label(
            ax,
            " no more than the controls" if not study.found.margin.known else " breaks even",
            0,
            len(frame) - 0.3,
            token="ink",
        )
        if (frame["nothing"] < 0).any():
            marks.label(ax, "caused nothing ", float(frame["nothing"].iloc[0]), len(frame) - 0.3, token="second", ha="right")

    best = frame.loc[frame["scaled"].idxmax()]
    reads = {
        "profit": " To the right of the zero line, a cell earned more than it cost; the dashed mark shows where it would be had it "
        "caused nothing: a loss of its cost.",
        "before": " A cell to the right of the zero line has yet to pay for its offer; the dashed mark shows where it would be had it "
        "caused nothing.",
        "revenue": "",
    }
    named = f", {best['name']}," if said.kind == "profit" else ""
    return Chart(
        f"{said.whole.capitalize()}, {many}, with {at_level(study)} intervals.{reads[said.kind]}",
        f"Dots with intervals for {len(frame)} cells; the highest{named} stands at {form.money(best['scaled'])} {many}.",
        draw,
        frame,
        (8, 0.95 + max(0.3, 0.5 - 0.006 * len(frame)) * len(frame)),
    )


def components_chart(study: Study) -> Chart | Absent:
    """Main effects and interactions on the share who bought, or on profit where nobody's buying differs."""
    if study.health.blocked:
        return BLOCKED
    if study.components is None:
        return Absent(study.no_components)
    form = study.context.form
    table = study.components
    metric = "response" if "response" in table else "profit"
    scale = 100 if metric == "response" else study.money.scale
    frame = pd.DataFrame({"component": table["effect"], "levels": table["levels"]})
    for name, end in (("value", ""), ("low", "_low"), ("high", "_high")):
        frame[name] = scale * table[metric + end]
    most = frame[~frame["component"].str.contains("×")] if len(frame) > 14 else frame
    shown = most.head(20).reset_index(drop=True)
    low, high = float(min(shown["low"].min(), 0)), float(max(shown["high"].max(), 0))
    axis = (
        "rise in share who bought, points"
        if metric == "response"
        else f"incremental {gain(study).word} {scale_word(study.money.scale)}"
    )

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="base", xlabel=axis)
        notes = _notes(shown, "value", form)
        # A row of what two components do together has a long name: theirs is enough.
        labels = [a.capitalize() if "×" in a else b for a, b in zip(shown["component"], shown["levels"], strict=True)]
        y = marks.forest(ax, [shortened(name, _LONGEST) for name in labels], notes, low, high)
        marks.intervals(ax, y, (shown["value"], shown["low"], shown["high"]))

    first = shown.iloc[0]
    return Chart(
        f"What each component did, averaged over the others: {axis}, with {at_level(study)} intervals. If the "
        "interval includes 0, no difference has been shown.",
        f"Dots with intervals for {len(shown)} components; {first['levels']} stands at {form.number(first['value'], 1)}.",
        draw,
        frame,
        (8, 0.8 + 0.42 * len(shown)),
    )


def days_chart(study: Study) -> Chart | Absent:
    """Share who had bought by day since the window opened: contacted against control."""
    if study.health.blocked:
        return BLOCKED
    form = study.context.form
    frame = _by_day(study)
    level = at_level(study)

    def draw(figure: Figure) -> None:
        last = float(frame["day"].iloc[-1])
        top = float(frame[["contacted_high", "control_high"]].max().max()) * 1.05 or 1.0
        ax = marks.axes(figure.add_subplot(), form, y="share", xlim=(1, last * 1.14 + 1), ylim=(0, top))
        ax.set(xlabel="day since the window opened", ylabel="have bought")
        for name, shade, width in (("control", "muted", 1.5), ("contacted", "accent", 2)):
            estimate = (frame[name], frame[f"{name}_low"], frame[f"{name}_high"])
            marks.band(ax, frame["day"], estimate, token=shade, step=True, width=width)
            marks.label(ax, name, last + 0.4, frame[name].iloc[-1], token=shade, size=10)

    last = frame.iloc[-1]
    return Chart(
        f"Share of customers who had bought by each day, with {level} bands, each day taken on its own. The gap "
        "between the lines is what contacts added; if it closes again, purchases were merely brought forward.",
        f"Two rising lines: after {int(last['day'])} days {form.share(float(last['contacted']))} of those contacted and "
        f"{form.share(float(last['control']))} of controls had bought.",
        draw,
        frame,
        (8, 3.0),
    )


def _by_day(study: Study) -> pd.DataFrame:
    """Shares by day, cells added up as the overall difference adds them up."""
    found = study.found
    whole = (max(found.days["last"]) - min(found.days["opens"])).days + 1
    one = measure(list(found.stats.values()), "response")
    effective = {cell: float(size) for cell, size in zip(found.stats, one.sizes, strict=True)}
    weight = {"contacted": {cell: float(found.stats[cell].n) for cell in found.treated}, "control": {}}
    for cell, its in found.control.items():
        weight["control"][its] = weight["control"].get(its, 0.0) + found.stats[cell].n
    z = normal_quantile(study.look.level)
    days = np.arange(whole)
    out: dict[str, Any] = {"day": days + 1}
    counts = (
        study.days.pivot_table(index="day", columns="cell_id", values="n", aggfunc="sum", fill_value=0)
        .reindex(days, fill_value=0)
        .cumsum()
    )
    for group, weights in weight.items():
        total = sum(weights.values())
        share, variance = np.zeros(whole), np.zeros(whole)
        for cell, w in weights.items():
            bought = counts[cell].to_numpy(dtype=float) if cell in counts else np.zeros(whole)
            p = bought / found.stats[cell].n
            share += w / total * p
            variance += (w / total) ** 2 * (p * (1 - p) + 0.25 / effective[cell]) / effective[cell]
        half = z * np.sqrt(variance)
        out |= {group: share, f"{group}_low": np.maximum(share - half, 0.0), f"{group}_high": np.minimum(share + half, 1.0)}
    return pd.DataFrame(out)


def depth_chart(study: Study) -> Chart | Absent:
    """Incremental profit by share of the list contacted, best scores first."""
    if study.health.blocked:
        return BLOCKED
    depth = study.ranked.depth
    if depth is None:
        return Absent(study.ranked.reason["depth"])
    form = study.context.form
    curve = depth.curve
    frame = pd.DataFrame({"share": curve["share"], "n": curve["n"]})
    for name in ("profit", "low", "high", "band_low", "band_high"):
        frame[name] = 1000 * curve[name]
    end = float(frame["profit"].iloc[-1])

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="share", y="money", xlim=(0, 1.08))
        ax.set(
            xlabel="share of the list contacted, highest expected gain first",
            ylabel=f"{gain(study).word} per 1,000 on the list",
        )
        x, *estimate = (np.concatenate([[0.0], frame[name]]) for name in ("share", "profit", "low", "high"))
        ax.axhline(0, color=color("muted"), linewidth=1)
        ax.plot([0, 1], [0, end], color=color("muted"), linewidth=1.2, linestyle=(0, (4, 2)))
        marks.band(ax, x, estimate, width=2.2)
        marks.label(ax, "all", 1.01, end)
        marks.label(ax, " random order", 0.5, end / 2, va="top")
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])

    shown = (
        "has been shown to beat"
        if depth.qini_low > 0
        else "has been shown to do worse than"
        if depth.qini_high < 0
        else "has not been shown to beat"
    )
    qini = " per 1,000; ".join(form.measured(1000 * depth.qini, 1000 * depth.qini_low, 1000 * depth.qini_high, "money"))
    return Chart(
        f"{gain(study).whole.capitalize()} had only the first part of the list been contacted, by share contacted, with "
        f"a {at_level(study)} band for each share. "
        f"Ranking by what was known beforehand {shown} a random order (Qini {qini}). Fixed costs are left out.",
        f"A curve of incremental {gain(study).word} by share of the list contacted; it ends at {form.money(end)} per 1,000 "
        "customers when all are.",
        draw,
        frame,
        (8, 3.2),
    )


def history_chart(study: Study) -> Chart | Absent:
    """Past campaigns by component: as measured, and shrunk."""
    if not study.past.components:
        return NO_PAST
    params, form = study.params, study.context.form
    frames = [each.campaigns.assign(what=each.value) for each in study.past.components]
    whole = pd.concat(
        [one[["what", "campaign", "k", "raw", "raw_low", "raw_high", "shrunk", "low", "high"]] for one in frames],
        ignore_index=True,
    )
    for name in ("raw", "raw_low", "raw_high", "shrunk", "low", "high"):
        whole[name] = 100 * whole[name].astype(float)
    shown = whole.head(24)
    low, high = float(min(shown["raw_low"].min(), 0)), float(max(shown["raw_high"].max(), 0))

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="base", xlabel="rise in share who bought over the control, points")
        labels = [shortened(f"{row['what']}: {titled(row['campaign'])}", 40) for row in shown.to_dict("records")]
        y = marks.forest(ax, labels, _notes(shown, "shrunk", form), low, high)
        ax.hlines(y + 0.14, shown["raw_low"], shown["raw_high"], color=color("muted"), linewidth=1)
        ax.plot(shown["raw"], y + 0.14, "o", color=color("muted"), markerfacecolor="none", markersize=6)
        marks.intervals(ax, y - 0.12, (shown["shrunk"], shown["low"], shown["high"]), size=7)

    first = shown.iloc[0]
    return Chart(
        f"Past campaigns by what was sent, with {form.share(params.level)} intervals: open circles are as measured, solid ones "
        "shrunk towards the mean of such campaigns; the figures given are the shrunk ones.",
        f"Pairs of dots for {len(shown)} past campaigns; {first['what']} in {titled(first['campaign'])} shrinks from "
        f"{form.number(first['raw'], 1)} to "
        f"{form.number(first['shrunk'], 1)} points.",
        draw,
        whole,
        (8, 0.8 + 0.46 * len(shown)),
    )
