"""Scorecard: is the customer programme working?

One page for a board: goals first, then every measure now, before and a year ago, why it changed, what is to come, and where the
value lies. It is put together from the steps of the other analyses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab import checks
from crmlab.composed import scorecard_charts as charts_of
from crmlab.composed import scorecard_views as views
from crmlab.composed import scorecard_words as words
from crmlab.composed.scorecard_base import Board, board_of, unit_of
from crmlab.composed.scorecard_campaigns import campaigns_of, campaigns_table
from crmlab.composed.scorecard_goals import goals_of
from crmlab.composed.scorecard_groups import groups_of
from crmlab.composed.scorecard_measures import Line, lines_of
from crmlab.composed.scorecard_money import Money, money_of
from crmlab.composed.scorecard_profiles import profiles_of
from crmlab.composed.scorecard_value import Valued, valued
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.features.forecasts import Ahead, quarters_ahead
from crmlab.features.periods import two_periods
from crmlab.models.decomposition import decompose, growth
from crmlab.result import Chart, Context, Output, Result, Table

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

NEEDS = ("orders",)


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    period: str | None = (
        None  # such as "13 weeks" or "30 days" up to the last day, or "month", "quarter", "year"; default: 13 weeks
    )
    margin: float | None = None  # gross margin, share of revenue that is kept; default: from unit costs
    serve_cost: float | None = None  # cost of serving one order, in the currency; default: not known
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    level: float = 0.9  # of every interval
    min_group: int = 5  # groups of fewer customers are not shown
    seed: int = 0  # of models and draws

    def __post_init__(self) -> None:
        checks.day("scorecard", "as_of", self.as_of)
        if self.period is not None:
            unit_of(self.period)
        if self.margin is not None:
            checks.positive("scorecard", "margin", self.margin, 1)
        if self.serve_cost is not None:
            checks.positive("scorecard", "serve_cost", self.serve_cost)
        checks.positive("scorecard", "rate", self.rate, 1)
        checks.share("scorecard", "level", self.level)
        checks.whole("scorecard", "min_group", self.min_group, 1)
        checks.whole("scorecard", "seed", self.seed, 0)


@dataclass(frozen=True, eq=False)
class Parts:
    """What the page is made of; None where the data do not allow it, with the reason in ``why``."""

    board: Board
    money: Money
    lines: list[Line]
    goals: pd.DataFrame
    groups: pd.DataFrame
    profiles: pd.DataFrame
    campaigns: pd.DataFrame
    effects: pd.DataFrame | None
    members: pd.DataFrame | None
    ahead: Ahead | None
    value: Valued | None
    why: dict[str, str]

    def line(self, key: str) -> Line:
        """One measure."""
        return next(line for line in self.lines if line.key == key)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Put the scorecard together.

    Parameters
    ----------
    data : Dataset
        Needs orders; costs, breadth, contacts and campaigns are shown where their tables are there, goals where the data set's TOML
        file names them.
    params : Params

    Returns
    -------
    Result
        Tables: goals, customers, money, buying, lifecycle, reach, profit, parts, growth, forecast, value, matrix, segments, states,
        profiles, campaigns, freshness. Charts: goals_chart, trends, bridge, forecast_chart, value_chart, matrix_chart. Outputs: none.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history, or the period cannot be read.
    DataError
        There is no whole period, or hardly anybody bought in the last one.

    References
    ----------
    Ang (2005), "The LMDI approach to decomposition analysis: a practical guide", Energy Policy 33. Cochran (1977), Sampling
    Techniques. Fader, Hardie and Lee (2005), Marketing Science 24.
    """
    return page_of(parts_of(data, params), params)


def page_of(parts: Parts, params: Params) -> Result:
    """Lay out what was computed.

    Parameters
    ----------
    parts : Parts
    params : Params

    Returns
    -------
    Result
    """
    board, data = parts.board, parts.board.data
    form, level = board.form, board.level
    people = int((board.life.sizes().sum()) if board.life is not None else board.value("customers", board.now) or 0)
    tables: dict[str, Table] = views.measure_tables(parts.lines, board)
    tables |= {"profit": views.profit_table(parts.money, board), "freshness": views.freshness_table(board)}
    charts: dict[str, Chart | None] = {"trends": charts_of.trends_chart(parts.lines, board)}
    tables["goals"] = views.goals_table(parts.goals, form, level)
    if len(parts.goals):
        charts["goals_chart"] = charts_of.goals_chart(parts.goals, form, level)
    if parts.effects is not None and parts.members is not None:
        tables |= {"parts": views.parts_table(parts.effects, board), "growth": views.growth_table(parts.members, board)}
        charts["bridge"] = _revenue_bridge(parts)
    if parts.ahead is not None:
        tables["forecast"] = views.forecast_table(parts.ahead, board)
        charts["forecast_chart"] = charts_of.forecast_chart(parts.ahead, board)
    if parts.value is not None:
        what = words.worth(parts.value, board)
        tables["matrix"] = views.matrix_table(parts.value, board, what)
        charts["matrix_chart"] = charts_of.matrix_chart(parts.value, board)
        if len(parts.value.changes):
            tables["value"] = views.value_table(parts.value, board, what)
            charts["value_chart"] = _value_bridge(parts, what)
    for kind, name in (("segment", "segments"), ("state", "states")):
        if len(parts.groups) and (parts.groups["kind"] == kind).any():
            tables[name] = views.groups_table(parts.groups, kind, board)
    if len(parts.campaigns):
        tables["campaigns"] = campaigns_table(parts.campaigns, board)
    if parts.profiles["kept"].any():
        tables["profiles"] = views.profiles_table(parts.profiles, board)
    drawn = {name: chart for name, chart in charts.items() if chart is not None}
    return Result(
        title="Is the customer programme working?",
        context=Context(data.name, data.title, board.end, board.first, people, form),
        params=params,
        findings=words.findings_of(parts),
        metrics=words.metrics_of(parts),
        tables=tables,
        charts=drawn,
        method=words.method_of(parts),
        warnings=words.warnings_of(parts),
        limits=words.limits_of(parts),
        absent=words.absent_of(parts, {*tables, *drawn}),
        outputs={"measures": Output("All measures of all periods, with intervals", _measures(board), ("number", "measure"))},
    )


