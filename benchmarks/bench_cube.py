"""Slices of 10 million order lines by 4 dimensions, against the bare DuckDB query.

10 million order lines of 300,000 customers and 2,000 products in Parquet → ``cube`` by country, category, channel and month with
all 16 levels: sums, then sums and different customers. Promise: within 1.3 times the same query written by hand, medians of several
rounds in one run, the two taking turns; the grand totals are compared.

``python benchmarks/bench_cube.py [rounds]``
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

LINES, CUSTOMERS, PRODUCTS = 10_000_000, 300_000, 2_000
PROMISED = 1.3
BY = ["country", "category", "channel", "month"]
SUMS = {"revenue": "sum(amount)", "quantity": "sum(quantity)", "lines": "count(*)"}
COUNTS = {"revenue": "sum(amount)", "customers": "count(distinct l.customer_id)"}
BARE = """
select country, category, l.channel, date_trunc('month', ordered_at) as month,
    grouping(country), grouping(category), grouping(l.channel), grouping(date_trunc('month', ordered_at)),
    {measures}
from order_lines l left join products p on l.product_id = p.product_id left join customers c on l.customer_id = c.customer_id
group by cube (country, category, l.channel, date_trunc('month', ordered_at))"""


def make(folder: Path) -> None:
    """Lines in the order of their dates, as a shop books them."""
    import duckdb

    with duckdb.connect() as con:
        con.execute("select setseed(0.5)")
        con.execute(f"""copy (
            select 'R' || (i // 3) as order_id,
                'C' || lpad(cast(cast(floor(power(random(), 2) * {CUSTOMERS}) as integer) as varchar), 6, '0') as customer_id,
                timestamp '2023-01-01' + interval (cast(i * 94608000 // {LINES} as integer)) second as ordered_at,
                'P' || cast(floor(power(random(), 2) * {PRODUCTS}) as integer) as product_id,
                cast(1 + floor(random() * 3) as decimal(18, 4)) as quantity,
                cast(round(random() * 100 + 1, 2) as decimal(18, 4)) as amount,
                ['web', 'shop', 'phone'][1 + cast(floor(random() * 3) as integer)] as channel
            from range({LINES}) t(i)) to '{folder}/order_lines.parquet' (format parquet)""")
        con.execute(f"""copy (select 'C' || lpad(cast(i as varchar), 6, '0') as customer_id,
            ['DE', 'AT', 'CH', 'NL', 'FR'][1 + i % 5] as country from range({CUSTOMERS}) t(i))
            to '{folder}/customers.parquet' (format parquet)""")
        con.execute(f"""copy (select 'P' || i as product_id, 'K' || (i % 10) as category from range({PRODUCTS}) t(i))
            to '{folder}/products.parquet' (format parquet)""")


def race(con, data, measures: dict[str, str], rounds: int) -> None:  # type: ignore[no-untyped-def]
    """Both in turn; prints the ratio of their medians."""
    from crmlab.history.cubes import cube

    query = BARE.format(measures=", ".join(measures.values()))
    ours, bare, seconds = None, None, ([], [])  # type: ignore[var-annotated]
    for _ in range(rounds):
        begun = time.perf_counter()
        bare = con.con.execute(query).to_arrow_table()
        between = time.perf_counter()
        ours = cube(data, BY, list(measures), min_group=1)
        seconds[0].append(between - begun)
        seconds[1].append(time.perf_counter() - between)
    theirs, mine = map(statistics.median, seconds)
    # Columns: 4 dimensions, 4 flags, then measures, revenue first; the grand total is the largest.
    same = float(max(bare.column(8).to_pylist())) == ours.loc[0, "revenue"] and len(ours) == bare.num_rows
    print(
        f"{LINES:,} order lines, 4 dimensions, {len(ours):,} cells, {', '.join(measures)}: cube {mine:.2f} s, bare DuckDB {theirs:.2f} s, "
        f"ratio {mine / theirs:.2f} (promised {PROMISED:g}); {'same' if same else 'other'} totals",
        flush=True,
    )


def main(rounds: int = 3) -> None:
    import ibis

    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch))
        con = ibis.duckdb.connect()
        names = ("order_lines", "customers", "products")
        tables = {name: con.read_parquet(f"{scratch}/{name}.parquet", table_name=name) for name in names}
        data = SimpleNamespace(tables=names, table=tables.__getitem__, **tables)
        race(con, data, SUMS, rounds)
        race(con, data, COUNTS, max(1, rounds // 2))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
