"""How commands show errors that crmlab raises on purpose."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

__all__ = ["F", "show_errors"]


F = TypeVar("F", bound=Callable[..., Any])


def show_errors(function: F) -> F:
    """Show an error that crmlab raises on purpose as a sentence, without a traceback."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from crmlab.errors import CrmlabError

        try:
            return function(*args, **kwargs)
        except CrmlabError as error:
            click.echo(f"crmlab: {error}", err=True)
            sys.exit(2)

    return wrapped  # type: ignore[return-value]
