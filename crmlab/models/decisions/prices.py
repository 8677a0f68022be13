"""Prices of limits, and the bound that they prove: the Lagrangian dual of a problem, by cutting planes in a box about the best prices.

At given prices every customer's best calendar can be found alone (:class:`~crmlab.models.decisions.trellis.Trellis`). What all of
them are then worth, plus the limits at their prices, is more than any allowed choice brings, whatever the prices; at the best prices
it is the value of the linear programme over calendars. What a choice earns and uses is a cut that holds at all prices, and under
other levels of the same limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from crmlab.errors import ConvergenceError
from crmlab.models.decisions.problem import NOTHING, Choice, Problem, Usage
from crmlab.models.decisions.trellis import Trellis

__all__ = ["Dual", "Prices", "prices_of"]

Array = npt.NDArray[np.float64]
_GROUPS = 50  # a cut for each: more cuts a look, and so fewer looks
_LOOKS = 100  # at most; the bound holds however many there were
_KEPT = 12  # looks whose choices say who is at the margin
_GOLDEN = (5**0.5 - 1) / 2  # its multiples fill each stretch of a row evenly (Weyl 1916)
_ENDLESS = 1e4  # times what a price may be about
_SAMPLE = 4000  # customers from whom prices are known well enough to begin with


@dataclass(frozen=True, kw_only=True, eq=False)
class Prices:
    """Prices of limits.

    Attributes
    ----------
    price : array of shape (limits,)
        What one more contact or unit of money of each limit would bring; below 0 where one more that a minimum asks for takes it away.
    bound : float
        More than this no allowed choice brings.
    worth : array of shape (n,)
        Of each customer's best calendar at these prices.
    choices : list of array of shape (days, n)
        Best calendars at prices about these, those that count most first.
    mixed : array of shape (days, n)
        Of these calendars one for each customer, in the parts in which the linear programme mixes them: limits hold but for rounding, also
        where many customers are alike, who at any price all want the same.
    """

    price: Array
    bound: float
    worth: Array
    choices: list[Choice]
    mixed: Choice


class Dual:
    """The dual of a problem; cuts of one solution serve the next, under other levels of the same limits.

    Parameters
    ----------
    problem : Problem
    trellis : Trellis
        Of this problem.
    value : array of shape (days, actions, n)
        -inf where a candidate is closed.
    size : int
        The first so many customers, a random sample; levels are those of all, in proportion.

    References
    ----------
    Kelley (1960), The cutting-plane method for solving convex programs, SIAM Journal 8. Marsten, Hogan and Blankenship (1975), The Boxstep
    method for large-scale optimization, Operations Research 23. Geoffrion (1974), Lagrangean relaxation for integer programming,
    Mathematical Programming Study 2 (the bound).
    """

    def __init__(self, problem: Problem, trellis: Trellis, value: Array, size: int):
        self.usage = Usage(problem)
        self.trellis, self.size = trellis, size
        self._value = value[:, :, :size]
        self._share = size / problem.n
        self._groups = min(size, _GROUPS)
        self._group = np.arange(size, dtype=np.int64) * self._groups // size
        self._rows: list[
            tuple[Array, Array, Choice]
        ] = []  # of each look: what each group earned, what it used, and the calendars
        self.scale = self._scales()

    def _scales(self) -> Array:
        """What a price may be about: high values of what counts, for each unit that it uses."""
        out = np.ones(len(self.usage.most))
        for j, (part, money) in enumerate(zip(self.usage.part, self.usage.money, strict=True)):
            values = self._value[part]
            values, cost = values.ravel(), self.usage.problem.cost[:, :, : self.size][part].ravel()
            good = (values > 0) & ((cost > 0) | ~money)
            if good.any():
                ratio = values[good] / cost[good] if money else values[good]
                out[j] = np.quantile(ratio[:: max(1, len(ratio) // 100_000)], 0.8)
        return out

    def look(self, price: Array) -> Array:
        """Return what the best calendars at some prices are worth; what they earn and use is kept as a cut for what comes."""
        charged = self.usage.charged(price, self.size, self._value)
        worth, choice = self.trellis.best(charged)
        used = self.usage.by(choice, self._group, self._groups)
        earned = np.bincount(self._group, weights=worth, minlength=self._groups) + price @ used
        self._rows.append((earned, used, choice))
        return worth

    def solve(
        self, most: Array, least: Array, *, start: Array | None = None, box: float = 1.0, tolerance: float = 1e-6
    ) -> Prices:
        """Find the best prices.

        Parameters
        ----------
        most, least : arrays of shape (limits,)
            Levels over all customers.
        start : array of shape (limits,), optional
            Prices to begin with; by default 0.
        box : float
            How far to look at first, in parts of what a price may be about.
        tolerance : float
            Share of the bound within which it is that of the best prices.

        Raises
        ------
        ConvergenceError
            The small linear programme of cuts has no solution.
        """
        most, least = most * self._share, least * self._share
        lowest, highest = np.where(least > 0, -np.inf, 0.0), np.where(most < np.inf, np.inf, 0.0)
        price = np.clip(np.zeros(len(most)) if start is None else start, lowest, highest)
        width = box * self.scale
        del self._rows[:-_LOOKS]
        best = self.look(price)
        bound, looks = float(best.sum()) + _levels(price, most, least), 1
        part = np.ones((1, self._groups))
        # Each turn is a look or a wider box, and boxes do not widen for ever.
        for _ in range(3 * _LOOKS):
            if not len(most) or looks >= _LOOKS:
                break
            low, high = np.maximum(price - width, lowest), np.minimum(price + width, highest)
            there, model, part = self._lowest(most, least, low, high)
            edge = ((there <= low) & (low > lowest)) | ((there >= high) & (high < highest))
            promised = bound - model
            if promised <= tolerance * max(abs(bound), 1e-12):
                # A minimum that is met by all there is has no end to its price.
                if not (edge & (width < _ENDLESS * self.scale)).any():
                    break
                width = np.where(edge, width * 4, width)
                continue
            worth = self.look(there)
            looks += 1
            found = float(worth.sum()) + _levels(there, most, least)
            if found < bound:
                good = bound - found > 0.5 * promised
                width = np.where(edge & good, width * 2, width)
                price, bound, best = there, found, worth
            else:
                width = width * 0.7
        return Prices(price=price, bound=bound, worth=best, **self._mixed(part))

    def _mixed(self, part: Array) -> dict[str, Any]:
        """Calendars of the looks that have a part in the linear programme's solution, and one of them for each customer."""
        whole = part.sum(axis=1)
        active = [int(k) for k in np.argsort(-whole, kind="stable") if whole[k] > 1e-9 * self._groups]
        choices = [self._rows[k][2] for k in active]
        # Customers who are alike stand together and are dealt out evenly; the rest stays in the order of hashes.
        rng = np.random.default_rng(0)
        alike = np.zeros(self.size, dtype=np.uint64)
        for choice in choices:
            for acts in choice:
                alike += (acts + 1).astype(np.uint64) * rng.integers(1, 2**63, dtype=np.uint64)
        out = np.full((len(self.usage.problem.days), self.size), NOTHING, dtype=np.int16)
        place = np.empty(self.size)
        place[np.argsort(alike, kind="stable")] = np.arange(self.size) * _GOLDEN % 1
        ends = np.cumsum(part[active], axis=0)[:, self._group]
        which = (place >= ends).sum(axis=0)
        for k, choice in enumerate(choices):
            out[:, which == k] = choice[:, which == k]
        return {"choices": choices[:_KEPT], "mixed": out}

    def _lowest(self, most: Array, least: Array, low: Array, high: Array) -> tuple[Array, float, Array]:
        """Prices in a box at which the cuts are lowest, how low, and the part of each cut: a small linear programme."""
        earned, used = np.stack([row[0] for row in self._rows]), np.stack([row[1] for row in self._rows])
        looks, limits, groups = used.shape
        unit = max(float(np.abs(earned).max()), 1e-12)
        by = used.transpose(0, 2, 1).reshape(looks * groups, limits) * self.scale / unit
        own = sparse.kron(np.ones((looks, 1)), sparse.identity(groups), format="csr")
        A = sparse.hstack([sparse.csr_array(-by), sparse.csr_array(by), -own], format="csr")
        top, floor = np.where(most < np.inf, most, 0.0), least
        c = np.r_[top * self.scale / unit, -floor * self.scale / unit, np.ones(groups)]
        up = [(max(a, 0.0) / s, max(b, 0.0) / s) for a, b, s in zip(low, high, self.scale, strict=True)]
        down = [(max(-b, 0.0) / s, max(-a, 0.0) / s) for a, b, s in zip(low, high, self.scale, strict=True)]
        for method in ("highs-ds", "highs-ipm"):  # what the one leaves open by rounding, the other does not
            found = optimize.linprog(
                c, A_ub=A, b_ub=-earned.ravel() / unit, bounds=[*up, *down, *[(0.0, None)] * groups], method=method
            )
            if found.status == 0:
                break
        else:
            raise ConvergenceError(
                f"The prices of limits were not found. Expected a solution of their cuts. Found: {found.message}"
            )
        there = (found.x[:limits] - found.x[limits : 2 * limits]) * self.scale
        part = np.maximum(-found.ineqlin.marginals, 0.0).reshape(looks, groups)
        return np.clip(there, low, high), float(found.fun) * unit, part


def _levels(price: Array, most: Array, least: Array) -> float:
    """What the limits are worth at prices; a limit without end has price 0."""
    top = np.where(most < np.inf, most, 0.0)
    return float(np.maximum(price, 0) @ top - np.maximum(-price, 0) @ least)


def prices_of(problem: Problem, trellis: Trellis, value: Array, tolerance: float) -> tuple[Prices, Dual]:
    """Return the best prices of a problem: known roughly from a sample of its customers, then exactly from all.

    Parameters
    ----------
    problem : Problem
    trellis : Trellis
    value : array of shape (days, actions, n)
    tolerance : float
    """
    start, box, size = None, 1.0, problem.n
    sizes = [size]
    while sizes[0] > 3 * _SAMPLE:
        sizes.insert(0, max(_SAMPLE, sizes[0] // 5))
    for size in sizes:
        dual = Dual(problem, trellis, value, size)
        rough = max(tolerance, 1e-4) if size < problem.n else tolerance
        found = dual.solve(dual.usage.most, dual.usage.least, start=start, box=box, tolerance=rough)
        start, box = found.price, 0.05
    return found, dual
