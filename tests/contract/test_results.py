"""What holds for every analysis that runs without being asked for something."""

import pytest

from crmlab.report import registry
from crmlab.report.jobs import runs_unasked


@pytest.mark.parametrize("name", [name for name in registry.report_names() if runs_unasked(name)])
def test_findings_name_the_metric_that_they_show(result_of, name):
    result = result_of(name, "shop")
    assert 1 <= len(result.findings) <= 3
    named = [finding.metric for finding in result.findings]
    # A number that is not compared with the last run is told once and forgotten.
    assert all(named[:2])
    assert {metric for metric in named if metric} <= set(result.metrics)
