"""The campaign memory: what was planned, sent, measured and closed, kept for good, in a folder or a Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.memory.campaigns import CampaignMemory, addresses, fingerprint, open_memory
    from crmlab.data.memory.launched import Remembered, Taken, joined, remembered, taken
    from crmlab.data.memory.rules import cell_problems, share_problems

__all__ = [
    "CampaignMemory",
    "Remembered",
    "Taken",
    "addresses",
    "cell_problems",
    "fingerprint",
    "joined",
    "open_memory",
    "remembered",
    "share_problems",
    "taken",
]
__getattr__, __dir__ = lazy_names(__name__)
