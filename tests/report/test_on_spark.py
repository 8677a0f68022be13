"""Every report on Spark: the same findings, numbers and reasons as on DuckDB."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import crmlab
from crmlab.report import registry

NAMES = sorted(registry.REPORTS)
MANY_QUERIES = (
    "actions",
    "campaign_design",
    "campaign_results",
    "lifecycle",
    "scorecard",
)  # of a second each, however few the customers
CUSTOMER = {"customer_profile": {"customer_id": "C000009"}}


@pytest.fixture(scope="module")
def both(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small shop with campaigns, opened on DuckDB and on Spark."""
    path = tmp_path_factory.mktemp("shop") / "own.toml"
    path.write_text('title = "Own"\ncurrency = "EUR"\n[source]\nkind = "shop"\ncustomers = 300\nseed = 1\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CAMPAIGNS", str(path.parent / "memory"))
        yield crmlab.open_dataset(path), crmlab.open_dataset(path, spark)


@pytest.mark.proof
@pytest.mark.spark
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] if name in MANY_QUERIES else []) for name in NAMES]
)
def test_report_is_the_same_on_both_engines(both: Any, name: str) -> None:
    module = registry.analysis(name)
    here, there = (module.run(data, module.Params(**CUSTOMER.get(name, {}))) for data in both)
    assert [str(finding) for finding in there.findings] == [str(finding) for finding in here.findings]
    assert there.absent == here.absent
    assert list(there.tables) == list(here.tables)
    assert list(there.charts) == list(here.charts)
    assert list(there.metrics) == list(here.metrics)
    for key, estimate in here.metrics.items():
        assert there.metrics[key].value == pytest.approx(estimate.value, rel=1e-6, abs=1e-9, nan_ok=True), key
    for key, table in here.tables.items():
        # An engine may add floats in another order, and read whole numbers into another width.
        pd.testing.assert_frame_equal(there.tables[key].frame, table.frame, check_dtype=False, rtol=1e-6, obj=key)
