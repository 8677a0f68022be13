"""How well the models of purchases, and two simple rules, would have forecast a period that is already known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.base import Base, base_of, fit_spend
from crmlab.analyses.customer_value.kinds import MODELS
from crmlab.analyses.customer_value.params import NAMES
from crmlab.errors import ConvergenceError, ModelError
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.selection import compare_models
from crmlab.models.btyd.tracking import track
from crmlab.models.classification import gini, mean_with_interval
from crmlab.models.intervals import LEVEL, normal_quantile, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmlab.analyses.customer_value.seasons import Season
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["RULES", "Backtest", "Ranked", "backtest", "calibration", "expected_spend", "label_of", "ranked", "simple_rules"]


RULES = {"last_year": "Same pace as last year", "average": "Historic average"}
_OPEN_BIN = 7  # customers with so many repeat purchases or more are one group of the calibration


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """Models fitted to the history before a holdout period, and which of them tells best what came in it.

    Attributes
    ----------
    holdout : int
        Periods kept back.
    held : DataFrame
        As of :meth:`crmlab.analyses.customer_value.base.Base.held`.
    models : dict of str to fitted model
    ranking : DataFrame
        As of :func:`crmlab.models.btyd.selection.compare_models`.
    best : str
        Name of the model with the highest holdout log-likelihood; of equals the first.
    clear : bool
        Whether all others are behind it by more than the interval of the difference, at 90%.
    failed : dict
        Models that could not be fitted, and why.
    """

    holdout: int
    held: pd.DataFrame
    models: dict[str, BuyTillYouDie]
    ranking: pd.DataFrame
    best: str
    clear: bool
    failed: dict[str, str]

    def best_but(self, name: str) -> str:
        """The model with the highest holdout log-likelihood of all but one; that one, where there is no other."""
        others = [other for other in self.models if other != name]
        return _best(self.ranking, others) if others else name


@dataclass(frozen=True, kw_only=True, eq=False)
class Backtest:
    """What was found on the holdout period.

    Attributes
    ----------
    holdout : int
        Periods kept back.
    split : datetime.date
        Last day of the history that the forecasts saw.
    best : str
        Name of the model that is used.
    ranking : DataFrame
        As of :func:`crmlab.models.btyd.selection.compare_models`.
    scores : DataFrame
        One row per model and rule: name, kind, forecast (with forecast_low, forecast_high; models only), seen, bias (and
        interval), error (mean absolute error of purchases per customer, and interval), spend_error, gini (of spend, and
        interval), covered (share of customers inside their outcome interval, and interval; models only).
    calibration : DataFrame
        One row per group of frequency: label, customers, seen (and interval), and a column per model and rule.
    track : DataFrame
        One row per period, of the best model: as of :func:`crmlab.models.btyd.tracking.track`, with seen and seen_cumulative.
    failed : dict
        Models that could not be fitted, and why.
    """

    holdout: int
    split: dt.date
    best: str
    ranking: pd.DataFrame
    scores: pd.DataFrame
    calibration: pd.DataFrame
    track: pd.DataFrame
    failed: dict[str, str]

    def of(self, name: str) -> pd.Series:
        """The scores of one model or rule."""
        return self.scores.set_index("name").loc[name]


def ranked(base: Base, holdout: int, names: Sequence[str], *, season: Season, level: float = LEVEL, seed: int = 0) -> Ranked:
    """Fit models to the history before a holdout period, and rank them by the likelihood of what came in it.

    Parameters
    ----------
    base : Base
    holdout : int
        Periods kept back.
    names : sequence of str
        Of ``MODELS``.
    season : Season
        Each model has the clock that could be learnt before the holdout period, where it follows one.
    level : float
        Of the intervals of the ranking; the order does not depend on it.
    seed : int

    Raises
    ------
    ModelError
        No model can be fitted; the message is that of the first.
    """
    held = base.held(holdout)
    then = base if base.words is ROUNDS else base_of(base.history.earlier(base.split(holdout)))
    models: dict[str, BuyTillYouDie] = {}
    failed: dict[str, str] = {}
    first: ModelError | ConvergenceError | None = None
    for name in names:
        try:
            bare = MODELS[name](seed=seed)
            models[name] = bare.set_params(clock=season.clock(then)).fit(held)
        except (ModelError, ConvergenceError) as error:
            failed[name], first = str(error), first or error
    if not models:
        assert first is not None
        raise first
    ranking = compare_models(models, held, level=level)
    best = _best(ranking, list(models))
    others = ranking.drop(index=best)
    # Half of an interval is as many standard errors as its level has: the choice does not depend on the level that is shown.
    half = (others["behind"] - others["behind_low"]) * normal_quantile(LEVEL) / normal_quantile(level)
    clear = bool((others["behind"] > half).all())
    return Ranked(holdout=holdout, held=held, models=models, ranking=ranking, best=best, clear=clear, failed=failed)


def _best(ranking: pd.DataFrame, names: list[str]) -> str:
    """The best of some models. On the boundary they are one and the same: the first of equals, not the first by rounding."""
    found = ranking["holdout_log_likelihood"]
    top = max(float(found[name]) for name in names)
    return next(name for name in names if found[name] > top - 0.01)


def backtest(base: Base, found: Ranked, name: str, *, level: float = LEVEL, min_group: int = 5) -> Backtest:
    """Hold what ranked models, and two simple rules, say of the holdout period against what came.

    Parameters
    ----------
    base : Base
    found : Ranked
        Of the same base.
    name : str
        The model that is used.
    level : float
        Of all intervals.
    min_group : int
        Groups of the calibration have at least so many customers.

    Returns
    -------
    Backtest

    Raises
    ------
    ModelError
        There is no repeat spend before the holdout period to learn from.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, section 4: tracking and conditional expectations.
    """
    held, models, best, holdout = found.held, found.models, name, found.holdout
    forecasts = {name: model.expected_purchases(held, float(holdout)).to_numpy() for name, model in models.items()}
    spend = {name: expected_spend(model, held, base.words.unit, float(holdout)) for name, model in models.items()}
    rules, rule_spend = simple_rules(held, base.age, float(holdout))
    forecasts |= rules
    spend |= rule_spend
    rows = [_scored(name, held, forecasts[name], spend[name], models.get(name), float(holdout), level) for name in forecasts]
    return Backtest(
        holdout=holdout,
        split=base.split(holdout),
        best=best,
        ranking=found.ranking,
        scores=pd.DataFrame(rows),
        calibration=calibration(held, forecasts, level, min_group),
        track=_track(base, holdout, models[best], level),
        failed=found.failed,
    )


def simple_rules(held: pd.DataFrame, age: str, horizon: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Forecast purchases and spend by two rules that need no model.

    ``last_year``: what the last year brought goes on at the same pace (where the history is shorter, what it brought).
    ``average``: repeat purchases go on at the customer's own average pace since the first one, at the average spend.

    Parameters
    ----------
    held : DataFrame
        As of :meth:`crmlab.analyses.customer_value.base.Base.held`.
    age : str
        Column that holds the age.
    horizon : float

    Returns
    -------
    (purchases, spend)
        Arrays of shape (n_customers,) by rule.
    """
    pace = horizon / held["year_length"].to_numpy(float)
    lived = held[age].to_numpy(float)
    average = np.divide(held["frequency"].to_numpy(float) * horizon, lived, out=np.zeros(len(held)), where=lived > 0)
    each = held["total_spend"].to_numpy(float) / held["occasions"].to_numpy(float)
    return (
        {"last_year": held["year_purchases"].to_numpy(float) * pace, "average": average},
        {"last_year": held["year_spend"].to_numpy(float) * pace, "average": average * each},
    )


