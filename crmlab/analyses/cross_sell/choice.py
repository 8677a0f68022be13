"""Which list of offers is sent: decided in one place, by the back-test, for the page, the list and everybody who asks for offers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from crmlab.analyses.cross_sell.backtesting import Backtest, backtest_offers
from crmlab.analyses.cross_sell.blend import Origins
from crmlab.analyses.cross_sell.lists import PERSONAL, UNTESTED
from crmlab.analyses.cross_sell.offers import Offers, checked, offers_of, simple_offers
from crmlab.analyses.cross_sell.pairs import learn_pairs
from crmlab.errors import TooLittleError
from crmlab.history.past import History
from crmlab.history.words import QUARTER
from crmlab.models.intervals import LEVEL
from crmlab.page.exhibits import Absent

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["FEWEST_ACTIVE", "RULE", "Choice", "choose", "next_best_offers", "reason_of", "sent_offers", "tested"]


FEWEST_ACTIVE = 20  # customers who bought in the period of the test, below which it says nothing
RULE = (
    "Personal offers are sent only if they clearly matched the purchases of more customers than the best simple list on later days: if "
    "the interval of the difference in hit rates, customer by customer, lies above 0. Otherwise the best simple list is sent; if nothing "
    "could be tested, best-sellers not yet bought are sent."
)


@dataclass(frozen=True)
class Choice:
    """Which list is sent, and how personal offers did against the best simple list.

    Attributes
    ----------
    method : str
        The list that is sent: ``PERSONAL``, or one of ``BASELINES``.
    against : str or None
        The best simple list of the test; None where nothing could be tested.
    outcome : {"better", "alike", "worse", "untested"}
        Whether personal offers surely met more customers than that, are not shown to differ, or surely met fewer.
    """

    method: str
    against: str | None
    outcome: Literal["better", "alike", "worse", "untested"]


def choose(test: Backtest | Absent) -> Choice:
    """Decide which list is sent: personal offers only where the interval of their lead over the best simple list is above 0.

    Parameters
    ----------
    test : Backtest or Absent

    Returns
    -------
    Choice
    """
    if isinstance(test, Absent):
        return Choice(UNTESTED, None, "untested")
    gap = test.lead("hit_rate")
    simple = str(gap["against"])
    if gap["low"] > 0:
        return Choice(PERSONAL, simple, "better")
    return Choice(simple, simple, "worse" if gap["high"] < 0 else "alike")


def tested(origins: Origins, *, k: int, margin: float | None, level: float, seed: int) -> Backtest | Absent:
    """Hold personal offers and simple lists against later days; why not, where the history does not allow it.

    Parameters
    ----------
    origins : Origins
    k, margin, level, seed
        As :func:`~crmlab.analyses.cross_sell.backtesting.backtest_offers` takes them.

    Returns
    -------
    Backtest or Absent
    """
    nothing = "Offers could not be tested on later days"

    def work() -> Backtest | Absent:
        try:
            found = backtest_offers(origins, k=k, margin=margin, level=level, seed=seed)
        except TooLittleError as error:
            return Absent(f"{nothing}: {reason_of(error)}")
        if found.active < FEWEST_ACTIVE:
            return Absent(f"{nothing}: fewer than {FEWEST_ACTIVE} customers bought in the period.")
        return found

    if origins.pairs is not learn_pairs:  # pairs of somebody's own
        return work()
    key = ("cross_sell.tested", origins.horizon, origins.rebuy_share, k, margin, level, seed)
    return origins.past(0).once(key, work, shared_by_all=True)


def reason_of(error: TooLittleError) -> str:
    """What was too little, to go on with in a sentence of the page."""
    said = str(error).removeprefix("cross_sell: ").removesuffix(".").replace(". Found: ", "; found: ")
    return f"{said[:1].lower()}{said[1:]}."


def sent_offers(origins: Origins, choice: Choice, *, k: int, margin: float | None, seed: int) -> Offers:
    """The list that is sent; empty where there are not two products on sale, for then there is nothing to offer beside another.

    Raises
    ------
    TooLittleError
        Nobody had bought anything.
    """
    if choice.method == PERSONAL:
        found = offers_of(origins, origins.weights(0, seed), k=k, margin=margin)
    else:
        found = simple_offers(origins, choice.method, k=k, margin=margin)
    return found if int(origins.state(0).in_range.sum()) > 1 else replace(found, frame=found.frame.head(0))


def next_best_offers(
    data: Dataset | History,
    as_of: str | dt.date | None = None,
    *,
    k: int = 3,
    horizon: int = QUARTER,
    margin: float | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Offers:
    """The offers that the report says to send, for whoever asks: the list of the method that its back-test chose.

    Parameters
    ----------
    data : Dataset or History
        Needs orders and order lines. Products (names, costs, last days of sale) and customers (contactable) are used where they
        are there.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order, or the last day of the history that is given.
    k, horizon, margin, level, seed
        As the report's parameters; of a history, worked out once.

    Returns
    -------
    Offers
        None of a product that is out of range or was sent back; none to who must not be contacted.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        A parameter is out of range.
    TooLittleError
        Nobody had bought anything.

    Examples
    --------
    >>> import crmlab
    >>> lines = {"order_id": ["1", "1", "2", "3"], "customer_id": ["a", "a", "b", "c"], "product_id": ["tea", "cup", "tea", "jam"],
    ...          "ordered_at": ["2024-01-15", "2024-01-15", "2024-02-01", "2024-02-20"], "quantity": [1, 1, 1, 2], "amount": [5.0] * 4}
    >>> import pandas as pd
    >>> offers = next_best_offers(crmlab.open_dataset({"order_lines": pd.DataFrame(lines)}), k=1)
    >>> offers.frame[["customer_id", "product_id"]].values.tolist()
    [['a', 'jam'], ['b', 'cup'], ['c', 'tea']]
    """
    checked(k, horizon)
    history = History.of(data, as_of)

    def make() -> Offers:
        origins = Origins(history, horizon, learn_pairs)
        choice = choose(tested(origins, k=k, margin=margin, level=level, seed=seed))
        return sent_offers(origins, choice, k=k, margin=margin, seed=seed)

    return history.once(("cross_sell.next_best_offers", k, horizon, margin, level, seed), make)
