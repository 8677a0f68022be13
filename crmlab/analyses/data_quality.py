"""What was read, what was dropped and why, and whether the rest can be relied on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab import checks
from crmlab.analyses.common import LEVEL, context_of
from crmlab.data.clean import REASONS
from crmlab.features.customers import customer_summary
from crmlab.features.orders import daily
from crmlab.features.outliers import largest_orders
from crmlab.features.quality import RULES
from crmlab.models.intervals import wilson
from crmlab.result import Chart, Column, Estimate, Finding, Findings, Method, Result, Table
from crmlab.style import Format, color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from crmlab.data.dataset import Dataset

NEEDS = ("orders",)

# The verdict follows from these bounds alone, so that it can be checked by hand.
DROPPED_CARE, DROPPED_STOP = 0.05, 0.5  # share of rows dropped that cannot be used at all
GRAVE_CARE = 0.01  # share of rows that break a grave rule
SHORT_HISTORY = 90  # days


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    stale_after: int = 365  # days without a purchase after which a customer counts as stale
    largest: int = 10  # how many of the largest orders are shown, 1 to 20

    def __post_init__(self) -> None:
        checks.day("data_quality", "as_of", self.as_of)
        checks.whole("data_quality", "stale_after", self.stale_after, 1)
        checks.whole("data_quality", "largest", self.largest, 1, 20)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a data set holds, what was left out, and what would move results.

    Parameters
    ----------
    data : Dataset
        Needs orders; checks every table that is there.
    params : Params

    Returns
    -------
    Result
        Tables: read, rules, largest, coverage. Charts: orders.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    """
    context = context_of(data, params.as_of)
    form = context.form
    summary = customer_summary(data.orders, context.as_of).to_pandas()
    context = context_of(data, params.as_of, len(summary))
    read = ledger_table(data)
    rules = rules_table(data)
    days = _days(data, context.as_of)
    coverage = _coverage(data, days, summary, context.first_day, context.as_of)
    largest = _largest(data, params, context.as_of)
    stale = int((summary["days_since_last"] > params.stale_after).sum())
    verdict, reasons = judge(read, rules, (context.as_of - context.first_day).days + 1)
    return Result(
        title="Can we rely on this data?",
        context=context,
        params=params,
        findings=_findings(verdict, read, largest, stale, len(summary), params, form),
        metrics=_metrics(read, rules, stale, len(summary)),
        tables={
            "read": _read_shown(read, form),
            "rules": _rules_shown(rules),
            "largest": _largest_shown(largest, form),
            "examples": _examples_shown(read, rules),
            "coverage": _coverage_shown(coverage),
        },
        charts={"orders": _orders_chart(days, form)},
        method=_method(data, form),
        warnings=reasons,
        limits=(
            "Rules find what is impossible or unusual; they do not find an amount that is wrong but plausible.",
            f"Definition of a customer: {data.descriptor.customer}. One person with two ids counts twice.",
        ),
    )


def ledger_table(data: Dataset) -> pd.DataFrame:
    """Say what became of every row that was read.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    DataFrame
        One row per table and fate: table, reason (None: kept), fate in words, rows, share (of the table's rows), amount,
        examples (up to three, as text with ids only). The rows of a table add up to those read.
    """
    import pandas as pd

    totals: dict[str, int] = {}
    for row in data.ledger:
        totals[row.table] = totals.get(row.table, 0) + row.rows
    rows = [
        {
            "table": row.table,
            "reason": row.reason,
            "fate": "kept" if row.reason is None else f"dropped: {REASONS[row.reason]}",
            "rows": row.rows,
            "share": row.rows / totals[row.table],
            "amount": float(row.amount) if row.amount is not None else None,
            "examples": "\n".join(_example(example) for example in row.examples),
        }
        # A table derived from another has no rows of its own that were read: only what it left out is told.
        for row in data.ledger
    ]
    frame = pd.DataFrame(rows, columns=["table", "reason", "fate", "rows", "share", "amount", "examples"])
    derived = [row.table for row in data.ledger if row.reason is None]
    frame.loc[~frame["table"].isin(derived), "share"] = float("nan")
    return frame


