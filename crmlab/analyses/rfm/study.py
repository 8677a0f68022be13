"""The segments of a history, how the base came to them from an earlier day, and the list of customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.analyses.rfm.segments import back, movement, segment_table, segmented
from crmlab.errors import ParameterError
from crmlab.history.consent import Consent
from crmlab.history.enough import need_buyers
from crmlab.history.words import WEEKS, Words
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.rfm.params import Params
    from crmlab.history.past import History

__all__ = ["Study", "readiness", "study"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of segments shows.

    Attributes
    ----------
    context : Context
    params : Params
    scored : DataFrame
        One row per customer with scores and segment, whether they may be contacted, and ``segment_before`` where there is an earlier
        day.
    segments : DataFrame
        One row per segment that is shown, by revenue.
    earlier : datetime.date or None
        The day compared with; None where the history is too short for one.
    moves : DataFrame or None
        Customers by segment then and now.
    words : Words
        What people and their deeds are called.
    """

    context: Context
    params: Params
    scored: pd.DataFrame
    segments: pd.DataFrame
    earlier: dt.date | None
    moves: pd.DataFrame | None
    words: Words = WEEKS

    def consent(self, *names: str) -> Consent:
        """How many of some segments, of all where none is named, may be contacted."""
        some = self.scored["segment"].isin(names) if names else slice(None)
        return Consent.of(self.scored.loc[some, "contactable"], self.scored.loc[some, "refusal"])

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers."""
        columns = ["customer_id", "segment", "r_score", "f_score", "m_score", "days_since_last", "occasions", "total_spend"]
        columns += ["first_occasion", "last_occasion", *(["segment_before"] if self.moves is not None else [])]
        listed = self.scored[[*columns, "contactable", "refusal"]]
        return {"customers": Output(f"List of {self.words.many} with scores and segment", listed, ("customer_id",))}


def readiness(history: History, _: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History

    Raises
    ------
    TooLittleError
        No customer has a purchase occasion.
    """
    need_buyers(history, "rfm")
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Score, segment and value the customer base.

    Raises
    ------
    ParameterError
        ``compare_to`` is outside the history.
    DataError
        No customer has a purchase occasion.
    """
    readiness(history, params)
    scored = history.with_consent(segmented(history.summary(), params.bins))
    segments = segment_table(scored, params.min_group)
    earlier, moves = _earlier(params, history), None
    if earlier is not None:
        before = segmented(history.earlier(earlier).summary(), params.bins)[["customer_id", "segment"]]
        scored = scored.merge(before.rename(columns={"segment": "segment_before"}), "left", "customer_id")
        moves = movement(scored)
    return Study(
        context=history.context(len(scored)),
        params=params,
        scored=scored,
        segments=segments,
        earlier=earlier,
        moves=moves,
        words=history.words,
    )


def _earlier(params: Params, history: History) -> dt.date | None:
    first, end, days = history.first, history.as_of, back(history.words)
    if params.compare_to is None:
        return end - dt.timedelta(days=days) if (end - first).days >= 2 * days else None
    chosen = dt.date.fromisoformat(params.compare_to)
    if chosen >= end:
        raise ParameterError.dates_out_of_order("compare_to", chosen, "as_of", end)
    if chosen < first:
        raise ParameterError(
            f"The 'compare_to' date {chosen} is before the first order. Expected a day from {first} on, and before {end}. "
            f"Leave it out to compare with {days} days before."
        )
    return chosen
