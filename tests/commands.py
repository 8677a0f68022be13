"""The command line, as tests use it."""

from __future__ import annotations

from click.testing import CliRunner

from crmlab.cli import main


def campaign(*arguments: object, code: int = 0) -> str:
    """What ``crmlab campaign`` with some arguments says; it must end with a code, and never in a traceback."""
    done = CliRunner().invoke(main, ["campaign", *map(str, arguments)])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output
