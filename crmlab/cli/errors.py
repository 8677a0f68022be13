"""How commands show errors that crmlab raises on purpose."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TextIO, TypeVar

import click

from crmlab.cli.grids import say

__all__ = ["F", "show_errors"]


F = TypeVar("F", bound=Callable[..., Any])


def _hidden(text: str) -> str:
    """A message without the addresses of databases that the environment holds."""
    from crmlab.data.redaction import Redaction

    return Redaction.of_environment().text(text)


def show_errors(function: F) -> F:
    """Show an error that crmlab raises on purpose as a sentence, without a traceback, and so what it warns of.

    Addresses of databases are never shown.
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from crmlab.errors import CrmlabError

        try:
            with warnings.catch_warnings():
                warnings.showwarning = _shown
                return function(*args, **kwargs)
        except CrmlabError as error:
            say(f"crmlab: {_hidden(str(error))}", err=True)
            sys.exit(2)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception:
            text = traceback.format_exc()
            if _hidden(text) == text:
                raise
            say(_hidden(text), err=True)
            sys.exit(1)

    return wrapped  # type: ignore[return-value]


def _shown(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning: ours as a sentence, others with their place, as Python does."""
    from crmlab.errors import CrmlabWarning

    if issubclass(category, CrmlabWarning):
        say(f"crmlab: {message}", err=True)
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))
