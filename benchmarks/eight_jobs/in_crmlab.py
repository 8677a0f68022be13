"""The eight jobs in crmlab."""

from typing import Any

import pandas as pd
from eight_jobs.data import CALIBRATED

from crmlab import BGNBD, CustomerValue, compare, customer_summary, next_best_offers, open_dataset, required_size
from crmlab.history import holdout_summary
from crmlab.models import MBGNBD, GammaGamma, compare_models, plot_calibration, plot_matrix, ratio

NOTES = {
    "holdout_check": "the interval holds what will be seen",
    "compare_two_models": "by the likelihood of the holdout period, with intervals of how far behind",
    "plan_power": "each cell has the variance of its own rate",
}


def summarise_purchases(orders: pd.DataFrame) -> Any:
    return customer_summary(orders, unit="week").to_pandas()


def fit_and_plot(customers: pd.DataFrame) -> Any:
    model = BGNBD().fit(customers)
    plot_matrix(model, 26)
    return model


def holdout_check(orders: pd.DataFrame) -> Any:
    held = holdout_summary(orders, CALIBRATED, unit="week").to_pandas()
    model = BGNBD().fit(held)
    plot_calibration(model, held)
    return held, model.expected_total(held, 26, level=0.9, interval="outcome")


def value_with_intervals(customers: pd.DataFrame) -> Any:
    model = CustomerValue(BGNBD(), GammaGamma(), rate=1.01**12 - 1).fit(customers)
    return model.residual_value(customers, 52.14, level=0.9), model.total(customers, 52.14, level=0.9)


def compare_two_models(held: pd.DataFrame) -> Any:
    return compare_models([BGNBD(), MBGNBD()], held)


def next_offers(lines: pd.DataFrame) -> Any:
    return next_best_offers(open_dataset({"order_lines": lines}), k=3)


def ab_test(people: pd.DataFrame) -> Any:
    metrics = {"bought": "rate", "spend": "mean", "basket": ratio("spend", "orders")}
    return compare(people, cell="cell", control="none", metrics=metrics, covariates={"spend": ["spend_before"]})


def plan_power(people: pd.DataFrame) -> Any:
    return required_size(people.loc[people["cell"] == "none", "bought"].mean(), uplift=0.02)


def told(job: str, found: Any) -> dict[str, Any]:
    """Say what a job has found, in words that are the same for all packages; not counted among its lines."""
    if job == "summarise_purchases":
        return {"customers": len(found), "repeat purchases": int(found["frequency"].sum())}
    if job == "fit_and_plot":
        return {name: float(value) for name, value in found.params_.items()}
    if job == "holdout_check":
        held, total = found
        return {"came": int(held["holdout_purchases"].sum()), "expected": list(map(float, total))}
    if job == "value_with_intervals":
        each, total = found
        return {"value of all": list(map(float, total)), "of the first": list(map(float, each.sort_index().iloc[0]))}
    if job == "compare_two_models":
        return {str(name): float(value) for name, value in found["expected_purchases"].sort_index().items()}
    if job == "next_offers":
        return {"offers": len(found.frame), "customers": int(found.frame["customer_id"].nunique())}
    if job == "ab_test":
        return {row["metric"]: [row["estimate"], row["low"], row["high"]] for row in found.frame.to_dict("records")}
    return {"customers per cell": found.per_cell}
