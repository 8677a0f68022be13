"""BG/CNBD-k: BG/NBD of customers who buy regularly."""

from __future__ import annotations

from crmlab.models.btyd.regular import RegularBuyers

__all__ = ["BGCNBD"]


class BGCNBD(RegularBuyers):
    """The BG/CNBD-k model: BG/NBD in which the time between purchases is Erlang-k, more regular than by chance alone.

    Each purchase needs k phases, which come at the customer's own steady rate λ: in the mean a purchase every k / λ. Rates vary over
    customers as Gamma(r, alpha), chances to drop out after a repeat purchase as Beta(a, b). With k = 1 it is
    :class:`~crmlab.models.btyd.bg_nbd.BGNBD`. The larger k, the sooner one who does not come is known to have left.

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
    >>> import pandas as pd
    >>> late = pd.DataFrame({"frequency": [10], "recency": [30.0], "T": [39.0]})    # every three weeks, and not for nine
    >>> chance, regular = (BGCNBD.from_params(k=k, r=1.3, alpha=4.5 / k, a=0.4, b=0.9) for k in (1, 3))
    >>> round(chance.probability_alive(late)[0], 2), round(regular.probability_alive(late)[0], 2)
    (np.float64(0.64), np.float64(0.24))
    """

    _extra = 0
