"""A test whose customers, cells and outcomes stand in one file: what its page shows, worked out once.

There are no orders and no dates: every outcome is a column, money or not, and cells are compared by :func:`crmlab.models.testing.compare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.balance import balance_of, unbalanced
from crmlab.analyses.campaigns.measurement import ends, mismatched
from crmlab.analyses.campaigns.results.params import Params
from crmlab.collecting import collect_arrow, collect_row, collect_value
from crmlab.errors import CampaignError, ParameterError, listing
from crmlab.history.context import Margin, form_of, margin_known
from crmlab.history.words import words_for
from crmlab.models.intervals import wilson_of
from crmlab.models.testing.columns import RatioOf, ratio, units_of
from crmlab.models.testing.comparisons import compare_cells
from crmlab.models.testing.from_frames import compare
from crmlab.models.testing.measures import LEAST, measure
from crmlab.models.testing.options import ComparisonOptions
from crmlab.page.estimate import Estimate
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset
    from crmlab.data.outcome_section import TestSection
    from crmlab.models.testing.compared import Comparison

__all__ = ["OneFile", "is_one_file", "one_file_study"]

_PROFIT = "profit of a contact"  # margin of the money outcome, less the cost; no outcome is called so


@dataclass(frozen=True, kw_only=True, eq=False)
class OneFile:
    """What the page of a test in one file shows.

    Attributes
    ----------
    context : Context
    params : Params
    section : TestSection
        What the data set's file says of it.
    found : Comparison
        Outcomes of every cell against its control.
    kinds : dict of str to str
        Of each outcome: rate, mean, money or ratio.
    assumed : tuple of str
        Outcomes that are rates because all of their values are 0 and 1, and nobody said so.
    balance : DataFrame
        What was known before, of :func:`~crmlab.analyses.campaigns.balance.balance_of`.
    profit : DataFrame or None
        Profit of a contact against the control, as ``compare_cells`` gives it; revenue where no margin is known. None without an outcome in
        money.
    margin : Margin
    twice : int or None
        Customers in more than one cell, who are left out; None where the file does not tell customers apart.
    rows_read : int
        Of the customers who are compared: more than there are of them where some have several.
    left_out : bool
        Whether anybody is not compared: customers in several cells, and cells that are too small.
    notes : tuple of str
        What was left out.
    """

    context: Context
    params: Params
    section: TestSection
    found: Comparison
    kinds: dict[str, str]
    assumed: tuple[str, ...]
    balance: pd.DataFrame
    profit: pd.DataFrame | None
    margin: Margin
    twice: int | None
    rows_read: int
    left_out: bool
    notes: tuple[str, ...]

    @property
    def control(self) -> dict[str, str]:
        """Each cell that was sent something → its control."""
        first = self.found.frame.drop_duplicates("cell")
        return dict(zip(first["cell"], first["control"], strict=True))

    @property
    def blocked(self) -> bool:
        """Whether nothing may be concluded: sizes do not fit the plan."""
        return mismatched(self.found.sample_ratio)

    @property
    def uneven(self) -> bool:
        """Whether cells differed before the test by more than chance allows."""
        return unbalanced(self.balance)

    @property
    def homes(self) -> int | None:
        """How many households were assigned; None where nobody shares one."""
        cells = self.found.cells.values()
        return sum(one.units for one in cells) if any(one.clusters is not None for one in cells) else None

    @property
    def who(self) -> str:
        """What was assigned."""
        return "customers" if self.homes is None else "households"

    @property
    def first(self) -> str:
        """The outcome that the page opens with: the first of the file that is not the same for all."""
        return next(iter(self.kinds))

    @property
    def money(self) -> str | None:
        """The outcome in money of which more is better; None where there is none."""
        return next(
            (name for name, kind in self.kinds.items() if kind == "money" and self.section.outcomes[name].direction == "up"),
            None,
        )

    @property
    def contacts(self) -> int:
        """Customers of the cells that are no control."""
        return sum(self.found.cells[cell].n for cell in self.control)

    @property
    def cost(self) -> float:
        """What the contacts of all cells with a control cost."""
        return sum(self.found.cells[cell].n * self.section.cost_of(cell) for cell in self.control)

    def rows(self, outcome: str) -> list[dict[str, Any]]:
        """The cells of one outcome against their controls."""
        return [dict(row) for row in self.found.frame[self.found.frame["metric"] == outcome].to_dict("records")]

    def way(self, row: Mapping[str, Any]) -> int:
        """Whether a cell is shown to be better than its control (1), worse (-1), or neither (0), in the direction of the outcome."""
        up = 1 if self.section.outcomes[row["metric"]].direction == "up" else -1
        return up if row["low"] > 0 else -up if row["high"] < 0 else 0

    @property
    def clearest(self) -> dict[str, Any]:
        """The cell that is most surely better than its control in the first outcome; where none is, the one that comes closest."""
        up = 1 if self.section.outcomes[self.first].direction == "up" else -1
        return max(self.rows(self.first), key=lambda row: (min(up * row["low"], up * row["high"]), row["cell"]))

    @property
    def earner(self) -> tuple[dict[str, Any], Estimate] | None:
        """The cell that earned most surely, and what all its contacts brought: profit, or revenue where no margin is known.

        Where no cell is shown to have earned, that which the page opens with.
        """
        if self.profit is None:
            return None
        rows = self.profit.to_dict("records")
        row = max(rows, key=lambda one: (one["low"], one["cell"]))
        if row["low"] <= 0:
            row = next(one for one in rows if one["cell"] == self.clearest["cell"])
        value, low, high = (float(row["n"] * row[name]) for name in ("estimate", "low", "high"))
        return {str(key): one for key, one in row.items()}, Estimate(
            value, low, high, self.params.level, self.context.form.currency
        )

    def adjusted(self, outcome: str) -> bool:
        """Whether differences in an outcome are adjusted for what was known before: rates are not."""
        return self.params.adjust and bool(self.section.covariates) and self.kinds[outcome] != "rate"

    @property
    def losers(self) -> list[str]:
        """Cells that are shown to have lost money."""
        if self.profit is None:
            return []
        return [str(cell) for cell, high in zip(self.profit["cell"], self.profit["high"], strict=True) if high < 0]

    def means(self, outcome: str) -> dict[str, tuple[float, float, float]]:
        """The mean, rate or ratio of each cell and its interval, by itself; adjusted where the differences are.

        Rates by Wilson, with the number of lone customers that would know as much where people come in households; others by t.
        """
        cells, before = list(self.found.cells.values()), self.section.covariates if self.adjusted(outcome) else ()
        one = measure(cells, outcome, self.found.ratios.get(outcome), before)
        level = self.params.level
        if self.kinds[outcome] == "rate":
            found = [wilson_of(float(value), float(size), level) for value, size in zip(one.values, one.sizes, strict=True)]
        else:
            covariance, freedom = one.spread(np.eye(len(cells)))
            errors = np.sqrt(np.diag(covariance))
            found = [
                ends(float(value), float(error), float(free), level)[:2]
                for value, error, free in zip(one.values, errors, freedom, strict=True)
            ]
        return {name: (float(one.values[k]), *found[k]) for k, name in enumerate(self.found.cells)}

    @property
    def cost_each(self) -> Estimate | None:
        """What one more customer with the first outcome cost in the clearest cell; None where that is no rate that is shown to rise."""
        row = self.clearest
        cost = self.section.cost_of(row["cell"]) - self.section.cost_of(row["control"])
        if self.kinds[self.first] != "rate" or row["low"] <= 0 or self.way(row) <= 0 or cost <= 0:
            return None
        return Estimate(
            cost / row["estimate"], cost / row["high"], cost / row["low"], self.params.level, self.context.form.currency
        )

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Every comparison."""
        bare = self.found.frame.drop(columns=[name for name in self.found.frame if name.startswith("lift")])
        return {"comparisons": Output("Every cell against its control, all outcomes", bare, ("metric", "cell"))}


