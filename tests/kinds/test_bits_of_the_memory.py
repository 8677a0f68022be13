"""Kind: damage gives other numbers without a word. A flipped bit, a shortened file or bytes of something else in the campaign memory would be
read as costs, days or people that nobody wrote down, or end in a traceback.

Right is: whatever a reading gives is what was written; else it is a sentence that names the file.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from crmlab.data.memory.campaigns import CampaignMemory, open_memory
from crmlab.errors import CampaignError
from tests.kinds.test_forged_memory import filled


def all_of_it(memory: CampaignMemory) -> str:
    """Everything that can be read of the memory."""
    found: list[Any] = [header.to_json() for header in memory.headers()]
    frames = [memory.campaigns(), memory.cells(), memory.assignments("spring"), memory.results(), memory.history()]
    return "\n".join([*found, *(frame.to_json() for frame in frames)])


def said(error: CampaignError) -> bool:
    """Whether it is a sentence on the memory."""
    return "of the campaign memory" in str(error) or "in the campaign memory" in str(error)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("memory")
    filled(open_memory(place))
    return place


def _flips(raw: bytes, some: random.Random) -> bytes:
    place, bit = some.randrange(len(raw)), some.randrange(8)
    return raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]


def _cut(raw: bytes, some: random.Random) -> bytes:
    return raw[: some.randrange(len(raw))]


def _noise(raw: bytes, some: random.Random) -> bytes:
    place = some.randrange(len(raw))
    return raw[:place] + some.randbytes(16) + raw[place + 16 :]


def damaged(made: Path, place: Path, times: int, seed: int) -> tuple[int, int]:
    """Damage one file of a memory at a time; returns how often it was named, and how often nothing of what is said had changed."""
    shutil.copytree(made, place)
    memory, some = open_memory(place), random.Random(seed)
    whole = all_of_it(memory)
    files = sorted(path for path in place.iterdir() if path.name[0] != ".")
    named = unharmed = 0
    for turn in range(times):
        path = files[turn % len(files)]
        raw = path.read_bytes()
        path.write_bytes((_flips, _flips, _flips, _cut, _noise)[turn % 5](raw, some))
        try:
            assert all_of_it(memory) == whole, f"silently changed: {path.name}, turn {turn}"
            unharmed += 1
        except CampaignError as error:
            named += said(error)
        path.write_bytes(raw)
    assert all_of_it(memory) == whole
    return named, unharmed


@pytest.mark.proof
def test_no_damage_changes_anything_without_a_word(made, tmp_path):
    named, unharmed = damaged(made, tmp_path / "memory", 90, 1)
    assert named + unharmed == 90 and named > 60


@pytest.mark.proof
def test_no_damage_of_a_thousand_changes_anything_without_a_word(made, tmp_path):
    named, unharmed = damaged(made, tmp_path / "memory", 1_000, 2)
    assert named + unharmed == 1_000 and named > 700


@pytest.mark.postgres
def test_no_damage_changes_anything_in_a_postgres(postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("CRMLAB_CAMPAIGNS", postgres)
    memory, some = filled(open_memory()), random.Random(3)
    whole = all_of_it(memory)
    with psycopg.connect(postgres, autocommit=True) as session:
        slots = [row[0] for row in session.execute("select slot from crmlab_campaign_events order by slot").fetchall()]
        for turn in range(40):
            slot = slots[turn % len(slots)]
            select = "select header, content from crmlab_campaign_events where slot = %s"
            header, content = session.execute(select, (slot,)).fetchone()
            change = "update crmlab_campaign_events set header = %s, content = %s where slot = %s"
            if turn % 2:
                session.execute(change, (header, _flips(content, some), slot))
            else:
                place = some.randrange(len(header))
                session.execute(change, (header[:place] + some.choice("0x{ é") + header[place + 1 :], content, slot))
            try:
                assert all_of_it(memory) == whole, f"silently changed: {slot}, turn {turn}"
            except CampaignError as error:
                assert said(error)  # noqa: PT017
            session.execute(change, (header, content, slot))
    assert all_of_it(memory) == whole
