"""What ``crmlab new orders.xlsx`` does: look at a user's file and write a commented TOML file with the best guess.

The steps, one module each: the bytes become rows (:mod:`text`, :mod:`sniff`), names become concepts (:mod:`crmlab.data.personal`),
values become numbers and days (:mod:`numbers`, :mod:`dates`), both make a profile of each column (:mod:`profile`),
profiles get roles (:mod:`roles`), the roles are checked (:mod:`doubts`), and the whole is suggested (:mod:`suggest`)
and written (:mod:`toml`).

>>> from crmlab.data import guess
>>> sorted(guess.__all__)
['Guess', 'look', 'to_toml', 'write']
"""

from __future__ import annotations

from crmlab.data.guess.suggest import Guess, look
from crmlab.data.guess.toml import to_toml, write

__all__ = ["Guess", "look", "to_toml", "write"]
