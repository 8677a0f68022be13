"""Who has asked to be contacted again, and for which day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.data.collecting import collect
from crmlab.history.sending import sent

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

__all__ = ["FOLLOW_UPS", "follow_ups", "tells_follow_ups"]

# Of a customer: the day asked for has come, it lies ahead, or nothing is open.
FOLLOW_UPS = ("due", "later", "none")
_ASKED = "follow_up_at"


def tells_follow_ups(data: Dataset) -> bool:
    """Whether a data set says when customers have asked to be contacted again."""
    return any(name in data.tables and _ASKED in data.table(name).columns for name in ("customers", "responses"))


def follow_ups(history: History) -> pd.DataFrame:
    """Return the requests to be contacted again that are still open.

    Of a customer who asked more than once, in responses or in the table of customers, the latest day counts. A request is open until
    something is sent to the customer on that day or after it; contacts of control cells are none.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        customer_id, day (datetime), ordered by customer. Empty where the data set does not say.
    """
    asked = []
    for table in (history.customers, history.responses):
        if table is not None and _ASKED in table.columns:
            rows = table.filter(table[_ASKED].notnull()).group_by("customer_id").agg(day=table[_ASKED].max())
            asked.append(collect(rows, "customer_id"))
    if not asked:
        return pd.DataFrame({"customer_id": pd.Series(dtype=object), "day": pd.Series(dtype="datetime64[us]")})
    found = pd.concat(asked)
    found["day"] = pd.to_datetime(found["day"])
    found = found.groupby("customer_id", as_index=False)["day"].max()
    contacts = sent(history)
    if contacts is not None:
        last = collect(contacts.group_by("customer_id").agg(last=contacts["contacted_at"].max()), "customer_id")
        last = found["customer_id"].map(pd.to_datetime(last.set_index("customer_id")["last"]).dt.normalize())
        found = found[~(last >= found["day"])]
    return found.reset_index(drop=True)
