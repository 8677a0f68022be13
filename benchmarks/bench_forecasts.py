"""Forecasts of a real shop 13 weeks ahead from three origins: error and time of crmlab on its seasonal clock, and of packages without one.

Online Retail II, as the user has it (``data/README.md`` says where it comes from). From each origin everybody sees the same customers
and nothing later, and tells the repeat purchases of all of them in the 13 weeks after it. Promise: over the origins, the mean error of
what crmlab's reports tell is at most half that of each other package. Seconds are from the customers' summary to the total, medians of
three rounds after one to warm up; where a clock is learnt, the purchases of each day are read too, and there is one round; those of the
reports are of one round that is not warmed up, with the choice of a model and the test of the season on earlier quarters.

lifetimes is in crmlab's environment. PyMC-Marketing (MAP) is measured by a Python that has it: ``--pymc PATH``, or the environment that
``bench_eight_jobs.py --install`` makes. ``--quick`` takes the last origin alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
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
from bench_eight_jobs import is_there, python_of

ORIGINS = ("2011-03-11", "2011-06-10", "2011-09-09")
WEEKS = 13
REPORTS = "crmlab, as its reports tell"
_PYMC = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from pymc_marketing import clv
out = []
for file in sys.argv[2:]:
    data, found = pd.read_csv(file), {}
    for name in ("ModifiedBetaGeoModel", "BetaGeoModel"):
        def told():
            model = getattr(clv, name)()
            model.fit(data=data, method="map", progressbar=False)
            return float(np.asarray(model.expected_purchases(data=data, future_t=float(sys.argv[1]))).sum())
        told()
        rounds = []
        for _ in range(3):
            begin, cpu = time.perf_counter(), time.process_time()
            total = told()
            rounds.append((time.perf_counter() - begin, time.process_time() - cpu))
        found[name] = [total, *(sorted(part)[1] for part in zip(*rounds))]
    out.append(found)
print(json.dumps(out))
"""

Found = dict[str, tuple[float, float, float]]  # by who tells: total, wall and CPU seconds


def timed(what: Callable[[], float], rounds: int = 3) -> tuple[float, float, float]:
    """What is told, and median wall and CPU seconds after one round to warm up; of no rounds, the first alone."""
    walls, cpus = [], []
    for _ in range(rounds + 1):
        begin, cpu = time.perf_counter(), time.process_time()
        total = float(what())
        walls.append(time.perf_counter() - begin)
        cpus.append(time.process_time() - cpu)
    measured = slice(1 if rounds else 0, None)
    return total, statistics.median(walls[measured]), statistics.median(cpus[measured])


def told_here(data: Any, day: str) -> tuple[Found, pd.DataFrame, str]:
    """What crmlab and lifetimes tell on a day, the customers whom they saw, and what the reports say of their own total."""
    import lifetimes

    from crmlab import History
    from crmlab.analyses.customer_value import base_of, chosen, learnt
    from crmlab.models import MBGNBD

    said = ""

    def known() -> Any:
        return base_of(History(data).earlier(day))  # made anew, so that nothing is remembered of an earlier round

    def reports() -> float:
        nonlocal said
        base = known()
        choice = chosen(base)
        total = choice.fit(base, base.summary()).expected_total(base.summary(), WEEKS, interval="outcome")
        season = "with the season" if choice.season.used else "without a season"
        said = f"{choice.name} {season}, 90% interval {total['low']:,.0f} to {total['high']:,.0f}"
        return float(total["expected_purchases"])

    def on_a_clock() -> float:
        return float(MBGNBD(clock=learnt(known())).fit(summary).expected_purchases(summary, WEEKS).sum())

    def theirs(name: str) -> Callable[[], float]:
        columns = summary["frequency"], summary["recency"], summary["T"]

        def work() -> float:
            fitter = getattr(lifetimes, name)().fit(*columns)
            return float(np.nansum(fitter.conditional_expected_number_of_purchases_up_to_time(WEEKS, *columns)))

        return work

    summary = known().summary()
    found = {
        REPORTS: timed(reports, 0),
        "crmlab, MBG/NBD on its clock": timed(on_a_clock, 1),
        "crmlab, MBG/NBD": timed(lambda: MBGNBD().fit(summary).expected_purchases(summary, WEEKS).sum()),
    }
    found |= {f"lifetimes, {name}": timed(theirs(name)) for name in ("ModifiedBetaGeoFitter", "BetaGeoFitter")}
    return found, summary, said


