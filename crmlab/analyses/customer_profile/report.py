"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_profile import exhibits as views
from crmlab.analyses.customer_profile.params import Params
from crmlab.analyses.customer_profile.study import facts_of
from crmlab.analyses.customer_profile.words import findings_of, method_of, metrics_of
from crmlab.history.context import form_of
from crmlab.page.result import Chart, Context, Result, Table

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


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
        findings=findings_of(facts, form, params.level),
        metrics=metrics_of(facts),
        tables=tables,
        charts=charts,
        method=method_of(form, params.level),
        warnings=tuple(facts.absent[name] for name in ("state", "value", "churn") if name in facts.absent),
        limits=(
            "One customer's future is chance above all: intervals are wide because they must be.",
            "Scores say how customers like this one behaved. They are no reason to treat somebody worse.",
        ),
        absent={name: why or "These data do not allow it." for name, why in absent.items() if name not in {**tables, **charts}},
    )
