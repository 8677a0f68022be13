"""Runs that are killed, starved, doubled or given a wrong clock: what stays is whole, true, and the same as ever.

Each attack has a short form (`make proofs`) and its full one (`make nightly`); the moments follow from a seed.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.report.helpers import (
    LONE_KERNELS,
    Nursery,
    Runner,
    assert_settled,
    assert_whole,
    environment,
    files_of,
    record_of,
    reports_in,
    start,
)

pytestmark = pytest.mark.proof
NAMES = ("rfm", "lifecycle")
# Everything but what tells the time of making.
TIMED = {"run.json", "report.html", "notebook.ipynb", "report.pdf"}


@dataclass
class Place:
    """A folder of reports under attack, and what its reports hold when nobody disturbs them."""

    data: str
    names: tuple[str, ...]
    out: Path
    cache: Path
    nursery: Nursery
    truth: dict[str, dict[str, bytes]]
    seconds: float = 0.0

    @property
    def folder(self) -> Path:
        return self.out / self.data

    def start(self, *arguments: str, names: tuple[str, ...] | None = None, prepare: str = "", lone: bool = True) -> Runner:
        command = ("run", *(self.names if names is None else names), "--data", self.data, "--out", self.out, *arguments)
        env = environment(self.cache, CRMLAB_CAMPAIGNS=str(self.out / "campaigns"))
        return self.nursery.start(*command, env=env, prepare=(LONE_KERNELS if lone else "") + prepare)

    def run(self, *arguments: str, prepare: str = "", lone: bool = True) -> str:
        status, said = self.start(*arguments, prepare=prepare, lone=lone).end()
        assert status == 0, said
        assert_settled(self.folder)
        return said

    def assert_true(self) -> None:
        """Every report in place is whole and holds what it holds when nobody disturbs it."""
        for place in reports_in(self.folder):
            assert_whole(place)
            assert numbers(place) == self.truth[place.name], f"{place.name} holds other numbers"


def numbers(place: Path) -> dict[str, bytes]:
    """What a report holds, without times."""
    return {name: content for name, content in files_of(place).items() if name.split("/")[-1] not in TIMED}


def settle(data: str, names: tuple[str, ...], folder: Path, nursery: Nursery, cache: Path) -> Place:
    """Make reports twice, undisturbed; the second time, with everything warm, is timed."""
    place = Place(data, names, folder / "reports", cache, nursery, {})
    place.run(lone=False)
    begun = time.monotonic()
    place.run("--force")
    place.seconds = time.monotonic() - begun
    place.truth = {report.name: numbers(report) for report in reports_in(place.folder)}
    assert set(names) <= set(place.truth)
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, cache: Path) -> Place:
    return settle("cdnow_sample", NAMES, tmp_path_factory.mktemp("kills"), nursery, cache)


def kill(place: Place, rng: random.Random) -> str:
    """Kill one run at a random moment; return what it was doing: building the cache, making reports, or nothing any more."""
    lone = rng.random() < 0.7
    cold = rng.random() < 0.3
    if cold:
        shutil.rmtree(place.cache)
    options = ("--force",) if rng.random() < 0.8 else ()
    runner = place.start(*options, lone=lone)
    time.sleep(rng.uniform(0, place.seconds * (1.05 if lone else 2.0)))
    runner.signal(rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
    status, said = runner.end()
    assert runner.survivors() == [], "processes of a killed run live on"
    assert "Traceback" not in said, said
    place.assert_true()
    return "ended" if status == 0 else "cold" if cold else "warm"


@pytest.mark.nightly
@pytest.mark.parametrize(("times", "minutes"), [(8, 5), (200, 40)])
def test_kills_of_runs(place: Place, figures: Callable[..., None], times: int, minutes: float) -> None:
    rng, begun, struck = random.Random(times), time.monotonic(), []
    for number in range(times):
        struck.append(kill(place, rng))
        if number % 10 == 7:
            place.run("--force")
            place.assert_true()
            assert not left_over(place), left_over(place)
    took = (time.monotonic() - begun) / 60
    figures(kills=times, minutes=f"{took:.1f}", **{name: struck.count(name) for name in ("warm", "cold", "ended")})
    assert struck.count("ended") < times / 2, "most runs had ended before they were killed: no attack"
    assert took <= minutes


def left_over(place: Place) -> list[str]:
    """Folders in the cache that a killed run left there."""
    return [path.name for path in place.cache.rglob("*") if ".aside" in path.name]


@pytest.mark.nightly
@pytest.mark.parametrize("times", [10])
def test_kills_of_runs_of_the_shop(
    tmp_path: Path, nursery: Nursery, cache: Path, figures: Callable[..., None], times: int
) -> None:
    place, rng, struck = settle("shop", (), tmp_path, nursery, cache), random.Random(5), []
    for _ in range(times):
        runner = place.start("--force", lone=rng.random() < 0.5)
        time.sleep(rng.uniform(0, place.seconds))
        runner.signal(signal.SIGKILL)
        struck.append(runner.end()[0])
        assert runner.survivors() == []
        place.assert_true()
    place.run("--force")
    place.assert_true()
    figures(kills=times, ended_before=struck.count(0), seconds_of_a_run=f"{place.seconds:.0f}")


@pytest.mark.nightly
@pytest.mark.parametrize("times", [2, 12])
def test_two_writers_on_one_folder(place: Place, figures: Callable[..., None], times: int) -> None:
    rng, killed = random.Random(times), 0
    for number in range(times):
        env = environment(place.cache, CRMLAB_CAMPAIGNS=str(place.out / "campaigns"))
        first = start("run", *NAMES, "--data", place.data, "--out", place.out, "--force", env=env)
        second = place.start("--force", names=(NAMES[number % 2],))
        if strike := number % 2 == 1:
            time.sleep(rng.uniform(0, place.seconds))
            first.signal(signal.SIGKILL)
            killed += 1
        statuses = first.end()[0], second.end()[0]
        assert statuses[1] == 0, second.end()[1]
        assert strike or statuses[0] == 0, first.end()[1]
        assert first.survivors() + second.survivors() == []
        place.assert_true()
    place.run()
    figures(pairs=times, killed=killed)


# The clock of the command that runs reports is stepped; its kernels keep the true one.
STEPPED = """
import datetime, sys, time, types
days = {days}
class Clock(type(datetime.datetime)):
    def __instancecheck__(cls, value):
        return isinstance(value, datetime.datetime)
