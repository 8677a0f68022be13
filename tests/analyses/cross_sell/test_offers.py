"""Offers: what must never be offered, no hindsight, planted affinities, the backtest by hand, bad input."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.cross_sell import backtesting as backtest
from crmlab.analyses.cross_sell import lists as lists_by_rule
from crmlab.analyses.cross_sell.blend import AGAIN, NEW, Origins, Weights, ingredients_of, learn
from crmlab.analyses.cross_sell.choice import next_best_offers
from crmlab.analyses.cross_sell.cycles import CYCLE_COLUMNS, MOVABLE_COLUMNS, repurchase_cycles
from crmlab.analyses.cross_sell.offers import columns_of, offers_of
from crmlab.analyses.cross_sell.rank import ranked
from crmlab.analyses.cross_sell.state import goods_of, state_at
from crmlab.data.dataset import Dataset
from crmlab.data.shop.make import make_shop
from crmlab.errors import MissingTableError, ParameterError, TooLittleError
from crmlab.history.past import History
from crmlab.models.baskets.ranking import Blend

START = pd.Timestamp("2024-01-01")
DESCRIPTOR = crmlab.open_dataset("shop").descriptor
OTHERS = ("orders", "products", "customers")


def dataset(order_lines, **others):
    """A data set of given tables, the orders derived from the lines."""
    if "orders" not in others:
        keys = ["order_id", "customer_id", "ordered_at"]
        others["orders"] = order_lines.groupby(keys, as_index=False)["amount"].agg(lambda values: sum(values, Decimal(0)))
    con = ibis.duckdb.connect()
    frames = {"order_lines": order_lines, **others}
    return Dataset(DESCRIPTOR, con, {name: con.create_table(name, _typed(frame)) for name, frame in frames.items()})


def at(data, day=None, pairs=None):
    """What is known of a data set on a day, and its ingredients."""
    past = History(data, day)
    return past, ingredients_of(state_at(past), pairs)


def cycles(data, **options):
    past = History(data)
    return repurchase_cycles(past, state_at(past, options.pop("horizon", 91)), **options)


def origins(data, horizon=91, pairs=None):
    return Origins(History.of(data), horizon, pairs)


def personal(data, horizon=91, **options):
    """Personal offers with the weights that are learnt, whatever the back-test says of them."""
    known = origins(data, horizon)
    return offers_of(known, known.weights(0), **options)


def _typed(frame):
    """A frame with exact decimals in its numbers."""
    import pyarrow as pa

    money = {"amount", "quantity", "unit_cost", "return_amount", "acquisition_cost"}
    fields = []
    for name in frame.columns:
        kind = pa.decimal128(18, 4) if name in money else pa.timestamp("us") if name in ("ordered_at", "acquired_at") else None
        kind = kind or (pa.date32() if name == "available_until" else pa.bool_() if name == "contactable" else pa.string())
        fields.append((name, kind))
    for name in money & {name for name in frame.columns if frame[name].dtype == "float64"}:
        frame = frame.assign(**{name: [None if v != v else Decimal(f"{v:.4f}") for v in frame[name]]})
    return pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)


def lines(*rows):
    """Order lines from rows (customer, day number, product[, quantity[, amount]]); one order per customer and day."""
    full = [(*row, *(1, 10)[len(row) - 3 :]) for row in rows]
    return pd.DataFrame(
        {
            "order_id": [f"{who}-{day}" for who, day, *_ in full],
            "customer_id": [who for who, *_ in full],
            "ordered_at": [START + pd.Timedelta(days=day) for _, day, *_ in full],
            "product_id": [product for _, _, product, *_ in full],
            "quantity": [Decimal(str(pieces)) for *_, pieces, _ in full],
            "amount": [Decimal(str(amount)) for *_, amount in full],
        }
    )


def village(n=60, days=300, seed=1):
    """Customers who buy bread every two weeks, and now and then one of eight durables, once each."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        who = f"c{i:03d}"
        rows += [(who, int(day), "bread") for day in range(int(rng.integers(0, 14)), days, 14)]
        for product in rng.permutation(8)[: rng.integers(1, 5)]:
            rows.append((who, int(rng.integers(0, days)), f"d{product}"))
    return list(dict.fromkeys(rows))


@pytest.fixture(scope="module")
def shop():
    made = make_shop(1200, seed=3)
    return made, dataset(made.tables["order_lines"], **{name: made.tables[name] for name in OTHERS})


