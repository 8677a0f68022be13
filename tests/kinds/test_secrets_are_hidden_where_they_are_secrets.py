"""Kind: a password of a database gets into a file or a message, or hiding it destroys what only looks like it.

Addresses are hidden whole; a password is hidden where a password stands, in every part of an address and however it is written;
standing alone it is hidden only where no word, name, number or code looks like it. A password "metadata" or "a" changes no notebook,
no key and no data.
"""

import copy
import json
import time
from types import SimpleNamespace

import click
import nbformat
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from python_calamine import CalamineWorkbook

from crmlab.cli.errors import show_errors
from crmlab.data.catalog import load
from crmlab.data.redaction import NOT_SHOWN, Redaction, passwords_in
from crmlab.errors import SourceError
from crmlab.page.estimate import Estimate
from crmlab.page.quantities import Quantities
from crmlab.page.result import Finding, Output
from crmlab.page.tables import Table
from crmlab.report.inputs import Inputs
from crmlab.report.saving import save

COMMON = (
    "metadata",
    "a",
    "1",
    "cells",
    "text",
    "customer",
    "source",
    "image/png",
    "2024-01-31",
    "customer_id",
    "AB-1234567",
    "campaign2024",
)
ADDRESSES = {
    "user": ("postgresql://clerk:{}@db.example:5432/shop", "s3cret/Pass"),
    "user, encoded": ("postgresql://clerk:s3cret%2FPass%20%C3%BC@db.example/shop", "s3cret/Pass ü"),
    "query": ("postgresql://db.example/shop?user=clerk&password=s3cret%2FPass", "s3cret/Pass"),
    "query of the key": ("postgresql://clerk@db.example/shop?sslmode=verify-full&sslpassword=s3cret%2FPass", "s3cret/Pass"),
    "pairs": ("host=db.example user=clerk password=s3cret/Pass dbname=shop", "s3cret/Pass"),
    "pairs, quoted": ("host=db.example password = 's3cret \\'Pass' dbname=shop", "s3cret 'Pass"),
    "JDBC": ("jdbc:postgresql://db.example/shop?user=clerk&password=s3cret/Pass", "s3cret/Pass"),
    "JDBC of SQL Server": ("jdbc:sqlserver://db.example:1433;user=clerk;password=s3cret/Pass;encrypt=true", "s3cret/Pass"),
    "with a driver": ("postgresql+psycopg://clerk:s3cret%2FPass@db.example/shop", "s3cret/Pass"),
}


@pytest.mark.parametrize("form", ADDRESSES)
def test_password_is_found_in_every_part_of_an_address(form):
    template, password = ADDRESSES[form]
    address = template.format("s3cret%2FPass")
    assert password in passwords_in(address)
    hide = Redaction.of_environment((), {"ANY_NAME": address})
    for text in (
        f"cannot reach {address}",
        f"could not connect ({address!r}): timeout",
        f"{json.dumps({'url': address})}",
        f"password={password}",
        f'.option("password", "{password}")',
        f"{{'user': 'clerk', 'password': {password!r}}}",
        f"spark.datasource.password {password}" if " " not in password else "",
        f"authentication failed with {password}.",
    ):
        shown = hide.text(text)
        assert "s3cret" not in shown, text
        assert (NOT_SHOWN in shown) == bool(text)


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_hidden_in_its_places_only(password):
    address = f"postgresql://clerk:{password}@db.example/shop"
    hide = Redaction((address,))
    for before, after in (
        (f"//clerk:{password}@other", "//clerk:[not shown]@other"),
        (f"password={password}", "password=[not shown]"),
        (f'"password": "{password}"', '"password": "[not shown]"'),
        (f'.option("password", "{password}")', '.option("password", "[not shown]")'),
        (f"PGPASSWORD={password} psql", "PGPASSWORD=[not shown] psql"),
        (f"see {address}.", "see [not shown]."),
    ):
        assert hide.text(before) == after
    plain = f"{password} {password}s x{password} ({password}) a metadata 1 text; https://example.com:443/a password"
    assert hide.text(plain) == plain
    assert hide.tree({password: [password, {"value": password}]}) == {password: [password, {"value": password}]}
    assert hide.tree({"password": password, "passwords": 3}) == {"password": NOT_SHOWN, "passwords": 3}


def executed(address):
    html = f"<table><tr><td>metadata</td><td>a</td><td>{address}</td></tr></table>"
    outputs = [
        new_output("stream", name="stdout", text=f"metadata a {address}\n"),
        new_output("display_data", {"text/html": html, "text/plain": "cells", "image/png": "YQ=="}, metadata={"a": 1}),
        new_output("execute_result", {"application/json": {"metadata": address, "a": "a"}}, execution_count=1),
        new_output(
            "error", ename="OSError", evalue=f"no {address}", traceback=["\x1b[0;31mOSError\x1b[0m: ", f"no {address!r}"]
        ),
    ]
    cells = [new_markdown_cell("# metadata of a customer", id="b"), new_code_cell("url = 'metadata'", outputs=outputs, id="a")]
    return new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )


@pytest.mark.parametrize("password", COMMON)
def test_a_notebook_stays_whole(password):
    address = f"postgresql://clerk:{password}@db.example/shop"
    notebook = executed(address)
    expected = json.loads(nbformat.writes(executed(NOT_SHOWN)))
    hidden = Inputs(load("shop"), None, {}, (address,)).hide.notebook(copy.deepcopy(notebook))
    nbformat.validate(hidden)
    assert json.loads(nbformat.writes(hidden))["cells"] == expected["cells"]
    assert hidden.metadata == notebook.metadata


class Context(SimpleNamespace):
    def line(self):
        return "2 customers"

    def told(self, text):
        return text


