"""Tables and charts of the page on actions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.actions.deciding import BUDGET, COSTS_MORE
from crmlab.analyses.actions.declaring import ALONE, HELD_OUT, HELD_WHY
from crmlab.analyses.actions.effects import ASSUMED, UNSHOWN
from crmlab.analyses.actions.people import brought
from crmlab.analyses.actions.pressing import PUBLISHED
from crmlab.analyses.customer_value import TIER_WORDS
from crmlab.errors import listing
from crmlab.history.context import masked
from crmlab.models.decisions import After, Apart, Limit, Window
from crmlab.page import marks
from crmlab.page.exhibits import Absent
from crmlab.page.groups import small_groups
from crmlab.page.result import Chart
from crmlab.page.tables import Column, Table
from crmlab.page.texts import joined
from crmlab.page.tokens import color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crmlab.analyses.actions.study import Study
    from crmlab.page.format import Format

__all__ = [
    "REST",
    "actions_chart",
    "actions_table",
    "alone_table",
    "budget_chart",
    "calendar_table",
    "effects_table",
    "judged_table",
    "kept_table",
    "others_table",
    "pressure_table",
    "rules_table",
    "shown_lines",
    "who_table",
    "worth_at",
]

NOTHING_PAYS = Absent("Nothing pays today.")
NOT_KNOWN = Absent("What the actions bring in is not known, because the margin is not known.")
REST = "other actions"
MARGINS = (20, 40, 60)  # per cent, for which it is said how many would be worth a contact
_ANY = "any of these"
_NAMED = 3  # actions with a column of their own
_FEW_ROWS = 2  # so few rows a chart only repeats


def shown_lines(study: Study) -> pd.DataFrame:
    """The actions of today, small ones as one row."""
    lines = study.lines
    small = small_groups(lines.set_index("action")["customers"], study.params.min_group)
    if not len(small):
        return lines
    few = lines[lines["action"].isin(small)]
    sums = few[["customers", "worth", "worth_low", "worth_high", "cost"]].sum()
    rest = pd.DataFrame([{"action": REST, **sums.to_dict(), "basis": "see the table of effects"}])
    return pd.concat([lines[~lines["action"].isin(small)], rest], ignore_index=True).astype({"customers": "int64"})


def actions_table(study: Study) -> Table | Absent:
    """What to do today, those that bring most first."""
    form, words = study.context.form, study.words
    if study.lines.empty:
        return NOTHING_PAYS if study.margin.known else _break_even(study)
    frame = shown_lines(study)
    columns = {
        "action": Column("Action"),
        "customers": Column(words.many.capitalize(), "count"),
        "worth": Column("Expected to bring in, after costs", "money", "worth_low", "worth_high"),
        "cost": Column("Costs, with offers", "money"),
        "basis": Column("Basis of its effect"),
    }
    caption = f"What to do today, one action for each {words.one}, with {form.share(study.params.level)} intervals."
    return Table(caption, frame, columns, form)


def worth_at(study: Study) -> pd.DataFrame:
    """Without a margin: with how many an action could be done, and for how many it would pay at each of some margins.

    Returns
    -------
    DataFrame
        action, customers, basis, at_20, at_40, at_60; where there are several actions, the last row is of whoever may have any of them,
        each counted once.
    """
    people, gains = study.ground.people, study.ground.gains
    least = np.full(len(people), np.inf)  # the margin from which the first of the actions pays
    able = np.zeros(len(people), dtype=bool)
    rows = []

    def row(name: str, may: Any, needed: Any, basis: str) -> dict[str, object]:
        counts = {f"at_{share}": int((needed[may] <= share / 100).sum()) for share in MARGINS}
        return {"action": name, "customers": int(may.sum()), **counts, "basis": basis}

    for one in study.ground.actions:
        may = gains[one.name].notna().to_numpy() & people.open
        if not may.any():
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = study.ground.costs[one.name] / (one.effect.counted * brought(people, one) / people.margin)
        needed = np.where(np.isfinite(needed) & (needed > 0) & may, needed, np.inf)
        least, able = np.minimum(least, needed), able | may
        rows.append(row(one.name, may, needed, one.effect.told))
    if len(rows) > 1:
        rows.append(row(_ANY, able, least, ""))
    return pd.DataFrame(rows, columns=["action", "customers", *(f"at_{share}" for share in MARGINS), "basis"])


def _break_even(study: Study) -> Table | Absent:
    """Without a margin: for how many each action would pay, and how many are undecided until one is given."""
    form, table = study.context.form, worth_at(study)
    if table.empty:
        return NOTHING_PAYS
    shares = {f"at_{share}": Column(f"Worth contacting at a margin of {form.share(share / 100)}", "count") for share in MARGINS}
    columns = {
        "action": Column("Action"),
        "customers": Column(f"Eligible {study.words.many}", "count"),
        **shares,
        "basis": Column("Basis of its effect"),
    }
    caption = (
        f"For how many {study.words.many} each action would pay, by margin. Undecided until a margin is given: "
        f"{form.count(study.undecided)}."
    )
    return Table(caption, table, columns, form)


def actions_chart(study: Study) -> Chart | Absent:
    """What each action is expected to bring."""
    frame, form = shown_lines(study), study.context.form
    if frame.empty:
        return NOTHING_PAYS if study.margin.known else NOT_KNOWN
    if len(frame) <= _FEW_ROWS:
        return Absent()

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="money", lines="x")
        low, high = min(float(frame["worth_low"].min()), 0.0), max(float(frame["worth_high"].max()), 0.0)
        notes = [form.money(value) for value in frame["worth"]]
        names = [f"{name}, {form.count(count)}" for name, count in zip(frame["action"], frame["customers"], strict=True)]
        for place, row in zip(marks.forest(ax, names, notes, low, high), frame.to_dict("records"), strict=True):
            marks.ranges(ax, place, (row["worth"], row["worth_low"], row["worth_high"]))

    first = frame.iloc[0]
    return Chart(
        f"What each action is expected to bring in today after costs, with the number of {study.words.many}; lines are "
        f"{form.share(study.params.level)} intervals.",
        f"A dot and a line for each of {len(frame)} actions; {first['action']} brings in most, {form.money(first['worth'])}.",
        draw,
        frame,
        (8, 0.5 * len(frame) + 0.8),
    )


def alone_table(study: Study) -> Table | Absent:
    """Why nothing is done with the others."""
    frame, words, form = study.alone, study.words, study.context.form
    if frame.empty:
        return Absent(f"There is an action for every {words.one} today.")
    best = _best_alone(study)
    frame = frame.assign(best=[best.get(reason, 0) for reason in frame["reason"]])
    small = small_groups(frame.set_index("reason")["customers"], study.params.min_group)
    if len(small):
        few = frame["reason"].isin(small)
        rest = {"reason": "other reasons", **{name: int(frame.loc[few, name].sum()) for name in ("customers", "best")}}
        frame = pd.concat([frame[~frame["reason"].isin(small)], pd.DataFrame([rest])], ignore_index=True)
    hidden = [masked(int(count), study.params.min_group) for count in frame["best"]]
    frame = frame.assign(share=frame["customers"] / study.customers, best=hidden)
    columns = {
        "reason": Column("Why they are left alone today"),
        "customers": Column(words.many.capitalize(), "count"),
        "share": Column(f"Share of all {words.many}", "share"),
        "best": Column("In tier A", "count"),
    }
    return Table(
        f"{words.many.capitalize()} to leave alone today, each counted under the first reason that applies; tier A is the "
        f"{TIER_WORDS['A']} by value.",
        frame,
        columns,
        form,
    )


def _best_alone(study: Study) -> dict[str, int]:
    """Reason for which nothing is done → how many of those in tier A it is given for."""
    today = study.decided.today[(study.ground.people.frame["tier"] == "A").to_numpy()]
    why = today["action_reason"].where(today["action"] == ALONE, "").mask(today["action"] == HELD_OUT, HELD_WHY)
    return {str(reason): int(count) for reason, count in why.value_counts().items() if reason}


def who_table(study: Study) -> Table | Absent:
    """Who gets which action, by value."""
    form, words = study.context.form, study.words
    if not study.margin.known or study.lines.empty:
        return Absent()
    today = study.decided.today
    named = list(study.lines.sort_values("customers", ascending=False, kind="stable")["action"])
    named = named if len(named) <= _NAMED + 1 else named[:_NAMED]
    group = today["action"].where(today["action"].isin([*named, ALONE, HELD_OUT]), REST)
    tier = study.ground.people.frame["tier"]
    counts = pd.crosstab(tier.to_numpy(object), group.to_numpy(object))
    shown = [name for name in (*named, REST, ALONE, HELD_OUT) if name in counts.columns]
    frame = pd.DataFrame({"tier": counts.index})
    columns = {"tier": Column("Value tier")}
    for number, name in enumerate(shown):
        frame[f"group_{number}"] = [masked(int(many), study.params.min_group) for many in counts[name]]
        columns[f"group_{number}"] = Column(
            {ALONE: "Left alone", HELD_OUT: "Held out"}.get(name, name if name == REST else f"“{name}”"), "count"
        )
    tiers = joined(f"tier {name} is the {said.removeprefix('the ')}" for name, said in TIER_WORDS.items())
    caption = f"Who gets which action, by value: of all {words.many}, {tiers}."
    return Table(f"{caption}{_spared(study)}", frame, columns, form)


def _spared(study: Study) -> str:
    """Why so many of the best are left alone, as a sentence; empty where they are not."""
    words, today = study.words, study.decided.today
    best = (study.ground.people.frame["tier"] == "A").to_numpy()
    costly = (today["action_reason"] == COSTS_MORE).to_numpy()
    given = any(one.response > 0 or one.discount > 0 for one in study.ground.actions)
    if not (given and best.any() and costly[best].mean() > max(costly[~best].mean(), 0.1)):
        return ""
    form = study.context.form
    some, every = form.count(int(costly[best].sum())), form.count(int(best.sum()))
    return (
        f" {some} of the {every} {words.many} in tier A are left alone because they would {words.fill('{buy}')} anyway: the offer would "
        "cost more than the contact adds."
    )


def effects_table(study: Study) -> Table:
    """What is known of each action's effect, and what it costs."""
    form, words = study.context.form, study.words
    frame = pd.DataFrame(
        {
            "action": one.name,
            "rise": one.effect.rise,
            "rise_low": one.effect.low,
            "rise_high": one.effect.high,
            "basis": one.effect.told,
            "source": one.effect.source,
            "contact": one.contact,
            "response": one.response,
            "discount": one.discount,
        }
        for one in study.ground.actions
    )
    columns = {
        "action": Column("Action"),
        "rise": Column(f"Rise in the share who {words.fill('{buy}')}", "points", "rise_low", "rise_high"),
        "basis": Column("Basis"),
        "source": Column("Source"),
        "contact": Column("Cost of a contact", "exact"),
        "response": Column("Cost of an offer taken", "exact"),
        "discount": Column("Discount", "share"),
    }
    caption = f"How much each action is expected to raise the share of {words.many} who {words.fill('{buy}')}, the next time it is used."
    if (frame["basis"] != ASSUMED).any():
        caption += (
            " Measured effects are pulled towards their mean, since the best of several results is partly luck. Their "
            f"{form.share(study.params.level)} intervals allow for the next campaign to differ from past ones, so they may reach below 0 "
            "even though past campaigns showed a rise."
        )
    if (frame["basis"] == ASSUMED).any():
        caption += " For an assumed effect, the small figures are the range that was assumed."
    if (frame["basis"] == UNSHOWN).any():
        caption += " An effect not shown to be above 0 counts as none: the action is not used until another test shows one."
    if any(one.effect.told != one.effect.basis for one in study.ground.actions):
        caption += " “May be none”: past tests showed a rise, but that of the next campaign may be none."
    return Table(caption, frame, columns, form)


