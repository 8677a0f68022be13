"""The report: a study of what to offer, put on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.cross_sell import charts, tables, words
from crmlab.analyses.cross_sell.params import Params
from crmlab.analyses.cross_sell.quantities import QUANTITIES
from crmlab.analyses.cross_sell.study import study
from crmlab.history.past import History
from crmlab.page.exhibits import Exhibits, page

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.result import Result

__all__ = ["EXHIBITS", "run"]

EXHIBITS = Exhibits(
    tables={
        "scope": tables.scope_table,
        "pairs": tables.pairs_table,
        "worth": tables.worth_table,
        "substitutes": tables.substitutes_table,
        "bundles": tables.bundles_table,
        "removed": tables.removed_table,
        "backtest": tables.backtest_table,
        "by_history": tables.history_table,
        "cycles": tables.cycles_table,
    },
    charts={
        "offers": charts.offers_chart,
        "hits": charts.hits_chart,
        "opportunity": charts.opportunity_chart,
        "lift": charts.lift_chart,
        "heatmap": charts.heatmap_chart,
        "network": charts.network_chart,
    },
)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say which offers to make to whom, and how surely they would have met what people then bought.

    Parameters
    ----------
    data : Dataset
        Needs order lines; names, categories, costs and last days of sale come from products, suppression from customers, where
        they are there.
    params : Params

    Returns
    -------
    Result
        Tables: scope, pairs, worth, substitutes, bundles, removed, backtest, by_history, cycles. Charts: offers, hits, opportunity, lift,
        heatmap, network. Outputs: rules, offers, cycles, due.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        ``as_of`` is outside the history; ``level_of`` is "category" where no product has one.
    """
    return page(study(History(data, params.as_of), params), EXHIBITS, words, QUANTITIES)
