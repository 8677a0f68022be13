"""Advice is computed from the numbers beside it: what is named best is best, and nothing is advised where it cannot pay."""

from __future__ import annotations

import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses import churn
from crmlab.analyses.churn import exhibits, words
from crmlab.analyses.churn.contacting import PAYS, TOO_DEAR, estimates_of, holdout_sizes, matrix_of
from crmlab.analyses.churn.trials import Trial
from crmlab.history.context import Margin
from crmlab.history.costs import ContactCosts
from crmlab.history.words import WEEKS
from crmlab.page.estimate import Estimate
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format

PARAMS = churn.Params()


def listed(*cells):
    """A list of customers: tier, probability, profit of each, how many, and how many of these must not be contacted."""
    rows = [
        {
            "tier": tier, "churn": p, "at_stake": 100.0, "expected_loss": 100 * p, "profit_of_contact": profit,
            "contactable": "no" if k < barred else "yes",
            "keeping_pays": "no: has complained" if k < barred else PAYS if profit > 0 else TOO_DEAR,
        }
        for tier, p, profit, count, barred in cells
        for k in range(count)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(customer_id=lambda frame: [f"c{k:04d}" for k in range(len(frame))])


def studied(frame, params=PARAMS, told=0.5, seen=0.5):
    """A study of a list, whose scores are as they stand there."""
    test = pd.DataFrame({"probability": [told] * 1000, "churned": np.arange(1000) < 1000 * seen})
    scores = pd.DataFrame(
        {"value": [0.0], "low": [-0.1 if told == seen else 0.05], "high": [0.1]},
        index=pd.MultiIndex.from_tuples([("recency", "intercept")]),
    )
    tested = Trial(
        used="recency", chosen="logistic", scores=scores, validation=pd.DataFrame(), difference=None, test=test,
        importance=pd.DataFrame(), reason="",
    )  # fmt: skip
    p = frame["churn"].to_numpy(float)
    scorer = SimpleNamespace(
        total=lambda rows, weight, level: (float(p @ weight), float(p @ weight) - 1, float(p @ weight) + 1),
        draws=lambda rows, count, seed: np.tile(p, (count, 1)),
    )
    found = SimpleNamespace(
        rows=frame, scorer=scorer, tested=tested, margin=Margin(0.4, "given", 1.0), words=WEEKS, money="margin", tiers=True, refused=False,
        worth=pd.DataFrame({"most": np.full(len(frame), np.inf)}), costs=ContactCosts(1.0, 10.0), past=(),
    )  # fmt: skip
    return SimpleNamespace(
        listed=frame, params=params, matrix=matrix_of(frame), sizes=holdout_sizes(frame, params), found=found, tested=tested,
        estimates=estimates_of(found, frame, params, "EUR"), context=SimpleNamespace(form=Format("EUR")),
        scheme=SimpleNamespace(window=60, active_within=120, origins=(dt.date(2024, 11, 1),)),
    )  # fmt: skip


SOME = listed(
    ("A", 0.3, 9.5, 40, 0), ("A", 0.9, 30.0, 3, 0), ("B", 0.6, 4.0, 60, 10), ("C", 0.6, -2.0, 100, 0), ("D", 0.1, -7.0, 50, 5)
)


def test_the_cell_that_is_named_is_the_best_that_is_shown():
    chart = exhibits.matrix_chart(studied(SOME))
    # The three at 30 are too few to be shown, and those at 9.50, who are the next fewest, are hidden with them: else the total would
    # tell of the three.
    assert chart.caption.endswith("Contact would bring most in tier B where the probability of churn is 50 to 75%: €200.")
    best = chart.frame.loc[chart.frame["profit"].idxmax()]
    assert (best["tier"], best["risk"], best["profit"]) == ("B", "50 to 75%", 200.0)


def test_nobody_is_called_worth_contacting_where_it_cannot_pay():
    study = studied(SOME)
    table = exhibits.matrix_table(study).frame.set_index(["tier", "risk"])["what"]
    assert table.to_dict() == {
        ("A", "25 to 50%"): "",
        ("A", "over 75%"): "",
        ("B", "50 to 75%"): "50 of 60",
        ("C", "50 to 75%"): "nobody",
        ("D", "under 25%"): "nobody",
        ("", "Small groups, together"): "",
        ("", "Worth contacting, but not shown above"): "43",
        ("", "All"): "93 of 253",
    }
    said = words.findings(study)[2].sentence()
    assert (
        said.startswith("93 (93 to 193, at 90%) customers would be worth contacting")
        and "Another 10 would be worth it, but must not be contacted." in said
    )


def test_where_it_would_pay_nowhere_the_page_says_so():
    study = studied(listed(("A", 0.3, -1.0, 40, 0), ("B", 0.6, -4.0, 60, 0)))
    assert exhibits.matrix_chart(study) == Absent("Contact would not pay in any group.")
    assert set(exhibits.matrix_table(study).frame["what"]) == {"nobody"}
    assert set(exhibits.matrix_table(study).frame["profit"]) == {0.0}
    assert words.findings(study)[2].text.startswith("customers would be worth contacting: even if")


def test_a_cell_brings_what_those_bring_who_are_to_be_contacted():
    mixed = pd.concat([listed(("A", 0.3, 1.0, 20, 0)), listed(("A", 0.3, -9.0, 40, 0))], ignore_index=True)
    chart = exhibits.matrix_chart(studied(mixed))
    assert "In all, contact would bring €20.00 from 20 customers. " in chart.caption
    assert chart.caption.endswith("Contact would bring most in tier A where the probability of churn is 25 to 50%: €20.00.")
    assert chart.frame[["what", "profit"]].to_numpy().tolist() == [["20 of 60", 20.0]]


def number(text):
    found = re.search(r"\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else 0


@pytest.mark.parametrize("seed", range(8))
def test_cells_add_up_to_the_headline_and_no_small_group_follows_from_them(seed):
    rng = np.random.default_rng(seed)
    cells = [
        (tier, p, round(float(rng.normal(0, 9)), 2), int(rng.choice([1, 3, 7, 30, 400])), 0)
        for tier in "ABCD" for p in (0.1, 0.4, 0.6, 0.9) for _ in range(2)
    ]  # fmt: skip
    study = studied(listed(*cells))
    table, chart, form = exhibits.matrix_table(study).frame, exhibits.matrix_chart(study), Format("EUR")
    parts, all_ = table.iloc[:-1], table.iloc[-1]
    headline = study.estimates
    shown = parts[~parts["customers"].str.startswith("under")]
    assert shown["customers"].map(number).sum() == number(all_["customers"]) == len(study.listed)
    told = parts[parts["profit"].notna()]
    assert told["profit"].sum() == pytest.approx(all_["profit"], abs=0.005)
    assert all_["profit"] == pytest.approx(headline["profit_of_contact_total"].value, abs=0.005)
    assert told["what"].map(number).sum() == number(all_["what"]) == headline["worth_contacting"].value
    assert (
        f"In all, contact would bring {form.amount(all_['profit'])} from {form.count(number(all_['what']))} customers"
        in chart.caption
    )
    for label, hidden in (("Small", parts["customers"].str.startswith("under")), ("Worth", parts["profit"].isna())):
        together = parts[parts["risk"].str.startswith(label)]
        hidden &= parts["tier"] != ""
        assert len(together) == int(hidden.any()) and hidden.sum() != 1
        for _, row in together.iterrows():
            assert number(row["customers" if label == "Small" else "what"]) >= 5


def test_one_customer_is_one():
    said = words.findings(studied(listed(("A", 0.6, 9.0, 1, 0), ("B", 0.6, -4.0, 60, 0))))[2].sentence()
    assert said.startswith("1 (1 to 61, at 90%) customer would be worth contacting")


def test_what_would_be_worth_it_is_not_yet_what_is_done():
    many, few = (words.findings(studied(listed(("A", 0.6, 9.0, count, 0), ("B", 0.6, -4.0, 60, 0)))) for count in (40, 6))
    for found in (many, few):
        assert "is decided on the page “What to do now”" in found[2].text
        assert "customers who bought in the last 120 days" in found[0].text and found[0].value.startswith("About ")
    said = "an offer of €10 would pay for itself with almost no one"
    assert said in few[2].text and said not in many[2].text
    assert isinstance(exhibits.holdout_table(studied(listed(("A", 0.6, 9.0, 6, 0)))), Absent)


@pytest.mark.parametrize(
    ("count", "window", "says"),
    [
        (1200, 60, ""),  # two groups of 241 are enough
        (300, 60, "with a fifth left out at random each time, 3 rounds together (180 days) would show it."),
        (60, 60, "it would take 13 rounds of 60 days"),
        (29, 60, "too few to build on"),
    ],
)
def test_a_list_that_is_too_short_for_its_test_says_what_it_would_take(count, window, says):
    study = studied(listed(("A", 0.4, 9.0, count, 0)))
    study.scheme.window = window
    row = study.sizes.set_index("saving").loc[0.3]
    said = words.findings(study)[2].text
    assert ("too short" in said) == (2 * row["kept_out"] > count >= 30) and says in said
    if row["rounds"] > 1 and says and count >= 30:
        assert f"{row['rounds']:.0f} rounds" in said


@pytest.mark.parametrize("level", [0.9, 0.1])
def test_intervals_are_at_least_as_wide_as_the_forecast_was_off(level):
    right, off = (studied(SOME, churn.Params(level=level), 0.6, seen) for seen in (0.6, 0.5))
    count = len(SOME)
    for name, miss in (
        ("expected_churners", 0.1 * count),
        ("expected_loss_total", off.estimates["expected_loss_total"].value / 6),
    ):
        found: Estimate = off.estimates[name]
        assert found.value - found.low >= miss - 1e-9 and found.high - found.value >= miss - 1e-9
        assert right.estimates[name].low == pytest.approx(right.estimates[name].value - 1)
    assert off.estimates["profit_of_contact_total"].high > off.estimates["profit_of_contact_total"].value
    said = words.findings(off)[0].text
    assert (
        "On the test day, 1 November 2024, 60% were forecast to churn and 50% did; today’s number may be just as far out."
        in said
    )
    assert "as far out" not in words.findings(right)[0].text


def test_the_page_of_the_shop_is_so(result_of):
    result = result_of("churn", "shop")
    cells = result.charts["matrix"].frame
    best = cells.loc[cells["profit"].idxmax()]
    assert (
        f"Contact would bring most in tier {best['tier']} where the probability of churn is {best['risk']}:"
        in result.charts["matrix"].caption
    )
    frame = result.outputs["customers"].frame
    assert ((frame["keeping_pays"] == PAYS) == ((frame["profit_of_contact"] > 0) & (frame["contactable"] != "no"))).all()
    assert ((frame["refusal"] != "") == (frame["contactable"] == "no")).all()
