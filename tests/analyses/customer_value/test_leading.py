"""What is taken from a rival that is shown to be better: sums are scaled to its total, customers are listed in its order, on all pages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses import customer_value as analysis
from crmlab.analyses import lifecycle
from crmlab.analyses.customer_value import contest, leading, scores
from crmlab.analyses.customer_value.base import base_of
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import chosen
from crmlab.analyses.customer_value.contest import Contest, field_of, span_of
from crmlab.analyses.customer_value.forecasters import Field, spender
from crmlab.analyses.customer_value.leading import lead_of
from crmlab.analyses.customer_value.seasons import Season
from crmlab.analyses.customers import customer_table
from crmlab.data.shop.make import make_shop
from crmlab.errors import TooLittleError
from crmlab.models.forecasts import Winners
from tests.frames import history_of

OFF = Season(by="off", tested=pd.DataFrame())
BEST = Choice(name="mbg_nbd", by="holdout", ranked=None, untested="", season=OFF)
SPAN = 13


@pytest.fixture(scope="module")
def orders():
    made = make_shop(400, seed=4, days=400, seasonality=0.0, return_rate=0.0)
    return made.tables["orders"][["customer_id", "ordered_at", "amount"]]


@pytest.fixture
def history(orders):
    return history_of(orders)


def shown(monkeypatch, **by_target):
    """Let rivals be shown to be better: by target rank and total."""
    nothing, held = pd.DataFrame(), contest._contest
    won = {target: Winners(rank=rank, total=total, differences=nothing) for target, (rank, total) in by_target.items()}

    def found(field):
        real = held(field)
        return Contest(used=real.used, span=real.span, days=real.days, scored=real.scored, won=won)

    monkeypatch.setattr(contest, "_contest", found)


def totals_of(base, model):
    """Purchases and spend that a model expects of all customers in the weeks ahead."""
    value, capped = spender(model, base, 0)
    summary = base.summary()
    return float(model.expected_purchases(summary, SPAN).sum()), float(value.residual_value(capped, SPAN).sum())


@pytest.mark.proof
def test_nothing_is_taken_where_nobody_is_shown(history, monkeypatch):
    base = base_of(history)
    shown(monkeypatch)
    lead = lead_of(base, BEST, 0.9, 0)
    assert (lead.rank, lead.order, lead.taken, lead.pace, lead.spend) == (None, None, {}, 1.0, 1.0)
    clock = BEST.model(base).clock
    assert lead.clock(clock) is clock


@pytest.mark.proof
@pytest.mark.parametrize("targets", [("spend",), ("purchases",), ("purchases", "spend")])
def test_totals_become_those_of_the_rival(history, monkeypatch, targets):
    base = base_of(history)
    plain = dict(zip(("purchases", "spend"), totals_of(base, BEST.fit(base)), strict=True))
    shown(monkeypatch, **dict.fromkeys(targets, (None, "last_year")))
    lead = lead_of(base, BEST, 0.9, 0)
    rivals = {target: float(field_of(base, BEST, 0.9, 0).today("last_year", target, SPAN).sum()) for target in targets}
    used = Choice(name="mbg_nbd", by="holdout", ranked=None, untested="", season=OFF, day=base.end, lead=lead)
    told = dict(zip(("purchases", "spend"), totals_of(base, used.fit(base)), strict=True))
    for target in ("purchases", "spend"):
        # A total that is not shown to be told better stays as it was.
        assert told[target] == pytest.approx(rivals.get(target, plain[target]), rel=1e-6)
        assert target not in rivals or rivals[target] != pytest.approx(plain[target], rel=0.01)
    assert dict(lead.told) == {target: (pytest.approx(plain[target]), pytest.approx(rivals[target])) for target in targets}
    # Who is a customer still is the model's; forecasts from an earlier day are as they were.
    summary = base.summary()
    pd.testing.assert_series_equal(used.fit(base).probability_alive(summary), BEST.fit(base).probability_alive(summary))
    then = base_of(history.earlier(base.split(20)))
    assert totals_of(then, used.fit(then)) == totals_of(then, BEST.fit(then))


@pytest.mark.proof
def test_what_cannot_be_scaled_is_kept_and_said(history, monkeypatch):
    base = base_of(history)
    shown(monkeypatch, purchases=(None, "last_year"), spend=(None, "last_year"))
    monkeypatch.setattr(leading, "_FURTHEST", 1.001)
    assert set(lead_of(base, BEST, 0.9, 0).kept.values()) == {"far"}
    shown(monkeypatch, spend=("same_weeks", "same_weeks"))  # of 57 weeks it knows enough today, of 13 less it would not
    monkeypatch.setattr(Field, "today", lambda *_: (_ for _ in ()).throw(TooLittleError.needs("SameWeeks", "a year", "less")))
    silent = lead_of(base_of(history_of(history.data.orders.to_pandas())), BEST, 0.9, 0)
    assert silent.kept == {"spend": "silent"} and (silent.rank, silent.pace, silent.spend) == (None, 1.0, 1.0)
    given = Choice(name="mbg_nbd", by="given", ranked=None, untested="", season=OFF)
    assert lead_of(base, given, 0.9, 0).totals == {}


@pytest.mark.proof
def test_all_pages_speak_of_the_scaled_total(orders, monkeypatch):
    """One truth: whoever asks, the sums are those of the rival, and the list is in its order."""
    before = scores(history_of(orders))
    shown(monkeypatch, purchases=("boosting", None), spend=("boosting", "last_year"))
    history = history_of(orders)
    worth = scores(history)
    lead = worth.fit.choice.lead
    assert lead.rank == "boosting" and list(lead.taken) == ["spend"] and lead.span == SPAN
    ratio = lead.told["spend"][1] / lead.told["spend"][0]
    np.testing.assert_allclose(worth.points["value"], before.points["value"] * ratio, atol=0.02)
    assert worth.points["tier"].tolist() == before.points["tier"].tolist()
    told = worth.points["customer_id"].map(lead.order)
    best = worth.points["customer_rank"].to_numpy() == 1
    assert told[best].iloc[0] == told.max()
    page = analysis.run(history.data)
    listed = page.outputs["customers"].frame
    assert listed["customer_rank"].tolist() == list(range(1, len(listed) + 1))
    assert listed["customer_id"].map(lead.order).is_monotonic_decreasing
    assert any("So sums are scaled to its forecast of the next 13 weeks" in text for text in page.warnings)
    assert any("So the list of customers follows its order" in text for text in page.warnings)
    value = page.metrics["value_total"].value
    assert lifecycle.run(history.data).metrics["value_total"].value == pytest.approx(value, abs=0.011)
    assert customer_table(history.data)["value"].sum() == pytest.approx(value, abs=0.011)
    assert "Sums are now scaled to another forecast (same pace as last year)" in worth.miss.said(history.context().form)


@pytest.mark.proof
def test_a_rival_tells_of_everybody(orders):
    base = base_of(history_of(orders))
    everybody = field_of(base, BEST, 0.9, 0)
    told = everybody.today("ziln", "spend", SPAN)
    assert sorted(told.index) == base.summary()["customer_id"].tolist() and (told >= 0).all()
    assert span_of(base.length) == SPAN and chosen(base).lead.span == SPAN