def rules_table(data: Dataset, examples: int = 3) -> pd.DataFrame:
    """Count the rows that break each rule.

    Parameters
    ----------
    data : Dataset
    examples : int
        Rows shown for each rule, with ids only.

    Returns
    -------
    DataFrame
        rule, says, grave, unit (what is counted), checked, broken, share, examples; one row per rule
        whose tables are there.
    """
    import pandas as pd

    rows = []
    for rule in RULES:
        check = rule.check(data, examples)
        if check is None:
            continue
        rows.append(
            {
                "rule": rule.name,
                "says": rule.says,
                "grave": rule.grave,
                "unit": rule.unit,
                "checked": check.checked,
                "broken": check.broken,
                "share": check.share,
                "examples": "\n".join(_example(example) for example in check.examples),
            }
        )
    return pd.DataFrame(rows)


def judge(read: pd.DataFrame, rules: pd.DataFrame, days: int) -> tuple[str, tuple[str, ...]]:
    """Give the verdict from the bounds of this module.

    Parameters
    ----------
    read : DataFrame
        As of :func:`ledger_table`.
    rules : DataFrame
        As of :func:`rules_table`.
    days : int
        Length of history in days.

    Returns
    -------
    (verdict, reasons)
        "Good", "Usable with care" or "Not usable yet", and a sentence for each reason.
    """
    form = Format()
    care: list[str] = []
    stop: list[str] = []
    unusable = read[read["reason"].isin(["unreadable", "no_customer"]) & read["share"].notna()]
    for row in unusable.to_dict("records"):
        words = f"{form.share(row['share'])} of the rows of {str(row['table']).replace('_', ' ')} were dropped: {REASONS[row['reason']]}."
        if row["share"] >= DROPPED_STOP:
            stop.append(words)
        elif row["share"] >= DROPPED_CARE:
            care.append(words)
    for row in rules[rules["grave"] & (rules["share"] >= GRAVE_CARE)].to_dict("records"):
        care.append(f"The rule “{row['says']}” is broken by {form.count(row['broken'])} rows ({form.share(row['share'])}).")
    if days < SHORT_HISTORY:
        care.append(f"The history is only {days} days long.")
    if stop:
        return "Not usable yet", (*stop, *care)
    return ("Usable with care", tuple(care)) if care else ("Good", ())


def _example(row: Any) -> str:
    parts = []
    for key, value in row.items():
        if value in ("", None):
            continue
        text = value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)
        if hasattr(value, "normalize") or (key in ("amount", "quantity") and "." in text):
            text = text.rstrip("0").rstrip(".")
        elif isinstance(value, float):
            text = f"{value:.2f}"
        parts.append(f"{key} {text}")
    return ", ".join(parts)


def _days(data: Dataset, as_of: dt.date) -> pd.DataFrame:
    import pandas as pd

    orders = data.orders
    frame = daily(orders.filter(orders["ordered_at"].date() <= as_of)).to_pandas()
    frame["day"] = pd.to_datetime(frame["day"])
    return frame


def _coverage(data: Dataset, days: pd.DataFrame, summary: pd.DataFrame, first: dt.date, last: dt.date) -> pd.DataFrame:
    import pandas as pd

    gaps = days["day"].diff().dt.days.fillna(1) - 1
    longest = int(gaps.max()) if len(gaps) else 0
    around = ""
    if longest:
        place = gaps.idxmax()
        around = f", before {Format().day(days['day'][place])}"
    weekdays = days["day"].dt.day_of_week.value_counts()
    names = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
    closed = [name for i, name in enumerate(names) if i not in weekdays.index] if (last - first).days >= 28 else []
    form = Format()
    rows = [
        ("Currency", data.currency or "not named"),
        ("First day", form.day(first)),
        ("Last day", form.day(last)),
        ("Length in days", form.count((last - first).days + 1)),
        ("Days with orders", form.count(len(days))),
        ("Longest gap in days", f"{form.count(longest)}{around}"),
        ("Weekdays never seen", ", ".join(closed) or "none"),
        ("Orders", form.count(float(days["orders"].sum()))),
        ("Customers with a purchase", form.count(len(summary))),
        ("Purchase occasions", form.count(float(summary["occasions"].sum()))),
        ("Tables", ", ".join(name.replace("_", " ") for name in data.tables)),
        ("Definition of a customer", data.descriptor.customer),
    ]
    return pd.DataFrame(rows, columns=["item", "value"])


