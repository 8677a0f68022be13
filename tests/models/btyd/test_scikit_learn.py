"""Models of purchases in scikit-learn's own tools: scores of customers held out, pipelines, and searches over options."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import special
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from crmlab.errors import ModelError
from crmlab.models import BGBB, BGNBD, MBGNBD, SBG, CustomerValue, GammaGamma, ParetoNBD

TRUTH = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    seen = TRUTH.simulate(np.random.default_rng(1).integers(20, 40, 900) / 1.0, 26.0, seed=3)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=4)
    return seen.assign(monetary_value=spend["monetary_value"], horizon=26.0)


def printed(params: dict[str, float], rows: pd.DataFrame) -> np.ndarray:
    """Log-likelihood of each customer as Fader, Hardie and Lee (2005) print it for BG/NBD, (6)."""
    r, alpha, a, b = params.values()
    x, tx, T = (rows[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    head = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
    stays = special.betaln(a, b + x) - special.betaln(a, b) - (r + x) * np.log(alpha + T)
    goes = special.betaln(a + 1, b + np.maximum(x, 1) - 1) - special.betaln(a, b) - (r + x) * np.log(alpha + tx)
    return head + np.where(x > 0, np.logaddexp(stays, goes), stays)


@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD, GammaGamma])
def test_a_score_is_the_log_likelihood_per_customer(base, model):
    fitted = model(draws=100).fit(base)
    assert fitted.score(base) == pytest.approx(fitted.log_likelihood_ / fitted.n_customers_, rel=1e-12)
    few = base.groupby(["frequency", "recency", "T", "monetary_value"], as_index=False, dropna=False).size()
    assert fitted.score(few.rename(columns={"size": "weight"})) == pytest.approx(fitted.score(base), rel=1e-12)
    with pytest.raises(NotFittedError):
        model().score(base)


def test_a_score_of_others_is_the_printed_likelihood(base):
    model = BGNBD(draws=100).fit(base.iloc[:500])
    rest = base.iloc[500:]
    assert model.score(rest) == pytest.approx(printed(model.params_, rest).mean(), rel=1e-10)
    # Of those who never came back too, who could not be fitted to.
    never = rest[rest["frequency"] == 0]
    assert model.score(never) == pytest.approx(printed(model.params_, never).mean(), rel=1e-10)


def test_counts_of_periods_and_contracts_have_scores():
    periods = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8).simulate([6.0] * 300, seed=1)
    fitted = BGBB(draws=100).fit(periods)
    assert fitted.score(periods) == pytest.approx(fitted.log_likelihood_ / 300, rel=1e-12)
    there = [1000, 869, 743, 653, 593, 551, 517, 491]
    contracts = SBG(draws=100).fit(there)
    assert contracts.score(there) == pytest.approx(contracts.log_likelihood_ / 1000, rel=1e-12)


@pytest.mark.parametrize("frame", [lambda base: base, pl.from_pandas])
def test_cross_validation_over_customers(base, frame):
    folds = KFold(3, shuffle=True, random_state=0)
    found = cross_val_score(BGNBD(draws=100), frame(base), cv=folds)
    by_hand = []
    for train, test in folds.split(base):
        params = BGNBD(draws=100).fit(base.iloc[train]).params_
        by_hand.append(printed(params, base.iloc[test]).mean())
    assert found == pytest.approx(by_hand, rel=1e-9)
    told = cross_val_predict(BGNBD(draws=100), frame(base), cv=folds)
    train, test = next(iter(folds.split(base)))
    assert told[test] == pytest.approx(
        BGNBD(draws=100).fit(base.iloc[train]).expected_purchases(base.iloc[test], 26.0).to_numpy()
    )


def test_predictions_are_scored_against_what_came(base):
    found = cross_val_score(BGNBD(draws=100), base, base["holdout_purchases"], cv=3, scoring="neg_mean_absolute_error")
    plain = -np.abs(base["holdout_purchases"] - base["holdout_purchases"].mean()).mean()
    assert (found > plain).all()


def test_pipelines_and_searches(base):
    weeks = FunctionTransformer(lambda rows: rows.assign(recency=rows["recency"] / 7, T=rows["T"] / 7))
    days = base.assign(recency=base["recency"] * 7, T=base["T"] * 7)
    line = make_pipeline(weeks, BGNBD(draws=100)).fit(days)
    known = BGNBD(draws=100).fit(base)
    assert line.predict(days).to_numpy() == pytest.approx(known.expected_purchases(base, 26.0).to_numpy(), rel=1e-6)
    assert line.score(days) == pytest.approx(known.score(base), rel=1e-9)
    assert len(cross_val_score(make_pipeline(weeks, MBGNBD(draws=100)), days, cv=3)) == 3
    search = GridSearchCV(make_pipeline(BGNBD()), {"bgnbd": [BGNBD(draws=100), MBGNBD(draws=100)]}, cv=3).fit(base)
    scores = [cross_val_score(kind(draws=100), base, cv=3).mean() for kind in (BGNBD, MBGNBD)]
    assert search.cv_results_["mean_test_score"] == pytest.approx(scores, rel=1e-9)
    assert search.best_score_ == pytest.approx(max(scores), rel=1e-9)


def test_a_prediction_has_the_horizon_of_the_table_or_the_one_that_is_given(base):
    model = BGNBD(draws=100).fit(base)
    assert model.predict(base).equals(model.expected_purchases(base, 26.0))
    assert model.predict(base, 13.0).equals(model.expected_purchases(base, 13.0))
    with pytest.raises(ModelError, match="BGNBD: predict: needs a horizon, or a column of that name. Found: neither"):
        model.predict(base.drop(columns="horizon"))
    with pytest.raises(ModelError, match="one horizon for all"):
        model.predict(base.assign(horizon=np.arange(900) + 1.0))
    value = CustomerValue(BGNBD(draws=100), GammaGamma(draws=100)).fit(base)
    assert value.predict(base).equals(value.residual_value(base))
    assert value.spend_.predict(base).equals(value.spend_.expected_spend(base))
