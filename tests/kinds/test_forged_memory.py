"""Kind: what is kept is believed. A campaign memory in which a header was changed, or an event deleted or added, would be read as if nothing
had happened: campaigns would cost what somebody typed, have been launched on another day, or never at all.

Right is: every such edit is named in a sentence, with every reading, in a folder and in a Postgres; what a killed writer leaves is no
forgery and heals; a memory of the form before links is adopted once, and it is said.
"""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from crmlab.cli import main
from crmlab.data.memory.campaigns import CampaignMemory, fingerprint, open_memory, witnessed
from crmlab.data.memory.stores import Folder
from crmlab.errors import CampaignError

META = b"crmlab_event"
CELLS = pd.DataFrame(
    {
        "cell_id": ["a-0", "a-1"],
        "control_cell_id": [None, "a-0"],
        "response_code": [None, "AYADH7"],
        "offer": [None, "gift"],
        "cost_per_contact": [0.0, 0.5],
        "opens_on": pd.Timestamp("2025-03-01"),
    }
)
PEOPLE = pd.DataFrame({"customer_id": ["1", "2", "3", "4"], "cell_id": ["a-0", "a-1"] * 2})
RESULTS = pd.DataFrame({"cell_id": ["a-0", "a-1"], "metric": "response", "n": [2, 2], "estimate": [None, 0.1]})


def filled(memory: CampaignMemory) -> CampaignMemory:
    """A memory with two campaigns, the first launched and measured twice."""
    memory.plan("spring", CELLS, {"salt": "s"})
    memory.launch("spring", CELLS, PEOPLE)
    memory.record_results("spring", RESULTS, details={"as_of": "2025-03-31"})
    memory.record_results("spring", RESULTS, details={"as_of": "2025-04-30"})
    autumn = CELLS.assign(cell_id=["b-0", "b-1"], control_cell_id=[None, "b-0"], response_code=[None, "5VDWQ5"])
    memory.plan("autumn", autumn)
    return memory


def readings(memory: CampaignMemory) -> list[Callable[[], Any]]:
    return [
        memory.headers,
        memory.campaigns,
        memory.cells,
        memory.history,
        memory.results,
        lambda: memory.assignments("spring"),
        lambda: memory.looks("spring"),
        lambda: memory.plan_details("autumn"),
        lambda: fingerprint(memory),
        lambda: memory.plan("winter", CELLS.assign(response_code=None)),
    ]


def refused(memory: CampaignMemory, words: str, *, everywhere: bool = False) -> None:
    for read in readings(memory) if everywhere else readings(memory)[::9]:  # the first and the last: a reading and a writing
        with pytest.raises(CampaignError, match=words):
            read()


def the(folder: Path, kind: str, number: int = 0) -> Path:
    return sorted(folder.glob(f"{kind}-*.parquet"), key=lambda path: said_of(path).get("recorded_at", ""))[number]


def said_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_metadata(path).metadata[META])
    return found


def say(path: Path, said: object) -> None:
    """Give an event another header; its rows stay as they are."""
    text = said if isinstance(said, bytes) else json.dumps(said, sort_keys=True).encode()
    pq.write_table(pq.read_table(path).replace_schema_metadata({META: text}), path, compression="zstd")


def _cost(said: dict[str, Any]) -> None:
    said["cells"][1]["cost_per_contact"] = 0.01


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "cost_per_contact": _cost,
    "day of the launch": lambda said: said.update(recorded_at="2024-01-01T00:00:00.000000+00:00"),
    "window": lambda said: said["cells"][1].update(opens_on="2024-01-01"),
    "code": lambda said: said["cells"][1].update(response_code="XXXXXX"),
    "a cell less": lambda said: said["cells"].pop(),
    "details": lambda said: said["details"].update(as_of="2024-01-01"),
    "number of people": lambda said: said.update(rows=3),
    "sequence": lambda said: said.update(sequence=7),
    "link": lambda said: said.update(before="0" * 64),
    "digest": lambda said: said.update(digest="0" * 64),
    "form": lambda said: said.update(format=1),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("memory")
    filled(open_memory(place))
    return place


