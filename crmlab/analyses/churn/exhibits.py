"""Tables and charts of churn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.churn.contacting import FEW_WORTH, NO_TIERS, POWER, RISKS
from crmlab.analyses.churn.drift import MOVED, MOVED_FAR, SCORE, TOO_FAR
from crmlab.analyses.churn.model import CANDIDATES, NAMES, fact_of
from crmlab.analyses.churn.origins import on_average, tenths_of, totals_of
from crmlab.analyses.churn.study import GROUPS
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.survival import at
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.groups import small_groups, under
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.churn.study import Study
    from crmlab.history.words import Words
    from crmlab.page.format import Format

__all__ = [
    "calibration_chart",
    "candidates_table",
    "drift_table",
    "gaps_chart",
    "holdout_table",
    "importance_table",
    "matrix_chart",
    "matrix_table",
    "origins_table",
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
_RISKS = list(RISKS)[::-1]
_NOBODY = "nobody"
_UNSAID = "not shown"
_TIERS = {"A": "A\nworth most", "B": "B", "C": "C", "D": "D\nworth least"}


def _no_scores(study: Study) -> Absent:
    """Why nothing is told of today's customers."""
    return Absent(f"No scores are given. {study.found.why(study.context.form)}")


def matrix_table(study: Study) -> Table | Absent:
    """Risk by value: customers, expected loss, whom it would pay to contact, and what that would bring; all adds up to the last row."""
    if study.found.refused:
        return _no_scores(study)
    matrix, form, found = study.matrix, study.context.form, study.found
    words, known, tiers = found.words, found.margin.known, found.tiers
    few, unsaid = _hidden(matrix, study.params.min_group)
    shown = _masked(study, few, unsaid).assign(customers=_people(matrix["customers"], few, study.params.min_group, form))
    shown["risk"] = pd.Categorical(shown["risk"], _RISKS, ordered=True)
    shown = shown.sort_values(["risk", "tier"], ignore_index=True).astype({"risk": str})
    if known and len(matrix):
        shown = pd.concat([shown, pd.DataFrame(_summed(matrix, few, unsaid, form)).assign(tier="")], ignore_index=True)
    else:
        shown = shown.drop(columns=["profit", "what"])
    columns = {
        "risk": Column("Probability of churn"),
        **({"tier": Column("Value tier")} if tiers else {}),
        "customers": Column(words.many.capitalize()),
        "expected_loss": Column(f"Expected loss of {found.money}", "amount" if known else "money"),
        **(
            {
                "what": Column("Would be worth contacting"),
                "profit": Column(words.fill("{Profit} from contacting them"), "amount"),
            }
            if "what" in shown
            else {}
        ),
    }
    by_tier = " and by value tier (A: the most valuable tenth)" if tiers else ""
    caption = (
        f"Eligible {words.many} by probability of no {words.deed} in {study.scheme.window} days{by_tier}. Figures are sums of today’s "
        "scores; the interval of the total is given above."
    )
    if known:
        caption += words.fill(
            " {Profit} " + ("are" if words is ROUNDS else "is") + " the total from contacting all {many} worth contacting."
        )
    return Table(caption, shown, columns, form, top=max(len(shown), 1))


def _hidden(matrix: pd.DataFrame, least: int) -> tuple[Any, Any]:
    """Cells that are too small to be shown, and cells whose contacts that would pay are not shown: neither follows from the totals.

    These are not shown where the cell is not, and where fewer than ``least`` of a cell would be worth a contact, or would not. These are
    told together: with so many more cells of contacts, the smallest first, that all together are not so few either.
    """
    customers, worth = matrix["customers"], matrix["worth"]
    few = matrix.index.isin(small_groups(customers, least))
    unsaid = few | worth.between(1, least - 1).to_numpy() | (customers - worth).between(1, least - 1).to_numpy()
    for place in customers[worth > 0].sort_values(kind="stable").index:
        told, left = int(worth[unsaid].sum()), int((customers - worth)[unsaid].sum())
        if unsaid.sum() != 1 and not (0 < told < least or 0 < left < least):
            break
        unsaid = unsaid | (matrix.index == place)
    return few, unsaid


