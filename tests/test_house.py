"""The house: every public name is there and is no module, every report has its subject, data know their own code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import shutil
import subprocess
import sys
import tomllib
import types
from collections import Counter
from pathlib import Path

import grimp
import pytest

import crmlab
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.btyd.forecasting import DAYS
from crmlab.report import registry

PACKAGE = Path(crmlab.__file__).parent
CONTRACTS = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract.get("containers") == ["crmlab.analyses"])
SUBJECTS = sorted(name.strip() for layer in LAYERS for name in layer.split("|"))
MODULES = sorted(info.name for info in pkgutil.walk_packages(crmlab.__path__, "crmlab."))


MOST_PARAMETERS = 7
# Functions that take more, each with the reason why it may.
LONG = {
    "page/params.py: param": "one word for each thing that a field says of itself, as pydantic's Field",
    "history/cubes.py: cube": "the clauses of one query, written by hand in a notebook",
    "data/shop/make.py: make_shop": "the switches of a simulator, each by itself, as scikit-learn's make_classification",
}


def imported() -> list[types.ModuleType]:
    # Running the command is what this one is for.
    return [crmlab, *(importlib.import_module(name) for name in MODULES if not name.endswith(".__main__"))]


def defined(path: Path) -> set[str]:
    """Public functions and classes that a module defines, and public constants."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_every_public_name_is_there_and_is_no_module_once_all_are_imported():
    # Importing a module writes its name into the package: a public name that is the same would then be the module.
    for module in imported():
        for name in getattr(module, "__all__", ()):
            assert not isinstance(getattr(module, name), types.ModuleType), f"{module.__name__}.{name} is a module"


@pytest.mark.proof
def test_no_public_function_or_class_is_called_as_a_module_of_its_package():
    taken = []
    for folder in {path.parent for path in PACKAGE.rglob("__init__.py")}:
        modules = {item.stem for item in folder.glob("*.py")} | {item.name for item in folder.iterdir() if item.is_dir()}
        taken += [f"{path.relative_to(PACKAGE)}: {name}" for path in folder.glob("*.py") for name in defined(path) & modules]
    # The one form has study(history, params) in study.py; it is called there and in report.py, and no face gives it.
    form = [f"analyses/{subject}/study.py: study" for subject in (*SUBJECTS, "campaigns/design", "campaigns/results")]
    assert set(taken) <= set(form)
    for module in imported():
        assert "study" not in getattr(module, "__all__", ()) or module.__name__.endswith(".study"), module.__name__


@pytest.mark.proof
def test_no_module_takes_a_private_name_of_another():
    taken = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crmlab"):
                taken += [
                    f"{path.relative_to(PACKAGE)}: {item.name}"
                    for item in node.names
                    if item.name.startswith("_") and not item.name.startswith("__")
                ]
    assert taken == []


# Calls that look like the engine's and are none: module, what is called, and how often, each with the reason.
NO_ENGINE = {
    # Ibis has no backend in a literal: DuckDB is asked whether it knows a date format, and no row comes.
    ("data/reading/times.py", "con.to_pyarrow"): 1,
    # Ibis caches on Spark without bringing the frames of the expression along; an empty result brings them.
    ("analyses/campaigns/measurement.py", "rows.get_backend().execute"): 1,
    # Arrow: an event of the campaign memory, and the ids of the customers of a state.
    ("data/memory/events.py", "table.to_pandas"): 1,
    ("analyses/cross_sell/state.py", "self.customers.to_pandas"): 1,
    # A Postgres session of the campaign memory, and the tables that are published.
    ("data/memory/stores.py", "session.execute"): 7,
    ("data/memory/stores.py", "self._held.session.execute"): 1,
    ("analyses/customers/publishing.py", "con.execute"): 4,
    ("analyses/customers/publishing.py", "cursor.execute"): 7,
    # DuckDB as a quick hash of given ids; no data set is asked.
    ("analyses/campaigns/assignment.py", "con.execute"): 1,
    ("analyses/campaigns/hashing.py", "con.execute"): 1,
    # An eager frame of Polars or PyArrow.
    ("frames.py", "_eager(given, what, error).to_pandas"): 1,
    # A notebook.
    ("report/execution.py", "client.execute"): 1,
}
LEAVES = {"to_pandas", "execute", "to_pyarrow", "to_polars", "to_pandas_batches", "to_pyarrow_batches", "to_torch"}


@pytest.mark.proof
def test_all_that_leaves_an_engine_leaves_through_collecting():
    found: Counter[tuple[str, str]] = Counter()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # Of any object, called or handed on; what collect_arrow returned is Arrow.
            if isinstance(node, ast.Attribute) and node.attr in LEAVES:
                owner = node.value
                if isinstance(owner, ast.Call) and ast.unparse(owner.func) == "collect_arrow":
                    continue
                found[path.relative_to(PACKAGE).as_posix(), ast.unparse(node)] += 1
    assert dict(found) == NO_ENGINE


@pytest.mark.proof
def test_no_function_takes_more_than_seven_parameters():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                if len(names) - (names[:1] in (["self"], ["cls"])) > MOST_PARAMETERS:
                    found.add(f"{path.relative_to(PACKAGE).as_posix()}: {node.name}")
    assert found == set(LONG)


# A year and its quarters are words of history; these numbers elsewhere are something else, and the reason says what.
LENGTHS = {52, 91, 92, 182, 363, 364, 365, 366, 365.25, 30.4375}
NUMBERS = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
OTHER_LENGTHS = {
    ("history/words.py", "365"): "the year itself",
    ("history/words.py", "91"): "the quarter itself",
    ("history/customers.py", "30.4375"): "a month as a unit of time: a twelfth of 365.25 days",
    ("analyses/campaigns/past.py", "365.25"): "a rate per year: how an effect fades",
    ("analyses/customer_value/base.py", "52"): "a cap on what a backtest keeps back, in whole weeks",
}


