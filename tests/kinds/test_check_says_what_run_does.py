"""Kind: a "yes" of ``crmlab check`` before a run that skips or fails. Who reads it waits for a report that cannot come.

What a run would raise is asked beforehand, of the same functions: so both say the same, in the same sentence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.errors import CrmlabError
from crmlab.history.past import History
from crmlab.report.jobs import Order, plan_jobs
from crmlab.report.registry import analysis, readiness_of


def book(n=400, customers=80, days=500, seed=1):
    """Orders of a shop, with ids, days and amounts by chance."""
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, days, n), "D")
    people = [f"c{k:03d}" for k in rng.integers(0, customers, n)]
    return pd.DataFrame(
        {"order_id": range(n), "customer_id": people, "ordered_at": day, "amount": rng.gamma(2, 20, n).round(2)}
    )


def lines(frame, items):
    return frame.assign(product_id=[f"p{k % items}" for k in range(len(frame))], quantity=1)


FEW = pd.DataFrame(
    {"order_id": [1, 2, 3], "customer_id": ["a", "b", "a"], "ordered_at": ["2023-01-01", "2023-01-02", "2023-01-10"], "amount": [5, 6, 7]}
)  # fmt: skip
BOOKS = {
    "three orders": FEW,
    "one order": FEW.head(1),
    "one customer": book(60).assign(customer_id="a").drop_duplicates("ordered_at"),
    "one purchase each": book(120).assign(customer_id=[f"c{k}" for k in range(120)]),
    "all returns": book(60).assign(amount=-5.0),
    "all free": book(60).assign(amount=0.0),
    "one day": book(60).assign(ordered_at="2024-03-01"),
    "one item": lines(book(60, 20), 1),
    "two weeks": book(120, 30, 14),
    "everybody stays": pd.concat(
        [book(1).assign(customer_id=f"c{k}", ordered_at=day) for k in range(6) for day in pd.date_range("2023-01-01", periods=60, freq="7D")]
    ).assign(order_id=range(360)),
}  # fmt: skip
SLOW = ("one item", "usual")  # every report is made of them
# A fit takes seconds: it is run for the books that say something else about it.
FITTED = ("customer_value", "churn", "triggers", "scorecard")


def opened(tmp_path, frame, extra=""):
    frame.to_csv(tmp_path / "own.csv", index=False)
    table = "order_lines" if "product_id" in frame.columns else "orders"
    text = f'title = "Own"\ncurrency = "EUR"\n[{table}]\nfile = "own.csv"\n{extra}'
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return crmlab.open_dataset(str(tmp_path / "own.toml"))


def said_by(data, jobs):
    """What check says of each report, empty for yes; and what its run says."""
    past = History(data)
    for job in jobs:
        beforehand = readiness_of(job.name, past, job.params).why_not
        try:
            analysis(job.name).run(data, job.params)
        except CrmlabError as error:
            yield job.name, beforehand, str(error)
        else:
            yield job.name, beforehand, ""


def jobs_of(data):
    return [job for job in plan_jobs(Order("own"), data.holds) if not job.skipped]


@pytest.mark.proof
@pytest.mark.parametrize("name", ["one order", "all returns", "one day"])
def test_no_is_said_in_the_words_of_the_run(name, tmp_path):
    data = opened(tmp_path, BOOKS[name])
    past = History(data)
    no = [job for job in jobs_of(data) if job.name not in FITTED or readiness_of(job.name, past, job.params).why_not]
    for report, beforehand, then in said_by(data, no):
        assert beforehand == then, report
        assert "\n" not in then


@pytest.mark.proof
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] if name in SLOW else []) for name in (*BOOKS, "usual")]
)
def test_yes_is_said_only_where_the_report_comes(name, tmp_path):
    data = opened(tmp_path, BOOKS.get(name, book()))
    for report, beforehand, then in said_by(data, jobs_of(data)):
        assert beforehand == then, report


def test_what_small_books_lack(tmp_path):
    data = opened(tmp_path, FEW)
    past = History(data)
    told = {job.name: readiness_of(job.name, past, job.params).why_not for job in jobs_of(data)}
    assert told["triggers"] == "triggers: needs at least 112 days of history. Found: 9 days."
    assert told["churn"] == "churn: needs at least 21 days of history. Found: 9 days."
    assert told["lifecycle"].startswith("lifecycle: needs at least 20 gaps between purchases of one customer")
    assert (
        told["scorecard"] == "scorecard: needs at least one whole period (91 days) of history. Found: 2023-01-01 to 2023-01-10."
    )
    assert told["rfm"] == told["data_quality"] == told["customer_value"] == ""


def test_spend_that_is_free_is_not_called_a_lack_of_repeat_purchases(tmp_path):
    past = History(opened(tmp_path, BOOKS["all free"]))
    why = readiness_of("customer_value", past).why_not
    assert "Needs repeat purchases that were paid for. Found: " in why
    assert "all with frequency 0" not in why


@pytest.mark.proof
def test_campaigns_without_a_control_or_without_contacts_are_not_measured(tmp_path):
    for control, contacted, why in (
        ("", "2023-03-01", "No campaign has a control, so that what contacts caused cannot be told."),
        (
            "k",
            "2033-03-01",
            "campaign_results: needs a campaign that has a control and had begun by the last day of history. Found: none of spring.",
        ),
    ):
        cells = pd.DataFrame(
            {"cell_id": ["t", "k"], "campaign_id": "spring", "control_cell_id": [control, ""], "channel": ["mail", ""]}
        )
        contacts = pd.DataFrame(
            {"customer_id": [f"c{k:03d}" for k in range(40)], "cell_id": ["t", "k"] * 20, "contacted_at": contacted}
        )
        cells.to_csv(tmp_path / "cells.csv", index=False)
        contacts.to_csv(tmp_path / "contacts.csv", index=False)
        data = opened(tmp_path, book(200, 40), '[cells]\nfile = "cells.csv"\n[contacts]\nfile = "contacts.csv"\n')
        assert readiness_of("campaign_results", data).why_not == why