def _masked(study: Study, few: Any, unsaid: Any) -> pd.DataFrame:
    """The matrix without what must not be shown, and how many of each cell would be worth contacting."""
    matrix, least, form = study.matrix, study.params.min_group, study.context.form
    return matrix.drop(columns="worth").assign(
        customers=matrix["customers"].mask(few),
        expected_loss=matrix["expected_loss"].mask(few),
        profit=matrix["profit"].mask(few | (unsaid & (matrix["worth"] > 0).to_numpy())),
        what=[
            "" if small else _worth(row, least, form, told=not hide)
            for small, hide, row in zip(few, unsaid, matrix.to_dict("records"), strict=True)
        ],
    )


def _people(customers: pd.Series, few: Any, least: int, form: Format) -> list[str]:
    """How many customers each cell has; of those that are too small, only what all are under."""
    bound = form.count(under(customers[few], least))
    return [f"under {bound}" if small else form.count(n) for small, n in zip(few, customers, strict=True)]


def _summed(matrix: pd.DataFrame, few: Any, unsaid: Any, form: Format) -> list[dict[str, object]]:
    """The last rows: what is not shown in the rows above, together, and what all comes to."""

    def people(cells: pd.DataFrame) -> dict[str, object]:
        return {"customers": form.count(cells["customers"].sum()), "expected_loss": float(cells["expected_loss"].sum())}

    def contacts(cells: pd.DataFrame, of: str = "") -> dict[str, object]:
        worth = int(cells["worth"].sum())
        return {"what": f"{form.count(worth)}{of}" if worth else _NOBODY, "profit": float(cells["profit"].sum())}

    rows = [people(matrix[few]) | {"risk": "Small groups, together", "what": ""}] if few.any() else []
    if unsaid.any():
        rows.append(contacts(matrix[unsaid]) | {"risk": "Worth contacting, but not shown above", "customers": ""})
    return [*rows, people(matrix) | contacts(matrix, f" of {form.count(matrix['customers'].sum())}") | {"risk": "All"}]


def _worth(cell: dict[Any, Any], least: int, form: Format, *, told: bool) -> str:
    """How many of a cell would be worth contacting; where their number must not be told, what can be said of it."""
    worth, all_ = cell["worth"], cell["customers"]
    if not worth:
        return _NOBODY
    if told:
        return f"{'all' if worth == all_ else f'{form.count(worth)} of'} {form.count(all_)}"
    if worth < least:
        return f"under {least} of {form.count(all_)}"
    return f"nearly all of {form.count(all_)}" if 0 < all_ - worth < least else _UNSAID


