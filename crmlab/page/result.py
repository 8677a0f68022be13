"""What an analysis returns: findings, estimates, tables, charts, warnings, method, and lists for files.

Analyses make these objects and no HTML. Each shows itself well in JupyterLab and on a page; :mod:`crmlab.page.html`
escapes every text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from crmlab.page.drawing import svg
from crmlab.page.estimate import Estimate
from crmlab.page.fitting import PHONE
from crmlab.page.format import DASH, Format
from crmlab.page.html import NOTHING, each, first_sentence, in_lab, markup, safe, unbroken
from crmlab.page.quantities import Quantities, Quantity
from crmlab.page.tables import Table

if TYPE_CHECKING:
    import datetime as dt

    import ibis
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "LEFT_OUT",
    "Chart",
    "Context",
    "Files",
    "Finding",
    "Findings",
    "Method",
    "Note",
    "Output",
    "Result",
]

LEFT_OUT = "Not shown."  # heads the reason why a table or a chart is not there


_HEAVY = 120_000  # characters of a drawing that is not made a second time for phones: pages stay small


@dataclass(frozen=True)
class Finding:
    """One thing found: a number as people read it, its interval, and a sentence that goes on from them.

    Examples
    --------
    >>> Finding("23%", "of customers bring two thirds of revenue.", "61 to 71%, at 95%")
    Finding('23%', 'of customers bring two thirds of revenue.')
    """

    value: str
    text: str
    interval: str = ""
    metric: str = ""  # name of the metric that it shows, by which two runs are compared

    def __repr__(self) -> str:
        return f"Finding({self.value!r}, {self.text!r})"

    def sentence(self) -> str:
        """The finding as one line of plain text."""
        ends = f" ({self.interval})" if self.interval else ""
        return f"{self.value}{ends} {self.text}"

    def html(self) -> Markup:
        """The finding as a list item."""
        ends = markup(' <span class="ci">({})</span> ', unbroken(self.interval)) if self.interval else ""
        return markup("<li><strong>{}</strong>{}<span>{}</span></li>", self.value, ends, self.text)


class Findings(tuple[Finding, ...]):
    """The findings of a result, most important first; shows itself as the first screen of a report."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(finding.sentence() for finding in self) or "Findings()"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def html(self) -> Markup:
        """The findings as a list."""
        items = NOTHING.join(finding.html() for finding in self)
        return markup('<ul class="findings">{}</ul>', items) if self else NOTHING


@dataclass(frozen=True)
class Chart:
    """A picture and the numbers behind it.

    Parameters
    ----------
    caption : str
        How to read the picture.
    alt : str
        A sentence that says what one sees.
    draw : callable
        Gets an empty matplotlib figure and draws into it.
    frame : DataFrame
        The numbers drawn.
    size : (width, height)
        In inches; the width of a page is 8. For phones it is drawn a second time, in the same height, if it fits their width.
    key : str
        Name of the chart in its result, and of its data's file; set by :class:`Result`.
    linked : bool
        Whether that file is there to be linked; set by :class:`Result` once it was saved.
    """

    caption: str
    alt: str
    draw: Callable[[Figure], None] = field(repr=False)
    frame: pd.DataFrame = field(repr=False)
    size: tuple[float, float] = (8.0, 3.2)
    key: str = ""
    linked: bool = False

    def __post_init__(self) -> None:
        if len(self.alt.split()) < 4 or not self.alt.strip().endswith("."):
            raise ValueError(f"The alt text of a chart must be a sentence. Got {self.alt!r}.")

    def __repr__(self) -> str:
        return f"Chart({self.caption!r}, {len(self.frame)} rows of data)"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def html(self) -> Markup:
        """The chart as a figure with inline SVG, its caption, and a link to its data once they were saved."""
        prefix = "c" + hashlib.sha256(f"{self.key}|{self.caption}|{self.alt}".encode()).hexdigest()[:8]
        picture = svg(self.draw, self.size, self.alt, prefix)
        twice = self.size[0] > PHONE and len(picture or "") < _HEAVY
        slim = svg(self.draw, (PHONE, self.size[1]), self.alt, f"{prefix}s", fitted=True) if twice else None
        classes = [name for name, so in (("narrow", self.size[0] < 6), ("two", slim is not None)) if so]
        return markup(
            '<figure{}><div class="plot{}" tabindex="0" role="region" aria-label="Chart: {}">{}</div>{}'
            "<figcaption>{}{}</figcaption></figure>",
            markup(' class="{}"', " ".join(classes)) if classes else "",
            Markup(" wide") if slim else "",
            first_sentence(self.caption),
            picture,
            markup('<div class="slim">{}</div>', slim) if slim else "",
            self.caption,
            markup(' <a href="tables/{}.csv">Data</a>', self.key) if self.linked else "",
        )


