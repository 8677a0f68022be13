"""What several kinds need: a project of its own with nothing in it, and one with a key for the ids of customers."""

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


@pytest.fixture
def keyed_project(empty_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in which the key that customers' ids are made with is the bytes from 0 to 31."""
    monkeypatch.delenv("CRMLAB_KEY", raising=False)
    private = empty_project / "data" / "private"
    private.mkdir(mode=0o700)
    (private / "customers.key").write_text(bytes(range(32)).hex() + "\n")
    (private / "customers.key").chmod(0o600)
    return empty_project
