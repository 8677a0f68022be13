"""One public list: what a face imports is what it promises, and what it promises has a docstring with an example."""

from __future__ import annotations

import ast
import importlib
import inspect
import operator
import re
from pathlib import Path

import pytest

import crmlab
from crmlab.lazy import lazy_names

SUBJECTS = (
    *("actions", "campaigns", "churn", "cross_sell", "customer_profile", "customer_value", "customers", "data_quality"),
    *("lifecycle", "rfm", "scorecard", "triggers"),
)
PARTS = ("baskets", "btyd", "decisions", "forecasts", "testing")  # of crmlab.models
FACES = (
    "crmlab",
    "crmlab.data",
    "crmlab.history",
    "crmlab.models",
    "crmlab.page",
    *(f"crmlab.models.{name}" for name in PARTS),
    *(f"crmlab.analyses.{name}" for name in SUBJECTS),
)

# The same in every subject; the docstring of crmlab shows how they are used, tests/contract/test_form.py holds them to one form.
FORM = {"Params", "readiness", "run"}
# What functions return or take as a choice, and nobody makes from nothing: the example is that of the function.
RESULTS = {
    "crmlab.models": "Allocation BudgetCurve CellStatistics Comparison ComparisonOptions PolicyValue Portfolio SampleRatio Scored Spread Winners",
    "crmlab.models.forecasts": "Rival",
    "crmlab.analyses.actions": "Action ActionPlan Limits",
    "crmlab.analyses.campaigns": "Brought Codes Earned Holdout Measured Past Sending",
    "crmlab.analyses.churn": "Scores",
    "crmlab.analyses.customer_value": "Base Choice Scores Season",
    "crmlab.analyses.lifecycle": "Life",
    "crmlab.analyses.scorecard": "Goal Speech",
    "crmlab.analyses.triggers": "Trigger",
}
# Steps that subjects hand each other: they take a history or what another subject worked out, and have no example of their own.
STEPS = {
    "crmlab.models": "fit_clock forecast",
    "crmlab.analyses.actions": "decide decisions ground_of parse_segment_goals plans_of promised",
    "crmlab.analyses.campaigns": "campaign_data cell_moments check_all_ids check_ids drawn final_cells final_result holdout_for "
    "known_cells launch_campaign match_counts measure_campaign measured mismatched news_of outcomes past_of plan_checks ratio_of "
    "read_plan read_responses unchecked_columns verdicts_of",
    "crmlab.analyses.churn": "customer_list scores with_model",
    "crmlab.analyses.customer_value": "base_of chosen clock_followed fit_spend learnt measured money_of name_of season_ahead told total_said "
    "what_of",
    "crmlab.analyses.customers": "check_columns publish",
    "crmlab.analyses.data_quality": "verdict",
    "crmlab.analyses.lifecycle": "life_of limits_of moves_between standing",
    "crmlab.analyses.scorecard": "board_of estimates quarters_ahead speech_of",
    "crmlab.analyses.triggers": "moments judgement present",
}
# Names of a part of crmlab.models that stand in their own face alone.
OF_PART = {"PRESSURE", "Rival", "pool_rounds"}


def face(name):
    return importlib.import_module(name)


def imported(module):
    """Public names that a face imports for its readers."""
    names = set()
    for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            names |= {item.asname or item.name for line in node.body if isinstance(line, ast.ImportFrom) for item in line.names}
    return {name for name in names if not name.startswith("_")}


def things(name):
    """Functions and classes that a face promises."""
    found = {one: getattr(face(name), one) for one in face(name).__all__}
    return {one: thing for one, thing in found.items() if inspect.isfunction(thing) or inspect.isclass(thing)}


def without_example(name):
    return {one for listed in (RESULTS, STEPS) for key in (name, "crmlab.models") for one in listed.get(key, "").split()}


