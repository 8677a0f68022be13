"""What cross-sell says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.cross_sell.backtesting import LABELS, SENT, Backtest
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.analyses.cross_sell.quantities import QUANTITIES
from crmlab.analyses.cross_sell.tables import short
from crmlab.analyses.cross_sell.worth import MOST_PAIRS
from crmlab.history.context import masked
from crmlab.page.exhibits import Absent
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Which offer to whom, with evidence"


def findings(study: Study) -> Findings:
    """How the backtest went, what the best offer brings, and how many pairs hold."""
    params, form, best_pairs = study.params, study.context.form, study.best
    at = form.share(params.level)
    found = []
    test = study.backtest
    if isinstance(test, Backtest):
        ours = _score(test, SENT, "hit_rate")
        gap = test.differences[(test.differences["method"] == SENT) & (test.differences["measure"] == "hit_rate")].iloc[0]
        best = _score(test, str(gap["against"]), "hit_rate")
        surely = "surely more than" if gap["low"] > 0 else "surely less than" if gap["high"] < 0 else "not shown to differ from"
        hit = form.measured(ours.value, ours.low, ours.high, "share")
        found.append(
            Finding(
                hit.value,
                f"of customers who bought in the last {test.horizon} days bought one of the {test.k} products that they would have been offered: {surely} the best simple rule, “{LABELS[str(gap['against'])].lower()}”, with {form.share(best.value)}.",
                f"{hit.interval}; difference {form.span(100 * gap['low'], 100 * gap['high'])} points, at {at}",
                "hit_rate",
            )
        )
    if len(best_pairs):
        row = best_pairs.iloc[0]
        reach = masked(int(row["reach"]), params.min_group)
        extra = form.measured(row["extra"], row["extra_low"], row["extra_high"], "money")
        found.append(
            Finding(
                extra.value,
                f"extra margin per 1,000 contacts goes with offering {short(row['name_b'], 60)} to the {reach if isinstance(reach, str) else form.count(reach)} customers who have {short(row['name_a'], 60)} and not that: what such people bought more than others, unasked{'' if row['extra_low'] > 0 else '; it may be nothing'}.",
                f"{extra.interval}, at {at}",
                "extra_margin",
            )
        )
    pairs = len(study.found.pairs) // 2
    found.append(
        Finding(
            form.count(pairs),
            f"{'pair' if pairs == 1 else 'pairs'} of {form.count(study.found.tested)} {'is' if pairs == 1 else 'are'} sold together more often than chance would have it, given how often each sells and how large baskets are{'.' if pairs else ': nothing to report.'}",
            f"at a false discovery rate of {form.share(ALPHA)}",
            "pairs",
        )
    )
    return Findings(found)


def _score(test: Backtest, method: str, measure: str) -> Estimate:
    scores = test.scores
    row = scores[(scores["method"] == method) & (scores["measure"] == measure) & (scores["history"] == "all")].iloc[0]
    return Estimate.of(row, test.level, "share")


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    test, best = study.backtest, study.best
    out = {
        "pairs": Estimate(float(len(study.found.pairs) // 2), unit="pairs"),
        "baskets": Estimate(float(study.found.baskets.n), unit="baskets"),
        "bundles": Estimate(float(len(study.bundles)), unit="bundles"),
    }
    if isinstance(test, Backtest):
        for measure in ("hit_rate", "recall", "coverage"):
            out[measure] = _score(test, SENT, measure)
        gaps = test.differences
        for row in gaps[(gaps["method"] == SENT) & (gaps["measure"] == "hit_rate")].to_dict("records"):
            out["hit_rate_gain"] = Estimate.of(row, test.level, "share")
    if len(best):
        out["extra_margin"] = Estimate.of(best.iloc[0], study.params.level, study.context.form.currency, "extra")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    offers, found, best, form = study.offers, study.found, study.best, study.context.form
    out = [f"No offers were made. {offers.why}"] if isinstance(offers, Absent) else list(offers.notes)
    if found.baskets.n and not found.baskets.matrix.nnz:
        out.append("No basket holds anything.")
    if len(found.pairs) // 2 > 2 * MOST_PAIRS:
        out.append(
            f"Reach and worth are worked out for {form.count(len(study.pairs))} pairs, those of the surest lift and those that promise most; the file of rules holds all {form.count(len(found.pairs) // 2)}."
        )
    if len(best) and float(best["extra_low"].max()) <= 0:
        out.append("No pair's extra margin is surely above nothing on the days that are known: test before sending widely.")
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "Association is not the effect of an offer: people who buy two things together may do so without being asked. Send the "
        "offer to a test cell, keep a control cell, and measure the difference.",
        "Extra margin compares people who have the first product with people who have neither; they may differ in more than that, "
        "and a season's goods sell to both at once.",
        "Seasons are not taken out of pairs: what sells in the same months counts as together. Compare the two halves of the history.",
    )


def method(study: Study) -> Method:
    """Where the method comes from, and what it assumes."""
    test, params, form = study.backtest, study.params, study.context.form
    learnt = (
        f"Weights of the ingredients were learnt on purchases up to {form.day(test.tested_on)}, and tested on later ones."
        if isinstance(test, Backtest)
        else "The history is too short for a test on later days."
    )
    return Method(
        "Exact counts of pairs and triples. "
        "The null keeps both margins, how often each item sells and how large each basket is (maximum entropy, Chen, Dempster and Liu 1994; the variance of a swap randomisation, Gionis et al. 2007). "
        "Benjamini and Hochberg (1995).",
        (
            "The family of the correction is every unordered pair of items that reach the minimum count, those never seen together included.",
            f"Intervals at {form.share(params.level)}, each by itself: Wilson's, exact (Clopper and Pearson) where counts are small; Newcombe's for differences. "
            "The three offers were picked after the figures were seen, so theirs flatter a little.",
            "A longer rule is kept where it surely beats every shorter rule inside it; the others are listed as removed.",
            "An offer is never a product that the customer has, unless it is one that people buy again and is due; never one out of range; never to who must not be contacted.",
            learnt,
        ),
        {
            "Support, confidence, lift": "share of baskets with both; share of baskets with A that hold B; confidence over B's base rate",
            "Base rate": "share of all baskets that hold B",
            "q": "share of false discoveries among all pairs that are at least as sure",
            "Reach": "customers who have A, do not have B, and may be contacted as far as is known",
            **QUANTITIES.explained("hit_rate", "recall"),
            "MAP": "mean average precision: higher where what was bought stood higher on the list",
        },
    )
