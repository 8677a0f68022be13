"""Executed notebook → ``report.html``: one self-contained page, the same bytes from the same notebook."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab import __version__
from crmlab.errors import ReportError
from crmlab.report.registry import label
from crmlab.style import TOKENS

if TYPE_CHECKING:
    from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_PAGE = 500_000  # bytes


@cache
def stylesheet() -> str:
    """Return the style of every page: the tokens as variables, light and dark, then the rules."""
    light = ";".join(f"--{name}:{colors[0]}" for name, colors in TOKENS.items())
    dark = ";".join(f"--{name}:{colors[1]}" for name, colors in TOKENS.items())
    rules = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    return f":root{{{light};color-scheme:light dark}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"


def page(name: str, notebook: NotebookNode, summary: dict[str, Any], source: str) -> str:
    """Render an executed notebook as a page.

    Parameters
    ----------
    name : str
        Name of the report.
    notebook : NotebookNode
        Executed; outputs are shown, code is not.
    summary : dict
        ``result.json`` of the run.
    source : str
        Where the records come from, for the foot of the page.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ReportError
        The page is heavier than 500 kB.
    """
    resources = {
        "page": {
            "css": stylesheet(),
            "heading": label(name),
            "title": summary["dataset_title"],
            "context": summary["context"],
            "language": "en",
            "source": source,
            "made": f"Made with crmlab {__version__}.",
        }
    }
    body, _ = _exporter().from_notebook_node(notebook, resources=resources)
    text = "\n".join(line.rstrip() for line in body.splitlines() if line.strip()) + "\n"
    size = len(text.encode())
    if size > LARGEST_PAGE:
        raise ReportError.too_large(name, size, LARGEST_PAGE)
    return text


def page_part(html: str) -> str:
    """Drop from an output what only JupyterLab needs: a page has its own style."""
    return re.sub(r"<style data-crmlab>.*?</style>", "", html, flags=re.S)


def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="crmlab",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_anchor_links=True,
        filters={"page_part": page_part},
    )


def scrub(notebook: NotebookNode, root: str) -> NotebookNode:
    """Take out of an executed notebook what differs from run to run or names this machine.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; changed in place.
    root : str
        The project's folder, to be taken out of texts.

    Returns
    -------
    NotebookNode
    """
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            # Warnings of libraries name files of this machine, and no reader needs them.
            cell.outputs = [out for out in cell.outputs if not (out.output_type == "stream" and out.name == "stderr")]
            for output in cell.outputs:
                output.pop("transient", None)
                if output.output_type == "error":
                    output["traceback"] = [line.replace(root, ".") for line in output["traceback"]]
    return notebook


def render_folder(folder: Path, name: str, source: str) -> None:
    """Write ``report.html`` of one report folder anew from its executed notebook."""
    import nbformat

    from crmlab.data.cache import write_aside

    path = folder / "notebook.ipynb"
    if not path.is_file():
        raise ReportError.nothing_to_render(folder)
    notebook = nbformat.read(path, as_version=4)
    summary = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    write_aside(folder / "report.html", page(name, notebook, summary, source).encode())
