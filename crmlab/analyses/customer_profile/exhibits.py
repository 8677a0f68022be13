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


def facts_table(study: Study) -> Table:
    """What to know before talking with the customer."""
    bought, worth, risk = study.occasions, study.worth, study.risk
    form, level, words = study.context.form, study.params.level, study.speech.words
    rows: list[list[object]] = []

    def add(label: str, value: object, kind: str = "text", low: object = None, high: object = None) -> None:
        rows.append([label, value, kind, low, high])

    for name, value in study.attributes.items():
        if name == "customer_id" or value is None or value == "":
            continue
        column = CUSTOMERS.column(name)
        kind = "date" if isinstance(value, dt.date) else "exact" if column is not None and column.kind == "money" else "text"
        fact_text = ("yes" if value else "no") if isinstance(value, bool) else value
        add(
            name.replace("_", " ").capitalize(),
            fact_text if kind == "date" else float(fact_text) if kind == "exact" else str(fact_text),
            kind,
        )
    if len(bought):
        add(f"First {words.deed}", bought["day"].iloc[0], "date")
        add(f"Last {words.deed}", bought["day"].iloc[-1], "date")
        add(study.speech("{Occasions}"), len(bought), "count")
        add("Total amount", float(bought["spend"].sum()), "exact")
        back = float(study.days.loc[~study.days["is_occasion"], "spend"].sum())
        if back:
            add("Returned on other days", back, "exact")
    if study.state:
        add("Lifecycle state", _state_words(study), "text")
    gap = study.state.get("mean_gap")
    if gap:
        add(f"Usual gap between {words.deeds}, days", float(round(gap)), "count")
    if worth.tier:
        add("Value tier", {"A": "A: top 10%", "B": "B: next 20%", "C": "C: next 30%", "D": "D: the rest"}[worth.tier])
    names = {
        "value": (f"Value still to come, {worth.span}", "amount"),
        "expected_purchases": (f"{words.deeds.capitalize()} expected in {worth.ahead}", "number"),
        "alive": (f"Probability of still being a {words.one}", "share"),
        "churn": (f"Probability of no {words.deed} within {risk.window} days", "share"),
    }
    for key, (label, kind) in names.items():
        if key in study.estimates:
            found = study.estimates[key]
            add(label, found.value, kind, found.low, found.high)
    if risk.reasons:
        add("What drives that probability", "\n".join(risk.reasons), "lines")
    if worth.soonest is not None:
        until = form.short_day(worth.latest) if worth.latest is not None else "never"
        add(f"Next {words.deed}, {form.share(level)} interval", f"{form.short_day(worth.soonest)} to {until}")
    for label, told in zip(("What to do", "Why"), study.todo, strict=False):
        add(label, told)
    frame = pd.DataFrame(rows, columns=["label", "value", "kind", "low", "high"], dtype=object)
    columns = {"label": Column("What"), "value": Column("Known", "row:kind", "low", "high")}
    caption = (
        f"{words.one.capitalize()} {study.params.customer_id} on {form.day(study.context.as_of)}. "
        f"Small figures are {form.share(level)} intervals for what this {words.one} will do."
    )
    return Table(caption, frame, columns, form, top=60)


def _state_words(study: Study) -> str:
    """State, since when, and what comes next if nothing is bought."""
    state, deed = str(study.state.get("state", "")), study.speech.words.deed
    silent = study.state.get("days_since_last")
    if silent is None:
        return study.speech(f"{state}: nothing {{given}} yet")
    limits = [("slowing", "slowing_after"), ("lapsed", "lapsed_after"), ("lost", "lost_after")]
    ahead = [(name, int(study.state[key]) - int(silent) + 1) for name, key in limits if int(study.state[key]) >= int(silent)]
    then = f"; {ahead[0][0]} in {ahead[0][1]} {'day' if ahead[0][1] == 1 else 'days'} without a {deed}" if ahead else ""
    return f"{state}, {silent} {'day' if silent == 1 else 'days'} since the last {deed}{then}"


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
        {"day": study.contacts["day"], "what": study.contacts["campaign"].astype(str) + ": " + study.contacts["what"]}
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
        if worth.soonest is not None:
            soonest = float(date2num(worth.soonest))
            right = float(date2num(min(worth.latest or end + dt.timedelta(days=YEAR), end + dt.timedelta(days=YEAR))))
            ax.axvspan(soonest, right, color=color("fill"), alpha=0.6, linewidth=0)
            marks.label(ax, f"next {words.deed}\nexpected", soonest, top, gap=(3, 0), va="top")
        ax.axhline(0, color=color("ink"), linewidth=0.8)
        begin = frame["day"].min() if len(frame) else pd.Timestamp(study.context.first_day)
        low = min(-0.5 * top, float(back["spend"].min()) * 1.1 if len(back) else 0.0)
        ax.set(xlim=(float(date2num(begin)) - 10, right + 10), ylim=(low, 1.1 * top))
        ax.set_yticks([-0.4 * top, -0.22 * top, 0, top], ["responses", "contacts", "", form.money(top)])
        marks.dates(ax, form, 2, 6)

    return Chart(
        f"The {words.one}’s history: {words.deeds} by day with their amounts (blue), returns (orange, below the line), contacts "
        f"(triangles) and responses (squares). The pale band shows when the next {words.deed} is expected.",
        f"A timeline of {len(bought)} {words.deeds}, {len(back)} days of returns, {len(sent)} contacts and "
        f"{len(study.responses)} responses.",
        draw,
        frame,
        (8, 2.7),
    )
