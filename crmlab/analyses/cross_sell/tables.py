"""Tables of cross-sell, and the rules as a file."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.backtesting import LABELS
from crmlab.analyses.cross_sell.pairs import ALPHA
from crmlab.history.context import masked
from crmlab.models.intervals import proportion_intervals
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.params import Params
    from crmlab.analyses.cross_sell.study import Parts
    from crmlab.page.format import Format

__all__ = [
    "ROWS",
    "SHORT",
    "backtest_table",
    "bundles_table",
    "cycles_table",
    "history_table",
    "pairs_table",
    "removed_table",
    "rules_file",
    "scope",
    "short",
    "substitutes_table",
    "tables_of",
    "worth_table",
]


ROWS = 15  # of pairs shown
SHORT = 34  # letters of a name in a chart


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


def tables_of(parts: Parts, first: dt.date, end: dt.date, form: Format, params: Params) -> dict[str, Table]:
    """Every table that the data allow, by name."""
    out = {"scope": scope(parts, first, end, form, params)}
    if len(parts.pairs):
        out["pairs"] = pairs_table(parts, form, params)
        if parts.pairs["extra"].notna().any():
            out["worth"] = worth_table(parts, form, params)
    if len(parts.found.apart):
        out["substitutes"] = substitutes_table(parts, form, params)
    if len(parts.bundles):
        out["bundles"] = bundles_table(parts, form, params)
    if len(parts.found.removed):
        out["removed"] = removed_table(parts, form, params)
    if parts.backtest is not None:
        out["backtest"] = backtest_table(parts, form)
        out["by_history"] = history_table(parts, form, params)
    if parts.cycles is not None and len(parts.cycles.products):
        out["cycles"] = cycles_table(parts, form, params)
    return out


def scope(parts: Parts, first: dt.date, end: dt.date, form: Format, params: Params) -> Table:
    """What was counted, and how it was tested."""
    baskets = parts.found.baskets
    what = "one order" if params.unit == "order" else "all that one customer bought"
    rows = [
        ("A basket is", what),
        ("History", f"{form.short_day(first)} to {form.short_day(end)}"),
        ("Baskets", form.count(baskets.n)),
        ("Of one item only (kept in the base rates)", form.count(int((np.diff(baskets.matrix.indptr) == 1).sum()))),
        (f"Of more than {params.max_items} items (cut down to so many)", form.count(baskets.capped)),
        (f"Items ({params.level_of}) in {baskets.min_count} baskets or more", form.count(len(baskets.items) - baskets.dropped)),
        ("Rarer items, not looked at", form.count(baskets.dropped)),
        ("Minimum count of a pair", f"{form.count(baskets.min_count)} baskets"),
        ("Pairs tested, those never seen together among them", form.count(parts.found.tested)),
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


def pairs_table(parts: Parts, form: Format, params: Params) -> Table:
    """Pairs on which one can act: how surely they go together, and whether it lasts."""
    low, high = proportion_intervals(parts.pairs["n_consequent"], parts.pairs["n"], params.level)
    frame = parts.pairs.assign(
        base=parts.pairs["n_consequent"] / parts.pairs["n"],
        base_low=low,
        base_high=high,
        reach=[masked(reach, params.min_group) for reach in parts.pairs["reach"]],
        pair=_arrows(parts),
        q=[_q(q, form) for q in parts.pairs["q_value"]],
    ).drop(columns=["parent", "redundant"])
    columns = {
        "pair": Column("A → B"),
        "n_both": Column("Baskets", "count"),
        "base": Column("Base rate of B", "share", "base_low", "base_high"),
        "confidence": Column("B where A is", "share", "confidence_low", "confidence_high"),
        "lift": Column("Lift", "number", "lift_low", "lift_high"),
        "q": Column("q"),
        "lift_first": Column("First half", "number", "lift_first_low", "lift_first_high"),
        "lift_second": Column("Second half", "number", "lift_second_low", "lift_second_high"),
    }
    caption = (
        "Pairs sold together beyond chance, each once, first what surely brings most (see the next table). Last columns: "
        "lift in either "
        f"half of the history (– where one was not sold then). Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=ROWS)


def worth_table(parts: Parts, form: Format, params: Params) -> Table:
    """Whom each pair concerns, and what such people bought more than others."""
    known = parts.pairs[parts.pairs["extra"].notna()].reset_index(drop=True)
    frame = known.assign(
        reach=[masked(reach, params.min_group) for reach in known["reach"]], pair=_arrows(parts, known)
    )[["pair", "antecedent", "consequent", "reach", "seen", "rate", "rate_low", "rate_high", "other", "other_low", "other_high",
       "extra", "extra_low", "extra_high"]]  # fmt: skip
    columns = {
        "pair": Column("A → B"),
        "reach": Column("Customers with A, not B", "count"),
        "rate": Column("Of such, bought B", "share", "rate_low", "rate_high"),
        "other": Column("With neither", "share", "other_low", "other_high"),
        "extra": Column("Extra margin per 1,000", "money", "extra_low", "extra_high"),
    }
    caption = (
        "Reach: customers of today who have A, not B, and may be contacted as far as is known. Shares: of those who had A and not B "
        f"{params.horizon} days before the end, and of those who had neither, who bought B since, without being asked. Extra margin: "
        "what the first earned us with B in these days over what the others did, per 1,000 people, after returns. Small figures: "
        f"{form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=ROWS)


def _arrows(parts: Parts, pairs: pd.DataFrame | None = None) -> list[str]:
    some = parts.pairs if pairs is None else pairs
    return [f"{short(a, 60)} → {short(b, 60)}" for a, b in zip(some["name_a"], some["name_b"], strict=True)]


def _q(q: float, form: Format) -> str:
    return f"<{form.number(0.001, 3)}" if q < 0.001 else form.number(q, 3)


def substitutes_table(parts: Parts, form: Format, params: Params) -> Table:
    """Pairs that are together less than by chance."""
    apart = parts.found.apart
    names = parts.names
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
    tested = form.count(parts.found.tested_apart)
    caption = (
        f"Sold together less than by chance, given how often{', when' if params.unit == 'order' else ''} and in how large baskets each "
        f"sells: one in place of the other, or bought by different people. {form.count(len(apart))} pairs of {tested} that chance would "
        f"put into at least 10 baskets; small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=10)


def bundles_table(parts: Parts, form: Format, params: Params) -> Table:
    """Sets of three that beat their best pair."""
    names = parts.names
    frame = parts.bundles.assign(
        bundle=[" + ".join(short(names.get(item, item), 50) for item in items) for items in parts.bundles["items"]],
        q=[_q(q, form) for q in parts.bundles["q_value"]],
        pair=[" + ".join(short(names.get(item, item), 50) for item in items) for items in parts.bundles["best"]],
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


def removed_table(parts: Parts, form: Format, params: Params) -> Table:
    """Longer rules that a shorter one explains."""
    names = parts.names
    removed = parts.found.removed.head(200)
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
        f"{form.count(len(parts.found.removed))} longer rules that look strong and say no more than a shorter one: left out "
        f"of all lists. "
        f"Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, frame, columns, form, top=8)


_MEASURES = {
    "hit_rate": ("Hit rate", "share"),
    "recall": ("Recall", "share"),
    "map": ("MAP", "number"),
    "hit_rate_all": ("Hit rate, all customers", "share"),
    "margin": ("Margin per 1,000 customers", "money"),
    "coverage": ("Range offered", "share"),
}


def backtest_table(parts: Parts, form: Format) -> Table:
    """Ours and the simple rules on later data, by measure."""
    test = parts.backtest
    assert test is not None
    every = test.scores[test.scores["history"] == "all"]
    rows = []
    for method in LABELS:
        some = every[every["method"] == method].set_index("measure")
        row: dict[str, Any] = {"method": LABELS[method]}
        for measure in _MEASURES:
            row |= {
                measure: some.at[measure, "value"],
                f"{measure}_low": some.at[measure, "low"],
                f"{measure}_high": some.at[measure, "high"],
            }
        rows.append(row)
    columns = {"method": Column("List")} | {
        measure: Column(
            f"{label}@{test.k}" if measure in ("hit_rate", "recall", "map") else label,
            kind,
            f"{measure}_low",
            f"{measure}_high",
        )
        for measure, (label, kind) in _MEASURES.items()
    }
    caption = (
        f"Lists of {test.k} as of {form.day(test.tested_on)}, held against purchases of the {test.horizon} days after it. "
        f"Weights were learnt "
        f"on the period before. Hit rate, recall and MAP: {form.count(test.active)} customers who bought in the period; the "
        f"rest: all "
        f"{form.count(test.customers)}. Small figures: {form.share(test.level)} bootstrap intervals over customers."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def history_table(parts: Parts, form: Format, params: Params) -> Table:
    """Hit rate by how much is known of a customer."""
    test = parts.backtest
    assert test is not None
    some = test.scores[(test.scores["measure"] == "hit_rate") & (test.scores["history"] != "all")]
    some = some[some["customers"] >= params.min_group]
    rows = []
    for history in some["history"].unique():
        part = some[some["history"] == history].set_index("method")
        row: dict[str, Any] = {"history": history, "customers": int(part["customers"].iloc[0])}
        for method in LABELS:
            row |= {
                method: part.at[method, "value"],
                f"{method}_low": part.at[method, "low"],
                f"{method}_high": part.at[method, "high"],
            }
        rows.append(row)
    columns = {"history": Column("Occasions so far"), "customers": Column("Who bought", "count")} | {
        method: Column(label, "share", f"{method}_low", f"{method}_high") for method, label in LABELS.items()
    }
    caption = (
        f"Hit rate@{test.k} by purchase occasions on {form.day(test.tested_on)}, of customers who bought in the "
        f"{test.horizon} days after. "
        f"Small figures: {form.share(test.level)} intervals."
    )
    return Table(
        caption, pd.DataFrame(rows, columns=None if rows else ["history", "customers"]), columns if rows else None, form
    )


def cycles_table(parts: Parts, form: Format, params: Params) -> Table:
    """Products that people buy again, and how soon."""
    assert parts.cycles is not None
    frame = parts.cycles.products
    movable = parts.cycles.customers.groupby("product_id")["customer_id"].nunique()
    shown = frame.assign(
        product=[short(str(name), 60) for name in frame["name"]],
        movable=[masked(int(movable.get(product, 0)), params.min_group) for product in frame["product_id"]],
    )
    shown = shown[shown["rebuyers"] >= params.min_group].reset_index(drop=True)
    columns = {
        "product": Column("Product"),
        "buyers": Column("Buyers", "count"),
        "share_rebought": Column("Bought again", "share", "share_low", "share_high"),
        "median_gap": Column("Median days to the next", "days", "gap_low", "gap_high"),
        "within": Column(f"Again within {parts.cycles.horizon} days", "share", "within_low", "within_high"),
        "movable": Column("Customers to move", "count"),
    }
    caption = (
        "Repurchase cycles, the products with the most rebuyers first. The median is of gaps that ended; “again within” "
        "counts gaps still "
        "open too. Customers to move: their own gap is half as long again as usual, and they are due. Small figures: "
        f"{form.share(parts.cycles.level)} intervals."
    )
    return Table(caption, shown, columns, form, top=10)


def rules_file(parts: Parts) -> pd.DataFrame:
    """Rules for a file: those that hold, and longer ones that were removed; sets written with a plus."""
    rules = parts.found.rules
    two, more = parts.found.pairs, parts.found.longer
    kept = pd.concat([two.assign(antecedent=[(a,) for a in two["antecedent"]]), more, parts.found.removed], ignore_index=True)
    kept = kept if len(kept) else rules.head(0)
    names = parts.names
    return pd.DataFrame(
        {
            "antecedent": [" + ".join(map(str, items)) for items in kept["antecedent"]],
            "consequent": kept["consequent"].astype(str),
            "antecedent_name": [" + ".join(names.get(item, item) for item in items) for items in kept["antecedent"]],
            "consequent_name": [names.get(item, item) for item in kept["consequent"]],
            **{
                name: kept[name].to_numpy()
                for name in kept.columns
                if name not in ("antecedent", "consequent", "parent", "redundant", "conviction")
            },
            # One that is never without the other has an infinite conviction, which a file cannot hold everywhere.
            "conviction": kept["conviction"].where(np.isfinite(kept["conviction"].astype(float)), None),
            "parent": [" + ".join(map(str, items)) if isinstance(items, tuple) else "" for items in kept["parent"]],
            "redundant": kept["redundant"].astype(bool),
        }
    )
