"""Tables and charts of a test in one file: whether it can be relied on, its outcomes, what it earned, and what was known before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.balance import BALANCE_ALPHA
from crmlab.analyses.campaigns.results.one_file_words import difference, unit_of
from crmlab.analyses.campaigns.results.tables import BLOCKED, CHECKED, checks_table, differs, sizes_found
from crmlab.analyses.campaigns.results.words import level_word
from crmlab.page import marks
from crmlab.page.exhibits import Absent, Exhibits
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.texts import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.campaigns.results.one_file import OneFile

__all__ = ["ONE_FILE"]

_DRAWN = 6  # outcomes in one picture
_LONGEST = 34  # letters of a label
_NOTHING_TO_MISS = Absent()


def _health(study: OneFile) -> Table:
    """Whether the numbers mean anything, check by check."""
    form, sizes = study.context.form, study.found.sample_ratio
    fine, look, stop, unknown = CHECKED
    rows: list[tuple[str, str, str]] = []
    if sizes is None:
        rows.append(("Sizes as planned", unknown, "the sizes of the cells cannot be compared"))
    else:
        planned = "" if study.section.shares else "\nno shares are given, so equal sizes are expected"
        found = sizes_found(sizes, study.who, form, what="tests")
        rows.append(("Sizes as planned", stop if study.blocked else fine, f"{found}{planned}"))
    rows.append((f"{study.who.capitalize()} in two cells", *_in_two_cells(study)))
    if len(study.balance):
        far = study.balance.loc[study.balance["difference"].abs().idxmax()]
        said = f"largest difference: in “{far['covariate']}”, {form.number(abs(far['difference']))} standard deviations"
        rows.append(("Alike beforehand", look if study.uneven else fine, said))
    else:
        rows.append(("Alike beforehand", unknown, "nothing is known from before"))
    return checks_table(study.context.title, rows, form, "tests")


def _in_two_cells(study: OneFile) -> tuple[str, str]:
    """What is known of customers in more than one cell, and what it means."""
    if study.twice is None:
        return "not checked", "the file has no ids: each row counts as one customer"
    if not study.twice:
        return "OK", "nobody"
    many = f"1 {study.who[:-1]} is" if study.twice == 1 else f"{study.context.form.count(study.twice)} {study.who} are"
    return "check", f"{many} in more than one cell and left out of all"


def _level(study: OneFile) -> str:
    return level_word(study.params.level, study.context.form)


def _family(study: OneFile) -> str:
    if len(study.control) == 1 or study.params.correction == "none":
        return "are each taken on their own"
    return "hold for all cells of an outcome at once" + (" (Bonferroni)" if study.params.correction == "holm" else "")


def _cells(study: OneFile) -> Table:
    """Every outcome in every cell, controls first, and its difference from the control."""
    rows: list[dict[str, Any]] = []
    for outcome in study.kinds:
        against, means = {row["cell"]: row for row in study.rows(outcome)}, study.means(outcome)
        for cell, stats in study.found.cells.items():
            kind = unit_of(study, outcome)
            row: dict[str, Any] = {
                "name": f"{study.section.label(outcome)}\n{cell}",
                "outcome": outcome,
                "cell": cell,
                "n": stats.n,
            }
            row |= {"kind": kind, "difference_kind": "points" if kind == "share" else kind}
            row["value"], row["low"], row["high"] = means[cell]
            its = against.get(cell)
            row |= {"estimate": None, "estimate_low": None, "estimate_high": None}
            row["verdict"] = "the control" if its is None else "no verdict"
            if its is not None and not study.blocked:
                row |= {"estimate": its["estimate"], "estimate_low": its["low"], "estimate_high": its["high"]}
                row["verdict"] = _verdict(study, its)
            rows.append(row)
    ends = ["estimate", "estimate_low", "estimate_high"]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(ends, object))
    frame[ends] = frame[ends].where(frame[ends].notna(), None)
    columns = {
        "name": Column("Outcome and cell", "lines"),
        "n": Column("Customers", "count"),
        "value": Column("Result", "row:kind", "low", "high"),
        "estimate": Column("Against control", "row:difference_kind", "estimate_low", "estimate_high"),
        "verdict": Column("Verdict", lead=True),
    }
    down = [study.section.label(name) for name in study.kinds if study.section.outcomes[name].direction == "down"]
    better = f" Less is better of {', '.join(f'“{name}”' for name in down)}." if down else ""
    adjusted = (
        " Means and ratios are adjusted for what was known before the test, as their differences are."
        if any(map(study.adjusted, study.kinds))
        else ""
    )
    caption = (
        f"Cells of “{study.context.title}”, outcome by outcome, controls first. Small figures: {_level(study)} intervals; those of "
        f"differences {_family(study)}.{better}{adjusted}"
    )
    return Table(caption, frame, columns, study.context.form, top=60)


def _verdict(study: OneFile, row: dict[str, Any]) -> str:
    unit = unit_of(study, row["metric"])
    seen = study.context.form.write(row["detectable"], "points" if unit == "share" else unit)
    up = study.section.outcomes[row["metric"]].direction == "up"
    return differs(row["low"], row["high"], "better" if up else "worse", "worse" if up else "better", seen)


def _money(study: OneFile) -> Table | Absent:
    """What each cell earned; without an outcome in money, what one more customer with the first outcome cost."""
    if study.blocked:
        return BLOCKED
    form = study.context.form
    if study.profit is None:
        return _cost_each(study) if study.cost_each is not None else _NOTHING_TO_MISS
    known = study.margin.known
    word = "profit" if known else "revenue"
    frame = study.profit[["cell", "control", "n", "estimate", "low", "high", "detectable"]].copy()
    each = np.array([study.section.cost_of(cell) - study.section.cost_of(its) for cell, its in study.control.items()])
    frame["cost"] = [study.section.cost_of(cell) * n for cell, n in zip(frame["cell"], frame["n"], strict=True)]
    for end in ("estimate", "low", "high"):
        frame[f"total_{end}"] = frame["n"] * frame[end]
        frame[f"even_{end}"] = frame[end] + each
    more = ("more revenue", "less revenue")
    if known:
        priced = study.section.cost is not None
        more = ("earned more than it cost", "cost more than it brought") if priced else ("earned more", "earned less")
    frame["verdict"] = [
        differs(row["low"], row["high"], *more, form.money(row["n"] * row["detectable"])) for row in frame.to_dict("records")
    ]
    columns = {
        "cell": Column("Cell"),
        "n": Column("Contacts", "count"),
        "cost": Column("Cost", "money"),
        "total_estimate": Column(f"{word.capitalize()} of the cell", "money", "total_low", "total_high"),
        "even_estimate": Column("Break-even cost of a contact", "exact", "even_low", "even_high"),
        "verdict": Column("Verdict", lead=True),
    }
    for name, drop in (("even_estimate", not known), ("cost", study.section.cost is None)):
        if drop:
            columns.pop(name)
    even = " A contact that costs more than the break-even cost loses money." if known else ""
    caption = (
        f"Incremental {word} of each cell against its control, from “{study.section.label(study.money or '')}”.{even} In brackets: the "
        f"smallest effect that could have been detected. Small figures: {_level(study)} intervals, which {_family(study)}."
    )
    return Table(caption, frame, columns, form, top=40)


def _cost_each(study: OneFile) -> Table:
    """What one more customer with the first outcome cost, cell by cell."""
    form, rows = study.context.form, []
    for row in study.rows(study.first):
        cost = study.section.cost_of(row["cell"]) - study.section.cost_of(row["control"])
        shown = row["low"] > 0 and cost > 0
        ends = [cost / row[end] if shown else None for end in ("estimate", "high", "low")]
        one = {"cell": row["cell"], "n": row["n"], "cost": row["n"] * study.section.cost_of(row["cell"])}
        one |= {"more": row["n"] * row["estimate"], "more_low": row["n"] * row["low"], "more_high": row["n"] * row["high"]}
        rows.append({**one, **dict(zip(("each", "each_low", "each_high"), ends, strict=True))})
    columns = {
        "cell": Column("Cell"),
        "n": Column("Contacts", "count"),
        "cost": Column("Cost", "money"),
        "more": Column("More customers than without it", "count", "more_low", "more_high"),
        "each": Column("Cost of one more", "exact", "each_low", "each_high"),
    }
    label = study.section.label(study.first)
    caption = (
        f"What one more customer with “{label}” cost, where a cell is shown to bring more of them. Small figures: {_level(study)} "
        f"intervals, which {_family(study)}."
    )
    return Table(caption, pd.DataFrame(rows), columns, form, top=40)


def _balance(study: OneFile) -> Table | Absent:
    """Differences before the test."""
    if study.balance.empty:
        return _NOTHING_TO_MISS
    form = study.context.form
    columns = {
        "covariate": Column("Known beforehand"),
        "cell": Column("Cell"),
        "mean": Column("Mean", "number"),
        "mean_control": Column("Mean in the control", "number"),
        "difference": Column("Difference", "number", "low", "high"),
    }
    caption = (
        "What was known before the test: cell minus control, in standard deviations. Some will differ by chance alone. Small figures: "
        f"{level_word(1 - BALANCE_ALPHA, form)} intervals that hold for all rows at once."
    )
    return Table(caption, study.balance, columns, form, top=40)


def _many(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _forest(study: OneFile) -> Chart | Absent:
    """Differences from the control, a panel for each outcome."""
    if study.blocked:
        return BLOCKED
    form, drawn = study.context.form, list(study.kinds)[:_DRAWN]
    rows = {name: study.rows(name) for name in drawn}
    frame = study.found.frame[["metric", "cell", "control", "estimate", "low", "high"]].rename(columns={"metric": "outcome"})
    many = len(study.control)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(drawn), 1, squeeze=False)
        for ax, name in zip(panels[:, 0], drawn, strict=True):
            scale = 100 if unit_of(study, name) == "share" else 1
            values = np.array([[scale * row[end] for end in ("estimate", "low", "high")] for row in rows[name]])
            low, high = float(min(values.min(), 0)), float(max(values.max(), 0))
            unit = {"share": ", points", "amount": f", {form.currency}" if form.currency else ""}.get(unit_of(study, name), "")
            label = f"{shortened(study.section.label(name), 60)}: difference from the control{unit}".replace("$", r"\$")
            marks.axes(ax, form, lines="base", xlabel=label)
            notes = ["{}  ({})".format(*difference(study, row)) for row in rows[name]]
            y = marks.forest(ax, [shortened(row["cell"], _LONGEST).replace("$", r"\$") for row in rows[name]], notes, low, high)
            marks.intervals(ax, y, (values[:, 0], values[:, 1], values[:, 2]), size=7)

    row = study.clearest
    left = f" The first {_DRAWN} of {len(study.kinds)} outcomes are drawn." if len(study.kinds) > _DRAWN else ""
    size, ends = difference(study, row)
    return Chart(
        f"Differences from the control, outcome by outcome, with {_level(study)} intervals. If an interval includes 0, no difference has "
        f"been shown.{left}",
        f"Dots with intervals for {_many(many, 'cell')} and {_many(len(drawn), 'outcome')}; {row['cell']} stands at {size} ({ends}) in "
        f"{study.section.label(study.first)}.",
        draw,
        frame,
        (8, len(drawn) * (1.0 + 0.42 * many)),
    )


def _without_dates(_: OneFile) -> Absent:
    """What a file without orders and dates cannot show, and nobody misses there."""
    return _NOTHING_TO_MISS


_TABLES = ("components", "segments", "rounds", "history", "next_plan", "matched")
_CHARTS = ("components_chart", "days", "depth", "history_chart")
ONE_FILE: Exhibits[OneFile] = Exhibits(
    tables={
        **{"cells": _cells, "money": _money, "health": _health, "balance": _balance},
        **dict.fromkeys(_TABLES, _without_dates),
    },
    charts={"forest": _forest, **dict.fromkeys(_CHARTS, _without_dates)},
)
