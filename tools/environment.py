"""Write ``environment.yml`` from ``pyproject.toml``: the same packages by their conda-forge names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where conda-forge has another name, or where an extra of PyPI is a package of its own.
CONDA_NAMES = {
    "ibis-framework[duckdb]": "ibis-duckdb",
    "pandera[ibis]": "pandera",
    "duckdb": "python-duckdb",
    "tzdata": "python-tzdata",
}


def conda_specs(project: dict[str, object]) -> list[str]:
    """Return the conda specs of a project's dependencies, sorted.

    >>> conda_specs({"requires-python": ">=3.11", "dependencies": ["duckdb>=1.3,<2", "click>=8.1"]})
    ['click>=8.1', 'python-duckdb>=1.3,<2', 'python>=3.11']
    """
    specs = [f"python{project['requires-python']}"]
    for requirement in project["dependencies"]:  # type: ignore[union-attr]
        match = re.fullmatch(r"([\w.-]+(?:\[\w+\])?)(.*)", requirement)
        assert match is not None
        name, bounds = match.groups()
        specs.append(f"{CONDA_NAMES.get(name, name)}{bounds}")
    return sorted(specs)


def environment() -> str:
    """Return the text of ``environment.yml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = "\n".join(f"  - {spec}" for spec in [*conda_specs(project), "pip"])
    return (
        "# For conda users: conda env create -f environment.yml && conda activate crmlab && crmlab run --data shop\n"
        "# Kept equal to pyproject.toml by tests/test_project.py; write it anew with: python tools/environment.py\n"
        "name: crmlab\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n{lines}\n"
        "  - pip:\n      - --no-deps -e .\n"
    )


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
