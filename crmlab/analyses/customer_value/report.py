"""The report: a study of customer value, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import charts, tables, words
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.quantities import QUANTITIES
from crmlab.analyses.customer_value.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "NEEDS", "run"]

NEEDS = ("orders", "amounts", "customer ids")
EXHIBITS = Exhibits(
    tables={
        "tiers": tables.tiers_table,
        "parameters": tables.parameters_table,
        "scores": tables.scores_table,
        "models": tables.models_table,
    },
    charts={
        "tiers": charts.tiers_chart,
        "invest": charts.invest_chart,
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
        Tables: tiers, scores, models, parameters. Charts: tiers, invest, calibration, track, maps, spend; invest and maps only
        where drop-out can be seen, calibration and track only where a holdout period could be kept back. Outputs: customers.

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
