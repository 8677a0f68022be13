"""What to do with whom, and when: choices under limits that all share and rules of each customer, and what they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.decisions.allocation import Allocation, allocate
    from crmlab.models.decisions.budgets import BudgetCurve, budget_curve, cost_of_rules
    from crmlab.models.decisions.integer import exact
    from crmlab.models.decisions.policies import PolicyValue, policy_difference, policy_value
    from crmlab.models.decisions.problem import Problem
    from crmlab.models.decisions.rules import After, Apart, Limit, Window
    from crmlab.models.decisions.spending import PRESSURE, Spread, best_spend, pressure, pressure_of_next, spread

__all__ = [
    "PRESSURE",
    "After",
    "Allocation",
    "Apart",
    "BudgetCurve",
    "Limit",
    "PolicyValue",
    "Problem",
    "Spread",
    "Window",
    "allocate",
    "best_spend",
    "budget_curve",
    "cost_of_rules",
    "exact",
    "policy_difference",
    "policy_value",
    "pressure",
    "pressure_of_next",
    "spread",
]
__getattr__, __dir__ = lazy_names(__name__)
