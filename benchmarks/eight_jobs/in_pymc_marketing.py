"""The eight jobs in PyMC-Marketing: those that it offers; fits are MAP, and NUTS where intervals are asked for."""

from typing import Any

import arviz as az
import numpy as np
import pandas as pd
from eight_jobs.data import CALIBRATED, END
from pymc_marketing import clv

NOTES = {
    "fit_and_plot": "MAP",
    "holdout_check": "MAP, without an interval; figure by hand",
    "value_with_intervals": "NUTS, two chains one after the other; intervals carry purchases, spend enters at its mean",
    "compare_two_models": "MAP, by hand, from the error of each in the holdout period; arviz.compare needs NUTS",
}


def summarise_purchases(orders: pd.DataFrame) -> Any:
    return clv.utils.rfm_summary(orders, "customer_id", "ordered_at", "amount", time_scaler=7)


def fit_and_plot(customers: pd.DataFrame) -> Any:
    model = clv.BetaGeoModel()
    model.fit(customers, method="map", progressbar=False)
    clv.plot_frequency_recency_matrix(model, future_t=26)
    return model


def holdout_check(orders: pd.DataFrame) -> Any:
    held = clv.utils.rfm_train_test_split(orders, "customer_id", "ordered_at", CALIBRATED, END, time_scaler=7)
    model = clv.BetaGeoModel()
    model.fit(held, method="map", progressbar=False)
    held["expected"] = model.expected_purchases(future_t=26).mean(("chain", "draw")).values
    held.groupby("frequency")[["test_frequency", "expected"]].mean().head(7).plot()
    return held, held["expected"].sum()


def value_with_intervals(customers: pd.DataFrame) -> Any:
    sampling = {"chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}
    purchases, spend = clv.BetaGeoModel(), clv.GammaGammaModel()
    purchases.fit(customers, **sampling)
    spend.fit(customers[customers["frequency"] > 0], **sampling)
    value = spend.thin_fit_result(keep_every=10).expected_customer_lifetime_value(
        purchases.thin_fit_result(keep_every=10), customers, future_t=12, discount_rate=0.01, time_unit="W"
    )
    return value, az.hdi(value, hdi_prob=0.9), az.hdi(value.sum("customer_id"), hdi_prob=0.9)


def compare_two_models(held: pd.DataFrame) -> Any:
    found = {}
    for model in (clv.BetaGeoModel(), clv.ModifiedBetaGeoModel()):
        model.fit(held, method="map", progressbar=False)
        expected = model.expected_purchases(future_t=26).mean(("chain", "draw")).values
        error = np.sqrt(((expected - held["test_frequency"]) ** 2).mean())
        found[type(model).__name__] = {"error": error, "expected": expected.sum()}
    return pd.DataFrame.from_dict(found, orient="index").sort_values("error")


def told(job: str, found: Any) -> dict[str, Any]:
    """Say what a job has found, in words that are the same for all packages; not counted among its lines."""
    if job == "summarise_purchases":
        return {"customers": len(found), "repeat purchases": int(found["frequency"].sum())}
    if job == "fit_and_plot":
        return {name: float(found.fit_result[name].mean()) for name in ("r", "alpha", "a", "b")}
    if job == "holdout_check":
        held, total = found
        return {"came": int(held["test_frequency"].sum()), "expected": float(total)}
    if job == "value_with_intervals":
        value, each, total = found
        who = min(value["customer_id"].values)
        first = value.sel(customer_id=who).mean(), *each["x"].sel(customer_id=who)
        mean = value.sum("customer_id").mean()
        return {"value of all": [float(mean), *map(float, total["x"])], "of the first": list(map(float, first))}
    return dict(zip(("BGNBD", "MBGNBD"), map(float, found["expected"].sort_index()), strict=True))