def calibration(held: pd.DataFrame, forecasts: dict[str, np.ndarray], level: float = LEVEL, min_group: int = 5) -> pd.DataFrame:
    """Mean purchases in the holdout period by earlier frequency, seen and forecast.

    Parameters
    ----------
    held : DataFrame
        frequency and holdout_purchases.
    forecasts : dict of arrays
    level : float
    min_group : int
        Neighbouring frequencies are taken together until a group has so many customers.

    Returns
    -------
    DataFrame
        label, customers, seen, seen_low, seen_high, and the mean of each forecast.
    """
    frequency = np.minimum(held["frequency"].to_numpy(int), _OPEN_BIN)
    sizes = np.bincount(frequency, minlength=_OPEN_BIN + 1)
    groups: list[list[int]] = []
    for value in range(_OPEN_BIN + 1):
        if groups and sizes[groups[-1]].sum() < min_group:
            groups[-1].append(value)
        else:
            groups.append([value])
    if len(groups) > 1 and sizes[groups[-1]].sum() < min_group:
        rest = groups.pop()
        groups[-1] += rest
    seen = held["holdout_purchases"].to_numpy(float)
    rows = []
    for group in groups:
        member = np.isin(frequency, group)
        mean, low, high = mean_with_interval(seen[member], level)
        label = str(group[0]) if len(group) == 1 else f"{group[0]} to {group[-1]}"
        if group[-1] == _OPEN_BIN:
            label = f"{group[0]}+"
        means = {name: float(values[member].mean()) for name, values in forecasts.items()}
        rows.append({"label": label, "customers": int(member.sum()), "seen": mean, "seen_low": low, "seen_high": high, **means})
    return pd.DataFrame(rows)


