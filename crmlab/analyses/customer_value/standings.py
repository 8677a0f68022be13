"""How the leaderboard is shown: who forecast best from earlier days, each of these days, and what is said where a rival is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.forecasters import BLENDS, LEARNERS, TARGETS, forecaster_of
from crmlab.analyses.customer_value.params import NAMES
from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.sentences import later_spend, spend_of
from crmlab.history.words import ROUNDS
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.texts import joined
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.customer_value.leaderboard import Leaderboard
    from crmlab.analyses.customer_value.study import Study
    from crmlab.page.format import Format

__all__ = ["deciles_table", "leaderboard_chart", "leaderboard_table", "origins_table", "rivals_said", "standing_said"]

_AIMS = {"rank": "at ranking", "total": "in the total", "error": "for individual {many}"}
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
        "shown": Column("Clearly different?"),
        "off": Column(f"Total {_what(study)} off by", "share"),
        "gini": Column("Ranking (Gini)", "number", "gini_low", "gini_high"),
        "error": Column(f"Error per {words.one}", "number" if spend is None else "amount", "error_low", "error_high"),
        "deeds": Column(f"{words.deeds.capitalize()}: forecast / actual", "share", "deeds_low", "deeds_high"),
    }
    if spend is not None:
        columns["money"] = Column(f"{spend_of(words).capitalize()}: forecast / actual", "share", "money_low", "money_high")
    used, total, ahead = forecaster_of(board.used), _total(board.target, study), _ahead(study)
    learning = [_named(name) for name in LEARNERS if name in main.index]
    learners = f"{joined(learning)} {'use' if len(learning) > 1 else 'uses'} machine learning. " if learning else ""
    caption = (
        f"Leaderboard: each method was asked on {_days(study)} what the {words.many} of that day (at most "
        f"{form.count(_people(board))}) would {words.blanks['bring']} in the next {ahead}, knowing only the history up to that day. "
        f"“Off by” is how far, on average, the forecast of {total} was from the actual figure. A Gini of 1 is a perfect ranking, 0 a "
        f"random one; errors are mean absolute errors, which favour low forecasts. “Clearly different?” compares each with {used}, "
        f"which is used here, by paired differences that count each {words.one} once, corrected for the number of comparisons (Holm); "
        f"where it is empty, neither is clearly better. {learners}The model used here was chosen with the whole history known, which "
        f"flatters it a little. Small figures are {form.share(study.params.level)} intervals over {words.many}."
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
                "of": f"{_of(str(target), study)}, {words.span(float(span))}",
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
        "nearest": Column("Closest other method"),
    }
    caption = (
        f"Forecasts by {forecaster_of(board.used)}, the one used here, from earlier days: the forecast, the actual figure, whether the "
        f"{form.share(study.params.level)} interval contained it, its width, and its interval score (the width plus a penalty for a "
        "miss; both as shares of the actual figure; lower is better). The last column names the other method that came closest on "
        "that day; one always does, so a single name proves nothing."
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
        f"Mean {_what(study)} per {words.one} over {words.span(board.span)}, by tenth of the forecast (10 is the highest), all earlier "
        "days together. A forecast is right if it lies within the interval of the actual figure. Small figures are "
        f"{form.share(study.params.level)} intervals."
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
        return Absent(f"Nobody {words.did} anything in the {words.span(board.span)} after any of the earlier days.")
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

    best, alone = min(names, key=lambda name: float(np.abs(off[name]).mean())), some["day"].nunique() == 1
    least = f"{_named(str(best))} was off least, by {form.share(np.abs(off[best]).mean())}"
    return Chart(
        f"How far each forecast of {_total(board.target, study)} over {words.span(board.span)} was above (right) or below (left) the "
        f"actual figure, with one dot for {'' if alone else 'each of '}{_days(study)}; strong colour marks the forecast used here; the "
        "number is the average miss. Dots at the edge may lie beyond the chart.",
        f"Dots of the errors of {len(names)} methods; {least}.",
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
            f"{_named(name)} is shown to forecast {_total(target, study)} better than {used}: asked on {_days(study)}, it "
            f"was off by {theirs} on average, {used} by {ours}. {_taken(target, name, study)}"
        )
    return out


def _taken(target: str, name: str, study: Study) -> str:
    """What is done about a total that is shown to be better."""
    board, words, form, lead = study.board, study.base.words, study.context.form, study.fit.choice.lead
    ahead = _ahead(study)
    if target in lead.taken:
        ours, theirs = (form.money(one) if target == "spend" else form.count(one) for one in lead.told[target])
        return (
            f"So sums are scaled to its forecast of the next {ahead}: {theirs} instead of {ours} "
            f"{'of ' if target == 'spend' else ''}{_of(target, study)} from today’s "
            f"{words.many}. {forecaster_of(board.used)} says how the sum is shared out, and who is still a {words.one}."
        )
    why = {
        "rounds": f"Sums are not scaled to it: with one {words.deed} a year, there is no pace to change.",
        "silent": "Sums are not scaled to it: it could not forecast from today.",
        "far": "Sums are not scaled to it: its total is more than five times, or less than a fifth of, the one here.",
    }.get(lead.kept.get(target, "")) or _stays(name, study)
    return f"{why} So the totals here are the less reliable guide to the next {ahead}."


def _ranks_said(study: Study) -> list[str]:
    """Who is shown to rank customers better: a rival, whose order the list takes, or another of our models."""
    board, words, lead = study.board, study.base.words, study.fit.choice.lead
    rival = None if board.contest is None else board.contest.winner(board.target, "rank")
    name = rival or board.winner("rank")
    if name is None:
        return []
    what = later_spend(words) if board.target == "spend" else f"later {words.deeds}"
    taken = (
        f"So the list of {words.many} follows its order; the tiers are set by value, which looks further ahead than "
        f"{words.span(board.span)}."
        if lead.rank == name
        else f"{_stays(name, study)} The list and the tiers follow value, which looks further ahead than {words.span(board.span)}."
    )
    return [
        f"{_named(name)} is shown to rank {words.many} by {what} better than {forecaster_of(board.used)}, the model used here. "
        f"{taken}"
    ]


def _stays(name: str, study: Study) -> str:
    """Why nothing is taken from a method that is shown to be better."""
    words, choice = study.base.words, study.fit.choice
    if choice.by == "given":
        return "It is not used, because another model was asked for."
    if name.partition("+")[0] not in study.base.models:
        return "It is not used, because it could not forecast from today."
    if name.partition("+")[0] == choice.name:
        return f"It is not used, because the likelihood of what each {words.one} did does not show it to be better."
    return f"It is not used, because the model is chosen by the likelihood of what each {words.one} did."


def standing_said(study: Study) -> str:
    """How the forecast that is used stands among all, in one sentence for the method."""
    board, words, form = study.board, study.base.words, study.context.form
    if board.why:
        return f"There is no leaderboard. {board.why}"
    rows = board.rows(board.target)
    own = rows.loc[board.used]
    others = rows.drop(index=[name for name in (*BLENDS, board.used) if name in rows.index])
    worse = int(((others["rank_shown"] == "worse") | (others["total_shown"] == "worse")).sum())
    rules = "Simple rules" if words is ROUNDS else "Simple rules and machine learning"
    return (
        f"Leaderboard: asked on {_days(study)} about the next {_ahead(study)}, {forecaster_of(board.used)} was off by "
        f"{form.share(own['total_error'])} in {_total(board.target, study)} on average; {_proved(worse, len(others), form)} at the ranking "
        f"or the total. The model of {words.deeds} is chosen by the likelihood of what each {words.one} did, which rewards ranking, "
        f"total and spread at once. {rules} cannot be chosen, since they do not say who is still a {words.one}, what each is worth or "
        f"when the next {words.deed} will come. But if one of them is shown to forecast totals better, sums are scaled to it, and if "
        f"one is shown to rank {words.many} better, they are listed in its order.{_failed(study)}"
    )


def _proved(worse: int, others: int, form: Format) -> str:
    """How many of the others proved worse, as a clause that goes on.

    Examples
    --------
    >>> from crmlab.page.format import Format
    >>> [_proved(worse, others, Format()) for worse, others in ((0, 6), (2, 2), (7, 8), (1, 1))]
    ['none of the 6 others proved worse', 'both others proved worse', '7 of the 8 others proved worse', 'the one other proved worse']
    """
    if others == 0:
        return "no other took part that could prove worse"
    if others == 1:
        return f"the one other {'proved' if worse else 'did not prove'} worse"
    if worse == others:
        return f"{'both' if others == 2 else f'all {form.count(others)}'} others proved worse"
    return f"{form.count(worse) if worse else 'none'} of the {form.count(others)} others proved worse"


def _failed(study: Study) -> str:
    """Who could not always take part, and why: sentences with a blank before each."""
    reasons: dict[str, list[str]] = {}
    for name, why in study.board.failed.items():
        reasons.setdefault(why, []).append(_named(name))
    words = study.base.words
    return "".join(
        f" {joined(names)} could not always take part: {reason_said(why, words, 'it needs' if len(names) == 1 else 'they need')}"
        for why, names in reasons.items()
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
            parts.append(f"{word} {' and '.join(at)}" if len(at) < 3 else f"{word} at all three")
    return ", ".join(parts)


def _what(study: Study) -> str:
    return _of(study.board.target, study)


def _of(target: str, study: Study) -> str:
    """What was forecast, with a word before it: total spend, mean purchases."""
    return spend_of(study.base.words) if target == "spend" else study.base.words.deeds


def _ahead(study: Study) -> str:
    """How far ahead was asked, after "the next"."""
    words, span = study.base.words, study.board.span
    return words.period if span == 1 else words.span(span)


def _total(target: str, study: Study) -> str:
    """The total of what was forecast."""
    if target == "spend":
        return f"total {spend_of(study.base.words)}" if study.base.words is not ROUNDS else "the total amount given"
    return f"the total number of {study.base.words.deeds}"


def _named(name: str) -> str:
    """A method as the subject of a sentence: its name in quotation marks, unless it is a model's."""
    said = forecaster_of(name)
    return said if name.partition("+")[0] in NAMES else f"“{said}”"


def _people(board: Leaderboard) -> int:
    some = board.origins[(board.origins["target"] == board.target) & (board.origins["span"] == board.span)]
    return int(some["customers"].max())


def _days(study: Study) -> str:
    """The days that methods were asked on."""
    board, form = study.board, study.context.form
    some = board.origins[(board.origins["target"] == board.target) & (board.origins["span"] == board.span)]
    days = list(dict.fromkeys(some["day"]))
    if len(days) == 1:
        return f"{form.day(days[0])}"
    return f"{form.count(len(days))} earlier days ({form.day(days[0])} to {form.day(days[-1])})"
