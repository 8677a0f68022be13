"""Public names of a package that are imported on first use, so that ``import crmlab`` and ``crmlab --help`` stay instant."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

__all__ = ["lazy_names"]

# What a package needs to be lazy, and nobody who looks for its names.
_OWN = {"TYPE_CHECKING", "annotations", "lazy_names"}


def lazy_names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package (PEP 562) whose imports stand under ``if TYPE_CHECKING:``.

    Those imports are what type checkers and import-linter see, and the only place that says where a name lives: on first use of a name they
    are read from the package's source, and the one module that has it is imported. Packages within it are imported on first use as well:
    after ``import crmlab``, ``crmlab.analyses.rfm`` is there. Of a name that another package has, the error says which.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.

    Returns
    -------
    tuple of callable
        To be assigned: ``__getattr__, __dir__ = lazy_names(__name__)``.

    Examples
    --------
    >>> import crmlab.models
    >>> crmlab.models.BGNBD.__module__
    'crmlab.models.btyd.bg_nbd'
    >>> "compare_cells" in dir(crmlab.models)
    True
    >>> crmlab.models.BGMBD
    Traceback (most recent call last):
    AttributeError: module 'crmlab.models' has no attribute 'BGMBD'
    >>> crmlab.models.customer_summary
    Traceback (most recent call last):
    AttributeError: module 'crmlab.models' has no attribute 'customer_summary'. It is in crmlab.
    """

    def get(name: str) -> Any:
        # Names that begin so are asked for by tools (doctest, pickle, inspect, Jupyter): none of them is lazy.
        if not name.startswith("_"):
            if name in _homes(package):
                return getattr(import_module(_homes(package)[name]), name)
            if name in _subpackages(package):
                return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}{_elsewhere(package, name)}")

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *_homes(package), *_subpackages(package)} - _OWN)

    return get, names


def _elsewhere(package: str, name: str) -> str:
    """Which package has a name that this one lacks, as a sentence; of its modules, which ``from … import`` asks for first, nothing."""
    if name.startswith("_") or name in {one.name for one in iter_modules(import_module(package).__path__)}:
        return ""
    having = [
        one
        for one in _packages(package.partition(".")[0])
        if name in getattr(import_module(one), "__all__", ()) or name in _subpackages(one)
    ]
    nearest = [one for one in having if one.count(".") == min(each.count(".") for each in having)]
    # A name that many have, such as run, is nobody's in particular.
    return f". It is in {' and '.join(nearest)}." if 0 < len(nearest) < 3 else ""


@cache
def _packages(root: str) -> tuple[str, ...]:
    """A package and all those within it."""
    return (root, *(found for name in sorted(_subpackages(root)) for found in _packages(f"{root}.{name}")))


@cache
def _subpackages(package: str) -> frozenset[str]:
    """The folders of a package that are packages themselves."""
    return frozenset(one.name for one in iter_modules(import_module(package).__path__) if one.ispkg)


@cache
def _homes(package: str) -> dict[str, str]:
    """Name → module, as the imports under ``if TYPE_CHECKING:`` in the source of a package say."""
    loader = getattr(find_spec(package), "loader", None)
    source = loader.get_source(package) if loader is not None and hasattr(loader, "get_source") else None
    homes: dict[str, str] = {}
    for node in ast.parse(source or "").body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for item in node.body:
                if isinstance(item, ast.ImportFrom) and item.module:
                    homes |= {alias.name: item.module for alias in item.names}
    return homes
