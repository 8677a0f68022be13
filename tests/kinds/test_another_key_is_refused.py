"""Kind: ids of another key. Where customers' ids are made of an e-mail with a key, another key (a lost one that was made anew, that of a
colleague, a setting that names the wrong file) gives everybody another id: they would stand in other cells and get two letters, and the
results of a campaign would be those of nobody.

Right is: whatever rests on the ids of a launched campaign or of a list refuses another key with a sentence that names both and the mend, and
changes nothing; a lost key is not made anew; memories of before keys stay readable.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from crmlab.analyses.campaigns import launch_campaign, measure_campaign
from crmlab.cli.commands import main
from crmlab.cli.revealing import reveal
from crmlab.data.dataset import open_dataset
from crmlab.data.identity import CustomerKey
from crmlab.data.memory import open_memory
from crmlab.errors import CustomerKeyError

from .test_one_person_has_one_id import KEY, TOML, data_set, key_file, write_key

CELLS = pd.DataFrame(
    {
        "cell_id": ["a-0", "a-1"],
        "control_cell_id": [None, "a-0"],
        "response_code": [None, "AYADH7"],
        "offer": [None, "gift"],
        "creative": [None, "plain"],
        "channel": "email",
        "planned_share": [0.5, 0.5],
    }
)
PLAN = 'campaign = "b"\nsalt = "of another test"\ncriteria = ["orders >= 1"]\n[[cell]]\nname = "b-0"\nshare = 1\n'


@pytest.fixture
def launched(keyed_project: Path) -> Path:
    """A project with a launched campaign; returns its list."""
    data = data_set(keyed_project, *(f"{i % 40}@shop.example" for i in range(200)))
    memory = open_memory()
    memory.plan("a", CELLS, {"salt": "of a test", "criteria": ["orders >= 1"]})
    return launch_campaign("a", data, memory, keyed_project / "lists" / "a", consent_not_known=True).files[0]


@pytest.fixture
def another_key(launched: Path, keyed_project: Path) -> CustomerKey:
    other = CustomerKey(bytes(32))
    write_key(key_file(keyed_project), other)
    return other


def test_the_memory_keeps_the_digest_and_not_the_key(keyed_project, launched):
    (header,) = open_memory().headers(kind="launched")
    assert header.details == {"data": "mine", "key": KEY.digest}
    kept = b"".join(path.read_bytes() for path in (keyed_project / "memory").rglob("*") if path.is_file())
    assert KEY.digest.encode() in kept and KEY.secret.hex().encode() not in kept and KEY.secret not in kept


def test_the_same_key_goes_on(keyed_project, launched):
    again = launch_campaign("a", open_dataset("mine"), open_memory(), keyed_project / "lists" / "a")
    assert again.again and again.files == (launched,)


@pytest.mark.proof
@pytest.mark.parametrize(
    "command", ["campaign plan plan.toml", "campaign launch a --data mine", "campaign results a --data mine", "check mine"]
)
def test_every_step_of_a_campaign_refuses_another_key(keyed_project, another_key, command):
    (keyed_project / "plan.toml").write_text(PLAN)
    before = sorted(path.name for path in (keyed_project / "memory").rglob("*"))
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code != 0
    assert (
        f"The customer ids of the campaign 'a' were made with another key. Expected the key {KEY.digest[:12]}…" in done.stderr
    )
    assert f"Found the key {another_key.digest[:12]}…" in done.stderr and "Restore the key file from a copy" in done.stderr
    assert sorted(path.name for path in (keyed_project / "memory").rglob("*")) == before


def test_reports_on_campaigns_refuse_another_key(keyed_project, another_key):
    from crmlab.analyses.campaigns.past import past_of
    from crmlab.history.past import History

    with pytest.raises(CustomerKeyError, match="were made with another key"):
        past_of(History(open_dataset("mine"), None), open_memory())


def test_a_list_of_another_key_is_refused(keyed_project, launched, another_key):
    with pytest.raises(
        CustomerKeyError, match=f"the list a-email.csv were made with another key. Expected the key {KEY.mark}…"
    ):
        reveal(launched, data="mine")
    memory = open_memory(keyed_project / "memory of another project")
    memory.plan("c", CELLS.assign(response_code=[None, "AYADH7"]), {"salt": "of a test"})
    with pytest.raises(CustomerKeyError, match=f"Found the key {another_key.mark}…"):
        launch_campaign("c", open_dataset("mine"), memory, keyed_project / "lists" / "c", list_file=launched)


def test_a_lost_key_is_not_made_anew(keyed_project, launched):
    key_file(keyed_project).unlink()
    with pytest.raises(
        CustomerKeyError, match=f"Expected the key {KEY.digest[:12]}…, with which the campaign 'a' was launched"
    ):
        open_dataset("mine")
    with pytest.raises(CustomerKeyError, match="There is no key file"):
        reveal(launched, data="mine")
    assert not key_file(keyed_project).exists()


def test_ids_that_become_hashes_or_cease_to_be(keyed_project, launched):
    (keyed_project / "data" / "mine.toml").write_text(TOML.replace("customer_hash", "customer_id"))
    with pytest.raises(CustomerKeyError, match=r"Expected ids that are hashes, as at the launch\. Found none"):
        measure_campaign("a", open_dataset("mine"), open_memory(), None)
    memory = open_memory(keyed_project / "older")
    memory.plan("a", CELLS, {"salt": "of a test", "criteria": ["orders >= 1"]})
    launch_campaign("a", open_dataset("mine"), memory, keyed_project / "lists" / "older", consent_not_known=True)
    (keyed_project / "data" / "mine.toml").write_text(TOML)
    with pytest.raises(CustomerKeyError, match=r"Expected ids that are no hashes, as at the launch"):
        measure_campaign("a", open_dataset("mine"), memory, None)
