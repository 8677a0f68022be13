"""What all tests share: a cache of their own, and one Spark session."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Two workers on two cores: threads of numerical libraries would only get in each other's way, as they would in kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# PySpark's own: sockets that its gateway leaves to the garbage collector, names that pandas and Arrow are giving up.
SPARK_NOISE = ("ignore::Warning:pyspark", "ignore::Warning:py4j", "ignore::ResourceWarning")
OWNED = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a cache outside the project; doctests and workers of xdist use it too."""
    if not hasattr(config, "workerinput"):
        config.stash[OWNED] = Path(tempfile.mkdtemp(prefix="crmlab-tests-"))
        os.environ["CRMLAB_CACHE"] = str(config.stash[OWNED] / "cache")


def pytest_unconfigure(config: pytest.Config) -> None:
    if OWNED in config.stash:
        shutil.rmtree(config.stash[OWNED], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("spark"):
            for noise in SPARK_NOISE:
                item.add_marker(pytest.mark.filterwarnings(noise))


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark session; skips where Java is not there."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on the PATH.")
    pytest.importorskip("pyspark", reason="Spark is not installed: it comes with requirements-dev.lock.")
    from crmlab.data.engines import spark as connect

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = connect()._session
    yield session
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.stop()
        gc.collect()  # what is left of the gateway, while nobody minds
