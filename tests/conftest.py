"""What all tests share: a cache of their own, values made once, one Spark session, a Postgres, and a word on skips."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import pickle
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from filelock import FileLock
from hypothesis import settings

from crmlab.history.sharing import SHARED
from crmlab.report.keys import installed_digest

from .postgres import server

# A busy machine is no fault of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Two workers on two cores: threads of numerical libraries would only get in each other's way, as they would in kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
# PySpark's own: sockets that its gateway leaves to the garbage collector, names that pandas and Arrow are giving up.
SPARK_NOISE = ("ignore::Warning:pyspark", "ignore::Warning:py4j", "ignore::ResourceWarning")
# Files that take longest, longest first: a worker that began one of them last would work alone for minutes.
LONGEST = (
    "test_headlines_hold_the_truth",
    "test_results",
    "test_customer_value",
    "test_no_leak",
    "test_scorecard",
    "test_churn",
    "test_guess",
    "test_faults",
    "test_reproducible",
    "test_hostile",
    "test_pages",
    "test_comparisons",
    "test_source",
    "test_cleaning",
    "test_campaign_results",
    "test_cross_sell",
    "test_offers",
)
OWNED = pytest.StashKey[Path]()
# Name of a data set that tests make of the sample shop → table → column of costs that it lacks.
COSTLESS = {
    "shop without unit costs": ("products", "unit_cost"),
    "shop without costs of offers": ("cells", "cost_per_response"),
}


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a cache outside the project; doctests and workers of xdist use it too."""
    if not hasattr(config, "workerinput"):
        _forget()
        config.stash[OWNED] = Path(tempfile.mkdtemp(prefix="crmlab-tests-"))
        os.environ["CRMLAB_CACHE"] = str(config.stash[OWNED] / "cache")
        os.environ["CRMLAB_TESTS_SHARED"] = str(config.stash[OWNED] / "shared")


