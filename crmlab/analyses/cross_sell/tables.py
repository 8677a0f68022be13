"""Tables of cross-sell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.lists import labels
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.history.context import masked
from crmlab.page.exhibits import Absent
from crmlab.page.result import Column, Table

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
PER = 1000  # customers, below which nothing is said per 1,000 of them
SHORT = 34  # letters of a name in a chart
NOTHING = Absent("Nothing to report: no pair of products is sold together surely more often than by chance.")


def nothing(study: Study) -> Absent:
    """Why there is no pair to act on: none holds, or none of those that hold can be offered."""
    pairs = len(study.found.pairs) // 2
    if not pairs:
        return NOTHING
    return Absent(
        f"Of {study.context.form.count(pairs)} pairs sold together beyond chance, none can be offered: "
        "their products are not in the range now."
    )


def unknown_worth(study: Study) -> Absent:
    """Why nothing is said of what pairs bring, although there are pairs."""
    params = study.params
    return Absent(
        f"What the pairs above bring is not known: the history is too short to watch people for {params.horizon} days, or fewer than "
        f"{params.min_group} had the one product of a pair and not the other."
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
        ("Of one item only (kept in the base rates)", form.count(int((np.diff(baskets.matrix.indptr) == 1).sum()))),
        (f"Of more than {params.max_items} items (cut down to so many)", form.count(baskets.capped)),
        (f"Items ({params.level_of}) in {baskets.min_count} baskets or more", form.count(len(baskets.items) - baskets.dropped)),
        ("Rarer items, not looked at", form.count(baskets.dropped)),
        ("Minimum count of a pair", f"{form.count(baskets.min_count)} baskets"),
        ("Pairs tested, those never seen together among them", form.count(study.found.tested)),
        ("Null", "items sell as often, and baskets are as large, as they were; all else is chance"),
        ("Correction", f"Benjamini–Hochberg; shown where q is under {ALPHA:g}"),
    ]
    frame = pd.DataFrame(rows, columns=["what", "value"])
    return Table(
        "What was counted and tested. Counts, not estimates.",
        frame,
        {"what": Column("What"), "value": Column("How many, or how")},
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
        "confidence": Column("B where A is", "share", "confidence_low", "confidence_high"),
        "lift": Column("Lift", "number", "lift_low", "lift_high"),
        "q": Column("q"),
        "lift_first": Column("First half", "number", "lift_first_low", "lift_first_high"),
        "lift_second": Column("Second half", "number", "lift_second_low", "lift_second_high"),
    }
    caption = (
        f"Pairs sold together beyond chance, each once, first what surely brings most {study.margin.word} (see the next table). Last "
        "columns: "
        "lift in either "
        f"half of the history (– where one was not sold then). Small figures: {form.share(params.level)} intervals."
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
        "reach": Column("Customers with A, not B", "count"),
        "rate": Column("Of such, bought B", "share", "rate_low", "rate_high"),
        "other": Column("With neither", "share", "other_low", "other_high"),
        "extra": Column(f"Extra {money}, in all", "money", "extra_low", "extra_high"),
    }
    if frame["per_1000"].notna().any():
        columns["per_1000"] = Column("Per 1,000 of them", "money", "per_1000_low", "per_1000_high")
    per = f" (per 1,000 where it reaches at least {form.count(PER)})" if "per_1000" in columns else ""
    caption = (
        "An association, not the effect of an offer. Reach: customers of today who have A, not B, and may be contacted as far as is "
        f"known. Shares: of those who had A and not B {params.horizon} days before the end, and of those who had neither, who bought B "
        f"since, without being asked. Extra {money}: what the first brought with B in these days over what as many of the others did, "
        f"after returns, in all whom the pair reaches{per}. "
        f"Where its interval includes 0, do not act on the pair. Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=ROWS)


def _arrows(pairs: pd.DataFrame) -> list[str]:
    return [f"{short(a, 60)} → {short(b, 60)}" for a, b in zip(pairs["name_a"], pairs["name_b"], strict=True)]


def _q(q: float, form: Format) -> str:
    return f"<{form.number(0.001, 3)}" if q < 0.001 else form.number(q, 3)


def substitutes_table(study: Study) -> Table | Absent:
    """Pairs that are together less than by chance."""
    apart, names, params, form = study.found.apart, study.names, study.params, study.context.form
    if apart.empty:
        return Absent("No pair that chance would put into 10 baskets is sold together surely less often than that.")
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
        "expected": Column("By chance", "number"),
        "ratio": Column("Of what chance gives", "share", "ratio_low", "ratio_high"),
        "q": Column("q"),
    }
    tested = form.count(study.found.tested_apart)
    caption = (
        f"Sold together less than by chance, given how often{', when' if params.unit == 'order' else ''} and in how large baskets each "
        f"sells: one in place of the other, or bought by different people. {form.count(len(apart))} pairs of {tested} that chance would "
        f"put into at least 10 baskets; small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=10)


def bundles_table(study: Study) -> Table | Absent:
    """Sets of three that beat their best pair."""
    bundles, names, params, form = study.bundles, study.names, study.params, study.context.form
    if bundles.empty:
        return Absent("No three products are sold together surely more often than their best pair explains.")
    frame = bundles.assign(
        bundle=[" + ".join(short(names.get(item, item), 50) for item in items) for items in bundles["items"]],
        q=[_q(q, form) for q in bundles["q_value"]],
        pair=[" + ".join(short(names.get(item, item), 50) for item in items) for items in bundles["best"]],
    )
    columns = {
        "bundle": Column("Bundle"),
        "n_both": Column("Baskets", "count"),
        "expected": Column("By its best pair", "number"),
        "ratio": Column("Times that", "number", "ratio_low", "ratio_high"),
        "q": Column("q"),
        "pair": Column("Best pair"),
    }
    caption = (
        "Three products that sell together more often than the strongest of their pairs explains, whichever of the three "
        "comes last (largest q of the three rules). Intervals take what the pair explains as known. Small figures: "
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
        "parent": Column("Shorter rule: from"),
        "q": Column("q of the difference"),
    }
    caption = (
        f"{form.count(len(every))} longer rules that look strong and say no more than a shorter one: left out "
        f"of all lists. "
        f"Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=8)


_MEASURES = {
    "hit_rate": ("Hit rate", "share"),
    "recall": ("Recall", "share"),
    "map": ("MAP", "number"),
    "hit_rate_all": ("Hit rate, all customers", "share"),
    "money": ("{money} of it", "money"),
    "coverage": ("Range offered", "share"),
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
    columns = {"method": Column("List"), "sent": Column("Which is sent")} | {
        measure: Column(
            f"{label}@{test.k}" if measure in ("hit_rate", "recall", "map") else label.format(money=test.money.capitalize()),
            kind,
            *((f"{measure}_low", f"{measure}_high") if measure != "coverage" else ()),
        )
        for measure, (label, kind) in _MEASURES.items()
    }
    caption = (
        f"Lists of {test.k} as of {form.day(test.tested_on)}, held against purchases of the {test.horizon} days after it. "
        f"Weights were learnt "
        f"on the period before. Hit rate, recall and MAP: {form.count(test.active)} customers who bought in the period; the "
        f"rest: all "
        f"{form.count(test.customers)}. {test.money.capitalize()} of it: of purchases that were on the list, which nobody had asked for. "
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
    columns = {"history": Column("Occasions so far"), "customers": Column("Who bought", "count")} | {
        method: Column(label, "share", f"{method}_low", f"{method}_high") for method, label in labels(test.money).items()
    }
    caption = (
        f"Hit rate@{test.k} by purchase occasions on {form.day(test.tested_on)}, of customers who bought in the "
        f"{test.horizon} days after. "
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
        return Absent("No product was bought again often enough to know its rhythm.")
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
        "median_gap": Column("Median days to the next", "days", "gap_low", "gap_high"),
        "within": Column(f"Again within {cycles.horizon} days", "share", "within_low", "within_high"),
        "movable": Column("Customers who could move", "count"),
    }
    caption = (
        "Repurchase cycles, the products with the most rebuyers first. The median is of gaps that ended; “again within” "
        "counts gaps still "
        "open too. Customers who could move: their own gap is half as long again as usual, they are due, and may be contacted as far as is "
        "known. Small figures: "
        f"{form.share(cycles.level)} intervals."
    )
    return Table(caption, shown, columns, form, top=10)
