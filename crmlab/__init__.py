"""crmlab: a customer-analytics workbench that lives in Jupyter.

The package has floors; a module imports only from floors below its own.

=====  ==========================  ==================================================================
floor  where                       what it does
=====  ==========================  ==================================================================
0      ``crmlab.errors``           every exception and the wording of its message
1      ``crmlab.data``             where records come from: canonical tables, sources, data sets
2      ``crmlab.models``           mathematics, one model per file; knows nothing of CRM tables
3      ``crmlab.features``         reductions of order histories, always as of a date
4      ``crmlab.result``           what an analysis returns; ``crmlab.style``: how it looks
5      ``crmlab.analyses``         one module per question: ``NEEDS``, ``Params``, ``run``
6      ``crmlab.composed``         the same form, built from the steps of other analyses
7      ``crmlab.report``           runs notebooks and renders them into pages
top    ``crmlab.cli``              the ``crmlab`` command
=====  ==========================  ==================================================================

Three names are enough to begin::

    data = crmlab.open_dataset("shop")          # a named data set, or the path of a TOML file
    data.orders                                 # an Ibis table in canonical form
    crmlab.run_notebook("rfm", data="shop")     # the Result that the notebook of that name shows
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "open_dataset", "run_notebook"]

if TYPE_CHECKING:
    from crmlab.data.dataset import open_dataset
    from crmlab.report.notebook import run_notebook

_HOMES = {"open_dataset": "crmlab.data.dataset", "run_notebook": "crmlab.report.notebook"}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import crmlab` (and `crmlab --help`) stays instant.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crmlab' has no attribute {name!r}")
