"""Customers of periods side by side: the same on both engines, the same sums as the engine's own."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from crmlab.analyses.scorecard.estimation import change, estimates, panel
from crmlab.analyses.scorecard.reductions import calendar, customer_periods, periods
from crmlab.data.dataset import open_dataset
from crmlab.history.orders import history
from tests.frames import receipts

ORDERS = receipts(
    ("1", "a", "2024-01-05", 10.0), ("2", "b", "2024-01-09", 20.0), ("3", "a", "2024-02-02", 30.0), ("4", "c", "2024-02-03", 5.0),
    ("5", "b", "2024-02-04", -2.0), ("6", "c", "2024-03-03", 7.0), ("7", "b", "2024-03-04", 9.0),
)  # fmt: skip
MONTHS = calendar(dt.date(2024, 1, 1), dt.date(2024, 3, 31), "month")


@pytest.mark.spark
def test_panel_of_both_engines(both):
    found = []

    def reduce(orders):
        table = customer_periods(orders, MONTHS)
        found.append(panel(table, [2, 1]))
        return table.select("number", "customer_id")

    both(reduce, orders=ORDERS)
    for one in found:
        assert one.customers.tolist() == ["a", "b", "c"]
        assert one.of(1, "revenue").tolist() == [30.0, -2.0, 5.0]
        assert one.influence(1, "customers") == (2.0, pytest.approx([1, 0, 1]))
        assert one.influence(1, "new")[1].tolist() == [0, 0, 1]
        assert one.influence(1, "lost")[1].tolist() == [0, 1, 0]
        assert one.influence(2, "kept")[1].tolist() == [0, 0, 1]
        assert one.influence(2, "resumed")[1].tolist() == [0, 1, 0]
        assert one.influence(1, "margin") is None
        assert one.of(3, "revenue") is None


def test_influences_of_ratios_add_up_to_nothing():
    data = open_dataset("shop")
    first, last = history(data.orders)
    spans = calendar(first, last, "quarter")
    table = customer_periods(data.orders, spans, data.order_lines, data.products)
    one = panel(table, [len(spans) - 1])
    sums = estimates(periods(data.orders, spans, data.order_lines, data.products), spans)
    now = sums[sums["number"] == len(spans) - 1].set_index("measure")["value"]
    for name in ("average_order_value", "products_per_customer", "returned_share", "margin_share", "spend_per_occasion"):
        value, moved = one.influence(len(spans) - 1, name)
        assert value == pytest.approx(now[name], rel=1e-9)
        # Everybody a little more of both moves no ratio.
        assert moved.sum() == pytest.approx(0, abs=1e-9)


def test_interval_of_a_change_holds_its_level():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        before = rng.gamma(2.0, 10.0, 300) * (rng.random(300) < 0.8)
        after = before * rng.gamma(50.0, 0.022, 300) + rng.gamma(1.0, 2.0, 300) * (rng.random(300) < 0.2)
        found = change((before.sum(), before), (after.sum(), after), level=0.9)
        # Expected: 0.8 × 20 = 16 before; 16 × 1.1 + 0.2 × 2 = 18 after.
        held += found[1] <= 18 / 16 - 1 <= found[2]
    # 90% of 400, less three standard errors of a binomial share.
    assert held / 400 >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 400)
    assert held / 400 <= 0.9 + 3 * np.sqrt(0.9 * 0.1 / 400)
