"""Probabilities of churn: which days to learn from and to test on, two candidates, three simple rules, and which is used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from crmlab.analyses.churn.reductions import FEATURES, IN_SEASON
from crmlab.errors import ModelError, TooLittleError
from crmlab.history.words import ROUNDS, WEEKS
from crmlab.models.classification import varies
from crmlab.models.intervals import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from crmlab.history.words import Words

    Array = npt.NDArray[np.float64]

__all__ = [
    "BASELINES",
    "CANDIDATES",
    "FARTHEST",
    "FEWEST",
    "NAMES",
    "Plan",
    "Scorer",
    "columns_of",
    "crossfitted",
    "fact_of",
    "features_of",
    "fit",
    "folds_of",
    "learnt",
    "make",
    "need_outcomes",
    "plan",
    "prepared",
    "reasons",
    "shift_to",
]


CANDIDATES = {"logistic": "Logistic regression", "boosting": "Gradient boosting"}
BASELINES = {"recency": "Days since last purchase only", "time_rule": "Silent longer than usual", "p_alive": "P(alive) only"}
NAMES = CANDIDATES | BASELINES
MOST_ORIGINS = 6
_EDGE = 1e-4
_SURE = 30.0  # log odds beyond which nothing more can be told from a chance of 0 or 1
# Outcomes of each kind without which nothing is told: with 30 of each, the 90% interval of the AUC of a score that is worth nothing is
# 0.38 to 0.62 (Hanley and McNeil 1982), so that even a fair score could not be told from chance.
FEWEST = 30
FARTHEST = 4.0  # standard deviations from the mean: a value beyond counts as one there, so that no single fact decides a score
# Amounts and counts whose logs say more than they do themselves.
_SKEWED = (
    "days_since_last",
    "occasions",
    "age",
    "mean_gap",
    "gap_spread",
    "silence",
    "total_spend",
    "mean_spend",
    "last_spend",
    "recent_spend",
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """On which days churn is learnt, calibrated and tested.

    Attributes
    ----------
    window : int
        Days without an occasion after which a customer has churned.
    bound_by : str
        What set the window: ``"given"``, ``"gap"`` or ``"history"``.
    active_within : int
        Days within which an eligible customer bought last.
    origins : tuple of date
        Days whose outcome is known, latest first, a window apart. The first is the test's.
    missing : int
        Days of history that a model would need beyond what is there; 0 where it can be learnt.
    """

    window: int
    bound_by: str
    active_within: int
    origins: tuple[dt.date, ...]
    missing: int

    @property
    def learns(self) -> bool:
        """Whether there are two origins at least: one to learn from, one to test on."""
        return len(self.origins) >= 2

    @property
    def crossfits(self) -> bool:
        """Whether calibration has no day of its own."""
        return len(self.origins) == 2

    @property
    def learning(self) -> tuple[dt.date, ...]:
        """The origins whose customers are learnt from: those before the days of testing and of calibration, where there are any."""
        return self.origins[min(len(self.origins) - 1, 2) :]


def plan(first: dt.date, last: dt.date, window: int, bound_by: str, active_within: int) -> Plan:
    """Lay out the days of learning and testing, a window apart, so that no outcome reaches into a later day's.

    Examples
    --------
    >>> found = plan(dt.date(2024, 1, 1), dt.date(2024, 12, 31), 56, "gap", 112)
    >>> len(found.origins), str(found.origins[0]), found.missing
    (4, '2024-11-05', 0)
    """
    earliest = first + dt.timedelta(days=active_within)
    origins = []
    for k in range(1, MOST_ORIGINS + 1):
        day = last - dt.timedelta(days=k * window)
        if day < earliest:
            break
        origins.append(day)
    needed = active_within + 2 * window
    return Plan(
        window=window,
        bound_by=bound_by,
        active_within=active_within,
        origins=tuple(origins),
        missing=max(needed - (last - first).days, 0),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorer:
    """A fitted way to tell churn, with its calibration.

    Attributes
    ----------
    name : str
    model : object
        Anything with ``predict_proba``.
    columns : tuple of str
    intercept, slope : float
        Of the calibration on log odds.
    covariance : array of shape (2, 2)
        Of these two.
    """

    name: str
    model: Any
    columns: tuple[str, ...]
    intercept: float = 0.0
    slope: float = 1.0
    covariance: Any = field(default_factory=lambda: np.zeros((2, 2)), repr=False)

    def raw(self, frame: pd.DataFrame) -> Array:
        """Log odds of churn before calibration."""
        found = self.model.predict_proba(frame[list(self.columns)])[:, 1]
        return np.asarray(special.logit(np.clip(found, _EDGE, 1 - _EDGE)))

    def probability(self, frame: pd.DataFrame) -> Array:
        """Calibrated probability of churn of each row."""
        return np.asarray(special.expit(self.intercept + self.slope * self.raw(frame)))

    def held_to(self, rows: pd.DataFrame) -> Scorer:
        """The same for the window after a day: who comes before whom stays, and as many churn as the season of that window lets expect.

        A calibration tells of the season of the window that it was learnt on. So the log odds of all are moved until as many are told to
        churn as the model of purchases, on its clock, expects to buy nothing.

        Parameters
        ----------
        rows : DataFrame
            All who are eligible on the day; those of whom the model of purchases says nothing are left out of the count. Where it says
            nothing of anybody, as where no season is followed, nothing is moved.
        """
        known = rows[rows[IN_SEASON].notna()] if IN_SEASON in rows.columns else rows.head(0)
        if known.empty:
            return self
        moved = shift_to(self.intercept + self.slope * self.raw(known), 1 - float(known[IN_SEASON].mean()))
        return replace(self, intercept=self.intercept + moved)

    def draws(self, frame: pd.DataFrame, count: int, seed: int) -> Array:
        """Probabilities of each row under calibrations drawn from their distribution, of shape (count, n_rows)."""
        rng = np.random.default_rng(seed)
        lines = rng.multivariate_normal([self.intercept, self.slope], self.covariance, count)
        odds = self.raw(frame)
        return np.asarray(special.expit(lines[:, :1] + lines[:, 1:] * odds))

    def total(self, frame: pd.DataFrame, weight: Array, level: float) -> tuple[float, float, float]:
        """Expected sum of a weight over those who will churn, with an interval: chance, and what is not known of the calibration."""
        p, odds = self.probability(frame), self.raw(frame)
        spread = p * (1 - p)
        slope = np.array([(weight * spread).sum(), (weight * spread * odds).sum()])
        variance = float((weight**2 * spread).sum() + slope @ self.covariance @ slope)
        point, half = float((weight * p).sum()), normal_quantile(level) * np.sqrt(variance)
        return point, max(point - half, 0.0), min(point + half, float(weight.sum()))


def shift_to(odds: Array, share: float) -> float:
    """By how much log odds must be moved for so large a share of all to be forecast.

    Raises
    ------
    ModelError
        There are no odds, or a number is missing.

    Examples
    --------
    >>> round(shift_to(np.array([0.0, 0.0]), 0.75), 4)  # log(3)
    1.0986
    """
    from scipy.optimize import brentq

    if not len(odds) or np.isnan(odds).any():
        raise ModelError.expected("shift_to", "odds", "at least one number, none missing", odds[:5].tolist())
    if not 0 <= share <= 1:
        raise ModelError.expected("shift_to", "share", "between 0 and 1", share)
    # Where none or all are, no finite shift would do: half of one who is, or is not, stands in.
    held = float(np.clip(share, 0.5 / len(odds), 1 - 0.5 / len(odds)))
    # At these ends all of them are below the share, or all above it.
    odds, even = np.clip(odds, -_SURE, _SURE), float(special.logit(held))
    low, high = even - float(odds.max()) - 1, even - float(odds.min()) + 1
    return float(brentq(lambda by: float(special.expit(odds + by).mean()) - held, low, high))


def features_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """The features that a frame of snapshots has, in their order; such as are the same for everybody, but for rounding, are left out."""
    return tuple(name for name in FEATURES if name in frame.columns and varies(frame[name].astype(float)))


def fact_of(name: str, words: Words = WEEKS) -> str:
    """What a column that a scorer looks at says of a customer, for people.

    Examples
    --------
    >>> fact_of("mean_spend"), fact_of("mean_spend", ROUNDS)
    ('spend per purchase', 'amount per gift')
    """
    said = FEATURES.get(name, "silent longer than usual")
    return said.format(one=words.one, deed=words.deed, deeds=words.deeds, money="amount" if words is ROUNDS else "spend")


def make(name: str, columns: Sequence[str], seed: int = 0) -> Any:
    """Make an unfitted model of churn by name: a candidate or a baseline.

    Examples
    --------
    >>> type(make("boosting", ["age"])).__name__
    'HistGradientBoostingClassifier'
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    if name == "boosting":
        return HistGradientBoostingClassifier(
            learning_rate=0.06, max_iter=150, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=1.0, random_state=seed
        )
    logs = [column for column in columns if column in _SKEWED]
    plain = [column for column in columns if column not in _SKEWED]
    both = ColumnTransformer(
        [("logs", FunctionTransformer(_log, feature_names_out="one-to-one"), logs), ("plain", "passthrough", plain)]
    )
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    ends = FunctionTransformer(np.clip, kw_args={"a_min": -FARTHEST, "a_max": FARTHEST}, feature_names_out="one-to-one")
    return make_pipeline(both, fill, StandardScaler(), ends, LogisticRegression(C=1.0, max_iter=2000))


