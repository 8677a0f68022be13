"""MBG/CNBD-k: MBG/NBD of customers who buy regularly."""

from __future__ import annotations

from crmlab.models.btyd.regular import RegularBuyers

__all__ = ["MBGCNBD"]


class MBGCNBD(RegularBuyers):
    """The MBG/CNBD-k model: BG/CNBD-k in which customers may also drop out right after their first purchase.

    Each purchase needs k phases, which come at the customer's own steady rate λ: in the mean a purchase every k / λ. Rates vary over
    customers as Gamma(r, alpha), chances to drop out after a purchase as Beta(a, b). With k = 1 it is
    :class:`~crmlab.models.btyd.mbg_nbd.MBGNBD`. The larger k, the sooner one who does not come is known to have left.

    ``fit`` takes one table with a row per customer, as ``customer_summary(orders, unit="week", log_gaps=True)`` makes it.

    Parameters
    ----------
    k : int, optional
        Phases that a purchase needs, from 1 to 20; default: the one of the highest likelihood.
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`.
    clock : Clock, optional
        A season, as :func:`~crmlab.models.btyd.seasonality.fit_clock` learns it with BG/NBD or MBG/NBD; the logs of gaps must then be of
        gaps on it: ``customer_summary(orders, unit="week", log_gaps=clock)``.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.

    Attributes
    ----------
    k_ : int
    profile_ : list of float
        Log-likelihoods of k = 1, 2, …, as far as they were tried: until two larger ones had told no better; of a given k, its own alone.
    params_ : dict
        Estimates of r, alpha, a and b at ``k_``; ``summary()`` has them with intervals, which do not carry what is not known of k.
    n_customers_, log_likelihood_, aic_, bic_, boundary_
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`, which has more. k is not counted among the parameters.

    References
    ----------
    Platzer and Reutterer (2016), Ticking away the moments: timing regularity helps to better predict customer activity, Marketing
    Science 35; Reutterer, Platzer and Schröder (2020), Leveraging purchase regularity for predicting customer behavior the easy
    way, International Journal of Research in Marketing 38. Expectations are worked out otherwise than there, and exactly: see
    :class:`~crmlab.models.btyd.renewals.Renewals`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = MBGCNBD.from_params(k=3, r=1.3, alpha=1.5, a=0.4, b=0.9)
    >>> customers = truth.simulate(np.full(2000, 52.0), 26.0, seed=1)
    >>> model = MBGCNBD().fit(customers)
    >>> model.k_, [round(value - model.log_likelihood_) for value in model.profile_]
    (3, [-2441, -401, 0, -224, -777])
    >>> chance = MBGCNBD(k=1).fit(customers)    # MBG/NBD, which knows of no regularity
    >>> [round(one.expected_purchases(customers, 26.0).sum()) for one in (model, chance)], int(customers["holdout_purchases"].sum())
    ([3478, 3611], 3429)
    """

    _extra = 1
