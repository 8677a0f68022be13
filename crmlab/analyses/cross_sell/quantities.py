"""What the report on offers says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity, ends_of

__all__ = ["QUANTITIES"]

_MONEY = {"money": ("margin", "revenue")}  # margin where it is known; else money is revenue, and called so

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "contactable", "refusal", "product_id"),
    Quantity("name", "name of the product", "text"),
    Quantity("rank", "place on the customer’s list of offers, the best first"),
    Quantity("probability", "probability that the customer buys the product within the horizon", "share"),
    Quantity("{money}_if_bought", "{money} that the product brings if the customer buys it", "currency", values=_MONEY),
    Quantity("expected_{money}", "probability times {money} if bought", "currency", values=_MONEY),
    Quantity(
        "source", "what proposed the product: the ingredient of a personal offer, or the simple rule that is used", "text"
    ),
    Quantity("reason", "why the product is offered", "text"),
    Quantity("buyers", "customers who have bought the product", "customers", counted=True),
    Quantity("rebuyers", "customers who have bought the product on at least two days", "customers", counted=True),
    Quantity("share_rebought", "share of its buyers who have bought the product again", "share", counted=True),
    Quantity(
        "gaps", "number of gaps between one purchase of the product and the next, over all customers", "gaps", counted=True
    ),
    Quantity("median_gap", "days after which half of those who buy the product again have done so", "days"),
    ends_of("gap", "the median gap", "days"),
    Quantity("within", "share of purchases of the product that are followed by another within the horizon", "share"),
    ends_of("within", "the share that is followed by another within the horizon", "share"),
    Quantity("times", "days on which the customer bought the product", "days"),
    Quantity("own_gap", "mean number of days between the customer’s purchases of the product", "days"),
    Quantity("usual_gap", "days after which half of all who buy the product again have done so", "days"),
    Quantity("days_since_product", "days since the customer last bought the product", "days"),
    Quantity("antecedent", "products already in the basket (A)", "text"),
    Quantity("consequent", "product found in the same basket more often than by chance (B)", "text"),
    Quantity("antecedent_name", "names of the products A", "text"),
    Quantity("consequent_name", "name of the product B", "text"),
    Quantity("n_baskets", "baskets that were analysed", "baskets", counted=True),
    Quantity("n_antecedent", "baskets with A", "baskets", counted=True),
    Quantity("n_consequent", "baskets with B", "baskets", counted=True),
    Quantity("n_both", "baskets with A and B", "baskets", counted=True),
    Quantity("support", "share of baskets with A and B", "share", 6, counted=True),
    Quantity("confidence", "share of baskets with A that also contain B", "share"),
    ends_of("confidence", "the confidence", "share"),
    Quantity("lift", "how many times more often A and B are together than if they had nothing to do with each other", "", 2),
    ends_of("lift", "the lift", "", 2),
    Quantity("leverage", "share of baskets with A and B, less the share expected by chance", "share", 6),
    Quantity(
        "conviction", "how many times more often A would occur without B if they had nothing to do with each other", "", 2
    ),
    Quantity("expected", "number of baskets with A and B expected by chance", "baskets"),
    Quantity("p_value", "how likely a difference of this size or more would be by chance", "p"),
    Quantity("q_value", "share of false discoveries among all rules that are at least as certain", "p"),
    Quantity("parent", "for a longer rule: the shorter A that explains most of it", "text"),
    Quantity("redundant", "whether the longer A adds nothing to the shorter one", "flag"),
    Quantity("baskets", "baskets that were analysed", "baskets", counted=True),
    Quantity(
        "pairs",
        "pairs of products that a test finds together more often than by chance, at its false discovery rate",
        "pairs",
        counted=True,
    ),
    Quantity("bundles", "bundles that a test finds together more often than their best pair explains", "bundles", counted=True),
    Quantity("hit_rate", "share of customers who bought at least one product of the list that is sent", "share"),
    Quantity("hit_rate_gain", "hit rate of personal offers minus that of the best simple list", "share"),
    Quantity("recall", "share of customers’ purchases that were on the list that is sent", "share"),
    Quantity(
        "coverage",
        "share of products that the list that is sent contained for some customer in the test",
        "share",
        counted=True,
    ),
    Quantity(
        "extra_{money}",
        "how much more {money} the second product of the best pair brings in from customers with the first than from as many with "
        "neither: an association, for all customers the pair reaches",
        "currency",
        values=_MONEY,
    ),
)
