"""Kind: a personal value that is kept. Where an e-mail tells customers apart it is read, and could be left in the cache, in a list, a page, a
record, the campaign memory, a message or an example of a dropped row.

Right is: it stands in the source and in what `crmlab reveal` wrote, and nowhere else; what reveal writes is right, for its owner only, and
runs no formula; `crmlab new` proposes it where nothing else tells customers apart.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from crmlab.analyses.campaigns import launch_campaign
from crmlab.cli.commands import main
from crmlab.cli.revealing import reveal
from crmlab.data import guess
from crmlab.data.catalog import load
from crmlab.data.dataset import check_source, open_dataset
from crmlab.data.identity import CustomerKey
from crmlab.data.memory import open_memory
from crmlab.errors import CrmlabError, ReportError
from crmlab.page.sheets import write_csv, write_workbook

from .test_another_key_is_refused import CELLS

KEY = CustomerKey(bytes(range(32)))
TOML = '[orders]\nfile = "orders.csv"\ncustomer_hash = "E-Mail"\nordered_at = "When"\namount = "Total"\n'
PEOPLE = 30
SECRET = b"verysecret"  # part of every e-mail


def email(i: int) -> str:
    return f"Very.Secret{i}@VerySecret.example"


@pytest.fixture
def project(empty_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRMLAB_CACHE", str(empty_project / "cache"))
    monkeypatch.delenv("CRMLAB_KEY", raising=False)
    private = empty_project / "data" / "private"
    private.mkdir(mode=0o700)
    (private / "customers.key").write_text(KEY.secret.hex())
    (private / "customers.key").chmod(0o600)
    rows = [f"{email(i % PEOPLE)},2024-{i % 12 + 1:02}-{i % 28 + 1:02},{i % 7 + 1}.50,{i}" for i in range(600)]
    (empty_project / "data" / "orders.csv").write_text("\n".join(["E-Mail,When,Total,order_id", *rows]) + "\n")
    (empty_project / "data" / "mine.toml").write_text(TOML)
    return empty_project


def holding(folder: Path) -> list[str]:
    """Files that hold an e-mail, in any case and also in the two bytes of UTF-16; Parquet files are unpacked."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += pd.read_parquet(path).to_csv().encode()
            if SECRET in content.lower().replace(b"\0", b"") or SECRET in path.name.lower().encode():
                found.append(path.relative_to(folder).as_posix())
    return sorted(found)


def ids_of(*numbers: int) -> list[str]:
    return [str(KEY.id_of(email(i))) for i in numbers]


def test_nothing_is_left_of_a_launch(project):
    memory = open_memory()
    memory.plan("a", CELLS, {"salt": "of a test", "criteria": ["orders >= 1"]})
    data = open_dataset("mine")
    (file,) = launch_campaign("a", data, memory, project / "data" / "private" / "lists" / "a", consent_not_known=True).files
    assert holding(project) == ["data/orders.csv"]
    done = CliRunner().invoke(main, ["reveal", str(file)])
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output.lower().encode()
    written = file.with_name("a-email-revealed.csv")
    assert holding(project) == ["data/orders.csv", written.relative_to(project).as_posix()]
    assert written.stat().st_mode & 0o777 == 0o600
    sent, plain = pd.read_csv(written, dtype="str"), pd.read_csv(file, dtype="str")
    assert list(sent.columns) == ["customer_id", "E-Mail", "response_code", "offer", "creative"]
    assert len(sent) == len(plain) and [KEY.id_of(mail) for mail in sent["E-Mail"]] == plain["customer_id"].tolist()
    pd.testing.assert_frame_equal(sent.drop(columns="E-Mail"), plain)


@pytest.mark.proof
def test_nothing_is_left_of_a_run(project):
    from crmlab.report.batches import Settings
    from crmlab.report.jobs import Order
    from crmlab.report.runner import run_reports

    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "rfm.ipynb"
    (project / "notebooks" / notebook.name).write_bytes(notebook.read_bytes())
    (record,) = run_reports([Order("mine", ("rfm",))], Settings(out=project / "reports"))
    assert record.ok, record.reason
    assert holding(project) == ["data/orders.csv"]
    outputs = project / "reports" / "mine" / "rfm" / "outputs"
    done = reveal(outputs / "customers.parquet")
    assert (done.file, done.found, done.missing) == (outputs / "customers-revealed.csv", PEOPLE, 0)
    sent = pd.read_csv(done.file)
    assert sorted(sent["E-Mail"]) == sorted(map(email, range(PEOPLE)))
    assert [KEY.id_of(mail) for mail in sent["E-Mail"]] == sent["customer_id"].tolist()
    (again,) = run_reports([Order("mine", ("rfm",))], Settings(out=project / "reports"))
    assert again.status == "up_to_date"  # the list beside it is nobody's business


