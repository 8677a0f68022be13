"""Reading whatever comes: 0 tracebacks, 0 hangs, never more than 1 GB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .fuzzing import fuzz

pytestmark = pytest.mark.proof


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        pytest.param(kind, seconds, marks=[pytest.mark.nightly] if seconds > 5 or kind == "xlsx" else [])
        for kind in ("csv", "xlsx", "toml")
        for seconds in (5, 600)
    ],
)
def test_fuzz_of_reading(kind: str, seconds: float, tmp_path: Path, figures: Callable[..., None]) -> None:
    found = fuzz(kind, seconds, seed=round(seconds), folder=tmp_path)
    figures(inputs=found.outcomes.total(), **dict(found.outcomes), lines=found.lines, largest_MB=found.megabytes)
    assert not found.faults, "\n".join(f"{what}\n    {place}" for what, place in found.faults.items())
    assert found.outcomes["read"] and found.outcomes["refused"], "all inputs went one way: no attack"
