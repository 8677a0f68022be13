"""The lifecycle of a base, what is counted of it, where it leads, and the list of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.analyses import customer_value
from crmlab.analyses.lifecycle.accounts import (
    balance,
    cohort_frame,
    conversion_frame,
    curves_frame,
    growth,
    matrix_frame,
    sizes_frame,
    states_frame,
)
from crmlab.analyses.lifecycle.futures import drawn_states, model_ahead, model_checked, standing_on
from crmlab.analyses.lifecycle.life import Chain, Life, life_of, limits_of
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.projection import (
    Ahead,
    Check,
    Fate,
    ahead,
    checked,
    dates_ahead,
    misses_of,
    slowing_fate,
)
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.history.enough import need_buyers
from crmlab.page.declarations import Readiness
from crmlab.page.estimate import Estimate
from crmlab.page.groups import OTHER, small_groups
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.lifecycle.params import Params
    from crmlab.history.context import Margin
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
    slowing : Fate or None
        Share of the slowing who will be gone a step later; None where too few are slowing, or moves are known of too few periods.
    steps : int
        How far is projected.
    future : Ahead or None
        The base projected, with intervals as wide as earlier projections missed by; None where moves are known of too few
        periods.
    modelled : bool
        Whether the base is projected by the model of purchases that values it; else, with yearly rounds and where the base cannot be
        valued, by its moves between states.
    test : Check or None
        An earlier projection, and what came; None where too little was known by then.
    margin : Margin
        Gross margin: how much, and where it is from.
    scores : customer_value.Scores or None
        What each customer is worth; None where the base cannot be valued.
    value : DataFrame
        By state, as of :func:`crmlab.analyses.customer_value.sums`, small states together; without rows where ``scores`` is None.
    unvalued : str
        Why the base cannot be valued.
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
    slowing: Fate | None
    steps: int
    future: Ahead | None
    modelled: bool
    test: Check | None
    margin: Margin
    scores: customer_value.Scores | None
    value: pd.DataFrame
    unvalued: str

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list: a row per customer and prospect, with state, since when, rhythm, and whether they may be contacted."""
        names = ["customer_id", "state", "since", "days_since_last", "last_occasion", "occasions", "mean_gap", "own"]
        names += ["slowing_after", "lapsed_after", "lost_after", "contactable", "refusal"]
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
    chain = life.chain() if life.periods >= LEAST_PERIODS and people >= least else None
    margin = history.margin(params.margin)
    scores, value, unvalued = _valued(history, life, params)
    modelled = scores is not None and not scores.fit.purchases.whole_periods
    future, test = None, None
    if chain is not None:
        future, test = _projected(life, chain, scores if modelled else None, steps, params)
    return Study(
        context=history.context(people),
        params=params,
        life=life,
        states=states_frame(life, least),
        accounts=accounts,
        sizes=sizes_frame(life),
        matrix=matrix_frame(life, level, least) if life.periods else None,
        curves=curves_frame(life, level, least),
        conversion=conversion_frame(life, level, least),
        cohorts=cohort_frame(life, least),
        balance=balance(accounts, life) if people >= least and history.closed is None else None,
        slowing=slowing_fate(life, chain, level, least, seed) if chain is not None else None,
        steps=steps,
        future=future,
        modelled=modelled,
        test=test,
        margin=margin,
        scores=scores,
        value=value,
        unvalued=unvalued,
    )


def _projected(
    life: Life, chain: Chain, scores: customer_value.Scores | None, steps: int, params: Params
) -> tuple[Ahead, Check | None]:
    """The base projected, and an earlier projection: by the model of scores, or by moves alone."""
    level, seed, dates = params.level, params.seed, dates_ahead(life, steps)
    if scores is None:
        test = checked(life, level, seed)
        found = ahead(chain, life.steps_to(dates), level, seed)
        return found.widened(misses_of(life, len(life.even) - 1, level), test), test
    fit = scores.fit
    test = model_checked(life, fit.choice, level, seed)
    now = standing_on(life.history, fit.summary, life.limits)
    futures = drawn_states(fit.purchases, now, dates, seed)
    return model_ahead(futures, now, level).widened(None, test), test


def _valued(history: History, life: Life, params: Params) -> tuple[customer_value.Scores | None, pd.DataFrame, str]:
    """What customers are worth, by state, from the owner of value; or why that cannot be told."""
    import pandas as pd

    choices = customer_value.Params(margin=params.margin, rate=params.rate, level=params.level, seed=params.seed)
    try:
        found = customer_value.scores(history, choices)
    except (DataError, ModelError, ConvergenceError) as error:
        return None, pd.DataFrame(), f"The base could not be valued. {error}"
    states = life.customers.set_index("customer_id")["state"].reindex(found.points["customer_id"])
    few = small_groups(states.value_counts(), params.min_group)
    return found, customer_value.sums(found, states.where(~states.isin(few), OTHER).to_numpy(object)), ""
