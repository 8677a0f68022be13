"""What every analysis begins with: the history it looks at, and how its numbers are written."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.features.orders import history
from crmlab.result import Context
from crmlab.style import Format

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

LEVEL = 0.95  # of every interval, unless an analysis says otherwise


def form_of(data: Dataset) -> Format:
    """How numbers of this data set are written."""
    return Format(data.currency, data.descriptor.report.language)


def context_of(data: Dataset, as_of: dt.date | str | None = None, customers: int | None = None) -> Context:
    """What a result is about; checks ``as_of`` against the history."""
    first, last = history(data.orders, as_of)
    return Context(data.name, data.title, last, first, customers, form_of(data))
