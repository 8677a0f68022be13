"""Whom pairs reach and what they brought, as steps of one's own: counted by hand."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.cross_sell import Params, pairs_worth, sold_together
from crmlab.errors import DataError


def orders():
    """40 buy tea with a cup, 20 tea alone, 40 jam; in the 91 days after that 6 of the 20 and 2 of the 40 buy a cup."""
    rows = [(f"c{k}", "2024-01-15", item) for k in range(40) for item in ("tea", "cup")]
    rows += [(f"c{k}", "2024-01-15", "tea" if k < 60 else "jam") for k in range(40, 100)]
    rows += [(f"c{k}", "2024-02-10", "cup") for k in (*range(40, 46), 60, 61)]
    rows += [("c99", "2024-04-20", "jam")]
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "product_id"])
    return frame.assign(order_id=frame["customer_id"] + frame["ordered_at"], quantity=1, amount=10.0)


@pytest.fixture(scope="module")
def history():
    return crmlab.History(crmlab.open_dataset({"order_lines": orders()}, settings={"margin": 0.5}))


def test_reach_and_rates_are_those_counted_by_hand(history):
    assert history.as_of == dt.date(2024, 4, 20)
    found = sold_together(history)
    assert sorted(found.pairs[["antecedent", "consequent"]].values.tolist()) == [["cup", "tea"], ["tea", "cup"]]
    row = pairs_worth(history, found.pairs, Params(margin=0.5)).iloc[0]
    assert (row["antecedent"], row["consequent"], row["n_both"]) == ("tea", "cup", 40)
    assert row[["reach", "seen", "rate", "other"]].tolist() == [14, 20, 6 / 20, 2 / 40]
    # A cup leaves 5: so much more each of the 20 brought than each of the 40.
    assert row["each"] == pytest.approx(5 * (6 / 20 - 2 / 40))
    assert row["extra"] == pytest.approx(14 * row["each"])


def test_some_of_the_pairs_and_another_choice_will_do(history):
    pairs = sold_together(history).pairs
    assert pairs_worth(history, pairs[pairs["antecedent"] == "tea"])["reach"].tolist() == [14]
    # Tea was last sold in January, and is out of range.
    assert pairs_worth(history, pairs[pairs["antecedent"] == "cup"]).empty
    # So long a history there is not: whom they reach is known, what they brought is not.
    long = pairs_worth(history, pairs, Params(horizon=364))
    assert long["extra"].isna().all()
    assert long["reach"].tolist() == [14]
    with pytest.raises(DataError, match="missing column 'lift_low'"):
        pairs_worth(history, pairs.drop(columns="lift_low"))
