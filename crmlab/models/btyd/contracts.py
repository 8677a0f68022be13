"""What models of customers under contract share: each period ends with a renewal or with a customer who is seen to leave."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.frames import is_table
from crmlab.models.btyd.answers import joined, per_customer
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.special import Array, log_gamma_rise
from crmlab.models.btyd.states import States, checked, checked_weight, framed, refuse
from crmlab.models.checked import checked_numbers, checked_outcomes

__all__ = ["UnderContract", "lives_of"]


class UnderContract(BuyTillYouDie):
    """Base of the models of customers under contract, who leave at the end of a period or renew.

    A "purchase" is a renewal, "alive" means there in the coming period, and a customer's state is one column: ``periods``, the number
    of renewals already made. Chances θ to leave vary over customers as Beta(alpha, beta); a customer is still there after t periods with
    the chance (1 − θ)^g(t), where g(t), with g(0) = 0 and g(1) = 1, is what a model says of the role of duration.
    """

    needs = "the numbers of customers still there, or periods and there"
    _age = "periods"
    whole_periods = True
    least_periods: ClassVar[int]  # in which somebody could leave: with fewer the parameters cannot be told

    # What a model must say of itself.

    @abstractmethod
    def _duration(self, params: Array, t: Array) -> Array:
        """g(t)."""

    @abstractmethod
    def _renewals(self, params: Array, theta: Array, made: Array, rng: np.random.Generator) -> Array:
        """Draw how many more renewals those make who have made so many and leave with chances theta."""

    # The fit.

    def fit(self, summary: Any, y: None = None) -> Self:  # noqa: ARG002
        """Fit to the numbers of customers still there.

        Parameters
        ----------
        summary : array of shape (periods + 1,), or table
            Customers there at times 0, 1, 2, …: never rising. Or one row per customer, as :meth:`simulate` gives: ``periods``, the
            renewals made, ``there``, whether still a customer, and optional ``weight`` and ``entered``: the renewals that had been made
            when the records of this customer begin, 0 for those seen from their start. Who left before the records began is not in
            them, so that the likelihood of a customer is that given that ``entered`` renewals were made.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        NotIdentifiableError
            Nobody left, or there are too few periods in which somebody could leave: one tells the mean chance to leave, and nothing of
            how it varies over customers; what duration does beside that takes a third.
        """
        return super().fit(summary)

    def _training(self, summary: Any) -> pd.DataFrame:
        return lives_of(summary, type(self).__name__, self.least_periods)

    def _held_out(self, summary: Any) -> tuple[list[Array], Array | None]:
        return self.checked_columns(self._training(summary), fitting=True)

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
        name = type(self).__name__
        if fitting:
            columns = [frame[column].to_numpy(float) for column in ("time", "left", "entered")]
            # Without late entries states are as they always were: a saved model knows its customers by them.
            return columns if columns[2].any() else columns[:2], frame["weight"].to_numpy(float)
        frame = framed(name, frame)
        if "there" in frame.columns:
            gone = ~np.asarray(checked_outcomes(name, frame["there"]), dtype=bool)
            refuse(name, "there must be true of customers who are asked about", gone, frame, "Leave out those who have left.")
        n = checked(name, frame, ["periods"])["periods"]
        with np.errstate(invalid="ignore"):
            refuse(name, "periods must be a whole number of at least 0", ~((n >= 0) & (n == np.floor(n))), frame)
        return [n, n, n], None

    def _unit(self, states: States) -> float:  # noqa: ARG002
        return 1.0

    # Survival.

    def survival(self, t: npt.ArrayLike, *, renewed: float = 0, level: float | None = None) -> pd.Series | pd.DataFrame:
        """Share of a cohort still there at times t.

        Parameters
        ----------
        t : float or array of floats
            Periods from the beginning, or from the last renewal where ``renewed`` is given; at least 0.
        renewed : int
            Of those alone who have made so many renewals.
        level : float, optional
            Adds columns low and high: the interval of the share over the posterior.

        Returns
        -------
        Series, or DataFrame with columns survival, low, high
            Indexed by t.
        """
        self.parameters()
        name = type(self).__name__
        share, times = self.checked_level(level, "mean"), _times(name, t, 0)
        if not renewed >= 0 or renewed != np.floor(renewed):
            raise ModelError.expected(name, "renewed", "a whole number of at least 0", renewed)
        return self._share("survival", times, np.full(len(times), float(renewed)), renewed + times, share)

    def retention_rate(self, t: npt.ArrayLike, *, level: float | None = None) -> pd.Series | pd.DataFrame:
        """Share of those there at time t − 1 who are there at time t, for t = 1, 2, …

        Parameters
        ----------
        t : float or array of floats
            At least 1.
        level : float, optional
            Adds columns low and high: the interval of the share over the posterior.

        Returns
        -------
        Series, or DataFrame with columns retention_rate, low, high
            Indexed by t.
        """
        self.parameters()
        share, times = self.checked_level(level, "mean"), _times(type(self).__name__, t, 1)
        return self._share("retention_rate", times, times - 1, times, share)

    def _share(self, name: str, times: Array, since: Array, until: Array, level: float | None) -> pd.Series | pd.DataFrame:
        bounds = None
        with np.errstate(all="ignore"):
            point = self.stayed(self.parameters(), since, until)
            if level is not None:
                bounds = self._mean_interval(lambda params: self.stayed(params, since, until), level, chance=True)
        return joined(name, pd.Index(times, name="t"), np.arange(len(times)), point, bounds)

    def log_survival(self, params: Array, t: Array) -> Array:
        """Log of the share of a cohort that is still there after t periods, at given parameters."""
        alpha, beta = params[:2]
        return log_gamma_rise(beta, alpha) - log_gamma_rise(beta + self._duration(params, t), alpha)

    def stayed(self, params: Array, since: Array, until: Array) -> Array:
        """Share of those there after ``since`` periods who are there after ``until`` periods, at given parameters."""
        return np.exp(self.log_survival(params, until) - self.log_survival(params, since))

    @per_customer("model.discounted_residual_lifetime(frame, 0.1)")
    def discounted_residual_lifetime(
        self, summary: Any, delta: float, *, due: bool = True, horizon: float = np.inf, level: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Discounted expected residual lifetime (DERL) of each customer: times the margin of a period, what the customer is worth.

        Parameters
        ----------
        summary : table
            ``periods``: renewals already made.
        delta : float
            Continuous rate of discount per period, positive: ln(1 + rate per period).
        due : bool
            Whether the coming renewal is due now, and counts in full; else the last one has just been made, and the coming one is a
            period away.
        horizon : float
            Renewals that count, the coming one among them; infinite unless given.
        level : float, optional
            Adds columns low and high: the interval of the expectation.

        Returns
        -------
        Series, or DataFrame with columns discounted_residual_lifetime, low, high
            In periods. With ``due=False`` as :meth:`discounted_expected_purchases`.

        References
        ----------
        Fader and Hardie (2010), Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity, Marketing
        Science 29, for the sBG, due and without horizon.

        Examples
        --------
        >>> from crmlab.models import SBG
        >>> model = SBG.from_params(alpha=1.0, beta=2.0)
        >>> model.discounted_residual_lifetime(pd.DataFrame({"periods": [0, 3]}), delta=0.1).round(2).tolist()
        [2.8, 4.57]
        """
        found = self.discounted_expected_purchases(summary, delta, horizon=horizon, level=level)
        found = found * (np.exp(delta) if due else 1.0)
        name = "discounted_residual_lifetime"
        return found.rename(name) if isinstance(found, pd.Series) else found.set_axis([name, "low", "high"], axis=1)

    # What may be asked of a customer.

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        return self.stayed(params, states.columns[0], states.columns[0] + 1)

    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of a customer of each state who is alive."""
        return self.discounted_if_alive(params, states, 0.0, horizon)

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:  # noqa: ARG002
        return np.ones(len(states.weight))

    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        T = states.columns[2]
        return np.where(k <= horizon, self.stayed(params, T + 1, T + k), 0.0)

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        T = states.columns[2]
        later = self.log_survival(params, T + n + 1) - self.log_survival(params, T + n)
        ends = self.stayed(params, T + 1, T + n) * np.where(n < horizon, -np.expm1(later), 1.0)
        return np.where(n <= horizon, ends, 0.0)

    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Rates and remaining lives drawn for each state, at given parameters."""
        made = (states.columns[2] + 1)[:, None]
        theta = rng.beta(params[0], params[1] + self._duration(params, made), (len(made), m))
        life = 1 + self._renewals(params, theta, made, rng)
        return np.ones(theta.shape), life, np.zeros(theta.shape, dtype=bool)

    def simulated_futures(
        self,
        params: Array,
        states: States,
        some: slice,
        delta: float,
        horizon: float,
        draws: tuple[int, np.random.Generator],
        *,
        money: bool = False,  # noqa: ARG002
    ) -> tuple[Array, Array]:
        """Counts and discounted sums of purchases, drawn for some of the states; ``draws``: how many, and the generator."""
        m, rng = draws
        _, life, _ = self.simulated_lives(params, states.taken(some), rng, m)
        born = rng.random(life.shape) < self.chance_alive(params, states)[some][:, None]
        end = min(horizon, np.ceil(60 / delta)) if delta > 0 else horizon
        count = np.where(born, np.minimum(life, end), 0.0)
        return count, np.exp(-delta) * np.expm1(-delta * count) / np.expm1(-delta) if delta else count

    def simulate(self, T: npt.ArrayLike, horizon: float | None = None, *, seed: int = 0) -> pd.DataFrame:
        """Draw customers from the model: ``periods`` renewed within T, and whether they are ``there`` after T."""
        params, age = self.parameters(), np.asarray(T, dtype=float)
        rng = np.random.default_rng(seed)
        theta = rng.beta(params[0], params[1], len(age))
        renewed = self._renewals(params, theta, np.zeros(len(age)), rng)
        frame = pd.DataFrame({"periods": np.minimum(renewed, age), "there": renewed >= age})
        if horizon is not None:
            frame["holdout_purchases"] = np.clip(renewed - age, 0, self.checked_horizon(horizon))
        return frame


