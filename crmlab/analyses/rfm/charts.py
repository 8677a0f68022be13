"""Charts of the segments, without groups that are too small to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.analyses.rfm.segments import NOT_YET, SEGMENTS, spent
from crmlab.analyses.rfm.tables import no_moves
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.groups import OTHER, small_groups, under
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from crmlab.analyses.rfm.study import Study

__all__ = ["grid", "grid_chart", "moves_chart", "segments_chart", "sizes_then_and_now"]


def segments_chart(study: Study) -> Chart:
    """Share of revenue beside share of customers."""
    import numpy as np

    segments, form, many = study.segments, study.context.form, study.words.many
    revenue = study.words.fill("{revenue}")

    def draw(figure: Figure) -> None:
        # Where nobody spent anything there are no shares of revenue.
        right = 120 * np.nanmax([*segments["revenue_share"], *segments["share"], 0.01])
        ax = marks.axes(figure.add_subplot(), form, x=lambda value: form.share(value / 100, 0), lines="x", xlim=(0, right))
        for place, row in zip(marks.rows(ax, segments["segment"]), segments.to_dict("records"), strict=True):
            ax.barh(place + 0.17, 100 * row["revenue_share"], 0.34, color=color("accent"))
            ax.barh(place - 0.19, 100 * row["share"], 0.28, color=color("fill"))
            tip = 100 * np.nanmax([row["revenue_share"], row["share"], 0])
            text = f"{form.share(row['revenue_share'])} from {form.share(row['share'])}"
            marks.label(ax, text, tip, place, gap=(6, 0))

    top = segments.iloc[0]
    return Chart(
        f"By segment, share of {revenue} (upper bar, first number) and share of {many} (lower bar, second number).",
        f"Paired bars for {len(segments)} segments; {top['segment']} lead with {form.share(top['revenue_share'])} of {revenue}.",
        draw,
        segments,
        (8, 0.42 * len(segments) + 0.5),
    )


def grid(scored: pd.DataFrame, min_group: int = 5) -> pd.DataFrame:
    """Count and value the pairs of scores.

    Parameters
    ----------
    scored : DataFrame
        As of :func:`crmlab.analyses.rfm.segments.score`.
    min_group : int
        Pairs with fewer customers are added up in a last row, so that totals hold.

    Returns
    -------
    DataFrame
        One row per pair that someone has: r_score, f_score, customers, revenue, revenue_share. Where a pair is too small to be
        shown these are missing, and fewer_than says under what its number is; the last row, without scores, holds what such
        pairs add up to.
    """
    import pandas as pd

    keys = ["r_score", "f_score"]
    sizes = scored.groupby(keys).size()
    small = small_groups(sizes, min_group)
    spend = scored["total_spend"].to_numpy(float)
    pairs = pd.MultiIndex.from_frame(scored[keys])
    rows: list[dict[str, Any]] = []

    def row(member: Any, **place: Any) -> dict[str, Any]:
        return {**place, "customers": int(member.sum()), **spent(spend, member)}

    for r, f in sizes.index:
        hidden = (r, f) in small
        place = {"r_score": int(r), "f_score": int(f)}
        rows.append({**place, "fewer_than": under(sizes[small], min_group)} if hidden else row(pairs.isin([(r, f)]), **place))
    if len(small):
        rows.append(row(pairs.isin(small)))
    columns = [*keys, "customers", "fewer_than", "revenue", "revenue_share"]
    frame = pd.DataFrame(rows, columns=columns)
    whole = [*keys, "customers", "fewer_than"]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def grid_chart(study: Study) -> Chart:
    """Where the money sits: recency across, frequency up."""
    import numpy as np

    bins, min_group, form, words = study.params.bins, study.params.min_group, study.context.form, study.words
    revenue = words.fill("{revenue}")
    frame = grid(study.scored, min_group)
    placed = frame[frame["r_score"].notna()]
    shown = placed[placed["customers"].notna()]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none", xlim=(0.5, bins + 0.5), ylim=(0.5, bins + 0.5))
        most, size = max(shown["revenue_share"].max() if len(shown) else 0, 1e-12), (0.96, 0.92)
        for place, row in zip(placed.index, placed.to_dict("records"), strict=True):
            r, f = row["r_score"], row["f_score"]
            marks.cell(ax, r, f, 1, token="wash", size=size).set_linewidth(1)
            if place not in shown.index:
                marks.label(ax, f"<{row['fewer_than']}", r, f, size=11, ha="center")
                continue
            # On at most half of the accent text can be read in light and dark.
            strength = 0.5 * max(row["revenue_share"], 0) / most
            marks.cell(ax, r, f, float(np.round(strength, 3)), size=size).set_linewidth(1)
            marks.label(ax, form.share(row["revenue_share"]), r, f + 0.1, token="ink", size=11, ha="center")
            marks.label(ax, form.count(row["customers"]), r, f - 0.24, token="ink", ha="center")
        ends = {1: "1\nlongest ago", bins: f"{bins}\nmost recent"}
        ax.set_xticks(range(1, bins + 1), [ends.get(i, str(i)) for i in range(1, bins + 1)])
        ends = {1: f"fewest {words.deeds}  1", bins: f"most {words.deeds}  {bins}"}
        ax.set_yticks(range(1, bins + 1), [ends.get(i, str(i)) for i in range(1, bins + 1)])

    few = f" Empty cells have no {words.many}." if len(placed) < bins * bins else ""
    rest = frame[frame["r_score"].isna()]
    if len(rest):
        together = rest.iloc[0]
        few += (
            f" Cells marked “<{placed['fewer_than'].max()}” are too small to be shown; together they have "
            f"{form.count(together['customers'])} {words.many} and {form.share(together['revenue_share'])} of {revenue}."
        )
    seen = "none is large enough to be shown"
    if len(shown):
        best = shown.sort_values("revenue", ascending=False, kind="stable").iloc[0]
        seen = (
            f"the cell with recency {best['r_score']:.0f} and frequency {best['f_score']:.0f} holds the most {revenue}, "
            f"{form.share(best['revenue_share'])} of all"
        )
    return Chart(
        f"Recency score across, frequency score up. Each cell: its share of {revenue}, and below it the number of {words.many}; the "
        f"stronger the colour, the more {revenue}.{few}",
        f"A grid of {bins} by {bins} cells; {seen}.",
        draw,
        frame,
        (8, 0.62 * bins + 0.6),
    )


def sizes_then_and_now(moves: pd.DataFrame, min_group: int) -> pd.DataFrame:
    """Return the size of each segment at two days, small ones together as "Other": segment, before, after."""
    import pandas as pd

    known = moves[moves["segment_before"] != NOT_YET]
    before = known.groupby("segment_before")["customers"].sum()
    after = moves.groupby("segment")["customers"].sum()
    names = [s.name for s in SEGMENTS if s.name in before.index or s.name in after.index]
    frame = pd.DataFrame({"before": before, "after": after}).reindex(names).fillna(0).astype("int64")
    small: set[str] = set()
    for column in frame.columns:
        small |= set(small_groups(frame[column], min_group))
    rest = frame[frame.index.isin(small)].sum()
    frame = frame[~frame.index.isin(small)]
    if small:
        frame = pd.concat([frame, pd.DataFrame([rest], index=[OTHER])])
    return frame.rename_axis("segment").reset_index()


def moves_chart(study: Study) -> Chart | Absent:
    """Sizes of segments, then and now."""
    moves, min_group, form, words = study.moves, study.params.min_group, study.context.form, study.words
    if moves is None or study.earlier is None:
        return no_moves(words)
    frame = sizes_then_and_now(moves, min_group)

    def draw(figure: Figure) -> None:
        most = max(frame["before"].max(), frame["after"].max(), 1)
        limits = (-0.02 * most, 1.25 * most)  # a dot at 0 must not touch the name beside it
        ax = marks.axes(figure.add_subplot(), form, x="count", lines="x", xlim=limits)
        marks.ticks(ax.xaxis, 6)
        for place, row in reversed(list(zip(marks.rows(ax, frame["segment"]), frame.to_dict("records"), strict=True))):
            old, new = row["before"], row["after"]
            ax.plot([old, new], [place, place], color=color("fill"), linewidth=3, zorder=1)
            ax.plot(old, place, "o", color=color("muted"), markersize=6, markerfacecolor=color("paper"), zorder=2)
            ax.plot(new, place, "o", color=color("accent"), markersize=7, zorder=3)
            marks.label(ax, f"{form.count(old)} → {form.count(new)}", max(old, new), place, gap=(9, 0))

    known = moves[moves["segment_before"] != NOT_YET]
    kept = int(known.loc[known["segment"] == known["segment_before"], "customers"].sum())
    total = int(known["customers"].sum())
    stayed = ""
    if total >= min_group:
        stayed = f" Of those who were {words.many} then, {form.share(kept / total)} are in the same segment now."
    return Chart(
        f"{words.many.capitalize()} per segment on {form.day(study.earlier)} (hollow) and now (filled).{stayed}",
        f"Dots for {len(frame)} segments, then and now, joined by lines that show growth or decline.",
        draw,
        frame,
        (8, 0.36 * len(frame) + 0.5),
    )
