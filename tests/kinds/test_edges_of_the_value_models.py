"""A degenerate customer base has an answer, in numbers or in words: no bare exception, nothing beyond what is possible.

Without this a base whose customers all pay the same fee, one absurd amount, or customers of whom every one buys in every period
would end in a LinAlgError, in an estimate far from the optimum, in a bound of the search called a property of the customers, or
in an interval of more purchases than there are periods.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from crmlab.errors import CrmlabError, ModelError, NotIdentifiableError
from crmlab.models.btyd import (
    BDW,
    BGBB,
    BGNBD,
    MBGNBD,
    SBG,
    CustomerValue,
    GammaGamma,
    ParetoNBD,
    compare_models,
    portfolio,
    track,
)
from crmlab.models.btyd.fitting import Axis, Chances, Coordinates, maximise
from crmlab.models.btyd.gamma_gamma import CONSTANT
from crmlab.models.btyd.portfolios import Measure

ASK = pd.DataFrame({"frequency": [0, 1, 2], "monetary_value": [np.nan, 20.0, 20.0]})


def money(amounts: Any, seed: int = 4) -> pd.DataFrame:
    """Customers with these mean amounts, who bought again two or three times."""
    frequency = np.random.default_rng(seed).poisson(2, len(amounts)) + 1
    return pd.DataFrame({"frequency": frequency, "monetary_value": amounts})


def textbook(params: Any, x: Any, m: Any) -> float:
    """Log-likelihood of Gamma-Gamma as Fader and Hardie (2013) print it, (1a)."""
    p, q, v = params
    px = p * x
    heads = special.gammaln(px + q) - special.gammaln(px) - special.gammaln(q)
    return float((heads + q * np.log(v) + (px - 1) * np.log(m) + px * np.log(x) - (px + q) * np.log(v + x * m)).sum())


# Constant amounts.


@pytest.mark.proof
@pytest.mark.parametrize("amount", [20.0, 0.01, 9.99, 1e9, 1e-9])
@pytest.mark.parametrize("customers", [1, 2, 30, 300, 5000])
def test_a_constant_amount_is_what_everybody_spends(amount, customers):
    data = money(np.full(customers, amount))
    model = GammaGamma().fit(data)
    ask = ASK.assign(monetary_value=[np.nan, amount, amount])
    assert model.boundary_ == CONSTANT
    assert model.standard_errors_.isna().all() and CONSTANT in model.standard_errors_reason_
    assert model.expected_spend(ask).to_numpy() == pytest.approx([amount] * 3, rel=1e-9)
    assert np.isfinite(model.sample_posterior(200)).all().all()
    for interval in ("mean", "outcome"):
        found = model.expected_spend(ask, level=0.9, interval=interval)
        assert ((found["low"] <= amount * (1 + 1e-9)) & (found["high"] >= amount * (1 - 1e-9))).all()
        if customers >= 300:
            assert found[["low", "high"]].to_numpy() == pytest.approx(np.full((3, 2), amount), rel=1e-3)


def test_amounts_that_differ_by_rounding_are_constant():
    amounts = np.array([19.99 * k / k for k in range(1, 200)] + [(19.99 + 19.99 + 19.99) / 3])
    assert GammaGamma().fit(money(amounts)).boundary_ == CONSTANT
    assert GammaGamma().fit(money(amounts.astype(np.float32))).expected_spend(ASK)[0] == pytest.approx(19.99, rel=1e-6)


@pytest.mark.parametrize("others", [[25.0, 30.0, 15.0], [20.01, 20.02, 19.98], [20.01], [40.0], [2000.0]])
@pytest.mark.parametrize("customers", [20, 300, 3000])
def test_near_a_constant_amount_spend_is_nearly_the_constant(others, customers):
    data = money(np.concatenate([others, np.full(customers - len(others), 20.0)]))
    model = GammaGamma().fit(data)
    assert model.boundary_ in (None, "each customer always spends the same", "all customers spend alike")
    assert model.expected_spend(ASK)[2] == pytest.approx(20.0, rel=0.02)
    for interval in ("mean", "outcome"):
        found = model.expected_spend(ASK, level=0.9, interval=interval)
        assert np.isfinite(found).all().all() and (found["low"] <= found["high"]).all()
    assert model.sample_posterior(200).attrs["effective_sample_size"] >= 20


def nearly(amount: float, share: float, customers: int = 300) -> pd.DataFrame:
    """Customers whose purchases and whose means differ by about this share of the amount."""
    rng = np.random.default_rng(1)
    x = rng.poisson(2, customers) + 1
    z = rng.normal(size=customers) / np.sqrt(x) + 0.3 * rng.normal(size=customers)
    return pd.DataFrame({"frequency": x, "monetary_value": amount * (1 + share * z)})


@pytest.mark.parametrize("share", [1e-8, 2e-8, 3e-8, 4e-8, 5e-8, 6e-8, 2e-7, 1e-6])
def test_amounts_that_differ_by_single_precision_are_constant(share):
    model = GammaGamma().fit(nearly(9.99, share))
    assert model.boundary_ == CONSTANT and model.standard_errors_.isna().all()
    assert model.expected_spend(ASK).to_numpy() == pytest.approx([9.99] * 3, rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(GammaGamma().fit(nearly(9.99, 0.0)).log_likelihood_, abs=0.01)
    found = model.expected_spend(ASK, level=0.9, interval="outcome")
    assert found[["low", "high"]].to_numpy() == pytest.approx(np.full((3, 2), 9.99), rel=1e-3)


def test_sums_of_a_fee_in_single_precision_are_constant():
    x = np.random.default_rng(1).poisson(2, 300) + 1
    sums = np.array([np.full(k, 9.99, dtype=np.float32).cumsum()[-1] for k in x])
    model = GammaGamma().fit(pd.DataFrame({"frequency": x, "monetary_value": sums / x.astype(np.float32)}))
    assert model.boundary_ == CONSTANT and model.expected_spend(ASK)[2] == pytest.approx(9.99, rel=1e-6)


@pytest.mark.parametrize("share", [1.5e-6, 2e-6, 1e-5, 1e-3])
def test_just_above_a_constant_amount_no_end_of_the_search_is_named(share):
    model = GammaGamma().fit(nearly(9.99, share))
    assert model.boundary_ is None
    assert model.expected_spend(pd.DataFrame({"frequency": [2], "monetary_value": [9.99]}))[0] == pytest.approx(
        9.99, rel=3 * share
    )
    assert np.isfinite(model.mean_spend_cdf([9.98, 9.99, 10.0], 2)).all()


@pytest.mark.parametrize(("amount", "customers"), [(9.99, 300), (1e12, 1), (0.01, 5000)])
def test_where_every_purchase_is_of_one_amount_a_later_mean_changes_nothing(amount, customers):
    model = GammaGamma().fit(money(np.full(customers, amount)))
    assert model.expected_spend(ASK).to_numpy() == pytest.approx([amount] * 3, rel=1e-9)
    told_as_fitted = ASK.assign(monetary_value=amount)
    for interval in ("mean", "outcome"):
        found = model.expected_spend(ASK, level=0.9, interval=interval)
        pd.testing.assert_frame_equal(found, model.expected_spend(told_as_fitted, level=0.9, interval=interval))
        assert ((found["low"] <= amount * (1 + 1e-9)) & (found["high"] >= amount * (1 - 1e-9))).all()
    assert model.mean_spend_cdf(np.array([0.999, 1.0, 1.001]) * amount, 2).tolist() == [0.0, 1.0, 1.0]
    assert model.mean_spend_cdf(amount, [1, 2]).tolist() == [1.0, 1.0]
    purchases = BGNBD.from_params(r=0.24, alpha=4.41, a=0.79, b=2.43)
    value = CustomerValue(purchases=purchases, spend=model, unit="week")
    summary = ASK.assign(recency=[0.0, 10.0, 20.0], T=30.0)
    pd.testing.assert_series_equal(value.residual_value(summary), value.residual_value(summary.assign(monetary_value=amount)))


def test_an_interval_of_the_next_spend_holds_the_expectation():
    amounts = np.full(300, 9.99)
    amounts[:3] = 12.0
    x = np.random.default_rng(0).poisson(2, 300) + 1
    model = GammaGamma().fit(pd.DataFrame({"frequency": x, "monetary_value": amounts}))
    ask = pd.DataFrame({"frequency": [1, 1, 0, 3], "monetary_value": [12.0, 9.99, np.nan, 12.0]})
    found = model.expected_spend(ask, level=0.9, interval="outcome")
    assert found["expected_spend"][0] == pytest.approx(11.774, abs=1e-3)
    assert found["low"][0] == pytest.approx(10.805, abs=1e-2)
    assert ((found["low"] <= found["expected_spend"]) & (found["expected_spend"] <= found["high"])).all()


def test_an_interval_of_what_a_customer_will_do_holds_the_expectation():
    # One who is surely gone: 95 of 100 such will buy nothing, and the expectation is above that.
    few = pd.DataFrame({"frequency": [0, 9], "recency": [0.0, 5.0], "T": [38.0, 38.0], "monetary_value": [np.nan, 20.0]})
    purchases = BGNBD.from_params(r=0.24, alpha=4.41, a=0.79, b=2.43)
    value = CustomerValue(purchases=purchases, spend=GammaGamma.from_params(p=6.25, q=3.74, v=15.44), unit="week")
    outcome = {"level": 0.5, "interval": "outcome"}
    for found in (
        purchases.expected_purchases(few, 4, **outcome),
        purchases.discounted_expected_purchases(few, 0.01, **outcome),
        purchases.next_purchase(few, 0.9, **outcome),
        purchases.expected_purchases_new([0.1, 4], **outcome),
        value.residual_value(few, 4.0, **outcome),
    ):
        point = found.iloc[:, 0]
        assert (point > 0).all() and (found["low"] <= point).all() and (point <= found["high"]).all()


# One period.


@pytest.mark.parametrize("there", [[1000, 700], [1000, 500], [1000, 999], [1000, 0], [1000, 0, 0], [1000], []])
def test_one_period_tells_the_mean_chance_to_leave_alone(there):
    with pytest.raises(NotIdentifiableError, match="Needs at least two periods in which somebody could leave"):
        SBG().fit(there)


def test_two_periods_tell_how_chances_to_leave_vary():
    model = SBG().fit([1000, 700, 560])
    assert model.boundary_ is None
    assert model.survival([1, 2]).to_numpy() == pytest.approx([0.7, 0.56], abs=1e-4)


@pytest.mark.parametrize("customers", [1, 2, 50])
def test_of_one_period_bg_bb_knows_neither_purchases_nor_drop_out(customers):
    data = pd.DataFrame({"frequency": [1] * customers, "recency": 1, "periods": 1})
    with pytest.raises(NotIdentifiableError, match="Needs some customers with at least two periods"):
        BGBB().fit(data)


# One absurd amount.


@pytest.mark.parametrize("absurd", [1e6, 1e7, 1e8, 1e9, 1e10, 1e12])
def test_one_absurd_amount_leaves_the_optimum_reached(absurd):
    data = money(np.concatenate([[absurd], np.random.default_rng(9).gamma(5, 4, 299)]))
    x, m = (data[name].to_numpy(float) for name in ("frequency", "monetary_value"))
    model = GammaGamma().fit(data)
    searched = [
        optimize.minimize(
            lambda e: -textbook(np.exp(e), x, m), start, method="Nelder-Mead", options={"maxiter": 8000, "maxfev": 8000}
        )
        for start in ([3, 1.2, 1], [2.7, 1.3, 1.3], [4, 1, 0])
    ]
    best = min(searched, key=lambda one: one.fun)
    # The textbook form loses digits where p is huge.
    assert model.log_likelihood_ >= -best.fun - 0.02
    p, q, v = np.exp(best.x)
    assert model.expected_spend(ASK)[2] == pytest.approx(p * (v + 40) / (2 * p + q - 1), abs=0.02)
    assert model.boundary_ in (None, "each customer always spends the same")
    for interval in ("mean", "outcome"):
        found = model.expected_spend(ASK, level=0.9, interval=interval).loc[2]
        assert 5 < found["low"] < 21 < found["high"] + 0.6 < 60


def test_the_reported_case():
    data = money(np.concatenate([[1e9], np.random.default_rng(9).gamma(5, 4, 299)]))
    model = GammaGamma().fit(data)
    assert model.log_likelihood_ == pytest.approx(-1157.85, abs=0.01)
    assert model.expected_spend(ASK)[2] == pytest.approx(20.01, abs=0.01)
    assert model.boundary_ is None and model.lesser_optima_ == ()


def test_the_likelihood_is_the_textbooks_and_its_gradient_the_derivative():
    data = money(np.random.default_rng(1).gamma(5, 4, 100))
    model = GammaGamma().fit(data)
    x, m = (data[name].to_numpy(float) for name in ("frequency", "monetary_value"))
    for params in ([6.25, 3.74, 15.44], [0.01, 0.5, 1e3], [40.0, 2.0, 0.3], [300.0, 900.0, 60.0], [1.0, 1.5, 1e-6]):
        value, gradient = model._log_likelihood(np.array(params), model.states_, True)
        assert value == pytest.approx(textbook(params, x, m), rel=1e-10)
        for k in range(3):
            step = np.zeros(3)
            step[k] = 1e-5 * params[k]
            ends = [model._log_likelihood(np.array(params) + side * step, model.states_, True)[0] for side in (1, -1)]
            assert gradient[k] == pytest.approx((ends[0] - ends[1]) / (2 * step[k]), rel=1e-5, abs=1e-6)


@pytest.mark.proof
@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD])
def test_one_absurd_age_leaves_the_optimum_of_the_others(model):
    truth = model.from_params(
        **{name: {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.0, "s": 0.7, "beta": 9.0}[name] for name in model.parameter_names}
    )
    data = truth.simulate(np.random.default_rng(1).uniform(10, 40, 400), seed=2)
    absurd = pd.concat([data, pd.DataFrame({"frequency": [1], "recency": [5.0], "T": [1e9]})], ignore_index=True)
    alone, together = model().fit(data), model().fit(absurd)
    params = together.parameters()
    assert together.log_likelihood_ >= model()._log_likelihood(alone.parameters(), together.states_, False)[0]
    assert params == pytest.approx(alone.parameters(), rel=0.35)
    assert np.isfinite(together.expected_purchases(data, 10, level=0.9)).all().all()


# Bounds of the search, and second starts.


class Line:
    """A log-likelihood of one coordinate of a Beta distribution's two, for the search alone."""

    axes = (Axis(-5.0, 5.0, "at the low end", "at the high end"), Axis(-5.0, 5.0, "weak", "strong"))

    def search(self, function, starts):
        return maximise(
            "Line", function, function, 1.0, Coordinates((Chances(self.axes),), 1.0), [np.array(s) for s in starts], 200
        )


