"""The simulated club: members with contracts, trials, changes of plan and a price rise, and the truth behind them known."""

from __future__ import annotations

import calendar as calendar_module
import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crmlab.errors import ParameterError

__all__ = ["CLUB", "PLANS", "TRIAL_DAYS", "Club", "make_club"]

# The chance of a member not to renew at the end of a period has a Beta distribution over members, one for each plan, and stays as it is:
# shifted beta-geometric. A period is a month, of the annual plan a year.
PLANS = {
    "basic": {"share": 0.5, "price": 19.9, "alpha": 0.9, "beta": 9.0},
    "plus": {"share": 0.3, "price": 34.9, "alpha": 0.8, "beta": 12.0},
    "annual": {"share": 0.2, "price": 199.0, "alpha": 1.1, "beta": 3.0},
}
CLUB = {
    "trials": 0.55,  # share of members who begin with a free trial
    "conversion": 0.62,  # share of trials that are paid for afterwards
    "upgrade": 0.012,  # chance at each renewal that a member of basic changes to plus
    "downgrade": 0.015,  # and of plus to basic
    "returns": 0.18,  # share of those who left who come back once, if there is time
    "notice": 0.7,  # share of ends of which notice is given up to 24 days before
    "rise": 0.1,  # of monthly prices, at the first renewal in the second half of the history
}
TRIAL_DAYS = 14
CONTACTABLE = 0.9
_PLANS = tuple(PLANS)
_COLUMNS = ["contract_id", "customer_id", "started_at", "ended_at", "price", "period", "plan", "trial_until", "cancelled_at"]


@dataclass(frozen=True, eq=False)
class Club:
    """A simulated club.

    Attributes
    ----------
    tables : dict of DataFrame
        ``contracts`` and ``customers``, in canonical form.
    truth : DataFrame
        One row per member, ordered by customer_id: plan (the first), began (first day of the first contract, trial or not), trial (whether
        it began with one), converted (whether anything was ever paid), leaves (chance not to renew), renewals (made in the first time as a
        subscriber, up to the end of the history or to leaving), left (whether that time ended by then), returned (whether they came back).
    """

    tables: dict[str, pd.DataFrame]
    truth: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"Club({', '.join(f'{len(frame):,} {name}' for name, frame in self.tables.items())})"


