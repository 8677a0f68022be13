"""Render every report of the data sets that ship, and compare two such folders byte by byte.

The net under changes that should not change a page::

    python tools/pages.py render before       # at the commit that is trusted
    python tools/pages.py render after        # at the one that is not
    python tools/pages.py compare before after

Compared are pages (after unescaping, since ``&#39;`` and ``&#x27;`` are the same character), tables, metrics, results and
lists, and which reports were passed over, with the reason. Records of runs (``run.json``) hold times and keys, the index is
a function of its history, and the executed notebook holds code: they are not compared.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The data sets, and the customer whose profile is rendered.
CUSTOMERS = {
    "shop": "C000001",
    "donors": "D00001",
    "club": "M00001",
    "cdnow": "00001",
    "cdnow_sample": "00050",
    "online_retail": "12748",
    "online_retail_ii": "12748",
}
STATES = "states.json"
SKIPPED = {"run.json", "notebook.ipynb", "index.html", "history.jsonl"}


def render(out: Path, data: Sequence[str], force: bool = False) -> int:
    """Render every report of the data sets into a folder; returns how many failed."""
    # A memory of campaigns of its own, so that what lies about on this machine plays no part.
    os.environ["CRMLAB_CAMPAIGNS"] = tempfile.mkdtemp(prefix="crmlab-pages-")
    from crmlab.report.jobs import Order
    from crmlab.report.runner import Settings, run_reports

    failed = 0
    for name in data:
        states = {}
        profile = Order(name, ("customer_profile",), {"customer_id": CUSTOMERS[name]})
        for record in run_reports([Order(name), profile], Settings(out=out, force=force, on_end=_tell)):
            state = "ok" if record.status == "up_to_date" else record.status
            states[record.report] = {"status": state, "reason": record.reason if state != "ok" else ""}
            failed += state not in ("ok", "skipped")
        (out / name).mkdir(parents=True, exist_ok=True)  # where every report is skipped
        (out / name / STATES).write_text(json.dumps(states, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return failed


def _tell(record: object) -> None:
    print(*(getattr(record, name) for name in ("dataset", "report", "status", "reason")), file=sys.stderr, flush=True)


def contents(folder: Path) -> dict[str, Path]:
    """Return what is compared: path relative to the folder → file."""
    files = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        aside = any(part.startswith(".") or part in ("failed", "history") for part in inside.parts)
        if path.is_file() and path.name not in SKIPPED and not aside:
            files[inside.as_posix()] = path
    return files


def read(path: Path) -> bytes:
    """Return the bytes of a file as they are compared."""
    if path.suffix == ".html":
        return html.unescape(path.read_text(encoding="utf-8")).encode()
    return path.read_bytes()


def compare(before: Path, after: Path) -> list[str]:
    """Return a line for each file that differs, or that only one folder has; empty where the folders are the same."""
    old, new = contents(before), contents(after)
    lines = [f"only in {before}: {name}" for name in sorted(old.keys() - new.keys())]
    lines += [f"only in {after}: {name}" for name in sorted(new.keys() - old.keys())]
    return lines + [f"differs: {name}" for name in sorted(old.keys() & new.keys()) if read(old[name]) != read(new[name])]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("render", help="render every report into a folder")
    one.add_argument("out", type=Path)
    one.add_argument("--data", nargs="+", choices=list(CUSTOMERS), default=list(CUSTOMERS))
    one.add_argument("--force", action="store_true", help="render what is up to date, too")
    two = commands.add_parser("compare", help="compare two such folders")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "render":
        return 1 if render(given.out, given.data, given.force) else 0
    lines = compare(given.before, given.after)
    print(*lines, sep="\n")
    print(f"{len(contents(given.before))} and {len(contents(given.after))} files: {len(lines)} differ.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
