"""Charts of cross-sell: three offers, hit rates, opportunities, lift against what chance allows, affinities and their network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.cross_sell.lists import NAMES, PERSONAL, labels
from crmlab.analyses.cross_sell.tables import NOTHING, nothing, short
from crmlab.history.context import masked
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.cross_sell.study import Study

__all__ = [
    "BARS",
    "HEAT_ITEMS",
    "LINKS",
    "MOST_DOTS",
    "ROUNDS",
    "WIDTH",
    "FloatArray",
    "components",
    "heatmap_chart",
    "hits_chart",
    "layout",
    "lift_chart",
    "network_chart",
    "offers_chart",
    "opportunity_chart",
]


MOST_DOTS = 400
HEAT_ITEMS = 22
BARS = 10


_SHADES = {PERSONAL: "accent", "buy_again": "second", "best_sellers": "muted", "segment_best_sellers": "ink"}
LINKS = 30
FEWEST_LINKS = 15  # pairs, from which on pictures of how they hang together say more than their table
ROUNDS = 300
WIDTH = 8.0
FloatArray = npt.NDArray[np.float64]


def offers_chart(study: Study) -> Chart | Absent:
    """The three pairs that surely bring most: extra money in all, with interval."""
    best, params, form = study.best.reset_index(drop=True), study.params, study.context.form
    if best.empty:
        return Absent(
            "No pair is certain to bring in more: none remains after correction, or people with one product are not shown to have bought "
            "more of the other than people with neither, or the history is too short to say."
        )
    frame = best[["name_a", "name_b", "reach", "seen", "rate", "other", "extra", "extra_low", "extra_high"]].copy()
    money = study.margin.word
    frame["reach"] = [masked(int(reach), params.min_group) for reach in best["reach"]]

    def draw(figure: Figure) -> None:
        top = float(max(best["extra_high"].max(), 0))
        bottom = float(min(best["extra_low"].min(), 0))
        span = (top - bottom) or 1.0

        def tick(value: float) -> str:
            return form.tick(value, ax.get_xticks()) if value <= top + 0.05 * span else ""

        ax = marks.axes(
            figure.add_subplot(),
            form,
            x=tick,
            y="none",
            lines="base",
            xlabel=f"extra {money} in {params.horizon} days, all of them together",
        )
        places = np.arange(len(best))[::-1]
        ax.axvline(0, color=color("muted"), linewidth=1)
        marks.intervals(ax, places, (best["extra"], best["extra_low"], best["extra_high"]))
        for y, row in zip(places, best.to_dict("records"), strict=True):
            reach = masked(int(row["reach"]), params.min_group)
            count = reach if isinstance(reach, str) else form.count(reach)
            words = f"{short(row['name_b'], 40)}, for the {count} who have {short(row['name_a'], 40)}"
            marks.label(ax, words, bottom, y + 0.28, gap=(5, 0), token="ink", size=10)
            extra = form.measured(row["extra"], row["extra_low"], row["extra_high"], "money")
            marks.label(ax, str(extra), top + 0.02 * span, y)
        ax.set(xlim=(bottom - 0.02 * span, top + 0.42 * span), ylim=(-0.5, len(best) - 0.3))

    first = best.iloc[0]
    return Chart(
        f"{_count(len(best))}: extra {money} in all, with {form.share(params.level)} "
        f"interval{'' if len(best) == 1 else 's'}. This is how much more {money} the second product brought in over {params.horizon} days "
        "from people who had only the first than from as many people who had neither: what goes with the pair, not what an offer adds.",
        f"Dots with intervals for {len(best)} pairs; the first, {short(first['name_b'], 40)} for owners of "
        f"{short(first['name_a'], 40)}, stands at {form.money(first['extra'])} in all.",
        draw,
        frame,
        (8, 0.75 + 0.72 * len(best)),
    )


def _count(offers: int) -> str:
    return (
        "One pair" if offers == 1 else f"{'Two' if offers == 2 else 'Three'} pairs, those most certain to bring in most first"
    )


def hits_chart(study: Study) -> Chart | Absent:
    """Hit rate by length of list, ours against simple rules."""
    test, form = study.backtest, study.context.form
    if isinstance(test, Absent):
        return test
    sent, named = study.choice.method, labels(test.money)
    # Four lines can be told apart; the one that is sent is among them.
    shades = (
        _SHADES
        if sent in _SHADES
        else {sent if method == "segment_best_sellers" else method: shade for method, shade in _SHADES.items()}
    )
    frame = test.curve[test.curve["method"].isin(shades)].reset_index(drop=True)
    frame.insert(1, "label", frame["method"].map(named))

    def draw(figure: Figure) -> None:
        top = float(frame["high"].max()) * 1.05 or 1.0
        ax = marks.axes(figure.add_subplot(), form, y="share", xlim=(1, 14), ylim=(0, top))
        ax.set(xlabel="products on the list", ylabel="bought at least one")
        ends = {}
        for method, shade in shades.items():
            some = frame[frame["method"] == method]
            estimate = (some["value"], some["low"], some["high"])
            line = marks.band(ax, some["k"], estimate, token=shade, alpha=0.13, width=2.2 if method == sent else 1.5)
            line.set_linestyle("-" if method == PERSONAL else (0, (4, 2)) if method == "buy_again" else (0, (1, 1.5)))
            ends[named[method]] = (float(some["value"].iloc[-1]), shade)
        marks.end_labels(ax, ends, 10.15, 0.075 * top)
        ax.axvline(test.k, color=color("rule"), linewidth=1)
        ax.set_xticks(range(1, 11))

    used = frame[(frame["method"] == sent) & (frame["k"] == min(test.k, 10))].iloc[0]
    return Chart(
        f"Of {form.count(test.active)} customers who bought in the {test.horizon} days after {form.day(test.tested_on)}, "
        f"the share who bought "
        f"at least one product of a list made on that day, by length of list ({form.share(test.level)} bands).",
        f"Rising curves of the share of customers who bought from their list; what is sent, {NAMES[sent]}, reaches "
        f"{form.share(float(used['value']))} with {int(used['k'])} products.",
        draw,
        frame,
        (8, 3.2),
    )


def opportunity_chart(study: Study) -> Chart | Absent:
    """Customers who have A and not B, by pair."""
    pairs, form = study.pairs, study.context.form
    if pairs.empty:
        return nothing(study)
    some = pairs[pairs["reach"] >= study.params.min_group].head(BARS).reset_index(drop=True)
    frame = some[["name_a", "name_b", "reach", "lift", "lift_low", "lift_high"]]

    def draw(figure: Figure) -> None:
        most = float(some["reach"].max()) if len(some) else 1.0
        ax = marks.axes(figure.add_subplot(), form, x="none", lines="none", xlim=(0, 1.12 * most))
        places = np.arange(len(some))[::-1]
        ax.barh(places, some["reach"], height=0.62, color=color("fill"))
        for y, reach in zip(places, some["reach"], strict=True):
            marks.label(ax, form.count(reach), reach + 0.01 * most, y, token="ink")
        names = [f"{short(a, 30)} → {short(b, 30)}" for a, b in zip(some["name_a"], some["name_b"], strict=True)]
        ax.set_yticks(places, names, color=color("ink"), fontsize=9)

    return Chart(
        "Customers who have A but not B and, as far as is known, may be contacted: who the strongest pairs apply to. Counts as of today.",
        f"Bars of the number of customers who have one product of a pair but not the other, for {len(some)} pairs.",
        draw,
        frame,
        (8, 0.6 + 0.32 * max(len(some), 1)),
    )


def lift_chart(study: Study) -> Chart | Absent:
    """Times expected against expected count, with what chance allows; only pairs that hold after correction."""
    from crmlab.models.baskets.association import envelope

    if study.found.pairs.empty:
        return NOTHING
    pairs, form = study.found.pairs, study.context.form
    once = pairs[[a < b for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True)]].head(MOST_DOTS)
    ratio = once["n_both"] / once["expected"]
    frame = pd.DataFrame(
        {
            "first": [study.names.get(item, item) for item in once["antecedent"]],
            "second": [study.names.get(item, item) for item in once["consequent"]],
            "n_both": once["n_both"],
            "expected": once["expected"],
            "ratio": ratio,
            "ratio_low": ratio * once["lift_low"] / once["lift"],
            "ratio_high": ratio * once["lift_high"] / once["lift"],
        }
    ).reset_index(drop=True)
    low, high = max(float(frame["expected"].min()) / 1.5, 0.05), float(frame["expected"].max()) * 1.5
    grid = np.geomspace(low, high, 60)
    bound = envelope(grid, study.found.tested) / grid

    def draw(figure: Figure) -> None:
        top = float(frame["ratio_high"].max()) * 1.2
        ax = marks.axes(figure.add_subplot(), form, x="number", y="number", xscale="log", yscale="log")
        ax.set(xlabel="baskets expected by chance", ylabel="actual baskets as a multiple of expected")
        ax.fill_between(grid, 1 / top, np.minimum(bound, top), color=color("fill"), alpha=0.7, linewidth=0)
        ax.axhline(1, color=color("muted"), linewidth=1)
        many, x = len(frame) > 200, frame["expected"]
        ax.vlines(x, frame["ratio_low"], frame["ratio_high"], color=color("ink"), linewidth=0.9, alpha=0.5, rasterized=many)
        ax.plot(x, frame["ratio"], "o", color=color("accent"), markersize=4.5, rasterized=many)
        ax.set(xlim=(low, high), ylim=(0.7, top))
        marks.label(ax, "what chance allows", high / 1.05, 0.78, token="ink", ha="right", va="baseline")

    return Chart(
        f"How many times as many baskets contain both as expected by chance, against the number expected "
        f"({form.share(study.params.level)} intervals). "
        f"The pale area shows what chance alone would reach once in {form.count(study.found.tested)} pairs. Only "
        f"{f'the {form.count(MOST_DOTS)} most certain' if len(pairs) // 2 > MOST_DOTS else 'the'} pairs that remain after correction are "
        "shown. This is not the lift of the table: it also allows for how large baskets are.",
        f"Dots with intervals for {len(frame)} pairs of products, above an area of what chance allows.",
        draw,
        frame,
        (8, 3.4),
    )


def heatmap_chart(study: Study) -> Chart | Absent:
    """Affinities among the products of the strongest pairs, in an order that puts what goes together side by side."""
    if study.found.pairs.empty:
        return NOTHING
    if len(study.found.pairs) // 2 < FEWEST_LINKS:
        return Absent()  # the table tells them all
    form = study.context.form
    items, table, shown = _affinities(study.found.pairs)
    frame = pd.DataFrame(
        [
            {"first": study.names.get(a, a), "second": study.names.get(b, b), "ratio": table[i, j]}
            for i, a in enumerate(items)
            for j, b in enumerate(items)
            if i < j and shown[i, j]
        ],
        columns=["first", "second", "ratio"],
    )
    names = [short(study.names.get(item, item), 24) for item in items]
    top = float(np.log(table[shown]).max()) if shown.any() else 1.0

    def draw(figure: Figure) -> None:
        count, limits = len(items), (-0.5, len(items) - 0.5)
        ax = marks.axes(figure.add_subplot(), form, lines="none", xlim=limits, ylim=limits[::-1], aspect="equal")
        for i in range(count):
            for j in range(count):
                marks.cell(ax, j, i, 1, token="wash", size=(0.94, 0.94))
                if i != j and shown[i, j]:
                    strength = round(0.2 + 0.8 * float(np.log(table[i, j])) / max(top, 1e-9), 2)
                    marks.cell(ax, j, i, strength, size=(0.94, 0.94))
        ax.set_yticks(range(count), [f"{name}  {k + 1}" for k, name in enumerate(names)], fontsize=9)
        ax.set_xticks(range(count), [str(k + 1) for k in range(count)], fontsize=9)

    return Chart(
        "Products of the strongest pairs, placed side by side where they go together. A coloured square is a pair that remains "
        "after correction; the darker it is, the more baskets contain both than by chance, up to "
        f"{form.number(math.exp(top))} times as many. Intervals are in the table of "
        f"pairs.",
        f"A square grid of {len(items)} products with coloured squares where two sell together more often than by chance.",
        draw,
        frame,
        (8, 1.0 + 0.22 * len(items)),
    )


def _affinities(pairs: pd.DataFrame) -> tuple[list[str], Any, Any]:
    """Items of the strongest pairs in the order of a clustering, times expected, and which pairs hold."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    kept: list[str] = []
    for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True):
        new = [item for item in (a, b) if item not in kept]
        if len(kept) + len(new) <= HEAT_ITEMS:
            kept += new
    kept = sorted(kept)
    place = {item: k for k, item in enumerate(kept)}
    table = np.ones((len(kept), len(kept)))
    shown = np.zeros(table.shape, dtype=bool)
    inside = pairs[pairs["antecedent"].isin(place) & pairs["consequent"].isin(place)]
    i, j = inside["antecedent"].map(place).to_numpy(), inside["consequent"].map(place).to_numpy()
    table[i, j] = (inside["n_both"] / inside["expected"]).to_numpy()
    shown[i, j] = True
    if len(kept) > 2:
        distance = np.round(1 / (1 + np.log(np.maximum(table, 1))), 9)
        np.fill_diagonal(distance, 0)
        near = squareform(distance, checks=False)
        order = hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(hierarchy.linkage(near, "average"), near))
        kept = [kept[k] for k in order]
        table, shown = table[np.ix_(order, order)], shown[np.ix_(order, order)]
    return kept, table, shown


