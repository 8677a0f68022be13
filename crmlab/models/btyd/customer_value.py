"""Customer value: how often customers will buy and what they will spend, composed into money, for each and for all together."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError, listing
from crmlab.frames import as_pandas
from crmlab.models.btyd.answers import beside, joined, per_customer
from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.estimator import positive
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.named import NAMED, made_again
from crmlab.models.btyd.portfolios import Measure, Portfolio, Worth, portfolio
from crmlab.models.btyd.posterior import quantiles
from crmlab.models.btyd.saving import described, of_class, read, whole, write
from crmlab.models.btyd.showing import as_html, part_html
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked, compress, floats, framed
from crmlab.models.intervals import LEVEL

__all__ = ["CustomerValue"]


# Units of time in a year.
UNITS_PER_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "year": 1.0}


class CustomerValue(BaseEstimator):
    """Residual value of customers: margin × discounted expected purchases × expected spend per purchase.

    Parameters
    ----------
    purchases : MBGNBD, ParetoNBD, BGNBD or BGBB, optional
        How often customers buy; MBG/NBD unless given. One that is fitted already is used as it is where ``fit`` is not called.
    spend : GammaGamma, optional
        What they spend.
    margin : float
        Gross margin, the share of spend that is kept: above 0 and at most 1.
    rate : float
        *Annual* rate of discount, above 0: 0.1 is ten percent a year.
    unit : {"day", "week", "month", "year"}
        Unit of time of the summaries, which the discount goes by: that of ``customer_summary``, whose own default is days. A summary
        that has days_since_last, as ``customer_summary`` makes it, is refused where it is in another one.

    Attributes
    ----------
    purchases_, spend_ : fitted models
    n_left_out_ : int
        Customers who bought again but whose repeat spend is not positive: they say nothing of spend that the model can use,
        are left out of its fit, and are valued at the spend of a customer of whom nothing is known.
    delta_ : float
        Continuous rate of discount per unit of time.

    References
    ----------
    Fader, Hardie and Lee (2005), RFM and CLV: using iso-value curves for customer base analysis, Journal of Marketing
    Research 42: (1) and (2).

    Examples
    --------
    >>> from crmlab.models.btyd.pareto_nbd import ParetoNBD
    >>> value = CustomerValue(
    ...     purchases=ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    ...     spend=GammaGamma.from_params(p=6.25, q=3.74, v=15.44), margin=0.3, rate=0.15, unit="week",
    ... )
    >>> customers = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86], "monetary_value": [22.35]})
    >>> value.residual_value(customers).round(2).tolist()
    [48.2]
    >>> value.scored(customers.assign(customer_id=["1516"]))[["customer_id", "residual_value"]].round(2).values.tolist()
    [['1516', 48.2]]
    """

    def __init__(
        self,
        purchases: BuyTillYouDie | None = None,
        spend: GammaGamma | None = None,
        *,
        margin: float = 1.0,
        rate: float = 0.1,
        unit: str = "week",
    ) -> None:
        self.purchases = purchases
        self.spend = spend
        self.margin = margin
        self.rate = rate
        self.unit = unit

    def fit(self, summary: Any, y: None = None) -> Self:  # noqa: ARG002
        """Fit both models to one summary.

        Parameters
        ----------
        summary : table
            What the model of purchases needs, and monetary_value.
        y : None
            Not used.

        Returns
        -------
        self
        """
        self._options()
        summary = self._in_unit(framed("CustomerValue", summary))
        self.purchases_ = (clone(self.purchases) if self.purchases is not None else MBGNBD(unit=self.unit)).fit(summary)
        return self.fit_spend(summary)

    def fit_spend(self, summary: Any) -> Self:
        """Fit the model of spend alone, beside a model of purchases that is fitted already.

        Parameters
        ----------
        summary : table
            frequency and monetary_value.

        Returns
        -------
        self
        """
        self._options()
        summary = self._in_unit(framed("CustomerValue", summary))
        spend = clone(self.spend) if self.spend is not None else GammaGamma()
        known = self._spend_known(summary)
        self.n_left_out_ = int(((summary["frequency"].to_numpy(float) > 0) & ~known).sum())
        if self.n_left_out_ and not known.any():
            found = f"{self.n_left_out_:,} customers who bought again, whose repeat spend is 0 or less"
            hint = "Leave free purchases out: they say nothing of spend."
            raise ModelError.not_identifiable("GammaGamma", "repeat purchases that were paid for", found, hint)
        self.spend_ = spend.fit(summary[known]) if known.any() else spend.fit(summary.assign(frequency=0))
        return self

    @property
    def delta_(self) -> float:
        """Continuous rate of discount per unit of time: ln(1 + rate) / units in a year."""
        return float(np.log1p(self._options()) / UNITS_PER_YEAR[self.unit])

    @per_customer("model.expected_spend(frame)")
    def expected_spend(self, summary: Any) -> pd.Series:
        """Expected spend per purchase of each customer, those without usable repeat spend included."""
        spend, summary = self.fitted_models()[1], framed("CustomerValue", summary)
        states, inverse = self.spend_states(summary)
        return pd.Series(spend.mean_spend(spend.parameters(), states)[inverse], index=summary.index, name="expected_spend")

    def scored(
        self, summary: Any, horizon: float = np.inf, *, level: float | None = None, interval: str = "mean"
    ) -> pd.DataFrame:
        """The customers' own table with what each is worth as further columns, in the order and with the index that it has.

        Parameters
        ----------
        summary : table
            As of :meth:`residual_value`, with whatever other columns; it is not changed.
        horizon : float
            In the time unit; infinite unless given.
        level, interval
            As of :meth:`residual_value`, to which they belong, and to probability_alive.

        Returns
        -------
        DataFrame
            The columns of ``summary`` and after them probability_alive, expected_spend (per purchase) and residual_value within the
            horizon; with ``level`` the first and the last are each followed by columns of the same name with _low and _high.

        Raises
        ------
        ModelError
            The table has a column of such a name already, or cannot be used.
        """
        frame = as_pandas(summary, "CustomerValue", ModelError)
        return beside(
            "CustomerValue",
            frame,
            self.fitted_models()[0].probability_alive(frame, level=level, interval=interval),
            self.expected_spend(frame),
            self.residual_value(frame, horizon, level=level, interval=interval),
        )

    @per_customer("model.residual_value(frame)")
    def residual_value(
        self,
        summary: Any,
        horizon: float = np.inf,
        *,
        level: float | None = None,
        interval: str = "mean",
    ) -> pd.Series | pd.DataFrame:
        """What each customer will still bring in, discounted, times the margin.

        Parameters
        ----------
        summary : table
        horizon : float
            In the time unit; infinite unless given.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the expectation, with the uncertainty of both models; or of the discounted sum that the customer will bring.

        Returns
        -------
        Series, or DataFrame with columns residual_value, low, high
            In the currency of monetary_value; indexed like ``summary``, or where that has no index of its own by its customer_id.
        """
        self._options()
        purchases, spend = self.fitted_models()
        summary = framed("CustomerValue", summary)
        share, h = purchases.checked_level(level, interval), self.checked_horizon(horizon)
        states, inner = purchases.states_of(summary), self.spend_states(summary)
        money, place = inner
        delta = self.delta_
        with np.errstate(all="ignore"):
            bought = purchases.mean_discounted(purchases.parameters(), states, delta, h, money=True)
            each = spend.mean_spend(spend.parameters(), money)
            point = self.margin * bought[states.inverse] * each[place]
            bounds = None
            if share is not None and interval == "mean":
                first = purchases.log_cumulants(lambda params: purchases.mean_discounted(params, states, delta, h, money=True))
                more = purchases.clock_variance(h)
                second = spend.log_cumulants(lambda params: spend.mean_spend(params, money))
                # Logs of the two factors add up, and so do their cumulants: the two fits are independent.
                both = [a[states.inverse] + b[place] for a, b in zip(first, second, strict=True)]
                low, high = quantiles((both[0], both[1] + more, both[2]), share)
                bounds = self.margin * np.exp(low), self.margin * np.exp(high)
            elif share is not None:
                bounds = self._outcome(summary, money, place, h, share)
        return joined("residual_value", summary.index, slice(None), point, bounds)

    @per_customer("model.predict(frame)")
    def predict(self, summary: Any) -> pd.Series:
        """Residual value of each customer without end, as scikit-learn asks for it; see :meth:`residual_value`."""
        found: pd.Series = self.residual_value(summary)
        return found

    def total(self, summary: Any, horizon: float = np.inf, *, level: float = LEVEL, interval: str = "mean") -> pd.Series:
        """Residual value of all customers together, with an interval.

        Parameters
        ----------
        summary, horizon, level
            As in :meth:`residual_value`.
        interval : {"mean", "outcome"}
            Of the expectation, or of the total that will be seen: parameters and chance.

        Returns
        -------
        Series with residual_value, low, high
        """
        self._options()
        self.fitted_models()[0].checked_level(level, interval)
        found = portfolio(
            self, summary, {"residual_value": Measure(_sum_of_values, outcome=interval, ahead=horizon)}, horizon, level=level
        )
        return found.loc["residual_value"].rename({"value": "residual_value"})

    @per_customer("model.outlook(frame, 52)", several=True)
    def outlook(self, summary: Any, span: float) -> pd.DataFrame:
        """What each customer brings within a span of time if still one today, as things stand, and the difference, not discounted.

        Parameters
        ----------
        summary : table
        span : float
            In the time unit: a year, say.

        Returns
        -------
        DataFrame with columns if_loyal, value_today, at_risk
            Margin expected within the span given that the customer is alive today; P(alive) times that; and if_loyal less
            value_today: what may have left already. In the currency of monetary_value.
        """
        self._options()
        year, summary = self.fitted_models()[0].checked_horizon(span), framed("CustomerValue", summary)
        with np.errstate(all="ignore"):
            worth = Portfolio(self, summary, year, year=year).at(None, None)
        found = {"if_loyal": worth.if_loyal, "value_today": worth.value_today, "at_risk": worth.at_risk}
        return pd.DataFrame(found, index=summary.index)

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Parameters of both models with their intervals, and what they were learnt from.

        Parameters
        ----------
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            As of the models' own ``summary``, indexed by model (purchases, spend) and parameter.

        Raises
        ------
        NotFittedError
            A model has no parameters.
        """
        found = [model.summary(level) for model in self.fitted_models()]
        return pd.concat(found, keys=["purchases", "spend"], names=["model", "parameter"])

    def _html_repr(self) -> str:
        """What notebooks show; scikit-learn asks for it."""
        purchases: Any = getattr(self, "purchases_", self.purchases)
        spend: Any = getattr(self, "spend_", self.spend)
        both = ("Purchases", purchases or MBGNBD()), ("Spend", spend or GammaGamma())
        parts = [
            f'<div style="margin-top:.7em;font-weight:500">{title}: {type(model).__name__}</div>{part_html(model, model.needs)}'
            for title, model in both
        ]
        head = f"margin={self.margin!r}, rate={self.rate!r} a year, time in {self.unit}s"
        return as_html("CustomerValue", f'<div style="opacity:.7">{head}</div>', *parts)

    # Files.

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save both models and the options as one JSON file, without customers; see :meth:`MBGNBD.save`.

        Parameters
        ----------
        path : path
            Whatever is there is replaced, once all is written.

        Raises
        ------
        NotFittedError
            A model has no parameters.
        ModelError
            The file cannot be written, or a model is of a class of one's own.
        """
        self._options()
        parts: dict[str, Any] = {}
        for name, model in zip(("purchases", "spend"), self.fitted_models(), strict=True):
            kind = type(model).__name__
            if NAMED.get(kind) is not type(model):
                raise ModelError.expected("CustomerValue", name, f"one of {listing(NAMED)}, to be saved", kind)
            own = hasattr(self, f"{name}_")
            parts[name] = {"class": kind, "fitted_here": own, "given": getattr(self, name) is not None, **described(model)}
        kept = {"left_out": self.n_left_out_} if hasattr(self, "n_left_out_") else {}
        options = {"margin": float(self.margin), "rate": float(self.rate), "unit": self.unit}
        write("CustomerValue", path, {"options": options, **kept, **parts})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Load both models and the options, as :meth:`save` saved them.

        Parameters
        ----------
        path : path

        Returns
        -------
        The model, which answers as the one that was saved did, intervals included.

        Raises
        ------
        ModelError
            The file cannot be read, is no saved CustomerValue, was changed, or is of a newer format.
        """
        found = of_class("CustomerValue", path, read("CustomerValue", path))
        model: Self = whole("CustomerValue", path, lambda: cls._restored(found))
        return model

    @classmethod
    def _restored(cls, found: dict[str, Any]) -> Self:
        made: dict[str, Any] = {name: made_again(found[name]) for name in ("purchases", "spend")}
        given = {
            name: one if not found[name]["fitted_here"] else clone(one) for name, one in made.items() if found[name]["given"]
        }
        model = cls(**given, **found["options"])
        model._options()
        for name, one in made.items():
            if found[name]["fitted_here"]:
                setattr(model, f"{name}_", one)
        if "left_out" in found:
            model.n_left_out_ = int(found["left_out"])
        return model

    # How.

    def _options(self) -> float:
        for name, kind, such in (("purchases", BuyTillYouDie, "BGNBD()"), ("spend", GammaGamma, "GammaGamma()")):
            given = getattr(self, name)
            if given is not None and not isinstance(given, kind):
                hint = "Write CustomerValue(purchases=BGNBD(), spend=GammaGamma())."
                raise ModelError.must_be(f"CustomerValue: '{name}'", f"a model of {name}, such as {such}", given, hint)
        if positive("CustomerValue", "margin", self.margin) > 1:
            expected = "above 0 and at most 1, the share of spend that is kept, such as 0.3"
            raise ModelError.expected("CustomerValue", "margin", expected, self.margin)
        if self.unit not in UNITS_PER_YEAR:
            raise ModelError.expected("CustomerValue", "unit", "'day', 'week', 'month' or 'year'", self.unit)
        theirs = getattr(getattr(self, "purchases_", self.purchases), "unit", None)
        if theirs in UNITS_PER_YEAR and theirs != self.unit:
            raise ModelError.expected("CustomerValue", "unit", f"'{theirs}', as that of its model of purchases", self.unit)
        return positive("CustomerValue", "rate", self.rate)

    def _in_unit(self, summary: pd.DataFrame) -> pd.DataFrame:
        """A summary, refused where it shows that its time is in another unit: days_since_last is T - recency in days."""
        if {"days_since_last", "recency", "T"} <= set(summary.columns):
            days, gap = floats(summary["days_since_last"]), floats(summary["T"]) - floats(summary["recency"])
            known = (days > 0) & (gap > 0)
            length = float(np.median(days[known] / gap[known])) if known.any() else np.nan  # of a unit, in days
            found = [name for name, count in UNITS_PER_YEAR.items() if abs(length * count / UNITS_PER_YEAR["day"] - 1) < 0.05]
            if found and found != [self.unit]:
                remade = (
                    "" if self.unit == "year" else f", or make the summary with customer_summary(orders, unit='{self.unit}')"
                )
                expected = f"'{found[0]}', in which the summary's T and recency are, by its days_since_last"
                raise ModelError.must_be("CustomerValue: 'unit'", expected, self.unit, f"Set unit='{found[0]}'{remade}.")
        return summary

    def fitted_models(self) -> tuple[BuyTillYouDie, GammaGamma]:
        """The models of purchases and of spend; raises NotFittedError where they are not fitted."""
        purchases: Any = getattr(self, "purchases_", self.purchases)
        spend: Any = getattr(self, "spend_", self.spend)
        if not (hasattr(purchases, "params_") and hasattr(spend, "params_")):
            raise NotFittedError("This CustomerValue is not fitted yet. Expected fit, or two fitted models.")
        return purchases, spend

    def checked_horizon(self, horizon: float) -> float:
        """A horizon, or infinity, checked by the model."""
        return np.inf if horizon == np.inf else self.fitted_models()[0].checked_horizon(horizon)

    def _spend_known(self, summary: Any) -> Any:
        found = checked("CustomerValue", summary, ["frequency", "monetary_value"])
        return (found["frequency"] > 0) & (found["monetary_value"] > 0) & np.isfinite(found["monetary_value"])

    def spend_states(self, summary: Any) -> tuple[States, Any]:
        """Distinct states of the model of spend, and the place of each customer among them."""
        summary = self._in_unit(framed("CustomerValue", summary))
        known = self._spend_known(summary)
        x = np.where(known, summary["frequency"].to_numpy(float), 0.0)
        money = self.fitted_models()[1].amounts(x, summary["monetary_value"].to_numpy(float, na_value=np.nan))
        states = compress([x, money])
        return states, states.inverse

    def joint_states(self, summary: Any, x: Array) -> States:
        """Distinct states of purchases beside a further column."""
        columns, _ = self.fitted_models()[0].checked_columns(summary)
        return self.fitted_models()[0].timed(compress([*columns, x]))

    def _outcome(self, summary: Any, money: States, place: Any, horizon: float, level: float) -> tuple[Array, Array]:
        """Given the past, a customer's future spend is v + x m times something that depends on counts alone."""
        purchases, spend = self.fitted_models()
        x = money.columns[0][place]
        states = self.joint_states(summary, x)
        low, high = purchases.simulated_interval(states, self.delta_, horizon, level, self._per_purchase(money))
        scale = self.margin * (spend.parameters()[2] + x * money.columns[1][place])
        return scale * low[states.inverse], scale * high[states.inverse]

    def _per_purchase(self, money: States) -> Any:
        """Draws of spend per purchase in units of v + x m."""
        spend = self.fitted_models()[1]
        points, at = spend.posterior_points(), spend.parameters()
        known = money.columns[0] > 0
        typical = float(np.average(money.columns[1][known], weights=money.weight[known])) if known.any() else 0.0

        def draw(k: int, states: States, some: slice, count: Array, rng: np.random.Generator) -> Array:
            p, q, v = points[k % len(points)]
            x = states.columns[-1][some][:, None]
            bought = rng.gamma(np.maximum(p * count, 1e-300)) / np.maximum(count, 1.0)
            drift = (v + x * typical) / (at[2] + x * typical)
            return bought / rng.gamma(p * x + q, 1.0, count.shape) * drift

        return draw


def _sum_of_values(worth: Worth) -> float:
    return float(worth.value.sum())
