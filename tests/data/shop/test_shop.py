"""The simulated shop: its tables are canonical and exact, and its truth can be found again."""

from __future__ import annotations

import datetime as dt
import time
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from crmlab.data.shop.dirt import POSTAGE_CODE
from crmlab.data.shop.make import Shop, make_shop
from crmlab.data.tables import TABLES
from crmlab.errors import ParameterError


@cache
def _shop(n: int = 6000, seed: int = 7, **options: float) -> Shop:
    """Without campaigns, whose orders come on top of the story that the truth tells."""
    return make_shop(n, seed, campaigns=False, **options)


def _cents(amounts: pd.Series) -> pd.Series:
    cents = (100 * amounts).round().astype("int64")
    assert ((cents / 100) == amounts).all()
    return cents


def _sales(shop: Shop) -> pd.DataFrame:
    lines = shop.tables["order_lines"]
    return lines[lines["amount"] > 0]


def test_make_shop_same_arguments_same_frames():
    one, other = make_shop(300, 5, dirty=True), make_shop(300, 5, dirty=True)
    assert list(one.tables) == list(other.tables)
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, other.tables[name])
    pd.testing.assert_frame_equal(one.truth.customers, other.truth.customers)
    pd.testing.assert_frame_equal(one.truth.occasions, other.truth.occasions)
    assert one.truth.affinities == other.truth.affinities
    assert one.truth.dirt == other.truth.dirt


def test_make_shop_other_seed_other_shop():
    assert not make_shop(50, 1).tables["orders"].equals(make_shop(50, 2).tables["orders"])


def test_make_shop_leaves_global_random_state():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    make_shop(20)
    assert (np.random.get_state()[1] == before).all()


def test_make_shop_returns_do_not_change_sales():
    with_returns, without = (make_shop(300, return_rate=rate).tables["orders"] for rate in (0.3, 0.0))
    kept = with_returns[with_returns["amount"] > 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, without)


def test_make_shop_affinities_do_not_change_orders():
    planted, plain = make_shop(300, return_rate=0.0), make_shop(300, return_rate=0.0, affinities=False)
    pd.testing.assert_frame_equal(planted.tables["orders"], plain.tables["orders"])
    assert plain.truth.affinities == ()
    assert len(planted.tables["order_lines"]) > len(plain.tables["order_lines"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("n_customers", {"n_customers": 0}),
        ("n_customers", {"n_customers": 2.5}),
        ("n_customers", {"n_customers": True}),
        ("seed", {"seed": -1}),
        ("days", {"days": 29}),
        ("seasonality", {"seasonality": 1.0}),
        ("seasonality", {"seasonality": -0.1}),
        ("return_rate", {"return_rate": 1.0}),
        ("return_rate", {"return_rate": float("nan")}),
    ],
)
def test_make_shop_refuses_out_of_range(name, options):
    with pytest.raises(ParameterError, match=f"The '{name}' parameter of shop must be"):
        make_shop(**options)


@pytest.mark.parametrize("dirty", [False, True])
def test_tables_have_canonical_columns(dirty):
    shop = make_shop(300, dirty=dirty)
    campaign = {"cells", "contacts", "responses"}
    assert set(shop.tables) == {"order_lines", "products", "customers"} | campaign | (set() if dirty else {"orders"})
    for name, frame in shop.tables.items():
        spec = TABLES[name]
        # Nobody of the simulated shop asks to be contacted again, or is said to have been brought by another.
        kept = [column for column in spec.kept if column.name not in ("follow_up_at", "referred_by")]
        canonical = [column.name for column in kept]
        assert list(frame.columns[: len(canonical)]) == canonical
        assert list(frame.columns[len(canonical) :]) == (["country", "email"] if name == "customers" else [])
        for column in kept:
            may_miss = column.name == "available_until" or (dirty and (name, column.name) == ("order_lines", "customer_id"))
            may_miss = may_miss or (name in campaign and (column.nullable and column.name not in ("list", "channel")))
            assert may_miss or frame[column.name].notna().all(), column.name
            if column.kind in ("time", "date"):
                assert pd.api.types.is_datetime64_dtype(frame[column.name])
            if column.kind == "date":
                dates = frame[column.name].dropna()
                assert (dates == dates.dt.normalize()).all()
            if column.kind in ("money", "number"):
                assert frame[column.name].dtype == "float64"
                _cents(frame[column.name].dropna())
            if column.kind == "flag":
                assert frame[column.name].dtype == bool


def test_shop_repr_is_short():
    assert repr(make_shop(10)).startswith("Shop(")
    assert len(repr(make_shop(10))) < 100


