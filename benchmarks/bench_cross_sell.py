"""Pairs and triples with intervals, tests and q, against mlxtend's fpgrowth and association_rules; and offers for a million.

1 million baskets of 8 of 3,000 items on average (Zipf-Mandelbrot), 0.1%, in Parquet; each in a process of its own, reading included.
Promised: at least 12 times as fast as mlxtend, with at most a fifth of its extra memory; 100,000 baskets under 5 s and 500 MB; 30
baskets of 300 items added to these cost at most 20% more. Offers: see bench_offers.py, which this runs at its end.

``python benchmarks/bench_cross_sell.py [rounds]``
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BASKETS, ITEMS, MEAN, SHARE = 1_000_000, 3_000, 8, 0.001
FASTER, LESS_MEMORY = 12.0, 0.2


def make(path: Path, baskets: int, giant: int = 0) -> None:
    """Order lines of baskets whose products are independent; some giant ones on request."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    weight = 1 / (np.arange(ITEMS) + 10.0)
    sizes = 1 + rng.poisson(MEAN - 1, baskets)
    order = np.repeat(np.arange(baskets), sizes)
    item = np.searchsorted(np.cumsum(weight / weight.sum())[:-1], rng.random(order.size))
    for number in range(giant):
        order = np.append(order, np.full(300, baskets + number))
        item = np.append(item, rng.choice(ITEMS, 300, replace=False))
    names = pa.array([f"P{number:04}" for number in range(ITEMS)])
    orders = pa.array(np.char.add("O", np.arange(baskets + giant).astype(str)))
    table = {
        "order_id": orders.take(pa.array(order)),
        "customer_id": orders.take(pa.array(order)),
        "product_id": names.take(pa.array(item)),
        "quantity": pa.array(np.ones(order.size)),
        "ordered_at": pa.array(np.full(order.size, np.datetime64("2024-06-01", "us"))),
    }

    pq.write_table(pa.table(table), path)


def ours(path: str, least: int) -> int:
    import ibis

    from crmlab.analyses.cross_sell.baskets import basket_matrix
    from crmlab.models.baskets.association import redundant, rules
    from crmlab.models.baskets.frequent import itemsets

    lines = ibis.duckdb.connect().read_parquet(path)
    return len(redundant(rules(itemsets(basket_matrix(lines, min_count=least), least))))


def theirs(path: str, least: int) -> int:
    import numpy as np
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from scipy import sparse

    frame = pd.read_parquet(path, columns=["order_id", "product_id"]).drop_duplicates()
    row, orders = pd.factorize(frame["order_id"])
    column, names = pd.factorize(frame["product_id"])
    matrix = sparse.csr_matrix((np.ones(len(row), dtype=bool), (row, column)), shape=(len(orders), len(names)))
    table = pd.DataFrame.sparse.from_spmatrix(matrix, columns=names)
    found = fpgrowth(table, min_support=(least - 0.5) / len(orders), use_colnames=True, max_len=3)
    return len(association_rules(found, metric="support", min_threshold=0))


def child(which: str, path: str, least: int) -> None:
    """Run one of the two, and print its seconds and what memory it took on top of its imports."""
    import ibis  # noqa: F401
    import mlxtend.frequent_patterns  # noqa: F401
    import pandas as pd  # noqa: F401

    import crmlab.models.baskets.association  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    rules = {"ours": ours, "theirs": theirs}[which](path, least)
    seconds = time.perf_counter() - begun
    print(
        json.dumps(
            {"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before, "rules": rules}
        )
    )


def run(which: str, path: Path, least: int, rounds: int = 1) -> dict[str, float]:
    found = []
    for _ in range(rounds):
        told = subprocess.run(
            [sys.executable, __file__, "child", which, str(path), str(least)], capture_output=True, text=True, check=True
        )
        found.append(json.loads(told.stdout.splitlines()[-1]))
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def main(rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        large, small, giant = (Path(scratch) / name for name in ("large.parquet", "small.parquet", "giant.parquet"))
        make(large, BASKETS)
        make(small, BASKETS // 10)
        make(giant, BASKETS // 10, giant=30)
        least = int(BASKETS * SHARE)
        mine, peer = run("ours", large, least, rounds), run("theirs", large, least)
        print(
            f"{BASKETS:,} baskets: ours {mine['seconds']:.1f} s, {mine['mb']:.0f} MB, {mine['rules']:.0f} rules; mlxtend "
            f"{peer['seconds']:.1f} s, {peer['mb']:.0f} MB, {peer['rules']:.0f} rules (those with two consequents too)"
        )
        print(
            f"  {peer['seconds'] / mine['seconds']:.1f} times as fast (promised {FASTER:g}), {mine['mb'] / peer['mb']:.2f} "
            f"of its memory ({LESS_MEMORY:g})"
        )
        plain, more = run("ours", small, least // 10, rounds), run("ours", giant, least // 10, rounds)
        print(f"100,000 baskets: {plain['seconds']:.1f} s, {plain['mb']:.0f} MB (promised under 5 s, 500 MB)")
        print(f"30 baskets of 300 items more: {more['seconds'] / plain['seconds']:.2f} times the time (promised at most 1.2)")
    subprocess.run([sys.executable, str(Path(__file__).with_name("bench_offers.py"))], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
