"""The command line, as a person uses it. Runs of notebooks are in tests/report."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from crmlab.cli.commands import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path_factory.getbasetemp() / "cli-cache"))


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_list_names_reports_and_data_sets():
    done = call("list")
    assert done.exit_code == 0
    for name in ("rfm", "data_quality", "shop", "cdnow", "cdnow_sample", "online_retail", "online_retail_ii"):
        assert re.search(rf"^  {name} ", done.output, flags=re.M)


def test_describe_gives_parameters_with_defaults_and_help():
    done = call("describe", "rfm")
    assert "Needs: orders" in done.output
    assert re.search(r"bins +int, default 5: score bins per dimension, 2 to 10", done.output)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("describe", "rmf"), "crmlab: There is no report 'rmf'. Did you mean 'rfm'?"),
        (("check", "shopp"), "crmlab: There is no data set 'shopp'. Did you mean 'shop'?"),
        (("check", "nowhere.toml"), "crmlab: There is no data set file nowhere.toml."),
        (("run", "rfm", "-p", "bin=4"), "crmlab: Unknown parameter 'bin' for rfm. Did you mean 'bins'?"),
        (("run", "rfm", "-p", "bins"), "crmlab: A parameter must be given as key=value."),
        (("run", "rfm", "--data", "cdnow_sample", "-p", "bins=-2"), "The 'bins' parameter of rfm must be between 2 and 10."),
        (("run", "--plan", "montly"), "crmlab: There is no plan 'montly'. Did you mean 'monthly'?"),
        (("render", "--out", "nowhere"), "crmlab: There is no executed notebook under nowhere."),
        (
            ("rerun", "nowhere"),
            "crmlab: There is no file or folder nowhere. Expected a run.json, or the folder of a report.",
        ),
        (("new", "nowhere.csv"), "crmlab: There is no file nowhere.csv in this folder."),
        (("run", "customer_profile"), "crmlab: customer_profile needs customer_id. Got nothing. Add -p customer_id=…"),
    ],
)
def test_mistakes_give_one_sentence_and_status_2(arguments, message, tmp_path, monkeypatch):
    if arguments[0] == "run":
        arguments = (*arguments, "--out", str(tmp_path / "out"))
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_history_tells_a_wrong_name_from_no_run(tmp_path):
    done = call("history", "rfn", "--out", str(tmp_path))
    assert (
        done.exit_code == 0
        and "No run of 'rfn' is recorded for shop in " in done.output
        and "Did you mean 'rfm'?" in done.output
    )
    done = call("history", "--data", "nope", "--out", str(tmp_path))
    assert done.exit_code == 2 and "There is no data set 'nope'." in done.output


def test_plan_with_names_is_a_usage_error():
    done = call("run", "rfm", "--plan", "monthly")
    assert done.exit_code == 2
    assert "--plan says what to run" in done.output


@pytest.mark.proof
def test_check_says_in_one_screen_what_was_read():
    done = call("check", "cdnow_sample")
    assert done.exit_code == 0
    assert "orders: 6,919 rows read" in done.output
    assert "Orders from 1997-01-01 to 1998-06-30, 2,357 customers" in done.output
    assert "Currency: USD" in done.output
    assert "yes  rfm" in done.output
    assert len(done.output.splitlines()) < 25


def test_check_lists_every_problem_and_fails(tmp_path):
    (tmp_path / "o.csv").write_text("cust,day,total\n1,2024-01-01,5\n2,yesterday,x\n")
    toml = tmp_path / "mine.toml"
    toml.write_text('[orders]\nfile = "o.csv"\ncustomer_id = "cust"\nordered_at = "day"\namount = "total"\n')
    done = call("check", toml)
    assert done.exit_code == 1
    assert "2 problems:" in done.output
    assert "first in row 2 below the header. Found: 'yesterday'." in done.output
    assert "first in row 2 below the header. Found: 'x'." in done.output


@pytest.mark.proof
def test_from_own_file_to_first_report_in_three_commands(tmp_path):
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    source = __import__("crmlab.data.project", fromlist=["home"]).home() / "notebooks"
    shutil.copytree(source, project / "notebooks")
    rows = "".join(f"{i % 40};{1 + i % 28:02d}.{1 + i % 6:02d}.2024;{i % 9},50\n" for i in range(1, 400))
    (project / "verkauf.csv").write_text(f"Kunden-Nr;Datum;Umsatz\n{rows}", encoding="cp1252")
    env = {**os.environ, "CRMLAB_HOME": str(project), "CRMLAB_CACHE": str(tmp_path / "cache")}

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "crmlab.cli", *arguments],
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    made = command("new", "verkauf.csv")
    assert made.returncode == 0, made.stderr
    assert (project / "data" / "verkauf.toml").is_file()
    checked = command("check", "verkauf")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "399 rows read" in checked.stdout
    ran = command("run", "--data", "verkauf")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (project / "reports" / "verkauf" / "index.html").is_file()
    assert (project / "reports" / "verkauf" / "rfm" / "report.html").is_file()
