"""Rules of campaigns: who is in two cells, and codes of no cell, in the report on data and where results are read alike."""

from __future__ import annotations

import datetime as dt

import pandas as pd

import crmlab
from crmlab.analyses.campaigns.checks import check_campaigns
from crmlab.data.rules import examined

DAY = dt.datetime(2024, 5, 2)
ORDERS = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"], "ordered_at": [DAY, DAY], "amount": [10.0, 12.0]})
CELLS = pd.DataFrame(
    {
        "campaign_id": ["may", "may", "june"],
        "cell_id": ["m1", "m0", "j1"],
        "control_cell_id": ["m0", None, None],
        "response_code": ["AAA", None, "BBB"],
        "opens_on": [dt.date(2024, 5, 1)] * 3,
        "closes_on": [dt.date(2024, 5, 31)] * 3,
    }
)
CONTACTS = pd.DataFrame(
    # a is in both cells of May and is no fault in June; b is contacted twice in one cell; the cell "gone" is in no table.
    {
        "customer_id": ["a", "a", "a", "b", "b", "b"],
        "cell_id": ["m1", "m0", "j1", "m1", "m1", "gone"],
        "contacted_at": [DAY, DAY, DAY, DAY, DAY + dt.timedelta(days=1), DAY],
    }
)
RESPONSES = pd.DataFrame(
    {
        "customer_id": ["a", "b", "b"],
        "kind": ["order"] * 3,
        "responded_at": [DAY + dt.timedelta(days=k) for k in (1, 2, 3)],
        "response_code": ["AAA", "AAB", None],
    }
)


def broken_of(tables):
    found = examined(crmlab.open_dataset(tables))
    return {one.rule: one for one in found if one.rule in ("One cell per customer", "Known codes")}


def test_who_is_in_two_cells_and_codes_of_no_cell_are_told():
    tables = {"orders": ORDERS, "cells": CELLS, "contacts": CONTACTS, "responses": RESPONSES}
    found = broken_of(tables)
    two, codes = found["One cell per customer"], found["Known codes"]
    assert (two.broken, two.checked, two.unit, two.grave) == (1, 3, "assignments", False)
    assert two.examples == ({"campaign_id": "may", "customer_id": "a"},)
    assert (codes.broken, codes.checked) == (1, 2) and codes.examples[0]["response_code"] == "AAB"
    counts = {one.check: one.count for one in check_campaigns(crmlab.open_dataset(tables))}
    assert (counts["two_cells"], counts["unknown_code"]) == (1, 1)


def test_without_codes_there_is_nothing_to_break():
    tables = {"orders": ORDERS, "cells": CELLS.drop(columns="response_code"), "contacts": CONTACTS.iloc[[0, 3]]}
    found = broken_of(tables | {"responses": RESPONSES})
    assert found["One cell per customer"].broken == 0 and "Known codes" not in found