def _largest(data: Dataset, params: Params, as_of: dt.date) -> pd.DataFrame:
    orders = data.orders
    known = orders.filter(orders["ordered_at"].date() <= as_of)
    frame = largest_orders(known, params.largest).to_pandas()
    total = float(known.filter(known["amount"] > 0)["amount"].sum().execute() or 0)
    frame["amount"] = frame["amount"].astype(float)
    return frame.assign(share=frame["amount"] / total if total else float("nan"))


def _findings(
    verdict: str,
    read: pd.DataFrame,
    largest: pd.DataFrame,
    stale: int,
    customers: int,
    params: Params,
    form: Format,
) -> Findings:
    lost = read[read["reason"].notna() & read["share"].notna()]
    rows = int(read[read["share"].notna()]["rows"].sum())
    dropped = int(lost["rows"].sum())
    if rows and dropped:
        why = lost.sort_values("rows", ascending=False).iloc[0]
        words = (
            f"{form.share(1 - dropped / rows)} of {form.count(rows)} rows were used. Most others: "
            f"{REASONS[why['reason']]} ({form.count(why['rows'])} rows)."
        )
    else:
        words = f"all {form.count(rows)} rows were used."
    found = [Finding(verdict, words, "a count of all rows, not an estimate")]
    low, high = wilson(stale, customers, LEVEL)
    found.append(
        Finding(
            form.share(stale / customers if customers else 0),
            f"of {form.count(customers)} customers last bought more than {params.stale_after} days ago.",
            f"{form.interval(low, high, 'share')}, at {form.share(LEVEL)}",
        )
    )
    if len(largest):
        top = largest.iloc[0]
        fate = "and was cancelled" if top["cancelled"] else "and was not cancelled"
        found.append(
            Finding(
                form.money(top["amount"]),
                f"is the largest order, {form.share(top['share'])} of all sales, {fate}. "
                f"{form.count(int(largest['cancelled'].sum()))} of the {len(largest)} largest were cancelled.",
            )
        )
    return Findings(found)


def _metrics(read: pd.DataFrame, rules: pd.DataFrame, stale: int, customers: int) -> dict[str, Estimate]:
    metrics = {"customers": Estimate(float(customers), unit="customers")}
    if customers:
        low, high = wilson(stale, customers, LEVEL)
        metrics["stale_share"] = Estimate(stale / customers, low, high, LEVEL, "share")
    for row in read.to_dict("records"):
        metrics[f"rows_{row['table']}_{row['reason'] or 'kept'}"] = Estimate(float(row["rows"]), unit="rows")
    for row in rules.to_dict("records"):
        name = str(row["rule"]).lower().replace(" ", "_")
        metrics[f"broken_{name}"] = Estimate(float(row["broken"]), unit="rows")
    return metrics


def _read_shown(read: pd.DataFrame, form: Format) -> Table:
    shown = read.assign(table=read["table"].str.replace("_", " "))
    columns = {
        "fate": Column("What became of rows"),
        "table": Column("Table"),
        "rows": Column("Rows", "count"),
        "share": Column("Share", "share"),
        "amount": Column("Adding up to", "amount"),
    }
    return Table("Every row that was read, by what became of it. Counts of all rows, not estimates.", shown, columns, form)


def _rules_shown(rules: pd.DataFrame) -> Table:
    shown = rules.assign(
        grave=["grave" if grave else "worth knowing" for grave in rules["grave"]],
    )
    columns = {
        "says": Column("Rule"),
        "grave": Column("A breach is"),
        "unit": Column("Counted"),
        "checked": Column("Checked", "count"),
        "broken": Column("Broken by", "count"),
        "share": Column("Share", "share"),
    }
    return Table("The rules, and how many rows break each. Counts of all rows, not estimates.", shown, columns)


