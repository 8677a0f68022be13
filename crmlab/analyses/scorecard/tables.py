"""Tables of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.scorecard.board import length_of
from crmlab.analyses.scorecard.forecasts import misses_said
from crmlab.analyses.scorecard.groups import KINDS, NOT_YET, TOTAL
from crmlab.analyses.scorecard.words import worth
from crmlab.history.context import masked
from crmlab.models.intervals import TEST_LEVEL
from crmlab.page.exhibits import Absent
from crmlab.page.groups import small_groups
from crmlab.page.tables import Column, Table
from crmlab.page.texts import titled

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.board import Board
    from crmlab.analyses.scorecard.study import Study
    from crmlab.page.format import Format

__all__ = [
    "CHANGES",
    "MEMBERS",
    "NOT_COMPARED",
    "PARTS",
    "campaigns_table",
    "forecast_table",
    "freshness_table",
    "goals_table",
    "growth_table",
    "matrix_table",
    "no_changes",
    "no_value",
    "parts_table",
    "profiles_table",
    "profit_table",
    "promises_table",
    "segments_table",
    "states_table",
    "together",
    "value_table",
]


NOT_COMPARED = Absent("There is no earlier period with enough people to compare with.")
PARTS = {
    "customers": "Number of {many}",
    "occasions per customer": "{Occasions} per {one}",
    "basket": "Items per {occasion}",
    "price": "Price per item",
    "spend per occasion": "Amount per {occasion}",
    "returns": "Returns on other days",
    "total": "{Revenue}",
}
MEMBERS = {
    "new": "New since the earlier period",
    "reactivated": "{Bought} before the earlier period, but not in it",
    "kept": "{Bought} in both periods",
    "lost": "{Bought} in the earlier period only",
    "returns only": "Only returned items",
    "others": "Others",
    "total": "{Revenue}",
}
_NAMES = {NOT_YET: "not yet a {one}"}  # of groups; others are called what they are
CHANGES = {
    "before": "Value then",
    "acquired": "Acquired: {many} who joined since then",
    "lost": "Lost: {many} who are now lost",
    "revalued": "Revalued: all others, by what they have done since then",
    "now": "Value now",
}


def goals_table(study: Study) -> Table | Absent:
    """Each goal, those that need care first; where there are none, it is said that there should be some."""
    goals, form, end = study.goals, study.context.form, pd.Timestamp(study.context.as_of)
    if goals.empty:
        return Absent(
            "No goals are set, and without them, whether the programme works is a matter of opinion. Ask your analyst to enter some, each "
            "with a measure, a target, a date and an owner."
        )
    goals = goals.assign(
        goal=[f"{row.label}, by {form.short_day(row.by)}" for row in goals.itertuples()],
        said=[f"{row['status'].capitalize()}\n{row['why']}\n{_gone(row, end, form)}" for row in goals.to_dict("records")],
    )
    columns = {
        "goal": Column("Goal"),
        "said": Column("Status", "lines"),
        "target": Column("Target", "row:kind"),
        "so_far": Column("So far", "row:kind"),
        "to_go": Column("To go", "row:kind"),
        "expected": Column("Expected by then", "row:kind", "low", "high"),
        "owner": Column("Owner"),
    }
    caption = (
        "Goals. “So far” counts from the first day of the goal’s own year or quarter. Small figures are "
        f"{form.share(study.params.level)} intervals of the forecast or trend. On track: the whole interval meets the target. More likely "
        "met than missed: the expected value meets it, the worse end does not. More likely missed than met: only the better end does. "
        "Could go either way: the target lies in the middle of the interval."
    )
    return Table(caption, goals, columns, form, top=50)


def _gone(goal: dict[str, Any], end: pd.Timestamp, form: Format) -> str:
    """How much of a goal's time is over, and how much of its target has come in by then."""
    whole, gone = (goal["by"] - goal["first"]).days + 1, (end - goal["first"]).days + 1
    if gone >= whole or gone < 1:
        return "" if gone >= whole else "not begun yet"
    come = f"{form.share(goal['done'])} reached by " if goal["done"] == goal["done"] else ""
    return f"{come}day {gone} of {whole}"


