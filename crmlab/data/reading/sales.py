"""Which rows of orders are sales, and what each comes to in the data set's currency: statuses, refunds, discounts, currencies.

What a status or a currency is taken for is decided once for each different one, in Python; the engine then looks it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from crmlab.collecting import collect, collect_value
from crmlab.data.currencies import SIGN, code_of
from crmlab.data.descriptor import DROPPED, Descriptor, Rate
from crmlab.data.reading.parse import UNIT_PRICE, Parser
from crmlab.data.statuses import meaning, spelled
from crmlab.data.table_section import TableSection
from crmlab.errors import DataError, listing

if TYPE_CHECKING:
    import ibis

__all__ = ["Fate", "Sales", "fate_of", "foreign", "in_codes", "net", "not_a_sale", "settle", "sign_of"]

Fate = Literal["sale", "sale if paid back", "status", "unknown_status"]
_MOST = 500  # different statuses or currencies; more are ids, names or notes


@dataclass(frozen=True)
class Sales:
    """What was decided about the statuses and currencies that a table holds.

    Attributes
    ----------
    statuses : mapping
        What each status makes of its rows; "" is none.
    currencies : mapping
        What one unit of each currency is worth in the data set's; None where nobody says, "drop" where the TOML file leaves it out.
    errors : tuple of DataError
        Why the table cannot be used.
    """

    statuses: Mapping[str, Fate] = field(default_factory=dict)
    currencies: Mapping[str, Rate | None] = field(default_factory=dict)
    errors: tuple[DataError, ...] = ()


def fate_of(status: str, section: TableSection, *, paid_back: bool, booked_back: bool = False) -> Fate:
    """Say what a status makes of its rows.

    Parameters
    ----------
    status : str
        As the source has it; "" where it has none.
    section : TableSection
        What the TOML file keeps and drops. Of other statuses words decide; but where the file keeps some, a further word of sales is not
        decided, and what was paid back is no sale.
    paid_back : bool
        Whether the amounts paid back are known: then an order that was paid back is a sale whose refund is taken off, if there is one.
    booked_back : bool
        Whether rows of this status are below zero, and none above: then what was paid back is booked in rows of its own, which count.

    Examples
    --------
    >>> fate_of("wc-failed", TableSection("orders"), paid_back=False), fate_of("Phase 3", TableSection("orders"), paid_back=False)
    ('status', 'unknown_status')
    """
    for write in (str.strip, spelled):  # as it stands there first: two may be spelled alike
        if write is spelled and not spelled(status):
            break  # a sign, such as a tick: it is not spelled at all
        if write(status) in map(write, section.keep or ()):
            return "sale"
        if write(status) in map(write, section.drop or ()):
            return "status"
    known = meaning(status)
    if known is None:
        return "unknown_status"
    if known == "no sale":
        return "status"
    if known == "sale":
        return "sale" if section.keep is None else "unknown_status"
    if booked_back:
        return "sale"
    return "sale if paid back" if paid_back and section.keep is None else "status"


def settle(table: ibis.Table, section: TableSection, descriptor: Descriptor) -> Sales:
    """Decide about every status and currency of a table.

    Parameters
    ----------
    table : ibis.Table
        Canonical columns; ``status`` and ``currency`` where the source has them.
    section : TableSection
    descriptor : Descriptor
    """
    errors: list[DataError] = []
    statuses: dict[str, Fate] = {}
    if "status" in table.columns:
        found = _different(table, "status", section, errors)
        booked = _booked_back(table) if any(meaning(one) == "refunded" for one in found) else set()
        found = [] if found == [""] else found  # a column without a value says nothing
        statuses = {one: fate_of(one, section, paid_back="refund" in table.columns, booked_back=one in booked) for one in found}
    currencies: dict[str, Rate | None] = {}
    if "currency" in table.columns:
        own, found = descriptor.currency.strip().upper(), [one for one in _different(table, "currency", section, errors) if one]
        if not own and len(found) == 1:
            currencies = {found[0]: Decimal(1)}
        if own:
            currencies = {one: Decimal(1) if one == own else descriptor.rates.get(one) for one in found}
        if not own and len(found) > 1:
            errors.append(
                DataError.must_hold(
                    section.table,
                    "currency",
                    "one currency, or the currency of the data set must be set",
                    listing(sorted(found)),
                    f'Name the one to keep, such as currency = "{found[0]}", at the top of {descriptor.where}; give every other a rate '
                    f'under [rates], such as {found[1]} = 0.92, or "{DROPPED}" to leave its rows out.',
                )
            )
    return Sales(statuses, currencies, tuple(errors))


def _booked_back(table: ibis.Table) -> set[str]:
    """Statuses with amounts below zero and none above."""
    if "amount" not in table.columns:
        return set()
    ends = table.group_by(status=table["status"].fill_null("")).agg(low=table["amount"].min(), high=table["amount"].max())
    return set(collect(ends.filter((ends["low"] < 0) & (ends["high"] <= 0)).select("status"), "status")["status"])


def _different(table: ibis.Table, column: str, section: TableSection, errors: list[DataError]) -> list[str]:
    """The different values of a column, the most frequent first; "" for none. More than make sense are an error."""
    counts = table.group_by(value=table[column].fill_null("")).agg(n=table.count())
    many = int(collect_value(counts.count()))
    if many > _MOST:
        expected = "statuses of orders" if column == "status" else "codes of currencies"
        hint = f"Map another column under [{section.table}]."
        errors.append(DataError.must_hold(section.table, column, expected, f"{many:,} different values", hint))
        return []
    frame = collect(counts, "value").sort_values("n", ascending=False, kind="stable")
    return [str(value) for value in frame["value"]]


def not_a_sale(table: ibis.Table, sales: Sales) -> list[tuple[Any, str]]:
    """Return the conditions under which a row is no sale, each with the reason for dropping it."""
    if not sales.statuses:
        return []
    status = table["status"].fill_null("")
    by_fate = {
        fate: [one for one, of in sales.statuses.items() if of == fate] for fate in dict.fromkeys(sales.statuses.values())
    }
    dropped: Any = status.isin(by_fate.get("status", []))
    if refunded := by_fate.get("sale if paid back"):
        dropped = dropped | (status.isin(refunded) & (table["refund"].fill_null(0) == 0))
    return [(dropped, "status"), (status.isin(by_fate.get("unknown_status", [])), "unknown_status")]


def foreign(table: ibis.Table, sales: Sales) -> Any:
    """Whether a row is in a currency without a rate; None where none is."""
    without = [code for code, rate in sales.currencies.items() if rate in (None, DROPPED)]
    return table["currency"].fill_null("").isin(without) if without else None


def net(table: ibis.Table, sales: Sales, parser: Parser) -> ibis.Table:
    """Take refunds and discounts off the amounts, and bring them into the data set's currency."""
    import ibis

    if "amount" in table.columns:
        table = _less(table, parser)
    rates = {code: rate for code, rate in sales.currencies.items() if isinstance(rate, Decimal) and rate != 1}
    if not rates:
        return table
    code, one = table["currency"].fill_null(""), ibis.literal(Decimal(1), UNIT_PRICE)
    worth = ibis.cases(*((code == other, ibis.literal(rate, UNIT_PRICE)) for other, rate in rates.items()), else_=one)
    money = [table[name] for name in ("amount", "return_amount", "refund", "price") if name in table.columns]
    return table.mutate(
        **{value.get_name(): ibis.ifelse(code.isin(list(rates)), parser.product(value, worth), value) for value in money}
    )