def parts_of(data: Dataset, params: Params) -> Parts:
    """Compute everything that the page shows.

    Parameters
    ----------
    data : Dataset
    params : Params

    Returns
    -------
    Parts
    """
    board = board_of(
        data, params.as_of, params.period, margin=params.margin, level=params.level, min_group=params.min_group
    )  # fmt: skip
    money = money_of(board, params.serve_cost)
    why: dict[str, str] = {}
    ahead: Ahead | None = None
    value: Valued | None = None
    if data.descriptor.rounds == "year":
        why["ahead"] = "People give or renew once a year here: quarters are not forecast."
    else:
        try:
            ahead = quarters_ahead(data.orders, board.end, level=params.level, seed=params.seed)
        except (DataError, ModelError, ConvergenceError) as error:
            why["ahead"] = f"No forecast. {error}"
    try:
        value = valued(board, params.rate, params.seed)
    except (DataError, ModelError, ConvergenceError) as error:
        why["value"] = f"The base could not be valued. {error}"
    campaigns, why["campaigns"] = campaigns_of(board)
    profiles = profiles_of(board)
    why["profiles"] = "Segments are too few or too small to be told apart."
    if len(profiles):
        why["profiles"] = (
            f"No segment surely stands out: none of {len(profiles)} comparisons of what they buy, when, where and how they came shows a "
            "standardised difference of at least 0.2 with an interval that excludes 0."
        )
    effects = members = None
    if board.compared is not None:
        lines = data.order_lines if "order_lines" in data.tables else None
        both = two_periods(data.orders, board.spans[board.compared], board.span, lines).to_pandas()
        both = both.sort_values("customer_id", kind="stable", ignore_index=True)
        try:
            effects = decompose(both, level=params.level, seed=params.seed)
        except ModelError:
            # Pieces that do not add up to more than 0 say nothing of prices.
            both = both.drop(columns=["pieces_before", "pieces_after"], errors="ignore")
            effects = decompose(both, level=params.level, seed=params.seed)
        members = growth(both, level=params.level)
    return Parts(
        board, money, lines_of(board, money), goals_of(board, ahead), groups_of(board, money), profiles, campaigns, effects, members, ahead,
        value, why,
    )  # fmt: skip


def _revenue_bridge(parts: Parts) -> Chart:
    board, effects = parts.board, parts.effects
    assert effects is not None
    total = effects[effects["part"] == "total"].iloc[0]
    middle = effects[effects["part"] != "total"][["part", "effect", "low", "high"]]
    ends = [
        {"part": name, "effect": total[side], "low": 0.0, "high": 0.0}
        for name, side in (("before", "before"), ("after", "after"))
    ]
    steps = pd.concat([pd.DataFrame(ends[:1]), middle, pd.DataFrame(ends[1:])], ignore_index=True)
    then = "a year ago" if board.year is not None else "period before"
    caption = (
        "How revenue got from then to now: what each part would have brought by itself, with "
        f"{board.form.share(board.level)} intervals. The parts add up exactly."
    )
    return charts_of.bridge_chart(steps, board, then, "this period", "revenue", caption)


def _value_bridge(parts: Parts, what: str) -> Chart:
    board, value = parts.board, parts.value
    assert value is not None
    steps = value.changes.rename(columns={"value": "effect"})
    then = "a year ago" if board.year is not None else "a period ago"
    caption = f"How the value of the base changed, with {board.form.share(board.level)} intervals. Value: {what}."
    return charts_of.bridge_chart(steps, board, then, "today", "a value", caption)


def _measures(board: Board) -> pd.DataFrame:
    return board.sums.drop(columns=["short"]).sort_values(["number", "measure"], kind="stable", ignore_index=True)
