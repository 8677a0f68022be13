"""One folder per subject, all of one form; the map is the docstring of :mod:`crmlab`, the reports are in its registry."""

from __future__ import annotations

from crmlab.lazy import lazy_names

__all__: list[str] = []
__getattr__, __dir__ = lazy_names(__name__)
