"""BG/NBD: the beta-geometric / negative binomial model of repeat purchases."""

from __future__ import annotations

from crmlab.models.btyd.beta_geometric import BetaGeometric

__all__ = ["BGNBD"]


class BGNBD(BetaGeometric):
    """The BG/NBD model: customers buy at their own steady rate, and after each repeat purchase may drop out for good.

    Purchase rates λ vary over customers as Gamma(r, alpha), chances p to drop out as Beta(a, b). A customer who has not yet
    bought again has had no chance to drop out, and is alive for certain.

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
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD model, Marketing
    Science 24: likelihood (6), pmf (8), expectations (9) and (10). The discounted expectation is not in the paper; it is the
    integral of the expected rate of a customer who is alive, over time and the posterior of p.

    Examples
    --------
    >>> import pandas as pd
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> customers = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]}, index=["1516"])
    >>> model.expected_purchases(customers, 39).round(6)
    1516    1.226028
    Name: expected_purchases, dtype: float64
    >>> model.scored(customers.rename_axis("customer_id").reset_index(), 39)[["customer_id", "expected_purchases"]].round(3)
      customer_id  expected_purchases
    0        1516               1.226
    >>> round(model.expected_purchases_new(39), 6)
    1.196723
    >>> BGNBD(priors={"alpha": (6.0, 1.5)}, unit="week")  # alpha is about 6 weeks, give or take a factor of 1.5
    BGNBD(priors={'alpha': (6.0, 1.5)}, unit='week')
    """

    _extra = 0
