"""Snapshots of churn on a large base: time, memory, and a ratio against the same features in pandas.

Promises: features of 1 million customers with 5 million orders on 6 days in under 60 s and 4 GB on 2 cores.

``python benchmarks/bench_churn.py [customers]``
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crmlab.analyses.churn.reductions import snapshots, with_model
from crmlab.analyses.customer_value import chosen
from crmlab.data.dataset import open_dataset
from crmlab.history.past import History

DAYS = ["2024-06-30", "2024-08-31", "2024-10-31", "2024-12-31", "2025-02-28", "2025-04-30"]
WINDOW, WITHIN = 60, 180


def made(customers: int, seed: int = 0) -> pa.Table:
    """Orders of so many customers, five each on average, over two years."""
    rng = np.random.default_rng(seed)
    count = 1 + rng.poisson(rng.gamma(0.8, 5.0, customers))
    who = np.repeat(np.arange(customers), count)
    day = np.sort(rng.integers(0, 730, len(who)))
    at = np.datetime64("2023-07-01", "us") + day.astype("timedelta64[D]")
    cents = rng.integers(5, 200, len(who))
    amount = pa.array(cents).cast(pa.decimal128(19, 0)).cast(pa.decimal128(18, 4))
    return pa.table(
        {"customer_id": pa.array(who).cast(pa.string()), "ordered_at": at, "amount": amount.cast(pa.decimal128(18, 4))}
    )


def by_pandas(orders: pd.DataFrame) -> int:
    """The same in pandas: per day, the customers' numbers up to it, and the outcome after it."""
    days = (
        orders.groupby(["customer_id", orders["ordered_at"].dt.normalize()], sort=False)["amount"]
        .sum()
        .rename("spend")
        .reset_index()
    )
    days = days.sort_values(["customer_id", "ordered_at"])
    days["gap"] = days.groupby("customer_id", sort=False)["ordered_at"].diff().dt.days
    rows = 0
    for text in DAYS:
        day = pd.Timestamp(text)
        past = days[days["ordered_at"] <= day]
        grouped = past.groupby("customer_id", sort=False)
        frame = grouped.agg(
            last=("ordered_at", "max"), first=("ordered_at", "min"), occasions=("spend", "size"), total=("spend", "sum"),
            mean_gap=("gap", "mean"), spread=("gap", "std"), last_spend=("spend", "last"),
        )  # fmt: skip
        for name, low, high in (("recent", WINDOW, 0), ("earlier", 2 * WINDOW, WINDOW), ("season", 365, 365 - WINDOW)):
            begin, end = day - pd.Timedelta(days=low), day - pd.Timedelta(days=high)
            some = past[(past["ordered_at"] > begin) & (past["ordered_at"] <= end)]
            frame[name] = some.groupby("customer_id", sort=False).size().reindex(frame.index, fill_value=0)
        after = days[(days["ordered_at"] > day) & (days["ordered_at"] <= day + pd.Timedelta(days=WINDOW))]
        frame["bought"] = after.groupby("customer_id", sort=False).size().reindex(frame.index, fill_value=0)
        rows += int((frame["last"] > day - pd.Timedelta(days=WITHIN)).sum())
    return rows


def main(customers: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "orders.parquet"
        pq.write_table(made(customers), path)
        small = made(customers // 10, seed=1).to_pandas()
        con = ibis.duckdb.connect()
        con.raw_sql("SET threads = 2")
        orders = con.read_parquet(str(path))
        begun = time.perf_counter()
        found = snapshots(orders, DAYS, WINDOW, WITHIN).to_pandas()
        ours = time.perf_counter() - begun
        past = History(replace(open_dataset("cdnow_sample"), _tables={"orders": orders}))
        # As the page does: which model tells best is decided once, on the first of the days.
        choice = chosen(past.earlier(DAYS[0]))
        rows = len(with_model(found, past, WINDOW, choice))
        whole = time.perf_counter() - begun
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    small["amount"] = small["amount"].astype(float)
    begun = time.perf_counter()
    by_pandas(small)
    peer = 10 * (time.perf_counter() - begun)
    print(
        f"{customers:,} customers, {len(DAYS)} days: {rows:,} rows in {whole:.1f} s (promised under 60), {ours:.1f} s without the model; "
        f"peak memory {memory:.1f} GB (promised under 4)"
    )
    print(f"pandas without the model, a tenth of the customers times ten: {peer:.1f} s, {peer / ours:.1f} times as long")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
