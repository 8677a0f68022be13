"""Which model of retention, and whether segments differ: the tests keep their levels, and find what is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlab.errors import ModelError, NotIdentifiableError
from crmlab.models import BDW, SBG, choose_retention, retention_by_segment

# Fader and Hardie (2007), table 1.
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
PLAIN = SBG.from_params(alpha=1.2, beta=3.0)


def rows_of(there: list[int], **more: str) -> pd.DataFrame:
    """A cohort of survivors, as a row per customer and how many are like them."""
    lost = -np.diff(there)
    rows = {"periods": [*range(len(lost)), len(lost)], "there": [False] * len(lost) + [True], "weight": [*lost, there[-1]]}
    return pd.DataFrame(rows).assign(**more)


def test_the_published_cohorts():
    found = choose_retention(HIGH_END)
    # Log-likelihoods of Fader, Hardie, Liu, Davin and Steenburgh (2018): −1605.3142 and −1611.1581.
    assert found.statistic == pytest.approx(2 * (1611.1581 - 1605.3142), abs=2e-4)
    assert found.p_value == pytest.approx(stats.chi2.sf(2 * (1611.1581 - 1605.3142), 1), rel=1e-3)
    assert found.model is found.bdw
    assert "rises with duration" in found.reason
    other = choose_retention(REGULAR)
    assert other.model is other.sbg
    assert other.p_value > 0.2
    assert "no role of duration" in other.reason
    assert choose_retention(REGULAR, level=0.5).model is not None
    strict = choose_retention(HIGH_END, level=0.9999)
    assert strict.model is strict.sbg
    assert choose_retention(HIGH_END, options={"unit": "year", "draws": 200}).model.unit == "year"


def test_with_two_periods_it_is_the_sbg():
    found = choose_retention([1000, 700, 560])
    assert found.model is found.sbg
    assert found.bdw is None
    assert np.isnan(found.p_value)
    assert "three periods" in found.reason
    with pytest.raises(NotIdentifiableError, match="SBG: .* at least two periods"):
        choose_retention([1000, 700])
    with pytest.raises(ModelError, match="choose_retention: 'options' must be of unit, draws, seed and max_iter. Got 'priors'"):
        choose_retention(HIGH_END, options={"priors": True})


def test_falling_chances_are_told_as_such():
    lives = BDW.from_params(alpha=4.0, beta=9.0, c=0.5).simulate([7.0] * 5000, seed=2)
    found = choose_retention(lives)
    assert isinstance(found.model, BDW)
    assert "falls with duration" in found.reason


def test_segments_are_fitted_one_by_one_and_together():
    table = pd.concat([rows_of(HIGH_END, plan="gold"), rows_of(REGULAR, plan="basic")], ignore_index=True)
    found = retention_by_segment(table, "plan")
    assert list(found.segments) == ["basic", "gold"]
    assert found.frame["model"].to_dict() == {"basic": "SBG", "gold": "BDW"}
    assert found.frame["customers"].tolist() == [1000, 1000]
    for name, there in (("gold", HIGH_END), ("basic", REGULAR)):
        alone = choose_retention(there)
        assert found.segments[name].model.params_ == pytest.approx(alone.model.params_, rel=1e-8)
        assert found.frame.loc[name, "log_likelihood"] == pytest.approx(alone.model.log_likelihood_)
        assert found.frame.loc[name, "c"] == pytest.approx(alone.model.params_.get("c", 1.0))
    both = np.array(HIGH_END) + REGULAR
    kind = BDW if found.tested_as == "BDW" else SBG
    apart = sum(kind().fit(there).log_likelihood_ for there in (HIGH_END, REGULAR))
    assert found.statistic == pytest.approx(2 * (apart - kind().fit(both).log_likelihood_), rel=1e-6)
    assert found.df == len(kind.parameter_names)
    assert found.p_value < 1e-20


def test_segments_that_tell_nothing_are_left_out():
    new = pd.DataFrame({"periods": [1, 1], "there": [True, True], "weight": [50, 50], "plan": "new"})
    table = pd.concat([rows_of(HIGH_END, plan="gold"), rows_of(REGULAR, plan="basic"), new], ignore_index=True)
    found = retention_by_segment(table, "plan")
    assert list(found.segments) == ["basic", "gold"]
    assert "at least two periods" in found.left_out["new"]
    assert found.together.model.n_customers_ == 2000
    one = retention_by_segment(table[table["plan"] != "basic"], "plan")
    assert one.df == 0
    assert np.isnan(one.p_value)


def test_what_is_no_segment_is_refused():
    table = rows_of(HIGH_END, plan="gold")
    with pytest.raises(ModelError, match="retention_by_segment: missing column 'tier'|no column 'tier'|lacks"):
        retention_by_segment(table, "tier")
    with pytest.raises(ModelError, match="retention_by_segment: plan must be given. Found 1 row that is not so"):
        retention_by_segment(pd.concat([table, table.iloc[:1].assign(plan=None)], ignore_index=True), "plan")
    many = pd.DataFrame({"periods": 1, "there": True, "plan": np.arange(300)})
    with pytest.raises(ModelError, match="at most 200 segments"):
        retention_by_segment(many, "plan")
    with pytest.raises(ModelError, match="a segment that can be fitted"):
        retention_by_segment(many.iloc[:3], "plan")


def ages(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, 5]).integers(1, 8, n).astype(float)


def p_values(seeds: range) -> tuple[np.ndarray, np.ndarray]:
    """Of the role of duration and of segments, where there is neither."""
    duration, differ = [], []
    for seed in seeds:
        lives = PLAIN.simulate(ages(seed, 800), seed=seed)
        segment = np.random.default_rng([seed, 6]).choice(["a", "b", "c"], 800)
        found = retention_by_segment(lives.assign(segment=segment), "segment")
        duration.append(found.together.p_value)
        differ.append(found.p_value)
    return np.array(duration), np.array(differ)


@pytest.mark.proof
def test_levels_of_both_tests():
    for p in p_values(range(40)):
        # Of 40, to four standard errors.
        assert np.mean(p < 0.05) <= 0.19
        assert 0.02 <= np.mean(p < 0.25) <= 0.53


@pytest.mark.nightly
@pytest.mark.proof
def test_levels_of_both_tests_300_worlds():
    for p in p_values(range(300)):
        # To three standard errors.
        assert 0.012 <= np.mean(p < 0.05) <= 0.088
        assert 0.13 <= np.mean(p < 0.2) <= 0.27


@pytest.mark.proof
def test_what_is_there_is_found():
    late = BDW.from_params(alpha=0.8, beta=4.0, c=1.8)
    duration, apart = [], []
    for seed in range(30):
        lives = late.simulate(ages(seed, 3000), seed=seed)
        duration.append(isinstance(choose_retention(lives).model, BDW))
        other = SBG.from_params(alpha=1.2, beta=4.5).simulate(ages(seed, 600), seed=1000 + seed)
        both = pd.concat([PLAIN.simulate(ages(seed, 600), seed=seed).assign(by="a"), other.assign(by="b")], ignore_index=True)
        apart.append(retention_by_segment(both, "by").p_value < 0.05)
    assert np.mean(duration) >= 0.9
    assert np.mean(apart) >= 0.9
