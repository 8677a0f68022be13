"""Checks of campaigns: what makes results meaningless is an error, what weakens them a sentence with its number."""

from __future__ import annotations

import warnings
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from crmlab.analyses.campaigns.checks import CampaignFinding, check_campaigns, check_tables
from crmlab.data.dataset import open_dataset
from crmlab.errors import CampaignError

MONEY = pa.decimal128(18, 4)
SCHEMAS = {
    "cells": pa.schema(
        [(name, pa.string()) for name in ("campaign_id", "cell_id", "control_cell_id", "response_code")]
        + [("cost_per_contact", MONEY), ("fixed_cost", MONEY), ("planned_share", MONEY)]
        + [("opens_on", pa.date32()), ("closes_on", pa.date32())]
    ),
    "contacts": pa.schema(
        [
            ("customer_id", pa.string()),
            ("cell_id", pa.string()),
            ("contacted_at", pa.timestamp("us")),
            ("response_code", pa.string()),
        ]
    ),
    "responses": pa.schema(
        [
            ("customer_id", pa.string()),
            ("responded_at", pa.timestamp("us")),
            ("kind", pa.string()),
            ("response_code", pa.string()),
        ]
    ),
    "customers": pa.schema([("customer_id", pa.string()), ("contactable", pa.bool_())]),
}


def cells(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "campaign_id": ["a", "a", "a", "b", "b"],
            "cell_id": ["a0", "a1", "a2", "b0", "b1"],
            "control_cell_id": [None, "a0", "a0", None, "b0"],
            "response_code": [None, "AAA", "BBB", None, "CCC"],
            "cost_per_contact": [0.0, 0.5, 0.5, 0.0, 0.7],
            "fixed_cost": 0.0,
            "planned_share": [0.2, 0.4, 0.4, 0.5, 0.5],
            "opens_on": pd.Timestamp("2025-03-01").date(),
            "closes_on": pd.Timestamp("2025-03-31").date(),
        }
    ).astype(object)
    for name, values in changes.items():
        frame[name] = values
    for name in ("cost_per_contact", "fixed_cost", "planned_share"):
        frame[name] = pd.Series([None if pd.isna(value) else Decimal(str(value)) for value in frame[name]], dtype=object)
    return frame


CONTACTS = [(f"{cell}{i}", cell, "2025-03-02 08:00", code) for cell, code in
            (("a0", None), ("a1", "AAA"), ("a2", "BBB"), ("b0", None), ("b1", "CCC")) for i in range(3)]  # fmt: skip


def tables(contacts=(), responses=(), customers=(), **changes: object) -> dict[str, pa.Table]:
    rows = {
        "cells": cells(**changes),
        "contacts": pd.DataFrame([*CONTACTS, *contacts], columns=SCHEMAS["contacts"].names),
        "responses": pd.DataFrame(list(responses), columns=SCHEMAS["responses"].names),
        "customers": pd.DataFrame(list(customers), columns=SCHEMAS["customers"].names),
    }
    for name, column in (("contacts", "contacted_at"), ("responses", "responded_at")):
        rows[name][column] = pd.to_datetime(rows[name][column], format="ISO8601")
    return {name: pa.Table.from_pandas(frame, SCHEMAS[name], preserve_index=False) for name, frame in rows.items()}


def found(**changes: object) -> list[CampaignFinding]:
    return check_tables(**{name: ibis.memtable(table) for name, table in tables(**changes).items()})


def the(findings: list[CampaignFinding], check: str) -> CampaignFinding:
    (finding,) = [finding for finding in findings if finding.check == check]
    return finding


def test_sound_campaigns_have_no_findings():
    assert found(responses=[("a10", "2025-03-05 10:00", "order", "AAA"), ("zz", "2025-01-05 10:00", "order", None)]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control_cell_id": [None, "a1", "a0", None, "b0"]}, "Cell 'a1' is its own control"),
        ({"control_cell_id": [None, "a9", "a0", None, "b0"]}, "control of cell 'a1', 'a9', is not a cell of this campaign"),
        ({"control_cell_id": [None, "b0", "a0", None, "b0"]}, "'a1' must be of the same campaign, 'a'. Got 'b0' of 'b'"),
        ({"control_cell_id": [None, None, "a0", None, "b0"]}, "Cell 'a1' of 'a' has no control and is not the control of any"),
        ({"response_code": [None, "AAA", "AAA", None, "CCC"]}, "'AAA' is used twice.*a1, a2"),
        ({"response_code": [None, "AAA", "BBB", None, "AAA"]}, "'AAA' is used twice.*a1, b1"),
        ({"cell_id": ["a0", "a1", "a1", "b0", "b1"]}, "Cell 'a1' is there twice"),
        ({"cost_per_contact": [0, -0.5, 0.5, 0, 0.7]}, "'cost_per_contact' of cell 'a1' must be at least 0. Got -0.5"),
        ({"fixed_cost": [0, 0, 0, 0, -1]}, "'fixed_cost' of cell 'b1' must be at least 0"),
        (
            {"closes_on": pd.Timestamp("2025-02-28").date()},
            "window of cell 'a0' ends before it begins.*2025-03-01 and 2025-02-28",
        ),
    ],
)
def test_what_makes_results_meaningless_is_an_error(changes, words):
    with pytest.raises(CampaignError, match=words):
        found(**changes)


def test_a_control_of_others_needs_no_control_and_may_have_one():
    # a0 is compared with a1 as well: odd, and no reason to stop.
    assert found(control_cell_id=["a1", "a0", "a0", None, "b0"]) == []


def test_a_campaign_without_controls_is_said():
    finding = the(found(control_cell_id=[None, None, None, None, "b0"]), "no_control")
    assert (finding.count, finding.campaign) == (3, "a")
    assert finding.sentence == "The campaign “a” has no control: what its 3 cells caused cannot be told."


