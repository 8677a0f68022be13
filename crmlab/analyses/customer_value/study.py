"""The study of customer value: what customers are worth, and how the forecast behind it did on what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.backtesting import Backtest, backtest
from crmlab.analyses.customer_value.base import Base, base_of
from crmlab.analyses.customer_value.choosing import Choice, unknown
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.scoring import need_models, scores
from crmlab.analyses.customer_value.valuation import Valuation, value_customers
from crmlab.errors import ConvergenceError, ModelError
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.params import Params
    from crmlab.analyses.customer_value.scoring import Modelled
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
    fit : Modelled
        The models.
    tested : Backtest or None
        What the models forecast of a period that is known; None where nothing was checked.
    untested : str
        Why nothing was checked; empty where something was.
    found : Valuation
        What the customers are worth.
    """

    context: Context
    params: Params
    base: Base
    fit: Modelled
    tested: Backtest | None
    untested: str
    found: Valuation

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers."""
        title = f"List of {self.base.words.many} with value, tier and outlook"
        return {"customers": Output(title, self.found.customers, ("customer_id",))}


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
    context = replace(history.context(len(fit.summary)), as_of=base.end, first_day=base.first)
    found = value_customers(worth)
    return Study(context=context, params=params, base=base, fit=fit, tested=tested, untested=untested, found=found)


def _tested(base: Base, choice: Choice, params: Params) -> tuple[Backtest | None, str]:
    """The backtest of the models, or why there is none."""
    if choice.ranked is None:
        return None, choice.untested
    try:
        return backtest(base, choice.ranked, level=params.level, min_group=params.min_group), ""
    except (ModelError, ConvergenceError) as error:
        if params.holdout is not None:
            raise
        return None, unknown(base, choice.ranked.holdout, error)
