"""Kind: too little memory is taken for a fault of something else, so that people look for one in a sound file."""

import subprocess
import sys

import duckdb
import pytest

import crmlab
from crmlab.data.reading import engines
from crmlab.data.room import is_out_of_memory, no_room
from crmlab.errors import SourceError
from crmlab.report.execution import OUT_OF_MEMORY


def test_a_csv_is_not_blamed_for_too_little_memory(tmp_path, monkeypatch):
    real = engines.scratch_duckdb

    def narrow(*folders):
        con = real(*folders)
        con.raw_sql("set memory_limit = '4MB'")
        con.raw_sql("set max_temp_directory_size = '0KB'")
        return con

    monkeypatch.setattr(engines, "scratch_duckdb", narrow)
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    rows = "".join(f"{i},A{i},2024-01-{i % 28 + 1:02d},{i}.50\n" for i in range(200_000))
    (tmp_path / "o.csv").write_text("cust,order,day,total\n" + rows)
    toml = tmp_path / "mine.toml"
    toml.write_text(
        '[orders]\nfile = "o.csv"\ncustomer_id = "cust"\norder_id = "order"\nordered_at = "day"\namount = "total"\n'
    )
    with pytest.raises(SourceError, match="cannot be read. There is not enough memory") as found:
        crmlab.open_dataset(str(toml))
    assert "cannot be taken apart" not in str(found.value)
    assert not list((tmp_path / "cache").glob("mine-*/*")), "half of a cache was left"


def test_errors_of_memory_are_known_whoever_raises_them():
    with duckdb.connect(config={"memory_limit": "1MB"}) as con, pytest.raises(duckdb.Error) as found:
        con.execute("create table t as select range as i, repeat('x', 1000) as x from range(1_000_000)")
    assert is_out_of_memory(found.value)
    assert "not enough memory" in str(no_room(found.value))
    assert type(found.value).__name__ in OUT_OF_MEMORY
    with pytest.raises(MemoryError) as found:
        bytearray(2**62)
    assert is_out_of_memory(found.value)
    assert not is_out_of_memory(ValueError("Out of order"))


@pytest.mark.skipif(sys.platform != "linux", reason="The limit of a process's memory is set as Linux has it.")
def test_a_limit_under_what_libraries_need_is_refused_at_once(tmp_path):
    # Below it a library that is being loaded may wait for memory without end.
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1900 * 2**20,) * 2)\nfrom crmlab.cli import main\nmain()"
    command = [sys.executable, "-c", code, "run", "rfm", "--data", "cdnow_sample", "--out", str(tmp_path / "reports")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "crmlab: Reports cannot be run. This process may have 1,900 MB of memory, and 2,048 MB are needed. "
        "Raise the limit (ulimit -v), or lift it.\n"
    )
    assert not (tmp_path / "reports").exists()