def is_one_file(data: Dataset) -> bool:
    """Whether a data set is a test in one file."""
    return "test" in data.tables


def one_file_study(data: Dataset, params: Params) -> OneFile:
    """Compare the cells of a test in one file.

    Parameters
    ----------
    data : Dataset
        With the table ``test``.
    params : Params
        Of which campaign, as_of, looks and seed are not for such a test.

    Raises
    ------
    ParameterError
        A parameter that needs dates, or several campaigns, is given.
    CampaignError
        The control is not there, a cell is named that is not, or no cell and control are large enough.
    """
    for name, why in (
        ("campaign", "one file holds one test"),
        ("as_of", "such a file has no dates"),
        ("looks", "looks at such a file are not recorded"),
    ):
        if getattr(params, name) is not None:
            expected = f"left out for a test in one file: {why}"
            raise ParameterError.expected("campaign_results", name, expected, getattr(params, name))
    section = data.descriptor.tables["test"].test
    assert section is not None
    whole, twice = _in_one_cell(data.table("test"))
    table, names, notes = _large_enough(whole, section, max(params.min_group, LEAST))
    if twice:
        who = "household" if "household" in whole.columns else "customer"
        many = f"1 {who} is" if twice == 1 else f"{twice:,} {who}s are"
        notes.insert(0, f"{many} in more than one cell and left out of all. If that is many, find out why before reading on.")
    left_out = len(notes)
    kinds, assumed = _kinds(table, section)
    for name, why in _unusable(table, section, kinds).items():
        notes.append(f"The outcome “{section.label(name)}” is left out: {why}.")
        kinds.pop(name)
    if not kinds:
        raise CampaignError(f"The test has no outcome that can be compared. {' '.join(notes)}")
    metrics = {name: _asked(section, name, kind) for name, kind in kinds.items()}
    plain = [name for name, kind in kinds.items() if kind != "rate"]
    before = section.covariates if params.adjust else ()
    covariates = {name: list(before) for name in plain} if before else ()
    planned = sum(share for cell, share in section.shares.items() if cell in names)
    unit, home = (name if name in table.columns else None for name in ("unit", "household"))
    apart = ComparisonOptions(household=home)
    options = replace(
        apart,
        level=params.level,
        correction=params.correction,
        shares={cell: share / planned for cell, share in section.shares.items() if cell in names} or None,
    )
    control = section.control if isinstance(section.control, str) else {a: b for a, b in section.control.items() if a in names}
    asked: dict[str, Any] = {"cell": "cell", "control": control, "unit": unit}
    found = compare(table, **asked, metrics=metrics, covariates=covariates, options=options)
    margin = margin_known(data, None, params.margin)
    money, people = _money_of(section, kinds), sum(one.n for one in found.cells.values())
    return OneFile(
        context=Context(data.name, data.title, None, None, people, form_of(data), words_for(data.descriptor.rounds).told),
        params=params,
        section=section,
        found=found,
        kinds=kinds,
        assumed=tuple(name for name in assumed if name in kinds),
        balance=_balance(table, found, section, {**asked, "options": apart}),
        profit=None if money is None else _profit(found, section, money, margin, before, params),
        margin=margin,
        twice=twice,
        rows_read=int(collect_value(table.count())),
        left_out=bool(left_out),
        notes=tuple(notes),
    )


