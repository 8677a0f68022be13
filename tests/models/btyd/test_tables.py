"""Models take customers as people have them: frames of pandas, Polars and PyArrow, and Ibis tables; answers keep the customers' ids."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from crmlab.errors import ModelError, NotIdentifiableError
from crmlab.history import customer_summary
from crmlab.models import (
    BGBB,
    BGNBD,
    MBGNBD,
    SBG,
    CustomerValue,
    GammaGamma,
    ParetoNBD,
    by_cohort,
    compare_models,
    cross_check,
    forecast,
    portfolio,
    to_lifetimes,
    track,
)
from crmlab.models.btyd.arrivals import Arrivals
from crmlab.models.btyd.forecasting import Past
from crmlab.models.btyd.paths import drawn_paths
from crmlab.models.btyd.portfolios import Measure
from crmlab.models.btyd.seasonality import fit_clock
from crmlab.models.btyd.selection import log_masses

WEEKLY = (BGNBD, MBGNBD, ParetoNBD)


def ids(n: int) -> list[str]:
    return [f"c{k:04d}" for k in range(n)]


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    """Customers with their ids as index, as lifetimes has them."""
    rng = np.random.default_rng(1)
    seen = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5).simulate(rng.integers(8, 60, 150) / 1.0, 26.0, seed=3)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=4)
    return seen.assign(monetary_value=spend["monetary_value"], horizon=26.0).set_axis(pd.Index(ids(150), name="customer_id"))


def kinds(plain: pd.DataFrame) -> dict[str, object]:
    """The same customers in every form that has no index."""
    frame = plain.reset_index()
    return {
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "lazy": pl.from_pandas(frame).lazy(),
        "pyarrow": pa.Table.from_pandas(frame, preserve_index=False),
        "ibis": ibis.memtable(frame.sample(frac=1, random_state=1)),  # in no order, as an engine gives it
    }


KINDS = ("pandas", "polars", "lazy", "pyarrow", "ibis")


ASKED = {
    "alive": lambda model, rows: model.probability_alive(rows),
    "alive within": lambda model, rows: model.probability_alive(rows, level=0.9),
    "any": lambda model, rows: model.probability_of_purchase(rows, 13.0),
    "expected": lambda model, rows: model.expected_purchases(rows, 13.0),
    "discounted": lambda model, rows: model.discounted_expected_purchases(rows, 0.002),
    "next": lambda model, rows: model.next_purchase(rows),
}


@pytest.fixture(scope="module", params=WEEKLY)
def known(request, plain):
    """A model that is fitted to customers with an index, and what it answers."""
    model = request.param(draws=100).fit(plain)
    return model, {name: ask(model, plain) for name, ask in ASKED.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_purchases_take_every_table_and_answer_by_customer(plain, known, kind):
    (model, answers), given = known, kinds(plain)[kind]
    assert type(model)().fit(given).params_ == model.params_
    for name, ask in ASKED.items():
        told = ask(model, given)
        assert told.index.name == "customer_id"
        assert told.equals(answers[name]), name


ROWS = {
    BGNBD: (
        "probability_alive",
        "probability_of_purchase",
        "expected_purchases",
        "predict",
        "discounted_expected_purchases",
        "next_purchase",
    ),
    GammaGamma: ("expected_spend", "predict"),
    CustomerValue: ("residual_value", "predict", "expected_spend", "outlook"),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ROWS.items() for name in names])
def test_the_lines_under_a_method_put_its_answers_into_the_right_rows(plain, kind, name):
    """The code as help() shows it, run on rows in no order: each customer's row gets that customer's answer."""
    model = kind().fit(plain)
    shuffled = plain.reset_index().sample(frac=1, random_state=2).reset_index(drop=True)
    lines = [line.strip() for line in getattr(kind, name).__doc__.splitlines() if line.strip().startswith("frame")]
    assert len(lines) == 3
    in_pandas, in_polars = ({"frame": rows, "model": model, "polars": pl} for rows in (shuffled, pl.from_pandas(shuffled)))
    exec("\n".join(lines[:2]), in_pandas)
    exec(lines[2], in_polars)
    added = [column for column in in_pandas["frame"].columns if column not in shuffled.columns]
    assert added == (["if_loyal", "value_today", "at_risk"] if name == "outlook" else [name])
    for customer in ("c0003", "c0140"):
        # Asked alone, a customer stands in one row.
        alone = eval(lines[1].split("= ", 1)[1].removeprefix("frame.join"), {"frame": plain.loc[[customer]], "model": model})
        told = np.asarray(alone, dtype=float).ravel()
        row = in_polars["frame"].row(by_predicate=pl.col("customer_id") == customer, named=True)
        assert in_pandas["frame"].loc[customer, added].to_numpy(float) == pytest.approx(told, rel=1e-9)
        assert [row[column] for column in added] == pytest.approx(told.tolist(), rel=1e-9)


def test_answers_stand_in_the_order_of_the_rows_given_and_of_an_engine_by_customer(plain):
    model = BGNBD(draws=100).fit(plain)
    shuffled = plain.reset_index().sample(frac=1, random_state=2).reset_index(drop=True)
    for given in (shuffled, pl.from_pandas(shuffled), pl.from_pandas(shuffled).lazy(), pa.Table.from_pandas(shuffled)):
        assert model.expected_purchases(given, 26.0).index.tolist() == shuffled["customer_id"].tolist()
    assert model.expected_purchases(ibis.memtable(shuffled), 26.0).index.tolist() == sorted(shuffled["customer_id"])


def test_an_index_of_ones_own_is_kept(plain):
    model = BGNBD().fit(plain)
    assert model.probability_alive(plain.reset_index().set_axis(range(7, 157))).index.tolist() == list(range(7, 157))
    without = model.probability_alive(plain.reset_index(drop=True))
    assert isinstance(without.index, pd.RangeIndex)
    named = plain.reset_index().set_axis(pd.RangeIndex(150, name="row"))
    assert model.probability_alive(named).index.name == "row"


def test_a_summary_of_orders_is_fitted_as_it_is():
    rng = np.random.default_rng(5)
    orders = pd.DataFrame(
        {
            "customer_id": np.array(ids(120))[rng.integers(0, 120, 900)],
            "ordered_at": pd.Timestamp("2023-01-02") + pd.to_timedelta(rng.integers(0, 500, 900), unit="D"),
            "amount": rng.gamma(3.0, 10.0, 900).round(2),
        }
    )
    table = customer_summary(orders, unit="week")
    assert isinstance(table, ibis.Table)
    value = CustomerValue(purchases=BGNBD(draws=100), spend=GammaGamma(draws=100), margin=0.4).fit(table)
    told = value.residual_value(table, 52.0, level=0.9)
    ordered = table.order_by("customer_id").to_pandas().set_index("customer_id")
    assert told.index.equals(ordered.index)
    assert told.equals(
        CustomerValue(purchases=BGNBD(draws=100), spend=GammaGamma(draws=100), margin=0.4)
        .fit(ordered)
        .residual_value(ordered, 52.0, level=0.9)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_value_and_spend_take_every_table(plain, kind):
    given = kinds(plain)[kind]
    small = CustomerValue(purchases=BGNBD(draws=100), spend=GammaGamma(draws=100))
    known, found = clone(small).fit(plain), clone(small).fit(given)
    assert found.residual_value(given, 52.0).equals(known.residual_value(plain, 52.0))
    assert found.outlook(given, 52.0).equals(known.outlook(plain, 52.0))
    assert found.expected_spend(given).equals(known.expected_spend(plain))
    assert found.total(given, 52.0).equals(known.total(plain, 52.0))
    spend = known.spend_
    assert spend.expected_spend(given, level=0.9).equals(spend.expected_spend(plain, level=0.9))
    measures = {"total": Measure(lambda worth: float(worth.value.sum()))}
    assert portfolio(found, given, measures, 52.0).equals(portfolio(known, plain, measures, 52.0))


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_customers_take_every_table(plain, kind):
    given = kinds(plain)[kind]
    model = MBGNBD(draws=100).fit(plain)
    ranked, ours = (compare_models([model, BGNBD()], rows).drop(columns="model") for rows in (given, plain))
    assert ranked.equals(ours)
    assert compare_models([model], given, given)["holdout_log_likelihood"].equals(
        compare_models([model], plain)["holdout_log_likelihood"]
    )
    assert (log_masses(model, given, given) == log_masses(model, plain, plain)).all()
    end = dt.date(2024, 6, 30)
    ends = [13.0, 26.0, 39.0]
    age = plain["T"]
    assert track(model, given, None, ends).equals(track(model, age.max() - age, np.ones(len(age)), ends))
    weighed = plain.groupby("T", as_index=False).size().assign(frequency=0, recency=0.0).rename(columns={"size": "weight"})
    assert np.allclose(track(model, weighed, None, ends)["expected"], track(model, given, None, ends)["expected"], rtol=1e-12)
    bought = pd.DataFrame({"first": [210, 210], "day": [150, 70], "purchases": [1, 1]})
    as_kind = {"polars": pl.from_pandas, "lazy": pl.from_pandas, "pyarrow": pa.Table.from_pandas, "ibis": ibis.memtable}
    taken = as_kind.get(kind, lambda frame: frame)(bought)
    assert by_cohort(model, given, taken, end).equals(by_cohort(model, plain, bought, end))
    one, other = (next(drawn_paths(model, rows, 26.0)) for rows in (given, plain))
    assert (one.time == other.time).all()
    assert (one.path == other.path).all()


def test_what_asks_a_model_alone_does_not_know_the_table_that_it_was_fitted_to(plain):
    found = BGNBD().fit(pl.from_pandas(plain.reset_index()))
    assert to_lifetimes(found).data.equals(to_lifetimes(BGNBD().fit(plain)).data)
    assert max(cross_check(found).values()) < 1e-4


def test_bg_bb_takes_every_table():
    seen = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8).simulate([6.0] * 400, seed=1)
    plain = seen.set_axis(pd.Index(ids(400), name="customer_id"))
    known = BGBB().fit(plain)
    for kind, given in kinds(plain).items():
        assert BGBB().fit(given).params_ == known.params_, kind
        assert known.expected_purchases(given, 3).equals(known.expected_purchases(plain, 3)), kind


def test_contracts_are_fitted_to_customers_one_by_one_as_to_those_who_are_left():
    # Fader and Hardie (2007), table 1: 1,000 customers of the high end, of whom so many are there after each year.
    there = [1000, 869, 743, 653, 593, 551, 517, 491]
    lost = -np.diff(there)
    rows = pd.DataFrame(
        {
            "periods": np.concatenate([np.repeat(np.arange(7), lost), np.full(491, 7)]),
            "there": np.concatenate([np.zeros(509, dtype=bool), np.ones(491, dtype=bool)]),
        }
    )
    known = SBG().fit(there)
    assert {name: round(value, 3) for name, value in known.params_.items()} == {"alpha": 0.668, "beta": 3.806}
    for table in (rows, pl.from_pandas(rows), pa.Table.from_pandas(rows), ibis.memtable(rows.assign(customer_id=ids(1000)))):
        found = SBG().fit(table)
        assert found.params_ == pytest.approx(known.params_, rel=1e-9)
        assert found.log_likelihood_ == pytest.approx(known.log_likelihood_, rel=1e-12)
    assert SBG().fit(pl.DataFrame({"survivors": there})).params_ == known.params_
    few = rows.groupby(["periods", "there"], as_index=False).size().rename(columns={"size": "weight"})
    assert SBG().fit(few).params_ == pytest.approx(known.params_, rel=1e-9)
    told = known.probability_alive(pl.DataFrame({"customer_id": ["x", "y"], "periods": [0, 7]}))
    assert told.index.tolist() == ["x", "y"]


def test_customers_under_contract_who_tell_nothing_are_refused():
    with pytest.raises(NotIdentifiableError, match="at least two periods"):
        SBG().fit(pd.DataFrame({"periods": [0, 1], "there": [False, True]}))
    with pytest.raises(NotIdentifiableError, match="nobody left"):
        SBG().fit(pd.DataFrame({"periods": [3, 4], "there": [True, True]}))
    with pytest.raises(ModelError, match="missing column 'there'"):
        SBG().fit(pd.DataFrame({"periods": [3, 4], "renewals": [True, True]}))
    with pytest.raises(ModelError, match="missing column 'periods'"):
        SBG().fit(pd.DataFrame({"a": [3, 4], "b": [True, True]}))


def test_a_forecast_and_a_clock_take_an_engines_table(plain):
    end = dt.date(2024, 6, 30)
    rng = np.random.default_rng(2)
    days = pd.date_range(end=end, periods=420)
    orders = pd.DataFrame(
        {
            "customer_id": np.array(ids(200))[rng.integers(0, 200, 1500)],
            "ordered_at": days[rng.integers(0, 420, 1500)],
            "amount": rng.gamma(3.0, 10.0, 1500).round(2),
        }
    )
    table = customer_summary(orders, as_of=end, unit="week")
    frame = table.order_by("customer_id").to_pandas()
    seen = orders.groupby("ordered_at").size().astype(float)
    clocks = [fit_clock(MBGNBD(), rows, seen, end) for rows in (table, frame)]
    assert (clocks[0].season == clocks[1].season).all()
    first = pd.to_datetime(frame["first_occasion"]).value_counts().reindex(days, fill_value=0)
    value = CustomerValue().fit(table)
    past = Past(arrivals=Arrivals(first.to_numpy(), end).rate(), first_spend=30.0)
    assert forecast(value, table, past).equals(forecast(value, frame, past))


def test_what_is_no_table_is_refused_and_a_row_is_named_by_its_customer(plain):
    for given in ([1, 2], {"frequency": [1]}, np.ones((3, 3)), None):
        with pytest.raises(ModelError, match="BGNBD: expected a table: a frame of pandas, Polars or PyArrow, or an Ibis table"):
            BGNBD().fit(given)
    wrong = pl.DataFrame({"customer_id": ["a", "b"], "frequency": [1, 2], "recency": [1.0, 9.0], "T": [2.0, 8.0]})
    with pytest.raises(
        ModelError, match=r"recency must be at most T. Found 1 row that is not so, of 2; the first at index 'b'"
    ):
        BGNBD().fit(wrong)


def test_decimals_and_missing_values_of_other_frames_are_numbers():
    from decimal import Decimal

    amounts = [Decimal("12.50"), None, Decimal("20.25"), Decimal("9.00")]
    given = {"customer_id": list("abcd"), "frequency": [2, 0, 3, 1], "monetary_value": amounts}
    known = pd.DataFrame({"frequency": [2, 0, 3, 1], "monetary_value": [12.5, np.nan, 20.25, 9.0]}, index=list("abcd"))
    model = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    for table in (pl.DataFrame(given), pa.table(given)):
        assert model.expected_spend(table).tolist() == model.expected_spend(known).tolist()


def test_functions_that_go_by_another_functions_frame_take_every_table_too():
    from crmlab.models import Problem, kaplan_meier, median_time, spread

    curve = kaplan_meier(range(1, 101), [True] * 100)
    assert median_time(pl.from_pandas(curve)) == median_time(pa.Table.from_pandas(curve)) == median_time(curve)
    segments = pd.DataFrame({"c": [0.2, 0.1], "k": [1.0, 2.0], "V": [40.0, 60.0], "size": [100.0, 50.0]})
    assert spread(100.0, pl.from_pandas(segments)).price == spread(100.0, segments).price
    candidates = pd.DataFrame(
        {"customer": ["a", "b"], "action": ["mail", "call"], "day": [0, 1], "value": [3.0, 2.0], "cost": [1.0, 1.0]}
    )
    assert (Problem.of(pl.from_pandas(candidates)).customers == Problem.of(candidates).customers).all()
    with pytest.raises(ModelError, match="median_time must be given a frame of kaplan_meier. Got 'list' instead"):
        median_time([1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_scored_customers_are_their_own_table_with_answers_beside(plain, kind):
    model = BGNBD(draws=200).fit(plain)
    extra = plain.assign(region=["north", "south"] * 75)
    found = model.scored(kinds(extra)[kind], 13.0, level=0.9)
    own = extra.reset_index()
    assert found.index.tolist() == list(range(150))
    pd.testing.assert_frame_equal(found[own.columns], own, check_dtype=False)
    expected = model.expected_purchases(plain, 13.0, level=0.9)
    names = ["expected_purchases", "expected_purchases_low", "expected_purchases_high"]
    assert found[names].to_numpy() == pytest.approx(expected.to_numpy())
    assert found["probability_alive"].to_numpy() == pytest.approx(model.probability_alive(plain).to_numpy())
    bought = model.probability_of_purchase(plain, 13.0, level=0.9)
    assert found["probability_of_purchase_high"].to_numpy() == pytest.approx(bought["high"].to_numpy())


def test_scored_customers_in_any_order_keep_it_and_their_index(plain):
    model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    mixed = plain.reset_index().sample(frac=1, random_state=2)
    found = model.scored(mixed, 13.0)
    assert found.index.equals(mixed.index)
    assert "expected_purchases" not in mixed
    expected = model.expected_purchases(plain, 13.0)
    assert found["expected_purchases"].to_numpy() == pytest.approx(expected.loc[found["customer_id"]].to_numpy())
    assert model.scored(plain, 13.0).index.equals(plain.index)
    # What the method is for: by assignment they would be missing, by a join they are there.
    frame = plain.reset_index()
    joined = frame.join(model.expected_purchases(frame, 13.0), on="customer_id")
    assert joined["expected_purchases"].to_numpy() == pytest.approx(expected.to_numpy())
    with pytest.raises(ModelError, match="the table must be without a column 'probability_alive', which is added"):
        model.scored(found, 13.0)
    with pytest.raises(ModelError, match="BGNBD: expected a table"):
        model.scored([1], 13.0)


def test_scored_customers_of_other_models(plain):
    value = CustomerValue(BGNBD(draws=200), GammaGamma(draws=200), margin=0.3).fit(plain)
    frame = plain.reset_index()
    found = value.scored(pl.from_pandas(frame), 52.0, level=0.9)
    assert found["residual_value"].to_numpy() == pytest.approx(value.residual_value(plain, 52.0).to_numpy())
    assert found["residual_value_low"].to_numpy() == pytest.approx(
        value.residual_value(plain, 52.0, level=0.9)["low"].to_numpy()
    )
    assert found["expected_spend"].to_numpy() == pytest.approx(value.expected_spend(plain).to_numpy())
    assert found["customer_id"].tolist() == plain.index.tolist()
    left = SBG.from_params(alpha=0.7, beta=3.8)
    assert left.scored(pd.DataFrame({"customer_id": ["a", "b"], "periods": [0, 4]}), 3)["expected_purchases"].gt(0).all()