def budget_chart(study: Study) -> Chart | Absent:
    """Profit against budget, and where to stop."""
    curve, form = study.curve, study.context.form
    if isinstance(curve, Absent):
        return curve if study.margin.known else NOT_KNOWN
    last = curve.iloc[-1]

    def draw(figure: Figure) -> None:
        ax = marks.axes(figure.add_subplot(), form, x="money", y="money", xlabel="spent", ylabel="brought in, after costs")
        marks.band(ax, curve["budget"], (curve["profit"], curve["low"], curve["high"]))
        ax.axvline(last["budget"], color=color("ink"), linewidth=1, linestyle=(0, (3, 3)))
        marks.label(
            ax, f"stop at {form.money(last['budget'])}", last["budget"], 0.06, hung=True, gap=(-6, 0), ha="right", token="ink"
        )

    return Chart(
        f"What today’s actions bring in after costs, by budget, with a {form.share(study.params.level)} band. "
        f"Spending beyond the dashed line does not pay; the further right, the less the added {study.words.many} bring in for the same "
        "money.",
        f"A curve that rises ever more slowly to {form.money(last['profit'])} at {form.money(last['budget'])} spent.",
        draw,
        curve,
        (8, 3.0),
    )


def rules_table(study: Study) -> Table | Absent:
    """What limits and rules cost today."""
    form = study.context.form
    if not study.margin.known:
        return Absent("What limits cost is not known, because the margin is not known.")
    frame = study.rules.assign(rule=[_rule(one, study) for one in study.rules["rule"]])
    frame = frame[frame["cost"] >= 0.005].sort_values(["cost", "rule"], ascending=[False, True], ignore_index=True)
    if frame.empty:
        return Absent("No limit rules out anything today that would pay.")
    columns = {"rule": Column("Limit"), "cost": Column("Extra gain today without it", "money")}
    if frame["price"].notna().any():
        columns["price"] = Column(f"The next {study.words.one}, or unit of money, brings in", "exact")
    return Table("What each limit costs today if the others stay as they are.", frame[list(columns)], columns, form)


