"""One choice for all customers under prices of limits: repaired until it is allowed, then improved, with a bound on what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ConvergenceError, ModelError, shown
from crmlab.models.checked import checked_number
from crmlab.models.decisions.margin import improved, repaired, settled
from crmlab.models.decisions.prices import Dual, prices_of
from crmlab.models.decisions.problem import CLOSED, Choice, Problem, Usage
from crmlab.models.decisions.rules import Limit
from crmlab.models.decisions.trellis import Trellis

__all__ = ["Allocation", "allocate", "met_by_parts", "no_way", "opened"]

Array = npt.NDArray[np.float64]
_NEAR = 1e-6  # shortages that are smaller are rounding
_SETTLED = 1e-5  # a smaller share of the bound is not searched for


@dataclass(frozen=True, kw_only=True, eq=False)
class Allocation:
    """What is done, with whom and when, and what it is worth.

    Attributes
    ----------
    chosen : DataFrame
        customer, action, day, value, cost; by day and customer.
    limits : DataFrame
        limit, of, used, least, most, price: what one more contact or unit of money of it would bring; below 0 for a minimum, one less of
        which would bring as much. NaN where no prices were asked for.
    value : float
        What the chosen bring, net of cost.
    cost : float
    bound : float
        More than this no allowed choice brings.
    """

    chosen: pd.DataFrame
    limits: pd.DataFrame
    value: float
    cost: float
    bound: float

    @property
    def lost(self) -> float:
        """At most this share of the best choice's value is lost; 0 where there is nothing to be had, 1 where no bound was found in time."""
        if self.bound == np.inf:
            return 1.0
        return max(0.0, (self.bound - self.value) / self.bound) if self.bound > 0 else 0.0

    @classmethod
    def of(cls, problem: Problem, choice: Choice, bound: float, prices: Array | None = None) -> Allocation:
        """Write a choice down.

        Parameters
        ----------
        problem : Problem
        choice : array of int of shape (days, n)
            Places of actions; -1 for none.
        bound : float
        prices : array of shape (limits,), optional
        """
        slot, who = np.nonzero(choice >= 0)
        act = choice[slot, who].astype(np.int64)
        chosen = pd.DataFrame(
            {
                "customer": problem.customers[who],
                "action": np.array(problem.actions, dtype=object)[act],
                "day": np.array(problem.days, dtype=np.int64)[slot],
                "value": problem.value[slot, act, who],
                "cost": problem.cost[slot, act, who],
            }
        ).sort_values(["day", "customer"], ignore_index=True)
        limits = pd.DataFrame(
            {
                "limit": [limit.name for limit in problem.limits],
                "of": [limit.of for limit in problem.limits],
                "used": Usage(problem).of(choice),
                "least": [float(limit.least) for limit in problem.limits],
                "most": [float(limit.most) for limit in problem.limits],
                "price": np.full(len(problem.limits), np.nan) if prices is None else prices,
            }
        )
        value = float(chosen["value"].sum())
        # A bound is worked out in another order than the sum: by rounding it may fall short of it.
        return cls(chosen=chosen, limits=limits, value=value, cost=float(chosen["cost"].sum()), bound=max(bound, value))


def allocate(problem: Problem, tolerance: float = 1e-6) -> Allocation:
    """Choose for every customer what to do and when, so that all together bring as much as limits and rules allow.

    Prices of the limits make customers independent of each other: each takes the calendar that is worth most at these prices. What then
    is too much or too little is repaired where it costs least, what room is left is used, and customers at the margin, who are almost as
    well served by another calendar, are settled together by a small integer programme.

    Parameters
    ----------
    problem : Problem
    tolerance : float
        Share of the bound to which prices are worked out.

    Returns
    -------
    Allocation
        Allowed by all limits and rules. The same problem has the same one, in whatever order its rows came.

    Raises
    ------
    ModelError
        The minima cannot be met: the message names the limit, how much can be had, and its price there. Or the tolerance is no share.

    References
    ----------
    Everett (1963), Generalized Lagrange multiplier method for solving problems of optimum allocation of resources, Operations Research 11.
    Fisher (1981), The Lagrangian relaxation method for solving integer programming problems, Management Science 27.

    Examples
    --------
    >>> from crmlab.models.decisions import Limit, Window
    >>> candidates = pd.DataFrame(
    ...     {"customer": list("aabbcc"), "action": "mail", "day": [0, 7] * 3, "value": [5.0, 4.0, 3.0, 3.5, 2.0, 1.0], "cost": 1.0}
    ... )
    >>> problem = Problem.of(candidates, [Limit(name="budget", most=2, of="cost")], [Window(most=1, days=28)])
    >>> found = allocate(problem)
    >>> found.chosen[["customer", "day"]].to_dict("list"), found.value, found.lost
    ({'customer': ['a', 'b'], 'day': [0, 7]}, 8.5, 0.0)
    """
    tolerance = checked_number("allocate", "tolerance", tolerance, "above 0 and under 1")
    if not 0 < tolerance < 1:
        raise ModelError.expected("allocate", "tolerance", "above 0 and under 1", tolerance)
    trellis, value = opened(problem)
    usage = Usage(problem)
    met_by_parts("allocate", problem, trellis, value)
    prices, _ = prices_of(problem, trellis, value, tolerance)
    open_ = replace(problem, value=value)
    charged = usage.charged(prices.price, problem.n, value)
    choice, met = repaired(trellis, usage, charged, prices.mixed)
    if met:
        choice = improved(open_, trellis, usage, choice)
    if not met or prices.bound - _worth(value, choice) > _SETTLED * abs(prices.bound):
        settled_, met = settled(open_, trellis, charged, prices, choice, met)
        choice = improved(open_, trellis, usage, settled_) if met else choice
    if not met:
        raise ConvergenceError(
            "allocate: no choice was found that meets all minima. Expected one, as parts of calendars meet them. Found: minima that few "
            "customers can meet, beside limits that are used up. Use exact, or lower a minimum by one."
        )
    return Allocation.of(problem, choice, prices.bound, prices.price)


