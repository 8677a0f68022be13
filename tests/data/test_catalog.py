"""TOML files of data sets: what they may say, and what is said where they are wrong."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from crmlab.data import cache, catalog
from crmlab.data.descriptor import Descriptor
from crmlab.data.sections import Section
from crmlab.data.source_section import SOURCE_KINDS
from crmlab.data.table_section import TableSection
from crmlab.data.tables import TABLES
from crmlab.errors import CrmlabError, DescriptorError
from crmlab.report.registry import readers


def parsed(**content: Any) -> Descriptor:
    return catalog.parse({"orders": {"file": "o.csv"}, **content}, name="mine", where="mine.toml", folder=Path())


def refused(**content: Any) -> str:
    with pytest.raises(DescriptorError) as caught:
        parsed(**content)
    return str(caught.value)


def section(**options: Any) -> str:
    return refused(orders={"file": "o.csv", **options})


@pytest.mark.parametrize("name", ["shop", "cdnow", "cdnow_sample", "online_retail", "online_retail_ii"])
def test_load_named_data_sets_are_there(name):
    assert name in catalog.dataset_names()
    descriptor = catalog.load(name)
    assert descriptor.name == name
    assert descriptor.where == f"data/{name}.toml"
    assert descriptor.title and descriptor.currency and descriptor.licence


def test_load_online_retail_says_what_the_issue_asks():
    # Issue 2, section Data.
    descriptor = catalog.load("online_retail")
    assert (descriptor.returns, descriptor.free_orders, descriptor.missing_customer) == ("net", "ignore", "drop")
    assert descriptor.not_products == ("POST", "DOT", "M", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK")


def test_load_unknown_name_hints():
    with pytest.raises(DescriptorError) as caught:
        catalog.load("cdnw")
    assert str(caught.value) == "There is no data set 'cdnw'. Did you mean 'cdnow'? A path must end in .toml."


@pytest.mark.parametrize("name", ["", "../shop", "data/shop", ".", "a\\b", "shop/", "x" * 5000])
def test_load_strange_names_are_unknown(name):
    with pytest.raises(CrmlabError):
        catalog.load(name)


def test_load_path_that_is_not_there(tmp_path):
    with pytest.raises(DescriptorError, match=r"There is no data set file .*none\.toml\. Make one from your own file with"):
        catalog.load(tmp_path / "none.toml")


def test_load_folder_named_like_a_file(tmp_path):
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(DescriptorError, match="There is no data set file"):
        catalog.load(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"title = Mine\n", "is not valid TOML. Invalid value (at line 1, column 9). Text must be in quotes"),
        (b'title = "a"\ntitle = "b"\n', "is not valid TOML. Cannot overwrite a value (at line 2, column 12)."),
        (b"\xff\xfe\x00", "is not valid TOML. It is not UTF-8 text."),
        (b"a = " + b"[" * 5000, "is not valid TOML. It is nested too deeply."),
        (b"\x00", "is not valid TOML."),
        (b"", "no table is described. Expected at least one section of: orders, order_lines"),
    ],
)
def test_load_what_is_not_toml(tmp_path, content, said):
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(DescriptorError) as caught:
        catalog.load(tmp_path / "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert said in str(caught.value)


def test_load_byte_order_mark(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b'\xef\xbb\xbftitle = "Mine"\n[orders]\nfile = "o.csv"\n')
    assert catalog.load(tmp_path / "mine.toml").title == "Mine"


def test_load_where_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.toml").write_text('[orders]\nfile = "o.csv"\n')
    monkeypatch.chdir(tmp_path)
    assert catalog.load("sub/mine.toml").where == "sub/mine.toml"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    # Elsewhere only its name is shown: messages do not tell where a home folder is.
    assert catalog.load(tmp_path / "sub" / "mine.toml").where == "mine.toml"


def test_parse_defaults():
    made = parsed()
    assert (made.title, made.timezone, made.kind) == ("Mine", "UTC", "files")
    assert (made.returns, made.free_orders, made.missing_customer) == ("net", "count", "drop")
    assert (made.bad_rows, made.duplicates, made.not_products) == ("error", "keep", ())


def test_parse_unknown_key_hints():
    assert refused(curency="EUR") == "mine.toml: unknown key 'curency' at the top. Did you mean 'currency'?"
    assert refused(order={"file": "o.csv"}) == "mine.toml: unknown key 'order' at the top. Did you mean 'orders'?"
    assert section(custmer_id="x") == "mine.toml: unknown key 'custmer_id' under [orders]. Did you mean 'customer_id'?"
    assert refused(source={"kid": "files"}) == "mine.toml: unknown key 'kid' under [source]. Did you mean 'kind'?"
    assert "Known: " in section(zzz=1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"title": 3}, "title must be a text in quotes. Got 3 instead."),
        ({"currency": ["EUR"]}, "currency must be a text in quotes. Got ['EUR'] instead."),
        ({"returns": "gross"}, 'returns must be "net" or "drop". Got \'gross\' instead.'),
        ({"returns": ["net"]}, 'returns must be "net" or "drop". Got [\'net\'] instead.'),
        ({"free_orders": True}, 'free_orders must be "count" or "ignore". Got True instead.'),
        ({"bad_rows": "skip"}, 'bad_rows must be "error" or "drop". Got \'skip\' instead.'),
        ({"duplicates": 1}, 'duplicates must be "keep" or "drop". Got 1 instead.'),
        ({"missing_customer": "keep"}, 'missing_customer must be "drop" or "error". Got \'keep\' instead.'),
        ({"not_products": "POST"}, 'not_products must be a list of texts, such as ["a", "b"]. Got \'POST\' instead.'),
        ({"not_products": [1]}, 'not_products must be a list of texts, such as ["a", "b"]. Got [1] instead.'),
        ({"timezone": "Berlin"}, "timezone must be a name such as \"Europe/London\". Got 'Berlin' instead."),
        ({"timezone": "../../etc/passwd"}, "timezone must be a name such as"),
        ({"timezone": ""}, "timezone must be a name such as"),
        ({"timezone": "localtime"}, "timezone must be a name such as"),
        ({"orders": 3}, "orders must be a section. Got 3 instead."),
        ({"orders": [{"file": "o.csv"}, 3]}, "orders must be a section. Got [{'file': 'o.csv'}, 3] instead."),
        ({"source": "files"}, "source must be a section. Got 'files' instead."),
        (
            {"source": {"kind": "mysql"}},
            "[source] kind must be one of files, duckdb, postgres, spark, shop, donors, club. Got 'mysql' instead.",
        ),
        ({"source": {"kind": ["files"]}}, "[source] kind must be one of"),
        ({"source": {"kind": "duckdb"}}, "[source] file must be given. Got 'nothing' instead."),
        ({"source": {"kind": "shop", "customers": 0}}, "[source] customers must be a positive whole number. Got 0 instead."),
        ({"source": {"kind": "shop", "customers": True}}, "[source] customers must be a positive whole number."),
        ({"source": {"kind": "shop", "seed": -1}}, "[source] seed must be a positive whole number. Got -1 instead."),
        ({"source": {"kind": "shop", "dirty": "yes"}}, "[source] dirty must be true or false. Got 'yes' instead."),
    ],
)
def test_parse_wrong_values_at_the_top(content, said):
    assert f"mine.toml: {said}" in refused(**content)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"file": ""}, "file must be the name of a file, or a list of such names. Got '' instead."),
        ({"file": []}, "file must be the name of a file, or a list of such names. Got [] instead."),
        ({"file": ["o.csv", ""]}, "file must be the name of a file"),
        ({"file": 3}, "file must be the name of a file, or a list of such names. Got 3 instead."),
        ({"file": "a\0b.csv"}, "file must be the name of a file"),
        ({"amount": ""}, "amount must be a column name in quotes, or a list of such names. Got '' instead."),
        ({"amount": ["a", ""]}, "amount must be a column name in quotes, or a list of such names."),
        ({"header": "no"}, "header must be true or false. Got 'no' instead."),
        ({"decimal": ";"}, 'decimal must be "." or ",". Got \';\' instead.'),
        ({"delimiter": "||"}, 'delimiter must be one character, "tab" or "whitespace". Got \'||\' instead.'),
        ({"delimiter": '"'}, "delimiter must be one character"),
        ({"delimiter": "\n"}, "delimiter must be one character"),
        ({"delimiter": ""}, "delimiter must be one character"),
        ({"encoding": "cp9999"}, "encoding must be an encoding such as \"cp1252\". Got 'cp9999' instead."),
        ({"encoding": "hex"}, "encoding must be an encoding such as"),
        ({"encoding": "a\0"}, "encoding must be an encoding such as"),
        ({"date_format": "%d/%m"}, 'date_format must be a form with a year, such as "%d/%m/%Y", or "epoch", '),
        ({"date_format": "DD/MM/YYYY"}, "date_format must be a form with a year"),
        ({"package": "lifetimes.datasets"}, "package must be the name of an installed package."),
        ({"names": ["a"]}, "names must be used together with header = false."),
        ({"names": "a", "header": False}, "names must be a list of texts"),
        ({"from_table": "x"}, "unknown key 'from_table'"),
        ({"personal": ["name"]}, "unknown key 'personal'"),
    ],
)
def test_parse_wrong_options_of_a_table(options, said):
    assert said in section(**options)


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "spark"])
def test_parse_options_that_would_have_no_effect_are_refused(kind):
    source = {"kind": kind, **{"duckdb": {"file": "x.duckdb"}, "postgres": {"url_env": "X"}, "spark": {}}[kind]}
    assert "unknown key 'file' under [orders]" in refused(source=source)
    assert "unknown key 'delimiter' under [orders]" in refused(source=source, orders={"delimiter": ";"})


@pytest.mark.parametrize("value", ["postgresql://u:hunter2@host/db", "hunter2 x", 3, ""])
def test_parse_address_in_the_file_is_refused_and_not_shown(value):
    said = refused(source={"kind": "postgres", "url_env": value}, orders={})
    assert said.startswith("mine.toml: [source] url_env must be the name of an environment variable.")
    assert "hunter2" not in said


def test_parse_address_as_its_own_key_is_not_shown():
    said = refused(source={"kind": "postgres", "url": "postgresql://u:hunter2@host/db"}, orders={})
    assert "unknown key 'url' under [source]" in said
    assert "hunter2" not in said


def test_parse_personal_column_that_is_mapped():
    said = refused(customers={"file": "c.csv", "customer_id": "email", "personal": ["email"]})
    assert said == (
        "mine.toml: [customers] personal must name columns that are not used. Found 'email', which is mapped to "
        "'customer_id'. Map another column, or take it off the list."
    )


def test_parse_every_fault_is_told_at_once_in_the_order_of_the_file():
    content = {
        "titel": "Mine",
        "currency": 3,
        "returns": "gross",
        "timezone": "Berlin",
        "report": {"language": "fi", "colour": "red", "logo": "none.png"},
        "source": {"kind": "files", "seed": 1},
        "customers": {"file": [], "customer_id": "email", "personal": ["email"], "header": 1},
        "orders": {"names": ["a"], "decimal": ";", "amount": "", "file": "o.csv"},
        "products": [],
    }
    with pytest.raises(DescriptorError) as caught:
        catalog.parse(content, name="mine", where="mine.toml", folder=Path())
    assert str(caught.value).splitlines() == [
        "mine.toml: unknown key 'titel' at the top. Did you mean 'title'?",
        "mine.toml: currency must be a text in quotes. Got 3 instead.",
        'mine.toml: returns must be "net" or "drop". Got \'gross\' instead.',
        "mine.toml: timezone must be a name such as \"Europe/London\". Got 'Berlin' instead.",
        "mine.toml: [report] language must be one of en, de, es, fr. Got 'fi' instead.",
        "mine.toml: unknown key 'colour' under [report]. Known: contact, language, lists, logo, title.",
        "mine.toml: [report] logo must be a png, svg or jpg file beside it. Got 'none.png' instead.",
        "mine.toml: unknown key 'seed' under [source]. Known: kind.",
        "mine.toml: [customers] file must be the name of a file, or a list of such names. Got [] instead.",
        "mine.toml: [customers] personal must name columns that are not used. Found 'email', which is mapped to 'customer_id'. "
        "Map another column, or take it off the list.",
        "mine.toml: [customers] header must be true or false. Got 1 instead.",
        "mine.toml: [orders] names must be used together with header = false. Got ['a'] instead.",
        'mine.toml: [orders] decimal must be "." or ",". Got \';\' instead.',
        "mine.toml: [orders] amount must be a column name in quotes, or a list of such names. Got '' instead.",
        "mine.toml: products must be a section. Got [] instead.",
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"order": {"file": "o.csv"}},  # no table is described: the one that is there is mistyped
        {"sorce": {"kind": "duckdb", "file": "x"}, "orders": {"from_table": "x"}},
        {"source": {"kid": "duckdb", "file": "x"}, "orders": {"from_table": "x"}},
        {"source": {"kind": "duckdb", "fil": "x"}, "orders": {"from_table": "x"}},
        {"source": {"kind": "mysql", "file": "x"}, "orders": {"from_table": "x"}},
    ],
)
def test_parse_one_slip_is_one_fault(content):
    with pytest.raises(DescriptorError) as caught:
        catalog.parse(content, name="mine", where="mine.toml", folder=Path())
    assert str(caught.value).count("\n") == 0


KEYS = {
    "": [*(field.name for field in fields(Descriptor)), *TABLES, "goals", "zzz"],
    "report": ["title", "logo", "contact", "language", "lists", "zzz"],
    "source": ["kind", "file", "url_env", "customers", "seed", "dirty", "campaigns", "zzz"],
    **{
        name: [*(field.name for field in fields(TableSection)), *(column.name for column in table.columns)]
        for name, table in TABLES.items()
    },
}


@pytest.mark.parametrize(
    "value", [5, True, "x", [], {}, dt.date(2026, 6, 30), float("nan"), [{}], ["x"], 10**400, -1, "a\0b", "é" * 300], ids=repr
)
@pytest.mark.parametrize("place", KEYS)
def test_parse_any_value_of_any_key_is_taken_or_refused(place, value):
    for kind in SOURCE_KINDS:
        for key in KEYS[place]:
            source = {"kind": kind} | ({"file": "x"} if kind == "duckdb" else {"url_env": "X"} if kind == "postgres" else {})
            content = {"orders": {}, "source": source, place: {key: value} | (source if place == "source" else {})}
            content = content if place else {"orders": {}, "source": source, key: value}
            said = ""
            try:
                catalog.parse(content, name="mine", where="mine.toml", folder=Path(), readers=readers())
            except DescriptorError as error:
                said = str(error)
            assert not said or said.startswith("mine.toml: ")


def test_sections_of_subjects_are_no_part_of_the_cache(tmp_path):
    plain, other = parsed(), parsed(goals=[{"measure": "revenue"}])
    assert other.sections == {"goals": Section("goals", [{"measure": "revenue"}])}
    assert cache.key_of(plain, []) == cache.key_of(other, [])
    assert cache.key_of(replace(plain, sections={"actions": Section("actions", {})}), []) == cache.key_of(plain, [])
    assert cache.key_of(parsed(duplicates="drop"), []) != cache.key_of(plain, [])


@pytest.mark.parametrize("delimiter", [";", "|", "§", "tab", "whitespace", "\t", " "])
def test_parse_delimiters(delimiter):
    assert parsed(orders={"file": "o.csv", "delimiter": delimiter}).tables["orders"].delimiter == delimiter


def test_locate_first_alternative_beside_the_file_then_private_data(tmp_path, monkeypatch):
    mine, private = tmp_path / "mine", tmp_path / "private"
    for folder in (mine, private):
        folder.mkdir()
    monkeypatch.setenv("CRMLAB_DATA", str(private))
    table = parsed(orders={"file": ["a.parquet", "b.csv"]}).tables["orders"]
    assert catalog.locate(table, mine) == (None, [mine, private])
    (private / "b.csv").write_text("x")
    assert catalog.locate(table, mine)[0] == private / "b.csv"
    (mine / "b.csv").write_text("x")
    assert catalog.locate(table, mine)[0] == mine / "b.csv"
    (private / "a.parquet").write_text("x")
    assert catalog.locate(table, mine)[0] == private / "a.parquet"


def test_locate_file_of_a_package_is_found_without_importing_it():
    import subprocess
    import sys

    code = (
        "import sys; from crmlab.data import catalog; d = catalog.load('cdnow'); "
        "path, _ = catalog.locate(d.tables['orders'], d.folder); assert path.name == 'CDNOW_master.txt'; "
        "assert 'lifetimes' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name", ["~nobody-of-that-name/o.csv", "a**b.csv", "[", "[z-a]*", "x" * 300, "sub/**/*.csv", "/", "é\u202e.csv"]
)
def test_locate_strange_names_are_only_not_found(tmp_path, name):
    table = parsed(orders={"file": name}).tables["orders"]
    path, _ = catalog.locate(table, tmp_path)
    assert path is None or os.fspath(path) == "/"


def test_matches_only_the_part_that_does_not_exist_is_a_pattern(tmp_path):
    odd = tmp_path / "a[1]"
    odd.mkdir()
    for name in ("b1.csv", "b2.csv", "c.txt"):
        (odd / name).write_text("x")
    assert [path.name for path in catalog.matches(odd / "b*.csv")] == ["b1.csv", "b2.csv"]
    assert catalog.matches(odd / "none.csv") == []


def test_matches_folders_inside_a_pattern(tmp_path):
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        (tmp_path / year / "o.csv").write_text("x")
    assert [path.parent.name for path in catalog.matches(tmp_path / "20*" / "o.csv")] == ["2023", "2024"]
    assert len(catalog.matches(tmp_path / "**" / "o.csv")) == 2
