"""How many customers a cell needs, what a cell of a given size can show, and from when on it pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_number
from crmlab.models.intervals import LEVEL, TEST_LEVEL, normal_quantile
from crmlab.models.testing.max_t import checked_correction, critical_value
from crmlab.models.testing.outcomes import Money, Outcome, Rate, as_outcome

__all__ = [
    "PlannedProfit",
    "Size",
    "control_share",
    "design_effect",
    "detectable_effect",
    "planned_profit",
    "power_of",
    "required_size",
    "smallest_paying",
]


@dataclass(frozen=True)
class Size:
    """How large the cells are.

    Attributes
    ----------
    per_cell, control, total : int
        Customers in each cell that is contacted, in the control, and in all.
    critical : float
        How many standard errors a difference must reach.
    design_effect : float
        How many times more customers than if each stood alone.
    """

    per_cell: int
    control: int
    total: int
    critical: float
    design_effect: float = 1.0

    def for_households(self, design_effect: float) -> Size:
        """The size where whole households are assigned, see :func:`design_effect`.

        Examples
        --------
        >>> required_size(Rate(0.02), 0.002).for_households(1.3).per_cell
        104883
        """
        if not design_effect >= 1:
            raise ModelError.expected("Size", "design_effect", "at least 1", design_effect)
        per_cell, control = _up(self.per_cell * design_effect), _up(self.control * design_effect)
        cells = (self.total - self.control) // self.per_cell
        return Size(per_cell, control, cells * per_cell + control, self.critical, design_effect)


def control_share(cells: int, share: float | str = "optimal") -> float:
    """Share of all customers that the control gets: √m / (m + √m) tells most of m cells.

    Examples
    --------
    >>> round(control_share(4), 4), control_share(4, "equal")
    (0.3333, 0.2)
    """
    if checked_number("control_share", "cells", cells, "of at least 1") < 1:
        raise ModelError.expected("control_share", "cells", "at least 1", cells)
    if share == "optimal":
        return float(np.sqrt(cells) / (cells + np.sqrt(cells)))
    if share == "equal":
        return 1 / (cells + 1)
    if isinstance(share, str) or not 0 < share < 1:
        raise ModelError.expected("control_share", "share", "'optimal', 'equal', or between 0 and 1", share)
    return float(share)


def design_effect(size: float = 1.0, icc: float = 0.0, size_cv: float = 0.0) -> float:
    """How many times more customers are needed because whole households are assigned.

    Parameters
    ----------
    size : float
        Mean number of customers of a household, at least 1.
    icc : float
        Correlation of the metric inside a household, from 0 to 1.
    size_cv : float
        Coefficient of variation of household sizes.

    References
    ----------
    Eldridge, Ashby and Kerry (2006), Sample size for cluster randomized trials, International Journal of Epidemiology 35.

    Examples
    --------
    >>> design_effect(2, 0.3), round(design_effect(2, 0.3, 0.5), 6)
    (1.3, 1.45)
    """
    checked_amounts("design_effect", "households", (size, icc, size_cv))
    if not (size >= 1 and 0 <= icc <= 1 and size_cv >= 0):
        expectation = "size of at least 1, icc from 0 to 1, size_cv of at least 0"
        raise ModelError.expected("design_effect", "households", expectation, (size, icc, size_cv))
    return 1 + ((1 + size_cv**2) * size - 1) * icc


def required_size(
    outcome: Outcome | float,
    uplift: float,
    *,
    cells: int = 1,
    level: float = TEST_LEVEL,
    power: float = 0.8,
    correction: str = "max-t",
    share: float | str = "optimal",
) -> Size:
    """Customers that each cell needs, to find an effect with a given power.

    Parameters
    ----------
    outcome : float, Rate, Mean, Money or Ratio
        A number is the rate without the campaign: 0.10 is ``Rate(0.10)``; a plain mean and its standard deviation are ``Mean(40, 30)``.
    uplift : float
        Smallest difference of a cell from the control that must be found, in the outcome's unit: 0.02 above a rate of 0.10 is 12%,
        not 10.2%.
    cells : int
        Cells that are contacted, all compared with one control.
    level : float
        Of the intervals that the test will have: 0.95 stands for an error (alpha) of 0.05, on both sides.
    power : float
        Chance to find a difference as large as ``uplift``, at least.
    correction : {"max-t", "holm", "none"}
        For several cells; holm: the size that its first step needs.
    share : float, "optimal" or "equal"
        Of the control, in all customers.

    Returns
    -------
    Size
        Of customers who are assigned one by one; see :meth:`Size.for_households`.

    Raises
    ------
    ModelError
        No uplift, or a level or share outside its range; a power that is not above 1 - level, the chance to find a difference where
        there is none: the size that it needs would not be smaller, but without meaning.

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, equation (4.14) with each rate's own variance.

    Examples
    --------
    From 10% to 12%:

    >>> required_size(0.10, uplift=0.02).per_cell
    3839
    >>> required_size(Rate(0.02), 0.002).per_cell
    80679
    """
    outcome = as_outcome("required_size", outcome)
    effect = checked_number("required_size", "uplift", uplift, "different from 0")
    if not effect:
        raise ModelError.expected("required_size", "uplift", "different from 0", uplift)
    level = checked_correction("required_size", correction, level)
    ratio, critical = _planned("required_size", outcome, effect, cells, level, correction, share)
    power = _checked_power("required_size", power, level)
    variance = outcome.variance(effect) + outcome.variance() / ratio
    n = (critical + float(special.ndtri(power))) ** 2 * variance / effect**2
    per_cell, control = _up(n), _up(n * ratio)
    return Size(per_cell, control, cells * per_cell + control, critical)


def _up(n: float) -> int:
    """Next whole number; a rounding error above one is that one."""
    return max(2, int(np.ceil(n * (1 - 1e-12))))


def detectable_effect(
    outcome: Outcome | float,
    n: float,
    *,
    cells: int = 1,
    level: float = TEST_LEVEL,
    power: float = 0.8,
    correction: str = "max-t",
    share: float | str = "optimal",
) -> float:
    """Smallest rise above the control that would be found with a given power; the other way round from ``required_size``.

    Parameters
    ----------
    outcome : float, Rate, Mean, Money or Ratio
        As in ``required_size``.
    n : int
        Customers in all, those of the control too, not of one cell; divided by ``design_effect`` where whole households are assigned.
    cells : int
        Cells that are contacted, all compared with one control.
    level : float
        Of the intervals that the test will have: 0.95 stands for an error (alpha) of 0.05, on both sides.
    power : float
        Chance with which the difference would be found.
    correction : {"max-t", "holm", "none"}
        For several cells.
    share : float, "optimal" or "equal"
        Of the control, in all customers.

    Returns
    -------
    float
        In the outcome's unit.

    Raises
    ------
    ModelError
        Even the largest possible effect would not be found, or a number is out of its range (the power as in ``required_size``).

    Examples
    --------
    >>> round(detectable_effect(0.10, n=7678), 4)
    0.02
    >>> round(detectable_effect(Rate(0.02), 161358), 6)
    0.002
    """
    from scipy import optimize

    outcome, total = as_outcome("detectable_effect", outcome), _checked_total("detectable_effect", n, cells)
    level = checked_correction("detectable_effect", correction, level)
    power = _checked_power("detectable_effect", power, level)

    def found(effect: float) -> float:
        return power_of(outcome, effect, total, cells=cells, level=level, correction=correction, share=share) - power

    # Scaled by the spread of customers, not by the base: that of a ratio may be 0 or negative.
    most, scale = _largest(outcome), float(np.sqrt(outcome.variance() / total))
    high = min(scale, most)
    while found(high) < 0 and high < most:
        high = min(2 * high, most)
    if found(high) < 0:
        raise ModelError.expected("detectable_effect", "n", "enough to find the largest possible effect", n)
    return float(optimize.brentq(found, high * 1e-9, high, xtol=1e-14 * high, rtol=1e-12))


def _largest(outcome: Outcome) -> float:
    if isinstance(outcome, Rate):
        return (1 - outcome.base) * (1 - 1e-9)
    if isinstance(outcome, Money) and outcome.through == "share":
        if outcome.share == 1:
            raise outcome.out_of_reach()
        return (outcome.mean - outcome.base) * (1 - 1e-9)
    return max(abs(outcome.base), float(np.sqrt(outcome.variance()))) * 1e6


def power_of(
    outcome: Outcome | float,
    uplift: float,
    n: float,
    *,
    cells: int = 1,
    level: float = TEST_LEVEL,
    correction: str = "max-t",
    share: float | str = "optimal",
) -> float:
    """Probability that a cell is found to differ from the control, in the direction of its effect.

    Parameters
    ----------
    outcome, uplift
        As in ``required_size``; here the uplift may be 0.
    n : int
        Customers in all, as in ``detectable_effect``.
    cells, level, correction, share
        As in ``detectable_effect``.

    Raises
    ------
    ModelError
        A number is out of its range.

    Examples
    --------
    >>> round(power_of(0.02, uplift=0.002, n=161358), 3)
    0.8
    """
    outcome, total = as_outcome("power_of", outcome), _checked_total("power_of", n, cells)
    level = checked_correction("power_of", correction, level)
    effect = checked_number("power_of", "uplift", uplift, "in the unit of the outcome")
    ratio, critical = _planned("power_of", outcome, effect, cells, level, correction, share)
    each = total / (cells + ratio)
    error = np.sqrt(outcome.variance(effect) / each + outcome.variance() / (each * ratio))
    return float(special.ndtr(abs(effect) / error - critical))


def _checked_total(model: str, total: float, cells: int) -> float:
    """The number of customers; refuse fewer than two in each cell, and what is no number."""
    _checked_cells(model, cells)
    least = f"at least {2 * (cells + 1)}"
    found = checked_number(model, "n", total, f"of {least}")
    if not (np.isfinite(found) and found >= 2 * (cells + 1)):
        raise ModelError.expected(model, "n", least, total)
    return found


def _checked_cells(model: str, cells: int) -> None:
    if isinstance(cells, bool) or not isinstance(cells, int | np.integer):
        raise ModelError.expected(model, "cells", "a whole number of at least 1", cells)


def _checked_power(model: str, power: float, level: float) -> float:
    """Refuse a power that is none: where nothing differs, a test finds something in 1 - level of all cases, whatever the size."""
    found = checked_number(model, "power", power, f"above {1 - level:.6g} and under 1")
    if not 1 - level < found < 1:
        least = f"above {1 - level:.6g} (1 - level: as often is something found where nothing differs) and under 1"
        raise ModelError.expected(model, "power", least, power)
    return found


def _planned(
    model: str, outcome: Outcome, effect: float, cells: int, level: float, correction: str, share: float | str
) -> tuple[float, float]:
    """Size of the control over that of a cell, and the critical value."""
    checked_amounts(model, "uplift", effect)
    _checked_cells(model, cells)
    its = control_share(cells, share)
    ratio = its / ((1 - its) / cells)
    if cells == 1 or correction == "none":
        return ratio, float(-special.ndtri((1 - level) / 2))
    if correction == "holm":
        return ratio, float(-special.ndtri((1 - level) / (2 * cells)))
    shared = outcome.variance() / ratio
    correlation = np.full((cells, cells), shared / (shared + outcome.variance(effect)))
    np.fill_diagonal(correlation, 1.0)
    return ratio, critical_value(correlation, level)


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
    checked_amounts(model, "n, cost, fixed and margin", (n, cost, fixed, margin))
    if not n >= 1:
        raise ModelError.expected(model, "n", "at least 1", n)
    if not (cost >= 0 and fixed >= 0):
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
    A letter at 0.70, and 20 from each order: 3.5% must respond who would not have ordered anyway, 3.6% with the designer's bill.

    >>> round(smallest_paying(10_000, 0.70, margin=20.0), 6), round(smallest_paying(10_000, 0.70, 200.0, 20.0), 6)
    (0.035, 0.036)
    """
    _checked("smallest_paying", n, cost, fixed, margin)
    return (cost + fixed / n) / margin


