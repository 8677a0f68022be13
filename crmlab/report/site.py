"""``reports/<data set>/index.html``: what was found, report by report, and what was not made and why."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from crmlab import __version__
from crmlab.data.cache import write_aside
from crmlab.data.catalog import Descriptor, load
from crmlab.errors import ReportError
from crmlab.report.records import RunRecord, latest
from crmlab.report.registry import label
from crmlab.report.render import render_folder, stylesheet

_HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'\">\n"
)


def write_index(folder: Path, descriptor: Descriptor) -> Path:
    """Write the index of a data set's reports from what is in its folder.

    Returns
    -------
    Path
        ``index.html``.
    """
    records = latest(folder)
    made = {path.parent.name: _read(path) for path in sorted(folder.glob("*/result.json"))}
    names = sorted({*records, *made}, key=lambda name: (name not in made, name))
    context = next((summary["context"] for summary in made.values()), descriptor.title)
    items = "\n".join(_item(name, made.get(name), records.get(name)) for name in names)
    text = (
        f"{_HEAD}<title>{escape(descriptor.title)}: reports</title>\n<style>{stylesheet()}</style>\n</head>\n<body>\n"
        f"<header><p>{escape(context)}</p></header>\n<main>\n<h1>{escape(descriptor.title)}</h1>\n"
        f"<p>{escape(descriptor.description)}</p>\n"
        f'<ul class="reports">\n{items}\n</ul>\n</main>\n'
        f"<footer><p>{escape(descriptor.licence)}</p><p>Made with crmlab {__version__}.</p></footer>\n</body>\n</html>\n"
    )
    path = folder / "index.html"
    write_aside(path, text.encode())
    return path


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _item(name: str, summary: dict[str, Any] | None, record: RunRecord | None) -> str:
    state = ""
    if record is not None and not record.ok:
        words = {"skipped": "Not made."}.get(record.status, "The last run failed.")
        stale = " What is shown is from an earlier run." if summary else ""
        kind = "state" if record.status == "skipped" else "state bad"
        state = f'<p class="{kind}">{words}{stale} {escape(record.reason)}</p>'
    if summary is None:
        return f"<li><h2>{escape(label(name))}</h2>{state}</li>"
    points = "".join(
        f"<li><b>{escape(f['value'])}</b> {escape(f['text'])}"
        + (f' <span class="ci">({escape(f["interval"])})</span>' if f["interval"] else "")
        + "</li>"
        for f in summary["findings"]
    )
    return f'<li><h2><a href="{escape(name)}/report.html">{escape(summary["title"])}</a></h2><ul>{points}</ul>{state}</li>'


def render_again(out: Path, names: tuple[str, ...] = ()) -> list[Path]:
    """Render every report of a folder anew from its executed notebook.

    Parameters
    ----------
    out : Path
        Folder of reports.
    names : tuple of str
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
        descriptor = load(_data_of(reports[0]))
        for report in reports:
            render_folder(report, report.name, source_line(descriptor))
        written.append(write_index(folder, descriptor))
    if not written:
        raise ReportError.nothing_to_render(out)
    return written


def _data_of(report: Path) -> str:
    return str(_read(report / "run.json")["data"])


def source_line(descriptor: Descriptor) -> str:
    """The line at the foot of a page: what the data are and under which licence."""
    parts = [descriptor.description.rstrip("."), descriptor.licence.rstrip(".")]
    return ". ".join(part for part in parts if part) + ("." if any(parts) else "")
