"""Writes a Result into a folder: tables and lists as files, metrics and findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.collecting import collect
from crmlab.data.redaction import Redaction
from crmlab.errors import TooLittleError
from crmlab.page.params import plain
from crmlab.page.quantities import Quantities
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMULA_STARTS", "LONGEST_SHEET", "neutral", "ordered", "rounded", "save", "write_csv", "write_workbook"]


# A spreadsheet takes a text that begins with one of these for a formula.
LONGEST_SHEET = 1_048_576
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


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
        ``metrics.json`` and ``result.json``. People read CSV and workbooks, so numbers have the digits of the dictionary there;
        programs go on from Parquet, where they are whole.
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
        outputs.mkdir(exist_ok=True)
        frame = hide.frame(ordered(output))
        frame.to_parquet(outputs / f"{name}.parquet", index=False)
        shown = rounded(frame, result.quantities)
        write_csv(shown, outputs / f"{name}.csv")
        if "xlsx" in lists:
            write_workbook(shown, outputs / f"{name}.xlsx")
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


def neutral(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> neutral("=1+1"), neutral("plain"), neutral(-3)
    ("'=1+1", 'plain', -3)
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "")
    return "'" + text if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as UTF-8 CSV whose texts no spreadsheet takes for formulas."""
    safe = frame.copy()
    safe.columns = [neutral(str(name)) for name in frame.columns]
    for i in range(frame.shape[1]):
        if frame.dtypes.iloc[i].kind not in "iufbM":
            safe.isetitem(i, frame.iloc[:, i].map(neutral, na_action="ignore").to_numpy(object))
    safe.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def write_workbook(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as a workbook: texts are texts, never formulas or links; the same frame gives the same bytes."""
    import datetime as dt

    import pandas as pd

    if len(frame) >= LONGEST_SHEET:
        raise TooLittleError.needs("xlsx", f"at most {LONGEST_SHEET - 1:,} rows for a sheet", f"{len(frame):,}")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": True}
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        frame.to_excel(writer, index=False, freeze_panes=(1, 0))
        # A workbook carries the moment of its making unless it is given one.
        writer.book.set_properties({"created": dt.datetime(2000, 1, 1)})


def _summary(result: Result) -> dict[str, Any]:
    context = result.context
    return {
        "title": result.title,
        "dataset": context.dataset,
        "dataset_title": context.title,
        "context": context.line(),
        "first_day": context.first_day.isoformat(),
        "as_of": context.as_of.isoformat(),
        "customers": context.customers,
        "params": plain(result.params),
        "findings": [{"value": f.value, "text": f.text, "interval": f.interval, "metric": f.metric} for f in result.findings],
        "warnings": list(result.warnings),
        "outputs": list(result.outputs),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
