import pytest

from crmlab.page.format import Format
from crmlab.report.changes import compare, differences, summary
from crmlab.report.records import RunRecord


def share(value, low=None, high=None):
    return {"value": value, "low": low, "high": high, "level": None if low is None else 0.95, "unit": "share"}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (share(0.5, 0.4, 0.6), share(0.5, 0.4, 0.6), "same"),
        (share(0.5, 0.4, 0.6), share(0.7, 0.6, 0.8), "beyond"),  # 0.2 > √(0.1² + 0.1²) = 0.141
        (share(0.5, 0.4, 0.6), share(0.62, 0.52, 0.72), "within"),  # 0.12 < 0.141, though outside the first interval
        (share(0.5, 0.4, 0.6), share(0.3, 0.2, 0.4), "beyond"),
        (share(0.5, 0.1, 0.55), share(0.62, 0.6, 0.9), "beyond"),  # the sides that face each other: 0.05 and 0.02
        (share(5), share(6), "counted"),
        (None, share(0.5), "new"),
        (share(0.5), None, "gone"),
        (share(0.5, 0.4, 0.6), share(None), "gone"),
    ],
)
def test_compare_judges(before, after, verdict):
    old = {} if before is None else {"x": before}
    new = {} if after is None else {"x": after}
    (change,) = compare(old, new)
    assert change.verdict == verdict


def test_change_in_words():
    (change,) = compare({"x": share(0.5, 0.4, 0.6)}, {"x": share(0.7, 0.6, 0.8)})
    assert change.words(Format()) == "up from 50%, beyond its interval"
    assert change.delta == pytest.approx(0.2)


def test_differences_name_what_a_run_depends_on():
    old = RunRecord(
        "rfm", "shop", "ok", params={"bins": 5}, versions={"pandas": "3.0"}, inputs={"fingerprint": "a", "rows": {"orders": 3}}
    )
    new = RunRecord(
        "rfm", "shop", "ok", params={"bins": 4}, versions={"pandas": "3.1"}, inputs={"fingerprint": "b", "rows": {"orders": 4}}
    )
    assert differences(old, new) == [
        "The input differs: orders 3 → 4 rows.",
        "The parameter bins differs: 5 → 4.",
        "The version of pandas differs: 3.0 → 3.1.",
    ]
    assert differences(old, old) == []


def test_summary_counts_every_kind_of_change():
    counted, rise = share(0.5), share(0.7, 0.6, 0.8)
    before = {"a": counted, "b": share(0.5, 0.4, 0.6), "c": counted, "e": counted}
    after = {"a": share(0.6), "b": rise, "c": counted, "d": counted}
    assert summary(compare(before, after)) == (
        "5 metrics: 1 the same, 1 changed beyond their intervals, 1 counted and changed, 1 only in the second, 1 only in the first."
    )


def test_differences_name_what_was_not_given():
    one, two = RunRecord("rfm", "shop", "ok"), RunRecord("rfm", "shop", "ok", params={"as_of": "2024-07-31", "margin": 0.4})
    assert differences(one, two)[:2] == [
        "The parameter as_of differs: last order's day → 2024-07-31.",
        "The parameter margin differs: default → 0.4.",
    ]
