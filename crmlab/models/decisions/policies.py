"""What a policy would have brought, judged on past cells that were drawn by lot: nothing is learnt from whom somebody chose to contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError, listing
from crmlab.models.checked import checked_level, checked_row
from crmlab.models.clusters import by_cluster, clusters_of, interval_of
from crmlab.models.intervals import LEVEL

__all__ = ["PolicyValue", "policy_difference", "policy_value"]

Estimate = tuple[float, float, float, float]
Array = npt.NDArray[np.float64]


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
    y, p, did, (would,), rest = _checked("policy_value", (outcome, taken, probability), (chosen,), predicted)
    n = len(y)
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


def policy_difference(
    outcome: npt.ArrayLike,
    taken: npt.ArrayLike,
    chosen: tuple[npt.ArrayLike, npt.ArrayLike],
    probability: npt.ArrayLike,
    *,
    predicted: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    who: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Judge one policy against another on the same randomised cells; rows on which both agree say nothing of the difference.

    Parameters
    ----------
    outcome, taken, probability, who, level
        As of :func:`policy_value`.
    chosen : (array of shape (n,), array of shape (n,))
        The arms that the policy and the other one would have taken.
    predicted : (array of shape (n,), array of shape (n,)), optional
        Outcome that a model, fitted on other customers, expects of each policy's arm.

    Returns
    -------
    (value, low, high, p_value)
        What the first brings for each row more than the second; doubly robust where predictions are given, else by weights that add up
        over the rows on which the two differ. The p-value is that of no difference.

    Raises
    ------
    ModelError
        As of :func:`policy_value`.

    References
    ----------
    As of :func:`policy_value`.

    Examples
    --------
    Of four customers two were drawn for a mail. A policy that mails the last two differs from one that mails nobody on these alone:

    >>> mailed, chosen = ["mail", "nothing", "mail", "nothing"], ["nothing", "nothing", "mail", "mail"]
    >>> round(policy_difference([9.0, 7.0, 5.0, 2.0], mailed, (chosen, ["nothing"] * 4), [0.5] * 4)[0], 3)
    1.5
    """
    name = "policy_difference"
    level = checked_level(name, level)
    for label, pair in (("chosen", chosen), ("predicted", predicted)):
        if pair is not None and len(pair) != 2:
            raise ModelError.expected(name, label, "one array for each of two policies", f"{len(pair)}")
    y, p, did, would, rest = _checked(name, (outcome, taken, probability), chosen, *(predicted or ()))
    cluster = clusters_of(name, who, len(y))
    apart = would[0] != would[1]
    if not apart.any():
        return 0.0, 0.0, 0.0, 1.0
    each = np.zeros(len(y))
    for k, (side, arm) in enumerate(zip((1.0, -1.0), would, strict=True)):
        match = (did == arm)[apart]
        if not match.any():
            raise ModelError.needs(
                name, "rows on which the policies differ and the lot did what each of them would have done", "none"
            )
        weight = np.where(match, 1 / p[apart], 0.0)
        if rest:
            known = rest[k][apart]
        else:
            weight = weight / weight.mean()
            known = float((weight * y[apart]).mean())
        each[apart] += side * (known + weight * (y[apart] - known))
    value = float(each.mean())
    return interval_of(value, by_cluster((each - value) / len(y), cluster), level)


def _checked(
    name: str,
    facts: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    chosen: tuple[npt.ArrayLike, ...],
    *predicted: npt.ArrayLike | None,
) -> tuple[Array, Array, npt.NDArray[np.str_], list[npt.NDArray[np.str_]], list[Array]]:
    """Outcome, probability, arms drawn, arms chosen by each policy, and predictions, checked."""
    y, p = checked_row(name, "outcome", facts[0]), checked_row(name, "probability", facts[2])
    did, would = np.asarray(facts[1]), [np.asarray(one) for one in chosen]
    rest = [checked_row(name, "predicted", one) for one in predicted if one is not None]
    n = len(y)
    shapes = [("taken", did), *(("chosen", one) for one in would), ("probability", p), *(("predicted", one) for one in rest)]
    for label, array in shapes:
        if array.shape != (n,) or not n:
            raise ModelError.expected(name, label, f"one for each of {n:,} rows, and at least one", f"shape {array.shape}")
    for label, array in (("outcome", y), *(("predicted", one) for one in rest)):
        if not np.isfinite(array).all():
            raise ModelError.expected(name, label, "finite numbers", float(array[~np.isfinite(array)][0]))
    if not ((p > 0) & (p <= 1)).all():
        raise ModelError.expected(name, "probability", "above 0 and at most 1", float(p[~((p > 0) & (p <= 1))][0]))
    did, arms = did.astype(str), [one.astype(str) for one in would]
    never = np.setdiff1d(np.concatenate(arms), did)
    if len(never):
        hint = "Of what was never tried nothing is known: plan a test cell of it first."
        raise ModelError.must_be(f"{name}: 'chosen'", f"arms that were drawn: {listing(np.unique(did))}", str(never[0]), hint)
    return y, p, did, arms, rest