def _less(table: ibis.Table, parser: Parser) -> ibis.Table:
    """Take refunds and discounts off the amounts."""
    import ibis

    amount = table["amount"]
    changes: dict[str, Any] = {}
    if "discount" in table.columns:
        off = table["discount"].abs().fill_null(0)
        amount = ibis.ifelse(amount < 0, amount + off, amount - off)
        changes["amount"] = amount
    if "refund" in table.columns:
        # A row below zero is what was paid back: nothing more is taken off it.
        back = ibis.ifelse(table["amount"] > 0, table["refund"].abs().fill_null(0), 0)
        changes |= {"amount": amount - back, "refund": back}
        if parser.spec.name == "orders":
            changes["return_amount"] = (table["return_amount"].fill_null(0) if "return_amount" in table.columns else 0) - back
    return table.mutate(**{name: value.cast("decimal(18, 4)") for name, value in changes.items()}) if changes else table


def sign_of(table: ibis.Table, amount: str, own: str) -> Any:
    """Return the currency whose sign or code stands beside each amount.

    Parameters
    ----------
    table : ibis.Table
    amount : str
        A column of texts.
    own : str
        The currency of the data set; empty where it names none.

    Returns
    -------
    ibis.Value or None
        An ISO code for each row, null where nothing stands beside the amount; None where nothing does anywhere.
    """
    import ibis

    if not collect_value(table[amount].re_search(r"[^\p{Nd}.,+()' \-]").any()):
        return None
    beside = table[amount].re_replace(r"[\p{Nd}.,'’+\-−()\s\p{Z}٫٬]", "")
    signs = ibis.ifelse(beside.re_search(SIGN), beside, ibis.null("string"))
    different = table.select(sign=signs).filter(lambda t: t["sign"].notnull()).distinct()
    if not 0 < int(collect_value(different.count())) <= _MOST:
        return None
    found = collect(different, "sign")["sign"]
    return ibis.cases(*((beside == sign, code_of(sign, own)) for sign in found), else_=ibis.null("string"))


def in_codes(table: ibis.Table, column: str, written: Any, own: str) -> Any:
    """Return the codes of a column of currencies, which may hold signs.

    Parameters
    ----------
    table : ibis.Table
    column : str
        The column.
    written : ibis.Value
        What stands there, as text.
    own : str
        The currency of the data set; empty where it names none.
    """
    import ibis

    different = table.select(code=table[column].cast("string")).filter(lambda t: t["code"].notnull()).distinct()
    found = collect(different.limit(_MOST), "code")["code"]
    signs = {str(one): code_of(str(one), own) for one in found if code_of(str(one), own) != str(one).upper()}
    if not signs:
        return written.upper()
    return ibis.cases(*((written == sign, code) for sign, code in signs.items()), else_=written.upper())
