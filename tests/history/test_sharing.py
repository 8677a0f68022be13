"""What several reports need is worked out once: by histories of one data set, and by the kernels of one run."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import pickle
from dataclasses import replace

import cloudpickle
import pytest

import crmlab
from crmlab.errors import DamageWarning
from crmlab.history.past import History
from crmlab.history.sharing import SHARED, shared
from crmlab.history.words import ROUNDS, WEEKS


@pytest.fixture(scope="module")
def data():
    return crmlab.open_dataset("cdnow_sample")


def test_histories_of_one_data_set_and_day_share(data):
    asked = []

    def make():
        asked.append(1)
        return object()

    first = History(data).once("test.shares", make, shared_by_all=True)
    assert History(data).once("test.shares", make, shared_by_all=True) is first and len(asked) == 1
    earlier = History(data).earlier(dt.date(1997, 12, 31))
    assert earlier.once("test.shares", make, shared_by_all=True) is not first
    again = History(data, "1997-12-31").once("test.shares", make, shared_by_all=True)
    assert again is earlier.once("test.shares", make, shared_by_all=True) and len(asked) == 2


def test_a_changed_data_set_and_a_database_share_nothing(data):
    first = History(data).once("test.changed", object, shared_by_all=True)
    for other in (replace(data), replace(data, fingerprint=None)):
        assert History(other).once("test.changed", object, shared_by_all=True) is not first
    database = replace(data, fingerprint=None)
    one, two = (History(database).once("test.database", object, shared_by_all=True) for _ in range(2))
    assert one is not two  # its rows may have changed in between


def test_what_is_not_for_all_stays_with_its_history(data):
    assert History(data).once("test.own", object) is not History(data).once("test.own", object)


def _asks(folder, results):
    import os
    import time

    os.environ[SHARED] = str(folder)

    def make():
        time.sleep(0.3)
        return [os.getpid()]

    results.put(shared(("a", 1), make)[0])


def test_kernels_of_a_run_work_it_out_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    several = [context.Process(target=_asks, args=(tmp_path, results)) for _ in range(3)]
    for one in several:
        one.start()
    found = {results.get(timeout=60) for _ in several}
    for one in several:
        one.join()
    assert len(found) == 1


def test_other_keys_and_what_raises_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(SHARED, str(tmp_path))
    assert shared("a", lambda: 1) == 1 and shared("b", lambda: 2) == 2 and shared("a", lambda: 3) == 1
    with pytest.raises(ZeroDivisionError):
        shared("c", lambda: 1 / 0)
    assert shared("c", lambda: 4) == 4


def test_without_room_it_is_worked_out_again(tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.setenv(SHARED, str(tmp_path))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert shared("a", lambda: 1) == 1 and shared("a", lambda: 2) == 2
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.pickle"))


DAMAGED = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "changed": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"x."),
    "open to others": lambda path: path.chmod(0o666),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: path.symlink_to(path.rename(path.with_suffix(".other"))),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_not_as_it_was_written_is_worked_out_again(tmp_path, monkeypatch, damage):
    monkeypatch.setenv(SHARED, str(tmp_path))
    assert shared("a", lambda: [1]) == [1]
    (path,) = tmp_path.glob("*.pickle")
    assert path.stat().st_mode & 0o777 == 0o600 and shared("a", lambda: [2]) == [1]
    DAMAGED[damage](path)
    with pytest.warns(DamageWarning, match="is not as it was written. It was worked out again."):
        assert shared("a", lambda: [3]) == [3]
    assert shared("a", lambda: [4]) == [3]


def test_outside_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(SHARED, raising=False)
    monkeypatch.chdir(tmp_path)
    assert shared("a", lambda: 1) == 1 and shared("a", lambda: 2) == 2 and not list(tmp_path.iterdir())


def test_words_that_another_process_reads_are_the_same_object():
    # Pages ask by identity whether they speak of donors: a copy would speak of customers.
    assert all(pickle.loads(pickle.dumps(one)) is one for one in (WEEKS, ROUNDS))
    other = replace(WEEKS, one="member")
    assert pickle.loads(pickle.dumps(other)) == other
    assert pickle.loads(cloudpickle.dumps({"words": ROUNDS}))["words"] is ROUNDS
