"""Models and simple rules of churn held against a day whose outcome is known, and which of them is used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from crmlab.analyses.churn.model import (
    BASELINES,
    CANDIDATES,
    Plan,
    Scorer,
    columns_of,
    crossfitted,
    features_of,
    fit,
    learnt,
    prepared,
    shift_to,
)
from crmlab.models.classification import (
    auc,
    average_precision,
    bootstrap,
    brier,
    brier_skill,
    calibration_line,
    expected_maximum_profit,
    top_lift,
)
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = ["Trial", "final", "log_loss", "shift_of", "trial", "validate"]


RAREST = 200  # outcomes of the rarer class, below which no model is learnt


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What was found on the test's day.

    Attributes
    ----------
    used : str
        Name of what is used from now on.
    chosen : str or None
        The candidate that validation chose; None where no model was learnt.
    scores : DataFrame
        Indexed by (name, measure): value, low, high, on the same rows for all.
    validation : DataFrame
        Log loss of the candidates by day of validation.
    difference : tuple or None
        Brier score of the model less that of the best baseline, and its interval.
    test : DataFrame
        Rows of the test's day, with the column ``probability`` of what is used.
    importance : DataFrame
        Feature, value, low, high: how much AUC is lost where a feature is shuffled.
    reason : str
        Why there is no model, where there is none.
    """

    used: str
    chosen: str | None
    scores: pd.DataFrame
    validation: pd.DataFrame
    difference: tuple[float, float, float] | None
    test: pd.DataFrame
    importance: pd.DataFrame
    reason: str

    @property
    def told(self) -> float:
        """Share that was forecast to churn, on the test's day."""
        return float(self.test["probability"].mean())

    @property
    def seen(self) -> float:
        """Share that churned."""
        return float(self.test["churned"].mean())

    @property
    def missed(self) -> bool:
        """Whether what was forecast is further from what came than chance explains."""
        off = self.scores.loc[(self.used, "intercept")]
        return not off["low"] <= 0 <= off["high"]

    @property
    def shift(self) -> float:
        """By how much the log odds of all had to be moved, for as many to be forecast as came."""
        return shift_of(self.test)


def shift_of(rows: pd.DataFrame) -> float:
    """By how much the log odds of all rows had to be moved, for as many to be forecast (probability) as came (churned)."""
    odds = special.logit(np.clip(rows["probability"].to_numpy(float), 1e-6, 1 - 1e-6))
    return shift_to(odds, float(rows["churned"].mean()))


def log_loss(y: Array, p: Array) -> float:
    """Mean negative log-likelihood of outcomes."""
    q = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(q) + (1 - y) * np.log(1 - q)).mean())


