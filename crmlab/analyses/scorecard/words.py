"""What a scorecard says: findings, metrics, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.scorecard.board import length_of
from crmlab.analyses.scorecard.goals import AT_RISK, MISSED, ON_TRACK, REACHED, UNKNOWN
from crmlab.analyses.scorecard.quantities import UNITS
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.study import Study
    from crmlab.analyses.scorecard.value import Valued
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings", "worth"]

TITLE = "Is the customer programme working?"

_WHY = {
    "customers": "the number of customers",
    "occasions per customer": "how often each bought",
    "basket": "pieces per purchase",
    "price": "the price per piece",
    "spend per occasion": "spend per purchase",
    "returns": "returns",
}


def worth(found: Valued, form: Format) -> str:
    """What value is, in words."""
    kind = "revenue" if found.source in ("revenue", "loss") else f"gross margin ({form.share(found.model.margin)} of spend)"
    span = "without end" if math.isinf(found.horizon) else f"over {found.base.words.span(found.horizon)}"
    return f"expected {kind} {span}, discounted at {form.share(found.model.rate)} a year"


def findings(study: Study) -> Findings:
    """At most three: goals, or else customers; revenue and why it moved; the value of the base, or the forecast."""
    found = [
        *_goals_finding(study),
        *_revenue_finding(study),
        *_value_finding(study),
        *_line_finding(study, "customers"),
        *_line_finding(study, "kept_share"),
    ]
    return Findings(found[:3])


def _goals_finding(study: Study) -> list[Finding]:
    goals, form = study.goals, study.context.form
    if goals.empty:
        return []
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
        seen, ends = form.measured(worst["expected"], worst["low"], worst["high"], worst["kind"])
        text += (
            ". "
            f"{name} {late}: {seen} {'came' if late == 'was missed' else 'expected'} by {form.short_day(worst['by'])}, {form.write(worst['target'], worst['kind'])} aimed at"
        )
        ends = f"{ends} expected, at {form.share(study.params.level)}" if ends else ""
    elif worst["status"] == UNKNOWN:
        text += f"; of {form.count(int((goals['status'] == UNKNOWN).sum()))} it is not known yet"
    return [Finding(f"{form.count(count)} of {form.count(whole)}", f"{text}.", ends, "goals_on_track")]


def _revenue_finding(study: Study) -> list[Finding]:
    board, line, form = study.board, study.line("revenue"), study.context.form
    change = line.since_year if board.year is not None else line.since_last
    if change is None or line.now is None:
        if line.now is None:
            return []
        now, ends = form.measured(line.now, line.low, line.high, "money")
        return [
            Finding(
                now,
                f"is the revenue of {board.words()}.",
                f"{ends}, at {form.share(study.params.level)}",
                "revenue",
            )
        ]
    value, low, high = change
    against = "a year ago" if board.year is not None else "the period before"
    text = f"{'more' if value >= 0 else 'less'} revenue than {against}: {form.money(line.now)} in {board.words()}"
    if study.effects is not None:
        rest = study.effects[study.effects["part"] != "total"]
        row = rest.loc[(rest["effect"] * (1 if value >= 0 else -1)).idxmax()]
        text += f", most of it by {_WHY[str(row['part'])]} ({form.money(row['effect'])})"
    change_of, ends = form.measured(abs(value), low, high, "share")
    return [Finding(change_of, f"{text}.", f"{ends} change, at {form.share(study.params.level)}", "revenue_change")]


def _value_finding(study: Study) -> list[Finding]:
    board, found, form = study.board, study.value, study.context.form
    if found is None:
        return []
    value, low, high = found.total
    text = f"is what today's customers will still bring ({worth(found, form)})"
    if found.relative is not None:
        change = found.relative[0]
        then = "a year ago" if board.year is not None else "a period ago"
        text += f"; {form.share(abs(change))} {'more' if change >= 0 else 'less'} than {then}"
    whole, ends = form.measured(value, low, high, "money")
    return [Finding(whole, f"{text}.", f"{ends}, at {form.share(study.params.level)}", "value_total")]


def _line_finding(study: Study, key: str) -> list[Finding]:
    board, line, form = study.board, study.line(key), study.context.form
    if line.now is None:
        return []
    now, ends = form.measured(line.now, line.low, line.high, line.kind)
    words = {
        "customers": f"customers bought in {board.words()}.",
        "kept_share": "of the customers of the period before bought again.",
    }
    return [Finding(now, words[line.key], f"{ends}, at {form.share(study.params.level)}", line.key)]


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    board, level, currency = study.board, study.params.level, study.context.form.currency
    out: dict[str, Estimate] = {}
    for line in study.lines:
        if line.now is None or line.low is None or line.high is None:
            continue
        unit = UNITS.get(line.kind, currency)
        out[line.key] = Estimate.holding(line.now, line.low, line.high, level, unit)
        change = line.since_year if board.year is not None else line.since_last
        if change is not None:
            out[f"{line.key}_change"] = Estimate(*change, level, "share")
    if len(study.goals):
        good = study.goals["status"].isin([ON_TRACK, REACHED])
        out["goals_on_track"] = Estimate(float(good.sum()), unit="goals")
        for row in study.goals[study.goals["low"].notna()].to_dict("records"):
            unit = UNITS.get(str(row["kind"]), currency)
            out[f"goal_{row['measure']}_{row['by'].date()}"] = Estimate.of(row, level, unit, "expected")
    if study.value is not None:
        out["value_total"] = Estimate(*study.value.total, level, currency)
        if study.value.relative is not None:
            out["value_change"] = Estimate(*study.value.relative, level, "share")
    if study.ahead is not None:
        rows = study.ahead.quarters.set_index(["measure", "quarter"])
        for measure, unit in (("spend", currency), ("occasions", "occasions")):
            out[f"forecast_{measure}"] = Estimate.of(rows.loc[(measure, 0)], level, unit, "expected")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    board, form = study.board, study.context.form
    out = []
    # Yearly rounds have gaps of a year, give or take a few days.
    if board.rhythm is not None and board.span.days < (0.9 if board.per_year == 1 else 1.0) * board.rhythm:
        out.append(
            f"Periods of {'a quarter' if board.rolling else length_of(board.span.days)} are shorter than the rhythm of this base: half of all gaps between purchases are longer than {form.count(board.rhythm)} days. "
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
    elif board.year is not None and board.spans[board.year].first <= study.context.first_day + (
        board.spans[board.year].last - board.spans[board.year].first
    ):
        out.append(
            f"The history begins on {form.day(study.context.first_day)}: a year ago many customers who had bought before count as new, and nobody could have come back or been lost yet."
        )
    if study.money.of("margin").add:
        out.append(
            "The cost of goods is not known, so that margin and profit are not either, and value is revenue: add products.unit_cost."
        )
    if study.value is not None and not study.value.seen:
        out.append(
            f"Nobody is seen to have left for good yet: value is that of the next {study.value.base.words.span(study.value.ahead)}, and nothing is said of value at risk."
        )
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "A change since a year ago has many causes. What of it the programme brought about, only cells with a control show: see campaigns.",
        "Intervals of measures are over customers who come and buy independently of each other; weather, prices of competitors and the like move all of them at once and are not in it.",
        "Why revenue changed is arithmetic, not cause: more customers with fewer purchases each may be the same campaign.",
        "Forecasts hold if acquisition and buying go on as lately.",
    )


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    board, form = study.board, study.context.form
    at = form.share(study.params.level)
    assumptions = [
        f"Periods: {board.words()} and {'those before it' if board.rolling else 'earlier ones of the same length'}; a year ago is {form.count(board.per_year)} periods back.",
        f"{'A' if board.rolling else 'These periods aside, a'} year is the {YEAR} days up to a day, or after it where something is expected; a quarter is {QUARTER} days, the oldest of four {QUARTERS[-1]}.",
        f"Intervals at {at}: sums and ratios over customers, linearised (Cochran 1977); changes on the log scale from each customer's part in both periods, so that who buys alike in both adds nothing. "
        "Rates of states and newcomers are compared as if periods were independent.",
        "Revenue is what the rows add up to, returns taken off, summed exactly. "
        "It is split by the additive log-mean Divisia index (Ang 2005).",
        "Forecast: the model of purchases that told best what had come, and Gamma-Gamma, for customers of today; newcomers at the recent rate; checked on earlier days.",
        "Goals: sums are of the year that ends on the date, rates and numbers of customers of the quarter that does. "
        "Revenue, occasions, margin and newcomers are forecast by the models, the rest by the trend of up to eight quarters.",
    ]
    if study.value is not None:
        assumptions.append(
            f"Value: {worth(study.value, form)}, as in the report on customer value. Lost customers are those in the state lost today."
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
