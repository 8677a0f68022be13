"""Kind: a person who gets two ids, or an id that changes. Where an e-mail is all that tells customers apart their ids are made of it with a
key: written in another way, in another table or with another key, one person would be two customers, stand in two cells and get two letters.

Right is: however it is written and in whichever table or form of file it stands, one e-mail is one id; two processes make one key; a key
that cannot be trusted is refused; and everything that rests on the ids of a launched campaign refuses another key with a sentence.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import unicodedata
import warnings
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from crmlab.cli.commands import main
from crmlab.data.catalog import load
from crmlab.data.dataset import Dataset, check_source, open_dataset
from crmlab.data.descriptor import parse
from crmlab.data.identity import CustomerKey, customer_key, mark_of, normalised
from crmlab.errors import CustomerKeyError, DescriptorError, NewKeyWarning, SourceError

KEY = CustomerKey(bytes(range(32)))
ANNA = ("anna@shop.example", "Anna@Shop.Example", "ANNA@SHOP.EXAMPLE", "  anna@shop.example ", "\u00a0anna@shop.example\u200b")
ZOE = unicodedata.normalize("NFC", "zoë@shop.example"), unicodedata.normalize("NFD", "Zoë@shop.example")
TOML = '[orders]\nfile = "orders.csv"\ncustomer_hash = "Email"\nordered_at = "When"\namount = "Total"\n'


def key_file(project: Path) -> Path:
    return project / "data" / "private" / "customers.key"


def write_key(path: Path, key: CustomerKey, rights: int = 0o600) -> None:
    path.unlink(missing_ok=True)
    path.write_text(key.secret.hex() + "\n")
    path.chmod(rights)


def data_set(project: Path, *emails: str, toml: str = TOML, name: str = "mine") -> Dataset:
    rows = [f'"{email}",2024-01-{i % 28 + 1:02},{i + 1}.50' for i, email in enumerate(emails)]
    (project / "data" / "orders.csv").write_text("\n".join(["Email,When,Total", *rows]) + "\n", encoding="utf-8")
    (project / "data" / f"{name}.toml").write_text(toml)
    return open_dataset(name)


def spent(data: Dataset) -> dict[str, str]:
    """What each customer spent."""
    summed = data.orders.group_by("customer_id").agg(amount=data.orders["amount"].sum()).to_pandas()
    return {row.customer_id: f"{row.amount:.2f}" for row in summed.itertuples()}


def test_an_email_is_one_id_however_it_is_written(keyed_project):
    data = data_set(keyed_project, *ANNA, *ZOE, "other@shop.example")
    assert spent(data) == {KEY.id_of(ANNA[0]): "17.50", KEY.id_of(ZOE[0]): "14.00", KEY.id_of("other@shop.example"): "8.50"}


def test_the_form_of_an_id():
    # Worked out with OpenSSL: printf anna@shop.example | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
    assert KEY.id_of(ANNA[1]) == f"c{KEY.mark}f2ce35cb8eab248cb1dc"
    assert mark_of(str(KEY.id_of("x"))) == KEY.mark and mark_of("17850") is None and len(KEY.mark) == 4
    assert KEY.id_of("x") != CustomerKey(bytes(32)).id_of("x")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+49 (0)176-123 45 67", "+491761234567", True),
        ("+49.176.1234567", "+49 176 1234567", True),
        ("0176 1234567", "+49 176 1234567", False),  # of which country, nobody knows
        ("12-345678", "1-2345678", False),  # numbers of two people, perhaps
        ("Anna  Example", "anna example", True),
        ("Strauß", "Strauss", False),  # two people, perhaps
        ("a@b.example", "a@b.example.", False),
    ],
)
def test_other_values(one, other, same):
    assert (normalised(one) == normalised(other)) is same


@given(st.text(max_size=30), st.sampled_from(["NFC", "NFD"]), st.text(" \t\u00a0\u3000\u200b\ufeff", max_size=3))
def test_any_value_in_any_form_and_with_any_blanks_around(value, form, blanks):
    assert normalised(normalised(value)) == normalised(value)
    assert normalised(blanks + unicodedata.normalize(form, value) + blanks) == normalised(value)
    if value.isascii():
        assert normalised(value.upper()) == normalised(value.title()) == normalised(value)


@pytest.mark.parametrize("value", ["", " ", "\u200b", "NULL", "n/a"])
def test_an_empty_value_is_no_customer(keyed_project, value):
    data = data_set(keyed_project, "anna@shop.example", value, "other@shop.example")
    assert sorted(spent(data).values()) == ["1.50", "3.50"]
    assert [(row.reason, row.rows, row.amount) for row in data.ledger] == [(None, 2, "5.0000"), ("no_customer", 1, "2.5000")]


def test_what_is_taken_for_a_guest_stays_a_word_that_can_be_known(keyed_project):
    kept = set(spent(data_set(keyed_project, "anna@shop.example", "Guest")))
    assert kept <= {KEY.id_of("anna@shop.example"), "guest"}  # dropped as a guest, or there by that name: never a hash


@pytest.mark.proof
def test_every_table_has_the_same_ids(keyed_project):
    (keyed_project / "data" / "people.csv").write_text("Mail,Town\nANNA@shop.example,Ulm\nother@shop.example,Bonn\n")
    (keyed_project / "data" / "cells.csv").write_text("cell_id,campaign_id,control_cell_id\na-0,a,\na-1,a,a-0\n")
    (keyed_project / "data" / "sent.csv").write_text("To,cell_id,contacted_at\n Anna@shop.example,a-1,2024-01-02\n")
    (keyed_project / "data" / "answers.csv").write_text("From,responded_at,kind\nanna@SHOP.example,2024-01-03,click\n")
    toml = TOML + (
        '[customers]\nfile = "people.csv"\ncustomer_hash = "Mail"\npersonal = ["Mail"]\n[cells]\nfile = "cells.csv"\n'
        '[contacts]\nfile = "sent.csv"\ncustomer_hash = "To"\n[responses]\nfile = "answers.csv"\ncustomer_hash = "From"\n'
    )
    data = data_set(keyed_project, "anna@shop.example", "other@shop.example", toml=toml)
    anna = KEY.id_of(ANNA[0])
    people = data.customers.to_pandas()
    assert list(people.columns) == ["customer_id", "Town"]
    assert dict(zip(people["customer_id"], people["Town"], strict=True)) == {
        anna: "Ulm",
        KEY.id_of("other@shop.example"): "Bonn",
    }
    assert [data.table(name)["customer_id"].to_pandas().tolist() for name in ("contacts", "responses")] == [[anna], [anna]]


def test_order_lines(keyed_project):
    (keyed_project / "data" / "lines.csv").write_text(
        "Email,Order,When,Item,Pieces,Price\n Anna@shop.example,7,2024-01-02,tea,2,1.50\nanna@shop.example,8,2024-02-02,tea,1,1.50\n"
    )
    toml = (
        '[order_lines]\nfile = "lines.csv"\ncustomer_hash = "Email"\norder_id = "Order"\nordered_at = "When"\nproduct_id = "Item"\n'
        'quantity = "Pieces"\nunit_price = "Price"\n'
    )
    assert spent(data_set(keyed_project, toml=toml)) == {KEY.id_of(ANNA[0]): "4.50"}


@pytest.mark.parametrize("form", ["parquet", "xlsx", "duckdb"])
def test_every_form_of_file(keyed_project, form):
    frame = pd.DataFrame(
        {"Email": [ANNA[1], ANNA[3], None], "When": ["2024-01-01", "2024-01-02", "2024-01-03"], "Total": [1.5, 2.5, 9.0]}
    )
    file = keyed_project / "data" / f"o.{form}"
    if form == "parquet":
        frame.to_parquet(file)
    elif form == "xlsx":
        frame.to_excel(file, index=False)
    else:
        with duckdb.connect(str(file)) as con:
            con.register("frame", frame)
            con.execute("CREATE TABLE orders AS SELECT * FROM frame")
    toml = TOML.replace("orders.csv", file.name)
    if form == "duckdb":
        toml = f'[source]\nkind = "duckdb"\nfile = "{file.name}"\n' + TOML.replace('file = "orders.csv"\n', "")
    assert spent(data_set(keyed_project, toml=toml)) == {KEY.id_of(ANNA[0]): "4.00"}


def test_phone_numbers_in_a_column_of_numbers(keyed_project):
    frame = pd.DataFrame({"Email": [491761234567, 491761234567], "When": ["2024-01-01", "2024-01-02"], "Total": [1.5, 2.5]})
    frame.to_parquet(keyed_project / "data" / "o.parquet")
    assert spent(data_set(keyed_project, toml=TOML.replace("orders.csv", "o.parquet"))) == {KEY.id_of("491761234567"): "4.00"}


def test_rows_keep_their_values(keyed_project):
    """Values pass through Python in pieces: none may come back in another row."""
    data = data_set(keyed_project, *(f"{i % 977}@shop.example" for i in range(20_000)))
    wanted = pd.Series([i + 1.5 for i in range(20_000)]).groupby([i % 977 for i in range(20_000)]).sum()
    assert spent(data) == {KEY.id_of(f"{i}@shop.example"): f"{wanted[i]:.2f}" for i in range(977)}


# The key.


def test_a_key_is_made_once_and_that_is_said(empty_project):
    with pytest.warns(
        NewKeyWarning, match=r"new secret key, data/private/customers\.key\. Keep it secret and back it up"
    ) as told:
        data = data_set(empty_project, *ANNA)
    assert sum(one.category is NewKeyWarning for one in told) == 1 and len(spent(data)) == 1
    path = key_file(empty_project)
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert len(path.read_text().strip()) == 64 and sorted(item.name for item in path.parent.iterdir()) == ["customers.key"]
    assert spent(open_dataset("mine")) == spent(data)  # and it is not said again: warnings are errors here


def test_the_command_says_where_the_key_is(empty_project):
    with pytest.warns(NewKeyWarning):
        data_set(empty_project, *ANNA)
    key_file(empty_project).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("default", NewKeyWarning)  # as for a user
        done = CliRunner().invoke(main, ["check", "mine"])
    assert done.exit_code == 0, done.output
    assert (
        done.stderr.startswith("crmlab: Customers of 'mine' are identified by personal data, so their IDs are hashes")
        and "back it up" in done.stderr
    )


def test_a_data_set_without_it_makes_no_key(empty_project):
    (empty_project / "data" / "o.csv").write_text("customer_id,ordered_at,amount\n1,2024-01-01,5\n")
    (empty_project / "data" / "plain.toml").write_text('[orders]\nfile = "o.csv"\n')
    open_dataset("plain")
    assert not key_file(empty_project).parent.exists()


@pytest.mark.parametrize("by", ["variable", "relative variable", "toml"])
def test_where_the_key_is(keyed_project, monkeypatch, by):
    other = CustomerKey(bytes(32))
    write_key(keyed_project / "data" / "my.key", other)
    if by != "toml":
        monkeypatch.setenv("CRMLAB_KEY", "data/my.key" if by == "relative variable" else str(keyed_project / "data" / "my.key"))
        monkeypatch.chdir(keyed_project / "notebooks")  # where a notebook is at work
    toml = TOML if by != "toml" else 'key_file = "my.key"\n' + TOML
    assert set(spent(data_set(keyed_project, *ANNA, toml=toml))) == {other.id_of(ANNA[0])}


def test_the_cache_knows_the_key(keyed_project):
    assert set(spent(data_set(keyed_project, *ANNA))) == {KEY.id_of(ANNA[0])}
    other = CustomerKey(bytes(32))
    write_key(key_file(keyed_project), other)
    assert set(spent(open_dataset("mine"))) == {other.id_of(ANNA[0])}
    key_file(keyed_project).rename(keyed_project / "data" / "moved.key")  # another place is not another key
    before = {path.name for path in Path(os.environ["CRMLAB_CACHE"]).glob("mine-*")}
    data_set(keyed_project, *ANNA, toml='key_file = "moved.key"\n' + TOML)
    assert {path.name for path in Path(os.environ["CRMLAB_CACHE"]).glob("mine-*")} == before


@pytest.mark.parametrize(
    ("content", "rights", "says"),
    [
        ("", 0o600, "must hold at least 64 hexadecimal digits. Found nothing"),
        ("\n", 0o600, "Found nothing"),
        ("ab" * 31, 0o600, "Found 62 characters"),
        ("ab" * 31 + "a", 0o600, "Found 63 characters"),
        ("a secret of my own that is long enough, is it not, and no digits at all", 0o600, "hexadecimal digits"),
        ("ab" * 32, 0o644, "must be for its owner only. Found the rights 644"),
        ("ab" * 32, 0o620, "Found the rights 620"),
    ],
)
def test_a_key_that_cannot_be_trusted_is_refused(keyed_project, content, rights, says):
    key_file(keyed_project).write_text(content)
    key_file(keyed_project).chmod(rights)
    with pytest.raises(CustomerKeyError) as told:
        data_set(keyed_project, *ANNA)
    assert says in str(told.value) and (not content.strip() or content not in str(told.value))
    assert key_file(keyed_project).read_text() == content


def test_a_folder_in_the_place_of_the_key(keyed_project):
    key_file(keyed_project).unlink()
    key_file(keyed_project).mkdir()
    with pytest.raises(CustomerKeyError, match=r"data/private/customers\.key cannot be read"):
        data_set(keyed_project, *ANNA)


def test_threads_and_processes_make_one_key(empty_project):
    (empty_project / "data" / "mine.toml").write_text(TOML)
    descriptor = load("mine")
    found: list[str] = []
    ready = threading.Barrier(8)

    def ask() -> None:
        ready.wait()
        found.append(customer_key(descriptor).digest)

    code = "import warnings; warnings.simplefilter('ignore')\n"
    code += "from crmlab.data.catalog import load\nfrom crmlab.data.identity import customer_key\nprint(customer_key(load('mine')).digest)"
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    threads = [threading.Thread(target=ask) for _ in range(8)]
    with pytest.warns(NewKeyWarning) if not key_file(empty_project).exists() else pytest.MonkeyPatch.context():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found += [process.communicate()[0].strip() for process in others]
    assert len(found) == 11 and len(set(found)) == 1
    assert sorted(item.name for item in key_file(empty_project).parent.iterdir()) == ["customers.key"]


def test_a_file_system_without_links(empty_project, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(NewKeyWarning):
        data_set(empty_project, *ANNA)
    assert key_file(empty_project).stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in key_file(empty_project).parent.iterdir()) == ["customers.key"]


# What cannot be meant.


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("orders", {"channel": "Email"}),
        ("customers", {"household_id": "Email"}),
        ("customers", {"attributes": ["Town", "Email"]}),
    ],
)
def test_the_column_is_used_for_nothing_else(table, keys):
    content = {table: {"file": "f.csv", "customer_hash": "Email", **keys}}
    with pytest.raises(
        DescriptorError, match=r"customer_hash must name a column that is used for nothing else.*Found 'Email' in"
    ):
        parse(content, name="m", where="m.toml", folder=Path())


def test_a_column_that_is_not_there(keyed_project):
    _, _, found = (data_set(keyed_project, *ANNA) and None) or check_source(
        parse(
            {"orders": {"file": "orders.csv", "customer_hash": "E-Mail", "ordered_at": "When", "amount": "Total"}},
            name="m",
            where="m.toml",
            folder=keyed_project / "data",
        )
    )
    assert len(found) == 1 and "'customer_id' is mapped to 'E-Mail', which is not in the file" in str(found[0])
    assert not isinstance(found[0], SourceError)
