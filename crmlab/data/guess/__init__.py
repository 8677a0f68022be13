"""What ``crmlab new orders.xlsx`` does: look at a user's file and write a commented TOML file with the best guess.

The steps, one module each: the bytes become rows (``text``, ``sniff``), names become concepts (:mod:`crmlab.data.personal`),
values become numbers and days (``number_columns``, ``date_columns``), both make a profile of each column (``profiles``),
profiles get roles (``roles``), the roles are checked (``doubts``), and the whole is suggested (``suggest``)
and written (``toml``).

>>> from crmlab.data import guess
>>> sorted(guess.__all__)
['Guess', 'look', 'to_toml', 'write']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.guess.suggest import Guess, look
    from crmlab.data.guess.toml import to_toml, write

__all__ = ["Guess", "look", "to_toml", "write"]
__getattr__, __dir__ = lazy_names(__name__)
