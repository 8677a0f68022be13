"""A campaign test from a frame: cells compared with their control, and the effects of a factorial design, with what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from crmlab.errors import ModelError, listing
from crmlab.models.testing.columns import RatioOf, Units, cell_name, kinds_of, names_of, units_of
from crmlab.models.testing.compared import Comparison, difference_of, is_shown, level_of, sentence_of
from crmlab.models.testing.comparisons import Adjust, SampleRatio, compare_cells, sample_ratio
from crmlab.models.testing.factorials import factorial_effects
from crmlab.models.testing.options import DEFAULTS, ComparisonOptions

__all__ = ["Metrics", "compare", "factorial"]

Metrics = Mapping[str, str | RatioOf] | Sequence[str]
RATIO_ALPHA = 0.001  # under it sizes do not fit the plan; small, as the check runs on every test


def compare(
    frame: Any,
    *,
    cell: str,
    control: Any,
    metrics: Metrics,
    covariates: Adjust = (),
    unit: str | None = None,
    options: ComparisonOptions = DEFAULTS,
) -> Comparison:
    """Compare the cells of a test with their control, from a frame of a row per customer.

    Rates are compared by a score test, means by Welch's t, ratios by the delta method, with intervals that hold for all cells of a
    metric at once: see :func:`~crmlab.models.testing.comparisons.compare_cells`, which does it.

    Parameters
    ----------
    frame : table
        Of pandas, Polars or PyArrow, or an Ibis table: a row per customer, those who did nothing too.
    cell : str
        Column with the cell. "none" and "NA" are names; a cell that is missing is refused.
    control : str, or mapping of cell to its control
        The cell that the others are compared with.
    metrics : mapping of metric to {"rate", "mean"} or :func:`ratio`, or sequence of str
        Columns, and names of ratios. In a sequence, a column of 0 and 1 (or False and True) is a rate, any other a mean.
    covariates : sequence of str, or mapping of metric to these
        Numbers known before the test, such as spend of the year before: what they explain is taken off, and intervals get narrower.
    unit : str, optional
        Column with the id of what was assigned, where it may have several rows: they are added up first, a rate becomes whether it
        happened in any of them.
    options : ComparisonOptions
        Level, correction, planned shares, units in two cells, and looks at a test that still runs:
        ``options=ComparisonOptions(level=0.9)`` for intervals of 90% (alpha = 0.1), ``ComparisonOptions(correction="holm")`` for another
        correction.

    Returns
    -------
    Comparison
        ``frame``, a row per metric and cell: n, mean, and those of the control; estimate (the difference), low, high; lift (the
        relative difference), lift_low, lift_high; p_value, p_adjusted (for all cells of the metric); detectable, method. And
        ``sentences``, ``plot()``, ``sample_ratio``, ``cells``.

    Raises
    ------
    ModelError
        A column or value is missing, a value is no number, a rate is not of 0 and 1, a customer is in two cells, ids of customers repeat
        and no unit is named, or the cells cannot be compared, as ``compare_cells`` says.

    References
    ----------
    Those of ``compare_cells``. Kohavi, Tang and Xu (2020), Trustworthy Online Controlled Experiments, chapters 17, 18, 21 and 22.

    Examples
    --------
    >>> people = pd.DataFrame({"sent": ["letter"] * 500 + ["none"] * 500, "bought": [1] * 90 + [0] * 410 + [1] * 50 + [0] * 450})
    >>> found = compare(people, cell="sent", control="none", metrics={"bought": "rate"})
    >>> found.frame[["cell", "mean", "mean_control", "p_value"]].round(4).values.tolist()
    [['letter', 0.18, 0.1, 0.0003]]
    >>> print(found)
    bought: 18.0% in letter against 10.0% in none, 8.0 percentage points higher (95% interval 3.7 to 12.3). Relative to none that
    is 80% higher (30% to 149%).
    Sizes of cells fit equal shares (p = 1.00).
    Each of the 1,000 rows was counted as one unit.

    With intervals of 90%, and three cells by Holm's method:

    >>> found = compare(people, cell="sent", control="none", metrics=["bought"], options=ComparisonOptions(level=0.9, correction="holm"))
    >>> found.frame[["low", "high"]].round(3).values.tolist()
    [[0.044, 0.116]]
    """
    told = _told("compare", metrics, options)
    names_of("compare", "cell", [cell])
    every, adjust = _covariates(covariates)
    units, _ = units_of("compare", frame, [cell], told, every, unit, options)
    against = {cell_name(a): cell_name(b) for a, b in control.items()} if isinstance(control, Mapping) else cell_name(control)
    names = units.levels[cell]
    cells = units.statistics([*(name for name in names if name == against), *(name for name in names if name != against)])
    shares = None if options.shares is None else {cell_name(name): share for name, share in options.shares.items()}
    found = compare_cells(
        cells, control=against, metrics=list(told), adjust=adjust, options=replace(options, ratios=dict(units.ratios))
    )
    sizes = sample_ratio({name: one.units for name, one in cells.items()}, shares)
    said = [sentence_of(row, units.kinds[row["metric"]], options.power) for row in found.to_dict("records")]
    said += _of_look(found, options)
    said += _of_correction(found, options, "cells")
    return Comparison(
        frame=found,
        sentences=_all(said, sizes, shares, units, [*_of_covariates(found, every), *_of_units(units, unit)]),
        cells=cells,
        sample_ratio=sizes,
        kinds=units.kinds,
        ratios=units.ratios,
        against=against if isinstance(against, str) else "each cell's control",
    )


def factorial(
    frame: Any,
    *,
    factors: Sequence[str] | Mapping[str, Any],
    metrics: Metrics,
    covariates: Sequence[str] = (),
    unit: str | None = None,
    order: int = 2,
    options: ComparisonOptions = DEFAULTS,
) -> Comparison:
    """Main effects and interactions of a factorial test, from a frame of a row per customer.

    Parameters
    ----------
    frame, metrics, covariates, unit
        As in :func:`compare`. Leave an untouched control out of the frame: it has no level of any factor.
    factors : sequence of str, or mapping of str to base level
        Columns with the level of each factor, at least two factors; others are compared with the base, by default the first in order.
    order : int
        1: main effects alone, taking it that factors do not work together. 2: with interactions of two.
    options : ComparisonOptions
        ``correction`` is over all effects of a metric; cells of planned ``shares`` are named by their levels, as "10% / photo".

    Returns
    -------
    Comparison
        ``frame`` has the columns of :func:`~crmlab.models.testing.factorials.factorial_effects`, and ``metric`` before them.

    Raises
    ------
    ModelError
        As in :func:`compare`; and where the cells cannot tell effects apart.

    Examples
    --------
    >>> sent = [("none", "plain", 20), ("10%", "plain", 30), ("none", "photo", 25), ("10%", "photo", 60)]
    >>> rows = [(offer, creative, int(k < buyers)) for offer, creative, buyers in sent for k in range(1000)]
    >>> people = pd.DataFrame(rows, columns=["offer", "creative", "bought"])
    >>> found = factorial(people, factors={"offer": "none", "creative": "plain"}, metrics=["bought"])
    >>> found.frame[["effect", "estimate"]].round(4).values.tolist()
    [['offer', 0.0225], ['creative', 0.0175], ['offer × creative', 0.025]]
    """
    told = _told("factorial", metrics, options)
    for option, usual in (("family", "metric"), ("power", 0.8)):
        if getattr(options, option) != usual:
            raise ModelError.expected(
                "factorial", option, f"left at {usual}, which is all that effects know", getattr(options, option)
            )
    bases = dict(factors) if isinstance(factors, Mapping) else {}
    listed = names_of("factorial", "factors", factors)
    if len(listed) < 2:
        raise ModelError.expected("factorial", "factors", "at least two columns; compare is for one", listing(listed))
    every = names_of("factorial", "covariates", covariates)
    units, parts = units_of("factorial", frame, listed, told, every, unit, options)
    known = {name: _base_first(name, units.levels[name], bases.get(name)) for name in listed}
    place = {name: {level: k for k, level in enumerate(levels)} for name, levels in known.items()}
    sent = parts.assign(name=units.cells).drop_duplicates("name")
    sent = sent.iloc[sorted(range(len(sent)), key=lambda k: [place[name][sent.iloc[k][name]] for name in listed])]
    cells = units.statistics(sent["name"].tolist())
    components = {row["name"]: {name: row[name] for name in listed} for row in sent.to_dict("records")}
    look = options.at_look()
    tables = []
    for name in told:
        metric = units.ratios.get(name, name)
        level = options.level if look is None else look.level
        effects = factorial_effects(
            cells, components, metric, adjust=every, order=order, correction=options.correction, level=level
        )
        effects.insert(0, "metric", name)
        tables.append(effects)
    found = pd.concat(tables, ignore_index=True)
    shares = None if options.shares is None else {str(name): share for name, share in options.shares.items()}
    sizes = sample_ratio({name: one.units for name, one in cells.items()}, shares)
    said = [_effect(row, units.kinds[row["metric"]]) for row in found.to_dict("records")]
    said += _of_look(found, options)
    said += _of_correction(found, options, "effects")
    said.append("An effect is averaged over the levels of the other factors, each counting alike.")
    return Comparison(
        frame=found,
        sentences=_all(said, sizes, shares, units, [*_of_covariates(found, every), *_of_units(units, unit)]),
        cells=cells,
        sample_ratio=sizes,
        kinds=units.kinds,
        ratios=units.ratios,
        against="the base level",
    )


def _told(model: str, metrics: Any, options: Any) -> dict[str, str | RatioOf | None]:
    """What each metric was said to be, ratios of the options among them."""
    if not isinstance(options, ComparisonOptions):
        raise ModelError.expected(model, "options", "ComparisonOptions(…)", options)
    return {**kinds_of(model, metrics), **{name: RatioOf(*parts) for name, parts in options.ratios.items()}}


def _covariates(given: Adjust) -> tuple[list[str], Adjust]:
    """All covariates, and what of them is taken off which metric."""
    if isinstance(given, Mapping):
        parts = [names_of("compare", "covariates", one) for one in given.values()]
        return list(dict.fromkeys(name for part in parts for name in part)), given
    every = names_of("compare", "covariates", given)
    return every, every or None


def _base_first(factor: str, levels: list[str], base: Any) -> list[str]:
    if base is None:
        return levels
    if cell_name(base) not in levels:
        raise ModelError.no_such(f"level of {factor}", cell_name(base), levels)
    return [cell_name(base), *(level for level in levels if level != cell_name(base))]


def _effect(row: Mapping[Any, Any], kind: str) -> str:
    size, ends, least = difference_of(row, kind)
    level, unit = level_of(row["level"]), " percentage points" if kind == "rate" else ""
    found = f"{row['metric']}: {row['effect']}, {row['levels']}"
    if row["order"] == 1:
        if not is_shown(row):
            least = f"A difference of {least} would have been found with a chance of 80%."
            return f"{found}: no difference is shown ({level} interval {ends}{unit}). {least}"
        return f"{found}: {size} {'higher' if row['estimate'] > 0 else 'lower'} ({level} interval {ends})."
    if not is_shown(row):
        return f"{found}: the two are not shown to work together ({level} interval {ends}{unit})."
    way = "more" if row["estimate"] > 0 else "less"
    return f"{found}: together they bring {size} {way} than the sum of both ({level} interval {ends})."


def _of_look(found: pd.DataFrame, options: ComparisonOptions) -> list[str]:
    """Where a test that still runs stands at this look."""
    look = options.at_look()
    if look is None:
        return []
    where = f"Look {look.number} of {look.of}, after {100 * look.fraction:.0f}% of the data ({options.boundary})"
    bar = (
        f"a difference must be {look.bar:.2f} standard errors from 0 before any correction for several, so intervals are at "
        f"{level_of(look.level)}; all looks together then keep {level_of(options.level)}."
    )
    what = "cell" if "cell" in found else "effect"
    reached = [f"{row[what]} in {row['metric']}" for row in found.to_dict("records") if is_shown(row)]
    if reached:
        stands = f"The bar was reached by {listing(reached)}: there the test may stop."
    elif look.number < look.of:
        stands = "Nothing has reached the bar: the test goes on as planned."
    else:
        stands = "Nothing has reached the bar, and this was the last look: no difference is shown."
    return [f"{where}: {bar}", stands]


def _of_correction(found: pd.DataFrame, options: ComparisonOptions, what: str) -> list[str]:
    metrics = found["metric"].nunique()
    each = len(found) // metrics
    together = options.family == "all" and what == "cells"
    count = len(found) if together else each
    name = {"max-t": "by the distribution of the largest of them (max-t)", "holm": "by Holm's method"}
    said = []
    if count > 1 and options.correction == "none":
        said.append(f"Nothing was corrected for {count} comparisons: by chance alone, some may seem to differ.")
    elif count > 1:
        over = (
            f"all {count} comparisons"
            if together
            else f"the {count} {what} of {'the metric' if metrics == 1 else 'each metric'}"
        )
        said.append(f"Intervals and adjusted p-values hold for {over} together, corrected {name[options.correction]}.")
    if count > 1 and options.correction == "holm":
        said.append("Intervals are Bonferroni's, a little wider than the p-values: one may hold 0 where a difference is shown.")
    if metrics > 1 and not together and options.correction != "none":
        more = " family='all' in the options corrects for all." if what == "cells" else ""
        said.append(
            f"Each of the {metrics} metrics was judged by itself: the more there are, the more may differ by chance.{more}"
        )
    return said


def _of_sizes(found: SampleRatio, planned: bool) -> tuple[bool, str]:
    """Whether sizes fit, and a sentence on it."""
    sizes = listing(f"{n:,} in {name}" for name, n in zip(found.table["cell"], found.table["n"], strict=True))
    fit = found.p_value >= RATIO_ALPHA
    p = f"{found.p_value:.2f}" if found.p_value >= 0.01 else f"{found.p_value:.3f}"
    rough = f" {found.warning}" if found.warning else ""
    if fit:
        return True, f"Sizes of cells fit {'the planned' if planned else 'equal'} shares (p = {p}).{rough}"
    off = f"({sizes}; by chance, they would be this far off in fewer than one test of 1,000)"
    if planned:
        return False, f"Sizes of cells do not fit the planned shares {off}. Find out what got lost before reading on.{rough}"
    return False, (
        f"Sizes of cells are not equal {off}. If another split was planned, name it in ComparisonOptions(shares=…); if equal cells "
        f"were, find out what got lost before reading on.{rough}"
    )


def _of_covariates(found: pd.DataFrame, covariates: Sequence[str]) -> list[str]:
    if not covariates:
        return []
    few = found["method"].str.contains("too-few|too few").any()
    if few:
        return [f"Cells are too small to take off what {listing(covariates)} would explain: it was not done."]
    means = "; means are those at its overall mean" if "cell" in found else ""
    return [f"What {listing(covariates)} explained before the test was taken off{means}."]


def _of_units(units: Units, unit: str | None) -> list[str]:
    if units.households is not None:
        return []
    if unit is None:
        return [f"Each of the {len(units.cells):,} rows was counted as one unit."]
    reduced = any(f"({unit})" in note for note in units.notes)
    return [] if reduced else [f"Each of the {len(units.cells):,} units ({unit}) has one row."]


def _all(
    said: Sequence[str], sizes: SampleRatio, shares: Mapping[str, float] | None, units: Units, more: Sequence[str]
) -> tuple[str, ...]:
    """All sentences; that sizes do not fit comes first."""
    fit, on_sizes = _of_sizes(sizes, shares is not None)
    return (*said, on_sizes, *more, *units.notes) if fit else (on_sizes, *said, *more, *units.notes)
