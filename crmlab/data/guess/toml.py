"""Writes a guess as a commented TOML file that a user corrects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from crmlab.data.guess.suggest import Guess, look
from crmlab.data.naming import checked_name
from crmlab.data.project import home, private_data
from crmlab.data.tables import TABLES
from crmlab.errors import DescriptorError, NotInProjectError

__all__ = ["to_toml", "write"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_ORDER = (
    *("sheet", "delimiter", "encoding", "escape", "skip_rows", "header_row", "footer_rows", "header", "names"),
    *("decimal", "date_format", "month_language", "amounts_in", "customer_hash"),
)
_REMARKS = {
    "delimiter": "what stands between the fields",
    "names": "the file has no column names; these may be changed",
    "decimal": "the sign before the decimals",
    "date_format": "the form of the dates, as in strptime",
    "customer_hash": "ids are made of it; it is kept nowhere, and crmlab reveal finds it again for a list",
    "month_language": "the language of the names of months",
    "#amounts_in": "only if amounts are whole cents; they are divided by 100",
}


def to_toml(guess: Guess) -> str:
    """Return a guess as the text of a TOML file.

    Parameters
    ----------
    guess : Guess
        What :func:`~crmlab.data.guess.look` returned.

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
    return "\n".join(_lines(guess)) + "\n"


def _lines(guess: Guess) -> Iterator[str]:
    rows = f"all {guess.rows:,} rows" if guess.complete else f"{guess.rows:,} rows of many"
    yield _comment(f"A guess by `crmlab new` from {guess.path.name} ({rows} looked at).")
    yield _comment('Look at every line, first at those marked "unsure". Then try it: ' + f"crmlab check {guess.name}")
    yield ""
    yield _assignment("title", re.sub(r"[_-]+", " ", guess.name).strip().capitalize() or "Orders")
    placed = set()
    for key, value in guess.settings.items():
        placed.add(key.lstrip("#"))
        yield from _line(guess, key, value)
    yield ""
    yield f"[{guess.table}]"
    required = [column.name for column in TABLES[guess.table].columns]
    placed |= {"file", *_ORDER, *required}
    for key, sentence in guess.unsure:
        if key not in placed:
            yield _comment(f"unsure: {sentence}")
    yield from _line(guess, "file", guess.file)
    unsure = {key for key, _ in guess.unsure}
    for key in _ORDER:
        if key in guess.options:
            yield from _line(guess, key, guess.options[key])
        elif f"#{key}" in guess.options:
            yield from _line(guess, f"#{key}", guess.options[f"#{key}"])
        else:
            yield from _doubts(guess, key)
    for key in required:
        if key in guess.columns:
            yield from _line(guess, key, guess.columns[key])
        elif key in unsure:
            yield from _line(guess, f"#{key}", guess.maybe.get(key, "…"))
    if guess.table == "customers" and guess.personal:
        yield _assignment("personal", list(guess.personal)) + "  # never shown"
    elif personal := tuple(name for name in guess.personal if name != guess.options.get("customer_hash")):
        yield _comment(f"Personal columns are not read: {_names(personal)}.")
    if guess.unread:
        kept = "Kept as attributes" if guess.table == "customers" else "Not read either" if guess.personal else "Not read"
        yield _comment(f"{kept}: {_names(guess.unread)}.")


def _line(guess: Guess, key: str, value: Any) -> Iterator[str]:
    """One key with its doubts above and its remark beside it. A key that begins with # is commented out."""
    yield from _doubts(guess, key.lstrip("#"))
    remark = guess.remarks.get(key, _REMARKS.get(key, ""))
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
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return '"' + "".join(map(_character, str(value))) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def write(path: str | os.PathLike[str], *, name: str | None = None, folder: str | os.PathLike[str] | None = None) -> Path:
    r"""Look at a file and write the TOML file of a data set for it.

    Parameters
    ----------
    path : str or path
        The user's file.
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
    target_folder = Path(folder) if folder is not None else home() / "data"
    if name is not None and not re.fullmatch(r"\w[\w-]{0,99}", name):  # one that can be typed without quotation marks
        raise DescriptorError.cannot_write(f"'{name}'", "A name has letters, digits, - and _ only")
    guess = look(path)
    name = checked_name(name or guess.name, "a data set", DescriptorError)
    target = target_folder / f"{name}.toml"
    if target.exists():
        raise DescriptorError.exists(target)
    text = to_toml(replace(guess, name=name, file=_file(guess.path, target_folder)))
    try:
        _publish(target, text.encode("utf-8"))
    except FileExistsError as error:
        raise DescriptorError.exists(target) from error
    except (OSError, UnicodeEncodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "The name of the file is no valid text"
        raise DescriptorError.cannot_write(target.name, reason) from error
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
