"""What the page of the lifecycle says in sentences: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses import customer_value
from crmlab.analyses.lifecycle.futures import FUTURES
from crmlab.analyses.lifecycle.naming import CURRENT, GONE, STATES
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.tables import assumed, held, rules, thresholds_from
from crmlab.history.words import YEAR
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.life import Life
    from crmlab.analyses.lifecycle.projection import Fate
    from crmlab.analyses.lifecycle.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Where our customers stand, and who is slipping away"


def findings(study: Study) -> Findings:
    """At most three findings, most important first."""
    life, ratio, slow, form, level = study.life, study.balance, study.slowing, study.context.form, study.params.level
    words, sizes, at = life.words, life.sizes(), form.share(level)
    total, current = int(sizes.sum()), int(sizes[list(CURRENT)].sum())
    few = total < study.params.min_group  # of whom a share says nothing
    why = words.fill("are current: they {bought} recently enough, given how often they usually {buy}.")
    found = [
        Finding(
            form.count(current) if few else form.share(current / total),
            f"of {form.count(total)} {words.many} {why}"
            if few
            else f"of all {form.count(total)} {words.many} ({form.count(current)}) {why}",
            metric="current_share",
        )
    ]
    if ratio is not None:
        grew = "grew" if ratio.value > 1 else "shrank" if ratio.value < 1 else "held steady"
        says = (
            f"{words.many} were won or won back for every 100 who lapsed over the last {_span_of_balance(life)}, so the {words.one} base "
            f"{grew}."
        )
        found.append(Finding(form.count(100 * ratio.value), says, metric="balance"))
    if slow is not None:
        found.append(_slowing_finding(study, slow))
    if study.future is not None and (slow is None or ratio is None):
        middle, least, most = (float(value) for value in study.future.current[:, -1])
        ahead = form.measured(middle, least, most, "count")
        found.append(
            Finding(
                ahead.value,
                f"of today’s {words.many} are expected to be current in {words.span(study.steps)}, if nothing changes and no new ones join. "
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
        f"in the last {periods}, such forecasts were off by up to {form.share(slow.missed - 1)}"
        if slow.dates
        else "this could not be checked"
    )
    # Of all who are slowing, not of those who will lapse.
    allowed = life.consent("slowing").said(form).replace("of them", f"of the {form.count(count)}", 1)
    return Finding(
        gone.value,
        f"of the {form.count(count)} {words.many} who are slowing down are expected to lapse within a {words.period}, judging by how long "
        f"they have been silent ({off}). {allowed}",
        f"{gone.interval}, at {form.share(study.params.level)}",
        "slowing_lapse",
    )


def _current(study: Study) -> int:
    return int(study.life.sizes()[list(CURRENT)].sum())


def _span_of_balance(life: Life) -> str:
    count = min(len(life.settled), LEAST_PERIODS if life.step == 12 else life.year)
    return life.words.span(count)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    level, sizes = study.params.level, study.life.sizes()
    total, current = int(sizes.sum()), _current(study)
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
    return found


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    life, form = study.life, study.context.form
    words, out = life.words, []
    early = [day for day in life.dates[1:] if day not in set(life.settled)]
    if early:
        out.append(
            f"The history begins on {form.day(life.first)}: earlier {words.many} count as new when they first {words.fill('{buy}')} after that, and "
            f"up to {form.day(early[-1])} few could have lapsed. So the balance of those {words.periods} looks better than it was."
        )
    came = study.accounts[study.accounts["new"] > 0] if len(study.accounts) else study.accounts
    if len(came) and came["date"].iloc[-1] < life.end and came["new"].mean() >= study.params.min_group:
        out.append(
            f"No new {words.one} has joined since {form.day(life.history.newest)}. If newer ones are recorded elsewhere, what is counted here "
            f"leaves them out{', and the base seems to shrink' if life.history.closed else ''}."
        )
    gone = int(life.sizes()[list(GONE)].sum())
    if study.scores is not None and not study.scores.fit.seen and gone:
        out.append(customer_value.left_for_good(words, gone))
    out += study.margin.wanted("to see the margin that customers bring")
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the analysis cannot say."""
    words = study.life.words
    return (
        f"Silence is not departure: nobody says when they leave. “Lapsed” and “lost” are defined by days of silence, and some lost {words.many} come "
        f"back. The report on value uses a model to judge whether a {words.one} is gone for good; it may disagree about someone called lost here.",
        f"The projection covers today’s {words.many} only, with no new ones, and assumes that {assumed(study)}.",
        f"Thresholds come from gaps that ended; the silences of {words.many} who never came back are not among them, and those who "
        f"{words.fill('{buy}')} often have more gaps than others. Both make the thresholds for the whole base too short.",
        "Moves say what came next, not what caused it. " + words.fill("{Revenue_is} net of same-day {returns}."),
        words.decided,
    )


