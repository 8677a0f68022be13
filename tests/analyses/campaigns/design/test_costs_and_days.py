"""What a design says of its costs and its days: discounts that offers name, gifts beside contacts, windows that are still open."""

from __future__ import annotations

import datetime as dt
import re

import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns import design
from crmlab.analyses.campaigns.design.laying import days_of
from crmlab.analyses.campaigns.design.money import discount_in
from crmlab.analyses.campaigns.design.params import Params
from crmlab.analyses.campaigns.design.study import study
from crmlab.history.past import History

pytestmark = pytest.mark.usefixtures("nothing_remembered")


@pytest.fixture(scope="module")
def sample():
    return crmlab.open_dataset("cdnow_sample")


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("10 % off", 0.1),
        ("20% off", 0.2),
        ("-15 %", 0.15),
        ("−15 %", 0.15),
        ("10 % Rabatt", 0.1),
        ("12,5\u00a0% off", 0.125),
        ("0 % off", None),
        ("100 % off", None),
        ("up to 50 % off", None),
        ("10 % more", None),
        ("10 %", None),
        ("small gift", None),
        ("5 off", None),
    ],
)
def test_a_discount_is_read_only_where_the_offer_is_one(text, share):
    assert discount_in(text) == share


@pytest.mark.proof
def test_a_discount_is_taken_off_revenue(sample):
    given = {"offers": ("10 % off",), "fit": False, "rounds": 1}
    off = study(History(sample), Params(**given))
    rate, rise = off.terms.base.value, off.cells["expected"].iloc[0]
    n, spend = off.cells["customers"].iloc[0], off.terms.spend
    assert not off.has_margin
    assert off.given_away == pytest.approx(0.1 * spend * n * (rate + rise))
    assert off.total[0] == pytest.approx(n * rise * spend - off.given_away)
    text = design.run(sample, design.Params(**given)).findings[2].text
    assert "after the discount" in text and "gives away" in text and "before the cost" not in text
    text = design.run(sample, design.Params(**given | {"offers": ("small gift",)})).findings[2].text
    assert "before the cost of the offer" in text and "gives away" not in text


@pytest.mark.proof
def test_what_is_expected_to_lose_is_not_sent(sample):
    result = design.run(sample, design.Params(offers=("10 % off",), power=0.02))
    assert result.findings[0].value == "Do not test this now"
    assert "expected loss" in result.findings[0].text and "the offer about" in result.findings[0].text
    assert set(result.outputs) == {"could_be_tested", "left_out"}
    # Where one of two offers has to go, it is that which loses.
    kept = study(History(sample), Params(offers=("10 % off", "small gift")))
    assert all(plan.cells in (("next-2",), ("next-1", "next-2")) for plan in kept.tried)


@pytest.mark.proof
def test_contacts_and_offers_are_told_together_and_each_contact_by_itself():
    shop = crmlab.open_dataset("shop")
    result = design.run(shop)
    plan, least, profit = result.findings
    assert re.search(r"Contacts cost €[\d.,]+ and the offer about €[\d.,]+, €[\d.,]+ in all\.", plan.text)
    found = study(History(shop), Params())
    assert found.given_away == pytest.approx(
        2.5 * found.cells["customers"].iloc[0] * (found.terms.base.value + found.expected.value), rel=1e-6
    )
    assert "Contacts cost" not in profit.text and plan.metric == "in_cells" and "after all costs" in profit.text
    # A chance that may be small is no headline, and not told without the interval of the rise on which it hangs.
    low, high = found.plan.span()
    assert low < 0.2 and high > 0.995 and least.value == "4.6 points" and least.metric == "detectable_effect"
    assert re.search(
        r"expected is 7\.5 points more who buy \(−0\.1 to 15\.0, at 95%\).*; if that is right, .* a chance of over 99%",
        least.text,
    )
    # The last open window closes on 13 January.
    assert found.design.cells["opens_on"].astype(str).unique().tolist() == ["2026-01-14"]
    assert any("14 January 2026" in one and "latest" in one for one in result.warnings)


@pytest.mark.proof
def test_no_report_is_named_that_does_not_show_it(sample):
    for data in (sample, crmlab.open_dataset("shop")):
        result, found = design.run(data), study(History(data), Params())
        shown = {one.value for one in found.past.components if one.component == "offer"}
        offers = {row["offer"] for row in found.design.treated.to_dict("records")}
        assert ("as the report on campaign results has it" in result.method.source) == (offers <= shown)


def test_the_window_waits_for_those_that_are_open():
    end, none = dt.date(2025, 12, 31), pd.DataFrame(columns=["days"])
    told = pd.DataFrame(
        {
            "campaign_id": ["a", "b", "c", "d", "e"],
            "opens_on": [dt.date(2025, 12, 1), dt.date(2025, 12, 9), dt.date(2026, 1, 5), None, dt.date(2025, 1, 1)],
            "closes_on": [dt.date(2025, 12, 31), dt.date(2026, 1, 9), dt.date(2026, 2, 1), dt.date(2026, 2, 1), dt.date(9999, 12, 31)],
        }
    )  # fmt: skip
    assert days_of(end, none, told, Params()) == (dt.date(2026, 1, 10), dt.date(2026, 2, 6), ("b",))
    assert days_of(end, none, told, Params(opens_on="2026-01-02"))[::2] == (dt.date(2026, 1, 2), ())
    assert days_of(end, none, told, Params(closes_on="2026-01-08"))[::2] == (dt.date(2026, 1, 1), ())
    assert days_of(end, none, told.head(1), Params())[0] == dt.date(2026, 1, 1)