def scores_table(study: Study) -> Table:
    """Model and simple rules on the same rows of the test day."""
    tested, form = study.tested, study.context.form
    names = list(dict.fromkeys(tested.scores.index.get_level_values(0)))
    rows = []
    for measure, label in _MEASURES.items():
        if (tested.used, measure) not in tested.scores.index:
            continue  # no profit without a margin
        row: dict[str, object] = {"measure": study.context.told(label.format(currency=form.currency or "money"))}
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
            study.found.words.told(NAMES[name]) + (" (used)" if name == tested.used else ""),
            "number",
            f"{name}_low",
            f"{name}_high",
        )
    rate = float(tested.test["churned"].mean())
    caption = (
        f"On {form.day(study.scheme.origins[0])} there were {form.count(len(tested.test))} eligible {study.found.words.many}; "
        f"{form.share(rate)} of them churned. Small figures are {form.share(study.params.level)} intervals. An AUC of 0.5 or a skill of 0 "
        "is worthless; a slope of 1 "
        "and an intercept of 0 mean that the probabilities are right."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def candidates_table(study: Study) -> Table | Absent:
    """Log loss of the candidates on earlier days."""
    tested = study.tested
    if tested.chosen is None:
        return Absent(f"No model was trained: {tested.reason}.")
    frame = tested.validation.assign(day=pd.to_datetime(tested.validation["day"]))
    columns = {"day": Column("Day", "date"), **{name: Column(label, "number") for name, label in CANDIDATES.items()}}
    caption = (
        f"Log loss of the two candidates on earlier days, each trained on the days before (lower is better). Chosen: "
        f"{CANDIDATES[tested.chosen].lower()}. Its performance on the test day is shown above, with intervals."
    )
    return Table(caption, frame, columns, study.context.form)


def importance_table(study: Study) -> Table:
    """What the score rests on."""
    form = study.context.form
    columns = {"says": Column("Fact"), "value": Column("AUC lost", "number", "low", "high")}
    caption = (
        f"What is lost when one fact is shuffled, on the test day, with {form.share(study.params.level)} range. Facts that carry the same "
        "information share the weight. This is association, not cause."
    )
    frame = study.tested.importance
    frame = frame.assign(says=[fact_of(name, study.found.words) for name in frame["feature"]])
    return Table(caption, frame, columns, form, top=10)


def drift_table(study: Study) -> Table | Absent:
    """Today's customers compared with those of the test day."""
    form, drift = study.context.form, study.found.drift
    if drift is None:
        return Absent("Today was not compared with another day.")
    rows = drift.rows
    kinds = ["share" if name in (SCORE, "returned_share", "probability_alive", "overdue") else "number" for name in rows.index]
    frame = rows.assign(kind=kinds, grade=drift.grade(), chance=rows["chance"].round(2)).reset_index(drop=True)
    columns = {
        "says": Column("Fact"),
        "then": Column(f"Mean on {form.short_day(study.scheme.origins[0])}", "row:kind"),
        "now": Column(f"Mean on {form.short_day(study.context.as_of)}", "row:kind"),
        "index": Column("Stability index", "number"),
        "chance": Column("By chance, at most", "number"),
        "grade": Column("Verdict"),
    }
    caption = (
        f"Today’s eligible {study.found.words.many} compared with those of the test day, both scored by the method used today: first "
        f"the scores, then the facts that changed most. Stability index: by convention, up to {form.number(MOVED)} means no change and "
        f"over {form.number(MOVED_FAR)} a large change, provided that it exceeds what chance gives at {form.share(TEST_LEVEL)}. "
        f"If the index of the scores is over {form.number(TOO_FAR)}, no scores are given."
    )
    return Table(caption, frame, columns, form, top=8)


def holdout_table(study: Study) -> Table | Absent:
    """How many to leave uncontacted, to measure what contact saves."""
    sizes, form = study.sizes, study.context.form
    if study.found.refused:
        return _no_scores(study)
    words = study.found.words
    if not study.found.margin.known:
        return Absent("Without a margin it is not known who would be contacted, or therefore how many to leave out.")
    if sizes.empty:
        return Absent(f"Fewer than two {words.many} would be worth contacting, so there is nobody to leave out.")
    if sizes["targets"].iloc[0] < FEW_WORTH:
        return Absent(f"Too few {words.many} would be worth contacting to keep any of them out for comparison.")
    columns = {
        "saving": Column("If contact saves this share of churners", "share"),
        "rate": Column("Churn without contact", "share"),
        "kept_out": Column("Needed in each group, left out and contacted", "count"),
        "targets": Column(f"{words.many.capitalize()} who would be worth contacting", "count"),
        "possible": Column("Are there enough?"),
        "rounds": Column("Or rounds needed, leaving out a fifth each time", "count"),
    }
    caption = (
        f"To see what contact saves, some {words.many} must be left out at random. The table shows how many each group needs, or how many "
        f"rounds must be combined, at {form.share(TEST_LEVEL)} confidence with {form.share(POWER)} power. It is a plan, based on today’s "
        "expected rate."
    )
    enough = ["yes" if 2 * n <= all_ else "no" for n, all_ in zip(sizes["kept_out"], sizes["targets"], strict=True)]
    return Table(caption, sizes.assign(possible=enough), columns, form)


def matrix_chart(study: Study) -> Chart | Absent:
    """What contacting brings, by probability of churn and value tier; without a margin, what is expected to be lost."""
    if study.found.refused:
        return _no_scores(study)
    least, form, found, matrix = study.params.min_group, study.context.form, study.found, study.matrix
    words, known = found.words, found.margin.known
    tiers = _TIERS if found.tiers else {NO_TIERS: f"all {words.many}"}
    few, unsaid = _hidden(matrix, least)
    on_it = matrix["tier"].isin(list(tiers)).to_numpy()
    frame = _masked(study, few, unsaid)[on_it].reset_index(drop=True)
    if not known:
        frame = frame.drop(columns=["profit", "what"])
    colour = "profit" if known else "expected_loss"
    top = float(frame[colour].max()) if frame[colour].notna().any() else 0.0
    if known and top <= 0:
        return Absent(_added_up(study, unsaid).strip() or "Contact would not pay in any group.")
    bound = form.count(under(matrix.loc[few, "customers"], least))

    def texts(row: dict[Any, Any]) -> tuple[str, str]:
        if row["customers"] != row["customers"]:
            return "", f"under {bound} {words.many}"
        people = f"{form.count(row['customers'])} {words.many}"
        if not known:
            return form.money(row["expected_loss"]), people
        if row["what"] == _NOBODY:
            return _NOBODY, people
        return ("", row["what"]) if row["profit"] != row["profit"] else (form.amount(row["profit"]), row["what"])

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, lines="none", ylabel="probability of churn")
        ax.set(xlim=(-0.5, len(tiers) - 0.5), ylim=(-0.5, len(_RISKS) - 0.5))
        for row in frame.to_dict("records"):
            x, y = list(tiers).index(row["tier"]), len(_RISKS) - 1 - _RISKS.index(row["risk"])
            value = row[colour] if row[colour] == row[colour] else 0.0
            # On half the colour at most, text can be read in light and dark.
            strength = float(np.round(0.5 * value / top, 2)) if top > 0 else 0.0
            marks.cell(ax, x, y, 1, token="wash", size=(0.96, 0.92))
            marks.cell(ax, x, y, strength, size=(0.96, 0.92), token="accent")
            large, below = texts(row)
            if large:
                marks.label(ax, large, x, y + 0.12, token="ink", size=11 if large != _NOBODY else 9.5, ha="center")
            marks.label(ax, below, x, y - (0.2 if large else 0.0), token="ink", ha="center")
        ax.set_xticks(range(len(tiers)), list(tiers.values()))
        ax.set_yticks(range(len(_RISKS)), _RISKS[::-1])

    by = "by probability of churn (increasing upwards)" + (" and value tier" if found.tiers else "")
    where = _where(frame, form, words, worth=int(matrix["worth"].sum()) if known else None)
    caption = (
        f"Total {words.fill('{profit}')} from contacting the {words.many} worth contacting (large figures), and how many of each group "
        f"they are (small figures), {by}; the stronger the colour, the higher the {words.fill('{profit}')}. "
        f"{_added_up(study, unsaid)}{where}"
        if known
        else f"Expected loss of {found.money} (large figures) and number of {words.many} (small figures), {by}; the stronger the colour, "
        f"the greater the loss. {where}"
    )
    size = "four risks by four value tiers" if found.tiers else "four risks"
    return Chart(caption, f"A grid of {size}. {where}", draw, frame, (8, 3.4))


