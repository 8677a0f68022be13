"""The eight jobs of the benchmark beside other packages: the same names in every file, and crmlab's run."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
FILES = sorted((BENCHMARKS / "eight_jobs").glob("in_*.py"))


@pytest.fixture
def jobs(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("eight_jobs.jobs")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_no_other_functions_and_notes_than_of_jobs(file, jobs):
    tree = ast.parse(file.read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert names == [*(job for job in jobs.JOBS if job in names), "told"]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    assert [node.targets[0].id for node in assigned] == ["NOTES"]
    assert set(ast.literal_eval(assigned[0].value)) <= set(jobs.JOBS)


def test_each_package_has_a_file_and_each_peer_pinned_versions_without_hosts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("bench_eight_jobs")
    assert {file.stem.removeprefix("in_") for file in FILES} == set(bench.PACKAGES)
    for package in set(bench.PACKAGES) - {"crmlab"}:
        pinned = bench.requirements(package).read_text().splitlines()
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line) for line in pinned)
        assert any(line.lower().startswith(f"{package.replace('_', '-')}==") for line in pinned)


def test_lines_are_those_with_code_and_a_sentence_of_documentation_is_none(jobs):
    source = (
        'from a import (\n    b,\n)\n\n\ndef job(x):\n    """Why."""\n    # so\n    y = b(\n        x,\n\n    )\n    return y\n'
    )
    assert jobs.lines_of(source) == {"imports": (3, 1), "job": (4, 2)}


def test_a_job_that_fails_says_how_and_those_after_it_say_which(jobs):
    class Package:
        @staticmethod
        def holdout_check(orders):
            raise ValueError(f"no {orders}")

        @staticmethod
        def compare_two_models(held):
            return held

        @staticmethod
        def plan_power(people):
            return len(people)

        @staticmethod
        def told(job, found):
            return {job: found}

    found = jobs.run(Package, {"orders": "orders", "people": "abc"})
    assert found["holdout_check"] == {"failed": "ValueError: no orders"}
    assert found["compare_two_models"] == {"failed": "holdout_check before it had failed"}
    assert found["plan_power"]["told"] == {"plan_power": 3} and found["plan_power"]["rounds"] == jobs.ROUNDS


@pytest.fixture
def small(tmp_path, jobs, monkeypatch):
    """Frames of 150 customers, and jobs that are run once."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(jobs, "LONG", 0.0)
    data = importlib.import_module("eight_jobs.data")
    data.make(tmp_path, 150)
    return data.read(tmp_path)


def test_crmlab_does_seven_on_a_small_frame(small, jobs):
    package = importlib.import_module("eight_jobs.in_crmlab")
    seven = {name: what for name, what in vars(package).items() if name != "next_offers"}
    found = jobs.run(SimpleNamespace(**seven), small)
    assert {job: one["failed"] for job, one in found.items() if "failed" in one} == {}
    assert list(found) == [job for job in jobs.JOBS if job != "next_offers"]
    told = {job: one["told"] for job, one in found.items()}
    assert told["summarise_purchases"] == {
        "customers": 150,
        "repeat purchases": len(small["orders"].drop_duplicates(["customer_id", "ordered_at"])) - 150,
    }
    for low, point, high in (
        [told["holdout_check"]["expected"][k] for k in (1, 0, 2)],
        [told["value_with_intervals"]["value of all"][k] for k in (1, 0, 2)],
    ):
        assert 0 < low < point < high
    means = small["people"].groupby("cell")["bought"].mean()
    assert told["ab_test"]["bought"][0] == pytest.approx(means["letter"] - means["none"])
    p = means["none"]
    needed = 7.8489 * (p * (1 - p) + (p + 0.02) * (1 - p - 0.02)) / 0.02**2  # Fleiss, Levin and Paik (2003), (4.14)
    assert told["plan_power"]["customers per cell"] == pytest.approx(needed, rel=1e-3)


@pytest.mark.proof
def test_crmlab_finds_three_offers_for_each_customer_of_a_small_frame(small, jobs):
    package = importlib.import_module("eight_jobs.in_crmlab")
    assert package.told("next_offers", package.next_offers(small["lines"])) == {"offers": 450, "customers": 150}


def test_orders_are_whole_days_and_cents_of_a_base_whose_parameters_are_known(jobs):
    import numpy as np

    from crmlab.history import customer_summary
    from crmlab.models import BGNBD

    data = importlib.import_module("eight_jobs.data")
    orders = data.orders(3000, np.random.default_rng(3))
    assert (orders["ordered_at"].dt.normalize() == orders["ordered_at"]).all()
    assert np.allclose(orders["amount"] * 100, (orders["amount"] * 100).round())
    assert orders["ordered_at"].max() <= np.datetime64(data.END)
    model = BGNBD().fit(customer_summary(orders, unit="week").to_pandas())
    for name, value in data.PURCHASES.items():
        assert model.params_[name] == pytest.approx(value, rel=0.25)
