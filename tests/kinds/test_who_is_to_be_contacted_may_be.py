"""A page singles customers out, and does not say that some of them must not be contacted.

What would go wrong: "these have gone quiet: they are in the list" of 397 customers of whom 65 have not consented, and a list that
does not say which; a mailing goes to them.
"""

from __future__ import annotations

import re

import pandas as pd
import pytest

import crmlab
from crmlab.analyses import lifecycle, rfm
from crmlab.analyses.lifecycle.tables import states_table
from crmlab.history.consent import COMPLAINED, REFUSED, Consent
from crmlab.history.past import History
from crmlab.page.format import Format
from crmlab.report import registry
from crmlab.report.jobs import runs_unasked

NAMES = [name for name in registry.report_names() if runs_unasked(name)]
# Lists of customers that are of nobody to contact: who was left out of a campaign and why, and who is kept as its control.
NO_CONTACT = {("campaign_design", "left_out"), ("campaign_design", "controls")}
SINGLED_OUT = re.compile(r"gone quiet|the segment “|who are slowing|worth most|is shown|are now at a moment", re.I)


def lists(result):
    """The lists of a result that have a row per customer, as frames."""
    for key, output in result.outputs.items():
        if "customer_id" in output.frame.columns:
            frame = output.frame
            yield key, frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()


@pytest.mark.parametrize("name", NAMES)
def test_every_list_says_who_may_be_contacted_and_why_others_may_not(result_of, opened_once, name):
    history = History(opened_once("shop"))
    for key, frame in lists(result_of(name, "shop")):
        if (name, key) in NO_CONTACT:
            continue
        flags = pd.Series(history.contactable(frame["customer_id"]), index=frame.index)
        if key.startswith("send_"):
            assert set(flags) <= {"yes"}, key  # what goes out holds nobody else
            continue
        assert frame["contactable"].tolist() == flags.tolist(), key
        assert frame["refusal"].tolist() == history.refusals(frame["customer_id"]), key
        # One that is made for those who may be contacted holds nobody else; any other gives the reason.
        assert "yes" in set(flags) and ((frame["refusal"] == "") == (flags != "no")).all(), key


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_that_singles_people_out_says_how_many_may_be_contacted(result_of, name):
    for finding in result_of(name, "shop").findings:
        assert not SINGLED_OUT.search(finding.text) or "may be contacted" in finding.text, finding.sentence()


def test_the_numbers_are_those_of_the_list(result_of):
    listed = result_of("rfm", "shop").outputs["customers"].frame
    said = {finding.metric: finding.text for finding in result_of("rfm", "shop").findings}
    for metric, names in (("quiet_share", rfm_quiet()), ("revenue_share_champions", ["Champions"])):
        some = listed[listed["segment"].isin(names)]
        assert 0 < (some["contactable"] == "no").sum() < len(some)
        assert Consent.of(some["contactable"], some["refusal"]).said(Format()) in said[metric]
    shown = result_of("rfm", "shop").tables["rules"].frame.set_index("segment")
    assert shown["contactable"].to_dict() == listed[listed["contactable"] == "yes"]["segment"].value_counts().to_dict()
    listed, page = result_of("lifecycle", "shop").outputs["customers"].frame, result_of("lifecycle", "shop")
    slowing = listed[listed["state"] == "slowing"]
    said = Consent.of(slowing["contactable"], slowing["refusal"]).said(Format())
    assert said.replace("of them", f"of the {len(slowing)}") in page.findings[2].text
    table = page.tables["states"].frame.set_index("state")["contactable"]
    assert table.to_dict() == listed[listed["contactable"] == "yes"]["state"].value_counts().to_dict()


def rfm_quiet():
    return [segment.name for segment in rfm.SEGMENTS if segment.name in ("Cannot lose", "Quiet regulars")]


@pytest.fixture
def shop_of(tmp_path):
    """Opens forty customers who came every month, of whom the first five have not consented; and what is said of others."""

    def opened(people="customer_id,contactable", rows=lambda k: f"c{k:02},{'no' if k < 5 else 'yes'}"):
        days = [pd.Timestamp("2024-01-01") + pd.Timedelta(days=30 * m) for m in range(12)]
        orders = [f"c{k:02},{(day + pd.Timedelta(days=k % 28)).date()},10" for k in range(40) for day in days[: 3 + k % 10]]
        (tmp_path / "o.csv").write_text("customer_id,ordered_at,amount\n" + "\n".join(orders) + "\n")
        (tmp_path / "own.toml").write_text('[orders]\nfile = "o.csv"\n' + ('[customers]\nfile = "p.csv"\n' if people else ""))
        (tmp_path / "p.csv").write_text("\n".join([people, *(rows(k) for k in range(40))]) + "\n")
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


@pytest.mark.proof
@pytest.mark.parametrize("analysis", [rfm, lifecycle])
def test_lists_of_a_shop_of_ones_own_give_the_reason(shop_of, analysis):
    frame = analysis.run(shop_of()).outputs["customers"].frame.set_index("customer_id")
    refused = [f"c{k:02}" for k in range(5)]
    assert sorted(frame.index[frame["contactable"] == "no"]) == refused
    assert set(frame.loc[refused, "refusal"]) == {REFUSED} and set(frame.drop(refused)["refusal"]) == {""}
    assert COMPLAINED not in set(frame["refusal"])


@pytest.mark.proof
@pytest.mark.parametrize("analysis", [rfm, lifecycle])
def test_where_the_data_do_not_say_nothing_is_claimed(shop_of, analysis):
    days = {"slowing_days": 20, "lapsed_days": 120, "lost_days": 200, "own_from": None} if analysis is lifecycle else {}
    result = analysis.run(shop_of(people=""), analysis.Params(**days))
    assert set(result.outputs["customers"].frame["contactable"]) == {"not known"}
    single = [finding.text for finding in result.findings if SINGLED_OUT.search(finding.text)]
    assert single and all("The data do not say whether they may be contacted." in text for text in single)
    for table in result.tables.values():
        assert "May be contacted" not in table.html()  # no column of noughts


@pytest.mark.proof
def test_states_that_are_merged_are_counted_together(shop_of):
    from crmlab.analyses.lifecycle.study import study

    found = study(History(shop_of()), lifecycle.Params(min_group=12))
    assert states_table(found).frame["contactable"].sum() == 35


def test_reasons_are_those_that_hold():
    said = [
        Consent.of(["yes", "no", "no"], ["", *why]).said(Format())
        for why in (2 * [REFUSED], [REFUSED, COMPLAINED], 2 * [COMPLAINED])
    ]
    assert [text.partition("(")[2] for text in said] == ["no consent).", "no consent, or a complaint).", "a complaint)."]


def test_without_responses_nobody_is_said_to_have_complained(tmp_path):
    orders = "order_id,customer_id,ordered_at,amount\n" + "".join(f"{k},c{k},2024-01-0{k},10\n" for k in range(1, 6))
    (tmp_path / "o.csv").write_text(orders)
    (tmp_path / "c.csv").write_text("customer_id,contactable\nc1,yes\nc2,no\nc3,yes\nc4,no\nc5,yes\n")
    (tmp_path / "own.toml").write_text('title = "Own"\n[orders]\nfile = "o.csv"\n[customers]\nfile = "c.csv"\n')
    history = History(crmlab.open_dataset(str(tmp_path / "own.toml")))
    found = history.consent(pd.Series(["c1", "c2", "c3", "c4", "c5"]))
    assert (found.yes, found.no, found.complained) == (3, 2, 0)
    assert found.said(Format()) == "3 of them may be contacted; 2 must not be (no consent)."
