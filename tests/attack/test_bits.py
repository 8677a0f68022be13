"""Bits that flip in what is kept: never a number that is silently another.

A flip is found (said, and made again or refused), or it is in what nobody reads: what is read stays the same to the last digit.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from crmlab.data.memory.campaigns import CampaignMemory, open_memory
from crmlab.errors import CrmlabError
from tests.report.helpers import Nursery, assert_settled, environment, files_of, reports_in

from .test_kills import numbers

pytestmark = pytest.mark.proof
# What a page would read of a data set: every value of every table, in the order in which the reader has them.
READ = """
import hashlib, json, os, crmlab
data = crmlab.open_dataset("cdnow_sample")
digest = hashlib.sha256()
for name in sorted(data.tables):
    frame = data.table(name).execute()
    digest.update(json.dumps([name, list(frame.columns), [str(kind) for kind in frame.dtypes], len(frame)]).encode())
    digest.update(frame.sort_values(list(frame.columns)).to_csv(index=False).encode())
digest.update(json.dumps([[row.table, row.reason, row.rows, str(row.amount)] for row in data.ledger]).encode())
print("READ", digest.hexdigest(), flush=True)
os._exit(0)
"""


def flip(path: Path, rng: random.Random) -> None:
    """Flip one bit of a file, whatever its rights; its times of change are those of now."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def damage(path: Path, rng: random.Random) -> str:
    """Do to a file what disks and people do: mostly flip a bit, now and then cut it short, empty it, or take it away."""
    kind = rng.choices(("flip", "cut", "emptied", "lost"), (20, 2, 1, 1))[0]
    if kind == "flip":
        flip(path, rng)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    elif kind == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
    return kind


