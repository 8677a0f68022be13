"""Whether this way of choosing would have paid: judged on past campaigns whose cells were drawn by lot, by what came of them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.deciding import action_of
from crmlab.analyses.actions.effects import Priced, past_cells, priced
from crmlab.analyses.actions.people import Gains, People, gains_of, people_of
from crmlab.analyses.campaigns import drawn, known_cells, measured
from crmlab.errors import CrmlabError, DataError, ModelError
from crmlab.history.sending import sends
from crmlab.models.decisions import policy_difference
from crmlab.page.texts import titled

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.analyses.actions.declaring import Action, Goal
    from crmlab.analyses.campaigns import Measured, Past
    from crmlab.history.past import History

    Array = npt.NDArray[np.float64]
    Texts = npt.NDArray[np.object_]

__all__ = ["ALL_JUDGED", "MOST_JUDGED", "Judged", "judged_of"]

MOST_JUDGED = 3  # campaigns, the latest: each asks what customers were worth when it opened
ALL_JUDGED = "all together"
_NO_TEST = (
    "none of its cells compared with an uncontacted control tried an offer of known cost whose effect is known from elsewhere"
)
_NOTHING = ""  # the arm of those who are sent nothing; no action has this name
_COLUMNS = [
    "campaign",
    "customers",
    "chosen",
    *(f"{than}{end}" for than in ("nobody", "everybody") for end in ("", "_low", "_high")),
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What choosing as today would have brought in past campaigns.

    Attributes
    ----------
    campaigns : DataFrame
        A row per campaign that could be judged, in the order in which they opened, and where there are several :data:`ALL_JUDGED`:
        campaign, customers (of its cells and controls), chosen (whom this way would have contacted), nobody, nobody_low, nobody_high
        (money more than had nobody been contacted) and the same of everybody (than had each got the action that brings most on average).
        A comparison is missing where the two ways differ on so few that the lot did what one of them would have done with none of these.
    left_out : tuple of str
        A sentence for each of the latest campaigns that could not be judged.
    """

    campaigns: pd.DataFrame
    left_out: tuple[str, ...] = ()


class _Told(NamedTuple):
    """What was known of customers when a campaign opened: what each action would bring, and what they bring within its window anyway."""

    people: People
    gains: Gains
    anyway: Array


def judged_of(
    history: History,
    actions: Sequence[Action],
    goals: Sequence[Goal],
    *,
    columns: Sequence[str],
    margin: float | None,
    level: float,
    seed: int,
) -> Judged:
    """Judge this way of choosing on the latest past campaigns.

    Each customer would have got the action that was expected to bring most with them, of those that a cell of the campaign tried, or
    nothing; by what was bought up to the day before the campaign opened, and by effects as all other campaigns have measured them. Rows
    in which the lot did just that stand for all, by the inverse of how likely it was. Budgets, capacities, limits on contacts, contact
    pressure, consent and households are left aside: the lists of past campaigns were drawn with them in mind. Effects of other
    campaigns, the kind of model and attributes of customers may be known only since; what came of the campaign plays no part in its
    effects.

    Parameters
    ----------
    history : History
        Whose margin is known.
    actions : sequence of Action
    goals : sequence of Goal
    columns : sequence of str
        What criteria name.
    margin : float, optional
        Share of spend that is kept; default: as the data set says.
    level : float
        Of the intervals.
    seed : int
        Of the recipe of value.

    Returns
    -------
    Judged

    References
    ----------
    As of :func:`crmlab.models.decisions.policy_difference`.
    """
    past = past_cells(history, level)
    own = past.cells[past.cells["from"] == "data"] if len(past.cells) else past.cells
    names = list(dict.fromkeys(own["campaign"].astype(str)))[-MOST_JUDGED:] if len(own) else []
    if not names:
        return Judged(campaigns=pd.DataFrame(columns=_COLUMNS))
    cells, rows, gone = known_cells(history.data), [], []
    for name in names:
        try:
            known = _known(history, actions, past.without(name), level)
            found = measured(history.data, name, history.as_of, cells=cells, margin=margin)
            tests = _tests(found, known)
            if not len(tests):
                gone.append(f"“{titled(name)}” is not judged: {_NO_TEST}.")
                continue
            told = _told(history, found, (known, goals, columns), level=level, seed=seed)
            rows.append({"campaign": name} | _judged(tests, told, known, level))
        except CrmlabError as error:
            gone.append(f"“{titled(name)}” is not judged: {error}")
    return Judged(campaigns=_together(rows), left_out=tuple(gone))


def _known(history: History, actions: Sequence[Action], past: Past, level: float) -> tuple[Priced, ...]:
    """The actions whose effects are known by some past campaigns."""
    found: list[Priced] = []
    for one in actions:
        try:
            found += priced(history, [one], level, past)
        except DataError:  # none of these has measured it
            continue
    return tuple(found)


def _told(
    history: History,
    found: Measured,
    asked: tuple[tuple[Priced, ...], Sequence[Goal], Sequence[str]],
    *,
    level: float,
    seed: int,
) -> _Told:
    actions, goals, columns = asked
    opens, closes = min(found.days["opens"]), max(found.days["last"])
    then = history.earlier(opens - dt.timedelta(days=1))
    choice = customer_value.chosen(history)
    people = people_of(then, columns, margin=found.margin.share, level=level, seed=seed, choice=choice)
    told = customer_value.told(then, (closes - opens).days + 1, choice)
    anyway = people.margin * people.frame["spend"].to_numpy(float) * told["expected_purchases"].to_numpy(float)
    return _Told(people, gains_of(then, people, actions, goals), np.nan_to_num(anyway))


