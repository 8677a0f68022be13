"""Columns that one report adds to the lists of all others, with toy analyses: nothing of the kind is known to the report layer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import types
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import crmlab
import crmlab.analyses.rfm as rfm
from crmlab.errors import ReportError
from crmlab.page.declarations import Annotation, Input
from crmlab.page.quantities import Quantities, Quantity
from crmlab.page.result import Output, Result
from crmlab.report import annotations, batches, notebook, registry
from crmlab.report.batches import Settings
from crmlab.report.execution import Execution
from crmlab.report.jobs import Order
from crmlab.report.progress import Progress
from crmlab.report.records import RunRecord
from crmlab.report.runner import run_reports

DATA = "cdnow_sample"
IDS = ["00004", "00018"]


@cache
def segments() -> Result:
    """A result for the toys to put their lists into."""
    return rfm.run(crmlab.open_dataset(DATA))


class World:
    """What the toys say; a test changes it between two runs."""

    def __init__(self) -> None:
        self.actions = pd.DataFrame({"customer_id": IDS, "deed": ["write", "=wait"], "rank": [1, 2], "sure": [True, False]})
        self.error: Exception | None = None
        self.ran: list[str] = []


def toy(world: World, name: str, outputs, **declared) -> types.ModuleType:
    """An analysis that has the lists of a function, and is otherwise the one on segments."""

    def run(data, params):
        world.ran.append(name)
        if name == "acts" and world.error is not None:
            raise world.error
        made = segments()
        return Result(**{key: getattr(made, key) for key in Result.__dataclass_fields__} | {"outputs": outputs(made)})

    module = types.ModuleType(f"toy_{name}")
    for key, value in {"NEEDS": rfm.NEEDS, "Params": rfm.Params, "QUANTITIES": rfm.QUANTITIES, "run": run, **declared}.items():
        setattr(module, key, value)
    return module


class Here(Execution):
    """An execution in this process: it runs the analysis as the notebook would, and keeps a notebook that shows its notes."""

    def cancel(self):
        pass


@contextlib.contextmanager
def environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def execute(path, parameters, execution):
    import nbformat

    with environment(execution.environment):
        try:
            result = notebook.run_notebook(path.stem, **parameters)
        except Exception as error:
            execution.status, execution.error, execution.error_type = "failed", str(error), type(error).__name__
            return
    shown = nbformat.v4.new_output("execute_result", {"text/html": result.notes._repr_html_()}, execution_count=1)
    cell = nbformat.v4.new_code_cell("result.notes", outputs=[shown])
    execution.notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# What?"), cell])
    execution.status = "ok"


@pytest.fixture
def world(monkeypatch, tmp_path) -> World:
    """Three reports: "acts" annotates, "lists" has a list of customers and one of segments, "counts" has no list."""
    import crmlab.report.execution as execution

    made = World()
    acts = lambda result: {"acts": Output("Actions", made.actions, ("customer_id",))}  # noqa: E731

    def lists(result):
        frame = result.outputs["customers"].frame[["customer_id", "segment"]].head(5)
        segments = pd.DataFrame({"segment": ["a"], "customer_id": ["none"]})
        return {"people": Output("People", frame, ("customer_id",)), "segments": Output("Segments", segments, ("segment",))}

    modules = {
        "acts": toy(
            made,
            "acts",
            acts,
            ANNOTATES=Annotation("acts", ("deed", "rank", "sure")),
            QUANTITIES=Quantities(Quantity("{name}", "what {name} means", "text", values={"name": ("deed", "rank", "sure")})),
        ),
        "lists": toy(made, "lists", lists),
        "counts": toy(made, "counts", lambda _: {}),
    }
    home = tmp_path / "home"
    for folder in ("notebooks", "data"):
        (home / folder).mkdir(parents=True)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, module.__name__, module)
        content = {
            "cells": [{"cell_type": "markdown", "source": "# What?", "metadata": {}}],
            "metadata": {"crmlab": {"label": name.title()}},
        }
        (home / "notebooks" / f"{name}.ipynb").write_text(json.dumps(content | {"nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.setenv("CRMLAB_HOME", str(home))
    toml = (Path(__file__).parents[2] / "data" / f"{DATA}.toml").read_text()
    (home / "data" / f"{DATA}.toml").write_text(toml + '\n[report]\nlists = ["xlsx"]\n')
    monkeypatch.setattr(registry, "REPORTS", {name: module.__name__ for name, module in modules.items()})
    monkeypatch.setattr(execution, "Execution", Here)
    monkeypatch.setattr(execution, "execute", execute)
    monkeypatch.setattr(batches.Crew, "kernels", lambda self: None)
    made.out = tmp_path / "reports"
    made.home = home
    return made


def run(world: World, *names: str, **options) -> dict[str, RunRecord]:
    world.ran.clear()
    records = run_reports([Order(DATA, names, **options)], Settings(out=world.out, jobs=1))
    return {record.place: record for record in records}


def people(world: World) -> pd.DataFrame:
    return pd.read_parquet(world.out / DATA / "lists" / "outputs" / "people.parquet")


def warned(world: World, name: str = "lists") -> list[str]:
    return json.loads((world.out / DATA / name / "result.json").read_text())["warnings"]


def test_lists_of_other_reports_get_the_columns_in_every_form(world):
    records = run(world)
    assert all(record.status == "ok" for record in records.values()), records
    assert world.ran[0] == "acts"
    frame = people(world)
    assert list(frame.columns) == ["customer_id", "segment", "deed", "rank", "sure"]
    known = frame[frame["customer_id"].isin(IDS)]
    assert (
        known["deed"].tolist() == ["write", "=wait"]
        and known["rank"].tolist() == [1, 2]
        and known["sure"].tolist() == [True, False]
    )
    rest = frame[~frame["customer_id"].isin(IDS)]
    assert len(rest) == 3 and rest[["deed", "rank", "sure"]].isna().all(axis=None)
    folder = world.out / DATA / "lists" / "outputs"
    csv = pd.read_csv(folder / "people.csv", dtype="str", keep_default_na=False)
    assert csv["rank"].tolist() == ["1", "2", "", "", ""] and csv["sure"].tolist() == ["True", "False", "", "", ""]
    assert csv["deed"].tolist() == ["write", "'=wait", "", "", ""]
    sheet = pd.read_excel(folder / "people.xlsx", engine="calamine", dtype={"customer_id": "str"})
    assert (
        list(sheet.columns) == list(frame.columns) and sheet["rank"].tolist()[:2] == [1, 2] and sheet["rank"].isna().sum() == 3
    )
    # A list whose key is not the customer, and the annotating report itself, stay as they are.
    assert list(pd.read_parquet(folder / "segments.parquet").columns) == ["segment", "customer_id"]
    own = pd.read_parquet(world.out / DATA / "acts" / "outputs" / "acts.parquet")
    assert list(own.columns) == ["customer_id", "deed", "rank", "sure"]
    assert not list(world.out.rglob(".aside-*"))
    assert "annotated" not in json.loads((world.out / DATA / "acts" / "result.json").read_text())


def test_the_page_counts_below_each_list_what_is_decided_for_those_on_it(world, monkeypatch, tmp_path):
    declared = Annotation("acts", ("deed",), counted="deed", heading="Decided today")
    monkeypatch.setattr(annotations, "annotating", lambda: {"acts": declared})
    made = segments()
    ids = made.outputs["customers"].frame["customer_id"].head(1010)
    deeds = pd.DataFrame({"customer_id": ids, "deed": ["wait"] * 1000 + ["write"] * 6 + ["call"] * 4})
    deeds.to_parquet(tmp_path / "joined.parquet")
    (tmp_path / "joined.json").write_text(json.dumps({"table": "joined.parquet", "sentences": []}))
    # A customer who is twice on a list counts once; one without a decision counts as such.
    frame = pd.DataFrame({"customer_id": [*ids, ids.iloc[0], *["none"] * 7], "n": range(1018)}).assign(kind="moment")
    result = replace(made, outputs={"people": Output("People", frame, ("customer_id", "n"))})
    result, names = annotations.annotated(result, tmp_path / "joined.json")
    said = "Decided today: wait 1,000 · write 6 · call under 5 · no decision under 5"
    assert names == ["people"] and result.outputs["people"].note == said
    assert said in result.files.html()


def test_keys_change_exactly_when_the_columns_change(world):
    first = run(world)
    again = run(world)
    assert {record.status for record in again.values()} == {"up_to_date"}
    assert world.ran == [] and {name: record.key for name, record in again.items()} == {
        name: r.key for name, r in first.items()
    }
    # Another column of the same list is none of theirs, and nor is another order of rows.
    world.actions = world.actions.assign(more=1.5).iloc[::-1]
    force(world, "acts")
    same = run(world)
    assert {name: record.key for name, record in same.items()} == {name: record.key for name, record in first.items()}
    assert world.ran == []
    world.actions = world.actions.assign(deed="call")
    force(world, "acts")
    other = run(world)
    assert world.ran == ["lists"], "only the report whose lists the columns reach is made again"
    assert other["lists"].key != first["lists"].key
    assert other["counts"].key == first["counts"].key and other["acts"].key == first["acts"].key
    assert set(people(world)["deed"].dropna()) == {"call"}


def force(world: World, name: str) -> None:
    run_reports([Order(DATA, (name,))], Settings(out=world.out, jobs=1, force=True))


def test_an_annotating_report_runs_though_only_others_are_asked_for(world):
    records = run(world, "lists")
    assert world.ran == ["acts", "lists"] and list(records) == ["lists", "acts"]
    assert "deed" in people(world).columns
    assert list(run(world, "acts")) == ["acts"]


def test_what_was_decided_before_is_joined_where_only_another_report_is_asked_for(world, monkeypatch):
    seldom = Annotation("acts", ("deed", "rank", "sure"), always=False)
    monkeypatch.setattr(sys.modules["toy_acts"], "ANNOTATES", seldom)
    sentence = "The lists of customers are without deed and rank and sure: the report “Acts” was not asked for."
    run(world, "lists")
    assert world.ran == ["lists"] and warned(world)[-1] == sentence
    whole = run(world)
    assert "deed" in people(world).columns
    assert run(world, "lists")["lists"].status == "up_to_date"
    force(world, "lists")
    assert people(world)["deed"].notna().any() and sentence not in warned(world)
    assert run(world, "lists")["lists"].key == whole["lists"].key
    # Of another day nothing was decided, nor by what is no longer whole.
    run(world, "lists", params={"as_of": "1998-01-31"})
    assert "deed" not in people(world).columns and warned(world)[-1] == sentence
    (world.out / DATA / "acts" / "outputs" / "acts.parquet").write_bytes(b"")
    run(world, "lists")
    assert "deed" not in people(world).columns and warned(world)[-1] == sentence


@pytest.mark.parametrize("unasked", [True, False])
def test_lists_are_written_without_the_columns_where_the_report_fails(world, unasked):
    world.error = ValueError("no")
    records = run(world, *([] if unasked else ["lists"]))
    assert records["acts"].status == "failed" and records["lists"].status == "ok"
    assert list(people(world).columns) == ["customer_id", "segment"]
    sentence = "The lists of customers are without deed and rank and sure: the report “Acts” failed."
    assert warned(world)[-1] == sentence and warned(world).count(sentence) == 1
    assert sentence in (world.out / DATA / "lists" / "report.html").read_text()
    if unasked:
        assert sentence not in warned(world, "counts")
    world.error = None
    after = run(world, "lists")
    assert after["lists"].status == "ok" and after["lists"].key != records["lists"].key
    assert "deed" in people(world).columns and sentence not in warned(world)


def test_one_that_the_data_do_not_allow_is_passed_over(world, monkeypatch):
    monkeypatch.setattr(sys.modules["toy_acts"], "NEEDS", ("orders", "cells"))
    records = run(world, "lists")
    assert records["acts"].status == "skipped"
    assert warned(world)[-1] == "The lists of customers are without deed and rank and sure: the report “Acts” was passed over."
    from crmlab.errors import TooLittleError

    monkeypatch.setattr(sys.modules["toy_acts"], "NEEDS", ("orders",))
    world.error = TooLittleError("too little")
    assert run(world, "lists")["acts"].status == "skipped"


def test_each_day_gets_the_columns_of_its_day(world):
    records = run(world, "lists", each={"as_of": ["1997-12-31", "1998-01-31"]})
    assert sorted(records) == sorted(
        f"{name}--as_of-{day}" for name in ("acts", "lists") for day in ("1997-12-31", "1998-01-31")
    )
    assert all(record.ok for record in records.values())
    assert all("deed" in pd.read_parquet(path).columns for path in world.out.rglob("people.parquet"))


def test_two_that_annotate_the_same_column_are_an_error(world, monkeypatch):
    monkeypatch.setattr(sys.modules["toy_counts"], "ANNOTATES", Annotation("x", ("reason", "rank")), raising=False)
    with pytest.raises(ReportError, match="The reports acts and counts both annotate lists by a column 'rank'"):
        run(world)


def test_a_second_annotating_report_is_not_annotated(world, monkeypatch):
    monkeypatch.setattr(sys.modules["toy_lists"], "ANNOTATES", Annotation("people", ("segment",)), raising=False)
    assert all(record.ok for record in run(world).values())
    assert list(people(world).columns) == ["customer_id", "segment"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.rename(columns={"rank": "place"}), r"annotates lists by its output 'acts', which lacks rank\."),
        (lambda frame: pd.concat([frame, frame]), r"annotates lists by its output 'acts', which has customers twice\."),
    ],
)
def test_what_does_not_hold_to_its_declaration_is_an_error(world, change, message):
    world.actions = change(world.actions)
    record = run(world)["lists"]
    assert record.status == "failed"
    assert re.search(message, record.reason)


def test_a_list_that_has_the_column_is_an_error(world, monkeypatch):
    monkeypatch.setattr(sys.modules["toy_acts"], "ANNOTATES", Annotation("acts", ("segment",)))
    world.actions = world.actions.rename(columns={"deed": "segment"})
    record = run(world)["lists"]
    assert record.status == "failed" and "The list 'people' has a column 'segment' of its own" in record.reason


def test_without_an_annotating_report_nothing_is_written_of_it(world, monkeypatch):
    monkeypatch.delattr(sys.modules["toy_acts"], "ANNOTATES")
    records = run(world)
    assert list(people(world).columns) == ["customer_id", "segment"]
    assert "annotated" not in records["lists"].inputs
    assert "annotated" not in json.loads((world.out / DATA / "lists" / "result.json").read_text())


def test_a_report_is_made_again_when_a_further_input_changes(world, monkeypatch):
    state = ["a"]
    given = Input("a note", lambda: state[0], lambda: ("postgresql://clerk:hunter@host/db",))
    monkeypatch.setattr(sys.modules["toy_counts"], "INPUTS", (given,), raising=False)
    run(world)
    assert run(world)["counts"].status == "up_to_date"
    state[0] = "b"
    records = run(world)
    assert {name: record.status for name, record in records.items()} == {
        "acts": "up_to_date",
        "counts": "ok",
        "lists": "up_to_date",
    }
    world.error = ValueError("cannot reach postgresql://clerk:hunter@host/db")
    force(world, "acts")
    assert "hunter" not in json.dumps([path.read_text() for path in world.out.rglob("*.json")])


def test_a_run_keeps_what_it_saw_of_an_input_and_says_what_was_lost(world, monkeypatch, capsys):
    state, asked = [2], []

    def witness(before):
        asked.append(dict(before))
        lost = before.get("count", 0) > state[0]
        return {"count": state[0]}, ("A note [that] was there is gone.",) if lost else ()

    given = Input("notes", lambda: str(state[0]), witness=witness)
    monkeypatch.setattr(sys.modules["toy_counts"], "INPUTS", (given,), raising=False)
    first = run(world)["counts"]
    assert first.inputs["seen"] == {"notes": {"count": 2}} and first.notes == []
    state[0] = 1
    second = run(world)["counts"]
    assert second.notes == ["A note [that] was there is gone."]
    assert second.inputs["seen"] == {"notes": {"count": 1}}
    kept = json.loads((world.out / "cdnow_sample" / "counts" / "run.json").read_text())
    assert kept["notes"] == second.notes
    assert "A note [that] was there is gone." in (world.out / "cdnow_sample" / "index.html").read_text()
    with Progress() as progress:
        progress.ended(second)
        progress.ended(second)
    assert capsys.readouterr().out.count("A note [that] was there is gone.") == 1
    assert run(world)["counts"].notes == []  # it is said once
    assert asked == [{}, {"count": 2}, {"count": 1}]
