"""Where every purchase is of the same amount, spend is that amount: its point, its intervals, and what values are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.models import BGNBD, CustomerValue, GammaGamma, portfolio
from crmlab.models.btyd.portfolios import Measure

ASK = pd.DataFrame({"frequency": [0, 2, 40], "monetary_value": [np.nan, 55.0, 3.0]})


def payers(amount: float, customers: int) -> pd.DataFrame:
    frequency = np.random.default_rng(1).poisson(2, customers) + 1
    return pd.DataFrame({"frequency": frequency, "monetary_value": np.full(customers, amount)})


@pytest.mark.parametrize("amount", [19.99, 0.01, 1e9, 1e-9, 1 / 3])
@pytest.mark.parametrize("customers", [1, 2, 7, 300])
def test_point_and_interval_are_the_amount(amount, customers):
    model = GammaGamma().fit(payers(amount, customers))
    assert model.constant_ == amount
    for interval in ("mean", "outcome"):
        for level in (0.5, 0.9, 0.999):
            found = model.expected_spend(ASK, level=level, interval=interval)
            assert (found.to_numpy() == amount).all()
    assert (model.expected_spend(ASK) == amount).all()
    drawn = model.sample_posterior(150, seed=3)
    assert (drawn.nunique() == 1).all()
    assert drawn.attrs["effective_sample_size"] == 150


def test_where_amounts_differ_nothing_is_constant():
    model = GammaGamma().fit(payers(20.0, 50).assign(monetary_value=np.linspace(10, 40, 50)))
    assert model.constant_ is None
    model.fit(payers(20.0, 50))
    assert model.constant_ == 20.0
    assert GammaGamma.from_params(p=6.0, q=4.0, v=15.0).expected_spend(ASK).nunique() == 3


def test_values_are_purchases_times_the_amount_with_the_intervals_of_purchases():
    seen = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5).simulate(np.full(200, 40.0), seed=2)
    base = seen.assign(monetary_value=np.where(seen["frequency"] > 0, 12.5, np.nan))
    value = CustomerValue(purchases=BGNBD(draws=200), margin=0.4, rate=0.1).fit(base)
    ours = value.residual_value(base, 52.0, level=0.9)
    bought = value.purchases_.discounted_expected_purchases(base, value.delta_, horizon=52.0, level=0.9)
    assert ours.to_numpy() == pytest.approx(0.4 * 12.5 * bought.to_numpy(), rel=1e-9)
    outcome = value.residual_value(base, 52.0, level=0.9, interval="outcome")
    assert (outcome["low"] <= outcome["residual_value"]).all() and (outcome["residual_value"] <= outcome["high"]).all()
    total = portfolio(value, base, {"total": Measure(lambda worth: float(worth.value.sum()))}, 52.0)
    assert total.loc["total", "value"] == pytest.approx(ours["residual_value"].sum(), rel=1e-9)
    assert np.isfinite(total.to_numpy()).all()
