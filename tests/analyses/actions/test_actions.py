"""The report on actions: who is decided for and who is left alone, sums that agree, what is said without a margin, and worlds whose truth is known."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import actions
from crmlab.analyses.actions import Params, decisions, effects, exhibits, words
from crmlab.analyses.actions.deciding import NO_ACTION, eligible
from crmlab.analyses.actions.declaring import ALONE, HELD_OUT, UNDECIDED
from crmlab.analyses.actions.effects import MEASURED, Effect, default_actions, priced
from crmlab.analyses.actions.people import gains_of
from crmlab.analyses.actions.study import NO_MARGIN, slugs, study
from crmlab.analyses.campaigns import shrunk_to_mean
from crmlab.data.sections import Section
from crmlab.data.shop import campaigns, make_shop
from crmlab.errors import TooLittleError
from crmlab.history.past import History

EFFECT = "effect = { rise = 0.05, low = 0.01, high = 0.09 }\n"
MORE = (
    f'[[action]]\nname = "win back"\nfor = "days_since_last >= 60"\nbrings = "at_risk"\ncost_per_contact = 0.2\n{EFFECT}'
    f'[[action]]\nname = "mail"\nchannel = "email"\noffer = "news"\ncost_per_contact = 0.3\ncost_per_response = 0.5\n{EFFECT}'
    f'[[action]]\nname = "mail!"\nfor = "orders >= 3"\ncapacity = 20\ncost_per_contact = 0.1\n{EFFECT}'
    '[[segment_goal]]\nfor = "tier = D"\ngoal = "spare them"\ntreatment = "none"\n'
    "[limits]\ncontacts = [{ most = 1, days = 14 }]\nbudget = 40\n"
    '[holdout]\nshare = 0.1\nsalt = "for ever and ever"\n'
)
CELLS = pd.DataFrame(
    {
        "campaign_id": "c",
        "cell_id": ["c-0", "c-1"],
        "control_cell_id": [None, "c-0"],
        "offer": [None, "news"],
        "channel": "email",
    }
)
CONTACTS = pd.DataFrame(
    [(f"c{k:03}", f"c-{k % 2}", "2025-12-24 09:00") for k in range(100, 160)],
    columns=["customer_id", "cell_id", "contacted_at"],
)
RESPONSES = pd.DataFrame(
    [(f"c{k:03}", "c-1", "2025-12-25 10:00", "complaint") for k in range(101, 121, 2)],
    columns=["customer_id", "cell_id", "responded_at", "kind"],
)


@pytest.fixture(scope="module")
def small(world, studied, tmp_path_factory, nothing_remembered):
    data = world(tmp_path_factory.mktemp("small"), MORE, cells=CELLS, contacts=CONTACTS, responses=RESPONSES)
    return data, studied(data)


@pytest.fixture(scope="module")
def shop(opened_once, nothing_remembered):
    """The sample shop with a universal control."""
    data = opened_once("shop")
    section = Section("holdout", {"share": 0.1, "salt": "for ever and ever"})
    held = replace(data, descriptor=replace(data.descriptor, sections={**data.descriptor.sections, "holdout": section}))
    return held, study(History(held), Params())


@pytest.fixture(params=["small", pytest.param("shop", marks=pytest.mark.proof)])
def decided(request):
    return request.getfixturevalue(request.param)


@pytest.mark.proof
def test_everybody_who_bought_is_decided_for_once(decided):
    data, found = decided
    bought = History(data).summary()["customer_id"].tolist()
    whole = found.outputs["decisions"].frame
    assert whole["customer_id"].tolist() == bought and whole["customer_id"].is_unique
    assert whole["action"].ne("").all() and whole["action_reason"].ne("").all()


@pytest.mark.proof
def test_lists_have_nobody_who_must_not_be_contacted_is_held_out_or_second_of_a_household(decided):
    data, found = decided
    history = History(data)
    lists = {name: one.frame for name, one in found.outputs.items() if name.startswith("send_")}
    assert lists and set(lists) == {
        f"send_{slugs([one.name for one in found.ground.actions])[name]}" for name in found.lines["action"]
    }
    ids = pd.concat([frame["customer_id"] for frame in lists.values()])
    planned = set(ids) | set(found.decided.calendar["customer_id"])
    assert ids.is_unique and len(ids) == found.acted
    today = found.decided.today.set_index("customer_id")
    assert not today.loc[sorted(planned), "held_out"].any() and today["held_out"].any()
    people = data.customers.to_pandas().set_index("customer_id")
    assert not (people.loc[sorted(planned), "contactable"] == False).any()  # noqa: E712 (missing is not no)
    assert not planned & history.complained and history.complained
    home = people.loc[sorted(planned), "household_id"].dropna()
    assert home.is_unique
    # Of one household all are held out, or none.
    flags = today["held_out"].groupby(people["household_id"].reindex(today.index)).nunique()
    assert (flags == 1).all() and len(flags)


@pytest.mark.proof
def test_sums_of_the_tables_are_those_of_the_lists(decided):
    _, found = decided
    lists = pd.concat([one.frame for name, one in found.outputs.items() if name.startswith("send_")])
    lines = found.lines.set_index("action")
    sums = lists.groupby("action").agg(
        customers=("action", "size"), worth=("expected_gain", "sum"), cost=("expected_cost", "sum")
    )
    pd.testing.assert_frame_equal(
        lines[["customers", "worth", "cost"]].sort_index(), sums.sort_index(), check_dtype=False, check_names=False
    )
    assert found.alone["customers"].sum() + found.acted == found.customers
    assert found.total[0] == pytest.approx(lines["worth"].sum()) and found.total[1] <= found.total[0] <= found.total[2]
    first = found.decided.calendar.query("day == 0")
    assert len(first) == found.acted and first["cost"].sum() == pytest.approx(lines["cost"].sum())
    whole = found.outputs["decisions"].frame
    idle = whole["action"].isin([ALONE, HELD_OUT])
    assert (whole.loc[~idle, "expected_gain"] > 0).all()


@pytest.mark.proof
def test_limits_of_the_file_hold_in_the_world(small):
    _, found = small
    calendar = found.decided.calendar
    assert (calendar.groupby("day")["cost"].sum() <= 40).all()
    assert calendar[calendar["action"] == "mail!"].groupby("day").size().max() <= 20
    spans = calendar.sort_values("day").groupby("customer_id")["day"].diff().dropna()
    assert spans.min() >= 14
    # Contacts of a week before the end count: the next is a fortnight after them.
    sent = set(CONTACTS.loc[CONTACTS["cell_id"] == "c-1", "customer_id"])
    assert calendar.loc[calendar["customer_id"].isin(sent), "day"].min() >= 7
    told = found.outputs["decisions"].frame.set_index("customer_id")
    spared = found.ground.people.frame.set_index("customer_id")["tier"] == "D"
    assert (told.loc[spared, "action"] == ALONE).all() and NO_ACTION in set(told.loc[spared, "action_reason"])


@pytest.mark.proof
def test_each_list_has_a_file_of_its_own(small):
    _, found = small
    assert {"send_mail", "send_mail_2"} <= set(found.outputs)
    assert set(found.outputs["send_mail_2"].frame["action"]) == {"mail!"}


@pytest.mark.proof
def test_rows_in_any_order_give_the_same_lists(small, world, studied, tmp_path):
    _, found = small
    again = studied(world(tmp_path / "mixed", MORE, shuffled=5, cells=CELLS, contacts=CONTACTS, responses=RESPONSES))
    for name, one in found.outputs.items():
        pd.testing.assert_frame_equal(one.frame, again.outputs[name].frame)
    pd.testing.assert_frame_equal(found.decided.calendar, again.decided.calendar)


@pytest.mark.proof
def test_whoever_asks_for_decisions_gets_those_of_the_page(small):
    data, found = small
    whole = found.outputs["decisions"].frame
    pd.testing.assert_frame_equal(decisions(History(data)), whole[["customer_id", "action", "action_reason"]])


@pytest.mark.proof
def test_the_page_shows_every_part_and_names_nobody(small):
    data, _ = small
    result = actions.run(data)
    assert set(result.tables) >= {"actions", "alone", "effects", "calendar", "pressure", "rules", "others"}
    assert result.metrics["actions_customers"].value + result.metrics["left_alone"].value == 240
    shown = " ".join(table.frame.to_string() for table in result.tables.values())
    assert not re.search(r"\bc\d{3}\b", shown) and "window" not in shown.lower()
    assert any("are held out of everything" in said or "held out" in said for said in result.warnings)
    assert any(re.match("The effects? of “.*” ha(s|ve) not been measured", said) for said in result.warnings)


@pytest.mark.proof
def test_demand_follows_from_how_often_people_are_contacted(small):
    found = small[1]
    weeks = found.params.weeks
    often = found.decided.calendar.groupby("customer_id").size().reindex(found.ground.people.ids, fill_value=0) / weeks
    curve = np.interp(often, range(6), (0.0, 0.10, 0.17, 0.19, 0.20, 0.205))  # Hillstrom (2018)
    assert often.max() > 0
    assert found.pressure.set_index("span").loc[f"next {weeks} weeks", "demand"] == pytest.approx(curve.mean(), rel=1e-12)


@pytest.mark.proof
def test_budget_curve_rises_ever_more_slowly(small):
    curve = small[1].curve
    slopes = np.diff(curve["profit"]) / np.diff(curve["budget"])
    assert (slopes > -1e-9).all() and (np.diff(slopes) < 0.05 * slopes[0]).all()


@pytest.mark.proof
def test_without_a_margin_nothing_is_said_to_pay(world, tmp_path, nothing_remembered):
    data = world(tmp_path, margin="", more=MORE)
    result = actions.run(data)
    whole = result.outputs["decisions"].frame
    assert set(whole["action"]) == {ALONE, UNDECIDED} and set(result.outputs) == {"decisions"}
    # Whoever is undecided is one thing everywhere: no row of those left alone, and the total of the table by margin.
    undecided = whole[whole["action"] == UNDECIDED]
    assert set(undecided["action_reason"]) == {NO_MARGIN} and NO_MARGIN not in set(result.tables["alone"].frame["reason"])
    assert result.metrics["undecided"].value == len(undecided) == result.tables["actions"].frame["customers"].iloc[-1]
    assert result.metrics["left_alone"].value == result.tables["alone"].frame["customers"].sum() == len(whole) - len(undecided)
    by_margin = result.tables["actions"].frame
    shares = by_margin[["at_20", "at_40", "at_60"]]
    assert (shares.iloc[-1] >= shares.iloc[:-1].max()).all() and (shares.iloc[-1] <= shares.iloc[:-1].sum()).all()
    assert f"{shares['at_40'].iloc[-1]} of {len(undecided)}" == result.findings[0].value
    assert (whole["expected_gain"] == 0).all() and "actions_worth" not in result.metrics
    told = [*(f"{one.value} {one.text}" for one in result.findings), *result.warnings]
    assert "margin" in told[0] and any(said.endswith("Ask your analyst to give a margin.") for said in result.warnings)
    # Lines of the file are for the analyst: they stand in the method.
    assert any("margin = 0.4" in said for said in result.method.assumptions)
    assert not [said for said in told if re.search(r"\[\w+\]| = ", said)]
    assert not [said for said in result.absent.values() if re.search(r"\bpays?\b", said)]
    assert not [said for said in told if re.search(r"\b(earn\w*|profit\w*|paying)\b", said)]


@pytest.mark.proof
def test_without_cells_every_effect_is_assumed_and_it_is_said(world, tmp_path, nothing_remembered):
    result = actions.run(world(tmp_path))
    assert set(result.tables["effects"].frame["basis"]) == {"assumed"}
    assert any(
        "has not been measured; it is assumed" in said or "have not been measured; they are assumed" in said
        for said in result.warnings
    )
    assert any(
        "No actions have been set up, so the usual ones are used: “win back”, “second purchase”" in said
        for said in result.warnings
    )
    assert any(said.startswith("No customers are kept out of all actions") for said in result.warnings)


@pytest.mark.proof
def test_tiers_by_action_add_up_and_what_may_lose_is_not_said_to_pay(small):
    _, found = small
    table = exhibits.who_table(found)
    rows = table.frame.set_index("tier")
    for column, shown in table.columns.items():
        mine = [many for many in rows.get(column, []) if not isinstance(many, str)]
        if shown.label == "Left alone" and len(mine) == len(rows):
            assert sum(mine) == (found.decided.today["action"] == ALONE).sum()
    for low in (-5.0, 5.0):
        told = words.findings(replace(found, total=(10.0, low, 25.0), kept=found.kept.iloc[:0]))
        assert ("they may also lose money" in told[0].text) == (low < 0)
        assert not (low < 0 and any("of the profit" in one.text for one in told))


def test_a_measured_effect_that_may_be_none_is_called_so():
    assert Effect(0.04, -0.01, 0.09, MEASURED, "").told == "measured, may be none"
    assert Effect(0.04, 0.01, 0.07, MEASURED, "").told == MEASURED


@pytest.mark.proof
def test_few_customers_are_refused(world, tmp_path, nothing_remembered):
    data = world(tmp_path, people=8)
    with pytest.raises(TooLittleError, match="at least"):
        actions.run(data)
    assert actions.readiness(History(data), Params()).why_not


@pytest.mark.proof
def test_donors_read_their_own_words(opened_once, nothing_remembered):
    result = actions.run(opened_once("donors"), Params(margin=1.0))
    told = [f"{one.value} {one.text}" for one in result.findings] + [*result.warnings, *result.limits]
    for table in result.tables.values():
        told += [table.caption, *(column.label for column in table.columns.values())]
    told += [*result.method.assumptions, result.method.source]
    wrong = re.compile(r"customers?\b|purchases?\b|\bbuy|bought", re.I)
    assert [said for said in told if wrong.search(said)] == []
    assert set(result.tables["effects"].frame["action"]) == {"ask again"}


def no_effect(plans):
    return tuple(plan._replace(cells=tuple(cell._replace(effect=0.0) for cell in plan.cells)) for plan in plans)


@pytest.mark.proof
def test_offers_without_effect_are_seldom_used():
    """Four offers without effect in each of 20 worlds, measured as the shop's are: by the level of tests alone two worlds would act."""
    rng, acts = np.random.default_rng(0), 0
    errors = pd.Series([0.012, 0.016, 0.014, 0.018], index=list("abcd"))
    for _ in range(20):
        found = pd.Series(rng.normal(0, errors), index=errors.index)
        acts += any(effects._effect_of(shrunk_to_mean(found, errors, name, 0.0, 0.9), "").counted > 0 for name in found.index)
    assert acts <= 2


