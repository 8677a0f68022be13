"""Writes a Result into a folder: tables and lists as files, metrics and findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect
from crmlab.data.private import close_to_others, private_folder
from crmlab.data.redaction import Redaction
from crmlab.page.params import plain
from crmlab.page.quantities import Quantities
from crmlab.page.result import Output, Result
from crmlab.page.sheets import LONGEST_TEXT, too_long, write_csv, write_workbook

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ordered", "rounded", "save", "with_cuts_said"]


def save(
    result: Result,
    folder: Path,
    lists: Sequence[str] = (),
    annotated: Sequence[str] | None = None,
    hide: Redaction | None = None,
) -> tuple[str, ...]:
    """Save a result.

    Parameters
    ----------
    result : Result
    folder : Path
        Gets ``tables/*.csv`` (numbers of tables and charts), ``outputs/*.parquet`` and ``.csv`` (lists, ordered by key),
        ``metrics.json`` and ``result.json``. What is in ``outputs`` names customers and is for its owner only. People read CSV and
        workbooks, so numbers have the digits of the dictionary there; programs go on from Parquet, where they are whole.
    lists : sequence of str
        Further forms of the lists: "xlsx".
    annotated : sequence of str, optional
        Lists to which columns of other reports were joined; None where no report has any.
    hide : Redaction, optional
        What takes addresses of databases out of all that is saved.

    Returns
    -------
    tuple of str
        The forms in which the lists were saved.
    """
    hide = hide or Redaction()
    tables, outputs = folder / "tables", folder / "outputs"
    tables.mkdir(parents=True, exist_ok=True)
    for key, table in result.tables.items():
        write_csv(hide.frame(table.frame), tables / f"{key}.csv")
    for chart in result.charts.values():
        write_csv(hide.frame(chart.frame), tables / f"{chart.key}.csv")
    for name, output in result.outputs.items():
        private_folder(outputs)
        frame = hide.frame(ordered(output))
        frame.to_parquet(outputs / f"{name}.parquet", index=False)
        shown = rounded(frame, result.quantities)
        write_csv(shown, outputs / f"{name}.csv")
        if "xlsx" in lists:
            write_workbook(shown, outputs / f"{name}.xlsx")
        close_to_others(outputs)
    metrics = {key: estimate.to_dict() for key, estimate in sorted(result.metrics.items())}
    _write_json(folder / "metrics.json", metrics)
    summary = _summary(result) | ({} if annotated is None else {"annotated": list(annotated)})
    _write_json(folder / "result.json", hide.tree(summary))
    return ("csv", "parquet", *lists)


def ordered(output: Output) -> pd.DataFrame:
    """Return a list as a frame ordered by its key."""
    import pandas as pd

    if isinstance(output.frame, pd.DataFrame):
        return output.frame.sort_values(list(output.key), kind="stable", ignore_index=True)
    return collect(output.frame, output.key)


def rounded(frame: pd.DataFrame, quantities: Quantities) -> pd.DataFrame:
    """Return a list whose floats have the digits that their quantities say; whole numbers and days stay as they are."""
    floats = [name for name in frame.columns if frame[name].dtype.kind == "f"]
    return frame.assign(**{name: quantities.of(name).rounded(frame[name]) for name in floats})


def with_cuts_said(result: Result, lists: Sequence[str]) -> Result:
    """Return a result that warns of texts which the workbooks of its lists cannot hold whole; the same where there are none.

    Parameters
    ----------
    result : Result
    lists : sequence of str
        As of :func:`save`.
    """
    if "xlsx" not in lists:
        return result
    frames = {name: ordered(output) for name, output in result.outputs.items()}
    warnings = []
    for name, frame in frames.items():
        long = {str(column): sum(map(too_long, frame.iloc[:, i])) for i, column in enumerate(frame.columns)}
        cuts, columns = sum(long.values()), [column for column, count in long.items() if count]
        if cuts:
            texts = "1 text is" if cuts == 1 else f"{cuts:,} texts are"
            warnings.append(
                f"In {name}.xlsx {texts} cut after {LONGEST_TEXT:,} characters, the most that a cell of a workbook holds "
                f"({', '.join(columns)}). {name}.csv has them whole."
            )
    outputs = {name: replace(output, frame=frames[name]) for name, output in result.outputs.items()}
    return replace(result, outputs=outputs, warnings=(*result.warnings, *warnings))


def _summary(result: Result) -> dict[str, Any]:
    context = result.context
    return {
        "title": result.title,
        "dataset": context.dataset,
        "dataset_title": context.title,
        "context": context.line(),
        "first_day": None if context.since is None else context.since.isoformat(),
        "as_of": None if context.until is None else context.until.isoformat(),
        "customers": context.customers,
        "params": plain(result.params),
        "findings": [{"value": f.value, "text": f.text, "interval": f.interval, "metric": f.metric} for f in result.findings],
        "warnings": list(result.warnings),
        "outputs": list(result.outputs),
        "lead": {
            result.context.told(heading): [str(replace(result.tables[name], linked=False).html()) for name in names]
            for heading, names in result.lead.items()
            if names
        },
        "opens": result.opens,
        "counts": dict(result.method.counts),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
