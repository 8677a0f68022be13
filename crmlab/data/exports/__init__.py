"""Exports of systems that many people have: by which columns each is recognised, and which tables it makes.

One module for each system, all of one form: a tuple ``EXPORTS`` of declarations (:class:`~crmlab.data.exports.declaration.Export`).
What the columns hold is still looked at: a declaration says which column is which, not what is in it.

>>> from crmlab.data import exports
>>> sorted(exports.__all__)
['Export', 'Part', 'recognised']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.exports.declaration import Export, Part
    from crmlab.data.exports.known import recognised

__all__ = ["Export", "Part", "recognised"]
__getattr__, __dir__ = lazy_names(__name__)
