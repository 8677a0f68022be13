"""The eight jobs in tea-tasting: those that it offers."""

from typing import Any

import pandas as pd
import tea_tasting as tt

NOTES = {
    "ab_test": "the rate with a continuity correction and a pooled variance",
    "plan_power": "both cells have the variance of the control",
}


def ab_test(people: pd.DataFrame) -> Any:
    experiment = tt.Experiment(
        bought=tt.Proportion("bought"),
        spend=tt.Mean("spend", "spend_before"),
        basket=tt.RatioOfMeans("spend", "orders"),
        sizes=tt.SampleRatio(),
        variant="cell",
    )
    return experiment.analyze(people, control="none")


def plan_power(people: pd.DataFrame) -> Any:
    return tt.Mean("bought", effect_size=0.02).solve_power(people[people["cell"] == "none"], "n_obs")


def told(job: str, found: Any) -> dict[str, Any]:
    """Say what a job has found, in words that are the same for all packages; not counted among its lines."""
    if job == "ab_test":
        ends = "effect_size", "effect_size_ci_lower", "effect_size_ci_upper"
        return {name: [float(getattr(found[name], end)) for end in ends] for name in ("bought", "spend", "basket")}
    return {"customers per cell": round(found[0].n_obs / 2)}
