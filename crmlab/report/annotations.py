"""Columns that one report adds to every list of customers of the others, as analyses declare them by ``ANNOTATES``.

An annotating report runs before the others of the same data set, and where it says so also where only others were asked for. It is a
report like any: where its last result is of the same data, day and code, it is up to date and taken as it is, so that no list shows
what is out of date. Lists of annotating reports get no columns, neither their own nor of each other: there is no circle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.cache import file_digest
from crmlab.data.private import close_to_others, private_folder
from crmlab.errors import ReportError
from crmlab.history.context import masked
from crmlab.page.declarations import Annotation
from crmlab.page.quantities import Quantities
from crmlab.report.registry import analysis, annotating
from crmlab.report.saving import ordered

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.page.format import Format
    from crmlab.page.result import Result

__all__ = ["ANNOTATIONS", "KEY", "Annotations", "Source", "annotated", "gather"]

# Set by the runner for the kernel of one notebook: where the columns are that its lists get.
ANNOTATIONS = "CRMLAB_ANNOTATIONS"
KEY = "customer_id"
_FEW = 5  # customers below which a count is not told


@dataclass(frozen=True)
class Source:
    """An annotating report: its short name, what it declares, the folder of its result, and where there is none why not."""

    label: str
    declared: Annotation
    folder: Path | None
    why: str = ""


@dataclass(frozen=True)
class Annotations:
    """What the lists of a report get: the file that says it, and a digest of the joined columns for the key of the run."""

    path: Path
    digest: str


def gather(sources: Sequence[Source], path: Path) -> Annotations:
    """Join the columns of annotating reports by customer, and write them where a kernel finds them.

    Parameters
    ----------
    sources : sequence of Source
    path : Path
        A JSON file to be written; the columns go beside it.

    Raises
    ------
    ReportError
        A report lacks what it declares, or has a customer twice.
    """
    made = {source.label: source.folder for source in sources if source.folder is not None}
    sentences = [
        f"The lists of customers are without {' and '.join(source.declared.columns)}: the report “{source.label}” {source.why}."
        for source in sources
        if source.label not in made
    ]
    table = path.with_suffix(".parquet")
    private_folder(path.parent)
    if made:
        _join([(source, made[source.label]) for source in sources if source.label in made], table)
    path.write_text(json.dumps({"table": table.name if made else None, "sentences": sentences}), encoding="utf-8")
    close_to_others(path.parent)
    content = [sentences, file_digest(table) if made else ""]
    return Annotations(path, hashlib.sha256(json.dumps(content).encode()).hexdigest())


def _join(sources: Sequence[tuple[Source, Path]], table: Path) -> None:
    """Write the columns of annotating reports, each with the folder of its result, joined by customer."""
    import pandas as pd

    frames = []
    for source, folder in sources:
        wanted, name = [KEY, *source.declared.columns], source.declared.output
        file = folder / "outputs" / f"{name}.parquet"
        # With types that know a missing number, so that a count stays a count.
        frame = pd.read_parquet(file, dtype_backend="numpy_nullable") if file.is_file() else pd.DataFrame()
        missing = [column for column in wanted if column not in frame.columns]
        if missing:
            raise ReportError(
                f"The report “{source.label}” annotates lists by its output '{name}', which lacks {', '.join(missing)}."
            )
        if frame[KEY].duplicated().any():
            raise ReportError(f"The report “{source.label}” annotates lists by its output '{name}', which has customers twice.")
        frames.append(frame[wanted].set_index(KEY))
    pd.concat(frames, axis=1).sort_index().rename_axis(KEY).reset_index().to_parquet(table, index=False)


def annotated(result: Result, path: Path) -> tuple[Result, list[str]]:
    """Join columns to every list of customers of a result; where columns are not there the result says so.

    Parameters
    ----------
    result : Result
    path : Path
        As of :func:`gather`.

    Returns
    -------
    (result, names)
        Names of the lists, outputs whose key is the customer, or begins with it. A customer without annotation has empty
        cells. Where there is no such list, the result is what it was.

    Raises
    ------
    ReportError
        A list has a column of that name already.
    """
    import pandas as pd

    names = [name for name, output in result.outputs.items() if output.key and output.key[0] == KEY]
    if not names:
        return result, names
    content = json.loads(path.read_text(encoding="utf-8"))
    outputs = dict(result.outputs)
    if content["table"]:
        columns = pd.read_parquet(path.parent / content["table"], dtype_backend="numpy_nullable")
        for name in names:
            frame = ordered(outputs[name])
            twice = [column for column in frame.columns if column != KEY and column in columns.columns]
            if twice:
                raise ReportError(
                    f"The list '{name}' has a column '{twice[0]}' of its own, which another report annotates lists by."
                )
            more = columns.astype({KEY: frame[KEY].dtype})
            joined = frame.merge(more, "left", KEY)
            outputs[name] = replace(outputs[name], frame=joined, note=_counted(joined, result.context.form))
    meant = (analysis(name).QUANTITIES.naming(found.columns) for name, found in annotating().items())
    quantities = Quantities(result.quantities, *meant)
    warnings = (*result.warnings, *content["sentences"])
    return replace(result, outputs=outputs, warnings=warnings, quantities=quantities), names


def _counted(frame: pd.DataFrame, form: Format) -> str:
    """How many customers of a list have which value of the columns that are counted, the most frequent first; few are not told apart."""
    lines = []
    for declared in annotating().values():
        column = declared.counted
        if not column or column not in frame.columns or not len(frame):
            continue
        each = frame.drop_duplicates(KEY)[column].fillna("no decision").value_counts().sort_index(kind="stable")
        parts = []
        for value, count in each.sort_values(ascending=False, kind="stable").items():
            shown = masked(int(count), _FEW)
            parts.append(f"{value} {shown if isinstance(shown, str) else form.count(shown)}")
        lines.append(f"{declared.heading}: {' · '.join(parts)}")
    return ". ".join(lines)
