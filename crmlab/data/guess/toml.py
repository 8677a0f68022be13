"""Writes a guess as a commented TOML file that a user corrects."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from crmlab.data.guess.files import survey
from crmlab.data.guess.suggest import Guess
from crmlab.data.naming import checked_name
from crmlab.data.project import home, private_data
from crmlab.data.tables import TABLES
from crmlab.errors import DescriptorError, NotInProjectError

__all__ = ["target_of", "to_toml", "write"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_ORDER = (
    *("sheet", "delimiter", "encoding", "escape", "skip_rows", "header_row", "footer_rows", "header", "names"),
    *("decimal", "date_format", "month_language", "amounts_in"),
)
_AFTER = ("keep", "drop")  # beside the status that they are about
_REMARKS = {
    "only_where": "rows without a value in this column are left out",
    "drop_where": "rows with a value in this column are cancelled orders and are left out",
    "fill_down": "empty cells are filled from the row above",
    "fill_across": "whatever order that row belongs to",
    "control": "the cell that the others are compared with",
    "outcomes": "what came of it, the most important first",
    "covariates": "numbers known before the test, which make the comparison sharper",
    "blanks": "an empty outcome means that nothing happened",
    "customer_hash": "customer ids are a keyed hash of this column, which is not stored; crmlab reveal looks it up for a list",
    "without": "the file has no such column",
    "amounts_in": "amounts are whole cents",
    "delimiter": "the character between fields",
    "names": "the file has no column names; these may be changed",
    "decimal": "the decimal separator",
    "date_format": "the date format, in strptime codes",
    "month_language": "the language of the month names",
    "#amounts_in": "if amounts are whole cents, remove the first # of this line; they are then divided by 100",
}


def to_toml(guess: Guess, *others: Guess) -> str:
    """Return guesses as the text of a TOML file.

    Parameters
    ----------
    guess : Guess
        What :func:`~crmlab.data.guess.look` returned: the table from which the settings of the data set are taken.
    *others : Guess
        Further tables.

    Returns
    -------
    str
        Every guessed line has a comment; a doubtful one stands under a line ``# unsure: …``.

    Examples
    --------
    >>> guess = Guess("mine", "orders", Path("mine.csv"), "mine.csv", 9, True, {"amount": "total"})
    >>> print(to_toml(guess).splitlines()[-1])
    amount = "total"
    """
    lines = [*_top(guess), *(line for one in (guess, *others) for line in ("", *_section(one, placed=_settled(guess))))]
    return "\n".join(lines) + "\n"


def _settled(guess: Guess) -> set[str]:
    """The keys at the top of the file."""
    return {key.lstrip("#") for key in guess.settings}


def _top(guess: Guess) -> Iterator[str]:
    rows = f"all {guess.rows:,} rows" if guess.complete else f"a sample of {guess.rows:,} rows"
    yield _comment(f"The best guess of `crmlab new` from {guess.path.name}, based on {rows}.")
    yield _comment('Review every line, starting with those marked "unsure". Then run: ' + f"crmlab check {guess.name}")
    yield ""
    yield _assignment("title", re.sub(r"[_-]+", " ", guess.name).strip().capitalize() or "Orders")
    for key, value in guess.settings.items():
        yield from _line(guess, key, value, top=True)


def _section(guess: Guess, *, placed: set[str]) -> Iterator[str]:
    yield f"[{guess.table}]"
    if guess.export:
        yield _comment(f"It looks like {guess.export}.")
    for note in guess.notes:
        yield _comment(note)
    required = [column.name for column in TABLES[guess.table].columns]
    own = {"file", *_ORDER, *guess.options, *required} - placed
    for key, sentence in guess.unsure:
        if key not in own | placed:
            yield _comment(f"unsure: {sentence}")
    yield from _line(guess, "file", guess.file)
    unsure = {key for key, _ in guess.unsure} - placed
    rules = [key for key in guess.options if key.lstrip("#") not in (*_ORDER, *_AFTER)]
    for key in (*_ORDER, *rules):
        if key in guess.options:
            yield from _line(guess, key, guess.options[key])
        elif f"#{key}" in guess.options:
            yield from _line(guess, f"#{key}", guess.options[f"#{key}"])
        else:
            yield from _doubts(guess, key)
    for key in required:
        if key in guess.columns:
            yield from _line(guess, key, guess.columns[key], doubts=key not in placed)
        elif key in unsure:
            yield from _line(guess, f"#{key}", _suggested(guess, key))
        for after in _AFTER if key == "status" else ():
            for written in (after, f"#{after}"):
                if guess.options.get(written):
                    yield from _line(guess, written, guess.options[written])
    if guess.table == "customers" and guess.personal:
        yield _assignment("personal", list(guess.personal)) + "  # never shown"
    elif personal := tuple(name for name in guess.personal if name != guess.options.get("customer_hash")):
        yield _comment(f"Personal columns are not read: {_names(personal)}.")
    if guess.unread:
        kept = "Kept as attributes" if guess.table == "customers" else "Not read either" if guess.personal else "Not read"
        yield _comment(f"{kept}: {_names(guess.unread)}.")


def _suggested(guess: Guess, key: str) -> str:
    """A column that may be meant where none is mapped: of an answer, or by its name."""
    asked = (answer.columns.get(key) for question in guess.questions if question.key == key for answer in question.answers)
    return next(filter(None, asked), None) or guess.maybe.get(key, "…")


def _line(guess: Guess, key: str, value: Any, *, doubts: bool = True, top: bool = False) -> Iterator[str]:
    """One key with its doubts above and its remark beside it. A key that begins with # is commented out."""
    if doubts:
        yield from _doubts(guess, key.lstrip("#"))
    general = guess.remarks.get(key, _REMARKS.get(key, "")) if doubts else ""
    remark = general if top else guess.remarks.get(f"{guess.table}.{key}", general)
    line = ("# " if key.startswith("#") else "") + _assignment(key.lstrip("#"), value)
    yield f"{line}  {_comment(remark)}" if remark else line


