"""Who takes part in the leaderboard, and what each tells on an earlier day: our models, rules, learners, and blends of both."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.customer_value.backtesting import RULES
from crmlab.analyses.customer_value.base import DRAWS, Base, base_of, fit_spend
from crmlab.analyses.customer_value.kinds import MODELS
from crmlab.analyses.customer_value.params import NAMES
from crmlab.analyses.customer_value.seasons import learnt
from crmlab.errors import ConvergenceError, ModelError, TooLittleError
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.forecasts import (
    Boosting,
    LinearZILN,
    MeanRate,
    Purchases,
    RecentPace,
    SameWeeks,
    scaled_to,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crmlab.analyses.customer_value.choice import Choice
    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.models.forecasts import Rival

T = TypeVar("T")
Array = npt.NDArray[np.float64]

__all__ = ["BLENDS", "LEARNERS", "MOST", "TARGETS", "Field", "Told", "forecaster_of", "purchases_of", "spender"]

TARGETS = ("purchases", "spend")
LEARNERS = ("boosting", "ziln")  # they learn from earlier windows; the other rivals are rules
BLENDS = ("their_order", "our_order")  # they rank as the one and total as the other: only their errors are their own
MOST = 5_000  # customers who are looked at: more of them are thinned out at random
_ROWS, _WINDOWS = 10_000, 8  # that learners learn from
_NO_DISCOUNT = 1e-9  # a year: what is spent within half a year is not discounted
_SAME = 1e-3  # purchases, or a share of what is told: a fit knows no more digits
_SEASON = "+season"
_RIVALS = {
    "boosting": "Boosted trees",
    "ziln": "Zero-inflated lognormal",
    "last_year": RULES["last_year"],
    "average": RULES["average"],
    "same_weeks": "Same weeks a year ago",
    "their_order": "Ranking by boosted trees, our total",
    "our_order": "Our ranking, total from boosted trees",
}


def forecaster_of(name: str) -> str:
    """A forecaster in words.

    Examples
    --------
    >>> forecaster_of("mbg_nbd+season"), forecaster_of("boosting")
    ('MBG/NBD with the season', 'Boosted trees')
    """
    model, _, season = name.partition("+")
    if model in NAMES:
        return f"{NAMES[model]} with the season" if season else NAMES[model]
    return _RIVALS[name]


def purchases_of(base: Base, seed: int = 0, most: int | None = None) -> Purchases:
    """The purchases of a base as rivals learn from them: days, or with yearly rounds years.

    Parameters
    ----------
    base : Base
    seed : int
        Of the choice of customers, where they are more.
    most : int, optional
        Of so many customers at most; default: of all.
    """
    days = base.history.occasions()
    days = days[days["is_occasion"].astype(bool)]
    frame = pd.DataFrame(
        {"customer_id": days["customer_id"], "day": pd.to_datetime(days["day"]), "spend": days["spend"].astype(float)}
    )
    begins: dt.date | int = base.first
    ends: dt.date | int = base.end
    if base.words is ROUNDS:
        frame, begins, ends = frame.assign(day=frame["day"].dt.year.astype("int64")), base.first.year, base.end.year
    people = np.sort(frame["customer_id"].unique())
    if most is not None and len(people) > most:
        some = np.random.default_rng(seed).choice(len(people), most, replace=False)
        frame = frame[frame["customer_id"].isin(people[np.sort(some)])]
    return Purchases.of(frame, begins=begins, ends=ends)


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What all tell on one day of the time after it, and what came.

    Attributes
    ----------
    day : datetime.date
        The origin: the last day that was known.
    span : int
        Periods ahead.
    trials : dict of str to DataFrame
        By target, indexed by customer_id: ``actual``, and a column per forecaster. A target that our own model cannot tell is absent.
    totals : dict of (str, str) to (low, high)
        By target and forecaster: the interval of the total, of those that give one.
    singles : dict of str to DataFrame
        By forecaster that gives them: low and high of the purchases of each customer.
    """

    day: dt.date
    span: int
    trials: dict[str, pd.DataFrame]
    totals: dict[tuple[str, str], tuple[float, float]]
    singles: dict[str, pd.DataFrame]


