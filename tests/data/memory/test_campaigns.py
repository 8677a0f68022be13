"""The campaign memory: nothing is lost, nothing is overwritten, and writing twice changes nothing; in a folder and in a Postgres."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlab.data.memory import stores
from crmlab.data.memory.campaigns import CampaignMemory, fingerprint, open_memory
from crmlab.data.memory.events import make_event
from crmlab.errors import CampaignError

CODES = {"spring-1": "AYADH7", "spring-2": "5VDWQ5"}


def cells(campaign: str = "spring", **changes: object) -> pd.DataFrame:
    names = [f"{campaign}-{i}" for i in range(3)]
    frame = pd.DataFrame(
        {
            "campaign_id": campaign,
            "cell_id": names,
            "control_cell_id": [None, names[0], names[0]],
            "response_code": [
                None,
                CODES.get(names[1], f"{campaign[:3].upper()}1"),
                CODES.get(names[2], f"{campaign[:3].upper()}2"),
            ],
            "offer": [None, "10% off", "small gift"],
            "list": "buyers",
            "creative": [None, "plain", "picture"],
            "channel": "email",
            "cost_per_contact": [0.0, 0.03, 0.03],
            "planned_share": [0.4, 0.3, 0.3],
            "opens_on": pd.Timestamp("2025-03-01"),
            "closes_on": pd.Timestamp("2025-03-28"),
        }
    )
    return frame.assign(**changes)


def people(campaign: str = "spring", n: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": [f"{i:03d}" for i in range(n)],
            "cell_id": [f"{campaign}-{i % 3}" for i in range(n)],
            "household_id": [f"H{i // 2}" if i % 5 else None for i in range(n)],
        }
    )


def results(campaign: str = "spring", scale: float = 1.0) -> pd.DataFrame:
    rows = [(f"{campaign}-{i}", metric, 20, i * scale) for i in range(3) for metric in ("bought", "spend")]
    frame = pd.DataFrame(rows, columns=["cell_id", "metric", "n", "sum"])
    compared = frame["cell_id"].str[-1] != "0"
    return frame.assign(estimate=frame["sum"].where(compared), low=-1.0, high=np.inf, p_value=0.5, level=0.95)


@pytest.fixture(params=["folder", pytest.param("postgres", marks=pytest.mark.postgres)])
def memory(request, tmp_path, monkeypatch):
    if request.param == "folder":
        return open_memory(tmp_path / "campaigns")
    import psycopg

    url = request.getfixturevalue("postgres")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("drop table if exists crmlab_campaign_events, crmlab_campaign_heads")
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", url)
    return open_memory()


# What is written is read back


def test_memory_begins_empty(memory):
    assert memory.campaigns().empty
    assert memory.cells().empty
    assert memory.results().empty
    assert memory.history().empty
    assert fingerprint(memory) == fingerprint(memory)


def test_memory_gives_back_what_was_planned(memory):
    memory.plan("spring", cells(), details={"salt": "spring 2025", "criteria": ["a > 1"]})
    found = memory.cells("spring")
    assert found["cell_id"].tolist() == ["spring-0", "spring-1", "spring-2"]
    assert found["response_code"].tolist()[1:] == ["AYADH7", "5VDWQ5"]
    assert pd.isna(found["response_code"].iloc[0])
    assert found["planned_share"].tolist() == [0.4, 0.3, 0.3]
    assert found["opens_on"].tolist() == ["2025-03-01"] * 3
    assert set(found["state"]) == {"planned"}
    assert memory.plan_details("spring") == {"salt": "spring 2025", "criteria": ["a > 1"]}


def test_memory_gives_back_who_was_assigned(memory):
    shuffled = people().sample(frac=1, random_state=1)
    memory.launch("spring", cells(), shuffled)
    found = memory.assignments("spring")
    pd.testing.assert_frame_equal(
        found.astype(object).where(found.notna(), None), people().astype(object).where(people().notna(), None)
    )
    overview = memory.campaigns().iloc[0]
    assert (overview["state"], overview["people"], overview["cells"]) == ("launched", 60, 3)


def test_memory_numbers_looks(memory):
    memory.launch("spring", cells(), people())
    for look in (1.0, 2.0):
        memory.record_results("spring", results(scale=look), details={"as_of": f"2025-03-0{look:.0f}"})
    found = memory.results("spring")
    assert sorted(found["look"].unique()) == [1, 2]
    assert memory.looks("spring") == 2
    assert found[["look", "as_of"]].drop_duplicates().values.tolist() == [[1, "2025-03-01"], [2, "2025-03-02"]]
    last = memory.results("spring", last_only=True)
    assert last["sum"].tolist() == [0.0, 2.0, 4.0, 0.0, 2.0, 4.0]
    assert last["high"].isna().all()  # what is no finite number is not kept as one


def test_memory_takes_the_frame_of_compare_cells(memory):
    frame = results().rename(columns={"cell_id": "cell"}).assign(control="spring-0")
    memory.record_results("spring", frame, cells())
    assert set(memory.results()["control_cell_id"]) == {"spring-0"}


def test_history_is_by_component(memory):
    memory.launch("spring", cells(), people())
    memory.record_results("spring", results(scale=1.0))
    memory.record_results("spring", results(scale=2.0))
    memory.record_results("autumn", results("autumn"), cells("autumn", opens_on=pd.Timestamp("2024-09-01")))
    found = memory.history("offer", "10% off")
    assert found["campaign_id"].tolist() == ["autumn", "autumn", "spring", "spring"]  # in the order of time
    assert found["estimate"].tolist() == [1.0, 1.0, 2.0, 2.0]  # the last look of each
    assert found["look"].tolist() == [1, 1, 2, 2]
    assert set(memory.history("creative")["value"]) == {"plain", "picture"}
    assert memory.history("list", "nobody").empty
    with pytest.raises(CampaignError, match="one of offer, list, creative, channel. Got 'colour'"):
        memory.history("colour")


# Writing twice, and what cannot be


def test_writing_twice_changes_nothing(memory):
    def everything() -> list[str]:
        return [
            memory.plan("spring", cells()),
            memory.launch("spring", cells(), people()),
            memory.record_results("spring", results(), details={"as_of": "2025-03-20"}),
            memory.close("spring"),
        ]

    first, seen = everything(), fingerprint(memory)
    again = everything()
    assert first == again
    assert fingerprint(memory) == seen
    assert len(memory.headers()) == 4


def test_order_of_rows_plays_no_part(memory):
    first = memory.launch("spring", cells(), people())
    shuffled = people().sample(frac=1, random_state=3), cells().sample(frac=1, random_state=3)
    assert memory.launch("spring", shuffled[1], shuffled[0]) == first
    look = memory.record_results("spring", results())
    assert memory.record_results("spring", results().sample(frac=1, random_state=3)) == look


def test_fingerprint_changes_with_every_event(memory):
    seen = [fingerprint(memory)]
    memory.plan("spring", cells())
    seen.append(fingerprint(memory))
    memory.launch("spring", cells(), people())
    seen.append(fingerprint(memory))
    memory.record_results("spring", results())
    seen.append(fingerprint(memory))
    memory.close("spring")
    seen.append(fingerprint(memory))
    assert len(set(seen)) == 5


def test_a_plan_may_change_until_the_launch(memory):
    memory.plan("spring", cells())
    memory.plan("spring", cells(response_code=[None, "A", "B"]))
    assert memory.cells()["response_code"].tolist()[1:] == ["A", "B"]
    memory.launch("spring", cells(), people())
    assert memory.cells()["response_code"].tolist()[1:] == ["AYADH7", "5VDWQ5"]
    with pytest.raises(CampaignError, match="is launched and cannot change"):
        memory.plan("spring", cells(offer=["x", "y", "z"]))
    memory.plan("spring", cells())  # what was planned before is no change


def test_a_launched_code_cannot_change(memory):
    memory.launch("spring", cells(), people())
    before = fingerprint(memory)
    with pytest.raises(
        CampaignError, match=r"code of a launched cell cannot change. Expected 'AYADH7' for cell 'spring-1'. Got 'X'"
    ):
        memory.launch("spring", cells(response_code=[None, "X", "5VDWQ5"]), people())
    with pytest.raises(CampaignError, match="cannot change"):
        memory.plan("spring", cells(response_code=[None, None, "5VDWQ5"]))
    assert fingerprint(memory) == before


def test_a_launched_assignment_cannot_change(memory):
    memory.launch("spring", cells(), people())
    moved = people()
    moved.loc[0, "cell_id"] = "spring-1"
    with pytest.raises(
        CampaignError, match=f"Expected the cells and people of {dt.datetime.now(dt.UTC):%Y-%m-%d}. Found others"
    ):
        memory.launch("spring", cells(), moved)
    with pytest.raises(CampaignError, match="is launched and cannot change"):
        memory.launch("spring", cells(), people(n=59))
    assert memory.assignments("spring")["cell_id"].iloc[0] == "spring-0"


def test_a_code_in_use_is_refused(memory):
    memory.launch("spring", cells(), people())
    other = cells("autumn", response_code=[None, "AYADH7", "Z"])
    with pytest.raises(CampaignError, match=r"'AYADH7' is used twice.*spring-1 of spring, autumn-1"):
        memory.plan("autumn", other)
    with pytest.raises(CampaignError, match="is used twice"):
        memory.launch("autumn", other, people("autumn"))


def test_a_closed_campaign_takes_no_results(memory):
    memory.record_results("spring", results(), cells())
    memory.close("spring", "enough")
    with pytest.raises(CampaignError, match="'spring' is closed"):
        memory.record_results("spring", results(scale=3.0), cells())
    memory.record_results("spring", results(), cells())  # the same as before
    assert memory.campaigns()["state"].tolist() == ["closed"]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m: m.plan("", cells()), "name of a campaign must be a text without blanks"),
        (lambda m: m.plan(" spring", cells()), "name of a campaign"),
        (lambda m: m.plan("spring", cells().drop(columns="cell_id")), "missing column 'cell_id'"),
        (lambda m: m.plan("spring", cells().iloc[:0]), "at least one"),
        (lambda m: m.plan("spring", cells(planned_share=[0.4, 0.3, 0.2])), "must add up to 1. Found 0.9"),
        (lambda m: m.plan("spring", cells(control_cell_id=["x", "spring-0", "spring-0"])), "is not a cell of this campaign"),
        (lambda m: m.launch("spring", cells(), people().drop(columns="cell_id")), "missing column 'cell_id'"),
        (lambda m: m.launch("spring", cells(), people().iloc[:0]), "at least one customer"),
        (lambda m: m.launch("spring", cells(), pd.concat([people(), people(n=2)])), "2 customers are assigned twice.*'000'"),
        (lambda m: m.launch("spring", cells(), people("autumn")), "there is no cell autumn-0, autumn-1, autumn-2"),
        (lambda m: m.launch("spring", cells(), people().assign(customer_id=None).iloc[:1]), "given for everybody"),
        (lambda m: m.record_results("spring", results()), "no campaign 'spring'"),
        (lambda m: m.record_results("spring", results().drop(columns="n"), cells()), "missing column 'n'"),
        (lambda m: m.record_results("spring", results("autumn"), cells()), "there is no cell autumn-0"),
        (lambda m: m.close("spring"), "no campaign 'spring'"),
        (lambda m: m.assignments("spring"), "no campaign 'spring'"),
        (lambda m: m.cells("spring"), "no campaign 'spring'"),
        (lambda m: m.plan_details("spring"), "no campaign 'spring'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(memory, act, words):
    with pytest.raises(CampaignError, match=words):
        act(memory)
    assert memory.headers() == []


# Two writers at once


def _write_many(place: str, url: str, writer: int, barrier: object) -> None:
    if url:
        os.environ["CRMLAB_CAMPAIGNS"] = url
    memory = open_memory(place or None)
    barrier.wait()
    for turn in range(6):
        memory.record_results("spring", results(scale=100.0 * writer + turn), cells())
        memory.plan("both", cells("both"))  # both write the same


def _launch_one(place: str, url: str, writer: int, barrier: object, out: object) -> None:
    if url:
        os.environ["CRMLAB_CAMPAIGNS"] = url
    memory = open_memory(place or None)
    mine = people().assign(cell_id=[f"spring-{(i + writer) % 3}" for i in range(60)])
    barrier.wait()
    try:
        memory.launch("spring", cells(), mine)
        out.put((writer, "launched"))
    except CampaignError as error:
        out.put((writer, str(error)))


def _at_once(memory: CampaignMemory, target: object, *more: object) -> None:
    place = str(memory.store.path) if isinstance(memory.store, stores.Folder) else ""
    url = "" if place else os.environ["CRMLAB_CAMPAIGNS"]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=target, args=(place, url, writer, barrier, *more)) for writer in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


@pytest.mark.proof
def test_two_writers_at_once_lose_nothing(memory):
    _at_once(memory, _write_many)
    assert memory.looks("spring") == 12
    sums = memory.results("spring").query("cell_id == 'spring-1' and metric == 'spend'")["sum"]
    assert sorted(sums) == [100.0 * writer + turn for writer in (0, 1) for turn in range(6)]
    assert len(memory.headers("both")) == 1


@pytest.mark.proof
def test_two_launches_at_once_are_one(memory):
    out = multiprocessing.get_context("spawn").Queue()
    _at_once(memory, _launch_one, out)
    said = dict(out.get(timeout=10) for _ in range(2))
    assert sorted(words == "launched" for words in said.values()) == [False, True]
    assert any("is launched and cannot change" in words for words in said.values())
    winner = next(writer for writer, words in said.items() if words == "launched")
    assert memory.assignments("spring")["cell_id"].iloc[0] == f"spring-{winner}"


# The folder


def test_two_writers_without_a_lock_lose_nothing(tmp_path):
    # The lock only saves trouble: the link itself does not overwrite.
    folder = stores.Folder(tmp_path)
    one = make_event("launched", "spring", "2025-01-01T00:00:00+00:00", rows=people(), cells=cells())
    other = make_event("launched", "spring", "2025-01-01T00:00:00+00:00", rows=people(n=3), cells=cells())
    assert folder.put(one.linked(1, ""))
    assert not folder.put(other.linked(1, ""))
    assert [header.event_id for header in folder.read()[0]] == [one.header.event_id]
    assert list(tmp_path.glob(".aside-*")) == []


def test_a_file_system_without_links_does_not_overwrite(tmp_path, monkeypatch):
    def none(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(stores.os, "link", none)
    memory = open_memory(tmp_path)
    first = memory.launch("spring", cells(), people())
    assert memory.launch("spring", cells(), people()) == first
    with pytest.raises(CampaignError, match="is launched"):
        memory.launch("spring", cells(), people(n=3))


def test_one_file_per_event_and_no_other(tmp_path):
    memory = open_memory(tmp_path)
    memory.plan("spring", cells())
    memory.launch("spring", cells(), people())
    names = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert [name.split("-")[0] for name in names] == ["heads.json", "launched", "planned"]
    assert pq.read_table(tmp_path / names[1]).num_rows == 60


_KILLED = """
import os, sys, time
from pathlib import Path
from crmlab.data.memory import stores
from crmlab.data.memory.campaigns import open_memory
sys.path.insert(0, {tests!r})
import pandas as pd
real = stores._into_place
def wait(aside, target):
    print("ready", flush=True)
    time.sleep(60)
