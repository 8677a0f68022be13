"""How the leaderboard is shown: who forecast best from earlier days, each of these days, and what is said where a rival is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.forecasters import BLENDS, TARGETS, forecaster_of
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart, Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.customer_value.leaderboard import Leaderboard
    from crmlab.analyses.customer_value.study import Study

__all__ = ["deciles_table", "leaderboard_chart", "leaderboard_table", "origins_table", "rivals_said", "standing_said"]

_AIMS = {"rank": "ranking", "total": "total", "error": "single {many}"}
_FURTHEST = 1.5  # share of what came: a dot further off is drawn at the edge


def leaderboard_table(study: Study) -> Table | Absent:
    """One row per forecaster: totals, order and errors, mean over origins, and what is shown against the one that is used."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return Absent(board.why)
    found = board.rows("purchases")
    spend = board.rows("spend") if board.target == "spend" else None
    frame = found[["forecaster"]].assign(**{f"deeds{end}": found[f"total_ratio{end}"] for end in ("", "_low", "_high")})
    if spend is not None:
        names = list(dict.fromkeys([*found.index, *spend.index]))
        frame = frame.reindex(sorted(names, key=lambda name: name in BLENDS))
        frame["forecaster"] = [forecaster_of(str(name)) for name in frame.index]
        frame = frame.assign(**{f"money{end}": spend[f"total_ratio{end}"] for end in ("", "_low", "_high")})
    main = found if spend is None else spend
    for name in ("gini", "error"):
        frame = frame.assign(**{f"{name}{end}": main[f"{name}{end}"] for end in ("", "_low", "_high")})
    frame["off"] = main["total_error"]
    frame["shown"] = [_shown(str(name), main, board.used, words.many) for name in frame.index]
    frame = frame.reset_index(drop=True)
    columns = {
        "forecaster": Column("Forecast by"),
        "shown": Column("Shown"),
        "off": Column(f"Total of {_what(study)} off by", "share"),
        "gini": Column("Ranking (Gini)", "number", "gini_low", "gini_high"),
        "error": Column(f"Error per {words.one}", "number" if spend is None else "amount", "error_low", "error_high"),
        "deeds": Column(f"{words.deeds.capitalize()}: forecast / actual", "share", "deeds_low", "deeds_high"),
    }
    if spend is not None:
        columns["money"] = Column("Spend: forecast / actual", "share", "money_low", "money_high")
    used, what, ahead = forecaster_of(board.used), _what(study), words.span(board.span)
    caption = (
        f"Leaderboard: each forecaster was asked on {_days(study)} what the {words.many} of that day (at most "
        f"{form.count(_people(board))}) would bring in the next {ahead}, knowing only the history up to that day. “Off by” is how far the "
        f"total of {what} was from the actual one, on average. A Gini of 1 ranks {words.many} perfectly, 0 at random; errors are mean "
        f"absolute errors, which favour low forecasts. “Shown” compares each with {used}, which is used here, by paired differences that "
        f"count each {words.one} once, corrected for the number of comparisons (Holm); where it is empty, neither is shown to be better. "
        "The model used here was chosen with the whole history known, which flatters it a little. Small figures are "
        f"{form.share(study.params.level)} intervals over {words.many}."
    )
    return Table(caption, frame, columns, form)


def origins_table(study: Study) -> Table | Absent:
    """The forecast that is used, on each origin: error, interval, whether it held, its width, and who was nearest."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return Absent(board.why)
    rows = []
    for (target, span, day), some in board.origins.groupby(["target", "span", "day"], sort=False):
        own = some[some["name"] == board.used].iloc[0]
        others = some[(some["name"] != board.used) & ~some["name"].isin(BLENDS)].dropna(subset=["off"])
        nearest = others.loc[others["off"].abs().idxmin()] if len(others) else None
        rows.append(
            {
                **own[["told", "told_low", "told_high", "came", "off", "width", "score"]],
                "day": form.day(day),
                "of": f"{words.deeds if target == 'purchases' else 'spend'}, {words.span(float(span))}",
                "kind": "count" if target == "purchases" else "money",
                "held": {1.0: "yes", 0.0: "no"}.get(own["held"], ""),
                "nearest": "" if nearest is None else f"{nearest['forecaster']} ({form.share(nearest['off'])})",
            }
        )
    columns = {
        "day": Column("Forecast on"),
        "of": Column("What, how far ahead"),
        "told": Column("Forecast", "row:kind", "told_low", "told_high"),
        "came": Column("Actual", "row:kind"),
        "off": Column("Off by", "share"),
        "held": Column("In interval"),
        "width": Column("Width", "share"),
        "score": Column("Score", "share"),
        "nearest": Column("Nearest of the others"),
    }
    caption = (
        f"Forecasts by {forecaster_of(board.used)}, the one used here, from earlier days: the forecast, the actual figure, whether the "
        f"{form.share(study.params.level)} interval covered it, its width, and its interval score (the width plus a penalty for a miss; "
        "both as shares of the actual figure; lower is better). The last column names the closest of the others on that day; one "
        "of them always is, so a single name proves nothing."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def deciles_table(study: Study) -> Table | Absent:
    """What the forecast that is used told of each tenth of customers, and what came."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return Absent(board.why)
    some = (board.deciles["target"] == board.target) & (board.deciles["span"] == board.span)
    kind = "amount" if board.target == "spend" else "number"
    columns = {
        "decile": Column("Tenth", "count"),
        "rows": Column("Forecasts made", "count"),
        "told": Column("Forecast", kind),
        "came": Column("Actual", kind, "low", "high"),
    }
    caption = (
        f"Mean {_what(study)} per {words.one} in {words.span(board.span)}, by tenths of the forecast (10 the highest), all earlier days "
        f"together: a forecast inside the interval of what came is right. Small figures are {form.share(study.params.level)} intervals."
    )
    return Table(caption, board.deciles[some].reset_index(drop=True), columns, form)


