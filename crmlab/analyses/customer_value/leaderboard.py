"""The leaderboard: our models and their rivals, each asked on several earlier days what came after, and held against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.contest import Contest, contest_of, field_of, origins_of, spans_of
from crmlab.analyses.customer_value.forecasters import BLENDS, Told, forecaster_of
from crmlab.analyses.customer_value.params import NAMES
from crmlab.history.words import ROUNDS
from crmlab.models.forecasts import (
    Scored,
    covered_share,
    decile_calibration,
    differences,
    interval_score,
)
from crmlab.models.forecasts import leaderboard as measured
from crmlab.models.forecasts.paired import AIMS
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.choice import Choice
    from crmlab.analyses.customer_value.forecasters import Field

__all__ = ["Leaderboard", "held_against"]


_COLUMNS = {
    "target": "target", "span": "periods_ahead", "forecaster": "forecaster", "origins": "origins",
    "gini": "gini", "gini_low": "gini_low", "gini_high": "gini_high", "total_ratio": "total_ratio", "total_ratio_low": "total_ratio_low",
    "total_ratio_high": "total_ratio_high", "total_error": "total_error", "error": "mean_error", "error_low": "mean_error_low",
    "error_high": "mean_error_high", "rank_shown": "rank_shown", "total_shown": "total_shown", "error_shown": "error_shown",
    "held": "totals_held", "width": "interval_width", "score": "interval_score", "covered": "singles_covered",
    "covered_low": "singles_covered_low", "covered_high": "singles_covered_high",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaderboard:
    """Forecasters held against what came.

    Attributes
    ----------
    used : str
        Name of the forecaster whose numbers the pages show.
    span : int
        The horizon that is spoken of, as of :func:`~crmlab.analyses.customer_value.contest.span_of`; 0 where nothing was tried.
    board : DataFrame
        One row per target, horizon and forecaster: target, span, name, forecaster (in words), origins; gini, total_ratio, error (with
        ends) and total_error as of :func:`crmlab.models.forecasts.leaderboard`; rank_shown, total_shown and error_shown ("better" or
        "worse" than the one that is used; empty: neither is shown); held (share of origins on which the interval of the total held what
        came), width and score (of that interval, over what came, mean of origins), covered (share of customers inside their own intervals),
        which are missing for who gives none.
    origins : DataFrame
        One row per target, horizon, origin and forecaster: target, span, day, name, forecaster, customers, told (with ends), came, off
        (told over came, less 1), and held, width and score of the interval (the last two over what came).
    deciles : DataFrame
        Of the forecaster that is used, one row per target, horizon and decile of the forecast: as of
        :func:`crmlab.models.forecasts.decile_calibration`, all origins together.
    contest : Contest or None
        Which rival is shown to be better than the one that is used, over the horizon that is spoken of.
    failed : mapping of str to str
        Who could not take part everywhere, and why.
    why : str
        Why nothing was tried; empty where something was.
    """

    used: str
    span: int = 0
    board: pd.DataFrame = field(default_factory=pd.DataFrame)
    origins: pd.DataFrame = field(default_factory=pd.DataFrame)
    deciles: pd.DataFrame = field(default_factory=pd.DataFrame)
    contest: Contest | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def target(self) -> str:
        """What is spoken of: spend, or where none could be told purchases."""
        some = self.board["span"] == self.span if len(self.board) else []
        return "spend" if len(self.board) and "spend" in self.board.loc[some, "target"].to_numpy() else "purchases"

    def rows(self, target: str) -> pd.DataFrame:
        """The rows of the horizon that is spoken of, indexed by the forecaster's name."""
        some = (self.board["target"] == target) & (self.board["span"] == self.span)
        return self.board[some].set_index("name")

    @property
    def listed(self) -> pd.DataFrame:
        """All of it, as a list for files: one row per target, horizon and forecaster."""
        return self.board.rename(columns=_COLUMNS)[list(_COLUMNS.values())]

    def winner(self, aim: str) -> str | None:
        """Which of our own models is shown to be better than the one that is used, of what is spoken of; None where none is.

        Parameters
        ----------
        aim : {"rank", "total"}
        """
        if self.why:
            return None
        rows = self.rows(self.target)
        ours = rows.index.map(lambda name: str(name).partition("+")[0] in NAMES)
        better = rows[(rows[f"{aim}_shown"] == "better").to_numpy() & ours.to_numpy(bool)]
        if better.empty:
            return None
        return str(better["gini"].idxmax() if aim == "rank" else better["total_error"].idxmin())


def held_against(base: Base, choice: Choice, *, level: float = LEVEL, seed: int = 0) -> Leaderboard:
    """Hold our models and their rivals against what came after several earlier days.

    On each of these days everybody knows the history up to it and no more, the clock of our models too, and tells the purchases and the
    spend of each customer in the 13 and the 26 weeks after it (with yearly rounds, in one year and in two).

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base: the model that is used, and whether it follows a season.
    level : float
        Of all intervals, and of what is shown.
    seed : int

    Returns
    -------
    Leaderboard
        Its ``why`` says so where the history is too short, or holds too little.
    """
    everybody = field_of(base, choice, level, seed)
    key = ("customer_value.leaderboard", everybody.key)
    return base.history.once(key, lambda: _held_against(everybody), shared_by_all=True)


