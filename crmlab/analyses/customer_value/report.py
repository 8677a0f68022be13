"""The report: a study of customer value, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import charts, standings, tables, words
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.quantities import QUANTITIES
from crmlab.analyses.customer_value.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "tiers": tables.tiers_table,
        "invest": tables.invest_table,
        "parameters": tables.parameters_table,
        "season": tables.season_table,
        "leaderboard": standings.leaderboard_table,
        "origins": standings.origins_table,
        "deciles": standings.deciles_table,
        "scores": tables.scores_table,
        "models": tables.models_table,
    },
    charts={
        "tiers": charts.tiers_chart,
        "invest": charts.invest_chart,
        "season": charts.season_chart,
        "leaderboard": standings.leaderboard_chart,
        "calibration": charts.calibration_chart,
        "track": charts.track_chart,
        "maps": charts.maps_chart,
        "spend": charts.spend_chart,
    },
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Value the customer base, and say how far the forecast behind it can be trusted.

    Parameters
    ----------
    data : Dataset
        Needs orders; takes the margin from order lines and unit costs where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: tiers, invest, season, leaderboard, origins, deciles, scores, models, parameters. Charts: tiers, invest, season,
        leaderboard, calibration, track, maps, spend; invest and maps only where drop-out can be seen, season only where one could be
        learnt and tested, calibration and track only where a holdout period could be kept back; leaderboard, origins and deciles only
        where forecasts can be made from an earlier day. Outputs: customers, leaderboard.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history, the holdout period leaves too little, or the model does not fit the data set.
    ModelError
        The models cannot be fitted: nobody bought again, say.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, Marketing Science 24; and RFM and CLV, JMR 42.
    Schmittlein, Morrison and Colombo (1987); Batislam, Denizel and Filiztekin (2007); Fader, Hardie and Shang (2010).
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