stores._into_place = wait
cells = pd.DataFrame({{"cell_id": ["a-0", "a-1"], "control_cell_id": [None, "a-0"]}})
open_memory({place!r}).plan("a", cells)
"""


def test_killed_before_it_is_in_place_leaves_nothing_to_see(tmp_path):
    memory = open_memory(tmp_path / "m")
    memory.plan("spring", cells())
    before = fingerprint(memory)
    code = _KILLED.format(place=str(tmp_path / "m"), tests=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    process.kill()
    process.wait(20)
    process.stdout.close()
    left = list((tmp_path / "m").glob(".aside-*"))
    assert len(left) == 1 and left[0].stat().st_size > 0  # it was written, and not put into place
    assert fingerprint(memory) == before
    assert memory.campaigns()["campaign_id"].tolist() == ["spring"]
    memory.plan("autumn", cells("autumn"))  # the lock died with its holder, and the next writer sweeps
    assert list((tmp_path / "m").glob(".aside-*")) == []
    assert memory.campaigns()["campaign_id"].tolist() == ["autumn", "spring"]


@pytest.mark.proof
def test_a_writer_never_shows_a_part(tmp_path):
    # Readers at work while a large event is written see it whole or not at all.
    memory = open_memory(tmp_path)
    many = pd.DataFrame(
        {"customer_id": [f"{i:07d}" for i in range(200_000)], "cell_id": [f"spring-{i % 3}" for i in range(200_000)]}
    )
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_launch_many, args=(str(tmp_path), many))
    process.start()
    seen = set()
    until = time.monotonic() + 60
    while process.is_alive() and time.monotonic() < until:
        seen.add(sum(header.rows for header in memory.headers()))
    process.join()
    assert process.exitcode == 0
    assert seen <= {0, 200_000}
    assert len(memory.assignments("spring")) == 200_000


def _launch_many(place: str, many: pd.DataFrame) -> None:
    open_memory(place).launch("spring", cells(), many)


def _some_file(folder: Path) -> Path:
    return next(folder.glob("*.parquet"))


def test_a_foreign_file_is_named_and_left(tmp_path):
    memory = open_memory(tmp_path)
    memory.plan("spring", cells())
    (tmp_path / "notes.txt").write_text("mine")
    for act in (memory.campaigns, lambda: fingerprint(memory), lambda: memory.plan("autumn", cells("autumn"))):
        with pytest.raises(CampaignError, match="notes.txt in the campaign memory is no event"):
            act()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "notes.txt").unlink()
    assert memory.campaigns()["campaign_id"].tolist() == ["spring"]


def test_a_parquet_file_of_others_is_no_event(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / f"planned-{'0' * 32}.parquet")
    with pytest.raises(CampaignError, match="is no event"):
        open_memory(tmp_path).campaigns()


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"x" * len(raw)])
def test_a_damaged_file_is_named_and_left(tmp_path, damage):
    memory = open_memory(tmp_path)
    memory.plan("spring", cells())
    path = _some_file(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    left = path.read_bytes()
    with pytest.raises(CampaignError, match=f"{path.name} of the campaign memory cannot be read.*Nothing was changed"):
        memory.plan("autumn", cells("autumn"))
    assert path.read_bytes() == left
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def test_an_altered_file_is_found_out(tmp_path):
    memory = open_memory(tmp_path)
    memory.launch("spring", cells(), people())
    path = _some_file(tmp_path)
    table = pq.read_table(path)
    moved = table.set_column(1, "cell_id", pa.array(["spring-1"] * 60)).replace_schema_metadata(table.schema.metadata)
    pq.write_table(moved, path)
    with pytest.raises(CampaignError, match="is not as it was written"):
        memory.assignments("spring")


def test_a_renamed_file_is_found_out(tmp_path):
    memory = open_memory(tmp_path)
    memory.plan("spring", cells())
    _some_file(tmp_path).rename(tmp_path / f"planned-{'0' * 32}.parquet")
    with pytest.raises(CampaignError, match="is not as it was written"):
        memory.campaigns()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CampaignError, match="cannot be written.*CRMLAB_CAMPAIGNS"):
        open_memory(tmp_path / "file" / "campaigns").plan("spring", cells())


# Where it is


def test_default_place_is_private(monkeypatch, tmp_path):
    monkeypatch.delenv("CRMLAB_CAMPAIGNS", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    assert open_memory().store.path == tmp_path / "data" / "private" / "campaigns"
    assert not (tmp_path / "data" / "private").exists()  # nothing is made by reading
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "other"))
    assert open_memory().store.path == tmp_path / "other"


def test_private_data_is_ignored_by_git():
    root = Path(__file__).parents[3]
    assert "data/private/" in (root / ".gitignore").read_text().splitlines()


def test_an_address_is_never_a_parameter():
    with pytest.raises(CampaignError) as caught:
        open_memory("postgresql://clerk:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def test_a_database_that_does_not_answer_keeps_its_secret(monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", "postgresql://clerk:hunter2@127.0.0.1:1/db")
    memory = open_memory()
    for act in (memory.campaigns, lambda: memory.plan("spring", cells())):
        with pytest.raises(CampaignError, match="that CRMLAB_CAMPAIGNS names does not answer") as caught:
            act()
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert "hunter2" not in repr(memory)
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", "mysql://clerk:hunter2@127.0.0.1/db")
    with pytest.raises(CampaignError, match="must hold an address such as postgresql://") as caught:
        open_memory().campaigns()
    assert "hunter2" not in str(caught.value)


# Events


@given(st.permutations(range(6)), st.integers(1, 5))
def test_identifier_does_not_depend_on_chunks(order, cut):
    frame = pd.DataFrame({"customer_id": ["a", "bb", None, "", "e", "f"], "x": [1.5, np.nan, 0.0, -1.0, 2.0, 3.0]})
    whole = make_event("results", "c", "t", rows=frame).header.event_id
    parts = pd.concat([frame.iloc[:cut], frame.iloc[cut:]], ignore_index=True)
    assert make_event("results", "c", "another time", rows=parts).header.event_id == whole
    mixed = frame.iloc[list(order)].reset_index(drop=True)
    assert (make_event("results", "c", "t", rows=mixed).header.event_id == whole) == mixed.equals(frame)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": ["a", "bc"]}, {"x": ["ab", "c"]}),
        ({"x": [None, "a"]}, {"x": ["", "a"]}),
        ({"x": [1.0, None]}, {"x": [1.0, 0.0]}),
        ({"x": [1, 2]}, {"x": [1.0, 2.0]}),
        ({"x": [True, False]}, {"x": [False, True]}),
        ({"x": [dt.date(2025, 1, 1)]}, {"x": [dt.date(2025, 1, 2)]}),
        ({"x": ["1"]}, {"y": ["1"]}),
    ],
)
def test_identifier_tells_contents_apart(one, other):
    ids = {make_event("results", "c", "t", rows=pd.DataFrame(rows)).header.event_id for rows in (one, other)}
    assert len(ids) == 2


def test_identifier_tells_kind_campaign_and_details_apart():
    made = [
        make_event("planned", "c", "t"),
        make_event("closed", "c", "t"),
        make_event("planned", "d", "t"),
        make_event("planned", "c", "t", details={"a": 1}),
        make_event("planned", "c", "t", cells=cells()),
    ]
    assert len({event.header.event_id for event in made}) == 5
