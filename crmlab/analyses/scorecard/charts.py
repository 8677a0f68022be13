"""Charts of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value import TIER_WORDS, TIERS
from crmlab.analyses.lifecycle import STATES
from crmlab.analyses.scorecard.goals import AT_RISK, EVEN, LIKELY, MISSED, UNKNOWN, WILL_MISS
from crmlab.analyses.scorecard.tables import NOT_COMPARED, no_changes, no_value
from crmlab.analyses.scorecard.words import worth
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.groups import OTHER
from crmlab.page.result import Chart
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.scorecard.study import Study
    from crmlab.page.format import Format

__all__ = ["bridge_chart", "forecast_chart", "goals_chart", "matrix_chart", "trends_chart", "value_chart"]


_SHORT = {
    "customers": "{Many} who {bought}",
    "new": "New {many}",
    "kept_share": "{Bought} again",
    "revenue": "{Revenue}",
    "margin": "Gross margin",
    "average_order_value": "Average {order}",
    "occasions_per_customer": "{Deeds} per {one}",
    "products_per_customer": "Products per {one}",
    "returned_share": "Returns",
    "lapsing": "Current, then lapsed",
    "won_back": "Lapsed, then came back",
    "contacted_share": "Contacted",
}
_STEPS = {
    "customers": "{many}",
    "occasions per customer": "{deeds} per\n{one}",
    "basket": "items per\n{deed}",
    "spend per occasion": "amount per\n{deed}",
}


_BAD = (MISSED, WILL_MISS, AT_RISK)


def goals_chart(study: Study) -> Chart | Absent:
    """What is expected of each goal against its target."""
    goals, form = study.goals, study.context.form
    if goals.empty:
        return Absent("")  # the table says so
    frame = goals[(goals["status"] != UNKNOWN) & goals["expected"].notna()].reset_index(drop=True)
    if frame.empty:
        return Absent("No goal has an expected value yet.")
    frame = frame.assign(**{f"{name}_of_target": frame[name] / frame["target"] for name in ("expected", "low", "high")})

    def draw(figure: Figure) -> None:
        right = max(float(frame["high_of_target"].fillna(frame["expected_of_target"]).max()), 1.1)
        left = min(float(frame["low_of_target"].fillna(frame["expected_of_target"]).min()), 0.9)
        span = right - left
        ax = marks.axes(figure.add_subplot(), form, x="share", y="none", lines="none")
        ax.set(xlim=(left - 0.02 * span, right + 0.3 * span), ylim=(-0.5, len(frame) - 0.25))
        ax.axvline(1, color=color("ink"), linewidth=1.2)
        box = {"facecolor": color("paper"), "edgecolor": "none", "pad": 1.5}
        for i, row in enumerate(frame.to_dict("records")):
            place = len(frame) - 1 - i
            token = "second" if row["status"] in _BAD else "muted" if row["status"] in (EVEN, LIKELY) else "accent"
            estimate = (row["expected_of_target"], row["low_of_target"], row["high_of_target"])
            marks.ranges(ax, place, estimate, token=token, size=8)
            words = f"{row['label']}, by {form.short_day(row['by'])}: {row['status']}"
            marks.label(ax, words, left, place, gap=(0, 14), token="ink", size=10, va="baseline", bbox=box)
            said = f"{form.write(row['expected'], row['kind'])} of {form.write(row['target'], row['kind'])}"
            marks.label(ax, said, right, place, gap=(8, 0), token=token, size=10)
        marks.label(ax, "target", 1, len(frame) - 0.45, gap=(4, 0), va="baseline")
        ax.set_xticks([tick for tick in ax.get_xticks() if left <= tick <= right])

    said = "; ".join(f"{row.label}: {row.status}" for row in frame.itertuples())
    return Chart(
        f"What is expected by each goal’s date, as a share of its target; bars are {form.share(study.params.level)} intervals of the "
        "forecast or trend. Goals that have already been reached, or whose date has passed, have no bar.",
        f"Dots with intervals against a line at the target. {said}.",
        draw,
        frame,
        (8, 0.62 * len(frame) + 0.55),
    )


def trends_chart(study: Study) -> Chart | Absent:
    """A small line for each measure."""
    board, form = study.board, study.context.form
    by = {line.key: line for line in study.lines}
    # A measure that was never anything (no returns, say) has no course.
    some = [
        by[key]
        for key in _SHORT
        if key in by and by[key].now is not None and len(by[key].past) > 2 and any(by[key].past.values())
    ]
    if not some:
        return Absent("There are fewer than three periods of history, so there is no course to draw.")
    rows = [
        {"measure": line.key, "period": board.spans[n].last, "value": value}
        for line in some
        for n, value in sorted(line.past.items())
    ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(-(-len(some) // 3), 3, squeeze=False)
        for ax, line in zip(axes.flat, some, strict=False):
            numbers = sorted(line.past)
            values = np.array([line.past[n] for n in numbers])
            low, high = min(0.0, float(values.min())), float(values.max())
            limits = (low - 0.06 * (high - low) if low < 0 else 0.0, high + 0.15 * (high - low or 1))
            marks.axes(ax, form, x="none", lines="base", xlim=(-0.3, board.now + 0.3), ylim=limits)
            ax.set_title(f"{board.speech(_SHORT[line.key])}: {form.write(line.now, line.kind)}")
            ax.plot(numbers, values, color=color("muted"), linewidth=1.6, clip_on=False)
            ax.plot(numbers[-1], values[-1], "o", color=color("accent"), markersize=6, clip_on=False)
            if board.year is not None and board.year in line.past:
                ax.plot(
                    board.year,
                    line.past[board.year],
                    "o",
                    markerfacecolor="none",
                    color=color("muted"),
                    markersize=6,
                    clip_on=False,
                )
            ax.set_yticks([0], ["0"])
        for ax in np.ravel(axes)[len(some) :]:
            ax.set_visible(False)

    year = "; the open dot is for a year ago" if board.year is not None else ""
    return Chart(
        f"The main measures by period, from {board.words(0)} until {board.words()}, each on its own scale from 0. The solid dot and the "
        f"number are for this period{year}.",
        f"Small line charts of {len(some)} measures over {len(board.spans)} periods.",
        draw,
        pd.DataFrame(rows),
        (8, 1.25 * -(-len(some) // 3)),
    )


def bridge_chart(study: Study) -> Chart | Absent:
    """How revenue got from then to now."""
    board, effects, form = study.board, study.effects, study.context.form
    if effects is None:
        return NOT_COMPARED
    total = effects[effects["part"] == "total"].iloc[0]
    middle = effects[effects["part"] != "total"][["part", "effect", "low", "high"]]
    ends = [{"part": name, "effect": total[name], "low": 0.0, "high": 0.0} for name in ("before", "after")]
    steps = pd.concat([pd.DataFrame(ends[:1]), middle, pd.DataFrame(ends[1:])], ignore_index=True)
    revenue = board.speech("{revenue}")
    caption = (
        f"How {revenue} moved from then to now: what each part would have contributed on its own, with "
        f"{form.share(study.params.level)} intervals. The parts add up exactly.{_greyed(middle)}"
    )
    then = "a year ago" if board.year is not None else "previous period"
    return _bridge(steps.assign(name=_named(steps, study)), (then, "this period"), revenue, caption, form)


def value_chart(study: Study) -> Chart | Absent:
    """How the value of the base got from then to now."""
    board, found, form = study.board, study.value, study.context.form
    if found is None or not len(found.changes):
        return no_changes(study)
    caption = (
        f"How the value of the {board.speech.words.one} base changed, with {form.share(study.params.level)} intervals. "
        f"Value: {worth(found, form)}."
    )
    then = "a year ago" if board.year is not None else "one period ago"
    # Where nobody can be new, nothing was acquired.
    steps = found.changes[(found.changes["part"] != "acquired") | (board.closed is None)].rename(columns={"value": "effect"})
    caption += _greyed(steps.iloc[1:-1])
    return _bridge(steps.assign(name=_named(steps, study)), (then, "today"), "a value", caption, form)


def _greyed(middle: pd.DataFrame) -> str:
    """What grey steps of a bridge are, as a sentence that follows; empty where there are none."""
    grey = (middle["low"] <= 0) & (middle["high"] >= 0)
    return " Grey parts could be chance: their intervals include 0." if grey.any() else ""


def _named(steps: pd.DataFrame, study: Study) -> list[str]:
    """What each step is called below its bar."""
    return [study.board.speech(_STEPS.get(part, part)) for part in steps["part"]]


def _bridge(steps: pd.DataFrame, ends: tuple[str, str], what: str, caption: str, form: Format) -> Chart:
    """From one amount to another, step by step: bars that add up.

    Parameters
    ----------
    steps : DataFrame
        part, name, effect, low, high; before and after in the first and last row.
    ends : (str, str)
        What first and last are called.
    what, caption : str
    form : Format
    """
    begin, end = float(steps["effect"].iloc[0]), float(steps["effect"].iloc[-1])
    middle = steps.iloc[1:-1]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none")
        names = [ends[0], *middle["name"], ends[1]]
        marks.bridge(ax, names, steps, form.money)

    moved = ", ".join(f"{' '.join(row.name.split())} {form.money(row.effect)}" for row in middle.itertuples())
    return Chart(
        caption,
        f"Bars that lead from {what} of {form.money(begin)} to {form.money(end)}: {moved}.",
        draw,
        steps.drop(columns="name").reset_index(drop=True),
        (8, 3.2),
    )


def forecast_chart(study: Study) -> Chart | Absent:
    """Past quarters and the next four, with their intervals."""
    ahead, form = study.ahead, study.context.form
    if ahead is None:
        return Absent(study.why["ahead"])
    seen = ahead.past["spend"].to_numpy()
    rows = ahead.quarters[(ahead.quarters["measure"] == "spend") & (ahead.quarters["quarter"] > 0)].sort_values("quarter")
    n = len(seen)
    frame = pd.DataFrame(
        {
            "last": [*ahead.past["last"], *rows["last"]],
            "revenue": [*seen, *rows["expected"]],
            "low": [*[np.nan] * n, *rows["low"]],
            "high": [*[np.nan] * n, *rows["high"]],
            "kind": [*["seen"] * n, *["forecast"] * len(rows)],
        }
    )

    def draw(figure: Figure) -> None:
        top = 1.1 * max(float(rows["high"].max()), float(seen.max() if n else 0), 1e-9)
        ax = marks.axes(figure.add_subplot(), form, y="none", lines="base", ylim=(0, top))
        ax.bar(range(n), seen, 0.62, color=color("accent"))
        later = np.arange(n, n + len(rows))
        ax.bar(later, rows["expected"], 0.62, color=color("fill"))
        ax.vlines(later, rows["low"], rows["high"], color=color("ink"), linewidth=1.2)
        for k, value in enumerate([*seen, *rows["expected"]]):
            # At the foot of the bar where the line of an interval stands above it: there it would be read as the end of the interval.
            marks.label(ax, form.money(value), k, value if k < n else 0, gap=(0, 4), token="ink", ha="center", va="baseline")
        days = [form.short_day(day).rsplit(" ", 1) for day in frame["last"]]
        ax.set_xticks(range(len(frame)), ["\n".join(day) for day in days], fontsize=9)

    return Chart(
        f"{study.context.told('Revenue before returns')} by quarter, each labelled with its last day: actual (strong colour) and forecast "
        f"(faint colour, with {form.share(study.params.level)} interval). {ahead.said}",
        f"Bars for {n} past quarters and {len(rows)} to come; the next is expected to be {form.money(float(rows['expected'].iloc[0]))}.",
        draw,
        frame,
        (8, 3.0),
    )


def matrix_chart(study: Study) -> Chart | Absent:
    """Where the value lies: tiers against states."""
    if study.value is None:
        return no_value(study)
    frame, form = study.value.matrix, study.context.form
    shown = frame[(frame["tier"] != OTHER) & (frame["state"] != "")]
    if shown.empty:
        return no_value(study)
    most = float(shown["value"].max()) or 1.0

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none")
        ax.set(xlim=(-0.5, len(STATES) - 0.5), ylim=(len(TIERS) - 0.5, -0.5))
        for row in shown.to_dict("records"):
            x, y = STATES.index(row["state"]), list(TIERS).index(row["tier"])
            ax.barh(y + 0.34, row["value"] / most * 0.86, 0.13, left=x - 0.43, color=color("accent"))
            marks.label(ax, form.money(row["value"]), x - 0.43, y - 0.08, token="ink", size=11, weight="bold")
            marks.label(ax, form.count(row["customers"]), x - 0.43, y + 0.15)
            ax.plot([x - 0.43, x + 0.43], [y - 0.42] * 2, color=color("rule"), linewidth=0.8)
        ax.set_xticks(range(len(STATES)), STATES, color=color("ink"))
        ax.set_yticks(range(len(TIERS)), [f"{tier}: {TIER_WORDS[tier]}" for tier in TIERS], color=color("ink"))
        ax.xaxis.tick_top()

    top = shown.sort_values(["value", "tier", "state"], ascending=[False, True, True], kind="stable").iloc[0]
    return Chart(
        f"Value (bold, and bars) and {study.board.speech.words.many} by value tier and lifecycle state. "
        "Groups that are too small to show are left blank.",
        f"A grid of tiers and states; most value, {form.money(top['value'])}, lies with tier {top['tier']}, {top['state']}.",
        draw,
        shown.reset_index(drop=True),
        (8, 2.9),
    )