def profit_table(study: Study) -> Table | Absent:
    """From revenue to profit, and what to add where a cost is not known."""
    board = study.board
    if board.kept_whole and not study.money.costed:
        return Absent("No costs are known, so only gifts can be shown.")
    rows = []
    for part in study.money.parts:
        if board.kept_whole and part.key == "margin":
            continue
        row: dict[str, object] = {"label": board.speech(part.label), "add": board.speech(part.add), "part": part.key}
        row |= {
            "now": part.amounts.get(board.now),
            "then": part.amounts.get(board.compared) if board.compared is not None else None,
        }
        rows.append(row)
    title = board.speech("From {revenue} to {profit}" if study.money.of("profit").amounts else "{Revenue} and known costs")
    columns = {"label": Column(title), "now": Column("This period", "exact")}
    if board.compared is not None:
        columns["then"] = Column(_then(board), "exact")
    columns["add"] = Column("What is needed")
    caption = f"{title} in {board.words()}: exact sums of the data. Unknown costs are not deducted."
    return Table(caption, pd.DataFrame(rows, dtype=object), columns, study.context.form)


def _then(board: Board) -> str:
    return "A year ago" if board.year is not None else "Previous period"


def _before(board: Board) -> str:
    return "a year ago" if board.year is not None else "in the previous period"


def parts_table(study: Study) -> Table | Absent:
    """Why revenue changed, by factors."""
    parts, form = study.effects, study.context.form
    if parts is None:
        return NOT_COMPARED
    kinds = {"customers": "count", "returns": "money", "price": "amount", "spend per occasion": "amount"}
    frame = parts.assign(
        label=[study.board.speech(PARTS[part]) for part in parts["part"]],
        kind=[kinds.get(part, "number") for part in parts["part"]],
    )
    frame.loc[frame["part"] == "total", "kind"] = "money"
    columns = {
        "label": Column("Part"),
        "before": Column(_then(study.board), "row:kind"),
        "after": Column("This period", "row:kind"),
        "effect": Column("Contribution", "money", "low", "high"),
    }
    caption = (
        f"{_changed(study)}, part by part: the change there would have been if only that part had moved. The parts add up to the change "
        f"exactly (log-mean Divisia index); small figures are {form.share(study.params.level)} intervals."
    )
    return Table(caption, frame, columns, form)


def growth_table(study: Study) -> Table | Absent:
    """Why revenue changed, by who came and went."""
    if study.members is None:
        return NOT_COMPARED
    form, shown = study.context.form, together(study.members, study.params.min_group)
    speech = study.board.speech
    shown = shown.assign(label=[speech(MEMBERS[name]) for name in shown["group"]])
    columns = {
        "label": Column("Who"),
        "customers": Column(speech("{Many}"), "count"),
        "before": Column(speech(f"{{Revenue}} {_before(study.board)}"), "money"),
        "after": Column(speech("{Revenue} in this period"), "money"),
        "change": Column("Contribution", "money", "low", "high"),
    }
    caption = (
        f"{_changed(study)}, by who came and went; the changes add up exactly. Small figures are "
        f"{form.share(study.params.level)} intervals."
    )
    return Table(caption, shown, columns, form)


def _changed(study: Study) -> str:
    return study.board.speech("Why {revenue} changed")


def together(groups: pd.DataFrame, least: int) -> pd.DataFrame:
    """Groups that came and went, those of too few customers taken together; the total stays.

    Parameters
    ----------
    groups : DataFrame
        As of :func:`crmlab.models.decomposition.growth`.
    least : int

    Returns
    -------
    DataFrame
        Groups with customers, then ``others`` where some are small, then ``total``. Changes add up as before.
    """
    rest, total = groups[groups["group"] != "total"], groups[groups["group"] == "total"]
    rest = rest[rest["customers"] > 0]
    few = set(small_groups(rest.set_index("group")["customers"], least))
    some = rest[rest["group"].isin(few)]
    if some.empty:
        return pd.concat([rest, total], ignore_index=True)
    row = {name: some[name].sum() for name in ("customers", "before", "after")}
    row |= {"group": "others", "change": round(float(some["change"].sum()), 2)}
    # Different customers are independent of each other: squares of half widths add up.
    half = float(np.sqrt((((some["high"] - some["low"]) / 2) ** 2).sum()))
    row |= {"low": row["change"] - half, "high": row["change"] + half}
    return pd.concat([rest[~rest["group"].isin(few)], pd.DataFrame([row]), total], ignore_index=True)[groups.columns]


