"""What ``crmlab new orders.xlsx`` does: look at a user's file and write a commented TOML file with the best guess.

The steps, one module each: the bytes become rows (``text``, ``sniff``), names become concepts (:mod:`crmlab.data.personal`),
values become numbers and days (``number_columns``, ``date_columns``), both make a profile of each column (``profiles``),
profiles get roles: from the declaration of a known export (``exported``), as a table of campaigns (``campaign_tables``), or else
by name and value (``roles``). The roles are checked (``doubts``, ``summaries``); what bears on sums is proposed and asked
(``questions``: ``sales``, ``flags``, ``customers``, ``oddities``, ``settings``, each with what it is worth: ``worth``); the whole is
suggested (``suggest``), of several files (``files``), with what somebody has said of columns (``named``), and written (``toml``).

>>> from crmlab.data import guess
>>> sorted(guess.__all__)
['Answer', 'Columns', 'Guess', 'Question', 'answered', 'look', 'survey', 'survey_tables', 'target_of', 'to_toml', 'write']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.guess.files import Columns, answered, survey, survey_tables
    from crmlab.data.guess.questions import Answer, Question
    from crmlab.data.guess.suggest import Guess, look
    from crmlab.data.guess.toml import target_of, to_toml, write

__all__ = [
    "Answer",
    "Columns",
    "Guess",
    "Question",
    "answered",
    "look",
    "survey",
    "survey_tables",
    "target_of",
    "to_toml",
    "write",
]
__getattr__, __dir__ = lazy_names(__name__)