@pytest.mark.parametrize(
    "options",
    [
        {"n_customers": 1, "seed": 0, "days": 30},
        {"n_customers": 1, "seed": 3, "days": 30, "return_rate": 0.9},
        {"n_customers": 40, "end": dt.date(2020, 2, 29), "days": 60, "seasonality": 0.99},
        {"n_customers": 500, "seed": 4, "return_rate": 0.5},
        {"n_customers": 500, "seed": 4, "seasonality": 0.0, "affinities": False, "return_rate": 0.0},
    ],
)
def test_tables_fit_together(options):
    shop = make_shop(**options)
    orders, lines, products, customers = (shop.tables[n] for n in ("orders", "order_lines", "products", "customers"))
    assert orders["order_id"].is_unique
    assert products["product_id"].is_unique
    assert products["name"].is_unique
    assert customers["customer_id"].is_unique
    assert not lines.duplicated(["order_id", "product_id"]).any()
    assert lines["product_id"].isin(products["product_id"]).all()
    assert lines["customer_id"].isin(customers["customer_id"]).all()
    sums = _cents(lines["amount"]).groupby(lines["order_id"]).sum()
    assert (sums.reindex(orders["order_id"]).to_numpy() == _cents(orders["amount"])).all()
    assert len(sums) == len(orders)
    assert (lines["quantity"] % 1 == 0).all()
    assert (np.sign(lines["quantity"]) == np.sign(lines["amount"])).all()
    assert (lines["amount"] != 0).all()
    assert (orders["return_amount"] == orders["amount"].clip(upper=0)).all()
    header = lines[["order_id", "customer_id", "ordered_at", "channel"]].drop_duplicates()
    assert len(header.merge(orders)) == len(header) == len(orders)
    for name, keys in (("orders", TABLES["orders"].order_by), ("order_lines", TABLES["order_lines"].order_by)):
        frame = shop.tables[name]
        pd.testing.assert_frame_equal(frame, frame.sort_values(list(keys), ignore_index=True))
    end = options.get("end", dt.date(2025, 12, 31))
    assert orders["ordered_at"].max() < pd.Timestamp(end) + pd.Timedelta(days=1)
    assert orders["ordered_at"].min() >= pd.Timestamp(shop.truth.season.start)
    first = orders.groupby("customer_id")["ordered_at"].min()
    assert (first >= customers.set_index("customer_id")["acquired_at"].reindex(first.index)).all()
    assert len(first) == options["n_customers"]


def test_orders_add_up_to_true_spend():
    shop = _shop(return_rate=0.0)
    orders, occasions = shop.tables["orders"], shop.truth.occasions
    drawn = _cents(occasions["spend"]).groupby(occasions["customer_id"]).sum()
    booked = _cents(orders["amount"]).groupby(orders["customer_id"]).sum()
    pd.testing.assert_series_equal(drawn, booked, check_names=False)
    # A few occasions have two receipts, of the same day.
    assert 0.03 < len(orders) / len(occasions) - 1 < 0.05
    days = orders.assign(day=orders["ordered_at"].dt.normalize()).drop_duplicates(["customer_id", "day"])
    true_days = occasions.assign(day=occasions["day"].astype(int)).drop_duplicates(["customer_id", "day"])
    assert len(days) == len(true_days)


def test_returns_undo_lines_sold_before():
    shop = _shop()
    lines = shop.tables["order_lines"]
    back = lines[lines["amount"] < 0]
    assert back["order_id"].str.startswith("R").all()
    assert back["order_id"].is_unique
    sales = _sales(shop)
    assert not sales["order_id"].str.startswith("R").any()
    keys = ["customer_id", "product_id", "quantity", "amount"]
    undone = back.assign(quantity=-back["quantity"], amount=-back["amount"])
    pairs = undone.merge(sales, on=keys, suffixes=("", "_sold"))
    pairs = pairs[pairs["ordered_at"] > pairs["ordered_at_sold"]]
    assert pairs["order_id"].nunique() == len(back)
    # Somewhat under the rate: what would come back after the last day is left out.
    assert 0.034 < len(back) / len(sales) < 0.041
    same_day = (pairs["ordered_at"].dt.normalize() == pairs["ordered_at_sold"].dt.normalize()).mean()
    assert 0.10 < same_day < 0.20


