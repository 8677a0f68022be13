"""A campaign as one row per customer: who was in which cell, what they did, and what is known of them from before."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.measurement import choose_campaign, known_cells, measured
from crmlab.collecting import collect
from crmlab.history.past import History

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["campaign_outcomes"]

_MONEY = ("spend", "margin", "after_offer", "before")
_COUNTS = ("response", "orders_before", "recent", "ever")


def campaign_outcomes(
    data: Dataset | History,
    campaign: str | None = None,
    as_of: dt.date | str | None = None,
    *,
    margin: float | None = None,
    min_group: int = 1,
) -> pd.DataFrame:
    """One row per customer of a campaign: cell, what they did in its window, and what is known of them from before.

    The report on campaign results compares these rows: its numbers are those of :func:`crmlab.compare_cells`, given what
    :func:`crmlab.cell_statistics` makes of them with ``household="unit"`` and the covariate ``before``; its profit is ``after_offer`` less
    the cost of a contact. :func:`crmlab.compare` gives the same numbers where nobody shares a unit. Where people of one household were
    assigned together it takes each of them as drawn alone: means, and differences without a covariate, stay the same, but adjusted
    differences and the ends of intervals do not.

    Parameters
    ----------
    data : Dataset or History
        With orders, cells and contacts. Order lines and unit costs of products are used where they are there.
    campaign : str, optional
        Default: the last whose windows are over, else the last that began.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order, or the last day of the history that is given.
    margin : float, optional
        Share of spend that is left; default: from unit costs, else margin is revenue.
    min_group : int
        Cells of fewer customers are left out, and those whose control is.

    Returns
    -------
    DataFrame
        Ordered by customer_id, those who did nothing too:

        - customer_id, campaign_id, cell_id, control_cell_id (missing in a control); unit : what was drawn, the household or, where
          there is none, the customer
        - response (1: bought in the window), spend and margin (in it, net of returns), after_offer (margin less the offer, where it was
          taken), profit (what is left of that after the cost of a contact), cost (of a contact, fixed costs of the cell included);
          in the currency
        - opens (first day of the window), first_day (of a purchase in it; missing where there is none)
        - before (spend in the 365 days before it opened), orders_before (purchases in them), recent (1: bought in the last 90 days of
          them), ever (1: bought in them)

    Raises
    ------
    CampaignError
        There is no such campaign, its cells make no test, or nobody was contacted.
    TooLittleError
        No campaign with a control had begun.
    MissingTableError
        There are no cells or contacts.
    ParameterError
        ``as_of`` is outside the history, or ``margin`` is no share.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.analyses.campaigns import campaign_outcomes
    >>> people = campaign_outcomes(crmlab.open_dataset("shop"), "first_offers")
    >>> people.groupby("cell_id")["response"].agg(["size", "mean"]).round(3).reset_index().values.tolist()
    [['first_offers-0', 410, 0.227], ['first_offers-1', 308, 0.308], ['first_offers-2', 313, 0.246]]
    >>> found = crmlab.compare(people, cell="cell_id", control="first_offers-0", metrics=["response"])
    >>> found.frame[["cell", "estimate"]].round(3).values.tolist()
    [['first_offers-1', 0.082], ['first_offers-2', 0.019]]
    """
    history = History.of(data, as_of)
    name = choose_campaign(known_cells(history.data), history.data.contacts, history.as_of, campaign)
    found = measured(history.data, name, history.as_of, margin=margin, min_group=min_group)
    about = found.cells.assign(cell_id=found.cells["cell_id"].astype(str)).set_index("cell_id")[["control_cell_id", "cost"]]
    people = collect(found.table, "customer_id")
    people = people[people["cell_id"].isin(about.index)].join(about, on="cell_id").reset_index(drop=True)
    people = people.astype({**dict.fromkeys(_MONEY, "float64"), **dict.fromkeys(_COUNTS, "int64")})
    people = people.assign(campaign_id=name, profit=people["after_offer"] - people["cost"])
    who = ["customer_id", "campaign_id", "cell_id", "control_cell_id", "unit"]
    did = ["response", "spend", "margin", "after_offer", "profit", "cost", "opens", "first_day"]
    return people[[*who, *did, "before", "orders_before", "recent", "ever"]]
