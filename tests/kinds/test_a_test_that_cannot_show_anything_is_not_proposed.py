"""A plan shows what it says with the chance that it says; where none can, the page says so and has no list to send."""

import re

import numpy as np
import pytest

import crmlab
from crmlab.analyses.campaigns import design
from crmlab.analyses.campaigns.design.expected import Expected
from crmlab.analyses.campaigns.design.money import Terms
from crmlab.analyses.campaigns.design.search import LONGEST, MOST_ROUNDS, Limits, Setting, find_plan
from crmlab.history.past import History

pytestmark = pytest.mark.usefixtures("nothing_remembered")

DRAWS = 20_000


def setting(base, effects, window=28, times=1):
    terms = Terms(
        base=Expected(value=base, source="given"), spend=40.0, sd=30.0, margin=20.0, cost=0.5, fixed=0.0, power=0.8, level=0.95,
    )  # fmt: skip
    of = {name: Expected(value=value, source="given") for name, value in effects.items()}
    return Setting(window=window, times=times, terms=terms, effects=of)


def found(base, effects, people, longer=lambda _: None, **limits):
    return find_plan(setting(base, effects), longer, Limits(people=people, least=5, **limits))


def shown(plan, base, cell):
    """Share of simulated tests in which a cell is shown to do more than the control.

    By Wald's z, and the bar that the largest of the cells' |z| passes in 1 of 20 tests where none does anything.
    """
    rng = np.random.default_rng(3)

    def tests(rates):
        # Rounds are drawn anew, and pooled.
        bought = {
            name: rng.binomial(n, rates[name], (DRAWS, plan.rounds)).sum(axis=1) / (plan.rounds * n)
            for name, n in plan.sizes.items()
        }
        error = {name: share * (1 - share) / (plan.rounds * plan.sizes[name]) for name, share in bought.items()}
        return {name: (bought[name] - bought[""]) / np.sqrt(error[name] + error[""]) for name in plan.cells}

    nothing = dict.fromkeys(plan.sizes, base)
    bar = np.quantile(np.abs(list(tests(nothing).values())).max(axis=0), 0.95)
    effects = {name: base + plan.setting.effects[name].value for name in plan.cells}
    return float((tests(nothing | effects)[cell] > bar).mean())


@pytest.mark.parametrize(
    ("effects", "people", "cells", "rounds"),
    [
        ({"a": 0.06, "b": 0.05}, 4400, ("a", "b"), 1),  # as asked
        ({"a": 0.06, "b": 0.02}, 1600, ("a",), 1),  # fewer cells
        ({"a": 0.03, "b": 0.02}, 2000, ("a",), 3),  # several rounds
    ],
)
def test_the_plan_has_the_power_that_it_says(effects, people, cells, rounds):
    plan, tried = found(0.2, effects, people)
    assert (plan.cells, plan.rounds) == (cells, rounds)
    assert plan is tried[-1] and all(one.chance < 0.8 <= plan.chance for one in tried[:-1])
    for cell in cells:
        chance = plan.chances[cell]
        assert shown(plan, 0.2, cell) == pytest.approx(chance, abs=0.015)


def test_a_longer_window_is_tried_before_rounds_and_within_a_year():
    def longer(times):
        return setting(0.4, {"a": 0.04}, 28 * times, times)

    plan, _ = found(0.2, {"a": 0.02}, 5000, longer)
    assert (plan.setting.window, plan.rounds) == (56, 1)
    plan, tried = found(0.2, {"a": 0.002}, 500, longer)
    assert plan.chance < 0.8 and plan is max(tried, key=lambda one: one.chance)
    assert max(one.rounds * one.setting.window for one in tried) <= LONGEST and max(one.rounds for one in tried) == MOST_ROUNDS
    fixed = Limits(people=500, least=5, fewer=False, longer=False, rounds=2)
    _, forced = find_plan(setting(0.2, {"a": 0.002, "b": 0.002}), longer, fixed)
    assert [(one.cells, one.rounds) for one in forced] == [(("a", "b"), 2)]


@pytest.fixture(scope="module")
def donors():
    return crmlab.open_dataset("donors")


@pytest.fixture(scope="module")
def page(donors):
    return design.run(donors)


def said(result):
    parts = [finding.sentence() for finding in result.findings] + [*result.warnings, *result.limits]
    parts += [f"{table.caption} {re.sub('<[^>]*>', ' ', table.html())}" for table in result.tables.values()]
    return " ".join(
        [*parts, *(f"{chart.caption} {chart.alt} {re.sub('<[^>]*>', ' ', chart.html())}" for chart in result.charts.values())]
    )


@pytest.mark.proof
def test_where_no_test_can_the_page_says_so_and_has_no_list_to_send(page, donors):
    first = page.findings[0]
    assert first.value == "Do not test this now" and first.metric == "chance"
    assert page.metrics["chance"].value < 0.8
    assert "bolder offer" in first.text
    assert set(page.outputs) == {"could_be_tested", "left_out"}
    listed, history = page.outputs["could_be_tested"].frame, History(donors)
    assert list(listed.columns) == ["customer_id", "contactable", "refusal"]
    assert listed["contactable"].tolist() == history.contactable(listed["customer_id"])
    assert {"cells", "money", "balance"} <= set(page.absent)
    # No size is advised that is larger than all who are known.
    people = len(page.outputs["could_be_tested"].frame) + len(page.outputs["left_out"].frame)
    numbers = [
        int(one.replace(",", "")) for one in re.findall(r"\d{1,3}(?:,\d{3})+|\d{4,}", said(page)) if not one.startswith("20")
    ]
    assert numbers and max(numbers) <= people


@pytest.mark.proof
def test_a_chance_that_rests_on_a_guess_is_no_headline():
    result = design.run(crmlab.open_dataset("cdnow_sample"), design.Params(criteria="days_since_last at most 400", effect=None))
    test = design.run(crmlab.open_dataset("cdnow"), design.Params(cost_per_contact=0.2))
    for page in (result, test):
        first, second = page.findings[0], page.findings[-1]
        if first.value == "Do not test this now":
            continue
        assert first.value.startswith("Test “") and first.metric == "in_cells" and "%" not in first.value
        chance, seen = page.metrics["chance"].value, page.metrics["detectable_effect"].value
        # What the test shows whatever the guess comes first; the chance stands behind its condition.
        told = page.findings[1]
        assert told.metric == "detectable_effect" and float(told.value.removesuffix(" points")) == pytest.approx(
            100 * seen, rel=0.03
        )
        assert "If the offer brings 1 point more who buy" in told.text and "That is a guess" in told.text
        assert f"with a chance of {100 * chance:.0f}%" in told.text
        # Neither does an interval that leaves out the guess stand beside a headline.
        assert (
            second.metric == "contact_cost"
            and second.interval == ""
            and "If the guess about the effect is right" in second.text
        )
        assert "Without a margin, nobody can say whether that pays." in second.text
    assert test.findings[0].value.startswith("Test “")


@pytest.mark.proof
def test_donors_give_and_buy_nothing(page):
    assert not re.search(r"customer(?!_id)|purchas|\bbuy|bought|product|unit cost|10\s?% off", said(page), flags=re.I)
    assert re.search(r"donors.*give", said(page))


def test_what_is_asked_for_can_be_forced(donors):
    forced = design.run(donors, design.Params(fit=False))
    assert forced.findings[1].metric == "detectable_effect" and "too low to decide by" in forced.findings[1].text
    assert "send_email" in forced.outputs and len(forced.tables["cells"].frame) == 3
    for name, metric in forced.metrics.items():
        assert (metric.low is None) == design.QUANTITIES[name].counted, name
