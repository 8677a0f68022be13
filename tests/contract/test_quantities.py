"""One dictionary: every metric, every column of a list and every column that is published means one thing, in one unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns.commands import FILE_COLUMNS
from crmlab.analyses.customers import PUBLISHED
from crmlab.analyses.customers.columns import GROUPS
from crmlab.page.quantities import Quantities, Quantity
from crmlab.report import registry
from crmlab.report.jobs import runs_unasked
from crmlab.report.saving import rounded
from tests.conftest import once

NAMES = sorted(registry.REPORTS)
SOME = [
    *(("shop", name) for name in NAMES),
    *(pytest.param("donors", name, marks=pytest.mark.proof) for name in NAMES),
    *(pytest.param("cdnow_sample", name, marks=pytest.mark.proof) for name in NAMES),
]
CUSTOMERS = {"shop": "C000001", "donors": "D00001", "cdnow_sample": "00050"}
TEXTS = ("text", "date", "flag")


@pytest.fixture(scope="module")
def found(opened_once, result_of):
    def of(name, data):
        module, history = registry.analysis(name), opened_once(data)
        if not set(module.NEEDS) <= set(history.holds):
            return None
        if runs_unasked(name):
            return result_of(name, data)
        params = module.Params(customer_id=CUSTOMERS[data])
        return once(f"result-{name}-{data}", lambda: module.run(history, params))

    return of


@pytest.mark.parametrize(("data", "name"), SOME)
def test_every_metric_and_column_is_in_the_dictionary_with_its_unit(found, opened_once, data, name):
    result, known = found(name, data), registry.analysis(name).QUANTITIES
    if result is None:
        return
    for metric, estimate in result.metrics.items():
        unit = known[metric].unit
        assert estimate.unit == (opened_once(data).currency if unit == "currency" else unit), metric
    for key, output in result.outputs.items():
        for column in output.frame.columns:
            numbers = output.frame[column].dtype.kind in "iuf" and output.frame[column].notna().any()
            assert numbers <= (known[column].unit not in TEXTS), f"{key}.{column}"
        assert rounded(output.frame, known).dtypes.equals(output.frame.dtypes)


@pytest.mark.parametrize(("data", "name"), SOME)
def test_what_is_counted_has_no_interval_and_all_else_has_one(found, data, name):
    result, known = found(name, data), registry.analysis(name).QUANTITIES
    if result is None:
        return
    inferred = {metric for metric, estimate in result.metrics.items() if estimate.low is not None}
    assert inferred == {metric for metric in result.metrics if not known[metric].counted}
    # Nor does the sentence that shows it put one beside it.
    assert not [one.sentence() for one in result.findings if one.interval and one.metric and known[one.metric].counted]


def of_one_file(**told):
    """Results of a test in one file, which a data set of orders cannot have."""
    draw = np.random.default_rng(2)
    arm = draw.choice(["letter", "none"], 800)
    bought = draw.random(800) < np.where(arm == "letter", 0.4, 0.2)
    people = pd.DataFrame({"arm": arm, "bought": bought, "spend": bought * draw.gamma(2, 20, 800)})
    section = {"cell": "arm", "control": "none", "cost": 2.0, **told}
    data = crmlab.open_dataset({"test": people}, settings={"test": section, "currency": "EUR", "margin": 0.5})
    return registry.analysis("campaign_results").run(data)


@pytest.fixture(scope="module")
def one_files():
    return [of_one_file(outcomes=["bought"]), of_one_file(outcomes={"bought": "rate", "spend": "money"})]


def test_a_test_in_one_file_keeps_to_the_dictionary(one_files):
    known = registry.analysis("campaign_results").QUANTITIES
    for result in one_files:
        for metric, estimate in result.metrics.items():
            assert estimate.unit == ("EUR" if known[metric].unit == "currency" else known[metric].unit), metric
            assert (estimate.low is None) == known[metric].counted, metric
        for output in result.outputs.values():
            assert rounded(output.frame, known).dtypes.equals(output.frame.dtypes)


@pytest.mark.proof
def test_every_quantity_is_shown_by_somebody(found, result_of, one_files):
    shown = {*(column.name for column in PUBLISHED), *(name for group in GROUPS for name in group.columns), *FILE_COLUMNS}
    results = [found(name, "shop") for name in NAMES]
    # Some are shown only where it is not known what products, or offers, cost.
    campaigns = ("campaign_design", "campaign_results")
    results += [result_of(name, "shop without unit costs") for name in (*campaigns, "churn")]
    results += [result_of(name, "shop without costs of offers") for name in campaigns]
    for result in [*results, *one_files]:
        shown |= {*result.metrics, *(column for output in result.outputs.values() for column in output.frame.columns)}
    dead = [one for one in registry.dictionary() if not any(name in Quantities(one) for name in shown)]
    # The goals of the shop are sums of money and numbers per customer; those of others may count customers, or be shares. Its customers
    # buy again, so that their spend need not stand in for value, nobody is said to have brought another, and service has no price.
    elsewhere = ("last_year_spend", "referrals", "referral_value", "cost_of_returns", "cost_of_tickets", "cost_to_serve")
    assert [(one.name, one.unit) for one in dead if one.name not in elsewhere] == [
        ("goal_{metric}_{day}", "customers"),
        ("goal_{metric}_{day}", "share"),
    ]


def test_every_published_column_and_criterion_is_in_the_dictionary():
    known = registry.dictionary()
    assert known.lacks([column.name for column in PUBLISHED]) == []
    assert known.lacks([name for group in GROUPS for name in group.columns]) == []
    assert known.lacks(FILE_COLUMNS) == []


def test_every_meaning_reads_as_one_of_a_table():
    for one in registry.dictionary():
        assert one.meaning and not one.meaning[:1].isspace() and not one.meaning.endswith("."), one


def test_one_name_has_one_meaning():
    with pytest.raises(ValueError, match="'value' has two meanings: 'what comes' and 'what came'"):
        Quantities(Quantity("value", "what comes"), Quantities(Quantity("value", "what came")))
    same = Quantity("value", "what comes")
    assert len(Quantities(same, Quantities(same))) == 1
