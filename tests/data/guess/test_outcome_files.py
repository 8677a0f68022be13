"""`crmlab new` knows a test in one file when it sees one."""

import random
from pathlib import Path

import pytest

from crmlab.data.guess import look, to_toml


def guessed(folder: Path, header: str, row) -> object:
    draw = random.Random(1)
    lines = [header, *(",".join(map(str, row(k, draw))) for k in range(300))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return look(folder / "t.csv")


def test_cells_outcomes_and_what_was_known_before_are_told_apart(tmp_path):
    found = guessed(
        tmp_path,
        "customer,segment,history,visit,spend,unsubscribed",
        lambda k, draw: (
            *(k, draw.choice(["Mens E-Mail", "No E-Mail"]), round(draw.random() * 90, 2)),
            *(draw.choice([0, 1]), round(draw.random() * 9, 2), draw.choice(["yes", "no"])),
        ),
    )
    assert found.table == "test"
    assert dict(found.columns) == {"unit": "customer", "cell": "segment"}
    assert found.options["control"] == "No E-Mail"
    assert found.options["covariates"] == ["history"]
    assert found.options["outcomes"] == {
        "visit": "rate",
        "spend": "money",
        "unsubscribed": {"kind": "rate", "direction": "down"},
    }
    assert 'outcomes = {visit = "rate", spend = "money", unsubscribed = {kind = "rate", direction = "down"}}' in to_toml(found)


def test_cells_may_be_called_none_and_na(tmp_path):
    found = guessed(
        tmp_path, "voter,grp,voted", lambda k, draw: (k, draw.choice(["none", "NA", "phone"]), draw.choice(["yes", "no"]))
    )
    assert (found.table, found.options["control"], found.columns["unit"]) == ("test", "none", "voter")


@pytest.mark.parametrize(
    "control", ["témoin", "groupe témoin", "grupo de control", "Control_Group", "control_v1", "Kontrollgruppe", "kein Brief"]
)
def test_a_control_is_known_by_its_name(tmp_path, control):
    found = guessed(
        tmp_path, "user,variant,clicks", lambda k, draw: (k, draw.choice(["new", "new", control]), draw.randint(0, 9))
    )
    assert found.options["control"] == control


def test_a_column_called_cell_age_blanks_and_whole_numbers_are_what_they_are(tmp_path):
    found = guessed(
        tmp_path,
        "id,cell,age,gifts,bought,spend",
        lambda k, draw: (
            *(k, draw.choice(["x", "control"]), draw.randint(20, 80), draw.randint(0, 3)),
            *(draw.choice(["yes", ""]), draw.choice(["", "9.50", "12.25"])),
        ),
    )
    assert (found.table, found.columns["cell"], found.options["covariates"]) == ("test", "cell", ["age"])
    assert found.options["outcomes"] == {"gifts": "mean", "bought": "rate", "spend": "money"}
    assert found.options["blanks"] == "zero"
    assert any("Some rows have nothing in 'bought', 'spend'" in doubt for doubt in found.doubts)


def test_a_date_of_each_customer_makes_no_orders(tmp_path):
    found = guessed(
        tmp_path,
        "user,signed_up,treated,converted",
        lambda k, draw: (k, f"2023-0{k % 9 + 1}-11", draw.choice([0, 1]), draw.choice(["0.0", "1.0"])),
    )
    assert (found.table, found.options["control"], found.options["outcomes"]) == ("test", "0", {"converted": "rate"})


def test_of_cells_none_of_which_reads_like_a_control_one_is_asked_for(tmp_path):
    found = guessed(
        tmp_path, "user,variant,clicks", lambda k, draw: (k, draw.choice(["red", "blue", "blue"]), draw.randint(0, 9))
    )
    assert found.options["control"] == "blue"
    assert any("Which cell is the control is a guess; the cells are 'blue', 'red'." in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "customer,date,amount,segment",
            lambda k, draw: (k, f"2024-01-{k % 28 + 1:02d}", k + 0.5, draw.choice(["a", "control"])),
        ),
        ("customer,segment,city", lambda k, draw: (k, draw.choice(["gold", "silver"]), draw.choice(["Bonn", "Ulm"]))),
        ("customer,segment,spend", lambda k, draw: (k, draw.choice(["gold", "silver"]), k + 0.5)),
    ],
)
def test_what_has_dates_or_no_cells_is_none(tmp_path, header, row):
    assert guessed(tmp_path, header, row).table != "test"