def told_by_pymc(python: str, summaries: list[pd.DataFrame]) -> list[Found] | None:
    """What PyMC-Marketing tells of each summary, in a process of its own; None, and it is said why, where it fails."""
    alone = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    alone.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{k}.csv") for k in range(len(summaries))]
        for file, summary in zip(files, summaries, strict=True):
            summary[["customer_id", "frequency", "recency", "T"]].to_csv(file, index=False)
        asked = [python, "-c", _PYMC, str(WEEKS), *files]
        out = subprocess.run(asked, capture_output=True, text=True, check=False, env=alone)
    if out.returncode:
        print(f"PyMC-Marketing: {python} did not answer: {(out.stderr.strip().splitlines() or ['nothing said'])[-1]}")
        return None
    answers = json.loads(out.stdout.splitlines()[-1])
    return [{f"PyMC-Marketing, {name}, MAP": tuple(its) for name, its in one.items()} for one in answers]


def came_after(history: Any, day: str) -> float:
    """Repeat purchases in the weeks after a day, of the customers known on it."""
    from crmlab.analyses.customer_value import base_of

    until = dt.date.fromisoformat(day) + dt.timedelta(weeks=WEEKS)
    return float(base_of(history.earlier(until)).held(WEEKS)["holdout_purchases"].sum())


def main() -> int:
    warnings.simplefilter("ignore")
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--quick", action="store_true", help="the last origin alone")
    asked.add_argument("--pymc", help="a Python that can import pymc_marketing")
    options = asked.parse_args()
    import crmlab
    from crmlab.errors import SourceError

    try:
        data = crmlab.open_dataset("online_retail_ii")
    except SourceError as error:
        print(f"Online Retail II is not here, so nothing is measured: {str(error).splitlines()[0]}")
        return 0
    pymc = options.pymc or (str(python_of("pymc_marketing")) if is_there("pymc_marketing") else None)
    if pymc is None:
        print("PyMC-Marketing: not measured; --pymc names a Python that has it, bench_eight_jobs.py --install makes one")
    days = ORIGINS[-1:] if options.quick else ORIGINS
    here = [told_here(data, day) for day in days]
    there = told_by_pymc(pymc, [summary for _, summary, _ in here]) if pymc else [{} for _ in days]
    good = there is not None
    errors: dict[str, list[float]] = {}
    for day, (found, summary, said), more in zip(days, here, there or [{} for _ in days], strict=True):
        came = came_after(crmlab.History(data), day)
        print(f"\n{day}: {len(summary):,} customers, {came:,.0f} repeat purchases in the {WEEKS} weeks after it")
        for who, (total, wall, cpu) in (found | more).items():
            errors.setdefault(who, []).append(abs(total / came - 1))
            print(f"   {who:<42} {total:8,.0f} {total / came - 1:+8.1%} {wall:8.2f} s wall {cpu:8.2f} s CPU", end="")
            print(f"   {said}" if who == REPORTS else "")
    print(f"\nmean error over {len(days)} {'origins' if len(days) > 1 else 'origin'}:")
    means = {who: statistics.mean(each) for who, each in errors.items()}
    for who, mean in means.items():
        if who.startswith("crmlab"):
            print(f"   {who:<42} {mean:8.1%}")
            continue
        kept = means[REPORTS] <= 0.5 * mean
        good &= kept
        print(
            f"   {who:<42} {mean:8.1%}   reports / it {means[REPORTS] / mean:.2f} (promised ≤ 0.5): "
            f"{'as promised' if kept else 'NOT as promised'}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
