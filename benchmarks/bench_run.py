"""Running reports: two jobs against one, against the papermill command, when nothing changed, and what running costs.

Promises (medians of several rounds, measured in one run):

- all notebooks on the shop, two jobs: at least 1.6 times as fast as one job;
- and at least 2.5 times as fast as the papermill command, called once per notebook;
- nothing changed: under 2 s for the whole set;
- what runner and rendering add to the notebooks' own cells: under 2.5 s per notebook;
- ``crmlab --help``: under 0.5 s.

``python benchmarks/bench_run.py [rounds]``
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crmlab.report.jobs import runs_unasked
from crmlab.report.registry import notebook_path, report_names


def timed(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(rounds: int = 3) -> None:
    crmlab = [sys.executable, "-m", "crmlab.cli"]
    names = [name for name in report_names() if runs_unasked(name)]
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "CRMLAB_CACHE": f"{scratch}/cache"}
        run = [*crmlab, "run", "--data", "shop", "--out", f"{scratch}/out"]
        timed([*run, "--force"], environment)  # fills the cache of the data set
        two, one, peer, idle, added = [], [], [], [], []
        for _ in range(rounds):
            two.append(timed([*run, "--force", "--jobs", "2"], environment))
            one.append(timed([*run, "--force", "--jobs", "1"], environment))
            records = [json.loads(path.read_text()) for path in Path(scratch, "out", "shop").glob("*/run.json")]
            added.append((one[-1] - sum(record["cell_seconds"] for record in records)) / len(records))
            begun = time.perf_counter()
            for name in names:
                papermill = [sys.executable, "-m", "papermill", str(notebook_path(name)), f"{scratch}/{name}.ipynb"]
                timed([*papermill, "--no-progress-bar", "-p", "data", "shop"], environment)
            peer.append(time.perf_counter() - begun)
            idle.append(timed(run, environment))
        helped = [timed([*crmlab, "--help"], environment) for _ in range(5)]
    middle = statistics.median
    ratios = [a / b for a, b in zip(one, two, strict=True)], [a / b for a, b in zip(peer, two, strict=True)]
    print(f"{len(names)} notebooks on the shop, medians of {rounds} rounds")
    print(f"two jobs {middle(two):.2f} s, one job {middle(one):.2f} s: {middle(ratios[0]):.2f} times as fast (promised 1.6)")
    print(f"papermill command, once each, {middle(peer):.2f} s: {middle(ratios[1]):.2f} times as fast (promised 2.5)")
    print(f"nothing changed {middle(idle):.2f} s (promised under 2)")
    print(f"added to the notebooks' own cells {middle(added):.2f} s per notebook (promised under 2.5)")
    print(f"crmlab --help {middle(helped):.2f} s (promised under 0.5)")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
