"""What several kinds need: a project of its own with nothing in it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without data or notebooks, with a campaign memory of its own; it is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    for folder in ("data", "notebooks"):
        (tmp_path / folder).mkdir()
    return tmp_path
