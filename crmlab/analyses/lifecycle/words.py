"""What the page of the lifecycle says in sentences: findings, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.reductions import CURRENT
from crmlab.analyses.lifecycle.study import Life
from crmlab.analyses.lifecycle.tables import rules
from crmlab.models.intervals import wilson
from crmlab.page.result import Chart, Estimate, Finding, Findings, Method, Table

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.lifecycle.params import Params
    from crmlab.analyses.lifecycle.projection import Ahead, Check
    from crmlab.page.format import Format

__all__ = ["absent", "findings", "limits", "method", "warnings"]


_LEAST_DISPERSION = 3.0  # from which the page says that periods differ


def findings(
    life: Life, ratio: Estimate | None, slow: Estimate | None, future: Ahead | None, steps: int, form: Format, level: float
) -> Findings:
    """At most three findings, most important first."""
    words, sizes, at = life.words, life.sizes(), form.share(level)
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    low, high = wilson(current, total, level)
    found = [
        Finding(
            form.share(current / total),
            f"of all {form.count(total)} {words.many} are current: they came lately enough, by their rhythm. "
            f"That is {form.count(current)}.",
            f"{form.interval(low, high, 'share')}, at {at}",
            "current_share",
        )
    ]
    if ratio is not None:
        assert ratio.low is not None and ratio.high is not None
        grew = "grew" if ratio.value > 1 else "shrank" if ratio.value < 1 else "held"
        sure = ratio.low > 1 or ratio.high < 1
        says = f"The base {grew}{'.' if sure else f', but {words.periods} differ so much that this may be chance.'}"
        found.append(
            Finding(
                form.number(ratio.value, 2),
                f"{words.many} were won or won back for each who lapsed, over the last {_span_of_balance(life)}. {says}",
                f"{form.interval(ratio.low, ratio.high)}, at {at}",
                "balance",
            )
        )
    slowing = int(sizes["slowing"])
    if slow is not None and slowing:
        assert slow.low is not None and slow.high is not None
        found.append(
            Finding(
                form.count(round(slowing * slow.value)),
                f"of {form.count(slowing)} {words.many} who are slowing will have lapsed in a {words.period}, going by the past ({form.share(slow.value)} did). "
                "Act on these first: they are in the list.",
                f"{form.interval(round(slowing * slow.low), round(slowing * slow.high))}, at {at}",
                "slowing_lapse",
            )
        )
    elif future is not None:
        middle, least, most = (float(value) for value in future.current[:, -1])
        found.append(
            Finding(
                form.count(round(middle)),
                f"of today's {words.many} will be current in {words.span(steps)}, if nothing changes and without new ones.",
                f"{form.interval(round(least), round(most))}, at {at}",
                "projected_current",
            )
        )
    return Findings(found)


def _span_of_balance(life: Life) -> str:
    count = min(len(life.settled), LEAST_PERIODS if life.step == 12 else life.year)
    return life.words.span(count)


def warnings(
    life: Life, matrix: pd.DataFrame | None, test: Check | None, source: str, form: Format, level: float, valued: bool
) -> tuple[str, ...]:
    """What a reader must know before acting."""
    words, out = life.words, []
    early = [day for day in life.dates[1:] if day not in set(life.settled)]
    if early:
        out.append(
            f"The history begins on {form.day(life.first)}: {words.many} from before it count as new when they first come in it, and up to {form.day(early[-1])} few could have lapsed. "
            f"The balance of those {words.periods} looks better than it was."
        )
    if test is not None:
        whole, seen = test.found.current[:, -1], float(test.now[: len(CURRENT)].sum())
        if not whole[1] <= seen <= whole[2]:
            side = "more" if seen > whole[2] else "fewer"
            out.append(
                f"The projection made in the same way on {form.day(test.date)} missed: {form.count(seen)} of those {words.many} are current now, {side} than its {form.share(level)} interval of {form.interval(round(whole[1]), round(whole[2]))}. "
                "Take the bands of the projection and of the value for too narrow."
            )
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
    if source in ("revenue", "loss") and valued:
        out.append("No costs are known, so the value of the base is revenue. Give margin=0.3, say, to see profit.")
    return tuple(out)


def limits(life: Life) -> tuple[str, ...]:
    """What the analysis cannot say."""
    words = life.words
    return (
        "Silence is not departure: nobody says when they leave. A state is a rule on days, and some come back from lost.",
        f"Projection and value take today's {words.many} only, with no new ones, and a matrix that stays as it was on average.",
        f"Thresholds come from gaps that ended; those of {words.many} who never came back are not among them, and busy {words.many} have more gaps than others. "
        "Both make the thresholds of the base short.",
        f"Moves say what came next, not what caused it. Revenue is that of {words.deeds}, net of returns on the same day.",
    )


def method(life: Life, params: Params, form: Format, margin: float, source: str) -> Method:
    """Where the method comes from, and what it assumes."""
    words, limits = life.words, life.limits
    days = ", ".join(f"{name} after {day}" for name, day in zip(("slowing", "lapsed", "lost"), limits.days, strict=True))
    quantiles = ""
    if limits.quantiles is not None:
        shares = ", ".join(form.share(quantile, 1) for quantile in limits.quantiles)
        quantiles = f" Quantiles of the gaps: {shares}."
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
        f"Value: spend in the {words.period} after a date counts at the date, times the margin ({form.share(margin)}{', revenue: costs are not known' if source == 'revenue' else ''}), discounted at {form.share(params.rate)} a year.",
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


def absent(tables: dict[str, Table], charts: dict[str, Chart], life: Life) -> dict[str, str]:
    """What the history is too short for, and why."""
    span = f"{life.words.span(LEAST_PERIODS)} with known moves"
    short = f"The history is too short: it holds {life.words.span(life.periods)}, and this needs at least {span}."
    why = {
        "growth": f"The history is shorter than two {life.words.periods}, so no change can be shown.",
        "matrix": f"The history is shorter than a {life.words.period}, so no moves are known.",
        "sankey": f"The history is shorter than two {life.words.periods}, so no earlier date can be looked back to.",
        "time": "There are too few spells to say how long they last.",
        "projection": short,
        "value": short,
        "check": "The history is too short to hold an earlier projection against what came.",
        "cohorts": "The history is too short for cohorts, or they are all smaller than the least group.",
    }
    why |= dict.fromkeys(("sizes", "revenue"), why["growth"])
    return {name: sentence for name, sentence in why.items() if name not in charts and name not in tables}
