"""Looks at several files, or at all of a folder or a workbook, and says which tables of one data set they are."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from crmlab.data.catalog import matches
from crmlab.data.guess.named import own_names, with_names
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.sniff import Sample, find, sample, samples
from crmlab.data.guess.suggest import Guess, dataset_name, guesses, valid
from crmlab.data.guess.text import ROWS, TABLE
from crmlab.data.naming import fault_of
from crmlab.data.reading.source import ENDINGS
from crmlab.data.tables import TABLES
from crmlab.errors import SourceError

__all__ = ["Columns", "answered", "survey", "survey_tables"]

# Canonical column → the source's.
Columns = Mapping[str, str]

# Orders and what they are made of first: the settings of the data set come from them.
_RANK = ("orders", "order_lines", "products", "customers", "cells", "contacts", "responses", "contracts", "test")
# Keys at the top of the file.
_WHOLE = ("guests", "duplicates", "rates", "negative_price", "first_day", "last_day", "missing_customer")


def survey(paths: Iterable[str | os.PathLike[str]], columns: Columns | None = None) -> list[Guess]:
    """Look at files and guess which tables of a data set they are.

    Parameters
    ----------
    paths : iterable of path
        Files; of a folder all files in it, of a workbook all sheets that hold records. Files with the same columns are one table.
    columns : mapping, optional
        Canonical column → the file's, where somebody has said so: in every file that has it.

    Returns
    -------
    list of Guess
        One for each table, that of the orders first; each table once. What could not be read is among the doubts of the first.

    Raises
    ------
    SourceError
        A file that was named cannot be read; a folder holds none that can.
    """
    given = [valid(find(Path(path))) for path in paths]
    seen: list[Sample] = []
    doubts: list[tuple[str, str]] = []
    for path in given:
        if path.is_dir() and (inside := _inside(path)):
            seen += _of_folder(path, inside, doubts)
        else:
            seen += samples(path)
    if len(seen) == 1:
        found = _guessed(seen[0], columns or {}, alone=True)
    else:
        groups = _groups(seen, doubts)
        found = _chosen([guess for group in groups for guess in _guessed(group, columns or {}, alone=False)], doubts)
    name = dataset_name(given[0].resolve() if given[0].is_dir() else given[0])
    return _whole(found, name, doubts)


def survey_tables(
    paths: Mapping[str, str | os.PathLike[str]], columns: Mapping[str, Columns], name: str = "orders"
) -> list[Guess]:
    """Look at files of which somebody has said what they are, and guess how they are to be read.

    Parameters
    ----------
    paths : mapping of str to path
        The file of each canonical table; of a workbook its first sheet that can hold records.
    columns : mapping of str to mapping
        For each table: canonical column → the file's, where somebody has said so.
    name : str
        The name of the data set.

    Returns
    -------
    list of Guess
        One for each table, that of the orders first.

    Raises
    ------
    SourceError
        A file cannot be read.
    """
    found: list[Guess] = []
    for table in (table for table in _RANK if table in paths):
        source = replace(sample(valid(find(Path(paths[table])))), table=table)
        found += _guessed(source, columns.get(table, {}), alone=len(paths) == 1)
    return _whole(found, name, [])


def _guessed(source: Sample, columns: Columns, *, alone: bool) -> list[Guess]:
    """The guesses of a file some of whose columns somebody has named."""
    return [own_names(guess, source, columns) for guess in guesses(with_names(source, columns), alone=alone)]


def _whole(found: Sequence[Guess], name: str, doubts: Sequence[tuple[str, str]]) -> list[Guess]:
    """The guesses of a data set: what holds for all of it stands in the first."""
    first = replace(found[0], name=name, unsure=(*found[0].unsure, *doubts))
    return _with_margin(_settled([first, *(replace(guess, name=name) for guess in found[1:])]))


def answered(found: Sequence[Guess], place: int, question: Question, answer: Answer) -> list[Guess]:
    """Return guesses with an answer written into them.

    Parameters
    ----------
    found : sequence of Guess
        What :func:`survey` returned.
    place : int
        Which of them asks.
    question : Question
        One of its questions.
    answer : Answer
        One of its answers, or what several write together.

    Returns
    -------
    list of Guess
        What concerns the data set stands in the first; what concerns a file in all tables that are read from it.
    """
    made = list(found)
    made[place] = found[place].answered(question, replace(answer, settings={}))
    for other, guess in enumerate(made):
        if other != place and guess.path == found[place].path:
            shared = {
                key: value for key, value in answer.options.items() if key not in ("keep", "drop") or "status" in guess.columns
            }
            gone = {key: value for key, value in answer.columns.items() if value is None}
            made[other] = guess.answered(question, Answer(label=answer.label, columns=gone, options=shared))
    made[0] = made[0].answered(question, Answer(label=answer.label, settings=answer.settings))
    return made


def _settled(found: list[Guess]) -> list[Guess]:
    """Bring what holds for the whole data set, and is known of one table only, to the first, where it is written."""
    first = found[0]
    for place, guess in enumerate(found[1:], 1):
        if guess.table not in ("orders", "order_lines"):
            continue
        known = {key.lstrip("#") for key in first.settings}
        more = {key: value for key, value in guess.settings.items() if key.lstrip("#") not in known}
        remarks = {key: guess.remarks[key] for key in more if key in guess.remarks}
        doubts = tuple(doubt for doubt in guess.unsure if doubt[0] in _WHOLE)
        found[place] = replace(guess, unsure=tuple(doubt for doubt in guess.unsure if doubt not in doubts))
        first = replace(
            first, settings={**first.settings, **more}, remarks={**remarks, **first.remarks}, unsure=(*first.unsure, *doubts)
        )
    return [first, *found[1:]]


def _with_margin(found: list[Guess]) -> list[Guess]:
    """Suggest to write the gross margin where something is sold and nothing says what it cost."""
    tables = {guess.table for guess in found}
    if not tables & {"orders", "order_lines"} or any("unit_cost" in guess.columns for guess in found):
        return found
    first = found[0]
    remark = (
        "gross margin as a share of spending; to set it, remove the first # and write yours. Without it all sums are revenue"
    )
    settings, remarks = {**first.settings, "#margin": 0.4}, {**first.remarks, "#margin": remark}
    return [replace(first, settings=settings, remarks=remarks), *found[1:]]


def _inside(folder: Path) -> list[Path]:
    """The files of a folder that can be read; none where it holds the parts of one Parquet table only, which is read as one."""
    files = [
        item for item in folder.iterdir() if item.is_file() and item.name.lower().endswith(ENDINGS) and not fault_of(item.name)
    ]
    parts = [item for item in files if item.name.lower().endswith(".parquet")]
    if not files or (len(parts) == len(files) and _alike(parts)):
        return []
    return sorted(files)


def _alike(parts: Sequence[Path]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return len({tuple(sorted(pq.read_schema(part).names)) for part in parts}) == 1
    except (pa.ArrowException, OSError, ValueError):
        return True  # reading it says what is wrong


def _of_folder(folder: Path, files: Sequence[Path], doubts: list[tuple[str, str]]) -> list[Sample]:
    made: list[Sample] = []
    for file in files:
        try:
            made += samples(file)
        except SourceError as error:
            doubts.append(("file", f"{file.name} is not read: {error}"))
    if not made:
        raise SourceError.unknown_format(TABLE, folder.name, ENDINGS)
    return made


def _groups(seen: Sequence[Sample], doubts: list[tuple[str, str]]) -> list[Sample]:
    """Files of the same columns as one, if a pattern of names stands for them and for no others."""
    groups: dict[tuple[object, ...], list[Sample]] = defaultdict(list)
    for source in seen:
        whole = source.kind == "workbook" or source.path.is_dir()
        layout = (source.delimiter, source.encoding, source.escape, source.skip_rows, source.header_row, source.footer_rows)
        alike = (source.kind, source.path.parent, tuple(sorted(source.names)), layout)
        groups[(source.path, source.sheet) if whole else alike].append(source)
    made = []
    for group in groups.values():
        first = group[0]
        if len(group) == 1:
            made.append(first)
            continue
        pattern = _pattern([source.path for source in group])
        if pattern is None:
            names = ", ".join(source.path.name for source in group[1:6])
            why = "no pattern of names stands for these files and for no others in their folder"
            doubts.append(
                (
                    "file",
                    f"{first.path.name} is read, and not {names}, which have the same columns: {why}. Put them into a folder of their own.",
                )
            )
            made.append(first)
            continue
        made.append(_together(group, pattern))
    return made


def _pattern(paths: Sequence[Path]) -> Path | None:
    """A glob that stands for files and for no others beside them."""
    names = [path.name for path in paths]
    start = _beginning(names)
    end = _beginning([name[len(start) :][::-1] for name in names])[::-1]
    ending = next((one for one in sorted(ENDINGS, key=len, reverse=True) if names[0].lower().endswith(one)), "")
    # Without digits at the seams, so that the file of the next year belongs to it.
    wider = f"{start.rstrip('0123456789')}*{end.lstrip('0123456789')}"
    for pattern in (wider, f"{start}*{end}", f"*{ending}"):
        glob = paths[0].parent / pattern
        if not set("[?") & set(start + end) and set(matches(glob)) == set(paths):
            return glob
    return None


def _beginning(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    return first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _together(group: Sequence[Sample], pattern: Path) -> Sample:
    """The first rows of several files as one sample."""
    first = group[0]
    each = max(ROWS // len(group), 200)
    columns = tuple(
        tuple(value for source in group for value in source.columns[source.names.index(name)][:each]) for name in first.names
    )
    complete = all(source.complete and source.rows <= each for source in group)
    return replace(first, path=pattern, columns=columns, complete=complete)


def _chosen(found: Sequence[Guess], doubts: list[tuple[str, str]]) -> list[Guess]:
    """Each table once, in the order in which they stand in the TOML file."""
    chosen: dict[str, Guess] = {}
    for guess in sorted(found, key=lambda one: -len(one.columns)):
        if guess.table in chosen:
            sheet = f" ({guess.options['sheet']})" if "sheet" in guess.options else ""
            what = f"{guess.path.name}{sheet}"
            once = f"To read both, write one [[{guess.table}]] section for each; where they cover the same days, end one with last_day."
            mend = once if TABLES[guess.table].moment else "A data set can have only one such table."
            doubts.append(("file", f"{what} was not read: it also looks like {guess.table}. {mend}"))
        else:
            chosen[guess.table] = guess
    return [chosen[table] for table in _RANK if table in chosen]
