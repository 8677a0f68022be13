"""Kind: what is loaded twice is counted twice.

A copy of a file beside it doubles revenue, and every customer buys twice as often; responses that are loaded again double a campaign's
success. Nothing looks wrong about a single row.
"""

from __future__ import annotations

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.data_quality import verdict
from crmlab.data.rules import examined
from crmlab.history.past import History

CELLS = "campaign_id,cell_id,control_cell_id\nm,k,0\nm,0,\n"


def book(folder, **tables):
    """A data set of frames."""
    text = ""
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        text += f'[{name}]\nfile = "{name}.csv"\n'
    (folder / "own.toml").write_text(f'currency = "EUR"\n{text}')
    return crmlab.open_dataset(folder / "own.toml")


def sales(count=400):
    day = pd.Timestamp("2024-01-01 09:00")
    moments = [day + pd.Timedelta(minutes=397 * i) for i in range(count)]
    return pd.DataFrame(
        {
            "order_id": [f"o{i:04}" for i in range(count)],
            "customer_id": [f"c{i * 7 % 90:02}" for i in range(count)],
            "ordered_at": moments,
            "amount": [10 + i % 13 for i in range(count)],
        }
    )


def items(count=400):
    """Two lines an order."""
    lines = sales(count).loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
    lines["product_id"] = [f"p{i % 2}{i % 5}" for i in range(len(lines))]
    lines["quantity"] = 1
    return lines


def found(data, name):
    return {one.rule: one for one in examined(data)}[name]


@pytest.mark.proof
def test_orders_that_stand_twice_are_grave_with_their_money(tmp_path) -> None:
    once = sales()
    data = book(tmp_path, orders=pd.concat([once, once[100:150]]))
    breach = found(data, "Orders counted once")
    assert (breach.broken, breach.checked, breach.grave) == (50, 450, True)
    assert float(breach.amount) == once["amount"][100:150].sum()
    assert breach.examples[0]["order_id"] == "o0100"
    assert 'duplicates = "drop"' in breach.advice
    judged, _ = verdict(History(data))
    assert judged.words == "Usable with care"
    # What the advice says mends it.
    (tmp_path / "own.toml").write_text('duplicates = "drop"\n[orders]\nfile = "orders.csv"\n')
    mended = crmlab.open_dataset(tmp_path / "own.toml")
    assert found(mended, "Orders counted once").broken == 0
    assert float(mended.orders["amount"].sum().execute()) == once["amount"].sum()


def test_three_copies_are_two_too_many(tmp_path) -> None:
    once = sales(100)
    breach = found(book(tmp_path, orders=pd.concat([once, once, once])), "Orders counted once")
    assert (breach.broken, float(breach.amount)) == (200, 2 * once["amount"].sum())


def test_one_id_with_another_content_is_no_copy(tmp_path) -> None:
    once = sales(100)
    data = book(tmp_path, orders=pd.concat([once, once[:5].assign(amount=99)]))
    assert found(data, "Orders counted once").broken == 0
    assert (found(data, "One row per order").broken, found(data, "One row per order").grave) == (5, False)


def test_orders_that_stand_twice_with_all_their_lines(tmp_path) -> None:
    once = items()
    data = book(tmp_path, order_lines=pd.concat([once, once[:60]]))
    breach = found(data, "Lines counted once")
    assert (breach.broken, breach.checked, breach.grave) == (30, 400, True)
    assert float(breach.amount) == once["amount"][:60].sum()


@pytest.mark.proof
def test_two_pieces_on_two_lines_are_no_copy(tmp_path) -> None:
    """A till writes a line for each piece; so does one order among many whose only line is there twice."""
    once = items()
    data = book(tmp_path, order_lines=pd.concat([once, once[::20], once[5:6]]))
    assert found(data, "Lines counted once").broken == 0
    assert (found(data, "Duplicates").broken, found(data, "Duplicates").grave) == (40 + 1, False)
    single = items().drop_duplicates("order_id")
    few = found(book(tmp_path, order_lines=pd.concat([single, single[:8]])), "Lines counted once")
    assert (few.broken, few.grave) == (8, False)
    many = found(book(tmp_path, order_lines=pd.concat([single, single[:80]])), "Lines counted once")
    assert (many.broken, many.grave) == (80, True)


@pytest.mark.parametrize(("again", "grave"), [(400, True), (40, True), (4, False)])
def test_blocks_under_other_ids_are_asked_about(tmp_path, again, grave) -> None:
    once = sales()
    copy = once[:again].assign(order_id=lambda t: "x" + t["order_id"])
    breach = found(book(tmp_path, orders=pd.concat([once, copy])), "Repeated orders")
    assert (breach.broken, breach.grave) == (again, grave)
    assert float(breach.amount) == copy["amount"].sum()


def test_rows_without_an_id_that_come_again_are_asked_about(tmp_path) -> None:
    once = sales().drop(columns="order_id")
    assert found(book(tmp_path, orders=pd.concat([once, once])), "Repeated orders").grave


def test_two_coffees_a_day_are_no_copy(tmp_path) -> None:
    """Days without a clock, two prices, and people who come several times a day."""
    rows = [(f"{i}", f"c{i % 25}", f"2024-01-{1 + i // 75:02}", 3 if i * i % 7 < 4 else 4) for i in range(1500)]
    breach = found(book(tmp_path, orders=pd.DataFrame(rows, columns=sales(1).columns)), "Repeated orders")
    assert breach.share > 0.05
    assert not breach.grave


@pytest.mark.proof
def test_responses_and_contacts_that_are_loaded_twice(tmp_path) -> None:
    (tmp_path / "cells.csv").write_text(CELLS)
    cells = pd.read_csv(tmp_path / "cells.csv", dtype=str)
    contacts = pd.DataFrame(
        {"customer_id": [f"c{i:02}" for i in range(40)], "cell_id": ["k", "0"] * 20, "contacted_at": "2024-02-01"}
    )
    responses = pd.DataFrame(
        {
            "customer_id": [f"c{i:02}" for i in range(10)],
            "responded_at": [f"2024-02-0{1 + i % 8} 10:0{i}" for i in range(10)],
            "kind": "click",
        }
    )
    data = book(
        tmp_path,
        orders=sales(),
        cells=cells,
        contacts=pd.concat([contacts, contacts]),
        responses=pd.concat([responses, responses]),
    )
    for name, count in (("Contacts counted once", 40), ("Responses counted once", 10)):
        breach = found(data, name)
        assert (breach.broken, breach.checked, breach.grave) == (count, 2 * count, True)
    clean = book(tmp_path, orders=sales(), cells=cells, contacts=contacts, responses=responses)
    assert not [one for one in examined(clean) if one.grave and one.broken]
