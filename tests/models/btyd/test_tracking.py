"""A track is asked for in numbers on one clock: dates and single numbers are refused by the one who was asked, with what to give."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest

import crmlab
from crmlab.errors import ModelError
from crmlab.history import holdout_summary, repeat_times
from crmlab.models import BGNBD, calibration_frame, compare_models, plot_calibration, plot_track, track, track_frame

MODEL = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
DAYS = pd.date_range("2024-01-01", periods=3, freq="W")
DATES = {
    "pandas": DAYS,
    "numpy": DAYS.to_numpy(),
    "series": pd.Series(DAYS),
    "polars": pl.Series(DAYS.to_list()),
    "objects": [day.date() for day in DAYS],
    "texts": [str(day.date()) for day in DAYS],
}
ASK = {
    "plot_track": plot_track,
    "track_frame": track_frame,
    "track": lambda model, starts, ends, times=None: track(model, starts, None, ends),
}


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("name", ASK)
def test_dates_are_refused_by_who_was_asked(name, kind):
    hint = r"A table of customers serves as starts, and crmlab.history.repeat_times\(orders, unit='week'\) gives the times"
    for place in ("starts", "ends") if name == "track" else ("starts", "ends", "times"):
        given = {"starts": [0.0, 1.0], "ends": [13.0, 26.0], "times": [2.0]} | {place: DATES[kind]}
        with pytest.raises(ModelError, match=rf"^{name}: '{place}' must be numbers, .* Got '?2024-01-07.* instead. {hint}"):
            ASK[name](MODEL, *given.values())


@pytest.mark.parametrize("name", ASK)
@pytest.mark.parametrize("ends", [26, [], [13.0, 13.0], [26, 13], [[13.0, 26.0]], [13.0, np.nan], [13.0, np.inf]])
def test_ends_that_do_not_increase_are_refused_by_who_was_asked(name, ends):
    with pytest.raises(
        ModelError, match=rf"^{name}: 'ends' must be a row of numbers that increase, such as \[13, 26, 39\]. Got .* instead"
    ):
        ASK[name](MODEL, [0.0, 1.0], ends)


def test_the_track_of_a_data_set_in_one_call():
    # Fader, Hardie and Lee (2005): 1,882 repeat purchases of these 2,357 customers in the 39 weeks of the holdout period.
    data = crmlab.open_dataset("cdnow_sample")
    held = holdout_summary(data.orders, "1997-09-30", "1998-06-30", unit="week").to_pandas()
    times = repeat_times(data.orders, unit="week")
    ax = plot_track(MODEL, held, [19.5, 39.0, 58.5, 78.0], times)
    assert ax.get_lines()[1].get_label() == "seen"
    seen = track_frame(MODEL, held, [float(held["T"].max()), 78.0], times)["seen"]
    assert seen.tolist() == [held["frequency"].sum(), 1882]
    plt.close("all")


def test_who_lacks_the_holdout_period_is_told_who_makes_it():
    customers = MODEL.simulate([40.0] * 50, seed=1)
    for ask in (plot_calibration, calibration_frame, lambda model, rows: compare_models([model], rows)):
        with pytest.raises(
            ModelError, match="missing column 'holdout_purchases'. Found: .* Make the frame with holdout_summary"
        ):
            ask(MODEL, customers)
        with pytest.raises(ModelError, match="missing column 'horizon'. Found: .* Make the frame with holdout_summary"):
            ask(MODEL, customers.assign(holdout_purchases=0))
    with pytest.raises(ModelError, match="missing column 'recency'. Found: .* Make the frame with customer_summary"):
        BGNBD().fit(customers.drop(columns="recency"))
