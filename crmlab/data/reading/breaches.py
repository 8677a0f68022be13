"""What breaks rules that only the source can tell: statuses, refunds, guests, currencies, signs, gaps, files that repeat another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from crmlab.data.collecting import ORDERED, collect, collect_arrow, collect_row
from crmlab.data.descriptor import DROPPED, Descriptor
from crmlab.data.guests import after_zero
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.personal import masked
from crmlab.data.reading.cleaning import Cleaning
from crmlab.data.statuses import NO, is_credit_note, meaning
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


def _counted(
    cleaning: Cleaning, condition: Any, money: str = "amount"
) -> tuple[int, str | None, tuple[Mapping[str, str], ...]]:
    """How many rows meet a condition, what they add up to, and the first of them."""
    table = cleaning.table
    wanted: dict[str, Any] = {"n": condition.sum().fill_null(0)}
    if money in table.columns:
        wanted["amount"] = table[money].sum(where=condition)
    found = collect_row(table.aggregate(**wanted))
    count, amount = int(found["n"]), found.get("amount")
    return count, None if amount is None else str(amount), _examples(cleaning, table.filter(condition)) if count else ()


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
        count, amount, examples = _counted(cleaning, mine)
        if count:
            named = f"The status {shown(masked(status))}" if status else "An empty status"
            yield Breach(
                rule="Status",
                table=cleaning.spec.name,
                says=f"{named} is neither kept nor dropped, so these rows are left out.",
                advice=f'Put "{masked(status)}" into keep or drop under [{cleaning.spec.name}] of {cleaning.where}.',
                broken=count,
                checked=read,
                amount=amount,
                examples=examples,
            )
    if len(unknown) > _MOST:
        count, amount, examples = _counted(cleaning, left_out & cleaning.table["status"].isin(unknown[_MOST:]))
        yield Breach(
            rule="Status",
            table=cleaning.spec.name,
            says=f"{len(unknown) - _MOST:,} more statuses are neither kept nor dropped.",
            advice=f"See whether '{cleaning.mapping['status']}' is the status of orders; if so, list what is a sale in keep.",
            broken=count,
            checked=read,
            amount=amount,
            examples=examples,
        )


def _unread(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Columns of the source that speak against the sums and are not read. Lines may leave to their orders what these read."""
    orders = descriptor.tables.get("orders") if cleaning.spec.name == "order_lines" else None
    elsewhere = set(orders.columns) if orders is not None else set()
    name = cleaning.spec.name
    for role, source in cleaning.watched.items():
        if role in elsewhere or (orders is not None and role != "kind" and source in (orders.drop_where, orders.only_where)):
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
            against = ~text.strip().lower().isin(NO)
        elif role == "paid":
            says = f"'{source}' is not read, but says no of rows that were kept."
            advice = f'If they are no sales, write status = "{source}" and keep = ["…"] under [{name}] of {cleaning.where}.'
            against = text.strip().lower().isin(NO[1:])
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
        count, money, examples = _counted(cleaning, kept & against)
        if count:
            yield Breach(
                rule="Refunds" if role in ("refund", "kind") else "Status",
                table=name,
                says=says,
                advice=advice,
                broken=count,
                checked=read,
                amount=money,
                examples=examples,
            )


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
    many = int(collect_row(known.aggregate(n=known.count()))["n"])
    if int(found["n"]) >= max(1, _TWICE * many):
        yield Breach(
            rule="Refunds",
            table=cleaning.spec.name,
            says="Refunds seem to be taken off twice: orders that were paid back are left out or net of it, and rows below zero of the "
            "same customer and amount count too.",
            advice=f"Take one of the two out: the rows below zero, or refund and the statuses under [{cleaning.spec.name}] of "
            f"{cleaning.where}.",
            broken=int(found["n"]),
            checked=read,
            amount=str(found["amount"]),
            examples=_examples(cleaning, twice.drop("much", "who")),
        )