def test_a_rise_that_goes_on_beyond_the_bounds_is_no_boundary():
    def rises(eta):
        return 3 * eta[0] - eta[1] ** 2, np.array([3.0, -2 * eta[1]])

    with pytest.raises(CrmlabError, match="did not converge"):
        Line().search(rises, [(0.0, 0.0), (1.0, 1.0)])


def test_a_limit_beyond_the_bounds_is_a_boundary():
    def nears(eta):
        return -np.exp(-2 * eta[0]) - eta[1] ** 2, np.array([2 * np.exp(-2 * eta[0]), -2 * eta[1]])

    assert Line().search(nears, [(0.0, 0.0), (1.0, 1.0)]).boundary == "at the high end"


def test_the_second_start_is_followed_and_told():
    def two_peaks(eta):
        peaks = np.array([-((eta[0] - 2) ** 2) * 4, -((eta[0] + 2) ** 2) * 4 - 1.0])
        value = special.logsumexp(peaks)
        share = np.exp(peaks - value)
        return value - eta[1] ** 2, np.array([share @ [-8 * (eta[0] - 2), -8 * (eta[0] + 2)], -2 * eta[1]])

    found = Line().search(two_peaks, [(-2.2, 0.0), (2.5, 0.3)])
    assert found.eta[0] == pytest.approx(2.0, abs=1e-5) and found.value == pytest.approx(0.0, abs=1e-6)
    assert found.lesser == pytest.approx((-1.0,), abs=1e-6)


