"""What data quality says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.data_quality.judging import DROPPED_STOP, SHORT_HISTORY, STATEMENTS, in_figures
from crmlab.data.reading.cleaning import REASONS
from crmlab.data.rules import LOST
from crmlab.history.words import WEEKS
from crmlab.page.estimate import Estimate
from crmlab.page.format import Format
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.data_quality.study import Study
    from crmlab.data.ledger import Breach

__all__ = ["FEW", "TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Can we rely on this data?"
_MOST = 10  # warnings of serious breaches
_SAID_BY = {"no_customer": "Customers", "unreadable": "Readable rows"}  # the rule that says of rows why they were dropped
# What has to be answered before the data can be relied on, by the rule that raises it.
_ASKED = {
    "Customers": "rows without a customer are guest orders",
    "Orders counted once": "orders that appear more than once are one order or several",
    "Lines counted once": "lines that appear more than once are one line or several",
    "Duplicates": "copies of lines are further units or the same line twice",
    "Repeated orders": "repeated orders are real or copies",
    "Days to come": "dates that lie ahead are right",
    "Possible dates": "dates that cannot be are misread",
    "Sums agree": "orders or their lines have the right amounts",
    "Contacts who order": "contacts and orders have the same customer IDs",
}
FEW = 20  # customers, below which a share says less than their number


def findings(study: Study) -> Findings:
    """The sentences that open the page."""
    found = [_rows_finding(study), _rules_finding(study), *_largest_finding(study)]
    return Findings(found)


def _rows_finding(study: Study) -> Finding:
    """The verdict, the gravest of what speaks against the data, and how many rows were used."""
    own, form = _own(study), study.context.form
    lost = own[own["reason"].notna()]
    rows = form.count(int(own["rows"].sum()))
    words, grave = f"All {rows} rows were used.", study.verdict.grave
    if len(lost):
        why = lost.sort_values("rows", ascending=False, kind="stable").iloc[0]
        count = int(why["rows"])
        words = f"{form.share(_used(study))} of {rows} rows were used."
        if not (grave and grave[0].rule == _SAID_BY.get(str(why["reason"]))):
            words += f" Main reason for leaving rows out: {REASONS[why['reason']]} ({form.count(count)} {'row' if count == 1 else 'rows'})."
    if grave:
        words = f"{_told(grave[0], form)} {words}"
    return Finding(study.verdict.words, f"{_because(study)} {words}", metric="rows_used_share")


def _told(breach: Breach, form: Format) -> str:
    """What was found, and how much of it, as one sentence; a question keeps its mark."""
    said = breach.says
    return f"{said[:-1]}: {in_figures(breach, form)}." if said.endswith(".") else f"{said} {in_figures(breach, form)}."


def _because(study: Study) -> str:
    """What the verdict rests on, as its sentence goes on."""
    judged = study.verdict
    if judged.stop:
        return "because too many rows cannot be used."
    if judged.grave:
        more = len(judged.grave) - 1
        also = (
            ""
            if not more
            else " and one more question is answered"
            if more == 1
            else f" and {more} more questions are answered"
        )
        return f"until it is known whether {_ASKED.get(judged.grave[0].rule, 'this is right')}{also}."
    return f"because the history has only {judged.days} days." if judged.short else "enough to rely on."


def _rules_finding(study: Study) -> Finding:
    """How many of the rules that records should keep hold, and which is broken most."""
    rules, form = study.rules, study.context.form
    broken = rules[rules["broken"] > 0]
    held = len(rules) - len(broken)
    if broken.empty:
        return Finding(f"All {form.count(held)}", "rules are kept by the records.", metric="rules_held")
    told = study.verdict.grave[0].rule if study.verdict.grave else ""  # by the finding above
    rest = broken[broken["rule"] != told].sort_values(["grave", "share"], ascending=[False, False], kind="stable")
    text = f"rules that records should keep {'holds' if held == 1 else 'hold'}."
    if len(rest):
        worst = rest.iloc[0]
        said = str(worst["found"]).rstrip(".")
        which = (
            "The one that does not"
            if len(broken) == 1
            else "Of the others, what matters most"
            if len(rest) == len(broken)
            else "Next"
        )
        text += f" {which}: {said[:1].lower()}{said[1:]} ({form.count(worst['broken'])} of {form.count(worst['checked'])} {worst['unit']})."
    return Finding(f"{form.count(held)} of {form.count(len(rules))}", text, metric="rules_held")


def _largest_finding(study: Study) -> list[Finding]:
    """The largest order, and what became of it."""
    largest, form = study.largest, study.context.form
    if largest.empty:
        return []
    top = largest.iloc[0]
    sales = study.words.fill("{sales}")
    words = f"is the largest {study.order}, {form.share(top['share'])} of all {sales}, {_fate(top, form)}.{_cancelled(largest, form)}"
    return [Finding(form.money(top["amount"]), words, metric="largest_order")]


def _own(study: Study) -> pd.DataFrame:
    """Rows of tables that were read, not derived from others."""
    return study.read[study.read["share"].notna()]


def _used(study: Study) -> float:
    """Share of the rows that were read that were used."""
    own = _own(study)
    return float(own.loc[own["reason"].isna(), "rows"].sum()) / max(int(own["rows"].sum()), 1)


def _stale(study: Study) -> Estimate | None:
    """Share of stale customers; None where there is no customer."""
    customers = study.context.customers
    if not customers:
        return None
    return Estimate(study.stale / customers, unit="share")


def _fate(order: pd.Series, form: Format) -> str:
    if order["cancelled"]:
        return "and was cancelled"
    return f"and {form.money(order['returned'])} of it was returned" if order["returned"] > 0 else "and was not cancelled"


def _cancelled(largest: pd.DataFrame, form: Format) -> str:
    """How many of the largest orders were cancelled, as a sentence; nothing where there is only one."""
    count, size = int(largest["cancelled"].sum()), len(largest)
    if size == 1:
        return ""
    if count == size:
        return f" All {form.count(size)} largest were cancelled."
    return f" {form.count(count) if count else 'None'} of the {form.count(size)} largest {'was' if count < 2 else 'were'} cancelled."


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    largest, stale = study.largest, _stale(study)
    out = {"customer_base": Estimate(float(study.context.customers or 0), unit="customers")}
    if stale is not None:
        out["stale_share"] = stale
    out["rules_held"] = Estimate(float((study.rules["broken"] == 0).sum()), unit="rules")
    out["rows_used_share"] = Estimate(_used(study), unit="share")
    if len(largest):
        out["largest_order"] = Estimate(float(largest["amount"].iloc[0]), unit=study.descriptor.currency)
        out["largest_cancelled"] = Estimate(float(largest["cancelled"].sum()), unit="orders")
    for row in study.read.to_dict("records"):
        out[f"rows_{row['table']}_{row['reason'] if isinstance(row['reason'], str) else 'kept'}"] = Estimate(
            float(row["rows"]), unit="rows"
        )
    broken: dict[str, int] = {}
    for breach in study.breaches:
        if breach.rule in STATEMENTS:
            broken[breach.rule] = broken.get(breach.rule, 0) + breach.broken
    for rule, count in broken.items():
        out[f"broken_{rule.lower().replace(' ', '_')}"] = Estimate(float(count), unit="rows")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What speaks against the data set: the reasons of the verdict."""
    verdict, form = study.verdict, study.context.form
    grave = [f"{_told(one, form)} {one.advice}" for one in verdict.grave[:_MOST]]
    if len(verdict.grave) > _MOST:
        grave.append(f"{len(verdict.grave) - _MOST} more serious breaches are in the table of rules.")
    return (*grave, *([f"The history is only {study.length} days long."] if verdict.short else []))


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "Rules find what is impossible or unusual; they do not find an amount that is wrong but plausible.",
        f"Definition of a {study.words.one}: {study.descriptor.counted}. A person with two IDs counts twice.",
        *_few(study),
    )