def _log(values: Any) -> Any:
    return np.log1p(np.maximum(values, 0))


def columns_of(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The features that a baseline looks at, or all for a candidate."""
    wanted = {"recency": ("days_since_last",), "time_rule": ("overdue",), "p_alive": ("probability_alive",)}
    return wanted.get(name, tuple(columns))


def prepared(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what the time rule looks at: whether a customer is silent longer than usual (for one purchase: than the base is)."""
    usual = frame["mean_gap"].fillna(frame["mean_gap"].median())
    return frame.assign(overdue=(frame["days_since_last"] > usual).astype(float))


def fit(name: str, columns: Sequence[str], train: pd.DataFrame, calibrate: pd.DataFrame | None, seed: int = 0) -> Scorer:
    """Fit a model or baseline, and calibrate it on rows that it has not seen.

    Parameters
    ----------
    name : str
        Of ``CANDIDATES`` or ``BASELINES``.
    columns : sequence of str
    train : DataFrame
        With churned and customer_id.
    calibrate : DataFrame or None
        Rows of a day of their own; None: the training rows, each scored by a model that did not see its customer.
    seed : int

    Returns
    -------
    Scorer

    Raises
    ------
    TooLittleError
        Nobody has churned, or everybody has, or customers are too few to be set apart.
    """
    own = columns_of(name, columns)
    model = learnt(name, own, train, seed)
    if calibrate is None:
        odds, y = crossfitted(name, own, train, seed), train["churned"].to_numpy(float)
    else:
        odds, y = Scorer(name=name, model=model, columns=own).raw(calibrate), calibrate["churned"].to_numpy(float)
    intercept, slope, covariance = _line(y, odds)
    return Scorer(name=name, model=model, columns=own, intercept=intercept, slope=slope, covariance=covariance)


def learnt(name: str, columns: Sequence[str], rows: pd.DataFrame, seed: int) -> Any:
    """Fit a model or baseline to rows of both outcomes.

    Raises
    ------
    TooLittleError
        Nobody of these has churned, or everybody has.
    """
    need_outcomes(int(rows["churned"].sum()), len(rows))
    return make(name, columns, seed).fit(rows[list(columns)], rows["churned"])


def crossfitted(name: str, columns: Sequence[str], train: pd.DataFrame, seed: int, folds: int = 5) -> Array:
    """Log odds of each training row by a model that did not see its customer."""
    odds = np.empty(len(train))
    for some, rest in folds_of(train, folds):
        model = learnt(name, columns, train.iloc[some], seed)
        odds[rest] = Scorer(name=name, model=model, columns=tuple(columns)).raw(train.iloc[rest])
    return odds


def need_outcomes(churned: int, rows: int) -> None:
    """Make sure that both outcomes are among the rows to learn from.

    Raises
    ------
    TooLittleError
        Nobody has churned, or everybody has.
    """
    if not 0 < churned < rows:
        found = "only such as have" if churned else "nobody who has"
        raise TooLittleError.needs("churn", "customers who have churned before and customers who have not", found)


def folds_of(train: pd.DataFrame, folds: int = 5) -> list[tuple[Any, Any]]:
    """Split rows into folds by customer: positions to learn from, and positions that are then scored.

    Parameters
    ----------
    train : DataFrame
        customer_id and churned.
    folds : int

    Raises
    ------
    TooLittleError
        There are fewer customers than folds, or a fold leaves rows of one outcome only.
    """
    from sklearn.model_selection import GroupKFold

    if (found := train["customer_id"].nunique()) < folds:
        raise TooLittleError.needs("churn", f"at least {folds} customers to learn from", str(found))
    parts = list(GroupKFold(folds).split(train, groups=train["customer_id"]))
    churned = train["churned"].to_numpy(bool)
    for some, _ in parts:
        need_outcomes(int(churned[some].sum()), len(some))
    return parts


def _line(y: Array, odds: Array) -> tuple[float, float, Any]:
    """Calibration on log odds by maximum likelihood; only the intercept where the odds are all alike."""
    if not 0 < y.mean() < 1:
        return 0.0, 1.0, np.zeros((2, 2))
    theta = np.array([0.0, 1.0])
    design = np.column_stack([np.ones(len(odds)), odds])
    for _ in range(50):
        p = special.expit(design @ theta)
        # A weak pull to (0, 1), so that perfectly told rows do not send the slope to infinity.
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.eye(2) * 1e-2
        step = np.linalg.solve(hessian, design.T @ (y - p) - 1e-2 * (theta - [0.0, 1.0]))
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1]), np.linalg.inv(hessian)


