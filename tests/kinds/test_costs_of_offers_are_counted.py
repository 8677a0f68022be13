"""What an offer costs is in what a campaign earned, on every page; where it is not known, no page says that anything earned."""

import datetime as dt
import re
from types import SimpleNamespace

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import scorecard
from crmlab.analyses.campaigns import final_result, results
from crmlab.analyses.campaigns.measurement import measured
from crmlab.analyses.scorecard import speech_of
from crmlab.analyses.scorecard.board import board_of
from crmlab.analyses.scorecard.campaigns import campaigns_of
from crmlab.analyses.scorecard.measures import lines_of
from crmlab.analyses.scorecard.money import money_of
from crmlab.history.past import History
from crmlab.models.intervals import TEST_LEVEL

N, BUYERS, CONTROLS = 120, 30, 10
SPENT = [20.0 + k % 7 for k in range(BUYERS + CONTROLS)]
END = dt.date(2024, 6, 30)


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))


def made(folder, costs=None, margin=0.4, unit_cost=None):
    """Two cells of 120: 30 of those contacted buy, and 10 controls; each bought once before, for the same."""
    people = [f"c{k:03}" for k in range(2 * N)]
    cells = pd.DataFrame(
        {
            "campaign_id": "spring", "cell_id": ["s-0", "s-1"], "control_cell_id": [None, "s-0"], "offer": [None, "gift"],
            "cost_per_contact": [0, 0.5], "fixed_cost": [0, 12], "opens_on": "2024-05-01", "closes_on": "2024-05-28",
        }
    ).assign(**(costs or {}))  # fmt: skip
    contacts = pd.DataFrame({"customer_id": people, "cell_id": ["s-0"] * N + ["s-1"] * N, "contacted_at": "2024-05-01 06:00"})
    buyers = [*people[N : N + BUYERS], *people[:CONTROLS]]
    lines = pd.DataFrame(
        {
            "order_id": [str(k) for k in range(len(buyers) + 2 * N + 1)],
            "customer_id": [*buyers, *people, people[0]],
            "ordered_at": ["2024-05-10"] * len(buyers) + ["2024-03-01"] * 2 * N + [END.isoformat()],
            "product_id": "p", "quantity": 1, "amount": [*SPENT, *[10.0] * (2 * N), 10.0],
        }
    )  # fmt: skip
    tables = {"cells": cells, "contacts": contacts, "order_lines": lines}
    if unit_cost is not None:
        tables["products"] = pd.DataFrame({"product_id": ["p"], "name": ["Thing"], "unit_cost": [unit_cost]})
    text = ['title = "Own"\ncurrency = "EUR"']
    text += [] if margin is None else [f"margin = {margin}"]
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        text.append(f'[{name}]\nfile = "{name}.csv"')
    (folder / "own.toml").write_text("\n".join(text) + "\n")
    return crmlab.open_dataset(str(folder / "own.toml"))


def spend_more():
    """Spend that the cell of 120 brought beyond as many controls."""
    return sum(SPENT[:BUYERS]) - sum(SPENT[BUYERS:])


def said(result):
    parts = [finding.sentence() for finding in result.findings] + [*result.warnings, *result.limits]
    parts += [f"{table.caption} {re.sub('<[^>]*>', ' ', table.html())}" for table in result.tables.values()]
    parts += [f"{chart.caption} {chart.alt}" for chart in result.charts.values()]
    return " ".join(parts)


def page(data, **params):
    return results.run(data, results.Params(adjust=False, **params))


CONTACTS = 0.5 * N + 12


@pytest.mark.proof
@pytest.mark.parametrize(
    ("costs", "offers"),
    [
        ({"cost_per_response": [None, 2.0]}, 2.0 * BUYERS),  # those too who would have bought anyway
        ({"cost_per_response": [None, 0]}, 0.0),
        ({"offer": None, "creative": [None, "plain"]}, 0.0),  # a plain message costs nothing more
    ],
)
def test_profit_by_hand(tmp_path, costs, offers):
    metrics = page(made(tmp_path, costs)).metrics
    assert metrics["offer_cost"].value == pytest.approx(offers)
    assert metrics["cost"].value == pytest.approx(CONTACTS + offers)
    assert metrics["incremental_margin"].value == pytest.approx(0.4 * spend_more())
    assert metrics["incremental_profit"].value == pytest.approx(0.4 * spend_more() - CONTACTS - offers)
    for name in ("contacts", "cost", "offer_cost", "cells_that_earned"):
        assert metrics[name].low is None, "what is counted has no interval"


