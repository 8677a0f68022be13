"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.lifecycle import charts as charts_of
from crmlab.analyses.lifecycle import tables as views
from crmlab.analyses.lifecycle import words
from crmlab.analyses.lifecycle.params import LEAST_PERIODS, Params
from crmlab.analyses.lifecycle.projection import Ahead, ahead, checked, dates_ahead, value_frame
from crmlab.analyses.lifecycle.reductions import CURRENT, STATES
from crmlab.analyses.lifecycle.study import Life, balance, growth, life_of, limits_of, listed, slowing_fate
from crmlab.errors import DataError
from crmlab.history.context import form_of, margin_known
from crmlab.history.orders import history
from crmlab.models.intervals import wilson
from crmlab.page.result import Chart, Context, Estimate, Output, Result, Table

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "run"]


NEEDS = ("orders",)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say where customers stand, how they move between states, and where that leads.

    Parameters
    ----------
    data : Dataset
        Needs orders; counts prospects where there is a customers table, takes the margin from order lines and unit costs.
    params : Params

    Returns
    -------
    Result
        Tables: states, thresholds, sizes, growth, matrix, conversion, check, value. Charts: growth, sizes, revenue, sankey, time,
        projection, cohorts. Those that the history is too short for are left out, with a sentence. Outputs: customers.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history, or thresholds do not increase.
    DataError
        Nobody bought, or too few came again for thresholds, and they are not given in days.

    References
    ----------
    Pfeifer and Carraway (2000), Modeling customer relationships as Markov chains, Journal of Interactive Marketing 14.
    Kaplan and Meier (1958), JASA 53. Aalen and Johansen (1978), Scandinavian Journal of Statistics 5.
    """
    history(data.orders, params.as_of)
    days = params.slowing_days, params.lapsed_days, params.lost_days
    limits = limits_of(data, params.as_of, (params.slowing, params.lapsed, params.lost), days, params.own_from)
    life = life_of(data, limits, params.as_of, params.step, params.periods)
    if not life.sizes().sum():
        raise DataError.too_little("lifecycle", "at least one customer with a purchase", "none")
    form, level = form_of(data), params.level
    people = int(life.sizes().sum())
    context = Context(data.name, data.title, life.end, life.first, people, form)
    accounts = growth(life.moves, life.dates)
    steps = params.horizon or (3 if life.step == 12 else life.year)
    enough = life.periods >= LEAST_PERIODS
    chain = life.chain() if enough else None
    future = ahead(chain, steps, level, params.seed) if chain is not None else None
    test = checked(life, level, params.seed) if enough else None
    today = views.states_frame(life, level, params.min_group)
    matrix = views.matrix_frame(life, level, params.min_group) if life.periods else None
    curves = views.curves_frame(life, level, params.min_group)
    margin, source, _ = margin_known(data, life.end, params.margin)
    value = None
    if chain is not None:
        value = value_frame(life, chain, steps, params.rate, margin, level, params.seed)
        if not life.lost_watched:
            value = value.drop(columns=["whole", "whole_low", "whole_high"])
    cohorts = charts_of.cohort_frame(life, level, params.min_group)
    tables: dict[str, Table] = {
        "states": views.states_table(today, life, form, level),
        "thresholds": views.thresholds_table(life, form),
        "conversion": views.conversion_table(life, form, level, params.min_group),
    }
    charts: dict[str, Chart] = {}
    if len(accounts) > 1:
        sizes = views.sizes_frame(life)
        charts["growth"] = charts_of.growth_chart(accounts, life, form)
        charts["sizes"] = charts_of.sizes_chart(sizes, life, form)
        charts["revenue"] = charts_of.revenue_chart(accounts, life, form)
        tables["growth"] = views.growth_table(accounts, life, form)
        tables["sizes"] = views.sizes_table(sizes, life, form)
    if matrix is not None:
        tables["matrix"] = views.matrix_table(matrix, life, form, level, params.min_group)
    if life.back:
        charts["sankey"] = charts_of.sankey_chart(life, form, params.min_group)
    if len(curves):
        charts["time"] = charts_of.time_chart(curves, form, level)
    if future is not None:
        charts["projection"] = charts_of.projection_chart(accounts, future, dates_ahead(life, steps), life, form, level)
    if test is not None:
        tables["check"] = views.check_table(test, life, form, level)
    if value is not None:
        what = "revenue" if source in ("revenue", "loss") else f"gross margin ({form.share(margin)} of spend)"
        what += f", discounted at {form.share(params.rate)} a year,"
        tables["value"] = views.value_table(value, life, form, level, what, life.words.span(steps), params.min_group)
    if len(cohorts):
        charts["cohorts"] = charts_of.cohort_chart(cohorts, life, form, level)
    ratio = balance(accounts, life, level, params.seed)
    slow = slowing_fate(life, level, params.min_group)
    return Result(
        title="Where our customers stand, and who is slipping away",
        context=context,
        params=params,
        findings=words.findings(life, ratio, slow, future, steps, form, level),
        metrics=_metrics(life, ratio, slow, future, value, level, form.currency),
        tables=tables,
        charts=charts,
        method=words.method(life, params, form, margin, source),
        warnings=words.warnings(life, matrix, test, source, form, level, value is not None),
        limits=words.limits(life),
        absent=words.absent(tables, charts, life),
        outputs={"customers": Output(f"List of {life.words.many} with state and rhythm", listed(life), ("customer_id",))},
    )


def _metrics(
    life: Life, ratio: Estimate | None, slow: Estimate | None, future: Ahead | None, value: pd.DataFrame | None, level: float,
    currency: str,
) -> dict[str, Estimate]:  # fmt: skip
    sizes = life.sizes()
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    metrics = {
        "customers": Estimate(float(total), unit="customers"),
        "current_share": Estimate(current / total, *wilson(current, total, level), level, "share"),
    }
    for state in STATES:
        metrics[f"share_{state}"] = Estimate(sizes[state] / total, *wilson(int(sizes[state]), total, level), level, "share")
    if ratio is not None:
        metrics["balance"] = ratio
    if slow is not None:
        metrics["slowing_lapse"] = slow
    if future is not None:
        middle, low, high = (float(number) for number in future.current[:, -1])
        metrics["projected_current"] = Estimate(middle, min(low, middle), max(high, middle), level, "customers")
    if value is not None:
        row = value.set_index("state").loc["all"]
        for name, column in (("value_within_horizon", "near"), ("value_without_end", "whole")):
            if column not in row:
                continue
            metrics[name] = Estimate(
                float(row[column]), float(row[f"{column}_low"]), float(row[f"{column}_high"]), level, currency
            )
    return metrics