def test_a_year_and_a_quarter_are_asked_by_name():
    found = set()
    for path in (path for folder in ("analyses", "history") for path in PACKAGE.joinpath(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # What is worked out of numbers alone, as 13 * 7, counts as the number that it is.
            if not isinstance(node, ast.Constant | ast.BinOp) or not all(isinstance(part, NUMBERS) for part in ast.walk(node)):
                continue
            if eval(compile(ast.Expression(node), str(path), "eval"), {}) in LENGTHS:
                found.add((path.relative_to(PACKAGE).as_posix(), ast.unparse(node)))
    assert found == set(OTHER_LENGTHS)


def test_quarters_of_a_year_are_those_that_forecasts_look_ahead():
    assert (QUARTERS[0], sum(QUARTERS)) == (QUARTER, YEAR)
    # Each quarter to come is as long as the one of a year before it.
    assert QUARTERS[::-1] == DAYS


@pytest.mark.proof
def test_levels_are_asked_by_name():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            given: list[tuple[str, ast.AST | None]] = []
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                of = node.args
                given = [(one.arg, value) for one, value in zip(of.kwonlyargs, of.kw_defaults, strict=True)]
                given += [
                    (one.arg, value) for one, value in zip([*of.posonlyargs, *of.args][::-1], of.defaults[::-1], strict=False)
                ]
            elif isinstance(node, ast.Call):
                given = [(one.arg or "", one.value) for one in node.keywords]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                call = node.value if isinstance(node.value, ast.Call) else None
                default = next((one.value for one in call.keywords if one.arg == "default"), None) if call else node.value
                given = [(node.target.id, default)]
            found += [
                f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"
                for name, value in given
                if name in ("level", "interval", "confidence")
                if isinstance(value, ast.Constant) and type(value.value) in (int, float)
            ]
    assert found == [], "crmlab.models.intervals has LEVEL, of intervals, and TEST_LEVEL, of tests of campaigns"


@pytest.mark.proof
def test_every_module_says_what_is_public():
    for module in imported():
        path = Path(str(module.__file__))
        if path.name == "__init__.py":
            continue
        assert hasattr(module, "__all__"), module.__name__
        # A constant of the module's own typing may stay out; a function or a class may not.
        public = {
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        assert public <= set(module.__all__), module.__name__
        assert set(module.__all__) <= defined(path), module.__name__


@pytest.mark.proof
def test_only_the_page_knows_how_charts_look():
    looks = {"spines", "grid", "tick_params"} | {
        f"set_{level}_{part}" for level in ("major", "minor") for part in ("formatter", "locator")
    }
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "page"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = {node.attr} & looks if isinstance(node, ast.Attribute) else set()
            if isinstance(node, ast.ImportFrom) and node.module == "matplotlib.ticker":
                named = {node.module}
            found += [f"{path.relative_to(PACKAGE)}:{node.lineno}: {name}, which crmlab.page.marks has" for name in named]
    assert found == []


def test_every_subject_has_a_face_and_the_house_has_no_other():
    folders = {path.name for path in (PACKAGE / "analyses").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(SUBJECTS)
    for name in SUBJECTS:
        face = importlib.import_module(f"crmlab.analyses.{name}")
        assert face.__doc__
        assert face.__all__
    for gone in ("features", "composed", "style"):
        assert not (PACKAGE / gone).exists()


def test_a_subject_is_imported_by_others_through_its_face_alone():
    graph = grimp.build_graph("crmlab", cache_dir=None)
    for face in graph.find_children("crmlab.analyses"):
        inside = graph.find_descendants(face)
        for module in inside:
            assert graph.find_modules_that_directly_import(module) <= inside | {face}, module


def test_every_report_is_in_the_registry_and_every_line_of_it_is_a_report():
    assert set(registry.REPORTS) == set(registry.report_names())
    for name in registry.REPORTS:
        module = registry.analysis(name)
        assert {"NEEDS", "QUANTITIES", "Params", "run"} <= set(module.__all__)


def test_public_names_that_people_type_first():
    from crmlab.history import customer_summary
    from crmlab.models import BGNBD, GammaGamma, Rate, compare_cells, required_size, rules

    assert all(map(callable, (customer_summary, BGNBD, GammaGamma, Rate, compare_cells, required_size, rules)))
    assert "required_size" in dir(importlib.import_module("crmlab.models"))


@pytest.mark.parametrize("name", ["crmlab", "crmlab.models", "crmlab.analyses.churn", "crmlab.history", "crmlab.page"])
def test_importing_a_face_imports_nothing_heavy(name):
    heavy = {"pandas", "pydantic", "numpy", "ibis", "scipy", "sklearn", "matplotlib", "papermill", "nbconvert"}
    code = f"import sys, {name}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("changed", ["tables.py", "shop/orders.py", "reading/parse.py", "memory/rules.py", "sections.py"])
def test_the_key_of_the_cache_knows_every_module_that_makes_tables(tmp_path, changed):
    copy = tmp_path / "crmlab"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def digest() -> str:
        code = "from crmlab.data import cache; print(cache.__file__, cache.code_digest())"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        place, found = done.stdout.split()
        assert Path(place).is_relative_to(tmp_path)
        return found

    before = digest()
    assert digest() == before
    with (copy / "data" / changed).open("a") as stream:
        stream.write("\n# a change\n")
    assert (digest() == before) == (changed == "sections.py")
