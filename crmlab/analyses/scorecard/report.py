"""The report: a study of the programme, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.scorecard import charts, measure_tables, tables, words
from crmlab.analyses.scorecard.params import Params
from crmlab.analyses.scorecard.quantities import QUANTITIES
from crmlab.analyses.scorecard.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "five": measure_tables.five_table,
        "customers": measure_tables.customers_table,
        "money": measure_tables.money_table,
        "buying": measure_tables.buying_table,
        "lifecycle": measure_tables.lifecycle_table,
        "reach": measure_tables.reach_table,
        "profit": tables.profit_table,
        "freshness": tables.freshness_table,
        "goals": tables.goals_table,
        "parts": tables.parts_table,
        "growth": tables.growth_table,
        "forecast": tables.forecast_table,
        "promises": tables.promises_table,
        "matrix": tables.matrix_table,
        "value": tables.value_table,
        "segments": tables.segments_table,
        "states": tables.states_table,
        "campaigns": tables.campaigns_table,
        "profiles": tables.profiles_table,
    },
    charts={
        "trends": charts.trends_chart,
        "goals_chart": charts.goals_chart,
        "bridge": charts.bridge_chart,
        "forecast_chart": charts.forecast_chart,
        "matrix_chart": charts.matrix_chart,
        "value_chart": charts.value_chart,
    },
    lead={"The scorecard in brief": ("five",), "How well past forecasts turned out": ("promises",)},
    opens=True,
)


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
        Tables: five, goals, customers, money, buying, lifecycle, reach, profit, parts, growth, forecast, promises, value, matrix,
        segments, states, profiles, campaigns, freshness. Charts: goals_chart, trends, bridge, forecast_chart, value_chart,
        matrix_chart. Outputs: measures.

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
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
