"""The campaign memory: what was planned, sent, measured and closed, kept for good, in a folder or a Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.memory.campaigns import CampaignMemory, fingerprint, open_memory
    from crmlab.data.memory.rules import cell_problems, share_problems

__all__ = ["CampaignMemory", "cell_problems", "fingerprint", "open_memory", "share_problems"]
__getattr__, __dir__ = lazy_names(__name__)
