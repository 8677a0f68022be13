"""What customers cost and whom they brought stands beside their values, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.actions.declaring import Service
from crmlab.analyses.actions.people import people_of
from crmlab.analyses.actions.serving import beside_value
from crmlab.history.past import History

from .conftest import DAYS, customers, day, orders

CELLS = pd.DataFrame(
    {
        "campaign_id": "c",
        "cell_id": ["c-0", "c-1", "c-2"],
        "control_cell_id": [None, "c-0", "c-0"],
        "offer": [None, "news", "call"],
        "cost_per_contact": [None, 0.5, 3.0],
    }
)
CONTACTS = pd.DataFrame(
    [
        ("c100", "c-1", day(DAYS - 10)),
        ("c100", "c-1", day(DAYS - 40)),
        ("c100", "c-2", day(DAYS - 365)),  # the first day of the last twelve months
        ("c100", "c-2", day(DAYS - 366)),
        ("c101", "c-0", day(DAYS - 10)),  # a control
        ("c102", "c-2", day(DAYS + 5)),  # not known yet
    ],
    columns=["customer_id", "cell_id", "contacted_at"],
)


@pytest.fixture(scope="module")
def books():
    bought = orders(np.random.default_rng(1))
    back = [("c110", day(DAYS - 20), -12.5), ("c110", day(DAYS - 30), -2.5), ("c111", day(DAYS - 400), -9.0)]
    more = pd.DataFrame(back, columns=["customer_id", "ordered_at", "amount"])
    people = customers()
    cost = np.where(people["customer_id"] == "c103", 2.0, 10.0)
    by = {"c103": "c100", "c104": "c100", "c105": "c105", "c106": "nobody"}  # oneself and a stranger bring nobody
    return {
        "orders": pd.concat([bought, more.assign(order_id=[f"r{k}" for k in range(3)])], ignore_index=True),
        "customers": people.assign(referred_by=people["customer_id"].map(by), acquisition_cost=cost),
        "cells": CELLS,
        "contacts": CONTACTS,
    }


@pytest.mark.proof
def test_what_is_known_is_told_by_hand(world, books, tmp_path, nothing_remembered):
    history = History(world(tmp_path / "own", **books))
    people = people_of(history, [], margin=None, level=0.9, seed=0)
    found = beside_value(history, people, Service()).set_index("customer_id")
    assert list(found.columns) == ["cost_of_contacts", "returned", "referrals", "referral_value"]
    assert found.index.tolist() == people.ids.tolist()
    assert found["cost_of_contacts"][found["cost_of_contacts"] > 0].to_dict() == {"c100": 4.0}
    assert found["returned"][found["returned"] > 0].to_dict() == {"c110": 15.0}
    value = people.frame.set_index("customer_id")["value"]
    assert found["referrals"][found["referrals"] > 0].to_dict() == {"c100": 2}
    # Winning others cost 10 on average: one of the two cost 2, the other as much as all.
    assert found.loc["c100", "referral_value"] == pytest.approx(value["c103"] + value["c104"] + 8.0, abs=0.01)


@pytest.mark.proof
def test_what_is_not_known_is_not_there(world, studied, tmp_path, nothing_remembered):
    found = studied(world(tmp_path / "own"))
    assert list(found.beside.columns) == ["customer_id"]
    listed = found.outputs["decisions"].frame
    assert {"cost_of_contacts", "returned", "referrals"}.isdisjoint(listed.columns) and "potential" in listed.columns


@pytest.mark.proof
def test_returns_and_tickets_have_the_price_of_the_file(world, studied, books, tmp_path, nothing_remembered):
    kinds = ["complaint", "request", "complaint", "visit", "complaint"]
    said = pd.DataFrame(
        {
            "customer_id": ["c100", "c100", "c110", "c110", "c120"],
            "responded_at": [day(DAYS - 3), day(DAYS - 4), day(DAYS - 5), day(DAYS - 5), day(DAYS - 400)],
            "kind": kinds,
        }
    )
    more = "[service]\ncost_per_return = 4.5\ncost_per_ticket = 6\n"
    found = studied(world(tmp_path / "own", more, **books, responses=said)).outputs["decisions"].frame.set_index("customer_id")
    assert found["tickets"][found["tickets"] > 0].to_dict() == {
        "c100": 2,
        "c110": 1,
    }  # a visit is no ticket, and two years are too long ago
    assert found["cost_of_tickets"][found["cost_of_tickets"] > 0].to_dict() == {"c100": 12.0, "c110": 6.0}
    assert found["cost_of_returns"][found["cost_of_returns"] > 0].to_dict() == {"c110": 9.0}
    # Two contacts of .5 and one of 3, two tickets; two returns and a ticket.
    assert found["cost_to_serve"][found["cost_to_serve"] > 0].to_dict() == {"c100": 16.0, "c110": 15.0}
    order = list(found.columns)
    assert order.index("cost_of_tickets") < order.index("cost_to_serve") < order.index("referrals")
