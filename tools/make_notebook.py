"""Write the parameters cell of every notebook anew from its Params, or begin the notebook of a new report.

``python tools/make_notebook.py`` changes nothing else in a notebook. ``python tools/make_notebook.py NAME`` writes
``notebooks/NAME.ipynb`` for a report of the registry that has none: its question, its parameters, all that it shows, and a folded cell
from which an analyst works on.
"""

from __future__ import annotations

import sys
from importlib import import_module

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from crmlab.page.params import specs
from crmlab.report import registry
from crmlab.report.params import cell_source
from crmlab.report.render import ANALYST


def begin(name: str) -> None:
    """Write a notebook that shows everything; headings, sentences of reading help and the main table at the end are added by hand."""
    path = registry.notebook_path(name)
    if path.exists():
        sys.exit(f"{path.name} exists already. Nothing was written.")
    face = registry.REPORTS[name]
    params, exhibits = import_module(face).Params, import_module(f"{face}.report").EXHIBITS
    given = "".join(f"    {key}={key},\n" for key in ("data", "engine", *(spec.name for spec in specs(params))))
    shown = [f'result.chart("{key}")' for key in exhibits.charts] + [f'result.table("{key}")' for key in exhibits.tables]
    cells = [
        new_markdown_cell(f"# {import_module(f'{face}.words').TITLE}"),
        new_code_cell(cell_source(params), metadata={"tags": ["parameters"]}),
        new_code_cell(f'import crmlab\n\nresult = crmlab.run_notebook(\n    "{name}",\n{given})'),
        *map(new_code_cell, ["result.findings", "result.notes", *shown, "result.cannot_say", "result.method"]),
    ]
    folded = {"jupyter": {"source_hidden": True}, "tags": [ANALYST, "skip-execution", "nbval-skip"]}
    cells += [
        new_markdown_cell("## Take it from here\n\nOne row per customer.", metadata={"tags": [ANALYST]}),
        new_code_cell("history = crmlab.History(crmlab.open_dataset(data, engine), as_of)\nhistory.summary()", metadata=folded),
    ]
    for place, cell in enumerate(cells):
        cell["id"] = f"{name.replace('_', '-')}-{place}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}), path)


def renew() -> None:
    for name in registry.report_names():
        path = registry.notebook_path(name)
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell_source(registry.analysis(name).Params)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    begin(sys.argv[1]) if len(sys.argv) > 1 else renew()