def leaderboard_chart(study: Study) -> Chart | Absent:
    """How far each forecaster was off from each origin: a dot per origin."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return Absent(board.why)
    found = board.origins
    some = found[(found["target"] == board.target) & (found["span"] == board.span) & ~found["name"].isin(BLENDS)].dropna(
        subset=["off"]
    )
    if some.empty:
        return Absent(f"Nobody bought anything in the {words.span(board.span)} after any of the earlier days.")
    names = list(dict.fromkeys(some["name"]))
    labels = [forecaster_of(str(name)) for name in names]
    off = {name: some.loc[some["name"] == name, "off"].to_numpy(float) for name in names}

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="share", lines="x")
        edge = min(max(float(some["off"].abs().max()), 0.2), _FURTHEST)
        ax.set(xlim=(-min(edge, 1.0) * 1.08, edge * 1.45))
        ax.axvline(0, color=color("ink"), linewidth=1)
        for place, name in zip(marks.rows(ax, labels), names, strict=True):
            values = np.clip(off[name], -edge, edge)
            token = "accent" if name == board.used else "muted"
            ax.plot([values.min(), values.max()], [place, place], color=color(token), linewidth=4, alpha=0.3)
            ax.plot(values, [place] * len(values), "o", color=color(token), markersize=6)
            marks.label(ax, f"{form.share(np.abs(off[name]).mean())} off", float(values.max()), place, gap=(9, 0))

    best = min(names, key=lambda name: float(np.abs(off[name]).mean()))
    least = f"{forecaster_of(str(best))} was off least, by {form.share(np.abs(off[best]).mean())}"
    return Chart(
        f"How far each forecast of {_what(study)} in {words.span(board.span)} was above (right) or below (left) what came: one dot a day, "
        f"on {_days(study)}; strong colour marks the forecast used here; the number is the average miss. A dot at the edge may "
        "lie further out.",
        f"Dots of the errors of {len(names)} forecasters; {least}.",
        draw,
        some[["forecaster", "day", "told", "came", "off"]].reset_index(drop=True),
        (8, 0.42 * len(names) + 0.6),
    )


def rivals_said(study: Study) -> list[str]:
    """Where somebody else is shown to be better than the forecast that is used: who, at what, and what is done about it."""
    return [] if study.board.why else [*_totals_said(study), *_ranks_said(study)]


def _totals_said(study: Study) -> list[str]:
    """Who is shown to forecast a total better: a rival, to which sums are scaled, or another of our models."""
    board, form = study.board, study.context.form
    used, out = forecaster_of(board.used), []
    shown = {} if board.contest is None else {t: n for t in TARGETS if (n := board.contest.winner(t, "total")) is not None}
    if board.target not in shown and (own := board.winner("total")) is not None:
        shown[board.target] = own
    for target, name in shown.items():
        rows = board.rows(target)
        theirs, ours = (form.share(rows.loc[one, "total_error"]) for one in (name, board.used))
        out.append(
            f"{forecaster_of(name)} is shown to forecast the total of {_of(target, study)} better than {used}: asked on {_days(study)}, it "
            f"was off by {theirs} on average, {used} by {ours}. {_taken(target, name, study)}"
        )
    return out


def _taken(target: str, name: str, study: Study) -> str:
    """What is done about a total that is shown to be better."""
    board, words, form, lead = study.board, study.base.words, study.context.form, study.fit.choice.lead
    ahead = words.span(board.span)
    if target in lead.taken:
        ours, theirs = (form.money(one) if target == "spend" else form.count(one) for one in lead.told[target])
        return (
            f"So sums are scaled to its forecast of the next {ahead}: {theirs} instead of {ours} of {_of(target, study)} from today’s "
            f"{words.many}. How the sum is shared out, and who is still a {words.one}, are told by {forecaster_of(board.used)}."
        )
    why = {
        "rounds": f"Sums are not scaled to it: with one {words.deed} a year there is no pace to change.",
        "silent": "Sums are not scaled to it: it could not tell today’s total.",
        "far": "Sums are not scaled to it: its total is more than five times, or less than a fifth of, the one here.",
    }.get(lead.kept.get(target, "")) or _stays(name, study)
    return f"{why} So the totals here are the less reliable guide to the next {ahead}."


def _ranks_said(study: Study) -> list[str]:
    """Who is shown to rank customers better: a rival, whose order the list takes, or another of our models."""
    board, words, form, lead = study.board, study.base.words, study.context.form, study.fit.choice.lead
    rival = None if board.contest is None else board.contest.winner(board.target, "rank")
    name = rival or board.winner("rank")
    if name is None:
        return []
    rows, what = board.rows(board.target), _what(study)
    ours, theirs = (
        form.measured(one["gini"], one["gini_low"], one["gini_high"]).value for one in (rows.loc[board.used], rows.loc[name])
    )
    taken = (
        f"So the list of {words.many} is in its order; tiers go by value, which looks further ahead than {words.span(board.span)}."
        if lead.rank == name
        else f"{_stays(name, study)} The list and the tiers go by value, which looks further ahead than {words.span(board.span)}."
    )
    return [
        f"{forecaster_of(name)} is shown to rank {words.many} by later {what} better than {forecaster_of(board.used)} "
        f"(Gini {theirs} against {ours}). {taken}"
    ]


def _stays(name: str, study: Study) -> str:
    """Why nothing is taken from somebody who is shown to be better."""
    words, choice = study.base.words, study.fit.choice
    if choice.by == "given":
        return "It is not used, because another model was asked for."
    if name.partition("+")[0] not in study.base.models:
        return "It is not used, because it could not say anything of today."
    if name.partition("+")[0] == choice.name:
        return "It is not used, because the likelihood of what each did does not show it to be better."
    return f"It is not used, because the model is chosen by the likelihood of what each {words.one} did."


def standing_said(study: Study) -> str:
    """How the forecast that is used stands among all, in one sentence for the method."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return f"There is no leaderboard. {board.why}"
    rows = board.rows(board.target)
    own = rows.loc[board.used]
    worse = sum((row["rank_shown"] == "worse") or (row["total_shown"] == "worse") for _, row in rows.iterrows())
    others = len(rows.drop(index=[name for name in (*BLENDS, board.used) if name in rows.index]))
    failed = "".join(f" {forecaster_of(name)} could not always take part: {why}" for name, why in board.failed.items())
    return (
        f"Leaderboard: asked on {_days(study)} about the next {words.span(board.span)}, {forecaster_of(board.used)} was off by "
        f"{form.share(own['total_error'])} in the total of {_what(study)} on average; {form.count(worse)} of {form.count(others)} others "
        f"proved worse at the ranking or the total. The model of {words.deeds} is chosen by the likelihood of what each "
        f"{words.one} did, which rewards ranking, total and spread at once. Rules and learners cannot be chosen, since they do not say "
        f"who is still a {words.one}, what each is worth or when the next {words.deed} will come; sums are scaled to one that is shown to "
        f"forecast totals better, and {words.many} are listed in the order of one that is shown to rank them better.{failed}"
    )


