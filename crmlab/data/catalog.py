"""Finds and reads ``data/*.toml``: the named data sets."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from crmlab.data.descriptor import Descriptor, parse
from crmlab.data.naming import checked_name, fault_of
from crmlab.data.project import home, private_data
from crmlab.data.sections import Section
from crmlab.data.table_section import TableSection
from crmlab.errors import DescriptorError, NotInProjectError

__all__ = ["dataset_names", "find", "load", "locate", "matches"]


def dataset_names() -> list[str]:
    """Return the names of the data sets in ``data/``, sorted.

    Examples
    --------
    >>> "cdnow" in dataset_names()
    True
    """
    return sorted(path.stem for path in (home() / "data").glob("*.toml") if not fault_of(path.stem))


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the TOML file of a data set.

    Parameters
    ----------
    name_or_path : str or path
        A name in ``data/``, or the path of a file that ends in ``.toml``.

    Raises
    ------
    DescriptorError
        Where there is none; the message hints at a similar name.
    """
    text = os.fspath(name_or_path)
    try:
        if not text.endswith(".toml"):
            path = home() / "data" / f"{text}.toml"
            if fault_of(text) or not path.is_file():
                raise DescriptorError.unknown_dataset(text, dataset_names())
            return path
        for path in (Path(text), home() / text, home() / "data" / text):
            if path.is_file():
                return path
    except OSError as error:
        raise DescriptorError.cannot_read(text, error.strerror) from error
    raise DescriptorError.no_file(text)


def load(
    name_or_path: str | os.PathLike[str], readers: Mapping[str, Callable[[Section, str], object]] | None = None
) -> Descriptor:
    """Read and check the descriptor of a data set.

    Parameters
    ----------
    name_or_path : str or path
        A name in ``data/``, or the path of a TOML file.
    readers : mapping, optional
        What checks the sections of subjects, by name: ``crmlab.report.registry.readers()``. Default: they are kept unchecked.

    Returns
    -------
    Descriptor

    Raises
    ------
    DescriptorError
        No such file, a name that no folder can bear, not TOML, or everything that is wrong in it: unknown keys, values out of range.

    Examples
    --------
    >>> load("cdnow").currency
    'USD'
    """
    path = find(name_or_path)
    checked_name(path.stem, "a data set", DescriptorError)  # its folders are named so
    where = _shown_path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise DescriptorError.cannot_read(where, error.strerror) from error
    except UnicodeDecodeError as error:
        raise DescriptorError.not_toml(where, "It is not UTF-8 text") from error
    except RecursionError as error:
        raise DescriptorError.not_toml(where, "It is nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise DescriptorError.not_toml(where, error) from error
    return parse(content, name=path.stem, where=where, folder=path.parent, text=text, readers=readers)


def locate(section: TableSection, folder: Path) -> tuple[Path | None, list[Path]]:
    """Find the file of a section.

    A relative name is looked for beside the TOML file, then in the folder of the user's own data; a name of a package
    in that package's folder. Folders and globs count as found where they hold at least one.

    Returns
    -------
    (path or None, folders looked in)
    """
    if section.package:
        from importlib.util import find_spec

        spec = find_spec(section.package)
        roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    else:
        roots = [folder]
        with contextlib.suppress(NotInProjectError):  # a frame needs no project
            roots.append(private_data())
    for name in section.file:
        for root in roots:
            path = root / _expanded(name)
            if _exists(path):
                return path, roots
    return None, roots


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~somebody, who has no home here
        return Path(name)


def _exists(path: Path) -> bool:
    try:
        return path.exists() or bool(matches(path))
    except PermissionError:
        return True  # reading it says what is wrong
    except OSError:
        return False


def matches(path: Path) -> list[Path]:
    """Return the files that a glob stands for, sorted. Only the part that does not exist as it is written is a pattern."""
    base, pattern = path, ""
    while not base.exists() and base != base.parent:
        base, pattern = base.parent, f"{base.name}/{pattern}" if pattern else base.name
    if not any(sign in pattern for sign in "*?["):
        return []
    try:
        return sorted(item for item in base.glob(pattern) if item.is_file())
    except (ValueError, NotImplementedError):  # a pattern such as a**b
        return []


def _shown_path(path: Path) -> str:
    """A path as messages show it: relative to the project or the working folder where it lies inside."""
    resolved = path.resolve()
    for base in (Path.cwd(), home()):
        if resolved.is_relative_to(base.resolve()):
            return resolved.relative_to(base.resolve()).as_posix()
    return path.name
