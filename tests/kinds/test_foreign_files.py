"""Kind: a file that others made decides what is read, and puts the user's own files into pages.

From a DuckDB file that is given as a source only its tables are read; the engine that opens it reaches no other file, no address and
no extension, whatever stands in the file.
"""

import sqlite3

import duckdb
import pytest

import crmlab
from crmlab.collecting import collect
from crmlab.data.reading import engines
from crmlab.errors import SourceError

TOML = """[source]
kind = "duckdb"
file = "theirs.duckdb"
[orders]
from_table = "{table}"
customer_id = "who"
ordered_at = "day"
amount = "total"
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))


def source(folder, *statements, table="orders"):
    """A data set of a DuckDB file in which others have run some statements."""
    (folder / "secret.txt").write_text("the user's own")
    (folder / "secret.csv").write_text("who,day,total\nthe user's own,2024-01-01,1\n")
    with duckdb.connect(str(folder / "theirs.duckdb")) as con:
        con.execute("create table fine as select 'a' as who, date '2024-01-01' as day, 1.5 as total")
        for statement in statements:
            con.execute(statement.format(folder=folder))
    (folder / "mine.toml").write_text(TOML.format(table=table))
    return folder / "mine.toml"


def test_tables_are_read(tmp_path):
    orders = crmlab.open_dataset(source(tmp_path, table="fine")).orders
    assert collect(orders, "order_id")["customer_id"].tolist() == ["a"]


def test_tables_of_other_schemas_and_writings_are_read(tmp_path):
    toml = source(tmp_path, "create schema own", 'create table own."Orders" as from fine', table="OWN.orders")
    assert crmlab.open_dataset(toml).orders.count().execute() == 1


@pytest.mark.parametrize(
    "view",
    [
        "select content as who, date '2024-01-01' as day, 1.5 as total from read_text('{folder}/secret.txt')",
        "select * from read_csv('{folder}/secret.csv')",
        "select * from '{folder}/secret.csv'",
        "select filename as who, date '2024-01-01' as day, 1 as total from read_blob('{folder}/*')",
        "select file as who, date '2024-01-01' as day, 1 as total from glob('{folder}/*')",
        "select * from fine",
    ],
)
def test_a_view_is_named_and_not_read(tmp_path, view):
    toml = source(tmp_path, f"create view orders as {view}")
    with pytest.raises(SourceError, match=r"'orders' in theirs\.duckdb must be a table\. Found: a view.*CREATE TABLE") as told:
        crmlab.open_dataset(toml)
    assert "own" not in str(told.value)
    assert not list((tmp_path / "cache").glob("mine-*/*"))


def test_a_view_is_told_by_check_too(tmp_path):
    toml = source(tmp_path, "create view orders as from fine")
    from crmlab.data.catalog import load
    from crmlab.data.dataset import check_source

    _, _, problems = check_source(load(toml))
    assert [type(problem) for problem in problems] == [SourceError]


def test_views_are_not_among_what_may_be_chosen(tmp_path):
    toml = source(tmp_path, "create view tempting as from fine", table="missing")
    with pytest.raises(SourceError, match=r"Found: fine\."):
        crmlab.open_dataset(toml)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('{folder}/secret.txt')",
        "select * from read_csv('{folder}/secret.csv')",
        "select * from '{folder}/secret.csv'",
        "select * from glob('/*')",
        "select * from read_text('https://127.0.0.1:9/x')",
        "attach '{folder}/other.duckdb' as other",
        "copy (select 1) to '{folder}/written.csv'",
        "load httpfs",
        "install sqlite",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set autoload_known_extensions = true",
        "set temp_directory = '{folder}/elsewhere'",
    ],
)
def test_nothing_else_is_open_to_an_engine_with_a_foreign_file(tmp_path, statement):
    source(tmp_path)
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "out").mkdir()
    con = engines.scratch_duckdb(tmp_path / "scratch", tmp_path / "out")
    engines.attach(con, tmp_path / "theirs.duckdb", "orders")
    with pytest.raises(duckdb.Error):
        con.raw_sql(statement.format(folder=tmp_path)).fetchall()
    con.raw_sql(f"copy (from source.fine) to '{tmp_path}/out/fine.parquet'")
    con.disconnect()
    assert not (tmp_path / "written.csv").exists()


def test_memory_that_runs_over_still_has_its_scratch_folder(tmp_path):
    source(tmp_path)
    (tmp_path / "scratch").mkdir()
    con = engines.scratch_duckdb(tmp_path / "scratch")
    con.raw_sql("set memory_limit = '60MB'")
    engines.attach(con, tmp_path / "theirs.duckdb", "orders")
    con.raw_sql(
        "create temp table wide as select hash(range) as a, hash(range + 1) as b, md5(range::text) as c from range(2_000_000)"
    )
    assert con.raw_sql("select count(*) from wide").fetchall() == [(2_000_000,)]
    con.disconnect()


def test_a_file_of_another_database_fetches_no_extension(tmp_path):
    toml = source(tmp_path, table="fine")
    (tmp_path / "theirs.duckdb").unlink()
    with sqlite3.connect(tmp_path / "theirs.duckdb") as con:
        con.execute("create table fine (who, day, total)")
    con.close()
    with pytest.raises(SourceError, match="not a valid DuckDB database"):
        crmlab.open_dataset(toml)


def test_names_with_quotation_marks_are_names(tmp_path):
    folder = tmp_path / "it's [1]"
    folder.mkdir()
    toml = source(folder, table="fine")
    assert crmlab.open_dataset(toml).orders.count().execute() == 1
