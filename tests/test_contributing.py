"""The analysis of CONTRIBUTING, added to a copy of the project as the document says, block by block, and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAME = "second_purchase"
BLOCKS = re.findall(r"^```(python|diff|sh)\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S)


def blocks(kind: str) -> list[tuple[str, str]]:
    """The path that the first line of a block names, and what the block holds."""
    found = [text.partition("\n") for language, text in BLOCKS if language == kind]
    return [(first.removeprefix("# "), rest) for first, _, rest in found]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files, the analysis of the document among them."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("This is no git checkout, so its files cannot be listed.")
    folder = tmp_path_factory.mktemp("project")
    for name in filter(None, done.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for path, text in blocks("python"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for path, text in blocks("diff"):
        lines = text.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line.startswith(" "))
        new = "".join(line[1:] for line in lines)
        before = (folder / path).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path} has other lines than CONTRIBUTING"
        (folder / path).write_text(before.replace(old, new), encoding="utf-8")
    return folder


def ask(copy: Path, *command: str) -> str:
    """Run a command with the package of the copy."""
    env = {key: value for key, value in os.environ.items() if key != "CRMLAB_HOME"}
    done = subprocess.run(
        command, cwd=copy, env={**env, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_example_is_small_and_needs_one_line_in_two_files():
    written = [line for _, text in blocks("python") for line in text.splitlines() if line.strip()]
    assert len(written) <= 100
    around = re.compile(r'\s*(from |import |if TYPE_CHECKING|__all__|""".*"""$)')
    assert len([line for line in written if not around.match(line)]) <= 60
    assert {Path(path).parent for path, _ in blocks("python")} == {Path("crmlab/analyses") / NAME}
    for _, text in blocks("diff"):
        assert sum(line.startswith("+") for line in text.splitlines()) == 1


@pytest.mark.proof
def test_analysis_of_the_document_is_added_as_it_says(copy):
    commands = next(text for language, text in BLOCKS if language == "sh").splitlines()
    said = {}
    for command in commands:
        words = command.split()
        program = [sys.executable] if words[0] == "python" else [sys.executable, "-m", "crmlab.cli"]
        said[command] = ask(copy, *program, *words[1:])
    assert "Needs: orders" in said[f"crmlab describe {NAME}"]

    folder = copy / "reports" / "cdnow_sample" / NAME
    metric = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["second_purchase_share"]
    assert 0 < metric["low"] < metric["value"] < metric["high"] < 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "How many new customers buy a second time?" in page
    assert "customers bought again within 90 days." in page

    ask(copy, str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    ask(copy, sys.executable, "-m", "ruff", "check", "crmlab")
    ask(copy, sys.executable, "-m", "ruff", "format", "--check", "crmlab")
    tests = ("tests/contract", "tests/analyses/test_no_leak.py", "tests/analyses/test_quiet_day.py")
    tested = ask(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", NAME, *tests)
    assert re.search(r"\b1[0-9] passed", tested), tested
    ask(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_house.py")
