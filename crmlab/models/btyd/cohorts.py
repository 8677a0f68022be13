"""What customers bought by when they came and when they bought, over what a model on its clock says of it: level, or age?"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.exposure import Exposure
from crmlab.models.btyd.states import States, checked, compress, framed

if TYPE_CHECKING:
    from crmlab.models.btyd.beta_geometric import BetaGeometric

__all__ = ["by_cohort"]


_QUARTER = 91  # days; both cohorts and periods are counted back from the end of the history


def by_cohort(model: BetaGeometric, summary: Any, purchases: Any, end: dt.date) -> pd.DataFrame:
    """Seen and expected repeat purchases by the quarter in which customers came and the quarter in which they bought.

    Expected is what is expected of customers given all that is known of each, at the rates of the model's clock. What is more or less
    than expected in one quarter for all cohorts alike is a level that the clock does not have; what is so at one age, whatever the
    quarter, is customers who slow down, which no model with constant rates knows. With three things that follow from two (quarter of
    coming + age = quarter of buying) only what is not a straight line can be told apart.

    Parameters
    ----------
    model : BGNBD or MBGNBD
        Fitted, in weeks.
    summary : table
        Customers at the end of the history: frequency, recency, T.
    purchases : table
        first (day of the customer's first purchase) and day, both in days before ``end`` (0 is ``end``), and purchases: the repeat
        purchases of those customers on that day.
    end : datetime.date

    Returns
    -------
    DataFrame
        One row per cohort and quarter: cohort and quarter (0 the last 91 days, 1 those before them), age (quarters from coming to
        buying), seen, expected.

    Raises
    ------
    ModelError
        A purchase is before the customer's first, or of a quarter in which no customer of the summary came.

    Examples
    --------
    >>> from crmlab.models.btyd.mbg_nbd import MBGNBD
    >>> model = MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4)
    >>> base = pd.DataFrame({"frequency": [2, 0], "recency": [20.0, 0.0], "T": [30.0, 10.0]})
    >>> bought = pd.DataFrame({"first": [210, 210], "day": [150, 70], "purchases": [1, 1]})
    >>> by_cohort(model, base, bought, dt.date(2024, 12, 31)).round(2)
       cohort  quarter  age  seen  expected
    0       0        0    0   0.0      0.23
    1       2        0    2   1.0      0.75
    2       2        1    1   1.0      1.05
    3       2        2    0   0.0      0.32
    """
    purchases = framed("by_cohort", purchases)
    seen = checked("by_cohort", purchases, ["first", "day", "purchases"]) if len(purchases) else None
    if seen is not None and not (seen["first"] >= seen["day"]).all():
        raise ModelError.needs("by_cohort", "days that are not before the customer's first", "earlier ones")
    columns, _ = model.checked_columns(summary)
    params, clock = model.parameters(), model.clock or Clock(end=end)
    cohort = np.floor(np.round(columns[2] * 7) / _QUARTER).astype(np.int64)
    if seen is not None and not np.isin(seen["first"] // _QUARTER, cohort).all():
        found = "those of a quarter in which no customer of the summary came"
        raise ModelError.needs("by_cohort", "purchases of customers of the summary", found)
    rows = []
    for number in np.unique(cohort).tolist():
        some: States = compress([column[cohort == number] for column in columns])
        exposure = Exposure(model, some)
        rates = clock.rates(1 - exposure.total, 0)
        expected = exposure.by_day(params, exposure.timed(rates)) * rates
        quarter = np.arange(exposure.total)[::-1] // _QUARTER
        told = np.bincount(quarter, weights=expected, minlength=number + 1)
        came = np.zeros(number + 1)
        if seen is not None:
            own = seen["first"] // _QUARTER == number
            came = np.bincount(
                (seen["day"][own] // _QUARTER).astype(np.int64), weights=seen["purchases"][own], minlength=number + 1
            )
        rows += [(number, k, number - k, float(came[k]), float(told[k])) for k in range(number + 1)]
    return pd.DataFrame(rows, columns=["cohort", "quarter", "age", "seen", "expected"])
