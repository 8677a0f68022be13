"""Each kind of bad input has one clear error, which counts the offending rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from crmlab.errors import ConvergenceError, CrmlabError, ModelError
from crmlab.models.btyd.bdw import BDW
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.sbg import SBG

HISTORY_MODELS = [BGNBD, MBGNBD, ParetoNBD, BGBB]
GIVEN = {
    BGNBD: {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    MBGNBD: {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    ParetoNBD: {"r": 0.553, "alpha": 10.58, "s": 0.606, "beta": 11.67},
    BGBB: {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783},
    SBG: {"alpha": 0.668, "beta": 3.806},
    BDW: {"alpha": 0.259, "beta": 1.723, "c": 1.584},
    GammaGamma: {"p": 6.25, "q": 3.74, "v": 15.44},
}


def frame(model, frequency=(0, 1, 2), recency=(0, 3, 4), age=(6, 6, 6)) -> pd.DataFrame:
    columns = {"frequency": frequency, "recency": recency, model._age: age}
    return pd.DataFrame(columns, index=list("uvw")[: len(frequency)])


@pytest.mark.parametrize("model", HISTORY_MODELS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frequency": (0, -1, -2)}, "at least 0. Found 2 rows that are not so, of 3; the first at index 'v'"),
        ({"frequency": (0, 1.5, 2)}, "frequency must be a whole number .* Found 1 row that is"),
        ({"frequency": (np.nan, 1, 2)}, "frequency must be a whole number .* Found 1 row that is not so, of 3; the first at index 'u'"),
        ({"frequency": (np.inf, 1, 2)}, "frequency must be a whole number"),
        ({"recency": (0, np.nan, np.nan)}, "recency must be a number of at least 0. Found 2 rows"),
        ({"recency": (0, -3, 4)}, "recency must be a number of at least 0. Found 1 row"),
        ({"recency": (0, 7, 8)}, "recency must be at most .* Found 2 rows"),
        ({"recency": (1, 3, 4)}, "recency must be 0 where frequency is 0. Found 1 row"),
        ({"age": (6, 6, np.nan)}, "must be a number of at least 0. Found 1 row"),
        ({"age": (0, 0, 0), "recency": (0, 0, 0), "frequency": (0, 0, 0)}, "not identifiable"),
        ({"frequency": (0, 0, 0), "recency": (0, 0, 0)}, "Needs customers who bought again. Found: 3 rows, all with frequency 0"),
    ],
)  # fmt: skip
def test_fit_counts_bad_rows(model, changes, words):
    with pytest.raises(ModelError, match=words):
        model().fit(frame(model, **changes))


@pytest.mark.parametrize("model", HISTORY_MODELS)
def test_fit_frame_itself(model):
    with pytest.raises(ModelError, match=r"the frame is empty"):
        model().fit(frame(model).iloc[:0])
    with pytest.raises(ModelError, match=r"missing column 'recency'. Found: frequency"):
        model().fit(frame(model).drop(columns="recency"))
    with pytest.raises(
        ModelError, match=r"expected a table: a frame of pandas, Polars or PyArrow, or an Ibis table. Got 'list' instead"
    ):
        model().fit([1, 2, 3])
    with pytest.raises(ModelError, match=r"weight must be a whole number of at least 1. Found 2 rows"):
        model().fit(frame(model).assign(weight=[1, 0, 1.5]))


def test_bg_bb_whole_periods():
    with pytest.raises(ModelError, match=r"recency must be a whole number of periods. Found 1 row"):
        BGBB().fit(frame(BGBB, recency=(0, 3.5, 4)))
    with pytest.raises(ModelError, match=r"frequency must be at most recency. Found 1 row"):
        BGBB().fit(frame(BGBB, frequency=(0, 1, 5)))
    with pytest.raises(ModelError, match=r"'horizon' must be a whole number of periods"):
        BGBB.from_params(**GIVEN[BGBB]).expected_purchases(frame(BGBB), 1.5)


@pytest.mark.parametrize("model", HISTORY_MODELS)
@pytest.mark.parametrize("horizon", [0, -1, np.nan, np.inf, "long", None, True])
def test_horizon_must_be_positive(model, horizon):
    with pytest.raises(ModelError, match=r"'horizon' must be a positive number"):
        model.from_params(**GIVEN[model]).expected_purchases(frame(model), horizon)


@pytest.mark.parametrize("model", HISTORY_MODELS)
def test_questions_out_of_range(model):
    fitted = model.from_params(**GIVEN[model])
    some = frame(model)
    with pytest.raises(ModelError, match=r"'level' must be between 0 and 1"):
        fitted.probability_alive(some, level=1.0)
    with pytest.raises(ModelError, match=r"'interval' must be 'mean' or 'outcome'"):
        fitted.probability_alive(some, level=0.9, interval="both")
    with pytest.raises(ModelError, match=r"'delta' must be a positive number"):
        fitted.discounted_expected_purchases(some, 0.0)
    with pytest.raises(ModelError, match=r"'q' must be between 0 and 1"):
        fitted.next_purchase(some, 1.0)
    with pytest.raises(ModelError, match=r"'n' must be whole numbers"):
        fitted.pmf(-1, 5)
    with pytest.raises(ModelError, match=r"parameters that were given have no uncertainty"):
        fitted.expected_purchases(some, 5, level=0.9)
    with pytest.raises(ModelError, match=r"parameters that were given have no uncertainty"):
        fitted.sample_posterior(1000)
    with pytest.raises(ModelError, match=r"recency must be at most"):
        fitted.expected_purchases(frame(model, recency=(0, 3, 9)), 5)


@pytest.mark.parametrize("model", list(GIVEN))
def test_from_params_must_be_positive(model):
    name, *_ = GIVEN[model]
    for value in (0.0, -1.0, np.nan, np.inf, "1"):
        with pytest.raises(ModelError, match=f"'{name}' must be a positive number"):
            model.from_params(**{**GIVEN[model], name: value})
    with pytest.raises(TypeError):
        model.from_params(**{**GIVEN[model], "other": 1.0})


@pytest.mark.parametrize("model", list(GIVEN))
def test_estimators_are_scikit_learns(model):
    made = model(draws=200, seed=3)
    asked = {"draws": 200, "seed": 3, "max_iter": 500}
    own = {} if model is GammaGamma else {"clock": None, "unit": None}
    own |= {"covariates": None} if "r" in GIVEN[model] else {}
    assert clone(made).get_params() == asked | own | {"priors": False}
    assert "200" in repr(made.set_params(draws=200))
    with pytest.raises(NotFittedError, match=r"is not fitted yet"):
        made.sample_posterior(1000)
    with pytest.raises(ModelError, match=r"'draws' must be a whole number of at least 100"):
        model(draws=3).fit([100, 90, 80] if model in (SBG, BDW) else pd.DataFrame())


@pytest.mark.parametrize("method", ["probability_alive", "next_purchase"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(BGNBD(), method)(frame(BGNBD))
    with pytest.raises(NotFittedError):
        BGNBD().expected_purchases_new(3)
    with pytest.raises(NotFittedError):
        GammaGamma().expected_spend(pd.DataFrame({"frequency": [1], "monetary_value": [1.0]}))
    with pytest.raises(NotFittedError):
        CustomerValue().residual_value(frame(BGNBD).assign(monetary_value=1.0))


def test_gamma_gamma_bad_input():
    spend = pd.DataFrame({"frequency": [1, 2, 0], "monetary_value": [10.0, -5.0, np.nan]})
    with pytest.raises(
        ModelError, match=r"monetary_value must be positive where frequency is above 0. Found 1 row that is not so, of 3"
    ):
        GammaGamma().fit(spend)
    with pytest.raises(ModelError, match=r"all with frequency 0"):
        GammaGamma().fit(spend.assign(frequency=0))
    with pytest.raises(ModelError, match=r"missing column 'monetary_value'"):
        GammaGamma().fit(spend[["frequency"]])
    with pytest.raises(ModelError, match=r"q must be above 1"):
        GammaGamma.from_params(p=2.0, q=1.0, v=3.0)


def test_gamma_gamma_refuses_infinite_mean():
    wild = GammaGamma()
    wild.params_ = {"p": 2.0, "q": 0.5, "v": 10.0}
    data = wild.simulate(np.full(2000, 3), seed=1)
    made = GammaGamma()
    with pytest.raises(ModelError, match=r"q must be above 1, or mean spend is infinite. Found q = 0\.\d+"):
        made.fit(data)
    with pytest.raises(NotFittedError):
        made.expected_spend(data)


def test_sbg_bad_input():
    with pytest.raises(ModelError, match=r"survivors must never rise. Found 1 row"):
        SBG().fit([100, 80, 90])
    with pytest.raises(ModelError, match=r"survivors must be numbers of at least 0. Found 1 row"):
        SBG().fit([100, np.nan, 90])
    with pytest.raises(ModelError, match=r"nobody left"):
        SBG().fit([100, 100, 100])
    with pytest.raises(ModelError, match=r"at least two periods in which somebody could leave"):
        SBG().fit([100])


def test_customer_value_bad_options():
    made = CustomerValue(BGNBD.from_params(**GIVEN[BGNBD]), GammaGamma.from_params(**GIVEN[GammaGamma]))
    some = frame(BGNBD).assign(monetary_value=[np.nan, 5.0, 6.0])
    for option, value in (("margin", 0), ("rate", -0.1), ("unit", "decade")):
        with pytest.raises(ModelError, match=f"'{option}' must be"):
            clone(made).set_params(**{option: value}).fit(some)
    with pytest.raises(ModelError, match=r"'horizon' must be a positive number"):
        made.residual_value(some, -1)


def test_convergence_error_says_what_was_tried():
    error = ConvergenceError.not_reached("BGNBD", ["start 1: log-likelihood -5"])
    assert isinstance(error, CrmlabError)
    assert str(error).startswith("BGNBD: the fit did not converge. Expected a gradient of 0 at an optimum. Tried: start 1")


def test_columns_one_by_one_as_lifetimes_takes_them_are_refused():
    rows = frame(BGNBD)
    said = (
        r"BGNBD: fit takes one table with frequency, recency and T. Got 3 arguments instead. Put them into one frame, as customer_summary "
        r"makes it: fit\(pandas.DataFrame\({'frequency': …, 'recency': …, 'T': …}\)\)"
    )
    with pytest.raises(ModelError, match=said):
        BGNBD().fit(rows["frequency"], rows["recency"], rows["T"])
    with pytest.raises(
        ModelError, match=r"BGBB: fit takes one table with frequency, recency and periods. Got 4 arguments instead"
    ):
        BGBB().fit(rows["frequency"], rows["recency"], rows["T"], [1, 1, 1])
    with pytest.raises(
        ModelError, match=r"GammaGamma: fit takes one table with frequency and monetary_value. Got 2 arguments instead"
    ):
        GammaGamma().fit(rows["frequency"], rows["recency"])


@pytest.mark.parametrize("model", HISTORY_MODELS)
def test_help_of_a_model_says_what_fit_needs_and_what_it_leaves(model):
    told = model.__doc__
    assert all(
        name in told for name in ("frequency", "recency", model._age, "weight", "priors=True", "penalizer_coef", "summary()")
    )
    made = model.from_params(**GIVEN[model]).simulate([40] * 300, seed=1)
    fitted = model().fit(made)
    listed = told.partition("Attributes")[2].partition("References")[0]
    attributes = re.findall(r"\b[a-z_]+_\b", listed)
    assert len(attributes) == 6
    assert all(hasattr(fitted, name) for name in attributes)
    assert all(name in listed for name in fitted.params_)
