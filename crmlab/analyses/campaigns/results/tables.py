"""Tables of campaign results: health, cells, money, components, segments, history, the next plan, matched responses, balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.balance import BALANCE_ALPHA
from crmlab.analyses.campaigns.measurement import RATIO_ALPHA
from crmlab.analyses.campaigns.results.by_cell import scale_of, scale_word
from crmlab.analyses.campaigns.results.health_checks import BALANCE
from crmlab.analyses.campaigns.results.words import at_level, gain, level_word, points
from crmlab.history.context import masked
from crmlab.models.intervals import normal_quantile, wilson_of
from crmlab.models.testing.measures import measure
from crmlab.page.exhibits import Absent
from crmlab.page.format import Format
from crmlab.page.tables import Column, Table
from crmlab.page.texts import titled

if TYPE_CHECKING:
    from collections.abc import Callable

    from crmlab.analyses.campaigns.results.study import Study
    from crmlab.models.testing.comparisons import SampleRatio

__all__ = [
    "BLOCKED",
    "CHECKED",
    "NO_MONEY",
    "NO_PAST",
    "balance_table",
    "cells_table",
    "checks_table",
    "components_table",
    "differs",
    "health_table",
    "history_table",
    "matched_table",
    "money_table",
    "next_table",
    "rounds_table",
    "segments_table",
    "sizes_found",
]


BLOCKED = Absent("The sizes of the cells do not fit the plan: no money is reported.")
NO_MONEY = Absent("Everybody spent the same: there is no money to compare.")
NO_ROUNDS = Absent(
    "This campaign is not a round of a completed test: rounds have the same cells, and names that end in -1, -2 …"
)
NO_PAST = Absent(
    "No offer, list or creative was sent in two campaigns whose windows have closed: there is nothing to pool yet."
)
_NO_RESPONSES = Absent("The data set has no responses: codes cannot be counted. What cells earned does not depend on them.")
_NOTHING_BEFORE = Absent("Nothing is known about these people from before the window opened.")
CHECKED = _FINE, _LOOK, _STOP, _UNKNOWN = "OK", "check", "stop", "not checked"  # results of a check


def health_table(study: Study) -> Table:
    """Whether the numbers mean anything, check by check."""
    form = study.context.form
    health, found = study.health, study.found
    rows: list[tuple[str, str, str]] = []
    if health.ratio is None:
        rows.append(("Sizes as planned", "the plan gives no shares that add up to 1", _UNKNOWN))
    else:
        words = sizes_found(health.ratio, "households" if found.clustered else "customers", form, name=found.name)
        rows.append(("Sizes as planned", words, _STOP if health.blocked else _FINE))
    twice = health.found("two_cells")
    rows.append(("Customers in two cells", _said(twice, "nobody"), _LOOK if twice else _FINE))
    codes = [*health.found("unknown_code"), *health.found("early_response")]
    if codes or study.codes:
        rows.append(("Codes, all campaigns", _said(codes, "every code belongs to a cell"), _LOOK if codes else _FINE))
    else:
        why = "there are no responses" if study.codes is None else "no response carries a code"
        rows.append(("Codes, all campaigns", why, _UNKNOWN))
    if len(health.balance):
        far = health.balance.loc[health.balance["difference"].abs().idxmax()]
        words = (
            f"largest difference: in {BALANCE[far['covariate']]}, {form.number(abs(far['difference']))} times "
            f"its spread among customers"
        )
        rows.append(("Alike beforehand", words, _LOOK if health.unbalanced else _FINE))
    else:
        rows.append(("Alike beforehand", "nothing is known from before", _UNKNOWN))
    closes = form.day(max(found.days["closes"]))
    rows.append(
        ("Window", f"open until {closes}" if found.is_open else f"closed since {closes}", _LOOK if found.is_open else _FINE)
    )
    look = health.look
    first = (
        "this is the first, after the window closed"
        if look.bar is None
        else f"this is look {look.number}, with {form.share(look.fraction, 0)} of the window over"
    )
    bar = "" if look.bar is None else f"; a difference must pass {form.number(look.bar, 2)} standard errors"
    rows.append(("Looks at the results", first + bar, _FINE if look.number == 1 and not found.is_open else _LOOK))
    return checks_table(titled(found.campaign), [(check, meaning, said) for check, said, meaning in rows], form)


def checks_table(title: str, rows: list[tuple[str, str, str]], form: Format, what: str = "campaigns") -> Table:
    """Whether the numbers of a test mean anything: rows of what was checked, the result (of ``CHECKED``), and what was found."""
    frame = pd.DataFrame(rows, columns=["check", "meaning", "found"])
    columns = {"check": Column("Check"), "meaning": Column("Result"), "found": Column("What was found", "lines")}
    return Table(
        f"Can the figures for “{title}” be relied on? Where cell sizes differ from the plan by more than chance would allow once in "
        f"{form.count(1 / RATIO_ALPHA)} {what}, no verdict is given.",
        frame,
        columns,
        form,
    )


def sizes_found(
    ratio: SampleRatio, who: str, form: Format, *, name: Callable[[str], str] = str, what: str = "campaigns"
) -> str:
    """How well the sizes of cells fit the plan, and which is furthest off."""
    worst = ratio.table.assign(gap=lambda t: (t["n"] - t["expected"]).abs()).sort_values(["gap", "cell"]).iloc[-1]
    return (
        f"{_fitting(ratio.p_value, form, what)}; largest deviation: “{name(str(worst['cell']))}”, with {form.count(worst['n'])} {who} "
        f"instead of {form.count(worst['expected'])}"
    )


def _fitting(p_value: float, form: Format, what: str) -> str:
    if p_value > 0.5:
        return "as good as planned"
    return f"chance alone puts cells as far off in {form.share(p_value)} of {what}"


def _said(findings: list[Any], otherwise: str) -> str:
    return "\n".join(finding.sentence for finding in findings) or otherwise


def cells_table(study: Study) -> Table:
    """Every cell, controls first: who bought, what they spent, and the difference from control."""
    form = study.context.form
    found, level = study.found, study.look.level
    one = measure(list(found.stats.values()), "response")
    z = normal_quantile(level)
    by = study.frame.set_index(["metric", "cell"])
    rows = []
    for k, (cell, stats) in enumerate(found.stats.items()):
        low, high = wilson_of(stats.mean("response"), float(one.sizes[k]), level)
        half = z * float(np.sqrt(stats.variance("spend") / stats.n))
        row: dict[str, Any] = {"name": found.name(cell), "cell": cell, "n": stats.n}
        row |= {"response": stats.mean("response"), "response_low": low, "response_high": high}
        row |= {"spend": stats.mean("spend"), "spend_low": stats.mean("spend") - half, "spend_high": stats.mean("spend") + half}
        row |= {"points": None, "points_low": None, "points_high": None, "verdict": "the control"}
        if cell in found.control:
            row["verdict"] = "no verdict" if study.health.blocked else "nobody bought"
            if ("response", cell) in by.index and not study.health.blocked:
                its = by.loc[("response", cell)]
                row |= {"points": 100 * its["estimate"], "points_low": 100 * its["low"], "points_high": 100 * its["high"]}
                row["verdict"] = differs(
                    its["low"], its["high"], "more bought", "fewer bought", points(its["detectable"], form) + " points"
                )
        rows.append(row)
    frame = _objects(pd.DataFrame(rows), ["points", "points_low", "points_high"])
    columns = {
        "name": Column("Cell"),
        "n": Column("Customers", "count"),
        "response": Column("Bought", "share", "response_low", "response_high"),
        "spend": Column("Spend per customer", "amount", "spend_low", "spend_high"),
        "points": Column("Against control, points", "number", "points_low", "points_high"),
        "verdict": Column("Verdict", lead=True),
    }
    opens, closes = min(found.days["opens"]), max(found.days["last"])
    caption = (
        f"Cells of “{titled(found.campaign)}”, controls first: who bought from {form.short_day(opens)} to "
        f"{form.short_day(closes)}, and what they spent. "
        f"Small figures: {at_level(study)} intervals; those of differences {_family(study)}."
    )
    return Table(caption, frame, columns, form, top=40)


def _family(study: Study) -> str:
    kind = study.frame["correction"].iloc[0]
    if len(study.found.control) == 1 or kind == "none":
        return "are each taken on their own"
    return "hold for all cells at once" + (" (Bonferroni)" if kind == "holm" else "")


def _of_rows(study: Study, rows: str) -> str:
    """What the intervals of several rows hold for."""
    return "each taken on its own" if study.params.correction == "none" else f"which hold for all {rows} at once"


def differs(low: float, high: float, more: str, less: str, seen: str) -> str:
    """Say which of two texts an interval bears out; where it holds 0, what could have been seen."""
    return more if low > 0 else less if high < 0 else f"not shown to differ ({seen} could have been detected)"


def _objects(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Columns in which a value may be missing hold None there, which is written as a dash."""
    return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), None) for name in columns})


