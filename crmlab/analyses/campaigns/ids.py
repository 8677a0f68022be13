"""Whether a data set still has the ids under which people were assigned: with others they would be in other cells, and get two letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.data.catalog import dataset_names, load
from crmlab.data.identity import SHORT, VARIABLE, key_digest
from crmlab.errors import CustomerKeyError, shown

if TYPE_CHECKING:
    from crmlab.data.descriptor import Descriptor
    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["check_all_ids", "check_ids", "launch_details"]


def launch_details(descriptor: Descriptor) -> dict[str, Any]:
    """Return what a launch keeps of the data set that its list was drawn from: its name, and the digest of the key of its ids."""
    digest = key_digest(descriptor)
    return {"data": descriptor.name, **({"key": digest} if digest else {})}


def check_ids(memory: CampaignMemory, descriptor: Descriptor) -> None:
    """Refuse a data set whose ids are made in another way than those of the campaigns that were launched from it.

    Parameters
    ----------
    memory : CampaignMemory
    descriptor : Descriptor
        The data set as it is now.

    Raises
    ------
    CustomerKeyError
        Its ids are hashes made with another key, or are hashes where they were none, or are none where they were.
    """
    found = None
    for header in memory.headers(kind="launched"):
        if header.details.get("data") != descriptor.name:
            continue
        expected, what = str(header.details.get("key", "")), f"the campaign {shown(header.campaign)}"
        found = key_digest(descriptor) if found is None else found
        if found == expected:
            continue
        if found and expected:
            raise CustomerKeyError.another(what, expected[:SHORT], found[:SHORT], VARIABLE)
        before, now = ("hashes", "none") if expected else ("no hashes", "hashes, as customer_hash says")
        raise CustomerKeyError(
            f"The customers of {what} have other ids than '{descriptor.name}' gives them. Expected ids that are {before}, as at the "
            f"launch. Found {now}. Undo the change of customer_hash in {descriptor.where}, or describe the data anew under another name."
        )


def check_all_ids(memory: CampaignMemory) -> None:
    """Do as :func:`check_ids` for every data set of the project that campaigns were launched from.

    Raises
    ------
    CustomerKeyError
        As there.
    """
    launched = {str(header.details.get("data")) for header in memory.headers(kind="launched")}
    for name in sorted(launched.intersection(dataset_names())):
        check_ids(memory, load(name))
