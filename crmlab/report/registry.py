"""The reports that there are: one line each, and a notebook of the same name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from crmlab.data.project import home
from crmlab.data.sections import Section
from crmlab.errors import CrmlabError, ReportError
from crmlab.page.declarations import Annotation, Input, Readiness
from crmlab.page.quantities import Quantities
from crmlab.page.result import Result
from crmlab.report.state import read_notebook

__all__ = [
    "REPORTS",
    "SECTIONS",
    "Analysis",
    "analysis",
    "annotating",
    "dictionary",
    "inputs_of",
    "label",
    "names_customers",
    "notebook_path",
    "quantities",
    "question",
    "readers",
    "readiness_of",
    "report_names",
    "suffices",
]

# Name of a report → the subject's face, imported when it is asked for; in the order of the questions that a manager asks.
REPORTS = {
    "actions": "crmlab.analyses.actions",
    "scorecard": "crmlab.analyses.scorecard",
    "campaign_results": "crmlab.analyses.campaigns.results",
    "churn": "crmlab.analyses.churn",
    "customer_value": "crmlab.analyses.customer_value",
    "lifecycle": "crmlab.analyses.lifecycle",
    "rfm": "crmlab.analyses.rfm",
    "cross_sell": "crmlab.analyses.cross_sell",
    "triggers": "crmlab.analyses.triggers",
    "campaign_design": "crmlab.analyses.campaigns.design",
    "data_quality": "crmlab.analyses.data_quality",
    "customer_profile": "crmlab.analyses.customer_profile",
}
# Name of a subject's section in the TOML file of a data set → the subject's face, and the function of it that checks and reads it.
SECTIONS = {
    "goals": ("crmlab.analyses.scorecard", "parse_goals"),
    "action": ("crmlab.analyses.actions", "parse_actions"),
    "segment_goal": ("crmlab.analyses.actions", "parse_segment_goals"),
    "limits": ("crmlab.analyses.actions", "parse_limits"),
    "service": ("crmlab.analyses.actions", "parse_service"),
    "holdout": ("crmlab.analyses.campaigns", "parse_holdout"),
}


class Analysis(Protocol):
    """The one form of an analysis."""

    NEEDS: tuple[str, ...]
    # Most have none of these: SUFFICES: str, a table that is enough by itself, whatever else it needs; SECTIONS: tuple[str, ...],
    # sections of a subject in the data set's TOML file that it reads; INPUTS: tuple[Input, ...], what it reads beside the data set;
    # ANNOTATES: Annotation, columns for the lists of all other reports; readiness(history, params) -> Readiness, whether the tables hold
    # what it asks of them.
    Params: type[Any]
    QUANTITIES: Quantities
    __doc__: str | None

    def run(self, data: Any, params: Any) -> Result:
        """Answer the question."""
        ...


def dictionary() -> Quantities:
    """Return the dictionary of the house: every quantity that a report, a list or the published table shows, each declared once.

    Examples
    --------
    >>> dictionary()["days_since_last"].unit
    'days'
    """
    faces = (*REPORTS.values(), "crmlab.analyses.customers", "crmlab.analyses.campaigns")
    return Quantities(*(import_module(face).QUANTITIES for face in faces))


def quantities(name: str) -> Quantities:
    """Return what the numbers of a report mean; of one that is not there any more, nothing.

    Examples
    --------
    >>> quantities("rfm")["customer_base"].label
    'customer base'
    """
    return import_module(REPORTS[name]).QUANTITIES if name in REPORTS else Quantities()


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
    >>> analysis("data_quality").NEEDS
    ('orders',)
    """
    if name not in REPORTS or not notebook_path(name).is_file():
        raise ReportError.no_such("report", name, report_names())
    return cast(Analysis, import_module(REPORTS[name]))


def readers() -> dict[str, Callable[[Section, str], object]]:
    """Return what checks the sections of subjects when a data set is loaded, by name; a subject is imported when it is asked.

    Examples
    --------
    >>> sorted(readers())
    ['action', 'goals', 'holdout', 'limits', 'segment_goal', 'service']
    """

    def read(name: str, section: Section, where: str) -> object:
        face, function = SECTIONS[name]
        return getattr(import_module(face), function)(section, where)

    return {name: partial(read, name) for name in SECTIONS}


def inputs_of(name: str) -> tuple[Input, ...]:
    """Return what a report declares that it reads beside its data set.

    Examples
    --------
    >>> inputs_of("rfm")
    ()
    """
    return getattr(analysis(name), "INPUTS", ())


def suffices(name: str, holds: Collection[str]) -> bool:
    """Say whether a data set holds a table that is enough for a report by itself, whatever else it needs.

    Examples
    --------
    >>> suffices("campaign_results", ["test"]), suffices("rfm", ["test"])
    (True, False)
    """
    return getattr(analysis(name), "SUFFICES", None) in holds


def names_customers(name: str) -> bool:
    """Say whether a report declares that its page names customers.

    Examples
    --------
    >>> names_customers("customer_profile"), names_customers("rfm")
    (True, False)
    """
    return bool(getattr(analysis(name), "NAMES_CUSTOMERS", False))


def readiness_of(name: str, data: Any, params: Any = None) -> Readiness:
    """Ask a report whether a data set that has its tables holds what it asks of them, so that ``check`` says what a run would say.

    Parameters
    ----------
    name : str
    data : Dataset or History
        A history is asked by several reports without being read anew.
    params : Params, optional
        Of the report; its defaults unless given.

    Examples
    --------
    >>> import crmlab
    >>> readiness_of("rfm", crmlab.open_dataset("cdnow_sample"))
    Readiness(why_not='', remarks=(), mend=False)
    """
    from crmlab.history.past import History

    face = analysis(name)
    ask = getattr(face, "readiness", None)
    chosen = face.Params() if params is None else params
    try:
        if not isinstance(data, History) and suffices(name, data.tables):
            return Readiness() if ask is None else ask(data, chosen)
        history = History.of(data, chosen.as_of)
        return Readiness() if ask is None else ask(history, chosen)
    except CrmlabError as error:
        return Readiness(str(error))


def annotating() -> dict[str, Annotation]:
    """Return the reports that add columns to the lists of all others, and what they add.

    Raises
    ------
    ReportError
        Two add a column of the same name.
    """
    found = {name: getattr(analysis(name), "ANNOTATES", None) for name in report_names()}
    declared = {name: one for name, one in found.items() if one is not None}
    owner: dict[str, str] = {}
    for name, one in declared.items():
        for column in one.columns:
            if owner.setdefault(column, name) != name:
                raise ReportError(
                    f"The reports {owner[column]} and {name} both annotate lists by a column '{column}'. Expected one."
                )
    return declared


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
        own = _notebook(name).get("metadata", {}).get("crmlab")
    except ReportError:
        own = None
    given = own.get("label") if isinstance(own, dict) else None
    return str(given) if given else name.replace("_", " ").capitalize()


def _notebook(name: str) -> dict[str, Any]:
    return read_notebook(notebook_path(name))
