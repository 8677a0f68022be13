"""Tables and charts of churn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.churn.drift import MOVED, MOVED_FAR, SCORE, TOO_FAR
from crmlab.analyses.churn.model import CANDIDATES, NAMES
from crmlab.analyses.churn.study import POWER
from crmlab.history.words import YEAR
from crmlab.models.intervals import TEST_LEVEL, wilson
from crmlab.models.survival import at
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart, Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.churn.study import Study

__all__ = [
    "calibration_chart",
    "candidates_table",
    "drift_table",
    "gaps_chart",
    "holdout_table",
    "importance_table",
    "matrix_chart",
    "matrix_table",
    "reversal_chart",
    "scores_table",
    "timing_chart",
]

_MEASURES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "skill": "Brier skill",
    "slope": "Calibration slope",
    "intercept": "Calibration intercept",
    "lift": "Lift of the top tenth",
    "profit": "Profit per customer, {currency}",
}
_RISKS = ["over 75 %", "50 to 75 %", "25 to 50 %", "under 25 %"]
_TIERS = ["A", "B", "C", "D"]


def _no_scores(study: Study) -> Absent:
    """Why nothing is told of today's customers."""
    return Absent(f"No scores are given. {study.found.why(study.context.form)}")


def matrix_table(study: Study) -> Table | Absent:
    """Risk by value: customers, expected loss, and the contact cost that just pays."""
    if study.found.refused:
        return _no_scores(study)
    matrix, window, min_group, form = study.matrix, study.scheme.window, study.params.min_group, study.context.form
    small = matrix["customers"] < min_group
    shown = matrix.assign(
        customers=[f"under {min_group}" if few else form.count(n) for few, n in zip(small, matrix["customers"], strict=True)],
        expected_loss=matrix["expected_loss"].mask(small),
        break_even=matrix["break_even"].mask(small),
    )
    shown["risk"] = pd.Categorical(shown["risk"], _RISKS, ordered=True)
    shown = shown.sort_values(["risk", "tier"], ignore_index=True).astype({"risk": str})
    columns = {
        "risk": Column("Probability of churn"),
        "tier": Column("Value tier"),
        "customers": Column("Customers"),
        "expected_loss": Column("Expected loss", "money"),
        "break_even": Column("Contact may cost", "amount"),
    }
    caption = (
        f"Eligible customers by probability of no purchase in {window} days and by value tier (A: the tenth worth most). Counts of "
        "today's scores; the interval of their sum stands above. Where contact may cost less than 0, it cannot pay."
    )
    return Table(caption, shown, columns, form)


