"""From criteria in a plan to files to send from, by the command line, with no list given."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns.lists import ListRules, pull_list
from crmlab.data.memory.campaigns import open_memory
from tests.commands import campaign as command

PLAN = """
campaign = "spring"
salt = "spring 2026"
channel = "email"
opens_on = 2026-01-01
closes_on = 2026-01-28
cost_per_contact = 0.03
criteria = ["days_since_last <= 300", "country in DE, FR"]
strata = "country"

[[cell]]
name = "spring-0"
share = 0.4

[[cell]]
name = "spring-1"
share = 0.6
control = "spring-0"
offer = "10% off"
creative = "plain"
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path, monkeypatch, cache):
    (tmp_path / "small.toml").write_text('currency = "EUR"\n[source]\nkind = "shop"\ncustomers = 300\nseed = 2\n')
    (tmp_path / "spring.toml").write_text(PLAN)
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    monkeypatch.setenv("CRMLAB_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def launch(name="spring", **options):
    return command("launch", name, "--data", "small.toml", "--out", "out", **options)


@pytest.mark.proof
def test_launch_pulls_the_list_by_the_criteria_of_the_plan(project):
    command("plan", "spring.toml")
    said = launch()
    pulled = pull_list(crmlab.open_dataset("small.toml"), ["days_since_last <= 300", "country in DE, FR"])
    people = open_memory().assignments("spring")
    assert sorted(people["customer_id"]) == pulled.frame["customer_id"].tolist() and len(people) > 60
    sent = pd.read_csv(Path("out/spring-email.csv"), dtype="str")
    assert list(sent.columns) == ["customer_id", "response_code", "offer", "creative"]
    assert set(sent["customer_id"]) == set(people.loc[people["cell_id"] == "spring-1", "customer_id"])
    # Every step at which somebody went is said, and it adds up.
    removed = pulled.ledger.loc[pulled.ledger["removed"] > 0]
    for step, count in zip(removed["step"], removed["removed"], strict=True):
        assert f"{count:,}  left out: {step[0].lower()}{step[1:]}" in said
    assert launch().startswith("spring was launched on")
    # The strata of the plan need not be among its criteria.
    by_country = (
        people.merge(pulled.frame[["customer_id", "country"]]).groupby("country")["cell_id"].value_counts(normalize=True)
    )
    assert by_country.loc["DE", "spring-1"] == pytest.approx(0.6, abs=0.02)


@pytest.mark.proof
def test_whoever_is_in_a_launched_campaign_is_left_alone(project):
    command("plan", "spring.toml")
    launch()
    Path("autumn.toml").write_text(PLAN.replace("spring", "autumn"))
    command("plan", "autumn.toml")
    said = launch("autumn")
    spring, autumn = open_memory().assignments("spring"), open_memory().assignments("autumn")
    sent = set(spring.loc[spring["cell_id"] == "spring-1", "customer_id"])
    assert not sent & set(autumn["customer_id"]) and "contacted within 14 days" in said
    # Their controls were sent nothing, and may be asked again.
    assert set(spring.loc[spring["cell_id"] == "spring-0", "customer_id"]) <= set(autumn["customer_id"])


def test_a_mailing_that_others_are_compared_with_is_sent_too(project):
    usual = 'name = "spring-0"\nshare = 0.4\noffer = "the usual"\ncreative = "plain"\n'
    Path("spring.toml").write_text(PLAN.replace('name = "spring-0"\nshare = 0.4\n', usual))
    command("plan", "spring.toml")
    launch()
    sent = pd.read_csv(Path("out/spring-email.csv"), dtype="str")
    assert sorted(sent["customer_id"]) == sorted(open_memory().assignments("spring")["customer_id"])
    assert set(sent["offer"]) == {"the usual", "10% off"} and sent["response_code"].nunique() == 2


def test_a_plan_without_any_control_is_sent_to_all(project):
    cells = PLAN.replace('\n[[cell]]\nname = "spring-0"\nshare = 0.4\n', "").replace("share = 0.6", "share = 1.0")
    cells = cells.replace('control = "spring-0"\noffer = "10% off"\n', "").replace("criteria", 'offer = "10% off"\ncriteria', 1)
    Path("spring.toml").write_text(cells)
    command("plan", "spring.toml")
    launch()
    sent = pd.read_csv(Path("out/spring-email.csv"), dtype="str")
    assert sorted(sent["customer_id"]) == sorted(open_memory().assignments("spring")["customer_id"])
    assert set(sent["offer"]) == {"10% off"} and sent["response_code"].notna().all()


def test_plan_may_say_more_of_its_list(project):
    more = 'contacted_within = 0\nseeds = ["C000001"]\none_per_household = false\nqualify = ["orders >= 2"]\n'
    Path("spring.toml").write_text(PLAN.replace('strata = "country"\n', more))
    command("plan", "spring.toml")
    launch()
    pulled = pull_list(crmlab.open_dataset("small.toml"), ["days_since_last <= 300", "country in DE, FR"], rules=ListRules(qualify="orders >= 2", contacted_within=0, seeds=["C000001"], one_per_household=False))  # fmt: skip
    assert sorted(open_memory().assignments("spring")["customer_id"]) == pulled.frame["customer_id"].tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("country in", "country like"), "cannot be read. Expected a column"),
        (("criteria = [", "criteria = [3, "), "criteria must be a list of texts"),
        (('strata = "country"', "contacted_within = -1"), "contacted_within must be a whole number of at least 0"),
        (('strata = "country"', 'seed = "C1"'), "unknown key 'seed' at the top. Did you mean 'seeds'?"),
    ],
)
def test_plan_refuses_rules_that_cannot_be_read(project, change, words):
    Path("spring.toml").write_text(PLAN.replace(*change))
    assert words in command("plan", "spring.toml", code=2)
    assert open_memory().headers() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("country in", "contry in"), "Did you mean 'country'"),
        (("days_since_last <= 300", "days_since_last < 0"), "at least one customer"),
        (('criteria = ["days_since_last <= 300", "country in DE, FR"]\n', ""), "or criteria = "),
    ],
)
def test_launch_without_a_list_says_why_and_writes_nothing(project, change, words):
    Path("spring.toml").write_text(PLAN.replace(*change))
    command("plan", "spring.toml")
    said = launch(code=2)
    assert words in said
    assert len(open_memory().headers()) == 1 and not Path("out").exists()
