"""Rivals that learn from rolling features of earlier windows: gradient boosting, and a linear zero-inflated lognormal model."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.classification import varies
from crmlab.models.forecasts.rivals import Rival
from crmlab.models.forecasts.windows import Array, Purchases
from crmlab.models.forecasts.ziln import ZILN

__all__ = ["Boosting", "Learner", "LinearZILN", "training_rows"]

_STEP = 28  # days between two earlier origins: whole weeks, so that weekdays are the same
_LEAST_HISTORY = 28  # days that an earlier origin must know
_LEAST_ROWS, _LEAST_BUYERS = 20, 5


def training_rows(past: Purchases, horizon: int, *, windows: int, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of earlier origins, and what came after each of them, all of it before the last day that is known.

    Parameters
    ----------
    past : Purchases
    horizon : int
        Days ahead of each origin. The last window ends on the last day known; the others every four weeks before it.
    windows, rows : int
        Windows are taken while the history holds them, at most so many; rows are thinned out at random to at most about so many.
    seed : int

    Returns
    -------
    (features, came) : DataFrames with the same rows
        As of :meth:`Purchases.features` and :meth:`Purchases.came`.

    Raises
    ------
    TooLittleError
        The history is too short for one window.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "day": [0, 50, 10], "spend": [10.0, 20.0, 5.0]})
    >>> features, came = training_rows(Purchases.of(frame, ends=60), 20, windows=1, rows=100, seed=0)
    >>> features["age"].tolist(), came["spend"].tolist()
    ([40.0, 30.0], [20.0, 0.0])
    """
    last = past.ends - horizon
    first = past.begins + _LEAST_HISTORY - 1
    origins = list(range(last, first - 1, -_STEP))[:windows]
    if not origins:
        needed = f"{horizon + _LEAST_HISTORY:,} days of history to learn what {horizon:,} days bring"
        raise TooLittleError.needs("training_rows", needed, f"{past.days:,}")
    rng = np.random.default_rng(seed)
    most = max(rows // len(origins), 1)
    features, came = [], []
    for origin in origins:
        known = past.until(origin)
        what, then = known.features(horizon), past.came(origin, horizon)
        if len(what) > most:
            some = np.sort(rng.choice(len(what), most, replace=False))
            what, then = what.iloc[some], then.iloc[some]
        features.append(what)
        came.append(then)
    return pd.concat(features), pd.concat(came)


class Learner(Rival):
    """What rivals share that learn from earlier windows.

    Parameters
    ----------
    target : {"purchases", "spend"}
    windows : int
        How many earlier origins are learnt from at most, four weeks from each other.
    rows : int
        More rows than these are thinned out at random.
    seed : int
    """

    def __init__(self, target: str = "purchases", windows: int = 13, rows: int = 100_000, seed: int = 0) -> None:
        super().__init__(target)
        self.windows = windows
        self.rows = rows
        self.seed = seed

    def _learn(self, past: Purchases, horizon: int) -> None:
        name = type(self).__name__
        for what in ("windows", "rows"):
            given = getattr(self, what)
            if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
                raise ModelError.expected(name, what, "a whole number of at least 1", given)
        features, came = training_rows(past, horizon, windows=self.windows, rows=self.rows, seed=self.seed)
        then = came[self.target].to_numpy()
        customers, buyers = features.index.nunique(), int((then > 0).sum())
        if customers < _LEAST_ROWS or buyers < _LEAST_BUYERS:
            needed = f"{_LEAST_ROWS} customers in earlier windows, and {_LEAST_BUYERS} cases in which one of them then bought"
            raise TooLittleError.needs(name, needed, f"{customers:,} and {buyers:,}")
        table = self._prepared(features)
        self.columns_ = [column for column in table.columns if varies(table[column])]
        if not self.columns_:
            raise TooLittleError.needs(
                name, "customers who differ in what is known of them", f"{customers:,} who are all the same"
            )
        self._fit(table[self.columns_], then)

    def _tell(self, past: Purchases) -> Array:
        return self._scored(self._prepared(past.features(self.horizon_))[self.columns_])

    def _prepared(self, features: pd.DataFrame) -> pd.DataFrame:
        return features

    @abstractmethod
    def _fit(self, table: pd.DataFrame, then: Array) -> None: ...

    @abstractmethod
    def _scored(self, table: pd.DataFrame) -> Array: ...


class Boosting(Learner):
    """Gradient-boosted trees with the Poisson loss, on rolling features.

    The Poisson deviance asks only that its mean is right, of purchases and of money: for amounts of at least 0 it is the Tweedie loss at
    power 1. A power of 1.5 would trust large amounts less; scikit-learn's histogram trees do not have it.

    Parameters
    ----------
    target : {"purchases", "spend"}
    windows, rows, seed : int
        As of :class:`Learner`.

    Attributes
    ----------
    columns_ : list of str
        Features that are used: those that vary.
    model_ : HistGradientBoostingRegressor
    horizon_ : int

    References
    ----------
    Jørgensen (1987), Exponential dispersion models, JRSS B 49: the Tweedie family and its deviance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rate = rng.gamma(1.0, 0.02, 300)
    >>> who, day = np.nonzero(rng.random((300, 365)) < rate[:, None])
    >>> whole = Purchases.of(pd.DataFrame({"customer_id": who, "day": day, "spend": 1.0}))
    >>> told = Boosting().fit(whole.until(300), horizon=60).predict(whole.until(300))
    >>> bool(0.8 < told.sum() / whole.came(300, 60)["purchases"].sum() < 1.25)
    True
    """

    def _fit(self, table: pd.DataFrame, then: Array) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        self.unit_ = float(then.mean())
        # Few leaves and a slow rate: the windows overlap, so that rows say less than their number.
        self.model_ = HistGradientBoostingRegressor(
            loss="poisson", learning_rate=0.05, max_iter=150, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False,
            random_state=self.seed,
        )  # fmt: skip
        with threadpool_limits(1, "openmp"):
            self.model_.fit(table.to_numpy(), then / self.unit_)

    def _scored(self, table: pd.DataFrame) -> Array:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "openmp"):
            return np.asarray(self.model_.predict(table.to_numpy()) * self.unit_)


