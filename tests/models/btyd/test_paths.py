"""Futures that are drawn hold as much as the closed forms tell of them, where the parameters are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd import BGBB, BGNBD, MBGNBD, Clock, ParetoNBD
from crmlab.models.btyd.paths import drawn_paths

PEOPLE = pd.DataFrame({"frequency": [0, 1, 4, 9], "recency": [0.0, 5.0, 30.0, 38.0], "T": [20.0, 40.0, 40.0, 40.0]})
YEAR = 1 + 0.8 * np.cos(2 * np.pi * (np.arange(365) - 40) / 365)
SEASON = Clock(end=dt.date(2024, 12, 31), season=YEAR)
MODELS = {
    "mbg": MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4),
    "bg": BGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4),
    "pareto": ParetoNBD.from_params(r=0.6, alpha=6.0, s=0.6, beta=12.0),
    "mbg on a clock": MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4).set_params(clock=SEASON),
}


def counts(model, horizon, until=None, each=60):
    """Purchases of each customer up to a time, in each future."""
    found = []
    for paths in drawn_paths(model, PEOPLE, horizon, each=each, seed=5):
        some = paths.path[paths.time <= (horizon if until is None else until)]
        found.append(np.bincount(some, minlength=paths.futures * len(PEOPLE)).reshape(paths.futures, -1))
    return np.concatenate(found)


@pytest.mark.parametrize("name", MODELS)
def test_purchases_are_as_many_as_expected_and_as_likely(name):
    model = MODELS[name]
    drawn = counts(model, 52.0)
    off = 4 * drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - model.expected_purchases(PEOPLE, 52.0).to_numpy()) < off).all()
    likely = model.probability_of_purchase(PEOPLE, 52.0).to_numpy()
    assert (np.abs((drawn > 0).mean(axis=0) - likely) < 4 * np.sqrt(likely * (1 - likely) / len(drawn))).all()


def test_purchases_come_in_their_season():
    # Of a year from January, so many are expected by the end of April; without a season it would be far fewer.
    model = MODELS["mbg on a clock"]
    early = counts(model, 52.0, 17.0)
    off = 4 * early.std(axis=0) / np.sqrt(len(early))
    assert (np.abs(early.mean(axis=0) - model.expected_purchases(PEOPLE, 17.0).to_numpy()) < off).all()
    assert early.sum() > 1.3 * counts(MODELS["mbg"], 52.0, 17.0).sum()


def test_what_is_not_known_of_the_clock_moves_all_customers_of_a_future():
    unsure = Clock(end=dt.date(2024, 12, 31), drift=0.25)
    many = pd.concat([PEOPLE] * 200, ignore_index=True)
    wide, narrow = (
        np.concatenate(
            [np.bincount(p.path // len(p.rows), minlength=p.futures) for p in drawn_paths(model, many, 52.0, each=4, seed=2)]
        )
        for model in (MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4).set_params(clock=unsure), MODELS["mbg"])
    )
    assert wide.std() / wide.mean() > 3 * narrow.std() / narrow.mean()
    assert np.median(wide) == pytest.approx(np.median(narrow), rel=0.05)


def test_of_many_customers_every_one_may_be_drawn():
    many = pd.concat([PEOPLE] * 25, ignore_index=True)
    drawn = list(drawn_paths(MODELS["mbg"], many, 10.0, most=30))
    assert all(len(paths.rows) == 30 and (np.diff(paths.rows) > 0).all() for paths in drawn)
    assert set(np.concatenate([paths.rows for paths in drawn]).tolist()) == set(range(100))
    for paths in drawn:
        assert (np.diff(paths.path) >= 0).all() and (paths.path < paths.futures * 30).all()
        assert ((np.diff(paths.time) >= 0) | (np.diff(paths.path) > 0)).all()
        assert ((paths.time > 0) & (paths.time <= 10.0 + 1e-9)).all()


def test_same_seed_same_futures():
    one, other, third = (next(drawn_paths(MODELS["mbg"], PEOPLE, 10.0, seed=seed)) for seed in (1, 1, 2))
    assert one.time.tolist() == other.time.tolist() != third.time.tolist()


def test_models_of_whole_periods_are_refused():
    rounds = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
    with pytest.raises(ModelError, match="one of purchases at any time"):
        next(drawn_paths(rounds, PEOPLE, 3.0))
    with pytest.raises(ModelError, match="a positive number"):
        next(drawn_paths(MODELS["mbg"], PEOPLE, 0.0))
