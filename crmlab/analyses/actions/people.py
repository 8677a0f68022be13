"""The customers to decide for: what each is worth, who may be contacted, who was lately, and what each action would bring with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.declaring import AT_RISK, Goal
from crmlab.analyses.actions.effects import Priced
from crmlab.analyses.campaigns import Holdout, in_holdout, stands_for, waiting_cells
from crmlab.analyses.customer_value import FEWEST, Scores
from crmlab.analyses.customers import DOMAINS, Condition, check_columns, customer_outputs, holds, known_columns
from crmlab.collecting import collect
from crmlab.errors import CampaignError, DataError, TooLittleError, shown
from crmlab.history.follow_ups import FOLLOW_UPS, open_requests
from crmlab.history.sending import sends

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.analyses.customer_value import Choice
    from crmlab.history.past import History

    Array = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["Asked", "Gains", "People", "brought", "check_criteria", "gains_of", "people_of", "too_few"]

_OWN = ("alive", "if_loyal", "value_today", "at_risk", "potential", "contactable", "refusal")  # of a decision's own frame
_BEST = 0.2  # of like customers, whom the potential is measured by
_ALIKE = 4  # groups of like customers, by how long they have been customers


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """Customers who have bought, in the order of their ids, and what is known of each.

    Attributes
    ----------
    frame : DataFrame
        customer_id, tier, value, alive, if_loyal, value_today, at_risk, potential, spend (expected, of one purchase), household (of the
        customer's own where none is known), contactable, refusal; and every column that criteria name.
    contacts : DataFrame
        What was sent before, a row per contact: customer, day (0 is today, before it negative), offer and channel, empty where not known.
        A control counts as contacted until its test closes, as of :func:`crmlab.analyses.campaigns.waiting_cells`: ``control``.
    scores : Scores
        What customers are worth.
    margin : float
        Share of spend that is kept.
    """

    frame: pd.DataFrame
    contacts: pd.DataFrame
    scores: Scores
    margin: float

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> pd.Series:
        """Ids of the customers."""
        return self.frame["customer_id"]

    @cached_property
    def open(self) -> Flags:
        """Who may be contacted, as far as is known."""
        return np.asarray(self.frame["refusal"] == "", dtype=bool)

    def fits(self, where: Sequence[Condition], of: str) -> Flags:
        """Who meets criteria; whoever it is not known of does not.

        Raises
        ------
        DataError
            A value is none that the column can have; ``of`` says whose criteria they are.
        """
        good = np.ones(len(self), dtype=bool)
        for one in where:
            try:
                good &= holds(self.frame[one.column], one, DOMAINS.get(one.column))[0]
            except CampaignError as error:
                raise DataError(f"The criteria of {of}: {error}") from error
        return good

    def held_out(self, holdout: Holdout | None) -> Flags:
        """Whose household belongs to the universal control."""
        if holdout is None or not len(self):
            return np.zeros(len(self), dtype=bool)
        return np.asarray(in_holdout(self.frame["household"].tolist(), holdout.share, holdout.salt), dtype=bool)


@dataclass(frozen=True, eq=False)
class Asked:
    """What hangs on requests to be contacted again, in the order of the customers.

    Attributes
    ----------
    day : array of shape (n,)
        Days from today until the one asked for; negative for one that has gone by, infinite for who asked for nothing.
    later : DataFrame
        Gains of actions that a customer may have from that day on and not today, a column per action; missing for all others.
    rests : DataFrame of bool
        Which actions a customer may have only until the request is answered.
    """

    day: Array
    later: pd.DataFrame
    rests: pd.DataFrame


def check_criteria(history: History, where: Sequence[Condition], of: str) -> None:
    """Check that criteria name columns that there are, and values that these can have, as far as that is known without any model.

    Raises
    ------
    DataError
        ``of`` says whose criteria they are.
    """
    known = known_columns(history.data)
    base = customer_outputs(history) if {one.column for one in where} - {*DOMAINS} else pd.DataFrame()
    try:
        check_columns(where, [*known, *_OWN])
        for one in where:
            if one.column in DOMAINS or one.column in base.columns:
                holds(base.get(one.column, pd.Series(dtype=object)), one, DOMAINS.get(one.column))
    except CampaignError as error:
        raise DataError(f"The criteria of {of}: {error}") from error


def too_few(customers: int) -> TooLittleError:
    """Return the error of so few customers that nothing can be said of a single one."""
    return TooLittleError.needs("actions", f"at least {FEWEST} customers", str(customers))


def people_of(
    history: History,
    columns: Sequence[str],
    *,
    margin: float | None,
    level: float,
    seed: int,
    choice: Choice | None = None,
) -> People:
    """Gather what is known of each customer.

    Parameters
    ----------
    history : History
    columns : sequence of str
        What criteria name; see :func:`crmlab.analyses.customers.known_columns`.
    margin : float, optional
        Default: as the data set says.
    level, seed
        Of the recipe of value.
    choice : Choice, optional
        Of the model of purchases, on another day; default: on the last day of this history.

    Raises
    ------
    CampaignError
        A column is not known; the message hints at a similar one.
    TooLittleError
        So few customers that nothing can be said of a single one.
    ModelError, ConvergenceError, DataError
        They cannot be valued: nobody bought again, say.
    """
    found = customer_value.scores(history, customer_value.Params(margin=margin, level=level, seed=seed), choice)
    if found.few:
        raise too_few(len(found.points))
    frame = found.points[["customer_id", "tier", "value", "alive", "if_loyal", "value_today", "at_risk"]].assign(
        spend=customer_value.spend_each(found).to_numpy()
    )
    # In days, whatever the model's own summary counts in: that of yearly rounds has no age.
    age = frame["customer_id"].map(history.summary().set_index("customer_id")["T"]).astype(float)
    frame["potential"] = _potential(frame["value_today"].fillna(frame["if_loyal"]), age)
    own = [name for name in columns if name not in frame.columns]
    known = customer_outputs(history, needed=own)
    more = [name for name in dict.fromkeys((*own, "household_id")) if name in known.columns]
    frame = frame.merge(known[["customer_id", *more]], "left", "customer_id")
    home = frame["household_id"] if "household_id" in frame.columns else pd.Series(pd.NA, index=frame.index)
    frame["household"] = home.astype(object).where(home.notna(), frame["customer_id"]).astype(str)
    return People(frame=history.with_consent(frame), contacts=_contacts(history), scores=found, margin=found.fit.margin.share)


def _potential(today: pd.Series, age: pd.Series) -> pd.Series:
    """What the best fifth of customers who have been customers for as long bring in a year, on average, less what this one brings."""
    group = pd.qcut(age.rank(method="first"), min(_ALIKE, len(age)), labels=False).to_numpy()

    def best(some: pd.Series) -> float:
        return float(some.nlargest(max(round(_BEST * len(some)), 1)).mean())

    return (today.groupby(group).transform(best) - today).clip(lower=0.0).round(2)


def _contacts(history: History) -> pd.DataFrame:
    """What was sent to whom before, and what is launched already and goes out later: customer, day, offer, channel, control."""
    found = [one for one in (_sent(history), _launched(history)) if len(one)]
    if not found:
        return pd.DataFrame(
            {name: pd.Series(dtype="int64" if name == "day" else object) for name in ("customer", "day", "offer", "channel")}
        ).assign(control=False)
    return pd.concat(found, ignore_index=True)


def _launched(history: History) -> pd.DataFrame:
    """Contacts of launched campaigns that lie after the last day; of a history that ends earlier than is known, none."""
    kept = history.data.remembered
    if kept is None or history.as_of < history.reach.last or kept.contacts.empty:
        return pd.DataFrame()
    waiting = waiting_cells(kept.cells, history.as_of)
    out = set(kept.cells.loc[sends(kept.cells) | waiting, "cell_id"])
    days = (pd.to_datetime(kept.contacts["contacted_at"]).dt.normalize() - pd.Timestamp(history.as_of)).dt.days
    later = kept.contacts.assign(day=days.astype("int64"))
    later = later[(later["day"] > 0) & later["cell_id"].isin(out)].sort_values(["customer_id", "day", "cell_id"])
    return _told(later, kept.cells, set(kept.cells.loc[waiting, "cell_id"]))


def _sent(history: History) -> pd.DataFrame:
    """What was sent up to the last day."""
    table, cells = history.contacts, _cells(history)
    if table is None:
        return pd.DataFrame()
    waiting = waiting_cells(cells, history.as_of)
    silent = cells.loc[~sends(cells) & ~waiting, "cell_id"].tolist()
    some = table.select("customer_id", "cell_id", "contacted_at")
    some = some.filter(some["cell_id"].notin(silent) | some["cell_id"].isnull()) if silent else some
    known = collect(some, ["customer_id", "contacted_at", "cell_id"])
    known = known.drop_duplicates(["customer_id", "contacted_at", "cell_id"], ignore_index=True)
    days = (pd.to_datetime(known["contacted_at"]).dt.normalize() - pd.Timestamp(history.as_of)).dt.days
    return _told(known.assign(day=days.astype("int64")), cells, set(cells.loc[waiting, "cell_id"]))


def _cells(history: History) -> pd.DataFrame:
    """The test cells of a history; a frame without rows where it has none."""
    cells = history.cells
    return pd.DataFrame({"cell_id": [], "control_cell_id": []}, dtype=object) if cells is None else collect(cells, "cell_id")


def _told(rows: pd.DataFrame, cells: pd.DataFrame, controls: set[str]) -> pd.DataFrame:
    """Contacts with what was sent with them: customer, day, offer, channel, control."""
    cell = rows["cell_id"].astype(str)
    about = {name: _texts(cell.map(stands_for(cells, name))) for name in ("offer", "channel")}
    told = {"customer": rows["customer_id"].astype(str), "day": rows["day"], **about, "control": cell.isin(controls)}
    return pd.DataFrame(told).reset_index(drop=True)


def _texts(values: pd.Series) -> pd.Series:
    """Texts, empty where there are none; a column without any is one of numbers to pandas."""
    return values.astype(object).where(values.notna(), "").astype(str)


class Gains(NamedTuple):
    """What each action would bring with each customer.

    Attributes
    ----------
    gains : DataFrame
        A column per action, in the order of the people: less what it costs; missing where a customer may not have it today.
    costs : dict of str to array
        Action → money spent on each customer.
    ends : dict of str to array
        Action → gains at both ends of its effect, of shape (2, n).
    idle : dict of str to array
        Action → what it costs with each customer if it moves nobody.
    asked : Asked or None
        What hangs on requests to be contacted again; None where no criterion names them.
    """

    gains: pd.DataFrame
    costs: dict[str, Array]
    ends: dict[str, Array]
    idle: dict[str, Array]
    asked: Asked | None


def gains_of(history: History, people: People, actions: Sequence[Priced], goals: Sequence[Goal]) -> Gains:
    """What each action would bring with each customer who may have it, less what it costs.

    An action moves as many more customers to buy as its effect says; each of these brings what :func:`brought` says. Its offer is taken
    by them and by those who would have bought anyway.

    Parameters
    ----------
    history : History
    people : People
    actions : sequence of Priced
    goals : sequence of Goal
        The treatment of a segment closes all other actions for its customers.

    """
    then, after, day = _when_due(history, people)
    closed, closed_then = (_closed(some, actions, goals) for some in (people, then))
    chances = {days: _buys(history, people, days) for days in {one.days for one in actions}}
    spend = people.frame["spend"].to_numpy(float)
    gains, costs, ends, idle, later, rests = {}, {}, {}, {}, {}, {}
    for one in actions:
        brings = brought(people, one)
        takers = chances[one.days]

        def cost(rise: float, one: Priced = one, takers: Array = takers) -> Array:
            took = np.clip(takers + rise, 0.0, 1.0)
            return np.asarray(one.contact + took * (one.response + one.discount * spend))

        def gain(rise: float, brings: Array = brings, cost: object = cost) -> Array:
            return np.asarray(rise * brings - cost(rise))  # type: ignore[operator]

        its, worth = f"the action {shown(one.name)}", np.round(gain(one.effect.counted), 4)
        may = people.fits(one.action.where, its) & ~closed[one.name]
        gains[one.name] = np.where(may, worth, np.nan)
        opens = then.fits(one.action.where, its) & ~closed_then[one.name] & ~may
        later[one.name] = np.where(opens, worth, np.nan)
        rests[one.name] = (may | opens) & ~after.fits(one.action.where, its)
        costs[one.name] = np.round(cost(one.effect.counted), 4)
        ends[one.name] = np.array([gain(one.effect.low), gain(one.effect.high)])
        idle[one.name] = np.round(cost(0.0), 4)
    index = people.frame.index
    known = Asked(day, pd.DataFrame(later, index=index), pd.DataFrame(rests, index=index)) if then is not people else None
    return Gains(pd.DataFrame(gains, index=index), costs, ends, idle, known)


def _closed(people: People, actions: Sequence[Priced], goals: Sequence[Goal]) -> dict[str, Flags]:
    """Action → whose segment's treatment is another one."""
    names = [one.name for one in actions]
    closed = {name: np.zeros(len(people), dtype=bool) for name in names}
    taken = np.zeros(len(people), dtype=bool)
    for goal in goals:
        mine = people.fits(goal.where, f"the goal {shown(goal.goal)}") & ~taken
        taken |= mine
        if goal.treatment is not None:
            for name in names:
                closed[name] |= mine & (goal.treatment != name)
    return closed


def _when_due(history: History, people: People) -> tuple[People, People, Array]:
    """People on the day for which each asked to be contacted again, and after it was done; the days until then, without end for none."""
    day = np.full(len(people), np.inf)
    if "follow_up" not in people.frame.columns:
        return people, people, day
    due, _, none = FOLLOW_UPS
    asked = open_requests(history).set_index("customer_id")["day"]
    ahead = (pd.to_datetime(people.ids.map(asked)) - pd.Timestamp(history.as_of)).dt.days
    known = ahead.notna().to_numpy()
    day[known] = ahead[known].to_numpy(float)
    then = replace(people, frame=people.frame.assign(follow_up=np.where(known, due, none)))
    return then, replace(people, frame=people.frame.assign(follow_up=none)), day


def brought(people: People, one: Priced) -> Array:
    """What each customer who is moved by an action brings: the margin of one purchase, or what is at risk.

    Where the history does not tell who has left nothing is known to be at risk, and one purchase is what is counted.
    """
    once = people.margin * people.frame["spend"]
    if one.action.brings != AT_RISK:
        return once.to_numpy(float)
    return people.frame["at_risk"].fillna(once).to_numpy(float)


def _buys(history: History, people: People, days: int) -> Array:
    """The probability that each customer buys within so many days without being contacted.

    By the model that the value is of; where that says nothing of single customers, as many purchases a day as they have made so far.
    """
    told = customer_value.told(history, days, people.scores.fit.choice)["probability_of_purchase"].to_numpy(float)
    if not np.isnan(told).any():
        return told
    known = history.summary()
    pace = known["occasions"].to_numpy(float) / np.maximum(known["T"].to_numpy(float), 1.0)
    return np.asarray(np.where(np.isnan(told), 1 - np.exp(-pace * days), told))
