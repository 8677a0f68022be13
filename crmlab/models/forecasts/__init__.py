"""Forecasts of single customers held against each other: rulers, rivals of the models of purchases, and who is shown to be better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.forecasts.learners import Boosting, LinearZILN
    from crmlab.models.forecasts.paired import Scored, Winners, differences, leaderboard, winners
    from crmlab.models.forecasts.rivals import MeanRate, RecentPace, Rival, SameWeeks, scaled_to
    from crmlab.models.forecasts.scores import (
        covered_share,
        decile_calibration,
        interval_score,
        mean_absolute_error,
        total_ratio,
    )
    from crmlab.models.forecasts.windows import Purchases
    from crmlab.models.forecasts.ziln import ZILN, ziln_loss, ziln_mean

__all__ = [
    "ZILN",
    "Boosting",
    "LinearZILN",
    "MeanRate",
    "Purchases",
    "RecentPace",
    "Rival",
    "SameWeeks",
    "Scored",
    "Winners",
    "covered_share",
    "decile_calibration",
    "differences",
    "interval_score",
    "leaderboard",
    "mean_absolute_error",
    "scaled_to",
    "total_ratio",
    "winners",
    "ziln_loss",
    "ziln_mean",
]
__getattr__, __dir__ = lazy_names(__name__)
