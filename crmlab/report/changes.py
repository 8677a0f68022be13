"""What moved between two runs: metrics compared, beyond their intervals or within."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmlab.errors import ReportError, shown
from crmlab.page.format import Format
from crmlab.report.records import RunRecord

__all__ = ["VERDICTS", "Change", "compare", "differences", "kind_of", "refuse_others", "summary"]

# How a change is judged.
VERDICTS = {
    "same": "the same",
    "beyond": "changed, beyond its interval",
    "within": "changed, within its interval",
    "counted": "changed; counted, so it has no interval",
    "new": "only in the second",
    "gone": "only in the first",
}


@dataclass(frozen=True)
class Change:
    """One metric in two runs.

    ``verdict`` is one of ``VERDICTS``.
    """

    name: str
    unit: str
    before: float | None
    after: float | None
    verdict: str

    @property
    def delta(self) -> float | None:
        """After less before; None where one is missing."""
        return None if self.before is None or self.after is None else self.after - self.before

    def words(self, form: Format) -> str:
        """The change in words, for people."""
        kind = kind_of(self.unit)
        if self.verdict == "same":
            return "unchanged"
        if self.before is None or self.after is None:
            return VERDICTS[self.verdict]
        way = "up" if self.after > self.before else "down"
        tail = {"beyond": ", beyond its interval", "within": ", within its interval", "counted": ""}[self.verdict]
        return f"{way} from {form.write(self.before, kind)}{tail}"


def kind_of(unit: str) -> str:
    """Say how a value of a unit is written (see ``style.KINDS``)."""
    if unit == "share":
        return "share"
    if len(unit) == 3 and unit.isupper():
        return "money"
    return "count" if unit in ("customers", "rows", "orders", "occasions") else "number"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Compare the metrics of two runs.

    A change is beyond its interval where it is larger than the two intervals together can explain: than the root of the
    summed squares of the half-widths that face each other. This takes the runs as independent; runs on the same customers
    vary together, so that real changes are found less often, not more.

    Parameters
    ----------
    before, after : mapping
        Name → estimate as :meth:`crmlab.page.estimate.Estimate.to_dict` gives it.

    Returns
    -------
    list of Change
        In the order of the names.

    Examples
    --------
    >>> one = {"share": {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.95, "unit": "share"}}
    >>> two = {"share": {"value": 0.7, "low": 0.65, "high": 0.75, "level": 0.95, "unit": "share"}}
    >>> compare(one, two)[0].verdict
    'beyond'
    """
    changes = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        unit = (new or old or {}).get("unit", "")
        first, second = (item and item.get("value") for item in (old, new))
        changes.append(Change(name, unit, first, second, _verdict(old, new)))
    return changes


def _verdict(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if old is None or old.get("value") is None:
        return "new" if new and new.get("value") is not None else "same"
    if new is None or new.get("value") is None:
        return "gone"
    delta = new["value"] - old["value"]
    if delta == 0:
        return "same"
    ends = (old["low"], old["high"], new["low"], new["high"])
    if any(end is None for end in ends):
        return "counted"
    up = delta > 0
    half_old = old["high"] - old["value"] if up else old["value"] - old["low"]
    half_new = new["value"] - new["low"] if up else new["high"] - new["value"]
    return "beyond" if abs(delta) > math.hypot(half_old, half_new) else "within"


def refuse_others(old: RunRecord, new: RunRecord) -> None:
    """Refuse to compare runs of two data sets, or of two reports: their numbers are of different things.

    Raises
    ------
    ReportError
    """
    for what, first, second in (("data set", old.dataset, new.dataset), ("report", old.report, new.report)):
        if first != second:
            raise ReportError(
                f"diff compares two runs of one report of one data set. Got the {what}s {shown(first)} and {shown(second)}."
            )


def summary(changes: Sequence[Change]) -> str:
    """Say how many metrics there are of each verdict.

    Examples
    --------
    >>> summary([Change("a", "", 1, 1, "same"), Change("b", "", 1, 2, "counted"), Change("c", "", None, 2, "new")])
    '3 metrics: 1 the same, 0 changed beyond their intervals, 1 counted and changed, 1 only in the second.'
    """
    words = {
        "same": "the same",
        "beyond": "changed beyond their intervals",
        "within": "changed within their intervals",
        "counted": "counted and changed",
        "new": VERDICTS["new"],
        "gone": VERDICTS["gone"],
    }
    counts = {verdict: sum(change.verdict == verdict for change in changes) for verdict in words}
    told = [f"{counts[verdict]} {said}" for verdict, said in words.items() if counts[verdict] or verdict in ("same", "beyond")]
    return f"{len(changes)} metric{'' if len(changes) == 1 else 's'}: {', '.join(told)}."


def _given(name: str, run: RunRecord) -> Any:
    """A parameter of a run; what was not given, in words."""
    value = run.params.get(name)
    return value if value is not None else "last order's day" if name == "as_of" else "default"


def differences(old: RunRecord, new: RunRecord) -> list[str]:
    """Say in sentences what two runs differ in that their content depends on: inputs, parameters, versions, code.

    Parameters
    ----------
    old, new : RunRecord

    Returns
    -------
    list of str
        Empty where both were made from the same.
    """
    found = []
    if old.inputs.get("fingerprint") != new.inputs.get("fingerprint"):
        rows = {name: (old.inputs.get("rows", {}).get(name), count) for name, count in new.inputs.get("rows", {}).items()}
        moved = [f"{name} {was} → {now} rows" for name, (was, now) in rows.items() if was != now]
        found.append(f"The input differs{': ' + ', '.join(moved) if moved else ' in content or rules'}.")
    for name in sorted({*old.params, *new.params}):
        if old.params.get(name) != new.params.get(name):
            found.append(f"The parameter {name} differs: {_given(name, old)} → {_given(name, new)}.")
    for name in sorted({*old.versions, *new.versions}):
        if old.versions.get(name) != new.versions.get(name):
            found.append(f"The version of {name} differs: {old.versions.get(name)} → {new.versions.get(name)}.")
    if old.engine != new.engine:
        found.append(f"The engine differs: {old.engine} → {new.engine}.")
    if old.key != new.key and not found:
        found.append("crmlab's code, the notebook or another installed package differs.")
    return found