def scores_table(study: Study) -> Table:
    """Model and simple rules on the same rows of the test's day."""
    tested, form = study.tested, study.context.form
    names = list(dict.fromkeys(tested.scores.index.get_level_values(0)))
    rows = []
    for measure, label in _MEASURES.items():
        row: dict[str, object] = {"measure": label.format(currency=form.currency or "money")}
        for name in names:
            found = tested.scores.loc[(name, measure)]
            known = bool(found["value"] == found["value"])
            row |= {
                name: found["value"],
                f"{name}_low": found["low"] if known else None,
                f"{name}_high": found["high"] if known else None,
            }
        rows.append(row)
    columns = {"measure": Column("Measure")}
    for name in names:
        columns[name] = Column(
            NAMES[name] + (" (used)" if name == tested.used else ""), "number", f"{name}_low", f"{name}_high"
        )
    rate = float(tested.test["churned"].mean())
    caption = (
        f"On {form.day(study.scheme.origins[0])}, {form.count(len(tested.test))} eligible customers, of whom {form.share(rate)} churned; "
        f"small figures are {form.share(study.params.level)} intervals. An AUC of 0.5 and a skill of 0 are worth nothing; slope 1 and "
        "intercept 0 are right probabilities."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def candidates_table(study: Study) -> Table | Absent:
    """Log loss of the candidates on earlier days."""
    tested = study.tested
    if tested.chosen is None:
        return Absent(f"No model was learnt: {tested.reason}.")
    frame = tested.validation.assign(day=pd.to_datetime(tested.validation["day"]))
    columns = {"day": Column("Day", "date"), **{name: Column(label, "number") for name, label in CANDIDATES.items()}}
    caption = (
        f"Log loss of the two candidates on earlier days, each learnt from the days before (lower is better). Chosen: "
        f"{CANDIDATES[tested.chosen]}. Its worth is judged on the test's day above, with intervals."
    )
    return Table(caption, frame, columns, study.context.form)


def importance_table(study: Study) -> Table:
    """What the score rests on."""
    form = study.context.form
    columns = {"says": Column("Fact"), "value": Column("AUC lost", "number", "low", "high")}
    caption = (
        f"What is lost where one fact is shuffled, on the test's day, with {form.share(study.params.level)} range. Facts that say the "
        "same share their weight. Association, not cause."
    )
    return Table(caption, study.tested.importance, columns, form, top=10)


def drift_table(study: Study) -> Table | Absent:
    """Today's customers against those of the test's day."""
    form, drift = study.context.form, study.found.drift
    if drift is None:
        return Absent("Today was not held against another day.")
    rows = drift.rows
    kinds = ["share" if name in (SCORE, "returned_share", "probability_alive", "overdue") else "number" for name in rows.index]
    frame = rows.assign(kind=kinds, grade=drift.grade(), chance=rows["chance"].round(2)).reset_index(drop=True)
    columns = {
        "says": Column("Fact"),
        "then": Column(f"Mean on {form.short_day(study.scheme.origins[0])}", "row:kind"),
        "now": Column(f"Mean on {form.short_day(study.context.as_of)}", "row:kind"),
        "index": Column("Stability index", "number"),
        "chance": Column("By chance, at most", "number"),
        "grade": Column("So it has"),
    }
    caption = (
        "Today's eligible customers against those of the test's day, both scored by what is used today; first the scores, then what "
        f"moved most. Stability index: up to {form.number(MOVED)} nothing has moved, over {form.number(MOVED_FAR)} it has moved far (by "
        f"custom), where it is more than chance gives at {form.share(TEST_LEVEL)}. "
        f"Where the index of the scores is over {form.number(TOO_FAR)}, none are given."
    )
    return Table(caption, frame, columns, form, top=8)


def holdout_table(study: Study) -> Table | Absent:
    """How many to leave uncontacted, to measure what contact saves."""
    sizes, form = study.sizes, study.context.form
    if study.found.refused:
        return _no_scores(study)
    if sizes.empty:
        return Absent("It pays to contact fewer than two customers, so there is nobody to leave out.")
    columns = {
        "saving": Column("If contact saves, of churners", "share"),
        "rate": Column("Churn without contact", "share"),
        "kept_out": Column("Leave out, and contact, at least", "count"),
        "targets": Column("Customers worth contacting", "count"),
        "possible": Column("Enough of them"),
    }
    caption = (
        "Before contacting all, leave some out at random: so many in each group are needed to see the saving at "
        f"{form.share(TEST_LEVEL)} confidence with {form.share(POWER)} power. A plan, from today's expected rate."
    )
    enough = ["yes" if 2 * n <= all_ else "no" for n, all_ in zip(sizes["kept_out"], sizes["targets"], strict=True)]
    return Table(caption, sizes.assign(possible=enough), columns, form)


def matrix_chart(study: Study) -> Chart | Absent:
    """Expected loss by probability of churn and value tier."""
    if study.found.refused:
        return _no_scores(study)
    matrix, min_group, form = study.matrix, study.params.min_group, study.context.form
    frame = matrix.assign(expected_loss=matrix["expected_loss"].mask(matrix["customers"] < min_group))
    frame = frame.assign(
        customers=frame["customers"].mask(frame["customers"] < min_group),
        break_even=frame["break_even"].mask(frame["expected_loss"].isna()),
    )
    top = max(float(frame["expected_loss"].max()), 1e-9) if frame["expected_loss"].notna().any() else 1.0

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none", ylabel="probability of churn")
        ax.set(xlim=(-0.5, 3.5), ylim=(-0.5, 3.5))
        for row in frame.to_dict("records"):
            x, y = _TIERS.index(row["tier"]), len(_RISKS) - 1 - _RISKS.index(row["risk"])
            known = row["expected_loss"] == row["expected_loss"]
            # On half the colour at most, text can be read in light and dark.
            strength = float(np.round(0.5 * max(row["expected_loss"], 0) / top, 2)) if known else 0.0
            marks.cell(ax, x, y, 1, token="wash", size=(0.96, 0.92))
            marks.cell(ax, x, y, strength, size=(0.96, 0.92))
            words = f"{form.count(row['customers'])} customers" if known else f"under {min_group} customers"
            money = form.money(row["expected_loss"]) if known else ""
            marks.label(ax, money, x, y + 0.12, token="ink", size=11, ha="center")
            marks.label(ax, words, x, y - 0.2, token="ink", ha="center")
        ax.set_xticks(range(4), ["A\nworth most", "B", "C", "D\nworth least"])
        ax.set_yticks(range(4), _RISKS[::-1])

    best = frame.loc[frame["expected_loss"].idxmax()] if frame["expected_loss"].notna().any() else None
    where = (
        f"the most, {form.money(best['expected_loss'])}, in tier {best['tier']} at {best['risk']}"
        if best is not None
        else "no cell is large enough"
    )
    return Chart(
        "Expected loss (large) and customers (small) by probability of churn, upwards, and value tier; the stronger the colour, the more "
        "is expected to be lost. Look first at the top left.",
        f"A grid of four risks by four value tiers; {where}.",
        draw,
        frame,
        (8, 3.4),
    )


def calibration_chart(study: Study) -> Chart:
    """Probability told against share that churned, by tenth."""
    scheme, level, form = study.scheme, study.params.level, study.context.form
    rows = study.tested.test.sort_values(["probability", "customer_id"], kind="stable").reset_index(drop=True)
    tenth = (np.arange(len(rows)) * 10) // max(len(rows), 1)
    out = []
    for k in range(10):
        part = rows[tenth == k]
        if len(part):
            low, high = wilson(int(part["churned"].sum()), len(part), level)
            out.append(
                {
                    "told": float(part["probability"].mean()),
                    "seen": float(part["churned"].mean()),
                    "low": low,
                    "high": high,
                    "customers": len(part),
                }
            )
    frame = pd.DataFrame(out)

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="share", y="share", xlim=(0, 1), ylim=(0, 1))
        ax.set(xlabel="probability told", ylabel="share that churned")
        ax.plot([0, 1], [0, 1], color=color("muted"), linewidth=1, linestyle=(0, (4, 3)))
        marks.intervals(ax, frame["told"], (frame["seen"], frame["low"], frame["high"]), size=6, width=1.4, upright=True)
        marks.label(ax, "as told", 0.9, 0.9, gap=(-8, 4), ha="right", va="baseline")

    return Chart(
        f"Customers of {form.day(scheme.origins[0])} in tenths by the probability that was told of them, and the share that churned in the "
        f"{scheme.window} days after ({form.share(level)} interval). On the dashed line probabilities are right.",
        f"Dots of the share that churned against the probability told, for {len(frame)} tenths of customers.",
        draw,
        frame,
        (8, 3.4),
    )


