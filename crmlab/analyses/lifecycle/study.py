"""The lifecycle of a base, what is counted of it, where it leads, and the list of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.analyses.lifecycle.accounts import (
    balance,
    cohort_frame,
    conversion_frame,
    curves_frame,
    growth,
    matrix_frame,
    sizes_frame,
    slowing_fate,
    states_frame,
)
from crmlab.analyses.lifecycle.life import Life, life_of, limits_of
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.projection import Ahead, Check, ahead, checked, value_frame
from crmlab.history.enough import need_buyers
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Estimate, Output

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.lifecycle.params import Params
    from crmlab.history.past import History

__all__ = ["Study", "readiness", "study"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of the lifecycle shows.

    Attributes
    ----------
    context : Context
    params : Params
    life : Life
        Thresholds, states on the last day, moves between dates, spells.
    states : DataFrame
        Customers per state on the last day.
    accounts : DataFrame
        Growth accounting: a row for each date but the first.
    sizes : DataFrame
        Customers and revenue per state and date.
    matrix : DataFrame or None
        Probabilities of moves; None where no moves are known.
    curves, conversion : DataFrame
        Time in each state, and what ended it; without rows where spells are too few.
    cohorts : DataFrame
        Share who bought, by cohort and age; without rows where there are no cohorts.
    balance : Estimate or None
        New and reactivated customers for each who lapsed; None where periods are too few.
    slowing : Estimate or None
        Share of the slowing who are gone a step later; None where too few were slowing.
    steps : int
        How far is projected.
    future : Ahead or None
        The base projected; None where moves are known of too few periods.
    test : Check or None
        An earlier projection, and what came; None where too little was known by then.
    margin : float
        Share of spend that counts as value.
    source : str
        Where the margin is from: see :func:`crmlab.history.context.margin_known`.
    value : DataFrame or None
        The value of the base by state; None where nothing is projected.
    """

    context: Context
    params: Params
    life: Life
    states: pd.DataFrame
    accounts: pd.DataFrame
    sizes: pd.DataFrame
    matrix: pd.DataFrame | None
    curves: pd.DataFrame
    conversion: pd.DataFrame
    cohorts: pd.DataFrame
    balance: Estimate | None
    slowing: Estimate | None
    steps: int
    future: Ahead | None
    test: Check | None
    margin: float
    source: str
    value: pd.DataFrame | None

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list: a row per customer and prospect, with state, since when, and rhythm."""
        names = ["customer_id", "state", "since", "days_since_last", "last_occasion", "occasions", "mean_gap", "own"]
        names += ["slowing_after", "lapsed_after", "lost_after"]
        listed = self.life.customers[names].rename(columns={"own": "own_rhythm"})
        listed = listed.assign(mean_gap=listed["mean_gap"].astype(float).round(1))
        return {"customers": Output(f"List of {self.life.words.many} with state and rhythm", listed, ("customer_id",))}


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    DataError
        Nobody bought, or too few came again for thresholds, and they are not given in days.
    ParameterError
        Thresholds do not increase.
    """
    limits_of(history, params)
    need_buyers(history, "lifecycle")
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Say where customers stand, how they move between states, and where that leads.

    Raises
    ------
    ParameterError
        Thresholds do not increase.
    DataError
        Nobody bought, or too few came again for thresholds, and they are not given in days.
    """
    level, least, seed = params.level, params.min_group, params.seed
    readiness(history, params)
    limits = limits_of(history, params)
    life = life_of(history, limits, None, params.step, params.periods)
    people = int(life.sizes().sum())
    accounts = growth(life.moves, life.dates)
    steps = params.horizon or (3 if life.step == 12 else life.year)
    chain = life.chain() if life.periods >= LEAST_PERIODS else None
    margin, source, _ = history.margin(params.margin)
    value = None
    if chain is not None:
        value = value_frame(chain, step=life.step, horizon=steps, rate=params.rate, margin=margin, level=level, seed=seed)
        if not life.lost_watched:
            value = value.drop(columns=["whole", "whole_low", "whole_high"])
    return Study(
        context=history.context(people),
        params=params,
        life=life,
        states=states_frame(life, level, least),
        accounts=accounts,
        sizes=sizes_frame(life),
        matrix=matrix_frame(life, level, least) if life.periods else None,
        curves=curves_frame(life, level, least),
        conversion=conversion_frame(life, level, least),
        cohorts=cohort_frame(life, level, least),
        balance=balance(accounts, life, level, seed),
        slowing=slowing_fate(life, level, least),
        steps=steps,
        future=ahead(chain, steps, level, seed) if chain is not None else None,
        test=checked(life, level, seed) if chain is not None else None,
        margin=margin,
        source=source,
        value=value,
    )