def money_table(study: Study) -> Table | Absent:
    """What each cell earned."""
    if study.health.blocked:
        return BLOCKED
    if not study.found.varies("margin"):
        return NO_MONEY
    form = study.context.form
    frame = study.money.cells.copy()
    frame["verdict"] = [_money_verdict(study, row) for row in frame.to_dict("records")]
    shown = ("total", "scaled", "roi", "break_even", "may_cost")
    frame = _objects(frame, [f"{name}{end}" for name in shown for end in ("", "_low", "_high")])
    said = gain(study)
    columns = {
        "name": Column("Cell"),
        "n": Column("Contacts", "count"),
        "cost": Column("Cost", "money"),
        "total": Column(f"{said.word.capitalize()} of the cell", "money", "total_low", "total_high"),
        "break_even": Column("Break-even cost of a contact", "exact", "break_even_low", "break_even_high"),
        "may_cost": Column(study.context.told("Offer may cost, per buyer"), "exact", "may_cost_low", "may_cost_high"),
        "verdict": Column("Verdict", lead=True),
    }
    for name in ("break_even", "may_cost"):
        if frame[name].isna().all():
            columns.pop(name)
    even = " A contact that costs more than the break-even cost loses money." if "break_even" in columns else ""
    caption = (
        f"{said.whole.capitalize()}, cell by cell.{even} In brackets: the smallest effect that could have been detected. Small figures: "
        f"{at_level(study)} intervals, which {_family(study)}."
    )
    return Table(caption, frame, columns, form, top=40)