def _tests(found: Measured, actions: Sequence[Priced]) -> pd.DataFrame:
    """Customers of the tests that tell something of the actions, and the arm that the lot drew: as of ``drawn``, with arm.

    In them an action was tried beside a control that got nothing, and what every offer costs is known.
    """
    arms, unpriced = _arms(found, actions), set(found.offers_unknown)
    rows = drawn(found)
    rows = rows.assign(arm=rows["cell_id"].map(arms))
    names = {one.name for one in actions}

    def tells(some: pd.DataFrame) -> bool:
        tried = set(some["arm"])
        return bool(names & tried) and _NOTHING in tried and unpriced.isdisjoint(some["cell_id"])

    good = [test for test, some in rows.groupby("test") if tells(some)]
    return rows[rows["test"].isin(good)].reset_index(drop=True)


def _judged(rows: pd.DataFrame, told: _Told, actions: tuple[Priced, ...], level: float) -> dict[str, float]:
    """What this way of choosing would have brought in a campaign: sums over its tests, whose squared half widths add up."""
    place = pd.Index(told.people.ids).get_indexer(rows["customer_id"])
    sums = {"customers": 0, "chosen": 0, "nobody": 0.0, "everybody": 0.0}
    halves = {(name, side): 0.0 for name in ("nobody", "everybody") for side in (0, 1)}
    for _, mine in rows.groupby("test"):
        taken = mine["arm"].to_numpy(object)
        names = [one.name for one in actions if one.name in set(taken)]
        where = place[mine.index.to_numpy()]
        gains = np.where((where >= 0)[:, None], told.gains.gains[names].to_numpy(float)[where], np.nan)
        chosen = _best(gains, names)
        first = np.full(len(mine), names[int(np.argmax(np.nansum(gains, axis=0)))], dtype=object)
        of_arm = mine.drop_duplicates("cell_id").groupby("arm")["share"].sum()
        chance = pd.Series(taken).map(of_arm).to_numpy(float)
        anyway = np.where(where >= 0, told.anyway[where], 0.0)
        nothing = np.full(len(mine), _NOTHING, dtype=object)
        sums["customers"] += len(mine)
        sums["chosen"] += int((chosen != _NOTHING).sum())
        for name, other in (("nobody", nothing), ("everybody", first)):
            told_of = tuple(anyway + _expected(told, arm, where, names) for arm in (chosen, other))
            try:
                value, low, high, _ = policy_difference(
                    mine["profit"], taken, (chosen, other), chance,
                    predicted=(told_of[0], told_of[1]), who=mine["unit"], level=level,
                )  # fmt: skip
            except ModelError:  # the two differ on too few for the lot to have done what each of them would
                value = low = high = math.nan
            sums[name] += len(mine) * value
            halves[name, 0] += (len(mine) * (value - low)) ** 2
            halves[name, 1] += (len(mine) * (high - value)) ** 2
    ends = {
        f"{name}{end}": sums[name] + side * math.sqrt(halves[name, k])
        for name in ("nobody", "everybody")
        for k, (end, side) in enumerate((("_low", -1), ("_high", 1)))
    }
    return sums | ends


def _best(gains: Array, names: list[str]) -> Texts:
    """The action that is expected to bring most with each, or nothing where none brings anything."""
    filled = np.where(np.isnan(gains), -np.inf, gains)
    best = np.array(names, dtype=object)[filled.argmax(axis=1)]
    return np.where(filled.max(axis=1) > 0, best, _NOTHING).astype(object)


def _expected(told: _Told, arm: Texts, where: npt.NDArray[np.int64], names: list[str]) -> Array:
    """What each arm was expected to bring with each customer beyond what comes anyway; of strangers nothing is expected."""
    out = np.zeros(len(arm))
    for name in names:
        mine = (arm == name) & (where >= 0)
        gains = told.gains.gains[name].to_numpy(float)
        out[mine] = np.nan_to_num(gains[where[mine]])
    return out


def _arms(found: Measured, actions: Sequence[Priced]) -> dict[str, str]:
    """What each cell did: an action, nothing, or something that is no action."""
    cells = found.cells
    out = sends(cells)

    def of(row: dict[str, object], name: str) -> str:
        value = row.get(name)
        return "" if value is None or pd.isna(value) else str(value)

    arms = {}
    for row, sent in zip(cells.to_dict("records"), out, strict=True):
        name = action_of([one.action for one in actions], of(row, "offer"), of(row, "channel")) if sent else _NOTHING
        # No action has a name like this: none begins with a blank.
        arms[str(row["cell_id"])] = f" {row['cell_id']}" if name is None else name
    return arms


def _together(rows: list[dict[str, object]]) -> pd.DataFrame:
    """All campaigns, and what they bring together: squares of the distances to their ends add up."""
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    if len(frame) < 2:
        return frame
    total: dict[str, object] = {"campaign": ALL_JUDGED} | {name: int(frame[name].sum()) for name in ("customers", "chosen")}
    for name in ("nobody", "everybody"):
        value = total[name] = float(frame[name].sum(skipna=False))
        for end, side in (("_low", -1), ("_high", 1)):
            total[f"{name}{end}"] = value + side * math.sqrt(
                float(((frame[f"{name}{end}"] - frame[name]) ** 2).sum(skipna=False))
            )
    return pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
