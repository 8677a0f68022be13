"""What both reports on campaigns show, and the lists of a launch."""

from __future__ import annotations

from crmlab.analyses.cross_sell import QUANTITIES as CROSS_SELL
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id"),
    CROSS_SELL.only("p_value"),
    Quantity("campaign", "identifier of the campaign", "text"),
    Quantity("cell", "identifier of the test cell", "text"),
    Quantity("cell_id", "identifier of the test cell", "text"),
    Quantity("control", "identifier of the cell that it is compared with", "text"),
    Quantity("response_code", "code that shows which cell an order belongs to", "text"),
    Quantity("offer", "what is offered", "text"),
    Quantity("list", "who it is sent to", "text"),
    Quantity("creative", "how it looks and reads", "text"),
    Quantity("channel", "how it is sent", "text"),
    Quantity("metric", "name of the metric", "text"),
    Quantity("estimate", "value of the metric, or difference in it between cell and control"),
    Quantity("low", "lower end of the interval of the estimate"),
    Quantity("high", "upper end of the interval of the estimate"),
    Quantity("error", "standard error of the estimate"),
    Quantity("n", "customers in the cell", "customers"),
    Quantity("base", "share of people who buy without the contact", "share"),
)