def pytest_unconfigure(config: pytest.Config) -> None:
    if OWNED in config.stash:
        shutil.rmtree(config.stash[OWNED], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {}
    for item in items:
        for fixture in ("spark", "postgres"):
            if fixture in getattr(item, "fixturenames", ()) or item.get_closest_marker(fixture):
                item.add_marker(getattr(pytest.mark, fixture))
                groups[item.nodeid] = fixture
        # Whole pages are proofs as well: `make test` runs their notebooks, and tests of what pages are made of.
        page = "result_of" in getattr(item, "fixturenames", ())
        if page or any(item.get_closest_marker(needed) for needed in ("postgres", "browser", "spark")):
            item.add_marker(pytest.mark.proof)
        if item.get_closest_marker("spark"):
            for noise in SPARK_NOISE:
                item.add_marker(pytest.mark.filterwarnings(noise))
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: 0 if item.get_closest_marker("spark") else 1 + place.get(item.path.stem, len(place)))
    # For the scheduler, which knows names only. (xdist's own groups do nothing under pytest 9.)
    path = shared() / f"groups-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}.json"
    path.write_text(json.dumps(groups), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out files whole, the longest first, and a JVM and a server to the one worker that runs all tests that need them."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        @cached_property
        def groups(self) -> dict[str, str]:
            # Asked for after every worker has collected.
            return json.loads(next(shared().glob("groups-gw*.json")).read_text(encoding="utf-8"))

        def _split_scope(self, nodeid: str) -> str:
            return self.groups.get(nodeid) or super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Files(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips in CI fails: what is missing there would be missing for years, and nobody would see it."""
    report = yield
    expected = hasattr(report, "wasxfail") or item.get_closest_marker("may_skip")
    if report.skipped and not expected and os.environ.get("CI", "").lower() in ("1", "true"):
        said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"{said}\nNothing may be skipped in CI but what is marked may_skip."
    return report


@cache
def digest() -> str:
    """A digest of all code, the tests' too, of the data sets that the project names, and of what is installed."""
    found = hashlib.sha256(installed_digest().encode())
    for path in sorted([*(ROOT / "crmlab").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "data").glob("*.toml")]):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def kept() -> Path:
    """A folder for what runs of tests of the same code share: so that ``make proofs`` need not make anew what ``make test`` made."""
    folder = ROOT / ".cache" / "tests" / digest()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _forget() -> None:
    """Remove what runs of other code kept, unless one may be at work."""
    for folder in (ROOT / ".cache" / "tests").glob("*"):
        if folder.name != digest() and time.time() - folder.stat().st_mtime > 6 * 3600:
            shutil.rmtree(folder, ignore_errors=True)


def shared() -> Path:
    """A folder that all workers of a run share."""
    folder = Path(os.environ["CRMLAB_TESTS_SHARED"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def once(name: str, make: Callable[[], Any], *, of_run: bool = False) -> Any:
    """A value that is made by the first worker who asks for it, and read from a file by the others, of later runs too but for ``of_run``."""
    path = (shared() if of_run else kept()) / f"{name}.pickle"
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            # Charts hold functions of functions, which pickle alone cannot write.
            path.with_suffix(".part").write_bytes(cloudpickle.dumps(make()))
            path.with_suffix(".part").replace(path)
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="session")
def opened_once() -> Callable[[str], Any]:
    """A function that opens a data set of the project, once for each worker; what is read is cached between them.

    It makes those of COSTLESS too.
    """
    from crmlab import open_dataset

    @cache
    def opened(name: str) -> Any:
        if name not in COSTLESS:
            return open_dataset(name)
        (table, column), shop = COSTLESS[name], opened("shop")
        tables = {known: shop.table(known) for known in shop.tables}
        return replace(shop, _tables=tables | {table: tables[table].drop(column)})

    return opened


@pytest.fixture(autouse=True, scope="session")
def worked_out_once() -> Iterator[None]:
    """What all histories of a data set share is worked out by the first test that asks, and read by all workers of the run.

    Of data sets as they were opened: one whose tables a test has changed begins anew.
    """
    import ibis.expr.operations as ops

    from crmlab.history.past import History

    asked = History._shared

    def kept(self: History, key: object, make: Callable[[], Any]) -> Any:
        whole = self._whole
        as_opened = all(isinstance(table.op(), ops.DatabaseTable) for table in whole._tables.values())
        if whole.fingerprint is None or whole.remembered is not None or not as_opened or key in whole.worked_out:
            return asked(self, key, make)
        names = sorted(table.op().name for table in whole._tables.values())
        told = hashlib.sha256(repr((whole.fingerprint, whole.descriptor, names, key)).encode()).hexdigest()[:32]
        whole.worked_out[key] = once(f"worked-{told}", make, of_run=whole.descriptor.folder != ROOT / "data")
        return whole.worked_out[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "_shared", kept)
        yield


@pytest.fixture(autouse=True)
def nothing_worked_out(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that replaces functions neither takes what was worked out before for all histories nor leaves any of it behind."""
    if "monkeypatch" not in request.fixturenames:
        yield
        return
    from crmlab.history.past import History

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "_shared", lambda _, __, make: make())
        yield


@pytest.fixture(scope="session")
def result_of(opened_once: Callable[[str], Any]) -> Callable[[str, str], Any]:
    """A function that gives what an analysis finds, with the parameters as they are, in a data set of the project."""
    from crmlab.report.registry import analysis

    def found(name: str, data: str) -> Any:
        module, place = analysis(name), f"{data.replace(' ', '-')}-{(opened_once(data).fingerprint or '')[:12]}"

        def make() -> Any:
            folder = shared() / f"worked-{place}"
            folder.mkdir(exist_ok=True)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(SHARED, str(folder))  # as for the reports of one run
                return module.run(opened_once(data), module.Params())

        return once(f"result-{name}-{place}", make)

    return found


@pytest.fixture(scope="module")
def nothing_remembered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty campaign memory for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path_factory.mktemp("memory")))
        yield


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark session; skips where Java is not there."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on the PATH.")
    pytest.importorskip("pyspark", reason="Spark is not installed: it comes with requirements-dev.lock.")
    from crmlab.data.reading.engines import spark as connect

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = connect()._session
    yield session
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.stop()
        gc.collect()  # what is left of the gateway, while nobody minds


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a Postgres of the run's own; skips where there is none."""
    with server() as address:
        yield address


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> str:
    """The address of an empty database, one for each file of tests."""
    import psycopg

    name = f"tests_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as session:
        session.execute(f"create database {name}")
    return postgres_server.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def both(spark: Any, tmp_path: Path) -> Callable[..., list[Any]]:
    """A function that runs a reduction of tables on DuckDB and on Spark, and returns both answers in one order."""
    import ibis
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.frames import TYPES

    backends = (ibis.duckdb.connect(), ibis.pyspark.connect(spark))
    count = 0

    def run(reduce: Callable[..., Any], **frames: Any) -> list[Any]:
        nonlocal count
        count += 1
        paths = {}
        for name, frame in frames.items():
            paths[name] = tmp_path / f"{name}{count}.parquet"
            schema = pa.schema([(column, TYPES.get(column, pa.string())) for column in frame.columns])
            pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), paths[name])
        answers = []
        for backend in backends:
            tables = {name: backend.read_parquet(str(path)) for name, path in paths.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PySpark asks Arrow and pandas for names that they are giving up
                answer = reduce(**tables).to_pyarrow().to_pandas()
            answers.append(answer.sort_values(list(answer.columns), ignore_index=True))
        return answers

    return run
