"""What the reports on campaigns read beside a data set: the campaign memory."""

from __future__ import annotations

from crmlab.data.memory.campaigns import addresses, fingerprint, witnessed
from crmlab.page.declarations import Input

__all__ = ["INPUTS"]

INPUTS = (Input("the campaign memory", fingerprint, addresses, witnessed),)