def _held_against(everybody: Field) -> Leaderboard:
    base, level, seed = everybody.base, everybody.level, everybody.seed
    rounds = base.words is ROUNDS
    contest = contest_of(everybody)
    if contest.why:
        return Leaderboard(used=everybody.used, failed=everybody.failed, why=contest.why)
    asked: dict[tuple[str, int], list[Told]] = {}
    for span in spans_of(rounds=rounds):
        for back in reversed(origins_of(base.length, span, rounds=rounds)):
            told = everybody.told(back, span)
            if told is None:
                continue
            for target in told.trials:
                asked.setdefault((target, span), []).append(told)
    tried = [_Trial(days, target, span, everybody.used, level, seed) for (target, span), days in asked.items()]
    return Leaderboard(
        used=everybody.used,
        span=contest.span,
        board=pd.concat([one.board() for one in tried], ignore_index=True),
        origins=pd.concat([one.origins for one in tried], ignore_index=True),
        deciles=pd.concat([one.deciles() for one in tried], ignore_index=True),
        contest=contest,
        failed=everybody.failed,
    )


class _Trial:
    """All forecasts of one target over one horizon, on every origin, held against what came."""

    def __init__(self, days: list[Told], target: str, span: int, used: str, level: float, seed: int) -> None:
        self.days, self.target, self.span, self.used, self.level, self.seed = days, target, span, used, level, seed
        trials = [one.trials[target] for one in days]
        # Who could not tell on every origin does not take part: nobody is held against others on days of their own.
        names = [name for name in trials[0] if all(name in trial for trial in trials)]
        self.scored = Scored.of({one.day: one.trials[target][names] for one in days})
        self.origins = pd.DataFrame([self._origin(one, name) for one in days for name in self.scored.told])

    def board(self) -> pd.DataFrame:
        found = measured(self.scored, self.level)
        for aim in AIMS:
            shown = self._shown(aim)
            found[f"{aim}_shown"] = [shown.get(str(name), "") for name in found.index]
        for name in ("held", "width", "score"):
            found[name] = self.origins.groupby("name")[name].mean().reindex(found.index)
        covered = {name: self._covered(name) for name in self.days[0].singles if self.target == "purchases"}
        for k, end in enumerate(("", "_low", "_high")):
            found[f"covered{end}"] = [covered[name][k] if name in covered else np.nan for name in found.index]
        labels = [forecaster_of(str(name)) for name in found.index]
        found = found.assign(target=self.target, span=self.span, forecaster=labels, origins=len(self.days))
        return found.rename_axis("name").reset_index()

    def _shown(self, aim: str) -> dict[str, str]:
        """By name of a forecaster: whether it is shown to be better or worse than the one that is used.

        Rivals are compared among themselves, as they are where something is taken from the winner, and so are our own models.
        """
        models = {name for name in self.scored.told if name.partition("+")[0] in NAMES}
        out = {}
        for family in (models, set(self.scored.told) - models):
            # A blend ranks, or totals, as another does: only its errors are its own.
            names = [
                name
                for name in self.scored.told
                if name == self.used or (name in family and (aim == "error" or name not in BLENDS))
            ]
            if len(names) < 2:
                continue
            some = replace(self.scored, told={name: self.scored.told[name] for name in names})
            pairs = differences(some, aim, self.used, level=self.level, seed=self.seed)
            for row in pairs[pairs["better"].notna()].to_dict("records"):
                out[row["first"]] = "better" if row["better"] == row["first"] else "worse"
        return out

    def deciles(self) -> pd.DataFrame:
        told = self.scored.told[self.used]
        found = decile_calibration(self.scored.actual, told, who=self.scored.who, level=self.level)
        return found.assign(target=self.target, span=self.span)

    def _origin(self, one: Told, name: str) -> dict[str, object]:
        trial = one.trials[self.target]
        came, told = float(trial["actual"].sum()), float(trial[name].sum())
        low, high = one.totals.get((self.target, name), (np.nan, np.nan))
        row: dict[str, object] = {
            "target": self.target, "span": self.span, "day": one.day, "name": name, "forecaster": forecaster_of(name),
            "customers": len(trial), "told": told, "told_low": low, "told_high": high, "came": came,
            "off": told / came - 1 if came > 0 else np.nan,
        }  # fmt: skip
        given = came > 0 and np.isfinite(low + high)
        row["held"] = float(low <= came <= high) if given else np.nan
        row["width"] = (high - low) / came if given else np.nan
        row["score"] = float(interval_score([came], [low], [high], self.level)[0]) / came if given else np.nan
        return row

    def _covered(self, name: str) -> tuple[float, float, float]:
        """Share of customers whose purchases lay inside their own interval, on all origins."""
        known = [one for one in self.days if name in one.singles]
        ends = pd.concat([one.singles[name] for one in known])
        came = np.concatenate([one.trials[self.target]["actual"].to_numpy() for one in known])
        return covered_share(came, ends["low"], ends["high"], who=ends.index.to_numpy(), level=self.level)
