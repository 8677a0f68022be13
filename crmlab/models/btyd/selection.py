"""Which model of purchases tells best what customers did next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special
from sklearn.base import clone

from crmlab.errors import ModelError
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked, checked_weight, compress, framed, refuse
from crmlab.models.intervals import LEVEL, normal_quantile

__all__ = ["averaging_weights", "compare_models", "log_masses"]

_DRAWS = 4000  # of the normal distribution of sums: weights are then known to a hundredth


def compare_models(
    models: Sequence[BuyTillYouDie] | Mapping[str, BuyTillYouDie],
    summary: Any,
    holdout: Any | None = None,
    *,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Rank models by the log-likelihood of what customers did in the holdout period, and by AIC.

    Parameters
    ----------
    models : sequence of models, or mapping of names to models
        Fitted ones are used as they are; others are cloned and fitted to ``summary``.
    summary : table
        The calibration period, with an optional weight.
    holdout : table, optional
        Columns holdout_purchases and horizon, row by row the customers of ``summary`` (one frame may serve as both); by default
        they are looked for in ``summary``.
    level : float
        Of the intervals of differences.

    Returns
    -------
    DataFrame
        Indexed by model, best first: holdout_log_likelihood, holdout_rank, behind (holdout log-likelihood behind the best, with
        behind_low and behind_high from its spread over customers; 0 for the best itself), aic, aic_rank, bic, log_likelihood,
        expected_purchases (of all, in the holdout period), holdout_purchases (seen), boundary, and the fitted ``model``.

    Raises
    ------
    ModelError
        A column is missing, rows do not match, or customers have different horizons.

    Examples
    --------
    >>> from crmlab.models.btyd.bg_nbd import BGNBD
    >>> from crmlab.models.btyd.mbg_nbd import MBGNBD
    >>> truth = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = truth.simulate([40.0] * 3000, 40, seed=1).assign(horizon=40.0)
    >>> compare_models([BGNBD(), MBGNBD()], customers)["holdout_rank"].to_dict()
    {'BGNBD': 1, 'MBGNBD': 2}
    """
    summary = framed("compare_models", summary)
    found = summary if holdout is None else framed("compare_models", holdout)
    after = checked("compare_models", found, ["holdout_purchases", "horizon"])
    if len(found) != len(summary) or not found.index.equals(summary.index):
        raise ModelError.needs(
            "compare_models",
            "summary and holdout with the same rows in the same order",
            f"{len(summary):,} and {len(found):,} rows",
        )
    n, horizon = after["holdout_purchases"], after["horizon"]
    with np.errstate(invalid="ignore"):
        refuse(
            "compare_models", "holdout_purchases must be a whole number of at least 0", ~((n >= 0) & (n == np.floor(n))), found
        )
    if not (horizon == horizon[0]).all():
        raise ModelError.needs("compare_models", "one horizon for all", f"{len(np.unique(horizon)):,} horizons")
    named = models if isinstance(models, Mapping) else {type(model).__name__: model for model in models}
    if not named:
        raise ModelError.needs("compare_models", "at least one model", "none")
    if len(named) < len(models):
        twice = next(name for name in named if sum(type(model).__name__ == name for model in models) > 1)
        hint = 'Name them: {"plain": BGNBD(), "by channel": BGNBD(covariates=["channel"])}.'
        raise ModelError.needs("compare_models", "a name for each model", f"several of class {twice}", hint)
    weight = checked_weight("compare_models", summary)
    rows: dict[str, dict[str, Any]] = {}
    each: dict[str, Array] = {}
    for name, model in named.items():
        fitted = model if hasattr(model, "params_") else clone(model).fit(summary)
        h = fitted.checked_horizon(float(horizon[0]))
        states, log_mass = _masses(fitted, summary, n, h, weight)
        with np.errstate(all="ignore"):
            expected = float(states.weight @ fitted.mean_purchases(fitted.parameters(), states, h))
        each[name] = log_mass[states.inverse]
        rows[name] = {
            "holdout_log_likelihood": float(states.weight @ log_mass),
            "aic": getattr(fitted, "aic_", np.nan),
            "bic": getattr(fitted, "bic_", np.nan),
            "log_likelihood": getattr(fitted, "log_likelihood_", np.nan),
            "expected_purchases": expected,
            "holdout_purchases": float(states.weight @ states.columns[-1]),
            "boundary": fitted.boundary_,
            "model": fitted,
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.insert(1, "holdout_rank", frame["holdout_log_likelihood"].rank(ascending=False, method="min").astype(int))
    best = each[frame["holdout_log_likelihood"].idxmax()]
    behind = np.array([_difference(best - one, weight, level) for one in each.values()])
    for k, column in enumerate(("behind", "behind_low", "behind_high")):
        frame.insert(2 + k, column, behind[:, k])
    frame.insert(6, "aic_rank", frame["aic"].rank(method="min", na_option="bottom").astype(int))
    return frame.sort_values("holdout_rank", kind="stable").rename_axis("model_name")


def log_masses(model: BuyTillYouDie, summary: Any, holdout: Any) -> Array:
    """Log of the probability that a fitted model gave to what each customer did in the holdout period.

    Parameters
    ----------
    model : BuyTillYouDie
        Fitted.
    summary : table
        The calibration period.
    holdout : table
        Columns holdout_purchases and horizon, one for all, row by row the customers of ``summary``.

    Returns
    -------
    array of shape (n_rows,)
    """
    after = checked("log_masses", holdout, ["holdout_purchases", "horizon"])
    states, found = _masses(model, summary, after["holdout_purchases"], model.checked_horizon(float(after["horizon"][0])), None)
    return found[states.inverse]


def averaging_weights(masses: npt.ArrayLike, *, seed: int = 0) -> Array:
    """Weights by which models are averaged, from what each said of every customer of a holdout period.

    Parameters
    ----------
    masses : array of shape (n_models, n_customers)
        Logs of the probability of what came, as of :func:`log_masses`.
    seed : int
        Of the draws.

    Returns
    -------
    array of shape (n_models,)
        They add up to 1. A model that is far behind all other customers drawn as well has nearly none; models that differ by no more than
        chance have much the same.

    Notes
    -----
    Pseudo-BMA+: weights in proportion to the likelihood of the holdout period, averaged over how its sum might have come out had other
    customers been drawn. For the bootstrap of customers stands the normal distribution that it tends to.

    References
    ----------
    Yao, Vehtari, Simpson and Gelman (2018), Using stacking to average Bayesian predictive distributions, Bayesian Analysis 13,
    section 3.4.

    Examples
    --------
    >>> averaging_weights(np.log([[0.5, 0.5, 0.5, 0.5], [0.6, 0.4, 0.5, 0.5]])).round(1).tolist()
    [0.5, 0.5]
    """
    each = np.asarray(masses, dtype=float)
    if each.ndim != 2 or not each.size or not np.isfinite(each).all():
        raise ModelError.expected("averaging_weights", "masses", "finite numbers, one row per model", each.shape)
    apart = each - each[0]
    gap = apart - apart.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(gap @ gap.T)
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(each)))
    sums = apart.sum(axis=1) + (draws * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    out: Array = special.softmax(sums, axis=1).mean(axis=0)
    return out


def _masses(model: BuyTillYouDie, summary: Any, n: Array, horizon: float, weight: Array | None) -> tuple[States, Array]:
    """Distinct states with what they did, and the log of its probability."""
    columns, _ = model.checked_columns(summary)
    states = model.timed(compress([*columns, n], weight))
    with np.errstate(all="ignore"):
        mass = model.count_mass(model.parameters(), states, slice(None), states.columns[-1], horizon)
    return states, np.log(np.maximum(mass, 1e-300))


def _difference(each: Array, weight: Array | None, level: float) -> tuple[float, float, float]:
    """Sum of customers' differences, with an interval from their spread (Vuong 1989)."""
    w = np.ones(len(each)) if weight is None else weight
    n, total = float(w.sum()), float(w @ each)
    half = normal_quantile(level) * np.sqrt(float(w @ (each - total / n) ** 2))
    return total, total - half, total + half
