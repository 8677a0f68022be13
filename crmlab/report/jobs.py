"""What is to be run: reports, their parameters, and why some are skipped. Everything is checked before a kernel starts."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crmlab.data.naming import fault_of, path_part
from crmlab.data.project import home
from crmlab.errors import ParameterError, PlanError
from crmlab.page import params as parameters
from crmlab.page.texts import joined, titled
from crmlab.report.registry import analysis, annotating, report_names, suffices

__all__ = ["Job", "Order", "lacking", "load_plan", "plan_jobs", "plan_names", "runs_unasked"]


@dataclass(frozen=True)
class Job:
    """One report to be made: its name, checked parameters, why it is skipped, if it is, and whether it was asked for by name."""

    name: str
    params: Any
    variant: str = ""
    skipped: str = ""
    asked: bool = False

    @property
    def place(self) -> str:
        """Name of the report's folder."""
        return f"{self.name}--{self.variant}" if self.variant else self.name


@dataclass(frozen=True)
class Order:
    """What was asked for on one data set: reports (none: all), parameters, and parameters that run over a list."""

    data: str
    reports: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    each: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def lacking(name: str, holds: Sequence[str]) -> str:
    """Say what a report needs that a data set does not have; empty where it has all.

    Parameters
    ----------
    name : str
        The report.
    holds : sequence of str
        The tables of the data set, and what its orders tell: as of :attr:`crmlab.data.dataset.Dataset.holds`.
    """
    if suffices(name, holds):
        return ""
    missing = [titled(one) for one in analysis(name).NEEDS if one not in holds]
    return f"It needs {joined(missing)}, which this data set lacks." if missing else ""


def plan_jobs(order: Order, holds: Sequence[str]) -> list[Job]:
    """Check what was asked for, and say what the data set does not allow.

    Parameters
    ----------
    order : Order
    holds : sequence of str
        The tables of the data set, and what its orders tell.

    Returns
    -------
    list of Job
        Those asked for, then reports that annotate their lists and were not asked for.

    Raises
    ------
    ReportError
        A name is unknown.
    ParameterError
        A parameter is unknown, of the wrong type or out of range. With several reports each takes those that it knows;
        one that none knows is an error.
    """
    chosen = list(dict.fromkeys(order.reports)) or [name for name in report_names() if runs_unasked(name)]
    modules = {name: analysis(name) for name in chosen}
    known = {name: {spec.name for spec in parameters.specs(module.Params)} for name, module in modules.items()}
    everyone: set[str] = set().union(*known.values())
    for key in (*order.params, *order.each):
        if key not in everyone:
            raise ParameterError.unknown(", ".join(chosen), key, everyone)
    for name, declared in annotating().items():
        if name not in modules and declared.always:
            modules[name] = analysis(name)
            known[name] = {spec.name for spec in parameters.specs(modules[name].Params)}
    jobs = []
    for name, module in modules.items():
        fixed = {key: value for key, value in order.params.items() if key in known[name]}
        running = {key: values for key, values in order.each.items() if key in known[name]}
        reason = lacking(name, holds)
        for values in itertools.product(*running.values()):
            mine = dict(zip(running, values, strict=True))
            variant = path_part("--".join(f"{key}-{path_part(str(value))}" for key, value in mine.items())) if mine else ""
            jobs.append(Job(name, parameters.build(name, module.Params, fixed | mine), variant, reason, name in order.reports))
    return jobs


def runs_unasked(name: str) -> bool:
    """Whether a report runs without being asked for by name: one with a required parameter does not."""
    return all(spec.default is not parameters.REQUIRED for spec in parameters.specs(analysis(name).Params))


_RUN_KEYS = ("data", "reports", "params", "each")


def plan_names() -> list[str]:
    """Return the names of the plans in ``plans/``, sorted."""
    return sorted(path.stem for path in (home() / "plans").glob("*.toml") if not fault_of(path.stem))


def load_plan(name: str) -> list[Order]:
    """Read a plan: a named set of runs.

    Parameters
    ----------
    name : str
        Name of a file in ``plans/``, or the path of a TOML file.

    Returns
    -------
    list of Order
        One per ``[[run]]`` and data set.

    Raises
    ------
    PlanError
        There is no such plan, or it cannot be understood.
    """
    path = Path(name) if name.endswith(".toml") else home() / "plans" / f"{name}.toml"
    if fault_of(path.stem if name.endswith(".toml") else name) or not path.is_file():
        raise PlanError.unknown(name, plan_names())
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError.not_toml(path.name, error) from error
    for key in content:
        if key not in ("title", "run"):
            raise PlanError.unknown_key(path.name, "", key, ("title", "run"))
    runs = content.get("run", [])
    if not isinstance(runs, list) or not runs or not all(isinstance(run, dict) for run in runs):
        raise PlanError.expected(f"{path.name}: run", "given at least once, as [[run]]", runs or "nothing")
    return [order for run in runs for order in _orders(path.name, run)]


def _orders(where: str, run: Mapping[str, Any]) -> list[Order]:
    for key in run:
        if key not in _RUN_KEYS:
            raise PlanError.unknown_key(where, "[run]", key, _RUN_KEYS)
    data = run.get("data", "shop")
    sets = data if isinstance(data, list) else [data]
    if not sets or not all(isinstance(item, str) for item in sets):
        raise PlanError.expected(f"{where}: data", "the name of a data set, or a list of them", data)
    reports = run.get("reports", [])
    if not isinstance(reports, list) or not all(isinstance(item, str) for item in reports):
        raise PlanError.expected(f"{where}: reports", "a list of names", reports)
    for key in ("params", "each"):
        if not isinstance(run.get(key, {}), dict):
            raise PlanError.expected(f"{where}: {key}", f"a section [run.{key}]", run[key])
    each = run.get("each", {})
    for key, values in each.items():
        if not isinstance(values, list) or not values:
            raise PlanError.expected(f"{where}: each.{key}", "a list with at least one value", values)
    params = {key: _plain(value) for key, value in run.get("params", {}).items()}
    lists = {key: [_plain(value) for value in values] for key, values in each.items()}
    return [Order(item, tuple(reports), params, lists) for item in sets]


def _plain(value: Any) -> Any:
    # TOML has dates of its own; parameters take ISO texts.
    return value.isoformat() if hasattr(value, "isoformat") else value
