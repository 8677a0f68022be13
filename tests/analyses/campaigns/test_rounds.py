"""Rounds of one test, pooled: with the chance that the design says, and only what is one test."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns import results
from crmlab.analyses.campaigns.design.expected import Expected
from crmlab.analyses.campaigns.design.money import Terms
from crmlab.analyses.campaigns.design.search import Limits, Setting, find_plan
from crmlab.analyses.campaigns.rounds import stem_of
from crmlab.errors import ModelError
from crmlab.models.testing.meta import pool_rounds

N = 200
END = dt.date(2024, 7, 31)


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))


@pytest.mark.parametrize(("effects", "fewer"), [({"a": 0.03}, True), ({"a": 0.04, "b": 0.035}, False)])
def test_pooled_rounds_show_the_effect_as_often_as_the_plan_says(effects, fewer):
    base, draws, rng = 0.2, 600, np.random.default_rng(5)
    terms = Terms(
        base=Expected(value=base, source="given"), spend=40.0, sd=30.0, margin=20.0, cost=0.5, fixed=0.0, power=0.8, level=0.95,
    )  # fmt: skip
    setting = Setting(
        window=28, times=1, terms=terms, effects={name: Expected(value=one, source="given") for name, one in effects.items()}
    )
    plan, _ = find_plan(setting, lambda _: None, Limits(people=2000, least=5, fewer=fewer))
    assert plan.rounds > 1
    cells, sizes = list(effects), plan.sizes
    shown = np.zeros(len(cells))
    for _ in range(draws):
        p = {
            name: rng.binomial(n, base + effects.get(name, 0.0), plan.rounds) / n
            for name, n in sizes.items()
        }  # fmt: skip
        var = {name: share * (1 - share) / sizes[name] for name, share in p.items()}
        y = np.column_stack([p[cell] - p[""] for cell in cells])
        V = np.array([np.diag([var[cell][k] for cell in cells]) + var[""][k] for k in range(plan.rounds)])
        shown += (pool_rounds(y, V)["low"] > 0).to_numpy()
    for cell, share in zip(cells, shown / draws, strict=True):
        assert share == pytest.approx(plan.chances[cell], abs=0.05)


@pytest.mark.proof
def test_of_rounds_without_effect_one_in_twenty_is_shown():
    rng = np.random.default_rng(6)
    V = np.array([np.eye(2) + 1, 3 * (np.eye(2) + 1), 2 * (np.eye(2) + 1)])
    wrong = 0
    for _ in range(1000):
        found = pool_rounds(np.array([rng.multivariate_normal([0, 0], one) for one in V]), V)
        wrong += ((found["low"] > 0) | (found["high"] < 0)).any()
    assert wrong / 1000 == pytest.approx(0.05, abs=0.02)


def test_one_round_is_no_pool():
    with pytest.raises(ModelError, match="at least 2 rounds"):
        pool_rounds([[1.0]], [[[1.0]]])
    with pytest.raises(ModelError, match="above 0"):
        pool_rounds([[1.0], [2.0]], [[[1.0]], [[0.0]]])


def test_a_round_is_known_by_its_number():
    assert [stem_of(one) for one in ("next-1", "next-12", "a-b-2", "next", "next-0", "next-a", "-1")] == [
        "next", "next", "a-b", None, None, None, None,
    ]  # fmt: skip


def made(folder, names=("spring-1", "spring-2"), offers=("gift", "gift"), last="2024-06-28"):
    """Campaigns of 200 against 200: 20 controls of each buy for 30, and 30, then 40 of those contacted."""
    cells, contacts, lines = [], [], []
    for k, (name, offer) in enumerate(zip(names, offers, strict=True)):
        opens, closes = (("2024-05-01", "2024-05-28"), ("2024-06-01", last))[k]
        shared = {"campaign_id": name, "opens_on": opens, "closes_on": closes, "channel": "email"}
        cells += [
            {**shared, "cell_id": f"{name}-c"},
            {
                **shared,
                "cell_id": f"{name}-t",
                "control_cell_id": f"{name}-c",
                "offer": offer,
                "cost_per_contact": 0.5,
                "cost_per_response": 1.0,
            },
        ]
        for place in range(2 * N):
            who = f"c{place:03}" if k == 0 else f"c{(place * 7 + 3) % (2 * N):03}"
            part, own = ("c", place) if place < N else ("t", place - N)
            contacts.append({"customer_id": who, "cell_id": f"{name}-{part}", "contacted_at": f"{opens} 06:00"})
            if own < (20 if part == "c" else 30 + 10 * k):
                lines.append({"customer_id": who, "ordered_at": opens[:8] + "10", "amount": 30.0})
    lines += [{"customer_id": "c000", "ordered_at": END.isoformat(), "amount": 5.0}]
    frame = pd.DataFrame(lines).assign(product_id="p", quantity=1)
    frame.insert(0, "order_id", [str(k) for k in range(len(frame))])
    text = ['title = "Own"\ncurrency = "EUR"\nmargin = 0.5']
    for name, table in {"cells": pd.DataFrame(cells), "contacts": pd.DataFrame(contacts), "order_lines": frame}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        text.append(f'[{name}]\nfile = "{name}.csv"')
    (folder / "own.toml").write_text("\n".join(text) + "\n")
    return crmlab.open_dataset(str(folder / "own.toml"))


@pytest.mark.proof
def test_all_rounds_together_by_hand(tmp_path):
    page = results.run(made(tmp_path), results.Params(campaign="spring-2", adjust=False))
    row = page.tables["rounds"].frame.iloc[0]
    y = np.array([0.05, 0.10])
    v = np.array([(0.15 * 0.85 + 0.1 * 0.9) / N, (0.2 * 0.8 + 0.1 * 0.9) / N])
    pooled, error = (y / v).sum() / (1 / v).sum(), (1 / v).sum() ** -0.5
    assert row["n"] == 2 * N and row["response"] == pytest.approx(100 * pooled, rel=0.01)
    assert row["response_high"] - row["response"] == pytest.approx(100 * 1.96 * error, rel=0.02)
    # Of profit: 15 of margin and 1 for the offer of each who bought, 0.50 of each contact.
    rounds = [N * (0.15 * 14 - 0.1 * 15 - 0.5), N * (0.2 * 14 - 0.1 * 15 - 0.5)]
    assert 2 * min(rounds) < row["gain"] < 2 * max(rounds) and row["gain_low"] < row["gain"] < row["gain_high"]
    assert row["verdict"] == "more bought"
    caption = page.tables["rounds"].caption
    assert "spring-1, spring-2" in caption and "95" in caption


@pytest.mark.proof
@pytest.mark.parametrize(
    "given",
    [
        {"names": ("spring", "spring-2")},
        {"names": ("autumn-1", "spring-2")},
        {"offers": ("card", "gift")},
        {"last": "2024-08-28"},
    ],
)
def test_other_campaigns_are_no_rounds(tmp_path, given):
    data = made(tmp_path, **given)
    page = results.run(data, results.Params(campaign=(given.get("names") or ("", "spring-2"))[1]))
    assert "rounds" in page.absent


def test_the_design_says_where_rounds_are_read():
    from crmlab.analyses.campaigns import design

    page = design.run(crmlab.open_dataset("cdnow_sample"), design.Params(rounds=3, fit=False, campaign="gifts"))
    said = " ".join(page.method.assumptions)
    assert "gifts-1 to gifts-3" in said and "crmlab campaign launch gifts-1”." in said and "all rounds together" in said
