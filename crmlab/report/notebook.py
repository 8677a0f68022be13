"""What a notebook calls: run an analysis, and save its result where the runner asks for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from crmlab.data.dataset import Dataset, open_dataset
from crmlab.data.descriptor import TOLD
from crmlab.data.redaction import Redaction
from crmlab.errors import TooLittleError
from crmlab.page.params import build
from crmlab.page.result import Result
from crmlab.report.annotations import ANNOTATIONS, annotated
from crmlab.report.inputs import secrets_of
from crmlab.report.registry import analysis, suffices
from crmlab.report.saving import save, with_cuts_said

__all__ = ["TARGET", "run_notebook"]

# Set by the runner for the kernel of one notebook: where the result is to be saved.
TARGET = "CRMLAB_TARGET"


def run_notebook(name: str, *, data: str | Dataset = "shop", engine: Any = None, **params: Any) -> Result:
    """Run the analysis of a notebook.

    Parameters
    ----------
    name : str
        Name of the report, such as ``"rfm"``.
    data : str or Dataset
        Name of a data set, the path of a TOML file, or an open data set.
    engine : None, "duckdb", "spark" or a SparkSession
        Where reductions run.
    **params
        Fields of the analysis' ``Params``.

    Returns
    -------
    Result
        Saved to a folder only where ``crmlab run`` is at work.

    Raises
    ------
    ReportError, ParameterError, MissingTableError
        The report, a parameter or a table that it needs is not there.

    Examples
    --------
    >>> run_notebook("rfm", data="cdnow_sample", bins=3).context.customers
    2357
    """
    module = analysis(name)
    checked = build(name, module.Params, params)
    dataset = data if isinstance(data, Dataset) else open_dataset(data, engine)
    for needed in () if suffices(name, dataset.tables) else module.NEEDS:
        if needed not in TOLD:
            dataset.table(needed)
        elif needed not in dataset.descriptor.told:
            raise TooLittleError.needs(name, needed, f"none: {dataset.descriptor.where} says that the orders are without")
    result = module.run(dataset, checked)
    target, joined = os.environ.get(TARGET), os.environ.get(ANNOTATIONS)
    if target:
        result, lists = annotated(result, Path(joined)) if joined else (result, None)
        hide, further = Redaction.of_environment(secrets_of(dataset.descriptor)), dataset.descriptor.report.lists
        result = with_cuts_said(result, further)
        forms = save(result, Path(target), further, lists, hide)
        return replace(result, saved=forms)
    return result
