"""The contract of notebooks: thin, stripped, and equal to their Params."""

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest

from crmlab.data.project import home
from crmlab.page.params import specs
from crmlab.report import registry
from crmlab.report.params import cell_source
from crmlab.report.render import ANALYST

NAMES = registry.report_names()


def cells(name, kind):
    content = json.loads(registry.notebook_path(name).read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def test_every_analysis_has_a_notebook_and_every_notebook_an_analysis():
    notebooks = {path.stem for path in (home() / "notebooks").glob("*.ipynb")}
    assert notebooks == set(NAMES)
    for name in NAMES:
        module = registry.analysis(name)
        assert isinstance(module.NEEDS, tuple)
        assert dataclasses.is_dataclass(module.Params)
        assert callable(module.run)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_parameters_cell_equals_params(name):
    tagged = [cell for cell in cells(name, "code") if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    params = registry.analysis(name).Params
    assert source(tagged[0]) == cell_source(params)
    assigned = [node.targets[0].id for node in ast.parse(source(tagged[0])).body]
    assert assigned == ["data", "engine", *(spec.name for spec in specs(params))]


@pytest.mark.parametrize("name", NAMES)
def test_notebook_calls_its_analysis_once_with_every_parameter(name):
    calls = [
        node
        for cell in cells(name, "code")
        for node in ast.walk(ast.parse(source(cell)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crmlab.run_notebook"
    ]
    assert len(calls) == 1
    assert calls[0].args[0].value == name
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords}
    expected = ["data", "engine", *(spec.name for spec in specs(registry.analysis(name).Params))]
    assert given == {key: key for key in expected}


@pytest.mark.parametrize("name", NAMES)
def test_notebook_has_no_outputs_no_logic_and_one_heading(name):
    for cell in cells(name, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        tree = ast.parse(source(cell))
        banned = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.With, ast.Try)
        assert not [node for node in ast.walk(tree) if isinstance(node, banned)]
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        # Where an analyst works on, pandas is theirs.
        assert imported <= {"crmlab", *(["pandas"] if ANALYST in cell["metadata"].get("tags", []) else [])}
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert "../" not in source(cell)
    text = "\n".join(source(cell) for cell in cells(name, "markdown"))
    assert len(re.findall(r"^# ", text, flags=re.M)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_notebook_heading_is_the_title_of_its_result(name):
    # The page's heading comes from the notebook, the index' from the result: a reader must see one question.
    source = Path(registry.analysis(name).__file__)
    texts = [path.read_text(encoding="utf-8") for path in source.parent.glob("*.py")]
    assert any(f'"{registry.question(name)}"' in text for text in texts)


def test_explorations_have_no_outputs():
    for path in (home() / "notebooks" / "explore").glob("*.ipynb"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert all(cell.get("outputs", []) == [] for cell in content["cells"]), path.stem


def test_notebooks_readme_names_every_notebook():
    text = (home() / "notebooks" / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"`{name}.ipynb`" in text
        assert registry.question(name) in text
