"""Small data, made once for all workers: a small shop's reports, and saved results for quick notebooks."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from . import helpers
from .helpers import Nursery, Project, assert_settled, chromium, crmlab, environment, made, new_project, save_results

# A grey square.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAAAAACMmsGiAAAAC0lEQVR4nGNoQAIAE/QEAXzVvPUAAAAASUVORK5CYII=")
TINY = """\
title = "Tiny shop"
description = "A small simulated shop, to prove pages with"
licence = "Simulated by crmlab, BSD-3-Clause"
currency = "EUR"
timezone = "Europe/Berlin"
customer = "one customer is one account of the simulated shop"

[source]
kind = "shop"
customers = 400
seed = 3

[report]
title = "The tiny shop"
logo = "logo.png"
contact = "crm@example.com"
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "report-proofs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cache(shared: Path) -> Path:
    return shared / "cache"


def once(shared: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker to ask for it makes."""
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not (folder / "made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (folder / "made").touch()
    return folder


@dataclass(frozen=True)
class Shop:
    """The small shop: its TOML file, its reports, and the environment that they were made in."""

    toml: Path
    out: Path
    env: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.out / "tiny"


@pytest.fixture(scope="session")
def tiny(shared: Path) -> Path:
    """The TOML file of the small shop, with a logo."""

    def make(folder: Path) -> None:
        (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
        (folder / "logo.png").write_bytes(PNG)

    return once(shared, "tiny", make) / "tiny.toml"


@pytest.fixture(scope="session")
def shop(shared: Path, cache: Path, tiny: Path) -> Shop:
    """All reports of the small shop, made two at a time."""
    env = environment(cache)
    folder = once(
        shared, "shop", lambda f: made(crmlab("run", "--data", tiny, "--out", f / "reports", "--jobs", "2", env=env)) and None
    )
    return Shop(tiny, folder / "reports", env)


@pytest.fixture(scope="session")
def saved(shared: Path, cache: Path) -> Path:
    """What the notebooks of both reports save on cdnow_sample."""
    return once(shared, "saved", lambda folder: save_results(folder, cache))


@pytest.fixture(scope="session")
def nursery(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where commands are forked from."""
    started = Nursery(cache, tmp_path_factory.mktemp("nursery"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, cache: Path, saved: Path, nursery: Nursery) -> Path:
    """The reports of a project whose only run went well."""
    project = new_project(tmp_path_factory.mktemp("good"), cache, saved, nursery)
    status, said = project.run("rfm")
    assert status == 0, said
    assert_settled(project.folder)
    return project.out


@pytest.fixture
def project(tmp_path: Path, cache: Path, saved: Path, nursery: Nursery) -> Project:
    """A project of its own with a quick notebook for rfm; nothing was run."""
    return new_project(tmp_path, cache, saved, nursery)


@pytest.fixture
def proven(project: Project, good: Path) -> Project:
    """The same with a good report in place."""
    shutil.copytree(good, project.out)
    return project


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; nothing is downloaded. Not for the whole session: Playwright keeps an event loop running."""
    path = chromium()
    if path is None:
        pytest.skip(helpers.NO_CHROMIUM)
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: run make test.")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(helpers.CHROMIUM_ARGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as axe-playwright-python bundles it."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: run make test.")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
