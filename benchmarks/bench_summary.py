"""Reducing orders to customers: against the same group-by in bare SQL, and against lifetimes; and its peak memory.

10 million order rows of 3 million customers in Parquet → ``customer_summary`` and ``distinct_states``. Promises (medians of
several rounds, measured in one run):

- at most 1.3 times the time of the same two-level group-by in bare DuckDB SQL;
- at least 3 times as fast as ``lifetimes.utils.summary_data_from_transaction_data`` on 1 million of the customers;
- peak memory under 3 GB.

``python benchmarks/bench_summary.py [rounds]``
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

ROWS, CUSTOMERS, SOME = 10_000_000, 3_000_000, 1_000_000

# The same columns from the same two levels: customer-days, then customers, then distinct states.
SQL = """
create or replace temp table states as
with days as (
    select customer_id, cast(ordered_at as date) as d, sum(amount) as spend, min(amount) as lowest
    from read_parquet('{path}') where cast(ordered_at as date) <= date '2025-12-30' group by 1, 2
), flagged as (
    select *, (spend > 0 or (spend = 0 and lowest >= 0)) as occasion from days
), customers as (
    select customer_id, count(*) filter (occasion) - 1 as frequency,
        date_diff('day', min(d) filter (occasion), max(d) filter (occasion))::double as recency,
        date_diff('day', min(d) filter (occasion), date '2025-12-30')::double as T,
        sum(spend) filter (occasion) as total, arg_min(spend, d) filter (occasion) as first_spend,
        sum(spend) filter (not occasion) as returned, max(d) filter (occasion) as last
    from flagged group by 1 having count(*) filter (occasion) > 0
)
select frequency, recency, T, count(*) as weight, sum(total) as total, sum(first_spend) as f, sum(returned) as r, max(last) as l
from customers group by 1, 2, 3
"""


def make(path: Path) -> None:
    import duckdb

    with duckdb.connect() as con:
        con.execute("select setseed(0.5)")
        con.execute(f"""copy (
            select cast(cast(floor(power(random(), 1.5) * {CUSTOMERS}) as integer) as varchar) as customer_id,
                timestamp '2024-01-01' + interval (cast(floor(random() * 730) as integer)) day
                    + interval (cast(floor(random() * 86400) as integer)) second as ordered_at,
                cast(round(random() * 100 - 3, 2) as decimal(18, 4)) as amount
            from range({ROWS})) to '{path}' (format parquet)""")


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return seconds


def ours(path: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Time our reduction and bare SQL in turn, so that both meet the same machine."""
    import duckdb
    import ibis

    from crmlab.history.customers import customer_summary, distinct_states

    con = ibis.duckdb.connect()
    bare = duckdb.connect()

    def reduce() -> None:
        summary = customer_summary(con.read_parquet(str(path)), as_of="2025-12-30")
        con.create_table("summary", obj=summary, temp=True, overwrite=True)
        distinct_states(con.table("summary")).to_pyarrow()

    def sql() -> None:
        bare.execute(SQL.format(path=path)).fetchall()
        bare.execute("select * from states").to_arrow_table()

    mine, peer = [], []
    for _ in range(rounds + 1):
        mine += timed(reduce, 1)
        peer += timed(sql, 1)
    return mine[1:], peer[1:]


def against_lifetimes(path: Path, rounds: int) -> tuple[list[float], list[float]]:
    warnings.filterwarnings("ignore")
    import ibis
    from lifetimes.utils import summary_data_from_transaction_data

    from crmlab.history.customers import customer_summary

    con = ibis.duckdb.connect()
    orders = con.read_parquet(str(path))
    some = con.create_table("some", obj=orders.filter(orders["customer_id"].cast("int64") < SOME), temp=True)
    frame = some.select("customer_id", "ordered_at").to_pandas()
    mine = timed(lambda: customer_summary(some, as_of="2025-12-30").to_pandas(), rounds)
    period = {"observation_period_end": "2025-12-30", "freq": "D"}
    peer = timed(lambda: summary_data_from_transaction_data(frame, "customer_id", "ordered_at", **period), 1)
    return mine, peer


def main(rounds: int = 5) -> None:
    middle = statistics.median
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "orders.parquet"
        make(path)
        done = subprocess.run([sys.executable, __file__, "--memory", str(path)], capture_output=True, text=True, check=True)
        mine, peer = ours(path, rounds)
        ratios = [a / b for a, b in zip(mine, peer, strict=True)]
        print(f"{ROWS:,} orders: ours {middle(mine):.2f} s, bare SQL {middle(peer):.2f} s, ", end="")
        print(f"ratio {middle(ratios):.2f} (promised at most 1.3)")
        mine, peer = against_lifetimes(path, 3)
        print(f"{SOME:,} customers: ours {middle(mine):.2f} s, lifetimes {middle(peer):.2f} s, ", end="")
        print(f"{middle(peer) / middle(mine):.1f} times as fast (promised at least 3)")
        print(f"peak memory {done.stdout.strip()} (promised under 3 GB)")


def memory(path: str) -> None:
    ours_alone = Path(path)
    import ibis

    from crmlab.history.customers import customer_summary, distinct_states

    con = ibis.duckdb.connect()
    con.create_table("summary", obj=customer_summary(con.read_parquet(str(ours_alone)), as_of="2025-12-30"), temp=True)
    distinct_states(con.table("summary")).to_pyarrow()
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        memory(sys.argv[2])
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