# The corner of BG/BB.


@pytest.mark.proof
@pytest.mark.parametrize("customers", [1, 50, 3000, 20_000])
@pytest.mark.parametrize("kind", ["all", "all but one", "one"])
def test_at_the_corner_of_bg_bb_nothing_is_beyond_what_is_possible(customers, kind):
    bought = np.full(customers, 0 if kind == "one" else 6)
    bought[0] = {"all": 6, "all but one": 0, "one": 6}[kind]
    if not bought.any():
        bought[0] = 6
    data = pd.DataFrame({"frequency": bought, "recency": bought, "periods": 6})
    model = BGBB().fit(data)
    assert model.log_likelihood_ <= 0
    share = bought.mean() / 6
    least = customers * float(special.xlogy(share, share) + special.xlogy(1 - share, 1 - share))
    assert model.log_likelihood_ == pytest.approx(least, abs=0.02)
    held(model, data.iloc[:2], 5, 0.1)


def held(model: Any, frame: pd.DataFrame, horizon: float, delta: float) -> None:
    """Ask a model everything; whatever is bounded is within its bounds, and intervals are in order."""
    most = model.most_purchases(horizon)
    annuity = model.most_purchases(horizon, delta)
    asked: list[tuple[Any, float]] = [
        (lambda **more: model.probability_alive(frame, **more), 1.0),
        (lambda **more: model.probability_of_purchase(frame, horizon, **more), 1.0),
        (lambda **more: model.expected_purchases(frame, horizon, **more), most),
        (lambda **more: model.discounted_expected_purchases(frame, delta, horizon=horizon, **more), annuity),
        (lambda **more: model.discounted_expected_purchases(frame, delta, **more), model.most_purchases(np.inf, delta)),
        (lambda **more: model.next_purchase(frame.iloc[:1], **more), np.inf),
        (lambda **more: model.expected_purchases_new([horizon], **more), most),
    ]
    for ask, top in asked:
        point = np.asarray(ask(), dtype=float)
        assert not np.isnan(point).any() and (point >= 0).all() and (point <= top).all()
        for interval in ("mean", "outcome"):
            found = ask(level=0.9, interval=interval)
            low, high = found["low"].to_numpy(float), found["high"].to_numpy(float)
            assert not np.isnan(low).any() and not np.isnan(high).any()
            assert (low >= 0).all() and (high <= top).all() and (low <= high).all()
            if interval == "mean" or found.columns[0] not in ("probability_alive", "probability_of_purchase"):
                assert (low <= point).all() and (point <= high).all()
    mass = model.pmf(np.arange(4), horizon, level=0.9)
    assert ((mass >= 0) & (mass <= 1)).all().all()
    for interval in ("mean", "outcome"):
        total = model.expected_total(frame, horizon, interval=interval)
        assert 0 <= total["low"] <= total["expected_purchases"] <= total["high"] <= len(frame) * most


