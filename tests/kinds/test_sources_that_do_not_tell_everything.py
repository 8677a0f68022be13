"""Kind: a source without amounts or without customers is a dead end, or reports invent what it does not tell.

Events and receipts of nobody are read where the TOML file says so; reports that rest on what is missing are passed over with a sentence.
"""

import pytest

import crmlab
from crmlab.analyses import cross_sell, rfm
from crmlab.errors import CrmlabError, TooLittleError
from crmlab.page.exhibits import Absent
from crmlab.report import notebook
from crmlab.report.jobs import Order, plan_jobs

EVENTS = "customer_id,ordered_at\n" + "\n".join(f"c{k % 40},2024-{1 + k % 12:02d}-{1 + k % 27:02d}" for k in range(400)) + "\n"
RECEIPTS = "order_id,ordered_at,product_id,quantity,amount\n" + "\n".join(
    f"{k},2024-{1 + k % 12:02d}-{1 + k % 27:02d},{product},1,{2 + k % 3}"
    for k in range(300)
    for product in ("ab" if k % 3 else "cd")
)


@pytest.fixture
def made(tmp_path):
    def write(toml, text):
        (tmp_path / "o.csv").write_text(text)
        (tmp_path / "mine.toml").write_text(toml)
        return crmlab.open_dataset(tmp_path / "mine.toml")

    return write


def skipped(data):
    return {job.name: job.skipped for job in plan_jobs(Order("mine"), data.holds) if job.skipped}


def test_events_without_money_are_free_purchases(made):
    data = made('[orders]\nfile = "o.csv"\nwithout = ["amount"]\n', EVENTS)
    assert data.orders["amount"].sum().execute() == 0
    why = skipped(data)
    assert why["customer_value"] == "It needs amounts, which this data set lacks."
    assert not {"rfm", "churn", "lifecycle", "triggers", "data_quality"} & set(why)
    assert rfm.run(data).context.customers == 40
    with pytest.raises(TooLittleError, match="customer_value: needs amounts. Found: none: mine.toml says"):
        notebook.run_notebook("customer_value", data=data)


@pytest.mark.proof
def test_receipts_of_nobody_make_pairs_and_no_offers(made):
    data = made('[order_lines]\nfile = "o.csv"\nwithout = ["customer_id"]\n', RECEIPTS)
    assert set(skipped(data)) >= {"rfm", "churn", "customer_value", "scorecard", "lifecycle", "triggers", "campaign_design"}
    result = cross_sell.run(data)
    assert result.metrics["pairs"].value >= 1
    assert set(result.outputs) == {"rules"}
    assert isinstance(result.tables.get("backtest", Absent("")), Absent) or "backtest" not in result.tables
    assert "does not say who bought" in result.findings[0].text
    quality = notebook.run_notebook("data_quality", data=data)
    assert any("one customer is one receipt" in limit for limit in quality.limits)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('without = ["ordered_at"]', 'without must be a list of "amount" and "customer_id"'),
        ('without = ["amount"]\namount = "x"', "without must be a list of what is not mapped"),
    ],
)
def test_what_cannot_be_done_without_is_refused(made, lines, said):
    with pytest.raises(CrmlabError, match=said):
        made(f'[orders]\nfile = "o.csv"\n{lines}\n', EVENTS)
