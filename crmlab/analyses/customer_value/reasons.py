"""Why something could not be done, in words for readers of a page: out of the text of an error, which names code."""

from __future__ import annotations

import re

from crmlab.history.words import Words

__all__ = ["reason_said"]

_CODE = re.compile(r"\w+: ")
_ROWS = re.compile(r"([\d,]+) rows, all with (?:frequency|recency) 0")
_NEEDS = re.compile(
    r"(?:the parameters are not identifiable\. )?[Nn]eeds (?P<needed>.+?)\. Found: (?P<found>.+?)\.(?P<hint> .+)?", re.DOTALL
)


def reason_said(error: object, words: Words, needs: str = "it needs") -> str:
    """Why something could not be done, as a clause that ends with a full stop.

    Parameters
    ----------
    error : Exception or str
        What went wrong.
    words : Words
        Of the base.
    needs : str
        Who needs what was not there: "they need", where several do.

    Examples
    --------
    >>> from crmlab.history.words import ROUNDS, WEEKS
    >>> reason_said("SameWeeks: needs 364 days of history. Found: 192.", WEEKS)
    'it needs 364 days of history, and 192 were available.'
    >>> reason_said("BGBB: needs customers who bought again. Found: 9 rows, all with frequency 0. Take a longer history.", ROUNDS)
    'it needs donors who gave again (found: none among 9 donors). Take a longer history.'
    >>> reason_said("MBGNBD: the fit did not converge.", WEEKS)
    'the fit did not converge.'
    """
    text = str(error)
    code = _CODE.match(text)
    text = _ROWS.sub(r"none among \1 customers", text[code.end() :] if code else text)
    met = _NEEDS.fullmatch(text)
    if met is not None:
        found = met["found"]
        had = f", and {found} {'was' if found == '1' else 'were'} available" if found[0].isdigit() and " " not in found else ""
        text = f"{needs} {met['needed']}{had or f' (found: {found})'}.{met['hint'] or ''}"
    return words.told(text)
