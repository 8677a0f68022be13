"""What the eight jobs are called, what each is given, and how its lines are counted and its time is taken; needs nothing but Python."""

from __future__ import annotations

import ast
import io
import statistics
import sys
import time
import tokenize
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

JOBS = {
    "summarise_purchases": "a summary of purchases from orders",
    "fit_and_plot": "fit a buy-till-you-die model and plot it",
    "holdout_check": "check it against what came after",
    "value_with_intervals": "customer value with intervals",
    "compare_two_models": "compare two models",
    "next_offers": "next offers for each customer",
    "ab_test": "an A/B test from a frame",
    "plan_power": "the size that a test needs",
}
# What a job gets: a frame of the data, or what another job returned; of a pair, the first.
GIVEN = {
    "summarise_purchases": "orders",
    "fit_and_plot": "summarise_purchases",
    "holdout_check": "orders",
    "value_with_intervals": "summarise_purchases",
    "compare_two_models": "holdout_check",
    "next_offers": "lines",
    "ab_test": "people",
    "plan_power": "people",
}
ROUNDS, BUDGET, LONG = 5, 20.0, 60.0  # seconds: of all rounds of a job, and of a run after which no other follows


def lines_of(source: str) -> dict[str, tuple[int, int]]:
    """Lines with code, and statements, of the body of each function, and of all imports together as ``imports``.

    Examples
    --------
    >>> lines_of("import os\\n\\ndef job(a):\\n    # why\\n    b = a(\\n        1\\n    )\\n    return b\\n")
    {'imports': (1, 1), 'job': (4, 2)}
    """
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    coded = {
        row
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in skipped
        for row in range(token.start[0], token.end[0] + 1)
    }
    found = {"imports": (0, 0)}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            rows, count = found["imports"]
            found["imports"] = rows + node.end_lineno - node.lineno + 1, count + 1  # type: ignore[operator]
        elif isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            rows = range(body[0].lineno, body[-1].end_lineno + 1) if body else range(0)  # type: ignore[operator]
            statements = sum(isinstance(part, ast.stmt) for top in body for part in ast.walk(top))
            found[node.name] = len(coded.intersection(rows)), statements
    return found


def timed(what: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Median wall and CPU seconds of several rounds after one to warm up, how many they were (0: only the first), and what it returned."""

    def once() -> tuple[float, float, Any]:
        begin, cpu = time.perf_counter(), time.process_time()
        found = what()
        took = time.perf_counter() - begin, time.process_time() - cpu
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
        return *took, found

    wall, cpu, found = once()
    if wall > LONG:
        return {"wall": wall, "cpu": cpu, "rounds": 0}, found
    rounds = [once()[:2] for _ in range(max(1, min(ROUNDS, int(BUDGET / wall))))]
    return {
        "wall": statistics.median(one[0] for one in rounds),
        "cpu": statistics.median(one[1] for one in rounds),
        "rounds": len(rounds),
    }, found


def run(package: ModuleType, frames: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Run each job that a package has, and say what it took and what it found, or how it failed."""
    made, out = dict(frames), {}
    for job in JOBS:
        if not hasattr(package, job):
            continue
        given = made.get(GIVEN[job])
        if given is None:
            out[job] = {"failed": f"{GIVEN[job]} before it had failed"}
            continue
        do, given = getattr(package, job), given[0] if isinstance(given, tuple) else given
        try:
            took, found = timed(lambda do=do, given=given: do(given))  # type: ignore[misc]
            out[job] = {**took, "told": package.told(job, found)}
            made[job] = found
        except Exception as error:
            out[job] = {"failed": f"{type(error).__name__}: {error}"}
    return out
