"""A planned cell in money: what it must bring to pay, and what it would bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.intervals import normal_quantile
from crmlab.models.outcomes import Outcome


@dataclass(frozen=True)
class PlannedProfit:
    """Incremental profit of a cell in the plan.

    Attributes
    ----------
    value, low, high : float
        In money, for all customers of the cell; the interval is what its result would show where the effect is as planned.
    paying : float
        Probability that the measured profit is above 0.
    """

    value: float
    low: float
    high: float
    paying: float


def _checked(model: str, n: int, cost: float, fixed: float, margin: float) -> None:
    if not n >= 1:
        raise ModelError.expected(model, "n", "at least 1", n)
    if not (cost >= 0 and fixed >= 0 and np.isfinite(cost + fixed)):
        raise ModelError.expected(model, "cost and fixed", "at least 0", (cost, fixed))
    if not margin > 0:
        raise ModelError.expected(model, "margin", "above 0", margin)


def smallest_paying(n: int, cost: float, fixed: float = 0.0, margin: float = 1.0) -> float:
    """Smallest effect that pays: margin from it equals what contacting costs.

    Parameters
    ----------
    n : int
        Customers who are contacted.
    cost : float
        Per contact, in money.
    fixed : float
        Of the cell, in money.
    margin : float
        Money kept from one unit of the outcome: of one response for a rate, or the share of spend that is margin.

    Returns
    -------
    float
        Increase per customer over the control, in the outcome's unit. For a rate this is the break-even response above the
        control's.

    Examples
    --------
    A letter at 0.70, and 20 from each order: 3.5 % must respond who would not have ordered anyway, 3.6 % with the designer's bill.

    >>> round(smallest_paying(10_000, 0.70, margin=20.0), 6), round(smallest_paying(10_000, 0.70, 200.0, 20.0), 6)
    (0.035, 0.036)
    """
    _checked("smallest_paying", n, cost, fixed, margin)
    return (cost + fixed / n) / margin


def planned_profit(
    outcome: Outcome,
    effect: float,
    n: int,
    n_control: int,
    *,
    cost: float,
    fixed: float = 0.0,
    margin: float = 1.0,
    level: float = 0.9,
    inflation: float = 1.0,
) -> PlannedProfit:
    """Incremental profit that a cell of n customers would show.

    Parameters
    ----------
    outcome : Rate, Money or Ratio
    effect : float
        Assumed difference from the control per customer, in the outcome's unit.
    n, n_control : int
    cost, fixed, margin : float
        As in ``smallest_paying``.
    level : float
    inflation : float
        Design effect of households.

    Examples
    --------
    >>> from crmlab.models.outcomes import Rate
    >>> found = planned_profit(Rate(0.02), 0.01, 10_000, 10_000, cost=0.1, margin=20.0)
    >>> round(found.value, 2), found.low < 1000 < found.high
    (1000.0, True)
    """
    _checked("planned_profit", n, cost, fixed, margin)
    if not n_control >= 1:
        raise ModelError.expected("planned_profit", "n_control", "at least 1", n_control)
    error = n * margin * float(np.sqrt((outcome.variance(effect) / n + outcome.variance() / n_control) * inflation))
    value = n * (effect * margin - cost) - fixed
    half = normal_quantile(level) * error
    return PlannedProfit(value, value - half, value + half, float(special.ndtr(value / error)))
