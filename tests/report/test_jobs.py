import pytest

from crmlab.data.descriptor import TOLD
from crmlab.errors import ParameterError, PlanError, ReportError
from crmlab.report.jobs import Order, load_plan, plan_jobs


def test_plan_jobs_runs_all_that_the_data_allow():
    jobs = plan_jobs(Order("shop"), ["orders", *TOLD])
    assert [job.name for job in jobs if not job.skipped]
    without = plan_jobs(Order("shop"), TOLD)
    assert all(job.skipped == "It needs orders, which this data set lacks." for job in without if job.name == "rfm")


def test_plan_jobs_refuses_unknown_names_and_parameters():
    with pytest.raises(ReportError, match=r"There is no report 'rmf'. Did you mean 'rfm'?"):
        plan_jobs(Order("shop", ("rmf",)), ["orders", *TOLD])
    with pytest.raises(ParameterError, match=r"Unknown parameter 'bin' for rfm. Did you mean 'bins'?"):
        plan_jobs(Order("shop", ("rfm",), {"bin": 3}), ["orders", *TOLD])


def test_plan_jobs_gives_each_report_the_parameters_that_it_knows():
    jobs = {job.name: job for job in plan_jobs(Order("shop", ("rfm", "data_quality"), {"bins": 4}), ["orders", *TOLD])}
    assert jobs["rfm"].params.bins == 4
    assert not hasattr(jobs["data_quality"].params, "bins")


def test_plan_jobs_runs_one_parameter_over_a_list():
    jobs = plan_jobs(Order("shop", ("rfm",), {"bins": 4}, {"as_of": ["2025-01-31", "2025-02-28"]}), ["orders", *TOLD])
    assert [job.place for job in jobs] == ["rfm--as_of-2025-01-31", "rfm--as_of-2025-02-28"]
    assert [job.params.as_of for job in jobs] == ["2025-01-31", "2025-02-28"]


def test_load_plan_reads_runs_and_dates(tmp_path):
    path = tmp_path / "monthly.toml"
    path.write_text('[[run]]\ndata = ["shop", "cdnow"]\nreports = ["rfm"]\n[run.each]\nas_of = [2025-01-31]\n')
    orders = load_plan(str(path))
    assert [order.data for order in orders] == ["shop", "cdnow"]
    assert orders[0].each == {"as_of": ["2025-01-31"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "is not valid TOML"),
        ("", r"run must be given at least once, as \[\[run\]\]"),
        ("runs = 1", "unknown key 'runs' at the top. Did you mean 'run'?"),
        ("[[run]]\nreport = ['rfm']", r"unknown key 'report' under \[run\]. Did you mean 'reports'?"),
        ("[[run]]\nreports = 'rfm'", "reports must be a list of names. Got 'rfm' instead."),
        ("[[run]]\ndata = 3", "data must be the name of a data set, or a list of them. Got 3 instead."),
        ("[[run]]\n[run.each]\nbins = []", r"each.bins must be a list with at least one value. Got \[\] instead."),
    ],
)
def test_load_plan_refuses_in_the_grammar(tmp_path, text, message):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=message):
        load_plan(str(path))


def test_load_plan_hints_at_a_name():
    with pytest.raises(PlanError, match=r"There is no plan 'montly'. Did you mean 'monthly'?"):
        load_plan("montly")
