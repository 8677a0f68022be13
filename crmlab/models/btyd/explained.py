"""Models of purchases whose customers differ by what is known of them: covariates on purchases and on drop-out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import clone

from crmlab.errors import ModelError, listing, shown
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.covariates import BOTH, DROPOUT, PURCHASE, Covariates, Design, checked_covariates, learnt_design
from crmlab.models.btyd.fitting import Coordinates, Objective
from crmlab.models.btyd.priors import Priors
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, compress, framed
from crmlab.models.intervals import LEVEL

__all__ = ["WithCovariates"]


_OWN = 3  # columns of states before those of covariates: frequency, recency and age
_FARTHEST = 500.0  # that covariates may move the log of a parameter


class WithCovariates(BuyTillYouDie):
    """Base of the models that take covariates, which do not change over time: what is known of each customer from the beginning on.

    Parameters
    ----------
    max_iter, draws, seed, priors, clock, unit
        As of :class:`~crmlab.models.btyd.future.Future`.
    covariates : list of str, or Covariates, optional
        Columns that explain both, how often customers buy and how soon they drop out; or
        :class:`~crmlab.models.btyd.covariates.Covariates`, which says which explains what, and has a ridge penalty.

    Attributes
    ----------
    design_ : Design or None
        How columns became numbers: see :meth:`coefficients`, which names the references.

    Notes
    -----
    With covariates z the scale of purchase rates is alpha · exp(−γ'z): a coefficient γ is the log of the factor by which the purchase
    rate is higher per 1 more. Coefficients δ of drop-out are positive where customers drop out sooner: of Pareto/NBD the scale is
    beta · exp(−δ'z), of BG/NBD and MBG/NBD a · exp(δ'z). There a alone is moved, which is the form of the reference without a coefficient
    on b: δ is then the log of the factor of the odds, a / b, and has the sign that it has in Pareto/NBD.

    Texts, categories and yes or no become 0/1 columns against the most frequent category; numbers are taken as they are, 0/1 columns
    of numbers too. The other parameters are those of a customer with 0 in every number and the reference in every category. For the
    search alone numbers are centred and divided by their standard deviation; coefficients are told on the scale given. Intervals have a
    weak prior: coefficients are normal around 0 with a standard deviation of 2, those of 0/1 columns as they are, others per standard
    deviation of their column.

    References
    ----------
    Fader and Hardie (2007), Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models.
    """

    moves: ClassVar[Mapping[str, Sequence[float]]]  # of coefficients of purchase and of dropout: on the log of each parameter

    def __init__(
        self,
        *,
        max_iter: int = 500,
        draws: int = 1000,
        seed: int = 0,
        priors: Priors = False,
        clock: Clock | None = None,
        unit: str | None = None,
        covariates: Sequence[str] | Covariates | None = None,
    ) -> None:
        super().__init__(max_iter=max_iter, draws=draws, seed=seed, priors=priors, clock=clock, unit=unit)
        self.covariates = covariates

    # What a model must say of itself.

    @abstractmethod
    def _by_state(self, each: Sequence[Any], states: States, gradient: bool) -> tuple[Array, list[Array]]:
        """Log-likelihood of each state, and its derivatives by the log of each parameter; ``each``: the parameters, see at_states."""

    # Coefficients.

    def coefficients(self, level: float = LEVEL) -> pd.DataFrame:
        """What each covariate says of purchases and of drop-out, with intervals.

        Parameters
        ----------
        level : float
            Of the intervals, which are over the posterior.

        Returns
        -------
        DataFrame
            Indexed by parameter: on (``purchase``, ``dropout``, or ``both`` where the coefficient is the same for both), covariate,
            category and the reference that it is compared with (missing of numbers), coefficient, low, high, standard_error, and
            factor, the exponential of the coefficient: of purchases by how much the rate is multiplied.

        Raises
        ------
        NotFittedError
            There are no parameters.
        ModelError
            The model has no covariates.

        Examples
        --------
        >>> from crmlab.models import BGNBD
        >>> truth = BGNBD.from_params(r=0.8, alpha=8.0, a=0.8, b=2.5)
        >>> people = truth.simulate([52.0] * 900, seed=1).assign(channel=["web", "web", "shop"] * 300)
        >>> found = BGNBD(covariates=["channel"]).fit(people).coefficients()
        >>> found[["on", "category", "reference"]].to_numpy().tolist()
        [['purchase', 'shop', 'web'], ['dropout', 'shop', 'web']]
        """
        known = self.summary(level)
        design = self._explained()
        rows = [
            {
                "parameter": term.name,
                "on": term.on,
                "covariate": term.attribute.name,
                "category": term.level,
                "reference": term.attribute.reference,
                "coefficient": self.params_[term.name],
                "low": known.loc[term.name, "low"],
                "high": known.loc[term.name, "high"],
                "standard_error": self.standard_errors_[term.name],
                "factor": float(np.exp(self.params_[term.name])),
            }
            for term in design.terms
        ]
        return pd.DataFrame(rows).set_index("parameter")

    def likelihood_ratio_test(self, simpler: WithCovariates) -> pd.Series:
        """Test whether this model tells more than a simpler one, fitted to the same customers, by more than chance would.

        Parameters
        ----------
        simpler : model
            Of the same class, without some of the covariates, or with coefficients that are the same for purchase and dropout.

        Returns
        -------
        Series
            statistic (twice the difference of the log-likelihoods), degrees_of_freedom (coefficients more), p_value.

        Raises
        ------
        ModelError
            It is not simpler, was fitted to other customers, or estimates are not those of maximum likelihood.

        Examples
        --------
        >>> from crmlab.models import BGNBD
        >>> truth = BGNBD.from_params(r=0.8, alpha=8.0, a=0.8, b=2.5)
        >>> people = truth.simulate([52.0] * 900, seed=1).assign(channel=["web", "web", "shop"] * 300)
        >>> found = BGNBD(covariates=["channel"]).fit(people).likelihood_ratio_test(BGNBD().fit(people))
        >>> int(found["degrees_of_freedom"]), bool(found["p_value"] > 0.05)
        (2, True)
        """
        name = f"{type(self).__name__}: likelihood_ratio_test"
        self.parameters()
        if type(simpler) is not type(self):
            raise ModelError.expected(name, "simpler", f"a {type(self).__name__}", type(simpler).__name__)
        simpler.parameters()
        for model in (self, simpler):
            if model.penalised or not hasattr(model, "log_likelihood_"):
                found = "priors or a ridge" if model.penalised else "parameters that were given"
                raise ModelError.needs(name, "estimates of maximum likelihood of both", found)
        mine, theirs = set(self.all_names), set(simpler.all_names)
        nested = all(one in mine or _split(one) <= mine for one in theirs)
        if not nested or len(theirs) >= len(mine):
            expected = f"fewer coefficients than {listing(sorted(mine - set(self.parameter_names)))}, all of them of these"
            raise ModelError.expected(name, "simpler", expected, listing(sorted(theirs - set(self.parameter_names))))
        if _customers(self) != _customers(simpler):
            raise ModelError.needs(name, "models fitted to the same customers", "others", "Fit both to one table.")
        freedom = len(mine) - len(theirs)
        statistic = max(2 * (self.log_likelihood_ - simpler.log_likelihood_), 0.0)
        chance = float(stats.chi2.sf(statistic, freedom))
        return pd.Series({"statistic": statistic, "degrees_of_freedom": freedom, "p_value": chance})

    def covariate_tests(self, summary: Any) -> pd.DataFrame:
        """Test each covariate as a whole, a category with all its levels, by fitting the model without it.

        Parameters
        ----------
        summary : table
            The customers of the fit.

        Returns
        -------
        DataFrame
            One row per covariate and what it explains: covariate, on (``purchase``, ``dropout``, and ``both`` where it is left out of
            both), log_likelihood without it, statistic, degrees_of_freedom, p_value.

        Raises
        ------
        ModelError
            The model was fitted to other customers, has no covariates, or estimates are not those of maximum likelihood.
        """
        name = f"{type(self).__name__}: covariate_tests"
        self._explained()
        chosen = checked_covariates(type(self).__name__, self.covariates)
        assert chosen is not None
        if self.penalised:
            raise ModelError.needs(name, "estimates of maximum likelihood", "priors or a ridge")
        if not self.was_fitted_to(summary):
            raise ModelError.needs(name, "the customers that the model was fitted to", "others")
        rows = []
        for one in chosen.names:
            parts = [on for on, names in ((PURCHASE, chosen.purchase), (DROPOUT, chosen.of_dropout)) if one in names]
            parts = [] if one in chosen.equal else parts
            for on in [*parts, *([BOTH] if len(parts) != 1 else [])]:
                simpler = clone(self).set_params(covariates=chosen.without(one, on)).fit(summary)
                found = self.likelihood_ratio_test(simpler)
                rows.append({"covariate": one, "on": on, "log_likelihood": simpler.log_likelihood_, **found})
        return pd.DataFrame(rows).astype({"degrees_of_freedom": int})

    def _explained(self) -> Design:
        """The design of a model with covariates."""
        self.parameters()
        design = self._design
        if design is None:
            takes = "covariates" in self.get_params(deep=False)
            hint = "Give covariates=['channel'], and fit." if takes else "BGNBD, MBGNBD and ParetoNBD take them."
            raise ModelError.needs(type(self).__name__, "covariates", "none", hint)
        return design

    @property
    def _design(self) -> Design | None:
        return getattr(self, "design_", None)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Names of all parameters: those of the class, and after them those of the coefficients."""
        return self.parameter_names if self._design is None else (*self.parameter_names, *(t.name for t in self._design.terms))

    def meaning(self, name: str) -> str:
        """What a parameter is, in a few words."""
        own = {} if self._design is None else {term.name: term.meaning for term in self._design.terms}
        return own.get(name, super().meaning(name))

    # The fit.

    def _checked_options(self) -> None:
        super()._checked_options()
        chosen = checked_covariates(type(self).__name__, self.covariates)
        if chosen is not None and self.leaves_by_calendar and self._running is not None:
            hint = "Give the clock to BGNBD or MBGNBD, which take covariates on it."
            raise ModelError.must_be(f"{type(self).__name__}: 'clock'", "None where there are covariates", "a clock", hint)

    def _learnt_from(self, summary: Any) -> Any:
        name = type(self).__name__
        chosen = checked_covariates(name, self.covariates)
        self.design_: Design | None = None
        if chosen is None:
            return summary
        frame = framed(name, summary)
        super().checked_columns(frame, fitting=True)
        self.design_ = learnt_design(name, frame, chosen)
        return frame

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked; those of covariates follow age."""
        design = self._design
        if design is None:
            return super().checked_columns(frame, fitting)
        name = type(self).__name__
        frame = framed(name, frame)
        columns, weight = super().checked_columns(frame, fitting)
        return [*columns, *design.columns(name, frame)], weight

    def coordinates_of(self, unit: float) -> Coordinates:
        """The coordinates in which the parameters are sought, for a typical length of history."""
        found, design = super().coordinates_of(unit), self._design
        if design is None:
            return found
        shift = -(design.signs(self.moves) * design.means[design.places][:, None]).T
        return replace(found, parts=(*found.parts, design.coefficients), shift=shift)

    @property
    def penalised(self) -> bool:
        """Whether estimates are the highest of something else than the likelihood alone."""
        return super().penalised or self._ridge > 0

    @property
    def _ridge(self) -> float:
        return 0.0 if self._design is None else self._design.ridge

    def _sought(self, states: States, where: Coordinates, share: float) -> Objective:
        found, ridge, k = super()._sought(states, where, share), self._ridge * share, len(self.parameter_names)
        if not ridge or self.priors:  # that of the coefficients is one of the priors
            return found

        def total(eta: Array) -> tuple[float, Array]:
            value, gradient = found(eta)
            gradient = gradient.copy()
            gradient[k:] -= ridge * eta[k:]
            return value - ridge / 2 * float(eta[k:] @ eta[k:]), gradient

        return total

    def _penalty_information(self, where: Coordinates, eta: Array) -> Array | float:
        if self.priors or not self._ridge:
            return super()._penalty_information(where, eta)
        found: Array = np.diag(np.where(np.arange(len(eta)) < len(self.parameter_names), 0.0, self._ridge))
        return found

    def at_states(self, params: Array, states: States) -> tuple[Any, ...]:
        """The parameters of the class: numbers, and arrays of shape (n_states,) of those that covariates move."""
        design, k = self._design, len(self.parameter_names)
        if design is None or len(params) == k:
            return tuple(params[:k])
        z, signs = self._columns_of(states), design.signs(self.moves)
        moved = np.clip((z[:, design.places] * params[k:]) @ signs, -_FARTHEST, _FARTHEST)
        touched = (signs != 0).any(axis=0)
        return tuple(params[j] * np.exp(moved[:, j]) if touched[j] else params[j] for j in range(k))

    def _columns_of(self, states: States) -> Array:
        assert self._design is not None
        return np.column_stack(states.columns[_OWN : _OWN + self._design.width])

    def _summed(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        """Weighted log-likelihood and its derivatives, from those of each state."""
        value, slopes = self._by_state(self.at_states(params, states), states, gradient)
        total = float(states.weight @ value)
        if not gradient:
            return total, params
        k, design = len(self.parameter_names), self._design
        each = np.column_stack(slopes) * states.weight[:, None]
        by_params = each.sum(axis=0) / params[:k]
        if design is None:
            return total, by_params
        z = self._columns_of(states)[:, design.places]
        by_coefficients = (z * (each @ design.signs(self.moves).T)).sum(axis=0)
        return total, np.append(by_params, by_coefficients)

    def time_scale(self, params: Array, states: States) -> float:
        """A length of time over which what is expected is smooth: the shortest alpha."""
        return float(np.min(self.at_states(params, states)[1]))

    # Newcomers.

    def new_customer(self) -> States:
        """The states of customers who have just made the first purchase: one, or with covariates one of each kind, with its share."""
        design = self._design
        if design is None:
            return super().new_customer()
        zero = np.zeros(len(design.shares))
        return States([zero, zero, zero, *design.kinds.T], design.shares, np.arange(len(zero)))

    def new_customers(self, begun: Array) -> States:
        """The states of customers who make their first purchase at some times; with covariates, of the kinds of the fit by their shares."""
        found, design = super().new_customers(begun), self._design
        if design is None:
            return found
        n = len(begun)
        # As many of each kind as its share is, in an order that is drawn: no kind comes at times of its own.
        places = np.random.default_rng(self.seed).permutation((np.arange(n) + 0.5) / max(n, 1))
        kind = np.minimum(np.searchsorted(np.cumsum(design.shares), places), len(design.shares) - 1)
        return replace(found, columns=[*found.columns, *design.kinds[kind].T], _groups={})

    def newcomers_at(self, begun: float) -> States:
        """The states of those who make their first purchase at a time; with covariates one of each kind, with its share."""
        return super().newcomers_at(begun) if self._design is None else self.new_customer()

    def newcomer(self, like: Mapping[str, Any] | None) -> States:
        """The state of a newcomer with attributes; of all kinds, each with its share, where none are given."""
        design, name = self._design, type(self).__name__
        if design is None or like is None:
            return super().newcomer(like)
        if not isinstance(like, Mapping):
            raise ModelError.expected(name, "like", "a mapping of each covariate to a value", like)
        zero = np.zeros(1)
        return States([zero, zero, zero, *design.columns(name, pd.DataFrame([dict(like)]))], np.ones(1), np.arange(1))

    def simulate(self, T: npt.ArrayLike, horizon: float | None = None, *, seed: int = 0, customers: Any = None) -> pd.DataFrame:
        """Draw customers from the model: what they did up to T and, with a horizon, after it.

        Parameters
        ----------
        T : array of shape (n,)
            Age of each customer at the end of the history.
        horizon : float, optional
            Adds a column holdout_purchases: repeat purchases in (T, T + horizon].
        seed : int
        customers : table, optional
            With the covariates of a model that has some, one row for each age.

        Returns
        -------
        DataFrame
            frequency, recency, T, the covariates, and holdout_purchases where asked.

        Raises
        ------
        ModelError
            The covariates of the customers are not given, or not of as many customers.
        """
        params, name, asked = self.parameters(), type(self).__name__, np.asarray(T, dtype=float)
        design = self._design
        if design is None:
            if customers is not None:
                raise ModelError.expected(name, "customers", "None, as the model has no covariates", type(customers).__name__)
            return super().simulate(asked, horizon, seed=seed)
        if customers is None:
            known = listing(one.name for one in design.attributes)
            raise ModelError.needs(f"{name}: simulate", f"customers, a table with {known}", "none")
        frame = framed(name, customers)
        if len(frame) != len(asked):
            raise ModelError.needs(
                f"{name}: simulate", f"a row of customers for each of {len(asked):,} ages", f"{len(frame):,}"
            )
        new = BuyTillYouDie.new_customers(self, -asked)
        new = replace(new, columns=[*new.columns, *design.columns(name, frame)], _groups={})
        found = self.drawn(params, new, asked, horizon, seed)
        for place, one in enumerate(design.attributes):
            values = frame[one.name] if one.name in frame.columns else frame.index.get_level_values(one.name)
            found.insert(_OWN + place, one.name, np.asarray(values))
        return found


def _split(name: str) -> set[str]:
    """What a coefficient that is the same for both stands for."""
    on, _, label = name.partition(":")
    return {f"{PURCHASE}:{label}", f"{DROPOUT}:{label}"} if on == BOTH else {name}


def _customers(model: Any) -> str:
    """A hash of the customers of a fit, whatever is known of them beside their purchases."""
    if not hasattr(model, "states_"):
        raise ModelError.needs("likelihood_ratio_test", "fitted models", shown("one that was loaded"), "Fit it again.")
    states = model.states_
    return compress(states.columns[:_OWN], states.weight).digest()