def _money_verdict(study: Study, row: dict[str, Any]) -> str:
    """What the money of a cell says; nothing of earning where its margin or the cost of its offer is not known."""
    if not study.found.margin.known:
        more, less = "more revenue", "less revenue"
    elif row["priced"]:
        more, less = "earned more than it cost", "cost more than it brought"
    else:
        more, less = "open: what the offer costs is not known", "cost more than it brought"
    return differs(row["profit_low"], row["profit_high"], more, less, study.context.form.money(row["n"] * row["detectable"]))


def components_table(study: Study) -> Table | Absent:
    """What each component did, and what they did together."""
    if study.health.blocked:
        return BLOCKED
    if study.components is None:
        return Absent(study.no_components)
    form = study.context.form
    frame = study.components
    out = pd.DataFrame({"component": frame["effect"].str.capitalize(), "levels": frame["levels"]})
    columns = {"component": Column("Component"), "levels": Column("Comparison")}
    for metric, scale, label, kind in (
        ("response", 100, "Share who bought, points", "number"),
        ("profit", study.money.scale, f"{gain(study).word.capitalize()} {scale_word(study.money.scale)}", "money"),
    ):
        if metric not in frame:
            continue
        for end in ("", "_low", "_high"):
            out[metric + end] = (scale * frame[metric + end]).round(2)
        columns[metric] = Column(label, kind, f"{metric}_low", f"{metric}_high")
    name = "response" if "response" in frame else "profit"
    seen = [
        points(value, form) + " points" if name == "response" else form.money(study.money.scale * value)
        for value in frame[f"{name}_detectable"]
    ]
    out["verdict"] = [
        differs(low, high, "more" if name == "response" else f"more {gain(study).word}", "less", each)
        for low, high, each in zip(frame[f"{name}_low"], frame[f"{name}_high"], seen, strict=True)
    ]
    columns["verdict"] = Column("Verdict on who bought" if name == "response" else "Verdict")
    together = " Rows with × show how much more one component does when the other is present." if study.order == 2 else ""
    caption = f"Each component, averaged over the others.{together} Small figures: {at_level(study)} intervals, {_of_rows(study, 'rows')}."
    return Table(caption, out, columns, form)


