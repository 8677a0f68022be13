"""Where records come from: canonical tables, sources, data sets; and simulated worlds, made by ``make_shop`` and ``make_donors``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmlab.data.donors import make_donors
    from crmlab.data.shop import make_shop

__all__ = ["make_donors", "make_shop"]

_HOMES = {"make_donors": "crmlab.data.donors", "make_shop": "crmlab.data.shop"}


def __getattr__(name: str) -> Any:
    # Imported on first use: only who asks for a simulated world pays for the simulator.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crmlab.data' has no attribute {name!r}")
