"""What do we know about this customer? Everything on one page, for people who talk with the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.actions import INPUTS
    from crmlab.analyses.customer_profile.params import NAMES_CUSTOMERS, NEEDS, SECTIONS, Params
    from crmlab.analyses.customer_profile.quantities import QUANTITIES
    from crmlab.analyses.customer_profile.report import run

__all__ = ["INPUTS", "NAMES_CUSTOMERS", "NEEDS", "QUANTITIES", "SECTIONS", "Params", "run"]
__getattr__, __dir__ = lazy_names(__name__)
