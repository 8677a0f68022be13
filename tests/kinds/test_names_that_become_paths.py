"""Kind: a name that becomes a path leads elsewhere, and files of the user are written over or deleted.

Names that are chosen (data sets, plans) are refused where a folder cannot bear them; texts that are no file names (campaigns,
channels, values of parameters) are written as names, each as one of its own. What is cleared away is known by what it holds, and a
project that was only found must be the user's own.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlab.analyses.campaigns.commands import list_names
from crmlab.data import catalog, naming, project
from crmlab.data.descriptor import TOLD
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import CrmlabError, DescriptorError, NotInProjectError, PlanError
from crmlab.report import jobs, records, site, swap

ROOT = Path(__file__).parents[2]
REFUSED = [
    "",
    ".",
    "..",
    "...",
    ".hidden",
    ".aside-x",
    "a/b",
    "../x",
    "/etc",
    "a\\b",
    "-rf",
    "~root",
    " x",
    "x ",
    "x.",
    "a\nb",
    "a\0b",
    "a\x1b[31m",
    "a\u202eb",
    "a\u2028b",
    "a\udc80b",
    "con",
    "NUL.v2",
    "lpt1",
    "x" * 181,
    "ü" * 91,
]
BORNE = [
    "shop",
    "orders 2024",
    "v1.2",
    "Köln",
    "注文",
    "it's [1] (new)",
    "a&b=c",
    "x" * 180,
    "a..b",
    "console",
    "0",
    "we{{7*7}}ird {x} <b>&'",
]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_no_folder_can_bear(name):
    with pytest.raises(
        DescriptorError, match=r"The name of a data set must be one that a folder can bear\. Got .* Choose another\."
    ):
        naming.checked_name(name, "a data set", DescriptorError)


@pytest.mark.parametrize("name", BORNE)
def test_names_that_folders_bear(name, tmp_path):
    assert naming.checked_name(name, "a data set", CrmlabError) == name
    (tmp_path / f"{name}-{'0' * 24}.lock").touch()


@given(st.text(max_size=300))
def test_texts_become_names_that_lead_nowhere_else(text):
    part = naming.path_part(text)
    assert part
    assert Path("folder", part).parent == Path("folder")
    assert part not in (".", "..")
    assert not set(part) & set('/\\:*?"<>|\0\n ')
    assert len(part.encode()) <= 90
    assert naming.path_part(text) == part


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_texts_never_become_one_name(one, other):
    assert (naming.path_part(one) == naming.path_part(other)) == (one == other)


@pytest.mark.parametrize(("one", "other"), [("a b", "a_b"), ("a/b", "a b"), ("", "empty"), (".a", "a"), ("e\u0301", "\u00e9")])
def test_texts_that_look_alike_become_two_names(one, other):
    assert naming.path_part(one) != naming.path_part(other)


def test_lists_of_channels_and_campaigns_never_become_one_file(tmp_path):
    memory = open_memory(tmp_path / "memory")
    channels = ["a b", "a/b", "A b", "email", "Email", "EMAIL", "any", None, "e\u0301", "\u00e9", "b-c"]
    for name, some in (("spring", channels), ("Spring", channels), ("spring-b", ["c"]), ("straße", ["x"]), ("strasse", ["x"])):
        rows = [{"cell_id": f"{name}-{i}", "control_cell_id": None, "offer": "x", "channel": of} for i, of in enumerate(some)]
        memory.plan(name, pd.DataFrame(rows, dtype=object))
    names = [list_names(name, memory) for name in ("spring", "Spring", "spring-b", "straße", "strasse")]
    assert [set(one) for one in names[:2]] == [set(channels)] * 2
    every = [file for one in names for file in one.values()]
    assert len({file.casefold() for file in every}) == len(every) == 2 * len(channels) + 3
    assert names[0]["email"] == "spring-email.csv" and all(not naming.fault_of(file) for file in every)
    memory.plan("later", pd.DataFrame([{"cell_id": "l", "control_cell_id": None, "offer": "x", "channel": "email"}]))
    assert list_names("spring", memory) == names[0]  # a name does not change with what is planned later


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder of the user with files of theirs, and a data set under a name that is given."""
    work = tmp_path / "outer" / "work"
    work.mkdir(parents=True)
    for rest in (".aside-mine", ".old-mine"):
        for place in (work, work.parent):
            (place / rest).mkdir()
            (place / rest / "mine.txt").write_text("mine")
    (work / "o.csv").write_text("c,d,a\n1,2024-01-01,1\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CRMLAB_HOME", str(ROOT))
    return work