@pytest.mark.proof
def test_a_discount_is_in_what_was_paid(tmp_path):
    off = {"discount": [None, 0.1]}
    # At a margin of 40% goods cost 60 of 100. Of 90 paid they take two thirds.
    treated, control = sum(SPENT[:BUYERS]), sum(SPENT[BUYERS:])
    of_share = page(made(tmp_path, off)).metrics
    assert of_share["incremental_margin"].value == pytest.approx((1 - 0.6 / 0.9) * treated - 0.4 * control, abs=1e-2)
    assert of_share["incremental_profit"].value == pytest.approx(of_share["incremental_margin"].value - CONTACTS)
    (tmp_path / "costs").mkdir()
    of_costs = page(made(tmp_path / "costs", off, margin=None, unit_cost=6.0)).metrics
    assert of_costs["incremental_margin"].value == pytest.approx(treated - control - 6.0 * (BUYERS - CONTROLS))


@pytest.mark.proof
def test_without_its_cost_an_offer_wins_nothing(tmp_path):
    result = page(made(tmp_path))
    before, most = result.metrics["profit_before_offers"], result.metrics["break_even_offer"]
    assert not {"incremental_profit", "cells_that_earned"} & set(result.metrics)
    assert "before the cost of the offer" in result.findings[0].text
    assert not re.search(r"clearest|earn(ed)? more than|after costs", said(result))
    assert most.value == pytest.approx(before.value / BUYERS) and most.low < most.value < most.high
    assert set(result.outputs["comparisons"].frame["metric"]) == {"response", "spend", "margin", "profit_before_offer"}
    # At that cost nothing is left, and at the end of its interval nothing is just not shown to be lost.
    (tmp_path / "even").mkdir()
    even = page(made(tmp_path / "even", {"cost_per_response": [None, round(most.value, 4)]})).metrics["incremental_profit"]
    assert even.value == pytest.approx(0, abs=0.01)
    assert (even.high - even.low) / BUYERS == pytest.approx(most.high - most.low, rel=1e-3)


def test_without_a_margin_nothing_earns(tmp_path):
    result = page(made(tmp_path, {"cost_per_response": [None, 2.0]}, margin=None))
    assert result.metrics["incremental_revenue"].value == pytest.approx(spend_more())
    assert not {"incremental_profit", "incremental_margin", "profit_before_offers", "cells_that_earned"} & set(result.metrics)
    wanted = [warning for warning in result.warnings if "Ask your analyst to give a margin" in warning]
    assert len(wanted) == 1 and sum("margin = 0.4" in one for one in result.method.assumptions) == 1
    assert not re.search(r"\bearn|profit|\bpays\b|margin", said(result).replace(wanted[0], ""), flags=re.I)
    assert set(result.outputs["comparisons"].frame["metric"]) == {"response", "spend"}
    assert result.outputs["past_cells"].frame["profit_per_contact"].isna().all()


@pytest.mark.proof
@pytest.mark.parametrize("costs", [{"cost_per_response": [None, 2.0]}, {}])
def test_the_scorecard_has_the_same_result_at_the_same_level(tmp_path, costs):
    data = made(tmp_path, costs)
    history = History(data, END)
    board = SimpleNamespace(
        history=history, params=SimpleNamespace(margin=None, min_group=5, level=0.9), speech=speech_of(history)
    )
    row = campaigns_of(board)[0].iloc[0]
    metrics = results.run(data).metrics
    shown = metrics["profit_before_offers" if not costs else "incremental_profit"]
    assert (row["profit"], row["profit_low"], row["profit_high"]) == (shown.value, shown.low, shown.high)
    response = metrics["response"]
    assert (row["response"], row["response_low"], row["response_high"]) == (response.value, response.low, response.high)
    assert shown.level == response.level == TEST_LEVEL
    assert row["cost"] == metrics["cost"].value
    assert ("before the cost of the offer" in row["note"]) == (not costs)
    whole = final_result(measured(data, "spring", END), END)
    assert whole.profit.value == shown.value


