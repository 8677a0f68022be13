"""Kind: one thing, two numbers. The value of the same customers was one sum on one page and another on the next, under one name.

Whatever two reports on a data set call by one name is one number there: metrics with their intervals, columns of lists customer by
customer, the published table, and what findings say.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.customers import customer_table
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding
from crmlab.report import registry
from crmlab.report.jobs import runs_unasked
from tests.conftest import once

FLAGS = {True: "yes", False: "no", None: "not known"}
# Of a list, not of the customer in it: what one list says of a row need not be what another does.
OF_THE_LIST = {"customer_id", "product_id", "rank", "offer", "creative", "cell_id", "response_code", "stage", "step"}
# All reports on a data set: a proof.
DATA = [pytest.param(name, marks=pytest.mark.proof) for name in ("shop", "cdnow_sample", "donors")]


def numbers(results):
    """Metric → reports whose numbers under that name are not the same, or not of one level and unit."""
    found = defaultdict(dict)
    for report, result in results.items():
        for name, estimate in result.metrics.items():
            found[name][report] = estimate
    return {name: sorted(some) for name, some in found.items() if len({_exact(one) for one in some.values()}) > 1}


def _exact(estimate):
    ends = (estimate.value, estimate.low, estimate.high)
    return *(None if end is None else float(f"{end:.9g}") for end in ends), estimate.level, estimate.unit


def columns(lists):
    """(Column, list, other list) → how many customers have one value in one list and another in the other."""
    whole = {name: frame.set_index("customer_id") for name, frame in lists.items() if _of_customers(frame)}
    found = {}
    for (one, first), (other, second) in combinations(sorted(whole.items()), 2):
        some = first.index.intersection(second.index)
        for column in sorted(set(first.columns) & set(second.columns) - OF_THE_LIST):
            apart = int((~_same(first.loc[some, column], second.loc[some, column])).sum())
            if apart:
                found[column, one, other] = apart
    return found


def _of_customers(frame):
    return "customer_id" in frame.columns and frame["customer_id"].is_unique


def _same(a, b):
    both = a.isna() & b.isna()
    if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
        x, y = a.to_numpy(dtype=float, na_value=np.nan), b.to_numpy(dtype=float, na_value=np.nan)
        return both | np.isclose(x, y, rtol=1e-9, atol=1e-9)
    return both | (a.astype(object) == b.astype(object))


def both(metrics, lists):
    """Names of numbers that are columns of lists of customers too: the sum, or mean, of all has a name of its own."""
    return set(metrics) & {column for frame in lists.values() if "customer_id" in frame.columns for column in frame.columns}


def sentences(results):
    """Metric → what findings of reports say of it, where that is not the same; or where its page has no such number."""
    found = defaultdict(set)
    for result in results.values():
        for finding in result.findings:
            if finding.metric:
                found[finding.metric].add(
                    (finding.value, finding.interval if finding.metric in result.metrics else "no number")
                )
    return {name: some for name, some in found.items() if len(some) > 1 or any(ends == "no number" for _, ends in some)}


@pytest.fixture(scope="module", params=DATA)
def results(request, opened_once, result_of):
    history = opened_once(request.param)
    names = [name for name in registry.REPORTS if runs_unasked(name)]
    return {name: result_of(name, request.param) for name in names if set(registry.analysis(name).NEEDS) <= set(history.holds)}


@pytest.fixture(scope="module")
def published(opened_once, results):
    name = results["rfm"].context.dataset
    return once(f"published-{name}", lambda: customer_table(opened_once(name)))


def test_a_metric_of_two_reports_is_one_number(results):
    assert len(results) > 5
    assert numbers(results) == {}


def test_a_column_of_two_lists_says_one_thing_of_a_customer(results, published):
    lists = {f"{report}.{key}": output.frame for report, result in results.items() for key, output in result.outputs.items()}
    flags = [FLAGS[one] for one in published["contactable"]]
    told = published.assign(contactable=flags, refusal=published["refusal"].fillna("")).drop(columns="as_of")
    assert columns({**lists, "published": told}) == {}


def test_no_name_is_that_of_a_customers_number_and_of_the_sum(results, published):
    lists = {f"{report}.{key}": output.frame for report, result in results.items() for key, output in result.outputs.items()}
    metrics = {name for result in results.values() for name in result.metrics}
    assert both(metrics, {**lists, "published": published}) == set()


def test_findings_of_one_metric_say_one_thing(results):
    assert sentences(results) == {}


def test_pages_are_about_the_same_customers(results):
    known = {result.metrics["customer_base"].value for result in results.values() if "customer_base" in result.metrics}
    shown = {float(result.context.customers) for result in results.values() if result.context.customers is not None}
    assert len(known | shown) == 1


class Page:
    """A result with numbers and findings only."""

    def __init__(self, metrics, findings=()):
        self.metrics, self.findings = metrics, findings


def test_what_is_not_the_same_is_found():
    whole = Estimate(1.5, 1.3, 1.7, 0.9, "EUR")
    assert numbers({"a": Page({"value": whole}), "b": Page({"value": whole}), "c": Page({"other": Estimate(2.0)})}) == {}
    for other in (Estimate(1.8, 1.3, 1.7, 0.9, "EUR"), Estimate(1.5, 1.3, 1.7, 0.95, "EUR"), Estimate(1.5, unit="EUR")):
        assert numbers({"a": Page({"value": whole}), "b": Page({"value": other})}) == {"value": ["a", "b"]}
    said = [Finding("€1.5M", "is the value.", "€1.3–1.7M", "value")]
    assert sentences({"a": Page({"value": whole}, said), "b": Page({"value": whole}, said)}) == {}
    apart = [Finding("€1.8M", "is the value.", "", "value")]
    assert set(sentences({"a": Page({"value": whole}, said), "b": Page({"value": whole}, apart)})) == {"value"}
    assert set(sentences({"a": Page({}, said)})) == {"value"}
    one = pd.DataFrame({"customer_id": ["a", "b", "c"], "tier": ["A", "B", None], "value": [1.0, 2.0, np.nan]})
    two = pd.DataFrame({"customer_id": ["c", "a"], "tier": [None, "B"], "value": [np.nan, 1.0]})
    assert columns({"one": one, "two": two}) == {("tier", "one", "two"): 1}
    assert columns({"one": one, "rows": pd.concat([two, two])}) == {}  # several rows of a customer
    assert both({"value", "value_total"}, {"one": one, "cells": pd.DataFrame({"value_total": [1]})}) == {"value"}