@pytest.fixture(scope="module")
def offers(shop):
    return personal(shop[1])


@pytest.mark.proof
def test_form(offers):
    frame = offers.frame
    assert tuple(frame.columns) == columns_of(offers.margin) and not frame.isna().to_numpy().any()
    pd.testing.assert_frame_equal(frame, frame.sort_values(["customer_id", "rank"], ignore_index=True))
    assert frame.groupby("customer_id")["rank"].agg(list).map(lambda ranks: ranks == [1, 2, 3]).all()
    assert not frame.duplicated(["customer_id", "product_id"]).any()
    assert frame["probability"].between(0, 1, inclusive="neither").all()
    np.testing.assert_allclose(frame["expected_margin"], frame["probability"] * frame["margin_if_bought"], rtol=1e-12)
    assert (frame.groupby("customer_id")["expected_margin"].diff().dropna() <= 1e-6).all()


@pytest.mark.proof
def test_never_to_the_suppressed_nor_out_of_range(shop, offers):
    made, _ = shop
    no = made.tables["customers"].query("not contactable")["customer_id"]
    assert len(no) and not offers.frame["customer_id"].isin(no).any()
    assert set(offers.frame["contactable"]) == {"yes"}
    products = made.tables["products"]
    gone = products.loc[pd.to_datetime(products["available_until"]) < pd.Timestamp(offers.as_of), "product_id"]
    assert len(gone) == 6 and not offers.frame["product_id"].isin(gone).any()


@pytest.mark.proof
def test_never_owned_unless_due_again(shop, offers):
    _, data = shop
    state = state_at(History(data, offers.as_of))
    goods = goods_of(state)
    ids, m = pd.Index(state.customers.to_pylist()), len(state.products)
    row, col = ids.get_indexer(offers.frame["customer_id"]), pd.Index(state.products).get_indexer(offers.frame["product_id"])
    key = state.row * m + state.col
    has = np.isin(row * m + col, key)
    assert (has == (offers.frame["source"] == "rhythm")).all() and has.any() and not has.all()
    at = np.searchsorted(key, (row * m + col)[has])
    usual = np.where(state.days[at] >= 3, state.span[at] / np.maximum(state.days[at] - 1, 1), goods.gap[state.col[at]])
    assert goods.rebuyable[state.col[at]].all() and (state.since[at] + 91 >= usual).all()


@pytest.mark.proof
def test_sources_and_reasons(offers):
    frame = offers.frame
    assert "association" not in set(frame["source"])  # no pairs were given
    words = {
        "similarity": r"bought .+, whose buyers often buy this too",
        "segment": "bought more by customers like these than by others",
        "popularity": "among the products bought most",
        "rhythm": r"bought it (every \d+ days?|(once|twice)), last (\d+ days ago|yesterday|today)(; others buy it again after \d+ days?)?",
    }
    for source, some in frame.groupby("source"):
        assert some["reason"].str.fullmatch(words[source]).all()
    assert (frame["source"] == "popularity").mean() > 0.2  # in this shop only the range's own popularity tells customers apart


def test_durables_are_not_offered_again_and_bread_is():
    rows = village()
    found = personal(dataset(lines(*rows)), horizon=28, k=9).frame
    owned = {(who, product) for who, _, product in rows}
    for offer in found.itertuples():
        assert ((offer.customer_id, offer.product_id) in owned) == (offer.product_id == "bread")
    bread = found[found["product_id"] == "bread"]
    assert len(bread) == 60 and (bread["rank"] == 1).all() and (bread["source"] == "rhythm").all()
    assert bread["reason"].str.fullmatch(r"bought it every 14 days, last (\d+ days ago|yesterday|today)").all()


def test_what_was_wholly_returned_is_not_offered_again():
    rows = [*village(), ("zz", 290, "d1"), ("zz", 291, "d2"), ("zz", 292, "d2", -1, -10)]
    found = personal(dataset(lines(*rows)), horizon=28, k=9).frame
    mine = set(found.loc[found["customer_id"] == "zz", "product_id"])
    assert mine and "d2" not in mine and "d1" not in mine


def test_long_unsold_is_out_of_range_where_last_days_are_not_known():
    rows = village() + [("c001", day, "old") for day in range(0, 60, 3)]
    found = personal(dataset(lines(*rows)), horizon=91, k=9)
    assert "old" not in set(found.frame["product_id"])
    assert any("not sold for 91 days" in note for note in found.notes)
    products = pd.DataFrame(
        {"product_id": ["old", "d1"], "name": ["Old", None], "available_until": [None, dt.date(2024, 3, 1)]}
    )
    found = personal(dataset(lines(*rows), products=products), horizon=91, k=9).frame
    assert "old" in set(found["product_id"]) and "d1" not in set(found["product_id"])


