"""Which model of purchases is used: one by which a single purchase keeps nobody for ever, unless the other is clearly better."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.customer_value import choosing, words
from crmlab.analyses.customer_value.backtesting import Ranked, ranked
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import chosen
from crmlab.analyses.customer_value.seasons import Season
from crmlab.history.words import ROUNDS, WEEKS
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.page.format import Format

NAMES = ("mbg_nbd", "pareto_nbd", "bg_nbd")
NO_SEASON = Season(by="rounds", tested=pd.DataFrame())


def told(best, clear):
    """What a holdout period said, with the other two models behind the best, MBG/NBD before Pareto/NBD."""
    order = [best, *(name for name in NAMES if name != best)]
    frame = pd.DataFrame({"holdout_log_likelihood": [-100.0, -110.0, -120.0]}, index=order)
    return Ranked(
        holdout=13, held=pd.DataFrame(), models=dict.fromkeys(NAMES), ranking=frame, best=best, clear=clear, failed={}
    )  # fmt: skip


@pytest.fixture
def choose(monkeypatch):
    """Chooses for a base of two years, given what the last holdout period said and those of a quarter, two and three before."""

    def found(*periods, weeks=104):
        end, days = dt.date(2024, 12, 31), []
        first = end - dt.timedelta(weeks=weeks)

        def base_at(day):
            history = SimpleNamespace(earlier=lambda when: base_at(when), once=lambda key, work, **_: work())
            return SimpleNamespace(end=day, first=first, history=history, models=NAMES, words=WEEKS, length=weeks)

        def said(base, holdout, names, *, season, level=0.9, seed=0):
            assert season is NO_SEASON
            days.append(base.end)
            return periods[len(days) - 1]

        monkeypatch.setattr(choosing, "ranked", said)
        monkeypatch.setattr(choosing, "judged", lambda base, amplitude: NO_SEASON)
        monkeypatch.setattr(choosing, "base_of", lambda base: base)
        monkeypatch.setattr(choosing, "default_holdout", lambda base: 13)
        monkeypatch.setattr(choosing, "Base", SimpleNamespace)
        monkeypatch.setattr(choosing, "lead_of", lambda base, choice, level, seed: choice.lead)
        choice = chosen(base_at(end))
        assert choice.seasons == max(len(days) - 1, 0)
        return choice.name, choice.by, [(end - day).days for day in days]

    return found


CLEAR, UNCLEAR = told("bg_nbd", True), told("bg_nbd", False)


def test_bg_nbd_must_be_clearly_better_in_every_season(choose):
    assert choose(CLEAR, CLEAR, CLEAR, CLEAR) == ("bg_nbd", "holdout", [0, 91, 182, 273])
    assert choose(UNCLEAR) == ("mbg_nbd", "unclear", [0])
    assert choose(CLEAR, CLEAR, UNCLEAR) == ("mbg_nbd", "unclear", [0, 91, 182])
    assert choose(CLEAR, told("pareto_nbd", True)) == ("mbg_nbd", "unclear", [0, 91])


def test_a_history_too_short_for_earlier_seasons_has_one_period(choose):
    assert choose(CLEAR, weeks=30) == ("bg_nbd", "holdout", [0])
    assert choose(UNCLEAR, weeks=30)[0] == "mbg_nbd"


@pytest.mark.parametrize(
    ("by", "seasons", "says"),
    [
        ("holdout", 0, "could not be tested on periods that end earlier"),
        ("holdout", 1, "it did so too in the one earlier-ending period that was tested"),
        ("holdout", 3, "it did so too in all 3 of the earlier-ending periods that were tested"),
        ("unclear", 0, "its lead was not clear"),
        ("unclear", 2, "its lead was clear in that period, but not in both of the earlier-ending periods that were tested"),
    ],
)
def test_the_page_says_on_how_many_periods_the_lead_was_tested(by, seasons, says):
    ranking = CLEAR.ranking.assign(behind=3.0, behind_low=1.0, behind_high=5.0)
    name = "bg_nbd" if by == "holdout" else "mbg_nbd"
    choice = Choice(name=name, by=by, ranked=replace(CLEAR, ranking=ranking), untested="", seasons=seasons, season=NO_SEASON)
    shown = SimpleNamespace(
        fit=SimpleNamespace(choice=choice),
        base=SimpleNamespace(words=WEEKS, models=NAMES),
        context=SimpleNamespace(form=Format()),
    )
    assert words._why_chosen(shown).endswith(says)


def test_the_others_need_no_more_than_to_be_best(choose):
    assert choose(told("pareto_nbd", False)) == ("pareto_nbd", "holdout", [0])
    assert choose(told("mbg_nbd", False)) == ("mbg_nbd", "holdout", [0])


@pytest.mark.parametrize(("truth", "best", "clear"), [(0.8, "bg_nbd", True), (0.02, "mbg_nbd", False)])
def test_clear_is_beyond_the_interval_of_the_difference(truth, best, clear):
    # Where hardly anybody leaves, models that differ in who may leave cannot be told apart.
    made = BGNBD.from_params(r=0.5, alpha=5.0, a=truth, b=2.5).simulate([40.0] * 3000, 40, seed=1).assign(horizon=40.0)
    base = SimpleNamespace(held=lambda holdout: made, words=ROUNDS)  # of which no earlier day is asked for a clock
    found = {level: ranked(base, 40, ("mbg_nbd", "bg_nbd"), season=NO_SEASON, level=level) for level in (0.5, 0.9, 0.999999)}
    assert {(one.best if clear else "", one.clear) for one in found.values()} == {(best if clear else "", clear)}
    other = found[0.9].ranking.loc[found[0.9].best_but(found[0.9].best)]
    assert (other["behind_low"] > 0) == clear


@pytest.mark.parametrize(("ahead", "name"), [(9.0, "mbg_nbd"), (11.0, "bg_nbd")])
def test_by_aic_bg_nbd_must_be_better_by_ten(monkeypatch, ahead, name):
    class Fake:
        def __init__(self, aic):
            self.aic_ = aic

        def fit(self, summary):
            return self

    aic = {"mbg_nbd": 500.0, "pareto_nbd": 520.0, "bg_nbd": 500.0 - ahead}
    monkeypatch.setattr(choosing, "MODELS", {key: lambda seed, value=value: Fake(value) for key, value in aic.items()})
    assert choosing._of_lowest_aic(pd.DataFrame(), NAMES, 0) == name


def test_whoever_bought_once_may_be_gone_by_the_default():
    once = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [100.0]})
    at = {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5}
    assert BGNBD.from_params(**at).probability_alive(once)[0] == 1
    assert 0 < MBGNBD.from_params(**at).probability_alive(once)[0] < 0.9
    assert np.isfinite(MBGNBD.from_params(**at).expected_purchases(once, 52.0)[0])