def _shown(name: str, rows: pd.DataFrame, used: str, many: str) -> str:
    """What is shown of one forecaster against the one that is used; a blend has errors of its own, and nothing else."""
    if name == used:
        return "used here"
    if name not in rows.index:
        return ""
    parts = []
    for word in ("better", "worse"):
        at = [_AIMS[aim].format(many=many) for aim in _AIMS if rows.loc[name, f"{aim}_shown"] == word]
        if at:
            parts.append(f"{word} at {' and '.join(at)}" if len(at) < 3 else f"{word} at all three")
    return ", ".join(parts)


def _what(study: Study) -> str:
    return _of(study.board.target, study)


def _of(target: str, study: Study) -> str:
    return "spend" if target == "spend" else study.base.words.deeds


def _people(board: Leaderboard) -> int:
    some = board.origins[(board.origins["target"] == board.target) & (board.origins["span"] == board.span)]
    return int(some["customers"].max())


def _days(study: Study) -> str:
    """The days that forecasters were asked on."""
    board, form = study.board, study.context.form
    some = board.origins[(board.origins["target"] == board.target) & (board.origins["span"] == board.span)]
    days = list(dict.fromkeys(some["day"]))
    if len(days) == 1:
        return f"{form.day(days[0])}"
    return f"{form.count(len(days))} earlier days ({form.day(days[0])} to {form.day(days[-1])})"