@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD])
def test_purchases_that_take_no_time_are_refused_in_words(model):
    data = pd.DataFrame({"frequency": [1, 2, 3, 0, 4], "recency": 0.0, "T": [35.0, 25.0, 32.0, 35.0, 29.0]})
    with pytest.raises(ModelError, match=r"Needs repeat purchases after the first. Found: 5 rows, all with recency 0"):
        model().fit(data)


def test_two_coordinates_that_rise_only_together_are_no_boundary():
    def rises(eta):
        # Along the diagonal without end, across it a ridge.
        return 2 * eta.sum() - 5 * (eta[0] - eta[1]) ** 2, 2 + 10 * np.array([eta[1] - eta[0], eta[0] - eta[1]])

    with pytest.raises(CrmlabError, match="did not converge"):
        Line().search(rises, [(0.0, 0.0), (1.0, 1.0)])


# Whatever comes: a property over degenerate summaries.

MODELS = (BGNBD, MBGNBD, ParetoNBD, BGBB, SBG, BDW, GammaGamma)
WHOLE = (BGBB, SBG, BDW)
# Names of the bounds of the search that are limits of a model: what a boundary may be called.
BOUNDARIES = {
    "nobody has dropped out yet",
    "who renews once stays for good",
    "who renews once leaves at the next end",
    "everybody drops out at the first chance",
    "everybody drops out at once",
    "some drop out at once, the others never",
    "all customers drop out alike",
    "a few customers make all purchases",
    "all customers buy at the same rate",
    "nobody buys again",
    "everybody who is alive buys in every period",
    "customers buy in every period or never",
    "each customer always spends the same",
    "all customers spend alike",
    CONSTANT,
}
KINDS = ("any", "once", "same", "zero spans", "all at the end", "no time", "ties", "busy", "one ancient", "integers", "missing")
AMOUNTS = ("any", "constant", "near", "absurd", "tiny", "huge", "integers", "zero", "missing")


