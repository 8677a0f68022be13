"""The states of a customer's life, by name."""

from __future__ import annotations

__all__ = ["CURRENT", "GONE", "NONE", "STATES"]


STATES = ("new", "active", "slowing", "reactivated", "lapsed", "lost")
CURRENT = STATES[:4]
GONE = STATES[4:]
NONE = "none"  # no occasion yet