def reasons(scorer: Scorer, frame: pd.DataFrame, words: Words = WEEKS, count: int = 3) -> pd.DataFrame:
    """The facts that moved each customer's score most, in words.

    A fact moves the score by as much as the log odds change where it is put to the middle of all eligible customers.

    Parameters
    ----------
    scorer : Scorer
    frame : DataFrame
        Rows to be explained.
    words : Words
        What people and their deeds are called.
    count : int

    Returns
    -------
    DataFrame
        reason_1, reason_2, …: such as "days since the last purchase: 41 (raises)".
    """
    odds = scorer.raw(frame)
    moved = np.column_stack([odds - scorer.raw(frame.assign(**{name: frame[name].median()})) for name in scorer.columns])
    order = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :count]
    out = {}
    for k in range(min(count, moved.shape[1])):
        texts = []
        for row, column in enumerate(order[:, k]):
            name, by = scorer.columns[column], moved[row, column]
            if abs(by) < 0.02:
                texts.append("")
                continue
            way = "raises" if by > 0 else "lowers"
            texts.append(f"{fact_of(name, words)}: {_said(frame[name].iloc[row])} ({way})")
        out[f"reason_{k + 1}"] = texts
    return pd.DataFrame(out, index=frame.index)


def _said(value: Any) -> str:
    if value is None or value != value:
        return "not known"
    number = float(value)
    return f"{number:.0f}" if number.is_integer() or abs(number) >= 100 else f"{number:.2f}"
