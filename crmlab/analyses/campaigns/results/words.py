"""What is said of a campaign: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.measurement import RATIO_ALPHA
from crmlab.analyses.campaigns.results.quantities import QUANTITIES
from crmlab.models.testing.measures import FEW, LEAST
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.results.study import Study
    from crmlab.page.format import Format

__all__ = ["TITLE", "at_level", "findings", "level_word", "limits", "method", "metrics", "points", "warnings"]

TITLE = "What each cell of a campaign earned"


_SOURCES = {
    "given": "Margin is the share of spend given as a parameter",
    "costs": "Margin is spend less the unit costs of what was bought",
    "revenue": "Costs of goods are not known: margin is all of spend, and profit is too high by them",
    "loss": "By the unit costs nothing is left of spend: margin is all of spend, and profit is too high",
}


def at_level(study: Study) -> str:
    """The level of intervals, as people write it."""
    return level_word(study.look.level, study.context.form)


def level_word(level: float, form: Format) -> str:
    """A level of nearly 1 with all its nines.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> level_word(0.95, Format()), level_word(0.999962, Format())
    ('95\\u202f%', '99.9962\\u202f%')
    """
    digits = 0
    while digits < 7 and round(100 * level, digits) != round(100 * level, 9) and (1 - level) * 10 ** (digits + 2) < 9.5:
        digits += 1
    return form.share(level, digits)


def points(value: float | None, form: Format, *, sign: bool = False) -> str:
    """A difference of shares in points of per cent."""
    assert value is not None
    return ("+" if sign and value > 0 else "") + form.number(100 * value, 2 if abs(value) < 0.01 else 1)


def findings(study: Study) -> Findings:
    """What was earned, with its interval; how many more bought; which cells are shown to have earned."""
    form = study.context.form
    if study.health.blocked:
        ratio = study.health.ratio
        assert ratio is not None
        why = Finding(
            "No verdict",
            f"on {study.found.campaign}: the sizes of its cells do not fit the plan, so something other than chance decided who is in which, and what they earned cannot be compared. "
            "Find out what got lost before anything else.",
            f"sizes as far off as these come by chance with p = {form.number(ratio.p_value)}",
            "sample_ratio",
        )
        return Findings([why])
    found = [_money(study)] if study.money.profit is not None else []
    found.append(_response(study))
    if study.money.profit is not None:
        found.append(_cells(study))
    return Findings(found)


def _money(study: Study) -> Finding:
    form = study.context.form
    profit = study.money.profit
    assert profit is not None
    assert profit.low is not None
    assert profit.high is not None
    so_far = " so far" if study.found.is_open else ""
    sent = f"{form.count(study.money.contacts)} contacts that cost {form.money(study.money.cost)}"
    if profit.low > 0:
        words = f"of profit after costs{so_far} came from campaign {study.found.campaign} and would not have come without it: {sent}."
    elif profit.high < 0:
        words = (
            f"is what campaign {study.found.campaign} earned{so_far} after costs: it cost more than it brought. "
            f"{sent[0].upper()}{sent[1:]}."
        )
    else:
        words = f"is the best guess of what campaign {study.found.campaign} earned{so_far} after costs, and it is not shown to differ from 0: {sent}."
    earned, ends = form.measured(profit.value, profit.low, profit.high, "money")
    return Finding(earned, words, f"{ends}, at {at_level(study)}", "incremental_profit")


def _response(study: Study) -> Finding:
    form = study.context.form
    money, change = study.money, study.money.response
    assert change.low is not None
    assert change.high is not None
    shares = f"{form.share(money.share, _digits(money.share))} against {form.share(money.share_control, _digits(money.share_control))}"
    if change.low > 0:
        words = f"more of the people contacted bought than of controls: {shares}."
    elif change.high < 0:
        words = f"is what contacts changed: fewer of the people contacted bought than of controls, {shares}."
    else:
        words = f"is the difference in who bought, {shares}: not shown to differ."
    more, ends = form.measured(100 * change.value, 100 * change.low, 100 * change.high)
    sign = "+" if change.value > 0 else ""
    return Finding(f"{sign}{more} points", words, f"{ends} points, at {at_level(study)}", "response")


def _digits(share: float) -> int:
    return 2 if share < 0.1 else 1


def _cells(study: Study) -> Finding:
    form = study.context.form
    cells, earned = study.money.cells, study.money.earned
    count = f"{len(earned)} of {len(cells)}"
    noun = "cell is" if 1 in (len(earned), len(cells)) else "cells are"
    if len(earned):
        best = earned.sort_values(["profit_low", "cell"], ascending=[False, True]).iloc[0]
        each, ends = form.measured(best["per_1000"], best["per_1000_low"], best["per_1000_high"], "money")
        first = "That is" if len(earned) == 1 else "The surest:"
        words = f"{noun} shown to have earned more than the cost. {first} {best['name']}, {each} per 1,000 contacts."
        return Finding(count, words, f"{ends}, at {at_level(study)}{_corrected(study)}", "cells_that_earned")
    seen = float(cells["detectable"].astype(float).min()) * 1000
    words = f"{noun} shown to have earned more than the cost: {form.money(seen)} per 1,000 contacts could have been seen."
    return Finding(count, words, f"at {at_level(study)}{_corrected(study)}", "cells_that_earned")


def _corrected(study: Study) -> str:
    return "" if len(study.money.cells) == 1 or study.frame["correction"].iloc[0] == "none" else " for all cells at once"


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on; nothing is concluded where sizes do not fit the plan."""
    currency = study.context.form.currency
    out = {
        "contacts": Estimate(float(study.money.contacts), unit="contacts"),
        "cost": Estimate(study.money.cost, unit=currency),
    }
    if study.health.ratio is not None:
        out["sample_ratio"] = Estimate(study.health.ratio.p_value, unit="p")
    if study.health.blocked:
        return out
    out["response"] = study.money.response
    if study.money.profit is not None and study.money.margin is not None:
        out |= {"incremental_profit": study.money.profit, "incremental_margin": study.money.margin}
        out["cells_that_earned"] = Estimate(float(len(study.money.earned)), unit="cells")
    depth = study.ranked.depth
    if depth is not None:
        out["qini"] = Estimate(1000 * depth.qini, 1000 * depth.qini_low, 1000 * depth.qini_high, depth.level, currency)
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    params, form = study.params, study.context.form
    out = list(study.found.notes)
    look = study.look
    if study.health.blocked:
        out.append(
            f"Sizes that fit the plan would come out as far off as these with p under {RATIO_ALPHA:g}: no money is reported. "
            "The table of cells shows what was counted, and must not be compared."
        )
    if study.found.is_open:
        out.append(
            f"The window is open until {form.day(max(study.found.days['closes']))}; {form.share(look.fraction, 0)} of it is over. "
            f"This is look {look.number}: intervals are at {at_level(study)}, so that all looks together err in {form.share(1 - params.level)} of cases at most. "
            "Look again when it is over."
        )
    elif look.number > 1:
        out.append(
            f"This is look {look.number}: intervals are at {at_level(study)}, so that all looks together keep the level."
        )
    for cell in study.health.unequal_windows:
        out.append(f"The window of cell {cell} is not that of its control: what differs in days is not what the cell did.")
    if study.health.unbalanced:
        out.append("Cells differed before anything was sent by more than chance allows: see the table of balance.")
    if not study.found.varies("margin"):
        out.append("Nobody's spend differs from anybody's, so there is no money to compare.")
    shown = {
        "no_control",
        "shares",
        "empty_cell",
        "unknown_cell",
        "late_contact",
        "not_contactable",
        "other_code",
    }
    out += [finding.sentence for finding in study.health.findings if finding.check in shown]
    if study.found.source in ("revenue", "loss"):
        out.append(_SOURCES[study.found.source] + ". Give a margin to change that.")
    if study.past.left_out:
        out += list(study.past.left_out[:4])
    return tuple(dict.fromkeys(out))


