"""Reads the plan of a campaign: a TOML file with the list, the cells, and who is compared with whom."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.codes import check_code, normalised, response_codes
from crmlab.errors import CampaignError, PlanError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEAST_SALT", "CampaignPlan", "read_plan"]


_TEXT, _NUMBER, _DAY, _SHARE, _COUNT, _FLAG = "a text in quotes", "a number of at least 0", "a date such as 2025-03-01", (
    "a number between 0 and 1"
), "a whole number of at least 1", "true or false"  # fmt: skip
# What a cell may say; what stands at the top holds for every cell that does not say otherwise.
_CELL = {
    "name": _TEXT,
    "program": _TEXT,
    "control": _TEXT,
    "code": _TEXT,
    "offer": _TEXT,
    "list": _TEXT,
    "creative": _TEXT,
    "channel": _TEXT,
    "cost_per_contact": _NUMBER,
    "fixed_cost": _NUMBER,
    "share": _SHARE,
    "opens_on": _DAY,
    "closes_on": _DAY,
}
_SHARED = ("program", "list", "channel", "creative", "offer", "cost_per_contact", "opens_on", "closes_on")
_TOP = {
    "campaign": _TEXT,
    "salt": _TEXT,
    "criteria": "a list of texts",
    "qualify": "a list of texts",
    "contacted_within": "a whole number of at least 0",
    "seeds": "a list of texts",
    "one_per_household": _FLAG,
    "by": _TEXT,
    "strata": _TEXT,
    "sample": _COUNT,
    "score": _TEXT,
    "exact": _FLAG,
    "holdout": _SHARE,
    "holdout_salt": _TEXT,
}
_COLUMN = {
    "name": "cell_id",
    "program": "program_id",
    "control": "control_cell_id",
    "code": "response_code",
    "share": "planned_share",
}
LEAST_SALT = 8


@dataclass(frozen=True, eq=False)
class CampaignPlan:
    """A plan: the campaign's name, its cells in canonical form, and how its list is drawn and split."""

    campaign: str
    cells: pd.DataFrame = field(repr=False)
    details: Mapping[str, Any]


def read_plan(path: Path, taken: Collection[str] = ()) -> CampaignPlan:
    """Read and check the plan of a campaign.

    Parameters
    ----------
    path : Path
        A TOML file: ``campaign`` and ``salt`` at the top, then one ``[[cell]]`` each.
    taken : collection of str
        Codes of other campaigns.

    Returns
    -------
    CampaignPlan
        Cells that are contacted (those with a control) and name no code have got one.

    Raises
    ------
    PlanError
        No such file, not TOML, an unknown key, a value of the wrong type or out of range.
    CampaignError
        A code's check character does not fit.
    """
    content = _content(path)
    known = (*_TOP, *_SHARED, "cell")
    for key, value in content.items():
        if key not in known:
            raise PlanError.unknown_key(path.name, "", key, known)
        if key != "cell":
            _check(path.name, key, value, _TOP.get(key) or _CELL[key])
    for key in ("campaign", "salt"):
        if key not in content:
            raise PlanError.expected(path.name, key, "given", "nothing")
    if len(content["salt"].strip()) < LEAST_SALT:
        raise PlanError.expected(path.name, "salt", f"a text of at least {LEAST_SALT} characters", content["salt"])
    if ("holdout" in content) != ("holdout_salt" in content):
        raise PlanError.expected(path.name, "holdout", "given together with holdout_salt", "one of the two")
    given = content.get("cell")
    if not isinstance(given, list) or not given or not all(isinstance(cell, dict) for cell in given):
        raise PlanError.expected(path.name, "cell", "given at least once, as [[cell]]", given or "nothing")
    shared = {key: content[key] for key in _SHARED if key in content}
    cells = _cells(path.name, content["campaign"], given, shared, taken)
    details = {key: value for key, value in content.items() if key in _TOP and key != "campaign"}
    return CampaignPlan(content["campaign"], cells, details)


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PlanError.no_campaign(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError.not_toml(path.name, error, "[[cell]]") from error


def _cells(
    where: str, campaign: str, given: list[dict[str, Any]], shared: Mapping[str, Any], taken: Collection[str]
) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for number, cell in enumerate(given, start=1):
        section = f"[[cell]] {cell.get('name', number)}"
        for key, value in cell.items():
            if key not in _CELL:
                raise PlanError.unknown_key(where, section, key, _CELL)
            _check(where, f"{section} {key}", value, _CELL[key])
        for key in ("name", "share"):
            if key not in cell:
                raise PlanError.expected(where, f"{section} {key}", "given", "nothing")
        # A control is sent nothing: what the others share of offer and cost is not its own.
        control = "control" not in cell
        own = {
            key: value for key, value in shared.items() if not (control and key in ("offer", "creative", "cost_per_contact"))
        }
        rows.append({"campaign": campaign, **dict.fromkeys(_CELL), **own, **cell})
    for row in rows:
        if row["code"] is not None and not check_code(row["code"]):
            expectation = "a code whose last character checks the others"
            raise CampaignError.expected(
                f"The code of cell {row['name']!r}", expectation, row["code"], "Leave it out to be given one."
            )
        row["code"] = None if row["code"] is None else normalised(row["code"])
    own_codes = {row["code"] for row in rows} - {None}
    nameless = [row["name"] for row in rows if row["control"] is not None and row["code"] is None]
    made = response_codes(list(dict.fromkeys(nameless)), campaign, taken={*taken, *own_codes})
    for row in rows:
        if row["control"] is not None and row["code"] is None:
            row["code"] = made[row["name"]]
    frame = pd.DataFrame(rows, dtype=object).rename(columns={**_COLUMN, "campaign": "campaign_id"})
    return frame.where(frame.notna(), None)


def _check(where: str, key: str, value: Any, expectation: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    good = {
        _TEXT: isinstance(value, str) and bool(value.strip()),
        _NUMBER: number and 0 <= value < float("inf"),
        _SHARE: number and 0 <= value <= 1,
        _COUNT: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
        _DAY: isinstance(value, dt.date) and not isinstance(value, dt.datetime),
        _FLAG: isinstance(value, bool),
        "a whole number of at least 0": isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        "a list of texts": isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value),
    }[expectation]
    if not good:
        raise PlanError.expected(where, key, expectation, value)
