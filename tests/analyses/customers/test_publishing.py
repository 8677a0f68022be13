"""Publishing: what is written, that it is replaced whole under the eyes of readers, and what is refused."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from crmlab.analyses.customers.published import CUSTOMERS, DICTIONARY, PUBLISHED, Published
from crmlab.analyses.customers.publishing import publish
from crmlab.errors import PublishError

PASSWORD = "swordfish"
KEY = Published("customer_id", "text", "who", required=True, key=True)


def frame(version=1, n=50):
    return pd.DataFrame(
        {
            "customer_id": [f"{i:03d}" for i in range(n)][::-1],
            "as_of": dt.date(2025, 12, 31),
            "value": [version * 1000.0 + i for i in range(n)],
            "state": ["active" if i % 2 else None for i in range(n)],
            "days_since_last": range(n),
            "contactable": [None if i == 0 else i % 3 == 0 for i in range(n)],
            "value_model": f"BG/NBD, version {version}",
        }
    )


def read(kind, place):
    """Both tables from one consistent view of a place."""
    if kind == "duckdb":
        with duckdb.connect(str(place), read_only=True) as con:
            return con.table(CUSTOMERS).to_df(), con.table(DICTIONARY).to_df()
    folder = (Path(place) / "current").resolve()
    return tuple(pq.read_table(folder / f"{name}.parquet").to_pandas() for name in (CUSTOMERS, DICTIONARY))


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_publish_writes_customers_and_their_dictionary(tmp_path, kind):
    place = tmp_path / "deep" / ("crm.duckdb" if kind == "duckdb" else "crm")
    run = publish({CUSTOMERS: frame()}, str(place))
    customers, terms = read(kind, place)
    assert customers.columns.tolist() == [*(column.name for column in PUBLISHED), "run"]
    assert customers["customer_id"].tolist() == [f"{i:03d}" for i in range(50)]
    assert customers["value"].iloc[0] == 1049.0
    # What the frame does not hold is empty, not absent: the form of the table is the same in every run.
    assert customers["tier"].isna().all()
    assert customers["contactable"].isna().sum() == 1
    assert set(customers["run"]) == set(terms["run"]) == {run}
    meanings = terms[terms["table_name"] == CUSTOMERS].set_index("column_name")["meaning"]
    assert meanings["value"] == next(column.meaning for column in PUBLISHED if column.name == "value")
    assert set(terms["table_name"]) == {CUSTOMERS, DICTIONARY}
    # The same contents are the same run; others are another.
    assert publish({CUSTOMERS: frame()[::-1]}, str(place)) == run
    assert publish({CUSTOMERS: frame(2)}, str(place)) != run
    assert read(kind, place)[0]["value"].iloc[0] == 2049.0


def test_publish_duckdb_comments_and_uri(tmp_path):
    publish({CUSTOMERS: frame()}, f"duckdb://{tmp_path}/crm.duckdb")
    with duckdb.connect(str(tmp_path / "crm.duckdb"), read_only=True) as con:
        rows = con.execute("select column_name, comment from duckdb_columns() where table_name = ?", [CUSTOMERS]).fetchall()
    assert dict(rows)["tier"] == next(column.meaning for column in PUBLISHED if column.name == "tier")
    assert [path.name for path in tmp_path.iterdir()] == ["crm.duckdb"]


def test_publish_parquet_keeps_the_run_before_and_meanings(tmp_path):
    for version in range(1, 5):
        publish({CUSTOMERS: frame(version)}, str(tmp_path / "crm"))
    assert sorted(path.name for path in (tmp_path / "crm").iterdir()) == ["current", "run-000003", "run-000004"]
    field = pq.read_schema(tmp_path / "crm" / "current" / f"{CUSTOMERS}.parquet").field("churn")
    assert field.metadata[b"meaning"].startswith(b"probability of no purchase in the whole window")


def watched(write, look, threads=2):
    """Publish again and again while readers look; returns what each look found.

    What was published stays until the next but one: that is what readers are promised. So each reader begins a look between two
    publishers; on a busy machine one could otherwise sleep while two came by, and find the folder that it was told of gone.
    """
    seen, errors, done = [], [], threading.Event()
    looks = [0] * threads

    def reader(mine):
        while not done.is_set():
            looks[mine] += 1
            try:
                seen.append(look())
            except Exception as error:
                errors.append(error)
                return

    readers = [threading.Thread(target=reader, args=[mine]) for mine in range(threads)]
    write(1)
    for thread in readers:
        thread.start()
    version, until = 1, time.monotonic() + 1.0
    # A busy machine gets longer: what counts is how many runs came under the readers' eyes.
    while (time.monotonic() < until or version < 8) and not errors:
        version += 1
        before = list(looks)
        write(version)
        while any(now == then for now, then in zip(looks, before, strict=True)) and not errors:
            time.sleep(0.001)
    done.set()
    for thread in readers:
        thread.join()
    assert not errors, errors
    return seen, version


def consistent(customers, terms, runs):
    """Rows are all of one run, and both tables of the same; returns its version."""
    assert len(customers) == 50
    (run,), (other,) = set(customers["run"]), set(terms["run"])
    assert run == other
    version = int(customers["value"].iloc[0] // 1000)
    assert set(customers["value"] // 1000) == {version}
    assert runs[version] == run
    return version


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_publish_readers_never_see_a_mix_in_files(tmp_path, kind):
    place, runs = tmp_path / ("crm.duckdb" if kind == "duckdb" else "crm"), {}

    def write(version):
        runs[version] = publish({CUSTOMERS: frame(version)}, str(place))
        time.sleep(0.05)

    # Two readers in one process would share DuckDB's handle of an old file, and with it the old run.
    seen, last = watched(write, lambda: read(kind, place), threads=1 if kind == "duckdb" else 2)
    versions = [consistent(*tables, runs) for tables in seen]
    assert len(set(versions)) > 2
    assert last >= 8


def test_publish_readers_never_see_a_mix_in_postgres(postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("CRM_PLACE", postgres)
    runs = {}

    def write(version):
        runs[version] = publish({CUSTOMERS: frame(version)}, "env:CRM_PLACE")

    def look():
        # Two statements of one transaction: what they see must be of one run.
        with psycopg.connect(postgres) as con:
            con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with con.cursor() as cursor:
                cursor.execute(f"select value, run from {CUSTOMERS} order by customer_id")
                customers = pd.DataFrame(cursor.fetchall(), columns=["value", "run"])
                time.sleep(0.01)
                cursor.execute(f"select run from {DICTIONARY}")
                return customers, pd.DataFrame(cursor.fetchall(), columns=["run"])

    seen, last = watched(write, look)
    versions = [consistent(*tables, runs) for tables in seen]
    assert len(set(versions)) > 2
    assert last >= 8


def test_publish_postgres_types_comments_rights_and_views(postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("CRM_PLACE", postgres)
    publish({CUSTOMERS: frame()}, "env:CRM_PLACE")
    with psycopg.connect(postgres) as con:
        con.execute(f"create view best as select customer_id, value from {CUSTOMERS} where value > 1040")
    publish({CUSTOMERS: frame(2)}, "env:CRM_PLACE")
    with psycopg.connect(postgres) as con:
        assert con.execute("select count(*), min(value) from best").fetchone() == (50, 2000.0)
        types = dict(
            con.execute(
                "select column_name, data_type from information_schema.columns where table_name = %s", [CUSTOMERS]
            ).fetchall()
        )
        assert (types["as_of"], types["value"], types["contactable"]) == ("date", "double precision", "boolean")
        told = con.execute(f"select col_description('{CUSTOMERS}'::regclass, 3)").fetchone()[0]
        assert told == PUBLISHED[2].meaning
        con.execute("drop view best")
    # Other columns: the table is made anew.
    publish({CUSTOMERS: frame()[["customer_id"]]}, "env:CRM_PLACE", {CUSTOMERS: (KEY,)})
    with psycopg.connect(postgres) as con:
        assert con.execute(f"select * from {CUSTOMERS} order by 1 limit 1").fetchone()[0] == "000"


def test_publish_postgres_failure_leaves_what_was_there(postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("CRM_PLACE", postgres)
    publish({CUSTOMERS: frame(3)}, "env:CRM_PLACE")
    # A zero byte cannot be kept by Postgres: the copy fails in the middle of the run.
    broken = frame(4).assign(state=["a\0b"] + ["x"] * 49)
    with pytest.raises(PublishError, match="could not be published") as caught:
        publish({CUSTOMERS: broken}, "env:CRM_PLACE")
    assert PASSWORD not in str(caught.value)
    with psycopg.connect(postgres) as con:
        assert con.execute(f"select count(*), min(value) from {CUSTOMERS}").fetchone() == (50, 3000.0)


def test_publish_duckdb_failure_leaves_what_was_there(tmp_path, monkeypatch):
    place = tmp_path / "crm.duckdb"
    publish({CUSTOMERS: frame()}, str(place))
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PublishError, match="What was published before is as it was"):
        publish({CUSTOMERS: frame(2)}, str(place))
    assert read("duckdb", place)[0]["value"].iloc[0] == 1049.0
    assert [path.name for path in tmp_path.iterdir()] == ["crm.duckdb"]


def test_publish_never_repeats_an_address(monkeypatch):
    with pytest.raises(PublishError, match="environment variable") as caught:
        publish({CUSTOMERS: frame()}, f"postgresql://u:{PASSWORD}@host/db")
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv("CRM_PLACE", f"mysql://u:{PASSWORD}@host/db")
    with pytest.raises(PublishError, match="something else, which is not shown") as caught:
        publish({CUSTOMERS: frame()}, "env:CRM_PLACE")
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv("CRM_PLACE", f"postgresql://u:{PASSWORD}@127.0.0.1:1/db")
    with pytest.raises(PublishError, match="OperationalError") as caught:
        publish({CUSTOMERS: frame()}, "env:CRM_PLACE")
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    monkeypatch.delenv("CRM_PLACE")
    with pytest.raises(PublishError, match="Found nothing"):
        publish({CUSTOMERS: frame()}, "env:CRM_PLACE")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(tear="x"), r"the column 'tear' is not in the data dictionary\. Did you mean 'tier'\?"),
        (lambda f: f.drop(columns="as_of"), "missing column 'as_of', which must be published"),
        (lambda f: f.assign(customer_id="1"), r"column 'customer_id' must hold each value once\. Found 49 repeated"),
        (lambda f: f.assign(customer_id=[None, *f.customer_id[1:]]), "a value in every row"),
        (lambda f: f.assign(value="much"), "column 'value' must hold numbers"),
        (lambda f: f.assign(email="x@y"), "the column 'email' is not in the data dictionary"),
    ],
)
def test_publish_refuses_frames(tmp_path, change, said):
    with pytest.raises(PublishError, match=said):
        publish({CUSTOMERS: change(frame())}, str(tmp_path / "crm"))
    assert list(tmp_path.iterdir()) == []


def test_publish_refuses_places(tmp_path):
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        con.execute("create table sales (x int)")
    with pytest.raises(PublishError, match=r"holds what crmlab did not publish.*Found: sales"):
        publish({CUSTOMERS: frame()}, str(tmp_path / "other.duckdb"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(PublishError, match=r"Found: letter\.txt"):
        publish({CUSTOMERS: frame()}, str(tmp_path / "mine"))
    for to in ("", "s3://bucket/x", "customers.csv"):
        with pytest.raises(PublishError, match="Cannot publish to"):
            publish({CUSTOMERS: frame()}, to)
    with pytest.raises(PublishError, match="'others' is not in the data dictionary"):
        publish({"others": frame()}, str(tmp_path / "crm"))


@pytest.mark.proof
def test_publish_command(tmp_path, monkeypatch):
    from crmlab.analyses.customers import table as customer_table
    from crmlab.cli.publish import publish_command

    monkeypatch.setattr(customer_table, "customer_table", lambda data, as_of: frame(int(data.name == "cdnow_sample")))
    done = CliRunner().invoke(publish_command, ["--data", "cdnow_sample", "--to", str(tmp_path / "crm.duckdb")])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Published 50 customers")
    assert read("duckdb", tmp_path / "crm.duckdb")[0]["value"].iloc[0] == 1049.0
    refused = CliRunner().invoke(publish_command, ["--to", f"postgresql://u:{PASSWORD}@host/db"])
    assert refused.exit_code == 2
    assert PASSWORD not in refused.output
    assert "--to env:CRM_DATABASE" in refused.output
