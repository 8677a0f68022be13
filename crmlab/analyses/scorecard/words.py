"""What a scorecard says: findings, metrics, warnings, limits, method, and why parts are left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.scorecard.board import Board, length_of
from crmlab.analyses.scorecard.goals import AT_RISK, MISSED, ON_TRACK, REACHED, UNKNOWN
from crmlab.analyses.scorecard.measures import Line
from crmlab.analyses.scorecard.value import Valued
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.study import Parts

__all__ = ["absent_of", "findings_of", "limits_of", "method_of", "metrics_of", "warnings_of", "worth"]


_UNITS = {"share": "share", "count": "customers", "days": "days", "number": ""}
_WHY = {
    "customers": "the number of customers",
    "occasions per customer": "how often each bought",
    "basket": "pieces per purchase",
    "price": "the price per piece",
    "spend per occasion": "spend per purchase",
    "returns": "returns",
}


def worth(found: Valued, board: Board) -> str:
    """What value is, in words."""
    form = board.form
    kind = "revenue" if found.source in ("revenue", "loss") else f"gross margin ({form.share(found.model.margin)} of spend)"
    span = "without end" if math.isinf(found.horizon) else f"over {found.base.words.span(found.horizon)}"
    return f"expected {kind} {span}, discounted at {form.share(found.model.rate)} a year"


def findings_of(parts: Parts) -> Findings:
    """At most three: goals, or else customers; revenue and why it moved; the value of the base, or the forecast."""
    board = parts.board
    found = [
        *_goals_finding(parts.goals, board),
        *_revenue_finding(parts),
        *_value_finding(parts.value, board),
        *_line_finding(parts.line("customers"), board),
        *_line_finding(parts.line("kept_share"), board),
    ]
    return Findings(found[:3])


def _goals_finding(goals: pd.DataFrame, board: Board) -> list[Finding]:
    if goals.empty:
        return []
    form = board.form
    good = goals["status"].isin([ON_TRACK, REACHED])
    count, whole = int(good.sum()), len(goals)
    text = f"{'goal' if whole == 1 else 'goals'} on track or reached"
    worst = goals.iloc[0]
    ends = ""
    if worst["status"] in (MISSED, AT_RISK):
        name = str(worst["label"])
        late = (
            "was missed" if worst["low"] != worst["low"] else "is at risk" if worst["status"] == AT_RISK else "will be missed"
        )
        seen = form.write(worst["expected"], worst["kind"])
        text += (
            ". "
            f"{name} {late}: {seen} {'came' if late == 'was missed' else 'expected'} by {form.short_day(worst['by'])}, {form.write(worst['target'], worst['kind'])} aimed at"
        )
        ends = form.interval(worst["low"], worst["high"], worst["kind"])
        ends = f"{ends} expected, at {form.share(board.level)}" if ends else ""
    elif worst["status"] == UNKNOWN:
        text += f"; of {form.count(int((goals['status'] == UNKNOWN).sum()))} it is not known yet"
    return [Finding(f"{form.count(count)} of {form.count(whole)}", f"{text}.", ends, "goals_on_track")]


def _revenue_finding(parts: Parts) -> list[Finding]:
    board, line = parts.board, parts.line("revenue")
    form = board.form
    change = line.since_year if board.year is not None else line.since_last
    if change is None or line.now is None:
        if line.now is None:
            return []
        ends = form.interval(line.low, line.high, "money")
        return [
            Finding(
                form.money(line.now), f"is the revenue of {board.words()}.", f"{ends}, at {form.share(board.level)}", "revenue"
            )
        ]
    value, low, high = change
    against = "a year ago" if board.year is not None else "the period before"
    text = f"{'more' if value >= 0 else 'less'} revenue than {against}: {form.money(line.now)} in {board.words()}"
    if parts.effects is not None:
        rest = parts.effects[parts.effects["part"] != "total"]
        row = rest.loc[(rest["effect"] * (1 if value >= 0 else -1)).idxmax()]
        text += f", most of it by {_WHY[str(row['part'])]} ({form.money(row['effect'])})"
    ends = f"{form.interval(low, high, 'share')} change, at {form.share(board.level)}"
    return [Finding(form.share(abs(value)), f"{text}.", ends, "revenue_change")]


def _value_finding(found: Valued | None, board: Board) -> list[Finding]:
    if found is None:
        return []
    form, (value, low, high) = board.form, found.total
    text = f"is what today's customers will still bring ({worth(found, board)})"
    if found.relative is not None:
        change = found.relative[0]
        then = "a year ago" if board.year is not None else "a period ago"
        text += f"; {form.share(abs(change))} {'more' if change >= 0 else 'less'} than {then}"
    return [
        Finding(
            form.money(value), f"{text}.", f"{form.interval(low, high, 'money')}, at {form.share(board.level)}", "value_total"
        )
    ]


def _line_finding(line: Line, board: Board) -> list[Finding]:
    if line.now is None:
        return []
    form = board.form
    ends = f"{form.interval(line.low, line.high, line.kind)}, at {form.share(board.level)}"
    words = {
        "customers": f"customers bought in {board.words()}.",
        "kept_share": "of the customers of the period before bought again.",
    }
    return [Finding(form.write(line.now, line.kind), words[line.key], ends, line.key)]


def metrics_of(parts: Parts) -> dict[str, Estimate]:
    """What two runs are compared on."""
    board = parts.board
    level, currency = board.level, board.form.currency
    out: dict[str, Estimate] = {}
    for line in parts.lines:
        if line.now is None or line.low is None or line.high is None:
            continue
        unit = _UNITS.get(line.kind, currency)
        out[line.key] = Estimate(line.now, min(line.low, line.now), max(line.high, line.now), level, unit)
        change = line.since_year if board.year is not None else line.since_last
        if change is not None:
            out[f"{line.key}_change"] = Estimate(*change, level, "share")
    if len(parts.goals):
        good = parts.goals["status"].isin([ON_TRACK, REACHED])
        out["goals_on_track"] = Estimate(float(good.sum()), unit="goals")
        for row in parts.goals[parts.goals["low"].notna()].to_dict("records"):
            unit = _UNITS.get(str(row["kind"]), currency)
            out[f"goal_{row['measure']}_{row['by'].date()}"] = Estimate(row["expected"], row["low"], row["high"], level, unit)
    if parts.value is not None:
        out["value_total"] = Estimate(*parts.value.total, level, currency)
        if parts.value.relative is not None:
            out["value_change"] = Estimate(*parts.value.relative, level, "share")
    if parts.ahead is not None:
        rows = parts.ahead.quarters.set_index(["measure", "quarter"])
        for measure, unit in (("spend", currency), ("occasions", "occasions")):
            row = rows.loc[(measure, 0)]
            out[f"forecast_{measure}"] = Estimate(float(row["expected"]), float(row["low"]), float(row["high"]), level, unit)
    return out


def warnings_of(parts: Parts) -> tuple[str, ...]:
    """What a reader must know before acting."""
    board, form = parts.board, parts.board.form
    out = []
    # Yearly rounds have gaps of a year, give or take a few days.
    if board.rhythm is not None and board.span.days < (0.9 if board.per_year == 1 else 1.0) * board.rhythm:
        out.append(
            f"Periods of {length_of(board.span.days)} are shorter than the rhythm of this base: half of all gaps between purchases are longer than {form.count(board.rhythm)} days. "
            "Customers who are counted as lost may just not be due. "
            "Choose longer periods."
        )
    if len(board.spans) == 1:
        out.append("The history holds one whole period only, so nothing can be compared.")
    elif board.compared is None:
        out.append("No earlier period had enough customers to be compared with.")
    elif board.year is None and board.per_year > 1:
        out.append(
            "The history does not reach a year back: changes are against the period before, and the season may explain them."
        )
    elif board.year is not None and board.spans[board.year].first <= board.first + (
        board.spans[board.year].last - board.spans[board.year].first
    ):
        out.append(
            f"The history begins on {form.day(board.first)}: a year ago many customers who had bought before count as new, and nobody could have come back or been lost yet."
        )
    if parts.money.of("margin").add:
        out.append(
            "The cost of goods is not known, so that margin and profit are not either, and value is revenue: add products.unit_cost."
        )
    if parts.value is not None and not parts.value.seen:
        out.append(
            f"Nobody is seen to have left for good yet: value is that of the next {parts.value.base.words.span(parts.value.ahead)}, and nothing is said of value at risk."
        )
    return tuple(out)


def limits_of(parts: Parts) -> tuple[str, ...]:
    """What the page cannot say."""
    del parts
    return (
        "A change since a year ago has many causes. What of it the programme brought about, only cells with a control show: see campaigns.",
        "Intervals of measures are over customers who come and buy independently of each other; weather, prices of competitors and the like move all of them at once and are not in it.",
        "Why revenue changed is arithmetic, not cause: more customers with fewer purchases each may be the same campaign.",
        "Forecasts hold if acquisition and buying go on as lately.",
    )


def absent_of(parts: Parts, present: set[str]) -> dict[str, str]:
    """Tables and charts that these data do not allow, and why."""
    known = {
        "goals_chart": "No goal has an expected value yet."
        if len(parts.goals)
        else "Nobody has said what is aimed at: without goals, whether the programme works is a matter of taste.",
        "trends": "Fewer than three periods of history: there is no course to draw.",
        "forecast": parts.why.get("ahead", ""),
        "forecast_chart": parts.why.get("ahead", ""),
        "matrix": parts.why.get("value", ""),
        "matrix_chart": parts.why.get("value", ""),
        "value": parts.why.get("value", "") or "No earlier day to compare the value with.",
        "value_chart": parts.why.get("value", "") or "No earlier day to compare the value with.",
        "parts": "There is no earlier period with enough customers to compare with.",
        "bridge": "There is no earlier period with enough customers to compare with.",
        "growth": "There is no earlier period with enough customers to compare with.",
        "states": parts.board.why_no_life or "The history begins with the period: nobody was a customer before.",
        "segments": "The history begins with the period: nobody was a customer before.",
        "profiles": parts.why.get("profiles", ""),
        "campaigns": parts.why.get("campaigns", ""),
    }
    return {name: why or "These data do not allow it." for name, why in known.items() if name not in present}


def method_of(parts: Parts) -> Method:
    """Where the method comes from, and what it assumes."""
    board, form = parts.board, parts.board.form
    at = form.share(board.level)
    assumptions = [
        f"Periods: {board.words()} and earlier ones of the same length; a year ago is {form.count(board.per_year)} periods back.",
        f"Intervals at {at}: sums and ratios over customers, linearised (Cochran 1977); changes on the log scale from each customer's part in both periods, so that who buys alike in both adds nothing. "
        "Rates of states and newcomers are compared as if periods were independent.",
        "Revenue is what the rows add up to, returns taken off, summed exactly. "
        "It is split by the additive log-mean Divisia index (Ang 2005).",
        "Forecast: BG/NBD and Gamma-Gamma for customers of today; newcomers at the recent rate; checked on earlier days.",
        "Goals: sums are of the year that ends on the date, rates and numbers of customers of its last 13 weeks. "
        "Revenue, occasions, margin and newcomers are forecast by the models, the rest by the trend of up to eight quarters.",
    ]
    if parts.value is not None:
        assumptions.append(
            f"Value: {worth(parts.value, board)}, as in the report on customer value. Lost customers are those in the state lost today."
        )
    return Method(
        "Measures of customer programmes, each computed by the step of the analysis that it belongs to.",
        tuple(assumptions),
        {
            "Customer of a period": "somebody with a purchase occasion in it",
            "Lost": "in counts: bought in the period before and not in this; as a state: silent for longer than nearly all gaps",
            "Profit": "gross margin less the costs of contacts, acquisition and serving that are known",
        },
    )
