"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.data_quality import exhibits as views
from crmlab.analyses.data_quality.params import Params
from crmlab.analyses.data_quality.study import amounts_table, judge, largest_of, ledger_table, orders_by_day, rules_table
from crmlab.analyses.data_quality.words import findings_of, method_of, metrics_of
from crmlab.history.context import context_of
from crmlab.history.customers import customer_summary
from crmlab.page.result import Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a data set holds, what was left out, and what would move results.

    Parameters
    ----------
    data : Dataset
        Needs orders; checks every table that is there.
    params : Params

    Returns
    -------
    Result
        Tables: read, amounts, rules, examples, largest, coverage. Charts: orders.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    """
    context = context_of(data, params.as_of)
    form = context.form
    summary = customer_summary(data.orders, context.as_of).to_pandas()
    context = context_of(data, params.as_of, len(summary))
    read = ledger_table(data)
    rules = rules_table(data, as_of=context.as_of)
    days = orders_by_day(data, context.first_day, context.as_of)
    largest = largest_of(data, params, context.as_of)
    length = (context.as_of - context.first_day).days + 1
    verdict, reasons = judge(read, rules, length)
    metrics = metrics_of(data, read, rules, largest, summary, params)
    return Result(
        title="Can we rely on this data?",
        context=context,
        params=params,
        findings=findings_of(verdict, read, largest, len(summary), length, metrics, params, form),
        metrics=metrics,
        tables={
            "read": views.read_shown(read, form),
            "amounts": views.amounts_shown(amounts_table(data, context.as_of), form),
            "rules": views.rules_shown(rules, form),
            "examples": views.examples_shown(read, rules),
            "largest": views.largest_shown(largest, form),
            "coverage": views.coverage_shown(data, days, summary, form),
        },
        charts={"orders": views.orders_chart(days, form)},
        method=method_of(data, form),
        warnings=reasons,
        limits=(
            "Rules find what is impossible or unusual; they do not find an amount that is wrong but plausible.",
            f"Definition of a customer: {data.descriptor.customer}. One person with two ids counts twice.",
        ),
    )