@pytest.fixture
def ready(made: Path, tmp_path: Path) -> CampaignMemory:
    """A filled memory of the test's own."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return open_memory(tmp_path)


@pytest.mark.parametrize("kind", ["planned", "launched", "results"])
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_header_is_named(ready, tmp_path, kind, what):
    memory = ready
    path = the(tmp_path, kind)
    said = said_of(path)
    before = copy.deepcopy(said)
    FORGED[what](said)
    assert said != before
    say(path, said)
    refused(
        memory, f"{path.stem}.* of the campaign memory (is not as it was written|has no link)", everywhere=kind == "launched"
    )


def test_a_forged_day_of_a_look_is_named(ready, tmp_path):
    memory = ready
    path = the(tmp_path, "results", 1)
    say(path, said_of(path) | {"details": {"as_of": "2025-04-29"}})
    refused(memory, f"{path.name} of the campaign memory is not as it was written")


@pytest.mark.parametrize(("kind", "number"), [("planned", 1), ("launched", 2), ("results", 3)])
def test_a_deleted_event_is_named(ready, tmp_path, kind, number):
    memory = ready
    the(tmp_path, kind).unlink()
    refused(memory, f"Event {number} of the campaign 'spring' is missing .* Expected 4 of them")


def test_the_last_event_of_a_campaign_is_missed_too(ready, tmp_path):
    memory = ready
    the(tmp_path, "results", 1).unlink()
    refused(memory, "Event 4 of the campaign 'spring' is missing")
    memory = filled(open_memory(tmp_path / "other"))
    the(tmp_path / "other", "planned", 1).unlink()
    refused(memory, "Event 1 of the campaign 'autumn' is missing")


def test_a_whole_campaign_that_was_deleted_is_missed(ready, tmp_path):
    memory = ready
    for path in tmp_path.glob("*.parquet"):
        if said_of(path)["campaign"] == "spring":
            path.unlink()
    refused(memory, "Event 1 of the campaign 'spring' is missing")


def test_an_event_from_another_memory_is_no_event_of_this_one(tmp_path):
    memory, other = filled(open_memory(tmp_path / "one")), open_memory(tmp_path / "two")
    other.plan("spring", CELLS.assign(cost_per_contact=[0.0, 0.9]))
    path = next((tmp_path / "two").glob("planned-*"))
    (tmp_path / "one" / path.name).write_bytes(path.read_bytes())
    refused(memory, "is not in its place. Expected event 1 of the campaign 'spring'")


def test_an_event_that_was_said_anew_in_the_place_of_another_breaks_the_line(tmp_path):
    # Somebody works out identifier and digest anew, and leaves the rest.
    memory = filled(open_memory(tmp_path / "one"))
    other = open_memory(tmp_path / "two")
    other.plan("spring", CELLS.assign(cost_per_contact=[0.0, 0.9]), {"salt": "s"})
    old, new = the(tmp_path / "one", "planned"), next((tmp_path / "two").glob("planned-*"))
    old.unlink()
    (tmp_path / "one" / new.name).write_bytes(new.read_bytes())
    refused(memory, "is not in its place.* one of the two was forged or altered")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: None, "does not say any more how many events"),
        (lambda text: text.replace('"count": 4', '"count": 3'), "another digest than that of its content"),
        (
            lambda text: text.replace('"count": 4', '"count": true'),
            "heads.json of the campaign memory.* is not as it was written",
        ),
        (
            lambda text: text.replace('"count": 4', '"count": "4"'),
            "heads.json of the campaign memory.* is not as it was written",
        ),
        (lambda text: text.replace("spring", "sprung"), "another digest"),
        (lambda text: text[: len(text) // 2], "heads.json of the campaign memory.* is not as it was written"),
        (lambda text: "[]", "heads.json of the campaign memory.* is not as it was written"),
        (lambda text: "{}", "heads.json of the campaign memory.* is not as it was written"),
        (lambda text: "[" * 100_000, "heads.json of the campaign memory.* is not as it was written"),
        (lambda text: '{"format": ' + "9" * 5000 + "}", "heads.json of the campaign memory.* is not as it was written"),
    ],
)
def test_heads_that_were_changed_are_named(ready, tmp_path, change, words):
    memory = ready
    place = tmp_path / "heads.json"
    changed = change(place.read_text())
    place.unlink()
    if changed is not None:
        place.write_text(changed)
    refused(memory, words)


def test_heads_of_another_kind_are_named(ready, tmp_path):
    memory = ready
    (tmp_path / "heads.json").unlink()
    (tmp_path / "heads.json").mkdir()
    refused(memory, "heads.json of the campaign memory.* Found: 'no file'")
    (tmp_path / "heads.json").rmdir()
    (tmp_path / "heads.json").write_bytes(b"\xff\xfe{")
    refused(memory, "heads.json of the campaign memory.* is not as it was written")


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b"null",
        b"nonsense",
        b"\xff\xfe",
        b'{"kind": "planned"}',
        b"[" * 100_000,
        {"kind": ["planned"]},
        {"rows": "many"},
        {"rows": float("nan")},
        {"rows": 10**400},
        {"rows": -1},
        {"rows": True},
        {"campaign": 7},
        {"campaign": "\ud800"},
        {"recorded_at": 20250101},
        {"recorded_at": "yesterday"},
        {"recorded_at": "2025-01-01T00:00:00"},
        {"details": []},
        {"details": None},
        {"cells": {}},
        {"cells": ["a-0"]},
        {"cells": [{"cell_id": 1}]},
        {"id": 7},
        {"id": "short"},
        {"format": 3},
        {"format": True},
        {"format": []},
        {"sequence": 0},
        {"sequence": 1.0},
        {"before": None},
        {"digest": ["x"]},
    ],
)
@pytest.mark.parametrize("kind", ["launched"])
def test_a_header_of_wrong_types_is_named(ready, tmp_path, kind, said):
    memory = ready
    path = the(tmp_path, kind)
    try:
        say(path, said if isinstance(said, bytes) else said_of(path) | said)
    except UnicodeEncodeError:
        pytest.skip("cannot be written")
    refused(memory, f"{path.name} (of|in) the campaign memory (is|cannot|has)")


def test_an_event_that_is_a_folder_is_named(ready, tmp_path):
    memory = ready
    path = the(tmp_path, "launched")
    path.unlink()
    path.mkdir()
    refused(memory, f"{path.name} in the campaign memory is no event")


def test_another_schema_of_the_rows_is_named(tmp_path):
    import pyarrow as pa

    memory = filled(open_memory(tmp_path))
    path = the(tmp_path, "launched")
    header = pq.read_table(path).schema.metadata
    for table in (
        pa.table({"customer_id": [[1], [2], [3], [4]]}),
        pa.table({"x": pa.array([{"a": 1}] * 4)}),
        pa.table([pa.array(["1"] * 4)] * 2, names=["customer_id", "customer_id"]),
        pa.table({"customer_id": pa.array([b"1"] * 4)}),
        pa.table({}),
    ):
        pq.write_table(table.replace_schema_metadata(header), path)
        assert memory.looks("spring") == 2  # the header is as it was
        with pytest.raises(
            CampaignError, match=f"{path.name} of the campaign memory (is not as it was written|cannot be read)"
        ):
            memory.assignments("spring")


# Nothing of this is a forgery


def test_saying_a_thing_twice_is_one_event(ready, tmp_path):
    memory = ready
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.name[0] != "."}
    filled(memory)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.name[0] != "."} == before


def test_a_clock_that_was_set_back_changes_no_order(tmp_path, monkeypatch):
    from crmlab.data.memory import campaigns

    memory = open_memory(tmp_path)
    memory.plan("spring", CELLS)
    monkeypatch.setattr(campaigns, "_now", lambda: "2001-01-01T00:00:00.000000+00:00")
    memory.plan("spring", CELLS.assign(cost_per_contact=[0.0, 0.7]))
    assert memory.cells("spring")["cost_per_contact"].tolist() == [0.0, 0.7]
    assert [header.sequence for header in memory.headers("spring")] == [1, 2]


_KILLED = """
import sys, time
from crmlab.data.memory import stores
from tests.kinds.test_forged_memory import CELLS, open_memory, filled
def wait(*_):
    print("ready", flush=True)
    time.sleep(60)
