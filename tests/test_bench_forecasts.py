"""The benchmark of forecasts says what it could not measure, and its times are medians of warm rounds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("bench_forecasts")


def test_without_the_shop_it_says_that_nothing_is_measured_and_ends_well(bench, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CRMLAB_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["bench_forecasts.py"])
    assert bench.main() == 0
    assert capsys.readouterr().out.startswith("Online Retail II is not here, so nothing is measured: ")


def test_a_python_without_pymc_marketing_is_named_with_what_it_said(bench, capsys):
    summary = pd.DataFrame({"customer_id": ["a"], "frequency": [1], "recency": [2.0], "T": [3.0]})
    assert bench.told_by_pymc(sys.executable, [summary]) is None
    assert capsys.readouterr().out == (
        f"PyMC-Marketing: {sys.executable} did not answer: ModuleNotFoundError: No module named 'pymc_marketing'\n"
    )


def test_the_first_round_warms_up_and_counts_only_where_it_is_the_only_one(bench, monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 11.0, 20.0, 23.0, 30.0, 32.0])
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    assert bench.timed(lambda: 7, 3)[:2] == (7.0, 2.0)
    monkeypatch.setattr(bench.time, "perf_counter", iter([0.0, 9.0]).__next__)
    assert bench.timed(lambda: 7, 0)[:2] == (7.0, 9.0)
