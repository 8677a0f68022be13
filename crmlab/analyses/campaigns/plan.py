"""Reads the plan of a campaign: a TOML file with the list, the cells, and who is compared with whom."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass as validated

from crmlab.analyses.campaigns.holdout import LEAST_SALT
from crmlab.analyses.customers import conditions
from crmlab.data.codes import check_code, normalised, response_codes
from crmlab.data.memory.rules import OFFER_COSTS, cell_problems, share_problems
from crmlab.data.toml import STRICT, checked, holds, must, names
from crmlab.errors import CampaignError, CrmlabError, PlanError
from crmlab.errors.validation import Faults
from crmlab.history.sending import sends

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CampaignPlan", "read_plan"]


_Words = Annotated[str, holds(lambda text: bool(text.strip()))]
_Text = Annotated[_Words, must("a text in quotes")]
_Texts = Annotated[tuple[_Words, ...], Field(strict=False), must("a list of texts")]
_Cost = Annotated[float, Field(ge=0, allow_inf_nan=False), must("a number of at least 0")]
_Discount = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), must("a number of at least 0 and under 1")]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), must("a number between 0 and 1")]
_Day = Annotated[dt.date, must("a date such as 2025-03-01")]
_Salt = Annotated[
    _Text, holds(lambda text: len(text.strip()) >= LEAST_SALT), must(f"a text of at least {LEAST_SALT} characters")
]


@validated(frozen=True, config=STRICT, kw_only=True)
class _Shared:
    """What stands at the top for every cell that does not say otherwise."""

    program: _Text | None = None
    list: _Text | None = None
    channel: _Text | None = None
    creative: _Text | None = None
    offer: _Text | None = None
    cost_per_contact: _Cost | None = None
    cost_per_response: _Cost | None = None
    discount: _Discount | None = None
    opens_on: _Day | None = None
    closes_on: _Day | None = None


@validated(frozen=True, config=STRICT, kw_only=True)
class _Cell(_Shared):
    name: _Text
    share: _Share
    control: _Text | None = None
    code: _Text | None = None
    fixed_cost: _Cost | None = None


@validated(frozen=True, config=STRICT, kw_only=True)
class _Plan(_Shared):
    campaign: _Text
    salt: _Salt
    criteria: _Texts = ()
    qualify: _Texts = ()
    contacted_within: Annotated[int, Field(ge=0), must("a whole number of at least 0")] | None = None
    seeds: _Texts = ()
    one_per_household: bool = False
    by: _Text | None = None
    strata: _Text | None = None
    sample: Annotated[int, Field(ge=1), must("a whole number of at least 1")] | None = None
    score: _Text | None = None
    exact: bool = False
    holdout: _Share | None = None
    holdout_salt: _Salt | None = None


_SENT = ("offer", "creative", "cost_per_contact", *OFFER_COSTS)  # of what is sent: none of it a control's
_COLUMN = {
    "name": "cell_id",
    "program": "program_id",
    "control": "control_cell_id",
    "code": "response_code",
    "share": "planned_share",
}


@dataclass(frozen=True, eq=False)
class CampaignPlan:
    """A plan: the campaign's name, its cells in canonical form, and how its list is drawn and split."""

    campaign: str
    cells: pd.DataFrame = field(repr=False)
    details: Mapping[str, Any]


# What is wrong with a plan beside other campaigns, or beside a data set: given its campaign, cells and details.
Checks = Callable[[str, "pd.DataFrame", Mapping[str, Any]], Iterable[CrmlabError]]


def read_plan(path: Path, taken: Collection[str] = (), further: Checks | None = None) -> CampaignPlan:
    """Read and check the plan of a campaign.

    Parameters
    ----------
    path : Path
        A TOML file: ``campaign`` and ``salt`` at the top, then one ``[[cell]]`` each.
    taken : collection of str
        Codes of other campaigns.
    further : callable, optional
        Gives further faults of a campaign, its cells and its details; it is asked of what can be understood of the plan.

    Returns
    -------
    CampaignPlan
        Cells that send something and name no code have got one.

    Raises
    ------
    PlanError
        No such file, not TOML, or everything that is wrong in it, a line each: unknown keys, values of the wrong type or out of range,
        codes whose check character does not fit, conditions that cannot be read, cells that make no test.
    """
    content = _content(path)
    faults = Faults(PlanError, path.name, content)
    faults.unknown((), "", content, (*names(_Plan), "cell"))
    top = {key: content[key] for key in content if key in names(_Plan)}
    checked(_Plan, top, faults, (), "")
    if ("holdout" in content) != ("holdout_salt" in content) and not any(map(faults.mistyped, ("holdout", "holdout_salt"))):
        at = "holdout" if "holdout" in content else "holdout_salt"
        faults.add((at,), PlanError.expected(f"{path.name}: holdout", "given together with holdout_salt", "one of the two"))
    given = content.get("cell")
    if isinstance(given, list) and given and all(isinstance(cell, dict) for cell in given):
        for number, cell in enumerate(given):
            _check_cell(number, cell, faults)
    elif not faults.mistyped("cell"):
        faults.expected(("cell",), "", "given at least once, as [[cell]]", given or "nothing")
    for key in ("criteria", "qualify"):
        for text in _sound(_Plan, _LEAST_PLAN, top).get(key, ()):
            _check_condition(key, text, faults)
    made = _made(content, top, taken)
    if made is not None:
        _check_cells(made, content["cell"], faults)
        for error in further(made.campaign, made.cells, made.details) if further is not None else ():
            faults.add(("cell",), error)
    faults.tell()
    assert made is not None
    return made


