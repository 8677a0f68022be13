"""Cross-sell: planted pairs on the page, no raw lift of independent products, worth by hand, and data with little in them."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import crmlab
from crmlab.analyses import cross_sell as analysis
from crmlab.analyses.cross_sell import words
from crmlab.analyses.cross_sell.charts import components, layout, offers_chart
from crmlab.analyses.cross_sell.pairs import sold_together
from crmlab.analyses.cross_sell.study import study
from crmlab.analyses.cross_sell.tables import worth_table
from crmlab.analyses.cross_sell.worth import Holdings, best_direction, worth_of
from crmlab.errors import MissingTableError, ParameterError
from crmlab.history.context import Margin
from crmlab.history.past import History
from crmlab.page.exhibits import Absent


@pytest.fixture(scope="module")
def result(result_of):
    return result_of("cross_sell", "shop")


def write(folder, rows, header="order_id,customer_id,ordered_at,product_id,quantity,amount"):
    (folder / "own.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    (folder / "own.toml").write_text('title = "Own"\ncurrency = "EUR"\n[order_lines]\nfile = "own.csv"\n')
    return crmlab.open_dataset(str(folder / "own.toml"))


def random_rows(orders, products, seed=0, days=400, customers=60):
    rng = np.random.default_rng(seed)
    for order in range(orders):
        day = dt.date(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, days)))
        for product in set(rng.integers(0, products, rng.integers(1, 6)).tolist()):
            yield order, f"c{order % customers}", day, f"p{product:03}", 1, 10


def test_page_shows_the_planted_pairs_and_nothing_else(result):
    from crmlab.data.shop.make import make_shop

    truth = make_shop(4000, seed=1).truth
    planted = {frozenset((pair.antecedent, pair.consequent)) for pair in truth.affinities}
    pairs = result.tables["pairs"].frame
    shown = {frozenset(pair) for pair in zip(pairs["antecedent"], pairs["consequent"], strict=True)}
    assert planted <= shown and len(shown - planted) <= 1
    assert {finding.metric for finding in result.findings} <= set(result.metrics)
    assert result.findings[0].metric == "hit_rate"  # the page leads with the backtest
    assert (pairs["q_value"] < 0.05).all()


def test_every_estimate_on_the_page_has_an_interval_that_holds_it(result):
    for name, table in result.tables.items():
        for column, shown in (table.columns or {}).items():
            if shown.low is None:
                continue
            frame = table.frame.dropna(subset=[column])
            low, value, high = (frame[part].astype(float) for part in (shown.low, column, shown.high))
            assert ((low <= value + 1e-9) & (value <= high + 1e-9)).all(), (name, column)
            assert not frame[[shown.low, shown.high]].isna().any().any(), (name, column)


def test_offers_are_for_who_may_be_asked_and_does_not_have_it(result):
    data = crmlab.open_dataset("shop")
    offers = result.outputs["offers"].frame
    suppressed = data.customers.filter(~data.customers["contactable"])["customer_id"].to_pandas()
    assert not set(offers["customer_id"]) & set(suppressed)
    gone = data.products.filter(data.products["available_until"] < result.context.as_of)["product_id"].to_pandas()
    assert len(gone) > 0 and not set(offers["product_id"]) & set(gone)
    assert offers["reason"].str.len().min() > 10
    assert offers.groupby("customer_id")["rank"].max().le(3).all()


def test_files_hold_rules_with_names_and_no_missing_numbers(result):
    rules = result.outputs["rules"].frame
    assert not rules.drop(columns="conviction").isna().any().any()
    assert (rules.loc[~rules["redundant"], "q_value"] < 0.05).all()
    assert rules.loc[rules["redundant"], "parent"].str.len().gt(0).all()
    assert not rules.duplicated(["antecedent", "consequent"]).any()


def test_worth_by_hand():
    # Ten customers: 1-4 have A only, 5-6 both, 7-10 neither; since then 1, 2 and 7 bought B, for a margin of 6, 2 and 3.
    has = np.zeros((10, 2), dtype=int)
    has[:6, 0], has[4:6, 1] = 1, 1
    earned = np.zeros((10, 2))
    earned[[0, 1, 6], 1] = [6.0, 2.0, 3.0]
    asked = np.array([True] * 3 + [False] + [True] * 6)
    held = Holdings(
        items={"A": 0, "B": 1},
        has=sparse.csc_array(has),
        later=sparse.csc_array((earned > 0).astype(int)),
        earned=sparse.csc_array(earned),
        asked=asked,
        told=asked,
        margin=np.array([1.0, 5.0]),
        in_range=np.array([True, True]),
    )
    pair = pd.DataFrame({"antecedent": ["A"], "consequent": ["B"]})
    row = worth_of(pair, held, held, 0.95, 2).iloc[0]
    assert (row["reach"], row["seen"], row["rate"], row["other"]) == (3, 4, 0.5, 0.25)
    assert row["unknown"] == 1 and not {"refused", "money"} & set(row.index)  # nobody shows them
    assert row["each"] == pytest.approx(2.0 - 0.75)  # what was spent, not how many bought times a mean
    assert row["extra"] == pytest.approx(3 * (2.0 - 0.75))  # in all whom it reaches
    assert row["extra_low"] == pytest.approx(3 * row["each_low"]) and row["extra_high"] == pytest.approx(3 * row["each_high"])
    assert row["extra_low"] < 0 < row["extra"] < row["extra_high"]
    assert np.isnan(worth_of(pair, held, held, 0.95, 5).iloc[0]["extra"])  # groups of four are not shown


@pytest.mark.proof
def test_worth_is_what_the_orders_say():
    # The same sums by plain pandas over the shop's own lines.
    data = crmlab.open_dataset("shop")
    end = data.orders["ordered_at"].max().to_pyarrow().as_py().date()
    split = pd.Timestamp(end - dt.timedelta(days=91)) + pd.Timedelta(days=1)
    lines = data.order_lines.to_pandas().astype({"amount": float, "quantity": float})
    cost = data.products.select("product_id", "unit_cost").to_pandas().set_index("product_id")["unit_cost"].astype(float)
    lines["margin"] = lines["amount"] - lines["quantity"] * lines["product_id"].map(cost)
    row = analysis.run(data).tables["worth"].frame.iloc[0]
    early, late = lines[lines["ordered_at"] < split], lines[lines["ordered_at"] >= split]
    net = early.groupby(["customer_id", "product_id"])["quantity"].sum()
    owns = {item: set(net[net > 0].xs(item, level="product_id").index) for item in (row["antecedent"], row["consequent"])}
    known = set(early[early["quantity"] > 0]["customer_id"])
    mine = (owns[row["antecedent"]] - owns[row["consequent"]]) & known
    others = known - owns[row["antecedent"]] - owns[row["consequent"]]
    spent = late[late["product_id"] == row["consequent"]].groupby("customer_id")["margin"].sum()
    gap = spent.reindex(sorted(mine)).fillna(0).mean() - spent.reindex(sorted(others)).fillna(0).mean()
    assert row["seen"] == pytest.approx(len(mine), rel=0.01)  # a few known only by days that are no occasion
    assert row["extra"] == pytest.approx(row["reach"] * gap, rel=0.02)


def half_sure(share):
    """160 customers with A, 160 without; of those with A a share bought B since, for 10 each; of the others 5%."""
    n, some = 160, round(160 * share)
    has = np.zeros((2 * n, 2), dtype=int)
    has[:n, 0] = 1
    earned = np.zeros((2 * n, 2))
    earned[:some, 1] = earned[n : n + 8, 1] = 10.0
    return Holdings(
        items={"A": 0, "B": 1},
        has=sparse.csc_array(has),
        later=sparse.csc_array((earned > 0).astype(int)),
        earned=sparse.csc_array(earned),
        asked=np.arange(2 * n) % 4 > 0,
        told=np.ones(2 * n, dtype=bool),
        margin=np.array([1.0, 10.0]),
        in_range=np.array([True, True]),
    )


def said_of(shop_study, pairs, margin):
    whole = {"name_a": "Apron", "name_b": "Brush", "antecedent": "A", "consequent": "B"}
    some = replace(shop_study, pairs=pairs.assign(**whole), margin=margin)
    return some, words.findings(some)[1], words.metrics(some)


@pytest.fixture(scope="module")
def shop_study():
    return study(History(crmlab.open_dataset("shop")), analysis.Params())


@pytest.mark.proof
@pytest.mark.parametrize("margin", [Margin(0.4, "given", 1.0), Margin(1.0, "revenue", 0.0)], ids=["margin", "revenue"])
def test_money_of_a_pair_is_said_in_all_and_by_its_name(shop_study, margin):
    # 30% of 160 against 5%, at 10 each: 2.50 more per customer; 120 of the 160 may be contacted: 300 in all, not 2,500 per 1,000.
    pair = pd.DataFrame({"antecedent": ["A"], "consequent": ["B"]})
    pairs = pair.join(worth_of(pair, half_sure(0.3), half_sure(0.3), 0.9))
    row = pairs.iloc[0]
    assert (row["reach"], row["unknown"]) == (120, 0) and row["each"] == pytest.approx(2.5)
    assert row["extra"] == pytest.approx(300) and 0 < row["extra_low"] == pytest.approx(120 * row["each_low"])
    some, finding, metrics = said_of(shop_study, pairs, margin)
    assert finding.value == "€300" and finding.metric == f"extra_{margin.word}"
    assert finding.text.startswith(
        f"more {margin.word} goes with the most certain pair: customers who bought Apron but not yet Brush went on to buy more of it than "
        "customers who had bought neither"
    )
    assert "the 120 customers who bought the first but not yet the second and may be contacted" in finding.text
    assert "per 1,000" not in finding.text and "an association, not the effect of an offer" in finding.text
    assert "a year ago" not in finding.text
    told = words.findings(replace(some, unsold=frozenset({"B"})))[1].text
    assert "But Brush was not sold at all in the same 91 days a year ago" in told
    assert metrics[f"extra_{margin.word}"].value == pytest.approx(300) and metrics[f"extra_{margin.word}"].low > 0
    columns = worth_table(some).columns
    assert columns["extra"].label == f"Extra {margin.word}, in all" and "per_1000" not in columns
    many = pairs.assign(reach=2000, extra=5000.0, extra_low=1000.0, extra_high=9000.0)
    some, finding, _ = said_of(shop_study, many, margin)
    assert finding.value == "€5,000" and "(€2,500 per 1,000)" in finding.text and "per_1000" in worth_table(some).columns


@pytest.mark.proof
def test_no_pair_is_recommended_whose_extra_money_may_be_nothing(shop_study):
    # 7% against 5% of 160: 0.30 more per customer, and the interval includes 0.
    pair = pd.DataFrame({"antecedent": ["A"], "consequent": ["B"]})
    pairs = pair.join(worth_of(pair, half_sure(0.07), half_sure(0.07), 0.9))
    assert pairs["extra"].iloc[0] > 0 > pairs["extra_low"].iloc[0]
    some, finding, metrics = said_of(shop_study, pairs, Margin(0.4, "given", 1.0))
    assert some.best.empty and "extra_margin" not in metrics and isinstance(offers_chart(some), Absent)
    assert finding.value == "No pair" and "no pair is a reason for an offer" in finding.text


@pytest.mark.proof
def test_without_a_margin_nothing_is_called_margin_and_the_page_says_how_to_give_one(tmp_path):
    found = analysis.run(write(tmp_path, random_rows(900, 12)))
    offers = found.outputs["offers"].frame
    assert "expected_revenue" in offers and not [name for name in offers if "margin" in name]
    shown = " ".join(finding.sentence() for finding in found.findings)
    heads = [column.label for table in found.tables.values() for column in (table.columns or {}).values()]
    rest = [*heads, *(chart.caption for chart in found.charts.values()), *(table.caption for table in found.tables.values())]
    assert not [text for text in (shown, *rest) if "margin" in text.lower()]
    assert any("Ask your analyst to give a margin" in warning for warning in found.warnings)
    told = analysis.run(write(tmp_path, random_rows(900, 12)), analysis.Params(margin=0.4))
    assert "expected_margin" in told.outputs["offers"].frame and not any(
        "Ask your analyst to give a margin" in one for one in told.warnings
    )


def test_what_was_counted_has_no_interval_and_what_is_inferred_has_one(result):
    for name, estimate in result.metrics.items():
        assert analysis.QUANTITIES[name].counted == (estimate.low is None), name


def test_each_pair_is_shown_once_in_the_direction_that_brings_more():
    pairs = pd.DataFrame(
        {
            "antecedent": ["a", "b", "c", "d"], "consequent": ["b", "a", "d", "c"], "lift_low": [3.0, 3.0, 9.0, 9.0],
            "reach": [100, 100, 50, 60], "extra": [50.0, 40.0, np.nan, np.nan], "extra_low": [10.0, 30.0, np.nan, np.nan], "in_range": [True, True, False, True],
        }
    )  # fmt: skip
    kept = best_direction(pairs)
    assert list(zip(kept["antecedent"], kept["consequent"], strict=True)) == [("b", "a"), ("d", "c")]


@pytest.mark.proof
def test_independent_products_give_a_page_that_reports_nothing(tmp_path):
    data = write(tmp_path, random_rows(1500, 900))
    found = analysis.run(data, analysis.Params(min_count=1))
    pairs = found.tables.get("pairs")
    raw = sold_together(History(data, dt.date(2025, 2, 3)), min_count=1).rules["lift"].max()
    assert raw > 200  # lifts that a page without a test would show
    for table in found.tables.values():
        for column in table.frame.columns:
            if column.startswith("lift"):
                assert (table.frame[column].dropna() < 200).all()
    if pairs is None:
        assert "Nothing to report" in found.absent["pairs"] and found.findings[-1].value == "0"


@pytest.mark.proof
def test_an_as_of_in_the_past_ignores_what_came_later(tmp_path):
    rows = list(random_rows(900, 30, days=300))
    later = [(f"z{k}", "c1", dt.date(2025, 1, 1), product, 1, 10) for k in range(200) for product in ("p001", "p002")]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = analysis.run(write(tmp_path / "a", rows), analysis.Params(as_of="2024-10-20", horizon=60))
    second = analysis.run(write(tmp_path / "b", rows + later), analysis.Params(as_of="2024-10-20", horizon=60))
    assert first.metrics == second.metrics
    pd.testing.assert_frame_equal(first.outputs["offers"].frame, second.outputs["offers"].frame)


@pytest.mark.proof
@pytest.mark.parametrize(
    "rows",
    [
        [(k, f"c{k % 7}", dt.date(2024, 1, 1 + k % 28), "only", 1, 5) for k in range(50)],
        [(1, "c", dt.date(2024, 1, 1), f"p{k}", 1, 5) for k in range(5)],
        [(k, f"c{k % 9}", dt.date(2024, 1 + k % 12, 1 + k % 28), f"p{k % 11}", 1, 5) for k in range(300)],
        [(k // 2, f"c{k // 2 % 9}", dt.date(2024, 1 + k // 2 % 12, 3), "p", 1, 5) for k in range(300)],  # every line doubled
        [(k, f"c{k % 9}", dt.date(2024, 1 + k % 12, 5), f"p{k % 5}", (-1) ** k * 0.5, (-1) ** k * 3) for k in range(300)],
    ],
    ids=["one product", "one basket", "one item each", "doubled lines", "returns and halves"],
)
def test_data_with_little_in_them_give_a_page(tmp_path, rows):
    found = analysis.run(write(tmp_path, rows))
    assert 1 <= len(found.findings) <= 3
    assert found.findings[-1].value == "0"
    assert all(found.absent.values())
    for table in found.tables.values():
        table.html()
    assert not {"NaN", "nan"} & set(found.findings.html().replace("(", " ").split())


@pytest.mark.nightly
def test_a_minimum_above_every_count_reports_nothing(result):
    found = analysis.run(crmlab.open_dataset("shop"), analysis.Params(min_count=10**6, horizon=60))
    assert found.findings[-1].value == "0" and "Nothing to report" in found.absent["pairs"]
    assert len(found.outputs["rules"].frame) == 0


@pytest.mark.proof
def test_products_without_a_name_and_categories(tmp_path):
    rows = [(*row, "" if row[3] < "p010" else f"Name {row[3]}", f"g{row[3][-1]}") for row in random_rows(600, 20)]
    header = "order_id,customer_id,ordered_at,product_id,quantity,amount,product_name,product_category"
    (tmp_path / "own.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    (tmp_path / "own.toml").write_text('title = "Own"\n[order_lines]\nfile = "own.csv"\n')
    data = crmlab.open_dataset(str(tmp_path / "own.toml"))
    offers = analysis.run(data).outputs["offers"].frame
    assert offers.loc[offers["product_id"] == "p001", "name"].isin(["p001"]).all()
    by_group = analysis.run(data, analysis.Params(level_of="category", unit="customer"))
    assert by_group.tables["scope"].frame["value"].iloc[0] == "all that one customer bought"


def test_orders_alone_are_not_enough():
    with pytest.raises(MissingTableError, match="has no table 'order_lines'"):
        analysis.run(crmlab.open_dataset("cdnow_sample"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"unit": "basket"}, "The 'unit' parameter of cross_sell must be one of order, customer. Got 'basket' instead."),
        ({"min_count": 0}, "The 'min_count' parameter of cross_sell must be a whole number of at least 1. Got 0 instead."),
        ({"horizon": 3}, "The 'horizon' parameter of cross_sell must be between 7 and 730. Got 3 instead."),
        ({"k": 0}, "The 'k' parameter of cross_sell must be between 1 and 20. Got 0 instead."),
        ({"margin": 1.5}, "The 'margin' parameter of cross_sell must be above 0 and at most 1. Got 1.5 instead."),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value) == said


@pytest.mark.proof
def test_what_was_sent_back_is_not_offered_again(tmp_path):
    rows = list(random_rows(900, 12))
    best = pd.Series([row[3] for row in rows]).value_counts().index[0]
    back = [
        ("x1", "ret", dt.date(2025, 1, 2), best, 1, 10),
        ("x2", "ret", dt.date(2025, 1, 9), best, -1, -10),
        ("x3", "ret", dt.date(2025, 1, 9), "p003", 1, 10),
    ]
    offers = analysis.run(write(tmp_path, rows + back), analysis.Params(k=12)).outputs["offers"].frame
    assert best in set(offers["product_id"])
    assert best not in set(offers.loc[offers["customer_id"] == "ret", "product_id"])
    assert (offers["customer_id"] == "ret").any()


@pytest.mark.proof
def test_a_backtest_with_hardly_anybody_is_left_out(tmp_path):
    rows = [*random_rows(900, 12, days=300), ("last", "c1", dt.date(2025, 3, 1), "p001", 1, 10)]
    found = analysis.run(write(tmp_path, rows))
    assert "fewer than 20 customers bought" in found.absent["backtest"]
    assert found.findings[0].metric != "hit_rate"


def test_network_puts_groups_side_by_side_and_stays_inside():
    links = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("x", "y")]
    groups = components(links)
    places, height = layout(groups, links)
    assert set(places) == set("abcdexy")
    assert all(0 <= x <= 8 and 0 <= y <= height for x, y in places.values())
    assert len({(round(x, 3), round(y, 3)) for x, y in places.values()}) == 7
    assert layout(groups, links) == (places, height)


@pytest.mark.proof
def test_a_page_of_a_day_long_after_the_last_order(tmp_path):
    # Nothing came in the horizon before the day: there is nothing to test on, and the page says so.
    rows = [*random_rows(900, 12, days=200), ("last", "c1", dt.date(2025, 3, 1), "p001", 1, 10)]
    found = analysis.run(write(tmp_path, rows), analysis.Params(as_of="2025-01-31", horizon=60))
    assert found.context.as_of == dt.date(2025, 1, 31)
    assert "customers who bought before 2024-12-02 and again by 2025-01-31" in found.absent["backtest"]
    assert "offers" in found.outputs