def _added_up(study: Study, unsaid: Any) -> str:
    """What all cells come to, and those without a sum: the sums that are shown are what is left."""
    matrix, form, words = study.matrix, study.context.form, study.found.words

    def told(cells: pd.DataFrame) -> str:
        return f"{form.amount(float(cells['profit'].sum()))} from {form.count(cells['worth'].sum())} {words.many}"

    if not matrix["worth"].sum():
        return ""
    hidden = matrix.loc[unsaid, "worth"].sum()
    if hidden == matrix["worth"].sum():
        return f"All groups worth contacting are too small to show; together they would bring {told(matrix)}. "
    rest = f", including {told(matrix[unsaid])} in groups too small to show" if hidden else ""
    return f"In all, contact would bring {told(matrix)}{rest}. "


def _where(frame: pd.DataFrame, form: Format, words: Words, worth: int | None) -> str:
    """In which cell contact would bring most, or that it would pay in none; without a margin, which cell loses most."""
    if worth == 0:
        return "Contact would not pay in any group."
    column = "expected_loss" if worth is None else "profit"
    if frame.empty or not (frame[column] > 0).any():
        return (
            "No group is large enough to be shown." if worth is None else f"The list names the {words.many} worth contacting."
        )
    best = frame.loc[frame[column].idxmax()]
    cell = f"where the probability of churn is {best['risk']}"
    if best["tier"] != NO_TIERS:
        cell = f"in tier {best['tier']} {cell}"
    if worth is None:
        return f"The greatest loss is expected {cell}: {form.money(best['expected_loss'])}."
    return f"Contact would bring most {cell}: {form.amount(best['profit'])}."


