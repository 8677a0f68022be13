"""Customer profile: everything that is known of one customer on one page, for people who talk with the customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab import checks
from crmlab.analyses.common import form_of
from crmlab.composed import customer_profile_views as views
from crmlab.composed.customer_profile_facts import Facts, facts_of
from crmlab.errors import ParameterError
from crmlab.result import Chart, Context, Estimate, Finding, Findings, Method, Result, Table

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.style import Format

NEEDS = ("orders",)


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose."""

    customer_id: str  # whose page it is, as in the data set
    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    level: float = 0.9  # of every interval
    seed: int = 0  # of models and draws

    def __post_init__(self) -> None:
        if not isinstance(self.customer_id, str) or not self.customer_id.strip():
            raise ParameterError.expected("customer_profile", "customer_id", "the id of a customer", self.customer_id)
        checks.day("customer_profile", "as_of", self.as_of)
        checks.share("customer_profile", "level", self.level)
        checks.whole("customer_profile", "seed", self.seed, 0)


def run(data: Dataset, params: Params) -> Result:
    """Put together what is known of a customer.

    Parameters
    ----------
    data : Dataset
        Needs orders; products, offers, contacts, responses and attributes are shown where their tables are there.
    params : Params

    Returns
    -------
    Result
        Tables: facts, moments, offers, contacts, bought. Charts: strip. Outputs: none; columns that name a person are not shown.

    Raises
    ------
    ParameterError
        Nobody has this id; the message hints at a similar one. Or ``as_of`` is outside the history.
    """
    facts = facts_of(data, params.customer_id, params.as_of, level=params.level, seed=params.seed)
    form = form_of(data)
    tables: dict[str, Table] = {"facts": views.facts_table(facts, form, params.level)}
    charts: dict[str, Chart] = {}
    absent = {
        "strip": "Nothing was bought, nothing was sent: there is no history to draw.",
        "bought": "What was bought is not known: there are no order lines of this customer.",
        "contacts": "No contact and no response of this customer is known.",
        "offers": facts.absent.get("offers", ""),
        "moments": facts.absent.get("moments") or facts.absent.get("trigger", ""),
    }
    if len(facts.days) or len(facts.contacts) or len(facts.responses):
        charts["strip"] = views.strip_chart(facts, form)
    if len(facts.bought):
        tables["bought"] = views.bought_table(facts, form)
    if len(facts.offers):
        tables["offers"] = views.offers_table(facts, form)
    if len(facts.moments):
        tables["moments"] = views.moments_table(facts, form)
    if len(facts.contacts) or len(facts.responses):
        tables["contacts"] = views.contacts_table(facts, form)
    return Result(
        title="What do we know of this customer?",
        context=Context(data.name, data.title, facts.end, facts.first, None, form),
        params=params,
        findings=_findings(facts, form, params.level),
        metrics=_metrics(facts),
        tables=tables,
        charts=charts,
        method=_method(form, params.level),
        warnings=tuple(facts.absent[name] for name in ("state", "value", "churn") if name in facts.absent),
        limits=(
            "One customer's future is chance above all: intervals are wide because they must be.",
            "Scores say how customers like this one behaved. They are no reason to treat somebody worse.",
        ),
        absent={name: why or "These data do not allow it." for name, why in absent.items() if name not in {**tables, **charts}},
    )


def _findings(facts: Facts, form: Format, level: float) -> Findings:
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


def _metrics(facts: Facts) -> dict[str, Estimate]:
    return {"occasions": Estimate(float(len(facts.occasions)), unit="purchases"), **facts.estimates}


def _method(form: Format, level: float) -> Method:
    return Method(
        "What the reports on customer value, lifecycle, churn, offers and triggers say, for one customer.",
        (
            f"Intervals at {form.share(level)}: of value and purchases, what this customer will do; of probabilities, what is not known "
            "of the models.",
            "Contacts are those of the data set's tables; a control customer was assigned to a test and left alone on purpose.",
        ),
        {"Occasion": "a day with a purchase, net of what came back that day"},
    )
