"""Buy till you die: models of purchases and drop-out, of spend, and of customer value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.btyd.arrivals import Arrivals
    from crmlab.models.btyd.bdw import BDW
    from crmlab.models.btyd.bg_bb import BGBB
    from crmlab.models.btyd.bg_cnbd import BGCNBD
    from crmlab.models.btyd.bg_nbd import BGNBD
    from crmlab.models.btyd.choosing import RetentionBySegment, RetentionChoice, choose_retention, retention_by_segment
    from crmlab.models.btyd.clock import Clock
    from crmlab.models.btyd.cohorts import by_cohort
    from crmlab.models.btyd.concentration import concentration_frame, plot_concentration
    from crmlab.models.btyd.covariates import Covariates
    from crmlab.models.btyd.customer_value import CustomerValue
    from crmlab.models.btyd.diagnostics import (
        calibration_frame,
        frequency_frame,
        history_alive_frame,
        matrix_frame,
        track_frame,
    )
    from crmlab.models.btyd.forecasting import coverage, forecast
    from crmlab.models.btyd.gamma_gamma import GammaGamma
    from crmlab.models.btyd.lifetimes_bridge import cross_check, to_lifetimes
    from crmlab.models.btyd.loading import load_model
    from crmlab.models.btyd.mbg_cnbd import MBGCNBD
    from crmlab.models.btyd.mbg_nbd import MBGNBD
    from crmlab.models.btyd.pareto_nbd import ParetoNBD
    from crmlab.models.btyd.plots import (
        plot_calibration,
        plot_frequency,
        plot_history_alive,
        plot_matrix,
        plot_posterior,
        plot_track,
    )
    from crmlab.models.btyd.portfolios import Portfolio, portfolio
    from crmlab.models.btyd.remaining import remaining_frame
    from crmlab.models.btyd.retention import plot_retention, retention_frame
    from crmlab.models.btyd.sbg import SBG
    from crmlab.models.btyd.seasonality import fit_clock
    from crmlab.models.btyd.selection import compare_models
    from crmlab.models.btyd.tracking import track

__all__ = [
    "BDW",
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "SBG",
    "Arrivals",
    "Clock",
    "Covariates",
    "CustomerValue",
    "GammaGamma",
    "ParetoNBD",
    "Portfolio",
    "RetentionBySegment",
    "RetentionChoice",
    "by_cohort",
    "calibration_frame",
    "choose_retention",
    "compare_models",
    "concentration_frame",
    "coverage",
    "cross_check",
    "fit_clock",
    "forecast",
    "frequency_frame",
    "history_alive_frame",
    "load_model",
    "matrix_frame",
    "plot_calibration",
    "plot_concentration",
    "plot_frequency",
    "plot_history_alive",
    "plot_matrix",
    "plot_posterior",
    "plot_retention",
    "plot_track",
    "portfolio",
    "remaining_frame",
    "retention_by_segment",
    "retention_frame",
    "to_lifetimes",
    "track",
    "track_frame",
]
__getattr__, __dir__ = lazy_names(__name__)