def _rule(one: object, study: Study) -> str:
    """A limit or rule in words."""
    words, form = study.words, study.context.form
    if isinstance(one, Limit):
        return f"budget of {form.money(one.most)} a day" if one.name == BUDGET else f"{one.name}: {form.count(one.most)}"
    if isinstance(one, Window):
        what = "contacts" if one.most != 1 else "contact"
        # Past contacts that are no action of today are counted, and have no name.
        named = [name for name in one.actions or () if name in {its.name for its in study.ground.actions}]
        which = f"{' or '.join(f'“{name}”' for name in named)} " if named else ""
        return f"at most {form.count(one.most)} {which}{what} per {words.one} in {_days(one.days, form)}"
    if isinstance(one, Apart):
        return f"“{one.first}” and “{one.second}” at least {_days(one.days, form)} apart"
    assert isinstance(one, After)
    return f"“{one.action}” only {_days(one.days, form)} after “{one.earlier}”"


def _days(count: int, form: Format) -> str:
    return f"{form.count(count)} {'day' if count == 1 else 'days'}"


def others_table(study: Study) -> Table | Absent:
    """What other ways to choose would bring."""
    form, words = study.context.form, study.words
    if not study.margin.known:
        return NOT_KNOWN
    if study.lines.empty:
        return NOTHING_PAYS
    columns = {
        "choice": Column("Who to contact, and with what"),
        "customers": Column(words.many.capitalize(), "count"),
        "cost": Column("Costs, with offers", "money"),
        "worth": Column("Expected to bring in, after costs", "money"),
    }
    caption = (
        "This page compared with two common approaches: everybody who may be contacted gets the first action in the file that fits; or the "
        f"money that this page spends goes to the {words.many} with the highest value (chance of still being a {words.one} × value), with "
        "the action that brings in most on average. Both ignore budgets, capacities and contact limits; anyone held out is counted in all "
        "three."
    )
    return Table(caption, study.others, columns, form)


