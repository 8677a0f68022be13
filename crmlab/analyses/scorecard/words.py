"""What a scorecard says: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import left_for_good, total_said, what_of
from crmlab.analyses.lifecycle import GONE
from crmlab.analyses.scorecard.board import length_of
from crmlab.analyses.scorecard.goals import AT_RISK, GOOD, MISSED, UNKNOWN, WILL_MISS
from crmlab.analyses.scorecard.quantities import UNITS
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.study import Study
    from crmlab.analyses.scorecard.value import Valued
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings", "worth"]

TITLE = "Is the customer programme working?"

_WHY = {
    "customers": "the number of {many}",
    "occasions per customer": "how often each {bought}",
    "basket": "pieces per {deed}",
    "price": "the price per piece",
    "spend per occasion": "the amount per {deed}",
    "returns": "returns",
}


def worth(found: Valued, form: Format) -> str:
    """What value is, in words."""
    return what_of(found.scores, form)


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
    count, whole = int(goals["status"].isin(GOOD).sum()), len(goals)
    text = f"{'goal is' if whole == 1 else 'goals are'} reached, or expected to be met"
    worst = goals.iloc[0]
    late = {MISSED: "was missed", WILL_MISS: "will be missed unless something changes", AT_RISK: "is at risk"}
    if worst["status"] in late:
        aimed, by = form.write(worst["target"], worst["kind"]), form.short_day(worst["by"])
        seen, ends = form.measured(worst["expected"], worst["low"], worst["high"], worst["kind"])
        seen += f" ({ends}, at {form.share(study.params.level)})" if ends else ""
        come = (
            f"{form.write(worst['so_far'], worst['kind'])} of {aimed} has come in, " if worst["done"] == worst["done"] else ""
        )
        told = f"{seen} by {by}, {aimed} aimed at" if worst["status"] == MISSED else f"{come}{seen} is expected by {by}"
        if worst["status"] != MISSED and not come:
            told += f", {aimed} aimed at"
        text += f". {worst['label']} {late[worst['status']]}: {told}"
    elif worst["status"] == UNKNOWN:
        text += f"; for {form.count(int((goals['status'] == UNKNOWN).sum()))} it is not known yet"
    return [Finding(f"{form.count(count)} of {form.count(whole)}", f"{text}.", metric="goals_on_track")]


def _revenue_finding(study: Study) -> list[Finding]:
    board, line, form = study.board, study.line("revenue"), study.context.form
    speech = board.speech
    change = line.since_year if board.year is not None else line.since_last
    if change is None or line.now is None:
        if line.now is None:
            return []
        return [Finding(form.money(line.now), speech(f"{{in_revenue}} came in {board.words()}."), "", "revenue")]
    value, low, high = change
    against = "a year ago" if board.year is not None else "the period before"
    more = "more" if value >= 0 else "less"
    text = f"{more} {speech('{in_revenue}')} than {against}: {form.money(line.now)} in {board.words()}"
    if study.effects is not None:
        rest = study.effects[study.effects["part"] != "total"]
        row = rest.loc[(rest["effect"] * (1 if value >= 0 else -1)).idxmax()]
        text += f", mostly because of {speech(_WHY[str(row['part'])])} ({form.money(row['effect'])})"
    change_of, ends = form.measured(abs(value), low, high, "share")
    return [Finding(change_of, f"{text}.", f"{ends} change, at {form.share(study.params.level)}", "revenue_change")]


def _value_finding(study: Study) -> list[Finding]:
    board, found, form = study.board, study.value, study.context.form
    if found is None:
        return []
    value, low, high = (float(one) for one in found.total)
    text = total_said(found.scores, found.sums, form)
    if found.relative is not None:
        change = found.relative[0]
        then = "a year ago" if board.year is not None else "a period ago"
        text += f" The total is {form.share(abs(change))} {'more' if change >= 0 else 'less'} than {then}, by the same model."
    whole, ends = form.measured(value, low, high, "money")
    return [Finding(whole, text, f"{ends}, at {form.share(study.params.level)}", "value_total")]


def _line_finding(study: Study, key: str) -> list[Finding]:
    board, line, form = study.board, study.line(key), study.context.form
    if line.now is None:
        return []
    words = {
        "customers": f"{{many}} {{bought}} in {board.words()}.",
        "kept_share": "of the {many} of the period before {bought} again.",
    }
    return [Finding(form.write(line.now, line.kind), board.speech(words[line.key]), "", line.key)]


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    board, level, currency = study.board, study.params.level, study.context.form.currency
    out: dict[str, Estimate] = {}
    for line in study.lines:
        if line.now is None:
            continue
        unit = UNITS.get(line.kind, currency)
        if line.low is None or line.high is None:
            out[line.key] = Estimate(line.now, unit=unit)
        else:
            out[line.key] = Estimate.holding(line.now, line.low, line.high, level, unit)
        change = line.since_year if board.year is not None else line.since_last
        if change is not None:
            out[f"{line.key}_change"] = Estimate(*change, level, "share")
    if len(study.goals):
        out["goals_on_track"] = Estimate(float(study.goals["status"].isin(GOOD).sum()), unit="goals")
        for row in study.goals[study.goals["low"].notna()].to_dict("records"):
            unit = UNITS.get(str(row["kind"]), currency)
            out[f"goal_{row['measure']}_{row['by'].date()}"] = Estimate.of(row, level, unit, "expected")
    if study.value is not None:
        out["value_total"] = Estimate.of(study.value.total, level, currency, "value")
        if study.value.relative is not None:
            out["value_change"] = Estimate(*study.value.relative, level, "share")
    if study.ahead is not None:
        rows = study.ahead.quarters.set_index(["measure", "quarter"])
        for measure, unit in (("spend", currency), ("occasions", "occasions")):
            out[f"forecast_{measure}"] = Estimate.of(rows.loc[(measure, 0)], level, unit, "expected")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    board, form, speech = study.board, study.context.form, study.board.speech
    out = []
    # Yearly rounds have gaps of a year, give or take a few days.
    if board.rhythm is not None and board.span.days < (0.9 if board.per_year == 1 else 1.0) * board.rhythm:
        out.append(
            f"Periods of {'a quarter' if board.rolling else length_of(board.span.days)} are shorter than the rhythm of this base: half of all gaps between {speech.words.deeds} are longer than {form.count(board.rhythm)} days. "
            f"{speech('{Many}')} who are counted as lost may just not be due. "
            "Choose longer periods."
        )
    if len(board.spans) == 1:
        out.append("The history holds one whole period only, so nothing can be compared.")
    elif board.compared is None:
        out.append(speech("No earlier period had enough {many} to be compared with."))
    elif board.year is None and board.per_year > 1:
        out.append(
            "The history does not reach a year back: changes are against the period before, and the season may explain them."
        )
    elif board.year is not None and board.spans[board.year].first <= study.context.first_day + (
        board.spans[board.year].last - board.spans[board.year].first
    ):
        out.append(
            f"The history begins on {form.day(study.context.first_day)}: a year ago many {speech.words.many} who had {speech('{given}')} before count as new, and nobody could have come back or been lost yet."
        )
    if board.closed is not None:
        out.append(
            speech(
                f"No one new has come since {form.day(board.closed)}: the data seem to follow a fixed group of {{many}}, so nothing is said of new ones."
            )
        )
    if study.money.of("margin").add:
        out += board.history.margin(study.params.margin).wanted("to see margin and profit")
    if study.value is not None and not (scores := study.value.scores).fit.seen:
        gone = int(board.life.sizes()[list(GONE)].sum()) if board.life is not None else 0
        out.append(
            f"{left_for_good(scores.base.words, gone)} Value is that of the next {scores.base.words.span(scores.ahead)}, and nothing is said of what is at risk."
        )
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    told = (
        "A change since a year ago has many causes. Only cells with a control show how much of it the programme caused: see campaigns.",
        "Intervals of changes assume that {many} come and {buy} independently of each other; what moves all at once, such as the weather, is left out.",
        "Why {revenue} changed is arithmetic, not cause: one campaign can bring more {many} and fewer {deeds} each.",
        *(("Forecasts hold if acquisition and {buying} go on as lately.",) if study.ahead is not None else ()),
    )
    return tuple(map(study.board.speech, told))


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    board, form = study.board, study.context.form
    at = form.share(study.params.level)
    assumptions = [
        f"Periods: {board.words()} and {'those before it' if board.rolling else 'earlier ones of the same length'}; a year ago is {form.count(board.per_year)} {'period' if board.per_year == 1 else 'periods'} back.",
        f"{'A' if board.rolling else 'These periods aside, a'} year is the {YEAR} days up to a day, or after it where something is expected; a quarter is {QUARTER} days, the oldest of four {QUARTERS[-1]}.",
        "Numbers, sums, averages and shares of a period that is over are counted and have no interval. What is inferred has one: changes, which may be due to chance, what newcomers have yet to do, forecasts and values.",
        f"Intervals at {at}: changes on the log scale from the part of each of the {{many}} in both periods, linearised (Cochran 1977), so that who {{buy}}s alike in both adds nothing. "
        "Rates of states and newcomers are compared as if periods were independent.",
        "{Revenue}: what the rows add up to, returns taken off, summed exactly, and split by the additive log-mean Divisia index (Ang 2005).",
    ]
    if study.ahead is not None:
        season = (
            "with the season of {deeds} and of newcomers, each where it told better what came; that of spend goes with that of {deeds} and was not tested by itself"
            if study.ahead.seasonal
            else "without a season"
        )
        assumptions.append(
            f"Forecast, {season}: the model of {{deeds}} that forecast the past best, and Gamma-Gamma, for today's {{many}}; newcomers at the rate of the last year. "
            "It is checked on earlier days with what was known on each; only the kind of model, and whether it follows a season, were chosen on the last day. "
            "Intervals cover the uncertainty of the models, of season and level and of the rate of newcomers, drift of the level, and chance."
        )
    if len(study.goals):
        assumptions.append(
            "Goals: sums are of the year that ends on the date, rates and numbers of {many} of the quarter that does. "
            "{Revenue}, {occasions}, margin and newcomers are forecast by the models, the rest by the trend of up to eight quarters."
        )
    if study.value is not None:
        assumptions.append(
            f"Value: {worth(study.value, form)}, as in the report on customer value. Lost {{many}} are those in the state lost today."
        )
    speech = board.speech
    terms = {
        "{One} of a period": "somebody with a {deed} in it",
        "Lost": "in counts: {bought} in the period before and not in this; as a state: silent for longer than nearly all gaps",
    }
    if not study.money.of("profit").add:
        of = "{revenue}" if board.kept_whole else "gross margin"
        terms["{Profit}"] = f"{of} less the costs of contacts, offers, acquisition and serving that are known"
    return Method(
        "Measures of customer programmes, each computed by the step of the analysis that it belongs to.",
        tuple(map(speech, assumptions)),
        {speech(term): speech(meaning) for term, meaning in terms.items()},
    )
