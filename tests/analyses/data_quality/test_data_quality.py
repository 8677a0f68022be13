import datetime as dt
import re
from decimal import Decimal

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import data_quality as quality
from crmlab.analyses.data_quality import exhibits
from crmlab.analyses.data_quality.study import Study, amounts_by_part, largest_of
from crmlab.errors import ParameterError, SourceError
from crmlab.history.past import History
from crmlab.page.estimate import Estimate
from crmlab.page.result import Context


def data(folder, rows, top=""):
    (folder / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "".join(f"{row}\n" for row in rows))
    (folder / "q.toml").write_text(f'{top}\n[orders]\nfile = "o.csv"\n')
    return crmlab.open_dataset(folder / "q.toml")


def parts(days):
    """A study of given days; all else is not looked at."""
    day = days["day"].iloc[-1].date()
    given = dict.fromkeys(("descriptor", "tables", "read", "amounts", "breaches", "largest", "occasions", "stale"))
    return Study(context=Context("own", "Own", day, day), params=quality.Params(), days=days, **given)


@pytest.mark.proof
def test_verdict_follows_from_the_bounds(tmp_path):
    days = pd.date_range("2024-01-01", periods=120)
    good = [f"{i},c{i % 9},{day.date()},5" for i, day in enumerate(days)]
    assert quality.run(data(tmp_path, good)).findings[0].value == "Good"
    few = [*good, *(f"x{i},,2024-01-01,5" for i in range(10))]
    assert quality.run(data(tmp_path, few)).findings[0].value == "Good"
    some = [*good, *(f"x{i},,2024-01-01,5" for i in range(31))]  # a fifth and more have no customer
    assert quality.run(data(tmp_path, some)).findings[0].value == "Usable with care"
    most = [*good, *(f"x{i},,2024-01-01,5" for i in range(130))]
    result = quality.run(data(tmp_path, most))
    assert result.findings[0].value == "Not usable yet"
    assert "no customer" in result.warnings[0]


def test_short_history_is_told(tmp_path):
    result = quality.run(data(tmp_path, ["1,a,2024-01-01,5", "2,b,2024-01-10,5"]))
    assert "The history is only 10 days long." in result.warnings


def test_largest_order_that_was_cancelled(tmp_path):
    rows = ["1,a,2024-01-01,500", "2,a,2024-01-02,-500", "3,b,2024-01-01,400", "4,c,2024-01-01,-300", "5,c,2024-01-02,300"]
    largest = quality.run(data(tmp_path, rows)).tables["largest"].frame.set_index("order_id")
    assert largest.loc["1", "cancelled"] == "yes"
    assert largest.loc["3", "cancelled"] == "no"
    # A return before the purchase is no cancellation of it.
    assert largest.loc["5", "cancelled"] == "no"


@pytest.mark.proof
def test_who_ordered_before_being_won_is_known_even_where_that_is_after_the_last_day(tmp_path):
    (tmp_path / "c.csv").write_text("customer_id,acquired_at\na,2023-12-01\nb,2024-03-01\nc,2024-09-01\n")
    top = '[customers]\nfile = "c.csv"\n'
    opened = data(tmp_path, ["1,a,2024-01-01,5", "2,b,2024-02-01,5", "3,c,2024-02-05,5", "4,d,2024-06-01,5"], top)
    for as_of, checked, unknown in ((None, 3, 1), ("2024-02-10", 3, 0)):
        rules = quality.run(opened, quality.Params(as_of=as_of)).tables["rules"].frame.set_index("rule")
        assert rules.loc["Won before bought", ["checked", "broken"]].tolist() == [checked, 2]
        assert rules.loc["Known customers", "broken"] == unknown


