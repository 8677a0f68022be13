"""The study of customer value: what customers are worth, and how the forecast behind it did on what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.backtesting import Backtest, backtest
from crmlab.analyses.customer_value.base import Base, base_of
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import unknown
from crmlab.analyses.customer_value.leaderboard import Leaderboard, held_against
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.scoring import need_models, scores
from crmlab.analyses.customer_value.seasonal import Seasonal, seasonal_of
from crmlab.analyses.customer_value.sentences import spend_of
from crmlab.analyses.customer_value.valuation import Valuation, value_customers
from crmlab.errors import ConvergenceError, ModelError
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.params import Params
    from crmlab.analyses.customer_value.scoring import Modelled, Scores
    from crmlab.history.consent import Consent
    from crmlab.history.past import History

__all__ = ["Study", "readiness", "study"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of customer value shows.

    Attributes
    ----------
    context : Context
    params : Params
    base : Base
        The customers, and the words that go with them.
    worth : Scores
        What each customer is worth.
    fit : Modelled
        The models.
    tested : Backtest or None
        What the models forecast of a period that is known; None where nothing was checked.
    untested : str
        Why nothing was checked; empty where something was.
    board : Leaderboard
        The forecast that is used, and its rivals, from several earlier days.
    found : Valuation
        What the customers are worth.
    seasonal : Seasonal
        Season and level of the base, and whether its forecasts follow them.
    best : Consent
        How many of tier A may be contacted.
    """

    context: Context
    params: Params
    base: Base
    worth: Scores
    fit: Modelled
    tested: Backtest | None
    untested: str
    board: Leaderboard
    found: Valuation
    seasonal: Seasonal
    best: Consent

    @property
    def few(self) -> bool:
        """Whether customers are too few for tiers, and for anything to be told of a single one."""
        return self.worth.few

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers, and the leaderboard where there is one."""
        title = f"List of {self.base.words.many} with value, tier and outlook"
        # The first to look at come first; where nobody is ranked, by id.
        ranked = self.found.customers.sort_values(["customer_rank", "customer_id"], kind="stable", ignore_index=True)
        customers = Output(title, ranked, ("customer_id",))
        if self.board.why:
            return {"customers": customers}
        title = f"Leaderboard: all forecasting methods, for {self.base.words.deeds} and for {spend_of(self.base.words, 'amounts given')}"
        return {
            "customers": customers,
            "leaderboard": Output(title, self.board.listed, ("target", "periods_ahead", "forecaster")),
        }


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    ParameterError
        The holdout period leaves too little, or the model does not fit the data set.
    ModelError, ConvergenceError, TooLittleError
        The models cannot be fitted: nobody bought, or nobody bought again, say.
    """
    need_models(base_of(history), params)
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Value the customer base, and hold the forecast behind it against what came.

    Raises
    ------
    ParameterError
        The holdout period leaves too little, or the model does not fit the data set.
    ModelError
        The models cannot be fitted: nobody bought again, say.
    """
    worth = scores(history, params)
    base, fit = worth.base, worth.fit
    tested, untested = _tested(base, fit.choice, params)
    context = replace(history.context(len(fit.summary)), until=base.end, since=base.first)
    found = value_customers(worth)
    top = worth.points.loc[worth.points["tier"] == "A", "customer_id"]
    return Study(
        context=context,
        params=params,
        base=base,
        worth=worth,
        fit=fit,
        tested=tested,
        untested=untested,
        board=held_against(base, fit.choice, level=params.level, seed=params.seed),
        found=found,
        seasonal=seasonal_of(base, fit.choice, params.level),
        best=history.consent(top),
    )


def _tested(base: Base, choice: Choice, params: Params) -> tuple[Backtest | None, str]:
    """The backtest of the models, or why there is none."""
    if choice.ranked is None:
        return None, choice.untested
    try:
        return backtest(base, choice.ranked, choice.name, level=params.level, min_group=params.min_group), ""
    except (ModelError, ConvergenceError) as error:
        if params.holdout is not None:
            raise
        return None, unknown(base, choice.ranked.holdout, error)
