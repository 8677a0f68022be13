"""The cube: totals to the cent at every level, on three engines, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.data.dataset import open_dataset
from crmlab.errors import DataError, MissingTableError, ParameterError
from crmlab.history.breakdowns import MEASURES, dimensions
from crmlab.history.cubes import ALL, MISSING, OTHER, cube, cube_table
from tests.frames import lines, money, receipts

MONEY = pa.decimal128(18, 4)


class Data:
    """Tables by name, as a data set has them."""

    until = None  # not cut off

    def __init__(self, **tables):
        con = ibis.duckdb.connect()
        framed = {
            name: pa.Table.from_pandas(t, preserve_index=False) for name, t in tables.items() if isinstance(t, pd.DataFrame)
        }
        types = {"amount": MONEY, "quantity": MONEY, "unit_cost": MONEY, "ordered_at": pa.timestamp("us")}
        for name, t in framed.items():
            framed[name] = t.cast(pa.schema([(n, types.get(n, pa.string())) for n in t.column_names]))
        self._found = tables | {name: con.create_table(name, t) for name, t in framed.items()}
        self.tables = tuple(self._found)

    def table(self, name):
        if name not in self._found:
            raise MissingTableError(f"The data set 'mine' has no table '{name}'.")
        return self._found[name]

    def __getattr__(self, name):
        return self.table(name)


ORDERS = receipts(
    ("1", "a", "2024-01-05", 10.01), ("2", "a", "2024-01-05", 5.02), ("3", "a", "2024-02-01", -3.03),
    ("4", "b", "2024-02-02", 7.07), ("5", "c", "2024-04-09", 1.1),
)  # fmt: skip
LINES = lines(
    ("1", "a", "2024-01-05", "p", 1, 4.01), ("1", "a", "2024-01-05", "q", 2, 6.00), ("2", "a", "2024-01-05", "p", 1, 5.02),
    ("3", "a", "2024-02-01", "p", -1, -3.03), ("4", "b", "2024-02-02", "r", 1, 7.07), ("5", "c", "2024-04-09", "s", 1, 1.1),
)  # fmt: skip
GOODS = money(
    pd.DataFrame({"product_id": ["p", "q", "r"], "category": ["Tea", "Tea", None], "unit_cost": [2.0, 1.25, 3.0]}), "unit_cost"
)
PEOPLE = pd.DataFrame({"customer_id": ["a", "b"], "country": ["DE", None], "email": ["x@y", "z@y"]})


def small(**more):
    return Data(orders=ORDERS, order_lines=LINES, products=GOODS, customers=PEOPLE, **more)


def test_cube_levels_totals_and_missing_values_are_told_apart():
    found = cube(small(), ["country", "quarter"], ["revenue", "orders", "customers", "occasions"], min_group=1)
    rows = found.set_index(["level", "country", "quarter"])
    assert rows.loc[("total", ALL, ALL), "revenue"] == pytest.approx(20.17, abs=1e-12)
    # 'b' has no country and 'c' no row among the customers: both are not known, and no total.
    missing = rows.loc[("country", MISSING, ALL)]
    assert missing["revenue"] == pytest.approx(8.17, abs=1e-12)
    assert not missing["country_is_total"]
    assert missing["quarter_is_total"]
    assert missing["customers"] == 2
    first = rows.loc[("country × quarter", "DE", "2024-Q1")]
    # The return of February is no occasion; two orders of one day are one.
    assert (first["revenue"], first["orders"], first["occasions"]) == (pytest.approx(12.0), 3, 1)
    assert list(dict.fromkeys(found["level"])) == ["total", "country", "quarter", "country × quarter"]


def test_cube_value_called_all_is_not_a_total():
    people = pd.DataFrame({"customer_id": ["a", "b", "c"], "country": [ALL, "DE", "DE"]})
    found = cube(Data(orders=ORDERS, customers=people), ["country"], ["revenue"], min_group=1)
    named = found[found["country"] == ALL]
    assert named["country_is_total"].tolist() == [True, False]
    assert named["revenue"].tolist() == pytest.approx([20.17, 12.0])


def test_cube_margin_says_on_what_it_rests():
    found = cube(small(), ["category"], ["margin", "quantity", "lines", "average_order_value"], min_group=1)
    total = found.iloc[0]
    # Costs: p 1 + 1 − 1 pieces at 2, q 2 at 1.25, r 1 at 3; s has none.
    assert total["margin_revenue"] == pytest.approx(19.07, abs=1e-12)
    assert total["margin"] == pytest.approx(19.07 - 2 - 2.5 - 3, abs=1e-12)
    assert total["margin_covered"] == pytest.approx(19.07 / 20.17)
    assert (total["quantity"], total["lines"]) == (5.0, 6)
    # The receipt of the return is none of an order.
    assert total["average_order_value"] == pytest.approx(23.20 / 4)
    back = cube(small(), ["month"], ["average_order_value"], sets=[["month"]], customers=None, as_of="2024-02-01", min_group=1)
    assert back["average_order_value"].isna().tolist() == [False, True]


@pytest.mark.parametrize("name", ["shop", "cdnow"])
def test_cube_totals_equal_the_input_to_the_cent(name):
    data = open_dataset(name)
    by = ["quarter", "channel"] if name == "shop" else ["quarter", "year"]
    found = cube(data, by, ["revenue", "orders", "customers"], min_group=1)
    exact = Decimal(data.orders.aggregate(x=data.orders["amount"].sum()).to_pyarrow().to_pylist()[0]["x"])
    for _, part in found.groupby("level"):
        assert sum(Decimal(repr(value)).quantize(Decimal("0.0001")) for value in part["revenue"]) == exact
    total = found.iloc[0]
    assert total["orders"] == data.orders["order_id"].nunique().execute()
    assert total["customers"] == data.orders["customer_id"].nunique().execute()


def test_cube_lines_add_up_to_the_lines_of_the_shop():
    data = open_dataset("shop")
    found = cube(data, ["country", "category"], ["revenue", "quantity", "lines"], sets="rollup")
    exact = data.order_lines.aggregate(
        amount=data.order_lines["amount"].sum(), quantity=data.order_lines["quantity"].sum(), lines=data.order_lines.count()
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    for _, part in found.groupby("level"):
        assert sum(Decimal(repr(value)).quantize(Decimal("0.0001")) for value in part["revenue"]) == exact["amount"]
        assert part["quantity"].sum() == float(exact["quantity"])
        assert part["lines"].sum() == exact["lines"]


def test_cube_as_of_hides_what_came_later():
    early = Data(orders=ORDERS[ORDERS["ordered_at"] < "2024-02-02"])
    known = cube(Data(orders=ORDERS), ["month"], ["revenue", "occasions"], as_of="2024-02-01", min_group=1)
    pd.testing.assert_frame_equal(known, cube(early, ["month"], ["revenue", "occasions"], min_group=1))
    later = cube(Data(orders=ORDERS), [], ["revenue"], start="2024-02-02", min_group=1)
    assert later["revenue"].tolist() == pytest.approx([8.17])


def test_cube_sets():
    assert list(dict.fromkeys(cube(small(), ["month", "country"], sets="rollup")["level"])) == [
        "total",
        "month",
        "month × country",
    ]
    assert cube(small(), ["month", "country"], sets=[["country"]], min_group=1)["level"].unique().tolist() == ["country"]
    # Named twice in another order is one set, not two.
    assert cube(small(), ["month", "country"], sets=[["country", "month"], ["month", "country"]])["level"].nunique() == 1


def test_cube_merges_small_groups_and_keeps_totals():
    rows = [(str(i), f"c{i}", "2024-01-05" if i < 6 else f"2024-0{2 + i % 2}-01", 1.0) for i in range(9)]
    data = Data(orders=receipts(*rows))
    found = cube(data, ["month"], ["revenue"], min_group=5)
    assert "customers" not in found.columns
    inside = found[found["level"] == "month"]
    # Two groups of 1 and 2 customers are still fewer than 5 together: the next one joins them.
    assert inside["month"].tolist() == [OTHER]
    assert inside["revenue"].tolist() == [9.0]
    with_counts = cube(data, ["month"], ["revenue", "customers"], min_group=2)
    # One month of a single customer would be told by the rest of its level: the next smallest joins it.
    assert with_counts["month"].tolist() == [ALL, OTHER, "2024-01"]
    assert with_counts["customers"].isna().tolist() == [False, True, False]


def test_cube_given_attributes_and_their_rows():
    tiers = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["gold", "silver"]})
    found = cube(small(), ["tier"], ["revenue"], customers=tiers, min_group=1).set_index("tier")["revenue"]
    assert found.to_dict() == pytest.approx({ALL: 20.17, "gold": 12.0, "silver": 7.07, MISSING: 1.1})
    with pytest.raises(ParameterError, match=r"one row per customer\. Got '3 rows of 2 customers'"):
        cube(small(), ["tier"], customers=pd.concat([tiers, tiers.head(1)]))


def test_cube_personal_columns_are_no_dimensions():
    assert "email" not in dimensions(small())
    assert "customer_id" not in dimensions(small())
    assert "email" not in dimensions(open_dataset("shop"))
    with pytest.raises(ParameterError, match="Unknown parameter 'email' for cube"):
        cube(small(), ["email"])
    named = pd.DataFrame({"customer_id": ["a"], "phone_number": ["1"], "tier": ["x"]})
    assert {"phone_number", "tier"} & set(dimensions(small(), named)) == {"tier"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": ["chanel"]}, r"Unknown parameter 'chanel' for cube \(by\)\. Did you mean 'channel'\?"),
        (
            {"by": ["month"], "measures": ["revenu"]},
            r"Unknown parameter 'revenu' for cube \(measures\)\. Did you mean 'revenue'\?",
        ),
        ({"by": "month"}, "must be a list of names"),
        ({"by": ["month", "month"]}, "names that are there once"),
        ({"by": ["month"], "measures": []}, "at least one name"),
        ({"by": ["month"], "sets": "all"}, "'cube', 'rollup' or a list"),
        ({"by": ["month"], "sets": [["year"]]}, "Unknown parameter 'year'"),
        ({"by": ["month"], "sets": []}, "at least one list"),
        ({"by": ["month"], "min_group": 0}, "at least 1"),
        ({"by": ["month"], "as_of": "2030-01-01"}, "after the last order"),
        ({"by": ["month"], "start": "2024-03-01", "as_of": "2024-02-01"}, "'start' must be before 'as_of'"),
        ({"by": ["day", "week", "month", "quarter", "year", "channel", "country"]}, "at most 6 dimensions"),
    ],
)
def test_cube_refuses(arguments, said):
    with pytest.raises(ParameterError, match=said):
        cube(open_dataset("shop") if "2030" not in str(arguments) else small(), **arguments)


def test_cube_without_rows_tables_or_costs():
    with pytest.raises(DataError, match="at least one order"):
        cube(Data(orders=ORDERS.head(0)), ["month"])
    with pytest.raises(MissingTableError, match="order_lines"):
        cube(Data(orders=ORDERS), ["month"], ["quantity"])
    with pytest.raises(ParameterError, match="no unit_cost"):
        cube(Data(orders=ORDERS, order_lines=LINES, products=GOODS.drop(columns="unit_cost")), ["month"], ["margin"])


@pytest.mark.proof
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 80), st.integers(-500, 500)), min_size=1, max_size=20))
def test_cube_every_level_adds_up(rows):
    start = pd.Timestamp("2024-01-01")
    made = receipts(*((str(i), who, start + pd.Timedelta(days=day), cents / 100) for i, (who, day, cents) in enumerate(rows)))
    found = cube(Data(orders=made, customers=PEOPLE), ["month", "country"], ["revenue", "orders"], min_group=1)
    cents = sum(cents for _, _, cents in rows)
    for _, part in found.groupby("level"):
        assert round(part["revenue"].sum() * 100) == cents
        assert part["orders"].sum() == len(rows)


@pytest.mark.spark
def test_cube_is_the_same_on_spark(both):
    by, measures = ["country", "category", "month", "week"], list(MEASURES)

    def reduce(**tables):
        return cube_table(Data(**tables), by, measures, as_of="2024-04-09").order_by(
            "d0", "d1", "d2", "d3", "t0", "t1", "t2", "t3"
        )

    frames = {"orders": ORDERS, "order_lines": LINES, "products": GOODS, "customers": PEOPLE}
    duck, spark = both(reduce, **frames)
    assert len(duck) == len(spark) > 16
    for column in duck.columns:
        left, right = ([None if v is None or v != v else str(v).rstrip("0") for v in f[column]] for f in (duck, spark))
        assert left == right, column
    # All combinations of four dimensions are there.
    flags = {tuple(row) for row in duck[["t0", "t1", "t2", "t3"]].to_numpy().tolist()}
    assert flags == {tuple(int(i not in c) for i in range(4)) for k in range(5) for c in combinations(range(4), k)}


def test_cube_is_the_same_on_postgres(postgres):
    from ibis.util import gen_name

    con = ibis.postgres.connect(**{**parts(postgres), "schema": "public"})
    duck = small()
    mine = Data()
    mine.tables = duck.tables
    for name in duck.tables:
        mine._found[name] = con.create_table(gen_name(name), duck.table(name).to_pyarrow())
    by, measures = ["country", "category", "month"], list(MEASURES)
    one, two = (cube(data, by, measures, as_of="2024-04-09", min_group=1) for data in (duck, mine))
    pd.testing.assert_frame_equal(one, two)
    con.disconnect()


def parts(address):
    from psycopg.conninfo import conninfo_to_dict

    found = conninfo_to_dict(address)
    return {
        "host": found["host"],
        "port": int(found["port"]),
        "user": found["user"],
        "password": found["password"],
        "database": found["dbname"],
    }
