"""Every exception of crmlab, and the wording of every message.

One grammar: what is wrong, what was expected, what was found, a hint. The constructors (class methods) are the only
places where messages are worded, so that the same mistake always reads the same.
"""

from crmlab.errors.base import CrmlabError, MissingTableError, NotInProjectError, ParameterError
from crmlab.errors.campaigns import CampaignError
from crmlab.errors.datasets import DataError, DescriptorError, SourceError, TooLittleError
from crmlab.errors.models import ConvergenceError, InfiniteMeanError, ModelError, NotIdentifiableError
from crmlab.errors.reports import PlanError, PublishError, ReportError

__all__ = [
    "CampaignError",
    "ConvergenceError",
    "CrmlabError",
    "DataError",
    "DescriptorError",
    "InfiniteMeanError",
    "MissingTableError",
    "ModelError",
    "NotIdentifiableError",
    "NotInProjectError",
    "ParameterError",
    "PlanError",
    "PublishError",
    "ReportError",
    "SourceError",
    "TooLittleError",
]