def origins_table(study: Study) -> Table | Absent:
    """What was forecast on each of the last past days, and the actual figures."""
    past, form, words = study.found.past, study.context.form, study.found.words
    if len(past) < 2:
        return Absent("Only one past day has a known outcome and enough history before it to learn from.")
    frame = totals_of(past, study.params.level)
    columns = {
        "day": Column("Day", "date"),
        "customers": Column(f"Eligible {words.many}", "count"),
        "told": Column("Forecast to churn", "share"),
        "came": Column("Churned", "share", "low", "high"),
        "difference": Column("Churned minus forecast, in points", "points"),
        "season": Column("Season of the window"),
    }
    days, told, came = on_average(past)
    mean = f": on average {form.share(told)} were forecast to churn and {form.share(came)} did" if days > 1 else ""
    left = " Days on which the season was not known yet are not in the average." if 1 < days < len(past) else ""
    caption = (
        f"Forecasts of churn in the {study.scheme.window} days after each day, from what was known then{mean}.{left} Small figures are "
        f"{form.share(study.params.level)} intervals that allow for chance only."
    )
    season = ["taken into account" if followed else "not known then" for followed in frame["in_season"]]
    if not frame["in_season"].any():
        columns.pop("season")
    return Table(caption, frame.assign(season=season).drop(columns="in_season"), columns, form)


def calibration_chart(study: Study) -> Chart:
    """Probability told against share that churned, by tenth, on each of the last past days."""
    scheme, level, form, words = study.scheme, study.params.level, study.context.form, study.found.words
    frame = tenths_of(study.found.past, level)
    days = list(dict.fromkeys(frame["day"]))

    def draw(figure: Figure) -> None:
        for k, (one, day) in enumerate(zip(figure.subplots(1, len(days), sharey=True, squeeze=False)[0], days, strict=True)):
            ax = marks.axes(one, form, x="share", y="share", xlim=(0, 1), ylim=(0, 1), title=form.day(day))
            ax.set(xlabel="forecast probability", ylabel="share that churned" if k == 0 else "")
            ax.set_xticks([0, 0.5, 1])
            ax.plot([0, 1], [0, 1], color=color("muted"), linewidth=1, linestyle=(0, (4, 3)))
            some = frame[frame["day"] == day]
            marks.intervals(ax, some["told"], (some["seen"], some["low"], some["high"]), size=6, width=1.4, upright=True)
            if k == 0:
                marks.label(ax, "as forecast", 0.9, 0.9, gap=(-8, 4), ha="right", va="baseline")

    when = "each day" if len(days) > 1 else form.day(days[0])
    said = [
        f"{form.share(one.told)} forecast and {form.share(one.came)} actual on {form.day(one.day)}" for one in study.found.past
    ]
    return Chart(
        f"{words.many.capitalize()} in tenths by probability forecast on {when}, and the share that churned in the {scheme.window} days "
        f"after ({form.share(level)} interval). Points on the dashed line mean that the probabilities were right. "
        f"Overall churn: {'; '.join(said)}.",
        f"Dots of the share that churned against the forecast probability, for tenths of {words.many} on {len(days)} "
        f"{'days' if len(days) > 1 else 'day'}.",
        draw,
        frame,
        (8, 3.4),
    )


def gaps_chart(study: Study) -> Chart:
    """Gaps between purchases, with the window marked."""
    waits, scheme, form, words = study.waits, study.scheme, study.context.form, study.found.words
    ended = waits.loc[waits["ended"], "gap"].to_numpy(float)
    top = max(float(np.quantile(ended, 0.99)), 1.3 * scheme.window)
    edges = np.linspace(0, np.ceil(top / 30) * 30, 31)
    counts, _ = np.histogram(ended, edges)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "gaps": counts})
    within = float((ended <= scheme.window).mean())

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="count", xlabel=f"days to the next {words.deed}")
        ax.bar((edges[:-1] + edges[1:]) / 2, counts, width=0.92 * (edges[1] - edges[0]), color=color("accent"), alpha=0.75)
        ax.axvline(scheme.window, color=color("second"), linewidth=1.6)
        marks.label(ax, f"window: {scheme.window} days", scheme.window, 0.95, gap=(6, 0), token="second", hung=True)

    bound = {
        "given": "was given",
        "gap": "is their 90% quantile",
        "history": "is limited to a sixth of the length of the history",
        "year": f"is a year, since {words.many} give once a year",
    }[scheme.bound_by]
    return Chart(
        f"Completed gaps between {words.deeds}, all {words.many}: {form.share(within)} are no longer than the window, which "
        f"{bound}. Gaps that are "
        "still open are not shown, so long gaps are under-represented.",
        f"Bars of the number of gaps by their length in days, with a line at the window of {scheme.window} days.",
        draw,
        frame,
        (8, 2.6),
    )


