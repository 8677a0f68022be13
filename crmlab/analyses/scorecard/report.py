"""The report: what was worked out, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.scorecard import charts as charts_of
from crmlab.analyses.scorecard import tables as views
from crmlab.analyses.scorecard import words
from crmlab.analyses.scorecard.board import Board
from crmlab.analyses.scorecard.campaigns import campaigns_table
from crmlab.analyses.scorecard.params import Params
from crmlab.analyses.scorecard.study import Parts, parts_of
from crmlab.page.result import Chart, Context, Output, Result, Table

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "page_of", "run"]


NEEDS = ("orders",)


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
