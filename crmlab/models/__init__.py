"""Mathematics, one model per file: arrays and frames in, no word of CRM; of crmlab it imports nothing but tables, errors and names.

What is taken is a table of pandas, Polars, PyArrow or Ibis; ``help`` of each name says which columns it needs. I want …

===================================  ====================================================================================================
purchases to come, who is alive      ``BGNBD``, ``MBGNBD``, ``ParetoNBD``; in whole periods ``BGBB``; under contract ``SBG``, ``BDW``
purchases of regular buyers          ``MBGCNBD``, ``BGCNBD``
spend per purchase                   ``GammaGamma``
value of customers, one and all      ``CustomerValue``; ``portfolio``
what explains purchases, drop-out    ``Covariates``
a season, and newcomers              ``fit_clock``, ``Clock``, ``Arrivals``; ``forecast``, ``by_cohort``
to see what a model says             ``plot_matrix``, ``plot_history_alive``, ``plot_posterior``; ``model.summary()``
to see whether it holds              ``plot_calibration``, ``plot_frequency``, ``plot_track``; ``coverage``; ``cross_check``
the numbers behind these pictures    ``calibration_frame``, ``frequency_frame``, ``track_frame``, ``matrix_frame``, ``history_alive_frame``
which of two models                  ``compare_models``; of many forecasts ``leaderboard``, ``winners``
contracts: who renews, who stays     ``choose_retention``, ``retention_by_segment``; ``plot_retention``, ``remaining_frame``
saved models, and lifetimes          ``load_model``; ``to_lifetimes``
to plan a test                       ``required_size``, ``detectable_effect``, ``power_of``, ``planned_profit``
what a test is planned for           ``Rate``, ``Mean``, ``Money``, ``Ratio``
to read a test                       ``compare``, ``factorial``; from sums ``compare_cells``, ``factorial_effects``; ``ComparisonOptions``
several looks, several tests         ``boundaries``, ``error_of``; ``pool``, ``fade``
who responds most                    ``segment_uplift``, ``slices``, ``depth_curve``; ``policy_value``, ``policy_difference``
whom to treat within a budget        ``allocate``, ``budget_curve``, ``best_spend``, ``spread``
what is bought together              ``rules``, ``itemsets``, ``substitutes``, ``BasketNull``; ``ItemSimilarity``, ``Blend``
how long until something happens     ``kaplan_meier``, ``kaplan_meier_by``, ``cumulative_incidence``, ``median_time``
customers who move between states    ``transition_probabilities``, ``project``, ``markov_value``
why revenue grew or fell             ``decompose``, ``growth``
how good a score is                  ``auc``, ``brier``, ``calibration_line``, ``top_lift``, ``expected_maximum_profit``, ``bootstrap``
an interval of a share               ``wilson``, ``proportion_intervals``, ``share_of_total``, ``median_interval``
===================================  ====================================================================================================

>>> from crmlab.models import BGNBD, GammaGamma, compare_cells, required_size
>>> BGNBD()
BGNBD()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.baskets.association import redundant, rules
    from crmlab.models.baskets.basket_null import BasketNull
    from crmlab.models.baskets.bridge_mlxtend import from_mlxtend, to_mlxtend
    from crmlab.models.baskets.frequent import itemsets
    from crmlab.models.baskets.ranking import Blend, hits_of, list_measures
    from crmlab.models.baskets.recommend import ItemSimilarity, bm25
    from crmlab.models.baskets.substitution import substitutes
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
    from crmlab.models.classification import (
        auc,
        average_precision,
        bootstrap,
        brier,
        brier_skill,
        calibration_line,
        expected_maximum_profit,
        top_lift,
    )
    from crmlab.models.decisions.allocation import Allocation, allocate
    from crmlab.models.decisions.budgets import BudgetCurve, budget_curve, cost_of_rules
    from crmlab.models.decisions.integer import exact
    from crmlab.models.decisions.policies import PolicyValue, policy_difference, policy_value
    from crmlab.models.decisions.problem import Problem
    from crmlab.models.decisions.rules import After, Apart, Limit, Window
    from crmlab.models.decisions.spending import Spread, best_spend, pressure, pressure_of_next, spread
    from crmlab.models.decomposition import decompose, growth
    from crmlab.models.forecasts.learners import Boosting, LinearZILN
    from crmlab.models.forecasts.paired import Scored, Winners, differences, leaderboard, winners
    from crmlab.models.forecasts.rivals import MeanRate, RecentPace, SameWeeks, scaled_to
    from crmlab.models.forecasts.scores import (
        covered_share,
        decile_calibration,
        interval_score,
        mean_absolute_error,
        total_ratio,
    )
    from crmlab.models.forecasts.windows import Purchases
    from crmlab.models.forecasts.ziln import ZILN, ziln_loss, ziln_mean
    from crmlab.models.intervals import (
        median_interval,
        normal_quantile,
        proportion_intervals,
        share_of_total,
        wilson,
    )
    from crmlab.models.markov import markov_value, project, transition_probabilities
    from crmlab.models.survival import cumulative_incidence, given_waited, kaplan_meier, kaplan_meier_by, median_time
    from crmlab.models.testing.cells import CellStatistics
    from crmlab.models.testing.columns import ratio
    from crmlab.models.testing.compared import Comparison
    from crmlab.models.testing.comparisons import SampleRatio, compare_cells, sample_ratio
    from crmlab.models.testing.factorials import aliases, component_differences, design_cells, factorial_effects
    from crmlab.models.testing.from_frames import compare, factorial
    from crmlab.models.testing.max_t import critical_value, holm
    from crmlab.models.testing.meta import fade, pool
    from crmlab.models.testing.options import ComparisonOptions
    from crmlab.models.testing.outcomes import Mean, Money, Rate, Ratio
    from crmlab.models.testing.power import (
        control_share,
        design_effect,
        detectable_effect,
        planned_profit,
        power_of,
        required_size,
        smallest_paying,
    )
    from crmlab.models.testing.sequential import boundaries, error_of
    from crmlab.models.testing.uplift import depth_curve, segment_uplift, slices

__all__ = [
    "BDW",
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "SBG",
    "ZILN",
    "After",
    "Allocation",
    "Apart",
    "Arrivals",
    "BasketNull",
    "Blend",
    "Boosting",
    "BudgetCurve",
    "CellStatistics",
    "Clock",
    "Comparison",
    "ComparisonOptions",
    "Covariates",
    "CustomerValue",
    "GammaGamma",
    "ItemSimilarity",
    "Limit",
    "LinearZILN",
    "Mean",
    "MeanRate",
    "Money",
    "ParetoNBD",
    "PolicyValue",
    "Portfolio",
    "Problem",
    "Purchases",
    "Rate",
    "Ratio",
    "RecentPace",
    "RetentionBySegment",
    "RetentionChoice",
    "SameWeeks",
    "SampleRatio",
    "Scored",
    "Spread",
    "Window",
    "Winners",
    "aliases",
    "allocate",
    "auc",
    "average_precision",
    "best_spend",
    "bm25",
    "bootstrap",
    "boundaries",
    "brier",
    "brier_skill",
    "budget_curve",
    "by_cohort",
    "calibration_frame",
    "calibration_line",
    "choose_retention",
    "compare",
    "compare_cells",
    "compare_models",
    "component_differences",
    "concentration_frame",
    "control_share",
    "cost_of_rules",
    "coverage",
    "covered_share",
    "critical_value",
    "cross_check",
    "cumulative_incidence",
    "decile_calibration",
    "decompose",
    "depth_curve",
    "design_cells",
    "design_effect",
    "detectable_effect",
    "differences",
    "error_of",
    "exact",
    "expected_maximum_profit",
    "factorial",
    "factorial_effects",
    "fade",
    "fit_clock",
    "forecast",
    "frequency_frame",
    "from_mlxtend",
    "given_waited",
    "growth",
    "history_alive_frame",
    "hits_of",
    "holm",
    "interval_score",
    "itemsets",
    "kaplan_meier",
    "kaplan_meier_by",
    "leaderboard",
    "list_measures",
    "load_model",
    "markov_value",
    "matrix_frame",
    "mean_absolute_error",
    "median_interval",
    "median_time",
    "normal_quantile",
    "planned_profit",
    "plot_calibration",
    "plot_concentration",
    "plot_frequency",
    "plot_history_alive",
    "plot_matrix",
    "plot_posterior",
    "plot_retention",
    "plot_track",
    "policy_difference",
    "policy_value",
    "pool",
    "portfolio",
    "power_of",
    "pressure",
    "pressure_of_next",
    "project",
    "proportion_intervals",
    "ratio",
    "redundant",
    "remaining_frame",
    "required_size",
    "retention_by_segment",
    "retention_frame",
    "rules",
    "sample_ratio",
    "scaled_to",
    "segment_uplift",
    "share_of_total",
    "slices",
    "smallest_paying",
    "spread",
    "substitutes",
    "to_lifetimes",
    "to_mlxtend",
    "top_lift",
    "total_ratio",
    "track",
    "track_frame",
    "transition_probabilities",
    "wilson",
    "winners",
    "ziln_loss",
    "ziln_mean",
]
__getattr__, __dir__ = lazy_names(__name__)