def gaps_chart(study: Study) -> Chart:
    """Gaps between purchases, with the window marked."""
    waits, scheme, form = study.waits, study.scheme, study.context.form
    ended = waits.loc[waits["ended"], "gap"].to_numpy(float)
    top = max(float(np.quantile(ended, 0.99)), 1.3 * scheme.window)
    edges = np.linspace(0, np.ceil(top / 30) * 30, 31)
    counts, _ = np.histogram(ended, edges)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "gaps": counts})
    within = float((ended <= scheme.window).mean())

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="count", xlabel="days to the next purchase")
        ax.bar((edges[:-1] + edges[1:]) / 2, counts, width=0.92 * (edges[1] - edges[0]), color=color("accent"), alpha=0.75)
        ax.axvline(scheme.window, color=color("second"), linewidth=1.6)
        marks.label(ax, f"window: {scheme.window} days", scheme.window, 0.95, gap=(6, 0), token="second", hung=True)

    bound = {
        "given": "was given",
        "gap": "is their 90 % quantile",
        "history": "is bound by the length of history, a sixth of it",
    }[scheme.bound_by]
    return Chart(
        f"Gaps between purchases that ended, all customers: {form.share(within)} are no longer than the window, which "
        f"{bound}. Gaps that are "
        "still open are not in the picture, so long ones are fewer here than they will be.",
        f"Bars of the number of gaps by their length in days, with a line at the window of {scheme.window} days.",
        draw,
        frame,
        (8, 2.6),
    )


