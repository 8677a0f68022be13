"""Simulated lives of customers, purchase by purchase: what tests of the clock hold the models against."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crmlab.models.btyd.clock import DAYS, day_of_year

__all__ = ["FIRST", "World", "rates_of", "wave"]

FIRST = dt.date(2021, 1, 1)


def wave(amplitude: float, peak: int) -> np.ndarray:
    """A season that is one wave, its mean 1."""
    found = 1 + amplitude * np.cos(2 * np.pi * (np.arange(DAYS) - peak) / DAYS)
    return found / found.mean()


@dataclass(frozen=True, kw_only=True)
class World:
    """Customers who buy at rates of their own times a rate of the day, and may drop out after a purchase.

    ``rates`` of each day of history and future; ``hidden`` days at the beginning that are not recorded: who bought in them counts as new
    with the first purchase after them; ``slows``: by how much the log of a customer's rate falls in a year of age;
    ``first_drop``: whether a customer may be gone after the first purchase; ``once``: all purchases of a day count as one;
    ``leaves``: shape and scale (in weeks of the calendar) of the Gamma distribution of rates of dropping out at any time, instead of after
    a purchase.
    """

    n: int
    days: int
    ahead: int = 0
    rates: np.ndarray
    entry: int | None = None
    hidden: int = 0
    slows: float = 0.0
    first_drop: bool = True
    once: bool = True
    leaves: tuple[float, float] | None = None
    params: dict[str, float] = field(default_factory=lambda: {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4})

    def purchases(self, seed: int) -> pd.DataFrame:
        """Customer and day of each purchase; one a day at most."""
        rng, p = np.random.default_rng(seed), self.params
        run = np.concatenate([[0.0], np.cumsum(self.rates)]) / 7
        born = rng.integers(0, self.entry or self.days, self.n)
        rate = rng.gamma(p["r"], 1 / p["alpha"], self.n)
        life = rng.geometric(np.maximum(rng.beta(p["a"], p["b"], self.n), 1e-9)) - self.first_drop
        begin = run[born + 1]
        count = rng.poisson(rate * (run[-1] - begin))
        who = np.repeat(np.arange(self.n), count)
        when = begin[who] + rng.random(len(who)) * (run[-1] - begin)[who]
        order = np.lexsort((when, who))
        who, when = who[order], when[order]
        day = np.minimum(np.searchsorted(run, when) - 1, len(self.rates) - 1)
        if self.slows:
            kept = rng.random(len(who)) < np.exp(-self.slows * (day - born[who]) / DAYS)
            who, day = who[kept], day[kept]
        many = np.bincount(who, minlength=self.n)
        number = np.arange(len(who)) - np.repeat(np.cumsum(many) - many, many)
        alive = number < life[who]
        if self.leaves is not None:
            gone = born + 1 + 7 * rng.exponential(1, self.n) / rng.gamma(self.leaves[0], 1 / self.leaves[1], self.n)
            alive = np.interp(when, run, np.arange(len(run))) < gone[who]
        frame = pd.DataFrame({"who": np.r_[np.arange(self.n), who[alive]], "day": np.r_[born, day[alive]]})
        frame = frame[frame["day"] >= self.hidden].sort_values(["who", "day"], ignore_index=True)
        if self.once:
            frame = frame.drop_duplicates(ignore_index=True)
        return frame.assign(first=frame.groupby("who")["day"].transform("min"))

    @property
    def end(self) -> dt.date:
        """Last day of the history."""
        return FIRST + dt.timedelta(days=self.days - 1)

    def known(self, bought: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        """Summary at the end of the history, in weeks, and repeat purchases by day."""
        past = bought[bought["day"] < self.days]
        found = past.groupby("who")["day"].agg(["min", "max", "size"])
        summary = pd.DataFrame(
            {
                "frequency": found["size"] - 1.0,
                "recency": (found["max"] - found["min"]) / 7,
                "T": (self.days - 1 - found["min"]) / 7,
            }
        )
        by_day = past[past["day"] > past["first"]].groupby("day").size().astype(float)
        by_day.index = pd.DatetimeIndex([np.datetime64(FIRST, "ns") + np.timedelta64(day, "D") for day in by_day.index])
        return summary, by_day

    def came(self, bought: pd.DataFrame, days: int) -> int:
        """Purchases of those known, in the days after the history."""
        later = bought["day"].between(self.days, self.days + days - 1)
        return int((later & (bought["first"] < self.days)).sum())


def rates_of(days: int, season: np.ndarray, level: np.ndarray | float = 1.0) -> np.ndarray:
    """Rate of each day from the first."""
    return season[day_of_year(np.datetime64(FIRST, "D") + np.arange(days))] * level