def _few(study: Study) -> list[str]:
    """What can be made of few customers."""
    count, words = study.context.customers or 0, study.words
    if count >= FEW:
        return []
    people = words.one if count == 1 else words.many
    return [f"{count} {people}: read them one by one. Models and shares need many more to say anything."]


def method(study: Study) -> Method:
    """How it was done."""
    rules, form, words = study.descriptor, study.context.form, study.words
    returned = words.fill("{returns}")
    returns = {
        "net": f"{returned.capitalize()} are set against the same {words.one}’s {words.deeds} on the same day.",
        "drop": f"Rows of {returned} were dropped.",
    }
    came_back = {}
    if study.words is WEEKS:
        came_back["Came back"] = (
            "for a large order: what the customer later returned of its products, up to the quantity bought of each"
        )
    free = {
        "count": "Free orders count as purchases." if words is WEEKS else "Gifts of 0 count as well.",
        "ignore": "Free orders are ignored.",
    }
    return Method(
        f"Counts over every row. The verdict is “Not usable yet” if {form.share(DROPPED_STOP, 0)} or more of a table’s rows cannot be used; "
        f"“Usable with care” if {form.share(LOST, 0)} or more cannot, if a serious rule is broken, or if the history is shorter than "
        f"{SHORT_HISTORY} days; otherwise “Good”.",
        (
            returns[rules.returns],
            free[rules.free_orders],
            *((f"Not products: {', '.join(rules.not_products)}.",) if rules.not_products else ()),
            "Everything is counted, so nothing has an interval.",
        ),
        {
            "Stale": f"a {words.one} whose last {words.deed} occasion was longer ago than the chosen number of days",
            **came_back,
            f"{words.one.capitalize()}-day": f"a {words.one} and a day with at least one {study.order}",
            f"{words.deed.capitalize()} occasion": f"a {words.one}-day with a {words.deed} whose amount, net of {returned} booked that day, is positive",
        },
        {f"{words.did} in the last {form.count(study.params.stale_after)} days": study.context.customers - study.stale}
        if study.context.customers
        else {},
    )
