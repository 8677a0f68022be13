"""A test in one file: what the section ``[test]`` says of its cells, outcomes and costs, beside where the file is.

One row per customer (or whatever was assigned), with the cell and what came of it. Such a file needs no orders and no dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.data.tables import TEST, Column, Kind
from crmlab.data.toml import STRICT, Name, checked, must, names
from crmlab.errors import listing
from crmlab.errors.validation import Faults

__all__ = ["TEST_KEYS", "OutcomeSection", "TestSection", "parse_test"]

# A cell may be written as a number: 0 and 1.
_Cell = Annotated[str, Field(min_length=1), BeforeValidator(lambda value: _cell(value))]
_KINDS = ("rate", "mean", "money", "ratio")
_KIND_WORDS = '"rate", "mean", "money" or "ratio"'
_Kind = Annotated[Literal["rate", "mean", "money", "ratio"], must(_KIND_WORDS)]
_Way = Annotated[Literal["up", "down"], must('"up" where more is better, or "down"')]
_Column = Annotated[Name, must("the name of a column")]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(lambda value: _number(value))]
_Share = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(lambda value: _number(value))]


def _cell(value: Any) -> Any:
    """The name of a cell, as the reader writes numbers, and yes and no."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else str(value)
    return value


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, config=STRICT)
class OutcomeSection:
    """One outcome of a test, ``[test.outcomes.NAME]``.

    Attributes
    ----------
    kind : {"rate", "mean", "money", "ratio"}, optional
        Yes or no; a number; an amount in the data set's currency; or ``of``, one column divided by another. Default: a rate where all are 0
        or 1, else a mean.
    direction : {"up", "down"}
        Whether more is better, as of visits, or worse, as of complaints.
    label : str
        What pages call it; default: its name.
    column : str
        Of the file; default: its name.
    of : tuple of two str
        Columns of a ratio: sums of the first by sums of the second.
    """

    kind: _Kind | None = None
    direction: _Way = "up"
    label: Name | None = None
    column: _Column | None = None
    of: Annotated[
        tuple[Name, ...], Field(strict=False, min_length=2, max_length=2), must('two columns, such as ["spend", "orders"]')
    ] = ()