@pytest.mark.proof
@pytest.mark.nightly
def test_without_any_effect_nothing_is_lost_by_more_than_chance_would_have_it(monkeypatch, tmp_path, nothing_remembered):
    monkeypatch.setattr(campaigns, "CAMPAIGNS", no_effect(campaigns.CAMPAIGNS))
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))  # these worlds are not those of their names
    acts = 0
    for seed in range(300, 320):
        path = tmp_path / f"null{seed}.toml"
        path.write_text(f'title = "Null"\ncurrency = "EUR"\n[source]\nkind = "shop"\ncustomers = 1500\nseed = {seed}\n')
        history = History(crmlab.open_dataset(str(path)))
        # An action brings nothing here and costs what it costs: whoever acts loses, and nobody acts without an effect that counts.
        acts += any(one.effect.counted > 0 for one in priced(history, default_actions(history, 0.9), 0.9))
    assert acts <= 2


@pytest.mark.proof
def test_at_the_true_effects_the_choice_brings_more_than_a_ranking_by_value(shop):
    data, found = shop
    truth = make_shop(4000, 1).truth.campaigns.dropna(subset=["offer"]).groupby("offer")["effect"].mean()
    ground = found.ground
    true = tuple(
        replace(one, effect=Effect(truth[one.name], truth[one.name], truth[one.name], MEASURED, "")) for one in ground.actions
    )
    gains, costs, *_ = gains_of(History(data), ground.people, true, ground.goals)
    place = pd.Index(ground.people.ids)
    plan = found.decided.today[found.decided.today["planned"] != ""]
    at = place.get_indexer(plan["customer_id"])
    spent = sum(costs[name][k] for name, k in zip(plan["planned"], at, strict=True))
    brings = sum(gains[name].iloc[k] for name, k in zip(plan["planned"], at, strict=True))
    frame = ground.people.frame
    rank = np.argsort(-(frame["alive"].fillna(1.0) * frame["value"]).to_numpy(float), kind="stable")
    may = eligible(ground).notna().any(axis=1).to_numpy()
    for name in ("small gift", "10% off"):
        able = rank[may[rank] & gains[name].notna().to_numpy()[rank]]
        within = able[np.cumsum(costs[name][able]) <= spent]
        assert brings >= 1.1 * gains[name].iloc[within].sum() and brings > 0
