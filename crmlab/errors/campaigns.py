"""Errors of campaigns: plans, cells, lists and their memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmlab.errors.base import CrmlabError, hint_at, listing, shown

__all__ = ["CampaignError"]


class CampaignError(CrmlabError, ValueError):
    """Cells of a campaign do not make a test, or the campaign memory cannot take or give what was asked for."""

    @classmethod
    def code_twice(cls, code: str, cells: Iterable[str]) -> CampaignError:
        return cls(
            f"The response code {shown(code)} is used twice. Expected a code of its own for each cell. Found it for: "
            f"{listing(cells)}. Responses could not be told apart."
        )

    @classmethod
    def unknown_cells(cls, campaign: str, cells: Iterable[str], known: Iterable[str]) -> CampaignError:
        return cls(f"{campaign}: there is no cell {listing(cells)}. Expected cells of the campaign: {listing(known)}.")

    @classmethod
    def twice_assigned(cls, campaign: str, count: int, customer: str) -> CampaignError:
        customers = "1 customer is" if count == 1 else f"{count:,} customers are"
        return cls(f"{campaign}: {customers} assigned twice. Expected one cell for each. Found for example {shown(customer)}.")

    @classmethod
    def launched_already(cls, campaign: str, at: str) -> CampaignError:
        return cls(
            f"The campaign {shown(campaign)} is launched and cannot change. Expected the cells and people of {at[:10]}. "
            "Found others. Plan a new campaign under another name."
        )

    @classmethod
    def bad_condition(cls, text: str, operators: Iterable[str]) -> CampaignError:
        return cls(
            f"The condition {shown(text)} cannot be read. Expected a column, one of {listing(operators)}, and a value. "
            "For example: tier in A, B; state = slowing; churn >= 0.5"
        )

    @classmethod
    def unknown_column(cls, column: str, known: Iterable[str]) -> CampaignError:
        return cls(f"No column or report output is called {shown(column)}. {hint_at(column, known, 40)}")

    @classmethod
    def no_order(cls, column: str, operator: str) -> CampaignError:
        return cls(
            f"'{column}' has no order, and '{operator}' needs one. Expected =, !=, in or not in. "
            f"Name the values: {column} in …, …"
        )

    @classmethod
    def unknown(cls, campaign: str, known: Iterable[str]) -> CampaignError:
        return cls.no_such("campaign", campaign, known, "in the memory")

    @classmethod
    def unreadable(cls, name: str, reason: str) -> CampaignError:
        return cls(
            f"{name} of the campaign memory cannot be read. Expected an event written by crmlab campaign. Found: {shown(reason, 120)}. "
            "Nothing was changed. Restore it from a copy, or move it elsewhere."
        )

    @classmethod
    def foreign(cls, name: str) -> CampaignError:
        return cls(
            f"{name} in the campaign memory is no event. Expected files that crmlab campaign wrote, and nothing else. "
            "Nothing was changed. Move it elsewhere."
        )

    @classmethod
    def altered(cls, name: str) -> CampaignError:
        return cls(
            f"{name} of the campaign memory is not as it was written. Expected the content that its name stands for. Found another. "
            "Nothing was changed. Restore it from a copy."
        )

    @classmethod
    def wrong_field(cls, name: str, key: str, expected: str, found: Any) -> CampaignError:
        return cls(
            f"{name} of the campaign memory is not as it was written: {shown(key)} of its header. Expected {expected}. "
            f"Found {shown(found)}. Nothing was changed. Restore it from a copy."
        )

    @classmethod
    def heads_wrong(cls, name: str, found: Any) -> CampaignError:
        return cls(
            f"{name} of the campaign memory, which says how many events each campaign has, is not as it was written. Expected counts "
            f"and digests. Found: {shown(found, 120)}. Nothing was changed. Restore it from a copy."
        )

    @classmethod
    def heads_gone(cls, events: int) -> CampaignError:
        have = "1 event" if events == 1 else f"{events:,} events"
        return cls(
            f"The campaign memory does not say any more how many events each campaign has. Expected heads beside {have}. Found none. "
            "Events may be missing without a trace: restore the memory from a copy."
        )

    @classmethod
    def event_gone(cls, campaign: str, number: int, count: int, slot: str = "") -> CampaignError:
        named = f" ({slot})" if slot else ""
        return cls(
            f"Event {number} of the campaign {shown(campaign)}{named} is missing from the campaign memory. Expected {count} of them. "
            "It was deleted or moved. Nothing was changed. Restore it from a copy."
        )

    @classmethod
    def not_in_line(cls, slot: str, campaign: str, number: int) -> CampaignError:
        return cls(
            f"{slot} of the campaign memory is not in its place. Expected event {number} of the campaign {shown(campaign)}, linked to the "
            "one before it. Found another link: one of the two was forged or altered. Nothing was changed. Restore both from a copy."
        )

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> CampaignError:
        return cls.cannot(f"The campaign memory {path}", "be written", reason, "Name another folder in CRMLAB_CAMPAIGNS.")