def test_customers_look_realistic():
    shop = _shop()
    truth, customers = shop.truth.customers, shop.tables["customers"]
    assert 0.38 < (truth["occasions"] == 1).mean() < 0.45
    assert 3.8 < truth["occasions"].mean() < 6
    assert 42 < shop.truth.occasions["spend"].mean() < 48
    assert abs(customers["contactable"].mean() - 0.85) < 0.02
    buys = customers["customer_id"].isin(shop.tables["orders"]["customer_id"])
    assert (~buys).sum() == 240  # 4% prospects
    assert customers["acquired_at"].between("2024-01-02", "2025-12-31").all()
    second_half = (customers["acquired_at"] >= "2025-01-01").mean()
    assert 0.5 < second_half < 0.62
    shared = customers["household_id"].duplicated(keep=False).mean()
    assert 0.2 < shared < 0.35
    assert customers.groupby("household_id")["country"].nunique().max() == 1
    assert (customers["email"] == customers["customer_id"].str.lower() + "@shop.example").all()


def test_products_are_plausible():
    shop = _shop()
    products = shop.tables["products"].merge(shop.truth.products)
    assert len(products) == 200
    assert 8 <= products["category"].nunique() <= 10
    assert (products["unit_cost"] < products["list_price"]).all()
    sales = _sales(shop).merge(products)
    relative = sales["amount"] / (sales["quantity"] * sales["list_price"])
    assert relative.quantile(0.05) > 0.5
    assert relative.quantile(0.95) < 1.5
    margin = 1 - (sales["quantity"] * sales["unit_cost"]).sum() / sales["amount"].sum()
    assert 0.4 < margin < 0.6


def test_products_are_not_sold_after_available_until():
    shop = _shop()
    products = shop.tables["products"].dropna(subset="available_until")
    assert 4 <= len(products) <= 10
    assert (products["available_until"] < "2025-12-31").all()
    sales = _sales(shop).merge(products, on="product_id")
    assert sales["product_id"].nunique() == len(products)
    assert (sales["ordered_at"].dt.normalize() <= sales["available_until"]).all()


def _standard_errors(information: np.ndarray) -> np.ndarray:
    return np.sqrt(np.diag(np.linalg.inv(information)))


@pytest.mark.parametrize(("column", "shape", "rate"), [("purchase_rate", "r", "alpha"), ("mean_spend", "q", "v")])
def test_truth_recovers_gamma_parameters(column, shape, rate):
    truth = _shop().truth
    values = truth.customers[column].to_numpy()
    if column == "mean_spend":
        values = truth.population["p"] / values
    k, _, scale = stats.gamma.fit(values, floc=0)
    of = truth.population[shape], truth.population[rate]
    off = -1 / of[1]
    information = len(values) * np.array([[special.polygamma(1, of[0]), off], [off, of[0] / of[1] ** 2]])
    assert (np.abs(np.array([k, 1 / scale]) - of) < 3 * _standard_errors(information)).all()


def test_truth_recovers_beta_parameters():
    truth = _shop().truth
    values = truth.customers["dropout_probability"].to_numpy()
    a, b, _, _ = stats.beta.fit(values, floc=0, fscale=1)
    of = truth.population["a"], truth.population["b"]
    both = special.polygamma(1, sum(of))
    information = len(values) * (np.diag(special.polygamma(1, of)) - both)
    assert (np.abs(np.array([a, b]) - of) < 3 * _standard_errors(information)).all()


def test_gaps_are_exponential_in_operational_time():
    shop = _shop()
    frame = shop.truth.occasions.merge(shop.truth.customers[["customer_id", "purchase_rate"]])
    before = frame.groupby("customer_id")["time"].shift()
    gap, left = frame["time"] - before, shop.truth.season.length - before
    # Only gaps that end within the period are seen: their distribution is cut there.
    share = np.expm1(-frame["purchase_rate"] * gap) / np.expm1(-frame["purchase_rate"] * left)
    share = share.dropna()
    assert len(share) > 15_000
    assert stats.kstest(share, "uniform").pvalue > 0.01


def test_gaps_are_not_exponential_in_calendar_time():
    # The test above can fail: with the calendar in place of the operational clock it does.
    shop = _shop(seasonality=0.6)
    frame = shop.truth.occasions.merge(shop.truth.customers[["customer_id", "purchase_rate"]])
    before = frame.groupby("customer_id")["day"].shift()
    gap, left = frame["day"] - before, shop.truth.season.days - before
    share = np.expm1(-frame["purchase_rate"] * gap) / np.expm1(-frame["purchase_rate"] * left)
    assert stats.kstest(share.dropna(), "uniform").pvalue < 1e-6


