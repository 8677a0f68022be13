"""What several reports need of an order history before they can say anything, asked for in one place.

Each function raises what a report then raises: so ``crmlab check`` tells beforehand why a report would be skipped, in the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.collecting import collect_row
from crmlab.errors import TooLittleError
from crmlab.history.customers import summary_until

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["need_buyers", "need_repeat_buyers"]


def need_buyers(history: History, analysis: str) -> None:
    """Make sure that somebody bought.

    Parameters
    ----------
    history : History
    analysis : str
        Who needs it, for the message.

    Raises
    ------
    TooLittleError
        Nobody has a purchase occasion: all was returned, say.
    """
    if not _buyers(history)[0]:
        raise TooLittleError.needs(analysis, history.words.told("at least one customer with a purchase"), "none")


def need_repeat_buyers(history: History, analysis: str) -> None:
    """Make sure that somebody came back.

    Raises
    ------
    TooLittleError
        Nobody bought on two days.
    """
    if not _buyers(history)[1]:
        raise TooLittleError.needs(analysis, history.words.told("customers who bought on two days at least"), "none")


def _buyers(history: History) -> tuple[int, int]:
    """How many customers bought, and how many on two days at least; counted by the engine, once."""

    def count() -> tuple[int, int]:
        people = summary_until(history.orders, history.as_of, None, "day")
        found = people.aggregate(all=people.count(), again=people.count(where=people["frequency"] > 0))
        row = collect_row(found)
        return int(row["all"] or 0), int(row["again"] or 0)

    return history.once("history.buyers", count)
