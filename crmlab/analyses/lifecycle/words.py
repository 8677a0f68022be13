"""What the page of the lifecycle says in sentences: findings, metrics, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.reductions import CURRENT, STATES
from crmlab.analyses.lifecycle.tables import rules, thresholds_from
from crmlab.models.intervals import wilson
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.life import Life
    from crmlab.analyses.lifecycle.projection import Check
    from crmlab.analyses.lifecycle.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Where our customers stand, and who is slipping away"

_LEAST_DISPERSION = 3.0  # from which the page says that periods differ


def findings(study: Study) -> Findings:
    """At most three findings, most important first."""
    life, ratio, slow, form, level = study.life, study.balance, study.slowing, study.context.form, study.params.level
    words, sizes, at = life.words, life.sizes(), form.share(level)
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    low, high = wilson(current, total, level)
    share = form.measured(current / total, low, high, "share")
    found = [
        Finding(
            share.value,
            f"of all {form.count(total)} {words.many} are current: they came lately enough, by their rhythm. "
            f"That is {form.count(current)}.",
            f"{share.interval}, at {at}",
            "current_share",
        )
    ]
    if ratio is not None:
        assert ratio.low is not None and ratio.high is not None
        grew = "grew" if ratio.value > 1 else "shrank" if ratio.value < 1 else "held"
        sure = ratio.low > 1 or ratio.high < 1
        says = f"The base {grew}{'.' if sure else f', but {words.periods} differ so much that this may be chance.'}"
        won = form.measured(ratio.value, ratio.low, ratio.high)
        found.append(
            Finding(
                won.value,
                f"{words.many} were won or won back for each who lapsed, over the last {_span_of_balance(life)}. {says}",
                f"{won.interval}, at {at}",
                "balance",
            )
        )
    slowing = int(sizes["slowing"])
    if slow is not None and slowing:
        assert slow.low is not None and slow.high is not None
        gone = form.measured(slowing * slow.value, slowing * slow.low, slowing * slow.high, "count")
        found.append(
            Finding(
                gone.value,
                f"of {form.count(slowing)} {words.many} who are slowing will have lapsed in a {words.period}, going by the past ({form.share(slow.value)} did). "
                "Act on these first: they are in the list.",
                f"{gone.interval}, at {at}",
                "slowing_lapse",
            )
        )
    elif study.future is not None:
        middle, least, most = (float(value) for value in study.future.current[:, -1])
        ahead = form.measured(middle, least, most, "count")
        found.append(
            Finding(
                ahead.value,
                f"of today's {words.many} will be current in {words.span(study.steps)}, if nothing changes and without new ones.",
                f"{ahead.interval}, at {at}",
                "projected_current",
            )
        )
    return Findings(found)


def _span_of_balance(life: Life) -> str:
    count = min(len(life.settled), LEAST_PERIODS if life.step == 12 else life.year)
    return life.words.span(count)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    level, sizes = study.params.level, study.life.sizes()
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    found = {
        "customer_base": Estimate(float(total), unit="customers"),
        "current_share": Estimate(current / total, *wilson(current, total, level), level, "share"),
    }
    for state in STATES:
        found[f"share_{state}"] = Estimate(sizes[state] / total, *wilson(int(sizes[state]), total, level), level, "share")
    if study.balance is not None:
        found["balance"] = study.balance
    if study.slowing is not None:
        found["slowing_lapse"] = study.slowing
    if study.future is not None:
        middle, low, high = (float(number) for number in study.future.current[:, -1])
        found["projected_current"] = Estimate.holding(middle, low, high, level, "customers")
    if study.value is not None:
        row = study.value.set_index("state").loc["all"]
        for name, column in (("chain_value_within_horizon", "near"), ("chain_value_without_end", "whole")):
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
    if test is not None:
        out += _missed(study, test)
    elif life.periods >= LEAST_PERIODS:
        out.append("The history is too short to hold an earlier projection against what came: nothing was checked.")
    if 0 < life.periods < life.year:
        out.append(
            f"Moves are known for {words.span(life.periods)} only, less than a year: seasons are in the matrix unevenly."
        )
    if matrix is not None:
        worst = matrix.sort_values("dispersion", ascending=False).iloc[0]
        often = form.number(worst["dispersion"]) if worst["dispersion"] < 100 else "more than 100"
        if worst["dispersion"] >= _LEAST_DISPERSION and not math.isnan(worst["active"]):
            out.append(
                f"{words.periods.capitalize()} differ by more than chance: moves from {worst['state']} vary {often} times as much as chance would have it. "
                "The intervals are widened for it; a matrix that stays fixed is a simplification."
            )
    if study.source in ("revenue", "loss") and study.value is not None:
        out.append("No costs are known, so the value of the base is revenue. Give margin=0.3, say, to see profit.")
    return tuple(out)


def _missed(study: Study, test: Check) -> list[str]:
    """Where the earlier projection missed what came: of all who were to be current, and of each state."""
    form, words = study.context.form, study.life.words
    level, day = form.share(study.params.level), form.day(test.date)
    narrow = "Take the bands of the projection and of the value for too narrow."
    out, total, states = [], test.total, [part for part in test.states if part.missed]
    if total.missed:
        out.append(
            f"The projection made in the same way on {day} missed: {form.count(total.seen)} of those {words.many} are current now, "
            f"{total.side} than its {level} interval of {form.span(total.low, total.high, 'count')}. {narrow}"
        )
    if states:
        each = ", ".join(
            f"{part.name} ({form.count(part.seen)}, {part.side} than {form.span(part.low, part.high, 'count')})"
            for part in states
        )
        whose, rest = ("its", "One may miss by chance.") if len(states) == 1 else ("their", narrow)
        out.append(
            f"Of the {len(test.states)} states projected on {day}, {len(states)} came out outside of {whose} {level} interval: {each}."
            + ("" if total.missed else f" {rest}")
        )
    return out


def limits(study: Study) -> tuple[str, ...]:
    """What the analysis cannot say."""
    words = study.life.words
    return (
        "Silence is not departure: nobody says when they leave. A state is a rule on days, and some come back from lost.",
        f"Projection and value take today's {words.many} only, with no new ones, and a matrix that stays as it was on average.",
        f"Thresholds come from gaps that ended; those of {words.many} who never came back are not among them, and busy {words.many} have more gaps than others. "
        "Both make the thresholds of the base short.",
        f"Moves say what came next, not what caused it. Revenue is that of {words.deeds}, net of returns on the same day.",
    )


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    life, form = study.life, study.context.form
    words, limits = life.words, life.limits
    revenue = ", revenue: costs are not known" if study.source == "revenue" else ""
    days = ", ".join(f"{name} after {day}" for name, day in zip(("slowing", "lapsed", "lost"), limits.days, strict=True))
    rests = thresholds_from(study)
    quantiles = f" They are, of the gaps: {', '.join(f'{name} {text}' for name, text in rests.items())}."
    own = "Nobody has a rhythm of their own."
    if limits.multiples is not None:
        times = ", ".join(form.number(multiple, 2) for multiple in limits.multiples)
        own = f"From {limits.own_from} {words.deeds} on, the thresholds of a {words.one} are {times} times the mean of their own gaps (at least a week): the same quantiles of gaps divided by the mean of the gaps before them."
    points = (
        f"Thresholds of the base, in days of silence: {days}.{quantiles} They are worked out once, on {form.day(life.end)}, and used for every date: the yardstick stays, while the state at a date looks only at what came up to it.",
        own,
        f"Dates are {words.span(1)} apart and end with {form.day(life.end)}; moves within a {words.period} are not seen.",
        "Intervals of moves: Wilson, with the number of moves divided by their dispersion between periods (Pearson's X² over its degrees of freedom). "
        "Projection, balance and value: periods resampled whole; the projection adds chance.",
        f"The chain behind projection and value splits each state by the number of dates since the last {words.deed}, as Pfeifer and Carraway do with recency: those about to be lost move otherwise than those just lapsed.",
        f"Value: spend in the {words.period} after a date counts at the date, times the margin ({form.share(study.margin)}{revenue}), discounted at {form.share(study.params.rate)} a year.",
        "Time in a state: Kaplan–Meier with Greenwood's variance on the log(−log) scale; what ends it: Aalen–Johansen.",
    )
    return Method(
        "Pfeifer and Carraway (2000) for the Markov chain and its value; Kaplan and Meier (1958), Aalen and Johansen (1978) for time in a state.",
        points,
        {
            "Current": "new, active, slowing or reactivated",
            "Lapsed (in the accounts)": "were current on the date before, are lapsed or lost now",
            "Repeat": "were current on the date before, and are now",
            "Own rhythm": f"mean of the days between the {words.deeds} of one {words.one}",
            **{state.capitalize(): rule for state, rule in rules(limits, words.deed).items()},
        },
    )
