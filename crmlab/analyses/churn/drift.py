"""Today's customers held against those of the test's day: how far each fact has moved, and the scores, and whether that is too far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.churn.model import Scorer, fact_of
from crmlab.history.words import WEEKS
from crmlab.models.classification import stability_index

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.history.words import Words

    Array = npt.NDArray[np.float64]

__all__ = ["MOVED", "MOVED_FAR", "SCORE", "TOO_FAR", "Drift", "drift_of"]


MOVED, MOVED_FAR = 0.1, 0.25  # by custom, where a distribution has moved, and moved far
TOO_FAR = 1.0  # of the scores: about a whole standard deviation away from where they were tested
SCORE = "score"  # name of the row of the scores


@dataclass(frozen=True, kw_only=True, eq=False)
class Drift:
    """How far today is from the day of the test.

    Attributes
    ----------
    rows : DataFrame
        Indexed by feature, the scores first, then what moved most: says, then and now (means), then_missing and now_missing (shares),
        index (population stability index), chance (what it would reach by chance, at 95%).
    """

    rows: pd.DataFrame

    @property
    def far(self) -> list[str]:
        """Facts that moved far, in words, what moved most first."""
        facts = self.rows.drop(index=SCORE)
        return facts.loc[_beyond(facts, MOVED_FAR), "says"].tolist()

    @property
    def scores(self) -> float:
        """Index of the scores."""
        return float(self.rows.loc[SCORE, "index"])

    @property
    def scores_far(self) -> bool:
        """Whether the scores moved far."""
        return bool(_beyond(self.rows.loc[[SCORE]], MOVED_FAR).iloc[0])

    @property
    def refused(self) -> bool:
        """Whether the scores moved so far that what the test found of them says nothing of today."""
        return bool(_beyond(self.rows.loc[[SCORE]], TOO_FAR).iloc[0])

    def grade(self) -> pd.Series:
        """Of each row: "no change", "changed" or "changed a lot"; of the scores also "changed too much"."""
        grades = pd.Series("no change", index=self.rows.index)
        for limit, words in ((MOVED, "changed"), (MOVED_FAR, "changed a lot")):
            grades[_beyond(self.rows, limit)] = words
        if self.refused:
            grades[SCORE] = "changed too much"
        return grades


def _beyond(rows: pd.DataFrame, limit: float) -> pd.Series:
    return (rows["index"] > limit) & (rows["index"] > rows["chance"])


def drift_of(scorer: Scorer, then: pd.DataFrame, now: pd.DataFrame, words: Words = WEEKS) -> Drift:
    """Compare the scores, and each fact that they rest on, between two days.

    Both days are scored by the same scorer, so that what differs is the customers, and not the model.

    Parameters
    ----------
    scorer : Scorer
        What is used today.
    then, now : DataFrame
        Prepared rows of the test's day and of today.
    words : Words
        What people and their deeds are called.

    Returns
    -------
    Drift
    """
    rows = {SCORE: _row("the scores: probability of churn", scorer.probability(then), scorer.probability(now))}
    for name in scorer.columns:
        rows[name] = _row(fact_of(name, words), then[name].to_numpy(float), now[name].to_numpy(float))
    found = pd.DataFrame.from_dict(rows, orient="index")
    facts = found.drop(index=SCORE).sort_values("index", ascending=False, kind="stable")
    return Drift(rows=pd.concat([found.loc[[SCORE]], facts]))


def _row(says: str, then: Array, now: Array) -> dict[str, object]:
    index, chance = stability_index(then, now)
    old, new = pd.Series(then), pd.Series(now)
    return {
        "says": says,
        "then": old.mean(),
        "now": new.mean(),
        "then_missing": old.isna().mean(),
        "now_missing": new.isna().mean(),
        "index": index,
        "chance": chance,
    }
