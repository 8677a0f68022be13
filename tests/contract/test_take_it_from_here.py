"""The folded cell at the end of each notebook: an analyst works on from it, the page does not show it, and both say the same."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.data.catalog import load
from crmlab.page.params import specs
from crmlab.report import registry
from crmlab.report.render import ANALYST, for_readers, page, scrub

NAMES = registry.report_names()
TAGS = [ANALYST, "skip-execution", "nbval-skip"]
CHEAP = ("campaign_results", "data_quality", "rfm")  # whose page takes a few seconds
CUSTOMER = "C000001"
TO = 1e-9


def cells_of(name):
    content = json.loads(registry.notebook_path(name).read_text(encoding="utf-8"))["cells"]
    return [(place, cell) for place, cell in enumerate(content) if ANALYST in cell["metadata"].get("tags", [])], content


def code_of(name):
    (_, (_, cell)), _ = cells_of(name)
    return "".join(cell["source"])


# --- what it is made of ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_it_ends_the_notebook_folded_and_is_not_run(name):
    found, content = cells_of(name)
    (first, heading), (second, code) = found
    assert (first, second) == (len(content) - 2, len(content) - 1)
    assert heading["cell_type"] == "markdown"
    assert "".join(heading["source"]).startswith("## Take it from here\n\n")
    assert (heading["metadata"], heading["cell_type"]) == ({"tags": [ANALYST]}, "markdown")
    assert (code["metadata"], code["cell_type"]) == ({"jupyter": {"source_hidden": True}, "tags": TAGS}, "code")


def chain_of(node):
    """``a.b.c`` as its names; None where it is anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else None