@pytest.mark.proof
def test_a_return_is_on_what_was_spent_beyond_the_controls_on_every_page(tmp_path):
    # The control is sent something too: 0.20 each.
    data = made(tmp_path, {"cost_per_response": [0.0, 2.0], "cost_per_contact": [0.2, 0.5], "offer": ["card", "gift"]})
    extra = CONTACTS + 2.0 * BUYERS - 0.2 * N
    found = measured(data, "spring", END)
    whole = final_result(found, END)
    assert whole.extra == pytest.approx(extra) and whole.roi.value == pytest.approx(whole.profit.value / extra)
    cell = results.run(data).tables["money"].frame.iloc[0]
    board = SimpleNamespace(history=History(data, END), params=SimpleNamespace(margin=None, min_group=5, level=0.9))
    row = campaigns_of(board)[0].iloc[0]
    for end in ("", "_low", "_high"):
        assert cell[f"roi{end}"] == pytest.approx(row[f"roi{end}"])
    assert cell["total"] == pytest.approx(whole.profit.value) and cell["cost"] == whole.cost


def test_no_return_where_the_cost_of_an_offer_is_not_known(tmp_path):
    data = made(tmp_path)
    assert final_result(measured(data, "spring", END), END).roi is None
    assert "roi" not in results.run(data).tables["money"].columns


@pytest.mark.proof
def test_money_of_a_small_cell_is_not_blown_up_to_a_thousand(tmp_path):
    result = page(made(tmp_path, {"cost_per_response": [None, 0]}))
    shown = [finding.sentence() for finding in result.findings]
    shown += [
        re.sub("<[^>]*>", " ", result.tables[name].html())
        for name in ("money", "components", "segments")
        if name in result.tables
    ]
    shown += [f"{chart.caption} {chart.alt}" for name, chart in result.charts.items() if name in ("forest", "components")]
    assert not re.search(r"per 1,000|1,000 contacts", " ".join(shown))
    earned = next(finding for finding in result.findings if finding.metric == "cells_that_earned")
    total = result.tables["money"].frame.iloc[0]["total"]
    assert f"from its {N} contacts" in earned.text and f"€{total:,.0f}" in earned.text


@pytest.mark.proof
@pytest.mark.parametrize("costs", [{"cost_per_response": [None, 0]}, {"cost_per_response": [None, 500]}])
def test_beside_what_is_counted_stands_no_interval(tmp_path, costs):
    for finding in page(made(tmp_path, costs)).findings:
        if results.QUANTITIES[finding.metric].counted:
            assert finding.interval == "", finding.sentence()


@pytest.mark.proof
@pytest.mark.parametrize(("column", "value"), [("cost_per_response", -1.0), ("discount", 1.0), ("discount", -0.1)])
def test_costs_that_cannot_be_are_refused(tmp_path, column, value):
    with pytest.raises(crmlab.errors.CrmlabError, match=column):
        page(made(tmp_path, {column: [None, value]}))


@pytest.mark.proof
@pytest.mark.parametrize(
    "costs", [{"cost_per_response": [None, 8]}, {"cost_per_response": [None, 0]}, {"discount": [None, 0.1]}]
)
def test_the_scorecard_takes_off_what_the_campaign_page_says_that_offers_cost(tmp_path, costs):
    data = made(tmp_path, costs)
    board = board_of(History(data, END), scorecard.Params(period="quarter"))
    money, campaign = money_of(board), final_result(measured(data, "spring", END), END)
    assert money.of("offers").amounts[board.now] == -campaign.offers == -BUYERS * (costs.get("cost_per_response", [0, 0])[1])
    assert money.of("contacts").amounts[board.now] == -(campaign.cost - campaign.offers)
    parts = [money.of(key).amounts[board.now] for key in ("margin", "contacts", "offers")]
    assert money.of("profit").amounts[board.now] == pytest.approx(sum(parts), abs=1e-9)
    assert money.of("profit").each[board.now].sum() == pytest.approx(
        sum(parts) + 12, abs=1e-9
    )  # what is fixed is of no customer
    assert "offers" not in money.of("profit").label and money.of("offers").add == ""


@pytest.mark.proof
def test_where_an_offer_has_no_cost_the_scorecard_says_that_profit_is_before_it(tmp_path):
    board = board_of(History(made(tmp_path), END), scorecard.Params(period="quarter"))
    money = money_of(board)
    assert money.of("profit").label == "{Profit} before the cost of offers" and "cost_per_response" in money.of("offers").add
    line = next(line for line in lines_of(board, money) if line.key == "profit")
    assert line.label == "Profit before the cost of offers" and line.now == money.of("profit").amounts[board.now]
