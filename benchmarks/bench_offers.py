"""Offers for a million customers, against best-sellers of the segment in plain pandas.

1 million customers with some 8 million distinct customer × product rows, 3,000 products whose popularity is 1 / (rank + 10), two
years of lines in Parquet → three offers each, weights learnt on the way. Promise: under 60 s and 4 GB, reading included, each side
in a process of its own. The peer only takes the best-sellers of each customer's segment that the customer does not have. Without
owned products that are due, and with the blend's weights all on popularity in the segment, both must choose the same.

``python benchmarks/bench_offers.py [customers]``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

CUSTOMERS, PRODUCTS, ROWS = 1_000_000, 3_000, 8
PROMISED, MEMORY = 60.0, 4.0
K, HORIZON, HEAD = 3, 91, 60


def make(folder: Path, customers: int) -> None:
    """Order lines of two years, in no particular order; a few customers buy far more than others."""
    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    n = int(customers * ROWS * 1.06)  # some are bought twice
    weight = 1 / (np.arange(PRODUCTS) + 10.0)
    cumulative = np.cumsum(weight / weight.sum())
    orders = np.concatenate([np.arange(customers), np.floor(rng.random(n // 3) ** 1.5 * customers)]).astype(np.int64)
    day = rng.integers(0, 730, len(orders))
    order = np.sort(np.concatenate([np.arange(len(orders)), rng.integers(0, len(orders), n - len(orders))]))
    product = np.minimum(np.searchsorted(cumulative, rng.random(n)), PRODUCTS - 1)
    table = pa.table(
        {
            "order_id": order,
            "customer": orders[order],
            "product": product,
            "day": day[order],
            "quantity": rng.integers(1, 4, n),
            "cents": rng.integers(200, 3000, n),
        }
    )
    with duckdb.connect() as con:
        con.register("made", table)
        con.execute(f"""copy (select 'O' || lpad(order_id::varchar, 8, '0') as order_id,
            'C' || lpad(customer::varchar, 7, '0') as customer_id,
            timestamp '2024-01-01' + to_days(day::integer) as ordered_at, 'P' || lpad(product::varchar, 4, '0') as product_id,
            quantity::decimal(18, 4) as quantity, (cents / 100.0)::decimal(18, 4) as amount from made)
            to '{folder}/order_lines.parquet' (format parquet)""")
        con.execute(f"""copy (select order_id, customer_id, any_value(ordered_at) as ordered_at, sum(amount)::decimal(18, 4) as amount
            from '{folder}/order_lines.parquet' group by all) to '{folder}/orders.parquet' (format parquet)""")
    rank = np.arange(PRODUCTS)
    pq.write_table(
        pa.table({"product_id": [f"P{r:04d}" for r in rank], "name": [f"Product {r}" for r in rank]}),
        folder / "products.parquet",
    )


def tables(folder: Path) -> Dataset:
    """Just enough of a data set."""
    import ibis

    from crmlab.data.dataset import Dataset
    from crmlab.data.descriptor import Descriptor

    con = ibis.duckdb.connect()
    con.raw_sql("SET threads = 2")
    con.raw_sql("SET memory_limit = '1500MB'")
    read = {name: con.read_parquet(str(folder / f"{name}.parquet")) for name in ("orders", "order_lines", "products")}
    return Dataset(Descriptor("offers", "offers.toml", folder, "Offers"), con, read)


def ours(folder: Path) -> dict[str, object]:
    """Features to ranked frame, weights learnt on the way."""
    from crmlab.analyses.cross_sell.blend import Origins
    from crmlab.analyses.cross_sell.offers import offers_of
    from crmlab.history.past import History

    begun = time.perf_counter()
    past = History(tables(folder))
    weights = Origins(past, HORIZON).weights(0)  # what they are learnt from is let go before more is read
    found = offers_of(Origins(past, HORIZON), weights, k=K)
    return {"seconds": time.perf_counter() - begun, "rows": len(found.frame), "customers": found.frame["customer_id"].nunique()}


def peer(folder: Path) -> dict[str, object]:
    """Best-sellers of each customer's segment (occasions × recency) that the customer does not have, in plain pandas."""
    import pandas as pd

    begun = time.perf_counter()
    found = by_pandas(folder)
    assert isinstance(found, pd.DataFrame)
    return {"seconds": time.perf_counter() - begun, "rows": len(found)}