@dataclass(kw_only=True, eq=False)
class Field:
    """All who take part.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base: the model that is used, and whether it follows a season.
    level : float
        Of intervals.
    seed : int

    Attributes
    ----------
    failed : dict of str to str
        By name: who could not tell something, and why; filled as they are asked.
    """

    base: Base
    choice: Choice
    level: float
    seed: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fitted: dict[tuple[str, dt.date], BuyTillYouDie | None] = {}
        self._heard: dict[tuple[object, ...], Array | None] = {}

    @cached_property
    def whole(self) -> Purchases:
        """All purchases, of at most 5,000 customers."""
        return purchases_of(self.base, self.seed, MOST)

    @property
    def key(self) -> tuple[object, ...]:
        """What its numbers depend on, beside the base."""
        season = self.choice.season
        return self.choice.name, season.by, season.amplitude, self.level, self.seed

    @property
    def used(self) -> str:
        """Name of the forecaster whose numbers the pages show."""
        return self._as_used(self.choice.name)

    @property
    def models(self) -> tuple[str, ...]:
        """Our models: the one that is used, the others as they would be used, and the first without the season, or with it."""
        names = [self.used, *(self._as_used(name) for name in self.base.models)]
        if self.choice.season.by in ("shown", "likely", "unclear"):
            names.insert(1, self.choice.name if self.used.endswith(_SEASON) else f"{self.choice.name}{_SEASON}")
        return tuple(dict.fromkeys(names))

    def _as_used(self, name: str) -> str:
        return f"{name}{_SEASON}" if self.choice.season.used else name

    def told(self, back: int, span: int, *, whole: bool = True) -> Told | None:
        """Ask so many periods before the end of what the periods after it bring; None where our own model cannot tell.

        Parameters
        ----------
        back, span : int
        whole : bool
            All of them, with intervals and blends; else the one that is used and its rivals, without.
        """
        day = self.base.split(back)
        then = base_of(self.base.history.earlier(day))
        origin: dt.date | int = day
        ahead = 7 * span
        if self.base.words is ROUNDS:
            origin, ahead = day.year, span
        past, came = self.whole.until(origin), self.whole.came(origin, ahead)
        summary = then.summary()
        known = summary[summary["customer_id"].isin(past.ids)].set_index("customer_id", drop=False).loc[past.ids]
        found = Told(day=day, span=span, trials={}, totals={}, singles={})
        if self._model(self.used, then) is None:
            return None
        trials = {target: came[[target]].rename(columns={target: "actual"}) for target in TARGETS}
        for name in self.models if whole else (self.used,):
            self._ask(name, then, known, trials, found, whole=whole)
        for target, trial in trials.items():
            _tied(trial, self.used)
            if self.used not in trial:
                continue  # there is no repeat spend to learn from: rivals would have nobody to be held against
            for name, rival in self._rivals(target, past.days):
                told = self._told_by(name, rival, past, ahead)
                if told is not None:
                    trial[name] = told
            if whole and "boosting" in trial:
                ours, theirs = trial[self.used].to_numpy(), trial["boosting"].to_numpy()
                for name, order, level in (("their_order", theirs, ours), ("our_order", ours, theirs)):
                    told = self.tried(name, partial(scaled_to, order, float(level.sum())))
                    if told is not None:
                        trial[name] = told
            found.trials[target] = trial
        return found

    def _model(self, name: str, then: Base) -> BuyTillYouDie | None:
        """One of our models as of a day, fitted once for all horizons; None where it cannot be."""
        key = name, then.end
        if key not in self._fitted:
            self._fitted[key] = self.tried(name, lambda: self._fit(name, then))
        return self._fitted[key]

    def _fit(self, name: str, then: Base) -> BuyTillYouDie:
        if name == self.used:
            return self.choice.fit(then, seed=self.seed)
        model, _, season = name.partition("+")
        bare = MODELS[model](draws=DRAWS, seed=self.seed)
        if bool(season) == self.choice.season.used:
            clock = self.choice.season.clock(then)  # as it is used
        else:
            clock = learnt(then) if season else None
        return bare.set_params(clock=clock).fit(then.summary())

    def _ask(
        self, name: str, then: Base, known: pd.DataFrame, trials: dict[str, pd.DataFrame], found: Told, *, whole: bool
    ) -> None:
        """Let one of our models tell purchases and spend; with intervals where it is the one used, with the season or without it."""
        model = self._model(name, then)
        if model is None:
            return
        span, level = float(found.span), self.level
        trials["purchases"][name] = model.expected_purchases(known, span).to_numpy(float)
        if whole and name in (self.choice.name, f"{self.choice.name}{_SEASON}"):
            each = model.expected_purchases(known, span, level=level, interval="outcome")
            found.singles[name] = each[["low", "high"]]
            total = model.expected_total(known, span, level=level, interval="outcome")
            found.totals["purchases", name] = float(total["low"]), float(total["high"])

        money = self.tried(name, partial(spender, model, then, self.seed))
        if money is None:
            return
        value, capped = money
        capped = capped[capped["customer_id"].isin(known["customer_id"])]
        told = value.residual_value(capped, span)
        trials["spend"][name] = pd.Series(told.to_numpy(float), index=capped["customer_id"]).reindex(known.index).to_numpy()
        if whole and name == self.used:
            total = value.total(capped, span, level=level, interval="outcome")
            found.totals["spend", name] = float(total["low"]), float(total["high"])

    def today(self, name: str, target: str, span: int) -> pd.Series:
        """What a rival tells today of each customer, indexed by customer_id: all of them, whoever it learnt from.

        Parameters
        ----------
        name : str
            Of a rival that took part.
        target : {"purchases", "spend"}
        span : int
            Periods ahead.

        Raises
        ------
        ModelError, ConvergenceError, TooLittleError
            It cannot tell.
        """
        rival = dict(self._rivals(target, self.whole.days))[name]
        ahead = span if self.base.words is ROUNDS else 7 * span
        return rival.fit(self.whole, ahead).predict(purchases_of(self.base))

    def _told_by(self, name: str, rival: Rival, past: Purchases, ahead: int) -> Array | None:
        """What a rival tells, asked once for everybody; None where it cannot."""
        key = name, rival.target, past.ends, ahead
        if key not in self._heard:
            self._heard[key] = self.tried(name, lambda: rival.fit(past, ahead).predict(past).to_numpy(float))
        return self._heard[key]

    def _rivals(self, target: str, days: int) -> Iterator[tuple[str, Rival]]:
        """Rules and learners; with yearly rounds rules alone, since learners look at weeks."""
        if self.base.words is ROUNDS:
            yield "last_year", RecentPace(target, days=1)
            yield "average", MeanRate(target)
            return
        yield "boosting", Boosting(target, windows=_WINDOWS, rows=_ROWS, seed=self.seed)
        if target == "spend":
            yield "ziln", LinearZILN(windows=_WINDOWS, rows=_ROWS, seed=self.seed)
        yield "last_year", RecentPace(target, days=min(YEAR, days))
        yield "average", MeanRate(target)
        yield "same_weeks", SameWeeks(target)

    def tried(self, name: str, work: Callable[[], T]) -> T | None:
        """What somebody tells; None where it cannot, and why is kept in ``failed``."""
        try:
            return work()
        except (ModelError, ConvergenceError, TooLittleError) as error:
            self.failed[name] = str(error)
            return None


def spender(model: BuyTillYouDie, base: Base, seed: int) -> tuple[CustomerValue, pd.DataFrame]:
    """A fitted model of purchases with one of spend beside it, nothing discounted, and the customers of a base that it was fitted to.

    Parameters
    ----------
    model : BuyTillYouDie
    base : Base
    seed : int

    Raises
    ------
    ModelError, ConvergenceError
        There is no repeat spend to learn from, say.
    """
    spend = GammaGamma(draws=DRAWS, seed=seed)
    value = CustomerValue(purchases=model, spend=spend, rate=_NO_DISCOUNT, unit=base.words.unit)
    value, capped, _ = fit_spend(value, base.summary())
    return value, capped


def _tied(trial: pd.DataFrame, used: str) -> None:
    """Our models that tell the same of all, to a thousandth of it or of a purchase, as on the boundary where nobody leaves, tell the same.

    A fit knows no more digits, and none of them makes a winner.
    """
    for name in trial.columns:
        if name not in ("actual", used) and used in trial and np.allclose(trial[name], trial[used], rtol=_SAME, atol=_SAME):
            trial[name] = trial[used]
