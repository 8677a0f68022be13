"""Errors of reports, plans of runs, and publishing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmlab.errors.base import CrmlabError, hint_at, listing, shown
from crmlab.errors.validation import TomlError

__all__ = ["KernelError", "PlanError", "PublishError", "ReportError"]


class ReportError(CrmlabError, RuntimeError):
    """A report cannot be run, rendered or written."""

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> ReportError:
        return cls.cannot(f"The reports folder {path}", "be written", reason, "Choose another with --out.")

    @classmethod
    def browser_failed(cls, reason: str) -> ReportError:
        return cls(f"No PDF was made: the browser failed. {reason} Try another browser in CRMLAB_BROWSER.")

    @classmethod
    def nothing_to_render(cls, path: Any) -> ReportError:
        return cls(f"There is no executed notebook under {path}. Make one with: crmlab run --data shop")


class KernelError(ReportError):
    """A kernel could not be started."""

    @classmethod
    def starter_ended(cls, how: str, last: str) -> KernelError:
        """``The process that starts kernels ended: killed by signal 9 (SIGKILL). It printed nothing.``"""
        said = f"It printed last: {last}" if last else "It printed nothing."
        return cls(f"The process that starts kernels ended: {how}. {said}")


class PlanError(TomlError):
    """A plan of runs cannot be understood."""

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> PlanError:
        return cls(f"There is no plan {shown(name)}. {hint_at(name, known)} Plans are files plans/NAME.toml.")

    @classmethod
    def no_campaign(cls, path: Any) -> PlanError:
        return cls(f"There is no plan {path}. Expected a TOML file with campaign, salt and one [[cell]] for each cell.")

    @classmethod
    def not_toml(cls, path: Any, reason: Any, form: str = "[[run]]") -> PlanError:
        what = "Runs look" if form == "[[run]]" else "Cells look"
        return cls(f"{path} is not valid TOML. {reason}. {what} like {form}.")


class PublishError(CrmlabError, RuntimeError):
    """A table cannot be published."""

    @classmethod
    def address_given(cls) -> PublishError:
        # What was given may hold a password: it is not shown.
        return cls(
            "An address of a database must not be given on the command line, where others can read it. Expected the name of an "
            "environment variable that holds it. Found an address, which is not shown. For example: --to env:CRM_DATABASE"
        )

    @classmethod
    def no_environment(cls, variable: str, found: str) -> PublishError:
        return cls(
            f"The environment variable {shown(variable)} must hold an address such as postgresql://user@host/database. "
            f"Found {found}. Set it before the command, and never write it into a file."
        )

    @classmethod
    def not_ours(cls, place: str, found: Iterable[str]) -> PublishError:
        return cls(
            f"{place} holds what crmlab did not publish. Expected nothing, or what was published before. Found: {listing(found)}. "
            "Choose another place: what is there would be lost."
        )

    @classmethod
    def cannot_write(cls, place: str, reason: str) -> PublishError:
        return cls(f"{place}: the tables could not be published ({reason}). What was published before is as it was. Try again.")

    @classmethod
    def stale_log(cls, place: str, log: str) -> PublishError:
        """Changes that a program had written when it was killed."""
        return cls(
            f"{place} cannot be replaced: beside it lies {log}, changes that a program wrote and never finished; it was probably "
            f"killed, for nobody has {place} open. They would be taken for changes of the new file. Open {place} once with DuckDB, "
            f"which takes them in, or remove {log}; then publish again."
        )

    @classmethod
    def unknown_column(cls, table: str, column: str, known: Iterable[str]) -> PublishError:
        return cls(f"{table}: the column {shown(column)} is not in the data dictionary. {hint_at(column, known)}")

    @classmethod
    def wrong_values(cls, table: str, column: str, expected: str, found: str) -> PublishError:
        return cls(f"{table}: column '{column}' must hold {expected}. Found {found}. Correct the frame.")
