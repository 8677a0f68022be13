"""Tables of cross-sell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.lists import labels
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.history.context import masked
from crmlab.page.exhibits import Absent
from crmlab.page.tables import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.study import Study
    from crmlab.page.format import Format

__all__ = [
    "NOTHING",
    "PER",
    "ROWS",
    "SHORT",
    "backtest_table",
    "bundles_table",
    "cycles_table",
    "history_table",
    "nothing",
    "pairs_table",
    "removed_table",
    "scope_table",
    "short",
    "substitutes_table",
    "unknown_worth",
    "worth_table",
]


ROWS = 15  # of pairs shown
OPEN_ROWS = 5  # of them before the fold
PER = 1000  # customers, below which nothing is said per 1,000 of them
SHORT = 34  # letters of a name in a chart
NOTHING = Absent("Nothing to report: no pair of products is clearly sold together more often than by chance.")


def nothing(study: Study) -> Absent:
    """Why there is no pair to act on: none holds, or none of those that hold can be offered."""
    pairs = len(study.found.pairs) // 2
    if not pairs:
        return NOTHING
    return Absent(
        f"Of {study.context.form.count(pairs)} pairs sold together more often than by chance, none can be offered: "
        "their products are out of range now."
    )


def unknown_worth(study: Study) -> Absent:
    """Why nothing is said of what pairs bring, although there are pairs."""
    params = study.params
    return Absent(
        f"What pairs bring in is not known: the history is too short to watch people for {params.horizon} days, or fewer than "
        f"{params.min_group} had one product of a pair but not the other."
    )


def short(name: str, most: int = SHORT) -> str:
    """A name for a chart: on one line, its middle left out where it is long, for names often differ at their end.

    Examples
    --------
    >>> short("French   blue metal door sign number 5", 24)
    'French blue metal…mber 5'
    """
    clean = " ".join(name.split())
    tail = max(most // 4, 1)
    return clean if len(clean) <= most else f"{clean[: most - 1 - tail].rstrip()}…{clean[-tail:].lstrip()}"


def scope_table(study: Study) -> Table:
    """What was counted, and how it was tested."""
    baskets, params, form = study.found.baskets, study.params, study.context.form
    what = "one order" if params.unit == "order" else "all that one customer bought"
    rows = [
        ("A basket is", what),
        ("History", f"{form.short_day(study.first)} to {form.short_day(study.context.as_of)}"),
        ("Baskets", form.count(baskets.n)),
        ("With one item only (kept in the base rates)", form.count(int((np.diff(baskets.matrix.indptr) == 1).sum()))),
        (f"With more than {params.max_items} items (cut down to {params.max_items})", form.count(baskets.capped)),
        (
            f"Items ({params.level_of}) in at least {baskets.min_count} baskets",
            form.count(len(baskets.items) - baskets.dropped),
        ),
        ("Rarer items, not looked at", form.count(baskets.dropped)),
        ("Minimum count of a pair", f"{form.count(baskets.min_count)} baskets"),
        ("Pairs tested, including those never seen together", form.count(study.found.tested)),
        ("Null hypothesis", "items sell as often, and baskets are as large, as observed; everything else is chance"),
        ("Correction", f"Benjamini–Hochberg; shown where q is under {ALPHA:g}"),
    ]
    frame = pd.DataFrame(rows, columns=["what", "value"])
    return Table(
        "What was counted and tested. Counts, not estimates.",
        frame,
        {"what": Column("What"), "value": Column("Value")},
        form,
    )


def pairs_table(study: Study) -> Table | Absent:
    """Pairs on which one can act: how surely they go together, and whether it lasts."""
    pairs, params, form = study.pairs, study.params, study.context.form
    if pairs.empty:
        return nothing(study)
    frame = pairs.assign(
        base=pairs["n_consequent"] / pairs["n"],
        reach=[masked(reach, params.min_group) for reach in pairs["reach"]],
        pair=_arrows(pairs),
        q=[_q(q, form) for q in pairs["q_value"]],
    ).drop(columns=["parent", "redundant"])
    columns = {
        "pair": Column("A → B"),
        "n_both": Column("Baskets", "count"),
        "base": Column("Base rate of B", "share"),
        "confidence": Column("B in baskets with A", "share", "confidence_low", "confidence_high"),
        "lift": Column("Lift", "number", "lift_low", "lift_high"),
        "q": Column("q"),
        "lift_first": Column("First half", "number", "lift_first_low", "lift_first_high"),
        "lift_second": Column("Second half", "number", "lift_second_low", "lift_second_high"),
    }
    caption = (
        "Pairs sold together more often than by chance, each listed once, those most certain to bring in "
        f"{study.margin.word} first (see the table of what they bring). Last columns: lift in each half of the history "
        "(– if one was not sold then). "
        f"Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=ROWS)


def worth_table(study: Study) -> Table | Absent:
    """Whom each pair concerns, and what such people bought more than others."""
    params, form = study.params, study.context.form
    known = study.pairs[study.pairs["extra"].notna()].reset_index(drop=True)
    if known.empty:
        return nothing(study) if study.pairs.empty else unknown_worth(study)
    money, extra = study.margin.word, ["extra", "extra_low", "extra_high"]
    shares = ["rate", "rate_low", "rate_high", "other", "other_low", "other_high"]
    per_1000 = {f"per_1000{end}": (1000 * known[f"each{end}"]).where(known["reach"] >= PER) for end in ("", "_low", "_high")}
    frame = known.assign(reach=[masked(reach, params.min_group) for reach in known["reach"]], pair=_arrows(known), **per_1000)
    frame = frame[["pair", "antecedent", "consequent", "reach", "seen", *shares, *extra, *per_1000]]
    columns = {
        "pair": Column("A → B"),
        "reach": Column("Customers with A but not B", "count"),
        "rate": Column(f"Bought B within {params.horizon} days", "share", "rate_low", "rate_high"),
        "other": Column("Customers with neither A nor B who did", "share", "other_low", "other_high"),
        "extra": Column(f"Extra {money}, in all", "money", "extra_low", "extra_high"),
    }
    if frame["per_1000"].notna().any():
        columns["per_1000"] = Column("Per 1,000 of them", "money", "per_1000_low", "per_1000_high")
    per = f" (per 1,000 if it reaches at least {form.count(PER)})" if "per_1000" in columns else ""
    caption = (
        "The most certain pairs first; an association, not the effect of an offer. First column: customers of today who may be "
        f"contacted, as far as is known. Shares: of those with A but not B {params.horizon} days before the end, and of those with "
        f"neither, who bought B since without being asked. Extra {money}: how much more B brought in from the first than from as many "
        f"of the others, after returns, for all whom the pair reaches{per}; where the interval includes 0, that may be nothing. "
        f"Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=OPEN_ROWS)


def _arrows(pairs: pd.DataFrame) -> list[str]:
    return [f"{short(a, 60)} → {short(b, 60)}" for a, b in zip(pairs["name_a"], pairs["name_b"], strict=True)]


def _q(q: float, form: Format) -> str:
    return f"<{form.number(0.001, 3)}" if q < 0.001 else form.number(q, 3)


def substitutes_table(study: Study) -> Table | Absent:
    """Pairs that are together less than by chance."""
    apart, names, params, form = study.found.apart, study.names, study.params, study.context.form
    if apart.empty:
        return Absent(
            "Of the pairs that chance would put into at least 10 baskets, none is clearly sold together less often than that."
        )
    frame = apart.assign(
        pair=[
            f"{short(names.get(a, a), 60)} / {short(names.get(b, b), 60)}"
            for a, b in zip(apart["first"], apart["second"], strict=True)
        ],
        q=[_q(q, form) for q in apart["q_value"]],
    ).head(200)
    columns = {
        "pair": Column("Pair"),
        "n_both": Column("Baskets with both", "count"),
        "expected": Column("Expected by chance", "number"),
        "ratio": Column("Share of what chance would give", "share", "ratio_low", "ratio_high"),
        "q": Column("q"),
    }
    tested = form.count(study.found.tested_apart)
    caption = (
        f"Sold together less often than by chance, given how often{', when' if params.unit == 'order' else ''} and in what size of basket "
        f"each sells: bought instead of each other, or by different people. {form.count(len(apart))} of the {tested} pairs that chance "
        f"would put into at least 10 baskets; small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=10)


def bundles_table(study: Study) -> Table | Absent:
    """Sets of three that beat their best pair."""
    bundles, names, params, form = study.bundles, study.names, study.params, study.context.form
    if bundles.empty:
        return Absent("No three products are clearly sold together more often than their best pair explains.")
    frame = bundles.assign(
        bundle=[" + ".join(short(names.get(item, item), 50) for item in items) for items in bundles["items"]],
        q=[_q(q, form) for q in bundles["q_value"]],
        pair=[" + ".join(short(names.get(item, item), 50) for item in items) for items in bundles["best"]],
    )
    columns = {
        "bundle": Column("Bundle"),
        "n_both": Column("Baskets", "count"),
        "expected": Column("Expected from its best pair", "number"),
        "ratio": Column("Multiple of that", "number", "ratio_low", "ratio_high"),
        "q": Column("q"),
        "pair": Column("Best pair"),
    }
    caption = (
        "Three products that sell together more often than the strongest of their pairs explains, whichever of the three "
        "comes last (largest q of the three rules). Intervals treat what the pair explains as known. Small figures: "
        f"{form.share(params.level)} intervals."
    )
    return Table(caption, frame.drop(columns=["items", "best"]), columns, form, top=10)


def removed_table(study: Study) -> Table | Absent:
    """Longer rules that a shorter one explains."""
    names, params, form = study.names, study.params, study.context.form
    every = study.found.removed
    if every.empty:
        return Absent("No longer rule had to be removed.")
    removed = every.head(200)
    frame = pd.DataFrame(
        {
            "rule": [
                f"{' + '.join(short(names.get(a, a), 40) for a in items)} → {short(names.get(b, b), 40)}"
                for items, b in zip(removed["antecedent"], removed["consequent"], strict=True)
            ],
            "n_both": removed["n_both"],
            "confidence": removed["confidence"],
            "confidence_low": removed["confidence_low"],
            "confidence_high": removed["confidence_high"],
            "expected": removed["expected"],
            "parent": [" + ".join(short(names.get(a, a), 40) for a in items) for items in removed["parent"]],
            "q": [_q(q, form) for q in removed["q_value"]],
        }
    )
    columns = {
        "rule": Column("Rule"),
        "n_both": Column("Baskets", "count"),
        "expected": Column("Expected by the shorter rule", "number"),
        "confidence": Column("Confidence", "share", "confidence_low", "confidence_high"),
        "parent": Column("Shorter rule starts from"),
        "q": Column("q of the difference from it"),
    }
    caption = (
        f"{form.count(len(every))} longer {'rule looks strong but says' if len(every) == 1 else 'rules look strong but say'} no more than "
        f"a shorter one; {'it is' if len(every) == 1 else 'they are'} used for no list, and marked as redundant in the file of rules. "
        f"Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=8)


_MEASURES = {
    "hit_rate": ("Hit rate", "share"),
    "recall": ("Recall", "share"),
    "map": ("MAP", "number"),
    "hit_rate_all": ("Hit rate, all customers", "share"),
    "money": ("{money} on listed products bought", "money"),
    "coverage": ("Share of range offered", "share"),
}


def backtest_table(study: Study) -> Table | Absent:
    """Ours and the simple rules on later data, by measure."""
    test, form = study.backtest, study.context.form
    if isinstance(test, Absent):
        return test
    rows = []
    for method, label in labels(test.money).items():
        row: dict[str, Any] = {"method": label, "sent": "sent" if method == study.choice.method else ""}
        for measure in _MEASURES:
            score = test.score(method, measure)
            whole = test.customers / 1000 if measure == "money" else 1.0
            row |= {f"{measure}{end}": whole * score[of] for end, of in (("", "value"), ("_low", "low"), ("_high", "high"))}
        rows.append(row)
    columns = {"method": Column("List"), "sent": Column("Sent")} | {
        measure: Column(
            label.format(money=test.money.capitalize()),
            kind,
            *((f"{measure}_low", f"{measure}_high") if measure != "coverage" else ()),
        )
        for measure, (label, kind) in _MEASURES.items()
    }
    caption = (
        f"Lists of {test.k} as of {form.day(test.tested_on)}, compared with purchases in the following {test.horizon} days. Weights were "
        f"learnt on the period before. Hit rate, recall and MAP: the {form.count(test.active)} customers who bought in the period; the "
        f"rest: all {form.count(test.customers)}. {test.money.capitalize()}: on purchases of listed products, made without being asked. "
        f"Small figures: {form.share(test.level)} bootstrap intervals over customers."
    )
    frame = pd.DataFrame(rows).drop(columns=["coverage_low", "coverage_high"])
    return Table(caption, frame, columns, form)


def history_table(study: Study) -> Table | Absent:
    """Hit rate by how much is known of a customer."""
    test, params, form = study.backtest, study.params, study.context.form
    if isinstance(test, Absent):
        return test
    some = test.scores[(test.scores["measure"] == "hit_rate") & (test.scores["history"] != "all")]
    some = some[some["customers"] >= params.min_group]
    rows = []
    for history in some["history"].unique():
        part = some[some["history"] == history].set_index("method")
        row: dict[str, Any] = {"history": history, "customers": int(part["customers"].iloc[0])}
        for method in labels(test.money):
            row |= {
                method: part.at[method, "value"],
                f"{method}_low": part.at[method, "low"],
                f"{method}_high": part.at[method, "high"],
            }
        rows.append(row)
    columns = {"history": Column("Purchase occasions so far"), "customers": Column("Customers who bought", "count")} | {
        method: Column(label, "share", f"{method}_low", f"{method}_high") for method, label in labels(test.money).items()
    }
    caption = (
        f"Hit rate with {test.k} offers, by number of purchase occasions up to {form.day(test.tested_on)}, among customers who bought in "
        f"the following {test.horizon} days. "
        f"Small figures: {form.share(test.level)} intervals."
    )
    return Table(
        caption, pd.DataFrame(rows, columns=None if rows else ["history", "customers"]), columns if rows else None, form
    )


def cycles_table(study: Study) -> Table | Absent:
    """Products that people buy again, and how soon."""
    cycles, params, form = study.cycles, study.params, study.context.form
    if isinstance(cycles, Absent):
        return cycles
    frame = cycles.products
    if frame.empty:
        return Absent("No product was bought again often enough for its rhythm to be known.")
    movable = cycles.customers.groupby("product_id")["customer_id"].nunique()
    shown = frame.assign(
        product=[short(str(name), 60) for name in frame["name"]],
        movable=[masked(int(movable.get(product, 0)), params.min_group) for product in frame["product_id"]],
    )
    shown = shown[shown["rebuyers"] >= params.min_group].reset_index(drop=True)
    columns = {
        "product": Column("Product"),
        "buyers": Column("Buyers", "count"),
        "share_rebought": Column("Bought again", "share"),
        "median_gap": Column("Median days to the next purchase", "days", "gap_low", "gap_high"),
        "within": Column(f"Again within {cycles.horizon} days", "share", "within_low", "within_high"),
        "movable": Column("Customers who could be encouraged to buy again sooner", "count"),
    }
    caption = (
        "Repurchase cycles, products with the most repeat buyers first. The median covers completed gaps; “again within” also counts gaps "
        "still open. Customers who could be encouraged to buy again sooner: those whose own gap is half as long again as usual, who are "
        "due, and who may be contacted as far as is known. Small figures: "
        f"{form.share(cycles.level)} intervals."
    )
    return Table(caption, shown, columns, form, top=10)
