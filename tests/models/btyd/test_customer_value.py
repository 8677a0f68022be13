"""CustomerValue composes purchases and spend; compare_models ranks models."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from crmlab.errors import ModelError
from crmlab.history import customer_summary
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.selection import compare_models
from crmlab.models.btyd.states import compress

PURCHASES = BGNBD.from_params(r=1.2, alpha=6.0, a=0.6, b=4.0)
SPEND = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)


def shop(n: int, seed: int, horizon: float = 40.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = PURCHASES.simulate(rng.uniform(20, 60, n), horizon, seed=seed)
    spend = SPEND.simulate(frame["frequency"], seed=seed + 1)
    total = spent(spend["true_spend"].to_numpy(), frame["holdout_purchases"].to_numpy(float), rng)
    return frame.assign(monetary_value=spend["monetary_value"], true_spend=spend["true_spend"], after=total)


def spent(mean, count, rng):
    p = SPEND.params_["p"]
    return rng.gamma(np.maximum(p * count, 1e-300)) * mean / p


@pytest.mark.proof
def test_residual_value_is_the_product(cdnow):
    value = CustomerValue(margin=0.3, rate=0.15, unit="week").fit(cdnow)
    assert value.n_left_out_ == 0
    assert value.delta_ == pytest.approx(np.log(1.15) / 52.17857, rel=1e-7)
    expected = 0.3 * value.purchases_.discounted_expected_purchases(cdnow, value.delta_) * value.spend_.expected_spend(cdnow)
    np.testing.assert_allclose(value.residual_value(cdnow), expected, rtol=1e-12)
    some = cdnow.iloc[:10]
    within = value.residual_value(some, 39)
    assert (within < value.residual_value(some)).all()
    later = value.residual_value(some, 5000)
    np.testing.assert_allclose(later, value.residual_value(some), rtol=1e-5)
    total = value.total(cdnow)
    assert total["residual_value"] == pytest.approx(value.residual_value(cdnow).sum(), rel=1e-10)
    assert total["low"] < total["residual_value"] < total["high"]
    seen = value.total(cdnow, interval="outcome")
    assert seen["low"] < total["low"] and seen["high"] > total["high"]


def test_interval_carries_both_uncertainties(cdnow):
    value = CustomerValue(rate=0.15).fit(cdnow)
    some = cdnow.iloc[::200]
    found = value.residual_value(some, level=0.9)
    delta = value.delta_
    bought = value.purchases_.discounted_expected_purchases(some, delta, level=0.9)
    each = value.spend_.expected_spend(some, level=0.9)

    def width(frame):
        return np.log(frame["high"] / frame["low"])

    assert (width(found) > width(bought)).all()
    np.testing.assert_allclose(width(found), np.hypot(width(bought), width(each)), rtol=0.05)


def test_units_do_not_change_value(cdnow):
    in_days = cdnow.assign(recency=cdnow["recency"] * 7, T=cdnow["T"] * 7)
    weeks = CustomerValue(rate=0.15, unit="week").fit(cdnow)
    days = CustomerValue(rate=0.15, unit="day").fit(in_days)
    np.testing.assert_allclose(weeks.residual_value(cdnow), days.residual_value(in_days), rtol=1e-5)


def test_customers_without_positive_spend_are_left_out_and_counted(cdnow):
    odd = cdnow.copy()
    again = odd.index[odd["frequency"] > 0][:7]
    odd.loc[again, "monetary_value"] = [0.0, -3.0, np.nan, 0.0, -1.0, 0.0, 0.0]
    value = CustomerValue().fit(odd)
    assert value.n_left_out_ == 7
    assert value.spend_.n_customers_ == 939
    found = value.residual_value(odd, level=0.9)
    assert np.isfinite(found).all().all()
    p, q, v = value.spend_.params_.values()
    assert value.expected_spend(odd).loc[again].to_numpy() == pytest.approx(p * v / (q - 1))


@pytest.mark.proof
def test_outcome_intervals_cover_what_customers_bring():
    covered, total_inside = [], []
    for seed in range(2):
        data = shop(2500, seed)
        value = CustomerValue(PURCHASES, SPEND, rate=1e-9, unit="year")
        found = value.residual_value(data, 40.0, level=0.9, interval="outcome")
        covered.append(((data["after"] >= found["low"] - 1e-9) & (data["after"] <= found["high"] + 1e-9)).mean())
        total = value.total(data, 40.0, interval="outcome", level=0.99)
        total_inside.append(total["low"] <= data["after"].sum() <= total["high"])
    assert 0.87 <= np.mean(covered) <= 0.93
    assert all(total_inside)


def test_value_of_donors_in_years():
    purchases = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    value = CustomerValue(purchases, SPEND, unit="year", rate=0.1)
    donors = pd.DataFrame({"frequency": [3, 0], "recency": [5, 0], "periods": [6, 6], "monetary_value": [20.0, np.nan]})
    found = value.residual_value(donors, level=0.9, interval="outcome")
    assert found["low"].tolist() == [0.0, 0.0]
    assert found["high"].iloc[0] > found["residual_value"].iloc[0]
    assert value.delta_ == pytest.approx(np.log(1.1))


def test_compare_ranks_by_holdout(cdnow_after):
    found = compare_models({"bg": BGNBD(), "mbg": MBGNBD(), "pareto": ParetoNBD()}, cdnow_after)
    assert found["holdout_log_likelihood"].is_monotonic_decreasing
    assert found["holdout_rank"].tolist() == [1, 2, 3]
    assert found.loc["mbg", "aic_rank"] == 1 and found.loc["pareto", "aic_rank"] == 3
    assert (found["holdout_purchases"] == cdnow_after["holdout_purchases"].sum()).all()
    assert found.loc["bg", "aic"] == pytest.approx(8 + 2 * 9582.4292, abs=2e-3)
    # Customer by customer, from the definition.
    model = found.loc["bg", "model"]
    some = cdnow_after.iloc[:300]
    one = compare_models([model], some)
    h = float(some["horizon"].iloc[0])
    any_ = model.probability_of_purchase(some, h)
    none = some["holdout_purchases"] == 0
    assert one["holdout_log_likelihood"].iloc[0] < np.log1p(-any_[none]).sum() + 1e-9
    nobody = some.assign(holdout_purchases=0)
    assert compare_models([model], nobody)["holdout_log_likelihood"].iloc[0] == pytest.approx(np.log1p(-any_).sum(), rel=1e-10)


def test_compare_bad_input(cdnow_after):
    some = cdnow_after.iloc[:50]
    with pytest.raises(ModelError, match="missing column 'holdout_purchases'"):
        compare_models([BGNBD()], some.drop(columns="holdout_purchases"))
    with pytest.raises(ModelError, match="same rows"):
        compare_models([BGNBD()], some, some.iloc[:10])
    with pytest.raises(ModelError, match="one horizon for all"):
        compare_models([BGNBD()], some.assign(horizon=np.arange(50) + 1.0))
    with pytest.raises(ModelError, match="at least one model"):
        compare_models([], some)


def uneven(frame: pd.DataFrame, dispersion: float) -> CustomerValue:
    clock = Clock(end=dt.date(2024, 12, 31), dispersion=dispersion)
    return CustomerValue(purchases=MBGNBD(clock=clock), spend=GammaGamma(), rate=1e-9, unit="week").fit(frame)


@pytest.mark.proof
def test_weeks_that_vary_more_than_by_chance_widen_money_too():
    frame = shop(1500, 4)
    even, wide = (uneven(frame, dispersion) for dispersion in (1.0, 9.0))
    one, other = (value.total(frame, 13.0, interval="outcome") for value in (even, wide))
    assert other["residual_value"] == one["residual_value"]
    added = (np.log(other["high"] / other["low"]) ** 2 - np.log(one["high"] / one["low"]) ** 2) / (2 * 1.644854) ** 2
    # By another route: eight purchases more of each kind, at the mean square of what one of the customer's brings.
    p, q, v = wide.spend_.params_.values()
    x, m = (frame[name].to_numpy(float) for name in ("frequency", "monetary_value"))
    scale = v + x * np.where(x > 0, m, 0.0)
    square = scale**2 * p * (p + 1) / ((p * x + q - 1) * (p * x + q - 2))
    expected = 8 * (wide.purchases_.expected_purchases(frame, 13.0).to_numpy() @ square) / one["residual_value"] ** 2
    assert added == pytest.approx(expected, rel=0.01)
    mean = [value.total(frame, 13.0)["high"] for value in (even, wide)]
    assert mean[0] == mean[1]


def test_what_one_purchase_brings_has_the_mean_square_of_simulated_ones():
    model, rng = GammaGamma.from_params(p=6.25, q=5.74, v=15.44), np.random.default_rng(0)
    states = compress([np.array([0.0, 3.0]), np.array([0.0, 40.0])])
    for k, (x, m) in enumerate(zip(*states.columns, strict=True)):
        drawn = rng.gamma(6.25, (15.44 + x * m) / rng.gamma(6.25 * x + 5.74, 1.0, 1_000_000))
        found = model.square_spend(model.parameters(), states)[k]
        assert found == pytest.approx((drawn**2).mean(), rel=0.02)


@pytest.fixture(scope="module")
def bought():
    """Orders of 300 customers over two years."""
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "customer_id": rng.integers(0, 300, 1500).astype(str),
            "ordered_at": pd.Timestamp("2023-01-02") + pd.to_timedelta(rng.integers(0, 730, 1500), unit="D"),
            "amount": rng.gamma(3.0, 10.0, 1500).round(2),
        }
    )


@pytest.mark.parametrize(
    ("made", "unit"), [("day", "week"), ("week", "day"), ("month", "week"), ("week", "month"), ("day", "year")]
)
def test_a_summary_in_another_unit_is_refused(bought, made, unit):
    summary = customer_summary(bought, unit=made).to_pandas()
    right = CustomerValue(BGNBD(draws=100), unit=made).fit(summary)
    said = f"CustomerValue: 'unit' must be '{made}', in which the summary's T and recency are, by its days_since_last. Got '{unit}'"
    wrong = clone(right).set_params(unit=unit)
    with pytest.raises(ModelError, match=said):
        wrong.fit(summary)
    fitted = CustomerValue(right.purchases_, right.spend_, unit=unit)
    asked = (fitted.residual_value, fitted.total, fitted.predict, lambda rows: fitted.outlook(rows, 52), fitted.fit_spend)
    for ask in asked:
        with pytest.raises(ModelError, match=said):
            ask(summary)
    # Where nothing tells the unit, it is as given.
    assert np.isfinite(fitted.residual_value(summary.drop(columns="days_since_last"))).all()


def test_a_total_is_the_same_in_every_unit(bought):
    totals = [
        CustomerValue(BGNBD(draws=100), unit=unit).fit(summary).total(summary)["residual_value"]
        for unit in ("day", "week", "month")
        for summary in [customer_summary(bought, unit=unit)]
    ]
    np.testing.assert_allclose(totals, totals[0], rtol=1e-3)


def test_options_that_cannot_be_are_refused_before_anything_is_fitted(bought):
    summary = customer_summary(bought, unit="week").to_pandas()
    with pytest.raises(
        ModelError, match=r"'purchases' must be a model of purchases, such as BGNBD\(\). Got GammaGamma\(\) instead"
    ):
        CustomerValue(GammaGamma(), BGNBD()).fit(summary)
    with pytest.raises(ModelError, match=r"'spend' must be a model of spend, such as GammaGamma\(\). Got BGNBD\(\) instead"):
        CustomerValue(spend=BGNBD()).fit(summary)
    with pytest.raises(
        ModelError, match=r"'margin' must be above 0 and at most 1, the share of spend that is kept, such as 0.3. Got 30"
    ):
        CustomerValue(margin=30).fit(summary)
    value = CustomerValue(BGNBD(draws=100), margin=1).fit(summary)
    with pytest.raises(ModelError, match=r"'level' must be between 0 and 1, both excluded, such as 0.9. Got None instead"):
        value.total(summary, 52, level=None)
    with pytest.raises(ModelError, match=r"BGNBD: 'level' must be between 0 and 1.* Got None instead"):
        value.purchases_.expected_total(summary, 52, level=None)
