"""What one campaign earned: everything that its page shows, worked out once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.campaigns.looks import Look, look_of, looked
from crmlab.analyses.campaigns.matching import match_counts
from crmlab.analyses.campaigns.measurement import Measured, choose_campaign, compared, known_cells, measured
from crmlab.analyses.campaigns.moments import first_days
from crmlab.analyses.campaigns.past import COLUMNS, Past, past_of
from crmlab.analyses.campaigns.results.by_cell import CellEarnings, cell_earnings, components_of
from crmlab.analyses.campaigns.results.depth import Ranked, ranked
from crmlab.analyses.campaigns.results.health_checks import Health, health
from crmlab.analyses.campaigns.results.params import Params
from crmlab.analyses.campaigns.rounds import Rounds, rounds_of
from crmlab.collecting import collect_value
from crmlab.data.memory.campaigns import open_memory
from crmlab.history.customers import is_purchase
from crmlab.history.orders import between
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

__all__ = ["Study", "measure", "study"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of one campaign shows.

    Attributes
    ----------
    context : Context
    params : Params
    found : Measured
        What its cells did.
    health : Health
        Whether the numbers mean anything.
    frame : DataFrame
        Every cell against its control, see :func:`~crmlab.analyses.campaigns.measurement.compared`.
    money : CellEarnings
        What it earned.
    components : DataFrame or None
        Main effects and interactions of what cells are made of; None where cells do not tell them apart.
    no_components : str
        Why not.
    order : int
        2: components with their interactions.
    days : DataFrame
        First purchases by cell and day.
    ranked : Ranked
        Who was worth contacting.
    past : Past
        Past cells, of the data set and of the campaign memory.
    rounds : Rounds or None
        All rounds of the test together, where this campaign is one of several.
    matched : DataFrame or None
        Orders by code and by latest contact; None where there are no responses.
    codes : int or None
        How many responses name a code; None where there are no responses.
    recorded : bool
        Whether orders are recorded as responses; where they are not, ``matched`` counts those of the order history.
    """

    context: Context
    params: Params
    found: Measured
    health: Health
    frame: pd.DataFrame
    money: CellEarnings
    components: pd.DataFrame | None
    no_components: str
    order: int
    days: pd.DataFrame
    ranked: Ranked
    past: Past
    matched: pd.DataFrame | None
    codes: int | None = None
    recorded: bool = True
    rounds: Rounds | None = None

    @property
    def look(self) -> Look:
        """Which look this is."""
        return self.health.look

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Every comparison, and past cells."""
        per = {name: name.replace("profit", "profit_per_contact") for name in ("profit", "profit_low", "profit_high")}
        caption = "Past cells: difference in the share who bought, and profit per contact where margin and cost of the offer are known"
        return {
            "comparisons": Output(
                "Every cell against its control, all metrics", _told(self.found, self.frame), ("metric", "cell")
            ),
            "past_cells": Output(caption, self.past.cells[list(COLUMNS)].rename(columns=per), ("campaign", "cell")),
        }


def study(history: History, params: Params) -> Study:
    """Measure, check, compare and look back.

    Raises
    ------
    CampaignError
        No such campaign, its cells make no test, or nobody was contacted.
    """
    data, end = history.data, history.as_of
    codes, recorded = _recorded(history)
    cells, memory = known_cells(data), open_memory()
    campaign = choose_campaign(cells, data.contacts, end, params.campaign)
    found = measured(data, campaign, end, margin=params.margin, min_group=params.min_group)
    look = look_of(found, end, params.level, params.looks, params.boundary, looked(memory, campaign))
    checked = health(history, found, cells, look)
    frame = compared(found, level=look.level, correction=params.correction, adjust=params.adjust)
    earned = cell_earnings(found, frame, level=look.level, adjust=params.adjust, unit=history.form.currency)
    parts, why, order = components_of(found, level=look.level, correction=params.correction, adjust=params.adjust)
    return Study(
        context=history.context(len(history.summary())),
        params=params,
        found=found,
        health=checked,
        frame=frame,
        money=earned,
        components=parts,
        no_components=why,
        order=order,
        days=first_days(found.table),
        ranked=ranked(found, level=look.level, correction=params.correction, seed=params.seed, min_group=params.min_group),
        past=past_of(
            history,
            memory,
            now=found,
            margin=params.margin,
            level=params.level,
            adjust=params.adjust,
            min_group=params.min_group,
        ),
        matched=_matched(history, found, recorded),
        codes=codes,
        recorded=recorded,
        rounds=rounds_of(
            history, found, margin=params.margin, level=params.level, adjust=params.adjust, min_group=params.min_group
        ),
    )


def _recorded(history: History) -> tuple[int | None, bool]:
    """How many responses name a code (None where there are no responses), and whether orders are recorded among them."""
    responses = history.responses
    if responses is None:
        return None, False
    coded = int(collect_value(responses["response_code"].count())) if "response_code" in responses.columns else 0
    return coded, bool(collect_value((responses["kind"] == "order").sum()) or 0)


def _matched(history: History, found: Measured, recorded: bool) -> pd.DataFrame | None:
    """Orders by cell: those recorded as responses, or where none are (only visits, say) those of the order history."""
    import ibis

    if history.responses is None:
        return None
    data, responses = history.data, history.responses
    if not recorded:
        orders = between(history.orders, min(found.days["opens"]), max(found.days["last"]))
        bought = orders.filter(is_purchase(orders))
        responses = bought.select("customer_id", "order_id", responded_at=bought["ordered_at"], kind=ibis.literal("order"))
    return match_counts(responses, data.contacts, data.cells, found.days, history.as_of, history.customers)


def measure(
    data: Dataset,
    campaign: str,
    *,
    as_of: dt.date,
    cells: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    params: Params | None = None,
    earlier: tuple[dt.date, ...] = (),
) -> pd.DataFrame:
    """Measure a campaign, as ``crmlab campaign results`` records it.

    Parameters
    ----------
    data : Dataset
    campaign : str
    as_of : datetime.date
        Last day of history.
    cells, people : DataFrame, optional
        As the campaign memory has them; default: the tables of the data set.
    params : Params, optional
        Of which level, looks, boundary, correction, adjust and margin are used.
    earlier : tuple of datetime.date
        Days of earlier looks: intervals are so wide that all looks together keep the level.

    Returns
    -------
    DataFrame
        A row per metric (response, spend, margin, profit, all per contact; spend alone where no margin is known, profit_before_offer
        where nothing says what the cell's offer costs) and cell with a control, as
        :func:`crmlab.models.testing.comparisons.compare_cells` gives it, without lifts; with ``error``, the standard error of the estimate.
    """
    params = params or Params()
    found = measured(data, campaign, as_of, cells=cells, people=people, margin=params.margin)
    look = look_of(found, as_of, params.level, params.looks, params.boundary, earlier)
    return _told(found, compared(found, level=look.level, correction=params.correction, adjust=params.adjust))


def _told(found: Measured, frame: pd.DataFrame) -> pd.DataFrame:
    """Comparisons without lifts, and with no profit that is none."""
    bare = frame.drop(columns=[name for name in frame.columns if name.startswith("lift")])
    if not found.margin.known:
        return bare[~bare["metric"].isin(("margin", "profit"))].reset_index(drop=True)
    before = (bare["metric"] == "profit") & bare["cell"].isin(found.unpriced)
    return bare.assign(metric=bare["metric"].mask(before, "profit_before_offer"))
