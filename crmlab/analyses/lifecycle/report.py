"""The report: a study of the lifecycle, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.lifecycle import charts, tables, words
from crmlab.analyses.lifecycle.params import Params
from crmlab.analyses.lifecycle.quantities import QUANTITIES
from crmlab.analyses.lifecycle.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "states": tables.states_table,
        "thresholds": tables.thresholds_table,
        "conversion": tables.conversion_table,
        "growth": tables.growth_table,
        "sizes": tables.sizes_table,
        "matrix": tables.matrix_table,
        "check": tables.check_table,
        "value": tables.value_table,
    },
    charts={
        "growth": charts.growth_chart,
        "sizes": charts.sizes_chart,
        "revenue": charts.revenue_chart,
        "sankey": charts.sankey_chart,
        "time": charts.time_chart,
        "projection": charts.projection_chart,
        "cohorts": charts.cohorts_chart,
    },
)


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
    Blumen, Kogan and McCarthy (1955), The industrial mobility of labor as a probability process.
    Kaplan and Meier (1958), JASA 53. Aalen and Johansen (1978), Scandinavian Journal of Statistics 5.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
