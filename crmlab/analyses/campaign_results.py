"""Campaign results: what each cell of a campaign earned over its control, and how surely.

Incremental is cell against control and nothing else: what contacted people bought is compared with what people bought who were
drawn from the same list by chance and not contacted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab import checks
from crmlab.analyses import campaign_results_charts as charts
from crmlab.analyses import campaign_results_views as views
from crmlab.analyses.campaign_results_cells import Measured, choose_campaign, known_cells, measured
from crmlab.analyses.campaign_results_compare import compared
from crmlab.analyses.campaign_results_depth import Ranked, ranked
from crmlab.analyses.campaign_results_health import Health, Look, health, look_of
from crmlab.analyses.campaign_results_history import History, history_of, past_cells, remembered
from crmlab.analyses.campaign_results_money import Money, components_of, money
from crmlab.analyses.campaign_results_words import findings_of, limits_of, method_of, metrics_of, warnings_of
from crmlab.analyses.common import context_of
from crmlab.data.campaigns import open_memory
from crmlab.features.campaign_moments import first_days
from crmlab.features.match_back import match_counts
from crmlab.features.orders import history
from crmlab.models.max_t import CORRECTIONS
from crmlab.models.sequential import KINDS
from crmlab.result import Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

NEEDS = ("cells", "contacts", "orders")
MEMORY = True  # the campaign memory is read too: past campaigns, and looks taken


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    campaign: str | None = None  # which campaign; default: the last whose windows are over, else the last that began
    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    correction: str = "max-t"  # for several cells: "max-t", "holm" (Bonferroni's intervals) or "none"
    level: float = 0.95  # of every interval
    adjust: bool = True  # take off what spend in the year before the contact differed by; for money only
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else margin is revenue
    looks: int | None = (
        None  # looks at the campaign so far, this one included; default: those in the campaign memory, and this one
    )
    boundary: str = "lan-demets-obf"  # of a campaign that is looked at more than once: or "lan-demets-pocock"
    min_group: int = 5  # cells and segments of fewer customers are not shown
    seed: int = 0  # decides which households are scored together

    def __post_init__(self) -> None:
        checks.day("campaign_results", "as_of", self.as_of)
        checks.choice("campaign_results", "correction", self.correction, CORRECTIONS)
        checks.share("campaign_results", "level", self.level)
        if self.margin is not None:
            checks.positive("campaign_results", "margin", self.margin, 1)
        if self.looks is not None:
            checks.whole("campaign_results", "looks", self.looks, 1, 50)
        checks.choice("campaign_results", "boundary", self.boundary, [kind for kind in KINDS if kind.startswith("lan")])
        checks.whole("campaign_results", "min_group", self.min_group, 1)
        checks.whole("campaign_results", "seed", self.seed, 0)


@dataclass(frozen=True, eq=False)
class Parts:
    """What the page is made of; None where the data do not allow it, with the reason in ``absent``."""

    found: Measured
    health: Health
    frame: pd.DataFrame  # every cell against its control, see compared
    money: Money
    components: pd.DataFrame | None
    order: int  # 2: components with their interactions
    days: pd.DataFrame  # first purchases by cell and day
    ranked: Ranked
    history: History
    matched: pd.DataFrame | None
    campaigns: tuple[str, ...]
    as_of: dt.date
    absent: dict[str, str]

    @property
    def look(self) -> Look:
        """Which look this is."""
        return self.health.look


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a campaign earned over its control, cell by cell.

    Parameters
    ----------
    data : Dataset
        Needs cells, contacts and orders; codes come from responses, margins from order lines and unit costs where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: health, cells, money, components, segments, history, next_plan, matched, balance. Charts: forest, components, days,
        depth, history. Outputs: comparisons, past_cells.

    Raises
    ------
    MissingTableError
        There are no cells, contacts or orders.
    CampaignError
        No such campaign, its cells make no test, or nobody was contacted.
    ParameterError
        ``as_of`` is outside the history.
    """
    parts = parts_of(data, params)
    context = context_of(data, params.as_of, int(parts.found.counts["n"].sum()))
    form = context.form
    tables = views.tables_of(parts, form, params)
    pictures = charts.charts_of(parts, form, params)
    every = (*views.TABLES, *charts.CHARTS)
    absent = {
        name: parts.absent.get(name, "These data do not allow it.") for name in every if name not in {**tables, **pictures}
    }
    outputs = {
        "comparisons": Output(
            "Every cell against its control, all metrics",
            parts.frame.drop(columns=[name for name in parts.frame.columns if name.startswith("lift")]),
            ("metric", "cell"),
        ),
        "past_cells": Output(
            "Past cells: difference in the share who bought, and profit per contact", parts.history.cells, ("campaign", "cell")
        ),
    }
    return Result(
        title="What each cell of a campaign earned",
        context=context,
        params=params,
        findings=findings_of(parts, form),
        metrics=metrics_of(parts, form.currency),
        tables=tables,
        charts=pictures,
        method=method_of(parts, params),
        warnings=warnings_of(parts, form, params),
        limits=limits_of(parts, form),
        absent=absent,
        outputs=outputs,
    )


