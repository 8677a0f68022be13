"""What is said of a campaign: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crmlab.analyses.campaigns.measurement import RATIO_ALPHA
from crmlab.analyses.campaigns.results.quantities import QUANTITIES
from crmlab.data.memory.rules import OFFER_COSTS
from crmlab.models.testing.measures import FEW, LEAST
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import titled

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.results.study import Study
    from crmlab.models.testing.comparisons import SampleRatio
    from crmlab.page.format import Format

__all__ = [
    "TITLE",
    "Gain",
    "at_level",
    "far_off",
    "findings",
    "gain",
    "level_word",
    "limits",
    "method",
    "metrics",
    "points",
    "warnings",
]

TITLE = "What each part of a campaign brought"


class Gain(NamedTuple):
    """What the money of the page is: ``"profit"``, ``"before"`` (the cost of offers) or ``"revenue"``; a word for heads; the whole of it."""

    kind: str
    word: str
    whole: str


def gain(study: Study) -> Gain:
    """Say whether money is profit, profit before the cost of the offers, or revenue."""
    if not study.found.margin.known:
        return Gain("revenue", "revenue", "incremental revenue")
    profit = study.context.told("profit")
    if study.found.unpriced:
        whole = f"incremental {profit} after the cost of contacts and before that of the offers"
        return Gain("before", f"{profit} before offers", whole)
    return Gain("profit", profit, f"incremental {profit} after costs")


def at_level(study: Study) -> str:
    """The level of intervals, as people write it."""
    return level_word(study.look.level, study.context.form)


def level_word(level: float, form: Format) -> str:
    """A level of nearly 1 with all its nines.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> level_word(0.95, Format()), level_word(0.999962, Format())
    ('95%', '99.9962%')
    """
    digits = 0
    while digits < 7 and round(100 * level, digits) != round(100 * level, 9) and (1 - level) * 10 ** (digits + 2) < 9.5:
        digits += 1
    return form.share(level, digits)


def points(value: float | None, form: Format, *, sign: bool = False) -> str:
    """A difference of shares in points of per cent."""
    assert value is not None
    return ("+" if sign and value > 0 else "") + form.number(100 * value, 2 if abs(value) < 0.01 else 1)


def far_off(ratio: SampleRatio, form: Format) -> str:
    """What sizes of cells that do not fit the plan mean, as sentences."""
    return f"By chance, sizes would be this far off with p = {form.number(ratio.p_value)}. Find out what got lost before anything else."


def findings(study: Study) -> Findings:
    """What was earned, with its interval; how many more bought; which cells are shown to have earned, or what their offers may cost."""
    form = study.context.form
    if study.health.blocked:
        ratio = study.health.ratio
        assert ratio is not None
        why = Finding(
            "No verdict",
            f"on “{titled(study.found.campaign)}”: the sizes of its cells do not fit the plan, so something other than chance decided who is in which, and what they earned cannot be compared. "
            + far_off(ratio, form),
            "",
            "sample_ratio",
        )
        return Findings([why])
    found = [_money(study)] if study.money.whole.margin is not None else []
    found.append(_response(study))
    if study.money.whole.break_even is not None:
        found.append(_offers(study, study.money.whole.break_even))
    elif study.money.whole.profit is not None and not study.found.unpriced:
        found.append(_cells(study))
    return Findings(found)


def _money(study: Study) -> Finding:
    form, whole, campaign = study.context.form, study.money.whole, f"“{titled(study.found.campaign)}”"
    profit = whole.profit or whole.margin
    assert profit is not None
    assert profit.low is not None
    assert profit.high is not None
    so_far = " so far" if study.found.is_open else ""
    spent = f"{form.count(whole.contacts)} contacts that cost {form.money(whole.cost - whole.offers)}"
    if whole.offers > 0:
        spent += f" and offers that cost {form.money(whole.offers)}"
    if whole.profit is None:
        metric, kind = "incremental_revenue", "of revenue"
    elif whole.unpriced:
        metric, kind = (
            "profit_before_offers",
            f"of {study.context.told('profit')} before the cost of the offer" + ("s" if len(whole.unpriced) > 1 else ""),
        )
    else:
        metric, kind = "incremental_profit", f"of {study.context.told('profit')} after costs"
    if profit.low > 0:
        words = f"{kind} came from the campaign {campaign}{so_far} and would not have come without it. It took {spent}."
    elif profit.high < 0 and whole.profit is None:
        words = f"{kind} is what the campaign {campaign} changed{so_far}: people spent less than they would have without it. It took {spent}."
    elif profit.high < 0:
        words = f"{kind} is what the campaign {campaign} brought{so_far}: it cost more than it brought in. It took {spent}."
    else:
        words = f"{kind} is the best estimate of what the campaign {campaign} brought{so_far}, and it is not shown to differ from 0. It took {spent}."
    earned, ends = form.measured(profit.value, profit.low, profit.high, "money")
    return Finding(earned, words, f"{ends}, at {at_level(study)}", metric)


def _offers(study: Study, most: Estimate) -> Finding:
    """What the offers may cost, where nothing says what they do: without it no cell can be said to have earned."""
    form = study.context.form
    value, ends = form.measured(most.value, most.low, most.high, "amount")
    cells = len(study.money.whole.unpriced)
    whose = "the offer" if cells == 1 else f"the offers of {cells} cells"
    words = (
        f"{study.context.told('per buyer')} is the most that {whose} may cost before the campaign loses money. What {'it costs' if cells == 1 else 'they cost'} is not known, "
        "so no cell can be said to have made a profit."
    )
    if most.value <= 0:
        words = f"{study.context.told('per buyer')}: contacts cost more than they brought in, even if {whose} cost nothing."
    return Finding(value, words, f"{ends}, at {at_level(study)}", "break_even_offer")


def _response(study: Study) -> Finding:
    form = study.context.form
    money, change = study.money.whole, study.money.whole.response
    assert change.low is not None
    assert change.high is not None
    shares = f"{form.share(money.share, _digits(money.share))} against {form.share(money.share_control, _digits(money.share_control))}"
    if change.low > 0:
        words = f"more of the people contacted than of the controls bought: {shares}."
    elif change.high < 0:
        words = f"is what contacts changed: fewer of the people contacted than of the controls bought, {shares}."
    else:
        words = f"is the difference in the share who bought, {shares}: not shown to differ from 0."
    more, ends = form.in_points(change.value, change.low, change.high)
    sign = "+" if change.low <= 0 < change.value else ""
    return Finding(f"{sign}{more} points", words, f"{ends} points, at {at_level(study)}", "response")


def _digits(share: float) -> int:
    return 2 if share < 0.1 else 1


def _cells(study: Study) -> Finding:
    form = study.context.form
    cells, earned = study.money.cells, study.money.earned
    count = f"{len(earned)} of {len(cells)}"
    noun = "cell" if len(cells) == 1 else "cells (groups that were sent the same thing)"
    shown = (
        "has been shown to earn more than it cost"
        if 1 in (len(earned), len(cells))
        else "have been shown to earn more than they cost"
    )
    if len(earned):
        best = earned.sort_values(["profit_low", "cell"], ascending=[False, True]).iloc[0]
        total, ends = form.measured(best["total"], best["total_low"], best["total_high"], "money")
        first = "It is" if len(earned) == 1 else "The clearest is"
        each = f", {form.money(1000 * best['profit'])} per 1,000" if best["n"] >= 1000 else ""
        words = (
            f"{noun} {shown}. {first} “{best['name']}”: {total} from its {form.count(best['n'])} contacts{each} "
            f"({ends}, at {at_level(study)}{_corrected(study)})."
        )
        return Finding(count, words, "", "cells_that_earned")
    least = (cells["n"] * cells["detectable"].astype(float)).idxmin()
    seen = float(cells.at[least, "n"] * cells.at[least, "detectable"])
    words = (
        f"{noun} {shown}, at {at_level(study)}{_corrected(study)}: {form.money(seen)} from the "
        f"{form.count(cells.at[least, 'n'])} contacts of a cell could have been detected."
    )
    return Finding(count, words, "", "cells_that_earned")


def _corrected(study: Study) -> str:
    return "" if len(study.money.cells) == 1 or study.frame["correction"].iloc[0] == "none" else " for all cells at once"


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on; nothing is concluded where sizes do not fit the plan."""
    currency, whole = study.context.form.currency, study.money.whole
    out = {
        "contacts": Estimate(float(whole.contacts), unit="contacts"),
        "cost": Estimate(whole.cost, unit=currency),
        "offer_cost": Estimate(whole.offers, unit=currency),
    }
    if study.health.ratio is not None:
        out["sample_ratio"] = Estimate(study.health.ratio.p_value, unit="p")
    if study.health.blocked:
        return out
    out["response"] = whole.response
    if whole.margin is not None and whole.profit is None:
        out["incremental_revenue"] = whole.margin
    elif whole.margin is not None and whole.profit is not None:
        out["incremental_margin"] = whole.margin
        out["profit_before_offers" if whole.unpriced else "incremental_profit"] = whole.profit
        if not whole.unpriced:
            out["cells_that_earned"] = Estimate(float(len(study.money.earned)), unit="cells")
    if whole.break_even is not None:
        out["break_even_offer"] = whole.break_even
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
            f"If the plan had been followed, sizes would be this far off with p under {RATIO_ALPHA:g}: no money is reported. "
            "The table of cells shows what was counted, and must not be compared."
        )
    if study.found.is_open:
        out.append(
            f"The window is open until {form.day(max(study.found.days['closes']))}; {form.share(look.fraction, 0)} of it has passed. "
            f"This is look {look.number}: intervals are at {at_level(study)}, so that all looks together are wrong in at most {form.share(1 - params.level)} of cases. "
            "Look again when the window has closed."
        )
    elif look.number > 1:
        out.append(
            f"This is look {look.number}: intervals are at {at_level(study)}, so that the stated level holds over all looks together."
        )
    for cell in study.health.unequal_windows:
        out.append(
            f"The cell “{study.found.name(cell)}” and its control were counted over different days, so part of the difference is not due to the cell."
        )
    if study.health.unbalanced:
        out.append("Before anything was sent, cells differed by more than chance allows: see the table of balance.")
    if not study.found.varies("margin"):
        out.append("Everybody spent the same, so there is no money to compare.")
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
    out += study.found.margin.wanted("to see what the campaign earned")
    if study.past.left_out:
        out += list(study.past.left_out[:4])
    return tuple(dict.fromkeys(out))


