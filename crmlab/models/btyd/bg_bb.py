"""BG/BB: the beta-geometric / beta-binomial model, for customers who may buy once in every period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.fitting import Axis, Chances, Part
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH
from crmlab.models.btyd.special import Array, beta_rule, gauss
from crmlab.models.btyd.states import States

__all__ = ["BGBB"]


_BUY_MEAN = Axis(-18.0, 18.0, "nobody buys again", "everybody who is alive buys in every period")
_BUY_STRENGTH = Axis(-7.0, 9.0, "customers buy in every period or never", "all customers buy at the same rate", 1.0, 1.5)


# Periods that are gone through one by one.
_EACH = 512.0


class BGBB(BuyTillYouDie):
    """The BG/BB model: in each period a customer who is alive buys with a chance of their own, or not; drop-out comes between.

    Chances p to buy vary over customers as Beta(alpha, beta), chances θ to drop out at the beginning of a period as
    Beta(gamma, delta). ``recency`` is the number of the last period with a purchase, 0 where there was none; ``periods`` the
    number of periods since the first purchase. "Alive" means alive in the coming period.

    ``fit`` takes one table with a row per customer: frequency (periods with a purchase since the first), recency and ``periods``, all
    whole numbers. A column ``weight`` says how many customers a row stands for.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`. ``priors=True`` is what other packages have a penaliser for
        (``penalizer_coef`` of lifetimes): few customers, or a short history.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.

    Attributes
    ----------
    params_ : dict
        Estimates of alpha, beta, gamma and delta; ``summary()`` has them with intervals.
    n_customers_, log_likelihood_, aic_, bic_, boundary_
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`, which has more.

    References
    ----------
    Fader, Hardie and Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, Marketing Science 29:
    likelihood (5), pmf (7), P(alive) (11), expectation (13), DERT (14).

    Examples
    --------
    >>> import pandas as pd
    >>> model = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    >>> donors = pd.DataFrame({"frequency": [6, 0], "recency": [6, 0], "periods": [6, 6]})
    >>> model.expected_purchases(donors, 5).round(3).tolist()
    [3.752, 0.073]
    """

    parameter_names = ("alpha", "beta", "gamma", "delta")
    meanings: ClassVar[Mapping[str, str]] = {
        "alpha": "chance to buy in a period: alpha of its Beta distribution",
        "beta": "chance to buy in a period: beta of its Beta distribution",
        "gamma": "chance to drop out: gamma of its Beta distribution",
        "delta": "chance to drop out: delta of its Beta distribution",
    }
    needs = "frequency, recency and periods"
    _age = "periods"
    whole_periods = True

    @classmethod
    def from_params(cls, *, alpha: float, beta: float, gamma: float, delta: float) -> Self:
        """Make a model at given parameters.

        Parameters
        ----------
        alpha, beta : float
            Of the Beta distribution of the chance to buy in a period.
        gamma, delta : float
            Of the Beta distribution of the chance to drop out before a period.
        """
        return cls._from_params({"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta})

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
        columns, weight = super().checked_columns(frame, fitting)
        if fitting and (columns[2] <= 1).all():
            # Of one period only the product of two means is known: whether customers are alive, and buy if they are.
            found = f"{len(columns[2]):,} rows with at most 1"
            raise ModelError.not_identifiable("BGBB", "some customers with at least two periods", found, "Take a later as_of.")
        return columns, weight

    def _parts(self) -> tuple[Part, ...]:
        return Chances((_BUY_MEAN, _BUY_STRENGTH)), Chances((DROPOUT_MEAN, DROPOUT_STRENGTH))

    def _starts(self) -> Sequence[Sequence[float]]:
        return [
            (0.0, 0.7, -1.5, 1.0),
            (-1.5, 0.5, -2.5, 0.5),
            (-3.0, 1.0, -1.0, 1.0),
            (1.0, 1.0, -0.5, 0.5),
            (-0.5, 2.0, -4.0, 2.0),
        ]

    def _ends(self, params: Array, states: States) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
        """Log likelihood of each way a life may have gone on: ended after j = recency, …, n − 1 periods, or lasted for n."""
        alpha, beta, gamma, delta = params
        x, tx, n = (column[:, None] for column in states.columns[:3])
        j = np.minimum(tx + np.arange(int((n - tx).max(initial=0.0)) + 1), n)
        lasted = j == n
        # All later columns of a shorter row repeat j = n; the first of them counts.
        counts = ~lasted | (np.cumsum(lasted, axis=1) == 1)
        # At a corner beta is 1e-11, say, and β + n − x must not begin with β + n: what is small is added last. So with the differences.
        log_f = special.betaln(alpha + x, beta + (j - x)) - special.betaln(alpha, beta)
        log_f += special.betaln(gamma + ~lasted, delta + j) - special.betaln(gamma, delta)
        return np.where(counts, log_f, -np.inf), j, x, lasted

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        alpha, beta, gamma, delta = params
        log_f, j, x, lasted = self._ends(params, states)
        # A probability: what rounding brings above 1 is 1.
        each = np.minimum(_log_sum(log_f), 0.0)
        value = float(states.weight @ each)
        if not gradient:
            return value, params
        share = states.weight[:, None] * np.exp(log_f - each[:, None])
        psi = special.digamma
        buy = psi(alpha + beta) - psi(alpha + beta + j)
        leave = psi(gamma + delta) - psi(gamma + ~lasted + delta + j)
        return value, np.array(
            [
                (share * (buy + psi(alpha + x) - psi(alpha))).sum(),
                (share * (buy + psi(beta + (j - x)) - psi(beta))).sum(),
                (share * (leave + psi(gamma + ~lasted) - psi(gamma))).sum(),
                (share * (leave + psi(delta + j) - psi(delta))).sum(),
            ]
        )

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        alpha, beta, gamma, delta = params
        x, _, n = states.columns[:3]
        log_f = special.betaln(alpha + x, beta + (n - x)) - special.betaln(alpha, beta)
        log_f += special.betaln(gamma, delta + n + 1) - special.betaln(gamma, delta)
        return np.minimum(np.exp(log_f - _log_sum(self._ends(params, states)[0])), 1.0)

    def _over_leaving(self, params: Array, states: States, steepest: float) -> tuple[Array, Array]:
        """Nodes θ, and their weights for those who are alive in the coming period."""
        age = states.group(2)
        theta, weights = beta_rule(params[2], params[3], age.values + 1, steepest)
        return theta, weights[age.inverse]

    def _buys(self, params: Array, states: States) -> Array:
        return (params[0] + states.columns[0]) / (params[0] + params[1] + states.columns[2])

    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of a customer of each state who is alive."""
        return self._buys(params, states) * self._stays(params, states, 0.0, horizon)

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        return self._buys(params, states) * self._stays(params, states, delta, horizon)

    def _stays(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted number of periods of life: Σ e^(−δk) (1 − θ)^(k−1) over k from 1 to the horizon."""
        theta, weights = self._over_leaving(params, states, min(horizon, 1 / delta if delta else np.inf))
        log_w = np.log1p(-theta) - delta
        with np.errstate(invalid="ignore"):
            periods = np.expm1(horizon * log_w) / np.expm1(log_w) if horizon < np.inf else -1 / np.expm1(log_w)
        return np.exp(-delta) * (weights @ np.where(log_w == 0, horizon, periods))

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:
        alpha, beta, gamma, delta = params
        x, n = states.columns[0], states.columns[2]
        limits = np.broadcast_to(np.asarray(horizon, dtype=float), x.shape)
        rest = n - x

        def first(t: Array, some: Any) -> Array:
            """Probability that the first purchase comes in period t, while alive."""
            buy, age, missed = ((column[some])[:, None] for column in (alpha + x, n, rest))
            log_f = special.betaln(buy + 1, beta + (missed + t - 1)) - special.betaln(buy, beta + missed)
            log_f += special.betaln(gamma, delta + age + t) - special.betaln(gamma, delta + age + 1)
            return np.exp(log_f)

        t = np.arange(1.0, min(float(limits.max(initial=1.0)), _EACH) + 1)
        out = np.where(t <= limits[:, None], first(t, slice(None)), 0.0).sum(axis=1)
        far = np.flatnonzero(limits > _EACH)
        if len(far):
            # So late the sum over periods is the integral from half a period before to half a period after, over log t.
            nodes, weights = gauss(16)
            low, high = np.log(_EACH + 0.5), np.log(limits[far] + 0.5)
            panels = int(np.ceil(float((high - low).max())))
            width = ((high - low) / panels)[:, None]
            for k in range(panels):
                late = np.exp(low + width * (k + nodes))
                out[far] += (first(late, far) * late * width) @ weights
        return np.minimum(out, 1.0)

    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        # The k-th purchase comes in period t, while alive.
        alpha, beta, gamma, delta = params
        k, x, n = (part[:, None] for part in np.broadcast_arrays(k, states.columns[0], states.columns[2]))
        t = np.arange(1, int(horizon) + 1)
        later = np.maximum(t - k, 0)
        log_f = special.gammaln(later + k) - special.gammaln(k) - special.gammaln(later + 1)
        log_f += special.betaln(alpha + x + k, beta + (n - x + later)) - special.betaln(alpha + x, beta + (n - x))
        log_f += special.betaln(gamma, delta + n + t) - special.betaln(gamma, delta + n + 1)
        return np.where(t >= k, np.exp(log_f), 0.0).sum(axis=1)

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        # Life lasts for j of the periods, in n of which there is a purchase.
        alpha, beta, gamma, delta = params
        k, x, n = (part[:, None] for part in np.broadcast_arrays(n, states.columns[0], states.columns[2]))
        j = np.arange(1, int(horizon) + 1)
        rest = np.maximum(j - k, 0)
        log_f = special.gammaln(rest + k + 1) - special.gammaln(k + 1) - special.gammaln(rest + 1)
        log_f += special.betaln(alpha + x + k, beta + (n - x + rest)) - special.betaln(alpha + x, beta + (n - x))
        log_f += special.betaln(gamma + (j < int(horizon)), delta + n + j) - special.betaln(gamma, delta + n + 1)
        return np.where(j >= k, np.exp(log_f), 0.0).sum(axis=1)

    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Chance to buy, and the number of periods to live, the coming one included."""
        alpha, beta, gamma, delta = params
        x, T = states.columns[0], states.columns[2]
        p = rng.beta((alpha + x)[:, None], (beta + (T - x))[:, None], (len(x), m))
        theta = rng.beta(gamma, (delta + T + 1)[:, None], (len(x), m))
        life = np.minimum(rng.geometric(np.maximum(theta, 1e-12)), 1e12)
        return p, life.astype(float), np.zeros(p.shape, dtype=bool)

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
        p, life, _ = self.simulated_lives(params, states.taken(some), rng, m)
        born = rng.random(p.shape) < self.chance_alive(params, states)[some][:, None]
        end = min(horizon, np.ceil(60 / delta)) if delta > 0 else horizon
        span = np.where(born, np.minimum(life, end), 0.0)
        count = rng.binomial(span.astype(np.int64), p).astype(float)
        # Given their number, purchases fall on the periods like a sample without replacement.
        w, w2 = np.exp(-delta), np.exp(-2 * delta)
        periods = np.maximum(span, 1.0)
        mean = w * -np.expm1(-delta * periods) / -np.expm1(-delta) / periods if delta else np.ones_like(span)
        square = w2 * -np.expm1(-2 * delta * periods) / -np.expm1(-2 * delta) / periods if delta else np.ones_like(span)
        spread = count * np.maximum(square - mean**2, 0) * (1 - np.maximum(count - 1, 0) / np.maximum(periods - 1, 1))
        # All at the beginning of the life is the most that they are worth, all at its end the least.
        top = w * np.expm1(-delta * count) / np.expm1(-delta) if delta else count
        total = count * mean + np.sqrt(spread) * rng.standard_normal(p.shape)
        return count, np.clip(total, top * np.exp(-delta * (span - count)), top)

    def simulate(self, T: npt.ArrayLike, horizon: float | None = None, *, seed: int = 0) -> pd.DataFrame:
        """Draw customers from the model, as :meth:`BuyTillYouDie.simulate` does; T and horizon in whole periods."""
        params, age = self.parameters(), np.asarray(T, dtype=np.int64)
        rng = np.random.default_rng(seed)
        n, h = len(age), 0 if horizon is None else int(self.checked_horizon(horizon))
        p, theta = rng.beta(params[0], params[1], n), rng.beta(params[2], params[3], n)
        x, tx, after = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        alive = np.ones(n, dtype=bool)
        for period in range(1, int(age.max(initial=0)) + h + 1):
            alive &= rng.random(n) >= theta
            buys = alive & (rng.random(n) < p)
            seen = buys & (period <= age)
            x, tx = x + seen, np.where(seen, period, tx)
            after += buys & (period > age) & (period <= age + h)
        frame = pd.DataFrame({"frequency": x, "recency": tx, "periods": age})
        if horizon is not None:
            frame["holdout_purchases"] = after
        return frame


def _log_sum(logs: Array) -> Array:
    """Log of the sum over each row, small terms first, so that they are not lost beside large ones."""
    return special.logsumexp(np.sort(logs, axis=1), axis=1)