def test_dropout_after_first_repeat_occasion():
    shop = _shop(20_000)
    truth, of = shop.truth.customers, shop.truth.population
    expected = of["a"] / (of["a"] + of["b"])
    # BG/NBD: nobody drops out at the first occasion, and everybody may at each repeat one.
    assert truth.loc[truth["occasions"] == 1, "dropped_at"].isna().all()
    repeated = truth[truth["occasions"] > 1]
    stopped = ((repeated["occasions"] == 2) & repeated["dropped_at"].notna()).mean()
    assert abs(stopped - expected) < 3 * np.sqrt(expected * (1 - expected) / len(repeated))
    dropped = truth.dropna(subset="dropped_at")
    assert (dropped["dropped_at"] == dropped["last_at"]).all()


def _bg_nbd_log_likelihood(log_parameters, x, t_x, age):
    """Fader, Hardie & Lee (2005), equation (6), in the form of section 7."""
    r, alpha, a, b = np.exp(log_parameters)
    ln_1 = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
    ln_2 = special.betaln(a, b + x) - special.betaln(a, b)
    alive = -(r + x) * np.log(alpha + age)
    with np.errstate(divide="ignore"):
        gone = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
    return np.sum(ln_1 + ln_2 + np.where(x > 0, np.logaddexp(alive, gone), alive))


def test_histories_follow_bg_nbd():
    shop = _shop()
    by_customer = shop.truth.occasions.groupby("customer_id")["time"].agg(["count", "min", "max"])
    x = by_customer["count"].to_numpy() - 1
    t_x = (by_customer["max"] - by_customer["min"]).to_numpy()
    age = shop.truth.season.length - by_customer["min"].to_numpy()
    truth = np.log([shop.truth.population[name] for name in ("r", "alpha", "a", "b")])
    fit = optimize.minimize(lambda p: -_bg_nbd_log_likelihood(p, x, t_x, age), truth, method="Nelder-Mead")
    assert fit.success
    ratio = 2 * (-fit.fun - _bg_nbd_log_likelihood(truth, x, t_x, age))
    assert 0 <= ratio < stats.chi2(4).ppf(0.99)


def test_spend_follows_gamma_gamma():
    shop = _shop()
    frame = shop.truth.occasions.merge(shop.truth.customers[["customer_id", "mean_spend"]])
    p = shop.truth.population["p"]
    assert stats.kstest(frame["spend"] / frame["mean_spend"], stats.gamma(p, scale=1 / p).cdf).pvalue > 0.01
    mean_spend = shop.truth.customers["mean_spend"]
    expected = p * shop.truth.population["v"] / (shop.truth.population["q"] - 1)
    assert abs(mean_spend.mean() - expected) < 3 * mean_spend.std() / np.sqrt(len(mean_spend))
    correlation = stats.spearmanr(shop.truth.customers["purchase_rate"], mean_spend)
    assert correlation.pvalue > 0.01


def _together(shop: Shop) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """How often each two products are in one order, and how often they would be by chance given the orders' sizes."""
    sales = _sales(shop)
    order, _ = pd.factorize(sales["order_id"])
    product, products = pd.factorize(sales["product_id"], sort=True)
    basket = np.zeros((order.max() + 1, len(products)), dtype=np.float32)
    basket[order, product] = 1
    size = basket.sum(axis=1).astype(int)
    expected = np.zeros((len(products), len(products)))
    for k in np.unique(size[size > 1]):
        share = basket[size == k].mean(axis=0, dtype=float)
        chance = k * (k - 1) / (k**2 - (share**2).sum())
        expected += (size == k).sum() * chance * np.outer(share, share)
    return pd.Index(products), basket.T @ basket, expected


def _p_values(shop: Shop) -> pd.Series:
    """Two-sided p-values of all pairs that are not planted, of products that were on sale all the time."""
    products, seen, expected = _together(shop)
    planted = {frozenset(affinity[:2]) for affinity in shop.truth.affinities}
    always = shop.tables["products"].set_index("product_id")["available_until"].isna()
    pairs = [
        (i, j)
        for i in range(len(products))
        for j in range(i)
        if always[products[i]] and always[products[j]] and frozenset((products[i], products[j])) not in planted
    ]
    i, j = np.array(pairs).T
    low, high = stats.poisson.cdf(seen[i, j], expected[i, j]), stats.poisson.sf(seen[i, j] - 1, expected[i, j])
    return pd.Series(np.minimum(2 * np.minimum(low, high), 1))


