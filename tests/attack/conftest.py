"""Where attacks take place: a cache, a folder of reports and a nursery of their own, and a line of figures at the end of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.report.helpers import Nursery


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that an attack may spoil."""
    return tmp_path_factory.mktemp("attacked") / "cache"


@pytest.fixture(scope="module")
def nursery(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where commands are forked from."""
    started = Nursery(cache, tmp_path_factory.mktemp("nursery"))
    yield started
    started.close()


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[..., None]:
    """Print what an attack counted, past pytest's capture: the line is for whoever closes an issue."""

    def say(**counted: float | str) -> None:
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counted.items())
        with capsys.disabled():
            print(f"\n{request.node.name}: {said}")

    return say
