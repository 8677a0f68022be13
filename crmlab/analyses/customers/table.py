"""The customer table that is published: what the analyses say of each customer, one row each."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customers.columns import customer_outputs
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.history.past import History
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["customer_table"]


def customer_table(data: Dataset, as_of: str | dt.date | None = None, *, level: float = LEVEL) -> pd.DataFrame:
    """Say of each customer what the analyses know: value, tier, state, risk, next offers, moments, and whether to contact.

    What to do with each is not said: ``action`` and ``action_reason`` come from :func:`crmlab.analyses.actions.decisions`, which asks here.

    Parameters
    ----------
    data : Dataset
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order.
    level : float
        Of the interval of a customer's value.

    Returns
    -------
    DataFrame
        One row per customer of the orders and of the customers table, ordered by customer_id; columns of
        :data:`crmlab.analyses.customers.published.PUBLISHED` but those two. Missing where an analysis says nothing of a customer, or the
        data do not allow it.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.

    Examples
    --------
    It asks every analysis, which takes tens of seconds:

    >>> import crmlab
    >>> table = customer_table(crmlab.open_dataset("shop"))  # doctest: +SKIP
    >>> table[["customer_id", "tier", "state", "churn", "next_offers"]].head()  # doctest: +SKIP
    """
    import pandas as pd

    history = History(data, as_of)
    found = customer_outputs(history)
    table = pd.DataFrame({"customer_id": found["customer_id"], "as_of": pd.Series([history.as_of] * len(found), dtype=object)})
    table["days_since_last"] = found["days_since_last"].astype("Int64")
    table["currency"] = pd.Series([data.currency or None] * len(found), dtype=object)
    flags = {"yes": True, "no": False, "not known": None}
    table["contactable"] = pd.Series([flags[one] for one in history.contactable(found["customer_id"])], dtype=object)
    table["refusal"] = pd.Series([why or None for why in history.refusals(found["customer_id"])], dtype=object)
    for column, name in (("state", "state"), ("churn", "churn"), ("trigger", "triggers"), ("offer_product", "next_offers")):
        values = _output(history, column, table["customer_id"])
        if values is not None:
            table[name] = values
    for name, word in (("churn", "churn"), ("next_offers", "next best offers")):
        if name in table:
            table[f"{name.replace('next_offers', 'offer')}_model"] = _model(word, table[name].notna())
    return _with_value(table, history, level).sort_values("customer_id", kind="stable", ignore_index=True)


def _output(history: History, column: str, ids: pd.Series) -> pd.Series | None:
    """One output of the analyses for each customer; None where the data do not allow it."""
    import pandas as pd

    if column == "offer_product" and history.lines is None:
        return None
    try:
        found = customer_outputs(history, needed=[column]).set_index("customer_id")[column].reindex(ids)
    except (DataError, ModelError, ConvergenceError):
        return None
    if column == "churn":
        return pd.Series(found.to_numpy(dtype=float, na_value=np.nan))
    if column == "trigger":
        found = found.map(_without_failing(history))
    texts = [" ".join(map(str, one)) if isinstance(one, tuple) else one for one in found]
    return pd.Series([None if text != text or text is None or text == "" else text for text in texts], dtype=object)


def _without_failing(history: History) -> Callable[[object], object]:
    """Leave out the triggers that were shown not to work: what is published calls for action."""
    from crmlab.analyses.triggers import NO, moments

    found = moments(history)
    failing = set(found.loc[found["works"] == NO, "trigger"])
    return lambda names: tuple(name for name in names if name not in failing) if isinstance(names, tuple) else names


def _with_value(table: pd.DataFrame, history: History, level: float) -> pd.DataFrame:
    """Value, its interval, tier and what a year brings, as the report on customer value works them out."""
    import pandas as pd

    from crmlab.analyses.customer_value import Params, name_of, scores

    try:
        worth = scores(history, Params(level=level))
        found = worth.customers
    except (DataError, ModelError, ConvergenceError):
        return table
    mine = found.set_index("customer_id").reindex(table["customer_id"]).reset_index(drop=True)
    names = ("value", "value_low", "value_high", "if_loyal", "value_today", "at_risk", "most_to_spend", "customer_rank")
    table = table.assign(**{name: mine[name].astype(float) for name in names})
    known = mine["value"].notna()
    table["tier"] = mine["tier"].astype(object).where(known, None)
    table["value_level"] = pd.Series(np.where(known, level, np.nan))
    table["value_model"] = _model(f"{name_of(worth.fit.purchases)} and Gamma-Gamma", known)
    return table


def _model(words: str, known: pd.Series) -> pd.Series:
    import pandas as pd

    model_text = f"{words}, crmlab {version('crmlab')}"
    return pd.Series([model_text if some else None for some in known], dtype=object)
