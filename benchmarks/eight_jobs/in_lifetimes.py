"""The eight jobs in lifetimes: those that it offers."""

from typing import Any

import numpy as np
import pandas as pd
from eight_jobs.data import CALIBRATED, END
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
from lifetimes.plotting import plot_calibration_purchases_vs_holdout_purchases, plot_frequency_recency_matrix
from lifetimes.utils import calibration_and_holdout_data, summary_data_from_transaction_data

NOTES = {
    "holdout_check": "without an interval",
    "value_with_intervals": "GammaGammaFitter.customer_lifetime_value gives points without intervals",
    "compare_two_models": "by hand, from the error of each in the holdout period",
}


def summarise_purchases(orders: pd.DataFrame) -> Any:
    return summary_data_from_transaction_data(orders, "customer_id", "ordered_at", "amount", freq_multiplier=7)


def fit_and_plot(customers: pd.DataFrame) -> Any:
    model = BetaGeoFitter().fit(customers["frequency"], customers["recency"], customers["T"])
    plot_frequency_recency_matrix(model, T=26)
    return model


def holdout_check(orders: pd.DataFrame) -> Any:
    held = calibration_and_holdout_data(
        orders, "customer_id", "ordered_at", CALIBRATED, END, freq_multiplier=7, monetary_value_col="amount"
    )
    columns = held["frequency_cal"], held["recency_cal"], held["T_cal"]
    model = BetaGeoFitter().fit(*columns)
    plot_calibration_purchases_vs_holdout_purchases(model, held)
    return held, model.predict(26, *columns).sum()


def compare_two_models(held: pd.DataFrame) -> Any:
    columns = held["frequency_cal"], held["recency_cal"], held["T_cal"]
    found = {}
    for model in (BetaGeoFitter(), ModifiedBetaGeoFitter()):
        expected = model.fit(*columns).predict(26, *columns)
        error = np.sqrt(((expected - held["frequency_holdout"]) ** 2).mean())
        found[type(model).__name__] = {"error": error, "expected": expected.sum()}
    return pd.DataFrame.from_dict(found, orient="index").sort_values("error")


def told(job: str, found: Any) -> dict[str, Any]:
    """Say what a job has found, in words that are the same for all packages; not counted among its lines."""
    if job == "summarise_purchases":
        return {"customers": len(found), "repeat purchases": int(found["frequency"].sum())}
    if job == "fit_and_plot":
        return {name: float(found.params_[name]) for name in ("r", "alpha", "a", "b")}
    if job == "holdout_check":
        held, total = found
        return {"came": int(held["frequency_holdout"].sum()), "expected": float(total)}
    return dict(zip(("BGNBD", "MBGNBD"), map(float, found["expected"].sort_index()), strict=True))
