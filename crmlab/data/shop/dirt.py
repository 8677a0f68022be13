"""Spoils clean order lines the way real books are spoiled, by known numbers of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["POSTAGE", "POSTAGE_CODE", "soil"]


# Rows added per clean row; of each kind at least one.
SHARES = {"no_customer": 0.02, "duplicate": 0.01, "postage": 0.02, "zero_amount": 0.005, "write_off": 0.003}
POSTAGE_CODE = "POST"
POSTAGE = 4.95
HUGE_QUANTITY = 12_000


def soil(lines: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, int]]:
    """Add dirt to clean order lines; the clean rows all stay.

    Parameters
    ----------
    lines : DataFrame
        Clean canonical order lines.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (DataFrame, dict)
        The lines in the order of booking, and the number of rows added by kind. No row is of two kinds:

        ``no_customer``
            sales of nobody's account (``X…`` orders);
        ``duplicate``
            exact copies of clean rows, one each;
        ``postage``
            product ``POST``, which is no product, on existing orders;
        ``zero_amount``
            a piece sent free of charge, on existing orders;
        ``write_off``
            stock written off: negative quantity, amount 0, no customer (``W…`` orders);
        ``huge_order``
            one absurd order and its cancellation on the same day, two rows.

    Examples
    --------
    >>> clean = pd.DataFrame({"order_id": ["1"], "customer_id": ["7"], "ordered_at": pd.to_datetime(["2025-01-01"]),
    ...     "product_id": ["A"], "quantity": [2.0], "amount": [9.0], "channel": ["web"]})
    >>> soil(clean, np.random.default_rng(1))[1]["huge_order"]
    2
    """
    sales = lines[lines["amount"] > 0]
    count = {kind: max(1, round(share * len(lines))) for kind, share in SHARES.items()}

    def some(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
        return rows.iloc[np.sort(rng.choice(len(rows), count[kind], replace=False))]

    nobodys = some(sales, "no_customer")
    nobodys = nobodys.assign(order_id=_numbered("X", len(nobodys)))
    postage = some(sales.drop_duplicates("order_id"), "postage")
    postage = postage.assign(product_id=POSTAGE_CODE, quantity=1.0, amount=POSTAGE)
    lost = some(sales, "write_off")
    pieces = -rng.integers(1, 51, len(lost)).astype(float)
    lost = lost.assign(order_id=_numbered("W", len(lost)), quantity=pieces, amount=0.0)
    free = some(sales, "zero_amount").assign(quantity=1.0, amount=0.0)
    parts = [lines, some(lines, "duplicate"), postage, free, _huge(sales, rng), nobodys, lost]
    book = pd.concat(parts, ignore_index=True)
    unknown = np.arange(len(book)) >= len(book) - len(nobodys) - len(lost)
    book["customer_id"] = book["customer_id"].mask(unknown)
    book = book.sort_values(["ordered_at", "order_id"], kind="stable", ignore_index=True)
    return book, {**count, "huge_order": 2}


def _numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:07d}" for number in range(1, count + 1)]


def _huge(sales: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """An order of thousands of pieces and its cancellation, on a day on which the customer bought that product."""
    line = sales.iloc[[int(rng.integers(len(sales)))]]
    noon = line["ordered_at"].dt.normalize() + pd.Timedelta(hours=12)
    amount = (line["amount"] / line["quantity"]).round(2) * HUGE_QUANTITY
    order = line.assign(order_id="HUGE1", ordered_at=noon, quantity=float(HUGE_QUANTITY), amount=amount.round(2))
    cancelled = order.assign(
        order_id="RHUGE1",
        ordered_at=noon + pd.Timedelta(minutes=12),
        quantity=-order["quantity"],
        amount=-order["amount"],
    )
    return pd.concat([order, cancelled])