stores.Folder.keep_heads = wait
memory = open_memory(sys.argv[1])
memory.plan("winter", CELLS.assign(response_code=None))
"""


@pytest.mark.parametrize("first", [True, False])
def test_a_writer_killed_between_event_and_head_heals(tmp_path, first):
    memory = open_memory(tmp_path)
    if not first:
        filled(memory)
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    process.kill()
    process.wait(20)
    process.stdout.close()
    heads = tmp_path / "heads.json"
    before = heads.read_text() if heads.exists() else ""
    assert "winter" not in before
    assert memory.looks("winter") == 0 and len(memory.headers("winter")) == 1  # it counts
    assert (heads.read_text() if heads.exists() else "") == before  # who reads writes nothing
    memory.close("winter")
    assert json.loads(heads.read_text())["campaigns"]["winter"]["count"] == 2
    the(tmp_path, "closed").unlink()
    refused(memory, "Event 2 of the campaign 'winter' is missing")


def test_two_events_beyond_the_heads_are_no_killed_writer(ready, tmp_path):
    memory = ready
    old = (tmp_path / "heads.json").read_text()
    memory.close("spring")
    memory.close("autumn")
    (tmp_path / "heads.json").write_text(old)
    refused(
        memory,
        "closed-.* of the campaign memory is beyond what its heads say. Expected 4 events of the campaign 'spring'. Found 5",
    )


def _writer(place: str, number: int) -> None:
    memory = open_memory(place)
    for turn in range(8):
        memory.record_results("spring", RESULTS.assign(estimate=[None, number + turn / 10]))


@pytest.mark.proof
def test_two_writers_and_a_reader_at_once(tmp_path):
    memory = open_memory(tmp_path)
    memory.launch("spring", CELLS, PEOPLE)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_writer, args=(str(tmp_path), number)) for number in (1, 2)]
    for process in writers:
        process.start()
    seen, until = [], time.monotonic() + 60
    while any(process.is_alive() for process in writers) and time.monotonic() < until:
        seen.append(memory.looks("spring"))
    for process in writers:
        process.join(60)
        assert process.exitcode == 0
    assert memory.looks("spring") == 16
    assert seen == sorted(seen)
    assert [header.sequence for header in memory.headers("spring")] == list(range(1, 18))


# The form before links


def old_form(place: Path) -> None:
    """Write the memory as it was written before there were links."""
    filled(open_memory(place))
    for path in place.glob("*.parquet"):
        said = said_of(path) | {"format": 1}
        for key in ("sequence", "before", "digest"):
            del said[key]
        say(path, said)
    (place / "heads.json").unlink()


def test_an_old_memory_is_read_and_adopted_once_and_it_is_said(tmp_path):
    old_form(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")}
    memory = open_memory(tmp_path)
    assert memory.looks("spring") == 2
    assert not (tmp_path / "heads.json").exists()  # who reads writes nothing
    assert "the form before links" in memory.old_form()
    seen, notes = witnessed_at(tmp_path, {})
    assert [note for note in notes if "the form before links" in note] and seen["spring"]["count"] == 4
    before = fingerprint(memory)
    done = CliRunner().invoke(main, ["campaign", "history", "--memory", str(tmp_path)])
    assert done.exit_code == 0 and "It was adopted as it is: 5 events." in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")} == files  # events stay as they are
    again = CliRunner().invoke(main, ["campaign", "history", "--memory", str(tmp_path)])
    assert again.exit_code == 0 and again.stderr == "" and again.stdout == done.stdout
    assert fingerprint(memory) == before and memory.old_form() == ""
    memory.close("spring")
    assert [header.form for header in memory.headers("spring")] == [1, 1, 1, 1, 2]
    assert memory.assignments("spring")["customer_id"].tolist() == ["1", "2", "3", "4"]


def test_an_adopted_memory_is_verified_like_any_other(tmp_path):
    old_form(tmp_path)
    memory = open_memory(tmp_path)
    assert memory.adopt() and memory.adopt() == ""
    memory.record_results("spring", RESULTS, details={"as_of": "2025-05-31"})
    path = the(tmp_path, "launched")
    kept = path.read_bytes()
    for what in ("cost_per_contact", "day of the launch", "number of people"):
        said = said_of(path)
        FORGED[what](said)
        say(path, said)
        refused(memory, f"{path.stem}.* of the campaign memory is not as it was written")
        path.write_bytes(kept)
    path.unlink()
    refused(memory, f"Event 2 of the campaign 'spring' \\({path.stem}\\) is missing")


def test_an_old_memory_with_a_forged_header_is_neither_read_nor_adopted(tmp_path):
    old_form(tmp_path)
    path = the(tmp_path, "launched")
    said = said_of(path)
    _cost(said)
    say(path, said)
    refused(open_memory(tmp_path), f"{path.name} of the campaign memory is not as it was written")
    assert not (tmp_path / "heads.json").exists()


def test_an_old_memory_that_cannot_be_written_is_read_and_said(tmp_path, monkeypatch):
    old_form(tmp_path)

    def no(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", no)
    done = CliRunner().invoke(main, ["campaign", "history", "--memory", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "the form before links" in done.stderr and "Permission denied" in done.stderr
    assert "spring" in done.stdout and not (tmp_path / "heads.json").exists()


_AS_NOBODY = """
import os, sys
from crmlab.data.memory import open_memory
memory = open_memory(sys.argv[1])
memory.results("spring")  # everything is imported
os.setuid(65534)
print(memory.looks("spring"), len(memory.assignments("spring")))
try:
    memory.close("spring")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.may_skip
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="Only root can become somebody who may not write.")
@pytest.mark.parametrize("old", [True, False])
def test_who_may_not_write_reads(tmp_path, old):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        old_form(place) if old else filled(open_memory(place))
        for path in (place, *place.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = subprocess.run([sys.executable, "-c", _AS_NOBODY, folder], capture_output=True, text=True, timeout=60)
    read, refused = done.stdout.splitlines()
    assert read == "2 4", done.stderr
    assert refused.startswith("CampaignError The campaign memory") and "cannot be written" in refused


# What runs have seen


def witnessed_at(place: Path, before: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    kept = os.environ.get("CRMLAB_CAMPAIGNS")
    os.environ["CRMLAB_CAMPAIGNS"] = str(place)
    try:
        return witnessed(before)
    finally:
        os.environ.pop("CRMLAB_CAMPAIGNS") if kept is None else os.environ.update(CRMLAB_CAMPAIGNS=kept)


def test_a_run_says_what_an_earlier_one_saw_and_is_gone(tmp_path):
    memory = filled(open_memory(tmp_path / "one"))
    seen, notes = witnessed_at(tmp_path / "one", {})
    assert notes == () and seen["spring"] == {"count": 4, "digest": memory.headers("spring")[-1].digest}
    memory.close("spring")
    longer, notes = witnessed_at(tmp_path / "one", json.loads(json.dumps(seen)))
    assert notes == () and longer["spring"]["count"] == 5
    open_memory(tmp_path / "two").plan("spring", CELLS, {"salt": "s"})
    _, notes = witnessed_at(tmp_path / "two", longer)
    assert [note[:90] for note in notes] == [
        "The campaign memory holds 0 of the 1 events of the campaign 'autumn' that an earlier run s",
        "The campaign memory holds 1 of the 5 events of the campaign 'spring' that an earlier run s",
    ]
    other = filled(open_memory(tmp_path / "three"))
    other.close("spring")
    _, notes = witnessed_at(tmp_path / "three", longer)  # the same content, said at another time
    assert any(
        "first 5 events of the campaign 'spring'" in note and "are not those that an earlier run saw" in note for note in notes
    )
    for odd in ([], 7, {"count": "x"}, {"count": True, "digest": None}, None):
        assert witnessed_at(tmp_path / "one", {"spring": odd})[1]


# Postgres


@pytest.fixture
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    import psycopg

    monkeypatch.setenv("CRMLAB_CAMPAIGNS", postgres)
    with psycopg.connect(postgres, autocommit=True) as session:
        session.execute("drop table if exists crmlab_campaign_events, crmlab_campaign_heads")
        yield session


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("delete from crmlab_campaign_events where kind = 'launched'", "Event 2 of the campaign 'spring' is missing"),
        ("delete from crmlab_campaign_events where campaign = 'autumn'", "Event 1 of the campaign 'autumn' is missing"),
        ("update crmlab_campaign_events set recorded_at = '2024-01-01T00:00:00+00:00' where kind = 'launched'", "launched-"),
        ("update crmlab_campaign_events set campaign = 'autumn' where kind = 'launched'", "launched-"),
        ("update crmlab_campaign_events set header = replace(header, '0.5', '0.1') where kind = 'launched'", "launched-"),
        ("update crmlab_campaign_events set header = '[]' where kind = 'launched'", "launched-"),
        ("update crmlab_campaign_events set header = 'x' where kind = 'launched'", "launched-"),
        ("delete from crmlab_campaign_heads", "does not say any more how many events"),
        ("drop table crmlab_campaign_heads", "does not say any more how many events"),
        ("delete from crmlab_campaign_heads where campaign = 'autumn'", "Expected 0 events of the campaign 'autumn'. Found 1"),
        ("update crmlab_campaign_heads set count = 5 where campaign = 'spring'", "Event 5 of the campaign 'spring' is missing"),
        ("update crmlab_campaign_heads set count = 3 where campaign = 'spring'", "is not in its place"),
        (
            "update crmlab_campaign_heads set digest = 'x' where campaign = 'spring'",
            "crmlab_campaign_heads of the campaign memory",
        ),
        (
            "update crmlab_campaign_heads set adopted = '7' where campaign = 'spring'",
            "crmlab_campaign_heads of the campaign memory",
        ),
        (
            "update crmlab_campaign_heads set adopted = '{' where campaign = 'spring'",
            "crmlab_campaign_heads of the campaign memory",
        ),
    ],
)
@pytest.mark.postgres
def test_edits_of_a_postgres_are_named(database, edit, words):
    memory = filled(open_memory())
    assert memory.looks("spring") == 2
    database.execute(edit)
    refused(memory, words)


