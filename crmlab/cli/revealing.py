"""Turns a list of customers into one to send from, where their ids are keyed hashes: each id gets back what it was made of."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.catalog import load
from crmlab.data.identity import check_marks, has_hashed_ids, mark_of
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.naming import path_part
from crmlab.data.private import close_to_others, private_folder
from crmlab.data.reading.revealing import persons_of
from crmlab.errors import CustomerKeyError, ReportError, listing
from crmlab.page.sheets import column_as_it_was, read_csv, write_csv, write_workbook
from crmlab.report.records import read_record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Revealed", "reveal"]

_ID = "customer_id"
_READABLE = (".csv", ".parquet", ".xlsx")
_WRITABLE = (".csv", ".xlsx")
_ADDED = "-revealed"  # to the name of the list


@dataclass(frozen=True)
class Revealed:
    """A list that was written to send from: its file, the column that was added, and how many customers are on it and were not found."""

    file: Path
    column: str
    found: int
    missing: int


def reveal(path: Path, *, data: str | None = None, out: Path | None = None) -> Revealed:
    """Read the source of a data set again and write a list with what the ids on it were made of, such as e-mails.

    Nothing but the file that is written keeps them. It is for its owner only. Customers who are not found are left out, and counted.

    Parameters
    ----------
    path : Path
        A list of customers with ``customer_id``, of a report or of a campaign: csv, Parquet or xlsx.
    data : str, optional
        The data set. Default: that of the report or the campaign, where the list lies in the folder that it was written to.
    out : Path, optional
        The file to write, a csv file or a workbook. Default: ``<name of the list>-revealed.csv`` beside the list, and a workbook where
        the list is one. In the folder of a report it is gone when the report is made again.

    Raises
    ------
    ReportError
        The list cannot be read, is of no data set whose ids are hashes, or holds none; or the file cannot be written.
    CustomerKeyError
        The ids were made with another key, or the key is gone.
    CrmlabError
        The source cannot be read.
    """
    frame = _read(path)
    target = out or path.with_name(path.stem + _ADDED + (".xlsx" if path.suffix.lower() == ".xlsx" else ".csv"))
    if target.suffix.lower() not in _WRITABLE:
        raise ReportError.must_be("The file of --out", f"one that ends in {listing(_WRITABLE)}", target.name)
    if target.exists() and target.samefile(path):
        raise ReportError.must_be("The file of --out", "another than the list", target.name, "The list stays as it is.")
    descriptor = load(data or _dataset_of(path))
    if not has_hashed_ids(descriptor):
        raise ReportError(
            f"The ids of '{descriptor.name}' come straight from its source. Expected ids made from a personal column (customer_hash in "
            f"{descriptor.where}). There is nothing to reveal: use {path.name} as it is."
        )
    ids = {str(one) for one in frame[_ID].dropna()}
    check_marks(ids, f"the list {path.name}", descriptor)
    asked = {one for one in ids if mark_of(one)}
    if not asked:
        raise ReportError(f"The list {path.name} must hold ids that were made of a personal column. Found none of them.")
    persons = persons_of(descriptor, asked)
    if not persons.values:
        raise CustomerKeyError(
            f"None of the {len(asked):,} customers of {path.name} is in the source of '{descriptor.name}'. Expected the source and the "
            "key that the list was made with. Found others. Name the data set of the list with --data."
        )
    if persons.column in frame.columns:
        raise ReportError.must_be(
            f"A column of {path.name}",
            f"other than '{persons.column}', which is added",
            persons.column,
            "Was it revealed before?",
        )
    ready = frame[frame[_ID].isin(list(persons.values))].reset_index(drop=True)
    ready.insert(int(ready.columns.get_loc(_ID)) + 1, persons.column, ready[_ID].map(persons.values))
    _write(ready, target)
    return Revealed(target, persons.column, len(persons.values), len(ids) - len(persons.values))


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    suffix = path.suffix.lower()
    if suffix not in _READABLE:
        raise ReportError.must_be("A list", f"a file that ends in {listing(_READABLE)}", path.name)
    try:
        if suffix == ".csv":
            frame = read_csv(path).apply(column_as_it_was)
        elif suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_excel(path, engine="calamine")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise ReportError.cannot(f"The list {path.name}", "be read", reason, "Expected a list that crmlab wrote.") from error
    if _ID not in frame.columns:
        raise ReportError.lacks(f"The list {path.name}", _ID, frame.columns)
    return frame


def _dataset_of(path: Path) -> str:
    """The data set of a list, from the record of the report or the campaign in whose folder it lies."""
    folder = path.absolute().parent
    if folder.name == "outputs" and (folder.parent / "run.json").is_file():
        record = read_record(folder.parent)
        return record.data or record.dataset
    for header in open_memory().headers(kind="launched"):
        if path_part(header.campaign) == folder.name and isinstance(header.details.get("data"), str):
            return str(header.details["data"])
    raise ReportError(
        f"The data set of {path.name} is not known. Expected a list in the folder of a report or of a campaign. "
        "Name the data set with --data."
    )


def _write(frame: pd.DataFrame, target: Path) -> None:
    """Write the list aside in a folder that is closed to others, then put it in its place."""
    try:
        private_folder(target.absolute().parent)
        aside = Path(tempfile.mkdtemp(dir=target.absolute().parent, prefix=".aside-"))
        try:
            place = aside / f"list{target.suffix.lower()}"
            (write_csv if target.suffix.lower() == ".csv" else write_workbook)(frame, place)
            close_to_others(place)
            place.replace(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise ReportError.cannot(
            f"The list {target.name}", "be written", error.strerror or error, "Choose another file with --out."
        ) from error
