"""Turns what customers of the simulated shop do into receipts, returns, and the two order tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlab.data.shop.goods import Lines
from crmlab.data.shop.truth import FloatArray, Histories, IntArray, TimeArray
from crmlab.data.tables import ORDER_LINES, ORDERS, TableSpec, labels

__all__ = [
    "CHANNELS",
    "DAY_SECONDS",
    "OPENS",
    "OPEN_SECONDS",
    "Receipts",
    "canonical",
    "moments",
    "order_tables",
    "pick",
    "pick_channels",
    "pick_returns",
    "write_receipts",
]


TWO_ORDERS = 0.04  # share of occasions with two receipts
SAME_DAY_RETURN = 0.15  # share of returns that come back on the day of the sale
LATEST_RETURN = 21  # days after the sale
KEEPS_CHANNEL = 0.85  # share of orders that come in on the customer's own channel
CHANNELS = {"web": 0.6, "shop": 0.3, "phone": 0.1}
OPENS, OPEN_SECONDS = 7 * 3600, 15 * 3600  # from 7:00 to 22:00
DAY_SECONDS = 86_400


@dataclass(frozen=True, eq=False)
class Receipts:
    """Orders in the order of time, as arrays of shape (orders,): place of the customer, time, and cents."""

    customer: IntArray
    at: TimeArray
    cents: IntArray


def moments(start: np.datetime64, day: FloatArray) -> TimeArray:
    """Turn calendar days since the start into times within opening hours, to the second.

    Examples
    --------
    >>> moments(np.datetime64("2025-01-01"), np.array([0.0, 1.5])).astype(str).tolist()
    ['2025-01-01T07:00:00.000000', '2025-01-02T14:30:00.000000']
    """
    whole = np.floor(day)
    seconds = whole * DAY_SECONDS + OPENS + np.floor((day - whole) * OPEN_SECONDS)
    return np.asarray(start.astype("datetime64[us]") + seconds.astype("timedelta64[s]"))


def pick(choices: dict[str, float], size: int, rng: np.random.Generator) -> IntArray:
    """Draw places among choices by their shares.

    Examples
    --------
    >>> pick({"never": 0.0, "always": 1.0}, 3, np.random.default_rng(1)).tolist()
    [1, 1, 1]
    """
    return np.searchsorted(np.cumsum(list(choices.values()))[:-1], rng.random(size), side="right")


def canonical(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the columns of a canonical table, in its order, without optional ones that there are not; attributes come after.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1], "amount": [2], "channel": [3], "ordered_at": [4], "customer_id": [5],
    ...     "return_amount": [6], "order_id": [7]})
    >>> canonical(ORDERS, frame).columns.tolist()
    ['order_id', 'customer_id', 'ordered_at', 'amount', 'return_amount', 'channel']
    """
    names = [column.name for column in spec.kept if column.required or column.name in frame.columns]
    further = [name for name in frame.columns if name not in names] if spec.attributes else []
    return frame[[*names, *further]]


def write_receipts(histories: Histories, place: IntArray, start: np.datetime64, rng: np.random.Generator) -> Receipts:
    """Write one receipt per occasion, two for some.

    Parameters
    ----------
    histories : Histories
        The occasions.
    place : ndarray of int, shape (customers,)
        Row of the customers table of each customer in ``histories``.
    start : numpy.datetime64
        First day of the period.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Receipts
        Two receipts of an occasion are of the same day and add up to the occasion's cents.

    Examples
    --------
    >>> one, nothing = np.array([0]), np.array([])
    >>> history = Histories(nothing, nothing, nothing, nothing, one, nothing, np.array([0.5]), np.array([4500]))
    >>> int(write_receipts(history, one, np.datetime64("2025-01-01"), np.random.default_rng(1)).cents.sum())
    4500
    """
    at = moments(start, histories.day)
    second = np.flatnonzero(rng.random(at.size) < TWO_ORDERS)
    part = np.rint(histories.cents[second] * rng.uniform(0.2, 0.8, second.size)).astype(np.int64)
    cents = np.concatenate([histories.cents, part])
    cents[second] -= part
    # Within two hours of the first, and so before midnight.
    later = at[second] + rng.integers(300, 6600, second.size).astype("timedelta64[s]")
    every_at = np.concatenate([at, later])
    customer = place[np.concatenate([histories.who, histories.who[second]])]
    in_time = np.argsort(every_at, kind="stable")
    return Receipts(customer[in_time], every_at[in_time], cents[in_time])


def pick_channels(customer: IntArray, n_customers: int, rng: np.random.Generator) -> IntArray:
    """Draw the channel of each order, as a place in ``CHANNELS``: mostly the one that the customer likes.

    Examples
    --------
    >>> bool(pick_channels(np.zeros(9, dtype=int), 1, np.random.default_rng(1)).max() < len(CHANNELS))
    True
    """
    own = pick(CHANNELS, n_customers, rng)
    return np.where(rng.random(customer.size) < KEEPS_CHANNEL, own[customer], pick(CHANNELS, customer.size, rng))


