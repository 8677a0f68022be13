"""Kind: one place says "No problems" of data of which another says that they are wrong.

`crmlab check` is asked first and believed; what it passes over in silence is found on a page later, or never. It says "No problems" where
the page says "Good", and nowhere else.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import crmlab
from crmlab.analyses import data_quality as quality
from crmlab.cli import checking, main
from crmlab.data.ledger import Breach
from tests.kinds.test_nothing_is_counted_twice import sales

CLEAN = sales(300).assign(ordered_at=[pd.Timestamp("2023-01-02 09:00") + pd.Timedelta(hours=8 * i) for i in range(300)])


def checked(path: Path) -> str:
    done = CliRunner().invoke(main, ["check", str(path)])
    assert done.exit_code == 0, done.output
    return done.output


def written(folder: Path, orders: pd.DataFrame, top: str = "", **more: pd.DataFrame) -> Path:
    text = f'currency = "EUR"\n{top}\n'
    for name, frame in {"orders": orders, **more}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        text += f'[{name}]\nfile = "{name}.csv"\n'
    path = folder / "own.toml"
    path.write_text(text)
    return path


def _changed(**columns) -> pd.DataFrame:
    frame = CLEAN.copy().astype({"ordered_at": str})
    for column, value in columns.items():
        frame.loc[7:9, column] = value
    return frame


FAULTS = {
    "far": _changed(ordered_at="9999-12-31"),
    "old": _changed(ordered_at="1970-01-01"),
    "twice": pd.concat([CLEAN, CLEAN[:30]]),
    "digits": _changed(customer_id="4.91765E+12"),
    "spelling": _changed(customer_id="C01"),
    "gap": CLEAN.assign(ordered_at=CLEAN["ordered_at"] + pd.to_timedelta([0] * 200 + [900] * 100, "D")),
    "all returns": _changed().assign(amount=-CLEAN["amount"]),
    "blanks": _changed().assign(customer_id=CLEAN["customer_id"].mask(CLEAN.index % 4 == 0)),
}
DROP = 'duplicates = "drop"'


@pytest.fixture(autouse=True)
def reports_are_not_asked(monkeypatch):
    """Which reports there can be takes long to say, and is not what these tests are about."""
    monkeypatch.setattr(checking, "_say_reports", lambda *_: (0, True))


@pytest.mark.proof
@pytest.mark.parametrize(("fault", "top"), [*((fault, "") for fault in (*FAULTS, "")), ("twice", DROP), ("far", DROP)])
def test_no_problems_is_said_where_the_page_says_good_and_nowhere_else(tmp_path, fault, top) -> None:
    path = written(tmp_path, FAULTS.get(fault, CLEAN), top)
    output = checked(path)
    page = quality.run(crmlab.open_dataset(path))
    assert (page.findings[0].value == "Good") == ("No problems." in output.splitlines()[-1])
    mended = fault in ("", "twice") and (not fault or "duplicates" in top)
    assert (page.findings[0].value == "Good") == mended
    if not mended:
        assert output.splitlines()[-1].startswith("1 open question: ")
        assert page.warnings
        assert page.warnings[0].split(".")[0][:40] in output


@pytest.mark.proof
def test_small_random_books_agree(tmp_path) -> None:
    """Any mixture: fewer days, a customers table of some, copies, far dates."""
    import numpy as np

    rng = np.random.default_rng(3)
    seen = set()
    for trial in range(10):
        folder = tmp_path / str(trial)
        folder.mkdir()
        orders = CLEAN[: rng.choice([40, 300, 300, 300])].astype({"ordered_at": str})
        if rng.uniform() < 0.3:
            orders = pd.concat([orders, orders[: int(rng.integers(1, 30))]])
        if rng.uniform() < 0.3:
            orders.iloc[0, 2] = "2150-03-03"
        more = {}
        if rng.uniform() < 0.4:
            ids = sorted(set(orders["customer_id"]))[int(rng.integers(0, 5)) :]
            more["customers"] = pd.DataFrame({"customer_id": ids, "country": "NL"})
        path = written(folder, orders, **more)
        good = quality.run(crmlab.open_dataset(path)).findings[0].value == "Good"
        assert good == ("No problems." in checked(path))
        seen.add(good)
    assert seen == {True, False}


def test_check_says_rows_money_an_example_and_what_to_write(tmp_path) -> None:
    output = checked(written(tmp_path, FAULTS["twice"]))
    assert "1 question:" in output
    assert (
        "  1. Orders counted once (orders): Some orders appear more than once, the same in every column, and are counted each time."
        in output
    )
    money = CLEAN["amount"][:30].sum()
    assert f"     30 of 330 orders (9.1%), €{money}; such as order_id o0000, customer_id c00" in output.replace(
        "\u202f", " "
    ).replace("\xa0", " ")
    assert 'write duplicates = "drop" at the top of the data set’s file' in output
    assert output.splitlines()[-1].startswith("1 open question: correct ")


def test_the_page_names_the_gravest_with_its_money(tmp_path) -> None:
    finding = quality.run(crmlab.open_dataset(written(tmp_path, FAULTS["twice"]))).findings[0]
    assert finding.value == "Usable with care"
    assert finding.text.startswith(
        "until it is known whether orders that appear more than once are one order or several. Some orders appear more than once, the same in every column, and are counted each time: 30 of 330 orders"
    )
    table = quality.run(crmlab.open_dataset(tmp_path / "own.toml")).tables["rules"].frame
    assert table.iloc[0][["rule", "grave", "broken", "amount"]].tolist() == [
        "Orders counted once",
        "serious",
        30,
        float(CLEAN["amount"][:30].sum()),
    ]


@pytest.mark.proof
def test_orders_after_today_are_told_by_check_and_by_no_page(tmp_path, monkeypatch) -> None:
    path = written(tmp_path, CLEAN)
    monkeypatch.setattr(checking, "_today", lambda _: dt.date(2023, 3, 20))
    output = checked(path)
    later = CLEAN[CLEAN["ordered_at"] >= "2023-03-21"]
    assert "Some orders are dated after today." in output
    assert f"{len(later)} of 300 orders" in output
    assert quality.run(crmlab.open_dataset(path)).findings[0].value == "Good"
    monkeypatch.setattr(checking, "_today", lambda _: CLEAN["ordered_at"].max().date())
    assert "No problems." in checked(path)


def test_doubts_that_nobody_answered_come_again(tmp_path) -> None:
    path = written(tmp_path, CLEAN)
    path.write_text(path.read_text() + "# unsure: 'amount' may be in cents.\n")
    output = checked(path)
    assert "  - 'amount' may be in cents." in output
    assert output.splitlines()[-1].startswith("1 open question: ")


def test_a_short_history_is_no_question_and_not_no_problems(tmp_path) -> None:
    output = checked(written(tmp_path, CLEAN[:40]))
    assert output.splitlines()[-1].startswith("No questions, but the history is only 14 days long. Next: crmlab run --data ")


def test_what_was_found_while_reading_counts(tmp_path, monkeypatch) -> None:
    """Breaches of reading are in the verdict, on the page and in what check says, as those of canonical tables are."""
    path = written(tmp_path, CLEAN)
    told = Breach(
        rule="Status",
        table="orders",
        says="The status 'on-hold' is neither kept nor dropped.",
        advice="Put 'on-hold' into keep or drop under [orders].",
        broken=12,
        checked=300,
        amount="480.0000",
        examples=({"order_id": "o1", "customer_id": "somebody@example.com"},),
    )
    opened = crmlab.open_dataset(path)
    object.__setattr__(opened, "breaches", (told,))
    monkeypatch.setattr("crmlab.data.dataset.open_dataset", lambda *_: opened)
    output = checked(path)
    assert "1. Status (orders): The status 'on-hold' is neither kept nor dropped." in output
    assert "     12 of 300 rows" in output
    assert "€480; such as order_id o1, customer_id (an e-mail address)" in output
    page = quality.run(opened)
    assert page.findings[0].value == "Usable with care"
    assert page.metrics["broken_status"].value == 12
    assert "on-hold" in page.warnings[0]
