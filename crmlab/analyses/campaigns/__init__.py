"""Campaigns: whom to write to, in which coded test cells, and what the cells earned.

What both reports share stands here: lists pulled by criteria, cells and their plan, assignment, what was sent, outcomes of contacts,
effects of past campaigns, and the commands that launch and measure. :mod:`~crmlab.analyses.campaigns.design` is the report before a
campaign, :mod:`~crmlab.analyses.campaigns.results` the one after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.assignment import Take, arm_of, assign, in_holdout, quotas, sample
    from crmlab.analyses.campaigns.cells import Codes, Sending, check_cells, design_cells
    from crmlab.analyses.campaigns.checks import check_campaigns, check_tables
    from crmlab.analyses.campaigns.commands import launch_campaign
    from crmlab.analyses.campaigns.drawing import drawn
    from crmlab.analyses.campaigns.each_customer import campaign_outcomes
    from crmlab.analyses.campaigns.earnings import Earned, final_result
    from crmlab.analyses.campaigns.hashing import hash_keys
    from crmlab.analyses.campaigns.holdout import Holdout, holdout_for, parse_holdout
    from crmlab.analyses.campaigns.ids import check_all_ids, check_ids
    from crmlab.analyses.campaigns.inputs import INPUTS
    from crmlab.analyses.campaigns.lists import ListRules, pull_list
    from crmlab.analyses.campaigns.looking import campaign_data, measure_campaign
    from crmlab.analyses.campaigns.matching import match_back, match_counts
    from crmlab.analyses.campaigns.measurement import Measured, known_cells, measured, mismatched, offers_priced, ratio_of
    from crmlab.analyses.campaigns.moments import cell_moments, cell_statistics
    from crmlab.analyses.campaigns.past import GUESSED_RISE, Brought, Past, past_of, shrunk_to_mean
    from crmlab.analyses.campaigns.plan import read_plan
    from crmlab.analyses.campaigns.planning import plan_checks, unchecked_columns
    from crmlab.analyses.campaigns.quantities import QUANTITIES
    from crmlab.analyses.campaigns.reductions import outcomes
    from crmlab.analyses.campaigns.responding import read_responses
    from crmlab.analyses.campaigns.results.by_cell import final_cells
    from crmlab.analyses.campaigns.running import stands_for, waiting_cells
    from crmlab.analyses.campaigns.verdicts import news_of, verdicts_of

__all__ = [
    "GUESSED_RISE",
    "INPUTS",
    "QUANTITIES",
    "Brought",
    "Codes",
    "Earned",
    "Holdout",
    "ListRules",
    "Measured",
    "Past",
    "Sending",
    "Take",
    "arm_of",
    "assign",
    "campaign_data",
    "campaign_outcomes",
    "cell_moments",
    "cell_statistics",
    "check_all_ids",
    "check_campaigns",
    "check_cells",
    "check_ids",
    "check_tables",
    "design_cells",
    "drawn",
    "final_cells",
    "final_result",
    "hash_keys",
    "holdout_for",
    "in_holdout",
    "known_cells",
    "launch_campaign",
    "match_back",
    "match_counts",
    "measure_campaign",
    "measured",
    "mismatched",
    "news_of",
    "offers_priced",
    "outcomes",
    "parse_holdout",
    "past_of",
    "plan_checks",
    "pull_list",
    "quotas",
    "ratio_of",
    "read_plan",
    "read_responses",
    "sample",
    "shrunk_to_mean",
    "stands_for",
    "unchecked_columns",
    "verdicts_of",
    "waiting_cells",
]
__getattr__, __dir__ = lazy_names(__name__)
