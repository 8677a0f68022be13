"""Eight jobs side by side in crmlab, lifetimes, PyMC-Marketing and tea-tasting: lines of code, seconds, and what each finds.

Each package has a file in ``eight_jobs/`` with one function per job, as one who knows the package would write it; what it does not offer
is not there. PyMC-Marketing fits by MAP, and by NUTS where intervals are asked for. Lines are those of the function's body as the
formatter lays them out; in brackets, statements. All get the same simulated data. Each file runs in a process of its own, on one core
where the system allows that and with one thread of linear algebra; times are medians of up to five rounds after one to warm up, or of
what takes more than a minute that of the first. Promise: what does the same finds the same.

crmlab needs no more than its own environment, which has lifetimes too. ``--install`` makes an environment for each peer in
``.cache/environments``, from ``eight_jobs/requirements-*.txt``; without it, a peer that has none is named and left out. ``--quick`` takes
a thousand customers instead of ten thousand.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from eight_jobs.jobs import JOBS, lines_of, run

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".cache" / "environments"
PACKAGES = {"crmlab": "crmlab", "lifetimes": "lifetimes", "pymc_marketing": "PyMC-Marketing", "tea_tasting": "tea-tasting"}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
# How near to crmlab the same method must come, as a share of crmlab's answer.
ALIKE = {"summarise_purchases": 0.0, "fit_and_plot": 1e-4, "holdout_check": 1e-4, "compare_two_models": 1e-4, "ab_test": 1e-3}
# And PyMC-Marketing of 10,000 customers: it has priors, which weigh the more the fewer there are, and discounts by month.
WITH_PRIORS = {**ALIKE, "fit_and_plot": 0.02, "holdout_check": 0.01, "value_with_intervals": 0.02, "compare_two_models": 0.02}


def requirements(package: str) -> Path:
    """Where the pinned versions of a peer stand."""
    return HERE / "eight_jobs" / f"requirements-{package.replace('_', '-')}.txt"


def python_of(package: str) -> Path:
    """Where the Python of a peer's environment is, if it was made."""
    return ENVIRONMENTS / package / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_there(package: str) -> bool:
    """Whether a peer has an environment with the versions that are pinned now."""
    kept = ENVIRONMENTS / package / "requirements.txt"
    return python_of(package).exists() and kept.exists() and kept.read_bytes() == requirements(package).read_bytes()


def install(package: str) -> None:
    """Make a peer's environment anew."""
    print(f"installing {PACKAGES[package]} and what it needs in {ENVIRONMENTS / package} …", flush=True)
    venv.create(ENVIRONMENTS / package, with_pip=True, clear=True)
    asked = [str(python_of(package)), "-m", "pip", "install", "--quiet", "-r", str(requirements(package))]
    subprocess.run(asked, check=True)
    (ENVIRONMENTS / package / "requirements.txt").write_bytes(requirements(package).read_bytes())


