"""The season in which customers buy, and the level of it all: learnt together with the customers' own rates, by weeks.

What customers bought in a week is held against what they were expected to buy in it, given all that is known of each: so neither a base
that grows nor customers who leave are taken for a season.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from crmlab.errors import ConvergenceError, ModelError
from crmlab.models.btyd.beta_geometric import BetaGeometric
from crmlab.models.btyd.clock import DAYS, Clock
from crmlab.models.btyd.covariates import refuse_covariates
from crmlab.models.btyd.effects import FREE, PRIOR, REACH, ROUNDS, STILL, Effects, Mixed, Weeks, effects_of, weeks_of
from crmlab.models.btyd.exposure import Exposure
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, compress
from crmlab.models.threads import one_thread

__all__ = ["SHORTEST", "fit_clock", "spend_by_day"]


SHORTEST = DAYS  # days of history without which no season is seen
_LONGEST = 8  # years that the season is learnt from, the last
_THIN = 20_000  # customers whom the parameters are fitted to while the clock is learnt
_NEAR = 0.05  # of the log of a rate: the customers drawn have said what they can


def fit_clock(
    model: BetaGeometric,
    summary: Any,
    purchases: pd.Series,
    end: dt.date,
    *,
    known: Mapping[dt.date, float | str] | None = None,
    level: bool = True,
) -> Clock:
    """Learn the clock of a history together with a model of purchases.

    Parameters
    ----------
    model : BGNBD or MBGNBD
        Its options are used; it is not changed.
    summary : table
        Customers at the end of the history: frequency, recency and T, in weeks.
    purchases : Series
        Repeat purchases of all of them by day, indexed by date.
    end : datetime.date
        Last day of the history.
    known : mapping of date to float or str, optional
        Days of past and future that stand apart: the factor where it is known (0 where nothing can be bought), or the name of an event,
        whose factor is learnt from its past days.
    level : bool
        Whether the level may move; else it is constant.

    Returns
    -------
    Clock

    Raises
    ------
    ModelError
        The history is shorter than a year, or a model cannot be fitted.
    ConvergenceError
        The clock does not stand still.

    Notes
    -----
    The joint likelihood, penalised as in :func:`effects_of`. Its derivative by the log of a week's rate is what was seen in the week less
    what was expected in it, given all that is known of each customer; where that is nothing, EM stands still too. But EM goes on slowly
    where a level that falls and customers who leave look alike; so each step is Newton's, with what the data tell of all weeks together
    while the parameters follow (see :class:`~crmlab.models.btyd.exposure.Information`). Curvatures are of at most 20,000 customers,
    drawn; what was expected, and in the last steps the parameters, are of all.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, for the model; Dempster, Laird and Rubin (1977) for EM, and
    Louis (1982), Finding the observed information matrix when using the EM algorithm, JRSS B 44, for the steps.
    """
    if not getattr(model, "learns_clock", False):
        raise ModelError.expected("fit_clock", "model", "a BGNBD or MBGNBD", type(model).__name__)
    hint = "Learn the clock with a model without them, and give it to the one with them."
    refuse_covariates("fit_clock", model, hint)
    columns, weight = model.checked_columns(summary, fitting=True)
    states = compress(columns, weight)
    first_day = np.round(states.columns[2] * 7).astype(np.int64)
    length = int(first_day.max(initial=0)) + 1
    if length <= SHORTEST:
        raise ModelError.needs("fit_clock", f"more than {SHORTEST} days of history", f"{length:,}")
    length = min(length, _LONGEST * DAYS)
    first = end - dt.timedelta(days=length - 1)
    events = _Events(known or {})
    weeks = weeks_of(first, end, events.numbered)
    shut = events.shut(first, end)
    seen = purchases.reindex(pd.date_range(first, end)).fillna(0.0).to_numpy(float) if len(purchases) else np.zeros(length)
    seen = np.where(shut, 0.0, seen)
    with one_thread():
        learning = _Learning(model, states, (seen, shut), (end, weeks, events), level=level)
        clock = learning.clock()
    return replace(clock, years=length / DAYS)


class _Learning:
    """Season and level of a history, and the parameters of a model on their clock, step by step."""

    def __init__(
        self,
        model: BetaGeometric,
        states: States,
        days: tuple[Array, Any],
        calendar: tuple[dt.date, Weeks, _Events],
        *,
        level: bool,
    ) -> None:
        (self.seen, self.shut), (self.end, self.weeks, self.events) = days, calendar
        self.length, self.model = len(self.seen), model
        self.whole = Exposure(model, states, self.length)
        self.share = min(1.0, _THIN / states.n)
        self.thin = self.whole if self.share == 1 else Exposure(model, _thinned(states, self.share), self.length)
        self.level = level

    def clock(self) -> Clock:
        """Learn it: with the customers drawn until it moves little, then with all, until it stands still."""
        frame = pd.DataFrame(dict(zip(("frequency", "recency", "T"), self.thin.states.columns, strict=True)))
        clock = Clock(end=self.end, special=self.events.factors({}))
        params = clone(self.model).set_params(clock=clock).fit(frame.assign(weight=self.thin.states.weight)).parameters()
        open_days = np.where(self.shut, 0.0, self.thin.by_day(params, self.thin.timed(clock.rates(1 - self.thin.total, 0))))
        mixed = Mixed(self.weeks, self.weeks.sums(open_days) > 0, self.level)
        found, weekday, variances = Effects.none(self.weeks), np.ones(7), PRIOR
        moved, reach, everybody = np.inf, REACH, self.thin is self.whole
        for step in range(ROUNDS):
            # Variances that go round in circles are held in the end.
            held = step >= FREE
            params, there, weekday, variances = self._step(mixed, params, (clock, found), (variances, held), everybody)
            gap = there.fitted - found.fitted
            last, moved = moved, float(np.abs(gap - gap.mean()).max())
            # A rate that is next to nothing may go on shrinking for ever: it moves no purchases.
            rates = [np.exp(one.fitted - one.fitted.max()) for one in (there, found)]
            still = float(np.minimum(np.abs(gap - gap.mean()), np.abs(rates[0] - rates[1])).max())
            # Steps that grow go round in circles: shorter ones, until they grow no more.
            reach = min(2 * reach, REACH) if moved <= last else reach / 2
            found = found.towards(there, moved / reach)
            clock = _clock(self.end, self.weeks, found, weekday, self.events, self.length)
            if still < STILL and everybody:
                return _clock(self.end, self.weeks, mixed.averaged(found), weekday, self.events, self.length)
            if still < _NEAR and not everybody:
                everybody, moved = True, np.inf
        raise ConvergenceError.not_reached("fit_clock", [f"{ROUNDS} steps, the last of {still:.2g} in a rate"])

    def _step(
        self, mixed: Mixed, params: Array, now: tuple[Clock, Effects], variances: tuple[Array, bool], everybody: bool
    ) -> tuple[Array, Effects, Array, Array]:
        """Parameters at a clock, and effects, weekdays and logs of variances one step from it."""
        clock, found = now
        rates = clock.rates(1 - self.whole.total, 0)
        drawn, share = self.thin, self.share
        then = rates[len(rates) - drawn.total :]
        params, curvature = drawn.nearest(params, drawn.timed(then))
        told = drawn.information(params, then, self.weeks.of_day, curvature)
        if everybody and drawn is not self.whole:
            drawn, then = self.whole, rates
            params, _ = drawn.nearest(params, drawn.timed(then), curvature / share)
            told, share = replace(told, matrix=told.matrix / share), 1.0
        expected = drawn.by_day(params, drawn.timed(then)) * rates[len(rates) - self.length :]
        expected, seen = np.where(self.shut, 0.0, expected), self.seen * share
        weekday = _weekdays(seen, expected, self.end - dt.timedelta(days=self.length - 1), clock.weekday)
        there, found_variances = mixed.step(found.fitted, self.weeks.sums(seen - expected), told, *variances)
        return params, there, weekday, found_variances


def _thinned(states: States, share: float) -> States:
    """Some of the customers, drawn whatever the order of rows."""
    kept = np.random.default_rng(0).poisson(states.weight * share).astype(float)
    some = kept > 0
    return States([column[some] for column in states.columns], kept[some], np.empty(0, dtype=np.int64))


def _weekdays(seen: Array, expected: Array, first: dt.date, weekday: Array) -> Array:
    """Factors of the days of the week, drawn towards 1 by as much as 50 purchases on each; ``weekday``: those in what is expected."""
    day = (np.arange(len(seen)) + first.weekday()) % 7
    came, told = (np.bincount(day, weights=part, minlength=7) for part in (seen, expected / weekday[day]))
    told = told * max(came.sum(), 1e-9) / max(told.sum(), 1e-9)
    found = (came + 50) / (told + 50)
    out: Array = found / found.mean()
    return out


def _clock(end: dt.date, weeks: Weeks, found: Effects, weekday: Array, events: _Events, length: int) -> Clock:
    days = np.arange(length)
    level = np.exp(np.interp(days, weeks.middle, found.level - found.level[-1]))
    return Clock(
        end=end,
        season=found.by_day,
        weekday=weekday,
        level=level,
        level_error=np.interp(days, weeks.middle, found.level_error),
        special=events.factors(dict(enumerate(np.exp(found.events).tolist()))),
        covariance=found.covariance,
        drift=float(found.variances[2]),
        dispersion=max(found.dispersion, 1.0),
    )


class _Events:
    """Days that stand apart: with a factor that is known, or an event's, by its number."""

    def __init__(self, known: Mapping[dt.date, float | str]) -> None:
        self.given = {day: float(value) for day, value in known.items() if not isinstance(value, str)}
        names = sorted({value for value in known.values() if isinstance(value, str)})
        self.numbered = {day: names.index(value) for day, value in known.items() if isinstance(value, str)}

    def shut(self, first: dt.date, end: dt.date) -> Any:
        """Which days of a history say nothing, because nothing could be bought."""
        out = np.zeros((end - first).days + 1, dtype=bool)
        for day, factor in self.given.items():
            if factor == 0 and first <= day <= end:
                out[(day - first).days] = True
        return out

    def factors(self, learnt: Mapping[int, float]) -> dict[dt.date, float]:
        """Factor of each day; of an event that has not been seen 1."""
        return self.given | {day: learnt.get(number, 1.0) for day, number in self.numbered.items()}


def spend_by_day(ratio: pd.Series, count: pd.Series, season: Array) -> Array:
    """Season of spend: what a purchase brings by day of the year, over what the customer spends on the mean.

    Parameters
    ----------
    ratio : Series
        Sum over the repeat purchases of a day of spend over the customer's own mean, indexed by date.
    count : Series
        How many they were, by the same index. Of both the purchase's own part in that mean may be left out.
    season : array of shape (365,)
        Rate of purchases by day of the year, by which the mean is weighted.

    Returns
    -------
    array of shape (365,)
        Drawn towards 1 by as much as the data leave it open; its mean weighted by ``season`` is 1.
    """
    if not len(count):
        return np.ones(DAYS)
    first, end = count.index.min().date(), count.index.max().date()
    days = pd.date_range(first, end)
    weeks = weeks_of(first, end)
    came, told = (weeks.sums(part.reindex(days).fillna(0.0).to_numpy(float)) for part in (ratio, count))
    # What a purchase brings varies far less than whether there is one: held to a Poisson number's chance the season was shrunk away.
    spend = effects_of(came, told, weeks, counts=False).by_day
    out: Array = spend * season.sum() / (spend @ season)
    return out