@pytest.mark.parametrize("name", FACES)
def test_a_face_promises_what_it_imports_and_nothing_else(name):
    module = face(name)
    assert set(module.__all__) - {"__version__"} == imported(module)
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", FACES)
def test_everything_promised_has_a_docstring_with_an_example(name):
    for one, thing in things(name).items():
        said = inspect.getdoc(thing) or ""
        assert said, f"{name}.{one}"
        if name.startswith("crmlab.analyses.") and one in FORM:
            continue
        # A name that has an example by now is to be taken off the lists.
        exempt = one in (without_example(name) if name.startswith(("crmlab.models", "crmlab.analyses")) else set())
        if not (name.startswith("crmlab.page") or (exempt and name.startswith("crmlab.models"))):
            assert (">>>" in said) != exempt, f"{name}.{one}"


def test_all_models_stand_in_one_face():
    together = set(face("crmlab.models").__all__)
    for part in PARTS:
        assert set(face(f"crmlab.models.{part}").__all__) - together <= OF_PART, part


def test_what_everybody_needs_is_found_at_the_top():
    for name in (
        "open_dataset",
        "customer_summary",
        "holdout_summary",
        "MBGNBD",
        "ParetoNBD",
        "compare_models",
        "detectable_effect",
        "segmented",
        "states",
        "next_best_offers",
        "pull_list",
        "rules",
        "compare",
        "compare_cells",
    ):
        assert callable(getattr(crmlab, name))
        assert name in crmlab.__all__
    # Each is the one of its owner, and stands in the list of jobs.
    assert crmlab.states is crmlab.analyses.lifecycle.states
    assert crmlab.rules is crmlab.models.baskets.rules
    listed = crmlab.__doc__ or ""
    for name in set(crmlab.__all__) - {"History", "__version__"}:
        assert name in listed, name


def test_the_overviews_name_what_there_is():
    """Every name in code of a table of jobs is one that is there."""
    for module in (crmlab, crmlab.models):
        table = [line for line in (module.__doc__ or "").partition("want …")[2].splitlines() if "``" in line]
        called = {
            name
            for line in table
            for code in re.findall("``(.*?)``", line)
            for name in re.findall(r"\b(models\.\w+|[A-Za-z]\w*)\(", code)
        }
        alone = {code for line in table for code in re.findall(r"``([\w.]+)``", line) if not code.startswith("crmlab.")}
        assert len(called | alone) > 20
        for name in (called | alone) - {"model.summary", "summary", "run"}:
            assert operator.attrgetter(name)(module), name
    said = crmlab.models.__doc__ or ""
    assert all(name in said for name in ("plot_track", "SBG", "Money", "kaplan_meier"))


def test_a_name_of_another_package_is_pointed_to():
    for module, name, where in (
        (crmlab, "plot_matrix", "crmlab.models"),
        (crmlab, "as_orders", "crmlab.history"),
        (crmlab, "DataError", "crmlab.errors"),
        (crmlab, "rfm", "crmlab.analyses"),
        (crmlab, "segment_keys_of_nobody", ""),
        (crmlab, "run", ""),  # many have one
        (crmlab, "frames_of_nobody", ""),
        (crmlab.models, "customer_summary", "crmlab"),
        (crmlab.analyses.rfm, "states", "crmlab"),
    ):
        with pytest.raises(AttributeError) as told:
            getattr(module, name)
        known = f"module '{module.__name__}' has no attribute '{name}'"
        assert str(told.value) == (f"{known}. It is in {where}." if where else known)


def test_a_face_shows_its_names_and_not_what_makes_it_lazy():
    for name in FACES:
        assert not {"TYPE_CHECKING", "annotations", "lazy_names"} & set(dir(face(name))), name


def test_packages_are_there_once_crmlab_is_imported():
    assert crmlab.history.customer_summary is crmlab.customer_summary
    assert crmlab.analyses.rfm.run
    assert {"analyses", "data", "history", "models"} <= set(dir(crmlab))
    assert "rfm" in dir(crmlab.analyses)
    with pytest.raises(AttributeError, match="module 'crmlab.analyses' has no attribute 'rmf'"):
        crmlab.analyses.rmf  # noqa: B018
    # A module that is no package is no name of its package.
    get, _ = lazy_names("crmlab.data")
    with pytest.raises(AttributeError):
        get("dataset_of_nobody")
