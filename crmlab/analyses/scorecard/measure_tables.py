"""Tables of the measures of a scorecard: each now, a year ago and in the period before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.page.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmlab.analyses.scorecard.lines import Line
    from crmlab.analyses.scorecard.study import Study

__all__ = ["buying_table", "customers_table", "five_table", "lifecycle_table", "money_table", "reach_table"]


_GROUPS = {
    "customers": "{Many}",
    "money": "Money",
    "buying": "{Buying}",
    "lifecycle": "Lifecycle",
    "reach": "Reach and risk",
}
# Those that tell how the programme is doing, most telling first; where one is not known the next stands in.
_FIVE = ("revenue", "margin", "customers", "kept_share", "lapsing", "new", "average_order_value", "occasions_per_customer")


def customers_table(study: Study) -> Table:
    """Measures of customers who came, stayed and went."""
    return _measures(study, "customers")


def money_table(study: Study) -> Table:
    """Measures of revenue and profit."""
    return _measures(study, "money")


def buying_table(study: Study) -> Table:
    """Measures of how customers buy."""
    return _measures(study, "buying")


def lifecycle_table(study: Study) -> Table:
    """Measures of how customers move on."""
    return _measures(study, "lifecycle")


def reach_table(study: Study) -> Table:
    """Measures of contacts, and of how few bring how much."""
    return _measures(study, "reach")


def five_table(study: Study) -> Table:
    """The five measures that tell how the programme is doing."""
    board, by = study.board, {line.key: line for line in study.lines}
    some = [by[key] for key in _FIVE if key in by and by[key].now is not None][:5]
    form = study.context.form
    caption = (
        f"The main measures in {board.words()}. Changes in shares are in percentage points; small figures are "
        f"{form.share(study.params.level)} intervals. Figures that were simply counted have none."
    )
    return _lines_table(study, some, "Measure", caption, before=False)


def _measures(study: Study, name: str) -> Table:
    board, group = study.board, _GROUPS[name]
    caption = (
        f"{board.speech(group)} in {board.words()}. Changes in shares are in percentage points; small figures are "
        f"{study.context.form.share(study.params.level)} intervals. Figures that were simply counted have none."
    )
    return _lines_table(study, [line for line in study.lines if line.group == group], board.speech(group), caption)


def _lines_table(study: Study, lines: Sequence[Line], first: str, caption: str, *, before: bool = True) -> Table:
    """A row per measure: now, a year ago, and, where ``before`` says so, in the period before."""
    board = study.board
    rows: list[dict[str, object]] = []
    for line in lines:
        label = f"{line.label}: not known ({line.add.rstrip('.')})" if line.now is None else line.label
        row: dict[str, object] = {"label": label, "kind": line.kind, "measure": line.key}
        row["change_kind"] = "points" if line.kind == "share" else "share"
        row |= {"now": line.now, "low": line.low, "high": line.high, "last": line.last, "year": line.year}
        for name, change in (("since_last", line.since_last), ("since_year", line.since_year)):
            ends = change if change is not None else (None, None, None)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        rows.append(row)
    columns = {"label": Column(first), "now": Column("This period", "row:kind", "low", "high")}
    if board.year is not None:
        columns["year"] = Column("A year ago", "row:kind")
        columns["since_year"] = Column("Change", "row:change_kind", "since_year_low", "since_year_high")
    if board.last is not None and (before or board.year is None):
        columns["last"] = Column("Previous period", "row:kind")
        columns["since_last"] = Column("Change", "row:change_kind", "since_last_low", "since_last_high")
    # Missing numbers must not turn whole ones into floats with NaN shown: every cell keeps what it is.
    return Table(caption, pd.DataFrame(rows, dtype=object), columns, study.context.form, top=40)
