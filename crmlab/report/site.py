"""``reports/<data set>/index.html``: what the data are, what was found, what changed, what was not made and why."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from crmlab.data.cache import write_aside
from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.names import checked_name
from crmlab.errors import DescriptorError, ReportError
from crmlab.page.format import Format
from crmlab.page.html import markup
from crmlab.report.changes import compare
from crmlab.report.jobs import runs_unasked
from crmlab.report.records import RunRecord, history
from crmlab.report.registry import analysis, label, question, report_names
from crmlab.report.render import foot, head, masthead, render_folder, valid

__all__ = ["Entry", "entries", "index_page", "render_again", "write_index"]


@dataclass(frozen=True)
class Entry:
    """One report on the index: what it found, how its last run ended, and the good run before the one shown."""

    place: str
    summary: dict[str, Any] | None
    last: RunRecord | None
    shown: RunRecord | None
    before: RunRecord | None


def write_index(folder: Path, descriptor: Descriptor, tables: Sequence[str] | None = None) -> Path:
    """Write the index of a data set's reports from what is in its folder and its history.

    Parameters
    ----------
    folder : Path
        Folder of the data set's reports.
    descriptor : Descriptor
    tables : sequence of str, optional
        Tables of the data set; with them, reports that were never run are listed with the reason.

    Returns
    -------
    Path
        ``index.html``.
    """
    path = folder / "index.html"
    write_aside(path, valid(index_page(entries(folder), descriptor, tables)).encode())
    return path


def entries(folder: Path) -> list[Entry]:
    """Collect the reports of a folder, those made first."""
    by_place: dict[str, list[RunRecord]] = {}
    for record in history(folder):
        by_place.setdefault(record.place, []).append(record)
    made = {path.parent.name: _read(path) for path in sorted(folder.glob("*/result.json"))}
    found = []
    for place in sorted({*by_place, *made}, key=lambda name: (name not in made, name)):
        records = by_place.get(place, [])
        good = [record for record in records if record.status == "ok"]
        shown = good[-1] if good else None
        earlier = [record for record in good[:-1] if shown and record.key != shown.key]
        found.append(Entry(place, made.get(place), records[-1] if records else None, shown, earlier[-1] if earlier else None))
    return found


def index_page(found: Sequence[Entry], descriptor: Descriptor, tables: Sequence[str] | None = None) -> Markup:
    """Return the index as HTML."""
    form = Format(descriptor.currency, descriptor.report.language)
    made = [entry for entry in found if entry.summary]
    # The heading speaks of the freshest history that a report has seen.
    freshest = max(made, key=lambda entry: str((entry.summary or {}).get("as_of", "")), default=None)
    context = (freshest.summary or {}).get("context", "") if freshest else descriptor.title
    items = [_item(entry, form) for entry in found]
    items += [_absent(name, tables) for name in report_names() if name not in {entry.place.split("--")[0] for entry in found}]
    title = descriptor.report.title or descriptor.title
    return markup(
        '{}<body>\n{}\n<main>\n<h1>{}</h1>\n{}<ul class="reports">\n{}\n</ul>\n</main>\n{}</body>\n</html>\n',
        head(f"{title}: reports", descriptor),
        masthead(descriptor, "", context),
        title,
        _about(descriptor, freshest, form),
        Markup("\n").join(items),
        foot(descriptor),
    )


def _about(descriptor: Descriptor, freshest: Entry | None, form: Format) -> Markup:
    """What the data are, and how fresh."""
    lines = [markup("<p>{}</p>", descriptor.description)] if descriptor.description else []
    if freshest and freshest.summary and freshest.shown:
        rows = freshest.shown.inputs.get("rows", {})
        parts = [f"{form.count(count)} {name.replace('_', ' ')}" for name, count in rows.items()]
        first, last = (dt.date.fromisoformat(freshest.summary[key]) for key in ("first_day", "as_of"))
        run = dt.datetime.fromisoformat(freshest.shown.started)
        told = f"History from {form.day(first)} to {form.day(last)}: {', '.join(parts)}. Last run on {form.day(run)}."
        lines.append(_said(told))
    return Markup("\n").join(lines) + "\n"


def _said(text: str, kind: str = "state") -> Markup:
    return markup('<p class="{}">{}</p>', kind, text)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _item(entry: Entry, form: Format) -> Markup:
    state = _state(entry)
    name, _, variant = entry.place.partition("--")
    words = f" ({variant.replace('--', ', ').replace('-', ' ', 1)})" if variant else ""
    if entry.summary is None:
        return markup('<li id="{}"><h2>{}</h2>{}</li>', entry.place, label(name) + words, state)
    changes = _changes(entry, form)
    points = []
    for finding in entry.summary["findings"]:
        ends = markup(' <span class="ci">({})</span>', finding["interval"]) if finding["interval"] else ""
        moved = changes.get(finding.get("metric", ""), "")
        since = markup(' <span class="change">{}</span>', moved) if moved else ""
        points.append(markup("<li><b>{}</b> {}{}{}</li>", finding["value"], finding["text"], ends, since))
    return markup(
        '<li id="{0}"><h2><a href="{0}/report.html">{1}</a></h2><ul>{2}</ul>{3}{4}</li>',
        entry.place,
        entry.summary["title"] + words,
        Markup("").join(points),
        _beyond(entry),
        state,
    )


def _changes(entry: Entry, form: Format) -> dict[str, str]:
    if entry.shown is None or entry.before is None:
        return {}
    return {change.name: f"Since the last run: {change.words(form)}." for change in _compared(entry)}


def _compared(entry: Entry) -> list[Any]:
    assert entry.shown is not None and entry.before is not None
    return compare(entry.before.metrics, entry.shown.metrics)


def _beyond(entry: Entry) -> Markup:
    """How many measures moved beyond their intervals since the last run."""
    if entry.shown is None or entry.before is None:
        return Markup("")
    changes = _compared(entry)
    moved = [change for change in changes if change.verdict == "beyond"]
    if not moved:
        return _said("Since the last run, no measure moved beyond its interval.")
    names = ", ".join(change.name.replace("_", " ") for change in moved[:4]) + (", …" if len(moved) > 4 else "")
    return _said(f"Since the last run, {len(moved)} of {len(changes)} measures moved beyond their intervals: {names}.")


def _state(entry: Entry) -> Markup:
    record = entry.last
    if record is None or record.ok:
        return Markup("")
    if record.status == "skipped" and not entry.summary:
        return _said(f"Not made. {record.reason}")
    if record.status == "running":
        return _said("A run is at work.")
    if entry.summary:
        return _said(f"Stale: the last run did not succeed, so this is from an earlier one. {record.reason}", "state bad")
    return _said(f"Not made: the run did not succeed. {record.reason}", "state bad")


def _absent(name: str, tables: Sequence[str] | None) -> Markup:
    missing = [table for table in analysis(name).NEEDS if tables is not None and table not in tables]
    if missing:
        reason = f"It needs {' and '.join(missing)}, which this data set does not have."
    elif not runs_unasked(name):
        reason = f"It is made on request: crmlab run {name}, with its parameters."
    else:
        reason = f"Make it with: crmlab run {name}"
    return markup('<li id="{}"><h2>{}</h2>{}</li>', name, question(name), _said(f"Not made. {reason}"))


def render_again(out: Path, names: Sequence[str] = ()) -> list[Path]:
    """Render every report of a folder anew from its executed notebook.

    Parameters
    ----------
    out : Path
        Folder of reports.
    names : sequence of str
        Data sets; default: every folder that holds reports.

    Returns
    -------
    list of Path
        The indexes written.

    Raises
    ------
    ReportError
        There is no executed notebook.
    DescriptorError
        The data set of a folder is not known any more.
    """
    named = [out / checked_name(name, "a data set", DescriptorError) for name in names]
    folders = named or sorted({path.parent.parent for path in out.glob("*/*/result.json")})
    written = []
    for folder in folders:
        reports = sorted(path.parent for path in folder.glob("*/result.json"))
        if not reports:
            raise ReportError.nothing_to_render(folder)
        descriptor = load(str(_read(reports[0] / "run.json")["data"]))
        for report in reports:
            render_folder(report, report.name.split("--")[0], descriptor)
        written.append(write_index(folder, descriptor))
    if not written:
        raise ReportError.nothing_to_render(out)
    return written
