"""What an analysis returns, and how it looks: results, numbers, money, dates, colours, charts as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.page.estimate import Estimate
    from crmlab.page.format import DASH, Format
    from crmlab.page.groups import small_groups, under
    from crmlab.page.quantities import Quantities, Quantity, ends_of
    from crmlab.page.result import Chart, Context, Finding, Findings, Method, Note, Output, Result
    from crmlab.page.tables import Column, Table
    from crmlab.page.texts import titled
    from crmlab.page.tokens import TOKENS, color

__all__ = [
    "DASH",
    "TOKENS",
    "Chart",
    "Column",
    "Context",
    "Estimate",
    "Finding",
    "Findings",
    "Format",
    "Method",
    "Note",
    "Output",
    "Quantities",
    "Quantity",
    "Result",
    "Table",
    "color",
    "ends_of",
    "small_groups",
    "titled",
    "under",
]
__getattr__, __dir__ = lazy_names(__name__)