def limits(study: Study) -> tuple[str, ...]:
    """What the campaign cannot say."""
    form = study.context.form
    out = [
        f"Orders after {form.day(max(study.found.days['last']))} are not counted, so orders that a campaign merely brought forward look like gains.",
        "Matched responses are not gains: controls’ orders are matched too, although they were sent nothing. Only the difference from the control counts.",
        "A difference that has not been shown may still exist: the smallest that could have been detected is given beside each.",
    ]
    leaks = study.health.found("two_cells")
    if leaks:
        out.append("People in two cells count in the first one. That makes differences look slightly smaller than they are.")
    if study.order == 1 and study.components is not None and study.components["effect"].nunique() > 1:
        out.append("The cells do not show whether components work together: main effects assume that they do not.")
    if study.ranked.depth is not None and study.found.clustered:
        out.append("The ranking treats members of a household as independent, so its intervals are slightly too narrow.")
    if not study.past.components:
        out.append("These offers have no history: a single campaign may have been lucky or unlucky.")
    return tuple(out)


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    params = study.params
    corrections = {
        "max-t": "intervals hold for all of them at once (max-|t|, Hothorn, Bretz and Westfall 2008)",
        "holm": "p-values are Holm’s, intervals Bonferroni’s, which are slightly wider",
        "none": "intervals hold for each cell on its own: of many cells, some exclude 0 by chance",
    }
    if not params.adjust:
        adjusted = "Differences are not adjusted for anything known beforehand."
    elif study.frame["method"].str.contains("too-few-to-adjust").any():
        adjusted = f"Differences in money are not adjusted for earlier spend, because a cell has too few customers for that: under {LEAST}, or under {FEW} where outcomes are too uneven to be sure."
    else:
        adjusted = "Differences in money are adjusted for differences in spend in the year before the window opened, with one coefficient for all cells."
    homes = (
        "Members of a household were assigned together, so variances are calculated by household."
        if study.found.clustered
        else ""
    )
    return Method(
        "Each cell against its own control: shares who bought by Miettinen and Nurminen’s score (1985); amounts by Welch’s t, corrected for skewness (Hall) where customers are independent; sample ratio by chi-square (Fabijan et al. 2019); past campaigns by random effects (Paule and Mandel 1982); depth and Qini after Radcliffe (2007) and Imai and Li (2023).",
        tuple(
            text
            for text in (
                "Outcomes are counted for everybody assigned, from orders in the window, whatever code they carry, less returns.",
                f"With several cells, {corrections[params.correction]}.",
                adjusted,
                homes,
                study.found.margin.told(study.context.form),
                _offers_told(study),
                "Scores that rank the list are based on households other than those they rank, by how recently and how often people bought.",
                f"Cells whose sizes differ from the plan with p under {RATIO_ALPHA:g} get no verdict.",
                *_setting(study),
            )
            if text
        ),
        {
            "Incremental": "cell minus control: what would not have come without the contact",
            "Bought": "ordered in the window, including free orders unless the data set ignores them, and even if everything was returned",
            **_money_terms(study),
            "Could have been detected": "the smallest difference that cells of this size would detect in 80 of 100 campaigns",
            **QUANTITIES.explained("qini"),
            "Shrunk": "pulled towards the mean of all past campaigns, the more so the less certain it is",
        },
    )