def test_stale_share_is_counted(tmp_path):
    rows = ["1,a,2022-01-01,5", "2,b,2024-01-01,5", "3,c,2024-01-01,5", "4,d,2024-01-01,5"]
    page = quality.run(data(tmp_path, rows))
    assert page.metrics["stale_share"] == Estimate(0.25, unit="share")
    assert page.limits[-1].startswith("4 customers: read them one by one.")
    assert page.tables["coverage"].frame.set_index("item")["value"]["Last purchase more than 365 days ago"] == "1 (25%)"
    # The page is about the data: what opens it says whether to trust them, not who is silent.
    assert [finding.metric for finding in page.findings] == ["rows_used_share", "rules_held", "largest_order"]
    assert page.metrics["rules_held"].value == (page.tables["rules"].frame["broken"] == 0).sum()


def opened_or_skip(name):
    try:
        return crmlab.open_dataset(name)
    except SourceError as error:
        pytest.skip(f"The user's own copy of Online Retail is not there: {error}")


def parts_of(frame, total):
    return frame[(frame["total"] == total) & (frame["part"] != "")].set_index("part")


@pytest.mark.proof
@pytest.mark.parametrize("name", ["shop", "cdnow", "online_retail"])
@pytest.mark.parametrize("back", [None, 60])
def test_amounts_add_up_exactly(name, back):
    opened = opened_or_skip(name)
    as_of = None
    if back:
        last = opened.orders["ordered_at"].max().to_pyarrow().as_py()
        as_of = (last - dt.timedelta(days=back)).date()
    frame = amounts_by_part(History(opened, as_of))
    for total, rows in frame.groupby("total"):
        assert all(isinstance(amount, Decimal) for amount in rows["amount"])
        whole = rows.loc[rows["part"] == "", "amount"].item()
        assert sum(rows.loc[rows["part"] != "", "amount"]) == whole, total
    kept = frame.loc[(frame["total"] == "orders kept") & (frame["part"] == ""), "amount"].item()
    assert kept == opened.orders["amount"].sum().to_pyarrow().as_py()
    source = "order lines read" if "order_lines" in opened.tables else "orders read"
    assert parts_of(frame, source).loc["kept", "amount"] == kept


@pytest.mark.proof
def test_amounts_of_online_retail():
    orders = parts_of(amounts_by_part(History(opened_or_skip("online_retail"))), "orders kept")
    # As the customer summary has it, in exact decimals; 30 customers have no day on which they bought more than came back.
    assert orders.loc["spent on purchase occasions", ["rows", "amount"]].tolist() == [16546, Decimal("8416466.0530")]
    assert orders.loc["customers with orders but no occasion", "rows"] == 30


def test_the_largest_order_is_a_share_of_a_total_on_the_page():
    history = History(opened_or_skip("online_retail"))
    sales = parts_of(amounts_by_part(history), "orders in the history").loc["sales", "amount"]
    largest = largest_of(history, 1).iloc[0]
    assert largest["share"] * float(sales) == pytest.approx(largest["amount"])


def test_amounts_name_customers_without_occasion(tmp_path):
    rows = ["1,a,2024-01-01,50", "2,a,2024-01-02,-20", "3,b,2024-01-01,-7", "4,,2024-01-03,9", "5,c,2024-01-09,1"]
    frame = amounts_by_part(History(data(tmp_path, rows), dt.date(2024, 1, 8)))
    signs = frame["total"] == "orders in the history"
    assert dict(zip(frame.loc[signs, "part"], frame.loc[signs, "amount"], strict=True)) == {
        "": Decimal("23"),
        "sales": Decimal("50"),
        "returns and cancellations": Decimal("-27"),
    }
    frame = frame[~signs]
    assert dict(zip(frame["part"], frame["amount"], strict=True)) == {
        "": Decimal("24"),
        "kept": Decimal("24"),
        "dropped: no customer": Decimal("9"),
        "spent on purchase occasions": Decimal("50"),
        "returned on other days": Decimal("-20"),
        "customers with orders but no occasion": Decimal("-7"),
        "after the last day of history": Decimal("1"),
    }
    assert frame["amount"].iloc[0] == Decimal("33")


