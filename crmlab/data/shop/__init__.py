"""The simulated worlds, whose truth is known: the shop with its campaigns, donors, and a club with its contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.shop.club import Club, make_club
    from crmlab.data.shop.donors import Donors, make_donors
    from crmlab.data.shop.make import Shop, make_shop
    from crmlab.data.shop.truth import Truth

__all__ = ["Club", "Donors", "Shop", "Truth", "make_club", "make_donors", "make_shop"]
__getattr__, __dir__ = lazy_names(__name__)
