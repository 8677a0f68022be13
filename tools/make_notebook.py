"""Write the parameters cell of every notebook anew from its Params, after a change of them.

``python tools/make_notebook.py`` changes nothing else in a notebook.
"""

from __future__ import annotations

import nbformat

from crmlab.report import registry
from crmlab.report.params import cell_source


def main() -> None:
    for name in registry.report_names():
        path = registry.notebook_path(name)
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell_source(registry.analysis(name).Params)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