@pytest.mark.parametrize("name", ["...toml", "..toml", ".toml", ".x.toml", "a\x1b[31m.toml", "con.toml", "x" * 190 + ".toml"])
def test_a_data_set_of_such_a_name_writes_and_deletes_nothing(folder, name):
    text = '[orders]\nfile = "o.csv"\ncustomer_id = "c"\nordered_at = "d"\namount = "a"\n'
    (folder / name).write_text(text)
    before = sorted(folder.parent.rglob("*"))
    command = [sys.executable, "-m", "crmlab.cli", "run", "data_quality", "--data", name, "--out", "reports"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 2
    assert "The name of a data set must be one that a folder can bear." in done.stderr
    assert "\x1b" not in done.stderr
    assert sorted(folder.parent.rglob("*")) == before
    assert not (folder.parent.parent / "cache").exists()


def test_names_in_data_and_plans_are_of_the_rule_too(folder, monkeypatch):
    (folder / "data").mkdir()
    (folder / "notebooks").mkdir()
    (folder / "plans").mkdir()
    for name in ("fine", "..", ".x"):
        (folder / "data" / f"{name}.toml").write_text("")
        (folder / "plans" / f"{name}.toml").write_text("")
    monkeypatch.setenv("CRMLAB_HOME", str(folder))
    assert catalog.dataset_names() == ["fine"]
    assert jobs.plan_names() == ["fine"]
    for name in ("..", "../data/fine", ".x"):
        with pytest.raises(DescriptorError):
            catalog.load(name)
        with pytest.raises(PlanError):
            jobs.load_plan(name)
    with pytest.raises(PlanError):
        jobs.load_plan("plans/...toml")


def test_pages_are_rendered_in_the_reports_folder_only(folder):
    with pytest.raises(DescriptorError, match="one that a folder can bear"):
        site.render_again(folder / "reports", ["../elsewhere"])


def test_values_of_parameters_become_folders_of_their_own():
    order = jobs.Order("shop", ("rfm",), each={"as_of": ["2025-01-31"], "bins": [3, 5]})
    places = [job.place for job in jobs.plan_jobs(order, ["orders", *TOLD]) if job.name == "rfm"]
    assert places == ["rfm--as_of-2025-01-31--bins-3", "rfm--as_of-2025-01-31--bins-5"]
    order = jobs.Order("shop", ("customer_profile",), each={"customer_id": ["../../x", ".. .. x", "a b", "a_b", "x" * 500]})
    places = [job.place for job in jobs.plan_jobs(order, ["orders", *TOLD]) if job.name == "customer_profile"]
    assert len(set(places)) == 5
    assert not any(naming.fault_of(place) for place in places)


def test_a_record_from_a_file_names_no_place_elsewhere(folder):
    record = records.RunRecord("../../rfm", "shop", "failed", started="2025-01-01T00:00:00.000")
    with pytest.raises(CrmlabError, match="The name of a report must be"):
        records.keep(record, folder)


def test_only_what_a_run_writes_is_swept(folder):
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "report.html").write_text("mine")
    (folder / ".aside-link").symlink_to(outside)
    (folder / ".old-link").symlink_to(outside)
    (folder / ".aside-file-of-mine").write_text("mine")
    for name in (".aside-rfm-x1", ".aside-annotations", ".aside-empty-1"):
        (folder / name).mkdir()
    (folder / ".aside-rfm-x1" / "notebook.ipynb").touch()
    (folder / ".aside-rfm-x1" / "tables").mkdir()
    (folder / ".aside-annotations" / "0.json").touch()
    (folder / ".aside-ab12cd_9").touch()
    (folder / ".old-rfm").mkdir()
    (folder / ".old-rfm" / "run.json").touch()
    swap.sweep(folder)
    rest = sorted(path.name for path in folder.iterdir())
    assert rest == [".aside-file-of-mine", ".aside-link", ".aside-mine", ".old-link", ".old-mine", "o.csv", "rfm"]
    assert (outside / "report.html").exists()


@pytest.fixture
def found(tmp_path, monkeypatch):
    """A project that is found above the working folder."""
    for name in ("notebooks", "data", "deep"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("CRMLAB_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "deep")
    return tmp_path


def test_an_own_project_is_found(found):
    assert project.home() == found


def owned(monkeypatch, found, user, mode, *parts):
    """Let the user be number 1000, parts of a project be somebody's, and the rest the user's own."""
    real = Path.stat

    def told(self, **options):
        state = list(real(self, **options))
        if self in [found / part for part in parts]:
            state[stat.ST_UID], state[stat.ST_MODE] = user, stat.S_IFDIR | mode
        elif self.is_relative_to(found):
            state[stat.ST_UID] = 1000
        return os.stat_result(state)

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "stat", told)


@pytest.mark.parametrize("part", [".", "notebooks", "data"])
@pytest.mark.parametrize(("user", "mode"), [(4242, 0o755), (0, 0o777), (0, 0o1777), (0, 0o775)])
def test_a_project_of_others_is_not_taken_unless_it_is_named(found, monkeypatch, part, user, mode):
    owned(monkeypatch, found, user, mode, part)
    with pytest.raises(NotInProjectError, match=r"must be your own.*would run with your rights.*CRMLAB_HOME="):
        project.home()
    monkeypatch.setenv("CRMLAB_HOME", str(found))
    assert project.home() == found


def test_a_project_of_the_administrator_is_taken(found, monkeypatch):
    owned(monkeypatch, found, 0, 0o755, ".", "notebooks", "data")
    assert project.home() == found


def test_the_clone_that_runs_is_taken_whoever_owns_it(monkeypatch):
    monkeypatch.delenv("CRMLAB_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.chdir("/")
    assert project.home() == ROOT
