"""``crmlab new`` at a terminal: open questions are asked one by one, and the answers stand in the TOML file."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

ORDERS = "order,customer,date,total,status,currency\n" + "".join(
    f"{i},C{i % 9},2024-{1 + i % 9:02d}-{1 + i % 27:02d},10.00,{('paid', 'phase 3', 'hold back')[i % 3]},{'USD' if i == 5 else 'EUR'}\n"
    for i in range(60)
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "orders.csv").write_text(ORDERS)
    return tmp_path


def talk(project: Path, answers: list[tuple[str, str]], *options: str) -> str:
    """Run `crmlab new orders.csv` in a terminal; after each text that is waited for, type an answer. Returns all that was shown."""
    main, side = pty.openpty()
    command = [sys.executable, "-m", "crmlab.cli", "new", "orders.csv", *options]
    with subprocess.Popen(
        command, cwd=project, stdin=side, stdout=side, stderr=side, env=os.environ, close_fds=True
    ) as process:
        os.close(side)
        shown, seen, until = "", 0, time.monotonic() + 90
        waiting = list(answers)
        while time.monotonic() < until:
            ready, _, _ = select.select([main], [], [], 0.2)
            if ready:
                try:
                    piece = os.read(main, 4096)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                shown += piece.decode(errors="replace")
            if waiting and waiting[0][0] in shown[seen:]:
                seen = len(shown)
                os.write(main, f"{waiting.pop(0)[1]}\n".encode())
        process.wait(timeout=30)
    os.close(main)
    assert process.returncode == 0, shown
    assert not waiting, shown
    return shown.replace("\r\n", "\n")


def made(project: Path) -> tuple[dict[str, Any], str]:
    text = (project / "data" / "orders.toml").read_text(encoding="utf-8")
    return tomllib.loads(text), text


def test_new_asks_in_a_terminal_and_writes_the_answers(project: Path) -> None:
    shown = talk(project, [("[1]:", "2"), ("worth in EUR", "0.92"), ("Enter for none", "2"), ("if you do not know", "0,35")])
    content, text = made(project)
    assert content["rates"] == {"USD": 0.92}
    assert content["margin"] == 0.35 and text.count("margin = ") == 1
    assert content["orders"]["keep"] == ["paid", "phase 3"]
    assert content["orders"]["drop"] == ["hold back"]
    assert "# unsure:" not in text
    assert "unsure" not in shown
    assert "Question 1 of 2: 'currency' also holds USD (1 row, 10.00 USD)." in shown


def test_enter_takes_the_default_and_a_wrong_answer_is_asked_again(project: Path) -> None:
    shown = talk(
        project,
        [
            ("[1]:", ""),
            ("Enter for none", "7"),
            ("Enter for none", ""),
            ("if you do not know", "40"),
            ("if you do not know", ""),
        ],
    )
    content, text = made(project)
    assert "Expected numbers from 1 to 2" in shown
    assert "Expected a number above 0 and at most 1. Got '40' instead." in shown
    assert "margin" not in content and "\n# margin = 0.4  # gross margin" in text
    assert content["rates"] == {"USD": "drop"}
    assert content["orders"]["keep"] == ["paid"]
    assert sorted(content["orders"]["drop"]) == ["hold back", "phase 3"]
    assert "# unsure:" not in text


def test_new_asks_nothing_with_no_input(project: Path) -> None:
    shown = talk(project, [], "--no-input")
    content, text = made(project)
    assert "Question" not in shown and "margin" not in shown
    assert "rates" not in content and "margin" not in content and "\n# margin = 0.4  # gross margin" in text
    assert content["orders"]["keep"] == ["paid"]
    assert text.count("# unsure:") == shown.count("unsure:") == 2


def test_new_asks_nothing_without_a_terminal(project: Path) -> None:
    command = [sys.executable, "-m", "crmlab.cli", "new", "orders.csv"]
    done = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert "Question" not in done.stdout
    assert done.stdout.count("unsure:") == 2