def _offers_told(study: Study) -> str:
    """How offers are paid for, as a sentence of the method."""
    cells = study.found.cells
    told = [name for name in OFFER_COSTS if name in cells.columns and cells[name].notna().any()]
    said = []
    if "cost_per_response" in told:
        said.append(
            "An offer costs its cost per response for everybody in the cell who bought in the window, including those who would have bought anyway."
        )
    if "discount" in told:
        said.append("Amounts are what was paid, after any discount.")
    return " ".join(said)


def _setting(study: Study) -> list[str]:
    """How an analyst says what offers cost, where the tables lack it."""
    if not study.found.margin.known or not study.money.whole.unpriced:
        return []
    return ["To say what offers cost: add cost_per_response (0 if nothing) or discount to the table “cells”."]


def _money_terms(study: Study) -> dict[str, str]:
    if not study.found.margin.known:
        return {"Revenue": "spend that would not have come without the contact: cell minus control"}
    found = {
        study.context.told(
            "Profit"
        ): f"incremental {study.found.margin.word} less contacts, fixed costs and the offers that were taken",
        "Break-even cost": "what a contact may cost before the cell loses money",
    }
    if study.found.unpriced:
        found["Offer may cost"] = study.context.told("what the offer may cost per buyer before the cell loses money")
    return found
