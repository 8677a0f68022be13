"""Tables of a result: what each column holds, and how it is shown on a page, on paper, on a phone and in JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from crmlab.page.format import Format
from crmlab.page.html import NOTHING, each, first_sentence, in_lab, markup, safe, unbroken
from crmlab.page.texts import plain, shortened

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["TOP_ROWS", "Column", "Table"]


TOP_ROWS = 20  # a longer table shows so many rows and names its file
_CARDS = 16  # rows up to which a table is told as cards on a phone
_LONG = 24  # letters up to which the text of a cell stands beside its label on a card


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown: heading, kind of value (see ``style.KINDS``), and its interval's columns.

    Where rows are of different kinds, ``"row:<column>"`` names the column that holds the kind of each.
    """

    label: str
    kind: str = "text"
    low: str | None = None
    high: str | None = None
    lead: bool = False  # whether it stands first on a card: the verdict


@dataclass(frozen=True)
class Table:
    """A table: what it shows, its numbers, and how they are written.

    Parameters
    ----------
    caption : str
        What the table shows, and the level of its intervals.
    frame : DataFrame
        The numbers, unrounded. The first shown column names the rows.
    columns : mapping, optional
        Column name → :class:`Column`, in the order shown; default: every column, by its type. Columns that are an
        interval's end are shown with their estimate.
    form : Format
        How numbers are written.
    key : str
        Name of the table in its result, and of its file; set by :class:`Result`.
    top : int
        How many rows are shown of a longer table; its file has them all.
    linked : bool
        Whether its file is there to be linked; set by :class:`Result` once it was saved.
    """

    caption: str
    frame: pd.DataFrame
    columns: Mapping[str, Column] | None = None
    form: Format = Format()
    key: str = ""
    top: int = TOP_ROWS
    linked: bool = False

    def __repr__(self) -> str:
        return f"Table({self.caption!r}, {len(self.frame)} rows × {self.frame.shape[1]} columns)"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def _shown(self) -> Mapping[str, Column]:
        if self.columns is not None:
            return self.columns
        kinds = {"i": "count", "u": "count", "f": "number", "M": "date"}
        return {name: Column(str(name), kinds.get(self.frame[name].dtype.kind, "text")) for name in self.frame.columns}

    def html(self) -> Markup:
        """The table as accessible HTML: caption, scoped headers, numbers aligned, intervals small."""
        shown = {name: self._alike(name, column) for name, column in self._shown().items()}
        # On a phone the rows of a short table become cards; roles keep it a table for whoever hears it.
        cards = len(self.frame.head(self.top)) <= _CARDS and len(shown) > 2
        role = {name: Markup(f' role="{name}"') if cards else NOTHING for name in ("columnheader", "row", "rowgroup")}
        head = NOTHING.join(
            markup('<th{} scope="col"{}>{}</th>', role["columnheader"], _align(column, i), column.label)
            for i, column in enumerate(shown.values())
        )
        rows = each(
            f"<tr{role['row']}>{{}}</tr>",
            (
                NOTHING.join(self._cell(record, name, column, i, cards) for i, (name, column) in enumerate(shown.items()))
                for record in self.frame.head(self.top).to_dict("records")
            ),
        )
        more = NOTHING
        if len(self.frame) > self.top:
            size = self.form.count(len(self.frame))
            more = markup('<p class="files">The first {} of {} rows. All: {}</p>', self.top, size, self._whole())
        return markup(
            '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table{}><caption>{}</caption>'
            "<thead{}><tr{}>{}</tr></thead><tbody{}>{}</tbody></table></div>{}",
            first_sentence(self.caption),
            Markup(' class="cards" role="table"') if cards else Markup(' class="pairs"') if len(shown) < 3 else NOTHING,
            self.caption,
            role["rowgroup"],
            role["row"],
            head,
            role["rowgroup"],
            rows or markup('<tr><th scope="row" colspan="{}">None</th></tr>', len(shown)),
            more,
        )

    def _alike(self, name: str, column: Column) -> Column:
        """A column, its amounts in one unit."""
        if column.kind not in ("money", "amount"):
            return column
        told = [self.frame[end].head(self.top) for end in (name, column.low, column.high) if end in self.frame]
        values = [value for one in told for value in one if not isinstance(value, str)]
        return replace(column, kind=self.form.one_unit(values, column.kind))

    def _whole(self) -> Markup:
        """Where all rows of a longer table are."""
        if self.linked:
            return markup('<a href="tables/{0}.csv">{0}.csv</a>', self.key)
        return markup("<code>result.tables[&quot;{}&quot;].frame</code>", self.key) if self.key else Markup("its frame")

    def _cell(self, record: Mapping[Any, Any], name: str, column: Column, place: int, cards: bool) -> Markup:
        kind = str(record[column.kind[4:]]) if column.kind.startswith("row:") else column.kind
        low, high = (None if end is None else record[end] for end in (column.low, column.high))
        known = column.low is not None and column.high is not None
        written, ends = (
            self.form.measured(record[name], low, high, kind) if known else (self.form.write(record[name], kind), "")
        )
        parts = written.split("\n") if kind == "lines" else [written]
        text = Markup("<br>").join(safe(_clip(part)) for part in parts)
        text += markup(' <span class="ci">{}</span>', unbroken(str(ends))) if ends and ends != written else ""
        if place == 0:
            return markup('<th{} scope="row">{}</th>', Markup(' role="rowheader"') if cards else NOTHING, text)
        label = markup(' role="cell" data-label="{}"', column.label) if cards else NOTHING
        looks = (("long", len(written) > _LONG), ("none", not written), ("lead", column.lead)) if cards else ()
        return markup("<td{}{}>{}</td>", label, _align(column, place, *(name for name, so in looks if so)), text)


def _align(column: Column, place: int, *looks: str) -> Markup:
    """The classes of a cell: those of its kind, and how it looks as a line of a card."""
    words = ("text", "wide") if column.kind == "lines" else ("text",) if column.kind in ("text", "name") or place == 0 else ()
    return markup(' class="{}"', " ".join((*words, *looks))) if words or looks else NOTHING


def _clip(text: str, limit: int = 120) -> str:
    """Keep a cell readable whatever it holds."""
    clean = plain(text[: 4 * limit])
    return shortened(clean, limit)
