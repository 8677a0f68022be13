"""The one form of a report: the same files and the same names in every subject's folder."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from crmlab.page.declarations import Annotation, Input
from crmlab.page.exhibits import Exhibits
from crmlab.page.quantities import Quantities
from crmlab.report import jobs, registry

NAMES = sorted(registry.REPORTS)


def part(name: str, module: str) -> ModuleType:
    return importlib.import_module(f"{registry.REPORTS[name]}.{module}")


def takes(function: object, *names: str) -> bool:
    return tuple(inspect.signature(function).parameters) == names


@pytest.mark.parametrize("name", NAMES)
def test_study_is_frozen_has_parts_with_names_and_is_made_of_a_history(name):
    study = part(name, "study")
    assert dataclasses.is_dataclass(study.Study)
    assert study.Study.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(study.Study))
    assert takes(study.study, "history", "params")
    assert study.Study.__doc__ and "context" in study.Study.__annotations__


@pytest.mark.parametrize("name", NAMES)
def test_exhibits_are_functions_of_the_study_alone(name):
    exhibits = part(name, "report").EXHIBITS
    assert isinstance(exhibits, Exhibits)
    for show in (*exhibits.tables.values(), *exhibits.charts.values()):
        assert takes(show, "study"), show


@pytest.mark.parametrize("name", NAMES)
def test_words_are_functions_of_the_study_alone(name):
    words = part(name, "words")
    assert words.TITLE
    for said in ("findings", "metrics", "warnings", "limits", "method"):
        assert takes(getattr(words, said), "study"), f"{name}.words.{said}"


@pytest.mark.parametrize("name", NAMES)
def test_run_is_a_page_of_a_study_of_a_history(name):
    report = part(name, "report")
    assert takes(report.run, "data", "params")
    body = inspect.getsource(report.run).rpartition('"""')[2]
    assert "page(" in body and "History(" in body
    assert len(body.strip().splitlines()) <= 5, "what is worked out stands in study.py"


@pytest.mark.parametrize("name", NAMES)
def test_quantities_are_declared_and_given_by_the_face(name):
    face = registry.analysis(name)
    assert "QUANTITIES" in face.__all__
    assert face.QUANTITIES is part(name, "quantities").QUANTITIES
    assert isinstance(face.QUANTITIES, Quantities) and len(face.QUANTITIES)


@pytest.mark.parametrize("name", NAMES)
def test_params_are_declared(name):
    params = registry.analysis(name).Params
    assert params.__pydantic_fields__
    assert params.__dataclass_params__.frozen


DECLARED = {
    "NEEDS",
    "SECTIONS",
    "SUFFICES",
    "INPUTS",
    "ANNOTATES",
    "NAMES_CUSTOMERS",
}  # what the report layer asks a face for, beside Params and run


@pytest.mark.parametrize("name", NAMES)
def test_a_face_declares_what_the_report_layer_asks_for(name):
    face = registry.analysis(name)
    assert {"NEEDS", "Params", "run"} <= set(face.__all__)
    assert all(isinstance(table, str) for table in face.NEEDS)
    assert all(isinstance(one, Input) for one in getattr(face, "INPUTS", ()))
    annotates = getattr(face, "ANNOTATES", None)
    if annotates is not None:
        assert isinstance(annotates, Annotation) and annotates.columns
        assert jobs.runs_unasked(name), "what annotates the lists of others runs without being asked for"
    assert set(part(name, "report").__all__) <= {*DECLARED, "EXHIBITS", "run"}


def test_the_report_layer_asks_a_face_for_nothing_else():
    folder = Path(registry.__file__).parent
    asked = {
        name for path in folder.rglob("*.py") for name in re.findall(r"getattr\([^,]+, \"([A-Z_]+)\"", path.read_text("utf-8"))
    }
    assert asked == DECLARED - {"NEEDS"}


def test_the_report_layer_knows_no_subject():
    folder = Path(registry.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name not in ("registry.py", "glossary.py"):
            assert "campaign" not in path.read_text("utf-8").lower(), path.name
