"""One choice for a hundred thousand customers under shared limits and rules of each, against an integer programme on what it can do.

12 actions × 4 weeks, a budget, a capacity of each action and week (49 limits), at most two contacts in any 28 days, a cooldown for each
action, one pair that is never together, one action only after another, and half as many contacts of before as there are customers. Promise:
at most .5% is lost (by the choice's own bound) in 60 s of processors' time and 2 GB, reading the candidates included, in a process of its
own. HiGHS is given 60 s on 1,000 customers: what share of its bound both reach.

``python benchmarks/bench_decisions.py [customers]``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the plans that tests decide on

CUSTOMERS, SMALL = 100_000, 1_000
ACTIONS, WEEKS = 12, 4
LOST, PROMISED, MEMORY, LIMIT = 0.005, 60.0, 2.0, 60.0


def run(what: str, n: int) -> dict[str, float]:
    """One side: what it reached, and what it took."""
    from crmlab.models.decisions import allocate, exact
    from tests.models.decisions.plans import problem_of

    problem, begun, cpu = problem_of(n, 1, actions=ACTIONS, weeks=WEEKS), time.perf_counter(), time.process_time()
    found = allocate(problem) if what == "ours" else exact(problem, time_limit=LIMIT)
    took = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = {"whole": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 2**20}
    return {"value": found.value, "bound": found.bound, "lost": found.lost, "contacts": len(found.chosen), **took, **whole}


def child(what: str, n: int) -> dict[str, float]:
    """Run one side in a process of its own; its peak of memory comes with it."""
    out = subprocess.run([sys.executable, __file__, what, str(n)], check=True, capture_output=True, text=True)
    return dict(json.loads(out.stdout.splitlines()[-1]))


def main(customers: int = CUSTOMERS) -> None:
    """Print both."""
    large = child("ours", customers)
    print(
        f"one choice for {customers:,} customers × {ACTIONS} actions × {WEEKS} weeks: {large['contacts']:,.0f} contacts, at most "
        f"{large['lost']:.3%} lost (promised {LOST:.1%}); {large['cpu']:.1f} s of processors' time, {large['whole']:.1f} s with making and "
        f"reading (promised {PROMISED:g} s), peak memory {large['memory']:.2f} GB (promised {MEMORY:g} GB)"
    )
    mine, theirs = child("ours", SMALL), child("exact", SMALL)
    print(
        f"{SMALL:,} customers: {mine['value'] / theirs['bound']:.3%} of HiGHS's bound in {mine['seconds']:.1f} s; HiGHS itself "
        f"{theirs['value'] / theirs['bound']:.3%} in {theirs['seconds']:.1f} s: {theirs['seconds'] / mine['seconds']:.1f} times our time"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