def make_club(n_members: int = 2000, seed: int = 1, *, years: int = 4, last_year: int = 2025) -> Club:
    """Simulate a club: who joins, tries, pays, changes plan, leaves and comes back.

    Parameters
    ----------
    n_members : int
        Members who ever joined; at least 1.
    seed : int
        Same arguments, same members.
    years : int
        Length of the history, at least 2; members join on any day of it.
    last_year : int
        The history ends on its 31 December.

    Returns
    -------
    Club

    Raises
    ------
    ParameterError
        A number is out of its range.

    References
    ----------
    Fader and Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21.

    Examples
    --------
    >>> club = make_club(200)
    >>> len(club.tables["customers"]), sorted(club.tables)
    (200, ['contracts', 'customers'])
    """
    for name, value, least in (
        ("n_members", n_members, 1),
        ("seed", seed, 0),
        ("years", years, 2),
        ("last_year", last_year, 1900),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ParameterError.expected("club", name, f"a whole number of at least {least}", value)
    people, life, calendar, books = np.random.default_rng(seed).spawn(4)
    start, end = dt.date(last_year - years + 1, 1, 1), dt.date(last_year, 12, 31)
    place = people.choice(len(_PLANS), n_members, p=[PLANS[name]["share"] for name in _PLANS])
    leaves = np.choose(place, [people.beta(PLANS[name]["alpha"], PLANS[name]["beta"], n_members) for name in _PLANS])
    days = np.sort(people.integers(0, (end - start).days + 1, n_members))
    trial = people.random(n_members) < CLUB["trials"]
    pays = ~trial | (people.random(n_members) < CLUB["conversion"])
    periods = life.geometric(np.clip(leaves, 1e-6, 1.0))  # that are paid, the first included
    books_of = _Books(start, end, calendar)
    ids = [f"M{number:05d}" for number in range(1, n_members + 1)]
    joined = [start + dt.timedelta(days=int(day)) for day in days]
    lives = []
    for who, day in enumerate(joined):
        trial_until = day + dt.timedelta(days=TRIAL_DAYS - 1) if trial[who] else None
        lives.append(books_of.member(ids[who], _PLANS[place[who]], day, trial_until, int(periods[who]) if pays[who] else 0))
    contracts = pd.DataFrame(books_of.rows, columns=_COLUMNS)
    contracts = contracts.sort_values(["customer_id", "started_at", "contract_id"], ignore_index=True)
    customers = pd.DataFrame({"customer_id": ids, "contactable": books.random(n_members) < CONTACTABLE, "acquired_at": joined})
    renewals, left, returned = (list(part) for part in zip(*lives, strict=True))
    truth = pd.DataFrame(
        {
            "customer_id": ids, "plan": [_PLANS[one] for one in place], "began": joined, "trial": trial, "converted": pays,
            "leaves": leaves, "renewals": renewals, "left": left, "returned": returned,
        }
    )  # fmt: skip
    return Club({"contracts": contracts, "customers": customers}, truth)


def _later(day: dt.date, months: int) -> dt.date:
    """The same day some months later; the last of the month where that has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar_module.monthrange(year, month + 1)[1]))


class _Books:
    """What writes the contracts down, as the club knows them on the last day of the history."""

    def __init__(self, start: dt.date, end: dt.date, rng: np.random.Generator) -> None:
        self.end, self.rng = end, rng
        self.rise = start + (end - start) / 2
        self.rows: list[tuple[object, ...]] = []
        self.contracts = 0

    def member(self, who: str, plan: str, day: dt.date, trial_until: dt.date | None, periods: int) -> tuple[int, bool, bool]:
        """Write all contracts of a member; return the renewals made, whether they left by the end, and whether they came back."""
        if trial_until is not None and periods == 0:  # never paid: over with the trial's last day
            self.contracts += 1
            self._row(who, day, trial_until, self._price(plan, day), plan, trial_until, None)
            return 0, False, False
        step, paid = 12 if plan == "annual" else 1, day if trial_until is None else trial_until + dt.timedelta(days=1)
        periods = min(periods, (self.end.year - paid.year + 3) * 12 // step)  # far behind the end of the history
        last = _later(paid, step * periods) - dt.timedelta(days=1)
        self._contract(who, plan, day, trial_until, last)
        made = sum(_later(paid, step * k) <= min(last, self.end) for k in range(1, periods))
        left = last <= self.end
        again = last + dt.timedelta(days=int(self.rng.integers(31, 240)))
        if not left or self.rng.random() >= CLUB["returns"] or again > self.end:
            return made, left, False
        self._contract(who, "basic", again, None, _later(again, int(self.rng.integers(1, 13))) - dt.timedelta(days=1))
        return made, True, True

    def _contract(self, who: str, plan: str, day: dt.date, trial_until: dt.date | None, last: dt.date) -> None:
        """Write one contract: a row for each plan and price."""
        self.contracts += 1
        notice = last - dt.timedelta(days=int(self.rng.integers(1, 25))) if self.rng.random() < CLUB["notice"] else None
        paid = day if trial_until is None else trial_until + dt.timedelta(days=1)
        begun, price, k = day, self._price(plan, paid), 1
        while plan != "annual" and (turn := _later(paid, k)) <= min(last, self.end):
            k += 1
            moves = self.rng.random() < CLUB["upgrade" if plan == "basic" else "downgrade"]
            to = ("plus" if plan == "basic" else "basic") if moves else plan
            if to != plan or self._price(to, turn) != price:
                self._row(who, begun, turn - dt.timedelta(days=1), price, plan, trial_until, None)
                begun, plan, price, trial_until = turn, to, self._price(to, turn), None
        self._row(who, begun, last, price, plan, trial_until, max(notice, begun) if notice is not None else None)

    def _price(self, plan: str, day: dt.date) -> float:
        """What a period costs that begins on a day: annual prices stay as they are."""
        risen = plan != "annual" and day >= self.rise
        return round(PLANS[plan]["price"] * (1 + CLUB["rise"] * risen), 2)

    def _row(
        self,
        who: str,
        begun: dt.date,
        last: dt.date,
        price: float,
        plan: str,
        trial_until: dt.date | None,
        notice: dt.date | None,
    ) -> None:
        known = notice is not None and notice <= self.end
        self.rows.append(
            (
                f"K{self.contracts:06d}", who, begun, last if last <= self.end or known else None, price,
                "year" if plan == "annual" else "month", plan, trial_until, notice if known else None,
            )
        )  # fmt: skip
