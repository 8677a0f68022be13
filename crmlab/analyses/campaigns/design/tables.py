"""Tables of the next campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.campaigns.balance import BALANCE_ALPHA
from crmlab.analyses.campaigns.lists import Pulled
from crmlab.models.intervals import normal_quantile
from crmlab.page.exhibits import Absent
from crmlab.page.format import Measured
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study
    from crmlab.page.format import Format

__all__ = [
    "balance_table",
    "cells_table",
    "ledger_table",
    "money_table",
    "names_of",
    "options_table",
    "past_table",
    "points",
    "points_measured",
    "steps",
]


_NO_TABLES = Absent("The data set has no past campaigns (tables cells and contacts).")
_NO_CAMPAIGNS = Absent("No campaign of the data set with a control is over.")
_STAGE_WORDS = {
    "start": "Start",
    "criteria": "Criteria",
    "qualification": "Qualification",
    "suppression": "Must not be contacted",
    "one each": "One each",
    "hold-out": "Hold-out",
    "list": "The list",
}


def points(value: float | None, form: Format, digits: int = 1) -> str:
    """A difference of shares in percentage points: per cents of customers, not of the rate.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> points(0.0213, Format())
    '2.1 points'
    """
    if value is None or value != value:
        return "–"
    most = 2 if 0 < abs(value) < 0.001 else digits
    return f"{form.number(100 * value, most)} points"


def points_measured(value: float, low: float | None, high: float | None, form: Format) -> Measured:
    """A difference of shares in percentage points, and its interval in the same digits; empty where there is none.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> print(points_measured(0.0213, 0.011, 0.032, Format()))
    2.13 points (1.10–3.20)
    """
    if low is None or high is None:
        return Measured(points(value, form), "")
    point, ends = form.measured(100 * value, 100 * low, 100 * high)
    return Measured(f"{point} points", ends)


def names_of(study: Study) -> dict[str, str]:
    """Cells as people call them: offer, and the creative where there are several."""
    several = study.design.treated["creative"].nunique() > 1
    found = {}
    for row in study.design.cells.to_dict("records"):
        name = str(row["offer"]) if isinstance(row["offer"], str) else "Control"
        if several and isinstance(row["creative"], str):
            name += f", {row['creative']}"
        found[str(row["cell_id"])] = name
    return found


def steps(pulled: Pulled, least: int) -> pd.DataFrame:
    """The ledger with steps that few went at shown together with a neighbour, so that it still adds up.

    Returns
    -------
    DataFrame
        stage, step, removed, left. Steps at which nobody went are left out, but for those that must not be contacted.
    """
    rows: list[dict[str, object]] = []
    for row in pulled.ledger.to_dict("records")[1:]:
        if not row["removed"] and row["stage"] != "suppression":
            continue
        rows.append(dict(row))
    place = 0
    while place < len(rows):
        removed = int(str(rows[place]["removed"]))
        if not 0 < removed < least or len(rows) == 1:
            place += 1
            continue
        other = place - 1 if place + 1 == len(rows) else place + 1
        first, second = sorted((place, other))
        joint = rows[second] | {
            "step": f"{rows[first]['step']}; {str(rows[second]['step'])[0].lower()}{str(rows[second]['step'])[1:]}",
            "removed": int(str(rows[first]["removed"])) + int(str(rows[second]["removed"])),
            "stage": rows[first]["stage"],
        }
        rows[first : second + 1] = [joint]
        place = max(first - 1, 0)
        if all(int(str(one["removed"])) in (0, *range(least, pulled.start + 1)) for one in rows):
            break
    start = {"stage": "start", "step": "Customers known", "removed": 0, "left": pulled.start}
    return pd.DataFrame([start, *rows], columns=["stage", "step", "removed", "left"])


def ledger_table(study: Study) -> Table:
    """How many went at each step, and why; the last row is the list."""
    pulled, least, form = study.pulled, study.params.min_group, study.context.form
    frame = steps(pulled, least)
    frame["removed"] = [
        None if stage == "start" else -n if n else 0 for stage, n in zip(frame["stage"], frame["removed"], strict=True)
    ]
    end = pd.DataFrame([{"stage": "list", "step": "On the list", "removed": None, "left": pulled.size}])
    frame = pd.concat([frame.astype({"removed": object}), end], ignore_index=True)
    frame["removed"] = ["" if value is None or value != value else form.count(value) for value in frame["removed"]]
    frame["what"] = frame["stage"].map(_STAGE_WORDS)
    columns = {
        "step": Column("Step"),
        "what": Column("Kind"),
        "removed": Column("Customers", "count"),
        "left": Column("Left", "count"),
    }
    few = f" Steps at which fewer than {least} went are shown together with the next."
    return Table(f"How the list came about: everybody is counted once, where they went first.{few}", frame, columns, form)


def cells_table(study: Study) -> Table:
    """The cells: what is sent, to how many, under which code; the control first."""
    form = study.context.form
    frame = study.design.cells.copy()
    frame["customers"] = [study.sizes[str(name)] for name in frame["cell_id"]]
    frame["share"] = frame["customers"] / frame["customers"].sum()
    frame["what"] = [row["offer"] if isinstance(row["offer"], str) else "nothing (control)" for row in frame.to_dict("records")]
    frame["code"] = [code if isinstance(code, str) else "none" for code in frame["response_code"]]
    frame["how"] = [row["creative"] if isinstance(row["creative"], str) else "" for row in frame.to_dict("records")]
    frame["by"] = [row["channel"] if isinstance(row["offer"], str) else "" for row in frame.to_dict("records")]
    frame["against"] = [name if isinstance(name, str) else "" for name in frame["control_cell_id"]]
    columns = {"cell_id": Column("Cell"), "what": Column("Offer")}
    if frame["creative"].nunique() > 1:
        columns["how"] = Column("Creative")
    columns |= {"by": Column("Channel"), "code": Column("Code")}
    if frame["against"].nunique() > 2:
        columns["against"] = Column("Compared with")
    columns |= {"customers": Column("Customers", "count"), "share": Column("Of the list", "share")}
    shown = frame[list(columns)]
    opens, closes = study.design.cells["opens_on"].iloc[0], study.design.cells["closes_on"].iloc[0]
    caption = (
        f"The cells, from {form.day(opens)} to {form.day(closes)}, each compared with the control. A code has no characters that look "
        "alike, and its last one checks the others."
    )
    return Table(caption, shown, columns, form)


def money_table(study: Study) -> Table:
    """Each cell in money: what it costs, what it must bring, what is expected."""
    params, form = study.params, study.context.form
    names = names_of(study)
    frame = study.cells.copy()
    frame["name"] = [names[str(one)] for one in frame["cell_id"]]
    low, high = study.terms.base.low, study.terms.base.high
    frame["even_low"] = frame["pays_from"] + low if low is not None else None
    frame["even_high"] = frame["pays_from"] + high if high is not None else None
    frame["pays"] = [points(value, form) for value in frame["pays_from"]]
    for name in ("expected_low", "expected_high"):
        frame[name] = pd.to_numeric(100 * frame[name]) if frame[name].notna().all() else None
    frame["expected"] = 100 * frame["expected"].astype(float)
    gain = "Profit if so" if study.margin_known else "Revenue less cost, if so"
    shown = frame[
        ["name", "cost", "pays", "break_even", "even_low", "even_high", "expected", "expected_low", "expected_high", "power",
         "profit", "profit_low", "profit_high"]
    ]  # fmt: skip
    known = {"low": "even_low", "high": "even_high"} if low is not None else {}
    rise = {"low": "expected_low", "high": "expected_high"} if frame["expected_low"].notna().all() else {}
    columns = {
        "name": Column("Cell"),
        "cost": Column("Cost", "amount"),
        "pays": Column("Pays from a rise of"),
        "break_even": Column("That is a response of", "share", **known),
        "expected": Column("Expected rise, points", "number", **rise),
        "power": Column("Chance to show it", "share"),
        "profit": Column(gain, "money", "profit_low", "profit_high"),
    }
    caption = (
        f"Each cell in money. A rise is of the share who buy, in percentage points above the control. Small figures are "
        f"{form.share(params.level)} intervals; the last holds what the result would show and what is not known of the rise."
    )
    return Table(caption, shown, columns, form)


def options_table(study: Study) -> Table:
    """The same list with fewer or more cells."""
    params, form = study.params, study.context.form
    frame = study.options.copy()
    frame["shows"] = [points(value, form) for value in frame["detectable"]]
    frame["chance"] = frame["power"]
    for name in ("needed_expected", "needed_paying"):
        frame[name] = ["never" if value is None or value != value else form.count(value) for value in frame[name]]
    frame["label"] = [f"{n}{' (planned)' if n == study.several else ''}" for n in frame["cells"]]
    shown = frame[["label", "per_cell", "control", "shows", "chance", "needed_expected", "needed_paying"]]
    columns = {
        "label": Column("Cells"),
        "per_cell": Column("Customers each", "count"),
        "control": Column("Control", "count"),
        "shows": Column("Shows a rise of"),
        "chance": Column("Chance to show what is expected", "share"),
        "needed_expected": Column("Customers for what is expected", "count"),
        "needed_paying": Column("Customers for all that pays", "count"),
    }
    caption = (
        f"The same list tested with fewer or more cells, at {form.share(params.power)} power and {form.share(params.level)} "
        f"confidence over all cells together (max-t). Expected: {points(study.expected.value, form)}. The last two columns: how many "
        "customers such a test would need in all."
    )
    return Table(caption, shown, columns, form)


def balance_table(study: Study) -> Table:
    """Cells and their control before anything is sent."""
    form = study.context.form
    names = names_of(study)
    frame = study.balance.copy()
    frame["name"] = [names[str(one)] for one in frame["cell"]]
    shown = frame[["covariate", "name", "mean", "mean_control", "difference", "low", "high"]]
    columns = {
        "covariate": Column("Known before"),
        "name": Column("Cell"),
        "mean": Column("Mean", "number"),
        "mean_control": Column("Control", "number"),
        "difference": Column("Difference, in standard deviations", "number", "low", "high"),
    }
    caption = f"Cells against their control before sending; small figures are {form.share(1 - BALANCE_ALPHA)} intervals, for all at once."
    return Table(caption, shown, columns, form)


def past_table(study: Study) -> Table | Absent:
    """What past cells brought beyond their controls."""
    params, form = study.params, study.context.form
    if study.past.cells.empty:
        return _NO_CAMPAIGNS if study.campaigns else _NO_TABLES
    z = normal_quantile(params.level)
    frame = study.past.cells.copy()
    frame["what"] = [
        " · ".join(str(one) for one in (row["offer"], row["creative"]) if isinstance(one, str)) or str(row["cell"])
        for row in frame.to_dict("records")
    ]
    effect, half = 100 * frame["effect"].astype(float), 100 * z * frame["error"].astype(float)
    frame = frame.assign(rise=effect, rise_low=effect - half, rise_high=effect + half)
    frame["campaign"] = [str(name).replace("_", " ") for name in frame["campaign"]]
    columns = {
        "campaign": Column("Campaign"),
        "what": Column("Cell"),
        "n": Column("Customers", "count"),
        "share": Column("Bought", "share"),
        "base": Column("Control bought", "share"),
        "rise": Column("Rise, points", "number", "rise_low", "rise_high"),
        "spend": Column("Spend more, per customer", "exact", "spend_low", "spend_high"),
    }
    shown = frame[[*columns, "rise_low", "rise_high", "spend_low", "spend_high"]]
    caption = (
        f"What past cells brought beyond their controls while their windows were open; small figures are "
        f"{form.share(params.level)} intervals, each by itself. More buyers who spend less, at a discount say, may bring nothing."
    )
    return Table(caption, shown.reset_index(drop=True), columns, form)
