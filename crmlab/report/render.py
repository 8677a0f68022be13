"""Executed notebook → ``report.html``: one self-contained page, the same bytes from the same notebook."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from crmlab import __version__
from crmlab.data.cache import write_aside
from crmlab.data.descriptor import Descriptor
from crmlab.errors import ReportError
from crmlab.history.words import words_for
from crmlab.page.html import markup
from crmlab.page.tokens import TOKENS
from crmlab.report.glossary import explain
from crmlab.report.registry import label
from crmlab.report.sections import arranged
from crmlab.report.state import Summary, read_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbformat import NotebookNode

__all__ = [
    "ANALYST",
    "LARGEST_PAGE",
    "TEMPLATES",
    "foot",
    "for_readers",
    "head",
    "masthead",
    "page",
    "page_part",
    "render_folder",
    "scrub",
    "stylesheet",
    "valid",
    "worded",
    "written",
]

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_PAGE = 500_000  # bytes
ANALYST = "take-it-from-here"  # tag of the cells of a notebook with which an analyst works on: they are not run, and no page shows them
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)])
_LOGO_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@cache
def stylesheet() -> Markup:
    """Return the style of every page: the tokens as variables, light and dark, then the rules."""
    light = ";".join(f"--{name}:{colors[0]}" for name, colors in TOKENS.items())
    dark = ";".join(f"--{name}:{colors[1]}" for name, colors in TOKENS.items())
    rules = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    tokens = f":root{{{light};color-scheme:light dark}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return Markup(f"{tokens}\n{rules}")


def head(title: str, descriptor: Descriptor) -> Markup:
    """The head of every page: language, width, a policy that forbids scripts and outside requests, title, style."""
    return markup(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="{}">\n<title>{} · {}</title>\n<style>{}</style>\n</head>\n',
        _POLICY,
        title,
        descriptor.report.title or descriptor.title,
        stylesheet(),
    )


def masthead(descriptor: Descriptor, here: str, context: str) -> Markup:
    """The top of every page: logo, where one is, what the page is about. ``here`` is empty on the index."""
    way = Markup('<a href="../index.html">All reports</a><span aria-hidden="true">/</span>' if here else "")
    way += markup('<b aria-current="page">{}</b>', here or "All reports")
    template = '<header>\n{}<nav aria-label="Reports">{}</nav>\n<p class="meta">{}</p>\n</header>'
    return markup(template, _logo(descriptor), way, context)


def foot(descriptor: Descriptor) -> Markup:
    """The foot of every page: what the data are, under which licence, whom to ask."""
    contact = markup("<p>Questions: {}</p>", descriptor.report.contact) if descriptor.report.contact else ""
    licence = markup("<p>{}</p>", descriptor.licence) if descriptor.licence else ""
    return markup("<footer>{}{}<p>Made with crmlab {}.</p></footer>\n", contact, licence, __version__)


def _logo(descriptor: Descriptor) -> Markup:
    if not descriptor.report.logo:
        return Markup("")
    path = descriptor.folder / descriptor.report.logo
    content = base64.b64encode(path.read_bytes()).decode()
    title, kind = descriptor.report.title or descriptor.title, _LOGO_TYPES[path.suffix.lower()]
    return markup('<img class="logo" alt="The logo of {}." src="data:{};base64,{}">', title, kind, content)


def page(name: str, notebook: NotebookNode, summary: Summary, descriptor: Descriptor) -> str:
    """Render an executed notebook as a page.

    Parameters
    ----------
    name : str
        Name of the report.
    notebook : NotebookNode
        Executed; outputs are shown, code is not.
    summary : Summary
        ``result.json`` of the run.
    descriptor : Descriptor
        The data set.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ReportError
        The page is heavier than 500 kB.
    """
    told = words_for(descriptor.rounds).told
    resources = {
        "page": {
            "head": head(told(label(name)), descriptor),
            "masthead": masthead(descriptor, told(label(name)), summary["context"]),
            "foot": foot(descriptor),
        }
    }
    body, _ = _exporter().from_notebook_node(worded(for_readers(notebook), told), resources=resources)
    before, main, after = re.split(r"(?<=<main>)|(?=</main>)", body, maxsplit=2)
    text = before + arranged(explain(main, told)) + after
    text = valid("\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n")
    size = len(text.encode())
    if size > LARGEST_PAGE:
        raise ReportError(
            f"The page of '{name}' weighs {size // 1000} kB. Expected at most {LARGEST_PAGE // 1000} kB. "
            "Rasterise heavy chart layers or shorten its tables."
        )
    return text


def for_readers(notebook: NotebookNode) -> NotebookNode:
    """The same notebook without the cells for an analyst who works on in it: no page shows them."""
    cells = [cell for cell in notebook.cells if ANALYST not in cell.metadata.get("tags", [])]
    return type(notebook)({**notebook, "cells": cells})


def worded(notebook: NotebookNode, told: Callable[[str], str]) -> NotebookNode:
    """The same notebook with its headings and its reading help in the words of the data set."""
    cells = [
        type(cell)({**cell, "source": told(cell.source)}) if cell.cell_type == "markdown" else cell for cell in notebook.cells
    ]
    return type(notebook)({**notebook, "cells": cells})


def valid(html: str) -> str:
    """Drop control characters, which no HTML may hold, whatever names and texts do."""
    return html.translate(_CONTROL)


def page_part(html: str) -> str:
    """Drop from an output what only JupyterLab needs: a page has its own style."""
    return re.sub(r"<style data-crmlab>.*?</style>", "", html, flags=re.S)


@cache
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
        tags, hidden = cell.metadata.get("tags", []), cell.metadata.get("jupyter", {}).get("source_hidden")
        cell.metadata = {"tags": tags} if tags else {}
        if ANALYST in tags and hidden:
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "code":
            # Warnings of libraries name files of this machine, and no reader needs them.
            cell.outputs = [out for out in cell.outputs if not (out.output_type == "stream" and out.name == "stderr")]
            for output in cell.outputs:
                output.pop("transient", None)
                if output.output_type == "error":
                    output["traceback"] = [line.replace(root, ".") for line in output["traceback"]]
    return notebook


def written(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    import nbformat

    return f"{nbformat.writes(notebook)}\n"


def render_folder(folder: Path, name: str, descriptor: Descriptor) -> None:
    """Write ``report.html`` of one report folder anew from its executed notebook."""
    import nbformat

    path = folder / "notebook.ipynb"
    if not path.is_file():
        raise ReportError.nothing_to_render(folder)
    notebook = nbformat.read(path, as_version=4)
    write_aside(folder / "report.html", page(name, notebook, read_summary(folder), descriptor).encode())
