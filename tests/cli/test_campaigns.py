"""``crmlab campaign``: from a plan to files to send from, with nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from crmlab.analyses.campaigns.results import study
from crmlab.cli.campaigns import campaign
from crmlab.data.codes import check_code
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.shop.make import make_shop
from tests.commands import campaign as crmlab

PLAN = """
campaign = "spring"
salt = "spring 2026"
channel = "email"
opens_on = 2026-01-10
closes_on = 2026-02-06
cost_per_contact = 0.03

[[cell]]
name = "spring-0"
share = 0.4

[[cell]]
name = "spring-1"
share = 0.3
control = "spring-0"
offer = "10% off"
creative = "plain"

[[cell]]
name = "spring-2"
share = 0.3
control = "spring-0"
offer = "small gift"
creative = "picture"
channel = "post"
"""


@pytest.fixture(scope="module")
def shop():
    return make_shop(300, 2)


@pytest.fixture
def project(tmp_path, monkeypatch, shop):
    """A small shop, its list as a csv file, a plan, and a memory of our own."""
    (tmp_path / "small.toml").write_text('currency = "EUR"\n[source]\nkind = "shop"\ncustomers = 300\nseed = 2\n')
    (tmp_path / "spring.toml").write_text(PLAN)
    shop.tables["customers"][["customer_id"]].sample(200, random_state=1).to_csv(tmp_path / "list.csv", index=False)
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def launched(project: Path, *more: str, code: int = 0) -> str:
    return crmlab("launch", "spring", "--data", "small.toml", "--list", "list.csv", "--out", "out", *more, code=code)


def test_help_loads_no_engine():
    script = "import sys; from crmlab.cli.commands import main; main(['campaign', '--help'], standalone_mode=False); print(sorted({'pandas', 'pydantic', 'ibis', 'duckdb', 'pyarrow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "plan" in done.stdout and "launch" in done.stdout and "results" in done.stdout and "history" in done.stdout
    assert done.stdout.rstrip().endswith("[]")


def test_every_command_says_what_it_does():
    for command in campaign.commands.values():
        assert command.help and command.help.strip().split("\n")[0].endswith((".", ","))


def test_plan_gives_codes_and_keeps_them(project):
    said = crmlab("plan", "spring.toml")
    cells = open_memory().cells("spring").set_index("cell_id")
    assert cells["response_code"].dropna().map(check_code).tolist() == [True, True]
    assert pd.isna(cells.loc["spring-0", "response_code"])
    assert all(code in said for code in cells["response_code"].dropna())
    # A control is sent nothing, and costs nothing.
    assert pd.isna(cells.loc["spring-0", "cost_per_contact"])
    assert cells.loc["spring-1", "cost_per_contact"] == 0.03
    assert cells["channel"].tolist() == ["email", "email", "post"]
    assert crmlab("plan", "spring.toml") == said
    assert len(open_memory().headers()) == 1


@pytest.mark.proof
def test_launch_assigns_and_writes_a_file_per_channel(project, shop):
    crmlab("plan", "spring.toml")
    said = launched(project)
    people = open_memory().assignments("spring").set_index("customer_id")
    customers = shop.tables["customers"].set_index("customer_id")
    asked = pd.read_csv("list.csv", dtype=str)["customer_id"]
    assert set(people.index) == {who for who in asked if customers.loc[who, "contactable"]}
    assert f"{len(asked) - len(people)}  left out: may not be contacted" in said
    assert (people["household_id"] == customers.loc[people.index, "household_id"]).all()
    assert people.groupby("household_id")["cell_id"].nunique().max() == 1
    files = sorted(Path("out").iterdir())
    assert [file.name for file in files] == ["spring-email.csv", "spring-post.csv"]
    codes = open_memory().cells("spring").set_index("cell_id")["response_code"]
    for file, cell in zip(files, ("spring-1", "spring-2"), strict=True):
        sent = pd.read_csv(file, dtype=str)
        assert list(sent.columns) == ["customer_id", "response_code", "offer", "creative"]
        assert sent["customer_id"].tolist() == sorted(people.index[people["cell_id"] == cell])
        assert set(sent["response_code"]) == {codes[cell]}


def test_launch_again_changes_nothing(project):
    crmlab("plan", "spring.toml")
    launched(project)
    first = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    before = open_memory().assignments("spring")
    Path("list.csv").write_text("customer_id\nC000001\n")  # another list now
    said = launched(project)
    assert "was launched on" in said
    assert {file.name: file.read_bytes() for file in Path("out").iterdir()} == first
    pd.testing.assert_frame_equal(open_memory().assignments("spring"), before)
    assert crmlab("launch", "spring", "--data", "small.toml", "--out", "out").startswith(
        "spring was launched on"
    )  # without a list


def test_launch_depends_on_nothing_but_list_and_plan(project, monkeypatch):
    crmlab("plan", "spring.toml")
    launched(project)
    first = open_memory().assignments("spring")
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(project / "other"))
    crmlab("plan", "spring.toml")
    frame = pd.read_csv("list.csv", dtype=str)
    frame.iloc[::-1].to_csv("list.csv", index=False)
    launched(project)
    pd.testing.assert_frame_equal(open_memory().assignments("spring"), first)


def test_launch_gives_further_columns_only_when_asked(project):
    frame = pd.read_csv("list.csv", dtype=str).assign(name="Somebody")
    frame.to_csv("list.csv", index=False)
    crmlab("plan", "spring.toml")
    launched(project)
    assert "Somebody" not in Path("out/spring-email.csv").read_text()
    launched(project, "--with", "name", "--with", "country")
    sent = pd.read_csv("out/spring-email.csv", dtype=str)
    assert list(sent.columns) == ["customer_id", "response_code", "offer", "creative", "name", "country"]
    assert set(sent["name"]) == {"Somebody"}
    # Personal columns of a data set are nowhere to be had.
    assert "missing column 'email'" in launched(project, "--with", "email", code=2)


def test_launch_holds_people_out(project):
    Path("spring.toml").write_text(
        PLAN.replace('channel = "email"\n', 'channel = "email"\nholdout = 0.2\nholdout_salt = "for ever and ever"\n', 1)
    )
    crmlab("plan", "spring.toml")
    said = launched(project)
    count = int(said.split("  left out: held out")[0].split()[-1])
    assert 15 < count < 65
    Path("autumn.toml").write_text(Path("spring.toml").read_text().replace("spring", "autumn"))
    crmlab("plan", "autumn.toml")
    crmlab("launch", "autumn", "--data", "small.toml", "--list", "list.csv", "--out", "out")
    assert set(open_memory().assignments("autumn")["customer_id"]) == set(open_memory().assignments("spring")["customer_id"])
    both = open_memory().assignments("autumn").merge(open_memory().assignments("spring"), on="customer_id")
    assert 0.2 < (both["cell_id_x"].str[-1] == both["cell_id_y"].str[-1]).mean() < 0.5  # another salt, another split


def test_launch_takes_the_best_by_score(project):
    frame = pd.read_csv("list.csv", dtype=str)
    frame["score"] = range(len(frame))
    frame.to_csv("list.csv", index=False)
    Path("spring.toml").write_text(PLAN.replace('channel = "email"\n', 'channel = "email"\nsample = 50\nscore = "score"\n', 1))
    crmlab("plan", "spring.toml")
    assert "left out: not among those taken" in launched(project)
    scores = frame.set_index("customer_id")["score"]
    people = open_memory().assignments("spring")
    assert 50 <= len(people) <= 55  # the last household is taken whole
    assert scores.loc[people["customer_id"]].median() > scores.quantile(0.8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("salt =", "slat ="), "unknown key 'slat' at the top. Did you mean 'salt'?"),
        (('"spring 2026"', '"short"'), "salt must be a text of at least 8 characters. Got 'short'"),
        (("share = 0.4", "share = 1.4"), "share must be a number between 0 and 1. Got 1.4"),
        (("share = 0.4", "share = 0.3"), "planned shares of 'spring' must add up to 1. Found 0.9"),
        (("share = 0.4", "list = 'X'"), "[[cell]] spring-0 share must be given. Got 'nothing'"),
        (('control = "spring-0"\noffer = "10% off"', 'control = "spring-1"\noffer = "x"'), "'spring-1' is its own control"),
        (('control = "spring-0"\noffer = "10% off"', 'control = "sprig-0"\noffer = "x"'), "Did you mean 'spring-0'?"),
        (("0.03", "-0.03"), "cost_per_contact must be a number of at least 0. Got -0.03"),
        (("closes_on = 2026-02-06", "closes_on = 2026-01-06"), "ends before it begins"),
        (("closes_on = 2026-02-06", 'closes_on = "soon"'), "closes_on must be a date such as 2025-03-01. Got 'soon'"),
        (
            ('creative = "plain"', 'creative = "plain"\ncode = "ABC123"'),
            "The code of cell 'spring-1' must be a code whose last character",
        ),
        (('creative = "plain"', 'colour = "red"'), "unknown key 'colour' under [[cell]] spring-1"),
        (('name = "spring-2"', 'name = "spring-1"'), "Cell 'spring-1' is there twice"),
        (("[[cell]]", "[cells]"), "unknown key 'cells'"),
        (("campaign =", "campaign"), "is not valid TOML"),
        (('channel = "email"\n', 'channel = "email"\nholdout = 0.1\n'), "given together with holdout_salt"),
    ],
)
def test_plan_refuses_what_makes_no_sense(project, change, words):
    text = PLAN.replace(*change, 1) if change[0] != "[[cell]]" else PLAN.replace("[[cell]]", "[cells]", 1).split("[[cell]]")[0]
    assert text != PLAN
    Path("spring.toml").write_text(text)
    said = crmlab("plan", "spring.toml", code=2)
    assert words in said and said.startswith("crmlab: ") and said.count("\n") == 1
    assert open_memory().headers() == []


def test_launch_refuses_what_makes_no_sense_and_writes_nothing(project):
    assert "no campaign 'spring'" in launched(project, code=2)
    crmlab("plan", "spring.toml")
    event = len(open_memory().headers())

    def refused(text: str) -> str:
        Path("list.csv").write_text(text)
        said = launched(project, code=2)
        assert len(open_memory().headers()) == event
        assert not Path("out").exists() or list(Path("out").iterdir()) == []
        return said

    assert "missing column 'customer_id'. Found: id" in refused("id\nC000001\n")
    assert "contains a customer who is not in the data set" in refused("customer_id\nC000001\nnobody\n")
    assert "assigned twice" in refused("customer_id\nC000001\nC000001\nC000002\n")
    assert "at least one customer" in refused("customer_id\n")
    Path("list.csv").unlink()
    assert "list.csv cannot be read. No such file" in launched(project, code=2)
    assert "Give one with --list FILE" in crmlab("launch", "spring", "--data", "small.toml", code=2)
    Path("list.csv").write_text("customer_id\nC000001\nC000002\nC000003\n")
    Path("out").write_text("in the way")
    assert "cannot be written" in launched(project, code=2)
    assert len(open_memory().headers()) == event


def test_results_are_added_look_by_look(project, monkeypatch):
    calls = []

    def measure(data, name, *, as_of, cells, people, earlier):
        calls.append((data.name, name, as_of.isoformat(), len(cells), None if people is None else len(people)))
        rows = [
            (cell, control, "bought", 50, 0.1 * i, -0.05, 0.2, 0.95, 0.3)
            for i, (cell, control) in enumerate(zip(cells["cell_id"], cells["control_cell_id"], strict=True))
        ]
        return pd.DataFrame(rows, columns=["cell", "control", "metric", "n", "estimate", "low", "high", "level", "p_adjusted"])

    monkeypatch.setattr(study, "measure", measure)
    crmlab("plan", "spring.toml")
    launched(project)
    assert "Look 1 at spring:" in crmlab("results", "spring", "--data", "small.toml", "--as-of", "2025-12-01")
    assert "Look 1 at spring (as before):" in crmlab("results", "spring", "--data", "small.toml", "--as-of", "2025-12-01")
    assert "Look 2 at spring:" in crmlab("results", "spring", "--data", "small.toml")
    assert calls[0] == ("small", "spring", "2025-12-01", 3, len(open_memory().assignments("spring")))
    # A campaign that the data set knows needs no plan.
    assert "Look 1 at latest:" in crmlab("results", "latest", "--data", "small.toml", "--close")
    assert calls[-1][3:] == (2, None)
    said = crmlab("history", "--component", "offer", "--value", "10% off")
    assert "measured" in said and "closed" in said and "spring-1" in said and "spring-2" not in said
    assert "no campaign 'autumn'" in crmlab("results", "autumn", "--data", "small.toml", code=2)
    assert "must be a date" in crmlab("results", "spring", "--as-of", "soon", code=2)


def test_history_of_nothing_says_how_to_begin(project):
    assert "Begin with: crmlab campaign plan" in crmlab("history")
    crmlab("plan", "spring.toml")
    assert "No results of cells by offer yet" in crmlab("history")
    assert "one of offer, list, creative, channel" in crmlab("history", "--component", "colour", code=2)


def test_memory_can_be_named(project):
    crmlab("plan", "spring.toml", "--memory", "elsewhere")
    assert not Path("memory").exists()
    assert "spring" in crmlab("history", "--memory", "elsewhere")
    said = crmlab("history", "--memory", "postgresql://clerk:hunter2@host/db", code=2)
    assert "hunter2" not in said
