"""Chart and tables of one customer's profile."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.data.tables import CUSTOMERS
from crmlab.history.words import ROUNDS, YEAR
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.customer_profile.study import Study

__all__ = [
    "KINDS",
    "about_table",
    "bought_table",
    "contacts_table",
    "facts_table",
    "moments_table",
    "offers_table",
    "strip_chart",
]


KINDS = {
    "open": "opened a message",
    "click": "clicked",
    "visit": "visited",
    "order": "ordered",
    "complaint": "complained",
    "request": "asked for something",
}


_TIERS = {"A": "tier A: top 10%", "B": "tier B: next 20%", "C": "tier C: next 30%", "D": "tier D: the rest"}
_LABELS = {
    "household_id": "Household",
    "contactable": "May be contacted",
    "acquired_at": "{One} since",
    "acquisition_cost": "Cost of winning them",
    "acquisition_source": "Came through",
    "referred_by": "Referred by",
    "area_id": "Area",
}  # of columns that are not called what people would call them


def facts_table(study: Study) -> Table:
    """What matters today: the decision, the state, the value and what is expected, each with what stands behind it."""
    worth, risk, form, words = study.worth, study.risk, study.context.form, study.speech.words
    level = form.share(study.params.level)
    rows: list[list[object]] = []

    def add(label: str, value: object, kind: str = "text", more: str = "", low: object = None, high: object = None) -> None:
        rows.append([label, value, kind, low, high, more])

    if study.todo:
        action, why = study.todo
        add("What to do", action, more=why)
    if study.state:
        add("Lifecycle state", str(study.state.get("state", "")), more=_state_words(study))
    names = {
        "value": ("Value still to come", "amount", f"{worth.span}; {_TIERS[worth.tier]}" if worth.tier else worth.span),
        "expected_purchases": (f"{words.deeds.capitalize()} expected in {worth.ahead}", "number", ""),
        "alive": (f"Probability of still being a {words.one}", "share", ""),
        "churn": (f"Probability of no {words.deed} within {risk.window} days", "share", "\n".join(risk.reasons)),
    }
    for key, (label, kind, more) in names.items():
        if key in study.estimates:
            found = study.estimates[key]
            # Nobody buys a hundredth of a time; what is well under once is still told from nothing.
            kind = "count" if kind == "number" and found.value >= 1 else kind
            add(label, found.value, kind, more, found.low, found.high)
    if worth.soonest is not None:
        if worth.latest is None:
            add(f"Next {words.deed}", f"from {form.short_day(worth.soonest)}", more="perhaps never")
        else:
            add(
                f"Next {words.deed}",
                f"{form.short_day(worth.soonest)} to {form.short_day(worth.latest)}",
                more=f"{level} interval",
            )
    if not rows:
        add("What to do", "not decided")
    frame = pd.DataFrame(rows, columns=["label", "value", "kind", "low", "high", "more"], dtype=object)
    columns = {
        "label": Column("What"),
        "value": Column("Known", "row:kind", "low", "high", lead=True),
        "more": Column("More on it", "lines"),
    }
    caption = (
        f"{words.one.capitalize()} {study.params.customer_id} on {form.day(study.context.as_of)}. "
        f"Small figures are {level} intervals for what this {words.one} will do."
    )
    return Table(caption, frame, columns, form, top=60)


def about_table(study: Study) -> Table:
    """Who it is, and what they did so far."""
    bought, form, words = study.occasions, study.context.form, study.speech.words
    rows: list[list[object]] = []

    def add(label: str, value: object, kind: str = "text") -> None:
        rows.append([label, value, kind])

    if len(bought):
        add(f"First {words.deed}", bought["day"].iloc[0], "date")
        add(f"Last {words.deed}", bought["day"].iloc[-1], "date")
        add(study.speech("{Occasions}"), len(bought), "count")
        add("Total amount", float(bought["spend"].sum()), "exact")
        back = float(study.days.loc[~study.days["is_occasion"], "spend"].sum())
        if back:
            add("Returned on other days", back, "exact")
    gap = study.state.get("mean_gap")
    if gap:
        add(f"Usual gap between {words.deeds}, days", float(round(gap)), "count")
    for name, value in study.attributes.items():
        if name == "customer_id" or value is None or value == "":
            continue
        column = CUSTOMERS.column(name)
        kind = "date" if isinstance(value, dt.date) else "exact" if column is not None and column.kind == "money" else "text"
        fact_text = ("yes" if value else "no") if isinstance(value, bool) else value
        label = study.speech(_LABELS[name]) if name in _LABELS else name.replace("_", " ").capitalize()
        add(label, fact_text if kind == "date" else float(fact_text) if kind == "exact" else str(fact_text), kind)
    frame = pd.DataFrame(rows, columns=["label", "value", "kind"], dtype=object)
    columns = {"label": Column("What"), "value": Column("Known", "row:kind")}
    caption = f"The {words.one} and the {words.deeds} so far, on {form.day(study.context.as_of)}."
    return Table(caption, frame, columns, form, top=60)


def _state_words(study: Study) -> str:
    """Since when, and what comes next if nothing is bought."""
    deed = study.speech.words.deed
    silent = study.state.get("days_since_last")
    if silent is None:
        return study.speech("nothing {given} yet")
    limits = [("slowing", "slowing_after"), ("lapsed", "lapsed_after"), ("lost", "lost_after")]
    ahead = [(name, int(study.state[key]) - int(silent) + 1) for name, key in limits if int(study.state[key]) >= int(silent)]
    then = (
        f"; becomes {ahead[0][0]} in {ahead[0][1]} {'day' if ahead[0][1] == 1 else 'days'} unless there is another {deed}"
        if ahead
        else ""
    )
    return f"{silent} {'day' if silent == 1 else 'days'} since the last {deed}{then}"


def bought_table(study: Study) -> Table | Absent:
    """What was bought, most often first."""
    if not len(study.bought):
        if study.speech.words is ROUNDS:
            return Absent("Nothing is sold here.")
        return Absent("What was bought is not known: there are no order lines for this customer.")
    columns = {"product": Column("Product"), "times": Column("Times", "count"), "spend": Column("Spend", "exact")}
    return Table("What the customer bought, most frequent first.", study.bought, columns, study.context.form, top=10)


def offers_table(study: Study) -> Table | Absent:
    """Offers, the best first."""
    if not len(study.offers):
        return Absent(study.why["offers"])
    columns = {"rank": Column("Rank", "count"), "name": Column("Offer"), "reason": Column("Because")}
    return Table("Offers, best first, as ranked in the report on offers.", study.offers, columns, study.context.form)


def moments_table(study: Study) -> Table | Absent:
    """Moments of today."""
    if not len(study.moments):
        return Absent(study.why["moments"])
    columns = {"label": Column("Moment"), "works": Column("Does the trigger work here?")}
    return Table(
        "Moments of today, and whether their triggers beat a simple rule here.",
        study.moments,
        columns,
        study.context.form,
    )


def contacts_table(study: Study) -> Table | Absent:
    """Contacts and responses, latest first."""
    if not len(study.contacts) and not len(study.responses):
        return Absent(f"No contacts with this {study.speech.words.one}, and no responses, are known.")
    sent = pd.DataFrame(
        {
            "day": study.contacts["day"],
            "what": study.contacts["campaign"].astype(str).str.replace("_", " ") + ": " + study.contacts["what"],
        }
    )
    code = [f" (code {code})" if code else "" for code in study.responses["code"]]
    came = [KINDS.get(str(kind), str(kind)) + more for kind, more in zip(study.responses["kind"], code, strict=True)]
    frame = pd.concat(
        [
            sent.assign(who="we contacted").where(
                study.contacts["contacted"].astype(bool), sent.assign(who="we did not contact")
            ),
            pd.DataFrame({"day": study.responses["day"], "what": came, "who": f"the {study.speech.words.one}"}),
        ],
        ignore_index=True,
    )
    frame = frame.sort_values(["day", "who", "what"], ascending=[False, True, True], kind="stable", ignore_index=True)
    columns = {"day": Column("Day", "date"), "who": Column("Who"), "what": Column("What")}
    return Table("Contacts and responses, latest first.", frame, columns, study.context.form, top=30)


def strip_chart(study: Study) -> Chart | Absent:
    """The history as a strip: purchases, returns, contacts, responses, and when the next purchase is expected."""
    if not len(study.days) and not len(study.contacts) and not len(study.responses):
        return Absent(study.speech("Nothing was {given} and nothing was sent, so there is no history to draw."))
    form, end, worth, words = study.context.form, study.context.as_of, study.worth, study.speech.words
    bought, back = study.occasions, study.days[~study.days["is_occasion"] & (study.days["spend"] < 0)]
    sent = study.contacts[study.contacts["contacted"].astype(bool)]
    frame = pd.concat(
        [
            pd.DataFrame({"day": bought["day"], "kind": "purchase", "amount": bought["spend"]}),
            pd.DataFrame({"day": back["day"], "kind": "return", "amount": back["spend"]}),
            pd.DataFrame({"day": sent["day"], "kind": "contact", "amount": float("nan")}),
            pd.DataFrame({"day": study.responses["day"], "kind": "response", "amount": float("nan")}),
        ],
        ignore_index=True,
    ).sort_values(["day", "kind"], kind="stable", ignore_index=True)
    top = max(float(bought["spend"].max()) if len(bought) else 0.0, 1.0)

    def draw(figure: Figure) -> None:
        from matplotlib.dates import date2num

        ax = marks.axes(figure.add_subplot(), form, lines="none")
        for row in frame.to_dict("records"):
            x = float(date2num(row["day"]))
            if row["kind"] in ("purchase", "return"):
                token = "accent" if row["kind"] == "purchase" else "second"
                ax.plot([x, x], [0, row["amount"]], color=color(token), linewidth=2)
                ax.plot(x, row["amount"], "o", color=color(token), markersize=4)
            else:
                place, mark = (-0.22, "^") if row["kind"] == "contact" else (-0.4, "s")
                ax.plot(x, place * top, mark, color=color("muted"), markersize=5)
        right = float(date2num(end))
        if worth.soonest is not None and worth.latest is not None:
            soonest = float(date2num(worth.soonest))
            right = max(soonest, float(date2num(min(worth.latest, end + dt.timedelta(days=YEAR)))))
            ax.axvspan(soonest, right, color=color("fill"), alpha=0.6, linewidth=0)
            marks.label(ax, f"next {words.deed}\nexpected", soonest, top, gap=(3, 0), va="top")
        ax.axhline(0, color=color("ink"), linewidth=0.8)
        begin = frame["day"].min() if len(frame) else pd.Timestamp(study.context.first_day)
        low = min(-0.5 * top, float(back["spend"].min()) * 1.1 if len(back) else 0.0)
        ax.set(xlim=(float(date2num(begin)) - 10, right + 10), ylim=(low, 1.1 * top))
        amounts = marks.tick_places(0, top, 3)
        ax.set_yticks([-0.4 * top, -0.22 * top, *amounts], ["responses", "contacts", *map(form.tick, amounts)])
        marks.dates(ax, form, 2, 6)

    expected = ""
    if worth.soonest is not None:
        expected = (
            f" The next {words.deed} may never come, so no band shows when it is expected."
            if worth.latest is None
            else f" The pale band shows when the next {words.deed} is expected."
        )
    return Chart(
        f"The {words.one}’s history: {words.deeds} by day with their amounts (blue), returns (orange, below the line), contacts "
        f"(triangles) and responses (squares).{expected}",
        f"A timeline of {len(bought)} {words.deeds}, {len(back)} days of returns, {len(sent)} contacts and "
        f"{len(study.responses)} responses.",
        draw,
        frame,
        (8, 2.7),
    )
