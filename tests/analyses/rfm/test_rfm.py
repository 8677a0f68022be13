import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlab
from crmlab.analyses import rfm
from crmlab.analyses.rfm import charts as rfm_charts
from crmlab.analyses.rfm import tables as rfm_tables
from crmlab.analyses.rfm.segments import level, segment_of, segment_table
from crmlab.analyses.rfm.study import Study
from crmlab.errors import DataError, ParameterError
from crmlab.page.format import Format
from crmlab.page.groups import small_groups
from crmlab.page.result import Context


@pytest.fixture(scope="module")
def sample():
    return crmlab.open_dataset("cdnow_sample")


def summary(days, occasions, spend):
    ids = [f"c{i:04}" for i in range(len(days))]
    return pd.DataFrame({"customer_id": ids, "days_since_last": days, "occasions": occasions, "total_spend": spend})


rows = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 6), st.integers(0, 3000).map(lambda cents: cents / 100)),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("bins", range(2, 11))
def test_every_pair_of_scores_is_in_exactly_one_segment(bins):
    for r in range(1, bins + 1):
        for f in range(1, bins + 1):
            place = level(r, bins), level(f, bins)
            holding = [
                segment
                for segment in rfm.SEGMENTS
                if segment.recency[0] <= place[0] <= segment.recency[1]
                and segment.frequency[0] <= place[1] <= segment.frequency[1]
            ]
            assert holding == [segment_of(r, f, bins)]


def test_there_are_ten_segments_with_a_meaning_each():
    assert len(rfm.SEGMENTS) == len({segment.name for segment in rfm.SEGMENTS}) == 10
    assert all(segment.meaning for segment in rfm.SEGMENTS)


@settings(deadline=None, max_examples=60)
@given(rows, st.integers(2, 10), st.randoms(use_true_random=False))
def test_score_never_splits_ties_and_ignores_row_order(values, bins, random):
    frame = summary(*map(list, zip(*values, strict=True)))
    scored = rfm.score(frame, bins)
    for score, column in (("r_score", "days_since_last"), ("f_score", "occasions"), ("m_score", "total_spend")):
        assert scored[score].between(1, bins).all()
        assert (scored.groupby(column)[score].nunique() == 1).all()
        ordered = scored.sort_values(column)[score].to_numpy()
        assert (np.diff(ordered) <= 0).all() if score == "r_score" else (np.diff(ordered) >= 0).all()
    shuffled = frame.sample(frac=1, random_state=random.randrange(2**31))
    pd.testing.assert_frame_equal(rfm.score(shuffled, bins), scored)


def test_score_of_distinct_values_makes_equal_bins():
    scored = rfm.score(summary(range(100), range(1, 101), range(100)), 5)
    for column in ("r_score", "f_score", "m_score"):
        assert scored[column].value_counts().to_dict() == {1: 20, 2: 20, 3: 20, 4: 20, 5: 20}


def test_score_ties_amounts_to_the_cent_whatever_the_floats():
    scored = rfm.score(summary([1, 1], [1, 1], [0.1 + 0.2, 0.3]), 2)
    assert scored["m_score"].nunique() == 1


def test_score_refuses_bins_and_missing_columns():
    with pytest.raises(ParameterError, match="The 'bins' parameter of rfm must be between 2 and 10. Got 11 instead."):
        rfm.score(summary([1], [1], [1.0]), 11)
    with pytest.raises(DataError, match="missing column 'occasions'"):
        rfm.score(summary([1], [1], [1.0]).drop(columns="occasions"))


def test_score_takes_the_ibis_summary(sample):
    from crmlab.history.customers import customer_summary

    table = customer_summary(sample.orders)
    pd.testing.assert_frame_equal(rfm.score(table), rfm.score(table.to_pandas()))


@settings(deadline=None, max_examples=40)
@given(rows, st.integers(1, 12))
def test_segment_table_adds_up_and_hides_small_groups(values, min_group):
    scored = rfm.segmented(summary(*map(list, zip(*values, strict=True))))
    table = segment_table(scored, min_group)
    assert table["customers"].sum() == len(scored)
    assert table["share"].sum() == pytest.approx(1)
    assert table["revenue"].sum() == pytest.approx(scored["total_spend"].sum())
    if len(scored) >= min_group:
        assert table["customers"].min() >= min_group