def _doubts(guess: Guess, key: str) -> Iterator[str]:
    for about, sentence in guess.unsure:
        if about == key:
            yield _comment(f"unsure: {sentence}")


def _names(names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name[:60]}'" for name in names[:40])
    return listed + (f" and {len(names) - 40} more" if len(names) > 40 else "")


def _comment(text: str) -> str:
    return "# " + " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _assignment(key: str, value: Any) -> str:
    return f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (int, float, Decimal, dt.date)):
        return str(value)
    return '"' + "".join(map(_character, str(value))) + '"'


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _value(key)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def write(
    source: str | os.PathLike[str] | Sequence[Guess],
    *,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Path:
    r"""Write the TOML file of a data set: for a file that is looked at, or for guesses.

    Parameters
    ----------
    source : str, path or sequence of Guess
        The user's file; or what :func:`~crmlab.data.guess.survey` returned, with answers.
    name : str, optional
        The name of the data set; default: made from the file's.
    folder : str or path, optional
        Where to write; default: ``data/`` of the project.

    Returns
    -------
    Path
        The TOML file.

    Raises
    ------
    SourceError
        The user's file cannot be read.
    DescriptorError
        There is a TOML file of that name already, or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "sales.csv")
    ...     _ = file.write_text("cust,date,total\n7,2024-12-31,1.50\n8,2024-12-30,2.00\n")
    ...     write(file, folder=folder).name
    'sales.toml'
    """
    if name is not None:
        target_of(name, name=name, folder=folder)
    guesses = survey([source]) if isinstance(source, (str, os.PathLike)) else list(source)
    target = target_of(guesses[0].name, name=name, folder=folder)
    placed = [replace(guess, name=target.stem, file=_file(Path(guess.file), target.parent)) for guess in guesses]
    text = to_toml(*placed)
    try:
        _publish(target, text.encode("utf-8"))
    except FileExistsError as error:
        raise DescriptorError.exists(target) from error
    except (OSError, UnicodeEncodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "The name of the file is no valid text"
        raise DescriptorError.cannot_write(target.name, reason) from error
    return target


def target_of(guessed: str, *, name: str | None = None, folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the TOML file that is to be written.

    Parameters
    ----------
    guessed : str
        The name made from the user's file.
    name : str, optional
        The name that the user gave instead.
    folder : str or path, optional
        Where to write; default: ``data/`` of the project.

    Raises
    ------
    DescriptorError
        The name cannot be one of a data set, or there is a file of that name already.
    """
    if name is not None and not re.fullmatch(r"\w[\w-]{0,99}", name):  # one that can be typed without quotation marks
        raise DescriptorError.cannot_write(f"'{name}'", "A name has letters, digits, - and _ only")
    target = (
        Path(folder) if folder is not None else home() / "data"
    ) / f"{checked_name(name or guessed, 'a data set', DescriptorError)}.toml"
    if target.exists():
        raise DescriptorError.exists(target)
    return target


def _file(path: Path, folder: Path) -> str:
    """The user's file as the reader finds it from the folder of the TOML file."""
    absolute = Path(os.path.abspath(path))
    try:
        roots = [folder, private_data()]
    except NotInProjectError:
        roots = [folder]
    for root in roots:
        for file, base in ((absolute, Path(os.path.abspath(root))), (absolute.resolve(), root.resolve())):
            if not file.is_relative_to(base):
                continue
            relative = file.relative_to(base)
            # The reader looks beside the TOML file first, and takes ~ for somebody's home.
            hidden = root is not folder and (folder / relative).exists()
            if not hidden and not relative.as_posix().startswith("~"):
                return relative.as_posix()
    return absolute.as_posix()


def _publish(target: Path, content: bytes) -> None:
    """Write aside and put in place in one step, so that nothing half-written stays and nothing is overwritten."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        try:
            os.link(aside, target)  # refuses where the name is taken meanwhile
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if target.exists():
                raise FileExistsError from None
            aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
