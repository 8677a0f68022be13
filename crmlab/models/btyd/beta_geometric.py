"""What BG/NBD and MBG/NBD share: purchases at a Gamma rate, drop-out after a purchase with a Beta chance.

They differ in one thing: MBG/NBD lets customers drop out after their first purchase too. A customer with x repeat purchases
has thus come through x (BG/NBD) or x + 1 (MBG/NBD) chances to drop out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.models.btyd.covariates import DROPOUT, PURCHASE
from crmlab.models.btyd.explained import WithCovariates
from crmlab.models.btyd.fitting import Chances, Part, Rates
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH, MEAN_RATE, SHAPE
from crmlab.models.btyd.special import Array, beta_rule, discounting, nodes_of
from crmlab.models.btyd.states import States, over_values

__all__ = ["BetaGeometric"]


class BetaGeometric(WithCovariates):
    """Base of BG/NBD and MBG/NBD."""

    parameter_names = ("r", "alpha", "a", "b")
    meanings: ClassVar[Mapping[str, str]] = {
        "r": "purchase rates: shape",
        "alpha": "purchase rates: scale, a length of time",
        "a": "chance to drop out: a of its Beta distribution",
        "b": "chance to drop out: b of its Beta distribution",
    }
    takes_clock = True
    learns_clock: ClassVar[bool] = True  # a season can be learnt with it
    moves: ClassVar[Mapping[str, Sequence[float]]] = {PURCHASE: (0, -1, 0, 0), DROPOUT: (0, 0, 1, 0)}
    _extra: ClassVar[int]

    @classmethod
    def from_params(cls, *, r: float, alpha: float, a: float, b: float) -> Self:
        """Make a model at given parameters.

        Parameters
        ----------
        r, alpha : float
            Shape and scale parameter of the Gamma distribution of purchase rates; alpha is a length of time.
        a, b : float
            Parameters of the Beta distribution of the chance to drop out after a purchase.
        """
        return cls._from_params({"r": r, "alpha": alpha, "a": a, "b": b})

    def _parts(self) -> tuple[Part, ...]:
        return Rates((SHAPE, MEAN_RATE)), Chances((DROPOUT_MEAN, DROPOUT_STRENGTH))

    def _starts(self) -> Sequence[Sequence[float]]:
        # (log r, log mean purchases in a typical history, log odds of drop-out, log(a + b))
        return [
            (-1.0, 0.5, -1.2, 1.0),
            (0.0, 0.0, -3.0, 0.0),
            (-0.5, 1.5, 0.0, 0.5),
            (0.5, 2.5, -4.0, 2.0),
            (-2.0, -1.0, -0.5, -1.0),
        ]

    def _chances(self, x: Array) -> Array:
        """Chances to drop out that a customer has come through."""
        return x + self._extra

    def _by_state(self, each: Sequence[Any], states: States, gradient: bool) -> tuple[Array, list[Array]]:
        r, alpha, a, b = each
        x, tx, age = states.columns[:3]
        flips = self._chances(x)
        some = flips > 0
        later = np.where(some, b + (flips - 1), 1.0)
        power, spread = r + x, np.log(alpha + age) - np.log(alpha + tx)
        odds = np.where(some, np.log(a) - np.log(later) + power * spread, -np.inf)
        value = special.gammaln(power) - special.gammaln(r) + special.betaln(a, b + flips) - special.betaln(a, b)
        value += r * np.log(alpha) - power * np.log(alpha + age) + np.logaddexp(0.0, odds)
        if not gradient:
            return value, []
        dead, psi = special.expit(odds), special.digamma
        by_r = psi(power) - psi(r) + np.log(alpha) - np.log(alpha + age) + dead * spread
        by_alpha = r / alpha - power / (alpha + age) + dead * power * (1 / (alpha + age) - 1 / (alpha + tx))
        both = psi(a + b) - psi(a + b + flips)
        by_a = both + dead / a
        by_b = both + psi(b + flips) - psi(b) - dead * np.where(some, 1 / later, 0.0)
        return value, [r * by_r, alpha * by_alpha, a * by_a, b * by_b]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        if len(params) > len(self.parameter_names):
            return self._summed(params, states, gradient)
        # Without covariates the same by groups of states, which is faster.
        r, alpha, a, b = params
        w = states.weight
        x, tx, age = (states.group(k) for k in range(3))
        at_x = np.bincount(x.inverse, weights=w)
        at_age = np.bincount(age.inverse, weights=w)
        bought_at_age = np.bincount(age.inverse, weights=w * states.columns[0])
        flips = self._chances(x.values)
        some = flips > 0
        later = np.where(some, b + (flips - 1), 1.0)
        head = special.gammaln(r + x.values) - special.gammaln(r)
        head += special.betaln(a, b + flips) - special.betaln(a, b)
        log_age, log_tx = np.log(alpha + age.values), np.log(alpha + tx.values)
        spread = log_age[age.inverse] - log_tx[tx.inverse]
        power = (r + x.values)[x.inverse]
        odds = np.where(some, np.log(a) - np.log(later), -np.inf)[x.inverse] + power * spread
        small = np.exp(-np.abs(odds))
        value = at_x @ head + states.n * r * np.log(alpha) - (r * at_age + bought_at_age) @ log_age
        value += w @ (np.log1p(small) + np.maximum(odds, 0))
        if not gradient:
            return float(value), params
        dead = w * np.where(odds > 0, 1.0, small) / (1 + small)
        dead_at_x = np.bincount(x.inverse, weights=dead)
        psi = special.digamma
        by_r = at_x @ (psi(r + x.values) - psi(r)) + states.n * np.log(alpha) - at_age @ log_age + dead @ spread
        heavy = dead * power
        by_alpha = states.n * r / alpha - (r * at_age + bought_at_age) @ (1 / (alpha + age.values))
        by_alpha += np.bincount(age.inverse, weights=heavy) @ (1 / (alpha + age.values))
        by_alpha -= np.bincount(tx.inverse, weights=heavy) @ (1 / (alpha + tx.values))
        both = psi(a + b) - psi(a + b + flips)
        by_a = at_x @ both + dead.sum() / a
        by_b = at_x @ (both + psi(b + flips) - psi(b)) - dead_at_x @ np.where(some, 1 / later, 0.0)
        return float(value), np.array([by_r, by_alpha, by_a, by_b])

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        r, alpha, a, b = self.at_states(params, states)
        if np.ndim(alpha) or np.ndim(a):
            n, last, end = states.columns[:3]
            past = self._chances(n)
            log_odds = np.log(a) - np.log(np.where(past > 0, b + (past - 1), 1.0))
            log_odds = np.where(past > 0, log_odds + (r + n) * (np.log(alpha + end) - np.log(alpha + last)), -np.inf)
            return special.expit(-log_odds)
        x, tx, age = (states.group(k) for k in range(3))
        flips = self._chances(x.values)
        odds = np.where(flips > 0, np.log(a) - np.log(np.where(flips > 0, b + (flips - 1), 1.0)), -np.inf)
        spread = np.log(alpha + age.values)[age.inverse] - np.log(alpha + tx.values)[tx.inverse]
        return 1 / (1 + np.exp(odds[x.inverse] + (r + x.values)[x.inverse] * spread))

    def conditional_rates(self, params: Array, states: States) -> tuple[Array, Array]:
        """Expected rate of each state given all that is known of it: up to its last purchase, and after it while alive, times P(alive).

        Customers drop out at purchases, so that one who is gone was so at once after the last of them.
        """
        r, alpha = self.at_states(params, states)[:2]
        x, tx, age = states.columns[:3]
        alive = self.chance_alive(params, states)
        after = alive * (r + x) / (alpha + age)
        return after + (1 - alive) * (r + x) / (alpha + tx), after

    def conditional_curvature(self, params: Array, states: States) -> tuple[Array, Array, Array]:
        """Second derivatives of the log-likelihood of each state by its age (twice), by age and recency, and by recency (twice).

        Its first derivatives are less :meth:`conditional_rates`: by age less the rate after the last purchase, by recency less what the
        rate before it is more. What these do is thus what is not known of the rates: their variance given all that is known.
        """
        r, alpha = self.at_states(params, states)[:2]
        x, tx, age = states.columns[:3]
        alive = self.chance_alive(params, states)
        both = alive * (1 - alive) * (r + x) ** 2
        late, early = alpha + age, alpha + tx
        by_age = (alive * (r + x) + both) / late**2
        return by_age, -both / (late * early), ((1 - alive) * (r + x) + both) / early**2

    def _over_chance(self, a: float, b: float, x: Array, steepest: float) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """Nodes p, weights for each distinct frequency, and the frequency of each row, of those alive."""
        distinct, which = np.unique(x, return_inverse=True)
        p, weights = beta_rule(a, b, self._chances(distinct), steepest)
        return p, weights, which

    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of a customer of each state who is alive."""
        out: Array = self.purchases_by(params, states, np.array([horizon], dtype=float))[0]
        return out

    def purchases_by(self, params: Array, states: States, horizons: Array) -> Array:
        """The same within each of some horizons, shape (n_horizons, n_states): with one set of nodes for all."""
        r, alpha, a, b = self.at_states(params, states)
        some = np.asarray(horizons, dtype=float)
        ahead = some > 0
        found = np.zeros((len(some), len(states.columns[0])))
        if not ahead.any():
            return found
        if not np.ndim(alpha) and not np.ndim(a):
            found[ahead] = states.on_pairs(
                lambda x, T: self._bought(r + x, some[ahead] / (alpha + T)[:, None], (a, b, x)), alpha
            ).T
            return found
        # A function of the frequency, of z = horizon / (α + T) and of a: over z it is known at nodes, and at them over a.
        length = alpha + states.columns[2]
        z = some[ahead] / length[:, None]
        nodes, values = nodes_of(float(z.max()), 1.0)
        x = states.group(0)

        def per_z(at: float, which: Any) -> Array:
            table = self._bought(r + x.values, np.tile(nodes, (len(x.values), 1)), (at, b, x.values)) / nodes
            return table[x.inverse[which]]

        logs = np.log(over_values(np.broadcast_to(a, len(z)), per_z))
        out = np.empty(z.shape)
        step = max(2_000_000 // (z.shape[1] * len(nodes)), 1)  # of so many numbers at most at a time
        for start in range(0, len(z), step):
            s = slice(start, start + step)
            # Of categories and whole periods few lengths differ.
            lengths, place = np.unique(length[s], return_inverse=True)
            matrix = values((some[ahead] / lengths[:, None]).ravel()).reshape(len(lengths), -1, len(nodes))
            out[s] = z[s] * np.exp((matrix[place] @ logs[s, :, None])[..., 0])
        found[ahead] = out.T
        return found

    def _bought(self, power: Array, z: Array, chance: tuple[float, float, Array]) -> Array:
        """Expected purchases of those alive, shape (n, n_horizons): ``z`` is horizon / (α + T), ``chance`` a, b and the frequencies."""
        # Given the chance p: ∫₀ʰ E[λ e^(−λ p s)] ds = (1 − (1 + p z)^−r') / p.
        steep = z.max(axis=1) * np.maximum(1.0, 0.05 * power)
        p, weights, which = self._over_chance(*chance, float(steep.max()))
        # Who never drops out, at p = 0, goes on at the same rate; tiny chances are none.
        leaves = p > 1e-250
        by_chance = weights[:, leaves] / p[leaves]
        stays = weights[:, ~leaves].sum(axis=1)
        out = np.empty(z.shape)
        step = max(512 // z.shape[1], 1)  # so that the arrays of nodes stay in the processor's cache
        for start in range(0, len(z), step):
            s = slice(start, start + step)
            grown = np.log1p(p[leaves] * z[s, :, None])
            grown *= -power[s, None, None]
            gone = -np.expm1(grown, out=grown)
            out[s] = (gone @ by_chance[which[s], :, None])[..., 0] + (stays[which[s]] * power[s])[:, None] * z[s]
        return out

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:
        r, alpha = self.at_states(params, states)[:2]
        return -np.expm1(-(r + states.columns[0]) * np.log1p(horizon / (alpha + states.columns[2])))

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        reach = self.worth_counting(delta, horizon)
        scale = self.time_scale(params, states)
        nodes, values = nodes_of(reach, scale)
        found: Array = discounting(values, reach, scale, delta) @ self.purchases_by(params, states, nodes)
        return found

    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        # At least k purchases: k arrivals in time, and k − 1 chances come through.
        r, alpha, a, b = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        stays = special.betaln(a, b + (self._chances(x) + k - 1)) - special.betaln(a, b + self._chances(x))
        return special.betainc(k, r + x, horizon / (alpha + T + horizon)) * np.exp(stays)

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        r, alpha, a, b = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        power, length, past = r + x, alpha + T, b + self._chances(x)
        log_nb = special.gammaln(power + n) - special.gammaln(power) - special.gammaln(n + 1)
        log_nb += power * np.log(length / (length + horizon)) + n * np.log(horizon / (length + horizon))
        base = special.betaln(a, past)
        stayed = np.exp(special.betaln(a, past + n) - base + log_nb)
        left = np.exp(special.betaln(a + 1, past + (n - 1)) - base)
        return stayed + left * special.betainc(n, power, horizon / (length + horizon))

    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Rates and remaining lives drawn for each state, at given parameters."""
        r, alpha, a, b = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        rate = rng.gamma((r + x)[:, None], 1.0, (len(x), m)) / (alpha + T)[:, None]
        p = rng.beta(np.reshape(a, (-1, 1)), (b + self._chances(x))[:, None], (len(x), m))
        # Purchases thin into those that end the customer's life and those that do not; the two are independent.
        life = rng.exponential(1.0, (len(x), m)) / np.maximum(rate * p, 1e-300)
        return rate * (1 - p), life, np.ones(rate.shape, dtype=bool)