def test_shares_that_do_not_add_up_are_said():
    findings = found(planned_share=[0.2, 0.4, 0.3, 0.5, None])
    assert [(f.campaign, f.sentence) for f in findings] == [
        ("a", "The planned shares of “a” add up to 0.9, not to 1."),
        ("b", "The planned shares of “b” add up to 0.5, not to 1; 1 cell without one."),
    ]


def test_empty_cells_are_said():
    made = tables()
    made["contacts"] = made["contacts"].filter(pa.array([cell != "a2" for cell in made["contacts"]["cell_id"].to_pylist()]))
    finding = the(check_tables(**{name: ibis.memtable(table) for name, table in made.items()}), "empty_cell")
    assert (finding.count, finding.sentence) == (1, "1 cell of “a” without contacts: a2.")


def test_customers_in_two_cells_are_counted_once_and_leaks_among_them():
    more = [("a00", "a1", "2025-03-03", "AAA"), ("a10", "a2", "2025-03-03", "BBB"), ("a10", "a1", "2025-03-04", "AAA")]
    finding = the(found(contacts=more), "two_cells")
    assert (finding.count, finding.campaign) == (2, "a")
    assert finding.sentence == "2 customers are in two cells of “a”; 1 of them is a control who was contacted all the same."
    # Cells of two campaigns are no matter.
    assert found(contacts=[("a00", "b1", "2025-03-03", "CCC")]) == []


def test_contacts_of_unknown_cells_are_counted():
    finding = the(found(contacts=[("x", "zz", "2025-03-03", None)] * 2), "unknown_cell")
    assert finding.count == 2


def test_codes_of_other_cells_are_counted():
    findings = found(
        contacts=[("x", "a1", "2025-03-03", "BBB"), ("y", "a0", "2025-03-03", "AAA"), ("z", "a1", "2025-03-03", None)]
    )
    assert the(findings, "other_code").count == 2


def test_contacts_after_the_window_are_counted():
    findings = found(contacts=[("x", "a1", "2025-04-01 00:00", "AAA"), ("y", "a1", "2025-03-31 23:59", "AAA")])
    assert the(findings, "late_contact").sentence == "1 contact of “a” after its window had closed."


def test_contacts_of_people_who_may_not_be_contacted_are_counted():
    customers = [("a10", False), ("a00", False), ("a20", True), ("b10", None)]
    finding = the(found(customers=customers), "not_contactable")
    assert (finding.count, finding.campaign) == (1, "a")  # a control is not contacted


def test_responses_with_an_unknown_code_are_counted():
    said = [("a10", "2025-03-05", "order", "ZZZ"), ("a10", "2025-03-05", "order", "AAA"), ("a10", "2025-03-05", "order", None)]
    finding = the(found(responses=said), "unknown_code")
    assert finding.sentence == "1 response carries a code that belongs to no cell; it is matched by contact if there is one."


def test_responses_before_the_contact_are_counted():
    by_code = ("a10", "2025-03-02 07:59", "order", "AAA")
    without = ("a10", "2025-03-01 10:00", "open", None)
    fine = [
        ("a10", "2025-03-02 08:00", "order", "AAA"),
        ("a10", "2025-03-01 10:00", "order", None),
        ("zz", "2025-01-01", "order", "AAA"),
    ]
    early = [finding for finding in found(responses=[by_code, without, *fine]) if finding.check == "early_response"]
    assert [finding.count for finding in early] == [1, 1]


def test_tables_with_required_columns_only():
    made = tables()
    few = {
        "cells": made["cells"].select(["campaign_id", "cell_id", "control_cell_id"]),
        "contacts": made["contacts"].select(["customer_id", "cell_id", "contacted_at"]),
        "responses": made["responses"].select(["customer_id", "responded_at", "kind"]),
        "customers": made["customers"].select(["customer_id"]),
    }
    assert check_tables(**{name: ibis.memtable(table) for name, table in few.items()}) == []
    assert check_tables(ibis.memtable(few["cells"])) == []


@pytest.mark.proof
@pytest.mark.spark
def test_findings_are_the_same_on_both_engines(spark, tmp_path):
    import pyarrow.parquet as pq

    made = tables(
        contacts=[("a00", "a1", "2025-03-03", "BBB"), ("x", "zz", "2025-03-03", None), ("y", "b1", "2025-05-01", "CCC")],
        responses=[
            ("a10", "2025-03-05", "order", "ZZZ"),
            ("a10", "2025-03-01", "order", "AAA"),
            ("a11", "2025-03-01", "open", None),
        ],
        customers=[("a10", False)],
        planned_share=[0.2, 0.4, 0.3, 0.5, 0.5],
    )
    answers = []
    for engine in (ibis.duckdb.connect(), ibis.pyspark.connect(spark)):
        opened = {}
        for name, table in made.items():
            pq.write_table(table, tmp_path / f"{name}.parquet")
            opened[name] = engine.read_parquet(str(tmp_path / f"{name}.parquet"), table_name=f"checked_{name}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySpark asks Arrow and pandas for names that they are giving up
            answers.append(check_tables(**opened))
    assert answers[0] == answers[1]
    assert {finding.check for finding in answers[0]} == {
        "shares", "unknown_cell", "two_cells", "other_code", "late_contact", "not_contactable", "unknown_code", "early_response",
    }  # fmt: skip


def test_findings_of_the_shop_are_few():
    findings = check_campaigns(open_dataset("shop"))
    assert {finding.check for finding in findings} == {"two_cells", "unknown_code", "early_response"}
    assert sum(finding.count for finding in findings) < 100