def _examples_shown(read: pd.DataFrame, rules: pd.DataFrame) -> Table:
    import pandas as pd

    dropped = read[read["examples"] != ""].rename(columns={"fate": "what"})[["what", "examples"]]
    broken = rules[rules["examples"] != ""].rename(columns={"says": "what"})[["what", "examples"]]
    broken = broken.assign(what="not so: " + broken["what"].astype(str))
    columns = {"what": Column("What"), "examples": Column("Up to three rows", "lines")}
    return Table(
        "Examples of rows dropped and of rules broken, with ids only.", pd.concat([dropped, broken], ignore_index=True), columns
    )


def _largest_shown(largest: pd.DataFrame, form: Format) -> Table:
    shown = largest.assign(cancelled=["yes" if value else "no" for value in largest["cancelled"]])
    columns = {
        "order_id": Column("Order"),
        "customer_id": Column("Customer"),
        "ordered_at": Column("Day", "date"),
        "amount": Column("Amount", "amount"),
        "share": Column("Share of sales", "share"),
        "cancelled": Column("Cancelled"),
    }
    caption = "The largest orders. Cancelled: the same customer has an order of exactly the opposite amount, then or later."
    return Table(caption, shown, columns, form)


def _coverage_shown(coverage: pd.DataFrame) -> Table:
    return Table("What the history covers.", coverage, {"item": Column("What"), "value": Column("Value")})


def _method(data: Dataset, form: Format) -> Method:
    rules = data.descriptor
    returns = {
        "net": "Returns are set against the same customer's purchases of the same day.",
        "drop": "Rows of returns were dropped.",
    }
    free = {"count": "Free orders count as purchases.", "ignore": "Free orders are ignored."}
    return Method(
        f"Counts over every row. The verdict is “Not usable yet” where half of a table's rows or more cannot be used, “Usable "
        f"with care” from {form.share(DROPPED_CARE)}, where a grave rule is broken by {form.share(GRAVE_CARE)} of rows or more, or "
        f"where the history is under {SHORT_HISTORY} days; else “Good”.",
        (
            returns[rules.returns],
            free[rules.free_orders],
            *((f"Not products: {', '.join(rules.not_products)}.",) if rules.not_products else ()),
            f"The share of stale customers has a {form.share(LEVEL)} interval by Wilson's method; all else is counted.",
        ),
        {"Stale": "a customer whose last purchase occasion is longer ago than the number of days chosen"},
    )


def _orders_chart(days: pd.DataFrame, form: Format) -> Chart:
    import pandas as pd

    span = int((days["day"].iloc[-1] - days["day"].iloc[0]).days) + 1
    by = "W-SUN" if span > 120 else "D"
    series = days.set_index("day")["orders"].resample(by).sum()
    frame = pd.DataFrame({"from": series.index, "orders": series.to_numpy()})
    # The first and last week may be cut by the ends of the history: they would look like a fall.
    whole = frame.iloc[1:-1] if by == "W-SUN" and len(frame) > 4 else frame
    empty = whole[whole["orders"] == 0]

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        width = 6.0 if by == "W-SUN" else 0.85
        ax.bar(whole["from"], whole["orders"], width=width, color=color("accent"))
        if len(empty):
            ax.plot(empty["from"], [0] * len(empty), "v", color=color("second"), markersize=6, clip_on=False)
        ax.yaxis.set_major_formatter(lambda value, _: form.count(value))
        ax.yaxis.grid(visible=True)
        from matplotlib.dates import AutoDateLocator, num2date

        ax.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=8))
        ax.xaxis.set_major_formatter(
            lambda value, _: form.month(num2date(value)) if span > 60 else form.short_day(num2date(value))
        )
        ax.spines["left"].set_visible(False)

    unit = "week" if by == "W-SUN" else "day"
    note = f" Triangles mark {unit}s without an order." if len(empty) else f" No {unit} is without an order."
    ends = " The first and last week are incomplete and left out." if len(whole) < len(frame) else ""
    return Chart(
        f"Orders per {unit}.{note}{ends}",
        f"Bars of the number of orders per {unit}, between {form.count(whole['orders'].min())} and "
        f"{form.count(whole['orders'].max())}, with {len(empty)} empty {unit}s.",
        draw,
        frame,
        (8, 2.6),
    )
