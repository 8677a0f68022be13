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
``crmlab.frames``      tables as people bring them; ``crmlab.collecting``: the only way out of an engine
``crmlab.errors``      every exception; ``crmlab.lazy``: public names that are imported on first use
=====================  ===============================================================================================

The subjects, each above those that it may ask::

    customer_profile
    scorecard
    actions
    campaigns (with campaigns.design and campaigns.results)
    customers
    churn
    triggers
    cross_sell, lifecycle, rfm
    customer_value
    data_quality

Names that everybody needs stand here, those of all models in :mod:`crmlab.models`, of all reductions in :mod:`crmlab.history`, and those
of a subject in its face. Wherever a table is taken, it is one of pandas, Polars, PyArrow or Ibis. I have orders, and want …

=====================================  ================================================================================================
a data set of my frames or files       ``open_dataset({"orders": frame, "customers": "customers.csv"})``
one row per customer                   ``customer_summary(orders)``
segments                               ``segmented(customer_summary(orders))``
who is active, slowing or lost         ``states(orders, None, thresholds(orders))``
who comes back, and what they bring    ``BGNBD``, ``MBGNBD``, ``ParetoNBD``, ``GammaGamma``, ``CustomerValue``
does a model hold                      ``models.plot_calibration(model, holdout_summary(orders, "2024-06-30"))``, ``models.plot_track``
which of two models                    ``compare_models([BGNBD(), ParetoNBD()], holdout_summary(orders, "2024-06-30"))``
pictures of a model                    ``models.plot_matrix(model, 26)``, ``models.plot_frequency``, ``models.plot_posterior``
what is bought together                ``rules(itemsets(basket_matrix(order_lines), min_count=20))``
what to offer whom                     ``next_best_offers(data)``
all that is known of each customer     ``customer_table(data)``
a list of customers to write to        ``pull_list(data, "days_since_last >= 90")``
test cells, drawn                      ``assign(people, {"gift": 0.5, "control": 0.5}, salt="spring 2025")``
how many customers a test needs        ``required_size(0.10, uplift=0.02)``
how large a difference it would find   ``detectable_effect(0.10, n=8000)``
what the cells of a test brought       ``compare(frame, cell="segment", control="none", metrics={"basket": ratio("spend", "orders")})``
the same from sums                     ``compare_cells(cell_statistics(outcomes, ["bought"], rates=["bought"]), …)``
a finding with its evidence            ``analyses.rfm.run(data)``, and so for every subject
the same as a notebook and a page      ``run_notebook("rfm", data="shop")``
=====================================  ================================================================================================

>>> import pandas as pd
>>> import crmlab
>>> orders = pd.DataFrame({"Kunde": ["a", "b", "a"], "Datum": ["2024-01-31", "2024-02-01", "2024-02-14"], "Betrag": [12.5, 7.0, 30.0]})
>>> data = crmlab.open_dataset(orders)
>>> crmlab.customer_summary(data.orders).order_by("customer_id").to_pandas()[["customer_id", "frequency", "total_spend"]]
  customer_id  frequency  total_spend
0           a          1         42.5
1           b          0          7.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns import assign, cell_statistics, pull_list
    from crmlab.analyses.cross_sell import basket_matrix, next_best_offers
    from crmlab.analyses.customers import customer_table
    from crmlab.analyses.lifecycle import states, thresholds
    from crmlab.analyses.rfm import segmented
    from crmlab.data.dataset import open_dataset
    from crmlab.history import History, customer_summary, holdout_summary
    from crmlab.models import (
        BGNBD,
        MBGNBD,
        CustomerValue,
        GammaGamma,
        ParetoNBD,
        compare,
        compare_cells,
        compare_models,
        detectable_effect,
        itemsets,
        ratio,
        required_size,
        rules,
    )
    from crmlab.report.notebook import run_notebook

__version__ = "0.1.0"
__all__ = [
    "BGNBD",
    "MBGNBD",
    "CustomerValue",
    "GammaGamma",
    "History",
    "ParetoNBD",
    "__version__",
    "assign",
    "basket_matrix",
    "cell_statistics",
    "compare",
    "compare_cells",
    "compare_models",
    "customer_summary",
    "customer_table",
    "detectable_effect",
    "holdout_summary",
    "itemsets",
    "next_best_offers",
    "open_dataset",
    "pull_list",
    "ratio",
    "required_size",
    "rules",
    "run_notebook",
    "segmented",
    "states",
    "thresholds",
]
__getattr__, __dir__ = lazy_names(__name__)