def reversal_chart(study: Study) -> Chart:
    """How many of the churned came back, by time since."""
    curve, scheme, form, words = study.found.curve, study.scheme, study.context.form, study.found.words
    back = 1 - curve["survival"]
    frame = curve.assign(returned=back, returned_low=1 - curve["high"], returned_high=1 - curve["low"])
    last = float(curve["time"].iloc[-1])
    points = [t for t in (30.0, 90.0, 180.0, float(YEAR)) if t <= last] or [last]
    row = at(frame, points[-1])
    came = form.measured(float(row["returned"]), float(row["returned_low"]), float(row["returned_high"]), "share")
    said = f"{came} within {form.count(points[-1])} days"

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="share")
        ax.set(xlabel=f"days after {scheme.window} days of silence", ylabel="have come back")
        ax.set(xlim=(0, max(last, 1)), ylim=(0, min(1, max(0.1, 1.15 * float(frame["returned_high"].max())))))
        estimate = (frame["returned"], frame["returned_low"], frame["returned_high"])
        marks.band(ax, frame["time"], estimate, step=True, alpha=0.2)

    return Chart(
        f"Share of those silent for {scheme.window} days who then made another {words.deed}, by days since (Kaplan–Meier "
        f"with {form.share(study.params.level)} band, as "
        f"far as the data reach): {said}. Churn is not always for good.",
        f"A rising curve of the share of churned {words.many} who came back, reaching {form.share(float(back.iloc[-1]))} "
        f"after {form.count(last)} days.",
        draw,
        frame,
        (8, 2.6),
    )


def timing_chart(study: Study) -> Chart:
    """Time to the next purchase from today, by number of purchases so far."""
    groups, form, words = study.groups, study.context.form, study.found.words
    shades = dict(zip((name.format(deed=words.deed) for name in GROUPS), ("muted", "second", "accent"), strict=True))
    frame = (
        pd.concat([curve.assign(group=label, waited=waited) for label, (curve, waited, _) in groups.items()])
        if groups
        else pd.DataFrame()
    )
    # Of those who give once a year, everybody is still waiting within half of one.
    horizon, step = (540.0, 90) if words is ROUNDS else (180.0, 30)

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, y="share", xlim=(0, horizon * 1.45), ylim=(0, 1.02))
        ax.set(xlabel="days from today", ylabel=f"no {words.deed} yet")
        ends = []
        for label, (curve, waited, count) in groups.items():
            some = curve[curve["time"] <= horizon]
            marks.band(ax, some["time"], (some["survival"], some["low"], some["high"]), token=shades[label], step=True)
            said = f"{label}\n({form.count(count)} {words.many}, {form.count(waited)} days silent)"
            ends.append((float(some["survival"].iloc[-1]), said, shades[label]))
        # Two lines each: they stay apart, and below the top.
        apart, ends = 0.19, sorted(ends)
        highest = [0.95 - apart * (len(ends) - 1 - k) for k in range(len(ends))]
        marks.end_labels(
            ax,
            {said: (min(y, most), token) for (y, said, token), most in zip(ends, highest, strict=True)},
            horizon * 1.01,
            apart,
        )
        ax.set_xticks(range(0, int(horizon) + 1, step))

    if not groups:
        frame = pd.DataFrame(columns=["group", "time", "survival", "low", "high"])
    return Chart(
        f"How long until the next {words.deed}, for {words.many} who have been silent for as long as is usual in their group: "
        "the curve starts at 100% "
        f"today and falls with each {words.deed} ({form.share(study.params.level)} bands). Where it stays high, waiting does not help.",
        f"Falling curves of the share without a {words.deed} over the next {horizon:.0f} days, for {len(groups)} groups by {words.deeds} "
        "so far.",
        draw,
        frame,
        (8, 3.0),
    )