def forecast_table(study: Study) -> Table | Absent:
    """The next four quarters."""
    ahead, form = study.ahead, study.context.form
    if ahead is None:
        return Absent(study.why["ahead"])
    rows = []
    for quarter in (1, 2, 3, 4, 0):
        row: dict[str, object] = {}
        for measure in ("occasions", "spend"):
            found = ahead.quarters[(ahead.quarters["quarter"] == quarter) & (ahead.quarters["measure"] == measure)].iloc[0]
            last = form.short_day(found["last"])
            row["label"] = f"All four, to {last}" if quarter == 0 else f"Quarter to {last}"
            row |= {measure: found["expected"], f"{measure}_low": found["low"], f"{measure}_high": found["high"]}
            row[f"{measure}_new"] = found["new"]
        rows.append(row)
    columns = {
        "label": Column("Quarter"),
        "spend": Column(study.context.told("Revenue before returns"), "money", "spend_low", "spend_high"),
        "spend_new": Column(study.context.told("of which from future new customers"), "money"),
        "occasions": Column(study.context.told("Purchase occasions"), "count", "occasions_low", "occasions_high"),
    }
    if study.board.closed is not None:
        del columns["spend_new"]
    season = " that follows the season," if ahead.seasonal else ""
    caption = f"Forecast{season} with {form.share(study.params.level)} intervals. {ahead.said}"
    return Table(caption, pd.DataFrame(rows), columns, form)


def promises_table(study: Study) -> Table | Absent:
    """What was forecast of quarters that are over, and the actual figures."""
    ahead, form = study.ahead, study.context.form
    if ahead is None:
        return Absent(study.why["ahead"])
    tested = ahead.backtest
    tested = tested[(tested["measure"] == "spend") & (tested["quarter"] == 1)] if len(tested) else tested
    if tested.empty:
        return Absent("No past quarter could be forecast from earlier data: the history is too short.")
    middle = tested["expected"]
    frame = tested.assign(
        quarter=[f"Quarter to {form.short_day(day)}" for day in tested["last"]],
        low=middle + ahead.widen * (tested["low"] - middle),
        high=middle + ahead.widen * (tested["high"] - middle),
    )
    held = (frame["low"] <= frame["seen"]) & (frame["seen"] <= frame["high"])
    # Of what came, as the sentence on misses has it.
    frame["off"] = frame["expected"] / frame["seen"].where(frame["seen"] > 0) - 1
    frame["off_by"] = [f"{'+' if round(off, 2) > 0 else ''}{form.share(off, 0)}" for off in frame["off"]]
    frame["said"] = [
        "Inside the interval"
        if good
        else f"Missed: outside the interval, the forecast was too {'low' if seen > told else 'high'}"
        for good, seen, told in zip(held, frame["seen"], frame["expected"], strict=True)
    ]
    columns = {
        "quarter": Column(study.context.told("Revenue before returns")),
        "expected": Column("Forecast", "money", "low", "high"),
        "seen": Column("Actual", "money"),
        "off_by": Column("Off by", "number"),
        "said": Column("Verdict", lead=True),
    }
    far = misses_said(frame)
    typical = f"For the quarter that followed, they were {far}. " if far and len(frame) > 1 else ""
    caption = (
        f"Forecasts of quarters that are over, each made from what was known beforehand, and the actual figures. {typical}“Off by” is the "
        f"forecast against the actual figure. Small figures are {form.share(study.params.level)} intervals, as wide as those of today’s "
        "forecast."
    )
    return Table(caption, frame.reset_index(drop=True), columns, form)


def value_table(study: Study) -> Table | Absent:
    """How the value of the base changed."""
    board, found, form = study.board, study.value, study.context.form
    if found is None or not len(found.changes):
        return no_changes(study)
    nobody = (found.changes["part"] == "acquired") & (board.closed is not None)
    frame = found.changes[~nobody].assign(label=lambda rows: [board.speech(CHANGES[part]) for part in rows["part"]])
    columns = {"label": Column("Part"), "value": Column("Value", "money", "low", "high")}
    then = form.day(board.spans[board.compared].last) if board.compared is not None else ""
    caption = (
        f"Value of the {board.speech.words.one} base since {then}: {worth(found, form)}. Both days are valued with today’s model, so that "
        f"the change reflects only what {board.speech.words.many} did. Small figures are {form.share(study.params.level)} intervals, at "
        "least as wide as the error found when the forecast was checked."
    )
    return Table(caption, frame, columns, form)


