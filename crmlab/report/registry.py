"""The reports that there are: a module of ``analyses`` or ``composed`` with a notebook of the same name."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from crmlab.data.project import home
from crmlab.errors import ReportError
from crmlab.result import Result

PACKAGES = ("crmlab.analyses", "crmlab.composed")


class Analysis(Protocol):
    """The one form of an analysis."""

    NEEDS: tuple[str, ...]
    Params: type[Any]
    __doc__: str | None

    def run(self, data: Any, params: Any) -> Result:
        """Answer the question."""
        ...


def _modules() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        for info in pkgutil.iter_modules(import_module(package).__path__):
            found[info.name] = f"{package}.{info.name}"
    return found


def notebook_path(name: str) -> Path:
    """Return where the notebook of a report is."""
    return home() / "notebooks" / f"{name}.ipynb"


def report_names() -> list[str]:
    """Return the names of all reports, sorted.

    Examples
    --------
    >>> {"data_quality", "rfm"} <= set(report_names())
    True
    """
    return sorted(name for name in _modules() if notebook_path(name).is_file())


def analysis(name: str) -> Analysis:
    """Return the module of a report.

    Raises
    ------
    ReportError
        There is none of that name; the message hints at a similar one.

    Examples
    --------
    >>> analysis("rfm").NEEDS
    ('orders',)
    """
    modules = _modules()
    if name not in modules or not notebook_path(name).is_file():
        raise ReportError.unknown(name, report_names())
    return cast(Analysis, import_module(modules[name]))


def question(name: str) -> str:
    """Return the question that a report answers: the heading of its notebook.

    Examples
    --------
    >>> question("data_quality")
    'Can we rely on this data?'
    """
    for cell in _notebook(name)["cells"]:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return label(name)


def label(name: str) -> str:
    """Return the short name of a report for people: ``crmlab.label`` in its notebook's metadata.

    Examples
    --------
    >>> label("rfm")
    'Customer segments'
    """
    try:
        given = _notebook(name)["metadata"].get("crmlab", {}).get("label")
    except ReportError:
        given = None
    return given or name.replace("_", " ").capitalize()


def _notebook(name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(notebook_path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError.no_notebook(name, f"notebooks/{name}.ipynb") from error
    return content