_LEAST_PLAN = {"campaign": "x", "salt": "x" * LEAST_SALT}
_LEAST_CELL = {"name": "x", "share": 0.0}


def _sound(model: type[Any], least: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are as they must be."""

    def fits(key: str, value: Any) -> bool:
        return checked(model, {**least, key: value}, Faults(PlanError, "", {}), (), "") is not None

    return {key: value for key, value in values.items() if key in names(model) and fits(key, value)}


def _made(content: Mapping[str, Any], top: Mapping[str, Any], taken: Collection[str]) -> CampaignPlan | None:
    """The plan of all in it that is as it must be; None where not even its cells have names."""
    plan, given = _sound(_Plan, _LEAST_PLAN, top), content.get("cell")
    if not isinstance(given, list) or not given or not all(isinstance(cell, dict) for cell in given) or "campaign" not in plan:
        return None
    sound = [_sound(_Cell, _LEAST_CELL, cell) for cell in given]
    if not all("name" in cell for cell in sound):
        return None
    cells = [{key: value for key, value in cell.items() if key != "code" or check_code(value)} for cell in sound]
    shared = {key: plan[key] for key in names(_Shared) if key in plan}
    details = {key: value for key, value in plan.items() if key not in ("campaign", *shared)}
    return CampaignPlan(plan["campaign"], _cells(plan["campaign"], cells, shared, taken), details)


def _check_condition(key: str, text: str, faults: Faults) -> None:
    try:
        conditions(text)
    except CampaignError as error:
        faults.add((key,), error)


def _check_cells(plan: CampaignPlan, given: list[dict[str, Any]], faults: Faults) -> None:
    """What keeps the cells from being a test. Whether codes are used twice is asked of those that the file names: others are made."""
    name, cells = plan.campaign, plan.cells
    if name != name.strip() or not name.isprintable():
        faults.add(("campaign",), PlanError.must_be("The name of a campaign", "a text without blanks at its ends", name))
    inherit = [not {"opens_on", "closes_on"} & set(cell) for cell in given]
    for number in [number for number, same in enumerate(inherit) if same][1:]:  # a window that all share is told of once
        cells = cells.assign(opens_on=cells["opens_on"].mask(cells.index == number, None))
    once = cells.drop_duplicates("cell_id") if cells["cell_id"].duplicated().any() else cells
    twice = cells[cells["cell_id"].duplicated(keep=False)].drop(columns="response_code")
    problems = [*cell_problems(once), *cell_problems(twice.assign(control_cell_id=None))]
    if cells["planned_share"].notna().all():
        problems += share_problems(cells)
    for error in problems:
        faults.add(("cell",), error)


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PlanError.no_campaign(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError.not_toml(path.name, error, "[[cell]]") from error


def _check_cell(number: int, cell: dict[str, Any], faults: Faults) -> None:
    name, code = cell.get("name", number + 1), cell.get("code")
    checked(_Cell, cell, faults, ("cell", number), f"[[cell]] {name}")
    if isinstance(code, str) and code.strip() and not check_code(code):
        expectation = "a code whose last character checks the others"
        hint = "Leave it out to be given one."
        faults.add(("cell", number, "code"), PlanError.expected(f"The code of cell {name!r}", expectation, code, hint))


def _cells(campaign: str, given: list[dict[str, Any]], shared: Mapping[str, Any], taken: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = [{"campaign": campaign, **dict.fromkeys(names(_Cell)), **cell} for cell in given]
    sending = sends(pd.DataFrame(rows, dtype=object).rename(columns=_COLUMN)).tolist()
    for row, out in zip(rows, sending, strict=True):
        # A control is sent nothing: what the others share of offer and cost is not its own.
        more = [key for key in shared if row[key] is None and (out or key not in _SENT)]
        row |= {key: shared[key] for key in more}
        row["code"] = None if row["code"] is None else normalised(row["code"])
    own_codes = {row["code"] for row in rows} - {None}
    nameless = [row for row, out in zip(rows, sending, strict=True) if out and row["code"] is None]
    made = response_codes(list(dict.fromkeys(row["name"] for row in nameless)), campaign, taken={*taken, *own_codes})
    for row in nameless:
        row["code"] = made[row["name"]]
    frame = pd.DataFrame(rows, dtype=object).rename(columns={**_COLUMN, "campaign": "campaign_id"})
    return frame.where(frame.notna(), None)
