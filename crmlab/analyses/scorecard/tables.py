"""Tables of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.scorecard.board import length_of
from crmlab.analyses.scorecard.groups import KINDS
from crmlab.analyses.scorecard.words import worth
from crmlab.page.exhibits import Absent
from crmlab.page.groups import small_groups
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.board import Board
    from crmlab.analyses.scorecard.study import Study
    from crmlab.page.format import Format

__all__ = [
    "CHANGES",
    "GROUPS",
    "MEMBERS",
    "NOT_COMPARED",
    "PARTS",
    "buying_table",
    "campaigns_table",
    "customers_table",
    "forecast_table",
    "freshness_table",
    "goals_table",
    "growth_table",
    "lifecycle_table",
    "matrix_table",
    "money_table",
    "no_changes",
    "no_value",
    "parts_table",
    "profiles_table",
    "profit_table",
    "reach_table",
    "segments_table",
    "states_table",
    "together",
    "value_table",
]


NOT_COMPARED = Absent("There is no earlier period with enough customers to compare with.")
GROUPS = {
    "customers": "Customers",
    "money": "Money",
    "buying": "Buying",
    "lifecycle": "Lifecycle",
    "reach": "Reach and risk",
}
PARTS = {
    "customers": "Number of customers",
    "occasions per customer": "Purchase occasions per customer",
    "basket": "Pieces per purchase occasion",
    "price": "Price per piece",
    "spend per occasion": "Spend per purchase occasion",
    "returns": "Returns on other days",
    "total": "Revenue",
}
MEMBERS = {
    "new": "New customers",
    "reactivated": "Came back: had bought before, not in the earlier period",
    "kept": "Bought in both periods",
    "lost": "Bought in the earlier period only",
    "returns only": "Returned things only",
    "others": "Others",
    "total": "Revenue",
}
CHANGES = {
    "before": "Value then",
    "acquired": "Acquired: customers who came since",
    "lost": "Lost: customers who are lost by now",
    "revalued": "Revalued: the others, by what they have done since",
    "now": "Value now",
}


def goals_table(study: Study) -> Table:
    """Each goal, those that need care first; an empty table where there are none, so that nobody overlooks it."""
    goals, form = study.goals, study.context.form
    if goals.empty:
        caption = "Goals: none yet. Name them in the data set's TOML file, under [[goals]]: measure, target, by and owner."
        return Table(caption, goals, {"label": Column("Goal")}, form)
    goals = goals.assign(
        goal=[f"{row.label}, by {form.short_day(row.by)}" for row in goals.itertuples()],
        said=[f"{row.status.capitalize()}\n{row.why}" for row in goals.itertuples()],
    )
    columns = {
        "goal": Column("Goal"),
        "said": Column("Status", "lines"),
        "target": Column("Target", "row:kind"),
        "expected": Column("Expected by then", "row:kind", "low", "high"),
        "now": Column("So far", "row:kind"),
        "owner": Column("Owner"),
    }
    caption = (
        "Goals: on track where all of the forecast meets the target, at risk where part of it does, missed where none does. Small "
        f"figures are {form.share(study.params.level)} intervals of the forecast, or of the trend. So far: the year, or "
        "quarter, up to today."
    )
    return Table(caption, goals, columns, form, top=50)


def customers_table(study: Study) -> Table:
    """Measures of customers who came, stayed and went."""
    return _measures(study, "customers")


def money_table(study: Study) -> Table:
    """Measures of revenue and profit."""
    return _measures(study, "money")


def buying_table(study: Study) -> Table:
    """Measures of how customers buy."""
    return _measures(study, "buying")


def lifecycle_table(study: Study) -> Table:
    """Measures of how customers move on."""
    return _measures(study, "lifecycle")


def reach_table(study: Study) -> Table:
    """Measures of contacts, and of how few bring how much."""
    return _measures(study, "reach")


def _measures(study: Study, name: str) -> Table:
    board, form, group = study.board, study.context.form, GROUPS[name]
    rows = []
    for line in (line for line in study.lines if line.group == group):
        label = f"{line.label}: {line.add}" if line.now is None else line.label
        row: dict[str, object] = {"label": label, "kind": line.kind, "measure": line.key}
        row["change_kind"] = "points" if line.kind == "share" else "share"
        row |= {"now": line.now, "low": line.low, "high": line.high, "last": line.last, "year": line.year}
        for name, change in (("since_last", line.since_last), ("since_year", line.since_year)):
            ends = change if change is not None else (None, None, None)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        rows.append(row)
    columns = {"label": Column(group), "now": Column("This period", "row:kind", "low", "high")}
    if board.year is not None:
        columns["year"] = Column("A year ago", "row:kind")
        columns["since_year"] = Column("Change", "row:change_kind", "since_year_low", "since_year_high")
    if board.last is not None:
        columns["last"] = Column("Period before", "row:kind")
        columns["since_last"] = Column("Change", "row:change_kind", "since_last_low", "since_last_high")
    # Missing numbers must not turn whole ones into floats with NaN shown: every cell keeps what it is.
    frame = pd.DataFrame(rows, dtype=object)
    caption = (
        f"{group}, {board.words()}. Changes of shares are in percentage points; small figures are {form.share(study.params.level)} "
        "intervals."
    )
    return Table(caption, frame, columns, form, top=40)


def profit_table(study: Study) -> Table:
    """From revenue to profit, and what to add where a cost is not known."""
    board = study.board
    rows = []
    for part in study.money.parts:
        row: dict[str, object] = {"label": part.label, "add": part.add, "part": part.key}
        row |= {
            "now": part.amounts.get(board.now),
            "then": part.amounts.get(board.compared) if board.compared is not None else None,
        }
        rows.append(row)
    columns = {"label": Column("From revenue to profit"), "now": Column("This period", "exact")}
    if board.compared is not None:
        columns["then"] = Column(_then(board), "exact")
    columns["add"] = Column("To know it")
    caption = f"From revenue to profit, {board.words()}: sums of what was read, to the cent. Costs that are not known are not taken off."
    return Table(caption, pd.DataFrame(rows, dtype=object), columns, study.context.form)


def _then(board: Board) -> str:
    return "A year ago" if board.year is not None else "Period before"


def parts_table(study: Study) -> Table | Absent:
    """Why revenue changed, by factors."""
    parts, form = study.effects, study.context.form
    if parts is None:
        return NOT_COMPARED
    kinds = {"customers": "count", "returns": "money", "price": "amount", "spend per occasion": "amount"}
    frame = parts.assign(
        label=[PARTS[part] for part in parts["part"]], kind=[kinds.get(part, "number") for part in parts["part"]]
    )
    frame.loc[frame["part"] == "total", "kind"] = "money"
    columns = {
        "label": Column("Part"),
        "before": Column(_then(study.board), "row:kind"),
        "after": Column("This period", "row:kind"),
        "effect": Column("Brought", "exact", "low", "high"),
    }
    caption = (
        "Why revenue changed, part by part: what it would have changed by had only this part moved. Parts add up to the change exactly "
        f"(log-mean Divisia index); small figures are {form.share(study.params.level)} intervals."
    )
    return Table(caption, frame, columns, form)


def growth_table(study: Study) -> Table | Absent:
    """Why revenue changed, by who came and went."""
    if study.members is None:
        return NOT_COMPARED
    form, shown = study.context.form, together(study.members, study.params.min_group)
    shown = shown.assign(label=[MEMBERS[name] for name in shown["group"]])
    columns = {
        "label": Column("Who"),
        "customers": Column("Customers", "count"),
        "before": Column(f"Revenue {_then(study.board).lower()}", "money"),
        "after": Column("Revenue this period", "money"),
        "change": Column("Brought", "exact", "low", "high"),
    }
    caption = (
        "Why revenue changed, by who came and went; changes add up exactly. Small figures are "
        f"{form.share(study.params.level)} intervals."
    )
    return Table(caption, shown, columns, form)


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
        "spend": Column("Revenue before returns", "money", "spend_low", "spend_high"),
        "spend_new": Column("of it from customers still to come", "money"),
        "occasions": Column("Purchase occasions", "count", "occasions_low", "occasions_high"),
    }
    caption = f"Forecast, with {form.share(study.params.level)} intervals. {ahead.said}"
    return Table(caption, pd.DataFrame(rows), columns, form)


def value_table(study: Study) -> Table | Absent:
    """How the value of the base changed."""
    board, found, form = study.board, study.value, study.context.form
    if found is None or not len(found.changes):
        return no_changes(study)
    frame = found.changes.assign(label=[CHANGES[part] for part in found.changes["part"]])
    columns = {"label": Column("Part"), "value": Column("Value", "money", "low", "high")}
    then = form.day(board.spans[board.compared].last) if board.compared is not None else ""
    caption = (
        f"Value of the base since {then}: {worth(found, form)}. Both days are valued with today's model, so that the change is what "
        f"customers did. Small figures are {form.share(study.params.level)} intervals of the mean."
    )
    return Table(caption, frame, columns, form)


def matrix_table(study: Study) -> Table | Absent:
    """Customers by value tier and lifecycle state, with what to do."""
    found, form = study.value, study.context.form
    if found is None:
        return no_value(study)
    # Who is lost is no longer at risk.
    gone = found.matrix["state"] == "lost"
    frame = found.matrix.assign(**{name: found.matrix[name].mask(gone) for name in ("at_risk", "at_risk_low", "at_risk_high")})
    frame = frame.assign(label=[f"{row.tier}, {row.state}" if row.state else row.tier for row in frame.itertuples()])
    columns = {
        "label": Column("Tier and state"),
        "customers": Column("Customers", "count"),
        "revenue": Column("Revenue of a year", "money"),
        "value": Column("Value", "money", "value_low", "value_high"),
    }
    if found.seen:
        columns["at_risk"] = Column("Value at risk", "money", "at_risk_low", "at_risk_high")
    columns["treatment"] = Column("Treatment")
    caption = (
        f"Customers by value tier (A: top 10 %, B: next 20 %, C: next 30 %, D: the rest) and lifecycle state. "
        f"Value is {worth(found, form)}. Small figures are {form.share(study.params.level)} intervals. "
        "Treatments are suggestions: test them."
    )
    return Table(caption, frame, columns, form, top=30)


def no_value(study: Study) -> Absent:
    """Why the base has no value."""
    return Absent(study.why["value"] or "These data do not allow it.")


def no_changes(study: Study) -> Absent:
    """Why the value of the base is not compared."""
    return Absent(study.why["value"] or "No earlier day to compare the value with.")


def segments_table(study: Study) -> Table | Absent:
    """Revenue and profit by the segment that customers were in when the period began."""
    return _groups(study, "segment", "")


def states_table(study: Study) -> Table | Absent:
    """Revenue and profit by the state that customers were in when the period began."""
    return _groups(study, "state", study.board.why_no_life)


def _groups(study: Study, kind: str, why: str) -> Table | Absent:
    board, form, groups = study.board, study.context.form, study.groups
    if groups.empty or not (groups["kind"] == kind).any():
        return Absent(why or "The history begins with the period: nobody was a customer before.")
    frame = groups[groups["kind"] == kind].reset_index(drop=True)
    frame = frame.assign(label=["All" if name == "total" else str(name).capitalize() for name in frame["group"]])
    columns = {
        "label": Column(KINDS[kind]),
        "before": Column("Customers at the start", "count"),
        "buyers": Column("Bought", "count"),
        "revenue": Column("Revenue", "money", "low", "high"),
        "share": Column("Share", "share"),
    }
    if frame["change"].notna().any():
        columns["change"] = Column("Change", "share", "change_low", "change_high")
    if frame["profit"].notna().any():
        columns["profit"] = Column("Profit", "money", "profit_low", "profit_high")
    since = f" Change: against the same group {_then(board).lower()}." if "change" in columns else ""
    caption = (
        f"Revenue by {KINDS[kind].lower()} on the day before the period began, {board.words()}.{since} Small figures are "
        f"{form.share(study.params.level)} intervals."
    )
    return Table(caption, frame, columns, form)


def profiles_table(study: Study) -> Table | Absent:
    """How each segment differs from everybody else, in words."""
    profiles, form = study.profiles, study.context.form
    if profiles.empty:
        return Absent("Segments are too few or too small to be told apart.")
    if not profiles["kept"].any():
        return Absent(
            f"No segment surely stands out: none of {len(profiles)} comparisons of what they buy, when, where and how they came shows a "
            "standardised difference of at least 0.2 with an interval that excludes 0."
        )
    rows = []
    for name, some in profiles.groupby("segment", sort=False):
        kept = some[some["kept"]]
        words = [f"{row.words} ({'; '.join(form.measured(row.difference, row.low, row.high))})" for row in kept.itertuples()]
        rows.append([name, int(some["customers"].iloc[0]), "\n".join(words) or "nothing that is sure"])
    frame = pd.DataFrame(rows, columns=["segment", "customers", "words"])
    columns = {
        "segment": Column("Segment"),
        "customers": Column("Customers", "count"),
        "words": Column("Stands out by", "lines"),
    }
    caption = (
        "What sets each segment apart from all other customers, by standardised difference (0.2 is small, 0.8 large). Shown are those "
        f"of at least 0.2 that are sure: intervals hold at {form.share(study.params.level)} for all {len(profiles)} comparisons at "
        "once (Bonferroni)."
    )
    return Table(caption, frame, columns, form)


def campaigns_table(study: Study) -> Table | Absent:
    """Campaigns and their programs, latest first."""
    frame, form = study.campaigns, study.context.form
    if frame.empty:
        return Absent(study.why["campaigns"] or "These data do not allow it.")
    shown = frame.assign(label=[_label(row, form) for row in frame.to_dict("records")])
    columns = {
        "label": Column("Campaign: program"),
        "contacts": Column("Contacts", "count"),
        "response": Column("More who bought", "points", "response_low", "response_high"),
        "profit": Column("Profit it caused", "money", "profit_low", "profit_high"),
        "roi": Column("Profit per 1 spent", "number", "roi_low", "roi_high"),
        "note": Column("Verdict"),
    }
    caption = (
        "What campaigns earned over their controls, latest first: points more who bought, incremental profit after costs, and the same for "
        f"each {form.currency or 'unit'} spent. Small figures are {form.share(study.params.level)} intervals, each by itself. Not "
        "decided: more or larger cells would tell. Cells, looks and corrections are in the report on campaign results."
    )
    return Table(caption, shown, columns, form, top=40)


def _label(row: dict[str, Any], form: Format) -> str:
    """A campaign with its first day; a program by its name."""
    name = str(row["campaign"]).replace("_", " ")
    if row["program"]:
        return f"{name}: {str(row['program']).replace('_', ' ')}"
    return name if row["opens"] is None or row["opens"] != row["opens"] else f"{name}, {form.short_day(row['opens'])}"


def freshness_table(study: Study) -> Table:
    """How far each table of the data set reached on the last day of the page: of what came later, the page knows nothing."""
    form, end = study.context.form, study.context.as_of
    frame = study.fresh.assign(
        last=[pd.Timestamp(day) for day in study.fresh["last"]], behind=[(end - day).days for day in study.fresh["last"]]
    )
    frame["said"] = ["as far as this page" if k == 0 else f"{length_of(k)} before it" for k in frame["behind"]]
    columns = {
        "table": Column("Table"),
        "last": Column("Last entry", "date"),
        "said": Column("Against the last day of this page"),
    }
    caption = f"How fresh the data are. This page looks at history to {form.day(end)}."
    return Table(caption, frame, columns, form)
