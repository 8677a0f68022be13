"""What weeks do to a rate: a season, a level that moves, events and weeks that stand out, told apart by a mixed model of weekly sums."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.clock import DAYS, WEEK_OF_DAY, WEEKS, week_of_year
from crmlab.models.btyd.exposure import Information
from crmlab.models.btyd.special import Array

__all__ = ["FREE", "PRIOR", "REACH", "ROUNDS", "STILL", "Effects", "Mixed", "Weeks", "effects_of", "weeks_of"]


ROUNDS = 30
FREE = 10  # rounds in which the variances are looked for: mostly five are enough for all
REACH = 1.0  # of the log of a rate, at most in one step: further it is far from straight
STILL = 1e-3  # of the log of a rate: the clock stands still
_STEPS = 8  # of the variances, and of what has no parameters to follow
_FAR = 1.5  # of the log of a variance, at most in one step
_EXACT = 1e-3  # of it
_LOWEST = np.array([-12.0, -12.0, -12.0, 0.0])
_EVEN = -4.0  # log of the lowest dispersion of what is no number of purchases
_FEW = 0.5  # purchases that a week is taken to expect at least, for how much it tells
_NEIGHBOURS = 3.0  # weeks within which a season is much the same
_TAILS = 4.0  # degrees of freedom of what single weeks are off by (Lange, Little and Taylor 1989)
_GRID = np.linspace(-2.5, 2.5, 11)  # of the level's variance: deviations of its log from the prior median
_LIGHT = 1e-4  # weight under which a variance is left out
_LAGS = 2  # weeks over which what stands out may last
_EVENT = 0.25  # variance of the log of what an event does, before anything is known
# Where the variances are looked for: of the smooth season, of single weeks, of the level in a year, and the dispersion; medians and
# deviations of their logs. A season of ±20% is usual, and a level that moves by 5% a year; by 17% is within 90%. A few hundred
# customers tell little of how much the level moves, so that its posterior mean is not far from that of the prior, (9%)²: from (12%)²
# intervals of a year were more than 1.5 times as wide as chance where the level stood.
PRIOR = np.log([0.05, 0.01, 0.0025, 2.0])
_WIDTH = np.array([1.5, 1.5, 1.5, 1.0])


@dataclass(frozen=True, eq=False)
class Weeks:
    """The weeks of a history, each within one week of the year.

    Attributes
    ----------
    of_day : array of int of shape (n_days,)
        Week of each day of the history, the first day being 0.
    season : array of int of shape (n_weeks,)
        Week of the year, 0 to 51.
    middle : array of float of shape (n_weeks,)
        Middle, in days from the first; weeks are in its order.
    event : array of int of shape (n_weeks,)
        Which event's days these are; −1 for usual days. Days of an event are weeks of their own.
    """

    of_day: npt.NDArray[np.int64]
    season: npt.NDArray[np.int64]
    middle: Array
    event: npt.NDArray[np.int64]

    def sums(self, by_day: Array) -> Array:
        """Sums over weeks of what came on each day."""
        return np.bincount(self.of_day, weights=by_day, minlength=len(self.season)).astype(float)


def weeks_of(first: dt.date, end: dt.date, events: Mapping[dt.date, int] | None = None) -> Weeks:
    """Cut a history into weeks of the year.

    Parameters
    ----------
    first, end : datetime.date
    events : mapping of date to int, optional
        Days that stand apart, and the number of what happens on them.

    Examples
    --------
    >>> weeks_of(dt.date(2023, 12, 28), dt.date(2024, 1, 8)).season.tolist()
    [51, 0, 1]
    """
    days = np.arange(np.datetime64(first, "D"), np.datetime64(end, "D") + 1)
    year = days.astype("datetime64[Y]").astype(np.int64)
    event = np.full(len(days), -1, dtype=np.int64)
    for day, number in (events or {}).items():
        place = (day - first).days
        if 0 <= place < len(days):
            event[place] = number
    week = week_of_year(days)
    key = ((year - year[0]) * WEEKS + week) * (event.max(initial=-1) + 2) + event + 1
    _, start, of_day = np.unique(key, return_index=True, return_inverse=True)
    middle = np.bincount(of_day, weights=np.arange(len(days))) / np.bincount(of_day)
    # By their middles: days of an event may lie before the middle of the rest of their week.
    order = np.argsort(middle, kind="stable")
    return Weeks(np.argsort(order)[of_day], week[start][order], middle[order], event[start][order])


@dataclass(frozen=True, eq=False)
class Effects:
    """Logs of what weeks do to a rate.

    Attributes
    ----------
    season : array of shape (52,)
    level : array of shape (n_weeks,)
        Of each week of the history.
    level_error : array of shape (n_weeks,)
        Standard deviation of the level of each week less that of the last.
    events : array of shape (n_events,)
    covariance : array of shape (53, 53)
        Of the season, and of the level of the last week against the mean of season and level over what was seen.
    fitted : array of shape (n_weeks,)
        All of it together.
    variances : array of shape (3,)
        Of the smooth season, of single weeks, and of the level in a year.
    dispersion : float
        Variance of what comes in weeks as large as those of the last year, over that by chance: of those that stand out too, and of
        neighbours together.
    """

    season: Array
    level: Array
    level_error: Array
    events: Array
    covariance: Array
    fitted: Array
    variances: Array
    dispersion: float

    @property
    def by_day(self) -> Array:
        """Factor of the season by day of the year, of shape (365,); mean 1."""
        found = np.exp(self.season)[WEEK_OF_DAY]
        out: Array = found / found.mean()
        return out

    @classmethod
    def none(cls, weeks: Weeks) -> Self:
        """No effects."""
        size, events = len(weeks.season), weeks.event.max(initial=-1) + 1
        flat = np.zeros(size)
        covariance = np.zeros((WEEKS + 1, WEEKS + 1))
        return cls(np.zeros(WEEKS), flat, flat, np.zeros(events), covariance, flat, np.exp(PRIOR[:3]), 1.0)

    def towards(self, other: Effects, distance: float) -> Effects:
        """Effects on the way from these to others, at a distance of at most 1."""
        share = min(1.0, 1 / max(distance, 1e-9))
        moved = {
            name: getattr(self, name) + share * (getattr(other, name) - getattr(self, name))
            for name in ("season", "level", "events", "fitted")
        }
        return replace(other, **moved)


def effects_of(seen: Array, expected: Array, weeks: Weeks, *, level: bool = True, counts: bool = True) -> Effects:
    """Say what the season and the level of a history are, from what was seen and what was expected in each week.

    Parameters
    ----------
    seen, expected : arrays of shape (n_weeks,)
        Sums of the same thing. Weeks in which nothing was expected say nothing.
    weeks : Weeks
    level : bool
        Whether the level may move.
    counts : bool
        Whether they are numbers of purchases, which vary by chance at least as a Poisson number does. Else they may vary less.

    Returns
    -------
    Effects

    Notes
    -----
    A Poisson regression with dispersion, by penalised quasi-likelihood: log of the rate = constant + smooth season (a Gaussian process
    round the year) + single weeks + level (a random walk) + events. Variances maximise the restricted likelihood of the working
    responses, under weak priors: each effect is so drawn towards nothing by as much as the data leave it open. What single weeks are off
    by is Student's t: a sale that nobody declared is no new level, and is not thought to come again in its week. But such weeks will come
    too, at other times: the dispersion is that of all weeks, as they would vary were they as large as those of the last year. For what
    makes a week stand out moves all who buy in it: in a base that has grown it adds more than it did.

    References
    ----------
    Breslow and Clayton (1993), Approximate inference in generalized linear mixed models, JASA 88: penalised quasi-likelihood, section 2.
    Patterson and Thompson (1971), Recovery of inter-block information when block sizes are unequal, Biometrika 58.
    Gilmour, Thompson and Cullis (1995), Average information REML, Biometrics 51: how the variances are found.
    Lange, Little and Taylor (1989), Robust statistical modeling using the t distribution, JASA 84.
    Newey and West (1987), A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix,
    Econometrica 55: the dispersion, where what stands out lasts for some weeks.
    """
    known = expected > 0
    if not known.any():
        raise ModelError.needs("effects_of", "at least one week in which something is expected", "none")
    mixed, log_variances, found = Mixed(weeks, known, level, counts), PRIOR, Effects.none(weeks)
    found = replace(found, fitted=found.fitted + np.log(max(seen[known].sum(), _FEW) / expected[known].sum()))
    for step in range(ROUNDS):
        mean = expected * np.exp(found.fitted)
        told = Information(np.diag(np.maximum(mean, _FEW)), -mean / mean.sum())
        there, log_variances = mixed.step(found.fitted, seen - mean, told, log_variances, step >= FREE)
        moved = float(np.abs(there.fitted - found.fitted).max())
        found = found.towards(there, moved / REACH)
        if moved < STILL:
            break
    return mixed.averaged(found)


class Mixed:
    """The linear mixed model of the working responses.

    Parameters
    ----------
    weeks : Weeks
    known : array of bool of shape (n_weeks,)
        In which something is expected.
    level : bool
        Whether the level may move.
    counts : bool
        As of :func:`effects_of`.
    """

    def __init__(self, weeks: Weeks, known: Any, level: bool, counts: bool = True) -> None:
        self.weeks, self.known, self.level = weeks, known, level
        self.lowest = _LOWEST if counts else np.append(_LOWEST[:3], _EVEN)
        place, years = weeks.season[known], weeks.middle / DAYS
        apart = np.abs(np.arange(WEEKS)[:, None] - np.arange(WEEKS))
        self.smooth = np.exp(-0.5 * (np.minimum(apart, WEEKS - apart) / _NEIGHBOURS) ** 2)
        self.years = years - years.min() + 1 / WEEKS
        self.at = place
        self.parts = [self.smooth[np.ix_(place, place)], (place[:, None] == place).astype(float)]
        self.moves = np.minimum(self.years[:, None], self.years[known]) if level else np.zeros((len(known), len(place)))
        self.parts.append(self.moves[known])
        event = weeks.event[known]
        self.own = _EVENT * ((event[:, None] == event) & (event >= 0))
        self.outlying = np.ones(len(place))  # how many times as uncertain as usual each week is

    def step(self, fitted: Array, gap: Array, told: Information, log_variances: Array, held: bool) -> tuple[Effects, Array]:
        """Effects, and logs of the variances, one step from the logs of rates, with what was seen less what was expected at them.

        With ``held`` the variances stay as they are.
        """
        known = self.known
        chance: Array = np.linalg.inv(told.matrix[np.ix_(known, known)]).astype(float)
        response = fitted[known] + chance @ gap[known]
        root = np.sqrt(self.outlying)
        noise: Array = root[:, None] * chance * root
        log_variances = log_variances if held else self._variances(response, noise, log_variances)
        self.last = response, noise, told.today[known], log_variances
        found = self._solved(*self.last)
        left = self._left(response, noise, np.exp(log_variances))
        if not held:
            self.outlying = self._outlying(np.diag(left), np.exp(log_variances[3]) * np.diag(chance))
        return replace(found, dispersion=_dispersion(left, np.diag(chance), self.years[known])), log_variances

    def _outlying(self, left: Array, usual: Array) -> Array:
        """How many times as uncertain as usual each week is: a step of EM for Student's t. None tells more than chance lets it."""
        return np.maximum((_TAILS + left / usual) / (_TAILS + 1), 1.0)

    def _left(self, response: Array, noise: Array, variances: Array) -> Array:
        """Second moments of what weeks are off by, beside season, level and events, given what was seen."""
        _, projected, _ = self._projected(noise, variances)
        spread = variances[3] * noise
        left = spread @ (projected @ response)
        out: Array = np.outer(left, left) + spread - spread @ projected @ spread
        return out

    def _projected(self, noise: Array, variances: Array) -> tuple[Array, Array, float]:
        """Inverse of the covariance of the responses, the same without their mean, and the log of its determinant."""
        matrix = self.own + sum(v * part for v, part in zip(variances, [*self.parts, noise], strict=True))
        root = np.linalg.cholesky(matrix)
        inverse = np.linalg.inv(matrix)
        ones = inverse.sum(axis=1)
        return inverse, inverse - np.outer(ones, ones) / ones.sum(), float(2 * np.log(np.diag(root)).sum() + np.log(ones.sum()))

    def _variances(self, response: Array, noise: Array, start: Array) -> Array:
        """Logs of the variances that maximise the restricted likelihood; of counts the dispersion is at least that of a Poisson number."""
        parts, best, found, step = [*self.parts, noise], np.inf, start, np.zeros(len(start))
        for _ in range(_STEPS):
            variances = np.exp(found)
            loss, projected = self._loss(response, noise, found)
            pull, off = projected @ response, (found - PRIOR) / _WIDTH
            if loss > best + 1e-9:
                # Too far: half of the way.
                step = step / 2
                found = found - step
                if np.abs(step).max() < _EXACT:
                    break
                continue
            best = loss
            pulls = np.array([v * (part @ pull) for v, part in zip(variances, parts, strict=True)])
            trace = np.array([v * np.einsum("ij,ij->", projected, part) for v, part in zip(variances, parts, strict=True)])
            slope = 0.5 * (trace - pulls @ pull) + off / _WIDTH
            curvature = 0.5 * pulls @ projected @ pulls.T + np.diag(1 / _WIDTH**2)
            free = np.append(np.ones(3, dtype=bool), not (found[3] <= self.lowest[3] and slope[3] > 0))
            step = np.zeros(len(start))
            step[free] = -np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
            step *= min(1.0, _FAR / max(float(np.abs(step).max()), 1e-9))
            step = np.maximum(found + step, self.lowest) - found
            found = found + step
            if np.abs(step).max() < _EXACT:
                break
        out: Array = found
        return out

    def _loss(self, response: Array, noise: Array, log_variances: Array) -> tuple[float, Array]:
        """Minus the log of the restricted likelihood and of the priors; and the inverse covariance of responses without their mean."""
        _, projected, size = self._projected(noise, np.exp(log_variances))
        off = (log_variances - PRIOR) / _WIDTH
        return float(0.5 * (size + response @ projected @ response + off @ off)), projected

    def averaged(self, found: Effects) -> Effects:
        """Effects with what is not known of how much the level moves: its variance is the posterior mean, and the covariance over all.

        A few hundred customers tell little of that variance: at its likeliest value alone a level that moves is thought to stand.
        """
        if not self.level:
            return found
        response, noise, today, log_variances = self.last
        each = np.tile(log_variances, (len(_GRID), 1))
        each[:, 2] = PRIOR[2] + _WIDTH[2] * _GRID
        loss = np.array([self._loss(response, noise, one)[0] for one in each])
        weight = np.exp(loss.min() - loss)
        weight /= weight.sum()
        covariance, error, drift = np.zeros_like(found.covariance), np.zeros(len(found.level)), 0.0
        for w, one in zip(weight, each, strict=True):
            if w < _LIGHT:
                continue
            there = self._solved(response, noise, today, one)
            gap = self._told(there, today) - self._told(found, today)
            covariance += w * (there.covariance + np.outer(gap, gap))
            moved = there.level - there.level[-1] - (found.level - found.level[-1])
            error += w * (there.level_error**2 + moved**2)
            drift += w * float(np.exp(one[2]))
        return replace(
            found,
            covariance=covariance,
            level_error=np.sqrt(error),
            variances=np.array([*found.variances[:2], drift]),
        )

    def _told(self, found: Effects, today: Array) -> Array:
        """What a forecast is made of: the season, and the level of the last week with what follows today's rate."""
        return np.append(found.season, found.level[-1] + today @ (found.season[self.at] + found.level[self.known]))

    def _solved(self, response: Array, noise: Array, today: Array, log_variances: Array) -> Effects:
        """Effects at known variances."""
        variances, known, weeks = np.exp(log_variances), self.known, self.weeks
        inverse, projected, _ = self._projected(noise, variances)
        ones = inverse.sum(axis=1)
        constant = ones @ response / ones.sum()
        pull = inverse @ (response - constant)
        to_season = variances[0] * self.smooth[:, self.at] + variances[1] * (np.arange(WEEKS)[:, None] == self.at)
        moves = variances[2] * self.moves
        season, level = to_season @ pull, moves @ pull
        number = np.arange(weeks.event.max(initial=-1) + 1)
        events = _EVENT * (weeks.event[known] == number[:, None]).astype(float) @ pull
        fitted = constant + season[weeks.season] + level
        fitted[weeks.event >= 0] += events[weeks.event[weeks.event >= 0]]
        # Covariance of what a forecast is made of: the season, and the level of the last week with what follows today's rate.
        spread = (self.parts[0] * variances[0] + self.parts[1] * variances[1]) @ today
        prior = np.zeros((WEEKS + 1, WEEKS + 1))
        prior[:WEEKS, :WEEKS] = variances[0] * self.smooth + variances[1] * np.eye(WEEKS)
        prior[WEEKS, :WEEKS] = prior[:WEEKS, WEEKS] = to_season @ today
        prior[WEEKS, WEEKS] = spread @ today
        if self.level:
            prior[WEEKS, WEEKS] += variances[2] * self.years[-1] + 2 * moves[-1] @ today + today @ (moves[known] @ today)
        cross = np.vstack([to_season, moves[-1] + today @ moves[known] + spread])
        covariance = prior - cross @ projected @ cross.T
        apart = moves - moves[-1]
        left = variances[2] * (self.years[-1] - self.years) - ((apart @ projected) * apart).sum(axis=1)
        error = np.sqrt(np.maximum(left, 0.0)) if self.level else np.zeros(len(level))
        return Effects(season, level, error, events, covariance, fitted, variances[:3], float(variances[3]))


def _dispersion(left: Array, chance: Array, years: Array) -> float:
    """Variance of weeks as large as those of the last year over that by chance.

    What makes weeks stand out moves all who buy in them: it adds a variance in the square of how many they are, chance one in their
    number. Neighbours share it (Newey and West 1987): what stands out may last for some weeks.
    """
    size = 1 / chance
    counts = left * np.outer(size, size)
    lags = np.arange(1, _LAGS + 1)
    shared = sum((1 - lag / (_LAGS + 1)) * np.trace(counts, lag) for lag in lags)
    more = (np.trace(counts) + 2 * shared - size.sum()) / (size @ size)
    last = size[years > years[-1] - 1]
    return float(1 + more * (last @ last) / last.sum())