def network_chart(study: Study) -> Chart | Absent:
    """Draw the 30 strongest pairs."""
    if study.found.pairs.empty:
        return NOTHING
    if len(study.found.pairs) // 2 < FEWEST_LINKS:
        return Absent()  # the table tells them all
    pairs = study.found.pairs
    once = pairs[[a < b for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True)]].head(LINKS)
    frame = pd.DataFrame(
        {
            "first": [study.names.get(item, item) for item in once["antecedent"]],
            "second": [study.names.get(item, item) for item in once["consequent"]],
            "lift": once["lift"],
            "lift_low": once["lift_low"],
            "lift_high": once["lift_high"],
        }
    ).reset_index(drop=True)
    links = list(zip(once["antecedent"], once["consequent"], strict=True))
    groups = components(links)
    places, height = layout(groups, links)
    strength = (once["lift_low"] / once["lift_low"].max()).to_numpy()

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        for (a, b), thick in zip(links, strength, strict=True):
            (x1, y1), (x2, y2) = places[a], places[b]
            ax.plot([x1, x2], [y1, y2], color=color("accent"), linewidth=1 + 3 * float(thick), alpha=0.45, zorder=1)
        for item, (x, y) in places.items():
            ax.plot([x], [y], "o", color=color("accent"), markersize=6, zorder=2)
            # On the side away from what it is joined with.
            near = [places[b if a == item else a][1] for a, b in links if item in (a, b)]
            up, va = (7, "bottom") if y >= sum(near) / len(near) else (-7, "top")
            marks.label(ax, short(study.names.get(item, item), 24), x, y, gap=(0, up), token="ink", ha="center", va=va)
        ax.set(xlim=(0, WIDTH), ylim=(-0.1, height))
        ax.set_axis_off()

    most = max(len(group) for group in groups)
    return Chart(
        f"The {len(links)} strongest pairs: lines join products that sell together; the thicker the line, the more certain the lift (its "
        "lower bound). Positions mean nothing except closeness within a group.",
        f"A network of {len(places)} products in {len(groups)} groups joined by lines, the largest group of {most} products.",
        draw,
        frame,
        (WIDTH, max(1.2, height)),
    )


