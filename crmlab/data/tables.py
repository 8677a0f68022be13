"""The canonical tables: columns, types, meaning and rules. The only place where columns are defined.

Every source is brought into this form before anything else sees it. Times are local to the data set's time zone and
carry no zone; money is ``DECIMAL(18,4)`` in the data set's currency, summed exactly and cast to float after summing.

>>> [column.name for column in TABLES["orders"].columns if column.required]
['order_id', 'customer_id', 'ordered_at', 'amount']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.datatypes as dt
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from pandera.ibis import DataFrameSchema

__all__ = [
    "CELLS",
    "CONTACTS",
    "CONTRACTS",
    "CUSTOMERS",
    "IBIS_TYPES",
    "KIND_WORDS",
    "ORDERS",
    "ORDER_LINES",
    "PERIODS",
    "PRODUCTS",
    "RESPONSES",
    "RESPONSE_KINDS",
    "TABLES",
    "TEST",
    "Column",
    "Kind",
    "TableSpec",
    "labels",
    "schema",
]

Kind = Literal["text", "time", "date", "money", "number", "flag", "measure"]

IBIS_TYPES: dict[Kind, str] = {
    "text": "string",
    "time": "timestamp(6)",
    "date": "date",
    "money": "decimal(18, 4)",
    "number": "decimal(18, 4)",
    "flag": "boolean",
    "measure": "float64",
}

# What an error message calls a value of each kind.
KIND_WORDS: dict[Kind, str] = {
    "text": "text",
    "time": "date",
    "date": "date",
    "money": "amount",
    "number": "number",
    "flag": "yes or no",
    "measure": "number",
}


@dataclass(frozen=True)
class Column:
    """One canonical column.

    ``required``: the table cannot be without it. ``nullable``: single values may be missing. ``at_least`` and
    ``one_of`` are rules that :func:`schema` checks. ``input_only`` columns are read to derive others and not kept.
    ``by_name``: a column of the source that bears the name is taken without being mapped.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = True
    nullable: bool = False
    unique: bool = False
    at_least: float | None = None
    one_of: tuple[str, ...] | None = None
    input_only: bool = False
    by_name: bool = True

    @property
    def ibis_type(self) -> dt.DataType:
        """The Ibis type of the column."""
        import ibis.expr.datatypes as dt

        return dt.dtype(IBIS_TYPES[self.kind])


def _optional(
    name: str, kind: Kind, meaning: str, at_least: float | None = None, one_of: tuple[str, ...] | None = None
) -> Column:
    return Column(name, kind, meaning, required=False, nullable=True, at_least=at_least, one_of=one_of)


def _input(name: str, kind: Kind, meaning: str, *, by_name: bool = True) -> Column:
    return Column(name, kind, meaning, required=False, nullable=True, input_only=True, by_name=by_name)


