"""The simulated donor base: people who give, or do not, in yearly rounds, with the truth behind them known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crmlab.errors import ParameterError

__all__ = ["TRUTH", "Donors", "make_donors"]


# BG/BB of giving and Gamma-Gamma of what is given in a round.
TRUTH = {"alpha": 1.2, "beta": 0.75, "gamma": 0.65, "delta": 2.8, "p": 6.0, "q": 4.0, "v": 30.0}
GIVES_TWICE = 0.06  # share of rounds given in two gifts
CONTACTABLE = 0.9


@dataclass(frozen=True, eq=False)
class Donors:
    """A simulated donor base.

    Attributes
    ----------
    tables : dict of DataFrame
        ``orders`` (one row per gift) and ``customers`` (one row per donor), in canonical form.
    truth : DataFrame
        One row per donor, ordered by customer_id: first_year, chance (to give in a year while active), leaves (chance to drop
        out at the beginning of a year), left (first year without them, missing for who is still active), mean_gift.
    """

    tables: dict[str, pd.DataFrame]
    truth: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"Donors({', '.join(f'{len(frame):,} {name}' for name, frame in self.tables.items())})"


def make_donors(n_donors: int = 3000, seed: int = 1, *, years: int = 9, last_year: int = 2025) -> Donors:
    """Simulate a donor base: BG/BB tells in which years a donor gives, Gamma-Gamma what is given in a year.

    Parameters
    ----------
    n_donors : int
        Donors who gave at least once.
    seed : int
        Same arguments, same donors.
    years : int
        Length of the history, at least 3; donors come in all years but the last.
    last_year : int
        The history ends on its 31 December.

    Returns
    -------
    Donors

    Raises
    ------
    ParameterError
        A number is out of its range.

    References
    ----------
    Fader, Hardie and Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, Marketing Science 29.

    Examples
    --------
    >>> donors = make_donors(200)
    >>> len(donors.tables["customers"]), sorted(donors.tables)
    (200, ['customers', 'orders'])
    """
    for name, value, least in (
        ("n_donors", n_donors, 1),
        ("seed", seed, 0),
        ("years", years, 3),
        ("last_year", last_year, 1900),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ParameterError.expected("donors", name, f"a whole number of at least {least}", value)
    people, purse, calendar, books = np.random.default_rng(seed).spawn(4)
    first = np.sort(people.integers(last_year - years + 1, last_year, n_donors))
    chance = people.beta(TRUTH["alpha"], TRUTH["beta"], n_donors)
    leaves = people.beta(TRUTH["gamma"], TRUTH["delta"], n_donors)
    stays = people.geometric(np.maximum(leaves, 1e-9))  # the year after the first one is the first chance to leave
    left = first + stays
    mean_gift = TRUTH["p"] / purse.gamma(TRUTH["q"], 1 / TRUTH["v"], n_donors)
    year = np.arange(last_year - years + 1, last_year + 1)
    active = (year > first[:, None]) & (year < left[:, None])
    gives = (year == first[:, None]) | (active & (people.random((n_donors, years)) < chance[:, None]))
    who, round_ = np.nonzero(gives)
    given = purse.gamma(TRUTH["p"], mean_gift[who] / TRUTH["p"])
    orders = _gifts(who, year[round_], np.maximum(np.round(100 * given), 100).astype(np.int64), calendar)
    ids = np.array([f"D{number:05d}" for number in range(1, n_donors + 1)])
    orders = orders.assign(customer_id=ids[orders["who"]]).drop(columns="who")
    # The history ends on the last day of a year, or its last round would look unfinished.
    if orders["ordered_at"].max().year == last_year:
        orders.loc[orders["ordered_at"].idxmax(), "ordered_at"] = pd.Timestamp(last_year, 12, 31, 12)
    orders = orders.sort_values(["ordered_at", "customer_id"], ignore_index=True)
    orders.insert(0, "order_id", [f"G{number:06d}" for number in range(1, len(orders) + 1)])
    customers = pd.DataFrame({"customer_id": ids, "contactable": books.random(n_donors) < CONTACTABLE})
    truth = pd.DataFrame(
        {
            "customer_id": ids, "first_year": first, "chance": chance, "leaves": leaves,
            "left": pd.Series(left, dtype="Int64").mask(left > last_year), "mean_gift": mean_gift,
        }
    )  # fmt: skip
    columns = ["order_id", "customer_id", "ordered_at", "amount"]
    return Donors({"orders": orders[columns], "customers": customers}, truth)


def _gifts(who: np.ndarray, year: np.ndarray, cents: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """One row per gift: most rounds are one gift, many of them before Christmas."""
    twice = (rng.random(len(who)) < GIVES_TWICE) & (cents >= 200)
    part = np.where(twice, np.round(cents * rng.uniform(0.2, 0.8, len(who))).astype(np.int64), 0)
    row = np.concatenate([np.arange(len(who)), np.flatnonzero(twice)])
    amount = np.concatenate([cents - part, part[twice]])
    late = rng.random(len(row)) < 0.6
    day = np.where(late, 305 + 60 * rng.beta(2.0, 1.5, len(row)), 364 * rng.random(len(row))).astype(int)
    start = year[row].astype("U4").astype("datetime64[D]")
    at = start.astype("datetime64[s]") + (day * 86_400 + rng.integers(8 * 3600, 20 * 3600, len(row))).astype("timedelta64[s]")
    return pd.DataFrame({"who": who[row], "ordered_at": at.astype("datetime64[us]"), "amount": amount / 100})
