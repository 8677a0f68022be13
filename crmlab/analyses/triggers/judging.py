"""Whether a trigger tells more than chance, and more than a simple rule: judged on past days, and said in words.

Each trigger is compared with all eligible customers of the same days, and with as many of them as it chose, taken by a simple rule: where
it expects no purchase, those silent longest; where it expects one, those who bought most often. The simple rules themselves are held
against all eligible customers of all past days. A trigger works where it beats both, a rule where it beats all: after Benjamini and
Hochberg over all triggers that are judged, and over the simple rules. These are a family of their own: they are sure discoveries nearly
everywhere, and in one family with the triggers they would loosen the correction of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.triggers.naming import OFTEN, SILENT
from crmlab.analyses.triggers.pools import Pool
from crmlab.models.lift import Lift, first_of, lift_of, spread_over

if TYPE_CHECKING:
    from crmlab.analyses.triggers.rules import Trigger
    from crmlab.models.intervals import FloatArray

__all__ = [
    "BASES",
    "FEWEST",
    "NO",
    "RULES",
    "UNKNOWN",
    "YES",
    "Verdicts",
    "bands_of",
    "judged",
    "simple",
]

FEWEST = 30  # customers on either side, below which nothing is said of a trigger
YES, NO, UNKNOWN = "yes", "no", "not judged yet"
BASES = ("all", "rule")  # what a trigger is compared with: all eligible, and as many by the simple rule
RULES = {SILENT: False, OFTEN: True}  # name of the simple rule, and whether it is to find who will buy


class Verdicts(NamedTuple):
    """What was found of the triggers, and of the simple rules.

    Attributes
    ----------
    triggers : DataFrame
        One row per trigger: name, moments (on past days), tested (customers who had them), true (share that came true), for each of ``all``
        and ``rule`` base (how often it came true of those, on its days), lift, difference, p, adjusted, and the ends of each interval
        (``_low``, ``_high``); works: yes, no, or not judged yet; verdict, in words.
    rules : DataFrame
        One row per simple rule that can be judged: name, buys, works (whether it is shown to beat all eligible), true, base (of all
        eligible on all past days), lift, and the ends of each interval; difference, p, adjusted.
    """

    triggers: pd.DataFrame
    rules: pd.DataFrame


def simple(pool: Pool, chosen: npt.ArrayLike, *, buys: bool) -> FloatArray:
    """Weights of as many rows of each stratum as are chosen, by a simple rule.

    Parameters
    ----------
    pool : Pool
    chosen : array of n booleans, or of parts of places
    buys : bool
        Whether a purchase is expected: then those who bought most often within the reach, of those alike who bought last; else those
        who have been silent longest.
    """
    keys = (pool.often, -pool.silent) if buys else (pool.silent,)
    return first_of(pool.stratum, chosen, *keys)


def judged(triggers: Sequence[Trigger], pools: tuple[Pool, Pool], level: float) -> Verdicts:
    """Hold each trigger against both bases, and each simple rule against all eligible customers.

    Parameters
    ----------
    triggers : sequence of Trigger
    pools : (Pool, Pool)
        Of customers, and of customers and products.
    level : float
        Of intervals; what is not shown at it, after Benjamini and Hochberg, does not count.

    Returns
    -------
    Verdicts
    """
    table = pd.DataFrame([_row(trigger, pools[trigger.of_products], level) for trigger in triggers])
    rules = _rules(triggers, pools[0], level)
    for base in BASES:
        table[f"adjusted_{base}"] = _adjusted(table[f"p_{base}"])
    rules["adjusted"] = _adjusted(rules["p"])
    told = [_verdict(row, level) for row in table.to_dict("records")]
    sides = [_side(row["difference"], row["adjusted"], 1 - level) for row in rules.to_dict("records")]
    return Verdicts(
        table.assign(works=[works for works, _ in told], verdict=[said for _, said in told]),
        rules.assign(works=np.array(sides, dtype=int) > 0),
    )


def _rules(triggers: Sequence[Trigger], pool: Pool, level: float) -> pd.DataFrame:
    """Each simple rule against all eligible customers of all past days.

    It takes as many as had a moment of a trigger that expects the same, the same share of the eligible on each day: so the days count as
    they do for all eligible, and what is compared with is one number for both rules.
    """
    rows = []
    for name, buys in RULES.items():
        flags = [pool.fired[one.name] for one in triggers if one.buys == buys and not one.of_products]
        chosen = np.logical_or.reduce(flags) if flags else np.zeros(len(pool.who), dtype=bool)
        if len(np.unique(pool.who[chosen])) < FEWEST:
            continue
        taken = simple(pool, np.full(len(chosen), chosen.mean()), buys=buys)
        found = lift_of(pool.bought == buys, taken, np.ones(len(chosen)), pool.who, level)
        spread = _spread({"true": found.share, "base": found.base, "lift": found.ratio})
        rows.append({"name": name, "buys": buys, **spread, "difference": found.difference[0], "p": found.p_value})
    return pd.DataFrame(rows, columns=["name", "buys", *_names("true", "base", "lift"), "difference", "p"])


def bands_of(trigger: Trigger, pool: Pool, ends: Sequence[float], level: float) -> pd.DataFrame:
    """Compare customers with a moment with others who have been silent about as long, and had none.

    Parameters
    ----------
    trigger : Trigger
    pool : Pool
    ends : sequence of float
        Days since the last purchase at which bands end.
    level : float

    Returns
    -------
    DataFrame
        name, above, to (days since the last purchase), tested (customers with a moment), others (customers without one), true, base, lift,
        and the ends of each interval; only bands with at least 30 customers with a moment. Base and lift are missing where fewer than 30
        others are there: nobody to compare with.
    """
    fired, came = pool.fired[trigger.name], pool.bought == trigger.buys
    rows = []
    for above, to in zip((-1.0, *ends[:-1]), ends, strict=True):
        inside = (pool.silent > above) & (pool.silent <= to)
        some = fired & inside
        tested = len(np.unique(pool.who[some]))
        if tested < FEWEST:
            continue
        weights = spread_over(pool.stratum, some, inside & ~fired)
        others = len(np.unique(pool.who[weights > 0]))
        met = some & np.isin(pool.stratum, pool.stratum[weights > 0])  # a day without others says nothing
        enough = others >= FEWEST and len(np.unique(pool.who[met])) >= FEWEST
        whole = lift_of(came, some, some, pool.who, level)
        found = lift_of(came, met, weights, pool.who, level) if enough else None
        row = {"name": trigger.name, "above": above, "to": to, "tested": tested, "others": others}
        rows.append({**row, **_spread({"true": found.share if found else whole.share, **_compared(found)})})
    return pd.DataFrame(rows, columns=["name", "above", "to", "tested", "others", *_names("true", "base", "lift")])


def _row(trigger: Trigger, pool: Pool, level: float) -> dict[str, Any]:
    fired, came = pool.fired[trigger.name], pool.bought == trigger.buys
    tested = len(np.unique(pool.who[fired]))
    row: dict[str, Any] = {"name": trigger.name, "moments": int(fired.sum()), "tested": tested}
    found: dict[str, Lift | None] = dict.fromkeys(BASES)
    if tested >= FEWEST:
        every = spread_over(pool.stratum, fired, np.ones(len(fired), dtype=bool))
        found["all"] = lift_of(came, fired, every, pool.who, level)
        found["rule"] = lift_of(came, fired, simple(pool, fired, buys=trigger.buys), pool.who, level)
    first = found["all"]
    row |= _spread({"true": first.share if first else _MISSING})
    for base, one in found.items():
        row |= _spread({f"{name}_{base}": ends for name, ends in _compared(one).items()})
        row |= _spread({f"difference_{base}": one.difference if one else _MISSING})
        row[f"p_{base}"] = one.p_value if one else float("nan")
    return row


_MISSING = (float("nan"),) * 3


def _compared(found: Lift | None) -> dict[str, tuple[float, float, float]]:
    return {"base": found.base if found else _MISSING, "lift": found.ratio if found else _MISSING}


def _spread(named: dict[str, tuple[float, float, float]]) -> dict[str, float]:
    """Columns of estimates and their ends."""
    return {column: value for name, ends in named.items() for column, value in zip(_names(name), ends, strict=True)}


def _names(*names: str) -> list[str]:
    return [column for name in names for column in (name, f"{name}_low", f"{name}_high")]


def _adjusted(p: pd.Series) -> pd.Series:
    from scipy import stats

    known = p.dropna()
    found = stats.false_discovery_control(known.to_numpy()) if len(known) else []
    return pd.Series(found, index=known.index, dtype=float).reindex(p.index)


def _verdict(row: dict[str, Any], level: float) -> tuple[str, str]:
    """Whether it works, and why not."""
    if row["adjusted_all"] != row["adjusted_all"]:
        return UNKNOWN, f"not judged yet: fewer than {FEWEST} people had this moment"
    sides = {base: _side(row[f"difference_{base}"], row[f"adjusted_{base}"], 1 - level) for base in BASES}
    if sides["all"] > 0 and sides["rule"] > 0:
        return YES, "works"
    if sides["all"] <= 0:
        return NO, f"does not work here: {'worse than chance' if sides['all'] else 'no better than chance'}"
    return NO, f"does not work here: the simple rule is {'better' if sides['rule'] else 'as good'}"


def _side(difference: float, adjusted: float, most: float) -> int:
    """1 where it is shown to be better, -1 where it is shown to be worse, 0 where neither is shown."""
    return int(np.sign(difference)) if adjusted <= most else 0
