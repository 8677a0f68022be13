"""How concentrated the value of customers is: what share of it the best of them are expected to bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.drawing import EXPECTED, PALE, SEEN, axes_of
from crmlab.models.btyd.portfolios import Measure, Worth, portfolio
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import framed
from crmlab.models.checked import checked_row
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["concentration_frame", "plot_concentration"]

_SHARES = (0.01, 0.02, 0.05, *(k / 20 for k in range(2, 21)))
_TOLD = (0.1, 0.2, 0.5)  # shares of customers that the picture puts into words


def concentration_frame(
    value: CustomerValue, summary: Any, *, shares: Sequence[float] | None = None, horizon: float = np.inf, level: float = LEVEL
) -> pd.DataFrame:
    """Share of the expected value that the best customers bring: "the best tenth bring 40% of it".

    Parameters
    ----------
    value : CustomerValue
        Fitted, or of two models that are.
    summary : table
        The customers, as of :meth:`~crmlab.models.btyd.customer_value.CustomerValue.residual_value`.
    shares : sequence of float, optional
        Shares of customers, above 0 and at most 1; default: 1%, 2%, 5%, 10%, 15%, …, 100%.
    horizon : float
        Of the value, in the time unit; infinite unless given.
    level : float
        Of the intervals: of the expectation, with the uncertainty of both models. The best are those of the estimate throughout.

    Returns
    -------
    DataFrame
        One row per share, increasing: share (of customers), customers (how many that is, rounded up), least (value of the last of them,
        in the currency of monetary_value), value_share, low, high. A share that ends within a customer takes that part of their value.

    Raises
    ------
    ModelError
        A share is not above 0 and at most 1, or there are no customers.

    References
    ----------
    Lorenz (1905), Methods of measuring the concentration of wealth, Publications of the American Statistical Association 9: the curve,
    here from the best customer on.

    Examples
    --------
    >>> from crmlab.models import CustomerValue, GammaGamma, ParetoNBD
    >>> value = CustomerValue(
    ...     ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    ...     GammaGamma.from_params(p=6.25, q=3.74, v=15.44), margin=0.3, rate=0.15, unit="week",
    ... )
    >>> customers = pd.DataFrame({"frequency": [2, 0, 0, 0], "recency": [30.43, 0, 0, 0], "T": [38.86] * 4,
    ...                           "monetary_value": [22.35, None, None, None]})
    >>> concentration_frame(value, customers, shares=[0.25, 1.0]).round(2)[["customers", "least", "value_share"]].values.tolist()
    [[1.0, 48.2, 0.76], [4.0, 5.06, 1.0]]
    """
    who = "concentration_frame"
    if not isinstance(value, CustomerValue):
        raise ModelError.expected(who, "value", "a CustomerValue", type(value).__name__)
    asked = np.unique(checked_row(who, "shares", _SHARES if shares is None else shares))
    if not len(asked) or not ((asked > 0) & (asked <= 1)).all():
        raise ModelError.expected(who, "shares", "above 0 and at most 1", "none" if not len(asked) else asked.tolist())
    frame = framed(who, summary)
    worth = value.residual_value(frame, horizon).to_numpy(float)
    order = np.argsort(-worth, kind="stable")
    curve = _Curve(order, asked)
    measures = {f"{share}": Measure(curve.at(k)) for k, share in enumerate(asked)}
    found = portfolio(value, frame, measures, horizon, level=level).reset_index(drop=True)
    count = np.ceil(np.round(asked * len(frame), 9)).astype(int)
    return pd.DataFrame(
        {
            "share": asked,
            "customers": count,
            "least": worth[order][count - 1],
            "value_share": found["value"],
            "low": found["low"],
            "high": np.minimum(found["high"], 1.0),
        }
    )


class _Curve:
    """The curve of one worth of all customers, kept for the measures that ask for points of it."""

    def __init__(self, order: Any, shares: Array) -> None:
        self.order, self.shares = order, shares
        self.of: Worth | None = None
        self.points: Array = np.empty(0)

    def at(self, k: int) -> Callable[[Worth], float]:
        """One point of the curve, as a function of the worth."""

        def point(worth: Worth) -> float:
            if worth is not self.of:
                total = np.concatenate([[0.0], np.cumsum(worth.value[self.order])])
                self.of = worth
                self.points = np.interp(self.shares * len(self.order), np.arange(len(total)), total) / total[-1]
            return float(self.points[k])

        return point


def plot_concentration(
    value: CustomerValue, summary: Any, *, horizon: float = np.inf, level: float = LEVEL, ax: Axes | None = None
) -> Axes:
    """Draw what share of the expected value the best customers bring: :func:`concentration_frame`.

    Parameters
    ----------
    value, summary, horizon, level
        As of ``concentration_frame``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import CustomerValue, GammaGamma, ParetoNBD
    >>> value = CustomerValue(
    ...     ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    ...     GammaGamma.from_params(p=6.25, q=3.74, v=15.44), margin=0.3, rate=0.15, unit="week",
    ... )
    >>> customers = pd.DataFrame({"frequency": [2, 0, 0, 0], "recency": [30.43, 0, 0, 0], "T": [38.86] * 4,
    ...                           "monetary_value": [22.35, None, None, None]})
    >>> plot_concentration(value, customers).get_ylabel()
    'share of the expected value (%)'
    """
    frame = concentration_frame(value, summary, horizon=horizon, level=level)
    ax = axes_of(ax, (6.4, 4.8))
    x, y, low, high = (100 * np.append(0.0, frame[name].to_numpy(float)) for name in ("share", "value_share", "low", "high"))
    known = value.fitted_models()[0].has_posterior or value.fitted_models()[1].has_posterior
    if known:
        ax.fill_between(x, low, high, color=EXPECTED, alpha=PALE, linewidth=0)
    ax.plot(x, y, color=EXPECTED, label=f"expected value{f', {100 * level:g}% interval' if known else ''}")
    ax.plot([0, 100], [0, 100], color="0.5", linestyle="dotted", linewidth=1.2, label="if all were worth the same")
    for share in _TOLD:
        row = frame.iloc[int(np.argmin(np.abs(frame["share"] - share)))]
        at = 100 * row["share"], 100 * row["value_share"]
        ax.plot(*at, "o", color=SEEN, markersize=5)
        ends = f" ({100 * row['low']:.0f}% to {100 * row['high']:.0f}%)" if known else ""
        said = f"the best {at[0]:g}%: {at[1]:.0f}%{ends}"
        ax.annotate(said, at, (9, -6), textcoords="offset points", va="top", fontsize=9)
    span = f"in the next {horizon:g} {value.unit if horizon == 1 else f'{value.unit}s'}"
    ax.set(
        xlabel="customers, the best first (%)",
        ylabel="share of the expected value (%)",
        xlim=(0, 100),
        ylim=(0, 103),
    )
    title = "How much of the value the best customers bring"
    ax.set_title(title if horizon == np.inf else f"{title}\n{span}", fontsize=11)
    ax.legend(frameon=False, loc="lower right")
    return ax
