"""The reports that there are: one line each, and a notebook of the same name."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from crmlab.data.project import home
from crmlab.errors import ReportError
from crmlab.page.result import Result

__all__ = ["REPORTS", "Analysis", "analysis", "label", "notebook_path", "question", "report_names"]

# Name of a report → the subject's face, imported when it is asked for.
REPORTS = {
    "campaign_design": "crmlab.analyses.campaigns.design",
    "campaign_results": "crmlab.analyses.campaigns.results",
    "churn": "crmlab.analyses.churn",
    "cross_sell": "crmlab.analyses.cross_sell",
    "customer_profile": "crmlab.analyses.customer_profile",
    "customer_value": "crmlab.analyses.customer_value",
    "data_quality": "crmlab.analyses.data_quality",
    "lifecycle": "crmlab.analyses.lifecycle",
    "rfm": "crmlab.analyses.rfm",
    "scorecard": "crmlab.analyses.scorecard",
    "triggers": "crmlab.analyses.triggers",
}


class Analysis(Protocol):
    """The one form of an analysis."""

    NEEDS: tuple[str, ...]
    # MEMORY: bool = True where it reads the campaign memory too; most have no such name.
    Params: type[Any]
    __doc__: str | None

    def run(self, data: Any, params: Any) -> Result:
        """Answer the question."""
        ...


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
    return sorted(name for name in REPORTS if notebook_path(name).is_file())


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
    if name not in REPORTS or not notebook_path(name).is_file():
        raise ReportError.unknown(name, report_names())
    return cast(Analysis, import_module(REPORTS[name]))


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
