"""crmlab: a customer-analytics workbench that lives in Jupyter.

The package is cut by subject where it speaks of customers, and by layer for what all subjects share. A package imports only
from those below it; a subject imports another only through its face, the ``__init__`` of its folder.

=====================  ===============================================================================================
``crmlab.cli``         the ``crmlab`` command
``crmlab.report``      runs notebooks and renders them into pages; knows the analyses by the names in its registry
``crmlab.analyses``    one folder per subject, all of one form: ``NEEDS``, ``Params``, ``run`` and what others may use
``crmlab.history``     an order history as of a day: ``History``, and the reductions that several subjects share
``crmlab.data``        where records come from: data sets, reading, the campaign memory, ``crmlab new``, simulated worlds
``crmlab.models``      mathematics, one model per file; knows nothing of CRM: ``btyd``, ``testing``, ``baskets`` and more
``crmlab.page``        what an analysis returns, and how it looks
``crmlab.errors``      every exception; ``crmlab.lazy``: public names that are imported on first use
=====================  ===============================================================================================

The subjects, each above those that it may ask::

    customer_profile
    scorecard
    campaigns (with campaigns.design and campaigns.results)
    customers
    churn
    triggers
    cross_sell, lifecycle, rfm
    customer_value
    data_quality

Three names are enough to begin::

    data = crmlab.open_dataset("shop")          # a named data set, or the path of a TOML file
    data.orders                                 # an Ibis table in canonical form
    crmlab.run_notebook("rfm", data="shop")     # the Result that the notebook of that name shows
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.dataset import open_dataset
    from crmlab.report.notebook import run_notebook

__version__ = "0.1.0"
__all__ = ["__version__", "open_dataset", "run_notebook"]
__getattr__, __dir__ = lazy_names(__name__)
