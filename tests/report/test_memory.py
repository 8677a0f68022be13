"""A report that reads the campaign memory is made again when the memory changes, and its address stays a secret."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlab.data.catalog import load
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import CampaignError
from crmlab.report import registry
from crmlab.report.inputs import Inputs, fingerprint_of, secrets_of

CELLS = pd.DataFrame({"cell_id": ["a-0", "a-1"], "control_cell_id": [None, "a-0"]})


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    return tmp_path / "memory"


def with_memory(data):
    """The fingerprint of what the report on results reads."""
    return fingerprint_of(data, [one.fingerprint() for one in registry.inputs_of("campaign_results")])


def test_fingerprint_holds_the_memory_where_a_report_reads_it():
    before = with_memory("data")
    assert before not in ("data", None)
    assert with_memory("data") == before
    assert with_memory("other data") != before
    open_memory().plan("a", CELLS)
    after = with_memory("data")
    assert after != before
    open_memory().plan("a", CELLS)  # the same again
    assert with_memory("data") == after


def test_the_reports_that_read_the_memory_say_so_on_their_faces():
    reading = {name for name in registry.REPORTS if registry.inputs_of(name)}
    assert reading == {"actions", "campaign_design", "campaign_results", "customer_profile", "scorecard"}
    assert registry.inputs_of("campaign_results")[0].name == "the campaign memory"


def test_fingerprint_is_that_of_the_data_where_it_does_not():
    open_memory().plan("a", CELLS)
    assert registry.inputs_of("rfm") == ()
    assert fingerprint_of("data", []) == "data"
    assert with_memory(None) is None  # what cannot be told is always run


def test_a_memory_that_cannot_be_read_is_said(place):
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(CampaignError, match=r"notes.txt in the campaign memory is no event"):
        with_memory("data")


def test_address_of_the_memory_is_a_secret(monkeypatch):
    shop = load("shop")
    declared = registry.inputs_of("campaign_results")
    assert secrets_of(shop, declared) == ()  # a folder is none
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", "postgresql://clerk:hunt%2Fer2@host/db")
    inputs = Inputs(shop, None, {}, secrets_of(shop, declared))
    shown = inputs.redact("cannot reach postgresql://clerk:hunt%2Fer2@host/db with hunt/er2 or hunt%2Fer2")
    assert "hunt" not in shown
