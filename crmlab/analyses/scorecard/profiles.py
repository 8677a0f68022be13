"""How each segment differs from everybody else: what they buy, when, where and how they came, by standardised differences."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.rfm import SEGMENTS, segmented
from crmlab.analyses.scorecard.board import Board
from crmlab.collecting import collect
from crmlab.history.breakdowns import dimensions
from crmlab.history.orders import between
from crmlab.history.words import ROUNDS, YEAR
from crmlab.page.groups import OTHER, small_groups
from crmlab.page.texts import titled

if TYPE_CHECKING:
    import ibis

    from crmlab.models.btyd.special import Array

__all__ = ["profiles_of"]


MOST = 10  # values of one dimension that are told apart
LEAST = 0.2  # standardised difference from which one is worth a word: "small" by Cohen's rule of thumb
SAID = 3  # differences told of a segment


def profiles_of(board: Board) -> pd.DataFrame:
    """Compare each segment with all other customers in everything that the data set says of them over a year.

    Parameters
    ----------
    board : Board

    Returns
    -------
    DataFrame
        segment, customers, trait, words (the trait as people say it), inside, outside (means), difference (standardised), low, high,
        kept (whether it is told). Ordered by segment and size of difference. Empty where there is nothing to compare.

    Notes
    -----
    The difference of means of a segment and of the rest over the root of the mean of both variances. Intervals are Bonferroni's over
    all segments and traits; told are the largest of those that exclude 0 and are at least 0.2 in size. What segments are made of
    (how often, how lately, how much in all) is no trait, nor is the season, which follows from how lately people bought.

    References
    ----------
    Austin (2009), Balance diagnostics for comparing the distribution of baseline covariates, Statistics in Medicine 28, equations 1
    and 2. Hedges and Olkin (1985), Statistical methods for meta-analysis, chapter 5, for the variance.
    """
    people = segmented(board.history.summary())[["customer_id", "segment", "occasions", "total_spend"]]
    few = set(small_groups(people["segment"].value_counts(), board.params.min_group))
    people = people.assign(segment=[OTHER if name in few else name for name in people["segment"]])
    traits = _traits(board, people["customer_id"])
    columns = ["segment", "customers", "trait", "words", "inside", "outside", "difference", "low", "high", "kept"]
    names = [segment.name for segment in SEGMENTS if (people["segment"] == segment.name).any()]
    if not traits or len(names) < 2:
        return pd.DataFrame(columns=columns)
    from scipy import special

    z = float(special.ndtri(1 - (1 - board.params.level) / (2 * len(names) * len(traits))))
    rows: list[list[object]] = []
    for name in names:
        member = (people["segment"] == name).to_numpy()
        for words, values in traits.items():
            found = _compared(values, member, z)
            if found is not None:
                rows.append([name, int(member.sum()), words, _said(words, found[2]), *found, False])
    frame = pd.DataFrame(rows, columns=columns)
    frame["rank"] = -frame["difference"].abs().round(9)
    order = {name: k for k, name in enumerate(names)}
    frame = frame.sort_values(
        ["segment", "rank", "trait"], key=lambda s: s.map(order) if s.name == "segment" else s, ignore_index=True
    )
    sure = ((frame["low"] > 0) | (frame["high"] < 0)) & (frame["difference"].abs() >= LEAST)
    place = sure.groupby(frame["segment"]).cumsum()
    return frame.assign(kept=sure & (place <= SAID)).drop(columns="rank")


def _compared(values: Array, member: Any, z: float) -> tuple[float, float, float, float, float] | None:
    known = ~np.isnan(values)
    a, b = values[known & member], values[known & ~member]
    if min(len(a), len(b)) < 5:
        return None
    spread = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    if spread <= 1e-12:
        return None
    d = float((a.mean() - b.mean()) / spread)
    error = float(np.sqrt(1 / len(a) + 1 / len(b) + d**2 / (2 * (len(a) + len(b)))))
    return float(a.mean()), float(b.mean()), d, d - z * error, d + z * error


def _said(trait: str, difference: float) -> str:
    more, less = ("more", "less") if trait.startswith(("often ", "of ")) else ("higher", "lower")
    return f"{more if difference > 0 else less} {trait}"


def _traits(board: Board, ids: pd.Series) -> dict[str, Array]:
    """Trait → value of each customer, missing where it is not known."""
    history = board.history
    start = max(history.as_of - dt.timedelta(days=YEAR - 1), history.first)
    orders = between(history.orders, start, None)
    bought = orders.filter(orders["amount"] > 0)
    traits: dict[str, Array] = {}

    def shares(rows: ibis.Table, name: str, weight: str | None, form: str) -> None:
        amount = rows[weight] if weight else 1
        table = rows.mutate(_what=rows[name].cast("string"), _size=amount)
        sizes = table.group_by("customer_id", "_what").agg(size=table["_size"].sum().cast("float64"))
        found = collect(sizes, ("customer_id", "_what"))
        wide = (
            found.dropna(subset=["_what"]).pivot_table("size", "customer_id", "_what", "sum", fill_value=0.0).sort_index(axis=1)
        )
        largest = wide.sum().sort_values(ascending=False, kind="stable").index[:MOST]
        whole = wide.sum(axis=1)
        of = wide[largest].div(whole.where(whole > 0), axis=0).reindex(ids)
        if len(largest) > 1:
            traits.update({form.format(what): of[what].to_numpy(float) for what in sorted(largest)})

    if history.lines is not None and history.products is not None and "category" in history.products.columns:
        lines = between(history.lines, start, None)
        lines = lines.filter(lines["amount"] > 0).join(history.products.select("product_id", "category"), "product_id")
        shares(lines, "category", "amount", "of {}")
    if "channel" in orders.columns:
        shares(bought, "channel", None, "often by {}")
    day = bought["ordered_at"]
    shares(
        bought.mutate(_when=(day.day_of_week.index() >= 5).ifelse("at the weekend", "on working days")),
        "_when",
        None,
        "often {}",
    )
    if not day.type().is_date():
        hours = bought.mutate(_when=(day.hour() >= 17).ifelse("after 5 pm", "before 5 pm"))
        shares(hours, "_when", None, "often {}")
    means = bought.group_by("customer_id").agg(mean=bought["amount"].sum().cast("float64") / bought.count())
    sizes = collect(means, "customer_id").set_index("customer_id")
    each = "amount per gift" if board.speech.words is ROUNDS else "spend per order"
    traits[each] = np.log(sizes["mean"].reindex(ids).to_numpy(float).clip(min=0.01))
    return traits | _attributes(board, ids)


def _attributes(board: Board, ids: pd.Series) -> dict[str, Array]:
    """Attributes of customers with few values, such as a country or how they came."""
    people = board.history.customers
    if people is None:
        return {}
    kinds = dimensions(board.history.data)
    names = [name for name, kind in kinds.items() if kind == "customer" and name not in ("acquired_at", "contactable")]
    out: dict[str, Array] = {}
    if not names:
        return {}
    frame = collect(people.select("customer_id", *names), "customer_id").set_index("customer_id").reindex(ids)
    for name in names:
        values = frame[name].astype(object)
        counts = values.dropna().astype(str).value_counts().sort_index().sort_values(ascending=False, kind="stable")
        if not 2 <= len(counts) <= 4 * MOST:
            continue
        text = values.where(values.notna()).astype(str)
        for what in counts.index[:MOST]:
            flag = np.where(values.notna(), (text == what).astype(float), np.nan)
            out[f"often with {titled(name)} {what}"] = flag
    return out
