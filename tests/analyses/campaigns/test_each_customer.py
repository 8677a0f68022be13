"""One row per customer of a campaign: what everybody did in the window, and the page's numbers from these rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns import campaign_outcomes
from crmlab.analyses.campaigns.measurement import compared, measured
from crmlab.errors import CampaignError, MissingTableError, ParameterError

OPENS, CLOSES = "2025-03-01", "2025-03-14"


def world(households=None, orders=(), n=8):
    """A gift and its control, four people each; the gift costs 2 where it is taken, a contact 0.5, the cell 4."""
    ids = [f"c{k}" for k in range(n)]
    cells = pd.DataFrame(
        {
            "cell_id": ["gift", "alone"],
            "campaign_id": ["spring", "spring"],
            "control_cell_id": ["alone", None],
            "offer": ["a small gift", None],
            "opens_on": [OPENS, OPENS],
            "closes_on": [CLOSES, CLOSES],
            "cost_per_contact": [0.5, 0.0],
            "fixed_cost": [4.0, 0.0],
            "cost_per_response": [2.0, 0.0],
        }
    )
    contacts = pd.DataFrame({"customer_id": ids, "cell_id": ["gift", "alone"] * (n // 2), "contacted_at": OPENS})
    contacts = contacts.assign(household_id=households or [None] * n)
    given = [("c0", "2025-01-10", 30.0), ("c0", "2025-03-03", 20.0), ("c0", "2025-03-05", -5.0), ("c1", "2025-03-14", 8.0)]
    given += [("c1", "2025-03-15", 99.0), ("c2", "2023-12-01", 50.0), ("c2", "2024-03-10", 7.0), *orders]
    frame = pd.DataFrame(given, columns=["customer_id", "ordered_at", "amount"])
    frame = frame.assign(order_id=[f"o{k}" for k in range(len(frame))])
    tables = {"orders": frame, "cells": cells, "contacts": contacts}
    return crmlab.open_dataset(tables, settings={"margin": 0.4})


def test_a_row_says_what_somebody_did_in_the_window_and_before_it():
    found = campaign_outcomes(world()).set_index("customer_id")
    assert list(found.index) == [f"c{k}" for k in range(8)]
    assert set(found["campaign_id"]) == {"spring"}
    assert found["cell_id"].tolist() == ["gift", "alone"] * 4
    assert found["control_cell_id"].where(found["control_cell_id"].notna(), None).tolist() == ["alone", None] * 4
    first = found.loc["c0"]
    # 20 less 5 that came back; of it 0.4 is margin; the gift was taken; a contact costs 0.5 and a quarter of 4.
    assert first[["response", "spend", "margin", "after_offer", "cost", "profit"]].tolist() == [1, 15.0, 6.0, 4.0, 1.5, 2.5]
    assert first[["before", "orders_before", "recent", "ever"]].tolist() == [30.0, 1, 1, 1]
    assert (str(first["opens"])[:10], str(first["first_day"])[:10]) == (OPENS, "2025-03-03")
    # The last day of the window counts, the day after it does not; a control takes no offer.
    assert found.loc["c1", ["response", "spend", "after_offer", "cost", "profit"]].tolist() == [1, 8.0, 3.2, 0.0, 3.2]
    # Who did nothing is there, and costs a contact; the year before the window is one of 365 days.
    second = found.loc["c2", ["response", "spend", "profit", "before", "orders_before", "recent", "ever"]]
    assert second.tolist() == [0, 0.0, -1.5, 7.0, 1, 0, 1]
    assert pd.isna(found.loc["c2", "first_day"])
    assert found.loc["c3", ["response", "profit", "before"]].tolist() == [0, 0.0, 0.0]


def test_margin_day_and_campaign_can_be_given():
    data = world()
    assert campaign_outcomes(data, "spring", margin=1.0)["margin"].sum() == 23.0
    # As it was known on 4 March: what came later is not there.
    early = campaign_outcomes(data, as_of="2025-03-04").set_index("customer_id")["spend"]
    assert early.to_dict() == {f"c{k}": 20.0 * (k == 0) for k in range(8)}
    assert campaign_outcomes(crmlab.History(data, "2025-03-04"))["spend"].tolist() == early.tolist()


def test_rows_of_a_household_share_a_unit():
    found = campaign_outcomes(world(["h1", "h2", "h1", None, None, None, None, None]))
    assert found["unit"].tolist()[:4] == ["h:h1", "h:h2", "h:h1", "c:c3"]


def many(alone):
    """People whose spend hangs on that of the year before; in pairs of one household, unless alone."""
    random, orders, n = np.random.default_rng(3), [], 400
    before = random.gamma(2, 20, n).round(2)
    bought = random.random(n) < 0.3 + 0.1 * (np.arange(n) % 2 == 0)
    for k in range(n):
        orders.append((f"c{k}", "2024-11-11", before[k]))
        if bought[k]:
            orders.append((f"c{k}", "2025-03-05", round(5 + 0.4 * before[k], 2)))
    return world(None if alone else [f"h{k // 4}-{k % 2}" for k in range(n)], orders, n)


NUMBERS = ["estimate", "low", "high", "p_value", "p_adjusted", "detectable"]


@pytest.mark.parametrize("alone", [True, False])
def test_the_numbers_of_the_page_follow_from_the_rows(alone):
    data, end = many(alone), dt.date(2025, 3, 15)
    page = compared(measured(data, "spring", end)).set_index("metric")
    people = campaign_outcomes(data)
    cost, money = people.groupby("cell_id")["cost"].first(), ["spend", "margin", "after_offer"]
    sums = crmlab.cell_statistics(people, ["response", *money], covariates=["before"], rates=["response"], household="unit")
    cells = {name: one.combine("profit", {"after_offer": 1.0}, -cost[name]) for name, one in sums.items()}
    adjust = {name: ["before"] for name in (*money, "profit")}
    found = crmlab.compare_cells(cells, control="alone", metrics=["response", *adjust], adjust=adjust).set_index("metric")
    np.testing.assert_allclose(found.loc[page.index, NUMBERS].astype(float), page[NUMBERS].astype(float), rtol=1e-9)
    # What is worth most to say: profit is what is left after the offer, less the cost of a contact.
    assert found.loc["profit", "estimate"] == pytest.approx(
        found.loc["after_offer", "estimate"] - (cost["gift"] - cost["alone"])
    )


def test_compare_says_the_same_where_nobody_shares_a_unit():
    metrics = {"response": "rate", "spend": "mean", "margin": "mean", "profit": "mean"}
    covariates = {name: ["before"] for name in ("spend", "margin", "profit")}

    def both(data):
        people = campaign_outcomes(data)
        mine = crmlab.compare(people, cell="cell_id", control="alone", metrics=metrics, covariates=covariates)
        return mine.frame.set_index("metric"), compared(measured(data, "spring", dt.date(2025, 3, 15))).set_index("metric")

    mine, page = both(many(alone=True))
    np.testing.assert_allclose(mine.loc[page.index, NUMBERS].astype(float), page[NUMBERS].astype(float), rtol=1e-7)
    # With households it does not, as its docstring says: only what is not adjusted is the same.
    mine, page = both(many(alone=False))
    assert mine.loc["response", "estimate"] == pytest.approx(page.loc["response", "estimate"])
    for name in ("estimate", "low", "high"):
        assert mine.loc["spend", name] != pytest.approx(page.loc["spend", name], rel=1e-6)


def test_small_cells_are_left_out_and_what_is_no_test_is_said():
    data = world()
    with pytest.raises(CampaignError):
        campaign_outcomes(data, min_group=5)
    with pytest.raises((CampaignError, ParameterError), match="winter"):
        campaign_outcomes(data, "winter")
    with pytest.raises(MissingTableError):
        campaign_outcomes(crmlab.open_dataset("cdnow_sample"))
    with pytest.raises(ParameterError, match="1999"):
        campaign_outcomes(data, as_of="1999-01-01")
