"""What cross-sell says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.cross_sell.backtesting import Backtest
from crmlab.analyses.cross_sell.choice import FEWEST_ACTIVE, RULE
from crmlab.analyses.cross_sell.lists import NAMES, PERSONAL
from crmlab.analyses.cross_sell.offers import Offers
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.analyses.cross_sell.tables import PER, short
from crmlab.analyses.cross_sell.worth import MOST_PAIRS
from crmlab.history.context import masked
from crmlab.history.words import WEEKS
from crmlab.page.estimate import Estimate
from crmlab.page.exhibits import Absent
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.cross_sell.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Which offer for which customer, and the evidence"


def findings(study: Study) -> Findings:
    """Which list is used and why, what the best pair brings, and how many pairs hold."""
    form, pairs = study.context.form, len(study.found.pairs) // 2
    if not study.found.tested:
        least = form.count(study.found.baskets.min_count)
        none = Finding("0", f"pairs could be tested: fewer than two products are in at least {least} baskets.", metric="pairs")
        return Findings([*_list_used(study), none])
    told = f"; about {form.share(ALPHA, 0)} of such pairs, at most, are due to chance alone" if pairs else ": nothing to report"
    count = Finding(
        form.count(pairs),
        f"of {form.count(study.found.tested)} pairs {'is' if pairs == 1 else 'are'} sold together more often than would be expected by chance, "
        f"given how often each sells and how large baskets are{told}.",
        metric="pairs",
    )
    return Findings([*_list_used(study), *_best_pair(study), count])


def _list_used(study: Study) -> list[Finding]:
    """How personal offers did against the best simple list, and which is used therefore."""
    test, offers = study.backtest, study.offers
    if isinstance(offers, Absent):
        return [Finding("No offer", f"is made: {offers.why[:1].lower()}{offers.why[1:]}")]
    if offers.frame.empty:
        none = (
            "nothing is on sale now"
            if not study.on_sale
            else "one product is on sale now, and there is nothing to offer beside it"
        )
        why = none if study.on_sale < 2 else "customers who may be contacted already have everything that is on sale"
        return [Finding("No offer", f"is made: {why}.")]
    if isinstance(test, Absent):
        return [_untested(study)]
    form, choice, at = study.context.form, study.choice, study.context.form.share(study.params.level)
    used, gap = _score(test, choice.method, "hit_rate"), test.lead("hit_rate")
    other = NAMES[str(choice.against) if choice.outcome == "better" else PERSONAL]
    theirs = form.share(_score(test, str(choice.against) if choice.outcome == "better" else PERSONAL, "hit_rate").value)
    apart = f"{form.in_points(0.0, gap['low'], gap['high']).interval} points, at {at}"
    than = {
        "better": f"clearly more than with the best simple list, “{other}” ({theirs}; the difference is {apart})",
        "alike": f"{other} are not shown to do better or worse ({theirs}; the difference is {apart})",
        "worse": f"{other} would have done clearly worse ({theirs}; the difference is {apart})",
    }[choice.outcome]
    hit = form.measured(used.value, used.low, used.high, "share")
    return [
        Finding(
            hit.value,
            f"of existing customers who bought in the last {test.horizon} days bought at least one of the {test.k} products they would have been sent as "
            f"{NAMES[choice.method]}{',' if choice.outcome == 'better' else ';'} {than}. {_shown(study)}",
            f"{hit.interval}, at {at}",
            "hit_rate",
        )
    ]


def _untested(study: Study) -> Finding:
    """What speaks against personal offers where they could not be held against later days, and what is shown instead."""
    form, people = study.context.form, sum(study.consent)
    if people < FEWEST_ACTIVE:
        return Finding(
            form.count(people),
            f"{'customer is' if people == 1 else 'customers are'} too few to learn which offer suits whom. The list of offers contains "
            f"{NAMES[study.choice.method]}, untested.",
        )
    if not study.again:
        return Finding(
            "Nobody",
            f"has bought on a second day, so nothing is known about what customers buy next. {_shown(study)} Only leaving out some of them, chosen "
            "at random, would show whether the offers bring anybody back.",
        )
    return Finding("Not tested", f"on later days, so there is no evidence for personal offers. {_shown(study)}")


def _shown(study: Study) -> str:
    """The consequence: what the list of offers contains, and for how many."""
    form, method, refused = study.context.form, NAMES[study.choice.method], study.consent.no
    listed, people = study.listed, sum(study.listed)
    whom = "one customer" if people == 1 else f"{form.count(people)} customers"
    left = f"; {form.count(refused)} who must not be contacted {'is' if refused == 1 else 'are'} left out" if refused else ""
    # Where some are left out because they must not be, the others may: it is said only of those of whom it is not known.
    told = f" {listed.said(form)}" if (listed.unknown or not refused) and (people > 1 or not listed.told) else ""
    return f"The list of offers therefore contains {method}{_named(study)}, for {whom}{left}.{told}"


def _named(study: Study) -> str:
    """The products that a list holds most often, where it is a simple one: a reader is to see what would be offered."""
    assert not isinstance(study.offers, Absent)
    frame = study.offers.frame
    if study.choice.method == PERSONAL or len(frame) == 0:
        return ""
    often = frame["product_id"].value_counts(sort=False).rename("n").reset_index()
    often = often.sort_values(["n", "product_id"], ascending=[False, True]).head(study.params.k)
    names = [study.names.get(str(product), str(product)) for product in often["product_id"]]
    return f" ({'most often ' if frame['product_id'].nunique() > len(names) else ''}{joined(names)})"


def _best_pair(study: Study) -> list[Finding]:
    """What goes with the pair that surely brings most; where none surely does, what follows."""
    form, params, best = study.context.form, study.params, study.best
    if study.found.pairs.empty or study.pairs.empty or not sum(study.consent):  # none, none on sale, or nobody is known
        return []
    money = study.margin.word
    if best.empty:
        known = bool(study.pairs["extra"].notna().any())
        why = (
            f"is certain to bring in more {money}: the interval of each includes 0"
            if known
            else f"is known to bring in more {money}: nobody could be watched long enough"
        )
        return [
            Finding(
                "No pair",
                f"{why}. So no pair is a reason for an offer; a test on some of the customers who have one product but not the other would tell more.",
            )
        ]
    row = best.iloc[0]
    extra = form.measured(row["extra"], row["extra_low"], row["extra_high"], "money")
    per = f" ({form.money(1000 * row['each'])} per 1,000)" if row["reach"] >= PER else ""
    one, other = short(row["name_a"], 60), short(row["name_b"], 60)
    return [
        Finding(
            extra.value,
            f"more {money} goes with the most certain pair: customers who bought {one} but not yet {other} went on to buy more of it than "
            f"customers who had bought neither. This covers {params.horizon} days and {_reached(study, row)}{per}.{_unsold(study, row)} It is "
            "an association, not the effect of an offer, which only a test on some of them can show.",
            f"{extra.interval}, at {form.share(params.level)}",
            f"extra_{money}",
        )
    ]


def _unsold(study: Study, row: pd.Series) -> str:
    """That the second product of a pair was not sold in the weeks to come a year ago."""
    if row["consequent"] not in study.unsold:
        return ""
    return (
        f" But {short(row['name_b'], 60)} was not sold at all in the same {study.params.horizon} days a year ago: it may be out of season in the "
        "weeks to come, unless it is new."
    )


def _reached(study: Study, row: pd.Series) -> str:
    """The customers whom a pair concerns, and that they may be contacted."""
    form, least = study.context.form, study.params.min_group
    reach, unknown = int(row["reach"]), int(row["unknown"])
    if unknown == reach:
        return f"the {form.count(reach)} customers who bought the first but not yet the second (the data do not say whether they may be contacted)"
    some = masked(unknown, least)
    told = f" (for {some if isinstance(some, str) else form.count(some)} it is not known)" if unknown else ""
    return f"the {form.count(reach)} customers who bought the first but not yet the second and may be contacted{told}"


def _score(test: Backtest, method: str, measure: str) -> Estimate:
    return Estimate.of(test.score(method, measure), test.level, "share")


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    test, best, sent = study.backtest, study.best, study.choice.method
    out = {
        "pairs": Estimate(float(len(study.found.pairs) // 2), unit="pairs"),
        "baskets": Estimate(float(study.found.baskets.n), unit="baskets"),
        "bundles": Estimate(float(len(study.bundles)), unit="bundles"),
    }
    if isinstance(test, Backtest):
        out |= {measure: _score(test, sent, measure) for measure in ("hit_rate", "recall")}
        out["coverage"] = Estimate(float(test.score(sent, "coverage")["value"]), unit="share")
        out["hit_rate_gain"] = Estimate.of(test.lead("hit_rate"), test.level, "share")
    if len(best):
        name = f"extra_{study.margin.word}"
        out[name] = Estimate.of(best.iloc[0], study.params.level, study.context.form.currency, "extra")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    offers, found, form = study.offers, study.found, study.context.form
    out = study.margin.wanted("to see what offers bring after the cost of goods")
    out += () if isinstance(offers, Absent) else offers.notes
    if isinstance(study.backtest, Absent) and isinstance(offers, Offers):
        out.append(study.backtest.why)
    out += _chances_missed(study) + _money_disagrees(study)
    if found.baskets.n and not found.baskets.matrix.nnz:
        out.append("No basket holds anything.")
    if len(found.pairs) // 2 > 2 * MOST_PAIRS:
        out.append(
            f"Reach and worth are worked out for {form.count(len(study.pairs))} pairs: those with the most certain lift and those that promise "
            f"most. The file of rules contains all {form.count(len(found.pairs) // 2)}."
        )
    return tuple(out)


def _chances_missed(study: Study) -> list[str]:
    """Where what was said of the offers in the test did not come true."""
    test, form = study.backtest, study.context.form
    if isinstance(test, Absent):
        return []
    row = test.foretold[test.foretold["method"] == study.choice.method].iloc[0]
    if row["low"] <= row["predicted"] <= row["high"]:
        return []
    more = row["predicted"] < row["observed"]
    # What leaves out a rise foretells too little: that is no reason where too much was foretold.
    why = f": they leave out {'growth' if study.pace != 1 else 'seasons and growth'}" if more else ""
    return [
        f"In the test, offers were bought {'more' if more else 'less'} often than predicted: {form.share(row['observed'])} against "
        f"{form.share(row['predicted'])}. Use probabilities to rank offers, not as a forecast{why}."
    ]


def _money_disagrees(study: Study) -> list[str]:
    """Where a simple list is sent although more money lay in what personal offers held: why that does not decide."""
    test, form = study.backtest, study.context.form
    if isinstance(test, Absent) or study.choice.method == PERSONAL or test.lead("money")["low"] <= 0:
        return []
    gap = test.lead("money")
    more = form.span(test.customers / 1000 * gap["low"], test.customers / 1000 * gap["high"], "money")
    return [
        f"What people bought from the personal lists had {more} more {test.money}, in all, than what they bought from any simple list, since "
        f"personal offers are picked by {test.money}. Nobody was sent an offer, so this does not show what a list would bring in: only test "
        "cells for both lists would."
    ]


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "Pairs are not corrected for seasons: products that sell in the same months look as if they belonged together, and a product of the "
        "season that ends now will not go on selling.",
        "Association is not the effect of an offer: people who buy two things together may do so without being asked. Only a "
        "test cell beside a control cell shows the difference.",
        f"Extra {study.margin.word} compares people who have the first product with people who have neither; they may also differ in "
        "other ways, and seasonal goods sell to both at the same time.",
        WEEKS.decided,
    )


def _season(study: Study) -> list[str]:
    """How much season and level make of probabilities; nothing where no season is followed."""
    if study.pace == 1:
        return []
    days = study.params.horizon
    return [
        f"Probabilities are based on the last {days} days. Allowing for season, sales level, closing days and events, customers are expected to "
        f"buy {study.context.form.number(study.pace)} times as much in the next {days} days, and probabilities are adjusted for that; the "
        "ranking of offers is unaffected."
    ]


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    test, params, form = study.backtest, study.params, study.context.form
    learnt = (
        f"Weights of the ingredients were learnt on purchases up to {form.day(test.tested_on)}, and tested on later ones."
        if isinstance(test, Backtest)
        else "Personal offers could not be tested on later days."
    )
    never = (
        "A product the customer already has is offered only if people buy it again and it is due. Products that are out of range are never "
        "offered"
        if study.choice.method == PERSONAL
        else "Products that are out of range, or that the customer has returned, are never offered"
    )
    return Method(
        "Exact counts of pairs and triples. "
        "The null model keeps how often each item sells and how large each basket is (maximum entropy, Chen, Dempster and Liu 1994; the variance of a swap randomisation, Gionis et al. 2007). "
        "Benjamini and Hochberg (1995).",
        (
            "The correction covers every pair of items that reach the minimum count, including those never seen together.",
            f"Intervals at {form.share(params.level)}, each taken on its own: Wilson’s, or exact ones (Clopper and Pearson) where counts are small; "
            "Newcombe’s for differences, Agresti and Min’s (2005) for those of hit rates. The pairs shown first were picked after the figures "
            "were seen, so theirs are slightly flattering.",
            "A longer rule is kept where it clearly beats every shorter rule inside it; the others are listed as removed.",
            RULE,
            f"{never}, and nobody who must not be contacted is sent an offer.",
            learnt,
            *_season(study),
            study.margin.told(form),
        ),
        {
            "Support, confidence, lift": "share of baskets with both; share of baskets with A that also contain B; confidence divided by B’s base rate",
            "Base rate": "share of all baskets that contain B",
            "q": "share of false discoveries among all pairs that are at least as certain",
            "Reach": "customers who have A but not B and, as far as is known, may be contacted",
            "Hit rate": "share of customers who bought at least one product of their list",
            "Recall": "share of customers’ purchases that were on their list",
            "MAP": "mean average precision: the higher up the list the products bought were, the higher it is",
        },
    )
