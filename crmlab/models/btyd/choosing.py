"""Which model customers under contract are told by, and whether segments differ: both by likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from crmlab.errors import ConvergenceError, ModelError, NotIdentifiableError
from crmlab.models.btyd.bdw import BDW
from crmlab.models.btyd.contracts import UnderContract
from crmlab.models.btyd.sbg import SBG
from crmlab.models.btyd.states import framed, refuse
from crmlab.models.checked import checked_level
from crmlab.models.intervals import TEST_LEVEL

__all__ = ["RetentionBySegment", "RetentionChoice", "choose_retention", "retention_by_segment"]

_MOST = 200  # segments: more of them are codes


@dataclass(frozen=True, kw_only=True)
class RetentionChoice:
    """An sBG and a BdW of the same customers, and the one that is shown.

    Attributes
    ----------
    model : SBG or BDW
        The one that was chosen.
    sbg : SBG
    bdw : BDW or None
        None where it cannot be fitted; ``reason`` says why.
    statistic : float
        Twice what the log-likelihood gains by the exponent of duration; missing without a BdW.
    p_value : float
        Chance of so large a gain where duration plays no role; missing without a BdW.
    level : float
        The BdW is chosen where ``p_value`` is below 1 − ``level``.
    reason : str
        Why this model, in a sentence.

    Examples
    --------
    >>> found = choose_retention([1000, 631, 468, 382, 326])
    >>> found.model is found.sbg, found.reason
    (True, 'That customers differ is enough: no role of duration is seen beside it (p = 0.55).')
    """

    model: UnderContract
    sbg: SBG
    bdw: BDW | None
    statistic: float
    p_value: float
    level: float
    reason: str


def choose_retention(summary: Any, *, level: float = TEST_LEVEL, options: Mapping[str, Any] | None = None) -> RetentionChoice:
    """Fit an sBG and a BdW, and choose by the likelihood-ratio test of whether a customer's own chance to leave changes with duration.

    The sBG is the BdW whose exponent of duration is 1, which is no boundary: twice the gain in log-likelihood has a chi-squared
    distribution with one degree of freedom where it holds.

    Parameters
    ----------
    summary : array of shape (periods + 1,), or table
        As of :meth:`~crmlab.models.btyd.contracts.UnderContract.fit`.
    level : float
        The BdW is chosen where the p value is below 1 − level.
    options : mapping, optional
        Of both models: unit, draws, seed, max_iter. Priors are none: the test is of likelihoods.

    Returns
    -------
    RetentionChoice

    Raises
    ------
    NotIdentifiableError
        Not even an sBG can be fitted: nobody left, or there are fewer than two periods in which somebody could leave.

    References
    ----------
    Wilks (1938), Annals of Mathematical Statistics 9. Fader, Hardie, Liu, Davin and Steenburgh (2018), Journal of Interactive
    Marketing 43.

    Examples
    --------
    >>> found = choose_retention([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> type(found.model).__name__, round(found.p_value, 4)
    ('BDW', 0.0006)
    """
    level = checked_level("choose_retention", level)
    given = _options("choose_retention", options)
    sbg = SBG(**given).fit(summary)
    try:
        bdw = BDW(**given).fit(summary)
    except (NotIdentifiableError, ConvergenceError) as error:
        few = isinstance(error, NotIdentifiableError)
        why = "that takes three periods in which somebody could leave" if few else "its likelihood has no optimum"
        return _choice(sbg, None, np.nan, level, f"The role of duration cannot be told: {why}.")
    # The larger model holds the smaller one: less than nothing is gained by rounding alone.
    gain = max(bdw.log_likelihood_ - sbg.log_likelihood_, 0.0)
    told = f"p = {stats.chi2.sf(2 * gain, 1):.2g}"
    if not stats.chi2.sf(2 * gain, 1) < 1 - level:
        return _choice(
            sbg, bdw, gain, level, f"That customers differ is enough: no role of duration is seen beside it ({told})."
        )
    changes = "rises" if bdw.params_["c"] > 1 else "falls"
    return _choice(sbg, bdw, gain, level, f"A customer's own chance to leave {changes} with duration ({told}).")


def _choice(sbg: SBG, bdw: BDW | None, gain: float, level: float, reason: str) -> RetentionChoice:
    p = float(stats.chi2.sf(2 * gain, 1))
    model = bdw if bdw is not None and p < 1 - level else sbg
    return RetentionChoice(model=model, sbg=sbg, bdw=bdw, statistic=float(2 * gain), p_value=p, level=level, reason=reason)


def _options(who: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(options or {})
    wrong = sorted(set(given) - {"unit", "draws", "seed", "max_iter"})
    if wrong:
        raise ModelError.expected(who, "options", "of unit, draws, seed and max_iter", wrong[0])
    return given


@dataclass(frozen=True, kw_only=True)
class RetentionBySegment:
    """One choice of a model for each segment and for all together, and the test of whether segments differ.

    Attributes
    ----------
    together : RetentionChoice
        Of all customers of the segments that could be fitted.
    segments : dict of segment to RetentionChoice
        Of each segment by itself, in order.
    left_out : dict of segment to str
        Segments that cannot be fitted, and why not.
    frame : DataFrame
        One row per segment, indexed by it: customers, model (which was chosen), alpha, beta, c (1 of an sBG), log_likelihood, p_value
        (of the role of duration) and boundary.
    tested_as : str
        "SBG" or "BDW": the model by which segments are compared, that of all together, or the sBG where a segment has no BdW.
    statistic, p_value : float
        Of the test that all segments have the same parameters; missing with fewer than two segments.
    df : int
        Its degrees of freedom.

    Examples
    --------
    >>> lives = SBG.from_params(alpha=1.0, beta=2.0).simulate([5] * 400, seed=1).assign(plan=["basic", "gold"] * 200)
    >>> found = retention_by_segment(lives, "plan")
    >>> found.tested_as, found.p_value > 0.05
    ('SBG', True)
    """

    together: RetentionChoice
    segments: dict[Any, RetentionChoice]
    left_out: dict[Any, str]
    frame: pd.DataFrame
    tested_as: str
    statistic: float
    p_value: float
    df: int


def retention_by_segment(
    summary: Any, segment: str, *, level: float = TEST_LEVEL, options: Mapping[str, Any] | None = None
) -> RetentionBySegment:
    """Choose a model of retention for each segment and for all together, and test whether segments differ.

    Twice what the log-likelihood gains by parameters of each segment's own has, where all have the same, a chi-squared distribution with
    as many degrees of freedom as there are parameters more. With few customers who left in a segment it is only nearly so.

    Parameters
    ----------
    summary : table
        One row per customer: periods, there, and optional weight and entered, as of
        :meth:`~crmlab.models.btyd.contracts.UnderContract.fit`.
    segment : str
        The column that names each customer's segment; known when the customer came, or the test compares what came of itself.
    level : float
        Of the choice between sBG and BdW, see :func:`choose_retention`.
    options : mapping, optional
        Of all models: unit, draws, seed, max_iter.

    Returns
    -------
    RetentionBySegment

    Raises
    ------
    ModelError
        There is no such column, a segment is missing, there are more than 200, or no segment can be fitted.

    Examples
    --------
    >>> basic = SBG.from_params(alpha=1.0, beta=2.0).simulate([5] * 500, seed=1).assign(plan="basic")
    >>> gold = SBG.from_params(alpha=1.0, beta=6.0).simulate([5] * 500, seed=2).assign(plan="gold")
    >>> found = retention_by_segment(pd.concat([basic, gold], ignore_index=True), "plan")
    >>> found.frame["model"].to_dict(), found.df, found.p_value < 0.001
    ({'basic': 'SBG', 'gold': 'SBG'}, 2, True)
    """
    who = "retention_by_segment"
    level, frame = checked_level(who, level), framed(who, summary)
    if segment not in frame.columns:
        raise ModelError.lacks(who, str(segment), frame.columns, "Name the column of segments.")
    refuse(
        who,
        f"{segment} must be given",
        frame[segment].isna().to_numpy(),
        frame,
        "Name those without a segment, or leave them out.",
    )
    groups = dict(list(frame.groupby(segment, sort=True, observed=True)))
    if len(groups) > _MOST:
        raise ModelError.needs(
            who, f"at most {_MOST} segments", f"{len(groups):,}", "Take them together, or name another column."
        )
    found: dict[Any, RetentionChoice] = {}
    left_out: dict[Any, str] = {}
    for name, rows in groups.items():
        try:
            found[name] = choose_retention(rows, level=level, options=options)
        except (NotIdentifiableError, ConvergenceError) as error:
            left_out[name] = str(error)
    if not found:
        raise ModelError.needs(who, "a segment that can be fitted", f"none of {len(groups)}", next(iter(left_out.values())))
    together = choose_retention(frame[frame[segment].isin(list(found))], level=level, options=options)
    by_duration = isinstance(together.model, BDW) and all(one.bdw is not None for one in found.values())

    def tested(one: RetentionChoice) -> float:
        return one.bdw.log_likelihood_ if by_duration and one.bdw is not None else one.sbg.log_likelihood_

    df = (len(found) - 1) * (3 if by_duration else 2)
    statistic = 2 * max(sum(map(tested, found.values())) - tested(together), 0.0) if df else np.nan
    return RetentionBySegment(
        together=together,
        segments=found,
        left_out=left_out,
        frame=pd.DataFrame([_row(one) for one in found.values()], index=pd.Index(list(found), name=segment)),
        tested_as="BDW" if by_duration else "SBG",
        statistic=float(statistic),
        p_value=float(stats.chi2.sf(statistic, df)) if df else np.nan,
        df=df,
    )


def _row(one: RetentionChoice) -> dict[str, Any]:
    model = one.model
    return {
        "customers": model.n_customers_,
        "model": type(model).__name__,
        **{name: model.params_.get(name, 1.0) for name in BDW.parameter_names},
        "log_likelihood": model.log_likelihood_,
        "p_value": one.p_value,
        "boundary": model.boundary_,
    }
