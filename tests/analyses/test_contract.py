"""What holds for every analysis that runs without being asked for something."""

import pytest

import crmlab
from crmlab.report import registry
from crmlab.report.jobs import runs_unasked


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield crmlab.open_dataset("shop")


@pytest.mark.parametrize("name", [name for name in registry.report_names() if runs_unasked(name)])
def test_findings_name_the_metric_that_they_show(shop, name):
    module = registry.analysis(name)
    result = module.run(shop, module.Params())
    assert 1 <= len(result.findings) <= 3
    named = [finding.metric for finding in result.findings]
    # A number that is not compared with the last run is told once and forgotten.
    assert all(named[:2])
    assert {metric for metric in named if metric} <= set(result.metrics)
