"""The report after a campaign on a test in one file: outcomes of every kind, money or not."""

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.campaigns import results
from crmlab.errors import CampaignError, ParameterError
from crmlab.page.result import Result


def people(n=6000, seed=3):
    draw = np.random.default_rng(seed)
    cell = draw.choice(["mail", "phone", "none"], n)
    before = np.round(draw.gamma(2, 50, n), 2)
    visit = draw.random(n) < np.select([cell == "mail", cell == "phone"], [0.16, 0.22], 0.1)
    spend = np.where(visit, np.round(draw.gamma(2, 20, n) + before / 10, 2), 0.0)
    complained = draw.random(n) < np.where(cell == "phone", 0.04, 0.01)
    return pd.DataFrame(
        {"id": range(n), "arm": cell, "before": before, "visit": visit, "spend": spend, "complained": complained, "same": 1}
    )


def run(frame, params=None, currency="EUR", **told) -> Result:
    section = {"unit": "id", "cell": "arm", "control": "none", "outcomes": ["visit", "spend"], **told}
    data = crmlab.open_dataset({"test": frame}, title="Spring", settings={"test": section, "currency": currency})
    return results.run(data, params or results.Params())


OUTCOMES = {"visit": {}, "spend": {"kind": "money"}, "complained": {"kind": "rate", "direction": "down"}}


def test_the_page_shows_what_compare_finds_in_the_frame():
    frame = people()
    found = run(frame, outcomes=OUTCOMES, covariates=["before"])
    own = crmlab.compare(
        frame,
        cell="arm",
        control="none",
        metrics={"visit": "rate", "spend": "mean", "complained": "rate"},
        covariates={"spend": ["before"]},
        unit="id",
    ).frame.set_index(["metric", "cell"])
    shown = found.tables["cells"].frame.dropna(subset=["estimate"]).set_index(["outcome", "cell"])
    assert set(shown.index) == set(own.index)
    for column, theirs in (("estimate", "estimate"), ("estimate_low", "low"), ("estimate_high", "high")):
        assert shown[column].astype(float).to_numpy() == pytest.approx(
            own.loc[shown.index, theirs].astype(float).to_numpy(), rel=1e-12
        )
    # Differences and the means beside them are of one kind, and the page says which.
    cells = found.tables["cells"].frame.set_index(["outcome", "cell"])
    assert cells.loc[("visit", "mail"), "value"] == pytest.approx(frame.groupby("arm")["visit"].mean()["mail"], rel=1e-12)
    apart = cells.loc[("spend", "mail"), "value"] - cells.loc[("spend", "none"), "value"]
    assert apart == pytest.approx(own.loc[("spend", "mail"), "estimate"], rel=1e-9)
    assert "adjusted for what was known before the test" in found.tables["cells"].caption
    plain = run(frame, results.Params(adjust=False), outcomes=OUTCOMES, covariates=["before"])
    value = plain.tables["cells"].frame.set_index(["outcome", "cell"]).loc[("spend", "none"), "value"]
    assert value == pytest.approx(frame.groupby("arm")["spend"].mean()["none"], rel=1e-12)


def test_less_is_better_where_the_file_says_so():
    found = run(people(), outcomes=OUTCOMES)
    verdict = found.tables["cells"].frame.set_index(["outcome", "cell"])["verdict"]
    assert verdict[("complained", "phone")] == "worse"
    assert verdict[("visit", "phone")] == "better"
    assert "“phone” is worse in “complained”" in found.findings[2].text


def test_money_is_margin_less_the_cost_of_contacts():
    frame = people()
    found = run(frame, results.Params(margin=0.5, adjust=False), outcomes=OUTCOMES, cost={"mail": 0.5, "phone": 4.0})
    means, sizes = frame.groupby("arm")["spend"].mean(), frame["arm"].value_counts()
    money = found.tables["money"].frame.set_index("cell")
    for cell, cost in (("mail", 0.5), ("phone", 4.0)):
        each = 0.5 * (means[cell] - means["none"]) - cost
        assert money.loc[cell, "total_estimate"] == pytest.approx(sizes[cell] * each, rel=1e-9)
        assert money.loc[cell, "even_estimate"] == pytest.approx(each + cost, rel=1e-9)
    assert "test_profit" in found.metrics
    assert found.metrics["cost"].value == pytest.approx(0.5 * sizes["mail"] + 4.0 * sizes["phone"])


def test_without_money_the_page_says_what_one_more_cost():
    frame = people()
    found = run(frame, outcomes=["visit"], cost=2.0)
    rise = frame.groupby("arm")["visit"].mean()
    best = found.metrics["cost_per_outcome"]
    assert best.value == pytest.approx(2.0 / (rise["phone"] - rise["none"]), rel=1e-9)
    assert best.low < best.value < best.high
    assert found.findings[1].metric == "cost_per_outcome"
    for text in (*(finding.sentence() for finding in found.findings), *found.warnings, *found.limits):
        assert "profit" not in text
        assert "revenue" not in text


