"""What is said of a campaign: findings, metrics, warnings, limits, method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crmlab.analyses.campaigns.measurement import RATIO_ALPHA
from crmlab.analyses.campaigns.results.quantities import QUANTITIES
from crmlab.data.memory.rules import OFFER_COSTS
from crmlab.models.testing.measures import FEW, LEAST
from crmlab.page.estimate import Estimate
from crmlab.page.format import titled
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.results.study import Study
    from crmlab.page.format import Format

__all__ = ["TITLE", "Gain", "at_level", "findings", "gain", "level_word", "limits", "method", "metrics", "points", "warnings"]

TITLE = "What each cell of a campaign brought"


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


def findings(study: Study) -> Findings:
    """What was earned, with its interval; how many more bought; which cells are shown to have earned, or what their offers may cost."""
    form = study.context.form
    if study.health.blocked:
        ratio = study.health.ratio
        assert ratio is not None
        why = Finding(
            "No verdict",
            f"on “{titled(study.found.campaign)}”: the sizes of its cells do not fit the plan, so something other than chance decided who is in which, and what they earned cannot be compared. "
            f"Sizes as far off as these come by chance with p = {form.number(ratio.p_value)}. Find out what got lost before anything else.",
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
        words = f"{kind}{so_far} came from campaign {campaign} and would not have come without it: {spent}."
    elif profit.high < 0 and whole.profit is None:
        words = f"{kind} is what campaign {campaign} changed{so_far}: people spent less than without it. It took {spent}."
    elif profit.high < 0:
        words = f"{kind} is what campaign {campaign} brought{so_far}: it cost more than it brought. It took {spent}."
    else:
        words = f"{kind} is the best guess of what campaign {campaign} brought{so_far}, and it is not shown to differ from 0: {spent}."
    earned, ends = form.measured(profit.value, profit.low, profit.high, "money")
    return Finding(earned, words, f"{ends}, at {at_level(study)}", metric)


def _offers(study: Study, most: Estimate) -> Finding:
    """What the offers may cost, where nothing says what they do: without it no cell can be said to have earned."""
    form = study.context.form
    value, ends = form.measured(most.value, most.low, most.high, "exact")
    cells = len(study.money.whole.unpriced)
    whose = "the offer" if cells == 1 else f"the offers of {cells} cells"
    words = (
        f"per buyer is the most that {whose} may cost before the campaign loses money. What it costs is not known, "
        "so no cell can be said to have made a profit. Write cost_per_response (0 if nothing) or discount into the table cells."
    )
    if most.value <= 0:
        words = f"for each who buys: contacts cost more than they brought, even if {whose} cost nothing."
    return Finding(value, words, f"{ends}, at {at_level(study)}", "break_even_offer")


def _response(study: Study) -> Finding:
    form = study.context.form
    money, change = study.money.whole, study.money.whole.response
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
        total, ends = form.measured(best["total"], best["total_low"], best["total_high"], "money")
        first = "That is" if len(earned) == 1 else "The surest:"
        each = f", {form.money(1000 * best['profit'])} per 1,000" if best["n"] >= 1000 else ""
        words = (
            f"{noun} shown to have earned more than the cost. {first} {best['name']}, {total} from its {form.count(best['n'])} contacts{each} "
            f"({ends}, at {at_level(study)}{_corrected(study)})."
        )
        return Finding(count, words, "", "cells_that_earned")
    least = (cells["n"] * cells["detectable"].astype(float)).idxmin()
    seen = float(cells.at[least, "n"] * cells.at[least, "detectable"])
    words = (
        f"{noun} shown to have earned more than the cost, at {at_level(study)}{_corrected(study)}: {form.money(seen)} from the "
        f"{form.count(cells.at[least, 'n'])} contacts of a cell could have been seen."
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
            f"This is look {look.number}: intervals are at {at_level(study)}, so that the stated level holds over all looks together."
        )
    for cell in study.health.unequal_windows:
        out.append(
            f"Cell {cell} and its control were counted over different days, so part of the difference is not the cell's doing."
        )
    if study.health.unbalanced:
        out.append("Cells differed before anything was sent by more than chance allows: see the table of balance.")
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
        f"What came after {form.day(max(study.found.days['last']))} is not counted: orders that a campaign only brought forward look like gains.",
        "Matched responses are not gains: the controls who got nothing are matched too. Only the difference from control counts.",
        "A difference that is not shown may still exist: beside each stands the smallest that could have been seen.",
    ]
    leaks = study.health.found("two_cells")
    if leaks:
        out.append("People in two cells count in the first one. That makes differences a little smaller than they are.")
    if study.order == 1 and study.components is not None and study.components["effect"].nunique() > 1:
        out.append("The cells do not tell whether components work together: main effects take it that they do not.")
    if study.ranked.depth is not None and study.found.clustered:
        out.append("The ranking treats people of one household as if each stood alone: its intervals are a little narrow.")
    if not study.past.components:
        out.append("These offers have no history: a single campaign may have been lucky or unlucky.")
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
                study.found.margin.told(study.context.form),
                _offers_told(study),
                "Scores that rank the list come from other households than those they rank, by how lately and how often people bought.",
                f"Cells whose sizes differ from the plan with p under {RATIO_ALPHA:g} get no verdict.",
            )
            if text
        ),
        {
            "Incremental": "cell less control: what would not have come without the contact",
            "Bought": "ordered in the window, a free order too unless the data set ignores them; also where all of it came back",
            **_money_terms(study),
            "Could have been seen": "the smallest difference that cells of this size would detect in 80 of 100 campaigns",
            **QUANTITIES.explained("qini"),
            "Shrunk": "moved to the mean of all past campaigns, the more so the less sure it is",
        },
    )


def _offers_told(study: Study) -> str:
    """How offers are paid for, as a sentence of the method."""
    cells = study.found.cells
    told = [name for name in OFFER_COSTS if name in cells.columns and cells[name].notna().any()]
    said = []
    if "cost_per_response" in told:
        said.append(
            "An offer costs its cost_per_response for everybody in the cell who bought in the window, those too who would have bought anyway."
        )
    if "discount" in told:
        said.append("Amounts are what was paid: a discount is taken off them already.")
    return " ".join(said)


def _money_terms(study: Study) -> dict[str, str]:
    if not study.found.margin.known:
        return {"Revenue": "spend that would not have come without the contact: cell less control"}
    found = {
        study.context.told(
            "Profit"
        ): f"incremental {study.found.margin.word} less contacts, fixed costs and the offers that were taken",
        "Return": f"{gain(study).whole.split(' after')[0]} for each unit of money that the cell cost more than its control",
        "Break-even cost": "what a contact may cost before the cell loses money",
    }
    if study.found.unpriced:
        found["Offer may cost"] = "what the offer may cost for each who buys before the cell loses money"
    return found
