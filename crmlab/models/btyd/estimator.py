"""What every model of customer value shares: compression, the fit, its uncertainty, and intervals of what is asked of it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy import special
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models.btyd.fitting import Coordinates, Objective, Optimum, Part, maximise, with_prior
from crmlab.models.btyd.posterior import Posterior, Surface, quantiles, sample
from crmlab.models.btyd.priors import Priors, Stated, checked_priors
from crmlab.models.btyd.saving import described, of_class, read, restored, whole, write
from crmlab.models.btyd.showing import as_html, parameter_frame, part_html
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, compress, one_table
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL

__all__ = ["Function", "WeightedModel", "positive", "unchanged_by_failure"]


# Thinned to this many customers, a sample brings the optimiser near enough to the optimum.
_THIN = 20_000
# Above this many states one evaluation is dear: the posterior is taken as normal where that is seen to hold.
_LARGE = 20_000
# Above this many parameters draws of a t-distribution are of little weight: the same.
_MANY = 10
Function = Callable[[Array], Array]


@contextmanager
def unchanged_by_failure(model: Any) -> Iterator[None]:
    """Leave a model as it was where what is done with it in a block, such as a fit, fails."""
    before = dict(model.__dict__)
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        raise


class WeightedModel(BaseEstimator, ABC):
    """A model whose likelihood is a weighted sum over distinct states.

    Parameters
    ----------
    max_iter : int
        Iterations that the optimiser may take from each start.
    draws : int
        Posterior draws behind the intervals.
    seed : int
        Of these draws.
    priors : bool or mapping of str to (float, float)
        Whether estimates are the mode of the posterior under the weakly informative priors that intervals have in any case, instead of
        the maximum of the likelihood: for few customers, or a short history, whose likelihood alone may be highest on a boundary.
        A mapping is True with priors of your own, ``{parameter: (median, factor)}``: the log of the parameter is normal around
        log(median) with the standard deviation log(factor), so that about two thirds of its prior lie between median / factor and
        median × factor, in the unit of the parameter (see ``meanings``; lengths of time are in the unit of the data, on a clock of
        operational time). Estimates are the mode by the logs of parameters, and intervals go by the same priors. Parameters that are not
        named keep the weak ones; where one alone of a Beta distribution is named, it takes the place of that of the sum of the two.

    Attributes
    ----------
    params_ : dict
        Estimates by name.
    log_likelihood_ : float
        Of the whole sample, in the time unit of the data; without the priors, where they are used.
    covariance_ : DataFrame
        Of the estimates, by the observed information; NaN on the boundary.
    standard_errors_ : Series
        NaN on the boundary; ``standard_errors_reason_`` says why.
    n_customers_, n_states_ : int
    aic_, bic_ : float
    boundary_ : str or None
        What an optimum on the boundary means, in words; None inside.
    summary_hash_ : str
        Hash of the customers that it was fitted to; see :meth:`was_fitted_to`.
    lesser_optima_ : tuple of float
        Log-likelihoods of lesser optima to which other starts led, highest first; empty where all starts agree.
    """

    parameter_names: ClassVar[tuple[str, ...]]
    meanings: ClassVar[Mapping[str, str]] = {}  # of the parameters, in a few words
    needs: ClassVar[str] = "frequency, recency and T"  # columns that a fit goes by
    also_saved: ClassVar[tuple[str, ...]] = ()  # further numbers that a fit tells, each an attribute that ends in an underscore

    def __init__(self, *, max_iter: int = 500, draws: int = 1000, seed: int = 0, priors: Priors = False) -> None:
        self.max_iter = max_iter
        self.draws = draws
        self.seed = seed
        self.priors = priors

    # What a model must say of itself.

    @abstractmethod
    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""

    @abstractmethod
    def _parts(self) -> tuple[Part, ...]:
        """Coordinates, with bounds and priors."""

    @abstractmethod
    def _unit(self, states: States) -> float:
        """Typical size of what carries the unit, whatever a few say: the length of a history, or an amount."""

    def _unlimited(self, states: States, where: Coordinates) -> Optimum | None:  # noqa: ARG002
        """The limiting model where the log-likelihood rises without limit; None where it does not."""
        return None

    @abstractmethod
    def _starts(self) -> Sequence[Sequence[float]]:
        """Coordinates to start from."""

    @abstractmethod
    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        """Weighted log-likelihood and its derivatives by the parameters."""

    # The fit.

    def fit(self, summary: Any, y: None = None, *more: Any) -> Self:
        """Fit to the distinct states of the customers: by maximum likelihood, or with ``priors`` to the mode of the posterior.

        Parameters
        ----------
        summary : table
            The columns that the class names, and an optional whole-number ``weight``: the customers a row stands for. A frame of pandas,
            Polars or PyArrow, or an Ibis table, as :func:`~crmlab.history.customers.customer_summary` makes it.
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
            No start led to an optimum; the message says what was tried.
        """
        with unchanged_by_failure(self):
            return self._fitted(summary, (y, *more))

    def _fitted(self, summary: Any, more: tuple[Any, ...]) -> Self:
        name = type(self).__name__
        self._checked_options()
        one_table(name, self.needs, summary, more)
        summary = self._learnt_from(summary)
        columns, weight = self.checked_columns(self._training(summary), fitting=True)
        states = compress(columns, weight)
        self.summary_hash_ = states.digest()
        states = self.timed(states)
        where = self.coordinates(states)
        share = min(1.0, _THIN / states.n)
        thin = states
        if share < 0.5 and len(states.weight) > 2000:
            # Poisson thinning of customers: reproducible, and independent of the order of rows.
            kept = np.random.default_rng(0).poisson(states.weight * share).astype(float)
            some = kept > 0
            thin = states.taken(some, kept[some])
        else:
            share = 1.0
        with np.errstate(all="ignore"):
            found = self._unlimited(states, where) or maximise(
                name,
                self._sought(states, where, 1.0),
                self._sought(thin, where, share),
                share,
                where,
                self._all_starts(where),
                self.max_iter,
            )
        params, to_params = where.jacobian(found.eta)
        names = list(self.all_names)
        self.params_ = dict(zip(names, params.tolist(), strict=True))
        self.log_likelihood_ = float(found.value if not self.penalised else self._log_likelihood(params, states, False)[0])
        self.n_customers_ = round(states.n)
        self.n_states_ = len(states.weight)
        self.boundary_ = found.boundary
        self.lesser_optima_ = found.lesser
        covariance = np.full((len(params), len(params)), np.nan)
        self.standard_errors_reason_ = (
            f"The optimum is on the boundary: {found.boundary}. Standard errors assume that the optimum is not on the boundary."
            if found.boundary
            else None
        )
        if found.boundary is None:
            if np.linalg.eigvalsh(found.hessian)[0] > 0:
                covariance = to_params @ np.linalg.inv(found.hessian) @ to_params.T
            else:
                self.standard_errors_reason_ = (
                    "The log-likelihood is flat at the optimum: the data say too little about a parameter."
                )
        self.covariance_ = pd.DataFrame(covariance, index=names, columns=names)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(covariance)), index=names, name="standard_error")
        self.standard_errors_.attrs["reason"] = self.standard_errors_reason_
        d = len(params)
        self.aic_ = 2 * d - 2 * self.log_likelihood_
        self.bic_ = d * float(np.log(states.n)) - 2 * self.log_likelihood_
        self.states_, self.coordinates_, self._eta = states, where, found.eta
        self._information = None if found.boundary else found.hessian - self._penalty_information(where, found.eta)
        # Asked of the same customers, as is usual, the model need not compress them again; see __getstate__.
        self._rows = columns if weight is None else None
        self.kept_: Posterior | None = None
        self.unusable_: str | None = None
        return self

    def _sought(self, states: States, where: Coordinates, share: float) -> Objective:
        """What is to be highest: the log-likelihood, or with it so much of the priors as the states have of the customers."""
        found = self.objective(states, where)
        return with_prior(found, where, share) if self.priors else found

    @property
    def penalised(self) -> bool:
        """Whether estimates are the highest of something else than the likelihood alone."""
        return bool(self.priors)

    def _penalty_information(self, where: Coordinates, eta: Array) -> Array | float:
        """What the Hessian at the estimates has that is not of the likelihood."""
        return where.prior_information(eta) if self.priors else 0.0

    def _learnt_from(self, summary: Any) -> Any:
        """The table of a fit, once a model has learnt from it what it must know of its columns."""
        return summary

    @property
    def all_names(self) -> tuple[str, ...]:
        """Names of all parameters: those of the class, and after a fit with covariates those of their coefficients."""
        return self.parameter_names

    def meaning(self, name: str) -> str:
        """What a parameter is, in a few words."""
        return self.meanings.get(name, "")

    def _training(self, summary: Any) -> Any:
        """The rows that a fit goes by."""
        return summary

    def was_fitted_to(self, summary: Any) -> bool:
        """Whether these are the customers that the model was fitted to, in whatever order; a loaded model knows them too.

        Parameters
        ----------
        summary : table
            As in :meth:`fit`.
        """
        self.parameters()
        columns, weight = self.checked_columns(self._training(summary), fitting=True)
        return getattr(self, "summary_hash_", None) == compress(columns, weight).digest()

    def score(self, summary: Any, y: None = None) -> float:  # noqa: ARG002
        """Log-likelihood per customer, at the parameters of the fit: of customers held out, how well the model tells what they did.

        With it scikit-learn's ``cross_val_score`` and ``GridSearchCV`` work over customers.

        Parameters
        ----------
        summary : table
            As in :meth:`fit`; a ``weight`` counts.
        y : None
            Not used; there for scikit-learn.

        Returns
        -------
        float
            In the time unit (or, of spend, the currency) of the data: higher is better. Only scores of the same customers compare.
        """
        params = self.parameters()
        states = self.timed(compress(*self._held_out(summary)))
        with np.errstate(all="ignore"):
            return float(self._log_likelihood(params, states, False)[0] / states.n)

    def _held_out(self, summary: Any) -> tuple[list[Array], Array | None]:
        """Columns and weights of customers whose likelihood is asked for."""
        return self.checked_columns(self._training(summary), fitting=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the model as a JSON file: options, parameters, the posterior, the clock where there is one, and versions; no customers.

        Parameters
        ----------
        path : path
            Whatever is there is replaced, once all is written.

        Raises
        ------
        NotFittedError
            There are no parameters.
        ModelError
            The file cannot be written.
        """
        write(type(self).__name__, path, described(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Load a model of this class that was saved; :func:`~crmlab.models.btyd.loading.load_model` loads one of any.

        Parameters
        ----------
        path : path

        Returns
        -------
        The model, which answers as the one that was saved did, intervals included. Its customers are not in the file: what needs them,
        such as ``cross_check``, asks for a fit.

        Raises
        ------
        ModelError
            The file cannot be read, is no saved model or one of another class, was changed, or is of a newer format.
        """
        found = of_class(cls.__name__, path, read(cls.__name__, path))
        model: Self = whole(cls.__name__, path, lambda: restored(cls, found))
        return model

    @property
    def has_posterior(self) -> bool:
        """Whether something is known of how sure the parameters are: they were fitted, not given."""
        return hasattr(self, "kept_")

    @classmethod
    def _from_params(cls, given: dict[str, float]) -> Self:
        """Make a model at parameters that are known."""
        model = cls()
        for name, value in given.items():
            if not (isinstance(value, (int, float, np.number)) and np.isfinite(value) and value > 0):
                raise ModelError.expected(cls.__name__, name, "a positive number", value)
        model.params_ = {name: float(given[name]) for name in cls.parameter_names}
        model.boundary_, model.lesser_optima_ = None, ()
        return model

    def _compressed(self, columns: list[Array]) -> States:
        """Compress rows, or recognise those of the fit."""
        seen = getattr(self, "_rows", None)
        if seen is not None and all(np.array_equal(a, b) for a, b in zip(seen, columns, strict=True)):
            return self.states_
        return self.timed(compress(columns))

    def timed(self, states: States) -> States:
        """States in the time on which the model holds: as they are, unless the model has a clock."""
        return states

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if state.get("_rows") is not None:
            # A saved model holds distinct states, not customers.
            state = {**state, "_rows": None, "states_": state["states_"].without_rows()}
        return state

    def _checked_options(self) -> None:
        name = type(self).__name__
        for option, least in (("max_iter", 1), ("draws", 100), ("seed", 0)):
            value = getattr(self, option)
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
                raise ModelError.expected(name, option, f"a whole number of at least {least}", value)
        checked_priors(name, self.priors, self.parameter_names)

    def coordinates(self, states: States) -> Coordinates:
        """The coordinates in which the parameters are sought, on the scale of some states."""
        return self.coordinates_of(self._unit(states))

    def coordinates_of(self, unit: float) -> Coordinates:
        """The same for a typical size of what carries the unit."""
        return Coordinates(self._parts(), unit, self.stated)

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The priors that ``priors`` states of parameters; none where it is True or False."""
        return checked_priors(type(self).__name__, self.priors, self.parameter_names)

    def _all_starts(self, where: Coordinates) -> list[Array]:
        """Coordinates to start from; where priors were stated, also with those parameters at their medians."""
        starts = [np.append(start, np.zeros(len(where.axes) - len(start))) for start in self._starts()]
        for start in starts[: len(starts) if where.stated else 0]:
            params = where.params(start)[0]
            for one in where.stated:
                params[one.place] = np.exp(one.centre)
            starts.append(where.eta(params))
        return starts

    def objective(self, states: States, where: Coordinates) -> Callable[[Array], tuple[float, Array]]:
        """The log-likelihood of states and its gradient, as a function of coordinates."""

        def objective(eta: Array) -> tuple[float, Array]:
            params, slopes = where.jacobian(eta)
            value, gradient = self._log_likelihood(params, states, True)
            return value, gradient @ slopes

        return objective

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Parameters with their intervals, and what they were learnt from.

        Parameters
        ----------
        level : float
            Of the intervals, which are over the posterior.

        Returns
        -------
        DataFrame
            Indexed by parameter: estimate, low, high; with priors of your own also prior_low and prior_high, the interval of each
            at the same level (missing where none was stated). The last rows, of fitted models alone, are customers and
            log_likelihood, in the column estimate. Ends are missing where parameters were given, or where the posterior sample is
            not usable.

        Raises
        ------
        NotFittedError
            There are no parameters.
        """
        return parameter_frame(self, level)

    def _html_repr(self) -> str:
        """What notebooks show; scikit-learn asks for it."""
        return as_html(type(self).__name__, part_html(self, self.needs))

    # Uncertainty.

    def parameters(self) -> Array:
        """Parameters as an array, in the order of their names; raises NotFittedError where there are none."""
        if not hasattr(self, "params_"):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet. Expected fit or from_params before it is asked anything."
            )
        return np.array([self.params_[name] for name in self.all_names])

    def posterior(self) -> Posterior:
        """The posterior of the parameters, sampled once; behind all intervals.

        Raises
        ------
        ModelError
            The parameters were given, or the sample is not usable.
        """
        return self._posterior()

    def _posterior(self, n: int | None = None, seed: int | None = None, exact: bool = False) -> Posterior:
        self.parameters()
        if not self.has_posterior:
            raise ModelError.no_posterior(type(self).__name__)
        if n is None and self.kept_ is not None:
            return self.kept_
        where = self.coordinates_
        if not hasattr(self, "states_"):  # loaded
            if self.kept_ is None:
                raise ModelError(self.unusable_)
            if n is None or not self.kept_.normal:
                return self.kept_
            return Posterior.of_normal(self.kept_.mean, self.kept_.root, where, n, self.seed if seed is None else seed)

        def value(eta: Array) -> float:
            return self._log_likelihood(where.params(eta)[0], self.states_, False)[0]

        with np.errstate(all="ignore"):
            found = sample(
                type(self).__name__,
                Surface(objective=self.objective(self.states_, where), value=value, where=where),
                self._eta,
                self._information,
                self.draws if n is None else n,
                self.seed if seed is None else seed,
                (self.n_states_ > _LARGE and not exact) or len(self._eta) > _MANY,
            )
        if n is None:
            self.kept_ = found
            self.effective_sample_size_ = found.share * len(found.weight)
        return found

    def sample_posterior(self, n: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Draw parameters from their posterior, under weakly informative priors or those that were stated.

        No MCMC: a multivariate t around the mode, weighted by the posterior and resampled. A loaded model resamples the draws that were
        saved.

        Parameters
        ----------
        n : int
            Draws, at least 100.
        seed : int
            Same seed, same draws.

        Returns
        -------
        DataFrame of shape (n, parameters)
            ``attrs["effective_sample_size"]`` is the effective number of draws before resampling.

        Raises
        ------
        ModelError
            The effective sample size is under 10% of ``n``.
        """
        if not isinstance(n, (int, np.integer)) or n < 100:
            raise ModelError.expected(type(self).__name__, "n", "a whole number of at least 100", n)
        self.parameters()
        found = self._posterior(n, seed, exact=True)
        # Systematic resampling adds less noise than drawing with replacement.
        rng = np.random.default_rng([seed, 1])
        places = (np.arange(n) + rng.random()) / n
        chosen = np.minimum(np.searchsorted(np.cumsum(found.weight), places), len(found.weight) - 1)
        draws = np.array([found.where.params(found.eta[k])[0] for k in rng.permutation(chosen)])
        frame = pd.DataFrame(draws, columns=list(self.all_names))
        frame.attrs["effective_sample_size"] = found.share * len(found.weight)
        return frame

    def posterior_points(self) -> list[Array]:
        """Equally weighted parameters that carry the uncertainty; the parameters alone where they were given."""
        return self._posterior().points if self.has_posterior else [self.parameters()]

    def log_cumulants(self, function: Function) -> tuple[Array, Array, Array]:
        """Cumulants of the log of a positive quantity over the posterior."""
        posterior = self._posterior()
        with np.errstate(all="ignore"):
            return posterior.cumulants([np.log(np.maximum(function(params), 1e-300)) for params in posterior.design])

    def _mean_interval(
        self, function: Function, level: float, chance: bool = False, most: float = np.inf, more: Array | float = 0.0
    ) -> tuple[Array, Array]:
        """Interval of a positive quantity that is at most ``most``, or of a probability, over the posterior.

        ``more`` is variance of its log, of a probability of its log odds, that does not come from the parameters.
        """
        if not chance:
            mean, spread, skew = self.log_cumulants(function)
            low, high = quantiles((mean, spread + more, skew), level)
            return np.minimum(np.exp(low), most), np.minimum(np.exp(high), most)
        posterior = self._posterior()
        with np.errstate(all="ignore"):
            values = [special.logit(np.clip(function(params), 1e-300, 1 - 1e-16)) for params in posterior.design]
        mean, spread, skew = posterior.cumulants(values)
        low, high = quantiles((mean, spread + more, skew), level)
        return special.expit(low), np.where(values[0] > 36, 1.0, special.expit(high))

    def checked_level(self, level: float | None, interval: str) -> float | None:
        """Level of an interval, checked; None where no interval is asked for."""
        name = type(self).__name__
        if interval not in ("mean", "outcome"):
            raise ModelError.expected(name, "interval", "'mean' or 'outcome'", interval)
        if level is None:
            return None
        return checked_level(name, level)


def positive(model: str, name: str, value: Any) -> float:
    """Check a positive finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise ModelError.expected(model, name, "a positive number", value)
    return float(value)
