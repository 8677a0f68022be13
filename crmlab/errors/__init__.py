"""Every exception of crmlab, and the wording that several messages share.

One grammar: what is wrong, what was expected, what was found, a hint. The base class has its verbs, which every class
inherits: ``must_be`` (a value), ``must_hold`` and ``lacks`` (a column), ``needs`` (records), ``no_such`` (a name) and
``cannot`` (a file or an engine). Other wording that is used twice or more is a constructor of its class; a message
that is raised once stands at its raise, with ``shown``, ``listing`` and ``hint_at`` for values and names.
"""

from crmlab.errors.base import (
    CrmlabError,
    MissingTableError,
    NotInProjectError,
    ParameterError,
    hint_at,
    listing,
    shown,
    visible,
)
from crmlab.errors.campaigns import CampaignError
from crmlab.errors.datasets import (
    CrmlabWarning,
    CustomerKeyError,
    DamageWarning,
    DataError,
    DescriptorError,
    NewKeyWarning,
    SourceError,
    TooLittleError,
)
from crmlab.errors.models import ConvergenceError, InfiniteMeanError, ModelError, NotIdentifiableError
from crmlab.errors.reports import KernelError, PlanError, PublishError, ReportError

__all__ = [
    "CampaignError",
    "ConvergenceError",
    "CrmlabError",
    "CrmlabWarning",
    "CustomerKeyError",
    "DamageWarning",
    "DataError",
    "DescriptorError",
    "InfiniteMeanError",
    "KernelError",
    "MissingTableError",
    "ModelError",
    "NewKeyWarning",
    "NotIdentifiableError",
    "NotInProjectError",
    "ParameterError",
    "PlanError",
    "PublishError",
    "ReportError",
    "SourceError",
    "TooLittleError",
    "hint_at",
    "listing",
    "shown",
    "visible",
]
