"""Kind: a day that lies centuries from all others decides what a history is.

One order typed into the year 2202 makes everybody lost and every series by time empty; a field filled with 1970-01-01 makes customers
half a century old. Such days would end or begin the history; and a shop that rested for three years would lose half of it if its gap were
cut by a rule.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import data_quality as quality
from crmlab.analyses.data_quality.study import amounts_by_part
from crmlab.errors import ParameterError
from crmlab.history.context import span
from crmlab.history.customers import customer_summary
from crmlab.history.past import History
from crmlab.history.plausible import LEAST, judged
from tests.frames import orders

START = dt.date(2019, 3, 1)


def counts_of(offsets: np.ndarray) -> list[tuple[dt.date, int]]:
    days, sizes = np.unique(np.asarray(offsets, dtype=int), return_counts=True)
    return [(START + dt.timedelta(days=int(day)), int(size)) for day, size in zip(days, sizes, strict=True)]


def ordinary(rng: np.random.Generator) -> np.ndarray:
    """Days of orders of a shop as shops are: seasonal, growing, dying, donors in December, one with a gap of 400 days; of any size."""
    length, size = int(rng.integers(200, 4000)), int(np.exp(rng.uniform(np.log(3), np.log(5000))))
    form = rng.integers(0, 6)
    share = rng.uniform(size=size)
    if form == 0:
        return np.floor(share * length)
    if form == 1:  # seasonal: nearly all before Christmas
        return np.floor(rng.integers(0, max(1, length // 365), size) * 365 + rng.normal(350, 12, size)).clip(0)
    pace = rng.uniform(60, 700)
    if form == 2:  # dying
        return np.floor(rng.exponential(pace, size))
    if form == 3:  # growing
        late = rng.exponential(pace, size)
        return np.floor(late.max() - late)
    if form == 4:  # a gap of 400 days somewhere
        day = np.floor(share * length)
        return np.where(day > length * rng.uniform(0.1, 0.9), day + 400, day)
    return np.floor(rng.integers(0, 9, size) * 365 + rng.gamma(2, 20, size))  # donors, once a year


def test_ordinary_histories_are_not_cut() -> None:
    rng = np.random.default_rng(16)
    cut = []
    for _ in range(1000):
        counts = counts_of(ordinary(rng))
        found = judged(counts)
        if (found.first, found.last) != (counts[0][0], counts[-1][0]):
            cut.append(found)
    assert cut == []


@pytest.mark.parametrize("year", [1, 1753, 1900, 1970, 2049, 2099, 2202, 9999])
def test_one_typed_date_is_always_cut(year: int) -> None:
    rng = np.random.default_rng(year)
    typed = dt.date(year, 1, 1)
    seen = 0
    while seen < 200:
        counts = counts_of(ordinary(rng))
        if sum(size for _, size in counts) < 3 or counts[-1][0] > dt.date(2028, 1, 1):
            continue
        seen += 1
        found = judged(sorted([*counts, (typed, 1)]))
        assert (found.first, found.last) == (counts[0][0], counts[-1][0])
        assert found.before + found.after == 1


def test_a_year_mistyped_by_ten_is_cut_where_there_are_enough_orders_to_judge_by() -> None:
    usual = counts_of(np.arange(300))
    for far in (dt.date(2009, 5, 1), dt.date(2029, 5, 1)):
        found = judged(sorted([*usual, (far, 1)]))
        assert (found.first, found.last) == (START, START + dt.timedelta(days=299))


def test_several_far_dates_at_both_ends() -> None:
    far = [(dt.date(1900, 1, 1), 40), (dt.date(1970, 1, 1), 3), (dt.date(2202, 2, 2), 1), (dt.date(9999, 12, 31), 9)]
    found = judged(sorted([*counts_of(np.arange(400)), *far]))
    assert (found.first, found.last) == (START, START + dt.timedelta(days=399))
    assert (found.before, found.after, found.orders) == (43, 10, 453)


def test_of_few_orders_nothing_is_called_usual() -> None:
    three = [(dt.date(2020, 1, 1), 1), (dt.date(2020, 2, 29), 1), (dt.date(2023, 3, 1), 1)]
    found = judged(three)
    assert (found.first, found.last) == (dt.date(2020, 1, 1), dt.date(2023, 3, 1))
    assert [gap.days for gap in found.gaps] == [1096]
    few = counts_of(np.arange(LEAST - 1))
    assert judged([*few, (dt.date(2022, 6, 1), 1)]).last == dt.date(2022, 6, 1)
    enough = counts_of(np.arange(LEAST))
    assert judged([*enough, (dt.date(2022, 6, 1), 1)]).last == enough[-1][0]


def test_a_gap_with_business_after_it_is_asked_about_and_not_cut() -> None:
    counts = counts_of(np.r_[np.arange(300), np.arange(1400, 1500)])
    found = judged(counts)
    assert (found.first, found.last) == (counts[0][0], counts[-1][0])
    assert [(gap.days, gap.beyond, gap.late) for gap in found.gaps] == [(1101, 100, True)]
    # Two years to the day are no such gap.
    assert judged(counts_of(np.r_[np.arange(300), np.arange(299 + 731, 1100)])).gaps == ()


def test_nothing_is_judged_at_an_end_that_the_data_set_names() -> None:
    counts = sorted([*counts_of(np.arange(300)), (dt.date(1970, 1, 1), 1), (dt.date(2202, 1, 1), 1)])
    assert judged(counts, first_given=True).first == dt.date(1970, 1, 1)
    assert judged(counts, last_given=True).last == dt.date(2202, 1, 1)
    assert judged(counts, last_given=True).first == START


def book(folder, far=("9999-12-31", "2202-05-05", "1900-01-01"), top=""):
    days = pd.date_range("2023-01-01", periods=300)
    rows = [f"{i},c{i % 40},{day.date()},{10 + i % 7}" for i, day in enumerate(days)]
    rows += [f"x{i},c{i},{day},1000" for i, day in enumerate(far)]
    (folder / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(rows) + "\n")
    (folder / "far.toml").write_text(f'{top}\n[orders]\nfile = "o.csv"\n')
    return crmlab.open_dataset(folder / "far.toml")


def test_history_summary_and_amounts_follow(tmp_path) -> None:
    data = book(tmp_path)
    past = History(data)
    first, last = dt.date(2023, 1, 1), dt.date(2023, 10, 27)
    assert (past.first, past.as_of) == (first, last) == span(data)
    assert past.orders.count().execute() == 300
    summary = customer_summary(data.orders).to_pandas()
    assert len(summary) == 40
    assert summary["T"].max() == (last - first).days
    assert History(past.data).as_of == last
    parts = amounts_by_part(past).set_index("part")["amount"]
    assert parts["after the last day of history"] == 2000
    assert parts["before the first day of history"] == 1000
    frame = amounts_by_part(past)
    own = frame[frame["total"] == "orders kept"]
    assert own.loc[own["part"] == "", "amount"].item() == own.loc[own["part"] != "", "amount"].sum()
    assert own.loc[own["part"] == "", "rows"].item() == 303


def test_a_day_that_the_user_names_is_taken(tmp_path) -> None:
    data = book(tmp_path)
    assert History(data, "2202-05-05").orders.count().execute() == 301
    assert History(data, "2024-01-31").as_of == dt.date(2024, 1, 31)
    with pytest.raises(ParameterError, match="is after the last order. Expected a day from 2023-01-01 to 2023-10-27"):
        History(book(tmp_path, far=("2100-01-01",)), "2101-01-01")
    with pytest.raises(ParameterError, match="is before the first order. Expected a day from 2023-01-01"):
        History(data, "1950-01-01")


def test_a_frame_of_orders_is_judged_as_well() -> None:
    frame = orders(
        *[("a", day.date().isoformat(), 5) for day in pd.date_range("2024-01-01", periods=40)], ("a", "2150-01-01", 5)
    )
    found = customer_summary(frame).to_pandas()
    assert found["occasions"].tolist() == [40]
    assert found["days_since_last"].tolist() == [0]


@pytest.mark.parametrize("far", [("9999-12-31",), ("1900-01-01",), ("9999-12-31", "2202-05-05", "1900-01-01")])
def test_the_page_stays_small_and_tells_of_them(tmp_path, far) -> None:
    result = quality.run(book(tmp_path, far))
    assert result.findings[0].value == "Usable with care"
    assert len(result.charts["orders"].frame) < 60
    rules = result.tables["rules"].frame.set_index("rule")
    assert rules.loc["Plausible days", "broken"] == len(far)


def test_the_chart_has_a_bounded_number_of_bars_whatever_the_span(tmp_path) -> None:
    """Where nothing may be judged: two orders, and centuries between them."""
    rows = ["1,a,1001-01-01,5", "2,b,9899-12-31,6"]
    (tmp_path / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "\n".join(rows) + "\n")
    (tmp_path / "two.toml").write_text('first_day = "1000-01-01"\nlast_day = "9999-12-31"\n[orders]\nfile = "o.csv"\n')
    result = quality.run(crmlab.open_dataset(tmp_path / "two.toml"))
    assert len(result.charts["orders"].frame) <= 600
    assert len(result.charts["orders"].html()) < 300_000
