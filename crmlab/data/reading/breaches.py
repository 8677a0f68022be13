"""What breaks rules that only the source can tell: statuses, refunds, guests, currencies, signs, gaps, files that repeat another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from crmlab.collecting import ORDERED, collect, collect_arrow, collect_row
from crmlab.data.descriptor import DROPPED, Descriptor
from crmlab.data.guests import after_zero
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.personal import masked
from crmlab.data.reading.cleaning import Cleaning
from crmlab.data.reading.parse import FALSE, NOTHING
from crmlab.data.statuses import is_credit_note, meaning
from crmlab.errors import listing, shown

if TYPE_CHECKING:
    import ibis

__all__ = ["GAPS", "breaches_of"]

GAPS = 0.2  # share of rows without a customer from which it is a question
_EXAMPLES = 3
_MOST = 20  # different statuses that are told one by one
# Merged cells: the share of the gaps whose order has a customer elsewhere; of the customers that stand once; and how many there must be.
_TOLD, _ONCE, _FEWEST = 0.8, 0.95, 5
_TWICE = 0.2  # share of the refunds that stand again as rows below zero, from which all seem to
_HALF = 0.5  # share of the rows kept up to which a value calls off: what nearly all rows have says nothing
_NO = ("0.0", "-", *FALSE, *NOTHING)  # what a flag says of a row that it is not about, or nothing
_MOST_WORDS = 200  # different values of a column; more are no statuses


def breaches_of(cleaning: Cleaning, descriptor: Descriptor, rows: list[LedgerRow]) -> list[Breach]:
    """Return what breaks rules in a table that was cleaned.

    Parameters
    ----------
    cleaning : Cleaning
        The table, which can be used.
    descriptor : Descriptor
        The rules of the data set.
    rows : list of LedgerRow
        What became of its rows.

    Returns
    -------
    list of Breach
        Empty where nothing does.
    """
    read = sum(row.rows for row in rows)
    finders = (
        _unknown_statuses,
        _unread,
        _taken_off_twice,
        _currencies,
        _guests,
        _both_negative,
        _gaps,
        _doubled,
        _rounded,
        _total,
    )
    return [breach for find in finders for breach in find(cleaning, descriptor, read)]


@dataclass(frozen=True)
class _Rows:
    """Some rows of a table: how many, what they add up to, and the first of them."""

    table: str
    count: int
    amount: str | None
    examples: tuple[Mapping[str, str], ...]

    def break_rule(self, rule: str, read: int, *, says: str, advice: str, **further: Any) -> Iterator[Breach]:
        """Say that they break a rule; nothing where there are none."""
        if self.count:
            of: dict[str, Any] = {"table": self.table, "broken": self.count, "amount": self.amount, "examples": self.examples}
            yield Breach(rule=rule, checked=read, says=says, advice=advice, **of, **further)


def _counted(cleaning: Cleaning, condition: Any, money: str = "amount") -> _Rows:
    """The rows that meet a condition."""
    table = cleaning.table
    wanted: dict[str, Any] = {"n": condition.sum().fill_null(0)}
    if money in table.columns:
        wanted["amount"] = table[money].sum(where=condition)
    found = collect_row(table.aggregate(**wanted))
    count, amount = int(found["n"]), found.get("amount")
    examples = _examples(cleaning, table.filter(condition)) if count else ()
    return _Rows(cleaning.spec.name, count, None if amount is None else str(amount), examples)


def _examples(cleaning: Cleaning, rows: ibis.Table) -> tuple[Mapping[str, str], ...]:
    columns = [column.name for column in cleaning.spec.kept if column.name in rows.columns]
    columns += [name for name in ("status", "currency") if name in rows.columns and name not in columns]
    place = f"{cleaning.mark}row"
    first = rows.order_by(place if place in rows.columns else columns).limit(_EXAMPLES)
    chosen = first.select(*columns, **({"_row": first[place]} if place in rows.columns else {}))
    found = []
    for row in collect_arrow(chosen, ORDERED).to_pylist():
        where = {"row": _place(cleaning, row["_row"])} if "_row" in row else {}
        found.append(where | {name: "" if row[name] is None else masked(str(row[name])) for name in columns})
    return tuple(found)


def _place(cleaning: Cleaning, row: int) -> str:
    number, file = cleaning.raw.origin(row)
    return f"{number} of {file}" if file else str(number)


def _unknown_statuses(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Statuses that nobody has decided about: their rows are left out, one breach for each."""
    unknown = [status for status, fate in cleaning.sales.statuses.items() if fate == "unknown_status"]
    left_out = cleaning.own("reason") == "unknown_status"
    for status in unknown[:_MOST]:
        mine = left_out & (cleaning.table["status"].fill_null("") == status)
        named = f"The status {shown(masked(status))}" if status else "An empty status"
        yield from _counted(cleaning, mine).break_rule(
            "Status",
            read,
            says=f"{named} is neither kept nor dropped, so these rows are left out.",
            advice=f'Put "{masked(status)}" into keep or drop under [{cleaning.spec.name}] of {cleaning.where}.',
        )
    if len(unknown) > _MOST:
        yield from _counted(cleaning, left_out & cleaning.table["status"].isin(unknown[_MOST:])).break_rule(
            "Status",
            read,
            says=f"{len(unknown) - _MOST:,} more statuses are neither kept nor dropped.",
            advice=f"See whether '{cleaning.mapping['status']}' is the status of orders; if so, list what is a sale in keep.",
        )


