"""What models say together that the data do not tell apart: the interval of the one that is used takes in what the others say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from crmlab.errors import ConvergenceError, ModelError
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.selection import averaging_weights, log_masses
from crmlab.models.intervals import mixture_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.choice import Choice

__all__ = ["LEAST", "Alternative", "alternatives_of", "averaged", "weights_of"]


LEAST = 0.05  # weight under which a model is told apart from the one that is used
_MOST = 0.5  # of all others together: one holdout period tells no more than that they may be as good as the one that is used


class Alternative(NamedTuple):
    """A model that may be as right as the one that is used: its weight in intervals, and itself, beside the same model of spend."""

    weight: float
    model: CustomerValue


def weights_of(choice: Choice) -> dict[str, float]:
    """Weights of the models that the holdout period does not tell apart from the one that is used, by name.

    Parameters
    ----------
    choice : Choice

    Returns
    -------
    dict of str to float
        Each at least :data:`LEAST`, and together at most one half. None where one was asked for, or nothing could be kept back.

    Notes
    -----
    As of :func:`crmlab.models.btyd.selection.averaging_weights`. The model that is used keeps half of all weight at least: it is used
    for reasons beside one holdout period too (see :func:`crmlab.analyses.customer_value.choosing.chosen`).
    """
    found = choice.ranked
    if found is None or choice.by == "given":
        return {}
    names = list(found.models)
    masses = np.stack([log_masses(found.models[name], found.held, found.held) for name in names])
    weights = dict(zip(names, averaging_weights(masses).tolist(), strict=True))
    alternatives = {name: weight for name, weight in weights.items() if name != choice.name and weight >= LEAST}
    total = sum(alternatives.values())
    return {name: weight * min(1.0, _MOST / total) for name, weight in alternatives.items()}


def alternatives_of(base: Base, choice: Choice, model: CustomerValue, summary: pd.DataFrame) -> tuple[Alternative, ...]:
    """Fit the models that the data do not tell apart from the one that is used, each to the same customers.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base.
    model : CustomerValue
        Fitted, with the model of purchases that was chosen.
    summary : DataFrame
        The customers that it was fitted to.

    Returns
    -------
    tuple of Alternative
        In the order of the ranking. A model by which nobody ever leaves is none: what it says is worth has no end. Nor is one that cannot
        be fitted to all of the history.
    """
    found = []
    chosen, spend = model.fitted_models()
    for name, weight in weights_of(choice).items():
        try:
            purchases = replace(choice, name=name).fit(base, summary, chosen.seed)
        except (ModelError, ConvergenceError):
            continue
        if purchases.boundary_ == NO_DROPOUT:
            continue
        found.append(
            Alternative(weight, CustomerValue(purchases, spend, margin=model.margin, rate=model.rate, unit=model.unit))
        )
    return tuple(found)


def averaged(
    model: CustomerValue, alternatives: Sequence[Alternative], told: Callable[[CustomerValue], pd.DataFrame], level: float
) -> pd.DataFrame:
    """What the model that is used tells, with intervals that take in what its alternatives tell.

    Parameters
    ----------
    model : CustomerValue
        The one that is used.
    alternatives : sequence of Alternative
    told : callable
        Gets a model, gives value, low and high, one row per number.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Values are those of the model that is used, and lie within. The ends are quantiles of the mixture of all.
    """
    mine = told(model)
    if not alternatives:
        return mine
    others = [told(alternative.model) for alternative in alternatives]
    weights = [
        1 - sum(alternative.weight for alternative in alternatives),
        *(alternative.weight for alternative in alternatives),
    ]
    value, low, high = (np.stack([one[name].to_numpy(float) for one in (mine, *others)]) for name in ("value", "low", "high"))
    ends = mixture_interval(value, low, high, weights, level)
    return mine.assign(low=np.minimum(ends[0], value[0]), high=np.maximum(ends[1], value[0]))
