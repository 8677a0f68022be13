"""Tables and the chart of what was read, what the rules found, and what the history covers."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from crmlab.history.calendars import fitting, opening, openings
from crmlab.history.words import WEEKS
from crmlab.page import marks
from crmlab.page.format import DASH
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.texts import titled
from crmlab.page.tokens import color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from crmlab.analyses.data_quality.study import Study

__all__ = [
    "WEEKLY_FROM",
    "amounts_table",
    "coverage_table",
    "examples_table",
    "largest_table",
    "orders_by_period",
    "orders_chart",
    "read_table",
    "rules_table",
]


RULES_SHOWN = 3  # at least, of a table whose first rows are those that are broken
_LINE = 110  # letters, from which on advice takes several lines
WEEKLY_FROM = 120  # days of history from which on bars are weeks, not days
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def read_table(study: Study) -> Table:
    """What became of the rows."""
    shown = study.read.assign(table=study.read["table"].map(titled))
    columns = {
        "fate": Column("What became of rows"),
        "table": Column("Table"),
        "rows": Column("Rows", "count"),
        "share": Column("Share", "share"),
    }
    caption = "Every row that was read, by what became of it. Counts of all rows, not estimates."
    return Table(caption, shown, columns, study.context.form)


def amounts_table(study: Study) -> Table:
    """How the amounts add up."""
    amounts = study.amounts
    total = amounts["part"] == ""
    shown = amounts[["rows", "unit"]].assign(
        what=(amounts["total"].str[:1].str.upper() + amounts["total"].str[1:]).where(total, f"{DASH} " + amounts["part"]),
        part=amounts["amount"].mask(total, ""),
        total=amounts["amount"].where(total, ""),
    )
    columns = {
        "what": Column("What"),
        "rows": Column("Number", "count"),
        "unit": Column("of"),
        "part": Column("Part", "whole"),
        "total": Column("Total", "exact"),
    }
    caption = (
        "The parts under each total, shown without cents, add up to it exactly: they are counts and sums, not estimates. "
        f"{study.words.many.capitalize()} who have no {study.words.deed} occasion appear in no other report."
    )
    return Table(caption, shown[list(columns)], columns, study.context.form)


def rules_table(study: Study) -> Table:
    """What the rules found: breaches first, the serious before the others."""
    rules = study.rules
    found = rules.assign(clean=rules["broken"] == 0, minor=~rules["grave"].astype(bool), less=-rules["share"])
    found = found.sort_values(["clean", "minor", "less"], kind="stable", ignore_index=True)
    shown = found.drop(columns=["clean", "minor", "less", "found", "advice"]).assign(
        grave=["serious" if grave else "minor" for grave in found["grave"]],
    )
    columns = {
        "says": Column("Rule"),
        "grave": Column("Severity of a breach"),
        "unit": Column("Counted"),
        "checked": Column("Checked", "count"),
        "broken": Column("Broken by", "count"),
        "share": Column("Share", "share"),
        "amount": Column("Adding up to", "amount"),
    }
    form, held, broken = study.context.form, int(found["clean"].sum()), int((~found["clean"]).sum())
    caption = f"{'All' if not broken else f'{form.count(held)} of'} {form.count(len(found))} rules hold. "
    if broken == 1:
        caption += "The first row is the one that does not, with what breaks it and what that adds up to. "
    elif broken:
        caption += (
            f"The first {form.count(broken)} rows are those that do not, the serious breaches first, with what breaks them. "
        )
    caption += "Counts of all rows up to the last day, not estimates."
    if study.words is not WEEKS:
        caption += f" In tables, a {study.words.deed} is an order, and a {study.words.one} a customer."
    return Table(caption, shown, columns, form, top=max(broken, RULES_SHOWN))


def examples_table(study: Study) -> Table:
    """Rows that were dropped, and rows that broke rules."""
    import pandas as pd

    read, rules = study.read, study.rules
    dropped = read[read["examples"] != ""].rename(columns={"fate": "what"})[["what", "examples"]].assign(advice="")
    broken = rules[rules["broken"] > 0].rename(columns={"found": "what"})[["what", "examples", "advice"]]
    broken = broken.assign(advice=[_in_lines(advice) for advice in broken["advice"]])
    columns = {"what": Column("What"), "examples": Column("Up to three rows", "lines"), "advice": Column("What to do", "lines")}
    caption = "Examples of rows dropped and of rules broken, with IDs only, and what to do about a breach."
    return Table(caption, pd.concat([dropped, broken], ignore_index=True), columns)


def _in_lines(advice: str) -> str:
    """Advice that is too long for one line of a cell, a part in each line: nothing of it is cut off.

    Examples
    --------
    >>> _in_lines("Remove the copy."), len(_in_lines(f"Check this; {90 * 'x'}: {90 * 'y'}.").splitlines())
    ('Remove the copy.', 3)
    """
    return re.sub(r"(?<=[.;:]) ", "\n", advice) if len(advice) > _LINE else advice


def largest_table(study: Study) -> Table:
    """The largest orders; what came back of them where order lines tell."""
    shown = study.largest.assign(cancelled=["yes" if value else "no" for value in study.largest["cancelled"]])
    columns = {
        "order_id": Column(study.order.capitalize()),
        "customer_id": Column(study.words.one.capitalize()),
        "ordered_at": Column("Day", "date"),
        "amount": Column("Amount", "amount"),
        "share": Column("Share of sales" if study.words is WEEKS else "Share of all", "share"),
        "cancelled": Column("Cancelled"),
    }
    one, order = study.words.one, study.order
    caption = f"The largest {order}s. Cancelled: the same {one} has another {order} for exactly the opposite amount, on that day or later."
    if shown["returned"].notna().any():
        columns["returned"] = Column("Came back", "amount")
        caption += f" Came back: what the {one} later returned of the same products."
    return Table(caption, shown, columns, study.context.form)


def coverage_table(study: Study) -> Table:
    """What the history covers."""
    import pandas as pd

    days, form, words = study.days, study.context.form, study.words
    bought = days.loc[days["orders"] > 0, "day"]
    gaps = bought.diff().dt.days.fillna(1) - 1
    longest = int(gaps.max()) if len(gaps) else 0
    around = f", until {form.day(bought[gaps.idxmax()])}" if longest else ""
    seen = set(bought.dt.day_of_week)
    closed = [name for i, name in enumerate(_WEEKDAYS) if i not in seen] if study.length > 28 else []
    rows = [
        ("Currency", study.descriptor.currency or "not named"),
        ("First day", form.day(days["day"].iloc[0])),
        ("Last day", form.day(days["day"].iloc[-1])),
        ("Length in days", form.count(study.length)),
        (f"Days with {study.order}s", form.count(len(bought))),
        ("Longest gap in days", f"{form.count(longest)}{around}"),
        (f"Weekdays without {study.order}s", ", ".join(closed) or "none"),
        (f"{study.order.capitalize()}s", form.count(float(days["orders"].sum()))),
        (f"{words.many.capitalize()} with a {words.deed}", form.count(study.context.customers)),
        *_silent(study),
        (f"{words.deed.capitalize()} occasions", form.count(study.occasions)),
        ("Tables", ", ".join(titled(name) for name in study.tables)),
        (f"Definition of a {words.one}", study.descriptor.counted),
    ]
    frame = pd.DataFrame(rows, columns=["item", "value"])
    columns = {"item": Column("What"), "value": Column("Value")}
    return Table("The history in figures: counts, not estimates.", frame, columns, form)


def _silent(study: Study) -> list[tuple[str, str]]:
    """How many have not bought for long; says so where the history is too short to tell."""
    customers, form, after = study.context.customers, study.context.form, study.params.stale_after
    if not customers:
        return []
    told = f"{form.count(study.stale)} ({form.share(study.stale / customers)})"
    if study.length <= after:
        told = f"not known: the history has only {form.count(study.length)} days"
    return [(f"Last {study.words.deed} more than {form.count(after)} days ago", told)]


def orders_by_period(days: pd.DataFrame) -> pd.DataFrame:
    """Count orders by day, or where the history is long by week, month or whatever keeps the bars few enough.

    Parameters
    ----------
    days : DataFrame
        day and orders, in order; the first and the last day of the history among them.

    Returns
    -------
    DataFrame
        from (first day), orders, days (how many of the period lie in the history), whole (whether all do).
        Periods without an order are there, with 0.
    """
    import pandas as pd

    first, last = days["day"].iloc[0].date(), days["day"].iloc[-1].date()
    unit = _unit_of(days)
    starts = openings(first, last, unit)
    of = days["orders"].groupby([opening(day.date(), unit) for day in days["day"]]).sum()
    ends = [following - dt.timedelta(days=1) for following in starts[1:]]
    inside = [(min(end, last) - max(start, first)).days + 1 for start, end in zip(starts, ends, strict=False)]
    whole = [start >= first and end <= last for start, end in zip(starts, ends, strict=False)]
    return pd.DataFrame(
        {
            "from": pd.to_datetime(starts[:-1]),
            "orders": of.reindex(starts[:-1], fill_value=0).to_numpy(),
            "days": inside,
            "whole": whole,
        }
    )


def _unit_of(days: pd.DataFrame) -> str:
    """The unit of the calendar that the bars are of."""
    first, last = days["day"].iloc[0].date(), days["day"].iloc[-1].date()
    return fitting(first, last, "week" if (last - first).days >= WEEKLY_FROM else "day")


def orders_chart(study: Study) -> Chart:
    """Orders per day, week or longer; periods that the ends of the history cut would look like a fall and are left out."""
    form, span, unit = study.context.form, study.length, _unit_of(study.days)
    frame = orders_by_period(study.days)
    whole = frame[frame["whole"]]
    empty = whole[whole["orders"] == 0]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="count")
        width = 0.85 * min(whole["days"], default=1)
        ax.bar(whole["from"], whole["orders"], width=width, align="edge", color=color("accent"))
        if len(empty):
            middle = [day + dt.timedelta(days=width / 2) for day in empty["from"]]
            ax.plot(middle, [0] * len(empty), "v", color=color("second"), markersize=6, clip_on=False)
        marks.ticks(ax.yaxis, 6)
        marks.dates(ax, form, write=form.short_day if unit == "day" else form.month)
        if span <= 5:  # a few days would be divided into hours, and the same day written twice
            ax.set_xticks([day + dt.timedelta(days=width / 2) for day in whole["from"]])

    many = "centuries" if unit == "century" else f"{unit}s"
    none = f"without {'an order' if study.words is WEEKS else f'a {study.order}'}"
    note = f"No {unit} is {none}."
    if len(empty):
        note = f"Triangles mark {many} {none}." if len(empty) > 1 else f"The triangle marks a {unit} {none}."
    counted = f"{len(empty)} {unit if len(empty) == 1 else many} {none}" if len(empty) else f"no empty {unit}"
    return Chart(
        f"{study.order.capitalize()}s per {unit}. {note}{_ends(frame, unit)}",
        f"Bars of the number of {study.order}s per {unit}, between {form.count(whole['orders'].min())} and "
        f"{form.count(whole['orders'].max())}, with {counted}.",
        draw,
        frame,
        (8, 2.6),
    )


def _ends(frame: pd.DataFrame, unit: str) -> str:
    """Which periods are left out because the history begins or ends within them."""
    first, last = not frame["whole"].iloc[0], not frame["whole"].iloc[-1]
    if first and last:
        return f" The first and the last {unit} are incomplete and left out."
    return f" The {'first' if first else 'last'} {unit} is incomplete and left out." if first or last else ""