@pytest.mark.nightly
@pytest.mark.nightly  # by day the whole page is looked at: tests/analyses/test_no_leak.py
def test_no_row_after_the_day_leaks(shop):
    made, data = shop
    day = dt.date(2025, 6, 30)
    book = {name: made.tables[name] for name in ("orders", "order_lines")}
    cut = {name: frame[frame["ordered_at"] < "2025-07-01"] for name, frame in book.items()}
    past = dataset(
        cut["order_lines"], orders=cut["orders"], products=made.tables["products"], customers=made.tables["customers"]
    )
    pd.testing.assert_frame_equal(next_best_offers(data, day).frame, next_best_offers(past).frame)
    pd.testing.assert_frame_equal(personal(History(data, day)).frame, personal(past).frame)


@pytest.mark.nightly
def test_rows_in_any_order_give_the_same(shop, offers):
    made, _ = shop
    mixed = {name: made.tables[name].sample(frac=1, random_state=2) for name in ("order_lines", *OTHERS)}
    again = dataset(mixed["order_lines"], **{name: mixed[name] for name in OTHERS})
    pd.testing.assert_frame_equal(offers.frame, personal(again).frame)
    pd.testing.assert_frame_equal(next_best_offers(shop[1]).frame, next_best_offers(again).frame)


def planted(made):
    """The planted pairs as rules."""
    return pd.DataFrame(
        [(a.antecedent, a.consequent, 3.14) for a in made.truth.affinities], columns=["antecedent", "consequent", "lift_low"]
    )


def forced(ingredients, **weights):
    """Weights that are given, not learnt."""
    new, again = Blend(), Blend()
    new.coef_ = np.array([weights.get(name, 0.0) for name in NEW])
    new.intercept_, again.coef_, again.intercept_ = -5.0, np.zeros(len(AGAIN)), -5.0
    return Weights(new, again, None, 91, (100, 100))


@pytest.mark.proof
def test_planted_affinities_turn_up_as_offers(shop):
    made, data = shop
    pairs = planted(made)
    weights = forced(None, popularity=0.2, association=3.0)
    found = offers_of(Origins(History(data), pairs=pairs), weights, k=5)
    by = found.frame[found.frame["source"] == "association"]
    consequents = set(pairs["consequent"])
    assert set(by["product_id"]) <= consequents and len(set(by["product_id"])) >= 5
    names = made.tables["products"].set_index("product_id")["name"]
    first = by.iloc[0]
    antecedent = pairs.set_index("consequent").loc[first["product_id"], "antecedent"]
    assert (
        first["reason"]
        == f"bought {names[antecedent]}; baskets with that contain this at least 3.1 times as often as baskets in all"
    )
    # Everybody who has the antecedent, not the consequent, and may be contacted gets it.
    state = state_at(History(data, found.as_of))
    has = pd.DataFrame({"who": np.array(state.customers.to_pylist())[state.row], "what": state.products[state.col]})
    pair = pairs.iloc[0]
    want = set(has.loc[has["what"] == pair["antecedent"], "who"]) - set(has.loc[has["what"] == pair["consequent"], "who"])
    want &= set(made.tables["customers"].query("contactable")["customer_id"])
    back = state.products[state.back_col] == pair["consequent"]
    want -= set(np.array(state.customers.to_pylist())[state.back_row[back]])  # who sent it back is not asked again
    got = set(found.frame.loc[found.frame["product_id"] == pair["consequent"], "customer_id"])
    assert want and len(want & got) / len(want) > 0.95


def test_planted_partners_are_alike(shop):
    made, data = shop
    _, ingredients = at(data, dt.date(2025, 12, 31))
    ids = pd.Index(ingredients.state.products)
    table = ingredients.similar.toarray()
    ranks = []
    for pair in made.truth.affinities:
        a, b = ids.get_loc(pair.antecedent), ids.get_loc(pair.consequent)
        ranks.append(int((table[a] > table[a, b]).sum()))
    assert sorted(ranks)[:4] == [0, 0, 0, 0]  # the nearest neighbour of at least four of six