def components(links: list[tuple[str, str]]) -> list[list[str]]:
    """Groups of items that hang together, largest first, each sorted.

    Examples
    --------
    >>> components([("a", "b"), ("c", "d"), ("b", "e")])
    [['a', 'b', 'e'], ['c', 'd']]
    """
    root: dict[str, str] = {}

    def top(item: str) -> str:
        while root.setdefault(item, item) != item:
            item = root[item]
        return item

    for a, b in links:
        first, second = sorted((top(a), top(b)))
        root[second] = first
    groups: dict[str, list[str]] = {}
    for item in sorted(root):
        groups.setdefault(top(item), []).append(item)
    return sorted(groups.values(), key=lambda group: (-len(group), group))


def layout(groups: list[list[str]], links: list[tuple[str, str]]) -> tuple[dict[str, tuple[float, float]], float]:
    """Places of items in rows of groups, and the height of the whole, in inches."""
    places: dict[str, tuple[float, float]] = {}
    x, y, row = 0.0, 0.0, 0.0
    for group in groups:
        wide, high = _size(len(group))
        if x + wide > WIDTH + 1e-9:
            x, y, row = 0.0, y + row, 0.0
        inner = _springs(group, links)
        margin_x, margin_y = 0.85, 0.35
        for item, (u, v) in zip(group, inner, strict=True):
            places[item] = (x + margin_x + u * (wide - 2 * margin_x), y + margin_y + v * (high - 2 * margin_y))
        x, row = x + wide, max(row, high)
    return places, y + row


