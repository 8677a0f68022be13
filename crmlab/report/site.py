"""``reports/<data set>/index.html``: what the data are, what was found, what changed, what was not made and why."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from crmlab.data.cache import write_aside
from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.naming import checked_name
from crmlab.errors import DescriptorError, ReportError
from crmlab.history.words import Words, words_for
from crmlab.page.format import Format
from crmlab.page.html import markup
from crmlab.page.texts import titled
from crmlab.report.changes import compare
from crmlab.report.jobs import lacking, runs_unasked
from crmlab.report.records import RunRecord, history, read_record
from crmlab.report.registry import REPORTS, label, quantities, question, report_names
from crmlab.report.render import foot, head, masthead, render_folder, valid
from crmlab.report.state import Say, Summary, file_fault, make_way, quiet, read_summary, short

__all__ = ["Entry", "entries", "index_page", "places", "render_again", "write_index"]


@dataclass(frozen=True)
class Entry:
    """One report on the index: what it found, how its last run ended, and the good run before the one shown.

    ``fault`` says why what is in its folder cannot be believed; then there is no ``summary``.
    """

    place: str
    summary: Summary | None
    last: RunRecord | None
    shown: RunRecord | None
    before: RunRecord | None
    fault: str = ""


def write_index(
    folder: Path, descriptor: Descriptor, holds: Sequence[str] | None = None, say: Say = quiet, *, absent: bool = True
) -> Path:
    """Write the index of a data set's reports from what is in its folder and its history.

    Parameters
    ----------
    folder : Path
        Folder of the data set's reports.
    descriptor : Descriptor
    holds : sequence of str, optional
        Tables of the data set; with them, reports that were never run are listed with the reason.
    say : callable
        Told what could not be believed, and what happens now.
    absent : bool
        List reports that were never run. To say why, their analyses are imported, which takes seconds.

    Returns
    -------
    Path
        ``index.html``.
    """
    path = folder / "index.html"
    make_way(path, say)
    write_aside(path, valid(index_page(entries(folder, say), descriptor, holds, absent=absent)).encode())
    return path


_FRESH = 14  # days between the end of the data and the run, up to which “today” needs no word
_WRITTEN = ("run.json", "result.json", "report.html", "notebook.ipynb")


def places(folder: Path) -> list[str]:
    """Return the names of the folders of reports, sorted: those that hold a file of a report, whatever became of it."""
    found = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in ("history", "failed"))
    return sorted(path.name for path in found if any(os.path.lexists(path / name) for name in _WRITTEN))


def entries(folder: Path, say: Say = quiet) -> list[Entry]:
    """Collect the reports of a folder, those made first; one that is not what its run wrote is said, and its numbers left out."""
    by_place: dict[str, list[RunRecord]] = {}
    for record in history(folder, say):
        by_place.setdefault(record.place, []).append(record)
    here = places(folder)
    found = []
    for place in sorted({*by_place, *here}, key=lambda name: (name not in here, name)):
        records = by_place.get(place, [])
        good = [record for record in records if record.status == "ok"]
        shown, summary, fault = good[-1] if good else None, None, ""
        if place in here:
            try:
                shown = _shown(folder / place, shown, say)
                summary = read_summary(folder / place, shown.files.get("result.json", "not on record"))
            except ReportError as error:
                name = place.split("--")[0]
                known = name in report_names()
                say(f"{error} {f'Make it again with: crmlab run {name}' if known else 'It is no report: move it elsewhere.'}")
                fault = f"{error} {'It has to be made again.' if known else 'It is no report.'}"
        earlier = [record for record in good if shown and record.key != shown.key]
        before = earlier[-1] if earlier else None
        found.append(Entry(place, summary, records[-1] if records else None, shown, before, fault))
    return found


def _shown(place: Path, good: RunRecord | None, say: Say) -> RunRecord:
    """The record of the report in a folder; where that is damaged, the one of its last good run in the history."""
    try:
        return read_record(place)
    except ReportError as error:
        if good is None:
            raise
        say(f"{error} The history is asked instead; the next run of the report makes it again.")
        return good


def index_page(
    found: Sequence[Entry], descriptor: Descriptor, holds: Sequence[str] | None = None, *, absent: bool = True
) -> Markup:
    """Return the index as HTML: how the programme is doing, what to do, and what each report found; what is missing comes last."""
    form = Format(descriptor.currency, descriptor.report.language)
    told = words_for(descriptor.rounds).told
    made = [entry for entry in found if entry.summary]
    # The heading speaks of the freshest history that a report has seen.
    freshest = max(made, key=lambda entry: (entry.summary["as_of"] or "") if entry.summary else "", default=None)
    context = freshest.summary["context"] if freshest and freshest.summary else descriptor.title
    title = descriptor.report.title or descriptor.title
    ordered = sorted(found, key=lambda entry: (*_order(entry.place.split("--")[0]), entry.place))
    leading = [entry for entry in ordered if entry.summary and entry.summary.get("lead") and "--" not in entry.place]
    opening = next((entry for entry in leading if entry.summary and entry.summary.get("opens")), None)
    missing = [_missing(entry) for entry in ordered if entry.summary is None]
    here = {entry.place.split("--")[0] for entry in found}
    missing += [_absent(name, holds, told) for name in sorted(report_names(), key=_order) if absent and name not in here]
    sentences = {entry.place: [one["text"] for one in entry.summary["findings"]] for entry in ordered if entry.summary}
    elsewhere = {place: {text for other, texts in sentences.items() if other != place for text in texts} for place in sentences}
    parts = [
        _old(freshest, form),
        _lede(opening),
        *(section for entry in leading for section in _led(entry, form, said=entry is not opening)),
        _listed(
            "The reports",
            [
                _item(entry, form, elsewhere[entry.place] if entry in leading else None)
                for entry in ordered
                if entry.summary is not None
            ],
        ),
        _listed("What is missing, and why", _gathered(missing)),
        _counted(ordered, words_for(descriptor.rounds), form),
        _about(descriptor, freshest, form),
    ]
    return markup(
        "{}<body>\n{}\n<main>\n<h1>{}</h1>\n{}\n</main>\n{}</body>\n</html>\n",
        head(f"{title}: reports", descriptor),
        masthead(descriptor, "", context),
        markup("{}: how we are doing, and what to do now", title) if leading else title,
        Markup("\n").join(part for part in parts if part),
        foot(descriptor),
    )


def _order(name: str) -> tuple[int, str]:
    """Where a report stands among the questions."""
    known = list(REPORTS)
    return (known.index(name) if name in REPORTS else len(known)), name


def _lede(entry: Entry | None) -> Markup:
    """How all is going: the first finding of the report that opens the index."""
    found = entry.summary["findings"] if entry and entry.summary else []
    return markup('<p class="lede">{}</p>', _point(found[0], {})) if found else Markup("")


def _led(entry: Entry, form: Format, *, said: bool) -> list[Markup]:
    """The tables that a report shows on the index, under their headings; the first of them with its first finding, if that is asked for."""
    assert entry.summary is not None
    findings = entry.summary["findings"][:1] if said else []
    sentence = markup("<p>{}</p>", _point(findings[0], _changes(entry, form))) if findings else Markup("")
    link = markup('<p class="files">More: <a href="{}/report.html">{}</a></p>', entry.place, entry.summary["title"])
    # What is not of the last run says so before anybody acts on it.
    top = _state(entry) + sentence
    parts: list[Markup] = []
    for heading, tables in entry.summary.get("lead", {}).items():
        shown = Markup("").join(map(Markup, tables))
        parts.append(markup("<section><h2>{}</h2>{}{}{}</section>", heading, Markup("") if parts else top, shown, link))
    return parts


def _listed(heading: str, items: Sequence[Markup]) -> Markup:
    if not items:
        return Markup("")
    return markup('<section><h2>{}</h2><ul class="reports">\n{}\n</ul></section>', heading, Markup("\n").join(items))


def _about(descriptor: Descriptor, freshest: Entry | None, form: Format) -> Markup:
    """What the data are, and how fresh, folded."""
    lines = [markup("<p>{}</p>", descriptor.description)] if descriptor.description else []
    if freshest and freshest.summary and freshest.shown:
        rows = freshest.shown.inputs.get("rows", {})
        told = words_for(descriptor.rounds).told
        parts = [told(f"{form.count(count)} {titled(name)}") for name, count in rows.items()]
        run = dt.datetime.fromisoformat(freshest.shown.started)
        first, last = (freshest.summary[key] for key in ("first_day", "as_of"))
        span = "Read"
        if first is not None and last is not None:
            span = f"History from {form.day(dt.date.fromisoformat(first))} to {form.day(dt.date.fromisoformat(last))}"
        lines.append(_said(f"{span}: {', '.join(parts)}. Last run on {form.day(run)}."))
    return markup("<details><summary>About the data</summary>{}</details>", Markup("").join(lines)) if lines else Markup("")


_WHO = '<tr><th scope="row">{}</th><td>{}</td><td class="text"><a href="{}/report.html">{}</a></td></tr>'
_COUNTS = (
    "<details><summary>How many {0} there are depends on the question</summary>"
    '<div class="scroll" tabindex="0" role="region" aria-label="How {0} are counted"><table>'
    '<caption>Each page counts those its question is about.</caption><thead><tr><th scope="col" class="text">Who is counted</th>'
    '<th scope="col">{1}</th><th scope="col" class="text">Page</th></tr></thead><tbody>{2}</tbody></table></div></details>'
)


def _counted(found: Sequence[Entry], words: Words, form: Format) -> Markup:
    """How many customers there are by what is asked, folded: those of all reports side by side, the most first; nothing where all agree."""
    rows = [
        (count, who, entry)
        for entry in found
        if entry.summary and "--" not in entry.place
        for who, count in entry.summary.get("counts", {}).items()
    ]
    if len({form.count(count) for count, _, _ in rows}) < 2:
        return Markup("")
    lines = Markup("").join(
        markup(_WHO, who[:1].upper() + who[1:], _counted_or_expected(count, form), entry.place, label(entry.place))
        for count, who, entry in sorted(rows, key=lambda row: -row[0])
    )
    return markup(_COUNTS, words.many, words.many.capitalize(), lines)


def _counted_or_expected(count: float, form: Format) -> str:
    """A count; what is not whole was not counted but is expected, and is about so many."""
    return form.count(count) if float(count).is_integer() else f"about {form.count(count)}"


def _old(freshest: Entry | None, form: Format) -> Markup:
    """That the data end some time before the run, so that "today" on the pages is an earlier day; nothing where they are fresh."""
    if freshest is None or freshest.summary is None or freshest.shown is None or freshest.summary["as_of"] is None:
        return Markup("")
    last, run = dt.date.fromisoformat(freshest.summary["as_of"]), dt.datetime.fromisoformat(freshest.shown.started).date()
    if (run - last).days <= _FRESH:
        return Markup("")
    end = form.day(last)
    return _said(f"The data end on {end}, and these pages were made on {form.day(run)}: on them, “today” is {end}.")


def _said(text: str, kind: str = "state") -> Markup:
    return markup('<p class="{}">{}</p>', kind, text)


def _point(finding: Any, changes: dict[str, str]) -> Markup:
    """A finding as a sentence, with its interval and what has changed since the last run."""
    ends = markup('<span class="ci">({})</span> ', finding["interval"]) if finding["interval"] else ""
    moved = changes.get(finding.get("metric", ""), "")
    since = markup(' <span class="change">{}</span>', moved) if moved else ""
    return markup("<b>{}</b> {}{}{}", finding["value"], ends, finding["text"], since)


def _item(entry: Entry, form: Format, elsewhere: Collection[str] | None) -> Markup:
    """One report: its question and what it found first in a sentence; all of it folded.

    Where the first finding is told above, ``elsewhere`` holds what other reports say: the next that none of them says takes its place.
    """
    assert entry.summary is not None
    changes = _changes(entry, form)
    findings = list(entry.summary["findings"])
    if elsewhere is not None and len(findings) > 1:
        own = next((one for one in findings[1:] if one["text"] not in elsewhere), findings[1])
        findings = [own, *(one for one in findings if one is not own)]
    line = _point(findings[0] | {"text": _sentence(findings[0]["text"])}, {}) if findings else Markup("")
    rest = Markup("").join(markup("<li>{}</li>", _point(finding, changes)) for finding in findings)
    folded = (markup("<ul>{}</ul>", rest) if rest else Markup("")) + _beyond(entry)
    return markup(
        '<li id="{0}"><h3><a href="{0}/report.html">{1}</a></h3>{2}{3}{4}</li>',
        entry.place,
        entry.summary["title"] + _variant(entry),
        markup("<p>{}</p>", line) if line else "",
        _notes(entry) + _state(entry),
        markup("<details><summary>The findings in full</summary>{}</details>", folded) if folded else "",
    )


def _sentence(text: str) -> str:
    """The first sentence of a text.

    Examples
    --------
    >>> _sentence("came back in 91 days. All of them may be contacted.")
    'came back in 91 days.'
    """
    return re.split(r"(?<=[.!?])\s+(?=[A-Z“‘])", text, maxsplit=1)[0]


def _variant(entry: Entry) -> str:
    """By which parameters a report differs from the one of its defaults, in words."""
    _, _, variant = entry.place.partition("--")
    return f" ({variant.replace('--', ', ').replace('-', ' ', 1)})" if variant else ""


def _missing(entry: Entry) -> tuple[str, str, Markup]:
    """A report that is not there: its place, its name, and why."""
    state = _said(f"Damaged: {entry.fault}", "state bad") if entry.fault else _state(entry)
    return entry.place, label(entry.place.split("--")[0]) + _variant(entry), state


def _gathered(missing: Sequence[tuple[str, str, Markup]]) -> list[Markup]:
    """Reports that are not there; those that miss for one reason, as where there are no orders, stand together."""
    by_reason: dict[Markup, list[tuple[str, str]]] = {}
    for place, name, why in missing:
        by_reason.setdefault(why, []).append((place, name))
    items = []
    for why, reports in by_reason.items():
        short = [label(place) if "--" not in place and len(reports) > 1 else name for place, name in reports]
        places = [place for place, _ in reports]
        names = Markup(", ").join(
            markup('<span id="{}">{}</span>', place, name) for place, name in zip(places, short, strict=True)
        )
        said = why if len(reports) == 1 else Markup(str(why).replace("Not made. It ", "Not made. Each of them "))
        items.append(markup("<li><h3>{}</h3>{}</li>", names, said))
    return items


def _changes(entry: Entry, form: Format) -> dict[str, str]:
    if entry.shown is None or entry.before is None:
        return {}
    return {
        change.name: f"Since the last run: {change.words(form)}." for change in _compared(entry) if change.verdict != "same"
    }


def _compared(entry: Entry) -> list[Any]:
    assert entry.shown is not None and entry.before is not None
    return compare(entry.before.metrics, entry.shown.metrics)


def _beyond(entry: Entry) -> Markup:
    """How many measures moved beyond their intervals since the last run."""
    if entry.shown is None or entry.before is None:
        return Markup("")
    changes = _compared(entry)
    moved = [change for change in changes if change.verdict == "beyond"]
    if all(change.verdict == "same" for change in changes):
        return _said("Nothing has changed since the last run.")
    if not moved:
        return _said("Since the last run, no measure moved beyond its interval.")
    known = quantities(entry.shown.report)
    names = ", ".join(known.of(change.name).label for change in moved[:4]) + (", …" if len(moved) > 4 else "")
    return _said(f"Since the last run, {len(moved)} of {len(changes)} measures moved beyond their intervals: {names}.")


def _notes(entry: Entry) -> Markup:
    """What the run of the report shown had to say of its inputs."""
    notes = entry.shown.notes if entry.shown is not None and isinstance(entry.shown.notes, list) else []
    return Markup("").join(_said(str(note), "state bad") for note in notes)


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


def _absent(name: str, holds: Sequence[str] | None, told: Callable[[str], str]) -> tuple[str, str, Markup]:
    """A report that was not made here: its name as place and as people read it, and why."""
    if holds is not None and (lacks := lacking(name, holds)):
        reason = lacks
    elif not runs_unasked(name):
        reason = "It is about one customer and is made on request."
    else:
        reason = "It has not been asked for yet."
    try:
        title = question(name)
    except ReportError as error:
        title, reason = label(name), str(error)
    return name, told(title), _said(f"Not made. {told(reason)}")


def render_again(out: Path, names: Sequence[str] = (), say: Say = quiet) -> list[Path]:
    """Render every report of a folder anew from its executed notebook; what is not as its run wrote it is passed over, and said.

    Parameters
    ----------
    out : Path
        Folder of reports.
    names : sequence of str
        Data sets; default: every folder that holds reports.
    say : callable
        Told what was passed over, and why.

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
    folders = named or sorted(path for path in out.glob("*") if path.is_dir() and places(path))
    written = []
    for folder in folders:
        records = {}
        for place in places(folder) if folder.is_dir() else []:
            try:
                record = read_record(folder / place)
                for name in ("notebook.ipynb", "result.json"):
                    fault = file_fault(folder / place / name, record.files.get(name))
                    if fault:
                        raise ReportError(f"{short(folder / place / name)} cannot be used: {fault}.")
            except ReportError as error:
                say(f"{error} It was passed over. Make it again with: crmlab run {place.split('--')[0]}")
                continue
            records[place] = record
        if not records:
            continue
        descriptor = load(next(iter(records.values())).data)
        for place, record in records.items():
            render_folder(folder / place, record.report, descriptor)
        written.append(write_index(folder, descriptor, say=say))
    if not written:
        raise ReportError.nothing_to_render(out)
    return written
