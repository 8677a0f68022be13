"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.cross_sell import charts
from crmlab.analyses.cross_sell import tables as views
from crmlab.analyses.cross_sell.exhibits import _ALL, _REASONS
from crmlab.analyses.cross_sell.params import Params
from crmlab.analyses.cross_sell.study import parts_of
from crmlab.analyses.cross_sell.words import findings_of, method_of, metrics_of, warnings_of
from crmlab.history.context import context_of
from crmlab.history.orders import history
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("order_lines",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say which offers to make to whom, and how surely they would have met what people then bought.

    Parameters
    ----------
    data : Dataset
        Needs order lines; names, categories, costs and last days of sale come from products, suppression from customers, where
        they are there.
    params : Params

    Returns
    -------
    Result
        Tables: scope, pairs, worth, substitutes, bundles, removed, backtest, by_history, cycles. Charts: offers, hits, opportunity, lift,
        heatmap, network. Outputs: rules, offers, cycles.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        ``as_of`` is outside the history; ``level_of`` is "category" where no product has one.
    """
    lines = data.order_lines
    first, end = history(lines, params.as_of)
    parts = parts_of(data, first, end, params)
    context = context_of(data, params.as_of, parts.customers)
    form = context.form
    tables = views.tables_of(parts, first, end, form, params)
    pictures = charts.charts_of(parts, form, params)
    nothing = "Nothing to report: no pair of products that can be offered is sold together surely more often than by chance."
    outputs = {
        "rules": Output(
            "Rules that hold after correction, and longer ones that a shorter one explains",
            views.rules_file(parts),
            ("antecedent", "consequent"),
        )
    }
    if parts.offers is not None:
        outputs["offers"] = Output(
            "Offers per customer, with probability and reason", parts.offers.frame, ("customer_id", "rank")
        )
    if parts.cycles is not None:
        outputs["cycles"] = Output("Repurchase cycle of every product", parts.cycles.products, ("product_id",))
        outputs["due"] = Output(
            "Customers who could be moved to a shorter cycle", parts.cycles.customers, ("customer_id", "product_id")
        )
    absent = {name: parts.absent.get(name, _REASONS.get(name, nothing)) for name in _ALL if name not in {**tables, **pictures}}
    return Result(
        title="Which offer to whom, with evidence",
        context=context,
        params=params,
        findings=findings_of(parts, form, params),
        metrics=metrics_of(parts, form.currency, params),
        tables=tables,
        charts=pictures,
        method=method_of(parts, form, params),
        warnings=warnings_of(parts, form),
        limits=(
            "Association is not the effect of an offer: people who buy two things together may do so without being asked. Send the "
            "offer to a test cell, keep a control cell, and measure the difference.",
            "Extra margin compares people who have the first product with people who have neither; they may differ in more than that, "
            "and a season's goods sell to both at once.",
            "Seasons are not taken out of pairs: what sells in the same months counts as together. Compare the two halves of the history.",
        ),
        absent=absent,
        outputs=outputs,
    )
