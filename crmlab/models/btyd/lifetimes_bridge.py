"""For those who have code on the lifetimes package: its fitted object with crmlab's estimates in it."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.covariates import refuse_covariates
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD

__all__ = ["cross_check", "to_lifetimes"]


_FITTERS: dict[type, tuple[str, tuple[str, ...]]] = {
    BGNBD: ("BetaGeoFitter", ("frequency", "recency", "T")),
    MBGNBD: ("ModifiedBetaGeoFitter", ("frequency", "recency", "T")),
    ParetoNBD: ("ParetoNBDFitter", ("frequency", "recency", "T")),
    BGBB: ("BetaGeoBetaBinomFitter", ("frequency", "recency", "n_periods")),
    GammaGamma: ("GammaGammaFitter", ("frequency", "monetary_value")),
}


def to_lifetimes(model: Any) -> Any:
    """Give the equivalent fitted object of the lifetimes package.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD, BGBB or GammaGamma
        Fitted, or made by ``from_params``.

    Returns
    -------
    A BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, BetaGeoBetaBinomFitter or GammaGammaFitter
        With params_, and where the model was fitted data (its distinct states with weights), variance_matrix_,
        standard_errors_ and confidence_intervals_ too.

    Raises
    ------
    ModelError
        lifetimes has no such model (sBG).

    Examples
    --------
    >>> fitter = to_lifetimes(BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426))
    >>> round(float(fitter.conditional_expected_number_of_purchases_up_to_time(39, 2, 30.43, 38.86)), 6)
    1.226028
    """
    if type(model) not in _FITTERS:
        raise ModelError.expected("to_lifetimes", "model", "one that lifetimes has too", type(model).__name__)
    refuse_covariates("to_lifetimes", model, "lifetimes has none.")
    given = model.parameters()
    name, columns = _FITTERS[type(model)]
    # Importing lifetimes switches warnings off for the whole process; they are put back as they were.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes
    fitter = getattr(lifetimes, name)()
    fitter.params_ = pd.Series(given, index=list(model.parameter_names))
    fitter._scale = 1.0
    if hasattr(fitter, "conditional_expected_number_of_purchases_up_to_time"):
        fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
    if hasattr(model, "states_"):
        data = dict(zip(columns, model.states_.columns, strict=True))
        weight = model.states_.weight.astype(int)
        fitter.data = pd.DataFrame({**data, "weights": weight})
        fitter._negative_log_likelihood_ = -model.log_likelihood_ / model.states_.n
        fitter.variance_matrix_ = model.covariance_.copy()
        fitter.standard_errors_ = pd.Series(np.sqrt(np.diag(model.covariance_)), index=list(model.parameter_names))
        half = 1.96 * fitter.standard_errors_
        fitter.confidence_intervals_ = pd.DataFrame(
            {"lower 95% bound": fitter.params_ - half, "upper 95% bound": fitter.params_ + half}
        )
    return fitter


def cross_check(model: Any) -> dict[str, float]:
    """Ask the lifetimes package the same of the same customers.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD, BGBB or GammaGamma
        Fitted.

    Returns
    -------
    dict
        ``log_likelihood``: how far lifetimes' log-likelihood at these estimates is from the model's, as a share of it;
        left out where lifetimes cannot compute it, as for spend on the boundary.
        ``parameters``: the largest relative difference between these estimates and those that lifetimes' own search finds.
        Left out where that search fails, on the boundary (there is no single optimum), and for Pareto/NBD, whose search in
        lifetimes takes minutes.

    Raises
    ------
    ModelError
        The model was not fitted, or was loaded from a file, which holds no customers; or lifetimes has no such model.

    Examples
    --------
    >>> model = BGNBD.from_params(r=0.3, alpha=5.0, a=0.8, b=2.5)
    >>> seen = model.simulate([40.0] * 500, seed=1)
    >>> max(cross_check(BGNBD().fit(seen)).values()) < 1e-4
    True
    """
    fitter = to_lifetimes(model)
    if not model.has_posterior:
        raise ModelError.no_posterior(type(model).__name__)
    if not hasattr(model, "states_"):
        raise ModelError.needs(
            "cross_check", "a model with the customers that it was fitted to", "one that was loaded", "Fit it again."
        )
    if isinstance(model, GammaGamma) and model.boundary_ is not None:
        return {}  # a difference of huge numbers, in the form that lifetimes has it
    data = fitter.data
    columns = [data[name].to_numpy(float) for name in _FITTERS[type(model)][1]]
    weights, given = data["weights"].to_numpy(float), model.parameters()
    # lifetimes takes logs of the parameters, but for Pareto/NBD, where it also divides by the mean weight.
    raw = isinstance(model, ParetoNBD)
    scale = weights.mean() if raw else weights.sum()
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        theirs = -scale * float(fitter._negative_log_likelihood(given if raw else np.log(given), *columns, weights, 0.0))
        gap = float(abs(theirs / model.log_likelihood_ - 1))
        found = {"log_likelihood": gap} if np.isfinite(gap) else {}
        if model.boundary_ is None and not raw:
            from lifetimes.utils import ConvergenceError as NotReached

            start = {"initial_params": np.log(given) + 0.1} if isinstance(model, GammaGamma) else {}
            with contextlib.suppress(NotReached):
                refit = type(fitter)().fit(*columns, weights=weights, **start)
                found["parameters"] = float(np.max(np.abs(refit.params_.to_numpy(float) / given - 1)))
    return found
