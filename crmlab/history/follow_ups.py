"""Who has asked to be contacted again, and for which day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.collecting import collect
from crmlab.history.sending import sent

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

__all__ = ["FOLLOW_UPS", "open_requests", "tells_follow_ups"]

# Of a customer: the day asked for has come, it lies ahead, or nothing is open.
FOLLOW_UPS = ("due", "later", "none")
_ASKED = "follow_up_at"
_NONE = pd.DataFrame({"customer_id": pd.Series(dtype=object), "day": pd.Series(dtype=object)})


def tells_follow_ups(data: Dataset) -> bool:
    """Whether a data set says when customers have asked to be contacted again."""
    return any(name in data.tables and _ASKED in data.table(name).columns for name in ("customers", "responses"))


def open_requests(history: History) -> pd.DataFrame:
    """Return the requests to be contacted again that are still open.

    Of a customer who asked in several responses the last one counts; what the table of customers says counts where no response says it,
    and of the last day alone, since that table does not tell when somebody asked. A request is open until something is sent to the
    customer on the day asked for or after it; contacts of control cells are none.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        customer_id, day (datetime), ordered by customer. Empty where the data set does not say.
    """
    found = pd.concat([_of_responses(history), _of_customers(history)], ignore_index=True)
    found["day"] = pd.to_datetime(found["day"])
    found = found.drop_duplicates("customer_id").sort_values("customer_id", ignore_index=True)
    contacts = sent(history)
    if contacts is not None and len(found):
        last = collect(contacts.group_by("customer_id").agg(last=contacts["contacted_at"].max()), "customer_id")
        last = found["customer_id"].map(pd.to_datetime(last.set_index("customer_id")["last"]).dt.normalize())
        found = found[~(last >= found["day"])]
    return found.reset_index(drop=True)


def _of_responses(history: History) -> pd.DataFrame:
    """The last request of each customer among the responses."""
    table = history.responses
    if table is None or _ASKED not in table.columns:
        return _NONE
    rows = table.filter(table[_ASKED].notnull()).select("customer_id", "responded_at", day=_ASKED)
    return collect(rows, ("customer_id", "responded_at", "day")).drop_duplicates("customer_id", keep="last")[
        ["customer_id", "day"]
    ]


def _of_customers(history: History) -> pd.DataFrame:
    """What the table of customers says, where the history ends with the last day."""
    table = history.customers
    if table is None or _ASKED not in table.columns or history.as_of < history.reach.last:
        return _NONE
    return collect(table.filter(table[_ASKED].notnull()).select("customer_id", day=_ASKED), "customer_id")