class Stepped(datetime.datetime, metaclass=Clock):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(days=days)
stepped = {{
    "dt": types.SimpleNamespace(**{{**vars(datetime), "datetime": Stepped}}),
    "time": types.SimpleNamespace(**{{**vars(time), "time": lambda: time.time() + days * 86400}}),
}}
found = 0
for name, module in list(sys.modules.items()):
    for clock, other in stepped.items():
        if name.startswith("crmlab.") and clock in vars(module):
            setattr(module, clock, other)
            found += clock == "dt"
assert found, "no module of crmlab has a clock"
"""


# Now, the year 2098, eight years back, now, an hour ahead.
@pytest.mark.nightly
@pytest.mark.parametrize("steps", [(26_000, -3_000), (0, 26_000, -3_000, 0, 0.04)], ids=["two", "five"])
def test_clock_is_stepped(place: Place, figures: Callable[..., None], steps: tuple[float, ...]) -> None:
    # A run at each step ends well, and one after it is stopped: at the next step the stopped one may seem to lie ahead.
    for days in steps:
        prepare = STEPPED.format(days=days)
        said = place.run("--force", prepare=prepare)
        year = int(record_of(place.folder / NAMES[0])["started"][:4])
        assert year == (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).year, "the clock was not stepped"
        place.assert_true()
        index = (place.folder / "index.html").read_text(encoding="utf-8")
        assert "Stale" not in index, f"{days} days ahead: {said}"
        stopped = place.start("--force", prepare=prepare)
        time.sleep(0.4 * place.seconds)
        stopped.signal(signal.SIGINT)
        stopped.end()
    place.run()
    figures(steps=len(steps))


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({bytes}, {bytes}))
"""


@pytest.mark.nightly
@pytest.mark.parametrize("sizes", [(700, 1400), (500, 1000, 1600, 2048, 2200, 2500, 3000, 4000)])
def test_memory_limit_on_a_run(place: Place, figures: Callable[..., None], sizes: tuple[int, ...]) -> None:
    ended = []
    for size in sizes:
        runner = place.start("--force", prepare=LIMITED.format(bytes=size * 2**20))
        status, said = runner.end()
        assert runner.survivors() == []
        assert "Traceback" not in said, said
        place.assert_true()
        ended.append(f"{size} MB: {'made' if status == 0 else 'not made'}")
        if status:
            assert said.strip(), "it failed without a word"
    place.run()
    figures(limits="; ".join(ended))


@pytest.mark.nightly
def test_records_of_attacked_runs_can_be_read(place: Place) -> None:
    # Last: the history of everything above is whole, in the order in which it happened, and names no run that is at work.
    place.run("--force")
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((place.folder / "history").glob("*.json"))]
    assert {record["status"] for record in records} <= {"ok", "failed", "cancelled", "killed", "up_to_date"}
    assert record_of(place.folder / NAMES[0])["status"] == "ok"
