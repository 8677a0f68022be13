"""The ``crmlab`` command. Heavy imports happen inside functions, so that ``crmlab --help`` is instant."""

from crmlab.cli.commands import main

__all__ = ["main"]
