"""What regular buyers cost, and what it is worth to know of them: time of a fit, k found again, and forecasts with and without.

Prints each promise with its figure and a verdict: the time of a fit of BG/CNBD-k and MBG/CNBD-k for each k against that of BG/NBD; how
often k is found again (customers of k = 3); by how much models without
regularity forecast too much of what they do next, and those with it.
``--quick`` takes fewer seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from crmlab.models import BGCNBD, BGNBD, MBGCNBD, MBGNBD, ParetoNBD

PARAMS = {"r": 1.3, "alpha": 1.5, "a": 0.6, "b": 2.0}
N, K, AHEAD = 8000, 3, 26.0


def base(kind: type[Any], n: int, seed: int) -> pd.DataFrame:
    """Customers of regular purchases, 20 to 60 weeks after their first, and what they do in the half year after."""
    ages = np.random.default_rng([seed, 5]).uniform(20, 60, n)
    found: pd.DataFrame = kind.from_params(k=K, **PARAMS).simulate(ages, AHEAD, seed=seed)
    return found


def took(what: Callable[[], Any], runs: int = 5) -> float:
    """Median CPU time."""
    found = []
    for _ in range(runs):
        begin = time.process_time()
        what()
        found.append(time.process_time() - begin)
    return statistics.median(found)


def verdict(promise: str, figure: str, kept: bool) -> bool:
    print(f"{promise:<78} {figure:>26}   {'kept' if kept else 'NOT KEPT'}", flush=True)
    return kept


def costs(n: int) -> bool:
    """Time of a fit of each k over one of BG/NBD."""
    data, kept = base(MBGCNBD, n, 1), True
    plain = took(lambda: BGNBD().fit(data))
    for kind in (BGCNBD, MBGCNBD):
        for k in (1, 2, 3, 5, 10, 20):
            ratio = took(lambda kind=kind, k=k: kind(k=k).fit(data)) / plain  # type: ignore[misc]
            kept &= verdict(f"{n:,} customers: {kind.__name__}(k={k}) over BG/NBD at most 5", f"{ratio:.2f}", ratio <= 5)
    whole = took(lambda: MBGCNBD().fit(data), 3)
    print(f"{'':4}with the search for k {whole:.2f} s CPU, BG/NBD {plain:.2f} s CPU")
    return kept


def gains(seeds: int) -> bool:
    """How often k is found again, and forecasts."""
    kept = True
    for kind, plain in ((BGCNBD, BGNBD), (MBGCNBD, MBGNBD)):
        hits, off = 0, []
        for seed in range(seeds):
            data = base(kind, N, 100 + seed)
            models = [model.fit(data) for model in (kind(), plain(), ParetoNBD())]
            hits += models[0].k_ == K
            came = data["holdout_purchases"].sum()
            off.append([model.expected_purchases(data, AHEAD).sum() / came - 1 for model in models])
        mean = np.mean(off, axis=0)
        kept &= verdict(f"{kind.__name__}: k = {K} found again in at least 95 %", f"{hits} of {seeds}", hits >= 0.95 * seeds)
        kept &= verdict(f"{kind.__name__}: forecast of all within 3 % in the mean", f"{mean[0]:+.1%}", abs(mean[0]) < 0.03)
        kept &= verdict(f"{plain.__name__}, without regularity, forecasts too much", f"{mean[1]:+.1%}", mean[1] > 0.03)
        print(f"{'':4}Pareto/NBD, whose customers leave otherwise than these: {mean[2]:+.1%}")
    return kept


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    options = asked.parse_args()
    kept = costs(20_000 if options.quick else 200_000)
    kept &= gains(4 if options.quick else 40)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