def test_without_costs_and_money_there_is_nothing_to_miss():
    found = run(people(), outcomes=["visit"], currency="")
    assert "money" not in found.tables
    assert found.absent["money"] == ""
    assert "€" not in str(found.tables["cells"].html())


def test_a_ratio_is_compared_by_its_sums():
    frame = people().assign(orders=lambda t: t["visit"].astype(int) + (t["spend"] > 60))
    found = run(frame, outcomes={"basket": {"kind": "ratio", "of": ["spend", "orders"]}})
    sums = frame.groupby("arm")[["spend", "orders"]].sum()
    cells = found.tables["cells"].frame.set_index("cell")
    assert cells.loc["mail", "value"] == pytest.approx(sums.loc["mail", "spend"] / sums.loc["mail", "orders"], rel=1e-9)


def test_a_ratio_over_a_rate_adds_its_column_up_whatever_else_is_told_of_it():
    frame = people()
    two = pd.concat([frame, frame])
    each = {"kind": "ratio", "of": ["spend", "visit"]}
    alone, beside = (
        run(two, outcomes={**more, "each": each}).tables["cells"].frame.set_index(["outcome", "cell"])
        for more in ({}, {"visit": "rate"})
    )
    sums = frame.groupby("arm")[["spend", "visit"]].sum()
    for found in (alone, beside):
        assert found.loc[("each", "none"), "value"] == pytest.approx(
            sums.loc["none", "spend"] / sums.loc["none", "visit"], rel=1e-9
        )


def test_a_ratio_that_cannot_be_is_left_out_and_said():
    frame = people().assign(bag=lambda t: (t["visit"] & (t["arm"] != "none")).astype(int), twice=lambda t: 2.0 * t["spend"])
    found = run(
        frame,
        outcomes={
            "visit": "rate",
            "each": {"kind": "ratio", "of": ["spend", "bag"]},
            "always": {"kind": "ratio", "of": ["twice", "spend"]},
        },
    )
    assert "The outcome “each” is left out: “bag” is 0 in all of “none”." in found.warnings
    assert "The outcome “always” is left out: it is the same for everybody." in found.warnings
    assert set(found.tables["cells"].frame["outcome"]) == {"visit"}


def test_a_cell_that_loses_money_is_named_although_it_is_better_in_what_comes_first():
    found = run(people(), results.Params(margin=0.1), outcomes=OUTCOMES, cost={"mail": 0.0, "phone": 9.0})
    assert "“phone”" in found.findings[0].text
    assert "“phone” is shown to have lost money" in found.findings[2].text
    dear = run(people(), results.Params(margin=0.1), outcomes=OUTCOMES, cost=9.0)
    assert "“phone” and its" in dear.findings[1].text
    assert "a loss" in dear.findings[1].text


def test_a_covariate_of_several_rows_is_that_of_the_customer():
    frame = people()
    again = pd.concat([frame, frame[frame["arm"] == "phone"], frame[frame["arm"] == "phone"]])
    found = run(again, outcomes=["visit"], covariates=["before"])
    balance = found.tables["balance"].frame.set_index("cell")
    assert balance.loc["phone", "mean"] == pytest.approx(frame[frame["arm"] == "phone"]["before"].mean(), rel=1e-9)
    assert not any("differed by more than chance" in one for one in found.warnings)


def test_each_cell_with_a_control_of_its_own_costs_what_a_contact_costs():
    found = run(people(), results.Params(margin=0.5), control={"mail": "none", "phone": "mail"}, cost=1.0, outcomes=OUTCOMES)
    sizes = people()["arm"].value_counts()
    assert found.tables["money"].frame.set_index("cell")["cost"].to_dict() == {"mail": sizes["mail"], "phone": sizes["phone"]}


def test_money_is_said_to_be_before_costs_only_where_none_are_given():
    free = run(people(), results.Params(margin=0.5), outcomes=OUTCOMES, cost=0)
    unknown = run(people(), results.Params(margin=0.5), outcomes=OUTCOMES)
    assert "which is not given" not in free.findings[1].text
    assert "before the cost of contacts, which is not given" in unknown.findings[1].text
    assert not set(unknown.tables["money"].frame["verdict"]) & {"earned more than it cost", "cost more than it brought"}


def test_an_outcome_may_be_called_profit():
    frame = people().rename(columns={"spend": "profit"})
    assert "test_profit" in run(frame, results.Params(margin=1.0), outcomes={"profit": {"kind": "money"}}).metrics


def test_what_is_wrong_with_the_only_report_is_a_question_of_check():
    from crmlab.report.registry import readiness_of

    told = {"test": {"cell": "arm", "control": "nobody", "outcomes": ["visit"]}}
    ready = readiness_of("campaign_results", crmlab.open_dataset({"test": people(500)}, settings=told))
    assert ready.mend
    assert "nobody" in ready.why_not


def test_sizes_that_do_not_fit_give_no_verdict():
    frame = people()
    lost = frame[(frame["arm"] != "mail") | (frame["id"] % 3 > 0)]
    found = run(lost)
    assert found.findings[0].value == "No verdict"
    assert set(found.tables["cells"].frame["verdict"]) == {"the control", "no verdict"}
    assert {"money", "forest"} & {*found.tables, *found.charts} == set()
    planned = {"mail": 2, "phone": 3, "none": 3}
    assert run(lost, shares=planned).findings[0].value != "No verdict"


