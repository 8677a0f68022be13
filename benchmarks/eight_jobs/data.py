"""The data of the eight jobs, the same for every package: orders of simulated customers, their lines, and a test of two cells.

Purchases are those of a BG/NBD base in whole days, as :mod:`crmlab.models` simulates them, amounts those of a Gamma-Gamma model in whole
cents, so that what the packages say can be held against what is true. A customer may order twice a day.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CALIBRATED, END = "2024-06-30", "2024-12-29"  # 26 weeks between them
WEEKS = 104
TABLES = ("orders", "lines", "people")
PURCHASES = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4}  # in weeks
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
PRODUCTS, GROUPS = 120, 6
LIFT = 0.02  # of the letter, over a rate of a tenth


def make(folder: Path, customers: int = 10_000, seed: int = 1) -> None:
    """Write orders.csv, lines.csv and people.csv, the last with twice as many customers."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ordered = orders(customers, rng)
    ordered.to_csv(folder / "orders.csv", index=False)
    lines(ordered, customers, rng).to_csv(folder / "lines.csv", index=False)
    people(2 * customers, rng).to_csv(folder / "people.csv", index=False)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the three frames, dates as dates, by name."""
    dates = {"orders": ["ordered_at"], "lines": ["ordered_at"], "people": []}
    return {name: pd.read_csv(folder / f"{name}.csv", parse_dates=dates[name]) for name in TABLES}


def orders(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make orders of customers who come within the first year: order_id, customer_id, ordered_at, amount."""
    from crmlab.models.btyd.bg_nbd import BGNBD
    from crmlab.models.btyd.paths import drawn_paths

    came = rng.integers(0, 365, n)
    new = pd.DataFrame({"frequency": 0, "recency": 0.0, "T": 0.0}, index=range(n))
    drawn = next(drawn_paths(BGNBD.from_params(**PURCHASES), new, float(WEEKS), each=1, most=n, seed=int(rng.integers(2**31))))
    again = drawn.rows[drawn.path % n]
    day = np.concatenate([came, came[again] + np.floor(drawn.time * 7).astype(int)])
    who = np.concatenate([np.arange(n), again])
    nu = rng.gamma(SPEND["q"], 1 / SPEND["v"], n)
    amount = np.maximum(np.round(rng.gamma(SPEND["p"], 1 / nu[who]), 2), 0.01)
    found = pd.DataFrame({"who": who, "day": day, "amount": amount})
    found = found[found["day"] <= WEEKS * 7 - 1].sort_values(["day", "who"], kind="stable", ignore_index=True)
    begin = pd.Timestamp(END) - pd.Timedelta(days=WEEKS * 7 - 1)
    return pd.DataFrame(
        {
            "order_id": [f"O{k:06d}" for k in range(len(found))],
            "customer_id": [f"C{k:05d}" for k in found["who"]],
            "ordered_at": begin + pd.to_timedelta(found["day"], unit="D"),
            "amount": found["amount"],
        }
    )


def lines(ordered: pd.DataFrame, customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make one to three lines of each order; most customers have a group of products that they keep to."""
    count = rng.integers(1, 4, len(ordered))
    row = np.repeat(np.arange(len(ordered)), count)
    likes = rng.integers(0, GROUPS, customers)[ordered["customer_id"].str[1:].astype(int).to_numpy()[row]]
    group = np.where(rng.random(len(row)) < 0.7, likes, rng.integers(0, GROUPS, len(row)))
    each = PRODUCTS // GROUPS
    place = np.minimum(np.floor(rng.random(len(row)) ** 2 * each).astype(int), each - 1)
    found = ordered[["order_id", "customer_id", "ordered_at"]].iloc[row].reset_index(drop=True)
    found["product_id"] = [f"P{k:03d}" for k in group * each + place]
    found["quantity"] = 1
    found["amount"] = np.round(ordered["amount"].to_numpy() / count, 2)[row]
    return found.drop_duplicates(["order_id", "product_id"], ignore_index=True)


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make a test of two cells: customer_id, cell, spend_before, bought, orders, spend."""
    cell = rng.permutation(np.arange(n) % 2)
    before = rng.gamma(1.5, 40.0, n)
    rate = (0.1 + LIFT * cell) * (0.5 + 0.5 * before / 60.0)
    bought = rng.random(n) < np.minimum(rate, 1.0)
    orders = bought * (1 + rng.poisson(0.3, n))
    spend = np.round(orders * rng.gamma(4.0, 10.0, n) * np.sqrt(0.2 + 0.8 * before / 60.0), 2)
    return pd.DataFrame(
        {
            "customer_id": [f"C{k:05d}" for k in range(n)],
            "cell": np.where(cell == 1, "letter", "none"),
            "spend_before": np.round(before, 2),
            "bought": bought.astype(int),
            "orders": orders,
            "spend": spend,
        }
    )