@st.composite
def bases(draw: Any) -> tuple[pd.DataFrame, str]:
    """A degenerate customer base: frequency, recency, T, periods, monetary_value and a weight."""
    n = draw(st.integers(1, 15))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kind, spend = draw(st.sampled_from(KINDS)), draw(st.sampled_from(AMOUNTS))
    T = np.ceil(rng.uniform(1, 40, n))
    x = rng.poisson(rng.gamma(0.7, 3.0, n))
    if kind == "once":
        x[:] = 0
    if kind == "busy":
        x[0] = 5000
    if kind in ("same", "ties"):
        some = rng.integers(0, 1 if kind == "same" else 2, n)
        x, T = x[some % n], T[some % n]
    where = {"zero spans": 0.0, "all at the end": 1.0}.get(kind)
    share = rng.random(n) if where is None else np.full(n, where)
    if kind == "same":
        share[:] = share[0]
    recency = np.where(x > 0, T * share, 0.0)
    if kind == "no time":
        T, recency, x = np.zeros(n), np.zeros(n), np.where(rng.random(n) < 0.5, 0, x)
    if kind == "one ancient":
        T[0] = 1e12
    if kind == "integers":
        recency = np.floor(recency)
    unit = draw(st.sampled_from([1.0, 1.0, 1e-9, 1e9]))
    amounts = rng.gamma(2.0, 10.0, n)
    if spend in ("constant", "near", "absurd"):
        amounts[:] = draw(st.sampled_from([20.0, 0.01, 1e5]))
    if spend == "near":
        amounts[0] *= draw(st.sampled_from([1 + 1e-12, 1 + 1e-7, 1.001, 1.5]))
    if spend == "absurd":
        amounts = amounts * rng.gamma(5.0, 0.2, n)
        amounts[0] = 10.0 ** draw(st.integers(7, 12))
    amounts = amounts * {"tiny": 1e-12, "huge": 1e15, "zero": 0.0}.get(spend, 1.0)
    amounts = np.ceil(amounts) if spend == "integers" else amounts
    if spend == "missing":
        amounts[0] = np.nan
    if kind == "missing":
        recency[0] = np.nan
    frame = pd.DataFrame({"frequency": x, "recency": recency * unit, "T": T * unit, "monetary_value": amounts})
    if draw(st.booleans()):
        frame["weight"] = rng.choice([1, 1, 7, 10_000], n)
    return frame, kind


