"""No report knows more than its day: rows of later days, as wild as they may be, change nothing on a page of an earlier one.

What counts as dated: every table with a column of times (orders, order lines, contacts, responses), by that column; and customers
by ``acquired_at``, because a row of somebody who was won later was not there on the day. Products and cells are undated and whole:
``available_until``, ``opens_on`` and ``closes_on`` are plans, which may be known before they come true. The ledger tells of files,
whose rows have no day: both data sets bear the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import ibis
import pandas as pd
import pytest

import crmlab
from crmlab.data.tables import TABLES
from crmlab.report import registry

pytestmark = pytest.mark.usefixtures("nothing_remembered")

DAY = dt.date(2025, 8, 25)  # one campaign is open, three are over, one is to come
TIMES = {name: [column.name for column in spec.columns if column.kind == "time"] for name, spec in TABLES.items()}
DATED = {name: columns[0] for name, columns in TIMES.items() if columns} | {"customers": "acquired_at"}
# Somebody with orders, contacts and responses before the day and after it, and in the campaign that is open.
CASES = [(name, {"customer_id": "C000248"} if name == "customer_profile" else {}) for name in registry.report_names()]
CASES += [("campaign_results", {"campaign": "offer_by_creative"})]  # whose window is open: what comes would be a response
SLOW = ("customer_profile", "scorecard")  # put together from the steps of all others, which are looked at by day
WILD = 50  # times what orders of later days come to, so that no sum could hide them

# What a report may say of later rows, by its name; nothing else. Data quality counts the orders after the day, so that its
# amounts add up to those of the file, in two rows of one table: their own, and the total that they belong to.
LATER = {"data_quality": {"tables.amounts": ("Orders kept", "– after the last day of history")}}


def wilder(table):
    """Rows of later days once more, with sums that stand out, signs that do not fit, and contacts of the campaign that is open."""
    changed = {
        name: (table[name] * WILD).cast(table[name].type()) for name in ("amount", "return_amount") if name in table.columns
    }
    if "quantity" in table.columns:
        changed["quantity"] = (-table["quantity"]).cast(table["quantity"].type())
    if "contacted_at" in table.columns:
        changed["cell_id"] = ibis.literal("offer_by_creative-1")
    return table.mutate(**changed)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A shop with all its days, and the same shop cut off at the day."""
    path = tmp_path_factory.mktemp("shop") / "own.toml"
    path.write_text('title = "Own"\ncurrency = "EUR"\n[source]\nkind = "shop"\ncustomers = 600\nseed = 1\n')
    made = crmlab.open_dataset(path)
    whole, cut = {}, {}
    for name in made.tables:
        table = made.table(name)
        whole[name] = cut[name] = table.cache()
        if name in DATED:
            later = table[DATED[name]].date() > DAY if TIMES.get(name) else table[DATED[name]] > DAY
            cut[name] = table.filter(~later.fill_null(False)).cache()
            if name != "customers":
                whole[name] = table.union(wilder(table.filter(later))).cache()
    return replace(made, _tables=whole, fingerprint="whole"), replace(made, _tables=cut, fingerprint="cut")


def said(result) -> dict[str, Any]:
    """Everything that a result says, by name: frames, and texts of what is no frame."""
    found: dict[str, Any] = {f"metrics.{name}": repr(one.to_dict()) for name, one in result.metrics.items()}
    for name in ("title", "context", "warnings", "limits", "method"):
        found[name] = repr(getattr(result, name))
    found["findings"] = [(one.sentence(), one.metric) for one in result.findings]
    found["absent"] = dict(result.absent)
    for kind in ("tables", "charts", "outputs"):
        for name, part in getattr(result, kind).items():
            frame = part.frame
            found[f"{kind}.{name}"] = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
            found[f"{kind}.{name} in words"] = (part.caption, getattr(part, "alt", ""), repr(getattr(part, "columns", "")))
    return found


def same(one, other):
    if not isinstance(one, pd.DataFrame):
        return bool(one == other)
    try:
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    except AssertionError:
        return False
    return True


def differences(first, second):
    """Names of what two results do not say alike."""
    one, other = said(first), said(second)
    return [name for name in sorted({*one, *other}) if name not in one or name not in other or not same(one[name], other[name])]


def without(result, rows):
    """A result without some rows of its tables, each named by its first column."""
    tables = dict(result.tables)
    for key, names in rows.items():
        table = tables[key.removeprefix("tables.")]
        first = table.frame[next(iter(table.columns))]
        assert set(first) & set(names), f"{key} has none of {names}: the exception is out of date"
        tables[key.removeprefix("tables.")] = replace(table, frame=table.frame[~first.isin(names)].reset_index(drop=True))
    return replace(result, tables=tables)


@pytest.mark.proof
def test_much_comes_after_the_day(both):
    whole, cut = both
    assert set(DATED) <= set(whole.tables)
    for name in whole.tables:
        more = whole.table(name).count().execute() - cut.table(name).count().execute()
        assert more > 100 if name in DATED else more == 0, name
    orders = whole.orders.filter(whole.orders["ordered_at"].date() > DAY)
    before = cut.orders["amount"].max().execute()
    assert orders["amount"].max().execute() > 10 * before


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param(name, params, id=" ".join([name, *params.values()]), marks=[pytest.mark.nightly] if name in SLOW else [])
        for name, params in CASES
    ],
)
def test_later_rows_do_not_reach_a_page(both, name, params):
    module = registry.analysis(name)
    given = module.Params(as_of=DAY.isoformat(), **params)
    known, then = (without(module.run(data, given), LATER.get(name, {})) for data in both)
    assert known.metrics
    assert known.tables
    assert not differences(known, then)


@pytest.mark.nightly
def test_rounds_of_a_year_that_goes_on_are_those_that_were_known(tmp_path):
    (tmp_path / "own.toml").write_text('title = "Own"\nrounds = "year"\n[source]\nkind = "donors"\ncustomers = 400\nseed = 1\n')
    whole, day = crmlab.open_dataset(tmp_path / "own.toml"), dt.date(2023, 12, 13)
    orders = whole.orders.filter(whole.orders["ordered_at"].date() <= day)
    assert orders["ordered_at"].max().execute().date() == day
    assert (whole.orders["ordered_at"].date().between(dt.date(2023, 12, 14), dt.date(2023, 12, 31))).sum().execute() > 5
    module = registry.analysis("customer_value")
    known, then = (
        module.run(data, module.Params(as_of=day.isoformat()))
        for data in (whole, replace(whole, _tables={**whole._tables, "orders": orders}))
    )
    assert any("if the year has more to come" in words for words in known.warnings)
    assert not differences(known, then)


@pytest.mark.proof
@pytest.mark.parametrize("name", ["data_quality", "rfm"])
def test_the_comparison_sees_what_a_later_day_brings(both, name):
    module, (whole, cut) = registry.analysis(name), both
    found = differences(module.run(whole, module.Params()), module.run(cut, module.Params()))
    assert {part.split(".")[0] for part in found} >= {"metrics", "tables", "charts", "findings", "context"}
