"""What a policy would have brought, judged on past cells that were drawn by lot: nothing is learnt from whom somebody chose to contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError, listing
from crmlab.models.checked import checked_level, checked_row
from crmlab.models.clusters import by_cluster, clusters_of, interval_of
from crmlab.models.intervals import LEVEL

__all__ = ["PolicyValue", "policy_value"]

Estimate = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class PolicyValue:
    """What a policy brings for each customer and time that it is asked.

    Attributes
    ----------
    horvitz_thompson, self_normalised, doubly_robust : (value, low, high, p_value)
        By the weights alone, by the weights made to add up to the rows, and with predictions that the weights correct; the last is None
        where none were given. The p-value is that of 0.
    matched : int
        Rows whose cell did what the policy would have done: what all is learnt from.
    effective : float
        As many rows of equal weight would say as much (Kish).
    level : float
    """

    horvitz_thompson: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate | None
    matched: int
    effective: float
    level: float

    @property
    def value(self) -> Estimate:
        """The one to go by: with predictions where there are any, else by weights that add up."""
        return self.self_normalised if self.doubly_robust is None else self.doubly_robust


def policy_value(
    outcome: npt.ArrayLike,
    taken: npt.ArrayLike,
    chosen: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    predicted: npt.ArrayLike | None = None,
    who: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> PolicyValue:
    """Judge a policy on randomised cells: rows in which the lot did what the policy would do stand for all.

    Parameters
    ----------
    outcome : array of shape (n,)
        What came of each row, such as margin less cost.
    taken : array of shape (n,)
        The arm that the lot drew: a name; "nothing" is an arm as well.
    chosen : array of shape (n,)
        The arm that the policy would have taken, from what was known before.
    probability : array of shape (n,)
        With which the lot drew the arm that it drew, above 0 and at most 1: a fact of the draw, not an estimate.
    predicted : array of shape (n,), optional
        Outcome that a model, fitted on other customers, expects of the policy's arm. A bad model costs precision, and nothing else.
    who : array of shape (n,), optional
        The customer of each row; every row is its own where none is given.
    level : float
        Of intervals, which count each customer once.

    Returns
    -------
    PolicyValue

    Raises
    ------
    ModelError
        Arrays are of different lengths or hold what cannot be, or the policy takes an arm that the lot never drew.

    References
    ----------
    Horvitz and Thompson (1952), A generalization of sampling without replacement from a finite universe, JASA 47. Hájek (1971), in
    Foundations of Statistical Inference (weights that add up). Dudík, Langford and Li (2011), Doubly robust policy evaluation and learning,
    ICML. Liang and Zeger (1986), Biometrika 73 (variance by customer).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> mail = rng.random(4000) < 0.25
    >>> likes = rng.random(4000) < 0.5
    >>> came = rng.normal(1 + 2 * (mail & likes) - 1 * (mail & ~likes))
    >>> arm, best = np.where(mail, "mail", "nothing"), np.where(likes, "mail", "nothing")
    >>> found = policy_value(came, arm, best, np.where(mail, 0.25, 0.75))
    >>> [round(end, 2) for end in found.value[:3]], found.matched  # in truth 2
    ([1.98, 1.91, 2.04], 2060)
    """
    level = checked_level("policy_value", level)
    y, p = checked_row("policy_value", "outcome", outcome), checked_row("policy_value", "probability", probability)
    did, would = np.asarray(taken), np.asarray(chosen)
    rest = [] if predicted is None else [checked_row("policy_value", "predicted", predicted)]
    n = len(y)
    for name, array in (("taken", did), ("chosen", would), ("probability", p), *(("predicted", one) for one in rest)):
        if array.shape != (n,) or not n:
            raise ModelError.expected(
                "policy_value", name, f"one for each of {n:,} rows, and at least one", f"shape {array.shape}"
            )
    for name, array in (("outcome", y), *(("predicted", one) for one in rest)):
        if not np.isfinite(array).all():
            raise ModelError.expected("policy_value", name, "finite numbers", float(array[~np.isfinite(array)][0]))
    if not ((p > 0) & (p <= 1)).all():
        raise ModelError.expected("policy_value", "probability", "above 0 and at most 1", float(p[~((p > 0) & (p <= 1))][0]))
    did, would = did.astype(str), would.astype(str)
    never = np.setdiff1d(would, did)
    if len(never):
        hint = "Of what was never tried nothing is known: plan a test cell of it first."
        drawn = f"arms that were drawn: {listing(np.unique(did))}"
        raise ModelError.must_be("policy_value: 'chosen'", drawn, str(never[0]), hint)
    cluster = clusters_of("policy_value", who, n)
    match = did == would
    if not match.any():
        raise ModelError.needs("policy_value", "rows in which the lot did what the policy would do", "none")
    weight = np.where(match, 1 / p, 0.0)

    def estimate(value: float, influence: npt.NDArray[np.float64]) -> Estimate:
        return interval_of(value, by_cluster(influence, cluster), level)

    plain, mean = float((weight * y).mean()), float(weight @ y / weight.sum())
    robust = None
    if rest:
        each = rest[0] + weight * (y - rest[0])
        robust = estimate(float(each.mean()), (each - each.mean()) / n)
    return PolicyValue(
        horvitz_thompson=estimate(plain, (weight * y - plain) / n),
        self_normalised=estimate(mean, weight * (y - mean) / weight.sum()),
        doubly_robust=robust,
        matched=int(match.sum()),
        effective=float(weight.sum() ** 2 / (weight @ weight)),
        level=level,
    )
