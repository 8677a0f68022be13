"""What the tests of reductions share: one reduction on both engines."""

from __future__ import annotations

import warnings

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MONEY = pa.decimal128(18, 4)
TYPES = {
    "ordered_at": pa.timestamp("us"),
    "amount": MONEY,
    "return_amount": MONEY,
    "quantity": MONEY,
    "unit_cost": MONEY,
    "acquired_at": pa.date32(),
    "name": pa.string(),
}


@pytest.fixture
def both(spark, tmp_path):
    """A function that runs a reduction of tables on DuckDB and on Spark, and returns both answers in one order."""
    backends = (ibis.duckdb.connect(), ibis.pyspark.connect(spark))
    count = 0

    def run(reduce, **frames):
        nonlocal count
        count += 1
        paths = {}
        for name, frame in frames.items():
            paths[name] = tmp_path / f"{name}{count}.parquet"
            schema = pa.schema([(column, TYPES.get(column, pa.string())) for column in frame.columns])
            pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), paths[name])
        answers = []
        for backend in backends:
            tables = {name: backend.read_parquet(str(path)) for name, path in paths.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PySpark asks Arrow and pandas for names that they are giving up
                answer = reduce(**tables).to_pyarrow().to_pandas()
            answers.append(answer.sort_values(list(answer.columns), ignore_index=True))
        return answers

    return run