@pytest.mark.postgres
def test_other_types_in_a_postgres_are_named(database):
    memory = filled(open_memory())
    database.execute("update crmlab_campaign_events set content = '\\x00' where kind = 'launched'")
    with pytest.raises(CampaignError, match="cannot be read"):
        memory.assignments("spring")
    database.execute("alter table crmlab_campaign_events alter column header type jsonb using header::jsonb")
    with pytest.raises(CampaignError, match="of the type dict"):
        memory.headers()
    database.execute("alter table crmlab_campaign_events drop column header")
    with pytest.raises(CampaignError, match="does not answer or refuses"):
        memory.headers()


@pytest.mark.postgres
def test_an_old_memory_in_a_postgres_is_adopted(database, tmp_path):
    memory = filled(open_memory())
    for slot, text in database.execute("select slot, header from crmlab_campaign_events").fetchall():
        said = json.loads(text) | {"format": 1}
        for key in ("sequence", "before", "digest"):
            del said[key]
        raw = database.execute("select content from crmlab_campaign_events where slot = %s", (slot,)).fetchone()[0]
        (tmp_path / "x.parquet").write_bytes(raw)
        say(tmp_path / "x.parquet", said)
        now = (json.dumps(said, sort_keys=True), (tmp_path / "x.parquet").read_bytes(), slot)
        database.execute("update crmlab_campaign_events set header = %s, content = %s where slot = %s", now)
    database.execute("drop table crmlab_campaign_heads")
    assert memory.looks("spring") == 2 and memory.old_form()
    assert "5 events" in memory.adopt()
    memory.close("spring")
    assert [header.form for header in memory.headers("spring")] == [1, 1, 1, 1, 2]
    database.execute("delete from crmlab_campaign_events where kind = 'launched'")
    refused(memory, "Event 2 of the campaign 'spring' \\(launched-.*\\) is missing")


@pytest.mark.proof
def test_five_hundred_events_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    memory = open_memory(tmp_path)
    memory.launch("spring", CELLS, PEOPLE)
    store = Folder(tmp_path)
    from crmlab.data.memory.chain import heads_of
    from crmlab.data.memory.events import make_event

    with store.exclusive():
        line = memory.headers("spring")
        for number in range(499):
            at = f"2025-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00"
            event = make_event("results", "spring", at, rows=RESULTS.assign(estimate=[None, float(number)]), cells=CELLS)
            event = event.linked(line[-1].sequence + 1, line[-1].digest)
            store.put(event)
            line.append(event.header)
        store.keep_heads(heads_of(line))
    assert [header.sequence for header in memory.headers("spring")] == list(range(1, 501))
    results = memory.results("spring")
    assert results["look"].nunique() == 499
    store.content(line[250])[0].unlink()
    with pytest.raises(CampaignError, match="251"):
        memory.headers()
