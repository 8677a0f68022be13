"""Kind: what the cache keeps is read unseen after it has changed, and pages show other numbers without a word.

Every single flipped bit of a table, of the manifest or of a remembered digest is found or changes nothing that is read; so are files
that are cut off, missing, of another kind or too many. The data are read from their source again, and that is said once.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import crmlab
from crmlab.collecting import collect
from crmlab.data import cache, catalog, kept
from crmlab.data.reading import building
from crmlab.data.sealed import seal, unseal
from crmlab.errors import DamageWarning
from crmlab.report import inputs, runner
from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.runner import run_reports

TOML = """currency = "EUR"
bad_rows = "drop"
[orders]
file = "o.csv"
customer_id = "cust"
ordered_at = "day"
amount = "total"
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A data set of 100 orders in a cache of its own, whose source has not changed for long."""
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_FRESH", -1.0)
    lines = ["cust,day,total", *(f"c{k % 7},2024-01-{k % 28 + 1:02},{k}.50" for k in range(100)), "c1,never,ü"]
    (tmp_path / "o.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "mine.toml").write_text(TOML)
    return tmp_path / "mine.toml"


@pytest.fixture
def folder(mine):
    return building.materialise(catalog.load(mine)).folder


def amounts(mine: Path) -> list[str]:
    orders = crmlab.open_dataset(mine).orders
    return sorted(str(value) for value in collect(orders, ("customer_id", "ordered_at", "amount"))["amount"])


def flips(path: Path, count: int, seed: int = 15):
    """Flip single bits of a file, one after the other: all of a small file, else many places of it."""
    data = path.read_bytes()
    bits = range(8 * len(data))
    for bit in bits if len(bits) <= count else sorted(random.Random(seed).sample(bits, count)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        yield bit
    path.write_bytes(data)


def test_no_flipped_bit_of_a_table_is_read(folder):
    key = unseal((folder / "manifest.json").read_bytes())["key"]
    for bit in flips(folder / "orders.parquet", 1_000):
        with pytest.raises(kept.FlawError, match="orders.parquet has other contents"):
            kept.kept_tables(folder, key, verified=True)
        assert bit >= 0


def test_no_flipped_bit_of_the_manifest_is_read(folder):
    whole = kept.kept_tables(folder, unseal((folder / "manifest.json").read_bytes())["key"], verified=False).manifest
    found = 0
    for _ in flips(folder / "manifest.json", 1_000):
        with contextlib.suppress(kept.FlawError):
            assert kept.kept_tables(folder, whole.key, verified=False).manifest == whole
            continue
        found += 1
    assert found > 700


def test_no_flipped_bit_of_a_remembered_digest_is_read(mine, folder):
    digest = cache.file_digest(mine.with_name("o.csv"))
    (memo,) = (mine.parent / "cache" / "digests").iterdir()
    for bit in flips(memo, 300):
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            assert cache.file_digest(mine.with_name("o.csv")) == digest, bit


CONTENTS = ["", "null", "[]", '{"sha256": 5, "content": []}', "[" * 100_000, '{"sha256"', "\ufeff{}", "\x00", "\udc80"]


@pytest.mark.parametrize("content", CONTENTS)
def test_a_manifest_of_any_content_is_a_flaw(folder, content):
    (folder / "manifest.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(kept.FlawError, match="the manifest is damaged"):
        kept.kept_tables(folder, "", verified=False)


@pytest.mark.proof
@pytest.mark.parametrize("content", CONTENTS)
def test_a_remembered_digest_of_any_content_is_none(mine, folder, content):
    (memo,) = (mine.parent / "cache" / "digests").iterdir()
    digest = cache.file_digest(mine.with_name("o.csv"))
    memo.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.warns(DamageWarning, match=r"What the cache remembered of o\.csv was damaged\. The file was looked at again\."):
        assert cache.file_digest(mine.with_name("o.csv")) == digest
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.file_digest(mine.with_name("o.csv")) == digest


def test_a_folder_for_a_remembered_digest_is_cleared_away(mine, folder):
    (memo,) = (mine.parent / "cache" / "digests").iterdir()
    memo.unlink()
    memo.mkdir()
    with pytest.warns(DamageWarning, match=r"What the cache remembered of o\.csv was damaged"):
        assert len(amounts(mine)) == 100
    assert memo.is_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [("tables", []), ("tables", {"orders": 100}), ("ledger", {}), ("ledger", [{"rows": "100"}]), ("key", 3), ("more", 1)],
)
def test_a_manifest_of_other_types_is_a_flaw(folder, name, value):
    content = unseal((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(seal(content | {name: value}))
    with pytest.raises(kept.FlawError, match="the manifest is damaged"):
        kept.kept_tables(folder, content["key"], verified=False)


def cut(folder):
    path = folder / "orders.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def emptied(folder):
    (folder / "orders.parquet").write_bytes(b"")


def without_a_table(folder):
    (folder / "orders.parquet").unlink()


def linked(folder):
    (folder / "orders.parquet").rename(folder.parent / "elsewhere.parquet")
    (folder / "orders.parquet").symlink_to(folder.parent / "elsewhere.parquet")


def a_folder_for_a_table(folder):
    (folder / "orders.parquet").unlink()
    (folder / "orders.parquet").mkdir()


def one_more(folder):
    shutil.copy(folder / "orders.parquet", folder / "customers.parquet")


def without_a_manifest(folder):
    (folder / "manifest.json").unlink()


def a_folder_for_a_manifest(folder):
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()


def a_file_for_the_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("")


def linked_as_a_whole(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def a_folder_of_another_key(folder):
    content = unseal((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(seal(content | {"key": content["key"][:-1] + "x"}))


@pytest.mark.proof
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "orders.parquet has [0-9,]+ bytes instead of"),
        (emptied, "orders.parquet has 0 bytes instead of"),
        (without_a_table, "orders.parquet is missing"),
        (linked, "orders.parquet is missing"),
        (a_folder_for_a_table, "orders.parquet is missing"),
        (one_more, "customers.parquet does not belong there"),
        (without_a_manifest, "the manifest is missing"),
        (a_folder_for_a_manifest, "the manifest is missing"),
        (a_file_for_the_folder, "the manifest is missing"),
        (linked_as_a_whole, "its folder is a link"),
        (a_folder_of_another_key, "the manifest is that of another folder"),
    ],
)
def test_damage_is_mended_and_said_once(mine, folder, damage, said):
    before = amounts(mine)
    damage(folder)
    with pytest.warns(DamageWarning, match=said) as told:
        assert amounts(mine) == before
    assert sum(warning.category is DamageWarning for warning in told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", DamageWarning)
        assert amounts(mine) == before
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "orders.parquet"]
    assert not list(folder.parent.glob("*.aside-*"))


def test_a_process_hashes_once(mine, folder, monkeypatch):
    hashed = []
    monkeypatch.setattr(kept, "_check", hashed.append)
    monkeypatch.setattr(kept, "_verified", {})
    for _ in range(3):
        crmlab.open_dataset(mine)
    assert len(hashed) == 1
    os.utime(folder / "orders.parquet")  # the system says that it changed: look again
    crmlab.open_dataset(mine)
    assert len(hashed) == 2


def refused(found):
    raise AssertionError(f"{found.folder.name} is hashed.")


def test_a_run_that_renders_nothing_reads_no_table(mine, folder, monkeypatch):
    monkeypatch.setattr(kept, "_check", refused)
    monkeypatch.setattr(kept, "_verified", {})
    (folder / "orders.parquet").write_bytes(b"damaged")
    assert inputs.inspect(str(mine)).rows == {"orders": 100}


def test_kernels_take_the_verdict_of_their_run(mine, folder, monkeypatch):
    told = inputs.inspect(str(mine)).verdict()
    monkeypatch.setattr(kept, "_verified", {})  # as in another process
    monkeypatch.setattr(kept, "_check", refused)
    monkeypatch.setenv(kept.VERDICT, told[kept.VERDICT])
    assert len(amounts(mine)) == 100
    mine.with_name("o.csv").write_text("cust,day,total\nc1,2024-01-01,1\n")
    assert len(amounts(mine)) == 100  # the version of the run, whatever the source is now
    os.utime(folder / "orders.parquet")
    monkeypatch.setattr(kept, "_verified", {})
    with pytest.raises(AssertionError, match="hashed"):
        crmlab.open_dataset(mine)  # no longer what the run saw: hashed again


@pytest.mark.proof
def test_a_run_says_what_it_mended(mine, folder):
    """The one test here that starts kernels: damage is found before them, told on the terminal, and not on the page."""
    home, out = Path(__file__).parents[2], mine.parent / "reports"
    path = folder / "orders.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    command = [sys.executable, "-m", "crmlab.cli", "run", "rfm", "data_quality", "--data", str(mine), "--out", str(out)]
    env = {**os.environ, "CRMLAB_HOME": str(home), "PYTHONPATH": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    said = "crmlab: What the cache kept of the data set 'mine' was damaged: orders.parquet has other contents."
    assert done.stderr.count(said) == 1, done.stdout + done.stderr
    pages = "".join(path.read_text() for path in out.rglob("*.html"))
    assert "was damaged" not in pages + "".join(path.read_text() for path in out.rglob("*.ipynb"))
    assert json.loads(next(out.rglob("data_quality/run.json")).read_text())["inputs"]["rows"] == {"orders": 100}


def test_two_orders_of_one_run_read_one_version(mine, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "inspect", lambda data: asked.append(data) or inputs.inspect(data))
    monkeypatch.setattr("crmlab.report.making._make", lambda job, batch, record, *_: setattr(record, "status", "ok"))
    run_reports([Order(str(mine), ("rfm",)), Order(str(mine), ("data_quality",))], Settings(out=mine.parent / "reports"))
    assert asked == [str(mine)]
