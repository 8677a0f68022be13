"""The strongest pairs as a network: groups of products that hang together, laid out side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.analyses.cross_sell_views import short
from crmlab.result import Chart
from crmlab.style import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.cross_sell import Parts

LINKS = 30
ROUNDS = 300
WIDTH = 8.0

FloatArray = npt.NDArray[np.float64]


def network_chart(parts: Parts) -> Chart:
    """Draw the 30 strongest pairs."""
    pairs = parts.found.pairs
    once = pairs[[a < b for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True)]].head(LINKS)
    frame = pd.DataFrame(
        {
            "first": [parts.names.get(item, item) for item in once["antecedent"]],
            "second": [parts.names.get(item, item) for item in once["consequent"]],
            "lift": once["lift"], "lift_low": once["lift_low"], "lift_high": once["lift_high"],
        }
    ).reset_index(drop=True)  # fmt: skip
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
            above = y >= sum(near) / len(near)
            ax.annotate(
                short(parts.names.get(item, item), 24), (x, y), (0, 7 if above else -7), textcoords="offset points", ha="center",
                va="bottom" if above else "top", fontsize=9, color=color("ink"), zorder=3,
            )  # fmt: skip
        ax.set_xlim(0, WIDTH)
        ax.set_ylim(-0.1, height)
        ax.axis("off")

    most = max(len(group) for group in groups)
    return Chart(
        f"The {len(links)} strongest pairs: products joined where they sell together; the thicker the line, the surer the lift (its lower "
        "bound). Place on the picture means nothing but closeness within a group.",
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
