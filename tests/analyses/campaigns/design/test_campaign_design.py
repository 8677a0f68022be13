"""The next campaign: cells that make a test, sizes and money that add up, guesses that are said, and files without names."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import crmlab
from crmlab.analyses.campaigns import design as analysis
from crmlab.analyses.campaigns.balance import unbalanced
from crmlab.analyses.campaigns.cells import Codes, Sending, check_cells, design_cells
from crmlab.analyses.campaigns.design.expected import Baseline, Expected, baseline, expected_effect
from crmlab.analyses.campaigns.design.money import Cost, Terms, cell_plan, detectable, paying_rise, total_profit
from crmlab.analyses.campaigns.design.params import DEFAULT_OFFERS
from crmlab.analyses.campaigns.design.search import Limits, Plan, Setting, find_plan
from crmlab.analyses.campaigns.design.study import _pays, balance, study
from crmlab.analyses.campaigns.design.tables import steps
from crmlab.analyses.campaigns.lists import ListRules, pull_list
from crmlab.analyses.campaigns.past import COLUMNS, GROUPS, past_of, pooled_past
from crmlab.analyses.campaigns.results.tables import next_table
from crmlab.analyses.customer_value import season_ahead
from crmlab.data.codes import check_code
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import CampaignError, DataError, ModelError, ParameterError
from crmlab.history.context import Margin
from crmlab.history.past import History
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import compare_cells
from crmlab.models.testing.meta import pool

pytestmark = pytest.mark.usefixtures("nothing_remembered")

END = dt.date(2025, 12, 31)
TERMS = Terms(
    base=Expected(value=0.02, low=0.018, high=0.022, source="data"),
    spend=40.0,
    sd=30.0,
    margin=20.0,
    cost=0.7,
    fixed=100.0,
    power=0.8,
    level=0.95,
)
FREE = dict.fromkeys("ab", Cost(response=0.0))


@pytest.fixture(scope="module")
def shop():
    return crmlab.open_dataset("shop")


@pytest.fixture(scope="module")
def result(shop):
    return analysis.run(shop)


# --- cells ----------------------------------------------------------------------------------------------------------------


def test_full_factorial_against_one_control():
    design = design_cells(
        {"offer": ["a", "b"], "creative": ["plain", "photo"]},
        campaign="spring",
        sending=Sending(cost_per_contact=0.5, fixed_cost=9),
    )
    cells = design.cells
    assert cells["cell_id"].tolist() == [f"spring-{k}" for k in range(5)]
    assert cells["control_cell_id"].isna().tolist() == [True, False, False, False, False]
    assert set(map(tuple, cells.loc[1:, ["offer", "creative"]].to_numpy())) == {
        (o, c) for o in "ab" for c in ("plain", "photo")
    }
    codes = cells["response_code"].dropna()
    assert len(set(codes)) == 4 and codes.map(check_code).all()
    assert not set("".join(codes)) & set("01OI")
    # √4 / (4 + √4) is a third.
    assert cells["planned_share"].tolist() == pytest.approx([1 / 3, *[1 / 6] * 4])
    assert cells["cost_per_contact"].tolist() == [0.0, 0.5, 0.5, 0.5, 0.5] and cells["fixed_cost"].tolist() == [0.0, 9, 9, 9, 9]
    assert design.aliases.empty
    assert len(design.warnings) == 1 and "offer and creative at once" in design.warnings[0]


def test_fraction_says_what_it_cannot_tell_apart():
    factors = {"offer": ["a", "b"], "list": ["new", "old"], "creative": ["plain", "photo"]}
    design = design_cells(factors, generators={"creative": ("offer", "list")})
    # Half of eight combinations, and a control for each list.
    assert len(design.treated) == 4 and len(design.controls) == 2
    by_list = design.cells.set_index("cell_id")["list"]
    assert all(by_list[row["cell_id"]] == by_list[row["control_cell_id"]] for row in design.treated.to_dict("records"))
    assert {"The effect of offer cannot be told apart from that of list × creative."} <= set(design.warnings)
    assert len([one for one in design.warnings if "cannot be told apart" in one]) == 3
    assert design.cells["planned_share"].sum() == pytest.approx(1)
    assert design_cells(factors).aliases.empty


def test_a_control_that_is_sent_something_shows_which_components_differ():
    control = {"offer": "none", "creative": "plain"}
    one = design_cells({"offer": ["gift"], "creative": ["plain"]}, control=control)
    assert one.warnings == ()
    assert one.cells["response_code"].notna().all()
    two = design_cells({"offer": ["gift"], "creative": ["photo"]}, control=control)
    assert two.warnings == (
        "next-1 differs from its control next-0 in 2 components (offer, creative): what it earns cannot be put down to one of them.",
    )
    same = design_cells({"offer": ["none"], "creative": ["plain"]}, control=control)
    assert "cannot differ but by chance" in same.warnings[0]


@pytest.mark.parametrize(
    ("factors", "options_", "words"),
    [
        ({"offer": ["a"]}, {"share": [0.5, 0.4]}, "must add up to 1. Found 0.9"),
        ({"offer": ["a"]}, {"share": [1.0]}, "one for each of 2 cells"),
        ({"offer": ["a", "b"]}, {"codes": Codes(given=["AYADH7", "AYADH7"])}, "'AYADH7' is used twice"),
        ({"offer": ["a", "b"]}, {"codes": Codes(given=["AYADH7"])}, "one for each of 2 cells"),
        ({"offer": ["a"]}, {"codes": Codes(given=["ABC"])}, "last character checks the others"),
        ({"offer": ["a"]}, {"codes": Codes(given=["aya-dh7"], taken=["AYADH7"])}, "that no other campaign has"),
        (
            {"offer": ["a"]},
            {"sending": Sending(cost_per_contact=-1.0)},
            "'cost_per_contact' of cell 'next-1' must be at least 0",
        ),
        (
            {"offer": ["a"]},
            {"sending": Sending(opens_on=dt.date(2026, 2, 1), closes_on=dt.date(2026, 1, 1))},
            "ends before it begins",
        ),
        ({"colour": ["red"]}, {}, "one of offer, list, creative"),
        ({"offer": []}, {}, "The levels of 'offer' must be at least one text"),
        ({}, {}, "The components of cells must be"),
    ],
)
def test_cells_that_make_no_test_are_refused(factors, options_, words):
    with pytest.raises(CampaignError, match=re.escape(words)):
        design_cells(factors, **options_)


def test_levels_twice_are_refused():
    with pytest.raises(ModelError, match="none twice"):
        design_cells({"offer": ["a", "a"]})


def test_controls_are_checked():
    cells = design_cells({"offer": ["a", "b"]}).cells
    with pytest.raises(CampaignError, match="is its own control"):
        check_cells(cells.assign(control_cell_id=[None, "next-1", "next-0"]))
    with pytest.raises(CampaignError, match="has no control and is not the control of any"):
        check_cells(cells.assign(control_cell_id=[None, "next-0", None]))


# --- power and money ------------------------------------------------------------------------------------------------------


def test_a_cell_in_money_by_hand():
    cells = pd.DataFrame({"cell_id": ["a"], "control_cell_id": ["0"]})
    plan = cell_plan(TERMS, cells, {"a": 1000, "0": 1000}, {"a": Expected(value=0.05, source="given")}, FREE)
    row = plan.iloc[0]
    assert row["cost"] == 1000 * 0.7 + 100
    # 0.80 a contact in all, at 20 a response: 4% more must respond.
    assert row["pays_from"] == pytest.approx(0.04) and row["break_even"] == pytest.approx(0.06)
    assert row["profit"] == pytest.approx(1000 * (0.05 * 20 - 0.8))
    p, p0 = 0.07, 0.02
    sd, sd0 = (np.sqrt(q * (40**2 + 30**2) - (q * 40) ** 2) for q in (p, p0))
    half = 1.959963984540054 * 1000 * 0.5 * np.sqrt(sd**2 / 1000 + sd0**2 / 1000)
    assert row["profit_high"] - row["profit"] == pytest.approx(half)
    error = np.sqrt(p * (1 - p) / 1000 + p0 * (1 - p0) / 1000)
    setting = Setting(window=28, times=1, terms=TERMS, effects={"a": Expected(value=0.05, source="given")})
    chance = Plan(cells=("a",), sizes={"": 1000, "a": 1000}, setting=setting).chance
    assert chance == pytest.approx(stats.norm.cdf(0.05 / error - 1.959963984540054), rel=1e-6)
    assert total_profit(TERMS, plan, {"a": Expected(value=0.05, source="given")}) == pytest.approx(
        (row["profit"], row["profit_low"], row["profit_high"])
    )
    unsure = {"a": Expected(value=0.05, low=0.03, high=0.07, source="past")}
    wide = cell_plan(TERMS, cells, {"a": 1000, "0": 1000}, unsure, FREE).iloc[0]
    assert wide["profit_high"] - wide["profit"] == pytest.approx(np.hypot(half, 1000 * 20 * 0.02))


def test_an_offer_costs_for_those_too_who_would_have_bought_anyway():
    cells = pd.DataFrame({"cell_id": ["a"], "control_cell_id": ["0"]})
    effects = {"a": Expected(value=0.05, source="given")}
    row = cell_plan(TERMS, cells, {"a": 1000, "0": 1000}, effects, {"a": Cost(response=4.0)}).iloc[0]
    # 7% buy and take the gift of 4; 5% of them bring 20.
    assert row["profit"] == pytest.approx(1000 * (0.05 * 20 - 0.07 * 4 - 0.7) - 100)
    # At the rise from which it pays nothing is left.
    even = {"a": Expected(value=row["pays_from"], source="given")}
    assert cell_plan(TERMS, cells, {"a": 1000, "0": 1000}, even, {"a": Cost(response=4.0)}).iloc[0]["profit"] == pytest.approx(
        0, abs=1e-9
    )
    assert row["cost"] == 800


def test_profit_of_cells_that_share_a_control_by_simulation():
    rng = np.random.default_rng(5)
    terms = replace(TERMS, base=Expected(value=0.1, source="given"), fixed=0.0)
    cells = pd.DataFrame({"cell_id": ["a", "b"], "control_cell_id": ["0", "0"]})
    effects = {"a": Expected(value=0.05, source="given"), "b": Expected(value=0.02, source="given")}
    plan = cell_plan(terms, cells, {"a": 800, "b": 800, "0": 400}, effects, FREE)
    value, low, _ = total_profit(terms, plan, effects)
    # Gamma with mean 40 and standard deviation 30.
    shape, scale = (40 / 30) ** 2, 30**2 / 40

    def mean(share, n):
        return (rng.random((4000, n)) < share).astype(float).cumsum(axis=1)[:, -1], n

    totals = []
    for share, n in ((0.15, 800), (0.12, 800), (0.10, 400)):
        buyers, _ = mean(share, n)
        totals.append(rng.gamma(np.maximum(shape * buyers, 1e-9), scale) / n)
    profit = 800 * (0.5 * (totals[0] - totals[2]) - 0.7) + 800 * (0.5 * (totals[1] - totals[2]) - 0.7)
    assert profit.mean() == pytest.approx(value, abs=4 * profit.std() / np.sqrt(4000))
    assert profit.std() == pytest.approx((value - low) / 1.959963984540054, rel=0.05)


def test_a_rise_that_is_not_possible_does_not_pay():
    half = replace(TERMS, base=Expected(value=0.5, source="given"), cost=0.0, fixed=0.0)
    # Half buy and take a gift of 8: 4 a contact, at 12 a response more; of 12 it is 6, at 8, which nobody is left for.
    assert paying_rise(half, 1000, 8.0) == pytest.approx(4 / 12)
    assert paying_rise(half, 1000, 12.0) is None and paying_rise(half, 1000, 20.0) is None
    cells = pd.DataFrame({"cell_id": ["a"], "control_cell_id": ["0"]})
    plan = cell_plan(
        half, cells, {"a": 1000, "0": 1000}, {"a": Expected(value=0.1, source="given")}, {"a": Cost(response=12.0)}
    )
    assert plan["pays_from"].isna().all() and plan["break_even"].isna().all()


def paying(gift, sd=60.0, buyers=30):
    """From which rise a cell pays whose buyers spend about 40, of which half is kept, and are given something."""
    base = Baseline(share=TERMS.base, n=1500, buyers=buyers, spend=40.0, sd=sd)
    of = Setting(window=28, times=1, terms=TERMS, effects={"a": Expected(value=0.05, source="given")})
    laid = SimpleNamespace(
        plan=Plan(cells=("a",), sizes={"": 1000, "a": 1000}, setting=of), offers={"a": Cost(response=gift)},
        margin=Margin(0.5, "given", 1.0),
    )  # fmt: skip
    return _pays(TERMS, base, {"a": 1000}, laid)


def test_where_a_test_pays_from_is_open_above_if_it_may_never_pay():
    low, value, high = paying(2.0)
    half = 1.959963984540054 * 60 / np.sqrt(30)
    ends = [(0.8 + share * 2) / (0.5 * spend - 2) for spend in (40 - half, 40 + half) for share in (0.018, 0.022)]
    assert (low, value, high) == pytest.approx((min(ends), 0.84 / 18, max(ends)))
    # At the least that buyers may spend (18.5) nothing is left of a response after a gift of 12.
    low, value, high = paying(12.0)
    assert low < value == pytest.approx((0.8 + 0.02 * 12) / 8) and high is None
    assert paying(25.0) is None


@pytest.mark.proof
def test_the_table_has_the_chance_of_the_headline(shop):
    # Strata make the cells that are drawn a little larger or smaller than those that are planned.
    found = study(History(shop), analysis.Params(fit=False, strata="tier", control_share=0.41))
    assert found.cells["power"].tolist() == [found.plan.chances[cell] for cell in found.cells["cell_id"]]
    assert found.cells["power"].min() == found.plan.chance


@pytest.mark.proof
def test_money_of_a_response_that_is_given_is_no_margin_of_all_that_is_spent(shop):
    found = study(History(shop), analysis.Params(margin=9.0, fit=False))
    assert found.margin is None and found.has_margin and found.terms.margin == 9.0


@pytest.mark.proof
def test_what_an_offer_costs_may_be_known_to_the_memory_alone(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    cells = pd.DataFrame(
        {"cell_id": ["o-0", "o-1"], "control_cell_id": [None, "o-0"], "offer": [None, "new"], "cost_per_response": [None, 1.75]}
    )
    rows = pd.DataFrame({"cell_id": ["o-1"], "metric": ["response"], "n": [900], "estimate": [0.05], "error": [0.01]})
    open_memory().plan("draft", cells.replace({"o-0": "d-0", "o-1": "d-1"}).assign(cost_per_response=[None, 99.0]))
    assert study_of(shop, ["new"]).unpriced  # what is only planned has cost nothing
    open_memory().record_results("old", rows, cells)
    found = study_of(shop, ["new"])
    assert not found.unpriced and set(found.offers.values()) == {Cost(response=1.75)}


@pytest.mark.proof
def test_as_many_costs_as_the_data_set_has_offers(monkeypatch):
    monkeypatch.setitem(DEFAULT_OFFERS, "year", ("letter", "matched gift", "call"))
    donors = crmlab.open_dataset("donors")
    analysis.readiness(History(donors), analysis.Params(offer_costs=(0.0, 0.0, 0.0)))
    with pytest.raises(ParameterError, match="one number, or 3"):
        analysis.readiness(History(donors), analysis.Params(offer_costs=(0.0, 0.0)))


def plan_of(effects, people, terms=TERMS, **limits):
    """The plan that is found for cells with these effects, with no longer window, and all that were tried."""
    of = {name: Expected(value=value, source="given") for name, value in effects.items()}
    setting = Setting(window=28, times=1, terms=terms, effects=of)
    return find_plan(setting, lambda _: None, Limits(people=people, least=5, **limits))


def test_fewer_cells_show_more():
    plan, tried = plan_of({"a": 0.004, "b": 0.003, "c": 0.005, "d": 0.004}, 20_000, rounds=1)
    assert [one.cells for one in tried] == [("a", "b", "c", "d"), ("a", "c", "d"), ("a", "c"), ("c",)]
    seen = [one.detectable for one in tried]
    assert seen == sorted(seen, reverse=True) and [one.chance for one in tried] == sorted(one.chance for one in tried)
    assert plan is tried[-1]
    assert all(one.total == 20_000 for one in tried)
    nothing, tried = plan_of({"a": -0.01}, 20_000)
    assert (nothing.chance, nothing.needed, len(tried)) == (0.0, None, 1)
    # With no more people than the largest possible effect needs, nothing would be shown.
    plan, _ = plan_of({"a": 0.01}, 16, replace(TERMS, base=Expected(value=0.9, source="given")), rounds=1)
    assert plan.detectable is None


@pytest.mark.proof
def test_the_smallest_effect_shown_is_shown_as_often_as_promised():
    terms = replace(TERMS, base=Expected(value=0.2, source="given"))
    total, share = 2400, np.sqrt(2) / (2 + np.sqrt(2))
    effect = detectable(terms, total, 2, share)
    control = round(share * total)
    each = (total - control) // 2
    rng = np.random.default_rng(8)
    shown = 0
    for _ in range(300):
        bought = {name: rng.binomial(n, p) for name, n, p in (("a", each, 0.2 + effect), ("b", each, 0.2), ("0", control, 0.2))}
        cells = {name: CellStatistics.from_sums({"0": control}.get(name, each), {"bought": k}) for name, k in bought.items()}
        found = compare_cells(cells, control="0", level=0.95).set_index("cell")
        shown += found.loc["a", "low"] > 0
    # 80% of 300 are 240; three standard errors are 21.
    assert 219 <= shown <= 261


@pytest.mark.proof
def test_balance_by_hand_and_by_chance():
    rng = np.random.default_rng(1)
    people = pd.DataFrame(
        {"cell_id": np.repeat(["a", "0"], [600, 400]), "orders": rng.poisson(3, 1000), "tier": rng.choice(list("ABC"), 1000)}
    )
    found = balance(people, {"a": "0"}, ["orders", "tier"]).set_index("covariate")
    mine, other = (people.loc[people["cell_id"] == cell, "orders"] for cell in ("a", "0"))
    # In standard deviations within cells, each cell by its size: as the report on results has it.
    expected = (mine.mean() - other.mean()) / np.sqrt((600 * mine.var() + 400 * other.var()) / 1000)
    assert found.loc["Orders" if "Orders" in found.index else "Number of purchases", "difference"] == pytest.approx(expected)
    assert [label for label in found.index if label.startswith("Value tier")] == [
        "Value tier: A",
        "Value tier: B",
        "Value tier: C",
    ]
    # At 99% of all four together an interval is about 3.0 standard errors wide on each side (Bonferroni's would be 3.02).
    half = (found["high"] - found["low"]) / 2
    assert half.tolist() == pytest.approx([3.0 * np.sqrt(1 / 600 + 1 / 400)] * 4, rel=0.03)
    outside = 0
    for k in range(200):
        draw = np.random.default_rng(k).normal(size=200)
        one = balance(pd.DataFrame({"cell_id": ["a"] * 100 + ["0"] * 100, "x": draw}), {"a": "0"}, ["x"])
        outside += unbalanced(one)
        assert unbalanced(one) == (one["low"].item() > 0 or one["high"].item() < 0)
    assert outside <= 8  # 1% of 200 are 2; four standard deviations more are 8
    assert balance(pd.DataFrame({"cell_id": list("aa00"), "x": [1, 1, 1, 1]}), {"a": "0"}, ["x"]).empty
    # Whoever is not known counts as the mean, in whichever cell.
    some = pd.DataFrame({"cell_id": list("aa00"), "x": [1.0, 3.0, None, 2.0]})
    assert balance(some, {"a": "0"}, ["x"])["difference"].item() == 0


# --- what can be expected -------------------------------------------------------------------------------------------------


def past(shop, end, **options):
    return past_of(History(shop, end), open_memory(), **options)


@pytest.mark.proof
def test_past_cells_of_the_shop_by_pandas(shop):
    whole = past(shop, END, adjust=False)
    found = whole.cells
    # The campaign that got partly lost is left out, and the one that is not over.
    assert set(found["campaign"]) == {"first_offers", "new_range", "offer_by_creative"}
    assert whole.left_out == (
        "The campaign “reminder” is left out of the history: something went wrong when it was sent, as its cells are not of the planned sizes.",
        "The campaign “latest” is left out of the history: its window is still open.",
    )
    cells, contacts, orders = (shop.table(name).to_pyarrow().to_pandas() for name in ("cells", "contacts", "orders"))
    window = cells.set_index("cell_id").loc["offer_by_creative-0"]
    opens, closes = pd.Timestamp(window["opens_on"]), pd.Timestamp(window["closes_on"]) + pd.Timedelta(days=1)
    firsts = contacts[contacts["cell_id"].str.startswith("offer_by_creative")].sort_values(["contacted_at", "cell_id"])
    firsts = firsts.drop_duplicates("customer_id")
    mine = firsts[firsts["cell_id"].isin(["offer_by_creative-3", "offer_by_creative-0"])]
    inside = orders[(orders["ordered_at"] >= opens) & (orders["ordered_at"] < closes)]
    buyers = inside.loc[inside["amount"] > 0, "customer_id"]
    share = mine.assign(bought=mine["customer_id"].isin(buyers)).groupby("cell_id")["bought"].mean()
    row = found.set_index("cell").loc["offer_by_creative-3"]
    assert row["share"] == pytest.approx(share["offer_by_creative-3"])
    assert row["base"] == pytest.approx(share["offer_by_creative-0"])
    total = inside.groupby("customer_id")["amount"].sum().astype(float)
    spent = mine.assign(spend=mine["customer_id"].map(total).fillna(0.0)).groupby("cell_id")["spend"]
    assert row["spend"] == pytest.approx(spent.mean()["offer_by_creative-3"] - spent.mean()["offer_by_creative-0"])
    # Some households are of several people: by customers, errors are a little off.
    error = np.sqrt((spent.var() / spent.size()).sum())
    assert (row["spend_high"] - row["spend_low"]) / 2 == pytest.approx(1.96 * error, rel=0.02)
    assert row["days"] == 28 and row["cost_per_contact"] == 0.03
    assert set(past(shop, dt.date(2025, 1, 10)).cells["campaign"]) == {"first_offers"}


GIVEN = pd.DataFrame(
    [
        ["offer", "a", "1", 0.02, 0.01], ["offer", "a", "2", 0.03, 0.01], ["offer", "b", "2", 0.01, 0.01],
        ["campaign", "", "1", 0.02, 0.01], ["campaign", "", "2", 0.02, 0.008],
    ],
    columns=["component", "value", "campaign", "effect", "error"],
).assign(opens=None, k=1, n=1000, base=0.2).rename_axis(None)  # fmt: skip


def test_expected_effect_says_where_it_is_from():
    def known(groups, level=0.9):
        return pooled_past(pd.DataFrame(columns=["cell"]), groups.reindex(columns=list(GROUPS)), [], level)

    whole = known(GIVEN)
    # By offer, campaigns are averaged by precision; offers are pulled to their mean, and the next may differ as all campaigns do.
    means, spreads = [0.025, 0.01], [0.01 / np.sqrt(2), 0.01]
    every = pool(means, spreads, 0.9).effects
    apart = pool([0.02, 0.03, 0.01], [0.01] * 3, 0.9).tau
    for place, name in enumerate("ab"):
        mine = expected_effect(whole, name)
        half = np.hypot((every["high"] - every["low"])[place] / 2, 1.6448536269514722 * apart)
        assert (mine.source, mine.value) == ("offers", pytest.approx(every["shrunk"][place]))
        assert (mine.low, mine.high) == pytest.approx((mine.value - half, mine.value + half))
    other = expected_effect(whole, "z")
    assert (other.source, other.value) == ("past", pytest.approx(pool([0.02, 0.02], [0.01, 0.008], 0.9).mean))
    one = expected_effect(known(GIVEN.iloc[[0, 3]]), "z")
    assert (one.source, one.value, one.low) == ("past", 0.02, pytest.approx(0.02 - 1.6448536269514722 * 0.01))
    assert expected_effect(known(GIVEN.iloc[:0]), "a") == Expected(value=0.01, source="guess")
    assert expected_effect(whole, "a", 0.07) == Expected(value=0.07, source="given")


@pytest.mark.proof
def test_design_and_results_say_the_same_of_past_cells(shop):
    from crmlab.analyses.campaigns import results
    from crmlab.analyses.campaigns.results.study import study as results_of

    found = results_of(History(shop), results.Params())
    offers = sorted(found.past.cells["offer"].unique())
    assert len(offers) == 4
    designed = [study_of(shop, offers[:2]), study_of(shop, offers[2:])]
    told = next_table(found).frame.set_index("what") if found.past.components else pd.DataFrame()
    several = {each.value for each in found.past.components if each.component == "offer"}
    assert several, "an offer of several campaigns is on the page of results"
    for mine in designed:
        pd.testing.assert_frame_equal(mine.past.cells[list(COLUMNS[:9])], found.past.cells[list(COLUMNS[:9])])
        for row in mine.design.treated.to_dict("records"):
            expected = mine.effects[row["cell_id"]]
            assert expected.source == "offers"
            assert (expected.value, expected.low, expected.high) == found.past.brought(row["offer"])[:3]
            if row["offer"] in several:
                line = told.loc[row["offer"]]
                assert (line["next"], line["next_low"], line["next_high"]) == pytest.approx(
                    (100 * expected.value, 100 * expected.low, 100 * expected.high)
                )


def study_of(shop, offers):
    return study(History(shop), analysis.Params(offers=tuple(offers), fit=False))


@pytest.mark.proof
def test_what_only_the_memory_knows_counts_in_the_design_too(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    cells = pd.DataFrame(
        {
            "cell_id": ["o-0", "o-1"],
            "control_cell_id": [None, "o-0"],
            "offer": [None, "new"],
            "opens_on": [dt.date(2023, 1, 1)] * 2,
        }
    )
    rows = pd.DataFrame(
        {"cell_id": ["o-1"], "metric": ["response"], "n": [900], "estimate": [0.05], "error": [0.01], "mean_control": [0.2]}
    )
    before = past(shop, END).brought(None)
    open_memory().record_results("old", rows, cells)
    whole = past(shop, END)
    # As measured, but for what it is pulled to the mean of all offers: a precise one hardly.
    assert 0.048 < whole.brought("new").rise < 0.05 and whole.brought(None) != before
    assert study_of(shop, ["new"]).expected.value == whole.brought("new").rise


def test_baseline_is_what_the_same_list_did_a_window_earlier(shop):
    found = baseline(History(shop, END), "days_since_last <= 100", "orders >= 1", 28, 0.9)
    listed = pull_list(
        shop, "days_since_last <= 100", as_of=END - dt.timedelta(days=28), rules=ListRules(contacted_within=None)
    ).frame
    contacts = shop.contacts.to_pyarrow().to_pandas()
    sent = contacts[(contacts["contacted_at"] >= "2025-12-04") & ~contacts["cell_id"].str.endswith("-0")]
    left = listed[~listed["customer_id"].isin(sent["customer_id"])]
    assert found.n == len(left) and found.share.source == "data"
    orders = shop.orders.to_pyarrow().to_pandas()
    orders = orders[orders["ordered_at"] >= "2025-12-04"].assign(amount=lambda f: f["amount"].astype(float))
    days = orders.groupby(["customer_id", orders["ordered_at"].dt.normalize()])["amount"].sum()
    spend = days[days > 0].groupby("customer_id").sum()
    mine = spend[spend.index.isin(left["customer_id"])]
    season = season_ahead(History(shop, END), 28.0)  # less is bought in January than in December
    assert found.season == season < 1 and found.share.value == pytest.approx(1 - (1 - len(mine) / len(left)) ** season)
    assert found.share.low < found.share.value < found.share.high
    later = baseline(History(shop, END), "days_since_last <= 100", "orders >= 1", 28, 0.9, after=60)
    assert later.season == season_ahead(History(shop, END), 28.0, 60.0) != season and later.spend == found.spend
    assert (found.spend, found.sd) == (pytest.approx(mine.mean()), pytest.approx(mine.std()))
    assert baseline(History(shop, dt.date(2024, 1, 20)), "orders >= 1", "", 28, 0.9).share.source == "guess"


@pytest.mark.nightly
def test_spark_gives_the_same_page(result, shop):
    pytest.importorskip("pyspark", reason="Spark is not installed: it comes with requirements-dev.lock.")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none on the PATH.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark's own
        other = analysis.run(crmlab.open_dataset("shop", "spark"))
    assert other.findings == result.findings and dict(other.metrics) == dict(result.metrics)
    for name, output in result.outputs.items():
        pd.testing.assert_frame_equal(other.outputs[name].frame, output.frame, check_dtype=False)


# --- the page -------------------------------------------------------------------------------------------------------------


@pytest.mark.proof
def test_page_of_the_shop(result):
    assert [finding.metric for finding in result.findings] == ["in_cells", "detectable_effect", "expected_profit"]
    assert (
        result.findings[0]
        .sentence()
        .startswith("Test “small gift” on 2,418 customers, half of them left alone as a control, from 14 January")
    )
    assert re.search(r"Without the campaign, 18% .* within 28 days, .* and the season", result.findings[1].text)
    assert not result.findings[1].value.startswith("Between")
    assert set(result.tables) == {"ledger", "cells", "money", "options", "balance", "past"}
    assert set(result.charts) == {"ledger", "power", "balance"}
    for table in result.tables.values():
        html = table.html()
        assert "nan" not in html.lower().replace("finance", "") and "<caption>" in html
    for chart in result.charts.values():
        assert "<svg" in chart.html()
    assert "C0000" not in "".join(table.html() for table in result.tables.values())
    assert any("sent nothing" in one for one in result.warnings)
    for name in ("chance", "detectable_effect", "expected_profit", "base", "expected_effect", "pays_from"):
        estimate = result.metrics[name]
        assert estimate.low < estimate.value < estimate.high and estimate.level == 0.95


@pytest.mark.proof
def test_ledger_of_the_page_ends_with_the_people_of_the_cells(result):
    ledger = result.tables["ledger"].frame
    sizes = result.tables["cells"].frame["customers"]
    assert ledger["left"].iloc[-1] == sizes.sum() == result.metrics["in_cells"].value
    removed = [0 if one == "" else int(one.replace("−", "").replace(",", "")) for one in ledger["removed"]]
    assert ledger["left"].iloc[0] - sum(removed) == ledger["left"].iloc[-1]
    shares = sizes / sizes.sum()
    assert shares.tolist() == pytest.approx([0.5, 0.5], abs=1 / sizes.sum())


@pytest.mark.proof
def test_files_hold_codes_and_no_names(result, shop):
    sent, controls, left = (result.outputs[name].frame for name in ("send_email", "controls", "left_out"))
    assert list(sent.columns) == ["customer_id", "response_code", "offer", "creative"]
    consent = ["contactable", "refusal"]
    assert list(controls.columns) == ["customer_id", "cell_id", *consent]
    assert list(left.columns) == ["customer_id", "stage", "step", *consent]
    history = History(shop)
    for frame in (controls, left):
        assert frame["contactable"].tolist() == history.contactable(frame["customer_id"])
        assert frame["refusal"].tolist() == history.refusals(frame["customer_id"])
    assert set(controls["contactable"]) == {"yes"} and set(left["contactable"]) == {"yes", "no"}
    everybody = [*sent["customer_id"], *controls["customer_id"], *left["customer_id"]]
    assert sorted(everybody) == sorted(shop.customers.to_pyarrow()["customer_id"].to_pylist())
    assert sent["response_code"].map(check_code).all() and sent.groupby("offer")["response_code"].nunique().eq(1).all()
    taken = {code for code in shop.cells.to_pyarrow()["response_code"].to_pylist() if code}
    assert not taken & set(sent["response_code"])


@pytest.mark.proof
def test_same_data_and_params_same_result(shop, result):
    again = analysis.run(shop)
    assert again.findings == result.findings and dict(again.metrics) == dict(result.metrics)
    for name, output in result.outputs.items():
        pd.testing.assert_frame_equal(again.outputs[name].frame, output.frame)
    other = analysis.run(shop, analysis.Params(salt="another salt"))
    assert not other.outputs["controls"].frame["customer_id"].equals(result.outputs["controls"].frame["customer_id"])


@pytest.mark.nightly
def test_several_channels_a_sample_strata_and_seeds(shop):
    params = analysis.Params(
        criteria="tier in A, B, C", offers=("gift",), creatives=("card", "mail"), channels=("post", "email"), sample=600, score="value",
        strata="tier", seeds=("C000011",), contacted_within=0, cost_per_contact=0.5, fixed_cost=10, margin=12.0, response=0.2, effect=0.04,
        offer_costs=(0.0,), fit=False,
    )  # fmt: skip
    result = analysis.run(shop, params)
    assert {"send_post", "send_email", "controls", "left_out", "seeds"} == set(result.outputs)
    assert result.outputs["seeds"].frame["customer_id"].tolist() == ["C000011"]
    assert set(result.outputs["send_post"].frame["creative"]) == {"card"}
    assert result.metrics["in_cells"].value == 600
    sizes = result.tables["cells"].frame["customers"].iloc[1:]
    assert result.metrics["contact_cost"].value == pytest.approx(0.5 * sizes.sum() + 20)
    pays = [(0.5 + 10 / n) / 12 for n in sizes]
    assert result.tables["money"].frame["break_even"].tolist() == pytest.approx([0.2 + one for one in pays])
    # What was given is no result.
    assert not {"base", "expected_effect", "pays_from"} & set(result.metrics)
    assert result.tables["money"].frame["expected"].tolist() == [4.0, 4.0]
    # Tiers come in the same shares into each cell.
    shares = result.tables["balance"].frame
    assert shares.loc[shares["covariate"].str.startswith("Value tier"), "difference"].abs().max() < 0.03


@pytest.mark.proof
def test_last_day_may_be_one_on_which_nobody_ordered():
    data, day = crmlab.open_dataset("cdnow_sample"), dt.date(1997, 10, 5)
    silent = replace(data, _tables={"orders": data.orders.filter(data.orders["ordered_at"].date() != day)})
    result = analysis.run(silent, analysis.Params(as_of=day.isoformat()))
    assert result.context.as_of == day
    cut = History(silent, day)
    listed = pull_list(silent, "days_since_last at most 365", as_of=day).size
    assert cut.orders["ordered_at"].max().execute().date() < day and result.metrics["listed"].value == listed


def test_orders_only_work_and_say_what_is_not_known():
    result = analysis.run(crmlab.open_dataset("cdnow_sample"))
    said = " ".join(result.warnings)
    for words in (
        "It is not known who may be contacted",
        "no responses, contacts or households",
        "The cost of goods is not known",
        "brings 1 point more who buy",
    ):
        assert words in said
    assert result.absent["past"].startswith("The data set has no past campaigns")
    assert not any("Past campaigns" in one for one in result.limits)
    # What the data do not say is not a count of nobody.
    ledger = result.tables["ledger"].frame.set_index("step")
    for step in ("Has not consented", "Has complained", "Contacted within 14 days"):
        assert ledger.loc[step, "removed"] == "not known"
    assert ledger.loc["Contacted within 14 days", "what"] == "Contact limit"
    assert "expected_effect" not in result.metrics and result.metrics["base"].low is not None
    for table in result.tables.values():
        assert "nan" not in table.html().lower()


@pytest.mark.proof
def test_few_people_and_hardly_any_power_are_said(shop):
    result = analysis.run(shop, analysis.Params(sample=60, holdout=0.0))
    assert result.findings[0].value == "Do not test this now" and "bolder offer" in result.findings[0].text
    assert not any(name.startswith(("send_", "controls")) for name in result.outputs)
    forced = analysis.run(shop, analysis.Params(sample=60, holdout=0.0, fit=False))
    assert forced.metrics["in_cells"].value == 60 and "too low to decide by" in forced.findings[1].text
    for part in (*result.tables.values(), *result.charts.values()):
        assert "nan" not in re.sub(r"<[^>]*>", "", part.html()).lower()


def test_steps_with_few_people_are_shown_together():
    frame = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(40)], "orders": [1] * 40, "contactable": [False] * 3 + [True] * 37,
         "country": ["FR"] * 10 + ["DE"] * 30, "household_id": [None] * 38 + ["h"] * 2}
    )  # fmt: skip
    frame.loc[10:12, "contactable"] = False
    pulled = pull_list(frame, "country = DE")
    shown = steps(pulled, 5)
    assert shown["removed"].isin([0, *range(5, 41)]).all()
    assert shown["removed"].sum() == 40 - pulled.size and shown["left"].iloc[-1] == pulled.size


# --- bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cost_per_contact": -1.0}, "'cost_per_contact' parameter of campaign_design must be a number of at least 0"),
        ({"fixed_cost": float("nan")}, "'fixed_cost'"),
        ({"opens_on": "2026-02-01", "closes_on": "2026-01-01"}, "'opens_on' must be before 'closes_on'"),
        ({"opens_on": "soon"}, "must be a date"),
        ({"offers": ()}, "'offers'"),
        ({"offers": ("a", "a")}, "none twice"),
        ({"channels": ("a", "b")}, "'channels'"),
        ({"holdout": 1.0}, "'holdout'"),
        ({"control_share": 1.0}, "'control_share'"),
        ({"margin": 0.0}, "'margin'"),
        ({"effect": 0.0}, "'effect'"),
        ({"response": 1.0}, "'response'"),
        ({"salt": "short"}, "'salt'"),
        ({"power": 1.0}, "'power'"),
        ({"sample": 0}, "'sample'"),
        ({"offer_costs": (1.0, 2.0, 3.0)}, "'offer_costs'"),
        ({"offer_costs": (-1.0,)}, "'offer_costs'"),
        ({"contacted_within": -1}, "'contacted_within'"),
    ],
)
def test_params_are_checked(given, words):
    with pytest.raises(ParameterError, match=re.escape(words)):
        analysis.Params(**given)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"criteria": "days_since_last < 0"}, DataError, "at least 15 customers on the list, for 3 cells"),
        ({"criteria": "orders >= 40"}, DataError, "most were removed at the step “Number of purchases is under 40”"),
        ({"sample": 8}, DataError, "at least 5 customers in each cell"),
        ({"criteria": "stat = slowing"}, CampaignError, "Did you mean 'state'"),
        ({"criteria": "state = slowin"}, CampaignError, "Did you mean 'slowing'"),
        ({"shares": (0.5, 0.3, 0.3)}, CampaignError, "must add up to 1"),
        ({"codes": ("AYADH7", "AYADH7")}, CampaignError, "used twice"),
        ({"closes_on": "2025-06-01"}, ParameterError, "'opens_on' must be before"),
        ({"margin": 5.0, "offer_costs": (6.0,)}, ParameterError, "under what is kept from one response, 5"),
        ({"strata": "colour"}, CampaignError, "No column or report output is called"),
        ({"as_of": "2030-01-01"}, ParameterError, "after the last order"),
    ],
)
def test_bad_input_says_what_is_wrong(shop, given, error, words):
    with pytest.raises(error, match=re.escape(words)):
        analysis.run(shop, analysis.Params(**given))


def test_criteria_are_read_with_the_parameters():
    with pytest.raises(CampaignError, match="cannot be read"):
        analysis.Params(criteria="everybody")
