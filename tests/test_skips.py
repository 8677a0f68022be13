"""Skips: a test that skips fails in CI, unless it is marked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

def test_skips():
    pytest.skip("There is no Java.")

@pytest.mark.skipif(True, reason="There is no file.")
def test_is_skipped():
    pass

@pytest.mark.may_skip("only here")
def test_may_skip():
    pytest.skip("There is no disk.")

@pytest.mark.xfail
def test_fails():
    assert False
"""


@pytest.mark.proof
@pytest.mark.parametrize(
    ("where", "counts"), [({"CI": "true"}, "1 failed, 1 skipped, 1 xfailed, 1 error"), ({}, "3 skipped, 1 xfailed")]
)
def test_a_skip_fails_in_ci_unless_it_is_marked(tmp_path, where, counts):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_them.py").write_text(TESTS)
    env = {**{key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST_")}, **where}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert counts in done.stdout, done.stdout + done.stderr
    assert ("There is no Java.\nNothing may be skipped in CI" in done.stdout) == bool(where)