def test_affinities_are_found():
    shop = _shop()
    assert len(shop.truth.affinities) >= 5
    products, seen, expected = _together(shop)
    assert len({product for affinity in shop.truth.affinities for product in affinity[:2]}) == 12
    for affinity in shop.truth.affinities:
        i, j = products.get_loc(affinity.antecedent), products.get_loc(affinity.consequent)
        assert seen[i, j] > 3 * expected[i, j]
        assert (seen[i, j] - expected[i, j]) / np.sqrt(expected[i, j]) > 10
        with_antecedent = seen[i, i]
        error = np.sqrt(affinity.probability * (1 - affinity.probability) / with_antecedent)
        # Some have the consequent by chance too.
        assert -3 * error < seen[i, j] / with_antecedent - affinity.probability < 3 * error + 0.05


@pytest.mark.parametrize("affinities", [False, True])
def test_other_products_are_independent(affinities):
    p_values = _p_values(_shop(affinities=affinities))
    assert len(p_values) > 18_000
    assert p_values.min() * len(p_values) > 0.01
    assert (p_values < 0.01).mean() < 0.013


def test_popularity_is_what_truth_says():
    shop = _shop(affinities=False)
    # The only product of an order is drawn by popularity alone.
    sales = _sales(shop)
    single = sales[~sales["order_id"].duplicated(keep=False)]
    products = shop.tables["products"].merge(shop.truth.products)
    single = single[single["ordered_at"] <= products["available_until"].min()]
    count = single["product_id"].value_counts().reindex(products["product_id"], fill_value=0)
    assert stats.chisquare(count, len(single) * products["popularity"]).pvalue > 0.01


def test_season_peaks_before_christmas():
    orders = _shop().tables["orders"]
    month = orders.loc[orders["amount"] > 0, "ordered_at"].dt.to_period("M").value_counts()
    assert month["2025-12"] > 2 * month["2025-09"]
    weekday = orders["ordered_at"].dt.day_of_week.value_counts()
    assert weekday[6] < 0.85 * weekday[2]


def test_season_off_is_the_calendar():
    shop = _shop(seasonality=0.0)
    season, occasions = shop.truth.season, shop.truth.occasions
    assert (season.intensity == 1).all()
    np.testing.assert_allclose(occasions["time"], occasions["day"], rtol=1e-12)
    orders = shop.tables["orders"]
    month = orders.loc[orders["amount"] > 0, "ordered_at"].dt.to_period("M").value_counts()
    assert month["2025-12"] < 1.3 * month["2025-09"]


def test_season_clock_has_an_inverse():
    season = _shop().truth.season
    days = np.linspace(0, season.days, 1001)
    np.testing.assert_allclose(season.calendar(season.operational(days)), days, atol=1e-9)
    assert season.operational(season.days) == pytest.approx(season.length)
    assert season.intensity.mean() == pytest.approx(1, abs=0.005)
    occasions = _shop().truth.occasions
    np.testing.assert_allclose(season.operational(occasions["day"]), occasions["time"], atol=1e-9)


@pytest.mark.parametrize("n", [1, 60, 3000])
def test_dirt_is_counted(n):
    clean, dirty = make_shop(n, 11), make_shop(n, 11, dirty=True)
    sound, book, dirt = clean.tables["order_lines"], dirty.tables["order_lines"], dirty.truth.dirt
    assert clean.truth.dirt == {}
    assert all(count >= 1 for count in dirt.values())
    assert len(book) - len(sound) == sum(dirt.values())
    nobody, free = book["customer_id"].isna(), book["amount"] == 0
    again, postage = book.duplicated(), book["product_id"] == POSTAGE_CODE
    huge = book["quantity"].abs() > 5000
    assert (nobody & ~free).sum() == dirt["no_customer"]
    assert (nobody & free & (book["quantity"] < 0)).sum() == dirt["write_off"]
    assert (~nobody & free & (book["quantity"] > 0)).sum() == dirt["zero_amount"]
    assert again.sum() == dirt["duplicate"]
    assert postage.sum() == dirt["postage"]
    assert huge.sum() == dirt["huge_order"] == 2
    assert book.loc[huge, "amount"].sum() == 0
    assert book.loc[huge, "ordered_at"].dt.normalize().nunique() == 1
    kept = book[~(nobody | free | again | postage | huge)]
    pd.testing.assert_frame_equal(
        kept.sort_values(["order_id", "product_id"], ignore_index=True),
        sound.sort_values(["order_id", "product_id"], ignore_index=True),
    )


@pytest.mark.nightly
def test_make_shop_million_lines():
    started = time.perf_counter()
    shop = make_shop(90_000)
    print(f"{len(shop.tables['order_lines']):,} order lines in {time.perf_counter() - started:.1f} s")
    assert len(shop.tables["order_lines"]) > 1_000_000
