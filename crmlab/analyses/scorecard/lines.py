"""The lines of the scorecard: what each measures, in words, before anything is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crmlab.history.words import QUARTER

__all__ = ["AGAIN", "CONTACTED", "KEPT", "LINES", "MOVES", "PROFIT", "SECOND", "SUMS", "TOP", "TOP_SHARE", "Line", "Triple"]


AGAIN = QUARTER  # within which a second purchase is looked for
TOP = 0.1  # share of customers whose share of revenue is shown
Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measure.

    Attributes
    ----------
    key, group, label, kind : str
        Kind as of :data:`crmlab.page.format.KINDS`; the label with blanks of :class:`crmlab.analyses.scorecard.speech.Speech` until
        they are filled.
    counted : bool
        Whether the period merely had so many, and there is no interval; else something of it is still to come.
    now, low, high : float or None
        Of the period; None where it is not known.
    last, year : float or None
        Of the period before, and a year ago.
    since_last, since_year : (change, low, high) or None
        Relative; of shares the difference.
    past : mapping of int to float
        Of earlier periods, for the small chart.
    add : str
        What to add so that it is known.
    """

    key: str
    group: str
    label: str
    kind: str
    counted: bool = True
    now: float | None = None
    low: float | None = None
    high: float | None = None
    last: float | None = None
    year: float | None = None
    since_last: Triple | None = None
    since_year: Triple | None = None
    past: Mapping[int, float] = field(default_factory=dict)
    add: str = ""


def _bare(key: str, group: str, label: str, kind: str, *, counted: bool = True) -> Line:
    return Line(key=key, group=group, label=label, kind=kind, counted=counted)


SUMS = (
    _bare("customers", "{Many}", "{Many} who {bought}", "count"),
    _bare("new", "{Many}", "New {many}", "count"),
    _bare("resumed", "{Many}", "{Bought} again after a period without a {deed}", "count"),
    _bare("lost", "{Many}", "{Bought} in the previous period but not in this one", "count"),
    _bare("revenue", "Money", "{Revenue}{net}", "money"),
    _bare("margin", "Money", "Gross margin", "money"),
    _bare("average_order_value", "{Buying}", "Average {order_value}", "amount"),
    _bare("occasions_per_customer", "{Buying}", "{Occasions} per {one}", "number"),
    _bare("products_per_customer", "{Buying}", "Different products per {one}", "number"),
    _bare("returned_share", "{Buying}", "Returns as a share of {sales}", "share"),
)
PROFIT = _bare("profit", "Money", "{Profit} after known costs", "money")
KEPT = _bare("kept_share", "{Many}", "{Many} of the previous period who {bought} again", "share")
MOVES = (
    _bare("converted", "Lifecycle", "New {many} who had {given} again one period later", "share"),
    _bare("lapsing", "Lifecycle", "Current {many} who lapsed", "share"),
    _bare("slipped", "Lifecycle", "Slowing {many} who lapsed", "share"),
    _bare("won_back", "Lifecycle", "Lapsed and lost {many} who came back", "share"),
)
SECOND = (
    _bare(
        "second_share", "Lifecycle", f"One year’s new {{many}} who {{buy}} again within {AGAIN} days", "share", counted=False
    ),
    _bare("second_days", "Lifecycle", "Days until a quarter of new {many} have {given} again", "days", counted=False),
)
CONTACTED = _bare("contacted_share", "Reach and risk", "Share of {many} who were contacted", "share")
TOP_SHARE = _bare("top_share", "Reach and risk", "Share of {revenue} from the top 10% of {many}", "share")
LINES = (*SUMS, PROFIT, KEPT, *MOVES, *SECOND, CONTACTED, TOP_SHARE)