def by_pandas(folder: Path):  # type: ignore[no-untyped-def]
    import numpy as np
    import pandas as pd

    lines = pd.read_parquet(folder / "order_lines.parquet", columns=["customer_id", "product_id", "ordered_at"])
    end = lines["ordered_at"].max()
    days = lines.drop_duplicates(["customer_id", "ordered_at"]).groupby("customer_id")["ordered_at"].agg(["count", "max"])
    segment = 2 * np.digitize(days["count"], (2, 4, 10)) + ((end - days["max"]).dt.days > HORIZON)
    owned = lines[["customer_id", "product_id"]].drop_duplicates()
    owned["segment"] = segment.reindex(owned["customer_id"]).to_numpy() if hasattr(segment, "reindex") else segment
    counts = owned.groupby(["segment", "product_id"]).size().rename("n").reset_index()
    counts = counts.sort_values(["segment", "n", "product_id"], ascending=[True, False, True])
    head = counts.groupby("segment").head(HEAD)
    customers = pd.DataFrame({"customer_id": days.index, "segment": np.asarray(segment)})
    parts = []
    for begin in range(0, len(customers), 50_000):
        some = customers.iloc[begin : begin + 50_000]
        wide = some.merge(head, on="segment")
        mine = owned[owned["customer_id"].isin(some["customer_id"])][["customer_id", "product_id"]].assign(has=True)
        free = wide.merge(mine, on=["customer_id", "product_id"], how="left")
        free = free[free["has"].isna()].sort_values(["customer_id", "n", "product_id"], ascending=[True, False, True])
        parts.append(free.groupby("customer_id").head(K)[["customer_id", "product_id"]])
    return pd.concat(parts, ignore_index=True)


def same(folder: Path) -> dict[str, object]:
    """Whether both choose the same where both should."""
    import numpy as np

    from crmlab.analyses.cross_sell.blend import AGAIN, NEW, Ingredients, Weights
    from crmlab.analyses.cross_sell.rank import ranked
    from crmlab.analyses.cross_sell.state import goods_of, state_at
    from crmlab.history.past import History
    from crmlab.models.baskets.ranking import Blend

    state = state_at(History(tables(folder)), HORIZON)
    m = len(state.products)
    segments = 8
    counts = np.bincount(state.segment[state.row] * m + state.col, minlength=segments * m).reshape(segments, m)
    from dataclasses import replace

    from scipy import sparse

    goods = replace(goods_of(state), segment=np.log(counts + 1e-9))
    nothing = sparse.csr_array((m, m))
    new, again = Blend(), Blend()
    new.coef_, new.intercept_ = np.eye(len(NEW))[NEW.index("segment")], -12.0
    again.coef_, again.intercept_ = np.zeros(len(AGAIN)), 0.0
    found = ranked(
        Ingredients(state, goods, nothing, nothing), Weights(new, again, None, HORIZON, (0, 0)), K, np.ones(m), only_new=True
    )
    ids = np.asarray(state.customers.to_pylist(), dtype=object)
    mine = {*zip(ids[found.row], state.products[found.col], strict=True)}
    frame = by_pandas(folder)
    theirs = {*zip(frame["customer_id"], frame["product_id"], strict=True)}
    return {"same": len(mine & theirs) / max(len(mine | theirs), 1)}


def child(what: str, folder: Path) -> dict[str, float]:
    """Run one side in a process of its own; its peak of memory comes with it."""
    out = subprocess.run([sys.executable, __file__, what, str(folder)], check=True, capture_output=True, text=True)
    return dict(json.loads(out.stdout.splitlines()[-1]))


def main(customers: int = CUSTOMERS) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, small = Path(scratch) / "all", Path(scratch) / "small"
        folder.mkdir()
        small.mkdir()
        make(folder, customers)
        make(small, max(customers // 50, 1000))
        mine, theirs = child("ours", folder), child("peer", folder)
        agree = child("same", small)["same"]
    print(
        f"offers for {customers:,} customers: {mine['rows']:,.0f} rows in {mine['seconds']:.1f} s (promised under {PROMISED:g} s; "
        f"{mine['cpu']:.1f} s of processors' time), "
        f"peak memory {mine['memory']:.1f} GB (promised under {MEMORY:g} GB)"
    )
    print(
        f"best-sellers by segment in plain pandas: {theirs['seconds']:.1f} s ({theirs['cpu']:.1f} s of processors' time), "
        f"{theirs['memory']:.1f} GB: "
        f"{theirs['seconds'] / mine['seconds']:.1f} times our time; where both should choose the same, {agree:.2%} agree"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        found = {"ours": ours, "peer": peer, "same": same}[sys.argv[1]](Path(sys.argv[2]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        found |= {"memory": used.ru_maxrss / 2**20, "cpu": used.ru_utime + used.ru_stime}
        print(json.dumps(found))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
