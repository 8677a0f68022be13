"""What BG/CNBD-k and MBG/CNBD-k share: purchases that need k phases each, so that regular buyers are told from those who have left.

BG/NBD and MBG/NBD take purchases as they come by chance alone. Customers who buy every other week and have not come for five are then
as good as ever; in truth they are late. With k phases to a purchase the time between two is Erlang-k, the more regular the larger k; k = 1
are BG/NBD and MBG/NBD themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ConvergenceError, ModelError
from crmlab.models.btyd.beta_geometric import BetaGeometric
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.fitting import Chances, Part, Rates
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH, MEAN_RATE, SHAPE
from crmlab.models.btyd.priors import Priors
from crmlab.models.btyd.renewals import Renewals, phase_weights, renewal_times
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked, checked_weight, framed, one_table, refuse

__all__ = ["MOST_PHASES", "RegularBuyers"]


MOST_PHASES = 20
_FALLS = 2  # of the log-likelihood, one k after another, after which no larger one is tried
_ROUNDED = 0.05  # by which the mean log of gaps may be off where times were rounded
_UNITS = 1.0  # the same of a single gap: of another unit, days beside weeks say, it is off by more
_CELLS = 2_000_000  # numbers held at once


class RegularBuyers(BetaGeometric):
    """Base of BG/CNBD-k and MBG/CNBD-k."""

    meanings: ClassVar[Mapping[str, str]] = {
        **BetaGeometric.meanings,
        "r": "rates of phases, k of which make a purchase: shape",
        "alpha": "rates of phases, k of which make a purchase: scale, a length of time",
    }
    needs = "frequency, recency, T and log_gaps"
    also_saved = ("k", "profile")
    learns_clock = False

    def __init__(
        self,
        *,
        k: int | None = None,
        max_iter: int = 500,
        draws: int = 1000,
        seed: int = 0,
        priors: Priors = False,
        clock: Clock | None = None,
        unit: str | None = None,
    ) -> None:
        super().__init__(max_iter=max_iter, draws=draws, seed=seed, priors=priors, clock=clock, unit=unit)
        self.k = k

    @classmethod
    def from_params(cls, *, k: int, r: float, alpha: float, a: float, b: float) -> Self:  # type: ignore[override]
        """Make a model at given parameters.

        Parameters
        ----------
        k : int
            Phases that a purchase needs, from 1 to 20.
        r, alpha : float
            Shape and scale parameter of the Gamma distribution of rates of phases; alpha is a length of time. A customer of the
            rate λ buys every k / λ in the mean.
        a, b : float
            Parameters of the Beta distribution of the chance to drop out after a purchase.
        """
        model = cls._from_params({"r": r, "alpha": alpha, "a": a, "b": b})
        model.k = k
        model._checked_options()
        if k is None:
            raise ModelError.expected(cls.__name__, "k", f"a whole number from 1 to {MOST_PHASES}", k)
        model.k_ = int(k)
        return model

    @property
    def _phases(self) -> int:
        return int(getattr(self, "k_", None) or self.k or 1)

    def _checked_options(self) -> None:
        super()._checked_options()
        k = self.k
        if k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MOST_PHASES):
            expected = f"a whole number from 1 to {MOST_PHASES}, or None for the one of the highest likelihood"
            raise ModelError.expected(type(self).__name__, "k", expected, k)

    def _parts(self) -> tuple[Part, ...]:
        # Phases are k times as many as purchases.
        phases = replace(MEAN_RATE, centre=MEAN_RATE.centre + float(np.log(self._phases)))
        return Rates((SHAPE, phases)), Chances((DROPOUT_MEAN, DROPOUT_STRENGTH))

    def _starts(self) -> Sequence[Sequence[float]]:
        return [(r, rate + float(np.log(self._phases)), *rest) for r, rate, *rest in super()._starts()]

    # The fit.

    def fit(self, summary: Any, y: None = None, *more: Any) -> Self:
        """Fit to the distinct states of the customers, with the k that is given, or else the one of the highest likelihood.

        Parameters
        ----------
        summary : table
            frequency, recency, T and log_gaps, the sum over a customer's repeat purchases of the log of the time since the purchase
            before, in the unit of T (0 where there is none), as ``customer_summary(orders, log_gaps=True)`` makes it; and an optional
            whole-number ``weight``: log_gaps is then the mean of the customers that a row stands for. With ``k=1`` it is not needed. With a
            clock gaps are of its time: ``customer_summary(orders, unit="week", log_gaps=clock)``.
        y : None
            Not used; there for scikit-learn.
        *more
            Nothing: the columns come in one table.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            The table is not usable (with the number of offending rows), or the parameters are not identifiable.
        ConvergenceError
            No start led to an optimum, whatever k.
        """
        return super().fit(summary, y, *more)

    def _fitted(self, summary: Any, more: tuple[Any, ...]) -> Self:
        name = type(self).__name__
        self._checked_options()
        one_table(name, self.needs, summary, more)
        frame = framed(name, summary)
        gaps = 0.0 if self.k == 1 else self._log_gaps(frame)
        if self.k is not None:
            self._fit_one(frame, int(self.k), gaps)
            self.profile_ = [self.log_likelihood_]
            return self
        profile: list[float] = []
        best: dict[str, Any] | None = None
        failed: ConvergenceError | None = None
        for k in range(1, MOST_PHASES + 1):
            try:
                self._fit_one(frame, k, gaps)
            except ConvergenceError as error:
                failed = error
                profile.append(-np.inf)
            else:
                profile.append(self.log_likelihood_)
                if best is None or self.log_likelihood_ > best["log_likelihood_"]:
                    best = dict(self.__dict__)
            if best is not None and k - best["k_"] >= _FALLS:
                break
        if best is None:
            assert failed is not None
            raise failed
        self.__dict__.update(best)
        self.profile_ = profile
        return self

    def _fit_one(self, frame: pd.DataFrame, k: int, gaps: float) -> None:
        self.k_ = k
        super()._fitted(frame, (None,))
        # Given k the gaps are a constant, of use only where values of k are compared, and in a held-out likelihood.
        more = (k - 1) * gaps
        self.log_likelihood_ += more
        self.aic_ -= 2 * more
        self.bic_ -= 2 * more
        self.lesser_optima_ = tuple(value + more for value in self.lesser_optima_)

    def _log_gaps(self, frame: pd.DataFrame) -> float:
        """Sum of the logs of all gaps between purchases, checked."""
        name = type(self).__name__
        if "log_gaps" not in frame.columns:
            hint = "Make it with customer_summary(orders, log_gaps=True), or set k=1, which needs none."
            raise ModelError.lacks(name, "log_gaps", frame.columns, hint)
        columns, weight = self.checked_columns(frame)[0], checked_weight(name, frame)
        found, x = checked(name, frame, ["log_gaps"])["log_gaps"], columns[0]
        some = x > 0
        refuse(name, "log_gaps must be finite where frequency is above 0", some & ~np.isfinite(found), frame)
        # The mean of logs is at most the log of the mean.
        clock, recency = self._running, columns[1]
        if clock is not None:
            recency = clock.at(columns[1] - columns[2]) - clock.at(-columns[2])
        with np.errstate(divide="ignore", invalid="ignore"):
            most = x * (np.log(recency / np.maximum(x, 1.0)) + _ROUNDED)
        refuse(
            name,
            "log_gaps must be at most frequency × log(recency / frequency), which it is where all gaps are alike",
            some & (found > most),
            frame,
            "The logs must be of times in the unit of recency, one for each repeat purchase"
            + (".", ", on the clock: customer_summary(orders, unit='week', log_gaps=clock).")[clock is not None],
        )
        one = (x == 1) & (recency > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(found - np.log(recency)) > _UNITS
        refuse(
            name,
            "log_gaps must be the log of recency where frequency is 1",
            one & apart,
            frame,
            "The logs must be of times in the unit of recency.",
        )
        each = np.where(some, found, 0.0)
        return float(each.sum() if weight is None else weight @ each)

    def score(self, summary: Any, y: None = None) -> float:
        """Log-likelihood per customer, at the parameters of the fit; see :meth:`BetaGeometric.score`.

        Parameters
        ----------
        summary : table
            As in :meth:`fit`.
        y : None
            Not used; there for scikit-learn.
        """
        frame = framed(type(self).__name__, summary)
        found = super().score(frame, y)
        if self._phases == 1:
            return found
        weight = checked_weight(type(self).__name__, frame)
        return found + (self._phases - 1) * self._log_gaps(frame) / float(len(frame) if weight is None else weight.sum())

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        # Without (k − 1) Σ log gaps, which no parameter moves.
        k = self._phases
        if k == 1:
            return super()._log_likelihood(params, states, gradient)
        r, alpha, a, b = params
        w = states.weight
        x, tx, age = (states.group(place) for place in range(3))
        at_x = np.bincount(x.inverse, weights=w)
        shape, flips = r + k * x.values, self._chances(x.values)
        some = flips > 0
        later = np.where(some, b + (flips - 1), 1.0)
        head = special.gammaln(shape) - special.gammaln(r) - x.values * special.gammaln(k)
        head += special.betaln(a, b + flips) - special.betaln(a, b)
        log_age, log_tx = np.log(alpha + age.values), np.log(alpha + tx.values)
        spread = log_age[age.inverse] - log_tx[tx.inverse]
        power = shape[x.inverse]
        share = -np.expm1(-spread)
        # Phases that may have passed since the last purchase: their number weighs what comes of it.
        term, total, phases, by_power = (np.zeros(len(w)) for _ in range(4))
        term += 1
        total += 1
        steps = np.zeros(len(x.values))
        for j in range(1, k):
            term *= ((shape + (j - 1)) / j)[x.inverse]
            term *= share
            total += term
            if gradient:
                steps = steps + 1 / (shape + (j - 1))
                phases += j * term
                by_power += steps[x.inverse] * term
        log_total = np.log(total)
        odds = np.where(some, np.log(a) - np.log(later), -np.inf)[x.inverse] + power * spread - log_total
        small = np.exp(-np.abs(odds))
        heavy = np.bincount(age.inverse, weights=w * power)
        value = at_x @ head + states.n * r * np.log(alpha) - heavy @ log_age
        value += w @ (log_total + np.log1p(small) + np.maximum(odds, 0))
        if not gradient:
            return float(value), params
        dead = w * np.where(odds > 0, 1.0, small) / (1 + small)
        alive = (w - dead) / total
        psi = special.digamma
        at_age = np.bincount(age.inverse, weights=w)
        by_r = at_x @ (psi(shape) - psi(r)) + states.n * np.log(alpha) - at_age @ log_age + dead @ spread + alive @ by_power
        gone = dead * power
        to_age = np.bincount(age.inverse, weights=gone - alive * phases) - heavy
        by_alpha = states.n * r / alpha + to_age @ (1 / (alpha + age.values))
        by_alpha -= np.bincount(tx.inverse, weights=gone) @ (1 / (alpha + tx.values))
        both = psi(a + b) - psi(a + b + flips)
        by_a = at_x @ both + dead.sum() / a
        by_b = at_x @ (both + psi(b + flips) - psi(b))
        by_b -= np.bincount(x.inverse, weights=dead) @ np.where(some, 1 / later, 0.0)
        return float(value), np.array([by_r, by_alpha, by_a, by_b])

    # What is expected.

    def _standing_of(self, params: Array, states: States) -> tuple[Array, Array, Array, Array]:
        """Shape and scale of each rate given the purchases, chances of the phases since the last one, and the sum of these terms."""
        x, tx, age = states.columns[:3]
        shape, scale = params[0] + self._phases * x, params[1] + age
        return shape, scale, *phase_weights(self._phases, shape, np.maximum(age - tx, 0.0) / scale)

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        if self._phases == 1:
            return super().chance_alive(params, states)
        a, b = params[2:]
        shape, scale, _, total = self._standing_of(params, states)
        flips = self._chances(states.columns[0])
        odds = np.where(flips > 0, np.log(a) - np.log(np.where(flips > 0, b + (flips - 1), 1.0)), -np.inf)
        spread = np.log(scale) - np.log(params[1] + states.columns[1])
        return 1 / (1 + np.exp(odds + shape * spread - np.log(total)))

    def conditional_rates(self, params: Array, states: States) -> tuple[Array, Array]:
        """Expected rates given all that is known, for k = 1 alone: with more phases a season moves the gaps themselves."""
        if self._phases == 1:
            return super().conditional_rates(params, states)
        hint = "Learn it with BGNBD or MBGNBD."
        needed = "purchases that come by chance alone, where a season is learnt"
        raise ModelError.needs(type(self).__name__, needed, f"k = {self._phases}", hint)

    @property
    def _smooth(self) -> float:
        # Regular purchases come in waves, the longer the larger k.
        return float(np.pi) / (1.0 if self._phases == 1 else 2 + self._phases / 2)

    def _renewals(self, params: Array) -> Renewals:
        r, _, a, b = params.tolist()
        return Renewals(self._phases, r, (a, b), self._chances)

    def purchases_by(self, params: Array, states: States, horizons: Array) -> Array:
        """Expected purchases of one who is alive within each of some horizons, shape (n_horizons, n_states)."""
        if self._phases == 1:
            return super().purchases_by(params, states, horizons)
        ahead, found = np.asarray(horizons, dtype=float), self._renewals(params)
        x, T, inverse = states.pairs
        weights = self._standing_of(params, states)[2]
        out = np.empty((len(ahead), len(inverse)))
        step = max(_CELLS // (max(len(x), len(inverse)) * self._phases), 1)
        for start in range(0, len(ahead), step):
            some = ahead[start : start + step]
            z = some / (params[1] + T)[:, None]
            each = np.empty((*z.shape, self._phases))
            for value in np.unique(x).tolist():
                rows = x == value
                each[rows] = found.expected(value, z[rows].ravel()).reshape(-1, len(some), self._phases)
            out[start : start + step] = np.einsum("nhk,nk->hn", each[inverse], weights)
        return out

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        if self._phases == 1:
            return super().discounted_if_alive(params, states, delta, horizon)
        found, reach = self._renewals(params), self.worth_counting(delta, horizon)
        x, T, inverse = states.pairs
        each = np.empty((len(x), self._phases))
        for value in np.unique(x).tolist():
            rows = x == value
            each[rows] = found.discounted(value, params[1] + T[rows], delta, reach)
        out: Array = np.einsum("nk,nk->n", each[inverse], self._standing_of(params, states)[2])
        return out

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:
        if self._phases == 1:
            return super()._any(params, states, horizon)
        return self._tail(params, np.ones(len(states.columns[0])), states, horizon)

    def _tail(self, params: Array, k: Array, states: States, horizon: Array | float) -> Array:
        # At least n purchases: as many phases as they need, and n − 1 chances come through.
        if self._phases == 1:
            return super()._tail(params, k, states, float(horizon))
        (a, b), flips = params[2:], self._chances(states.columns[0])
        stays = special.betaln(a, b + (flips + k - 1)) - special.betaln(a, b + flips)
        return self._reached(params, k, states, horizon) * np.exp(stays)

    def _reached(self, params: Array, n: Array, states: States, horizon: Array | float) -> Array:
        """Probability that the phases of n ≥ 1 purchases come in time, whether or not the customer stays for them."""
        shape, scale, weights, _ = self._standing_of(params, states)
        share = np.where(np.isinf(horizon), 1.0, horizon / (scale + horizon))
        out = np.zeros(len(shape))
        for j in range(self._phases):
            out += weights[:, j] * special.betainc(self._phases * n - j, shape + j, share)
        return out

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        # All phases since the last purchase are negative binomial, and each is ahead with the same chance: n purchases are
        # k n to k n + k − 1 of them, of which fewer than k had passed.
        if self._phases == 1:
            return super()._mass(params, n, states, horizon)
        k, (a, b) = self._phases, params[2:]
        x, tx, age = states.columns[:3]
        shape, scale, _, total = self._standing_of(params, states)
        since, flips = np.maximum(age - tx, 0.0), self._chances(x)
        base, end = special.betaln(a, b + flips), scale + horizon
        stays = np.exp(special.betaln(a, b + flips + n) - base)
        left = np.exp(special.betaln(a + 1, b + flips + (n - 1)) - base)
        exactly = np.zeros(len(x))
        for j in range(k):
            m = k * n + j
            log_nb = special.gammaln(shape + m) - special.gammaln(shape) - special.gammaln(m + 1)
            # By the scale up to the last purchase, and that up to the end; over the same of those who have made none since.
            log_nb += m * np.log((since + horizon) / end) + shape * np.log(scale / end)
            exactly += np.exp(log_nb) * special.betainc(m - k + 1, k, horizon / (since + horizon))
        # Who leaves with the n-th purchase has made it.
        out: Array = stays * exactly / total + left * self._reached(params, n, states, horizon)
        return out

    # Simulation.

    def _lives(
        self, params: Array, states: tuple[States, Array], draws: tuple[int, np.random.Generator]
    ) -> tuple[Array, npt.NDArray[np.int64], Array]:
        """Draw rate, phases since the last purchase and purchases still to come at most, of shape (states, m); none of who is gone."""
        (some, alive), (m, rng) = states, draws
        a, b = params[2:]
        shape, scale, weights, _ = self._standing_of(params, some)
        size = (len(shape), m)
        below = np.cumsum(weights, axis=1)[:, None, :-1]
        phase: npt.NDArray[np.int64] = (rng.random((*size, 1)) > below).sum(axis=-1)
        rate: Array = rng.gamma(shape[:, None] + phase, 1.0, size) / scale[:, None]
        chance = rng.beta(a, (b + self._chances(some.columns[0]))[:, None], size)
        last = rng.geometric(np.clip(chance, 1e-9, 1.0)).astype(float)
        return rate, phase, np.where(rng.random(size) < alive[:, None], last, 0.0)

    def _drawn(
        self, params: Array, states: tuple[States, Array], until: Array | float, draws: tuple[int, np.random.Generator]
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """Draw all purchases up to a time, which broadcasts to (states, m): the place of each among states × m, and when it is."""
        rate, phase, last = self._lives(params, states, draws)
        end = np.broadcast_to(until, rate.shape).ravel()
        return renewal_times(self._phases, (rate.ravel(), phase.ravel(), last.ravel()), end, draws[1])

    def simulated_futures(
        self,
        params: Array,
        states: States,
        some: slice,
        delta: float,
        horizon: float,
        draws: tuple[int, np.random.Generator],
        *,
        money: bool = False,
    ) -> tuple[Array, Array]:
        """Draw the number of purchases and their discounted sum, each of shape (states, m); ``draws``: m, and the generator."""
        if self._phases == 1:
            return super().simulated_futures(params, states, some, delta, horizon, draws, money=money)
        taken = states.taken(some)
        alive, size = self.chance_alive(params, states)[some], (len(taken.weight), draws[0])
        end = self.elapsed(min(horizon, 60 / delta) if delta > 0 else horizon)
        place, time = self._drawn(params, (taken, alive), end, draws)
        clock = self._running
        worth = np.exp(-delta * time) if clock is None else clock.discount(delta, time, money=money)
        cells = size[0] * size[1]
        count = np.asarray(np.bincount(place, minlength=cells), dtype=float)
        total = np.asarray(np.bincount(place, weights=worth, minlength=cells), dtype=float)
        return count.reshape(size), total.reshape(size)

    def simulated_counts(
        self,
        params: Array,
        states: tuple[States, Array],
        edges: Array,
        draws: tuple[int, np.random.Generator],
        late: Array | float = 0.0,
    ) -> Array:
        """Draw the number of purchases between edges of time, of shape (states, m, edges − 1); see the base class."""
        if self._phases == 1:
            return super().simulated_counts(params, states, edges, draws, late)
        n, m = len(states[0].weight), draws[0]
        began = np.broadcast_to(late, (n, m)).ravel()
        place, time = self._drawn(params, states, np.maximum(edges[-1] - began, 0.0).reshape(n, m), draws)
        bin_ = np.searchsorted(edges, time + began[place], side="left") - 1
        inside = (bin_ >= 0) & (bin_ < len(edges) - 1)
        count = np.bincount(place[inside] * (len(edges) - 1) + bin_[inside], minlength=n * m * (len(edges) - 1))
        return count.reshape(n, m, len(edges) - 1).astype(float)

    def simulated_times(
        self,
        params: Array,
        states: tuple[States, Array],
        reach: float,
        factor: Array,
        draws: tuple[int, np.random.Generator],
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """Draw when customers buy within a reach of time, in some futures; see the base class."""
        if self._phases == 1:
            return super().simulated_times(params, states, reach, factor, draws)
        place, time = self._drawn(params, states, reach * factor, draws)
        n, m = len(states[0].weight), draws[0]
        return (place % m) * n + place // m, time / factor[place % m]

    def drawn(self, params: Array, new: States, asked: Array, horizon: float | None, seed: int) -> pd.DataFrame:
        """What newcomers did by the ages asked, at given parameters, with ``log_gaps`` (with a clock, of gaps on it)."""
        rng, clock = np.random.default_rng(seed), self._running
        age = asked if clock is None else -clock.at(-asked)
        more = 0.0 if horizon is None else self.elapsed(self.checked_horizon(horizon))
        place, time = self._drawn(params, (new, self.chance_alive(params, new)), (age + more)[:, None], (1, rng))
        order = np.lexsort((time, place))
        place, time = place[order], time[order]
        first = np.concatenate([[True], place[1:] != place[:-1]])[: len(place)]
        gap = np.maximum(time - np.where(first, 0.0, np.concatenate([[0.0], time[:-1]])[: len(time)]), 1e-300)
        seen = time <= age[place]
        recency = np.zeros(len(age))
        np.maximum.at(recency, place[seen], time[seen])
        if clock is not None:
            recency = np.where(recency > 0, np.clip(clock.back(recency - age) + asked, 0.0, asked), 0.0)
        frame = pd.DataFrame(
            {
                "frequency": np.bincount(place[seen], minlength=len(age)),
                "recency": recency,
                "T": asked,
                "log_gaps": np.bincount(place[seen], weights=np.log(gap[seen]), minlength=len(age)),
            }
        )
        if horizon is not None:
            frame["holdout_purchases"] = np.bincount(place[~seen], minlength=len(age))
        return frame
