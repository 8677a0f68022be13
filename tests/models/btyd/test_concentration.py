"""Concentration of value: the curve is that of customers' values, its interval that of many draws, and the picture says both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmlab.errors import ModelError
from crmlab.models import BGNBD, CustomerValue, GammaGamma, concentration_frame, plot_concentration

TRUTH = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5)
SPEND = GammaGamma.from_params(p=6.0, q=4.0, v=15.0)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    seen = TRUTH.simulate(np.random.default_rng(1).integers(8, 60, 250).astype(float), seed=1)
    return seen.assign(monetary_value=SPEND.simulate(seen["frequency"], seed=1)["monetary_value"])


@pytest.fixture(scope="module")
def value(base) -> CustomerValue:
    return CustomerValue(BGNBD(draws=2000), GammaGamma(draws=2000), margin=0.3).fit(base)


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_the_curve_is_that_of_the_values(value, base):
    worth = np.sort(value.residual_value(base, 52.0).to_numpy())[::-1]
    frame = concentration_frame(value, base, horizon=52.0, shares=[0.5, 0.1, 0.25, 1.0, 0.002])
    assert frame["share"].tolist() == [0.002, 0.1, 0.25, 0.5, 1.0]
    assert frame["customers"].tolist() == [1, 25, 63, 125, 250]
    assert frame["least"].to_numpy() == pytest.approx(worth[[0, 24, 62, 124, 249]])
    half = worth[0] * 0.5, worth[:25].sum(), worth[:62].sum() + 0.5 * worth[62], worth[:125].sum(), worth.sum()
    assert frame["value_share"].to_numpy() == pytest.approx(np.array(half) / worth.sum())
    assert ((frame["low"] <= frame["value_share"]) & (frame["value_share"] <= frame["high"])).all()
    assert frame.iloc[-1][["value_share", "low", "high"]].tolist() == pytest.approx([1.0] * 3)
    # In whatever order and kind of table.
    mixed = concentration_frame(value, pl.from_pandas(base.sample(frac=1, random_state=3)), horizon=52.0, shares=frame["share"])
    pd.testing.assert_frame_equal(mixed, frame)


def test_the_interval_is_that_of_many_draws(value, base):
    some = base.iloc[:120]
    order = np.argsort(-value.residual_value(some, 52.0).to_numpy(), kind="stable")
    bought, spent = value.purchases_.sample_posterior(400, seed=5), value.spend_.sample_posterior(400, seed=6)
    found = []
    for one, other in zip(bought.to_dict("records"), spent.to_dict("records"), strict=True):
        if other["q"] <= 1:
            continue
        drawn = CustomerValue(BGNBD.from_params(**one), GammaGamma.from_params(**other), margin=0.3)
        worth = drawn.residual_value(some, 52.0).to_numpy()[order]
        found.append((worth[:12].sum() / worth.sum(), worth[:60].sum() / worth.sum()))
    frame = concentration_frame(value, some, horizon=52.0, shares=[0.1, 0.5], level=0.9)
    ends = np.quantile(np.array(found), [0.05, 0.95], axis=0).T
    assert frame[["low", "high"]].to_numpy() == pytest.approx(ends, abs=0.015)


def test_known_parameters_are_sure_and_equal_customers_worth_the_same(base):
    known = CustomerValue(TRUTH, SPEND)
    frame = concentration_frame(known, base, horizon=26.0)
    assert (frame["low"].to_numpy(), frame["high"].to_numpy()) == (
        pytest.approx(frame["value_share"].to_numpy()),
        pytest.approx(frame["value_share"].to_numpy()),
    )
    alike = concentration_frame(known, pd.concat([base.iloc[:1]] * 20))
    assert alike["value_share"].to_numpy() == pytest.approx(alike["share"].to_numpy())


def test_the_picture_draws_the_frame(value, base, ax):
    assert plot_concentration(value, base, horizon=52.0, ax=ax) is ax
    ax.figure.draw_without_rendering()
    frame = concentration_frame(value, base, horizon=52.0)
    assert ax.lines[0].get_ydata() == pytest.approx([0.0, *(100 * frame["value_share"])])
    tenth = frame[frame["share"] == 0.1].iloc[0]
    said = f"the best 10%: {100 * tenth['value_share']:.0f}% ({100 * tenth['low']:.0f}% to {100 * tenth['high']:.0f}%)"
    assert said in [text.get_text() for text in ax.texts]
    assert ax.get_title().endswith("in the next 52 weeks")
    known = plot_concentration(CustomerValue(TRUTH, SPEND), base)
    assert not known.collections
    assert all("to" not in text.get_text() for text in known.texts)
    import matplotlib.pyplot as plt

    plt.close("all")


def test_what_cannot_be_drawn_is_refused(value, base):
    with pytest.raises(ModelError, match="concentration_frame: 'value' must be a CustomerValue. Got 'BGNBD' instead"):
        concentration_frame(TRUTH, base)
    for wrong in ([0.0, 0.5], [1.5], [], [np.nan]):
        with pytest.raises(ModelError, match="'shares' must be above 0 and at most 1"):
            concentration_frame(value, base, shares=wrong)
    with pytest.raises(ModelError, match="missing column 'monetary_value'"):
        concentration_frame(value, base.drop(columns="monetary_value"))
    with pytest.raises(ModelError, match="empty"):
        concentration_frame(value, base.iloc[:0])