def reversal_chart(study: Study) -> Chart:
    """How many of the churned came back, by time since."""
    curve, scheme, form = study.found.curve, study.scheme, study.context.form
    back = 1 - curve["survival"]
    frame = curve.assign(returned=back, returned_low=1 - curve["high"], returned_high=1 - curve["low"])
    last = float(curve["time"].iloc[-1])
    points = [t for t in (30.0, 90.0, 180.0, float(YEAR)) if t <= last] or [last]
    row = at(frame, points[-1])
    came = form.measured(float(row["returned"]), float(row["returned_low"]), float(row["returned_high"]), "share")
    words = f"{came} within {points[-1]:g} days"

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="share")
        ax.set(xlabel=f"days after {scheme.window} days of silence", ylabel="have come back")
        ax.set(xlim=(0, max(last, 1)), ylim=(0, min(1, max(0.1, 1.15 * float(frame["returned_high"].max())))))
        estimate = (frame["returned"], frame["returned_low"], frame["returned_high"])
        marks.band(ax, frame["time"], estimate, step=True, alpha=0.2)

    return Chart(
        f"Of those who had been silent for {scheme.window} days, how many bought again, by days since (Kaplan–Meier "
        f"with {form.share(study.params.level)} band, as "
        f"far as the data reach): {words}. Churn is not always for good.",
        f"A rising curve of the share of churned customers who came back, reaching {form.share(float(back.iloc[-1]))} "
        f"after {last:.0f} days.",
        draw,
        frame,
        (8, 2.6),
    )


def timing_chart(study: Study) -> Chart:
    """Time to the next purchase from today, by number of purchases so far."""
    groups, form = study.groups, study.context.form
    shades = {"after 1 purchase": "muted", "after 2 to 4": "second", "after 5 and more": "accent"}
    frame = (
        pd.concat([curve.assign(group=label, waited=waited) for label, (curve, waited, _) in groups.items()])
        if groups
        else pd.DataFrame()
    )
    horizon = 180.0

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="share", xlim=(0, horizon * 1.45), ylim=(0, 1.02))
        ax.set(xlabel="days from today", ylabel="no purchase yet")
        for label, (curve, waited, count) in groups.items():
            some = curve[curve["time"] <= horizon]
            marks.band(ax, some["time"], (some["survival"], some["low"], some["high"]), token=shades[label], step=True)
            words = f"{label}\n({form.count(count)} customers, {waited:.0f} days silent)"
            marks.label(ax, words, horizon * 1.01, float(some["survival"].iloc[-1]), token=shades[label])
        ax.set_xticks(range(0, 181, 30))

    if not groups:
        frame = pd.DataFrame(columns=["group", "time", "survival", "low", "high"])
    return Chart(
        "How long until the next purchase, for customers who have been silent for as long as is usual in their group: "
        "the curve starts at 100 % "
        f"today and falls as they buy ({form.share(study.params.level)} bands). Where it stays high, waiting does not help.",
        f"Falling curves of the share without a purchase over the next {horizon:.0f} days, for {len(groups)} groups by purchases so far.",
        draw,
        frame,
        (8, 3.0),
    )
