"""sBG: the shifted beta-geometric model of customers under contract, who are seen to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.frames import is_table
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.fitting import Chances, Part
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH
from crmlab.models.btyd.special import Array, beta_rule
from crmlab.models.btyd.states import States, checked, checked_weight, framed, refuse
from crmlab.models.checked import checked_numbers, checked_outcomes

__all__ = ["SBG", "lives_of"]


class SBG(BuyTillYouDie):
    """The sBG model: at the end of each period a customer leaves with a chance of their own that does not change.

    Chances θ to leave vary over customers as Beta(alpha, beta); those likely to leave do so first, so that the rate of
    retention rises with age though nobody grows more loyal. A "purchase" is a renewal, "alive" means there in the coming
    period, and a customer's state is one column: ``periods``, the number of renewals already made.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.

    References
    ----------
    Fader and Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21: (5)–(7); Fader and Hardie
    (2010), Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity, Marketing Science 29.

    Examples
    --------
    >>> model = SBG().fit([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> {name: round(value, 3) for name, value in model.params_.items()}
    {'alpha': 0.668, 'beta': 3.806}
    >>> model.survival([8, 12]).round(3).tolist()
    [0.46, 0.378]
    """

    parameter_names = ("alpha", "beta")
    meanings: ClassVar[Mapping[str, str]] = {
        "alpha": "chance to leave: alpha of its Beta distribution",
        "beta": "chance to leave: beta of its Beta distribution",
    }
    needs = "the numbers of customers still there, or periods and there"
    _age = "periods"
    whole_periods = True

    @classmethod
    def from_params(cls, *, alpha: float, beta: float) -> Self:
        """Make a model at given parameters of the Beta distribution of the chance to leave."""
        return cls._from_params({"alpha": alpha, "beta": beta})

    def fit(self, summary: Any, y: None = None) -> Self:  # noqa: ARG002
        """Fit to the numbers of customers still there.

        Parameters
        ----------
        summary : array of shape (periods + 1,), or table
            Customers there at times 0, 1, 2, …: never rising, at least three numbers. Or one row per customer, as :meth:`simulate` gives:
            ``periods``, the renewals made, ``there``, whether still a customer, and an optional ``weight``.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        NotIdentifiableError
            Nobody left, or there are fewer than two periods in which somebody could leave: one period tells the mean chance to
            leave, and nothing of how it varies over customers.
        """
        return super().fit(summary)

    def _training(self, summary: Any) -> pd.DataFrame:
        return lives_of(summary)

    def _held_out(self, summary: Any) -> tuple[list[Array], Array | None]:
        return self.checked_columns(self._training(summary), fitting=True)

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
        if fitting:
            return [frame["time"].to_numpy(float), frame["left"].to_numpy(float)], frame["weight"].to_numpy(float)
        frame = framed("SBG", frame)
        n = checked("SBG", frame, ["periods"])["periods"]
        with np.errstate(invalid="ignore"):
            refuse("SBG", "periods must be a whole number of at least 0", ~((n >= 0) & (n == np.floor(n))), frame)
        return [n, n, n], None

    def _unit(self, states: States) -> float:  # noqa: ARG002
        return 1.0

    def _parts(self) -> tuple[Part, ...]:
        return (Chances((DROPOUT_MEAN, DROPOUT_STRENGTH)),)

    def _starts(self) -> Sequence[Sequence[float]]:
        return [(-1.5, 1.0), (-3.0, 0.0), (0.0, 1.0), (-2.0, 3.0)]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:  # noqa: ARG002
        alpha, beta = params
        time, left = states.columns
        # Whoever left at t renewed t − 1 times; whoever is still there renewed t times.
        stayed = time - left
        value = states.weight @ (special.betaln(alpha + left, beta + stayed) - special.betaln(alpha, beta))
        psi = special.digamma
        both = psi(alpha + beta) - psi(alpha + beta + time)
        return float(value), np.array(
            [
                states.weight @ (both + psi(alpha + left) - psi(alpha)),
                states.weight @ (both + psi(beta + stayed) - psi(beta)),
            ]
        )

    def survival(self, t: npt.ArrayLike) -> pd.Series:
        """Share of a cohort still there at times t, indexed by t."""
        alpha, beta = self.parameters()
        times = np.atleast_1d(np.asarray(t, dtype=float))
        share = np.exp(special.betaln(alpha, beta + times) - special.betaln(alpha, beta))
        return pd.Series(share, index=pd.Index(times, name="t"), name="survival")

    def retention_rate(self, t: npt.ArrayLike) -> pd.Series:
        """Share of those there at time t − 1 who are there at time t, for t = 1, 2, …, indexed by t."""
        alpha, beta = self.parameters()
        times = np.atleast_1d(np.asarray(t, dtype=float))
        return pd.Series(
            (beta + (times - 1)) / (alpha + beta + (times - 1)), index=pd.Index(times, name="t"), name="retention_rate"
        )

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        return (params[1] + states.columns[0]) / (params[0] + params[1] + states.columns[0])

    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of a customer of each state who is alive."""
        return self.discounted_if_alive(params, states, 0.0, horizon)

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:  # noqa: ARG002
        return np.ones(len(states.weight))

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        age = states.group(0)
        steepest = min(horizon, 1 / delta if delta else np.inf)
        theta, weights = beta_rule(params[0], params[1], age.values + 1, steepest)
        log_w = np.log1p(-theta) - delta
        with np.errstate(invalid="ignore"):
            periods = np.expm1(horizon * log_w) / np.expm1(log_w) if horizon < np.inf else -1 / np.expm1(log_w)
        return np.exp(-delta) * (weights @ np.where(log_w == 0, horizon, periods))[age.inverse]

    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        alpha, beta = params
        T = states.columns[2]
        stays = special.betaln(alpha, beta + T + k) - special.betaln(alpha, beta + T + 1)
        return np.where(k <= horizon, np.exp(stays), 0.0)

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        alpha, beta = params
        T = states.columns[2]
        ends = special.betaln(alpha + (n < horizon), beta + T + n) - special.betaln(alpha, beta + T + 1)
        return np.where(n <= horizon, np.exp(ends), 0.0)

    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Rates and remaining lives drawn for each state, at given parameters."""
        age = states.columns[2]
        theta = rng.beta(params[0], (params[1] + age + 1)[:, None], (len(age), m))
        life = np.minimum(rng.geometric(np.maximum(theta, 1e-12)), 1e12).astype(float)
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
        renewed = np.minimum(rng.geometric(np.maximum(theta, 1e-12)), 1e12) - 1.0
        frame = pd.DataFrame({"periods": np.minimum(renewed, age), "there": renewed >= age})
        if horizon is not None:
            frame["holdout_purchases"] = np.clip(renewed - age, 0, self.checked_horizon(horizon))
        return frame


def lives_of(summary: Any) -> pd.DataFrame:
    """How long customers were there, of survivors or of a row per customer: time, left (1 where it ended then) and weight.

    Raises
    ------
    ModelError
        Survivors rise, nobody left, or there are fewer than two periods in which somebody could leave.
    """
    if is_table(summary):
        frame = framed("SBG", summary)
        if {"periods", "there"} & set(frame.columns):
            return _rows_of(frame)
        if frame.shape[1] != 1:
            raise ModelError.lacks(
                "SBG", "periods", frame.columns, "Give periods and there, one row per customer, or survivors alone."
            )
        summary = frame.iloc[:, 0]
    there = checked_numbers("SBG", "summary", summary).ravel()
    rows = pd.DataFrame({"survivors": there})
    with np.errstate(invalid="ignore"):
        refuse("SBG", "survivors must be numbers of at least 0", ~(np.isfinite(there) & (there >= 0)), rows)
        rises = np.concatenate([[False], there[1:] > there[:-1]])
    refuse("SBG", "survivors must never rise", rises, rows, "Follow one cohort from its start.")
    periods = int((there[:-1] > 0).sum())
    if periods < 2:
        needed = "at least two periods in which somebody could leave"
        raise ModelError.not_identifiable("SBG", needed, f"{periods}", "Give those there at times 0, 1, 2 and so on.")
    if there[0] == there[-1]:
        raise ModelError.not_identifiable("SBG", "customers who left", "nobody left", "Take a longer history.")
    lost = there[:-1] - there[1:]
    times = np.arange(1.0, len(there))
    left = pd.DataFrame({"time": [*times, times[-1]], "left": [*np.ones(len(lost)), 0.0], "weight": [*lost, there[-1]]})
    return left[left["weight"] > 0].reset_index(drop=True)


def _rows_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Customers one by one, who came at different times, as rows of those who left, or are there still, after so many periods."""
    found = checked("SBG", frame, ["periods", "there"])
    n, there = found["periods"], checked_outcomes("SBG", found["there"])
    with np.errstate(invalid="ignore"):
        refuse("SBG", "periods must be a whole number of at least 0", ~((n >= 0) & (n == np.floor(n))), frame)
    left = 1.0 - there
    weight = checked_weight("SBG", frame)
    rows = pd.DataFrame({"time": n + left, "left": left, "weight": np.ones(len(n)) if weight is None else weight})
    rows = rows[rows["time"] > 0]  # who has not come to the end of a first period tells nothing
    if not (rows["time"] >= 2).any():
        needed = "at least two periods in which somebody could leave"
        raise ModelError.not_identifiable("SBG", needed, "one at most", "Take a longer history.")
    if not rows["left"].any():
        raise ModelError.not_identifiable("SBG", "customers who left", "nobody left", "Take a longer history.")
    found_rows: pd.DataFrame = rows.groupby(["time", "left"], as_index=False)["weight"].sum()
    return found_rows
