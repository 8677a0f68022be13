"""How many of those under contract today will still be there after each of the coming periods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.contracts import UnderContract
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked_weight, compress, framed
from crmlab.models.checked import checked_level, checked_outcomes
from crmlab.models.intervals import LEVEL

__all__ = ["remaining_frame"]

_DRAWS = 4000


def remaining_frame(
    model: UnderContract,
    summary: Any,
    periods: int,
    *,
    level: float = LEVEL,
    interval: str = "outcome",
    seed: int = 0,
) -> pd.DataFrame:
    """Forecast how many of the customers under contract today are still there after 1, 2, … periods.

    Parameters
    ----------
    model : SBG or BDW
        Fitted, or with given parameters.
    summary : table
        Customers who are there today, each with the renewals made, ``periods``, and an optional ``weight``; those marked as gone in a
        column ``there`` are left out.
    periods : int
        How far ahead, at least 1.
    level : float
        Of the intervals.
    interval : {"outcome", "mean"}
        Of the number that will be seen: what is not known of the parameters, and chance; or of its expectation alone.
    seed : int
        Of the draws by which outcomes are worked out: parameters from their posterior and, given them, who renews in each period.

    Returns
    -------
    DataFrame
        One row per period: period, expected (still there at its end), low, high, share (of those of today), and renewals (of all periods
        up to then, expected).

    Raises
    ------
    ModelError
        The model is none of customers under contract, nobody is there, or the posterior sample is not usable; of given parameters
        ``interval="mean"`` cannot be had.

    Examples
    --------
    >>> from crmlab.models import SBG
    >>> model = SBG.from_params(alpha=1.0, beta=2.0)
    >>> today = pd.DataFrame({"periods": [0, 3], "weight": [600, 400]})
    >>> remaining_frame(model, today, 3)[["period", "expected", "low", "high"]].round(1)
       period  expected    low   high
    0       1     733.3  711.0  756.0
    1       2     585.7  560.0  611.0
    2       3     490.0  464.0  515.0
    """
    who = "remaining_frame"
    if not isinstance(model, UnderContract):
        raise ModelError.expected(who, "model", "an SBG or a BDW", type(model).__name__)
    if isinstance(periods, bool) or not isinstance(periods, int | np.integer) or periods < 1:
        raise ModelError.expected(who, "periods", "a whole number of at least 1", periods)
    share = checked_level(who, level)
    model.checked_level(level, interval)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ModelError.expected(who, "seed", "a whole number of at least 0", seed)
    states = _there(who, model, summary)
    ahead = np.arange(1.0, int(periods) + 1)

    def stayed(params: Array) -> Array:
        return model.stayed(params, states.columns[0][:, None], states.columns[0][:, None] + ahead)

    with np.errstate(all="ignore"):
        expected = states.weight @ stayed(model.parameters())
        rng = np.random.default_rng([seed, 2])
        drawn = []
        for params, many in _parameters(model, rng) if interval == "outcome" or model.has_posterior else ():
            shares = stayed(params)
            if interval == "mean":
                drawn += [states.weight @ shares] * many
            else:
                drawn += list(_drawn(shares, states.weight, many, rng))
    if not drawn:
        raise ModelError.no_posterior(type(model).__name__)
    low, high = np.quantile(drawn, [(1 - share) / 2, (1 + share) / 2], axis=0, method="inverted_cdf")
    return pd.DataFrame(
        {
            "period": ahead.astype(np.int64),
            "expected": expected,
            "low": np.minimum(low, expected),
            "high": np.maximum(high, expected),
            "share": expected / states.weight.sum(),
            "renewals": np.cumsum(expected),
        }
    )


def _there(who: str, model: UnderContract, summary: Any) -> States:
    frame = framed(who, summary)
    if "there" in frame.columns:
        frame = frame[checked_outcomes(who, frame["there"])]
    if frame.empty:
        raise ModelError.needs(who, "customers who are there today", "none")
    return compress(model.checked_columns(frame)[0], checked_weight(who, frame))


def _parameters(model: UnderContract, rng: np.random.Generator) -> list[tuple[Array, int]]:
    """Draws of the posterior, and how often each is taken; the parameters alone where they were given."""
    if not model.has_posterior:
        return [(model.parameters(), _DRAWS)]
    found = model.posterior()
    places = (np.arange(_DRAWS) + rng.random()) / _DRAWS
    chosen = np.minimum(np.searchsorted(np.cumsum(found.weight), places), len(found.weight) - 1)
    which, many = np.unique(chosen, return_counts=True)
    return [(found.where.params(found.eta[k])[0], int(n)) for k, n in zip(which, many, strict=True)]


def _drawn(stayed: Array, weight: Array, many: int, rng: np.random.Generator) -> Array:
    """How many of all states are there after each period, shape (many, periods): of those there before so many as chance has renew."""
    with np.errstate(divide="ignore", invalid="ignore"):
        renewed = stayed / np.concatenate([np.ones((len(stayed), 1)), stayed[:, :-1]], axis=1)
    renewed = np.clip(np.nan_to_num(renewed), 0.0, 1.0)
    left, out = np.tile(weight.astype(np.int64), (many, 1)), np.empty((many, stayed.shape[1]))
    for k in range(stayed.shape[1]):
        left = rng.binomial(left, renewed[:, k])
        out[:, k] = left.sum(axis=1)
    return out