def validate(days: dict[dt.date, pd.DataFrame], columns: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Log loss of the candidates on each day but the earliest, each learnt from the days before it (rolling origin).

    Parameters
    ----------
    days : dict of date to DataFrame
        Rows by day, those that may be learnt from.
    columns : sequence of str
    seed : int

    Returns
    -------
    DataFrame
        day, and a column per candidate. With a single day: five folds of its customers.
    """
    order = sorted(days)
    rows: list[dict[str, Any]] = []
    if len(order) == 1:
        frame = days[order[0]]
        y = frame["churned"].to_numpy(float)
        losses = {name: log_loss(y, special.expit(crossfitted(name, columns, frame, seed))) for name in CANDIDATES}
        return pd.DataFrame([{"day": order[0], **losses}])
    for k in range(1, len(order)):
        train, held = pd.concat([days[day] for day in order[:k]]), days[order[k]]
        if train["churned"].nunique() < 2:
            continue  # the first days may have seen one outcome only: the later ones tell
        y = held["churned"].to_numpy(float)
        row: dict[str, Any] = {"day": order[k]}
        for name in CANDIDATES:
            model = learnt(name, columns, train, seed)
            row[name] = log_loss(y, special.expit(Scorer(name=name, model=model, columns=tuple(columns)).raw(held)))
        rows.append(row)
    return pd.DataFrame(rows)


def trial(
    days: dict[dt.date, pd.DataFrame], scheme: Plan, money: dict[str, float] | None, *, level: float = LEVEL, seed: int = 0
) -> Trial:
    """Learn on earlier days, calibrate on one of its own, test on the latest, and say what is to be used.

    The model is used only where its Brier score on the test's day is better than that of the best baseline, beyond the 90%
    interval of the difference.

    Parameters
    ----------
    days : dict of date to DataFrame
        Rows by origin, of :func:`crmlab.analyses.churn.reductions.snapshots` with the model's features.
    scheme : Plan
    money : dict or None
        value, offer, contact and accept of :func:`expected_maximum_profit`; None where no margin is known: then there is no profit.
    level : float
    seed : int

    Returns
    -------
    Trial

    Raises
    ------
    TooLittleError
        Nobody has churned on the days to learn from, or everybody has.
    """
    origins = scheme.origins
    rows = prepared(days[origins[0]]).reset_index(drop=True)
    y = rows["churned"].to_numpy(float)
    earlier = {day: prepared(days[day]) for day in origins[1:]}
    learning = pd.concat(earlier.values()) if earlier else rows
    columns = features_of(learning)
    rare = int(min(learning["churned"].sum(), (~learning["churned"].astype(bool)).sum()))
    reason = ""
    if not scheme.learns:
        reason = f"the history is {scheme.missing} days too short to have one day to learn from and another to test on"
    elif rare < RAREST:
        reason = f"only {rare:,} customers with the rarer outcome were seen, and a model needs {RAREST}"
    calibrate, train = _split(earlier, scheme) if earlier else (None, rows)
    scorers = {name: fit(name, columns, train, calibrate, seed) for name in _usable(BASELINES, train)}
    chosen, validation = None, pd.DataFrame()
    if not reason:
        validation = validate(dict(earlier), columns, seed)
        chosen = str(validation[list(CANDIDATES)].mean().idxmin())
        scorers[chosen] = fit(chosen, columns, train, calibrate, seed)
    scorers = {name: scorer.held_to(rows) for name, scorer in scorers.items()}
    found = {name: scorer.probability(rows) for name, scorer in scorers.items()}
    scores = pd.concat({name: bootstrap(_measures(money), y, p, level=level, seed=seed) for name, p in found.items()})
    losses = {name: (p - y) ** 2 for name, p in found.items()}
    best = min((name for name in found if name in BASELINES), key=lambda name: losses[name].mean())
    used, difference = best, None
    if chosen is not None:
        # At one level whatever the page's: nobody's probability may depend on how wide intervals are shown.
        difference = _mean(losses[chosen] - losses[best], LEVEL)
        used = chosen if difference[2] < 0 else best
    importance = _importance(scorers[used], rows, level, seed)
    return Trial(
        used=used,
        chosen=chosen,
        scores=scores,
        validation=validation,
        difference=difference,
        test=rows.assign(probability=found[used]),
        importance=importance,
        reason=reason,
    )


def final(days: dict[dt.date, pd.DataFrame], scheme: Plan, used: str, seed: int = 0, drift: float = 0.0) -> Scorer:
    """Fit what is used anew, for today: learnt from all days but the latest, calibrated on that.

    Parameters
    ----------
    days : dict of date to DataFrame
    scheme : Plan
    used : str
    seed : int
    drift : float
        How far the log odds of all were off on past days. It is added to what is not known of the calibration, as a standard deviation.

    Returns
    -------
    Scorer
    """
    scorer = _final(days, scheme, used, seed)
    off = drift if np.isfinite(drift) else 0.0
    return replace(scorer, covariance=scorer.covariance + np.diag([off**2, 0.0]))


def _final(days: dict[dt.date, pd.DataFrame], scheme: Plan, used: str, seed: int) -> Scorer:
    ready = {day: prepared(frame) for day, frame in days.items()}
    if len(scheme.origins) == 1:
        only = ready[scheme.origins[0]]
        return fit(used, features_of(only), only, None, seed)
    train = pd.concat([ready[day] for day in scheme.origins[1:]])
    return fit(used, features_of(train), train, ready[scheme.origins[0]], seed)


def _split(earlier: dict[dt.date, pd.DataFrame], scheme: Plan) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """The day of calibration and the rows to learn from; no day of its own where there is one day only."""
    if scheme.crossfits:
        return None, earlier[scheme.origins[1]]
    return earlier[scheme.origins[1]], pd.concat([earlier[day] for day in scheme.learning])


def _usable(names: dict[str, str], train: pd.DataFrame) -> list[str]:
    """Baselines whose feature is there: P(alive) is not where no model of purchases could be fitted on any day."""
    return [name for name in names if train[columns_of(name, ())[0]].notna().any()]


def _measures(money: dict[str, float] | None) -> dict[str, Callable[[Array, Array], float]]:
    measures: dict[str, Callable[[Array, Array], float]] = {
        "auc": auc,
        "average_precision": average_precision,
        "brier": brier,
        "skill": brier_skill,
        "intercept": lambda y, p: calibration_line(y, p)[0],
        "slope": lambda y, p: calibration_line(y, p)[1],
        "lift": top_lift,
    }
    if money is None:
        return measures

    def profit(y: Array, p: Array) -> float:
        strength = 20.0  # as many answers as the usual Beta(6, 14) stands for
        accept = (money["accept"] * strength, (1 - money["accept"]) * strength)
        return expected_maximum_profit(
            y, p, value=money["value"], offer=money["offer"], contact=money["contact"], accept=accept
        )[0]

    return measures | {"profit": profit}


def _mean(values: Array, level: float) -> tuple[float, float, float]:
    from crmlab.models.classification import mean_with_interval

    return mean_with_interval(values, level)


def _importance(scorer: Scorer, rows: pd.DataFrame, level: float, seed: int, repeats: int = 10) -> pd.DataFrame:
    """AUC lost where a feature is shuffled, with the range over shuffles and customers drawn anew."""
    rng = np.random.default_rng(seed)
    some = rows if len(rows) <= 20_000 else rows.iloc[np.sort(rng.choice(len(rows), 20_000, replace=False))]
    y = some["churned"].to_numpy(float)
    found = []
    whole = scorer.raw(some)
    for name in scorer.columns:
        lost = []
        for _ in range(repeats):
            mixed = some.assign(**{name: some[name].to_numpy()[rng.permutation(len(some))]})
            drawn = rng.integers(0, len(some), len(some))
            lost.append(auc(y[drawn], whole[drawn]) - auc(y[drawn], scorer.raw(mixed)[drawn]))
        low, high = np.quantile(lost, [(1 - level) / 2, (1 + level) / 2])
        found.append({"feature": name, "value": float(np.mean(lost)), "low": float(low), "high": float(high)})
    return pd.DataFrame(found).sort_values("value", ascending=False, kind="stable", ignore_index=True)