def test_shares_of_segments_are_counted_and_have_no_interval(sample):
    result = rfm.run(sample)
    listed, table = result.outputs["customers"].frame, result.tables["segments"]
    shown = table.frame.set_index("segment")
    counted = listed.groupby("segment").agg(customers=("segment", "size"), revenue=("total_spend", "sum"))
    for name in set(shown.index) - {"Other"}:
        assert shown.loc[name, "customers"] == counted.loc[name, "customers"]
        share = counted.loc[name, "revenue"] / counted["revenue"].sum()
        assert shown.loc[name, "revenue_share"] == pytest.approx(share, abs=1e-9)
    assert not [column for column in table.frame if column.endswith(("_low", "_high"))]
    assert all(estimate.low is None for estimate in result.metrics.values())
    assert all(finding.interval == "" for finding in result.findings)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 9))
def test_small_groups_never_leave_one_that_follows_from_the_total(sizes, least):
    series = pd.Series(sizes)
    small = small_groups(series, least)
    shown = series.drop(small)
    assert not ((shown > 0) & (shown < least)).any()
    together = series[small].sum()
    assert together == 0 or together >= least or not shown.any()
    assert (series[small] > 0).all()


@settings(deadline=None, max_examples=40)
@given(rows, st.integers(2, 6), st.integers(1, 8))
def test_grid_adds_up_and_hides_small_cells(values, bins, min_group):
    scored = rfm.score(summary(*map(list, zip(*values, strict=True))), bins)
    frame = rfm_charts.grid(scored, min_group)
    assert frame["customers"].sum() == len(scored)
    assert frame["revenue"].sum() == pytest.approx(scored["total_spend"].sum())
    counted = frame[frame["customers"].notna()]
    if len(scored) >= min_group:
        assert counted["customers"].min() >= min_group
    hidden = frame[frame["customers"].isna()]
    assert hidden[["revenue", "revenue_share"]].isna().all(axis=None)
    sizes = scored.groupby(["r_score", "f_score"]).size()
    assert all(sizes[(row.r_score, row.f_score)] < row.fewer_than for row in hidden.itertuples())


def parts(scored=None, bins=5, min_group=5, moves=None):
    """A study of given parts."""
    day = dt.date(2024, 1, 1)
    if scored is not None:
        scored = scored.assign(contactable="not known", refusal="")
    return Study(
        context=Context("own", "Own", day, day, form=Format("EUR")),
        params=rfm.Params(bins=bins, min_group=min_group),
        scored=scored,
        segments=None if scored is None or "segment" not in scored else segment_table(scored, min_group),
        earlier=day,
        moves=moves,
    )


@pytest.mark.proof
@settings(deadline=None, max_examples=40)
@given(rows, st.integers(2, 6), st.integers(2, 8))
def test_tables_hide_small_groups(values, bins, min_group):
    scored = rfm.segmented(summary(*map(list, zip(*values, strict=True))), bins)
    study = parts(scored, bins, min_group)
    segments = study.segments
    rules = rfm_tables.rules_table(study).frame
    shown = rules["customers"].dropna()
    assert not ((shown > 0) & (shown < min_group)).any()
    assert set(shown.index) == set(rules.index[rules["segment"].isin(segments["segment"])])
    cuts = rfm_tables.cuts_table(study).frame
    for name in ("days", "occasions", "spend"):
        counts = cuts[f"{name}_customers"]
        told = counts.map(lambda value: isinstance(value, str))
        assert all(value == 0 or value >= min_group for value in counts[~told])
        assert (cuts.loc[told, name] == "–").all()


def test_cuts_leave_the_ends_of_single_customers_open():
    scored = rfm.score(summary(range(100), range(1, 101), range(100)), 5)
    cuts = rfm_tables.cuts_table(parts(scored)).frame.set_index("score")
    assert cuts["days"].tolist() == ["up to 19", "20 to 39", "40 to 59", "60 to 79", "80 or more"]
    assert cuts["occasions"].tolist() == ["81 or more", "61 to 80", "41 to 60", "21 to 40", "up to 20"]
    assert cuts.loc[1, "spend"] == "up to €19.00"


def moves_of(pairs):
    return pd.DataFrame(pairs, columns=["segment_before", "segment", "customers"])


def test_small_moves_are_one_row():
    moves = moves_of(
        [("Loyal", "Champions", 40), ("Loyal", "Loyal", 60), ("Loyal", "Quiet regulars", 3), ("Hibernating", "Recent", 4)]
    )
    frame = rfm_tables.moves_table(parts(moves=moves)).frame
    assert frame["customers"].tolist() == [40, 7]
    assert frame["segment_before"].tolist() == ["Loyal", "Other moves"]
    assert frame["share"].iloc[0] == 40 / 103


