"""The command line, as tests use it."""

from __future__ import annotations

from click.testing import CliRunner

from crmlab.cli import main

PLAN = """
campaign = "spring"
salt = "a spring of our own"
criteria = ["orders >= 1"]
channel = "email"
opens_on = {opens}
closes_on = {closes}
{more}
[[cell]]
name = "none"
share = 0.5
[[cell]]
name = "ten"
control = "none"
share = 0.5
offer = "10% off"
"""


def plan_of(opens: object = "2026-01-05", closes: object = "2026-01-31", more: str = "") -> str:
    """The plan of a campaign with a control and one offer, as a TOML file has it."""
    return PLAN.format(opens=opens, closes=closes, more=more)


def campaign(*arguments: object, code: int = 0) -> str:
    """What ``crmlab campaign`` with some arguments says; it must end with a code, and never in a traceback."""
    done = CliRunner().invoke(main, ["campaign", *map(str, arguments)])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output