def test_rows_that_are_dropped_and_rows_that_slipped_show_no_email(project):
    """In a row that slipped by one column an e-mail stands where an amount or the number of an order should be."""
    with (project / "data" / "orders.csv").open("a") as stream:
        stream.write(
            f"{email(1)},2024-01-01,many,7\n,2024-01-01,{email(2)},8\n,2024-01-01,x,{email(3)}\n{email(4)},2024-01-01\n"
        )
        stream.write(f"{email(5)},2024-01-01,1.00,9,{email(5)}\n,{email(6)},1.00,9\n")
    _, _, found = check_source(load("mine"))
    assert found and SECRET not in " ".join(map(str, found)).lower().encode()
    (project / "data" / "mine.toml").write_text('bad_rows = "drop"\n' + TOML)
    data = open_dataset("mine")
    dropped = {row.reason: row.rows for row in data.ledger}
    assert dropped == {None: 600, "unreadable": 6}
    assert SECRET not in repr(data.ledger).lower().encode() and holding(project) == ["data/orders.csv"]


# What reveal writes.


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
@pytest.mark.parametrize("out", [None, "send/here.csv", "here.xlsx"])
def test_every_form_of_list(project, ending, out):
    file = project / f"list.{ending}"
    frame = pd.DataFrame({"segment": ["best", "new"], "customer_id": ids_of(3, 1), "score": [1.5, 2.0]})
    {"csv": write_csv, "parquet": pd.DataFrame.to_parquet, "xlsx": write_workbook}[ending](frame, file)
    done = reveal(file, data="mine", out=project / out if out else None)
    assert done.file == (project / out if out else project / f"list-revealed.{'xlsx' if ending == 'xlsx' else 'csv'}")
    assert done.file.stat().st_mode & 0o777 == 0o600
    written = pd.read_excel(done.file, engine="calamine") if done.file.suffix == ".xlsx" else pd.read_csv(done.file)
    expected = frame.copy()
    expected.insert(2, "E-Mail", [email(3), email(1)])
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    assert not list(project.rglob(".aside-*"))


def test_of_several_ways_of_writing_the_commonest_is_written(project):
    rows = ["b@x.example,1", "B@x.example,2", " B@x.example ,3", "C@x.example,4", "c@x.example,5"]
    (project / "data" / "orders.csv").write_text("E-Mail,Total,When\n" + "".join(f"{row},2024-01-01\n" for row in rows))
    write_csv(pd.DataFrame({"customer_id": [KEY.id_of("b@x.example"), KEY.id_of("c@x.example")]}), project / "l.csv")
    assert pd.read_csv(reveal(project / "l.csv", data="mine").file)["E-Mail"].tolist() == ["B@x.example", "C@x.example"]


@pytest.mark.parametrize(
    ("cells", "options", "values"),
    [
        (["4917650000.0", "", "4917650001.0"], "", ["4917650000", "4917650001"]),  # a column with a gap was one of floats
        (["none", "n/a", "4917650001"], 'missing = {customer_id = ["n/a"]}\n', ["none", "4917650001"]),
        (["4917650000.5", "4917650001.0", ""], "", ["4917650000.5", "4917650001.0"]),  # no whole numbers, so nothing is healed
    ],
    ids=["floats", "missing", "codes"],
)
def test_every_id_that_was_made_is_found_again(project, cells, options, values):
    rows = "".join(f"{cell},2024-01-0{i},1.50\n" for i, cell in enumerate(cells, start=1))
    (project / "data" / "orders.csv").write_text("Phone,When,Total\n" + rows)
    (project / "data" / "mine.toml").write_text(TOML.replace("E-Mail", "Phone") + options)
    kept = open_dataset("mine").orders.order_by("ordered_at")["customer_id"].to_pyarrow().to_pylist()
    write_csv(pd.DataFrame({"customer_id": kept}), project / "l.csv")
    done = reveal(project / "l.csv", data="mine")
    assert (done.found, done.missing) == (len(values), 0)
    assert pd.read_csv(done.file, dtype=str)["Phone"].tolist() == values


def test_an_email_that_is_a_formula(project):
    formula = "=cmd|'/c calc'!A1@x.example"
    (project / "data" / "orders.csv").write_text(f"E-Mail,Total,When\n{formula},1,2024-01-01\n")
    write_csv(pd.DataFrame({"customer_id": [KEY.id_of(formula)]}), project / "l.csv")
    assert pd.read_csv(reveal(project / "l.csv", data="mine").file)["E-Mail"].tolist() == ["'" + formula]


def test_customers_who_are_not_found_are_counted_and_left_out(project):
    write_csv(pd.DataFrame({"customer_id": [*ids_of(1, 2), KEY.id_of("gone@x.example"), "17850"]}), project / "l.csv")
    done = CliRunner().invoke(main, ["reveal", str(project / "l.csv"), "--data", "mine"])
    assert done.exit_code == 0 and done.stdout.startswith("2 customers with 'E-Mail', for you only:")
    assert done.stderr == "2 customers are not in the source any more and left out.\n"
    assert pd.read_csv(project / "l-revealed.csv")["E-Mail"].tolist() == [email(1), email(2)]


