"""The report: a study of one customer, put on one page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crmlab.analyses.customer_profile import exhibits, words
from crmlab.analyses.customer_profile.params import Params
from crmlab.analyses.customer_profile.quantities import QUANTITIES
from crmlab.analyses.customer_profile.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "facts": exhibits.facts_table,
        "about": exhibits.about_table,
        "bought": exhibits.bought_table,
        "offers": exhibits.offers_table,
        "moments": exhibits.moments_table,
        "contacts": exhibits.contacts_table,
    },
    charts={"strip": exhibits.strip_chart},
)


def run(data: Dataset, params: Params) -> Result:
    """Put together what is known of a customer.

    Parameters
    ----------
    data : Dataset
        Needs orders; products, offers, contacts, responses and attributes are shown where their tables are there.
    params : Params

    Returns
    -------
    Result
        Tables: facts, about, moments, offers, contacts, bought. Charts: strip. Outputs: none; columns that name a person are not shown.

    Raises
    ------
    ParameterError
        Nobody has this id; the message hints at a similar one. Or ``as_of`` is outside the history.
    """
    found = page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
    # In a list of reports, the title is what tells one customer's page from another's.
    return replace(found, title=f"{found.title} ({params.customer_id})")