def parts_of(data: Dataset, params: Params) -> Parts:
    """Measure, check, compare and look back: everything that the page shows.

    Parameters
    ----------
    data : Dataset
    params : Params

    Returns
    -------
    Parts
    """
    _, end = history(data.orders, params.as_of)
    cells, memory = known_cells(data), open_memory()
    campaign = choose_campaign(cells, data.contacts, end, params.campaign)
    found = measured(data, campaign, end, margin=params.margin, min_group=params.min_group)
    past = memory.results(campaign) if memory.headers(campaign, "results") else pd.DataFrame()
    earlier = tuple(
        sorted({dt.date.fromisoformat(str(day)[:10]) for day in past.get("as_of", pd.Series(dtype=object)).dropna()})
    )
    look = look_of(found, end, params.level, params.looks, params.boundary, earlier)
    checked = health(data, found, cells, look, end)
    options = {"level": look.level, "correction": params.correction, "adjust": params.adjust}
    frame = compared(found, **options)  # type: ignore[arg-type]
    earned = money(found, frame, level=look.level, adjust=params.adjust, unit=data.currency)
    parts, why, order = components_of(found, **options)  # type: ignore[arg-type]
    known = set(cells["campaign_id"].astype(str))
    rows, groups, gone = past_cells(
        data, found, cells, end, margin=params.margin, level=params.level, adjust=params.adjust, min_group=params.min_group
    )
    more = remembered(memory, known)
    looked = history_of(rows, pd.concat([groups, more], ignore_index=True) if len(more) else groups, gone, params.level)
    scores = ranked(found, level=look.level, correction=params.correction, seed=params.seed, min_group=params.min_group)
    absent = dict(scores.reason)
    if parts is None:
        absent["components"] = absent["components_chart"] = why
    if not looked.components:
        absent["history"] = absent["next_plan"] = absent["history_chart"] = (
            "No offer, list or creative was sent in two campaigns whose windows are over: there is nothing to pool yet."
        )
    if not found.varies("margin"):
        absent["forest"] = absent["money"] = "Nobody's spend differs from anybody's: there is no money to compare."
    matched = None
    if "responses" in data.tables:
        homes = data.customers if "customers" in data.tables else None
        matched = match_counts(data.responses, data.contacts, data.cells, found.days, end, homes)
    else:
        absent["matched"] = "The data set holds no responses: codes cannot be counted. What cells earned does not need them."
    return Parts(
        found,
        checked,
        frame,
        earned,
        parts,
        order,
        first_days(found.table),
        scores,
        looked,
        matched,
        tuple(sorted(known)),
        end,
        absent,
    )


def measure(
    data: Dataset,
    campaign: str,
    *,
    as_of: dt.date,
    cells: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    level: float = 0.95,
    correction: str = "max-t",
    adjust: bool = True,
    margin: float | None = None,
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
    level, correction, adjust, margin
        As in :class:`Params`.

    Returns
    -------
    DataFrame
        A row per metric (response, spend, margin, profit, all per contact) and cell with a control, as
        :func:`crmlab.models.comparisons.compare_cells` gives it, without lifts; with ``error``, the standard error of the estimate.
    """
    found = measured(data, campaign, as_of, cells=cells, people=people, margin=margin)
    frame = compared(found, level=level, correction=correction, adjust=adjust)
    return frame.drop(columns=[name for name in frame.columns if name.startswith("lift")])