def test_the_email_may_be_in_another_table(project):
    (project / "data" / "people.csv").write_text("Mail\nNobody.Bought@x.example\n")
    (project / "data" / "mine.toml").write_text(TOML + '[customers]\nfile = "people.csv"\ncustomer_hash = "Mail"\n')
    write_csv(pd.DataFrame({"customer_id": [KEY.id_of("nobody.bought@x.example"), *ids_of(4)]}), project / "l.csv")
    sent = pd.read_csv(reveal(project / "l.csv", data="mine").file)
    assert sent["E-Mail"].tolist() == ["Nobody.Bought@x.example", email(4)]


@pytest.mark.parametrize(
    ("frame", "data", "says"),
    [
        ({"customer_id": ["17850"]}, "mine", "must hold ids that were made of a personal column"),
        ({"id": ["17850"]}, "mine", "missing column 'customer_id'"),
        ({"customer_id": [KEY.id_of("gone@x.example")]}, "mine", "None of the 1 customers of l.csv is in the source"),
        ({"customer_id": [KEY.id_of(email(1))], "E-Mail": ["x"]}, "mine", "Was it revealed before?"),
        ({"customer_id": [KEY.id_of(email(1))]}, None, "Name the data set with --data"),
        ({"customer_id": [KEY.id_of(email(1))]}, "plain", "There is nothing to reveal"),
    ],
)
def test_lists_that_cannot_be_revealed(project, frame, data, says):
    (project / "data" / "plain.toml").write_text('[orders]\nfile = "orders.csv"\ncustomer_id = "order_id"\n')
    write_csv(pd.DataFrame(frame), project / "l.csv")
    with pytest.raises(CrmlabError) as told:
        reveal(project / "l.csv", data=data)
    assert says in str(told.value) and [path.name for path in project.glob("l*")] == ["l.csv"]


@pytest.mark.parametrize(("name", "out"), [("l.txt", None), ("gone.csv", None), ("l.csv", "o.txt"), ("l.csv", "l.csv")])
def test_files_that_are_none(project, name, out):
    for file in ("l.txt", "l.csv"):
        write_csv(pd.DataFrame({"customer_id": ids_of(1)}), project / file)
    before = (project / "l.csv").read_bytes()
    with pytest.raises(ReportError):
        reveal(project / name, data="mine", out=project / out if out else None)
    assert (project / "l.csv").read_bytes() == before and not (project / "o.txt").exists()


def test_a_disk_that_is_full(project, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    write_csv(pd.DataFrame({"customer_id": ids_of(1)}), project / "l.csv")
    monkeypatch.setattr("crmlab.cli.revealing.write_csv", full)
    with pytest.raises(ReportError, match=r"The list l-revealed\.csv cannot be written\. No space left on device\."):
        reveal(project / "l.csv", data="mine")
    assert [path.name for path in project.glob("*l*")] == ["l.csv"] and not list(project.rglob(".aside-*"))


# What crmlab new proposes.

ORDERS = "Order No,{who},Date,Total\n" + "".join(
    f"{1000 + i},{{v{i % 5}}},2024-0{i % 9 + 1}-1{i % 9},{i}.50\n" for i in range(30)
)


def proposed(project: Path, who: str, values: list[str]) -> tuple[str, tuple[str, ...]]:
    file = project / "data" / "export.csv"
    file.write_text(ORDERS.format(who=who, **{f"v{i}": value for i, value in enumerate(values)}))
    (project / "data" / "export.toml").unlink(missing_ok=True)
    return guess.write(file, folder=project / "data").read_text(), guess.look(file).doubts


MAILS = [f"person{i}@x.example" for i in range(5)]
PHONES = [f"+49 176 123456{i}" for i in range(5)]
NAMES = ["Anna Example", "Ben Example", "Cleo Sample", "Dan Sample", "Eve Model"]


@pytest.mark.parametrize(
    ("who", "values"),
    [("Email", MAILS), ("E-Mail-Adresse", MAILS), ("Phone", PHONES), ("customer_id", MAILS), ("Customer", MAILS)],
)
def test_an_email_or_a_phone_number_alone_is_proposed_and_works(project, who, values):
    text, doubts = proposed(project, who, values)
    assert f'\ncustomer_hash = "{who}"' in text and "\ncustomer_id =" not in text and not any(value in text for value in values)
    assert any(f"'{who}' identifies the buyer: a keyed hash of it is used as the id." in doubt for doubt in doubts)
    data = open_dataset("export")
    assert set(data.orders["customer_id"].to_pandas()) == {KEY.id_of(value) for value in values}


def test_an_id_is_preferred_and_names_are_doubtful(project):
    text, _ = proposed(project, "Customer ID", ["C1", "C2", "C3", "C4", "C5"])
    assert 'customer_id = "Customer ID"' in text and "customer_hash" not in text
    text, doubts = proposed(project, "Customer Name", NAMES)
    assert '\ncustomer_hash = "Customer Name"' in text
    assert any("Two people with the same name would count as one customer." in doubt for doubt in doubts)