def targets(folder: Path) -> list[Path]:
    """Files with something in them, in the order of their names."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]


@pytest.mark.parametrize("times", [8, pytest.param(240, marks=pytest.mark.nightly)])
def test_bits_of_the_cache(tmp_path: Path, nursery: Nursery, figures: Callable[..., None], times: int) -> None:
    good, place, rng = tmp_path / "good", tmp_path / "cache", random.Random(times)

    def read(cache: Path) -> tuple[str, str]:
        status, said = nursery.start(env=environment(cache), prepare=READ).end()
        assert status == 0, said
        assert "Traceback" not in said, said
        *words, digest = said.split("READ ")
        return digest.strip(), "".join(words).strip()

    truth, _ = read(good)
    found = Counter[str]()
    for _ in range(times):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(good, place)
        victim = rng.choice(targets(place))
        what = f"{damage(victim, rng)} {victim.relative_to(place)}"
        digest, said = read(place)
        assert digest == truth, f"{what}: other numbers. Said: {said}"
        found["said" if said else "of no effect"] += 1
        assert read(place) == (truth, ""), f"{what}: not healed"
    figures(times=times, silent=0, **{key.replace(" ", "_"): value for key, value in found.items()})


CELLS = pd.DataFrame(
    {
        "cell_id": ["a-0", "a-1"],
        "control_cell_id": [None, "a-0"],
        "response_code": [None, "AYADH7"],
        "offer": [None, "10% off"],
        "cost_per_contact": [0.0, 0.03],
        "opens_on": pd.Timestamp("2025-03-01"),
        "closes_on": pd.Timestamp("2025-03-28"),
    }
)


def filled(memory: CampaignMemory) -> CampaignMemory:
    """A memory with a campaign from plan to close, and one that is only planned."""
    people = pd.DataFrame({"customer_id": [f"{i:03d}" for i in range(40)], "cell_id": [f"a-{i % 2}" for i in range(40)]})
    results = pd.DataFrame({"cell_id": ["a-1"], "metric": ["response"], "n": [20], "estimate": [0.125]})
    memory.plan("a", CELLS)
    memory.launch("a", CELLS, people)
    memory.record_results("a", results, details={"as_of": "2025-04-01"})
    memory.record_results("a", results.assign(estimate=0.15), details={"as_of": "2025-05-01"})
    memory.close("a", "done")
    memory.plan("b", CELLS.assign(cell_id=["b-0", "b-1"], control_cell_id=[None, "b-0"], response_code=[None, "5VDWQ5"]))
    return memory


def everything(memory: CampaignMemory) -> str:
    """All that a memory tells."""
    headers = [header.to_json() for header in memory.headers()]
    frames = [memory.campaigns(), memory.cells(), memory.results(), memory.history(), memory.assignments("a")]
    return json.dumps([headers, *(frame.to_json(date_format="iso") for frame in frames)])


@pytest.mark.parametrize("times", [100, pytest.param(1500, marks=pytest.mark.nightly)])
def test_bits_of_the_campaign_memory(tmp_path: Path, figures: Callable[..., None], times: int) -> None:
    good, place, rng = tmp_path / "good", tmp_path / "memory", random.Random(times)
    truth = everything(filled(open_memory(good)))
    found = Counter[str]()
    for _ in range(times):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(good, place)
        victim = rng.choice(targets(place))
        what = f"{damage(victim, rng)} {victim.name}"
        try:
            told = everything(open_memory(place))
        except CrmlabError:
            found["refused"] += 1
        else:
            assert told == truth, f"{what}: the memory tells something else, silently"
            found["of no effect"] += 1
    figures(times=times, silent=0, **{key.replace(" ", "_"): value for key, value in found.items()})
    assert found["refused"] > times / 2, "most damage was of no effect: no attack"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, cache: Path) -> Path:
    """Reports of which one reads what another has kept, made twice, so that the index has a run to compare with."""
    out = tmp_path_factory.mktemp("bits") / "reports"
    for _ in range(2):
        status, said = run(out, nursery, cache, "--force")
        assert status == 0, said
    return out


def run(out: Path, nursery: Nursery, cache: Path, *options: str) -> tuple[int, str]:
    command = ("run", "rfm", "churn", "--data", "cdnow_sample", "--out", out, *options)
    return nursery.start(*command, env=environment(cache, CRMLAB_CAMPAIGNS=str(out / "campaigns"))).end()


def index(out: Path) -> str:
    return (out / "cdnow_sample" / "index.html").read_text(encoding="utf-8")


def shape(page: str) -> list[str]:
    """An index without what tells the time of a run: its words and numbers beside days, hours and seconds."""
    import re

    text = re.sub(r"<[^>]*>", " ", page)
    return re.sub(r"\d+(\.\d+)? s\b|\d{1,2} \w+ \d{4}|\d{4}-\d\d-\d\d|\d\d:\d\d(:\d\d)?", "·", text).split()


@pytest.mark.nightly
@pytest.mark.parametrize("times", [8, 110])
def test_bits_of_the_reports_folder(
    tmp_path: Path, reports: Path, nursery: Nursery, cache: Path, figures: Callable[..., None], times: int
) -> None:
    place, rng = tmp_path / "reports", random.Random(times)
    folder = reports / "cdnow_sample"
    truth = {report.name: numbers(report) for report in reports_in(folder)}
    status, _ = run(reports, nursery, cache)
    said_index = shape(index(reports))
    small = {".json", ".html", ".ipynb"}  # what runs read, not pictures and tables: those are under the digests of their run
    found = Counter[str]()
    for number in range(times):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(reports, place, symlinks=True)
        choices = [path for path in targets(place / "cdnow_sample") if path.suffix in small or number % 5 == 0]
        victim = rng.choice(choices)
        what = f"{damage(victim, rng)} {victim.relative_to(place)}"
        status, said = run(place, nursery, cache)
        assert status == 0, f"{what}: {said}"
        assert "Traceback" not in said, f"{what}: {said}"
        assert_settled(place / "cdnow_sample")
        told = {report.name: numbers(report) for report in reports_in(place / "cdnow_sample")}
        assert told == truth, f"{what}: other numbers"
        if "history" not in victim.parts:
            assert shape(index(place)) == said_index, f"{what}: the index says something else"
        again = any(files_of(report) != files_of(folder / report.name) for report in reports_in(place / "cdnow_sample"))
        found["made again" if again else "of no effect"] += 1
    figures(times=times, silent=0, **{key.replace(" ", "_"): value for key, value in found.items()})
