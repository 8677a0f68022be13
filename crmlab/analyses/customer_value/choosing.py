"""Which model of purchases is used: the one that tells best what came, chosen in one place for everybody."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value.backtesting import Ranked, ranked
from crmlab.analyses.customer_value.base import DRAWS, SHORTEST, Base, base_of, default_holdout
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.kinds import MODELS
from crmlab.analyses.customer_value.leading import lead_of
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.seasons import Season, judged, learnt
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError
from crmlab.history.words import QUARTER, ROUNDS, YEAR

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.models.btyd.clock import Clock

__all__ = [
    "DEFAULTS",
    "TOO_SHORT",
    "chosen",
    "clock_followed",
    "first_fitting",
    "holdout_of",
    "names_of",
    "season_ahead",
    "told",
    "unknown",
]


DEFAULTS = Params()
# The model by which nobody leaves after a single purchase: so much is taken from it only where it is clearly better.
_NEVER_LEAVES = "bg_nbd"
_LEAST_KNOWN = 4  # weeks before a holdout period
_CLEAR_AIC = 10.0  # a model that is so far behind has hardly any support (Burnham and Anderson 2002, section 2.6)
_LEAST_PASSED = 0.1  # of a span of days past that the days ahead are held against
TOO_SHORT = "The history is too short to keep a part of it back."


def names_of(base: Base, params: Params) -> tuple[str, ...]:
    """Return the names of the models to try."""
    if params.model is None:
        return base.models
    if params.model not in base.models:
        kind = "with yearly rounds" if base.words is ROUNDS else "without rounds"
        raise ParameterError.expected(
            "customer_value", "model", f"{' or '.join(base.models)} for a data set {kind}", params.model
        )
    return (params.model,)


def holdout_of(base: Base, params: Params) -> int | None:
    """Return how many periods are held back to test the models on."""
    if params.holdout is None:
        return default_holdout(base)
    least = 2 if base.words is ROUNDS else _LEAST_KNOWN
    if params.holdout > base.length - least:
        left = f"a number that leaves at least {base.words.span(least)} of {base.words.span(base.length)} of history"
        raise ParameterError.expected("customer_value", "holdout", left, params.holdout)
    return params.holdout


def chosen(history: History | Base, params: Params = DEFAULTS) -> Choice:
    """Choose the model of purchases for a history: the one that tells best what came, as was known on its last day.

    BG/NBD, by which nobody leaves after a single purchase, is chosen only where it is clearly better.

    Everybody who needs a model of purchases asks here, so that all speak of the same one.

    Parameters
    ----------
    history : History or Base
    params : Params
        ``model``, ``holdout`` and ``seed`` matter.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, ConvergenceError, DataError
        None can be fitted; the message is that of the first.
    """
    base = history if isinstance(history, Base) else base_of(history)
    key = ("customer_value.chosen", params.model, params.holdout, params.level, params.seed, params.unseen_season)

    def work() -> Choice:
        found = _choice(base, params)
        return replace(found, day=base.end, lead=lead_of(base, found, params.level, params.seed))

    return base.history.once(key, work, shared_by_all=True)


def _choice(base: Base, params: Params) -> Choice:
    """Choose by the holdout period, or where none can be kept back by AIC.

    By BG/NBD whoever bought once is a customer for ever, however long they have been silent. So it is used only where it tells what
    came better than the best of the others by more than the interval of the difference, and does so too where the holdout period ends
    one, two or three quarters earlier, as far as the history reaches: a good season alone favours the model that expects most. By AIC it
    must be better by 10, since the data that a model was fitted to say little of who is gone.
    """
    names = names_of(base, params)
    holdout = holdout_of(base, params)
    ranking, untested, season = None, TOO_SHORT, judged(base, params.unseen_season)
    if holdout is not None:
        try:
            ranking, untested = ranked(base, holdout, names, season=season, level=params.level, seed=params.seed), ""
        except (ModelError, ConvergenceError) as error:
            # The shorter history may hold too little (nobody had come again yet): the page says that nothing was checked, and why.
            if params.holdout is not None:
                raise
            untested = unknown(base, holdout, error)
    if params.model is not None:
        return Choice(name=params.model, by="given", ranked=ranking, untested=untested, season=season)
    if ranking is not None:
        clear, seasons = ranking.best != _NEVER_LEAVES, 0
        if not clear and ranking.clear:
            clear, seasons = _clear_in_every_season(base, ranking, season, params.seed)
        name = ranking.best if clear else ranking.best_but(_NEVER_LEAVES)
        by = "holdout" if name == ranking.best else "unclear"
        return Choice(name=name, by=by, ranked=ranking, untested=untested, seasons=seasons, season=season)
    name = _of_lowest_aic(base.summary(), names, params.seed)
    return Choice(name=name, by="aic", ranked=None, untested=untested, season=season)


def _clear_in_every_season(base: Base, ranking: Ranked, season: Season, seed: int) -> tuple[bool, int]:
    """Whether the best model is clearly ahead of the next also where as many weeks are kept back a quarter, two and three earlier.

    Returns
    -------
    (clear, tested)
        Whether it is on all of them that could be tested, up to the first on which it is not; and how many were tested.
    """
    tested = 0
    names = (ranking.best_but(ranking.best), ranking.best)
    for back in (QUARTER, 2 * QUARTER, 3 * QUARTER):
        day = base.end - dt.timedelta(days=back)
        if (day - base.first).days < 7 * (ranking.holdout + SHORTEST):
            break
        try:
            found = ranked(base_of(base.history.earlier(day)), ranking.holdout, names, season=season, seed=seed)
        except (ModelError, ConvergenceError):
            continue  # a day too early for a model says nothing of which is better
        tested += 1
        if found.best != ranking.best or not found.clear:
            return False, tested
    return True, tested


def first_fitting(base: Base, params: Params, summary: pd.DataFrame) -> BuyTillYouDie:
    """Fit the first of the models to try that can be fitted, without a clock: to see whether any can.

    Raises
    ------
    ModelError, ConvergenceError
        None can; the message is that of the first.
    """
    first: ModelError | ConvergenceError | None = None
    for name in names_of(base, params):
        try:
            return MODELS[name](draws=DRAWS, seed=params.seed).fit(summary)
        except (ModelError, ConvergenceError) as error:
            first = first or error
    assert first is not None
    raise first


def unknown(base: Base, holdout: int, error: Exception) -> str:
    """Why nothing was checked, where models failed on the shorter history."""
    return f"No forecast could be made of the last {base.words.span(holdout)}: {reason_said(error, base.words, 'that needs')}"


def _of_lowest_aic(summary: pd.DataFrame, names: tuple[str, ...], seed: int) -> str:
    """The model of the lowest AIC, the first of equals; BG/NBD only if clearly so."""
    found: dict[str, float] = {}
    first: ModelError | ConvergenceError | None = None
    for name in names:
        try:
            found[name] = round(MODELS[name](seed=seed).fit(summary).aic_, 2)
        except (ModelError, ConvergenceError) as error:
            first = first or error
    if not found:
        assert first is not None
        raise first
    best = min(found, key=lambda name: found[name])
    others = {name: aic for name, aic in found.items() if name != _NEVER_LEAVES}
    if best != _NEVER_LEAVES or not others:
        return best
    second = min(others, key=lambda name: others[name])
    return best if others[second] - found[best] > _CLEAR_AIC else second


def told(history: History, days: float, choice: Choice | None = None) -> pd.DataFrame:
    """What the chosen model says of each customer: the probability of being one still, and how much they will buy, in the season to come.

    Parameters
    ----------
    history : History
        The model is fitted to all of it.
    days : float
        How far ahead purchases are expected.
    choice : Choice, optional
        Chosen on another day; default: :func:`chosen` on the last day of this history.

    Returns
    -------
    DataFrame
        customer_id, probability_alive, expected_purchases, probability_of_purchase (of one at least); ordered by customer. With yearly
        rounds: of customers of whole years, over as many whole years as ``days`` come to, one at least. All are missing where the model
        is on its boundary: there everybody is alive but for rounding, say, and the differences between customers are no facts about them.

    Raises
    ------
    ModelError, ConvergenceError, DataError
        The model cannot be fitted.
    """
    base = base_of(history)
    choice = choice if choice is not None else chosen(base)
    summary = base.summary()
    model = choice.fit(base, summary)
    if model.boundary_ is not None:
        said = ("probability_alive", "expected_purchases", "probability_of_purchase")
        return summary[["customer_id"]].assign(**dict.fromkeys(said, np.nan))
    ahead = days / 7 if base.words is not ROUNDS else float(max(round(days / YEAR), 1))
    return summary[["customer_id"]].assign(
        probability_alive=model.probability_alive(summary).to_numpy(),
        expected_purchases=model.expected_purchases(summary, ahead).to_numpy(),
        probability_of_purchase=model.probability_of_purchase(summary, ahead).to_numpy(),
    )


def clock_followed(history: History) -> Clock | None:
    """The clock whose season forecasts of a history follow, whichever model is chosen; None where they follow none.

    Parameters
    ----------
    history : History
        What came after it is not known. Where nothing can be forecast, no season is followed.
    """
    try:
        base = base_of(history)
        # Whichever model is chosen follows it: which one need not be known, and takes seconds to find out.
        followed = judged(base, DEFAULTS.unseen_season).used
    except (DataError, ModelError, ConvergenceError):
        return None
    return learnt(base) if followed else None


def season_ahead(history: History, days: float, after: float = 0.0) -> float:
    """How much more one customer buys in the days to come than in as many days past: by season, level, and days closed or of events.

    Parameters
    ----------
    history : History
        What came after it is not known.
    days : float
    after : float
        Days from the end of the history until those days begin.

    Returns
    -------
    float
        1 where forecasts follow no season. Where the days past were closed but for a tenth, what came on the rest says nothing of the
        days ahead: then by season and level alone, and at most as if a tenth of the time had passed.
    """
    clock = clock_followed(history)
    if clock is None:
        return 1.0
    span, start = days / clock.days_per_unit, after / clock.days_per_unit
    if -clock.at(-span) < _LEAST_PASSED * span:
        clock = replace(clock, special={})
    return float(clock.at(start + span) - clock.at(start)) / max(-float(clock.at(-span)), _LEAST_PASSED * span)