def expected_spend(model: BuyTillYouDie, held: pd.DataFrame, unit: str, horizon: float) -> np.ndarray:
    """Expect the spend of each customer within a horizon, from the history before a holdout period, in the season of spend.

    Parameters
    ----------
    model : BuyTillYouDie
        Fitted to the history before it.
    held : DataFrame
        As of :meth:`crmlab.analyses.customer_value.base.Base.held`.
    unit : str
        Of :class:`~crmlab.models.btyd.customer_value.CustomerValue`.
    horizon : float
        In periods.

    Raises
    ------
    ModelError, ConvergenceError
        There is no repeat spend to learn from.
    """
    value, known, _ = fit_spend(CustomerValue(purchases=model, unit=unit), held)
    return value.outlook(known, horizon)["value_today"].to_numpy()


def _scored(
    name: str,
    held: pd.DataFrame,
    purchases: np.ndarray,
    spend: np.ndarray,
    model: BuyTillYouDie | None,
    horizon: float,
    level: float,
) -> dict[str, object]:
    seen, came = held["holdout_purchases"].to_numpy(float), held["holdout_spend"].to_numpy(float)
    total = float(seen.sum())
    row: dict[str, object] = {
        "name": name,
        "kind": "rule" if model is None else "model",
        "forecast": float(purchases.sum()),
        "forecast_low": np.nan,
        "forecast_high": np.nan,
        "seen": total,
    }
    if model is None:
        # A rule gives no interval: its bias has the sampling error of the customers' differences.
        _, low, high = (len(seen) * part for part in mean_with_interval(purchases - seen, level))
        ends = low, high
    else:
        found = model.expected_total(held, horizon, level=level, interval="outcome")
        row |= {"forecast_low": found["low"], "forecast_high": found["high"]}
        ends = found["low"] - total, found["high"] - total
    row |= _triple("bias", [float(purchases.sum()) - total, *ends], total)
    # Chance and the customers' differences alike are in the spread of what each was off by.
    row |= {"spend_forecast": float(spend.sum()), "spend_seen": float(came.sum())}
    off = [len(came) * part for part in mean_with_interval(spend - came, level)]
    row |= _triple("spend_bias", off, float(came.sum()))
    row |= _triple("error", mean_with_interval(np.abs(purchases - seen), level))
    row |= _triple("spend_error", mean_with_interval(np.abs(spend - came), level))
    row |= _triple("gini", gini(np.maximum(came, 0), spend, level))
    covered: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    if model is not None:
        bounds = model.expected_purchases(held, horizon, level=level, interval="outcome")
        inside = int(((seen >= bounds["low"]) & (seen <= bounds["high"])).sum())
        covered = (inside / len(seen), *wilson(inside, len(seen), level))
    return row | _triple("covered", covered)


def _triple(name: str, values: Sequence[float], scale: float = 1.0) -> dict[str, float]:
    found = [float(value) / scale if scale else np.nan for value in values]
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))


def _track(base: Base, holdout: int, model: BuyTillYouDie, level: float) -> pd.DataFrame:
    came, seen = base.track(holdout)
    today = float((base.split(holdout) - base.first).days) / 7 if base.words is not ROUNDS else 0.0
    found = track(model, came["start"], came["customers"], seen["end"], level=level, today=today)
    counts = seen["seen"].to_numpy(float)
    return found.assign(seen=counts, seen_cumulative=np.cumsum(counts))


def label_of(name: str) -> str:
    """Name of a model or rule for people."""
    return NAMES.get(name) or RULES[name]