def _large_enough(table: ibis.Table, section: TestSection, least: int) -> tuple[ibis.Table, list[str], list[str]]:
    """Leave out cells that are too small; say which. Names of cells that are not in the file are errors."""
    counted = table.group_by("cell").agg(n=table["unit"].nunique() if "unit" in table.columns else table.count())
    sizes = {str(row["cell"]): int(row["n"]) for row in collect_arrow(counted, "cell").to_pylist()}
    control = section.control
    controls = [control] if isinstance(control, str) else list(control.values())
    named = [*controls, *([] if isinstance(control, str) else control), *section.shares]
    named += list(section.cost) if isinstance(section.cost, Mapping) else []
    for name in named:
        if name not in sizes:
            raise CampaignError.no_such("cell", name, sizes, "in the test’s file")
    if not isinstance(control, str) and (lone := [cell for cell in sizes if cell not in control and cell not in controls]):
        raise CampaignError(f"[test] names no control for {listing(map(repr, lone))}. Add them to control.")
    if section.shares and (unplanned := [cell for cell in sizes if cell not in section.shares]):
        raise CampaignError(f"[test] names no share for {listing(map(repr, unplanned))}. Add them to shares.")
    if isinstance(section.cost, Mapping):
        treated = [cell for cell in sizes if (cell != control if isinstance(control, str) else cell in control)]
        if unpriced := [cell for cell in treated if cell not in section.cost]:
            raise CampaignError(f"[test] names no cost for {listing(map(repr, unpriced))}. Add them to cost; 0 for none.")
    small = [cell for cell, n in sizes.items() if n < least]
    notes = [f"The cell “{cell}” has fewer than {least} customers and is left out." for cell in small]
    if not isinstance(control, str):
        lost = [cell for cell, its in control.items() if its in small and cell not in small]
        notes += [f"The cell “{cell}” is left out because its control is." for cell in lost]
        small += lost
    kept = [cell for cell in sizes if cell not in small]
    if not [cell for cell in kept if cell not in controls] or not [cell for cell in kept if cell in controls]:
        found = listing(f"{cell!r} with {n:,}" for cell, n in sizes.items())
        raise CampaignError(f"The test needs a cell and its control with at least {least} customers each. Found: {found}.")
    return table.filter(table["cell"].isin(kept)) if small else table, kept, notes