def test_ranked_is_the_exact_best(shop):
    _, data = shop
    _, ingredients = at(data, dt.date(2025, 12, 31), planted(shop[0]))
    weights = forced(None, popularity=0.7, history=0.2, segment=0.5, similarity=0.8, association=0.6, pace=0.3, silence=-0.2)
    value = np.random.default_rng(1).uniform(0, 9, len(ingredients.state.products))
    found = ranked(ingredients, weights, 4, value, only_new=True)
    state, goods, w = ingredients.state, ingredients.goods, weights.new.coef_
    owned = ingredients.owned()
    odds = weights.new.intercept_ + (ingredients.customer() @ w[5:])[:, None] + w[0] * goods.popularity + w[1] * goods.history
    odds = odds + w[2] * goods.segment[state.segment]
    odds = (
        odds
        + w[3] * np.log1p((owned @ ingredients.similar).toarray() / 0.05)
        + w[4] * np.log1p((owned @ ingredients.associated).toarray() / 0.05)
    )
    odds = odds - w[3] * ingredients.usual[0][state.segment] - w[4] * ingredients.usual[1][state.segment]
    worth = value / (1 + np.exp(-odds))
    worth[:, ~state.in_range] = -1
    worth[state.row, state.col] = -1
    worth[state.back_row, state.back_col] = -1
    best = np.sort(worth, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose((found.probability * value[found.col]).reshape(-1, 4), best, rtol=1e-4)


@pytest.mark.proof
def test_margin_from_costs_given_and_revenue(shop, offers):
    made, data = shop
    assert offers.margin.source == "costs"
    state = state_at(History(data, offers.as_of))
    offer = offers.frame.iloc[0]
    j = list(state.products).index(offer["product_id"])
    cost = float(made.tables["products"].set_index("product_id").loc[offer["product_id"], "unit_cost"])
    expected = (state.amount[j] - cost * state.quantity[j]) / state.days[state.col == j].sum()
    assert offer["margin_if_bought"] == pytest.approx(expected, rel=1e-12)
    rows = lines(*village())
    plain = personal(dataset(rows), horizon=28)
    assert plain.margin.source == "revenue" and "expected_revenue" in plain.frame and "expected_margin" not in plain.frame
    np.testing.assert_allclose(plain.frame["revenue_if_bought"], 10, rtol=1e-12)
    given = personal(dataset(rows), horizon=28, margin=0.4)
    np.testing.assert_allclose(given.frame["margin_if_bought"], 0.4 * 10, rtol=1e-12)
    assert set(plain.frame["contactable"]) == {"not known"} and (plain.frame["name"] == plain.frame["product_id"]).all()


def test_backtest_by_hand():
    nothing = (np.array([], dtype=int), np.array([], dtype=int), np.array([]))
    none = np.array([], dtype=int)
    table = np.array([[3.0, 0.0, 5.0], [1.0, 2.0, 4.0]])
    lists = lists_by_rule._filled(nothing, table, np.array([1, 0]), none, 2)
    assert [part.tolist() for part in lists] == [[0, 0, 1, 1], [2, 1, 2, 0], [1, 2, 1, 2]]
    popular, everybody = np.array([[9.0, 8.0, 7.0]]) / 10, np.array([0, 0])
    filled = lists_by_rule._filled((np.array([0]), np.array([2]), np.array([11.5])), popular, everybody, none, 2)
    assert [part.tolist() for part in filled] == [[0, 0, 1, 1], [2, 0, 0, 1], [1, 2, 1, 2]]
    new = lists_by_rule._filled(nothing, popular, everybody, np.array([0]), 2)  # customer 0 has product 0
    assert [part.tolist() for part in new] == [[0, 0, 1, 1], [1, 2, 0, 1], [1, 2, 1, 2]]


@pytest.fixture(scope="module")
def tested(shop):
    return backtest.backtest_offers(origins(shop[1]), draws=200)


@pytest.mark.proof
def test_backtest_form(tested):
    scores = tested.scores
    assert set(tested.scores["method"]) == {*backtest.OURS, *lists_by_rule.BASELINES} and set(scores["measure"]) == set(
        backtest.MEASURES
    )
    counted = scores["measure"] == "coverage"  # a count has no interval
    assert scores.loc[counted, ["low", "high"]].isna().all(axis=None) and not scores[~counted].isna().to_numpy().any()
    scores = scores[~counted]
    assert ((scores["low"] <= scores["value"] + 1e-12) & (scores["value"] <= scores["high"] + 1e-12)).all()
    assert tested.until - tested.tested_on == tested.tested_on - tested.learnt_on == dt.timedelta(days=91)
    one = scores[(scores["measure"] == "hit_rate") & (scores["history"] == "all")].set_index("method")["value"]
    curve = tested.curve[tested.curve["k"] == 3].set_index("method")["value"]
    pd.testing.assert_series_equal(one.sort_index(), curve.sort_index(), check_names=False)
    parts = scores[(scores["measure"] == "hit_rate") & (scores["history"] != "all") & (scores["method"] == "offers")]
    assert parts["customers"].sum() == tested.active
    assert (parts["value"] * parts["customers"]).sum() / tested.active == pytest.approx(one["offers"], rel=1e-12)
    assert tested.calibration["offers"].sum() == 3 * tested.customers


@pytest.mark.proof
def test_backtest_hit_rate_by_another_way(shop, tested):
    made, _ = shop
    book = made.tables["order_lines"]
    day, end = pd.Timestamp(tested.tested_on), pd.Timestamp(tested.until)
    when = pd.to_datetime(book["ordered_at"]).dt.normalize()
    products = made.tables["products"]
    until = pd.to_datetime(products.set_index("product_id")["available_until"])
    sold = book[(when > day - pd.Timedelta(days=92)) & (when <= day) & (book["quantity"] > 0)]
    pairs = sold.drop_duplicates(["customer_id", "product_id"])["product_id"].value_counts()
    pairs = pairs[[not until[p] < day for p in pairs.index]]
    top = set(pairs.index[:3])
    later = book[(when > day) & (when <= end) & (book["quantity"] > 0)]
    known = set(book.loc[when <= day, "customer_id"])
    later = later[later["customer_id"].isin(known)]
    hit = later.groupby("customer_id")["product_id"].agg(lambda bought: bool(top & set(bought))).mean()
    value = tested.scores.query("method == 'best_sellers' and measure == 'hit_rate' and history == 'all'")["value"].iloc[0]
    assert value == pytest.approx(hit, abs=0.02)  # returns apart


@pytest.mark.proof
def test_backtest_learns_nothing_from_the_test(shop):
    made, data = shop
    begun = dt.date(2025, 12, 31) - dt.timedelta(days=182)
    book = made.tables["order_lines"]
    cut = book[pd.to_datetime(book["ordered_at"]) < pd.Timestamp("2025-10-02")]
    orders = made.tables["orders"]
    orders = orders[pd.to_datetime(orders["ordered_at"]) < pd.Timestamp("2025-10-02")]
    past = dataset(cut, orders=orders, products=made.tables["products"])
    a = learn(*at(data, begun), 91).frame()
    b = learn(*at(past, begun), 91).frame()
    pd.testing.assert_frame_equal(a, b)
    asked = []

    def pairs(data, day):
        asked.append(day)
        return planted(made)

    backtest.backtest_offers(origins(data, pairs=pairs), draws=20)
    assert asked == [begun, begun + dt.timedelta(days=91)]
    with pytest.raises(ParameterError, match="callable"):
        backtest.backtest_offers(origins(data, pairs=planted(made)))


def test_buy_again_is_in_the_blend():
    rows = village(150, 400)
    found = backtest.backtest_offers(origins(dataset(lines(*rows)), 28), k=1, draws=50)
    value = found.scores.query("measure == 'hit_rate' and history == 'all'").set_index("method")["value"]
    assert value["offers"] >= value["buy_again"] > 0.95


def test_cycles_by_hand():
    rows = [
        ("a", 0, "x"),
        ("a", 10, "x"),
        ("a", 20, "x"),
        ("b", 0, "x"),
        ("b", 12, "x"),
        ("c", 5, "x"),
        ("d", 100, "y"),
        ("f", 0, "x"),
        ("f", 12, "x"),
    ]
    rows += [("slow", 0, "x"), ("slow", 40, "x"), ("slow", 80, "x")]
    found = cycles(dataset(lines(*rows)), min_gaps=5, horizon=14)
    assert tuple(found.products.columns) == CYCLE_COLUMNS and tuple(found.customers.columns) == MOVABLE_COLUMNS
    assert found.products["product_id"].tolist() == ["x"]
    row = found.products.iloc[0]
    assert row[["buyers", "rebuyers", "gaps", "median_gap"]].tolist() == [5, 4, 6, 12.0]
    assert row["share_rebought"] == 0.8 and "share_low" not in row  # counted: no interval
    assert found.customers.empty  # "slow" has bought it last 20 days ago: due, but the product is long unsold
    rows.append(("e", 95, "x"))
    found = cycles(dataset(lines(*rows)), min_gaps=5, horizon=14)
    assert found.customers[["customer_id", "own_gap", "usual_gap", "days_since_product"]].to_numpy().tolist() == [
        ["slow", 40.0, 12.0, 20]
    ]
    assert cycles(dataset(lines(*rows)), min_gaps=50).products.empty


def test_cycle_interval_of_a_median_that_cannot_have_one_is_not_a_number_on_show():
    found = cycles(dataset(lines(*village())), min_gaps=20)
    assert found.products["product_id"].tolist() == ["bread"]
    assert found.products["median_gap"].tolist() == [14.0] and not found.products.isna().to_numpy().any()


def test_no_order_lines():
    with pytest.raises(MissingTableError, match="order_lines"):
        next_best_offers(crmlab.open_dataset("cdnow_sample"))


def test_one_product_one_customer_and_k_above_the_range():
    one = next_best_offers(dataset(lines(*[("a", day, "x") for day in range(0, 200, 10)])), horizon=28, k=5)
    assert len(one.frame) <= 1 and tuple(one.frame.columns) == columns_of(one.margin)
    two = next_best_offers(dataset(lines(("a", 0, "x"), ("b", 60, "y"), ("b", 90, "x"), ("a", 100, "z"))), horizon=28, k=50)
    assert len(two.frame) <= 2 and np.isfinite(two.frame["probability"]).all()


def test_nobody_buys_in_the_horizon():
    rows = [("a", 0, "x"), ("b", 5, "y"), ("c", 9, "x"), ("d", 10, "y"), ("n", 99, "x")]
    sent = next_best_offers(dataset(lines(*rows)), horizon=60, k=2)
    assert sent.method == lists_by_rule.UNTESTED and np.isfinite(sent.frame["probability"]).all()
    found = personal(dataset(lines(*rows)), horizon=60, k=2)
    assert any("Too few" in note for note in found.notes) and np.isfinite(found.frame["probability"]).all()
    with pytest.raises(TooLittleError, match="bought"):
        backtest.backtest_offers(origins(dataset(lines(*rows)), 30))


def test_odd_quantities_and_names():
    rows = [*village(), ("c001", 100, "half", 0.5, 3), ("c002", 250, "back", -3, -30), ("c003", 290, "half", 0.25, 2)]
    products = pd.DataFrame({"product_id": ["bread", "half", "d1"], "name": ["Bread", None, "  "]})
    found = next_best_offers(dataset(lines(*rows), products=products), horizon=91, k=12).frame
    assert "back" not in set(found["product_id"])
    assert set(found.loc[found["product_id"] == "half", "name"]) == {"half"}
    assert set(found.loc[found["product_id"] == "d1", "name"]) == {"d1"}
    assert set(found.loc[found["product_id"] == "bread", "name"]) == {"Bread"}


@pytest.mark.parametrize(
    ("params", "text"),
    [({"k": 0}, "'k'"), ({"horizon": 0}, "'horizon'"), ({"as_of": "1999-01-01"}, "before")],
)
def test_parameters(shop, params, text):
    with pytest.raises(ParameterError, match=text):
        next_best_offers(shop[1], **params)


def test_too_little_history():
    little = dataset(lines(("a", 0, "x"), ("a", 50, "y")))
    with pytest.raises(TooLittleError, match="119 days"):
        personal(little)
    assert next_best_offers(little).method == lists_by_rule.UNTESTED  # too little to learn from: best-sellers not yet bought
    assert replace(state_at(History(dataset(lines(("a", 0, "x"))))), recent=7).recent == 7


@pytest.mark.proof
def test_a_history_is_taken_as_it_is_though_its_last_days_are_quiet():
    # A day without orders: a data set cut off there ends before it.
    rows = [*village(), ("c001", 340, "bread")]
    day = (START + pd.Timedelta(days=330)).date()
    past = History(dataset(lines(*rows)), day)
    found = next_best_offers(past, horizon=28)
    assert found.as_of == day
    pd.testing.assert_frame_equal(found.frame, next_best_offers(dataset(lines(*rows)), day, horizon=28).frame)
    earlier = next_best_offers(past, "2024-09-30", horizon=28)
    assert earlier.as_of == dt.date(2024, 9, 30)
    pd.testing.assert_frame_equal(earlier.frame, next_best_offers(dataset(lines(*rows)), "2024-09-30", horizon=28).frame)