class LinearZILN(Learner):
    """A zero-inflated lognormal model, linear in the logarithms of rolling features.

    Features are kept within what was seen in the windows that were learnt from: a mean that is the exponential of a sum must not be asked
    about what lies beyond.

    Parameters
    ----------
    target : {"purchases", "spend"}
        The model is one of money; of purchases only the mean is told.
    windows, rows, seed : int
        As of :class:`Learner`.
    ridge : float
        Strength of the penalty, as of :class:`ZILN`. Windows overlap, and the weights of the standard deviation enter the mean as the
        exponential of a square: a weak penalty lets single customers outgrow all others.

    Attributes
    ----------
    columns_ : list of str
        Features that are used: those that vary.
    model_ : ZILN
    horizon_ : int

    References
    ----------
    Wang, Liu and Miao (2019), A deep probabilistic model for customer lifetime value prediction, arXiv:1912.07753.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rate = rng.gamma(1.0, 0.02, 300)
    >>> who, day = np.nonzero(rng.random((300, 365)) < rate[:, None])
    >>> spend = np.exp(rng.normal(size=len(who)))
    >>> whole = Purchases.of(pd.DataFrame({"customer_id": who, "day": day, "spend": spend}))
    >>> told = LinearZILN().fit(whole.until(300), horizon=60).predict(whole.until(300))
    >>> from crmlab.models.classification import gini
    >>> gini(whole.came(300, 60)["spend"], told)[0] > 0.3
    True
    """

    def __init__(
        self, target: str = "spend", windows: int = 13, rows: int = 100_000, seed: int = 0, ridge: float = 100.0
    ) -> None:
        super().__init__(target, windows, rows, seed)
        self.ridge = ridge

    def _prepared(self, features: pd.DataFrame) -> pd.DataFrame:
        table = np.log1p(features)
        for name in ("mean_gap", "spend_same"):
            table[f"{name}_known"] = table[name].notna().astype(float)
        return table.fillna(0.0)

    def _fit(self, table: pd.DataFrame, then: Array) -> None:
        self.ends_: tuple[Any, Any] = table.min(), table.max()
        self.model_ = ZILN(self.ridge).fit(table.to_numpy(), then)

    def _scored(self, table: pd.DataFrame) -> Array:
        return self.model_.predict(table.clip(*self.ends_, axis=1).to_numpy())
