"""What the lists of all other reports show of a decision: said in a module of its own, which is read without loading any model."""

from __future__ import annotations

from crmlab.page.declarations import Annotation

__all__ = ["ANNOTATES"]

# Its models take most of a minute: who asks for one quick report does not wait for it.
ANNOTATES = Annotation(
    "decisions",
    ("action", "action_reason"),
    always=False,
    counted="action",
    heading="Decided on the page “What to do now” for those on this list",
)
