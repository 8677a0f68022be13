"""The triggers, and the simple rules that they are compared with, by name."""

from __future__ import annotations

__all__ = ["NAMES", "OFTEN", "SILENT"]


NAMES = ("overdue", "slowing", "second", "reactivated", "threshold", "anniversary", "product")
SILENT, OFTEN = "silent", "often"  # who has been silent longest, and who bought most often