def planned_profit(
    outcome: Outcome | float,
    effect: float,
    sizes: tuple[int, int],
    *,
    cost: float,
    fixed: float = 0.0,
    margin: float = 1.0,
    level: float = LEVEL,
) -> PlannedProfit:
    """Incremental profit that a cell of n customers would show.

    Parameters
    ----------
    outcome : float, Rate, Mean, Money or Ratio
        As in ``required_size``.
    effect : float
        Assumed difference from the control per customer, in the outcome's unit.
    sizes : (n, n_control)
        Customers of the cell and of its control.
    cost, fixed, margin : float
        As in ``smallest_paying``.
    level : float

    Examples
    --------
    >>> found = planned_profit(0.02, 0.01, (10_000, 10_000), cost=0.1, margin=20.0)
    >>> round(found.value, 2), found.low < 1000 < found.high
    (1000.0, True)
    """
    n, n_control = sizes
    outcome = as_outcome("planned_profit", outcome)
    _checked("planned_profit", n, cost, fixed, margin)
    checked_amounts("planned_profit", "n_control and effect", (n_control, effect))
    if not n_control >= 1:
        raise ModelError.expected("planned_profit", "n_control", "at least 1", n_control)
    error = n * margin * float(np.sqrt(outcome.variance(effect) / n + outcome.variance() / n_control))
    value = n * (effect * margin - cost) - fixed
    half = normal_quantile(level) * error
    return PlannedProfit(value, value - half, value + half, float(special.ndtr(value / error)))