@dataclass(frozen=True)
class Note:
    """A remark that a reader must not miss: a warning, or what the analysis cannot say."""

    title: str
    sentences: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{self.title} {' '.join(self.sentences)}" if self.sentences else "Note()"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def html(self) -> Markup:
        """The note, or nothing where it is empty."""
        if not self.sentences:
            return NOTHING
        if len(self.sentences) > 2:
            points = each("<li>{}</li>", self.sentences)
            return markup('<div class="note"><p><strong>{}</strong></p><ul>{}</ul></div>', self.title, points)
        return markup('<div class="note"><p><strong>{}</strong> {}</p></div>', self.title, " ".join(self.sentences))


@dataclass(frozen=True)
class Method:
    """Where the method comes from, what it assumes, and how terms are used.

    ``counts`` says how many customers the page speaks of, by who is counted, in words. The index shows those of all pages side by side,
    since they answer different questions.
    """

    source: str
    assumptions: tuple[str, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Method({self.source!r})"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def html(self) -> Markup:
        """The method, folded."""
        points = each("<li>{}</li>", self.assumptions)
        terms = NOTHING.join(markup("<dt>{}</dt><dd>{}</dd>", *item) for item in self.definitions.items())
        return markup(
            "<details><summary>Method and definitions</summary><p>{}</p>{}{}</details>",
            self.source,
            markup("<ul>{}</ul>", points) if points else "",
            markup("<dl>{}</dl>", terms) if terms else "",
        )


@dataclass(frozen=True)
class Output:
    """A list for files, one row per customer, say: saved as Parquet and CSV, ordered by key, never shown in a page.

    ``note`` is a line that stands below it on the page; empty for none.
    """

    caption: str
    frame: pd.DataFrame | ibis.Table
    key: tuple[str, ...]
    note: str = ""


_COLUMNS = (
    '<details class="columns"><summary>Columns of this list</summary>'
    '<div class="scroll" tabindex="0" role="region" aria-label="Columns: {}"><table><caption>Columns: {}</caption>'
    '<thead><tr><th scope="col" class="text">Column</th><th scope="col" class="text">Meaning</th>'
    '<th scope="col" class="text">Unit</th></tr></thead><tbody>{}</tbody></table></div></details>'
)


@dataclass(frozen=True)
class Files:
    """Where a result's lists are, and what their columns mean; links only once they were saved, one per form (csv, parquet, xlsx)."""

    outputs: Mapping[str, Output] = field(repr=False)
    quantities: Quantities = field(repr=False)
    currency: str
    saved: tuple[str, ...] = ()
    told: Callable[[str], str] = field(default=str, repr=False)  # puts a meaning into the words of the data set

    def __repr__(self) -> str:
        return f"Files({', '.join(self.outputs)})"

    def _repr_html_(self) -> str:
        return in_lab(self.html())

    def html(self) -> Markup:
        """For each list a line, and a folded table of its columns."""
        lines = []
        for name, output in self.outputs.items():
            links = Markup(" · ").join(markup('<a href="outputs/{0}.{1}">{0}.{1}</a>', name, end) for end in self.saved)
            where = links if self.saved else markup("<code>result.outputs[&quot;{}&quot;].frame</code>", name)
            lines.append(markup('<p class="files">{}: {}</p>', output.caption, where))
            if output.note:
                lines.append(markup('<p class="files counted">{}</p>', output.note))
            rows = NOTHING.join(self._row(self.quantities.of(str(column))) for column in output.frame.columns)
            lines.append(markup(_COLUMNS, output.caption, output.caption, rows))
        return NOTHING.join(lines)

    def _row(self, quantity: Quantity) -> Markup:
        units = {"": "number", "currency": self.currency or "currency", "flag": "yes or no", "p": "p-value"}
        unit = units.get(quantity.unit, self.told(quantity.unit))
        template = '<tr><th scope="row">{}</th><td class="text">{}</td><td class="text">{}</td></tr>'
        return markup(template, Markup("_<wbr>").join(map(safe, quantity.name.split("_"))), self.told(quantity.meaning), unit)


@dataclass(frozen=True)
class Context:
    """What a result is about: data set, last and first day of its history, number of customers; and ``told``, which puts a text about
    customers who purchase into the words of the data set: those of donors who give, say. A test in one file has no days.
    """

    dataset: str
    title: str
    until: dt.date | None
    since: dt.date | None
    customers: int | None = None
    form: Format = Format()
    told: Callable[[str], str] = field(default=str, compare=False, repr=False)

    @property
    def as_of(self) -> dt.date:
        """The last day of the history; a data set without days has none."""
        if self.until is None:
            raise ValueError(f"The data set {self.dataset} has no days.")
        return self.until

    @property
    def first_day(self) -> dt.date:
        """The first day of the history; a data set without days has none."""
        if self.since is None:
            raise ValueError(f"The data set {self.dataset} has no days.")
        return self.since

    def line(self) -> str:
        """The line at the top of a page."""
        parts = [self.title] if self.until is None else [self.title, f"history to {self.form.day(self.until)}"]
        if self.customers is not None:
            parts.append(self.told(f"{self.form.count(self.customers)} customers"))
        return " · ".join(parts)


@dataclass(frozen=True)
class Result:
    """What an analysis found. Frozen; made by ``run`` of an analysis.

    Attributes
    ----------
    title : str
        The question that the analysis answers, in a reader's words.
    context : Context
        Data set, as-of, customers.
    params : object
        The Params that it ran with.
    findings : Findings
        At most three, most important first.
    metrics : mapping of str to Estimate
        What two runs are compared on.
    tables, charts, outputs : mappings
        By name.
    warnings : tuple of str
        What a reader must know before acting.
    limits : tuple of str
        What the analysis cannot say.
    absent : mapping of str to str
        Tables and charts that these data do not allow, and why.
    quantities : Quantities
        What metrics and columns of lists mean.
    method : Method
    """

    title: str
    context: Context
    params: Any
    findings: Findings
    metrics: Mapping[str, Estimate]
    tables: Mapping[str, Table]
    charts: Mapping[str, Chart]
    method: Method
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    saved: tuple[str, ...] = ()  # forms in which the lists were saved; empty where nothing was, so that nothing is linked
    absent: Mapping[str, str] = field(default_factory=dict)  # tables and charts left out of this result, and why
    quantities: Quantities = Quantities()
    lead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # tables that the index shows too, by its headings
    opens: bool = False  # whether the first finding opens the index

    def __post_init__(self) -> None:
        def freeze(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        freeze("findings", Findings(self.findings))
        freeze("metrics", MappingProxyType(dict(self.metrics)))
        freeze("outputs", MappingProxyType(dict(self.outputs)))
        linked = bool(self.saved)
        tables = {key: replace(table, key=key, linked=linked) for key, table in self.tables.items()}
        charts = {key: replace(chart, key=f"chart-{key}", linked=linked) for key, chart in self.charts.items()}
        freeze("tables", MappingProxyType(tables))
        freeze("charts", MappingProxyType(charts))

    def __repr__(self) -> str:
        return f"Result({self.title!r}, {len(self.findings)} findings, tables: {', '.join(self.tables) or DASH})"

    def _repr_html_(self) -> str:
        first = next(iter(self.charts.values()), None)
        heading = markup("<h2>{}</h2><p>{}</p>", self.title, self.context.line())
        return in_lab(heading + self.findings.html() + (first.html() if first else ""))

    def chart(self, name: str) -> Chart | Note:
        """Return a chart, or where this result left it out a remark that says why."""
        return self.charts[name] if name in self.charts else self._left_out(name)

    def table(self, name: str) -> Table | Note:
        """Return a table, or where this result left it out a remark that says why."""
        return self.tables[name] if name in self.tables else self._left_out(name)

    def _left_out(self, name: str) -> Note:
        why = self.absent[name]
        return Note(LEFT_OUT, (why,) if why else ())

    @property
    def notes(self) -> Note:
        """The warnings, as one remark."""
        return Note("Please note.", self.warnings)

    @property
    def cannot_say(self) -> Note:
        """The limits, as one remark."""
        return Note("What this cannot say.", self.limits)

    @property
    def files(self) -> Files:
        """Where the lists are."""
        return Files(self.outputs, self.quantities, self.context.form.currency, self.saved, self.context.told)
