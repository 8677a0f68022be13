"""Order lines as baskets see them, in the engine: the key of a basket, what is held, and checks that all of it shares."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab import checks
from crmlab.errors import DataError, ParameterError
from crmlab.features.orders import between

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

EXACT = "decimal(18, 4)"
KEY = "\x1f"  # between the parts of a basket's key: no identifier holds it
MAX_ITEMS = 100  # of a basket; one with more is cut down to so many


def basket_key(order_lines: ibis.Table, unit: str) -> ir.StringValue:
    """Key of the basket that each line is in."""
    # Numbers of receipts may begin anew with each customer.
    return order_lines["order_id"] + KEY + order_lines["customer_id"] if unit == "order" else order_lines["customer_id"]


def check(min_count: int, max_items: int) -> None:
    """Check thresholds."""
    checks.whole("basket_matrix", "min_count", min_count, 1)
    checks.whole("basket_matrix", "max_items", max_items, 2)


def lines_of(
    order_lines: ibis.Table,
    unit: str,
    level: str,
    products: ibis.Table | None,
    start: dt.date | None,
    as_of: dt.date | None,
) -> ibis.Table:
    """Lines of the period: basket, product and, of categories, item, with exact pieces as whole numbers."""
    checks.choice("basket_matrix", "unit", unit, ("order", "customer"))
    checks.choice("basket_matrix", "level", level, ("product", "category"))
    for column in ("order_id", "customer_id", "product_id", "quantity"):
        if column not in order_lines.columns:
            raise DataError.frame_lacks("order_lines", column, order_lines.columns)
    lines = between(order_lines, start, as_of) if start or as_of else order_lines
    lines = lines.filter(lines["product_id"].notnull())
    pieces = (lines["quantity"].cast(EXACT) * 10_000).cast("int64")
    lines = lines.select(basket=basket_key(lines, unit), product=lines["product_id"], pieces=pieces)
    if level == "product":
        return lines.mutate(item=lines["product"])
    if products is None or "category" not in products.columns:
        raise ParameterError.expected("basket_matrix", "level", "product, where no product has a category", level)
    groups = products.filter(products["category"].notnull()).select(product=products["product_id"], item=products["category"])
    return lines.join(groups, "product").select("basket", "product", "pieces", item=groups["item"])


def held_items(
    order_lines: ibis.Table,
    unit: str,
    level: str,
    products: ibis.Table | None,
    start: dt.date | None,
    as_of: dt.date | None,
) -> ibis.Table:
    """One row for each basket and item with a product whose net quantity is above 0."""
    lines = lines_of(order_lines, unit, level, products, start, as_of)
    bought = lines.group_by("basket", "product", "item").agg(pieces=lines["pieces"].sum())
    held = bought.filter(bought["pieces"] > 0).select("basket", "item")
    return held if level == "product" else held.distinct()


def engine_md5() -> Any:
    """The engine's own md5 of a text, which DuckDB, Spark and Postgres have in common."""
    import ibis

    @ibis.udf.scalar.builtin(name="md5", signature=(("string",), "string"))  # type: ignore[untyped-decorator]
    def md5(text: str) -> str:  # type: ignore[empty-body]
        ...

    return md5
