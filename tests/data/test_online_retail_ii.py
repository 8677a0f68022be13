"""Both years of Online Retail: what stands in both is taken once, and what is left adds up to what pandas finds in the files."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.data_quality import NEEDS, Params, run
from crmlab.data.dataset import Dataset
from crmlab.history.past import History

FOLDER = Path(os.environ.get("CRMLAB_DATA", "data/private"))
FILES = ("online_retail_2009.parquet", "online_retail.parquet")
CODES = ["POST", "DOT", "M", "C2", "D", "S", "B", "AMAZONFEE", "CRUK", "ADJUST", "ADJUST2", "TEST001", "PADS"]

pytestmark = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in FILES),
    reason=f"The files {' and '.join(FILES)} are not here: put them into the folder that CRMLAB_DATA names.",
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return crmlab.open_dataset("online_retail_ii")


@pytest.fixture(scope="module")
def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two files with the columns of the first, and each row's amount as an exact decimal."""
    first, second = (pd.read_parquet(FOLDER / name) for name in FILES)
    second.columns = first.columns
    for part in (first, second):
        part["InvoiceDate"] = pd.to_datetime(part["InvoiceDate"])
        part["amount"] = [Decimal(repr(price)) * count for price, count in zip(part["Price"], part["Quantity"], strict=True)]
    return first, second


@pytest.fixture(scope="module")
def once(parts) -> pd.DataFrame:
    first, second = parts
    return pd.concat([first[first["InvoiceDate"] < second["InvoiceDate"].min().normalize()], second], ignore_index=True)


@pytest.mark.proof
def test_nine_days_stand_in_both_files(parts):
    first, second = (part[part["InvoiceDate"].between("2010-12-01", "2010-12-10")] for part in parts)
    assert (len(first), len(second), first["Invoice"].nunique()) == (22_523, 22_523, 1_088)
    keys = ["Invoice", "StockCode", "Quantity", "Price"]
    assert first[keys].sort_values(keys).to_numpy().tolist() == second[keys].sort_values(keys).to_numpy().tolist()


@pytest.mark.proof
def test_every_row_is_read_and_the_days_in_both_are_taken_once(data):
    ledger = {row.reason: row for row in data.ledger if row.table == "order_lines"}
    assert sum(row.rows for row in ledger.values()) == 525_461 + 541_909
    assert ledger["outside_part"].rows == 22_523
    assert ledger["outside_part"].examples[0]["row"].endswith(f" of {FILES[0]}")
    read = [row for row in ledger.values() if row.reason != "outside_part"]
    assert sum(row.rows for row in read) == 1_044_847
    assert sum(Decimal(row.amount) for row in read) == Decimal("18909744.118")
    assert ledger["no_customer"].rows == 235_287
    assert not {"Doubling", "Parts"} & {breach.rule for breach in data.breaches}


@pytest.mark.proof
def test_pandas_finds_the_same_in_the_files(once):
    assert (len(once), once["Invoice"].nunique(), once["Customer ID"].nunique()) == (1_044_847, 53_628, 5_942)
    assert once["amount"].sum() == Decimal("18909744.118")
    assert once["Customer ID"].isna().sum() == 235_287


@pytest.mark.proof
def test_what_is_kept_is_what_pandas_keeps(data, once):
    code = once["StockCode"].str.strip().str.upper()
    charge = code.isin([*CODES, "BANK CHARGES"]) | code.str.startswith(("DCGS", "GIFT_0001_"))
    kept = once[once["Customer ID"].notna() & ~charge]
    lines = data.order_lines
    found = lines.aggregate(n=lines.count(), orders=lines["order_id"].nunique(), amount=lines["amount"].sum()).to_pandas()
    assert found.loc[0].tolist() == [len(kept), kept["Invoice"].nunique(), kept["amount"].sum()]
    assert set(lines["customer_id"].to_pyarrow().to_pylist()) == set(kept["Customer ID"].astype(int).astype(str))
    days = kept.groupby(["Customer ID", kept["InvoiceDate"].dt.date])["amount"].sum()
    assert sum(days > 0) == History(data).summary("day")["occasions"].sum()


@pytest.mark.proof
def test_from_december_on_it_is_online_retail(data):
    alone, both = crmlab.open_dataset("online_retail").order_lines, data.order_lines
    kept = alone.filter(~alone["product_id"].isin(["ADJUST", "ADJUST2", "B", "PADS", "m"]))
    again = both.filter(both["ordered_at"].date() >= dt.date(2010, 12, 1))
    found = [table.aggregate(n=table.count(), amount=table["amount"].sum()).to_pyarrow().to_pylist() for table in (kept, again)]
    assert found[0] == found[1]


@pytest.mark.proof
def test_the_page_says_what_became_of_the_overlap(data):
    assert set(NEEDS) <= set(data.holds)
    page = run(data, Params())
    text = page.tables["read"].html()
    assert "22,523" in text
    assert "of a day that is taken from another part" in text