def _projected(study: Study) -> tuple[str, ...]:
    """How the base is projected, and what the intervals hold."""
    words = study.life.words
    if study.future is None:
        return ()
    if study.modelled and study.scores is not None:
        name, buy, buys = customer_value.NAMES[study.scores.fit.choice.name], words.fill("{buy}"), words.told("buys")
        return (
            f"Projection: by the model of {words.deeds} that values the base ({name}), which takes account of how often each {words.one} {buys} "
            f"and whether they may have left. It draws {FUTURES} possible futures, and in each of them the {words.deeds} determine the states "
            "by the rules above. Its intervals include errors in parameters, season and level, and chance; they are widened by the miss of an "
            "earlier projection.",
            f"Why not from moves: a chain assumes that all {words.many} in a state move alike, so that those who {buy} often seem to leave as "
            f"soon as those who {buy} rarely, and after some {words.periods} too few are current (Blumen, Kogan and McCarthy 1955). The chain of "
            f"moves is still used to forecast how many slowing {words.many} will lapse.",
        )
    return (
        "Projection: by a Markov chain of moves. Its intervals come from resampling whole periods; they also allow for chance and are widened by the misses of earlier one-step forecasts (growing with the square root of the number of "
        "steps) and of an earlier projection.",
    )


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    life, form = study.life, study.context.form
    words, limits = life.words, life.limits
    days = ", ".join(
        f"{name} after {form.count(day)}" for name, day in zip(("slowing", "lapsed", "lost"), limits.days, strict=True)
    )
    season = (
        " Days, both of silence and of gaps, are weighted by the season used in forecasts: a day in a busy week counts for more than one in a "
        f"quiet week, and a year still counts as {YEAR}. So states in different months can be compared. The chain of moves is learnt between "
        "dates that are equally far apart by the season; its results are then converted to calendar dates using the season ahead."
        if limits.pace is not None
        else ""
    )
    rests = thresholds_from(study)
    told = ", ".join(f"{name} {text}" for name, text in rests.items())
    quantiles = f" Each is a quantile of the gaps, unless given in days: {told}."
    if all(getattr(study.params, f"{name}_days") is None for name in rests):
        slowing, lapsed, lost = (f"{text} ({name})" for name, text in rests.items())
        quantiles = f" They are the silences longer than {slowing}, {lapsed} and {lost} of gaps."
    average = ", on average over the year" if limits.pace is not None else ""
    own = "Nobody has a rhythm of their own."
    if limits.multiples is not None:
        first, second, third = (form.number(multiple, 2) for multiple in limits.multiples)
        own = (
            f"For {words.many} with {limits.own_from} or more {words.deeds}, the thresholds are {first}, {second} and {third} times the mean of "
            "their own gaps (at least a week): the same quantiles, of gaps divided by the mean of the gaps before them."
        )
    points = (
        f"Thresholds of the base, in days of silence{average}: {days}.{quantiles} They are worked out once, on {form.day(life.end)}, and used for "
        f"every date: the yardstick stays the same, while the state on a date depends only on what had happened by then.{season}",
        own,
        f"States are taken once a {words.period}, the last time on {form.day(life.end)}; moves within a {words.period} are not seen.",
        "Intervals of moves: Wilson, with the number of moves divided by their dispersion between periods (Pearson’s X² over its degrees of freedom).",
        *_projected(study),
        f"The chain splits each state by the number of dates since the last {words.deed}, as Pfeifer and Carraway do with recency: those about to "
        "be lost move differently from those who have just lapsed.",
        f"Slowing {words.many} who will lapse: from the chain of moves, by how long today’s slowing {words.many} have been silent; so the share may "
        f"differ from the one in the table of moves, which covers all {words.periods} together.",
        "Time in a state: Kaplan–Meier with Greenwood’s variance on the log(−log) scale; what ends it: Aalen–Johansen.",
    )
    return Method(
        "Pfeifer and Carraway (2000) for the Markov chain; Kaplan and Meier (1958), Aalen and Johansen (1978) for time in a state.",
        points,
        {
            "Current": "new, active, slowing or reactivated",
            "Lapsed (in the accounts)": f"{words.many} who were current on the previous date and are lapsed or lost now",
            "Repeat": f"{words.many} who were current on the previous date and still are",
            "Own rhythm": f"mean number of days between the {words.deeds} of one {words.one}",
            **{state.capitalize(): rule for state, rule in rules(limits.on(life.end), words, form).items()},
        },
        {f"current: {words.did} recently enough, given how often they usually {words.fill('{buy}')}": _current(study)},
    )
