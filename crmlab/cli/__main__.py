"""``python -m crmlab.cli``: the command, where its script is not on the path."""

from crmlab.cli import main

__all__: list[str] = []

main(prog_name="crmlab")