def aliases_of(tree):
    """Names that stand for a package: ``churn = crmlab.analyses.churn``, alone or several of them."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            pairs = (
                zip(target.elts, node.value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(target, node.value)]
            )
            for name, value in pairs:
                chain = chain_of(value)
                if chain and chain[0] == "crmlab" and chain[:2] != ["crmlab", "open_dataset"]:
                    found[name.id] = chain
    return found


def unknown(chain):
    """What of a chain from crmlab is no public name; empty where all is."""
    module, names = crmlab, chain[1:]
    for place, name in enumerate(names):
        package = f"{module.__name__}.{name}"
        if name in getattr(module, "__all__", ()):
            return ""
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError:
            return ".".join(["crmlab", *names[: place + 1]])
        if not hasattr(module, "__path__"):
            return package
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_it_uses_public_names_and_the_parameters_alone(name):
    tree = ast.parse(code_of(name))
    assert isinstance(tree.body[-1], ast.Expr)
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.With, ast.Try)
    assert not [node for node in ast.walk(tree) if isinstance(node, logic)]
    aliases = aliases_of(tree)
    bad = []
    for node in ast.walk(tree):
        chain = chain_of(node) if isinstance(node, ast.Attribute) else None
        if chain and chain[0] in ("crmlab", *aliases):
            bad.append(unknown([*aliases.get(chain[0], ["crmlab"]), *chain[1:]]))
    assert [one for one in bad if one] == []
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"pandas"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    # Made from the data set, not taken out of the page; nor is the page made again.
    taken = [chain_of(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and chain_of(node)]
    assert {tuple(chain) for chain in taken if chain[0] == "result"} <= {("result", "params")}
    assert not [chain for chain in taken if chain[-1] in ("run", "run_notebook")]
    # Whatever it reads and does not make is a parameter of the notebook.
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    params = {"data", "engine", *(spec.name for spec in specs(registry.analysis(name).Params))}
    assert names - made <= params | {"crmlab", "pd", "result", "dict", "len", "object"}
    assert not made & params
    assert {"data", "engine", "as_of"} <= names


def test_a_name_that_is_not_public_is_seen():
    assert unknown(["crmlab", "analyses", "churn", "scores"]) == ""
    assert unknown(["crmlab", "segmented"]) == ""
    assert unknown(["crmlab", "analyses", "churn", "scored", "Scores"]) == "crmlab.analyses.churn.scored"
    assert unknown(["crmlab", "analyses", "churn", "of_nobody"]) == "crmlab.analyses.churn.of_nobody"


# --- pages are without it -------------------------------------------------------------------------------------------------


def executed(cells):
    """A notebook whose cells of code all say something."""
    said = nbformat.v4.new_output("execute_result", {"text/plain": "what was found"}, execution_count=1)
    made = nbformat.from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    for cell in made.cells:
        cell.source = "".join(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [said]
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_the_same_with_it_and_without(name):
    _, content = cells_of(name)
    whole = executed(content)
    summary = {"context": "the shop", "findings": []}
    html = page(name, whole, summary, load("shop"))
    assert "ake it from here" not in html
    assert html == page(name, executed(content[:-2]), summary, load("shop"))
    assert len(for_readers(whole).cells) == len(content) - 2


def test_a_notebook_that_was_run_keeps_it_folded():
    _, content = cells_of("rfm")
    last = scrub(executed(content), "/nowhere").cells[-1]
    assert last.metadata == {"tags": TAGS, "jupyter": {"source_hidden": True}}


@pytest.mark.proof
def test_a_run_passes_over_it(tmp_path):
    command = [sys.executable, "-m", "crmlab.cli", "run", "data_quality", "--data", "cdnow_sample", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (place,) = tmp_path.rglob("notebook.ipynb")
    last = nbformat.read(place, as_version=4).cells[-1]
    assert last.metadata["tags"] == TAGS
    assert (last.execution_count, last.outputs) == (None, [])
    (html,) = tmp_path.rglob("report.html")
    assert "ake it from here" not in html.read_text(encoding="utf-8")


# --- and say the same -----------------------------------------------------------------------------------------------------


def worked_on(name, **given):
    """What the cell ends in, with the parameters of its notebook."""
    params = registry.analysis(name).Params(**given)
    known = {spec.name: getattr(params, spec.name) for spec in specs(type(params))}
    names = {"crmlab": crmlab, "data": "shop", "engine": None, "result": SimpleNamespace(params=params), **known}
    tree = ast.parse(code_of(name))
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, name, "exec"), names)
    found = eval(compile(last, name, "eval"), names)
    assert isinstance(found, pd.DataFrame)
    return found


def alike(found, frame, *columns):
    """Numbers in some columns are the same, row by row; an empty one is an empty one."""
    assert len(found) == len(frame) > 0
    for column in columns:
        mine, its = (np.asarray(one[column].astype(float)) for one in (found, frame))
        np.testing.assert_allclose(mine, its, rtol=TO, err_msg=column)


def table(result, key):
    return result.tables[key].frame


def rfm(found, result):
    frame = table(result, "segments")
    assert list(found.index) == list(frame["segment"])
    alike(found, frame, "customers", "share", "revenue", "revenue_share", "median_spend", "median_days")


def lifecycle(found, result):
    frame = table(result, "states").set_index("state")
    alike(found.loc[frame.index], frame, "customers", "contactable", "spend")
    assert len(found) == len(frame)


def customer_value(found, result):
    frame = table(result, "tiers")
    assert list(found.index) == list(frame.index) == ["A", "B", "C", "D"]
    alike(found, frame, *found.columns)


def cross_sell(found, result):
    frame = table(result, "worth")
    assert found[["antecedent", "consequent"]].values.tolist() == frame[["antecedent", "consequent"]].values.tolist()
    alike(found, frame, "reach", "seen", "rate", "other", "extra", "extra_low", "extra_high")


def churn(found, result):
    frame = table(result, "matrix")
    shown = frame[frame["expected_loss"].notna() & (frame["tier"] != "")]
    assert len(shown) > 8
    shown = shown.assign(customers=shown["customers"].str.replace(",", "")).set_index(["risk", "tier"])
    mine = found.loc[shown.index]
    alike(mine, shown, "customers", "expected_loss")
    known = shown["profit"].notna()
    alike(mine[known], shown[known], "profit")
    worth = shown.loc[known, "what"].str.replace(",", "").str.split().str[0]
    assert mine.loc[known, "worth"].tolist() == worth.astype(int).tolist()
    # Those that the page hides are there too.
    listed = result.outputs["customers"].frame
    assert found["customers"].sum() == len(listed)
    assert found["worth"].sum() == (listed["keeping_pays"] == "yes").sum()


def campaign_results(found, result):
    frame = result.outputs["comparisons"].frame.set_index(["metric", "cell"])
    mine = found.set_index(["metric", "cell"]).loc[frame.index]
    assert set(frame.index.get_level_values(0)) == {"response", "spend", "margin", "profit"}
    alike(
        mine, frame, "n", "n_control", "mean", "mean_control", "estimate", "low", "high", "p_value", "p_adjusted", "detectable"
    )
    assert mine["method"].tolist() == frame["method"].tolist()
    money = table(result, "money").set_index("cell")
    alike(mine.loc["profit"].loc[money.index], money.rename(columns={"profit": "estimate"}), "estimate")


def actions(found, result):
    frame = table(result, "actions")
    assert found["action"].tolist() == frame["action"].tolist()
    assert found["basis"].tolist() == frame["basis"].tolist()
    alike(found, frame, "customers", "worth", "worth_low", "worth_high", "cost", "rise")


def scorecard(found, result):
    frame = table(result, "five").set_index("measure")
    assert set(found.index) == set(frame.index)
    alike(found.loc[frame.index], frame, "now", "year", "last")


def data_quality(found, result):
    frame = table(result, "rules").set_index("rule")
    assert len(found) == len(frame)
    assert frame.index.is_unique
    mine = found.set_index("rule").loc[frame.index]
    alike(mine, frame, "checked", "broken", "share")
    assert mine["grave"].map({True: "serious", False: "minor"}).tolist() == frame["grave"].tolist()


def triggers(found, result):
    frame = table(result, "triggers")
    assert found["verdict"].tolist() == frame["verdict"].tolist()
    numbers = [name for name in frame.columns if name not in ("label", "verdict", "predicts")]
    assert len(numbers) == 15
    alike(found, frame, *numbers)
    listed = result.outputs["moments"].frame
    assert found["customers"].sum() == len(listed.drop_duplicates(["customer_id", "trigger"]))


def campaign_design(found, result):
    frame = table(result, "cells")
    assert found["cell_id"].tolist() == frame["cell_id"].tolist()
    assert found["response_code"].fillna("none").tolist() == frame["code"].tolist()
    alike(found, frame, "customers", "share")


def customer_profile(found, result):
    facts = table(result, "facts").set_index("label")
    assert len(found) == 1
    (row,) = found.to_dict("records")
    for column, label in (
        ("value", "Value still to come"),
        ("expected_purchases", "Purchases expected in"),
        ("alive", "Probability of still being"),
        ("churn", "Probability of no purchase"),
    ):
        (its,) = [value for known, value in facts["value"].items() if known.startswith(label)]
        assert row[column] == pytest.approx(its, rel=TO), label
    assert row["action"] == facts.loc["What to do", "value"]
    assert row["action_reason"] == facts.loc["What to do", "more"]
    assert row["state"] == facts.loc["Lifecycle state", "value"]


SAME = {one.__name__: one for one in (rfm, lifecycle, customer_value, cross_sell, churn, campaign_results, actions, scorecard)}
SAME |= {one.__name__: one for one in (data_quality, triggers, campaign_design, customer_profile)}


def test_every_table_is_held_against_its_page():
    assert set(SAME) == set(NAMES)


@pytest.mark.parametrize("name", CHEAP)
def test_it_gives_the_table_of_a_quick_page(name, opened_once):
    module = registry.analysis(name)
    SAME[name](worked_on(name), module.run(opened_once("shop"), module.Params()))


@pytest.mark.parametrize("name", [name for name in SAME if name not in (*CHEAP, "customer_profile")])
def test_it_gives_the_table_of_the_page(name, result_of):
    SAME[name](worked_on(name), result_of(name, "shop"))


@pytest.mark.proof
def test_it_gives_what_is_told_of_one_customer(opened_once):
    module = registry.analysis("customer_profile")
    result = module.run(opened_once("shop"), module.Params(customer_id=CUSTOMER))
    SAME["customer_profile"](worked_on("customer_profile", customer_id=CUSTOMER), result)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rfm", {"bins": 3, "as_of": "2025-06-30"}),
        ("campaign_results", {"campaign": "first_offers", "adjust": False, "level": 0.9, "correction": "holm", "margin": 0.4}),
        pytest.param(
            "cross_sell", {"level_of": "category", "horizon": 60, "margin": 0.4, "level": 0.8}, marks=pytest.mark.proof
        ),
        pytest.param(
            "lifecycle", {"slowing_days": 20, "lapsed_days": 60, "lost_days": 200, "step": 3}, marks=pytest.mark.proof
        ),
    ],
)
def test_it_follows_the_parameters(name, given, opened_once):
    module = registry.analysis(name)
    SAME[name](worked_on(name, **given), module.run(opened_once("shop"), replace(module.Params(), **given)))
