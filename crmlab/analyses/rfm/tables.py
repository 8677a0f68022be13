"""Tables of the segments, without groups that are too small to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.rfm.segments import SEGMENTS, cut_points, level
from crmlab.history.words import QUARTER
from crmlab.models.intervals import LEVEL, wilson
from crmlab.page.exhibits import Absent
from crmlab.page.format import DASH, Format
from crmlab.page.groups import OTHER, small_groups, under
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.rfm.study import Study

__all__ = ["NO_MOVES", "cuts_table", "moves_table", "reach", "rules_table", "segments_table"]


NO_MOVES = Absent(f"The history is too short to say who moved: it needs at least {2 * QUARTER} days, or compare_to.")
_MEASURES = {
    "days": ("r_score", "days_since_last", "count"),
    "occasions": ("f_score", "occasions", "count"),
    "spend": ("m_score", "total_spend", "exact"),
}


def segments_table(study: Study) -> Table:
    """The segments, by revenue."""
    form = study.context.form
    columns = {
        "segment": Column("Segment"),
        "customers": Column("Customers", "count"),
        "share": Column("Share", "share", "share_low", "share_high"),
        "revenue": Column("Revenue", "money"),
        "revenue_share": Column("Revenue share", "share", "revenue_share_low", "revenue_share_high"),
        "median_spend": Column("Median spend", "amount", "median_spend_low", "median_spend_high"),
        "median_days": Column("Days since last", "days", "median_days_low", "median_days_high"),
    }
    caption = (
        f"Segments on {form.day(study.context.as_of)}, by revenue over the whole history. Small figures are {form.share(LEVEL)} intervals; "
        "days since the last purchase are medians."
    )
    return Table(caption, study.segments, columns, form)


def rules_table(study: Study) -> Table:
    """The rules, with the values behind their levels; customers only of segments that are shown alone."""
    import pandas as pd

    scored, segments, form = study.scored, study.segments, study.context.form
    bins, min_group = study.params.bins, study.params.min_group
    levels = {score: level(score, bins) for score in range(1, bins + 1)}

    def words(ends: tuple[int, int], name: str, one: str, many: str) -> str:
        score_column, column, kind = _MEASURES[name]
        place = f"level {ends[0]}" if ends[0] == ends[1] else f"levels {ends[0]} to {ends[1]}"
        place = place.replace(" ", "\u00a0")  # a level stays on one line with its number
        inside = scored.loc[scored[score_column].map(levels).between(*ends), column]
        if 0 < len(inside) < min_group:
            return place
        unit = (one if inside.max() == 1 else many) if len(inside) else ""
        return f"{reach(inside, scored[column], form, kind)}{unit} ({place})"

    shown = segments.set_index("segment")["customers"]
    there = set(scored["segment"])
    frame = pd.DataFrame(
        {
            "segment": s.name,
            "recency": words(s.recency, "days", "", ""),
            "frequency": words(s.frequency, "occasions", " occasion", " occasions"),
            "meaning": s.meaning,
            "action": s.action,
            "customers": shown.get(s.name, None if s.name in there else 0),
        }
        for s in SEGMENTS
    )
    frame["customers"] = frame["customers"].astype("Int64")
    columns = {
        "segment": Column("Segment"),
        "recency": Column("Last bought, days ago"),
        "frequency": Column("How often"),
        "meaning": Column("Compared with the others"),
        "action": Column("What to do"),
        "customers": Column("Customers", "count"),
    }
    caption = (
        "The rules. Levels run from 1 (worst) to 5 (best); scores with another number of bins are brought to five levels. "
        "Every pair of levels is in exactly one segment."
    )
    if frame["customers"].isna().any():
        caption += f" Segments with a dash are too small to be shown alone; they are in “{OTHER}”."
    return Table(caption, frame, columns, form)


def reach(values: pd.Series, everyone: pd.Series, form: Format, kind: str) -> str:
    """Say from where to where some values reach; the ends of everyone's are left open, as they are those of single customers."""
    if not len(values):
        return "nobody"
    low, high = values.min(), values.max()
    lowest, highest = low <= everyone.min(), high >= everyone.max()
    if low == high:
        return form.write(low, kind)
    if lowest and highest:
        return "any"
    if lowest:
        return f"up to {form.write(high, kind)}"
    return f"{form.write(low, kind)} or more" if highest else f"{form.write(low, kind)} to {form.write(high, kind)}"


def cuts_table(study: Study) -> Table:
    """Where the scores are cut: from, to and number only where enough customers have the score."""
    scored, min_group, form = study.scored, study.params.min_group, study.context.form
    cuts = cut_points(scored, study.params.bins)
    few = ""
    for name, (score_column, column, kind) in _MEASURES.items():
        sizes = cuts.set_index("score")[f"{name}_customers"]
        small = small_groups(sizes, min_group)
        hidden = cuts["score"].isin(small)
        cuts[name] = [
            DASH if gone else reach(scored.loc[scored[score_column] == score, column], scored[column], form, kind)
            for score, gone in zip(cuts["score"], hidden, strict=True)
        ]
        cuts = cuts.drop(columns=[f"{name}_from", f"{name}_to"])
        cuts[f"{name}_customers"] = (
            cuts[f"{name}_customers"].astype(object).mask(hidden, f"under {under(sizes[small], min_group)}")
        )
        if hidden.any():
            few = f" Scores of fewer than {min_group} customers are not told apart from the next smallest."
    columns = {
        "score": Column("Score", "count"),
        "days": Column("Days since last"),
        "days_customers": Column("Customers", "count"),
        "occasions": Column("Occasions"),
        "occasions_customers": Column("Customers", "count"),
        "spend": Column("Total spend"),
        "spend_customers": Column("Customers", "count"),
    }
    caption = f"Scores and the values behind them. Equal values are never split, so scores are unequal in size where values bunch.{few}"
    return Table(caption, cuts[list(columns)], columns, form)


def moves_table(study: Study) -> Table | Absent:
    """Moves between segments, the most frequent first; small ones as one row."""
    import pandas as pd

    moves, min_group, form = study.moves, study.params.min_group, study.context.form
    if moves is None or study.earlier is None:
        return NO_MOVES
    changed = moves[moves["segment"] != moves["segment_before"]]
    frame = changed.sort_values(["customers", "segment_before", "segment"], ascending=[False, True, True], ignore_index=True)
    # Of no rows, a mapping of texts gives texts.
    origin = frame["segment_before"].map(moves.groupby("segment_before")["customers"].sum()).astype("float64")
    ends = [wilson(int(k), int(n), LEVEL) for k, n in zip(frame["customers"], origin, strict=True)]
    frame = frame.assign(
        share=frame["customers"] / origin, share_low=[low for low, _ in ends], share_high=[high for _, high in ends]
    )
    small = small_groups(frame["customers"], min_group)
    if len(small):
        rest = {"segment_before": "Other moves", "segment": "", "customers": int(frame.loc[small, "customers"].sum())}
        frame = pd.concat([frame.drop(index=small), pd.DataFrame([rest])], ignore_index=True)
    columns = {
        "segment_before": Column("From"),
        "segment": Column("To"),
        "customers": Column("Customers", "count"),
        "share": Column("Share of those from there", "share", "share_low", "share_high"),
    }
    few = f" Moves of fewer than {min_group} customers are added up in the last row." if len(small) else ""
    caption = (
        f"Moves between segments since {form.day(study.earlier)}, most frequent first, with {form.share(LEVEL)} intervals.{few}"
    )
    return Table(caption, frame, columns, form, top=10)
