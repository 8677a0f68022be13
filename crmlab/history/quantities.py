"""What several subjects show of an order history."""

from __future__ import annotations

from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    Quantity("customer_id", "identifier of the customer, as in the source", "text", label="customer"),
    Quantity("customer_base", "customers with a purchase occasion up to the last day of history", "customers", counted=True),
    Quantity("occasions", "days on which the customer bought for more than they returned that day", "purchases", counted=True),
    Quantity("total_spend", "what the customer’s purchase occasions add up to, less same-day returns", "currency"),
    Quantity(
        "days_since_last",
        "days from the last purchase occasion to the last day",
        "days",
        label="days since the last purchase",
    ),
    Quantity("first_occasion", "day of the first purchase occasion", "date"),
    Quantity("last_occasion", "day of the last purchase occasion", "date"),
    Quantity("contactable", "whether the customer may be contacted; “not known” if the data do not say", "flag"),
    Quantity("refusal", "why the customer must not be contacted; empty if no reason is known", "text"),
    Quantity("product_id", "identifier of the product, as in the source", "text", label="product"),
)