def calendar_table(study: Study) -> Table | Absent:
    """What is planned for the weeks ahead."""
    form, words = study.context.form, study.words
    calendar = study.decided.calendar
    if calendar.empty:
        return NOTHING_PAYS if study.margin.known else NOT_KNOWN
    frame = calendar.groupby(["day", "action"], as_index=False).agg(
        customers=("customer_id", "size"), gain=("gain", "sum"), cost=("cost", "sum")
    )
    frame = frame[frame["customers"] >= study.params.min_group]
    frame = frame.assign(day=[pd.Timestamp(study.context.as_of + dt.timedelta(days=int(day))) for day in frame["day"]])
    columns = {
        "day": Column("Day", "date"),
        "action": Column("Action"),
        "customers": Column(words.many.capitalize(), "count"),
        "gain": Column("Expected to bring in, after costs", "money"),
        "cost": Column("Costs, with offers", "money"),
    }
    caption = (
        f"The next {study.params.weeks} weeks if nothing new is learnt: each week takes what then pays most within the limits. Decide "
        f"afresh each week. Actions for fewer than {study.params.min_group} {words.many} are left out. Contacts of launched "
        f"campaigns count towards the limits. If you run the test on the page “Campaign design”, leave its {words.many} out of all this "
        "from the day it starts; leave controls of running tests out, too."
    )
    return Table(caption, frame.reset_index(drop=True), columns, form)


