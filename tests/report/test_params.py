import dataclasses
from typing import Literal

import pytest

from crmlab.analyses import rfm
from crmlab.errors import ParameterError
from crmlab.page.params import REQUIRED, Day, build, declared, param, plain, specs
from crmlab.report.params import assignments, cell_source


@declared("x")
class Params:
    """Every kind of parameter."""

    customer_id: str = param(help="who")
    level: float = param(default=0.9, help="of intervals, between 0 and 1", gt=0, lt=1, unit="share")
    days: int = param(default=7, help='a number; with "#" in the middle')
    when: Day | None = param(default=None, help="a day")
    wide: bool = param(default=False, help="whether")
    names: tuple[str, ...] = param(default=("a", "b"), help="several")
    sizes: tuple[int, ...] = param(default=(), help="several numbers")
    kind: Literal["one", "two"] = param(default="one", help="which")


def test_specs_give_names_types_defaults_and_help_in_order():
    found = {spec.name: spec for spec in specs(Params)}
    assert list(found) == ["customer_id", "level", "days", "when", "wide", "names", "sizes", "kind"]
    assert found["customer_id"].default is REQUIRED
    assert found["days"].help == 'a number; with "#" in the middle'
    assert (found["level"].unit, found["level"].bounds) == ("share", {"gt": 0, "lt": 1})
    assert (found["kind"].type_name, found["kind"].choices) == ("str", ("one", "two"))
    assert found["when"].type_name == "str | None"


def test_build_converts_texts_of_a_command_line():
    made = build(
        "x",
        Params,
        {"customer_id": "007", "level": "0.8", "days": "3", "when": "none", "wide": "yes", "names": "c, d", "sizes": "1,2"},
    )
    assert made == Params(customer_id="007", level=0.8, days=3, wide=True, names=("c", "d"), sizes=(1, 2))


def test_build_keeps_python_values():
    assert build("x", Params, {"customer_id": "1", "days": 3.0, "names": ["z"]}).names == ("z",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bin": 4}, "Unknown parameter 'bin' for rfm. Did you mean 'bins'?"),
        ({"bins": 40}, "The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead."),
        ({"bins": -1}, "The 'bins' parameter of rfm must be between 2 and 10. Got -1 instead."),
        ({"bins": "many"}, "The 'bins' parameter of rfm must be a whole number. Got 'many' instead."),
        ({"bins": 2.5}, "The 'bins' parameter of rfm must be a whole number. Got 2.5 instead."),
        ({"bins": True}, "The 'bins' parameter of rfm must be a whole number. Got True instead."),
        ({"bins": None}, "The 'bins' parameter of rfm must be a whole number. Got None instead."),
        ({"as_of": "31.12.2024"}, "The 'as_of' parameter of rfm must be a date such as 2024-12-31. Got '31.12.2024' instead."),
    ],
)
def test_build_refuses_in_the_grammar(values, message):
    with pytest.raises(ParameterError) as error:
        build("rfm", rfm.Params, values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"level": 1}, "The 'level' parameter of x must be between 0 and 1, both excluded. Got 1 instead."),
        ({"level": float("nan")}, "The 'level' parameter of x must be between 0 and 1, both excluded. Got nan instead."),
        ({"level": "0.9"}, "The 'level' parameter of x must be a number. Got '0.9' instead."),
        ({"days": True}, "The 'days' parameter of x must be a whole number. Got True instead."),
        ({"wide": 1}, "The 'wide' parameter of x must be true or false. Got 1 instead."),
        ({"kind": "three"}, "The 'kind' parameter of x must be one of one, two. Got 'three' instead."),
        ({"when": "2024-02-30"}, "The 'when' parameter of x must be a date such as 2024-12-31. Got '2024-02-30' instead."),
        ({"names": ["a"]}, "The 'names' parameter of x must be a list, with commas between. Got ['a'] instead."),
        ({"dayz": 3}, "Unknown parameter 'dayz' for x. Did you mean 'days'?"),
    ],
)
def test_params_are_strict(values, message):
    with pytest.raises(ParameterError) as error:
        Params(customer_id="1", **values)
    assert str(error.value) == message


def test_every_fault_is_told_at_once():
    with pytest.raises(ParameterError) as error:
        Params(customer_id="1", days=2.5, level=3)
    assert str(error.value).splitlines() == [
        "The 'level' parameter of x must be between 0 and 1, both excluded. Got 3 instead.",
        "The 'days' parameter of x must be a whole number. Got 2.5 instead.",
    ]


def test_params_are_frozen_and_changed_by_replace_which_checks():
    made = Params(customer_id="1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.days = 3
    assert dataclasses.replace(made, days=3).days == 3
    with pytest.raises(ParameterError):
        dataclasses.replace(made, days="3")


def test_build_wants_required_parameters():
    with pytest.raises(ParameterError, match=r"x needs customer_id. Got nothing. Add -p customer_id=…"):
        build("x", Params, {})


def test_assignments_refuse_what_is_none():
    with pytest.raises(ParameterError, match="must be given as key=value"):
        assignments(["bins"])
    assert assignments(["a=b=c"]) == {"a": "b=c"}


def test_cell_source_runs_and_gives_the_defaults():
    space = {}
    exec(cell_source(rfm.Params, data="cdnow"), space)
    assert space["data"] == "cdnow"
    assert space["engine"] is None
    for spec in specs(rfm.Params):
        assert space[spec.name] == spec.default


def test_plain_values_are_json_values():
    assert plain(Params(customer_id="1"))["names"] == ["a", "b"]


def test_params_of_every_report_have_help_for_every_field():
    from crmlab.report import registry

    for name in registry.report_names():
        for spec in specs(registry.analysis(name).Params):
            assert spec.help, f"{name}.{spec.name}"
        assert dataclasses.fields(registry.analysis(name).Params)
