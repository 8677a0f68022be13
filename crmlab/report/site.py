"""``reports/<data set>/index.html``: what the data are, what was found, what changed, what was not made and why."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from crmlab.data.cache import write_aside
from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.errors import ReportError
from crmlab.page.format import Format
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


def index_page(found: Sequence[Entry], descriptor: Descriptor, tables: Sequence[str] | None = None) -> str:
    """Return the index as HTML."""
    form = Format(descriptor.currency, descriptor.report.language)
    made = [entry for entry in found if entry.summary]
    # The heading speaks of the freshest history that a report has seen.
    freshest = max(made, key=lambda entry: str((entry.summary or {}).get("as_of", "")), default=None)
    context = (freshest.summary or {}).get("context", "") if freshest else descriptor.title
    items = [_item(entry, form) for entry in found]
    items += [_absent(name, tables) for name in report_names() if name not in {entry.place.split("--")[0] for entry in found}]
    title = descriptor.report.title or descriptor.title
    return (
        f"{head(f'{title}: reports', descriptor)}<body>\n{masthead(descriptor, '', context)}\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{_about(descriptor, freshest, form)}"
        f'<ul class="reports">\n{chr(10).join(items)}\n</ul>\n</main>\n{foot(descriptor)}</body>\n</html>\n'
    )


def _about(descriptor: Descriptor, freshest: Entry | None, form: Format) -> str:
    """What the data are, and how fresh."""
    lines = [f"<p>{escape(descriptor.description)}</p>"] if descriptor.description else []
    if freshest and freshest.summary and freshest.shown:
        rows = freshest.shown.inputs.get("rows", {})
        parts = [f"{form.count(count)} {name.replace('_', ' ')}" for name, count in rows.items()]
        first, last = (dt.date.fromisoformat(freshest.summary[key]) for key in ("first_day", "as_of"))
        run = dt.datetime.fromisoformat(freshest.shown.started)
        lines.append(
            f'<p class="state">History from {form.day(first)} to {form.day(last)}: {escape(", ".join(parts))}. '
            f"Last run on {form.day(run)}.</p>"
        )
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _item(entry: Entry, form: Format) -> str:
    state = _state(entry)
    name, _, variant = entry.place.partition("--")
    words = f" ({variant.replace('--', ', ').replace('-', ' ', 1)})" if variant else ""
    anchor = escape(entry.place, quote=True)
    if entry.summary is None:
        return f'<li id="{anchor}"><h2>{escape(label(name) + words)}</h2>{state}</li>'
    changes = _changes(entry, form)
    points = []
    for finding in entry.summary["findings"]:
        ends = f' <span class="ci">({escape(finding["interval"])})</span>' if finding["interval"] else ""
        moved = changes.get(finding.get("metric", ""), "")
        since = f' <span class="change">{escape(moved)}</span>' if moved else ""
        points.append(f"<li><b>{escape(finding['value'])}</b> {escape(finding['text'])}{ends}{since}</li>")
    title = escape(entry.summary["title"] + words)
    return (
        f'<li id="{anchor}"><h2><a href="{anchor}/report.html">{title}</a></h2>'
        f"<ul>{''.join(points)}</ul>{_beyond(entry)}{state}</li>"
    )


def _changes(entry: Entry, form: Format) -> dict[str, str]:
    if entry.shown is None or entry.before is None:
        return {}
    return {change.name: f"Since the last run: {change.words(form)}." for change in _compared(entry)}


def _compared(entry: Entry) -> list[Any]:
    assert entry.shown is not None and entry.before is not None
    return compare(entry.before.metrics, entry.shown.metrics)


def _beyond(entry: Entry) -> str:
    """How many measures moved beyond their intervals since the last run."""
    if entry.shown is None or entry.before is None:
        return ""
    changes = _compared(entry)
    moved = [change for change in changes if change.verdict == "beyond"]
    if not moved:
        return '<p class="state">Since the last run, no measure moved beyond its interval.</p>'
    names = ", ".join(change.name.replace("_", " ") for change in moved[:4]) + (", …" if len(moved) > 4 else "")
    return (
        f'<p class="state">Since the last run, {len(moved)} of {len(changes)} measures moved beyond their intervals: '
        f"{escape(names)}.</p>"
    )


def _state(entry: Entry) -> str:
    record = entry.last
    if record is None or record.ok:
        return ""
    if record.status == "skipped" and not entry.summary:
        return f'<p class="state">Not made. {escape(record.reason)}</p>'
    if record.status == "running":
        return '<p class="state">A run is at work.</p>'
    if entry.summary:
        return f'<p class="state bad">Stale: the last run did not succeed, so this is from an earlier one. {escape(record.reason)}</p>'
    return f'<p class="state bad">Not made: the run did not succeed. {escape(record.reason)}</p>'


def _absent(name: str, tables: Sequence[str] | None) -> str:
    missing = [table for table in analysis(name).NEEDS if tables is not None and table not in tables]
    if missing:
        reason = f"It needs {' and '.join(missing)}, which this data set does not have."
    elif not runs_unasked(name):
        reason = f"It is made on request: crmlab run {name}, with its parameters."
    else:
        reason = f"Make it with: crmlab run {name}"
    return f'<li id="{name}"><h2>{escape(question(name))}</h2><p class="state">Not made. {escape(reason)}</p></li>'


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
    folders = [out / name for name in names] or sorted({path.parent.parent for path in out.glob("*/*/result.json")})
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
