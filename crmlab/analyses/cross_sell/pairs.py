"""Which pairs sell together beyond chance, in either half of the history; bundles, substitutes and what was removed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.baskets import MAX_ITEMS, Baskets, basket_matrix, basket_months
from crmlab.history.orders import between
from crmlab.models.baskets.association import redundant, rules
from crmlab.models.baskets.frequent import itemsets
from crmlab.models.baskets.substitution import substitutes
from crmlab.models.intervals import LEVEL, proportion_intervals

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

__all__ = ["ALPHA", "FEWEST", "ONE_IN", "Found", "as_file", "bundles_of", "halves", "learn_pairs", "sold_together"]


ALPHA = 0.05  # of the corrected tests
ONE_IN, FEWEST = 500, 10  # minimum count where none is given: one basket in so many, and at least so many
LEAST_EXPECTED = 10.0  # baskets in which chance would put two items together, before their absence says anything


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What was counted and tested.

    Attributes
    ----------
    baskets : Baskets
    rules : DataFrame
        Every rule, both directions, with ``redundant``: of :func:`crmlab.models.baskets.association.redundant`.
    apart : DataFrame
        Pairs sold together less than expected: of :func:`crmlab.models.baskets.substitution.substitutes`.
    tested, tested_apart : int
        Pairs in either family.
    """

    baskets: Baskets
    rules: pd.DataFrame = field(repr=False)
    apart: pd.DataFrame = field(repr=False)
    tested: int
    tested_apart: int

    @property
    def pairs(self) -> pd.DataFrame:
        """Pairs that are together more often than by chance (both directions), strongest first."""
        two = self.rules["parent"].isna() & (self.rules["q_value"] < ALPHA)
        found = self.rules[two & (self.rules["n_both"] > self.rules["expected"])].reset_index(drop=True)
        return found.assign(antecedent=[items[0] for items in found["antecedent"]])

    @property
    def longer(self) -> pd.DataFrame:
        """Rules with more than one item in their antecedent that no shorter rule explains."""
        three = self.rules["parent"].notna() & ~self.rules["redundant"]
        return self.rules[three & (self.rules["n_both"] > self.rules["expected"])].reset_index(drop=True)

    @property
    def removed(self) -> pd.DataFrame:
        """Longer rules that look strong by themselves and that a significant shorter rule explains."""
        known = {((a,), b) for a, b in zip(self.pairs["antecedent"], self.pairs["consequent"], strict=True)}
        flagged = self.rules[self.rules["redundant"] & (self.rules["lift_low"] > 1)]
        explained = [key in known for key in zip(flagged["parent"], flagged["consequent"], strict=True)]
        return flagged[explained].reset_index(drop=True)


def sold_together(
    past: History,
    *,
    unit: str = "order",
    level: str = "product",
    min_count: int | None = None,
    max_items: int = MAX_ITEMS,
    interval: float = LEVEL,
) -> Found:
    """Count baskets, make rules and test them: what is sold together more often than by chance. The owner of pairs.

    Parameters
    ----------
    past : History
        Needs order lines; categories come from products.
    unit, level, max_items
        As :func:`crmlab.analyses.cross_sell.baskets.basket_matrix` takes them.
    min_count : int, optional
        Default: one basket in 500, and at least 10.
    interval : float
        Level of the intervals.

    Returns
    -------
    Found
        ``pairs``, ``longer`` (rules of three that no pair explains), ``removed`` (those that a pair explains), ``apart`` (sold together
        less often than by chance) and ``rules`` are frames.

    Raises
    ------
    MissingTableError
        There are no order lines.
    ParameterError
        ``level`` is "category" where no product has one.

    Examples
    --------
    >>> import crmlab
    >>> lines = [(str(n), f"c{n % 40}", "2024-01-15", item, 1, 5.0)
    ...          for n in range(80) for item in (("tea", "cup") if n < 40 else ("jam",))]
    >>> names = ["order_id", "customer_id", "ordered_at", "product_id", "quantity", "amount"]
    >>> history = crmlab.History(crmlab.open_dataset({"order_lines": pd.DataFrame(lines, columns=names)}))
    >>> sold_together(history).pairs[["antecedent", "consequent", "n_both"]].values.tolist()
    [['cup', 'tea', 40], ['tea', 'cup', 40]]
    """
    lines = past.data.order_lines
    baskets = basket_matrix(lines, unit, level, 1, products=past.products, max_items=max_items)
    least, counts = _counted(baskets, min_count, 3)
    found = redundant(rules(counts, level=interval), ALPHA)
    months = basket_months(lines, baskets) if unit == "order" else None
    apart = substitutes(baskets, LEAST_EXPECTED, min_count=least, periods=months, alpha=ALPHA, level=interval)
    kept = int((counts["items"].map(len) == 1).sum()) if len(counts) else 0
    described = replace(baskets, min_count=least, dropped=len(baskets.items) - kept)
    return Found(
        baskets=described,
        rules=found,
        apart=apart,
        tested=kept * (kept - 1) // 2,
        tested_apart=int(apart.attrs["tested"]),
    )


