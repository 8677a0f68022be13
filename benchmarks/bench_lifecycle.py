"""Moves between states of the lifecycle: 24 months of a million customers, against plain pandas on a tenth of them.

1 million customers, 5 million orders of two years in Parquet → ``transitions`` between 24 month ends. Promise (median of
several rounds): under 15 s. The peer does the same in plain pandas, a date at a time, on a tenth of the customers in the same
run; its time is scaled up tenfold, and its counts are compared with ours.

``python benchmarks/bench_lifecycle.py [rounds]``
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

CUSTOMERS, ORDERS = 1_000_000, 5_000_000
PROMISED = 15.0
LIMITS = (60, 130, 280)
DATES = [dt.date(2024 + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1) for month in range(1, 25)]


def make(path: Path) -> None:
    """Orders from a million customers, some of whom buy far more than others, in no particular order."""
    import duckdb

    with duckdb.connect() as con:
        con.execute("select setseed(0.5)")
        con.execute(f"""copy (
            select 'C' || lpad(cast(case when i < {CUSTOMERS} then i else cast(floor(power(random(), 2) * {CUSTOMERS}) as integer) end
                    as varchar), 7, '0') as customer_id,
                timestamp '2024-01-01' + interval (cast(floor(random() * 731 * 86400) as integer)) second as ordered_at,
                cast(round(random() * 100 + 1, 2) as decimal(18, 4)) as amount
            from range({ORDERS}) t(i) order by random()) to '{path}' (format parquet)""")


def ours(path: Path, tenth: bool = False):  # type: ignore[no-untyped-def]
    """The moves between all dates; those of all customers with rhythms of their own."""
    import ibis

    from crmlab.analyses.lifecycle.reductions import transitions
    from crmlab.analyses.lifecycle.rhythm import Thresholds

    orders = ibis.duckdb.connect().read_parquet(str(path))
    if tenth:
        orders = orders.filter(orders["customer_id"].endswith("0"))
    limits = Thresholds(*LIMITS, multiples=None if tenth else (1.3, 2.4, 4.6))
    return transitions(orders, DATES, limits).to_pandas()


def peer(frame):  # type: ignore[no-untyped-def]
    """The same in plain pandas, without rhythms of customers' own: the state at each date, then a table of both."""
    import numpy as np
    import pandas as pd

    days = frame.assign(day=frame["ordered_at"].dt.normalize()).groupby(["customer_id", "day"])["amount"].sum().reset_index()
    days["back"] = days.groupby("customer_id")["day"].diff().dt.days > LIMITS[1] + 1
    days["number"] = days.groupby("customer_id").cumcount() + 1

    def state(date):  # type: ignore[no-untyped-def]
        known = days[days["day"] <= pd.Timestamp(date)]
        last = known.groupby("customer_id").last()
        since = (pd.Timestamp(date) - last["day"]).dt.days
        kind = np.where(last["number"] == 1, "new", np.where(last["back"], "reactivated", "active"))
        found = np.select([since <= LIMITS[0], since <= LIMITS[1], since <= LIMITS[2]], [kind, "slowing", "lapsed"], "lost")
        return pd.Series(found, last.index)

    found = [state(date) for date in DATES]
    out = []
    for (before, after), date in zip(pairwise(found), DATES[1:], strict=True):
        both = pd.DataFrame({"state_before": before.reindex(after.index).fillna("none"), "state": after})
        out.append(both.value_counts().rename("customers").reset_index().assign(date=date))
    return pd.concat(out, ignore_index=True)


def main(rounds: int = 3) -> None:
    import pandas as pd

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "orders.parquet"
        make(path)
        seconds = []
        for _ in range(rounds):
            begun = time.perf_counter()
            found = ours(path)
            seconds.append(time.perf_counter() - begun)
        mine = statistics.median(seconds)
        known = found[found["date"].astype(str) == str(DATES[-1])]["customers"].sum()
        print(f"{known:,} customers, {ORDERS:,} orders, {len(DATES)} dates: {mine:.1f} s (promised under {PROMISED:g} s)")
        frame = pd.read_parquet(path, columns=["customer_id", "ordered_at", "amount"])
        frame = frame[frame["customer_id"].str.endswith("0")].astype({"amount": float})
        begun = time.perf_counter()
        theirs = peer(frame)
        scaled = (time.perf_counter() - begun) * ORDERS / len(frame)
        keys = ["date", "state_before", "state"]
        small = ours(path, tenth=True).astype({"date": str}).set_index(keys)["customers"].sort_index()
        same = small.equals(theirs.astype({"date": str}).set_index(keys)["customers"].sort_index())
        print(
            f"plain pandas on {len(frame):,} orders, scaled to {ORDERS:,}: {scaled:.0f} s, {scaled / mine:.1f} times ours; ",
            end="",
        )
        print("same counts" if same else "other counts")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