@pytest.mark.parametrize("password", ["metadata", "a", "s3cret/Pass"])
def test_everything_that_is_saved_hides_addresses_and_alters_no_data(tmp_path, password):
    address = f"postgresql://clerk:{password}@db.example/shop"
    notes = [password, f"moved to {address}", f"password={password}", None, "metadata of a customer"]
    frame = pd.DataFrame({"customer_id": list("abcde"), "note": notes, "value": [1.5, 2, 3, 4, 5]})
    day = pd.Timestamp("2024-01-31").date()
    context = Context(dataset="shop", title="Shop", since=day, until=day, customers=5)
    result = SimpleNamespace(
        title="a metadata",
        context=context,
        params=SimpleNamespace(),
        method=SimpleNamespace(counts={}),
        findings=[Finding("5", f"rows of {address}", "", "metadata")],
        warnings=(f"{address} does not answer",),
        tables={"notes": Table("Notes.", frame)},
        charts={},
        outputs={"metadata": Output("The list.", frame, ("customer_id",))},
        metrics={"metadata": Estimate(0.5)},
        quantities=Quantities(),
        lead={"Notes": ("notes",)},
        opens=False,
    )
    from crmlab.report import saving

    original, saving.plain, saving.rounded = (saving.plain, saving.rounded), lambda _: {}, lambda frame, _: frame
    try:
        save(result, tmp_path, ["xlsx"], [], Redaction((address,)))
    finally:
        saving.plain, saving.rounded = original
    wanted = [
        NOT_SHOWN if password == "s3cret/Pass" else password,
        "moved to [not shown]",
        "password=[not shown]",
        None,
        "metadata of a customer",
    ]
    assert pq.read_table(tmp_path / "outputs" / "metadata.parquet")["note"].to_pylist() == wanted
    for name in ("tables/notes.csv", "outputs/metadata.csv"):
        assert pd.read_csv(tmp_path / name)["note"].fillna("").tolist() == [text or "" for text in wanted]
    sheet = CalamineWorkbook.from_path(str(tmp_path / "outputs" / "metadata.xlsx")).get_sheet_by_index(0).to_python()
    assert [row[1] for row in sheet[1:]] == [text or "" for text in wanted]
    summary = json.loads((tmp_path / "result.json").read_text())
    assert (summary["title"], summary["outputs"]) == ("a metadata", ["metadata"])
    assert summary["findings"][0] == {"value": "5", "text": "rows of [not shown]", "interval": "", "metric": "metadata"}
    assert summary["warnings"] == ["[not shown] does not answer"]
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == ["metadata"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and address.encode() in path.read_bytes()]


@pytest.mark.parametrize("wrong", [SourceError("No answer from {}."), RuntimeError("no route to {}")])
def test_a_message_on_the_terminal_tells_no_address(monkeypatch, wrong):
    address = "postgresql://clerk:metadata@db.example/shop"
    monkeypatch.setenv("ANY_NAME", address)

    @click.command()
    @show_errors
    def fails():
        raise type(wrong)(str(wrong).format(address))

    done = CliRunner().invoke(fails)
    assert done.exit_code in (1, 2)
    assert "[not shown]" in done.output
    assert "clerk" not in done.output
    assert not done.exception or "clerk" not in str(done.exception)


def test_a_password_given_beside_an_address_is_known():
    hide = Redaction.of_environment(
        (), {"PGPASSWORD": "s3cret/Pass", "EDITOR": "vi", "PROXY": "http://me:p4ss-word@proxy:8080"}
    )
    assert hide.text("tried s3cret/Pass and //me:p4ss-word@proxy") == "tried [not shown] and //me:[not shown]@proxy"
    assert not Redaction.of_environment((), {"PATH": "/usr/bin", "URL": "https://example.com:443/x"})


@pytest.mark.parametrize(
    ("environment", "text", "said"),
    [
        ({"DSN": "host=h user=u password=tr0ub4dor&3xx"}, "password=tr0ub4dor&3xx port=1", "password=[not shown] port=1"),
        ({"DB_PASS": "tr0ub4dor&3xx", "PWD": "/srv/home"}, "tr0ub4dor&3xx in /srv/home", "[not shown] in /srv/home"),
        ({"MYSQL_PWD": "tr0ub4dor&3xx"}, "it is tr0ub4dor&3xx", "it is [not shown]"),
        (
            {"HOOK": "https://tokenabc12345!@host/x"},
            "no tokenabc12345! at //tokenabc12345!@host",
            "no [not shown] at //[not shown]@host",
        ),
        ({"HOOK": "https://host/x?token=Abc!12345"}, "token=Abc!12345", "token=[not shown]"),
        (
            {"X_PASSWORD": "Sommer2024"},
            "pass=Sommer2024, pw: Sommer2024, Sommer2024",
            "pass=[not shown], pw: [not shown], Sommer2024",
        ),
        ({"DB": "postgresql://clerk@host/db"}, "the clerk, passing=clerk", "the clerk, passing=clerk"),
    ],
)
def test_secrets_are_known_however_they_are_named(environment, text, said):
    assert Redaction.of_environment((), environment).text(text) == said


def test_without_secrets_nothing_is_touched():
    frame = pd.DataFrame({"a": ["password=a"]})
    assert Redaction().frame(frame) is frame
    assert Redaction().text("password=a") == "password=a"


def test_long_outputs_are_searched_in_time():
    hide = Redaction(("postgresql://clerk:a@db.example/shop", "host=h password=b"))
    begun = time.process_time()
    for text in ("A" * 500_000, "password" * 60_000, "//a:" * 120_000, "pwd= " * 100_000, "&quot;" * 80_000):
        hide.text(text)
    assert time.process_time() - begun < 60  # no promise of speed: what is quadratic takes many minutes