@pytest.mark.parametrize(
    ("first", "last", "whole", "words"),
    [
        ("2024-01-01", "2024-06-30", (True, True), ""),
        ("2024-01-02", "2024-06-30", (False, True), " The first week is incomplete and left out."),
        ("2024-01-01", "2024-06-29", (True, False), " The last week is incomplete and left out."),
        ("2024-01-03", "2024-06-27", (False, False), " The first and the last week are incomplete and left out."),
    ],
)
def test_chart_leaves_out_only_weeks_that_the_history_cuts(first, last, whole, words):
    days = pd.date_range(first, last)
    frame = pd.DataFrame({"day": days, "orders": 2})
    weeks = exhibits.orders_by_period(frame)
    assert (weeks["whole"].iloc[0], weeks["whole"].iloc[-1]) == whole
    assert weeks["whole"].iloc[1:-1].all()
    assert weeks["orders"].sum() == 2 * len(days)
    assert exhibits.orders_chart(parts(frame)).caption == f"Orders per week. No week is without an order.{words}"


def test_week_without_an_order_is_marked_and_the_days_up_to_as_of_are_there(tmp_path):
    days = [day for day in pd.date_range("2024-01-01", "2024-06-30") if not 15 <= day.day_of_year <= 21 and day.month < 6]
    opened = data(tmp_path, [f"{i},c{i % 9},{day.date()},5" for i, day in enumerate([*days, pd.Timestamp("2024-06-30")])])
    result = quality.run(opened, quality.Params(as_of="2024-06-09"))
    frame = result.charts["orders"].frame
    assert frame["whole"].all()
    assert frame.loc[frame["orders"] == 0, "from"].dt.date.tolist() == [dt.date(2024, 1, 15), dt.date(2024, 6, 3)]
    assert "Triangles mark weeks without an order." in result.charts["orders"].caption


@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 20, 60, 119, 121, 200, 400, 1250, 4000, 6000])
def test_axis_of_days_names_no_day_twice(length):
    days = pd.DataFrame({"day": pd.date_range("2024-02-07", periods=length), "orders": 3})
    drawings = exhibits.orders_chart(parts(days)).html().split('class="slim"')
    assert len(drawings) <= 2
    for svg in drawings:
        written = re.findall(r">((?:\d+ )?[A-Z][a-z]{2} \d{4})<", svg)
        assert written
        assert len(written) == len(set(written)) <= 9


@pytest.mark.proof
@pytest.mark.parametrize(
    ("returns", "words"),
    [
        ([], "None of the 3 largest was cancelled."),
        ([2], "1 of the 3 largest was cancelled."),
        ([2, 1], "2 of the 3 largest were cancelled."),
        ([2, 1, 0], "All 3 largest were cancelled."),
    ],
)
def test_finding_counts_cancelled_orders_in_words(tmp_path, returns, words):
    rows = [f"{i},c{i},2024-01-0{i + 1},{100 + i}" for i in range(3)]
    rows += [f"r{i},c{i},2024-01-09,{-100 - i}" for i in returns]
    finding = quality.run(data(tmp_path, rows)).findings[2]
    assert finding.text.endswith(words)
    assert ("and was cancelled." in finding.text) == bool(returns)


@pytest.mark.proof
def test_largest_orders_say_what_came_back():
    result = quality.run(crmlab.open_dataset("shop"))
    assert 'scope="col">Came back</th>' in result.tables["largest"].html()
    sample = quality.run(crmlab.open_dataset("cdnow_sample"))
    assert "Came back" not in sample.tables["largest"].html()


@pytest.mark.proof
def test_charts_and_tables_are_drawn_for_every_data_set():
    for name in ("cdnow_sample", "online_retail"):
        opened = opened_or_skip(name)
        result = quality.run(opened)
        for part in (*result.charts.values(), *result.tables.values()):
            assert part.html()


def test_params_refuse():
    with pytest.raises(
        ParameterError, match="The 'largest' parameter of data_quality must be between 1 and 20. Got 0 instead."
    ):
        quality.Params(largest=0)
    with pytest.raises(ParameterError, match="The 'stale_after' parameter of data_quality"):
        quality.Params(stale_after=0)
