"""Probabilities of churn as they would have been told on several past days, each from what was known then, held against what came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.churn.model import prepared
from crmlab.analyses.churn.trials import final, shift_of
from crmlab.errors import TooLittleError
from crmlab.models.forecasts.scores import deciles_of
from crmlab.models.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmlab.analyses.churn.model import Plan
    from crmlab.analyses.churn.trials import Trial

__all__ = ["MOST", "Told", "alike", "foretold", "off_by", "on_average", "tenths_of", "totals_of"]

MOST = 3  # past days that are looked at


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What was told on a past day.

    Attributes
    ----------
    day : datetime.date
    in_season : bool
        Whether the season of the window after it was followed, as was known then.
    rows : DataFrame
        All who were eligible: customer_id, probability (told), churned (what came).
    """

    day: dt.date
    in_season: bool
    rows: pd.DataFrame

    @property
    def told(self) -> float:
        """Share that was told to churn."""
        return float(self.rows["probability"].mean())

    @property
    def came(self) -> float:
        """Share that churned."""
        return float(self.rows["churned"].mean())


def foretold(
    scheme: Plan,
    tested: Trial,
    in_season: bool,
    rows_of: Callable[[Plan], tuple[dict[dt.date, pd.DataFrame], bool]],
    seed: int = 0,
) -> tuple[Told, ...]:
    """Tell churn on the last three past days, as far as there are days before them to learn from.

    Parameters
    ----------
    scheme : Plan
    tested : Trial
        What was found on the first of these days.
    in_season : bool
        Whether the season was followed on that day.
    rows_of : callable
        Of the days of a plan, as they were known on the first of them: rows by day, and whether a season was followed.
    seed : int

    Returns
    -------
    tuple of Told
        The latest day first. By what is used today, learnt anew on each day from the days before it, calibrated on the latest of
        these, and held to the season of the window to come where one was known; days that are too early to learn from are left out.
    """
    out = [Told(day=scheme.origins[0], in_season=in_season, rows=tested.test[["customer_id", "probability", "churned"]])]
    for k in range(1, min(MOST, len(scheme.origins) - 1)):
        then = replace(scheme, origins=scheme.origins[k:])
        days, followed = rows_of(then)
        rows = prepared(days[then.origins[0]])
        try:
            scorer = final(days, replace(then, origins=then.origins[1:]), tested.used, seed).held_to(rows)
        except TooLittleError:
            continue
        told = rows[["customer_id", "churned"]].assign(probability=scorer.probability(rows))
        out.append(Told(day=then.origins[0], in_season=followed, rows=told))
    return tuple(out)


def alike(found: Sequence[Told]) -> tuple[Told, ...]:
    """The days that knew of the season what is known on the first: what was forecast before a season was known says little of today."""
    return tuple(one for one in found if one.in_season == found[0].in_season)


def on_average(found: Sequence[Told]) -> tuple[int, float, float]:
    """On how many days of :func:`alike`, which share was forecast to churn, and which did: means over these days."""
    days = alike(found)
    if not days:
        return 0, float("nan"), float("nan")
    return len(days), float(np.mean([one.told for one in days])), float(np.mean([one.came for one in days]))


def off_by(found: Sequence[Told]) -> float:
    """How far the log odds of all were off: the root mean square over the days of :func:`alike`."""
    return float(np.sqrt(np.mean(np.square([shift_of(one.rows) for one in alike(found)]))))


def totals_of(found: Sequence[Told], level: float) -> pd.DataFrame:
    """One row per past day: day, customers, told, came with low and high, difference (came less told), in_season."""
    rows = []
    for one in found:
        low, high = wilson(int(one.rows["churned"].sum()), len(one.rows), level)
        rows.append(
            {
                "day": pd.Timestamp(one.day),
                "customers": len(one.rows),
                "told": one.told,
                "came": one.came,
                "low": low,
                "high": high,
                "difference": one.came - one.told,
                "in_season": one.in_season,
            }
        )
    return pd.DataFrame(rows)


def tenths_of(found: Sequence[Told], level: float) -> pd.DataFrame:
    """One row per past day and tenth of the customers by what was told: day, tenth, customers, told, seen with low and high.

    Tenths are those of :func:`~crmlab.models.forecasts.scores.deciles_of`: who was told the same is in the same one, so that some may
    be empty, and are left out.
    """
    out = []
    for one in found:
        for k, part in one.rows.groupby(deciles_of(one.rows["probability"]), sort=True):
            low, high = wilson(int(part["churned"].sum()), len(part), level)
            out.append(
                {
                    "day": pd.Timestamp(one.day),
                    "tenth": int(str(k)),
                    "customers": len(part),
                    "told": float(part["probability"].mean()),
                    "seen": float(part["churned"].mean()),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(out)