def _counted(baskets: Baskets, min_count: int | None, longest: int) -> tuple[int, pd.DataFrame]:
    """The minimum count, and the itemsets with so many items at most."""
    least = min_count if min_count is not None else max(FEWEST, baskets.n // ONE_IN)
    return least, itemsets(baskets, least, longest)


def learn_pairs(data: Dataset, until: dt.date) -> pd.DataFrame:
    """Learn which products go together from what was known on a day: what the offers are made from.

    Parameters
    ----------
    data : Dataset
    until : datetime.date

    Returns
    -------
    DataFrame
        antecedent, consequent (product ids), lift_low: significant pairs, both directions.
    """
    found = rules(_counted(basket_matrix(between(data.order_lines, None, until)), None, 2)[1])
    kept = found[(found["q_value"] < ALPHA) & (found["n_both"] > found["expected"])].reset_index(drop=True)
    return kept.assign(antecedent=[items[0] for items in kept["antecedent"]])[["antecedent", "consequent", "lift_low"]]


def halves(past: History, pairs: pd.DataFrame, baskets: Baskets, first: dt.date, interval: float) -> pd.DataFrame:
    """Lift of each pair in the first and in the second half of the history, with intervals: does it last?

    Parameters
    ----------
    past : History
    pairs : DataFrame
        antecedent and consequent.
    baskets : Baskets
        In which they were found.
    first : datetime.date
        First day with an order line.
    interval : float

    Returns
    -------
    DataFrame
        In the order of ``pairs``: lift_first, lift_first_low, lift_first_high, and the same of lift_second; missing where an item
        was not sold in that half.
    """
    middle = first + (past.as_of - first) / 2
    lines, out = past.data.order_lines, {}
    for name, start, end in (("first", None, middle), ("second", middle + dt.timedelta(days=1), None)):
        some = basket_matrix(
            between(lines, start, end), baskets.unit, baskets.level, products=past.products, max_items=baskets.max_items
        )
        out[name] = _lifts(some, pairs, interval).add_prefix(f"lift_{name}")
    return pd.concat(list(out.values()), axis=1)


def _lifts(baskets: Baskets, pairs: pd.DataFrame, interval: float) -> pd.DataFrame:
    place = {item: column for column, item in enumerate(baskets.items)}
    columns = baskets.matrix.tocsc()
    counts = np.diff(columns.indptr)
    nothing = {"": np.nan, "_low": np.nan, "_high": np.nan}
    rows = []
    for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True):
        if a not in place or b not in place:
            rows.append(nothing)
            continue
        i, j = place[a], place[b]
        both = len(
            np.intersect1d(
                columns.indices[columns.indptr[i] : columns.indptr[i + 1]],
                columns.indices[columns.indptr[j] : columns.indptr[j + 1]],
                assume_unique=True,
            )
        )
        rarer, base = min(counts[i], counts[j]), max(counts[i], counts[j]) / baskets.n
        low, high = proportion_intervals(both, rarer, interval)
        rows.append({"": both / rarer / base, "_low": float(low) / base, "_high": float(high) / base})
    return pd.DataFrame(rows, columns=list(nothing), index=pairs.index)


def bundles_of(found: Found) -> pd.DataFrame:
    """Sets of three that sell together more often than their best pair explains, whichever of the three comes last.

    Returns
    -------
    DataFrame
        items (sorted tuple), n_both, expected (baskets, under the pair that explains most), ratio with ratio_low and ratio_high,
        q_value (the largest of the three rules), best (the pair that explains most); sorted by ratio_low.
    """
    three = found.rules[found.rules["antecedent"].map(len) == 2]
    if three.empty:
        return pd.DataFrame(columns=["items", "n_both", "expected", "ratio", "ratio_low", "ratio_high", "q_value", "best"])
    sets = [tuple(sorted((*a, b))) for a, b in zip(three["antecedent"], three["consequent"], strict=True)]
    ratio = three["n_both"] / three["expected"]
    bounds = three[["confidence_low", "confidence_high"]].div(three["confidence"], axis=0)
    best = [tuple(sorted((*parent, b))) for parent, b in zip(three["parent"], three["consequent"], strict=True)]
    frame = pd.DataFrame(
        {
            "items": sets,
            "n_both": three["n_both"].to_numpy(),
            "expected": three["expected"].to_numpy(),
            "ratio": ratio.to_numpy(),
            "ratio_low": (ratio * bounds["confidence_low"]).to_numpy(),
            "ratio_high": (ratio * bounds["confidence_high"]).to_numpy(),
            "q_value": three["q_value"].to_numpy(),
            "best": best,
        }
    )
    frame = frame.sort_values(["items", "expected", "best"], ascending=[True, False, True], kind="stable")
    worst = frame.groupby("items", sort=True)["q_value"].max()
    kept = frame.drop_duplicates("items").assign(q_value=lambda f: f["items"].map(worst))
    kept = kept[(kept["q_value"] < ALPHA) & (kept["ratio"] > 1)]
    return kept.sort_values(["ratio_low", "items"], ascending=[False, True], kind="stable", ignore_index=True)


def as_file(found: Found, names: Mapping[str, str]) -> pd.DataFrame:
    """Rules for a file: those that hold, and longer ones that were removed; sets written with a plus, with names where they have one."""
    two = found.pairs
    kept = pd.concat([two.assign(antecedent=[(a,) for a in two["antecedent"]]), found.longer, found.removed], ignore_index=True)
    kept = kept if len(kept) else found.rules.head(0)
    return pd.DataFrame(
        {
            "antecedent": [" + ".join(map(str, items)) for items in kept["antecedent"]],
            "consequent": kept["consequent"].astype(str),
            "antecedent_name": [" + ".join(names.get(item, item) for item in items) for items in kept["antecedent"]],
            "consequent_name": [names.get(item, item) for item in kept["consequent"]],
            **{
                {"n": "n_baskets"}.get(name, name): kept[name].to_numpy()
                for name in kept.columns
                if name not in ("antecedent", "consequent", "parent", "redundant", "conviction")
            },
            # One that is never without the other has an infinite conviction, which a file cannot hold everywhere.
            "conviction": kept["conviction"].where(np.isfinite(kept["conviction"].astype(float)), None),
            "parent": [" + ".join(map(str, items)) if isinstance(items, tuple) else "" for items in kept["parent"]],
            "redundant": kept["redundant"].astype(bool),
        }
    )