def test_what_is_the_same_for_all_and_cells_that_are_too_small_are_left_out_and_said():
    frame = people()
    few = pd.concat([frame, frame.head(3).assign(id=[90001, 90002, 90003], arm="test")])
    found = run(few, outcomes=["same", "visit"])
    assert "The outcome “same” is left out: it is the same for everybody." in found.warnings
    assert "The cell “test” has fewer than 8 customers and is left out." in found.warnings
    with pytest.raises(CampaignError, match="The test has no outcome that can be compared. The outcome “same” is left out"):
        run(frame, outcomes=["same"])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"control": "nobody"}, "no cell is called 'nobody'|no cell 'nobody'|nobody"),
        ({"cost": {"maill": 1.0}}, "Did you mean 'mail'"),
        ({"cost": {"mail": 1.0}}, "names no cost for 'phone'"),
        ({"shares": {"mail": 0.5, "none": 0.5}}, "names no share for 'phone'. Add them to shares"),
        ({"control": {"mail": "none"}}, "names no control for 'phone'. Add them to control"),
    ],
)
def test_a_cell_that_is_not_there_is_said(told, said):
    with pytest.raises(CampaignError, match=said):
        run(people(), **told)


@pytest.mark.parametrize("given", [{"campaign": "spring"}, {"as_of": "2024-01-31"}, {"looks": 3}])
def test_parameters_that_need_dates_or_campaigns_are_refused(given):
    with pytest.raises(ParameterError, match="left out for a test in one file"):
        run(people(), results.Params(**given))


def test_every_kind_of_correction_and_a_single_cell():
    frame = people()
    widths = {}
    for correction in ("max-t", "holm", "none"):
        cells = run(frame, results.Params(correction=correction)).tables["cells"].frame.dropna(subset=["estimate"])
        widths[correction] = (cells["estimate_high"] - cells["estimate_low"]).astype(float).to_numpy()
    assert (widths["none"] < widths["max-t"]).all()
    assert (widths["max-t"] < widths["holm"]).all()
    assert len(run(frame[frame["arm"] != "mail"]).findings) >= 1


def test_several_rows_of_a_customer_count_once():
    frame = people()
    again = pd.concat([frame, frame.head(500).assign(visit=False, spend=1.0)])
    found = run(again, outcomes=["visit"])
    assert found.context.customers == len(frame)
    assert found.tables["cells"].frame.set_index("cell").loc["none", "value"] == pytest.approx(
        frame[frame["arm"] == "none"]["visit"].mean()
    )


def test_where_households_were_assigned_people_of_one_count_as_alike():
    frame = people(3000)
    together = pd.concat(
        [frame, frame.assign(id=frame["id"] + 90_000), frame.assign(id=frame["id"] + 180_000)], ignore_index=True
    )
    together["home"] = together["id"] % 90_000
    alone, homes = (run(together, outcomes=["visit"], **more).metrics["first_outcome"] for more in ({}, {"household": "home"}))
    assert homes.value == pytest.approx(alone.value, rel=1e-12)
    # Three who always do the same know what one knows.
    assert (homes.high - homes.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(3), rel=0.03)
    found = run(together, outcomes=["visit"], household="home")
    assert any("are of 3,000 households" in one for one in found.method.assumptions)


def test_customers_in_two_cells_are_left_out_and_counted():
    frame = people()
    moved = frame[frame["arm"] == "mail"].head(20).assign(arm="none", visit=True)
    found = run(pd.concat([frame, moved]), outcomes=["visit"])
    check = found.tables["health"].frame.set_index("check").loc["Customers in two cells"]
    assert (check["meaning"], check["found"]) == ("check", "20 customers are in more than one cell and left out of all")
    cells = found.tables["cells"].frame.set_index("cell")
    assert cells.loc["none", "value"] == pytest.approx(frame[frame["arm"] == "none"]["visit"].mean())
    assert cells.loc["mail", "n"] == (frame["arm"] == "mail").sum() - 20


def test_a_data_set_that_is_a_test_allows_this_report_alone(tmp_path):
    from crmlab.report.jobs import Order, plan_jobs
    from crmlab.report.registry import readiness_of

    people(900).to_csv(tmp_path / "t.csv", index=False)
    toml = '[test]\nfile = "t.csv"\nunit = "id"\ncell = "arm"\ncontrol = "none"\noutcomes = ["visit", "spend"]\n'
    (tmp_path / "mine.toml").write_text(toml, encoding="utf-8")
    data = crmlab.open_dataset(tmp_path / "mine.toml")
    jobs = {job.name: job.skipped for job in plan_jobs(Order("mine"), data.holds)}
    assert [name for name, why in jobs.items() if not why] == ["campaign_results"]
    assert readiness_of("campaign_results", data).why_not == ""
    assert crmlab.run_notebook("campaign_results", data=data).context.until is None