@dataclass(frozen=True, config=STRICT)
class TestSection:
    """The section ``[test]``, without what it says of its file.

    Attributes
    ----------
    control : str, or mapping of cell to its control
        The cell that the others are compared with.
    outcomes : mapping of name to OutcomeSection
        In the file also a list of columns. The first is what pages open with.
    covariates : tuple of str
        Columns of numbers that were known beforehand, such as last year's spend.
    cost : float, or mapping of cell to float
        Of one contact; a single number is that of every cell that has a control. Default: not known.
    shares : mapping of cell to share
        How large the cells were to be; default: alike.
    blanks : {"error", "zero"}
        What an empty outcome means: that something is missing, or that nothing happened.
    """

    __test__ = False  # its name is not that of a test to be collected

    control: Annotated[_Cell | Mapping[_Cell, _Cell], must('a cell, such as "none", or a control for each cell')]
    outcomes: Annotated[Mapping[Name, OutcomeSection], Field(min_length=1)]
    covariates: Annotated[tuple[Name, ...], Field(strict=False), must('a list of columns, such as ["history"]')] = ()
    cost: Annotated[_Amount | Mapping[_Cell, _Amount], must("an amount of at least 0, or one for each cell")] | None = None
    shares: Annotated[Mapping[_Cell, _Share], must("a share above 0 for each cell")] = field(default_factory=dict)
    blanks: Annotated[Literal["error", "zero"], must('"error" or "zero"')] = "error"

    @property
    def sources(self) -> dict[str, str]:
        """Outcomes, parts of ratios and covariates → the column of the file that each is read from."""
        own = {name: one.column or name for name, one in self.outcomes.items() if one.kind != "ratio"}
        parts = [part for one in self.outcomes.values() for part in one.of]
        return {**{name: name for name in (*parts, *self.covariates)}, **own}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the canonical table that this test has beside its cells and units."""
        found = []
        for name in self.sources:
            one = self.outcomes.get(name)
            kind: Kind = "flag" if one is not None and one.kind == "rate" else "measure"
            meaning = "an outcome" if name not in self.covariates else "what was known before the test"
            empty = name in self.filled
            found.append(Column(name, kind, meaning, nullable=empty, by_name=False))
        return tuple(found)

    @property
    def filled(self) -> frozenset[str]:
        """Outcomes, and parts of ratios, of which an empty one stands for nothing."""
        return frozenset(self.sources) - set(self.covariates) if self.blanks == "zero" else frozenset()

    def label(self, outcome: str) -> str:
        """What pages call an outcome.

        Examples
        --------
        >>> TestSection("none", {"opted_out": OutcomeSection()}).label("opted_out")
        'opted out'
        """
        return self.outcomes[outcome].label or outcome.replace("_", " ")

    def cost_of(self, cell: str) -> float:
        """What one contact of a cell costs.

        Examples
        --------
        >>> test = TestSection("none", {"visit": OutcomeSection()}, cost=0.1)
        >>> test.cost_of("letter"), test.cost_of("none")
        (0.1, 0.0)
        """
        if isinstance(self.cost, Mapping):
            return float(self.cost.get(cell, 0.0))
        untouched = cell not in self.control if isinstance(self.control, Mapping) else cell == self.control
        return 0.0 if untouched else float(self.cost or 0.0)


TEST_KEYS = names(TestSection)


def parse_test(content: Mapping[str, Any], faults: Faults) -> TestSection | None:
    """Check what ``[test]`` says of cells, outcomes and costs.

    Parameters
    ----------
    content : mapping
        The section, that of its file among it.
    faults : Faults
        Gets what is wrong.

    Returns
    -------
    TestSection or None
        None where something is wrong.
    """
    given = {key: value for key, value in content.items() if key in TEST_KEYS}
    outcomes = _outcomes(given.get("outcomes"), faults)
    absent = {
        "control": '[test] lacks control, the cell that others are compared with, such as control = "none".',
        "outcomes": '[test] lacks outcomes, the columns of what came of it, such as outcomes = ["visit", "spend"].',
    }
    spoilt = outcomes is None and "outcomes" in given
    values = given if outcomes is None else {**given, "outcomes": outcomes}
    # The other keys are checked all the same.
    made = checked(
        TestSection, {**values, "outcomes": {"?": OutcomeSection()}} if spoilt else values, faults, ("test",), "[test]", absent
    )
    if made is None or spoilt or _clashing(made, faults):
        return None
    return made


def _clashing(made: TestSection, faults: Faults) -> bool:
    """Whether names of outcomes, parts of ratios and covariates are not told apart, as columns of one table must be."""
    taken = sorted(column.name for column in TEST.columns)
    own = {name: one.column or name for name, one in made.outcomes.items() if one.kind != "ratio"}
    lower = [name.lower() for name in made.sources]
    parts = {part for one in made.outcomes.values() for part in one.of}
    said = []
    for name in made.sources:
        if name.lower() in taken:
            hint = ', and name its column by column = "…"' if name in own else ": rename the column"
            said.append(f"'{name}' is what every test has ({listing(taken)}). Give it another name{hint}.")
    if twice := [name for name in made.sources if lower.count(name.lower()) > 1]:
        said.append(f"names must differ by more than capital letters. Got {listing(twice)}.")
    for name, column in own.items():
        if both := next((one for one in (name, column) if one in made.covariates), None):
            said.append(f"'{both}' is an outcome and a covariate. Either it was known before the test, or it came of it.")
        elif column != name and name in parts:
            said.append(f"the outcome '{name}' has the name of a column that a ratio is made of. Give it another name.")
    for one in said:
        faults.add(("test", "outcomes"), faults.error(f"{faults.where}: [test] outcomes: {one}"))
    return bool(said)


def _outcomes(given: Any, faults: Faults) -> dict[str, OutcomeSection] | None:
    """The outcomes of a test, written as a list of columns, as kinds by name, or as sections; None where they are not to be used."""
    at = ("test", "outcomes")
    if given is None:
        return None
    if isinstance(given, list) and given and all(isinstance(name, str) and name for name in given):
        given = {name: {} for name in given}
    if not isinstance(given, Mapping) or not given:
        expected = 'a list of columns, such as ["visit", "spend"], or a section, such as [test.outcomes.visit]'
        faults.expected(at, "[test]", expected, given)
        return None
    found: dict[str, OutcomeSection] = {}
    for name, one in given.items():
        section = f"[test.outcomes.{name}]"
        values = {"kind": one} if isinstance(one, str) else one
        if not isinstance(values, Mapping) or (isinstance(one, str) and one not in _KINDS):
            faults.expected((*at, name), "[test.outcomes]", f"{_KIND_WORDS}, or a section", one)
            continue
        made = checked(OutcomeSection, values, faults, (*at, name), section)
        if made is None:
            continue
        if made.kind == "ratio" and not made.of:
            faults.expected((*at, name, "of"), section, 'given for a ratio, such as of = ["spend", "orders"]', "nothing")
            continue
        if made.kind != "ratio" and made.of:
            faults.expected((*at, name, "kind"), section, '"ratio" where of names two columns', made.kind or "nothing")
            continue
        if made.kind == "ratio" and made.column is not None:
            faults.expected((*at, name, "column"), section, "left out for a ratio, whose columns are in of", made.column)
            continue
        found[name] = made
    return found if len(found) == len(given) else None
