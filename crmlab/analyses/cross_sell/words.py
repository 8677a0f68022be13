"""What is said of cross-sell: findings, metrics, warnings, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.cross_sell.backtesting import LABELS
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.analyses.cross_sell.tables import short
from crmlab.analyses.cross_sell.worth import MOST_PAIRS
from crmlab.history.context import masked
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.params import Params
    from crmlab.analyses.cross_sell.study import Parts
    from crmlab.page.format import Format

__all__ = ["SENT", "findings_of", "method_of", "metrics_of", "warnings_of"]


SENT = "offers_by_margin"  # the list that is written to the file


def findings_of(parts: Parts, form: Format, params: Params) -> Findings:
    """How the backtest went, what the best offer brings, and how many pairs hold."""
    at = form.share(params.level)
    found = []
    test = parts.backtest
    if test is not None:
        ours = _score(parts, SENT, "hit_rate")
        gap = test.differences[(test.differences["method"] == SENT) & (test.differences["measure"] == "hit_rate")].iloc[0]
        best = _score(parts, str(gap["against"]), "hit_rate")
        surely = "surely more than" if gap["low"] > 0 else "surely less than" if gap["high"] < 0 else "not shown to differ from"
        found.append(
            Finding(
                form.share(ours.value),
                f"of customers who bought in the last {test.horizon} days bought one of the {test.k} products that they would have been offered: {surely} the best simple rule, “{LABELS[str(gap['against'])].lower()}”, with {form.share(best.value)}.",
                f"{form.interval(ours.low, ours.high, 'share')}; difference {form.interval(100 * gap['low'], 100 * gap['high'])} points, at {at}",
                "hit_rate",
            )
        )
    if len(parts.best):
        row = parts.best.iloc[0]
        reach = masked(int(row["reach"]), params.min_group)
        found.append(
            Finding(
                form.money(row["extra"]),
                f"extra margin per 1,000 contacts goes with offering {short(row['name_b'], 60)} to the {reach if isinstance(reach, str) else form.count(reach)} customers who have {short(row['name_a'], 60)} and not that: what such people bought more than others, unasked{'' if row['extra_low'] > 0 else '; it may be nothing'}.",
                f"{form.interval(row['extra_low'], row['extra_high'], 'money')}, at {at}",
                "extra_margin",
            )
        )
    pairs = len(parts.found.pairs) // 2
    found.append(
        Finding(
            form.count(pairs),
            f"{'pair' if pairs == 1 else 'pairs'} of {form.count(parts.found.tested)} {'is' if pairs == 1 else 'are'} sold together more often than chance would have it, given how often each sells and how large baskets are{'.' if pairs else ': nothing to report.'}",
            f"at a false discovery rate of {form.share(ALPHA)}",
            "pairs",
        )
    )
    return Findings(found)


def _score(parts: Parts, method: str, measure: str) -> Estimate:
    assert parts.backtest is not None
    scores = parts.backtest.scores
    row = scores[(scores["method"] == method) & (scores["measure"] == measure) & (scores["history"] == "all")].iloc[0]
    return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), parts.backtest.level, "share")


def metrics_of(parts: Parts, currency: str, params: Params) -> dict[str, Estimate]:
    """What two runs are compared on."""
    out = {
        "pairs": Estimate(float(len(parts.found.pairs) // 2), unit="pairs"),
        "baskets": Estimate(float(parts.found.baskets.n), unit="baskets"),
        "bundles": Estimate(float(len(parts.bundles)), unit="bundles"),
    }
    if parts.backtest is not None:
        for measure in ("hit_rate", "recall", "coverage"):
            out[measure] = _score(parts, SENT, measure)
        gaps = parts.backtest.differences
        for row in gaps[(gaps["method"] == SENT) & (gaps["measure"] == "hit_rate")].to_dict("records"):
            out["hit_rate_gain"] = Estimate(row["value"], row["low"], row["high"], parts.backtest.level, "share")
    if len(parts.best):
        row = parts.best.iloc[0]
        out["extra_margin"] = Estimate(row["extra"], row["extra_low"], row["extra_high"], params.level, currency)
    return out


def warnings_of(parts: Parts, form: Format) -> tuple[str, ...]:
    """What a reader must know before acting."""
    out = list(parts.offers.notes) if parts.offers is not None else []
    if parts.offers is None:
        out.append(f"No offers were made. {parts.absent.get('offers_list', '')}".strip())
    if parts.found.baskets.n and not parts.found.baskets.matrix.nnz:
        out.append("No basket holds anything.")
    if len(parts.found.pairs) // 2 > 2 * MOST_PAIRS:
        out.append(
            f"Reach and worth are worked out for {form.count(len(parts.pairs))} pairs, those of the surest lift and those that promise most; the file of rules holds all {form.count(len(parts.found.pairs) // 2)}."
        )
    if len(parts.best) and float(parts.best["extra_low"].max()) <= 0:
        out.append("No pair's extra margin is surely above nothing on the days that are known: test before sending widely.")
    return tuple(out)


def method_of(parts: Parts, form: Format, params: Params) -> Method:
    """Where the method comes from, and what it assumes."""
    test = parts.backtest
    learnt = (
        f"Weights of the ingredients were learnt on purchases up to {form.day(test.tested_on)}, and tested on later ones."
        if test is not None
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
            "Hit rate": "share of customers who bought at least one of the products on their list",
            "Recall": "share of what customers bought that was on their list",
            "MAP": "mean average precision: higher where what was bought stood higher on the list",
        },
    )