def segments_table(study: Study) -> Table | Absent:
    """What a contact added by segment."""
    if study.health.blocked:
        return BLOCKED
    if study.ranked.segments is None:
        return Absent(study.ranked.reason["segments"])
    form = study.context.form
    found, kind = study.ranked.segments, study.found.margin.word
    frame = found.table.assign(
        **{
            name: found.table["n"] * found.table[old]
            for name, old in (("value", "estimate"), ("value_low", "low"), ("value_high", "high"))
        }
    )
    scale = scale_of(int(frame["n"].min()))
    frame = frame.assign(
        **{
            name: scale * found.table[old]
            for name, old in (("scaled", "estimate"), ("scaled_low", "low"), ("scaled_high", "high"))
        }
    )
    frame["verdict"] = [
        differs(row["low"], row["high"], f"adds {kind}", f"takes {kind}", form.money(row["n"] * row["detectable"]))
        for row in frame.to_dict("records")
    ]
    columns = {
        "segment": Column("Customers who"),
        "n": Column("Contacted", "count"),
        "n_control": Column("Controls", "count"),
        "value": Column(f"{kind.capitalize()} added", "money", "value_low", "value_high"),
        "scaled": Column(f"{scale_word(scale).capitalize()}", "money", "scaled_low", "scaled_high"),
        "verdict": Column("Verdict", lead=True),
    }
    differ = "have been shown to differ" if found.p_value < 1 - study.look.level else "have not been shown to differ"
    apart = ""
    if study.frame["method"].str.contains("-adjusted").any():
        apart = "Unlike results by cell, these are not adjusted for earlier spend, so they do not add up to the same sum. "
    caption = (
        f"{kind.capitalize()} that contacts added, before their costs, by how recently people had bought. The segments {differ} from "
        f"each other (p = {form.number(found.p_value)}). {apart}"
        f"Small figures: {at_level(study)} intervals, {_of_rows(study, 'segments')}."
    )
    return Table(caption, frame, columns, form)


def rounds_table(study: Study) -> Table | Absent:
    """All rounds of the test together, where it was sent in several."""
    found, form = study.rounds, study.context.form
    if found is None:
        return NO_ROUNDS
    frame, columns = found.cells.copy(), {"name": Column("Cell"), "n": Column("Contacts", "count")}
    if "response" in frame:
        for end in ("", "_low", "_high"):
            frame[f"response{end}"] = 100 * frame[f"response{end}"]
        columns["response"] = Column("Share who bought, points", "number", "response_low", "response_high")
    if found.gain is not None:
        word = "profit" if found.gain == "profit" else "revenue"
        for end in ("", "_low", "_high"):
            frame[f"gain{end}"] = frame["n"] * frame[f"gain{end}"]
        columns["gain"] = Column(f"{word.capitalize()} of all rounds", "money", "gain_low", "gain_high")
    if "response" in frame:
        shown = [low > 0 or high < 0 for low, high in zip(frame["response_low"], frame["response_high"], strict=True)]
        more = ["more bought" if value > 0 else "fewer bought" for value in frame["response"]]
        frame["verdict"] = [one if sure else "not shown to differ" for one, sure in zip(more, shown, strict=True)]
        columns["verdict"] = Column("Verdict on who bought", lead=True)
    caption = (
        f"All rounds together: {', '.join(titled(name) for name in found.campaigns)}, each against its own control, weighted by how "
        f"precise it is. Small figures: {form.share(found.level)} intervals, "
        f"{'each taken on its own' if len(frame) == 1 else 'which hold for all cells at once'}, if a cell has the same effect in every "
        "round."
    )
    return Table(caption, frame, columns, form)


def history_table(study: Study) -> Table | Absent:
    """Past campaigns of each component, raw and shrunk."""
    if not study.past.components:
        return NO_PAST
    params, form = study.params, study.context.form
    frames = [each.campaigns.assign(component=each.component.capitalize()) for each in study.past.components]
    frame = pd.concat([one.astype(object) for one in frames], ignore_index=True)
    for name in ("raw", "raw_low", "raw_high", "shrunk", "low", "high"):
        frame[name] = 100 * frame[name].astype(float)
    frame["what"] = frame["value"]
    columns = {
        "what": Column("Component"),
        "campaign": Column("Campaign", "name"),
        "k": Column("Cells", "count"),
        "opens": Column("Sent", "date"),
        "n": Column("Contacts", "count"),
        "raw": Column("As measured, points", "number", "raw_low", "raw_high"),
        "shrunk": Column("Shrunk, points", "number", "low", "high"),
    }
    kept = frame[["component", "what", "campaign", "k", "opens", "n", "raw", "raw_low", "raw_high", "shrunk", "low", "high"]]
    caption = (
        "How much the share who bought exceeded the control’s, by what was sent, for all campaigns whose windows have closed: as measured, "
        f"and shrunk towards the mean of such cells. Small figures: {form.share(params.level)} intervals, each taken on its own."
    )
    return Table(caption, kept, columns, form)