def discrete(frame: pd.DataFrame) -> pd.DataFrame:
    """The same customers, as BG/BB counts them."""
    periods = np.clip(np.ceil(np.nan_to_num(frame["T"].to_numpy())), 0, 60)
    x = np.minimum(frame["frequency"], periods)
    recency = np.where(x > 0, np.clip(np.ceil(frame["recency"].to_numpy()), x, periods), 0)
    return frame.assign(frequency=x, recency=recency, periods=periods).drop(columns="T")


def in_words(text: str) -> None:
    """What a user reads instead of an answer is sentences, and says what was expected."""
    assert text.endswith(".") and ("xpected" in text or "Needs" in text or "must" in text) and len(text) > 40


def fitted(model: Any, frame: pd.DataFrame) -> Any:
    """The model fitted, or None where it says in words why it cannot be."""
    try:
        found = model(draws=100).fit(frame)
    except CrmlabError as error:
        in_words(str(error))
        return None
    assert np.isfinite(found.parameters()).all() and (found.parameters() > 0).all()
    assert np.isfinite(found.log_likelihood_) and found.log_likelihood_ <= (0 if model in WHOLE else np.inf)
    assert found.boundary_ is None or found.boundary_ in BOUNDARIES
    return found


def told(ask: Any) -> Any:
    """What comes of a question: an answer, or words."""
    try:
        return ask()
    except CrmlabError as error:
        in_words(str(error))
        return None


