"""What a scorecard says: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import left_for_good, total_said, what_of
from crmlab.analyses.lifecycle import GONE
from crmlab.analyses.scorecard.board import length_of
from crmlab.analyses.scorecard.goals import AT_RISK, EVEN, GOOD, MISSED, ON_TRACK, REACHED, STATUSES, WILL_MISS
from crmlab.analyses.scorecard.groups import NOT_YET, TOTAL
from crmlab.analyses.scorecard.params import unit_of
from crmlab.analyses.scorecard.quantities import UNITS
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.board import Board
    from crmlab.analyses.scorecard.study import Study
    from crmlab.analyses.scorecard.value import Valued
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings", "worth"]

TITLE = "Is the customer programme working?"

# What moved revenue up, and what moved it down.
_WHY = {
    "customers": ("there were more {many}", "there were fewer {many}"),
    "occasions per customer": ("{many} {bought} more often", "{many} {bought} less often"),
    "basket": ("there were more items per {deed}", "there were fewer items per {deed}"),
    "price": ("the average price per item rose", "the average price per item fell"),
    "spend per occasion": ("the average {deed} was larger", "the average {deed} was smaller"),
    "returns": ("less was returned", "more was returned"),
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
    # Each goal by the status that it has everywhere on the page.
    many = goals["status"].value_counts()
    good = [status for status in (REACHED, ON_TRACK) if status in many.index] or [REACHED, ON_TRACK]
    text = f"{'goal' if whole == 1 else 'goals'} {'is' if count == 1 or whole == 1 else 'are'} {joined(good, 'or')}"
    if count and len(good) > 1:
        text += f" ({' and '.join(f'{form.count(int(many[status]))} {status}' for status in good)})"
    others = [status for status in STATUSES[::-1] if status in many.index and status not in GOOD]
    if whole > 1 and others:
        text += f"; {joined(f'{form.count(int(many[status]))} {_become(status, int(many[status]))}' for status in others)}"
    worst = goals.iloc[0]
    late = {
        MISSED: "was missed",
        WILL_MISS: "will be missed unless something changes",
        AT_RISK: f"is {AT_RISK}",
    }
    if worst["status"] in late:
        aimed, by = form.write(worst["target"], worst["kind"]), form.short_day(worst["by"])
        seen, ends = form.measured(worst["expected"], worst["low"], worst["high"], worst["kind"])
        seen += f" ({ends}, at {form.share(study.params.level)})" if ends else ""
        has, is_ = ("have", "are") if worst["kind"] == "count" else ("has", "is")
        come = f"{form.write(worst['so_far'], worst['kind'])} of {aimed} {has} come in so far, and "
        come = come if worst["done"] == worst["done"] else ""
        told = f"{seen} by {by}" if worst["status"] == MISSED else f"{come}{seen} {is_} expected by {by}"
        if worst["status"] == MISSED or not come:
            told += f", against a target of {aimed}"
        text += f". The goal “{worst['label']}” {late[worst['status']]}: {told}"
    elif whole == 1 and worst["status"] not in GOOD:
        text += f": it {_become(worst['status'], 1)}"
    return [Finding(f"{form.count(count)} of {form.count(whole)}", f"{text}.", metric="goals_on_track")]


def _become(status: str, many: int) -> str:
    """What became, or will become, of goals of a status."""
    if status in (EVEN, WILL_MISS):
        return status
    if status == MISSED:
        return f"{'was' if many == 1 else 'were'} {status}"
    return f"{'is' if many == 1 else 'are'} {status}"


def _revenue_finding(study: Study) -> list[Finding]:
    board, line, form = study.board, study.line("revenue"), study.context.form
    speech = board.speech
    change = line.since_year if board.year is not None else line.since_last
    if change is None or line.now is None:
        if line.now is None:
            return []
        return [Finding(form.money(line.now), speech(f"of {{revenue}} came in during {board.words()}."), "", "revenue")]
    value, low, high = change
    down = value < 0
    more = "less" if down else "more"
    text = f"{more} {speech('{in_revenue}')} than {_against(board)}: {form.money(line.now)} in {board.words()}"
    missing = _newcomers_missing(study)
    if study.effects is not None and not missing:
        rest = study.effects[study.effects["part"] != "total"]
        row = rest.loc[(rest["effect"] * (-1 if down else 1)).idxmax()]
        if row["effect"]:
            text += f", mostly because {speech(_WHY[str(row['part'])][down])} ({form.money(row['effect'])})"
    if board.closed is not None:
        text += speech(f". No new {{one}} has been recorded since {form.day(board.closed)}{missing}")
    if board.year is None and board.per_year > 1:
        text += ". There is nothing a year ago to compare with, so some of the change may be the season"
    # Less is told as a number of its own, and so are its ends: not as so much less than none.
    change_of, ends = form.measured(abs(value), *((-high, -low) if down else (low, high)), "share")
    return [Finding(change_of, f"{text}.", f"{ends}, at {form.share(study.params.level)}", "revenue_change")]


def _against(board: Board) -> str:
    """What the period is compared with, in words."""
    if board.year is not None or board.compared is None:
        return "a year ago"
    if board.per_year == 1:
        return f"in {board.words(board.compared)}"
    named = {12: "month", 4: "quarter"}.get(board.per_year)
    if named is None or isinstance(unit_of(board.params.period or "quarter"), int):
        named = length_of(board.span.days).removeprefix("1 ")
    return f"in the {named} before"


def _newcomers_missing(study: Study) -> str:
    """What is left of a change without the newcomers of the earlier period, as a clause, where none can be known of the later one."""
    board, form, groups = study.board, study.context.form, study.groups
    if board.closed is None or board.compared is None or groups.empty or board.closed < board.spans[board.compared].first:
        return ""
    some = groups[groups["kind"] == groups["kind"].iloc[0]].set_index("group")
    then, now = some["then"].get(TOTAL), some["revenue"].get(TOTAL)
    theirs = some["then"].get(NOT_YET)
    if not theirs or not then or now is None or theirs != theirs or then <= theirs:
        return ""
    change = float(now / (then - theirs) - 1)
    return (
        f": leaving out the {form.money(theirs)} that came from new {{many}} in {board.words(board.compared)}, {{revenue_is}} "
        f"{form.share(abs(change))} {'higher' if change >= 0 else 'lower'}"
    )


def _value_finding(study: Study) -> list[Finding]:
    board, found, form = study.board, study.value, study.context.form
    if found is None:
        return []
    value, low, high = (float(one) for one in found.total)
    text = total_said(found.scores, found.sums, form)
    if found.relative is not None:
        change = found.relative[0]
        then = "a year ago" if board.year is not None else "one period ago"
        text += (
            f" By the same model, the total is {form.share(abs(change))} {'higher' if change >= 0 else 'lower'} than {then}."
        )
    whole, ends = form.measured(value, low, high, "money")
    return [Finding(whole, text, f"{ends}, at {form.share(study.params.level)}", "value_total")]


def _line_finding(study: Study, key: str) -> list[Finding]:
    board, line, form = study.board, study.line(key), study.context.form
    if line.now is None:
        return []
    words = {
        "customers": f"{{many}} {{bought}} in {board.words()}.",
        "kept_share": "of the {many} of the previous period {bought} again.",
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
            f"Periods of {'a quarter' if board.rolling else length_of(board.span.days)} are shorter than the usual rhythm here: half of all gaps between {speech.words.deeds} are longer than {form.count(board.rhythm)} days. "
            f"{speech('{Many}')} counted as lost may simply not be due yet. "
            "Choose longer periods."
        )
    if len(board.spans) == 1:
        out.append("The history holds only one whole period, so nothing can be compared.")
    elif board.compared is None:
        out.append(speech("No earlier period had enough {many} to compare with."))
    elif board.year is None and board.per_year > 1:
        out.append(
            "The history does not go back far enough for a comparison with a year ago: changes are against the previous period and may be "
            "seasonal."
        )
    elif board.year is not None and board.spans[board.year].first <= study.context.first_day + (
        board.spans[board.year].last - board.spans[board.year].first
    ):
        out.append(
            f"The history begins on {form.day(study.context.first_day)}, so in the figures for a year ago many {speech.words.many} who had "
            f"{speech('{given}')} before that date count as new, and nobody could yet have come back or been lost."
        )
    if board.closed is not None:
        out.append(speech(_closed(board, form)))
    if study.money.of("margin").add:
        out += board.history.margin(study.params.margin).wanted("to see margin and profit")
    if study.value is not None and not (scores := study.value.scores).fit.seen:
        gone = int(board.life.sizes()[list(GONE)].sum()) if board.life is not None else 0
        out.append(
            f"{left_for_good(scores.base.words, gone)} Value therefore covers the next {scores.base.words.span(scores.ahead)} only, and "
            "value at risk is not shown."
        )
    return tuple(out)


def _changes_since(board: Board) -> str:
    """That a change proves nothing, of the earlier period that there is."""
    if board.compared is None:
        return "What a period brings has many causes."
    return f"A change since {'a year ago' if board.year is not None else 'the previous period'} has many causes."


def _closed(board: Board, form: Format) -> str:
    """That nobody new is recorded any more: a fixed group, where they all joined at the beginning; else something may be missing."""
    assert board.closed is not None
    day = form.day(board.closed)
    if (board.closed - board.history.first).days < YEAR:
        return (
            f"No new {{one}} has been recorded since {day}: the data seem to follow a fixed group of {{many}}, so new {{many}} are not "
            "reported."
        )
    ages = board.history.summary()["T"]
    joined_then = int((ages < (board.history.as_of - board.closed).days + YEAR).sum())
    return (
        f"No new {{one}} has been recorded since {day}, after {form.count(joined_then)} in the 12 months before: check that the import is "
        "complete. Until then, new {many} are not reported, and {revenue} and the number of {many} may look worse than they are."
    )


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    told = (
        f"{_changes_since(study.board)} Only test cells with a control show how much of it the programme caused: see “What did "
        "campaigns earn?”.",
        "Intervals of changes assume that {many} come and {buy} independently of each other; anything that affects everyone at once, such as "
        "the weather, is not covered.",
        "The breakdown of the change in {revenue} is arithmetic, not causal: a single campaign can bring in more {many} and yet fewer "
        "{deeds} per {one}.",
        *(
            ("Forecasts hold only if acquisition and {buying} continue as they have recently.",)
            if study.ahead is not None
            else ()
        ),
    )
    return tuple(map(study.board.speech, told))


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    board, form = study.board, study.context.form
    at = form.share(study.params.level)
    assumptions = [
        f"Periods: {board.words()} and {'those before it' if board.rolling else 'earlier ones of the same length'}"
        f"{f'; a year ago is {form.count(board.per_year)} periods back' if board.year is not None else ''}.",
        f"{'A' if board.rolling else 'Apart from these periods, a'} year is the {YEAR} days up to a given day, or after it for forecasts; a "
        f"quarter is {QUARTER} days, except that the oldest of each four has {QUARTERS[-1]}.",
        "Numbers, sums, averages and shares for completed periods are counted and have no interval. Inferred figures have one: changes, "
        "which may be due to chance; what new {many} have yet to do; forecasts; and values.",
        f"{at} intervals: changes are computed on the log scale from each {{one}}’s contribution to both periods, linearised "
        "(Cochran 1977), so that {many} who {buy} the same in both add nothing. Rates for lifecycle states and new {many} are compared as "
        "if periods were independent.",
        "{Revenue}: the exact sum of the rows, less {returns}, split by the additive log-mean Divisia index (Ang 2005).",
    ]
    if study.ahead is not None:
        season = (
            "Seasons of {deeds} and of new {many} are included where they improved past forecasts; the season of spend follows that of "
            "{deeds} and was not tested separately."
            if study.ahead.seasonal
            else "No season is included."
        )
        assumptions.append(
            "For today’s {many}, the forecast uses the model of {deeds} that predicted the past best, and the Gamma-Gamma model of spend; new "
            f"{{many}} are assumed to arrive at last year’s rate. {season} The forecast is checked on earlier days, using only what was known "
            "on each; only the type of model, and whether it follows a season, were chosen on the last day. Intervals cover uncertainty about "
            "the models, the season, the level and the rate of new {many}, drift in the level, and chance."
        )
    if len(study.goals):
        assumptions.append(
            "Goals: sums are for the year ending on the goal’s date; rates and numbers of {many} are for the quarter ending on it. "
            "{Revenue}, {occasions}, margin and new {many} are forecast by the models, everything else by the trend of up to eight quarters."
        )
    if study.value is not None:
        assumptions.append(
            f"Value: {worth(study.value, form)}, as on the page on {{one}} value. Lost {{many}} are those whose lifecycle state today is "
            "“lost”."
        )
    speech = board.speech
    terms = {
        "{One} in a period": "someone with at least one {deed} in it",
        "Lost": "in counts: {bought} in the previous period but not in this one; as a state: has gone longer without a {deed} than nearly "
        "all gaps between {deeds}",
    }
    if not study.money.of("profit").add:
        of = "{revenue}" if board.kept_whole else "gross margin"
        terms["{Profit}"] = f"{of} less the known costs of contacts, offers, acquisition and service"
    return Method(
        speech("Measures of {one} programmes, each computed by the step of the analysis that it belongs to."),
        tuple(map(speech, assumptions)),
        {speech(term): speech(meaning) for term, meaning in terms.items()},
        {speech(f"{{bought}} in {board.words()}"): now} if (now := study.line("customers").now) is not None else {},
    )
