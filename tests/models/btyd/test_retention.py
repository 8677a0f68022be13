"""Retention by period and survival: what was seen is counted rightly, what is fitted is the model's, and intervals hold what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models import BGNBD, SBG, plot_retention, retention_frame

# Fader and Hardie (2007), table 1: of 1,000 "high end" customers those still there after 0 to 12 years.
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
TRUTH = SBG.from_params(alpha=0.7, beta=2.5)


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_the_published_cohort():
    model = SBG(draws=200).fit(HIGH_END[:8])
    frame = retention_frame(model, HIGH_END)
    assert frame["customers"].tolist() == HIGH_END[:-1]
    assert frame["survival_seen"].to_numpy() == pytest.approx(np.array(HIGH_END[1:]) / 1000)
    assert frame["seen"].to_numpy() == pytest.approx(np.array(HIGH_END[1:]) / HIGH_END[:-1])
    # Of year 12 the fit to seven years expects 37.8%; 39.4% were seen.
    assert frame["survival"].iloc[-1] == pytest.approx(0.378, abs=5e-4)
    assert frame["survival"].to_numpy() == pytest.approx(model.survival(frame["period"]).to_numpy())
    assert frame["expected"].to_numpy() == pytest.approx(model.retention_rate(frame["period"]).to_numpy())
    assert frame["survival"].to_numpy() == pytest.approx(np.cumprod(frame["expected"]))
    inside = (frame["survival_low"] <= frame["survival_seen"]) & (frame["survival_seen"] <= frame["survival_high"])
    assert inside.all()
    ahead = retention_frame(model, HIGH_END, periods=14).iloc[12:]
    assert (ahead["customers"] == 0).all()
    assert ahead[["seen", "survival_seen"]].isna().all(axis=None)
    # Of periods that nobody saw the interval is of the expectation: that of the model itself, and narrower.
    own = model.sample_posterior(20_000, seed=2)
    rates = (own["beta"] + 12) / (own["alpha"] + own["beta"] + 12)
    assert ahead[["low", "high"]].iloc[0].tolist() == pytest.approx(rates.quantile([0.05, 0.95]).tolist(), abs=2e-3)


def test_customers_who_came_at_different_times():
    # Renewals and whether still there: at risk of the first end are all but d (who has not come to it), of the second a, c and e.
    rows = pd.DataFrame({"periods": [2, 0, 1, 0, 2], "there": [True, False, False, True, False], "weight": [1, 2, 1, 7, 1]})
    for table in (rows, pl.from_pandas(rows)):
        frame = retention_frame(TRUTH, table)
        assert frame["customers"].tolist() == [5, 3, 1]
        assert frame["seen"].to_numpy() == pytest.approx([3 / 5, 2 / 3, 0])
        assert frame["survival_seen"].to_numpy() == pytest.approx([3 / 5, 2 / 5, 0])


@pytest.mark.parametrize("count", [40, 400, 40_000])
def test_at_known_parameters_intervals_are_binomial(count):
    frame = retention_frame(TRUTH, [count, round(count * 0.8), round(count * 0.7), round(count * 0.6)], level=0.8)
    for _, row in frame.iterrows():
        low, high = stats.binom.ppf([0.1, 0.9], row["customers"], row["expected"]) / row["customers"]
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.6 / row["customers"] + 2e-4)
    low, high = stats.binom.ppf([0.1, 0.9], count, frame["survival"].iloc[0]) / count
    assert frame[["survival_low", "survival_high"]].iloc[0].tolist() == pytest.approx([low, high], abs=0.6 / count + 2e-4)


def test_intervals_hold_what_other_customers_do():
    held = {"retention": [], "survival": []}
    for seed in range(40):
        seen = TRUTH.simulate([5.0] * 150, seed=seed)
        other = TRUTH.simulate([5.0] * 150, seed=1000 + seed)
        frame = retention_frame(SBG(draws=200).fit(seen), other, level=0.9)
        held["retention"] += ((frame["low"] <= frame["seen"]) & (frame["seen"] <= frame["high"])).tolist()
        last = frame.iloc[-1]
        held["survival"].append(last["survival_low"] <= last["survival_seen"] <= last["survival_high"])
    assert 0.85 <= np.mean(held["retention"]) <= 0.97
    # The other 150 vary as much as those of the fit; of whole counts intervals are a little wide.
    assert 0.8 <= np.mean(held["survival"]) <= 1.0


@pytest.mark.parametrize("of", ["retention", "survival"])
def test_the_picture_draws_the_frame(of, ax):
    model = SBG(draws=200, unit="year").fit(HIGH_END[:8])
    assert plot_retention(model, HIGH_END, of=of, periods=15, ax=ax) is ax
    ax.figure.draw_without_rendering()
    frame = retention_frame(model, HIGH_END, periods=15)
    seen = next(line for line in ax.lines if line.get_label() == "seen")
    start = [1.0] if of == "survival" else []
    names = ("survival_seen", "survival") if of == "survival" else ("seen", "expected")
    assert seen.get_ydata() == pytest.approx([*start, *frame[names[0]].iloc[:12]])
    fitted, ahead = (line for line in ax.lines if line is not seen)
    assert fitted.get_ydata() == pytest.approx([*start, *frame[names[1]].iloc[:12]])
    assert ahead.get_xdata().tolist() == [12, 13, 14, 15]
    assert "year" in ax.get_xlabel()
    assert len(ax.get_ylabel()) > 4
    assert len(ax.get_title()) > 4
    plain = plot_retention(TRUTH, HIGH_END, of=of)
    assert "period" in plain.get_xlabel()
    assert len(plain.lines) == 2
    import matplotlib.pyplot as plt

    plt.close("all")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ModelError, match="retention_frame: 'model' must be an SBG or a BDW. Got 'BGNBD' instead"):
        retention_frame(BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5), HIGH_END)
    with pytest.raises(NotFittedError):
        retention_frame(SBG(), HIGH_END)
    with pytest.raises(ModelError, match="'of' must be 'retention' or 'survival'"):
        plot_retention(TRUTH, HIGH_END, of="churn")
    with pytest.raises(ModelError, match="survivors must never rise"):
        retention_frame(TRUTH, [10, 5, 7])
    for wrong in (0, 2.5, True):
        with pytest.raises(ModelError, match="'periods' must be a whole number of at least 1"):
            retention_frame(TRUTH, HIGH_END, periods=wrong)
