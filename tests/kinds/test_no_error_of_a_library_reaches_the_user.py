"""Kind: an error of pandas, numpy, scipy, DuckDB or Arrow that the user gets to read, who cannot know what to mend.

What public functions are given is checked by its owners, and refused in one sentence of crmlab's own; so is a condition of the data in a
report, without a word of the cell in which it was found.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.churn import snapshots
from crmlab.analyses.rfm import score, segmented
from crmlab.errors import CrmlabError, ModelError
from crmlab.history import as_orders, customer_summary, gaps
from crmlab.models.baskets import from_mlxtend, hits_of, itemsets, list_measures, redundant, rules
from crmlab.models.btyd import SBG, CustomerValue, GammaGamma
from crmlab.models.classification import mean_with_interval, stability_index, varies
from crmlab.models.decomposition import apportion
from crmlab.models.intervals import share_of_total, wilson
from crmlab.models.survival import at, given_waited, kaplan_meier, median_time
from crmlab.models.testing import boundaries, control_share, error_of, sample_ratio
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import compare_cells
from crmlab.report.execution import Execution

N = 6
ORDERS = pd.DataFrame(
    {
        "customer_id": list("abcabc"),
        "ordered_at": pd.date_range("2024-01-01", periods=N, freq="9D"),
        "amount": np.arange(N) + 1.5,
    }
)
BOOKS = {
    "none": None,
    "list": [1, 2],
    "no columns": pd.DataFrame(),
    "empty": ORDERS.iloc[:0],
    "missing amount": ORDERS.assign(amount=np.nan),
    "infinite amount": ORDERS.assign(amount=np.inf),
    "huge amount": ORDERS.assign(amount=1e300),
    "text amount": ORDERS.assign(amount="x"),
    "mixed amount": ORDERS.assign(amount=pd.Series([1, "2", None] * 2, dtype=object)),
    "complex amount": ORDERS.assign(amount=1j),
    "yes and no": ORDERS.assign(amount=True),
    "missing customer": ORDERS.assign(customer_id=None),
    "customers of two types": ORDERS.assign(customer_id=["a", 1] * 3),
    "lists as customers": ORDERS.assign(customer_id=[["a"]] * N),
    "no date": ORDERS.assign(ordered_at="no"),
    "number as date": ORDERS.assign(ordered_at=5),
    "columns twice": pd.concat([ORDERS, ORDERS], axis=1),
}
SUMMARY = pd.DataFrame(
    {
        "customer_id": list("abcd"),
        "days_since_last": [1, 9, 9, 30],
        "occasions": [4, 1, 1, 2],
        "total_spend": [90.0, 10.0, 12.0, 30.0],
    }
)
CURVE = kaplan_meier([1, 2, 3], [True] * 3)


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("reduce", [as_orders, customer_summary, gaps, lambda given: snapshots(given, ["2024-01-20"], 7, 30)])
def test_orders_that_are_none_are_refused(reduce, name):
    if name == "empty" and reduce is as_orders:
        reduce(BOOKS[name])
        return
    with pytest.raises(CrmlabError):
        reduce(BOOKS[name])


@pytest.mark.parametrize(
    "given",
    [
        None,
        SUMMARY.assign(total_spend=np.nan),
        SUMMARY.assign(total_spend=np.inf),
        SUMMARY.assign(total_spend="x"),
        SUMMARY.assign(occasions=pd.Timestamp("2024-01-01")),
        SUMMARY.assign(days_since_last=None),
        SUMMARY.drop(columns="occasions"),
    ],
)
def test_summaries_that_cannot_be_scored_are_refused(given):
    with pytest.raises(CrmlabError):
        score(given)


def test_one_customer_is_a_base_of_one():
    assert segmented(SUMMARY.head(1))["segment"].notna().all()
    assert score(SUMMARY.head(0)).empty


@pytest.mark.parametrize(
    "ask",
    [
        lambda: kaplan_meier([5, 6], [np.nan, 1.0]),
        lambda: kaplan_meier([5, 6], ["False", "True"]),
        lambda: median_time([1, 2]),
        lambda: given_waited(CURVE.drop(columns="variance"), 1.0),
        lambda: at(CURVE, None),
        lambda: at({"time": 1}, 1.0),
        lambda: itemsets([["beer", "milk"], ["milk"]], 1),
        lambda: itemsets(pd.DataFrame({"a": [True, None]}), 1),
        lambda: rules([1, 2]),
        lambda: redundant(None),
        lambda: from_mlxtend(None, 5),
        lambda: hits_of([0, np.nan], [1, 1], [0], [1]),
        lambda: hits_of([0], [1, 2], [0], [1]),
        lambda: list_measures(["a"], [1], [True], [1], 3),
        lambda: list_measures([0], [1], [True], [1], None),
        lambda: mean_with_interval(3.0),
        lambda: stability_index(None, [1.0]),
        lambda: varies("abc"),
        lambda: apportion(None, 3.0),
        lambda: share_of_total(3, [True]),
        lambda: wilson([1, 2], [3, 4]),
        lambda: sample_ratio(None),
        lambda: sample_ratio([[1, 2], [3, 4]]),
        lambda: boundaries([1], [2]),
        lambda: error_of("a", 5),
        lambda: error_of([1.0, 2.0], 5),
        lambda: control_share("two"),
        lambda: SBG().fit(["a", "b"]),
        lambda: GammaGamma().fit(pd.DataFrame({"frequency": [1, 2], "monetary_value": [5.0, 1e308]})),
    ],
)
def test_models_refuse_what_is_none_in_their_own_words(ask):
    with pytest.raises(ModelError) as error:
        ask()
    assert "\n" not in str(error.value)


def test_two_equal_columns_are_named_as_what_they_are():
    values = np.random.default_rng(3).gamma(2, 10, (2, 60))
    cells = {name: CellStatistics.from_values({"s": x, "before": x}) for name, x in zip("ac", values, strict=True)}
    with pytest.raises(ModelError, match="'s' is told entirely by 'before': they are equal, or one follows from the other"):
        compare_cells(cells, control="c", adjust={"s": ["before"]})


def test_spend_of_free_purchases_is_named():
    summary = pd.DataFrame(
        {"frequency": [2, 1, 0], "recency": [5.0, 3, 0], "T": [9.0, 9, 9], "monetary_value": [0.0, 0.0, np.nan]}
    )
    with pytest.raises(ModelError, match="paid for. Found: 2 customers who bought again, whose repeat spend is 0 or less"):
        CustomerValue().fit_spend(summary)


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        ("TooLittleError", "rfm: needs at least one customer with a purchase. Found: none.", ""),
        ("ModelError", "BGNBD: the frame is empty.", ""),
        ("KeyError", "'amount'", "A cell failed: "),
        ("visible", "a name that is no error", "A cell failed: "),
    ],
)
def test_a_condition_of_the_data_is_no_failure_of_a_cell(kind, message, said):
    ended = Execution(kernels=None, environment={}, status="failed", error=message, error_type=kind)
    assert ended.sentence() == said + message


@pytest.mark.proof
def test_days_beyond_nanoseconds_are_days(tmp_path):
    rows = "".join(f"{i},c{i % 4},{dt.date(2600 + i // 4, 5, 1 + i % 4)},10\n" for i in range(16))
    (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{rows}", encoding="utf-8")
    (tmp_path / "own.toml").write_text('title = "Own"\nrounds = "year"\n[orders]\nfile = "own.csv"\n', encoding="utf-8")
    from crmlab.analyses import triggers

    assert triggers.run(crmlab.open_dataset(str(tmp_path / "own.toml"))).findings
