"""Texts with plain digits, signs and blanks, as expressions of the engine: what :func:`crmlab.data.written.tidy` is in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import count
from typing import Any

from crmlab.data.written import BLANKS, DASHES, SEPARATORS, UNSEEN, WIDE, digits

__all__ = ["once", "separated", "tidied"]

_NUMBERS = count()
_NOT_PLAIN = r"^'|[^\x00-\x7F]"
_FOREIGN = r"[^\P{Nd}0-9]"
_TYPESET = f"[{UNSEEN}{BLANKS}{DASHES}{''.join(WIDE)}]"


def tidied(text: Any) -> Any:
    """Return a text with plain digits, signs and blanks, and without an apostrophe before it.

    Parameters
    ----------
    text : ibis.expr.types.StringValue
        On DuckDB. Texts of plain characters, nearly all of them, cost little.
    """
    import ibis

    signs = once(text, lambda it: ibis.ifelse(it.re_search(_TYPESET), _with_our_signs(it), it))
    plain = once(signs, lambda it: ibis.ifelse(it.re_search(_FOREIGN), _with_our_digits(it), it))
    return ibis.ifelse(text.re_search(_NOT_PLAIN), plain.re_replace("^ *'? *", "").strip(), text)


def _with_our_signs(text: Any) -> Any:
    text = text.re_replace(f"[{UNSEEN}]", "").re_replace(f"[{BLANKS}]", " ").re_replace(f"[{DASHES}]", "-")
    for sign, to in WIDE.items():
        text = text.replace(sign, to)
    return text


def _with_our_digits(text: Any) -> Any:
    """The digits of the first script that a text has, as our own. A text in two scripts keeps those of the other."""
    import ibis

    everything = ibis.literal(digits())
    script = everything.substr(everything.find(text.re_extract(_FOREIGN, 0)) // 10 * 10, 10)
    return _translate(text, script, "0123456789")


def separated(text: Any, decimal: str) -> Any:
    """Return an amount whose Arabic separators are those of a decimal sign."""
    point, group = SEPARATORS
    return text.replace(point, decimal).replace(group, "." if decimal == "," else ",")


def once(value: Any, use: Callable[[Any], Any]) -> Any:
    """Return what ``use`` makes of a value, which is computed once however often it is used."""
    import ibis

    def used(**item: Any) -> Any:
        return use(*item.values())

    # Each has a name of its own, since one may stand within another.
    name = inspect.Parameter(f"once_{next(_NUMBERS)}", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    used.__signature__ = inspect.Signature([name])  # type: ignore[attr-defined]
    return ibis.array([value]).map(used)[0]


def _translate(text: Any, signs: Any, to: str) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    # An engine's function that Ibis has only for signs that do not change by row. The body is never run.
    def translate(text, signs, to): ...  # type: ignore[no-untyped-def]

    signature = ((types.string, types.string, types.string), types.string)
    return ibis.udf.scalar.builtin(translate, signature=signature)(text, signs, to)
