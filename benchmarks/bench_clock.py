"""What a seasonal clock costs, and what it gains: time against a fit without it, time and error against packages that know no season.

Prints the ratio that is promised (a fit on a clock that is learnt, over a fit without one: a million customers, two years of days), the
cost on small bases, and forecasts of a season's peak. ``--quick`` shrinks the samples tenfold. PyMC-Marketing is measured by a Python
that has it: ``--pymc PATH``; it has an environment of its own, which is not in the lock.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crmlab.models.btyd.clock import DAYS
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.seasonality import fit_clock

END = dt.date(2024, 12, 31)
_PYMC = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from pymc_marketing import clv
data = pd.read_csv(sys.argv[1])
begin, cpu = time.perf_counter(), time.process_time()
model = clv.ModifiedBetaGeoModel()
model.fit(data=data, method="map", progressbar=False)
took = time.perf_counter() - begin, time.process_time() - cpu
told = float(np.asarray(model.expected_purchases(data=data, future_t=26.0)).sum())
print(json.dumps([*took, told]))
"""


def base(n: int, days: int, entry: int, amplitude: float, peak: int, ahead: int = 0) -> tuple[pd.DataFrame, pd.Series, int]:
    """Customers of a base with one wave of a season: summary, repeat purchases by day, and purchases in the days ahead."""
    rng = np.random.default_rng(0)
    day = np.arange(days + ahead)
    run = np.concatenate([[0.0], np.cumsum(1 + amplitude * np.cos(2 * np.pi * (day - peak) / DAYS))]) / 7
    born = rng.integers(0, entry, n)
    rate, life = rng.gamma(0.6, 1 / 6, n), rng.geometric(np.maximum(rng.beta(0.8, 2.4, n), 1e-9)) - 1
    span = run[-1] - run[born + 1]
    count = rng.poisson(rate * span)
    who = np.repeat(np.arange(n), count)
    when = run[born + 1][who] + rng.random(len(who)) * span[who]
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    alive = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count) < life[who]
    bought = pd.DataFrame({"who": who[alive], "day": np.searchsorted(run, when[alive]) - 1}).drop_duplicates()
    bought = bought[bought["day"] > born[bought["who"]]]
    past = bought[bought["day"] < days]
    by = past.groupby("who")["day"].agg(["max", "size"]).reindex(range(n))
    summary = pd.DataFrame(
        {
            "frequency": by["size"].fillna(0.0),
            "recency": (by["max"].fillna(pd.Series(born)) - born) / 7,
            "T": (days - 1 - born) / 7,
        }
    )
    seen = past.groupby("day").size().astype(float)
    seen.index = pd.DatetimeIndex([pd.Timestamp(END) - pd.Timedelta(days=days - 1 - k) for k in seen.index])
    return summary, seen, len(bought) - len(past)


def timed(what: Callable[[], Any], runs: int = 5) -> tuple[float, float, Any]:
    """Median wall time and CPU time, and the last result."""
    walls, cpus, found = [], [], None
    for _ in range(runs):
        begin, cpu = time.perf_counter(), time.process_time()
        found = what()
        walls.append(time.perf_counter() - begin)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), found


def on_a_clock(summary: pd.DataFrame, seen: pd.Series) -> MBGNBD:
    """A model on the clock that is learnt with it."""
    return MBGNBD(clock=fit_clock(MBGNBD(), summary, seen, END)).fit(summary)


def costs(n: int, promised: str) -> None:
    """Time of a fit with a clock over one without."""
    summary, seen, _ = base(n, 730, 730, 0.5, 330)
    wall, cpu, _ = timed(lambda: MBGNBD().fit(summary))
    slow, slow_cpu, _ = timed(lambda: on_a_clock(summary, seen))
    print(
        f"{n:>9,} customers, two years: with the clock / without {slow / wall:6.2f} wall, {slow_cpu / cpu:6.2f} CPU   "
        f"(promised {promised})   {slow:.2f} s / {wall:.2f} s wall, {slow_cpu:.2f} s / {cpu:.2f} s CPU",
        flush=True,
    )


def gains(n: int, pymc: str | None) -> None:
    """Error and time of forecasts of 26 weeks with a season's peak in them."""
    import lifetimes

    summary, seen, came = base(n, 910, 728, 0.8, 910 + 91, ahead=182)

    def told(name: str, wall: float, cpu: float, total: float) -> None:
        print(f"{name:<44} {total / came - 1:+8.1%} of {came:,}   {wall:8.2f} s wall {cpu:8.2f} s CPU", flush=True)

    for name, fit in (
        ("crmlab, MBG/NBD on its clock", lambda: on_a_clock(summary, seen)),
        ("crmlab, MBG/NBD", lambda: MBGNBD().fit(summary)),
    ):
        wall, cpu, model = timed(fit, 3)
        told(name, wall, cpu, float(model.expected_total(summary, 26.0)["expected_purchases"]))
    columns = summary["frequency"], summary["recency"], summary["T"]
    wall, cpu, fitter = timed(lambda: lifetimes.ModifiedBetaGeoFitter().fit(*columns), 1)
    there = fitter.conditional_expected_number_of_purchases_up_to_time(26.0, *columns)
    told("lifetimes, ModifiedBetaGeoFitter", wall, cpu, float(np.nansum(there)))
    if pymc is None:
        print("PyMC-Marketing: not measured; --pymc names a Python that has it")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "customers.csv"
        summary.rename_axis("customer_id").reset_index().to_csv(file, index=False)
        out = subprocess.run([pymc, "-c", _PYMC, str(file)], capture_output=True, text=True, check=False)
    if out.returncode:
        print(f"PyMC-Marketing: {pymc} did not answer: {(out.stderr.strip().splitlines() or ['nothing said'])[-1]}")
        return
    told("PyMC-Marketing, ModifiedBetaGeoModel, MAP", *json.loads(out.stdout.splitlines()[-1]))


def main() -> None:
    warnings.simplefilter("ignore")
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--pymc", help="a Python that can import pymc_marketing")
    options = asked.parse_args()
    costs(100_000 if options.quick else 1_000_000, "≤ 3")
    costs(2_000, "with it < 0.5 s")
    gains(8_000, options.pymc)


if __name__ == "__main__":
    sys.exit(main())