def next_table(study: Study) -> Table | Absent:
    """What to expect of the next cell with each component."""
    if not study.past.components:
        return NO_PAST
    params, form = study.params, study.context.form
    rows = []
    for each in study.past.components:
        pooled, fading = each.pooled, each.fade
        if fading is None:
            trend = "too few to say"
        else:
            ends = f"{form.number(100 * fading.low, 1)} to {form.number(100 * fading.high, 1)} points a year"
            trend = (
                f"fades ({ends})" if fading.high < 0 else f"grows ({ends})" if fading.low > 0 else f"not shown to fade ({ends})"
            )
        row = {"what": each.value, "component": each.component, "k": pooled.k, "next": 100 * each.mean, "trend": trend}
        row |= {"next_low": 100 * each.next[1], "next_high": 100 * each.next[2]}
        rows.append({**row, "size": "no gain to plan for" if each.size is None else each.size})
    columns = {
        "what": Column("Component"),
        "k": Column("Campaigns", "count"),
        "next": Column("Expected of the next campaign, points", "number", "next_low", "next_high"),
        "trend": Column("Trend over time"),
        "size": Column("Customers per cell needed to detect that", "count"),
    }
    caption = (
        "For the next plan: what is expected of the next campaign, judging by past ones (an offer is pulled to the mean of all "
        "offers, since the best of several was lucky, too), the range in which its true effect is expected, and how many customers "
        "a cell and its control each need to detect that in 80 of 100 campaigns at 95%. Small figures: "
        f"{form.share(params.level)} intervals."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def matched_table(study: Study) -> Table | Absent:
    """Orders coded, matched and unmatched, side by side."""
    if study.matched is None:
        return _NO_RESPONSES
    params, form = study.params, study.context.form
    least = params.min_group
    rows = []
    for row in study.matched.to_dict("records"):
        cell = row["cell_id"] if isinstance(row["cell_id"], str) else None
        if cell is not None and cell not in study.found.stats:
            continue
        name = "No contact found" if cell is None else study.found.name(cell)
        rows.append(
            {
                "name": name,
                "cell": cell or "",
                **{key: masked(int(row[key]), least) for key in ("coded", "matched", "unmatched")},
            }
        )
    order = {cell: k for k, cell in enumerate(study.found.stats)}
    rows.sort(key=lambda row: order.get(str(row["cell"]), len(order)))
    columns = {
        "name": Column("Cell"),
        "coded": Column("By code", "count"),
        "matched": Column("By the latest contact", "count"),
        "unmatched": Column("Unmatched", "count"),
    }
    source = (
        "" if study.recorded else " No order is recorded as a response, so these are the orders of the history, without codes."
    )
    caption = (
        f"Orders in the windows, by the cell they are matched to.{source} Controls’ orders are matched too, although they were sent "
        "nothing: matched orders are therefore not what a cell caused. Plain counts."
    )
    return Table(caption, pd.DataFrame(rows), columns, form, top=40)


def balance_table(study: Study) -> Table | Absent:
    """Differences before anything was sent."""
    if study.health.balance.empty:
        return _NOTHING_BEFORE
    form = study.context.form
    frame = study.health.balance
    wide: dict[str, dict[str, Any]] = {}
    for row in frame.to_dict("records"):
        mine = wide.setdefault(row["cell"], {"name": study.found.name(row["cell"])})
        mine |= {
            row["covariate"]: row["difference"],
            f"{row['covariate']}_low": row["low"],
            f"{row['covariate']}_high": row["high"],
        }
    names = [name for name in BALANCE if name in set(frame["covariate"])]
    columns = {"name": Column("Cell")} | {
        name: Column(BALANCE[name].capitalize(), "number", f"{name}_low", f"{name}_high") for name in names
    }
    caption = (
        "Before the window opened: cell minus control, in standard deviations. Some will differ by chance alone. Small figures: "
        f"{level_word(1 - BALANCE_ALPHA, form)} intervals that hold for all rows at once."
    )
    return Table(caption, pd.DataFrame(list(wide.values())), columns, form, top=40)