def matrix_table(study: Study) -> Table | Absent:
    """Customers by value tier and lifecycle state."""
    found, form, speech = study.value, study.context.form, study.board.speech
    if found is None:
        return no_value(study)
    frame = found.matrix.assign(
        label=[f"{row.tier}, {row.state}" if row.state else row.tier for row in found.matrix.itertuples()]
    )
    columns = {
        "label": Column("Tier and state"),
        "customers": Column(speech("{Many}"), "count"),
        "revenue": Column(speech("Annual {revenue}"), "money"),
        "value": Column("Value", "money", "value_low", "value_high"),
    }
    if found.scores.fit.seen:
        columns["at_risk"] = Column("At risk", "money", "at_risk_low", "at_risk_high")
    if study.reachable:
        frame["reachable"] = [
            masked(study.reachable[row.tier, row.state], study.params.min_group) for row in frame.itertuples()
        ]
        columns["reachable"] = Column("May be contacted", "count")
    if study.treatments:
        frame["treatment"] = [study.treatments[row.tier, row.state] for row in frame.itertuples()]
        columns["treatment"] = Column("Decided today", "lines")
        least = study.params.min_group
        small = f"; decisions for fewer than {least} are not shown" if least > 1 else ""
        said = f" “Decided today” shows each row’s most frequent decisions, three at most{small}."
    else:
        said = f" No decisions are shown here: {study.why['treatments'][:1].lower()}{study.why['treatments'][1:]}"
    consent = f"“{speech('{Many}')}” counts everybody." if study.reachable else "The data do not say who may be contacted."
    caption = (
        f"{speech('{Many}')} by value tier (A: top 10%, B: next 20%, C: next 30%, D: the rest) and lifecycle state. "
        f"Value is {worth(found, form)}. Small figures are {form.share(study.params.level)} intervals. "
        f"{consent} {speech.words.decided}{said}"
    )
    return Table(caption, frame, columns, form, top=30)


def no_value(study: Study) -> Absent:
    """Why the base has no value."""
    return Absent(study.why["value"] or "These data do not allow it.")


def no_changes(study: Study) -> Absent:
    """Why the value of the base is not compared."""
    return Absent(study.why["value"] or "There is no earlier day to compare the value with.")


def segments_table(study: Study) -> Table | Absent:
    """Revenue and profit by the segment that customers were in when the period began."""
    return _groups(study, "segment", "")


def states_table(study: Study) -> Table | Absent:
    """Revenue and profit by the state that customers were in when the period began."""
    return _groups(study, "state", study.board.why_no_life)


def _groups(study: Study, kind: str, why: str) -> Table | Absent:
    board, form, groups = study.board, study.context.form, study.groups
    if groups.empty or not (groups["kind"] == kind).any():
        return Absent(why or study.board.speech("The history begins with this period: nobody was a {one} before it."))
    frame = groups[groups["kind"] == kind].reset_index(drop=True)
    speech = board.speech
    frame = frame.assign(
        label=["All" if name == TOTAL else speech(_NAMES.get(name, name)).capitalize() for name in frame["group"]]
    )
    columns = {
        "label": Column(KINDS[kind]),
        "before": Column(speech("{Many} at the start"), "count"),
        "buyers": Column(speech("{Bought}"), "count"),
        "revenue": Column(speech("{Revenue}"), "money"),
        "share": Column("Share", "share"),
    }
    if frame["then"].notna().any():
        columns["then"] = Column(speech(f"{{Revenue}} {_before(board)}"), "money")
    if frame["change"].notna().any():
        columns["change"] = Column("Change", "share", "change_low", "change_high")
    if frame["profit"].notna().any():
        columns["profit"] = Column(speech("{Profit}"), "money")
    since = f" Change: against the same group {_before(board)}, in which others may have been." if "change" in columns else ""
    if "change" in columns and (frame["then"].gt(0) & frame["change"].isna()).any():
        since += " Where there is none, the earlier amount is too small, or nothing followed it."
    if "then" in columns and frame["then"].isna().any():
        since += f" Amounts of fewer than {study.params.min_group} {speech.words.many} are not shown."
    small = f" Small figures are {form.share(study.params.level)} intervals." if since else ""
    caption = f"{speech('{Revenue}')} in {board.words()}, by {KINDS[kind].lower()} on the day before it began.{since}{small}"
    return Table(caption, frame, columns, form)