def _times(who: str, t: npt.ArrayLike, least: int) -> Array:
    times = np.atleast_1d(checked_numbers(who, "t", t))
    if not (times >= least).all():
        raise ModelError.expected(who, "t", f"numbers of at least {least}", float(times[~(times >= least)][0]))
    return times


def lives_of(summary: Any, who: str = "SBG", least: int = 2) -> pd.DataFrame:
    """How long customers were there, of survivors or of a row per customer.

    Parameters
    ----------
    summary : array or table
        As of :meth:`UnderContract.fit`.
    who : str
        Who asks, for messages.
    least : int
        Periods in which somebody could leave that it takes.

    Returns
    -------
    DataFrame
        time (the periods begun, of those who left, or completed, of the others), left (1 where it ended then), entered (periods
        completed before the records begin) and weight.

    Raises
    ------
    ModelError
        Survivors rise, nobody left, or there are too few periods in which somebody could leave.

    Examples
    --------
    >>> lives_of([10, 8, 7]).to_dict("list")
    {'time': [1.0, 2.0, 2.0], 'left': [1.0, 1.0, 0.0], 'entered': [0.0, 0.0, 0.0], 'weight': [2.0, 1.0, 7.0]}
    """
    if is_table(summary):
        frame = framed(who, summary)
        if {"periods", "there"} & set(frame.columns):
            return _rows_of(frame, who, least)
        if frame.shape[1] != 1:
            raise ModelError.lacks(
                who, "periods", frame.columns, "Give periods and there, one row per customer, or survivors alone."
            )
        summary = frame.iloc[:, 0]
    there = checked_numbers(who, "summary", summary).ravel()
    rows = pd.DataFrame({"survivors": there})
    with np.errstate(invalid="ignore"):
        refuse(who, "survivors must be numbers of at least 0", ~(np.isfinite(there) & (there >= 0)), rows)
        rises = np.concatenate([[False], there[1:] > there[:-1]])
    refuse(who, "survivors must be whole numbers", there != np.floor(there), rows, "Give customers, not shares of them.")
    refuse(who, "survivors must never rise", rises, rows, "Follow one cohort from its start.")
    periods = int((there[:-1] > 0).sum())
    if periods < least:
        raise ModelError.not_identifiable(who, _needed(least), f"{periods}", "Give those there at times 0, 1, 2 and so on.")
    if there[0] == there[-1]:
        raise ModelError.not_identifiable(who, "customers who left", "nobody left", "Take a longer history.")
    lost = there[:-1] - there[1:]
    times = np.arange(1.0, len(there))
    left = pd.DataFrame(
        {
            "time": [*times, times[-1]],
            "left": [*np.ones(len(lost)), 0.0],
            "entered": np.zeros(len(there)),
            "weight": [*lost, there[-1]],
        }
    )
    return left[left["weight"] > 0].reset_index(drop=True)