def _size(items: int) -> tuple[float, float]:
    if items == 2:
        return WIDTH / 3, 1.0
    if items <= 4:
        return WIDTH / 2, 1.5
    return WIDTH, min(1.6 + 0.28 * items, 6.0)


def _springs(group: list[str], links: list[tuple[str, str]]) -> FloatArray:
    """Places in the unit square: linked items pull, all push (Fruchterman and Reingold 1991), from a circle on."""
    n = len(group)
    if n == 2:
        return np.array([[0.2, 0.15], [0.8, 0.85]])
    place = {item: k for k, item in enumerate(group)}
    joined = np.zeros((n, n))
    for a, b in links:
        if a in place and b in place:
            joined[place[a], place[b]] = joined[place[b], place[a]] = 1.0
    angle = 2 * np.pi * np.arange(n) / n
    at = np.column_stack([np.cos(angle), np.sin(angle)])
    ideal = 2.0 / np.sqrt(n)
    for step in range(ROUNDS):
        gap = at[:, None] - at[None]
        far = np.maximum(np.sqrt((gap**2).sum(axis=2)), 1e-6)
        force = ((ideal**2 / far**2 - joined * far / ideal)[:, :, None] * gap).sum(axis=1)
        size = np.maximum(np.sqrt((force**2).sum(axis=1)), 1e-9)
        heat = 0.15 * (1 - step / ROUNDS)
        at = np.round(at + force / size[:, None] * np.minimum(size, heat)[:, None], 9)
    low, high = at.min(axis=0), at.max(axis=0)
    return np.asarray((at - low) / np.maximum(high - low, 1e-9))