def _unread(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Columns of the source that speak against the sums and are not read. Lines may leave to their orders what these read."""
    orders = descriptor.tables.get("orders") if cleaning.spec.name == "order_lines" else None
    parts = () if orders is None else orders.parts
    elsewhere = {column for part in parts for column in part.columns}
    name = cleaning.spec.name
    for role, source in cleaning.watched.items():
        if role in elsewhere or (role != "kind" and any(source in (part.drop_where, part.only_where) for part in parts)):
            continue
        text = cleaning.own(f"watched_{role}").cast("string")
        kept = cleaning.own("reason").isnull() & text.notnull()
        values = _values(cleaning.table.filter(kept), text) if role not in ("refund", "off") else []
        if role == "refund":
            says = f"'{source}' is not read, but holds refunds for rows that were kept in full."
            advice = f'Write refund = "{source}" under [{name}] of {cleaning.where}, unless the amounts are net of it already.'
            against = text.re_search(r"[1-9]") & ~text.re_search(r"[A-Za-z]{4}")
        elif role == "off":
            says = f"'{source}' is not read, but has a value for rows that were kept: were they called off, or tests?"
            advice = f'If they are no sales, write drop_where = "{source}" under [{name}] of {cleaning.where}, or take these rows out.'
            against = (text.strip() != "") & ~text.strip().lower().isin(_NO)
        elif role == "paid":
            says = f"'{source}' is not read, but says no of rows that were kept."
            advice = f'If they are no sales, write status = "{source}" and keep = ["…"] under [{name}] of {cleaning.where}.'
            against = text.strip().lower().isin(_NO)
        else:
            wrong = ("no sale", "refunded") if role == "status" else ("refunded",)
            none = [value for value in values if meaning(value) in wrong or (role == "kind" and is_credit_note(value))]
            if not none or len(values) > _MOST_WORDS:
                continue
            listed = ", ".join(shown(masked(value)) for value in none[:5])
            says = f"'{source}' is not read, but marks rows that were kept as not being sales: {listed}."
            mapped = f"'{cleaning.mapping['status']}' is read as the status: " if "status" in cleaning.mapping else ""
            advice = f'{mapped}{"take these rows out of the file, or write" if mapped else "Write"} status = "{source}" under [{name}].'
            against = text.isin(none)
            against = against & (cleaning.table["amount"] > 0) if role == "kind" else against
        rule = "Refunds" if role in ("refund", "kind") else "Status"
        rows = _counted(cleaning, kept & against)
        if role != "off" or rows.count <= _HALF * _counted(cleaning, cleaning.own("reason").isnull()).count:
            yield from rows.break_rule(rule, read, says=says, advice=advice)


def _values(rows: ibis.Table, text: Any) -> list[str]:
    """The different values of a column, the most frequent first; no more than are looked at."""
    counts = rows.group_by(value=text).agg(n=lambda t: t.count())
    return [str(one) for one in collect(counts.order_by(counts["n"].desc()).limit(_MOST_WORDS + 1), "value")["value"]]


def _taken_off_twice(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Refunds that stand twice: at the order, which is left out or net of it, and as a row below zero of the same customer."""
    table, reason = cleaning.table, cleaning.own("reason")
    if not {"customer_id", "amount"} <= set(table.columns) or not {"status", "refund"} & set(table.columns):
        return
    kept = reason.isnull()
    back: list[ibis.Table] = []
    if "refund" in table.columns:
        at = table.filter(kept & (table["refund"].fill_null(0) > 0) & (table["amount"] >= 0))
        back.append(at.select(who=at["customer_id"], much=at["refund"].abs()))
    if refunded := [one for one, fate in cleaning.sales.statuses.items() if fate != "sale" and meaning(one) == "refunded"]:
        at = table.filter((reason == "status") & table["status"].isin(refunded) & (table["amount"] > 0))
        back.append(at.select(who=at["customer_id"], much=at["amount"]))
    if not back:
        return
    known = (back[0].union(*back[1:]) if len(back) > 1 else back[0]).distinct()
    below = table.filter(kept & (table["amount"] < 0))
    twice = below.mutate(much=-below["amount"], who=below["customer_id"]).semi_join(known, ["who", "much"])
    found = collect_row(twice.aggregate(n=twice.count(), amount=twice["amount"].sum()))
    count, many = int(found["n"]), int(collect_row(known.aggregate(n=known.count()))["n"])
    if count >= max(1, _TWICE * many):
        rows = _Rows(cleaning.spec.name, count, str(found["amount"]), _examples(cleaning, twice.drop("much", "who")))
        yield from rows.break_rule(
            "Refunds",
            read,
            says="Refunds seem to be taken off twice: orders that were paid back are left out or net of it, and rows below zero of the "
            "same customer and amount count too.",
            advice=f"Take one of the two out: the rows below zero, or refund and the statuses under [{cleaning.spec.name}] of "
            f"{cleaning.where}.",
        )


def _currencies(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Currencies without a rate: their rows are left out, one breach for each; and one currency that the data set does not name."""
    if not descriptor.currency and len(cleaning.sales.currencies) == 1:
        (code,) = cleaning.sales.currencies
        yield from _counted(cleaning, cleaning.own("reason").isnull()).break_rule(
            "Currency",
            read,
            says=f"All amounts are in {code}, and the data set names no currency.",
            advice=f'Write currency = "{code}" at the top of {cleaning.where}.',
            grave=False,
        )
    unsigned = _unsigned(cleaning)
    if unsigned is not None:
        yield from _counted(cleaning, unsigned).break_rule(
            "Currency",
            read,
            says=f"Amounts without a currency stand beside others in {listing(cleaning.sales.currencies)}, and count as "
            f"{descriptor.currency or 'these'}.",
            advice="Write the currency beside each amount, or in a column of its own.",
        )
    without = [code for code, rate in cleaning.sales.currencies.items() if rate is None and masked(code) == code]
    for code in without[:_MOST]:
        mine = (cleaning.own("reason") == "other_currency") & (cleaning.table["currency"] == code)
        yield from _counted(cleaning, mine, f"{cleaning.mark}foreign").break_rule(
            "Currency",
            read,
            says=f"Rows in {code} have no rate, so they are left out.",
            advice=f"Write what one {code} is worth in {descriptor.currency}, such as {code} = 0.92, "
            f'or "{DROPPED}", under [rates] of {cleaning.where}.',
            currency=code,
        )


def _unsigned(cleaning: Cleaning) -> Any:
    """Rows that are kept and bear no currency, where others do: in the amount, or in a column that knows several; None if all do."""
    if not cleaning.sales.currencies or ("currency" in cleaning.mapping and len(cleaning.sales.currencies) == 1):
        return None
    return cleaning.own("reason").isnull() & cleaning.table["currency"].isnull()


def _guests(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Ids that were taken for guests; a question where a 0 looks like one customer among others."""
    if "customer_id" not in cleaning.table.columns:
        return
    mine = cleaning.own("reason") == "guest"
    rows = _counted(cleaning, mine)
    if not rows.count:
        return
    who = cleaning.table.filter(mine)["customer_id"]
    found = cleaning.table.filter(mine).group_by("customer_id").agg(n=who.count())
    ids = [str(value) for value in collect(found.order_by(found["n"].desc()).limit(5), "customer_id")["customer_id"]]
    doubtful = descriptor.guests is None and len(ids) == 1 and _is_ordinary(cleaning, ids[0], rows.count)
    listed = ", ".join(shown(masked(one)) for one in ids)
    zero = ids[0]
    numbered = "It is treated as guests and left out, but looks like an ordinary customer, numbered from 0."
    yield from rows.break_rule(
        "Guests",
        read,
        says=f"Rows have the customer id {zero}. {numbered}"
        if doubtful
        else f"Guests ({listed}) are not customers: their rows are left out.",
        advice=f'If it is a customer, write guests = [] at the top of {cleaning.where}; if it stands for guests, guests = ["{zero}"].'
        if doubtful
        else "If the file has their e-mails, write customer_hash with the name of that column in place of customer_id.",
        grave=doubtful,
    )


def _is_ordinary(cleaning: Cleaning, zero: str, rows: int) -> bool:
    """Whether customer 0 has neighbours 1 and 2, and no more rows than the largest of the others."""
    near = after_zero(zero)
    if near is None:
        return False
    kept = cleaning.table.filter(cleaning.own("reason").isnull())
    counts = kept.group_by("customer_id").agg(n=kept.count())
    found = collect_row(counts.aggregate(near=counts["customer_id"].isin(near).sum().fill_null(0), most=counts["n"].max()))
    return int(found["near"]) == 2 and rows <= int(found["most"] or 0)


def _both_negative(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Quantity and price both below zero: what came back, counted as a sale."""
    table = cleaning.table
    if (
        not {"quantity", "unit_price"} <= set(table.columns)
        or "amount" in cleaning.mapping
        or descriptor.negative_price == "return"
    ):
        return
    both = cleaning.own("reason").isnull() & (table["quantity"] < 0) & (table["unit_price"] < 0)
    yield from _counted(cleaning, both).break_rule(
        "Both negative",
        read,
        says="Quantity and price are both below zero, so that their product counts as a sale.",
        advice=f'Where these are returns, write negative_price = "return" at the top of {cleaning.where}.',
    )


def _gaps(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Many rows without a customer; merged cells where the gaps come in runs below a value."""
    if "customer_id" not in cleaning.mapping or cleaning.spec.name not in ("orders", "order_lines"):
        return
    rows = _counted(cleaning, cleaning.own("reason") == "no_customer")
    if rows.count < max(1, GAPS * read):
        return
    merged = _merged(cleaning) if cleaning.raw.numbered else ""
    if not merged and cleaning.raw.of_parts:
        return  # what the whole table lacks counts: rules.reading has it
    column, name = cleaning.mapping["customer_id"], cleaning.spec.name
    order = ', "ordered_at"' if "ordered_at" in cleaning.mapping else ""
    across = " and fill_across = true" if merged == "across" else ""
    fill = f'fill_down = ["customer_id"{order}]{across} under [{name}] of {cleaning.where}'
    yield from rows.break_rule(
        "Customers",
        read,
        says=f"Some rows have no customer: the gaps of '{column}' come in runs below a value, like merged cells."
        if merged
        else f"Some rows have no customer (“{column}” is empty) and are left out.",
        advice=f"Where a gap means the customer above, write {fill}."
        if merged
        else f'If these are guest orders, nothing is wrong: to accept them, write accepted = ["Customers"] at the top of {cleaning.where}.',
    )


def _merged(cleaning: Cleaning) -> Literal["", "within", "across"]:
    """Whether gaps look like merged cells: other rows of the same order have the customer, or each customer stands once, above its rows."""
    import ibis

    table, known = cleaning.table, cleaning.table["customer_id"].notnull()
    if "order_id" in cleaning.mapping:
        orders = table.filter(known).select("order_id").distinct()
        gaps = table.filter(~known & table["order_id"].notnull())
        found = collect_row(
            gaps.aggregate(gaps=gaps.count(), told=gaps["order_id"].isin(orders["order_id"]).sum().fill_null(0))
        )
        if found["gaps"]:
            if int(found["told"]) >= _TOLD * int(found["gaps"]):
                return "within"
            if int(found["told"]):
                return ""
    named = table.filter(known)
    before = table["customer_id"].lag().over(ibis.window(order_by=cleaning.own("row")))
    steps = table.select(gap=~known, begins=~known & before.notnull())
    runs = collect_row(steps.aggregate(gaps=steps["gap"].sum(), begins=steps["begins"].sum().fill_null(0)))
    once = collect_row(named.aggregate(rows=named.count(), different=named["customer_id"].nunique()))
    alone = int(once["different"]) >= _ONCE * int(once["rows"]) and int(once["rows"]) >= _FEWEST
    return "across" if alone and int(runs["gaps"]) > int(runs["begins"]) else ""


def _doubled(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Files of one glob that hold the same as another."""
    import ibis

    doubled, raw = cleaning.raw.doubled, cleaning.raw
    if not doubled:
        return
    inside: Any = ibis.literal(False)
    begins = [1, *raw.starts()]
    for (name, _rows), begin, end in zip(raw.parts, begins, [*begins[1:], None], strict=True):
        if name in doubled:
            row = cleaning.own("row")
            inside = inside | ((row >= begin) if end is None else (row >= begin) & (row < end))
    yield from _counted(cleaning, inside & cleaning.own("reason").isnull()).break_rule(
        "Doubling",
        read,
        says=f"{', '.join(doubled[:5])} {'holds' if len(doubled) == 1 else 'hold'} the same as another file that is read with "
        f"{'it' if len(doubled) == 1 else 'them'}, so that it is counted twice.",
        advice="Remove the copy, or change file = … in the TOML file so that it no longer matches the copy.",
    )


def _rounded(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Ids of a workbook that have more digits than it keeps."""
    for name, source in cleaning.mapping.items():
        if name.endswith("_id") and source in cleaning.raw.rounded:
            long = cleaning.table[name].cast("string").re_search(r"^[0-9]{16,}$")
            yield from _counted(cleaning, long).break_rule(
                "Digits",
                read,
                says=f"'{source}' holds numbers of 16 or more digits, of which a workbook keeps 15: different ids may have become one.",
                advice="Export the ids as text, or as csv without opening it in a spreadsheet.",
            )


def _total(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Rows at the end of files that read like totals and were counted like any other."""
    rows, footer, name = cleaning.raw.totals, cleaning.raw.footer_rows, cleaning.spec.name
    if not rows:
        return
    found = _counted(cleaning, cleaning.own("row").isin(rows) & cleaning.own("reason").isnull())
    one = found.count == 1
    yield from found.break_rule(
        "Totals",
        read,
        says="A row at the end reads like a total, and is counted like any other."
        if one
        else "Rows at the end of files read like totals, and are counted like any other.",
        advice=f"Write footer_rows = {footer} under [{name}] of {cleaning.where}."
        if footer
        else f"Take {'this row out of the file' if one else 'these rows out of the files'}.",
    )
