"""Data that the model tests share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pandas as pd
import pytest


def _read(reduce, name: str, **options) -> pd.DataFrame:
    import crmlab
    from crmlab.history import customers

    with warnings.catch_warnings():
        # Ibis asks pandas for an option that pandas 3.1 deprecates.
        warnings.simplefilter("ignore")
        orders = crmlab.open_dataset(name).orders
        return getattr(customers, reduce)(orders, **options).to_pandas().set_index("customer_id").sort_index()


@pytest.fixture(scope="session")
def cdnow() -> pd.DataFrame:
    """cdnow_sample to 1997-09-30, in weeks."""
    return _read("customer_summary", "cdnow_sample", as_of="1997-09-30", unit="week")


@pytest.fixture(scope="session")
def cdnow_after() -> pd.DataFrame:
    """The same with what they did to the end of the data."""
    return _read("holdout_summary", "cdnow_sample", as_of="1997-09-30", unit="week")


@pytest.fixture(scope="session")
def online_retail() -> pd.DataFrame:
    """online_retail, 373 days."""
    folder = os.environ.get("CRMLAB_DATA")
    if not folder or not (Path(folder) / "online_retail.parquet").exists():
        pytest.skip("online_retail is not here: name the folder of your copy in CRMLAB_DATA")
    return _read("customer_summary", "online_retail")
