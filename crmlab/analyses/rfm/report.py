"""The report: what was worked out, put on one page."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.analyses.rfm import charts as rfm_charts
from crmlab.analyses.rfm import tables as rfm_tables
from crmlab.analyses.rfm.params import Params
from crmlab.analyses.rfm.segments import movement, segment_table, segmented
from crmlab.analyses.rfm.words import findings_of, method_of, metrics_of
from crmlab.errors import DataError, ParameterError, checks
from crmlab.history.context import context_of
from crmlab.history.customers import customer_summary
from crmlab.page.result import Output, Result

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Score, segment and value the customer base.

    Parameters
    ----------
    data : Dataset
        Needs orders.
    params : Params

    Returns
    -------
    Result
        Tables: segments, rules, cuts, moves. Charts: segments, grid, moves. Outputs: customers.

    Raises
    ------
    ParameterError
        ``as_of`` or ``compare_to`` is outside the history.
    DataError
        No customer has a purchase occasion.

    References
    ----------
    Hughes (1994), Strategic Database Marketing: scores by equal parts of the base.
    Fader, Hardie and Lee (2005), RFM and CLV, JMR 42: recency, frequency and money as statistics of a customer.
    """
    context = context_of(data, params.as_of)
    scored = segmented(customer_summary(data.orders, context.as_of), params.bins)
    if scored.empty:
        raise DataError.too_little("rfm", "at least one customer with a purchase", "none")
    context = context_of(data, params.as_of, len(scored))
    segments = segment_table(scored, params.min_group)
    earlier = _earlier(params, context.first_day, context.as_of)
    form, bins, least = context.form, params.bins, params.min_group
    tables = {
        "segments": rfm_tables.segments_shown(segments, form, context.as_of),
        "rules": rfm_tables.rules_shown(scored, segments, bins, least, form),
        "cuts": rfm_tables.cuts_shown(scored, bins, least, form),
    }
    charts = {"segments": rfm_charts.segments_chart(segments, form), "grid": rfm_charts.grid_chart(scored, bins, least, form)}
    warnings: list[str] = []
    absent: dict[str, str] = {}
    if earlier is None:
        absent["moves"] = "The history is too short to say who moved: it needs at least 182 days, or compare_to."
    else:
        before = segmented(customer_summary(data.orders, earlier), bins)
        scored = scored.merge(
            before[["customer_id", "segment"]].rename(columns={"segment": "segment_before"}), "left", "customer_id"
        )
        moves = movement(scored)
        tables["moves"] = rfm_tables.moves_shown(moves, form, earlier, least)
        charts["moves"] = rfm_charts.moves_chart(moves, form, earlier, least)
    if scored["f_score"].nunique() == 1:
        warnings.append("Every customer has the same number of occasions, so frequency tells nobody apart.")
    return Result(
        title="Who our customers are, and where the money is",
        context=context,
        params=params,
        findings=findings_of(segments, scored, bins, form),
        metrics=metrics_of(segments, scored),
        tables=tables,
        charts=charts,
        method=method_of(params, form, context.as_of, earlier),
        warnings=tuple(warnings),
        absent=absent,
        limits=(
            "Segments describe the past; they do not predict.",
            "A score is a place among today's customers, so a customer's score can change because others changed.",
            "Spend and revenue are net of what came back on the day of a purchase, not of what came back later; they are not profit.",
        ),
        outputs={"customers": Output("Customer list with scores and segment", _listed(scored), ("customer_id",))},
    )


def _earlier(params: Params, first: dt.date, end: dt.date) -> dt.date | None:
    chosen = checks.day("rfm", "compare_to", params.compare_to)
    if chosen is not None:
        if chosen >= end:
            raise ParameterError.dates_out_of_order("compare_to", chosen, "as_of", end)
        if chosen < first:
            raise ParameterError.compare_to_outside(chosen, first, end)
        return chosen
    return end - dt.timedelta(days=91) if (end - first).days >= 182 else None


def _listed(scored: pd.DataFrame) -> pd.DataFrame:
    columns = ["customer_id", "segment", "r_score", "f_score", "m_score", "days_since_last", "occasions", "total_spend"]
    columns += ["first_occasion", "last_occasion", *(["segment_before"] if "segment_before" in scored else [])]
    return scored[columns]
