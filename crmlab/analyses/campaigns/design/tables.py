"""Tables of the next campaign."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from crmlab.analyses.campaigns.balance import BALANCE_ALPHA
from crmlab.analyses.campaigns.lists import LATELY, SEEDS, Pulled
from crmlab.models.intervals import normal_quantile
from crmlab.page.exhibits import Absent
from crmlab.page.format import Measured
from crmlab.page.tables import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.search import Plan
    from crmlab.analyses.campaigns.design.study import Study
    from crmlab.page.format import Format

__all__ = [
    "NOT_NOW",
    "Acts",
    "acts_of",
    "balance_table",
    "cells_table",
    "guessed_rise",
    "ledger_table",
    "money_table",
    "names_of",
    "options_table",
    "past_table",
    "points",
    "points_measured",
    "said",
    "steps",
]


_NO_TABLES = Absent("The data set has no past campaigns (tables “cells” and “contacts”).")
_NO_CAMPAIGNS = Absent("No campaign in the data set with a control is over.")
NOT_NOW = Absent("No test is advised now, so nobody was drawn for one.")
_COMPARED = {
    **{"above": "more than", "under": "less than", "at most": "at most", "at least": "at least"},
    **{"not above": "at most", "not under": "at least"},
}
_LATELY = re.compile(
    r"(?P<what>[Dd]ays since the last purchase|[Nn]umber of purchases) is "
    rf"(?:(?P<how>{'|'.join(_COMPARED)}) (?P<count>\d+)(?![.,]?\d)|(?P<unknown>not known))\b"
)
_STAGE_WORDS = {
    "start": "Start",
    "criteria": "Criteria",
    "qualification": "Qualification",
    "suppression": "Must not be contacted",
    "one each": "One each",
    "hold-out": "Hold-out",
    "list": "The list",
}


class Acts(NamedTuple):
    """What people of a data set do, in the forms that sentences need."""

    act: str
    acted: str


def acts_of(study: Study) -> Acts:
    """Customers buy, donors give."""
    return Acts(study.words.fill("{buy}"), study.words.did)


def said(text: str, study: Study) -> str:
    """What a customer is known by, in the words of the data set: donors have gifts."""
    return study.words.told(_LATELY.sub(_ago, text))


def _ago(found: re.Match[str]) -> str:
    """A condition on the days since the last purchase, or on the number of purchases, as people say it.

    Examples
    --------
    >>> _LATELY.sub(_ago, "Days since the last purchase is above 365"), _LATELY.sub(_ago, "number of purchases is at least 1")
    ('Last purchase more than 365 days ago', 'at least 1 purchase')
    >>> _LATELY.sub(_ago, "Days since the last purchase is not known"), _LATELY.sub(_ago, "Number of purchases is under 1")
    ('No purchase so far', 'No purchase')
    >>> _LATELY.sub(_ago, "Days since the last purchase is above 1,000")     # stays as it is
    'Days since the last purchase is above 1,000'
    """
    count, number = found["count"], found["what"].lower().startswith("number")
    if found["unknown"]:
        text = "number of purchases not known" if number else "no purchase so far"
    elif not number:
        text = f"last purchase {_COMPARED[found['how']]} {count} {'day' if count == '1' else 'days'} ago"
    elif (found["how"], count) == ("under", "1"):
        text = "no purchase"
    else:
        word = _COMPARED[found["how"]].replace("less", "fewer")
        text = f"{word} {count} purchase{'' if count == '1' else 's'}"
    return text[0].upper() + text[1:] if found["what"][0].isupper() else text


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


def guessed_rise(study: Study) -> str:
    """The rise that is guessed, without digits that a guess has not."""
    value, form = 100 * study.terms.possible(study.expected.value), study.context.form
    whole = abs(value - round(value)) < 1e-9
    return "1 point" if whole and round(value) == 1 else f"{form.number(value, 0 if whole else 1)} points"


def points_measured(value: float, low: float | None, high: float | None, form: Format) -> Measured:
    """A difference of shares in percentage points, and its interval in the same digits; empty where there is none.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> print(points_measured(0.0213, 0.011, 0.032, Format()))
    2.1 points (1.1 to 3.2)
    """
    if low is None or high is None:
        return Measured(points(value, form), "")
    point, ends = form.in_points(value, low, high)
    return Measured(f"{point} points", ends)


def names_of(study: Study) -> dict[str, str]:
    """Cells as people call them: offer, and the creative where there are several."""
    several = study.asked.treated["creative"].nunique() > 1
    found = {}
    for row in study.asked.cells.to_dict("records"):
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
        stage, step, removed, left. Steps at which nobody went are left out, but for those that are to keep people from being contacted.
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
    start = {"stage": "start", "step": "All known customers", "removed": 0, "left": pulled.start}
    return pd.DataFrame([start, *rows], columns=["stage", "step", "removed", "left"])


def _joint(pulled: Pulled, least: int) -> bool:
    """Whether steps are shown together because few went at one of them."""
    own = {str(row["step"]) for row in pulled.ledger.to_dict("records")}
    return not set(steps(pulled, least)["step"].iloc[1:]) <= own


def _kind(stage: str, step: str) -> str:
    """What kind of step it is: a limit on contacts is no ban on them, and seeds are ours."""
    if stage == "suppression" and step.startswith((LATELY, SEEDS)):
        return "Contact limit" if step.startswith(LATELY) else "Kept apart"
    return _STAGE_WORDS[stage]


def ledger_table(study: Study) -> Table:
    """How many went at each step, and why; the last row is the list."""
    pulled, least, form = study.pulled, study.params.min_group, study.context.form
    frame = steps(pulled, least)
    frame["removed"] = [
        None if stage == "start" else -n if n else 0 for stage, n in zip(frame["stage"], frame["removed"], strict=True)
    ]
    end = pd.DataFrame([{"stage": "list", "step": "On the list", "removed": None, "left": pulled.size}])
    frame = pd.concat([frame.astype({"removed": object}), end], ignore_index=True)
    few = f" Steps that removed fewer than {least} are shown together with the next." if _joint(pulled, least) else ""
    frame["removed"] = [
        "not known" if step in pulled.unknown else "" if value is None or value != value else form.count(value)
        for step, value in zip(frame["step"], frame["removed"], strict=True)
    ]
    frame["what"] = [_kind(stage, step) for stage, step in zip(frame["stage"], frame["step"], strict=True)]
    frame["step"] = [said(step, study) for step in frame["step"]]
    columns = {
        "step": Column("Step"),
        "what": Column("Kind"),
        "removed": Column(study.words.many.capitalize(), "count"),
        "left": Column("Remaining", "count"),
    }
    return Table(
        f"How the list was made: everybody is counted once, at the first step that removed them.{few}", frame, columns, form
    )


def cells_table(study: Study) -> Table | Absent:
    """The cells: what is sent, to how many, under which code; the control first."""
    if not study.advised:
        return NOT_NOW
    form = study.context.form
    frame = study.design.cells.copy()
    frame["customers"] = [study.sizes[str(name)] for name in frame["cell_id"]]
    frame["share"] = frame["customers"] / frame["customers"].sum()
    names = names_of(study)
    frame["name"] = [names.get(str(name), str(name)) for name in frame["cell_id"]]
    frame["code"] = [code if isinstance(code, str) else "none" for code in frame["response_code"]]
    frame["by"] = [row["channel"] if isinstance(row["offer"], str) else "" for row in frame.to_dict("records")]
    frame["against"] = [name if isinstance(name, str) else "" for name in frame["control_cell_id"]]
    columns = {"name": Column("Cell")}
    columns |= {"by": Column("Channel"), "code": Column("Code")}
    if frame["against"].nunique() > 2:
        columns["against"] = Column("Compared with")
    columns |= {"customers": Column(study.words.many.capitalize(), "count"), "share": Column("Share of the list", "share")}
    columns["cell_id"] = Column("Name in the files")
    shown = frame[list(columns)]
    opens, closes = study.design.cells["opens_on"].iloc[0], study.design.cells["closes_on"].iloc[0]
    caption = (
        f"The cells, from {form.day(opens)} to {form.day(closes)}, each compared with the control. Codes avoid characters that look "
        "alike and end in a check character."
    )
    return Table(caption, shown, columns, form)


def money_table(study: Study) -> Table | Absent:
    """Each cell in money: what it costs, what it must bring, what is expected."""
    if not study.advised:
        return NOT_NOW
    params, form = study.params, study.context.form
    names = names_of(study)
    frame = study.cells.copy()
    frame["name"] = [names[str(one)] for one in frame["cell_id"]]
    low, high = study.terms.base.low, study.terms.base.high
    frame["even_low"] = frame["break_even"] + (low - study.terms.base.value) if low is not None else None
    frame["even_high"] = frame["break_even"] + (high - study.terms.base.value) if high is not None else None
    frame["pays"] = ["never" if value is None or value != value else points(value, form) for value in frame["pays_from"]]
    for name in ("expected_low", "expected_high"):
        frame[name] = pd.to_numeric(100 * frame[name]) if frame[name].notna().all() else None
    frame["expected"] = 100 * frame["expected"].astype(float)
    known = ("even_low", "even_high") if low is not None else (None, None)
    rise = ("expected_low", "expected_high") if frame["expected_low"].notna().all() else (None, None)
    before = ", before the cost of the offer" if study.unpriced else ""
    columns = {
        "name": Column("Cell"),
        "cost": Column("Cost of contacts", "amount"),
        "pays": Column(f"Pays from a rise of{before}"),
        "break_even": Column("That means a response rate of", "share", *known),
        "expected": Column("Expected rise, points", "number", *rise),
        "power": Column("Chance of showing it", "share"),
        "profit": Column(f"{said('Expected profit', study)}{before}", "money", "profit_low", "profit_high"),
        "may_cost": Column(
            f"Offer may cost, per {study.words.told('buyer')}",
            "exact",
            "may_cost_low",
            "may_cost_high",
        ),
    }
    if not study.has_margin:
        columns["profit"] = Column(f"{_gains(study)} if that happens", "money", "profit_low", "profit_high")
        columns = {name: column for name, column in columns.items() if name not in ("pays", "break_even")}
    elif frame["break_even"].isna().any():
        columns.pop("break_even")
    if frame["may_cost"].isna().all():
        columns.pop("may_cost")
    ends = [end for column in columns.values() for end in (column.low, column.high) if end is not None]
    caption = (
        f"Each cell in money{_in_rounds(study)}. “Rise” means the rise in the share who {acts_of(study).act}, in percentage points above "
        f"the control. Small figures are {form.share(params.level)} intervals; the last one covers both chance in the result and "
        "uncertainty about the rise."
    )
    return Table(caption, frame[[*columns, *ends]], columns, form)


def _gains(study: Study) -> str:
    return "Revenue" if study.margin is None else study.margin.word.capitalize()


def _in_rounds(study: Study) -> str:
    return f", all {study.plan.rounds} rounds together" if study.plan.rounds > 1 else ""


def options_table(study: Study) -> Table:
    """Tests that were tried: the one as asked, and what was changed of it."""
    params, form = study.params, study.context.form
    rows = []
    for plan in _told(study):
        label = form.count(len(plan.cells))
        if plan is study.plan:
            label += " (planned)" if study.advised else " (the best)"
        elif plan is study.tried[0]:
            label += " (as asked)"
        rows.append(
            {
                "cells": label,
                "window": plan.setting.window,
                "rounds": plan.rounds,
                "per_cell": min(plan.sizes[cell] for cell in plan.cells),
                "control": plan.sizes[""],
                "shows": points(plan.detectable, form),
                "chance": plan.chance,
            }
        )
    columns = {
        "cells": Column("Cells"),
        "window": Column("Days", "count"),
        "rounds": Column("Rounds", "count"),
        "per_cell": Column(f"{study.words.many.capitalize()} each", "count"),
        "control": Column("Control", "count"),
        "shows": Column("Smallest rise it can show"),
        "chance": Column("Chance of showing the expected rise", "share"),
    }
    caption = (
        f"Tests with the same list, at {form.share(params.power)} power and {form.share(params.level)} confidence over all cells together "
        "(max-t): with fewer cells (keeping those from which most is expected), a longer window, or several rounds pooled. The chance "
        "shown is the smallest of all cells."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def _told(study: Study) -> list[Plan]:
    """Of the tests that were tried: every number of cells as asked, then the best of each window and number of rounds."""
    first = study.tried[0]
    shown = [one for one in study.tried if one.setting is first.setting and one.rounds == first.rounds]
    groups: dict[tuple[int, int], Plan] = {}
    for one in study.tried:
        if one not in shown:
            key = (one.rounds, one.setting.window)
            groups[key] = max(groups.get(key, one), one, key=lambda plan: plan.chance)
    rest = {
        count: [one for (rounds, _), one in groups.items() if rounds == count] for count in sorted({key[0] for key in groups})
    }
    for count, some in rest.items():
        shown += some if count == first.rounds else [max(some, key=lambda plan: plan.chance)]
    return shown if study.plan in shown else [*shown, study.plan]


def balance_table(study: Study) -> Table | Absent:
    """Cells and their control before anything is sent."""
    if not study.advised:
        return NOT_NOW
    form = study.context.form
    names = names_of(study)
    frame = study.balance.copy()
    frame["name"] = [names[str(one)] for one in frame["cell"]]
    frame["covariate"] = [said(one, study) for one in frame["covariate"]]
    shown = frame[["covariate", "name", "mean", "mean_control", "difference", "low", "high"]]
    columns = {
        "covariate": Column("Known beforehand"),
        "name": Column("Cell"),
        "mean": Column("Mean", "number"),
        "mean_control": Column("Control", "number"),
        "difference": Column("Difference, in standard deviations", "number", "low", "high"),
    }
    caption = (
        f"Cells compared with their control before sending; small figures are {form.share(1 - BALANCE_ALPHA)} intervals that hold for all "
        "rows at once."
    )
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
    columns = {
        "campaign": Column("Campaign", "name"),
        "what": Column("Cell"),
        "n": Column(study.words.many.capitalize(), "count"),
        "share": Column(acts_of(study).acted.capitalize(), "share"),
        "base": Column(f"Control {acts_of(study).acted}", "share"),
        "rise": Column("Rise, points", "number", "rise_low", "rise_high"),
        "spend": Column(
            f"Extra {'gifts' if study.words.unit == 'year' else 'spend'} per {study.words.one}",
            "exact",
            "spend_low",
            "spend_high",
        ),
    }
    shown = frame[[*columns, "rise_low", "rise_high", "spend_low", "spend_high"]]
    caption = (
        f"What past cells achieved beyond their controls while their windows were open; small figures are "
        f"{form.share(params.level)} intervals, each taken on its own. If more people {acts_of(study).act} but each "
        f"{study.words.fill('{pay}')}s less, nothing may be gained."
    )
    return Table(caption, shown.reset_index(drop=True), columns, form)