def test_who_was_no_customer_yet_left_no_segment():
    moves = moves_of([("Loyal", "Loyal", 60), ("Loyal", "Champions", 30), ("Not yet a customer", "Fresh", 20)])
    frame = rfm_tables.moves_table(parts(moves=moves)).frame.set_index("segment_before")
    assert frame["share"]["Loyal"] == pytest.approx(1 / 3) and pd.isna(frame["share"]["Not yet a customer"])


def test_where_nobody_moved_the_table_is_empty():
    moves = moves_of([("Loyal", "Loyal", 60), ("Champions", "Champions", 30)])
    assert rfm_tables.moves_table(parts(moves=moves)).frame.empty


def test_small_segments_then_or_now_are_one_row():
    moves = moves_of(
        [("Loyal", "Loyal", 60), ("Loyal", "Quiet regulars", 3), ("Hibernating", "Recent", 9), ("Champions", "Champions", 30)]
    )
    frame = rfm_charts.sizes_then_and_now(moves, 5)
    assert frame.to_dict("list") == {
        "segment": ["Champions", "Loyal", "Hibernating", "Other"],
        "before": [30, 63, 9, 0],
        "after": [30, 60, 0, 12],
    }


def test_finding_of_quiet_customers_says_how_often_and_how_long():
    result = rfm.run(crmlab.open_dataset("cdnow"))
    frame = result.outputs["customers"].frame
    quiet = frame[frame["segment"].isin(["Cannot lose", "Quiet regulars"])]
    text = next(finding.text for finding in result.findings if finding.metric == "quiet_share")
    assert f"they bought on {quiet['occasions'].min()} days or more" in text
    assert all(f"“{name}”" in text for name in set(quiet["segment"]))
    assert f"not in the last {quiet['days_since_last'].min()} days" in text
    assert result.metrics["quiet_share"].value == len(quiet) / len(frame)


@pytest.mark.parametrize("bins", [2, 3, 5, 10])
def test_run_draws_every_chart_and_table(sample, bins):
    result = rfm.run(sample, rfm.Params(bins=bins))
    assert result.context.customers == 2357
    assert 1 <= len(result.findings) <= 3
    for part in (*result.charts.values(), *result.tables.values()):
        assert part.html()
    listed = result.outputs["customers"].frame
    assert listed["customer_id"].is_unique
    assert len(listed) == 2357


def test_run_is_pure(sample):
    one, two = rfm.run(sample), rfm.run(sample)
    assert one.metrics == two.metrics
    assert one.findings == two.findings
    assert one.charts["segments"].html() == two.charts["segments"].html()


def test_compare_to_says_who_moved(sample):
    result = rfm.run(sample, rfm.Params(as_of="1998-06-30", compare_to="1997-12-31"))
    moves = result.tables["moves"].frame
    assert (moves["segment"] != moves["segment_before"]).all()
    assert moves["customers"].sum() <= 2357
    with pytest.raises(ParameterError, match="'compare_to' must be before 'as_of'"):
        rfm.Params(as_of="1998-01-01", compare_to="1998-01-01")


def orders(rows):
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])


@pytest.mark.proof
@pytest.mark.parametrize(
    "content",
    [
        "1,2024-01-01,5\n",
        "".join(f"{i},2024-01-{1 + i % 28:02d},5\n" for i in range(60)),
        "".join(f"{i},2024-01-01,5\n" for i in range(60)),
    ],
    ids=["one customer", "everyone once", "everyone the same"],
)
def test_run_on_bases_that_tell_nobody_apart(tmp_path, content):
    (tmp_path / "o.csv").write_text("customer_id,ordered_at,amount\n" + content)
    (tmp_path / "tiny.toml").write_text('[orders]\nfile = "o.csv"\n')
    result = rfm.run(crmlab.open_dataset(tmp_path / "tiny.toml"))
    assert result.warnings
    for part in (*result.charts.values(), *result.tables.values()):
        assert "nan" not in part.html().lower().replace("finance", "")


def test_as_of_outside_the_history(sample):
    with pytest.raises(
        ParameterError, match="1996-12-31 is before the first order. Expected a day from 1997-01-01 to 1998-06-30."
    ):
        rfm.run(sample, rfm.Params(as_of="1996-12-31"))
    with pytest.raises(ParameterError, match="1998-07-01 is after the last order"):
        rfm.run(sample, rfm.Params(as_of="1998-07-01"))


def test_compare_to_outside_the_history_is_named(sample):
    with pytest.raises(ParameterError, match="The 'compare_to' date 1996-12-31 is before the first order. Expected a day from"):
        rfm.run(sample, rfm.Params(compare_to="1996-12-31"))
    with pytest.raises(ParameterError, match="'compare_to' must be before 'as_of'"):
        rfm.run(sample, rfm.Params(compare_to="1998-06-30"))
