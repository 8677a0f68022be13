"""One test sent in several rounds: each cell of all rounds together, every round against its own control."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.measurement import Measured, covariates_of, known_cells, measured, mismatched, ratio_of
from crmlab.data.memory.reader import COMPONENTS
from crmlab.errors import CrmlabError
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.measures import measure
from crmlab.models.testing.meta import pool_rounds

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = ["Rounds", "rounds_of", "stem_of"]

_ROUND = re.compile(r"(.+)-([1-9]\d?)")
_Key = tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounds:
    """A test in several rounds.

    Attributes
    ----------
    campaigns : tuple of str
        Its rounds, first to last.
    cells : DataFrame
        A row per cell that is sent something: name, n (contacts of all rounds), response (difference of the share who bought) and gain
        (per contact: profit, or revenue where no margin or cost of an offer is known), each with _low and _high, for all cells at once.
    gain : str or None
        "profit" or "spend"; None where nobody's money differs.
    level : float
    """

    campaigns: tuple[str, ...]
    cells: pd.DataFrame
    gain: str | None
    level: float


def stem_of(campaign: str) -> str | None:
    """What the rounds of a test have in common in their names, which end in -1, -2 …; None where a name ends otherwise.

    Examples
    --------
    >>> stem_of("spring-2"), stem_of("spring")
    ('spring', None)
    """
    found = _ROUND.fullmatch(campaign)
    return None if found is None else found[1]


def rounds_of(
    history: History,
    found: Measured,
    *,
    margin: float | None = None,
    level: float = TEST_LEVEL,
    adjust: bool = True,
    min_group: int = 1,
) -> Rounds | None:
    """Pool the rounds of the test that a campaign is one of.

    Parameters
    ----------
    history : History
    found : Measured
        The campaign.
    margin, level, adjust, min_group
        As for the campaign itself.

    Returns
    -------
    Rounds or None
        Campaigns of one name but for their numbers, with cells alike in offer, list, creative and channel, whose windows are over and
        whose cells are of the sizes planned. None where there are not two, this one among them.
    """
    stem, keys = stem_of(found.campaign), _keys(found)
    if stem is None or keys is None:
        return None
    cells = known_cells(history.data)
    rounds = []
    for name in {str(one) for one in cells["campaign_id"] if stem_of(str(one)) == stem}:
        if name == found.campaign:
            one = found
        else:
            try:
                one = measured(history.data, name, history.as_of, cells=cells, margin=margin, min_group=min_group)
            except CrmlabError:
                continue  # not begun, or no test: the table of past campaigns says so
        its = _keys(one)
        if not one.is_open and not mismatched(ratio_of(one, cells)) and its is not None and its.keys() == keys.keys():
            rounds.append(one)
    if len(rounds) < 2 or found not in rounds:
        return None
    rounds.sort(key=lambda one: int(one.campaign.rpartition("-")[2]))
    return _pooled(rounds, keys, level, adjust)


def _keys(one: Measured) -> dict[_Key, str] | None:
    """Cells that are sent something by what they are; None where two are alike."""
    about = one.cells.set_index("cell_id")
    found: dict[_Key, str] = {}
    for cell in one.treated:
        values = [about.at[cell, name] if name in about.columns else None for name in COMPONENTS]
        found[tuple(None if value is None or pd.isna(value) else str(value) for value in values)] = cell
    return found if len(found) == len(one.treated) else None


def _pooled(rounds: list[Measured], keys: dict[_Key, str], level: float, adjust: bool) -> Rounds:
    cells = [[(_keys(one) or {})[key] for key in keys] for one in rounds]
    last = rounds[-1]
    frame = pd.DataFrame(
        {
            "name": [last.name(cell) for cell in cells[-1]],
            "n": [sum(one.stats[mine[place]].n for one, mine in zip(rounds, cells, strict=True)) for place in range(len(keys))],
        }
    )
    earns = all(one.margin.known and not one.unpriced for one in rounds)
    gain = "profit" if earns else "spend"
    told: str | None = gain if all(one.varies(gain) for one in rounds) else None
    for metric, shown in (("response", "response"), *([(told, "gain")] if told else [])):
        if not all(one.varies(metric) for one in rounds):
            continue
        effects, covariances = zip(
            *(_differences(one, mine, metric, adjust) for one, mine in zip(rounds, cells, strict=True)), strict=True
        )
        found = pool_rounds(np.array(effects), np.array(covariances), level)
        frame = frame.join(found.rename(columns={"effect": shown, "low": f"{shown}_low", "high": f"{shown}_high"}))
    return Rounds(campaigns=tuple(one.campaign for one in rounds), cells=frame, gain=told, level=level)


def _differences(one: Measured, cells: list[str], metric: str, adjust: bool) -> tuple[np.ndarray, np.ndarray]:
    """Each cell less its control, and how these differences vary together."""
    names = list(one.stats)
    weights = np.zeros((len(cells), len(names)))
    for row, cell in enumerate(cells):
        weights[row, names.index(cell)] += 1
        weights[row, names.index(one.control[cell])] -= 1
    found = measure(list(one.stats.values()), metric, None, covariates_of(one, metric, adjust=adjust))
    return weights @ found.values, found.spread(weights)[0]