def pick_returns(at: TimeArray, rate: float, last_day: np.datetime64, rng: np.random.Generator) -> tuple[IntArray, TimeArray]:
    """Choose the lines that are returned.

    Parameters
    ----------
    at : ndarray of datetime64, shape (lines,)
        When each line was sold.
    rate : float
        Share of lines returned.
    last_day : numpy.datetime64
        Returns after it are left out.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (line, at)
        Places of the lines returned and when each came back, in the order of time.

    Examples
    --------
    >>> sold = np.array(["2025-01-01T12:00:00"] * 1000, dtype="datetime64[us]")
    >>> line, at = pick_returns(sold, 0.5, np.datetime64("2025-01-31"), np.random.default_rng(1))
    >>> bool((at > sold[line]).all()), bool(np.unique(line).size == line.size)
    (True, True)
    """
    line = np.flatnonzero(rng.random(at.size) < rate)
    sold = at[line]
    same_day = rng.random(line.size) < SAME_DAY_RETURN
    midnight = sold.astype("datetime64[D]") + np.where(same_day, 0, rng.integers(1, LATEST_RETURN + 1, line.size))
    left = (midnight + 1 - sold) / np.timedelta64(1, "s")
    wait = rng.random(line.size) * np.where(same_day, left, OPEN_SECONDS)
    since = np.where(same_day, sold, midnight.astype(sold.dtype) + np.timedelta64(OPENS, "s"))
    # The ceiling keeps a return after its sale; a second before midnight is the latest.
    back = np.minimum(since + np.ceil(wait).astype("timedelta64[s]"), (midnight + 1) - np.timedelta64(1, "s"))
    kept = np.flatnonzero(midnight <= last_day)
    kept = kept[np.argsort(back[kept], kind="stable")]
    return line[kept], back[kept]


def order_tables(
    receipts: Receipts,
    channel: IntArray,
    sold: Lines,
    returned: tuple[IntArray, TimeArray],
    customer_ids: pd.Series[str],
    product_ids: pd.Series[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the orders and order lines tables.

    Parameters
    ----------
    receipts : Receipts
        The sales.
    channel : ndarray of int, shape (orders,)
        Places in ``CHANNELS``.
    sold : Lines
        Lines of the sales.
    returned : tuple of ndarray
        Lines returned and when, as :func:`pick_returns` chooses them. Each is an order of its own.
    customer_ids, product_ids : Series
        Identifiers by place.

    Returns
    -------
    (orders, order_lines) : tuple of DataFrame
        Canonical tables in canonical order. Sales are numbered ``O0000001`` on and returns ``R0000001`` on, both in
        the order of time.

    Examples
    --------
    >>> receipts = Receipts(np.array([0]), np.array(["2025-01-01T12:00"], dtype="datetime64[us]"), np.array([999]))
    >>> one, none = np.array([1]), np.array([], dtype=int)
    >>> lines = Lines(np.array([0]), np.array([0]), one, receipts.cents)
    >>> names = pd.Series(["A"])
    >>> orders, order_lines = order_tables(receipts, one, lines, (none, receipts.at[:0]), names, names)
    >>> orders[["order_id", "amount", "channel"]].values.tolist()
    [['O0000001', 9.99, 'shop']]
    """
    n, (line, back) = receipts.at.size, returned
    source = sold.order[line]
    ids = [f"O{number:07d}" for number in range(1, n + 1)] + [f"R{number:07d}" for number in range(1, line.size + 1)]
    customer = np.concatenate([receipts.customer, receipts.customer[source]])
    at = np.concatenate([receipts.at, back])
    channel = np.concatenate([channel, channel[source]])
    order = np.concatenate([sold.order, n + np.arange(line.size)])
    product = np.concatenate([sold.product, sold.product[line]])
    quantity = np.concatenate([sold.quantity, -sold.quantity[line]])
    cents = np.concatenate([sold.cents, -sold.cents[line]])

    def header(orders: IntArray) -> dict[str, pd.Series[str] | TimeArray]:
        return {
            "order_id": labels(ids, orders),
            "customer_id": labels(customer_ids, customer[orders]),
            "ordered_at": at[orders],
            "channel": labels(list(CHANNELS), channel[orders]),
        }

    # Places are in the order of the identifiers, and numbers sort much faster than texts.
    row = np.lexsort((np.arange(len(ids)), at, customer))
    rank = np.empty_like(row)
    rank[row] = np.arange(row.size)
    by_rank = np.lexsort((product, rank[order]))
    total = np.bincount(order, cents, minlength=len(ids))[row]
    orders = pd.DataFrame({**header(row), "amount": total / 100, "return_amount": np.minimum(total, 0) / 100})
    order_lines = pd.DataFrame(header(order[by_rank])).assign(
        product_id=labels(product_ids, product[by_rank]),
        quantity=quantity[by_rank].astype(float),
        amount=cents[by_rank] / 100,
    )
    return canonical(ORDERS, orders), canonical(ORDER_LINES, order_lines)