def _in_one_cell(table: ibis.Table) -> tuple[ibis.Table, int | None]:
    """Rows of customers, or households, who are in one cell; and how many are in several, None where the file does not tell them apart."""
    who = next((name for name in ("household", "unit") if name in table.columns), None)
    if who is None:
        return table, None
    cells = table.group_by(who).agg(cells=table["cell"].nunique())
    several = cells.filter(cells["cells"] > 1)
    twice = int(collect_value(several.count()))
    return (table.anti_join(several, who) if twice else table), twice


def _unusable(table: ibis.Table, section: TestSection, kinds: Mapping[str, str]) -> dict[str, str]:
    """Outcomes that cannot be compared, and why: they are the same for all, or nobody in a cell has what a ratio is over."""
    found = {
        name: "it is the same for everybody" for name, kind in kinds.items() if kind != "ratio" and not _varies(table, name)
    }
    for name in (name for name, kind in kinds.items() if kind == "ratio"):
        over, under = section.outcomes[name].of
        sums = table.group_by("cell").agg(over=table[over].cast("float64").sum(), under=table[under].cast("float64").sum())
        rows = collect_arrow(sums, "cell").to_pylist()
        if empty := [row["cell"] for row in rows if row["under"] == 0]:
            found[name] = f"“{under}” is 0 in all of “{empty[0]}”"
            continue
        each = sum(row["over"] for row in rows) / sum(row["under"] for row in rows)
        apart = (table[over].cast("float64") - each * table[under].cast("float64")).abs().max()
        if collect_value(apart) <= 1e-9 * abs(each):
            found[name] = "it is the same for everybody"
    return found


def _kinds(table: ibis.Table, section: TestSection) -> tuple[dict[str, str], tuple[str, ...]]:
    """What each outcome is; one of which nothing is said is a rate where all are 0 or 1, and else a mean."""
    open_ones = [name for name, one in section.outcomes.items() if one.kind is None]
    seen = collect_row(table.aggregate(**{name: table[name].isin([0.0, 1.0]).all() for name in open_ones})) if open_ones else {}
    kinds: dict[str, str] = {name: one.kind or ("rate" if seen[name] else "mean") for name, one in section.outcomes.items()}
    return kinds, tuple(name for name in open_ones if kinds[name] == "rate")


def _money_of(section: TestSection, kinds: Mapping[str, str]) -> str | None:
    """The outcome in money of which more is better; None where there is none."""
    return next((name for name, kind in kinds.items() if kind == "money" and section.outcomes[name].direction == "up"), None)


def _asked(section: TestSection, name: str, kind: str) -> str | RatioOf:
    return ratio(*section.outcomes[name].of) if kind == "ratio" else "rate" if kind == "rate" else "mean"


def _balance(table: ibis.Table, found: Comparison, section: TestSection, asked: Mapping[str, Any]) -> pd.DataFrame:
    """What was known of customers before, cell against control."""
    varied = [name for name in section.covariates if _varies(table, name)]
    if not varied:
        return balance_of(found.cells, {}, ())
    units, _ = units_of("campaign_results", table, [asked["cell"]], {}, varied, asked["unit"], asked["options"])
    first = found.frame.drop_duplicates("cell")
    return balance_of(units.statistics(list(found.cells)), dict(zip(first["cell"], first["control"], strict=True)), varied)


def _varies(table: ibis.Table, name: str) -> bool:
    value = table[name].cast("float64")
    row = collect_row(table.aggregate(low=value.min(), high=value.max()))
    return bool(row["low"] != row["high"])


def _profit(
    found: Comparison, section: TestSection, money: str, margin: Margin, covariates: Sequence[str], params: Params
) -> pd.DataFrame | None:
    """Profit of one contact, cell against control: the share of the money that is kept, less what the contact cost."""
    known = margin.known
    cells = {
        name: one.combine(_PROFIT, {money: margin.share}, -section.cost_of(name) if known else 0.0)
        for name, one in found.cells.items()
    }
    if not any(one.variance(money) > 0 for one in found.cells.values()):
        return None
    first = found.frame.drop_duplicates("cell")
    control = dict(zip(first["cell"], first["control"], strict=True))
    options = ComparisonOptions(level=params.level, correction=params.correction)
    return compare_cells(cells, control=control, metrics=[_PROFIT], adjust=list(covariates) or None, options=options)
