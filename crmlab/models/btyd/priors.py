"""Priors that a user states of a model's parameters, by a median and a factor, in place of the model's own weakly informative ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crmlab.errors import ModelError, hint_at, listing, shown
from crmlab.models.intervals import normal_quantile

__all__ = ["Priors", "Stated", "checked_priors", "prior_ends"]


Priors = bool | Mapping[str, tuple[float, float]]
_FORM = "True, False, or a mapping of parameters to (median, factor)"


@dataclass(frozen=True)
class Stated:
    """The prior of one parameter: its log is normal.

    Attributes
    ----------
    place : int
        Of the parameter among those of the model.
    centre : float
        Log of the median, in the parameter's own unit.
    deviation : float
        Log of the factor: about two thirds of the prior lie between median / factor and median × factor.
    """

    place: int
    centre: float
    deviation: float

    def log_prior(self, log_parameter: float) -> tuple[float, float]:
        """Log density of the parameter's log, and its derivative."""
        z = (log_parameter - self.centre) / self.deviation
        return float(-0.5 * z * z - np.log(self.deviation * np.sqrt(2 * np.pi))), float(-z / self.deviation)


def checked_priors(model: str, priors: Any, names: Sequence[str]) -> tuple[Stated, ...]:
    """Return the priors that a user states, in the order of the parameters; none where the option is True or False.

    Parameters
    ----------
    model : str
        Who asks.
    priors : bool or mapping of str to (float, float)
    names : sequence of str
        The model's parameters.

    Raises
    ------
    ModelError
        The option is neither, a name is unknown, or a prior is no median above 0 with a factor above 1.

    Examples
    --------
    >>> checked_priors("BGNBD", {"r": (1.0, 2.0)}, ["r", "alpha", "a", "b"])
    (Stated(place=0, centre=0.0, deviation=0.6931471805599453),)
    """
    if isinstance(priors, bool | np.bool_):
        return ()
    if not isinstance(priors, Mapping) or not priors:
        raise ModelError.expected(model, "priors", _FORM, priors)
    for name in priors:
        if name not in names:
            raise ModelError(
                f"{model}: unknown parameter {shown(name)} in 'priors'. Expected some of {listing(names)}. {hint_at(str(name), names)}"
            )
    return tuple(_stated(model, name, priors[name], place) for place, name in enumerate(names) if name in priors)


def _stated(model: str, name: str, given: Any, place: int) -> Stated:
    what = f"{model}: the prior of '{name}'"
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        hint = f"For example priors={{'{name}': (1.0, 2.0)}}."
        raise ModelError.must_be(what, "a pair of a median and a factor", given, hint)
    median, factor = given
    for value, least, word in ((median, 0, "median"), (factor, 1, "factor")):
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not (number and least < value < np.inf):
            raise ModelError.must_be(f"{what}: its {word}", f"a number above {least}", value)
    return Stated(place, float(np.log(median)), float(np.log(factor)))


def prior_ends(stated: Sequence[Stated], size: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the central interval of each parameter's stated prior, arrays of shape (size,); missing where none was stated.

    Examples
    --------
    >>> low, high = prior_ends([Stated(0, 0.0, 1.0)], 2, 0.9)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.193, nan], [5.18, nan])
    """
    low, high = np.full(size, np.nan), np.full(size, np.nan)
    reach = normal_quantile(level)
    for one in stated:
        low[one.place], high[one.place] = np.exp(one.centre - reach * one.deviation), np.exp(one.centre + reach * one.deviation)
    return low, high