def check(base: tuple[pd.DataFrame, str], model: Any, horizon: float) -> None:
    """Ask a model of a customer base all that may be asked."""
    frame, kind = base
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if model in (SBG, BDW):
            there = np.sort(np.maximum(frame["frequency"].to_numpy(float), 0))[::-1].cumsum()[::-1].copy()
            one = fitted(model, there)
            if one is not None:
                told(lambda: held(one, pd.DataFrame({"periods": [0, 1, 60]}), horizon, 0.1))
            return
        if model is GammaGamma:
            spent = fitted(GammaGamma, frame)
            amounts = frame["monetary_value"][frame["frequency"] > 0]
            assert spent is None or (amounts > 0).all()
            if spent is not None:
                spends(spent, frame)
            return
        data = discrete(frame) if model is BGBB else frame
        bought = fitted(model, data)
        if kind == "missing" and data["recency"].isna().any():
            assert bought is None
        if bought is None:
            return
        few = data.iloc[:2]
        told(lambda: held(bought, few, horizon, 0.1))
        told(lambda: worth(bought, frame, data, horizon))
        told(lambda: compare_models([bought], few.assign(holdout_purchases=0, horizon=horizon)))


def spends(model: Any, frame: pd.DataFrame) -> None:
    point = model.expected_spend(frame)
    assert np.isfinite(point).all() and (point >= 0).all()
    for interval in ("mean", "outcome"):
        found = told(lambda how=interval: model.expected_spend(frame, level=0.9, interval=how))
        if found is not None:
            assert np.isfinite(found).all().all() and (found["low"] <= found["high"]).all() and (found["low"] >= 0).all()
            assert ((found["low"] <= point) & (point <= found["high"])).all()
    told(lambda: model.sample_posterior(200))


def worth(bought: Any, frame: pd.DataFrame, data: pd.DataFrame, horizon: float) -> None:
    """Value, of each and of all together, and a cohort in time."""
    given = CustomerValue(purchases=bought, spend=GammaGamma(draws=100), unit="year" if bought.whole_periods else "week")
    spend = told(lambda: given.fit_spend(frame))
    if spend is None:
        return
    few = data.iloc[:3]
    point = spend.residual_value(few)
    for interval in ("mean", "outcome"):
        found = spend.residual_value(few, horizon, level=0.9, interval=interval)
        assert found.notna().all().all() and (found["low"] <= found["high"]).all() and (found["low"] >= 0).all()
        total = spend.total(few, horizon, interval=interval)
        assert 0 <= total["low"] <= total["residual_value"] <= total["high"]
    assert np.isfinite(point).all() and (spend.outlook(few, horizon) >= -1e-9).all().all()
    alive = portfolio(spend, few, {"alive": Measure(lambda one: float(one.alive.sum()))})
    assert 0 <= alive.loc["alive", "low"] <= alive.loc["alive", "value"] <= len(few) + 1e-9
    seen = track(bought, [0.0, 1.0], [3, 2], [horizon, 2 * horizon])
    assert seen.notna().all().all()
    assert ((seen["low"] <= seen["expected"]) & (seen["expected"] <= seen["high"])).all()


examples = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}
horizons = st.sampled_from([1.0, 5.0, 30.0])


@pytest.mark.proof
@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=10, **examples)
@given(base=bases(), horizon=horizons)
def test_degenerate_customers_have_an_answer(model, base, horizon):
    check(base, model, horizon)


@pytest.mark.nightly
@pytest.mark.proof
@settings(max_examples=2000, **examples)
@given(base=bases(), horizon=horizons, model=st.sampled_from(MODELS))
def test_two_thousand_degenerate_bases_have_an_answer(base, horizon, model):
    check(base, model, horizon)
