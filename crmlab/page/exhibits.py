"""What a page shows of a study: a function for each table and chart, and the one loop that puts them on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from crmlab.page.estimate import Estimate
from crmlab.page.quantities import Quantities
from crmlab.page.result import Chart, Context, Finding, Method, Output, Result
from crmlab.page.tables import Table

__all__ = ["Absent", "Exhibits", "Study", "Words", "page"]

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


@dataclass(frozen=True)
class Absent:
    """Instead of a table or a chart: why these data do not allow it, as a sentence; empty where there is nothing to miss."""

    why: str = ""


@dataclass(frozen=True)
class Exhibits(Generic[S]):
    """The tables and charts of a page, by name, in their order: each a function of the study, that changes nothing.

    A table and a chart may share a name: they show the same thing. A page says a reason once, however many are absent for it. ``lead`` says
    which tables the index of all reports shows too, by the heading under which they stand there; and with ``opens`` the first finding of
    the page opens it.
    """

    tables: Mapping[str, Callable[[S], Table | Absent]] = field(default_factory=dict)
    charts: Mapping[str, Callable[[S], Chart | Absent]] = field(default_factory=dict)
    lead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opens: bool = False


class Study(Protocol):
    """What every study holds beside its own parts: what it is about, what was chosen, and the lists that it gives away."""

    @property
    def context(self) -> Context:
        """Data set, last day, customers."""

    @property
    def params(self) -> Any:
        """What the analyst chose."""

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Lists for files, by name."""


class Words(Protocol[S_contra]):
    """The sentences of a page: the module ``words`` of a subject has these functions of its study."""

    @property
    def TITLE(self) -> str:  # noqa: N802
        """The question that the page answers."""

    def findings(self, study: S_contra, /) -> tuple[Finding, ...]:
        """At most three, most important first."""

    def metrics(self, study: S_contra, /) -> Mapping[str, Estimate]:
        """What two runs are compared on."""

    def warnings(self, study: S_contra, /) -> tuple[str, ...]:
        """What a reader must know before acting."""

    def limits(self, study: S_contra, /) -> tuple[str, ...]:
        """What the page cannot say."""

    def method(self, study: S_contra, /) -> Method:
        """How it was done."""


def page(study: Any, exhibits: Exhibits[Any], words: Words[Any], quantities: Quantities) -> Result:
    """Put a study on a page.

    Parameters
    ----------
    study : Study
        Everything that was worked out.
    exhibits : Exhibits
        What is shown of it.
    words : module
        What is said of it.
    quantities : Quantities
        What its metrics and the columns of its lists mean.

    Returns
    -------
    Result
        Its ``absent`` holds the reason of each table and chart that is not there; empty where there is nothing to miss.
    """
    tables: dict[str, Table] = {}
    charts: dict[str, Chart] = {}
    absent: dict[str, str] = {}
    for name, show in exhibits.tables.items():
        table = show(study)
        if isinstance(table, Absent):
            absent[name] = table.why
        else:
            tables[name] = table
    for name, draw in exhibits.charts.items():
        chart = draw(study)
        if isinstance(chart, Absent):
            absent[name] = chart.why
        else:
            charts[name] = chart
    return Result(
        title=study.context.told(words.TITLE),
        context=study.context,
        params=study.params,
        findings=words.findings(study),  # type: ignore[arg-type]
        metrics=words.metrics(study),
        tables=tables,
        charts=charts,
        method=words.method(study),
        warnings=words.warnings(study),
        limits=words.limits(study),
        outputs=study.outputs,
        quantities=quantities,
        absent=absent,
        lead={heading: tuple(name for name in names if name in tables) for heading, names in exhibits.lead.items()},
        opens=exhibits.opens,
    )
