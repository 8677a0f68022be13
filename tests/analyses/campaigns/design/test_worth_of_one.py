"""What one purchase more is worth: counted by the plan of a test as by what to do now, and said where it comes from."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.actions.people import people_of
from crmlab.analyses.campaigns import design
from crmlab.analyses.campaigns.design.expected import Baseline, Expected, Worth, worth_of_one
from crmlab.analyses.campaigns.design.study import study
from crmlab.history.past import History
from tests.frames import history_of

SEEN = Baseline(share=Expected(value=0.2, source="data"), n=100, buyers=20, spend=80.0, sd=40.0)
NOBODY = Baseline(share=Expected(value=0.05, source="guess"), n=0, buyers=0, spend=float("nan"), sd=0.0)


@pytest.mark.proof
def test_a_plan_and_the_decision_of_today_count_the_same_for_one_purchase_more():
    history = History(crmlab.open_dataset("shop"))
    planned = study(history, design.Params())
    people = people_of(history, (), margin=None, level=0.9, seed=0)
    each = people.frame.set_index("customer_id")["spend"].reindex(planned.people["customer_id"])
    assert planned.terms.source == "model" and planned.terms.spend == pytest.approx(each.mean(), rel=1e-9)
    assert planned.terms.margin == pytest.approx(people.margin * each.mean(), rel=1e-9)
    # December's baskets are larger than those of a usual purchase: they are not what a test in January brings.
    assert planned.terms.spend < 0.7 * planned.base.spend
    assert "one purchase of the people on the list is expected to bring in" in " ".join(
        design.run(history.data).method.assumptions
    )


def test_where_no_model_can_be_fitted_what_was_seen_stands_in():
    orders = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "a"],
            "ordered_at": [dt.datetime(2024, 1, day) for day in (1, 2, 3, 20)],
            "amount": [10.0, 20.0, 30.0, 40.0],
        }
    )
    history = history_of(orders)
    listed = pd.DataFrame({"customer_id": ["a", "b"], "orders": [2, 1], "spend": [50.0, 20.0]})
    assert worth_of_one(history, listed, SEEN) == Worth(80.0, "window")
    assert worth_of_one(history, listed, NOBODY) == Worth(pytest.approx(70 / 3), "list")
    nothing = listed.assign(orders=0, spend=0.0)
    assert worth_of_one(history, nothing, NOBODY) == Worth(1.0, "list")
