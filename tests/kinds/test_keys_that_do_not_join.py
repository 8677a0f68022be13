"""Kind: two tables name the same things in two ways, and do not join.

Not one of the customers who ordered is in the customers table: consent, households and margins are then unknown of everybody, and reports
are made all the same.
"""

from __future__ import annotations

import pandas as pd
import pytest

from crmlab.data.dataset import open_dataset
from crmlab.data.rules import examined
from tests.kinds.test_ids_that_are_not_what_they_were import found
from tests.kinds.test_nothing_is_counted_twice import book, items, sales

IDS = sorted({f"c{i * 7 % 90:02}" for i in range(400)})


def customers(ids):
    return pd.DataFrame({"customer_id": ids, "country": "NL"})


@pytest.mark.proof
def test_some_customers_are_missing(tmp_path) -> None:
    breach = found(book(tmp_path, orders=sales(), customers=customers(IDS[9:])), "Known customers")
    assert (breach.broken, breach.checked, breach.grave) == (9, 90, True)
    orders = sales()
    assert float(breach.amount) == orders.loc[orders["customer_id"].isin(IDS[:9]), "amount"].sum()
    one = found(book(tmp_path, orders=sales(4000), customers=customers(IDS)), "Known customers")
    assert one.broken == 0


def test_not_one_joins(tmp_path) -> None:
    breach = found(book(tmp_path, orders=sales(9), customers=customers([f"K-{i}" for i in range(9)])), "Known customers")
    assert (breach.broken, breach.checked, breach.share, breach.grave) == (9, 9, 1, True)
    assert breach.says == "No customer_id in orders is found in customers: the two tables do not match."
    assert breach.examples == ({"customer_id in orders": "c00", "customer_id in customers": "K-0"},)


def test_ids_that_would_join_in_one_spelling_are_told(tmp_path) -> None:
    breach = found(book(tmp_path, orders=sales(), customers=customers([one.upper() for one in IDS])), "Known customers")
    assert breach.share == 1
    assert 'ids = "fold"' in breach.advice


@pytest.mark.proof
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_products(tmp_path, share) -> None:
    lines = items()
    ids = sorted(lines["product_id"].unique())
    kept = ids[: int(share * len(ids))] or ["other"]
    data = book(tmp_path, order_lines=lines, products=pd.DataFrame({"product_id": kept, "name": "x"}))
    breach = found(data, "Known products")
    assert (breach.broken, breach.checked) == (len(ids) - len(kept) * (share > 0), len(ids))
    assert ("do not match" in breach.says) == (share == 0)
    assert float(breach.amount) == lines.loc[~lines["product_id"].isin(kept), "amount"].sum()


def test_lines_and_orders(tmp_path) -> None:
    lines = items().assign(order_id=lambda t: "#" + t["order_id"])
    breach = found(book(tmp_path, orders=sales(), order_lines=lines), "Lines of known orders")
    assert (breach.broken, breach.checked, breach.grave) == (400, 400, True)
    assert breach.examples == ({"order_id in order lines": "#o0000", "order_id in orders": "o0000"},)


@pytest.mark.proof
def test_contacts_and_responses(tmp_path) -> None:
    cells = pd.DataFrame({"campaign_id": "m", "cell_id": ["k", "0"], "control_cell_id": ["0", None]})
    contacts = pd.DataFrame({"customer_id": ["1", "2", "3"], "cell_id": ["k", "0", "x"], "contacted_at": "2024-02-01"})
    responses = pd.DataFrame({"customer_id": ["1", "c00"], "responded_at": "2024-02-03", "kind": ["click", "visit"]})
    data = book(tmp_path, orders=sales(), customers=customers(IDS), cells=cells, contacts=contacts, responses=responses)
    for name, broken, checked in (
        ("Contacted customers", 3, 3),
        ("Contacts who order", 3, 3),
        ("Known cells", 1, 3),
        ("Responding customers", 1, 2),
    ):
        breach = found(data, name)
        assert (breach.broken, breach.checked, breach.grave) == (broken, checked, True), name
    mixed = book(tmp_path, orders=sales(), cells=cells, contacts=contacts.assign(customer_id=["1", "2", "c00"]))
    assert found(mixed, "Contacts who order").broken == 0


def test_lines_of_orders_that_are_ignored_as_free_are_not_missing(tmp_path) -> None:
    text = "order_id,customer_id,ordered_at,product_id,quantity,amount\n1,a,2024-01-02,p,1,10\n2,b,2024-01-03,p,1,0\n3,a,2024-02-01,p,1,5\n"
    (tmp_path / "lines.csv").write_text(text)
    (tmp_path / "own.toml").write_text('title = "Own"\nfree_orders = "ignore"\n[order_lines]\nfile = "lines.csv"\n')
    data = open_dataset(tmp_path / "own.toml")
    assert data.orders.count().execute() == 2 and data.order_lines.count().execute() == 3
    (breach,) = [one for one in examined(data) if one.rule == "Lines of known orders"]
    assert (breach.broken, breach.checked) == (0, 3)
