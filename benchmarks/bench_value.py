"""Speed and memory of the customer-value models against their peers, measured in one run.

Prints a ratio per promise. Without arguments everything is measured (some ten minutes, most of them spent in the peers);
``--quick`` shrinks the samples tenfold. PyMC-Marketing is measured where it can be imported.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD

HORIZON = 90.0
QUICK = "--quick" in sys.argv


def customers(n: int, model: Any, seed: int = 0) -> pd.DataFrame:
    """Customers of up to a year, in whole days."""
    age = np.random.default_rng(seed).integers(1, 366, n).astype(float)
    frame = model.simulate(age, seed=seed)
    frame["recency"] = np.where(frame["frequency"] > 0, np.ceil(frame["recency"]).clip(1, frame["T"]), 0.0)
    return frame


def seconds(what: Callable[[], Any], runs: int = 3) -> tuple[float, Any]:
    """Median time and the last result."""
    times, found = [], None
    for _ in range(runs):
        begin = time.perf_counter()
        found = what()
        times.append(time.perf_counter() - begin)
    return statistics.median(times), found


def with_intervals(data: pd.DataFrame) -> tuple[BGNBD, pd.DataFrame]:
    model = BGNBD().fit(data)
    return model, model.expected_purchases(data, HORIZON, level=0.9)  # type: ignore[return-value]


def memory(n: int) -> None:
    """In a process of its own: time and peak memory of fit and intervals for n customers."""
    data = customers(n, truth())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took, (model, _) = seconds(lambda: with_intervals(data), 1 if n > 2_000_000 else 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": took, "before": before / 2**20, "peak": peak / 2**20, "states": model.n_states_}))


def truth() -> BGNBD:
    return BGNBD.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426)


def line(promise: str, ratio: float, needed: str, detail: str) -> None:
    print(f"{promise:<62} {ratio:8.2f}   (promised {needed})   {detail}", flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    import lifetimes

    n = 100_000 if QUICK else 1_000_000
    data = customers(n, truth())
    fit, model = seconds(lambda: BGNBD().fit(data))
    theirs, fitter = seconds(lambda: lifetimes.BetaGeoFitter().fit(data["frequency"], data["recency"], data["T"]), 1)
    gap = max(abs(fitter.params_[name] / value - 1) for name, value in model.params_.items())
    line(
        f"BG/NBD fit of {n:,}: lifetimes / crmlab",
        theirs / fit,
        "≥ 10",
        f"{theirs:.1f} s / {fit:.2f} s, parameters differ {gap:.0e}",
    )

    def points() -> Any:
        return fitter.conditional_expected_number_of_purchases_up_to_time(
            HORIZON, data["frequency"], data["recency"], data["T"]
        )

    alone, expected = seconds(points)
    both, (_, frame) = seconds(lambda: with_intervals(data))
    ours, _ = seconds(lambda: model.expected_purchases(data, HORIZON))
    worst = float(np.abs(frame["expected_purchases"].to_numpy() / np.asarray(expected) - 1).max())
    line(
        "fit + 90% intervals / lifetimes' fit + points", both / (theirs + alone), "< 1",
        f"{both:.2f} s / {theirs + alone:.2f} s, points differ {worst:.0e}",
    )  # fmt: skip
    line(
        "fit + 90% intervals / lifetimes' points alone",
        both / alone,
        "< 1",
        f"{both:.2f} s / {alone:.2f} s; our points {ours:.2f} s",
    )

    m = 10_000 if QUICK else 100_000
    classic = ParetoNBD.from_params(r=0.5534, alpha=74.06, s=0.6061, beta=81.6)
    some = customers(m, classic)
    fit, pareto = seconds(lambda: ParetoNBD().fit(some))
    theirs, fitter = seconds(lambda: lifetimes.ParetoNBDFitter().fit(some["frequency"], some["recency"], some["T"]), 1)
    weight = np.ones(m)
    their_value = -fitter._negative_log_likelihood(
        fitter.params_.to_numpy(), some["frequency"].to_numpy(), some["recency"].to_numpy(), some["T"].to_numpy(), weight, 0.0
    )
    line(
        f"Pareto/NBD fit of {m:,}: lifetimes / crmlab", theirs / fit, "≥ 15",
        f"{theirs:.1f} s / {fit:.2f} s, log-likelihood {pareto.log_likelihood_:.3f} against {their_value:.3f}",
    )  # fmt: skip

    ten = customers(10_000, truth())
    fitted = BGNBD().fit(ten)
    draw, _ = seconds(lambda: fitted.sample_posterior(1000, 1))
    try:
        from pymc_marketing import clv
    except ImportError:
        print(f"posterior of 10,000: PyMC-Marketing is not installed; crmlab draws 1,000 in {draw:.2f} s")
    else:
        nuts = ten.assign(customer_id=np.arange(len(ten)))
        slow, _ = seconds(lambda: clv.BetaGeoModel().fit(data=nuts, method="mcmc", chains=2, cores=1, progressbar=False), 1)
        line("posterior of 10,000: NUTS / crmlab", slow / draw, "≥ 100", f"{slow:.1f} s / {draw:.2f} s")

    found = []
    for size in (n, 10 * n):
        out = subprocess.run([sys.executable, __file__, "--memory", str(size)], capture_output=True, text=True, check=True)
        found.append(json.loads(out.stdout.splitlines()[-1]))
    small, large = found
    line(
        f"fit + intervals of {10 * n:,} / {n:,}", large["seconds"] / small["seconds"], "≤ 6",
        f"{large['seconds']:.2f} s / {small['seconds']:.2f} s, {large['states']:,} / {small['states']:,} states",
    )  # fmt: skip
    line(f"peak memory at {10 * n:,}, GB", large["peak"], "< 6", f"{large['before']:.2f} GB before the fit, data included")


if __name__ == "__main__":
    if "--memory" in sys.argv:
        memory(int(sys.argv[sys.argv.index("--memory") + 1]))
    else:
        main()
