"""What would silently give wrong numbers is refused in words: columns that tell the outcome, years, units, customers who have left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError, ParameterError
from crmlab.history import customer_summary
from crmlab.models import BDW, BGNBD, MBGCNBD, SBG, choose_retention, compare_models, load_model, remaining_frame


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    made = BGNBD.from_params(r=0.8, alpha=8.0, a=0.5, b=2.5).simulate(np.full(600, 52.0), 26.0, seed=1)
    return made.assign(channel=np.where(np.arange(600) % 3, "web", "shop"), year=2021.0 + np.arange(600) % 5)


@pytest.mark.parametrize("column", ["holdout_purchases", "occasions", "total_spend", "days_since_last"])
def test_what_is_to_be_explained_explains_nothing(column: str) -> None:
    with pytest.raises(ModelError, match=f"known of a customer from the beginning on. Got '{column}, what"):
        BGNBD(covariates=[column]).fit(pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0], column: [1.0]}))


def test_years_are_counted_from_another_start(customers: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="year.* must hold numbers whose mean is within 150.*'year' less 2023"):
        BGNBD(covariates=["year"]).fit(customers)
    since = customers.assign(year=customers["year"] - 2023)
    assert np.isfinite(BGNBD(covariates=["year"]).fit(since).log_likelihood_)


def test_a_fit_that_fails_leaves_the_model_as_it_was(customers: pd.DataFrame) -> None:
    model = BGNBD(covariates=["channel"]).fit(customers)
    before = model.expected_purchases(customers, 10.0)
    with pytest.raises(ModelError):
        model.fit(customers.drop(columns="channel"))
    pd.testing.assert_series_equal(before, model.expected_purchases(customers, 10.0))
    regular = MBGCNBD(k=2).fit(customers.assign(log_gaps=_even(customers)))
    told = regular.expected_purchases(customers, 10.0)
    with pytest.raises(ModelError):
        regular.fit(customers.drop(columns="T"))
    assert regular.k_ == 2
    pd.testing.assert_series_equal(told, regular.expected_purchases(customers, 10.0))


def _even(customers: pd.DataFrame) -> pd.Series:
    """Logs of gaps where all of a customer's are alike."""
    x = customers["frequency"]
    return (x * np.log(customers["recency"].where(x > 0, 1.0) / x.clip(lower=1))).where(x > 0, 0.0)


def test_logs_of_gaps_are_in_the_unit_of_recency(customers: pd.DataFrame) -> None:
    given = customers.assign(log_gaps=_even(customers))
    assert MBGCNBD(k=2).fit(given).k_ == 2
    in_days = given.assign(recency=given["recency"] * 7, T=given["T"] * 7)
    with pytest.raises(ModelError, match="log_gaps must be the log of recency where frequency is 1"):
        MBGCNBD(k=2).fit(in_days)


def test_models_of_one_class_are_compared_by_name(customers: pd.DataFrame) -> None:
    held = customers.assign(horizon=26.0)
    with pytest.raises(ModelError, match="needs a name for each model. Found: several of class BGNBD"):
        compare_models([BGNBD(), BGNBD(covariates=["channel"])], held)
    found = compare_models({"plain": BGNBD(), "by channel": BGNBD(covariates=["channel"])}, held)
    assert list(found.index) == ["plain", "by channel"]


@pytest.mark.parametrize("model", [SBG.from_params(alpha=1.0, beta=2.0), BDW.from_params(alpha=1.0, beta=2.0, c=1.2)])
def test_only_those_who_are_there_are_asked_about(model: SBG | BDW) -> None:
    made = model.simulate(np.full(200, 5), 4, seed=1)
    with pytest.raises(ModelError, match="there must be true of customers who are asked about"):
        model.expected_purchases(made, 4)
    there = made[made["there"].astype(bool)]
    total = float(model.expected_purchases(there, 4).sum())
    assert total == pytest.approx(float(remaining_frame(model, made, 4)["renewals"].iloc[-1]), rel=1e-9)


def test_survivors_are_customers_and_not_shares() -> None:
    shares = np.array([1000, 869, 743, 653, 593]) / 1000
    with pytest.raises(ModelError, match="survivors must be whole numbers.*Give customers, not shares of them"):
        choose_retention(shares)


def test_texts_of_there_are_named_as_they_are() -> None:
    frame = pd.DataFrame({"periods": [1, 2, 3, 4], "there": ["yes", "no", "yes", "no"]})
    with pytest.raises(ModelError, match="yes|no") as told:
        BDW().fit(frame)
    assert "nan" not in str(told.value)


def test_a_model_at_given_parameters_keeps_its_k(tmp_path) -> None:
    model = MBGCNBD.from_params(k=3, r=1.3, alpha=1.5, a=0.4, b=0.9)
    model.save(tmp_path / "model.json")
    assert load_model(tmp_path / "model.json").k_ == 3


def test_likelihoods_that_were_not_found_come_back_as_numbers(tmp_path, customers: pd.DataFrame) -> None:
    model = MBGCNBD(k=1).fit(customers)
    model.profile_ = [model.log_likelihood_, -np.inf]
    model.save(tmp_path / "model.json")
    assert load_model(tmp_path / "model.json").profile_ == [model.log_likelihood_, -np.inf]


@pytest.mark.parametrize("given", [1, None, "yes"])
def test_what_log_gaps_may_be(given: object) -> None:
    orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2024-01-01"], "amount": [1.0]})
    with pytest.raises(ParameterError, match="'log_gaps'.*True, False or a Clock"):
        customer_summary(orders, log_gaps=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"level": None}, {"level": 95}, {"seed": -1}, {"seed": "x"}])
def test_options_of_what_remains(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        remaining_frame(SBG.from_params(alpha=1.0, beta=2.0), pd.DataFrame({"periods": [1]}), 3, **wrong)  # type: ignore[arg-type]


def test_a_model_without_covariates_names_those_that_take_them(customers: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="BGNBD, MBGNBD and ParetoNBD take them"):
        MBGCNBD(k=1).fit(customers).coefficients()
