"""Charts of the next campaign: the way to the list, power, balance before sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.campaigns.balance import BALANCE_ALPHA
from crmlab.analyses.campaigns.design.tables import NOT_NOW, acts_of, names_of, points, points_measured, said, steps
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.texts import shortened
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.campaigns.design.study import Study

__all__ = ["balance_chart", "ledger_chart", "power_chart"]


_MOST_SHOWN = 18  # covariates in the picture of balance
_LONGEST = 44  # letters of a label


def ledger_chart(study: Study) -> Chart:
    """A waterfall from all customers to the list."""
    pulled, form = study.pulled, study.context.form
    frame = steps(pulled, study.params.min_group)
    frame = frame[(frame["removed"] > 0) | (frame["stage"] == "start")]
    end = pd.DataFrame([{"stage": "list", "step": "On the list", "removed": 0, "left": pulled.size}])
    frame = pd.concat([frame, end], ignore_index=True)

    def draw(figure: Figure) -> None:
        whole = frame["stage"].isin(("start", "list"))
        ax = marks.axes(figure.add_subplot(), form, x="none", lines="none", xlim=(0, 1.12 * pulled.start))
        counted = zip(whole, frame["left"], frame["removed"], strict=True)
        places = marks.bars(
            ax,
            [shortened(said(step, study), _LONGEST) for step in frame["step"]],
            frame["left"].where(whole, frame["removed"]).tolist(),
            [form.count(left) if all_ else f"−{form.count(removed)}" for all_, left, removed in counted],
            left=frame["left"].mask(whole, 0).tolist(),
            tokens=["accent" if stage == "list" else "fill" for stage in frame["stage"]],
            inks=["ink" if all_ else "muted" for all_ in whole],
        )
        for place, edge in list(zip(places, frame["left"] + frame["removed"], strict=True))[1:]:
            ax.plot([edge] * 2, [place + 0.31, place + 0.69], color=color("rule"), linewidth=0.8)

    return Chart(
        f"How the list was made: how many {study.words.many} were removed at each step, and why. Everybody is counted once.",
        f"A waterfall from {form.count(pulled.start)} {study.words.many} in {len(frame) - 2} steps to {form.count(pulled.size)} "
        "on the list.",
        draw,
        frame,
        (8, 0.36 * len(frame) + 0.3),
    )


def power_chart(study: Study) -> Chart:
    """Chance that the test shows a rise, by its size, with the rise from which it pays (where known) and the one that is expected."""
    params, form = study.params, study.context.form
    frame = study.curves
    pays = None if study.pays is None else study.pays[1]
    marked = [] if pays is None else [(pays, "pays from here")]
    expected, called = study.terms.possible(study.expected.value), names_of(study)
    expects = points_measured(expected, study.expected.low, study.expected.high, form)

    def draw(figure: Figure) -> None:
        right = 100 * float(frame["effect"].max())
        name = f"true rise in the share who {acts_of(study).act}, in percentage points"
        ax = marks.axes(figure.add_subplot(), form, lines="base", xlim=(0, right), ylim=(0, 1.18), xlabel=name)
        ax.set_ylabel("chance that the test shows it")
        low, high = study.expected.low, study.expected.high
        if low is not None and high is not None:
            ax.axvspan(100 * max(low, 0.0), min(100 * high, right), color=color("second"), alpha=0.07, linewidth=0)
        # The mark to the left is written higher, so that its text runs above the other's line.
        lines = sorted([*marked, (expected, "expected")])
        for count in sorted(frame["cells"].unique()):
            some = frame[frame["cells"] == count]
            planned = count == study.several
            token, width, side, gap, ha = (
                ("accent", 2.4, 1, (8, -4), "left") if planned else ("muted", 1.2, -1, (-8, 2), "right")
            )
            ax.plot(100 * some["effect"], some["power"], color=color(token), linewidth=width)
            x, y = some[["effect", "power"]].iloc[_free(some, tuple(value for value, _ in lines), side)]
            alone = planned and len(study.plan.cells) == count == 1
            text = f"“{shortened(called[study.plan.cells[0]], 20)}”" if alone else f"{count} cell{'s' if count > 1 else ''}"
            text += (", planned" if study.advised else ", the best") if planned else ""
            marks.label(ax, text, 100 * x, y, gap=gap, token=token, ha=ha, va="baseline")
        ax.axhline(params.power, color=color("rule"), linewidth=0.8)
        for (value, words), height in zip(lines, (1.13, 1.05), strict=False):
            if 0 < 100 * value <= right:
                top = 1.0 if height > 1.1 else 0.91
                ax.axvline(100 * value, ymax=top, color=color("second"), linewidth=1.2, linestyle=(0, (3, 2)))
                marks.label(ax, words, 100 * value, height, gap=(4, 0), token="second")
        ax.set_yticks([0, 0.5, params.power, 1.0], [form.share(tick, 0) for tick in (0, 0.5, params.power, 1)])

    before = ", before the cost of the offer" if study.unpriced else ""
    loses = (
        f" The test pays from a rise of {points(pays, form)}{before}; to the left of that, it loses money."
        if pays is not None
        else ""
    )
    band = "; the band is its interval" if study.expected.low is not None and study.expected.high is not None else ""
    loses += f" Expected is a rise of {expects}{band}."
    rounds = f", {study.plan.rounds} rounds together" if study.plan.rounds > 1 else ""
    return Chart(
        f"How likely the test is to show a real rise, by the size of the rise, with all {form.count(len(study.people))} "
        f"{study.words.many}{rounds}, at "
        f"{form.share(params.level)} confidence.{loses}",
        f"Curves that rise with the effect; the test passes {form.share(params.power)} at "
        f"{points(study.shown, form) if study.shown is not None else 'no effect drawn'}.",
        draw,
        frame,
        (8, 3.4),
    )


def _free(curve: pd.DataFrame, marks: tuple[float, ...], side: int) -> int:
    """Place on a curve whose label, to its right (1) or left (-1), stays clear of the marks."""
    right = float(curve["effect"].max())
    best, widest = 0, -1.0
    for power in (0.25, 0.35, 0.5, 0.15, 0.65) if side > 0 else (0.62, 0.72, 0.5, 0.85, 0.4):
        at = int((curve["power"] - power).abs().to_numpy().argmin())
        x = float(curve["effect"].iloc[at])
        room = min([side * (mark - x) for mark in marks if side * (mark - x) > -0.02 * right] + [right - x if side > 0 else x])
        if room > (0.22 if side > 0 else 0.12) * right:
            return at
        if room > widest:
            best, widest = at, room
    return best


def balance_chart(study: Study) -> Chart | Absent:
    """A love plot: standardised differences of each cell from its control, and how far chance alone goes."""
    if not study.advised:
        return NOT_NOW
    form, balance = study.context.form, study.balance
    names = names_of(study)
    largest = balance.assign(size=balance["difference"].abs()).groupby("covariate", sort=False)["size"].max()
    kept = largest.sort_values(ascending=False, kind="stable").head(_MOST_SHOWN).index
    labels = [label for label in balance["covariate"].unique() if label in set(kept)]
    frame = balance[balance["covariate"].isin(labels)].reset_index(drop=True)
    frame = frame.assign(chance=(frame["high"] - frame["low"]) / 2)
    cells = list(dict.fromkeys(frame["cell"]))
    shapes = ("o", "s", "^", "D", "v", "P", "X", "<")

    def draw(figure: Figure) -> None:
        chance = float(frame["chance"].max()) if len(frame) else 0.1
        most = max(1.5 * chance, 1.1 * float(frame["difference"].abs().max()) if len(frame) else 0.1)
        ax = marks.axes(figure.add_subplot(), form, x=lambda value: form.number(value, 2), lines="base")
        ax.set(xlim=(-most, most), ylim=(-0.6, max(len(labels), 1) - 0.4))
        ax.set_xlabel("difference from the control, in standard deviations")
        marks.ticks(ax.xaxis, 5, whole=False)
        ax.axvspan(-chance, chance, color=color("fill"), alpha=0.6, linewidth=0)
        ax.axvline(0, color=color("muted"), linewidth=0.8)
        places = dict(zip(labels, marks.rows(ax, [shortened(said(label, study), _LONGEST) for label in labels]), strict=True))
        for k, cell in enumerate(cells):
            some = frame[frame["cell"] == cell]
            place = [places[label] + (0.12 * (k - (len(cells) - 1) / 2)) for label in some["covariate"]]
            outside = some["difference"].abs() > some["chance"]
            shades = [color("second" if out else "accent") for out in outside]
            ax.scatter(some["difference"], place, marker=shapes[k % len(shapes)], c=shades, s=30, zorder=3)
        if len(cells) > 1:
            for k, cell in enumerate(cells):
                ax.scatter([], [], marker=shapes[k % len(shapes)], c=[color("muted")], s=30, label=names[str(cell)])
            ax.legend(
                loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(cells), 3), frameon=False, fontsize=9,
                handletextpad=0.2, borderaxespad=0.1,
            )  # fmt: skip

    return Chart(
        "Are the cells alike before anything is sent? By chance alone, all of these differences would be within the shaded band "
        f"{form.share(1 - BALANCE_ALPHA)} of the time.",
        f"Dots for {len(labels)} things known before, by cell; {int((frame['difference'].abs() > frame['chance']).sum())} of {len(frame)} "
        "lie outside the band of chance.",
        draw,
        frame,
        (8, 0.34 * max(len(labels), 1) + 1.1),
    )
