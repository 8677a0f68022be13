"""What a campaign test is planned for: a rate, a mean, money or a ratio as it is without the campaign, and how a change spreads it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Protocol, cast

import numpy as np

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts

__all__ = ["Mean", "Money", "Outcome", "Rate", "Ratio", "as_outcome"]


class Outcome(Protocol):
    """A metric as it is without a campaign: its mean, and the variance of a customer's value where the mean is moved."""

    @property
    def base(self) -> float:
        """Mean without the campaign."""
        ...

    def variance(self, effect: float = 0.0) -> float:
        """Variance of one customer's value where the mean is ``effect`` above the base."""
        ...


@dataclass(frozen=True)
class Rate:
    """Share of customers who respond.

    Examples
    --------
    >>> Rate(0.02).variance()
    0.0196
    """

    base: float

    def __post_init__(self) -> None:
        checked_amounts("Rate", "base", self.base)
        if not 0 < self.base < 1:
            raise ModelError.expected("Rate", "base", "between 0 and 1", self.base)

    def variance(self, effect: float = 0.0) -> float:
        """Variance of one customer's value where the rate is ``effect`` above the base."""
        p = self.base + effect
        if not 0 < p < 1:
            between = f"between {-self.base:.6g} and {1 - self.base:.6g}"
            raise ModelError.must_be(f"Rate: an uplift on {self.base:.6g}", between, effect)
        return p * (1 - p)


@dataclass(frozen=True)
class Mean:
    """A mean over customers with its standard deviation, which a change of the mean leaves as it is: minutes on the site, say.

    Of spend that is 0 for most, :class:`Money` knows that the standard deviation moves with the mean.

    Parameters
    ----------
    mean : float
        Without the campaign.
    sd : float
        Standard deviation of one customer's value, above 0.

    Examples
    --------
    >>> from crmlab.models import required_size
    >>> required_size(Mean(40.0, 30.0), uplift=2.0).per_cell
    3532
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        checked_amounts("Mean", "mean and sd", (self.mean, self.sd))
        if not self.sd > 0:
            raise ModelError.expected("Mean", "sd", "above 0", self.sd)

    @property
    def base(self) -> float:
        """Mean without the campaign."""
        return self.mean

    def variance(self, effect: float = 0.0) -> float:  # noqa: ARG002
        """Variance of one customer's value, wherever the mean is."""
        return self.sd**2


@dataclass(frozen=True)
class Money:
    """Spend that is 0 for most: a share who spend, and mean and standard deviation of what those spend.

    A campaign moves the share (``through="share"``: more customers buy) or what each spends (``"amount"``, mean and standard
    deviation alike).

    Examples
    --------
    >>> spend = Money(share=0.01, mean=60.0, sd=45.0)
    >>> spend.base, round(spend.variance(), 2)
    (0.6, 55.89)
    """

    share: float
    mean: float
    sd: float
    through: str = "share"

    def __post_init__(self) -> None:
        checked_amounts("Money", "share, mean and sd", (self.share, self.mean, self.sd))
        if not 0 < self.share <= 1:
            raise ModelError.expected("Money", "share", "above 0 and at most 1", self.share)
        if not (self.mean > 0 and self.sd >= 0):
            raise ModelError.expected("Money", "mean and sd", "above 0, and at least 0", (self.mean, self.sd))
        if self.through not in ("share", "amount"):
            raise ModelError.expected("Money", "through", "'share' or 'amount'", self.through)

    @property
    def base(self) -> float:
        """Mean over all customers, those with 0 too."""
        return self.share * self.mean

    def out_of_reach(self, effect: float | None = None) -> ModelError:
        """That the mean cannot move so far; without a number, that it cannot rise."""
        if self.through == "share" and self.share == 1 and (effect is None or effect > 0):
            return ModelError(
                f"Money: the share who spend must be under 1, or no campaign can raise it. Got {self.share:g}"
                f"{'' if effect is None else f' and an uplift of {effect:.6g}'} instead. Give through='amount', where each spends more, "
                "or Mean(mean, sd)."
            )
        most = f"and {self.mean - self.base:.6g}" if self.through == "share" else "and any number"
        return ModelError.must_be(f"Money: an uplift on {self.base:.6g}", f"between {-self.base:.6g} {most}", effect)

    def variance(self, effect: float = 0.0) -> float:
        """Variance of one customer's spend where the mean is ``effect`` above the base."""
        ratio = 1 + effect / self.base
        share = self.share * (ratio if self.through == "share" else 1.0)
        size = ratio if self.through == "amount" else 1.0
        if not (ratio > 0 and share <= 1):
            raise self.out_of_reach(effect)
        found = size**2 * (share * (self.sd**2 + self.mean**2) - (share * self.mean) ** 2)
        if found <= 0:
            raise ModelError.does_not_vary("spend", self.base)
        return found


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means over customers, such as spend per order.

    Parameters
    ----------
    numerator, denominator : float
        Means over customers.
    numerator_variance, denominator_variance, covariance : float
        Over customers.

    References
    ----------
    Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics, KDD.

    Examples
    --------
    >>> Ratio(20.0, 0.5, 900.0, 0.45, 12.0).base
    40.0
    """

    numerator: float
    denominator: float
    numerator_variance: float
    denominator_variance: float
    covariance: float

    def __post_init__(self) -> None:
        variances = (self.numerator_variance, self.denominator_variance)
        checked_amounts(
            "Ratio", "means, variances and covariance", (self.numerator, self.denominator, *variances, self.covariance)
        )
        if not self.denominator > 0:
            raise ModelError.expected("Ratio", "denominator", "above 0", self.denominator)
        if not all(one >= 0 for one in variances):
            raise ModelError.expected("Ratio", "variances", "numbers of at least 0", variances)
        if not self.covariance**2 <= variances[0] * variances[1] * (1 + 1e-9):
            raise ModelError.expected("Ratio", "covariance", "at most what the variances allow", self.covariance)
        if not self.variance() > 0:
            raise ModelError.expected("Ratio", "covariance", "one that leaves some variance", self.covariance)

    @property
    def base(self) -> float:
        """The ratio."""
        return self.numerator / self.denominator

    def variance(self, effect: float = 0.0) -> float:
        """Variance of one customer's linearised share in the ratio where the numerator moves it by ``effect``."""
        r = self.base + effect
        found = self.numerator_variance - 2 * r * self.covariance + r**2 * self.denominator_variance
        return max(found, 0.0) / self.denominator**2


def as_outcome(model: str, given: Outcome | float) -> Outcome:
    """Return an outcome as it is, and a number as the base of a rate.

    Parameters
    ----------
    model : str
        Who asks, as the message says it.
    given : Outcome or float

    Raises
    ------
    ModelError
        It is neither, or a number that is no share, such as 10 for 10%.

    Examples
    --------
    >>> as_outcome("required_size", 0.1)
    Rate(base=0.1)
    """
    if isinstance(given, Real | Decimal) and not isinstance(given, bool | np.bool_):
        base = float(given)
        if not 0 < base < 1:
            raise ModelError.must_be(
                f"{model}: a base rate",
                "between 0 and 1",
                given,
                "Write 10% as 0.10; for means there are Mean, Money and Ratio.",
            )
        return Rate(base)
    if isinstance(given, Rate | Mean | Money | Ratio) or (hasattr(given, "variance") and hasattr(given, "base")):
        return cast(Outcome, given)
    raise ModelError.expected(model, "outcome", "a base rate such as 0.10, or a Rate, Mean, Money or Ratio", given)