def kept_table(study: Study) -> Table | Absent:
    """What earlier decisions promised, and what actually happened."""
    form, words, frame = study.context.form, study.words, study.kept
    frame = frame[frame[["contacted", "held_out"]].min(axis=1) >= study.params.min_group]
    if frame.empty:
        return Absent(
            "What earlier decisions promised cannot yet be compared with what actually happened: that needs a campaign that was planned "
            f"from this page and is over, and {words.many} who are held out of everything."
        )
    buy = words.fill("{buy}")
    columns = {
        "campaign": Column("Campaign", "name"),
        "contacted": Column("Contacted", "count"),
        "held_out": Column("Held out", "count"),
        "promised": Column(f"More {words.many} who {buy}: promised", "count"),
        "came": Column("Actual", "count", "came_low", "came_high"),
    }
    if study.margin.known:
        columns["promised_money"] = Column("Money before costs: promised", "money")
        columns["came_money"] = Column("Actual", "money", "came_money_low", "came_money_high")
    caption = (
        f"What earlier decisions promised, and what actually happened while each campaign ran: {words.many} who were to get the action, "
        f"compared with those of them who were held out of everything. Intervals at {form.share(study.params.level)}. What an action was "
        "to bring in later is part of the promised money, but not of the actual money."
    )
    return Table(caption, frame.reset_index(drop=True), columns, form)


def judged_table(study: Study) -> Table | Absent:
    """What choosing as this page does would have brought in past campaigns."""
    form, words = study.context.form, study.words
    if study.judged is None:
        return NOT_KNOWN
    frame, gone = study.judged.campaigns, " ".join(study.judged.left_out)
    if frame.empty:
        needed = (
            f"It is not known whether past campaigns would have earned more had they chosen {words.many} as this page does. To know, you "
            "need a campaign whose cells and control were drawn at random, with an offer whose effect is also known from elsewhere: from "
            "another campaign, or from an assumption in the data set’s file."
        )
        return Absent(f"{needed} {gone}".strip())
    columns = {
        "campaign": Column("Past campaign", "name"),
        "customers": Column(f"{words.many.capitalize()} in its cells", "count"),
        "chosen": Column("This page would have contacted", "count"),
        "nobody": Column("Gain over contacting nobody", "money", "nobody_low", "nobody_high"),
        "everybody": Column("Gain over contacting everybody", "money", "everybody_low", "everybody_high"),
    }
    caption = (
        f"What past campaigns would have earned had they chosen {words.many} as this page does. Each {words.one} in their cells and "
        "controls is assigned the action, of those tested, that was expected to bring in most, or none, going by what was known when the "
        f"campaign opened and by effects measured elsewhere; {words.many} who by chance were given exactly that stand for all. Figures are "
        f"{study.margin.word} in the window, less contacts and offers taken. “Everybody” gets the one action that was expected to bring in "
        "most overall. Budgets, capacities, contact limits, consent and households are ignored. "
        f"Intervals at {form.share(study.params.level)}. {gone}"
    )
    return Table(caption.strip(), frame.reset_index(drop=True), columns, form)


def pressure_table(study: Study) -> Table:
    """How often customers hear from us, before and after."""
    form, words = study.context.form, study.words
    columns = {
        "span": Column("When"),
        "none": Column(f"{words.many.capitalize()} without a contact", "share"),
        "one": Column("With one contact", "share"),
        "more": Column("With several contacts", "share"),
        "most": Column(f"Most for one {words.one}", "count"),
        "four_weeks": Column("Contacts in four weeks, on average", "number"),
        "demand": Column("Demand from contacts", "share"),
    }
    curve = study.ground.curve or PUBLISHED
    once, most = (form.share(float(curve.told(weekly))) for weekly in (1, curve.tested))
    caption = (
        f"How often {words.many} are contacted: what counts towards the limits (also what anybody in the household was sent, and a place "
        "in the control of a running test), and what is planned or launched. "
    )
    if curve.campaigns:
        tested = "the campaign" if len(curve.campaigns) == 1 else "the campaigns"
        caption += (
            f"“Demand from contacts” follows the curve measured by cells of {tested} {listing(curve.campaigns)}: "
            f"{form.number(curve.tested)} contacts a week, the most that were tested, bring {most} of all demand; beyond that, it "
            "continues as the published curve does."
        )
    else:
        caption += (
            "“Demand from contacts” follows the curve that Hillstrom published for email in 2018: one contact a week brings "
            f"{once} of the greatest possible demand, five or more bring {most}. It is not measured on these data; test cells that differ "
            "only in how often people are contacted would provide a measured curve instead."
        )
    return Table(caption, study.pressure, columns, form)
