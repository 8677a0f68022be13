"""By how much the forecast missed a time that is already known: what headlines say of it, and how wide intervals are at least."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from crmlab.analyses.customer_value.backtesting import expected_spend, simple_rules
from crmlab.analyses.customer_value.forecasters import forecaster_of
from crmlab.errors import ConvergenceError, ModelError
from crmlab.history.words import ROUNDS, WEEKS, Words

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.choice import Choice
    from crmlab.page.format import Format

    Number = TypeVar("Number", float, npt.NDArray[np.float64])

__all__ = ["Miss", "miss_of"]

_NEAR = 0.005  # shares below this are shown as none
_CLOSER = {"last_year": "simply repeating last year’s pace", "average": "simply repeating the historic average"}


@dataclass(frozen=True, kw_only=True)
class Miss:
    """What the model that is used forecast of the holdout period, and what came.

    Attributes
    ----------
    forecast, seen : float
        Purchases in the holdout period; not a number where nothing was checked.
    spend_forecast, spend_seen : float
        Spend in it; not a number where nothing was checked, or no spend could be forecast.
    closer : str
        The simple rule that came closest to what was seen (of spend, where that is known), in words, where it came closer than the
        model, and there is no leaderboard to say so of several days.
    holdout : int
        Periods kept back; 0 where nothing was checked.
    words : Words
        Of the base.
    scaled_to : str
        The forecaster to whose total forecasts are scaled since, in words; empty where none is.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> found = Miss(forecast=3524.0, seen=4529.0, spend_forecast=600.0, spend_seen=900.0, holdout=34)
    >>> found.said(Format())
    'The model’s forecast of spend in the last 34 weeks was 33% too low.'
    >>> [round(float(end)) for end in found.widened(100.0, 90.0, 110.0)]
    [67, 150]
    >>> [round(float(end)) for end in found.widened(100.0, 90.0, 110.0, money=False)]
    [78, 129]
    >>> [round(float(end)) for end in found.widened(100.0, 50.0, 200.0)]
    [50, 200]
    """

    forecast: float = math.nan
    seen: float = math.nan
    spend_forecast: float = math.nan
    spend_seen: float = math.nan
    closer: str = ""
    holdout: int = 0
    words: Words = WEEKS
    scaled_to: str = ""

    @property
    def checked(self) -> bool:
        """Whether anything was held against what came."""
        return self.holdout > 0

    @property
    def in_money(self) -> bool:
        """Whether the forecast of spend can be held against what came."""
        return self.checked and self.spend_forecast > 0 and self.spend_seen > 0

    def factor(self, *, money: bool = True) -> float:
        """How many times too large or too small the forecast was; 1 where nothing was checked.

        Parameters
        ----------
        money : bool
            Of a sum of money: the wider of the miss in spend and the miss in purchases. Else that in purchases, where half a purchase is
            added if none came, or none was forecast.
        """
        if not self.checked:
            return 1.0
        more = 0.0 if self.forecast > 0 and self.seen > 0 else 0.5
        ratios = [(self.seen + more) / (self.forecast + more)]
        if money and self.in_money:
            ratios.append(self.spend_seen / self.spend_forecast)
        return max(max(ratio, 1 / ratio) for ratio in ratios)

    def widened(self, value: Number, low: Number, high: Number, *, money: bool = True) -> tuple[Number, Number]:
        """The ends of the interval of an amount, moved outwards as far as the miss where they do not reach so far already.

        An interval of the model carries what it knows of its own errors: parameters, chance, season and level. So nothing is widened
        twice. But no interval is narrower than what was missed of a known time, both ways: nobody knows on which side the next miss
        lies.

        Parameters
        ----------
        value, low, high : float or arrays
            The amount, and the ends of its interval.
        money : bool
            As of :meth:`factor`.
        """
        factor = self.factor(money=money)
        ends = value / factor, value * factor
        return np.minimum(low, np.minimum(*ends)), np.maximum(high, np.maximum(*ends))

    def said(self, form: Format) -> str:
        """What the check said, as a sentence that follows a headline on money: of spend, or where that is not known of purchases."""
        scaled = (
            f" Sums are now scaled to another forecast ({self.scaled_to}), which is shown to be closer."
            if self.scaled_to
            else ""
        )
        return self._found(form) + scaled

    def _found(self, form: Format) -> str:
        if not self.checked:
            return "No earlier forecast could be checked against the actual figures."
        span, deeds = self.words.span(self.holdout), self.words.deeds
        if not self.seen:
            return f"The model forecast {form.count(self.forecast)} {deeds} for the last {span}, and there were none."
        bias, of = self.forecast / self.seen - 1, f"{deeds} in"
        if self.in_money:
            bias = self.spend_forecast / self.spend_seen - 1
            of = "the money given in" if self.words is ROUNDS else "spend in"
        if abs(bias) < _NEAR:
            return f"The model’s forecast of {of} the last {span} was right to within 1%."
        text = f"The model’s forecast of {of} the last {span} was {form.share(abs(bias))} too {'low' if bias < 0 else 'high'}"
        return f"{text}; {self.closer} came closer." if self.closer else f"{text}."


def miss_of(base: Base, choice: Choice) -> Miss:
    """Hold the forecast of the chosen model against what came in the holdout period.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base.
    """
    found, lead = choice.ranked, choice.lead
    names = dict.fromkeys(forecaster_of(name).lower() for name in lead.taken.values())
    scaled_to = " and ".join(names)
    if found is None:
        return Miss(words=base.words, scaled_to=scaled_to)
    row = found.ranking.loc[choice.name]
    forecast, seen = float(row["expected_purchases"]), float(row["holdout_purchases"])
    horizon, model = float(found.holdout), found.models[choice.name]
    rules, rule_spend = simple_rules(found.held, base.age, horizon)
    money, came = math.nan, float(found.held["holdout_spend"].sum())
    try:
        each = expected_spend(model, found.held, base.words.unit, horizon)
    except (ModelError, ConvergenceError):
        came = math.nan  # spend had nothing to learn from by then: only purchases are known
    else:
        money = float(each.sum())
    miss = Miss(
        forecast=forecast,
        seen=seen,
        spend_forecast=money,
        spend_seen=came,
        holdout=found.holdout,
        words=base.words,
        scaled_to=scaled_to,
    )
    if lead.span:
        return miss  # simple rules were asked on several days, and the leaderboard says how they did: one day more says little
    tried, told, mine, least = (rule_spend, came, money, 0.0) if miss.in_money else (rules, seen, forecast, 0.5)
    off = {name: abs(float(rule.sum()) - told) for name, rule in tried.items()}
    best = min(off, key=lambda name: off[name])
    return replace(miss, closer=_CLOSER[best]) if off[best] < abs(mine - told) - least else miss