def profiles_table(study: Study) -> Table | Absent:
    """How each segment differs from everybody else, in words."""
    profiles, form = study.profiles, study.context.form
    if profiles.empty:
        return Absent("Segments are too few or too small to be told apart.")
    if not profiles["kept"].any():
        return Absent(
            f"No segment clearly stands out: none of the {len(profiles)} comparisons of what {study.board.speech('{many} {buy}')}, when, "
            "where and how they joined shows a standardised difference of at least 0.2 with an interval that excludes 0."
        )
    rows = []
    for name, some in profiles.groupby("segment", sort=False):
        kept = some[some["kept"]]
        words = [f"{row.words} ({'; '.join(form.measured(row.difference, row.low, row.high))})" for row in kept.itertuples()]
        rows.append([name, int(some["customers"].iloc[0]), "\n".join(words) or "nothing conclusive"])
    frame = pd.DataFrame(rows, columns=["segment", "customers", "words"])
    columns = {
        "segment": Column("Segment"),
        "customers": Column(study.board.speech("{Many}"), "count"),
        "words": Column("Stands out by", "lines"),
    }
    caption = (
        f"What sets each segment apart from all other {study.board.speech.words.many}, by standardised difference (0.2 is small, "
        f"0.8 large). Only clear differences of at least 0.2 are shown: the {form.share(study.params.level)} intervals hold for all "
        f"{len(profiles)} comparisons at once (Bonferroni)."
    )
    return Table(caption, frame, columns, form)


def campaigns_table(study: Study) -> Table | Absent:
    """Campaigns and their programs, latest first."""
    frame, form, speech = study.campaigns, study.context.form, study.board.speech
    if frame.empty:
        return Absent(study.why["campaigns"] or "These data do not allow it.")
    shown = frame.assign(label=[_label(row, form) for row in frame.to_dict("records")])
    columns = {
        "label": Column("Campaign, or a programme within it"),
        "contacts": Column("Contacts", "count"),
        "response": Column(speech("Rise in the share who {bought}"), "points", "response_low", "response_high"),
        "profit": Column(speech("Incremental {profit}"), "money", "profit_low", "profit_high"),
        "roi": Column(speech(f"{{Profit}} per {form.tick(1.0)} spent"), "number", "roi_low", "roi_high"),
        "note": Column("Verdict"),
    }
    money = f"; incremental {{profit}} after costs, in all and per {form.tick(1.0)} spent"
    if shown["profit"].isna().all():  # no margin is known, or no campaign could be measured
        del columns["profit"], columns["roi"]
        money = ""
    caption = (
        f"What campaigns achieved over their controls, latest first: rise in the share who {{bought}}, in points{money}. Small figures are "
        f"{form.share(TEST_LEVEL)} intervals, as is usual for campaign tests, each taken on its own. “Not decided” means that more or "
        "larger cells would be needed. For cells, interim looks and corrections, see the report on campaign results."
    )
    return Table(speech(caption), shown, columns, form, top=40)


def _label(row: dict[str, Any], form: Format) -> str:
    """A campaign with its first day; a program by its name."""
    name = titled(str(row["campaign"]))
    if row["program"]:
        return f"{name}: {titled(str(row['program']))}"
    return name if row["opens"] is None or row["opens"] != row["opens"] else f"{name}, {form.short_day(row['opens'])}"


def freshness_table(study: Study) -> Table:
    """How far each table of the data set reached on the last day of the page: of what came later, the page knows nothing."""
    form, end = study.context.form, study.context.as_of
    frame = study.fresh.assign(
        last=[pd.Timestamp(day) for day in study.fresh["last"]], behind=[(end - day).days for day in study.fresh["last"]]
    )
    frame["said"] = ["up to that day" if k == 0 else f"{length_of(k)} earlier" for k in frame["behind"]]
    columns = {
        "table": Column("Table", "name"),
        "last": Column("Last entry", "date"),
        "said": Column("Compared with the last day covered here"),
    }
    caption = f"How up to date the data are. This page covers history to {form.day(end)}."
    return Table(caption, frame, columns, form)
