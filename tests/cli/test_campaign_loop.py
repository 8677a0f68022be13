"""From a file of one's own to a campaign and back: plan, launch, later orders, results, and the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import crmlab
from crmlab.analyses.campaigns import results as subject
from crmlab.analyses.customers import customer_outputs
from crmlab.cli.commands import main
from crmlab.data.memory.campaigns import open_memory
from crmlab.history.follow_ups import open_requests
from crmlab.history.past import History
from tests.commands import campaign

ROOT = Path(__file__).parents[2]
PEOPLE = 400
PLAN = """
campaign = "spring"
salt = "a spring of our own"
criteria = ["days_since_last <= 300"]
channel = "email"
cost_per_contact = 0.03
opens_on = 2026-01-05
closes_on = 2026-01-31

[[cell]]
name = "none"
share = 0.5

[[cell]]
name = "ten"
control = "none"
share = 0.5
offer = "10% off"
discount = 0.1
"""


def buy(orders, who, day, amount=30.0):
    return pd.concat(
        [
            orders,
            pd.DataFrame(
                {"nr": [f"X{len(orders) + i}" for i in range(len(who))], "kunde": who, "datum": day, "betrag": amount}
            ),
        ]
    )


@pytest.fixture(scope="module")
def past():
    """Orders of 400 customers in 2025."""
    rng = np.random.default_rng(3)
    who = [f"K{i:04d}" for i in range(PEOPLE)] * 4
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, len(who)), unit="D")
    return pd.DataFrame(
        {"nr": [f"B{i}" for i in range(len(who))], "kunde": who, "datum": days.strftime("%Y-%m-%d"), "betrag": 25.0}
    )


@pytest.fixture
def project(tmp_path, monkeypatch, past):
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "spring.toml").write_text(PLAN)
    past.to_csv("orders.csv", index=False)
    done = CliRunner().invoke(main, ["new", "orders.csv"])
    assert done.exit_code == 0, done.output
    return tmp_path


def command(*arguments, code=0):
    return campaign(*arguments, code=code).replace("\u202f", " ")


def launched(past):
    """Launch, then let every second of those who got a letter and every fourth of the others buy."""
    command("plan", "spring.toml", "--data", "orders")
    command("launch", "spring", "--consent-not-known")
    people = open_memory().assignments("spring")
    ten, none = (sorted(people.loc[people["cell_id"] == cell, "customer_id"]) for cell in ("ten", "none"))
    orders = buy(buy(past, ten[::2], "2026-01-10"), none[::4], "2026-01-12", 31.0)
    orders.to_csv("orders.csv", index=False)
    return orders, ten, none


@pytest.mark.proof
def test_results_speak_and_say_what_is_new(project, past):
    orders, ten, none = launched(past)
    said = command("results", "spring")
    share = f"{100 * len(ten[::2]) / len(ten):.1f}% of {len(ten)} customers bought, against {100 * len(none[::4]) / len(none):.1f}% of {len(none)} in none."
    assert said.startswith("Look 1 at spring:\nOrders of 'orders' up to 12 January 2026.")
    assert f"ten (10% off, email): {share}" in said and "8 of 27 days are over" in said
    assert "Verdict: more bought because of it. More was spent because of it." in said
    # Without a margin nothing is called profit.
    assert "more revenue than control" in said and "profit" not in said and "earned more" not in said and "margin = 0.4" in said
    again = command("results", "spring")
    assert again.startswith("Look 1 at spring (as before):")
    assert (
        "There are no new responses since look 1 (12 January 2026): 'orders' goes up to 12 January 2026, as it did then."
        in again
    )
    # One of each cell for the first time, one again; and somebody who is in no cell.
    orders = buy(orders, [ten[1], ten[0], none[1]], "2026-01-20")
    orders.to_csv("orders.csv", index=False)
    assert "2 responses are new since look 1 (12 January 2026): none +1, ten +1." in command("results", "spring")
    buy(orders, [ten[3]], "2026-02-20").to_csv("orders.csv", index=False)
    assert "nobody in these cells has bought for the first time since" in command("results", "spring")
    assert "the window closed on 31 January 2026, and nothing later counts" in command("results", "spring")
    assert len(open_memory().headers("spring", "results")) == 3
    assert set(open_memory().results("spring")["data"]) == {"orders"}
    with_margin = (project / "data" / "orders.toml").read_text().replace("# margin = 0.4", "margin = 0.4")
    (project / "data" / "orders.toml").write_text(with_margin)
    said = command("results", "spring")
    assert (
        "more profit after costs than control" in said and "margin = 0.4" not in said and "It earned more than it cost." in said
    )


@pytest.mark.proof
def test_the_report_and_the_command_say_the_same(project, past):
    launched(past)
    found = subject.run(crmlab.open_dataset("orders"))
    assert found.context.dataset == "orders"
    command("results", "spring")
    told = open_memory().results("spring").set_index("metric")
    shown = found.outputs["comparisons"].frame.set_index("metric")
    for metric in ("response", "spend"):
        for column in ("n", "estimate", "low", "high"):
            assert told.loc[metric, column] == pytest.approx(shown.loc[metric, column], rel=1e-12), (metric, column)


@pytest.mark.proof
def test_whoever_asked_for_it_in_a_response_is_to_be_contacted_again(project, past):
    _, ten, _ = launched(past)
    rows = [f"{ten[1]},2026-01-10,request,2026-01-12", f"{ten[2]},2026-01-10,request,2026-03-01", f"{ten[3]},2026-01-11,click,"]
    Path("calls.csv").write_text("customer_id,responded_at,kind,follow_up_at\n" + "\n".join(rows) + "\n")
    assert "3 responses to spring added." in command("responses", "spring", "calls.csv")
    history = History(crmlab.open_dataset("orders"))
    found = open_requests(history).set_index("customer_id")["day"].dt.strftime("%Y-%m-%d").to_dict()
    assert found == {ten[1]: "2026-01-12", ten[2]: "2026-03-01"}
    told = customer_outputs(history, needed=["follow_up"]).set_index("customer_id")["follow_up"]
    assert (told[ten[1]], told[ten[2]], told[ten[3]]) == ("due", "later", "none")
    Path("calls.csv").write_text(f"customer_id,responded_at,follow_up_at\n{ten[5]},2026-01-10,2026-02-01\n")
    assert "1 response to spring added." in command("responses", "spring", "calls.csv")
    assert open_memory().responses("spring").set_index("customer_id").loc[ten[5], "kind"] == "request"
    Path("calls.csv").write_text(f"customer_id,responded_at,follow_up_at\n{ten[1]},2026-01-10,in spring\n")
    assert "follow_up_at of calls.csv, line 2 must be a day such as 2026-03-01, or empty. Got 'in spring'" in command(
        "responses", "spring", "calls.csv", code=2
    )


@pytest.mark.proof
def test_recorded_responses_count_where_controls_could_give_them_too(project, past):
    _, ten, none = launched(past)
    command("results", "spring")
    rows = [f"{who},2026-01-1{i % 3},order" for i, who in enumerate(ten[1:11:2])]
    Path("calls.csv").write_text("customer_id,responded_at,kind\n" + "\n".join([*rows, "K9999,2026-01-10,order"]) + "\n")
    said = command("responses", "spring", "calls.csv")
    assert "5 responses to spring added." in said and "1 row is of somebody who is not in the campaign: left out." in said
    assert "0 responses to spring added; 5 were there already." in command("responses", "spring", "calls.csv")
    said = command("results", "spring")
    assert (
        f"{100 * len(ten[::2]) / len(ten):.1f}%" in said
        and "5 people have answered, and nobody in a control: that is not a gain" in said
    )
    assert "5 recorded responses are new since look 1 (12 January 2026); what counts is as it was." in said
    # One of a control, one that was known, one before the window.
    Path("more.csv").write_text(
        f"customer_id,responded_at\n{none[1]},2026-01-11T10:00:00+01:00\n{none[2]},2026-01-04\n"
        + rows[0].rsplit(",", 1)[0]
        + "\n"
    )
    assert "2 responses to spring added; 1 was there already" in command("responses", "spring", "more.csv")
    said = command("results", "spring")
    assert f"{100 * (len(ten[::2]) + 5) / len(ten):.1f}% of {len(ten)}" in said
    assert f"{100 * (len(none[::4]) + 1) / len(none):.1f}% of {len(none)}" in said
    assert "they count as having bought. Amounts are those of the orders alone." in said and "none +1, ten +5" in said
    assert any("they count as having bought" in one for one in subject.run(crmlab.open_dataset("orders")).warnings)
    command("results", "spring", "--close")
    assert "Expected no further responses" in command("responses", "spring", "more.csv", code=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("who,when\nK0001,2026-01-10\n", ["missing column 'customer_id'. Found: who, when", "missing column 'responded_at'"]),
        (
            "customer_id,responded_at,kind\nK0001,soon,order\nK0002,2026-01-10,bought\nK0003,2026-13-01,order\n",
            [
                "responded_at of calls.csv, line 2 must be a day or time such as 2026-03-01 or 2026-03-01 14:30. Got 'soon' instead. So is 1 more.",
                "kind of calls.csv, line 3 must be one of open, click, visit, order, complaint, request. Got 'bought' instead.",
            ],
        ),
    ],
)
def test_a_file_of_responses_is_checked_whole(project, past, text, words):
    launched(past)
    Path("calls.csv").write_text(text)
    said = command("responses", "spring", "calls.csv", code=2)
    assert all(one in said for one in words) and said.count("\n") == len(words)
    assert not open_memory().headers("spring", "responses")
    assert "no campaign 'autumn'" in command("responses", "autumn", "calls.csv", code=2)
    Path("calls.csv").unlink()
    assert "calls.csv cannot be read. No such file" in command("responses", "spring", "calls.csv", code=2)


def test_responses_of_nobody_on_the_list_are_refused_in_words(project, past):
    launched(past)
    Path("calls.csv").write_text("customer_id,responded_at\nK9999,2026-01-10\n")
    said = command("responses", "spring", "calls.csv", code=2)
    assert "None of the customers in calls.csv is in the campaign 'spring'." in said and "missing column" not in said
    Path("calls.csv").write_text("customer_id,responded_at\n")
    assert "calls.csv has no rows." in command("responses", "spring", "calls.csv", code=2)
    assert not open_memory().headers("spring", "responses")


@pytest.mark.proof
def test_a_plan_can_be_withdrawn_and_a_launched_campaign_cannot(project, past):
    assert "no campaign 'spring'" in command("withdraw", "spring", code=2)
    command("plan", "spring.toml")
    assert command("withdraw", "spring", "--note", "too dear").startswith("spring was withdrawn on ")
    command("withdraw", "spring")
    assert [one.kind for one in open_memory().headers("spring")] == ["planned", "withdrawn"]
    assert "withdrawn" in command("history")
    for refused in (("plan", "spring.toml"), ("launch", "spring", "--data", "orders", "--consent-not-known")):
        assert "'spring' was withdrawn on" in command(*refused, code=2)
    Path("spring.toml").write_text(PLAN.replace('"spring"', '"summer"'))
    command("plan", "spring.toml")
    command("launch", "summer", "--data", "orders", "--consent-not-known")
    said = command("withdraw", "summer", code=2)
    assert "can no longer be withdrawn" in said and "--close" in said


def test_launching_asks_where_nothing_says_who_may_be_contacted(project, past):
    command("plan", "spring.toml")
    said = command("launch", "spring", "--data", "orders", code=2)
    assert "may be contacted is not known" in said and "launch with --consent-not-known" in said
    assert not open_memory().headers("spring", "launched") and not (project / "data" / "private" / "lists").exists()
    # A list that says so is enough; who says no is left out, and who says nothing is told of.
    flags = ["yes", "no", ""]
    lines = [f"K{i:04d},{flags[i % 3]}" for i in range(300)]
    Path("list.csv").write_text("customer_id,contactable\n" + "\n".join(lines) + "\n")
    said = command("launch", "spring", "--data", "orders", "--list", "list.csv")
    assert "100  left out: may not be contacted" in said and "Of 100 people on the list it is not known" in said
    assert all(int(who[1:]) % 3 != 1 for who in open_memory().assignments("spring")["customer_id"])
    command("launch", "spring", "--data", "orders")  # again: nothing is asked twice


@pytest.mark.proof
def test_another_data_set_is_refused(project, past, monkeypatch):
    launched(past)
    past.assign(kunde="Z" + past["kunde"]).to_csv("theirs.csv", index=False)
    assert CliRunner().invoke(main, ["new", "theirs.csv"]).exit_code == 0
    said = command("results", "spring", "--data", "theirs", code=2)
    assert "'theirs' knows nobody who is in the campaign 'spring'. Expected orders that it was launched from" in said


@pytest.mark.proof
def test_a_launched_campaign_becomes_a_page(project, past):
    shutil.copy(ROOT / "notebooks" / "campaign_results.ipynb", project / "notebooks")
    launched(past)

    def run():
        done = CliRunner().invoke(main, ["run", "campaign_results", "--data", "orders"])
        assert done.exit_code == 0, done.output
        return done.output

    assert "done" in run() and "up to date" in run()
    page = project / "reports" / "orders" / "campaign_results" / "report.html"
    text = page.read_text()
    assert "spring" in text and "more of the people contacted than of the " in text
    Path("calls.csv").write_text(
        f"customer_id,responded_at\n{open_memory().assignments('spring')['customer_id'].iloc[0]},2026-01-11\n"
    )
    command("responses", "spring", "calls.csv")
    assert "done" in run() and "By recorded responses" in page.read_text()
