"""What the page of the lifecycle says in sentences: findings, metrics, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses import customer_value
from crmlab.analyses.lifecycle.futures import FUTURES
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.reductions import CURRENT, GONE, STATES
from crmlab.analyses.lifecycle.tables import assumed, goes_on, held, rules, thresholds_from
from crmlab.history.words import YEAR
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.life import Life
    from crmlab.analyses.lifecycle.projection import Check, Fate
    from crmlab.analyses.lifecycle.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Where our customers stand, and who is slipping away"

_LEAST_DISPERSION = 3.0  # from which the page says that periods differ


def findings(study: Study) -> Findings:
    """At most three findings, most important first."""
    life, ratio, slow, form, level = study.life, study.balance, study.slowing, study.context.form, study.params.level
    words, sizes, at = life.words, life.sizes(), form.share(level)
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    few = total < study.params.min_group  # of whom a share says nothing
    why = f"are current: their last {words.deed} is recent enough for their rhythm."
    found = [
        Finding(
            form.count(current) if few else form.share(current / total),
            f"of {form.count(total)} {words.many} {why}"
            if few
            else f"of all {form.count(total)} {words.many} {why} That is {form.count(current)}.",
            metric="current_share",
        )
    ]
    if ratio is not None:
        grew = "grew" if ratio.value > 1 else "shrank" if ratio.value < 1 else "held"
        says = (
            f"{words.many} were won or won back for each who lapsed, over the last {_span_of_balance(life)}. The base {grew}."
        )
        found.append(Finding(form.number(ratio.value), says, metric="balance"))
    if slow is not None:
        found.append(_slowing_finding(study, slow))
    elif study.future is not None:
        middle, least, most = (float(value) for value in study.future.current[:, -1])
        ahead = form.measured(middle, least, most, "count")
        found.append(
            Finding(
                ahead.value,
                f"of today's {words.many} will be current in {words.span(study.steps)}, if nothing changes and without new ones. "
                f"{held(study)}",
                f"{ahead.interval}, at {at}",
                "projected_current",
            )
        )
    return Findings(found)


def _slowing_finding(study: Study, slow: Fate) -> Finding:
    """How many of the slowing will lapse, how well that was told before, and how many of them may be contacted."""
    life, form, share = study.life, study.context.form, slow.share
    words, count = life.words, int(life.sizes()["slowing"])
    assert share.low is not None and share.high is not None
    gone = form.measured(count * share.value, count * share.low, count * share.high, "count")
    periods = words.period if slow.dates == 1 else f"{slow.dates} {words.periods}"
    off = (
        f"such forecasts of the last {periods} were off by up to {form.share(slow.missed - 1)}"
        if slow.dates
        else "which could not be checked"
    )
    return Finding(
        gone.value,
        f"of {form.count(count)} {words.many} who are slowing will lapse within a {words.period}, judging by how long they have been "
        f"silent ({off}). {life.consent('slowing').said(form)}",
        f"{gone.interval}, at {form.share(study.params.level)}",
        "slowing_lapse",
    )


def _span_of_balance(life: Life) -> str:
    count = min(len(life.settled), LEAST_PERIODS if life.step == 12 else life.year)
    return life.words.span(count)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    level, sizes = study.params.level, study.life.sizes()
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    found = {
        "customer_base": Estimate(float(total), unit="customers"),
        "current_share": Estimate(current / total, unit="share"),
    }
    for state in STATES:
        found[f"share_{state}"] = Estimate(float(sizes[state] / total), unit="share")
    if study.balance is not None:
        found["balance"] = study.balance
    if study.slowing is not None:
        found["slowing_lapse"] = study.slowing.share
    if study.future is not None:
        middle, low, high = (float(number) for number in study.future.current[:, -1])
        found["projected_current"] = Estimate.holding(middle, low, high, level, "customers")
    if study.scores is not None:
        row = study.value.loc[customer_value.ALL]
        names = ("value", "value_today", "at_risk") if study.scores.fit.seen else ("value",)
        found |= {f"{name}_total": Estimate.of(row, level, study.context.form.currency, name) for name in names}
    if study.chain is not None:
        row = study.chain.set_index("state").loc["all"]
        for name, column in (("chain_spend_within_horizon", "near"), ("chain_spend_without_end", "whole")):
            if column in row:
                found[name] = Estimate.of(row, level, study.context.form.currency, column)
    return found


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    life, matrix, test, form = study.life, study.matrix, study.test, study.context.form
    words, out = life.words, []
    early = [day for day in life.dates[1:] if day not in set(life.settled)]
    if early:
        out.append(
            f"The history begins on {form.day(life.first)}: {words.many} from before it count as new when they first come in it, and up to {form.day(early[-1])} few could have lapsed. "
            f"The balance of those {words.periods} looks better than it was."
        )
    came = study.accounts[study.accounts["new"] > 0] if len(study.accounts) else study.accounts
    if len(came) and came["date"].iloc[-1] < life.end and came["new"].mean() >= study.params.min_group:
        out.append(
            f"No new {words.one} has come since {form.day(life.history.newest)}. If newer ones are recorded elsewhere, the balance leaves them out."
        )
    if test is not None:
        out += _missed(study, test)
    elif study.future is not None:
        out.append("The history is too short to hold an earlier projection against what came: nothing was checked.")
    if 0 < life.periods < life.year:
        out.append(
            f"Moves are known for {words.span(life.periods)} only, less than a year, so the matrix covers the seasons unevenly."
        )
    if matrix is not None:
        worst = matrix.sort_values("dispersion", ascending=False).iloc[0]
        often = form.number(worst["dispersion"]) if worst["dispersion"] < 100 else "more than 100"
        if worst["dispersion"] >= _LEAST_DISPERSION and not math.isnan(worst["active"]):
            out.append(
                f"{words.periods.capitalize()} differ by more than chance: moves from {worst['state']} vary {often} times as much as chance alone explains. "
                "Intervals are widened accordingly; a fixed matrix is a simplification."
            )
    gone = int(life.sizes()[list(GONE)].sum())
    if study.scores is not None and not study.scores.fit.seen and gone:
        out.append(customer_value.left_for_good(words, gone))
    out += study.margin.wanted("to see the margin that customers bring")
    return tuple(out)


def _missed(study: Study, test: Check) -> list[str]:
    """Where the earlier projection missed what came: of all who were to be current, and of each state."""
    form, words = study.context.form, study.life.words
    level, day = form.share(study.params.level), form.day(test.date)
    widened = "The bands of the projection are widened by what was missed"
    by_moves = study.chain is not None and not study.modelled
    widened += "; those of “if moves go on” are not, so take them as too narrow." if by_moves else "."
    out, total, states = [], test.total, [part for part in test.states if part.missed]
    if total.missed:
        out.append(
            f"The projection made in the same way on {day} missed: {form.count(total.seen)} of those {words.many} are current now, "
            f"{total.side} than its {level} interval of {form.span(total.low, total.high, 'count')}. {widened}"
        )
    if states:
        each = ", ".join(
            f"{part.name} ({form.count(part.seen)}, {part.side} than {form.span(part.low, part.high, 'count')})"
            for part in states
        )
        whose, rest = ("its", "One may miss by chance.") if len(states) == 1 else ("their", widened)
        out.append(
            f"Of the {len(test.states)} states projected on {day}, {len(states)} ended outside {whose} {level} interval: {each}."
            + ("" if total.missed else f" {rest}")
        )
    return out


def limits(study: Study) -> tuple[str, ...]:
    """What the analysis cannot say."""
    words = study.life.words
    return (
        "Silence is not departure: nobody says when they leave. “Lapsed” and “lost” are rules on days, and some come back from lost. The "
        f"report on value asks a model instead whether a {words.one} is gone for good; it may disagree about somebody lost here.",
        f"The projection takes today’s {words.many} only, with no new ones, and assumes that {assumed(study)}.",
        f"Thresholds come from gaps that ended; those of {words.many} who never came back are not among them, and busy {words.many} have more gaps than others. "
        "Both make the thresholds of the base short.",
        f"Moves say what came next, not what caused it. {words.fill('{Revenue}: net of what came back on the same day.')}",
        words.decided,
    )


def _projected(study: Study) -> tuple[str, ...]:
    """How the base is projected, and what the intervals hold."""
    words = study.life.words
    if study.future is None:
        return ()
    if study.modelled and study.scores is not None:
        name, buy = customer_value.NAMES[study.scores.fit.choice.name], words.fill("{buy}")
        return (
            f"Projection: by the model of {words.deeds} that values the base ({name}), which knows of each {words.one} how often they {buy} and whether they may "
            f"have left. {FUTURES} futures are drawn from it, and in each of them every {words.deed} decides states by the rules above. Its intervals hold the "
            "errors of parameters, season and level, and chance; they are widened by the miss of an earlier projection.",
            f"Why not by moves: a chain takes all {words.many} of a state to move alike, so that those who {buy} often seem to leave as soon as those who seldom do, "
            f"and after some {words.periods} too few are current (Blumen, Kogan and McCarthy 1955). The chain of moves still tells who of the slowing will lapse, and "
            "what comes after the last date projected. What a state brings in a period is its mean of past ones, which are resampled whole for "
            "its intervals; these reach at least as far as the forecast of money missed when the model of value was tested.",
        )
    return (
        "Projection: by a Markov chain of moves. Its intervals, and those of what moves bring: periods resampled whole; the projection adds chance, and is "
        "widened by the misses of earlier one-step forecasts (growing with the square root of the number of steps) and of an earlier projection.",
    )


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    life, form = study.life, study.context.form
    words, limits = life.words, life.limits
    share = form.share(study.margin.share)
    kept = f", times the margin ({share})" if study.margin.word == "margin" else ""
    days = ", ".join(f"{name} after {day}" for name, day in zip(("slowing", "lapsed", "lost"), limits.days, strict=True))
    season = (
        " Days, of silence and of gaps, are counted by the season that forecasts follow: a day in a busy week counts for more than one in a "
        f"quiet week, a year for {YEAR}. So states in different months can be compared. The chain of moves is learnt between dates that are "
        "equally far apart by the season; what it tells is then placed on calendar dates by the season ahead."
        if limits.pace is not None
        else ""
    )
    rests = thresholds_from(study)
    quantiles = f" They are, of the gaps: {', '.join(f'{name} {text}' for name, text in rests.items())}."
    own = "Nobody has a rhythm of their own."
    if limits.multiples is not None:
        times = ", ".join(form.number(multiple, 2) for multiple in limits.multiples)
        own = f"From {limits.own_from} {words.deeds} on, the thresholds of a {words.one} are {times} times the mean of their own gaps (at least a week): the same quantiles of gaps divided by the mean of the gaps before them."
    points = (
        f"Thresholds of the base, in days of silence: {days}.{quantiles} They are worked out once, on {form.day(life.end)}, and used for every date: the yardstick stays, while the state at a date looks only at what came up to it.{season}",
        own,
        f"Dates are {words.span(1)} apart and end with {form.day(life.end)}; moves within a {words.period} are not seen.",
        "Intervals of moves: Wilson, with the number of moves divided by their dispersion between periods (Pearson's X² over its degrees of freedom).",
        *_projected(study),
        f"The chain splits each state by the number of dates since the last {words.deed}, as Pfeifer and Carraway do with recency: those about to be lost move otherwise than those just lapsed.",
        f"Slowing {words.many} who will lapse: by the chain of moves, from how long today’s have been silent; so the share may differ from that of the table of moves, which is of all {words.periods} together.",
        f"{goes_on(study).capitalize()}: what is {words.fill('{paid}')} in the {words.period} after a date counts at the date{kept}, discounted at {form.share(study.params.rate)} a year.",
        "Time in a state: Kaplan–Meier with Greenwood's variance on the log(−log) scale; what ends it: Aalen–Johansen.",
    )
    return Method(
        "Pfeifer and Carraway (2000) for the Markov chain; Kaplan and Meier (1958), Aalen and Johansen (1978) for time in a state.",
        points,
        {
            "Current": "new, active, slowing or reactivated",
            "Lapsed (in the accounts)": "were current on the date before, are lapsed or lost now",
            "Repeat": "were current on the date before, and are now",
            "Own rhythm": f"mean of the days between the {words.deeds} of one {words.one}",
            **{state.capitalize(): rule for state, rule in rules(limits.on(life.end), words.deed).items()},
        },
    )
