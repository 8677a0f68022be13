"""Errors of campaigns: plans, cells, lists and their memory."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from crmlab.errors.base import CrmlabError, hint_at, listing, shown

__all__ = ["CampaignError"]


class CampaignError(CrmlabError, ValueError):
    """Cells of a campaign do not make a test, or the campaign memory cannot take or give what was asked for."""

    @classmethod
    def cell_twice(cls, cell: str) -> CampaignError:
        return cls(
            f"Cell {shown(cell)} is there twice. Expected one row per cell. Found 2 or more. Give each cell a name of its own."
        )

    @classmethod
    def own_control(cls, cell: str) -> CampaignError:
        return cls(f"Cell {shown(cell)} is its own control. Expected another cell. Name one that is not contacted.")

    @classmethod
    def no_such_control(cls, cell: str, control: str, known: Iterable[str]) -> CampaignError:
        return cls(
            f"The control of cell {shown(cell)} is no cell of its campaign. Got {shown(control)}. {hint_at(control, known)}"
        )

    @classmethod
    def foreign_control(cls, cell: str, control: str, campaign: str, other: str) -> CampaignError:
        return cls(
            f"The control of cell {shown(cell)} must be of the same campaign, {shown(campaign)}. "
            f"Got {shown(control)} of {shown(other)} instead. People of two lists cannot be compared."
        )

    @classmethod
    def without_control(cls, cell: str, campaign: str) -> CampaignError:
        return cls(
            f"Cell {shown(cell)} of {shown(campaign)} has no control and is nobody's. Expected a control, as other cells of the "
            "campaign have. Found none. Name one in control_cell_id."
        )

    @classmethod
    def code_twice(cls, code: str, cells: Iterable[str]) -> CampaignError:
        return cls(
            f"The response code {shown(code)} is used twice. Expected a code of its own for each cell. Found it for: "
            f"{listing(cells)}. Responses could not be told apart."
        )

    @classmethod
    def shares(cls, campaign: str, total: float) -> CampaignError:
        return cls(f"The planned shares of {shown(campaign)} must add up to 1. Found {total:.6g}. Correct planned_share.")

    @classmethod
    def negative(cls, cell: str, column: str, value: Any) -> CampaignError:
        return cls(f"'{column}' of cell {shown(cell)} must be at least 0. Got {shown(value)} instead. Costs are positive.")

    @classmethod
    def window(cls, cell: str, opens: Any, closes: Any) -> CampaignError:
        return cls(
            f"The window of cell {shown(cell)} ends before it begins. Expected opens_on on or before closes_on. "
            f"Got {opens} and {closes}. Are they the wrong way round?"
        )

    @classmethod
    def expected(cls, what: str, expectation: str, got: Any, hint: str = "") -> CampaignError:
        return cls(f"{what} must be {expectation}. Got {shown(got)} instead.{' ' + hint if hint else ''}")

    @classmethod
    def missing_column(cls, what: str, column: str, found: Iterable[Any]) -> CampaignError:
        return cls(f"{what}: missing column '{column}'. Found: {listing(found)}.")

    @classmethod
    def unknown_cells(cls, campaign: str, cells: Iterable[str], known: Iterable[str]) -> CampaignError:
        return cls(f"{campaign}: there is no cell {listing(cells)}. Expected cells of the campaign: {listing(known)}.")

    @classmethod
    def twice_assigned(cls, campaign: str, count: int, customer: str) -> CampaignError:
        customers = "1 customer is" if count == 1 else f"{count:,} customers are"
        return cls(f"{campaign}: {customers} assigned twice. Expected one cell for each. Found for example {shown(customer)}.")

    @classmethod
    def code_changed(cls, cell: str, old: Any, new: Any) -> CampaignError:
        return cls(
            f"The response code of a launched cell cannot change. Expected {shown(old)} for cell {shown(cell)}. "
            f"Got {shown(new)} instead. Codes are in people's hands: give a new cell a new name."
        )

    @classmethod
    def launched_already(cls, campaign: str, at: str) -> CampaignError:
        return cls(
            f"The campaign {shown(campaign)} is launched and cannot change. Expected the cells and people of {at[:10]}. "
            "Found others. Plan a new campaign under another name."
        )

    @classmethod
    def no_list(cls, campaign: str) -> CampaignError:
        return cls(
            f"There is no list for {shown(campaign)}. Expected criteria in its plan, or a csv file with customer_id. "
            'Found neither. Give one with --list FILE, or criteria = ["days_since_last <= 365"] in the plan.'
        )

    @classmethod
    def bad_list(cls, name: str, reason: str) -> CampaignError:
        return cls(f"The list {name} cannot be read. {reason}. Expected a csv file in UTF-8 with a column customer_id.")

    @classmethod
    def unknown_customers(cls, name: str, count: int, example: str) -> CampaignError:
        customers = "1 customer" if count == 1 else f"{count:,} customers"
        return cls(
            f"The list {name} holds {customers} who are not in the data set. Expected customers of it. Found for example "
            f"{shown(example)}. Leading zeros count."
        )

    @classmethod
    def bad_condition(cls, text: str, operators: Iterable[str]) -> CampaignError:
        return cls(
            f"The condition {shown(text)} cannot be read. Expected a column, one of {listing(operators)}, and a value. "
            "For example: tier in A, B; state = slowing; churn >= 0.5"
        )

    @classmethod
    def unknown_column(cls, column: str, known: Iterable[str]) -> CampaignError:
        options = [str(name) for name in known]
        close = get_close_matches(str(column), options, n=1, cutoff=0.6)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {listing(sorted(options), 40)}."
        return cls(f"Nothing is known of customers by the name {shown(column)}. {hint}")

    @classmethod
    def unknown_value(cls, column: str, value: str, known: Iterable[str]) -> CampaignError:
        return cls(f"{shown(value)} is no value of {shown(column)}. {hint_at(value, known)}")

    @classmethod
    def no_order(cls, column: str, operator: str) -> CampaignError:
        return cls(
            f"'{column}' has no order, and '{operator}' needs one. Expected =, !=, in or not in. "
            f"Name the values: {column} in …, …"
        )

    @classmethod
    def lists_not_written(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The lists cannot be written to {path}. {reason}. Nothing was launched. Choose another folder with --out.")

    @classmethod
    def list_not_placed(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The campaign is launched, but {path} cannot be written. {reason}. Run the same command again to write it.")

    @classmethod
    def closed(cls, campaign: str) -> CampaignError:
        return cls(f"The campaign {shown(campaign)} is closed. Expected no further results. Plan a new one.")

    @classmethod
    def unknown(cls, campaign: str, known: Iterable[str]) -> CampaignError:
        return cls(f"There is no campaign {shown(campaign)} in the memory. {hint_at(campaign, known)}")

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
    def newer(cls, name: str, known: int, found: Any) -> CampaignError:
        return cls(
            f"{name} of the campaign memory has another form. Expected form {known}. Found {shown(found)}. "
            "Use the version of crmlab that wrote it."
        )

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The campaign memory {path} cannot be written. {reason}. Name another folder in CRMLAB_CAMPAIGNS.")

    @classmethod
    def no_address(cls, variable: str) -> CampaignError:
        return cls(
            f"The environment variable {variable} must hold an address such as postgresql://user@host/database. "
            "Got nothing or something else, which is not shown."
        )

    @classmethod
    def address_given(cls) -> CampaignError:
        # What was given may hold a password.
        return cls(
            "The campaign memory must be named by a folder. Got the address of a database, which is not shown. "
            "Put it into the environment variable CRMLAB_CAMPAIGNS: addresses are never written into files."
        )

    @classmethod
    def no_database(cls, variable: str, kind: str) -> CampaignError:
        return cls(f"The campaign memory that {variable} names does not answer or refuses ({kind}). Nothing was changed.")
