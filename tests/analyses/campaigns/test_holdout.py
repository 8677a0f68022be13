"""One universal control for all campaigns of a data set: who is held out gets nothing, whatever a plan says."""

from __future__ import annotations

import pytest

import crmlab
from crmlab.analyses.campaigns import Holdout, holdout_for, in_holdout, pull_list, read_plan
from crmlab.analyses.campaigns.design import Params
from crmlab.analyses.campaigns.design.laying import laid_out
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import CampaignError, DescriptorError
from crmlab.history.past import History
from tests.commands import campaign, plan_of

SALT = "held out from the first day"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The sample shop with a universal control of a tenth, and a campaign memory of its own."""
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    text = 'title = "Own"\ncurrency = "EUR"\n[holdout]\nshare = {share}\nsalt = "{salt}"\n[source]\nkind = "shop"\ncustomers = 400\nseed = 1\n'

    def made(share=0.1, salt=SALT):
        (tmp_path / "own.toml").write_text(text.format(share=share, salt=salt))
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return made


@pytest.mark.proof
def test_a_salt_must_be_long_and_a_share_a_share(shop):
    from crmlab.data.catalog import load
    from crmlab.report.registry import readers

    shop(share=1.5, salt="short")
    with pytest.raises(DescriptorError) as said:
        load(str(shop(share=1.5, salt="short").descriptor.folder / "own.toml"), readers())
    assert "share must be a number of at least 0 and under 1. Got 1.5" in str(said.value)
    assert "salt must be a text of at least 8 characters" in str(said.value)


@pytest.mark.proof
def test_a_campaign_may_hold_out_more_but_not_others(shop):
    data = shop()
    assert holdout_for(data) == Holdout(share=0.1, salt=SALT) == holdout_for(data, 0.05, SALT)
    assert holdout_for(data, 0.2, SALT) == Holdout(share=0.2, salt=SALT)
    with pytest.raises(CampaignError, match="holdout_salt must be that of"):
        holdout_for(data, 0.1, "another salt of a plan")
    assert holdout_for(crmlab.open_dataset("cdnow_sample")) is None


def test_a_plan_with_another_salt_is_refused_when_it_is_planned(shop, tmp_path):
    shop()
    path = tmp_path / "spring.toml"
    path.write_text(plan_of(more='holdout = 0.1\nholdout_salt = "another salt of a plan"'))
    assert "holdout_salt must be that of" in campaign("plan", path, "--data", tmp_path / "own.toml", code=2)
    assert open_memory().campaigns().empty


def test_nobody_held_out_is_launched_to_though_the_plan_says_nothing_of_it(shop, tmp_path):
    data = shop()
    path = tmp_path / "spring.toml"
    path.write_text(plan_of())
    assert read_plan(path).campaign == "spring"
    campaign("plan", path, "--data", tmp_path / "own.toml")
    done = campaign("launch", "spring", "--data", tmp_path / "own.toml", "--out", tmp_path / "lists")
    assert "held out of all campaigns" in done
    people = open_memory().assignments("spring")
    homes = people["household_id"].where(people["household_id"].notna(), people["customer_id"]).astype(str)
    assert len(people) > 100 and not in_holdout(homes.tolist(), 0.1, SALT).any()
    whole = pull_list(data, "orders >= 1").frame
    assert in_holdout(whole["household_id"].fillna(whole["customer_id"]).astype(str).tolist(), 0.1, SALT).any()


@pytest.mark.proof
def test_the_design_of_the_next_campaign_holds_the_same_people_out(shop):
    history = History(shop(share=0.2))
    people = laid_out(history, Params(sample=None)).pulled.frame
    assert not in_holdout(people["household_id"].fillna(people["customer_id"]).astype(str).tolist(), 0.2, SALT).any()
    with pytest.raises(CampaignError, match="holdout_salt must be that of"):
        laid_out(history, Params(holdout_salt="another salt of a plan"))
