"""What the scorecard says in numbers, and the columns of its list."""

from __future__ import annotations

import re

from crmlab.analyses.campaigns import QUANTITIES as CAMPAIGNS
from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.analyses.scorecard.lines import LINES, Line
from crmlab.analyses.scorecard.speech import SHOPPERS
from crmlab.analyses.scorecard.targets import MEASURES
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES", "UNITS"]

# Kind of a number → unit; of any other kind that is the currency.
UNITS = {"share": "share", "count": "customers", "days": "days", "number": ""}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _goals(unit: str) -> Quantity:
    names = [name for name, aim in MEASURES.items() if UNITS.get(aim.kind, "currency") == unit]
    return Quantity(
        "goal_{metric}_{day}", "{metric} expected by the date of the goal", unit, values={"metric": names, "day": _DAY}
    )


def _line(line: Line) -> Quantity:
    label = SHOPPERS(line.label)
    words = f"{label[:1].lower()}{label[1:]}"
    return Quantity(line.key, words, UNITS.get(line.kind, "currency"), label=words, counted=line.counted)


QUANTITIES = Quantities(
    VALUE.only("value_total"),
    CAMPAIGNS.only("metric", "estimate"),
    Quantity("number", "number of the period, the first is 0"),
    Quantity("period", "the period in words", "text"),
    Quantity("kind", "how the metric is written", "text"),
    *map(_line, LINES),
    Quantity(
        "{metric}_change",
        "{metric}: change since a year ago, or since the previous period; for shares, the difference",
        "share",
        values={"metric": [line.key for line in LINES]},
    ),
    Quantity(
        "value_change", "change in the value of the customer base since a year ago, or since the previous period", "share"
    ),
    Quantity("goals_on_track", "goals that have been reached or are on track", "goals", counted=True),
    *map(_goals, ("customers", "currency", "share", "")),
    Quantity("forecast_spend", "spend expected in the 12 months ahead, before returns", "currency"),
    Quantity("forecast_occasions", "purchase occasions expected in the 12 months ahead", "occasions"),
)
