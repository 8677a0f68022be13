"""The parameters cell of a notebook, made from the declared fields of ``Params``, and ``key=value`` of a command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmlab.errors import ParameterError, shown
from crmlab.page.params import REQUIRED, specs

__all__ = ["assignments", "cell_source"]


# What every notebook has before the fields of its Params.
COMMON = {
    "data": "data set: a name in data/, or the path of a TOML file",
    "engine": 'engine that does the heavy calculations: None (DuckDB, or the data set\'s own database) or "spark"',
}


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Read ``key=value`` texts of a command line.

    Examples
    --------
    >>> assignments(["bins=4", "as_of=2011-12-01"])
    {'bins': '4', 'as_of': '2011-12-01'}
    """
    result = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ParameterError(f"A parameter must be given as key=value. Got {shown(text)} instead. For example: -p bins=4")
        result[key.strip()] = value.strip()
    return result


def cell_source(params: type[Any], data: str = "shop") -> str:
    """Return the source of the parameters cell of a notebook.

    Examples
    --------
    >>> from crmlab.analyses.rfm import Params
    >>> print(cell_source(Params).splitlines()[0])
    data = "shop"  # data set: a name in data/, or the path of a TOML file
    """
    lines = [f'data = "{data}"  # {COMMON["data"]}', f"engine = None  # {COMMON['engine']}"]
    for spec in specs(params):
        default = '""' if spec.default is REQUIRED else _literal(spec.default)
        lines.append(f"{spec.name} = {default}" + (f"  # {spec.help}" if spec.help else ""))
    return "\n".join(lines)


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) and '"' not in value else repr(value)