def measured(package: str, python: str, folder: Path) -> dict[str, Any]:
    """Run a package's file in a process of its own."""
    alone = {**os.environ, **dict.fromkeys(THREADS, "1"), "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    if python != sys.executable:
        alone.pop("PYTHONPATH", None)
    asked = [python, __file__, "--run", package, str(folder)]
    out = subprocess.run(asked, capture_output=True, text=True, check=False, env=alone)
    if out.returncode:
        said = (out.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {
            job: {"failed": said} for job in lines_of((HERE / "eight_jobs" / f"in_{package}.py").read_text()) if job in JOBS
        }
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


def run_here(package: str, folder: Path) -> None:
    """In the process of a package: run its jobs on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from eight_jobs.data import read

    found = run(importlib.import_module(f"eight_jobs.in_{package}"), read(folder))
    print(json.dumps(found))


def notes_of(package: str) -> dict[str, str]:
    """Read the notes of a package's file without importing it."""
    import ast

    for node in ast.parse((HERE / "eight_jobs" / f"in_{package}.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "NOTES":
            return dict(ast.literal_eval(node.value))
    return {}


def shown(value: Any) -> str:
    """A number, or an estimate with its interval."""
    if isinstance(value, list):
        return f"{shown(value[0])} ({shown(value[1])} to {shown(value[2])})"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(found: dict[str, dict[str, Any]]) -> None:
    """Print job by job what each package needs for it and finds."""
    lines = {package: lines_of((HERE / "eight_jobs" / f"in_{package}.py").read_text()) for package in PACKAGES}
    for number, (job, meaning) in enumerate(JOBS.items(), 1):
        print(f"\n{number}. {meaning}")
        for package, name in PACKAGES.items():
            note = notes_of(package).get(job, "")
            if job not in lines[package]:
                print(f"   {name:<15} not offered{f': {note}' if note else ''}")
                continue
            rows, statements = lines[package][job]
            count = f"{rows} line{'s' if rows > 1 else ' '} ({statements})"
            one = found.get(package, {}).get(job)
            if one is None:
                print(f"   {name:<15} {count}   not measured")
            elif "failed" in one:
                print(f"   {name:<15} {count}   FAILED: {one['failed']}")
            else:
                rounds = f"median of {one['rounds']}" if one["rounds"] else "once, not warmed up"
                told = ", ".join(f"{key} {shown(value)}" for key, value in one["told"].items())
                print(f"   {name:<15} {count} {one['wall']:8.2f} s wall {one['cpu']:8.2f} s CPU   ({rounds})   {told}")
                if note:
                    print(f"   {'':<15} {note}")
    print()
    for package, name in PACKAGES.items():
        its = [job for job in JOBS if job in lines[package]]
        total, statements = (sum(lines[package][job][k] for job in its) for k in (0, 1))
        imports = lines[package]["imports"][0]
        print(f"{name:<15} {len(its)} of {len(JOBS)} jobs: {total} lines ({statements} statements), and {imports} of imports")


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference of estimates, as a share of ours; ends of intervals are not held to it."""
    mine, other = (value[0] if isinstance(value, list) else value for value in (ours, theirs))
    return abs(other - mine) / max(abs(mine), 1e-12)


def agreement(found: dict[str, dict[str, Any]], customers: int) -> bool:
    """Print how far the answers of the same method are from crmlab's, and say whether all are as near as they must be."""
    good = True
    for job in JOBS:
        ours = found["crmlab"][job].get("told", {})
        for package, its in found.items():
            theirs = its.get(job, {}).get("told", {})
            alike = WITH_PRIORS if package == "pymc_marketing" else ALIKE
            if package == "crmlab" or not theirs or not ours or job not in alike:
                continue
            most = alike[job] * (10_000 / customers if package == "pymc_marketing" else 1)
            # One customer's value is in the table: NUTS knows it to a few percent.
            gap = max(apart(ours[key], theirs[key]) for key in ours if key in theirs and key != "of the first")
            good &= gap <= most
            verdict = "as promised" if gap <= most else "NOT as promised"
            print(f"{JOBS[job]}: {PACKAGES[package]} differs from crmlab by {gap:.1e} (promised ≤ {most:g}): {verdict}")
    return good


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--install", action="store_true", help="make the environments of peers that have none")
    asked.add_argument("--quick", action="store_true", help="a thousand customers")
    options = asked.parse_args()
    pythons = {"crmlab": sys.executable}
    for package, name in list(PACKAGES.items())[1:]:
        if options.install and not is_there(package):
            install(package)
        if is_there(package):
            pythons[package] = str(python_of(package))
        elif package == "lifetimes":
            pythons[package] = sys.executable
            print("lifetimes has no environment of its own: crmlab's serves it, with the versions of crmlab's lock.")
        else:
            print(f"{name} has no environment with the pinned versions: it is not measured. --install makes one.")
    from eight_jobs.data import make

    customers = 1_000 if options.quick else 10_000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, customers)
        where = "one core" if hasattr(os, "sched_setaffinity") else "cores that cannot be chosen here"
        print(
            f"{customers:,} customers over two years, {2 * customers:,} in the test; one process each, on {where}, one thread.",
            flush=True,
        )
        found = {package: measured(package, python, folder) for package, python in pythons.items()}
    table(found)
    print()
    good = agreement(found, customers)
    return 0 if good and not any("failed" in one for its in found.values() for one in its.values()) else 1


if __name__ == "__main__":
    if "--run" in sys.argv:
        at = sys.argv.index("--run")
        run_here(sys.argv[at + 1], Path(sys.argv[at + 2]))
    else:
        sys.exit(main())
