"""What was merely counted stands beside an interval, as if it might have been otherwise.

What would go wrong: "20% of 4,000 customers (19–21%) last bought over a year ago": they did, and nobody drew them from others.
"""

from __future__ import annotations

import re

import pytest

from crmlab.report import registry
from crmlab.report.jobs import runs_unasked

# Report → tables and charts that may show what is inferred: effects of campaigns, rates that will hold for others, values, forecasts.
INFERRED = {
    "actions": "actions budget effects judged",
    "campaign_design": "balance money past",
    "campaign_results": "balance cells components components_chart days depth forest history history_chart money next_plan segments",
    "churn": "calibration importance origins reversal scores timing",
    "cross_sell": "backtest by_history cycles hits lift network offers opportunity pairs removed worth",
    "customer_value": "calibration deciles invest leaderboard maps models origins parameters scores season spend tiers track",
    "data_quality": "",
    "lifecycle": "check conversion matrix projection time value",
    "rfm": "",
    # Tables of its lines have rows of both kinds: a change may be due to chance, and a sum is counted.
    "scorecard": "five promises bridge buying campaigns customers forecast forecast_chart goals goals_chart growth lifecycle matrix matrix_chart money "
    "parts reach segments states value value_chart",
    "triggers": "bands lifts rules triggers",
}
QUICK = ("cross_sell", "data_quality", "lifecycle", "rfm")
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.proof) for name in INFERRED]
COUNTING = ("lifecycle", "rfm")  # reports whose metrics follow from their list
# A range of shares that is not said to be at a level, as that of a rate which a sentence infers beside its count is.
INTERVAL = re.compile(r"\d to \d+(\.\d+)?%(?!,? at)")


def test_every_report_is_held_to_it():
    assert set(INFERRED) == {name for name in registry.REPORTS if runs_unasked(name)}


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_inferred_is_shown_with_ends(result_of, name):
    result = result_of(name, "shop")
    found = {}
    for kind in (result.tables, result.charts):
        for key, part in kind.items():
            ends = [
                column for column in part.frame.columns if str(column).endswith(("_low", "_high")) or column in ("low", "high")
            ]
            found |= {key: ends} if ends else {}
    inferred = set(INFERRED[name].split())
    assert set(found) <= inferred
    for key, table in result.tables.items():
        shown = [column for column in (table.columns or {}).values() if column.low is not None]
        assert not shown or key in inferred


@pytest.mark.parametrize("name", NAMES)
def test_sentences_that_tell_counts_give_no_range(result_of, name):
    result, known = result_of(name, "shop"), registry.analysis(name).QUANTITIES
    told = [finding for finding in result.findings if finding.metric]
    counted = [finding for finding in told if known[finding.metric].counted]
    assert counted or name not in COUNTING
    for finding in counted:
        assert not INTERVAL.search(finding.text), finding.sentence()
    for finding in told:
        assert bool(finding.interval) != known[finding.metric].counted, finding.sentence()


def test_a_range_of_a_count_is_told_from_that_of_a_rate():
    assert INTERVAL.search("20% (19 to 21%) bought")
    assert not INTERVAL.search("27% (25 to 30%, at 95%) would buy") and not INTERVAL.search("20% bought")


@pytest.mark.parametrize("name", COUNTING)
def test_counted_metrics_follow_from_the_list(result_of, name):
    result = result_of(name, "shop")
    listed = result.outputs["customers"].frame
    column, prefix = {"rfm": ("segment", "segment_share_"), "lifecycle": ("state", "share_")}[name]
    people = listed[listed[column] != "prospect"]
    for group, share in people[column].value_counts(normalize=True).items():
        estimate = result.metrics[prefix + group.lower().replace(" ", "_")]
        assert estimate.value == pytest.approx(share, abs=1e-12)
        assert estimate.low is None and estimate.high is None and estimate.level is None
