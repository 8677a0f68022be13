"""What the profile of a customer says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_profile.study import Facts
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.page.format import Format

__all__ = ["findings_of", "method_of", "metrics_of"]


def findings_of(facts: Facts, form: Format, level: float) -> Findings:
    """Return the findings: the sentences that open the page."""
    bought, at = facts.occasions, form.share(level)
    found = []
    if len(bought):
        spend = form.money(float(bought["spend"].sum()))
        times = "purchase" if len(bought) == 1 else "purchases"
        silent = facts.state.get("days_since_last")
        ago = f", the last {form.count(silent)} days ago" if silent is not None else ""
        found.append(
            Finding(
                form.count(len(bought)),
                f"{times} since {form.short_day(bought['day'].iloc[0])}, {spend} in all{ago}.",
                "",
                "occasions",
            )
        )
    else:
        found.append(Finding("0", "purchases so far.", "", "occasions"))
    value = facts.estimates.get("value")
    if value is not None:
        tier = f"tier {facts.tier}" if facts.tier else "not in a tier"
        found.append(
            Finding(
                form.amount(value.value), f"is what the customer is expected to bring still: {tier}.",
                f"{form.interval(value.low, value.high, 'amount')}, at {at}", "value",
            )
        )  # fmt: skip
    risk = facts.estimates.get("churn")
    if risk is not None:
        found.append(
            Finding(
                form.share(risk.value), f"is the chance that nothing is bought within {facts.window} days.",
                f"{form.interval(risk.low, risk.high, 'share')}, at {at}", "churn",
            )
        )  # fmt: skip
    return Findings(found[:3])


def metrics_of(facts: Facts) -> dict[str, Estimate]:
    """Return what two runs are compared on."""
    return {"occasions": Estimate(float(len(facts.occasions)), unit="purchases"), **facts.estimates}


def method_of(form: Format, level: float) -> Method:
    """Return how it was done, and what it cannot say."""
    return Method(
        "What the reports on customer value, lifecycle, churn, offers and triggers say, for one customer.",
        (
            f"Intervals at {form.share(level)}: of value and purchases, what this customer will do; of probabilities, what is not known "
            "of the models.",
            "Contacts are those of the data set's tables; a control customer was assigned to a test and left alone on purpose.",
        ),
        {"Occasion": "a day with a purchase, net of what came back that day"},
    )
