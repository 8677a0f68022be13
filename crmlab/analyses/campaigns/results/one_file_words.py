"""What is said of a test in one file: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.analyses.campaigns.measurement import RATIO_ALPHA
from crmlab.analyses.campaigns.results import words
from crmlab.analyses.campaigns.results.words import far_off, level_word
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.results.one_file import OneFile
    from crmlab.page.format import Measured

__all__ = ["TITLE", "difference", "findings", "limits", "mean_of", "method", "metrics", "unit_of", "warnings"]

TITLE = words.TITLE


def unit_of(study: OneFile, outcome: str) -> str:
    """How values of an outcome are written: a kind of :class:`~crmlab.page.format.Format`."""
    parts = study.section.outcomes[outcome].of
    paid = [
        any(one.kind == "money" and (one.column or name) == part for name, one in study.section.outcomes.items())
        for part in parts
    ]
    spent = study.kinds[outcome] == "money" or paid == [True, False]
    return "share" if study.kinds[outcome] == "rate" else "amount" if spent else "number"


def difference(study: OneFile, row: dict[str, Any]) -> Measured:
    """A difference from the control and its interval; of rates in percentage points."""
    kind = unit_of(study, row["metric"])
    kind = "points" if kind == "share" else kind
    return study.context.form.measured(row["estimate"], row["low"], row["high"], kind)


def mean_of(study: OneFile, outcome: str, value: float, *, like: float = 0.0) -> str:
    """A mean of a cell as people read it; a small rate with more digits."""
    form, kind = study.context.form, unit_of(study, outcome)
    if kind == "share":
        return form.share(value, 2 if max(value, like) < 0.1 else 1)
    return form.write(value, kind)


def _level(study: OneFile) -> str:
    return f"at {level_word(study.params.level, study.context.form)}"


def findings(study: OneFile) -> Findings:
    """What the clearest cell did to the first outcome; what that earned or cost; and what else differs."""
    if study.blocked:
        sizes = study.found.sample_ratio
        assert sizes is not None
        why = (
            f"on “{study.context.title}”: the sizes of its cells do not fit the plan, so something other than chance decided who is in "
            f"which, and they cannot be compared. {far_off(sizes, study.context.form)}"
        )
        return Findings([Finding("No verdict", why, "", "sample_ratio")])
    found = [_first(study, study.clearest)]
    if study.earner is not None:
        found.append(_earned(study, *study.earner))
    elif study.cost_each is not None:
        found.append(_each(study, study.cost_each))
    if (others := _others(study)) is not None:
        found.append(others)
    return Findings(found[:3])


def _first(study: OneFile, row: dict[str, Any]) -> Finding:
    what, unit = study.section.label(study.first), unit_of(study, study.first)
    size, ends = difference(study, row)
    one, other = (mean_of(study, study.first, row[name], like=row["mean_control"]) for name in ("mean", "mean_control"))
    adjusted = ", adjusted for what was known before" if study.adjusted(study.first) else ""
    means = f"{one} against {other} in “{row['control']}”{adjusted}"
    many = len(study.rows(study.first))
    cell = f"“{row['cell']}”"
    best = "surer" if many == 2 else "surest"
    rank = f" Of the {study.context.form.count(many)} cells, it is the {best} to be better." if many > 1 else ""
    if study.way(row) == 0:
        least = study.context.form.write(row["detectable"], "points" if unit == "share" else unit)
        text = (
            f"is what {cell} changed in “{what}” ({means}): it is not shown to differ from 0. A difference of {least} could "
            "have been detected."
        )
    else:
        way = "better" if study.way(row) > 0 else "worse"
        text = f"is what {cell} changed in “{what}”: {means}. That is {way}.{rank if study.way(row) > 0 else ''}"
    sign = "+" if row["estimate"] > 0 else ""
    return Finding(f"{sign}{size}", text, f"{ends}, {_level(study)}", "first_outcome")


def _earned(study: OneFile, row: dict[str, Any], whole: Estimate) -> Finding:
    """What the test earned, from the cell that earned most surely."""
    form, known = study.context.form, study.margin.known
    total, ends = form.measured(whole.value, whole.low, whole.high, "money")
    kind = "profit after the cost of contacts" if known else "revenue"
    if known and study.section.cost is None:
        kind = "profit before the cost of contacts, which is not given,"
    contacts = f"its {form.count(row['n'])} contacts"
    if row["low"] > 0:
        text = f"more {kind} came from “{row['cell']}” and {contacts} than would have come without them."
    elif row["high"] < 0:
        text = f"is what “{row['cell']}” and {contacts} changed in {kind}: a loss."
    else:
        text = f"is the best estimate of the {kind} that “{row['cell']}” and {contacts} brought, and it is not shown to differ from 0."
    return Finding(total, text, f"{ends}, {_level(study)}", "test_profit" if known else "incremental_revenue")


def _each(study: OneFile, cost: Estimate) -> Finding:
    """What one more of the first outcome cost, where money is no outcome."""
    row, form = study.clearest, study.context.form
    each, ends = form.measured(cost.value, cost.low, cost.high, "exact")
    value, low, high = (row["n"] * row[name] for name in ("estimate", "low", "high"))
    extra, more = form.measured(value, low, high, "count")
    text = (
        f"per extra customer with “{study.section.label(study.first)}”: “{row['cell']}” brought {extra} more ({more}) among its "
        f"{form.count(row['n'])}, at the cost of its contacts."
    )
    return Finding(each, text, f"{ends}, {_level(study)}", "cost_per_outcome")


def _others(study: OneFile) -> Finding | None:
    """How many of the other comparisons show a difference, and any that are worse."""
    rows = [row for name in study.kinds for row in study.rows(name)]
    if len(rows) < 2:
        return None
    better, worse = ([row for row in rows if study.way(row) == way] for way in (1, -1))
    text = f"comparisons of a cell with its control {'shows' if len(better) == 1 else 'show'} it to be better"
    named = [f"“{row['cell']}” is worse in “{study.section.label(row['metric'])}”" for row in worse]
    lost = [f"“{cell}” is shown to have {'lost money' if study.margin.known else 'lowered revenue'}" for cell in study.losers]
    bad = [*lost, *named]
    text += f"; {joined(bad[:3])}" if bad else ", and none to be worse"
    return Finding(f"{len(better)} of {len(rows)}", f"{text}.", "", "outcomes_better")


def metrics(study: OneFile) -> dict[str, Estimate]:
    """What two runs are compared on; nothing is concluded where sizes do not fit."""
    out = {"contacts": Estimate(float(study.contacts), unit="contacts")}
    if study.section.cost is not None:
        out["cost"] = Estimate(study.cost, unit=study.context.form.currency)
    if study.found.sample_ratio is not None:
        out["sample_ratio"] = Estimate(study.found.sample_ratio.p_value, unit="p")
    if study.blocked:
        return out
    row, level = study.clearest, study.params.level
    # Of a unit that differs from test to test.
    out["first_outcome"] = Estimate(row["estimate"], row["low"], row["high"], level)
    rows = [row for name in study.kinds for row in study.rows(name)]
    out["outcomes_better"] = Estimate(float(sum(study.way(row) == 1 for row in rows)), unit="comparisons")
    if study.earner is not None:
        out["test_profit" if study.margin.known else "incremental_revenue"] = study.earner[1]
    elif study.cost_each is not None:
        out["cost_per_outcome"] = study.cost_each
    return out


def warnings(study: OneFile) -> tuple[str, ...]:
    """What a reader must know before acting."""
    out = list(study.notes)
    if study.blocked:
        out.append(
            f"If the plan had been followed, sizes would be this far off with p under {RATIO_ALPHA:g}. The table of cells shows what was "
            "counted, and must not be compared."
        )
    sizes = study.found.sample_ratio
    if sizes is not None and not study.section.shares and study.blocked:
        out.append("No shares are given for the cells, so they were taken to be planned of one size.")
    if study.uneven:
        out.append("Before the test, cells differed by more than chance would explain: see “Alike beforehand” below.")
    if study.assumed:
        named = joined(f"“{study.section.label(name)}”" for name in study.assumed)
        one = len(study.assumed) == 1
        out.append(
            f"{named} {'holds' if one else 'hold'} nothing but two values, so {'it was' if one else 'they were'} read as yes or no."
        )
    if study.profit is not None:
        out += study.margin.wanted("to see what the test earned")
    if study.section.cost and not study.context.form.currency:
        out.append(
            'The data set names no currency, so costs have none: write it into the data set’s file (currency = "EUR", say).'
        )
    return tuple(out)


def limits(study: OneFile) -> tuple[str, ...]:
    """What such a file cannot say."""
    out = [
        "The file does not say when anything happened: whether all customers were counted over the same days is taken for granted.",
        "Only what stands in the file counts: orders merely brought forward look like gains.",
        "A difference that has not been shown may still exist: the smallest that could have been detected is given beside each.",
    ]
    if not study.section.covariates:
        out.append("Nothing is known of the customers from before the test, so whether the cells were alike cannot be checked.")
    if len(study.control) > 1:
        out.append("The cell named first was chosen because it did best, so its estimate is likely to be somewhat too high.")
    if len(study.kinds) > 1:
        out.append(
            "Each outcome is judged by itself: the more of them there are, the likelier it is that one differs by chance alone."
        )
    return tuple(out)


def method(study: OneFile) -> Method:
    """Where the method comes from, and what it assumes."""
    corrections = {
        "max-t": "With several cells, intervals hold for all cells of an outcome at once (max-|t|, Hothorn, Bretz and Westfall 2008).",
        "holm": "With several cells, p-values are Holm’s and intervals Bonferroni’s, which are slightly wider.",
        "none": "Intervals hold for each cell on its own: of many cells, some exclude 0 by chance.",
    }
    form, before = study.context.form, joined(study.section.covariates)
    people = f"{form.count(study.context.customers)} customers"
    adjusted = f"Differences in means and ratios are adjusted for what was known before ({before}), with one coefficient for all cells."
    texts = [
        f"Everybody in the file{' but those left out' if study.left_out else ''} counts in the cell that it names, whatever came of it.",
        corrections[study.params.correction] if len(study.control) > 1 else "",
        adjusted if any(map(study.adjusted, study.kinds)) else "Differences are not adjusted for anything known beforehand.",
        study.margin.told(study.context.form) if study.profit is not None else "",
        "Sizes of cells are held against the planned shares."
        if study.section.shares
        else "Sizes of cells are held against equal shares.",
        _rows_told(study),
        f"The {people} are of {form.count(study.homes)} households, which were assigned as wholes: variances are calculated by household."
        if study.homes
        else "",
    ]
    terms = {"Could have been detected": "the smallest difference that cells of this size would detect in 80 of 100 tests"}
    return Method(
        "Each cell against its own control: rates by Miettinen and Nurminen’s score (1985); means by Welch’s t, corrected for skewness "
        "(Hall); ratios by the delta method (Deng, Knoblich and Lu 2018); sample ratio by chi-square (Fabijan et al. 2019).",
        tuple(text for text in texts if text),
        terms,
    )


def _rows_told(study: OneFile) -> str:
    """What became of customers with several rows; empty where each has one."""
    form, people = study.context.form, study.context.customers or 0
    if study.rows_read == people:
        return ""
    return (
        f"The {form.count(study.rows_read)} rows are of {form.count(people)} customers: numbers were added up for each, and a yes in any "
        "row counts as yes; what was known before and is the same in all rows was kept."
    )
