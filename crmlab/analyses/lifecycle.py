"""Lifecycle: where customers stand, how they move, and where that leads if nothing changes.

States follow from the buying rhythm alone. What is shown of them: sizes and revenue, growth accounting, moves with intervals,
time in a state, a projection that is held against what came, the value of the base as a Markov chain, and cohorts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from crmlab import checks
from crmlab.analyses import lifecycle_charts as charts_of
from crmlab.analyses import lifecycle_views as views
from crmlab.analyses import lifecycle_words as words
from crmlab.analyses.common import form_of, margin_known
from crmlab.analyses.lifecycle_ahead import Ahead, ahead, checked, dates_ahead, value_frame
from crmlab.analyses.lifecycle_base import (
    LEAST_PERIODS,
    STEPS,
    Life,
    growth,
    life_of,
    limits_of,
)
from crmlab.errors import DataError, ParameterError
from crmlab.features.lifecycle import CURRENT, STATES
from crmlab.features.orders import history
from crmlab.features.rhythm import QUANTILES
from crmlab.models.intervals import wilson
from crmlab.models.markov import transition_probabilities
from crmlab.result import Chart, Context, Estimate, Output, Result, Table

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

NEEDS = ("orders",)
_DRAWS = 1000  # of the balance


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    slowing: float = QUANTILES[0]  # quantile of the gaps between purchases after which a customer is slowing
    lapsed: float = QUANTILES[1]  # the same for lapsed
    lost: float = QUANTILES[2]  # the same for lost
    slowing_days: int | None = None  # days after which a customer is slowing; default: from the quantile
    lapsed_days: int | None = None  # the same for lapsed
    lost_days: int | None = None  # the same for lost
    own_from: int | None = 6  # purchases from which a customer has a rhythm of their own; None: nobody has
    step: int | None = None  # months between the dates compared, 1, 3 or 12; default: 1, with yearly rounds 12
    periods: int = 24  # how many steps to look back, where the history is that long
    horizon: int | None = None  # steps to project; default: a year, with yearly steps 3
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    level: float = 0.9  # of every interval
    min_group: int = 5  # smaller groups are merged or left out
    seed: int = 0  # of what is drawn

    def __post_init__(self) -> None:
        checks.day("lifecycle", "as_of", self.as_of)
        for name in ("slowing", "lapsed", "lost"):
            checks.share("lifecycle", name, getattr(self, name))
        for early, late in pairwise(("slowing", "lapsed", "lost")):
            if getattr(self, early) >= getattr(self, late):
                raise ParameterError.expected(
                    "lifecycle", late, f"above '{early}', {getattr(self, early)}", getattr(self, late)
                )
        given = [name for name in ("slowing_days", "lapsed_days", "lost_days") if getattr(self, name) is not None]
        for name in given:
            checks.whole("lifecycle", name, getattr(self, name), 1)
        for early, late in pairwise(given):
            if getattr(self, early) >= getattr(self, late):
                raise ParameterError.expected(
                    "lifecycle", late, f"above '{early}', {getattr(self, early)}", getattr(self, late)
                )
        if self.own_from is not None:
            checks.whole("lifecycle", "own_from", self.own_from, 3)
        if self.step is not None and (isinstance(self.step, bool) or self.step not in STEPS):
            raise ParameterError.expected("lifecycle", "step", "1, 3 or 12 months", self.step)
        checks.whole("lifecycle", "periods", self.periods, 1, 120)
        if self.horizon is not None:
            checks.whole("lifecycle", "horizon", self.horizon, 1, 120)
        checks.positive("lifecycle", "rate", self.rate, 1)
        if self.margin is not None:
            checks.positive("lifecycle", "margin", self.margin, 1)
        checks.share("lifecycle", "level", self.level)
        checks.whole("lifecycle", "min_group", self.min_group, 1)
        checks.whole("lifecycle", "seed", self.seed, 0)


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


def listed(life: Life) -> pd.DataFrame:
    """The list: a row per customer and prospect, with state, since when, and rhythm."""
    names = [
        "customer_id", "state", "since", "days_since_last", "last_occasion", "occasions", "mean_gap", "own", "slowing_after",
        "lapsed_after", "lost_after",
    ]  # fmt: skip
    found = life.customers[names].rename(columns={"own": "own_rhythm"})
    return found.assign(mean_gap=found["mean_gap"].astype(float).round(1))


def balance(accounts: pd.DataFrame, life: Life, level: float, seed: int = 0) -> Estimate | None:
    """New and reactivated customers for each who lapsed, over the last year of settled periods; None under three of them.

    The interval resamples periods.
    """
    settled = set(life.settled)
    if not len(accounts):
        return None
    some = accounts[[date in settled for date in accounts["date"]]].tail(life.year if life.step < 12 else LEAST_PERIODS)
    if len(some) < LEAST_PERIODS or not some["lapsed"].sum():
        return None
    gained, lost = (some["new"] + some["reactivated"]).to_numpy(float), some["lapsed"].to_numpy(float)
    n = len(some)
    picked = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _DRAWS)
    drawn = (picked @ gained) / np.maximum(picked @ lost, 1.0)
    ratio = float(gained.sum() / lost.sum())
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(ratio, min(float(low), ratio), max(float(high), ratio), level, "per lapsed customer")


def slowing_fate(life: Life, level: float, min_group: int) -> Estimate | None:
    """Share of slowing customers who are lapsed or lost a step later; None where too few were slowing."""
    moves = life.counts()[:, STATES.index("slowing"), :] if life.periods else np.zeros((1, len(STATES)))
    pair = np.stack([moves[:, : len(CURRENT)].sum(axis=1), moves[:, len(CURRENT) :].sum(axis=1)], axis=1)
    if pair.sum() < min_group:
        return None
    # A chain of two states, current and gone, of which only the first row matters.
    found = transition_probabilities(np.stack([pair, np.zeros_like(pair)], axis=1), level)
    return Estimate(float(found.p[0, 1]), float(found.low[0, 1]), float(found.high[0, 1]), level, "share")


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
