"""What it costs to contact somebody, and to give an offer to one who takes it: as past cells say, for whoever plans a contact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from crmlab.collecting import collect

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.history.past import History

__all__ = ["GUESSED_CONTACT", "GUESSED_OFFER", "ContactCosts", "costs_of"]


GUESSED_CONTACT, GUESSED_OFFER = 0.5, 10.0  # in money, where no past cell says
_COLUMNS = ("cost_per_contact", "cost_per_response", "fixed_cost")


class ContactCosts(NamedTuple):
    """What a contact costs, an offer that is taken, and a cell, and where the first two are from.

    Attributes
    ----------
    contact, offer, fixed : float
        In money.
    source, offer_source : {"given", "past", "guess"}
        Where the cost of a contact is from, and that of an offer.
    """

    contact: float = GUESSED_CONTACT
    offer: float = GUESSED_OFFER
    fixed: float = 0.0
    source: str = "guess"
    offer_source: str = "guess"

    def given(self, *, contact: float | None = None, offer: float | None = None, fixed: float | None = None) -> ContactCosts:
        """The same with what was given in its place.

        Examples
        --------
        >>> ContactCosts().given(contact=1.5)
        ContactCosts(contact=1.5, offer=10.0, fixed=0.0, source='given', offer_source='guess')
        """
        return ContactCosts(
            self.contact if contact is None else float(contact),
            self.offer if offer is None else float(offer),
            self.fixed if fixed is None else float(fixed),
            self.source if contact is None else "given",
            self.offer_source if offer is None else "given",
        )


def costs_of(history: History, channels: Sequence[str] = ()) -> ContactCosts:
    """Take costs from past cells: the medians of those that are compared with a control, and of offers that cost something.

    Parameters
    ----------
    history : History
    channels : sequence of str
        Only cells of these; default: of any.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.history.past import History
    >>> costs_of(History(crmlab.open_dataset("cdnow_sample"))).source
    'guess'
    """
    cells = history.cells
    if cells is None or "control_cell_id" not in cells.columns:
        return ContactCosts()
    past = cells.filter(cells["control_cell_id"].notnull())
    if "opens_on" in cells.columns:
        past = past.filter(past["opens_on"].isnull() | (past["opens_on"] <= history.as_of))
    if channels and "channel" in cells.columns:
        past = past.filter(past["channel"].isin(list(channels)))
    some = [name for name in _COLUMNS if name in cells.columns]
    known = collect(past.select("cell_id", *some), "cell_id").reindex(columns=list(_COLUMNS)).astype(float)
    contact, fixed = _median(known["cost_per_contact"]), _median(known["fixed_cost"])
    offer = _median(known.loc[known["cost_per_response"] > 0, "cost_per_response"])
    return ContactCosts(
        GUESSED_CONTACT if contact is None else contact,
        GUESSED_OFFER if offer is None else offer,
        fixed or 0.0,
        "guess" if contact is None else "past",
        "guess" if offer is None else "past",
    )


def _median(values: pd.Series) -> float | None:
    """The median of what is known; None where nothing is."""
    known = values.dropna()
    return float(known.median()) if len(known) else None