@dataclass(frozen=True)
class TableSpec:
    """One canonical table: its columns, and the order in which its rows are kept."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    attributes: bool = False  # further columns of the source are kept as they are

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def moment(self) -> str | None:
        """Name of the column that says when a row came about; None where rows have no days of their own."""
        return next((name for name in ("ordered_at", "contacted_at", "responded_at", "started_at") if self.column(name)), None)

    @property
    def kept(self) -> tuple[Column, ...]:
        """The columns that the canonical table has (without the input-only ones)."""
        return tuple(column for column in self.columns if not column.input_only)


_ORDER_ID = Column("order_id", "text", "identifier of the receipt")
_CUSTOMER_ID = Column("customer_id", "text", "identifier of the customer; leading zeros are kept")
_ORDERED_AT = Column("ordered_at", "time", "when the order was booked, local time of the data set")
_CHANNEL = _optional("channel", "text", "where the order came in: web, shop, phone, …")
_ZONE = _input("time_zone", "text", "time zone of the row's times; they are brought into that of the data set", by_name=False)
_OF_SALES = (
    _input("status", "text", "what became of the order; `keep` and `drop` say which are sales"),
    _input("refund", "money", "what was paid back of the amount, as a number above 0; taken off", by_name=False),
    _input("discount", "money", "what was deducted from the amount and is still in it; taken off", by_name=False),
    _input("currency", "text", "ISO code of the row's currency; the data set's, or one with a rate"),
    _ZONE,
)

ORDERS = TableSpec(
    "orders",
    "one row per order (receipt)",
    (
        _ORDER_ID,
        _CUSTOMER_ID,
        _ORDERED_AT,
        Column("amount", "money", "what the order adds up to; negative for a return"),
        _optional("return_amount", "money", "the part of amount that is return lines (zero or negative)"),
        _CHANNEL,
        *_OF_SALES,
    ),
    ("customer_id", "ordered_at", "order_id", "amount"),
)

ORDER_LINES = TableSpec(
    "order_lines",
    "one row per line of a receipt",
    (
        _ORDER_ID,
        _CUSTOMER_ID,
        _ORDERED_AT,
        Column("product_id", "text", "identifier of the product sold"),
        Column("quantity", "number", "pieces; negative for a return"),
        Column("amount", "money", "what the line adds up to; negative for a return"),
        _CHANNEL,
        _input("unit_price", "money", "price of one piece; amount = quantity × unit_price where amount is not given"),
        _input("product_name", "text", "name of the product; makes the products table where none is given"),
        _input("product_category", "text", "category of the product; goes with product_name"),
        *_OF_SALES,
    ),
    ("customer_id", "ordered_at", "order_id", "product_id", "quantity", "amount"),
)

PRODUCTS = TableSpec(
    "products",
    "one row per product",
    (
        Column("product_id", "text", "identifier of the product", unique=True),
        Column("name", "text", "name as people read it", nullable=True),
        Column("category", "text", "group that the product belongs to", required=False, nullable=True),
        _optional("unit_cost", "money", "cost of goods of one piece", at_least=0),
        _optional("available_until", "date", "last day on which the product is sold"),
    ),
    ("product_id",),
)

# What customers do: the last is to ask for something, such as to be contacted again.
RESPONSE_KINDS = ("open", "click", "visit", "order", "complaint", "request")

CUSTOMERS = TableSpec(
    "customers",
    "one row per customer, with attributes",
    (
        Column("customer_id", "text", "identifier of the customer; leading zeros are kept", unique=True),
        _optional("household_id", "text", "people who share an address share a household"),
        _optional("contactable", "flag", "whether the customer may be contacted"),
        _optional("acquired_at", "date", "day on which the customer was won"),
        _optional("acquisition_cost", "money", "what winning the customer cost", at_least=0),
        _optional("referred_by", "text", "the customer who brought this one"),
        _optional("follow_up_at", "date", "day for which the customer asked to be contacted again"),
    ),
    ("customer_id",),
    attributes=True,
)

CELLS = TableSpec(
    "cells",
    "one row per test cell of a campaign",
    (
        Column("campaign_id", "text", "the campaign that the cell belongs to"),
        _optional("program_id", "text", "the program within the campaign"),
        Column("cell_id", "text", "identifier of the cell", unique=True),
        Column("control_cell_id", "text", "the cell that this one is compared with; missing for a control", nullable=True),
        _optional("response_code", "text", "code by which responses name the cell"),
        _optional("offer", "text", "what is offered"),
        _optional("list", "text", "whom the cell was drawn from"),
        _optional("creative", "text", "how the offer is put"),
        _optional("channel", "text", "how the cell is contacted"),
        _optional("cost_per_contact", "money", "cost of one contact", at_least=0),
        _optional("fixed_cost", "money", "cost of the cell whatever its size", at_least=0),
        _optional(
            "cost_per_response",
            "money",
            "cost of the offer, a gift say, to each who buys; 0 where it costs nothing",
            at_least=0,
        ),
        _optional("discount", "number", "share of the price that the offer takes off: 0.1 for 10% off", at_least=0),
        _optional("planned_share", "number", "share of the list planned for the cell", at_least=0),
        _optional("opens_on", "date", "first day on which responses count"),
        _optional("closes_on", "date", "last day on which responses count"),
    ),
    ("cell_id",),
)

CONTACTS = TableSpec(
    "contacts",
    "one row per customer assigned to a cell at one time (a control customer too)",
    (
        _CUSTOMER_ID,
        Column("cell_id", "text", "the cell that the customer was assigned to"),
        Column("contacted_at", "time", "when, local time of the data set"),
        _optional("household_id", "text", "the household of the customer then"),
        _optional("response_code", "text", "the code sent with the contact; missing for a control"),
        _ZONE,
    ),
    ("customer_id", "contacted_at", "cell_id"),
)

RESPONSES = TableSpec(
    "responses",
    "one row per thing that a customer did",
    (
        _CUSTOMER_ID,
        Column("responded_at", "time", "when, local time of the data set"),
        Column("kind", "text", "what was done", one_of=RESPONSE_KINDS),
        _optional("response_code", "text", "code given with the response"),
        _optional("order_id", "text", "the order that was the response"),
        _optional("follow_up_at", "date", "day for which the customer then asked to be contacted again"),
        _ZONE,
    ),
    ("customer_id", "responded_at", "kind"),
)

# What the price of a contract may be for, as canonical tables write it; other words for them are read (crmlab.data.reading.billing).
PERIODS = ("day", "week", "4 weeks", "month", "quarter", "half-year", "year")

CONTRACTS = TableSpec(
    "contracts",
    "one row per contract of a subscription or membership; where its price or plan changes, a further row begins",
    (
        Column("contract_id", "text", "identifier of the contract; the rows of one contract share it"),
        _CUSTOMER_ID,
        Column("started_at", "date", "first day on which these terms hold"),
        _optional("ended_at", "date", "last day on which they hold; missing while the contract is open"),
        Column("price", "money", "what one period costs; 0 for a free plan", at_least=0),
        Column("period", "text", f"what the price is for: {', '.join(PERIODS)}", one_of=PERIODS),
        _optional("plan", "text", "what was subscribed to: basic, plus, …"),
        _optional("trial_until", "date", "last day of the free trial with which the row begins; missing where there is none"),
        _optional("cancelled_at", "date", "day on which notice was given; from then on the end is known"),
        _input("currency", "text", "ISO code of the row's currency; the data set's, or one with a rate"),
    ),
    ("customer_id", "started_at", "contract_id"),
)

TEST = TableSpec(
    "test",
    "one row per customer of a test in one file, with what came of it; its outcomes and covariates are further columns",
    (
        _optional("unit", "text", "identifier of what was assigned, a customer as a rule; default: each row is one"),
        _optional("household", "text", "the household, where whole households were assigned"),
        Column("cell", "text", "the cell that it was assigned to"),
    ),
    ("unit", "cell"),
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec for spec in (ORDERS, ORDER_LINES, PRODUCTS, CUSTOMERS, CELLS, CONTACTS, RESPONSES, CONTRACTS, TEST)
}


def schema(table: str | TableSpec) -> DataFrameSchema:
    """Return the pandera schema that a canonical table must fit.

    Parameters
    ----------
    table : str or TableSpec
        A canonical table, or its name.

    Returns
    -------
    pandera.ibis.DataFrameSchema
        Checks types, missing values and the rules of :class:`Column`. Optional columns may be absent; further columns
        are allowed (attributes).

    Examples
    --------
    >>> schema("products").columns["unit_cost"].required
    False
    """
    import pandera.ibis as pa

    columns = {}
    spec = TABLES[table] if isinstance(table, str) else table
    for column in spec.kept:
        checks = []
        if column.at_least is not None:
            checks.append(pa.Check.ge(column.at_least))
        if column.one_of is not None:
            checks.append(pa.Check.isin(column.one_of))
        columns[column.name] = pa.Column(
            column.ibis_type,
            checks,
            nullable=column.nullable,
            required=column.required,
            description=column.meaning,
        )
    return pa.DataFrameSchema(columns, name=spec.name, strict=False)


def labels(names: Sequence[str] | pd.Series[str], places: npt.NDArray[np.int64]) -> pd.Series[str]:
    """Texts by place. Much faster than making the texts row by row.

    Examples
    --------
    >>> import numpy as np
    >>> labels(["a", "b"], np.array([1, 0, 1])).tolist()
    ['b', 'a', 'b']
    """
    import pandas as pd

    return pd.Series(names).take(places).reset_index(drop=True)
