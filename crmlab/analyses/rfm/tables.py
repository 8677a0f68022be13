"""Tables of the segments, without groups that are too small to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.rfm.segments import NOT_YET, SEGMENTS, back, cut_points, level, not_yet
from crmlab.page.exhibits import Absent
from crmlab.page.format import DASH, Format
from crmlab.page.groups import OTHER, small_groups, under
from crmlab.page.tables import Column, Table
from crmlab.page.texts import joined

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.rfm.study import Study
    from crmlab.history.words import Words

__all__ = ["cuts_table", "moves_table", "no_moves", "reach", "rules_table", "segments_table"]


MOVES = 10  # that are shown
_MEASURES = {
    "days": ("r_score", "days_since_last", "count"),
    "occasions": ("f_score", "occasions", "count"),
    "spend": ("m_score", "total_spend", "amount"),
}


def no_moves(words: Words) -> Absent:
    """Why it is not said who moved."""
    return Absent(
        f"The history is too short to say who moved: it needs at least {2 * back(words)} days, or the parameter compare_to."
    )


def segments_table(study: Study) -> Table:
    """The segments, by revenue."""
    form, words = study.context.form, study.words
    columns = {
        "segment": Column("Segment"),
        "customers": Column(words.many.capitalize(), "count"),
        "share": Column("Share", "share"),
        "revenue": Column(words.fill("{Revenue}"), "money"),
        "revenue_share": Column(words.fill("Share of {revenue}"), "share"),
        "median_spend": Column("Median spend" if words.deed == "purchase" else "Median given", "amount"),
        "median_days": Column("Days since last", "count"),
    }
    caption = (
        f"Segments on {form.day(study.context.as_of)}, by {words.fill('{revenue}')} over the whole history; days since the last "
        f"{words.deed} are medians. All of this was counted, not estimated, so there are no intervals."
    )
    return Table(caption, study.segments, columns, form)


def rules_table(study: Study) -> Table:
    """The rules, with the values behind their levels; customers only of segments that are shown alone."""
    import pandas as pd

    scored, segments, form, said = study.scored, study.segments, study.context.form, study.words
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
            "frequency": words(s.frequency, "occasions", f" {said.deed}", f" {said.deeds}"),
            "meaning": said.told(s.meaning),
            "customers": shown.get(s.name),
            "contactable": study.consent(s.name).yes if s.name in shown else None,
        }
        for s in SEGMENTS
        if s.name in there
    )
    frame = frame.astype({"customers": "Int64", "contactable": "Int64"})
    columns = {
        "segment": Column("Segment"),
        "recency": Column(f"Last {said.deed}, days ago"),
        "frequency": Column("How often"),
        "meaning": Column("Compared with the others"),
        "customers": Column(said.many.capitalize(), "count"),
    }
    if study.consent().told:
        columns["contactable"] = Column("May be contacted", "count")
    caption = (
        "The rules. Levels run from 1 (worst) to 5 (best); scores with a different number of steps are converted to five levels. "
        "Every pair of levels is in exactly one segment."
    )
    if frame["customers"].isna().any():
        caption += f" Segments with a dash are too small to be shown alone; they are included in “{OTHER}”."
    empty = [f"“{s.name}”" for s in SEGMENTS if s.name not in there]
    if empty:
        caption += f" Nobody is in {joined(empty, 'or')}."
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
    scored, min_group, form, words = study.scored, study.params.min_group, study.context.form, study.words
    many = words.many.capitalize()
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
            few = f" Scores with fewer than {min_group} {words.many} are not shown separately from the next smallest."
    columns = {
        "score": Column("Score", "count"),
        "days": Column("Days since last"),
        "days_customers": Column(many, "count"),
        "occasions": Column(words.deeds.capitalize()),
        "occasions_customers": Column(many, "count"),
        "spend": Column("Total spend" if words.deed == "purchase" else "Given in all"),
        "spend_customers": Column(many, "count"),
    }
    caption = (
        "Scores and the values behind them. Equal values are never split, so the groups behind the scores differ in size where many "
        f"{words.many} share a value.{few}"
    )
    return Table(caption, cuts[list(columns)], columns, form)


def moves_table(study: Study) -> Table | Absent:
    """Moves between segments, the most frequent first; small ones as one row."""
    import pandas as pd

    moves, min_group, form, words = study.moves, study.params.min_group, study.context.form, study.words
    if moves is None or study.earlier is None:
        return no_moves(words)
    changed = moves[moves["segment"] != moves["segment_before"]]
    frame = changed.sort_values(["customers", "segment_before", "segment"], ascending=[False, True, True], ignore_index=True)
    # Of no rows, a mapping of texts gives texts.
    origin = frame["segment_before"].map(moves.groupby("segment_before")["customers"].sum()).astype("float64")
    came = frame["segment_before"].replace(NOT_YET, not_yet(words))
    # Who was no customer yet left no segment.
    share = (frame["customers"] / origin).mask(frame["segment_before"] == NOT_YET)
    frame = frame.assign(segment_before=came, share=share)
    small = small_groups(frame["customers"], min_group)
    if len(small):
        rest = {"segment_before": "Other moves", "segment": "", "customers": int(frame.loc[small, "customers"].sum())}
        frame = pd.concat([frame.drop(index=small), pd.DataFrame([rest])], ignore_index=True)
    columns = {
        "segment_before": Column("From"),
        "segment": Column("To"),
        "customers": Column(words.many.capitalize(), "count"),
        "share": Column("Share of the segment they left", "share"),
    }
    where = "the last row" if len(frame) <= MOVES else "the last row of the file"
    few = f" Moves of fewer than {min_group} {words.many} are added up in {where}." if len(small) else ""
    caption = f"Moves between segments since {form.day(study.earlier)}, most frequent first.{few}"
    return Table(caption, frame, columns, form, top=MOVES)
