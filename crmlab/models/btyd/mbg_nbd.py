"""MBG/NBD: the modified BG/NBD model, in which the first purchase too may be the last."""

from __future__ import annotations

from crmlab.models.btyd.beta_geometric import BetaGeometric

__all__ = ["MBGNBD"]


class MBGNBD(BetaGeometric):
    """The MBG/NBD model: BG/NBD in which customers may also drop out right after their first purchase.

    ``fit`` takes one table with a row per customer, as ``customer_summary(orders, unit="week")`` makes it: frequency (repeat purchases),
    recency (time from the first purchase to the last) and T (age: time from the first purchase to the end of the history), both in one
    unit of time, in which horizons are given and times are told. A column ``weight`` says how many customers a row stands for.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`. ``priors=True`` is what other packages have a penaliser for
        (``penalizer_coef`` of lifetimes): few customers, or a short history.
    clock : Clock, optional
        A season, as :func:`~crmlab.models.btyd.seasonality.fit_clock` learns it; without it time runs evenly.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.
    covariates : list of str, or Covariates, optional
        Columns of what is known of each customer from the beginning on: see :class:`~crmlab.models.btyd.explained.WithCovariates`.
        Scale and a become alpha · exp(−γ'z) and a · exp(δ'z): the rate is exp(γ) times as high per 1 more, and the odds of the mean
        chance to drop out, a / b, are exp(δ) times as high.

    Attributes
    ----------
    params_ : dict
        Estimates of r, alpha, a and b, and of coefficients; ``summary()`` has them with intervals.
    n_customers_, log_likelihood_, aic_, bic_, boundary_
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`, which has more.

    References
    ----------
    Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for customer base analysis,
    International Journal of Research in Marketing 24; Hoppe and Wagner (2007), Customer base analysis: the case for a
    central variant of the Betageometric/NBD model, Marketing ZFP 29: likelihood (5), expectations (9) and (14).

    Examples
    --------
    >>> import pandas as pd
    >>> model = MBGNBD.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> customers = pd.DataFrame({"frequency": [0, 2], "recency": [0.0, 30.43], "T": [38.86, 38.86]})
    >>> model.probability_alive(customers).round(4).tolist()
    [0.3897, 0.7062]
    """

    _extra = 1