def opened(problem: Problem) -> tuple[Trellis, Array]:
    """Return the calendars that rules allow, and values without what known contacts rule out."""
    trellis = Trellis(problem)
    return trellis, np.where(trellis.open, problem.value, CLOSED)


def no_way(model: str, problem: Problem) -> ModelError:
    """Return the error of minima that no choice meets: the first that falls short, what can be had of it, and its price there."""
    trellis, value = opened(problem)
    try:
        met_by_parts(model, problem, trellis, value)
    except ModelError as error:
        return error
    names = ", ".join(shown(limit.name) for limit in problem.limits if limit.least > 0)
    return ModelError.must_be(
        f"{model}: the minima of {names}",
        "met by whole contacts",
        "minima that only parts of contacts meet",
        "Lower one of them by one.",
    )


def met_by_parts(model: str, problem: Problem, trellis: Trellis, value: Array) -> None:
    """Refuse minima that cannot be met together, even by parts of calendars.

    Parameters
    ----------
    model : str
        Who asks.
    problem : Problem
    trellis : Trellis
    value : array of shape (days, actions, n)
        -inf where a candidate is closed.

    Raises
    ------
    ModelError
        It names the first limit whose minimum cannot be met beside those before it, how much of it can be had, and its price there.
    """
    minima = [limit for limit in problem.limits if limit.least > 0]
    for k, limit in enumerate(minima):
        # How much of this one, where those before it are met: the first that falls short is the one to name.
        others = []
        for one in problem.limits:
            if one is not limit and (one in minima[:k] or one.most < np.inf):
                others.append(one if one in minima[:k] else replace(one, least=0.0))
        most = _most_of(problem, trellis, value, limit, others)
        if most >= limit.least * (1 - _NEAR) - _NEAR:
            continue
        price = _price_at(problem, trellis, value, limit, others, most)
        had = f"{np.floor(most + _NEAR):,.0f}" if limit.of == "contacts" else f"{most:,.2f}"
        unit = "contact" if limit.of == "contacts" else "unit of money"
        raise ModelError.must_be(
            f"{model}: the least of the limit {shown(limit.name)}",
            f"at most {had}, all that other limits and rules leave",
            limit.least,
            f"The last {unit} of these costs {price:,.2f}." if most > _NEAR else "",
        )


def _most_of(problem: Problem, trellis: Trellis, value: Array, limit: Limit, others: Sequence[Limit]) -> float:
    """The most of one limit that can be had, in parts of calendars."""
    every = float(problem.cost.sum() + 1) if limit.of == "cost" else float(problem.n * len(problem.days))
    wanted = problem.under([replace(limit, least=0.0, most=min(limit.most, every)), *others])
    usage = Usage(wanted)
    each = np.where(usage.part[0][:, :, None] & (usage.whom[0] if usage.whom[0] is not None else True), 1.0, 0.0)
    counted = np.where(value > CLOSED, each * (problem.cost if limit.of == "cost" else 1.0), CLOSED)
    dual = Dual(wanted, trellis, counted, problem.n)
    return dual.solve(usage.most, usage.least, tolerance=1e-8).bound


def _price_at(problem: Problem, trellis: Trellis, value: Array, limit: Limit, others: Sequence[Limit], most: float) -> float:
    """What the last of all that can be had of a limit costs."""
    if most <= _NEAR:
        return 0.0
    almost = replace(limit, least=most * (1 - 1e-4))
    usage = Usage(problem.under([almost, *others]))
    dual = Dual(usage.problem, trellis, value, problem.n)
    return max(0.0, -float(dual.solve(usage.most, usage.least).price[0]))


def _worth(value: Array, choice: Choice) -> float:
    slot, who = np.nonzero(choice >= 0)
    return float(value[slot, choice[slot, who].astype(np.int64), who].sum())