def _needed(least: int) -> str:
    return f"at least {('two', 'three')[least - 2]} periods in which somebody could leave"


def _rows_of(frame: pd.DataFrame, who: str, least: int) -> pd.DataFrame:
    """Customers one by one, who came at different times, as rows of those who left, or are there still, after so many periods."""
    for column in ("periods", "there"):
        if column not in frame.columns:
            raise ModelError.lacks(who, column, frame.columns)
    n, there = checked(who, frame, ["periods"])["periods"], checked_outcomes(who, frame["there"])
    late = "entered" in frame.columns
    entered = checked(who, frame, ["entered"])["entered"] if late else np.zeros(len(n))
    with np.errstate(invalid="ignore"):
        refuse(who, "periods must be a whole number of at least 0", ~((n >= 0) & (n == np.floor(n))), frame)
        refuse(who, "entered must be a whole number of at least 0", ~((entered >= 0) & (entered == np.floor(entered))), frame)
    hint = "Periods count from the customer's start, those before the records too."
    refuse(who, "entered must be at most periods", entered > n, frame, hint)
    left = 1.0 - there
    weight = checked_weight(who, frame)
    rows = pd.DataFrame(
        {"time": n + left, "left": left, "entered": entered, "weight": np.ones(len(n)) if weight is None else weight}
    )
    rows = rows[rows["time"] > rows["entered"]]  # who has not come to the end of a period that was seen tells nothing
    seen = _periods_seen(rows, least)
    if seen < least:
        told = ("none", "one at most", "two at most")[seen]
        raise ModelError.not_identifiable(who, _needed(least), told, "Take a longer history.")
    if not rows["left"].any():
        raise ModelError.not_identifiable(who, "customers who left", "nobody left", "Take a longer history.")
    found_rows: pd.DataFrame = rows.groupby(["time", "left", "entered"], as_index=False)["weight"].sum()
    return found_rows


def _periods_seen(rows: pd.DataFrame, most: int) -> int:
    """Periods at whose end somebody was under observation, counted up to some number."""
    seen, reached = 0, 0.0
    for begun, time in rows[["entered", "time"]].drop_duplicates().sort_values("entered").itertuples(index=False):
        seen += int(min(max(time - max(begun, reached), 0.0), most))
        reached = max(reached, time)
    return min(seen, most)