def _currencies(cleaning: Cleaning, descriptor: Descriptor, read: int) -> Iterator[Breach]:
    """Currencies without a rate: their rows are left out, one breach for each; and one currency that the data set does not name."""
    if not descriptor.currency and len(cleaning.sales.currencies) == 1:
        (code,) = cleaning.sales.currencies
        count, amount, _ = _counted(cleaning, cleaning.own("reason").isnull())
        yield Breach(
            rule="Currency",
            table=cleaning.spec.name,
            says=f"All amounts are in {code}, and the data set names no currency.",
            advice=f'Write currency = "{code}" at the top of {cleaning.where}.',
            broken=count,
            checked=read,
            amount=amount,
            grave=False,
        )
    unsigned = _unsigned(cleaning)
    if unsigned is not None:
        count, amount, examples = _counted(cleaning, unsigned)
        if count:
            yield Breach(
                rule="Currency",
                table=cleaning.spec.name,
                says=f"Amounts without a currency stand beside others in {listing(cleaning.sales.currencies)}, and count as "
                f"{descriptor.currency or 'these'}.",
                advice="Write the currency beside each amount, or in a column of its own.",
                broken=count,
                checked=read,
                amount=amount,
                examples=examples,
            )
    without = [code for code, rate in cleaning.sales.currencies.items() if rate is None and masked(code) == code]
    for code in without[:_MOST]:
        mine = (cleaning.own("reason") == "other_currency") & (cleaning.table["currency"] == code)
        count, amount, examples = _counted(cleaning, mine, f"{cleaning.mark}foreign")
        if count:
            yield Breach(
                rule="Currency",
                table=cleaning.spec.name,
                says=f"Rows in {code} have no rate, so they are left out.",
                advice=f"Write what one {code} is worth in {descriptor.currency}, such as {code} = 0.92, "
                f'or "{DROPPED}", under [rates] of {cleaning.where}.',
                broken=count,
                checked=read,
                amount=amount,
                currency=code,
                examples=examples,
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
    count, amount, examples = _counted(cleaning, mine)
    if not count:
        return
    who = cleaning.table.filter(mine)["customer_id"]
    found = cleaning.table.filter(mine).group_by("customer_id").agg(n=who.count())
    ids = [str(value) for value in collect(found.order_by(found["n"].desc()).limit(5), "customer_id")["customer_id"]]
    doubtful = descriptor.guests is None and len(ids) == 1 and _is_ordinary(cleaning, ids[0], count)
    listed = ", ".join(shown(masked(one)) for one in ids)
    zero = ids[0]
    numbered = "It is treated as guests and left out, but looks like an ordinary customer, numbered from 0."
    yield Breach(
        rule="Guests",
        table=cleaning.spec.name,
        says=f"Rows have the customer id {zero}. {numbered}"
        if doubtful
        else f"Guests ({listed}) are not customers: their rows are left out.",
        advice=f'If it is a customer, write guests = [] at the top of {cleaning.where}; if it stands for guests, guests = ["{zero}"].'
        if doubtful
        else "If the file has their e-mails, write customer_hash with the name of that column in place of customer_id.",
        broken=count,
        checked=read,
        amount=amount,
        examples=examples,
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
    count, amount, examples = _counted(cleaning, both)
    if count:
        yield Breach(
            rule="Both negative",
            table=cleaning.spec.name,
            says="Quantity and price are both below zero, so that their product counts as a sale.",
            advice=f'Where these are returns, write negative_price = "return" at the top of {cleaning.where}.',
            broken=count,
            checked=read,
            amount=amount,
            examples=examples,
        )


def _gaps(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Many rows without a customer; merged cells where the gaps come in runs below a value."""
    if "customer_id" not in cleaning.mapping or cleaning.spec.name not in ("orders", "order_lines"):
        return
    mine = cleaning.own("reason") == "no_customer"
    count, amount, examples = _counted(cleaning, mine)
    if not count or count < GAPS * read:
        return
    merged = _merged(cleaning) if cleaning.raw.numbered else ""
    column, name = cleaning.mapping["customer_id"], cleaning.spec.name
    order = ', "ordered_at"' if "ordered_at" in cleaning.mapping else ""
    across = " and fill_across = true" if merged == "across" else ""
    fill = f'fill_down = ["customer_id"{order}]{across} under [{name}] of {cleaning.where}'
    yield Breach(
        rule="Customers",
        table=name,
        says=f"Rows have no customer: the gaps of '{column}' come in runs below a value, like merged cells."
        if merged
        else f"Rows have no customer: '{column}' is empty there, and they are left out.",
        advice=f"Where a gap means the customer above, write {fill}."
        if merged
        else f'Where these are guests, that is right: write accepted = ["Customers"] at the top of {cleaning.where}.',
        broken=count,
        checked=read,
        amount=amount,
        examples=examples,
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
    doubled = cleaning.raw.doubled
    if not doubled:
        return
    rows = dict(cleaning.raw.parts)
    amount = _of_files(cleaning, doubled)
    yield Breach(
        rule="Doubling",
        table=cleaning.spec.name,
        says=f"{', '.join(doubled[:5])} {'holds' if len(doubled) == 1 else 'hold'} the same as another file that is read with "
        f"{'it' if len(doubled) == 1 else 'them'}, so that it is counted twice.",
        advice="Remove the copy, or change file = … in the TOML file so that it no longer matches the copy.",
        broken=sum(rows.get(name, 0) for name in doubled),
        checked=read,
        amount=amount,
    )


def _of_files(cleaning: Cleaning, names: tuple[str, ...]) -> str | None:
    """What the rows of some files add up to."""
    if "amount" not in cleaning.table.columns:
        return None
    total, start = Decimal(0), 0
    for name, count in cleaning.raw.parts:
        if name in names:
            row = cleaning.own("row")
            inside = cleaning.own("reason").isnull() & row.between(start + 1, start + count)
            total += Decimal(
                collect_row(cleaning.table.aggregate(amount=cleaning.table["amount"].sum(where=inside)))["amount"] or 0
            )
        start += count
    return str(total)


def _rounded(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Ids of a workbook that have more digits than it keeps."""
    for name, source in cleaning.mapping.items():
        if name.endswith("_id") and source in cleaning.raw.rounded:
            long = cleaning.table[name].cast("string").re_search(r"^[0-9]{16,}$")
            count, amount, examples = _counted(cleaning, long)
            yield Breach(
                rule="Digits",
                table=cleaning.spec.name,
                says=f"'{source}' holds numbers of 16 or more digits, of which a workbook keeps 15: different ids may have become one.",
                advice="Export the ids as text, or as csv without opening it in a spreadsheet.",
                broken=count,
                checked=read,
                amount=amount,
                examples=examples,
            )


def _total(cleaning: Cleaning, _: Descriptor, read: int) -> Iterator[Breach]:
    """Rows at the end of files that read like totals and were counted like any other."""
    rows, footer, name = cleaning.raw.totals, cleaning.raw.footer_rows, cleaning.spec.name
    if not rows:
        return
    count, amount, examples = _counted(cleaning, cleaning.own("row").isin(rows) & cleaning.own("reason").isnull())
    if count:
        yield Breach(
            rule="Totals",
            table=name,
            says="A row at the end reads like a total, and is counted like any other."
            if count == 1
            else "Rows at the end of files read like totals, and are counted like any other.",
            advice=f"Write footer_rows = {footer} under [{name}] of {cleaning.where}."
            if footer
            else f"Take {'this row' if count == 1 else 'these rows'} out of the file{'s' if count > 1 else ''}.",
            broken=count,
            checked=read,
            amount=amount,
            examples=examples,
        )