def limits(study: Study) -> tuple[str, ...]:
    """What the campaign cannot say."""
    form = study.context.form
    out = [
        f"What came after {form.day(max(study.found.days['last']))} is not counted: orders that a campaign only brought forward look like gains.",
        "Matched responses are not gains: the controls who got nothing are matched too. Only the difference from control counts.",
        "That a difference is not shown does not say that there is none: beside each stands what could have been seen.",
    ]
    leaks = study.health.found("two_cells")
    if leaks:
        out.append("People in two cells count in the first one. That makes differences a little smaller than they are.")
    if study.order == 1 and study.components is not None and study.components["effect"].nunique() > 1:
        out.append("The cells do not tell whether components work together: main effects take it that they do not.")
    if study.ranked.depth is not None and study.found.clustered:
        out.append("The ranking treats people of one household as if each stood alone: its intervals are a little narrow.")
    if not study.past.components:
        out.append("There is no history of these offers: one campaign may be a good or a bad day.")
    return tuple(out)


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    params = study.params
    corrections = {
        "max-t": "intervals hold for all cells at once (max-|t|, Hothorn, Bretz and Westfall 2008)",
        "holm": "p-values are Holm's, intervals Bonferroni's, a little wider",
        "none": "intervals hold for each cell by itself: of many cells some leave out 0 by chance",
    }
    if not params.adjust:
        adjusted = "Differences are not adjusted for anything known before."
    elif study.frame["method"].str.contains("too-few-to-adjust").any():
        adjusted = f"Differences of money are not adjusted for spend before, for a cell has too few customers for it: under {LEAST}, or under {FEW} where outcomes are too uneven to be sure."
    else:
        adjusted = "Differences of money are freed of those in spend in the year before the window opened, with one coefficient for all cells."
    homes = (
        "People of one household were assigned together: variances are those of households." if study.found.clustered else ""
    )
    return Method(
        "Each cell against its own control: shares who bought by Miettinen and Nurminen's score (1985), money by Welch's t, freed of skewness after Hall where customers stand alone; sample ratio by chi-square (Fabijan et al. 2019); past campaigns by random effects (Paule and Mandel 1982); depth and Qini after Radcliffe (2007) and Imai and Li (2023).",
        tuple(
            text
            for text in (
                "Outcomes of everybody assigned count from orders in the window, whatever code they name, returns taken off.",
                f"Between several cells, {corrections[params.correction]}.",
                adjusted,
                homes,
                f"{_SOURCES[study.found.source]}.",
                "Scores that rank the list come from other households than those they rank, by how lately and how often people bought.",
                f"Cells whose sizes differ from the plan with p under {RATIO_ALPHA:g} get no verdict.",
            )
            if text
        ),
        {
            "Incremental": "cell less control: what would not have come without the contact",
            "Bought": "ordered in the window, a free order too unless the data set ignores them; also where all of it came back",
            "Profit": "incremental margin less what contacts cost, fixed costs included",
            "Return": "incremental profit for each unit of money that the cell cost",
            "Break-even cost": "what a contact may cost before the cell loses money",
            "Could have been seen": "the smallest difference that such cells find in 80 of 100 campaigns",
            **QUANTITIES.explained("qini"),
            "Shrunk": "moved to the mean of all past campaigns, the more so the less sure it is",
        },
    )
